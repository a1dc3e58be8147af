/* lib/filter/auth_forward: what is asked, what is made of the answer, what becomes of no answer. */
#include <stdio.h>
#include <stdlib.h>

#include "core/identity.h"
#include "support/service.h"
#include "unit/config_load.h"
#include "unit/exchange_scene.h"

static struct service *service;

/* Unless a deadline is to be seen: longer than this machine ever stands still. */
#define PATIENT "timeout: 60s, connect-timeout: 60s"

static const char yaml[] =
    "version: 1\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "auth:\n"
    "  yes: {type: forward, " PATIENT ",\n"
    "    url: 'http://127.0.0.1:%1$d/status/200?header=X-Auth-User:ann&header=X-Auth-Plan:gold',\n"
    "    consumer: X-Auth-User, send: [X-Session], forward: {X-User: X-Auth-User, X-Plan: x-auth-plan, X-Role: X-Auth-Role}}\n"
    "  bare: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/status/204'}\n"
    "  nameless: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/status/200', consumer: X-Auth-User}\n"
    "  no: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/status/401?header=WWW-Authenticate:Custom&header=X-Secret:x&body=who'}\n"
    "  slow-down: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/status/429?header=Retry-After:7'}\n"
    "  login: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/status/302?header=Location:http://login.example/'}\n"
    "  broken: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/status/500'}\n"
    "  large: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/bytes/100000'}\n"
    "  slow: {type: forward, url: 'http://127.0.0.1:%1$d/hold', timeout: 50ms, connect-timeout: 60s}\n"
    "  held: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/hold'}\n"
    "  closes: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/close/head'}\n"
    "  down: {type: forward, " PATIENT ", url: 'http://127.0.0.1:9/'}\n"
    "  kept: {type: forward, " PATIENT ", url: 'http://127.0.0.1:%1$d/status/200?header=X-Auth-User:ann', consumer: X-Auth-User, cache: 60s}\n"
    "routes:\n"
    "  yes: {path: /yes/*, service: a, auth: yes}\n"
    "  bare: {path: /bare, service: a, auth: bare}\n"
    "  nameless: {path: /nameless, service: a, auth: nameless}\n"
    "  no: {path: /no, service: a, auth: no, cors: {origins: 'https://app.example'}}\n"
    "  slow-down: {path: /slow-down, service: a, auth: slow-down}\n"
    "  login: {path: /login, service: a, auth: login}\n"
    "  broken: {path: /broken, service: a, auth: broken}\n"
    "  large: {path: /large, service: a, auth: large}\n"
    "  slow: {path: /slow, service: a, auth: slow}\n"
    "  held: {path: /held, service: a, auth: held}\n"
    "  closes: {path: /closes, service: a, auth: closes}\n"
    "  down: {path: /down, service: a, auth: down}\n"
    "  kept: {path: /kept/*, service: a, auth: kept}\n"
    "  either: {path: /either, service: a, auth: [down, bare]}\n"
    "  neither: {path: /neither, service: a, auth: [no, down]}\n";

static int
set_up(void)
{
	char text[8192];

	service = service_start(&(struct service_options){.name = "A"});
	snprintf(text, sizeof(text), yaml, service_port(service));
	return scene_set_up_with(text);
}

static int
tear_down(void)
{
	int status = scene_tear_down();

	service_stop(service);
	return status;
}

static bool
was_sent(const char *line)
{
	return strstr(service_record(service, service_requests(service) - 1)->head, line) != NULL;
}

static void
yes_says_who(void)
{
	struct fg_exchange *x;

	scene_asks("POST", "/yes/./a%2Fb?x=1");
	scene_with("CONTENT_LENGTH", "5");
	scene_with("HTTP_AUTHORIZATION", "Bearer t");
	scene_with("HTTP_COOKIE", "s=1");
	scene_with("HTTP_X_SESSION", "77");
	scene_with("HTTP_X_OTHER", "no");
	scene_with("HTTP_X_USER", "root");
	scene_with("HTTP_X_PLAN", "platinum");
	scene_with("HTTP_X_ROLE", "admin");
	x = scene_decided();
	CU_ASSERT_EQUAL_FATAL(x->reason, FG_OK);
	ASSERT_STR(x->identity->consumer, "ann");
	scene_expect_header(x, "X-User", "ann");
	scene_expect_header(x, "X-Plan", "gold");
	scene_expect_header(x, "X-Role", NULL); /* the answer has none: neither has the service */
	scene_expect_header(x, "Authorization", "Bearer t");
	CU_ASSERT(was_sent("GET /status/200?"));
	CU_ASSERT(was_sent("X-Forwarded-Method: POST\r\n"));
	CU_ASSERT(was_sent("X-Forwarded-Uri: /yes/a%2Fb?x=1\r\n"));
	CU_ASSERT(was_sent("X-Forwarded-Host: api.example.com\r\n"));
	CU_ASSERT(was_sent("X-Forwarded-For: 192.0.2.7\r\n"));
	CU_ASSERT(was_sent("X-Forwarded-Proto: http\r\n"));
	CU_ASSERT(was_sent("X-Request-Id: "));
	CU_ASSERT(was_sent("Authorization: Bearer t\r\n"));
	CU_ASSERT(was_sent("Cookie: s=1\r\n"));
	CU_ASSERT(was_sent("X-Session: 77\r\n"));
	CU_ASSERT(!was_sent("X-Other") && !was_sent("root") && !was_sent("Content-Length: 5") && !was_sent("platinum"));
	fg_exchange_free(x);
}

static void
expect(const char *target, enum fg_err reason, int status)
{
	struct fg_exchange *x;

	scene_asks("GET", target);
	x = scene_decided();
	if (x->reason != reason)
		fprintf(stderr, "%s: %s\n", target, fg_err_token(x->reason));
	CU_ASSERT_EQUAL(x->reason, reason);
	CU_ASSERT_EQUAL(x->resp.status, status);
	CU_ASSERT((x->identity != NULL) == (reason == FG_OK));
	fg_exchange_free(x);
}

static void
each_answer_is_judged(void)
{
	expect("/bare", FG_OK, 0);
	expect("/nameless", FG_ERR_AUTH_SERVICE_FAILED, 503);
	expect("/no", FG_ERR_AUTH_REFUSED, 401);
	expect("/slow-down", FG_ERR_AUTH_REFUSED, 429);
	expect("/login", FG_ERR_AUTH_REFUSED, 302);
	expect("/broken", FG_ERR_AUTH_SERVICE_FAILED, 503);
	expect("/large", FG_ERR_AUTH_SERVICE_FAILED, 503);
	expect("/slow", FG_ERR_AUTH_SERVICE_TIMEOUT, 503);
	expect("/closes", FG_ERR_AUTH_SERVICE_FAILED, 503);
	expect("/down", FG_ERR_AUTH_SERVICE_FAILED, 503);
	expect("/either", FG_OK, 0);
	expect("/neither", FG_ERR_AUTH_SERVICE_FAILED, 503); /* who cannot be judged is told so, before who is refused */
}

static void
a_refusal_reaches_the_client(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "/no");
	scene_with("HTTP_ORIGIN", "https://app.example");
	x = scene_begin();
	fg_exchange_start(x);
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(scene.front.status, 401);
	CU_ASSERT(scene_headers_have("WWW-Authenticate: Custom\n"));
	CU_ASSERT(!scene_headers_have("X-Secret"));
	CU_ASSERT(scene_headers_have("Access-Control-Allow-Origin: https://app.example\n")); /* pages can read why */
	CU_ASSERT(scene_body_has("who"));
	scene_finish();
}

static void
the_client_leaves_while_the_service_thinks(void)
{
	struct fg_exchange *x;
	unsigned before = service_requests(service);

	scene_asks("GET", "/held");
	x = scene_begin();
	fg_exchange_start(x);
	while (service_requests(service) == before)
		fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	fg_exchange_on_client_gone(x);
	scene_finish();
}

static void
yes_is_kept_for_the_very_same_question(void)
{
	unsigned before = service_requests(service);

	expect("/kept/a", FG_OK, 0);
	expect("/kept/a", FG_OK, 0);
	CU_ASSERT_EQUAL(service_requests(service), before + 1);
	expect("/kept/b", FG_OK, 0);
	CU_ASSERT_EQUAL(service_requests(service), before + 2);
	scene_asks("GET", "/kept/a");
	scene_with("HTTP_COOKIE", "s=2");
	fg_exchange_free(scene_decided());
	CU_ASSERT_EQUAL(service_requests(service), before + 3);
}

static void
what_cannot_be_meant_is_refused(void)
{
	EXPECT_ERRORS("version: 1\nauth: {a: {type: forward}}\n", "f:2:8: auth.a: url is missing\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: forward, url: 'ftp://x'}}\n",
	    "f:2:32: auth.a.url: \"ftp://x\" is not http:// or https://HOST[:PORT][/PATH]\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: forward, url: 'http://x', send: [Host, X-Forwarded-For]}}\n",
	    "f:2:51: auth.a.send[0]: \"Host\" is not a header that can be passed on, or one that the gateway sets itself\n"
	    "f:2:57: auth.a.send[1]: \"X-Forwarded-For\" is not a header that can be passed on, or one that the gateway sets itself\n");
}

void
suite_auth_forward(void)
{
	CU_pSuite suite = CU_add_suite("auth_forward", set_up, tear_down);

	ADD_TEST(suite, yes_says_who);
	ADD_TEST(suite, each_answer_is_judged);
	ADD_TEST(suite, a_refusal_reaches_the_client);
	ADD_TEST(suite, the_client_leaves_while_the_service_thinks);
	ADD_TEST(suite, yes_is_kept_for_the_very_same_question);
	suite = CU_add_suite("auth_forward_config", config_folder_make, config_folder_remove);
	ADD_TEST(suite, what_cannot_be_meant_is_refused);
}
