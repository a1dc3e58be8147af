/*
 * What an X.509 certificate says of whom it was issued to. It was verified by somebody else (the web server that has terminated
 * TLS): nothing is verified here.
 */
#ifndef FG_TOKEN_CERTIFICATE_H
#define FG_TOKEN_CERTIFICATE_H

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"

enum { FG_CERTIFICATE_HASH_BYTES = 32 };

struct fg_certificate {
	struct fg_str subject, issuer; /* RFC 2253, as `openssl x509 -nameopt rfc2253,-esc_msb` prints it */
	struct fg_str common_name;     /* of the subject; empty: none, or several */
	struct fg_str serial;          /* hexadecimal, upper case */
	const struct fg_str *dns, *email, *uri; /* subject alternative names */
	size_t dns_count, email_count, uri_count;
	uint8_t sha256[FG_CERTIFICATE_HASH_BYTES]; /* of its DER form: the fingerprint; x5t#S256 (RFC 8705 §3.1) */
};

/*
 * One certificate in PEM; what follows it is not looked at. Line ends may be spaces, as some servers write them into a header.
 * All of *out is in the arena. A name that cannot stand in a header (a control character, no valid UTF-8) is left out; FG_ERR_SYNTAX
 * when it is in the subject or the issuer, or the text is no certificate, or over FG_MAX_CERTIFICATE_BYTES.
 */
FG_MUST_CHECK enum fg_err fg_certificate_parse(struct fg_certificate *out, struct fg_str pem, struct fg_arena *arena);

/* "sha256:" and 64 hexadecimal digits, or with a colon between each two, of either case. */
FG_MUST_CHECK bool fg_certificate_hash_parse(uint8_t *out, struct fg_str text);

#endif
