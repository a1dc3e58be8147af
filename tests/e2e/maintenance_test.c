/* A service that a fixed answer stands in for, from one reload to another. */
#include "e2e/e2e.h"

static struct stage stage;
static struct gate hold = GATE_CLOSED;

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&hold);
	say_reply(conn, 200, NULL, "held");
}

static const struct played_part parts[] = {{"/held", say_held, false}, {NULL, say_echo, false}};

/* more: keys of service a besides. */
static void
write_config(const char *more)
{
	bed_write_config(&stage.bed,
	    "services:\n  a: {targets: http://127.0.0.1:%d%s}\n  b: http://127.0.0.1:%d\n"
	    "routes:\n"
	    "  a: {path: /a/*, service: a, strip-prefix: /a}\n"
	    "  both: {path: /both/*, split: {a: 50, b: 50}, split-by: [header:X-User]}\n"
	    "  copied: {path: /copied, service: b, mirror: {service: a}}\n",
	    played_port(stage.a), more, played_port(stage.b));
}

#define RESPOND ", respond: {status: 503, body: '{\"back\":\"soon\"}', content-type: application/json, retry-after: 90s}"

static int
init(void)
{
	stage_play(&stage, parts, NULL);
	write_config("");
	bed_start_pool(&stage.bed, NULL);
	stage.fronts[0] = bed_start_front(&stage.bed, FRONT_LIGHTTPD, "/", NULL);
	stage.fronts[1] = bed_start_front(&stage.bed, FRONT_APACHE, "/", NULL);
	return 0;
}

static int
cleanup(void)
{
	gate_open(&hold, 1000);
	return !stage_close(&stage);
}

static void
reload(void)
{
	char *out;

	CU_ASSERT_EQUAL(
	    bed_run(&stage.bed, &out, (const char *[]){bed_program(), "reload", "-c", stage.bed.config, NULL}), 0);
	free(out);
	CU_ASSERT(bed_wait_running(stage.fronts[0], 2));
}

static bool
is_maintained(const struct http_reply *reply)
{
	return reply->status == 503 && http_header_is(reply, "Retry-After", "90") &&
	    http_header_is(reply, "Content-Type", "application/json") && strcmp(reply->body, "{\"back\":\"soon\"}") == 0;
}

/* Of 20 users, how many see the fixed answer; the others are answered 200. */
static int
count_maintained(const struct front *front)
{
	char user[32];
	int count = 0;

	for (int i = 0; i < 20; i++) {
		const struct http_reply *reply;

		snprintf(user, sizeof(user), "X-User: u%d\r\n", i);
		reply = ask(front, "GET", "/both/x", user, NULL);
		CHECK(front, reply->status == 200 || is_maintained(reply));
		count += reply->status == 503;
	}
	return count;
}

static void
a_reload_switches_it_on_and_off(void)
{
	struct http_conn conn[2];

	gate_reset(&hold);
	for (int i = 0; i < 2; i++) {
		http_open(&conn[i], stage.fronts[i], NULL);
		CU_ASSERT(http_send_head(&conn[i], "GET", "/a/held", NULL, -1));
	}
	CU_ASSERT(gate_wait_waiting(&hold, 2));
	write_config(RESPOND);
	reload();
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/a/x");
		int maintained = count_maintained(front);

		CHECK(front, is_maintained(reply));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "responded"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "service", "a"));
		CHECK(front, ask(front, "POST", "/a/x", NULL, "a body")->status == 503);
		reply = ask(front, "HEAD", "/a/x", NULL, NULL);
		CHECK(front, reply->status == 503 && reply->complete && http_header_is(reply, "Retry-After", "90"));
		CHECK(front, maintained > 0 && maintained < 20);
		CHECK(front, get(front, "/copied")->status == 200);
	}
	CU_ASSERT_EQUAL(bed_metric(stage.fronts[0], "faregate_mirrors_dropped_total{service=\"a\"}"), 2);
	/* What was begun goes on. */
	gate_open(&hold, 2);
	for (int i = 0; i < 2; i++) {
		const struct http_reply *reply = http_read(&conn[i]);

		CHECK(stage.fronts[i], reply->status == 200 && http_body_has(reply, "held"));
		http_close(&conn[i]);
	}
	write_config("");
	reload();
	EACH_FRONT(&stage, front) {
		CHECK(front, get(front, "/a/x")->status == 200);
		CHECK(front, count_maintained(front) == 0);
	}
}

static void
explained_and_listed(void)
{
	char *out;

	write_config(RESPOND);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out,
	                    (const char *[]){bed_program(), "explain", "-c", stage.bed.config, "GET", "/a/x", NULL}), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "503 instead of service a"));
	free(out);
	CU_ASSERT_EQUAL(
	    bed_run(&stage.bed, &out, (const char *[]){bed_program(), "routes", "-c", stage.bed.config, NULL}), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "a (respond 503) 50, b 50"));
	free(out);
}

void
suite_maintenance(void)
{
	CU_pSuite suite = add_suite("maintenance", init, cleanup);

	ADD_SCENE(suite, a_reload_switches_it_on_and_off);
	ADD_SCENE(suite, explained_and_listed);
}
