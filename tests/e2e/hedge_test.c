/* Hedges: who of two tries wins, what becomes of the other, and of both when they fail. */
#include "e2e/hedge.h"
#include "support/fcgi_peer.h"

/* ---- who wins */

static void
a_slow_target_is_overtaken(void)
{
	EACH_FRONT(&hedge_stage, front) {
		double hedges = of_service("hedges_total", "quick"), won = of_service("hedges_won_total", "quick");
		const struct http_reply *reply = get(front, "/quick/slow");

		CHECK(front, is_from(reply, "from b", "second"));
		CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "tries", "2"));
		CHECK(front, of_service("hedges_total", "quick") == hedges + 1);
		CHECK(front, of_service("hedges_won_total", "quick") == won + 1);
		CHECK(front, bed_wait(is_idle, "quick"));
	}
	/* The breaker of the one that was cancelled would have opened at its first failure. */
	CU_ASSERT_EQUAL(of_target("failures_total", "quick", hedge_stage.a), 0);
	CU_ASSERT_EQUAL(of_target("breaker_open", "quick", hedge_stage.a), 0);
	CU_ASSERT_EQUAL(of_target("requests_total", "quick", hedge_stage.a), 2);
	CU_ASSERT_EQUAL(of_target("requests_total", "quick", hedge_stage.b), 2);
}

static bool
a_is_left(void *arg)
{
	(void)arg;
	return played_open(hedge_stage.a) == 0;
}

/* An idle one would be kept; what was cancelled would be in its way. */
static void
the_cancelled_connection_is_closed(void)
{
	EACH_FRONT(&hedge_stage, front) {
		CHECK(front, is_from(get(front, "/plain/slow"), "from b", "second"));
		CHECK(front, bed_wait(a_is_left, NULL));
	}
}

static void
head_and_options_are_hedged(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		const struct http_reply *reply = ask(front, "HEAD", "/quick/slow", NULL, NULL);

		CHECK(front, reply->status == 200 && bed_log_says(&hedge_stage.bed, reply->id, "hedged", "second"));
	}
	/* Apache answers OPTIONS of files itself where it may; lighttpd passes it on. */
	begin(&conn, hedge_stage.fronts[0], "OPTIONS", "/quick/slow");
	CU_ASSERT(is_from(finish(&conn), "from b", "second"));
}

static void
the_first_may_win_after_all(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		double won = of_service("hedges_won_total", "quick");
		const struct http_reply *reply;

		begin_race(&conn, front, "/quick/hold");
		let_go(&gate_a);
		reply = finish(&conn);
		CHECK(front, is_from(reply, "from a", "first"));
		CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "tries", "2"));
		CHECK(front, of_service("hedges_won_total", "quick") == won);
		CHECK(front, bed_wait(is_idle, "quick"));
		let_go(&gate_b);
	}
	CU_ASSERT_EQUAL(of_target("failures_total", "quick", hedge_stage.b), 0);
	CU_ASSERT_EQUAL(of_target("breaker_open", "quick", hedge_stage.b), 0);
}

static void
a_fast_answer_is_not_hedged(void)
{
	EACH_FRONT(&hedge_stage, front)
		for (int i = 0; i < 3; i++)
			CHECK(front, is_from(get(front, "/calm/x"), "from a", NULL));
	CU_ASSERT_EQUAL(of_service("hedges_total", "calm"), 0);
}

/* False: it was hedged, as what it begins with came later than a second after it was asked for. */
static bool
goes_on_alone(void *arg)
{
	const struct front *front = arg;
	double hedges = of_service("hedges_total", "patient");
	const struct http_reply *reply;
	struct http_conn conn;
	bool alone;

	begin(&conn, front, "GET", "/patient/half");
	CHECK(front, gate_wait_waiting(&gate_a, 1));
	CHECK(front, is_from(get(front, "/patient/slow"), "from b", "second"));
	alone = of_service("hedges_total", "patient") == hedges + 1;
	let_go(&gate_a);
	reply = finish(&conn);
	CHECK(front, !alone || (reply->status == 200 && reply->complete && log_lacks(reply, "\"hedged\"")));
	return alone;
}

/* Once something of the answer is there, however slow the rest. What comes after it is hedged meanwhile. */
static void
a_begun_answer_is_not_hedged(void)
{
	EACH_FRONT(&hedge_stage, front)
		CHECK(front, bed_wait(goes_on_alone, (void *)(uintptr_t)front));
}

static void
a_large_answer_comes_whole(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < HEDGE_LARGE_PIECES; i++)
		sum = http_sum(sum, hedge_piece, sizeof(hedge_piece));
	EACH_FRONT(&hedge_stage, front) {
		const struct http_reply *reply = get(front, "/quick/large");

		CHECK(front, reply->complete && reply->body_len == HEDGE_LARGE_PIECE * HEDGE_LARGE_PIECES && reply->body_sum == sum);
		CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "hedged", "second"));
	}
}

/* ---- failures */

static void
the_first_fails_beside_it(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		double failures = of_target("failures_total", "plain", hedge_stage.a);

		begin_race(&conn, front, "/plain/torn");
		let_go(&gate_a);
		CHECK(front, bed_wait(runs_once, "plain"));
		CHECK(front, of_target("failures_total", "plain", hedge_stage.a) == failures + 1);
		let_go(&gate_b);
		CHECK(front, is_from(finish(&conn), "from b", "second"));
		CHECK(front, bed_wait(is_idle, "plain"));
	}
}

static void
the_second_fails_beside_it(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		double failures = of_target("failures_total", "plain", hedge_stage.b);

		begin_race(&conn, front, "/plain/spare");
		let_go(&gate_b);
		CHECK(front, bed_wait(runs_once, "plain"));
		CHECK(front, of_target("failures_total", "plain", hedge_stage.b) == failures + 1);
		let_go(&gate_a);
		CHECK(front, is_from(finish(&conn), "from a", "first"));
	}
}

/* With and without retry: a status that says that a service cannot is no answer while the other may give one. */
static void
a_busy_one_does_not_win(void)
{
	static const char *const targets[] = {"/plain/busy", "/again/busy"};
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front)
		for (int i = 0; i < 2; i++) {
			begin_race(&conn, front, targets[i]);
			let_go(&gate_a);
			CHECK(front, bed_wait(runs_once, i == 0 ? "plain" : "again"));
			let_go(&gate_b);
			CHECK(front, is_from(finish(&conn), "from b", "second"));
		}
}

/* The last that stands is answered with, whatever it is. */
static void
both_fail(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		const struct http_reply *reply;

		atomic_store(&hedge_broken, 2);
		begin_race(&conn, front, "/plain/broken");
		let_go(&gate_a);
		CHECK(front, bed_wait(runs_once, "plain"));
		let_go(&gate_b);
		reply = finish(&conn);
		CHECK(front, http_is_problem(&hedge_stage.bed, reply, 502, "service_closed"));
		CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "hedged", "none"));
		CHECK(front, bed_wait(is_idle, "plain"));
	}
}

static void
both_fail_and_a_third_is_allowed(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		const struct http_reply *reply;

		atomic_store(&hedge_broken, 2);
		begin_race(&conn, front, "/again/broken");
		let_go(&gate_a);
		let_go(&gate_b);
		reply = finish(&conn);
		CHECK(front, reply->status == 200);
		CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "tries", "3"));
		CHECK(front, bed_wait(is_idle, "again"));
	}
}

/* A hedge is a try: with two allowed, none is left. */
static void
both_fail_and_none_is_left(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		const struct http_reply *reply;

		atomic_store(&hedge_broken, 2);
		begin_race(&conn, front, "/twice/broken");
		let_go(&gate_a);
		let_go(&gate_b);
		reply = finish(&conn);
		CHECK(front, http_is_problem(&hedge_stage.bed, reply, 502, "service_closed"));
		CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "tries", "2"));
	}
}

/* False: a worker that stood still for as long as the request may take made no second one. */
static bool
are_both_slow(void *arg)
{
	const struct front *front = arg;
	double a = of_target("failures_total", "tardy", hedge_stage.a), b = of_target("failures_total", "tardy", hedge_stage.b);
	double hedges = of_service("hedges_total", "tardy");
	const struct http_reply *reply = get(front, "/tardy/mute");

	CHECK(front, http_is_problem(&hedge_stage.bed, reply, 504, "service_timeout"));
	CHECK(front, bed_wait(is_idle, "tardy"));
	if (of_service("hedges_total", "tardy") == hedges)
		return false;
	CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "tries", "2"));
	CHECK(front, of_target("failures_total", "tardy", hedge_stage.a) == a + 1);
	CHECK(front, of_target("failures_total", "tardy", hedge_stage.b) == b + 1);
	return true;
}

/* The first's own deadline passes before the second's. */
static void
both_are_slow(void)
{
	EACH_FRONT(&hedge_stage, front)
		CHECK(front, bed_wait(are_both_slow, (void *)(uintptr_t)front));
}

static bool
are_both_bounded(void *arg)
{
	const struct front *front = arg;
	double hedges = of_service("hedges_total", "plain");
	const struct http_reply *reply = get(front, "/timed/mute");

	CHECK(front, http_is_problem(&hedge_stage.bed, reply, 504, "exchange_timeout"));
	CHECK(front, bed_wait(is_idle, "plain"));
	if (of_service("hedges_total", "plain") == hedges)
		return false;
	CHECK(front, bed_log_says(&hedge_stage.bed, reply->id, "hedged", "none"));
	return true;
}

static void
the_deadline_of_the_whole_bounds_both(void)
{
	EACH_FRONT(&hedge_stage, front)
		CHECK(front, bed_wait(are_both_bounded, (void *)(uintptr_t)front));
}

/* Both web servers may notice that too late to wait for it here. */
static void
a_client_that_leaves_takes_both_along(void)
{
	double a = of_target("failures_total", "plain", hedge_stage.a), b = of_target("failures_total", "plain", hedge_stage.b);
	struct fcgi_peer peer;

	CU_ASSERT(fcgi_open(&peer, hedge_stage.bed.socket, bed_patience() * 1000));
	CU_ASSERT(fcgi_ask(&peer, 1, false, "GET", "/plain/mute", NULL) && fcgi_body(&peer, 1, NULL, 0));
	CU_ASSERT(bed_wait(runs_twice, "plain"));
	fcgi_close(&peer);
	CU_ASSERT(bed_wait(is_idle, "plain"));
	CU_ASSERT_EQUAL(of_target("failures_total", "plain", hedge_stage.a), a);
	CU_ASSERT_EQUAL(of_target("failures_total", "plain", hedge_stage.b), b);
}

void
suite_hedge(void)
{
	CU_pSuite suite = add_suite("hedge", hedge_open, hedge_close);

	ADD_SCENE(suite, a_slow_target_is_overtaken);
	ADD_SCENE(suite, the_cancelled_connection_is_closed);
	ADD_SCENE(suite, head_and_options_are_hedged);
	ADD_SCENE(suite, the_first_may_win_after_all);
	ADD_SCENE(suite, a_fast_answer_is_not_hedged);
	ADD_SCENE(suite, a_begun_answer_is_not_hedged);
	ADD_SCENE(suite, a_large_answer_comes_whole);
	ADD_SCENE(suite, the_first_fails_beside_it);
	ADD_SCENE(suite, the_second_fails_beside_it);
	ADD_SCENE(suite, a_busy_one_does_not_win);
	ADD_SCENE(suite, both_fail);
	ADD_SCENE(suite, both_fail_and_a_third_is_allowed);
	ADD_SCENE(suite, both_fail_and_none_is_left);
	ADD_SCENE(suite, both_are_slow);
	ADD_SCENE(suite, the_deadline_of_the_whole_bounds_both);
	ADD_SCENE(suite, a_client_that_leaves_takes_both_along);
}
