/* Looking for slots whose worker is no more. */
#include "core/dead_workers.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/engine.h"
#include "stats/stats.h"

enum { EVERY_US = FG_US_PER_S, LOOKED_US = 100 * FG_US_PER_MS };

struct fg_dead_workers {
	struct fg_gateway *gw;
	struct fg_timer timer;
};

void
fg_dead_workers_look(struct fg_gateway *gw)
{
	struct fg_stats_death death = {0};

	if (gw->stats == NULL || !fg_stats_may_look_for_dead(gw->stats, fg_loop_clock(gw->loop)->mono, LOOKED_US))
		return;
	while (fg_stats_free_dead(gw->stats, &death))
		FG_LOG(gw->log, WARN, "worker", "worker died", FG_F_INT("pid", death.pid),
		    FG_F_INT("in_flight", (int64_t)death.in_flight), FG_F_INT("connections", (int64_t)death.connections));
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct fg_dead_workers *dead = arg;

	fg_dead_workers_look(dead->gw);
	fg_timer_start(timer, EVERY_US);
}

struct fg_dead_workers *
fg_dead_workers_start(struct fg_gateway *gw)
{
	struct fg_dead_workers *dead = calloc(1, sizeof(*dead));

	FG_ASSERT(dead != NULL);
	dead->gw = gw;
	fg_timer_init(&dead->timer, gw->loop, on_timer, dead);
	on_timer(&dead->timer, dead);
	return dead;
}

void
fg_dead_workers_stop(struct fg_dead_workers *dead)
{
	if (dead == NULL)
		return;
	fg_timer_stop(&dead->timer);
	free(dead);
}
