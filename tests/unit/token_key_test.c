/* lib/token: which keys are taken, what they verify, and what a set is the same as. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "unit/token_scene.h"

/* text is freed. */
static enum fg_err
load(char *text, struct fg_key_set **out, struct fg_key_report *report)
{
	enum fg_err err = fg_key_set_from_text(out, fg_str_from(text), report);

	CU_ASSERT_EQUAL(err == FG_OK, *out != NULL);
	CU_ASSERT(err == FG_OK || report->message[0] != '\0');
	CU_ASSERT_EQUAL(report->usable, *out == NULL ? 0 : fg_key_set_count(*out));
	free(text);
	return err;
}

/* The only key of a set: what becomes of it, and that the message has this in it ("": no message). */
static void
expect_key(char *jwk, unsigned usable, unsigned skipped, unsigned refused, const char *message)
{
	struct fg_key_report report;
	struct fg_key_set *keys;

	load(maker_jwks(jwk, NULL, NULL, NULL), &keys, &report);
	CU_ASSERT_EQUAL(report.usable, usable);
	CU_ASSERT_EQUAL(report.skipped, skipped);
	CU_ASSERT_EQUAL(report.refused, refused);
	if (message[0] == '\0' ? report.message[0] != '\0' : strstr(report.message, message) == NULL) {
		fprintf(stderr, "\"%s\" is not in \"%s\"\n", message, report.message);
		CU_FAIL("another message");
	}
	fg_key_set_release(keys);
}

static void
attributes_are_honoured(void)
{
	struct maker_key *rsa = maker_key_new("RS256"), *ec = maker_key_new("ES384"), *ed = maker_key_new("EdDSA");

	expect_key(maker_jwk(rsa, "\"use\":\"sig\",\"kid\":\"a\",\"alg\":\"PS512\",\"x5t\":\"?\",\"x5c\":[\"?\"]"), 1, 0, 0, "");
	expect_key(maker_jwk(rsa, "\"use\":\"enc\""), 0, 1, 0, "not for verifying");
	expect_key(maker_jwk(rsa, "\"use\":7"), 0, 0, 1, "not a string");
	expect_key(maker_jwk(rsa, "\"key_ops\":[\"verify\"]"), 1, 0, 0, "");
	expect_key(maker_jwk(rsa, "\"key_ops\":[\"sign\",\"encrypt\"]"), 0, 1, 0, "not for verifying");
	expect_key(maker_jwk(rsa, "\"key_ops\":[]"), 0, 1, 0, "not for verifying");
	expect_key(maker_jwk(rsa, "\"key_ops\":\"verify\""), 0, 0, 1, "not an array");
	expect_key(maker_jwk(rsa, "\"alg\":\"RSA-OAEP\""), 0, 1, 0, "not known here");
	expect_key(maker_jwk(rsa, "\"alg\":\"ES256\""), 0, 0, 1, "\"alg\" is ES256, which a key like this cannot do");
	expect_key(maker_jwk(rsa, "\"alg\":\"HS256\""), 0, 0, 1, "cannot do");
	expect_key(maker_jwk(ec, "\"alg\":\"ES256\""), 0, 0, 1, "cannot do");
	expect_key(maker_jwk(ec, "\"alg\":\"ES384\""), 1, 0, 0, "");
	expect_key(maker_jwk(ed, "\"kid\":{}"), 0, 0, 1, "\"kid\" is not a string");
	expect_key(maker_jwk(ed, "\"kid\":\"bad\",\"use\":\"enc\""), 0, 1, 0, "key 1 (kid bad): ");
	expect_key(strdup("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}"), 0, 1, 0, "not Ed25519");
	expect_key(strdup("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}"), 0, 1, 0, "none of P-256");
	expect_key(strdup("{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\"}"), 0, 1, 0, "not known here");
	expect_key(strdup("{\"kid\":\"a\"}"), 0, 0, 1, "no \"kty\"");
	expect_key(maker_jwk(rsa, "\"alg\":7"), 0, 0, 1, "\"alg\" is not a string");
	expect_key(strdup("\"key\""), 0, 0, 1, "not an object");
	maker_key_free(rsa);
	maker_key_free(ec);
	maker_key_free(ed);
}

static void
weak_and_broken_keys(void)
{
	struct maker_key *weak = maker_key_new_rsa("RS256", 1024), *ec = maker_key_new("ES256"), *hs;
	char *jwk = maker_jwk(ec, NULL), *x = strstr(jwk, "\"x\":\"") + 5;

	expect_key(maker_jwk(weak, NULL), 0, 0, 1, "RSA of 1024 bits; at least 2048");
	/* Another x: hardly ever is there a point with this y. */
	*x = *x == 'A' ? 'B' : 'A';
	expect_key(strdup(jwk), 0, 0, 1, "not on the curve P-256");
	memmove(strstr(jwk, "P-256"), "P-384", 5);
	expect_key(strdup(jwk), 0, 0, 1, "has not the 48 bytes of P-384");
	free(jwk);
	expect_key(strdup("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
	    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"), 0, 0, 1, "not on the curve");
	expect_key(strdup("{\"kty\":\"RSA\",\"n\":\"AQAB\"}"), 0, 0, 1, "\"e\" is not canonical base64url");
	expect_key(strdup("{\"kty\":\"RSA\",\"n\":\"AQAB=\",\"e\":\"AQAB\"}"), 0, 0, 1, "\"n\" is not canonical base64url");
	expect_key(strdup("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"), 0, 0, 1, "not a key that can be read");
	hs = maker_key_from_secret("HS256", "0123456789012345678901234567890", 31);
	expect_key(maker_jwk(hs, NULL), 0, 0, 1, "31 bytes; HS256 takes at least 32");
	maker_key_free(hs);
	hs = maker_key_from_secret("HS256", "01234567890123456789012345678901", 32);
	expect_key(maker_jwk(hs, NULL), 1, 0, 0, "");
	expect_key(maker_jwk(hs, "\"alg\":\"HS384\""), 0, 0, 1, "\"alg\" is HS384");
	maker_key_free(hs);
	maker_key_free(weak);
	maker_key_free(ec);
}

/* An exponent of 1 makes every text its own signature; an even or a huge one is none. */
static void
rsa_exponents(void)
{
	static const struct {
		const char *e;
		bool taken;
	} cases[] = {{"AQ", false}, {"Aw", true}, {"AQAB", true}, {"AAEAAQ", true}, {"Ag", false}, {"AQAAAAAAAAAB", false}};
	struct maker_key *rsa = maker_key_new("RS256");
	char *jwk = maker_jwk(rsa, NULL), *e = strstr(jwk, "\"e\":");

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		sprintf(e, "\"e\":\"%s\"}", cases[i].e);
		expect_key(strdup(jwk), cases[i].taken, 0, !cases[i].taken, cases[i].taken ? "" : "no RSA key has");
	}
	free(jwk);
	maker_key_free(rsa);
}

static void
sets(void)
{
	struct maker_key *a = maker_key_new("ES256"), *b = maker_key_new("RS256");
	struct fg_key_report report;
	struct fg_key_set *keys;

	CU_ASSERT_EQUAL(load(maker_jwks(strdup("{\"kty\":\"new\"}"), maker_jwk(a, "\"d\":\"secret\",\"kid\":\"a\""), strdup("{}"),
	    maker_jwk(b, NULL)), &keys, &report), FG_OK);
	CU_ASSERT_EQUAL(report.usable, 2);
	CU_ASSERT_EQUAL(report.skipped, 1);
	CU_ASSERT_EQUAL(report.refused, 1);
	CU_ASSERT_EQUAL(report.with_private, 1);
	ASSERT_STR(fg_key_kid(fg_key_set_at(keys, 0)), "a");
	CU_ASSERT_PTR_NULL(fg_key_kid(fg_key_set_at(keys, 1)).p);
	CU_ASSERT_EQUAL(fg_key_type(fg_key_set_at(keys, 0)), FG_KEY_EC_P256);
	CU_ASSERT_STRING_EQUAL(fg_key_type_name(FG_KEY_EC_P256), "EC P-256");
	CU_ASSERT_EQUAL(fg_key_algorithms(fg_key_set_at(keys, 0)), 1u << FG_ALG_ES256);
	fg_key_set_release(keys);
	CU_ASSERT_EQUAL(load(strdup("{\"keys\":[]}"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(load(strdup("{\"keys\":{}}"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(load(strdup("{}"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(load(strdup("[]"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(load(strdup(""), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(load(strdup("<html>"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(load(strdup("{\"keys\":[],\"keys\":[]}"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_STRING_EQUAL(report.message, "a JSON member is given twice");
	maker_key_free(a);
	maker_key_free(b);
}

static void
sets_are_bounded(void)
{
	struct fg_key_report report;
	struct fg_key_set *keys;
	char *text = malloc(2 * FG_MAX_KEY_SET_BYTES), *at = text;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	at += sprintf(at, "{\"keys\":[");
	for (int i = 0; i < FG_MAX_KEYS; i++)
		at += sprintf(at, "{},");
	sprintf(at, "{}]}");
	CU_ASSERT_EQUAL(load(strdup(text), &keys, &report), FG_ERR_TOO_LARGE);
	memset(text, ' ', FG_MAX_KEY_SET_BYTES + 1);
	text[FG_MAX_KEY_SET_BYTES + 1] = '\0';
	CU_ASSERT_EQUAL(load(strdup(text), &keys, &report), FG_ERR_TOO_LARGE);
	memcpy(text, "-----BEGIN", 10);
	CU_ASSERT_EQUAL(load(text, &keys, &report), FG_ERR_TOO_LARGE);
}

/* As many keys as may be, and one more; a modulus and a secret that are too long. */
static void
bounds_of_keys(void)
{
	struct maker_key *ed = maker_key_new("EdDSA"), *hs;
	char *pem = maker_pem(ed, NULL, NULL), *text = malloc((FG_MAX_KEYS + 1) * strlen(pem) + 1), *at = text;
	unsigned char long_secret[FG_MAX_SECRET_BYTES + 1] = {1};
	struct fg_key_report report;
	struct fg_key_set *keys;
	char jwk[2048] = "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"";

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (int i = 0; i < FG_MAX_KEYS; i++)
		at += sprintf(at, "%s", pem);
	CU_ASSERT_EQUAL(load(strdup(text), &keys, &report), FG_OK);
	CU_ASSERT_EQUAL(report.usable, FG_MAX_KEYS);
	fg_key_set_release(fg_key_set_hold(keys));
	CU_ASSERT_EQUAL(fg_key_set_count(keys), FG_MAX_KEYS);
	fg_key_set_release(keys);
	sprintf(at, "%s", pem);
	CU_ASSERT_EQUAL(load(text, &keys, &report), FG_ERR_TOO_LARGE);
	/* 1025 bytes, the last one odd. */
	memset(jwk + strlen(jwk), 'v', 1366);
	memcpy(strchr(jwk, '\0'), "8\"}", 4);
	expect_key(strdup(jwk), 0, 0, 1, "at most 8192 are taken");
	CU_ASSERT_EQUAL(fg_key_set_from_secret(&keys, (struct fg_str){(char *)long_secret, sizeof(long_secret)}, FG_ALGS_HMAC,
	    &report), FG_ERR_TOO_LARGE);
	hs = maker_key_from_secret("HS256", long_secret, FG_MAX_SECRET_BYTES);
	expect_key(maker_jwk(hs, NULL), 1, 0, 0, "");
	maker_key_free(hs);
	hs = maker_key_from_secret("HS256", long_secret, sizeof(long_secret));
	expect_key(maker_jwk(hs, NULL), 0, 0, 1, "a secret of more than 1024 bytes");
	free(pem);
	maker_key_free(hs);
	maker_key_free(ed);
}

static char *
pem_of(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p, *text;
	long len;

	CU_ASSERT_FATAL(bio != NULL && pkey != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1);
	len = BIO_get_mem_data(bio, &p);
	text = strndup(p, (size_t)len);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return text;
}

static void
pem_of_other_kinds(void)
{
	struct fg_key_report report;
	struct fg_key_set *keys;

	CU_ASSERT_EQUAL(load(pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1")), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(report.skipped, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(report.message, "none of P-256"));
	CU_ASSERT_EQUAL(load(pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "X25519")), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(report.skipped, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(report.message, "a kind that is not known here"));
	CU_ASSERT_EQUAL(load(strdup("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(report.skipped, 1);
}

static void
identity(void)
{
	struct maker_key *a = maker_key_new("ES256"), *b = maker_key_new("ES256");
	struct fg_key_set *one = token_keys(maker_jwks(maker_jwk(a, "\"kid\":\"1\""), maker_jwk(b, NULL), NULL, NULL));
	struct fg_key_set *same = token_keys(maker_jwks(maker_jwk(a, "\"x5t\":\"z\",\"kid\":\"1\""), maker_jwk(b, NULL), NULL, NULL));
	struct fg_key_set *less = token_keys(maker_jwks(maker_jwk(a, "\"kid\":\"1\""), NULL, NULL, NULL));
	struct fg_key_set *renamed = token_keys(maker_jwks(maker_jwk(a, "\"kid\":\"2\""), maker_jwk(b, NULL), NULL, NULL));

	CU_ASSERT(fg_key_id_eq(fg_key_set_id(one), fg_key_set_id(same)));
	CU_ASSERT(!fg_key_id_eq(fg_key_set_id(one), fg_key_set_id(less)));
	CU_ASSERT(!fg_key_id_eq(fg_key_set_id(one), fg_key_set_id(renamed)));
	CU_ASSERT(fg_key_set_has(less, fg_key_id(fg_key_set_at(one, 0))));
	CU_ASSERT(!fg_key_set_has(less, fg_key_id(fg_key_set_at(one, 1))));
	CU_ASSERT(!fg_key_set_has(renamed, fg_key_id(fg_key_set_at(one, 0))));
	/* No kid, and an empty one, are not the same. */
	fg_key_set_release(less);
	less = token_keys(maker_jwk(b, "\"kid\":\"\""));
	CU_ASSERT(!fg_key_set_has(less, fg_key_id(fg_key_set_at(one, 1))));
	fg_key_set_release(one);
	fg_key_set_release(same);
	fg_key_set_release(less);
	fg_key_set_release(renamed);
	maker_key_free(a);
	maker_key_free(b);
}

/* A certificate that vouches for nothing: its key is all that is looked at. */
static char *
make_certificate(void)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *cert = X509_new();
	char *p, *text;
	long len;

	CU_ASSERT_FATAL(pkey != NULL && cert != NULL && bio != NULL);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 60);
	X509_set_pubkey(cert, pkey);
	CU_ASSERT_FATAL(X509_sign(cert, pkey, EVP_sha256()) > 0 && PEM_write_bio_X509(bio, cert) == 1);
	len = BIO_get_mem_data(bio, &p);
	text = strndup(p, (size_t)len);
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(pkey);
	return text;
}

static void
pem(void)
{
	struct maker_key *rsa = maker_key_new("RS256"), *ed = maker_key_new("EdDSA"), *weak = maker_key_new_rsa("RS256", 1024);
	char *a = maker_pem(rsa, NULL, NULL), *b = maker_pem(ed, NULL, NULL), *c = make_certificate(), *all = NULL;
	static const char private_key[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	    "-----END PRIVATE KEY-----\n";
	static const char pkcs1[] =
	    "-----BEGIN RSA PUBLIC KEY-----\n"
	    "MIIBCgKCAQEA0LMjPZ0GvS4m+s0doS7QZqkepL0VmtP4ntLbjsAjYr6cCtGbgT9W\n"
	    "E4PlfXlwLvyKD2HcZMwYugUrY7rOiRhRYb4NXGsGKu+/DFraeZwV0wh9qfk1qxnJ\n"
	    "gmqJu9H14ySwi/YeU3UPJr8Jd5aEWqy3Qlmm8d2Yx1YSHcQOWCt3kIFFTa1k+UD2\n"
	    "Jh8Uxq1oRuR7iosAzEOjdWEgYsSlfCBReWbdJ8bN/6W6fdCAXqOAwo/TYJsHRX8U\n"
	    "USvqfo6yNmcN0rYF3/7YLfaRN3YayJsI7BIOLzlwO+NGqkVVG5okSdr5y/MOCNKc\n"
	    "BIfDb3b5r+QLVnm4H8hjDMu4k1zPlaNCswIDAQAB\n"
	    "-----END RSA PUBLIC KEY-----\n";
	struct fg_key_report report;
	struct fg_key_set *keys;

	CU_ASSERT_FATAL(asprintf(&all, "the first\n%s\nand\n%s%s", a, b, c) > 0);
	keys = token_keys(all);
	CU_ASSERT_EQUAL(fg_key_set_count(keys), 3);
	CU_ASSERT_EQUAL(token_judge(maker_token(rsa, "{\"alg\":\"PS256\",\"kid\":\"any\"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_SIGNATURE_INVALID);
	CU_ASSERT_EQUAL(token_judge(maker_token(rsa, "{\"alg\":\"RS256\",\"kid\":\"any\"}", TOKEN_PAYLOAD), keys, NULL), FG_OK);
	CU_ASSERT_EQUAL(token_judge(maker_token(ed, "{\"alg\":\"EdDSA\"}", TOKEN_PAYLOAD), keys, NULL), FG_OK);
	CU_ASSERT_EQUAL(fg_key_type(fg_key_set_at(keys, 2)), FG_KEY_EC_P256);
	fg_key_set_release(keys);
	CU_ASSERT_EQUAL(load(strdup(pkcs1), &keys, &report), FG_OK);
	fg_key_set_release(keys);
	CU_ASSERT_EQUAL(load(strdup(private_key), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_PTR_NOT_NULL(strstr(report.message, "a private key"));
	CU_ASSERT_EQUAL(load(maker_pem(weak, NULL, NULL), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_PTR_NOT_NULL(strstr(report.message, "RSA of 1024 bits"));
	CU_ASSERT_EQUAL(load(strdup("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), &keys, &report), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(load(strdup("-----BEGIN"), &keys, &report), FG_ERR_SYNTAX);
	free(a);
	free(b);
	free(c);
	maker_key_free(rsa);
	maker_key_free(ed);
	maker_key_free(weak);
}

static void
secrets(void)
{
	static const char bytes[] = "0123456789012345678901234567890123456789012345678901234567890123";
	static const struct {
		size_t len;
		fg_alg_set algs;
		bool taken;
	} cases[] = {
	    {31, 1u << FG_ALG_HS256, false}, {32, 1u << FG_ALG_HS256, true}, {47, 1u << FG_ALG_HS384, false},
	    {48, 1u << FG_ALG_HS384, true}, {63, FG_ALGS_HMAC, false}, {64, FG_ALGS_HMAC, true},
	    {32, 1u << FG_ALG_HS256 | 1u << FG_ALG_RS256, true}, {64, 1u << FG_ALG_RS256, false}, {0, 1u << FG_ALG_HS256, false},
	};
	struct fg_key_report report;
	struct fg_key_set *keys;
	struct maker_key *key;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		enum fg_err err = fg_key_set_from_secret(&keys, (struct fg_str){bytes, cases[i].len}, cases[i].algs, &report);

		CU_ASSERT_EQUAL(err, cases[i].taken ? FG_OK : FG_ERR_SYNTAX);
		CU_ASSERT_EQUAL(report.message[0] == '\0', cases[i].taken);
		if (err == FG_OK)
			CU_ASSERT_EQUAL(fg_key_algorithms(fg_key_set_at(keys, 0)), cases[i].algs & FG_ALGS_HMAC);
		fg_key_set_release(keys);
	}
	CU_ASSERT_EQUAL(fg_key_set_from_secret(&keys, (struct fg_str){bytes, 47}, 1u << FG_ALG_HS384, &report), FG_ERR_SYNTAX);
	CU_ASSERT_STRING_EQUAL(report.message, "the secret has 47 bytes; HS384 takes at least 48 (RFC 7518 section 3.2)");
	/* For HS256 alone, long as it is. */
	CU_ASSERT_EQUAL_FATAL(fg_key_set_from_secret(&keys, fg_str_from(bytes), 1u << FG_ALG_HS256, &report), FG_OK);
	key = maker_key_from_secret("HS512", bytes, 64);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"HS512\"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_ALGORITHM_REFUSED);
	maker_key_free(key);
	fg_key_set_release(keys);
}

void
suite_token_key(void)
{
	CU_pSuite suite = CU_add_suite("token_key", NULL, NULL);

	ADD_TEST(suite, attributes_are_honoured);
	ADD_TEST(suite, weak_and_broken_keys);
	ADD_TEST(suite, rsa_exponents);
	ADD_TEST(suite, sets);
	ADD_TEST(suite, sets_are_bounded);
	ADD_TEST(suite, bounds_of_keys);
	ADD_TEST(suite, pem_of_other_kinds);
	ADD_TEST(suite, identity);
	ADD_TEST(suite, pem);
	ADD_TEST(suite, secrets);
}
