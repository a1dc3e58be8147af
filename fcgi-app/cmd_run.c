/* faregate run: the pool, in the foreground. */
#include "fcgi-app/commands.h"
#include "fcgi-app/options.h"
#include "fcgi-app/supervisor.h"

static const char help[] =
    "Usage: faregate run [-c FILE] [--workers N]\n"
    "\n"
    "Runs the pool in the foreground: opens the sockets of the configuration, starts the workers, replaces those\n"
    "that die. Tells systemd when it is ready (Type=notify). The log goes to standard error.\n"
    "\n"
    "  -c, --config FILE   the configuration\n"
    "      --workers N     so many workers, whatever the configuration says\n"
    "      --help          this text\n"
    "\n"
    "Signals: HUP reloads the configuration; a bad one is refused and the pool goes on as it was. USR1 opens the logs\n"
    "anew. TERM and INT finish what is in flight, up to drain-timeout, and leave; a second one leaves now.\n"
    "\n"
    "Exit status: 0 stopped as told, 1 the configuration is at fault, 2 the command line is, 3 the system is.\n";

int
fg_cmd_run(int argc, char **argv)
{
	struct fg_supervisor_options run;
	struct fg_options options;
	int status;

	if (!fg_options_read(&options, argc, argv, FG_OPTION_CONFIG | FG_OPTION_WORKERS, help, &status))
		return status;
	run = (struct fg_supervisor_options){.file = options.config, .workers = options.workers};
	return fg_supervisor_run(&run);
}
