/*
 * The router against a matcher that is as simple as its description: every rule is tried, and of those that hold the
 * best is taken by comparing patterns. Sets of rules and requests are drawn from few parts, so that they meet often.
 */
#include "unit/routing.h"

enum { SETS = 3000, REQUESTS = 40 };

static unsigned seed;

static unsigned
draw(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

#define PICK(array) ((array)[draw(FG_ARRAY_LEN(array))])

static const struct {
	const char *pattern;
	const char *begin, *end, *inside; /* what it is the same as; NULL: anything */
} regex_kinds[] = {
    {"~^/a", "/a", NULL, NULL},
    {"~^/a/b", "/a/b", NULL, NULL},
    {"~b$", NULL, "b", NULL},
    {"~/b/", NULL, NULL, "/b/"},
    {"~^/b.*a$", "/b", "a", NULL},
};

/* ---- drawing */

static const char *
draw_path(void)
{
	static const char *const segments[] = {"a", "b", "ab", "{x}", "{y}", "a", "b"};
	static const char *const ends[] = {"", "", "", "/", "/*", "/*", "*"};
	char path[64] = "";
	unsigned count = draw(4);
	bool has_x = false, has_y = false;

	if (draw(8) == 0)
		return PICK(regex_kinds).pattern;
	for (unsigned i = 0; i < count; i++) {
		const char *segment = PICK(segments);

		if ((segment[1] == 'x' && has_x) || (segment[1] == 'y' && has_y))
			segment = "a";
		has_x |= segment[0] == '{' && segment[1] == 'x';
		has_y |= segment[0] == '{' && segment[1] == 'y';
		strcat(path, draw(12) == 0 ? "//" : "/");
		strcat(path, segment);
	}
	strcat(path, count == 0 ? "/" : PICK(ends));
	if (strstr(path, "}*") != NULL)
		path[strlen(path) - 1] = '\0';
	return fg_arena_cstr(&arena, fg_str_from(path));
}

static void
draw_rule(bool with_priority)
{
	static const char *const host_names[] = {"h.org", "*.org", "*.h.org", "a.h.org"};
	static const fg_method_set method_sets[] = {FG_METHODS_ANY, FG_METHODS_ANY, FG_METHOD_BIT(FG_METHOD_GET),
	    FG_METHOD_BIT(FG_METHOD_POST), FG_METHOD_BIT(FG_METHOD_GET) | FG_METHOD_BIT(FG_METHOD_POST)};
	static const char *const values[] = {"1", "2"};
	struct fg_route_rule *rule = add("", draw_path());

	rule->name = fg_arena_printf(&arena, "r%zu", set.count);
	rule->methods = PICK(method_sets);
	for (unsigned n = draw(2) * draw(3); n > 0; n--)
		with_host(rule, PICK(host_names));
	if (draw(4) == 0)
		with_header(rule, "X", PICK(values));
	if (draw(6) == 0)
		with_header(rule, "Y", PICK(values));
	if (draw(6) == 0)
		with_query(rule, "q", PICK(values));
	if (draw(6) == 0)
		with_cookie(rule, "c", PICK(values));
	rule->merge_slashes = draw(5) == 0 && strstr(rule->path.p, "//") == NULL;
	if (with_priority)
		rule->priority = (int)set.count;
}

static void
draw_request(void)
{
	static const char *const host_names[] = {"h.org", "a.h.org", "b.h.org", "x.org", "org", "z.test"};
	static const char *const methods[] = {"GET", "GET", "HEAD", "POST", "DELETE", "TRACE"};
	static const char *const segments[] = {"a", "b", "ab", "c", "%2F", "%61", "a"};
	static const char *const values[] = {"1", "2"};
	static const char *const cookies[] = {"b=9; c=1", "c=2"};
	char target[64] = "";

	for (unsigned i = draw(4) + 1; i > 0; i--) {
		strcat(target, draw(6) == 0 ? "//" : "/");
		strcat(target, i == 1 && draw(3) == 0 ? "" : PICK(segments));
	}
	if (draw(2) == 0)
		strcat(strcat(target, "?q="), PICK(values));
	ask(PICK(methods), PICK(host_names), fg_arena_cstr(&arena, fg_str_from(target)));
	if (draw(2) == 0)
		CU_ASSERT_FATAL(fg_headers_add(&req.headers, FG_STR("x"), fg_str_from(PICK(values))) == FG_OK);
	if (draw(2) == 0)
		CU_ASSERT_FATAL(fg_headers_add(&req.headers, FG_STR("y"), fg_str_from(PICK(values))) == FG_OK);
	if (draw(2) == 0)
		CU_ASSERT_FATAL(fg_headers_add(&req.headers, FG_STR("Cookie"), fg_str_from(PICK(cookies))) == FG_OK);
}

/* ---- the simple matcher */

static bool
path_holds(const char *pattern, const char *path, const char *end)
{
	if (pattern[0] == '\0')
		return path == end;
	if (strcmp(pattern, "*") == 0 || (strcmp(pattern, "/*") == 0 && path == end))
		return true;
	if (pattern[0] == '{') {
		const char *from = path;

		while (path < end && *path != '/')
			path++;
		return path > from && path_holds(strchr(pattern, '}') + 1, path, end);
	}
	return path < end && *path == *pattern && path_holds(pattern + 1, path + 1, end);
}

static bool
regex_holds(const char *pattern, struct fg_str path)
{
	for (size_t i = 0; i < FG_ARRAY_LEN(regex_kinds); i++) {
		bool found = regex_kinds[i].inside == NULL;

		if (strcmp(regex_kinds[i].pattern, pattern) != 0)
			continue;
		for (size_t at = 0; !found && at < path.len; at++)
			found = fg_str_starts_with(fg_str_slice(path, at, path.len), fg_str_from(regex_kinds[i].inside));
		return found && fg_str_starts_with(path, fg_str_from(regex_kinds[i].begin)) &&
		    fg_str_ends_with(path, fg_str_from(regex_kinds[i].end));
	}
	abort();
}

static const struct fg_uri *
uri_for(const struct fg_route_rule *rule)
{
	return rule->merge_slashes ? &req.merged : &req.uri;
}

/* 0: not for this host; else the more, the more specific. */
static size_t
host_fits(const struct fg_route_rule *rule)
{
	size_t best = rule->host_count == 0;

	for (size_t i = 0; i < rule->host_count; i++) {
		struct fg_str host = rule->hosts[i];
		size_t fits = 0;

		if (fg_str_eq(host, req.query.host))
			fits = 1000;
		else if (host.p[0] == '*' && fg_str_ends_with(req.query.host, fg_str_slice(host, 1, host.len)))
			fits = 1 + host.len;
		if (fits > best)
			best = fits;
	}
	return best;
}

static bool
conditions_hold(const struct fg_route_rule *rule)
{
	for (size_t i = 0; i < rule->header_count; i++) {
		const struct fg_header *header = fg_headers_find(&req.headers, rule->headers[i].name);

		if (header == NULL || !fg_str_eq(header->value, rule->headers[i].value))
			return false;
	}
	for (size_t i = 0; i < rule->query_count; i++) {
		struct fg_str value;

		if (!fg_query_get(req.uri.query, rule->query[i].name, &arena, &value) ||
		    !fg_str_eq(value, rule->query[i].value))
			return false;
	}
	for (size_t i = 0; i < rule->cookie_count; i++) {
		const struct fg_header *header = fg_headers_find(&req.headers, FG_STR("Cookie"));

		if (header == NULL || header->value.p[header->value.len - 1] != rule->cookies[i].value.p[0])
			return false;
	}
	return true;
}

static bool
method_holds(const struct fg_route_rule *rule)
{
	fg_method_set methods = rule->methods;

	if (methods == FG_METHODS_ANY)
		return req.query.method != FG_METHOD_TRACE;
	if (methods & FG_METHOD_BIT(FG_METHOD_GET))
		methods |= FG_METHOD_BIT(FG_METHOD_HEAD);
	return (methods & FG_METHOD_BIT(req.query.method)) != 0;
}

static bool
all_but_method_holds(const struct fg_route_rule *rule)
{
	struct fg_str path = uri_for(rule)->match;

	if (rule->path.p[0] == '~' ? !regex_holds(rule->path.p, path) : !path_holds(rule->path.p, path.p, path.p + path.len))
		return false;
	return host_fits(rule) > 0 && conditions_hold(rule);
}

/* Each token as a number that sorts as it is tried: bytes, {segment}, *; ends with 0. */
static size_t
spell(const char *pattern, int *out, size_t *literal_len)
{
	size_t n = 0;

	*literal_len = SIZE_MAX; /* exact, unless it turns out otherwise */
	while (*pattern != '\0') {
		int token = (unsigned char)*pattern;

		if (*pattern == '{') {
			pattern = strchr(pattern, '}');
			token = 1000;
		} else if (*pattern == '*') {
			token = 1001;
		}
		if (token >= 1000 && *literal_len == SIZE_MAX)
			*literal_len = n;
		out[n++] = token;
		pattern++;
	}
	out[n] = 0;
	return n;
}

/* Below 0: a is tried before b; 0: nothing decides. */
static int
compare(const struct fg_route_rule *a, const struct fg_route_rule *b)
{
	bool a_regex = a->path.p[0] == '~', b_regex = b->path.p[0] == '~';
	size_t a_conditions = a->header_count + a->query_count + a->cookie_count + (a->methods != FG_METHODS_ANY);
	size_t b_conditions = b->header_count + b->query_count + b->cookie_count + (b->methods != FG_METHODS_ANY);

	if (a_regex != b_regex)
		return a_regex ? 1 : -1;
	if (!a_regex) {
		int a_tokens[64], b_tokens[64];
		size_t a_literal, b_literal;

		spell(a->path.p, a_tokens, &a_literal);
		spell(b->path.p, b_tokens, &b_literal);
		if (a_literal != b_literal)
			return a_literal > b_literal ? -1 : 1;
		for (size_t i = 0; a_tokens[i] != 0 || b_tokens[i] != 0; i++)
			if (a_tokens[i] != b_tokens[i])
				return a_tokens[i] < b_tokens[i] ? -1 : 1;
	}
	if (host_fits(a) != host_fits(b))
		return host_fits(a) > host_fits(b) ? -1 : 1;
	if (a_conditions != b_conditions)
		return a_conditions > b_conditions ? -1 : 1;
	return a->priority > b->priority ? -1 : a->priority < b->priority;
}

/* *tied: another rule is as good. */
static const struct fg_route_rule *
simple_match(fg_method_set *allowed, bool *tied)
{
	const struct fg_route_rule *best = NULL;

	*allowed = 0;
	*tied = false;
	for (size_t i = 0; i < set.count; i++) {
		const struct fg_route_rule *rule = set.row[i];
		int order;

		if (!all_but_method_holds(rule))
			continue;
		if (!method_holds(rule)) {
			*allowed |= rule->methods;
			continue;
		}
		order = best == NULL ? -1 : compare(rule, best);
		if (order < 0) {
			best = rule;
			*tied = false;
		} else if (order == 0) {
			*tied = true;
		}
	}
	return best;
}

/* ---- the comparison */

static void
show(const struct fg_route_rule *got, const struct fg_route_rule *expected)
{
	fprintf(stderr, "%.*s %.*s %.*s: took %s, expected %s\n", FG_STR_ARG(req.query.method_name),
	    FG_STR_ARG(req.query.host), FG_STR_ARG(req.uri.raw), got == NULL ? "-" : got->name.p,
	    expected == NULL ? "-" : expected->name.p);
	for (size_t i = 0; i < set.count; i++) {
		const struct fg_route_rule *rule = set.row[i];

		fprintf(stderr, "  %s %s hosts=%zu methods=%llx headers=%zu query=%zu cookies=%zu merge=%d\n", rule->name.p, rule->path.p,
		    rule->host_count, (unsigned long long)rule->methods, rule->header_count, rule->query_count,
		    rule->cookie_count, rule->merge_slashes);
	}
}

static bool
captures_are_right(void)
{
	const struct fg_route_rule *rule = req.hit.rule;
	const char *pattern = rule->path.p;
	struct fg_str match = uri_for(rule)->match;
	size_t n = 0, at = 0;

	if (pattern[0] == '~')
		return req.hit.capture_count == 0;
	/* What was captured, put back into the pattern, is the path. */
	for (; *pattern != '\0'; pattern++) {
		const struct fg_capture *part = &req.hit.captures[n];

		if (*pattern != '{' && *pattern != '*') {
			if (at < match.len && match.p[at] != *pattern)
				return false;
			at++;
			continue;
		}
		if (n++ == req.hit.capture_count || (part->start != at && part->len > 0))
			return false;
		at = part->start + part->len;
		if (*pattern == '{')
			pattern = strchr(pattern, '}');
	}
	return at == match.len && n == req.hit.capture_count;
}

static void
check_request(void)
{
	const struct fg_route_rule *expected;
	fg_method_set allowed;
	bool tied;

	draw_request();
	fg_router_match(set.router, &req.query, &req.hit, NULL);
	expected = simple_match(&allowed, &tied);
	CU_ASSERT(!tied);
	if (tied || req.hit.rule != expected) {
		show(req.hit.rule, expected);
		CU_FAIL_FATAL("see above");
	}
	if (expected != NULL)
		CU_ASSERT_FATAL(captures_are_right());
	if (expected == NULL)
		CU_ASSERT((req.hit.allowed != 0) == (allowed != 0));
}

static void
drop_rule(const struct fg_route_rule *rule)
{
	for (size_t i = 0; i < set.count; i++) {
		if (set.row[i] == rule) {
			memmove(&set.row[i], &set.row[i + 1], (set.count - i - 1) * sizeof(set.row[0]));
			set.count--;
			return;
		}
	}
}

static const struct fg_route_rule *refused[MAX_RULES];
static size_t refused_count;
static bool is_unreachable[MAX_RULES];

static void
note_error(void *arg, const struct fg_route_rule *rule, const struct fg_route_rule *other, const char *message)
{
	(void)arg;
	CU_ASSERT_PTR_NOT_NULL(other);
	is_unreachable[refused_count] = strstr(message, "reached") != NULL;
	refused[refused_count++] = rule;
}

/* Rules that the router says can never be reached are never the simple matcher's choice. */
static void
check_unreachable(void)
{
	for (int i = 0; i < REQUESTS; i++) {
		const struct fg_route_rule *best;
		fg_method_set allowed;
		bool tied;

		draw_request();
		best = simple_match(&allowed, &tied);
		for (size_t k = 0; k < refused_count; k++)
			CU_ASSERT_FATAL(!is_unreachable[k] || best != refused[k] || tied);
	}
}

static void
equals_the_simple_matcher(void)
{
	unsigned matched = 0, rules = 0;

	for (seed = 1; seed < SETS; seed++) {
		unsigned start = seed;

		clear();
		for (unsigned n = 1 + draw(30); n > 0; n--)
			draw_rule(seed % 2 == 0);
		/* What is refused is taken out, until the rest is accepted. */
		for (;;) {
			refused_count = 0;
			if (fg_router_new(&set.router, set.row, set.count, &arena, note_error, NULL) == FG_OK)
				break;
			CU_ASSERT_FATAL(refused_count > 0);
			check_unreachable();
			for (size_t i = 0; i < refused_count; i++)
				drop_rule(refused[i]);
		}
		for (int i = 0; i < REQUESTS; i++) {
			check_request();
			matched += req.hit.rule != NULL;
		}
		rules += (unsigned)set.count;
		seed = start;
	}
	/* The draw is worth something: most sets keep several rules, many requests find one. */
	CU_ASSERT(rules > SETS * 5);
	CU_ASSERT(matched > SETS * REQUESTS / 10);
}

void
suite_router_random(void)
{
	CU_pSuite suite = CU_add_suite("router_random", set_up, tear_down);

	ADD_TEST(suite, equals_the_simple_matcher);
}
