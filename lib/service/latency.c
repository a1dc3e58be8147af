/* A histogram of recent latencies: see latency.h. */
#include "service/latency.h"

enum {
	FIRST_BIT = 6,     /* the first bucket begins at 64 us */
	PART_BITS = 2,     /* four buckets to a doubling */
	LOOK_EVERY = 16,   /* answers */
	LEAST = 20,        /* answers that a percentile is made of */
	MOST = 4096,       /* then the old ones are halved */
	MOST_HALVINGS = 31,
};

#define FADE_US (60 * FG_US_PER_S)

/* ---- buckets */

static unsigned
bucket_of(fg_usec span)
{
	uint64_t value = span < 1 << FIRST_BIT ? 1 << FIRST_BIT : (uint64_t)span;
	unsigned bit = 63 - (unsigned)__builtin_clzll(value);
	unsigned part = (unsigned)(value >> (bit - PART_BITS)) & ((1u << PART_BITS) - 1);
	unsigned n = (bit - FIRST_BIT) << PART_BITS | part;

	return n < FG_LATENCY_BUCKETS ? n : FG_LATENCY_BUCKETS - 1;
}

/* Where the bucket begins, and the one before ends. */
static fg_usec
begin_of(unsigned n)
{
	unsigned bit = FIRST_BIT + (n >> PART_BITS);
	uint64_t part = n & ((1u << PART_BITS) - 1);

	return (fg_usec)((1u << PART_BITS | part) << (bit - PART_BITS));
}

/* ---- now and then */

static void
halve(_Atomic uint32_t *count, unsigned times)
{
	uint32_t now = atomic_load_explicit(count, memory_order_relaxed);

	/* By comparing, so that two workers that do it at once take nothing twice. */
	while (now > 0 && !atomic_compare_exchange_weak(count, &now, now >> times))
		;
}

/* One halving for each minute that has passed, and one when the counts are many. Whoever moves the time on does it. */
static void
fade(struct fg_latency *latency, uint64_t total, fg_usec now)
{
	int64_t faded = atomic_load_explicit(&latency->faded, memory_order_relaxed), minutes = (now - faded) / FADE_US;

	if (faded == 0) {
		(void)!atomic_compare_exchange_strong(&latency->faded, &faded, now);
		return;
	}
	if (minutes < 1 && total < MOST)
		return;
	if (!atomic_compare_exchange_strong(&latency->faded, &faded, now))
		return;
	minutes = minutes < 1 ? 1 : minutes < MOST_HALVINGS ? minutes : MOST_HALVINGS;
	for (unsigned n = 0; n < FG_LATENCY_BUCKETS; n++)
		halve(&latency->buckets[n], (unsigned)minutes);
}

static uint64_t
sum_up(const struct fg_latency *latency, uint32_t counts[FG_LATENCY_BUCKETS])
{
	uint64_t total = 0;

	for (unsigned n = 0; n < FG_LATENCY_BUCKETS; n++) {
		counts[n] = atomic_load_explicit(&latency->buckets[n], memory_order_relaxed);
		total += counts[n];
	}
	return total;
}

/* Within its bucket by the share that is wanted of it. */
static fg_usec
estimate(const uint32_t counts[FG_LATENCY_BUCKETS], uint64_t total, int percentile)
{
	uint64_t wanted = (total * (uint64_t)percentile + 99) / 100, below = 0;
	unsigned n = 0;

	while (n < FG_LATENCY_BUCKETS - 1 && below + counts[n] < wanted)
		below += counts[n++];
	return begin_of(n) + (begin_of(n + 1) - begin_of(n)) * (fg_usec)(wanted - below) / (fg_usec)(counts[n] > 0 ? counts[n] : 1);
}

static void
look(struct fg_latency *latency, int percentile, fg_usec now)
{
	uint32_t counts[FG_LATENCY_BUCKETS];
	uint64_t total;
	fg_usec found = 0;

	fade(latency, sum_up(latency, counts), now);
	total = sum_up(latency, counts);
	if (total >= LEAST && total * (uint64_t)(100 - percentile) >= 100)
		found = estimate(counts, total, percentile);
	atomic_store_explicit(&latency->estimate, found, memory_order_relaxed);
}

void
fg_latency_add(struct fg_latency *latency, int percentile, fg_usec span, fg_usec now)
{
	atomic_fetch_add_explicit(&latency->buckets[bucket_of(span)], 1, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&latency->added, 1, memory_order_relaxed) % LOOK_EVERY == LOOK_EVERY - 1)
		look(latency, percentile, now);
}

fg_usec
fg_latency_get(const struct fg_latency *latency)
{
	return atomic_load_explicit(&latency->estimate, memory_order_relaxed);
}
