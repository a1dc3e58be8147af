/* Within token/ only: what a key and a set are made of, and how key_set.c gets keys out of JWK and PEM. */
#ifndef FG_TOKEN_KEY_INTERNAL_H
#define FG_TOKEN_KEY_INTERNAL_H

#include "token/json.h"
#include "token/key.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

struct fg_key {
	enum fg_key_type type;
	fg_alg_set algorithms;
	struct fg_str kid;        /* owned; p NULL: none */
	struct evp_pkey_st *pkey; /* owned; NULL for a secret */
	struct fg_str pem;        /* owned, NUL-terminated: the public key again, which is how libjwt wants it */
	struct fg_str secret;     /* owned */
	uint8_t thumbprint[FG_KEY_ID_BYTES];
	struct fg_key_id id;
};

struct fg_key_set {
	unsigned refs;
	size_t count;
	struct fg_key_id id;
	struct fg_key keys[];
};

/* The curves of RFC 7518 §6.2.1.1. NULL: none of them. */
struct fg_curve {
	const char *crv;   /* JOSE's name */
	const char *group; /* OpenSSL's */
	enum fg_key_type type;
	enum fg_alg alg;
	size_t bytes; /* of a coordinate, and of each half of a signature */
};
const struct fg_curve *fg_curve_by_crv(struct fg_str crv);
const struct fg_curve *fg_curve_by_alg(enum fg_alg alg);

/* What became of one key. */
enum fg_key_fate { FG_KEY_TAKEN, FG_KEY_SKIPPED, FG_KEY_REFUSED };

/* Where what is wrong with it is said. */
struct fg_key_why {
	char text[FG_KEY_REPORT_BYTES - 72];
};
void fg_key_say(struct fg_key_why *why, const char *fmt, ...) FG_PRINTF(2, 3);

/*
 * Both fill *key, which is all zero before and, unless it is taken, after (what it owned is freed). Neither sets its id.
 */
enum fg_key_fate fg_key_from_jwk(struct fg_key *key, const struct fg_json_node *jwk, bool *has_private,
    struct fg_key_why *why);
/* Takes over pkey, NULL too. */
enum fg_key_fate fg_key_from_pkey(struct fg_key *key, struct evp_pkey_st *pkey, struct fg_key_why *why);

/* The HMAC algorithms that a secret of len bytes is long enough for. */
fg_alg_set fg_key_hmac_algorithms(size_t len);
/* secret is copied; not empty. */
void fg_key_from_secret(struct fg_key *key, struct fg_str secret);
/* A copy, NUL-terminated, and its end; what was in it is wiped. */
struct fg_str fg_key_copy(struct fg_str text);
void fg_key_free_copy(struct fg_str copy);
void fg_key_fini(struct fg_key *key);

#endif
