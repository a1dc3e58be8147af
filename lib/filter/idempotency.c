/*
 * The filter `idempotency`: a request that comes again with its Idempotency-Key is not carried out again; it gets the answer
 * that was kept of the first. Where that is kept is core/idempotency_store.h's.
 *
 * What this file decides is how the first one ends. Nothing is ever carried out twice without somebody's word that it may be:
 * a key is free again only where nothing had reached the service, or where the service said by its status that nothing was
 * done (`release`), or does nothing twice by itself (`retry: {idempotency-key: true}`).
 */
#include <stdlib.h>

#include "base/log.h"
#include "conf/keys.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/filter.h"
#include "core/idempotency_key.h"
#include "core/idempotency_store.h"
#include "core/value_keys.h"
#include "core/var.h"
#include "filter/filter_list.h"
#include "idempotency/idempotency_answer.h"
#include "idempotency/idempotency_memory.h"
#include "service/service.h"
#include "stats/stats.h"

struct idempotency_conf {
	struct fg_policy policy;
	struct fg_str header;
	fg_method_set methods; /* 0 until it is checked */
	const struct fg_var *by;
	size_t by_count;
	const int *release;
	size_t release_count;
	fg_usec expire, lock;
	int64_t max_request, max_response;
	bool is_required, fails_open;
};

/* Over the longest that an exchange may take: the store may answer late, and clocks differ. */
#define LEASE_MARGIN_US (5 * FG_US_PER_S)

struct ctx {
	const struct idempotency_conf *conf;
	struct fg_exchange *x;
	struct fg_str key;
	struct fg_idempotency_job *job; /* owned until on_done; NULL: nothing was asked */
	struct fg_await *await;
	bool is_ending;        /* how it ends was told, or will not be told any more */
	bool has_set_deadline;
};

/* ---- counting */

enum outcome {
	WAS_KEPT,
	WAS_TOO_LARGE,
	WAS_LOST,
	WAS_RELEASED,
	WAS_REPLAYED,
	WAS_NOT_KEPT,
	WAS_UNKNOWN,
	WAS_MISMATCH,
	WAS_IN_FLIGHT,
	WAS_INVALID,
	WAS_FAILED_OPEN,
	WAS_FAILED_CLOSED,
	WAS_STORE_FAILED,
	OUTCOMES,
};

static const char *const outcome_names[OUTCOMES] = {
    [WAS_KEPT] = "kept",
    [WAS_TOO_LARGE] = "too_large",
    [WAS_LOST] = "outcome_lost",
    [WAS_RELEASED] = "released",
    [WAS_REPLAYED] = "replayed",
    [WAS_NOT_KEPT] = "not_kept",
    [WAS_UNKNOWN] = "unknown",
    [WAS_MISMATCH] = "mismatch",
    [WAS_IN_FLIGHT] = "in_flight",
    [WAS_INVALID] = "invalid",
    [WAS_FAILED_OPEN] = "failed_open",
    [WAS_FAILED_CLOSED] = "failed_closed",
    [WAS_STORE_FAILED] = "store_failed",
};

/* The filter's state in a worker. */
struct state {
	struct fg_idempotency_store *store;    /* owned */
	_Atomic uint64_t *counts[][OUTCOMES]; /* of each policy; looked up when they first count */
};

static void
count(const struct fg_exchange *x, const struct idempotency_conf *conf, enum outcome outcome)
{
	struct state *state = fg_filter_state(x->gw, &fg_filter_idempotency);
	_Atomic uint64_t **cell;

	if (x->gw->stats == NULL || x->trace != NULL)
		return;
	cell = &state->counts[conf->policy.index][outcome];
	if (*cell == NULL)
		*cell = fg_stats_cell(
		    x->gw->stats, FG_FAMILY_IDEMPOTENCY, conf->policy.name, fg_str_from(outcome_names[outcome]));
	atomic_fetch_add_explicit(*cell, 1, memory_order_relaxed);
}

static enum fg_next
refuse(struct fg_exchange *x, const struct idempotency_conf *conf, enum fg_err reason, enum outcome outcome)
{
	count(x, conf, outcome);
	return fg_respond(x, reason);
}

/* ---- what was there */

static enum fg_next
replay(struct ctx *ctx)
{
	struct fg_exchange *x = ctx->x;
	struct fg_headers headers;
	struct fg_str body;
	int status;

	fg_headers_init(&headers, &x->arena);
	if (!fg_idempotency_answer_read(fg_buf_str(&ctx->job->answer), &status, &headers, &body))
		return refuse(x, ctx->conf, FG_ERR_IDEMPOTENCY_NOT_KEPT, WAS_NOT_KEPT);
	count(x, ctx->conf, WAS_REPLAYED);
	fg_exchange_answer(x, FG_ERR_IDEMPOTENCY_REPLAYED, status, FG_STR_NONE, body);
	/* A head with no place for one more is a service's own: ours is left out rather than the answer lost. */
	x->resp.headers = headers;
	(void)!fg_headers_set(&x->resp.headers, FG_STR("Idempotency-Replayed"), FG_STR("true"));
	return FG_RESPOND;
}

static enum fg_next
refuse_in_flight(struct ctx *ctx)
{
	enum fg_next next = refuse(ctx->x, ctx->conf, FG_ERR_IDEMPOTENCY_IN_FLIGHT, WAS_IN_FLIGHT);

	(void)!fg_headers_add(&ctx->x->resp.headers, FG_STR("Retry-After"), FG_STR("1"));
	return next;
}

static enum fg_next
without_store(struct ctx *ctx)
{
	struct fg_exchange *x = ctx->x;

	fg_exchange_trace(x, "idempotency", fg_err_token(ctx->job->err), "the store has failed: %s",
	    ctx->conf->fails_open ? "forwarded as if there were no key" : "refused");
	if (!ctx->conf->fails_open)
		return refuse(x, ctx->conf, ctx->job->err, WAS_FAILED_CLOSED);
	count(x, ctx->conf, WAS_FAILED_OPEN);
	return FG_CONTINUE;
}

/* For explain: of an answer that is kept there is no more to say; it is not fetched, nor compared. */
static enum fg_next
peeked(struct ctx *ctx)
{
	static const char *const words[] = {
	    [FG_IDEMPOTENCY_NEW] = "new", [FG_IDEMPOTENCY_IN_FLIGHT] = "in flight",
	    [FG_IDEMPOTENCY_KEPT] = "kept: replayed if the request is the same",
	    [FG_IDEMPOTENCY_NOT_KEPT] = "carried out, answer not kept", [FG_IDEMPOTENCY_UNKNOWN] = "of an unknown outcome"};
	enum fg_idempotency_state state = ctx->job->state;

	fg_exchange_trace(ctx->x, "idempotency", "key", FG_STR_FMT " is %s; nothing is reserved", FG_STR_ARG(ctx->key), words[state]);
	if (state == FG_IDEMPOTENCY_IN_FLIGHT)
		return refuse_in_flight(ctx);
	if (state == FG_IDEMPOTENCY_NOT_KEPT)
		return fg_respond(ctx->x, FG_ERR_IDEMPOTENCY_NOT_KEPT);
	if (state == FG_IDEMPOTENCY_UNKNOWN && !ctx->job->ask.takes_over)
		return fg_respond(ctx->x, FG_ERR_IDEMPOTENCY_OUTCOME_UNKNOWN);
	return FG_CONTINUE;
}

static enum fg_next
begun(struct fg_exchange *x, void *arg)
{
	struct ctx *ctx = arg;

	if (ctx->job->err != FG_OK)
		return without_store(ctx);
	if (ctx->job->ask.is_peek)
		return peeked(ctx);
	switch (ctx->job->state) {
	case FG_IDEMPOTENCY_NEW:
		fg_gather(x, ctx->conf->max_response);
		return FG_CONTINUE;
	case FG_IDEMPOTENCY_IN_FLIGHT:
		return refuse_in_flight(ctx);
	case FG_IDEMPOTENCY_KEPT:
		return replay(ctx);
	case FG_IDEMPOTENCY_NOT_KEPT:
		return refuse(x, ctx->conf, FG_ERR_IDEMPOTENCY_NOT_KEPT, WAS_NOT_KEPT);
	case FG_IDEMPOTENCY_UNKNOWN:
		return refuse(x, ctx->conf, FG_ERR_IDEMPOTENCY_OUTCOME_UNKNOWN, WAS_UNKNOWN);
	case FG_IDEMPOTENCY_MISMATCH:
		return refuse(x, ctx->conf, FG_ERR_IDEMPOTENCY_MISMATCH, WAS_MISMATCH);
	}
	FG_ASSERT(false);
	return FG_CONTINUE;
}

/* ---- asking */

static void
on_begun(void *arg)
{
	struct ctx *ctx = arg;

	fg_await_done(ctx->x, ctx->await);
}

/* The client has left, or a deadline has passed: what is being reserved is released when it comes. */
static void
on_cancel(void *arg)
{
	struct ctx *ctx = arg;

	fg_idempotency_job_drop(ctx->job);
	ctx->job = NULL;
}

/* The service's own word that it does nothing twice. Of one that is yet to be picked there is none. */
static bool
is_trusted(const struct fg_exchange *x)
{
	return x->service != NULL && x->service->retry != NULL && x->service->retry->trusts_idempotency_key;
}

static enum fg_next
ask(struct fg_exchange *x, void *arg)
{
	const struct state *state = fg_filter_state(x->gw, &fg_filter_idempotency);
	struct ctx *ctx = arg;
	const struct idempotency_conf *conf = ctx->conf;
	struct fg_idempotency_ask *asked;
	fg_usec longest = x->route->timeout > conf->lock ? x->route->timeout : conf->lock;

	if (!fg_body_is_whole(x))
		return refuse(x, conf, FG_ERR_IDEMPOTENCY_BODY_TOO_LARGE, WAS_INVALID);
	ctx->job = fg_idempotency_job_new(state->store);
	asked = &ctx->job->ask;
	FG_ASSERT(fg_idempotency_record(asked->record, x, conf->by, conf->by_count, ctx->key));
	fg_idempotency_fingerprint(asked->fingerprint, x);
	asked->lease = longest + LEASE_MARGIN_US;
	asked->expire = conf->expire > asked->lease ? conf->expire : asked->lease;
	asked->takes_over = is_trusted(x);
	asked->is_peek = x->trace != NULL;
	if (fg_idempotency_begin(ctx->job, on_begun, ctx))
		return begun(x, ctx);
	return fg_await(x, "redis", begun, on_cancel, ctx, &ctx->await);
}

static enum fg_next
on_request(const void *conf_arg, void *ctx_arg, struct fg_exchange *x)
{
	const struct idempotency_conf *conf = conf_arg;
	uint8_t record[FG_IDEMPOTENCY_HASH_BYTES];
	struct ctx *ctx = ctx_arg;
	enum fg_err err;

	if (x->route->respond != NULL || (conf->methods & FG_METHOD_BIT(x->req.method_id)) == 0)
		return FG_CONTINUE;
	ctx->conf = conf;
	ctx->x = x;
	err = fg_idempotency_key_of(&x->req.headers, conf->header, &ctx->key);
	if (err == FG_ERR_IDEMPOTENCY_KEY_MISSING && !conf->is_required)
		return FG_CONTINUE;
	if (err == FG_OK && !fg_idempotency_record(record, x, conf->by, conf->by_count, ctx->key))
		err = FG_ERR_IDEMPOTENCY_OWNER_UNKNOWN;
	if (err != FG_OK)
		return refuse(x, conf, err, WAS_INVALID);
	x->has_idempotency_key = true;
	if (x->total_deadline == 0 && x->trace == NULL) {
		/* A lease has to outlast the exchange, which so has an end. */
		x->total_deadline = x->started + conf->lock;
		ctx->has_set_deadline = true;
	}
	return fg_await_body(x, conf->max_request, ask, ctx);
}

/* ---- how it ends */

static bool
is_released(const struct idempotency_conf *conf, int status)
{
	for (size_t i = 0; i < conf->release_count; i++)
		if (conf->release[i] == status)
			return true;
	return false;
}

/* Of an exchange that has no answer of the service. */
static enum fg_idempotency_end
end_without_answer(const struct fg_exchange *x)
{
	return x->was_sent && !is_trusted(x) ? FG_IDEMPOTENCY_DO_NOT_KNOW : FG_IDEMPOTENCY_RELEASE;
}

static enum fg_idempotency_end
end_of(struct ctx *ctx)
{
	struct fg_exchange *x = ctx->x;
	struct fg_str body;

	if (x->reason != FG_OK)
		return end_without_answer(x);
	if (is_released(ctx->conf, x->resp.status))
		return FG_IDEMPOTENCY_RELEASE;
	if (!fg_gathered(x, &body) ||
	    !fg_idempotency_answer_write(&ctx->job->answer, x->resp.status, &x->resp.headers, body))
		return FG_IDEMPOTENCY_DO_NOT_KEEP;
	return FG_IDEMPOTENCY_KEEP;
}

static void
count_end(struct ctx *ctx)
{
	static const enum outcome outcomes[] = {[FG_IDEMPOTENCY_KEEP] = WAS_KEPT, [FG_IDEMPOTENCY_DO_NOT_KEEP] = WAS_TOO_LARGE,
	    [FG_IDEMPOTENCY_DO_NOT_KNOW] = WAS_LOST, [FG_IDEMPOTENCY_RELEASE] = WAS_RELEASED};

	count(ctx->x, ctx->conf, outcomes[ctx->job->end]);
}

/* The client has its answer, or will; what is lost is that it can be given again. */
static void
note_end(struct ctx *ctx)
{
	struct fg_exchange *x = ctx->x;

	if (ctx->job->err == FG_OK) {
		count_end(ctx);
		return;
	}
	count(x, ctx->conf, WAS_STORE_FAILED);
	FG_LOG(x->gw->log, WARN, "idempotency", "the end of a request could not be kept", FG_F_STR("policy", ctx->conf->policy.name),
	    FG_F_CSTR("reason", fg_err_token(ctx->job->err)), FG_F_STR("request_id", x->req.id));
}

static void
on_ended(void *arg)
{
	struct ctx *ctx = arg;

	note_end(ctx);
	fg_hold_done(ctx->x);
}

/* Whoever has seen an answer gets the same with the same key: so it is kept before it is sent. */
static void
on_response(const void *conf, void *ctx_arg, struct fg_exchange *x)
{
	struct ctx *ctx = ctx_arg;

	(void)conf;
	if (ctx->job == NULL || !ctx->job->is_reserved || ctx->is_ending)
		return;
	ctx->is_ending = true;
	if (ctx->has_set_deadline && x->reason == FG_OK)
		x->total_deadline = 0;
	if (!fg_may_hold(x)) {
		/* It streams already; nobody waits for the store's word, which the store itself notes where it is no. */
		if (fg_idempotency_finish(ctx->job, end_of(ctx), NULL, NULL))
			note_end(ctx);
		else
			count_end(ctx);
	} else if (fg_idempotency_finish(ctx->job, end_of(ctx), on_ended, ctx)) {
		note_end(ctx);
	} else {
		fg_hold(x, "redis");
	}
}

static void
on_done(const void *conf, void *ctx_arg, struct fg_exchange *x)
{
	struct ctx *ctx = ctx_arg;

	(void)conf;
	if (ctx->job == NULL)
		return;
	if (ctx->job->is_reserved && !ctx->is_ending) {
		if (fg_idempotency_finish(ctx->job, end_without_answer(x), NULL, NULL))
			note_end(ctx);
		else
			count_end(ctx);
	}
	fg_idempotency_job_drop(ctx->job);
}

/* ---- the configuration */

static void
check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const struct fg_var consumer = {.kind = FG_VAR_CONSUMER};
	struct idempotency_conf *policy = out;

	(void)key;
	if (policy->by_count == 0) {
		policy->by = &consumer;
		policy->by_count = 1;
	}
	if (policy->methods == 0)
		policy->methods = FG_METHOD_BIT(FG_METHOD_POST) | FG_METHOD_BIT(FG_METHOD_PATCH);
	if ((policy->methods & (FG_METHOD_BIT(FG_METHOD_GET) | FG_METHOD_BIT(FG_METHOD_HEAD) | FG_METHOD_BIT(FG_METHOD_OPTIONS))) != 0)
		fg_conf_error(conf, fg_conf_get(node, "methods"),
		    "GET, HEAD and OPTIONS change nothing, so that there is nothing to keep them from doing twice");
}

static void
check_route(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_route_policy *use)
{
	const struct idempotency_conf *policy = use->conf;

	if (policy != NULL && fg_conf_get(node, "idempotency") != NULL && use->methods != 0 && (use->methods & policy->methods) == 0)
		fg_conf_error(conf, fg_conf_get(node, "idempotency"), "is of no use: the route takes none of the methods whose keys count");
	if (policy == NULL || use->is_authenticated)
		return;
	for (size_t i = 0; i < policy->by_count; i++) {
		if (policy->by[i].kind != FG_VAR_CONSUMER && policy->by[i].kind != FG_VAR_CLAIM)
			continue;
		fg_conf_error_at_name(conf, node,
		    "idempotency keeps keys apart by who is calling, which nothing on this route finds out: give it auth: a policy, or say "
		    "whose keys they are (by: header:X-Tenant; by: route where everybody may have everybody's answers)");
		return;
	}
}

static void
each_var(const void *conf_arg, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	const struct idempotency_conf *conf = conf_arg;

	for (size_t i = 0; i < conf->by_count; i++)
		fn(arg, &conf->by[i]);
}

static const struct fg_conf_choice failure_choices[] = {{"deny", false}, {"allow", true}, {NULL, 0}};
static const struct fg_conf_key by_item = {"VARIABLE", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_var), .parse = fg_value_parse_var,
    .form = "a request variable (consumer, claim:NAME, header:NAME, route, …)", .schema = "\"type\": \"string\"",
    .help = "absent: 400 idempotency_owner_unknown"};
static const struct fg_conf_key release_item = {"STATUS", FG_CONF_INT, FG_CONF_IN(int), .min = 300, .max = 599,
    .help = "of the service"};

#define AT(field) FG_CONF_AT(struct idempotency_conf, field)

static const struct fg_conf_key keys[] = {
    {"required", FG_CONF_BOOL, AT(is_required), .preset = "false", .help = "true: without a key 400 idempotency_key_missing"},
    {"header", FG_CONF_STRING, AT(header), .preset = "Idempotency-Key", .max = 64, .check = fg_value_check_header_name,
	.help = "where the key is"},
    {"methods", FG_CONF_CUSTOM, AT(methods), .parse = fg_value_parse_methods, .shown_preset = "[POST, PATCH]",
	.form = FG_VALUE_METHODS_FORM, .schema = FG_VALUE_METHODS_SCHEMA, .help = "whose keys count; others go on as if there were none"},
    {"by", FG_CONF_LIST, FG_CONF_ARRAY(struct idempotency_conf, by, by_count, struct fg_var), .flags = FG_CONF_OR_ONE,
	.max = FG_MAX_IDEMPOTENCY_PARTS, .item = &by_item, .shown_preset = "consumer",
	.help = "whose a key is: what others send with it is theirs"},
    {"expire", FG_CONF_DURATION, AT(expire), .min = FG_US_PER_S, .max = FG_CONF_MAX_DURATION, .preset = "24h",
	.help = "how long an answer is kept; at least as long as a request may take"},
    {"lock", FG_CONF_DURATION, AT(lock), .min = FG_US_PER_S, .max = INT64_C(3600) * FG_US_PER_S, .preset = "60s",
	.help = "how long a request may take on a route without a longer timeout; 5s later, what a dead worker left counts as unknown"},
    {"max-request", FG_CONF_SIZE, AT(max_request), .min = 1024, .max = FG_MAX_IDEMPOTENCY_REQUEST_BYTES, .preset = "256k",
	.help = "of a body with a key, which is read whole before it is forwarded; a longer one: 413 idempotency_body_too_large"},
    {"max-response", FG_CONF_SIZE, AT(max_response), .min = 1024, .max = FG_MAX_IDEMPOTENCY_ANSWER_BYTES, .preset = "64k",
	.help = "of an answer's body that is kept, and held until it is; a longer one is streamed, and later 409 idempotency_not_kept"},
    {"release", FG_CONF_LIST, FG_CONF_ARRAY(struct idempotency_conf, release, release_count, int), .flags = FG_CONF_OR_ONE,
	.item = &release_item, .max = 32, .preset = "401, 408, 409, 425, 429, 503",
	.help = "statuses by which the service says that nothing was done: the answer is not kept, the key is free again"},
    {"on-store-failure", FG_CONF_ENUM, AT(fails_open), .choices = failure_choices, .preset = "deny",
	.help = "deny: 503; allow: forwarded as if there were no key, perhaps twice"},
    {NULL},
};

/* ---- the type */

static void *
worker_start(struct fg_gateway *gw, void *shared)
{
	size_t policies = fg_config_policies(gw->config, &fg_filter_idempotency)->count;
	struct state *state = calloc(1, sizeof(*state) + policies * sizeof(state->counts[0]));

	FG_ASSERT(state != NULL);
	state->store = fg_idempotency_store_new(gw, shared);
	return state;
}

static void
worker_stop(void *arg)
{
	struct state *state = arg;

	fg_idempotency_store_free(state->store);
	free(state);
}

static size_t
shared_size(const struct fg_config *config)
{
	bool is_used = fg_config_policies(config, &fg_filter_idempotency)->count > 0 && config->store.redis == NULL;

	return fg_idempotency_memory_size(is_used ? FG_MAX_IDEMPOTENCY_RECORDS : FG_MAX_IDEMPOTENCY_RECORDS_UNUSED);
}

const struct fg_filter_type fg_filter_idempotency = {
    .name = "idempotency",
    .stage = FG_STAGE_CACHE,
    .conf_size = sizeof(struct idempotency_conf),
    .ctx_size = sizeof(struct ctx),
    .keys = keys,
    .check = check,
    .check_route = check_route,
    .help = "a request that comes again with its Idempotency-Key gets the answer of the first, and is not carried out again",
    .each_var = each_var,
    .shared = &fg_idempotency_memory_kind,
    .shared_size = shared_size,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .on_request = on_request,
    .on_response = on_response,
    .on_done = on_done,
};
