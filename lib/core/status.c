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

bool
fg_status_format_json(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall, struct fg_buf *out)
{
	fg_buf_add_char(out, '{');
	fg_stats_format_json(stats, now_wall, out);
	fg_buf_add(out, FG_STR(",\"services\":{"));
	if (targets != NULL)
		fg_targets_format_services_json(targets, stats, out);
	else
		fg_stats_format_services_json(stats, NULL, NULL, out, true);
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
