/* What Redis knows a script by: SHA-1 (RFC 3174) of its text. No secret depends on it. */
#include "redis/redis_internal.h"

struct sha1 {
	uint32_t h[5];
};

static uint32_t
rotate(uint32_t x, int bits)
{
	return (x << bits) | (x >> (32 - bits));
}

static void
add_block(struct sha1 *sha, const unsigned char *p)
{
	uint32_t w[80], a = sha->h[0], b = sha->h[1], c = sha->h[2], d = sha->h[3], e = sha->h[4];

	for (int i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	for (int i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5a827999u :
		    i < 40 ? (b ^ c ^ d) + 0x6ed9eba1u :
		    i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu : (b ^ c ^ d) + 0xca62c1d6u;
		uint32_t next = rotate(a, 5) + f + e + w[i];

		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	sha->h[0] += a;
	sha->h[1] += b;
	sha->h[2] += c;
	sha->h[3] += d;
	sha->h[4] += e;
}

void
fg_redis_script_init(struct fg_redis_script *script, struct fg_str source)
{
	static const char digits[] = "0123456789abcdef";
	struct sha1 sha = {{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
	unsigned char last[128] = {0};
	size_t whole = source.len / 64 * 64, rest = source.len - whole, size = rest < 56 ? 64 : 128;
	uint64_t bits = (uint64_t)source.len * 8;

	for (size_t at = 0; at < whole; at += 64)
		add_block(&sha, (const unsigned char *)source.p + at);
	if (rest > 0)
		memcpy(last, source.p + whole, rest);
	last[rest] = 0x80;
	for (size_t i = 0; i < 8; i++)
		last[size - 1 - i] = (unsigned char)(bits >> (8 * i));
	for (size_t at = 0; at < size; at += 64)
		add_block(&sha, last + at);
	script->source = source;
	for (size_t i = 0; i < FG_REDIS_SHA1_HEX; i++)
		script->sha1[i] = digits[sha.h[i / 8] >> (28 - 4 * (i % 8)) & 15];
}
