/*
 * What clients see of limits: 200 and 429 with their headers, behind both web servers; what counts for whom; observing;
 * explain; a worker that dies.
 */
#include <signal.h>

#include "e2e/e2e.h"

/* It is renewed three times as often: long enough that a machine that stands still for two seconds breaks none. */
enum { LEASE_MS = 4000 };

static struct stage stage;
static struct gate hold = GATE_CLOSED;

static void
say_own_limits(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "RateLimit: \"its own\";r=1\r\nRateLimit-Policy: \"its own\";q=1\r\nX-RateLimit-Limit: 9\r\n", "ok");
}

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&hold);
	say_reply(conn, 200, NULL, "done");
}

static const struct played_part parts[] = {
    {"/own", say_own_limits, false}, {"/quiet", say_own_limits, false}, {"/held", say_held, false}, {NULL, say_echo, false}};

static int
init(void)
{
	stage_play(&stage, parts, NULL);
	stage_serve(&stage,
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "limits:\n"
	    "  three: {rate: 3/1h, by: query:k}\n"
	    "  shared: {rate: 4/1h, by: query:k}\n"
	    "  daily: {rate: 2/1d, by: query:k, algorithm: fixed-window, timezone: %s}\n"
	    "  five.of-them: {rate: 5/1h, by: query:k}\n"
	    "  legacy: {rate: 5/1h, by: query:k, headers: legacy}\n"
	    "  quiet: {rate: 5/1h, by: query:k, headers: \"off\"}\n"
	    "  watched: {rate: 1/1h, by: query:k, mode: observe}\n"
	    "  plans: {rate: 1/1h, by: query:k, overrides: {query:plan: {gold: 3/1h, black: {rate: 3/1h, burst: 2}}}}\n"
	    "  priced: {rate: 10/1h, by: query:k, cost: query:cost}\n"
	    "  absent: {rate: 1/1h, by: [query:none, query:k]}\n"
	    "  once: {concurrency: 1, by: query:k, lease: %dms}\n"
	    "  weighed: {concurrency: 3, by: query:k, cost: query:cost}\n"
	    "routes:\n"
	    "  three: {path: /three, limits: three, service: a}\n"
	    "  own: {path: /own, limits: three, service: a}\n"
	    "  one: {path: /one, limits: shared, service: a}\n"
	    "  two: {path: /two, limits: shared, service: a}\n"
	    "  several: {path: /several, limits: [three, daily, five.of-them], service: a}\n"
	    "  legacy: {path: /legacy, limits: legacy, service: a}\n"
	    "  quiet: {path: /quiet, limits: quiet, service: a}\n"
	    "  watched: {path: /watched, limits: [watched, three], service: a}\n"
	    "  plans: {path: /plans, limits: plans, service: a}\n"
	    "  priced: {path: /priced, limits: priced, service: a}\n"
	    "  absent: {path: /absent, limits: absent, service: a}\n"
	    "  held: {path: /held, limits: once, service: a}\n"
	    "  weighed: {path: /held/weighed, limits: weighed, service: a}\n"
	    "  beside: {path: /beside, limits: weighed, service: a}\n",
	    played_port(stage.a), bed_noon_zone(), LEASE_MS);
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

/* A key of its own for each scene and web server. */
static unsigned
turn(bool next)
{
	static unsigned turns;

	return turns += next;
}

static const struct http_reply *
ask_for(const struct front *front, const char *path)
{
	char target[128];

	snprintf(target, sizeof(target), "%s%ck=%u", path, strchr(path, '?') == NULL ? '?' : '&', turn(false));
	return get(front, target);
}

static void
a_refusal_says_when_to_come_back(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		turn(true);
		for (int left = 2; left >= 0; left--) {
			char expected[64];

			reply = ask_for(front, "/three");
			CHECK(front, reply->status == 200);
			CHECK(front, http_header_is(reply, "RateLimit-Policy", "\"three\";q=3;w=3600"));
			snprintf(expected, sizeof(expected), "\"three\";r=%d;t=%d", left, (3 - left) * 1200);
			CHECK(front, http_header_is(reply, "RateLimit", expected));
			CHECK(front, http_header(reply, "Retry-After") == NULL);
		}
		reply = ask_for(front, "/three");
		CHECK(front, http_is_problem(&stage.bed, reply, 429, "limit_exceeded"));
		CHECK(front, http_header_is(reply, "Retry-After", "1200"));
		CHECK(front, http_header_is(reply, "RateLimit-Policy", "\"three\";q=3;w=3600"));
		CHECK(front, http_header_is(reply, "RateLimit", "\"three\";r=0;t=1200"));
		turn(true);
		CHECK(front, ask_for(front, "/three")->status == 200);
	}
}

static void
a_limit_is_shared_by_name(void)
{
	EACH_FRONT(&stage, front) {
		turn(true);
		CHECK(front, ask_for(front, "/one")->status == 200);
		CHECK(front, ask_for(front, "/two")->status == 200);
		CHECK(front, ask_for(front, "/one")->status == 200);
		CHECK(front, ask_for(front, "/two")->status == 200);
		CHECK(front, ask_for(front, "/one")->status == 429);
		CHECK(front, ask_for(front, "/two")->status == 429);
	}
}

static void
several_limits_are_charged_together_or_not_at_all(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		turn(true);
		reply = ask_for(front, "/several");
		CHECK(front, reply->status == 200);
		CHECK(front, http_header_is(reply, "RateLimit-Policy",
				 "\"three\";q=3;w=3600, \"daily\";q=2;w=86400, \"five.of-them\";q=5;w=3600"));
		CHECK(front, ask_for(front, "/several")->status == 200);
		/* The day's limit refuses; the hour's, which is shared with /three, has one left and keeps it. */
		for (int i = 0; i < 3; i++) {
			reply = ask_for(front, "/several");
			CHECK(front, reply->status == 429);
			CHECK(front, strncmp(http_header(reply, "RateLimit"), "\"three\";r=1;", 12) == 0);
		}
		CHECK(front, ask_for(front, "/three")->status == 200);
		CHECK(front, ask_for(front, "/three")->status == 429);
	}
}

static void
headers_of_the_service_give_way(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		turn(true);
		reply = ask_for(front, "/own");
		CHECK(front, http_header_count(reply, "RateLimit") == 1);
		CHECK(front, http_header_is(reply, "RateLimit", "\"three\";r=2;t=1200"));
		CHECK(front, http_header_is(reply, "RateLimit-Policy", "\"three\";q=3;w=3600"));
		/* What is silent leaves alone what the service says. */
		reply = ask_for(front, "/quiet");
		CHECK(front, http_header_is(reply, "RateLimit", "\"its own\";r=1"));
		reply = ask_for(front, "/legacy");
		CHECK(front, http_header_is(reply, "X-RateLimit-Limit", "5"));
		CHECK(front, http_header_is(reply, "X-RateLimit-Remaining", "4"));
		CHECK(front, http_header_is(reply, "X-RateLimit-Reset", "720"));
		CHECK(front, http_header(reply, "RateLimit") == NULL);
	}
}

/* Once a second at most. */
static bool
observing_is_said(void *arg)
{
	char *log = bed_read(&stage.bed, "pool.log");
	bool said = strstr(log, "a limit that is observed would have refused") != NULL;

	(void)arg;
	free(log);
	return said;
}

static void
what_is_observed_is_not_refused(void)
{
	EACH_FRONT(&stage, front) {
		double before = bed_metric(front, "faregate_limits_total{policy=\"watched\",outcome=\"observed\"}");
		const struct http_reply *reply = NULL;

		turn(true);
		for (int i = 0; i < 3; i++) {
			reply = ask_for(front, "/watched");
			CHECK(front, reply->status == 200);
		}
		CHECK(front, http_header_is(reply, "RateLimit-Policy", "\"three\";q=3;w=3600"));
		CHECK(front, bed_metric(front, "faregate_limits_total{policy=\"watched\",outcome=\"observed\"}") == before + 2);
		CHECK(front, ask_for(front, "/watched")->status == 429);
	}
	CU_ASSERT(bed_wait(observing_is_said, NULL));
}

static void
some_have_other_numbers(void)
{
	EACH_FRONT(&stage, front) {
		turn(true);
		CHECK(front, ask_for(front, "/plans?plan=iron")->status == 200);
		CHECK(front, ask_for(front, "/plans?plan=iron")->status == 429);
		for (int i = 0; i < 3; i++)
			CHECK(front, ask_for(front, "/plans?plan=gold")->status == 200);
		CHECK(front, ask_for(front, "/plans?plan=gold")->status == 429);
		for (int i = 0; i < 2; i++)
			CHECK(front, ask_for(front, "/plans?plan=black")->status == 200);
		CHECK(front, ask_for(front, "/plans?plan=black")->status == 429);
	}
}

static void
requests_cost_what_they_say(void)
{
	EACH_FRONT(&stage, front) {
		turn(true);
		CHECK(front, strncmp(http_header(ask_for(front, "/priced?cost=4"), "RateLimit"), "\"priced\";r=6;", 13) == 0);
		CHECK(front, strncmp(http_header(ask_for(front, "/priced?cost=0"), "RateLimit"), "\"priced\";r=6;", 13) == 0);
		CHECK(front, ask_for(front, "/priced?cost=7")->status == 429);
		CHECK(front, strncmp(http_header(ask_for(front, "/priced?cost=x"), "RateLimit"), "\"priced\";r=5;", 13) == 0);
		CHECK(front, ask_for(front, "/priced?cost=-4")->status == 200);
		/* Whoever asks for more than can be counted pays no less than for what can be. */
		CHECK(front, ask_for(front, "/priced?cost=99999999999999999999")->status == 429);
		CHECK(front, ask_for(front, "/priced?cost=4000000000")->status == 429);
		CHECK(front, ask_for(front, "/priced?cost=4")->status == 200);
	}
}

/* An absent variable: the address, never one key for all who lack it. */
static void
an_absent_variable_is_the_address(void)
{
	EACH_FRONT(&stage, front) {
		char target[64];

		turn(true);
		CHECK(front, ask_for(front, "/absent")->status == 200);
		CHECK(front, ask_for(front, "/absent")->status == 429);
		snprintf(target, sizeof(target), "/absent?k=%u", turn(false));
		CHECK(front, ask(front, "GET", target, "X-Forwarded-For: 192.0.2.7\r\n", NULL)->status == 200);
		CHECK(front, ask(front, "GET", target, "X-Forwarded-For: 192.0.2.7\r\n", NULL)->status == 429);
		/* Of IPv6 a subscriber has a whole /64. */
		CHECK(front, ask(front, "GET", target, "X-Forwarded-For: 2001:db8::1\r\n", NULL)->status == 200);
		CHECK(front, ask(front, "GET", target, "X-Forwarded-For: 2001:db8::2:1\r\n", NULL)->status == 429);
		CHECK(front, ask(front, "GET", target, "X-Forwarded-For: 2001:db8:0:1::1\r\n", NULL)->status == 200);
	}
}

static void
explain_does_not_count(void)
{
	const struct front *front = stage.fronts[0];
	char target[64], *said;
	const char *argv[] = {bed_program(), "explain", "-c", stage.bed.config, "GET", target, NULL};

	turn(true);
	snprintf(target, sizeof(target), "/three?k=%u", turn(false));
	CHECK(front, ask_for(front, "/three")->status == 200);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(bed_run(&stage.bed, &said, argv), 0);
		CU_ASSERT(strstr(said, "allowed: three by query:k=") != NULL);
		CU_ASSERT(strstr(said, "cost 1: 1 of 3 would be left") != NULL);
		free(said);
	}
	CHECK(front, ask_for(front, "/three")->status == 200);
	CHECK(front, ask_for(front, "/three")->status == 200);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &said, argv), 1);
	CU_ASSERT(strstr(said, "refused: three by") != NULL);
	free(said);
}

static void
limits_are_shown_and_reset(void)
{
	const struct front *front = stage.fronts[0];
	char key[16], *said;
	const char *show[] = {bed_program(), "limits", "show", "-c", stage.bed.config, "--json", key, NULL};
	const char *reset[] = {bed_program(), "limits", "reset", "-c", stage.bed.config, "--limit", "three", key, NULL};
	const char *unknown[] = {bed_program(), "limits", "show", "-c", stage.bed.config, "--limit", "four", key, NULL};

	turn(true);
	snprintf(key, sizeof(key), "%u", turn(false));
	for (int i = 0; i < 4; i++)
		(void)ask_for(front, "/three");
	CU_ASSERT_EQUAL(ask_for(front, "/plans?plan=gold")->status, 200);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &said, show), 0);
	CU_ASSERT(strstr(said, "{\"limit\":\"three\",\"by\":\"query:k\",\"remaining\":0,\"of\":3,\"reset_ms\":3") != NULL);
	CU_ASSERT(strstr(said, "{\"limit\":\"shared\",\"by\":\"query:k\",\"remaining\":4,\"of\":4,\"reset_ms\":0,\"key\":\"") != NULL);
	CU_ASSERT(strstr(said, "{\"limit\":\"plans\",\"by\":\"query:k; query:plan=gold\",\"remaining\":2,\"of\":3,") != NULL);
	CU_ASSERT(strstr(said, "black") == NULL);
	free(said);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &said, reset), 0);
	free(said);
	CU_ASSERT_EQUAL(ask_for(front, "/three")->status, 200);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &said, unknown), 1);
	free(said);
}

/* False: a minute was over meanwhile, after which what was counted before counts half. */
static bool
is_in_the_sample(void *arg)
{
	char key[24], *said, *line, hash[17];
	const char *show[] = {bed_program(), "limits", "show", "-c", stage.bed.config, "--json", "--limit", "three", key, NULL};
	const char *top[] = {bed_program(), "limits", "top", "-c", stage.bed.config, "--json", NULL};
	unsigned long refused;

	(void)arg;
	turn(true);
	snprintf(key, sizeof(key), "%u", turn(false));
	for (int i = 0; i < 40; i++)
		(void)ask_for(stage.fronts[0], "/three");
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &said, show), 0);
	line = strstr(said, "\"key\":\"");
	CU_ASSERT_FATAL(line != NULL);
	snprintf(hash, sizeof(hash), "%s", line + 7);
	free(said);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &said, top), 0);
	line = strstr(said, hash);
	CU_ASSERT_FATAL(line != NULL);
	CU_ASSERT(strncmp(line - 24, "{\"limit\":\"three\",\"key\":\"", 24) == 0);
	refused = strtoul(line + 28, NULL, 10);
	free(said);
	CU_ASSERT(refused <= 37);
	return refused >= 30;
}

/* Who is refused stands in the sample by the hash that `show` says, and nowhere by name. */
static void
who_is_refused_most(void)
{
	CU_ASSERT(bed_wait(is_in_the_sample, NULL));
}

/* One holds the only place; the place is free when it is done, when its client leaves, and when its worker dies. */
static void
hold_place(const struct front *front, struct http_conn *conn, bool kill_worker)
{
	pid_t pids[4];
	char target[64];

	turn(true);
	gate_reset(&hold);
	snprintf(target, sizeof(target), "/held?k=%u", turn(false));
	http_open(conn, front, NULL);
	CHECK(front, http_send_head(conn, "GET", target, NULL, -1));
	CHECK(front, gate_wait_waiting(&hold, 1));
	CHECK(front, ask_for(front, "/held")->status == 429);
	if (!kill_worker)
		return;
	for (size_t n = bed_workers(&stage.bed, pids, 4); n > 0; n--)
		kill(pids[n - 1], SIGKILL);
}

static bool
place_is_free(void *arg)
{
	return ask_for(arg, "/held")->status == 200;
}

static void
a_place_is_given_back(void)
{
	EACH_FRONT(&stage, front) {
		struct http_conn conn;

		hold_place(front, &conn, false);
		gate_open(&hold, 1000);
		CHECK(front, http_read(&conn)->status == 200);
		http_close(&conn);
		CHECK(front, bed_wait(place_is_free, (void *)(uintptr_t)front));
	}
}

/* Two of three places are held by one request. */
static void
a_request_takes_the_places_that_it_costs(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;
		struct http_conn conn;
		char target[64];

		turn(true);
		gate_reset(&hold);
		snprintf(target, sizeof(target), "/held/weighed?k=%u&cost=2", turn(false));
		http_open(&conn, front, NULL);
		CHECK(front, http_send_head(&conn, "GET", target, NULL, -1));
		CHECK(front, gate_wait_waiting(&hold, 1));
		reply = ask_for(front, "/beside?cost=1");
		CHECK(front, reply->status == 200);
		CHECK(front, http_header_is(reply, "RateLimit", "\"weighed\";r=0"));
		CHECK(front, ask_for(front, "/beside?cost=0")->status == 200);
		reply = ask_for(front, "/beside?cost=2");
		CHECK(front, reply->status == 429);
		CHECK(front, http_header_is(reply, "Retry-After", "1"));
		/* Of what is never allowed nothing is said that would not hold. */
		reply = ask_for(front, "/beside?cost=4");
		CHECK(front, reply->status == 429);
		CHECK(front, http_header_is(reply, "Retry-After", "30"));
		gate_open(&hold, 1000);
		CHECK(front, http_read(&conn)->status == 200);
		http_close(&conn);
	}
}

static void
a_place_outlives_its_lease_while_it_is_held(void)
{
	const struct front *front = stage.fronts[0];
	int64_t until = bed_now_ms() + 2 * LEASE_MS;
	struct http_conn conn;

	hold_place(front, &conn, false);
	while (bed_now_ms() < until)
		CU_ASSERT_EQUAL_FATAL(ask_for(front, "/held")->status, 429);
	gate_open(&hold, 1000);
	CHECK(front, http_read(&conn)->status == 200);
	http_close(&conn);
}

static void
a_dead_worker_gives_back(void)
{
	const struct front *front = stage.fronts[0];
	struct http_conn conn;

	hold_place(front, &conn, true);
	gate_open(&hold, 1000);
	CHECK(front, bed_wait(place_is_free, (void *)(uintptr_t)front));
	http_close(&conn);
}

void
suite_limits(void)
{
	CU_pSuite suite = add_suite("limits", init, cleanup);

	ADD_SCENE(suite, a_refusal_says_when_to_come_back);
	ADD_SCENE(suite, a_limit_is_shared_by_name);
	ADD_SCENE(suite, several_limits_are_charged_together_or_not_at_all);
	ADD_SCENE(suite, headers_of_the_service_give_way);
	ADD_SCENE(suite, what_is_observed_is_not_refused);
	ADD_SCENE(suite, some_have_other_numbers);
	ADD_SCENE(suite, requests_cost_what_they_say);
	ADD_SCENE(suite, an_absent_variable_is_the_address);
	ADD_SCENE(suite, explain_does_not_count);
	ADD_SCENE(suite, limits_are_shown_and_reset);
	ADD_SCENE(suite, who_is_refused_most);
	ADD_SCENE(suite, a_place_is_given_back);
	ADD_SCENE(suite, a_request_takes_the_places_that_it_costs);
	ADD_SCENE(suite, a_place_outlives_its_lease_while_it_is_held);
	ADD_SCENE(suite, a_dead_worker_gives_back);
}
