/*
 * How many are in flight to a service, and how many wait for that, counted over all workers and never more than a bound.
 * Each worker has a cell of its own for either number. To take one more it first claims: of two that do so at once, one at
 * least sees the other's claim. Whoever finds that there is enough for all who claim makes a count of its claim; where there
 * is not, the one with the lowest slot keeps its claim and the others take theirs back until it is through. So what is free
 * goes to one of them, and a claim that its worker did not outlive counts no longer than the worker.
 */
#include <sched.h>

#include "service/service.h"
#include "service/targets_layout.h"

enum {
	CLAIM = 0x8000, /* beside the count, which stays far below: FG_MAX_CONNECTIONS and copies */
	/* Looks at the others before they are left alone: a claim lasts for nanoseconds, unless its worker is not running. */
	TRIES = 64,
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
	for (uint32_t n = 0; slot < FG_STATS_MAX_WORKERS - 1 && n < 2 * targets->shared->max; n++)
		if (atomic_load_explicit(&row[n], memory_order_relaxed) != 0)
			atomic_store_explicit(&row[n], 0, memory_order_relaxed);
	while (slots < slot + 1 && !atomic_compare_exchange_weak(&targets->shared->slots, &slots, slot + 1))
		;
}

void
fg_targets_enter(struct fg_targets *targets, unsigned slot, const struct fg_target *target)
{
	if (targets != NULL && target->number != FG_TARGETS_NUMBER_NONE)
		atomic_fetch_add_explicit(&fg_targets_row(targets, slot)[target->number], 1, memory_order_relaxed);
}

void
fg_targets_leave(struct fg_targets *targets, unsigned slot, const struct fg_target *target)
{
	if (targets != NULL && target->number != FG_TARGETS_NUMBER_NONE)
		atomic_fetch_sub_explicit(&fg_targets_row(targets, slot)[target->number], 1, memory_order_relaxed);
}

static _Atomic uint16_t *
cell_of(const struct fg_targets *targets, unsigned slot, uint32_t column)
{
	return &fg_targets_row(targets, slot)[column];
}

/* What is there for a service: the records' numbers, and as many again for those that wait. */
static uint32_t
place_column(const struct fg_service *service)
{
	return (uint32_t)service->number;
}

static uint32_t
queue_column(const struct fg_targets *targets, const struct fg_service *service)
{
	return targets->shared->max + (uint32_t)service->number;
}

static struct sum
add_up(const struct fg_targets *targets, const struct fg_stats *stats, unsigned own, uint32_t column)
{
	uint32_t slots = atomic_load_explicit(&targets->shared->slots, memory_order_relaxed);
	struct sum sum = {0};

	for (unsigned slot = 0; slot < slots; slot++) {
		unsigned value;

		if (atomic_load_explicit(&fg_stats_worker_read(stats, slot)->state, memory_order_relaxed) == FG_WORKER_FREE)
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

static bool
take(const struct fg_targets *targets, const struct fg_stats *stats, unsigned slot, uint32_t column, unsigned most)
{
	_Atomic uint16_t *mine = cell_of(targets, slot, column);
	bool claims = claim(mine);

	for (int tries = 0; tries < TRIES; tries++) {
		struct sum sum;

		/* What is read from other cells is at least as new as the claim in this worker's. */
		atomic_thread_fence(memory_order_seq_cst);
		sum = add_up(targets, stats, slot, column);
		if (sum.held >= most)
			break;
		if (claims && sum.held + sum.claims < most) {
			/* In one step: nobody sees neither. */
			atomic_fetch_add(mine, (uint16_t)(1 - CLAIM));
			return true;
		}
		if (claims && sum.lower) {
			unclaim(mine);
			claims = false;
		} else if (!claims && !sum.lower && (claims = claim(mine))) {
			continue;
		}
		sched_yield();
	}
	if (claims)
		unclaim(mine);
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
	return targets != NULL && service->number >= 0;
}

bool
fg_targets_admit(struct fg_targets *targets, const struct fg_stats *stats, unsigned slot, const struct fg_service *service,
    unsigned most)
{
	return take(targets, stats, slot, place_column(service), most);
}

void
fg_targets_dismiss(struct fg_targets *targets, unsigned slot, const struct fg_service *service)
{
	give(targets, slot, place_column(service));
}

bool
fg_targets_line_up(struct fg_targets *targets, const struct fg_stats *stats, unsigned slot, const struct fg_service *service,
    unsigned most)
{
	return take(targets, stats, slot, queue_column(targets, service), most);
}

void
fg_targets_step_out(struct fg_targets *targets, unsigned slot, const struct fg_service *service)
{
	give(targets, slot, queue_column(targets, service));
}

unsigned
fg_targets_waiting(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_service *service)
{
	return add_up(targets, stats, FG_STATS_MAX_WORKERS, queue_column(targets, service)).held;
}

unsigned
fg_targets_count_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n)
{
	return add_up(targets, stats, FG_STATS_MAX_WORKERS, n).held;
}

unsigned
fg_targets_count_waiting(const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n)
{
	return add_up(targets, stats, FG_STATS_MAX_WORKERS, targets->shared->max + n).held;
}

unsigned
fg_targets_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_target *target)
{
	if (targets == NULL || stats == NULL || target->number == FG_TARGETS_NUMBER_NONE)
		return 0;
	return fg_targets_count_in_flight(targets, stats, (uint32_t)target->number);
}
