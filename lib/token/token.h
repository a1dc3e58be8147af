/*
 * A token from the request's text to a verified, immutable object: what the filters call.
 *
 *   token = fg_token_cache_get(cache, text, provider, keys, now)      a hit: done
 *   fg_jws_parse(&jws, text, &why)                                    else; then choose the provider: fg_jws_issuer(&jws)
 *   fg_token_verify(&token, &jws, keys, &rules, now, &why)            FG_ERR_TOKEN_KEY_UNKNOWN: fetch, once, and again
 *   fg_token_cache_put(cache, text, provider, keys, token, now)
 *   fg_jws_fini(&jws)                                                 and fg_token_release(token) when the exchange ends
 */
#ifndef FG_TOKEN_TOKEN_H
#define FG_TOKEN_TOKEN_H

#include "token/claims.h"
#include "token/jws.h"

struct fg_token_rules {
	fg_alg_set algorithms; /* those of the configuration; never empty */
	struct fg_claim_rules claims;
};

/* Counted, not locked: it belongs to one thread. */
struct fg_token {
	unsigned refs;
	enum fg_alg alg;
	fg_usec expires;         /* exp + leeway, or FG_NEVER */
	struct fg_key_id key_id; /* of the key that verified it */
	struct fg_json *claims;  /* owned; fg_json_root() is what fg_claim_find() takes */
	struct fg_json *header;  /* owned */
};

/*
 * Key and algorithm, signature, typ, claims, in this order; the errors are those of fg_jws_verify(), fg_jws_read_claims()
 * and fg_claims_check(). On FG_OK *out has one reference and lives on its own (jws and keys may go).
 */
FG_MUST_CHECK enum fg_err fg_token_verify(struct fg_token **out, struct fg_jws *jws, const struct fg_key_set *keys,
    const struct fg_token_rules *rules, fg_usec now, const char **why);
struct fg_token *fg_token_hold(struct fg_token *token);
void fg_token_release(struct fg_token *token); /* NULL: nothing */

/* fg_claim_text() of the claim a path leads to. */
struct fg_str fg_token_claim(const struct fg_token *token, struct fg_str path);

#endif
