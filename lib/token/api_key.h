/*
 * API keys that are made here:
 *
 *   fg_ 8 characters _ 43 characters 6 characters
 *       prefix         secret        checksum        (letters and digits; 61 characters in all)
 *
 * The prefix names the key in lists and logs; the secret has 256 bits; the checksum (CRC-32 of all before it) tells a mistyped
 * key, and lets a scanner of leaked secrets be sure, without asking anybody. Only SHA-256 of the whole is ever stored: the
 * secret is random, so there is nothing to guess and no need of a slow hash.
 */
#ifndef FG_TOKEN_API_KEY_H
#define FG_TOKEN_API_KEY_H

#include "base/assert.h"
#include "base/err.h"

enum {
	FG_API_KEY_PREFIX_LEN = 3 + 8,
	FG_API_KEY_LEN = FG_API_KEY_PREFIX_LEN + 1 + 43 + 6,
	FG_API_KEY_HASH_BYTES = 32,
	FG_API_KEY_HASH_TEXT_LEN = 7 + 64,
};

struct fg_api_key_hash {
	uint8_t bytes[FG_API_KEY_HASH_BYTES];
};

/* Draws a key from getrandom(2). out takes FG_API_KEY_LEN + 1 bytes and is NUL-terminated; the caller wipes it. */
void fg_api_key_new(char *out);
/* FG_OK when text has this form and its checksum is right; FG_ERR_API_KEY_MALFORMED otherwise. */
FG_MUST_CHECK enum fg_err fg_api_key_check(struct fg_str text);
/* "fg_XXXXXXXX" of a key of this form, for logs; FG_STR_NONE of anything else (which may be a secret of another kind). */
struct fg_str fg_api_key_prefix(struct fg_str text);

/* Of any text: keys from elsewhere can be brought along. */
void fg_api_key_hash(struct fg_api_key_hash *out, struct fg_str text);
/* "sha256:" and 64 lower-case hexadecimal digits. out takes FG_API_KEY_HASH_TEXT_LEN + 1 bytes, NUL-terminated. */
void fg_api_key_hash_format(char *out, const struct fg_api_key_hash *hash);
/* The same, back; hexadecimal digits of either case. */
FG_MUST_CHECK bool fg_api_key_hash_parse(struct fg_api_key_hash *out, struct fg_str text);
/* Constant time. */
bool fg_api_key_hash_eq(const struct fg_api_key_hash *a, const struct fg_api_key_hash *b);

#endif
