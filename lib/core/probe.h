/*
 * Active health: each target of a service with `health` is asked for a page now and then, and what it says decides whether
 * it gets requests. Every worker has a timer, but only the one that moves the target's `probe_due` on makes the probe: one a
 * period for the whole pool, whoever is alive.
 */
#ifndef FG_CORE_PROBE_H
#define FG_CORE_PROBE_H

struct fg_gateway;
struct fg_probes;

/* Of a worker: gw->client is there. */
struct fg_probes *fg_probes_start(struct fg_gateway *gw);
/* Before the client is freed. NULL does nothing. */
void fg_probes_stop(struct fg_probes *probes);

#endif
