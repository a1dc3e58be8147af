/* What is known of services and targets: as metrics, as text for people, as JSON for programs; who was drained, in the log. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "service/targets_layout.h"
#include "stats/prometheus.h"

/* One record as it is now. */
struct view {
	const struct fg_targets *targets;
	const struct fg_stats *stats;
	const struct fg_target_state *state;
	struct fg_str service, url; /* url empty: the service as a whole. Of name */
	uint32_t number;
	unsigned in_flight; /* of a service: to its targets */
	char name[FG_NAME_BYTES];
};

/* False: a record that the configuration in use does not have, or the second of a name. */
static bool
view_take(struct view *view, const struct fg_targets *targets, const struct fg_stats *stats, uint32_t n)
{
	struct fg_stats_pool pool;
	struct fg_str name;
	size_t space;

	*view = (struct view){.targets = targets, .stats = stats, .number = n, .state = &targets->shared->states[n].state};
	if (!fg_name_table_read(&targets->table, n, view->name) || fg_name_table_look(&targets->table, view->name) != n)
		return false;
	fg_stats_get_pool(stats, &pool);
	name = fg_str_from(view->name);
	space = fg_str_find(name, ' ');
	view->service = fg_str_slice(name, 0, space);
	view->url = fg_str_slice(name, space + 1, name.len);
	return atomic_load(&view->state->generation) >= pool.generation;
}

/* The next service, or the next target, from *n on; *n is 0 at first. */
static bool
view_next(struct view *view, const struct fg_targets *targets, const struct fg_stats *stats, bool of_service, uint32_t *n)
{
	while (*n < fg_name_table_count(&targets->table))
		if (view_take(view, targets, stats, (*n)++) && (view->url.len == 0) == of_service)
			return true;
	return false;
}

static const char *
state_word(const struct fg_target_state *state)
{
	if (atomic_load(&state->drained) != 0)
		return "drained";
	return atomic_load(&state->is_probed) != 0 && !fg_health_is_up(&state->health) ? "down" : "up";
}

static const char *
breaker_word(const struct fg_target_state *state)
{
	return atomic_load(&state->has_breaker) == 0 ? "none" : fg_breaker_word(fg_breaker_state(&state->breaker));
}

/* How long until its breaker lets a request through. */
static uint64_t
wait_ms(const struct view *view)
{
	if (atomic_load(&view->state->has_breaker) == 0)
		return 0;
	return (uint64_t)(fg_breaker_wait(&view->state->breaker, fg_clock_mono()) / FG_US_PER_MS);
}

static uint64_t
get_in_flight(const struct view *view)
{
	return fg_targets_count_in_flight(view->targets, view->stats, view->number);
}

/* By the numbers of services: what is in flight to their targets. The caller frees it. */
static unsigned *
sum_by_service(const struct fg_targets *targets, const struct fg_stats *stats)
{
	unsigned *sums = calloc(targets->table.max, sizeof(*sums));
	struct view view;

	FG_ASSERT(sums != NULL);
	for (uint32_t n = 0; view_next(&view, targets, stats, false, &n);) {
		char name[FG_NAME_BYTES] = "";
		uint32_t service;

		memcpy(name, view.service.p, view.service.len);
		service = fg_name_table_look(&targets->table, name);
		if (service != FG_NAME_NONE)
			sums[service] += (unsigned)get_in_flight(&view);
	}
	return sums;
}

/* ---- metrics */

static uint64_t
get_service_in_flight(const struct view *view)
{
	return view->in_flight;
}

static uint64_t
get_requests(const struct view *view)
{
	return atomic_load(&view->state->requests);
}

static uint64_t
get_failures(const struct view *view)
{
	return atomic_load(&view->state->failures);
}

static uint64_t
get_drained(const struct view *view)
{
	return atomic_load(&view->state->drained) != 0;
}

static uint64_t
get_up(const struct view *view)
{
	return atomic_load(&view->state->is_probed) == 0 || fg_health_is_up(&view->state->health);
}

static uint64_t
get_open(const struct view *view)
{
	return atomic_load(&view->state->has_breaker) != 0 && fg_breaker_state(&view->state->breaker) != FG_BREAKER_CLOSED;
}

/* By how little gets through. */
static uint64_t
get_breaker(const struct view *view)
{
	if (atomic_load(&view->state->has_breaker) == 0)
		return 0;
	switch (fg_breaker_state(&view->state->breaker)) {
	case FG_BREAKER_OPEN:
		return 2;
	case FG_BREAKER_HALF_OPEN:
		return 1;
	case FG_BREAKER_CLOSED:
		break;
	}
	return 0;
}

static uint64_t
get_opened(const struct view *view)
{
	return atomic_load(&view->state->opened);
}

static uint64_t
get_probes(const struct view *view)
{
	return atomic_load(&view->state->probes);
}

static uint64_t
get_probes_failed(const struct view *view)
{
	return atomic_load(&view->state->probes_failed);
}

static uint64_t
get_retries(const struct view *view)
{
	return atomic_load(&view->state->retries);
}

static uint64_t
get_retries_refused(const struct view *view)
{
	return atomic_load(&view->state->retries_refused);
}

static uint64_t
get_hedges(const struct view *view)
{
	return atomic_load(&view->state->hedges);
}

static uint64_t
get_hedges_won(const struct view *view)
{
	return atomic_load(&view->state->hedges_won);
}

static uint64_t
get_hedges_refused(const struct view *view)
{
	return atomic_load(&view->state->hedges_refused);
}

static uint64_t
get_mirrored(const struct view *view)
{
	return atomic_load(&view->state->mirrored);
}

static uint64_t
get_mirrors_dropped(const struct view *view)
{
	return atomic_load(&view->state->mirrors_dropped);
}

static uint64_t
get_waiting(const struct view *view)
{
	return fg_targets_count_waiting(view->targets, view->stats, view->number);
}

static uint64_t
get_places(const struct view *view)
{
	return atomic_load(&view->state->places);
}

static uint64_t
get_room(const struct view *view)
{
	return atomic_load(&view->state->room);
}

static uint64_t
get_queued(const struct view *view)
{
	return atomic_load(&view->state->queued);
}

static uint64_t
get_shed(const struct view *view)
{
	return atomic_load(&view->state->shed);
}

static const struct {
	const char *name, *type, *help;
	uint64_t (*get)(const struct view *view);
	bool of_service; /* not of a target */
} metrics[] = {
    {"faregate_target_in_flight", "gauge", "Requests that a target has not yet answered.", get_in_flight, false},
    {"faregate_target_requests_total", "counter", "Requests sent to a target, retries among them.", get_requests, false},
    {"faregate_target_failures_total", "counter", "Those that failed: by an error, or by a status that its breaker counts.",
	get_failures, false},
    {"faregate_target_up", "gauge", "0 while its probes say that a target is down.", get_up, false},
    {"faregate_target_drained", "gauge", "1 while somebody has taken a target out (faregate drain).", get_drained, false},
    {"faregate_target_breaker_open", "gauge", "1 while its breaker keeps requests from a target, but for one that tries.", get_open,
	false},
    {"faregate_target_breaker_state", "gauge", "0 closed, 1 half-open, 2 open.", get_breaker, false},
    {"faregate_target_breaker_opened_total", "counter", "How often it has opened.", get_opened, false},
    {"faregate_target_probes_total", "counter", "Probes of a target.", get_probes, false},
    {"faregate_target_probes_failed_total", "counter", "Those that failed.", get_probes_failed, false},
    {"faregate_retries_total", "counter", "Requests that were sent again, by service.", get_retries, true},
    {"faregate_retries_refused_total", "counter", "Retries that the budget did not allow.", get_retries_refused, true},
    {"faregate_hedges_total", "counter", "Second tries beside a slow one, by service.", get_hedges, true},
    {"faregate_hedges_won_total", "counter", "Those whose answer was taken.", get_hedges_won, true},
    {"faregate_hedges_refused_total", "counter", "Second tries that the budget did not allow.", get_hedges_refused, true},
    {"faregate_mirrored_total", "counter", "Copies of requests that were sent to a service.", get_mirrored, true},
    {"faregate_mirrors_dropped_total", "counter", "Copies that were not: too many in flight, or too large a body.",
	get_mirrors_dropped, true},
    {"faregate_service_in_flight", "gauge", "Requests that a service's targets have not yet answered.", get_service_in_flight, true},
    {"faregate_service_breaker_state", "gauge", "Of the breaker of a service as a whole: 0 closed, 1 half-open, 2 open.",
	get_breaker, true},
    {"faregate_service_breaker_opened_total", "counter", "How often it has opened.", get_opened, true},
    {"faregate_service_places_in_use", "gauge", "Requests that hold one of a service's max-in-flight places.", get_in_flight, true},
    {"faregate_service_places", "gauge", "How many there are; 0: any number.", get_places, true},
    {"faregate_service_queue", "gauge", "How many may wait for a place.", get_room, true},
    {"faregate_service_waiting", "gauge", "Requests that wait for a place.", get_waiting, true},
    {"faregate_service_queued_total", "counter", "Requests that had to wait for a place.", get_queued, true},
    {"faregate_service_shed_total", "counter", "Requests refused because the queue for a place was full.", get_shed, true},
};

static void
add_metric(struct fg_buf *out, const struct view *view, size_t m)
{
	fg_buf_printf(out, "%s{service=", metrics[m].name);
	fg_prometheus_label(out, view->service);
	if (!metrics[m].of_service) {
		fg_buf_add(out, FG_STR(",target="));
		fg_prometheus_label(out, view->url);
	}
	fg_buf_add_char(out, '}');
	fg_prometheus_number(out, metrics[m].get(view));
}

void
fg_targets_format_prometheus(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out)
{
	unsigned *sums = sum_by_service(targets, stats);
	struct view view;

	for (size_t m = 0; m < FG_ARRAY_LEN(metrics); m++) {
		fg_prometheus_head(out, metrics[m].name, metrics[m].type, metrics[m].help);
		for (uint32_t n = 0; view_next(&view, targets, stats, metrics[m].of_service, &n);) {
			view.in_flight = sums[view.number];
			add_metric(out, &view, m);
		}
	}
	free(sums);
}

/* ---- `faregate status` */

/* "open 4s": until it lets a request through. */
static void
add_breaker_text(struct fg_buf *out, const struct view *view)
{
	char text[32];
	uint64_t wait = wait_ms(view);

	if (wait > 0)
		snprintf(text, sizeof(text), "%s %llus", breaker_word(view->state), (unsigned long long)((wait + 999) / 1000));
	else
		snprintf(text, sizeof(text), "%s", breaker_word(view->state));
	fg_buf_printf(out, " %-14s", text);
}

/* "3/6"; "-" where there is no bound. */
static void
add_part(struct fg_buf *out, const struct view *view, uint64_t part, uint64_t whole)
{
	char text[48] = "-";

	if (get_places(view) > 0)
		snprintf(text, sizeof(text), "%llu/%llu", (unsigned long long)part, (unsigned long long)whole);
	fg_buf_printf(out, " %11s", text);
}

static void
add_services_text(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out)
{
	unsigned *sums = sum_by_service(targets, stats);
	struct view view;
	bool first = true;

	for (uint32_t n = 0; view_next(&view, targets, stats, true, &n); first = false) {
		if (first)
			fg_buf_printf(out, "\n%-40s %10s %11s %11s %10s %10s %-14s\n", "service as a whole", "in flight", "places",
			    "waiting", "queued", "shed", "breaker");
		fg_buf_printf(out, FG_STR_FMT "%*s %10u", FG_STR_ARG(view.service),
		    view.service.len < 40 ? 40 - (int)view.service.len : 0, "", sums[view.number]);
		add_part(out, &view, get_in_flight(&view), get_places(&view));
		add_part(out, &view, get_waiting(&view), get_room(&view));
		fg_buf_printf(out, " %10llu %10llu", (unsigned long long)get_queued(&view), (unsigned long long)get_shed(&view));
		add_breaker_text(out, &view);
		fg_buf_add_char(out, '\n');
	}
	free(sums);
}

void
fg_targets_format_text(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out)
{
	struct view view;
	bool first = true;

	add_services_text(targets, stats, out);
	for (uint32_t n = 0; view_next(&view, targets, stats, false, &n); first = false) {
		if (first)
			fg_buf_printf(out, "\n%-40s %-8s %-14s %10s %10s %10s\n", "target", "state", "breaker", "in flight",
			    "requests", "failures");
		fg_buf_printf(out, FG_STR_FMT " " FG_STR_FMT "%*s %-8s", FG_STR_ARG(view.service), FG_STR_ARG(view.url),
		    view.service.len + view.url.len < 39 ? 39 - (int)(view.service.len + view.url.len) : 0, "",
		    state_word(view.state));
		add_breaker_text(out, &view);
		fg_buf_printf(out, " %10llu %10llu %10llu\n", (unsigned long long)get_in_flight(&view),
		    (unsigned long long)get_requests(&view), (unsigned long long)get_failures(&view));
	}
}

/* ---- `faregate status --json` */

static void
add_breaker_json(struct fg_buf *out, const struct view *view)
{
	fg_buf_printf(out, "\"breaker\":\"%s\",\"breaker_wait_ms\":%llu,\"breaker_opened\":%llu", breaker_word(view->state),
	    (unsigned long long)wait_ms(view), (unsigned long long)get_opened(view));
}

static bool
is_in_use(const void *arg, const struct fg_stats *stats, struct fg_str name)
{
	const struct fg_targets *targets = arg;
	char key[FG_NAME_BYTES];
	struct view view;
	uint32_t n;

	fg_name_format(key, sizeof(key), name);
	n = fg_name_table_look(&targets->table, key);
	return n != FG_NAME_NONE && view_take(&view, targets, stats, n);
}

void
fg_targets_format_services_json(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out)
{
	unsigned *sums = sum_by_service(targets, stats);
	struct view view;
	bool first = true;

	for (uint32_t n = 0; view_next(&view, targets, stats, true, &n); first = false) {
		fg_stats_open_service_json(stats, view.service, out, first);
		fg_buf_printf(out, ",\"in_flight\":%u,\"places\":%llu,\"places_in_use\":%llu,\"queue\":%llu,\"waiting\":%llu,"
		    "\"queued\":%llu,\"shed\":%llu,",
		    sums[view.number], (unsigned long long)get_places(&view), (unsigned long long)get_in_flight(&view),
		    (unsigned long long)get_room(&view), (unsigned long long)get_waiting(&view),
		    (unsigned long long)get_queued(&view), (unsigned long long)get_shed(&view));
		add_breaker_json(out, &view);
		fg_buf_add_char(out, '}');
	}
	free(sums);
	fg_stats_format_services_json(stats, is_in_use, targets, out, first);
}

void
fg_targets_format_json(const struct fg_targets *targets, const struct fg_stats *stats, struct fg_buf *out)
{
	struct view view;
	bool first = true;

	for (uint32_t n = 0; view_next(&view, targets, stats, false, &n); first = false) {
		fg_buf_add(out, first ? FG_STR("{\"service\":\"") : FG_STR(",{\"service\":\""));
		fg_buf_add_json(out, view.service);
		fg_buf_add(out, FG_STR("\",\"target\":\""));
		fg_buf_add_json(out, view.url);
		fg_buf_printf(out, "\",\"state\":\"%s\",", state_word(view.state));
		add_breaker_json(out, &view);
		fg_buf_printf(out, ",\"in_flight\":%llu,\"requests\":%llu,\"failures\":%llu}",
		    (unsigned long long)get_in_flight(&view), (unsigned long long)get_requests(&view),
		    (unsigned long long)get_failures(&view));
	}
}

/* ---- the log */

void
fg_targets_log_drained(struct fg_targets *targets, const struct fg_stats *stats, const struct fg_log *log)
{
	struct view view;

	for (uint32_t n = 0; n < fg_name_table_count(&targets->table); n++) {
		struct fg_target_state *state = &targets->shared->states[n].state;
		uint32_t drained = atomic_load(&state->drained);

		if (drained == atomic_load(&state->drained_told) || !view_take(&view, targets, stats, n))
			continue;
		atomic_store(&state->drained_told, drained);
		if (drained != 0)
			FG_LOG(log, INFO, "targets", "drained", FG_F_STR("service", view.service), FG_F_STR("target", view.url));
		else
			FG_LOG(log, INFO, "targets", "undrained", FG_F_STR("service", view.service), FG_F_STR("target", view.url));
	}
}
