/*
 * What `faregate explain` says of targets: the worker's own choice (fg_service_pick()) is made with what the running pool
 * knows, entering no breaker, and each target's part in it is traced.
 */
#include "core/engine.h"

#include <stdio.h>

#include "core/config.h"
#include "service/targets.h"

struct view {
	struct fg_exchange *x;
	const struct fg_targets *targets;
	const struct fg_stats *stats;
	size_t available;
};

static void
count_in_flight(void *arg, const struct fg_target *const targets[], size_t count, unsigned in_flight[])
{
	const struct view *view = arg;

	fg_targets_in_flight(view->targets, view->stats, targets, count, in_flight);
}

static uint64_t
count_all_in_flight(void *arg, const struct fg_service *service)
{
	const struct view *view = arg;

	return fg_targets_in_flight_to_all(view->targets, view->stats, service);
}

static double
to_seconds(fg_usec span)
{
	return (double)span / (double)FG_US_PER_S;
}

/* What a worker would go by although something speaks against it. */
static const char *
reservation(const struct fg_service *service, const struct fg_target_state *state)
{
	if (service->breaker != NULL && fg_breaker_state(&state->breaker) != FG_BREAKER_CLOSED)
		return ", to try whether it is back";
	if (service->health != NULL && !fg_health_is_up(&state->health))
		return ", though down by its probes: too few are up to believe them";
	return "";
}

static void
on_target(void *arg, const struct fg_target *target, enum fg_availability availability, fg_usec wait)
{
	struct view *view = arg;

	view->available += availability == FG_AVAILABLE;
	if (availability == FG_AVAILABLE)
		fg_exchange_trace(view->x, "target", "available", FG_STR_FMT "%s", FG_STR_ARG(target->url),
		    reservation(target->service, target->state));
	else if (availability == FG_IS_OPEN)
		fg_exchange_trace(view->x, "target", "not", FG_STR_FMT ": %s for %.1fs", FG_STR_ARG(target->url),
		    fg_availability_word(availability), to_seconds(wait));
	else
		fg_exchange_trace(view->x, "target", "not", FG_STR_FMT ": %s", FG_STR_ARG(target->url),
		    fg_availability_word(availability));
}

static void
trace_service(struct fg_exchange *x, const struct fg_service *service, fg_usec now)
{
	fg_usec wait;

	if (service->service_breaker == NULL)
		return;
	wait = fg_breaker_wait(&service->state->breaker, now);
	if (wait > 0)
		fg_exchange_trace(x, "service", "not", FG_STR_FMT ": breaker open for %.1fs", FG_STR_ARG(service->name),
		    to_seconds(wait));
	else
		fg_exchange_trace(x, "service", "available", FG_STR_FMT "%s", FG_STR_ARG(service->name),
		    fg_breaker_state(&service->state->breaker) == FG_BREAKER_CLOSED ? "" : ", to try whether it is back");
}

/* Whose turn it is, each worker knows for itself, and what is drawn, nobody before. */
static void
trace_pick(const struct view *view, const struct fg_service *service, const struct fg_target *target)
{
	const char *balance = fg_balance_word(service->balance);

	if (view->available == 1 || service->balance == FG_BALANCE_HASH)
		fg_exchange_trace(view->x, "pick", balance, FG_STR_FMT, FG_STR_ARG(target->url));
	else
		fg_exchange_trace(view->x, "pick", balance, "one of the %zu that are available", view->available);
}

void
fg_exchange_explain_pick(struct fg_exchange *x, struct fg_config *config, struct fg_targets *targets, const struct fg_stats *stats)
{
	struct fg_service *service = config->services[x->service->index];
	struct view view = {.x = x, .targets = targets, .stats = stats};
	const struct fg_target *target;
	struct fg_permit permit;
	struct fg_pick pick;
	fg_usec wait;
	enum fg_err err;

	FG_ASSERT(x->terminal == FG_TERMINAL_FORWARD && x->gw->config == config);
	/* One that the pool does not have yet; or has, in a configuration of its own. */
	if (fg_targets_point(targets, service) == 0)
		return;
	pick = fg_forward_make_pick(x, service, NULL);
	pick.in_flight = count_in_flight;
	pick.in_flight_to_all = count_all_in_flight;
	pick.arg = pick.tell_arg = &view;
	pick.tell = on_target;
	trace_service(x, service, pick.now);
	err = fg_service_pick(&pick, &target, &permit, &wait);
	if (err == FG_OK)
		trace_pick(&view, service, target);
	else
		fg_forward_unavailable(x, err, wait);
}
