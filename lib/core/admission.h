/*
 * How many requests a service is given at a time (`max-in-flight`), so that one that is slow takes neither the pool nor, by
 * its own queues, itself.
 *
 * Both numbers, of those in flight and of those that wait, hold for the whole pool, exactly: each worker counts its own in
 * its row of the shared records, and adds up all rows (targets_places.c). A worker that dies leaves neither a place nor room in
 * the queue taken, for its row counts no longer. What finds no place waits in its worker, the more critical routes first, then
 * who came first; when the queue is full one that is more critical takes the room of another in its worker.
 * A place that comes free in the worker is taken at once; one that comes free in another within POLL_US. A worker whose
 * oldest has waited for HUNGRY_MS has the next place to itself, so that no worker is left out.
 */
#ifndef FG_CORE_ADMISSION_H
#define FG_CORE_ADMISSION_H

#include "base/assert.h"
#include "base/clock.h"

struct fg_admission;
struct fg_exchange;
struct fg_gateway;
struct fg_service;

/* Of a route, when there is no room for all. */
enum fg_criticality { FG_CRITICALITY_LOW, FG_CRITICALITY_NORMAL, FG_CRITICALITY_HIGH, FG_CRITICALITY_COUNT };

enum fg_admitted {
	FG_ADMITTED,
	FG_QUEUED,     /* fg_forward_admitted() follows, unless fg_admission_leave() comes first */
	FG_OVERLOADED, /* no place, and no room to wait */
};

/* As the configuration has it. */
const char *fg_criticality_word(enum fg_criticality criticality);
/* A place at x->service. One that waits and is less critical may lose its room to x: it is refused as overloaded. */
FG_MUST_CHECK enum fg_admitted fg_admission_enter(struct fg_exchange *x);
/* x is through with the service, or waits no longer. Any number of times. */
void fg_admission_leave(struct fg_exchange *x);
/*
 * One more place at once, for what is sent besides an exchange's own request: a copy, a second try. False: none is free, or
 * somebody waits for it. True, and nothing is counted, when the service has no bound. fg_admission_give() ends it.
 */
FG_MUST_CHECK bool fg_admission_take(struct fg_gateway *gw, const struct fg_service *service);
void fg_admission_give(struct fg_gateway *gw, const struct fg_service *service);
/* A worker's queue at a service; nobody waits. NULL is fine. */
void fg_admission_free(struct fg_admission *admission);

#endif
