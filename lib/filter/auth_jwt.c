/*
 * The authenticator `jwt`: a signed token (RFC 7519) of one issuer. A token that was verified before is found again by its
 * whole text; any other is parsed, its issuer decides whether it is ours to judge, and its key may be one that has to be
 * fetched first.
 */
#include "filter/auth_jwt.h"

#include <stdlib.h>

#include "base/limits.h"
#include "core/config.h"
#include "filter/filter_list.h"
#include "stats/stats.h"
#include "token/token_cache.h"

/* A policy in a worker. */
struct jwt_policy {
	const struct fg_jwt_conf *conf; /* NULL: not of this type */
	struct fg_key_set *fixed;       /* of the configuration; NULL: source has them */
	struct fg_key_source *source;
	struct fg_token_cache *cache;   /* NULL: off */
	struct fg_revocation_table *revocations; /* NULL: not looked at */
	struct fg_revocation_reader *reader;
	_Atomic uint64_t *hits, *misses; /* NULL: not counted */
};

struct jwt_state {
	size_t count;
	struct fg_revocation_table *own_revocations; /* owned; NULL: the pool's are used, or nobody looks */
	struct jwt_policy policies[]; /* by the policy's index */
};

static struct fg_key_set *
keys_of(const struct jwt_policy *mine)
{
	return mine->fixed != NULL || mine->source == NULL ? mine->fixed : fg_key_source_keys(mine->source);
}

/* ---- a token that is good */

static void
release_token(void *held)
{
	fg_token_release(held);
}

/* FG_OK, or the reason: it was revoked, or nobody can say whether it was. */
static enum fg_err
check_revoked(const struct jwt_policy *mine, const struct fg_token *token, fg_usec now_wall, const char **why)
{
	const struct fg_json_node *root = fg_json_root(token->claims), *iat = fg_json_member(root, FG_STR("iat"));
	fg_usec issued = -1;

	if (mine->revocations == NULL)
		return FG_OK;
	/* It is a number in bounds: the claims were checked. One that is broken counts from its second on. */
	if (iat != NULL && iat->type == FG_JSON_INTEGER)
		issued = iat->as.integer * FG_US_PER_S;
	else if (iat != NULL && iat->type == FG_JSON_REAL)
		issued = (fg_usec)iat->as.real * FG_US_PER_S;
	/* Numbers by their text, as the consumer is named by it. */
	if (fg_revocation_has(mine->revocations, mine->conf->issuer, fg_claim_text(fg_json_member(root, FG_STR("jti"))),
		fg_claim_text(fg_json_member(root, FG_STR("sub"))), issued, now_wall)) {
		*why = "it stands among the revoked";
		return FG_ERR_TOKEN_REVOKED;
	}
	if (mine->conf->revocation->deny && fg_revocation_is_stale(mine->reader)) {
		*why = "it is not known what was revoked lately";
		return FG_ERR_REVOCATIONS_UNKNOWN;
	}
	return FG_OK;
}

/* What a token that verifies has to be besides. */
static enum fg_err
check_token(const struct jwt_policy *mine, const struct fg_token *token, fg_usec now_wall, const char **why)
{
	if (fg_token_claim(token, mine->conf->consumer).len == 0) {
		*why = "the claim that names the consumer is missing";
		return FG_ERR_TOKEN_CLAIM_MISSING;
	}
	return check_revoked(mine, token, now_wall, why);
}

/* RFC 8705 §3: whoever has the token must have the key of the certificate, too. Each time, also of a token verified before. */
static enum fg_err
check_binding(struct fg_exchange *x, const struct fg_identity *identity)
{
	struct fg_claim_values values;

	if (!fg_identity_claim(identity, FG_STR("cnf.x5t#S256"), &x->arena, &values) || values.count != 1)
		return FG_ERR_TOKEN_NOT_BOUND;
	return fg_client_certificate_check_binding(x, values.v[0]);
}

/* Takes the reference. */
static enum fg_auth_verdict
accept(struct fg_auth_attempt *attempt, const struct jwt_policy *mine, struct fg_token *token)
{
	const struct fg_json_node *root = fg_json_root(token->claims);
	struct fg_str consumer = fg_token_claim(token, mine->conf->consumer);
	struct fg_identity *identity;
	const char *why = NULL;
	enum fg_err err = check_token(mine, token, fg_loop_clock(attempt->x->gw->loop)->wall, &why);

	if (err != FG_OK) {
		fg_token_release(token);
		return fg_auth_say(attempt, err == FG_ERR_REVOCATIONS_UNKNOWN ? FG_AUTH_UNAVAILABLE : FG_AUTH_REFUSED, err, why);
	}
	identity = FG_ARENA_NEW(&attempt->x->arena, struct fg_identity);
	identity->consumer = fg_arena_str(&attempt->x->arena, consumer);
	identity->claims = (struct fg_claims){fg_auth_json_claim, root};
	err = mine->conf->bind_certificate == FG_CERTIFICATE_NOBODY ? FG_OK : check_binding(attempt->x, identity);
	if (err != FG_OK) {
		fg_token_release(token);
		return fg_auth_say(attempt, FG_AUTH_REFUSED, err, NULL);
	}
	attempt->held = token;
	attempt->release = release_token;
	return fg_auth_accept(attempt, identity);
}

/* ---- tokens that came before */

static void
count(_Atomic uint64_t *cell)
{
	if (cell != NULL)
		atomic_fetch_add_explicit(cell, 1, memory_order_relaxed);
}

static struct fg_token *
recall(const struct jwt_policy *mine, struct fg_str text, const struct fg_clock *now)
{
	struct fg_key_set *keys = mine->cache == NULL ? NULL : keys_of(mine);

	return keys == NULL ? NULL : fg_token_cache_get(mine->cache, text, mine->conf->auth.policy.index, keys, now);
}

/*
 * Another jwt policy of the route knows the token, so its issuer is another: said without parsing it. (The cache holds what was
 * verified, its issuer too.)
 */
static bool
is_known_elsewhere(const struct jwt_state *state, const struct fg_auth_attempt *attempt, struct fg_str text, const struct fg_clock *now)
{
	const struct fg_jwt_conf *mine = fg_jwt_conf_of(attempt->policy);

	for (size_t i = 0; attempt->policies->count > 1 && i < attempt->policies->count; i++) {
		const struct fg_auth_policy *policy = attempt->policies->v[i];
		const struct jwt_policy *other = &state->policies[policy->policy.index];
		struct fg_token *token;

		if (other->conf == NULL || fg_str_eq(other->conf->issuer, mine->issuer))
			continue;
		token = recall(other, text, now);
		fg_token_release(token);
		if (token != NULL)
			return true;
	}
	return false;
}

/* ---- a token that is new */

/* It waits for keys. */
struct waiting {
	struct fg_auth_attempt *attempt;
	const struct jwt_policy *mine;
	struct fg_jws jws;
	struct fg_key_wait wait;
	struct fg_await *await;
	bool has_waited;
};

static enum fg_auth_verdict judge(struct waiting *w);

static enum fg_auth_verdict
finish(struct waiting *w, enum fg_auth_verdict verdict)
{
	fg_jws_fini(&w->jws);
	return verdict;
}

static void
on_fetched(void *arg)
{
	struct waiting *w = arg;

	fg_await_done(w->attempt->x, w->await);
}

static enum fg_auth_verdict
after_fetch(struct fg_auth_attempt *attempt, void *arg)
{
	(void)attempt;
	return judge(arg);
}

static void
give_up(void *arg)
{
	struct waiting *w = arg;

	fg_key_source_unask(&w->wait);
	fg_jws_fini(&w->jws);
}

static void
discard(void *arg)
{
	fg_jws_fini(&((struct waiting *)arg)->jws);
}

/* The key is not there. otherwise: what to say when nobody fetches. */
static enum fg_auth_verdict
want_keys(struct waiting *w, enum fg_auth_verdict otherwise, enum fg_err reason, const char *why)
{
	struct fg_key_source *source = w->mine->fixed != NULL ? NULL : w->mine->source;

	if (source != NULL && !w->has_waited && fg_key_source_ask(source, &w->wait, on_fetched, w)) {
		w->has_waited = true;
		w->attempt->discard = discard;
		return fg_auth_await(w->attempt, "keys of the token's issuer", after_fetch, give_up, w, &w->await);
	}
	/* What could not be asked may be good all the same. */
	if (source != NULL && fg_key_source_is_failing(source))
		return finish(w, fg_auth_say(w->attempt, FG_AUTH_UNAVAILABLE, FG_ERR_KEYS_UNAVAILABLE,
		    "its key is not known, and the keys could not be fetched again"));
	return finish(w, fg_auth_say(w->attempt, otherwise, reason, why));
}

static enum fg_auth_verdict
judge(struct waiting *w)
{
	const struct fg_jwt_conf *conf = w->mine->conf;
	const struct fg_clock *now = fg_loop_clock(w->attempt->x->gw->loop);
	struct fg_key_set *keys = keys_of(w->mine);
	struct fg_token *token = NULL;
	const char *why = NULL;
	enum fg_err err;

	if (keys == NULL)
		return want_keys(w, FG_AUTH_UNAVAILABLE, FG_ERR_KEYS_UNAVAILABLE, "there are no keys");
	err = fg_token_verify(&token, &w->jws, keys, &conf->rules, now->wall, &why);
	if (err == FG_ERR_TOKEN_KEY_UNKNOWN)
		return want_keys(w, FG_AUTH_REFUSED, err, why);
	if (err != FG_OK)
		return finish(w, fg_auth_say(w->attempt, FG_AUTH_REFUSED, err, why));
	if (w->mine->cache != NULL)
		fg_token_cache_put(w->mine->cache, w->jws.text, conf->auth.policy.index, keys, token, now);
	return finish(w, accept(w->attempt, w->mine, token));
}

static enum fg_auth_verdict
look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
{
	const struct fg_jwt_conf *conf = fg_jwt_conf_of(policy);
	const struct jwt_state *state = attempt->state;
	const struct jwt_policy *mine = &state->policies[policy->policy.index];
	const struct fg_clock *now = fg_loop_clock(attempt->x->gw->loop);
	enum fg_auth_verdict verdict;
	struct fg_token *token;
	struct waiting *w;
	struct fg_str text;
	const char *why = NULL;
	enum fg_err err;

	verdict = fg_auth_find(attempt, FG_ERR_TOKEN_MISSING, &text);
	if (verdict != FG_AUTH_ACCEPTED)
		return verdict;
	token = recall(mine, text, now);
	count(token != NULL ? mine->hits : mine->misses);
	if (token != NULL)
		return accept(attempt, mine, token);
	if (is_known_elsewhere(state, attempt, text, now))
		return fg_auth_say(attempt, FG_AUTH_NOT_MINE, FG_ERR_TOKEN_ISSUER_UNKNOWN, "its issuer is another policy's");
	w = FG_ARENA_NEW(&attempt->x->arena, struct waiting);
	err = fg_jws_parse(&w->jws, text, &why);
	if (err != FG_OK)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, err, why);
	w->attempt = attempt;
	w->mine = mine;
	err = fg_jws_read_claims(&w->jws, &why);
	if (err != FG_OK)
		return finish(w, fg_auth_say(attempt, FG_AUTH_REFUSED, err, why));
	if (!fg_str_eq(fg_jws_issuer(&w->jws), conf->issuer))
		return finish(w, fg_auth_say(attempt, FG_AUTH_NOT_MINE, FG_ERR_TOKEN_ISSUER_UNKNOWN, "iss is another, or missing"));
	return judge(w);
}

enum fg_err
fg_auth_jwt_judge(const struct fg_gateway *gw, const struct fg_jwt_conf *conf, struct fg_str text, const char **why)
{
	const struct jwt_state *state = fg_auth_state(gw, FG_AUTH_TYPE_JWT);
	const struct jwt_policy *mine = &state->policies[conf->auth.policy.index];
	struct fg_key_set *keys = keys_of(mine);
	struct fg_token *token = NULL;
	struct fg_jws jws;
	enum fg_err err = fg_jws_parse(&jws, text, why);

	if (err != FG_OK)
		return err;
	err = fg_jws_read_claims(&jws, why);
	if (err != FG_OK) {
		fg_jws_fini(&jws);
		return err;
	}
	if (!fg_str_eq(fg_jws_issuer(&jws), conf->issuer)) {
		*why = "iss is another, or missing";
		err = FG_ERR_TOKEN_ISSUER_UNKNOWN;
	} else if (keys == NULL) {
		*why = "there are no keys here";
		err = FG_ERR_KEYS_UNAVAILABLE;
	} else {
		err = fg_token_verify(&token, &jws, keys, &conf->rules, fg_loop_clock(gw->loop)->wall, why);
	}
	if (err == FG_OK)
		err = check_token(mine, token, fg_loop_clock(gw->loop)->wall, why);
	fg_token_release(token);
	fg_jws_fini(&jws);
	return err;
}

/* ---- a worker */

/* Where a worker has no pool, it has a table of its own; whoever only looks has none then. */
static void
start_revocation(struct jwt_state *state, struct jwt_policy *mine, struct fg_gateway *gw, struct fg_jwt_shared *shared)
{
	if (shared != NULL) {
		mine->revocations = &shared->revocations;
	} else if (gw->client != NULL) {
		if (state->own_revocations == NULL)
			state->own_revocations = calloc(1, sizeof(*state->own_revocations));
		FG_ASSERT(state->own_revocations != NULL);
		mine->revocations = state->own_revocations;
	} else {
		return;
	}
	mine->reader = fg_revocation_reader_new(gw, mine->conf->revocation, mine->conf->auth.policy.name, mine->revocations);
}

static void
start_policy(struct jwt_policy *mine, struct fg_gateway *gw, struct fg_jwt_shared *shared)
{
	const struct fg_jwt_conf *conf = mine->conf;
	struct fg_str name = conf->auth.policy.name;
	struct fg_key_report report;

	/* It was good when the configuration was read. */
	if (conf->material.p != NULL)
		FG_ASSERT(fg_auth_jwt_key_set(&mine->fixed, conf, &report) == FG_OK);
	else
		mine->source = fg_key_source_new(gw, &conf->source, name, shared == NULL ? NULL : &shared->keys);
	if (!conf->cache.is_off)
		mine->cache = fg_token_cache_new((size_t)conf->cache.entries, (size_t)conf->cache.bytes, conf->cache.max_age);
	if (!conf->cache.is_off && gw->stats != NULL) {
		mine->hits = fg_stats_cell(gw->stats, FG_FAMILY_TOKEN_CACHE, name, FG_STR("hit"));
		mine->misses = fg_stats_cell(gw->stats, FG_FAMILY_TOKEN_CACHE, name, FG_STR("miss"));
	}
}

static void *
worker_start(struct fg_gateway *gw, void *shared)
{
	const struct fg_policies *policies = fg_config_policies(gw->config, &fg_filter_auth);
	struct jwt_state *state = calloc(1, sizeof(*state) + policies->count * sizeof(state->policies[0]));

	FG_ASSERT(state != NULL);
	state->count = policies->count;
	for (size_t i = 0; i < policies->count; i++) {
		const struct fg_auth_policy *policy = policies->v[i];

		if (policy->type != FG_AUTH_TYPE_JWT)
			continue;
		state->policies[i].conf = fg_jwt_conf_of(policy);
		start_policy(&state->policies[i], gw, shared);
		if (state->policies[i].conf->revocation != NULL)
			start_revocation(state, &state->policies[i], gw, shared);
	}
	return state;
}

static void
worker_stop(void *arg)
{
	struct jwt_state *state = arg;

	for (size_t i = 0; i < state->count; i++) {
		struct jwt_policy *mine = &state->policies[i];

		fg_key_set_release(mine->fixed);
		if (mine->source != NULL)
			fg_key_source_free(mine->source);
		if (mine->reader != NULL)
			fg_revocation_reader_free(mine->reader);
		fg_token_cache_free(mine->cache);
	}
	free(state->own_revocations);
	free(state);
}

const struct fg_authenticator fg_authenticator_jwt = {
    .type = "jwt",
    .scheme = FG_STR_INIT("Bearer"),
    .check = fg_auth_jwt_check,
    .challenge = fg_auth_bearer_challenge,
    .look = look,
    .shared_size = sizeof(struct fg_jwt_shared),
    .worker_start = worker_start,
    .worker_stop = worker_stop,
};
