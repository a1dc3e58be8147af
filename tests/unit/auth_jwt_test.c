/* lib/filter/auth_jwt, auth_introspection: what is wrong with a configuration is said when it is read. */
#include <stdlib.h>

#include "support/token_maker.h"
#include "unit/config_load.h"
#include "unit/unit.h"

#define HEAD "version: 1\nservices: {a: http://127.0.0.1:1}\nauth:\n  p: "
#define ROUTES "\nroutes: {r: {path: /r, service: a, auth: p}}\n"
#define JWT "{type: jwt, issuer: 'https://i.example/', audience: x, algorithms: RS256"

static void
write_files(void)
{
	struct maker_key *key = maker_key_new("ES256");
	char *text;

	config_write("es.pem", text = maker_pem(key, NULL, NULL));
	free(text);
	maker_key_free(key);
	config_write("short", "too short\n");
	config_write("secret", "0123456789abcdef0123456789abcdef\n");
}

static void
good_policies(void)
{
	static const char *const texts[] = {
	    HEAD JWT "}" ROUTES,
	    HEAD JWT ", keys: 'https://i.example/keys'}" ROUTES,
	    HEAD JWT ", keys: 'http://127.0.0.1:80/keys'}" ROUTES,
	    HEAD JWT ", keys: 'http://i.example/keys', allow-http: true}" ROUTES,
	    HEAD JWT ", discovery: 'https://i.example/x'}" ROUTES,
	    HEAD "{type: jwt, issuer: i, audience: any, algorithms: [ES256, RS256], keys: file:es.pem, cache: off}" ROUTES,
	    HEAD "{type: jwt, issuer: i, audience: [a, b], algorithms: HS256, keys: file:secret}" ROUTES,
	    HEAD "{type: jwt, issuer: i, audience: a, algorithms: HS256, keys: 0123456789abcdef0123456789abcdef}" ROUTES,
	    HEAD "{type: introspection, url: 'https://i.example/in', client-id: a, client-secret: b}" ROUTES,
	};

	write_files();
	for (size_t i = 0; i < FG_ARRAY_LEN(texts); i++)
		EXPECT_ERRORS(texts[i], "");
}

static void
wrong_policies(void)
{
	static const struct { const char *text, *errors; } table[] = {
	    {HEAD "{type: jwt}" ROUTES, "f:4:3: auth.p: issuer is missing\nf:4:3: auth.p: audience is missing\nf:4:3: auth.p: algorithms is missing\n"},
	    {HEAD JWT ", keys: 'http://i.example/keys'}" ROUTES,
		"f:4:86: auth.p.keys: keys that come over http can be anybody's; write https://, or allow-http: true\n"},
	    {HEAD JWT ", keys: secretsecretsecretsecretsecretsecret}" ROUTES,
		"f:4:86: auth.p.keys: expected https://HOST/PATH or file:PATH; a secret is for HS256, HS384 and HS512 alone\n"},
	    {HEAD JWT ", keys: file:es.pem}" ROUTES, "f:4:86: auth.p.keys: cannot be used: none of its keys is for one of these algorithms\n"},
	    {HEAD "{type: jwt, issuer: i, audience: x, algorithms: RS256}" ROUTES,
		"f:4:3: auth.p: needs keys: a URL, or file:PATH; its issuer is no URL to find them by\n"},
	    {HEAD "{type: jwt, issuer: 'https://i.example', audience: x, algorithms: [RS256, HS256]}" ROUTES,
		"f:4:6: auth.p: HS256, HS384 and HS512 need a secret, and nobody publishes one at a URL; write keys: file:PATH\n"},
	    {HEAD JWT ", keys: 'https://i.example/k', fetch-timeout: 5}" ROUTES,
		"f:4:124: auth.p.fetch-timeout: expected a duration (250ms, 5s, 1m, 2h, 30d) from 10ms to 1m, found \"5\"; a unit is missing: ms, "
		"s, m, h or d (5s?)\n"},
	    {HEAD JWT ", keys: 'https://i.example/k', discovery: 'https://i.example/d'}" ROUTES,
		"f:4:120: auth.p.discovery: says where the keys are, and so does keys; keep one of them\n"},
	    {HEAD JWT ", from: [header:X-T, 'header:x-t']}" ROUTES, "f:4:86: auth.p.from: names x-t twice\n"},
	    {HEAD JWT ", from: ip}" ROUTES,
		"f:4:86: auth.p.from: \"ip\" is no place for a credential; write header:NAME, cookie:NAME or query:NAME\n"},
	    {HEAD JWT ", forward: {X-Forwarded-For: sub}}" ROUTES,
		"f:4:90: auth.p.forward: X-Forwarded-For has a meaning of its own; take another header, X-User for example\n"},
	    {HEAD JWT ", forward: {X-User: sub, X_User: sub}}" ROUTES, "f:4:89: auth.p.forward: sets X_User twice\n"},
	    {HEAD JWT "}\nroutes: {r: {path: /r, service: a}}\n",
		"f:5:10: routes.r: does not say who may call it; write auth: none if everybody may\n"},
	    {HEAD "{type: jwt, issuer: i, audience: any, algorithms: ES256, keys: file:es.pem, stale: 1h}" ROUTES,
		"f:4:89: auth.p.stale: is for keys at a URL; these are in a file, which is read again at a reload\n"},
	    {HEAD "{type: introspection, url: 'http://i.example/in', client-id: a, client-secret: b}" ROUTES,
		"f:4:33: auth.p.url: over http everybody on the way sees tokens and secret; write https://, or allow-http: true\n"},
	};

	write_files();
	for (size_t i = 0; i < FG_ARRAY_LEN(table); i++)
		EXPECT_ERRORS(table[i].text, table[i].errors);
}

/* Why a secret is not good enough is the token library's to say; that it is said is ours. */
static void
a_secret_that_is_too_short(void)
{
	struct loaded *loaded;

	write_files();
	loaded = config_load(HEAD "{type: jwt, issuer: i, audience: x, algorithms: HS256, keys: file:short}" ROUTES);
	CU_ASSERT(fg_str_starts_with(fg_str_from(loaded->errors), FG_STR("f:4:67: auth.p.keys: cannot be used: ")));
	config_end(loaded);
}

static void
what_the_routes_have(void)
{
	struct loaded *loaded = config_load(HEAD JWT ", from: 'query:t', forward: {X-User: sub}}" ROUTES);

	CU_ASSERT_FATAL(loaded->config != NULL);
	CU_ASSERT(fg_header_set_has(&loaded->config->identity_headers, FG_STR("x_user")));
	CU_ASSERT_EQUAL_FATAL(loaded->config->credential_param_count, 1);
	ASSERT_STR(loaded->config->credential_params[0], "t");
	config_end(loaded);
}

void
suite_auth_jwt(void)
{
	CU_pSuite suite = CU_add_suite("auth_jwt", config_folder_make, config_folder_remove);

	ADD_TEST(suite, good_policies);
	ADD_TEST(suite, wrong_policies);
	ADD_TEST(suite, a_secret_that_is_too_short);
	ADD_TEST(suite, what_the_routes_have);
}
