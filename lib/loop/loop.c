/* libev behind the face of loop.h: watchers, the ready queue, the turn's clock. */
#include "loop/loop.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

_Static_assert(sizeof(ev_io) <= sizeof(((struct fg_io *)0)->ev), "fg_io.ev is too small for ev_io");
_Static_assert(sizeof(ev_timer) <= sizeof(((struct fg_timer *)0)->ev), "fg_timer.ev is too small for ev_timer");

struct signal_watch {
	ev_signal ev;
	struct signal_watch *next;
	fg_signal_fn *fn;
	void *arg;
};

struct fg_loop {
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_check check;
	struct fg_clock clock;
	struct fg_task queue; /* sentinel of the circular list */
	struct signal_watch *signals;
	fg_task_fn *on_turn_end;
	void *on_turn_end_arg;
};

static ev_io *
io_ev(struct fg_io *io)
{
	return (ev_io *)(void *)io->ev;
}

static ev_timer *
timer_ev(const struct fg_timer *timer)
{
	union {
		void *const *in;
		void *out;
	} cast = {.in = timer->ev};

	return cast.out;
}

/* Whether there were any. */
static bool
run_tasks(struct fg_loop *loop)
{
	bool any = loop->queue.next != &loop->queue;

	while (loop->queue.next != &loop->queue) {
		struct fg_task *task = loop->queue.next;

		fg_task_cancel(task);
		task->fn(task->arg);
	}
	return any;
}

static void
on_prepare(struct ev_loop *ev, ev_prepare *w, int events)
{
	struct fg_loop *loop = w->data;

	(void)ev;
	(void)events;
	(void)run_tasks(loop);
	if (loop->on_turn_end != NULL)
		loop->on_turn_end(loop->on_turn_end_arg);
}

static void
on_check(struct ev_loop *ev, ev_check *w, int events)
{
	struct fg_loop *loop = w->data;

	(void)ev;
	(void)events;
	fg_clock_read(&loop->clock);
}

struct fg_loop *
fg_loop_new(void)
{
	struct fg_loop *loop = calloc(1, sizeof(*loop));

	FG_ASSERT(loop != NULL);
	loop->ev = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	if (loop->ev == NULL)
		loop->ev = ev_loop_new(EVFLAG_NOENV);
	if (loop->ev == NULL) {
		fprintf(stderr, "faregate: no event loop can be made: is the limit of open files reached?\n");
		exit(3);
	}
	loop->queue.prev = loop->queue.next = &loop->queue;
	fg_clock_read(&loop->clock);
	ev_prepare_init(&loop->prepare, on_prepare);
	loop->prepare.data = loop;
	ev_prepare_start(loop->ev, &loop->prepare);
	ev_check_init(&loop->check, on_check);
	loop->check.data = loop;
	/* First of all callbacks of a turn, so that they see the turn's time. */
	ev_set_priority(&loop->check, EV_MAXPRI);
	ev_check_start(loop->ev, &loop->check);
	/* Neither keeps the loop running by itself. */
	ev_unref(loop->ev);
	ev_unref(loop->ev);
	return loop;
}

void
fg_loop_free(struct fg_loop *loop)
{
	if (loop == NULL)
		return;
	while (loop->signals != NULL) {
		struct signal_watch *watch = loop->signals;

		loop->signals = watch->next;
		ev_ref(loop->ev);
		ev_signal_stop(loop->ev, &watch->ev);
		free(watch);
	}
	ev_ref(loop->ev);
	ev_ref(loop->ev);
	ev_prepare_stop(loop->ev, &loop->prepare);
	ev_check_stop(loop->ev, &loop->check);
	ev_loop_destroy(loop->ev);
	free(loop);
}

void
fg_loop_run(struct fg_loop *loop)
{
	fg_clock_read(&loop->clock);
	ev_run(loop->ev, 0);
}

void
fg_loop_stop(struct fg_loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

void
fg_loop_turn(struct fg_loop *loop, bool wait)
{
	/* What was posted since the last turn may be what the caller waits for: then there may be no event to come. */
	bool any = run_tasks(loop);

	ev_run(loop->ev, wait && !any ? EVRUN_ONCE : EVRUN_NOWAIT);
	/* What the turn's callbacks posted belongs to this turn. */
	(void)run_tasks(loop);
}

const struct fg_clock *
fg_loop_clock(const struct fg_loop *loop)
{
	return &loop->clock;
}

static void
on_io(struct ev_loop *ev, ev_io *w, int events)
{
	struct fg_io *io = w->data;

	(void)ev;
	io->fn(io, (events & EV_READ ? FG_IO_READ : 0u) | (events & EV_WRITE ? FG_IO_WRITE : 0u), io->arg);
}

void
fg_io_init(struct fg_io *io, struct fg_loop *loop, fg_io_fn *fn, void *arg)
{
	*io = (struct fg_io){.loop = loop, .fn = fn, .arg = arg};
	ev_init(io_ev(io), on_io);
	io_ev(io)->data = io;
	io_ev(io)->fd = -1;
}

void
fg_io_watch(struct fg_io *io, int fd, unsigned events)
{
	int wanted = (events & FG_IO_READ ? EV_READ : 0) | (events & FG_IO_WRITE ? EV_WRITE : 0);
	ev_io *w = io_ev(io);

	if (ev_is_active(w) && w->fd == fd && (w->events & (EV_READ | EV_WRITE)) == wanted)
		return;
	ev_io_stop(io->loop->ev, w);
	if (wanted == 0)
		return;
	ev_io_set(w, fd, wanted);
	ev_io_start(io->loop->ev, w);
}

void
fg_io_stop(struct fg_io *io)
{
	ev_io_stop(io->loop->ev, io_ev(io));
}

static void
on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	struct fg_timer *timer = w->data;

	(void)ev;
	(void)events;
	timer->fn(timer, timer->arg);
}

void
fg_timer_init(struct fg_timer *timer, struct fg_loop *loop, fg_timer_fn *fn, void *arg)
{
	*timer = (struct fg_timer){.loop = loop, .fn = fn, .arg = arg};
	ev_init(timer_ev(timer), on_timer);
	timer_ev(timer)->data = timer;
}

void
fg_timer_start(struct fg_timer *timer, fg_usec after)
{
	ev_timer *w = timer_ev(timer);

	ev_timer_stop(timer->loop->ev, w);
	ev_timer_set(w, after <= 0 ? 0. : (double)after / FG_US_PER_S, 0.);
	ev_timer_start(timer->loop->ev, w);
}

void
fg_timer_stop(struct fg_timer *timer)
{
	ev_timer_stop(timer->loop->ev, timer_ev(timer));
}

bool
fg_timer_is_active(const struct fg_timer *timer)
{
	return ev_is_active(timer_ev(timer));
}

void
fg_task_init(struct fg_task *task, struct fg_loop *loop, fg_task_fn *fn, void *arg)
{
	*task = (struct fg_task){.loop = loop, .fn = fn, .arg = arg};
}

void
fg_task_post(struct fg_task *task)
{
	struct fg_task *queue = &task->loop->queue;

	if (task->next != NULL)
		return;
	task->prev = queue->prev;
	task->next = queue;
	queue->prev->next = task;
	queue->prev = task;
}

void
fg_task_cancel(struct fg_task *task)
{
	if (task->next == NULL)
		return;
	task->prev->next = task->next;
	task->next->prev = task->prev;
	task->prev = task->next = NULL;
}

static void
on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
	struct signal_watch *watch = w->data;

	(void)ev;
	(void)events;
	watch->fn(w->signum, watch->arg);
}

void
fg_loop_on_signal(struct fg_loop *loop, int signo, fg_signal_fn *fn, void *arg)
{
	struct signal_watch *watch = calloc(1, sizeof(*watch));

	FG_ASSERT(watch != NULL);
	*watch = (struct signal_watch){.next = loop->signals, .fn = fn, .arg = arg};
	loop->signals = watch;
	ev_signal_init(&watch->ev, on_signal, signo);
	watch->ev.data = watch;
	ev_signal_start(loop->ev, &watch->ev);
	ev_unref(loop->ev);
}

void
fg_loop_on_turn_end(struct fg_loop *loop, fg_task_fn *fn, void *arg)
{
	loop->on_turn_end = fn;
	loop->on_turn_end_arg = arg;
}
