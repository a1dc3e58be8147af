/* lib/service/breaker.c: one breaker for a whole pool. */
#include "service/breaker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/unit.h"

#define S * (fg_usec)FG_US_PER_S

static const struct fg_breaker_conf conf = {.failures = 3, .within = 10 * FG_US_PER_S, .open_for = 5 * FG_US_PER_S,
    .open_most = 15 * FG_US_PER_S};
static const struct fg_breaker_conf by_rate = {.failures = 0, .error_rate = 50, .requests = 20, .within = 10 * FG_US_PER_S,
    .open_for = 5 * FG_US_PER_S, .open_most = 15 * FG_US_PER_S};
static const struct fg_breaker_pass many; /* let through while it was closed */
static struct fg_breaker breaker;
static struct fg_breaker_pass pass; /* of the last that entered */

static void
given_closed(void)
{
	breaker = (struct fg_breaker){0};
}

static enum fg_breaker_change
fails(struct fg_breaker_pass of, fg_usec now)
{
	return fg_breaker_failed(&breaker, &conf, of, now);
}

static enum fg_breaker_change
succeeds(struct fg_breaker_pass of, fg_usec now)
{
	return fg_breaker_succeeded(&breaker, &conf, of, now);
}

static bool
enters(fg_usec now)
{
	return fg_breaker_enter(&breaker, &conf, now, &pass);
}

static void
given_open(fg_usec since)
{
	given_closed();
	for (unsigned i = 0; i < conf.failures; i++)
		fails(many, since);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_OPEN);
}

static void
opens_after_failures_in_a_row(void)
{
	given_closed();
	CU_ASSERT_EQUAL(fails(many, 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 101 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(succeeds(many, 101 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 102 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 103 S), FG_BREAKER_SAME);
	CU_ASSERT(enters(103 S));
	CU_ASSERT_EQUAL(pass.until, 0);
	CU_ASSERT_EQUAL(fails(many, 104 S), FG_BREAKER_OPENED);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_OPEN);
	CU_ASSERT(!fg_breaker_is_by_rate(&breaker));
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 104 S), 5 S);
	CU_ASSERT(!enters(108 S));
	/* Of requests that were sent before. */
	CU_ASSERT_EQUAL(fails(many, 105 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(succeeds(many, 105 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_OPEN);
}

static void
old_failures_do_not_count(void)
{
	given_closed();
	CU_ASSERT_EQUAL(fails(many, 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 105 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 111 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 112 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 113 S), FG_BREAKER_OPENED);
}

static void
one_request_tries(void)
{
	given_open(100 S);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 105 S), 0);
	CU_ASSERT(enters(105 S));
	CU_ASSERT(pass.until != 0 && pass.is_first);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_HALF_OPEN);
	CU_ASSERT(!enters(105 S));
	CU_ASSERT(enters(110 S)); /* nothing was heard of the first */
	CU_ASSERT(pass.until != 0 && !pass.is_first);
	CU_ASSERT_EQUAL(fails(pass, 111 S), FG_BREAKER_OPENED);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 111 S), 10 S);
	CU_ASSERT(enters(121 S));
	CU_ASSERT_EQUAL(fails(pass, 121 S), FG_BREAKER_OPENED);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 121 S), 15 S);
	CU_ASSERT(enters(136 S));
	/* Its worker may have died. */
	CU_ASSERT(!enters(150 S));
	CU_ASSERT(enters(151 S));
	CU_ASSERT_EQUAL(succeeds(pass, 151 S), FG_BREAKER_CLOSED_AGAIN);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_CLOSED);
	for (unsigned i = 0; i < conf.failures; i++)
		fails(many, 152 S);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 152 S), 5 S);
}

/* What was sent before it opened and ends only now says nothing; one that tries and is slow does. */
static void
only_those_that_try_have_a_say(void)
{
	struct fg_breaker_pass slow;

	given_open(100 S);
	CU_ASSERT(enters(105 S));
	slow = pass;
	CU_ASSERT_EQUAL(succeeds(many, 106 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fails(many, 106 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_HALF_OPEN);
	CU_ASSERT(enters(110 S));
	CU_ASSERT_EQUAL(succeeds(slow, 111 S), FG_BREAKER_CLOSED_AGAIN);
	CU_ASSERT_EQUAL(succeeds(pass, 111 S), FG_BREAKER_SAME);
}

/* The client of the one that tries has left. */
static void
one_that_was_given_up_makes_room(void)
{
	struct fg_breaker_pass first, second;

	given_open(100 S);
	CU_ASSERT(enters(105 S));
	first = pass;
	CU_ASSERT(!enters(106 S));
	fg_breaker_give_back(&breaker, first, 106 S);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 106 S), 0);
	CU_ASSERT(enters(106 S));
	second = pass;
	/* Another has its place now; and one of many has none. */
	fg_breaker_give_back(&breaker, first, 107 S);
	fg_breaker_give_back(&breaker, many, 107 S);
	CU_ASSERT(!enters(107 S));
	CU_ASSERT_EQUAL(fails(second, 107 S), FG_BREAKER_OPENED);
	fg_breaker_give_back(&breaker, second, 107 S);
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 107 S), 10 S);
}

/* ---- by rate */

/* "x" fails, "." is well; at that time. The last change. */
static enum fg_breaker_change
happens(const char *events, fg_usec now)
{
	enum fg_breaker_change change = FG_BREAKER_SAME;

	for (const char *c = events; *c != '\0'; c++)
		change = *c == 'x' ? fg_breaker_failed(&breaker, &by_rate, many, now)
				   : fg_breaker_succeeded(&breaker, &by_rate, many, now);
	return change;
}

static void
opens_by_rate(void)
{
	given_closed();
	/* All of them fail, and they are too few to say anything. */
	CU_ASSERT_EQUAL(happens("xxxxxxxxxxxxxxxxxxx", 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(happens("x", 100 S), FG_BREAKER_OPENED);
	CU_ASSERT(fg_breaker_is_by_rate(&breaker));
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 100 S), 5 S);
	/* Never in a row; the half of them that says it all is the twentieth. */
	given_closed();
	CU_ASSERT_EQUAL(happens(".x.x.x.x.x.x.x.x.x.", 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(happens("x", 104 S), FG_BREAKER_OPENED);
	/* Less than half. */
	given_closed();
	CU_ASSERT_EQUAL(happens("..........x.x.x.x.x.x.x.x.x", 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_state(&breaker), FG_BREAKER_CLOSED);
}

static void
old_requests_do_not_count(void)
{
	given_closed();
	CU_ASSERT_EQUAL(happens("..............................", 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(happens("xxxxxxxxxxxxxxxxxxxx", 105 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(happens("x", 109 S), FG_BREAKER_SAME);
	/* The good ones are too old by now. */
	CU_ASSERT_EQUAL(happens("x", 111 S), FG_BREAKER_OPENED);
}

static void
what_opened_it_counts_no_longer(void)
{
	given_closed();
	happens("xxxxxxxxxxxxxxxxxxxx", 100 S);
	CU_ASSERT(fg_breaker_enter(&breaker, &by_rate, 105 S, &pass));
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &by_rate, pass, 105 S), FG_BREAKER_OPENED);
	CU_ASSERT(fg_breaker_is_by_rate(&breaker));
	CU_ASSERT_EQUAL(fg_breaker_wait(&breaker, 105 S), 10 S);
	given_closed();
	happens("xxxxxxxxxxxxxxxxxxxx", 100 S);
	CU_ASSERT(fg_breaker_enter(&breaker, &by_rate, 105 S, &pass));
	CU_ASSERT_EQUAL(fg_breaker_succeeded(&breaker, &by_rate, pass, 105 S), FG_BREAKER_CLOSED_AGAIN);
	CU_ASSERT(!fg_breaker_is_by_rate(&breaker));
	CU_ASSERT_EQUAL(happens("xxxxxxxxxxxxxxxxxxx", 105 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(happens("x", 105 S), FG_BREAKER_OPENED);
}

static void
whichever_comes_first(void)
{
	struct fg_breaker_conf both = by_rate;

	both.failures = 3;
	given_closed();
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &both, many, 100 S), FG_BREAKER_SAME);
	CU_ASSERT_EQUAL(fg_breaker_failed(&breaker, &both, many, 100 S), FG_BREAKER_OPENED);
	CU_ASSERT(!fg_breaker_is_by_rate(&breaker));
	CU_ASSERT_STRING_EQUAL(fg_breaker_word(fg_breaker_state(&breaker)), "open");
}

/* ---- several at once */

enum { WORKERS = 4, ROUNDS = 20000 };

struct party {
	struct fg_breaker breaker;
	_Atomic unsigned opened, entered, tried;
};

static void *
fail_often(void *arg)
{
	struct party *party = arg;
	struct fg_breaker_pass mine;

	for (int i = 0; i < ROUNDS; i++) {
		if (!fg_breaker_enter(&party->breaker, &conf, 105 S, &mine))
			continue;
		atomic_fetch_add(&party->entered, 1);
		atomic_fetch_add(&party->tried, mine.until != 0);
		if (fg_breaker_failed(&party->breaker, &conf, mine, 105 S) == FG_BREAKER_OPENED)
			atomic_fetch_add(&party->opened, 1);
	}
	return NULL;
}

static void
four_workers_open_it_once(void)
{
	struct party party = {.opened = 0};
	pthread_t threads[WORKERS];

	for (unsigned i = 0; i < conf.failures; i++)
		fg_breaker_failed(&party.breaker, &conf, many, 100 S);
	for (int i = 0; i < WORKERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, fail_often, &party), 0);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	/* The one that tried failed: it is open for twice five seconds. */
	CU_ASSERT_EQUAL(party.entered, 1);
	CU_ASSERT_EQUAL(party.tried, 1);
	CU_ASSERT_EQUAL(party.opened, 1);
	CU_ASSERT_EQUAL(fg_breaker_wait(&party.breaker, 105 S), 10 S);
}

/* A worker that is killed while it counts leaves whole requests behind, and one that is killed while it tries no lock. */
static void
killed_workers_leave_nothing(void)
{
	struct fg_breaker *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct fg_breaker_conf never = by_rate;
	struct fg_breaker_tally tally;

	CU_ASSERT_FATAL(shared != MAP_FAILED);
	never.error_rate = 100;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;) {
				(void)fg_breaker_succeeded(shared, &never, many, 100 S);
				(void)fg_breaker_failed(shared, &never, many, 100 S);
			}
		do
			tally = fg_breaker_rate_sum(&shared->rate, never.within, 100 S);
		while (tally.requests < (unsigned)(i + 1) * 1000);
		kill(pid, SIGKILL);
		CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
		tally = fg_breaker_rate_sum(&shared->rate, never.within, 100 S);
		/* A good one, a bad one, in turn: each worker may have been killed after a good one. */
		CU_ASSERT(tally.requests >= 2 * tally.failed && tally.requests - 2 * tally.failed <= (unsigned)i + 1);
	}
	CU_ASSERT_EQUAL(fg_breaker_state(shared), FG_BREAKER_CLOSED);
	munmap(shared, sizeof(*shared));
}

void
suite_breaker(void)
{
	CU_pSuite suite = CU_add_suite("breaker", NULL, NULL);

	ADD_TEST(suite, opens_after_failures_in_a_row);
	ADD_TEST(suite, old_failures_do_not_count);
	ADD_TEST(suite, one_request_tries);
	ADD_TEST(suite, only_those_that_try_have_a_say);
	ADD_TEST(suite, one_that_was_given_up_makes_room);
	ADD_TEST(suite, opens_by_rate);
	ADD_TEST(suite, old_requests_do_not_count);
	ADD_TEST(suite, what_opened_it_counts_no_longer);
	ADD_TEST(suite, whichever_comes_first);
	ADD_TEST(suite, four_workers_open_it_once);
	ADD_TEST(suite, killed_workers_leave_nothing);
}
