/*
 * lib/core limits: each algorithm against a model that keeps all that happened and reckons in fractions, over random
 * sequences; shares.
 */
#include <stdlib.h>

#include "limit/limit.h"
#include "limit/limit_store.h"
#include "limit/zone.h"
#include "unit/unit.h"

__extension__ typedef __int128 wide;

#define S INT64_C(1000000)
#define MINUTE (60 * S)
#define DAY (INT64_C(86400) * S)
#define START (INT64_C(1790000000) * S + 123456)

enum { MODEL_MOST = 40000, ROUNDS = 400, STEPS = 300 };

static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 24) % below;
}

struct event {
	fg_usec at;
	int64_t units;
	int64_t epoch;
};

struct model {
	struct event events[MODEL_MOST];
	size_t count;
	wide level; /* of a bucket: tokens, times the period */
	fg_usec at;
};

static struct model model;

static struct fg_limit
make(enum fg_limit_algorithm algorithm, int64_t count, fg_usec period, int64_t burst)
{
	struct fg_limit limit = {.algorithm = algorithm, .count = count, .period = period, .burst = burst};

	CU_ASSERT_FATAL(fg_limit_init(&limit));
	return limit;
}

static struct fg_limit_result
take(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now)
{
	struct fg_limit_reading reading = fg_limit_take(limit, record, cost, now);
	struct fg_limit_result result;

	fg_limit_tell(limit, &reading, cost, now, &result);
	return result;
}

static fg_usec
draw_step(fg_usec period)
{
	switch (draw(6)) {
	case 0:
		return 0;
	case 1:
		return (fg_usec)draw(3);
	case 2:
		return (fg_usec)draw((uint64_t)period * 2);
	default:
		return (fg_usec)draw((uint64_t)period / 20 + 1);
	}
}

/* ---- token bucket */

static wide
up(wide a, wide b)
{
	return (a + b - 1) / b;
}

/* Moves the model to now; true and less, when it is allowed. */
static bool
model_bucket(const struct fg_limit *limit, int64_t cost, fg_usec now)
{
	wide full = (wide)limit->burst * limit->period, price = (wide)cost * limit->period;

	model.level += (wide)(now - model.at) * limit->count;
	model.at = now;
	if (model.level > full)
		model.level = full;
	if (price > model.level)
		return false;
	model.level -= price;
	return true;
}

static void
bucket_is_exact(void)
{
	static const fg_usec periods[] = {S, MINUTE, 7 * S, 30 * DAY, 1000 * FG_US_PER_MS + 1000, DAY};

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fg_limit limit;
		struct fg_limit_record record = {0};
		fg_usec now = START + (fg_usec)draw(1000000);

		seed = round + 1;
		limit = make(FG_LIMIT_TOKEN_BUCKET, 1 + (int64_t)draw(round % 2 ? 10 : 1000000), periods[round % 6], 1 + (int64_t)draw(50));
		model.level = (wide)limit.burst * limit.period;
		model.at = now;
		for (unsigned step = 0; step < STEPS; step++) {
			int64_t cost = (int64_t)draw(5);
			struct fg_limit_result result;
			bool allowed;

			now += draw_step(limit.period / limit.count * 10 + 2);
			result = take(&limit, &record, cost, now);
			allowed = model_bucket(&limit, cost, now);
			if (result.allowed != allowed || result.remaining != (int64_t)(model.level / limit.period)) {
				CU_FAIL_FATAL("the bucket differs from its model");
			}
			if (!allowed && cost <= limit.burst &&
			    result.retry_after != (fg_usec)up((wide)cost * limit.period - model.level, limit.count)) {
				CU_FAIL_FATAL("retry_after is not when it would be allowed");
			}
			if (allowed && result.reset != (fg_usec)up((wide)limit.burst * limit.period - model.level, limit.count)) {
				CU_FAIL_FATAL("reset is not when the bucket is full");
			}
		}
	}
}

/* A request every 10 microseconds, a million times: of seven a second exactly as many as that makes. */
static void
nothing_drifts(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 7000, 13 * S, 1);
	struct fg_limit_record record = {0};
	int64_t allowed = 0;
	fg_usec span = 0;

	for (int i = 0; i < 1000000; i++, span += 10)
		allowed += take(&limit, &record, 1, START + span).allowed;
	/* Each comes as soon as its time has, rounded up to the next of these requests. */
	CU_ASSERT(allowed <= 1 + span * limit.count / limit.period);
	limit = make(FG_LIMIT_TOKEN_BUCKET, 7000, 13 * S, 1000);
	record = (struct fg_limit_record){0};
	allowed = 0;
	for (int i = 0; i < 1000000; i++)
		allowed += take(&limit, &record, 1, START + (fg_usec)i * 13).allowed;
	CU_ASSERT_EQUAL(allowed, 1000 + (INT64_C(999999) * 13 * limit.count) / limit.period);
}

static void
bounds_of_rates(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 1, 30 * DAY, 1);
	struct fg_limit_record record = {0};
	struct fg_limit_result result;

	CU_ASSERT(take(&limit, &record, 1, START).allowed);
	result = take(&limit, &record, 1, START + 30 * DAY - 1);
	CU_ASSERT(!result.allowed);
	CU_ASSERT_EQUAL(result.retry_after, 1);
	CU_ASSERT(take(&limit, &record, 1, START + 30 * DAY).allowed);

	limit = make(FG_LIMIT_TOKEN_BUCKET, 1000000, S, 1000000);
	record = (struct fg_limit_record){0};
	CU_ASSERT(take(&limit, &record, 1000000, START).allowed);
	CU_ASSERT(!take(&limit, &record, 1, START).allowed);
	CU_ASSERT(take(&limit, &record, 1, START + 1).allowed);

	limit = (struct fg_limit){.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 1, .period = 366 * DAY, .burst = 10};
	CU_ASSERT(fg_limit_init(&limit));
	limit.burst = 11;
	CU_ASSERT(!fg_limit_init(&limit));
	limit = (struct fg_limit){.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = FG_LIMIT_MAX_COUNT + 1, .period = S, .burst = 1};
	CU_ASSERT(!fg_limit_init(&limit));
}

/* What costs more than a bucket holds is refused, and harms nobody. */
static void
a_cost_above_the_burst(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 10, S, 5);
	struct fg_limit_record record = {0};
	struct fg_limit_result result = take(&limit, &record, 6, START);

	CU_ASSERT(!result.allowed);
	/* No wait would do; not to be asked again at once is all that can be said. */
	CU_ASSERT_EQUAL(result.retry_after, S / 2);
	CU_ASSERT(take(&limit, &record, 5, START).allowed);
}

#define MIDNIGHT (START / (86400 * S) * (86400 * S))
#define MONDAY (START / (7 * DAY) * (7 * DAY) + 4 * DAY)

/* A clock set back by an hour: a full bucket stays full; an empty one waits no longer than if it were just emptied. */
static void
a_clock_that_is_set_back(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 10, S, 10);
	struct fg_limit_record record = {0};

	CU_ASSERT(take(&limit, &record, 10, START).allowed);
	CU_ASSERT_EQUAL(take(&limit, &record, 1, START - 3600 * S).retry_after, S / 10);
	limit = make(FG_LIMIT_SLIDING_WINDOW, 10, S, 0);
	record = (struct fg_limit_record){0};
	CU_ASSERT(take(&limit, &record, 10, START).allowed);
	CU_ASSERT(take(&limit, &record, 10, START - 3600 * S).allowed);
	limit = make(FG_LIMIT_FIXED_WINDOW, 10, S, 0);
	record = (struct fg_limit_record){0};
	CU_ASSERT(take(&limit, &record, 10, START).allowed);
	CU_ASSERT(!take(&limit, &record, 1, START - S / 2).allowed);
	CU_ASSERT(take(&limit, &record, 10, START - 3600 * S).allowed);
	/* By less than a minute they go on; by more nobody waits for the step and a whole period. */
	for (unsigned i = 0; i < 2; i++) {
		limit = make(i == 0 ? FG_LIMIT_SLIDING_WINDOW : FG_LIMIT_FIXED_WINDOW, 10, 86400 * S, 0);
		record = (struct fg_limit_record){0};
		CU_ASSERT(take(&limit, &record, 10, MIDNIGHT + S).allowed);
		CU_ASSERT(!take(&limit, &record, 1, MIDNIGHT - 58 * S).allowed);
		CU_ASSERT(take(&limit, &record, 10, MIDNIGHT - 3600 * S).allowed);
		CU_ASSERT_EQUAL(take(&limit, &record, 1, MIDNIGHT - 3600 * S).retry_after, (i == 0 ? 86400 : 3600) * S);
	}
	/* A week of UTC is never longer than another. */
	limit.calendar = FG_LIMIT_WEEK;
	record = (struct fg_limit_record){0};
	CU_ASSERT(take(&limit, &record, 10, MONDAY + S).allowed);
	CU_ASSERT(!take(&limit, &record, 1, MONDAY - 58 * S).allowed);
	CU_ASSERT(take(&limit, &record, 10, MONDAY - 3600 * S).allowed);
	limit = make(FG_LIMIT_CONCURRENCY, 2, 30 * S, 0);
	record = (struct fg_limit_record){0};
	CU_ASSERT(take(&limit, &record, 2, START).allowed);
	CU_ASSERT(!take(&limit, &record, 1, START - S).allowed);
	CU_ASSERT(take(&limit, &record, 1, START - 3600 * S).allowed);
}

/* ---- sliding window */

static fg_usec
leaves(const struct fg_limit *limit, fg_usec at)
{
	return limit->count <= FG_LIMIT_LOG ? at + limit->period : (at / limit->quantum + 1) * limit->quantum - 1 + limit->period;
}

static int64_t
counted(const struct fg_limit *limit, fg_usec now)
{
	int64_t sum = 0;

	for (size_t i = model.count; i > 0 && model.events[i - 1].at > now - 2 * limit->period; i--)
		if (leaves(limit, model.events[i - 1].at) > now)
			sum += model.events[i - 1].units;
	return sum;
}

static int64_t
within_a_period(const struct fg_limit *limit, fg_usec now)
{
	int64_t sum = 0;

	for (size_t i = model.count; i > 0 && model.events[i - 1].at > now - limit->period; i--)
		sum += model.events[i - 1].units;
	return sum;
}

static void
sliding_window_is_exact(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fg_limit limit;
		struct fg_limit_record record = {0};
		fg_usec now = START;

		seed = round + 1;
		model.count = 0;
		limit = make(FG_LIMIT_SLIDING_WINDOW, 1 + (int64_t)draw(round % 2 ? 32 : 500), round % 3 ? 10 * S + 7000 : FG_US_PER_MS, 0);
		for (unsigned step = 0; step < STEPS; step++) {
			int64_t cost = (int64_t)draw((uint64_t)limit.count / 8 + 2);
			struct fg_limit_result result;
			bool allowed;

			now += draw_step(limit.period);
			result = take(&limit, &record, cost, now);
			allowed = counted(&limit, now) + cost <= limit.count;
			if (allowed)
				model.events[model.count++] = (struct event){.at = now, .units = cost};
			if (result.allowed != allowed || result.remaining != limit.count - counted(&limit, now))
				CU_FAIL_FATAL("the log differs from its model");
			if (within_a_period(&limit, now) > limit.count)
				CU_FAIL_FATAL("more than the limit within a period");
			if (!allowed && cost <= limit.count &&
			    (counted(&limit, now + result.retry_after) + cost > limit.count ||
				counted(&limit, now + result.retry_after - 1) + cost <= limit.count))
				CU_FAIL_FATAL("retry_after is not when it would be allowed");
		}
	}
}

/* ---- fixed window */

static void
fixed_window_is_exact(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fg_limit limit;
		struct fg_limit_record record = {0};
		fg_usec now = START, window = 0;
		int64_t used = 0;

		seed = round + 1;
		limit = make(FG_LIMIT_FIXED_WINDOW, 1 + (int64_t)draw(40), round % 2 ? MINUTE : 700 * FG_US_PER_MS, 0);
		for (unsigned step = 0; step < STEPS; step++) {
			int64_t cost = (int64_t)draw(4);
			struct fg_limit_result result;
			bool allowed;

			now += draw_step(limit.period);
			result = take(&limit, &record, cost, now);
			if (now / limit.period != window)
				used = 0;
			window = now / limit.period;
			allowed = used + cost <= limit.count;
			used += allowed ? cost : 0;
			if (result.allowed != allowed || result.remaining != limit.count - used ||
			    result.reset != (window + 1) * limit.period - now)
				CU_FAIL_FATAL("the window differs from its model");
		}
	}
}

/* ---- concurrency */

static int64_t
model_held(int64_t epoch)
{
	int64_t sum = 0;

	for (size_t i = 0; i < model.count; i++)
		if (model.events[i].epoch > epoch - FG_LIMIT_EPOCHS)
			sum += model.events[i].units;
	return sum;
}

static void
concurrency_is_exact(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fg_limit limit;
		struct fg_limit_record record = {0};
		fg_usec now = START;

		seed = round + 1;
		model.count = 0;
		limit = make(FG_LIMIT_CONCURRENCY, 1 + (int64_t)draw(20), 30 * S, 0);
		for (unsigned step = 0; step < STEPS; step++) {
			int64_t epoch;
			size_t which = model.count == 0 ? 0 : draw(model.count);

			now += draw_step(limit.quantum);
			epoch = now / limit.quantum;
			if (model.count > 0 && draw(3) == 0) {
				fg_limit_give(&limit, &record, model.events[which].units, model.events[which].epoch, now);
				model.events[which] = model.events[--model.count];
			} else if (model.count > 0 && draw(3) == 0) {
				/* One that has lapsed and is renewed counts again. */
				model.events[which].epoch =
				    fg_limit_renew(&limit, &record, model.events[which].units, model.events[which].epoch, now);
				if (model.events[which].epoch != epoch)
					CU_FAIL_FATAL("renewed to another epoch");
			} else {
				struct fg_limit_result result = take(&limit, &record, 1, now);
				bool allowed = model_held(epoch) + 1 <= limit.count;

				if (allowed)
					model.events[model.count++] = (struct event){now, 1, epoch};
				if (result.allowed != allowed || (allowed && result.hold != epoch))
					CU_FAIL_FATAL("what is held differs from its model");
				if (result.remaining != (model_held(epoch) > limit.count ? 0 : limit.count - model_held(epoch)))
					CU_FAIL_FATAL("what remains differs from its model");
			}
		}
	}
}

/* A holder that dies gives back after one to one and a third leases. */
static void
a_hold_lapses(void)
{
	struct fg_limit limit = make(FG_LIMIT_CONCURRENCY, 1, 30 * S, 0);
	struct fg_limit_record record = {0};

	CU_ASSERT(take(&limit, &record, 1, START).allowed);
	CU_ASSERT(!take(&limit, &record, 1, START + 30 * S).allowed);
	CU_ASSERT(take(&limit, &record, 1, START + 40 * S).allowed);
}

/* Renewals of what had lapsed stay in the count of their epoch, and what is given back is given back from there. */
static void
a_count_that_is_full(void)
{
	struct fg_limit limit = make(FG_LIMIT_CONCURRENCY, FG_LIMIT_MAX_AT_ONCE, 30 * S, 0);
	struct fg_limit_record record = {0};
	int64_t hold;

	CU_ASSERT(take(&limit, &record, FG_LIMIT_MAX_AT_ONCE, START).allowed);
	hold = fg_limit_renew(&limit, &record, 1, 0, START);
	CU_ASSERT_EQUAL(fg_limit_take(&limit, &record, 1, START).x, FG_LIMIT_MAX_AT_ONCE);
	fg_limit_give(&limit, &record, FG_LIMIT_MAX_AT_ONCE, hold, START);
	CU_ASSERT_EQUAL(fg_limit_take(&limit, &record, 0, START).x, 0);
}

/* ---- giving back */

/* What was allowed and not given back would have been allowed too if the rest had never been asked for. */
static void
what_is_given_back_opens_no_limit(void)
{
	unsigned gone = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fg_limit limit;
		struct fg_limit_record record = {0}, without = {0};
		struct fg_limit_ask owed = {.cost = 0};
		fg_usec now = START;

		seed = round + 1;
		limit = make((enum fg_limit_algorithm)(round % 3), 1 + (int64_t)draw(50), 10 * S, 1 + (int64_t)draw(20));
		for (unsigned step = 0; step < STEPS; step++) {
			int64_t cost = 1 + (int64_t)draw(4);
			struct fg_limit_result result;

			now += draw_step(limit.period / 4);
			if (owed.cost > 0 && draw(3) == 0) {
				fg_limit_give(&limit, &record, owed.cost, owed.hold, now);
				owed.cost = 0;
				gone++;
			}
			result = take(&limit, &record, cost, now);
			if (result.allowed && owed.cost == 0 && draw(2) == 0)
				owed = (struct fg_limit_ask){.cost = cost, .hold = result.hold};
			else if (result.allowed && !take(&limit, &without, cost, now).allowed)
				CU_FAIL_FATAL("more than the limit");
		}
	}
	CU_ASSERT(gone > 1000);
}

/* As Redis has it, which deletes it: nothing is left of what was given back whole, and of what a clock set back has made impossible. */
static void
what_is_nothing_is_forgotten(void)
{
	for (enum fg_limit_algorithm algorithm = FG_LIMIT_SLIDING_WINDOW; algorithm <= FG_LIMIT_CONCURRENCY; algorithm++) {
		for (unsigned i = 0; i < 2; i++) {
			struct fg_limit limit = make(algorithm, 10, 30 * S, 0);
			struct fg_limit_record record = {0};
			struct fg_limit_result result = take(&limit, &record, 3, START);

			CU_ASSERT(fg_limit_expiry(&limit, &record) > START);
			fg_limit_give(&limit, &record, i == 0 ? 3 : 1, result.hold, i == 0 ? START : START - DAY);
			CU_ASSERT_EQUAL(fg_limit_expiry(&limit, &record), 0);
		}
	}
}

/* A bucket of ten, one a second: what has run full meanwhile has nothing to get back, what has not gets what is missing. */
static void
a_bucket_gets_back_what_it_still_lacks(void)
{
	static const struct {
		fg_usec after;
		int64_t more, left; /* taken meanwhile, at the end of that time; left at last */
	} rows[] = {{0, 0, 10}, {S, 0, 10}, {5 * S, 10, 0}, {3 * S, 10, 0}, {2 * S, 5, 5}, {S, 6, 4}, {0, 7, 3}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 10, 10 * S, 10);
		struct fg_limit_record record = {0};
		struct fg_limit_result result = take(&limit, &record, 3, START);

		CU_ASSERT(take(&limit, &record, rows[i].more, START + rows[i].after).allowed);
		fg_limit_give(&limit, &record, 3, result.hold, START + rows[i].after);
		CU_ASSERT_EQUAL(take(&limit, &record, 0, START + rows[i].after).remaining, rows[i].left);
	}
}

/* ---- shares, keys */

/* Shares of one limit have their records in one place; with few units they count in microseconds, with more in quanta. */
static void
shares_that_change_begin_anew(void)
{
	struct fg_limit window = make(FG_LIMIT_SLIDING_WINDOW, 100, 366 * DAY, 0), few = fg_limit_share(&window, 4, 1);
	struct fg_limit_record record = {0};

	CU_ASSERT_NOT_EQUAL(window.quantum, few.quantum);
	for (fg_usec now = START; now < START + 3 * S; now += S)
		CU_ASSERT(take(&few, &record, 1, now).allowed);
	CU_ASSERT_EQUAL(record.entries, 3);
	CU_ASSERT_EQUAL(take(&window, &record, 1, START + 3 * S).remaining, 99);
	CU_ASSERT_EQUAL(take(&few, &record, 1, START + 3 * S).remaining, 24);
}

static void
shares_add_up_to_the_limit(void)
{
	for (unsigned hosts = 1; hosts < 12; hosts++) {
		struct fg_limit bucket = make(FG_LIMIT_TOKEN_BUCKET, 100, MINUTE, 40), share = fg_limit_share(&bucket, hosts, 1);
		struct fg_limit window = make(FG_LIMIT_FIXED_WINDOW, 100, MINUTE, 0);

		CU_ASSERT(share.burst * hosts <= bucket.burst);
		CU_ASSERT(share.burst >= 1);
		CU_ASSERT_EQUAL(share.count, bucket.count);
		CU_ASSERT_EQUAL(share.period, bucket.period * hosts);
		share = fg_limit_share(&window, hosts, 1);
		CU_ASSERT_EQUAL(share.count, 100 / hosts);
		share = fg_limit_share(&window, 1000, 5);
		CU_ASSERT_EQUAL(share.count, 5);
	}
}

/* Fractions of a bucket are of other parts than its shares': they are rounded up to a whole microsecond. */
static void
shares_of_a_bucket_have_parts_of_their_own(void)
{
	struct fg_limit bucket = make(FG_LIMIT_TOKEN_BUCKET, 7, MINUTE, 7), share = fg_limit_share(&bucket, 7, 1);
	struct fg_limit_record record = {.a = START + share.capacity.us - 1, .b = 6};
	struct fg_limit_result result;

	CU_ASSERT_EQUAL(bucket.parts, 7);
	CU_ASSERT_EQUAL(share.parts, 1);
	result = take(&share, &record, 1, START);
	CU_ASSERT(!result.allowed);
	CU_ASSERT_EQUAL(result.remaining, 0);
	CU_ASSERT_EQUAL(result.retry_after, share.capacity.us);
	CU_ASSERT(record.b < share.parts);
}

static void
keys_are_injective(void)
{
	static const struct fg_limit_part parts[][2] = {
	    {{1, {"", 0}, {"ab", 2}}, {1, {"", 0}, {"c", 1}}},
	    {{1, {"", 0}, {"a", 1}}, {1, {"", 0}, {"bc", 2}}},
	    {{1, {"a", 1}, {"b", 1}}, {1, {"", 0}, {"c", 1}}},
	    {{2, {"", 0}, {"ab", 2}}, {1, {"", 0}, {"c", 1}}},
	    {{1, {"", 0}, {"abc", 3}}, {1, {"", 0}, {"", 0}}},
	};
	struct fg_limit limits[] = {make(FG_LIMIT_TOKEN_BUCKET, 100, MINUTE, 40), make(FG_LIMIT_TOKEN_BUCKET, 100, MINUTE, 41),
	    make(FG_LIMIT_TOKEN_BUCKET, 101, MINUTE, 40), make(FG_LIMIT_FIXED_WINDOW, 100, MINUTE, 40)};
	struct fg_limit_key keys[4 * 5 * 2];
	uint8_t id[FG_LIMIT_ID_BYTES];
	struct fg_arena arena;
	size_t count = 0;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	for (size_t i = 0; i < 4; i++) {
		fg_limit_id(id, FG_STR("per-user"), &limits[i]);
		for (size_t k = 0; k < 5; k++)
			for (size_t n = 1; n <= 2; n++)
				fg_limit_key_make(&keys[count++], id, parts[k], n, true, &arena);
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			CU_ASSERT(keys[i].v[0] != keys[k].v[0] && keys[i].v[1] != keys[k].v[1]);
		/* What counts by the same has the same tag, whatever the limit. */
		CU_ASSERT_EQUAL(memcmp(keys[i].tag, keys[i % 10].tag, FG_LIMIT_TAG_BYTES), 0);
		CU_ASSERT(i % 10 == 0 || memcmp(keys[i].tag, keys[i - 1].tag, FG_LIMIT_TAG_BYTES) != 0);
	}
	fg_arena_fini(&arena);
}

void
suite_limit(void)
{
	CU_pSuite suite = CU_add_suite("limit", NULL, NULL);

	ADD_TEST(suite, bucket_is_exact);
	ADD_TEST(suite, nothing_drifts);
	ADD_TEST(suite, bounds_of_rates);
	ADD_TEST(suite, a_cost_above_the_burst);
	ADD_TEST(suite, a_clock_that_is_set_back);
	ADD_TEST(suite, sliding_window_is_exact);
	ADD_TEST(suite, fixed_window_is_exact);
	ADD_TEST(suite, concurrency_is_exact);
	ADD_TEST(suite, a_hold_lapses);
	ADD_TEST(suite, a_count_that_is_full);
	ADD_TEST(suite, what_is_given_back_opens_no_limit);
	ADD_TEST(suite, what_is_nothing_is_forgotten);
	ADD_TEST(suite, a_bucket_gets_back_what_it_still_lacks);
	ADD_TEST(suite, shares_that_change_begin_anew);
	ADD_TEST(suite, shares_of_a_bucket_have_parts_of_their_own);
	ADD_TEST(suite, shares_add_up_to_the_limit);
	ADD_TEST(suite, keys_are_injective);
}
