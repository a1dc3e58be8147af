/*
 * Keys that verify signatures, and immutable sets of them: made of a JWK Set (RFC 7517), of PEM, or of a secret. Reading
 * files and fetching URLs is the caller's.
 *
 * A key verifies its own kind of algorithm alone. What a key says about itself is honoured: kty and crv, `alg`, `use`
 * (sig or absent), `key_ops` (verify among them, or absent). Not taken: RSA under 2048 bits, a point that is not on its
 * curve, an HMAC secret shorter than its hash (RFC 7518 §3.2).
 *
 * A set is counted, not locked: it belongs to one thread.
 */
#ifndef FG_TOKEN_KEY_H
#define FG_TOKEN_KEY_H

#include "base/err.h"
#include "base/assert.h"
#include "base/buf.h"
#include "token/alg.h"

enum fg_key_type { FG_KEY_OCT, FG_KEY_RSA, FG_KEY_EC_P256, FG_KEY_EC_P384, FG_KEY_EC_P521, FG_KEY_ED25519 };

enum { FG_KEY_ID_BYTES = 32, FG_KEY_REPORT_BYTES = 200 };

/* SHA-256 of all that a key is and says of itself (or of all keys of a set, in order): equal means the same. */
struct fg_key_id {
	uint8_t bytes[FG_KEY_ID_BYTES];
};

struct fg_key;
struct fg_key_set;

/* What became of the keys of a text. The caller logs `message` when it is not empty, even when the set was taken. */
struct fg_key_report {
	unsigned usable;
	unsigned skipped;      /* unknown kty, crv or alg, or not for verifying: left out, as RFC 7517 §5 says */
	unsigned refused;      /* too weak or broken: left out too, but worth a warning */
	unsigned with_private; /* private members were ignored: whoever published them should know */
	char message[FG_KEY_REPORT_BYTES]; /* the first thing wrong, with the key's kid or number; "" when there is none */
};

/*
 * All four: FG_OK with one reference in *out; FG_ERR_SYNTAX when the text is no such thing or has no usable key;
 * FG_ERR_TOO_LARGE over FG_MAX_KEY_SET_BYTES or FG_MAX_KEYS. *report is filled in either way.
 */
/* A JWK Set, or one JWK. */
FG_MUST_CHECK enum fg_err fg_key_set_from_jwks(struct fg_key_set **out, struct fg_str json, struct fg_key_report *report);
/* One or more of PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE (its key; dates and chain are not looked at). Text between is ignored;
 * a private key is refused. */
FG_MUST_CHECK enum fg_err fg_key_set_from_pem(struct fg_key_set **out, struct fg_str pem, struct fg_key_report *report);
/* The bytes themselves. algs: those of FG_ALGS_HMAC it is to verify (others are not looked at); it has to be long enough for
 * each of them. */
FG_MUST_CHECK enum fg_err fg_key_set_from_secret(struct fg_key_set **out, struct fg_str secret, fg_alg_set algs,
    struct fg_key_report *report);
/* What a file holds: PEM when it has a "-----BEGIN", else a JWK Set. */
FG_MUST_CHECK enum fg_err fg_key_set_from_text(struct fg_key_set **out, struct fg_str text, struct fg_key_report *report);

struct fg_key_set *fg_key_set_hold(struct fg_key_set *set);
void fg_key_set_release(struct fg_key_set *set); /* NULL: nothing */

/* The same content gives the same id, in every process, so a set fetched again unchanged is no new set. */
const struct fg_key_id *fg_key_set_id(const struct fg_key_set *set);
/* Whether a key that is this one in every respect is in the set. */
bool fg_key_set_has(const struct fg_key_set *set, const struct fg_key_id *key);
bool fg_key_id_eq(const struct fg_key_id *a, const struct fg_key_id *b);
size_t fg_key_set_count(const struct fg_key_set *set);

/* ---- one key; all that is returned belongs to the set */

const struct fg_key *fg_key_set_at(const struct fg_key_set *set, size_t i);
struct fg_str fg_key_kid(const struct fg_key *key); /* p NULL: it has none */
enum fg_key_type fg_key_type(const struct fg_key *key);
const char *fg_key_type_name(enum fg_key_type type); /* "RSA", "EC P-256", "Ed25519", "oct" */
/* What it verifies. */
fg_alg_set fg_key_algorithms(const struct fg_key *key);
const struct fg_key_id *fg_key_id(const struct fg_key *key);
/* RFC 7638, base64url of SHA-256, 43 characters appended. Not of a secret (asserted): it would give it away. */
void fg_key_add_thumbprint(const struct fg_key *key, struct fg_buf *out);

#endif
