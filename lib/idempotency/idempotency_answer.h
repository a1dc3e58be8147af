/* An answer as bytes that a store keeps for an Idempotency-Key, and back. */
#ifndef FG_IDEMPOTENCY_IDEMPOTENCY_ANSWER_H
#define FG_IDEMPOTENCY_IDEMPOTENCY_ANSWER_H

#include "base/buf.h"
#include "http/headers.h"

/* Any answer's head, with the lengths. */
enum { FG_IDEMPOTENCY_HEAD_BYTES = 80 * 1024 };

/*
 * Left out: what belongs to the one message (Date, Content-Length, X-Request-Id) and to the one client (Set-Cookie: a session is
 * not handed out again, nor kept in a store). False: larger than out->max.
 */
bool fg_idempotency_answer_write(struct fg_buf *out, int status, const struct fg_headers *headers, struct fg_str body);
/*
 * Headers are added; names, values and body lie in bytes. False: not something that write has written, or that could stand in
 * an answer; whoever can write to the store cannot have a header end early, set a cookie, or say where a message ends.
 */
bool fg_idempotency_answer_read(struct fg_str bytes, int *status, struct fg_headers *headers, struct fg_str *body);

#endif
