/*
 * The reference scene: services A and B; /serviceA/ and /serviceB/ reach them with the prefix stripped, any method,
 * headers and JSON body intact; with A stopped its callers get 502 service_unreachable while B goes on.
 */
#include "e2e/e2e.h"

static struct stage stage;

static void
say_a(struct played_conn *conn, struct played_request *request)
{
	say(conn, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Service: A\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(request->body), request->body);
}

static const struct played_part parts_a[] = {{"/json", say_a, false}, {NULL, say_echo, false}};

static int
init(void)
{
	stage_open(&stage, parts_a, NULL,
	    "  serviceA: {path: /serviceA/*, service: a, strip-prefix: /serviceA}\n"
	    "  serviceB: {path: /serviceB/*, service: b, strip-prefix: /serviceB}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static void
each_reaches_its_service(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/serviceA/hello?x=1");

		CHECK(front, reply->status == 200 && reply->complete);
		CHECK(front, http_body_has(reply, "GET /hello?x=1 HTTP/1.1\r\n"));
		reply = get(front, "/serviceB/deep/er/");
		CHECK(front, http_body_has(reply, "GET /deep/er/ HTTP/1.1\r\n"));
		reply = get(front, "/serviceA");
		CHECK(front, http_body_has(reply, "GET / HTTP/1.1\r\n"));
		reply = get(front, "/serviceC/x");
		CHECK(front, http_is_problem(&stage.bed, reply, 404, "route_not_found"));
	}
}

static void
method_headers_and_json_arrive_whole(void)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};

	EACH_FRONT(&stage, front) {
		for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
			const struct http_reply *reply = ask(front, methods[i], "/serviceB/orders/7",
			    "Content-Type: application/json\r\nX-Custom: one, two\r\nAuthorization: Bearer abc.def\r\n",
			    "{\"qty\":2,\"name\":\"caf\xc3\xa9\"}");
			char line[64];

			snprintf(line, sizeof(line), "%s /orders/7 HTTP/1.1\r\n", methods[i]);
			CHECK(front, reply->status == 200);
			CHECK(front, http_body_has(reply, line));
			CHECK(front, http_body_has(reply, "\r\nX-Custom: one, two\r\n"));
			CHECK(front, http_body_has(reply, "\r\nAuthorization: Bearer abc.def\r\n"));
			CHECK(front, http_body_has(reply, "\r\nContent-Type: application/json\r\n"));
			CHECK(front, http_body_has(reply, "\r\n\r\n{\"qty\":2,\"name\":\"caf\xc3\xa9\"}"));
		}
	}
}

static void
the_answer_arrives_whole(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "POST", "/serviceA/json", NULL, "{\"a\":[1,2,3]}");

		CHECK(front, reply->status == 201);
		CHECK(front, http_header_is(reply, "X-Service", "A"));
		CHECK(front, http_header_is(reply, "Content-Type", "application/json"));
		CHECK(front, reply->body_len == 13 && http_body_has(reply, "{\"a\":[1,2,3]}"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "status", "201"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "route", "serviceA"));
	}
}

static void
a_stopped_service_harms_no_other(void)
{
	int port = played_port(stage.a);

	played_stop(stage.a);
	EACH_FRONT(&stage, front) {
		double before = bed_metric(front, "faregate_outcomes_total{reason=\"service_unreachable\"}");
		const struct http_reply *reply = get(front, "/serviceA/hello");

		CHECK(front, http_is_problem(&stage.bed, reply, 502, "service_unreachable"));
		CHECK(front, bed_metric(front, "faregate_outcomes_total{reason=\"service_unreachable\"}") == before + 1);
		reply = get(front, "/serviceB/hello");
		CHECK(front, reply->status == 200 && http_body_has(reply, "GET /hello HTTP/1.1"));
	}
	stage.a = played_start_on(parts_a, port);
	EACH_FRONT(&stage, front)
		CHECK(front, get(front, "/serviceA/hello")->status == 200);
}

void
suite_reference(void)
{
	CU_pSuite suite = add_suite("reference scene", init, cleanup);

	ADD_SCENE(suite, each_reaches_its_service);
	ADD_SCENE(suite, method_headers_and_json_arrive_whole);
	ADD_SCENE(suite, the_answer_arrives_whole);
	ADD_SCENE(suite, a_stopped_service_harms_no_other);
}
