/* Records of API keys as fields of a Redis hash, and a worker's memory of them. */
#include "core/api_key_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

static const struct fg_str meta_prefix = FG_STR_INIT("meta:");

/* ---- fields */

void
fg_api_key_store_key(char *out, const struct fg_api_key_hash *hash)
{
	char text[FG_API_KEY_HASH_TEXT_LEN + 1];

	fg_api_key_hash_format(text, hash);
	snprintf(out, FG_API_KEY_STORE_KEY_BYTES, "fg:key:%s", text + FG_API_KEY_HASH_TEXT_LEN - 2 * FG_API_KEY_HASH_BYTES);
}

static void
put_field(struct fg_str *fields, size_t *count, struct fg_str name, struct fg_str value)
{
	fields[(*count)++] = name;
	fields[(*count)++] = value;
}

static void
put_time(struct fg_str *fields, size_t *count, struct fg_str name, fg_usec wall, struct fg_arena *arena)
{
	if (wall != 0)
		put_field(fields, count, name, fg_arena_u64(arena, (uint64_t)(wall / FG_US_PER_S)));
}

size_t
fg_api_key_store_fields(const struct fg_api_key_record *record, struct fg_arena *arena, const struct fg_str **out)
{
	struct fg_str *fields = FG_ARENA_ARRAY(arena, struct fg_str, 10 + 2 * record->meta_count);
	size_t count = 0;

	put_field(fields, &count, FG_STR("consumer"), record->consumer);
	put_field(fields, &count, FG_STR("prefix"), record->prefix);
	put_time(fields, &count, FG_STR("created"), record->created, arena);
	put_time(fields, &count, FG_STR("expires"), record->expires, arena);
	put_time(fields, &count, FG_STR("revoked"), record->revoked, arena);
	for (size_t i = 0; i < record->meta_count; i++)
		put_field(fields, &count, FG_ARENA_CONCAT(arena, meta_prefix, record->meta[i].name), record->meta[i].value);
	*out = fields;
	return count;
}

static bool
parse_time(struct fg_str text, fg_usec *wall)
{
	uint64_t seconds;

	if (!fg_str_to_u64(text, &seconds) || seconds == 0 || seconds > INT64_MAX / FG_US_PER_S)
		return false;
	*wall = (fg_usec)seconds * FG_US_PER_S;
	return true;
}

/* A field that is not known was written by a later version; what it says might be a condition, so it is not passed over. */
bool
fg_api_key_store_parse(struct fg_api_key_record *out, const struct fg_str *fields, size_t count, struct fg_arena *arena)
{
	struct fg_name_value *meta = FG_ARENA_ARRAY(arena, struct fg_name_value, count / 2);
	bool ok = count % 2 == 0 && count / 2 <= FG_MAX_API_KEY_META + 5;

	*out = (struct fg_api_key_record){.meta = meta};
	for (size_t i = 0; ok && i < count; i += 2) {
		struct fg_str name = fields[i], value = fields[i + 1];

		if (fg_str_eq(name, FG_STR("consumer")))
			out->consumer = fg_arena_str(arena, value);
		else if (fg_str_eq(name, FG_STR("prefix")))
			out->prefix = fg_arena_str(arena, value);
		else if (fg_str_eq(name, FG_STR("created")))
			ok = parse_time(value, &out->created);
		else if (fg_str_eq(name, FG_STR("expires")))
			ok = parse_time(value, &out->expires);
		else if (fg_str_eq(name, FG_STR("revoked")))
			ok = parse_time(value, &out->revoked);
		else if ((ok = fg_str_starts_with(name, meta_prefix)))
			meta[out->meta_count++] = (struct fg_name_value){
			    fg_arena_str(arena, fg_str_slice(name, meta_prefix.len, name.len)), fg_arena_str(arena, value)};
		ok = ok && fg_api_key_text_is_good(value);
	}
	return ok && out->consumer.len > 0;
}

/* ---- the cache: two tables, so that keys that there are not never push out those that there are */

enum { WAYS = 4, SETS = FG_API_KEY_CACHE_SLOTS / WAYS };

struct entry {
	struct fg_api_key_hash hash;
	fg_usec at;            /* monotonic; 0: the slot is free */
	struct fg_str *fields; /* owned, with their bytes behind them; NULL: there is no such key */
	size_t count;
};

struct fg_api_key_cache {
	struct entry hits[SETS][WAYS], misses[SETS][WAYS];
};

struct fg_api_key_cache *
fg_api_key_cache_new(void)
{
	struct fg_api_key_cache *cache = calloc(1, sizeof(*cache));

	FG_ASSERT(cache != NULL);
	return cache;
}

void
fg_api_key_cache_free(struct fg_api_key_cache *cache)
{
	for (size_t i = 0; cache != NULL && i < SETS; i++)
		for (size_t way = 0; way < WAYS; way++)
			free(cache->hits[i][way].fields);
	free(cache);
}

/* SHA-256 is as good as a hash gets; who tries keys does not choose the place of those that there are. */
static size_t
set_of(const struct fg_api_key_hash *hash)
{
	return ((size_t)hash->bytes[0] << 8 | hash->bytes[1]) % SETS;
}

static const struct entry *
find_in(const struct entry *set, const struct fg_api_key_hash *hash, fg_usec oldest)
{
	for (size_t way = 0; way < WAYS; way++)
		if (set[way].at != 0 && set[way].at >= oldest && fg_api_key_hash_eq(&set[way].hash, hash))
			return &set[way];
	return NULL;
}

bool
fg_api_key_cache_find(const struct fg_api_key_cache *cache, const struct fg_api_key_hash *hash, fg_usec now, fg_usec max_age,
    const struct fg_str **fields, size_t *count)
{
	const struct entry *hit = find_in(cache->hits[set_of(hash)], hash, now - max_age);
	const struct entry *miss = find_in(cache->misses[set_of(hash)], hash, now - max_age);

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
victim(struct entry *set, const struct fg_api_key_hash *hash)
{
	struct entry *oldest = &set[0];

	for (size_t way = 0; way < WAYS; way++) {
		if (set[way].at != 0 && fg_api_key_hash_eq(&set[way].hash, hash))
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
fg_api_key_cache_put(struct fg_api_key_cache *cache, const struct fg_api_key_hash *hash, fg_usec now, const struct fg_str *fields,
    size_t count)
{
	struct entry *entry = victim(count > 0 ? cache->hits[set_of(hash)] : cache->misses[set_of(hash)], hash);
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += fields[i].len;
	free(entry->fields);
	*entry = (struct entry){.hash = *hash};
	if (count == 0 || bytes <= FG_MAX_API_KEY_RECORD_BYTES) {
		entry->fields = count == 0 ? NULL : copy_fields(fields, count, bytes);
		entry->count = count;
		entry->at = now;
	}
}
