/*
 * The commands of the program, one function and one file each. main.c has the table that picks them.
 */
#ifndef FG_APP_COMMANDS_H
#define FG_APP_COMMANDS_H

#include <stdbool.h>

/* What the process tells who started it. */
enum fg_exit {
	FG_EXIT_OK = 0,
	FG_EXIT_INPUT = 1,       /* what the user gave is at fault: the configuration, most often */
	FG_EXIT_USAGE = 2,       /* the command line is at fault */
	FG_EXIT_ENVIRONMENT = 3, /* the system is: no such file, no permission, nothing runs */
};

/*
 * argv[0] is the command's own name. Each takes --help (printed to standard output, FG_EXIT_OK) and answers a wrong
 * command line with one line on standard error and FG_EXIT_USAGE.
 */
int fg_cmd_run(int argc, char **argv);
int fg_cmd_check(int argc, char **argv);
int fg_cmd_routes(int argc, char **argv);
int fg_cmd_explain(int argc, char **argv);
int fg_cmd_reload(int argc, char **argv);
int fg_cmd_stop(int argc, char **argv);
int fg_cmd_status(int argc, char **argv);
int fg_cmd_key(int argc, char **argv);
int fg_cmd_drain(int argc, char **argv);
int fg_cmd_undrain(int argc, char **argv);
int fg_cmd_limits(int argc, char **argv);
int fg_cmd_revoke(int argc, char **argv);
int fg_cmd_token(int argc, char **argv);
int fg_cmd_version(int argc, char **argv);

/* The configuration where no -c names one: $FAREGATE_CONFIG, or SYSCONFDIR/faregate/faregate.yaml. Never NULL. */
const char *fg_config_file_default(void);

#endif
