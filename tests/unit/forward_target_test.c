/* lib/core/forward_target.c: the request target that a service gets. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "core/forward_target.h"
#include "core/var.h"
#include "unit/request.h"

static int
tear_down(void)
{
	end_request();
	return 0;
}

static void
expect_target(const char *expected)
{
	struct fg_str out = FG_STR_NONE;

	CU_ASSERT_EQUAL(fg_forward_target(&exchange, &out), FG_OK);
	ASSERT_STR(out, expected);
}

static void
expect_refused(enum fg_err err)
{
	struct fg_str out = FG_STR_NONE;

	CU_ASSERT_EQUAL(fg_forward_target(&exchange, &out), err);
}

static void
rewrite_to(const char *text)
{
	struct fg_template *template;
	struct fg_str message;

	CU_ASSERT_EQUAL_FATAL(
	    fg_template_parse(&template, fg_str_from(text), FG_TEMPLATE_PATH, &exchange.arena, &message), FG_OK);
	route.rewrite = template;
}

static void
as_it_is(void)
{
	begin_request("/a/%2e%2e/b%2Fc//d;x?q=%zz&r=a+b", "/*", false);
	expect_target("/b%2Fc//d;x?q=%zz&r=a+b");
	begin_request("/a", "/*", false);
	expect_target("/a");
	begin_request("/a?", "/*", false);
	expect_target("/a?");
	begin_request("http://example.org?x", "/*", false);
	expect_target("/?x");
	begin_request("*", "/*", false);
	expect_target("*");
	begin_request("//a//b?x//y", "/a/*", true);
	expect_target("/a/b?x//y");
}

static void
plain_targets_are_not_copied(void)
{
	const char *target = "/orders/42?x=1";
	struct fg_str out;

	begin_request(target, "/*", false);
	CU_ASSERT_EQUAL(fg_forward_target(&exchange, &out), FG_OK);
	CU_ASSERT_PTR_EQUAL(out.p, target);
}

/* A filter may have changed the query, or taken it away. */
static void
edited_query(void)
{
	begin_request("/a?x=1", "/*", false);
	exchange.req.uri.query = FG_STR("y=2");
	expect_target("/a?y=2");
	exchange.req.uri.has_query = false;
	expect_target("/a");
	begin_request("/a?xyz=1", "/*", false);
	exchange.req.uri.query = fg_str_slice(exchange.req.uri.query, 0, 1);
	expect_target("/a?x");
}

static void
stripped(void)
{
	static const struct {
		const char *target, *path, *prefix, *expected;
	} rows[] = {
	    {"/orders", "/orders/*", "/orders", "/"},
	    {"/orders?x", "/orders/*", "/orders", "/?x"},
	    {"/orders/", "/orders/*", "/orders", "/"},
	    {"/orders/a%2Fb//c?x", "/orders/*", "/orders", "/a%2Fb//c?x"},
	    {"/%6frder%73/%61", "/orders/*", "/orders", "/%61"},
	    {"/orders/x", "/orders/*", "/orders/", "/x"},
	    {"/orders", "/orders/*", "/orders/", "/"},
	    {"/orders//x", "/orders/*", "/orders", "//x"},
	    {"/img.png", "/img*", "/img", "/.png"},
	    {"/a%20b/c", "/a%20b/*", "/a b", "/c"},
	    {"/other", "~.", "/orders", "/other"},
	    {"/x", "/*", "/", "/x"},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		begin_request(rows[i].target, rows[i].path, false);
		route.strip_prefix = fg_str_from(rows[i].prefix);
		expect_target(rows[i].expected);
	}
	begin_request("/v1//%61//b", "/v1/*", true);
	route.strip_prefix = FG_STR("/v1");
	expect_target("/%61/b");
}

/* Stripping in the middle of a segment must not bring dot segments to life. */
static void
stripping_makes_no_dot_segments(void)
{
	static const char *const targets[] = {"/img../x", "/img..", "/img.", "/img./", "/img..%2fx", "/img..;/x"};

	for (size_t i = 0; i < FG_ARRAY_LEN(targets); i++) {
		begin_request(targets[i], "/img*", false);
		route.strip_prefix = FG_STR("/img");
		expect_refused(FG_ERR_PATH_AMBIGUOUS);
	}
}

static void
rewritten(void)
{
	begin_request("/o/a%2Fb/c?x=1", "/o/{id}/*", false);
	rewrite_to("/v1/{path:id}/{rest}");
	expect_target("/v1/a%2Fb/c?x=1");
	rewrite_to("{rest}");
	expect_target("/c?x=1");
	rewrite_to("");
	expect_target("/?x=1");
	add_header("X-T", FG_STR(".."));
	rewrite_to("/t/{header:X-T:-}/x");
	expect_refused(FG_ERR_PATH_AMBIGUOUS);
	rewrite_to("/t/x{header:X-T:-}/x");
	expect_target("/t/x../x?x=1");
	rewrite_to("/a/../b");
	expect_refused(FG_ERR_PATH_AMBIGUOUS);
	begin_request("/img..", "/img*", false);
	rewrite_to("/v1/{rest}");
	expect_refused(FG_ERR_PATH_AMBIGUOUS);
}

static void
length_is_bounded(void)
{
	static char value[FG_MAX_TEMPLATE_BYTES], target[FG_MAX_TARGET_BYTES + 1] = "/a?";

	begin_request("/a", "/*", false);
	memset(value, 'a', sizeof(value));
	add_header("X", (struct fg_str){value, sizeof(value)});
	rewrite_to("/{header:X:-}");
	expect_refused(FG_ERR_TARGET_TOO_LONG);
	memset(target + 3, 'q', sizeof(target) - 4);
	begin_request(target, "/*", false);
	expect_target(target);
	rewrite_to("/longer{path}");
	expect_refused(FG_ERR_TARGET_TOO_LONG);
}

void
suite_forward_target(void)
{
	CU_pSuite suite = CU_add_suite("forward_target", NULL, tear_down);

	ADD_TEST(suite, as_it_is);
	ADD_TEST(suite, plain_targets_are_not_copied);
	ADD_TEST(suite, edited_query);
	ADD_TEST(suite, stripped);
	ADD_TEST(suite, stripping_makes_no_dot_segments);
	ADD_TEST(suite, rewritten);
	ADD_TEST(suite, length_is_bounded);
}
