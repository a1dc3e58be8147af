/*
 * The service's side of an exchange: a call to the target that was picked, bodies in both directions with back-pressure
 * from end to end, and the deadline of each step. Forwarding is where the chain of filters ends, not a filter.
 */
#include "core/engine.h"

#include <stdio.h>

#include "core/config.h"
#include "core/mirror.h"
#include "service/service.h"
#include "service/targets.h"

/* ---- the request */

struct fg_str
fg_forward_host(const struct fg_exchange *x, const struct fg_target *target)
{
	switch (target->service->host_mode) {
	case FG_HOST_TARGET:
		return target->authority;
	case FG_HOST_NAME:
		return target->service->host_name;
	case FG_HOST_PRESERVE:
		break;
	}
	return x->req.authority;
}

static uint64_t
ms_left(const struct fg_exchange *x)
{
	fg_usec left = x->total_deadline - fg_loop_clock(x->gw->loop)->mono;

	return left > 0 ? (uint64_t)left / FG_US_PER_MS : 0;
}

static struct fg_call_header *
call_headers(const struct fg_try *try, size_t *count)
{
	struct fg_exchange *x = try->x;
	const struct fg_headers *headers = &x->req.headers;
	struct fg_str deadline = x->service->deadline_header;
	struct fg_call_header *out = fg_arena_alloc(&x->arena, (headers->count + 2) * sizeof(*out));
	size_t n = 0;

	out[n++] = (struct fg_call_header){.name = FG_STR("Host"), .value = fg_forward_host(x, try->target)};
	for (size_t i = 0; i < headers->count; i++)
		if (headers->v[i].id != FG_HDR_HOST && headers->v[i].id != FG_HDR_CONTENT_LENGTH &&
		    (deadline.len == 0 || !fg_str_ieq(headers->v[i].name, deadline)))
			out[n++] = (struct fg_call_header){.name = headers->v[i].name, .value = headers->v[i].value};
	if (deadline.len > 0 && x->total_deadline != 0)
		out[n++] = (struct fg_call_header){.name = deadline, .value = fg_arena_u64(&x->arena, ms_left(x))};
	*count = n;
	return out;
}

/* ---- the body, from the client to the service */

/*
 * Web servers say CONTENT_LENGTH 0 of every request without a body. It is sent on where a service may insist on it;
 * where a body has no meaning, it would only make a service wonder (RFC 9110 §8.6).
 */
bool
fg_forward_says_empty(const struct fg_request *req)
{
	if (req->content_length != 0)
		return false;
	switch (req->method_id) {
	case FG_METHOD_GET:
	case FG_METHOD_HEAD:
	case FG_METHOD_DELETE:
	case FG_METHOD_OPTIONS:
	case FG_METHOD_TRACE:
		return false;
	default:
		return true;
	}
}

/* A response that the client does not take is what the exchange waits for, whatever becomes of the body. */
static void
wait_while_sending(struct fg_exchange *x, enum fg_wait wait)
{
	if (!x->receive_paused)
		fg_exchange_wait_for(x, wait);
}

/* The web server may say that the body has ended long after its last byte; where its length is known, that says it. */
static bool
is_taken(const struct fg_exchange *x)
{
	if (x->req.content_length >= 0)
		return x->received - (int64_t)x->body.len == x->req.content_length;
	return x->body_last && x->body.len == 0;
}

static void
wait_after_sending(struct fg_exchange *x, bool is_whole)
{
	if (!is_whole)
		wait_while_sending(x, FG_WAIT_SERVICE_READS);
	else
		wait_while_sending(x, x->head_sent || x->is_gathering ? FG_WAIT_SERVICE_BODY : FG_WAIT_RESPONSE);
	fg_exchange_touch(x);
}

static enum fg_flow
on_send(void *arg, char *buf, size_t size, size_t *len)
{
	struct fg_exchange *x = ((struct fg_try *)arg)->x;
	struct fg_str again = fg_try_replay(x, size);
	size_t n = x->body.len < size ? x->body.len : size;

	if (again.len > 0) {
		memcpy(buf, again.p, again.len);
		*len = again.len;
		wait_after_sending(x, is_taken(x) && !fg_try_has_more(x));
		return FG_FLOW_GO;
	}
	if (n == 0 && !x->body_last) {
		x->send_paused = true;
		wait_while_sending(x, FG_WAIT_CLIENT_BODY);
		return FG_FLOW_PAUSE;
	}
	if (n > 0) {
		memcpy(buf, x->body.p, n);
		fg_try_keep(x, (struct fg_str){buf, n});
	}
	fg_buf_consume(&x->body, n);
	fg_mirror_body(x, (struct fg_str){buf, n}, is_taken(x));
	*len = n;
	wait_after_sending(x, is_taken(x));
	if (!x->body_last && x->front != NULL)
		x->front_ops->want_body(x->front);
	return FG_FLOW_GO;
}

void
fg_forward_on_body(struct fg_exchange *x)
{
	if (!x->send_paused || x->lead->call == NULL)
		return;
	x->send_paused = false;
	fg_call_resume_send(x->lead->call);
}

/* ---- the response, from the service to the client */

static enum fg_flow
on_status(void *arg, int status)
{
	struct fg_try *try = arg;

	try->first_byte = fg_clock_mono();
	try->resp->status = status;
	return FG_FLOW_GO;
}

static enum fg_flow
on_header(void *arg, struct fg_str name, struct fg_str value)
{
	struct fg_try *try = arg;
	struct fg_arena *arena = &try->x->arena;

	if (fg_headers_add(&try->resp->headers, fg_arena_str(arena, name), fg_arena_str(arena, value)) == FG_OK)
		return FG_FLOW_GO;
	fg_call_fail_with(try->call, FG_ERR_SERVICE_HEADERS_TOO_LARGE);
	return FG_FLOW_FAIL;
}

/* Everybody waits for this one try to tell whether the target, or the service, is back: its answer has begun, which is enough. */
static bool
is_awaited(const struct fg_try *try)
{
	return try->permit.target.until != 0 || try->permit.service.until != 0;
}

static enum fg_flow
on_head_end(void *arg)
{
	struct fg_try *try = arg;
	struct fg_exchange *x = try->x;
	int status = try->resp->status;

	if (fg_failure_is_status(x->service, status))
		fg_try_judge(try, FG_FAILURE_STATUS);
	else if (is_awaited(try))
		fg_try_judge(try, FG_FAILURE_NONE);
	if (!fg_hedge_is_answer(x->service, status) && fg_hedge_carries_on(try))
		return FG_FLOW_GO;
	if (fg_failure_is_status(x->service, status) && fg_try_again(x, FG_FAILURE_STATUS, false))
		return FG_FLOW_GO;
	fg_hedge_settle(try);
	fg_headers_remove_hop_by_hop(&x->resp.headers);
	fg_exchange_wait_for(x, FG_WAIT_SERVICE_BODY);
	if (!fg_gather_head(x))
		fg_engine_send_head(x);
	return FG_FLOW_GO;
}

static enum fg_flow
on_body(void *arg, struct fg_str chunk)
{
	struct fg_exchange *x = ((struct fg_try *)arg)->x;

	if (fg_gather_body(x, chunk)) {
		fg_exchange_touch(x);
		return FG_FLOW_GO;
	}
	if (!fg_gather_send(x) || x->front_ops->send_body(x->front, chunk) == FG_FLOW_PAUSE) {
		x->receive_paused = true;
		fg_exchange_wait_for(x, FG_WAIT_CLIENT_READS);
		return FG_FLOW_PAUSE;
	}
	x->sent += (int64_t)chunk.len;
	fg_exchange_touch(x);
	return FG_FLOW_GO;
}

void
fg_forward_on_writable(struct fg_exchange *x)
{
	if (!x->receive_paused || x->lead->call == NULL)
		return;
	x->receive_paused = false;
	fg_exchange_wait_for(x, FG_WAIT_SERVICE_BODY);
	fg_call_resume_body(x->lead->call);
}

/*
 * A service that fails right behind its head is found out mostly before anything of the answer has left: then nothing was
 * sent, and what to do is decided as for one that failed before its head.
 */
static void
recall_response(struct fg_exchange *x)
{
	if (!x->head_sent || x->front_ops->recall == NULL || !x->front_ops->recall(x->front))
		return;
	x->head_sent = false;
	x->sent = 0;
}

static void
on_end(void *arg, enum fg_err err)
{
	struct fg_try *try = arg;
	struct fg_exchange *x = try->x;
	struct fg_call_times times;
	enum fg_failure failure;

	fg_call_get_times(try->call, &times);
	try->connected = times.connected > 0 ? try->sent_at + times.connected : 0;
	try->connect_error = fg_call_connect_error(try->call);
	x->was_sent |= times.sent;
	try->call = NULL;
	if (err == FG_OK && !x->head_sent && !x->is_gathering)
		err = FG_ERR_SERVICE_RESPONSE_INVALID;
	if (err != FG_OK)
		recall_response(x);
	failure = fg_failure_of(err);
	fg_try_judge(try, failure);
	if (err != FG_OK && fg_hedge_carries_on(try))
		return;
	if (failure > FG_FAILURE_NOT_ITS && fg_try_again(x, failure, !times.sent))
		return;
	if (err == FG_OK && x->is_gathering)
		fg_gather_end(x);
	else if (err == FG_OK)
		fg_engine_complete(x);
	else if (x->head_sent)
		fg_engine_break(x, err);
	else
		fg_exchange_refuse(x, err);
}

/* Of a race it is the lead's step whose deadline runs. */
static void
on_resolved(void *arg)
{
	struct fg_try *try = arg;

	if (try == try->x->lead)
		fg_forward_wait_for_lead(try->x);
}

static const struct fg_call_ops call_ops = {
    .on_status = on_status,
    .on_header = on_header,
    .on_head_end = on_head_end,
    .on_body = on_body,
    .on_send = on_send,
    .on_end = on_end,
    .on_resolved = on_resolved,
};

void
fg_forward_call(struct fg_try *try)
{
	struct fg_exchange *x = try->x;
	const struct fg_request *req = &x->req;
	struct fg_call_spec spec;

	try->sent_at = fg_loop_clock(x->gw->loop)->mono;
	fg_headers_init(&try->resp->headers, &x->arena);
	spec = (struct fg_call_spec){
	    .endpoint = try->target->endpoint,
	    .method = req->method,
	    .target = x->forward_target,
	    .has_body = req->has_body || fg_forward_says_empty(req),
	    .body_length = req->has_body ? req->content_length : 0,
	    .replayable = !req->has_body && fg_method_is_idempotent(req->method_id),
	    .arena = &x->arena,
	};
	spec.headers = call_headers(try, &spec.header_count);
	try->call = fg_call_start(x->gw->client, &spec, &call_ops, try);
}

void
fg_forward_wait_for_lead(struct fg_exchange *x)
{
	if (fg_call_is_resolving(x->lead->call)) {
		x->waiting_on = "name";
		fg_exchange_wait_for(x, FG_WAIT_NAME);
	} else {
		x->waiting_on = "service";
		fg_exchange_wait_for(x, x->req.has_body ? FG_WAIT_SERVICE_READS : FG_WAIT_RESPONSE);
	}
}

void
fg_forward_call_lead(struct fg_exchange *x)
{
	fg_forward_call(x->lead);
	fg_forward_wait_for_lead(x);
	fg_hedge_prepare(x);
}

void
fg_forward_unavailable(struct fg_exchange *x, enum fg_err err, fg_usec wait)
{
	x->retry_after = (wait + FG_US_PER_S - 1) / FG_US_PER_S;
	fg_exchange_refuse(x, err);
}

void
fg_forward_start(struct fg_exchange *x)
{
	x->state = FG_X_FORWARDING;
	switch (fg_admission_enter(x)) {
	case FG_ADMITTED:
		fg_forward_admitted(x);
		break;
	case FG_QUEUED:
		x->waiting_on = "place";
		fg_exchange_wait_for(x, FG_WAIT_PLACE);
		break;
	case FG_OVERLOADED:
		fg_exchange_refuse(x, FG_ERR_OVERLOADED);
		break;
	}
}

void
fg_forward_admitted(struct fg_exchange *x)
{
	fg_usec wait = 0;
	enum fg_err err = fg_try_first(x, &wait);

	if (err != FG_OK) {
		fg_forward_unavailable(x, err, wait);
		return;
	}
	x->called = fg_loop_clock(x->gw->loop)->mono;
	fg_mirror_start(x);
	fg_forward_call_lead(x);
}

/* Of the whole exchange's time a service that was asked and did not answer has had its share. */
static enum fg_failure
failure_by_deadline(const struct fg_exchange *x, enum fg_err err)
{
	if (err == FG_ERR_EXCHANGE_TIMEOUT)
		return x->wait == FG_WAIT_RESPONSE ? FG_FAILURE_TIMEOUT : FG_FAILURE_NOT_ITS;
	return fg_failure_of(err);
}

bool
fg_forward_on_deadline(struct fg_exchange *x, enum fg_err err)
{
	enum fg_failure failure = failure_by_deadline(x, err);

	fg_try_judge(x->lead, failure);
	if (failure <= FG_FAILURE_NOT_ITS || err == FG_ERR_EXCHANGE_TIMEOUT)
		return false;
	return fg_hedge_carries_on(x->lead) || fg_try_again(x, failure, false);
}

void
fg_forward_stop(struct fg_exchange *x)
{
	fg_hedge_stop(x);
	fg_try_drop(x->lead);
	fg_try_stop(x);
	fg_mirror_stop(x);
	fg_admission_leave(x);
}
