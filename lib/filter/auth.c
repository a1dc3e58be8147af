/*
 * The filter `auth`: who is calling. Asks the authenticators of a route's policies (filter/authenticator.h) in order until
 * one accepts, then tells the service in headers of its own; or answers with the most telling refusal.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/shared.h"
#include "core/config.h"
#include "filter/authenticator.h"
#include "filter/filter_list.h"
#include "stats/stats.h"

struct auth_ctx {
	const struct fg_policies *policies;
	size_t at; /* the policy that is asked */
	struct fg_auth_attempt *attempt;
	struct fg_auth_attempt *best; /* most telling so far; NULL: none */
	enum fg_auth_verdict best_verdict;
	void (*release)(void *held);
	void *held;
};

struct auth_state {
	void *of[FG_AUTH_TYPES + 1];
	_Atomic uint64_t **accepted; /* owned; by the policy's index; NULL: nothing is counted */
};

/* By fg_auth_type; ends with NULL. */
static const struct fg_authenticator *const authenticators[FG_AUTH_TYPES + 1] = {
#define AUTHENTICATOR(symbol, name, type, help) [FG_AUTH_TYPE_##symbol] = &fg_authenticator_##name,
    FG_AUTHENTICATOR_LIST(AUTHENTICATOR)
#undef AUTHENTICATOR
};

static size_t
aligned(size_t size)
{
	return (size + 63) / 64 * 64;
}

void *
fg_auth_state(const struct fg_gateway *gw, enum fg_auth_type type)
{
	const struct auth_state *state = fg_filter_state(gw, &fg_filter_auth);

	return state == NULL ? NULL : state->of[type];
}

void *
fg_auth_shared(void *memory, enum fg_auth_type type)
{
	char *at = memory;

	for (size_t i = 0; i < (size_t)type; i++)
		at += aligned(authenticators[i]->shared_size);
	return at;
}

/* ---- what authenticators say */

enum fg_auth_verdict
fg_auth_say(struct fg_auth_attempt *attempt, enum fg_auth_verdict verdict, enum fg_err reason, const char *why)
{
	attempt->reason = reason;
	attempt->why = why;
	return verdict;
}

enum fg_auth_verdict
fg_auth_accept(struct fg_auth_attempt *attempt, struct fg_identity *identity)
{
	FG_ASSERT(identity->consumer.len > 0);
	identity->policy = attempt->policy->policy.name;
	identity->attributes = fg_config_consumer(attempt->x->gw->config, identity->consumer);
	attempt->identity = identity;
	return FG_AUTH_ACCEPTED;
}

enum fg_auth_verdict
fg_auth_find(struct fg_auth_attempt *attempt, enum fg_err absent, struct fg_str *text)
{
	const struct fg_auth_policy *policy = attempt->policy;
	enum fg_err err = fg_credential_find(&policy->from, policy->authenticator->scheme, attempt->x, text);

	if (err != FG_OK)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, err, NULL);
	if (text->p == NULL)
		return fg_auth_say(attempt, FG_AUTH_ABSENT, absent, NULL);
	return FG_AUTH_ACCEPTED;
}

/* ---- the answer when nobody accepts */

struct fg_str
fg_auth_bearer_challenge(const struct fg_auth_policy *policy, struct fg_exchange *x, const struct fg_auth_attempt *refused)
{
	const struct fg_err_info *info;

	if (refused == NULL)
		return FG_ARENA_CONCAT(&x->arena, FG_STR("Bearer realm=\""), policy->realm, FG_STR("\""));
	info = fg_err_info(refused->reason);
	return FG_ARENA_CONCAT(&x->arena, FG_STR("Bearer realm=\""), policy->realm, FG_STR("\", error=\""),
	    info->status == 400 ? FG_STR("invalid_request") : FG_STR("invalid_token"), FG_STR("\", error_description=\""),
	    fg_str_from(info->title), FG_STR("\""));
}

static bool
has_challenge_of(const struct fg_headers *headers, struct fg_str scheme)
{
	for (size_t i = 0; i < headers->count; i++)
		if (fg_str_ieq(headers->v[i].name, FG_STR("WWW-Authenticate")) &&
		    fg_str_ieq(fg_str_slice(headers->v[i].value, 0, fg_str_find(headers->v[i].value, ' ')), scheme))
			return true;
	return false;
}

static void
add_challenge(struct fg_exchange *x, const struct fg_auth_policy *policy, const struct fg_auth_attempt *refused)
{
	struct fg_str challenge;

	if (policy->authenticator->challenge == NULL)
		return;
	challenge = policy->authenticator->challenge(policy, x, refused);
	if (challenge.len > 0 && !has_challenge_of(&x->resp.headers, fg_str_slice(challenge, 0, fg_str_find(challenge, ' '))))
		(void)!fg_headers_add(&x->resp.headers, FG_STR("WWW-Authenticate"), challenge);
}

/* One a scheme that the route offers: that of the refusal first, for it has more to say. */
static void
add_challenges(struct fg_exchange *x, const struct auth_ctx *ctx)
{
	const struct fg_auth_attempt *best = ctx->best;

	if (ctx->best_verdict != FG_AUTH_ABSENT)
		add_challenge(x, best->policy, best);
	for (size_t i = 0; i < ctx->policies->count; i++)
		add_challenge(x, ctx->policies->v[i], NULL);
}

static enum fg_next
refuse(struct fg_exchange *x, const struct auth_ctx *ctx)
{
	struct fg_auth_attempt *best = ctx->best;
	int status = fg_err_info(best->reason)->status;

	if (best->answer != NULL) {
		best->answer(best, best->answer_arg);
		return FG_RESPOND;
	}
	fg_exchange_refuse(x, best->reason);
	if (status == 401 || status == 400)
		add_challenges(x, ctx);
	return FG_RESPOND;
}

/* ---- counting */

static void
count_accepted(struct fg_exchange *x, const struct fg_auth_policy *policy)
{
	const struct auth_state *state = fg_filter_state(x->gw, &fg_filter_auth);

	if (state != NULL && state->accepted != NULL)
		atomic_fetch_add_explicit(state->accepted[policy->policy.index], 1, memory_order_relaxed);
}

static void
count_refused(struct fg_exchange *x, const struct fg_auth_attempt *attempt)
{
	if (x->gw->stats != NULL)
		atomic_fetch_add_explicit(fg_stats_cell(x->gw->stats, FG_FAMILY_AUTH, attempt->policy->policy.name,
		    fg_str_from(fg_err_token(attempt->reason))), 1, memory_order_relaxed);
}

/* The numbers of what goes well are kept at hand. */
static void
find_counters(struct auth_state *state, struct fg_gateway *gw)
{
	const struct fg_policies *policies = fg_config_policies(gw->config, &fg_filter_auth);

	if (gw->stats == NULL)
		return;
	state->accepted = calloc(policies->count + 1, sizeof(*state->accepted));
	FG_ASSERT(state->accepted != NULL);
	for (size_t i = 0; i < policies->count; i++)
		state->accepted[i] = fg_stats_cell(gw->stats, FG_FAMILY_AUTH, ((const struct fg_policy *)policies->v[i])->name,
		    FG_STR("accepted"));
}

/* ---- the identity, told to the service */

/* All values of a claim in one, with commas between an array's elements. False: it cannot be said in a header. */
static bool
format_claim(const struct fg_claim_values *values, struct fg_arena *arena, struct fg_str *out)
{
	*out = values->count > 0 ? values->v[0] : FG_STR_NONE;
	for (size_t i = 0; i < values->count; i++) {
		struct fg_str value = values->v[i];

		if (!fg_is_field_value(value) || !fg_str_eq(fg_str_trim(value), value))
			return false;
		/* Two elements must not look like three. */
		if ((values->is_list || values->count > 1) && fg_str_find(value, ',') < value.len)
			return false;
		if (i > 0)
			*out = FG_ARENA_CONCAT(arena, *out, FG_STR(","), value);
		if (out->len > FG_MAX_TEMPLATE_BYTES)
			return false;
	}
	return true;
}

static enum fg_err
forward_identity(struct fg_exchange *x, const struct fg_auth_policy *policy)
{
	struct fg_claim_values values;
	enum fg_err err = FG_OK;
	struct fg_str value;

	for (size_t i = 0; err == FG_OK && i < policy->forward_count; i++) {
		if (!fg_identity_claim(x->identity, policy->forward[i].claim, &x->arena, &values))
			continue;
		if (!format_claim(&values, &x->arena, &value)) {
			fg_exchange_trace(x, "auth", "refused", "the claim " FG_STR_FMT " cannot stand in the header " FG_STR_FMT,
			    FG_STR_ARG(policy->forward[i].claim), FG_STR_ARG(policy->forward[i].header));
			return FG_ERR_IDENTITY_UNFIT;
		}
		err = fg_headers_set(&x->req.headers, policy->forward[i].header, value);
	}
	return err;
}

/* Whether the accepted credential came from one of these places, too. */
static bool
shares_place(const struct fg_auth_policy *a, const struct fg_auth_policy *b)
{
	for (size_t i = 0; i < a->from.count; i++)
		for (size_t k = 0; k < b->from.count; k++)
			if (fg_credential_is_same_place(&a->from.v[i], &b->from.v[k]) &&
			    (a->from.v[i].kind != FG_CREDENTIAL_HEADER || fg_str_ieq(a->authenticator->scheme, b->authenticator->scheme)))
				return true;
	return false;
}

/*
 * What the service gets is the credential that was accepted, if that: those of other policies were refused or not looked at,
 * and a service behind a gateway may take a token for verified.
 */
static void
strip_credentials(struct fg_exchange *x, const struct fg_policies *policies, const struct fg_auth_policy *accepted)
{
	for (size_t i = 0; i < policies->count; i++) {
		const struct fg_auth_policy *policy = policies->v[i];

		if (policy->strip || (policy != accepted && !shares_place(policy, accepted)))
			fg_credential_strip(&policy->from, policy->authenticator->scheme, x);
	}
}

static enum fg_next
accept(struct fg_exchange *x, struct auth_ctx *ctx)
{
	const struct fg_auth_attempt *attempt = ctx->attempt;
	enum fg_err err;

	ctx->release = attempt->release;
	ctx->held = attempt->held;
	x->identity = attempt->identity;
	count_accepted(x, attempt->policy);
	fg_exchange_trace(x, "auth", "accepted", FG_STR_FMT ": consumer " FG_STR_FMT,
	    FG_STR_ARG(attempt->policy->policy.name), FG_STR_ARG(attempt->identity->consumer));
	strip_credentials(x, ctx->policies, attempt->policy);
	err = forward_identity(x, attempt->policy);
	return err == FG_OK ? FG_CONTINUE : fg_respond(x, err);
}

/* ---- asking one after the other */

static const char *
verdict_name(enum fg_auth_verdict verdict)
{
	static const char *const names[] = {
	    [FG_AUTH_ABSENT] = "absent", [FG_AUTH_NOT_MINE] = "not its own", [FG_AUTH_REFUSED] = "refused",
	    [FG_AUTH_UNAVAILABLE] = "unavailable"};

	FG_ASSERT(verdict < FG_ARRAY_LEN(names));
	return names[verdict];
}

static void
take_no(struct fg_exchange *x, struct auth_ctx *ctx, enum fg_auth_verdict verdict)
{
	struct fg_auth_attempt *attempt = ctx->attempt;

	fg_exchange_trace(x, "auth", verdict_name(verdict), FG_STR_FMT ": %s%s%s", FG_STR_ARG(attempt->policy->policy.name),
	    fg_err_token(attempt->reason), attempt->why == NULL ? "" : ": ", attempt->why == NULL ? "" : attempt->why);
	if (verdict != FG_AUTH_ABSENT)
		count_refused(x, attempt);
	if (ctx->best == NULL || verdict > ctx->best_verdict) {
		ctx->best = attempt;
		ctx->best_verdict = verdict;
	}
	ctx->at++;
}

static struct fg_auth_attempt *
new_attempt(struct fg_exchange *x, const struct auth_ctx *ctx)
{
	struct fg_auth_attempt *attempt = FG_ARENA_NEW(&x->arena, struct fg_auth_attempt);

	attempt->x = x;
	attempt->policies = ctx->policies;
	attempt->policy = ctx->policies->v[ctx->at];
	attempt->state = fg_auth_state(x->gw, attempt->policy->type);
	return attempt;
}

/* From the verdict of the policy that is asked on. */
static enum fg_next
go_on(struct fg_exchange *x, struct auth_ctx *ctx, enum fg_auth_verdict verdict)
{
	for (;;) {
		if (verdict == FG_AUTH_SUSPENDED)
			return FG_SUSPEND;
		if (verdict == FG_AUTH_ACCEPTED)
			return accept(x, ctx);
		take_no(x, ctx, verdict);
		if (ctx->at == ctx->policies->count)
			return refuse(x, ctx);
		ctx->attempt = new_attempt(x, ctx);
		verdict = ctx->attempt->policy->authenticator->look(ctx->attempt->policy, ctx->attempt);
	}
}

static enum fg_next
on_request(const void *conf, void *ctx_arg, struct fg_exchange *x)
{
	struct auth_ctx *ctx = ctx_arg;

	ctx->policies = conf;
	ctx->attempt = new_attempt(x, ctx);
	return go_on(x, ctx, ctx->attempt->policy->authenticator->look(ctx->attempt->policy, ctx->attempt));
}

/* The filter's place among those of the route: its ctx is where the attempt is known. */
static enum fg_next
resume(struct fg_exchange *x, void *arg)
{
	struct auth_ctx *ctx = x->filter_ctx[x->filter_at - 1];
	struct fg_auth_attempt *attempt = ctx->attempt;
	fg_auth_continue_fn *then = attempt->then;

	FG_ASSERT(attempt == arg);
	attempt->then = NULL;
	return go_on(x, ctx, then(attempt, attempt->then_arg));
}

static void
cancel(void *arg)
{
	struct fg_auth_attempt *attempt = arg;

	attempt->then = NULL;
	if (attempt->on_cancel != NULL)
		attempt->on_cancel(attempt->then_arg);
}

enum fg_auth_verdict
fg_auth_await(struct fg_auth_attempt *attempt, const char *waiting_on, fg_auth_continue_fn *then,
    void (*on_cancel)(void *arg), void *arg, struct fg_await **await)
{
	attempt->then = then;
	attempt->then_arg = arg;
	attempt->on_cancel = on_cancel;
	(void)fg_await(attempt->x, waiting_on, resume, cancel, attempt, await);
	return FG_AUTH_SUSPENDED;
}

static void
on_done(const void *conf, void *ctx_arg, struct fg_exchange *x)
{
	const struct auth_ctx *ctx = ctx_arg;

	(void)conf;
	(void)x;
	if (ctx->attempt->then != NULL && ctx->attempt->discard != NULL)
		ctx->attempt->discard(ctx->attempt->then_arg);
	if (ctx->release != NULL)
		ctx->release(ctx->held);
}

/* ---- memory */

/* What each authenticator asks for, one behind the other. */
static size_t
shared_size(const struct fg_config *config)
{
	size_t size = 0;

	(void)config;
	for (size_t i = 0; authenticators[i] != NULL; i++)
		size += aligned(authenticators[i]->shared_size);
	return size == 0 ? 64 : size;
}

static bool
check_shared(const void *p, size_t size)
{
	(void)p;
	return size == shared_size(NULL);
}

static const struct fg_shared_kind shared = {.name = "auth", .layout = FG_AUTH_TYPES, .check = check_shared};

static void *
worker_start(struct fg_gateway *gw, void *memory)
{
	struct auth_state *state = calloc(1, sizeof(*state));
	char *at = memory;

	FG_ASSERT(state != NULL);
	for (size_t i = 0; authenticators[i] != NULL; i++) {
		const struct fg_authenticator *authenticator = authenticators[i];

		if (authenticator->worker_start != NULL)
			state->of[i] = authenticator->worker_start(gw, authenticator->shared_size > 0 ? at : NULL);
		if (at != NULL)
			at += aligned(authenticator->shared_size);
	}
	find_counters(state, gw);
	return state;
}

static void
worker_stop(void *arg)
{
	struct auth_state *state = arg;

	for (size_t i = 0; authenticators[i] != NULL; i++)
		if (state->of[i] != NULL)
			authenticators[i]->worker_stop(state->of[i]);
	free(state->accepted);
	free(state);
}

/* ---- the configuration */

static void
check_policy(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_auth_policy *policy = out;

	policy->authenticator = authenticators[policy->type];
	fg_auth_check_policy(conf, node, policy);
	if (policy->authenticator->check != NULL)
		policy->authenticator->check(conf, node, key, out);
}

static void
check_route(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_route_policy *use)
{
	if (use->is_defined && !use->is_given)
		fg_conf_error_at_name(conf, node, "does not say who may call it; write auth: none if everybody may");
}

static void
each_identity_header(const void *conf, void (*fn)(void *arg, struct fg_str name), void *arg)
{
	const struct fg_auth_policy *policy = conf;

	for (size_t i = 0; i < policy->forward_count; i++)
		fn(arg, policy->forward[i].header);
	if (policy->authenticator->each_identity_header != NULL)
		policy->authenticator->each_identity_header(policy, fn, arg);
}

static void
each_credential_param(const void *conf, void (*fn)(void *arg, struct fg_str name), void *arg)
{
	const struct fg_auth_policy *policy = conf;

	for (size_t i = 0; i < policy->from.count; i++)
		if (policy->from.v[i].kind == FG_CREDENTIAL_QUERY)
			fn(arg, policy->from.v[i].name);
}

static const struct fg_conf_variant variants[] = {
#define VARIANT(symbol, name, type, help) {type, fg_auth_##name##_keys, FG_AUTH_CONF_BYTES, help},
    FG_AUTHENTICATOR_LIST(VARIANT)
#undef VARIANT
    {NULL, NULL, 0, NULL},
};

const struct fg_filter_type fg_filter_auth = {
    .name = "auth",
    .stage = FG_STAGE_AUTHENTICATE,
    .takes_several = true,
    .conf_size = FG_AUTH_CONF_BYTES,
    .ctx_size = sizeof(struct auth_ctx),
    .variant_key = "type",
    .variants = variants,
    .check = check_policy,
    .check_route = check_route,
    .help = "who may call: any one of these policies has to know the caller",
    .each_identity_header = each_identity_header,
    .each_credential_param = each_credential_param,
    .shared = &shared,
    .shared_size = shared_size,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .on_request = on_request,
    .on_done = on_done,
};
