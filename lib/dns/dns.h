/*
 * Addresses of names, found by DNS (and /etc/hosts) without holding up the loop: c-ares on the loop's descriptors and
 * timers, no threads (lookup.c, the only user of ares.h). Of a worker; every name is remembered for as long as the worker lives.
 *
 * A name is looked up when it is first needed, which is what callers wait for, and again before its TTL has passed for as long
 * as it is in use, which nobody waits for. When the resolver fails, the last good addresses stay in use for a while. A name
 * that is known costs its user a comparison of times: nothing is allocated, c-ares is not called.
 */
#ifndef FG_DNS_DNS_H
#define FG_DNS_DNS_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/limits.h"
#include "loop/loop.h"

struct fg_dns;
struct fg_dns_name;
struct fg_dns_wait;
struct fg_log;

struct fg_dns_server {
	struct fg_ip ip;
	unsigned port;
};

struct fg_dns_conf {
	const struct fg_dns_server *servers; /* none: those of /etc/resolv.conf */
	size_t server_count;
	fg_usec least, most; /* of a TTL, whatever the answer says */
	fg_usec timeout;     /* of a lookup */
	fg_usec failed;      /* how long an answer that there is no address stands, or that there was none in time */
	fg_usec stale;       /* how long addresses whose TTL has passed stay in use while the resolver fails */
};

/* What a lookup came to. */
enum fg_dns_outcome {
	FG_DNS_FOUND,
	FG_DNS_NOT_FOUND, /* there is no such name, or it has no address */
	FG_DNS_FAILED,    /* the server could not say, or said it in no form that is understood */
	FG_DNS_TIMED_OUT,
	FG_DNS_OUTCOMES,
};

/* For statistics; is_kept: a lookup that did not find anything has left addresses of an earlier one in use. */
typedef void fg_dns_count_fn(void *arg, enum fg_dns_outcome outcome, bool is_kept);

struct fg_dns_spec {
	const struct fg_dns_conf *conf; /* borrowed */
	const struct fg_clock *clock;   /* borrowed; NULL: the loop's. What a test sets */
	const struct fg_log *log;       /* borrowed */
	fg_dns_count_fn *count;         /* NULL: nothing is counted */
	void *arg;
};

/* What is known of a name. */
struct fg_dns_set {
	unsigned version; /* another one for other addresses; 0: there never were any */
	size_t count;
	struct fg_ip ips[FG_MAX_DNS_ADDRESSES]; /* in the order in which they should be tried (RFC 6724) */
};

/* Whether this program has c-ares. Without it there is nothing else here: fg_dns_new() returns NULL. */
bool fg_dns_is_built(void);
/* "c-ares/1.18.1", or "" without it. */
const char *fg_dns_version(void);

/* After the fork. */
struct fg_dns *fg_dns_new(struct fg_loop *loop, const struct fg_dns_spec *spec);
/* Nobody waits any more (asserted). NULL does nothing. */
void fg_dns_free(struct fg_dns *dns);

/* The name as it is known in this worker, new or not; copied. NULL when there are too many (FG_MAX_DNS_NAMES). */
struct fg_dns_name *fg_dns_name(struct fg_dns *dns, struct fg_str host);
/*
 * True: its set may be used now. False: it has none (yet); whoever waits is told more, soon when it has lately been looked up
 * in vain. Starts a lookup where one is due.
 */
bool fg_dns_use(struct fg_dns_name *name);
/* What was known last. Valid for as long as the name; changes between the turns' callbacks alone. */
const struct fg_dns_set *fg_dns_set(const struct fg_dns_name *name);
static inline bool
fg_dns_set_has(const struct fg_dns_set *set, const struct fg_ip *ip)
{
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(&set->ips[i], ip, sizeof(*ip)) == 0)
			return true;
	return false;
}

/* Once, from the loop, never from within fg_dns_wait_start(): the set may be used, or there is none and it takes no more waiting. */
typedef void fg_dns_wait_fn(void *arg, bool found);

/* Embedded in whoever waits. */
struct fg_dns_wait {
	struct fg_dns_wait *next, **link; /* link NULL: it does not wait */
	fg_dns_wait_fn *fn;
	void *arg;
};

/* After fg_dns_use() has returned false, in the same turn. */
void fg_dns_wait_start(struct fg_dns_wait *wait, struct fg_dns_name *name, fg_dns_wait_fn *fn, void *arg);
/* fn does not run any more. One that does not wait: nothing. */
void fg_dns_wait_cancel(struct fg_dns_wait *wait);

#endif
