/*
 * Key sets that were fetched, in the memory that a pool's workers share: one slot for each place they come from. One worker
 * at a time holds the lease of a slot and fetches; all read. Nothing here fetches, and nothing waits.
 *
 * A text is written beside the one that is read, then made the current one; a sum over it tells a reader that was overtaken.
 * A lease ends by itself, so that a worker that died takes nothing with it. Times are monotonic, which all processes of a
 * machine share.
 */
#ifndef FG_KEYS_KEY_STORE_H
#define FG_KEYS_KEY_STORE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"

enum { FG_KEY_ETAG_BYTES = 256 };

struct fg_key_text {
	_Atomic uint32_t len;
	_Atomic uint64_t sum; /* of the text */
	char etag[FG_KEY_ETAG_BYTES]; /* NUL-terminated; of the same answer */
	char text[FG_MAX_FETCHED_KEYS_BYTES];
};

enum fg_key_slot_state { FG_KEYS_NONE, FG_KEYS_GOOD, FG_KEYS_FAILING, FG_KEYS_EXPIRED };

struct fg_key_slot {
	_Atomic uint64_t id;      /* of the place; 0: free */
	_Atomic int64_t used;     /* when a worker last said that it needs it */
	_Atomic uint64_t lease;   /* whoever fetches, and until when; 0: nobody */
	_Atomic uint64_t version; /* of the text: texts[version % 2] is the current one; 0: none yet */
	_Atomic uint64_t ended;   /* fetches, well or not */
	_Atomic int64_t began;    /* the last fetch; 0: none */
	_Atomic int64_t next;     /* when the next is due */
	_Atomic int64_t good;     /* when the text was last known to be that of the provider; 0: never */
	_Atomic int64_t expires;  /* from when on the text is too old to be used */
	_Atomic uint32_t failures; /* in a row */
	_Atomic uint32_t state;   /* enum fg_key_slot_state, as it was last logged */
	struct fg_key_text texts[2];
};

struct fg_key_store {
	struct fg_key_slot slots[FG_MAX_KEY_SLOTS];
};

/* The slot of that place, taken when there is none: a free one, or one that nobody needs any more. NULL: all are in use. */
struct fg_key_slot *fg_key_slot_take(struct fg_key_store *store, uint64_t id, fg_usec now);
/* The slot, to look at; NULL: there is none. */
struct fg_key_slot *fg_key_slot_find(struct fg_key_store *store, uint64_t id);

/* A name for the lease of that worker that ends then. */
uint64_t fg_key_lease(fg_usec until, unsigned worker);
bool fg_key_slot_is_leased(const struct fg_key_slot *slot, fg_usec now);
/* False: somebody else has it. */
bool fg_key_slot_lease(struct fg_key_slot *slot, uint64_t lease, fg_usec now);
bool fg_key_slot_holds(const struct fg_key_slot *slot, uint64_t lease);
void fg_key_slot_release(struct fg_key_slot *slot, uint64_t lease);

/* Takes the lease away from that worker, if it has it. */
void fg_key_slot_break(struct fg_key_slot *slot, unsigned worker);

/* Makes text and etag current; the lease is held. etag is left out when it does not fit. */
void fg_key_slot_write(struct fg_key_slot *slot, struct fg_str text, struct fg_str etag);
/* Copies the current text and its ETag; *version is theirs. False: there is none, or it was overwritten meanwhile. */
bool fg_key_slot_read(const struct fg_key_slot *slot, struct fg_buf *text, char etag[FG_KEY_ETAG_BYTES], uint64_t *version);

#endif
