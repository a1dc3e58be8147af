/* lib/loop: work on threads comes back to the loop, once, also when it was cancelled or everything ends. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/assert.h"
#include "loop/offload.h"
#include "unit/unit.h"

/* A job that cannot go on before the gate is opened. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool open;
	unsigned inside;
};

struct scene {
	struct fg_loop *loop;
	struct fg_offload *offload;
	struct gate gate;
	pthread_t main;
	unsigned done, cancelled;
};

struct gated_job {
	struct fg_job job;
	struct scene *scene;
	bool ran, was_main, takes_signals, is_done, is_cancelled;
};

static void
scene_open(struct scene *scene, size_t queue_max)
{
	*scene = (struct scene){.loop = fg_loop_new(), .main = pthread_self()};
	pthread_mutex_init(&scene->gate.mutex, NULL);
	pthread_cond_init(&scene->gate.changed, NULL);
	scene->offload = fg_offload_new(scene->loop, queue_max);
}

static void
scene_close(struct scene *scene)
{
	fg_offload_free(scene->offload);
	fg_loop_free(scene->loop);
	pthread_mutex_destroy(&scene->gate.mutex);
	pthread_cond_destroy(&scene->gate.changed);
}

static void
work(struct fg_job *job)
{
	struct gated_job *gated = FG_CONTAINER_OF(job, struct gated_job, job);
	struct gate *gate = &gated->scene->gate;
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	gated->takes_signals = sigismember(&blocked, SIGTERM) == 0;
	gated->was_main = pthread_equal(pthread_self(), gated->scene->main) != 0;
	pthread_mutex_lock(&gate->mutex);
	gate->inside++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
	gated->ran = true;
}

static void
done(struct fg_job *job, bool cancelled)
{
	struct gated_job *gated = FG_CONTAINER_OF(job, struct gated_job, job);

	CU_ASSERT(pthread_equal(pthread_self(), gated->scene->main) != 0);
	CU_ASSERT(!gated->is_done);
	gated->is_done = true;
	gated->is_cancelled = cancelled;
	gated->scene->done++;
	gated->scene->cancelled += cancelled;
}

static bool
start(struct scene *scene, struct gated_job *job)
{
	*job = (struct gated_job){.scene = scene};
	return fg_offload_start(scene->offload, &job->job, work, done);
}

static void
wait_until_inside(struct scene *scene, unsigned count)
{
	pthread_mutex_lock(&scene->gate.mutex);
	while (scene->gate.inside < count)
		pthread_cond_wait(&scene->gate.changed, &scene->gate.mutex);
	pthread_mutex_unlock(&scene->gate.mutex);
}

static void
open_gate(struct scene *scene)
{
	pthread_mutex_lock(&scene->gate.mutex);
	scene->gate.open = true;
	pthread_cond_broadcast(&scene->gate.changed);
	pthread_mutex_unlock(&scene->gate.mutex);
}

static void
work_comes_back(void)
{
	struct gated_job jobs[10];
	struct scene scene;

	scene_open(&scene, 10);
	open_gate(&scene);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT(start(&scene, &jobs[i]));
	CU_ASSERT_EQUAL(scene.done, 0);
	while (scene.done < 10)
		fg_loop_turn(scene.loop, true);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT(jobs[i].ran && jobs[i].is_done && !jobs[i].is_cancelled && !jobs[i].was_main && !jobs[i].takes_signals);
	scene_close(&scene);
}

static void
queue_is_bounded(void)
{
	struct gated_job jobs[FG_OFFLOAD_THREADS + 3];
	struct scene scene;
	unsigned i;

	scene_open(&scene, 2);
	for (i = 0; i < FG_OFFLOAD_THREADS; i++) {
		CU_ASSERT(start(&scene, &jobs[i]));
		wait_until_inside(&scene, i + 1);
	}
	/* All threads are at the gate. */
	CU_ASSERT(start(&scene, &jobs[i]) && start(&scene, &jobs[i + 1]));
	CU_ASSERT(!start(&scene, &jobs[i + 2]));
	/* A place becomes free by cancelling. */
	fg_offload_cancel(scene.offload, &jobs[i].job);
	fg_offload_cancel(scene.offload, &jobs[i].job);
	CU_ASSERT(start(&scene, &jobs[i + 2]));
	CU_ASSERT(!jobs[i].is_done);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(jobs[i].is_done && jobs[i].is_cancelled && !jobs[i].ran);
	open_gate(&scene);
	while (scene.done < FG_OFFLOAD_THREADS + 3)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(scene.cancelled, 1);
	CU_ASSERT(jobs[i + 1].ran && jobs[i + 2].ran);
	scene_close(&scene);
}

static void
cancelled_while_it_runs(void)
{
	struct gated_job job;
	struct scene scene;

	scene_open(&scene, 2);
	CU_ASSERT(start(&scene, &job));
	wait_until_inside(&scene, 1);
	fg_offload_cancel(scene.offload, &job.job);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(!job.is_done);
	open_gate(&scene);
	while (!job.is_done)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT(job.ran && job.is_cancelled);
	scene_close(&scene);
}

static void
the_end_gives_all_back(void)
{
	struct gated_job jobs[FG_OFFLOAD_THREADS + 2];
	struct scene scene;

	scene_open(&scene, 2);
	for (unsigned i = 0; i < FG_OFFLOAD_THREADS; i++) {
		CU_ASSERT(start(&scene, &jobs[i]));
		wait_until_inside(&scene, i + 1);
	}
	CU_ASSERT(start(&scene, &jobs[FG_OFFLOAD_THREADS]) && start(&scene, &jobs[FG_OFFLOAD_THREADS + 1]));
	fg_offload_cancel(scene.offload, &jobs[FG_OFFLOAD_THREADS].job);
	open_gate(&scene);
	scene_close(&scene);
	CU_ASSERT_EQUAL(scene.done, FG_OFFLOAD_THREADS + 2);
	CU_ASSERT_EQUAL(scene.cancelled, FG_OFFLOAD_THREADS + 2);
	/* One that never had a job. */
	scene_open(&scene, 2);
	scene_close(&scene);
	fg_offload_free(NULL);
}

void
suite_offload(void)
{
	CU_pSuite suite = CU_add_suite("offload", NULL, NULL);

	ADD_TEST(suite, work_comes_back);
	ADD_TEST(suite, queue_is_bounded);
	ADD_TEST(suite, cancelled_while_it_runs);
	ADD_TEST(suite, the_end_gives_all_back);
}
