/*
 * Redis on the loop: hiredis behind a small face (the only user of hiredis.h). One pipelined connection a worker, in a
 * Cluster one a node in use. Whoever asks gets an answer or a reason within the deadline; when Redis is in trouble a
 * breaker lets probes alone wait for it.
 *
 * A query's callback runs exactly once, from the loop, never inside the function that starts the query, unless
 * fg_redis_cancel() came first; then it never runs. What was sent may have been carried out even where the callback is
 * told of a failure (fg_redis_await_late() hears what became of it): a query is sent again only when Redis said that it did
 * nothing (NOSCRIPT, MOVED, ASK, TRYAGAIN).
 *
 * What a callback is told (base/err.h):
 *
 *   FG_OK                    the reply, never an error at its top
 *   STORE_UNREACHABLE        no connection, or it broke before the reply was complete
 *   STORE_TIMEOUT            no reply within the deadline; a late one is dropped (fg_redis_await_late), the connection lives on
 *   STORE_UNAVAILABLE        not tried: the breaker is open, or too many queries are in flight
 *   STORE_REFUSED            WRONGPASS, NOAUTH, NOPERM: credentials or rights are wrong
 *   STORE_NOT_READY          LOADING, READONLY, MASTERDOWN, CLUSTERDOWN, BUSY, NOREPLICAS, TRYAGAIN to the end
 *   STORE_FULL               OOM: maxmemory is reached
 *   STORE_ERROR              any other error, or a reply that is too large or not RESP; a query that is too large
 */
#ifndef FG_REDIS_REDIS_H
#define FG_REDIS_REDIS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct fg_log;
struct fg_loop;
struct fg_redis;
struct fg_redis_query;

/* ---- where: read from the configuration's URL */

enum fg_redis_mode { FG_REDIS_SINGLE, FG_REDIS_SENTINEL, FG_REDIS_CLUSTER };

struct fg_redis_address {
	struct fg_str host; /* name or address without brackets; the path of a unix socket when port is 0 */
	unsigned port;
};

struct fg_redis_spec {
	enum fg_redis_mode mode;
	bool tls;
	struct fg_redis_address *addresses; /* the server, the sentinels, or the first nodes to ask */
	size_t address_count;
	struct fg_str user, password; /* decoded; empty: none. A password kept elsewhere is set here by the caller */
	struct fg_str sentinel_user, sentinel_password; /* never in the URL; set by the caller */
	struct fg_str master;         /* FG_REDIS_SENTINEL: the name that the sentinels know */
	unsigned db;
};

struct fg_redis_mistake {
	const char *text; /* a constant; says what is expected */
	size_t offset;    /* in the URL: where it is */
};

/*
 *   redis://[[user]:password@]host[:6379][/db]          rediss:// the same over TLS
 *   redis+unix:///run/redis.sock[?db=N]                 redis+unix://[user]:password@/run/redis.sock
 *   redis+sentinel://[[user]:password@]host[:26379],…/master[/db]     the credentials are those of the master
 *   redis+cluster://[[user]:password@]host[:6379],…
 *
 * User, password, master and path are percent-decoded. The spec and what it points to are in the arena. FG_ERR_SYNTAX,
 * with *mistake filled; rediss:// too, where this program was built without TLS to Redis.
 */
enum fg_err fg_redis_spec_parse(struct fg_redis_spec **out, struct fg_str url, struct fg_arena *arena,
    struct fg_redis_mistake *mistake) FG_MUST_CHECK;
/* The URL without user and password, for logs and for people. */
struct fg_str fg_redis_spec_format(const struct fg_redis_spec *spec, struct fg_arena *arena);

/* ---- scripts */

enum { FG_REDIS_SHA1_HEX = 40 };

/* Immutable once made; lives as long as any fg_redis it is used with. */
struct fg_redis_script {
	struct fg_str source;        /* Lua; borrowed */
	char sha1[FG_REDIS_SHA1_HEX]; /* lower case; no NUL behind */
};

void fg_redis_script_init(struct fg_redis_script *script, struct fg_str source);

/* ---- the client of a worker */

struct fg_redis_options {
	fg_usec deadline;        /* from the start of a query to its callback */
	fg_usec connect_timeout; /* name resolution, connect, TLS, AUTH and SELECT together */
	fg_usec hang_after;      /* replies are due and not a byte came for so long: the connection is replaced */
	unsigned breaker_failures; /* in a row, of a node: its breaker opens. A connection that fails opens it at once */
	fg_usec backoff_min, backoff_max; /* between probes: doubled each time; the wait is random between 0 and that */
	const char *client_name; /* CLIENT SETNAME; NULL: none. Borrowed */
	const char *ca_file, *cert_file, *key_file; /* TLS, chain and name verified; NULL: the system's, none, none. Borrowed */
};

#define FG_REDIS_OPTIONS_DEFAULT \
	((struct fg_redis_options){.deadline = 25 * FG_US_PER_MS, .connect_timeout = 500 * FG_US_PER_MS, \
	    .hang_after = 500 * FG_US_PER_MS, .breaker_failures = 5, .backoff_min = 50 * FG_US_PER_MS, \
	    .backoff_max = 2 * FG_US_PER_S, .client_name = "faregate"})

/*
 * Never NULL. Begins to connect in the loop's next turn; whether that works shows in the queries, the log (one line a
 * change of state) and the stats. Host names are resolved on a thread of their own, again for each connection; addresses
 * need none. Copies the spec and the options; loop and log outlive it.
 */
struct fg_redis *fg_redis_new(struct fg_loop *loop, const struct fg_redis_spec *spec, const struct fg_redis_options *options,
    const struct fg_log *log);
/* Closes at once. Callbacks of queries in flight do not run any more. Not inside a callback (asserted). */
void fg_redis_free(struct fg_redis *redis);

/* ---- queries */

enum fg_redis_type { FG_REDIS_NIL, FG_REDIS_INTEGER, FG_REDIS_STRING, FG_REDIS_STATUS, FG_REDIS_ERROR, FG_REDIS_ARRAY };

/* Valid during the callback alone. */
struct fg_redis_reply {
	enum fg_redis_type type;
	int64_t integer;    /* INTEGER */
	struct fg_str str;  /* STRING, STATUS, ERROR: any bytes, no NUL behind */
	const struct fg_redis_reply *items; /* ARRAY; an item may be of any type, ERROR too */
	size_t count;
};

/* reply: never NULL with FG_OK; else the error that Redis gave, or NULL. It may start and cancel queries. */
typedef void fg_redis_fn(void *arg, enum fg_err err, const struct fg_redis_reply *reply);
/* For what is sent and not waited for. */
void fg_redis_ignore(void *arg, enum fg_err err, const struct fg_redis_reply *reply);

/*
 * EVALSHA, then once EVAL where Redis does not know the script. Keys and arguments may hold any bytes and are copied; at
 * least one key, and in a Cluster all keys of one slot (one hash tag). Never NULL; the handle is valid until the callback
 * runs or it is cancelled.
 */
struct fg_redis_query *fg_redis_eval(struct fg_redis *redis, const struct fg_redis_script *script, const struct fg_str *keys,
    size_t key_count, const struct fg_str *args, size_t arg_count, fg_redis_fn *on_reply, void *arg);
/* Any other command that has one reply and leaves the connection as it was. key: chooses the node in a Cluster; empty: any. */
struct fg_redis_query *fg_redis_command(struct fg_redis *redis, struct fg_str key, const struct fg_str *argv, size_t argc,
    fg_redis_fn *on_reply, void *arg);
/* The callback does not run; a reply is dropped when it comes. What was sent stays sent. */
void fg_redis_cancel(struct fg_redis_query *query);

/*
 * In the callback of a query that is told STORE_TIMEOUT: Redis may carry it out all the same. on_late runs once its reply has
 * come, with what that is, or STORE_UNREACHABLE when the connection is lost first; fg_redis_cancel() prevents it. What on_late
 * starts is sent even while the breaker is open: Redis has just answered. False: it was not sent, nothing will come.
 */
bool fg_redis_await_late(struct fg_redis_query *query, fg_redis_fn *on_late, void *arg);

/* False: a query for this key (empty: any) would be told STORE_UNAVAILABLE, so that the caller can spare itself the wait. */
bool fg_redis_is_available(const struct fg_redis *redis, struct fg_str key);

/* 0..16383: CRC16 of the key, or of what stands in its first non-empty {} (Redis Cluster specification, "Hash tags"). */
unsigned fg_redis_slot(struct fg_str key);

/* ---- what happened */

#define FG_REDIS_FAILURE(err) ((unsigned)(err) - FG_ERR_STORE_UNREACHABLE) /* index of fg_redis_stats.failures */
enum { FG_REDIS_FAILURES = FG_ERR_STORE_ERROR - FG_ERR_STORE_UNREACHABLE + 1 };

/* Counted from fg_redis_new() on. queries = succeeded + failures + cancelled + in_flight. */
struct fg_redis_stats {
	uint64_t queries, succeeded, cancelled;
	uint64_t failures[FG_REDIS_FAILURES];
	uint64_t late_replies;   /* the deadline had passed, or the query was cancelled */
	uint64_t connects;       /* connections that became ready; all but the first of a node are reconnects */
	uint64_t connect_failures;
	uint64_t disconnects;    /* of ready connections, hung ones among them */
	uint64_t hangs;          /* connections replaced because nothing came for hang_after */
	uint64_t scripts_loaded; /* NOSCRIPT answered with EVAL */
	uint64_t redirects;      /* MOVED and ASK followed */
	uint64_t retries;        /* TRYAGAIN */
	uint64_t discoveries;    /* masters and slot maps learnt */
	uint64_t breaker_opened, probes;
	uint64_t round_trips;    /* replies within the deadline, with the sum of their times */
	fg_usec round_trip_sum;
	/* now */
	unsigned in_flight;      /* queries whose callback is due */
	unsigned nodes, nodes_ready;
	unsigned breakers_open;
	fg_usec open_since;      /* the earliest of them, on the loop's monotonic clock; 0: none */
};

void fg_redis_get_stats(const struct fg_redis *redis, struct fg_redis_stats *out);

/* "hiredis/0.14.1 (no TLS)"; for `faregate version`. */
const char *fg_redis_version(void);
bool fg_redis_has_tls(void);

#endif
