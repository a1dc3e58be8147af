/* What the tests of lib/token share: key sets of the maker's keys, and one verification in a line. */
#ifndef FG_TESTS_TOKEN_SCENE_H
#define FG_TESTS_TOKEN_SCENE_H

#include <stdio.h>
#include <stdlib.h>

#include "support/token_maker.h"
#include "token/token.h"
#include "unit/unit.h"

/* 2026-11-24T20:00:00Z; the tokens below are valid an hour. */
#define TOKEN_NOW_S 1795550400
#define TOKEN_NOW ((fg_usec)TOKEN_NOW_S * FG_US_PER_S)
#define TOKEN_PAYLOAD "{\"iss\":\"https://idp.example/\",\"aud\":\"orders\",\"sub\":\"u1\",\"iat\":1795550400,\"exp\":1795554000}"

/* text is freed. NULL (and a failed test) when it is refused. */
static inline struct fg_key_set *
token_keys(char *text)
{
	struct fg_key_report report;
	struct fg_key_set *keys;

	if (fg_key_set_from_text(&keys, fg_str_from(text), &report) != FG_OK)
		fprintf(stderr, "key set: %s\n", report.message);
	CU_ASSERT_PTR_NOT_NULL_FATAL(keys);
	free(text);
	return keys;
}

/* Parses and verifies; the signature alone when rules is NULL. token is freed. */
static inline enum fg_err
token_judge(char *token, const struct fg_key_set *keys, const struct fg_token_rules *rules)
{
	static const struct fg_token_rules any = {.algorithms = FG_ALGS_ALL, .claims = {.exp_optional = true}};
	struct fg_token *verified = NULL;
	const char *why = NULL;
	struct fg_jws jws;
	enum fg_err err = fg_jws_parse(&jws, fg_str_from(token), &why);

	if (err == FG_OK) {
		err = fg_token_verify(&verified, &jws, keys, rules == NULL ? &any : rules, TOKEN_NOW, &why);
		fg_jws_fini(&jws);
	}
	CU_ASSERT_EQUAL(err == FG_OK, verified != NULL);
	/* Whatever is refused says why. */
	CU_ASSERT(err == FG_OK || why != NULL);
	fg_token_release(verified);
	free(token);
	return err;
}

#endif
