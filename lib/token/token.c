/* A verified token: made in one step, counted. */
#include "token/token.h"

#include <stdlib.h>

enum fg_err
fg_token_verify(struct fg_token **out, struct fg_jws *jws, const struct fg_key_set *keys,
    const struct fg_token_rules *rules, fg_usec now, const char **why)
{
	const struct fg_key *key;
	fg_usec expires = 0;
	enum fg_err err;

	*out = NULL;
	/* Before the signature: libjwt verifies only what is known to be a JWT. */
	err = fg_jws_read_claims(jws, why);
	if (err == FG_OK)
		err = fg_jws_verify(jws, keys, rules->algorithms, &key, why);
	if (err != FG_OK)
		return err;
	err = fg_claims_check_typ(jws->typ, rules->claims.typ);
	if (err != FG_OK && why != NULL)
		*why = jws->typ.p == NULL ? "no typ" : "typ is another";
	if (err == FG_OK)
		err = fg_claims_check(fg_json_root(jws->claims), &rules->claims, now, &expires, why);
	if (err != FG_OK)
		return err;
	*out = malloc(sizeof(**out));
	FG_ASSERT(*out != NULL);
	**out = (struct fg_token){.refs = 1, .alg = jws->alg, .expires = expires, .key_id = *fg_key_id(key),
	    .claims = fg_json_hold(jws->claims), .header = fg_json_hold(jws->header)};
	return FG_OK;
}

struct fg_token *
fg_token_hold(struct fg_token *token)
{
	token->refs++;
	return token;
}

void
fg_token_release(struct fg_token *token)
{
	if (token == NULL)
		return;
	FG_ASSERT(token->refs > 0);
	if (--token->refs > 0)
		return;
	fg_json_release(token->claims);
	fg_json_release(token->header);
	free(token);
}

struct fg_str
fg_token_claim(const struct fg_token *token, struct fg_str path)
{
	return fg_claim_text(fg_claim_find(fg_json_root(token->claims), path));
}
