/*
 * A worker: one process, one loop, one configuration. It serves FastCGI on listening sockets that somebody opened for
 * it: the supervisor, or a web server that spawned it.
 *
 * Life, as the supervisor and `faregate status` see it in the worker's slot of the statistics: FG_WORKER_STARTING
 * (set by whoever took the slot) -> FG_WORKER_RUNNING (set by the worker once it accepts) -> FG_WORKER_DRAINING (set by
 * the worker when told to leave) -> FG_WORKER_FREE (set by whoever took the slot, when the process is gone).
 *
 * Signals to a worker:
 *   TERM   drain: accept no more, finish what is in flight, hand idle connections over, leave. After
 *          config->drain_timeout what is still in flight ends with FG_ERR_DRAINING. Supervised: a further TERM changes
 *          nothing, since the tools that stop services often signal a whole group of processes. Otherwise it leaves now.
 *   QUIT   leave now: what is in flight ends with FG_ERR_DRAINING
 *   USR1   open the logs anew
 *   INT    supervised: ignored (Ctrl-C reaches the supervisor, which decides); otherwise like TERM
 *   HUP    ignored
 */
#ifndef FG_APP_WORKER_H
#define FG_APP_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fg_config;
struct fg_handover;
struct fg_pool_memory;

struct fg_worker_spec {
	const struct fg_config *config; /* borrowed */
	const int *listen_fds;          /* borrowed; listening, non-blocking, close-on-exec; never none */
	size_t listen_count;
	const struct fg_pool_memory *memory; /* borrowed; its statistics are attached to the configuration */
	unsigned slot;                      /* of this worker in the statistics; pid and generation stand there */
	const struct fg_handover *handover; /* borrowed; NULL: a draining worker closes its idle connections */
	bool supervised;                    /* by our own supervisor */
	uint64_t generation;                /* of the configuration */
};

/*
 * Serves until told to leave. Returns the exit status (enum fg_exit): 0 after a drain, FG_EXIT_ENVIRONMENT when it
 * could not begin (an access log that cannot be opened), said in the log. Called in a process without threads, with no
 * signal blocked, SIGPIPE ignored, privileges already given up.
 */
int fg_worker_run(const struct fg_worker_spec *spec);

#endif
