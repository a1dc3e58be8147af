/*
 * Which route a request takes. Rules are compiled once into a radix tree over the decoded path; matching walks it from
 * the most specific alternative to the least and takes the first rule whose conditions all hold (another method is a
 * condition that does not hold: a less specific rule may take it):
 *
 *   1. path: exact, then the longer literal, then {segment}, then *, then a regex, compared from the left;
 *   2. host: exact, then the longer wildcard, then none;
 *   3. the larger number of conditions: each header, query parameter and cookie, and a list of methods count one;
 *   4. the higher priority.
 *
 * Rules that could tie, and rules that can never be reached, are errors when the router is built.
 *
 * A path is "/literal/{segment}/more", at the end perhaps '*': any rest, an empty one too; behind a '/' the rest may
 * miss together with that slash: "/orders/" and '*' takes "/orders" as well. A segment is a literal or one {name}. Literals
 * are read like a request's path: percent-encoding is decoded, dot segments are refused. "~" begins a PCRE2 regex that
 * is searched in the decoded path (bytes, no UTF; '.' matches any byte, '$' the very end); an encoded slash is the
 * byte \x00 there.
 *
 * Cost of a match: each node of the tree is visited once at most, because a pattern's part fits a path in one way only;
 * so a path cannot make it worse than the rules are, and no path makes it exponential. Within one path pattern, rules
 * of the same host are tried one by one; hosts are not. Regexes are tried one by one, those whose literal beginning
 * does not fit at the cost of comparing it.
 */
#ifndef FG_ROUTER_ROUTER_H
#define FG_ROUTER_ROUTER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "http/headers.h"
#include "http/method.h"
#include "http/uri.h"

struct fg_router;

struct fg_name_value {
	struct fg_str name, value;
};

/* What a route asks of a request. All strings live in the configuration's arena. */
struct fg_route_rule {
	struct fg_str name;            /* of the route; for messages */
	struct fg_str path;            // as configured: "/orders/{id}", "/static/*", "~^/v[0-9]+/"
	const struct fg_str *hosts;    /* lower case: "api.example.com", "*.example.org"; none: any host */
	size_t host_count;
	/* FG_METHODS_ANY when none are listed: any but CONNECT and TRACE. GET brings HEAD with it. */
	fg_method_set methods;
	const struct fg_name_value *headers; /* all must be there with this value; of repeated ones the first counts */
	size_t header_count;
	const struct fg_name_value *query;
	size_t query_count;
	const struct fg_name_value *cookies;
	size_t cookie_count;
	int priority;
	bool merge_slashes;            /* the rule looks at the path with runs of '/' made one */
	void *owner;                   /* what a hit gives back: the route */
};

/* What the path's variables stood for. */
struct fg_capture {
	struct fg_str name;    /* "id"; "rest" for the trailing * */
	size_t start, len;     /* within the match form of the path */
};

struct fg_route_hit {
	const struct fg_route_rule *rule; /* NULL: see allowed */
	struct fg_capture captures[FG_MAX_PATH_CAPTURES];
	size_t capture_count;
	fg_method_set allowed; /* with rule NULL: methods of the rules that match but for the method; 0: none do */
	unsigned regex_limited; /* regexes that came to a limit (base/limits.h) and so did not match; to be counted */
};

struct fg_route_query {
	enum fg_method method;
	struct fg_str method_name;
	struct fg_str host;               /* lower case, no port (fg_host_parse) */
	const struct fg_uri *uri;
	const struct fg_uri *merged_uri;  /* with slashes merged; may be the same object */
	const struct fg_headers *headers;
	/* Of a CORS preflight (Access-Control-Request-Headers): the headers of the request it announces, whose values are not
	   known; conditions on them are taken to hold. */
	struct fg_str announced_headers;
	struct fg_arena *arena;           /* scratch, for a trace alone */
};

/*
 * For `faregate explain`: told once of each rule and of what ruled it out: "path", "host", "method", "header NAME",
 * "query NAME", "cookie NAME", "less specific", or NULL: it was taken. First those that the walk came to, in its order, then the
 * rest ("path").
 */
struct fg_route_trace {
	void (*considered)(void *arg, const struct fg_route_rule *rule, const char *ruled_out_by);
	void *arg;
};

/* Told once for each mistake; other may be NULL. */
typedef void fg_router_error_fn(void *arg, const struct fg_route_rule *rule, const struct fg_route_rule *other,
    const char *message);

/*
 * Syntax of one path pattern, for the configuration to call on each: names no route, only what is wrong.
 * FG_ERR_SYNTAX with a message in the arena.
 */
enum fg_err fg_route_path_check(struct fg_str path, struct fg_arena *arena, struct fg_str *message) FG_MUST_CHECK;

/* The same for one of the hosts: a name in lower case, "*." and a name, or an address. */
enum fg_err fg_route_host_check(struct fg_str host, struct fg_arena *arena, struct fg_str *message) FG_MUST_CHECK;
/* Names that a path captures, for templates that use them: {segment}s, "rest", named groups of a regex. */
enum fg_err fg_route_path_names(struct fg_str path, struct fg_arena *arena, const struct fg_str **names,
    size_t *count) FG_MUST_CHECK;

/*
 * Compiles the rules (borrowed; they outlive the router). FG_ERR_CONFIG after on_error was told of every path that
 * does not parse, every tie and every rule that can never be reached.
 */
enum fg_err fg_router_new(struct fg_router **out, const struct fg_route_rule *const *rules, size_t count,
    struct fg_arena *arena, fg_router_error_fn *on_error, void *arg) FG_MUST_CHECK;
/* Frees what does not lie in the arena (compiled regexes). */
void fg_router_free(struct fg_router *router);
/* All rules, in the order in which they are tried. */
const struct fg_route_rule *const *fg_router_rules(const struct fg_router *router, size_t *count);

/*
 * trace may be NULL. Always fills hit. Allocates nothing, but with a trace from query->arena. One thread at a time: regexes have their
 * scratch memory in the router.
 */
void fg_router_match(const struct fg_router *router, const struct fg_route_query *query, struct fg_route_hit *hit,
    const struct fg_route_trace *trace);

#endif
