/* A bounded, growing byte buffer and the few formats that logs, metrics and answers are made of. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST_BYTES = 256 };

void
fg_buf_init(struct fg_buf *buf, size_t max)
{
	*buf = (struct fg_buf){.max = max};
}

void
fg_buf_fini(struct fg_buf *buf)
{
	free(buf->p);
	*buf = (struct fg_buf){.max = buf->max};
}

void
fg_buf_reset(struct fg_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

void
fg_buf_consume(struct fg_buf *buf, size_t n)
{
	FG_ASSERT(n <= buf->len);
	buf->len -= n;
	if (buf->len > 0)
		memmove(buf->p, buf->p + n, buf->len);
}

char *
fg_buf_reserve(struct fg_buf *buf, size_t n)
{
	size_t cap = buf->cap == 0 ? SMALLEST_BYTES : buf->cap;

	if (n > buf->max - buf->len) {
		buf->failed = true;
		return NULL;
	}
	if (buf->cap - buf->len < n) {
		while (cap < buf->len + n)
			cap *= 2;
		if (cap > buf->max)
			cap = buf->max;
		buf->p = realloc(buf->p, cap);
		FG_ASSERT(buf->p != NULL);
		buf->cap = cap;
	}
	return buf->p + buf->len;
}

bool
fg_buf_append(struct fg_buf *buf, const void *data, size_t len)
{
	if (len == 0)
		return true;
	if (len > buf->cap - buf->len && fg_buf_reserve(buf, len) == NULL)
		return false;
	memcpy(buf->p + buf->len, data, len);
	buf->len += len;
	return true;
}

bool
fg_buf_add(struct fg_buf *buf, struct fg_str s)
{
	return fg_buf_append(buf, s.p, s.len);
}

bool
fg_buf_add_char(struct fg_buf *buf, char c)
{
	return fg_buf_append(buf, &c, 1);
}

bool
fg_buf_add_u64(struct fg_buf *buf, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return fg_buf_append(buf, digits + at, sizeof(digits) - at);
}

bool
fg_buf_vprintf(struct fg_buf *buf, const char *fmt, va_list args)
{
	va_list again;
	char *at;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	FG_ASSERT(len >= 0);
	at = fg_buf_reserve(buf, (size_t)len + 1);
	if (at != NULL) {
		vsnprintf(at, (size_t)len + 1, fmt, again);
		buf->len += (size_t)len;
	}
	va_end(again);
	return at != NULL;
}

bool
fg_buf_printf(struct fg_buf *buf, const char *fmt, ...)
{
	va_list args;
	bool ok;

	va_start(args, fmt);
	ok = fg_buf_vprintf(buf, fmt, args);
	va_end(args);
	return ok;
}

/* Length of the valid UTF-8 sequence (RFC 3629) at the start of s, or 0. */
static size_t
utf8_length(struct fg_str s)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high, length;
	} forms[] = {
	    {0x00, 0x7f, 0x00, 0xff, 1},
	    {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3},
	    {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	const unsigned char *u = (const unsigned char *)s.p;

	for (size_t i = 0; i < FG_ARRAY_LEN(forms); i++) {
		if (u[0] < forms[i].first_low || u[0] > forms[i].first_high)
			continue;
		if (s.len < forms[i].length)
			return 0;
		if (forms[i].length > 1 && (u[1] < forms[i].second_low || u[1] > forms[i].second_high))
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((u[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

bool
fg_buf_add_json(struct fg_buf *buf, struct fg_str s)
{
	size_t plain = 0, i = 0;
	bool ok = true;

	while (i < s.len) {
		unsigned char c = (unsigned char)s.p[i];
		size_t length;

		if (is_plain(c)) {
			i++;
			continue;
		}
		length = utf8_length(fg_str_slice(s, i, s.len));
		if (c >= 0x80 && length > 0) {
			i += length;
			continue;
		}
		ok &= fg_buf_append(buf, s.p + plain, i - plain);
		if (length == 0)
			ok &= fg_buf_add(buf, FG_STR("\xef\xbf\xbd"));
		else if (c == '"' || c == '\\')
			ok &= fg_buf_add_char(buf, '\\') && fg_buf_add_char(buf, (char)c);
		else if (c == '\n')
			ok &= fg_buf_add(buf, FG_STR("\\n"));
		else
			ok &= fg_buf_printf(buf, "\\u%04x", c);
		plain = ++i;
	}
	return fg_buf_append(buf, s.p + plain, s.len - plain) && ok;
}
