/* lib/base: strings, buffers, arenas, addresses, dates. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/log.h"
#include "unit/unit.h"

static void
str_compare(void)
{
	static const char long_text[] = "a secret of several words, and three";
	char changed[] = "a secret of several words, and three";

	CU_ASSERT(fg_str_ieq(FG_STR("Content-Type"), FG_STR("content-TYPE")));
	CU_ASSERT(!fg_str_ieq(FG_STR("a"), FG_STR("ab")));
	/* ASCII alone: "[" and "{" differ by 0x20 like letters do. */
	CU_ASSERT(!fg_str_ieq(FG_STR("["), FG_STR("{")));
	CU_ASSERT(fg_str_cmp(FG_STR("a"), FG_STR("ab")) < 0);
	CU_ASSERT(fg_str_starts_with(FG_STR("abc"), FG_STR("")));
	CU_ASSERT(!fg_str_ends_with(FG_STR("c"), FG_STR("bc")));
	CU_ASSERT(fg_str_eq_secret(FG_STR("key"), FG_STR("key")));
	CU_ASSERT(!fg_str_eq_secret(FG_STR("key"), FG_STR("keys")));
	CU_ASSERT(!fg_str_eq_secret(FG_STR("key"), FG_STR("kez")));
	CU_ASSERT(fg_str_eq_secret(FG_STR_NONE, FG_STR("")));
	for (size_t i = 0; i < sizeof(long_text) - 1; i++) {
		CU_ASSERT(fg_str_eq_secret(FG_STR(long_text), fg_str_from(changed)));
		changed[i] ^= 0x20;
		CU_ASSERT(!fg_str_eq_secret(FG_STR(long_text), fg_str_from(changed)));
		changed[i] ^= 0x20;
	}
}

static void
str_cut(void)
{
	struct fg_str rest = FG_STR("a,,b"), item;

	CU_ASSERT(fg_str_next(&rest, ',', &item));
	ASSERT_STR(item, "a");
	CU_ASSERT(fg_str_next(&rest, ',', &item));
	ASSERT_STR(item, "");
	CU_ASSERT(fg_str_next(&rest, ',', &item));
	ASSERT_STR(item, "b");
	CU_ASSERT(!fg_str_next(&rest, ',', &item));
	ASSERT_STR(fg_str_trim(FG_STR(" \ta b\t ")), "a b");
	ASSERT_STR(fg_str_slice(FG_STR("abc"), 2, 9), "c");
	ASSERT_STR(fg_str_slice(FG_STR("abc"), 9, 9), "");
}

static void
str_numbers(void)
{
	uint64_t n = 0;

	CU_ASSERT(fg_str_to_u64(FG_STR("18446744073709551615"), &n));
	CU_ASSERT_EQUAL(n, UINT64_MAX);
	CU_ASSERT(!fg_str_to_u64(FG_STR("18446744073709551616"), &n));
	CU_ASSERT(!fg_str_to_u64(FG_STR(""), &n));
	CU_ASSERT(!fg_str_to_u64(FG_STR("+1"), &n));
	CU_ASSERT(!fg_str_to_u64(FG_STR("1 "), &n));
}

static void
str_hash(void)
{
	CU_ASSERT_EQUAL(fg_str_hash(FG_STR("orders")), fg_str_hash(FG_STR("orders")));
	CU_ASSERT_NOT_EQUAL(fg_str_hash(FG_STR("orders")), fg_str_hash(FG_STR("orderz")));
	CU_ASSERT_NOT_EQUAL(fg_str_hash(FG_STR("")), fg_str_hash(FG_STR("\0")));
}

static void
grammar(void)
{
	CU_ASSERT(fg_is_token(FG_STR("X-A_b.1~")));
	CU_ASSERT(!fg_is_token(FG_STR("")));
	CU_ASSERT(!fg_is_token(FG_STR("a b")));
	CU_ASSERT(!fg_is_token(FG_STR("a\0b")));
	CU_ASSERT(fg_is_field_value(FG_STR("a\tb \xc3\xa4")));
	CU_ASSERT(!fg_is_field_value(FG_STR("a\r\nb")));
	CU_ASSERT(!fg_is_field_value(FG_STR("a\0b")));
	CU_ASSERT(!fg_is_field_value(FG_STR("\x7f")));
}

/* Wherever it stands among others, and whatever those are. */
static void
field_value_bytes(void)
{
	static const char others[] = {'x', ' ', '\t', '~', '\x80', '\xff'};
	char text[20];

	for (size_t k = 0; k < sizeof(others); k++)
		for (int c = 0; c < 256; c++)
			for (size_t at = 0; at < sizeof(text); at++) {
				memset(text, others[k], sizeof(text));
				text[at] = (char)c;
				CU_ASSERT_EQUAL(fg_is_field_value((struct fg_str){text, sizeof(text)}),
				    (c >= 0x20 && c != 0x7f) || c == '\t');
			}
}

static void
buf_is_bounded(void)
{
	struct fg_buf buf;

	fg_buf_init(&buf, 8);
	CU_ASSERT(fg_buf_add(&buf, FG_STR("12345678")));
	CU_ASSERT(!fg_buf_add_char(&buf, '9'));
	CU_ASSERT(buf.failed);
	ASSERT_STR(fg_buf_str(&buf), "12345678");
	fg_buf_consume(&buf, 3);
	ASSERT_STR(fg_buf_str(&buf), "45678");
	fg_buf_reset(&buf);
	CU_ASSERT(!buf.failed);
	CU_ASSERT(!fg_buf_printf(&buf, "%s", "a longer text than fits"));
	CU_ASSERT_EQUAL(buf.len, 0);
	fg_buf_fini(&buf);
}

static void
buf_json(void)
{
	struct fg_buf buf;

	fg_buf_init(&buf, 256);
	fg_buf_add_json(&buf, FG_STR("a\"\\\n\x01\x7f \xc3\xa4 \xff\xc0\xaf"));
	ASSERT_STR(fg_buf_str(&buf),
	    "a\\\"\\\\\\n\\u0001\\u007f \xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	fg_buf_reset(&buf);
	fg_buf_add_u64(&buf, 0);
	fg_buf_add_u64(&buf, UINT64_MAX);
	ASSERT_STR(fg_buf_str(&buf), "018446744073709551615");
	fg_buf_fini(&buf);
}

static void
arena_grows_and_resets(void)
{
	char first[64];
	struct fg_arena arena;
	struct fg_str copy;

	fg_arena_init(&arena, 1024 * 1024, first, sizeof(first));
	CU_ASSERT_PTR_EQUAL(fg_arena_alloc(&arena, 16), first);
	for (int i = 0; i < 1000; i++)
		memset(fg_arena_alloc(&arena, 100), i, 100);
	copy = fg_arena_printf(&arena, "%s-%d", "n", 7);
	ASSERT_STR(copy, "n-7");
	CU_ASSERT_EQUAL(copy.p[copy.len], '\0');
	ASSERT_STR(fg_arena_lower(&arena, FG_STR("HeLLo")), "hello");
	fg_arena_reset(&arena);
	CU_ASSERT_PTR_EQUAL(fg_arena_alloc(&arena, 16), first);
	fg_arena_fini(&arena);
}

static void
addresses(void)
{
	struct fg_cidr net;
	struct fg_ip ip;
	char text[64];

	CU_ASSERT(fg_cidr_parse(&net, FG_STR("10.0.0.0/8")));
	CU_ASSERT(fg_ip_parse(&ip, FG_STR("10.255.1.2")));
	CU_ASSERT(fg_cidr_contains(&net, &ip));
	CU_ASSERT(fg_ip_parse(&ip, FG_STR("::ffff:10.0.0.1")));
	CU_ASSERT(fg_cidr_contains(&net, &ip));
	ASSERT_STR(fg_ip_format(&ip, text), "10.0.0.1");
	CU_ASSERT(fg_ip_parse(&ip, FG_STR("11.0.0.1")));
	CU_ASSERT(!fg_cidr_contains(&net, &ip));
	CU_ASSERT(fg_ip_parse(&ip, FG_STR("[2001:DB8::1]")));
	ASSERT_STR(fg_ip_format(&ip, text), "2001:db8::1");
	CU_ASSERT(!fg_cidr_parse(&net, FG_STR("10.0.0.1/8")));
	CU_ASSERT(!fg_cidr_parse(&net, FG_STR("10.0.0.0/33")));
	CU_ASSERT(!fg_ip_parse(&ip, FG_STR("[10.0.0.1]")));
	CU_ASSERT(!fg_ip_parse(&ip, FG_STR("10.0.0.1\0")));
	CU_ASSERT(!fg_ip_parse(&ip, FG_STR("unknown")));
}

static void
host_names(void)
{
	struct fg_str host, port = FG_STR_NONE;
	char many[255];

	memset(many, 'a', sizeof(many));
	CU_ASSERT(fg_is_host_name(FG_STR("a-b.c_d.test.")));
	CU_ASSERT(fg_is_host_name((struct fg_str){many, 253}));
	CU_ASSERT(!fg_is_host_name((struct fg_str){many, 254}));
	CU_ASSERT(!fg_is_host_name(FG_STR("")));
	CU_ASSERT(!fg_is_host_name(FG_STR("a b")));
	CU_ASSERT(!fg_is_host_name(FG_STR("*.test")));
	CU_ASSERT(!fg_is_host_name(FG_STR("a,b")));
	/* Where libcurl is told addresses, "-a.test:80" takes them away, and it would ask a resolver by itself. */
	CU_ASSERT(!fg_is_host_name(FG_STR("-a.test")));
	CU_ASSERT(!fg_host_port_split(FG_STR("-a.test:80"), &host, &port));
	CU_ASSERT(fg_host_port_split(FG_STR("a.test:80"), &host, &port));
}

static void
dates(void)
{
	static const char *const no_dates[] = {"", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
	    "Sun, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 31 Feb 2021 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, -6 Nov 1994 08:49:37 GMT"};
	char text[32];
	fg_usec wall;
	int n = fg_clock_format_rfc3339(INT64_C(1784937600123000), text);

	ASSERT_STR(((struct fg_str){text, (size_t)n}), "2026-07-25T00:00:00.123Z");
	n = fg_clock_format_http_date(INT64_C(784111777000000), text);
	ASSERT_STR(((struct fg_str){text, (size_t)n}), "Sun, 06 Nov 1994 08:49:37 GMT");
	CU_ASSERT(fg_clock_parse_http_date(FG_STR("Sun, 06 Nov 1994 08:49:37 GMT"), &wall) && wall == INT64_C(784111777000000));
	CU_ASSERT(fg_clock_parse_http_date(FG_STR("Thu, 29 Feb 2024 23:59:59 GMT"), &wall) && wall == INT64_C(1709251199000000));
	for (size_t i = 0; i < FG_ARRAY_LEN(no_dates); i++)
		CU_ASSERT(!fg_clock_parse_http_date(fg_str_from(no_dates[i]), &wall));
}

static void
keep_line(void *arg, struct fg_str line)
{
	fg_buf_add(arg, line);
}

static void
log_lines_escape_values(void)
{
	struct fg_buf out;
	struct fg_log log = {.level = FG_LOG_INFO, .write = keep_line, .arg = &out};

	fg_buf_init(&out, 4096);
	FG_LOG(&log, DEBUG, "test", "not shown");
	CU_ASSERT_EQUAL(out.len, 0);
	FG_LOG(&log, WARN, "test", "something happened", FG_F_STR("who", FG_STR("a b\n=\"")), FG_F_NONE,
	    FG_F_INT("n", -3));
	ASSERT_STR(fg_str_slice(fg_buf_str(&out), 24, out.len),
	    " warn test: something happened: who=\"a b\\n=\\\"\" n=-3\n");
	fg_buf_fini(&out);
}

/* etc/reasons.md is for users what the table of outcomes is for the program. */
static void
reasons_are_documented(void)
{
	FILE *page = fopen(FG_TEST_SRCDIR "/etc/reasons.md", "r");
	static char text[64 * 1024];
	char row[1024];
	size_t len;

	CU_ASSERT_PTR_NOT_NULL_FATAL(page);
	len = fread(text, 1, sizeof(text) - 1, page);
	text[len] = '\0';
	fclose(page);
	for (int err = 0; err < FG_ERR_COUNT; err++) {
		const struct fg_err_info *info = fg_err_info((enum fg_err)err);
		char status[8] = "-";

		if (info->status != 0)
			snprintf(status, sizeof(status), "%d", info->status);
		snprintf(row, sizeof(row), "| `%s` | %s | %s | %s |\n", info->token, status, info->title, info->detail);
		if (strstr(text, row) == NULL) {
			fprintf(stderr, "etc/reasons.md lacks the row: %s", row);
			CU_FAIL("a reason is not documented");
		}
	}
}

void
suite_base(void)
{
	CU_pSuite suite = CU_add_suite("base", NULL, NULL);

	ADD_TEST(suite, str_compare);
	ADD_TEST(suite, str_cut);
	ADD_TEST(suite, str_numbers);
	ADD_TEST(suite, str_hash);
	ADD_TEST(suite, grammar);
	ADD_TEST(suite, field_value_bytes);
	ADD_TEST(suite, buf_is_bounded);
	ADD_TEST(suite, buf_json);
	ADD_TEST(suite, arena_grows_and_resets);
	ADD_TEST(suite, addresses);
	ADD_TEST(suite, host_names);
	ADD_TEST(suite, dates);
	ADD_TEST(suite, log_lines_escape_values);
	ADD_TEST(suite, reasons_are_documented);
}
