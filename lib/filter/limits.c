/* The filter `limits`: how often a client may ask, and how much of it at once. Deciding is core/limiter.h's. */
#include "core/config.h"
#include "core/exchange.h"
#include "core/filter.h"
#include "core/limit_counts.h"
#include "core/limit_headers.h"
#include "core/limiter.h"
#include "filter/filter_list.h"
#include "limit/limit_memory.h"

struct ctx {
	struct fg_limit_job *job; /* owned until on_done; NULL: nothing was asked */
	struct fg_await *await;
	struct fg_exchange *x;
};

/* ---- what was decided */

static void
trace_one(struct fg_exchange *x, const struct fg_limit_job *job, size_t i)
{
	const struct fg_limit_result *result = &job->asks[i].result;
	struct fg_str name = job->one[i].policy->policy.name;

	/* The store has failed, and nobody counted. */
	if (result->limit == 0) {
		fg_exchange_trace(x, "limits", fg_limit_outcome_name(fg_limit_outcome(job, i)), FG_STR_FMT " by " FG_STR_FMT ", cost %lld",
		    FG_STR_ARG(name), FG_STR_ARG(job->one[i].by), (long long)job->asks[i].cost);
		return;
	}
	fg_exchange_trace(x, "limits", fg_limit_outcome_name(fg_limit_outcome(job, i)),
	    FG_STR_FMT " by " FG_STR_FMT ", cost %lld: %lld of %lld would be left, reset in %lld ms", FG_STR_ARG(name),
	    FG_STR_ARG(job->one[i].by), (long long)job->asks[i].cost, (long long)result->remaining, (long long)result->limit,
	    (long long)(result->reset / FG_US_PER_MS));
}

static enum fg_next
answer(struct fg_exchange *x, struct fg_limit_job *job)
{
	if (x->trace != NULL && job->err != FG_OK)
		fg_exchange_trace(x, "limits", fg_err_token(job->err), "the store has failed; each limit by its on-store-failure");
	for (size_t i = 0; x->trace != NULL && i < job->count; i++)
		trace_one(x, job, i);
	if (x->trace == NULL)
		fg_limiter_count(job->limiter, job);
	if (job->denied)
		return fg_respond(x, job->err);
	if (job->allowed)
		return FG_CONTINUE;
	fg_exchange_refuse(x, FG_ERR_LIMIT_EXCEEDED);
	(void)!fg_headers_add(
	    &x->resp.headers, FG_STR("Retry-After"), fg_arena_u64(&x->arena, (uint64_t)fg_limit_retry_after(job)));
	return FG_RESPOND;
}

/* ---- asking */

static enum fg_next
go_on(struct fg_exchange *x, void *arg)
{
	struct ctx *ctx = arg;

	return answer(x, ctx->job);
}

static void
on_decided(void *arg, struct fg_limit_job *job)
{
	struct ctx *ctx = arg;

	(void)job;
	fg_await_done(ctx->x, ctx->await);
}

/* The client has left, or a deadline has passed: what Redis still says is released when it comes. */
static void
on_cancel(void *arg)
{
	struct ctx *ctx = arg;

	fg_limit_job_drop(ctx->job);
	ctx->job = NULL;
}

static enum fg_next
on_request(const void *conf, void *ctx_arg, struct fg_exchange *x)
{
	struct fg_limiter *limiter = fg_filter_state(x->gw, &fg_filter_limits);
	struct ctx *ctx = ctx_arg;

	ctx->x = x;
	ctx->job = fg_limit_job_new(limiter, conf, x, x->trace != NULL);
	if (fg_limit_job_decide(ctx->job, on_decided, ctx))
		return answer(x, ctx->job);
	return fg_await(x, "redis", go_on, on_cancel, ctx, &ctx->await);
}

static void
on_response(const void *conf, void *ctx_arg, struct fg_exchange *x)
{
	struct ctx *ctx = ctx_arg;

	(void)conf;
	if (ctx->job != NULL)
		fg_limit_headers_set(ctx->job, x);
}

static void
on_done(const void *conf, void *ctx_arg, struct fg_exchange *x)
{
	struct ctx *ctx = ctx_arg;

	(void)conf;
	(void)x;
	if (ctx->job != NULL)
		fg_limit_job_drop(ctx->job);
}

/* ---- the type */

static void *
worker_start(struct fg_gateway *gw, void *shared)
{
	return fg_limiter_new(gw, shared, fg_config_policies(gw->config, &fg_filter_limits)->count);
}

static void
worker_stop(void *state)
{
	fg_limiter_free(state);
}

static size_t
shared_size(const struct fg_config *config)
{
	bool is_used = fg_config_policies(config, &fg_filter_limits)->count > 0;

	return fg_limit_memory_size(is_used ? config->store.memory_keys : FG_MAX_LIMIT_KEYS_UNUSED);
}

static void
each_var(const void *conf, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	const struct fg_policies *policies = conf;

	for (size_t i = 0; i < policies->count; i++)
		fg_limit_policy_each_var(policies->v[i], fn, arg);
}

const struct fg_filter_type fg_filter_limits = {
    .name = "limits",
    .stage = FG_STAGE_LIMIT,
    .takes_several = true,
    .conf_size = FG_LIMIT_POLICY_BYTES,
    .ctx_size = sizeof(struct ctx),
    .keys = fg_limit_policy_keys,
    .check = fg_limit_policy_check,
    .help = "how many requests, in what time or at once, from whom",
    .each_var = each_var,
    .shared = &fg_limit_memory_kind,
    .shared_size = shared_size,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .on_request = on_request,
    .on_response = on_response,
    .on_done = on_done,
};
