/*
 * What the files of lib/redis share. redisContext is an incomplete type here, so this header needs no hiredis.h.
 *
 * spec.c       the URL; address.c where a server is
 * script.c     SHA-1 of a script; slot.c the hash slot of a key
 * reply.c      hiredis's parser builds our replies in a connection's arena
 * lookup.c     names resolved on a thread
 * conn.c       one connection: opening, greeting, pipelining, hanging
 * breaker.c    whether a node is tried
 * node.c       a server: its connection, its breaker, the queries that wait for it
 * discovery.c  asks sentinels or nodes in turn; cluster.c takes the map of slots
 * query.c      a query from its start to its callback; answer.c what a reply means for it
 * redis.c      the client as a whole, stats
 *
 * Who calls whom: query -> node -> conn; conn tells its owner (node or discovery) through fg_redis_conn_ops, and gives
 * replies to query.c. Callbacks of users run from query.c alone.
 */
#ifndef FG_REDIS_INTERNAL_H
#define FG_REDIS_INTERNAL_H

#include <stdalign.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop.h"
#include "redis/redis.h"

struct redisContext;
struct redisReader;
struct sockaddr;
struct sockaddr_storage;

enum {
	FG_REDIS_SLOTS = 16384,
	FG_REDIS_NO_SLOT = FG_REDIS_SLOTS,
	FG_REDIS_NO_NODE = 0xff,
	FG_REDIS_HOST_BYTES = 256,
	FG_REDIS_QUERY_MAGIC = 0x72717279,
};
_Static_assert(FG_MAX_REDIS_NODES < FG_REDIS_NO_NODE, "a node's number is one byte in the map of slots");

/* ---- address.c */

struct fg_redis_where {
	char host[FG_REDIS_HOST_BYTES]; /* name or address; the path of a unix socket when port is 0 */
	unsigned port;
};

/* False when it does not fit. */
bool fg_redis_where_set(struct fg_redis_where *where, struct fg_str host, unsigned port);
bool fg_redis_where_eq(const struct fg_redis_where *where, struct fg_str host, unsigned port);
/* "127.0.0.1:6379", "[::1]:6379", "/run/redis.sock"; buf takes FG_REDIS_HOST_BYTES + 16. */
struct fg_str fg_redis_where_format(const struct fg_redis_where *where, char *buf);

/* False when the host is a name, which has to be looked up. */
bool fg_redis_where_sockaddr(const struct fg_redis_where *where, struct sockaddr_storage *out, unsigned *len);

/* ---- lookup.c */

struct fg_redis_lookup;
/* addr NULL: the name is not known. */
typedef void fg_redis_lookup_fn(void *arg, const struct sockaddr *addr, unsigned len);

/* NULL when no thread can be made. The callback runs once, from the loop, unless cancelled. */
struct fg_redis_lookup *fg_redis_lookup_start(struct fg_loop *loop, const struct fg_redis_where *where, fg_redis_lookup_fn *fn,
    void *arg);
void fg_redis_lookup_cancel(struct fg_redis_lookup *lookup);

/* ---- reply.c */

/* Where a reply is built. */
struct fg_redis_pot {
	struct fg_arena arena;
	size_t used; /* of FG_MAX_REDIS_REPLY_BYTES, by the reply being built */
};

/* Makes a reader build fg_redis_reply in the pot, which outlives it. */
void fg_redis_reply_attach(struct redisReader *reader, struct fg_redis_pot *pot);
void fg_redis_pot_reset(struct fg_redis_pot *pot);

/* ---- conn.c */

enum fg_redis_conn_state {
	FG_REDIS_DOWN,
	FG_REDIS_CONNECTING, /* looking up, or waiting for TCP */
	FG_REDIS_GREETING,   /* AUTH, SELECT and the like are sent */
	FG_REDIS_READY,
};

struct fg_redis_conn_ops {
	void (*on_ready)(void *arg);
	/*
	 * It could not be opened, or it broke: the conn is down already, and may be opened again here. The queries it had
	 * have been told.
	 */
	void (*on_down)(void *arg, enum fg_err err, struct fg_str detail);
};

/* What is said first on a new connection. Strings are borrowed. */
struct fg_redis_greeting {
	struct fg_str user, password;
	unsigned db;
	bool must_be_master;
};

struct fg_redis_conn {
	struct fg_redis *redis; /* borrowed */
	const struct fg_redis_conn_ops *ops;
	void *arg;
	const struct fg_redis_greeting *greeting; /* borrowed */
	struct fg_redis_where where;
	enum fg_redis_conn_state state;
	struct redisContext *ctx; /* owned; NULL until TCP is connected */
	int fd;                   /* owned; -1: none */
	struct fg_io io;
	struct fg_timer timer;   /* connect-timeout; then, once a query's deadline has passed, whether it hangs */
	struct fg_task flush;    /* at the end of the turn: writes what it made, or begins to connect */
	struct fg_task retire;   /* closes a connection that leads to the wrong server */
	struct fg_redis_lookup *lookup; /* owned */
	struct fg_link sent; /* queries whose reply is due, in order */
	struct fg_redis_pot pot;
	unsigned greetings_due;
	bool wants_write;
	size_t unsent; /* bytes since all was last written */
	bool was_ready, had_queries; /* for on_down: when it broke */
	fg_usec quiet_since; /* when the last byte came, or the first reply became due */
	fg_usec ready_since;
	fg_usec drained_at;  /* the turn in which it was last read */
	alignas(max_align_t) char pot_memory[1024];
};

void fg_redis_conn_init(struct fg_redis_conn *conn, struct fg_redis *redis, const struct fg_redis_greeting *greeting,
    const struct fg_redis_conn_ops *ops, void *arg);
void fg_redis_conn_fini(struct fg_redis_conn *conn);
/* Down before. Neither callback runs inside. */
void fg_redis_conn_open(struct fg_redis_conn *conn, const struct fg_redis_where *where);
/* Queries in it are told UNREACHABLE; on_down does not run. */
void fg_redis_conn_close(struct fg_redis_conn *conn);
/* Ready before. False when too much is waiting to be written; nothing was done then. */
bool fg_redis_conn_send(struct fg_redis_conn *conn, struct fg_redis_query *query);
/* Reads what has arrived, once a turn. */
void fg_redis_conn_drain(struct fg_redis_conn *conn);
/* A query in it has passed its deadline: from now on look whether anything comes. */
void fg_redis_conn_suspect(struct fg_redis_conn *conn);
/* Closes at the end of the turn and tells on_down. */
void fg_redis_conn_retire(struct fg_redis_conn *conn);

/* ---- breaker.c */

enum fg_redis_breaker_state { FG_REDIS_CLOSED, FG_REDIS_OPEN, FG_REDIS_PROBING };

struct fg_redis_breaker {
	struct fg_redis *redis; /* borrowed */
	const struct fg_redis_where *where; /* borrowed; for the log; NULL: the Cluster as a whole */
	enum fg_redis_breaker_state state;
	unsigned failures; /* in a row */
	unsigned rounds;   /* opened in a row, with no query answered between */
	fg_usec open_since; /* kept until a query is answered */
	bool told;          /* the log says that it fails */
	struct fg_timer timer;
	void (*probe)(void *arg);
	void *arg;
};

/* probe is called, from the loop, when the time for it has come: state PROBING. passed or trip has to follow. */
void fg_redis_breaker_init(struct fg_redis_breaker *breaker, struct fg_redis *redis, const struct fg_redis_where *where,
    void (*probe)(void *arg), void *arg);
void fg_redis_breaker_fini(struct fg_redis_breaker *breaker);
/* One failure; true when it opened the breaker. Nothing unless it is closed. */
bool fg_redis_breaker_fail(struct fg_redis_breaker *breaker, enum fg_err err, struct fg_str detail);
/* Opens it, whatever it was, and waits for the next probe. */
void fg_redis_breaker_trip(struct fg_redis_breaker *breaker, enum fg_err err, struct fg_str detail);
/* The probe passed: closed, but the next failure opens it again, with the longer wait, unless a query succeeds first. */
void fg_redis_breaker_pass(struct fg_redis_breaker *breaker);
/* A query was answered. */
void fg_redis_breaker_succeed(struct fg_redis_breaker *breaker);
/* Closed and forgotten: the node is no longer needed. */
void fg_redis_breaker_reset(struct fg_redis_breaker *breaker);

/* ---- node.c */

struct fg_redis_node {
	struct fg_redis *redis; /* borrowed */
	struct fg_redis_where where;
	struct fg_redis_conn conn;
	struct fg_redis_breaker breaker;
	struct fg_link waiting; /* queries to be sent once the connection is ready */
	bool is_wanted;  /* it serves something: kept connected, probed, and shown in the stats */
	bool is_finding; /* discovery looks for its address */
};

struct fg_redis_node *fg_redis_node_new(struct fg_redis *redis, struct fg_str host, unsigned port);
void fg_redis_node_free(struct fg_redis_node *node);
/* Sends it, lets it wait for the connection, or fails it (later, from the loop). */
void fg_redis_node_submit(struct fg_redis_node *node, struct fg_redis_query *query);
/* Opens the connection unless that is on its way. */
void fg_redis_node_connect(struct fg_redis_node *node);
/* Discovery's answer to a node whose address was looked for: where it is, or why that is not known. */
void fg_redis_node_found(struct fg_redis_node *node, struct fg_str host, unsigned port);
void fg_redis_node_not_found(struct fg_redis_node *node, enum fg_err err, struct fg_str detail);
/* A query at this node failed in a way that speaks against the node. */
void fg_redis_node_fail(struct fg_redis_node *node, enum fg_err err, struct fg_str detail);
/* Nobody needs it now: it can be freed. */
bool fg_redis_node_is_idle(const struct fg_redis_node *node);

/* ---- discovery.c */

struct fg_redis_discovery {
	struct fg_redis *redis; /* borrowed */
	struct fg_redis_greeting greeting;
	struct fg_redis_conn conn;
	struct fg_timer timer;  /* connect-timeout for each that is asked */
	bool is_running;
	fg_usec ended_at;
	unsigned at;    /* who is asked; the last that knew, to begin with */
	unsigned tried; /* of this round */
};

void fg_redis_discovery_init(struct fg_redis_discovery *discovery, struct fg_redis *redis);
void fg_redis_discovery_fini(struct fg_redis_discovery *discovery);
/* Asks one after the other until one knows. Nothing when that is going on. */
void fg_redis_discovery_start(struct fg_redis_discovery *discovery);

/* cluster.c */
bool fg_redis_cluster_take(struct fg_redis *redis, const struct fg_redis_where *from, const struct fg_redis_reply *reply);
/* The node that has the slot; any for NO_SLOT; NULL when no map is known, or nobody has it. */
struct fg_redis_node *fg_redis_cluster_node(const struct fg_redis *redis, unsigned slot);
/* The node at that address, made when there is none; NULL when there are too many. */
struct fg_redis_node *fg_redis_cluster_find(struct fg_redis *redis, struct fg_str host, unsigned port);
/* "MOVED 3999 127.0.0.1:6381": the slot now belongs there. NULL when it makes no sense. */
struct fg_redis_node *fg_redis_cluster_redirect(struct fg_redis *redis, const struct fg_redis_node *from, struct fg_str text,
    bool moved);
/* Something has changed: ask for the map again, unless that was just done. */
void fg_redis_cluster_refresh(struct fg_redis *redis);
/* Of the breaker that stands for the map while none is known. */
void fg_redis_cluster_probe(void *arg);
void fg_redis_cluster_failed(struct fg_redis *redis, enum fg_err err, struct fg_str detail);

/* ---- query.c */

enum fg_redis_query_state {
	FG_REDIS_Q_IDLE,
	FG_REDIS_Q_WAITING, /* for a node's connection, or for the map of slots */
	FG_REDIS_Q_SENT,
	FG_REDIS_Q_RETRYING, /* TRYAGAIN */
	FG_REDIS_Q_FAILING,  /* its callback runs at the end of the turn */
};

struct fg_redis_query {
	unsigned magic;
	enum fg_redis_query_state state;
	struct fg_redis *redis;       /* borrowed */
	struct fg_redis_node *node;   /* borrowed; where it was last sent, NULL for what is not a user's query */
	struct fg_link place;   /* in the list of its state */
	struct fg_link due;     /* in redis->due */
	fg_redis_fn *fn;              /* NULL: nobody waits for it any more */
	void *arg;
	const struct fg_redis_script *script; /* NULL: a plain command */
	fg_usec started;
	enum fg_err err;  /* while FAILING */
	unsigned slot;
	unsigned hops;    /* redirects followed */
	bool is_own;      /* asked by this library: not counted */
	bool sends_source; /* EVAL instead of EVALSHA */
	bool asking;
	bool was_put_off; /* by TRYAGAIN */
	bool is_late;     /* was told so; fn waits for the reply all the same */
	unsigned argc;
	size_t tail_at;    /* of a script's bytes: where what EVAL and EVALSHA have in common begins */
	struct fg_buf bytes; /* the command as it is sent; EVALSHA for a script */
};

/*
 * A command of this library's own, in FIFO order with all others; fn gets any reply, errors too, with FG_OK or the error
 * that stands for it. Not counted and with no deadline.
 */
struct fg_redis_query *fg_redis_query_own(struct fg_redis *redis, const struct fg_str *argv, size_t argc, fg_redis_fn *fn,
    void *arg);
/* Gives it the deadline of a user's query. */
void fg_redis_query_set_deadline(struct fg_redis_query *query);
/* The query has a node now, or waits for the map. */
void fg_redis_query_dispatch(struct fg_redis_query *query);
/* Its callback runs now. The query is gone afterwards. */
void fg_redis_query_end(struct fg_redis_query *query, enum fg_err err, const struct fg_redis_reply *reply);
/* Its callback runs at the end of the turn. */
void fg_redis_query_fail_later(struct fg_redis_query *query, enum fg_err err);
/* All of a list. */
void fg_redis_query_end_all(struct fg_link *list, enum fg_err err);
void fg_redis_query_dispatch_all(struct fg_link *list);
/* It is over, or nobody waits for it: kept for the next, or freed. */
void fg_redis_query_recycle(struct fg_redis_query *query);
void fg_redis_query_forget(struct fg_redis_query *query);
void fg_redis_query_on_deadline(struct fg_timer *timer, void *arg);
void fg_redis_query_on_retry(struct fg_timer *timer, void *arg);
void fg_redis_query_run_failed(void *arg);

/* ---- answer.c */

/* The reply to the first of a connection's queries, which is in no list now. */
void fg_redis_query_on_reply(struct fg_redis_query *query, const struct fg_redis_reply *reply);
/* What an error reply means. */
enum fg_err fg_redis_query_classify(struct fg_str text);

static inline struct fg_redis_query *
fg_redis_query_at(struct fg_link *place)
{
	return FG_CONTAINER_OF(place, struct fg_redis_query, place);
}

/* ---- redis.c */

struct fg_redis {
	struct fg_loop *loop;     /* borrowed */
	const struct fg_log *log; /* borrowed */
	struct fg_arena arena;    /* of the spec's copy */
	struct fg_redis_spec spec;
	struct fg_redis_options options;
	struct fg_redis_greeting greeting; /* of the servers that queries go to */
	void *tls;                         /* owned SSL_CTX; NULL: without TLS */

	struct fg_redis_node *nodes[FG_MAX_REDIS_NODES]; /* owned */
	unsigned node_count;
	struct fg_redis_discovery discovery; /* not of FG_REDIS_SINGLE */

	/* FG_REDIS_CLUSTER */
	uint8_t slots[FG_REDIS_SLOTS]; /* number of the node, or FG_REDIS_NO_NODE */
	bool has_map;
	unsigned any;                  /* where the next query without a key goes */
	struct fg_redis_breaker map_breaker;
	struct fg_link homeless; /* queries that wait for the map */

	struct fg_link due;      /* all with a deadline, the earliest first */
	struct fg_timer deadline;
	struct fg_link retrying;
	struct fg_timer retry;
	struct fg_link failing;
	struct fg_task run_failed;
	struct fg_link idle;     /* owned queries kept for use again */
	unsigned idle_count;
	unsigned open_count;           /* queries that are not idle */
	int depth;                     /* > 0: inside a callback */
	bool is_closing;               /* no callback runs any more */
	bool hears_late;               /* inside the callback of a late reply */
	uint64_t draws;                /* random numbers drawn */
	fg_usec complained_at;         /* an error that Redis gave to a query was last logged */
	struct fg_redis_stats stats;
};

static inline fg_usec
fg_redis_now(const struct fg_redis *redis)
{
	return fg_loop_clock(redis->loop)->mono;
}

/* ---- tls.c */

/* NULL, and the log says why, when the files cannot be used: no connection is made then. */
void *fg_redis_tls_new(const struct fg_redis_options *options, const struct fg_log *log);
void fg_redis_tls_free(void *tls);
/* Chain and name are verified. False when it fails at once; later ends the connection. */
bool fg_redis_tls_start(void *tls, struct redisContext *ctx, const struct fg_redis_where *where);

#endif
