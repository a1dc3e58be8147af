/*
 * How long a service has taken lately, shared by the pool: a histogram with four buckets to each doubling, whose old counts
 * fade, and a percentile of it that is looked up now and then, not at each request. Everything is an atomic; a worker that
 * dies leaves at most some counts halved and others not yet.
 */
#ifndef FG_SERVICE_LATENCY_H
#define FG_SERVICE_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"

/* From 64 microseconds to 67 seconds; what is outside counts at the end it is beyond. */
enum { FG_LATENCY_BUCKETS = 80 };

/* Zeroed: nothing is known. */
struct fg_latency {
	_Atomic uint32_t buckets[FG_LATENCY_BUCKETS];
	_Atomic uint32_t added;   /* so far, modulo 2^32 */
	_Atomic int64_t faded;    /* monotonic: when the counts were halved last */
	_Atomic int64_t estimate; /* 0: none */
};

/*
 * One more answer took that long; percentile (1..99) is what fg_latency_get() is to give. now: monotonic, above 0. Counts are
 * halved each minute and when they are many, so that the estimate follows what the service does.
 */
void fg_latency_add(struct fg_latency *latency, int percentile, fg_usec span, fg_usec now);
/*
 * So many of a hundred recent answers took no longer: within a quarter of a doubling, and as of the last 16th answer. 0: too few
 * are known to tell, 20 at least, and of them one that is slower.
 */
fg_usec fg_latency_get(const struct fg_latency *latency);

#endif
