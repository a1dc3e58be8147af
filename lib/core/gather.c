/*
 * Whole messages, for filters that need them (core/filter.h says when): a request's body before the decision goes on, an
 * answer's body before any of it is sent, and an answer that is held until what a filter does about it is done. An exchange
 * whose answer is gathered goes on when its client leaves: what the service did is worth knowing all the same.
 */
#include "core/engine.h"

#include "core/filter.h"

/* ---- the request's */

bool
fg_body_is_whole(const struct fg_exchange *x)
{
	if ((int64_t)x->body.len > x->body_most || x->req.content_length > x->body_most)
		return false;
	if (x->body_last || !x->req.has_body || x->front_ops == NULL)
		return true;
	/* The web server may say that it has ended long after its last byte. */
	return x->req.content_length >= 0 && x->received >= x->req.content_length;
}

static bool
is_too_long(const struct fg_exchange *x)
{
	return (int64_t)x->body.len > x->body_most || x->req.content_length > x->body_most;
}

enum fg_next
fg_await_body(struct fg_exchange *x, int64_t most, fg_continue_fn *then, void *arg)
{
	size_t room = (size_t)most + FG_BODY_BUFFER_BYTES;

	x->body_most = most;
	if (x->body.max < room)
		x->body.max = room;
	if (fg_body_is_whole(x) || is_too_long(x))
		return then(x, arg);
	(void)fg_await(x, "client", then, NULL, arg, &x->body_await);
	x->front_ops->want_body(x->front);
	return FG_SUSPEND;
}

void
fg_gather_request(struct fg_exchange *x)
{
	struct fg_await *await = x->body_await;

	if (await == NULL || !(fg_body_is_whole(x) || is_too_long(x)))
		return;
	x->body_await = NULL;
	fg_await_done(x, await);
}

/* ---- the answer's */

void
fg_gather(struct fg_exchange *x, int64_t most)
{
	FG_ASSERT(most <= FG_MAX_OWN_BODY_BYTES);
	x->gathers = true;
	x->gather_most = most;
}

bool
fg_gathered(const struct fg_exchange *x, struct fg_str *body)
{
	*body = x->own_body;
	return x->is_gathered;
}

/* It goes on without: too long, or nobody is left to whom it could go. */
static void
let_pass(struct fg_exchange *x)
{
	x->is_gathering = false;
	x->own_body = fg_buf_str(&x->own_buf);
	x->own_sent = 0;
	fg_engine_send_head(x);
	if (x->client_left)
		fg_engine_break(x, FG_ERR_CLIENT_GONE);
}

bool
fg_gather_head(struct fg_exchange *x)
{
	uint64_t said;

	if (!x->gathers)
		return false;
	fg_buf_reset(&x->own_buf);
	if (fg_str_to_u64(fg_headers_value(&x->resp.headers, FG_HDR_CONTENT_LENGTH), &said) && said > (uint64_t)x->gather_most)
		let_pass(x);
	else
		x->is_gathering = true;
	return true;
}

bool
fg_gather_body(struct fg_exchange *x, struct fg_str chunk)
{
	if (!x->is_gathering)
		return false;
	if (x->own_buf.len + chunk.len > (size_t)x->gather_most) {
		let_pass(x);
		return x->state == FG_X_DONE;
	}
	FG_ASSERT(fg_buf_add(&x->own_buf, chunk));
	return true;
}

bool
fg_gather_send(struct fg_exchange *x)
{
	while (x->own_sent < x->own_body.len) {
		struct fg_str piece = fg_str_slice(x->own_body, x->own_sent, x->own_sent + FG_WRITE_PIECE_BYTES);

		if (x->front_ops->send_body(x->front, piece) == FG_FLOW_PAUSE)
			return false;
		x->own_sent += piece.len;
		x->sent += (int64_t)piece.len;
	}
	return true;
}

void
fg_gather_end(struct fg_exchange *x)
{
	x->is_gathering = false;
	x->is_gathered = true;
	x->own_body = fg_buf_str(&x->own_buf);
	x->own_sent = 0;
	fg_engine_respond(x);
}

void
fg_gather_forget(struct fg_exchange *x)
{
	x->is_gathering = x->is_gathered = false;
	if (!x->is_held)
		return;
	x->is_held = false;
	x->waiting_on = NULL;
	fg_task_cancel(&x->resume_task);
}

/* ---- held */

bool
fg_may_hold(const struct fg_exchange *x)
{
	return x->state == FG_X_RESPONDING && !x->head_sent;
}

void
fg_hold(struct fg_exchange *x, const char *waiting_on)
{
	FG_ASSERT(fg_may_hold(x));
	x->is_held = true;
	x->waiting_on = waiting_on;
}

void
fg_hold_done(struct fg_exchange *x)
{
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	if (x->is_held)
		fg_task_post(&x->resume_task);
}

void
fg_gather_let_go(struct fg_exchange *x)
{
	x->is_held = false;
	x->waiting_on = NULL;
	fg_task_cancel(&x->resume_task);
	fg_engine_send_own(x);
}

bool
fg_exchange_goes_on_alone(struct fg_exchange *x)
{
	FG_CHECK_MAGIC(x, FG_EXCHANGE_MAGIC);
	if (!x->gathers || x->head_sent || !(x->is_held || (x->state == FG_X_FORWARDING && x->called != 0)))
		return false;
	x->client_left = true;
	return true;
}
