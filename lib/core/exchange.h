/*
 * An exchange: one request with its response, from the front (FastCGI, CGI) through the pipeline to a service and back.
 *
 *   front            engine (pipeline.c)            forward.c            client
 *   on_request  -->  canonical path, route,
 *                    filters' on_request      -->   call            -->  service
 *   on_body     -->  body buffer  <------- pulled by the call
 *   send_head   <--  filters' on_response     <--   status, headers
 *   send_body   <----------------------------  bytes, paused when the front is full
 *   end | abort <--  access log, counters
 *
 * The decision (fg_exchange_decide) is a function of the request, the configuration, the clock and the stores. The
 * worker, `faregate explain` and the tests run that same function.
 */
#ifndef FG_CORE_EXCHANGE_H
#define FG_CORE_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"
#include "client/client.h"
#include "http/headers.h"
#include "http/method.h"
#include "http/uri.h"
#include "loop/loop.h"
#include "router/router.h"
#include "service/service.h"

struct fg_access_log;
struct fg_config;
struct fg_exchange;
struct fg_filter;
struct fg_hedge;
struct fg_identity;
struct fg_log;
struct fg_mirror;
struct fg_mirror_call;
struct fg_pool_memory;
struct fg_redis;
struct fg_retry;
struct fg_route;
struct fg_service;
struct fg_service_state;
struct fg_stats;
struct fg_target;
struct fg_targets;

/* ---- what all exchanges of a worker share */

struct fg_gateway {
	const struct fg_config *config;         /* borrowed */
	struct fg_loop *loop;                   /* borrowed; NULL in `faregate explain` */
	struct fg_client *client;               /* borrowed; NULL in `faregate explain` */
	const struct fg_log *log;               /* borrowed */
	struct fg_access_log *access_log;       /* borrowed; NULL: none */
	struct fg_stats *stats;                 /* borrowed; NULL: nothing is counted */
	struct fg_targets *targets;             /* borrowed; NULL: nothing is shared */
	struct fg_redis *redis;                 /* owned; NULL: the store is memory */
	unsigned worker;                        /* slot in the statistics */
	struct fg_service_state *service_state; /* owned; one a service */
	struct fg_exchange *live;               /* list of all exchanges */
	unsigned live_count;
	struct fg_exchange *spare; /* owned; freed exchanges kept for the next ones */
	unsigned spare_count;
	uint64_t id_prefix, id_count; /* of request ids */
	void *filter_state[FG_MAX_FILTERS];     /* of each filter in this worker, in the order of fg_filter_types */
	struct fg_mirror_call *mirrors;         /* owned: copies in flight */
	unsigned mirror_count;
	bool draining;
};

void fg_gateway_init(struct fg_gateway *gw, const struct fg_config *config, struct fg_loop *loop,
    struct fg_client *client, const struct fg_log *log);
/*
 * Once the fields above are set, before the first exchange: the filters make what they keep in this worker. memory is
 * NULL where there is no pool.
 */
void fg_gateway_start_filters(struct fg_gateway *gw, const struct fg_pool_memory *memory);
void fg_gateway_fini(struct fg_gateway *gw);
/* Ends every live exchange: a response not begun is answered with err, a begun one is broken off. */
void fg_gateway_end_all(struct fg_gateway *gw, enum fg_err err);

/* ---- the front's side */

/*
 * A front never calls the exchange from inside one of these: what it notices there (a broken connection) it reports
 * from a task of its own.
 */
struct fg_front_ops {
	/* Once, before any send_body. Headers are final; the front adds its own framing alone. */
	void (*send_head)(void *front, int status, const struct fg_headers *headers);
	/* GO: all of it was taken. PAUSE: none was; fg_exchange_on_writable() follows once there is room. */
	enum fg_flow (*send_body)(void *front, struct fg_str chunk);
	/* Takes head and body back, as if nothing had been sent; false when some of it may have left already. NULL: never. */
	bool (*recall)(void *front);
	/* The response is complete. The front forgets the exchange, which is freed at the end of the turn. */
	void (*end)(void *front);
	/* It cannot be completed: make the client see that what it got is broken off (or, before the head, got nothing). */
	void (*abort)(void *front);
	/* There is room in the body buffer again. */
	void (*want_body)(void *front);
};

/* One parameter of the CGI family (RFC 3875): "REQUEST_URI", "HTTP_ACCEPT". */
struct fg_param {
	struct fg_str name, value;
};

/*
 * A new exchange; the parameters are borrowed until front->end or abort is called. The engine begins at
 * fg_exchange_start(). Duplicated names are found here and refused at the start.
 */
struct fg_exchange *fg_exchange_new(struct fg_gateway *gw, const struct fg_front_ops *ops, void *front,
    const struct fg_param *params, size_t param_count);
/* A request that the front refuses before it has parameters; err is what start will answer. */
struct fg_exchange *fg_exchange_new_refused(struct fg_gateway *gw, const struct fg_front_ops *ops, void *front,
    enum fg_err err);
void fg_exchange_start(struct fg_exchange *x);

/* How many bytes of body the exchange takes now; 0: stop reading until want_body. Discards count as room. */
size_t fg_exchange_body_room(const struct fg_exchange *x);
/* chunk.len <= room. last: the body has ended (chunk may be empty). */
void fg_exchange_on_body(struct fg_exchange *x, struct fg_str chunk, bool last);
void fg_exchange_on_writable(struct fg_exchange *x);
/* The client (or the web server for it) is gone: nothing is sent any more; the exchange is freed. */
void fg_exchange_on_client_gone(struct fg_exchange *x);
/*
 * To be asked before that. True: the exchange goes on alone, for what a filter keeps of its end; the front takes what it is
 * given, forgets it, and is told `end` or `abort`. False: it is to be ended.
 */
bool fg_exchange_goes_on_alone(struct fg_exchange *x);

/* ---- the exchange itself */

struct fg_request {
	struct fg_str method;
	enum fg_method method_id;
	struct fg_uri uri, merged_uri;
	struct fg_str scheme;    /* "http" or "https": as the client spoke, by a trusted proxy's word where there is one */
	struct fg_str authority; /* Host as the client wrote it */
	struct fg_str host;      /* lower case, no port */
	unsigned port;           /* of the authority; 0: none written */
	struct fg_str protocol;  /* "HTTP/1.1" */
	struct fg_headers headers;
	struct fg_ip peer_ip, client_ip;        /* who is connected; who is asking (trusted proxies looked through) */
	struct fg_str peer_text, client_text;
	bool peer_known;         /* peer_ip is an address */
	bool peer_trusted;       /* the peer is one of trusted-proxies */
	int64_t content_length;  /* -1: not said */
	bool has_body;           /* by Content-Length or Transfer-Encoding */
	struct fg_str id;        /* X-Request-Id */
	struct fg_str traceparent; /* sent on */
	struct fg_str trace_id;  /* 32 hex digits of it */
};

struct fg_response {
	int status; /* 0: not decided */
	struct fg_headers headers;
	int64_t content_length;  /* -1: unknown */
};

/* The request on its way to one target. */
struct fg_try {
	struct fg_exchange *x;
	const struct fg_target *target;     /* NULL: not yet */
	struct fg_call *call;               /* NULL: none running */
	struct fg_response *resp;           /* what has come of its answer's head */
	bool is_in_flight, is_judged;       /* it counts as such; its target was told what became of it */
	struct fg_permit permit;            /* of its breakers */
	fg_usec sent_at, connected, first_byte; /* monotonic; 0: did not happen */
	int connect_error;                  /* why there was no connection, an errno; 0: there was, or it is not known */
};

/* Where the exchange goes once every filter has agreed. */
enum fg_terminal {
	FG_TERMINAL_NONE, FG_TERMINAL_FORWARD, FG_TERMINAL_RESPOND, FG_TERMINAL_ANSWERED, FG_TERMINAL_REFUSED,
};

/* One thing decided, for `faregate explain`. */
struct fg_decision_trace {
	void (*step)(void *arg, const char *who, const char *outcome, struct fg_str detail);
	const struct fg_route_trace *route; /* NULL: not asked for */
	void *arg;
};

/* What a step of the exchange waits for: names the deadline, and who is at fault when it passes. */
enum fg_place { FG_PLACE_NONE, FG_PLACE_WAITED_FOR, FG_PLACE_HELD };

enum fg_wait {
	FG_WAIT_NONE,
	FG_WAIT_PLACE,         /* a place at the service: overloaded */
	FG_WAIT_NAME,          /* the addresses of its target: service_name_unresolved; the resolver has the deadline */
	FG_WAIT_CLIENT_BODY,   /* the client's next bytes of body: request_timeout */
	FG_WAIT_SERVICE_READS, /* the service's taking the body: service_idle_timeout */
	FG_WAIT_RESPONSE,      /* the response's head: service_timeout */
	FG_WAIT_SERVICE_BODY,  /* the next bytes of the response: service_idle_timeout */
	FG_WAIT_CLIENT_READS,  /* the client's taking the response: client_gone */
};

enum fg_exchange_state {
	FG_X_NEW, FG_X_DECIDING, FG_X_SUSPENDED, FG_X_FORWARDING, FG_X_RESPONDING, FG_X_DONE,
};

struct fg_await;

struct fg_exchange {
	uint32_t magic;
	enum fg_exchange_state state;
	struct fg_gateway *gw; /* borrowed */
	struct fg_exchange *prev, *next; /* gw->live */
	const struct fg_front_ops *front_ops;
	void *front; /* borrowed; NULL once ended, aborted or gone */
	struct fg_arena arena;
	const struct fg_decision_trace *trace; /* borrowed; NULL in a worker */

	const struct fg_param *params; /* of the CGI family; borrowed while there is a front; headers are in req */
	size_t param_count;
	struct fg_request req;
	struct fg_response resp;
	enum fg_err early_err; /* found before the engine ran; FG_OK: none */
	bool body_unknown;     /* neither length nor coding was said: the first read of the body tells */

	/* decided */
	struct fg_route_hit hit;
	const struct fg_route *route;     /* NULL: none */
	const struct fg_service *service; /* NULL: not forwarded */
	enum fg_terminal terminal;
	const struct fg_identity *identity; /* who is calling; NULL: anonymous */
	struct fg_str forward_target;     /* request target the service gets */
	int64_t retry_after;              /* seconds, for an answer of 503; below 1: 1 */
	enum fg_err reason;               /* of the answer: FG_OK when the service gave it */
	size_t filter_at;                 /* next filter of the request side */
	void **filter_ctx;                /* one a filter of the route; NULL where on_request did not run */

	/* its place at the service (admission.h) */
	enum fg_place place;
	struct fg_exchange *queue_prev, *queue_next; /* while it is waited for */
	fg_usec queued, waited;           /* monotonic: since when; for how long in all */

	/* tries */
	unsigned tries;                   /* so far */
	struct fg_try first_try;          /* and those after a failure, one at a time */
	struct fg_try *lead;              /* never NULL: the one that is answered with; of two that run, the older */
	struct fg_retry *retry;           /* NULL: the service has none */
	struct fg_hedge *hedge;           /* the second that may run beside it; NULL: none will */
	struct fg_mirror *mirror;         /* a copy whose body is not complete yet; NULL: none */

	/* waiting */
	const char *waiting_on;           /* constant: "service orders", "redis"; NULL: nothing */
	struct fg_await *await;           /* what it is suspended in; NULL: nothing */
	struct fg_timer deadline;         /* the nearest of the following; lazily moved */
	fg_usec total_deadline;           /* monotonic; 0: none */
	enum fg_wait wait;                /* which of the step's deadlines runs */
	fg_usec active;                   /* monotonic: when the last byte moved */

	/* bodies */
	struct fg_buf body;               /* request body not yet taken by the service */
	bool body_last;                   /* the front has given all of it */
	bool body_discard;                /* nobody wants the rest */
	bool send_paused, receive_paused; /* the call waits for us */
	bool head_sent;                   /* to the client */
	struct fg_str own_body;           /* of an answer made here; sent from own_sent on */
	struct fg_buf own_buf;            /* holds own_body when it is too large for the arena */
	size_t own_sent;
	int64_t received, sent;           /* body bytes from, to the client */

	/* whole messages (gather.c) */
	struct fg_await *body_await;      /* while the request's body is waited for; NULL: it is not */
	int64_t body_most, gather_most;   /* of the request's body, of the answer's */
	bool gathers;                     /* the service's answer is to be */
	bool is_gathering, is_gathered;   /* own_buf gets its body; own_body is all of it */
	bool is_filtered;                 /* the response side of the filters has run on it, and it is not sent yet */
	bool is_held;                     /* for a filter: nothing of it goes out */
	bool client_left;                 /* and the exchange goes on alone */
	bool was_sent;                    /* something of the request may have reached the service */
	bool has_idempotency_key;         /* one that a filter has looked at, in whichever header */

	/* times: monotonic; 0: did not happen */
	fg_usec started, decided, called, ended;
	fg_usec wall; /* at the start */
	struct fg_task resume_task, free_task;
	char first[]; /* of the arena: most exchanges need no more */
};

/*
 * Canonical path, route, filters of the request side. Sets route, service, terminal, forward_target, or answers.
 * Runs inside fg_exchange_start(); `faregate explain` and tests call it on an exchange that has no front's loop.
 */
void fg_exchange_decide(struct fg_exchange *x);

/*
 * What `faregate explain` and tests begin with: an exchange without a front, freed with fg_exchange_free(). It is decided
 * and goes no further. With a loop in gw, filters may wait: then the caller turns it while x->state is FG_X_SUSPENDED.
 */
struct fg_exchange *fg_exchange_new_offline(struct fg_gateway *gw, const struct fg_param *params, size_t param_count,
    const struct fg_decision_trace *trace);
void fg_exchange_free(struct fg_exchange *x);
/*
 * x was decided and is to be forwarded: which target would get it, and why not the others, by what the pool of `targets` and
 * `stats` knows (both of a reader); refuses x where none would. Traces. config: that of x's gateway.
 */
void fg_exchange_explain_pick(struct fg_exchange *x, struct fg_config *config, struct fg_targets *targets,
    const struct fg_stats *stats);

/* ---- for filters and terminals (core/filter.h says when) */

/* What the web server itself says, not the client: "SSL_CLIENT_VERIFY". While filters decide; empty: nothing. */
struct fg_str fg_request_param(const struct fg_exchange *x, struct fg_str name);

/* Answers with a problem+json of that reason; more headers may be added to x->resp.headers before. */
void fg_exchange_refuse(struct fg_exchange *x, enum fg_err reason);
/* Answers with a body of our own (copied unless it lies in the arena or the configuration: borrowed then). */
void fg_exchange_answer(struct fg_exchange *x, enum fg_err reason, int status, struct fg_str content_type,
    struct fg_str body);

/* "first" or "second": whose answer was taken; "none"; NULL when there was no second try beside the first. */
const char *fg_hedge_outcome(const struct fg_exchange *x);

/* Says a step of the decision to `faregate explain`; costs nothing in a worker. detail is a printf format. */
void fg_exchange_trace(struct fg_exchange *x, const char *who, const char *outcome, const char *fmt, ...)
    FG_PRINTF(4, 5);

#endif
