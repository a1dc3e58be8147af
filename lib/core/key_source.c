/* Fetching keys under a lease, and what becomes of those who wait. */
#include "core/key_source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/log.h"
#include "core/exchange.h"
#include "keys/key_store.h"
#include "stats/stats.h"
#include "token/json.h"

/* How often a worker looks whether there is something to do, and whether the fetch of another is over. */
#define TICK (2 * FG_US_PER_S)
#define TICK_MIN (50 * FG_US_PER_MS)
#define LOOK_AGAIN (10 * FG_US_PER_MS)
/* After a failure: doubled each time. */
#define BACKOFF_MIN FG_US_PER_S
#define BACKOFF_MAX (30 * FG_US_PER_S)

/* A provider that moves its keys about gets no more places remembered than that (core/fetch.h: they outlive the calls). */
enum { MOST_MOVES = 16, MOST_PLACE_BYTES = 2048 };

struct fg_key_source {
	struct fg_gateway *gw;
	const struct fg_key_source_conf *conf;
	struct fg_str name;
	struct fg_key_store *own_store; /* owned; NULL: the pool's is used */
	struct fg_key_slot *slot;       /* NULL: there is none to be had */
	struct fg_key_set *set;         /* of version `seen`; NULL: none */
	uint64_t seen;
	char etag[FG_KEY_ETAG_BYTES];
	struct fg_timer tick, look;
	struct fg_link waiting;
	unsigned waiting_count;
	uint64_t waited_from;           /* slot->ended when the first of them came */
	struct fg_fetch *fetch;         /* NULL: this worker does not fetch */
	uint64_t lease;
	struct fg_arena places;         /* of key sets that metadata named */
	struct fg_fetch_url moved_to;
	unsigned moves;
	_Atomic uint64_t *age;          /* NULL: not counted */
};

static fg_usec
now_of(const struct fg_key_source *source)
{
	return fg_loop_clock(source->gw->loop)->mono;
}

/* 0 … span, so that not all do the same thing at the same moment. */
static fg_usec
jitter(fg_usec span)
{
	uint32_t random = 0;

	if (span <= 0 || getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		return 0;
	return (fg_usec)(((uint64_t)span * random) >> 32);
}

uint64_t
fg_key_source_id(const struct fg_key_source_conf *conf)
{
	/* What is done with an answer by whoever fetches it, for all. */
	const fg_usec spans[] = {conf->refresh_min, conf->refresh_max, conf->refresh, conf->stale, conf->allow_http};
	struct fg_str parts[] = {conf->url.text, conf->is_discovery ? conf->issuer : FG_STR_NONE,
	    conf->ca == NULL ? FG_STR_NONE : fg_str_from(conf->ca), {(const char *)spans, sizeof(spans)}};
	uint64_t id = FG_FNV_INIT;

	for (size_t i = 0; i < FG_ARRAY_LEN(parts); i++)
		id = fg_str_fnv(fg_str_fnv(id, parts[i]), FG_STR("\n"));
	return id == 0 ? 1 : id;
}

/* ---- the keys */

static void
log_report(const struct fg_key_source *source, const struct fg_key_report *report)
{
	if (report->message[0] != '\0')
		FG_LOG(source->gw->log, WARN, "auth", "not all keys can be used", FG_F_STR("policy", source->name),
		    FG_F_INT("usable", report->usable), FG_F_CSTR("because", report->message));
}

/* What another worker, or this one, has written. */
static void
take_version(struct fg_key_source *source)
{
	struct fg_key_set *set = NULL;
	struct fg_key_report report;
	struct fg_buf text;
	uint64_t version;

	fg_buf_init(&text, FG_MAX_FETCHED_KEYS_BYTES);
	if (fg_key_slot_read(source->slot, &text, source->etag, &version) &&
	    fg_key_set_from_jwks(&set, fg_buf_str(&text), &report) == FG_OK) {
		fg_key_set_release(source->set);
		source->set = set;
		source->seen = version;
	}
	fg_buf_fini(&text);
}

struct fg_key_set *
fg_key_source_keys(struct fg_key_source *source)
{
	struct fg_key_slot *slot = source->slot;

	if (slot == NULL)
		return NULL;
	if (atomic_load_explicit(&slot->version, memory_order_acquire) != source->seen)
		take_version(source);
	return now_of(source) < atomic_load_explicit(&slot->expires, memory_order_relaxed) ? source->set : NULL;
}

bool
fg_key_source_is_failing(const struct fg_key_source *source)
{
	return source->slot == NULL || atomic_load(&source->slot->failures) > 0;
}

/* ---- those who wait */

static void
wait_remove(struct fg_key_wait *wait)
{
	fg_list_remove(&wait->link);
	wait->source->waiting_count--;
	wait->source = NULL;
}

void
fg_key_source_unask(struct fg_key_wait *wait)
{
	if (wait->source != NULL)
		wait_remove(wait);
}

static void
wake_all(struct fg_key_source *source)
{
	fg_timer_stop(&source->look);
	while (source->waiting_count > 0) {
		struct fg_key_wait *wait = FG_CONTAINER_OF(source->waiting.next, struct fg_key_wait, link);

		wait_remove(wait);
		wait->fn(wait->arg);
	}
}

static void
on_look(struct fg_timer *timer, void *arg)
{
	struct fg_key_source *source = arg;

	if (atomic_load(&source->slot->ended) != source->waited_from || !fg_key_slot_is_leased(source->slot, now_of(source)))
		wake_all(source);
	else if (source->waiting_count > 0)
		fg_timer_start(timer, LOOK_AGAIN);
}

/* ---- what is said of it */

static void
count_fetch(const struct fg_key_source *source, struct fg_str outcome)
{
	if (source->gw->stats != NULL)
		atomic_fetch_add_explicit(fg_stats_cell(source->gw->stats, FG_FAMILY_KEY_FETCHES, source->name, outcome), 1,
		    memory_order_relaxed);
}

static void
show_age(struct fg_key_source *source)
{
	const struct fg_clock *clock = fg_loop_clock(source->gw->loop);
	int64_t good = atomic_load(&source->slot->good);

	if (source->age != NULL && good != 0)
		atomic_store_explicit(source->age, (uint64_t)(clock->wall - (clock->mono - good)), memory_order_relaxed);
}

/* One line a change of state, of one worker. why: NULL unless a fetch has just failed. */
static void
note_state(struct fg_key_source *source, const char *why)
{
	struct fg_key_slot *slot = source->slot;
	bool is_usable = now_of(source) < atomic_load(&slot->expires);
	uint32_t old = atomic_load(&slot->state), state = FG_KEYS_NONE;

	if (atomic_load(&slot->failures) == 0)
		state = is_usable ? FG_KEYS_GOOD : old;
	else
		state = is_usable ? FG_KEYS_FAILING : FG_KEYS_EXPIRED;
	if (state == old || !atomic_compare_exchange_strong(&slot->state, &old, state))
		return;
	if (state == FG_KEYS_GOOD)
		FG_LOG(source->gw->log, INFO, "auth", old == FG_KEYS_NONE ? "keys fetched" : "keys can be fetched again",
		    FG_F_STR("policy", source->name), FG_F_STR("url", source->conf->url.text));
	else if (state == FG_KEYS_FAILING)
		FG_LOG(source->gw->log, WARN, "auth", "keys cannot be fetched, the last good ones serve",
		    FG_F_STR("policy", source->name), FG_F_STR("url", source->conf->url.text),
		    FG_F_CSTR("because", why == NULL ? "" : why),
		    FG_F_INT("serve_s", (atomic_load(&slot->expires) - now_of(source)) / FG_US_PER_S));
	else
		FG_LOG(source->gw->log, ERROR, "auth", "there are no keys: requests are answered 503",
		    FG_F_STR("policy", source->name), FG_F_STR("url", source->conf->url.text),
		    FG_F_CSTR("because", why == NULL ? "the last good ones are too old" : why));
}

/* ---- a fetch, by whoever has the lease */

static fg_usec
backoff(uint32_t failures)
{
	fg_usec span = BACKOFF_MIN;

	for (uint32_t i = 1; i < failures && span < BACKOFF_MAX; i++)
		span *= 2;
	if (span > BACKOFF_MAX)
		span = BACKOFF_MAX;
	return span / 2 + jitter(span / 2);
}

static void
end_fetch(struct fg_key_source *source, const char *why)
{
	struct fg_key_slot *slot = source->slot;

	source->fetch = NULL;
	if (why != NULL && fg_key_slot_holds(slot, source->lease)) {
		uint32_t failures = atomic_fetch_add(&slot->failures, 1) + 1;

		atomic_store(&slot->next, now_of(source) + backoff(failures));
		count_fetch(source, FG_STR("failed"));
	}
	atomic_fetch_add(&slot->ended, 1);
	fg_key_slot_release(slot, source->lease);
	note_state(source, why);
	show_age(source);
	wake_all(source);
}

/* The keys are the provider's of now. text p NULL: they still are those we have. */
static void
take_answer(struct fg_key_source *source, struct fg_str text, const struct fg_headers *headers)
{
	const struct fg_header *etag = fg_headers_find(headers, FG_STR("ETag"));
	const struct fg_key_source_conf *conf = source->conf;
	fg_usec now = now_of(source), age = fg_fetch_max_age(headers);
	struct fg_key_slot *slot = source->slot;

	if (!fg_key_slot_holds(slot, source->lease)) {
		end_fetch(source, "it took too long");
		return;
	}
	age = age < 0 ? conf->refresh : age < conf->refresh_min ? conf->refresh_min : age;
	age = age > conf->refresh_max ? conf->refresh_max : age;
	if (text.p != NULL)
		fg_key_slot_write(slot, text, etag == NULL ? FG_STR_NONE : etag->value);
	count_fetch(source, text.p != NULL ? FG_STR("changed") : FG_STR("unchanged"));
	atomic_store(&slot->failures, 0);
	atomic_store(&slot->good, now);
	atomic_store(&slot->expires, now + age + conf->stale);
	/* Before they age. */
	atomic_store(&slot->next, now + age * 3 / 4 + jitter(age / 8));
	end_fetch(source, NULL);
}

static void
take_keys(struct fg_key_source *source, const struct fg_fetch_answer *answer)
{
	struct fg_key_set *set = NULL, *present;
	struct fg_key_report report;
	enum fg_err err = fg_key_set_from_jwks(&set, answer->body, &report);
	bool is_same;

	if (err != FG_OK) {
		end_fetch(source, err == FG_ERR_TOO_LARGE ? "too many keys" : "the answer is no JWK Set with a key that can be used");
		return;
	}
	present = fg_key_source_keys(source);
	is_same = present != NULL && fg_key_id_eq(fg_key_set_id(present), fg_key_set_id(set));
	if (!is_same) {
		log_report(source, &report);
		FG_LOG(source->gw->log, INFO, "auth", "keys changed", FG_F_STR("policy", source->name),
		    FG_F_INT("keys", (int64_t)fg_key_set_count(set)));
	}
	fg_key_set_release(set);
	take_answer(source, is_same ? FG_STR_NONE : answer->body, &answer->headers);
}

/* NULL: it is an answer to go on with. */
static const char *
wrong_with(const struct fg_fetch_answer *answer)
{
	if (answer->err == FG_ERR_TOO_LARGE)
		return "the answer is too large";
	if (answer->err != FG_OK)
		return fg_err_token(answer->err);
	if (answer->status >= 300 && answer->status < 400)
		return "the answer is a redirect, which is not followed";
	return answer->status == 200 ? NULL : "the answer's status is not 200";
}

static void
on_keys(void *arg, const struct fg_fetch_answer *answer)
{
	struct fg_key_source *source = arg;
	const char *wrong = wrong_with(answer);

	if (answer->err == FG_OK && answer->status == 304 && source->set != NULL)
		take_answer(source, FG_STR_NONE, &answer->headers);
	else if (wrong != NULL)
		end_fetch(source, wrong);
	else
		take_keys(source, answer);
}

static void
start_fetch(struct fg_key_source *source, const struct fg_fetch_url *url, bool conditional, fg_fetch_fn *fn)
{
	const struct fg_call_header headers[] = {{FG_STR("Accept"), FG_STR("application/json, application/jwk-set+json")},
	    {FG_STR("User-Agent"), FG_STR("faregate")}, {FG_STR("If-None-Match"), fg_str_from(source->etag)}};
	struct fg_fetch_spec spec = {.url = url, .method = FG_STR("GET"), .headers = headers, .header_count = 2,
	    .max_body = FG_MAX_FETCHED_KEYS_BYTES, .deadline = source->conf->timeout};

	if (conditional && source->set != NULL && source->etag[0] != '\0')
		spec.header_count = 3;
	source->fetch = fg_fetch_start(source->gw, &spec, fn, source);
}

/* NULL: the keys may be there. */
static const char *
wrong_with_place(const struct fg_key_source *source, struct fg_str text)
{
	const char *wrong = NULL;
	struct fg_arena scratch;
	struct fg_fetch_url url;

	fg_arena_init(&scratch, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	if (text.len == 0 || text.len > MOST_PLACE_BYTES ||
	    fg_fetch_url_parse(&url, text, source->conf->ca, source->conf->timeout, &scratch) != FG_OK)
		wrong = "the metadata have no jwks_uri that is a URL";
	else if (!url.is_tls && !source->conf->allow_http && !fg_fetch_url_is_local(&url))
		wrong = "the metadata's jwks_uri is not https";
	else if (source->moves == MOST_MOVES)
		wrong = "the metadata name ever other places for the keys";
	fg_arena_fini(&scratch);
	return wrong;
}

/* NULL: source->moved_to is where the keys are. */
static const char *
take_metadata(struct fg_key_source *source, const struct fg_json_node *root)
{
	struct fg_str issuer = fg_json_string(root, FG_STR("issuer")), text = fg_json_string(root, FG_STR("jwks_uri"));
	const char *wrong;

	/* OpenID Connect Discovery 1.0 §4.3, RFC 8414 §3.3: else anybody could speak for that issuer. */
	if (!fg_str_eq(issuer, source->conf->issuer))
		return "the metadata are those of another issuer";
	if (fg_str_eq(text, source->moved_to.text) && text.len > 0)
		return NULL;
	wrong = wrong_with_place(source, text);
	if (wrong != NULL)
		return wrong;
	source->moves++;
	FG_ASSERT(fg_fetch_url_parse(&source->moved_to, text, source->conf->ca, source->conf->timeout, &source->places) == FG_OK);
	return NULL;
}

static void
on_metadata(void *arg, const struct fg_fetch_answer *answer)
{
	static const struct fg_json_bounds bounds = {FG_MAX_FETCHED_KEYS_BYTES, FG_MAX_KEY_SET_DEPTH, FG_MAX_KEY_SET_NODES};
	struct fg_key_source *source = arg;
	const char *wrong = wrong_with(answer);
	struct fg_str before = source->moved_to.text;
	struct fg_json *metadata = NULL;

	if (wrong == NULL && fg_json_parse(&metadata, answer->body, &bounds, NULL) != FG_OK)
		wrong = "the metadata are not JSON";
	if (wrong == NULL)
		wrong = take_metadata(source, fg_json_root(metadata));
	fg_json_release(metadata);
	if (wrong != NULL)
		end_fetch(source, wrong);
	else
		start_fetch(source, &source->moved_to, fg_str_eq(before, source->moved_to.text), on_keys);
}

/* True: this worker fetches from now on. */
static bool
begin(struct fg_key_source *source)
{
	fg_usec now = now_of(source);
	uint64_t lease = fg_key_lease(now + 3 * source->conf->timeout + FG_US_PER_S, source->gw->worker);

	if (source->gw->draining || source->fetch != NULL || !fg_key_slot_lease(source->slot, lease, now))
		return false;
	source->lease = lease;
	atomic_store(&source->slot->began, now);
	if (source->conf->is_discovery)
		start_fetch(source, &source->conf->url, false, on_metadata);
	else
		start_fetch(source, &source->conf->url, true, on_keys);
	return true;
}

bool
fg_key_source_ask(struct fg_key_source *source, struct fg_key_wait *wait, void (*fn)(void *arg), void *arg)
{
	struct fg_key_slot *slot = source->slot;
	fg_usec now = now_of(source), due;

	if (slot == NULL || source->gw->client == NULL || source->waiting_count == FG_MAX_KEY_WAITERS)
		return false;
	/* Keys that exist are asked for again after the cooldown; those that never came, when the pause after a failure is over. */
	due = fg_key_source_keys(source) != NULL ? atomic_load(&slot->began) + source->conf->cooldown : atomic_load(&slot->next);
	if (source->waiting_count == 0)
		source->waited_from = atomic_load(&slot->ended);
	if (!fg_key_slot_is_leased(slot, now) && (now < due || !begin(source)) && !fg_key_slot_is_leased(slot, now))
		return false;
	*wait = (struct fg_key_wait){.source = source, .fn = fn, .arg = arg};
	fg_list_add(&source->waiting, &wait->link);
	source->waiting_count++;
	if (source->fetch == NULL && !fg_timer_is_active(&source->look))
		fg_timer_start(&source->look, LOOK_AGAIN);
	return true;
}

/* ---- life */

static void
on_tick(struct fg_timer *timer, void *arg)
{
	struct fg_key_source *source = arg;
	struct fg_key_slot *slot = source->slot;
	fg_usec now = now_of(source), due;

	atomic_store(&slot->used, now);
	if (now >= atomic_load(&slot->next))
		(void)begin(source);
	note_state(source, NULL);
	show_age(source);
	/* In time for the next fetch, of which another worker may have taken care by then. */
	due = atomic_load(&slot->next) - now;
	due = due < TICK_MIN ? TICK_MIN : due > TICK ? TICK : due;
	fg_timer_start(timer, due + jitter(due / 8));
}

struct fg_key_source *
fg_key_source_new(struct fg_gateway *gw, const struct fg_key_source_conf *conf, struct fg_str name, struct fg_key_store *store)
{
	struct fg_key_source *source = calloc(1, sizeof(*source));
	bool looks_on = gw->client == NULL;

	FG_ASSERT(source != NULL);
	source->gw = gw;
	source->conf = conf;
	source->name = name;
	fg_list_init(&source->waiting);
	fg_arena_init(&source->places, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	if (store == NULL && !looks_on) {
		store = source->own_store = calloc(1, sizeof(*store));
		FG_ASSERT(store != NULL);
	}
	if (store != NULL && looks_on)
		source->slot = fg_key_slot_find(store, conf->id);
	else if (store != NULL)
		source->slot = fg_key_slot_take(store, conf->id, now_of(source));
	/* Whoever had this number before and died while it fetched does so no more. */
	if (source->slot != NULL && !looks_on)
		fg_key_slot_break(source->slot, gw->worker);
	fg_timer_init(&source->tick, gw->loop, on_tick, source);
	fg_timer_init(&source->look, gw->loop, on_look, source);
	if (looks_on)
		return source;
	if (gw->stats != NULL)
		source->age = fg_stats_cell(gw->stats, FG_FAMILY_KEYS_AGE, name, FG_STR_NONE);
	if (source->slot != NULL)
		fg_timer_start(&source->tick, 0);
	else
		FG_LOG(gw->log, ERROR, "auth", "no room for the keys of this policy: its requests are answered 503",
		    FG_F_STR("policy", name), FG_F_INT("most", FG_MAX_KEY_SLOTS));
	return source;
}

void
fg_key_source_free(struct fg_key_source *source)
{
	FG_ASSERT(source->waiting_count == 0);
	if (source->fetch != NULL) {
		fg_fetch_cancel(source->fetch);
		fg_key_slot_release(source->slot, source->lease);
	}
	fg_timer_stop(&source->tick);
	fg_timer_stop(&source->look);
	fg_key_set_release(source->set);
	fg_arena_fini(&source->places);
	free(source->own_store);
	free(source);
}
