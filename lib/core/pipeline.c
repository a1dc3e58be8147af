/*
 * The engine: canonical path, route, filters, terminal, response. The decision comes first and touches nothing but the
 * exchange; performing it is what `faregate explain` leaves out.
 */
#include "core/engine.h"

#include <stdio.h>

#include "base/limits.h"
#include "core/access_log.h"
#include "core/admin.h"
#include "core/config.h"
#include "core/counts.h"
#include "core/filter.h"
#include "core/forward_target.h"
#include "core/var.h"
#include "stats/stats.h"

struct fg_await {
	fg_continue_fn *then;
	void (*on_cancel)(void *arg);
	void *arg;
	bool done;
};

/* ---- deciding */

static void
answer_options(struct fg_exchange *x, fg_method_set allowed)
{
	struct fg_str methods = fg_method_set_format(allowed | FG_METHOD_BIT(FG_METHOD_OPTIONS), &x->arena);

	fg_exchange_answer(x, FG_ERR_OPTIONS_ANSWERED, 204, FG_STR_NONE, FG_STR_NONE);
	FG_ASSERT(fg_headers_add(&x->resp.headers, FG_STR("Allow"), methods) == FG_OK);
	fg_exchange_trace(x, "route", "options", "answered from the methods of this path: " FG_STR_FMT,
	    FG_STR_ARG(methods));
}

static void
answer_no_route(struct fg_exchange *x)
{
	fg_method_set allowed = x->hit.allowed;

	if (allowed == 0) {
		fg_exchange_refuse(x, FG_ERR_ROUTE_NOT_FOUND);
	} else if (x->req.method_id == FG_METHOD_OPTIONS) {
		answer_options(x, allowed);
	} else {
		struct fg_str methods = fg_method_set_format(allowed | FG_METHOD_BIT(FG_METHOD_OPTIONS), &x->arena);

		fg_exchange_refuse(x, FG_ERR_METHOD_NOT_ALLOWED);
		FG_ASSERT(fg_headers_add(&x->resp.headers, FG_STR("Allow"), methods) == FG_OK);
	}
}

static void
match_route(struct fg_exchange *x, struct fg_str method, const struct fg_route_trace *trace, bool is_preflight)
{
	struct fg_route_query query = {
	    .method = fg_method_parse(method),
	    .method_name = method,
	    .host = x->req.host,
	    .uri = &x->req.uri,
	    .merged_uri = &x->req.merged_uri,
	    .headers = &x->req.headers,
	    .arena = &x->arena,
	};
	const struct fg_header *announced;

	announced = fg_headers_find(&x->req.headers, FG_STR("Access-Control-Request-Headers"));
	if (is_preflight && announced != NULL)
		query.announced_headers = announced->value;
	fg_router_match(x->gw->config->router, &query, &x->hit, trace);
}

static void
take_route(struct fg_exchange *x)
{
	x->route = x->hit.rule->owner;
	x->service = x->route->service;
	if (x->route->timeout > 0)
		x->total_deadline = x->started + x->route->timeout;
	fg_exchange_trace(x, "route", "taken", FG_STR_FMT, FG_STR_ARG(x->route->name));
}

/*
 * A CORS preflight (Fetch, "CORS-preflight request") is about the request that it announces: it is answered by the route
 * which that one would take, where it has a policy that answers. Else it is an OPTIONS like any other, and gets none of the
 * headers that would allow anything.
 */
static bool
answer_preflight(struct fg_exchange *x)
{
	const struct fg_route_trace *trace = x->trace == NULL ? NULL : x->trace->route;
	const struct fg_header *method;
	const struct fg_route *route;

	if (x->req.method_id != FG_METHOD_OPTIONS || fg_headers_find(&x->req.headers, FG_STR("Origin")) == NULL)
		return false;
	method = fg_headers_find(&x->req.headers, FG_STR("Access-Control-Request-Method"));
	if (method == NULL)
		return false;
	match_route(x, method->value, NULL, true);
	route = x->hit.rule == NULL ? NULL : x->hit.rule->owner;
	for (size_t i = 0; route != NULL && i < route->filter_count; i++) {
		const struct fg_filter *filter = &route->filters[i];

		if (filter->type->on_preflight == NULL)
			continue;
		if (trace != NULL)
			match_route(x, method->value, trace, true);
		take_route(x);
		filter->type->on_preflight(filter->conf, x);
		FG_ASSERT(x->terminal != FG_TERMINAL_NONE);
		return true;
	}
	return false;
}

static void
find_route(struct fg_exchange *x)
{
	if (answer_preflight(x))
		return;
	match_route(x, x->req.method, x->trace == NULL ? NULL : x->trace->route, false);
	if (x->hit.rule == NULL)
		answer_no_route(x);
	else
		take_route(x);
}

/* What a route demands of every request, before its filters. */
static enum fg_err
check_route_bounds(struct fg_exchange *x)
{
	if (x->route->reject_encoded_slash && x->req.uri.has_encoded_slash)
		return FG_ERR_ENCODED_SLASH_REFUSED;
	if (x->route->body_limit >= 0 &&
	    (x->req.content_length > x->route->body_limit || x->received > x->route->body_limit))
		return FG_ERR_BODY_TOO_LARGE;
	return FG_OK;
}

/* Once the filters know who is asking. */
static void
pick_service(struct fg_exchange *x)
{
	const struct fg_route *route = x->route;
	uint64_t number = route->split_by_count > 0
	    ? fg_var_hash(route->split_by, route->split_by_count, x)
	    : fg_service_draw(&x->gw->service_state[route->splits[0].service->index]);

	x->service = fg_split_pick(route->splits, route->split_count, number);
}

static void
answer_fixed(struct fg_exchange *x, const struct fg_respond *respond)
{
	uint64_t seconds = (uint64_t)((respond->retry_after + FG_US_PER_S - 1) / FG_US_PER_S);

	fg_exchange_answer(x, FG_ERR_RESPONDED, respond->status, respond->content_type, respond->body);
	if (seconds > 0)
		FG_ASSERT(fg_headers_add(&x->resp.headers, FG_STR("Retry-After"), fg_arena_u64(&x->arena, seconds)) == FG_OK);
	x->terminal = FG_TERMINAL_RESPOND;
	if (x->service == NULL)
		fg_exchange_trace(x, "respond", "answer", "%d", respond->status);
	else
		fg_exchange_trace(x, "respond", "answer", "%d instead of service " FG_STR_FMT, respond->status,
		    FG_STR_ARG(x->service->name));
}

static void
decide_terminal(struct fg_exchange *x)
{
	enum fg_err err;

	if (x->route->split_count > 0)
		pick_service(x);
	if (x->route->respond != NULL || (x->service != NULL && x->service->respond != NULL)) {
		answer_fixed(x, x->route->respond != NULL ? x->route->respond : x->service->respond);
		return;
	}
	err = fg_forward_target(x, &x->forward_target);
	if (err != FG_OK) {
		fg_exchange_refuse(x, err);
		return;
	}
	x->terminal = FG_TERMINAL_FORWARD;
	fg_exchange_trace(x, "forward", "to", FG_STR_FMT " as " FG_STR_FMT " " FG_STR_FMT, FG_STR_ARG(x->service->name),
	    FG_STR_ARG(x->req.method), FG_STR_ARG(x->forward_target));
	if (x->service->admission.most > 0)
		fg_exchange_trace(x, "max-in-flight", "place", "one of %d; up to %d wait for %lld ms, of %s criticality",
		    x->service->admission.most, x->service->admission.queue,
		    (long long)(x->service->admission.wait / FG_US_PER_MS), fg_criticality_word(x->route->criticality));
	fg_hedge_explain(x);
}

/* Filters from filter_at on; next is what the one before said. */
static void
run_filters(struct fg_exchange *x, enum fg_next next)
{
	while (next == FG_CONTINUE && x->filter_at < x->route->filter_count) {
		const struct fg_filter *filter = &x->route->filters[x->filter_at];
		void *ctx = fg_arena_zalloc(&x->arena, 1, filter->type->ctx_size);

		x->filter_ctx[x->filter_at++] = ctx;
		next = filter->type->on_request == NULL ? FG_CONTINUE : filter->type->on_request(filter->conf, ctx, x);
		if (next == FG_CONTINUE)
			fg_exchange_trace(x, filter->type->name, "continue", "%s", "");
	}
	FG_ASSERT((next == FG_SUSPEND) == (x->state == FG_X_SUSPENDED));
	FG_ASSERT(next != FG_RESPOND || x->terminal == FG_TERMINAL_REFUSED || x->terminal == FG_TERMINAL_ANSWERED);
	if (next == FG_CONTINUE)
		decide_terminal(x);
}

static void
decide_routed(struct fg_exchange *x)
{
	enum fg_err err = check_route_bounds(x);

	if (err == FG_OK) {
		fg_headers_remove_hop_by_hop(&x->req.headers);
		fg_headers_remove_id(&x->req.headers, FG_HDR_EXPECT);
		err = fg_request_add_forwarded(x);
	}
	if (err != FG_OK) {
		fg_exchange_refuse(x, err);
		return;
	}
	if (x->route->filter_count > 0)
		x->filter_ctx = FG_ARENA_ARRAY(&x->arena, void *, x->route->filter_count);
	run_filters(x, FG_CONTINUE);
}

void
fg_exchange_decide(struct fg_exchange *x)
{
	FG_ASSERT(x->state == FG_X_NEW);
	x->state = FG_X_DECIDING;
	fg_request_read_forwarded(x);
	fg_request_set_id(x);
	/* Before anything is decided on them: who somebody is, nobody tells us but our own filters. */
	if (fg_headers_remove_named(&x->req.headers, &x->gw->config->identity_headers) > 0)
		fg_exchange_trace(x, "request", "removed", "headers of the client that only the gateway may set");
	if (x->early_err != FG_OK)
		fg_exchange_refuse(x, x->early_err);
	else if (x->req.method_id == FG_METHOD_CONNECT)
		fg_exchange_refuse(x, FG_ERR_METHOD_NOT_SUPPORTED);
	else if (fg_str_eq(x->req.uri.path, FG_STR("*")))
		fg_exchange_answer(x, FG_ERR_OPTIONS_ANSWERED, 204, FG_STR_NONE, FG_STR_NONE);
	else if (fg_admin_owns(x))
		fg_admin_answer(x);
	else
		find_route(x);
	if (x->terminal == FG_TERMINAL_NONE)
		decide_routed(x);
}

void
fg_engine_go_on(struct fg_exchange *x)
{
	if (x->state == FG_X_SUSPENDED) {
		/* The route's timeout runs, and that of a body that is waited for. */
		fg_exchange_wait_for(x, x->body_await != NULL ? FG_WAIT_CLIENT_BODY : FG_WAIT_NONE);
		return;
	}
	if (x->front_ops == NULL)
		return;
	FG_ASSERT(x->state == FG_X_DECIDING);
	x->decided = fg_clock_mono();
	if (x->terminal == FG_TERMINAL_FORWARD)
		fg_forward_start(x);
	else
		fg_engine_respond(x);
}

/* ---- waiting */

enum fg_next
fg_await(struct fg_exchange *x, const char *waiting_on, fg_continue_fn *then, void (*on_cancel)(void *arg), void *arg,
    struct fg_await **await)
{
	FG_ASSERT(x->state == FG_X_DECIDING && x->await == NULL);
	x->await = *await = FG_ARENA_NEW(&x->arena, struct fg_await);
	*x->await = (struct fg_await){.then = then, .on_cancel = on_cancel, .arg = arg};
	x->waiting_on = waiting_on;
	x->state = FG_X_SUSPENDED;
	return FG_SUSPEND;
}

void
fg_await_done(struct fg_exchange *x, struct fg_await *await)
{
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	FG_ASSERT(x->await == await && !await->done);
	await->done = true;
	fg_task_post(&x->resume_task);
}

void
fg_engine_resume(struct fg_exchange *x)
{
	struct fg_await *await = x->await;

	x->await = NULL;
	x->waiting_on = NULL;
	x->state = FG_X_DECIDING;
	run_filters(x, await->then(x, await->arg));
	fg_engine_go_on(x);
}

static void
cancel_await(struct fg_exchange *x)
{
	struct fg_await *await = x->await;

	if (await == NULL)
		return;
	x->await = NULL;
	fg_task_cancel(&x->resume_task);
	if (!await->done && await->on_cancel != NULL)
		await->on_cancel(await->arg);
}

/* ---- answering */

enum fg_next
fg_respond(struct fg_exchange *x, enum fg_err reason)
{
	fg_exchange_refuse(x, reason);
	return FG_RESPOND;
}

/* What was under way is given up: an answer of our own takes its place. */
static void
give_up_forwarding(struct fg_exchange *x)
{
	cancel_await(x);
	fg_gather_forget(x);
	x->is_filtered = false;
	x->wait = FG_WAIT_NONE;
	fg_forward_stop(x);
}

static void
prepare_answer(struct fg_exchange *x, enum fg_err reason)
{
	FG_ASSERT(!x->head_sent && x->state != FG_X_DONE);
	give_up_forwarding(x);
	if (x->req.id.len == 0)
		fg_request_set_id(x);
	x->reason = reason;
	fg_headers_init(&x->resp.headers, &x->arena);
	x->resp.content_length = -1;
}

/* An answer made outside of the decision goes out at once; one made in it, when the decision returns. */
static void
answer_now_or_later(struct fg_exchange *x)
{
	if (x->state != FG_X_DECIDING)
		fg_engine_respond(x);
}

void
fg_exchange_refuse(struct fg_exchange *x, enum fg_err reason)
{
	prepare_answer(x, reason);
	x->terminal = FG_TERMINAL_REFUSED;
	fg_reply_problem(x, reason);
	fg_exchange_trace(x, "answer", fg_err_token(reason), "%d %s", x->resp.status, fg_err_info(reason)->title);
	answer_now_or_later(x);
}

void
fg_exchange_answer(struct fg_exchange *x, enum fg_err reason, int status, struct fg_str content_type, struct fg_str body)
{
	prepare_answer(x, reason);
	x->terminal = FG_TERMINAL_ANSWERED;
	x->resp.status = status;
	x->own_body = body;
	x->own_sent = 0;
	if (content_type.len > 0)
		FG_ASSERT(fg_headers_add(&x->resp.headers, FG_STR("Content-Type"), content_type) == FG_OK);
	answer_now_or_later(x);
}

static bool
status_has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* Headers that would not mean to the web server what the service means by them. */
static void
remove_server_commands(struct fg_headers *headers)
{
	/* Status is CGI's own (RFC 3875 §6.3.3): ours goes first, a second one would win in some servers. The others make
	   a web server send a file of its own disk: a service on another host has no say in that. */
	fg_headers_remove_set(headers,
	    FG_HEADER_BIT(FG_HDR_STATUS) | FG_HEADER_BIT(FG_HDR_X_SENDFILE) | FG_HEADER_BIT(FG_HDR_X_SENDFILE2) |
		FG_HEADER_BIT(FG_HDR_X_LIGHTTPD_SEND_FILE) | FG_HEADER_BIT(FG_HDR_X_LIGHTTPD_SEND_TEMPFILE) |
		FG_HEADER_BIT(FG_HDR_X_ACCEL_REDIRECT));
}

/*
 * In CGI a Location that is a path, with status 200, makes the web server run that path itself (RFC 3875 §6.2.2).
 * A service that sends one (with 201 it is common, with 200 rare) means it for the client: spelled out, it is.
 */
static enum fg_err
spell_out_location(struct fg_exchange *x)
{
	struct fg_str location = fg_headers_value(&x->resp.headers, FG_HDR_LOCATION);

	if (x->resp.status != 200 || location.len == 0 || location.p[0] != '/')
		return FG_OK;
	return fg_headers_set(&x->resp.headers, FG_STR("Location"),
	    FG_ARENA_CONCAT(&x->arena, x->req.scheme, FG_STR("://"), x->req.authority, location));
}

static void
filter_response(struct fg_exchange *x)
{
	x->is_filtered = true;
	for (size_t i = x->filter_at; i > 0; i--) {
		const struct fg_filter *filter = &x->route->filters[i - 1];

		if (filter->type->on_response != NULL)
			filter->type->on_response(filter->conf, x->filter_ctx[i - 1], x);
	}
}

void
fg_engine_send_head(struct fg_exchange *x)
{
	FG_ASSERT(!x->head_sent && x->front != NULL);
	if (!x->is_filtered)
		filter_response(x);
	x->is_filtered = false;
	remove_server_commands(&x->resp.headers);
	/* Two headers that are nice to have: where a service has filled the last place, they are left out. */
	if (spell_out_location(x) == FG_OK && fg_headers_find_id(&x->resp.headers, FG_HDR_X_REQUEST_ID) == NULL)
		(void)!fg_headers_add(&x->resp.headers, FG_STR("X-Request-Id"), x->req.id);
	x->head_sent = true;
	x->front_ops->send_head(x->front, x->resp.status, &x->resp.headers);
}

void
fg_engine_respond(struct fg_exchange *x)
{
	x->state = FG_X_RESPONDING;
	x->body_discard = true;
	fg_buf_reset(&x->body);
	if (x->front == NULL)
		return;
	if (!status_has_no_body(x->resp.status)) {
		fg_headers_remove_id(&x->resp.headers, FG_HDR_CONTENT_LENGTH);
		(void)!fg_headers_add(&x->resp.headers, FG_STR("Content-Length"),
		    fg_arena_u64(&x->arena, x->own_body.len));
	}
	filter_response(x);
	if (x->is_held)
		fg_exchange_wait_for(x, FG_WAIT_NONE);
	else
		fg_engine_send_own(x);
}

void
fg_engine_send_own(struct fg_exchange *x)
{
	if (x->client_left) {
		fg_engine_break(x, x->reason == FG_OK ? FG_ERR_CLIENT_GONE : x->reason);
		return;
	}
	fg_engine_send_head(x);
	if (status_has_no_body(x->resp.status) || x->req.method_id == FG_METHOD_HEAD)
		x->own_body = FG_STR_NONE;
	x->front_ops->want_body(x->front);
	if (x->state == FG_X_RESPONDING)
		fg_engine_pump_own_body(x);
}

void
fg_engine_pump_own_body(struct fg_exchange *x)
{
	while (x->own_sent < x->own_body.len) {
		struct fg_str piece =
		    fg_str_slice(x->own_body, x->own_sent, x->own_sent + FG_WRITE_PIECE_BYTES);

		if (x->front_ops->send_body(x->front, piece) == FG_FLOW_PAUSE) {
			fg_exchange_wait_for(x, FG_WAIT_CLIENT_READS);
			return;
		}
		x->own_sent += piece.len;
		x->sent += (int64_t)piece.len;
	}
	fg_engine_complete(x);
}

/* ---- the end */

void
fg_engine_end_filters(struct fg_exchange *x)
{
	for (size_t i = x->filter_at; i > 0; i--) {
		const struct fg_filter *filter = &x->route->filters[i - 1];

		if (filter->type->on_done != NULL)
			filter->type->on_done(filter->conf, x->filter_ctx[i - 1], x);
	}
}

/* Everything that an exchange leaves behind: filters' memory, counters, the log line. Once. */
static void
settle(struct fg_exchange *x)
{
	x->state = FG_X_DONE;
	x->ended = fg_clock_mono();
	give_up_forwarding(x);
	fg_timer_stop(&x->deadline);
	fg_engine_end_filters(x);
	if (x->gw->stats != NULL) {
		fg_counts_add(x->gw->stats, x->gw->worker, x);
		atomic_fetch_sub_explicit(
		    &fg_stats_worker(x->gw->stats, x->gw->worker)->in_flight, 1, memory_order_relaxed);
	}
	if (x->gw->access_log != NULL)
		fg_access_log_write(x->gw->access_log, x);
	fg_task_post(&x->free_task);
}

void
fg_engine_complete(struct fg_exchange *x)
{
	void *front = x->front;

	settle(x);
	x->front = NULL;
	x->front_ops->end(front);
}

void
fg_engine_break(struct fg_exchange *x, enum fg_err err)
{
	void *front = x->front;

	if (x->state == FG_X_DONE)
		return;
	if (x->req.id.len == 0)
		fg_request_set_id(x);
	x->reason = err;
	settle(x);
	x->front = NULL;
	if (front != NULL)
		x->front_ops->abort(front);
}

void
fg_exchange_trace(struct fg_exchange *x, const char *who, const char *outcome, const char *fmt, ...)
{
	va_list args;

	if (x->trace == NULL)
		return;
	va_start(args, fmt);
	x->trace->step(x->trace->arg, who, outcome, fg_arena_vprintf(&x->arena, fmt, args));
	va_end(args);
}
