/*
 * Verified tokens that came before: one cache a worker, bounded in entries and in bytes; when full, the least recently used
 * goes. An entry is found by a keyed hash and believed only if the whole text and the provider are equal, so nobody's token
 * can be taken for another's.
 *
 * A token is never given out at or after the moment it expires, nor once it has been kept for max_age, nor when the key that
 * verified it is not in the set the caller has now.
 */
#ifndef FG_TOKEN_TOKEN_CACHE_H
#define FG_TOKEN_TOKEN_CACHE_H

#include "token/token.h"

struct fg_token_cache;

struct fg_token_cache_stats {
	uint64_t hits, misses;
	uint64_t evicted; /* for room */
	uint64_t dropped; /* expired, too old, or their key gone */
	size_t entries, bytes;
};

/* entries and bytes: at least 1 each; max_age in microseconds. Never NULL. */
struct fg_token_cache *fg_token_cache_new(size_t entries, size_t bytes, fg_usec max_age);
void fg_token_cache_free(struct fg_token_cache *cache); /* NULL: nothing. References given out stay good. */

/*
 * provider: a number of the caller's for the rules the token was checked by; two providers never share an entry. keys: the
 * set of that provider now. now: wall and monotonic time of the turn. One reference, or NULL.
 */
struct fg_token *fg_token_cache_get(struct fg_token_cache *cache, struct fg_str text, uint32_t provider,
    const struct fg_key_set *keys, const struct fg_clock *now);
/* Takes a reference of its own, replacing what was there. A token that cannot fit, or has expired, is not kept. */
void fg_token_cache_put(struct fg_token_cache *cache, struct fg_str text, uint32_t provider,
    const struct fg_key_set *keys, struct fg_token *token, const struct fg_clock *now);
/* Forgets one, for all providers (it was revoked), or everything. */
void fg_token_cache_drop(struct fg_token_cache *cache, struct fg_str text);
void fg_token_cache_clear(struct fg_token_cache *cache);

const struct fg_token_cache_stats *fg_token_cache_stats(const struct fg_token_cache *cache);

#endif
