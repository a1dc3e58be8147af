/* The scripted service as a program, for the demonstration, benchmarks, and by hand: see service.h for its paths. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/service_internal.h"
#include "support/service_listen.h"

int
main(int argc, char **argv)
{
	static const struct option known[] = {{"port", required_argument, NULL, 'p'}, {"name", required_argument, NULL, 'n'},
	    {"max-requests", required_argument, NULL, 'm'}, {"cert", required_argument, NULL, 'c'},
	    {"key", required_argument, NULL, 'k'}, {NULL, 0, NULL, 0}};
	static struct service_shared shared;
	struct service_options options = {.name = "A"};
	struct server server = {.options = &options, .shared = &shared, .wake = -1};
	int port, c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'p')
			options.port = (int)strtol(optarg, NULL, 10);
		else if (c == 'n')
			options.name = optarg;
		else if (c == 'm')
			options.max_requests = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'c')
			options.cert_file = optarg;
		else if (c == 'k')
			options.key_file = optarg;
		else
			return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	server.listener = service_listen(options.port, &port);
	printf("port %d\n", port);
	fflush(stdout);
	server_run(&server);
	return 0;
}
