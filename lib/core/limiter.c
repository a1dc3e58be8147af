/* Deciding about the limits of requests, in whichever store, and what happens when it fails. */
#include "core/limiter.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/limit_counts.h"
#include "base/name_table.h"
#include "limit/limit_memory.h"
#include "limit/limit_redis.h"
#include "redis/redis.h"
#include "stats/stats.h"

/* A pool announces itself so often, and counts as gone after that long; what is held is renewed once an epoch. */
#define ANNOUNCE_US (2 * FG_US_PER_S)
#define LAPSE_US (10 * FG_US_PER_S)
#define RENEW_US (FG_US_PER_S / 4)

struct fg_limiter {
	struct fg_gateway *gw; /* borrowed */
	struct fg_shared own; /* where there is no pool */
	struct fg_limit_memory memory;
	struct fg_limit_redis *redis; /* owned; NULL: the store is memory */
	bool is_cluster;
	struct fg_timer timer;
	bool is_watching; /* the timer runs */
	struct fg_limit_counts *counts; /* owned */
	struct fg_link jobs;
};

static fg_usec
wall(const struct fg_limiter *limiter)
{
	return fg_loop_clock(limiter->gw->loop)->wall;
}

/* ---- holds, and the pool's announcement: by a timer */

static struct fg_limit_job *
job_at(struct fg_link *link)
{
	return FG_CONTAINER_OF(link, struct fg_limit_job, link);
}

static void
on_renewed(void *arg, enum fg_err err)
{
	struct fg_limit_one *one = arg;

	one->is_renewing = false;
	if (err == FG_OK)
		one->renewed = fg_loop_clock(one->job->limiter->gw->loop)->mono;
	if (one->job->is_dropped)
		fg_limit_job_drop(one->job);
}

/* Once an epoch what is held moves to the one that runs, or it would lapse. Epochs are the store's, the pace is ours: clocks that
   differ do no harm. */
static void
renew(struct fg_limit_job *job, size_t i)
{
	struct fg_limiter *limiter = job->limiter;
	struct fg_limit_one *one = &job->one[i];
	struct fg_limit_ask *ask = &job->asks[i];
	fg_usec now = fg_loop_clock(limiter->gw->loop)->mono;

	if (!one->is_held || one->is_renewing || now - one->renewed < ask->limit->quantum)
		return;
	if (limiter->redis == NULL || one->decided_by == FG_LIMIT_BY_SHARE) {
		fg_limit_memory_renew(&limiter->memory, ask, 1, wall(limiter));
		one->renewed = now;
		return;
	}
	one->is_renewing = true;
	one->job = job;
	fg_limit_redis_ask(limiter->redis, FG_LIMIT_RENEW, ask, 1, 0, on_renewed, one);
}

static void
tell_hosts(struct fg_limiter *limiter, unsigned hosts)
{
	if (limiter->gw->stats != NULL)
		fg_stats_set(limiter->gw->stats, FG_COUNT_LIMIT_HOSTS, hosts);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct fg_limiter *limiter = arg;
	struct fg_limit_hosts hosts;

	for (struct fg_link *at = limiter->jobs.next; at != &limiter->jobs; at = at->next) {
		struct fg_limit_job *job = job_at(at);

		for (size_t i = 0; i < job->count && !job->in_flight; i++)
			renew(job, i);
	}
	if (limiter->redis != NULL && fg_limit_memory_is_due(&limiter->memory, wall(limiter), ANNOUNCE_US))
		fg_limit_redis_announce(limiter->redis, &limiter->memory, LAPSE_US);
	fg_limit_memory_get_hosts(&limiter->memory, &hosts);
	tell_hosts(limiter, limiter->redis == NULL ? 0 : hosts.alive);
	if (limiter->gw->stats != NULL)
		fg_stats_add(limiter->gw->stats, FG_COUNT_LIMIT_KEYS_EVICTED, fg_limit_memory_take_evictions(&limiter->memory));
	fg_timer_start(timer, RENEW_US);
}

struct fg_limiter *
fg_limiter_new(struct fg_gateway *gw, void *shared, size_t policies)
{
	struct fg_limiter *limiter = calloc(1, sizeof(*limiter));
	const struct fg_redis_spec *spec = gw->config->store.redis;

	FG_ASSERT(limiter != NULL);
	limiter->gw = gw;
	fg_list_init(&limiter->jobs);
	limiter->counts = fg_limit_counts_new(gw, policies);
	if (shared == NULL) {
		FG_ASSERT(fg_shared_create(&limiter->own, NULL, &fg_limit_memory_kind, fg_limit_memory_size(1)) == FG_OK);
		shared = limiter->own.p;
	}
	fg_limit_memory_init(&limiter->memory, shared);
	/* After a reload with another store nobody is refused by the word of the one before. */
	limiter->memory.refuser = fg_name_hash(gw->config->store.text);
	limiter->is_cluster = spec != NULL && spec->mode == FG_REDIS_CLUSTER;
	if (gw->redis != NULL)
		limiter->redis = fg_limit_redis_new(gw->redis, limiter->is_cluster);
	if (gw->loop != NULL)
		fg_timer_init(&limiter->timer, gw->loop, on_timer, limiter);
	/* A process that only looks has no client; one without limits has nothing to do. */
	limiter->is_watching = gw->client != NULL && policies > 0;
	if (limiter->is_watching)
		fg_timer_start(&limiter->timer, 1);
	return limiter;
}

void
fg_limiter_free(struct fg_limiter *limiter)
{
	if (limiter->gw->loop != NULL)
		fg_timer_stop(&limiter->timer);
	/* The workers that stay tell it again; after a reload that does without Redis none does. */
	if (limiter->is_watching && limiter->redis != NULL)
		tell_hosts(limiter, 0);
	fg_limit_redis_free(limiter->redis);
	while (!fg_list_is_empty(&limiter->jobs)) {
		struct fg_limit_job *job = job_at(limiter->jobs.next);

		fg_list_remove(&job->link);
		free(job);
	}
	fg_limit_counts_free(limiter->counts);
	fg_shared_close(&limiter->own, false);
	free(limiter);
}

const char *
fg_limiter_store(const struct fg_limiter *limiter)
{
	return limiter->redis != NULL ? "redis" : "memory";
}

void
fg_limiter_count(struct fg_limiter *limiter, const struct fg_limit_job *job)
{
	fg_limit_counts_add(limiter->counts, job);
	for (size_t i = 0; i < job->count; i++)
		if (!job->asks[i].result.allowed && job->one[i].decided_by != FG_LIMIT_NOT_ASKED &&
		    job->one[i].decided_by != FG_LIMIT_BY_NOBODY)
			fg_limit_top_add(limiter->memory.top, fg_limit_top_name(job->one[i].policy->policy.name), job->asks[i].key.v[0],
			    fg_loop_clock(limiter->gw->loop)->mono);
}

/* ---- deciding */

struct fg_limit_job *
fg_limit_job_new(struct fg_limiter *limiter, const struct fg_policies *policies, struct fg_exchange *x, bool is_peek)
{
	struct fg_limit_job *job = malloc(sizeof(*job));

	FG_ASSERT(job != NULL && policies->count <= FG_MAX_POLICIES_OF_ROUTE);
	/* Not all of its many bytes are used; those that are, are set. */
	memset(job, 0, offsetof(struct fg_limit_job, one));
	job->limiter = limiter;
	job->is_peek = is_peek;
	job->count = policies->count;
	for (size_t i = 0; i < job->count; i++) {
		job->one[i].policy = policies->v[i];
		job->one[i].decided_by = FG_LIMIT_NOT_ASKED;
		job->one[i].is_held = job->one[i].is_renewing = false;
		fg_limit_policy_ask(policies->v[i], x, limiter->is_cluster, &job->asks[i], is_peek ? &job->one[i].by : NULL);
	}
	return job;
}

/* What has been decided holds: what was taken is to be given back one day. */
static void
conclude(struct fg_limit_job *job, bool allowed)
{
	job->allowed = allowed;
	if (job->is_peek || !allowed)
		return;
	for (size_t i = 0; i < job->count; i++) {
		struct fg_limit_ask *ask = &job->asks[i];

		if (ask->limit->algorithm != FG_LIMIT_CONCURRENCY || !ask->result.allowed || ask->cost == 0 ||
		    (job->one[i].decided_by != FG_LIMIT_BY_STORE && job->one[i].decided_by != FG_LIMIT_BY_SHARE))
			continue;
		ask->hold = ask->result.hold;
		job->one[i].is_held = true;
		job->one[i].renewed = fg_loop_clock(job->limiter->gw->loop)->mono;
		/* Once, however many it holds. */
		fg_list_remove(&job->link);
		fg_list_add(&job->limiter->jobs, &job->link);
	}
}

/* What this host may do of it by itself. */
static bool
decide_by_shares(struct fg_limit_job *job)
{
	struct fg_limit_memory *memory = &job->limiter->memory;
	struct fg_limit_ask asks[FG_MAX_POLICIES_OF_ROUTE];
	uint8_t from[FG_MAX_POLICIES_OF_ROUTE];
	struct fg_limit_hosts hosts;
	size_t count = 0;
	bool allowed;

	fg_limit_memory_get_hosts(memory, &hosts);
	for (size_t i = 0; i < job->count; i++) {
		if (job->one[i].decided_by != FG_LIMIT_BY_SHARE)
			continue;
		job->one[i].share = fg_limit_share(job->asks[i].limit, hosts.alive, job->asks[i].cost);
		job->asks[i].limit = &job->one[i].share;
		from[count] = (uint8_t)i;
		asks[count++] = job->asks[i];
	}
	if (count == 0)
		return true;
	allowed = job->is_peek ? fg_limit_memory_peek(memory, asks, count, wall(job->limiter))
			       : fg_limit_memory_take(memory, asks, count, wall(job->limiter));
	for (size_t i = 0; i < count; i++)
		job->asks[from[i]] = asks[i];
	return allowed;
}

static void
decide_without_store(struct fg_limit_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		const struct fg_limit_policy *policy = job->one[i].policy;
		bool is_local = policy->on_failure == FG_LIMIT_FAIL_LOCAL;

		job->one[i].decided_by = is_local ? FG_LIMIT_BY_SHARE : FG_LIMIT_BY_NOBODY;
		job->asks[i].result = (struct fg_limit_result){.allowed = true};
		job->asks[i].reading = (struct fg_limit_reading){.allowed = true};
		if (policy->on_failure == FG_LIMIT_FAIL_DENY && !policy->is_observed)
			job->denied = true;
	}
	conclude(job, !job->denied && decide_by_shares(job));
}

/* Refused until then, by Redis's word: until that nobody needs to ask it. */
static void
remember_refusals(struct fg_limit_job *job)
{
	struct fg_limiter *limiter = job->limiter;

	for (size_t i = 0; !job->is_peek && i < job->count; i++) {
		const struct fg_limit_ask *ask = &job->asks[i];

		if (!ask->result.allowed && !ask->is_observed && ask->limit->algorithm != FG_LIMIT_CONCURRENCY && ask->cost > 0)
			fg_limit_memory_block(&limiter->memory, &ask->key, ask->cost, &job->asked, ask->result.retry_after);
	}
}

static void
on_store(void *arg, enum fg_err err)
{
	struct fg_limit_job *job = arg;

	job->err = err;
	job->in_flight = false;
	fg_list_remove(&job->link);
	if (err != FG_OK) {
		/* Nobody waits for it any more: nothing to enforce. */
		if (job->on_decided == NULL)
			job->allowed = false;
		else
			decide_without_store(job);
	} else {
		for (size_t i = 0; i < job->count; i++)
			job->one[i].decided_by = job->asks[i].result.limit == 0 ? FG_LIMIT_NOT_ASKED : FG_LIMIT_BY_STORE;
		remember_refusals(job);
		conclude(job, fg_limit_all_allowed(job->asks, job->count));
	}
	if (job->on_decided == NULL)
		fg_limit_job_drop(job);
	else
		job->on_decided(job->arg, job);
}

/* What costs more than what was refused has to wait for more: of a bucket it is known how long. */
static fg_usec
left_of(const struct fg_limit_block *block, const struct fg_limit_ask *ask)
{
	if (ask->limit->algorithm != FG_LIMIT_TOKEN_BUCKET || ask->cost <= block->cost || ask->cost > ask->limit->burst)
		return block->left;
	return block->left + fg_limit_increment(ask->limit, ask->cost - block->cost).us + 1;
}

/* True: one that is enforced is known to be refused. */
static bool
is_blocked(struct fg_limit_job *job)
{
	bool found = false;

	for (size_t i = 0; i < job->count; i++) {
		struct fg_limit_ask *ask = &job->asks[i];
		struct fg_limit_block block;
		bool is_refused = !ask->is_observed && ask->limit->algorithm != FG_LIMIT_CONCURRENCY &&
		    fg_limit_memory_blocked(&job->limiter->memory, &ask->key, ask->cost, &job->asked, &block);

		ask->result = (struct fg_limit_result){.allowed = !is_refused};
		if (!is_refused)
			continue;
		found = true;
		job->one[i].decided_by = FG_LIMIT_BY_BLOCK;
		ask->result.limit = ask->limit->algorithm == FG_LIMIT_TOKEN_BUCKET ? ask->limit->burst : ask->limit->count;
		ask->result.retry_after = ask->result.reset = left_of(&block, ask);
	}
	return found;
}

bool
fg_limit_job_decide(struct fg_limit_job *job, void (*on_decided)(void *arg, struct fg_limit_job *job), void *arg)
{
	struct fg_limiter *limiter = job->limiter;

	job->asked = *fg_loop_clock(limiter->gw->loop);
	if (limiter->redis == NULL) {
		for (size_t i = 0; i < job->count; i++)
			job->one[i].decided_by = FG_LIMIT_BY_STORE;
		conclude(job, job->is_peek ? fg_limit_memory_peek(&limiter->memory, job->asks, job->count, job->asked.wall)
					   : fg_limit_memory_take(&limiter->memory, job->asks, job->count, job->asked.wall));
		return true;
	}
	if (is_blocked(job)) {
		job->allowed = false;
		return true;
	}
	job->on_decided = on_decided;
	job->arg = arg;
	job->in_flight = true;
	job->sent = job->asked.mono;
	fg_list_add(&limiter->jobs, &job->link);
	fg_limit_redis_ask(limiter->redis, job->is_peek ? FG_LIMIT_PEEK : FG_LIMIT_TAKE, job->asks, job->count, 0, on_store, job);
	return false;
}

void
fg_limit_job_drop(struct fg_limit_job *job)
{
	struct fg_limiter *limiter = job->limiter;

	job->on_decided = NULL;
	job->is_dropped = true;
	if (job->in_flight)
		return;
	for (size_t i = 0; i < job->count; i++)
		if (job->one[i].is_held && job->one[i].is_renewing)
			return;
	for (size_t i = 0; i < job->count; i++) {
		if (!job->one[i].is_held)
			continue;
		if (limiter->redis == NULL || job->one[i].decided_by == FG_LIMIT_BY_SHARE)
			fg_limit_memory_give(&limiter->memory, &job->asks[i], 1, wall(limiter));
		else
			fg_limit_redis_give(limiter->redis, &job->asks[i], 1);
	}
	fg_list_remove(&job->link);
	free(job);
}
