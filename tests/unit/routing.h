/* What the router's tests share: a set of rules under construction, and requests put to it. */
#ifndef FG_TESTS_UNIT_ROUTING_H
#define FG_TESTS_UNIT_ROUTING_H

#include <stdio.h>
#include <stdlib.h>

#include "router/router.h"
#include "unit/unit.h"

enum { MAX_RULES = 64 };

/* Each test file has its own of these. */
static struct fg_arena arena;

/* A router under construction, and what its builder said. */
static struct {
	struct fg_route_rule rules[MAX_RULES];
	const struct fg_route_rule *row[MAX_RULES];
	size_t count;
	struct fg_router *router;
	char errors[4096];
	size_t error_count;
} set;

static inline void
on_error(void *arg, const struct fg_route_rule *rule, const struct fg_route_rule *other, const char *message)
{
	size_t len = strlen(set.errors);

	(void)arg;
	set.error_count++;
	snprintf(set.errors + len, sizeof(set.errors) - len, "%.*s %.*s: %s\n", FG_STR_ARG(rule->name),
	    other == NULL ? 1 : (int)other->name.len, other == NULL ? "-" : other->name.p, message);
}

static inline int
set_up(void)
{
	fg_arena_init(&arena, 256 * 1024 * 1024, NULL, 0);
	return 0;
}

static inline void
clear(void)
{
	fg_router_free(set.router);
	memset(&set, 0, sizeof(set));
	fg_arena_reset(&arena);
}

static inline int
tear_down(void)
{
	clear();
	fg_arena_fini(&arena);
	return 0;
}

static inline struct fg_route_rule *
add(const char *name, const char *path)
{
	struct fg_route_rule *rule = &set.rules[set.count];

	*rule = (struct fg_route_rule){.name = fg_str_from(name), .path = fg_str_from(path), .methods = FG_METHODS_ANY};
	set.row[set.count++] = rule;
	return rule;
}

static inline void
with_host(struct fg_route_rule *rule, const char *host)
{
	struct fg_str *hosts = FG_ARENA_ARRAY(&arena, struct fg_str, rule->host_count + 1);

	if (rule->host_count > 0)
		memcpy(hosts, rule->hosts, rule->host_count * sizeof(*hosts));
	hosts[rule->host_count++] = fg_str_from(host);
	rule->hosts = hosts;
}

static inline const struct fg_name_value *
with_condition(const struct fg_name_value *old, size_t *count, const char *name, const char *value)
{
	struct fg_name_value *all = FG_ARENA_ARRAY(&arena, struct fg_name_value, *count + 1);

	if (*count > 0)
		memcpy(all, old, *count * sizeof(*all));
	all[(*count)++] = (struct fg_name_value){fg_str_from(name), fg_str_from(value)};
	return all;
}

static inline void
with_header(struct fg_route_rule *rule, const char *name, const char *value)
{
	rule->headers = with_condition(rule->headers, &rule->header_count, name, value);
}

static inline void
with_query(struct fg_route_rule *rule, const char *name, const char *value)
{
	rule->query = with_condition(rule->query, &rule->query_count, name, value);
}

static inline void
with_cookie(struct fg_route_rule *rule, const char *name, const char *value)
{
	rule->cookies = with_condition(rule->cookies, &rule->cookie_count, name, value);
}

static inline enum fg_err
build(void)
{
	fg_router_free(set.router);
	set.error_count = 0;
	set.errors[0] = '\0';
	return fg_router_new(&set.router, set.row, set.count, &arena, on_error, NULL);
}

/* A request; the test changes what it needs. */
static struct {
	struct fg_uri uri, merged;
	struct fg_headers headers;
	struct fg_route_query query;
	struct fg_route_hit hit;
} req;

static inline void
ask(const char *method, const char *host, const char *target)
{
	memset(&req, 0xa5, sizeof(req));
	CU_ASSERT_FATAL(fg_uri_parse(&req.uri, fg_str_from(target), &arena) == FG_OK);
	req.merged = req.uri;
	fg_uri_merge_slashes(&req.merged, &arena);
	fg_headers_init(&req.headers, &arena);
	req.query = (struct fg_route_query){.method = fg_method_parse(fg_str_from(method)),
	    .method_name = fg_str_from(method),
	    .host = fg_str_from(host),
	    .uri = &req.uri,
	    .merged_uri = &req.merged,
	    .headers = &req.headers,
	    .arena = &arena};
}

static inline const char *
answer(void)
{
	fg_router_match(set.router, &req.query, &req.hit, NULL);
	return req.hit.rule == NULL ? "-" : req.hit.rule->name.p;
}

static inline const char *
route_of(const char *method, const char *host, const char *target)
{
	ask(method, host, target);
	return answer();
}

static inline void
expect(const char *target, const char *name)
{
	const char *got = route_of("GET", "example.org", target);

	if (strcmp(got, name) != 0) {
		fprintf(stderr, "%s: took \"%s\", expected \"%s\"\n", target, got, name);
		CU_FAIL("see above");
	}
}

static inline struct fg_str
capture(const char *name)
{
	const struct fg_uri *uri = req.hit.rule->merge_slashes ? &req.merged : &req.uri;

	for (size_t i = 0; i < req.hit.capture_count; i++)
		if (fg_str_eq(req.hit.captures[i].name, fg_str_from(name)))
			return fg_str_slice(uri->match, req.hit.captures[i].start,
			    req.hit.captures[i].start + req.hit.captures[i].len);
	return FG_STR("(none)");
}

#endif
