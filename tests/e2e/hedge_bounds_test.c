/* When there is no hedge, and what one costs: methods, budget, places, and what is known of a service. */
#include "e2e/hedge.h"
#include "e2e/load.h"

static void
only_what_is_safe_is_hedged(void)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};

	/* The GET has a body, which lighttpd refuses. */
	EACH_FRONT(&hedge_stage, front)
		for (size_t i = front == hedge_stage.fronts[0]; i < sizeof(methods) / sizeof(methods[0]); i++) {
			double requests = of_target("requests_total", "wide", hedge_stage.b);
			const struct http_reply *reply;
			struct http_conn conn;

			http_open(&conn, front, NULL);
			CHECK(front, http_send_head(&conn, methods[i], "/wide/hold", NULL, 6) && http_say(&conn, "a body"));
			CHECK(front, gate_wait_waiting(&gate_a, 1));
			let_time_pass(front);
			let_go(&gate_a);
			reply = finish(&conn);
			CHECK(front, is_from(reply, "from a", NULL));
			CHECK(front, of_target("requests_total", "wide", hedge_stage.b) == requests);
		}
}

static void
without_the_key_none_is(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		begin(&conn, front, "GET", "/without/hold");
		CHECK(front, gate_wait_waiting(&gate_a, 1));
		let_time_pass(front);
		let_go(&gate_a);
		CHECK(front, is_from(finish(&conn), "from a", NULL));
	}
	CU_ASSERT_EQUAL(of_service("hedges_total", "without"), 0);
}

static bool
is_refused(void *arg)
{
	return of_service("hedges_refused_total", "poor") == *(double *)arg;
}

static void
no_budget_is_no_hedge(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		double refused = of_service("hedges_refused_total", "poor") + 1;

		begin(&conn, front, "GET", "/poor/hold");
		CHECK(front, bed_wait(is_refused, &refused));
		let_go(&gate_a);
		CHECK(front, is_from(finish(&conn), "from a", NULL));
	}
	CU_ASSERT_EQUAL(of_service("hedges_total", "poor"), 0);
}

static bool
is_spent(void *arg)
{
	(void)arg;
	return of_service("hedges_refused_total", "spent") == 1;
}

/* Ten there are at first: hedges use them up, and then neither is a hedge made nor a retry. */
static void
retries_and_hedges_share_the_budget(void)
{
	const struct front *front = hedge_stage.fronts[0];
	const struct http_reply *reply;
	struct http_conn conn;

	for (int i = 0; i < 10; i++)
		CU_ASSERT(is_from(get(front, "/spent/slow"), "from b", "second"));
	begin(&conn, front, "GET", "/spent/torn");
	CU_ASSERT(bed_wait(is_spent, NULL));
	let_go(&gate_a);
	reply = finish(&conn);
	CU_ASSERT(http_is_problem(&hedge_stage.bed, reply, 502, "service_closed"));
	CU_ASSERT(log_lacks(reply, "\"tries\""));
	CU_ASSERT_EQUAL(of_service("retries_refused_total", "spent"), 1);
	CU_ASSERT_EQUAL(of_service("hedges_total", "spent"), 10);
}

static void
no_place_is_no_hedge(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		begin(&conn, front, "GET", "/narrow/hold");
		CHECK(front, gate_wait_waiting(&gate_a, 1));
		let_time_pass(front);
		let_go(&gate_a);
		CHECK(front, is_from(finish(&conn), "from a", NULL));
	}
	CU_ASSERT_EQUAL(of_service("hedges_total", "narrow"), 0);
}

static void
a_hedge_has_a_place_of_its_own(void)
{
	struct http_conn conn;

	EACH_FRONT(&hedge_stage, front) {
		begin_race(&conn, front, "/wide/hold");
		CHECK(front, of_service("service_places_in_use", "wide") == 2);
		CHECK(front, http_is_problem(&hedge_stage.bed, get(front, "/wide/x"), 503, "overloaded"));
		let_go(&gate_b);
		CHECK(front, is_from(finish(&conn), "from b", "second"));
		let_go(&gate_a);
		CHECK(front, bed_wait(no_place_is_taken, "wide"));
	}
}

static void
one_target_gets_it_twice(void)
{
	EACH_FRONT(&hedge_stage, front) {
		const struct http_reply *reply;

		atomic_store(&hedge_counted, 0);
		reply = get(front, "/single/twice");
		CHECK(front, reply->status == 200 && bed_log_says(&hedge_stage.bed, reply->id, "tries", "2"));
		CHECK(front, atomic_load(&hedge_counted) == 2);
	}
}

/* What nobody knows yet is not hedged by; what two workers have seen is known to both. */
static void
a_percentile_is_learnt(void)
{
	const struct front *front = hedge_stage.fronts[0];
	struct http_conn conn;

	begin(&conn, front, "GET", "/usual/hold");
	CU_ASSERT(gate_wait_waiting(&gate_a, 1));
	let_time_pass(front);
	let_go(&gate_a);
	CU_ASSERT(is_from(finish(&conn), "from a", NULL));
	for (int i = 0; i < 80; i++)
		CU_ASSERT(get(front, "/usual/x")->status == 200);
	CU_ASSERT(is_from(get(front, "/usual/slow"), "from b", "second"));
}

static void
a_storm_leaves_nothing_behind(void)
{
	static const char *const targets[] = {"/again/kept/slow", "/again/kept/x", "/crowded/kept/slow", "/crowded/kept/x", "/tardy/mute"};
	enum { KINDS = sizeof(targets) / sizeof(targets[0]) };
	struct load *loads[KINDS];

	EACH_FRONT(&hedge_stage, front) {
		for (size_t i = 0; i < KINDS; i++)
			loads[i] = load_start(front, targets[i], 2);
		CHECK(front, load_wait_more(loads[1], 200));
		CHECK(front, load_wait_more(loads[0], 20));
		CHECK(front, load_wait_failed(loads[4], 2));
		for (size_t i = 0; i < KINDS; i++)
			load_stop(loads[i]);
		CHECK(front, bed_wait(is_idle, "again") && bed_wait(is_idle, "crowded") && bed_wait(is_idle, "tardy"));
		CHECK(front, bed_wait(no_place_is_taken, "crowded"));
	}
}

static void
explained(void)
{
	const char *const hedged[] = {bed_program(), "explain", "-c", hedge_stage.bed.config, "GET", "http://localhost/usual/x", NULL};
	const char *const not_hedged[] = {bed_program(), "explain", "-c", hedge_stage.bed.config, "POST", "http://localhost/usual/x", NULL};
	char *out;

	CU_ASSERT_EQUAL(bed_run(&hedge_stage.bed, &out, hedged), 0);
	CU_ASSERT(strstr(out, "after p95 of recent answers, 20 ms at least") != NULL);
	free(out);
	CU_ASSERT_EQUAL(bed_run(&hedge_stage.bed, &out, not_hedged), 0);
	CU_ASSERT(strstr(out, "hedge") == NULL);
	free(out);
}

void
suite_hedge_bounds(void)
{
	CU_pSuite suite = add_suite("hedge_bounds", hedge_open, hedge_close);

	ADD_SCENE(suite, only_what_is_safe_is_hedged);
	ADD_SCENE(suite, without_the_key_none_is);
	ADD_SCENE(suite, no_budget_is_no_hedge);
	ADD_SCENE(suite, retries_and_hedges_share_the_budget);
	ADD_SCENE(suite, no_place_is_no_hedge);
	ADD_SCENE(suite, a_hedge_has_a_place_of_its_own);
	ADD_SCENE(suite, one_target_gets_it_twice);
	ADD_SCENE(suite, a_percentile_is_learnt);
	ADD_SCENE(suite, a_storm_leaves_nothing_behind);
	ADD_SCENE(suite, explained);
}
