/* An exchange with what variables, templates and the forwarded target read of it, and nothing else. */
#ifndef FG_TESTS_UNIT_REQUEST_H
#define FG_TESTS_UNIT_REQUEST_H

#include "core/config.h"
#include "core/exchange.h"
#include "unit/unit.h"

static struct fg_exchange exchange;
static struct fg_route route;

/* Frees what the last one took. */
static inline void
end_request(void)
{
	fg_arena_fini(&exchange.arena);
	memset(&exchange, 0, sizeof(exchange));
	memset(&route, 0, sizeof(route));
}

/* The route's path is matched by the router itself; what else the test needs it sets. */
static inline void
begin_request(const char *target, const char *path, bool merge_slashes)
{
	const struct fg_route_rule *rules[] = {&route.rule};
	struct fg_route_query query;
	struct fg_router *router;

	end_request();
	fg_arena_init(&exchange.arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	CU_ASSERT_FATAL(fg_uri_parse(&exchange.req.uri, fg_str_from(target), &exchange.arena) == FG_OK);
	exchange.req.merged_uri = exchange.req.uri;
	fg_uri_merge_slashes(&exchange.req.merged_uri, &exchange.arena);
	fg_headers_init(&exchange.req.headers, &exchange.arena);
	route.name = route.rule.name = FG_STR("orders");
	route.rule.path = fg_str_from(path);
	route.rule.methods = FG_METHODS_ANY;
	route.rule.merge_slashes = merge_slashes;
	query = (struct fg_route_query){.uri = &exchange.req.uri,
	    .merged_uri = &exchange.req.merged_uri,
	    .headers = &exchange.req.headers,
	    .arena = &exchange.arena};
	CU_ASSERT_FATAL(fg_router_new(&router, rules, 1, &exchange.arena, NULL, NULL) == FG_OK);
	fg_router_match(router, &query, &exchange.hit, NULL);
	fg_router_free(router);
	exchange.route = &route;
}

static inline void
add_header(const char *name, struct fg_str value)
{
	CU_ASSERT_FATAL(fg_headers_add(&exchange.req.headers, fg_str_from(name), value) == FG_OK);
}

#endif
