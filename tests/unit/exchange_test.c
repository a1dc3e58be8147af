/*
 * lib/core engine: what is read of a request, what is decided, how answers of our own look, how filters wait. The front
 * is played; services are not needed here (tests/e2e has them).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "filter/filter.h"
#include "unit/unit.h"

static const char yaml[] =
    "version: 1\n"
    "trusted-proxies: [10.0.0.0/8]\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "routes:\n"
    "  plain: {path: '/plain/*', service: a}\n"
    "  stripped: {path: '/strip/*', service: a, strip-prefix: /strip}\n"
    "  small: {path: /small, service: a, body-limit: 10b}\n"
    "  strict: {path: '/strict/*', service: a, encoded-slash: reject}\n"
    "  posts: {path: /posts, methods: [POST, PUT], service: a}\n"
    "  edited:\n"
    "    path: /edited/{id}\n"
    "    service: a\n"
    "    request:\n"
    "      headers: {set: {X-Id: 'n-{path:id}', X-None: '{header:absent}'}, remove: [X-Gone], rename: {X-Old: X-New}}\n"
    "      query: {set: {v: '2'}, remove: [debug]}\n"
    "    response: {headers: {set: {X-Route: '{route}'}}}\n"
    "  fixed: {path: /fixed, respond: {status: 200, body: hello, content-type: text/plain}}\n";

/* ---- the played front */

struct front {
	int status, ends, aborts;
	struct fg_buf headers, body;
	size_t room; /* bytes that send_body takes before it pauses */
};

static void
front_send_head(void *arg, int status, const struct fg_headers *headers)
{
	struct front *front = arg;

	CU_ASSERT_EQUAL(front->status, 0);
	front->status = status;
	for (size_t i = 0; i < headers->count; i++)
		fg_buf_printf(&front->headers, FG_STR_FMT ": " FG_STR_FMT "\n", FG_STR_ARG(headers->v[i].name),
		    FG_STR_ARG(headers->v[i].value));
}

static enum fg_flow
front_send_body(void *arg, struct fg_str chunk)
{
	struct front *front = arg;

	if (front->room < chunk.len)
		return FG_FLOW_PAUSE;
	front->room -= chunk.len;
	fg_buf_add(&front->body, chunk);
	return FG_FLOW_GO;
}

static void
front_end(void *arg)
{
	((struct front *)arg)->ends++;
}

static void
front_abort(void *arg)
{
	((struct front *)arg)->aborts++;
}

static void
front_want_body(void *arg)
{
	(void)arg;
}

static const struct fg_front_ops front_ops = {
    .send_head = front_send_head,
    .send_body = front_send_body,
    .end = front_end,
    .abort = front_abort,
    .want_body = front_want_body,
};

/* ---- the scene */

static struct {
	char file[64];
	struct fg_config *config;
	struct fg_loop *loop;
	struct fg_client *client;
	struct fg_log log;
	struct fg_gateway gw;
	struct front front;
	struct fg_param params[32];
	size_t param_count;
} scene;

static void
swallow(void *arg, struct fg_str line)
{
	(void)arg;
	(void)line;
}

static int
set_up(void)
{
	struct fg_buf errors;
	int fd;

	snprintf(scene.file, sizeof(scene.file), "/tmp/fg-exchange-XXXXXX");
	fd = mkstemp(scene.file);
	if (fd < 0 || write(fd, yaml, sizeof(yaml) - 1) != (ssize_t)sizeof(yaml) - 1)
		return 1;
	close(fd);
	fg_buf_init(&errors, 65536);
	if (fg_config_load(&scene.config, scene.file, &errors) != FG_OK) {
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
		return 1;
	}
	fg_buf_fini(&errors);
	scene.loop = fg_loop_new();
	scene.client = fg_client_new(scene.loop, 4, FG_US_PER_S);
	scene.log = (struct fg_log){.level = FG_LOG_ERROR, .write = swallow};
	fg_gateway_init(&scene.gw, scene.config, scene.loop, scene.client, &scene.log);
	return 0;
}

static int
tear_down(void)
{
	fg_gateway_fini(&scene.gw);
	fg_client_free(scene.client);
	fg_loop_free(scene.loop);
	fg_config_free(scene.config);
	unlink(scene.file);
	return 0;
}

static void
param(const char *name, const char *value)
{
	scene.params[scene.param_count++] = (struct fg_param){fg_str_from(name), fg_str_from(value)};
}

static void
asks(const char *method, const char *target)
{
	scene.param_count = 0;
	param("REQUEST_METHOD", method);
	param("REQUEST_URI", target);
	param("SERVER_PROTOCOL", "HTTP/1.1");
	param("SERVER_NAME", "gw.example");
	param("SERVER_PORT", "80");
	param("REMOTE_ADDR", "192.0.2.7");
	param("HTTP_HOST", "api.example.com");
	param("CONTENT_LENGTH", "0");
}

/* Changes what asks() said, or says more. */
static void
with(const char *name, const char *value)
{
	for (size_t i = 0; i < scene.param_count; i++) {
		if (fg_str_eq(scene.params[i].name, fg_str_from(name))) {
			scene.params[i].value = fg_str_from(value);
			return;
		}
	}
	param(name, value);
}

static struct fg_exchange *
decided(void)
{
	struct fg_exchange *x = fg_exchange_new_offline(&scene.gw, scene.params, scene.param_count, NULL);

	fg_exchange_decide(x);
	return x;
}

static void
expect_header(struct fg_exchange *x, const char *name, const char *value)
{
	const struct fg_header *header = fg_headers_find(&x->req.headers, fg_str_from(name));

	if (value == NULL) {
		CU_ASSERT_PTR_NULL(header);
		return;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	ASSERT_STR(header->value, value);
}

static void
expect_reason(const char *method, const char *target, enum fg_err reason)
{
	struct fg_exchange *x;

	asks(method, target);
	x = decided();
	if (x->reason != reason)
		fprintf(stderr, "%s %s: %s\n", method, target, fg_err_token(x->reason));
	CU_ASSERT_EQUAL(x->reason, reason);
	fg_exchange_free(x);
}

static struct fg_exchange *
begin(void)
{
	fg_buf_init(&scene.front.headers, 65536);
	fg_buf_init(&scene.front.body, 65536);
	scene.front.status = scene.front.ends = scene.front.aborts = 0;
	scene.front.room = 65536;
	return fg_exchange_new(&scene.gw, &front_ops, &scene.front, scene.params, scene.param_count);
}

static void
finish(void)
{
	for (int i = 0; i < 3; i++)
		fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(scene.gw.live_count, 0);
	fg_buf_fini(&scene.front.headers);
	fg_buf_fini(&scene.front.body);
}

static bool
body_has(const char *text)
{
	fg_buf_add_char(&scene.front.body, '\0');
	return strstr(scene.front.body.p, text) != NULL;
}

static bool
headers_have(const char *line)
{
	fg_buf_add_char(&scene.front.headers, '\0');
	scene.front.headers.len--;
	return strstr(scene.front.headers.p, line) != NULL;
}

/* ---- what is read, what is told to the service */

static void
a_stranger_says_nothing_about_itself(void)
{
	struct fg_exchange *x;

	asks("GET", "/plain/x");
	with("HTTP_X_FORWARDED_FOR", "1.2.3.4");
	with("HTTP_X_FORWARDED_PROTO", "https");
	with("HTTP_X_FORWARDED_HOST", "evil.example");
	with("HTTP_X_FORWARDED_PORT", "444");
	with("HTTP_FORWARDED", "for=1.2.3.4");
	with("HTTP_X_REQUEST_ID", "mine");
	with("HTTP_PROXY", "http://evil.example/");
	with("HTTP_VIA", "1.0 first");
	x = decided();
	expect_header(x, "X-Forwarded-For", "192.0.2.7");
	expect_header(x, "X-Forwarded-Proto", "http");
	expect_header(x, "X-Forwarded-Host", "api.example.com");
	expect_header(x, "X-Forwarded-Port", "80");
	expect_header(x, "Forwarded", "for=192.0.2.7;host=\"api.example.com\";proto=http");
	expect_header(x, "Via", "1.0 first, 1.1 faregate");
	expect_header(x, "Proxy", NULL);
	CU_ASSERT_EQUAL(x->req.id.len, 32);
	ASSERT_STR(x->req.client_text, "192.0.2.7");
	fg_exchange_free(x);
}

static void
a_trusted_proxy_is_believed(void)
{
	struct fg_exchange *x;

	asks("GET", "/plain/x");
	with("REMOTE_ADDR", "10.1.2.3");
	with("HTTP_X_FORWARDED_FOR", "6.6.6.6, 2001:db8::9, 10.9.9.9");
	with("HTTP_X_FORWARDED_PROTO", "https");
	with("HTTP_X_FORWARDED_HOST", "shop.example");
	with("HTTP_X_REQUEST_ID", "abc-123");
	x = decided();
	ASSERT_STR(x->req.client_text, "2001:db8::9");
	ASSERT_STR(x->req.scheme, "https");
	ASSERT_STR(x->req.id, "abc-123");
	expect_header(x, "X-Forwarded-For", "6.6.6.6, 2001:db8::9, 10.9.9.9, 10.1.2.3");
	expect_header(x, "X-Forwarded-Proto", "https");
	expect_header(x, "X-Forwarded-Host", "shop.example");
	fg_exchange_free(x);

	asks("GET", "/plain/x");
	with("REMOTE_ADDR", "10.1.2.3");
	with("HTTP_FORWARDED", "for=9.9.9.9, For=\"[2001:db8::17]:4711\";proto=https, for=10.0.0.2:80");
	x = decided();
	ASSERT_STR(x->req.client_text, "2001:db8::17");
	fg_exchange_free(x);

	/* What stands behind something unreadable was not said by a proxy of ours. */
	asks("GET", "/plain/x");
	with("REMOTE_ADDR", "10.1.2.3");
	with("HTTP_X_FORWARDED_FOR", "6.6.6.6, unknown");
	x = decided();
	ASSERT_STR(x->req.client_text, "10.1.2.3");
	fg_exchange_free(x);
}

static void
traces_are_continued_or_ended(void)
{
	struct fg_exchange *x;

	asks("GET", "/plain/x");
	with("HTTP_TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	with("HTTP_TRACESTATE", "a=b");
	x = decided();
	expect_header(x, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	expect_header(x, "tracestate", "a=b");
	ASSERT_STR(x->req.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
	fg_exchange_free(x);

	asks("GET", "/plain/x");
	with("HTTP_TRACEPARENT",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	with("HTTP_TRACESTATE", "a=b");
	x = decided();
	expect_header(x, "traceparent", NULL);
	expect_header(x, "tracestate", NULL);
	fg_exchange_free(x);

	asks("GET", "/plain/x");
	with("HTTP_TRACEPARENT", "00-00000000000000000000000000000000-00f067aa0ba902b7-01");
	x = decided();
	expect_header(x, "traceparent", NULL);
	fg_exchange_free(x);
}

static void
absolute_form_names_the_host(void)
{
	struct fg_exchange *x;

	asks("GET", "http://other.example:8080/plain/x");
	x = decided();
	ASSERT_STR(x->req.host, "other.example");
	ASSERT_STR(x->req.authority, "other.example:8080");
	ASSERT_STR(x->forward_target, "/plain/x");
	fg_exchange_free(x);
}

static void
what_is_wrong_with_a_request(void)
{
	struct fg_exchange *x;

	expect_reason("GET", "/plain/%zz", FG_ERR_TARGET_INVALID);
	expect_reason("GET", "*", FG_ERR_TARGET_INVALID);
	expect_reason("OPTIONS", "*", FG_ERR_OPTIONS_ANSWERED);
	expect_reason("CONNECT", "/plain/x", FG_ERR_METHOD_NOT_SUPPORTED);
	expect_reason("GET", "/nowhere", FG_ERR_ROUTE_NOT_FOUND);
	expect_reason("GET", "/posts", FG_ERR_METHOD_NOT_ALLOWED);
	expect_reason("OPTIONS", "/posts", FG_ERR_OPTIONS_ANSWERED);
	expect_reason("GET", "/strict/a%2Fb", FG_ERR_ENCODED_SLASH_REFUSED);
	expect_reason("GET", "/plain/a%2Fb", FG_OK);

	asks("GET", "/plain/x");
	param("HTTP_X_FOO", "1");
	param("HTTP_X_FOO", "2");
	x = decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_DUPLICATED);
	fg_exchange_free(x);

	asks("GET", "/plain/x");
	with("CONTENT_TYPE", "text/plain");
	with("HTTP_CONTENT_TYPE", "application/json");
	x = decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_DUPLICATED);
	fg_exchange_free(x);

	asks("GET", "/plain/x");
	with("HTTP_X_BAD", "a\nb");
	x = decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HEADER_INVALID);
	fg_exchange_free(x);

	asks("POST", "/plain/x");
	with("CONTENT_LENGTH", "-1");
	x = decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_LENGTH_INVALID);
	fg_exchange_free(x);

	asks("POST", "/small");
	with("CONTENT_LENGTH", "11");
	x = decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_BODY_TOO_LARGE);
	fg_exchange_free(x);

	asks("GET", "/plain/x");
	with("HTTP_HOST", "a b");
	x = decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_HOST_INVALID);
	fg_exchange_free(x);
}

static void
edits_apply(void)
{
	struct fg_exchange *x;

	asks("GET", "/edited/a%2Fb?a=1&debug=1&v=1&b=%7e&v=3");
	with("HTTP_X_NONE", "mine");
	with("HTTP_X_GONE", "1");
	with("HTTP_X_OLD", "old");
	with("HTTP_X_NEW", "client");
	x = decided();
	ASSERT_STR(x->forward_target, "/edited/a%2Fb?a=1&v=2&b=%7e");
	expect_header(x, "X-Id", "n-a/b");
	expect_header(x, "X-None", NULL);
	expect_header(x, "X-Gone", NULL);
	expect_header(x, "X-New", "old");
	fg_exchange_free(x);
}

/* ---- answers */

static void
a_fixed_answer(void)
{
	asks("GET", "/fixed");
	fg_exchange_start(begin());
	CU_ASSERT_EQUAL(scene.front.status, 200);
	ASSERT_STR(fg_buf_str(&scene.front.body), "hello");
	CU_ASSERT(headers_have("Content-Type: text/plain\n"));
	CU_ASSERT(headers_have("Content-Length: 5\n"));
	CU_ASSERT(headers_have("X-Request-Id: "));
	CU_ASSERT_EQUAL(scene.front.ends, 1);
	finish();

	asks("HEAD", "/fixed");
	fg_exchange_start(begin());
	CU_ASSERT(headers_have("Content-Length: 5\n"));
	CU_ASSERT_EQUAL(scene.front.body.len, 0);
	finish();
}

static void
a_problem(void)
{
	asks("GET", "/nowhere");
	fg_exchange_start(begin());
	CU_ASSERT_EQUAL(scene.front.status, 404);
	CU_ASSERT(headers_have("Content-Type: application/problem+json\n"));
	CU_ASSERT(body_has("{\"type\":\"urn:faregate:route_not_found\",\"title\":\"No such route\",\"status\":404,"));
	finish();

	asks("GET", "/posts");
	fg_exchange_start(begin());
	CU_ASSERT_EQUAL(scene.front.status, 405);
	CU_ASSERT(headers_have("Allow: POST, PUT, OPTIONS\n"));
	finish();

	asks("GET", "/nowhere");
	with("HTTP_ACCEPT", "text/html");
	fg_exchange_start(begin());
	CU_ASSERT(headers_have("Content-Type: text/html; charset=utf-8\n"));
	CU_ASSERT(body_has("<h1>No such route</h1>"));
	finish();
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
		asks("GET", "/nowhere");
		with("HTTP_ACCEPT", cases[i].accept);
		fg_exchange_start(begin());
		CU_ASSERT_EQUAL(headers_have("Content-Type: text/html"), cases[i].html);
		finish();
	}
}

static void
a_front_without_room_is_waited_for(void)
{
	struct fg_exchange *x;

	asks("GET", "/fixed");
	x = begin();
	scene.front.room = 0;
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(scene.front.ends, 0);
	scene.front.room = 5;
	fg_exchange_on_writable(x);
	CU_ASSERT_EQUAL(scene.front.ends, 1);
	ASSERT_STR(fg_buf_str(&scene.front.body), "hello");
	finish();
}

static void
bodies_keep_what_they_said(void)
{
	struct fg_exchange *x;

	asks("POST", "/plain/x");
	with("CONTENT_LENGTH", "5");
	x = begin();
	fg_exchange_on_body(x, FG_STR("abc"), true);
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(scene.front.status, 400);
	CU_ASSERT(body_has("body_incomplete"));
	finish();

	asks("POST", "/plain/x");
	with("CONTENT_LENGTH", "2");
	x = begin();
	fg_exchange_on_body(x, FG_STR("abc"), false);
	fg_exchange_start(x);
	CU_ASSERT(body_has("body_too_long"));
	finish();

	/* Nothing was said: the first read tells whether there is a body; what comes counts against the limit. */
	asks("POST", "/small");
	with("CONTENT_LENGTH", "");
	x = begin();
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(scene.front.status, 0);
	fg_exchange_on_body(x, FG_STR("0123456789a"), false);
	CU_ASSERT_EQUAL(scene.front.status, 413);
	finish();
}

static void
a_service_that_is_not_there(void)
{
	asks("GET", "/plain/x");
	fg_exchange_start(begin());
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(scene.front.status, 502);
	CU_ASSERT(body_has("service_unreachable"));
	finish();
}

/* ---- filters that wait */

struct waiting {
	struct fg_await *await;
	int continued, cancelled, done;
	enum fg_next then;
};

static struct waiting waiting;

static enum fg_next
go_on(struct fg_exchange *x, void *arg)
{
	struct waiting *w = arg;

	w->continued++;
	return w->then == FG_RESPOND ? fg_respond(x, FG_ERR_OVERLOADED) : FG_CONTINUE;
}

static void
take_back(void *arg)
{
	((struct waiting *)arg)->cancelled++;
}

static enum fg_next
wait_in_request(const void *conf, void *ctx, struct fg_exchange *x)
{
	(void)conf;
	(void)ctx;
	return fg_await(x, "the test", go_on, take_back, &waiting, &waiting.await);
}

static void
count_done(const void *conf, void *ctx, struct fg_exchange *x)
{
	(void)conf;
	(void)ctx;
	(void)x;
	waiting.done++;
}

static const struct fg_filter_type waiting_type = {
    .name = "waiting", .stage = FG_STAGE_LIMIT, .on_request = wait_in_request, .on_done = count_done};
static const struct fg_filter waiting_filter = {.type = &waiting_type};

/* The route `fixed` gets the waiting filter for the time of a test. */
static struct fg_exchange *
begin_waiting(enum fg_next then, struct fg_route **route)
{
	*route = scene.config->routes[scene.config->route_count - 1];
	(*route)->filters = &waiting_filter;
	(*route)->filter_count = 1;
	waiting = (struct waiting){.then = then};
	asks("GET", "/fixed");
	return begin();
}

static void
end_waiting(struct fg_route *route)
{
	route->filters = NULL;
	route->filter_count = 0;
	CU_ASSERT_EQUAL(waiting.done, 1);
	finish();
}

static void
a_filter_waits_and_goes_on(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	CU_ASSERT_EQUAL(scene.front.status, 0);
	fg_await_done(x, waiting.await);
	CU_ASSERT_EQUAL(waiting.continued, 0);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(waiting.continued, 1);
	CU_ASSERT_EQUAL(waiting.cancelled, 0);
	CU_ASSERT_EQUAL(scene.front.status, 200);
	end_waiting(route);
}

static void
a_filter_waits_and_refuses(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_RESPOND, &route);

	fg_exchange_start(x);
	fg_await_done(x, waiting.await);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(scene.front.status, 503);
	CU_ASSERT(headers_have("Retry-After: 1\n"));
	end_waiting(route);
}

static void
the_client_leaves_while_a_filter_waits(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	fg_exchange_on_client_gone(x);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(waiting.continued, 0);
	CU_ASSERT_EQUAL(waiting.cancelled, 1);
	CU_ASSERT_EQUAL(scene.front.aborts, 0);
	end_waiting(route);
}

static void
the_client_leaves_when_the_result_is_there(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	fg_await_done(x, waiting.await);
	fg_exchange_on_client_gone(x);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(waiting.continued, 0);
	CU_ASSERT_EQUAL(waiting.cancelled, 0);
	end_waiting(route);
}

static void
a_deadline_passes_while_a_filter_waits(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	route->timeout = 1000;
	fg_exchange_start(x);
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(scene.front.status, 504);
	CU_ASSERT(body_has("exchange_timeout"));
	CU_ASSERT_EQUAL(waiting.cancelled, 1);
	route->timeout = 0;
	end_waiting(route);
}

static void
the_gateway_ends_all(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	fg_gateway_end_all(&scene.gw, FG_ERR_DRAINING);
	CU_ASSERT_EQUAL(scene.front.status, 503);
	CU_ASSERT_EQUAL(scene.front.ends, 1);
	end_waiting(route);
}

void
suite_exchange(void)
{
	CU_pSuite suite = CU_add_suite("exchange", set_up, tear_down);

	ADD_TEST(suite, a_stranger_says_nothing_about_itself);
	ADD_TEST(suite, a_trusted_proxy_is_believed);
	ADD_TEST(suite, traces_are_continued_or_ended);
	ADD_TEST(suite, absolute_form_names_the_host);
	ADD_TEST(suite, what_is_wrong_with_a_request);
	ADD_TEST(suite, edits_apply);
	ADD_TEST(suite, a_fixed_answer);
	ADD_TEST(suite, a_problem);
	ADD_TEST(suite, who_gets_html);
	ADD_TEST(suite, a_front_without_room_is_waited_for);
	ADD_TEST(suite, bodies_keep_what_they_said);
	ADD_TEST(suite, a_service_that_is_not_there);
	ADD_TEST(suite, a_filter_waits_and_goes_on);
	ADD_TEST(suite, a_filter_waits_and_refuses);
	ADD_TEST(suite, the_client_leaves_while_a_filter_waits);
	ADD_TEST(suite, the_client_leaves_when_the_result_is_there);
	ADD_TEST(suite, a_deadline_passes_while_a_filter_waits);
	ADD_TEST(suite, the_gateway_ends_all);
}
