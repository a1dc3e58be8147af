/*
 * What the workers of a pool share about services and their targets: breakers, health, who is drained, what is in flight.
 * A record is found by its service and URL, so that it goes on over a reload. Everything is an atomic; a worker that dies
 * leaves nothing behind that has to be undone: what it had in flight stands in a row of its own, which counts only while
 * the worker lives.
 */
#ifndef FG_SERVICE_TARGETS_H
#define FG_SERVICE_TARGETS_H

#include <stddef.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/name_table.h"
#include "service/breaker.h"
#include "service/health.h"
#include "service/latency.h"

struct fg_buf;
struct fg_log;
struct fg_service;
struct fg_stats;
struct fg_target;
struct fg_targets;

/*
 * Of a target, or of a service as a whole. All times are monotonic. Zeroed: nothing is known. What every request looks at, of
 * all targets, and few change, lies together; what each request to the target changes lies on other lines of the cache.
 */
struct fg_target_state {
	struct fg_name_head head;        /* "SERVICE URL"; "SERVICE" */
	_Atomic int64_t probe_due;       /* whoever moves it on makes the next probe */
	fg_health health;
	_Atomic int64_t since;           /* when it came back (up, closed, undrained); 0: it was never away */
	_Atomic uint32_t drained, drained_told; /* somebody has taken it out; as it stands in the log */
	_Atomic uint32_t is_probed;      /* the configuration has probes for it, */
	_Atomic uint32_t has_breaker;    /* or a breaker */
	_Atomic uint32_t places, room;   /* as the last has them of a service: in flight at most (0: any number), waiting at most */
	_Atomic uint64_t generation;     /* of the last configuration that has it */
	_Atomic uint64_t opened;         /* how often its breaker has */
	struct fg_breaker breaker;
	_Atomic uint64_t requests, failures, probes, probes_failed;
	/* of a service */
	_Atomic int64_t retry_credit;    /* thousandths of a retry or hedge; 0 stands for what a service begins with */
	_Atomic uint64_t hedges, hedges_won, hedges_refused;
	struct fg_latency latency;       /* of what may be hedged */
	_Atomic uint64_t retries, retries_refused, mirrored, mirrors_dropped;
	_Atomic uint64_t queued, shed;   /* waited for a place; were refused one */
	_Atomic uint64_t hungry;         /* which worker has the next place to itself (admission.c) */
};

_Static_assert(offsetof(struct fg_target_state, health) % 64 == 0 &&
	offsetof(struct fg_target_state, breaker.rate) == offsetof(struct fg_target_state, health) + 64,
    "health, since, drained and the breaker's word are all of one line, and no count of requests is");

/* As fg_stats_create(), fg_stats_join() and fg_stats_open(). count: of services and targets together. */
enum fg_err fg_targets_create(struct fg_targets **out, const char *path, size_t count) FG_MUST_CHECK;
enum fg_err fg_targets_join(struct fg_targets **out, const char *path, size_t count) FG_MUST_CHECK;
enum fg_err fg_targets_open(struct fg_targets **out, const char *path) FG_MUST_CHECK;
void fg_targets_close(struct fg_targets *targets, bool unlink_file);

/* How many records the services of a configuration need. */
size_t fg_targets_needed(struct fg_service *const *services, size_t count);
/*
 * Whose workers are of the same pool, by which is known what is in use: from then on records that no living worker's
 * configuration has are given back when room is wanted. Borrowed.
 */
void fg_targets_know_workers(struct fg_targets *targets, const struct fg_stats *stats);
/*
 * Points services and targets to their records; generation: of their configuration, which by now stands in the statistics, as a
 * worker's or the pool's, or is higher than any that does. One that finds no place (FG_MAX_SHARED_TARGETS) keeps a record of the
 * worker's own.
 */
void fg_targets_attach(struct fg_targets *targets, struct fg_service *const *services, size_t count, uint64_t generation);
/*
 * For a reader: points a service and its targets to the records that are there, which then are not to be written to; those
 * that have none keep their own. How many have one.
 */
size_t fg_targets_point(struct fg_targets *targets, struct fg_service *service);
/* NULL: there is no such target. url empty: of the service. A reader may not write to it. */
struct fg_target_state *fg_targets_look(struct fg_targets *targets, struct fg_str service, struct fg_str url);

/* The worker of that slot begins: it has nothing in flight. */
void fg_targets_start_worker(struct fg_targets *targets, unsigned slot);
/* A request to it begins, or is over. A target without a shared record is not counted. */
void fg_targets_enter(struct fg_targets *targets, unsigned slot, const struct fg_target *target);
void fg_targets_leave(struct fg_targets *targets, unsigned slot, const struct fg_target *target);
/* How many are in flight in the whole pool to each of them. */
void fg_targets_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_target *const of[],
    size_t count, unsigned in_flight[]);
/* To all targets of a service together. */
uint64_t fg_targets_in_flight_to_all(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_service *service);

/* Whether the pool counts what is in flight to the service as a whole; else the worker counts alone. */
bool fg_targets_is_shared(const struct fg_targets *targets, const struct fg_service *service);
/*
 * One more in flight to the service as a whole, unless `most` are; exact over all workers: never more, and what is free goes
 * to one of those that want it. fg_targets_dismiss() ends it.
 */
FG_MUST_CHECK bool fg_targets_admit(struct fg_targets *targets, const struct fg_stats *stats, unsigned slot,
    const struct fg_service *service, unsigned most);
void fg_targets_dismiss(struct fg_targets *targets, unsigned slot, const struct fg_service *service);
/* The same for those that wait to be admitted. */
FG_MUST_CHECK bool fg_targets_line_up(struct fg_targets *targets, const struct fg_stats *stats, unsigned slot,
    const struct fg_service *service, unsigned most);
void fg_targets_step_out(struct fg_targets *targets, unsigned slot, const struct fg_service *service);
unsigned fg_targets_waiting(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_service *service);

/* For metrics and `faregate status`: the services and targets of the configuration in use. */
void fg_targets_format_prometheus(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out);
void fg_targets_format_text(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out);
/*
 * Members of a JSON object, an object a service: what was counted, what is in flight, who waits, its breaker; then, of services
 * that the configuration no longer has, what was counted.
 */
void fg_targets_format_services_json(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out);
/* Elements of a JSON array, an object a target. */
void fg_targets_format_json(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out);
/* For whoever watches over the pool: a line for each target taken out or put back (faregate drain) since the last call. */
void fg_targets_log_drained(struct fg_targets *targets, const struct fg_stats *stats, const struct fg_log *log);

#endif
