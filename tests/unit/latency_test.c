/* lib/service/latency.c: how long a service has taken lately. */
#include "service/latency.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "unit/unit.h"

#define MS * (fg_usec)FG_US_PER_MS
#define S * (fg_usec)FG_US_PER_S

static void
add_many(struct fg_latency *latency, int count, fg_usec span, fg_usec now)
{
	for (int i = 0; i < count; i++)
		fg_latency_add(latency, 95, span, now);
}

/* A bucket is a quarter of a doubling. */
static bool
is_about(fg_usec found, fg_usec span)
{
	return found >= span * 4 / 5 && found <= span * 5 / 4;
}

static void
few_tell_nothing(void)
{
	struct fg_latency latency = {.added = 0};

	CU_ASSERT_EQUAL(fg_latency_get(&latency), 0);
	add_many(&latency, 16, 5 MS, 1 S);
	CU_ASSERT_EQUAL(fg_latency_get(&latency), 0);
	add_many(&latency, 16, 5 MS, 1 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 5 MS));
}

static void
the_rare_need_more(void)
{
	struct fg_latency latency = {.added = 0};

	for (int i = 0; i < 96; i++)
		fg_latency_add(&latency, 99, 5 MS, 1 S);
	CU_ASSERT_EQUAL(fg_latency_get(&latency), 0);
	for (int i = 0; i < 16; i++)
		fg_latency_add(&latency, 99, 5 MS, 1 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 5 MS));
}

static void
a_percentile_of_them(void)
{
	static const struct {
		int percentile;
		fg_usec span;
	} cases[] = {{50, 50 MS}, {75, 75 MS}, {90, 90 MS}, {95, 95 MS}, {99, 99 MS}};

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		struct fg_latency latency = {.added = 0};

		for (int n = 0; n < 1600; n++)
			fg_latency_add(&latency, cases[i].percentile, (n % 100 + 1) MS, 1 S);
		CU_ASSERT(is_about(fg_latency_get(&latency), cases[i].span));
	}
}

static void
slower_ones_are_beyond(void)
{
	struct fg_latency latency = {.added = 0};

	for (int n = 0; n < 1600; n++)
		fg_latency_add(&latency, 95, n % 100 < 4 ? 800 MS : 10 MS, 1 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 10 MS));
	for (int n = 0; n < 1600; n++)
		fg_latency_add(&latency, 95, n % 100 < 20 ? 800 MS : 10 MS, 1 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 800 MS));
}

static void
it_follows_what_happens(void)
{
	struct fg_latency latency = {.added = 0};

	add_many(&latency, 100000, 10 MS, 1 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 10 MS));
	/* However many there were: a few thousand are remembered. */
	add_many(&latency, 400, 200 MS, 2 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 200 MS));
}

static void
the_old_fades(void)
{
	struct fg_latency latency = {.added = 0};

	add_many(&latency, 1600, 200 MS, 1 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 200 MS));
	/* An hour later none of these counts; until enough are there again, nothing is known. */
	add_many(&latency, 16, 5 MS, 3601 S);
	CU_ASSERT_EQUAL(fg_latency_get(&latency), 0);
	add_many(&latency, 32, 5 MS, 3602 S);
	CU_ASSERT(is_about(fg_latency_get(&latency), 5 MS));
}

static void
extremes_have_their_place(void)
{
	struct fg_latency latency = {.added = 0};

	add_many(&latency, 32, 0, 1 S);
	CU_ASSERT(fg_latency_get(&latency) > 0 && fg_latency_get(&latency) <= 80);
	add_many(&latency, 3200, INT64_MAX, 1 S);
	CU_ASSERT(fg_latency_get(&latency) > 50 S && fg_latency_get(&latency) <= 68 S);
}

enum { WORKERS = 4, EACH = 40000 };

static void *
add_as_worker(void *arg)
{
	for (int i = 0; i < EACH; i++)
		fg_latency_add(arg, 95, (i % 100 + 1) MS, 1 S);
	return NULL;
}

/* Several at once, with halvings between: no count is taken below zero. */
static void
workers_share_it(void)
{
	struct fg_latency latency = {.added = 0};
	pthread_t threads[WORKERS];
	uint64_t sum = 0;

	for (int i = 0; i < WORKERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, add_as_worker, &latency), 0);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < FG_LATENCY_BUCKETS; i++)
		sum += latency.buckets[i];
	CU_ASSERT_EQUAL(latency.added, WORKERS * EACH);
	/* Between a sixteenth and all of what is remembered: each of the four may have been about to halve. */
	CU_ASSERT(sum > 200 && sum < 10000);
	CU_ASSERT(is_about(fg_latency_get(&latency), 95 MS));
}

void
suite_latency(void)
{
	CU_pSuite suite = CU_add_suite("latency", NULL, NULL);

	ADD_TEST(suite, few_tell_nothing);
	ADD_TEST(suite, the_rare_need_more);
	ADD_TEST(suite, a_percentile_of_them);
	ADD_TEST(suite, slower_ones_are_beyond);
	ADD_TEST(suite, it_follows_what_happens);
	ADD_TEST(suite, the_old_fades);
	ADD_TEST(suite, extremes_have_their_place);
	ADD_TEST(suite, workers_share_it);
}
