/* lib/client/head: the lines of a response's head, one by one. */
#include "client/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "unit/unit.h"

/* Feeds lines separated by '|', each ended by CRLF; the first error, or FG_OK. */
static enum fg_err
feed(struct fg_head *head, const char *lines, struct fg_head_item *last)
{
	struct fg_str rest = fg_str_from(lines), line;
	enum fg_err err = FG_OK;

	fg_head_init(head);
	while (err == FG_OK && fg_str_next(&rest, '|', &line)) {
		static char text[1024];
		int len = snprintf(text, sizeof(text), FG_STR_FMT "\r\n", FG_STR_ARG(line));

		err = fg_head_line(head, (struct fg_str){text, (size_t)len}, last);
	}
	return err;
}

static enum fg_err
result(const char *lines)
{
	struct fg_head head;
	struct fg_head_item item;

	return feed(&head, lines, &item);
}

static void
status_lines(void)
{
	static const char *const good[] = {"HTTP/1.1 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 404 Not \xe4 Found",
	    "HTTP/2 200 ", "HTTP/1.1 999 x"};
	static const char *const bad[] = {"", "x", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 +20 x",
	    "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.2 200 OK", "HTTP/3.0 200", "http/1.1 200 OK", " HTTP/1.1 200 OK",
	    "HTTP/1.1 200OK", "HTTP/1.1 099 x", "HTTP/1.1 200 a\x01", "HTTP/1.1 101 Switching Protocols", "ICY 200 OK"};
	struct fg_head head;
	struct fg_head_item item;

	for (size_t i = 0; i < FG_ARRAY_LEN(good); i++) {
		CU_ASSERT_EQUAL(feed(&head, good[i], &item), FG_OK);
		CU_ASSERT_EQUAL(item.event, FG_HEAD_STATUS);
	}
	for (size_t i = 0; i < FG_ARRAY_LEN(bad); i++) {
		fg_head_init(&head);
		CU_ASSERT_EQUAL(fg_head_line(&head, fg_str_from(bad[i]), &item), FG_ERR_SERVICE_RESPONSE_INVALID);
	}
}

static void
fields_are_split_and_trimmed(void)
{
	struct fg_head head;
	struct fg_head_item item;

	CU_ASSERT_EQUAL(feed(&head, "HTTP/1.1 200 OK|X-A: \t b:c \t", &item), FG_OK);
	CU_ASSERT_EQUAL(item.event, FG_HEAD_FIELD);
	ASSERT_STR(item.name, "X-A");
	ASSERT_STR(item.value, "b:c");
	CU_ASSERT_EQUAL(feed(&head, "HTTP/1.1 200 OK|X-A:", &item), FG_OK);
	ASSERT_STR(item.value, "");
	/* A line may end with LF alone (RFC 9112 §2.2). */
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("X-B: 1\n"), &item), FG_OK);
	ASSERT_STR(item.value, "1");
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("\n"), &item), FG_OK);
	CU_ASSERT_EQUAL(item.event, FG_HEAD_END);
}

static void
bad_fields_are_refused(void)
{
	static const char *const bad[] = {"no colon", ": no name", "X A: 1", "X-A : 1", " folded: 1", "\tfolded", "X-A: a\x01z",
	    "X-A: a\x7f", "X(: 1", "X-\xe4: 1", "X-A: a\rb"};
	struct fg_head head;
	struct fg_head_item item;

	for (size_t i = 0; i < FG_ARRAY_LEN(bad); i++) {
		CU_ASSERT_EQUAL(feed(&head, "HTTP/1.1 200 OK|X-First: 1", &item), FG_OK);
		CU_ASSERT_EQUAL(fg_head_line(&head, fg_str_from(bad[i]), &item), FG_ERR_SERVICE_RESPONSE_INVALID);
		/* In a 1xx and in trailers no less. */
		CU_ASSERT_EQUAL(feed(&head, "HTTP/1.1 103 Early Hints", &item), FG_OK);
		CU_ASSERT_EQUAL(fg_head_line(&head, fg_str_from(bad[i]), &item), FG_ERR_SERVICE_RESPONSE_INVALID);
	}
	fg_head_init(&head);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("HTTP/1.1 200 OK\r\n"), &item), FG_OK);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("X-A: a\0b\r\n"), &item), FG_ERR_SERVICE_RESPONSE_INVALID);
}

static void
framing_is_unambiguous(void)
{
	static const struct {
		const char *lines;
		enum fg_err err;
		bool must_close;
	} cases[] = {
	    {"HTTP/1.1 200 OK|Content-Length: 5", FG_OK, false},
	    {"HTTP/1.1 200 OK|Content-Length: 5|content-length: 5", FG_OK, false},
	    {"HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 6", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Content-Length: 5, 5", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Content-Length: -1", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Content-Length: +1", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Content-Length: 0x10", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Content-Length:", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Content-Length: 9223372036854775807", FG_OK, false},
	    {"HTTP/1.1 200 OK|Content-Length: 9223372036854775808", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Transfer-Encoding: Chunked", FG_OK, false},
	    {"HTTP/1.1 200 OK|Transfer-Encoding: chunked|Transfer-Encoding: chunked", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Transfer-Encoding: xchunked", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Transfer-Encoding: chunked|Content-Length: 5", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 200 OK|Content-Length: 5|Transfer-Encoding: chunked", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.0 200 OK|Transfer-Encoding: chunked", FG_ERR_SERVICE_RESPONSE_INVALID, false},
	    {"HTTP/1.1 204 No|Content-Length: 0", FG_OK, false},
	    {"HTTP/1.1 204 No|Content-Length: 5", FG_OK, true},
	    {"HTTP/1.1 204 No|Transfer-Encoding: chunked", FG_OK, true},
	    {"HTTP/1.1 304 No|Content-Length: 5", FG_OK, false},
	};
	struct fg_head head;
	struct fg_head_item item;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		CU_ASSERT_EQUAL(feed(&head, cases[i].lines, &item), cases[i].err);
		CU_ASSERT_EQUAL(head.must_close, cases[i].must_close);
	}
	/* A second Content-Length that says the same is not handed on. */
	CU_ASSERT_EQUAL(feed(&head, cases[1].lines, &item), FG_OK);
	CU_ASSERT_EQUAL(item.event, FG_HEAD_NOTHING);
	CU_ASSERT_EQUAL(feed(&head, cases[10].lines, &item), FG_OK);
	CU_ASSERT_EQUAL(item.event, FG_HEAD_NOTHING);
	CU_ASSERT(head.chunked);
}

static void
interim_responses_are_skipped(void)
{
	struct fg_head head;
	struct fg_head_item item;

	CU_ASSERT_EQUAL(feed(&head, "HTTP/1.1 103 Early Hints|Link: x|Content-Length: 5", &item), FG_OK);
	CU_ASSERT_EQUAL(item.event, FG_HEAD_NOTHING);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("\r\n"), &item), FG_OK);
	CU_ASSERT_EQUAL(item.event, FG_HEAD_NOTHING);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("HTTP/1.1 200 OK\r\n"), &item), FG_OK);
	CU_ASSERT_EQUAL(item.event, FG_HEAD_STATUS);
	CU_ASSERT(!head.has_length);
	fg_head_init(&head);
	for (int i = 0; i < FG_MAX_INTERIM_RESPONSES; i++) {
		CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("HTTP/1.1 100 Continue\r\n"), &item), FG_OK);
		CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("\r\n"), &item), FG_OK);
	}
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("HTTP/1.1 100 Continue\r\n"), &item), FG_ERR_SERVICE_RESPONSE_INVALID);
}

static void
trailers_are_dropped_and_bounded(void)
{
	struct fg_head head;
	struct fg_head_item item;
	enum fg_err err = FG_OK;
	int count = 0;

	fg_head_init(&head);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("HTTP/1.1 200 OK\r\n"), &item), FG_OK);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("\r\n"), &item), FG_OK);
	while (err == FG_OK && count++ < 100000) {
		err = fg_head_line(&head, FG_STR("Content-Length: 7\r\n"), &item);
		CU_ASSERT_EQUAL(item.event, FG_HEAD_NOTHING);
	}
	CU_ASSERT_EQUAL(err, FG_ERR_SERVICE_HEADERS_TOO_LARGE);
	CU_ASSERT(!head.has_length);
}

static void
heads_are_bounded(void)
{
	struct fg_head head;
	struct fg_head_item item;
	enum fg_err err = FG_OK;
	unsigned fields = 0;
	static char line[FG_MAX_RESPONSE_HEAD_BYTES];

	fg_head_init(&head);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("HTTP/1.1 200 OK\r\n"), &item), FG_OK);
	while ((err = fg_head_line(&head, FG_STR("A: b\r\n"), &item)) == FG_OK)
		fields++;
	CU_ASSERT_EQUAL(err, FG_ERR_SERVICE_HEADERS_TOO_LARGE);
	CU_ASSERT_EQUAL(fields, FG_MAX_HEADERS);
	memset(line, 'a', sizeof(line));
	line[1] = ':';
	fg_head_init(&head);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("HTTP/1.1 200 OK\r\n"), &item), FG_OK);
	CU_ASSERT_EQUAL(fg_head_line(&head, (struct fg_str){line, sizeof(line) - 17}, &item), FG_OK);
	CU_ASSERT_EQUAL(fg_head_line(&head, FG_STR("\r\n"), &item), FG_ERR_SERVICE_HEADERS_TOO_LARGE);
	CU_ASSERT_EQUAL(result("HTTP/1.1 200 OK|A: b"), FG_OK);
}

void
suite_head(void)
{
	CU_pSuite suite = CU_add_suite("head", NULL, NULL);

	ADD_TEST(suite, status_lines);
	ADD_TEST(suite, fields_are_split_and_trimmed);
	ADD_TEST(suite, bad_fields_are_refused);
	ADD_TEST(suite, framing_is_unambiguous);
	ADD_TEST(suite, interim_responses_are_skipped);
	ADD_TEST(suite, trailers_are_dropped_and_bounded);
	ADD_TEST(suite, heads_are_bounded);
}
