/* Which series an exchange is counted in. */
#include "core/counts.h"

#include "core/config.h"
#include "core/exchange.h"
#include "stats/stats.h"

void
fg_counts_attach(struct fg_stats *stats, struct fg_config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		config->routes[i]->stats = fg_stats_route(stats, config->routes[i]->name);
	for (size_t i = 0; i < config->service_count; i++)
		config->services[i]->stats = fg_stats_service(stats, config->services[i]->name);
}

void
fg_counts_add(struct fg_stats *stats, unsigned worker, const struct fg_exchange *x)
{
	struct fg_stats_series *series = fg_stats_route_none(stats);
	unsigned class = x->head_sent && x->resp.status >= 100 && x->resp.status < 600 ? (unsigned)x->resp.status / 100 : 0;

	if (x->route != NULL)
		series = x->route->stats;
	else if (x->reason == FG_ERR_ADMIN || x->reason == FG_ERR_ADMIN_FORBIDDEN)
		series = fg_stats_route_admin(stats);
	if (series != NULL)
		fg_stats_count(series, class, x->ended - x->started, (uint64_t)x->received, (uint64_t)x->sent);
	if (x->called != 0 && x->service != NULL && x->service->stats != NULL)
		fg_stats_count(x->service->stats, class, x->ended - x->called, (uint64_t)x->received, (uint64_t)x->sent);
	fg_stats_count_reason(stats, x->reason);
	atomic_fetch_add_explicit(&fg_stats_worker(stats, worker)->exchanges, 1, memory_order_relaxed);
}
