/* Shares of a route's requests: split between services, mirrored to another one. */
#include <stdatomic.h>

#include "e2e/e2e.h"

static struct stage stage;
static struct gate hold = GATE_CLOSED;
static _Atomic unsigned copies, whole_copies;

static void
say_a(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "X-From: a\r\n", "ok");
}

static void
say_b(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "X-From: b\r\n", "ok");
}

static void
take_copy(struct played_conn *conn, struct played_request *request)
{
	atomic_fetch_add(&whole_copies, strcmp(request->body, "the whole body") == 0 && strcmp(request->method, "POST") == 0);
	atomic_fetch_add(&copies, 1);
	say_reply(conn, 500, NULL, "nobody reads this");
}

static void
take_copy_and_hang(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	atomic_fetch_add(&copies, 1);
	gate_pass(&hold);
	say_close(conn);
}

static const struct played_part parts_a[] = {{NULL, say_a, false}};
static const struct played_part parts_b[] = {
    {"/copied", take_copy, false}, {"/slow", take_copy_and_hang, false}, {NULL, say_b, false}};

static int
init(void)
{
	stage_open(&stage, parts_a, parts_b,
	    "  split: {path: /split/*, split: {a: 50, b: 50}, split-by: [header:X-User]}\n"
	    "  testers: {path: /none/*, cookies: {tester: \"yes\"}, service: a}\n"
	    "  drawn: {path: /drawn/*, split: {a: 50, b: 50}}\n"
	    "  none: {path: /none/*, split: {a: 0, b: 1}}\n"
	    "  copied: {path: /copied/*, service: a, mirror: {service: b}}\n"
	    "  slow: {path: /slow/*, service: a, mirror: {service: b}}\n"
	    "  uncopied: {path: /uncopied/*, service: a, mirror: {service: b, percent: 0}}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static bool
is_from_b(const struct http_reply *reply)
{
	const char *from = http_header(reply, "X-From");

	return from != NULL && strcmp(from, "b") == 0;
}

/* Half of them at each, but for chance: fewer than 15 of 100 once in 10^12. */
static void
each_service_has_its_share(void)
{
	enum { USERS = 100 };

	EACH_FRONT(&stage, front) {
		unsigned by_b = 0, drawn = 0;

		for (int user = 0; user < USERS; user++) {
			char header[32];
			bool is_b;

			snprintf(header, sizeof(header), "X-User: u%d\r\n", user);
			is_b = is_from_b(ask(front, "GET", "/split/x", header, NULL));
			by_b += is_b;
			CHECK(front, is_from_b(ask(front, "GET", "/split/x", header, NULL)) == is_b);
			drawn += is_from_b(get(front, "/drawn/x"));
			CHECK(front, is_from_b(get(front, "/none/x")));
		}
		CHECK(front, by_b > USERS * 15 / 100 && by_b < USERS * 85 / 100);
		CHECK(front, drawn > USERS * 15 / 100 && drawn < USERS * 85 / 100);
	}
}

static void
a_cookie_takes_testers_elsewhere(void)
{
	EACH_FRONT(&stage, front) {
		CHECK(front, is_from_b(ask(front, "GET", "/none/x", "Cookie: session=1\r\n", NULL)));
		CHECK(front, is_from_b(ask(front, "GET", "/none/x", "Cookie: session=1; tester=no\r\n", NULL)));
		CHECK(front, !is_from_b(ask(front, "GET", "/none/x", "Cookie: session=1; tester=yes\r\n", NULL)));
	}
}

static bool
has_copies(void *arg)
{
	return atomic_load(&copies) >= *(unsigned *)arg;
}

static void
copies_arrive_whole(void)
{
	EACH_FRONT(&stage, front) {
		unsigned wanted = 10;

		atomic_store(&copies, 0);
		atomic_store(&whole_copies, 0);
		for (int i = 0; i < 5; i++) {
			CHECK(front, ask(front, "POST", "/copied/x", NULL, "the whole body")->status == 200);
			CHECK(front, get(front, "/copied/x")->status == 200);
			CHECK(front, get(front, "/uncopied/x")->status == 200);
		}
		CHECK(front, bed_wait(has_copies, &wanted));
		CHECK(front, atomic_load(&whole_copies) == 5);
		CHECK(front, atomic_load(&copies) == 10);
	}
}

/* More than is kept, and more than may be in flight. */
static void
too_much_is_left_out_and_counted(void)
{
	static const char dropped[] = "faregate_mirrors_dropped_total{service=\"b\"}";
	const struct front *front = stage.fronts[0];
	char *body = malloc(100 * 1024 + 1);
	double before = bed_metric(front, dropped);
	unsigned sent;

	memset(body, 'x', 100 * 1024);
	body[100 * 1024] = '\0';
	CHECK(front, ask(front, "POST", "/copied/x", NULL, body)->status == 200);
	CHECK(front, bed_metric(front, dropped) == before + 1);
	free(body);
	atomic_store(&copies, 0);
	/* The mirror hangs; no client notices. Two workers have 64 each. */
	for (int i = 0; i < 200; i++)
		CHECK(front, get(front, "/slow/x")->status == 200);
	sent = 200 - (unsigned)(bed_metric(front, dropped) - before - 1);
	CHECK(front, sent >= 64 && sent <= 128);
	CHECK(front, bed_wait(has_copies, &sent));
	gate_open(&hold, 1000);
}

void
suite_share(void)
{
	CU_pSuite suite = add_suite("shares", init, cleanup);

	ADD_SCENE(suite, each_service_has_its_share);
	ADD_SCENE(suite, a_cookie_takes_testers_elsewhere);
	ADD_SCENE(suite, copies_arrive_whole);
	ADD_SCENE(suite, too_much_is_left_out_and_counted);
}
