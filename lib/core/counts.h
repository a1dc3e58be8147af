/*
 * What becomes of exchanges, counted: which series of the pool's counters (stats/stats.h) belongs to a route, a service, an
 * exchange.
 */
#ifndef FG_CORE_COUNTS_H
#define FG_CORE_COUNTS_H

struct fg_config;
struct fg_exchange;
struct fg_stats;

/*
 * Points every route and service of the configuration to its series (finding it by name, or taking a free one).
 * Requests that no route took are counted under "_none", those of the gateway's own pages under "_admin".
 */
void fg_counts_attach(struct fg_stats *stats, struct fg_config *config);
/* At the end of an exchange: route, service, reason, duration, bytes. */
void fg_counts_add(struct fg_stats *stats, unsigned worker, const struct fg_exchange *x);

#endif
