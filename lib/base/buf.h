/*
 * A byte buffer that grows up to a maximum stated when it is made. Nothing is ever truncated: an append that does
 * not fit changes nothing and says so.
 */
#ifndef FG_BASE_BUF_H
#define FG_BASE_BUF_H

#include <stdarg.h>

#include "base/assert.h"
#include "base/str.h"

struct fg_buf {
	char *p;     /* owned */
	size_t len;  /* bytes in use */
	size_t cap;  /* bytes allocated */
	size_t max;  /* never more than this in use */
	bool failed; /* an append did not fit since the last reset: lets a formatter check once, at its end */
};

void fg_buf_init(struct fg_buf *buf, size_t max);
void fg_buf_fini(struct fg_buf *buf);
/* Empties it; keeps the memory. */
void fg_buf_reset(struct fg_buf *buf);
/* Removes the first n bytes (n <= len). */
void fg_buf_consume(struct fg_buf *buf, size_t n);

/* False, and nothing appended, when the maximum would be passed. A format is checked the same way. */
bool fg_buf_append(struct fg_buf *buf, const void *data, size_t len);
bool fg_buf_add(struct fg_buf *buf, struct fg_str s);
bool fg_buf_add_char(struct fg_buf *buf, char c);
bool fg_buf_add_u64(struct fg_buf *buf, uint64_t number);
bool fg_buf_printf(struct fg_buf *buf, const char *fmt, ...) FG_PRINTF(2, 3);
bool fg_buf_vprintf(struct fg_buf *buf, const char *fmt, va_list args) FG_PRINTF(2, 0);
/*
 * s as the inside of a JSON string (RFC 8259 §7), quotes not included. Bytes that are not valid UTF-8 become
 * U+FFFD each, so that the result always is.
 */
bool fg_buf_add_json(struct fg_buf *buf, struct fg_str s);

/* Makes room for n more bytes at p + len, for a reader to fill; NULL over the maximum. Then add to len. */
char *fg_buf_reserve(struct fg_buf *buf, size_t n);

static inline struct fg_str
fg_buf_str(const struct fg_buf *buf)
{
	return (struct fg_str){buf->p, buf->len};
}

#endif
