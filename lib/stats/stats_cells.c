/* Numbers by policy: a hash table in the shared memory, by family and labels. */
#include <string.h>

#include "base/assert.h"
#include "stats/stats.h"
#include "stats/stats_layout.h"

_Static_assert((FG_MAX_STATS_CELLS & (FG_MAX_STATS_CELLS - 1)) == 0, "a mask picks the cell");

const struct fg_stats_family_info fg_stats_families[FG_FAMILIES] = {
    [FG_FAMILY_AUTH] = {"faregate_auth_total", "counter", "outcome",
	"Credentials that a policy looked at, by what it said: accepted, or a reason.", false},
    [FG_FAMILY_TOKEN_CACHE] = {"faregate_token_cache_total", "counter", "outcome",
	"Tokens looked for among those verified before: hit or miss.", false},
    [FG_FAMILY_KEY_FETCHES] = {"faregate_key_fetches_total", "counter", "outcome",
	"Fetches of a policy's keys: changed, unchanged or failed.", false},
    [FG_FAMILY_KEYS_AGE] = {"faregate_keys_age_seconds", "gauge", NULL,
	"How long ago a policy's keys were known to be those of their provider.", true},
    [FG_FAMILY_REVOCATIONS_AGE] = {"faregate_revocations_age_seconds", "gauge", NULL,
	"How long ago a policy's revocations were known to be those of the store.", true},
    [FG_FAMILY_LIMITS] = {"faregate_limits_total", "counter", "outcome",
	"Requests that a limit was asked about, by what became of them.", false},
    [FG_FAMILY_LIMIT_WAITS] = {"faregate_limits_store_microseconds_total", "counter", NULL,
	"How long requests with this limit have waited for the store.", false},
    [FG_FAMILY_IDEMPOTENCY] = {"faregate_idempotency_total", "counter", "outcome",
	"Requests that a policy was asked about, and what became of their Idempotency-Keys.", false},
};

/* A cell that somebody is naming just now has a name in a moment, unless that process died: then it is nobody's for good. */
static bool
is_in_use(const struct fg_stats_cell *cell)
{
	enum { PATIENCE = 10000 };
	uint32_t taken = atomic_load_explicit(&cell->taken, memory_order_acquire);

	for (unsigned i = 0; taken == 1 && i < PATIENCE; i++)
		taken = atomic_load_explicit(&cell->taken, memory_order_acquire);
	return taken == 2;
}

static bool
is_cell(const struct fg_stats_cell *cell, const struct fg_stats_cell *wanted)
{
	return cell->family == wanted->family && strcmp(cell->policy, wanted->policy) == 0 && strcmp(cell->label, wanted->label) == 0;
}

static void
name_cell(struct fg_stats_cell *cell, const struct fg_stats_cell *wanted)
{
	cell->family = wanted->family;
	memcpy(cell->policy, wanted->policy, sizeof(cell->policy));
	memcpy(cell->label, wanted->label, sizeof(cell->label));
	atomic_store_explicit(&cell->taken, 2, memory_order_release);
}

static void
describe(struct fg_stats_cell *wanted, enum fg_stats_family family, struct fg_str policy, struct fg_str label)
{
	wanted->family = family;
	fg_name_format(wanted->policy, sizeof(wanted->policy), policy);
	fg_name_format(wanted->label, sizeof(wanted->label), label);
}

static size_t
place_of(const struct fg_stats_cell *wanted)
{
	uint64_t hash = fg_name_hash(fg_str_from(wanted->policy)) * 31 + fg_name_hash(fg_str_from(wanted->label));

	return (size_t)(hash * 31 + wanted->family) & (FG_MAX_STATS_CELLS - 1);
}

/* Where what finds no place is counted. */
static struct fg_stats_cell *
cell_of_others(struct fg_stats *stats, enum fg_stats_family family)
{
	struct fg_stats_cell *cell = &stats->shared->cells[FG_MAX_STATS_CELLS + family].cell, wanted;
	uint32_t free = 0;

	if (!is_in_use(cell) && atomic_compare_exchange_strong(&cell->taken, &free, 1)) {
		describe(&wanted, family, FG_STR("_other"), fg_stats_families[family].label != NULL ? FG_STR("_other") : FG_STR_NONE);
		name_cell(cell, &wanted);
	}
	return cell;
}

_Atomic uint64_t *
fg_stats_cell(struct fg_stats *stats, enum fg_stats_family family, struct fg_str policy, struct fg_str label)
{
	struct fg_stats_cell wanted;
	size_t at;

	describe(&wanted, family, policy, label);
	at = place_of(&wanted);
	for (size_t tried = 0; tried < FG_MAX_STATS_CELLS; tried++, at = (at + 1) & (FG_MAX_STATS_CELLS - 1)) {
		struct fg_stats_cell *cell = &stats->shared->cells[at].cell;
		uint32_t free = 0;

		if (!is_in_use(cell) && atomic_compare_exchange_strong(&cell->taken, &free, 1)) {
			name_cell(cell, &wanted);
			return &cell->value;
		}
		if (is_in_use(cell) && is_cell(cell, &wanted))
			return &cell->value;
	}
	return &cell_of_others(stats, family)->value;
}

const struct fg_stats_cell *
fg_stats_cell_at(const struct fg_stats *stats, size_t n)
{
	const struct fg_stats_cell *cell = &stats->shared->cells[n].cell;

	return atomic_load_explicit(&cell->taken, memory_order_acquire) == 2 ? cell : NULL;
}

uint64_t
fg_stats_cell_get(const struct fg_stats *stats, enum fg_stats_family family, struct fg_str policy, struct fg_str label)
{
	struct fg_stats_cell wanted;

	describe(&wanted, family, policy, label);
	for (size_t n = 0; n < FG_MAX_STATS_CELLS + FG_FAMILIES; n++) {
		const struct fg_stats_cell *cell = fg_stats_cell_at(stats, n);

		if (cell != NULL && is_cell(cell, &wanted))
			return fg_stats_load(&cell->value);
	}
	return 0;
}
