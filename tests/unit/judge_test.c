/* lib/core/judge.c: what breakers are told. */
#include "core/judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "core/exchange.h"
#include "service/targets.h"
#include "unit/unit.h"

static const struct fg_log quiet = {.level = FG_LOG_ERROR};

/* One target; its breaker counts resets alone, that of the service connections that fail. */
struct judged {
	struct fg_gateway gw;
	struct fg_service service;
	struct fg_target target;
	struct fg_target_state state, whole;
	struct fg_service_breaker breaker, service_breaker;
};

static void
given(struct judged *judged)
{
	static const struct fg_breaker_conf conf = {
	    .failures = 1, .within = FG_US_PER_S, .open_for = 10 * (fg_usec)FG_US_PER_S, .open_most = 10 * (fg_usec)FG_US_PER_S};

	*judged = (struct judged){.gw = {.loop = fg_loop_new(), .log = &quiet}};
	judged->breaker = (struct fg_service_breaker){conf, {.kinds = 1u << FG_FAILURE_RESET}};
	judged->service_breaker = (struct fg_service_breaker){conf, {.kinds = 1u << FG_FAILURE_CONNECT}};
	judged->service = (struct fg_service){.targets = &judged->target, .target_count = 1, .state = &judged->whole,
	    .breaker = &judged->breaker, .service_breaker = &judged->service_breaker};
	judged->target = (struct fg_target){.service = &judged->service, .state = &judged->state, .weight = 1, .number = -1};
}

/* Both were opened, so long ago that one request may try now. */
static void
both_let_one_try(struct judged *judged, struct fg_permit *permit)
{
	static const struct fg_breaker_pass none;
	fg_usec now = fg_loop_clock(judged->gw.loop)->mono;
	const struct fg_breaker_conf *conf = &judged->breaker.conf;
	fg_usec then = now - conf->open_for - FG_US_PER_S;

	CU_ASSERT_EQUAL(fg_breaker_failed(&judged->state.breaker, conf, none, then), FG_BREAKER_OPENED);
	CU_ASSERT_EQUAL(fg_breaker_failed(&judged->whole.breaker, conf, none, then), FG_BREAKER_OPENED);
	CU_ASSERT(fg_breaker_enter(&judged->state.breaker, conf, now, &permit->target));
	CU_ASSERT(fg_breaker_enter(&judged->whole.breaker, conf, now, &permit->service));
	CU_ASSERT(fg_breaker_wait(&judged->state.breaker, now) > 0 && fg_breaker_wait(&judged->whole.breaker, now) > 0);
}

/* To the one it is a failure, to the other nothing: that one lets the next request try, rather than none for as long as it was open. */
static void
what_says_nothing_to_a_breaker_gives_its_place_back(void)
{
	struct judged judged;
	struct fg_permit permit;
	fg_usec now;

	given(&judged);
	both_let_one_try(&judged, &permit);
	now = fg_loop_clock(judged.gw.loop)->mono;
	fg_judge(&judged.gw, &judged.target, &permit, FG_FAILURE_CONNECT, 0, 0);
	CU_ASSERT_EQUAL(fg_breaker_state(&judged.state.breaker), FG_BREAKER_HALF_OPEN);
	CU_ASSERT_EQUAL(fg_breaker_wait(&judged.state.breaker, now), 0);
	CU_ASSERT_EQUAL(fg_breaker_state(&judged.whole.breaker), FG_BREAKER_OPEN);
	fg_loop_free(judged.gw.loop);

	given(&judged);
	both_let_one_try(&judged, &permit);
	now = fg_loop_clock(judged.gw.loop)->mono;
	fg_judge(&judged.gw, &judged.target, &permit, FG_FAILURE_TIMEOUT, 0, 0);
	CU_ASSERT_EQUAL(fg_breaker_wait(&judged.state.breaker, now), 0);
	CU_ASSERT_EQUAL(fg_breaker_wait(&judged.whole.breaker, now), 0);
	fg_loop_free(judged.gw.loop);
}

static void
keep_line(void *arg, struct fg_str line)
{
	fg_buf_add(arg, line);
}

/* Of the target and of the service: one line each, which says why there was no connection. */
static void
the_log_says_why_there_was_no_connection(void)
{
	struct judged judged;
	struct fg_permit permit = {0};
	struct fg_buf out;
	struct fg_log log = {.level = FG_LOG_WARN, .write = keep_line, .arg = &out};

	given(&judged);
	fg_buf_init(&out, 4096);
	judged.gw.log = &log;
	judged.service.name = FG_STR("orders");
	judged.target.url = FG_STR("unix:/run/app.sock");
	judged.breaker.on.kinds |= 1u << FG_FAILURE_CONNECT;
	fg_judge(&judged.gw, &judged.target, &permit, FG_FAILURE_CONNECT, 0, EACCES);
	*fg_buf_reserve(&out, 1) = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, " warn breaker: opened: service=orders for_ms=10000 because=failures "
	    "target=unix:/run/app.sock error=\"connect: Permission denied\"\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, " warn breaker: opened: service=orders for_ms=10000 because=failures "
	    "error=\"connect: Permission denied\"\n"));
	fg_buf_fini(&out);
	fg_loop_free(judged.gw.loop);
}

void
suite_judge(void)
{
	CU_pSuite suite = CU_add_suite("what breakers are told", NULL, NULL);

	ADD_TEST(suite, what_says_nothing_to_a_breaker_gives_its_place_back);
	ADD_TEST(suite, the_log_says_why_there_was_no_connection);
}
