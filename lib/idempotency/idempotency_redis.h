/* Asking Redis about a record: what the script idempotency.lua is given, and what its answer means. One record, one call. */
#ifndef FG_IDEMPOTENCY_IDEMPOTENCY_REDIS_H
#define FG_IDEMPOTENCY_IDEMPOTENCY_REDIS_H

#include "base/buf.h"
#include "base/err.h"
#include "idempotency/idempotency_record.h"
#include "redis/redis.h"

extern const char fg_idempotency_lua[];

/* The query; fn is told, as redis.h says. Everything is copied. */
struct fg_redis_query *fg_idempotency_redis_begin(struct fg_redis *redis, const struct fg_redis_script *script,
    const struct fg_idempotency_ask *ask, fg_redis_fn *fn, void *arg);
struct fg_redis_query *fg_idempotency_redis_end(struct fg_redis *redis, const struct fg_redis_script *script,
    const struct fg_idempotency_ask *ask, enum fg_idempotency_end end, struct fg_str answer, fg_redis_fn *fn, void *arg);

/* FG_ERR_STORE_ERROR: no answer of the script. *answer gets what is kept. */
FG_MUST_CHECK enum fg_err fg_idempotency_redis_read(const struct fg_redis_reply *reply, enum fg_idempotency_state *state,
    struct fg_buf *answer);
/* The same of an end: it was still ours. */
bool fg_idempotency_redis_was_ours(const struct fg_redis_reply *reply);

#endif
