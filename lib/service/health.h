/*
 * What active probes have found out about a target, in one 64-bit word of shared memory: whoever probes moves it, every
 * worker reads it. Zeroed: up, nothing known.
 */
#ifndef FG_SERVICE_HEALTH_H
#define FG_SERVICE_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"

typedef _Atomic uint64_t fg_health;

struct fg_health_conf {
	unsigned up_after;   /* probes in a row that a target which is down has to pass */
	unsigned down_after; /* that one which is up has to fail */
};

enum fg_health_change { FG_HEALTH_SAME, FG_HEALTH_WENT_UP, FG_HEALTH_WENT_DOWN };

/* Down: the topmost bit. */
#define FG_HEALTH_DOWN (UINT64_C(1) << 63)

static inline bool
fg_health_is_up(const fg_health *health)
{
	return (atomic_load_explicit(health, memory_order_relaxed) & FG_HEALTH_DOWN) == 0;
}
/* The moment (monotonic, rounded to ms) of the last change; 0: there was none. */
fg_usec fg_health_since(const fg_health *health);
/* The result of a probe. */
enum fg_health_change fg_health_report(fg_health *health, const struct fg_health_conf *conf, bool passed, fg_usec now);

#endif
