/* Tokens that their provider is asked about: its answers kept, asked once for many, and a provider that is down. */
#include <time.h>

#include "e2e/e2e.h"

static struct stage stage;
static struct gate hold = GATE_CLOSED;

/* What it is asked about says what it answers. */
static void
say_introspection(struct played_conn *conn, struct played_request *request)
{
	char text[256];

	if (strstr(request->head, "\r\nAuthorization: Basic Z3c6cyUyRmNyZXQ=\r\n") == NULL || strcmp(request->method, "POST") != 0)
		say_reply(conn, 401, NULL, "");
	else if (strstr(request->body, "token=inactive&") != NULL)
		say_reply(conn, 200, NULL, "{\"active\":false}");
	else if (strstr(request->body, "token=garbage&") != NULL)
		say_reply(conn, 200, NULL, "{\"active\":\"yes\"}");
	else if (strstr(request->body, "token=broken&") != NULL)
		say_reply(conn, 500, NULL, "{\"active\":true,\"sub\":\"x\"}");
	else if (strstr(request->body, "token=expired&") != NULL)
		say_reply(conn, 200, NULL, "{\"active\":true,\"sub\":\"x\",\"aud\":\"orders\",\"exp\":1}");
	else if (strstr(request->body, "token=broken-off&") != NULL)
		say_reply(conn, 200, NULL, "{\"active\":true,\"sub\":\"x\",\"aud\":\"orders\",\"exp\":1.5}");
	else if (strstr(request->body, "token=ancient&") != NULL)
		say_reply(conn, 200, NULL, "{\"active\":true,\"sub\":\"x\",\"aud\":\"orders\",\"exp\":0}");
	else if (strstr(request->body, "token=timeless&") != NULL)
		say_reply(conn, 200, NULL, "{\"active\":true,\"sub\":\"x\",\"aud\":\"orders\",\"exp\":\"1\"}");
	else if (strstr(request->body, "token=foreign&") != NULL)
		say_reply(conn, 200, NULL, "{\"active\":true,\"sub\":\"x\",\"aud\":\"users\"}");
	else {
		if (strstr(request->body, "token=held") != NULL)
			gate_pass(&hold);
		snprintf(text, sizeof(text), "{\"active\":true,\"sub\":\"ann\",\"scope\":\"a b\",\"aud\":[\"orders\"],\"exp\":%lld}",
		    (long long)time(NULL) + 600);
		say_reply(conn, 200, NULL, text);
	}
}

static const struct played_part parts[] = {{NULL, say_introspection, false}};

static int
init(void)
{
	stage_play(&stage, NULL, parts);
	stage_serve(&stage,
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "auth:\n"
	    "  opaque: {type: introspection, url: 'http://127.0.0.1:%d/introspect', client-id: gw, client-secret: s/cret, timeout: 60s,\n"
	    "    audience: orders, forward: {X-User: sub, X-Scope: scope}}\n"
	    "  uncached: {type: introspection, url: 'http://127.0.0.1:%d/introspect', client-id: gw, client-secret: s/cret, timeout: 60s,\n"
	    "    cache: off}\n"
	    "routes: {a: {path: /a, service: a, auth: opaque}, b: {path: /b, service: a, auth: uncached}}\n",
	    played_port(stage.a), played_port(stage.b), played_port(stage.b));
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static struct http_reply *
ask_with(const struct front *front, const char *token)
{
	char headers[256];

	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
	return ask(front, "GET", "/a", headers, NULL);
}

/* Two workers: each may ask once. */
static void
answers_are_kept(void)
{
	unsigned before = played_requests(stage.b);

	for (int i = 0; i < 10; i++) {
		EACH_FRONT(&stage, front) {
			const struct http_reply *reply = ask_with(front, "good");

			CHECK(front, reply->status == 200 && http_body_has(reply, "\r\nX-User: ann\r\n"));
			CHECK(front, http_body_has(reply, "\r\nX-Scope: a b\r\n"));
			CHECK(front, bed_log_says(&stage.bed, reply->id, "consumer", "ann"));
		}
	}
	CU_ASSERT(played_requests(stage.b) - before <= 2);
	before = played_requests(stage.b);
	for (int i = 0; i < 10; i++)
		EACH_FRONT(&stage, front)
			CHECK(front, http_is_problem(&stage.bed, ask_with(front, "inactive"), 401, "token_inactive"));
	CU_ASSERT(played_requests(stage.b) - before <= 2);
}

static void
without_a_cache_each_asks(void)
{
	unsigned before = played_requests(stage.b);

	EACH_FRONT(&stage, front)
		CHECK(front, ask(front, "GET", "/b", "Authorization: Bearer good\r\n", NULL)->status == 200);
	CU_ASSERT(played_requests(stage.b) - before == 2);
}

static void
what_is_not_good_is_refused(void)
{
	EACH_FRONT(&stage, front) {
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "expired"), 401, "token_inactive"));
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "broken-off"), 401, "token_inactive"));
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "ancient"), 401, "token_inactive"));
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "timeless"), 503, "introspection_unavailable"));
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "foreign"), 401, "token_audience_wrong"));
		CHECK(front, http_is_problem(&stage.bed, get(front, "/a"), 401, "token_missing"));
	}
}

static void
many_ask_once(void)
{
	enum { ASKERS = 8 };
	struct http_conn conns[ASKERS];
	unsigned before = played_requests(stage.b);

	for (int i = 0; i < ASKERS; i++) {
		http_open(&conns[i], stage.fronts[0], NULL);
		http_send_head(&conns[i], "GET", "/a", "Authorization: Bearer held\r\n", -1);
	}
	CU_ASSERT(gate_wait_waiting(&hold, 1));
	gate_open(&hold, 1000);
	for (int i = 0; i < ASKERS; i++) {
		CU_ASSERT(http_read(&conns[i])->status == 200);
		http_close(&conns[i]);
	}
	CU_ASSERT(played_requests(stage.b) - before <= 2);
}

/* Failures are not kept: whoever comes next asks again. */
static void
a_provider_that_fails_is_told(void)
{
	int port = played_port(stage.b);

	EACH_FRONT(&stage, front) {
		unsigned before = played_requests(stage.b);
		const struct http_reply *reply = ask_with(front, "broken");

		CHECK(front, http_is_problem(&stage.bed, reply, 503, "introspection_unavailable"));
		CHECK(front, http_header(reply, "WWW-Authenticate") == NULL);
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "broken"), 503, "introspection_unavailable"));
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "garbage"), 503, "introspection_unavailable"));
		CHECK(front, played_requests(stage.b) - before == 3);
	}
	played_stop(stage.b);
	EACH_FRONT(&stage, front)
		CHECK(front, http_is_problem(&stage.bed, ask_with(front, "new"), 503, "introspection_unavailable"));
	stage.b = played_start_on(parts, port);
	EACH_FRONT(&stage, front)
		CHECK(front, ask_with(front, "new")->status == 200);
}

void
suite_introspection(void)
{
	CU_pSuite suite = add_suite("introspection", init, cleanup);

	ADD_SCENE(suite, answers_are_kept);
	ADD_SCENE(suite, without_a_cache_each_asks);
	ADD_SCENE(suite, what_is_not_good_is_refused);
	ADD_SCENE(suite, many_ask_once);
	ADD_SCENE(suite, a_provider_that_fails_is_told);
}
