/*
 * The memory that counters lie in: its size, what it begins with, and who may see it. What is in it is stats.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "stats/stats.h"
#include "stats/stats_layout.h"

enum { ROOM_FOR_RELOADS = 64 };

enum { STRIDE = sizeof(((struct fg_stats_shared *)0)->series[0]) };

_Static_assert(offsetof(struct fg_stats_series, taken) == offsetof(struct fg_name_head, taken) &&
	(int)FG_STATS_NAME_BYTES == (int)FG_NAME_BYTES, "a series begins as a record of a table of names");

static size_t
total_size(size_t series_max)
{
	return offsetof(struct fg_stats_shared, series) + fg_name_table_bytes(STRIDE, series_max);
}

/* How many series a memory of that size was made for. */
static size_t
series_within(size_t size)
{
	size_t before = offsetof(struct fg_stats_shared, series);

	return size < before ? 0 : fg_name_table_within(STRIDE, size - before);
}

static void
init_memory(void *p, size_t size)
{
	static const char *const fixed[FG_SERIES_FIXED] = {
	    [FG_SERIES_ROUTE_OTHER] = "route:_other",
	    [FG_SERIES_SERVICE_OTHER] = "service:_other",
	    [FG_SERIES_ROUTE_NONE] = "route:_none",
	    [FG_SERIES_ROUTE_ADMIN] = "route:_admin",
	};
	struct fg_stats_shared *shared = p;

	shared->series_max = (uint32_t)series_within(size);
	for (unsigned i = 0; i < FG_SERIES_FIXED; i++) {
		struct fg_stats_series *series = &shared->series[i].series;

		snprintf(series->name, sizeof(series->name), "%s", fixed[i]);
		atomic_store(&series->taken, 1);
	}
	atomic_store(&shared->series_count, FG_SERIES_FIXED);
}

static bool
check_memory(const void *p, size_t size)
{
	const struct fg_stats_shared *shared = p;

	return size >= sizeof(*shared) && shared->series_max > 0 && size == total_size(shared->series_max);
}

static const struct fg_shared_kind kind = {
    .name = "stats",
    /* The highest bit: what a worker's `birth` means. */
    .layout = (UINT64_C(1) << 63) ^ sizeof(struct fg_stats_shared) ^ ((uint64_t)sizeof(struct fg_stats_series) << 20) ^
	((uint64_t)FG_ERR_COUNT << 32) ^ ((uint64_t)FG_COUNT_MAX << 40) ^ ((uint64_t)FG_FAMILIES << 56) ^ ((uint64_t)FG_STATS_BUCKETS << 48),
    .init = init_memory,
    .check = check_memory,
};

static size_t
size_for(size_t capacity)
{
	return total_size(2 * capacity + ROOM_FOR_RELOADS);
}

static enum fg_err
stats_new(struct fg_stats **out, const struct fg_shared *memory, enum fg_err err)
{
	struct fg_stats *stats;

	if (err != FG_OK)
		return err;
	stats = calloc(1, sizeof(*stats));
	FG_ASSERT(stats != NULL);
	stats->memory = *memory;
	stats->shared = memory->p;
	stats->table = (struct fg_name_table){&stats->shared->series_count, (char *)stats->shared->series, STRIDE,
	    stats->shared->series_max};
	*out = stats;
	return FG_OK;
}

enum fg_err
fg_stats_create(struct fg_stats **out, const char *path, size_t capacity)
{
	struct fg_shared memory;
	enum fg_err err = fg_shared_create(&memory, path, &kind, size_for(capacity));

	return stats_new(out, &memory, err);
}

enum fg_err
fg_stats_join(struct fg_stats **out, const char *path, size_t capacity)
{
	struct fg_shared memory;
	enum fg_err err = fg_shared_join(&memory, path, &kind, size_for(capacity));

	return stats_new(out, &memory, err);
}

enum fg_err
fg_stats_open(struct fg_stats **out, const char *path)
{
	struct fg_shared memory;
	enum fg_err err = fg_shared_open(&memory, path, &kind);

	return stats_new(out, &memory, err);
}

void
fg_stats_close(struct fg_stats *stats, bool unlink_file)
{
	if (stats == NULL)
		return;
	fg_shared_close(&stats->memory, unlink_file);
	free(stats);
}
