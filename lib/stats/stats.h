/*
 * Counters of a pool, in memory that its workers share: each adds with one relaxed atomic operation; whoever reads
 * gets sums. The memory is a file beside the pid file, so that `faregate status` reads a running pool without
 * asking it, and so that counters go on over a reload. Its size is fixed when the pool starts; what does not fit is
 * counted under "_other", never dropped.
 */
#ifndef FG_STATS_STATS_H
#define FG_STATS_STATS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct fg_buf;
struct fg_stats;

/* Upper bounds of the latency buckets, in microseconds; one more bucket is for what is above the last. */
#define FG_STATS_BOUNDS {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000}
enum { FG_STATS_BUCKETS = 14, FG_STATS_NAME_BYTES = 112, FG_STATS_LABEL_BYTES = 40, FG_STATS_MAX_WORKERS = 512 };

/* Of one route or one service. */
struct fg_stats_series {
	char name[FG_STATS_NAME_BYTES]; /* "route:orders", "service:users"; NUL-terminated; longer names end in a hash */
	_Atomic uint64_t taken;         /* 0: no name yet; 1: in use */
	_Atomic uint64_t by_class[6];   /* [0]: no status (client gone first); [1..5]: 1xx to 5xx */
	_Atomic uint64_t bucket[FG_STATS_BUCKETS];
	_Atomic uint64_t micros;        /* sum of durations */
	_Atomic uint64_t bytes_in, bytes_out;
};

enum fg_worker_state { FG_WORKER_FREE, FG_WORKER_STARTING, FG_WORKER_RUNNING, FG_WORKER_DRAINING };

struct fg_stats_worker {
	_Atomic int32_t pid;         /* 0: the slot is free; negative: of who clears up behind its worker */
	_Atomic uint32_t state;      /* enum fg_worker_state */
	_Atomic uint64_t generation; /* of its configuration */
	_Atomic int64_t started;     /* wall clock */
	_Atomic uint64_t exchanges;  /* ended */
	_Atomic uint64_t in_flight;
	_Atomic uint64_t connections; /* FastCGI connections open */
	_Atomic uint64_t birth;      /* its pid, and fg_process_born() of it, in one word; 0: not known */
	_Atomic uint32_t is_spawned; /* by a web server: no supervisor sees its end */
};

/* Of a worker that ended without giving its slot back. */
struct fg_stats_death {
	unsigned next; /* slot to look at next */
	pid_t pid;
	uint64_t in_flight, connections;
};

/* What the supervisor says of itself; all 0 where there is none (workers spawned by a web server). */
struct fg_stats_pool {
	pid_t pid;
	uint64_t generation;                 /* of the configuration: 1 at start, +1 for each reload that took */
	fg_usec started, reloaded, refused;  /* wall clock; of the last reload that took and that did not; 0: none */
	fg_usec leaving;                     /* wall clock: when it was told to stop; 0: it was not */
};

/* Counters that belong to no route. */
enum fg_stats_counter {
	FG_COUNT_CONNECTIONS_ACCEPTED,
	FG_COUNT_LOG_LINES_DROPPED,
	FG_COUNT_WORKER_DEATHS,
	FG_COUNT_EXCHANGES_LOST,      /* in flight in workers that died */
	FG_COUNT_RELOADS,
	FG_COUNT_RELOADS_REFUSED,
	FG_COUNT_REGEX_LIMIT,
	FG_COUNT_SERVICE_CONNECTIONS, /* opened to services */
	FG_COUNT_LIMIT_KEYS_EVICTED,  /* of limits, from a pool's memory that was full */
	FG_COUNT_LIMIT_HOSTS,         /* a gauge: by how many hosts the share of a limit is divided; 0: no store that hosts share */
	FG_COUNT_DNS_FOUND,           /* lookups of names, in the order of enum fg_dns_outcome */
	FG_COUNT_DNS_NOT_FOUND,
	FG_COUNT_DNS_FAILED,
	FG_COUNT_DNS_TIMED_OUT,
	FG_COUNT_DNS_KEPT,            /* those that found nothing and left addresses of an earlier one in use */
	FG_COUNT_IDEMPOTENCY_EVICTED, /* keys with their answers, the same */
	FG_COUNT_MAX,
};

/*
 * Supervisor's side: counters from zero, in a new file that takes the place of an old one; whoever has the old one
 * mapped goes on with it. path NULL: memory of this process and its children alone. capacity: routes and services
 * together; there is room for as many again, for reloads. FG_ERR_SYSTEM with errno set.
 */
enum fg_err fg_stats_create(struct fg_stats **out, const char *path, size_t capacity) FG_MUST_CHECK;
/*
 * For processes that a web server spawns: the file that the first of them makes. One of another version is replaced.
 * FG_ERR_SYSTEM with errno set (a folder that is not writable, most often).
 */
enum fg_err fg_stats_join(struct fg_stats **out, const char *path, size_t capacity) FG_MUST_CHECK;
/*
 * Reader's side (`faregate status`); the pool need not run any more. Only the functions that take a const struct
 * fg_stats may be called on it. FG_ERR_SYSTEM with errno set, FG_ERR_SYNTAX (of another version, or no such file).
 */
enum fg_err fg_stats_open(struct fg_stats **out, const char *path) FG_MUST_CHECK;
/* Unmaps; the file stays unless unlink_file (and it still is the one that was mapped). NULL does nothing. */
void fg_stats_close(struct fg_stats *stats, bool unlink_file);

/* The series of a route or a service, found by its name or a free one that takes it; never NULL. */
struct fg_stats_series *fg_stats_route(struct fg_stats *stats, struct fg_str name);
struct fg_stats_series *fg_stats_service(struct fg_stats *stats, struct fg_str name);
/* "_none": of requests that no route took; "_admin": of the gateway's own pages. */
struct fg_stats_series *fg_stats_route_none(struct fg_stats *stats);
struct fg_stats_series *fg_stats_route_admin(struct fg_stats *stats);
/* One that is over. class: as in by_class. */
void fg_stats_count(struct fg_stats_series *series, unsigned class, fg_usec micros, uint64_t bytes_in, uint64_t bytes_out);
void fg_stats_count_reason(struct fg_stats *stats, enum fg_err reason);
void fg_stats_add(struct fg_stats *stats, enum fg_stats_counter counter, uint64_t n);
/* Of gauges. */
void fg_stats_set(struct fg_stats *stats, enum fg_stats_counter counter, uint64_t n);
uint64_t fg_stats_get(const struct fg_stats *stats, enum fg_stats_counter counter);
uint64_t fg_stats_get_reason(const struct fg_stats *stats, enum fg_err reason);

/*
 * A slot for a worker, zeroed, FG_WORKER_STARTING: a free one, or one whose process is no more.
 * FG_STATS_MAX_WORKERS - 1 is shared by those that find none.
 */
unsigned fg_stats_worker_slot(struct fg_stats *stats);
/*
 * Gives back the next slot whose worker is no more, and counts its death: those of which no supervisor does. *death is all
 * zeros at first; false when there is none any more.
 */
FG_MUST_CHECK bool fg_stats_free_dead(struct fg_stats *stats, struct fg_stats_death *death);
/* Whether it is time for a process of the pool to look for them; true for one of those that ask at once. now: monotonic. */
FG_MUST_CHECK bool fg_stats_may_look_for_dead(struct fg_stats *stats, fg_usec now, fg_usec every);
/*
 * A slot for this process, which a web server has started, with a number for its configuration: the pool's, where one runs,
 * else one above those of all such processes before. It stands there until fg_stats_worker_free(), or the process is gone.
 */
unsigned fg_stats_worker_enrol(struct fg_stats *stats, fg_usec wall);
/* The process is gone. */
void fg_stats_worker_free(struct fg_stats *stats, unsigned slot);
struct fg_stats_worker *fg_stats_worker(struct fg_stats *stats, unsigned slot);
/* Whether any of them is a process that lives; those that a web server spawned have no supervisor to ask for. */
bool fg_stats_has_live_worker(const struct fg_stats *stats);
const struct fg_stats_worker *fg_stats_worker_read(const struct fg_stats *stats, unsigned slot);

/* The supervisor's: at its start (generation 1) and after each reload that took, which is counted. */
void fg_stats_set_pool(struct fg_stats *stats, pid_t pid, uint64_t generation, fg_usec wall);
/* A reload that did not take; counted. */
void fg_stats_set_refused(struct fg_stats *stats, fg_usec wall);
/* The pool was told to stop: from now on it is not ready. */
void fg_stats_set_leaving(struct fg_stats *stats, fg_usec wall);
bool fg_stats_is_leaving(const struct fg_stats *stats);
void fg_stats_get_pool(const struct fg_stats *stats, struct fg_stats_pool *pool);
uint64_t fg_stats_generation(const struct fg_stats *stats);

/*
 * Numbers by policy: counters and gauges of filters, with the labels `policy` and one more. A number begins at 0 when it is
 * first asked for, and is found by its labels again after a reload. What finds no place (FG_MAX_STATS_CELLS) is one number
 * with the labels "_other".
 */
enum fg_stats_family {
	FG_FAMILY_AUTH,         /* attempts of authentication; outcome: "accepted", or a reason */
	FG_FAMILY_TOKEN_CACHE,  /* outcome: "hit", "miss" */
	FG_FAMILY_KEY_FETCHES,  /* outcome: "changed", "unchanged", "failed" */
	FG_FAMILY_KEYS_AGE,     /* set to the wall time when they were known to be right; shown as an age */
	FG_FAMILY_REVOCATIONS_AGE,
	FG_FAMILY_LIMITS,       /* requests by what a limit said; outcome: core/limit_counts.h */
	FG_FAMILY_LIMIT_WAITS,  /* microseconds for which requests waited for the store */
	FG_FAMILY_IDEMPOTENCY,  /* requests with an Idempotency-Key; outcome: filter/idempotency.c */
	FG_FAMILIES,
};

/* label: empty for families that have `policy` alone. Never NULL. Cheap enough for what is rare; keep it for what is not. */
_Atomic uint64_t *fg_stats_cell(struct fg_stats *stats, enum fg_stats_family family, struct fg_str policy, struct fg_str label);
/* 0 where there is no such number. */
uint64_t fg_stats_cell_get(const struct fg_stats *stats, enum fg_stats_family family, struct fg_str policy, struct fg_str label);

/* Prometheus text format 0.0.4. Series without a single exchange are left out, so the size follows use. */
bool fg_stats_format_prometheus(const struct fg_stats *stats, fg_usec now_wall, struct fg_buf *out);
/* For people: all but the reasons; and these. */
void fg_stats_format_text(const struct fg_stats *stats, fg_usec now_wall, struct fg_buf *out);
void fg_stats_format_reasons_text(const struct fg_stats *stats, struct fg_buf *out);
/* For programs: members of a JSON object, all but the services. */
void fg_stats_format_json(const struct fg_stats *stats, fg_usec now_wall, struct fg_buf *out);
/* A service whose counters stand elsewhere already. */
typedef bool fg_stats_is_told_fn(const void *arg, const struct fg_stats *stats, struct fg_str name);
/* Members of a JSON object, an object a service in which something was counted. is_told may be NULL. first: no comma before. */
void fg_stats_format_services_json(const struct fg_stats *stats, fg_stats_is_told_fn *is_told, const void *arg, struct fg_buf *out,
    bool first);
/* Of one service: its name, and an object of what was counted, which is left open. */
void fg_stats_open_service_json(const struct fg_stats *stats, struct fg_str name, struct fg_buf *out, bool first);

#endif
