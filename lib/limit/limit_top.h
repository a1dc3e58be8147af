/*
 * Whom limits refuse most, lately: a sample of bounded size in the pool's memory, by hashes of keys alone (who is behind one is
 * found by `faregate limits show VALUE`, which says the hash).
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi 2005): a newcomer takes the place of the one with the fewest, and its number too,
 * which then is the most that it can be too high by. What is refused more often than 1/FG_LIMIT_TOP of the time is always
 * there. All numbers are halved each minute. A worker that finds the sample locked leaves the refusal out.
 */
#ifndef FG_LIMIT_LIMIT_TOP_H
#define FG_LIMIT_LIMIT_TOP_H

#include <pthread.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

enum { FG_LIMIT_TOP = 64 };

struct fg_limit_top_entry {
	uint64_t limit;   /* fg_limit_top_name() of the policy; 0: free */
	uint64_t key;     /* struct fg_limit_key's first word */
	uint64_t refused; /* since it is here, halved each minute */
	uint64_t excess;  /* of these not more than so many may be another's */
};

/* In shared memory; zeroed, then fg_limit_top_init(). */
struct fg_limit_top {
	pthread_mutex_t lock; /* robust */
	fg_usec halved;       /* monotonic */
	struct fg_limit_top_entry entries[FG_LIMIT_TOP];
};

uint64_t fg_limit_top_name(struct fg_str policy);
void fg_limit_top_add(struct fg_limit_top *top, uint64_t policy, uint64_t key, fg_usec now);
/* A copy, the most refused first; how many there are. What a worker writes meanwhile may show in part. */
size_t fg_limit_top_read(const struct fg_limit_top *top, struct fg_limit_top_entry out[FG_LIMIT_TOP]);

#endif
