/*
 * The records of limits in the memory that the workers of a pool share: the store of a pool without Redis, what is enforced
 * of a limit while Redis is not there, and what is known to be refused for a while.
 *
 * A table of a fixed number of places, divided into stripes with a lock each; a lock whose owner has died is taken over
 * (robust mutexes), and what it was writing then is forgotten. When a key finds no place near its own, the one that would
 * expire first gives way, and that is counted: it starts anew. Places of keys that have expired are free.
 */
#ifndef FG_LIMIT_LIMIT_MEMORY_H
#define FG_LIMIT_LIMIT_MEMORY_H

#include "base/shared.h"
#include "limit/limit_store.h"
#include "limit/limit_top.h"

/* In a worker: where things are in the shared memory. */
struct fg_limit_memory {
	struct fg_limit_shared *shared; /* borrowed */
	struct fg_limit_top *top;       /* within it */
	unsigned stripe_places, stripe_logs;
	uint64_t refuser; /* the store whose refusals are meant, by a hash of its name; 0 until it is set */
};

extern const struct fg_shared_kind fg_limit_memory_kind;
/* For so many keys, of which an eighth may have sliding windows. */
size_t fg_limit_memory_size(size_t keys);
void fg_limit_memory_init(struct fg_limit_memory *memory, void *shared);

/* Charges all or none; readings and results are set. True: no limit that is enforced refuses. */
bool fg_limit_memory_take(struct fg_limit_memory *memory, struct fg_limit_ask *asks, size_t count, fg_usec now);
/* The same without charging or locking: memory may be mapped to look at. */
bool fg_limit_memory_peek(const struct fg_limit_memory *memory, struct fg_limit_ask *asks, size_t count, fg_usec now);
/* Takes back what take has charged; releases what was held. */
void fg_limit_memory_give(struct fg_limit_memory *memory, const struct fg_limit_ask *asks, size_t count, fg_usec now);
/* Of concurrency limits: sets hold anew. */
void fg_limit_memory_renew(struct fg_limit_memory *memory, struct fg_limit_ask *asks, size_t count, fg_usec now);
/* Forgets the record. */
void fg_limit_memory_reset(struct fg_limit_memory *memory, const struct fg_limit *limit, const struct fg_limit_key *key);

struct fg_limit_block {
	int64_t cost; /* that was refused */
	fg_usec left; /* how long it still is */
};

/* True: at that cost the key is known to be refused; to be asked before Redis is. */
bool fg_limit_memory_blocked(const struct fg_limit_memory *memory, const struct fg_limit_key *key, int64_t cost,
    const struct fg_clock *now, struct fg_limit_block *block);
/* It is refused from now on for that span, whatever the wall clock is set to meanwhile. */
void fg_limit_memory_block(struct fg_limit_memory *memory, const struct fg_limit_key *key, int64_t cost, const struct fg_clock *now,
    fg_usec span);
/* Forgets all that is known to be refused. */
void fg_limit_memory_unblock_all(struct fg_limit_memory *memory);

/* Keys that gave way before they had expired, since this was last asked by any worker. */
uint64_t fg_limit_memory_take_evictions(struct fg_limit_memory *memory);

/* ---- what the workers of a host know of the others */

struct fg_limit_hosts {
	uint64_t host;       /* this pool's name among them: drawn when the memory was made */
	unsigned alive;      /* at least 1: this one */
	uint64_t resets;     /* counter in Redis: when it changes, somebody has reset a limit */
};

void fg_limit_memory_get_hosts(const struct fg_limit_memory *memory, struct fg_limit_hosts *hosts);
void fg_limit_memory_set_hosts(struct fg_limit_memory *memory, unsigned alive, uint64_t resets);
/* True for one worker of the pool in each such span: it is to announce the pool. */
bool fg_limit_memory_is_due(struct fg_limit_memory *memory, fg_usec now, fg_usec span);

#endif
