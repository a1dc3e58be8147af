/*
 * A JSON Web Signature in compact form (RFC 7515 §3.1): split, its header judged, its signature verified.
 *
 * Nothing in a token chooses its own key: `jku`, `x5u`, `jwk` and `x5c` are refused, not ignored. The key is chosen from a set
 * first, by kid and kind, and decides which algorithms may be used.
 */
#ifndef FG_TOKEN_JWS_H
#define FG_TOKEN_JWS_H

#include "base/limits.h"
#include "token/json.h"
#include "token/key.h"

struct fg_jws {
	struct fg_str text;        /* borrowed: the whole token, "header.payload.signature" */
	struct fg_str signed_part; /* of text: "header.payload" */
	enum fg_alg alg;
	struct fg_str kid;      /* p NULL: it has none. Chosen by whoever made the token; it is only ever compared. */
	struct fg_str typ;      /* p NULL: it has none */
	struct fg_json *header; /* owned */
	struct fg_json *claims; /* owned; NULL until fg_jws_read_claims() */
	struct fg_str payload;  /* decoded; in memory */
	char *memory;           /* owned */
	uint8_t signature[FG_MAX_SIGNATURE_BYTES];
	size_t signature_len;
};

/*
 * text must outlive *jws. On FG_OK the caller ends with fg_jws_fini(); otherwise there is nothing to free. Nothing is
 * verified yet. Otherwise, with a constant sentence for the log in *why (which may be NULL):
 *   FG_ERR_TOKEN_TOO_LARGE           over FG_MAX_TOKEN_BYTES, or too deep, or too many members
 *   FG_ERR_TOKEN_MALFORMED           not three parts of canonical base64url, header not a JSON object, a member twice, …
 *   FG_ERR_TOKEN_ALGORITHM_REFUSED   `none`, in any spelling, or one that is not known
 *   FG_ERR_TOKEN_KEY_URL             `jku`, `x5u`
 *   FG_ERR_TOKEN_KEY_EMBEDDED        `jwk`, `x5c`
 *   FG_ERR_TOKEN_CRITICAL_UNKNOWN    `crit`, whatever is in it, or `b64`
 *   FG_ERR_TOKEN_ENCRYPTED           five parts, `enc` or `zip`: a JWE (RFC 7516)
 */
FG_MUST_CHECK enum fg_err fg_jws_parse(struct fg_jws *jws, struct fg_str text, const char **why);
void fg_jws_fini(struct fg_jws *jws);

/* Reads the payload as a JSON object into jws->claims, once. FG_ERR_TOKEN_MALFORMED or _TOO_LARGE otherwise. */
FG_MUST_CHECK enum fg_err fg_jws_read_claims(struct fg_jws *jws, const char **why);
/* `iss`, unverified: good for choosing among providers and for nothing else. p NULL: none, or the payload is no JSON. */
struct fg_str fg_jws_issuer(struct fg_jws *jws);

/*
 * Verifies the signature with a key of the set. On FG_OK *used (may be NULL) is the key, borrowed from the set.
 *   FG_ERR_TOKEN_ALGORITHM_REFUSED   the token's is not in `allowed`, or no key of this kid (or none at all) is for it
 *   FG_ERR_TOKEN_KEY_UNKNOWN         it names a kid that no key has, in a set with kids: the caller may fetch the set again
 *                                    (with a cooldown)
 *   FG_ERR_TOKEN_SIGNATURE_INVALID
 * Keys tried: those of the token's kid; when no key has it, or it names none, those without a kid, or all, of the fitting kind;
 * at most FG_MAX_KEY_TRIES. (A set of PEM keys or of a secret has no kids, whatever a token says.)
 */
FG_MUST_CHECK enum fg_err fg_jws_verify(const struct fg_jws *jws, const struct fg_key_set *keys, fg_alg_set allowed,
    const struct fg_key **used, const char **why);

#endif
