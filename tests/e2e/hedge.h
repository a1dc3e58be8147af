/*
 * The stage of the suites about hedges: targets A and B, of which the first always gets a request first, and services that
 * differ in how they hedge. /hold and its like wait at the gate of their target.
 */
#ifndef FG_E2E_HEDGE_H
#define FG_E2E_HEDGE_H

#include <stdatomic.h>

#include "e2e/e2e.h"

enum { HEDGE_LARGE_PIECE = 64 * 1024, HEDGE_LARGE_PIECES = 64 };

extern struct stage hedge_stage;
extern struct gate gate_a, gate_b;
extern _Atomic int hedge_broken;       /* how many more requests for /broken are reset */
extern _Atomic unsigned hedge_counted; /* requests for /twice */
/* What /large is made of. */
extern char hedge_piece[HEDGE_LARGE_PIECE];

/* Of a suite. */
int hedge_open(void);
int hedge_close(void);

/* faregate_METRIC of a service; faregate_target_METRIC of a target of it. */
double of_service(const char *metric, const char *service);
double of_target(const char *metric, const char *service, const struct played *target);
/* For bed_wait(), of the service of that name: neither target has it in flight, both do, one does. */
bool is_idle(void *service);
bool runs_twice(void *service);
bool runs_once(void *service);
bool no_place_is_taken(void *service);

bool log_lacks(const struct http_reply *reply, const char *key);
/* A whole answer with that body; hedged: as the log says, NULL: it says nothing of it. */
bool is_from(const struct http_reply *reply, const char *body, const char *hedged);
void begin(struct http_conn *conn, const struct front *front, const char *method, const char *target);
const struct http_reply *finish(struct http_conn *conn);
/* Begins, and returns once both targets have it and hold it back. */
void begin_race(struct http_conn *conn, const struct front *front, const char *target);
/* One that waits at the gate goes on, and is seen off: nobody mistakes it for the next. */
void let_go(struct gate *gate);
/* Whatever was sent before this would have been hedged by its end. */
void let_time_pass(const struct front *front);

#endif
