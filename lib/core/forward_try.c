/*
 * Tries: a forwarded exchange is sent to a target, and when that fails and may be repeated, to another one. Which target
 * that is decides service.c; what became of a try is told here to its breaker, once.
 *
 * A try is repeated only while nothing of an answer has gone to the client, and only where repeating does no harm: nothing
 * of the request has left us, or its method is idempotent (RFC 9110 §9.2.2), or it carries an Idempotency-Key that the
 * service is said to honour. Each costs of the service's budget (budget.h).
 */
#include "core/engine.h"

#include "core/config.h"
#include "core/idempotency_key.h"
#include "core/judge.h"
#include "core/var.h"
#include "service/budget.h"
#include "service/service.h"
#include "service/targets.h"

#define RETRY_AFTER_MOST FG_US_PER_S /* a service that asks for more time is not asked again */

/* Of an exchange whose service has `retry`. In its arena. */
struct fg_retry {
	struct fg_exchange *x;
	struct fg_timer timer; /* backoff */
	struct fg_tried tried;
	struct fg_buf kept;    /* of the request's body: what tries have taken so far */
	size_t replayed;       /* how much of it this try has taken */
	bool is_kept;          /* all of it */
};

/* ---- where to */

static void
count_in_flight(void *arg, const struct fg_target *const targets[], size_t count, unsigned in_flight[])
{
	const struct fg_gateway *gw = arg;

	fg_targets_in_flight(gw->targets, gw->stats, targets, count, in_flight);
}

static uint64_t
count_all_in_flight(void *arg, const struct fg_service *service)
{
	const struct fg_gateway *gw = arg;

	return fg_targets_in_flight_to_all(gw->targets, gw->stats, service);
}

/* A variable that is absent gives way to the client's address, as it does for limits. */
static uint64_t
hash_of(struct fg_exchange *x, const struct fg_service *service)
{
	return service->balance == FG_BALANCE_HASH ? fg_var_hash(service->hash_by, service->hash_by_count, x) : 0;
}

struct fg_pick
fg_forward_make_pick(struct fg_exchange *x, const struct fg_service *service, const struct fg_tried *tried)
{
	struct fg_gateway *gw = x->gw;

	return (struct fg_pick){
	    .service = service,
	    .state = &gw->service_state[service->index],
	    .tried = tried,
	    .hash = hash_of(x, service),
	    .now = fg_loop_clock(gw->loop)->mono,
	    .in_flight = count_in_flight,
	    .in_flight_to_all = count_all_in_flight,
	    .arg = gw,
	};
}

enum fg_err
fg_forward_pick(struct fg_exchange *x, const struct fg_service *service, const struct fg_tried *tried,
    const struct fg_target **target, struct fg_permit *permit, fg_usec *wait)
{
	const struct fg_pick pick = fg_forward_make_pick(x, service, tried);
	enum fg_err err = fg_service_pick(&pick, target, permit, wait);

	if (err == FG_OK)
		fg_judge_let_through(x->gw, *target, permit);
	return err;
}

void
fg_try_enter(struct fg_try *try, const struct fg_target *target, const struct fg_permit *permit)
{
	struct fg_exchange *x = try->x;

	x->tries++;
	try->target = target;
	try->permit = *permit;
	try->is_in_flight = true;
	try->is_judged = false;
	try->sent_at = try->connected = try->first_byte = 0;
	try->connect_error = 0;
	try->resp->status = 0;
	try->resp->content_length = -1;
	fg_targets_enter(x->gw->targets, x->gw->worker, target);
	atomic_fetch_add_explicit(&target->state->requests, 1, memory_order_relaxed);
	if (x->retry != NULL)
		fg_tried_add(&x->retry->tried, target);
}

static void
cancel(struct fg_try *try)
{
	struct fg_call_times times;

	if (try->call == NULL)
		return;
	fg_call_get_times(try->call, &times);
	try->x->was_sent |= times.sent;
	fg_call_cancel(try->call);
	try->call = NULL;
}

void
fg_try_drop(struct fg_try *try)
{
	struct fg_gateway *gw = try->x->gw;

	cancel(try);
	if (!try->is_in_flight)
		return;
	try->is_in_flight = false;
	fg_targets_leave(gw->targets, gw->worker, try->target);
	if (!try->is_judged)
		fg_judge_never(gw, try->target, &try->permit);
}

const struct fg_tried *
fg_try_tried(const struct fg_exchange *x)
{
	return x->retry == NULL ? NULL : &x->retry->tried;
}

/* ---- what became of it */

void
fg_try_judge(struct fg_try *try, enum fg_failure failure)
{
	if (!try->is_in_flight || try->is_judged || failure == FG_FAILURE_NOT_ITS)
		return;
	try->is_judged = true;
	fg_judge(try->x->gw, try->target, &try->permit, failure, try->resp->status,
	    try->connect_error);
}

/* ---- again */

static void
on_backoff_over(struct fg_timer *timer, void *arg)
{
	(void)timer;
	fg_forward_call_lead(((struct fg_retry *)arg)->x);
}

static void
prepare_retries(struct fg_exchange *x)
{
	if (x->service->retry == NULL)
		return;
	x->retry = FG_ARENA_NEW(&x->arena, struct fg_retry);
	x->retry->x = x;
	x->retry->is_kept = true;
	fg_timer_init(&x->retry->timer, x->gw->loop, on_backoff_over, x->retry);
	fg_buf_init(&x->retry->kept, FG_MAX_REPLAY_BYTES);
}

void
fg_try_keep(struct fg_exchange *x, struct fg_str chunk)
{
	struct fg_retry *retry = x->retry;

	if (retry == NULL || !retry->is_kept)
		return;
	retry->is_kept = retry->kept.len + chunk.len <= FG_MAX_REPLAY_BYTES;
	if (retry->is_kept)
		FG_ASSERT(fg_buf_add(&retry->kept, chunk));
	else
		fg_buf_reset(&retry->kept);
	retry->replayed = retry->kept.len;
}

struct fg_str
fg_try_replay(struct fg_exchange *x, size_t most)
{
	struct fg_retry *retry = x->retry;
	struct fg_str piece;

	if (retry == NULL)
		return FG_STR_NONE;
	piece = fg_str_slice(fg_buf_str(&retry->kept), retry->replayed, retry->replayed + most);
	retry->replayed += piece.len;
	return piece;
}

bool
fg_try_has_more(const struct fg_exchange *x)
{
	return x->retry != NULL && x->retry->replayed < x->retry->kept.len;
}

/* One that means something: of a key that is empty or garbled no service can be held to its word. */
static bool
has_key(const struct fg_exchange *x)
{
	return x->has_idempotency_key || fg_idempotency_key_of(&x->req.headers, FG_STR("Idempotency-Key"), NULL) == FG_OK;
}

static bool
may_be_repeated(const struct fg_exchange *x, bool nothing_sent)
{
	const struct fg_service_retry *conf = x->service->retry;

	if (!x->retry->is_kept)
		return false;
	return nothing_sent || fg_method_is_idempotent(x->req.method_id) || (conf->trusts_idempotency_key && has_key(x));
}

static bool
is_wanted(const struct fg_exchange *x, enum fg_failure failure)
{
	const struct fg_service_retry *conf = x->service->retry;

	if (failure == FG_FAILURE_STATUS)
		return fg_failure_set_has_status(&conf->on, x->resp.status);
	return fg_failure_set_has(&conf->on, failure);
}

/* How long a service asks to be left alone (RFC 9110 §10.2.3): seconds or a date; what is neither, for ever. */
static fg_usec
read_retry_after(const struct fg_exchange *x, struct fg_str value)
{
	fg_usec until;
	uint64_t seconds;

	if (fg_str_to_u64(value, &seconds))
		return seconds > RETRY_AFTER_MOST / FG_US_PER_S ? INT64_MAX : (fg_usec)seconds * FG_US_PER_S;
	if (!fg_clock_parse_http_date(value, &until))
		return INT64_MAX;
	until -= fg_loop_clock(x->gw->loop)->wall;
	return until > 0 ? until : 0;
}

/* How long until the next try; -1: the service wants to be left alone for longer. */
static fg_usec
backoff(struct fg_exchange *x, enum fg_failure failure)
{
	const struct fg_service_retry *conf = x->service->retry;
	struct fg_service_state *state = &x->gw->service_state[x->service->index];
	fg_usec most = conf->backoff, asked = 0;
	const struct fg_header *header = fg_headers_find(&x->resp.headers, FG_STR("Retry-After"));

	for (unsigned i = 1; i < x->tries && most < conf->backoff_most; i++)
		most *= 2;
	if (most > conf->backoff_most)
		most = conf->backoff_most;
	if (failure == FG_FAILURE_STATUS && header != NULL)
		asked = read_retry_after(x, header->value);
	if (asked > RETRY_AFTER_MOST)
		return -1;
	most = (fg_usec)(fg_service_draw(state) % (uint64_t)(most + 1));
	return most > asked ? most : asked;
}

/* Another target than those tried; where there is none, any. The place of the try that failed is free for the next. */
static bool
pick_again(struct fg_exchange *x, const struct fg_target **target, struct fg_permit *permit)
{
	fg_usec wait;
	bool found;

	fg_targets_leave(x->gw->targets, x->gw->worker, x->lead->target);
	found = fg_forward_pick(x, x->service, &x->retry->tried, target, permit, &wait) == FG_OK ||
	    fg_forward_pick(x, x->service, NULL, target, permit, &wait) == FG_OK;
	fg_targets_enter(x->gw->targets, x->gw->worker, x->lead->target);
	return found;
}

static void
begin_again(struct fg_exchange *x, const struct fg_target *target, const struct fg_permit *permit, fg_usec after)
{
	fg_hedge_stop(x);
	fg_try_drop(x->lead);
	x->lead = &x->first_try;
	fg_try_enter(x->lead, target, permit);
	x->is_gathering = false;
	x->retry->replayed = 0;
	x->send_paused = x->receive_paused = false;
	x->waiting_on = "retry";
	fg_exchange_wait_for(x, FG_WAIT_NONE);
	fg_timer_start(&x->retry->timer, after);
}

bool
fg_try_again(struct fg_exchange *x, enum fg_failure failure, bool nothing_sent)
{
	const struct fg_target *target;
	struct fg_permit permit;
	struct fg_target_state *state = x->service->state;
	fg_usec after;

	if (x->retry == NULL || x->head_sent || x->front == NULL || x->tries >= (unsigned)x->service->retry->attempts ||
	    !is_wanted(x, failure) || !may_be_repeated(x, nothing_sent))
		return false;
	after = backoff(x, failure);
	if (after < 0 || (x->total_deadline != 0 && fg_loop_clock(x->gw->loop)->mono + after >= x->total_deadline))
		return false;
	if (!fg_budget_take(x->service)) {
		atomic_fetch_add_explicit(&state->retries_refused, 1, memory_order_relaxed);
		return false;
	}
	if (!pick_again(x, &target, &permit)) {
		fg_budget_give_back(x->service);
		return false;
	}
	atomic_fetch_add_explicit(&state->retries, 1, memory_order_relaxed);
	begin_again(x, target, &permit, after);
	return true;
}

/* ---- the first, and the end of all */

enum fg_err
fg_try_first(struct fg_exchange *x, fg_usec *wait)
{
	const struct fg_target *target;
	struct fg_permit permit;
	enum fg_err err = fg_forward_pick(x, x->service, NULL, &target, &permit, wait);

	if (err != FG_OK)
		return err;
	if (x->service->retry != NULL || x->service->hedge != NULL)
		fg_budget_earn(x->service);
	prepare_retries(x);
	fg_try_enter(x->lead, target, &permit);
	return FG_OK;
}

void
fg_try_stop(struct fg_exchange *x)
{
	if (x->retry == NULL)
		return;
	fg_timer_stop(&x->retry->timer);
	fg_buf_fini(&x->retry->kept);
	x->retry = NULL;
}
