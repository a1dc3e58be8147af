/*
 * Workers of the pool that ended without giving their slot back, and that no supervisor waits for: processes of a web server
 * that were killed. What they had in flight counts until their slot is found; it is looked for when a service has no place
 * left, and from time to time by the workers of a web server.
 */
#ifndef FG_CORE_DEAD_WORKERS_H
#define FG_CORE_DEAD_WORKERS_H

struct fg_dead_workers;
struct fg_gateway;

/* Looks now, unless a worker of the pool has just done so. Each one found is logged, and counted. */
void fg_dead_workers_look(struct fg_gateway *gw);
/* From time to time, for as long as gw lives. */
struct fg_dead_workers *fg_dead_workers_start(struct fg_gateway *gw);
/* NULL does nothing. */
void fg_dead_workers_stop(struct fg_dead_workers *dead);

#endif
