/* Probes of targets; see probe.h. */
#include "core/probe.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/fetch.h"
#include "service/service.h"
#include "service/targets.h"

enum { MOST_BODY_BYTES = 64 * 1024 }; /* of an answer; what is longer is well as long as its status is */

/* Of one target. */
struct probe {
	struct fg_probes *probes;
	const struct fg_target *target;
	struct fg_timer timer;
	struct fg_fetch *fetch; /* NULL: none runs */
	struct fg_fetch_url url;
};

struct fg_probes {
	struct fg_gateway *gw; /* borrowed */
	size_t count;
	struct probe v[];
};

static bool
has_text(struct fg_str body, struct fg_str text)
{
	for (size_t i = 0; text.len > 0 && i + text.len <= body.len; i++)
		if (memcmp(body.p + i, text.p, text.len) == 0)
			return true;
	return text.len == 0;
}

static bool
has_status(const struct fg_service_health *health, int status)
{
	for (size_t i = 0; i < health->status_count; i++)
		if (status >= health->statuses[i].from && status <= health->statuses[i].to)
			return true;
	return false;
}

static bool
is_good(const struct fg_service_health *health, const struct fg_fetch_answer *answer)
{
	if (answer->err != FG_OK && answer->err != FG_ERR_TOO_LARGE)
		return false;
	return has_status(health, answer->status) && has_text(answer->body, health->body);
}

static const char *
reason_of(const struct fg_service_health *health, const struct fg_fetch_answer *answer)
{
	if (answer->err != FG_OK && answer->err != FG_ERR_TOO_LARGE)
		return fg_err_token(answer->err);
	return has_status(health, answer->status) ? "body" : "status";
}

static void
log_change(const struct probe *probe, enum fg_health_change change, const struct fg_fetch_answer *answer)
{
	const struct fg_log_field service = FG_F_STR("service", probe->target->service->name);
	const struct fg_log_field target = FG_F_STR("target", probe->target->url);
	const struct fg_log_field status = FG_F_INT("status", answer->status);
	char room[FG_CONNECT_ERROR_BYTES];
	struct fg_str error = fg_connect_error_text(answer->connect_error, room);

	if (change == FG_HEALTH_WENT_UP)
		FG_LOG(probe->probes->gw->log, INFO, "health", "up", service, target, status);
	else if (change == FG_HEALTH_WENT_DOWN)
		FG_LOG(probe->probes->gw->log, WARN, "health", "down", service, target, status,
		    FG_F_CSTR("because", reason_of(probe->target->service->health, answer)),
		    error.len == 0 ? FG_F_NONE : FG_F_STR("error", error));
}

static void
on_answer(void *arg, const struct fg_fetch_answer *answer)
{
	struct probe *probe = arg;
	const struct fg_service_health *health = probe->target->service->health;
	struct fg_target_state *state = probe->target->state;
	fg_usec now = fg_loop_clock(probe->probes->gw->loop)->mono;
	bool good = is_good(health, answer);
	enum fg_health_change change = fg_health_report(&state->health, &health->conf, good, now);

	probe->fetch = NULL;
	atomic_fetch_add_explicit(&state->probes, 1, memory_order_relaxed);
	if (!good)
		atomic_fetch_add_explicit(&state->probes_failed, 1, memory_order_relaxed);
	if (change == FG_HEALTH_WENT_UP)
		atomic_store_explicit(&state->since, now, memory_order_relaxed);
	log_change(probe, change, answer);
}

static void
send_probe(struct probe *probe)
{
	const struct fg_call_header agent = {FG_STR("User-Agent"), FG_STR("faregate-health")};
	const struct fg_fetch_spec spec = {
	    .url = &probe->url,
	    .method = FG_STR("GET"),
	    .headers = &agent,
	    .header_count = 1,
	    .max_body = MOST_BODY_BYTES,
	    .deadline = probe->target->service->health->timeout,
	};

	probe->fetch = fg_fetch_start(probe->probes->gw, &spec, on_answer, probe);
}

/* Whether it is this worker that makes the probe that is due. */
static bool
takes_turn(struct fg_target_state *state, fg_usec every, fg_usec now)
{
	int64_t due = atomic_load(&state->probe_due);

	/* One that lies further ahead was said by a configuration with longer periods. */
	if (now < due && due <= now + every)
		return false;
	return atomic_compare_exchange_strong(&state->probe_due, &due, now + every);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct probe *probe = arg;
	struct fg_target_state *state = probe->target->state;
	fg_usec every = probe->target->service->health->every, now = fg_loop_clock(probe->probes->gw->loop)->mono, due;

	/* Those that follow have the new configuration. */
	if (probe->probes->gw->draining)
		return;
	if (probe->fetch == NULL && takes_turn(state, every, now))
		send_probe(probe);
	due = atomic_load(&state->probe_due);
	fg_timer_start(timer, due > now && due <= now + every ? due - now : every);
}

static void
prepare(struct fg_probes *probes, struct probe *probe, const struct fg_target *target)
{
	const struct fg_service *service = target->service;
	struct fg_str host = target->authority;

	if (service->host_mode == FG_HOST_NAME)
		host = service->host_name;
	if (service->health->host.len > 0)
		host = service->health->host;
	probe->probes = probes;
	probe->target = target;
	probe->url = (struct fg_fetch_url){.endpoint = target->endpoint, .authority = host, .target = service->health->path};
	fg_timer_init(&probe->timer, probes->gw->loop, on_timer, probe);
	fg_timer_start(&probe->timer, 0);
}

struct fg_probes *
fg_probes_start(struct fg_gateway *gw)
{
	const struct fg_config *config = gw->config;
	struct fg_probes *probes;
	size_t count = 0;

	for (size_t i = 0; i < config->service_count; i++)
		count += config->services[i]->health == NULL ? 0 : config->services[i]->target_count;
	probes = calloc(1, sizeof(*probes) + count * sizeof(probes->v[0]));
	FG_ASSERT(probes != NULL);
	probes->gw = gw;
	for (size_t i = 0; i < config->service_count; i++)
		for (size_t k = 0; config->services[i]->health != NULL && k < config->services[i]->target_count; k++)
			prepare(probes, &probes->v[probes->count++], &config->services[i]->targets[k]);
	return probes;
}

void
fg_probes_stop(struct fg_probes *probes)
{
	if (probes == NULL)
		return;
	for (size_t i = 0; i < probes->count; i++) {
		fg_timer_stop(&probes->v[i].timer);
		if (probes->v[i].fetch != NULL)
			fg_fetch_cancel(probes->v[i].fetch);
	}
	free(probes);
}
