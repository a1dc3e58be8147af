/* Two tables, so that secrets that are wrong never push out those that are right. */
#include "keys/verdict_cache.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"

enum { WAYS = 4, SETS = FG_VERDICT_CACHE_SLOTS / WAYS };

struct entry {
	uint8_t key[FG_VERDICT_KEY_BYTES];
	fg_usec at;            /* monotonic; 0: the slot is free */
	struct fg_str *fields; /* owned, with their bytes behind them; NULL: no */
	size_t count;
};

struct fg_verdict_cache {
	struct entry hits[SETS][WAYS], misses[SETS][WAYS];
};

struct fg_verdict_cache *
fg_verdict_cache_new(void)
{
	struct fg_verdict_cache *cache = calloc(1, sizeof(*cache));

	FG_ASSERT(cache != NULL);
	return cache;
}

void
fg_verdict_cache_free(struct fg_verdict_cache *cache)
{
	for (size_t i = 0; cache != NULL && i < SETS; i++)
		for (size_t way = 0; way < WAYS; way++)
			free(cache->hits[i][way].fields);
	free(cache);
}

/* SHA-256 is as good as a hash gets; who tries secrets does not choose the place of the good ones. */
static size_t
set_of(const uint8_t *key)
{
	return ((size_t)key[0] << 8 | key[1]) % SETS;
}

static bool
is_key(const uint8_t *a, const uint8_t *b)
{
	return fg_str_eq_secret((struct fg_str){(const char *)a, FG_VERDICT_KEY_BYTES}, (struct fg_str){(const char *)b, FG_VERDICT_KEY_BYTES});
}

static const struct entry *
find_in(const struct entry *set, const uint8_t *key, fg_usec oldest)
{
	for (size_t way = 0; way < WAYS; way++)
		if (set[way].at != 0 && set[way].at >= oldest && is_key(set[way].key, key))
			return &set[way];
	return NULL;
}

bool
fg_verdict_cache_find(const struct fg_verdict_cache *cache, const uint8_t *key, fg_usec now, fg_usec max_age,
    const struct fg_str **fields, size_t *count)
{
	const struct entry *hit = find_in(cache->hits[set_of(key)], key, now - max_age);
	const struct entry *miss = find_in(cache->misses[set_of(key)], key, now - max_age);

	/* The later word counts. */
	if (hit == NULL || (miss != NULL && miss->at > hit->at))
		hit = miss;
	if (hit == NULL)
		return false;
	*fields = hit->fields;
	*count = hit->count;
	return true;
}

/* Its own, if it is there; else the oldest. */
static struct entry *
victim(struct entry *set, const uint8_t *key)
{
	struct entry *oldest = &set[0];

	for (size_t way = 0; way < WAYS; way++) {
		if (set[way].at != 0 && is_key(set[way].key, key))
			return &set[way];
		if (set[way].at < oldest->at)
			oldest = &set[way];
	}
	return oldest;
}

static struct fg_str *
copy_fields(const struct fg_str *fields, size_t count, size_t bytes)
{
	struct fg_str *copy = malloc(count * sizeof(*copy) + bytes + 1);
	char *at = (char *)(copy + count);

	FG_ASSERT(copy != NULL);
	for (size_t i = 0; i < count; i++) {
		copy[i] = (struct fg_str){at, fields[i].len};
		if (fields[i].len > 0)
			memcpy(at, fields[i].p, fields[i].len);
		at += fields[i].len;
	}
	return copy;
}

void
fg_verdict_cache_put(struct fg_verdict_cache *cache, const uint8_t *key, fg_usec now, const struct fg_str *fields,
    size_t count)
{
	struct entry *entry = victim(count > 0 ? cache->hits[set_of(key)] : cache->misses[set_of(key)], key);
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += fields[i].len;
	free(entry->fields);
	*entry = (struct entry){.at = 0};
	memcpy(entry->key, key, sizeof(entry->key));
	if (count == 0 || bytes <= FG_MAX_VERDICT_BYTES) {
		entry->fields = count == 0 ? NULL : copy_fields(fields, count, bytes);
		entry->count = count;
		entry->at = now;
	}
}
