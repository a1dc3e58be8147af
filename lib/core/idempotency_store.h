/*
 * Where keys and their answers are kept: one face for the pool's memory (idempotency_memory.h) and Redis (idempotency_redis.h),
 * which keep records as idempotency/idempotency_record.h has them.
 */
#ifndef FG_CORE_IDEMPOTENCY_STORE_H
#define FG_CORE_IDEMPOTENCY_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "idempotency/idempotency_record.h"

struct fg_gateway;
struct fg_shared_kind;

struct fg_idempotency_store;

/* shared: of the pool, NULL: none. Never NULL. */
struct fg_idempotency_store *fg_idempotency_store_new(struct fg_gateway *gw, void *shared);
void fg_idempotency_store_free(struct fg_idempotency_store *store);

struct fg_idempotency_job;
typedef void fg_idempotency_fn(void *arg);

/* One request's dealing with the store. Owned by whoever made it until fg_idempotency_job_drop(). */
struct fg_idempotency_job {
	struct fg_idempotency_ask ask; /* to be filled in before begin */
	enum fg_err err;               /* of the last question */
	enum fg_idempotency_state state;
	struct fg_buf answer;          /* what was kept; or, before an end that keeps, what is to be */

	/* the store's */
	struct fg_idempotency_store *store;
	struct fg_link link; /* of the store's jobs */
	struct fg_redis_query *query;  /* in flight; NULL: none */
	enum fg_idempotency_end end;   /* that is in flight */
	bool is_reserved, is_ending, is_dropped;
	fg_idempotency_fn *fn;
	void *arg;
};

struct fg_idempotency_job *fg_idempotency_job_new(struct fg_idempotency_store *store);
/* True: err and state are set. False: they will be when fn is called, once, from the loop. */
bool fg_idempotency_begin(struct fg_idempotency_job *job, fg_idempotency_fn *fn, void *arg);
/* Of a job that has reserved, once. True: done, err is set. False: fn (NULL: nobody waits) is called then. */
bool fg_idempotency_finish(struct fg_idempotency_job *job, enum fg_idempotency_end end, fg_idempotency_fn *fn, void *arg);
/* Nobody waits for it any more. What is being reserved is released when it comes; what is being kept is kept. */
void fg_idempotency_job_drop(struct fg_idempotency_job *job);

#endif
