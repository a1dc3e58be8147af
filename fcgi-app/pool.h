/*
 * The processes of a pool: starting workers, telling them to leave, and taking note of those that are gone. When and
 * why is the supervisor's affair.
 */
#ifndef FG_APP_POOL_H
#define FG_APP_POOL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"

struct fg_config;
struct fg_handover;
struct fg_log;
struct fg_pidfile;
struct fg_pool_memory;
struct fg_privileges;
struct fg_sockets;

struct fg_member {
	pid_t pid;
	unsigned slot;
	uint64_t generation;
	fg_usec started; /* monotonic */
	bool told;       /* to leave */
	fg_usec insist;  /* monotonic: when it is told so more firmly; 0: never */
	unsigned firmness;
};

struct fg_pool {
	const struct fg_log *log;           /* borrowed */
	const struct fg_pool_memory *memory; /* borrowed */
	struct fg_handover *handover;       /* borrowed */
	struct fg_pidfile *pidfile;         /* borrowed; a worker closes it */
	const sigset_t *worker_signals;     /* borrowed; the mask that workers start with */
	struct fg_member *members;          /* owned; FG_STATS_MAX_WORKERS of them */
	unsigned count;
};

/* What a worker is made of. */
struct fg_pool_recipe {
	const struct fg_config *config;
	const struct fg_privileges *privileges;
	struct fg_sockets *sockets, *others; /* its own; those that it has to close, or NULL */
	uint64_t generation;
};

/* A worker that ended. */
struct fg_pool_death {
	struct fg_member member;
	bool by_signal;
	int code; /* signal or exit status */
	fg_usec lived;
	uint64_t in_flight, connections; /* that ended with it */
};

void fg_pool_init(struct fg_pool *pool);
void fg_pool_fini(struct fg_pool *pool);
/* False when no process can be made, said in the log. In the child it does not return. */
bool fg_pool_start(struct fg_pool *pool, const struct fg_pool_recipe *recipe, fg_usec now);
/* Members of that generation that were not told to leave. */
unsigned fg_pool_count(const struct fg_pool *pool, uint64_t generation);
/* How many of those accept connections. */
unsigned fg_pool_count_running(const struct fg_pool *pool, uint64_t generation);
/* The next member that has ended; false: none has. */
bool fg_pool_reap(struct fg_pool *pool, fg_usec now, struct fg_pool_death *death);
void fg_pool_signal(struct fg_pool *pool, int signo);
/* Those of that generation (0: all) drain; whoever is still there after that time is told to leave now, then killed. */
void fg_pool_drain(struct fg_pool *pool, uint64_t generation, fg_usec now, fg_usec drain_timeout);
/* All leave now. */
void fg_pool_quit(struct fg_pool *pool, fg_usec now);
/* Insists where it is time to. Returns when it will be next; 0: never. */
fg_usec fg_pool_insist(struct fg_pool *pool, fg_usec now);

#endif
