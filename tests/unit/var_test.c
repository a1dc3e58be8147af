/* lib/core/var.c, template.c: what each variable stands for, and how it is written into a template. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "core/identity.h"
#include "core/var.h"
#include "unit/request.h"

static int
tear_down(void)
{
	end_request();
	return 0;
}

static void
begin(void)
{
	begin_request("/o/a%2Fb%20c/x/y?q=1+2&q=3&e=%zz&empty", "/o/{id}/*", false);
	exchange.req.client_text = FG_STR("192.0.2.7");
	exchange.req.host = FG_STR("example.org");
	exchange.req.method = FG_STR("PROPFIND");
	exchange.req.id = FG_STR("r-1");
	add_header("X-User", FG_STR("ann"));
	add_header("x-user", FG_STR("bob"));
	add_header("X-Odd", FG_STR("a/b \xc3\xa4?"));
	add_header("Cookie", FG_STR("other=1;  session = abc=; session=second"));
	add_header("Cookie", FG_STR("late=9"));
}

/* "-": absent. */
static void
expect_var(const char *text, const char *expected)
{
	struct fg_str value = FG_STR("-"), message;
	struct fg_var var;

	CU_ASSERT_EQUAL_FATAL(fg_var_parse(&var, fg_str_from(text), &exchange.arena, &message), FG_OK);
	if (!fg_var_get(&var, &exchange, &value))
		value = FG_STR("-");
	ASSERT_STR(value, expected);
}

static void
values(void)
{
	begin();
	expect_var("ip", "192.0.2.7");
	expect_var("host", "example.org");
	expect_var("method", "PROPFIND");
	expect_var("path", "/o/a%2Fb%20c/x/y");
	expect_var("route", "orders");
	expect_var("request-id", "r-1");
	expect_var("header:x-USER", "ann");
	expect_var("header:X-None", "-");
	expect_var("cookie:session", "abc=");
	expect_var("cookie:late", "9");
	expect_var("cookie:Session", "-");
	expect_var("query:q", "1 2");
	expect_var("query:e", "%zz");
	expect_var("query:empty", "");
	expect_var("query:none", "-");
	expect_var("path:id", "a/b c");
	expect_var("path:rest", "x/y");
	expect_var("path:none", "-");
	exchange.route = NULL;
	expect_var("route", "-");
	begin_request("/o//1", "/o/{id}", true);
	expect_var("path", "/o/1");
	expect_var("path:id", "1");
	expect_var("ip", "-");
}

/* Claims of which each is its own name, once or twice. */
static bool
find_claim(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	struct fg_str *v = FG_ARENA_ARRAY(arena, struct fg_str, 2);

	if (!fg_str_starts_with(name, fg_str_from(source)))
		return false;
	v[0] = v[1] = name;
	*out = (struct fg_claim_values){.v = v, .count = fg_str_ends_with(name, FG_STR("s")) ? 2 : 1};
	return true;
}

static void
who_is_calling(void)
{
	const struct fg_identity identity = {.policy = FG_STR("idp"), .consumer = FG_STR("ann"), .claims = {find_claim, "a"}};

	begin();
	expect_var("consumer", "-");
	expect_var("claim:a", "-");
	exchange.identity = &identity;
	expect_var("consumer", "ann");
	expect_var("claim:a.b", "a.b");
	expect_var("claim:as", "as,as");
	expect_var("claim:b", "-");
}

static void
bad_names(void)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
	    {"id", "path:id"},
	    {"consumr", "did you mean consumer?"},
	    {"hots", "did you mean host?"},
	    {"heder:X-A", "did you mean header:X-A?"},
	    {"attribute:sub", "those with a name are"},
	    {"claim:", "needs a name"},
	    {"header", "not a request variable"},
	    {"ip:x", "not a request variable"},
	    {"header:", "needs a name"},
	    {"header:a b", "needs a name"},
	    {"cookie:a;b", "needs a name"},
	    {"query:", "needs a name"},
	    {"", "not a request variable"},
	    {"IP", "did you mean ip?"},
	};

	begin();
	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		struct fg_str message = FG_STR_NONE;
		struct fg_var var;

		CU_ASSERT_EQUAL(fg_var_parse(&var, fg_str_from(rows[i].text), &exchange.arena, &message), FG_ERR_SYNTAX);
		if (message.len == 0 || strstr(fg_arena_cstr(&exchange.arena, message), rows[i].says) == NULL) {
			fprintf(stderr, "%s: said \"%.*s\"\n", rows[i].text, FG_STR_ARG(message));
			CU_FAIL("see above");
		}
	}
}

/* "-": not rendered. */
static void
expect_text(enum fg_template_use use, const char *text, const char *expected)
{
	struct fg_str out = FG_STR_NONE, message = FG_STR_NONE;
	struct fg_template *template;

	if (fg_template_parse(&template, fg_str_from(text), use, &exchange.arena, &message) != FG_OK) {
		fprintf(stderr, "%s: %.*s\n", text, FG_STR_ARG(message));
		CU_FAIL("see above");
		return;
	}
	ASSERT_STR(fg_template_text(template), text);
	if (!fg_template_render(template, &exchange, &out))
		out = FG_STR("-");
	ASSERT_STR(out, expected);
}

static void
in_headers(void)
{
	begin();
	expect_text(FG_TEMPLATE_HEADER, "", "");
	expect_text(FG_TEMPLATE_HEADER, "plain }", "plain }");
	expect_text(FG_TEMPLATE_HEADER, "{host}", "example.org");
	expect_text(FG_TEMPLATE_HEADER, "a{{b}{method}-{{{ip}}", "a{b}PROPFIND-{192.0.2.7}");
	expect_text(FG_TEMPLATE_HEADER, "{rest}|{path:rest}|{path:id}", "x/y|x/y|a/b c");
	expect_text(FG_TEMPLATE_HEADER, "x{header:X-None}", "-");
	expect_text(FG_TEMPLATE_HEADER, "x{header:X-None:-no one}y", "xno oney");
	expect_text(FG_TEMPLATE_HEADER, "x{header:X-None:-}y", "xy");
	expect_text(FG_TEMPLATE_HEADER, "{header:X-User:-{}", "ann");
	/* A decoded value may hold what no header may: it is as if absent. */
	begin_request("/o/a%0d%0aX-Evil:%201/?q=%0a", "/o/{id}/*", false);
	expect_text(FG_TEMPLATE_HEADER, "{path:id}", "-");
	expect_text(FG_TEMPLATE_HEADER, "{query:q:-none}", "none");
	expect_text(FG_TEMPLATE_HEADER, "[{rest}]", "[]");
}

static void
in_paths(void)
{
	begin();
	expect_text(FG_TEMPLATE_PATH, "/v1/{path:id}/{rest}", "/v1/a%2Fb%20c/x/y");
	expect_text(FG_TEMPLATE_PATH, "/v1{path}", "/v1/o/a%2Fb%20c/x/y");
	expect_text(FG_TEMPLATE_PATH, "/%7Bx%7d/{header:X-Odd:-}", "/%7Bx%7d/a%2Fb%20%C3%A4%3F");
	expect_text(FG_TEMPLATE_PATH, "/t/{header:X-None:-none}", "/t/none");
	begin_request("/b", "~^/(?<a>a)?b", false);
	expect_text(FG_TEMPLATE_PATH, "/x/{path:a}", "/x/");
	expect_text(FG_TEMPLATE_HEADER, "x{path:a}", "-");
	begin_request("/o//%61%20", "/o/{id}", true);
	expect_text(FG_TEMPLATE_PATH, "/{path:id}", "/%61%20");
}

static void
in_queries(void)
{
	begin();
	expect_text(FG_TEMPLATE_QUERY, "a b&{header:X-Odd}", "a%20b%26a%2Fb%20%C3%A4%3F");
	expect_text(FG_TEMPLATE_QUERY, "{path:id}", "a%2Fb%20c");
	expect_text(FG_TEMPLATE_QUERY, "{query:none:-x=y}", "x%3Dy");
}

static void
bad_templates(void)
{
	static const struct {
		enum fg_template_use use;
		struct fg_str text;
		const char *says;
	} rows[] = {
	    {FG_TEMPLATE_HEADER, FG_STR_INIT("a{host"), "without its"},
	    {FG_TEMPLATE_HEADER, FG_STR_INIT("a{"), "without its"},
	    {FG_TEMPLATE_HEADER, FG_STR_INIT("{}"), "not a request variable"},
	    {FG_TEMPLATE_HEADER, FG_STR_INIT("{id}"), "path:id"},
	    {FG_TEMPLATE_HEADER, FG_STR_INIT("a\nb"), "control"},
	    {FG_TEMPLATE_HEADER, FG_STR_INIT("{header:A:-\r}"), "control"},
	    {FG_TEMPLATE_PATH, FG_STR_INIT("/{header:X}"), "default"},
	    {FG_TEMPLATE_PATH, FG_STR_INIT("/{query:x}"), "default"},
	    {FG_TEMPLATE_PATH, FG_STR_INIT("/a?b=1"), "no query"},
	    {FG_TEMPLATE_PATH, FG_STR_INIT("/a b"), "percent-encoded"},
	    {FG_TEMPLATE_PATH, FG_STR_INIT("/{header:X:-a b}"), "percent-encoded"},
	    {FG_TEMPLATE_PATH, FG_STR_INIT("/%4"), "hexadecimal"},
	};

	begin();
	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		struct fg_str message = FG_STR_NONE;
		struct fg_template *template;

		CU_ASSERT_EQUAL(fg_template_parse(&template, rows[i].text, rows[i].use, &exchange.arena, &message),
		    FG_ERR_SYNTAX);
		if (message.len == 0 || strstr(fg_arena_cstr(&exchange.arena, message), rows[i].says) == NULL) {
			fprintf(stderr, "%.*s: said \"%.*s\"\n", FG_STR_ARG(rows[i].text), FG_STR_ARG(message));
			CU_FAIL("see above");
		}
	}
}

static void
count_var(void *arg, const struct fg_var *var)
{
	unsigned *kinds = arg;

	*kinds |= 1u << var->kind;
}

static void
variables_are_listed(void)
{
	struct fg_template *template;
	struct fg_str message;
	unsigned kinds = 0;

	begin();
	CU_ASSERT_EQUAL_FATAL(fg_template_parse(&template, FG_STR("{{{host}/{rest}"), FG_TEMPLATE_HEADER, &exchange.arena,
		&message), FG_OK);
	fg_template_each_var(template, count_var, &kinds);
	CU_ASSERT_EQUAL(kinds, 1u << FG_VAR_HOST | 1u << FG_VAR_PATH_SEGMENT);
}

/* However long a client's values are, rendering stays within the exchange's arena. */
static void
long_values_are_bounded(void)
{
	static char value[100 * 1024], text[64 * 16 + 1];
	struct fg_template *template;
	struct fg_str message, out;

	memset(value, '/', sizeof(value));
	for (int use = FG_TEMPLATE_HEADER; use <= FG_TEMPLATE_QUERY; use++) {
		text[0] = '\0';
		for (int i = 0; i < 64; i++)
			strcat(text, "{header:X-L:-}");
		begin();
		add_header("X-L", (struct fg_str){value, sizeof(value)});
		CU_ASSERT_EQUAL_FATAL(fg_template_parse(&template, fg_str_from(text), (enum fg_template_use)use, &exchange.arena,
			&message), FG_OK);
		CU_ASSERT(!fg_template_render(template, &exchange, &out));
		begin();
		add_header("X-L", (struct fg_str){value, 100});
		CU_ASSERT_EQUAL_FATAL(fg_template_parse(&template, fg_str_from(text), (enum fg_template_use)use, &exchange.arena,
			&message), FG_OK);
		CU_ASSERT_EQUAL(fg_template_render(template, &exchange, &out), use == FG_TEMPLATE_HEADER);
	}
}

void
suite_var(void)
{
	CU_pSuite suite = CU_add_suite("var", NULL, tear_down);

	ADD_TEST(suite, values);
	ADD_TEST(suite, who_is_calling);
	ADD_TEST(suite, bad_names);
	ADD_TEST(suite, in_headers);
	ADD_TEST(suite, in_paths);
	ADD_TEST(suite, in_queries);
	ADD_TEST(suite, bad_templates);
	ADD_TEST(suite, variables_are_listed);
	ADD_TEST(suite, long_values_are_bounded);
}
