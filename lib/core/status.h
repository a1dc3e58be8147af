/*
 * All that is told of a pool, its counters (stats/stats.h) and what it knows of targets (service/targets.h) together: for
 * `faregate status`, /status and /metrics.
 */
#ifndef FG_CORE_STATUS_H
#define FG_CORE_STATUS_H

#include "base/clock.h"

struct fg_buf;
struct fg_stats;
struct fg_targets;

/* targets NULL: none are known. False: out was full. */
bool fg_status_format_text(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall, struct fg_buf *out);
bool fg_status_format_json(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall, struct fg_buf *out);
/* Prometheus text format 0.0.4. */
bool fg_status_format_prometheus(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall,
    struct fg_buf *out);

#endif
