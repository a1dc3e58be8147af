/*
 * Makes what an identity provider makes: keys, JWK Sets, and tokens of any header and payload, right or wrong. Shares no code
 * with the library that reads them.
 */
#ifndef FG_TESTS_TOKEN_MAKER_H
#define FG_TESTS_TOKEN_MAKER_H

#include <stddef.h>

struct maker_key;

/* alg: "HS256", "PS384", "EdDSA", … : the key is of its kind, and signs by it whatever a header says. HS keys are random. */
struct maker_key *maker_key_new(const char *alg);
/* With a secret of the caller's choice. */
struct maker_key *maker_key_from_secret(const char *alg, const void *secret, size_t len);
/* RSA of a number of bits. */
struct maker_key *maker_key_new_rsa(const char *alg, unsigned bits);
void maker_key_free(struct maker_key *key);

/* All texts are NUL-terminated and the caller's to free. */
/* {"kty":…} with more members inserted as they are, such as "\"kid\":\"a\",\"use\":\"sig\"" (NULL or "": none). */
char *maker_jwk(const struct maker_key *key, const char *more);
/* {"keys":[…]} of up to four JWKs; NULL ends. They are freed. */
char *maker_jwks(char *a, char *b, char *c, char *d);
/* PEM of the public key (SubjectPublicKeyInfo); *der, if not NULL, is the DER within, of *der_len bytes, the caller's too. */
char *maker_pem(const struct maker_key *key, unsigned char **der, size_t *der_len);

/* A compact JWS. ES* signatures as JOSE wants them. */
char *maker_token(const struct maker_key *key, const char *header, const char *payload);
/* The same with an ES* signature in DER, as a careless library makes it. */
char *maker_token_der(const struct maker_key *key, const char *header, const char *payload);
/* The three parts, encoded and joined, with this signature. */
char *maker_token_with(const char *header, const char *payload, const void *signature, size_t signature_len);

#endif
