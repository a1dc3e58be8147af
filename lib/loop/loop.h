/*
 * The event loop of a worker: libev behind a small face (the only user of ev.h). One thread, never blocking.
 *
 * An I/O or timer callback may do its work at once; what must not run inside another object's callback (closing an
 * exchange, resuming a transfer from within a transfer's callback) is posted as a task: tasks run at the end of the
 * turn, in the order posted, before the loop waits again. So re-entrancy never arises.
 */
#ifndef FG_LOOP_LOOP_H
#define FG_LOOP_LOOP_H

#include <stdbool.h>

#include "base/clock.h"

struct fg_loop;

enum { FG_IO_READ = 1, FG_IO_WRITE = 2 };

struct fg_io;
struct fg_timer;
struct fg_task;
typedef void fg_io_fn(struct fg_io *io, unsigned ready, void *arg); /* ready: FG_IO_READ | FG_IO_WRITE */
typedef void fg_timer_fn(struct fg_timer *timer, void *arg);
typedef void fg_task_fn(void *arg);
typedef void fg_signal_fn(int signo, void *arg);

/* All three are embedded in their owner, which outlives their activity. The first member is libev's. */
struct fg_io {
	void *ev[8];
	struct fg_loop *loop; /* borrowed */
	fg_io_fn *fn;
	void *arg;
};

struct fg_timer {
	void *ev[8];
	struct fg_loop *loop; /* borrowed */
	fg_timer_fn *fn;
	void *arg;
};

struct fg_task {
	struct fg_task *prev, *next; /* in the queue; NULL when not posted */
	struct fg_loop *loop;        /* borrowed */
	fg_task_fn *fn;
	void *arg;
};

/* Never NULL (a process that gets no epoll descriptor ends, saying so). Create it after the fork. */
struct fg_loop *fg_loop_new(void);
void fg_loop_free(struct fg_loop *loop);
/* Until fg_loop_stop(), called from a callback. */
void fg_loop_run(struct fg_loop *loop);
void fg_loop_stop(struct fg_loop *loop);
/* One turn; waits for an event when wait is true and no task was posted. For tests and for plain CGI. */
void fg_loop_turn(struct fg_loop *loop, bool wait);

/* The time at the start of this turn; the pointer stays valid and current. */
const struct fg_clock *fg_loop_clock(const struct fg_loop *loop);

void fg_io_init(struct fg_io *io, struct fg_loop *loop, fg_io_fn *fn, void *arg);
/* Watches fd for events (FG_IO_*), replacing what was watched; 0 stops. Level-triggered. */
void fg_io_watch(struct fg_io *io, int fd, unsigned events);
/* Must be called before fd is closed. Does nothing when not watching. */
void fg_io_stop(struct fg_io *io);

void fg_timer_init(struct fg_timer *timer, struct fg_loop *loop, fg_timer_fn *fn, void *arg);
/* Once, after a span from now (at least 0); restarts a running timer. */
void fg_timer_start(struct fg_timer *timer, fg_usec after);
void fg_timer_stop(struct fg_timer *timer);
bool fg_timer_is_active(const struct fg_timer *timer);

void fg_task_init(struct fg_task *task, struct fg_loop *loop, fg_task_fn *fn, void *arg);
/* Posting what is posted already does nothing. */
void fg_task_post(struct fg_task *task);
void fg_task_cancel(struct fg_task *task);

/* Calls fn from the loop for each signo received, until the loop is freed. At most one handler a signal. */
void fg_loop_on_signal(struct fg_loop *loop, int signo, fg_signal_fn *fn, void *arg);
/* Calls fn before the loop waits, every turn, after the tasks: for batching (log flush). At most one. */
void fg_loop_on_turn_end(struct fg_loop *loop, fg_task_fn *fn, void *arg);

#endif
