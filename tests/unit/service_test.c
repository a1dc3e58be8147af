/* lib/service/service.c: which target gets a request. */
#include "service/service.h"

#include <math.h>
#include <stdlib.h>

#include "service/targets.h"
#include "unit/unit.h"

enum { TARGETS = 4 };

#define S * (fg_usec)FG_US_PER_S

static struct fg_target_state states[TARGETS], whole;
static struct fg_target targets[TARGETS];
static struct fg_service service;
static int64_t credit[TARGETS];
static struct fg_service_state state;
static struct fg_tried tried;
static struct fg_pick pick;
static unsigned in_flight[TARGETS];
static fg_usec waits;
static struct fg_permit permit;
static const struct fg_breaker_pass free_pass; /* of a request that was let through while it was closed */

static void
get_in_flight(void *arg, const struct fg_target *const asked[], size_t count, unsigned out[])
{
	for (size_t i = 0; i < count; i++)
		out[i] = ((unsigned *)arg)[asked[i]->index];
}

static uint64_t
get_all_in_flight(void *arg, const struct fg_service *of)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < of->target_count; i++)
		sum += ((unsigned *)arg)[i];
	return sum;
}

static void
given(size_t count, enum fg_balance balance)
{
	static const char *const urls[TARGETS] = {"http://a", "http://b", "http://c", "http://d"};

	memset(states, 0, sizeof(states));
	memset(credit, 0, sizeof(credit));
	memset(in_flight, 0, sizeof(in_flight));
	memset(&tried, 0, sizeof(tried));
	for (unsigned i = 0; i < TARGETS; i++)
		targets[i] = (struct fg_target){.index = i, .weight = 1, .state = &states[i], .url = fg_str_from(urls[i]),
		    .url_hash = fg_service_hash_url(fg_str_from(urls[i]))};
	service = (struct fg_service){.targets = targets, .target_count = count, .balance = balance};
	state = (struct fg_service_state){.credit = credit};
	pick = (struct fg_pick){
	    .service = &service, .state = &state, .tried = &tried, .now = 100 S,
	    .in_flight = get_in_flight, .in_flight_to_all = get_all_in_flight, .arg = in_flight};
}

/* "a", "b" …; "?" when there is none. */
static char
picked(void)
{
	const struct fg_target *target;

	return fg_service_pick(&pick, &target, &permit, &waits) == FG_OK ? (char)('a' + target->index) : '?';
}

static const char *
order(size_t n)
{
	static char text[64];

	for (size_t i = 0; i < n; i++)
		text[i] = picked();
	text[n] = '\0';
	return text;
}

static void
count(unsigned n, unsigned counts[TARGETS])
{
	memset(counts, 0, TARGETS * sizeof(*counts));
	for (unsigned i = 0; i < n; i++) {
		char c = picked();

		CU_ASSERT_FATAL(c != '?');
		counts[c - 'a']++;
	}
}

static void
weights_are_smooth(void)
{
	given(3, FG_BALANCE_ROUND_ROBIN);
	targets[0].weight = 5;
	CU_ASSERT_STRING_EQUAL(order(7), "aabacaa");
}

static void
who_is_not_available_gets_nothing(void)
{
	static const struct fg_service_health health = {.panic = 50, .every = 3 S};

	given(3, FG_BALANCE_ROUND_ROBIN);
	atomic_store(&states[1].drained, 1);
	CU_ASSERT_STRING_EQUAL(order(4), "acac");
	fg_tried_add(&tried, &targets[0]);
	CU_ASSERT_STRING_EQUAL(order(2), "cc");
	fg_tried_add(&tried, &targets[2]);
	CU_ASSERT_EQUAL(picked(), '?');
	given(3, FG_BALANCE_ROUND_ROBIN);
	service.health = &health;
	fg_health_report(&states[2].health, &(struct fg_health_conf){1, 1}, false, 1 S);
	CU_ASSERT_STRING_EQUAL(order(4), "abab");
	/* Two of three down: the probes may be wrong. */
	fg_health_report(&states[0].health, &(struct fg_health_conf){1, 1}, false, 1 S);
	CU_ASSERT_STRING_EQUAL(order(3), "abc");
	atomic_store(&states[0].drained, 1);
	CU_ASSERT_STRING_EQUAL(order(3), "bbb");
	atomic_store(&states[1].drained, 1);
	atomic_store(&states[2].drained, 1);
	CU_ASSERT_EQUAL(picked(), '?');
	CU_ASSERT_EQUAL(waits, 3 S);
}

static void
no_more_than_max_connections(void)
{
	const struct fg_target *target;

	given(2, FG_BALANCE_ROUND_ROBIN);
	targets[0].max_connections = 2;
	in_flight[0] = 2;
	CU_ASSERT_STRING_EQUAL(order(3), "bbb");
	targets[1].max_connections = 5;
	in_flight[1] = 7;
	CU_ASSERT_EQUAL(fg_service_pick(&pick, &target, &permit, &waits), FG_ERR_SERVICE_UNAVAILABLE);
	in_flight[0] = 1;
	CU_ASSERT_EQUAL(picked(), 'a');
}

static void
open_breakers_are_passed_over(void)
{
	static const struct fg_service_breaker breaker = {
	    .conf = {.failures = 1, .within = 10 S, .open_for = 5 S, .open_most = 60 S}};
	const struct fg_target *target;
	struct fg_breaker_pass tries;

	given(2, FG_BALANCE_ROUND_ROBIN);
	service.breaker = &breaker;
	fg_breaker_failed(&states[0].breaker, &breaker.conf, free_pass, 98 S);
	CU_ASSERT_STRING_EQUAL(order(3), "bbb");
	fg_breaker_failed(&states[1].breaker, &breaker.conf, free_pass, 99 S);
	CU_ASSERT_EQUAL(fg_service_pick(&pick, &target, &permit, &waits), FG_ERR_BREAKER_OPEN);
	CU_ASSERT_EQUAL(waits, 3 S);
	/* One request tries, the next does not. */
	pick.now = 103 S;
	CU_ASSERT_EQUAL(picked(), 'a');
	tries = permit.target;
	CU_ASSERT(tries.until != 0 && tries.is_first);
	CU_ASSERT_EQUAL(fg_breaker_state(&states[0].breaker), FG_BREAKER_HALF_OPEN);
	CU_ASSERT_EQUAL(fg_service_pick(&pick, &target, &permit, &waits), FG_ERR_BREAKER_OPEN);
	CU_ASSERT_EQUAL(waits, 1 S);
	fg_breaker_succeeded(&states[0].breaker, &breaker.conf, tries, 103 S);
	CU_ASSERT_STRING_EQUAL(order(2), "aa");
}

static void
given_service_breaker(void)
{
	static const struct fg_service_breaker breaker = {
	    .conf = {.failures = 1, .within = 10 S, .open_for = 5 S, .open_most = 60 S}};

	memset(&whole, 0, sizeof(whole));
	service.state = &whole;
	service.service_breaker = &breaker;
}

/* Of all targets together: none is asked while it is open, and one request tries. */
static void
the_service_as_a_whole_rests(void)
{
	const struct fg_target *target;
	struct fg_breaker_pass tries;

	given(2, FG_BALANCE_ROUND_ROBIN);
	given_service_breaker();
	CU_ASSERT_EQUAL(picked(), 'a');
	CU_ASSERT_EQUAL(permit.service.until, 0);
	fg_breaker_failed(&whole.breaker, &service.service_breaker->conf, free_pass, 99 S);
	CU_ASSERT_EQUAL(fg_service_pick(&pick, &target, &permit, &waits), FG_ERR_BREAKER_OPEN);
	CU_ASSERT_EQUAL(waits, 4 S);
	pick.now = 104 S;
	CU_ASSERT(picked() != '?');
	tries = permit.service;
	CU_ASSERT(tries.until != 0 && permit.target.until == 0);
	CU_ASSERT_EQUAL(fg_service_pick(&pick, &target, &permit, &waits), FG_ERR_BREAKER_OPEN);
	CU_ASSERT_EQUAL(waits, 5 S);
	fg_breaker_succeeded(&whole.breaker, &service.service_breaker->conf, tries, 104 S);
	CU_ASSERT(picked() != '?');
	/* No target can be had: the service's one request that may try is not used up. */
	fg_breaker_failed(&whole.breaker, &service.service_breaker->conf, free_pass, 104 S);
	pick.now = 109 S;
	atomic_store(&states[0].drained, 1);
	atomic_store(&states[1].drained, 1);
	CU_ASSERT_EQUAL(fg_service_pick(&pick, &target, &permit, &waits), FG_ERR_SERVICE_UNAVAILABLE);
	CU_ASSERT_EQUAL(fg_breaker_state(&whole.breaker), FG_BREAKER_OPEN);
}

/* Both are open and would let one through; the target's is given back when the service's has been taken. */
static void
one_that_may_not_pass_both_keeps_neither(void)
{
	static const struct fg_service_breaker breaker = {
	    .conf = {.failures = 1, .within = 10 S, .open_for = 5 S, .open_most = 60 S}};
	struct fg_breaker_pass pass;

	given(2, FG_BALANCE_ROUND_ROBIN);
	given_service_breaker();
	service.breaker = &breaker;
	fg_breaker_failed(&states[0].breaker, &breaker.conf, free_pass, 95 S);
	fg_breaker_failed(&states[1].breaker, &breaker.conf, free_pass, 95 S);
	fg_breaker_failed(&whole.breaker, &breaker.conf, free_pass, 94 S);
	/* Until both let one through. */
	pick.now = 98 S;
	CU_ASSERT_EQUAL(picked(), '?');
	CU_ASSERT_EQUAL(waits, 2 S);
	pick.now = 100 S;
	CU_ASSERT_EQUAL(picked(), 'a');
	CU_ASSERT(permit.target.until != 0 && permit.service.until != 0);
	CU_ASSERT_EQUAL(picked(), '?');
	CU_ASSERT_EQUAL(fg_breaker_state(&states[1].breaker), FG_BREAKER_OPEN);
	CU_ASSERT(fg_breaker_enter(&states[1].breaker, &breaker.conf, 100 S, &pass));
}

/* One of four up by all that is known: probes are no longer believed, breakers are. */
static void
open_breakers_count_as_down_for_panic(void)
{
	static const struct fg_service_breaker breaker = {
	    .conf = {.failures = 1, .within = 10 S, .open_for = 5 S, .open_most = 60 S}};
	static const struct fg_service_health health = {.panic = 50, .every = 3 S};
	struct fg_breaker_pass pass;
	unsigned counts[TARGETS];

	given(4, FG_BALANCE_ROUND_ROBIN);
	service.breaker = &breaker;
	service.health = &health;
	fg_health_report(&states[3].health, &(struct fg_health_conf){1, 1}, false, 1 S);
	fg_breaker_failed(&states[0].breaker, &breaker.conf, free_pass, 99 S);
	CU_ASSERT_STRING_EQUAL(order(4), "bcbc");
	fg_breaker_failed(&states[1].breaker, &breaker.conf, free_pass, 99 S);
	count(100, counts);
	CU_ASSERT(counts[0] == 0 && counts[1] == 0 && counts[2] >= 49 && counts[3] >= 49);
	/* One is back: half are up. */
	pick.now = 104 S;
	CU_ASSERT(fg_breaker_enter(&states[1].breaker, &breaker.conf, 104 S, &pass));
	CU_ASSERT(fg_breaker_enter(&states[0].breaker, &breaker.conf, 104 S, &(struct fg_breaker_pass){0}));
	count(100, counts);
	CU_ASSERT(counts[0] == 0 && counts[1] == 0 && counts[2] >= 49 && counts[3] >= 49);
	fg_breaker_succeeded(&states[1].breaker, &breaker.conf, pass, 104 S);
	count(100, counts);
	CU_ASSERT(counts[0] == 0 && counts[1] >= 49 && counts[2] >= 49 && counts[3] == 0);
}

struct told {
	char text[TARGETS + 1];
	fg_usec wait;
};

static void
on_told(void *arg, const struct fg_target *target, enum fg_availability availability, fg_usec wait)
{
	struct told *told = arg;

	told->text[target->index] = "+tdhof"[availability];
	if (availability == FG_IS_OPEN)
		told->wait = wait;
}

/* For `faregate explain`: the same answer, and nothing is changed. */
static void
looking_changes_nothing(void)
{
	static const struct fg_service_breaker breaker = {
	    .conf = {.failures = 1, .within = 10 S, .open_for = 5 S, .open_most = 60 S}};
	struct fg_target_state before[TARGETS];
	struct told told = {.text = "????"};

	given(4, FG_BALANCE_ROUND_ROBIN);
	service.breaker = &breaker;
	pick.tell = on_told;
	pick.tell_arg = &told;
	fg_breaker_failed(&states[0].breaker, &breaker.conf, free_pass, 99 S);
	fg_breaker_failed(&states[3].breaker, &breaker.conf, free_pass, 90 S);
	atomic_store(&states[1].drained, 1);
	targets[2].max_connections = 1;
	in_flight[2] = 1;
	memcpy(before, states, sizeof(states));
	CU_ASSERT_EQUAL(picked(), 'd');
	CU_ASSERT_STRING_EQUAL(told.text, "odf+");
	CU_ASSERT_EQUAL(told.wait, 4 S);
	CU_ASSERT_EQUAL(permit.target.until, 0);
	CU_ASSERT_EQUAL(memcmp(before, states, sizeof(states)), 0);
	pick.tell = NULL;
	CU_ASSERT_EQUAL(picked(), 'd');
	CU_ASSERT(permit.target.until != 0);
}

static void
the_idler_of_two(void)
{
	unsigned counts[TARGETS];

	given(4, FG_BALANCE_LEAST_REQUESTS);
	in_flight[0] = 10;
	in_flight[1] = in_flight[2] = 5;
	in_flight[3] = 1;
	count(4000, counts);
	/* Of two that are drawn the busiest never wins, the idlest always. */
	CU_ASSERT_EQUAL(counts[0], 0);
	CU_ASSERT(counts[3] > 1800 && counts[3] < 2200);
	CU_ASSERT(counts[1] > 800 && counts[1] < 1200);
	given(2, FG_BALANCE_LEAST_REQUESTS);
	targets[0].weight = 3;
	count(4000, counts);
	CU_ASSERT(counts[0] > 2850 && counts[0] < 3150);
	in_flight[0] = 29;
	in_flight[1] = 10;
	CU_ASSERT_EQUAL(picked(), 'a');
	in_flight[0] = 31;
	CU_ASSERT_EQUAL(picked(), 'b');
}

/* Else the busier of the others would win against it. */
static void
one_that_is_full_is_not_drawn(void)
{
	unsigned counts[TARGETS];

	given(3, FG_BALANCE_LEAST_REQUESTS);
	targets[0].max_connections = in_flight[0] = 60;
	in_flight[1] = 50;
	in_flight[2] = 2;
	count(400, counts);
	CU_ASSERT_EQUAL(counts[2], 400);
}

static void
the_same_for_the_same(void)
{
	unsigned counts[TARGETS] = {0}, moved = 0;
	char before[4000];

	given(4, FG_BALANCE_HASH);
	targets[3].weight = 2;
	for (unsigned i = 0; i < sizeof(before); i++) {
		pick.hash = i;
		before[i] = picked();
		counts[before[i] - 'a']++;
		CU_ASSERT_EQUAL(picked(), before[i]);
	}
	for (int i = 0; i < 3; i++)
		CU_ASSERT(counts[i] > 700 && counts[i] < 900);
	CU_ASSERT(counts[3] > 1480 && counts[3] < 1720);
	/* One goes: its keys alone move. */
	atomic_store(&states[1].drained, 1);
	for (unsigned i = 0; i < sizeof(before); i++) {
		pick.hash = i;
		moved += picked() != before[i];
	}
	CU_ASSERT_EQUAL(moved, counts[1]);
}

/* Few targets need a logarithm; with one for each the answer is the same. */
static void
the_highest_score_wins(void)
{
	given(4, FG_BALANCE_HASH);
	for (unsigned i = 0; i < TARGETS; i++)
		targets[i].weight = 1 + 333 * i;
	for (unsigned n = 0; n < 4000; n++) {
		double most = 0;
		char best = '?';

		pick.hash = n * UINT64_C(0x9e3779b97f4a7c15);
		for (unsigned i = 0; i < TARGETS; i++) {
			uint64_t x = pick.hash ^ targets[i].url_hash;
			double score;

			x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
			x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
			score = -(double)targets[i].weight / log(((double)((x ^ x >> 33) >> 11) + 0.5) / 9007199254740992.0);
			if (score <= most)
				continue;
			most = score;
			best = (char)('a' + i);
		}
		CU_ASSERT_EQUAL(picked(), best);
	}
}

/* What is in flight to one that cannot be had is nobody's share. */
static void
shares_are_of_those_that_can_be_had(void)
{
	char home;

	given(4, FG_BALANCE_HASH);
	home = picked();
	in_flight[home - 'a'] = 6;
	for (unsigned i = 0; i < TARGETS; i++)
		if (home != (char)('a' + i))
			in_flight[i] = 4;
	/* 6 of 18, of four: 1.25 times the share is 5.9. */
	CU_ASSERT_NOT_EQUAL(picked(), home);
	in_flight[home == 'a' ? 1 : 0] = 400;
	CU_ASSERT_EQUAL(picked(), home);
	/* 6 of 14, of three: 6.25. */
	atomic_store(&states[home == 'a' ? 1 : 0].drained, 1);
	CU_ASSERT_EQUAL(picked(), home);
	in_flight[home - 'a'] = 7;
	CU_ASSERT_NOT_EQUAL(picked(), home);
}

/* Nor is what one has that is full, nor its weight. */
static void
one_that_is_full_has_no_share(void)
{
	unsigned full;
	char home;

	given(4, FG_BALANCE_HASH);
	home = picked();
	full = home == 'a' ? 1 : 0;
	for (unsigned i = 0; i < TARGETS; i++)
		in_flight[i] = 40;
	in_flight[home - 'a'] = 44;
	in_flight[full] = 4;
	/* 44 of 128, of four: 40.3. */
	CU_ASSERT_NOT_EQUAL(picked(), home);
	/* 44 of 124, of three: 52.1. */
	targets[full].max_connections = 4;
	CU_ASSERT_EQUAL(picked(), home);
	/* 58 of 138, of three: 57.9. */
	in_flight[home - 'a'] = 58;
	CU_ASSERT_NOT_EQUAL(picked(), home);
	CU_ASSERT_NOT_EQUAL(picked(), (char)('a' + full));
}

/* Where 1.25 times a share is a whole number, that many is enough. */
static void
shares_are_exact(void)
{
	given(3, FG_BALANCE_HASH);
	targets[0].weight = 3;
	while (picked() != 'a')
		pick.hash++;
	/* With one more 68: three of five parts are 40.8, and 1.25 times that is 51. */
	in_flight[0] = 50;
	in_flight[1] = 8;
	in_flight[2] = 9;
	CU_ASSERT_EQUAL(picked(), 'a');
	in_flight[0] = 51;
	in_flight[2] = 8;
	CU_ASSERT_NOT_EQUAL(picked(), 'a');
}

/* The one that is full has the next turn, but no more than that. */
static void
one_that_is_full_keeps_its_turn(void)
{
	given(3, FG_BALANCE_ROUND_ROBIN);
	targets[0].max_connections = 1;
	in_flight[0] = 1;
	CU_ASSERT_STRING_EQUAL(order(6), "bcbcbc");
	in_flight[0] = 0;
	CU_ASSERT_STRING_EQUAL(order(6), "abcabc");
}

static void
nobody_has_more_than_his_share(void)
{
	given(4, FG_BALANCE_HASH);
	pick.hash = 7;
	for (int i = 0; i < 400; i++) {
		char c = picked();

		CU_ASSERT_FATAL(c != '?');
		in_flight[c - 'a']++;
	}
	/* All of one key. */
	for (int i = 0; i < TARGETS; i++)
		CU_ASSERT(in_flight[i] <= 126);
}

static void
who_came_back_gets_little_at_first(void)
{
	unsigned counts[TARGETS];

	given(2, FG_BALANCE_ROUND_ROBIN);
	service.slow_start = 10 S;
	atomic_store(&states[0].since, 100 S);
	count(1100, counts);
	CU_ASSERT_EQUAL(counts[0], 100);
	pick.now = 105 S;
	count(1500, counts);
	CU_ASSERT(counts[0] >= 499 && counts[0] <= 501);
	pick.now = 110 S;
	count(1000, counts);
	CU_ASSERT(counts[0] >= 499 && counts[0] <= 501);
}

static void
kinds_of_failure(void)
{
	struct fg_failure_set set = {.kinds = 1u << FG_FAILURE_RESET, .statuses = {[6] = UINT64_C(1) << (503 - 100 - 384)}};

	CU_ASSERT_EQUAL(fg_failure_of(FG_OK), FG_FAILURE_NONE);
	CU_ASSERT_EQUAL(fg_failure_of(FG_ERR_CLIENT_GONE), FG_FAILURE_NOT_ITS);
	CU_ASSERT_EQUAL(fg_failure_of(FG_ERR_BODY_INCOMPLETE), FG_FAILURE_NOT_ITS);
	CU_ASSERT_EQUAL(fg_failure_of(FG_ERR_SERVICE_UNREACHABLE), FG_FAILURE_CONNECT);
	CU_ASSERT(fg_failure_set_has(&set, fg_failure_of(FG_ERR_SERVICE_CLOSED)));
	CU_ASSERT(!fg_failure_set_has(&set, fg_failure_of(FG_ERR_SERVICE_TIMEOUT)));
	CU_ASSERT(fg_failure_set_has_status(&set, 503));
	CU_ASSERT(!fg_failure_set_has_status(&set, 502));
	CU_ASSERT(!fg_failure_set_has_status(&set, 0));
	CU_ASSERT(!fg_failure_set_has_status(&set, 999));
}

static void
shares_of_services(void)
{
	struct fg_service services[3];
	struct fg_split splits[] = {{&services[0], 95}, {&services[1], 5}, {&services[2], 0}};
	const struct fg_service *before[10000];
	unsigned counts[3] = {0}, moved = 0;

	for (unsigned i = 0; i < FG_ARRAY_LEN(before); i++) {
		before[i] = fg_split_pick(splits, 3, i);
		counts[before[i] - services]++;
		CU_ASSERT_PTR_EQUAL(fg_split_pick(splits, 3, i), before[i]);
	}
	CU_ASSERT(counts[1] > 430 && counts[1] < 570);
	CU_ASSERT_EQUAL(counts[2], 0);
	/* A share that grows takes nobody back that it had. */
	splits[0].weight = 90;
	splits[1].weight = 10;
	for (unsigned i = 0; i < FG_ARRAY_LEN(before); i++) {
		const struct fg_service *now = fg_split_pick(splits, 3, i);

		CU_ASSERT(now == before[i] || now == &services[1]);
		moved += now != before[i];
	}
	CU_ASSERT(moved > 430 && moved < 570);
	/* Nor when the sum becomes another: from 95 of 100 to 95 of 190. */
	splits[0].weight = 95;
	splits[1].weight = 95;
	moved = 0;
	for (unsigned i = 0; i < FG_ARRAY_LEN(before); i++) {
		const struct fg_service *now = fg_split_pick(splits, 3, i);

		CU_ASSERT(now == before[i] || now == &services[1]);
		moved += now != before[i];
	}
	CU_ASSERT(moved > 4300 && moved < 4700);
}

void
suite_service(void)
{
	CU_pSuite suite = CU_add_suite("service", NULL, NULL);

	ADD_TEST(suite, weights_are_smooth);
	ADD_TEST(suite, who_is_not_available_gets_nothing);
	ADD_TEST(suite, no_more_than_max_connections);
	ADD_TEST(suite, one_that_is_full_keeps_its_turn);
	ADD_TEST(suite, open_breakers_are_passed_over);
	ADD_TEST(suite, the_service_as_a_whole_rests);
	ADD_TEST(suite, one_that_may_not_pass_both_keeps_neither);
	ADD_TEST(suite, open_breakers_count_as_down_for_panic);
	ADD_TEST(suite, looking_changes_nothing);
	ADD_TEST(suite, the_idler_of_two);
	ADD_TEST(suite, one_that_is_full_is_not_drawn);
	ADD_TEST(suite, the_same_for_the_same);
	ADD_TEST(suite, the_highest_score_wins);
	ADD_TEST(suite, nobody_has_more_than_his_share);
	ADD_TEST(suite, shares_are_of_those_that_can_be_had);
	ADD_TEST(suite, one_that_is_full_has_no_share);
	ADD_TEST(suite, shares_are_exact);
	ADD_TEST(suite, who_came_back_gets_little_at_first);
	ADD_TEST(suite, kinds_of_failure);
	ADD_TEST(suite, shares_of_services);
}
