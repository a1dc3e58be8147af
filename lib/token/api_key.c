/* API keys: drawn, checked, hashed. */
#include "token/api_key.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "token/sha256.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

enum { BASE = 62, CHECKSUM_LEN = 6, CHECKED_LEN = FG_API_KEY_LEN - CHECKSUM_LEN };

_Static_assert((int)FG_API_KEY_HASH_BYTES == (int)FG_SHA256_BYTES, "the hash is SHA-256");

/* count characters, each equally likely: bytes that would favour some are thrown away. */
static void
draw(char *out, size_t count)
{
	uint8_t bytes[64];
	size_t n = 0, at = sizeof(bytes);

	while (n < count) {
		if (at == sizeof(bytes)) {
			FG_ASSERT(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
			at = 0;
		}
		if (bytes[at] < 256 / BASE * BASE)
			out[n++] = alphabet[bytes[at] % BASE];
		at++;
	}
	explicit_bzero(bytes, sizeof(bytes));
}

/* CRC-32 of ISO/IEC 8802-3 in base 62. */
static void
checksum(char *out, struct fg_str text)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < text.len; i++) {
		crc ^= (uint8_t)text.p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	crc = ~crc;
	for (int i = CHECKSUM_LEN - 1; i >= 0; i--) {
		out[i] = alphabet[crc % BASE];
		crc /= BASE;
	}
}

void
fg_api_key_new(char *out)
{
	memcpy(out, "fg_", 3);
	draw(out + 3, FG_API_KEY_PREFIX_LEN - 3);
	out[FG_API_KEY_PREFIX_LEN] = '_';
	draw(out + FG_API_KEY_PREFIX_LEN + 1, CHECKED_LEN - FG_API_KEY_PREFIX_LEN - 1);
	checksum(out + CHECKED_LEN, (struct fg_str){out, CHECKED_LEN});
	out[FG_API_KEY_LEN] = '\0';
}

static bool
has_form(struct fg_str text)
{
	if (text.len != FG_API_KEY_LEN || !fg_str_starts_with(text, FG_STR("fg_")) || text.p[FG_API_KEY_PREFIX_LEN] != '_')
		return false;
	for (size_t i = 3; i < text.len; i++)
		if (i != FG_API_KEY_PREFIX_LEN && !fg_ascii_is_alnum(text.p[i]))
			return false;
	return true;
}

enum fg_err
fg_api_key_check(struct fg_str text)
{
	char expected[CHECKSUM_LEN];

	if (!has_form(text))
		return FG_ERR_API_KEY_MALFORMED;
	checksum(expected, fg_str_slice(text, 0, CHECKED_LEN));
	return fg_str_eq((struct fg_str){expected, CHECKSUM_LEN}, fg_str_slice(text, CHECKED_LEN, text.len)) ?
	    FG_OK : FG_ERR_API_KEY_MALFORMED;
}

struct fg_str
fg_api_key_prefix(struct fg_str text)
{
	return has_form(text) ? fg_str_slice(text, 0, FG_API_KEY_PREFIX_LEN) : FG_STR_NONE;
}

void
fg_api_key_hash(struct fg_api_key_hash *out, struct fg_str text)
{
	fg_sha256(out->bytes, text.len == 0 ? "" : text.p, text.len);
}

static const struct fg_str hash_prefix = FG_STR_INIT("sha256:");

void
fg_api_key_hash_format(char *out, const struct fg_api_key_hash *hash)
{
	char *at = out + hash_prefix.len;

	memcpy(out, hash_prefix.p, hash_prefix.len);
	for (size_t i = 0; i < sizeof(hash->bytes); i++, at += 2)
		snprintf(at, 3, "%02x", hash->bytes[i]);
}

bool
fg_api_key_hash_parse(struct fg_api_key_hash *out, struct fg_str text)
{
	if (text.len != FG_API_KEY_HASH_TEXT_LEN || !fg_str_starts_with(text, hash_prefix))
		return false;
	for (size_t i = 0; i < sizeof(out->bytes); i++) {
		const char *digits = text.p + hash_prefix.len + 2 * i;
		int high = fg_hex_value(digits[0]), low = fg_hex_value(digits[1]);

		if (high < 0 || low < 0)
			return false;
		out->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool
fg_api_key_hash_eq(const struct fg_api_key_hash *a, const struct fg_api_key_hash *b)
{
	return fg_str_eq_secret((struct fg_str){(const char *)a->bytes, sizeof(a->bytes)},
	    (struct fg_str){(const char *)b->bytes, sizeof(b->bytes)});
}
