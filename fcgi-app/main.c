/*
 * Entry: picks what this process is. Started by a web server it is a worker or a CGI program; by a person or a service
 * manager, one of the commands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/spawned.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
    {"run", fg_cmd_run, "run the pool, in the foreground"},
    {"check", fg_cmd_check, "all that is wrong with the configuration, or \"ok\""},
    {"routes", fg_cmd_routes, "the table of routes, in the order in which they are tried"},
    {"explain", fg_cmd_explain, "which route a request takes, why not the others, and what its policies decide"},
    {"revoke", fg_cmd_revoke, "take back a token, those of a subject, or those of an issuer"},
    {"token", fg_cmd_token, "what stands in a token, and what each policy says of it"},
    {"reload", fg_cmd_reload, "have the running pool take the configuration"},
    {"stop", fg_cmd_stop, "have the running pool finish what is in flight and leave"},
    {"status", fg_cmd_status, "what runs, and what it has counted"},
    {"key", fg_cmd_key, "make, list and revoke API keys"},
    {"drain", fg_cmd_drain, "have no more requests go to a target"},
    {"undrain", fg_cmd_undrain, "let them go there again"},
    {"limits", fg_cmd_limits, "what somebody has left of each limit, or a new start"},
    {"version", fg_cmd_version, "the version and the features built in"},
};

static void
print_usage(FILE *out)
{
	fputs("Usage: faregate COMMAND [OPTION]...\n\n", out);
	for (size_t i = 0; i < FG_ARRAY_LEN(commands); i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
	fprintf(out,
	    "\nfaregate COMMAND --help says more. The configuration is %s, or what -c FILE or\n"
	    "$FAREGATE_CONFIG names. Started by a web server, without a command, it is a FastCGI worker or a CGI program.\n",
	    FG_SYSCONFDIR "/faregate.yaml");
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (argc == 1 && fg_spawned_has_socket())
		return fg_spawned_worker();
	/*
	 * Before any argument is looked at: a web server makes arguments of a CGI program out of a query without '='
	 * (RFC 3875 section 4.4), so they are the client's.
	 */
	if (getenv("GATEWAY_INTERFACE") != NULL && getenv("REQUEST_METHOD") != NULL)
		return fg_spawned_cgi();
	for (size_t i = 0; i < FG_ARRAY_LEN(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(name, "--version") == 0)
		return fg_cmd_version(1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_usage(stdout);
		return FG_EXIT_OK;
	}
	if (argc > 1)
		fprintf(stderr, "faregate: there is no command \"%s\"\n", name);
	print_usage(stderr);
	return FG_EXIT_USAGE;
}
