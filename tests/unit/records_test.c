/* fcgi-app/records: what may be given to libfcgi, and what comes behind it. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "fcgi-app/records.h"
#include "unit/unit.h"

enum { BEGIN = 1, ABORT = 2, PARAMS = 4, STDIN = 5, GET_VALUES = 9 };

static void
add_record(struct fg_buf *out, int type, unsigned id, struct fg_str content, size_t padding)
{
	const unsigned char header[8] = {1, (unsigned char)type, (unsigned char)(id >> 8), (unsigned char)id,
	    (unsigned char)(content.len >> 8), (unsigned char)content.len, (unsigned char)padding, 0};

	fg_buf_append(out, header, sizeof(header));
	fg_buf_add(out, content);
	for (size_t i = 0; i < padding; i++)
		fg_buf_add_char(out, 'P');
}

static void
add_begin(struct fg_buf *out, unsigned id, int role, int flags)
{
	const char body[8] = {0, (char)role, (char)flags, 0, 0, 0, 0, 0};

	add_record(out, BEGIN, id, (struct fg_str){body, sizeof(body)}, 0);
}

/* Every proper prefix asks for more; the whole gives `expected`. */
static void
expect_scan(const struct fg_buf *data, enum fg_scan expected, size_t whole_len)
{
	struct fg_request_head head;

	for (size_t n = 0; n < whole_len; n++)
		CU_ASSERT_EQUAL(fg_request_head_scan(fg_str_slice(fg_buf_str(data), 0, n), &head), FG_SCAN_MORE);
	CU_ASSERT_EQUAL(fg_request_head_scan(fg_buf_str(data), &head), expected);
	if (expected == FG_SCAN_WHOLE || expected == FG_SCAN_REFUSED)
		CU_ASSERT_EQUAL(head.whole_len, whole_len);
}

static void
a_whole_request(void)
{
	struct fg_request_head head;
	struct fg_buf data;
	size_t whole;

	fg_buf_init(&data, 4096);
	add_begin(&data, 258, 1, 1);
	add_record(&data, PARAMS, 258, FG_STR("\x0e\x03REQUEST_METHODGET"), 5);
	add_record(&data, PARAMS, 258, FG_STR(""), 3);
	whole = data.len;
	add_record(&data, STDIN, 258, FG_STR("body"), 0);
	expect_scan(&data, FG_SCAN_WHOLE, whole);
	fg_request_head_scan(fg_buf_str(&data), &head);
	CU_ASSERT_EQUAL(head.id, 258);
	CU_ASSERT(head.keep);
	CU_ASSERT_EQUAL(head.feed_len, whole - 3);
	fg_buf_fini(&data);
}

static void
a_pair_may_lie_across_records(void)
{
	struct fg_buf data;

	fg_buf_init(&data, 4096);
	add_begin(&data, 1, 1, 0);
	add_record(&data, PARAMS, 1, FG_STR("\x0e"), 1);
	add_record(&data, PARAMS, 1, FG_STR("\x03REQUEST_"), 0);
	add_record(&data, PARAMS, 1, FG_STR("METHODGE"), 7);
	add_record(&data, PARAMS, 1, FG_STR("T\x01\x80"), 0);
	add_record(&data, PARAMS, 1, FG_STR("\0\0\1Ab"), 0);
	add_record(&data, PARAMS, 1, FG_STR(""), 0);
	expect_scan(&data, FG_SCAN_WHOLE, data.len);
	fg_buf_fini(&data);
}

static void
lengths_that_lie(void)
{
	static const struct fg_str params[] = {
	    FG_STR_INIT("\x0e\x04REQUEST_METHODGET"),
	    FG_STR_INIT("\x80"),
	    FG_STR_INIT("\x01\x80\0"),
	    FG_STR_INIT("\x01\x01" "A"),
	    FG_STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff" "AAAA"),
	    FG_STR_INIT("\x00\x03GET"),
	};

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct fg_request_head head;
		struct fg_buf data;

		fg_buf_init(&data, 4096);
		add_begin(&data, 1, 1, 0);
		add_record(&data, PARAMS, 1, params[i], 0);
		add_record(&data, PARAMS, 1, FG_STR(""), 0);
		CU_ASSERT_EQUAL(fg_request_head_scan(fg_buf_str(&data), &head), FG_SCAN_BAD);
		fg_buf_fini(&data);
	}
}

static void
what_c_strings_cannot_hold_is_refused(void)
{
	static const struct fg_str params[] = {FG_STR_INIT("\x06\x03HTTP_Aa\0b"), FG_STR_INIT("\x03\x01" "A=Bx")};

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct fg_request_head head;
		struct fg_buf data;

		fg_buf_init(&data, 4096);
		add_begin(&data, 1, 1, 0);
		add_record(&data, PARAMS, 1, params[i], 0);
		add_record(&data, PARAMS, 1, FG_STR(""), 0);
		expect_scan(&data, FG_SCAN_REFUSED, data.len);
		fg_request_head_scan(fg_buf_str(&data), &head);
		CU_ASSERT_EQUAL(head.err, FG_ERR_HEADER_INVALID);
		fg_buf_fini(&data);
	}
}

static void
other_roles_are_named(void)
{
	char answer[FG_MOST_ANSWER_BYTES];
	struct fg_request_head head;
	struct fg_buf data;

	fg_buf_init(&data, 4096);
	for (int role = 0; role < 300; role++) {
		fg_buf_reset(&data);
		add_begin(&data, 0x102, role, 0);
		CU_ASSERT_EQUAL(fg_request_head_scan(fg_buf_str(&data), &head), role % 256 == 1 ? FG_SCAN_MORE : FG_SCAN_ROLE);
		CU_ASSERT_EQUAL(head.id, 0x102);
	}
	CU_ASSERT_EQUAL(fg_role_answer(0x102, answer), 16);
	CU_ASSERT_EQUAL(memcmp(answer, "\1\3\1\2\0\10\0\0" "\0\0\0\0\3\0\0\0", 16), 0);
	fg_buf_fini(&data);
}

static void
expect_answer(unsigned type, struct fg_str content, struct fg_str expected)
{
	char answer[FG_MOST_ANSWER_BYTES];
	struct fg_buf data;
	size_t len;

	fg_buf_init(&data, 4096);
	add_record(&data, type, 0, content, 3);
	expect_scan(&data, FG_SCAN_MANAGEMENT, data.len);
	len = fg_management_answer(fg_buf_str(&data), answer);
	CU_ASSERT_EQUAL(len, expected.len);
	CU_ASSERT(expected.len == 0 || memcmp(answer, expected.p, len) == 0);
	fg_buf_fini(&data);
}

/* §4.1, §4.2 of the specification. */
static void
management_records_are_answered(void)
{
	expect_answer(GET_VALUES, FG_STR("\17\0FCGI_MPXS_CONNS\6\0FOOBAR\16\0FCGI_MAX_CONNS"),
	    FG_STR("\1\12\0\0\0\46\0\0" "\17\1FCGI_MPXS_CONNS0" "\16\4FCGI_MAX_CONNS4096"));
	expect_answer(GET_VALUES, FG_STR("\15\0FCGI_MAX_REQS\15\0FCGI_MAX_REQS"),
	    FG_STR("\1\12\0\0\0\23\0\0" "\15\4FCGI_MAX_REQS4096"));
	expect_answer(GET_VALUES, FG_STR(""), FG_STR("\1\12\0\0\0\0\0\0"));
	expect_answer(GET_VALUES, FG_STR("\0\0\0\1x"), FG_STR("\1\12\0\0\0\0\0\0"));
	expect_answer(77, FG_STR("whatever"), FG_STR("\1\13\0\0\0\10\0\0" "\115\0\0\0\0\0\0\0"));
	/* Lengths that point out of the record. */
	expect_answer(GET_VALUES, FG_STR("\17"), FG_STR_NONE);
	expect_answer(GET_VALUES, FG_STR("\17\0FCGI"), FG_STR_NONE);
	expect_answer(GET_VALUES, FG_STR("\1\5x"), FG_STR_NONE);
	expect_answer(GET_VALUES, FG_STR("\377\377\377\377\377\377\377\377x"), FG_STR_NONE);
}

static void
not_fastcgi(void)
{
	struct fg_request_head head;
	struct fg_buf data;

	CU_ASSERT_EQUAL(fg_request_head_scan(FG_STR("GET / HTTP/1.1\r\n"), &head), FG_SCAN_BAD);
	CU_ASSERT_EQUAL(fg_request_head_scan(FG_STR("G"), &head), FG_SCAN_BAD);
	fg_buf_init(&data, 4096);
	add_begin(&data, 1, 1, 0);
	add_record(&data, STDIN, 1, FG_STR(""), 0);
	CU_ASSERT_EQUAL(fg_request_head_scan(fg_buf_str(&data), &head), FG_SCAN_BAD);
	fg_buf_reset(&data);
	add_begin(&data, 1, 1, 0);
	add_record(&data, PARAMS, 2, FG_STR(""), 0); /* another request's */
	CU_ASSERT_EQUAL(fg_request_head_scan(fg_buf_str(&data), &head), FG_SCAN_BAD);
	fg_buf_fini(&data);
}

static void
parameters_without_end(void)
{
	static char value[60000];
	struct fg_request_head head = {.err = FG_OK};
	struct fg_body_reader reader;
	struct fg_str rest, chunk;
	struct fg_buf data;

	fg_buf_init(&data, 1024 * 1024);
	add_begin(&data, 1, 1, 0);
	for (int i = 0; i < 3; i++)
		add_record(&data, PARAMS, 1, (struct fg_str){value, sizeof(value)}, 0);
	CU_ASSERT_EQUAL(fg_request_head_scan(fg_buf_str(&data), &head), FG_SCAN_LONG);
	CU_ASSERT_EQUAL(head.err, FG_ERR_HEADERS_TOO_LARGE);
	/* What is left of them is skipped; the body behind them is found. */
	add_record(&data, PARAMS, 1, FG_STR(""), 4);
	add_record(&data, STDIN, 1, FG_STR("abc"), 0);
	add_record(&data, STDIN, 1, FG_STR(""), 0);
	fg_body_reader_init(&reader, 1, true);
	rest = fg_str_slice(fg_buf_str(&data), head.whole_len, data.len);
	CU_ASSERT_EQUAL(fg_body_reader_next(&reader, &rest, &chunk), FG_BODY_DATA);
	ASSERT_STR(chunk, "abc");
	CU_ASSERT_EQUAL(fg_body_reader_next(&reader, &rest, &chunk), FG_BODY_END);
	fg_buf_fini(&data);
}

static void
too_many_parameters(void)
{
	struct fg_request_head head;
	struct fg_buf params, data;

	fg_buf_init(&params, 65535);
	fg_buf_init(&data, 128 * 1024);
	for (int i = 0; i <= FG_MAX_PARAMS; i++)
		fg_buf_add(&params, FG_STR("\x01\x01" "AB"));
	add_begin(&data, 1, 1, 0);
	add_record(&data, PARAMS, 1, fg_buf_str(&params), 0);
	add_record(&data, PARAMS, 1, FG_STR(""), 0);
	CU_ASSERT_EQUAL(fg_request_head_scan(fg_buf_str(&data), &head), FG_SCAN_REFUSED);
	CU_ASSERT_EQUAL(head.err, FG_ERR_HEADERS_TOO_LARGE);
	fg_buf_fini(&params);
	fg_buf_fini(&data);
}

/* The same events whatever the pieces that the bytes arrive in. */
static void
a_body_in_any_pieces(void)
{
	struct fg_buf data, got;

	fg_buf_init(&data, 4096);
	fg_buf_init(&got, 4096);
	add_record(&data, STDIN, 7, FG_STR("hello "), 3);
	add_record(&data, STDIN, 7, FG_STR("world"), 0);
	add_record(&data, STDIN, 7, FG_STR(""), 2);
	add_record(&data, ABORT, 7, FG_STR(""), 0);
	for (size_t piece = 1; piece <= data.len; piece++) {
		struct fg_body_reader reader;
		int ends = 0, aborts = 0;

		fg_body_reader_init(&reader, 7, false);
		fg_buf_reset(&got);
		for (size_t at = 0; at < data.len; at += piece) {
			struct fg_str rest = fg_str_slice(fg_buf_str(&data), at, at + piece), chunk;
			enum fg_body_event event;

			while ((event = fg_body_reader_next(&reader, &rest, &chunk)) != FG_BODY_MORE) {
				if (event == FG_BODY_DATA)
					fg_buf_add(&got, chunk);
				ends += event == FG_BODY_END;
				aborts += event == FG_BODY_ABORT;
				if (event == FG_BODY_BAD || event == FG_BODY_NEXT)
					CU_FAIL_FATAL("unexpected event");
			}
		}
		ASSERT_STR(fg_buf_str(&got), "hello world");
		CU_ASSERT_EQUAL(ends, 1);
		CU_ASSERT_EQUAL(aborts, 1);
	}
	fg_buf_fini(&data);
	fg_buf_fini(&got);
}

static void
what_is_no_body(void)
{
	struct fg_body_reader reader;
	struct fg_str rest, chunk;
	struct fg_buf data;

	fg_buf_init(&data, 4096);
	add_begin(&data, 2, 1, 0);
	fg_body_reader_init(&reader, 1, false);
	rest = fg_buf_str(&data);
	CU_ASSERT_EQUAL(fg_body_reader_next(&reader, &rest, &chunk), FG_BODY_NEXT);
	CU_ASSERT_EQUAL(rest.len, 8);
	CU_ASSERT(fg_str_eq(fg_body_reader_take_held(&reader), fg_str_slice(fg_buf_str(&data), 0, 8)));
	CU_ASSERT_EQUAL(fg_body_reader_take_held(&reader).len, 0);
	/* Cut within its header, which is held until it is known whose it is. */
	rest = fg_str_slice(fg_buf_str(&data), 0, 3);
	CU_ASSERT_EQUAL(fg_body_reader_next(&reader, &rest, &chunk), FG_BODY_MORE);
	rest = fg_str_slice(fg_buf_str(&data), 3, data.len);
	CU_ASSERT_EQUAL(fg_body_reader_next(&reader, &rest, &chunk), FG_BODY_NEXT);
	CU_ASSERT_EQUAL(rest.len, 8);
	CU_ASSERT_EQUAL(fg_body_reader_take_held(&reader).len, 8);
	fg_buf_reset(&data);
	add_record(&data, STDIN, 2, FG_STR("x"), 0);
	fg_body_reader_init(&reader, 1, false);
	rest = fg_buf_str(&data);
	CU_ASSERT_EQUAL(fg_body_reader_next(&reader, &rest, &chunk), FG_BODY_BAD);
	rest = FG_STR("\x07garbage");
	fg_body_reader_init(&reader, 1, false);
	CU_ASSERT_EQUAL(fg_body_reader_next(&reader, &rest, &chunk), FG_BODY_BAD);
	fg_buf_fini(&data);
}

void
suite_records(void)
{
	CU_pSuite suite = CU_add_suite("records", NULL, NULL);

	ADD_TEST(suite, a_whole_request);
	ADD_TEST(suite, a_pair_may_lie_across_records);
	ADD_TEST(suite, lengths_that_lie);
	ADD_TEST(suite, what_c_strings_cannot_hold_is_refused);
	ADD_TEST(suite, other_roles_are_named);
	ADD_TEST(suite, management_records_are_answered);
	ADD_TEST(suite, not_fastcgi);
	ADD_TEST(suite, parameters_without_end);
	ADD_TEST(suite, too_many_parameters);
	ADD_TEST(suite, a_body_in_any_pieces);
	ADD_TEST(suite, what_is_no_body);
}
