/* lib/core/admin: which pages there are, who may see them, and what they are made of. */
#include "core/admin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "stats/stats.h"
#include "unit/json.h"
#include "unit/prometheus.h"
#include "unit/unit.h"

/* A gateway with pages for 127.0.0.0/8 and 192.0.2.7, behind a trusted proxy at 10.0.0.1; and one exchange on it. */
struct scene {
	struct fg_config config;
	struct fg_cidr allow[2], trusted;
	struct fg_log log;
	struct fg_gateway gw;
	struct fg_exchange *x;
};

static void
drop_line(void *arg, struct fg_str line)
{
	(void)arg;
	(void)line;
}

static void
scene_init(struct scene *scene)
{
	*scene = (struct scene){.log = {.level = FG_LOG_ERROR, .write = drop_line}};
	CU_ASSERT_FATAL(fg_cidr_parse(&scene->allow[0], FG_STR("127.0.0.0/8")));
	CU_ASSERT_FATAL(fg_cidr_parse(&scene->allow[1], FG_STR("192.0.2.7")));
	CU_ASSERT_FATAL(fg_cidr_parse(&scene->trusted, FG_STR("10.0.0.1")));
	fg_arena_init(&scene->config.arena, 1 << 20, NULL, 0);
	CU_ASSERT_EQUAL_FATAL(fg_router_new(&scene->config.router, NULL, 0, &scene->config.arena, NULL, NULL), FG_OK);
	scene->config.admin = (struct fg_admin_conf){
	    .enabled = true, .path = FG_STR("/_faregate"), .allow = scene->allow, .allow_count = 2};
	scene->config.trusted_proxies = &scene->trusted;
	scene->config.trusted_proxy_count = 1;
	fg_gateway_init(&scene->gw, &scene->config, NULL, NULL, &scene->log);
	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&scene->gw.stats, NULL, 1), FG_OK);
}

static void
scene_fini(struct scene *scene)
{
	if (scene->x != NULL)
		fg_exchange_free(scene->x);
	fg_gateway_fini(&scene->gw);
	fg_router_free(scene->config.router);
	fg_arena_fini(&scene->config.arena);
	fg_stats_close(scene->gw.stats, false);
}

/* The decision on that request; peer: who is connected, asker: what a proxy says (NULL: nothing). */
static const struct fg_exchange *
ask(struct scene *scene, const char *method, const char *target, const char *peer, const char *asker)
{
	struct fg_param params[] = {
	    {FG_STR("REQUEST_METHOD"), fg_str_from(method)},
	    {FG_STR("REQUEST_URI"), fg_str_from(target)},
	    {FG_STR("SERVER_PROTOCOL"), FG_STR("HTTP/1.1")},
	    {FG_STR("HTTP_HOST"), FG_STR("localhost")},
	    {FG_STR("REMOTE_ADDR"), fg_str_from(peer)},
	    {FG_STR("HTTP_X_FORWARDED_FOR"), fg_str_from(asker)},
	};

	if (scene->x != NULL)
		fg_exchange_free(scene->x);
	scene->x = fg_exchange_new_offline(&scene->gw, params, asker == NULL ? 5 : 6, NULL);
	fg_exchange_decide(scene->x);
	return scene->x;
}

static void
the_pages(void)
{
	const struct fg_exchange *x;
	struct scene scene;

	scene_init(&scene);
	x = ask(&scene, "GET", "/_faregate/healthz", "127.0.0.1", NULL);
	CU_ASSERT_EQUAL(x->resp.status, 200);
	CU_ASSERT_EQUAL(x->reason, FG_ERR_ADMIN);
	ASSERT_STR(x->own_body, "ok\n");
	ASSERT_STR(fg_headers_find(&x->resp.headers, FG_STR("Cache-Control"))->value, "no-store");
	x = ask(&scene, "HEAD", "/_faregate/readyz?x", "127.0.0.1", NULL);
	CU_ASSERT_EQUAL(x->resp.status, 200);
	scene.gw.draining = true;
	x = ask(&scene, "GET", "/_faregate/readyz", "127.0.0.1", NULL);
	CU_ASSERT_EQUAL(x->resp.status, 503);
	CU_ASSERT_EQUAL(x->reason, FG_ERR_DRAINING);
	/* Alive all the same. */
	x = ask(&scene, "GET", "/_faregate/healthz", "127.0.0.1", NULL);
	CU_ASSERT_EQUAL(x->resp.status, 200);
	x = ask(&scene, "GET", "/_faregate/metrics", "127.0.0.1", NULL);
	CU_ASSERT(prometheus_is_valid(x->own_body, NULL));
	ASSERT_STR(fg_headers_value(&x->resp.headers, FG_HDR_CONTENT_TYPE), "text/plain; version=0.0.4; charset=utf-8");
	x = ask(&scene, "GET", "/x/../_faregate/./status", "127.0.0.1", NULL);
	CU_ASSERT(json_is_valid(x->own_body));
	ASSERT_STR(fg_headers_value(&x->resp.headers, FG_HDR_CONTENT_TYPE), "application/json");
	scene_fini(&scene);
}

static void
what_is_no_page(void)
{
	const struct fg_exchange *x;
	struct scene scene;

	scene_init(&scene);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/_faregate", "127.0.0.1", NULL)->resp.status, 404);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/_faregate/healthz/", "127.0.0.1", NULL)->resp.status, 404);
	/* An encoded slash is none; this is another path, and no route has it. */
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/_faregate%2Fhealthz", "127.0.0.1", NULL)->reason, FG_ERR_ROUTE_NOT_FOUND);
	CU_ASSERT(!fg_admin_owns(scene.x));
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/_faregatex/healthz", "127.0.0.1", NULL)->resp.status, 404);
	CU_ASSERT(!fg_admin_owns(scene.x));
	x = ask(&scene, "POST", "/_faregate/metrics", "127.0.0.1", NULL);
	CU_ASSERT_EQUAL(x->resp.status, 405);
	ASSERT_STR(fg_headers_value(&x->resp.headers, FG_HDR_ALLOW), "GET, HEAD");
	/* Nothing is counted: there is nothing to show. */
	fg_stats_close(scene.gw.stats, false);
	scene.gw.stats = NULL;
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/_faregate/metrics", "127.0.0.1", NULL)->resp.status, 404);
	scene.config.admin.enabled = false;
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/_faregate/healthz", "127.0.0.1", NULL)->reason, FG_ERR_ROUTE_NOT_FOUND);
	CU_ASSERT(!fg_admin_owns(scene.x));
	scene_fini(&scene);
}

static void
who_may_see_them(void)
{
	static const struct {
		const char *peer, *asker;
		bool allowed;
	} cases[] = {
	    {"127.0.0.1", NULL, true},
	    {"192.0.2.7", NULL, true},
	    {"192.0.2.8", NULL, false},
	    {"", NULL, false},
	    {"unknown", NULL, false},
	    /* Somebody's word is not taken for who he is; */
	    {"192.0.2.8", "127.0.0.1", false},
	    {"127.0.0.1", "192.0.2.8", true},
	    /* a trusted proxy's is, and then counts alone. */
	    {"10.0.0.1", "192.0.2.7", true},
	    {"10.0.0.1", "192.0.2.8", false},
	    {"10.0.0.1", NULL, false},
	    /* The last that the proxy itself wrote, not what the client sent it. */
	    {"10.0.0.1", "127.0.0.1, 192.0.2.8", false},
	};
	struct scene scene;

	scene_init(&scene);
	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		const struct fg_exchange *x = ask(&scene, "GET", "/_faregate/metrics", cases[i].peer, cases[i].asker);
		enum fg_err expected = cases[i].allowed ? FG_ERR_ADMIN : FG_ERR_ADMIN_FORBIDDEN;

		if (x->reason != expected)
			fprintf(stderr, "%s for %s: %s\n", cases[i].peer, cases[i].asker, fg_err_token(x->reason));
		CU_ASSERT_EQUAL(x->reason, expected);
	}
	/* Nobody else is told which pages there are. */
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/_faregate/no-page", "192.0.2.8", NULL)->resp.status, 403);
	CU_ASSERT_EQUAL(ask(&scene, "POST", "/_faregate/metrics", "192.0.2.8", NULL)->resp.status, 403);
	scene_fini(&scene);
}

void
suite_admin(void)
{
	CU_pSuite suite = CU_add_suite("admin", NULL, NULL);

	ADD_TEST(suite, the_pages);
	ADD_TEST(suite, what_is_no_page);
	ADD_TEST(suite, who_may_see_them);
}
