/*
 * How many are in flight to a service, and how many wait for that, counted over all workers and never more than a bound.
 * Each worker has a cell of its own for either number. To take one more it first claims: of two that do so at once, one at
 * least sees the other's claim. Whoever finds that there is enough for all who claim makes a count of its claim; where there
 * is not, all take theirs back but the one with the lowest slot, which looks again, and nobody leaves with nothing before he
 * has looked once more: whoever takes his claim back last sees that the others have. So what is free goes to one of them.
 * Nobody waits for anybody: a claim whose worker is not running counts as a place until it runs again, as what it has in
 * flight does, and a claim that its worker did not outlive counts no longer than the worker.
 */
#include "service/service.h"
#include "service/targets_layout.h"

enum {
	CLAIM = 0x8000, /* beside the count, which stays far below: FG_MAX_CONNECTIONS and copies */
	LOOKS = 16,     /* at the others' claims, which last for nanoseconds, unless their workers are not running, */
	TRIES = 16,     /* and so often in all */
};

_Static_assert(2 * FG_MAX_CONNECTIONS + FG_MAX_MIRRORS < CLAIM, "a worker's count has room beside its claim");

struct sum {
	unsigned held, claims; /* claims: of other workers, */
	bool lower;            /* one of them of a lower slot */
};

_Atomic uint16_t *
fg_targets_row(const struct fg_targets *targets, unsigned slot)
{
	FG_ASSERT(slot < FG_STATS_MAX_WORKERS);
	return targets->rows + slot * fg_targets_row_bytes(targets->shared->max) / sizeof(uint16_t);
}

void
fg_targets_start_worker(struct fg_targets *targets, unsigned slot)
{
	uint32_t slots = atomic_load(&targets->shared->slots);
	_Atomic uint16_t *row = fg_targets_row(targets, slot);

	/* The last slot is shared by those that found none: what stands there is not the newcomer's. */
	for (uint32_t n = 0; slot < FG_STATS_MAX_WORKERS - 1 && n < FG_TARGETS_BLOCKS * targets->shared->max; n++)
		if (atomic_load_explicit(&row[n], memory_order_relaxed) != 0)
			atomic_store_explicit(&row[n], 0, memory_order_relaxed);
	while (slots < slot + 1 && !atomic_compare_exchange_weak(&targets->shared->slots, &slots, slot + 1))
		;
}

static uint32_t
column_of(const struct fg_targets *targets, enum fg_targets_block block, int32_t number)
{
	return (uint32_t)block * targets->shared->max + (uint32_t)number;
}

static _Atomic uint16_t *
cell_of(const struct fg_targets *targets, unsigned slot, uint32_t column)
{
	return &fg_targets_row(targets, slot)[column];
}

/* By a worker that lives, for all that is known. */
static bool
is_taken(const struct fg_stats *stats, unsigned slot)
{
	return atomic_load_explicit(&fg_stats_worker_read(stats, slot)->state, memory_order_relaxed) != FG_WORKER_FREE;
}

static struct sum
add_up(const struct fg_targets *targets, const struct fg_stats *stats, unsigned own, uint32_t column)
{
	uint32_t slots = atomic_load_explicit(&targets->shared->slots, memory_order_relaxed);
	struct sum sum = {0};

	for (unsigned slot = 0; slot < slots; slot++) {
		unsigned value;

		if (!is_taken(stats, slot))
			continue;
		value = atomic_load_explicit(cell_of(targets, slot, column), memory_order_relaxed);
		sum.held += value & (CLAIM - 1);
		if ((value & CLAIM) == 0 || slot == own)
			continue;
		sum.claims++;
		sum.lower |= slot < own;
	}
	return sum;
}

/* False: another process that shares the slot claims. */
static bool
claim(_Atomic uint16_t *mine)
{
	return (atomic_fetch_or(mine, CLAIM) & CLAIM) == 0;
}

static void
unclaim(_Atomic uint16_t *mine)
{
	atomic_fetch_and(mine, (uint16_t)~CLAIM);
}

/* What is read from other cells is at least as new as what was written to this worker's. */
static struct sum
look(const struct fg_targets *targets, const struct fg_stats *stats, unsigned own, uint32_t column)
{
	atomic_thread_fence(memory_order_seq_cst);
	return add_up(targets, stats, own, column);
}

/* For all who claim, and one more. */
static bool
has_room(struct sum sum, unsigned most)
{
	return sum.held + sum.claims < most;
}

static bool
take(const struct fg_targets *targets, const struct fg_stats *stats, unsigned slot, uint32_t column, unsigned most)
{
	_Atomic uint16_t *mine = cell_of(targets, slot, column);

	for (int tries = 0; tries < TRIES; tries++) {
		bool claims = claim(mine);
		struct sum sum = look(targets, stats, slot, column);

		for (int looks = 1; looks < LOOKS && claims && !has_room(sum, most) && sum.held < most && !sum.lower; looks++)
			sum = look(targets, stats, slot, column);
		if (claims && has_room(sum, most)) {
			/* In one step: nobody sees neither. */
			atomic_fetch_add(mine, (uint16_t)(1 - CLAIM));
			return true;
		}
		if (claims)
			unclaim(mine);
		if (!has_room(look(targets, stats, slot, column), most))
			return false;
	}
	return false;
}

static void
give(const struct fg_targets *targets, unsigned slot, uint32_t column)
{
	atomic_fetch_sub(cell_of(targets, slot, column), 1);
}

bool
fg_targets_is_shared(const struct fg_targets *targets, const struct fg_service *service)
{
	return targets != NULL && service->number != FG_TARGETS_NUMBER_NONE;
}

bool
fg_targets_admit(struct fg_targets *targets, const struct fg_stats *stats, unsigned slot, const struct fg_service *service,
    unsigned most)
{
	return take(targets, stats, slot, column_of(targets, FG_TARGETS_IN_FLIGHT, service->number), most);
}

void
fg_targets_dismiss(struct fg_targets *targets, unsigned slot, const struct fg_service *service)
{
	give(targets, slot, column_of(targets, FG_TARGETS_IN_FLIGHT, service->number));
}

bool
fg_targets_line_up(struct fg_targets *targets, const struct fg_stats *stats, unsigned slot, const struct fg_service *service,
    unsigned most)
{
	return take(targets, stats, slot, column_of(targets, FG_TARGETS_WAITING, service->number), most);
}

void
fg_targets_step_out(struct fg_targets *targets, unsigned slot, const struct fg_service *service)
{
	give(targets, slot, column_of(targets, FG_TARGETS_WAITING, service->number));
}

unsigned
fg_targets_waiting(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_service *service)
{
	return add_up(targets, stats, FG_STATS_MAX_WORKERS, column_of(targets, FG_TARGETS_WAITING, service->number)).held;
}

/* ---- in flight, without a bound */

static void
count_one(const struct fg_targets *targets, unsigned slot, const struct fg_target *target, uint16_t one)
{
	_Atomic uint16_t *row;

	if (targets == NULL || target->number == FG_TARGETS_NUMBER_NONE)
		return;
	row = fg_targets_row(targets, slot);
	atomic_fetch_add_explicit(&row[target->number], one, memory_order_relaxed);
	if (target->service->number != FG_TARGETS_NUMBER_NONE)
		atomic_fetch_add_explicit(
		    &row[column_of(targets, FG_TARGETS_TO_ALL, target->service->number)], one, memory_order_relaxed);
}

void
fg_targets_enter(struct fg_targets *targets, unsigned slot, const struct fg_target *target)
{
	count_one(targets, slot, target, 1);
}

void
fg_targets_leave(struct fg_targets *targets, unsigned slot, const struct fg_target *target)
{
	count_one(targets, slot, target, (uint16_t)-1);
}

uint64_t
fg_targets_in_flight_to_all(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_service *service)
{
	if (targets == NULL || stats == NULL || service->number == FG_TARGETS_NUMBER_NONE)
		return 0;
	return add_up(targets, stats, FG_STATS_MAX_WORKERS, column_of(targets, FG_TARGETS_TO_ALL, service->number)).held;
}

/* Worker by worker: what is read of one lies together. */
void
fg_targets_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_target *const of[],
    size_t count, unsigned in_flight[])
{
	uint32_t slots = targets == NULL || stats == NULL ? 0 : atomic_load_explicit(&targets->shared->slots, memory_order_relaxed);

	memset(in_flight, 0, count * sizeof(*in_flight));
	for (unsigned slot = 0; slot < slots; slot++) {
		const _Atomic uint16_t *row = fg_targets_row(targets, slot);

		if (!is_taken(stats, slot))
			continue;
		for (size_t i = 0; i < count; i++)
			if (of[i]->number != FG_TARGETS_NUMBER_NONE)
				in_flight[i] += atomic_load_explicit(&row[of[i]->number], memory_order_relaxed);
	}
}

unsigned
fg_targets_count_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n)
{
	return add_up(targets, stats, FG_STATS_MAX_WORKERS, n).held;
}

unsigned
fg_targets_count_waiting(const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n)
{
	return add_up(targets, stats, FG_STATS_MAX_WORKERS, column_of(targets, FG_TARGETS_WAITING, (int32_t)n)).held;
}
