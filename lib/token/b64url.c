/* Strict base64url: one spelling for each sequence of bytes. */
#include "token/b64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 0..63, or a value with bits above that. */
static unsigned
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : 64;
}

bool
fg_b64url_decode(uint8_t *out, struct fg_str text)
{
	size_t i = 0, left = text.len % 4;
	unsigned seen = 0, word;

	if (left == 1)
		return false;
	for (; i + 4 <= text.len; i += 4) {
		unsigned a = value_of(text.p[i]), b = value_of(text.p[i + 1]);
		unsigned c = value_of(text.p[i + 2]), d = value_of(text.p[i + 3]);

		seen |= a | b | c | d;
		word = a << 18 | b << 12 | c << 6 | d;
		*out++ = (uint8_t)(word >> 16);
		*out++ = (uint8_t)(word >> 8);
		*out++ = (uint8_t)word;
	}
	if (left > 0) {
		unsigned a = value_of(text.p[i]), b = value_of(text.p[i + 1]), c = left == 3 ? value_of(text.p[i + 2]) : 0;

		seen |= a | b | c;
		word = a << 18 | b << 12 | c << 6;
		*out++ = (uint8_t)(word >> 16);
		if (left == 3)
			*out++ = (uint8_t)(word >> 8);
		if ((word & (left == 3 ? 0xffu : 0xffffu)) != 0)
			return false;
	}
	return seen < 64;
}

void
fg_b64url_encode(char *out, const void *data, size_t len)
{
	const uint8_t *in = data;

	while (len > 0) {
		size_t n = len < 3 ? len : 3;
		unsigned word = (unsigned)in[0] << 16 | (n > 1 ? (unsigned)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);

		for (size_t i = 0; i <= n; i++)
			*out++ = alphabet[word >> (18 - 6 * i) & 63];
		in += n;
		len -= n;
	}
}

bool
fg_b64url_add(struct fg_buf *buf, const void *data, size_t len)
{
	size_t size = fg_b64url_encoded_size(len);
	char *at;

	if (len == 0)
		return true;
	at = fg_buf_reserve(buf, size);
	if (at == NULL)
		return false;
	fg_b64url_encode(at, data, len);
	buf->len += size;
	return true;
}
