/* What became of requests, told to breakers and to the log: see judge.h. */
#include "core/judge.h"

#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "service/targets.h"

/* A breaker and what it is of. */
struct subject {
	struct fg_gateway *gw;
	const struct fg_service *service;
	const struct fg_target *target; /* NULL: the service as a whole */
	const struct fg_service_breaker *conf;
	struct fg_target_state *state;
	struct fg_breaker_pass pass;
	fg_usec now;
	int connect_error; /* an errno of the request that is told of; 0: none */
};

/* False: there is no such breaker. */
static bool
of_target(struct subject *subject, struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit)
{
	*subject = (struct subject){gw, target->service, target, target->service->breaker, target->state, permit->target,
	    fg_loop_clock(gw->loop)->mono};
	return subject->conf != NULL;
}

static bool
of_service(struct subject *subject, struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit)
{
	*subject = (struct subject){gw, target->service, NULL, target->service->service_breaker, target->service->state,
	    permit->service, fg_loop_clock(gw->loop)->mono};
	return subject->conf != NULL;
}

/* ---- the log */

/* Of the service as a whole there is none. */
static struct fg_log_field
target_field(const struct subject *subject)
{
	return subject->target == NULL ? FG_F_NONE : FG_F_STR("target", subject->target->url);
}

static void
tell_opened(const struct subject *subject)
{
	const struct fg_breaker *breaker = &subject->state->breaker;
	struct fg_breaker_tally tally = fg_breaker_rate_sum(&breaker->rate, subject->conf->conf.within, subject->now);
	const struct fg_log_field service = FG_F_STR("service", subject->service->name);
	const struct fg_log_field for_ms = FG_F_INT("for_ms", fg_breaker_wait(breaker, subject->now) / FG_US_PER_MS);
	char room[FG_CONNECT_ERROR_BYTES];
	struct fg_str text = fg_connect_error_text(subject->connect_error, room);
	const struct fg_log_field error = text.len == 0 ? FG_F_NONE : FG_F_STR("error", text);

	if (subject->pass.until != 0)
		FG_LOG(subject->gw->log, WARN, "breaker", "opened", service, for_ms, FG_F_CSTR("because", "still_fails"),
		    target_field(subject), error);
	else if (fg_breaker_is_by_rate(breaker))
		FG_LOG(subject->gw->log, WARN, "breaker", "opened", service, for_ms, FG_F_CSTR("because", "error_rate"),
		    FG_F_INT("failed", (int64_t)tally.failed), FG_F_INT("of", (int64_t)tally.requests), target_field(subject),
		    error);
	else
		FG_LOG(subject->gw->log, WARN, "breaker", "opened", service, for_ms, FG_F_CSTR("because", "failures"),
		    target_field(subject), error);
}

static void
tell_change(const struct subject *subject, enum fg_breaker_change change)
{
	if (change == FG_BREAKER_OPENED) {
		atomic_fetch_add_explicit(&subject->state->opened, 1, memory_order_relaxed);
		tell_opened(subject);
	} else if (change == FG_BREAKER_CLOSED_AGAIN) {
		atomic_store_explicit(&subject->state->since, subject->now, memory_order_relaxed);
		FG_LOG(subject->gw->log, INFO, "breaker", "closed", FG_F_STR("service", subject->service->name),
		    target_field(subject));
	}
}

static void
tell_half_open(const struct subject *subject)
{
	if (subject->pass.is_first)
		FG_LOG(subject->gw->log, INFO, "breaker", "half-open", FG_F_STR("service", subject->service->name),
		    target_field(subject));
}

void
fg_judge_let_through(struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit)
{
	struct subject subject;

	if (of_target(&subject, gw, target, permit))
		tell_half_open(&subject);
	if (of_service(&subject, gw, target, permit))
		tell_half_open(&subject);
}

/* ---- the breakers */

static bool
counts(const struct fg_service_breaker *conf, enum fg_failure failure, int status)
{
	return failure == FG_FAILURE_STATUS ? fg_failure_set_has_status(&conf->on, status)
					    : fg_failure_set_has(&conf->on, failure);
}

/* What is neither an answer nor what the breaker counts says nothing to it: where all wait for it, the next may try. */
static void
tell_breaker(const struct subject *subject, enum fg_failure failure, int status)
{
	struct fg_breaker *breaker = &subject->state->breaker;
	const struct fg_breaker_conf *conf = &subject->conf->conf;

	if (counts(subject->conf, failure, status))
		tell_change(subject, fg_breaker_failed(breaker, conf, subject->pass, subject->now));
	else if (failure == FG_FAILURE_NONE || failure == FG_FAILURE_STATUS)
		tell_change(subject, fg_breaker_succeeded(breaker, conf, subject->pass, subject->now));
	else
		fg_breaker_give_back(breaker, subject->pass, subject->now);
}

void
fg_judge(struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit, enum fg_failure failure, int status,
    int connect_error)
{
	struct subject subject;

	if (failure == FG_FAILURE_NOT_ITS)
		return;
	if (failure != FG_FAILURE_NONE)
		atomic_fetch_add_explicit(&target->state->failures, 1, memory_order_relaxed);
	if (of_target(&subject, gw, target, permit)) {
		subject.connect_error = connect_error;
		tell_breaker(&subject, failure, status);
	}
	if (of_service(&subject, gw, target, permit)) {
		subject.connect_error = connect_error;
		tell_breaker(&subject, failure, status);
	}
}

void
fg_judge_never(struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit)
{
	struct subject subject;

	if (of_target(&subject, gw, target, permit))
		fg_breaker_give_back(&subject.state->breaker, subject.pass, subject.now);
	if (of_service(&subject, gw, target, permit))
		fg_breaker_give_back(&subject.state->breaker, subject.pass, subject.now);
}
