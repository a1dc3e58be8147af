/* The counters for `faregate status`: as text for people, as JSON for programs. */
#include <config.h>
#include <stdio.h>

#include "base/buf.h"
#include "stats/stats.h"
#include "stats/stats_layout.h"

static const fg_usec bounds[FG_STATS_BUCKETS - 1] = FG_STATS_BOUNDS;

/* Upper bound of the bucket below which that part of all exchanges lies; -1: above the last bound. */
static fg_usec
quantile(const struct fg_stats_snapshot *snap, unsigned percent)
{
	uint64_t wanted = snap->requests - snap->requests * (100 - percent) / 100, below = 0;

	for (unsigned i = 0; i < FG_STATS_BUCKETS - 1; i++) {
		below += snap->bucket[i];
		if (below >= wanted)
			return bounds[i];
	}
	return -1;
}

static void
add_quantile_text(struct fg_buf *out, const struct fg_stats_snapshot *snap, unsigned percent)
{
	fg_usec bound = quantile(snap, percent);
	char text[32] = ">10 s";

	if (bound >= FG_US_PER_S)
		snprintf(text, sizeof(text), "%g s", (double)bound / FG_US_PER_S);
	else if (bound > 0)
		snprintf(text, sizeof(text), "%g ms", (double)bound / FG_US_PER_MS);
	fg_buf_printf(out, " %8s", text);
}

static void
add_span(struct fg_buf *out, fg_usec span)
{
	long long s = span > 0 ? (long long)(span / FG_US_PER_S) : 0;

	if (s >= 86400)
		fg_buf_printf(out, "%lldd %lldh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		fg_buf_printf(out, "%lldh %lldm", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		fg_buf_printf(out, "%lldm %llds", s / 60, s % 60);
	else
		fg_buf_printf(out, "%llds", s);
}

static void
add_moment(struct fg_buf *out, fg_usec wall)
{
	char text[32];

	fg_buf_append(out, text, (size_t)fg_clock_format_rfc3339(wall, text));
}

static void
add_series_text(struct fg_buf *out, const struct fg_stats *stats, struct fg_str kind, const char *title)
{
	struct fg_stats_snapshot snap;
	bool first = true;

	for (uint32_t n = 0; n < fg_stats_series_count(stats); n++) {
		if (!fg_stats_snapshot_take(&snap, stats, n, kind))
			continue;
		if (first)
			fg_buf_printf(out, "\n%-24s %10s %10s %8s %8s %8s %8s %8s %8s\n", title, "requests", "2xx", "3xx", "4xx",
			    "5xx", "none", "p50 <=", "p99 <=");
		first = false;
		/* What a terminal might take for a command is left to the JSON form. */
		for (size_t i = 0; i < snap.name.len; i++)
			fg_buf_add_char(out, (unsigned char)snap.name.p[i] < 0x20 || snap.name.p[i] == 0x7f ? '?' : snap.name.p[i]);
		fg_buf_printf(out, "%*s %10llu %10llu %8llu %8llu %8llu %8llu", snap.name.len < 24 ? 24 - (int)snap.name.len : 0,
		    "", (unsigned long long)snap.requests, (unsigned long long)(snap.by_class[1] + snap.by_class[2]),
		    (unsigned long long)snap.by_class[3], (unsigned long long)snap.by_class[4],
		    (unsigned long long)snap.by_class[5], (unsigned long long)snap.by_class[0]);
		add_quantile_text(out, &snap, 50);
		add_quantile_text(out, &snap, 99);
		fg_buf_add_char(out, '\n');
	}
}

static void
add_workers_text(struct fg_buf *out, const struct fg_stats *stats, fg_usec now_wall)
{
	fg_buf_printf(out, "\n%-8s %-9s %13s %10s %10s %10s %12s\n", "worker", "state", "configuration", "up", "exchanges",
	    "in flight", "connections");
	for (unsigned slot = 0; slot < FG_STATS_MAX_WORKERS; slot++) {
		const struct fg_stats_worker *worker = fg_stats_worker_read(stats, slot);
		uint32_t state = atomic_load(&worker->state);
		struct fg_buf up;

		if (state == FG_WORKER_FREE || state >= FG_STATS_STATES)
			continue;
		fg_buf_init(&up, 64);
		add_span(&up, now_wall - atomic_load(&worker->started));
		fg_buf_add_char(&up, '\0');
		fg_buf_printf(out, "%-8d %-9s %13llu %10s %10llu %10llu %12llu\n", (int)atomic_load(&worker->pid),
		    fg_stats_state_names[state], (unsigned long long)fg_stats_load(&worker->generation), up.p,
		    (unsigned long long)fg_stats_load(&worker->exchanges), (unsigned long long)fg_stats_load(&worker->in_flight),
		    (unsigned long long)fg_stats_load(&worker->connections));
		fg_buf_fini(&up);
	}
}

void
fg_stats_format_text(const struct fg_stats *stats, fg_usec now_wall, struct fg_buf *out)
{
	struct fg_stats_sums sums = fg_stats_sum(stats);
	struct fg_stats_pool pool;

	fg_stats_get_pool(stats, &pool);
	if (pool.pid != 0) {
		fg_buf_printf(out, "supervisor     pid %d, up ", (int)pool.pid);
		add_span(out, now_wall - pool.started);
		fg_buf_printf(out, "\nconfiguration  %llu", (unsigned long long)pool.generation);
		fg_buf_add(out, FG_STR(", since "));
		add_moment(out, pool.reloaded != 0 ? pool.reloaded : pool.started);
		fg_buf_add_char(out, '\n');
	}
	if (pool.leaving != 0) {
		fg_buf_add(out, FG_STR("               it was told to stop, at "));
		add_moment(out, pool.leaving);
		fg_buf_add_char(out, '\n');
	}
	if (pool.refused > pool.reloaded && pool.refused != 0) {
		fg_buf_add(out, FG_STR("               the last reload was refused, at "));
		add_moment(out, pool.refused);
		fg_buf_add_char(out, '\n');
	}
	fg_buf_printf(out, "workers        %llu running, %llu starting, %llu draining; %llu deaths\n",
	    (unsigned long long)sums.by_state[FG_WORKER_RUNNING], (unsigned long long)sums.by_state[FG_WORKER_STARTING],
	    (unsigned long long)sums.by_state[FG_WORKER_DRAINING],
	    (unsigned long long)fg_stats_get(stats, FG_COUNT_WORKER_DEATHS));
	fg_buf_printf(out, "in flight      %llu exchanges, %llu connections\n", (unsigned long long)sums.in_flight,
	    (unsigned long long)sums.connections);
	if (fg_stats_get(stats, FG_COUNT_LIMIT_HOSTS) > 0)
		fg_buf_printf(out, "limits         shared by %llu host%s, when the store last answered\n",
		    (unsigned long long)fg_stats_get(stats, FG_COUNT_LIMIT_HOSTS),
		    fg_stats_get(stats, FG_COUNT_LIMIT_HOSTS) == 1 ? "" : "s");
	if (fg_stats_get(stats, FG_COUNT_LOG_LINES_DROPPED) > 0)
		fg_buf_printf(out, "log            %llu lines dropped\n",
		    (unsigned long long)fg_stats_get(stats, FG_COUNT_LOG_LINES_DROPPED));
	add_workers_text(out, stats, now_wall);
	add_series_text(out, stats, FG_STR("route:"), "route");
	add_series_text(out, stats, FG_STR("service:"), "service");
}

void
fg_stats_format_reasons_text(const struct fg_stats *stats, struct fg_buf *out)
{
	bool first = true;

	for (unsigned i = 0; i < FG_ERR_COUNT; i++) {
		if (fg_stats_get_reason(stats, (enum fg_err)i) == 0)
			continue;
		if (first)
			fg_buf_printf(out, "\n%-28s %10s\n", "reason", "count");
		first = false;
		fg_buf_printf(out, "%-28s %10llu\n", fg_err_token((enum fg_err)i),
		    (unsigned long long)fg_stats_get_reason(stats, (enum fg_err)i));
	}
}

/* What was counted in it; the object is left open. */
static void
open_series_json(struct fg_buf *out, const struct fg_stats_snapshot *snap, bool first)
{
	fg_buf_add(out, first ? FG_STR("\"") : FG_STR(",\""));
	fg_buf_add_json(out, snap->name);
	fg_buf_printf(out, "\":{\"requests\":%llu,\"by_code\":{", (unsigned long long)snap->requests);
	for (unsigned i = 0; i < FG_ARRAY_LEN(snap->by_class); i++)
		fg_buf_printf(out, "%s\"%s\":%llu", i == 0 ? "" : ",", fg_stats_class_names[i], (unsigned long long)snap->by_class[i]);
	fg_buf_add(out, FG_STR("},\"duration_seconds\":"));
	fg_stats_add_seconds(out, snap->micros);
	fg_buf_printf(out, ",\"received_bytes\":%llu,\"sent_bytes\":%llu,\"le_seconds\":{",
	    (unsigned long long)snap->bytes_in, (unsigned long long)snap->bytes_out);
	for (unsigned i = 0; i < FG_STATS_BUCKETS - 1; i++)
		fg_buf_printf(out, "\"%g\":%llu,", (double)bounds[i] / FG_US_PER_S, (unsigned long long)snap->bucket[i]);
	fg_buf_printf(out, "\"+Inf\":%llu}", (unsigned long long)snap->bucket[FG_STATS_BUCKETS - 1]);
}

void
fg_stats_open_service_json(const struct fg_stats *stats, struct fg_str name, struct fg_buf *out, bool first)
{
	struct fg_stats_snapshot snap;
	char full[FG_NAME_BYTES];
	uint32_t n;

	fg_name_join(full, "service:", name);
	n = fg_name_table_look(&stats->table, full);
	if (n == FG_NAME_NONE || !fg_stats_snapshot_take(&snap, stats, n, FG_STR("service:")))
		snap = (struct fg_stats_snapshot){.name = name};
	open_series_json(out, &snap, first);
}

static void
add_series_json(struct fg_buf *out, const struct fg_stats *stats, struct fg_str kind, fg_stats_is_told_fn *is_told, const void *arg,
    bool first)
{
	struct fg_stats_snapshot snap;

	for (uint32_t n = 0; n < fg_stats_series_count(stats); n++) {
		if (!fg_stats_snapshot_take(&snap, stats, n, kind) || (is_told != NULL && is_told(arg, stats, snap.name)))
			continue;
		open_series_json(out, &snap, first);
		fg_buf_add_char(out, '}');
		first = false;
	}
}

void
fg_stats_format_services_json(const struct fg_stats *stats, fg_stats_is_told_fn *is_told, const void *arg, struct fg_buf *out, bool first)
{
	add_series_json(out, stats, FG_STR("service:"), is_told, arg, first);
}

static void
add_moment_json(struct fg_buf *out, const char *key, fg_usec wall)
{
	fg_buf_printf(out, ",\"%s\":", key);
	if (wall == 0) {
		fg_buf_add(out, FG_STR("null"));
		return;
	}
	fg_buf_add_char(out, '"');
	add_moment(out, wall);
	fg_buf_add_char(out, '"');
}

static void
add_workers_json(struct fg_buf *out, const struct fg_stats *stats)
{
	bool first = true;

	for (unsigned slot = 0; slot < FG_STATS_MAX_WORKERS; slot++) {
		const struct fg_stats_worker *worker = fg_stats_worker_read(stats, slot);
		uint32_t state = atomic_load(&worker->state);

		if (state == FG_WORKER_FREE || state >= FG_STATS_STATES)
			continue;
		fg_buf_printf(out, "%s{\"pid\":%d,\"state\":\"%s\",\"generation\":%llu", first ? "" : ",",
		    (int)atomic_load(&worker->pid), fg_stats_state_names[state],
		    (unsigned long long)fg_stats_load(&worker->generation));
		first = false;
		add_moment_json(out, "started", atomic_load(&worker->started));
		fg_buf_printf(out, ",\"exchanges\":%llu,\"in_flight\":%llu,\"connections\":%llu}",
		    (unsigned long long)fg_stats_load(&worker->exchanges), (unsigned long long)fg_stats_load(&worker->in_flight),
		    (unsigned long long)fg_stats_load(&worker->connections));
	}
}

void
fg_stats_format_json(const struct fg_stats *stats, fg_usec now_wall, struct fg_buf *out)
{
	static const char *const counter_names[FG_COUNT_MAX] = {
	    [FG_COUNT_CONNECTIONS_ACCEPTED] = "connections_accepted",
	    [FG_COUNT_LOG_LINES_DROPPED] = "log_lines_dropped",
	    [FG_COUNT_WORKER_DEATHS] = "worker_deaths",
	    [FG_COUNT_EXCHANGES_LOST] = "exchanges_lost",
	    [FG_COUNT_RELOADS] = "reloads",
	    [FG_COUNT_RELOADS_REFUSED] = "reloads_refused",
	    [FG_COUNT_REGEX_LIMIT] = "regex_limit",
	    [FG_COUNT_SERVICE_CONNECTIONS] = "service_connections",
	    [FG_COUNT_LIMIT_KEYS_EVICTED] = "limit_keys_evicted",
	    [FG_COUNT_LIMIT_HOSTS] = "limit_hosts",
	    [FG_COUNT_DNS_FOUND] = "dns_found",
	    [FG_COUNT_DNS_NOT_FOUND] = "dns_not_found",
	    [FG_COUNT_DNS_FAILED] = "dns_failed",
	    [FG_COUNT_DNS_TIMED_OUT] = "dns_timed_out",
	    [FG_COUNT_DNS_KEPT] = "dns_kept",
	    [FG_COUNT_IDEMPOTENCY_EVICTED] = "idempotency_evicted",
	};
	struct fg_stats_pool pool;
	bool first = true;

	fg_stats_get_pool(stats, &pool);
	fg_buf_printf(out, "\"version\":\"" PACKAGE_VERSION "\",\"pid\":%d,\"generation\":%llu", (int)pool.pid,
	    (unsigned long long)pool.generation);
	add_moment_json(out, "now", now_wall);
	add_moment_json(out, "started", pool.started);
	add_moment_json(out, "reloaded", pool.reloaded);
	add_moment_json(out, "refused", pool.refused);
	add_moment_json(out, "leaving", pool.leaving);
	fg_buf_add(out, FG_STR(",\"workers\":["));
	add_workers_json(out, stats);
	fg_buf_add(out, FG_STR("],\"counters\":{"));
	for (unsigned i = 0; i < FG_COUNT_MAX; i++)
		fg_buf_printf(out, "%s\"%s\":%llu", i == 0 ? "" : ",", counter_names[i],
		    (unsigned long long)fg_stats_get(stats, (enum fg_stats_counter)i));
	fg_buf_add(out, FG_STR("},\"outcomes\":{"));
	for (unsigned i = 0; i < FG_ERR_COUNT; i++) {
		uint64_t count = fg_stats_get_reason(stats, (enum fg_err)i);

		if (count == 0)
			continue;
		fg_buf_printf(out, "%s\"%s\":%llu", first ? "" : ",", fg_err_token((enum fg_err)i), (unsigned long long)count);
		first = false;
	}
	fg_buf_add(out, FG_STR("},\"routes\":{"));
	add_series_json(out, stats, FG_STR("route:"), NULL, NULL, true);
	fg_buf_add_char(out, '}');
}
