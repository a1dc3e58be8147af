/*
 * What the scenes of breakers play on: a pool of four workers behind lighttpd and Apache, two services that say what they
 * are told to, and for each scene a service of its own behind each web server, "count0" and "count1".
 */
#ifndef FG_E2E_BREAKER_STAGE_H
#define FG_E2E_BREAKER_STAGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "e2e/e2e.h"

enum { WORKERS = 4, LEASE_MS = 1000, LEFT_MS = 6000, NO_STATUS = 0, RESET = -1 };

/* A status; NO_STATUS: waits at the gate, then 200; RESET. */
extern _Atomic int said;
/* How often the services were asked since service_says(), and when last (ms). */
extern _Atomic unsigned asked;
extern _Atomic int64_t last_asked;
extern struct gate breaker_hold;

int breaker_stage_open(struct stage *stage);
int breaker_stage_close(struct stage *stage);

int index_of(const struct front *front);
void service_says(int status);
const struct http_reply *ask_for(const struct front *front, const char *scene);
bool is_refused(const struct front *front, const char *scene);
/* Of target A of the scene's service; of the service as a whole. */
double target_metric(const struct front *front, const char *name, const char *scene);
double service_metric(const struct front *front, const char *name, const char *scene);
/* Whether the log of the pool comes to have that many such lines of the service of the scene, and no more. */
bool is_logged(const struct front *front, const char *scene, const char *change, const char *more, unsigned times);
/* True once the services were asked as often. */
bool wait_asked(unsigned times);

/* A client that asks once, or until somebody's request has arrived. */
struct client {
	pthread_t thread;
	const struct front *front;
	const char *scene;
	bool until_asked;
};

void client_start(struct client *client, const struct front *front, const char *scene, bool until_asked);

/* For bed_wait(): the scene's service answers 200. */
struct where {
	const struct front *front;
	const char *scene;
};
bool is_well(void *where);

struct worker {
	long pid;
	long in_flight;
};

/* By the report that lies in shared memory; how many there are. */
size_t look_at_workers(struct worker workers[WORKERS]);

#endif
