/*
 * The walk from the root to the rule. It goes down along the most specific alternative and comes back up for the
 * next one; a node knows its parent and how much of the path it stands for, so no stack is needed and none can overflow.
 */
#include "router/router_int.h"

/* What a match knows of the request while it walks. */
struct match {
	const struct fg_router *router;
	const struct fg_route_query *query;
	struct fg_str path;  /* what this walk looks at */
	unsigned kinds;      /* of rules that look at it: FG_KIND_… */
	struct fg_host_ids hosts;
	bool hosts_known;

	struct fg_route_hit *hit; /* allowed, regex_limited; captures of a regex */
	struct { size_t start, end; } parts[FG_MAX_PATH_CAPTURES]; /* what {segment}s and '*' stand for down to the node */
	size_t part_count;

	/* found; rule NULL: nothing yet */
	const struct fg_compiled_rule *rule;
	const struct fg_rule_set *set;
	size_t host_rank;

	struct teller *teller; /* NULL but for `faregate explain` */
};

struct teller {
	const struct fg_route_trace *trace;
	const struct fg_compiled_rule *taken; /* NULL: none was */
	bool *told;                           /* by index of the rule */
};

static const struct fg_host_ids *
hosts_of(struct match *m)
{
	if (!m->hosts_known)
		fg_host_table_resolve(&m->router->hosts, m->query->host, &m->hosts);
	m->hosts_known = true;
	return &m->hosts;
}

static const struct fg_header *
find_header(const struct fg_headers *headers, enum fg_header_id id, struct fg_str name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (headers->v[i].id == id && (id != FG_HDR_UNKNOWN || fg_str_ieq(headers->v[i].name, name)))
			return &headers->v[i];
	return NULL;
}

static bool
is_announced(struct fg_str list, struct fg_str name)
{
	struct fg_str item;

	while (fg_str_next(&list, ',', &item))
		if (fg_str_ieq(fg_str_trim(item), name))
			return true;
	return false;
}

/* The first header condition that does not hold; NULL: all do. */
static const struct fg_name_value *
failed_header(const struct match *m, const struct fg_compiled_rule *rule)
{
	for (size_t i = 0; i < rule->rule->header_count; i++) {
		const struct fg_name_value *wanted = &rule->rule->headers[i];
		const struct fg_header *header = find_header(m->query->headers, rule->header_ids[i], wanted->name);

		if (header == NULL ? !is_announced(m->query->announced_headers, wanted->name)
				   : !fg_str_eq(header->value, wanted->value))
			return wanted;
	}
	return NULL;
}

static const struct fg_name_value *
failed_query(const struct match *m, const struct fg_compiled_rule *rule)
{
	for (size_t i = 0; i < rule->rule->query_count; i++) {
		const struct fg_name_value *wanted = &rule->rule->query[i];

		if (!fg_query_is(m->query->uri->query, wanted->name, wanted->value))
			return wanted;
	}
	return NULL;
}

static const struct fg_name_value *
failed_cookie(const struct match *m, const struct fg_compiled_rule *rule)
{
	for (size_t i = 0; i < rule->rule->cookie_count; i++) {
		const struct fg_name_value *wanted = &rule->rule->cookies[i];
		struct fg_str value;

		if (!fg_headers_cookie(m->query->headers, wanted->name, &value) || !fg_str_eq(value, wanted->value))
			return wanted;
	}
	return NULL;
}

static bool
takes_method(const struct match *m, const struct fg_compiled_rule *rule)
{
	return (rule->methods & FG_METHOD_BIT(m->query->method)) != 0;
}

/* Whether the rule looks at this walk's path at all, and, if it is a regex, finds itself in it. */
static bool
takes_path(struct match *m, const struct fg_compiled_rule *rule)
{
	enum fg_regex_outcome outcome;

	if (!(m->kinds & (rule->rule->merge_slashes ? FG_KIND_MERGING : FG_KIND_PLAIN)))
		return false;
	if (rule->pattern.regex == NULL)
		return true;
	outcome = fg_regex_match(&rule->pattern, m->path, m->hit);
	m->hit->regex_limited += outcome == FG_REGEX_LIMIT;
	return outcome == FG_REGEX_YES;
}

static bool
try_group(struct match *m, const struct fg_rule_set *set, const struct fg_rule_group *group, size_t host_rank)
{
	for (uint32_t i = 0; i < group->count; i++) {
		const struct fg_compiled_rule *rule = group->rules[i];

		if (!takes_path(m, rule) || failed_header(m, rule) != NULL || failed_query(m, rule) != NULL ||
		    failed_cookie(m, rule) != NULL)
			continue;
		if (!takes_method(m, rule)) {
			m->hit->allowed |= rule->methods;
			continue;
		}
		m->rule = rule;
		m->set = set;
		m->host_rank = host_rank;
		return true;
	}
	return false;
}

/* What to do with a set of rules whose path matches; true ends the walk. */
typedef bool visit_fn(struct match *m, const struct fg_rule_set *set);

static bool
visit_to_match(struct match *m, const struct fg_rule_set *set)
{
	const struct fg_host_ids *hosts;

	if (set->group_count == 1 && set->groups[0].host == 0)
		return try_group(m, set, &set->groups[0], 0);
	hosts = hosts_of(m);
	for (size_t i = 0; i < hosts->count; i++) {
		const struct fg_rule_group *group = fg_rule_set_group(set, hosts->v[i]);

		if (group != NULL && try_group(m, set, group, hosts->count - i))
			return true;
	}
	return false;
}

static const struct fg_router_node *
find_child(const struct fg_router_node *node, struct fg_str path, size_t at)
{
	const struct fg_router_node *child;
	unsigned char byte = (unsigned char)path.p[at];

	if (node->jump != NULL) {
		if (node->jump[byte] == 0)
			return NULL;
		child = &node->children[node->jump[byte] - 1];
	} else {
		unsigned i = 0;

		while (i < node->child_count && node->first[i] != byte)
			i++;
		if (i == node->child_count)
			return NULL;
		child = &node->children[i];
	}
	if (child->label.len > path.len - at || memcmp(child->label.p, path.p + at, child->label.len) != 0)
		return NULL;
	return child;
}

/* The set, with the path from `at` on as its '*'. */
static bool
visit_rest(struct match *m, const struct fg_rule_set *set, size_t at, visit_fn *visit)
{
	if (set == NULL)
		return false;
	m->parts[m->part_count].start = at;
	m->parts[m->part_count].end = m->path.len;
	m->part_count++;
	if (visit(m, set))
		return true;
	m->part_count--;
	return false;
}

/* The most specific set first; until visit says true. */
static void
walk(struct match *m, visit_fn *visit)
{
	enum { FROM_PARENT, FROM_CHILD, FROM_PARAM } from = FROM_PARENT;
	const struct fg_router_node *node = &m->router->root, *next;
	size_t at = 0;

	for (;;) {
		if (from == FROM_PARENT && at == m->path.len) {
			if (node->exact != NULL && visit(m, node->exact))
				return;
			if (visit_rest(m, node->tail, at, visit))
				return;
		} else if (from == FROM_PARENT && (next = find_child(node, m->path, at)) != NULL) {
			at += next->label.len;
			node = next;
			continue;
		}
		if (from != FROM_PARAM && node->param != NULL && at < m->path.len && m->path.p[at] != '/') {
			m->parts[m->part_count].start = at;
			at += fg_str_find(fg_str_slice(m->path, at, m->path.len), '/');
			m->parts[m->part_count++].end = at;
			node = node->param;
			from = FROM_PARENT;
			continue;
		}
		if (visit_rest(m, node->rest, at, visit) || node->parent == NULL)
			return;
		if (node->is_param) {
			at = m->parts[--m->part_count].start;
			from = FROM_PARAM;
		} else {
			at -= node->label.len;
			from = FROM_CHILD;
		}
		node = node->parent;
	}
}

static void
find_rule(struct match *m)
{
	walk(m, visit_to_match);
	if (m->rule == NULL && m->router->regexes != NULL)
		visit_to_match(m, m->router->regexes);
}

/* Rank 1 for rules that look at different paths, where the tree's order alone does not tell; then the others. */
static bool
is_before(const struct match *a, const struct match *b)
{
	const struct fg_pattern *pa = &a->rule->pattern, *pb = &b->rule->pattern;

	if ((pa->regex == NULL) != (pb->regex == NULL))
		return pa->regex == NULL;
	if (fg_pattern_is_exact(pa) != fg_pattern_is_exact(pb))
		return fg_pattern_is_exact(pa);
	if (pa->literal_len != pb->literal_len)
		return pa->literal_len > pb->literal_len;
	if (a->set != b->set)
		return a->set->order < b->set->order;
	if (a->host_rank != b->host_rank)
		return a->host_rank > b->host_rank;
	if (a->rule->conditions != b->rule->conditions)
		return a->rule->conditions > b->rule->conditions;
	if (a->rule->rule->priority != b->rule->rule->priority)
		return a->rule->rule->priority > b->rule->rule->priority;
	return a->rule->index < b->rule->index;
}

static void
fill_hit(const struct match *m, struct fg_route_hit *hit)
{
	const struct fg_pattern *pattern = &m->rule->pattern;

	hit->rule = m->rule->rule;
	if (pattern->regex != NULL) {
		/* Another regex of another walk may have left its captures there. */
		if (m->query->uri->has_empty_segment)
			FG_ASSERT(fg_regex_match(pattern, m->path, hit) == FG_REGEX_YES);
		return;
	}
	FG_ASSERT(m->part_count == pattern->name_count);
	hit->capture_count = pattern->name_count;
	for (size_t i = 0; i < pattern->name_count; i++)
		hit->captures[i] = (struct fg_capture){.name = pattern->names[i],
		    .start = m->parts[i].start,
		    .len = m->parts[i].end - m->parts[i].start};
}

/* The paths to look at, and which rules look at each. */
static size_t
plan_walks(const struct fg_router *router, const struct fg_route_query *query, struct match *walks)
{
	size_t count = 0;

	if (query->uri->match.len == 0 || query->uri->match.p[0] != '/')
		return 0; /* "*" is no path */
	if (!query->uri->has_empty_segment) {
		walks[count++].path = query->uri->match;
		walks[0].kinds = FG_KIND_PLAIN | FG_KIND_MERGING;
	} else {
		if (router->kinds & FG_KIND_PLAIN) {
			walks[count].path = query->uri->match;
			walks[count++].kinds = FG_KIND_PLAIN;
		}
		if (router->kinds & FG_KIND_MERGING) {
			walks[count].path = query->merged_uri->match;
			walks[count++].kinds = FG_KIND_MERGING;
		}
	}
	for (size_t i = 0; i < count; i++) {
		walks[i].router = router;
		walks[i].query = query;
		walks[i].hosts_known = false;
		walks[i].part_count = 0;
		walks[i].rule = NULL;
	}
	return count;
}

/* ---- for `faregate explain`: the same walk, which goes on to its end and tells of all it comes to */

static void
tell(struct teller *teller, const struct fg_compiled_rule *rule, const char *ruled_out_by)
{
	if (!teller->told[rule->index])
		teller->trace->considered(teller->trace->arg, rule->rule, ruled_out_by);
	teller->told[rule->index] = true;
}

static const char *
name_condition(const struct match *m, const char *kind, const struct fg_name_value *condition)
{
	return fg_arena_printf(m->query->arena, "%s " FG_STR_FMT, kind, FG_STR_ARG(condition->name)).p;
}

static void
tell_group(struct match *m, const struct fg_rule_group *group, bool is_host_right)
{
	for (uint32_t i = 0; i < group->count; i++) {
		const struct fg_compiled_rule *rule = group->rules[i];
		const struct fg_name_value *failed;

		if (!takes_path(m, rule))
			continue;
		if (!is_host_right)
			tell(m->teller, rule, "host");
		else if ((failed = failed_header(m, rule)) != NULL)
			tell(m->teller, rule, name_condition(m, "header", failed));
		else if ((failed = failed_query(m, rule)) != NULL)
			tell(m->teller, rule, name_condition(m, "query", failed));
		else if ((failed = failed_cookie(m, rule)) != NULL)
			tell(m->teller, rule, name_condition(m, "cookie", failed));
		else if (!takes_method(m, rule))
			tell(m->teller, rule, "method");
		else
			tell(m->teller, rule, rule == m->teller->taken ? NULL : "less specific");
	}
}

static bool
visit_to_tell(struct match *m, const struct fg_rule_set *set)
{
	const struct fg_host_ids *hosts = hosts_of(m);

	for (size_t i = 0; i < hosts->count; i++) {
		const struct fg_rule_group *group = fg_rule_set_group(set, hosts->v[i]);

		if (group != NULL)
			tell_group(m, group, true);
	}
	for (size_t i = 0; i < set->group_count; i++)
		tell_group(m, &set->groups[i], false); /* those of the right hosts have been told of */
	return false;
}

static void
explain(const struct fg_router *router, const struct fg_route_query *query, const struct fg_compiled_rule *taken,
    const struct fg_route_trace *trace)
{
	struct teller teller = {trace, taken, FG_ARENA_ARRAY(query->arena, bool, router->rule_count)};
	struct match walks[2];
	struct fg_route_hit scratch;
	size_t count = plan_walks(router, query, walks);

	scratch.regex_limited = 0;
	for (size_t i = 0; i < count; i++) {
		walks[i].hit = &scratch;
		walks[i].teller = &teller;
		walk(&walks[i], visit_to_tell);
	}
	for (size_t i = 0; i < count && router->regexes != NULL; i++)
		visit_to_tell(&walks[i], router->regexes);
	for (size_t i = 0; i < router->rule_count; i++)
		tell(&teller, router->sorted[i], "path");
}

void
fg_router_match(const struct fg_router *router, const struct fg_route_query *query, struct fg_route_hit *hit,
    const struct fg_route_trace *trace)
{
	struct match walks[2], *found = NULL;
	size_t count = plan_walks(router, query, walks);

	hit->rule = NULL;
	hit->capture_count = 0;
	hit->allowed = 0;
	hit->regex_limited = 0;
	for (size_t i = 0; i < count; i++) {
		walks[i].hit = hit;
		find_rule(&walks[i]);
		if (walks[i].rule != NULL && (found == NULL || is_before(&walks[i], found)))
			found = &walks[i];
	}
	if (found != NULL)
		fill_hit(found, hit);
	else
		hit->capture_count = 0; /* of a regex whose conditions did not hold */
	if (trace != NULL)
		explain(router, query, found == NULL ? NULL : found->rule, trace);
}
