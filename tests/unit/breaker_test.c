/* lib/core/breaker.c: one breaker for a whole pool. */
#include <pthread.h>
#include <stdlib.h>

#include "core/breaker.h"
#include "unit/unit.h"

static const struct fg_breaker_conf conf = {.failures = 3, .within = 10 * FG_US_PER_S, .open_for = 5 * FG_US_PER_S,
    .open_most = 15 * FG_US_PER_S};

#define S * (fg_usec)FG_US_PER_S

static void
opens_after_failures_in_a_row(void)
{
	fg_breaker breaker = 0;

	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 101 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_succeeded(&breaker, &conf), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 102 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 103 S), FG_BREAKER_SAME);
	CU_ASSERT(fg_breaker_enter(&breaker, &conf, 103 S));
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 104 S), FG_BREAKER_OPENED);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_OPEN);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, &conf, 104 S), 5 S);
	CU_ASSERT(!fg_breaker_enter(&breaker, &conf, 108 S));
	/* Late news of requests that were under way. */
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 105 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_succeeded(&breaker, &conf), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_OPEN);
}

static void
old_failures_do_not_count(void)
{
	fg_breaker breaker = 0;

	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 105 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 111 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 112 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 113 S), FG_BREAKER_OPENED);
}

static void
one_request_tries(void)
{
	fg_breaker breaker = 0;

	for (unsigned i = 0; i < conf.failures; i++)
		fg_breaker_failed(&breaker, &conf, 100 S);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, &conf, 105 S), 0);
	CU_ASSERT(fg_breaker_enter(&breaker, &conf, 105 S));
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_HALF_OPEN);
	CU_ASSERT(!fg_breaker_enter(&breaker, &conf, 105 S));
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 106 S), FG_BREAKER_OPENED);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, &conf, 106 S), 10 S);
	CU_ASSERT(fg_breaker_enter(&breaker, &conf, 116 S));
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &conf, 116 S), FG_BREAKER_OPENED);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, &conf, 116 S), 15 S);
	CU_ASSERT(fg_breaker_enter(&breaker, &conf, 131 S));
	/* Nothing was heard of that one; another may try after as long again. */
	CU_ASSERT(!fg_breaker_enter(&breaker, &conf, 145 S));
	CU_ASSERT(fg_breaker_enter(&breaker, &conf, 146 S));
	CU_ASSERT_EQUAL(fg_breaker_succeeded(&breaker, &conf), FG_BREAKER_CLOSED_AGAIN);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_CLOSED);
	for (unsigned i = 0; i < conf.failures; i++)
		fg_breaker_failed(&breaker, &conf, 147 S);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, &conf, 147 S), 5 S);
}

static void
without_one(void)
{
	const struct fg_breaker_conf none = {.failures = 0};
	fg_breaker breaker = 0;

	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &none, i S), FG_BREAKER_SAME);
	CU_ASSERT(fg_breaker_enter(&breaker, &none, 200 S));
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, &none, 200 S), 0);
}

/* ---- several at once */

enum { THREADS = 4, ROUNDS = 20000 };

struct party {
	fg_breaker breaker;
	_Atomic unsigned opened, entered;
};

static void *
fail_often(void *arg)
{
	struct party *party = arg;

	for (int i = 0; i < ROUNDS; i++) {
		if (fg_breaker_enter(&party->breaker, &conf, 105 S))
			atomic_fetch_add(&party->entered, 1);
		if (fg_breaker_failed(&party->breaker, &conf, 100 S) == FG_BREAKER_OPENED)
			atomic_fetch_add(&party->opened, 1);
	}
	return NULL;
}

static void
four_workers_open_it_once(void)
{
	struct party party = {.breaker = 0};
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < conf.failures; i++)
		fg_breaker_failed(&party.breaker, &conf, 100 S);
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, fail_often, &party), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Each time it was entered one failure opened it again, and at 105 s it is no longer let in once it failed at 100 s
	   for twice five seconds. */
	CU_ASSERT_EQUAL(party.entered, party.opened);
	CU_ASSERT_EQUAL(party.entered, 1);
	CU_ASSERT_EQUAL(fg_breaker_wait(&party.breaker, &conf, 105 S), 5 S);
}

void
suite_breaker(void)
{
	CU_pSuite suite = CU_add_suite("breaker", NULL, NULL);

	ADD_TEST(suite, opens_after_failures_in_a_row);
	ADD_TEST(suite, old_failures_do_not_count);
	ADD_TEST(suite, one_request_tries);
	ADD_TEST(suite, without_one);
	ADD_TEST(suite, four_workers_open_it_once);
}
