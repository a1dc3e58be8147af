/* lib/core/service.c: which target gets a request. */
#include "core/service.h"

#include <stdlib.h>

#include "core/config.h"
#include "core/targets.h"
#include "core/var.h"
#include "unit/config_load.h"
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

static unsigned
get_in_flight(void *arg, const struct fg_target *target)
{
	return ((unsigned *)arg)[target->index];
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
		    .url_hash = fg_name_hash(fg_str_from(urls[i]))};
	service = (struct fg_service){.targets = targets, .target_count = count, .balance = balance};
	state = (struct fg_service_state){.credit = credit};
	pick = (struct fg_pick){
	    .service = &service, .state = &state, .tried = &tried, .now = 100 S, .in_flight = get_in_flight, .arg = in_flight};
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

static void
wrong_shares(void)
{
	EXPECT_ERRORS("version: 1\nservices: {a: http://x, b: http://y}\nroutes: {r: {path: /, split: {a: 0, b: 0}}}\n",
	    "f:3:30: routes.r.split: sends nothing anywhere; one weight at least is above 0\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x, b: http://y}\nroutes: {r: {path: /, service: a, split: {b: 1}}}\n",
	    "f:3:35: routes.r.split: a route has one of service, split and respond\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x, b: http://y}\nroutes: {r: {path: /, service: a, split-by: ip}}\n",
	    "f:3:35: routes.r.split-by: is of no use without split:\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, respond: {}, mirror: {service: b}}}\n",
	    "f:3:36: routes.r.mirror: a route with respond sends nothing that could be mirrored\n"
	    "f:3:54: routes.r.mirror.service: there is no service \"b\"; define it under services:\n");
	/* Cookies of testers. */
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, service: a, cookies: {\"a b\": x}}}\n",
	    "f:3:45: routes.r.cookies: \"a b\" is not a cookie's name\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, service: a, cookies: {a: 1;2, b: \" 1\"}}}\n",
	    "f:3:48: routes.r.cookies.a: \"1;2\" can be no cookie's value\n"
	    "f:3:56: routes.r.cookies.b: \" 1\" can be no cookie's value\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, service: a, cookies: {a: \"\", b: x=y z}}}\n", "");
}

static void
wrong_keys(void)
{
	EXPECT_ERRORS("version: 1\nservices: {a: unix:run/x, b: \"unix:/a b\", c: \"unix:/\"}\n",
	    "f:2:15: services.a: expected unix:/PATH, an absolute path without spaces, found \"unix:run/x\"\n"
	    "f:2:30: services.b: expected unix:/PATH, an absolute path without spaces, found \"unix:/a b\"\n"
	    "f:2:46: services.c: expected unix:/PATH, an absolute path without spaces, found \"unix:/\"\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, max-in-flight: 0}, b: {targets: http://x, max-in-flight: {queue: 1}}}\n",
	    "f:2:50: services.a.max-in-flight: expected a number from 1 to 60000, found \"0\"\n"
	    "f:2:77: services.b.max-in-flight: requests is missing\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hash-by: ip, retry: {on: [conect, 200], budget: 20}}}\n",
	    "f:2:61: services.a.retry.on[0]: \"conect\" is neither connect, timeout, reset nor invalid, nor a status from 400 to 599\n"
	    "f:2:69: services.a.retry.on[1]: \"200\" is neither connect, timeout, reset nor invalid, nor a status from 400 to 599\n"
	    "f:2:83: services.a.retry.budget: expected a percentage, found \"20\"; write 20%\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, connect-timeout: \"${FG_NOT_THERE}\", breaker: {failures: \"${FG_NOT_THERE}\"}}}\n",
	    "f:2:52: services.a.connect-timeout: the environment has no variable FG_NOT_THERE; set it, or give a default: ${FG_NOT_THERE:-…}\n"
	    "f:2:91: services.a.breaker.failures: the environment has no variable FG_NOT_THERE; set it, or give a default: ${FG_NOT_THERE:-…}\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: {after: p100}}, b: {targets: http://x, hedge: 0}}\n",
	    "f:2:50: services.a.hedge.after: expected p50 to p99, or a time of 1ms to 24h, found \"p100\"\n"
	    "f:2:88: services.b.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"0\"\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: 95}, b: {targets: http://x, hedge: 95%}, c: {targets: http://x, hedge: 500}}\n",
	    "f:2:42: services.a.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"95\"; did you mean p95, or a time with its unit?\n"
	    "f:2:77: services.b.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"95%\"; did you mean p95?\n"
	    "f:2:113: services.c.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"500\"; a unit is missing: ms, s, m or h\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: 2s, response-timeout: 2s}, b: {targets: http://x, hedge: p95, response-timeout: 9ms}}\n",
	    "f:2:35: services.a.hedge: there would never be one: response-timeout is over before\n"
	    "f:2:92: services.b.hedge: there would never be one: response-timeout is over before\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, max-in-flight: {requests: 9, wait: 1s}, deadline-header: Host}}\n",
	    "f:2:64: services.a.max-in-flight.wait: is of no use without queue:\n"
	    "f:2:92: services.a.deadline-header: Host is set by the service: write host: under services\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: {after: 50ms, at-least: 5ms}}}\n",
	    "f:2:56: services.a.hedge.at-least: is of no use where after: is a time\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, retry: {}, hedge: {budget: 5%}}}\n",
	    "f:2:54: services.a.hedge.budget: retries and hedges have one budget, which stands under retry:\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, breaker: {open-for: 5s, open-most: 1s}, health: {path: x, status: 9-8}}}\n",
	    "f:2:70: services.a.breaker.open-most: is shorter than open-for\n"
	    "f:2:90: services.a.health.path: \"x\" is not a path; it begins with /\n"
	    "f:2:101: services.a.health.status: expected a status, or a range of them: 200-399, found \"9-8\"\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, breaker: {requests: 5}, service-breaker: {failures: none}}}\n",
	    "f:2:45: services.a.breaker.requests: is of no use without error-rate:\n"
	    "f:2:87: services.a.service-breaker.failures: nothing would open it; give an error-rate: too, or a number\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, breaker: {error-rate: 0%}, service-breaker: {failures: 0, error-rate: 50}}}\n",
	    "f:2:57: services.a.breaker.error-rate: expected a percentage from 1% to 100%, found \"0%\"\n"
	    "f:2:90: services.a.service-breaker.failures: \"0\" is out of range; expected a whole number from 1 to 10000, or none\n"
	    "f:2:105: services.a.service-breaker.error-rate: expected a percentage from 1% to 100%, found \"50\"; write 50%\n");
}

static void
what_hedge_makes(void)
{
	struct loaded *l = config_load("version: 1\n"
	                               "services:\n"
	                               "  a: {targets: http://x, hedge: {}}\n"
	                               "  b: {targets: http://x, hedge: p50}\n"
	                               "  c: {targets: http://x, hedge: 50ms, retry: {budget: 7%}}\n"
	                               "  d: {targets: http://x, hedge: {after: p99, at-least: 3ms, budget: 0%}}\n");
	const struct fg_service *const *services;

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	services = (const struct fg_service *const *)l->config->services;
	CU_ASSERT(services[0]->hedge->after == 0 && services[0]->hedge->percentile == 95);
	CU_ASSERT(services[0]->hedge->at_least == 10 * FG_US_PER_MS && services[0]->budget == 20);
	CU_ASSERT(services[1]->hedge->after == 0 && services[1]->hedge->percentile == 50);
	CU_ASSERT(services[1]->hedge->at_least == 10 * FG_US_PER_MS && services[1]->budget == 20);
	CU_ASSERT(services[2]->hedge->after == 50 * FG_US_PER_MS && services[2]->budget == 7);
	CU_ASSERT(services[3]->hedge->percentile == 99 && services[3]->hedge->at_least == 3 * FG_US_PER_MS);
	CU_ASSERT_EQUAL(services[3]->budget, 0);
	config_end(l);
}

static void
what_keys_make(void)
{
	struct loaded *l = config_load("version: 1\n"
	                               "services:\n"
	                               "  a: {targets: [{url: http://x, max-connections: 7}, http://y], balance: hash, retry: {},\n"
	                               "    breaker: {on: [timeout, 500]}, health: {path: /h, status: [200, 300-399]},\n"
	                               "    service-breaker: {failures: none, error-rate: 30%, on: [501]}}\n"
	                               "  b: http://z\n");
	const struct fg_service *a, *b;

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	a = l->config->services[0];
	b = l->config->services[1];
	CU_ASSERT_EQUAL(a->targets[0].max_connections, 7);
	CU_ASSERT_EQUAL(a->targets[1].max_connections, 0);
	CU_ASSERT_EQUAL(a->hash_by_count, 1);
	CU_ASSERT_EQUAL(a->hash_by[0].kind, FG_VAR_IP);
	CU_ASSERT(fg_failure_set_has(&a->retry->on, FG_FAILURE_CONNECT) && fg_failure_set_has_status(&a->retry->on, 503));
	CU_ASSERT_EQUAL(a->retry->attempts, 2);
	CU_ASSERT_EQUAL(a->retry->budget, 20);
	CU_ASSERT(fg_failure_set_has(&a->breaker->on, FG_FAILURE_TIMEOUT) && fg_failure_set_has_status(&a->breaker->on, 500));
	CU_ASSERT(!fg_failure_set_has(&a->breaker->on, FG_FAILURE_CONNECT) && !fg_failure_set_has_status(&a->breaker->on, 503));
	CU_ASSERT(a->breaker->conf.failures == 5 && a->breaker->conf.error_rate == 0);
	CU_ASSERT(a->service_breaker->conf.failures == 0 && a->service_breaker->conf.error_rate == 30);
	CU_ASSERT_EQUAL(a->service_breaker->conf.requests, 20);
	CU_ASSERT(fg_failure_is_status(a, 500) && fg_failure_is_status(a, 501) && !fg_failure_is_status(a, 505));
	CU_ASSERT_EQUAL(a->health->status_count, 2);
	CU_ASSERT(a->health->statuses[1].from == 300 && a->health->statuses[1].to == 399);
	CU_ASSERT(b->retry == NULL && b->breaker == NULL && b->service_breaker == NULL && b->health == NULL);
	CU_ASSERT_PTR_NOT_NULL(b->targets[0].state);
	config_end(l);
}

void
suite_service(void)
{
	CU_pSuite suite = CU_add_suite("service", config_folder_make, config_folder_remove);

	ADD_TEST(suite, weights_are_smooth);
	ADD_TEST(suite, who_is_not_available_gets_nothing);
	ADD_TEST(suite, no_more_than_max_connections);
	ADD_TEST(suite, open_breakers_are_passed_over);
	ADD_TEST(suite, the_service_as_a_whole_rests);
	ADD_TEST(suite, one_that_may_not_pass_both_keeps_neither);
	ADD_TEST(suite, open_breakers_count_as_down_for_panic);
	ADD_TEST(suite, looking_changes_nothing);
	ADD_TEST(suite, the_idler_of_two);
	ADD_TEST(suite, the_same_for_the_same);
	ADD_TEST(suite, nobody_has_more_than_his_share);
	ADD_TEST(suite, who_came_back_gets_little_at_first);
	ADD_TEST(suite, kinds_of_failure);
	ADD_TEST(suite, shares_of_services);
	ADD_TEST(suite, wrong_shares);
	ADD_TEST(suite, wrong_keys);
	ADD_TEST(suite, what_keys_make);
	ADD_TEST(suite, what_hedge_makes);
}
