/* The counters of a pool and its targets, on one page. */
#include "core/status.h"

#include "base/buf.h"
#include "service/targets.h"
#include "stats/stats.h"

bool
fg_status_format_text(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall, struct fg_buf *out)
{
	fg_stats_format_text(stats, now_wall, out);
	if (targets != NULL)
		fg_targets_format_text(targets, stats, out);
	fg_stats_format_reasons_text(stats, out);
	return !out->failed;
}

struct pool {
	const struct fg_stats *stats;
	const struct fg_targets *targets;
};

static bool
is_told(void *arg, struct fg_str name)
{
	const struct pool *pool = arg;

	return fg_targets_has_service(pool->targets, pool->stats, name);
}

/* Those of the configuration in use with how they are now, then others in which something was counted. */
static void
add_services_json(struct pool *pool, struct fg_buf *out)
{
	bool knows = pool->targets != NULL;
	bool first = !knows || !fg_targets_format_services_json(pool->targets, pool->stats, out);

	fg_stats_format_services_json(pool->stats, knows ? is_told : NULL, pool, out, first);
}

bool
fg_status_format_json(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall, struct fg_buf *out)
{
	fg_buf_add_char(out, '{');
	fg_stats_format_json(stats, now_wall, out);
	fg_buf_add(out, FG_STR(",\"services\":{"));
	add_services_json(&(struct pool){stats, targets}, out);
	fg_buf_add(out, FG_STR("},\"targets\":["));
	if (targets != NULL)
		fg_targets_format_json(targets, stats, out);
	fg_buf_add(out, FG_STR("]}\n"));
	return !out->failed;
}

bool
fg_status_format_prometheus(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall, struct fg_buf *out)
{
	bool whole = fg_stats_format_prometheus(stats, now_wall, out);

	if (targets != NULL)
		fg_targets_format_prometheus(targets, stats, out);
	return whole && !out->failed;
}
