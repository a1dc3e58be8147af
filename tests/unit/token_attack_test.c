/* lib/token: what attackers send. Each is refused, for its own reason. */
#include "token/verify.h"
#include "unit/token_scene.h"

/* ---- another algorithm than the key's */

static void
public_key_as_hmac_secret(void)
{
	struct maker_key *rsa = maker_key_new("RS256"), *as_pem, *as_der;
	struct fg_key_set *from_jwk = token_keys(maker_jwk(rsa, "\"kid\":\"a\"")), *from_pem;
	unsigned char *der;
	size_t der_len;
	char *pem = maker_pem(rsa, &der, &der_len);
	const struct fg_token_rules both = {.algorithms = 1u << FG_ALG_RS256 | 1u << FG_ALG_HS256};

	as_pem = maker_key_from_secret("HS256", pem, strlen(pem));
	as_der = maker_key_from_secret("HS256", der, der_len);
	from_pem = token_keys(strdup(pem));
	for (int i = 0; i < 2; i++) {
		const struct maker_key *liar = i == 0 ? as_pem : as_der;

		CU_ASSERT_EQUAL(token_judge(maker_token(liar, "{\"alg\":\"HS256\",\"kid\":\"a\"}", TOKEN_PAYLOAD), from_jwk, NULL),
		    FG_ERR_TOKEN_ALGORITHM_REFUSED);
		CU_ASSERT_EQUAL(token_judge(maker_token(liar, "{\"alg\":\"HS256\"}", TOKEN_PAYLOAD), from_pem, &both),
		    FG_ERR_TOKEN_ALGORITHM_REFUSED);
		CU_ASSERT_EQUAL(token_judge(maker_token(liar, "{\"alg\":\"RS256\"}", TOKEN_PAYLOAD), from_pem, NULL),
		    FG_ERR_TOKEN_SIGNATURE_INVALID);
	}
	maker_key_free(as_pem);
	maker_key_free(as_der);
	maker_key_free(rsa);
	fg_key_set_release(from_jwk);
	fg_key_set_release(from_pem);
	free(pem);
	free(der);
}

static void
none_in_any_spelling(void)
{
	static const char *const names[] = {"none", "None", "NONE", "nOnE"};
	struct maker_key *key = maker_key_new("HS256");
	struct fg_key_set *keys = token_keys(maker_jwk(key, NULL));
	char header[64];

	for (size_t i = 0; i < FG_ARRAY_LEN(names); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
		CU_ASSERT_EQUAL(token_judge(maker_token_with(header, TOKEN_PAYLOAD, "", 0), keys, NULL),
		    FG_ERR_TOKEN_ALGORITHM_REFUSED);
		CU_ASSERT_EQUAL(token_judge(maker_token(key, header, TOKEN_PAYLOAD), keys, NULL),
		    FG_ERR_TOKEN_ALGORITHM_REFUSED);
	}
	/* A good alg without a signature. */
	CU_ASSERT_EQUAL(token_judge(maker_token_with("{\"alg\":\"HS256\"}", TOKEN_PAYLOAD, "", 0), keys, NULL),
	    FG_ERR_TOKEN_MALFORMED);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"hs256\"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_ALGORITHM_REFUSED);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"HS256 \"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_ALGORITHM_REFUSED);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":[\"HS256\"]}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_MALFORMED);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{}", TOKEN_PAYLOAD), keys, NULL), FG_ERR_TOKEN_MALFORMED);
	maker_key_free(key);
	fg_key_set_release(keys);
}

/* RS* and PS* share keys; a signature of one never is one of the other, nor of another hash. */
static void
another_algorithm_of_the_same_key(void)
{
	struct maker_key *rs = maker_key_new("RS256"), *ec = maker_key_new("ES256");
	struct fg_key_set *keys = token_keys(maker_jwk(rs, NULL)), *ps_only = token_keys(maker_jwk(rs, "\"alg\":\"PS256\""));
	struct fg_key_set *ec_keys = token_keys(maker_jwk(ec, NULL));

	CU_ASSERT_EQUAL(token_judge(maker_token(rs, "{\"alg\":\"RS256\"}", TOKEN_PAYLOAD), keys, NULL), FG_OK);
	CU_ASSERT_EQUAL(token_judge(maker_token(rs, "{\"alg\":\"PS256\"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_SIGNATURE_INVALID);
	CU_ASSERT_EQUAL(token_judge(maker_token(rs, "{\"alg\":\"RS512\"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_SIGNATURE_INVALID);
	CU_ASSERT_EQUAL(token_judge(maker_token(rs, "{\"alg\":\"RS256\"}", TOKEN_PAYLOAD), ps_only, NULL),
	    FG_ERR_TOKEN_ALGORITHM_REFUSED);
	CU_ASSERT_EQUAL(token_judge(maker_token(rs, "{\"alg\":\"ES256\"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_ALGORITHM_REFUSED);
	CU_ASSERT_EQUAL(token_judge(maker_token(ec, "{\"alg\":\"ES384\"}", TOKEN_PAYLOAD), ec_keys, NULL),
	    FG_ERR_TOKEN_ALGORITHM_REFUSED);
	maker_key_free(rs);
	maker_key_free(ec);
	fg_key_set_release(keys);
	fg_key_set_release(ps_only);
	fg_key_set_release(ec_keys);
}

/* ---- headers that bring or name a key, or demand something */

static void
headers_that_are_refused(void)
{
	static const struct {
		const char *more;
		enum fg_err err;
	} cases[] = {
	    {"\"jku\":\"https://evil.example/keys\"", FG_ERR_TOKEN_KEY_URL},
	    {"\"jku\":null", FG_ERR_TOKEN_KEY_URL},
	    {"\"x5u\":\"https://evil.example/cert\"", FG_ERR_TOKEN_KEY_URL},
	    {"\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}", FG_ERR_TOKEN_KEY_EMBEDDED},
	    {"\"x5c\":[\"MIIB\"]", FG_ERR_TOKEN_KEY_EMBEDDED},
	    {"\"crit\":[\"exp\"]", FG_ERR_TOKEN_CRITICAL_UNKNOWN},
	    {"\"crit\":[]", FG_ERR_TOKEN_CRITICAL_UNKNOWN},
	    {"\"b64\":false,\"crit\":[\"b64\"]", FG_ERR_TOKEN_CRITICAL_UNKNOWN},
	    {"\"b64\":false", FG_ERR_TOKEN_CRITICAL_UNKNOWN},
	    {"\"zip\":\"DEF\"", FG_ERR_TOKEN_ENCRYPTED},
	    {"\"enc\":\"A128GCM\"", FG_ERR_TOKEN_ENCRYPTED},
	    {"\"alg\":\"HS256\"", FG_ERR_TOKEN_MALFORMED},
	    {"\"al\\u0067\":\"none\"", FG_ERR_TOKEN_MALFORMED},
	    {"\"kid\":7", FG_ERR_TOKEN_MALFORMED},
	    {"\"typ\":{}", FG_ERR_TOKEN_MALFORMED},
	    {"\"x\":\"\\u0000\"", FG_ERR_TOKEN_MALFORMED},
	    {"\"x\":\"\xff\"", FG_ERR_TOKEN_MALFORMED},
	    {"\"x\":\"\xc0\xaf\"", FG_ERR_TOKEN_MALFORMED},
	    {"\"x\":\"\xed\xa0\x80\"", FG_ERR_TOKEN_MALFORMED},
	    {"\"x\":1", FG_OK},
	};
	struct maker_key *key = maker_key_new("HS256");
	struct fg_key_set *keys = token_keys(maker_jwk(key, NULL));
	char header[256];

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"HS256\",%s}", cases[i].more);
		CU_ASSERT_EQUAL(token_judge(maker_token(key, header, TOKEN_PAYLOAD), keys, NULL), cases[i].err);
	}
	maker_key_free(key);
	fg_key_set_release(keys);
}

/* A kid is compared and nothing else: no path, no query, no match with a key that has another. */
static void
kids_are_only_compared(void)
{
	static const char *const kids[] = {"../../etc/passwd", "' OR 1=1 --", "a\\\" or", "b\\u0061", "A", "", "a "};
	struct maker_key *key = maker_key_new("ES256"), *other = maker_key_new("ES256");
	struct fg_key_set *keys = token_keys(maker_jwks(maker_jwk(key, "\"kid\":\"a\""), maker_jwk(other, "\"kid\":\"b\""), NULL, NULL));
	struct fg_key_set *without = token_keys(maker_jwk(key, NULL));
	struct fg_key_set *mixed = token_keys(maker_jwks(maker_jwk(key, NULL), maker_jwk(other, "\"kid\":\"b\""), NULL, NULL));
	char header[128];

	for (size_t i = 0; i < FG_ARRAY_LEN(kids); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kids[i]);
		CU_ASSERT_EQUAL(token_judge(maker_token(key, header, TOKEN_PAYLOAD), keys, NULL), FG_ERR_TOKEN_KEY_UNKNOWN);
		/* A PEM file or a secret has no kid: any token may name one. */
		CU_ASSERT_EQUAL(token_judge(maker_token(key, header, TOKEN_PAYLOAD), without, NULL), FG_OK);
		CU_ASSERT_EQUAL(token_judge(maker_token(key, header, TOKEN_PAYLOAD), mixed, NULL), FG_OK);
		CU_ASSERT_EQUAL(token_judge(maker_token(other, header, TOKEN_PAYLOAD), mixed, NULL), FG_ERR_TOKEN_KEY_UNKNOWN);
		CU_ASSERT_EQUAL(token_judge(maker_token(other, header, TOKEN_PAYLOAD), without, NULL),
		    FG_ERR_TOKEN_SIGNATURE_INVALID);
	}
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"ES256\",\"kid\":\"a\"}", TOKEN_PAYLOAD), keys, NULL), FG_OK);
	/* The other key's kid on this one's signature: that key alone is tried. */
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"ES256\",\"kid\":\"b\"}", TOKEN_PAYLOAD), keys, NULL),
	    FG_ERR_TOKEN_SIGNATURE_INVALID);
	CU_ASSERT_EQUAL(token_judge(maker_token(other, "{\"alg\":\"ES256\"}", TOKEN_PAYLOAD), keys, NULL), FG_OK);
	maker_key_free(key);
	maker_key_free(other);
	fg_key_set_release(keys);
	fg_key_set_release(without);
	fg_key_set_release(mixed);
}

/* ---- other spellings of a good token */

static char *
edited(const char *token, size_t at, const char *insert, size_t remove)
{
	size_t len = strlen(token);
	char *out = malloc(len + strlen(insert) + 1);

	CU_ASSERT_FATAL(out != NULL && at <= len);
	sprintf(out, "%.*s%s%s", (int)at, token, insert, token + at + remove);
	return out;
}

static void
one_spelling_alone(void)
{
	struct maker_key *key = maker_key_new("ES256");
	struct fg_key_set *keys = token_keys(maker_jwk(key, NULL));
	char *good = maker_token(key, "{\"alg\":\"ES256\"}", TOKEN_PAYLOAD), last[2] = "";
	size_t second_dot = (size_t)(strrchr(good, '.') - good);
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t len = strlen(good), dot = strcspn(good, ".");
	static const struct {
		const char *insert;
		int where; /* 0: the start, 1: before the first dot, 2: the end, 3: before the second dot */
	} cases[] = {{" ", 0}, {"\n", 2}, {" ", 2}, {"=", 1}, {"=", 2}, {"==", 2}, {".", 2}, {".", 0}, {"\t", 1}, {"+", 2}, {"%3D", 2},
	    {"=", 3}, {" ", 3}, {"\n", 3}, {"/", 3}};
	const size_t places[] = {0, dot, len, second_dot};

	CU_ASSERT_EQUAL(token_judge(strdup(good), keys, NULL), FG_OK);
	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++)
		CU_ASSERT_EQUAL(token_judge(edited(good, places[cases[i].where], cases[i].insert, 0), keys, NULL),
		    FG_ERR_TOKEN_MALFORMED);
	/* 64 bytes leave four bits in the last character that mean nothing, and therefore have to be zero. */
	last[0] = alphabet[(size_t)(strchr(alphabet, good[len - 1]) - alphabet) + 1];
	CU_ASSERT_EQUAL(token_judge(edited(good, len - 1, last, 1), keys, NULL), FG_ERR_TOKEN_MALFORMED);
	free(good);
	maker_key_free(key);
	fg_key_set_release(keys);
}

static void
parts(void)
{
	static const struct {
		const char *token;
		enum fg_err err;
	} cases[] = {
	    {"", FG_ERR_TOKEN_MALFORMED},
	    {".", FG_ERR_TOKEN_MALFORMED},
	    {"..", FG_ERR_TOKEN_MALFORMED},
	    {"...", FG_ERR_TOKEN_MALFORMED},
	    {"a.b.c.d.e", FG_ERR_TOKEN_ENCRYPTED},
	    {"a.b.c.d.e.f", FG_ERR_TOKEN_MALFORMED},
	    {"opaque", FG_ERR_TOKEN_MALFORMED},
	    {"e30..", FG_ERR_TOKEN_MALFORMED},
	    {"W10.e30.AAAA", FG_ERR_TOKEN_MALFORMED},      /* [] */
	    {"MQ.e30.AAAA", FG_ERR_TOKEN_MALFORMED},       /* 1 */
	    {"e30gMQ.e30.AAAA", FG_ERR_TOKEN_MALFORMED},   /* {} 1 */
	    {"e31dfQ.e30.AAAA", FG_ERR_TOKEN_MALFORMED},   /* {}]} */
	};
	struct maker_key *key = maker_key_new("HS256");
	struct fg_key_set *keys = token_keys(maker_jwk(key, NULL));
	struct fg_jws jws;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++)
		CU_ASSERT_EQUAL(token_judge(strdup(cases[i].token), keys, NULL), cases[i].err);
	CU_ASSERT_EQUAL_FATAL(fg_jws_parse(&jws, FG_STR("eyJhbGciOiJIUzI1NiJ9.eA.AAAA"), NULL), FG_OK);
	CU_ASSERT_PTR_NULL(fg_jws_issuer(&jws).p);
	fg_jws_fini(&jws);
	/* A payload that is signed and no claims set. */
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"HS256\"}", "[]"), keys, NULL), FG_ERR_TOKEN_MALFORMED);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"HS256\"}", ""), keys, NULL), FG_ERR_TOKEN_MALFORMED);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"HS256\"}", "{} {}"), keys, NULL), FG_ERR_TOKEN_MALFORMED);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"HS256\"}", "{\"sub\":\"a\",\"sub\":\"b\"}"), keys, NULL),
	    FG_ERR_TOKEN_MALFORMED);
	maker_key_free(key);
	fg_key_set_release(keys);
}

/* ---- size */

static char *
repeated(const char *begin, const char *what, size_t count, const char *end)
{
	char *out = malloc(strlen(begin) + strlen(what) * count + strlen(end) + 1), *at = out;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	at += sprintf(at, "%s", begin);
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s", what);
	sprintf(at, "%s", end);
	return out;
}

static enum fg_err
judge_payload(const struct maker_key *key, const struct fg_key_set *keys, char *payload)
{
	enum fg_err err = token_judge(maker_token(key, "{\"alg\":\"HS256\"}", payload), keys, NULL);

	free(payload);
	return err;
}

static void
sizes(void)
{
	struct maker_key *key = maker_key_new("HS256");
	struct fg_key_set *keys = token_keys(maker_jwk(key, NULL));
	unsigned char signature[FG_MAX_SIGNATURE_BYTES + 1] = {1};
	char deep[256] = "{\"a\":";

	CU_ASSERT_EQUAL(judge_payload(key, keys, repeated("{\"a\":\"", "x", 12000, "\"}")), FG_OK);
	CU_ASSERT_EQUAL(judge_payload(key, keys, repeated("{\"a\":\"", "x", 13000, "\"}")), FG_ERR_TOKEN_TOO_LARGE);
	CU_ASSERT_EQUAL(judge_payload(key, keys, repeated("{\"a\":[", "1,", 1000, "1]}")), FG_OK);
	CU_ASSERT_EQUAL(judge_payload(key, keys, repeated("{\"a\":[", "1,", 1022, "1]}")), FG_ERR_TOKEN_TOO_LARGE);
	for (int depth = FG_MAX_TOKEN_DEPTH - 1; depth <= FG_MAX_TOKEN_DEPTH; depth++) {
		memset(deep + 5, '[', (size_t)depth);
		memset(deep + 5 + depth, ']', (size_t)depth);
		memcpy(deep + 5 + 2 * depth, "}", 2);
		CU_ASSERT_EQUAL(judge_payload(key, keys, strdup(deep)),
		    depth < FG_MAX_TOKEN_DEPTH ? FG_OK : FG_ERR_TOKEN_TOO_LARGE);
	}
	/* Deeper than Jansson goes; and a header like that. */
	CU_ASSERT_EQUAL(judge_payload(key, keys, repeated("{\"a\":", "[", 5000, "")), FG_ERR_TOKEN_MALFORMED);
	memset(deep, '[', sizeof(deep) - 1);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, deep, "{}"), keys, NULL), FG_ERR_TOKEN_MALFORMED);
	/* A signature that no key makes. */
	CU_ASSERT_EQUAL(token_judge(maker_token_with("{\"alg\":\"HS256\"}", "{}", signature, sizeof(signature)), keys, NULL),
	    FG_ERR_TOKEN_TOO_LARGE);
	maker_key_free(key);
	fg_key_set_release(keys);
}

/* ---- ECDSA */

static void
ecdsa_signatures(void)
{
	static const char *const algs[] = {"ES256", "ES384", "ES512"};
	static const size_t halves[] = {32, 48, 66};
	unsigned char raw[140];

	for (size_t i = 0; i < FG_ARRAY_LEN(algs); i++) {
		struct maker_key *key = maker_key_new(algs[i]);
		struct fg_key_set *keys = token_keys(maker_jwk(key, NULL));
		size_t half = halves[i];
		char header[64];

		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algs[i]);
		CU_ASSERT_EQUAL(token_judge(maker_token(key, header, TOKEN_PAYLOAD), keys, NULL), FG_OK);
		CU_ASSERT_EQUAL(token_judge(maker_token_der(key, header, TOKEN_PAYLOAD), keys, NULL),
		    FG_ERR_TOKEN_SIGNATURE_INVALID);
		/* r and s zero (CVE-2022-21449), r zero, s zero, all bits set, one byte more or less. */
		for (int bits = 0; bits < 4; bits++) {
			memset(raw, 0, sizeof(raw));
			memset(raw, bits & 1 ? 1 : 0, half);
			memset(raw + half, bits & 2 ? 1 : 0, half);
			CU_ASSERT_EQUAL(token_judge(maker_token_with(header, TOKEN_PAYLOAD, raw, 2 * half), keys, NULL),
			    FG_ERR_TOKEN_SIGNATURE_INVALID);
		}
		memset(raw, 0xff, sizeof(raw));
		for (size_t len = 2 * half - 1; len <= 2 * half + 1; len++)
			CU_ASSERT_EQUAL(token_judge(maker_token_with(header, TOKEN_PAYLOAD, raw, len), keys, NULL),
			    FG_ERR_TOKEN_SIGNATURE_INVALID);
		maker_key_free(key);
		fg_key_set_release(keys);
	}
}

/* ---- whoever verifies */

static void
every_algorithm_verifies_its_own_alone(void)
{
	for (enum fg_alg alg = 0; alg < FG_ALG_COUNT; alg++) {
		const char *name = fg_alg_name(alg);
		struct maker_key *key = maker_key_new(name), *other = maker_key_new(name);
		struct fg_key_set *keys = token_keys(maker_jwk(key, NULL));
		static const char *const types[] = {"", ",\"typ\":\"JWT\"", ",\"typ\":\"jwt\"", ",\"typ\":\"at+jwt\""};
		char header[64];

		/* With each typ: libjwt and OpenSSL share the work by it. */
		for (size_t i = 0; i < FG_ARRAY_LEN(types); i++) {
			snprintf(header, sizeof(header), "{\"alg\":\"%s\"%s}", name, types[i]);
			CU_ASSERT_EQUAL(token_judge(maker_token(key, header, TOKEN_PAYLOAD), keys, NULL), FG_OK);
			CU_ASSERT_EQUAL(token_judge(maker_token(other, header, TOKEN_PAYLOAD), keys, NULL),
			    FG_ERR_TOKEN_SIGNATURE_INVALID);
		}
		CU_ASSERT_EQUAL(strstr(fg_jws_who_verifies(alg), " and libjwt ") != NULL, fg_libjwt_takes(alg));
		maker_key_free(key);
		maker_key_free(other);
		fg_key_set_release(keys);
	}
}

static void
tries_are_bounded(void)
{
	struct maker_key *keys[FG_MAX_KEY_TRIES + 1];
	struct fg_key_set *set;
	char *text = malloc(64 * 1024), *at = text;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	at += sprintf(at, "{\"keys\":[");
	for (size_t i = 0; i < FG_ARRAY_LEN(keys); i++) {
		char *jwk = maker_jwk(keys[i] = maker_key_new("ES256"), NULL);

		at += sprintf(at, "%s%s", i > 0 ? "," : "", jwk);
		free(jwk);
	}
	sprintf(at, "]}");
	set = token_keys(text);
	for (size_t i = 0; i < FG_ARRAY_LEN(keys); i++) {
		CU_ASSERT_EQUAL(token_judge(maker_token(keys[i], "{\"alg\":\"ES256\"}", TOKEN_PAYLOAD), set, NULL),
		    i < FG_MAX_KEY_TRIES ? FG_OK : FG_ERR_TOKEN_SIGNATURE_INVALID);
		maker_key_free(keys[i]);
	}
	fg_key_set_release(set);
}

void
suite_token_attack(void)
{
	CU_pSuite suite = CU_add_suite("token_attack", NULL, NULL);

	ADD_TEST(suite, public_key_as_hmac_secret);
	ADD_TEST(suite, none_in_any_spelling);
	ADD_TEST(suite, another_algorithm_of_the_same_key);
	ADD_TEST(suite, headers_that_are_refused);
	ADD_TEST(suite, kids_are_only_compared);
	ADD_TEST(suite, one_spelling_alone);
	ADD_TEST(suite, parts);
	ADD_TEST(suite, sizes);
	ADD_TEST(suite, ecdsa_signatures);
	ADD_TEST(suite, every_algorithm_verifies_its_own_alone);
	ADD_TEST(suite, tries_are_bounded);
}
