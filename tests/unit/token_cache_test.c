/* lib/token: the cache never gives out what it should not, stays within its bounds, and forgets the least used first. */
#include "token/token_cache.h"
#include "unit/token_scene.h"

struct scene {
	struct maker_key *key;
	struct fg_key_set *keys;
	struct fg_token_cache *cache;
	struct fg_clock now;
};

static void
scene_open(struct scene *scene, size_t entries, size_t bytes)
{
	scene->key = maker_key_new("HS256");
	scene->keys = token_keys(maker_jwk(scene->key, "\"kid\":\"a\""));
	scene->cache = fg_token_cache_new(entries, bytes, 300 * FG_US_PER_S);
	scene->now = (struct fg_clock){.mono = 1000, .wall = TOKEN_NOW};
}

static void
scene_close(struct scene *scene)
{
	fg_token_cache_free(scene->cache);
	fg_key_set_release(scene->keys);
	maker_key_free(scene->key);
}

/* A token of user number n, put into the cache for this provider; its text is the caller's. */
static char *
put(struct scene *scene, unsigned n, uint32_t provider)
{
	const struct fg_token_rules rules = {.algorithms = FG_ALGS_ALL, .claims = {.leeway = 10 * FG_US_PER_S}};
	struct fg_token *token;
	struct fg_jws jws;
	char payload[64], *text;

	snprintf(payload, sizeof(payload), "{\"sub\":\"u%u\",\"exp\":%d}", n, TOKEN_NOW_S + 60);
	text = maker_token(scene->key, "{\"alg\":\"HS256\"}", payload);
	CU_ASSERT_EQUAL_FATAL(fg_jws_parse(&jws, fg_str_from(text), NULL), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_token_verify(&token, &jws, scene->keys, &rules, scene->now.wall, NULL), FG_OK);
	fg_token_cache_put(scene->cache, fg_str_from(text), provider, scene->keys, token, &scene->now);
	fg_token_release(token);
	fg_jws_fini(&jws);
	return text;
}

static bool
has(struct scene *scene, const char *text, uint32_t provider)
{
	struct fg_token *token = fg_token_cache_get(scene->cache, fg_str_from(text), provider, scene->keys, &scene->now);
	bool found = token != NULL;

	fg_token_release(token);
	return found;
}

static void
keyed_by_the_whole(void)
{
	struct scene scene;
	char *a, *b;

	scene_open(&scene, 100, 1024 * 1024);
	a = put(&scene, 1, 7);
	b = put(&scene, 2, 7);
	CU_ASSERT(has(&scene, a, 7) && has(&scene, b, 7));
	CU_ASSERT(!has(&scene, a, 8));
	a[strlen(a) - 2] ^= 1;
	CU_ASSERT(!has(&scene, a, 7));
	a[strlen(a) - 2] ^= 1;
	a[strlen(a) - 1] = '\0';
	CU_ASSERT(!has(&scene, a, 7));
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->hits, 2);
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->misses, 3);
	free(a);
	free(b);
	scene_close(&scene);
}

static void
never_past_its_time(void)
{
	struct scene scene;
	char *text;

	scene_open(&scene, 100, 1024 * 1024);
	text = put(&scene, 1, 0);
	/* exp and the leeway: 70 seconds. */
	scene.now.wall += 70 * FG_US_PER_S - 1;
	CU_ASSERT(has(&scene, text, 0));
	scene.now.wall += 1;
	CU_ASSERT(!has(&scene, text, 0));
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->dropped, 1);
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->entries, 0);
	scene.now.wall = TOKEN_NOW;
	CU_ASSERT(!has(&scene, text, 0));
	free(text);
	/* The age it may have, whatever the wall clock does. */
	text = put(&scene, 1, 0);
	scene.now.mono += 300 * FG_US_PER_S - 1;
	CU_ASSERT(has(&scene, text, 0));
	scene.now.mono += 1;
	CU_ASSERT(!has(&scene, text, 0));
	free(text);
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->bytes, 0);
	scene_close(&scene);
}

static void
goes_with_its_key(void)
{
	struct maker_key *other = maker_key_new("HS256");
	struct fg_key_set *first, *more, *without;
	struct scene scene;
	char *text;

	scene_open(&scene, 100, 1024 * 1024);
	first = scene.keys;
	more = token_keys(maker_jwks(maker_jwk(other, NULL), maker_jwk(scene.key, "\"kid\":\"a\""), NULL, NULL));
	without = token_keys(maker_jwks(maker_jwk(other, "\"kid\":\"a\""), NULL, NULL, NULL));
	text = put(&scene, 1, 0);
	scene.keys = more;
	CU_ASSERT(has(&scene, text, 0));
	scene.keys = without;
	CU_ASSERT(!has(&scene, text, 0));
	/* Gone for good: it does not come back with the set. */
	scene.keys = first;
	CU_ASSERT(!has(&scene, text, 0));
	free(text);
	fg_key_set_release(more);
	fg_key_set_release(without);
	maker_key_free(other);
	scene_close(&scene);
}

static void
bounded_in_entries(void)
{
	struct scene scene;
	char *text[4];

	scene_open(&scene, 3, 1024 * 1024);
	for (unsigned i = 0; i < 3; i++)
		text[i] = put(&scene, i, 0);
	CU_ASSERT(has(&scene, text[0], 0));
	text[3] = put(&scene, 3, 0);
	CU_ASSERT(has(&scene, text[0], 0) && !has(&scene, text[1], 0) && has(&scene, text[2], 0) && has(&scene, text[3], 0));
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->entries, 3);
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->evicted, 1);
	/* The same again takes its own place. */
	free(text[3]);
	text[3] = put(&scene, 3, 0);
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->entries, 3);
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->evicted, 1);
	for (unsigned i = 0; i < 4; i++)
		free(text[i]);
	scene_close(&scene);
}

static void
bounded_in_bytes(void)
{
	struct scene scene;
	size_t one;

	scene_open(&scene, 1000, 16 * 1024);
	free(put(&scene, 0, 0));
	one = fg_token_cache_stats(scene.cache)->bytes;
	CU_ASSERT(one > 400 && one < 2048);
	for (unsigned i = 1; i < 100; i++) {
		free(put(&scene, i, 0));
		CU_ASSERT(fg_token_cache_stats(scene.cache)->bytes <= 16 * 1024);
	}
	CU_ASSERT(fg_token_cache_stats(scene.cache)->entries >= 16 * 1024 / (one + 8));
	scene_close(&scene);
	/* One that cannot fit at all. */
	scene_open(&scene, 1000, 100);
	free(put(&scene, 0, 0));
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->entries, 0);
	scene_close(&scene);
}

static void
references_outlive_it(void)
{
	struct fg_token *token;
	struct scene scene;
	char *text;

	scene_open(&scene, 10, 1024 * 1024);
	text = put(&scene, 5, 1);
	free(put(&scene, 5, 2));
	token = fg_token_cache_get(scene.cache, fg_str_from(text), 1, scene.keys, &scene.now);
	CU_ASSERT_PTR_NOT_NULL_FATAL(token);
	fg_token_cache_drop(scene.cache, fg_str_from(text));
	CU_ASSERT(!has(&scene, text, 1) && !has(&scene, text, 2));
	free(put(&scene, 6, 1));
	fg_token_cache_clear(scene.cache);
	CU_ASSERT_EQUAL(fg_token_cache_stats(scene.cache)->entries, 0);
	scene_close(&scene);
	ASSERT_STR(fg_token_claim(token, FG_STR("sub")), "u5");
	fg_token_release(token);
	free(text);
}

void
suite_token_cache(void)
{
	CU_pSuite suite = CU_add_suite("token_cache", NULL, NULL);

	ADD_TEST(suite, keyed_by_the_whole);
	ADD_TEST(suite, never_past_its_time);
	ADD_TEST(suite, goes_with_its_key);
	ADD_TEST(suite, bounded_in_entries);
	ADD_TEST(suite, bounded_in_bytes);
	ADD_TEST(suite, references_outlive_it);
}
