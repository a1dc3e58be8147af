/*
 * A token of any bytes, against keys that are known to the corpus (secret and Ed25519 key of RFC 7515 A.1 and RFC 8037 A.4).
 * What is taken apart is well-formed in the strict sense: encoding its parts again gives the same text. Whatever verifies has
 * a signature; whatever the cache gives back is the token that was put.
 */
#include <stdint.h>
#include <stdlib.h>

#include "token/b64url.h"
#include "token/token_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fg_key_set *
load_keys(void)
{
	static const char text[] =
	    "{\"keys\":["
	    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"},"
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
	    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
	struct fg_key_report report;
	struct fg_key_set *keys;

	FG_ASSERT(fg_key_set_from_jwks(&keys, FG_STR(text), &report) == FG_OK);
	return keys;
}

static void
check_spelling(const struct fg_jws *jws)
{
	struct fg_buf again;

	fg_buf_init(&again, 2 * FG_MAX_TOKEN_BYTES);
	FG_ASSERT(fg_b64url_add(&again, jws->payload.p, jws->payload.len) && fg_buf_add_char(&again, '.') &&
	    fg_b64url_add(&again, jws->signature, jws->signature_len));
	FG_ASSERT(fg_str_ends_with(jws->text, fg_buf_str(&again)));
	fg_buf_fini(&again);
}

static void
check_cache(struct fg_str text, const struct fg_key_set *keys, struct fg_token *token)
{
	struct fg_token_cache *cache = fg_token_cache_new(4, 64 * 1024, FG_US_PER_S);
	const struct fg_clock now = {.mono = 1, .wall = 1};
	struct fg_token *hit;

	fg_token_cache_put(cache, text, 1, keys, token, &now);
	hit = fg_token_cache_get(cache, text, 1, keys, &now);
	FG_ASSERT(hit == token || (hit == NULL && token->expires <= 1));
	FG_ASSERT(fg_token_cache_get(cache, text, 2, keys, &now) == NULL);
	fg_token_release(hit);
	fg_token_cache_free(cache);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fg_str audiences[] = {FG_STR_INIT("orders")};
	static const struct fg_token_rules strict = {.algorithms = FG_ALGS_ALL,
	    .claims = {.issuer = FG_STR_INIT("joe"), .audiences = audiences, .audience_count = 1}};
	static const struct fg_token_rules any = {.algorithms = FG_ALGS_ALL, .claims = {.exp_optional = true}};
	struct fg_str text = {(const char *)data, size};
	const char *why = NULL;
	struct fg_key_set *keys;
	struct fg_token *token;
	struct fg_jws jws;

	if (fg_jws_parse(&jws, text, &why) != FG_OK) {
		FG_ASSERT(why != NULL);
		return 0;
	}
	check_spelling(&jws);
	keys = load_keys();
	fg_jws_issuer(&jws);
	if (fg_token_verify(&token, &jws, keys, &any, 0, &why) == FG_OK) {
		check_cache(text, keys, token);
		fg_token_release(token);
		if (fg_token_verify(&token, &jws, keys, &strict, 0, &why) == FG_OK)
			fg_token_release(token);
	}
	fg_jws_fini(&jws);
	fg_key_set_release(keys);
	return 0;
}
