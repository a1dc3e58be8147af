/* The sliding window of a breaker's error rate: see breaker_rate.h. */
#include "service/breaker_rate.h"

enum { COUNT_BITS = 22, LAP_BITS = 20 };

_Static_assert(2 * COUNT_BITS + LAP_BITS == 64, "all of a part in one word");

#define MOST_COUNT ((UINT64_C(1) << COUNT_BITS) - 1)
#define LAP_MASK ((UINT64_C(1) << LAP_BITS) - 1)

/* Where a moment lies: the window's parts are used in turn, and laps tell one use of a part from the next. */
struct place {
	unsigned part;
	uint64_t lap;
};

static uint64_t
number_of(fg_usec within, fg_usec now)
{
	fg_usec span = within / FG_BREAKER_PARTS;

	return (uint64_t)now / (uint64_t)(span > 0 ? span : 1);
}

static struct place
place_of(uint64_t number)
{
	return (struct place){(unsigned)(number % FG_BREAKER_PARTS), number / FG_BREAKER_PARTS & LAP_MASK};
}

static uint64_t
lap_of(uint64_t word)
{
	return word >> 2 * COUNT_BITS;
}

static uint64_t
requests_of(uint64_t word)
{
	return word >> COUNT_BITS & MOST_COUNT;
}

void
fg_breaker_rate_add(struct fg_breaker_rate *rate, fg_usec within, bool failed, fg_usec now)
{
	struct place place = place_of(number_of(within, now));
	_Atomic uint64_t *part = &rate->parts[place.part];
	uint64_t before = atomic_load_explicit(part, memory_order_relaxed), after;

	do {
		uint64_t lap = lap_of(before);

		/* Ours is over: this worker's clock is a whole window behind that of another. */
		if (lap == ((place.lap + 1) & LAP_MASK))
			return;
		after = lap == place.lap ? before : place.lap << 2 * COUNT_BITS;
		if (requests_of(after) == MOST_COUNT)
			return;
		after += (UINT64_C(1) << COUNT_BITS) + failed;
	} while (!atomic_compare_exchange_weak_explicit(part, &before, after, memory_order_relaxed, memory_order_relaxed));
}

struct fg_breaker_tally
fg_breaker_rate_sum(const struct fg_breaker_rate *rate, fg_usec within, fg_usec now)
{
	struct fg_breaker_tally tally = {0};
	uint64_t last = number_of(within, now);

	for (uint64_t back = 0; back < FG_BREAKER_PARTS && back <= last; back++) {
		struct place place = place_of(last - back);
		uint64_t word = atomic_load_explicit(&rate->parts[place.part], memory_order_relaxed);

		if (lap_of(word) != place.lap)
			continue;
		tally.requests += requests_of(word);
		tally.failed += word & MOST_COUNT;
	}
	return tally;
}

void
fg_breaker_rate_clear(struct fg_breaker_rate *rate)
{
	for (unsigned i = 0; i < FG_BREAKER_PARTS; i++)
		atomic_store_explicit(&rate->parts[i], 0, memory_order_relaxed);
}
