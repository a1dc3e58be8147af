/* How the shared records of targets lie in memory: between the files targets*.c alone. */
#ifndef FG_SERVICE_TARGETS_LAYOUT_H
#define FG_SERVICE_TARGETS_LAYOUT_H

#include <pthread.h>
#include <stdalign.h>

#include "base/shared.h"
#include "service/targets.h"
#include "stats/stats.h"

struct fg_targets_shared {
	uint64_t boot;           /* monotonic times are of this boot */
	uint32_t max;            /* fixed from here on */
	_Atomic uint32_t count;  /* handed out */
	_Atomic uint32_t slots;  /* no worker has had a slot above */
	pthread_mutex_t lock;    /* of whoever points a configuration to its records; robust */
	/* A table of names: states[max], and its index; then a row of counts for each worker's slot. */
	struct {
		alignas(64) struct fg_target_state state; /* a cache line of its own */
	} states[];
};

struct fg_targets {
	struct fg_shared memory;          /* owned */
	struct fg_targets_shared *shared; /* within it */
	struct fg_name_table table;       /* of its states */
	const struct fg_stats *stats;     /* borrowed: of the same pool; NULL: no record is ever given back */
	_Atomic uint16_t *rows;           /* within it: FG_STATS_MAX_WORKERS rows, each with blocks of max */
};

/* fg_target.number, fg_service.number: it has no record in there. */
enum { FG_TARGETS_NUMBER_NONE = -1 };

/* What a row has, by the numbers of records: */
enum fg_targets_block {
	FG_TARGETS_IN_FLIGHT, /* to a target; to a service with max-in-flight */
	FG_TARGETS_WAITING,   /* for a place at a service */
	FG_TARGETS_TO_ALL,    /* targets of a service, in flight */
	FG_TARGETS_BLOCKS,
};

/* Rows begin on a cache line of their own, so that workers do not write to one another's. */
static inline size_t
fg_targets_row_bytes(size_t max)
{
	return (FG_TARGETS_BLOCKS * max * sizeof(uint16_t) + 63) / 64 * 64;
}

/* ---- targets_room.c */

void fg_targets_lock_init(struct fg_targets_shared *shared);
/* False: somebody holds it who is not running. */
FG_MUST_CHECK bool fg_targets_lock(struct fg_targets *targets);
void fg_targets_unlock(struct fg_targets *targets);
/* Under the lock: gives back the records that no configuration uses, also not the one of that generation. */
void fg_targets_free_unused(struct fg_targets *targets, uint64_t generation);

/* ---- targets_places.c */

_Atomic uint16_t *fg_targets_row(const struct fg_targets *targets, unsigned slot);
/* Of record number n in the whole pool: in flight; waiting for a place. */
unsigned fg_targets_count_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n);
unsigned fg_targets_count_waiting(const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n);

#endif
