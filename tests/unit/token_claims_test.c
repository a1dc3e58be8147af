/* lib/token: strict base64url, JSON in one block, and what claims have to say. */
#include "base/limits.h"
#include "token/b64url.h"
#include "unit/token_scene.h"

static void
b64url(void)
{
	static const char *const good[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe\xfd\xfc"};
	static const char *const text[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy", "__79_A"};
	static const char *const bad[] = {"Z", "Zg==", "Zh", "Zm9", "Zm8=", "Zm9v\n", " Zg", "Z+", "Z/", "Zm9vYh", "Zm\0", "Zm9vZ", "\xc3g"};
	uint8_t out[16];
	struct fg_buf buf;
	char back[16];

	for (size_t i = 0; i < FG_ARRAY_LEN(good); i++) {
		struct fg_str t = fg_str_from(text[i]);

		CU_ASSERT_EQUAL(fg_b64url_decoded_size(t.len), strlen(good[i]));
		CU_ASSERT_EQUAL(fg_b64url_encoded_size(strlen(good[i])), t.len);
		CU_ASSERT(fg_b64url_decode(out, t));
		CU_ASSERT(memcmp(out, good[i], strlen(good[i])) == 0);
		fg_b64url_encode(back, good[i], strlen(good[i]));
		CU_ASSERT(memcmp(back, text[i], t.len) == 0);
	}
	fg_buf_init(&buf, 6);
	CU_ASSERT(fg_b64url_add(&buf, "", 0) && fg_b64url_add(&buf, "foo", 3) && !fg_b64url_add(&buf, "foo", 3));
	CU_ASSERT(fg_b64url_add(&buf, "f", 1));
	ASSERT_STR(fg_buf_str(&buf), "Zm9vZg");
	fg_buf_fini(&buf);
	for (size_t i = 0; i < FG_ARRAY_LEN(bad); i++)
		CU_ASSERT(!fg_b64url_decode(out, (struct fg_str){bad[i], i == 10 ? 3 : strlen(bad[i])}));
}

/* NULL (and a failed test) when it is refused. */
static struct fg_json *
parse(const char *text)
{
	static const struct fg_json_bounds bounds = {.bytes = 4096, .depth = 8, .nodes = 100};
	struct fg_json *doc;

	CU_ASSERT_EQUAL(fg_json_parse(&doc, fg_str_from(text), &bounds, NULL), FG_OK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
	return doc;
}

static void
json_values(void)
{
	struct fg_json *doc = parse(" {\"s\":\"a\\u00e4\",\"i\":-7,\"r\":0.1,\"t\":true,\"f\":false,\"n\":null,\"a\":[1,[],{}],\"\":\"\"} ");
	const struct fg_json_node *root = fg_json_root(doc), *a = fg_json_member(root, FG_STR("a"));

	CU_ASSERT_EQUAL(root->count, 8);
	ASSERT_STR(fg_json_string(root, FG_STR("s")), "a\xc3\xa4");
	ASSERT_STR(fg_json_member(root, FG_STR("i"))->text, "-7");
	CU_ASSERT_EQUAL(fg_json_member(root, FG_STR("i"))->as.integer, -7);
	ASSERT_STR(fg_json_member(root, FG_STR("r"))->text, "0.1");
	ASSERT_STR(fg_json_member(root, FG_STR("t"))->text, "true");
	ASSERT_STR(fg_json_member(root, FG_STR("f"))->text, "false");
	ASSERT_STR(fg_json_member(root, FG_STR("n"))->text, "null");
	ASSERT_STR(fg_json_string(root, FG_STR("")), "");
	CU_ASSERT_PTR_NULL(fg_json_string(root, FG_STR("i")).p);
	CU_ASSERT_PTR_NULL(fg_json_member(root, FG_STR("x")));
	CU_ASSERT_EQUAL(a->count, 3);
	CU_ASSERT_EQUAL(a->as.children[0].as.integer, 1);
	CU_ASSERT_EQUAL(a->as.children[1].type, FG_JSON_ARRAY);
	CU_ASSERT_EQUAL(a->as.children[2].type, FG_JSON_OBJECT);
	CU_ASSERT_PTR_NULL(fg_json_member(a, FG_STR("a")));
	CU_ASSERT_PTR_NULL(fg_json_member(NULL, FG_STR("a")));
	CU_ASSERT(fg_json_size(doc) > 12 * sizeof(struct fg_json_node));
	fg_json_release(fg_json_hold(doc));
	fg_json_release(doc);
}

static void
json_refused(void)
{
	static const struct fg_json_bounds bounds = {.bytes = 64, .depth = 2, .nodes = 5};
	static const struct {
		const char *text;
		enum fg_err err;
	} cases[] = {
	    {"{\"a\":1,\"a\":1}", FG_ERR_SYNTAX}, {"{\"a\":{\"b\":1,\"b\":2}}", FG_ERR_SYNTAX}, {"1 2", FG_ERR_SYNTAX}, {"", FG_ERR_SYNTAX},
	    {" ", FG_ERR_SYNTAX}, {"{\"a\":1,}", FG_ERR_SYNTAX}, {"{a:1}", FG_ERR_SYNTAX}, {"'a'", FG_ERR_SYNTAX}, {"01", FG_ERR_SYNTAX},
	    {"NaN", FG_ERR_SYNTAX}, {"1e999", FG_ERR_SYNTAX}, {"9223372036854775808", FG_ERR_SYNTAX}, {"\"\\u0000\"", FG_ERR_SYNTAX},
	    {"\"\\ud800\"", FG_ERR_SYNTAX}, {"\"\xff\"", FG_ERR_SYNTAX}, {"\xef\xbb\xbf{}", FG_ERR_SYNTAX}, {"[[1,2]]", FG_OK},
	    {"[[[]]]", FG_ERR_TOO_LARGE}, {"[1,2,3,4]", FG_OK}, {"[1,2,3,4,5]", FG_ERR_TOO_LARGE},
	    {"\"1234567890123456789012345678901234567890123456789012345678901234\"", FG_ERR_TOO_LARGE},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		struct fg_json *doc;
		const char *why = NULL;

		CU_ASSERT_EQUAL(fg_json_parse(&doc, fg_str_from(cases[i].text), &bounds, &why), cases[i].err);
		CU_ASSERT_EQUAL(doc != NULL, cases[i].err == FG_OK);
		CU_ASSERT_EQUAL(why == NULL, cases[i].err == FG_OK);
		fg_json_release(doc);
	}
}

static enum fg_err
check(const char *text, const struct fg_claim_rules *rules, fg_usec *expires)
{
	struct fg_json *doc = parse(text);
	const char *why = NULL;
	enum fg_err err = fg_claims_check(fg_json_root(doc), rules, TOKEN_NOW, expires, &why);

	CU_ASSERT_EQUAL(why == NULL, err == FG_OK);
	fg_json_release(doc);
	return err;
}

/* Now is 1795550400, the leeway 30 seconds. */
static void
times(void)
{
	static const struct {
		const char *claims;
		enum fg_err err;
	} cases[] = {
	    {"{\"exp\":1795550371}", FG_OK}, {"{\"exp\":1795550370}", FG_ERR_TOKEN_EXPIRED}, {"{\"exp\":1795550370.5}", FG_OK},
	    {"{\"exp\":0}", FG_ERR_TOKEN_EXPIRED}, {"{\"exp\":-1}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"exp\":\"1795554000\"}", FG_ERR_TOKEN_CLAIM_INVALID}, {"{\"exp\":1e300}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"exp\":253402300799}", FG_OK}, {"{\"exp\":253402300800}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"exp\":9223372036854775807}", FG_ERR_TOKEN_CLAIM_INVALID}, {"{\"exp\":null}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"exp\":[1795554000]}", FG_ERR_TOKEN_CLAIM_INVALID}, {"{\"exp\":true}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"exp\":1.795554e9}", FG_OK}, {"{}", FG_ERR_TOKEN_CLAIM_MISSING},
	    {"{\"exp\":1795554000,\"nbf\":1795550430}", FG_OK}, {"{\"exp\":1795554000,\"nbf\":1795550431}", FG_ERR_TOKEN_NOT_YET_VALID},
	    {"{\"exp\":1795554000,\"nbf\":\"0\"}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"exp\":1795554000,\"iat\":1795550430}", FG_OK}, {"{\"exp\":1795554000,\"iat\":1795550431}", FG_ERR_TOKEN_NOT_YET_VALID},
	    {"{\"exp\":1795554000,\"iat\":false}", FG_ERR_TOKEN_CLAIM_INVALID}, {"{\"exp\":1795554000,\"nbf\":-5}", FG_ERR_TOKEN_CLAIM_INVALID},
	};
	struct fg_claim_rules rules = {.leeway = 30 * FG_US_PER_S};
	fg_usec expires = 0;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		enum fg_err err = check(cases[i].claims, &rules, &expires);

		if (err != cases[i].err)
			fprintf(stderr, "%s: %s\n", cases[i].claims, fg_err_token(err));
		CU_ASSERT_EQUAL(err, cases[i].err);
	}
	CU_ASSERT_EQUAL(check("{\"exp\":1795554000}", &rules, &expires), FG_OK);
	CU_ASSERT_EQUAL(expires, (fg_usec)1795554030 * FG_US_PER_S);
	rules.exp_optional = true;
	CU_ASSERT_EQUAL(check("{}", &rules, &expires), FG_OK);
	CU_ASSERT_EQUAL(expires, FG_NEVER);
	CU_ASSERT_EQUAL(check("{\"exp\":1}", &rules, &expires), FG_ERR_TOKEN_EXPIRED);
}

static void
who_and_for_whom(void)
{
	static const struct fg_str audiences[] = {FG_STR_INIT("orders"), FG_STR_INIT("invoices")};
	static const struct fg_str required[] = {FG_STR_INIT("sub"), FG_STR_INIT("act.tenant")};
	const struct fg_claim_rules rules = {.issuer = FG_STR("https://idp.example/"), .audiences = audiences, .audience_count = 2,
	    .exp_optional = true, .required = required, .required_count = 2};
	static const struct {
		const char *claims;
		enum fg_err err;
	} cases[] = {
	    {"{\"iss\":\"https://idp.example/\",\"aud\":\"invoices\",\"sub\":\"u\",\"act\":{\"tenant\":7}}", FG_OK},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":[\"x\",\"orders\"],\"sub\":\"u\",\"act\":{\"tenant\":[]}}", FG_OK},
	    {"{\"iss\":\"https://idp.example\",\"aud\":\"orders\"}", FG_ERR_TOKEN_ISSUER_UNKNOWN},
	    {"{\"iss\":\"HTTPS://idp.example/\",\"aud\":\"orders\"}", FG_ERR_TOKEN_ISSUER_UNKNOWN},
	    {"{\"aud\":\"orders\"}", FG_ERR_TOKEN_ISSUER_UNKNOWN},
	    {"{\"iss\":[\"https://idp.example/\"],\"aud\":\"orders\"}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"iss\":\"https://idp.example/\"}", FG_ERR_TOKEN_AUDIENCE_WRONG},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":\"order\"}", FG_ERR_TOKEN_AUDIENCE_WRONG},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":\"orders invoices\"}", FG_ERR_TOKEN_AUDIENCE_WRONG},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":[]}", FG_ERR_TOKEN_AUDIENCE_WRONG},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":{\"orders\":1}}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":[\"orders\",1]}", FG_ERR_TOKEN_CLAIM_INVALID},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":\"orders\",\"sub\":\"u\"}", FG_ERR_TOKEN_CLAIM_MISSING},
	    {"{\"iss\":\"https://idp.example/\",\"aud\":\"orders\",\"sub\":null,\"act\":{\"tenant\":1}}", FG_ERR_TOKEN_CLAIM_MISSING},
	};
	fg_usec expires;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++)
		CU_ASSERT_EQUAL(check(cases[i].claims, &rules, &expires), cases[i].err);
}

static void
types(void)
{
	static const struct {
		struct fg_str typ, wanted;
		bool ok;
	} cases[] = {
	    {FG_STR_INIT("at+jwt"), FG_STR_INIT("at+jwt"), true}, {FG_STR_INIT("AT+JWT"), FG_STR_INIT("at+jwt"), true},
	    {FG_STR_INIT("application/at+jwt"), FG_STR_INIT("at+jwt"), true},
	    {FG_STR_INIT("at+jwt"), FG_STR_INIT("application/at+JWT"), true}, {FG_STR_INIT("JWT"), FG_STR_INIT("at+jwt"), false},
	    {{NULL, 0}, FG_STR_INIT("at+jwt"), false}, {{NULL, 0}, {NULL, 0}, true}, {FG_STR_INIT("x"), {NULL, 0}, true},
	    {FG_STR_INIT("application/a/at+jwt"), FG_STR_INIT("at+jwt"), false}, {FG_STR_INIT(""), FG_STR_INIT("at+jwt"), false},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++)
		CU_ASSERT_EQUAL(fg_claims_check_typ(cases[i].typ, cases[i].wanted), cases[i].ok ? FG_OK : FG_ERR_TOKEN_TYPE_WRONG);
}

static void
paths(void)
{
	struct fg_json *doc = parse("{\"sub\":\"u1\",\"n\":7,\"b\":true,\"z\":null,"
	    "\"realm\":{\"roles\":[\"admin\",\"7\",7],\"o\":{\"x\":\"deep\"}},"
	    "\"https://e.example/roles\":[\"staff\"],\"a.b\":\"whole\",\"a\":{\"b\":\"nested\",\"c\":1},\"scope\":\"read  write\"}");
	const struct fg_json_node *root = fg_json_root(doc);

	ASSERT_STR(fg_claim_text(fg_claim_find(root, FG_STR("sub"))), "u1");
	ASSERT_STR(fg_claim_text(fg_claim_find(root, FG_STR("n"))), "7");
	ASSERT_STR(fg_claim_text(fg_claim_find(root, FG_STR("b"))), "true");
	CU_ASSERT_PTR_NULL(fg_claim_text(fg_claim_find(root, FG_STR("z"))).p);
	CU_ASSERT_PTR_NULL(fg_claim_text(fg_claim_find(root, FG_STR("realm"))).p);
	CU_ASSERT_PTR_NULL(fg_claim_text(fg_claim_find(root, FG_STR("realm.roles"))).p);
	ASSERT_STR(fg_claim_text(fg_claim_find(root, FG_STR("realm.o.x"))), "deep");
	ASSERT_STR(fg_claim_text(fg_claim_find(root, FG_STR("a.b"))), "whole");
	ASSERT_STR(fg_claim_text(fg_claim_find(root, FG_STR("a.c"))), "1");
	CU_ASSERT_PTR_NULL(fg_claim_find(root, FG_STR("sub.x")));
	CU_ASSERT_PTR_NULL(fg_claim_find(root, FG_STR("su")));
	CU_ASSERT_PTR_NULL(fg_claim_find(root, FG_STR("")));
	CU_ASSERT_PTR_NULL(fg_claim_find(root, FG_STR("realm..o")));
	CU_ASSERT(fg_claim_has(fg_claim_find(root, FG_STR("realm.roles")), FG_STR("admin")));
	CU_ASSERT(!fg_claim_has(fg_claim_find(root, FG_STR("realm.roles")), FG_STR("adm")));
	CU_ASSERT(fg_claim_has(fg_claim_find(root, FG_STR("https://e.example/roles")), FG_STR("staff")));
	CU_ASSERT(fg_claim_has(fg_claim_find(root, FG_STR("sub")), FG_STR("u1")));
	CU_ASSERT(!fg_claim_has(fg_claim_find(root, FG_STR("scope")), FG_STR("read")));
	CU_ASSERT(!fg_claim_has(NULL, FG_STR("")));
	CU_ASSERT(!fg_claim_has(fg_claim_find(root, FG_STR("z")), FG_STR("null")));
	CU_ASSERT(fg_claim_has_word(fg_claim_find(root, FG_STR("scope")), FG_STR("write")));
	CU_ASSERT(!fg_claim_has_word(fg_claim_find(root, FG_STR("scope")), FG_STR("")));
	CU_ASSERT(!fg_claim_has_word(fg_claim_find(root, FG_STR("scope")), FG_STR("read  write")));
	CU_ASSERT(fg_claim_has_word(fg_claim_find(root, FG_STR("realm.roles")), FG_STR("admin")));
	fg_json_release(doc);
}

/* The whole of it: what is asked of a token is asked of its signature first. */
static void
a_token(void)
{
	static const struct fg_str audiences[] = {FG_STR_INIT("orders")};
	const struct fg_token_rules rules = {.algorithms = 1u << FG_ALG_ES256,
	    .claims = {.issuer = FG_STR("https://idp.example/"), .audiences = audiences, .audience_count = 1, .typ = FG_STR("at+jwt")}};
	struct maker_key *key = maker_key_new("ES256"), *other = maker_key_new("ES256");
	struct fg_key_set *keys = token_keys(maker_jwk(key, "\"kid\":\"a\""));
	const char *header = "{\"alg\":\"ES256\",\"kid\":\"a\",\"typ\":\"at+jwt\"}";
	char *text = maker_token(key, header, TOKEN_PAYLOAD);
	struct fg_token *token;
	struct fg_jws jws;

	CU_ASSERT_EQUAL_FATAL(fg_jws_parse(&jws, fg_str_from(text), NULL), FG_OK);
	ASSERT_STR(fg_jws_issuer(&jws), "https://idp.example/");
	CU_ASSERT_EQUAL_FATAL(fg_token_verify(&token, &jws, keys, &rules, TOKEN_NOW, NULL), FG_OK);
	CU_ASSERT(fg_key_id_eq(&token->key_id, fg_key_id(fg_key_set_at(keys, 0))));
	fg_jws_fini(&jws);
	free(text);
	ASSERT_STR(fg_token_claim(token, FG_STR("sub")), "u1");
	CU_ASSERT_PTR_NULL(fg_token_claim(token, FG_STR("nothing")).p);
	CU_ASSERT_EQUAL(token->expires, (fg_usec)1795554000 * FG_US_PER_S);
	fg_token_release(token);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, "{\"alg\":\"ES256\",\"kid\":\"a\"}", TOKEN_PAYLOAD), keys, &rules),
	    FG_ERR_TOKEN_TYPE_WRONG);
	CU_ASSERT_EQUAL(token_judge(maker_token(key, header, "{\"iss\":\"x\"}"), keys, &rules), FG_ERR_TOKEN_ISSUER_UNKNOWN);
	CU_ASSERT_EQUAL(token_judge(maker_token(other, header, "{\"iss\":\"x\"}"), keys, &rules), FG_ERR_TOKEN_SIGNATURE_INVALID);
	maker_key_free(key);
	maker_key_free(other);
	fg_key_set_release(keys);
}

void
suite_token_claims(void)
{
	CU_pSuite suite = CU_add_suite("token_claims", NULL, NULL);

	ADD_TEST(suite, b64url);
	ADD_TEST(suite, json_values);
	ADD_TEST(suite, json_refused);
	ADD_TEST(suite, times);
	ADD_TEST(suite, who_and_for_whom);
	ADD_TEST(suite, types);
	ADD_TEST(suite, paths);
	ADD_TEST(suite, a_token);
}
