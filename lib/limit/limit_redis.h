/*
 * The records of limits in Redis, shared by all hosts: the script limit.lua, one call for all limits of a request.
 *
 * Names of keys: "fg:" and 11 bytes of the limit's key. In a Cluster "fg:{", the tag in base64url, "}" and 8 bytes, so
 * that what counts by the same lies in one slot; limits of one request that count by different things are then asked one
 * group after the other, and where a later one refuses, what the earlier ones were charged is given back: never more is
 * allowed than the limit, though somebody else may be refused in between.
 *
 * All goes by Redis's clock, so that hosts whose clocks differ agree. Windows of a calendar are reckoned here: the script is
 * told two that follow each other, by what is thought of its clock, and chooses; if it lies in neither, it says what time it
 * is, and is asked once more.
 */
#ifndef FG_LIMIT_LIMIT_REDIS_H
#define FG_LIMIT_LIMIT_REDIS_H

#include "base/err.h"
#include "limit/limit_store.h"

struct fg_limit_memory;
struct fg_limit_redis;
struct fg_redis;

/* redis outlives it; so does memory, in which what is known of the other hosts is noted. Never NULL. */
struct fg_limit_redis *fg_limit_redis_new(struct fg_redis *redis, bool is_cluster);
/* What is in flight is not answered any more. NULL does nothing. */
void fg_limit_redis_free(struct fg_limit_redis *store);

enum fg_limit_op { FG_LIMIT_TAKE, FG_LIMIT_PEEK, FG_LIMIT_GIVE, FG_LIMIT_RENEW };

/*
 * FG_OK: readings and results of the asks are set (of renewals, hold). Else one of FG_ERR_STORE_…: nobody knows what was charged.
 * Of a renewal that is late it is told once its answer has come, or the connection is lost.
 */
typedef void fg_limit_redis_fn(void *arg, enum fg_err err);
/*
 * From the loop, later, fn is called once. The asks live until then. Of a Cluster's groups that were not asked any more the
 * results have `limit` 0. now: 0 is Redis's own time; anything else is for tests.
 */
void fg_limit_redis_ask(struct fg_limit_redis *store, enum fg_limit_op op, struct fg_limit_ask *asks, size_t count, fg_usec now,
    fg_limit_redis_fn *fn, void *arg);
/* Redis's clock is thought to show that time now, until its next answer tells. For tests; at first it is the host's wall clock. */
void fg_limit_redis_suppose_time(struct fg_limit_redis *store, fg_usec now);
/* Gives back; nobody waits for it. Where it does not arrive, holds lapse. The asks are not needed any more. */
void fg_limit_redis_give(struct fg_limit_redis *store, const struct fg_limit_ask *asks, size_t count);
/* Forgets the record, and has all hosts forget what they know to be refused. */
void fg_limit_redis_reset(struct fg_limit_redis *store, const struct fg_limit_key *key, fg_limit_redis_fn *fn, void *arg);

/* Announces this pool; what comes back is noted in memory. lapse: after how long of silence a pool counts as gone. */
void fg_limit_redis_announce(struct fg_limit_redis *store, struct fg_limit_memory *memory, fg_usec lapse);

/* The name of a record's key, of at most FG_LIMIT_NAME_BYTES. */
enum { FG_LIMIT_NAME_BYTES = 32 };
size_t fg_limit_redis_name(char name[FG_LIMIT_NAME_BYTES], const struct fg_limit_key *key, bool is_cluster);

/* The scripts, made of the .lua files by the build. */
extern const char fg_limit_lua[], fg_limit_hosts_lua[];

#endif
