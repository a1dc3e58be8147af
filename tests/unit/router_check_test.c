/* lib/router/router_pattern.c, router_check.c: rules, and sets of rules, that are refused. */
#include "unit/routing.h"

static void
bad_patterns(void)
{
	static const struct {
		const char *path, *says;
	} rows[] = {
	    {"", "begin with"},
	    {"orders", "begin with"},
	    {"*", "begin with"},
	    {"/a/*/b", "not at its end"},
	    {"/a**", "not at its end"},
	    {"/v{x}", "one {name} alone"},
	    {"/{x}.json", "one {name} alone"},
	    {"/{x}{y}", "one {name} alone"},
	    {"/{x", "one {name} alone"},
	    {"/x}", "one {name} alone"},
	    {"/{x}*", "one {name} alone"},
	    {"/{}", "a name is letters"},
	    {"/{a b}", "a name is letters"},
	    {"/{rest}", "trailing"},
	    {"/{a}/{b}/{a}", "twice"},
	    {"/a/../b", "dot segment"},
	    {"/a/%2e", "dot segment"},
	    {"/a/..%2fb", "hidden dot"},
	    {"/a\\b", "backslash"},
	    {"/a%00", "%00"},
	    {"/a b", "not a valid URI path"},
	    {"/a%zz", "not a valid URI path"},
	    {"/a#b", "not a valid URI path"},
	    {"/a?b=1", "query"},
	    {"~", "no regex"},
	    {"~(", "not a regex"},
	    {"~(*UTF)a", "not a regex"},
	    {"~^v1/", "every path begins"},
	    {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}/{r}/{s}/{t}/{u}/{v}/{w}/{x}/{y}/{z}"
	     "/{A}/{B}/{C}/{D}/{E}/{F}/*",
		"more than 32"},
	};
	char *longest;
	struct fg_str message;

	clear();
	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		message = FG_STR_NONE;
		CU_ASSERT_EQUAL(fg_route_path_check(fg_str_from(rows[i].path), &arena, &message), FG_ERR_SYNTAX);
		if (message.len == 0 || strstr(fg_arena_cstr(&arena, message), rows[i].says) == NULL) {
			fprintf(stderr, "%s: said \"%.*s\"\n", rows[i].path, FG_STR_ARG(message));
			CU_FAIL("see above");
		}
	}
	CU_ASSERT_EQUAL(fg_route_path_check(FG_STR("/{a-1_B}/%7Bx%7D/*"), &arena, &message), FG_OK);
	longest = fg_arena_alloc(&arena, FG_MAX_ROUTE_PATH_BYTES + 1);
	memset(longest, 'a', FG_MAX_ROUTE_PATH_BYTES + 1);
	longest[0] = '/';
	CU_ASSERT_EQUAL(fg_route_path_check((struct fg_str){longest, FG_MAX_ROUTE_PATH_BYTES}, &arena, &message), FG_OK);
	CU_ASSERT_EQUAL(fg_route_path_check((struct fg_str){longest, FG_MAX_ROUTE_PATH_BYTES + 1}, &arena, &message),
	    FG_ERR_SYNTAX);
	add("a", "nothing");
	with_host(add("b", "/"), "Example.org");
	CU_ASSERT_EQUAL(build(), FG_ERR_CONFIG);
	CU_ASSERT_EQUAL(set.error_count, 2);
	CU_ASSERT_PTR_NULL(set.router);
}

static void
bad_hosts(void)
{
	static const char *const good[] = {"a", "api.example.org", "*.example.org", "192.0.2.1", "[2001:db8::1]"};
	static const char *const bad[] = {"", "*", "*.", "*.*.org", "a.*", "*a.org", "Example.org", "*.Example.org",
	    "a:80", "a.", "a/b", "*.[::1]", "[::1]:80"};
	struct fg_str message;

	clear();
	for (size_t i = 0; i < FG_ARRAY_LEN(good); i++)
		CU_ASSERT_EQUAL(fg_route_host_check(fg_str_from(good[i]), &arena, &message), FG_OK);
	for (size_t i = 0; i < FG_ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(fg_route_host_check(fg_str_from(bad[i]), &arena, &message), FG_ERR_SYNTAX);
}

static void
names_of_captures(void)
{
	const struct fg_str *names;
	size_t count;

	clear();
	CU_ASSERT_EQUAL(fg_route_path_names(FG_STR("/{a}/x/{b}/*"), &arena, &names, &count), FG_OK);
	CU_ASSERT_EQUAL_FATAL(count, 3);
	ASSERT_STR(names[0], "a");
	ASSERT_STR(names[1], "b");
	ASSERT_STR(names[2], "rest");
	CU_ASSERT_EQUAL(fg_route_path_names(FG_STR("~^/(?<year>[0-9]+)/(x)/(?<rest>.*)"), &arena, &names, &count), FG_OK);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_EQUAL(fg_route_path_names(FG_STR("/plain"), &arena, &names, &count), FG_OK);
	CU_ASSERT_EQUAL(count, 0);
	CU_ASSERT_EQUAL(fg_route_path_names(FG_STR("/{"), &arena, &names, &count), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(count, 0);
}

/* Builds, and expects exactly one mistake whose text has `says` in it. */
static void
expect_mistake(const char *says)
{
	CU_ASSERT_EQUAL(build(), FG_ERR_CONFIG);
	if (set.error_count != 1 || strstr(set.errors, says) == NULL) {
		fprintf(stderr, "expected \"%s\", got %zu: %s\n", says, set.error_count, set.errors);
		CU_FAIL("see above");
	}
}

static void
ties(void)
{
	struct fg_route_rule *rule;

	clear();
	add("a", "/x/{id}");
	add("b", "/x/{name}");
	expect_mistake("b a: could tie with route \"a\"");
	/* Percent-encoding does not tell them apart, methods and hosts do. */
	clear();
	add("a", "/x");
	add("b", "/%78");
	expect_mistake("b a: could tie");
	set.rules[0].methods = FG_METHOD_BIT(FG_METHOD_GET);
	set.rules[1].methods = FG_METHOD_BIT(FG_METHOD_POST);
	CU_ASSERT_EQUAL(build(), FG_OK);
	set.rules[1].methods |= FG_METHOD_BIT(FG_METHOD_HEAD);
	expect_mistake("b a: could tie");
	with_host(&set.rules[0], "a.org");
	CU_ASSERT_EQUAL(build(), FG_OK);
	with_host(&set.rules[1], "a.org");
	with_host(&set.rules[1], "b.org");
	expect_mistake("b a: could tie");
	/* Conditions: contradicting ones do, different ones do not. */
	clear();
	with_header(add("a", "/x"), "X", "1");
	with_header(add("b", "/x"), "x", "2");
	with_query(add("c", "/x"), "q", "1");
	CU_ASSERT_EQUAL(build(), FG_ERR_CONFIG);
	CU_ASSERT_EQUAL(set.error_count, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(set.errors, "c a: could tie"));
	set.rules[2].priority = 1;
	CU_ASSERT_EQUAL(build(), FG_OK);
	/* The mark that rules are sorted by is equal, another condition keeps them apart. */
	clear();
	rule = add("a", "/x");
	with_header(rule, "A", "1");
	with_header(rule, "B", "1");
	rule = add("b", "/x");
	with_header(rule, "B", "2");
	with_header(rule, "A", "1");
	rule = add("c", "/x");
	with_header(rule, "A", "2");
	with_header(rule, "B", "2");
	rule = add("d", "/x");
	with_header(rule, "A", "1");
	with_header(rule, "C", "2");
	expect_mistake("d a: could tie");
	/* A rule that merges slashes ties with one that does not: most paths have nothing to merge. */
	clear();
	add("a", "/x");
	add("b", "/x")->merge_slashes = true;
	expect_mistake("b a: could tie");
	/* Told once, however many hosts they share. */
	clear();
	for (int i = 0; i < 2; i++) {
		rule = add(i == 0 ? "a" : "b", "/x");
		with_host(rule, "a.org");
		with_host(rule, "b.org");
		with_host(rule, "b.org");
	}
	expect_mistake("b a: could tie");
}

static void
regex_ties(void)
{
	clear();
	add("a", "~^/v1/.*x");
	add("b", "~^/v2/");
	add("c", "~^/w(1|2)");
	CU_ASSERT_EQUAL(build(), FG_OK);
	add("d", "~^/v1/a");
	expect_mistake("d a: could tie");
	set.rules[3].priority = 1;
	CU_ASSERT_EQUAL(build(), FG_OK);
	/* What may be left out, or stands beside an alternative, is no required prefix. */
	clear();
	add("a", "~^/ab*c");
	add("b", "~^/ac");
	expect_mistake("b a: could tie");
	clear();
	add("a", "~^/a|/b");
	add("b", "~^/c");
	expect_mistake("b a: could tie");
	clear();
	add("a", "~^/a[|)]b");
	add("b", "~^/c\\.d");
	add("c", "~^/cxd");
	CU_ASSERT_EQUAL(build(), FG_OK);
}

static void
unreachable(void)
{
	struct fg_route_rule *rule;

	clear();
	add("a", "/x")->priority = 1;
	add("b", "/x");
	expect_mistake("b a: can never be reached");
	set.rules[0].methods = FG_METHOD_BIT(FG_METHOD_GET);
	CU_ASSERT_EQUAL(build(), FG_OK);
	set.rules[1].methods = FG_METHOD_BIT(FG_METHOD_HEAD);
	expect_mistake("b a: can never be reached");
	set.rules[1].merge_slashes = true;
	CU_ASSERT_EQUAL(build(), FG_OK);
	/* Two together take all of a third. */
	clear();
	add("a", "/x")->methods = FG_METHOD_BIT(FG_METHOD_PUT);
	add("b", "/x")->methods = FG_METHOD_BIT(FG_METHOD_POST);
	rule = add("c", "/x");
	rule->methods = FG_METHOD_BIT(FG_METHOD_PUT) | FG_METHOD_BIT(FG_METHOD_POST);
	rule->priority = -1;
	expect_mistake("can never be reached");
	CU_ASSERT_PTR_NOT_NULL(strstr(set.errors, "and others"));
	/* One of two hosts is left. */
	clear();
	rule = add("a", "/x");
	rule->priority = 1;
	with_host(rule, "a.org");
	rule = add("b", "/x");
	with_host(rule, "a.org");
	with_host(rule, "b.org");
	CU_ASSERT_EQUAL(build(), FG_OK);
	with_host(&set.rules[0], "b.org");
	expect_mistake("b a: can never be reached");
	/* The same condition in another order and case. */
	clear();
	rule = add("a", "/x");
	rule->priority = 1;
	with_header(rule, "A", "1");
	with_header(rule, "B", "2");
	rule = add("b", "/x");
	with_header(rule, "b", "2");
	with_header(rule, "a", "1");
	expect_mistake("b a: can never be reached");
	/* Rules that contradict themselves. */
	clear();
	rule = add("a", "/x");
	with_header(rule, "A", "1");
	with_header(rule, "a", "2");
	expect_mistake("two values of the header");
	clear();
	rule = add("a", "/x");
	with_query(rule, "A", "1");
	with_query(rule, "a", "2");
	CU_ASSERT_EQUAL(build(), FG_OK);
	with_query(rule, "a", "3");
	expect_mistake("two values of the query parameter");
	clear();
	rule = add("a", "/x");
	with_cookie(rule, "A", "1");
	with_cookie(rule, "a", "2");
	CU_ASSERT_EQUAL(build(), FG_OK);
	with_cookie(rule, "a", "3");
	expect_mistake("two values of the cookie");
	/* Cookies keep routes apart, and those of one are no others' as headers are not. */
	clear();
	with_cookie(add("a", "/x"), "beta", "1");
	with_cookie(add("b", "/x"), "beta", "2");
	with_header(add("c", "/y"), "beta", "1");
	CU_ASSERT_EQUAL(build(), FG_OK);
	with_cookie(add("d", "/x"), "other", "1");
	expect_mistake("could tie");
	clear();
	rule = add("a", "/x");
	rule->priority = 1;
	with_cookie(rule, "beta", "1");
	with_cookie(add("b", "/x"), "beta", "1");
	expect_mistake("b a: can never be reached");
	clear();
	add("a", "/x//{y}")->merge_slashes = true;
	expect_mistake("slashes merged");
}

static void
unreachable_regexes(void)
{
	struct fg_route_rule *rule;

	clear();
	add("all", "/*");
	add("r", "~x");
	expect_mistake("r all: can never be reached");
	with_header(&set.rules[0], "X", "1");
	CU_ASSERT_EQUAL(build(), FG_OK);
	with_header(&set.rules[1], "X", "1");
	expect_mistake("r all: can never be reached");
	clear();
	add("v1", "/v1/*");
	add("r", "~^/v1/(a|b)");
	expect_mistake("r v1: can never be reached");
	set.rules[1].path = FG_STR("~^/v1");
	CU_ASSERT_EQUAL(build(), FG_OK);
	set.rules[1].path = FG_STR("~/v1/");
	CU_ASSERT_EQUAL(build(), FG_OK);
	/* Hosts: any covers all, a wildcard what is under it. */
	clear();
	with_host(add("all", "/*"), "*.example.org");
	rule = add("r", "~x");
	with_host(rule, "a.example.org");
	with_host(rule, "*.b.example.org");
	expect_mistake("r all: can never be reached");
	with_host(rule, "example.org");
	CU_ASSERT_EQUAL(build(), FG_OK);
	/* The same regex behind itself. */
	clear();
	add("r", "~x");
	add("s", "~x")->priority = 1;
	expect_mistake("r s: can never be reached");
	set.rules[0].path = FG_STR("~x?");
	CU_ASSERT_EQUAL(build(), FG_OK);
}

void
suite_router_check(void)
{
	CU_pSuite suite = CU_add_suite("router_check", set_up, tear_down);

	ADD_TEST(suite, bad_patterns);
	ADD_TEST(suite, bad_hosts);
	ADD_TEST(suite, names_of_captures);
	ADD_TEST(suite, ties);
	ADD_TEST(suite, regex_ties);
	ADD_TEST(suite, unreachable);
	ADD_TEST(suite, unreachable_regexes);
}
