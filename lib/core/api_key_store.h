/*
 * API keys in the store (Redis): "fg:key:HEX" is a hash with the fields of one record, HEX the SHA-256 of the key; the hash
 * "fg:keys" has the HEX of each prefix, for people to find one by. A worker keeps answers for a while, so that a key in use
 * costs the store one question now and then, and one that is tried again and again no more.
 */
#ifndef FG_CORE_API_KEY_STORE_H
#define FG_CORE_API_KEY_STORE_H

#include "core/api_key_record.h"

struct fg_redis;
struct fg_redis_reply;

/* ---- records as the store has them */

enum { FG_API_KEY_STORE_KEY_BYTES = 7 + 2 * FG_API_KEY_HASH_BYTES + 1 };
#define FG_API_KEY_STORE_INDEX "fg:keys"

/* "fg:key:HEX", NUL-terminated. */
void fg_api_key_store_key(char *out, const struct fg_api_key_hash *hash);
/*
 * Names and values of the fields of a record, for HSET; in the arena. Their count (two a field).
 */
size_t fg_api_key_store_fields(const struct fg_api_key_record *record, struct fg_arena *arena, const struct fg_str **out);
/* The record of such fields, copied into the arena; its hash is the caller's to set. False: they are not those of one. */
bool fg_api_key_store_parse(struct fg_api_key_record *out, const struct fg_str *fields, size_t count, struct fg_arena *arena);

/* ---- a worker's memory of what the store said */

struct fg_api_key_cache;

struct fg_api_key_cache *fg_api_key_cache_new(void);
void fg_api_key_cache_free(struct fg_api_key_cache *cache); /* NULL: nothing */
/* What was said of that key no longer than max_age before now (monotonic). fields count 0: that there is none. */
bool fg_api_key_cache_find(const struct fg_api_key_cache *cache, const struct fg_api_key_hash *hash, fg_usec now,
    fg_usec max_age, const struct fg_str **fields, size_t *count);
/* Copied; takes the place of the oldest of its neighbours of the same kind. Over FG_MAX_API_KEY_RECORD_BYTES nothing is kept. */
void fg_api_key_cache_put(struct fg_api_key_cache *cache, const struct fg_api_key_hash *hash, fg_usec now,
    const struct fg_str *fields, size_t count);

#endif
