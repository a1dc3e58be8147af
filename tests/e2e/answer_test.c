/*
 * Answers of the gateway itself: routing by host, method, header and query, fixed answers, problems and their forms, the
 * gateway's own pages, and requests that are at fault.
 */
#include "e2e/e2e.h"

static struct stage stage;

static int
init(void)
{
	stage_open(&stage, NULL, NULL,
	    "  item: {path: \"/items/{id}\", methods: [GET, PUT], service: a}\n"
	    "  items: {path: /items, methods: [GET, POST], service: a}\n"
	    "  special: {path: /items/special, service: b}\n"
	    "  hosted: {path: /hosted, host: [api.example.com, \"*.example.org\"], service: a}\n"
	    "  versioned: {path: /versioned, headers: {X-Api-Version: \"2\"}, service: b}\n"
	    "  plain: {path: /versioned, service: a}\n"
	    "  queried: {path: /queried, query: {format: json}, service: a}\n"
	    "  regex: {path: \"~^/v[0-9]+/users$\", service: a}\n"
	    "  status: {path: /status, respond: {status: 200, body: '{\"ok\":true}', content-type: application/json}}\n"
	    "  gone: {path: /retired/*, respond: {status: 410}}\n"
	    "  only-get: {path: /only, methods: [GET], service: a}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static void
the_most_specific_route_is_taken(void)
{
	EACH_FRONT(&stage, front) {
		CHECK(front, bed_log_says(&stage.bed, get(front, "/items/7")->id, "route", "item"));
		CHECK(front, bed_log_says(&stage.bed, get(front, "/items/special")->id, "route", "special"));
		CHECK(front, bed_log_says(&stage.bed, get(front, "/items")->id, "route", "items"));
		CHECK(front, bed_log_says(&stage.bed, get(front, "/v12/users")->id, "route", "regex"));
		CHECK(front, get(front, "/vx/users")->status == 404);
		CHECK(front, get(front, "/items/7/deeper")->status == 404);
		CHECK(front, bed_log_says(&stage.bed, ask(front, "GET", "/versioned", "X-Api-Version: 2\r\n", NULL)->id, "route",
				 "versioned"));
		CHECK(front, bed_log_says(&stage.bed, get(front, "/versioned")->id, "route", "plain"));
		CHECK(front, get(front, "/queried?format=json")->status == 200);
		CHECK(front, get(front, "/queried?format=xml")->status == 404);
		CHECK(front, ask(front, "GET", "/hosted", "Host: api.example.com:8080\r\n", NULL)->status == 200);
		CHECK(front, ask(front, "GET", "/hosted", "Host: A.example.ORG\r\n", NULL)->status == 200);
		CHECK(front, ask(front, "GET", "/hosted", "Host: example.org\r\n", NULL)->status == 404);
		CHECK(front, get(front, "/hosted")->status == 404);
	}
}

static void
a_wrong_method_is_told_the_right_ones(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "DELETE", "/items/7", NULL, NULL);
		const char *allow = http_header(reply, "Allow");

		CHECK(front, http_is_problem(&stage.bed, reply, 405, "method_not_allowed"));
		CHECK(front, allow != NULL && strstr(allow, "GET") != NULL && strstr(allow, "HEAD") != NULL);
		CHECK(front, allow != NULL && strstr(allow, "PUT") != NULL && strstr(allow, "POST") == NULL);
		reply = ask(front, "OPTIONS", "/items", NULL, NULL);
		allow = http_header(reply, "Allow");
		CHECK(front, reply->status == 204 && allow != NULL && strstr(allow, "POST") != NULL);
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "options_answered"));
		CHECK(front, ask(front, "HEAD", "/only", NULL, NULL)->status == 200);
	}
}

static void
fixed_answers(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/status");

		CHECK(front, reply->status == 200 && reply->body_len == 11 && http_body_has(reply, "{\"ok\":true}"));
		CHECK(front, http_header_is(reply, "Content-Type", "application/json"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "responded"));
		reply = ask(front, "HEAD", "/status", NULL, NULL);
		CHECK(front, reply->status == 200 && reply->complete && reply->body_len == 0);
		reply = ask(front, "POST", "/retired/x", NULL, "a body that nobody wants");
		CHECK(front, reply->status == 410 && reply->body_len == 0);
	}
}

static void
problems_in_each_form(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/nowhere");

		CHECK(front, http_is_problem(&stage.bed, reply, 404, "route_not_found"));
		CHECK(front, http_header_is(reply, "Cache-Control", "no-store"));
		reply = ask(front, "GET", "/nowhere", "Accept: text/html,application/xhtml+xml;q=0.9\r\n", NULL);
		CHECK(front, reply->status == 404 && http_body_has(reply, "<!doctype html>") && http_body_has(reply, reply->id));
		CHECK(front, strncmp(http_header(reply, "Content-Type"), "text/html", 9) == 0);
		reply = ask(front, "GET", "/nowhere", "Accept: */*\r\n", NULL);
		CHECK(front, http_header_is(reply, "Content-Type", "application/problem+json"));
		reply = ask(front, "HEAD", "/nowhere", NULL, NULL);
		CHECK(front, reply->status == 404 && reply->complete && reply->body_len == 0);
		/* Nothing of the request is repeated. */
		reply = ask(front, "GET", "/<script>x", "Accept: text/html\r\n", NULL);
		CHECK(front, strstr(reply->body, "<script>") == NULL);
	}
}

static void
own_pages(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/_faregate/healthz");
		struct http_conn conn;

		CHECK(front, reply->status == 200);
		CHECK(front, get(front, "/_faregate/readyz")->status == 200);
		reply = get(front, "/_faregate/status");
		CHECK(front, reply->status == 200 && reply->body[0] == '{');
		reply = get(front, "/_faregate/metrics");
		CHECK(front, http_body_has(reply, "# TYPE faregate_requests_total counter"));
		CHECK(front, get(front, "/_faregate/nothing")->status == 404);
		CHECK(front, ask(front, "POST", "/_faregate/healthz", NULL, "x")->status == 405);
		CHECK(front, ask(front, "HEAD", "/_faregate/healthz", NULL, NULL)->status == 200);
		http_open(&conn, front, "127.0.0.2");
		http_send_head(&conn, "GET", "/_faregate/metrics", NULL, -1);
		reply = http_read(&conn);
		CHECK(front, reply->status == 403 && http_body_has(reply, "urn:faregate:admin_forbidden"));
		http_close(&conn);
		/* Behind a trusted proxy it is the one who asks that counts. */
		reply = ask(front, "GET", "/_faregate/metrics", "X-Forwarded-For: 203.0.113.7\r\n", NULL);
		CHECK(front, reply->status == 403);
	}
}

static void
headers_at_fault(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/items", "X-Foo: 1\r\nX_Foo: 2\r\n", NULL);
		char bomb[40000] = "";
		struct http_conn conn;

		/* Apache drops a name with an underscore; lighttpd passes both as one. */
		if (front->kind == FRONT_LIGHTTPD)
			CHECK(front, http_is_problem(&stage.bed, reply, 400, "header_duplicated"));
		else
			CHECK(front, reply->status == 200 && http_body_has(reply, "\r\nX-Foo: 1\r\n"));
		for (int i = 0; i < 280; i++)
			snprintf(bomb + strlen(bomb), sizeof(bomb) - strlen(bomb), "X-H%d: %d\r\n", i, i);
		reply = ask(front, "GET", "/items", bomb, NULL);
		CHECK(front, http_is_problem(&stage.bed, reply, 431, "headers_too_large"));
		for (int i = 0; i < 4; i++) {
			memset(bomb, 'a', sizeof(bomb));
			memcpy(bomb, "X-Long: ", 8);
			memcpy(bomb + 30000, "\r\n", 3);
		}
		reply = ask(front, "GET", "/items", bomb, NULL);
		CHECK(front, reply->status == 431 || reply->status == 400);
		http_open(&conn, front, NULL);
		http_say(&conn, "GET /items HTTP/1.1\r\nHost: x\r\nX-A: one\rX-B: two\r\nConnection: close\r\n\r\n");
		reply = http_read(&conn);
		CHECK(front, reply->status == 400 || (reply->status == 200 && strstr(reply->body, "X-B: two") == NULL));
		http_close(&conn);
		CHECK(front, get(front, "/items")->status == 200);
	}
}

/* What would let two readers of one connection disagree never reaches a service. */
static void
nothing_is_smuggled_in(void)
{
	static const char *const requests[] = {
	    "POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\nhello!",
	    "POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
	    "POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello",
	    "POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	    "GET /items HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
	    "GET /items HTTP/1.1\r\n\r\n",
	    "GET /items HTTP/1.1\r\nHost : x\r\n\r\n",
	};

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
			unsigned before = played_requests(stage.a);
			const struct http_reply *reply;
			struct http_conn conn;

			http_open(&conn, front, NULL);
			http_send(&conn, requests[i], strlen(requests[i]));
			http_half_close(&conn);
			reply = http_read(&conn);
			if (reply->status != 400 && reply->status != 501 && reply->status != 0)
				fprintf(stderr, "e2e: behind %s: %d for %s\n", front->name, reply->status, requests[i]);
			CHECK(front, reply->status == 400 || reply->status == 501 || reply->status == 0);
			CHECK(front, played_requests(stage.a) == before);
			http_close(&conn);
		}
}

void
suite_answer(void)
{
	CU_pSuite suite = add_suite("answers of the gateway", init, cleanup);

	ADD_SCENE(suite, the_most_specific_route_is_taken);
	ADD_SCENE(suite, a_wrong_method_is_told_the_right_ones);
	ADD_SCENE(suite, fixed_answers);
	ADD_SCENE(suite, problems_in_each_form);
	ADD_SCENE(suite, own_pages);
	ADD_SCENE(suite, headers_at_fault);
	ADD_SCENE(suite, nothing_is_smuggled_in);
}
