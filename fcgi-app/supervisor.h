/*
 * The supervisor: opens the sockets, maps the statistics, starts workers, replaces what dies, reloads, stops.
 *
 * HUP reload; TERM, INT drain and leave; a second of them, or QUIT, leave now; USR1 open logs anew.
 */
#ifndef FG_APP_SUPERVISOR_H
#define FG_APP_SUPERVISOR_H

struct fg_supervisor_options {
	const char *file; /* the configuration */
	unsigned workers; /* 0: as configured */
};

/* Runs a pool until told to stop. Returns the exit status (enum fg_exit). */
int fg_supervisor_run(const struct fg_supervisor_options *options);

#endif
