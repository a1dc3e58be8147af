/*
 * A hash table of entries that also stand in a list, the latest used first. The keyed hash (SipHash) over the text finds the
 * entry, the text itself proves it: SHA-256 for both would cost more than all the rest of a hit, and a comparison is only
 * reached by who knows the whole text or the key of the hash.
 */
#include "token/token_cache.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next;          /* of the same bucket */
	struct entry *newer, *older; /* by use */
	uint64_t hash;
	uint32_t provider;
	size_t bytes;             /* what it takes in all */
	fg_usec kept_until;       /* monotonic */
	struct fg_key_id set_id;  /* of the set in which its key was seen last */
	struct fg_token *token;   /* a reference */
	size_t len;
	char text[];
};

struct fg_token_cache {
	struct entry **buckets;
	size_t mask;
	size_t entries_max, bytes_max;
	fg_usec max_age;
	struct entry *newest, *oldest;
	struct fg_token_cache_stats stats;
};

struct fg_token_cache *
fg_token_cache_new(size_t entries, size_t bytes, fg_usec max_age)
{
	struct fg_token_cache *cache = calloc(1, sizeof(*cache));
	size_t buckets = 16;

	FG_ASSERT(cache != NULL && entries > 0 && bytes > 0);
	while (buckets < entries)
		buckets *= 2;
	cache->buckets = calloc(buckets, sizeof(struct entry *));
	FG_ASSERT(cache->buckets != NULL);
	cache->mask = buckets - 1;
	cache->entries_max = entries;
	cache->bytes_max = bytes;
	cache->max_age = max_age;
	return cache;
}

static void
list_remove(struct fg_token_cache *cache, struct entry *entry)
{
	*(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
	*(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void
list_add_newest(struct fg_token_cache *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	*(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

static void
entry_free(struct fg_token_cache *cache, struct entry *entry)
{
	struct entry **at = &cache->buckets[entry->hash & cache->mask];

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	list_remove(cache, entry);
	cache->stats.entries--;
	cache->stats.bytes -= entry->bytes;
	fg_token_release(entry->token);
	explicit_bzero(entry->text, entry->len);
	free(entry);
}

void
fg_token_cache_clear(struct fg_token_cache *cache)
{
	while (cache->newest != NULL)
		entry_free(cache, cache->newest);
}

void
fg_token_cache_free(struct fg_token_cache *cache)
{
	if (cache == NULL)
		return;
	fg_token_cache_clear(cache);
	free(cache->buckets);
	free(cache);
}

static struct entry *
find(const struct fg_token_cache *cache, uint64_t hash, struct fg_str text, uint32_t provider)
{
	struct entry *entry = cache->buckets[hash & cache->mask];

	while (entry != NULL && (entry->hash != hash || entry->provider != provider ||
	    !fg_str_eq_secret((struct fg_str){entry->text, entry->len}, text)))
		entry = entry->next;
	return entry;
}

/* Its key is in the set of now: the same set mostly, which costs one comparison. */
static bool
has_key(struct entry *entry, const struct fg_key_set *keys)
{
	const struct fg_key_id *set_id = fg_key_set_id(keys);

	if (fg_key_id_eq(&entry->set_id, set_id))
		return true;
	if (!fg_key_set_has(keys, &entry->token->key_id))
		return false;
	entry->set_id = *set_id;
	return true;
}

struct fg_token *
fg_token_cache_get(struct fg_token_cache *cache, struct fg_str text, uint32_t provider, const struct fg_key_set *keys,
    const struct fg_clock *now)
{
	struct entry *entry = find(cache, fg_str_hash(text), text, provider);

	if (entry != NULL &&
	    (entry->token->expires <= now->wall || entry->kept_until <= now->mono || !has_key(entry, keys))) {
		entry_free(cache, entry);
		cache->stats.dropped++;
		entry = NULL;
	}
	if (entry == NULL) {
		cache->stats.misses++;
		return NULL;
	}
	cache->stats.hits++;
	if (entry != cache->newest) {
		list_remove(cache, entry);
		list_add_newest(cache, entry);
	}
	return fg_token_hold(entry->token);
}

void
fg_token_cache_put(struct fg_token_cache *cache, struct fg_str text, uint32_t provider, const struct fg_key_set *keys,
    struct fg_token *token, const struct fg_clock *now)
{
	uint64_t hash = fg_str_hash(text);
	struct entry *entry = find(cache, hash, text, provider);
	size_t bytes = sizeof(*entry) + text.len + sizeof(*token) + fg_json_size(token->claims) + fg_json_size(token->header);

	if (entry != NULL)
		entry_free(cache, entry);
	if (bytes > cache->bytes_max || token->expires <= now->wall || cache->max_age <= 0)
		return;
	while (cache->stats.entries == cache->entries_max || cache->stats.bytes > cache->bytes_max - bytes) {
		entry_free(cache, cache->oldest);
		cache->stats.evicted++;
	}
	entry = malloc(sizeof(*entry) + text.len);
	FG_ASSERT(entry != NULL);
	*entry = (struct entry){.next = cache->buckets[hash & cache->mask], .hash = hash, .provider = provider,
	    .bytes = bytes, .kept_until = now->mono + cache->max_age, .set_id = *fg_key_set_id(keys),
	    .token = fg_token_hold(token), .len = text.len};
	memcpy(entry->text, text.p, text.len);
	cache->buckets[hash & cache->mask] = entry;
	list_add_newest(cache, entry);
	cache->stats.entries++;
	cache->stats.bytes += bytes;
}

void
fg_token_cache_drop(struct fg_token_cache *cache, struct fg_str text)
{
	uint64_t hash = fg_str_hash(text);
	struct entry *entry = cache->buckets[hash & cache->mask];

	while (entry != NULL) {
		struct entry *next = entry->next;

		if (entry->hash == hash && fg_str_eq_secret((struct fg_str){entry->text, entry->len}, text))
			entry_free(cache, entry);
		entry = next;
	}
}

const struct fg_token_cache_stats *
fg_token_cache_stats(const struct fg_token_cache *cache)
{
	return &cache->stats;
}
