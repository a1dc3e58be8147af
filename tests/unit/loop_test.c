/* lib/loop: order of tasks, timers, readiness. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/loop.h"
#include "unit/unit.h"

struct trail {
	char steps[16];
	size_t count;
	struct fg_task *post_next;
};

static void
step_a(void *arg)
{
	struct trail *trail = arg;

	trail->steps[trail->count++] = 'a';
	if (trail->post_next != NULL)
		fg_task_post(trail->post_next);
}

static void
step_b(void *arg)
{
	struct trail *trail = arg;

	trail->steps[trail->count++] = 'b';
}

static void
tasks_run_in_order_once(void)
{
	struct fg_loop *loop = fg_loop_new();
	struct trail trail = {.count = 0};
	struct fg_task a, b;

	fg_task_init(&a, loop, step_a, &trail);
	fg_task_init(&b, loop, step_b, &trail);
	fg_task_post(&a);
	fg_task_post(&b);
	fg_task_post(&a);
	CU_ASSERT_EQUAL(trail.count, 0);
	fg_loop_turn(loop, false);
	CU_ASSERT_NSTRING_EQUAL(trail.steps, "ab", 2);
	CU_ASSERT_EQUAL(trail.count, 2);
	/* A task posted by a task runs in the same turn; a cancelled one does not. */
	trail = (struct trail){.post_next = &b};
	fg_task_post(&a);
	fg_loop_turn(loop, false);
	CU_ASSERT_EQUAL(trail.count, 2);
	fg_task_post(&b);
	fg_task_cancel(&b);
	fg_loop_turn(loop, false);
	CU_ASSERT_EQUAL(trail.count, 2);
	fg_loop_free(loop);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	(void)timer;
	step_a(arg);
}

static void
timer_fires_once(void)
{
	struct fg_loop *loop = fg_loop_new();
	struct trail trail = {.count = 0};
	struct fg_timer timer;

	fg_timer_init(&timer, loop, on_timer, &trail);
	fg_timer_start(&timer, 1000);
	CU_ASSERT(fg_timer_is_active(&timer));
	while (trail.count == 0)
		fg_loop_turn(loop, true);
	CU_ASSERT(!fg_timer_is_active(&timer));
	fg_timer_start(&timer, 0);
	fg_timer_stop(&timer);
	fg_loop_turn(loop, false);
	CU_ASSERT_EQUAL(trail.count, 1);
	fg_loop_free(loop);
}

static void
on_io(struct fg_io *io, unsigned ready, void *arg)
{
	struct trail *trail = arg;

	trail->steps[trail->count++] = (char)ready;
	fg_io_watch(io, -1, 0);
}

static void
io_reports_what_is_ready(void)
{
	struct fg_loop *loop = fg_loop_new();
	struct trail trail = {.count = 0};
	struct fg_io io;
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fg_io_init(&io, loop, on_io, &trail);
	fg_io_watch(&io, pair[0], FG_IO_READ);
	fg_loop_turn(loop, false);
	CU_ASSERT_EQUAL(trail.count, 0);
	CU_ASSERT_EQUAL(write(pair[1], "x", 1), 1);
	fg_loop_turn(loop, true);
	CU_ASSERT_EQUAL(trail.count, 1);
	CU_ASSERT_EQUAL(trail.steps[0], FG_IO_READ);
	fg_io_watch(&io, pair[0], FG_IO_READ | FG_IO_WRITE);
	fg_loop_turn(loop, true);
	CU_ASSERT_EQUAL(trail.steps[1], FG_IO_READ | FG_IO_WRITE);
	fg_io_stop(&io);
	close(pair[0]);
	close(pair[1]);
	fg_loop_free(loop);
}

static void
note_late(struct fg_timer *timer, void *arg)
{
	(void)timer;
	step_b(arg);
}

/* What was posted before the turn may be all that the caller waits for. */
static void
a_turn_with_a_task_waits_for_nothing(void)
{
	struct fg_loop *loop = fg_loop_new();
	struct trail trail = {.count = 0};
	struct fg_timer late;
	struct fg_task a;

	fg_task_init(&a, loop, step_a, &trail);
	fg_timer_init(&late, loop, note_late, &trail);
	fg_timer_start(&late, 3 * FG_US_PER_S);
	fg_task_post(&a);
	fg_loop_turn(loop, true);
	CU_ASSERT_EQUAL(trail.count, 1);
	CU_ASSERT_EQUAL(trail.steps[0], 'a');
	CU_ASSERT(fg_timer_is_active(&late));
	fg_timer_stop(&late);
	fg_loop_free(loop);
}

void
suite_loop(void)
{
	CU_pSuite suite = CU_add_suite("loop", NULL, NULL);

	ADD_TEST(suite, tasks_run_in_order_once);
	ADD_TEST(suite, a_turn_with_a_task_waits_for_nothing);
	ADD_TEST(suite, timer_fires_once);
	ADD_TEST(suite, io_reports_what_is_ready);
}
