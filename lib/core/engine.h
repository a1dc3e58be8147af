/*
 * Between the files that make up the engine: exchange.c (life), request.c (what was asked), pipeline.c (decision and
 * response), forward.c (the service's side), explain.c (what it would do), reply.c (answers of our own). Nobody else includes this.
 */
#ifndef FG_CORE_ENGINE_H
#define FG_CORE_ENGINE_H

#include "core/exchange.h"
#include "service/service.h"

#define FG_EXCHANGE_MAGIC 0x46475831u

/* ---- request.c */

/* Fills x->req from the parameters; the first thing wrong with them becomes x->early_err. */
void fg_request_read(struct fg_exchange *x, const struct fg_param *params, size_t count);
/* Who is asking and how, by what trusted proxies say. */
void fg_request_read_forwarded(struct fg_exchange *x);
/* Headers that go to the service besides the client's own: Forwarded and its kin, Via, X-Request-Id. */
enum fg_err fg_request_add_forwarded(struct fg_exchange *x) FG_MUST_CHECK;
/* x->req.id: the client's own where it may say so, else a new one. */
void fg_request_set_id(struct fg_exchange *x);

/* ---- pipeline.c */

/* After the decision: forwards or answers, or waits with the filter that waits. */
void fg_engine_go_on(struct fg_exchange *x);
/* The continuation of what x waited for, then the rest of the decision. */
void fg_engine_resume(struct fg_exchange *x);
/* The response side of the filters, then the head to the front. Status and headers stand in x->resp. */
void fg_engine_send_head(struct fg_exchange *x);
/* An answer of our own, or one that was gathered: filters, head, and as much of x->own_body as the front takes. */
void fg_engine_respond(struct fg_exchange *x);
/* The rest of that, after the filters. */
void fg_engine_send_own(struct fg_exchange *x);
/* Ends an exchange whose head has been sent, or has to be broken off without one. err: why, for the log. */
void fg_engine_break(struct fg_exchange *x, enum fg_err err);
/* Has the filters release what they hold; once. */
void fg_engine_end_filters(struct fg_exchange *x);
/* The whole response has gone to the front. */
void fg_engine_complete(struct fg_exchange *x);
/* Sends what is left of x->own_body as far as the front takes it. */
void fg_engine_pump_own_body(struct fg_exchange *x);

/* ---- gather.c */

/* More of the request's body is there. */
void fg_gather_request(struct fg_exchange *x);
/* The answer's head is there. False: it is to be sent at once. */
bool fg_gather_head(struct fg_exchange *x);
/* A piece of its body. False: it is to be sent, after what fg_gather_send() sends. */
bool fg_gather_body(struct fg_exchange *x, struct fg_str chunk);
/* What was gathered of an answer that was too long. False: the front has no room. */
bool fg_gather_send(struct fg_exchange *x);
/* The answer is whole. */
void fg_gather_end(struct fg_exchange *x);
/* Another answer takes its place, or none. */
void fg_gather_forget(struct fg_exchange *x);
/* What was held goes out. */
void fg_gather_let_go(struct fg_exchange *x);

/* ---- forward.c */

/* Begins, or answers at once that there is nobody to send it to. */
void fg_forward_start(struct fg_exchange *x);
/* It has its place at the service now. */
void fg_forward_admitted(struct fg_exchange *x);
/* Sends the request to the try's target. */
void fg_forward_call(struct fg_try *try);
/* That of x->lead; the exchange waits for it, and a hedge may follow. */
void fg_forward_call_lead(struct fg_exchange *x);
/* For its addresses, or for its service. */
void fg_forward_wait_for_lead(struct fg_exchange *x);
/* Answers that no target can be had before that time is over. */
void fg_forward_unavailable(struct fg_exchange *x, enum fg_err err, fg_usec wait);
/* A deadline has passed, of the exchange or of a step of it. True: the exchange goes on with another try. */
bool fg_forward_on_deadline(struct fg_exchange *x, enum fg_err err);
/* The Host that the target's service is told. */
struct fg_str fg_forward_host(const struct fg_exchange *x, const struct fg_target *target);
/* A request without a body that says so: a Content-Length of 0 goes to the service. */
bool fg_forward_says_empty(const struct fg_request *req);
/* Gives up what is under way. */
void fg_forward_stop(struct fg_exchange *x);
/* More body is there, or its end. */
void fg_forward_on_body(struct fg_exchange *x);
void fg_forward_on_writable(struct fg_exchange *x);

/* ---- forward_try.c */

/* fg_service_pick() of that service for this request. */
FG_MUST_CHECK enum fg_err fg_forward_pick(struct fg_exchange *x, const struct fg_service *service,
    const struct fg_tried *tried, const struct fg_target **target, struct fg_permit *permit, fg_usec *wait);
/* What it asks fg_service_pick(), which `faregate explain` asks too. */
struct fg_pick fg_forward_make_pick(struct fg_exchange *x, const struct fg_service *service, const struct fg_tried *tried);
/* Picks the first try's target. Not FG_OK: nobody is there; somebody may be after *wait. */
FG_MUST_CHECK enum fg_err fg_try_first(struct fg_exchange *x, fg_usec *wait);
/* A try at that target begins: it is in flight there. */
void fg_try_enter(struct fg_try *try, const struct fg_target *target, const struct fg_permit *permit);
/* It is over, whatever it came to: a call that still runs is cancelled. Any number of times. */
void fg_try_drop(struct fg_try *try);
/* Where the request has been so far; NULL: nobody keeps that. */
const struct fg_tried *fg_try_tried(const struct fg_exchange *x);
/* What became of the try; the first word counts. */
void fg_try_judge(struct fg_try *try, enum fg_failure failure);
/* x->lead has failed in this way. True: another try is on its way, and a call that still ran is cancelled. */
bool fg_try_again(struct fg_exchange *x, enum fg_failure failure, bool nothing_sent);
/* A piece of the request's body is sent; it may be wanted again. */
void fg_try_keep(struct fg_exchange *x, struct fg_str chunk);
/* The next piece of what an earlier try was sent; empty: there is none (left). */
struct fg_str fg_try_replay(struct fg_exchange *x, size_t most);
/* Whether there is more of that. */
bool fg_try_has_more(const struct fg_exchange *x);
/* No try will follow. */
void fg_try_stop(struct fg_exchange *x);

/* ---- forward_hedge.c */

/* The lead was sent just now: where the service and the request allow it, a second try follows unless an answer comes. */
void fg_hedge_prepare(struct fg_exchange *x);
/* Whether an answer of that status ends the race of two tries, or the other one's is waited for. */
bool fg_hedge_is_answer(const struct fg_service *service, int status);
/* The try has failed. True: it was one of two, is dropped, and the other goes on alone. */
bool fg_hedge_carries_on(struct fg_try *failed);
/* The try's answer is taken: it leads, and the other one, if there is any, is cancelled. */
void fg_hedge_settle(struct fg_try *winner);
/* No second try runs any more, nor follows the present lead. Any number of times. */
void fg_hedge_stop(struct fg_exchange *x);
/* What it would do, for `faregate explain`. */
void fg_hedge_explain(struct fg_exchange *x);

/* ---- deadlines (exchange.c) */

/* The step now waits for that; the time of the last byte is now. */
void fg_exchange_wait_for(struct fg_exchange *x, enum fg_wait wait);
/* Another try leads: its answer is what the step waits for, since it was sent. */
void fg_exchange_wait_for_lead(struct fg_exchange *x);
/* A byte moved: what the step waits for stays. */
static inline void
fg_exchange_touch(struct fg_exchange *x)
{
	x->active = fg_loop_clock(x->gw->loop)->mono;
}

/* ---- reply.c */

/* Fills x->resp and x->own_body with the problem of that reason. */
void fg_reply_problem(struct fg_exchange *x, enum fg_err reason);
/* "404 Not Found": the reason phrase of a status (RFC 9110 §15), or "Status". */
const char *fg_status_phrase(int status);

#endif
