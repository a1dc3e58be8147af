/* lib/http/uri.c, uri_parts.c: what each kind of request target becomes, and what is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/percent.h"
#include "http/uri.h"
#include "unit/unit.h"

static struct fg_arena arena;

static int
set_up(void)
{
	fg_arena_init(&arena, 64 * 1024 * 1024, NULL, 0);
	return 0;
}

static int
tear_down(void)
{
	fg_arena_fini(&arena);
	return 0;
}

#define S(literal) FG_STR_INIT(literal)

static void
check_str(struct fg_str got, struct fg_str expected, const char *what, struct fg_str target)
{
	if (!fg_str_eq(got, expected)) {
		fprintf(stderr, "%.*s: %s is \"%.*s\", expected \"%.*s\"\n", (int)target.len, target.p, what,
		    (int)got.len, got.p, (int)expected.len, expected.p);
		CU_FAIL("see above");
	}
}

static void
canonical_forms(void)
{
	static const struct {
		struct fg_str target, path, match, query;
		bool has_query, encoded_slash, empty_segment;
	} rows[] = {
	    {S("/"), S("/"), S("/"), S(""), false, false, false},
	    {S("/a/b"), S("/a/b"), S("/a/b"), S(""), false, false, false},
	    {S("/a?x=1&y=%zz"), S("/a"), S("/a"), S("x=1&y=%zz"), true, false, false},
	    {S("/a?"), S("/a"), S("/a"), S(""), true, false, false},
	    {S("/a?b?c/../d"), S("/a"), S("/a"), S("b?c/../d"), true, false, false},
	    {S("*"), S("*"), S("*"), S(""), false, false, false},
	    /* RFC 3986 §5.2.4 */
	    {S("/a/../b?x=1"), S("/b"), S("/b"), S("x=1"), true, false, false},
	    {S("/a/%2e%2e/b"), S("/b"), S("/b"), S(""), false, false, false},
	    {S("/a/.%2E/b"), S("/b"), S("/b"), S(""), false, false, false},
	    {S("/a/b/c/./../../g"), S("/a/g"), S("/a/g"), S(""), false, false, false},
	    {S("/../../x"), S("/x"), S("/x"), S(""), false, false, false},
	    {S("/.."), S("/"), S("/"), S(""), false, false, false},
	    {S("/a/.."), S("/"), S("/"), S(""), false, false, false},
	    {S("/a/b/.."), S("/a/"), S("/a/"), S(""), false, false, false},
	    {S("/a/."), S("/a/"), S("/a/"), S(""), false, false, false},
	    {S("/a/%2E/"), S("/a/"), S("/a/"), S(""), false, false, false},
	    {S("/a//../b"), S("/a/b"), S("/a/b"), S(""), false, false, false},
	    {S("/%61/x/../y"), S("/%61/y"), S("/a/y"), S(""), false, false, false},
	    {S("/.well-known/a..b/..."), S("/.well-known/a..b/..."), S("/.well-known/a..b/..."), S(""), false, false,
		false},
	    /* percent-encoding */
	    {S("/%61%2Fb%20c"), S("/%61%2Fb%20c"), S("/a\0b c"), S(""), false, true, false},
	    {S("/a%2fb/../c"), S("/c"), S("/c"), S(""), false, false, false},
	    {S("/%252e%252e/"), S("/%252e%252e/"), S("/%2e%2e/"), S(""), false, false, false},
	    {S("/a%0ab%ff"), S("/a%0ab%ff"), S("/a\nb\xff"), S(""), false, false, false},
	    {S("/a%5cb"), S("/a%5cb"), S("/a\\b"), S(""), false, false, false},
	    {S("/a%3fb%23"), S("/a%3fb%23"), S("/a?b#"), S(""), false, false, false},
	    {S("/a;v=1/b;/c.;d"), S("/a;v=1/b;/c.;d"), S("/a;v=1/b;/c.;d"), S(""), false, false, false},
	    {S("/\xc3\xa4/\xf0\x9f\x90\x8c"), S("/\xc3\xa4/\xf0\x9f\x90\x8c"), S("/\xc3\xa4/\xf0\x9f\x90\x8c"), S(""),
		false, false, false},
	    /* empty segments */
	    {S("//x"), S("//x"), S("//x"), S(""), false, false, true},
	    {S("//host/../x"), S("//x"), S("//x"), S(""), false, false, true},
	    {S("/a%20/b//"), S("/a%20/b//"), S("/a /b//"), S(""), false, false, true},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		struct fg_uri uri;

		CU_ASSERT_EQUAL(fg_uri_parse(&uri, rows[i].target, &arena), FG_OK);
		check_str(uri.path, rows[i].path, "path", rows[i].target);
		check_str(uri.match, rows[i].match, "match", rows[i].target);
		check_str(uri.query, rows[i].query, "query", rows[i].target);
		CU_ASSERT_EQUAL(uri.has_query, rows[i].has_query);
		CU_ASSERT_EQUAL(uri.has_encoded_slash, rows[i].encoded_slash);
		CU_ASSERT_EQUAL(uri.has_empty_segment, rows[i].empty_segment);
		CU_ASSERT(uri.raw.p == rows[i].target.p && uri.raw.len == rows[i].target.len);
	}
}

static void
refused(void)
{
	static const struct {
		struct fg_str target;
		enum fg_err err;
	} rows[] = {
	    {S(""), FG_ERR_TARGET_INVALID},
	    {S("a/b"), FG_ERR_TARGET_INVALID},
	    {S("?x"), FG_ERR_TARGET_INVALID},
	    {S("**"), FG_ERR_TARGET_INVALID},
	    {S("example.org:443"), FG_ERR_TARGET_INVALID},
	    {S("/a b"), FG_ERR_TARGET_INVALID},
	    {S("/a\tb"), FG_ERR_TARGET_INVALID},
	    {S("/a\0b"), FG_ERR_TARGET_INVALID},
	    {S("/a\x7f"), FG_ERR_TARGET_INVALID},
	    {S("/a#b"), FG_ERR_TARGET_INVALID},
	    {S("/%"), FG_ERR_TARGET_INVALID},
	    {S("/%4"), FG_ERR_TARGET_INVALID},
	    {S("/%4/1"), FG_ERR_TARGET_INVALID},
	    {S("/%g1"), FG_ERR_TARGET_INVALID},
	    {S("/%1g"), FG_ERR_TARGET_INVALID},
	    {S("/a?b c"), FG_ERR_TARGET_INVALID},
	    {S("/a?b#c"), FG_ERR_TARGET_INVALID},
	    {S("/a?b\n"), FG_ERR_TARGET_INVALID},
	    {S("/a?\xc3"), FG_ERR_TARGET_INVALID},
	    {S("/a?\xc0\xaf"), FG_ERR_TARGET_INVALID},
	    {S("/\xff"), FG_ERR_TARGET_INVALID},
	    {S("/\xc3(/"), FG_ERR_TARGET_INVALID},
	    {S("/\xc3%a4"), FG_ERR_TARGET_INVALID},
	    {S("/\xed\xa0\x80"), FG_ERR_TARGET_INVALID},
	    {S("/\xf4\x90\x80\x80"), FG_ERR_TARGET_INVALID},
	    {S("/a%00b"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a\\b"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a/..\\b"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/%c0%ae%c0%ae/"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/\xc0\xaf"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/%C1%9C"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/%e0%80%af"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/\xe0\x80\xaf"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/%f0%80%80%af"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/\xf0\x8f\xbf\xbf"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a/..%2fb"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a%2F.."), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a%2F..%2f/b"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/%2e%2e%2f"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/%2f."), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a/..%5cb"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a/..;x=1/b"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a/.;/b"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/a/%2e.%3Bx"), FG_ERR_PATH_AMBIGUOUS},
	    {S("/..%2fx/../y"), FG_ERR_PATH_AMBIGUOUS},
	    {S("ftp://example.org/"), FG_ERR_TARGET_INVALID},
	    {S("http:/example.org/"), FG_ERR_TARGET_INVALID},
	    {S("http://"), FG_ERR_TARGET_INVALID},
	    {S("http:///x"), FG_ERR_TARGET_INVALID},
	    {S("http://user@example.org/"), FG_ERR_TARGET_INVALID},
	    {S("http://exa mple.org/"), FG_ERR_TARGET_INVALID},
	    {S("http://example.org:0/"), FG_ERR_TARGET_INVALID},
	    {S("http://example.org\\@evil/"), FG_ERR_TARGET_INVALID},
	    {S("http://example.org/a%00"), FG_ERR_PATH_AMBIGUOUS},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		struct fg_uri uri;
		enum fg_err err = fg_uri_parse(&uri, rows[i].target, &arena);

		if (err != rows[i].err) {
			fprintf(stderr, "row %zu, %.*s: %s\n", i, (int)rows[i].target.len, rows[i].target.p,
			    fg_err_token(err));
			CU_FAIL("see above");
		}
	}
}

static void
absolute_form(void)
{
	struct fg_uri uri;

	CU_ASSERT_EQUAL(fg_uri_parse(&uri, FG_STR("HTTP://Example.org:8080/a/../b?q"), &arena), FG_OK);
	ASSERT_STR(uri.scheme, "http");
	ASSERT_STR(uri.authority, "Example.org:8080");
	ASSERT_STR(uri.path, "/b");
	ASSERT_STR(uri.query, "q");
	CU_ASSERT_EQUAL(fg_uri_parse(&uri, FG_STR("https://[::1]?q"), &arena), FG_OK);
	ASSERT_STR(uri.scheme, "https");
	ASSERT_STR(uri.authority, "[::1]");
	ASSERT_STR(uri.path, "/");
	ASSERT_STR(uri.match, "/");
	CU_ASSERT(uri.has_query);
	CU_ASSERT_EQUAL(fg_uri_parse(&uri, FG_STR("http://example.org"), &arena), FG_OK);
	ASSERT_STR(uri.path, "/");
	CU_ASSERT(!uri.has_query);
}

static void
length_is_bounded(void)
{
	static char target[FG_MAX_TARGET_BYTES + 1];
	struct fg_uri uri;

	memset(target, 'a', sizeof(target));
	target[0] = '/';
	CU_ASSERT_EQUAL(fg_uri_parse(&uri, (struct fg_str){target, sizeof(target) - 1}, &arena), FG_OK);
	CU_ASSERT_EQUAL(fg_uri_parse(&uri, (struct fg_str){target, sizeof(target)}, &arena),
	    FG_ERR_TARGET_TOO_LONG);
}

static void
plain_paths_are_not_copied(void)
{
	struct fg_str target = FG_STR("/orders/42/lines.json;v=1?x=%20");
	struct fg_arena none;
	struct fg_uri uri;

	/* An allocation from it would end the process. */
	fg_arena_init(&none, 0, NULL, 0);
	CU_ASSERT_EQUAL(fg_uri_parse(&uri, target, &none), FG_OK);
	CU_ASSERT_PTR_EQUAL(uri.path.p, target.p);
	CU_ASSERT_PTR_EQUAL(uri.match.p, target.p);
}

static void
merging_slashes(void)
{
	struct fg_uri uri;

	CU_ASSERT_EQUAL(fg_uri_parse(&uri, FG_STR("//a%20///b//"), &arena), FG_OK);
	fg_uri_merge_slashes(&uri, &arena);
	ASSERT_STR(uri.path, "/a%20/b/");
	ASSERT_STR(uri.match, "/a /b/");
	ASSERT_STR(uri.raw, "//a%20///b//");
	CU_ASSERT(!uri.has_empty_segment);
	CU_ASSERT_EQUAL(fg_uri_parse(&uri, FG_STR("/a%2f%2fb"), &arena), FG_OK);
	fg_uri_merge_slashes(&uri, &arena);
	ASSERT_STR(uri.path, "/a%2f%2fb");
	CU_ASSERT_EQUAL(fg_uri_parse(&uri, FG_STR("//"), &arena), FG_OK);
	fg_uri_merge_slashes(&uri, &arena);
	ASSERT_STR(uri.path, "/");
	ASSERT_STR(uri.match, "/");
}

static void
offsets(void)
{
	struct fg_uri uri;

	CU_ASSERT_EQUAL(fg_uri_parse(&uri, FG_STR("/%61%2Fb%20c"), &arena), FG_OK);
	CU_ASSERT_EQUAL(fg_uri_path_offset(&uri, 0), 0);
	CU_ASSERT_EQUAL(fg_uri_path_offset(&uri, 1), 1);
	CU_ASSERT_EQUAL(fg_uri_path_offset(&uri, 2), 4);
	CU_ASSERT_EQUAL(fg_uri_path_offset(&uri, 3), 7);
	CU_ASSERT_EQUAL(fg_uri_path_offset(&uri, uri.match.len), uri.path.len);
}

static void
components(void)
{
	struct fg_str out;

	CU_ASSERT(fg_percent_decode(FG_STR("a%20b+c"), false, &arena, &out));
	ASSERT_STR(out, "a b+c");
	CU_ASSERT(fg_percent_decode(FG_STR("a%2Bb+c"), true, &arena, &out));
	ASSERT_STR(out, "a+b c");
	CU_ASSERT(fg_percent_decode(FG_STR(""), true, &arena, &out));
	CU_ASSERT_EQUAL(out.len, 0);
	CU_ASSERT(!fg_percent_decode(FG_STR("%"), true, &arena, &out));
	CU_ASSERT(!fg_percent_decode(FG_STR("%4"), true, &arena, &out));
	CU_ASSERT(!fg_percent_decode(FG_STR("%4x"), true, &arena, &out));
	CU_ASSERT(!fg_percent_decode(FG_STR("a%00"), true, &arena, &out));
	CU_ASSERT(!fg_percent_decode(FG_STR("a\0"), true, &arena, &out));
	ASSERT_STR(fg_uri_encode(FG_STR("a-._~9"), &arena), "a-._~9");
	ASSERT_STR(fg_uri_encode(FG_STR("\xc3\xa4/ ?%"), &arena), "%C3%A4%2F%20%3F%25");
}

static void
query_parameters(void)
{
	struct fg_str query = FG_STR("a=1&b&%63=x%20y+z&a=2&=n&d=%zz&&long%2ename=v"), value;

	CU_ASSERT(fg_query_get(query, FG_STR("a"), &arena, &value));
	ASSERT_STR(value, "1");
	CU_ASSERT(fg_query_get(query, FG_STR("b"), &arena, &value));
	CU_ASSERT_EQUAL(value.len, 0);
	CU_ASSERT(fg_query_get(query, FG_STR("c"), &arena, &value));
	ASSERT_STR(value, "x y z");
	CU_ASSERT(fg_query_get(query, FG_STR("d"), &arena, &value));
	ASSERT_STR(value, "%zz");
	CU_ASSERT(fg_query_get(query, FG_STR("long.name"), &arena, &value));
	ASSERT_STR(value, "v");
	CU_ASSERT(fg_query_get(query, FG_STR(""), &arena, &value));
	ASSERT_STR(value, "n");
	CU_ASSERT(!fg_query_get(query, FG_STR("aa"), &arena, &value));
	CU_ASSERT(!fg_query_get(FG_STR("&&"), FG_STR(""), &arena, &value));
	CU_ASSERT(!fg_query_get(FG_STR_NONE, FG_STR("a"), &arena, &value));
}

static void
hosts(void)
{
	static const struct {
		const char *text, *host; /* NULL: refused */
		unsigned port;
	} rows[] = {
	    {"example.org", "example.org", 0},
	    {"Example.ORG:8080", "example.org", 8080},
	    {"example.org.", "example.org", 0},
	    {"example.org.:80", "example.org", 80},
	    {"example.org:", "example.org", 0},
	    {"a_b-c.1", "a_b-c.1", 0},
	    {"192.0.2.1:65535", "192.0.2.1", 65535},
	    {"[2001:DB8::1]:443", "[2001:db8::1]", 443},
	    {"[::1]", "[::1]", 0},
	    {"", NULL, 0},
	    {".", NULL, 0},
	    {":80", NULL, 0},
	    {"a..b", NULL, 0},
	    {".a", NULL, 0},
	    {"a.:x", NULL, 0},
	    {"a:65536", NULL, 0},
	    {"a:0", NULL, 0},
	    {"a:1:2", NULL, 0},
	    {"a:+1", NULL, 0},
	    {"user@a", NULL, 0},
	    {"a,b", NULL, 0},
	    {"a/b", NULL, 0},
	    {"a b", NULL, 0},
	    {"a%41", NULL, 0},
	    {"\xc3\xa4.example", NULL, 0},
	    {"::1", NULL, 0},
	    {"[::1", NULL, 0},
	    {"[::1]x", NULL, 0},
	    {"[127.0.0.1]", NULL, 0},
	    {"[fe80::1%25eth0]", NULL, 0},
	    {"[]", NULL, 0},
	};
	char longest[300];
	struct fg_str host;
	unsigned port;

	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		enum fg_err err = fg_host_parse(fg_str_from(rows[i].text), &arena, &host, &port);

		CU_ASSERT_EQUAL(err, rows[i].host == NULL ? FG_ERR_HOST_INVALID : FG_OK);
		if ((err == FG_OK) != (rows[i].host != NULL))
			fprintf(stderr, "host \"%s\": %s\n", rows[i].text, fg_err_token(err));
		if (err != FG_OK)
			continue;
		ASSERT_STR(host, rows[i].host);
		CU_ASSERT_EQUAL(port, rows[i].port);
	}
	memset(longest, 'a', sizeof(longest));
	CU_ASSERT_EQUAL(fg_host_parse((struct fg_str){longest, 255}, &arena, &host, &port), FG_OK);
	CU_ASSERT_EQUAL(fg_host_parse((struct fg_str){longest, 256}, &arena, &host, &port), FG_ERR_HOST_INVALID);
}

static bool
has_dot_segment(struct fg_str match)
{
	struct fg_str segment;

	while (fg_str_next(&match, '/', &segment))
		if (fg_str_eq(segment, FG_STR(".")) || fg_str_eq(segment, FG_STR("..")))
			return true;
	return false;
}

/* Whatever is accepted is a fixed point, has no dot segment left, and both forms have the same separators. */
static void
canonicalisation_is_idempotent(void)
{
	static const char *const pieces[] = {"/", "/", "/", ".", "..", "a", "b;c", "%2e", "%2F", "%61", "%20", "%5c",
	    "%c3%a4", "\xc3\xa4", "%ff", "..%2f", ";", "%25", "...", "%0a"};
	unsigned accepted = 0;

	srand(4711);
	for (int round = 0; round < 200000; round++) {
		char target[128] = "/";
		struct fg_uri once, twice;
		size_t match_slashes = 0, path_slashes = 0;

		for (int n = rand() % 10; n > 0; n--)
			strcat(target, pieces[(size_t)rand() % FG_ARRAY_LEN(pieces)]);
		fg_arena_reset(&arena);
		if (fg_uri_parse(&once, fg_str_from(target), &arena) != FG_OK)
			continue;
		accepted++;
		CU_ASSERT_FATAL(fg_uri_parse(&twice, once.path, &arena) == FG_OK);
		CU_ASSERT_FATAL(fg_str_eq(once.path, twice.path) && fg_str_eq(once.match, twice.match));
		CU_ASSERT_FATAL(once.has_empty_segment == twice.has_empty_segment);
		CU_ASSERT_FATAL(once.path.len > 0 && once.path.p[0] == '/');
		for (size_t i = 0; i < once.match.len; i++) {
			match_slashes += once.match.p[i] == '/';
			if (once.match.p[i] != '/')
				continue;
			CU_ASSERT_FATAL(fg_uri_path_offset(&once, i) < once.path.len &&
			    once.path.p[fg_uri_path_offset(&once, i)] == '/');
		}
		for (size_t i = 0; i < once.path.len; i++)
			path_slashes += once.path.p[i] == '/';
		CU_ASSERT_FATAL(match_slashes == path_slashes);
		CU_ASSERT_FATAL(!has_dot_segment(once.match));
	}
	CU_ASSERT(accepted > 50000);
}

static void
encoding_round_trips(void)
{
	srand(4712);
	for (int round = 0; round < 20000; round++) {
		char bytes[32];
		struct fg_str text = {bytes, (size_t)rand() % sizeof(bytes)}, back;

		fg_arena_reset(&arena);
		for (size_t i = 0; i < text.len; i++)
			bytes[i] = (char)(1 + rand() % 255);
		CU_ASSERT_FATAL(fg_percent_decode(fg_uri_encode(text, &arena), round % 2 == 0, &arena, &back));
		CU_ASSERT_FATAL(fg_str_eq(back, text));
	}
}

void
suite_uri(void)
{
	CU_pSuite suite = CU_add_suite("uri", set_up, tear_down);

	ADD_TEST(suite, canonical_forms);
	ADD_TEST(suite, refused);
	ADD_TEST(suite, absolute_form);
	ADD_TEST(suite, length_is_bounded);
	ADD_TEST(suite, plain_paths_are_not_copied);
	ADD_TEST(suite, merging_slashes);
	ADD_TEST(suite, offsets);
	ADD_TEST(suite, components);
	ADD_TEST(suite, query_parameters);
	ADD_TEST(suite, hosts);
	ADD_TEST(suite, canonicalisation_is_idempotent);
	ADD_TEST(suite, encoding_round_trips);
}
