/* The shared records of services and targets, and counts of what is in flight. */
#include "core/targets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/config.h"
#include "core/service.h"
#include "core/targets_layout.h"

enum { STRIDE = sizeof(((struct fg_targets_shared *)0)->states[0]), ROOM_FOR_RELOADS = 64, NUMBER_NONE = -1 };

/* ---- its memory */

/* Which start of the system this is; 0: nobody knows. Files may outlive it, moments of the monotonic clock do not. */
static uint64_t
ask_boot(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return len <= 0 ? 0 : fg_name_hash((struct fg_str){text, (size_t)len});
}

/* Rows begin on a cache line of their own, so that workers do not write to one another's. */
static size_t
row_bytes(size_t max)
{
	return (max * sizeof(uint16_t) + 63) / 64 * 64;
}

static size_t
rows_offset(size_t max)
{
	return (offsetof(struct fg_targets_shared, states) + fg_name_table_bytes(STRIDE, max) + 63) / 64 * 64;
}

static size_t
total_size(size_t max)
{
	return rows_offset(max) + FG_STATS_MAX_WORKERS * row_bytes(max);
}

static size_t
max_within(size_t size)
{
	size_t max = size / (STRIDE + FG_STATS_MAX_WORKERS * sizeof(uint16_t));

	while (max > 0 && total_size(max) > size)
		max--;
	return max;
}

static void
init_memory(void *p, size_t size)
{
	struct fg_targets_shared *shared = p;

	shared->boot = ask_boot();
	shared->max = (uint32_t)max_within(size);
}

static bool
check_memory(const void *p, size_t size)
{
	const struct fg_targets_shared *shared = p;

	return size >= sizeof(*shared) && shared->max > 0 && size == total_size(shared->max) && shared->boot == ask_boot();
}

static const struct fg_shared_kind kind = {
    .name = "targets",
    .layout = sizeof(struct fg_target_state) ^ ((uint64_t)sizeof(struct fg_targets_shared) << 20) ^
	((uint64_t)FG_STATS_MAX_WORKERS << 40),
    .init = init_memory,
    .check = check_memory,
};

static size_t
size_for(size_t count)
{
	size_t max = 2 * count + ROOM_FOR_RELOADS;

	return total_size(max < FG_MAX_SHARED_TARGETS ? max : FG_MAX_SHARED_TARGETS);
}

static enum fg_err
targets_new(struct fg_targets **out, const struct fg_shared *memory, enum fg_err err)
{
	struct fg_targets *targets;

	if (err != FG_OK)
		return err;
	targets = calloc(1, sizeof(*targets));
	FG_ASSERT(targets != NULL);
	targets->memory = *memory;
	targets->shared = memory->p;
	targets->table = (struct fg_name_table){&targets->shared->count, (char *)targets->shared->states, STRIDE,
	    targets->shared->max};
	targets->rows = (_Atomic uint16_t *)(void *)((char *)memory->p + rows_offset(targets->shared->max));
	*out = targets;
	return FG_OK;
}

enum fg_err
fg_targets_create(struct fg_targets **out, const char *path, size_t count)
{
	struct fg_shared memory;
	enum fg_err err = fg_shared_create(&memory, path, &kind, size_for(count));

	return targets_new(out, &memory, err);
}

enum fg_err
fg_targets_join(struct fg_targets **out, const char *path, size_t count)
{
	struct fg_shared memory;
	enum fg_err err = fg_shared_join(&memory, path, &kind, size_for(count));

	return targets_new(out, &memory, err);
}

enum fg_err
fg_targets_open(struct fg_targets **out, const char *path)
{
	struct fg_shared memory;
	enum fg_err err = fg_shared_open(&memory, path, &kind);

	return targets_new(out, &memory, err);
}

void
fg_targets_close(struct fg_targets *targets, bool unlink_file)
{
	if (targets == NULL)
		return;
	fg_shared_close(&targets->memory, unlink_file);
	free(targets);
}

/* ---- records */

size_t
fg_targets_needed(const struct fg_config *config)
{
	size_t count = config->service_count;

	for (size_t i = 0; i < config->service_count; i++)
		count += config->services[i]->target_count;
	return count;
}

/* url empty: of the service as a whole. Names of services have no space in them. */
static void
format_name(char out[FG_NAME_BYTES], struct fg_str service, struct fg_str url)
{
	char kind_text[FG_NAME_BYTES];

	/* A service's name has 64 bytes at most; where it is longer nevertheless, the whole ends in a hash. */
	snprintf(kind_text, sizeof(kind_text), FG_STR_FMT "%s", FG_STR_ARG(fg_str_slice(service, 0, 80)), url.len > 0 ? " " : "");
	fg_name_join(out, kind_text, url);
}

static uint32_t
attach(struct fg_targets *targets, struct fg_str service, struct fg_str url, uint64_t generation,
    struct fg_target_state **state)
{
	char name[FG_NAME_BYTES];
	uint32_t number;

	format_name(name, service, url);
	number = fg_name_table_find(&targets->table, name);
	if (number == FG_NAME_NONE)
		return number;
	*state = &targets->shared->states[number].state;
	atomic_store(&(*state)->generation, generation);
	return number;
}

static void
attach_service(struct fg_targets *targets, struct fg_service *service, uint64_t generation)
{
	uint32_t own = attach(targets, service->name, FG_STR_NONE, generation, &service->state);

	service->number = own == FG_NAME_NONE ? NUMBER_NONE : (int32_t)own;
	atomic_store(&service->state->has_breaker, service->service_breaker != NULL);
	for (size_t i = 0; i < service->target_count; i++) {
		struct fg_target *target = &service->targets[i];
		uint32_t number = attach(targets, service->name, target->url, generation, &target->state);

		target->number = number == FG_NAME_NONE ? NUMBER_NONE : (int32_t)number;
		atomic_store(&target->state->has_breaker, service->breaker != NULL);
		atomic_store(&target->state->is_probed, service->health != NULL);
	}
}

void
fg_targets_attach(struct fg_targets *targets, struct fg_config *config, uint64_t generation)
{
	for (size_t i = 0; i < config->service_count; i++)
		attach_service(targets, config->services[i], generation);
}

struct fg_target_state *
fg_targets_look(struct fg_targets *targets, struct fg_str service, struct fg_str url)
{
	char name[FG_NAME_BYTES];
	uint32_t number;

	format_name(name, service, url);
	number = fg_name_table_look(&targets->table, name);
	return number == FG_NAME_NONE ? NULL : &targets->shared->states[number].state;
}

/* ---- what is in flight */

static _Atomic uint16_t *
row_of(const struct fg_targets *targets, unsigned slot)
{
	FG_ASSERT(slot < FG_STATS_MAX_WORKERS);
	return targets->rows + slot * row_bytes(targets->shared->max) / sizeof(uint16_t);
}

void
fg_targets_start_worker(struct fg_targets *targets, unsigned slot)
{
	uint32_t slots = atomic_load(&targets->shared->slots);

	/* The last slot is shared by those that found none: what stands there is not the newcomer's. */
	for (uint32_t n = 0; slot < FG_STATS_MAX_WORKERS - 1 && n < fg_name_table_count(&targets->table); n++)
		atomic_store_explicit(&row_of(targets, slot)[n], 0, memory_order_relaxed);
	while (slots < slot + 1 && !atomic_compare_exchange_weak(&targets->shared->slots, &slots, slot + 1))
		;
}

void
fg_targets_enter(struct fg_targets *targets, unsigned slot, const struct fg_target *target)
{
	if (targets != NULL && target->number != NUMBER_NONE)
		atomic_fetch_add_explicit(&row_of(targets, slot)[target->number], 1, memory_order_relaxed);
}

void
fg_targets_leave(struct fg_targets *targets, unsigned slot, const struct fg_target *target)
{
	if (targets != NULL && target->number != NUMBER_NONE)
		atomic_fetch_sub_explicit(&row_of(targets, slot)[target->number], 1, memory_order_relaxed);
}

unsigned
fg_targets_count_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n)
{
	uint32_t slots = atomic_load_explicit(&targets->shared->slots, memory_order_relaxed);
	unsigned sum = 0;

	for (unsigned slot = 0; slot < slots; slot++)
		if (atomic_load_explicit(&fg_stats_worker_read(stats, slot)->state, memory_order_relaxed) != FG_WORKER_FREE)
			sum += atomic_load_explicit(&row_of(targets, slot)[n], memory_order_relaxed);
	return sum;
}

unsigned
fg_targets_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_target *target)
{
	if (targets == NULL || stats == NULL || target->number == NUMBER_NONE)
		return 0;
	return fg_targets_count_in_flight(targets, stats, (uint32_t)target->number);
}

bool
fg_targets_is_shared(const struct fg_targets *targets, const struct fg_service *service)
{
	return targets != NULL && service->number != NUMBER_NONE;
}

bool
fg_targets_admit(struct fg_targets *targets, const struct fg_stats *stats, unsigned slot, const struct fg_service *service,
    unsigned most)
{
	_Atomic uint16_t *mine = &row_of(targets, slot)[service->number];

	atomic_fetch_add(mine, 1);
	/* Of two workers that do this at once, one at least sees the other's. */
	atomic_thread_fence(memory_order_seq_cst);
	if (fg_targets_count_in_flight(targets, stats, (uint32_t)service->number) <= most)
		return true;
	atomic_fetch_sub(mine, 1);
	return false;
}

void
fg_targets_dismiss(struct fg_targets *targets, unsigned slot, const struct fg_service *service)
{
	atomic_fetch_sub(&row_of(targets, slot)[service->number], 1);
}
