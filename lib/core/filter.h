/*
 * The filter API: one policy on a route is one const object in one file. The engine (core/pipeline.c) calls:
 *
 *   callback      when                                                  what it may do, and return
 *   ------------  ----------------------------------------------------  ------------------------------------------
 *   on_request    in the order of stages, after routing, before          read and change x->req.headers and
 *                 anything was sent to a service                         x->req.uri.query; FG_CONTINUE,
 *                                                                        `return fg_respond(…)`, `return fg_await(…)`
 *   on_response   in reverse order, when the final status and headers    read and change x->resp.status, x->resp.headers
 *                 are known, before they are sent; also for answers
 *                 of the gateway itself made by a later filter; anew for
 *                 another answer, when none of the first has left yet
 *   on_done       once on every path, iff on_request ran                 release what ctx holds (the arena frees itself)
 *
 * Configuration (conf) is immutable and shared: one policy, or with takes_several a struct fg_policies. ctx is this
 * filter's own memory in this exchange, zeroed. What a filter remembers between exchanges is its state in this worker
 * (fg_filter_state) and memory that all workers of the pool share. A filter never blocks and never calls another filter.
 */
#ifndef FG_CORE_FILTER_H
#define FG_CORE_FILTER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/keys.h"
#include "http/method.h"

struct fg_config;
struct fg_exchange;
struct fg_gateway;
struct fg_shared_kind;
struct fg_var;

/* What the configuration of every policy begins with; the core fills it in. */
struct fg_policy {
	struct fg_str name; /* as defined at the top, or where it stands: "routes.orders.limits[1]", which is no name */
	unsigned index;     /* among all policies of its filter, in place or not (fg_config_policies) */
};

/* Several policies of one filter, in the order of the file. */
struct fg_policies {
	const void *const *v;
	size_t count;
};

/* What a route has of a filter, for check_route. */
struct fg_route_policy {
	const void *conf;  /* NULL: none */
	bool is_given;     /* by the route or by `defaults`; `none` counts */
	bool is_defined;   /* policies of this filter stand at the top of the file */
	bool is_forwarded; /* to a service */
	fg_method_set methods; /* that the route takes; 0: any */
	bool is_authenticated; /* there is a policy on it that finds out who is calling */
};

enum fg_next {
	FG_CONTINUE, /* the next filter */
	FG_SUSPEND,  /* made only by fg_await(): the continuation decides */
	FG_RESPOND,  /* made only by fg_respond(): stop here, run the response side */
};

/* The order in which filters run; within a stage, the order of filter_list.h. */
enum fg_stage {
	FG_STAGE_OBSERVE, FG_STAGE_AUTHENTICATE, FG_STAGE_AUTHORISE, FG_STAGE_LIMIT, FG_STAGE_CACHE, FG_STAGE_TRANSFORM,
};

struct fg_filter_type {
	const char *name; /* = file, key of the route, log component, metric label, page */
	enum fg_stage stage;
	bool takes_several;             /* policies on one route */
	size_t conf_size, ctx_size;     /* conf_size: of a policy; ctx_size 0: ctx is not NULL but holds nothing */
	const struct fg_conf_key *keys; /* of a policy */
	const char *variant_key;        /* or, instead of keys, one table for each value of this key (conf/keys.h) */
	const struct fg_conf_variant *variants;
	fg_conf_parse_fn *check;        /* of a policy, at its end; NULL: nothing */
	/* Of each route, also one that has no such policy; NULL: nothing. */
	void (*check_route)(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_route_policy *use);
	const char *help;               /* one line, for the reference */
	/* Calls fn for each request variable that conf uses, so that a path:NAME which the route's path does not have is
	   an error when the configuration is read. NULL: it uses none. */
	void (*each_var)(const void *conf, void (*fn)(void *arg, const struct fg_var *var), void *arg);
	/*
	 * Calls fn for each request header by which a policy tells the service who is calling. On every route the client's
	 * own are removed before any filter runs, in all spellings. conf is one policy. NULL: none.
	 */
	void (*each_identity_header)(const void *policy, void (*fn)(void *arg, struct fg_str name), void *arg);
	/* Calls fn for each parameter of a query that holds a credential: its value is never logged. NULL: none. */
	void (*each_credential_param)(const void *policy, void (*fn)(void *arg, struct fg_str name), void *arg);
	/* Memory that the workers of a pool share: of what kind, and how much when a pool starts (reloads keep it, so with
	   room). NULL: none. */
	const struct fg_shared_kind *shared;
	size_t (*shared_size)(const struct fg_config *config);
	/* State in one worker, made before its first exchange and freed after the last; NULL: none. shared is NULL where
	   there is no pool (`faregate explain`); gw->client too, then. */
	void *(*worker_start)(struct fg_gateway *gw, void *shared);
	void (*worker_stop)(void *state);
	/*
	 * A CORS preflight, on the route that the request it announces would take: answers it (fg_exchange_answer), before
	 * anything else of the route runs; no other callback is called. NULL: it has nothing to say to it.
	 */
	void (*on_preflight)(const void *conf, struct fg_exchange *x);
	enum fg_next (*on_request)(const void *conf, void *ctx, struct fg_exchange *x);
	void (*on_response)(const void *conf, void *ctx, struct fg_exchange *x);
	void (*on_done)(const void *conf, void *ctx, struct fg_exchange *x);
};

/* One policy of one route. */
struct fg_filter {
	const struct fg_filter_type *type;
	const void *conf;
};

/* All filter types, in the order of stages; ends with NULL. Defined by filter/filter_list.c: all that this folder knows of filters. */
extern const struct fg_filter_type *const fg_filter_types[];
/* The place of a type in that list. */
size_t fg_filter_number(const struct fg_filter_type *type);
/* What worker_start of that type gave in this worker. */
void *fg_filter_state(const struct fg_gateway *gw, const struct fg_filter_type *type);

/* Answers with the problem of that reason (headers may have been added to x->resp.headers). */
enum fg_next fg_respond(struct fg_exchange *x, enum fg_err reason);

/*
 * Suspends x. What the filter started (a query to a store, a call) keeps `await` and, when it has its result, calls
 * fg_await_done() once, from the loop: the continuation then runs, at the end of the turn, exactly once. If the client
 * leaves or a deadline passes first, the continuation never runs; on_cancel is called instead, once, to take back what
 * was started. waiting_on names it in the log.
 */
struct fg_await;
typedef enum fg_next fg_continue_fn(struct fg_exchange *x, void *arg);
enum fg_next fg_await(struct fg_exchange *x, const char *waiting_on, fg_continue_fn *then, void (*on_cancel)(void *arg),
    void *arg, struct fg_await **await);
void fg_await_done(struct fg_exchange *x, struct fg_await *await);

/*
 * Whole messages (core/gather.c). A filter that needs them costs memory and streaming, so it says how much.
 *
 * The continuation runs once the request's body lies whole in x->body, or is longer than most bytes: fg_body_is_whole()
 * tells. At once where that is so already. In on_request; as fg_await() otherwise.
 */
enum fg_next fg_await_body(struct fg_exchange *x, int64_t most, fg_continue_fn *then, void *arg);
bool fg_body_is_whole(const struct fg_exchange *x);
/*
 * In on_request: what the service answers is gathered before on_response is called and anything of it is sent, unless its
 * body is longer than most (at most FG_MAX_OWN_BODY_BYTES). From the service's being asked on, the exchange outlives its
 * client, until on_response.
 */
void fg_gather(struct fg_exchange *x, int64_t most);
/* In on_response: true with the whole body, where that was gathered. It lives until on_done. */
bool fg_gathered(const struct fg_exchange *x, struct fg_str *body);
/*
 * In on_response, where fg_may_hold(): nothing of the answer goes out before fg_hold_done(), which may be called from the
 * loop until on_done, and does nothing when the answer was given up meanwhile. A deadline that passes lets it go.
 */
bool fg_may_hold(const struct fg_exchange *x);
void fg_hold(struct fg_exchange *x, const char *waiting_on);
void fg_hold_done(struct fg_exchange *x);

#endif
