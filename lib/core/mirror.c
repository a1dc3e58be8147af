/* Copies of requests to another service; see mirror.h. */
#include "core/mirror.h"

#include <stdlib.h>

#include "core/config.h"
#include "core/engine.h"
#include "core/fetch.h"
#include "core/judge.h"
#include "service/targets.h"

/* A copy in flight. */
struct fg_mirror_call {
	struct fg_mirror_call *prev, *next; /* gw->mirrors */
	struct fg_gateway *gw;
	const struct fg_target *target;
	struct fg_permit permit;
	bool is_judged; /* the breakers were told */
	struct fg_fetch *fetch;
};

/* Of an exchange that is to be copied, until its body is complete. In its arena. */
struct fg_mirror {
	const struct fg_service *service;
	struct fg_buf body;
};

static void
count(_Atomic uint64_t *number)
{
	atomic_fetch_add_explicit(number, 1, memory_order_relaxed);
}

static void
call_free(struct fg_mirror_call *call)
{
	struct fg_gateway *gw = call->gw;

	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		gw->mirrors = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	gw->mirror_count--;
	fg_targets_leave(gw->targets, gw->worker, call->target);
	fg_admission_give(gw, call->target->service);
	if (!call->is_judged)
		fg_judge_never(gw, call->target, &call->permit);
	free(call);
}

/* The answer is of no interest, but whether it is a good one is: the breaker has let the copy through. */
static void
on_answer(void *arg, const struct fg_fetch_answer *answer)
{
	struct fg_mirror_call *call = arg;
	enum fg_failure failure = answer->err == FG_ERR_TOO_LARGE ? FG_FAILURE_NONE : fg_failure_of(answer->err);

	if (failure == FG_FAILURE_NONE && fg_failure_is_status(call->target->service, answer->status))
		failure = FG_FAILURE_STATUS;
	call->is_judged = failure != FG_FAILURE_NOT_ITS;
	fg_judge(call->gw, call->target, &call->permit, failure, answer->status, answer->connect_error);
	call_free(call);
}

static void
call_start(struct fg_exchange *x, const struct fg_target *target, const struct fg_permit *permit, struct fg_str body)
{
	const struct fg_headers *headers = &x->req.headers;
	struct fg_str deadline = target->service->deadline_header;
	struct fg_fetch_url url = {
	    .endpoint = target->endpoint, .authority = fg_forward_host(x, target), .target = x->forward_target};
	struct fg_fetch_spec spec = {.url = &url, .method = x->req.method, .body = body,
	    .max_body = FG_MAX_MIRROR_ANSWER_BYTES, .deadline = target->service->response_timeout};
	struct fg_call_header *copies = FG_ARENA_ARRAY(&x->arena, struct fg_call_header, headers->count);
	struct fg_mirror_call *call = calloc(1, sizeof(*call));

	FG_ASSERT(call != NULL);
	/* Empty is not the same as none. */
	if (body.p == NULL && (x->req.has_body || fg_forward_says_empty(&x->req)))
		spec.body = FG_STR("");
	for (size_t i = 0; i < headers->count; i++)
		if (headers->v[i].id != FG_HDR_HOST && headers->v[i].id != FG_HDR_CONTENT_LENGTH &&
		    (deadline.len == 0 || !fg_str_ieq(headers->v[i].name, deadline)))
			copies[spec.header_count++] = (struct fg_call_header){headers->v[i].name, headers->v[i].value};
	spec.headers = copies;
	*call = (struct fg_mirror_call){.next = x->gw->mirrors, .gw = x->gw, .target = target, .permit = *permit};
	if (call->next != NULL)
		call->next->prev = call;
	x->gw->mirrors = call;
	x->gw->mirror_count++;
	fg_targets_enter(x->gw->targets, x->gw->worker, target);
	call->fetch = fg_fetch_start(x->gw, &spec, on_answer, call);
}

/* A target that has room for it, with a place at its service; NULL: the copy is left out. */
static const struct fg_target *
find_room(struct fg_exchange *x, const struct fg_service *service, struct fg_permit *permit)
{
	const struct fg_target *target;

	if (x->gw->mirror_count == FG_MAX_MIRRORS || !fg_admission_take(x->gw, service))
		return NULL;
	if (fg_forward_pick(x, service, NULL, &target, permit, &(fg_usec){0}) == FG_OK)
		return target;
	fg_admission_give(x->gw, service);
	return NULL;
}

/* The whole request is there. */
static void
send_copy(struct fg_exchange *x)
{
	const struct fg_service *service = x->mirror->service;
	struct fg_permit permit;
	const struct fg_target *target = find_room(x, service, &permit);

	if (target != NULL) {
		count(&service->state->mirrored);
		count(&target->state->requests);
		call_start(x, target, &permit, fg_buf_str(&x->mirror->body));
	} else {
		count(&service->state->mirrors_dropped);
	}
	fg_buf_fini(&x->mirror->body);
	x->mirror = NULL;
}

void
fg_mirror_start(struct fg_exchange *x)
{
	const struct fg_route_mirror *conf = x->route->mirror;

	if (conf == NULL || fg_service_draw(&x->gw->service_state[conf->service->index]) % 100 >= (uint64_t)conf->percent)
		return;
	if (conf->service->respond != NULL) {
		count(&conf->service->state->mirrors_dropped);
		return;
	}
	x->mirror = FG_ARENA_NEW(&x->arena, struct fg_mirror);
	x->mirror->service = conf->service;
	fg_buf_init(&x->mirror->body, FG_MAX_REPLAY_BYTES);
	if (!x->req.has_body)
		send_copy(x);
}

void
fg_mirror_body(struct fg_exchange *x, struct fg_str chunk, bool last)
{
	if (x->mirror == NULL)
		return;
	if (x->mirror->body.len + chunk.len > FG_MAX_REPLAY_BYTES) {
		fg_mirror_stop(x);
		return;
	}
	FG_ASSERT(fg_buf_add(&x->mirror->body, chunk));
	if (last)
		send_copy(x);
}

void
fg_mirror_stop(struct fg_exchange *x)
{
	if (x->mirror == NULL)
		return;
	count(&x->mirror->service->state->mirrors_dropped);
	fg_buf_fini(&x->mirror->body);
	x->mirror = NULL;
}

void
fg_mirror_end_all(struct fg_gateway *gw)
{
	while (gw->mirrors != NULL) {
		fg_fetch_cancel(gw->mirrors->fetch);
		call_free(gw->mirrors);
	}
}
