/*
 * Within token/ only: one key, one signature, and the two libraries that can judge it. Whether the key may judge this token at
 * all (its kind, its algorithms) was settled before.
 */
#ifndef FG_TOKEN_VERIFY_H
#define FG_TOKEN_VERIFY_H

#include "token/jws.h"

enum fg_verdict {
	FG_VERDICT_BAD,
	FG_VERDICT_GOOD,
	FG_VERDICT_UNABLE, /* of libjwt alone: it does not read this token, whatever the signature */
};

/* Whether the libjwt found when this was built verifies the algorithm, as well as it has to be done. */
bool fg_libjwt_takes(enum fg_alg alg);
enum fg_verdict fg_verify_by_libjwt(const struct fg_jws *jws, const struct fg_key *key);
/* All algorithms. */
enum fg_verdict fg_verify_by_openssl(const struct fg_jws *jws, const struct fg_key *key);

#endif
