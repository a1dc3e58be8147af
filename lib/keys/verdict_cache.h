/*
 * What was found out about a secret (a key, a password, whatever a caller shows), kept in a worker for a while, so that one in use
 * costs whoever has to be asked one question now and then, and one that is tried again and again no more. Bounded: a new verdict
 * takes the place of an old one.
 */
#ifndef FG_KEYS_VERDICT_CACHE_H
#define FG_KEYS_VERDICT_CACHE_H

#include "base/clock.h"
#include "base/str.h"

struct fg_verdict_cache;

enum { FG_VERDICT_KEY_BYTES = 32 }; /* SHA-256 of the secret, and of whatever else the verdict depends on */

/* Never NULL. */
struct fg_verdict_cache *fg_verdict_cache_new(void);
void fg_verdict_cache_free(struct fg_verdict_cache *cache); /* NULL: nothing */
/* A verdict no older than max_age at that time (monotonic): what is known, or count 0 for no. Until the next put. */
bool fg_verdict_cache_find(const struct fg_verdict_cache *cache, const uint8_t *key, fg_usec now, fg_usec max_age,
    const struct fg_str **fields, size_t *count);
/* Copied. Over FG_MAX_VERDICT_BYTES nothing is kept. */
void fg_verdict_cache_put(struct fg_verdict_cache *cache, const uint8_t *key, fg_usec now, const struct fg_str *fields,
    size_t count);

#endif
