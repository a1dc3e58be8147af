/*
 * base64url without padding (RFC 4648 §5, RFC 7515 §2), read strictly: one text for each sequence of bytes. A reader that
 * takes padding, space or stray bits lets one token be written in many ways, and what is revoked under one spelling lives on
 * under another.
 */
#ifndef FG_TOKEN_B64URL_H
#define FG_TOKEN_B64URL_H

#include "base/assert.h"
#include "base/buf.h"

/* Bytes that text of len characters stands for, when it is well-formed. */
static inline size_t
fg_b64url_decoded_size(size_t len)
{
	return len / 4 * 3 + (len % 4 == 0 ? 0 : len % 4 - 1);
}

static inline size_t
fg_b64url_encoded_size(size_t len)
{
	return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

/*
 * out takes fg_b64url_decoded_size(text.len) bytes, which is what was written when it says true. False on any character that
 * is not of the alphabet ('=', '+', '/', space, NUL, …), a length no bytes can have, or bits set behind the last byte.
 */
FG_MUST_CHECK bool fg_b64url_decode(uint8_t *out, struct fg_str text);
/* out takes fg_b64url_encoded_size(len) characters; no NUL is written. */
void fg_b64url_encode(char *out, const void *data, size_t len);
/* The same, appended. False, and nothing appended, when it does not fit. */
bool fg_b64url_add(struct fg_buf *buf, const void *data, size_t len);

#endif
