/* Tries one by one: what each of them waits for, that it is counted once however it ends, and what copies count for. */
#include <poll.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "e2e/e2e.h"
#include "e2e/load.h"

static struct stage stage;
static _Atomic unsigned posted; /* requests for /moody */

static void
say_ok(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, NULL, "ok");
}

/* Every second time. */
static void
reset_or_echo(struct played_conn *conn, struct played_request *request)
{
	if (atomic_fetch_add(&posted, 1) % 2 == 0)
		say_reset(conn);
	else
		say_echo(conn, request);
}

static void
reset_at_once(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reset(conn);
}

static void
say_busy(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 503, NULL, "busy");
}

static void
say_busy_for_a_second(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 503, "Retry-After: 1\r\n", "busy");
}

/* Over already, and in an hour. */
static void
say_busy_until(struct played_conn *conn, struct played_request *request)
{
	char header[64] = "Retry-After: ";
	bool is_late = strstr(request->target, "late") != NULL;
	int len = 13 + fg_clock_format_http_date((time(NULL) + (is_late ? 3600 : -1)) * FG_US_PER_S, header + 13);

	snprintf(header + len, sizeof(header) - (size_t)len, "\r\n");
	say_reply(conn, 503, header, "busy");
}

static void
say_garbage(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "who is there?\r\n\r\n");
	say_close(conn);
}

/* More than the gateway keeps back: some of it has gone to the client. */
static void
tear_answer(struct played_conn *conn, struct played_request *request)
{
	static const char piece[64 * 1024];

	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	say_bytes(conn, piece, sizeof(piece));
	say_close(conn);
}

/* Nothing has. */
static void
tear_answer_at_once(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_last(conn);
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun");
}

#define FAILING_PARTS \
	{"/never/busy", say_busy, false}, {"/failing/early", say_busy_until, false}, {"/failing/late", say_busy_until, false}, \
	    {"/failing/busy", say_busy, false}, {"/failing/soon", say_busy_for_a_second, false}, \
	    {"/failing/garbage", say_garbage, false}, {"/failing/torn", tear_answer, false}, \
	    {"/failing/cut", tear_answer_at_once, false}, \
	    {"/failing/reset", reset_at_once, false}, {"/failing/mute", say_nothing, false}

static const struct played_part parts_a[] = {FAILING_PARTS, {"/tardy", say_busy, false}, {"/early", say_busy, true},
    {"/moody", reset_or_echo, false}, {"/odd", say_busy, false}, {NULL, say_ok, false}};
static const struct played_part parts_b[] = {
    FAILING_PARTS, {"/tardy", say_nothing, false}, {"/early", say_nothing, false}, {NULL, say_ok, false}};

static int
init(void)
{
	int a, b;

	stage_play(&stage, parts_a, parts_b);
	a = played_port(stage.a);
	b = played_port(stage.b);
	stage_serve(&stage,
	    "services:\n"
	    "  lazy:\n"
	    "    targets: [{url: \"http://127.0.0.1:%d\", weight: 1000}, \"http://127.0.0.1:%d\"]\n"
	    "    response-timeout: 400ms\n"
	    "    retry: {attempts: 2, backoff: 1ms}\n"
	    "  impatient:\n"
	    "    targets: [{url: \"http://127.0.0.1:%d\", weight: 1000}, \"http://127.0.0.1:%d\"]\n"
	    "    response-timeout: 400ms\n"
	    "    idle-timeout: 400ms\n"
	    "    retry: {attempts: 2, backoff: 1ms}\n"
	    "  failing:\n"
	    "    targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    retry: {attempts: 3, budget: 100%%, backoff: 1ms}\n"
	    "    breaker: {failures: 10000, open-for: 60s}\n"
	    "  mute:\n"
	    "    targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    response-timeout: 200ms\n"
	    "    retry: {attempts: 3, budget: 100%%, backoff: 1ms}\n"
	    "    breaker: {failures: 10000, open-for: 60s}\n"
	    "  never: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"], retry: {attempts: 3, budget: 0%%}}\n"
	    "  narrow:\n"
	    "    targets: [{url: \"http://127.0.0.1:%d\", max-connections: 1}]\n"
	    "    retry: {attempts: 2, backoff: 1ms}\n"
	    "  plain: \"http://127.0.0.1:%d\"\n"
	    "  shadow:\n"
	    "    targets: [\"http://127.0.0.1:%d\"]\n"
	    "    breaker: {failures: 3, open-for: 60s}\n"
	    "routes:\n"
	    "  lazy: {path: /lazy/*, service: lazy, strip-prefix: /lazy}\n"
	    "  impatient: {path: /impatient/*, service: impatient, strip-prefix: /impatient, timeout: 60s}\n"
	    "  failing: {path: /failing/*, service: failing}\n"
	    "  mute: {path: /failing/mute, service: mute}\n"
	    "  never: {path: /never/*, service: never}\n"
	    "  narrow: {path: /narrow/*, service: narrow, strip-prefix: /narrow}\n"
	    "  mirrored: {path: /mirrored/*, service: plain, mirror: {service: shadow}, strip-prefix: /mirrored}\n",
	    a, b, a, b, a, b, a, b, a, b, a, b, a);
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

/* The first target refuses, the second has all of the body and says nothing. */
static void
a_body_sent_again_is_answered_in_time(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "PUT", "/lazy/tardy", NULL, "a body");

		CHECK(front, http_is_problem(&stage.bed, reply, 504, "service_timeout"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "tries", "2"));
	}
}

/* The body is what a second try waits for; that of the route would take a minute. */
static void
a_second_try_has_its_deadlines(void)
{
	const struct front *front = stage.fronts[0];
	const struct http_reply *reply;
	struct http_conn conn;

	http_open(&conn, front, NULL);
	CHECK(front, http_send_head(&conn, "PUT", "/impatient/early", NULL, 100) && http_say(&conn, "ten bytes."));
	reply = http_read(&conn);
	CHECK(front, reply->status == 408);
	CHECK(front, bed_log_says(&stage.bed, reply->id, "tries", "2"));
	http_close(&conn);
}

static void
one_place_is_enough_to_try_again(void)
{
	EACH_FRONT(&stage, front) {
		atomic_store(&posted, 0);
		CHECK(front, ask(front, "PUT", "/narrow/moody", NULL, "a body")->status == 200);
		CHECK(front, atomic_load(&posted) == 2);
	}
}

static void
no_budget_is_no_retry(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/never/busy");

		CHECK(front, reply->status == 503);
		CHECK(front, bed_log_says(&stage.bed, reply->id, "route", "never"));
	}
	CU_ASSERT_EQUAL(bed_metric(stage.fronts[0], "faregate_retries_total{service=\"never\"}"), 0);
	CU_ASSERT_EQUAL(bed_metric(stage.fronts[0], "faregate_retries_refused_total{service=\"never\"}"), 2);
}

static double
failing_metric(const char *name)
{
	static const char *const services[] = {"failing", "mute"};
	const struct played *const targets[] = {stage.a, stage.b};
	char series[160];
	double sum = 0;

	for (size_t i = 0; i < 4; i++) {
		snprintf(series, sizeof(series), "faregate_target_%s{service=\"%s\",target=\"http://127.0.0.1:%d\"}", name,
		    services[i / 2], played_port(targets[i % 2]));
		sum += bed_metric(stage.fronts[0], series);
	}
	return sum;
}

static bool
nothing_fails_in_flight(void *arg)
{
	(void)arg;
	return failing_metric("in_flight") == 0;
}

static bool
something_is_in_flight(void *arg)
{
	(void)arg;
	return failing_metric("in_flight") > 0;
}

/* Each try is in flight once, and judged once, however it ends. */
static void
each_try_counts_once(void)
{
	static const struct {
		const char *method, *target;
		int tries, failures;
	} cases[] = {
	    {"GET", "/failing/x", 1, 0},
	    {"GET", "/failing/busy", 3, 3},
	    {"GET", "/failing/reset", 3, 3},
	    {"GET", "/failing/mute", 3, 3},
	    {"GET", "/failing/garbage", 1, 1},
	    {"GET", "/failing/torn", 1, 1},
	    {"GET", "/failing/cut", 3, 3},
	    {"GET", "/failing/early", 3, 3},
	    {"GET", "/failing/late", 1, 1},
	    {"POST", "/failing/cut", 1, 1},
	    {"POST", "/failing/busy", 1, 1},
	    {"POST", "/failing/reset", 1, 1},
	    {"POST", "/failing/mute", 1, 1},
	};

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			double requests = failing_metric("requests_total"), failures = failing_metric("failures_total");

			ask(front, cases[i].method, cases[i].target, NULL, cases[i].method[0] == 'P' ? "a body" : NULL);
			CHECK(front, failing_metric("requests_total") == requests + cases[i].tries);
			CHECK(front, failing_metric("failures_total") == failures + cases[i].failures);
			CHECK(front, bed_wait(nothing_fails_in_flight, NULL));
		}
}

struct leaving {
	const struct front *front;
	const char *target;
	struct http_conn conn;
};

static void
begin_leaving(struct leaving *leaving)
{
	http_open(&leaving->conn, leaving->front, NULL);
	CHECK(leaving->front, http_send_head(&leaving->conn, "GET", leaving->target, NULL, -1));
}

/* Whoever looks too late, when it has been answered, asks again. */
static bool
is_on_its_way(void *arg)
{
	struct leaving *leaving = arg;
	struct pollfd answered = {leaving->conn.fd, POLLIN, 0};

	if (something_is_in_flight(NULL))
		return true;
	if (poll(&answered, 1, 0) == 1) {
		http_close(&leaving->conn);
		begin_leaving(leaving);
	}
	return false;
}

static void
leave_early(const struct front *front, const char *target)
{
	struct leaving leaving = {front, target, {.fd = -1}};

	begin_leaving(&leaving);
	CHECK(front, bed_wait(is_on_its_way, &leaving));
	http_reset(&leaving.conn);
	CHECK(front, bed_wait(nothing_fails_in_flight, NULL));
}

static void
a_storm_of_failures_leaves_nothing_in_flight(void)
{
	static const char *const targets[] = {"/failing/x", "/failing/busy", "/failing/soon", "/failing/reset", "/failing/mute",
	    "/failing/garbage", "/failing/torn"};
	enum { KINDS = sizeof(targets) / sizeof(targets[0]) };
	struct load *loads[KINDS];

	EACH_FRONT(&stage, front) {
		for (size_t i = 0; i < KINDS; i++)
			loads[i] = load_start(front, targets[i], 2);
		CHECK(front, load_wait_more(loads[0], 100));
		CHECK(front, load_wait_failed(loads[4], 2));
		for (size_t i = 0; i < KINDS; i++)
			load_stop(loads[i]);
		CHECK(front, bed_wait(nothing_fails_in_flight, NULL));
		/* A client that leaves while a target is silent, and one that leaves between two tries. */
		leave_early(front, "/failing/mute");
		leave_early(front, "/failing/soon");
	}
}

static bool
shadow_has(const char *name, double value)
{
	char series[160];

	snprintf(series, sizeof(series), "faregate_target_%s{service=\"shadow\",target=\"http://127.0.0.1:%d\"}", name,
	    played_port(stage.a));
	return bed_metric(stage.fronts[0], series) == value;
}

static bool
shadow_has_opened(void *arg)
{
	(void)arg;
	return shadow_has("breaker_opened_total", 1) && shadow_has("in_flight", 0);
}

/* A status that a breaker counts counts of a copy too; the client of the original learns nothing of it. */
static void
copies_tell_the_breaker_what_they_met(void)
{
	const struct front *front = stage.fronts[0];

	for (int i = 0; i < 5; i++)
		CHECK(front, get(front, "/mirrored/odd")->status == 200);
	CHECK(front, bed_wait(shadow_has_opened, NULL));
	CHECK(front, get(front, "/mirrored/odd")->status == 200);
}

void
suite_tries(void)
{
	CU_pSuite suite = add_suite("tries", init, cleanup);

	ADD_SCENE(suite, a_body_sent_again_is_answered_in_time);
	ADD_SCENE(suite, a_second_try_has_its_deadlines);
	ADD_SCENE(suite, one_place_is_enough_to_try_again);
	ADD_SCENE(suite, no_budget_is_no_retry);
	ADD_SCENE(suite, each_try_counts_once);
	ADD_SCENE(suite, a_storm_of_failures_leaves_nothing_in_flight);
	ADD_SCENE(suite, copies_tell_the_breaker_what_they_met);
}
