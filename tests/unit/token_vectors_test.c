/* lib/token: the examples of the RFCs verify, and nothing verifies once a bit is changed; both libraries agree on each. */
#include <stdio.h>
#include <stdlib.h>

#include "token/b64url.h"
#include "token/jws.h"
#include "token/key_internal.h"
#include "token/token.h"
#include "token/verify.h"
#include "unit/token_vectors.h"
#include "unit/unit.h"

static struct fg_key_set *
load(const char *text)
{
	struct fg_key_report report;
	struct fg_key_set *keys;

	if (fg_key_set_from_text(&keys, fg_str_from(text), &report) != FG_OK)
		fprintf(stderr, "%s\n", report.message);
	CU_ASSERT_PTR_NOT_NULL_FATAL(keys);
	return keys;
}

static void
all_verify(void)
{
	for (size_t i = 0; i < FG_ARRAY_LEN(token_vectors); i++) {
		struct fg_key_set *keys = load(token_vectors[i].keys);
		const struct fg_key *used = NULL;
		const char *why = "";
		struct fg_jws jws;
		enum fg_err err;

		CU_ASSERT_EQUAL_FATAL(fg_jws_parse(&jws, fg_str_from(token_vectors[i].token), &why), FG_OK);
		CU_ASSERT_EQUAL(jws.alg, token_vectors[i].alg);
		CU_ASSERT_EQUAL(fg_jws_read_claims(&jws, &why) == FG_OK, token_vectors[i].is_jwt);
		err = fg_jws_verify(&jws, keys, FG_ALGS_ALL, &used, &why);
		if (err != FG_OK)
			fprintf(stderr, "%s: %s\n", token_vectors[i].name, why);
		CU_ASSERT_EQUAL(err, FG_OK);
		CU_ASSERT_PTR_EQUAL(used, fg_key_set_at(keys, 0));
		CU_ASSERT_EQUAL(fg_jws_verify(&jws, keys, FG_ALGS_ALL & ~(1u << jws.alg), NULL, &why),
		    FG_ERR_TOKEN_ALGORITHM_REFUSED);
		fg_jws_fini(&jws);
		fg_key_set_release(keys);
	}
}

/* The first letter of each part's second half is exchanged: header, payload and signature are all under the signature. */
static void
none_verifies_when_changed(void)
{
	for (size_t i = 0; i < FG_ARRAY_LEN(token_vectors); i++) {
		struct fg_key_set *keys = load(token_vectors[i].keys);
		size_t len = strlen(token_vectors[i].token);
		char *token = malloc(len + 1);
		unsigned verified = 0, refused = 0;

		CU_ASSERT_PTR_NOT_NULL_FATAL(token);
		for (size_t at = 0; at < len; at += 7) {
			struct fg_jws jws;

			memcpy(token, token_vectors[i].token, len + 1);
			if (token[at] == '.')
				continue;
			token[at] = token[at] == 'A' ? 'B' : 'A';
			if (fg_jws_parse(&jws, fg_str_from(token), NULL) != FG_OK) {
				refused++;
				continue;
			}
			verified += fg_jws_read_claims(&jws, NULL) == FG_OK &&
			    fg_jws_verify(&jws, keys, FG_ALGS_ALL, NULL, NULL) == FG_OK;
			verified += fg_verify_by_openssl(&jws, fg_key_set_at(keys, 0)) == FG_VERDICT_GOOD;
			refused++;
			fg_jws_fini(&jws);
		}
		CU_ASSERT_EQUAL(verified, 0);
		CU_ASSERT(refused > 0);
		free(token);
		fg_key_set_release(keys);
	}
}

static void
both_libraries_agree(void)
{
	unsigned by_libjwt = 0;

	for (size_t i = 0; i < FG_ARRAY_LEN(token_vectors); i++) {
		struct fg_key_set *keys = load(token_vectors[i].keys);
		struct fg_jws jws;

		CU_ASSERT_EQUAL_FATAL(fg_jws_parse(&jws, fg_str_from(token_vectors[i].token), NULL), FG_OK);
		CU_ASSERT_EQUAL(fg_verify_by_openssl(&jws, fg_key_set_at(keys, 0)), FG_VERDICT_GOOD);
		if (token_vectors[i].is_jwt && fg_libjwt_takes(jws.alg)) {
			CU_ASSERT_EQUAL(fg_verify_by_libjwt(&jws, fg_key_set_at(keys, 0)), FG_VERDICT_UNABLE);
			CU_ASSERT_EQUAL(fg_jws_read_claims(&jws, NULL), FG_OK);
			CU_ASSERT_EQUAL(fg_verify_by_libjwt(&jws, fg_key_set_at(keys, 0)), FG_VERDICT_GOOD);
			by_libjwt++;
		}
		fg_jws_fini(&jws);
		fg_key_set_release(keys);
	}
	if (fg_libjwt_takes(FG_ALG_RS256))
		CU_ASSERT(by_libjwt >= 2);
}

static void
thumbprints(void)
{
	static const struct {
		const char *jwk, *thumbprint;
	} known[] = {
	    /* RFC 7638 §3.1 */
	    {"{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\",\"e\":\"AQAB\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmb"
	     "XEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93l"
	     "qt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWh"
	     "AI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}",
	        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
	    /* RFC 8037 A.3 */
	    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
	        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(known); i++) {
		struct fg_key_set *keys = load(known[i].jwk);
		struct fg_buf out;

		fg_buf_init(&out, 64);
		fg_key_add_thumbprint(fg_key_set_at(keys, 0), &out);
		ASSERT_STR(fg_buf_str(&out), known[i].thumbprint);
		fg_buf_fini(&out);
		fg_key_set_release(keys);
	}
}

void
suite_token_vectors(void)
{
	CU_pSuite suite = CU_add_suite("token_vectors", NULL, NULL);

	ADD_TEST(suite, all_verify);
	ADD_TEST(suite, none_verifies_when_changed);
	ADD_TEST(suite, both_libraries_agree);
	ADD_TEST(suite, thumbprints);
}
