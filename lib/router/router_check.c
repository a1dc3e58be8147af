/*
 * What makes a set of rules a mistake: two that could tie for a request, and one whose requests are all taken by others
 * that come before it. Only rules of the same path pattern and the same host can be so related (but for a regex behind
 * a '*'), so the work grows with the largest of those groups and not with the square of all rules.
 */
#include <stdlib.h>

#include "router/router_int.h"

struct checker {
	const struct fg_router *router;
	struct fg_arena *arena;
	fg_router_error_fn *on_error;
	void *arg;
	size_t told;
	bool *tied;         /* by index of the rule: told of already */
	size_t *unreachable_hosts; /* by index of the rule: on how many of its hosts nothing is left for it */
	const struct fg_compiled_rule **taken_by; /* by index of the rule: the last that took something from it */
};

/*
 * One condition of a rule that, if another of the same name and another value stands in the other rule, keeps the two
 * apart. Sorting by it finds most such pairs without comparing all.
 */
struct mark {
	bool is_query;
	struct fg_str name, value; /* name empty: the rule asks for no header and no query parameter */
};

struct member {
	const struct fg_compiled_rule *rule;
	struct mark mark;
};

static int
compare_names(struct fg_str a, struct fg_str b)
{
	size_t n = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < n; i++)
		if (fg_ascii_lower(a.p[i]) != fg_ascii_lower(b.p[i]))
			return fg_ascii_lower(a.p[i]) < fg_ascii_lower(b.p[i]) ? -1 : 1;
	return a.len < b.len ? -1 : a.len > b.len;
}

static struct mark
mark_of(const struct fg_route_rule *rule)
{
	struct mark mark = {.is_query = rule->header_count == 0};
	const struct fg_name_value *conditions = mark.is_query ? rule->query : rule->headers;
	size_t count = mark.is_query ? rule->query_count : rule->header_count;

	for (size_t i = 0; i < count; i++) {
		int order = i == 0 ? -1
		    : mark.is_query ? fg_str_cmp(conditions[i].name, mark.name)
				    : compare_names(conditions[i].name, mark.name);

		if (order < 0) {
			mark.name = conditions[i].name;
			mark.value = conditions[i].value;
		}
	}
	return mark;
}

static bool
is_same_name(const struct mark *a, const struct mark *b)
{
	return a->is_query == b->is_query &&
	    (a->is_query ? fg_str_eq(a->name, b->name) : fg_str_ieq(a->name, b->name));
}

static int
compare_members(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int order = fg_str_cmp(a->rule->pattern.prefix, b->rule->pattern.prefix);

	if (order == 0)
		order = a->mark.is_query - b->mark.is_query;
	if (order == 0)
		order = a->mark.is_query ? fg_str_cmp(a->mark.name, b->mark.name)
					 : compare_names(a->mark.name, b->mark.name);
	if (order == 0)
		order = fg_str_cmp(a->mark.value, b->mark.value);
	if (order == 0)
		order = a->rule->index < b->rule->index ? -1 : 1;
	return order;
}

/* ---- ties */

static bool
has_contradiction(const struct fg_name_value *a, size_t a_count, const struct fg_name_value *b, size_t b_count,
    bool is_header)
{
	for (size_t i = 0; i < a_count; i++)
		for (size_t k = 0; k < b_count; k++)
			if ((is_header ? fg_str_ieq(a[i].name, b[k].name) : fg_str_eq(a[i].name, b[k].name)) &&
			    !fg_str_eq(a[i].value, b[k].value))
				return true;
	return false;
}

static bool
can_tie(const struct fg_compiled_rule *a, const struct fg_compiled_rule *b)
{
	const struct fg_route_rule *x = a->rule, *y = b->rule;

	return (a->methods & b->methods) != 0 &&
	    !has_contradiction(x->headers, x->header_count, y->headers, y->header_count, true) &&
	    !has_contradiction(x->query, x->query_count, y->query, y->query_count, false) &&
	    !has_contradiction(x->cookies, x->cookie_count, y->cookies, y->cookie_count, false);
}

static void
tell_tie(struct checker *c, const struct fg_compiled_rule *a, const struct fg_compiled_rule *b)
{
	const struct fg_compiled_rule *later = a->index > b->index ? a : b, *earlier = later == a ? b : a;
	struct fg_str message;

	if (c->tied[later->index])
		return;
	c->tied[later->index] = true;
	message = fg_arena_printf(c->arena,
	    "could tie with route \"" FG_STR_FMT "\": %s, and nothing in host, methods, headers, query or cookies decides "
	    "between them; give one a higher priority",
	    FG_STR_ARG(earlier->rule->name),
	    later->pattern.regex != NULL ? "both regexes may match the same path" : "their paths are equally specific");
	c->on_error(c->arg, later->rule, earlier->rule, message.p);
	c->told++;
}

/* Rules of one path pattern, host, number of conditions and priority; sorted by compare_members(). */
static void
check_ties(struct checker *c, const struct member *members, size_t count)
{
	size_t *next_name = calloc(count, sizeof(*next_name)); /* where the members with another mark's name begin */

	FG_ASSERT(next_name != NULL);
	for (size_t i = count; i-- > 0;) {
		bool is_last = i + 1 == count ||
		    !fg_str_eq(members[i].rule->pattern.prefix, members[i + 1].rule->pattern.prefix) ||
		    !is_same_name(&members[i].mark, &members[i + 1].mark);

		next_name[i] = is_last ? i + 1 : next_name[i + 1];
	}
	for (size_t i = 0; i < count; i++) {
		const struct member *a = &members[i];

		for (size_t k = i + 1; k < count;) {
			const struct member *b = &members[k];

			/* Sorted by prefix: those that go on from it come right behind it. */
			if (!fg_str_starts_with(b->rule->pattern.prefix, a->rule->pattern.prefix))
				break;
			if (a->mark.name.len > 0 && is_same_name(&a->mark, &b->mark) &&
			    !fg_str_eq(a->mark.value, b->mark.value)) {
				/* All that follow with this name have still other values, or a's again. */
				k = k < next_name[i] ? next_name[i] : k + 1;
				continue;
			}
			if (can_tie(a->rule, b->rule))
				tell_tie(c, a->rule, b->rule);
			k++;
		}
	}
	free(next_name);
}

/* ---- rules out of reach */

static bool
has_all_of(const struct fg_name_value *conditions, size_t count, const struct fg_name_value *asked, size_t asked_count,
    bool is_header)
{
	for (size_t i = 0; i < asked_count; i++) {
		bool found = false;

		for (size_t k = 0; k < count && !found; k++)
			found = (is_header ? fg_str_ieq(conditions[k].name, asked[i].name)
					   : fg_str_eq(conditions[k].name, asked[i].name)) &&
			    fg_str_eq(conditions[k].value, asked[i].value);
		if (!found)
			return false;
	}
	return true;
}

/* Whether every request that meets b's headers, query and cookies meets a's too. */
static bool
is_implied(const struct fg_route_rule *a, const struct fg_route_rule *b)
{
	return has_all_of(b->headers, b->header_count, a->headers, a->header_count, true) &&
	    has_all_of(b->query, b->query_count, a->query, a->query_count, false) &&
	    has_all_of(b->cookies, b->cookie_count, a->cookies, a->cookie_count, false) &&
	    a->merge_slashes == b->merge_slashes;
}

/* What is left of the methods for b once the rules of the group have taken theirs. */
static fg_method_set
take_by_group(struct checker *c, const struct fg_rule_group *group, const struct fg_compiled_rule *b, fg_method_set left)
{
	for (uint32_t i = 0; i < group->count && left != 0; i++) {
		const struct fg_compiled_rule *a = group->rules[i];

		if ((a->methods & left) == 0 || !is_implied(a->rule, b->rule))
			continue;
		left &= ~a->methods;
		c->taken_by[b->index] = a;
	}
	return left;
}

/* The same for a regex, once every "literal*" has taken its part that it is sure to begin with. */
static fg_method_set
take_by_tree(struct checker *c, const struct fg_compiled_rule *b, const struct fg_host_ids *hosts, fg_method_set left)
{
	struct fg_str prefix = b->pattern.prefix.len == 0 ? FG_STR("/") : b->pattern.prefix;
	const struct fg_router_node *node = &c->router->root, *next;

	for (size_t at = 0;; at += next->label.len, node = next) {
		for (size_t i = 0; node->rest != NULL && i < hosts->count; i++) {
			const struct fg_rule_group *group = fg_rule_set_group(node->rest, hosts->v[i]);

			if (group != NULL)
				left = take_by_group(c, group, b, left);
		}
		next = NULL;
		for (size_t i = 0; i < node->child_count && next == NULL; i++)
			if (fg_str_starts_with(fg_str_slice(prefix, at, prefix.len), node->children[i].label))
				next = &node->children[i];
		if (next == NULL || left == 0)
			return left;
	}
}

static void
count_unreachable(struct checker *c, const struct fg_compiled_rule *rule, fg_method_set left)
{
	const struct fg_compiled_rule *by = c->taken_by[rule->index];

	if (left != 0 || by == NULL || ++c->unreachable_hosts[rule->index] < rule->host_count)
		return;
	c->on_error(c->arg, rule->rule, by->rule,
	    fg_arena_printf(c->arena,
		"can never be reached: all its requests are taken by route \"" FG_STR_FMT "\"%s; remove one of them, or "
		"change the path, a condition or the priority",
		FG_STR_ARG(by->rule->name), (by->methods & rule->methods) != rule->methods ? " and others" : "")
		.p);
	c->told++;
}

/*
 * Within a group only rules of the same conditions and a higher priority can take all of another's: with more
 * conditions they take less. The members have one mark and one number of conditions.
 */
static void
check_reach_in_group(struct checker *c, struct member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct fg_compiled_rule *b = members[i].rule;
		fg_method_set left = b->methods;

		for (size_t k = 0; k < count && left != 0; k++) {
			const struct fg_compiled_rule *a = members[k].rule;

			if (a->rule->priority <= b->rule->priority || !is_implied(a->rule, b->rule))
				continue;
			left &= ~a->methods;
			c->taken_by[b->index] = a;
		}
		count_unreachable(c, b, left);
	}
}

/* The same once equal regexes that come before it have taken theirs. */
static fg_method_set
take_by_twins(struct checker *c, const struct fg_compiled_rule *b, uint32_t host, fg_method_set left)
{
	const struct fg_rule_group *group = fg_rule_set_group(c->router->regexes, host);

	for (uint32_t i = 0; group->rules[i] != b && left != 0; i++) {
		const struct fg_compiled_rule *a = group->rules[i];

		if (!fg_str_eq(a->pattern.text, b->pattern.text) || !is_implied(a->rule, b->rule) ||
		    (a->conditions == b->conditions && a->rule->priority == b->rule->priority)) /* a tie */
			continue;
		left &= ~a->methods;
		c->taken_by[b->index] = a;
	}
	return left;
}

static void
check_regex_reach(struct checker *c, const struct fg_compiled_rule *rule)
{
	for (size_t i = 0; i < rule->rule->host_count || i == 0; i++) {
		struct fg_str host = rule->rule->host_count == 0 ? FG_STR_NONE : rule->rule->hosts[i];
		struct fg_host_ids ids;

		if (host.len > 0 && host.p[0] == '*')
			host = fg_str_slice(host, 1, host.len);
		fg_host_table_resolve(&c->router->hosts, host, &ids);
		/* The first id is the rule's own. */
		count_unreachable(c, rule, take_by_twins(c, rule, ids.v[0], take_by_tree(c, rule, &ids, rule->methods)));
	}
}

/* ---- groups */

/* Rules of one number of conditions: one that looks for ties needs those of one priority, one for reach all. */
static void
check_class(struct checker *c, const struct fg_compiled_rule **rules, size_t count)
{
	struct member *members = calloc(count, sizeof(*members));

	FG_ASSERT(members != NULL);
	for (size_t i = 0; i < count; i++)
		members[i] = (struct member){rules[i], mark_of(rules[i]->rule)};
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from; to < count && rules[to]->rule->priority == rules[from]->rule->priority; to++)
			;
		qsort(members + from, to - from, sizeof(*members), compare_members);
		check_ties(c, members + from, to - from);
	}
	if (rules[0]->pattern.regex == NULL && rules[0]->rule->priority != rules[count - 1]->rule->priority) {
		qsort(members, count, sizeof(*members), compare_members);
		for (size_t from = 0, to; from < count; from = to) {
			for (to = from + 1; to < count && is_same_name(&members[to].mark, &members[from].mark) &&
			     fg_str_eq(members[to].mark.value, members[from].mark.value);
			     to++)
				;
			check_reach_in_group(c, members + from, to - from);
		}
	}
	free(members);
}

size_t
fg_router_check(const struct fg_router *router, struct fg_arena *arena, fg_router_error_fn *on_error, void *arg)
{
	struct checker c = {router, arena, on_error, arg, 0, FG_ARENA_ARRAY(arena, bool, router->rule_count),
	    FG_ARENA_ARRAY(arena, size_t, router->rule_count),
	    FG_ARENA_ARRAY(arena, const struct fg_compiled_rule *, router->rule_count)};

	for (const struct fg_rule_set *set = router->sets; set != NULL; set = set->next) {
		for (size_t i = 0; i < set->group_count; i++) {
			const struct fg_rule_group *group = &set->groups[i];

			for (size_t from = 0, to; from < group->count; from = to) {
				for (to = from; to < group->count &&
				     group->rules[to]->conditions == group->rules[from]->conditions; to++)
					;
				check_class(&c, group->rules + from, to - from);
			}
		}
	}
	for (size_t i = 0; i < router->rule_count; i++)
		if (router->rules[i].pattern.regex != NULL)
			check_regex_reach(&c, &router->rules[i]);
	return c.told;
}
