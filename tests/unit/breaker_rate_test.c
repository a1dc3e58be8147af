/* lib/service/breaker_rate.c: requests and failures of the last while, beside a count that remembers each of them. */
#include "service/breaker_rate.h"

#include <pthread.h>
#include <stdlib.h>

#include "unit/unit.h"

#define S * (fg_usec)FG_US_PER_S

enum { EVENTS = 20000 };

static const fg_usec within = 10 * FG_US_PER_S;

struct event {
	fg_usec at;
	bool failed;
};

/* Of those younger than that. */
static struct fg_breaker_tally
remember(const struct event *events, size_t count, fg_usec now, fg_usec age)
{
	struct fg_breaker_tally tally = {0};

	for (size_t i = 0; i < count; i++)
		if (now - events[i].at < age) {
			tally.requests++;
			tally.failed += events[i].failed;
		}
	return tally;
}

/* What it says lies between what a window of nine tenths holds and what the whole does, at all times. */
static void
it_is_exact_but_for_a_tenth(void)
{
	static struct event events[EVENTS];
	struct fg_breaker_rate rate = {0};
	fg_usec now = 1000 S;
	uint64_t random = 1;

	for (size_t i = 0; i < EVENTS; i++) {
		struct fg_breaker_tally least, most, tally;

		random = random * UINT64_C(6364136223846793005) + 1;
		/* Mostly some ms, and sometimes longer than the window. */
		now += (fg_usec)(random >> 40) % (i % 997 == 0 ? 15 S : 20 * FG_US_PER_MS);
		events[i] = (struct event){now, random >> 33 & 1};
		fg_breaker_rate_add(&rate, within, events[i].failed, now);
		if (i % 16 != 0)
			continue;
		tally = fg_breaker_rate_sum(&rate, within, now);
		least = remember(events, i + 1, now, within * (FG_BREAKER_PARTS - 1) / FG_BREAKER_PARTS);
		most = remember(events, i + 1, now, within);
		CU_ASSERT_FATAL(tally.requests >= least.requests && tally.requests <= most.requests);
		CU_ASSERT_FATAL(tally.failed >= least.failed && tally.failed <= most.failed);
	}
}

static void
who_is_late_spoils_nothing(void)
{
	struct fg_breaker_rate rate = {0};

	for (int i = 0; i < 5; i++)
		fg_breaker_rate_add(&rate, within, true, 1000 S);
	/* By a part it is counted where it belongs, by a window not at all. */
	fg_breaker_rate_add(&rate, within, true, 999 S);
	CU_ASSERT_EQUAL(fg_breaker_rate_sum(&rate, within, 1000 S).failed, 6);
	fg_breaker_rate_add(&rate, within, true, 990 S);
	CU_ASSERT_EQUAL(fg_breaker_rate_sum(&rate, within, 1000 S).failed, 6);
	/* By a configuration with another time it begins anew, and once more by one that has the first again. */
	fg_breaker_rate_add(&rate, 10 * within, false, 1000 S);
	CU_ASSERT_EQUAL(fg_breaker_rate_sum(&rate, 10 * within, 1000 S).requests, 1);
	fg_breaker_rate_add(&rate, within, false, 1000 S);
	CU_ASSERT_EQUAL(fg_breaker_rate_sum(&rate, within, 1000 S).requests, 2);
	CU_ASSERT_EQUAL(fg_breaker_rate_sum(&rate, within, 1000 S).failed, 1);
	fg_breaker_rate_clear(&rate);
	CU_ASSERT_EQUAL(fg_breaker_rate_sum(&rate, within, 1000 S).requests, 0);
}

/* More than a part can hold are as many as it can: the share stays what it was. */
static void
a_part_may_be_full(void)
{
	struct fg_breaker_rate rate = {0};
	struct fg_breaker_tally tally;

	for (int i = 0; i < 5000000; i++)
		fg_breaker_rate_add(&rate, within, i % 2 == 0, 1000 S);
	tally = fg_breaker_rate_sum(&rate, within, 1000 S);
	CU_ASSERT_EQUAL(tally.requests, (1 << 22) - 1);
	CU_ASSERT_EQUAL(tally.failed, 1 << 21);
}

/* ---- several at once */

enum { THREADS = 4, ADDS = 50000 };

static void *
add_many(void *arg)
{
	for (int i = 0; i < ADDS; i++)
		fg_breaker_rate_add(arg, within, i % 4 == 0, 1000 S + i * within / ADDS / 2);
	return NULL;
}

static void
none_is_lost(void)
{
	struct fg_breaker_rate rate = {0};
	pthread_t threads[THREADS];
	struct fg_breaker_tally tally;

	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, add_many, &rate), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	tally = fg_breaker_rate_sum(&rate, within, 1005 S);
	CU_ASSERT_EQUAL(tally.requests, THREADS * ADDS);
	CU_ASSERT_EQUAL(tally.failed, THREADS * ADDS / 4);
}

void
suite_breaker_rate(void)
{
	CU_pSuite suite = CU_add_suite("breaker_rate", NULL, NULL);

	ADD_TEST(suite, it_is_exact_but_for_a_tenth);
	ADD_TEST(suite, who_is_late_spoils_nothing);
	ADD_TEST(suite, a_part_may_be_full);
	ADD_TEST(suite, none_is_lost);
}
