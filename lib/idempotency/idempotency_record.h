/*
 * The record of a key with its answer, as both stores keep it.
 *
 * It is reserved by the first that comes with its key, by a token that is its alone, for a lease. It ends in one of four ways,
 * by that token; what does not end is of an unknown outcome once the lease is over. A record that has ended is there until it
 * expires. Whoever comes meanwhile is told what there is, and reserves nothing.
 */
#ifndef FG_IDEMPOTENCY_IDEMPOTENCY_RECORD_H
#define FG_IDEMPOTENCY_IDEMPOTENCY_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum { FG_IDEMPOTENCY_HASH_BYTES = 32 };

struct fg_idempotency_ask {
	uint8_t record[FG_IDEMPOTENCY_HASH_BYTES], fingerprint[FG_IDEMPOTENCY_HASH_BYTES];
	uint64_t token[2];  /* set by begin */
	fg_usec lease, expire;
	bool takes_over;    /* what is of an unknown outcome is reserved anew */
	bool is_peek;       /* nothing is reserved, and fingerprints are not compared */
};

/* What begin has found; the numbers are those of idempotency.lua. */
enum fg_idempotency_state {
	FG_IDEMPOTENCY_NEW,       /* reserved */
	FG_IDEMPOTENCY_IN_FLIGHT, /* by another */
	FG_IDEMPOTENCY_KEPT,      /* an answer */
	FG_IDEMPOTENCY_NOT_KEPT,  /* it was done; the answer is not there (any more) */
	FG_IDEMPOTENCY_UNKNOWN,   /* it may have been done */
	FG_IDEMPOTENCY_MISMATCH,  /* another request came with this key */
};

/* How a reservation ends. */
enum fg_idempotency_end {
	FG_IDEMPOTENCY_KEEP, FG_IDEMPOTENCY_DO_NOT_KEEP, FG_IDEMPOTENCY_DO_NOT_KNOW, FG_IDEMPOTENCY_RELEASE,
};

#endif
