/*
 * The limits of a worker's requests: asks the store that there is, spares it what is known to be refused, does what each
 * limit says when it fails, and keeps what is held until it is released.
 */
#ifndef FG_CORE_LIMITER_H
#define FG_CORE_LIMITER_H

#include "base/list.h"
#include "core/limit_policy.h"

struct fg_gateway;
struct fg_limiter;

/* Who has decided about a limit of a request. */
enum fg_limit_by {
	FG_LIMIT_BY_STORE,
	FG_LIMIT_BY_BLOCK,  /* known to be refused: the store was not asked */
	FG_LIMIT_BY_SHARE,  /* this host's share: the store failed (on-store-failure: local) */
	FG_LIMIT_BY_NOBODY, /* the store failed: allowed, or denied */
	FG_LIMIT_NOT_ASKED, /* another limit had refused already */
};

/* All limits of one request, from the decision to the release. */
struct fg_limit_job {
	struct fg_limiter *limiter;
	struct fg_link link; /* of those that hold something, or are in flight */
	void (*on_decided)(void *arg, struct fg_limit_job *job); /* NULL once told, or not wanted any more */
	void *arg;
	enum fg_err err;      /* of the store; FG_OK: it has decided, or was not asked */
	bool allowed, denied; /* denied: the store failed, and a limit says deny */
	bool in_flight, is_peek, is_dropped;
	struct fg_clock asked;
	fg_usec sent;         /* to Redis; monotonic; 0: it was not asked */
	size_t count;
	struct fg_limit_one {
		const struct fg_limit_policy *policy;
		struct fg_str by; /* for explain */
		enum fg_limit_by decided_by;
		bool is_held;     /* a concurrency limit's: to be released */
		bool is_renewing; /* Redis was asked to; job is set then */
		struct fg_limit_job *job;
		fg_usec renewed;  /* or taken; monotonic */
		struct fg_limit share; /* with FG_LIMIT_BY_SHARE: what ask.limit then is */
	} one[FG_MAX_POLICIES_OF_ROUTE];
	struct fg_limit_ask asks[FG_MAX_POLICIES_OF_ROUTE]; /* the same, as the store is asked */
};

/* shared: the pool's memory (limit_memory.h); NULL where there is no pool: memory of its own. policies: how many there are. */
struct fg_limiter *fg_limiter_new(struct fg_gateway *gw, void *shared, size_t policies);
void fg_limiter_free(struct fg_limiter *limiter);

/* A new job with these policies' asks for x; is_peek: nothing is counted. */
struct fg_limit_job *fg_limit_job_new(struct fg_limiter *limiter, const struct fg_policies *policies, struct fg_exchange *x,
    bool is_peek);
/* True: it is decided. False: on_decided is called later, once, unless fg_limit_job_drop() comes first. */
bool fg_limit_job_decide(struct fg_limit_job *job, void (*on_decided)(void *arg, struct fg_limit_job *job), void *arg);
/* Releases what is held and frees the job, at once or when Redis has answered what it was asked. */
void fg_limit_job_drop(struct fg_limit_job *job);

/* Counts a job that is decided (core/limit_counts.h). */
void fg_limiter_count(struct fg_limiter *limiter, const struct fg_limit_job *job);

/* What there is of the store, for explain: "redis", "memory". */
const char *fg_limiter_store(const struct fg_limiter *limiter);

#endif
