/*
 * The memory that the workers of a pool share: the counters, what is known of targets, and what each filter that asks for some
 * keeps there. Files
 * beside the pid file; a supervisor makes them anew, processes that a web server spawns join them.
 */
#ifndef FG_CORE_POOL_MEMORY_H
#define FG_CORE_POOL_MEMORY_H

#include "base/limits.h"
#include "base/shared.h"

struct fg_config;
struct fg_stats;
struct fg_targets;

struct fg_pool_memory {
	struct fg_stats *stats;                  /* owned; NULL: none */
	struct fg_targets *targets;              /* owned; NULL: none */
	struct fg_shared filters[FG_MAX_FILTERS]; /* owned; in the order of fg_filter_types; p NULL: none */
};

/* stem: the files are STEM.stats and so on; NULL: memory of this process and its children alone. FG_ERR_SYSTEM with errno
   set; nothing is held then. */
enum fg_err fg_pool_memory_create(struct fg_pool_memory *memory, const char *stem, const struct fg_config *config)
    FG_MUST_CHECK;
enum fg_err fg_pool_memory_join(struct fg_pool_memory *memory, const char *stem, const struct fg_config *config)
    FG_MUST_CHECK;
/* Points what the configuration has to its place there: counters, targets. generation: of the configuration. */
void fg_pool_memory_attach(const struct fg_pool_memory *memory, struct fg_config *config, uint64_t generation);
/* To look at what is there of a pool that may have ended; each of them may be missing. */
void fg_pool_memory_open(struct fg_pool_memory *memory, const char *stem);
void fg_pool_memory_close(struct fg_pool_memory *memory, bool unlink_files);

#endif
