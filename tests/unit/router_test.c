/* lib/router/router_match.c: what matches what, and in which order. */
#include "unit/routing.h"

static void
path_kinds(void)
{
	clear();
	add("root", "/");
	add("orders", "/orders/*");
	add("order", "/orders/{id}");
	add("lines", "/orders/{id}/lines");
	add("new", "/orders/new");
	add("img", "/img*");
	add("space", "/a%20b");
	add("star", "/x%2Ay");
	add("brace", "/x%7By");
	add("deep", "/d/{a}/{b}/*");
	add("slash", "/e%2Ff");
	add("open", "/open/{id}/");
	add("dots", "/.*");
	add("empty", "/e//{x}");
	CU_ASSERT_EQUAL(build(), FG_OK);
	expect("/", "root");
	expect("/orders", "orders");
	ASSERT_STR(capture("rest"), "");
	expect("/orders/", "orders");
	ASSERT_STR(capture("rest"), "");
	expect("/orders/a/b", "orders");
	ASSERT_STR(capture("rest"), "a/b");
	expect("/ordersx", "-");
	expect("/order", "-");
	expect("/orders/4%322", "order");
	ASSERT_STR(capture("id"), "422");
	ASSERT_STR(capture("rest"), "(none)");
	expect("/orders/a%2Fb", "order");
	CU_ASSERT_EQUAL(req.hit.captures[0].len, 3);
	expect("/orders/42/", "orders");
	expect("/orders//", "orders");
	expect("/orders/42/lines", "lines");
	ASSERT_STR(capture("id"), "42");
	expect("/orders/42/linesx", "orders");
	ASSERT_STR(capture("rest"), "42/linesx");
	CU_ASSERT_EQUAL(req.hit.capture_count, 1);
	expect("/orders/new", "new");
	expect("/orders/new/", "orders");
	expect("/orders/newer", "order");
	expect("/orders/new/lines", "lines");
	expect("/img", "img");
	ASSERT_STR(capture("rest"), "");
	expect("/img/x", "img");
	ASSERT_STR(capture("rest"), "/x");
	expect("/im", "-");
	expect("/a%20b", "space");
	expect("/%61%20b", "space");
	expect("/x*y", "star");
	expect("/x{y", "brace");
	expect("/d/1/2", "deep");
	ASSERT_STR(capture("a"), "1");
	ASSERT_STR(capture("b"), "2");
	ASSERT_STR(capture("rest"), "");
	expect("/d/1/2/3/4", "deep");
	ASSERT_STR(capture("rest"), "3/4");
	expect("/d/1//3", "-");
	expect("/e%2ff", "slash");
	expect("/e/f", "-");
	expect("/open/1/", "open");
	expect("/open/1", "-");
	expect("/.git/config", "dots");
	ASSERT_STR(capture("rest"), "git/config");
	expect("/e//1", "empty");
	expect("/e/1", "-");
	expect("*", "-");
}

static void
specificity_is_compared_from_the_left(void)
{
	clear();
	add("any", "/*");
	add("a", "/a*");
	add("a-dir", "/a/*");
	add("a-exact", "/a");
	add("seg", "/{x}");
	add("seg-b", "/{x}/b");
	add("a-seg", "/a/{x}");
	add("a-b-seg", "/a/b/{x}");
	add("a-seg-c", "/a/{x}/c");
	CU_ASSERT_EQUAL(build(), FG_OK);
	expect("/a", "a-exact");
	expect("/a/", "a-dir");
	expect("/ab", "a");
	expect("/a/b", "a-seg");
	expect("/a/b/c", "a-b-seg");
	expect("/a/x/c", "a-seg-c");
	expect("/a/x/d", "a-dir");
	expect("/c", "seg");
	expect("/c/b", "seg-b");
	expect("/c/d", "any");
	expect("/", "any");
}

static void
many_children_of_one_node(void)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static char names[sizeof(letters)][2], paths[sizeof(letters)][4];

	clear();
	for (size_t i = 0; i + 1 < sizeof(letters); i++) {
		names[i][0] = letters[i];
		snprintf(paths[i], sizeof(paths[i]), "/%cx", letters[i]);
		add(names[i], paths[i]);
	}
	CU_ASSERT_EQUAL(build(), FG_OK);
	for (size_t i = 0; i + 1 < sizeof(letters); i++)
		expect(paths[i], names[i]);
	expect("/_x", "-");
	expect("/a", "-");
	expect("/axx", "-");
}

static void
hosts(void)
{
	struct fg_route_rule *rule;

	clear();
	add("none", "/*");
	with_host(add("exact", "/*"), "api.example.org");
	with_host(add("wild", "/*"), "*.example.org");
	with_host(add("wilder", "/*"), "*.org");
	with_host(add("v6", "/*"), "[2001:db8::1]");
	rule = add("two", "/*");
	with_host(rule, "a.test");
	with_host(rule, "*.b.test");
	with_host(add("deep-wild", "/deep"), "*.example.org");
	CU_ASSERT_EQUAL(build(), FG_OK);
	CU_ASSERT_STRING_EQUAL(route_of("GET", "api.example.org", "/x"), "exact");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "www.example.org", "/x"), "wild");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "a.b.example.org", "/x"), "wild");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "example.org", "/x"), "wilder");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "xexample.org", "/x"), "wilder");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "org", "/x"), "none");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "", "/x"), "none");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "[2001:db8::1]", "/x"), "v6");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "a.test", "/x"), "two");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "x.b.test", "/x"), "two");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "b.test", "/x"), "none");
	/* The path comes before the host. */
	CU_ASSERT_STRING_EQUAL(route_of("GET", "api.example.org", "/deep"), "deep-wild");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "api.example.com", "/deep"), "none");
}

static void
methods(void)
{
	fg_method_set get = FG_METHOD_BIT(FG_METHOD_GET), head = FG_METHOD_BIT(FG_METHOD_HEAD),
		      post = FG_METHOD_BIT(FG_METHOD_POST), trace = FG_METHOD_BIT(FG_METHOD_TRACE);

	clear();
	add("read", "/a/{id}")->methods = get;
	add("write", "/a/{id}")->methods = post;
	add("trace", "/a/*")->methods = trace;
	add("any", "/any");
	CU_ASSERT_EQUAL(build(), FG_OK);
	CU_ASSERT_STRING_EQUAL(route_of("GET", "h", "/a/1"), "read");
	CU_ASSERT_EQUAL(req.hit.capture_count, 1);
	CU_ASSERT_STRING_EQUAL(route_of("HEAD", "h", "/a/1"), "read");
	CU_ASSERT_STRING_EQUAL(route_of("POST", "h", "/a/1"), "write");
	CU_ASSERT_STRING_EQUAL(route_of("TRACE", "h", "/a/1"), "trace");
	CU_ASSERT_STRING_EQUAL(route_of("OPTIONS", "h", "/a/1"), "-");
	CU_ASSERT_EQUAL(req.hit.allowed, get | head | post | trace);
	CU_ASSERT_EQUAL(req.hit.capture_count, 0);
	CU_ASSERT_STRING_EQUAL(route_of("GET", "h", "/a/1/2"), "-");
	CU_ASSERT_EQUAL(req.hit.allowed, trace);
	CU_ASSERT_STRING_EQUAL(route_of("GET", "h", "/b"), "-");
	CU_ASSERT_EQUAL(req.hit.allowed, 0);
	CU_ASSERT_STRING_EQUAL(route_of("OPTIONS", "h", "/any"), "any");
	CU_ASSERT_STRING_EQUAL(route_of("get", "h", "/any"), "any");
	CU_ASSERT_STRING_EQUAL(route_of("CONNECT", "h", "/any"), "-");
	CU_ASSERT(req.hit.allowed != 0);
	CU_ASSERT_STRING_EQUAL(route_of("TRACE", "h", "/any"), "-");
	CU_ASSERT_EQUAL(req.hit.allowed & (trace | FG_METHOD_BIT(FG_METHOD_CONNECT)), 0);
}

/* Another method on the more specific path does not hide the less specific rule. */
static void
method_falls_back(void)
{
	clear();
	add("new", "/a/new")->methods = FG_METHOD_BIT(FG_METHOD_GET);
	add("rest", "/a/*")->methods = FG_METHOD_BIT(FG_METHOD_DELETE);
	CU_ASSERT_EQUAL(build(), FG_OK);
	CU_ASSERT_STRING_EQUAL(route_of("DELETE", "h", "/a/new"), "rest");
	ASSERT_STR(capture("rest"), "new");
}

static const char *
answer_with_cookies(const char *target, const char *cookies)
{
	ask("GET", "h", target);
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("Cookie"), fg_str_from(cookies)), FG_OK);
	return answer();
}

static void
cookies(void)
{
	struct fg_route_rule *rule;

	clear();
	add("plain", "/a");
	with_cookie(add("tester", "/a"), "beta", "1");
	rule = add("both", "/a");
	with_cookie(rule, "beta", "1");
	with_cookie(rule, "Beta", "");
	with_cookie(add("only", "/only"), "id", "a=b");
	CU_ASSERT_EQUAL(build(), FG_OK);
	CU_ASSERT_STRING_EQUAL(route_of("GET", "h", "/a"), "plain");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/a", "beta=1"), "tester");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/a", "session=x;  beta=1 ; beta=2"), "tester");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/a", "Beta=; beta=1"), "both");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/a", "beta=2; beta=1"), "plain");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/a", "beta=11; xbeta=1; beta"), "plain");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/a", "BETA=1"), "plain");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/only", "id=a=b"), "only");
	CU_ASSERT_STRING_EQUAL(answer_with_cookies("/only", "id=a"), "-");
	/* Only of that header. */
	ask("GET", "h", "/a");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("X-Cookie"), FG_STR("beta=1")), FG_OK);
	CU_ASSERT_STRING_EQUAL(answer(), "plain");
}

static void
headers_and_query(void)
{
	struct fg_route_rule *rule;

	clear();
	add("plain", "/a");
	with_header(add("v1", "/a"), "X-Api-Version", "1");
	with_header(add("v2", "/a"), "X-Api-Version", "2");
	rule = add("v2-beta", "/a");
	with_header(rule, "x-api-version", "2");
	with_query(rule, "beta", "y s");
	with_header(add("json", "/only"), "Accept", "application/json");
	CU_ASSERT_EQUAL(build(), FG_OK);
	CU_ASSERT_STRING_EQUAL(route_of("GET", "h", "/a"), "plain");
	ask("GET", "h", "/a?beta=y+s");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("X-API-VERSION"), FG_STR("2")), FG_OK);
	CU_ASSERT_STRING_EQUAL(answer(), "v2-beta");
	ask("GET", "h", "/a?beta=ys");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("X-Api-Version"), FG_STR("2")), FG_OK);
	CU_ASSERT_STRING_EQUAL(answer(), "v2");
	ask("GET", "h", "/a");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("X-Api-Version"), FG_STR("1, 2")), FG_OK);
	CU_ASSERT_STRING_EQUAL(answer(), "plain");
	CU_ASSERT_STRING_EQUAL(route_of("GET", "h", "/only"), "-");
	CU_ASSERT_EQUAL(req.hit.allowed, 0);
	ask("GET", "h", "/only");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("accept"), FG_STR("application/json")), FG_OK);
	CU_ASSERT_STRING_EQUAL(answer(), "json");
}

static void
priority_settles(void)
{
	clear();
	with_header(add("x", "/a"), "X", "1");
	with_header(add("y", "/a"), "Y", "1");
	CU_ASSERT_EQUAL(build(), FG_ERR_CONFIG);
	set.rules[1].priority = 1;
	CU_ASSERT_EQUAL(build(), FG_OK);
	ask("GET", "h", "/a");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("X"), FG_STR("1")), FG_OK);
	CU_ASSERT_STRING_EQUAL(answer(), "x");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("Y"), FG_STR("1")), FG_OK);
	CU_ASSERT_STRING_EQUAL(answer(), "y");
}

static void
regexes(void)
{
	clear();
	add("tree", "/v1/exact");
	add("version", "~^/v(?<n>[0-9]+)/(?<tail>x)?");
	add("suffix", "~\\.php$")->priority = -1;
	add("bytes", "~^/b(.)c$");
	CU_ASSERT_EQUAL(build(), FG_OK);
	expect("/v1/exact", "tree");
	expect("/v12/x", "version");
	ASSERT_STR(capture("n"), "12");
	ASSERT_STR(capture("tail"), "x");
	expect("/v12/y", "version");
	ASSERT_STR(capture("n"), "12");
	ASSERT_STR(capture("tail"), "(none)");
	expect("/v/", "-");
	expect("/a/b.php", "suffix");
	/* "$" is the end, not the place before a last newline. */
	expect("/a/b.php%0a", "-");
	expect("/a/b.phpx", "-");
	expect("/b%0ac", "bytes");
	expect("/b%2fc", "bytes");
	expect("/b/c", "bytes");
	expect("/b%c3%a4c", "-");
	expect("*", "-");
}

static void
regex_limits_are_told(void)
{
	char target[4096] = "/";

	clear();
	add("bomb", "~^/(a+)+$");
	add("rest", "~^/a")->priority = -1;
	CU_ASSERT_EQUAL(build(), FG_OK);
	memset(target + 1, 'a', 60);
	strcat(target, "!");
	expect(target, "rest");
	CU_ASSERT_EQUAL(req.hit.regex_limited, 1);
	expect("/aaa", "bomb");
	CU_ASSERT_EQUAL(req.hit.regex_limited, 0);
}

static void
merged_slashes(void)
{
	clear();
	add("merged", "/a/{x}")->merge_slashes = true;
	add("merged-exact", "/b/c")->merge_slashes = true;
	add("plain", "/a/*");
	add("plain-any", "//*");
	CU_ASSERT_EQUAL(build(), FG_OK);
	expect("/a/1", "merged");
	expect("/a//1", "merged");
	ASSERT_STR(capture("x"), "1");
	expect("/a//1/2", "plain");
	ASSERT_STR(capture("rest"), "/1/2");
	expect("//a/1", "merged");
	expect("//b//c", "merged-exact");
	expect("//q", "plain-any");
	expect("/b/c", "merged-exact");
}

static void
merged_regex_keeps_its_captures(void)
{
	clear();
	add("plain", "~^/(?<a>[^/]*)//(?<b>.*)");
	add("merged", "~^/(?<c>.)/(?<d>.)$")->merge_slashes = true;
	with_header(&set.rules[1], "X", "1");
	CU_ASSERT_EQUAL(build(), FG_OK);
	expect("/x//y", "plain");
	ASSERT_STR(capture("a"), "x");
	ASSERT_STR(capture("b"), "y");
	ask("GET", "h", "/x//y");
	CU_ASSERT_EQUAL(fg_headers_add(&req.headers, FG_STR("X"), FG_STR("1")), FG_OK);
	CU_ASSERT_EQUAL(req.hit.capture_count, (size_t)0xa5a5a5a5a5a5a5a5);
	answer();
	CU_ASSERT_PTR_NOT_NULL_FATAL(req.hit.rule);
	CU_ASSERT_EQUAL(req.hit.capture_count, 2);
}

static char told[1024];

static void
on_considered(void *arg, const struct fg_route_rule *rule, const char *ruled_out_by)
{
	(void)arg;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%.*s=%s;", FG_STR_ARG(rule->name),
	    ruled_out_by == NULL ? "TAKEN" : ruled_out_by);
}

static void
expect_told(const char *method, const char *host, const char *target, const char *expected)
{
	static const struct fg_route_trace trace = {.considered = on_considered};

	told[0] = '\0';
	ask(method, host, target);
	fg_router_match(set.router, &req.query, &req.hit, &trace);
	if (strcmp(told, expected) != 0) {
		fprintf(stderr, "%s:\n  %s\nexpected\n  %s\n", target, told, expected);
		CU_FAIL("see above");
	}
}

static void
trace_tells_of_every_rule(void)
{
	clear();
	add("other", "/b");
	add("regex", "~/a/");
	with_header(add("v2", "/a/{x}"), "X-Api-Version", "2");
	with_query(add("q", "/a/{x}"), "v", "2");
	set.rules[3].priority = 1;
	add("post", "/a/{x}")->methods = FG_METHOD_BIT(FG_METHOD_POST);
	set.rules[4].priority = 2;
	add("seg", "/a/{x}");
	add("rest", "/a/*");
	with_host(add("host", "/a/{x}"), "h.org");
	with_host(&set.rules[7], "i.org");
	with_cookie(add("c", "/a/{x}"), "beta", "1");
	set.rules[8].priority = 3;
	CU_ASSERT_EQUAL(build(), FG_OK);
	expect_told("GET", "example.org", "/a/1",
	    "c=cookie beta;post=method;q=query v;v2=header X-Api-Version;seg=TAKEN;host=host;rest=less specific;regex=less specific;"
	    "other=path;");
	expect_told("GET", "i.org", "/b", "other=TAKEN;host=path;c=path;post=path;q=path;v2=path;seg=path;rest=path;regex=path;");
	expect_told("CONNECT", "i.org", "/b",
	    "other=method;host=path;c=path;post=path;q=path;v2=path;seg=path;rest=path;regex=path;");
}

static void
rules_in_order(void)
{
	const struct fg_route_rule *const *rules;
	char names[64] = "";
	size_t count;

	clear();
	add("1", "~x");
	add("2", "/*");
	add("3", "/a/*");
	add("4", "/{x}");
	add("5", "/a");
	with_host(add("6", "/a"), "*.org");
	with_host(add("7", "/a"), "x.org");
	add("8", "/a")->methods = FG_METHOD_BIT(FG_METHOD_GET);
	set.rules[1].methods = FG_METHOD_BIT(FG_METHOD_GET);
	CU_ASSERT_EQUAL(build(), FG_OK);
	rules = fg_router_rules(set.router, &count);
	CU_ASSERT_EQUAL(count, 8);
	for (size_t i = 0; i < count; i++)
		strcat(names, rules[i]->name.p);
	CU_ASSERT_STRING_EQUAL(names, "76853421");
}

static void
no_rules(void)
{
	clear();
	CU_ASSERT_EQUAL(build(), FG_OK);
	expect("/", "-");
	expect("//", "-");
	expect("/a", "-");
}

void
suite_router(void)
{
	CU_pSuite suite = CU_add_suite("router", set_up, tear_down);

	ADD_TEST(suite, path_kinds);
	ADD_TEST(suite, specificity_is_compared_from_the_left);
	ADD_TEST(suite, many_children_of_one_node);
	ADD_TEST(suite, hosts);
	ADD_TEST(suite, methods);
	ADD_TEST(suite, method_falls_back);
	ADD_TEST(suite, headers_and_query);
	ADD_TEST(suite, cookies);
	ADD_TEST(suite, priority_settles);
	ADD_TEST(suite, regexes);
	ADD_TEST(suite, regex_limits_are_told);
	ADD_TEST(suite, merged_slashes);
	ADD_TEST(suite, merged_regex_keeps_its_captures);
	ADD_TEST(suite, trace_tells_of_every_rule);
	ADD_TEST(suite, rules_in_order);
	ADD_TEST(suite, no_rules);
}
