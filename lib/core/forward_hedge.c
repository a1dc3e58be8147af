/*
 * Hedges: where a service's answer is slow, the same request is sent once more, to another target, and who answers first is
 * taken. The other one is cancelled: its connection is closed, and neither its target nor its breaker hears of it.
 *
 * Only a safe method without a body is hedged, once, and only while nothing of an answer is there. A hedge is a try like any
 * other: it costs of the budget, takes a place (max-in-flight), counts among retry's attempts, and is judged by its target's
 * breaker. Of two tries that run, one that fails is dropped and the other goes on alone; only when that fails too is it a
 * failure of the exchange, which may be tried again (forward_try.c).
 */
#include "core/engine.h"

#include "core/admission.h"
#include "core/config.h"
#include "service/budget.h"
#include "service/latency.h"
#include "service/service.h"
#include "service/targets.h"

/* Of an exchange that may be hedged. In its arena. */
struct fg_hedge {
	struct fg_exchange *x;
	struct fg_timer timer;  /* until it is sent */
	struct fg_try second;
	struct fg_response resp; /* the second's, until it leads */
	bool is_sent;
	bool is_race;           /* both run; it has a place of its own */
};

/* ---- when */

static fg_usec
now_of(const struct fg_exchange *x)
{
	return fg_loop_clock(x->gw->loop)->mono;
}

/* 0: nobody knows yet. */
static fg_usec
delay_of(const struct fg_service *service)
{
	const struct fg_service_hedge *conf = service->hedge;
	fg_usec usual;

	if (conf->after > 0)
		return conf->after;
	usual = fg_latency_get(&service->state->latency);
	return usual > 0 && usual < conf->at_least ? conf->at_least : usual;
}

static bool
may_be_hedged(const struct fg_exchange *x)
{
	if (x->service->hedge == NULL || x->req.has_body)
		return false;
	switch (x->req.method_id) {
	case FG_METHOD_GET:
	case FG_METHOD_HEAD:
	case FG_METHOD_OPTIONS:
		return true;
	default:
		return false;
	}
}

static bool
has_attempt_left(const struct fg_exchange *x)
{
	return x->service->retry == NULL || x->tries < (unsigned)x->service->retry->attempts;
}

/*
 * A try's time until its answer, and of one that was overtaken, the time until then: it would have taken longer. Without
 * these the percentile of what is left would sink, and ever more be hedged.
 */
static void
learn(const struct fg_exchange *x, const struct fg_try *winner)
{
	const struct fg_service_hedge *conf = x->service->hedge;
	const struct fg_hedge *hedge = x->hedge;

	if (conf->after > 0 || x->tries > 1u + hedge->is_sent || (winner == &hedge->second && !hedge->is_race))
		return;
	fg_latency_add(&x->service->state->latency, conf->percentile, now_of(x) - x->first_try.sent_at, now_of(x));
}

/* ---- the second try */

/* Another target; the same only where there is no other: behind one address there may be many. */
static bool
pick_second(struct fg_exchange *x, const struct fg_target **target, struct fg_permit *permit)
{
	const struct fg_tried *before = fg_try_tried(x);
	struct fg_tried tried = before == NULL ? (struct fg_tried){{0}} : *before;
	fg_usec wait;

	fg_tried_add(&tried, x->lead->target);
	return fg_forward_pick(x, x->service, x->service->target_count > 1 ? &tried : NULL, target, permit, &wait) == FG_OK;
}

static void
begin_race(struct fg_hedge *hedge, const struct fg_target *target, const struct fg_permit *permit)
{
	hedge->is_sent = hedge->is_race = true;
	hedge->second = (struct fg_try){.x = hedge->x, .resp = &hedge->resp};
	atomic_fetch_add_explicit(&hedge->x->service->state->hedges, 1, memory_order_relaxed);
	fg_try_enter(&hedge->second, target, permit);
	fg_forward_call(&hedge->second);
}

static void
on_due(struct fg_timer *timer, void *arg)
{
	struct fg_hedge *hedge = arg;
	struct fg_exchange *x = hedge->x;
	const struct fg_service *service = x->service;
	const struct fg_target *target;
	struct fg_permit permit;

	(void)timer;
	if (x->lead->call == NULL || x->lead->resp->status != 0)
		return;
	if (!fg_budget_take(service)) {
		atomic_fetch_add_explicit(&service->state->hedges_refused, 1, memory_order_relaxed);
		return;
	}
	if (fg_admission_take(x->gw, service)) {
		if (pick_second(x, &target, &permit)) {
			begin_race(hedge, target, &permit);
			return;
		}
		fg_admission_give(x->gw, service);
	}
	fg_budget_give_back(service);
}

void
fg_hedge_prepare(struct fg_exchange *x)
{
	fg_usec delay;

	if (!may_be_hedged(x))
		return;
	if (x->hedge == NULL) {
		x->hedge = FG_ARENA_NEW(&x->arena, struct fg_hedge);
		x->hedge->x = x;
		fg_timer_init(&x->hedge->timer, x->gw->loop, on_due, x->hedge);
	}
	delay = delay_of(x->service);
	if (delay > 0 && !x->hedge->is_sent && has_attempt_left(x))
		fg_timer_start(&x->hedge->timer, delay);
}

/* ---- the race */

static bool
is_race(const struct fg_exchange *x)
{
	return x->hedge != NULL && x->hedge->is_race;
}

static void
end_race(struct fg_exchange *x, struct fg_try *loser)
{
	x->hedge->is_race = false;
	fg_try_drop(loser);
	fg_admission_give(x->gw, x->service);
}

static struct fg_try *
other_of(struct fg_try *try)
{
	return try == &try->x->first_try ? &try->x->hedge->second : &try->x->first_try;
}

static void
put_in_lead(struct fg_try *try)
{
	struct fg_exchange *x = try->x;

	if (x->lead == try)
		return;
	x->resp = *try->resp;
	try->resp = &x->resp;
	x->lead = try;
	fg_exchange_wait_for_lead(x);
}

bool
fg_hedge_is_answer(const struct fg_service *service, int status)
{
	return !fg_failure_is_status(service, status) && (service->retry != NULL || status < 502 || status > 504);
}

bool
fg_hedge_carries_on(struct fg_try *failed)
{
	if (!is_race(failed->x))
		return false;
	end_race(failed->x, failed);
	put_in_lead(other_of(failed));
	return true;
}

void
fg_hedge_settle(struct fg_try *winner)
{
	struct fg_exchange *x = winner->x;
	struct fg_hedge *hedge = x->hedge;

	if (hedge == NULL)
		return;
	fg_timer_stop(&hedge->timer);
	learn(x, winner);
	if (hedge->is_race)
		end_race(x, other_of(winner));
	put_in_lead(winner);
	if (winner == &hedge->second)
		atomic_fetch_add_explicit(&x->service->state->hedges_won, 1, memory_order_relaxed);
}

void
fg_hedge_stop(struct fg_exchange *x)
{
	if (x->hedge == NULL)
		return;
	fg_timer_stop(&x->hedge->timer);
	if (x->hedge->is_race)
		end_race(x, other_of(x->lead));
}

/* ---- what is said about it */

const char *
fg_hedge_outcome(const struct fg_exchange *x)
{
	if (x->hedge == NULL || !x->hedge->is_sent)
		return NULL;
	if (x->terminal != FG_TERMINAL_FORWARD || !x->head_sent)
		return "none";
	return x->lead == &x->hedge->second ? "second" : "first";
}

void
fg_hedge_explain(struct fg_exchange *x)
{
	const struct fg_service_hedge *conf = x->service->hedge;

	if (!may_be_hedged(x))
		return;
	if (conf->after > 0)
		fg_exchange_trace(x, "hedge", "may follow", "after %lld ms", (long long)(conf->after / FG_US_PER_MS));
	else
		fg_exchange_trace(x, "hedge", "may follow", "after p%d of recent answers, %lld ms at least", conf->percentile,
		    (long long)(conf->at_least / FG_US_PER_MS));
}
