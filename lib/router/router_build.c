/*
 * From rules to the tree: each rule compiled, all sorted in the order in which they are tried, and the tree laid out
 * over the sorted row, parents before children.
 */
#include <stdlib.h>

#include "router/router_int.h"

enum { JUMP_FROM = 8 }; /* children from which a table of 256 places pays */

struct builder {
	struct fg_router *router;
	struct fg_arena *arena;
	unsigned next_order;
};

/* ---- rules */

static int
compare_ids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static void
compile_hosts(struct builder *b, struct fg_compiled_rule *compiled)
{
	const struct fg_route_rule *rule = compiled->rule;
	uint32_t *ids = FG_ARENA_ARRAY(b->arena, uint32_t, rule->host_count + 1);
	size_t count = 0;

	for (size_t i = 0; i < rule->host_count; i++)
		ids[i] = fg_host_table_add(&b->router->hosts, rule->hosts[i]);
	qsort(ids, rule->host_count, sizeof(ids[0]), compare_ids);
	for (size_t i = 0; i < rule->host_count; i++)
		if (count == 0 || ids[count - 1] != ids[i])
			ids[count++] = ids[i];
	compiled->hosts = ids;
	compiled->host_count = rule->host_count == 0 ? 1 : count;
}

static fg_method_set
effective_methods(fg_method_set methods)
{
	fg_method_set all = FG_METHOD_BIT(FG_METHOD_OTHER + 1) - 1;

	if (methods == FG_METHODS_ANY)
		return all & ~FG_METHOD_BIT(FG_METHOD_CONNECT) & ~FG_METHOD_BIT(FG_METHOD_TRACE);
	if (methods & FG_METHOD_BIT(FG_METHOD_GET))
		methods |= FG_METHOD_BIT(FG_METHOD_HEAD);
	return methods & all;
}

/* Two values asked of one header (or parameter): no request has both. */
static const struct fg_name_value *
find_contradiction(const struct fg_name_value *conditions, size_t count, bool (*same_name)(struct fg_str, struct fg_str))
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			if (same_name(conditions[i].name, conditions[j].name) &&
			    !fg_str_eq(conditions[i].value, conditions[j].value))
				return &conditions[i];
	return NULL;
}

static bool
is_same_text(struct fg_str a, struct fg_str b)
{
	return fg_str_eq(a, b);
}

/* False with a message when no request can match. */
static bool
check_rule(const struct fg_compiled_rule *compiled, struct fg_arena *arena, struct fg_str *message)
{
	const struct fg_route_rule *rule = compiled->rule;
	const struct fg_name_value *twice;
	const char *where = "header";

	for (size_t i = 0; i < rule->host_count; i++) {
		struct fg_str why;

		if (fg_route_host_check(rule->hosts[i], arena, &why) != FG_OK) {
			*message = fg_arena_printf(arena, "host \"" FG_STR_FMT "\" " FG_STR_FMT,
			    FG_STR_ARG(rule->hosts[i]), FG_STR_ARG(why));
			return false;
		}
	}
	if (rule->merge_slashes && compiled->pattern.has_empty_segment) {
		*message = FG_STR("can never match: its path has \"//\", and it looks at paths with slashes merged");
		return false;
	}
	twice = find_contradiction(rule->headers, rule->header_count, fg_str_ieq);
	if (twice == NULL) {
		where = "query parameter";
		twice = find_contradiction(rule->query, rule->query_count, is_same_text);
	}
	if (twice == NULL) {
		where = "cookie";
		twice = find_contradiction(rule->cookies, rule->cookie_count, is_same_text);
	}
	if (twice != NULL)
		*message = fg_arena_printf(arena, "can never match: it asks two values of the %s \"" FG_STR_FMT "\"",
		    where, FG_STR_ARG(twice->name));
	return twice == NULL;
}

static bool
compile_rule(struct builder *b, struct fg_compiled_rule *compiled, const struct fg_route_rule *rule,
    struct fg_str *message)
{
	enum fg_header_id *ids = FG_ARENA_ARRAY(b->arena, enum fg_header_id, rule->header_count);
	struct fg_str why;

	compiled->rule = rule;
	if (fg_pattern_parse(&compiled->pattern, rule->path, b->arena, &why) != FG_OK) {
		*message = fg_arena_printf(b->arena, "path \"" FG_STR_FMT "\" " FG_STR_FMT, FG_STR_ARG(rule->path),
		    FG_STR_ARG(why));
		return false;
	}
	if (!check_rule(compiled, b->arena, message))
		return false;
	for (size_t i = 0; i < rule->header_count; i++)
		ids[i] = fg_header_id(rule->headers[i].name);
	compiled->header_ids = ids;
	compiled->methods = effective_methods(rule->methods);
	compiled->conditions =
	    rule->header_count + rule->query_count + rule->cookie_count + (rule->methods != FG_METHODS_ANY);
	compile_hosts(b, compiled);
	b->router->kinds |= rule->merge_slashes ? FG_KIND_MERGING : FG_KIND_PLAIN;
	return true;
}

/* ---- order */

static int
compare_tokens(const struct fg_pattern *a, const struct fg_pattern *b)
{
	size_t n = a->token_count < b->token_count ? a->token_count : b->token_count;

	if ((a->regex == NULL) != (b->regex == NULL))
		return a->regex == NULL ? -1 : 1;
	for (size_t i = 0; i < n; i++)
		if (a->tokens[i] != b->tokens[i])
			return a->tokens[i] < b->tokens[i] ? -1 : 1;
	return a->token_count < b->token_count ? -1 : a->token_count > b->token_count;
}

/* For rules of different hosts: exact ones, then wildcards from the longest, then none. */
static size_t
host_rank(const struct fg_route_rule *rule)
{
	size_t best = 0;

	for (size_t i = 0; i < rule->host_count; i++) {
		size_t rank = rule->hosts[i].p[0] == '*' ? rule->hosts[i].len : SIZE_MAX;

		if (rank > best)
			best = rank;
	}
	return best;
}

/* Ranks 3 and 4, then the order of the file: no two are equal. */
static int
compare_in_group(const struct fg_compiled_rule *a, const struct fg_compiled_rule *b)
{
	if (a->conditions != b->conditions)
		return a->conditions > b->conditions ? -1 : 1;
	if (a->rule->priority != b->rule->priority)
		return a->rule->priority > b->rule->priority ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int
compare_rules(const void *left, const void *right)
{
	const struct fg_compiled_rule *a = *(const struct fg_compiled_rule *const *)left;
	const struct fg_compiled_rule *b = *(const struct fg_compiled_rule *const *)right;
	int order = compare_tokens(&a->pattern, &b->pattern);
	size_t a_host, b_host;

	if (order != 0)
		return order;
	a_host = host_rank(a->rule);
	b_host = host_rank(b->rule);
	if (a_host != b_host)
		return a_host > b_host ? -1 : 1;
	return compare_in_group(a, b);
}

/* ---- sets of rules */

struct entry {
	uint32_t host;
	const struct fg_compiled_rule *rule;
};

static int
compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->host != b->host)
		return a->host < b->host ? -1 : 1;
	return compare_in_group(a->rule, b->rule);
}

static struct fg_rule_set *
new_set(struct builder *b, const struct fg_compiled_rule **rules, size_t count)
{
	struct fg_rule_set *set = FG_ARENA_NEW(b->arena, struct fg_rule_set);
	const struct fg_compiled_rule **row;
	struct entry *entries;
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += rules[i]->host_count;
	entries = calloc(n, sizeof(entries[0]));
	FG_ASSERT(entries != NULL);
	n = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < rules[i]->host_count; k++)
			entries[n++] = (struct entry){rules[i]->hosts[k], rules[i]};
	qsort(entries, n, sizeof(entries[0]), compare_entries);
	for (size_t i = 0; i < n; i++)
		set->group_count += i == 0 || entries[i].host != entries[i - 1].host;
	set->groups = FG_ARENA_ARRAY(b->arena, struct fg_rule_group, set->group_count);
	row = FG_ARENA_ARRAY(b->arena, const struct fg_compiled_rule *, n);
	for (size_t i = 0, group = 0; i < n; i++) {
		row[i] = entries[i].rule;
		if (i > 0 && entries[i].host != entries[i - 1].host)
			group++;
		if (set->groups[group].count++ == 0) {
			set->groups[group].host = entries[i].host;
			set->groups[group].rules = &row[i];
		}
	}
	free(entries);
	set->order = b->next_order++;
	set->next = b->router->sets;
	b->router->sets = set;
	return set;
}

/* ---- tree */

static void fill_node(struct builder *b, struct fg_router_node *node, const struct fg_compiled_rule **rules,
    size_t count, size_t depth);

/* How many of the rules, which all begin alike, have a token below limit at that depth. */
static size_t
count_below(const struct fg_compiled_rule **rules, size_t count, size_t depth, unsigned limit)
{
	size_t n = 0;

	while (n < count && rules[n]->pattern.tokens[depth] < limit)
		n++;
	return n;
}

/* Length of the literal that all of them, sorted, have from depth on. */
static size_t
common_run(const struct fg_compiled_rule **rules, size_t count, size_t depth)
{
	const struct fg_pattern *first = &rules[0]->pattern, *last = &rules[count - 1]->pattern;
	size_t end = depth;

	while (end < first->token_count && end < last->token_count && first->tokens[end] == last->tokens[end] &&
	    first->tokens[end] < FG_TOKEN_PARAM)
		end++;
	/* Where "/" and the rest follow, the node before that slash has to exist, for its tail. */
	if (end - depth > 1 && last->tokens[end - 1] == '/' && end + 1 == last->token_count &&
	    last->tokens[end] == FG_TOKEN_REST)
		end--;
	return end - depth;
}

static void
fill_child(struct builder *b, struct fg_router_node *node, struct fg_router_node *child,
    const struct fg_compiled_rule **rules, size_t count, size_t depth)
{
	size_t run = common_run(rules, count, depth);
	char *label = fg_arena_alloc(b->arena, run);

	for (size_t i = 0; i < run; i++)
		label[i] = (char)rules[0]->pattern.tokens[depth + i];
	child->label = (struct fg_str){label, run};
	child->parent = node;
	fill_node(b, child, rules, count, depth + run);
	if (run == 1 && label[0] == '/')
		node->tail = child->rest;
}

static void
add_children(struct builder *b, struct fg_router_node *node, const struct fg_compiled_rule **rules, size_t count,
    size_t depth)
{
	uint16_t *jump = NULL;
	uint8_t *first;
	size_t children = 0;

	for (size_t i = 0; i < count; i += count_below(rules + i, count - i, depth, rules[i]->pattern.tokens[depth] + 1u))
		children++;
	if (children == 0)
		return;
	node->child_count = (uint16_t)children;
	node->children = FG_ARENA_ARRAY(b->arena, struct fg_router_node, children);
	node->first = first = FG_ARENA_ARRAY(b->arena, uint8_t, children);
	if (children >= JUMP_FROM)
		node->jump = jump = FG_ARENA_ARRAY(b->arena, uint16_t, 256);
	for (size_t i = 0, child = 0, n; i < count; i += n, child++) {
		unsigned byte = rules[i]->pattern.tokens[depth];

		n = count_below(rules + i, count - i, depth, byte + 1);
		first[child] = (uint8_t)byte;
		if (jump != NULL)
			jump[byte] = (uint16_t)(child + 1);
		fill_child(b, node, &node->children[child], rules + i, n, depth);
	}
}

/* The rules are sorted and begin alike for depth tokens, those that the path to the node has. */
static void
fill_node(struct builder *b, struct fg_router_node *node, const struct fg_compiled_rule **rules, size_t count,
    size_t depth)
{
	size_t n = 0;

	while (n < count && rules[n]->pattern.token_count == depth)
		n++;
	if (n > 0)
		node->exact = new_set(b, rules, n);
	rules += n;
	count -= n;
	n = count_below(rules, count, depth, FG_TOKEN_PARAM);
	add_children(b, node, rules, n, depth);
	rules += n;
	count -= n;
	n = count_below(rules, count, depth, FG_TOKEN_REST);
	if (n > 0) {
		node->param = FG_ARENA_NEW(b->arena, struct fg_router_node);
		node->param->parent = node;
		node->param->is_param = true;
		fill_node(b, node->param, rules, n, depth + 1);
	}
	if (count > n)
		node->rest = new_set(b, rules + n, count - n);
}

static void
build_tree(struct builder *b)
{
	struct fg_router *router = b->router;
	size_t in_tree = 0;

	router->sorted = FG_ARENA_ARRAY(b->arena, const struct fg_compiled_rule *, router->rule_count);
	router->sorted_rules = FG_ARENA_ARRAY(b->arena, const struct fg_route_rule *, router->rule_count);
	for (size_t i = 0; i < router->rule_count; i++)
		router->sorted[i] = &router->rules[i];
	qsort(router->sorted, router->rule_count, sizeof(router->sorted[0]), compare_rules);
	for (size_t i = 0; i < router->rule_count; i++) {
		router->sorted_rules[i] = router->sorted[i]->rule;
		in_tree += router->sorted[i]->pattern.regex == NULL;
	}
	fill_node(b, &router->root, router->sorted, in_tree, 0);
	if (in_tree < router->rule_count)
		router->regexes = new_set(b, router->sorted + in_tree, router->rule_count - in_tree);
}

/* ---- the whole */

enum fg_err
fg_router_new(struct fg_router **out, const struct fg_route_rule *const *rules, size_t count, struct fg_arena *arena,
    fg_router_error_fn *on_error, void *arg)
{
	struct fg_router *router = FG_ARENA_NEW(arena, struct fg_router);
	struct builder b = {router, arena, 0};
	size_t errors = 0, host_count = 0;

	*out = NULL;
	router->rules = FG_ARENA_ARRAY(arena, struct fg_compiled_rule, count);
	router->rule_count = count;
	for (size_t i = 0; i < count; i++)
		host_count += rules[i]->host_count;
	fg_host_table_init(&router->hosts, host_count, arena);
	for (size_t i = 0; i < count; i++) {
		struct fg_str message;

		router->rules[i].index = (unsigned)i;
		if (!compile_rule(&b, &router->rules[i], rules[i], &message)) {
			on_error(arg, rules[i], NULL, fg_arena_cstr(arena, message));
			errors++;
		}
	}
	if (errors == 0) {
		build_tree(&b);
		errors = fg_router_check(router, arena, on_error, arg);
	}
	if (errors > 0) {
		fg_router_free(router);
		return FG_ERR_CONFIG;
	}
	*out = router;
	return FG_OK;
}

void
fg_router_free(struct fg_router *router)
{
	if (router == NULL)
		return;
	for (size_t i = 0; i < router->rule_count; i++)
		fg_regex_free(router->rules[i].pattern.regex);
}

const struct fg_route_rule *const *
fg_router_rules(const struct fg_router *router, size_t *count)
{
	*count = router->rule_count;
	return router->sorted_rules;
}
