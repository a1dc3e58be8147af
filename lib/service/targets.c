/* The shared records of services and targets: their memory, and whose each is. */
#include "service/targets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/service.h"
#include "service/targets_layout.h"

enum { STRIDE = sizeof(((struct fg_targets_shared *)0)->states[0]), ROOM_FOR_RELOADS = 64 };

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

static size_t
rows_offset(size_t max)
{
	return (offsetof(struct fg_targets_shared, states) + fg_name_table_bytes(STRIDE, max) + 63) / 64 * 64;
}

static size_t
total_size(size_t max)
{
	return rows_offset(max) + FG_STATS_MAX_WORKERS * fg_targets_row_bytes(max);
}

static size_t
max_within(size_t size)
{
	size_t max = size / (STRIDE + FG_STATS_MAX_WORKERS * FG_TARGETS_BLOCKS * sizeof(uint16_t));

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
	fg_targets_lock_init(shared);
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
fg_targets_needed(struct fg_service *const *services, size_t count)
{
	size_t needed = count;

	for (size_t i = 0; i < count; i++)
		needed += services[i]->target_count;
	return needed;
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

/* Who is looking for records. */
struct attaching {
	struct fg_targets *targets;
	uint64_t generation;
	bool has_cleared; /* what nobody uses has been given back */
};

static struct fg_target_state *
use(const struct attaching *attaching, uint32_t number)
{
	struct fg_target_state *state = &attaching->targets->shared->states[number].state;

	if (atomic_load(&state->generation) < attaching->generation)
		atomic_store(&state->generation, attaching->generation);
	return state;
}

/* What it has already is not to be given back for what it has not yet. */
static void
keep(const struct attaching *attaching, struct fg_str service, struct fg_str url)
{
	char name[FG_NAME_BYTES];
	uint32_t number;

	format_name(name, service, url);
	number = fg_name_table_look(&attaching->targets->table, name);
	if (number != FG_NAME_NONE)
		use(attaching, number);
}

static void
keep_all(const struct attaching *attaching, struct fg_service *const *services, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct fg_service *service = services[i];

		keep(attaching, service->name, FG_STR_NONE);
		for (size_t t = 0; t < service->target_count; t++)
			keep(attaching, service->name, service->targets[t].url);
	}
}

static int32_t
attach(struct attaching *attaching, struct fg_str service, struct fg_str url, struct fg_target_state **state)
{
	struct fg_name_table *table = &attaching->targets->table;
	char name[FG_NAME_BYTES];
	uint32_t number;

	format_name(name, service, url);
	number = fg_name_table_find_alone(table, name);
	if (number == FG_NAME_NONE && !attaching->has_cleared) {
		attaching->has_cleared = true;
		fg_targets_free_unused(attaching->targets, attaching->generation);
		number = fg_name_table_find_alone(table, name);
	}
	if (number == FG_NAME_NONE)
		return FG_TARGETS_NUMBER_NONE;
	*state = use(attaching, number);
	return (int32_t)number;
}

static void
attach_service(struct attaching *attaching, struct fg_service *service)
{
	service->number = attach(attaching, service->name, FG_STR_NONE, &service->state);
	atomic_store(&service->state->places, (uint32_t)service->admission.most);
	atomic_store(&service->state->room, (uint32_t)service->admission.queue);
	atomic_store(&service->state->has_breaker, service->service_breaker != NULL);
	for (size_t i = 0; i < service->target_count; i++) {
		struct fg_target *target = &service->targets[i];

		target->number = attach(attaching, service->name, target->url, &target->state);
		atomic_store(&target->state->has_breaker, service->breaker != NULL);
		atomic_store(&target->state->is_probed, service->health != NULL);
	}
}

void
fg_targets_attach(struct fg_targets *targets, struct fg_service *const *services, size_t count, uint64_t generation)
{
	struct attaching attaching = {.targets = targets, .generation = generation};

	if (!fg_targets_lock(targets))
		return;
	keep_all(&attaching, services, count);
	for (size_t i = 0; i < count; i++)
		attach_service(&attaching, services[i]);
	fg_targets_unlock(targets);
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
