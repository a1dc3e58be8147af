/*
 * Giving shared records back that nobody uses any more. Who points a configuration to its records holds the lock; workers,
 * which only go where that pointed, do not. A record tells the last configuration that has it. Whose configuration is older
 * than that may use it too: so it is given back only when all that live are younger, a worker's from before it is pointed to
 * its records until its process is gone.
 */
#include <errno.h>
#include <time.h>

#include "service/targets_layout.h"

/* Held for microseconds, unless its holder does not run. */
enum { LOCK_SECONDS = 2 };

void
fg_targets_lock_init(struct fg_targets_shared *shared)
{
	pthread_mutexattr_t attributes;

	FG_ASSERT(pthread_mutexattr_init(&attributes) == 0);
	FG_ASSERT(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
	FG_ASSERT(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
	FG_ASSERT(pthread_mutex_init(&shared->lock, &attributes) == 0);
	pthread_mutexattr_destroy(&attributes);
}

bool
fg_targets_lock(struct fg_targets *targets)
{
	struct timespec until;
	int status;

	FG_ASSERT(clock_gettime(CLOCK_REALTIME, &until) == 0);
	until.tv_sec += LOCK_SECONDS;
	status = pthread_mutex_timedlock(&targets->shared->lock, &until);
	/* Its holder died. Each of its steps left the table whole: at most a record that no name leads to, which nobody uses. */
	if (status == EOWNERDEAD)
		status = pthread_mutex_consistent(&targets->shared->lock);
	return status == 0;
}

void
fg_targets_unlock(struct fg_targets *targets)
{
	pthread_mutex_unlock(&targets->shared->lock);
}

void
fg_targets_know_workers(struct fg_targets *targets, const struct fg_stats *stats)
{
	targets->stats = stats;
}

static uint64_t
oldest_in_use(const struct fg_targets *targets, uint64_t generation)
{
	struct fg_stats_pool pool;

	fg_stats_get_pool(targets->stats, &pool);
	if (pool.pid != 0 && pool.generation < generation)
		generation = pool.generation;
	/* Of one that has only just taken its slot nothing is known, so it stands for all. */
	for (unsigned slot = 0; slot < FG_STATS_MAX_WORKERS; slot++) {
		const struct fg_stats_worker *worker = fg_stats_worker_read(targets->stats, slot);
		uint64_t its = atomic_load(&worker->generation);

		if (atomic_load(&worker->state) != FG_WORKER_FREE && its < generation)
			generation = its;
	}
	return generation;
}

void
fg_targets_free_unused(struct fg_targets *targets, uint64_t generation)
{
	uint64_t oldest;

	if (targets->stats == NULL)
		return;
	oldest = oldest_in_use(targets, generation);
	for (uint32_t n = 0; n < fg_name_table_count(&targets->table); n++)
		if (fg_name_table_at(&targets->table, n) != NULL &&
		    atomic_load(&targets->shared->states[n].state.generation) < oldest)
			fg_name_table_drop(&targets->table, n);
}
