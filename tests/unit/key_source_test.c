/* lib/core/key_source, key_store: one fetch for many, what is kept when a provider fails, leases of workers that die. */
#include <stdio.h>
#include <stdlib.h>

#include "core/key_source.h"
#include "http/uri.h"
#include "keys/key_store.h"
#include "support/service.h"
#include "support/token_maker.h"
#include "unit/exchange_scene.h"

enum { ASKERS = 1000 };

static struct service *service;
static struct fg_arena arena;
static struct fg_gateway workers[2];
static char *key_set;

static int
set_up(void)
{
	struct maker_key *key = maker_key_new("ES256");

	if (scene_set_up() != 0)
		return 1;
	key_set = maker_jwks(maker_jwk(key, "\"kid\":\"a\""), NULL, NULL, NULL);
	maker_key_free(key);
	service = service_start(&(struct service_options){.name = "idp"});
	fg_arena_init(&arena, 1 << 20, NULL, 0);
	workers[0] = workers[1] = scene.gw;
	workers[1].worker = 1;
	return 0;
}

static int
tear_down(void)
{
	service_stop(service);
	fg_arena_fini(&arena);
	free(key_set);
	return scene_tear_down();
}

/* A provider that answers with that status and text. */
static void
set_conf(struct fg_key_source_conf *conf, int status, const char *text)
{
	struct fg_str url = fg_arena_printf(&arena, "http://127.0.0.1:%d/status/%d?body=" FG_STR_FMT, service_port(service), status,
	    FG_STR_ARG(fg_uri_encode(fg_str_from(text), &arena)));

	*conf = (struct fg_key_source_conf){.refresh_min = 60 * FG_US_PER_S, .refresh_max = 3600 * INT64_C(1000000),
	    .refresh = 600 * FG_US_PER_S, .stale = 3600 * INT64_C(1000000), .cooldown = 60 * FG_US_PER_S, .timeout = 60 * FG_US_PER_S};
	CU_ASSERT_EQUAL_FATAL(fg_fetch_url_parse(&conf->url, url, NULL, conf->timeout, &arena), FG_OK);
	conf->id = fg_key_source_id(conf);
}

static void
count_up(void *arg)
{
	++*(int *)arg;
}

/* Turns the loop until the number is reached. */
static void
turn_until(const int *number, int wanted)
{
	while (*number < wanted)
		fg_loop_turn(scene.loop, true);
}

static void
two_workers_fetch_once(void)
{
	struct fg_key_store *store = calloc(1, sizeof(*store));
	unsigned before = service_requests(service);
	struct fg_key_source *sources[2];
	struct fg_key_source_conf conf;
	struct fg_key_wait waits[2];
	int woken = 0;

	set_conf(&conf, 200, key_set);
	for (int i = 0; i < 2; i++) {
		sources[i] = fg_key_source_new(&workers[i], &conf, FG_STR("p"), store);
		CU_ASSERT_PTR_NULL(fg_key_source_keys(sources[i]));
		CU_ASSERT(fg_key_source_ask(sources[i], &waits[i], count_up, &woken));
	}
	turn_until(&woken, 2);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(fg_key_source_keys(sources[i]));
		CU_ASSERT_EQUAL(fg_key_set_count(fg_key_source_keys(sources[i])), 1);
		CU_ASSERT_FALSE(fg_key_source_is_failing(sources[i]));
	}
	CU_ASSERT_EQUAL(service_requests(service) - before, 1);

	/* One that comes later, after a reload say, has them at once. */
	fg_key_source_free(sources[1]);
	sources[1] = fg_key_source_new(&workers[1], &conf, FG_STR("p"), store);
	CU_ASSERT_PTR_NOT_NULL(fg_key_source_keys(sources[1]));
	fg_key_source_free(sources[0]);
	fg_key_source_free(sources[1]);
	CU_ASSERT_EQUAL(service_requests(service) - before, 1);
	free(store);
}

static void
unknown_keys_cost_one_fetch(void)
{
	struct fg_key_store *store = calloc(1, sizeof(*store));
	struct fg_key_wait *waits = calloc(ASKERS, sizeof(*waits)), first;
	struct fg_key_source_conf conf;
	struct fg_key_source *source;
	int woken = 0;
	unsigned before;

	set_conf(&conf, 200, key_set);
	source = fg_key_source_new(&workers[0], &conf, FG_STR("p"), store);
	CU_ASSERT(fg_key_source_ask(source, &first, count_up, &woken));
	turn_until(&woken, 1);
	/* It has just fetched: not now. */
	CU_ASSERT_FALSE(fg_key_source_ask(source, &first, count_up, &woken));
	atomic_store(&store->slots[0].began, fg_loop_clock(scene.loop)->mono - conf.cooldown);
	before = service_requests(service);
	woken = 0;
	for (int i = 0; i < ASKERS; i++)
		CU_ASSERT(fg_key_source_ask(source, &waits[i], count_up, &woken));
	fg_key_source_unask(&waits[7]);
	turn_until(&woken, ASKERS - 1);
	CU_ASSERT_EQUAL(woken, ASKERS - 1);
	CU_ASSERT_EQUAL(service_requests(service) - before, 1);
	CU_ASSERT_FALSE(fg_key_source_ask(source, &first, count_up, &woken));
	fg_key_source_free(source);
	free(waits);
	free(store);
}

static void
a_provider_that_fails(void)
{
	static const struct { int status; const char *text; } failures[] = {
	    {500, "{}"}, {200, "<html>"}, {200, "{\"keys\":[]}"}, {302, ""}, {200, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"}};

	for (size_t i = 0; i < FG_ARRAY_LEN(failures); i++) {
		struct fg_key_store *store = calloc(1, sizeof(*store));
		struct fg_key_slot *slot = &store->slots[0];
		struct fg_key_source_conf conf;
		struct fg_key_source *source;
		struct fg_key_wait wait;
		int woken = 0;

		set_conf(&conf, failures[i].status, failures[i].text);
		source = fg_key_source_new(&workers[0], &conf, FG_STR("p"), store);
		CU_ASSERT(fg_key_source_ask(source, &wait, count_up, &woken));
		turn_until(&woken, 1);
		CU_ASSERT_PTR_NULL(fg_key_source_keys(source));
		CU_ASSERT(fg_key_source_is_failing(source));
		/* Where this machine stood still for all of the pause, it is fetching again. */
		while (fg_key_slot_is_leased(slot, fg_loop_clock(scene.loop)->mono))
			fg_loop_turn(scene.loop, true);
		/* The pause after a failure; a longer one, since this machine may stand still meanwhile. */
		CU_ASSERT(atomic_load(&slot->next) >= atomic_load(&slot->began) + FG_US_PER_S / 2);
		atomic_store(&slot->next, fg_loop_clock(scene.loop)->mono + 3600 * INT64_C(1000000));
		CU_ASSERT_FALSE(fg_key_source_ask(source, &wait, count_up, &woken));
		fg_key_source_free(source);
		free(store);
	}
}

static void
keys_that_are_too_old(void)
{
	struct fg_key_store *store = calloc(1, sizeof(*store));
	struct fg_key_source_conf conf;
	struct fg_key_source *source;
	struct fg_key_wait wait;
	int woken = 0;

	set_conf(&conf, 200, key_set);
	source = fg_key_source_new(&workers[0], &conf, FG_STR("p"), store);
	CU_ASSERT(fg_key_source_ask(source, &wait, count_up, &woken));
	turn_until(&woken, 1);
	CU_ASSERT_PTR_NOT_NULL(fg_key_source_keys(source));
	/* 600 s as nothing is said, and an hour more. */
	CU_ASSERT(atomic_load(&store->slots[0].expires) - atomic_load(&store->slots[0].good) == (600 + 3600) * INT64_C(1000000));
	atomic_store(&store->slots[0].expires, fg_loop_clock(scene.loop)->mono);
	CU_ASSERT_PTR_NULL(fg_key_source_keys(source));
	fg_key_source_free(source);
	free(store);
}

/* Whoever fetched is gone: those who waited for it go on when its lease is over. */
static void
a_lease_ends_by_itself(void)
{
	struct fg_key_store *store = calloc(1, sizeof(*store));
	fg_usec now = fg_loop_clock(scene.loop)->mono;
	struct fg_key_source_conf conf;
	struct fg_key_source *source;
	struct fg_key_slot *slot;
	struct fg_key_wait wait;
	uint64_t lease = fg_key_lease(now + 3600 * INT64_C(1000000), 7);
	int woken = 0;

	set_conf(&conf, 200, key_set);
	slot = fg_key_slot_take(store, conf.id, now);
	CU_ASSERT(fg_key_slot_lease(slot, lease, now));
	CU_ASSERT_FALSE(fg_key_slot_lease(slot, fg_key_lease(now + FG_US_PER_S, 8), now));
	source = fg_key_source_new(&workers[0], &conf, FG_STR("p"), store);
	CU_ASSERT(fg_key_source_ask(source, &wait, count_up, &woken));
	fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(woken, 0);
	atomic_store(&slot->lease, fg_key_lease(now, 7));
	turn_until(&woken, 1);
	CU_ASSERT_PTR_NULL(fg_key_source_keys(source));
	CU_ASSERT(fg_key_source_ask(source, &wait, count_up, &woken));
	turn_until(&woken, 2);
	CU_ASSERT_PTR_NOT_NULL(fg_key_source_keys(source));
	fg_key_source_free(source);
	free(store);
}

/* A worker that was killed while it fetched comes back under its number: nobody waits for the lease of the dead. */
static void
a_worker_that_is_back_fetches_at_once(void)
{
	struct fg_key_store *store = calloc(1, sizeof(*store));
	fg_usec now = fg_loop_clock(scene.loop)->mono;
	struct fg_key_source_conf conf;
	struct fg_key_source *source;
	struct fg_key_slot *slot;
	struct fg_key_wait wait;
	int woken = 0;

	set_conf(&conf, 200, key_set);
	slot = fg_key_slot_take(store, conf.id, now);
	CU_ASSERT(fg_key_slot_lease(slot, fg_key_lease(now + 3600 * INT64_C(1000000), 1), now));
	source = fg_key_source_new(&workers[0], &conf, FG_STR("p"), store);
	CU_ASSERT(fg_key_slot_is_leased(slot, now));
	fg_key_source_free(source);
	source = fg_key_source_new(&workers[1], &conf, FG_STR("p"), store);
	CU_ASSERT_FALSE(fg_key_slot_is_leased(slot, now));
	CU_ASSERT(fg_key_source_ask(source, &wait, count_up, &woken));
	turn_until(&woken, 1);
	CU_ASSERT_PTR_NOT_NULL(fg_key_source_keys(source));
	fg_key_source_free(source);
	free(store);
}

/* What one policy takes for good, another one that is stricter must not find in the same place. */
static void
policies_share_what_they_agree_on(void)
{
	struct fg_key_source_conf conf, other;

	set_conf(&conf, 200, key_set);
	other = conf;
	CU_ASSERT_EQUAL(fg_key_source_id(&other), conf.id);
	other.cooldown = 1;
	CU_ASSERT_EQUAL(fg_key_source_id(&other), conf.id);
	other.stale = 0;
	CU_ASSERT_NOT_EQUAL(fg_key_source_id(&other), conf.id);
	other = conf;
	other.refresh_max = conf.refresh_max + 1;
	CU_ASSERT_NOT_EQUAL(fg_key_source_id(&other), conf.id);
	other = conf;
	other.allow_http = true;
	CU_ASSERT_NOT_EQUAL(fg_key_source_id(&other), conf.id);
}

static void
a_text_that_is_overwritten_is_not_read(void)
{
	struct fg_key_store *store = calloc(1, sizeof(*store));
	struct fg_key_slot *slot = fg_key_slot_take(store, 5, 1);
	char etag[FG_KEY_ETAG_BYTES];
	struct fg_buf text;
	uint64_t version;

	fg_buf_init(&text, FG_MAX_FETCHED_KEYS_BYTES);
	CU_ASSERT_FALSE(fg_key_slot_read(slot, &text, etag, &version));
	fg_key_slot_write(slot, FG_STR("one"), FG_STR("\"e\""));
	fg_key_slot_write(slot, FG_STR("two"), FG_STR_NONE);
	CU_ASSERT(fg_key_slot_read(slot, &text, etag, &version) && version == 2);
	ASSERT_STR(fg_buf_str(&text), "two");
	CU_ASSERT_STRING_EQUAL(etag, "");
	slot->texts[0].text[0] = 'x';
	CU_ASSERT_FALSE(fg_key_slot_read(slot, &text, etag, &version));
	fg_buf_fini(&text);

	/* A slot that nobody has needed for long gives way. */
	for (uint64_t id = 6; id < 5 + FG_MAX_KEY_SLOTS; id++)
		CU_ASSERT_PTR_NOT_NULL(fg_key_slot_take(store, id, 1));
	CU_ASSERT_PTR_NULL(fg_key_slot_take(store, 1000, 2));
	slot = fg_key_slot_take(store, 1000, 3600 * INT64_C(1000000));
	CU_ASSERT(slot != NULL && atomic_load(&slot->version) == 0);
	CU_ASSERT_PTR_EQUAL(fg_key_slot_find(store, 1000), slot);
	free(store);
}

void
suite_key_source(void)
{
	CU_pSuite suite = CU_add_suite("key_source", set_up, tear_down);

	ADD_TEST(suite, two_workers_fetch_once);
	ADD_TEST(suite, unknown_keys_cost_one_fetch);
	ADD_TEST(suite, a_provider_that_fails);
	ADD_TEST(suite, keys_that_are_too_old);
	ADD_TEST(suite, a_lease_ends_by_itself);
	ADD_TEST(suite, a_worker_that_is_back_fetches_at_once);
	ADD_TEST(suite, policies_share_what_they_agree_on);
	ADD_TEST(suite, a_text_that_is_overwritten_is_not_read);
}
