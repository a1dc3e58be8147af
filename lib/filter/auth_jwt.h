/*
 * The authenticator `jwt`, between the files that make it up: auth_jwt_keys.c (its configuration), auth_jwt.c (a request's
 * token). `faregate token` looks at the configuration, too.
 */
#ifndef FG_FILTER_AUTH_JWT_H
#define FG_FILTER_AUTH_JWT_H

#include "core/client_certificate.h"
#include "core/key_source.h"
#include "core/revocation_reader.h"
#include "filter/authenticator.h"
#include "keys/key_store.h"
#include "token/token.h"

struct fg_jwt_cache_conf {
	bool is_off;
	int entries;
	int64_t bytes;
	fg_usec max_age;
};

struct fg_jwt_conf {
	struct fg_auth_policy auth;
	struct fg_str issuer;
	const struct fg_str *audiences; /* count 0: any */
	size_t audience_count;
	struct fg_str keys, discovery;  /* as written */
	struct fg_str material;         /* of a file, or a secret; p NULL: they are at a URL */
	bool is_secret;                 /* material are the bytes of one */
	bool allow_http;
	struct fg_str ca;
	struct fg_key_source_conf source; /* where material is not */
	const enum fg_alg *algorithms;
	size_t algorithm_count;
	fg_usec leeway;
	struct fg_str type_header;
	const struct fg_str *required_claims;
	size_t required_claim_count;
	bool expiry_optional;
	struct fg_str consumer; /* claim */
	enum fg_certificate_server bind_certificate; /* FG_CERTIFICATE_NOBODY: tokens are not bound */
	struct fg_jwt_cache_conf cache;
	struct fg_revocation_conf *revocation; /* NULL: not looked at */
	struct fg_token_rules rules; /* made of these */
};

_Static_assert(sizeof(struct fg_jwt_conf) <= FG_AUTH_CONF_BYTES, "the frame's room for it");

static inline const struct fg_jwt_conf *
fg_jwt_conf_of(const struct fg_auth_policy *policy)
{
	FG_ASSERT(policy->type == FG_AUTH_TYPE_JWT);
	return (const void *)policy;
}

/* In the pool's memory. */
struct fg_jwt_shared {
	struct fg_key_store keys;
	struct fg_revocation_table revocations;
};

fg_conf_parse_fn fg_auth_jwt_check;

/* The keys that lie in the configuration. FG_ERR_SYNTAX or FG_ERR_TOO_LARGE, *report says why. */
FG_MUST_CHECK enum fg_err fg_auth_jwt_key_set(struct fg_key_set **out, const struct fg_jwt_conf *conf, struct fg_key_report *report);
/*
 * What the policy says of a token, apart from any request: FG_OK, or the reason. FG_ERR_KEYS_UNAVAILABLE when it has no keys
 * here. gw is one whose filters were started. *why: a constant sentence, or NULL.
 */
FG_MUST_CHECK enum fg_err fg_auth_jwt_judge(const struct fg_gateway *gw, const struct fg_jwt_conf *conf, struct fg_str text,
    const char **why);
/*
 * Has the policy of that name use these keys instead of those at its URL: a JWK Set, PEM, or, where all its algorithms are
 * HS*, a secret; the text lives as long as the configuration. For commands that judge without a running pool, before a
 * gateway is made. False: *why says why not.
 */
bool fg_auth_jwt_use_keys(const struct fg_config *config, struct fg_str policy, struct fg_str text, const char **why);

#endif
