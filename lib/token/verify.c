/* Which keys may verify a token, and in which order they are tried. */
#include "token/verify.h"

#include "token/key_internal.h"
#include "token/why.h"

enum candidates { BY_KID, WITHOUT_KID, ALL };

static bool
is_candidate(const struct fg_key *key, const struct fg_jws *jws, enum candidates which)
{
	switch (which) {
	case BY_KID:
		return key->kid.p != NULL && fg_str_eq(key->kid, jws->kid);
	case WITHOUT_KID:
		return key->kid.p == NULL;
	default:
		return true;
	}
}

static size_t
count_candidates(const struct fg_jws *jws, const struct fg_key_set *keys, enum candidates which)
{
	size_t count = 0;

	for (size_t i = 0; i < keys->count; i++)
		count += is_candidate(&keys->keys[i], jws, which);
	return count;
}

/*
 * libjwt has the word on what it takes, but OpenSSL is asked first: libjwt reads the key's PEM anew for each token, which takes
 * OpenSSL 3 some 250 us beside 16 for the signature (tests/bench/bench_token.c), and whoever sends forged tokens is not to have
 * that of us. Both have to agree.
 */
static bool
verify_with(const struct fg_jws *jws, const struct fg_key *key)
{
	if (fg_verify_by_openssl(jws, key) != FG_VERDICT_GOOD)
		return false;
	return !fg_libjwt_takes(jws->alg) || fg_verify_by_libjwt(jws, key) != FG_VERDICT_BAD;
}

static enum fg_err
try_candidates(const struct fg_jws *jws, const struct fg_key_set *keys, enum candidates which, const struct fg_key **used,
    const char **why)
{
	unsigned tries = 0;

	for (size_t i = 0; i < keys->count; i++) {
		const struct fg_key *key = &keys->keys[i];

		/* The key decides what it verifies; the token's alg only has to agree. */
		if (!is_candidate(key, jws, which) || (key->algorithms & 1u << jws->alg) == 0)
			continue;
		if (tries++ == FG_MAX_KEY_TRIES)
			return fg_refuse(FG_ERR_TOKEN_SIGNATURE_INVALID, why, "too many keys would have to be tried");
		if (verify_with(jws, key)) {
			if (used != NULL)
				*used = key;
			return FG_OK;
		}
	}
	if (tries == 0)
		return fg_refuse(FG_ERR_TOKEN_ALGORITHM_REFUSED, why, "no key is for the token's alg");
	return fg_refuse(FG_ERR_TOKEN_SIGNATURE_INVALID, why, "the signature does not verify");
}

enum fg_err
fg_jws_verify(const struct fg_jws *jws, const struct fg_key_set *keys, fg_alg_set allowed, const struct fg_key **used,
    const char **why)
{
	enum candidates which = ALL;
	enum fg_err err;

	if ((allowed & 1u << jws->alg) == 0)
		return fg_refuse(FG_ERR_TOKEN_ALGORITHM_REFUSED, why, "the token's alg is not among those accepted");
	if (jws->kid.p != NULL)
		which = count_candidates(jws, keys, BY_KID) > 0 ? BY_KID : WITHOUT_KID;
	err = try_candidates(jws, keys, which, used, why);
	/* In a set that names its keys, the one that is missing may have been added since. */
	if (err != FG_OK && which == WITHOUT_KID && count_candidates(jws, keys, WITHOUT_KID) < keys->count)
		return fg_refuse(FG_ERR_TOKEN_KEY_UNKNOWN, why, "no key has the token's kid");
	return err;
}
