/* Reads the shared counters while workers write to them, for the formats. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "stats/stats.h"
#include "stats/stats_layout.h"

const char *const fg_stats_class_names[6] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
const char *const fg_stats_state_names[FG_STATS_STATES] = {"free", "starting", "running", "draining"};

bool
fg_stats_has_live_worker(const struct fg_stats *stats)
{
	for (unsigned slot = 0; slot < FG_STATS_MAX_WORKERS; slot++) {
		pid_t pid = atomic_load(&fg_stats_worker_read(stats, slot)->pid);

		if (pid > 0 && (kill(pid, 0) == 0 || errno == EPERM))
			return true;
	}
	return false;
}

bool
fg_stats_snapshot_take(struct fg_stats_snapshot *snap, const struct fg_stats *stats, uint32_t number, struct fg_str kind)
{
	const struct fg_stats_series *series = &stats->shared->series[number].series;
	struct fg_str name;

	if (atomic_load_explicit(&series->taken, memory_order_acquire) == 0)
		return false;
	name = (struct fg_str){series->name, strnlen(series->name, FG_STATS_NAME_BYTES)};
	if (!fg_str_starts_with(name, kind))
		return false;
	*snap = (struct fg_stats_snapshot){.name = fg_str_slice(name, kind.len, name.len)};
	for (unsigned i = 0; i < FG_ARRAY_LEN(snap->by_class); i++)
		snap->by_class[i] = fg_stats_load(&series->by_class[i]);
	for (unsigned i = 0; i < FG_STATS_BUCKETS; i++)
		snap->requests += snap->bucket[i] = fg_stats_load(&series->bucket[i]);
	snap->micros = fg_stats_load(&series->micros);
	snap->bytes_in = fg_stats_load(&series->bytes_in);
	snap->bytes_out = fg_stats_load(&series->bytes_out);
	return snap->requests > 0;
}

struct fg_stats_sums
fg_stats_sum(const struct fg_stats *stats)
{
	struct fg_stats_sums sums = {0};

	for (unsigned slot = 0; slot < FG_STATS_MAX_WORKERS; slot++) {
		const struct fg_stats_worker *worker = fg_stats_worker_read(stats, slot);
		uint32_t state = atomic_load(&worker->state);

		sums.by_state[state < FG_STATS_STATES ? state : FG_WORKER_FREE]++;
		sums.in_flight += fg_stats_load(&worker->in_flight);
		sums.connections += fg_stats_load(&worker->connections);
	}
	return sums;
}

void
fg_stats_add_seconds(struct fg_buf *out, uint64_t micros)
{
	fg_buf_printf(out, "%llu.%06llu", (unsigned long long)(micros / FG_US_PER_S),
	    (unsigned long long)(micros % FG_US_PER_S));
}
