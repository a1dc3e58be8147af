/*
 * Every way to put the gateway behind a web server, each by its file of deploy/, serves the same; at the root and under a
 * path; and the web server's own error pages leave our answers alone.
 */
#include <sys/stat.h>

#include "e2e/e2e.h"

static struct stage stage;
static const struct front *fronts[BED_MAX_FRONTS];
static size_t front_count;
static struct gate next_event = GATE_CLOSED;

static void
say_events(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
	for (int i = 0; i < 3 && gate_pass(&next_event); i++)
		say(conn, "data: event %d\n\n", i);
	say_close(conn);
}

static void
say_cookies(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 404, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", "own page");
}

static const struct played_part parts[] = {
    {"/events", say_events, false}, {"/cookies", say_cookies, false}, {NULL, say_echo, false}};

static void
play(void)
{
	stage_play(&stage, parts, NULL);
	bed_write_config(&stage.bed,
	    "services:\n  a: http://127.0.0.1:%d\n  gone: http://127.0.0.1:%d\n"
	    "routes:\n"
	    "  all: {path: /*, service: a}\n"
	    "  api: {path: /api/*, service: a, strip-prefix: /api}\n"
	    "  gone: {path: /gone, service: gone}\n"
	    "  api-gone: {path: /api/gone, service: gone}\n",
	    played_port(stage.a), bed_dead_port());
	/* Written by the pool, and by processes that web servers start as another user. */
	bed_write(&stage.bed, "access.log", "%s", "");
	chmod(stage.bed.access_log, 0666);
	bed_start_pool(&stage.bed, NULL);
	front_count = 0;
}

static void
add_front(enum front_kind kind, const char *mount, const char *extra)
{
	fronts[front_count++] = bed_start_front(&stage.bed, kind, mount, extra);
}

static int
init_root(void)
{
	play();
	for (int kind = FRONT_LIGHTTPD; kind <= FRONT_APACHE_CGI; kind++)
		add_front((enum front_kind)kind, "/", NULL);
	return 0;
}

static int
init_mounted(void)
{
	play();
	for (int kind = FRONT_LIGHTTPD; kind <= FRONT_APACHE_CGI; kind++)
		add_front((enum front_kind)kind, "/api", NULL);
	return 0;
}

static int
init_error_pages(void)
{
	char extra[BED_PATH_BYTES * 2];

	play();
	bed_write(&stage.bed, "error-404.html", "web server's own");
	bed_write(&stage.bed, "error-502.html", "web server's own");
	snprintf(extra, sizeof(extra), "server.errorfile-prefix = \"%s/error-\"", stage.bed.dir);
	add_front(FRONT_LIGHTTPD, "/", extra);
	add_front(FRONT_APACHE, "/", "ErrorDocument 404 \"web server's own\"\nErrorDocument 502 \"web server's own\"\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

#define EACH_MODE(front) \
	for (const struct front *front, **each_mode = fronts; each_mode < fronts + front_count && (front = *each_mode) != NULL; \
	    each_mode++)

static void
a_request_and_its_answer(void)
{
	EACH_MODE(front) {
		const struct http_reply *reply = ask(front, "PUT", "/api/a%2Fb//c?x=%20",
		    "Authorization: Basic eDp5\r\nContent-Type: application/json\r\nX-Custom: yes\r\n", "{\"a\":1}");

		CHECK(front, reply->status == 200 && reply->complete);
		CHECK(front, http_body_has(reply, "PUT /a%2Fb//c?x=%20 HTTP/1.1\r\n"));
		CHECK(front, http_body_has(reply, "\r\nAuthorization: Basic eDp5\r\n"));
		CHECK(front, http_body_has(reply, "\r\nContent-Type: application/json\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Custom: yes\r\n"));
		CHECK(front, http_body_has(reply, "\r\n\r\n{\"a\":1}"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "forwarded"));
		reply = get(front, "/api/cookies");
		CHECK(front, reply->status == 404 && http_body_has(reply, "own page"));
		CHECK(front, http_header_count(reply, "Set-Cookie") == 2);
		reply = ask(front, "HEAD", "/api/x", NULL, NULL);
		CHECK(front, reply->status == 200 && reply->complete);
	}
}

static void
an_answer_of_our_own(void)
{
	EACH_MODE(front)
		CHECK(front, http_is_problem(&stage.bed, get(front, "/api/gone"), 502, "service_unreachable"));
}

static void
events_come_one_by_one(void)
{
	char text[32];

	EACH_MODE(front) {
		struct http_conn conn;

		gate_reset(&next_event);
		http_open(&conn, front, NULL);
		http_send_head(&conn, "GET", "/api/events", NULL, -1);
		for (int i = 0; i < 3; i++) {
			gate_open(&next_event, 1);
			snprintf(text, sizeof(text), "data: event %d\n\n", i);
			CHECK(front, http_read_until(&conn, text));
		}
		http_close(&conn);
	}
}

static void
large_bodies_both_ways(void)
{
	char *body = malloc(2000001);

	memset(body, 'x', 2000000);
	body[2000000] = '\0';
	EACH_MODE(front) {
		const struct http_reply *reply = ask(front, "POST", "/api/big", NULL, body);

		CHECK(front, reply->status == 200 && http_body_has(reply, "\r\nContent-Length: 2000000\r\n"));
		CHECK(front, reply->complete && reply->body_len > 60000);
	}
	free(body);
}

static void
only_the_mount_is_ours(void)
{
	EACH_MODE(front) {
		const struct http_reply *reply = get(front, "/api");

		CHECK(front, reply->status == 200 && http_body_has(reply, "GET / HTTP/1.1\r\n"));
		reply = get(front, "/apix");
		CHECK(front, (reply->status == 404 || reply->status == 403) && strstr(reply->body, "urn:faregate") == NULL);
		CHECK(front, strstr(reply->body, "GET /apix") == NULL);
		/* Out of the mount by dots: the web server's, or nobody's; not a file of the program's folder. */
		reply = get(front, "/api/../x");
		CHECK(front, reply->status == 404 || reply->status == 403 || reply->status == 200);
	}
}

static void
error_pages_leave_our_answers_alone(void)
{
	EACH_MODE(front) {
		CHECK(front, http_is_problem(&stage.bed, get(front, "/gone"), 502, "service_unreachable"));
		CHECK(front, http_is_problem(&stage.bed, get(front, "/a/..;/b"), 400, "path_ambiguous"));
		CHECK(front, http_body_has(get(front, "/cookies"), "own page"));
		CHECK(front, ask(front, "HEAD", "/gone", NULL, NULL)->status == 502);
	}
}

void
suite_modes(void)
{
	CU_pSuite suite = add_suite("ways to plug in, at the root", init_root, cleanup);

	ADD_SCENE(suite, a_request_and_its_answer);
	ADD_SCENE(suite, an_answer_of_our_own);
	ADD_SCENE(suite, events_come_one_by_one);
	ADD_SCENE(suite, large_bodies_both_ways);
	suite = add_suite("ways to plug in, under a path", init_mounted, cleanup);
	ADD_SCENE(suite, a_request_and_its_answer);
	ADD_SCENE(suite, an_answer_of_our_own);
	ADD_SCENE(suite, only_the_mount_is_ours);
	suite = add_suite("web servers with error pages", init_error_pages, cleanup);
	ADD_SCENE(suite, error_pages_leave_our_answers_alone);
}
