/*
 * Counters in shared memory: the series by name, and counting itself. The memory is stats_file.c; what it looks like to
 * people and programs is stats_prometheus.c and stats_report.c.
 */
#include "stats/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/process.h"
#include "stats/stats_layout.h"

_Static_assert(2 * FG_MAX_WORKERS < FG_STATS_MAX_WORKERS, "a reload needs slots for twice the workers");

static const fg_usec bounds[FG_STATS_BUCKETS - 1] = FG_STATS_BOUNDS;

/* ---- series by name */

static struct fg_stats_series *
series_find(struct fg_stats *stats, const char *kind, struct fg_str name, unsigned other)
{
	char full[FG_NAME_BYTES];
	uint32_t number;

	fg_name_join(full, kind, name);
	number = fg_name_table_find(&stats->table, full);
	return &stats->shared->series[number == FG_NAME_NONE ? other : number].series;
}

struct fg_stats_series *
fg_stats_route(struct fg_stats *stats, struct fg_str name)
{
	return series_find(stats, "route:", name, FG_SERIES_ROUTE_OTHER);
}

struct fg_stats_series *
fg_stats_service(struct fg_stats *stats, struct fg_str name)
{
	return series_find(stats, "service:", name, FG_SERIES_SERVICE_OTHER);
}

struct fg_stats_series *
fg_stats_route_none(struct fg_stats *stats)
{
	return &stats->shared->series[FG_SERIES_ROUTE_NONE].series;
}

struct fg_stats_series *
fg_stats_route_admin(struct fg_stats *stats)
{
	return &stats->shared->series[FG_SERIES_ROUTE_ADMIN].series;
}

/* ---- counting */

static void
add(_Atomic uint64_t *number, uint64_t n)
{
	atomic_fetch_add_explicit(number, n, memory_order_relaxed);
}

void
fg_stats_count(struct fg_stats_series *series, unsigned class, fg_usec micros, uint64_t bytes_in, uint64_t bytes_out)
{
	unsigned bucket = 0;

	while (bucket < FG_STATS_BUCKETS - 1 && micros > bounds[bucket])
		bucket++;
	add(&series->by_class[class], 1);
	add(&series->bucket[bucket], 1);
	add(&series->micros, micros > 0 ? (uint64_t)micros : 0);
	if (bytes_in > 0)
		add(&series->bytes_in, bytes_in);
	if (bytes_out > 0)
		add(&series->bytes_out, bytes_out);
}

void
fg_stats_count_reason(struct fg_stats *stats, enum fg_err reason)
{
	FG_ASSERT((unsigned)reason < FG_ERR_COUNT);
	add(&stats->shared->reasons[reason], 1);
}

void
fg_stats_add(struct fg_stats *stats, enum fg_stats_counter counter, uint64_t n)
{
	FG_ASSERT((unsigned)counter < FG_COUNT_MAX);
	add(&stats->shared->counters[counter], n);
}

void
fg_stats_set(struct fg_stats *stats, enum fg_stats_counter counter, uint64_t n)
{
	FG_ASSERT((unsigned)counter < FG_COUNT_MAX);
	atomic_store_explicit(&stats->shared->counters[counter], n, memory_order_relaxed);
}

uint64_t
fg_stats_get(const struct fg_stats *stats, enum fg_stats_counter counter)
{
	FG_ASSERT((unsigned)counter < FG_COUNT_MAX);
	return fg_stats_load(&stats->shared->counters[counter]);
}

uint64_t
fg_stats_get_reason(const struct fg_stats *stats, enum fg_err reason)
{
	FG_ASSERT((unsigned)reason < FG_ERR_COUNT);
	return fg_stats_load(&stats->shared->reasons[reason]);
}

/* ---- workers and the pool */

/* Of fg_stats_worker.birth: the pid is in the low bits (Linux has none above 2^22). */
enum { PID_BITS = 24 };

static uint64_t
birth_of(pid_t pid)
{
	uint64_t born = fg_process_born(pid);

	return born == 0 ? 0 : born << PID_BITS | (uint64_t)pid;
}

/* Of another process, which has had the slot meanwhile: not known. */
static uint64_t
born_of(const struct fg_stats_worker *worker, pid_t pid)
{
	uint64_t birth = atomic_load(&worker->birth);

	return (birth & ((1u << PID_BITS) - 1)) == (uint64_t)pid ? birth >> PID_BITS : 0;
}

/* All but who it is. */
static void
worker_clear(struct fg_stats_worker *worker)
{
	atomic_store(&worker->generation, 0);
	atomic_store(&worker->started, 0);
	atomic_store(&worker->exchanges, 0);
	atomic_store(&worker->in_flight, 0);
	atomic_store(&worker->connections, 0);
	atomic_store(&worker->birth, 0);
	atomic_store(&worker->is_spawned, 0);
}

/*
 * Whose pid stands in it, or with a minus who buries the one that it was, has the slot to itself, until it writes 0: so of one
 * that is killed at any point it is seen that it is no more.
 */
static bool
slot_take(struct fg_stats_worker *worker)
{
	int32_t nobody = 0;

	if (!atomic_compare_exchange_strong(&worker->pid, &nobody, getpid()))
		return false;
	worker_clear(worker);
	atomic_store(&worker->state, FG_WORKER_STARTING);
	return true;
}

unsigned
fg_stats_worker_slot(struct fg_stats *stats)
{
	struct fg_stats_death death = {0};

	while (fg_stats_free_dead(stats, &death))
		;
	for (unsigned slot = 0; slot < FG_STATS_MAX_WORKERS - 1; slot++)
		if (slot_take(fg_stats_worker(stats, slot)))
			return slot;
	return FG_STATS_MAX_WORKERS - 1;
}

static bool
has_supervisor(const struct fg_stats *stats)
{
	pid_t pid = atomic_load(&stats->shared->pid);

	return pid != 0 && !fg_process_is_gone(pid, 0);
}

/* Where a pool runs its numbers are those that count. */
static uint64_t
number_for_spawned(struct fg_stats *stats)
{
	return has_supervisor(stats) ? fg_stats_generation(stats) : atomic_fetch_add(&stats->shared->spawned, 1) + 1;
}

unsigned
fg_stats_worker_enrol(struct fg_stats *stats, fg_usec wall)
{
	unsigned slot = fg_stats_worker_slot(stats);
	struct fg_stats_worker *worker = fg_stats_worker(stats, slot);

	atomic_store(&worker->pid, (int32_t)getpid());
	atomic_store(&worker->birth, birth_of(getpid()));
	atomic_store(&worker->is_spawned, 1);
	atomic_store(&worker->started, wall);
	/* Several that share the last slot have any: 0 is older than all. */
	if (slot < FG_STATS_MAX_WORKERS - 1)
		atomic_store(&worker->generation, number_for_spawned(stats));
	else
		atomic_store(&worker->state, FG_WORKER_STARTING);
	return slot;
}

/*
 * A supervisor sees the end of its own workers; those of one that is gone too are nobody's. True stays true: of a process that
 * has given the slot back and taken it again meanwhile nothing is said by what another has left there in between.
 */
static bool
is_dead(const struct fg_stats *stats, const struct fg_stats_worker *worker, pid_t pid)
{
	if (pid < 0)
		return fg_process_is_gone(-pid, 0);
	if (atomic_load(&worker->is_spawned) == 0 && has_supervisor(stats))
		return false;
	return fg_process_is_gone(pid, born_of(worker, pid));
}

bool
fg_stats_free_dead(struct fg_stats *stats, struct fg_stats_death *death)
{
	while (death->next < FG_STATS_MAX_WORKERS - 1) {
		struct fg_stats_worker *worker = fg_stats_worker(stats, death->next++);
		int32_t pid = atomic_load(&worker->pid);

		if (pid == 0 || !is_dead(stats, worker, pid) || !atomic_compare_exchange_strong(&worker->pid, &pid, -getpid()))
			continue;
		if (atomic_load(&worker->state) == FG_WORKER_FREE) {
			/* It had not begun, or was giving the slot back. */
			atomic_store(&worker->pid, 0);
			continue;
		}
		death->pid = abs(pid);
		death->in_flight = atomic_load(&worker->in_flight);
		death->connections = atomic_load(&worker->connections);
		fg_stats_add(stats, FG_COUNT_WORKER_DEATHS, 1);
		fg_stats_add(stats, FG_COUNT_EXCHANGES_LOST, death->in_flight);
		fg_stats_worker_free(stats, death->next - 1);
		return true;
	}
	return false;
}

bool
fg_stats_may_look_for_dead(struct fg_stats *stats, fg_usec now, fg_usec every)
{
	int64_t looked = atomic_load_explicit(&stats->shared->looked, memory_order_relaxed);

	/* A moment to come is of a start of the system before this one. */
	return (now - looked >= every || now < looked) && atomic_compare_exchange_strong(&stats->shared->looked, &looked, now);
}

void
fg_stats_worker_free(struct fg_stats *stats, unsigned slot)
{
	struct fg_stats_worker *worker = fg_stats_worker(stats, slot);

	if (slot == FG_STATS_MAX_WORKERS - 1)
		return;
	worker_clear(worker);
	atomic_store(&worker->state, FG_WORKER_FREE);
	atomic_store(&worker->pid, 0);
}

struct fg_stats_worker *
fg_stats_worker(struct fg_stats *stats, unsigned slot)
{
	FG_ASSERT(slot < FG_STATS_MAX_WORKERS);
	return &stats->shared->workers[slot].worker;
}

const struct fg_stats_worker *
fg_stats_worker_read(const struct fg_stats *stats, unsigned slot)
{
	FG_ASSERT(slot < FG_STATS_MAX_WORKERS);
	return &stats->shared->workers[slot].worker;
}

void
fg_stats_set_pool(struct fg_stats *stats, pid_t pid, uint64_t generation, fg_usec wall)
{
	atomic_store(&stats->shared->pid, (int32_t)pid);
	atomic_store(generation > 1 ? &stats->shared->reloaded : &stats->shared->started, wall);
	if (generation > 1)
		fg_stats_add(stats, FG_COUNT_RELOADS, 1);
	/* Last: whoever waits for the generation then sees the rest too. */
	atomic_store(&stats->shared->generation, generation);
}

void
fg_stats_set_refused(struct fg_stats *stats, fg_usec wall)
{
	atomic_store(&stats->shared->refused, wall);
	fg_stats_add(stats, FG_COUNT_RELOADS_REFUSED, 1);
}

void
fg_stats_set_leaving(struct fg_stats *stats, fg_usec wall)
{
	atomic_store(&stats->shared->leaving, wall);
}

bool
fg_stats_is_leaving(const struct fg_stats *stats)
{
	return atomic_load_explicit(&stats->shared->leaving, memory_order_relaxed) != 0;
}

void
fg_stats_get_pool(const struct fg_stats *stats, struct fg_stats_pool *pool)
{
	*pool = (struct fg_stats_pool){
	    .pid = atomic_load(&stats->shared->pid),
	    .generation = atomic_load(&stats->shared->generation),
	    .started = atomic_load(&stats->shared->started),
	    .reloaded = atomic_load(&stats->shared->reloaded),
	    .refused = atomic_load(&stats->shared->refused),
	    .leaving = atomic_load(&stats->shared->leaving),
	};
}

uint64_t
fg_stats_generation(const struct fg_stats *stats)
{
	return atomic_load(&stats->shared->generation);
}
