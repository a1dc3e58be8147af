/*
 * How many of the requests of the last while have failed, counted by all workers of a pool in shared memory.
 *
 * The time is cut into FG_BREAKER_PARTS parts, each a 64-bit word with the part's number, its requests and those of them
 * that failed. A request is counted by one compare-and-exchange: none is lost, and a worker that dies leaves no half of
 * one. The window moves on by a whole part at a time, so that it is as long as said, or shorter by up to a tenth.
 */
#ifndef FG_SERVICE_BREAKER_RATE_H
#define FG_SERVICE_BREAKER_RATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"

enum { FG_BREAKER_PARTS = 10 };

/* Zeroed: nothing was counted. */
struct fg_breaker_rate {
	_Atomic uint64_t parts[FG_BREAKER_PARTS];
};

struct fg_breaker_tally {
	uint64_t requests, failed;
};

/* One more, now. within: of the window, the same for all calls; after another one it begins anew. */
void fg_breaker_rate_add(struct fg_breaker_rate *rate, fg_usec within, bool failed, fg_usec now);
struct fg_breaker_tally fg_breaker_rate_sum(const struct fg_breaker_rate *rate, fg_usec within, fg_usec now);
/* The window begins anew. Not while others add: what they do may be lost or stay. */
void fg_breaker_rate_clear(struct fg_breaker_rate *rate);

#endif
