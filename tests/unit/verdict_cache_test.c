/* lib/core/verdict_cache: what was found out about secrets. */
#include <stdio.h>
#include <stdlib.h>

#include "keys/verdict_cache.h"
#include "token/api_key.h"
#include "unit/unit.h"

static bool
is_kept(struct fg_verdict_cache *cache, const struct fg_api_key_hash *hash, fg_usec now, fg_usec max_age, size_t expected)
{
	const struct fg_str *fields;
	size_t count = 99;

	return fg_verdict_cache_find(cache, hash->bytes, now, max_age, &fields, &count) && count == expected;
}

static void
verdicts_are_kept_for_a_while(void)
{
	struct fg_str fields[] = {FG_STR("consumer"), FG_STR("acme")};
	struct fg_verdict_cache *cache = fg_verdict_cache_new();
	struct fg_api_key_hash good, other;
	fg_usec s = FG_US_PER_S;

	fg_api_key_hash(&good, FG_STR("good"));
	fg_api_key_hash(&other, FG_STR("other"));
	CU_ASSERT(!is_kept(cache, &good, 100 * s, 10 * s, 2));
	fg_verdict_cache_put(cache, good.bytes, 100 * s, fields, 2);
	fg_verdict_cache_put(cache, other.bytes, 100 * s, NULL, 0);
	CU_ASSERT(is_kept(cache, &good, 110 * s, 10 * s, 2));
	CU_ASSERT(!is_kept(cache, &good, 110 * s + 1, 10 * s, 2));
	CU_ASSERT(is_kept(cache, &other, 110 * s, 10 * s, 0));
	CU_ASSERT(is_kept(cache, &good, 130 * s, 40 * s, 2)); /* stale, where that is allowed */
	/* the later word counts, whichever way */
	fg_verdict_cache_put(cache, good.bytes, 105 * s, NULL, 0);
	CU_ASSERT(is_kept(cache, &good, 106 * s, 10 * s, 0));
	fg_verdict_cache_put(cache, good.bytes, 107 * s, fields, 2);
	CU_ASSERT(is_kept(cache, &good, 108 * s, 10 * s, 2));
	fg_verdict_cache_free(cache);
}

/* However many keys are tried that there are not, those that there are stay. */
static void
a_flood_pushes_out_no_good_one(void)
{
	struct fg_str fields[] = {FG_STR("consumer"), FG_STR("acme")};
	struct fg_verdict_cache *cache = fg_verdict_cache_new();
	struct fg_api_key_hash good, tried;
	char text[32];

	fg_api_key_hash(&good, FG_STR("good"));
	fg_verdict_cache_put(cache, good.bytes, 1000, fields, 2);
	for (int i = 0; i < 40000; i++) {
		fg_api_key_hash(&tried, (struct fg_str){text, (size_t)snprintf(text, sizeof(text), "try %d", i)});
		fg_verdict_cache_put(cache, tried.bytes, 1000 + i, NULL, 0);
	}
	CU_ASSERT(is_kept(cache, &good, 41000, 100000, 2));
	CU_ASSERT(is_kept(cache, &tried, 41000, 100000, 0));
	fg_verdict_cache_free(cache);
}

/* Beyond the bound nothing is kept, and what was known before is not either. */
static void
what_is_too_large_is_not_kept(void)
{
	static char large[9000];
	struct fg_str fields[] = {FG_STR("a"), {large, sizeof(large)}};
	struct fg_verdict_cache *cache = fg_verdict_cache_new();
	struct fg_api_key_hash key;

	fg_api_key_hash(&key, FG_STR("key"));
	fg_verdict_cache_put(cache, key.bytes, 1000, fields, 1);
	CU_ASSERT(is_kept(cache, &key, 1000, 1000, 1));
	fg_verdict_cache_put(cache, key.bytes, 1001, fields, 2);
	CU_ASSERT(!is_kept(cache, &key, 1001, 1000, 1));
	CU_ASSERT(!is_kept(cache, &key, 1001, 1000, 2));
	fg_verdict_cache_free(cache);
}

void
suite_verdict_cache(void)
{
	CU_pSuite suite = CU_add_suite("verdict_cache", NULL, NULL);

	ADD_TEST(suite, verdicts_are_kept_for_a_while);
	ADD_TEST(suite, a_flood_pushes_out_no_good_one);
	ADD_TEST(suite, what_is_too_large_is_not_kept);
}
