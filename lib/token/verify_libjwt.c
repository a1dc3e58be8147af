/*
 * Verifying by libjwt, the only user of jwt.h. Its decode takes the algorithm from the token: a public key given with a token
 * that says HS256 would be used as an HMAC secret. So it is called only when key and algorithm were found to fit, and asked
 * afterwards which algorithm it used.
 *
 * What it does not do is done by OpenSSL alone (verify_openssl.c):
 *   HS*    unless it is 1.16 or later: before, it compared with strcmp() (CVE-2024-25189)
 *   PS*    where its header has no JWT_ALG_PS256
 *   EdDSA  always: releases that can have another interface
 *   any    token that is no plain JWT to it: a payload that is not a JSON object, a typ other than "JWT" ("at+jwt")
 *   all    where configure was told --without-libjwt, or found one that has no jwt_decode() (3.0 and later)
 */
#include <config.h>

#include "token/verify.h"

#ifdef FG_JWT_VERSION

#include <jwt.h>
#include <openssl/err.h>

#include "token/key_internal.h"

/* JWT_ALG_NONE: it does not take this one. */
static jwt_alg_t
jwt_alg(enum fg_alg alg)
{
	switch (alg) {
#ifdef FG_JWT_VERIFIES_HMAC
	case FG_ALG_HS256:
		return JWT_ALG_HS256;
	case FG_ALG_HS384:
		return JWT_ALG_HS384;
	case FG_ALG_HS512:
		return JWT_ALG_HS512;
#endif
	case FG_ALG_RS256:
		return JWT_ALG_RS256;
	case FG_ALG_RS384:
		return JWT_ALG_RS384;
	case FG_ALG_RS512:
		return JWT_ALG_RS512;
#if HAVE_DECL_JWT_ALG_PS256
	case FG_ALG_PS256:
		return JWT_ALG_PS256;
	case FG_ALG_PS384:
		return JWT_ALG_PS384;
	case FG_ALG_PS512:
		return JWT_ALG_PS512;
#endif
	case FG_ALG_ES256:
		return JWT_ALG_ES256;
	case FG_ALG_ES384:
		return JWT_ALG_ES384;
	case FG_ALG_ES512:
		return JWT_ALG_ES512;
	default:
		return JWT_ALG_NONE;
	}
}

bool
fg_libjwt_takes(enum fg_alg alg)
{
	return jwt_alg(alg) != JWT_ALG_NONE;
}

enum fg_verdict
fg_verify_by_libjwt(const struct fg_jws *jws, const struct fg_key *key)
{
	struct fg_str material = key->secret.p != NULL ? key->secret : key->pem;
	struct fg_str text;
	jwt_t *jwt = NULL;
	bool ok;

	if (jws->claims == NULL || (jws->typ.p != NULL && !fg_str_ieq(jws->typ, FG_STR("JWT"))))
		return FG_VERDICT_UNABLE;
	text = fg_key_copy(jws->text);
	ok = jwt_decode(&jwt, text.p, (const unsigned char *)material.p, (int)material.len) == 0 && jwt != NULL &&
	    jwt_get_alg(jwt) == jwt_alg(jws->alg);
	jwt_free(jwt);
	fg_key_free_copy(text);
	if (!ok)
		ERR_clear_error();
	return ok ? FG_VERDICT_GOOD : FG_VERDICT_BAD;
}

#else

bool
fg_libjwt_takes(enum fg_alg alg)
{
	(void)alg;
	return false;
}

enum fg_verdict
fg_verify_by_libjwt(const struct fg_jws *jws, const struct fg_key *key)
{
	(void)jws;
	(void)key;
	return FG_VERDICT_UNABLE;
}

#endif
