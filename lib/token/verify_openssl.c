/* Verifying by OpenSSL: all algorithms of JOSE (RFC 7518 §3, RFC 8037 §3.1). */
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "token/key_internal.h"
#include "token/verify.h"

/* r and s as DER: 3 + 66 bytes each at most, and the sequence around them. */
enum { MAX_DER_BYTES = 160 };

static const char *
hash_name(enum fg_alg alg)
{
	switch (fg_alg_hash_bits(alg)) {
	case 256:
		return "SHA256";
	case 384:
		return "SHA384";
	case 512:
		return "SHA512";
	default:
		return NULL;
	}
}

static bool
verify_hmac(const struct fg_jws *jws, const struct fg_key *key)
{
	const EVP_MD *md = jws->alg == FG_ALG_HS256 ? EVP_sha256() : jws->alg == FG_ALG_HS384 ? EVP_sha384() : EVP_sha512();
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (HMAC(md, key->secret.p, (int)key->secret.len, (const unsigned char *)jws->signed_part.p, jws->signed_part.len, mac,
	        &len) == NULL)
		return false;
	return len == jws->signature_len && CRYPTO_memcmp(mac, jws->signature, len) == 0;
}

/*
 * JOSE writes r and s one behind the other, each as long as the curve's order (RFC 7518 §3.4); OpenSSL takes DER. Returns the
 * length of it, or 0 when the signature has another length.
 */
static size_t
ecdsa_to_der(const struct fg_jws *jws, unsigned char *der)
{
	size_t half = fg_curve_by_alg(jws->alg)->bytes;
	ECDSA_SIG *sig;
	BIGNUM *r, *s;
	int len;

	if (jws->signature_len != 2 * half)
		return 0;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(jws->signature, (int)half, NULL);
	s = BN_bin2bn(jws->signature + half, (int)half, NULL);
	FG_ASSERT(sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1);
	len = i2d_ECDSA_SIG(sig, NULL);
	FG_ASSERT(len > 0 && len <= MAX_DER_BYTES && i2d_ECDSA_SIG(sig, &der) == len);
	ECDSA_SIG_free(sig);
	return (size_t)len;
}

static bool
is_set_up(EVP_MD_CTX *ctx, enum fg_alg alg, EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *pctx = NULL; /* of ctx */

	if (EVP_DigestVerifyInit_ex(ctx, &pctx, hash_name(alg), NULL, NULL, pkey, NULL) != 1)
		return false;
	if (fg_alg_family(alg) != FG_ALG_FAMILY_PSS)
		return true;
	/* RFC 7518 §3.5: MGF1 with the same hash, a salt as long as the hash. */
	return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
verify_public(const struct fg_jws *jws, const struct fg_key *key)
{
	const unsigned char *sig = jws->signature;
	size_t sig_len = jws->signature_len;
	unsigned char der[MAX_DER_BYTES];
	EVP_MD_CTX *ctx;
	bool ok;

	if (fg_alg_family(jws->alg) == FG_ALG_FAMILY_ECDSA) {
		sig_len = ecdsa_to_der(jws, der);
		sig = der;
		if (sig_len == 0)
			return false;
	}
	ctx = EVP_MD_CTX_new();
	FG_ASSERT(ctx != NULL);
	ok = is_set_up(ctx, jws->alg, key->pkey) &&
	    EVP_DigestVerify(ctx, sig, sig_len, (const unsigned char *)jws->signed_part.p, jws->signed_part.len) == 1;
	EVP_MD_CTX_free(ctx);
	/* A refusal leaves entries in the thread's queue, where TLS would find them later. */
	if (!ok)
		ERR_clear_error();
	return ok;
}

enum fg_verdict
fg_verify_by_openssl(const struct fg_jws *jws, const struct fg_key *key)
{
	bool ok;

	if (fg_alg_family(jws->alg) == FG_ALG_FAMILY_HMAC)
		ok = key->secret.p != NULL && verify_hmac(jws, key);
	else
		ok = key->pkey != NULL && verify_public(jws, key);
	return ok ? FG_VERDICT_GOOD : FG_VERDICT_BAD;
}
