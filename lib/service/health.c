/* The word of a target's health: whether it is down, probes in a row that say otherwise, and since when. */
#include "service/health.h"

#include "base/assert.h"

enum { TIME_BITS = 42, STREAK_BITS = 16, MOST_STREAK = (1 << STREAK_BITS) - 1 };

#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

static uint64_t
load(const fg_health *health)
{
	return atomic_load_explicit(health, memory_order_relaxed);
}

fg_usec
fg_health_since(const fg_health *health)
{
	return (fg_usec)(load(health) & TIME_MASK) * FG_US_PER_MS;
}

enum fg_health_change
fg_health_report(fg_health *health, const struct fg_health_conf *conf, bool passed, fg_usec now)
{
	uint64_t before = load(health), after;
	bool is_up, changes;

	FG_ASSERT(conf->up_after >= 1 && conf->up_after <= MOST_STREAK && conf->down_after >= 1 &&
	    conf->down_after <= MOST_STREAK);
	do {
		unsigned streak = (before >> TIME_BITS) & MOST_STREAK;

		is_up = (before & FG_HEALTH_DOWN) == 0;
		streak = passed == is_up ? 0 : streak + 1;
		changes = streak >= (is_up ? conf->down_after : conf->up_after);
		if (changes)
			after = (is_up ? FG_HEALTH_DOWN : 0) | ((uint64_t)(now / FG_US_PER_MS) & TIME_MASK);
		else
			after = (before & (FG_HEALTH_DOWN | TIME_MASK)) | (uint64_t)streak << TIME_BITS;
	} while (!atomic_compare_exchange_weak(health, &before, after));
	if (!changes)
		return FG_HEALTH_SAME;
	return is_up ? FG_HEALTH_WENT_DOWN : FG_HEALTH_WENT_UP;
}
