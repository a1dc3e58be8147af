/* Places at a service, and the queue for them: see admission.h. */
#include "core/admission.h"

#include <stdlib.h>

#include "core/config.h"
#include "core/dead_workers.h"
#include "core/engine.h"
#include "service/targets.h"

enum { POLL_US = 2 * FG_US_PER_MS, HUNGRY_MS = 10 };

/* Of one service in one worker. */
struct fg_admission {
	struct fg_gateway *gw;
	const struct fg_service *service;
	struct fg_exchange *first[FG_CRITICALITY_COUNT], *last[FG_CRITICALITY_COUNT];
	int waiting, held;
	struct fg_task wake;   /* a place came free here */
	struct fg_timer poll;  /* or elsewhere */
};

static void on_wake(void *arg);
static void on_poll(struct fg_timer *timer, void *arg);

static struct fg_admission *
admission_at(struct fg_gateway *gw, const struct fg_service *service)
{
	struct fg_service_state *state = &gw->service_state[service->index];

	if (state->admission == NULL) {
		state->admission = calloc(1, sizeof(*state->admission));
		FG_ASSERT(state->admission != NULL);
		state->admission->gw = gw;
		state->admission->service = service;
		fg_task_init(&state->admission->wake, gw->loop, on_wake, state->admission);
		fg_timer_init(&state->admission->poll, gw->loop, on_poll, state->admission);
	}
	return state->admission;
}

static struct fg_admission *
admission_of(struct fg_exchange *x)
{
	return admission_at(x->gw, x->service);
}

void
fg_admission_free(struct fg_admission *admission)
{
	if (admission == NULL)
		return;
	FG_ASSERT(admission->waiting == 0 && admission->held == 0);
	fg_task_cancel(&admission->wake);
	fg_timer_stop(&admission->poll);
	free(admission);
}

/* ---- whose turn it is among workers */

/* One word says which worker is hungry and when it said so last: it is believed for HUNGRY_MS. */
static uint64_t
hungry_word(const struct fg_admission *admission)
{
	return (uint64_t)(fg_loop_clock(admission->gw->loop)->mono / FG_US_PER_MS) << 16 | (admission->gw->worker + 1);
}

static bool
is_others_turn(const struct fg_admission *admission)
{
	uint64_t said = atomic_load_explicit(&admission->service->state->hungry, memory_order_relaxed);
	uint64_t mine = hungry_word(admission);

	return said != 0 && (uint16_t)said != (uint16_t)mine && (said >> 16) + HUNGRY_MS >= mine >> 16;
}

static void
say_hungry(struct fg_admission *admission, fg_usec oldest)
{
	_Atomic uint64_t *word = &admission->service->state->hungry;
	uint64_t said = atomic_load_explicit(word, memory_order_relaxed);

	if (fg_loop_clock(admission->gw->loop)->mono - oldest >= HUNGRY_MS * FG_US_PER_MS && !is_others_turn(admission))
		(void)!atomic_compare_exchange_strong(word, &said, hungry_word(admission));
}

static void
say_fed(struct fg_admission *admission)
{
	_Atomic uint64_t *word = &admission->service->state->hungry;
	uint64_t said = atomic_load_explicit(word, memory_order_relaxed);

	if (said != 0 && (uint16_t)said == (uint16_t)hungry_word(admission))
		(void)!atomic_compare_exchange_strong(word, &said, 0);
}

/* ---- places */

static bool
take_place(struct fg_admission *admission)
{
	const struct fg_gateway *gw = admission->gw;
	const struct fg_service *service = admission->service;
	bool is_free;

	if (is_others_turn(admission))
		return false;
	if (fg_targets_is_shared(gw->targets, service))
		is_free = fg_targets_admit(gw->targets, gw->stats, gw->worker, service, (unsigned)service->admission.most);
	else
		is_free = admission->held < service->admission.most;
	admission->held += is_free;
	if (!is_free)
		fg_dead_workers_look(admission->gw);
	return is_free;
}

static void
give_place(struct fg_admission *admission)
{
	const struct fg_gateway *gw = admission->gw;

	FG_ASSERT(admission->held > 0);
	admission->held--;
	if (fg_targets_is_shared(gw->targets, admission->service))
		fg_targets_dismiss(gw->targets, gw->worker, admission->service);
	if (admission->waiting > 0)
		fg_task_post(&admission->wake);
}

/* ---- the queue */

/* The queue of the pool has room for one more. */
static bool
line_up(const struct fg_admission *admission)
{
	const struct fg_gateway *gw = admission->gw;
	const struct fg_service *service = admission->service;

	if (!fg_targets_is_shared(gw->targets, service))
		return admission->waiting < service->admission.queue;
	return fg_targets_line_up(gw->targets, gw->stats, gw->worker, service, (unsigned)service->admission.queue);
}

static void
step_out(const struct fg_admission *admission)
{
	if (fg_targets_is_shared(admission->gw->targets, admission->service))
		fg_targets_step_out(admission->gw->targets, admission->gw->worker, admission->service);
}

static bool
somebody_waits(const struct fg_admission *admission)
{
	const struct fg_gateway *gw = admission->gw;

	return admission->waiting > 0 || (fg_targets_is_shared(gw->targets, admission->service) &&
	    fg_targets_waiting(gw->targets, gw->stats, admission->service) > 0);
}

static enum fg_criticality
criticality_of(const struct fg_exchange *x)
{
	return x->route->criticality;
}

static void
append(struct fg_admission *admission, struct fg_exchange *x)
{
	enum fg_criticality c = criticality_of(x);

	x->queue_prev = admission->last[c];
	x->queue_next = NULL;
	*(x->queue_prev != NULL ? &x->queue_prev->queue_next : &admission->first[c]) = x;
	admission->last[c] = x;
	admission->waiting++;
	x->place = FG_PLACE_WAITED_FOR;
	x->queued = fg_loop_clock(x->gw->loop)->mono;
}

/* Out of the line; its room in the pool's queue is another's, or steps out. */
static void
take_out(struct fg_admission *admission, struct fg_exchange *x)
{
	enum fg_criticality c = criticality_of(x);

	*(x->queue_prev != NULL ? &x->queue_prev->queue_next : &admission->first[c]) = x->queue_next;
	*(x->queue_next != NULL ? &x->queue_next->queue_prev : &admission->last[c]) = x->queue_prev;
	admission->waiting--;
	x->place = FG_PLACE_NONE;
	x->waited = fg_loop_clock(x->gw->loop)->mono - x->queued;
}

/* The most critical, of these the oldest; NULL: nobody waits. */
static struct fg_exchange *
first_in_line(const struct fg_admission *admission)
{
	for (int c = FG_CRITICALITY_COUNT - 1; c >= 0; c--)
		if (admission->first[c] != NULL)
			return admission->first[c];
	return NULL;
}

static fg_usec
oldest_wait(const struct fg_admission *admission)
{
	fg_usec oldest = INT64_MAX;

	for (int c = 0; c < FG_CRITICALITY_COUNT; c++)
		if (admission->first[c] != NULL && admission->first[c]->queued < oldest)
			oldest = admission->first[c]->queued;
	return oldest;
}

static void
admit_waiting(struct fg_admission *admission)
{
	struct fg_exchange *x;

	while ((x = first_in_line(admission)) != NULL && take_place(admission)) {
		take_out(admission, x);
		step_out(admission);
		x->place = FG_PLACE_HELD;
		say_fed(admission);
		fg_forward_admitted(x);
	}
	if (admission->waiting == 0) {
		say_fed(admission);
		return;
	}
	say_hungry(admission, oldest_wait(admission));
	if (!fg_timer_is_active(&admission->poll))
		fg_timer_start(&admission->poll, POLL_US);
}

static void
on_wake(void *arg)
{
	admit_waiting(arg);
}

static void
on_poll(struct fg_timer *timer, void *arg)
{
	(void)timer;
	admit_waiting(arg);
}

/* Room in the queue for one of that criticality: free, or that of one less critical who waits in this worker. */
static bool
make_room(struct fg_admission *admission, enum fg_criticality for_whom)
{
	if (line_up(admission))
		return true;
	for (int c = 0; c < (int)for_whom; c++)
		if (admission->last[c] != NULL) {
			struct fg_exchange *loser = admission->last[c];

			atomic_fetch_add_explicit(&admission->service->state->shed, 1, memory_order_relaxed);
			take_out(admission, loser);
			fg_exchange_refuse(loser, FG_ERR_OVERLOADED);
			return true;
		}
	return false;
}

enum fg_admitted
fg_admission_enter(struct fg_exchange *x)
{
	struct fg_target_state *state = x->service->state;
	struct fg_admission *admission;

	if (x->service->admission.most == 0)
		return FG_ADMITTED;
	admission = admission_of(x);
	if ((admission->waiting == 0 || criticality_of(first_in_line(admission)) < criticality_of(x)) && take_place(admission)) {
		x->place = FG_PLACE_HELD;
		return FG_ADMITTED;
	}
	if (!make_room(admission, criticality_of(x))) {
		atomic_fetch_add_explicit(&state->shed, 1, memory_order_relaxed);
		return FG_OVERLOADED;
	}
	append(admission, x);
	atomic_fetch_add_explicit(&state->queued, 1, memory_order_relaxed);
	if (!fg_timer_is_active(&admission->poll))
		fg_timer_start(&admission->poll, POLL_US);
	return FG_QUEUED;
}

void
fg_admission_leave(struct fg_exchange *x)
{
	switch (x->place) {
	case FG_PLACE_NONE:
		break;
	case FG_PLACE_WAITED_FOR:
		take_out(admission_of(x), x);
		step_out(admission_of(x));
		break;
	case FG_PLACE_HELD:
		x->place = FG_PLACE_NONE;
		give_place(admission_of(x));
		break;
	}
}

bool
fg_admission_take(struct fg_gateway *gw, const struct fg_service *service)
{
	struct fg_admission *admission;

	if (service->admission.most == 0)
		return true;
	admission = admission_at(gw, service);
	return !somebody_waits(admission) && take_place(admission);
}

void
fg_admission_give(struct fg_gateway *gw, const struct fg_service *service)
{
	if (service->admission.most > 0)
		give_place(admission_at(gw, service));
}
