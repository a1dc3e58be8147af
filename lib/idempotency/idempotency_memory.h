/*
 * Records of keys in the memory that the workers of a pool share, and a ring of bytes for the answers.
 *
 * A table of a fixed number of records under one lock; a lock whose owner has died is taken over (robust mutex), and what that
 * one was writing is either not there or of an unknown outcome. When a key finds no place near its own, the record that has
 * ended and would expire first gives way, and that is counted; one that is in flight never does. The ring is written on and
 * on: an answer that was overwritten is "not kept", so that it may be missing, but nothing is done twice for that.
 */
#ifndef FG_IDEMPOTENCY_IDEMPOTENCY_MEMORY_H
#define FG_IDEMPOTENCY_IDEMPOTENCY_MEMORY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/shared.h"
#include "idempotency/idempotency_record.h"

struct fg_idempotency_memory; /* in shared memory */

extern const struct fg_shared_kind fg_idempotency_memory_kind;
/* With FG_IDEMPOTENCY_ROOM_BYTES for answers a record. */
size_t fg_idempotency_memory_size(size_t records);

/* now: monotonic. FG_ERR_STORE_FULL: all places near its own are in flight. *answer gets what is kept. */
FG_MUST_CHECK enum fg_err fg_idempotency_memory_begin(struct fg_idempotency_memory *memory, const struct fg_idempotency_ask *ask,
    fg_usec now, enum fg_idempotency_state *state, struct fg_buf *answer);
/* The same without reserving or locking: memory may be mapped to look at. The answer is not fetched. */
enum fg_idempotency_state fg_idempotency_memory_peek(const struct fg_idempotency_memory *memory,
    const struct fg_idempotency_ask *ask, fg_usec now);
/* False: the reservation is not this one's any more, or was never. */
bool fg_idempotency_memory_end(struct fg_idempotency_memory *memory, const struct fg_idempotency_ask *ask,
    enum fg_idempotency_end end, struct fg_str answer, fg_usec now);
/* Records that gave way before they had expired, since this was last asked by any worker. */
uint64_t fg_idempotency_memory_take_evictions(struct fg_idempotency_memory *memory);

#endif
