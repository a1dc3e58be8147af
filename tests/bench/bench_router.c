/*
 * What a match costs with 10, 1,000 and 10,000 routes: a literal path, one with a {segment}, one that ends in *, and one that
 * no route takes. The number of routes should not show.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "router/router.h"

enum { MATCHES = 200000, CONF_ARENA_BYTES = 256 * 1024 * 1024 };

static void
on_error(void *arg, const struct fg_route_rule *rule, const struct fg_route_rule *other, const char *message)
{
	(void)arg;
	(void)other;
	fprintf(stderr, "bench_router: %.*s: %s\n", FG_STR_ARG(rule->name), message);
	exit(1);
}

static struct fg_router *
build(size_t count, struct fg_arena *arena)
{
	const struct fg_route_rule **rules = FG_ARENA_ARRAY(arena, const struct fg_route_rule *, count);
	struct fg_router *router;

	for (size_t i = 0; i < count; i++) {
		struct fg_route_rule *rule = FG_ARENA_NEW(arena, struct fg_route_rule);
		const char *end = i % 3 == 0 ? "orders/list" : i % 3 == 1 ? "orders/{id}" : "files/*";

		rule->path = fg_arena_printf(arena, "/service%zu/%s", i / 3, end);
		rule->name = fg_arena_printf(arena, "r%zu", i);
		rule->methods = FG_METHODS_ANY;
		rules[i] = rule;
	}
	if (fg_router_new(&router, rules, count, arena, on_error, NULL) != FG_OK)
		exit(1);
	return router;
}

static double
measure(const struct fg_router *router, const char *path, bool expected)
{
	struct fg_headers headers = {.count = 0};
	struct fg_route_hit hit;
	struct fg_clock from, to;
	struct fg_arena arena;
	struct fg_uri uri;
	struct fg_route_query query = {.method = FG_METHOD_GET, .method_name = FG_STR("GET"), .host = FG_STR("example.com"),
	    .uri = &uri, .merged_uri = &uri, .headers = &headers, .arena = &arena};

	fg_arena_init(&arena, 1024 * 1024, NULL, 0);
	if (fg_uri_parse(&uri, fg_str_from(path), &arena) != FG_OK)
		exit(1);
	fg_clock_read(&from);
	for (int i = 0; i < MATCHES; i++) {
		fg_router_match(router, &query, &hit, NULL);
		if ((hit.rule != NULL) != expected)
			exit(1);
	}
	fg_clock_read(&to);
	fg_arena_fini(&arena);
	return (double)(to.mono - from.mono) * 1000 / MATCHES;
}

int
main(void)
{
	static const size_t counts[] = {10, 1000, 10000};

	printf("%8s %10s %12s %10s %10s %10s\n", "routes", "build ms", "literal ns", "{id} ns", "* ns", "none ns");
	for (size_t i = 0; i < FG_ARRAY_LEN(counts); i++) {
		size_t last = (counts[i] - 1) / 3 - 1;
		char literal[64], segment[64], rest[64], none[64];
		struct fg_clock from, to;
		struct fg_router *router;
		struct fg_arena arena;

		snprintf(literal, sizeof(literal), "/service%zu/orders/list", last);
		snprintf(segment, sizeof(segment), "/service%zu/orders/4711", last);
		snprintf(rest, sizeof(rest), "/service%zu/files/a/b/c.txt", last);
		snprintf(none, sizeof(none), "/service%zu/nothing", last);
		fg_arena_init(&arena, CONF_ARENA_BYTES, NULL, 0);
		fg_clock_read(&from);
		router = build(counts[i], &arena);
		fg_clock_read(&to);
		printf("%8zu %10.1f %12.0f %10.0f %10.0f %10.0f\n", counts[i], (double)(to.mono - from.mono) / 1000,
		    measure(router, literal, true), measure(router, segment, true), measure(router, rest, true),
		    measure(router, none, false));
		fg_router_free(router);
		fg_arena_fini(&arena);
	}
	return 0;
}
