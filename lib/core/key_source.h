/*
 * Keys that a provider publishes at a URL, as a worker sees them: fetched at start and before they age, by one worker for the
 * whole pool (keys/key_store.h), kept while the provider is down for a stated time, and fetched again when somebody has seen a
 * key that is not among them, with a pause in which invented ones cost nothing.
 *
 *   url:       a JWK Set
 *   discovery: the provider's metadata (OpenID Connect Discovery 1.0 §4, RFC 8414), which say where the JWK Set is
 *
 * No request waits for a fetch it does not need: while there are keys it goes on with them.
 */
#ifndef FG_CORE_KEY_SOURCE_H
#define FG_CORE_KEY_SOURCE_H

#include "base/list.h"
#include "core/fetch.h"
#include "token/key.h"

struct fg_key_source;
struct fg_key_store;

struct fg_key_source_conf {
	struct fg_fetch_url url;
	bool is_discovery;
	bool allow_http;       /* also to other machines: what the metadata name */
	struct fg_str issuer;  /* of the metadata has to be exactly this */
	const char *ca;        /* NULL: the system's */
	fg_usec refresh_min, refresh_max; /* bounds of max-age */
	fg_usec refresh;       /* where the provider says none */
	fg_usec stale;         /* how long keys serve that could not be refreshed */
	fg_usec cooldown;      /* between fetches for keys that are not known */
	fg_usec timeout;       /* of one answer */
	uint64_t id;           /* of the place: fg_key_source_id() */
};

/* The same for the same place, trust and times, in every process. */
uint64_t fg_key_source_id(const struct fg_key_source_conf *conf);

/*
 * name: of the policy, for log and metrics. store: the pool's; NULL: memory of this process. Without gw->client nothing is
 * fetched, and store is only read. Never NULL.
 */
struct fg_key_source *fg_key_source_new(struct fg_gateway *gw, const struct fg_key_source_conf *conf, struct fg_str name,
    struct fg_key_store *store);
/* Nobody waits for it any more (asserted). */
void fg_key_source_free(struct fg_key_source *source);

/* The keys now, borrowed until the loop's turn ends; NULL: there are none, or none that are young enough. */
struct fg_key_set *fg_key_source_keys(struct fg_key_source *source);
/* The last fetch failed: what is not known may exist all the same. */
bool fg_key_source_is_failing(const struct fg_key_source *source);

/* Whoever waits for the fetch that runs; embedded in its owner. */
struct fg_key_wait {
	struct fg_link link;
	struct fg_key_source *source; /* NULL: it does not wait */
	void (*fn)(void *arg);
	void *arg;
};

/*
 * Fresh keys are wanted: because there are none, or because one is not among them. True: fn runs once, from the loop, when
 * the fetch is over, well or not (fg_key_source_unask() takes it back). False: nobody fetches now, because somebody just has
 * (the cooldown, or the pause after a failure), or too many wait: go by what is there.
 */
FG_MUST_CHECK bool fg_key_source_ask(struct fg_key_source *source, struct fg_key_wait *wait, void (*fn)(void *arg), void *arg);
void fg_key_source_unask(struct fg_key_wait *wait);

#endif
