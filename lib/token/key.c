/* One key: what OpenSSL holds of it is checked, named (RFC 7638) and written as PEM; or it is a secret. */
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "token/b64url.h"
#include "token/key_internal.h"
#include "token/sha256.h"

enum {
	MIN_RSA_BITS = 2048,
	MAX_EXPONENT_BITS = 64, /* a longer one makes each verification slow */
	MAX_CANONICAL_BYTES = 2 * FG_MAX_SIGNATURE_BYTES + 256,
};

void
fg_key_say(struct fg_key_why *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
}

struct fg_str
fg_key_copy(struct fg_str text)
{
	char *p = malloc(text.len + 1);

	FG_ASSERT(p != NULL);
	if (text.len > 0)
		memcpy(p, text.p, text.len);
	p[text.len] = '\0';
	return (struct fg_str){p, text.len};
}

void
fg_key_free_copy(struct fg_str copy)
{
	union {
		const char *in;
		char *out;
	} cast = {.in = copy.p};

	if (cast.out != NULL)
		OPENSSL_cleanse(cast.out, copy.len);
	free(cast.out);
}

void
fg_key_fini(struct fg_key *key)
{
	EVP_PKEY_free(key->pkey);
	fg_key_free_copy(key->kid);
	fg_key_free_copy(key->pem);
	fg_key_free_copy(key->secret);
	*key = (struct fg_key){.pkey = NULL};
}

fg_alg_set
fg_key_hmac_algorithms(size_t len)
{
	return (len >= 32 ? 1u << FG_ALG_HS256 : 0) | (len >= 48 ? 1u << FG_ALG_HS384 : 0) |
	    (len >= 64 ? 1u << FG_ALG_HS512 : 0);
}

/* ---- the canonical JSON of RFC 7638 §3.2 */

static void
add_bytes(struct fg_buf *out, const char *name, const void *bytes, size_t len)
{
	fg_buf_printf(out, ",\"%s\":\"", name);
	fg_b64url_add(out, bytes, len);
	fg_buf_add_char(out, '"');
}

static void
set_thumbprint(struct fg_key *key, struct fg_buf *canonical)
{
	FG_ASSERT(!canonical->failed);
	/* The first member was added as those that follow another. */
	canonical->p[0] = '{';
	fg_buf_add_char(canonical, '}');
	fg_sha256(key->thumbprint, canonical->p, canonical->len);
	OPENSSL_cleanse(canonical->p, canonical->len);
	fg_buf_fini(canonical);
}

void
fg_key_from_secret(struct fg_key *key, struct fg_str secret)
{
	struct fg_buf canonical;

	*key = (struct fg_key){.type = FG_KEY_OCT, .secret = fg_key_copy(secret)};
	key->algorithms = fg_key_hmac_algorithms(secret.len);
	fg_buf_init(&canonical, MAX_CANONICAL_BYTES);
	add_bytes(&canonical, "k", secret.p, secret.len);
	fg_buf_add(&canonical, FG_STR(",\"kty\":\"oct\""));
	set_thumbprint(key, &canonical);
}

static void
add_number(struct fg_buf *out, const char *name, const BIGNUM *number, size_t len)
{
	unsigned char bytes[FG_MAX_SIGNATURE_BYTES];

	FG_ASSERT(len <= sizeof(bytes) && BN_bn2binpad(number, bytes, (int)len) == (int)len);
	add_bytes(out, name, bytes, len);
}

/* ---- what OpenSSL holds */

static bool
check_rsa(const EVP_PKEY *pkey, const BIGNUM *n, const BIGNUM *e, struct fg_key_why *why)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (bits < MIN_RSA_BITS)
		fg_key_say(why, "RSA of %d bits; at least %d are needed (RFC 7518 section 3.3)", bits, MIN_RSA_BITS);
	else if (bits > FG_MAX_RSA_BITS)
		fg_key_say(why, "RSA of %d bits; at most %d are taken", bits, FG_MAX_RSA_BITS);
	else if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > MAX_EXPONENT_BITS)
		fg_key_say(why, "RSA with a modulus or an exponent that no RSA key has");
	else
		return true;
	return false;
}

static enum fg_key_fate
read_rsa(struct fg_key *key, struct fg_buf *canonical, struct fg_key_why *why)
{
	BIGNUM *n = NULL, *e = NULL;
	enum fg_key_fate fate = FG_KEY_REFUSED;

	if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
	    EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && check_rsa(key->pkey, n, e, why)) {
		key->type = FG_KEY_RSA;
		key->algorithms = 1u << FG_ALG_RS256 | 1u << FG_ALG_RS384 | 1u << FG_ALG_RS512 | 1u << FG_ALG_PS256 |
		    1u << FG_ALG_PS384 | 1u << FG_ALG_PS512;
		add_number(canonical, "e", e, (size_t)BN_num_bytes(e));
		fg_buf_add(canonical, FG_STR(",\"kty\":\"RSA\""));
		add_number(canonical, "n", n, (size_t)BN_num_bytes(n));
		fate = FG_KEY_TAKEN;
	}
	BN_free(n);
	BN_free(e);
	return fate;
}

static const struct fg_curve curves[] = {
    {"P-256", "prime256v1", FG_KEY_EC_P256, FG_ALG_ES256, 32},
    {"P-384", "secp384r1", FG_KEY_EC_P384, FG_ALG_ES384, 48},
    {"P-521", "secp521r1", FG_KEY_EC_P521, FG_ALG_ES512, 66},
};

const struct fg_curve *
fg_curve_by_crv(struct fg_str crv)
{
	for (size_t i = 0; i < FG_ARRAY_LEN(curves); i++)
		if (fg_str_eq(crv, fg_str_from(curves[i].crv)))
			return &curves[i];
	return NULL;
}

const struct fg_curve *
fg_curve_by_alg(enum fg_alg alg)
{
	for (size_t i = 0; i < FG_ARRAY_LEN(curves); i++)
		if (curves[i].alg == alg)
			return &curves[i];
	return NULL;
}

static const struct fg_curve *
curve_of(const EVP_PKEY *pkey)
{
	char group[32] = "";

	/* A curve by parameters instead of by name has no name here. */
	EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(curves); i++)
		if (strcmp(group, curves[i].group) == 0)
			return &curves[i];
	return NULL;
}

static bool
is_valid_point(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ok = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static enum fg_key_fate
read_ec(struct fg_key *key, struct fg_buf *canonical, struct fg_key_why *why)
{
	const struct fg_curve *curve = curve_of(key->pkey);
	BIGNUM *x = NULL, *y = NULL;

	if (curve == NULL) {
		fg_key_say(why, "an elliptic curve that is none of P-256, P-384 and P-521");
		return FG_KEY_SKIPPED;
	}
	if (!is_valid_point(key->pkey) || EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
	    EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1) {
		fg_key_say(why, "the point is not on the curve %s", curve->crv);
		BN_free(x);
		return FG_KEY_REFUSED;
	}
	key->type = curve->type;
	key->algorithms = 1u << curve->alg;
	fg_buf_printf(canonical, ",\"crv\":\"%s\",\"kty\":\"EC\"", curve->crv);
	add_number(canonical, "x", x, curve->bytes);
	add_number(canonical, "y", y, curve->bytes);
	BN_free(x);
	BN_free(y);
	return FG_KEY_TAKEN;
}

static enum fg_key_fate
read_ed25519(struct fg_key *key, struct fg_buf *canonical)
{
	unsigned char x[32];
	size_t len = sizeof(x);

	if (EVP_PKEY_get_raw_public_key(key->pkey, x, &len) != 1)
		return FG_KEY_REFUSED;
	key->type = FG_KEY_ED25519;
	key->algorithms = 1u << FG_ALG_EDDSA;
	fg_buf_add(canonical, FG_STR(",\"crv\":\"Ed25519\",\"kty\":\"OKP\""));
	add_bytes(canonical, "x", x, len);
	return FG_KEY_TAKEN;
}

static struct fg_str
write_pem(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct fg_str pem;
	char *p = NULL;
	long len;

	FG_ASSERT(bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1);
	len = BIO_get_mem_data(bio, &p);
	FG_ASSERT(len > 0);
	pem = fg_key_copy((struct fg_str){p, (size_t)len});
	BIO_free(bio);
	return pem;
}

enum fg_key_fate
fg_key_from_pkey(struct fg_key *key, EVP_PKEY *pkey, struct fg_key_why *why)
{
	enum fg_key_fate fate;
	struct fg_buf canonical;

	fg_key_say(why, "not a key that can be read");
	*key = (struct fg_key){.pkey = pkey};
	fg_buf_init(&canonical, MAX_CANONICAL_BYTES);
	if (pkey == NULL) {
		fate = FG_KEY_REFUSED;
	} else if (EVP_PKEY_is_a(pkey, "RSA")) {
		fate = read_rsa(key, &canonical, why);
	} else if (EVP_PKEY_is_a(pkey, "EC")) {
		fate = read_ec(key, &canonical, why);
	} else if (EVP_PKEY_is_a(pkey, "ED25519")) {
		fate = read_ed25519(key, &canonical);
	} else {
		fg_key_say(why, "a key of a kind that is not known here");
		fate = FG_KEY_SKIPPED;
	}
	if (fate == FG_KEY_TAKEN) {
		set_thumbprint(key, &canonical);
		key->pem = write_pem(pkey);
		return fate;
	}
	fg_buf_fini(&canonical);
	fg_key_fini(key);
	ERR_clear_error();
	return fate;
}

/* ---- asking a key */

struct fg_str
fg_key_kid(const struct fg_key *key)
{
	return key->kid;
}

enum fg_key_type
fg_key_type(const struct fg_key *key)
{
	return key->type;
}

const char *
fg_key_type_name(enum fg_key_type type)
{
	static const char *const names[] = {"oct", "RSA", "EC P-256", "EC P-384", "EC P-521", "Ed25519"};

	FG_ASSERT((unsigned)type < FG_ARRAY_LEN(names));
	return names[type];
}

fg_alg_set
fg_key_algorithms(const struct fg_key *key)
{
	return key->algorithms;
}

const struct fg_key_id *
fg_key_id(const struct fg_key *key)
{
	return &key->id;
}

void
fg_key_add_thumbprint(const struct fg_key *key, struct fg_buf *out)
{
	FG_ASSERT(key->type != FG_KEY_OCT);
	fg_b64url_add(out, key->thumbprint, sizeof(key->thumbprint));
}
