/* The breaker's word, and its transitions: each reads the word, makes another of it, and tries to put that in its place. */
#include "core/breaker.h"

#include "base/assert.h"

enum { TIME_BITS = 42, COUNT_BITS = 14, DOUBLED_BITS = 6, STATE_BITS = 2, MOST_COUNT = (1 << COUNT_BITS) - 1, MOST_DOUBLED = 20 };

_Static_assert(TIME_BITS + COUNT_BITS + DOUBLED_BITS + STATE_BITS == 64, "all of it in one word");

struct view {
	enum fg_breaker_state state;
	unsigned doubled; /* how often open_for has been */
	unsigned count;   /* closed: failures in a row */
	int64_t time;     /* ms; closed: of the first failure; open, half-open: when the next request may try */
};

static struct view
unpack(uint64_t word)
{
	return (struct view){
	    .state = (enum fg_breaker_state)(word >> (TIME_BITS + COUNT_BITS + DOUBLED_BITS)),
	    .doubled = (word >> (TIME_BITS + COUNT_BITS)) & ((1u << DOUBLED_BITS) - 1),
	    .count = (word >> TIME_BITS) & MOST_COUNT,
	    .time = (int64_t)(word & ((UINT64_C(1) << TIME_BITS) - 1)),
	};
}

static uint64_t
pack(struct view view)
{
	return (uint64_t)view.state << (TIME_BITS + COUNT_BITS + DOUBLED_BITS) |
	    (uint64_t)view.doubled << (TIME_BITS + COUNT_BITS) | (uint64_t)view.count << TIME_BITS |
	    ((uint64_t)view.time & ((UINT64_C(1) << TIME_BITS) - 1));
}

/* Rounded up: a wait of microseconds is not none. */
static int64_t
to_ms(fg_usec span)
{
	return (span + FG_US_PER_MS - 1) / FG_US_PER_MS;
}

static struct view
load(const fg_breaker *breaker)
{
	return unpack(atomic_load_explicit(breaker, memory_order_relaxed));
}

static bool
replace(fg_breaker *breaker, struct view before, struct view after)
{
	uint64_t expected = pack(before);

	return atomic_compare_exchange_strong(breaker, &expected, pack(after));
}

/* How long it stays open, having failed as often. */
static int64_t
open_ms(const struct fg_breaker_conf *conf, unsigned doubled)
{
	fg_usec span = conf->open_for;

	while (doubled-- > 0 && span < conf->open_most)
		span *= 2;
	return to_ms(span < conf->open_most ? span : conf->open_most);
}

enum fg_breaker_state
fg_breaker_state(const fg_breaker *breaker)
{
	return load(breaker).state;
}

fg_usec
fg_breaker_wait(const fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now)
{
	struct view view;

	if (conf->failures == 0)
		return 0;
	view = load(breaker);
	if (view.state == FG_BREAKER_CLOSED || to_ms(now) >= view.time)
		return 0;
	return (view.time - to_ms(now)) * FG_US_PER_MS;
}

bool
fg_breaker_enter(fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now)
{
	struct view before, after;

	if (conf->failures == 0)
		return true;
	before = load(breaker);
	if (before.state == FG_BREAKER_CLOSED)
		return true;
	if (to_ms(now) < before.time)
		return false;
	after = before;
	after.state = FG_BREAKER_HALF_OPEN;
	after.time = to_ms(now) + open_ms(conf, before.doubled);
	return replace(breaker, before, after);
}

enum fg_breaker_change
fg_breaker_succeeded(fg_breaker *breaker, const struct fg_breaker_conf *conf)
{
	struct view before;

	if (conf->failures == 0)
		return FG_BREAKER_SAME;
	do {
		before = load(breaker);
		/* An answer to a request that was sent before it opened says nothing about now. */
		if (before.state == FG_BREAKER_OPEN || (before.state == FG_BREAKER_CLOSED && before.count == 0))
			return FG_BREAKER_SAME;
	} while (!replace(breaker, before, (struct view){.state = FG_BREAKER_CLOSED}));
	return before.state == FG_BREAKER_HALF_OPEN ? FG_BREAKER_CLOSED_AGAIN : FG_BREAKER_SAME;
}

static struct view
after_failure(struct view before, const struct fg_breaker_conf *conf, int64_t now)
{
	struct view after = before;

	if (before.state == FG_BREAKER_HALF_OPEN) {
		after.state = FG_BREAKER_OPEN;
		after.doubled = before.doubled < MOST_DOUBLED ? before.doubled + 1 : MOST_DOUBLED;
		after.time = now + open_ms(conf, after.doubled);
		return after;
	}
	if (before.count == 0 || now - before.time > to_ms(conf->within)) {
		after.count = 0;
		after.time = now;
	}
	after.count++;
	if (after.count >= conf->failures)
		after = (struct view){.state = FG_BREAKER_OPEN, .time = now + open_ms(conf, 0)};
	return after;
}

enum fg_breaker_change
fg_breaker_failed(fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now)
{
	struct view before, after;

	FG_ASSERT(conf->failures <= MOST_COUNT);
	if (conf->failures == 0)
		return FG_BREAKER_SAME;
	do {
		before = load(breaker);
		if (before.state == FG_BREAKER_OPEN)
			return FG_BREAKER_SAME;
		after = after_failure(before, conf, to_ms(now));
	} while (!replace(breaker, before, after));
	return after.state == FG_BREAKER_OPEN ? FG_BREAKER_OPENED : FG_BREAKER_SAME;
}
