/*
 * The counters in the Prometheus text format 0.0.4. Labels are bounded: routes and services of the configuration,
 * classes of status codes, and the table of reasons.
 */
#include <config.h>
#include <string.h>

#include "base/buf.h"
#include "stats/prometheus.h"
#include "stats/stats.h"
#include "stats/stats_layout.h"

static const fg_usec bounds[FG_STATS_BUCKETS - 1] = FG_STATS_BOUNDS;

static void
add_scalar(struct fg_buf *out, const char *name, const char *type, const char *help, uint64_t number)
{
	fg_prometheus_head(out, name, type, help);
	fg_buf_add(out, fg_str_from(name));
	fg_prometheus_number(out, number);
}

static void
add_by_class(struct fg_buf *out, const struct fg_stats_snapshot *snap, const char *metric, const char *label)
{
	for (unsigned i = 0; i < FG_ARRAY_LEN(snap->by_class); i++) {
		if (snap->by_class[i] == 0)
			continue;
		fg_buf_printf(out, "%s{%s=", metric, label);
		fg_prometheus_label(out, snap->name);
		fg_buf_printf(out, ",code=\"%s\"}", fg_stats_class_names[i]);
		fg_prometheus_number(out, snap->by_class[i]);
	}
}

static void
add_histogram(struct fg_buf *out, const struct fg_stats_snapshot *snap, const char *metric, const char *label)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < FG_STATS_BUCKETS; i++) {
		below += snap->bucket[i];
		fg_buf_printf(out, "%s_bucket{%s=", metric, label);
		fg_prometheus_label(out, snap->name);
		fg_buf_add(out, FG_STR(",le=\""));
		if (i < FG_STATS_BUCKETS - 1)
			fg_buf_printf(out, "%g", (double)bounds[i] / FG_US_PER_S);
		else
			fg_buf_add(out, FG_STR("+Inf"));
		fg_buf_add(out, FG_STR("\"}"));
		fg_prometheus_number(out, below);
	}
	fg_buf_printf(out, "%s_sum{%s=", metric, label);
	fg_prometheus_label(out, snap->name);
	fg_buf_add(out, FG_STR("} "));
	fg_stats_add_seconds(out, snap->micros);
	fg_buf_printf(out, "\n%s_count{%s=", metric, label);
	fg_prometheus_label(out, snap->name);
	fg_buf_add_char(out, '}');
	fg_prometheus_number(out, below);
}

static void
add_received(struct fg_buf *out, const struct fg_stats_snapshot *snap, const char *metric, const char *label)
{
	fg_buf_printf(out, "%s{%s=", metric, label);
	fg_prometheus_label(out, snap->name);
	fg_buf_add_char(out, '}');
	fg_prometheus_number(out, snap->bytes_in);
}

static void
add_sent(struct fg_buf *out, const struct fg_stats_snapshot *snap, const char *metric, const char *label)
{
	fg_buf_printf(out, "%s{%s=", metric, label);
	fg_prometheus_label(out, snap->name);
	fg_buf_add_char(out, '}');
	fg_prometheus_number(out, snap->bytes_out);
}

/* One metric over all series of a kind: its lines have to stand together. */
static const struct {
	const char *name, *type, *label, *help;
	void (*format)(struct fg_buf *out, const struct fg_stats_snapshot *snap, const char *metric, const char *label);
} series_metrics[] = {
    {"faregate_requests_total", "counter", "route",
	"Exchanges ended, by route and class of the status sent (none: the client left first).", add_by_class},
    {"faregate_request_duration_seconds", "histogram", "route",
	"From the first byte of a request to the end of its exchange.", add_histogram},
    {"faregate_received_bytes_total", "counter", "route", "Bytes of request bodies.", add_received},
    {"faregate_sent_bytes_total", "counter", "route", "Bytes of response bodies.", add_sent},
    {"faregate_service_requests_total", "counter", "service",
	"Exchanges forwarded, by service and class of the status sent.", add_by_class},
    {"faregate_service_duration_seconds", "histogram", "service",
	"From the start of forwarding to the end of the exchange.", add_histogram},
};

static const struct {
	const char *name, *help;
	enum fg_stats_counter counter;
} scalar_counters[] = {
    {"faregate_connections_accepted_total", "FastCGI connections accepted.", FG_COUNT_CONNECTIONS_ACCEPTED},
    {"faregate_service_connections_total", "Connections opened to services.", FG_COUNT_SERVICE_CONNECTIONS},
    {"faregate_limits_keys_evicted_total", "Keys of limits that gave way in memory before they had expired.", FG_COUNT_LIMIT_KEYS_EVICTED},
    {"faregate_idempotency_evicted_total", "Keys with their answers that gave way in memory before they had expired.",
	FG_COUNT_IDEMPOTENCY_EVICTED},
    {"faregate_log_lines_dropped_total", "Log lines that found the queue full or the disk refusing them.",
	FG_COUNT_LOG_LINES_DROPPED},
    {"faregate_worker_deaths_total", "Workers that ended without being told to.", FG_COUNT_WORKER_DEATHS},
    {"faregate_exchanges_lost_total", "Exchanges that were under way in workers when these died.", FG_COUNT_EXCHANGES_LOST},
    {"faregate_regex_limit_total", "Paths on which a regex gave up at its match limit.", FG_COUNT_REGEX_LIMIT},
};

static void
add_lookups(struct fg_buf *out, const struct fg_stats *stats)
{
	static const char *const outcomes[] = {"found", "not_found", "failed", "timed_out"};

	fg_prometheus_head(out, "faregate_dns_lookups_total", "counter", "Lookups of names, by outcome.");
	for (unsigned i = 0; i < FG_ARRAY_LEN(outcomes); i++) {
		fg_buf_printf(out, "faregate_dns_lookups_total{outcome=\"%s\"}", outcomes[i]);
		fg_prometheus_number(out, fg_stats_get(stats, FG_COUNT_DNS_FOUND + i));
	}
	add_scalar(out, "faregate_dns_kept_total", "counter",
	    "Lookups that found nothing and left addresses of an earlier one in use.", fg_stats_get(stats, FG_COUNT_DNS_KEPT));
}

static void
add_outcomes(struct fg_buf *out, const struct fg_stats *stats)
{
	fg_prometheus_head(out, "faregate_outcomes_total", "counter", "Exchanges and broken requests, by reason.");
	/* All reasons an exchange can have, those not seen yet too: a rate needs the zero before the first. */
	for (unsigned i = 0; i <= FG_ERR_FCGI_TIMEOUT; i++) {
		fg_buf_printf(out, "faregate_outcomes_total{reason=\"%s\"}", fg_err_token((enum fg_err)i));
		fg_prometheus_number(out, fg_stats_get_reason(stats, (enum fg_err)i));
	}
}

static void
add_pool(struct fg_buf *out, const struct fg_stats *stats)
{
	struct fg_stats_sums sums = fg_stats_sum(stats);
	struct fg_stats_pool pool;

	fg_stats_get_pool(stats, &pool);
	fg_prometheus_head(out, "faregate_build_info", "gauge", "The program's version; always 1.");
	fg_buf_add(out, FG_STR("faregate_build_info{version=\"" PACKAGE_VERSION "\"} 1\n"));
	if (pool.started != 0) {
		fg_prometheus_head(out, "faregate_start_time_seconds", "gauge", "When the pool started, in seconds since 1970.");
		fg_buf_add(out, FG_STR("faregate_start_time_seconds "));
		fg_stats_add_seconds(out, (uint64_t)pool.started);
		fg_buf_add_char(out, '\n');
		add_scalar(out, "faregate_config_generation", "gauge",
		    "Configurations this pool has run, the present one included.", pool.generation);
	}
	fg_prometheus_head(out, "faregate_workers", "gauge", "Workers, by state.");
	for (unsigned i = FG_WORKER_STARTING; i < FG_STATS_STATES; i++) {
		fg_buf_printf(out, "faregate_workers{state=\"%s\"}", fg_stats_state_names[i]);
		fg_prometheus_number(out, sums.by_state[i]);
	}
	add_scalar(out, "faregate_in_flight", "gauge", "Exchanges under way.", sums.in_flight);
	if (fg_stats_get(stats, FG_COUNT_LIMIT_HOSTS) > 0)
		add_scalar(out, "faregate_limits_hosts", "gauge", "Hosts that share the store's limits, when it last answered.",
		    fg_stats_get(stats, FG_COUNT_LIMIT_HOSTS));
	add_scalar(out, "faregate_connections", "gauge", "FastCGI connections open.", sums.connections);
	fg_prometheus_head(out, "faregate_reloads_total", "counter", "Reloads of the configuration, by result.");
	fg_buf_add(out, FG_STR("faregate_reloads_total{result=\"taken\"}"));
	fg_prometheus_number(out, fg_stats_get(stats, FG_COUNT_RELOADS));
	fg_buf_add(out, FG_STR("faregate_reloads_total{result=\"refused\"}"));
	fg_prometheus_number(out, fg_stats_get(stats, FG_COUNT_RELOADS_REFUSED));
}

static void
add_cell(struct fg_buf *out, const struct fg_stats_family_info *family, const struct fg_stats_cell *cell, fg_usec now_wall)
{
	uint64_t value = fg_stats_load(&cell->value), now = (uint64_t)now_wall;

	if (family->is_time && value == 0)
		return;
	fg_buf_printf(out, "%s{policy=", family->name);
	fg_prometheus_label(out, fg_str_from(cell->policy));
	if (family->label != NULL) {
		fg_buf_printf(out, ",%s=", family->label);
		fg_prometheus_label(out, fg_str_from(cell->label));
	}
	fg_buf_add_char(out, '}');
	if (!family->is_time) {
		fg_prometheus_number(out, value);
		return;
	}
	fg_buf_add_char(out, ' ');
	fg_stats_add_seconds(out, now > value ? now - value : 0);
	fg_buf_add_char(out, '\n');
}

/* Families that nothing was counted in are left out. */
static void
add_families(struct fg_buf *out, const struct fg_stats *stats, fg_usec now_wall)
{
	for (unsigned f = 0; f < FG_FAMILIES; f++) {
		const struct fg_stats_family_info *family = &fg_stats_families[f];
		bool has_head = false;

		for (size_t n = 0; n < FG_MAX_STATS_CELLS + FG_FAMILIES; n++) {
			const struct fg_stats_cell *cell = fg_stats_cell_at(stats, n);

			if (cell == NULL || cell->family != f)
				continue;
			if (!has_head)
				fg_prometheus_head(out, family->name, family->type, family->help);
			has_head = true;
			add_cell(out, family, cell, now_wall);
		}
	}
}

bool
fg_stats_format_prometheus(const struct fg_stats *stats, fg_usec now_wall, struct fg_buf *out)
{
	struct fg_stats_snapshot snap;

	add_pool(out, stats);
	for (size_t i = 0; i < FG_ARRAY_LEN(scalar_counters); i++)
		add_scalar(out, scalar_counters[i].name, "counter", scalar_counters[i].help,
		    fg_stats_get(stats, scalar_counters[i].counter));
	add_lookups(out, stats);
	add_outcomes(out, stats);
	add_families(out, stats, now_wall);
	for (size_t i = 0; i < FG_ARRAY_LEN(series_metrics); i++) {
		struct fg_str kind =
		    strcmp(series_metrics[i].label, "route") == 0 ? FG_STR("route:") : FG_STR("service:");

		fg_prometheus_head(out, series_metrics[i].name, series_metrics[i].type, series_metrics[i].help);
		for (uint32_t n = 0; n < fg_stats_series_count(stats); n++)
			if (fg_stats_snapshot_take(&snap, stats, n, kind))
				series_metrics[i].format(out, &snap, series_metrics[i].name, series_metrics[i].label);
	}
	return !out->failed;
}
