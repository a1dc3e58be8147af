/* lib/filter/cors: origins, preflights, what responses say. */
#include <stdio.h>
#include <stdlib.h>

#include "filter/cors_origin.h"
#include "unit/config_load.h"
#include "unit/exchange_scene.h"

/* ---- origins */

static bool
takes(const char *pattern, const char *value)
{
	struct fg_origin origin;
	struct fg_arena arena;
	struct fg_str message;
	bool result;

	fg_arena_init(&arena, 65536, NULL, 0);
	CU_ASSERT_FATAL(fg_origin_parse(&origin, fg_str_from(pattern), &arena, &message) == FG_OK);
	result = fg_origin_takes(&origin, fg_str_from(value));
	fg_arena_fini(&arena);
	return result;
}

static void
expect_origins(const char *pattern, const char *const *values, bool expected)
{
	for (; *values != NULL; values++) {
		if (takes(pattern, *values) != expected)
			fprintf(stderr, "%s, %s\n", pattern, *values);
		CU_ASSERT_EQUAL(takes(pattern, *values), expected);
	}
}
#define TAKES(pattern, ...) expect_origins((pattern), (const char *[]){__VA_ARGS__, NULL}, true)
#define REFUSES(pattern, ...) expect_origins((pattern), (const char *[]){__VA_ARGS__, NULL}, false)

static void
exact_origins(void)
{
	TAKES("https://app.example.com", "https://app.example.com");
	REFUSES("https://app.example.com", "", "null", "http://app.example.com", "https://app.example.com:443",
	    "https://app.example.com:8443", "https://app.example.com.evil.example", "https://app.example.co",
	    "https://xapp.example.com", "https://APP.example.com", "https://app.example.com/", "https://app.example.com ",
	    "https://app.example.com, https://app.example.com", "https://user@app.example.com", "https://");
	/* what was written is normalised; what a browser sends is so already */
	TAKES("HTTPS://App.Example.COM:443", "https://app.example.com");
	TAKES("http://app.example.com:80", "http://app.example.com");
	TAKES("http://app.example.com:443", "http://app.example.com:443");
	TAKES("https://app.example.com:8443", "https://app.example.com:8443");
	REFUSES("https://app.example.com:8443", "https://app.example.com", "https://app.example.com:84430");
	TAKES("http://[::1]:3000", "http://[::1]:3000");
	REFUSES("http://[::1]:3000", "http://[::1]", "http://[::1", "http://[");
	TAKES("capacitor://localhost", "capacitor://localhost");
	TAKES("null", "null");
	REFUSES("null", "", "NULL", "null://x", "https://null");
	TAKES("*", "https://anybody.example", "null");
}

static void
patterns_of_origins(void)
{
	TAKES("https://*.example.com", "https://app.example.com", "https://a.b.example.com", "https://a-b_c.example.com");
	REFUSES("https://*.example.com", "https://example.com", "https://.example.com", "https://a..example.com",
	    "https://..example.com", "https://evilexample.com", "https://app.example.com.evil.example",
	    "https://app.example.com:8443", "http://app.example.com", "https://evil.example/.example.com",
	    "https://evil.example#.example.com", "https://evil.example?.example.com", "https://a@b.example.com",
	    "https://evil.example:80.example.com", "https://evil.example\\.example.com", "https://A.example.com",
	    "https://[::1].example.com", "https://%2e.example.com");
	TAKES("https://*.example.com:8443", "https://app.example.com:8443");
	REFUSES("https://*.example.com:8443", "https://app.example.com");
	TAKES("http://localhost:*", "http://localhost", "http://localhost:1", "http://localhost:65535");
	REFUSES("http://localhost:*", "http://localhost:", "http://localhost:65536", "http://localhost:1x",
	    "http://localhost:80.evil.example", "http://localhost.evil.example", "http://localhost:000080",
	    "http://localhost:+80");
	TAKES("http://*.dev.example:*", "http://a.dev.example:3000", "http://a.dev.example");
	TAKES("http://[::1]:*", "http://[::1]", "http://[::1]:5");
}

/* ---- preflights */

static const char yaml[] =
    "version: 1\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "cors:\n"
    "  app: {origins: ['https://app.example.com', 'https://*.dev.example.com'], methods: [GET, PUT], headers: [X-Tenant, Authorization],\n"
    "    expose: [X-Total], credentials: true, max-age: 10m}\n"
    "  open: {origins: '*'}\n"
    "routes:\n"
    "  app: {path: '/app/*', service: a, cors: app, methods: [GET, PUT, POST]}\n"
    "  open: {path: /open, cors: open, respond: {body: hello}}\n"
    "  fixed: {path: /fixed, cors: app, respond: {body: hello},\n"
    "    response: {headers: {set: {Access-Control-Allow-Origin: '*', access-control-max-age: '9', Vary: 'Accept'}}}}\n"
    "  none: {path: /none, service: a}\n"
    "  split-get: {path: /split, methods: [GET], service: a, cors: app}\n"
    "  split-post: {path: /split, methods: [POST], service: a}\n"
    "  old: {path: /versions, service: a}\n"
    "  new: {path: /versions, headers: {X-Version: '2'}, service: a, cors: app}\n";

static int
set_up(void)
{
	return scene_set_up_with(yaml);
}

static void
asks_to(const char *method, const char *target, const char *origin)
{
	scene_asks("OPTIONS", target);
	scene_with("HTTP_ORIGIN", origin);
	scene_with("HTTP_ACCESS_CONTROL_REQUEST_METHOD", method);
}

/* A header of the answer; NULL: there must be none. Those of a list are looked for in it. */
static void
expect_answer(struct fg_exchange *x, const char *name, const char *value)
{
	const struct fg_header *header = fg_headers_find(&x->resp.headers, fg_str_from(name));

	if (value == NULL) {
		CU_ASSERT_PTR_NULL(header);
		return;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	ASSERT_STR(header->value, value);
}

static void
preflights_are_answered(void)
{
	struct fg_exchange *x;

	asks_to("PUT", "/app/1", "https://app.example.com");
	scene_with("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "x-tenant, x-evil");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_CORS_PREFLIGHT);
	CU_ASSERT_EQUAL(x->resp.status, 204);
	ASSERT_STR(x->route->name, "app");
	expect_answer(x, "Access-Control-Allow-Origin", "https://app.example.com");
	expect_answer(x, "Access-Control-Allow-Credentials", "true");
	expect_answer(x, "Access-Control-Allow-Methods", "GET, HEAD, PUT");
	expect_answer(x, "Access-Control-Allow-Headers", "X-Tenant, Authorization"); /* not what was asked */
	expect_answer(x, "Access-Control-Max-Age", "600");
	expect_answer(x, "Access-Control-Expose-Headers", NULL);
	expect_answer(x, "Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
	fg_exchange_free(x);

	asks_to("PATCH", "/open", "https://anybody.example");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_CORS_PREFLIGHT);
	expect_answer(x, "Access-Control-Allow-Origin", "*");
	expect_answer(x, "Access-Control-Allow-Credentials", NULL);
	expect_answer(x, "Access-Control-Allow-Methods", "PATCH"); /* the route takes it */
	expect_answer(x, "Access-Control-Allow-Headers", NULL);
	expect_answer(x, "Access-Control-Max-Age", "5");
	fg_exchange_free(x);

	/* the route takes POST, the policy does not: said, for the browser to refuse */
	asks_to("POST", "/app/1", "https://app.example.com");
	x = scene_decided();
	expect_answer(x, "Access-Control-Allow-Methods", "GET, HEAD, PUT");
	fg_exchange_free(x);

	/* a method that is none we know is not given back */
	asks_to("PUT, EVIL", "/open", "https://anybody.example");
	x = scene_decided();
	expect_answer(x, "Access-Control-Allow-Methods", NULL);
	fg_exchange_free(x);
}

static void
expect_nothing_allowed(const char *method, const char *target, const char *origin, enum fg_err reason)
{
	struct fg_exchange *x;

	asks_to(method, target, origin);
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, reason);
	for (size_t i = 0; i < x->resp.headers.count; i++)
		CU_ASSERT(!fg_str_starts_with(x->resp.headers.v[i].name, FG_STR("Access-Control-")));
	fg_exchange_free(x);
}

static void
preflights_fail_closed(void)
{
	expect_nothing_allowed("PUT", "/app/1", "https://evil.example", FG_ERR_CORS_REFUSED);
	expect_nothing_allowed("PUT", "/app/1", "null", FG_ERR_CORS_REFUSED);
	expect_nothing_allowed("PUT", "/app/1", "https://app.example.com, https://evil.example", FG_ERR_CORS_REFUSED);
	/* no route for the method: an OPTIONS like any other */
	expect_nothing_allowed("DELETE", "/app/1", "https://app.example.com", FG_ERR_OPTIONS_ANSWERED);
	expect_nothing_allowed("GET", "/nowhere", "https://app.example.com", FG_ERR_ROUTE_NOT_FOUND);
	/* a route without cors: the service's affair */
	expect_nothing_allowed("GET", "/none", "https://app.example.com", FG_OK);
	expect_nothing_allowed("POST", "/split", "https://app.example.com", FG_ERR_OPTIONS_ANSWERED);
}

static void
preflights_go_by_the_method_they_announce(void)
{
	struct fg_exchange *x;

	asks_to("GET", "/split", "https://app.example.com");
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_CORS_PREFLIGHT);
	ASSERT_STR(x->route->name, "split-get");
	fg_exchange_free(x);

	/* the value of a header is not known yet, but that it will be there */
	asks_to("GET", "/versions", "https://app.example.com");
	scene_with("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "authorization,X-VERSION");
	x = scene_decided();
	ASSERT_STR(x->route->name, "new");
	CU_ASSERT_EQUAL(x->reason, FG_ERR_CORS_PREFLIGHT);
	fg_exchange_free(x);
	asks_to("GET", "/versions", "https://app.example.com");
	x = scene_decided();
	ASSERT_STR(x->route->name, "old");
	fg_exchange_free(x);
	/* and only in a preflight */
	scene_asks("GET", "/versions");
	scene_with("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "x-version");
	x = scene_decided();
	ASSERT_STR(x->route->name, "old");
	fg_exchange_free(x);
}

static void
an_options_without_the_marks_is_no_preflight(void)
{
	scene_expect_reason("OPTIONS", "/app/1", FG_ERR_OPTIONS_ANSWERED);
	scene_asks("OPTIONS", "/app/1");
	scene_with("HTTP_ORIGIN", "https://app.example.com");
	CU_ASSERT_PTR_NULL(strstr(scene_explained(), "cors"));
	scene_asks("GET", "/app/1");
	scene_with("HTTP_ORIGIN", "https://app.example.com");
	scene_with("HTTP_ACCESS_CONTROL_REQUEST_METHOD", "PUT");
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_explained(), "cors allowed: a page of https://app.example.com may read"));
}

/* ---- responses */

static void
answer(const char *target, const char *origin)
{
	struct fg_exchange *x;

	scene_asks("GET", target);
	if (origin != NULL)
		scene_with("HTTP_ORIGIN", origin);
	x = scene_begin();
	fg_exchange_start(x);
}

static void
responses_say_who_may_read_them(void)
{
	answer("/fixed", "https://x.dev.example.com");
	CU_ASSERT(scene_headers_have("Access-Control-Allow-Origin: https://x.dev.example.com\n"));
	CU_ASSERT(scene_headers_have("Access-Control-Allow-Credentials: true\n"));
	CU_ASSERT(scene_headers_have("Access-Control-Expose-Headers: X-Total\n"));
	CU_ASSERT(scene_headers_have("Vary: Accept\nVary: Origin\n") || scene_headers_have("Vary: Origin\n"));
	/* what the service, or an edit, says of it itself is gone */
	CU_ASSERT(!scene_headers_have("Access-Control-Allow-Origin: *"));
	CU_ASSERT(!scene_headers_have("access-control-max-age"));
	scene_finish();

	answer("/fixed", "https://evil.example");
	CU_ASSERT_EQUAL(scene.front.status, 200);
	CU_ASSERT(!scene_headers_have("ccess-"));
	CU_ASSERT(scene_headers_have("Vary: Origin\n"));
	scene_finish();

	answer("/fixed", NULL);
	CU_ASSERT(!scene_headers_have("ccess-"));
	CU_ASSERT(scene_headers_have("Vary: Origin\n"));
	scene_finish();

	answer("/open", "null");
	CU_ASSERT(scene_headers_have("Access-Control-Allow-Origin: *\n"));
	CU_ASSERT(!scene_headers_have("Credentials"));
	scene_finish();
}

/* ---- the configuration */

#define CORS(text) \
	"version: 1\nroutes: {a: {path: /, respond: {}, cors: {" text "}}}\n"

static void
what_cannot_be_meant_is_refused(void)
{
	EXPECT_ERRORS(CORS("origins: '*', credentials: true"),
	    "f:2:52: routes.a.cors.origins: * with credentials would let every page act as the user who looks at it; name the origins\n");
	EXPECT_ERRORS(CORS("origins: ['null'], credentials: true"),
	    "f:2:52: routes.a.cors.origins: null with credentials would let every page act as the user who looks at it, from a frame without an origin\n");
	EXPECT_ERRORS(CORS("origins: ['*', 'https://a.example']"),
	    "f:2:52: routes.a.cors.origins: * takes every origin; it stands alone\n");
	EXPECT_ERRORS(CORS("origins: []"), "f:2:52: routes.a.cors.origins: is empty; name the origins, or leave cors away\n");
	EXPECT_ERRORS(CORS("methods: GET"), "f:2:36: routes.a.cors: origins is missing\n");
	EXPECT_ERRORS(CORS("origins: 'https://a.example/'"),
	    "f:2:52: routes.a.cors.origins: \"https://a.example/\" has a path; an origin ends with its host and port\n");
	EXPECT_ERRORS(CORS("origins: 'a.example'"),
	    "f:2:52: routes.a.cors.origins: \"a.example\" is not an origin; write https://HOST, https://*.HOST, * or null\n");
	EXPECT_ERRORS(CORS("origins: 'https://*'"),
	    "f:2:52: routes.a.cors.origins: \"https://*\" has a * that is not *. before a name, nor :* at its end\n");
	EXPECT_ERRORS(CORS("origins: 'https://*.com'"),
	    "f:2:52: routes.a.cors.origins: \"https://*.com\" would take everybody who has a name there; write *. and a name of two labels at least\n");
	EXPECT_ERRORS(CORS("origins: 'https://a.example:80:*'"),
	    "f:2:52: routes.a.cors.origins: \"https://a.example:80:*\" has no valid host and port behind ://\n");
	EXPECT_ERRORS(CORS("origins: '9://a.example'"),
	    "f:2:52: routes.a.cors.origins: \"9://a.example\" does not begin with a scheme such as https\n");
	EXPECT_ERRORS(CORS("origins: 'https://a.example', headers: ['*'], credentials: true"),
	    "f:2:82: routes.a.cors.headers: * stands alone, and for nothing with credentials; name the headers\n");
	EXPECT_ERRORS(CORS("origins: 'https://a.example', expose: ['*', X-A]"),
	    "f:2:81: routes.a.cors.expose: * stands alone, and for nothing with credentials; name the headers\n");
}

void
suite_cors(void)
{
	CU_pSuite suite = CU_add_suite("cors", set_up, scene_tear_down);

	ADD_TEST(suite, exact_origins);
	ADD_TEST(suite, patterns_of_origins);
	ADD_TEST(suite, preflights_are_answered);
	ADD_TEST(suite, preflights_fail_closed);
	ADD_TEST(suite, preflights_go_by_the_method_they_announce);
	ADD_TEST(suite, an_options_without_the_marks_is_no_preflight);
	ADD_TEST(suite, responses_say_who_may_read_them);
	suite = CU_add_suite("cors_config", config_folder_make, config_folder_remove);
	ADD_TEST(suite, what_cannot_be_meant_is_refused);
}
