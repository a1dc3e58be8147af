/*
 * The signature algorithms of JOSE that are known here (RFC 7518 §3.1, RFC 8037 §3.1). "none" is not among them.
 */
#ifndef FG_TOKEN_ALG_H
#define FG_TOKEN_ALG_H

#include "base/str.h"

/* clang-format off */
#define FG_ALG_TABLE(X) \
	X(HS256, "HS256", HMAC, 256) \
	X(HS384, "HS384", HMAC, 384) \
	X(HS512, "HS512", HMAC, 512) \
	X(RS256, "RS256", RSA, 256) \
	X(RS384, "RS384", RSA, 384) \
	X(RS512, "RS512", RSA, 512) \
	X(PS256, "PS256", PSS, 256) \
	X(PS384, "PS384", PSS, 384) \
	X(PS512, "PS512", PSS, 512) \
	X(ES256, "ES256", ECDSA, 256) \
	X(ES384, "ES384", ECDSA, 384) \
	X(ES512, "ES512", ECDSA, 512) \
	X(EDDSA, "EdDSA", EDDSA, 0)
/* clang-format on */

enum fg_alg {
#define FG_ALG_SYMBOL(symbol, name, family, hash) FG_ALG_##symbol,
	FG_ALG_TABLE(FG_ALG_SYMBOL)
#undef FG_ALG_SYMBOL
	FG_ALG_COUNT,
};

enum fg_alg_family { FG_ALG_FAMILY_HMAC, FG_ALG_FAMILY_RSA, FG_ALG_FAMILY_PSS, FG_ALG_FAMILY_ECDSA, FG_ALG_FAMILY_EDDSA };

/* A set of algorithms: 1u << enum fg_alg. */
typedef unsigned fg_alg_set;
#define FG_ALGS_HMAC (1u << FG_ALG_HS256 | 1u << FG_ALG_HS384 | 1u << FG_ALG_HS512)
#define FG_ALGS_ALL ((1u << FG_ALG_COUNT) - 1)

/* The exact name; upper and lower case count (RFC 7515 §4.1.1). False on any other. */
bool fg_alg_parse(enum fg_alg *out, struct fg_str name);
const char *fg_alg_name(enum fg_alg alg);
enum fg_alg_family fg_alg_family(enum fg_alg alg);
unsigned fg_alg_hash_bits(enum fg_alg alg); /* 256, 384, 512; 0 for EdDSA, which brings its own */

/* Who verifies its signatures: "OpenSSL 3.0.19", or "OpenSSL 3.0.19 and libjwt 1.10.2", as found when this was built. */
const char *fg_jws_who_verifies(enum fg_alg alg);

#endif
