/* Keys and their answers, in whichever store: the jobs of a worker, and what they owe when nobody waits for them any more. */
#include "core/idempotency_store.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "idempotency/idempotency_answer.h"
#include "idempotency/idempotency_memory.h"
#include "idempotency/idempotency_redis.h"
#include "stats/stats.h"

struct fg_idempotency_store {
	struct fg_gateway *gw; /* borrowed */
	struct fg_shared own;  /* where there is no pool */
	struct fg_idempotency_memory *memory; /* borrowed, or own's */
	struct fg_redis_script script;
	uint64_t count; /* of tokens */
	struct fg_link jobs;
};

struct fg_idempotency_store *
fg_idempotency_store_new(struct fg_gateway *gw, void *shared)
{
	struct fg_idempotency_store *store = calloc(1, sizeof(*store));

	FG_ASSERT(store != NULL);
	store->gw = gw;
	fg_list_init(&store->jobs);
	if (shared == NULL) {
		FG_ASSERT(fg_shared_create(&store->own, NULL, &fg_idempotency_memory_kind, fg_idempotency_memory_size(64)) == FG_OK);
		shared = store->own.p;
	}
	store->memory = shared;
	fg_redis_script_init(&store->script, fg_str_from(fg_idempotency_lua));
	return store;
}

static void
job_free(struct fg_idempotency_job *job)
{
	fg_list_remove(&job->link);
	fg_buf_fini(&job->answer);
	free(job);
}

void
fg_idempotency_store_free(struct fg_idempotency_store *store)
{
	while (!fg_list_is_empty(&store->jobs)) {
		struct fg_idempotency_job *job = FG_CONTAINER_OF(store->jobs.next, struct fg_idempotency_job, link);

		if (job->query != NULL)
			fg_redis_cancel(job->query);
		job_free(job);
	}
	fg_shared_close(&store->own, false);
	free(store);
}

struct fg_idempotency_job *
fg_idempotency_job_new(struct fg_idempotency_store *store)
{
	struct fg_idempotency_job *job = calloc(1, sizeof(*job));

	FG_ASSERT(job != NULL);
	job->store = store;
	fg_list_add(&store->jobs, &job->link);
	fg_buf_init(&job->answer, FG_MAX_IDEMPOTENCY_ANSWER_BYTES + FG_IDEMPOTENCY_HEAD_BYTES);
	/* No two reservations have the same: the first half is drawn by the worker. */
	job->ask.token[0] = store->gw->id_prefix;
	job->ask.token[1] = ++store->count;
	return job;
}

static fg_usec
now(const struct fg_idempotency_store *store)
{
	return fg_loop_clock(store->gw->loop)->mono;
}

static void
tell(struct fg_idempotency_job *job)
{
	fg_idempotency_fn *fn = job->fn;

	job->query = NULL;
	job->fn = NULL;
	if (job->is_dropped)
		fg_idempotency_job_drop(job);
	else if (fn != NULL)
		fn(job->arg);
}

/* ---- to reserve */

/* What was asked may have been done although no answer came: by its token it is taken back. */
static void
take_back(struct fg_idempotency_job *job)
{
	if (job->err == FG_ERR_STORE_TIMEOUT || job->err == FG_ERR_STORE_UNREACHABLE)
		(void)fg_idempotency_redis_end(job->store->gw->redis, &job->store->script, &job->ask, FG_IDEMPOTENCY_RELEASE, FG_STR_NONE,
		    fg_redis_ignore, NULL);
}

static void
on_begun(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_idempotency_job *job = arg;

	job->err = err == FG_OK ? fg_idempotency_redis_read(reply, &job->state, &job->answer) : err;
	job->is_reserved = job->err == FG_OK && job->state == FG_IDEMPOTENCY_NEW && !job->ask.is_peek;
	if (job->err != FG_OK && !job->ask.is_peek)
		take_back(job);
	tell(job);
}

bool
fg_idempotency_begin(struct fg_idempotency_job *job, fg_idempotency_fn *fn, void *arg)
{
	struct fg_idempotency_store *store = job->store;

	if (store->gw->redis == NULL && job->ask.is_peek) {
		job->err = FG_OK;
		job->state = fg_idempotency_memory_peek(store->memory, &job->ask, now(store));
		return true;
	}
	if (store->gw->redis == NULL) {
		job->err = fg_idempotency_memory_begin(store->memory, &job->ask, now(store), &job->state, &job->answer);
		job->is_reserved = job->err == FG_OK && job->state == FG_IDEMPOTENCY_NEW;
		if (store->gw->stats != NULL)
			fg_stats_add(store->gw->stats, FG_COUNT_IDEMPOTENCY_EVICTED, fg_idempotency_memory_take_evictions(store->memory));
		return true;
	}
	job->fn = fn;
	job->arg = arg;
	job->query = fg_idempotency_redis_begin(store->gw->redis, &store->script, &job->ask, on_begun, job);
	return false;
}

/* ---- to end */

static void
on_ended(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_idempotency_job *job = arg;

	if (err == FG_OK && !fg_idempotency_redis_was_ours(reply))
		err = FG_ERR_STORE_ERROR;
	job->err = err;
	job->is_reserved = false;
	if (err != FG_OK && job->fn == NULL)
		FG_LOG(job->store->gw->log, WARN, "idempotency", "the end of a request could not be kept",
		    FG_F_CSTR("reason", fg_err_token(err)));
	tell(job);
}

bool
fg_idempotency_finish(struct fg_idempotency_job *job, enum fg_idempotency_end end, fg_idempotency_fn *fn, void *arg)
{
	struct fg_idempotency_store *store = job->store;
	struct fg_str answer = fg_buf_str(&job->answer);

	FG_ASSERT(job->is_reserved && !job->is_ending);
	job->is_ending = true;
	job->end = end;
	if (store->gw->redis == NULL) {
		job->err = fg_idempotency_memory_end(store->memory, &job->ask, end, answer, now(store)) ? FG_OK : FG_ERR_STORE_ERROR;
		job->is_reserved = false;
		return true;
	}
	job->fn = fn;
	job->arg = arg;
	job->query = fg_idempotency_redis_end(store->gw->redis, &store->script, &job->ask, end, answer, on_ended, job);
	return false;
}

void
fg_idempotency_job_drop(struct fg_idempotency_job *job)
{
	job->fn = NULL;
	job->is_dropped = true;
	if (job->query != NULL)
		return;
	/* Nobody is left to forward it: it was given up while it was being reserved. */
	if (job->is_reserved && !job->is_ending && !fg_idempotency_finish(job, FG_IDEMPOTENCY_RELEASE, NULL, NULL))
		return;
	job_free(job);
}
