/*
 * The life of an exchange: made for a front, started, watched by deadlines, counted and freed once. What it decides and
 * how it answers stands in pipeline.c.
 */
#include "core/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/log.h"
#include "core/access_log.h"
#include "core/config.h"
#include "core/filter.h"
#include "core/mirror.h"
#include "core/pool_memory.h"
#include "redis/redis.h"
#include "stats/stats.h"

enum { FIRST_ARENA_BYTES = 6 * 1024, MOST_SPARE = 64 };

/* ---- the gateway */

void
fg_gateway_init(struct fg_gateway *gw, const struct fg_config *config, struct fg_loop *loop, struct fg_client *client,
    const struct fg_log *log)
{
	*gw = (struct fg_gateway){.config = config, .loop = loop, .client = client, .log = log};
	FG_ASSERT(getrandom(&gw->id_prefix, sizeof(gw->id_prefix), 0) == (ssize_t)sizeof(gw->id_prefix));
	gw->service_state = calloc(config->service_count + 1, sizeof(*gw->service_state));
	FG_ASSERT(gw->service_state != NULL);
	for (size_t i = 0; i < config->service_count; i++) {
		gw->service_state[i].credit = calloc(config->services[i]->target_count, sizeof(int64_t));
		FG_ASSERT(gw->service_state[i].credit != NULL);
		gw->service_state[i].random = gw->id_prefix + i;
	}
	gw->redis = fg_config_open_store(config, loop, log);
}

void
fg_gateway_start_filters(struct fg_gateway *gw, const struct fg_pool_memory *memory)
{
	for (size_t i = 0; fg_filter_types[i] != NULL; i++)
		if (fg_filter_types[i]->worker_start != NULL)
			gw->filter_state[i] =
			    fg_filter_types[i]->worker_start(gw, memory == NULL ? NULL : memory->filters[i].p);
}

void
fg_gateway_fini(struct fg_gateway *gw)
{
	FG_ASSERT(gw->live == NULL);
	fg_mirror_end_all(gw);
	for (size_t i = 0; fg_filter_types[i] != NULL; i++)
		if (gw->filter_state[i] != NULL)
			fg_filter_types[i]->worker_stop(gw->filter_state[i]);
	if (gw->redis != NULL)
		fg_redis_free(gw->redis);
	while (gw->spare != NULL) {
		struct fg_exchange *x = gw->spare;

		gw->spare = x->next;
		free(x);
	}
	for (size_t i = 0; i < gw->config->service_count; i++) {
		free(gw->service_state[i].credit);
		fg_admission_free(gw->service_state[i].admission);
	}
	free(gw->service_state);
}

void
fg_gateway_end_all(struct fg_gateway *gw, enum fg_err err)
{
	struct fg_exchange *next;

	for (struct fg_exchange *x = gw->live; x != NULL; x = next) {
		next = x->next;
		if (x->state == FG_X_DONE)
			continue;
		if (x->head_sent)
			fg_engine_break(x, err);
		else if (!x->is_held)
			fg_exchange_refuse(x, err);
		if (x->is_held)
			fg_gather_let_go(x); /* nobody turns the loop any more for what is waited for */
	}
}

/* ---- making and freeing */

static void on_deadline(struct fg_timer *timer, void *arg);

static void
free_later(void *arg)
{
	fg_exchange_free(arg);
}

static void
resume(void *arg)
{
	struct fg_exchange *x = arg;

	if (x->is_held)
		fg_gather_let_go(x);
	else
		fg_engine_resume(x);
}

static struct fg_exchange *
take_memory(struct fg_gateway *gw)
{
	struct fg_exchange *x = gw->spare;

	if (x == NULL) {
		x = malloc(sizeof(*x) + FIRST_ARENA_BYTES);
		FG_ASSERT(x != NULL);
	} else {
		gw->spare = x->next;
		gw->spare_count--;
	}
	memset(x, 0, sizeof(*x));
	return x;
}

static struct fg_exchange *
new_exchange(struct fg_gateway *gw)
{
	struct fg_exchange *x = take_memory(gw);

	x->magic = FG_EXCHANGE_MAGIC;
	x->state = FG_X_NEW;
	x->gw = gw;
	fg_arena_init(&x->arena, FG_MAX_EXCHANGE_ARENA_BYTES, x->first, FIRST_ARENA_BYTES);
	fg_buf_init(&x->body, FG_BODY_BUFFER_BYTES);
	fg_buf_init(&x->own_buf, FG_MAX_OWN_BODY_BYTES);
	fg_headers_init(&x->req.headers, &x->arena);
	fg_headers_init(&x->resp.headers, &x->arena);
	x->resp.content_length = -1;
	x->first_try = (struct fg_try){.x = x, .resp = &x->resp};
	x->lead = &x->first_try;
	x->next = gw->live;
	if (gw->live != NULL)
		gw->live->prev = x;
	gw->live = x;
	gw->live_count++;
	return x;
}

static void
attach_front(struct fg_exchange *x, const struct fg_front_ops *ops, void *front)
{
	const struct fg_clock *clock = fg_loop_clock(x->gw->loop);

	x->front_ops = ops;
	x->front = front;
	x->started = x->active = clock->mono;
	x->wall = clock->wall;
	fg_timer_init(&x->deadline, x->gw->loop, on_deadline, x);
	fg_task_init(&x->free_task, x->gw->loop, free_later, x);
	fg_task_init(&x->resume_task, x->gw->loop, resume, x);
	if (x->gw->stats != NULL)
		atomic_fetch_add_explicit(
		    &fg_stats_worker(x->gw->stats, x->gw->worker)->in_flight, 1, memory_order_relaxed);
}

struct fg_exchange *
fg_exchange_new(struct fg_gateway *gw, const struct fg_front_ops *ops, void *front, const struct fg_param *params,
    size_t param_count)
{
	struct fg_exchange *x = new_exchange(gw);

	attach_front(x, ops, front);
	fg_request_read(x, params, param_count);
	return x;
}

struct fg_exchange *
fg_exchange_new_refused(struct fg_gateway *gw, const struct fg_front_ops *ops, void *front, enum fg_err err)
{
	struct fg_exchange *x = new_exchange(gw);

	attach_front(x, ops, front);
	x->req.content_length = -1;
	x->early_err = err;
	return x;
}

struct fg_exchange *
fg_exchange_new_offline(struct fg_gateway *gw, const struct fg_param *params, size_t param_count,
    const struct fg_decision_trace *trace)
{
	struct fg_exchange *x = new_exchange(gw);
	struct fg_clock now;

	fg_clock_read(&now);
	x->started = now.mono;
	x->wall = now.wall;
	x->trace = trace;
	if (gw->loop != NULL) {
		fg_timer_init(&x->deadline, gw->loop, on_deadline, x);
		fg_task_init(&x->resume_task, gw->loop, resume, x);
	}
	fg_request_read(x, params, param_count);
	return x;
}

void
fg_exchange_free(struct fg_exchange *x)
{
	struct fg_gateway *gw = x->gw;

	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	FG_ASSERT(x->lead->call == NULL && x->front == NULL && x->await == NULL);
	if (x->state != FG_X_DONE)
		fg_engine_end_filters(x); /* one that was decided and went no further */
	x->magic = 0;
	if (x->prev != NULL)
		x->prev->next = x->next;
	else
		gw->live = x->next;
	if (x->next != NULL)
		x->next->prev = x->prev;
	gw->live_count--;
	fg_arena_fini(&x->arena);
	fg_buf_fini(&x->body);
	fg_buf_fini(&x->own_buf);
	if (gw->spare_count >= MOST_SPARE) {
		free(x);
		return;
	}
	x->next = gw->spare;
	gw->spare = x;
	gw->spare_count++;
}

/* ---- the front speaks */

void
fg_exchange_start(struct fg_exchange *x)
{
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	if (x->early_err == FG_OK && x->body_unknown && !x->body_last && x->body.len == 0) {
		fg_exchange_wait_for(x, FG_WAIT_CLIENT_BODY);
		return;
	}
	if (x->body_unknown) {
		x->body_unknown = false;
		x->req.has_body = x->body.len > 0 || !x->body_last;
	}
	fg_exchange_wait_for(x, FG_WAIT_NONE);
	fg_exchange_decide(x);
	fg_engine_go_on(x);
}

size_t
fg_exchange_body_room(const struct fg_exchange *x)
{
	return x->body_discard ? FG_BODY_BUFFER_BYTES : x->body.max - x->body.len;
}

/* Checks the sizes that were said or configured; answers and returns false when one is passed. */
static bool
body_is_allowed(struct fg_exchange *x, bool last)
{
	int64_t said = x->req.content_length;
	enum fg_err err = FG_OK;

	if (x->route != NULL && x->route->body_limit >= 0 && x->received > x->route->body_limit)
		err = FG_ERR_BODY_TOO_LARGE;
	else if (said >= 0 && x->received > said)
		err = FG_ERR_BODY_TOO_LONG;
	else if (said >= 0 && last && x->received < said)
		err = FG_ERR_BODY_INCOMPLETE;
	if (err == FG_OK)
		return true;
	if (x->early_err == FG_OK)
		x->early_err = err;
	if (x->head_sent)
		fg_engine_break(x, err);
	else if (x->state != FG_X_NEW)
		fg_exchange_refuse(x, err);
	return false;
}

void
fg_exchange_on_body(struct fg_exchange *x, struct fg_str chunk, bool last)
{
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	if (x->body_last)
		return;
	x->body_last = last;
	x->received += (int64_t)chunk.len;
	if (x->body_discard)
		return;
	fg_exchange_touch(x);
	if (body_is_allowed(x, last))
		FG_ASSERT(fg_buf_add(&x->body, chunk));
	if (x->state == FG_X_NEW && x->wait == FG_WAIT_CLIENT_BODY)
		fg_exchange_start(x);
	else if (x->state == FG_X_FORWARDING)
		fg_forward_on_body(x);
	else if (x->state == FG_X_SUSPENDED)
		fg_gather_request(x);
}

void
fg_exchange_on_writable(struct fg_exchange *x)
{
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	if (x->state == FG_X_RESPONDING && !x->is_held)
		fg_engine_pump_own_body(x);
	else if (x->state == FG_X_FORWARDING)
		fg_forward_on_writable(x);
}

void
fg_exchange_on_client_gone(struct fg_exchange *x)
{
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	x->front = NULL;
	fg_engine_break(x, FG_ERR_CLIENT_GONE);
}

/* ---- deadlines */

/*
 * One timer serves the total and the step. A byte that moves only notes the time (fg_exchange_touch), so that a busy
 * exchange costs the loop's heap nothing; the timer, when it fires, looks how much is left and sleeps on.
 */

/* Connecting has a deadline of its own (connect-timeout); the others begin when it is over. */
static bool
is_connecting(const struct fg_exchange *x, struct fg_call_times *times)
{
	fg_call_get_times(x->lead->call, times);
	return !times->reused && times->connected == 0;
}

/* When the step is over by its own deadline; 0: never. */
static fg_usec
step_deadline(const struct fg_exchange *x)
{
	const struct fg_service *service = x->service;
	struct fg_call_times times;

	switch (x->wait) {
	case FG_WAIT_NONE:
	case FG_WAIT_NAME:
		return 0;
	case FG_WAIT_PLACE:
		return x->queued + service->admission.wait;
	case FG_WAIT_CLIENT_BODY:
	case FG_WAIT_CLIENT_READS:
		return x->active + (service != NULL ? service->idle_timeout : FG_CLIENT_IDLE_USEC);
	case FG_WAIT_SERVICE_READS:
		if (is_connecting(x, &times))
			return fg_loop_clock(x->gw->loop)->mono + service->idle_timeout;
		return x->active + service->idle_timeout;
	case FG_WAIT_SERVICE_BODY:
		return x->active + service->idle_timeout;
	case FG_WAIT_RESPONSE:
		if (is_connecting(x, &times))
			return fg_loop_clock(x->gw->loop)->mono + service->response_timeout;
		if (x->active < x->lead->sent_at + times.connected)
			return x->lead->sent_at + times.connected + service->response_timeout;
		return x->active + service->response_timeout;
	}
	return 0;
}

static enum fg_err
step_error(const struct fg_exchange *x)
{
	switch (x->wait) {
	case FG_WAIT_PLACE:
		return FG_ERR_OVERLOADED;
	case FG_WAIT_CLIENT_BODY:
		return FG_ERR_REQUEST_TIMEOUT;
	case FG_WAIT_CLIENT_READS:
		return FG_ERR_CLIENT_GONE;
	case FG_WAIT_RESPONSE:
		return FG_ERR_SERVICE_TIMEOUT;
	default:
		return FG_ERR_SERVICE_IDLE_TIMEOUT;
	}
}

static void
arm(struct fg_exchange *x)
{
	fg_usec now = fg_loop_clock(x->gw->loop)->mono;
	fg_usec step = step_deadline(x), next = x->total_deadline;

	if (next == 0 || (step != 0 && step < next))
		next = step;
	if (next == 0)
		fg_timer_stop(&x->deadline);
	else
		fg_timer_start(&x->deadline, next - now);
}

void
fg_exchange_wait_for(struct fg_exchange *x, enum fg_wait wait)
{
	bool was_idle = !fg_timer_is_active(&x->deadline), was_none = x->wait == FG_WAIT_NONE || x->wait == FG_WAIT_NAME;

	if (x->wait == wait && !was_idle)
		return;
	x->wait = wait;
	fg_exchange_touch(x);
	/* A running timer fires no later than it must when the new deadline lies behind the old one; when it may lie
	   before, it is set anew: that of the whole exchange alone is far. */
	if (was_idle || was_none || wait == FG_WAIT_NONE || wait == FG_WAIT_PLACE || wait == FG_WAIT_RESPONSE || x->service == NULL ||
	    x->service->idle_timeout < x->service->response_timeout)
		arm(x);
}

void
fg_exchange_wait_for_lead(struct fg_exchange *x)
{
	bool resolves = fg_call_is_resolving(x->lead->call);

	x->wait = resolves ? FG_WAIT_NAME : FG_WAIT_RESPONSE;
	x->waiting_on = resolves ? "name" : "service";
	x->active = x->lead->sent_at;
	arm(x);
}

static void
on_deadline(struct fg_timer *timer, void *arg)
{
	struct fg_exchange *x = arg;
	fg_usec now = fg_loop_clock(x->gw->loop)->mono, step;
	enum fg_err err;

	(void)timer;
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	step = step_deadline(x);
	if (x->total_deadline != 0 && now >= x->total_deadline)
		err = FG_ERR_EXCHANGE_TIMEOUT;
	else if (step != 0 && now >= step)
		err = step_error(x);
	else {
		arm(x);
		return;
	}
	if (x->is_held) {
		fg_gather_let_go(x); /* what was waited for is no reason to lose an answer */
		return;
	}
	if (x->state == FG_X_FORWARDING && fg_forward_on_deadline(x, err))
		return;
	if (x->head_sent || err == FG_ERR_CLIENT_GONE)
		fg_engine_break(x, err);
	else
		fg_exchange_refuse(x, err);
}
