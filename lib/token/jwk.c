/* A JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2) to a key. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/limits.h"
#include "token/b64url.h"
#include "token/key_internal.h"

/* Bytes of a member in base64url. */
struct octets {
	uint8_t p[FG_MAX_SIGNATURE_BYTES + 1];
	size_t len;
};

_Static_assert(FG_MAX_SECRET_BYTES <= FG_MAX_SIGNATURE_BYTES, "a secret fits struct octets");

/* False, saying why, when the member is missing, no canonical base64url, empty, or too long. */
static bool
read_octets(struct octets *out, const struct fg_json_node *jwk, const char *name, struct fg_key_why *why)
{
	struct fg_str text = fg_json_string(jwk, fg_str_from(name));

	fg_key_say(why, "\"%s\" is not canonical base64url of a sensible length", name);
	out->len = fg_b64url_decoded_size(text.len);
	return text.len > 0 && out->len <= sizeof(out->p) && fg_b64url_decode(out->p, text);
}

/* type: "RSA", "EC". Takes over bld. */
static EVP_PKEY *
make_pkey(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	FG_ASSERT(params != NULL && ctx != NULL);
	if (EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

static enum fg_key_fate
read_rsa(struct fg_key *key, const struct fg_json_node *jwk, struct fg_key_why *why)
{
	OSSL_PARAM_BLD *bld;
	struct octets n, e;
	BIGNUM *bn_n, *bn_e;
	EVP_PKEY *pkey;

	if (!read_octets(&n, jwk, "n", why) || !read_octets(&e, jwk, "e", why))
		return FG_KEY_REFUSED;
	bld = OSSL_PARAM_BLD_new();
	bn_n = BN_bin2bn(n.p, (int)n.len, NULL);
	bn_e = BN_bin2bn(e.p, (int)e.len, NULL);
	FG_ASSERT(bld != NULL && bn_n != NULL && bn_e != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1);
	pkey = make_pkey("RSA", bld);
	BN_free(bn_n);
	BN_free(bn_e);
	return fg_key_from_pkey(key, pkey, why);
}

static enum fg_key_fate
read_ec(struct fg_key *key, const struct fg_json_node *jwk, struct fg_key_why *why)
{
	const struct fg_curve *curve = fg_curve_by_crv(fg_json_string(jwk, FG_STR("crv")));
	unsigned char point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
	OSSL_PARAM_BLD *bld;
	struct octets x, y;
	enum fg_key_fate fate;
	size_t bytes;

	if (curve == NULL) {
		fg_key_say(why, "an elliptic curve that is none of P-256, P-384 and P-521");
		return FG_KEY_SKIPPED;
	}
	if (!read_octets(&x, jwk, "x", why) || !read_octets(&y, jwk, "y", why))
		return FG_KEY_REFUSED;
	bytes = curve->bytes;
	if (x.len != bytes || y.len != bytes) {
		fg_key_say(why, "\"x\" or \"y\" has not the %zu bytes of %s", bytes, curve->crv);
		return FG_KEY_REFUSED;
	}
	memcpy(point + 1, x.p, bytes);
	memcpy(point + 1 + bytes, y.p, bytes);
	bld = OSSL_PARAM_BLD_new();
	FG_ASSERT(bld != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * bytes) == 1);
	fate = fg_key_from_pkey(key, make_pkey("EC", bld), why);
	if (fate == FG_KEY_REFUSED)
		fg_key_say(why, "the point is not on the curve %s", curve->crv);
	return fate;
}

static enum fg_key_fate
read_okp(struct fg_key *key, const struct fg_json_node *jwk, struct fg_key_why *why)
{
	struct octets x;

	if (!fg_str_eq(fg_json_string(jwk, FG_STR("crv")), FG_STR("Ed25519"))) {
		fg_key_say(why, "a curve that is not Ed25519");
		return FG_KEY_SKIPPED;
	}
	if (!read_octets(&x, jwk, "x", why))
		return FG_KEY_REFUSED;
	return fg_key_from_pkey(key, EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.p, x.len), why);
}

static enum fg_key_fate
read_oct(struct fg_key *key, const struct fg_json_node *jwk, struct fg_key_why *why)
{
	enum fg_key_fate fate = FG_KEY_REFUSED;
	struct octets k;

	if (!read_octets(&k, jwk, "k", why))
		return FG_KEY_REFUSED;
	if (k.len > FG_MAX_SECRET_BYTES) {
		fg_key_say(why, "a secret of more than %d bytes", FG_MAX_SECRET_BYTES);
	} else if (fg_key_hmac_algorithms(k.len) == 0) {
		fg_key_say(why, "a secret of %zu bytes; HS256 takes at least 32 (RFC 7518 section 3.2)", k.len);
	} else {
		fg_key_from_secret(key, (struct fg_str){(const char *)k.p, k.len});
		fate = FG_KEY_TAKEN;
	}
	OPENSSL_cleanse(&k, sizeof(k));
	return fate;
}

static enum fg_key_fate
read_material(struct fg_key *key, const struct fg_json_node *jwk, struct fg_key_why *why)
{
	struct fg_str kty = fg_json_string(jwk, FG_STR("kty"));

	if (kty.p == NULL) {
		fg_key_say(why, "no \"kty\"");
		return FG_KEY_REFUSED;
	}
	if (fg_str_eq(kty, FG_STR("RSA")))
		return read_rsa(key, jwk, why);
	if (fg_str_eq(kty, FG_STR("EC")))
		return read_ec(key, jwk, why);
	if (fg_str_eq(kty, FG_STR("OKP")))
		return read_okp(key, jwk, why);
	if (fg_str_eq(kty, FG_STR("oct")))
		return read_oct(key, jwk, why);
	fg_key_say(why, "a \"kty\" that is not known here");
	return FG_KEY_SKIPPED;
}

/* `use` and `key_ops` (RFC 7517 §4.2, §4.3): verifying has to be among what it is for. */
static enum fg_key_fate
judge_purpose(const struct fg_json_node *jwk, struct fg_key_why *why)
{
	const struct fg_json_node *use = fg_json_member(jwk, FG_STR("use"));
	const struct fg_json_node *ops = fg_json_member(jwk, FG_STR("key_ops"));
	bool verifies = ops == NULL;

	if ((use != NULL && use->type != FG_JSON_STRING) || (ops != NULL && ops->type != FG_JSON_ARRAY)) {
		fg_key_say(why, "\"use\" is not a string or \"key_ops\" not an array");
		return FG_KEY_REFUSED;
	}
	for (uint32_t i = 0; ops != NULL && i < ops->count; i++)
		verifies |= ops->as.children[i].type == FG_JSON_STRING &&
		    fg_str_eq(ops->as.children[i].text, FG_STR("verify"));
	if (verifies && (use == NULL || fg_str_eq(use->text, FG_STR("sig"))))
		return FG_KEY_TAKEN;
	fg_key_say(why, "not for verifying (\"use\", \"key_ops\")");
	return FG_KEY_SKIPPED;
}

/* `alg` (RFC 7517 §4.4): then it is for that one alone. */
static enum fg_key_fate
restrict_algorithms(struct fg_key *key, const struct fg_json_node *jwk, struct fg_key_why *why)
{
	const struct fg_json_node *member = fg_json_member(jwk, FG_STR("alg"));
	enum fg_alg alg;

	if (member == NULL)
		return FG_KEY_TAKEN;
	if (member->type != FG_JSON_STRING) {
		fg_key_say(why, "\"alg\" is not a string");
		return FG_KEY_REFUSED;
	}
	if (!fg_alg_parse(&alg, member->text)) {
		fg_key_say(why, "an \"alg\" that is not known here");
		return FG_KEY_SKIPPED;
	}
	if ((key->algorithms & 1u << alg) == 0) {
		fg_key_say(why, "\"alg\" is %s, which a key like this cannot do", fg_alg_name(alg));
		return FG_KEY_REFUSED;
	}
	key->algorithms = 1u << alg;
	return FG_KEY_TAKEN;
}

static bool
has_private_members(const struct fg_json_node *jwk)
{
	static const struct fg_str names[] = {FG_STR_INIT("d"), FG_STR_INIT("p"), FG_STR_INIT("q"), FG_STR_INIT("dp"),
	    FG_STR_INIT("dq"), FG_STR_INIT("qi"), FG_STR_INIT("oth")};

	for (size_t i = 0; i < FG_ARRAY_LEN(names); i++)
		if (fg_json_member(jwk, names[i]) != NULL)
			return true;
	return false;
}

enum fg_key_fate
fg_key_from_jwk(struct fg_key *key, const struct fg_json_node *jwk, bool *has_private, struct fg_key_why *why)
{
	const struct fg_json_node *kid = fg_json_member(jwk, FG_STR("kid"));
	enum fg_key_fate fate;

	*key = (struct fg_key){.pkey = NULL};
	*has_private = has_private_members(jwk);
	if (jwk->type != FG_JSON_OBJECT || (kid != NULL && kid->type != FG_JSON_STRING)) {
		fg_key_say(why, "not an object, or \"kid\" is not a string");
		return FG_KEY_REFUSED;
	}
	fate = judge_purpose(jwk, why);
	if (fate == FG_KEY_TAKEN)
		fate = read_material(key, jwk, why);
	if (fate == FG_KEY_TAKEN)
		fate = restrict_algorithms(key, jwk, why);
	if (fate != FG_KEY_TAKEN)
		fg_key_fini(key);
	else if (kid != NULL)
		key->kid = fg_key_copy(kid->text);
	return fate;
}
