/*
 * The head of a service's response, line by line: what is a valid status line and field line, where the head ends,
 * which 1xx are skipped, and the bounds on all of it. Knows nothing of libcurl, so that tests and the fuzzer feed it
 * directly. Stricter than libcurl on purpose: what is ambiguous here (two lengths, a length and a transfer coding)
 * would be read differently by the web server in front of us.
 */
#ifndef FG_CLIENT_HEAD_H
#define FG_CLIENT_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/str.h"

enum fg_head_event {
	FG_HEAD_NOTHING, /* part of a 1xx, of the trailers, or framing of the message itself: not the caller's */
	FG_HEAD_STATUS,  /* status is set */
	FG_HEAD_FIELD,   /* name and value point into the line */
	FG_HEAD_END,     /* of the final response's head */
};

struct fg_head {
	enum { FG_HEAD_AT_STATUS, FG_HEAD_AT_FIELDS, FG_HEAD_AT_BODY } state;
	int status;       /* of the head being read */
	unsigned interim; /* 1xx heads so far */
	size_t bytes;     /* of all heads and trailers */
	size_t fields;    /* of the final head */
	uint64_t length;  /* Content-Length, when has_length */
	bool has_length;
	bool chunked;
	bool old;         /* HTTP/1.0: no transfer coding exists there */
	bool must_close;  /* framing on a message without a body: what follows on the connection cannot be trusted */
};

struct fg_head_item {
	enum fg_head_event event;
	struct fg_str name, value;
};

void fg_head_init(struct fg_head *head);
/*
 * One line with its line ending. FG_ERR_SERVICE_RESPONSE_INVALID or FG_ERR_SERVICE_HEADERS_TOO_LARGE; the head is not
 * used further then.
 */
enum fg_err fg_head_line(struct fg_head *head, struct fg_str line, struct fg_head_item *out) FG_MUST_CHECK;

#endif
