/* The breaker's word, and its transitions: each reads the word, makes another of it, and tries to put that in its place. */
#include "service/breaker.h"

#include "base/assert.h"

enum { TIME_BITS = 42, COUNT_BITS = 14, DOUBLED_BITS = 5, RATE_BITS = 1, STATE_BITS = 2 };
enum { MOST_COUNT = (1 << COUNT_BITS) - 1, MOST_DOUBLED = 20, DOUBLED_AT = TIME_BITS + COUNT_BITS };
enum { RATE_AT = DOUBLED_AT + DOUBLED_BITS, STATE_AT = FG_BREAKER_STATE_AT };

_Static_assert(RATE_AT + RATE_BITS == STATE_AT && STATE_AT + STATE_BITS == 64, "all of it in one word");

struct view {
	enum fg_breaker_state state;
	bool by_rate;     /* open, half-open: why */
	unsigned doubled; /* how often open_for has been */
	unsigned count;   /* closed: failures in a row */
	int64_t time;     /* ms; closed: of the first failure; open, half-open: when the next request may try */
};

static struct view
unpack(uint64_t word)
{
	return (struct view){
	    .state = (enum fg_breaker_state)(word >> STATE_AT),
	    .by_rate = (word >> RATE_AT & 1) != 0,
	    .doubled = (word >> DOUBLED_AT) & ((1u << DOUBLED_BITS) - 1),
	    .count = (word >> TIME_BITS) & MOST_COUNT,
	    .time = (int64_t)(word & ((UINT64_C(1) << TIME_BITS) - 1)),
	};
}

static uint64_t
pack(struct view view)
{
	return (uint64_t)view.state << STATE_AT | (uint64_t)view.by_rate << RATE_AT | (uint64_t)view.doubled << DOUBLED_AT |
	    (uint64_t)view.count << TIME_BITS | ((uint64_t)view.time & ((UINT64_C(1) << TIME_BITS) - 1));
}

/* Rounded up: a wait of microseconds is not none. */
static int64_t
to_ms(fg_usec span)
{
	return (span + FG_US_PER_MS - 1) / FG_US_PER_MS;
}

static struct view
load(const struct fg_breaker *breaker)
{
	return unpack(atomic_load_explicit(&breaker->word, memory_order_relaxed));
}

static bool
replace(struct fg_breaker *breaker, struct view before, struct view after)
{
	uint64_t expected = pack(before);

	return atomic_compare_exchange_strong(&breaker->word, &expected, pack(after));
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
fg_breaker_state(const struct fg_breaker *breaker)
{
	return load(breaker).state;
}

const char *
fg_breaker_word(enum fg_breaker_state state)
{
	static const char *const words[] = {
	    [FG_BREAKER_CLOSED] = "closed", [FG_BREAKER_OPEN] = "open", [FG_BREAKER_HALF_OPEN] = "half-open"};

	return state < FG_ARRAY_LEN(words) ? words[state] : "closed";
}

bool
fg_breaker_is_by_rate(const struct fg_breaker *breaker)
{
	return load(breaker).by_rate;
}

fg_usec
fg_breaker_wait(const struct fg_breaker *breaker, fg_usec now)
{
	struct view view = load(breaker);

	if (view.state == FG_BREAKER_CLOSED || to_ms(now) >= view.time)
		return 0;
	return (view.time - to_ms(now)) * FG_US_PER_MS;
}

bool
fg_breaker_enter(struct fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now, struct fg_breaker_pass *pass)
{
	struct view before = load(breaker), after = before;

	*pass = (struct fg_breaker_pass){0};
	if (before.state == FG_BREAKER_CLOSED)
		return true;
	if (to_ms(now) < before.time)
		return false;
	after.state = FG_BREAKER_HALF_OPEN;
	after.time = to_ms(now) + open_ms(conf, before.doubled);
	*pass = (struct fg_breaker_pass){after.time, before.state == FG_BREAKER_OPEN};
	return replace(breaker, before, after);
}

void
fg_breaker_give_back(struct fg_breaker *breaker, struct fg_breaker_pass pass, fg_usec now)
{
	struct view before = load(breaker), after = before;

	/* One that another has taken the place of has nothing to give. */
	if (pass.until == 0 || before.state != FG_BREAKER_HALF_OPEN || before.time != pass.until)
		return;
	after.time = to_ms(now);
	(void)!replace(breaker, before, after);
}

/*
 * An answer to a request that was sent before it opened says nothing about now; nor, while one tries, does any but those
 * that do.
 */
static bool
has_a_say(struct view view, struct fg_breaker_pass pass)
{
	return view.state == FG_BREAKER_CLOSED || (view.state == FG_BREAKER_HALF_OPEN && pass.until != 0);
}

static void
count(struct fg_breaker *breaker, const struct fg_breaker_conf *conf, bool failed, fg_usec now)
{
	if (conf->error_rate > 0 && load(breaker).state == FG_BREAKER_CLOSED)
		fg_breaker_rate_add(&breaker->rate, conf->within, failed, now);
}

enum fg_breaker_change
fg_breaker_succeeded(struct fg_breaker *breaker, const struct fg_breaker_conf *conf, struct fg_breaker_pass pass, fg_usec now)
{
	struct view before;

	count(breaker, conf, false, now);
	do {
		before = load(breaker);
		if (!has_a_say(before, pass) || (before.state == FG_BREAKER_CLOSED && before.count == 0))
			return FG_BREAKER_SAME;
		/* What opened it counts no longer. Nobody counts while it is half-open; who dies now leaves it so. */
		if (before.state == FG_BREAKER_HALF_OPEN)
			fg_breaker_rate_clear(&breaker->rate);
	} while (!replace(breaker, before, (struct view){.state = FG_BREAKER_CLOSED}));
	return before.state == FG_BREAKER_HALF_OPEN ? FG_BREAKER_CLOSED_AGAIN : FG_BREAKER_SAME;
}

static bool
is_rate_too_high(const struct fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now)
{
	struct fg_breaker_tally tally;

	if (conf->error_rate == 0)
		return false;
	tally = fg_breaker_rate_sum(&breaker->rate, conf->within, now);
	return tally.requests >= conf->requests && tally.failed * 100 >= tally.requests * (uint64_t)conf->error_rate;
}

static struct view
opened(const struct fg_breaker_conf *conf, bool by_rate, unsigned doubled, int64_t now)
{
	return (struct view){
	    .state = FG_BREAKER_OPEN, .by_rate = by_rate, .doubled = doubled, .time = now + open_ms(conf, doubled)};
}

static struct view
after_failure(const struct fg_breaker *breaker, struct view before, const struct fg_breaker_conf *conf, fg_usec now_us)
{
	struct view after = before;
	int64_t now = to_ms(now_us);

	if (before.state == FG_BREAKER_HALF_OPEN)
		return opened(conf, before.by_rate, before.doubled < MOST_DOUBLED ? before.doubled + 1 : MOST_DOUBLED, now);
	if (is_rate_too_high(breaker, conf, now_us))
		return opened(conf, true, 0, now);
	if (conf->failures == 0)
		return before;
	if (before.count == 0 || now - before.time > to_ms(conf->within)) {
		after.count = 0;
		after.time = now;
	}
	after.count++;
	return after.count >= conf->failures ? opened(conf, false, 0, now) : after;
}

enum fg_breaker_change
fg_breaker_failed(struct fg_breaker *breaker, const struct fg_breaker_conf *conf, struct fg_breaker_pass pass, fg_usec now)
{
	struct view before, after;

	FG_ASSERT(conf->failures <= MOST_COUNT);
	count(breaker, conf, true, now);
	do {
		before = load(breaker);
		if (!has_a_say(before, pass))
			return FG_BREAKER_SAME;
		after = after_failure(breaker, before, conf, now);
	} while (!replace(breaker, before, after));
	return after.state == FG_BREAKER_OPEN ? FG_BREAKER_OPENED : FG_BREAKER_SAME;
}
