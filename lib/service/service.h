/*
 * A service: a name, the targets that run it, how to talk to them, and what is done when they fail. Which of them gets a
 * request is decided here, from what the pool knows of them.
 */
#ifndef FG_SERVICE_SERVICE_H
#define FG_SERVICE_SERVICE_H

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "service/breaker.h"
#include "service/health.h"

struct fg_admission;
struct fg_endpoint;
struct fg_respond;
struct fg_service;
struct fg_stats_series;
struct fg_target_state;
struct fg_var;

enum { FG_SERVICE_MOST_TARGETS = 256 };

struct fg_target {
	const struct fg_service *service;
	unsigned index;          /* within the service */
	struct fg_str url;       /* "http://127.0.0.1:4000", no path, no trailing slash; "unix:/run/app.sock" */
	uint64_t url_hash;       /* fg_service_hash_url(), for FG_BALANCE_HASH */
	struct fg_str authority; /* "127.0.0.1:4000": the Host for `host: target`; of a socket "localhost" */
	unsigned weight;         /* 1..1000 */
	unsigned max_connections; /* requests in flight of the whole pool; 0: any number */
	const struct fg_endpoint *endpoint;
	struct fg_target_state *state; /* shared by the pool (fg_targets_attach()); this process's own before. Never NULL */
	int32_t number;          /* of that record; -1: it is this process's own */
};

enum fg_host_mode { FG_HOST_PRESERVE, FG_HOST_TARGET, FG_HOST_NAME };

enum fg_balance { FG_BALANCE_ROUND_ROBIN, FG_BALANCE_LEAST_REQUESTS, FG_BALANCE_HASH };

/* How a try can fail. */
enum fg_failure {
	FG_FAILURE_NONE,    /* it did not */
	FG_FAILURE_NOT_ITS, /* nobody knows: the client left, or was at fault */
	FG_FAILURE_CONNECT, /* no connection: refused, timed out, TLS */
	FG_FAILURE_TIMEOUT, /* no answer in time */
	FG_FAILURE_RESET,   /* closed before its answer was complete */
	FG_FAILURE_INVALID, /* what it sent is no answer */
	FG_FAILURE_STATUS,
};

struct fg_failure_set {
	unsigned kinds;       /* bits by enum fg_failure; statuses aside */
	uint64_t statuses[8]; /* bits from status 100 on */
};

enum fg_failure fg_failure_of(enum fg_err err);
bool fg_failure_set_has_status(const struct fg_failure_set *set, int status);
/* A status that one of the service's breakers counts, or that a retry is made for. */
bool fg_failure_is_status(const struct fg_service *service, int status);
static inline bool
fg_failure_set_has(const struct fg_failure_set *set, enum fg_failure failure)
{
	return (set->kinds & 1u << failure) != 0;
}

struct fg_service_breaker {
	struct fg_breaker_conf conf;
	struct fg_failure_set on;
};

struct fg_status_range {
	int from, to;
};

struct fg_service_health {
	struct fg_health_conf conf;
	struct fg_str path, host; /* host empty: as requests of this service have it, or the target's */
	fg_usec every, timeout;
	const struct fg_status_range *statuses;
	size_t status_count;
	struct fg_str body; /* stands somewhere in the answer's; empty: any */
	int panic; /* percent of targets up, with their breakers closed, below which health is not looked at */
};

struct fg_service_retry {
	int attempts; /* tries in all */
	struct fg_failure_set on;
	int budget;   /* percent; fg_service.budget goes by it */
	fg_usec backoff, backoff_most;
	bool trusts_idempotency_key;
};

/* When a second try follows one that is slow. */
struct fg_service_hedge {
	fg_usec after;    /* 0: the percentile */
	int percentile;   /* of the service's recent answers */
	fg_usec at_least; /* however fast it is: of a percentile alone */
	int budget;       /* percent; of a service without retry */
};

/* Its places (core/admission.h). */
struct fg_admission_conf {
	int most;     /* requests in flight, of the whole pool; 0: any number */
	int queue;    /* that wait for a place, of the whole pool */
	fg_usec wait; /* at most */
};

struct fg_service {
	struct fg_str name;
	unsigned index; /* in fg_config.services */
	struct fg_target *targets;
	size_t target_count; /* at least 1 */
	enum fg_balance balance;
	const struct fg_var *hash_by;
	size_t hash_by_count;
	fg_usec slow_start; /* 0: none */
	const struct fg_service_breaker *breaker; /* of each target; NULL: none */
	const struct fg_service_breaker *service_breaker; /* of all together; NULL: none */
	const struct fg_service_health *health;   /* NULL: none */
	const struct fg_service_retry *retry;     /* NULL: none */
	const struct fg_service_hedge *hedge;     /* NULL: none */
	int budget; /* retries and hedges together, a hundred requests */
	struct fg_admission_conf admission;
	const struct fg_respond *respond; /* answers in its place; NULL: it answers itself */
	fg_usec connect_timeout;
	fg_usec response_timeout; /* from the end of sending until the response's headers */
	fg_usec idle_timeout;     /* between two bytes, either way */
	struct fg_str deadline_header; /* tells the service how many ms are left; empty: none */
	enum fg_host_mode host_mode;
	struct fg_str host_name; /* for FG_HOST_NAME */
	bool http2;
	bool tls_verify;
	struct fg_str tls_ca, tls_certificate, tls_key, tls_name; /* files and a name; empty: none */
	struct fg_target_state *state; /* of the service as a whole; as a target's */
	int32_t number;                /* of that record, as a target's */
	struct fg_stats_series *stats; /* set by core/counts.h; NULL counts nothing */
};

/* A service's share of a route's requests. */
struct fg_split {
	const struct fg_service *service;
	int weight; /* 0: none */
};

/* The service for a number, the same for the same; at least one weight is above 0. */
const struct fg_service *fg_split_pick(const struct fg_split *splits, size_t count, uint64_t number);

/* What one worker remembers of one service between requests; zeroed at first. */
struct fg_service_state {
	int64_t *credit; /* one a target: smooth weighted round-robin */
	uint64_t random; /* of the next draw; any number at first */
	struct fg_admission *admission; /* owned; NULL until one is needed */
};

/* Targets that a request has been sent to. */
struct fg_tried {
	uint64_t bits[FG_SERVICE_MOST_TARGETS / 64];
};

/* Whether a target can be had, and why not. */
enum fg_availability { FG_AVAILABLE, FG_IS_TRIED, FG_IS_DRAINED, FG_IS_DOWN, FG_IS_OPEN, FG_IS_FULL };

struct fg_pick {
	const struct fg_service *service;
	struct fg_service_state *state;
	const struct fg_tried *tried; /* these are left out; NULL: none */
	uint64_t hash;                /* for FG_BALANCE_HASH */
	fg_usec now;                  /* monotonic */
	/* Requests in flight to each of them in the whole pool. */
	void (*in_flight)(void *arg, const struct fg_target *const targets[], size_t count, unsigned in_flight[]);
	uint64_t (*in_flight_to_all)(void *arg, const struct fg_service *service); /* together */
	void *arg;
	/*
	 * For `faregate explain`: hears of each target; wait: until its breaker lets a request through. Then no breaker is
	 * entered, so that nothing but `state` changes. NULL in a worker.
	 */
	void (*tell)(void *arg, const struct fg_target *target, enum fg_availability availability, fg_usec wait);
	void *tell_arg;
};

/* How a request was let through by the breakers on its way; it goes with the request to fg_judge(). */
struct fg_permit {
	struct fg_breaker_pass target, service;
};

/*
 * The target for a request that is sent now, entered at its breaker and the service's. None is available while the service's
 * is open. Available is who is not drained, nor down by its probes (unless fewer than health.panic are up, with their breakers
 * closed: then probes are not believed), whose breaker lets the request through (always asked, panic or not), who has fewer
 * than max-connections in flight, and who was not tried.
 *
 *   round-robin     smooth weighted: of weights 5, 1, 1 the order is a a b a c a a
 *   least-requests  two are drawn by weight; the one with fewer in flight, for its weight, gets it
 *   hash            weighted rendezvous hashing; who has more than 1.25 times its share in flight is passed over
 *
 * A target that came back gets less at first (slow-start). FG_ERR_BREAKER_OPEN, FG_ERR_SERVICE_UNAVAILABLE: none is
 * available; *wait is when one may be.
 */
FG_MUST_CHECK enum fg_err fg_service_pick(const struct fg_pick *pick, const struct fg_target **target,
    struct fg_permit *permit, fg_usec *wait);
/* Alike in all processes. */
uint64_t fg_service_hash_url(struct fg_str url);
/* "drained", "breaker open": why it cannot be had. */
const char *fg_availability_word(enum fg_availability availability);

/* A number that nobody can do much harm by guessing: SplitMix64. */
uint64_t fg_service_draw(struct fg_service_state *state);

static inline void
fg_tried_add(struct fg_tried *tried, const struct fg_target *target)
{
	tried->bits[target->index / 64] |= UINT64_C(1) << target->index % 64;
}

#endif
