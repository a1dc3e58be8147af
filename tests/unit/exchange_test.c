/*
 * lib/core engine: what is read of a request, what is decided, how answers of our own look. Services are not needed here
 * (tests/e2e has them).
 */
#include <stdio.h>
#include <stdlib.h>

#include "unit/exchange_scene.h"

/* ---- what is read, what is told to the service */

static void
a_stranger_says_nothing_about_itself(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "/plain/x");
	scene_with("HTTP_X_FORWARDED_FOR", "1.2.3.4");
	scene_with("HTTP_X_FORWARDED_PROTO", "https");
	scene_with("HTTP_X_FORWARDED_HOST", "evil.example");
	scene_with("HTTP_X_FORWARDED_PORT", "444");
	scene_with("HTTP_FORWARDED", "for=1.2.3.4");
	scene_with("HTTP_X_REQUEST_ID", "mine");
	scene_with("HTTP_PROXY", "http://evil.example/");
	scene_with("HTTP_VIA", "1.0 first");
	x = scene_decided();
	scene_expect_header(x, "X-Forwarded-For", "192.0.2.7");
	scene_expect_header(x, "X-Forwarded-Proto", "http");
	scene_expect_header(x, "X-Forwarded-Host", "api.example.com");
	scene_expect_header(x, "X-Forwarded-Port", "80");
	scene_expect_header(x, "Forwarded", "for=192.0.2.7;host=\"api.example.com\";proto=http");
	scene_expect_header(x, "Via", "1.0 first, 1.1 faregate");
	scene_expect_header(x, "Proxy", NULL);
	CU_ASSERT_EQUAL(x->req.id.len, 32);
	ASSERT_STR(x->req.client_text, "192.0.2.7");
	fg_exchange_free(x);
}

static void
a_trusted_proxy_is_believed(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "/plain/x");
	scene_with("REMOTE_ADDR", "10.1.2.3");
	scene_with("HTTP_X_FORWARDED_FOR", "6.6.6.6, 2001:db8::9, 10.9.9.9");
	scene_with("HTTP_X_FORWARDED_PROTO", "https");
	scene_with("HTTP_X_FORWARDED_HOST", "shop.example");
	scene_with("HTTP_X_REQUEST_ID", "abc-123");
	x = scene_decided();
	ASSERT_STR(x->req.client_text, "2001:db8::9");
	ASSERT_STR(x->req.scheme, "https");
	ASSERT_STR(x->req.id, "abc-123");
	scene_expect_header(x, "X-Forwarded-For", "6.6.6.6, 2001:db8::9, 10.9.9.9, 10.1.2.3");
	scene_expect_header(x, "X-Forwarded-Proto", "https");
	scene_expect_header(x, "X-Forwarded-Host", "shop.example");
	fg_exchange_free(x);

	scene_asks("GET", "/plain/x");
	scene_with("REMOTE_ADDR", "10.1.2.3");
	scene_with("HTTP_FORWARDED", "for=9.9.9.9, For=\"[2001:db8::17]:4711\";proto=https, for=10.0.0.2:80");
	x = scene_decided();
	ASSERT_STR(x->req.client_text, "2001:db8::17");
	fg_exchange_free(x);

	/* What stands behind something unreadable was not said by a proxy of ours. */
	scene_asks("GET", "/plain/x");
	scene_with("REMOTE_ADDR", "10.1.2.3");
	scene_with("HTTP_X_FORWARDED_FOR", "6.6.6.6, unknown");
	x = scene_decided();
	ASSERT_STR(x->req.client_text, "10.1.2.3");
	fg_exchange_free(x);
}

static void
traces_are_continued_or_ended(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "/plain/x");
	scene_with("HTTP_TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	scene_with("HTTP_TRACESTATE", "a=b");
	x = scene_decided();
	scene_expect_header(x, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	scene_expect_header(x, "tracestate", "a=b");
	ASSERT_STR(x->req.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
	fg_exchange_free(x);

	scene_asks("GET", "/plain/x");
	scene_with("HTTP_TRACEPARENT",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	scene_with("HTTP_TRACESTATE", "a=b");
	x = scene_decided();
	scene_expect_header(x, "traceparent", NULL);
	scene_expect_header(x, "tracestate", NULL);
	fg_exchange_free(x);

	scene_asks("GET", "/plain/x");
	scene_with("HTTP_TRACEPARENT", "00-00000000000000000000000000000000-00f067aa0ba902b7-01");
	x = scene_decided();
	scene_expect_header(x, "traceparent", NULL);
	fg_exchange_free(x);
}

static void
absolute_form_names_the_host(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "http://other.example:8080/plain/x");
	x = scene_decided();
	ASSERT_STR(x->req.host, "other.example");
	ASSERT_STR(x->req.authority, "other.example:8080");
	ASSERT_STR(x->forward_target, "/plain/x");
	fg_exchange_free(x);
}

static void
what_is_wrong_with_a_request(void)
{
	struct fg_exchange *x;

	scene_expect_reason("GET", "/plain/%zz", FG_ERR_TARGET_INVALID);
	scene_expect_reason("GET", "*", FG_ERR_TARGET_INVALID);
	scene_expect_reason("OPTIONS", "*", FG_ERR_OPTIONS_ANSWERED);
	scene_expect_reason("CONNECT", "/plain/x", FG_ERR_METHOD_NOT_SUPPORTED);
	scene_expect_reason("GET", "/nowhere", FG_ERR_ROUTE_NOT_FOUND);
	scene_expect_reason("GET", "/posts", FG_ERR_METHOD_NOT_ALLOWED);
	scene_expect_reason("OPTIONS", "/posts", FG_ERR_OPTIONS_ANSWERED);
	scene_expect_reason("GET", "/strict/a%2Fb", FG_ERR_ENCODED_SLASH_REFUSED);
	scene_expect_reason("GET", "/plain/a%2Fb", FG_OK);

	scene_asks("GET", "/plain/x");
	scene_param("HTTP_X_FOO", "1");
	scene_param("HTTP_X_FOO", "2");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_DUPLICATED);
	fg_exchange_free(x);

	scene_asks("GET", "/plain/x");
	scene_with("CONTENT_TYPE", "text/plain");
	scene_with("HTTP_CONTENT_TYPE", "application/json");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_DUPLICATED);
	fg_exchange_free(x);

	scene_asks("GET", "/plain/x");
	scene_with("HTTP_X_BAD", "a\nb");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_INVALID);
	fg_exchange_free(x);

	/* They become parts of X-Forwarded-For and of Via. */
	scene_asks("GET", "/plain/x");
	scene_with("REMOTE_ADDR", "192.0.2.1\r\nX-Evil: 1");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_INVALID);
	CU_ASSERT_EQUAL(x->req.peer_text.len, 0);
	fg_exchange_free(x);

	scene_asks("GET", "/plain/x");
	scene_with("SERVER_PROTOCOL", "HTTP/1.1\r\nX-Evil: 1");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_INVALID);
	fg_exchange_free(x);

	scene_asks("POST", "/plain/x");
	scene_with("CONTENT_LENGTH", "-1");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_LENGTH_INVALID);
	fg_exchange_free(x);

	scene_asks("POST", "/small");
	scene_with("CONTENT_LENGTH", "11");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_BODY_TOO_LARGE);
	fg_exchange_free(x);

	scene_asks("GET", "/plain/x");
	scene_with("HTTP_HOST", "a b");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HOST_INVALID);
	fg_exchange_free(x);
}

static void
edits_apply(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "/edited/a%2Fb?a=1&debug=1&v=1&b=%7e&v=3");
	scene_with("HTTP_X_NONE", "mine");
	scene_with("HTTP_X_GONE", "1");
	scene_with("HTTP_X_OLD", "old");
	scene_with("HTTP_X_NEW", "client");
	x = scene_decided();
	ASSERT_STR(x->forward_target, "/edited/a%2Fb?a=1&v=2&b=%7e");
	scene_expect_header(x, "X-Id", "n-a/b");
	scene_expect_header(x, "X-None", NULL);
	scene_expect_header(x, "X-Gone", NULL);
	scene_expect_header(x, "X-New", "old");
	fg_exchange_free(x);
}

/* What a client says cannot be multiplied without a bound. */
static void
edits_are_bounded(void)
{
	static char big[8001];
	struct fg_exchange *x;

	memset(big, 'b', sizeof(big) - 1);
	scene_asks("GET", "/echoing");
	scene_with("HTTP_X_BIG", big);
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADERS_TOO_LARGE);
	fg_exchange_free(x);
	big[4000] = '\0';
	scene_with("HTTP_X_BIG", big);
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_OK);
	scene_expect_header(x, "I", big);
	fg_exchange_free(x);
}

/* ---- answers */

static void
a_fixed_answer(void)
{
	scene_asks("GET", "/fixed");
	fg_exchange_start(scene_begin());
	CU_ASSERT_EQUAL(scene.front.status, 200);
	ASSERT_STR(fg_buf_str(&scene.front.body), "hello");
	CU_ASSERT(scene_headers_have("Content-Type: text/plain\n"));
	CU_ASSERT(scene_headers_have("Content-Length: 5\n"));
	CU_ASSERT(scene_headers_have("X-Request-Id: "));
	CU_ASSERT_EQUAL(scene.front.ends, 1);
	scene_finish();

	scene_asks("HEAD", "/fixed");
	fg_exchange_start(scene_begin());
	CU_ASSERT(scene_headers_have("Content-Length: 5\n"));
	CU_ASSERT_EQUAL(scene.front.body.len, 0);
	scene_finish();
}

static void
a_problem(void)
{
	scene_asks("GET", "/nowhere");
	fg_exchange_start(scene_begin());
	CU_ASSERT_EQUAL(scene.front.status, 404);
	CU_ASSERT(scene_headers_have("Content-Type: application/problem+json\n"));
	CU_ASSERT(scene_body_has("{\"type\":\"urn:faregate:route_not_found\",\"title\":\"No such route\",\"status\":404,"));
	scene_finish();

	scene_asks("GET", "/posts");
	fg_exchange_start(scene_begin());
	CU_ASSERT_EQUAL(scene.front.status, 405);
	CU_ASSERT(scene_headers_have("Allow: POST, PUT, OPTIONS\n"));
	scene_finish();

	scene_asks("GET", "/nowhere");
	scene_with("HTTP_ACCEPT", "text/html");
	fg_exchange_start(scene_begin());
	CU_ASSERT(scene_headers_have("Content-Type: text/html; charset=utf-8\n"));
	CU_ASSERT(scene_body_has("<h1>No such route</h1>"));
	scene_finish();
}

static void
who_gets_html(void)
{
	static const struct {
		const char *accept;
		bool html;
	} cases[] = {
	    {"*/*", false},
	    {"application/json", false},
	    {"text/html, application/json", false},
	    {"text/html;q=0.5, */*;q=0.1", true},
	    {"text/html;q=0.5, application/json;q=0.9", false},
	    {"text/html;q=0", false},
	    {"text/*", false},
	    {"", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene_asks("GET", "/nowhere");
		scene_with("HTTP_ACCEPT", cases[i].accept);
		fg_exchange_start(scene_begin());
		CU_ASSERT_EQUAL(scene_headers_have("Content-Type: text/html"), cases[i].html);
		scene_finish();
	}
}

static void
a_front_without_room_is_waited_for(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "/fixed");
	x = scene_begin();
	scene.front.room = 0;
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(scene.front.ends, 0);
	scene.front.room = 5;
	fg_exchange_on_writable(x);
	CU_ASSERT_EQUAL(scene.front.ends, 1);
	ASSERT_STR(fg_buf_str(&scene.front.body), "hello");
	scene_finish();
}

static void
bodies_keep_what_they_said(void)
{
	struct fg_exchange *x;

	scene_asks("POST", "/plain/x");
	scene_with("CONTENT_LENGTH", "5");
	x = scene_begin();
	fg_exchange_on_body(x, FG_STR("abc"), true);
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(scene.front.status, 400);
	CU_ASSERT(scene_body_has("body_incomplete"));
	scene_finish();

	scene_asks("POST", "/plain/x");
	scene_with("CONTENT_LENGTH", "2");
	x = scene_begin();
	fg_exchange_on_body(x, FG_STR("abc"), false);
	fg_exchange_start(x);
	CU_ASSERT(scene_body_has("body_too_long"));
	scene_finish();

	/* Nothing was said: the first read tells whether there is a body; what comes counts against the limit. */
	scene_asks("POST", "/small");
	scene_with("CONTENT_LENGTH", "");
	x = scene_begin();
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(scene.front.status, 0);
	fg_exchange_on_body(x, FG_STR("0123456789a"), false);
	CU_ASSERT_EQUAL(scene.front.status, 413);
	scene_finish();
}

static void
a_service_that_is_not_there(void)
{
	scene_asks("GET", "/plain/x");
	fg_exchange_start(scene_begin());
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(scene.front.status, 502);
	CU_ASSERT(scene_body_has("service_unreachable"));
	scene_finish();
}

void
suite_exchange(void)
{
	CU_pSuite suite = CU_add_suite("exchange", scene_set_up, scene_tear_down);

	ADD_TEST(suite, a_stranger_says_nothing_about_itself);
	ADD_TEST(suite, a_trusted_proxy_is_believed);
	ADD_TEST(suite, traces_are_continued_or_ended);
	ADD_TEST(suite, absolute_form_names_the_host);
	ADD_TEST(suite, what_is_wrong_with_a_request);
	ADD_TEST(suite, edits_apply);
	ADD_TEST(suite, edits_are_bounded);
	ADD_TEST(suite, a_fixed_answer);
	ADD_TEST(suite, a_problem);
	ADD_TEST(suite, who_gets_html);
	ADD_TEST(suite, a_front_without_room_is_waited_for);
	ADD_TEST(suite, bodies_keep_what_they_said);
	ADD_TEST(suite, a_service_that_is_not_there);
}
