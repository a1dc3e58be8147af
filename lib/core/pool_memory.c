/* The memory that the workers of a pool share: a file for the counters, one for targets, one for each filter that asks. */
#include "core/pool_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/config.h"
#include "core/counts.h"
#include "core/filter.h"
#include "service/targets.h"
#include "stats/stats.h"

/* Malloc'd; NULL without a stem. */
static char *
file_name(const char *stem, const char *ending)
{
	char *path = NULL;

	if (stem != NULL)
		FG_ASSERT(asprintf(&path, "%s.%s", stem, ending) >= 0);
	return path;
}

static enum fg_err
get_stats(struct fg_pool_memory *memory, const char *stem, const struct fg_config *config, bool join)
{
	size_t capacity = config->route_count + config->service_count;
	char *path = file_name(stem, "stats");
	enum fg_err err;

	err = join ? fg_stats_join(&memory->stats, path, capacity) : fg_stats_create(&memory->stats, path, capacity);
	free(path);
	return err;
}

static enum fg_err
get_targets(struct fg_pool_memory *memory, const char *stem, const struct fg_config *config, bool join)
{
	size_t count = fg_targets_needed(config->services, config->service_count);
	char *path = file_name(stem, "targets");
	enum fg_err err;

	err = join ? fg_targets_join(&memory->targets, path, count) : fg_targets_create(&memory->targets, path, count);
	free(path);
	return err;
}

static enum fg_err
get_filter(struct fg_pool_memory *memory, size_t number, const char *stem, const struct fg_config *config, bool join)
{
	const struct fg_filter_type *type = fg_filter_types[number];
	struct fg_shared *shared = &memory->filters[number];
	enum fg_err err;
	char *path;

	if (type->shared == NULL)
		return FG_OK;
	path = file_name(stem, type->shared->name);
	err = join ? fg_shared_join(shared, path, type->shared, type->shared_size(config))
		   : fg_shared_create(shared, path, type->shared, type->shared_size(config));
	free(path);
	return err;
}

static enum fg_err
get_all(struct fg_pool_memory *memory, const char *stem, const struct fg_config *config, bool join)
{
	enum fg_err err;
	int saved;

	*memory = (struct fg_pool_memory){.stats = NULL};
	err = get_stats(memory, stem, config, join);
	if (err == FG_OK)
		err = get_targets(memory, stem, config, join);
	for (size_t i = 0; err == FG_OK && fg_filter_types[i] != NULL; i++)
		err = get_filter(memory, i, stem, config, join);
	if (err == FG_OK) {
		fg_targets_know_workers(memory->targets, memory->stats);
		return FG_OK;
	}
	saved = errno;
	fg_pool_memory_close(memory, !join);
	errno = saved;
	return err;
}

enum fg_err
fg_pool_memory_create(struct fg_pool_memory *memory, const char *stem, const struct fg_config *config)
{
	return get_all(memory, stem, config, false);
}

enum fg_err
fg_pool_memory_join(struct fg_pool_memory *memory, const char *stem, const struct fg_config *config)
{
	return get_all(memory, stem, config, true);
}

void
fg_pool_memory_attach(const struct fg_pool_memory *memory, struct fg_config *config, uint64_t generation)
{
	fg_counts_attach(memory->stats, config);
	fg_targets_attach(memory->targets, config->services, config->service_count, generation);
}

void
fg_pool_memory_open(struct fg_pool_memory *memory, const char *stem)
{
	char *path = file_name(stem, "stats");

	*memory = (struct fg_pool_memory){.stats = NULL};
	if (fg_stats_open(&memory->stats, path) != FG_OK)
		memory->stats = NULL;
	free(path);
	path = file_name(stem, "targets");
	if (fg_targets_open(&memory->targets, path) != FG_OK)
		memory->targets = NULL;
	free(path);
	for (size_t i = 0; fg_filter_types[i] != NULL; i++) {
		if (fg_filter_types[i]->shared == NULL)
			continue;
		path = file_name(stem, fg_filter_types[i]->shared->name);
		(void)!fg_shared_open(&memory->filters[i], path, fg_filter_types[i]->shared);
		free(path);
	}
}

void
fg_pool_memory_close(struct fg_pool_memory *memory, bool unlink_files)
{
	for (size_t i = 0; i < FG_MAX_FILTERS; i++)
		fg_shared_close(&memory->filters[i], unlink_files);
	fg_targets_close(memory->targets, unlink_files);
	memory->targets = NULL;
	fg_stats_close(memory->stats, unlink_files);
	memory->stats = NULL;
}
