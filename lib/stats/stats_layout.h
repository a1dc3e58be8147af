/*
 * How the counters lie in shared memory: between stats.c, which writes it, and those that read it, stats_read.c,
 * stats_prometheus.c and stats_report.c. Nobody else includes this. Everything that changes while somebody else looks on is
 * an atomic; no reader needs a lock.
 */
#ifndef FG_STATS_STATS_LAYOUT_H
#define FG_STATS_STATS_LAYOUT_H

#include <stdalign.h>

#include "base/limits.h"
#include "base/name_table.h"
#include "base/shared.h"
#include "stats/stats.h"

/* Series that always are there, in this order. */
enum { FG_SERIES_ROUTE_OTHER, FG_SERIES_SERVICE_OTHER, FG_SERIES_ROUTE_NONE, FG_SERIES_ROUTE_ADMIN, FG_SERIES_FIXED };

/* A number of a policy. It never changes its place once it is taken. */
struct fg_stats_cell {
	_Atomic uint32_t taken;  /* 0: free; 1: being named; 2: in use */
	uint32_t family;
	_Atomic uint64_t value;
	char policy[FG_STATS_NAME_BYTES], label[FG_STATS_LABEL_BYTES]; /* NUL-terminated */
};

struct fg_stats_shared {
	uint32_t series_max; /* fixed from here on */

	_Atomic int32_t pid;
	_Atomic uint32_t series_count; /* handed out (base/name_table.h) */
	_Atomic uint64_t generation;
	_Atomic int64_t started, reloaded, refused, leaving;
	_Atomic int64_t looked; /* for workers that are no more; monotonic */
	_Atomic uint64_t spawned; /* processes that a web server has started */

	alignas(64) _Atomic uint64_t counters[FG_COUNT_MAX];
	alignas(64) _Atomic uint64_t reasons[FG_ERR_COUNT];
	struct {
		alignas(64) struct fg_stats_cell cell;
	} cells[FG_MAX_STATS_CELLS + FG_FAMILIES]; /* a hash table, then one a family for what finds no place */
	struct {
		alignas(64) struct fg_stats_worker worker; /* a cache line of its own */
	} workers[FG_STATS_MAX_WORKERS];
	/* A table of names: series[series_max], and its index. */
	struct {
		alignas(64) struct fg_stats_series series;
	} series[];
};

struct fg_stats {
	struct fg_shared memory;        /* owned */
	struct fg_stats_shared *shared; /* within it */
	struct fg_name_table table;     /* of its series */
};

static inline uint64_t
fg_stats_load(const _Atomic uint64_t *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

/* ---- stats_cells.c */

/* The metric of each family. */
struct fg_stats_family_info {
	const char *name, *type, *label, *help; /* label: of the second one; NULL: none */
	bool is_time;                           /* a moment, shown as its age; 0: not yet, not shown */
};
extern const struct fg_stats_family_info fg_stats_families[FG_FAMILIES];

/* Cell number n (below FG_MAX_STATS_CELLS + FG_FAMILIES) when it is in use; NULL otherwise. */
const struct fg_stats_cell *fg_stats_cell_at(const struct fg_stats *stats, size_t n);

/* ---- stats_read.c */

enum { FG_STATS_STATES = FG_WORKER_DRAINING + 1 };

extern const char *const fg_stats_class_names[6];
extern const char *const fg_stats_state_names[FG_STATS_STATES];

/* One series as it was at one moment. */
struct fg_stats_snapshot {
	struct fg_str name; /* without its kind; borrowed from the shared memory */
	uint64_t by_class[6], bucket[FG_STATS_BUCKETS];
	uint64_t requests, micros, bytes_in, bytes_out;
};

/* Over all workers. */
struct fg_stats_sums {
	uint64_t by_state[FG_STATS_STATES], in_flight, connections;
};

/* kind: "route:" or "service:". False for a series of another kind, or one that nothing was counted in. */
bool fg_stats_snapshot_take(struct fg_stats_snapshot *snap, const struct fg_stats *stats, uint32_t number,
    struct fg_str kind);
struct fg_stats_sums fg_stats_sum(const struct fg_stats *stats);
/* Microseconds as seconds, exactly: a double would round a sum of years. */
void fg_stats_add_seconds(struct fg_buf *out, uint64_t micros);

/* How many series have been handed out. */
static inline uint32_t
fg_stats_series_count(const struct fg_stats *stats)
{
	return fg_name_table_count(&stats->table);
}

#endif
