/*
 * Strings: a pointer and a length, bytes owned by somebody else. They need no terminator and may hold any byte.
 */
#ifndef FG_BASE_STR_H
#define FG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fg_str {
	const char *p; /* borrowed; may be NULL when len is 0 */
	size_t len;
};

#define FG_STR(literal) ((struct fg_str){(literal), sizeof(literal) - 1})
#define FG_STR_INIT(literal) {(literal), sizeof(literal) - 1}
#define FG_STR_NONE ((struct fg_str){NULL, 0})
#define FG_STR_FMT "%.*s"
#define FG_STR_ARG(s) (int)(s).len, (s).p

static inline struct fg_str
fg_str_from(const char *text)
{
	return (struct fg_str){text, text == NULL ? 0 : strlen(text)};
}

static inline bool
fg_str_eq(struct fg_str a, struct fg_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool
fg_str_starts_with(struct fg_str s, struct fg_str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

/* ASCII letters alone are folded, whatever the locale (RFC 9110 §5.1). */
bool fg_str_ieq(struct fg_str a, struct fg_str b);
bool fg_str_ends_with(struct fg_str s, struct fg_str suffix);
int fg_str_cmp(struct fg_str a, struct fg_str b); /* bytes, then length; for sorting */

/* Index of the first c, or s.len. */
static inline size_t
fg_str_find(struct fg_str s, char c)
{
	const char *at = s.len == 0 ? NULL : memchr(s.p, c, s.len);

	return at == NULL ? s.len : (size_t)(at - s.p);
}

/* [from, to); both are clamped to the length. */
static inline struct fg_str
fg_str_slice(struct fg_str s, size_t from, size_t to)
{
	if (to > s.len)
		to = s.len;
	if (from > to)
		from = to;
	if (s.p == NULL)
		return s;
	return (struct fg_str){s.p + from, to - from};
}

/* Without spaces and tabs at both ends (OWS of RFC 9110 §5.6.3). */
struct fg_str fg_str_trim(struct fg_str s);
/*
 * Takes the text before the next sep from *rest into *item (not trimmed) and moves *rest behind the separator.
 * False once *rest is exhausted. "a,,b" gives "a", "", "b"; "" gives nothing.
 */
bool fg_str_next(struct fg_str *rest, char sep, struct fg_str *item);

/* Whole of s as an unsigned decimal number. False on an empty string, another character, or overflow. */
bool fg_str_to_u64(struct fg_str s, uint64_t *out);

/* For hash tables in memory, keyed against flooding: SipHash-1-3 with a key drawn once a process. */
uint64_t fg_str_hash(struct fg_str s);

/* FNV-1a, going on from hash: the same in every process. For what nobody has a reason to attack. */
#define FG_FNV_INIT UINT64_C(0xcbf29ce484222325)
uint64_t fg_str_fnv(uint64_t hash, struct fg_str s);

/* Compares secrets: time depends on the lengths alone. */
bool fg_str_eq_secret(struct fg_str a, struct fg_str b);

static inline char
fg_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline char
fg_ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static inline bool
fg_ascii_is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Value of a hexadecimal digit, or -1. */
static inline int
fg_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A token of RFC 9110 §5.6.2: what a method or a header name may consist of. */
bool fg_is_token(struct fg_str s);
/* A field value of RFC 9110 §5.5: no NUL, CR, LF, nor another control character but the tab. */
bool fg_is_field_value(struct fg_str s);

#endif
