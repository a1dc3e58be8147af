/* Strings without a terminator: comparison, cutting, numbers, and a keyed hash. */
#include "base/str.h"

#include <sys/random.h>

#include "base/assert.h"

bool
fg_str_ieq(struct fg_str a, struct fg_str b)
{
	if (a.len != b.len)
		return false;
	/* Most names that are the same are written the same way too. */
	if (fg_str_eq(a, b))
		return true;
	for (size_t i = 0; i < a.len; i++)
		if (fg_ascii_lower(a.p[i]) != fg_ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
fg_str_ends_with(struct fg_str s, struct fg_str suffix)
{
	return s.len >= suffix.len &&
	    (suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}

int
fg_str_cmp(struct fg_str a, struct fg_str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

struct fg_str
fg_str_trim(struct fg_str s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

bool
fg_str_next(struct fg_str *rest, char sep, struct fg_str *item)
{
	size_t at;

	if (rest->p == NULL || rest->len == 0)
		return false;
	at = fg_str_find(*rest, sep);
	*item = fg_str_slice(*rest, 0, at);
	*rest = fg_str_slice(*rest, at + 1, rest->len);
	return true;
}

bool
fg_str_to_u64(struct fg_str s, uint64_t *out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(s.p[i] - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

bool
fg_str_eq_secret(struct fg_str a, struct fg_str b)
{
	size_t n = a.len < b.len ? a.len : b.len, i = 0;
	uint64_t diff = a.len ^ b.len, x, y;

	for (; i + sizeof(x) <= n; i += sizeof(x)) {
		memcpy(&x, a.p + i, sizeof(x));
		memcpy(&y, b.p + i, sizeof(y));
		diff |= x ^ y;
	}
	for (; i < n; i++)
		diff |= (unsigned char)(a.p[i] ^ b.p[i]);
	/* The number itself is asked for, not whether it is zero, so that the compiler cannot leave at the first difference. */
	__asm__ volatile("" : "+r"(diff));
	return diff == 0;
}

uint64_t
fg_str_fnv(uint64_t hash, struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

bool
fg_is_token(struct fg_str s)
{
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!fg_ascii_is_alnum(s.p[i]) && (s.p[i] == '\0' || strchr("!#$%&'*+-.^_`|~", s.p[i]) == NULL))
			return false;
	return true;
}

/* Whether one of eight bytes is below 0x20 or is 0x7f: a subtraction that borrows shows in its top bit. */
static bool
has_control(const char *eight)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t word, no_del;

	memcpy(&word, eight, sizeof(word));
	no_del = word ^ ones * 0x7f;
	return (((word - ones * 0x20) & ~word) | ((no_del - ones) & ~no_del)) & tops;
}

bool
fg_is_field_value(struct fg_str s)
{
	size_t i = 0;

	while (s.len - i >= 8 && !has_control(s.p + i))
		i += 8;
	for (; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* ---- SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) */

static uint64_t
rotate_left(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

static void
hash_key(uint64_t key[2])
{
	/* Drawn once a process, before any thread is started; a child inherits it. */
	static uint64_t drawn[2];
	static bool is_drawn;

	if (!is_drawn) {
		FG_ASSERT(getrandom(drawn, sizeof(drawn), 0) == (ssize_t)sizeof(drawn));
		is_drawn = true;
	}
	key[0] = drawn[0];
	key[1] = drawn[1];
}

uint64_t
fg_str_hash(struct fg_str s)
{
	uint64_t key[2], v[4], word;
	size_t i;

	hash_key(key);
	v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = key[1] ^ UINT64_C(0x7465646279746573);
	for (i = 0; i + 8 <= s.len; i += 8) {
		memcpy(&word, s.p + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)s.len << 56;
	for (int shift = 0; i < s.len; i++, shift += 8)
		word |= (uint64_t)(unsigned char)s.p[i] << shift;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
