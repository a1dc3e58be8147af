/* Keys and tokens by OpenSSL alone. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/token_maker.h"

enum { SECRET_BYTES = 64, MAX_SIGNATURE = 2048, TEXT_BYTES = 32 * 1024 };

struct maker_key {
	char alg[8];
	EVP_PKEY *pkey; /* NULL: HMAC */
	unsigned char secret[2048];
	size_t secret_len;
};

static void
must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "token_maker: %s failed\n", what);
		abort();
	}
}

static struct maker_key *
key_new(const char *alg)
{
	struct maker_key *key = calloc(1, sizeof(*key));

	must(key != NULL && strlen(alg) < sizeof(key->alg), "alg");
	memcpy(key->alg, alg, strlen(alg) + 1);
	return key;
}

static bool
is(const struct maker_key *key, const char *family)
{
	return strncmp(key->alg, family, 2) == 0;
}

struct maker_key *
maker_key_from_secret(const char *alg, const void *secret, size_t len)
{
	struct maker_key *key = key_new(alg);

	must(len <= sizeof(key->secret), "secret");
	memcpy(key->secret, secret, len);
	key->secret_len = len;
	return key;
}

struct maker_key *
maker_key_new_rsa(const char *alg, unsigned bits)
{
	struct maker_key *key = key_new(alg);

	key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	must(key->pkey != NULL, "keygen");
	return key;
}

struct maker_key *
maker_key_new(const char *alg)
{
	unsigned char secret[SECRET_BYTES];
	struct maker_key *key;

	if (strncmp(alg, "HS", 2) == 0) {
		must(RAND_bytes(secret, sizeof(secret)) == 1, "random");
		return maker_key_from_secret(alg, secret, sizeof(secret));
	}
	if (strncmp(alg, "RS", 2) == 0 || strncmp(alg, "PS", 2) == 0)
		return maker_key_new_rsa(alg, 2048);
	key = key_new(alg);
	if (is(key, "Ed"))
		key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC",
		    strcmp(alg, "ES256") == 0 ? "P-256" : strcmp(alg, "ES384") == 0 ? "P-384" : "P-521");
	must(key->pkey != NULL, "keygen");
	return key;
}

void
maker_key_free(struct maker_key *key)
{
	EVP_PKEY_free(key->pkey);
	free(key);
}

/* Appends base64url; returns the new end. */
static char *
add_b64(char *at, const void *data, size_t len)
{
	char *from = at;
	int n = EVP_EncodeBlock((unsigned char *)at, data, (int)len);

	for (at += n; at > from && at[-1] == '='; at--)
		;
	*at = '\0';
	for (; from < at; from++)
		*from = (char)(*from == '+' ? '-' : *from == '/' ? '_' : *from);
	return at;
}

static char *
add_bn(char *at, const char *name, const EVP_PKEY *pkey, const char *param, size_t width)
{
	unsigned char bytes[MAX_SIGNATURE];
	BIGNUM *bn = NULL;
	size_t len;

	must(EVP_PKEY_get_bn_param(pkey, param, &bn) == 1, param);
	len = width > 0 ? width : (size_t)BN_num_bytes(bn);
	must(BN_bn2binpad(bn, bytes, (int)len) == (int)len, param);
	BN_free(bn);
	at += sprintf(at, ",\"%s\":\"", name);
	at = add_b64(at, bytes, len);
	return at + sprintf(at, "\"");
}

static size_t
half_of(const struct maker_key *key)
{
	return strcmp(key->alg, "ES256") == 0 ? 32 : strcmp(key->alg, "ES384") == 0 ? 48 : 66;
}

char *
maker_jwk(const struct maker_key *key, const char *more)
{
	char *text = malloc(TEXT_BYTES), *at = text;
	unsigned char raw[32];
	size_t len = sizeof(raw);

	must(text != NULL, "malloc");
	if (key->pkey == NULL) {
		at += sprintf(at, "{\"kty\":\"oct\",\"k\":\"");
		at = add_b64(at, key->secret, key->secret_len);
		at += sprintf(at, "\"");
	} else if (is(key, "ES")) {
		at += sprintf(at, "{\"kty\":\"EC\",\"crv\":\"P-%s\"", half_of(key) == 66 ? "521" : key->alg + 2);
		at = add_bn(at, "x", key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, half_of(key));
		at = add_bn(at, "y", key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, half_of(key));
	} else if (is(key, "Ed")) {
		must(EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) == 1, "raw key");
		at += sprintf(at, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
		at = add_b64(at, raw, len);
		at += sprintf(at, "\"");
	} else {
		at += sprintf(at, "{\"kty\":\"RSA\"");
		at = add_bn(at, "n", key->pkey, OSSL_PKEY_PARAM_RSA_N, 0);
		at = add_bn(at, "e", key->pkey, OSSL_PKEY_PARAM_RSA_E, 0);
	}
	sprintf(at, "%s%s}", more != NULL && more[0] != '\0' ? "," : "", more != NULL ? more : "");
	return text;
}

char *
maker_jwks(char *a, char *b, char *c, char *d)
{
	char *all[] = {a, b, c, d}, *text = malloc(4 * TEXT_BYTES), *at = text;

	must(text != NULL, "malloc");
	at += sprintf(at, "{\"keys\":[");
	for (size_t i = 0; i < 4 && all[i] != NULL; i++) {
		at += sprintf(at, "%s%s", i > 0 ? "," : "", all[i]);
		free(all[i]);
	}
	sprintf(at, "]}");
	return text;
}

char *
maker_pem(const struct maker_key *key, unsigned char **der, size_t *der_len)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p, *pem;
	long len;

	must(bio != NULL && PEM_write_bio_PUBKEY(bio, key->pkey) == 1, "PEM");
	len = BIO_get_mem_data(bio, &p);
	pem = malloc((size_t)len + 1);
	must(pem != NULL, "malloc");
	memcpy(pem, p, (size_t)len);
	pem[len] = '\0';
	BIO_free(bio);
	if (der != NULL) {
		unsigned char *end;

		*der_len = (size_t)i2d_PUBKEY(key->pkey, NULL);
		*der = end = malloc(*der_len);
		must(end != NULL && i2d_PUBKEY(key->pkey, &end) > 0, "DER");
	}
	return pem;
}

char *
maker_token_with(const char *header, const char *payload, const void *signature, size_t signature_len)
{
	char *text = malloc(2 * (strlen(header) + strlen(payload) + signature_len) + 64), *at;

	must(text != NULL, "malloc");
	at = add_b64(text, header, strlen(header));
	*at++ = '.';
	at = add_b64(at, payload, strlen(payload));
	*at++ = '.';
	add_b64(at, signature, signature_len);
	return text;
}

static const EVP_MD *
hash_of(const struct maker_key *key)
{
	if (is(key, "Ed"))
		return NULL;
	return key->alg[2] == '2' ? EVP_sha256() : key->alg[2] == '3' ? EVP_sha384() : EVP_sha512();
}

static size_t
sign(const struct maker_key *key, const char *text, size_t text_len, unsigned char *out)
{
	size_t len = MAX_SIGNATURE;
	EVP_PKEY_CTX *pctx;
	EVP_MD_CTX *ctx;
	unsigned n;

	if (key->pkey == NULL) {
		must(HMAC(hash_of(key), key->secret, (int)key->secret_len, (const unsigned char *)text, text_len, out, &n) != NULL,
		    "HMAC");
		return n;
	}
	ctx = EVP_MD_CTX_new();
	must(ctx != NULL && EVP_DigestSignInit(ctx, &pctx, hash_of(key), NULL, key->pkey) == 1, "sign");
	if (is(key, "PS"))
		must(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1, "PSS");
	must(EVP_DigestSign(ctx, out, &len, (const unsigned char *)text, text_len) == 1, "sign");
	EVP_MD_CTX_free(ctx);
	return len;
}

/* DER to r and s, one behind the other. */
static size_t
to_jose(const struct maker_key *key, unsigned char *signature, size_t len)
{
	const unsigned char *der = signature;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	size_t half = half_of(key);
	unsigned char both[132];

	must(sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), both, (int)half) == (int)half &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), both + half, (int)half) == (int)half, "r and s");
	ECDSA_SIG_free(sig);
	memcpy(signature, both, 2 * half);
	return 2 * half;
}

static char *
make(const struct maker_key *key, const char *header, const char *payload, bool der)
{
	char *unsigned_token = maker_token_with(header, payload, "", 0), *token;
	unsigned char signature[MAX_SIGNATURE];
	size_t len = sign(key, unsigned_token, strlen(unsigned_token) - 1, signature);

	if (is(key, "ES") && !der)
		len = to_jose(key, signature, len);
	token = maker_token_with(header, payload, signature, len);
	free(unsigned_token);
	return token;
}

char *
maker_token(const struct maker_key *key, const char *header, const char *payload)
{
	return make(key, header, payload, false);
}

char *
maker_token_der(const struct maker_key *key, const char *header, const char *payload)
{
	return make(key, header, payload, true);
}
