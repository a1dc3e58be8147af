/*
 * Between the files that make up the router: router_pattern.c (one path), router_regex.c (PCRE2), router_hosts.c,
 * router_build.c (the tree), router_check.c (ties, rules out of reach), router_match.c (the walk). Nobody else includes
 * this.
 */
#ifndef FG_ROUTER_ROUTER_INT_H
#define FG_ROUTER_ROUTER_INT_H

#include "router/router.h"

struct fg_regex;

/* A path pattern is a row of tokens: bytes, and these. They sort in the order in which they are tried. */
enum { FG_TOKEN_PARAM = 256, FG_TOKEN_REST = 257 };

struct fg_pattern {
	struct fg_str text;          /* as configured */
	const uint16_t *tokens;      /* none for a regex */
	size_t token_count;
	size_t literal_len;          /* tokens before the first that is no byte */
	const struct fg_str *names;  /* of the captures, in order */
	size_t name_count;
	bool has_empty_segment;
	struct fg_regex *regex;      /* owned; NULL: none */
	struct fg_str prefix;        /* of a regex: how every path it matches begins; may be empty */
};

static inline bool
fg_pattern_is_exact(const struct fg_pattern *pattern)
{
	return pattern->regex == NULL && pattern->literal_len == pattern->token_count;
}

struct fg_compiled_rule {
	const struct fg_route_rule *rule;
	struct fg_pattern pattern;
	fg_method_set methods;          /* all that it takes */
	const enum fg_header_id *header_ids;
	const uint32_t *hosts;          /* ids, ascending, each once; the one id 0: any host */
	size_t host_count;
	size_t conditions;              /* rank 3 */
	unsigned index;                 /* in the order of the configuration */
};

/* The rules of one host on one path, in the order of their ranks 3 and 4. */
struct fg_rule_group {
	uint32_t host;
	uint32_t count;
	const struct fg_compiled_rule **rules;
};

/* The rules of one path pattern, or all regexes. */
struct fg_rule_set {
	struct fg_rule_group *groups; /* by host id */
	size_t group_count;
	unsigned order;               /* in which sets are tried */
	struct fg_rule_set *next;     /* all of the router */
};

struct fg_router_node {
	struct fg_str label;             /* what it adds to its parent's path; empty: root, {segment} */
	struct fg_router_node *parent;
	struct fg_router_node *children; /* by the first byte of their labels */
	const uint8_t *first;            /* those bytes, ascending */
	const uint16_t *jump;            /* of many children: place + 1 for each byte; else NULL */
	uint16_t child_count;
	bool is_param;
	struct fg_router_node *param;    /* {segment} from here; only behind a '/' */
	const struct fg_rule_set *exact; /* the path ends here */
	const struct fg_rule_set *tail;  /* it ends here, and the pattern goes on with "/" and the rest */
	const struct fg_rule_set *rest;  /* the pattern's '*' is here */
};

/* Host names to ids, 1 and up. A wildcard is kept without its '*': ".example.org". */
struct fg_host_table {
	struct fg_str *names; /* open addressing; an empty name: a free place */
	uint32_t *ids;
	size_t mask;
	uint32_t count;
	bool has_wildcards;
};

/* The applicable ids of one host, in the order of rank 2: itself, wildcards from the longest, 0. */
enum { FG_MAX_HOST_IDS = 130 };
struct fg_host_ids {
	uint32_t v[FG_MAX_HOST_IDS];
	size_t count;
};

enum { FG_KIND_PLAIN = 1, FG_KIND_MERGING = 2 }; /* by merge_slashes */

struct fg_router {
	struct fg_compiled_rule *rules; /* by index */
	size_t rule_count;
	const struct fg_compiled_rule **sorted; /* as they are tried */
	const struct fg_route_rule **sorted_rules;
	struct fg_router_node root;
	struct fg_rule_set *regexes; /* NULL: none */
	struct fg_rule_set *sets;    /* all, regexes too */
	struct fg_host_table hosts;
	unsigned kinds;
};

/* ---- router_pattern.c */

/* FG_ERR_SYNTAX with a message. A regex is to be freed. */
enum fg_err fg_pattern_parse(struct fg_pattern *pattern, struct fg_str text, struct fg_arena *arena,
    struct fg_str *message) FG_MUST_CHECK;

/* ---- router_regex.c */

enum fg_regex_outcome { FG_REGEX_NO, FG_REGEX_YES, FG_REGEX_LIMIT };

/* Sets regex, names, prefix. text: without the '~'. */
enum fg_err fg_regex_parse(struct fg_pattern *pattern, struct fg_str text, struct fg_arena *arena,
    struct fg_str *message) FG_MUST_CHECK;
void fg_regex_free(struct fg_regex *regex);
/* Fills the captures of hit on FG_REGEX_YES. */
enum fg_regex_outcome fg_regex_match(const struct fg_pattern *pattern, struct fg_str path, struct fg_route_hit *hit);

/* ---- router_hosts.c */

/* count: at most so many will be added. */
void fg_host_table_init(struct fg_host_table *hosts, size_t count, struct fg_arena *arena);
/* Its id. The host, perhaps a wildcard, is borrowed. */
uint32_t fg_host_table_add(struct fg_host_table *hosts, struct fg_str host);
/* host: lower case; or a wildcard's ".example.org", which then counts itself first. */
void fg_host_table_resolve(const struct fg_host_table *hosts, struct fg_str host, struct fg_host_ids *ids);
/* NULL when no rule of the set is for it. */
const struct fg_rule_group *fg_rule_set_group(const struct fg_rule_set *set, uint32_t host);

/* ---- router_check.c */

/* Ties and rules that cannot be reached; how many were told. */
size_t fg_router_check(const struct fg_router *router, struct fg_arena *arena, fg_router_error_fn *on_error, void *arg);

#endif
