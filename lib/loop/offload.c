/*
 * Two queues under one mutex: jobs that wait for a thread, and jobs whose work is done; an eventfd tells the loop of the
 * second. What is cancelled is known to the loop's thread alone, so that a thread never looks at it.
 */
#include "loop/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

struct queue {
	struct fg_job *first, **last;
};

struct fg_offload {
	struct fg_loop *loop; /* borrowed */
	struct fg_io io;
	struct fg_task task; /* gives the finished jobs back */
	int fd;
	size_t waiting_max;
	unsigned threads;
	pthread_t thread[FG_OFFLOAD_THREADS];
	struct queue cancelled; /* taken back before a thread had them; of the loop's thread alone */

	pthread_mutex_t mutex; /* for all that follows */
	pthread_cond_t work_to_do;
	struct queue waiting, finished;
	size_t waiting_count;
	bool ending;
};

static void
queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void
queue_add(struct queue *queue, struct fg_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

static struct fg_job *
queue_take(struct queue *queue)
{
	struct fg_job *job = queue->first;

	if (job == NULL)
		return NULL;
	queue->first = job->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	return job;
}

static bool
queue_remove(struct queue *queue, struct fg_job *job)
{
	for (struct fg_job **at = &queue->first; *at != NULL; at = &(*at)->next) {
		if (*at != job)
			continue;
		*at = job->next;
		if (*at == NULL)
			queue->last = at;
		return true;
	}
	return false;
}

static void
wake_loop(int fd)
{
	const uint64_t one = 1;

	/* It can only fail when the counter is full, and then the loop is awake. */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *
run_thread(void *arg)
{
	struct fg_offload *offload = arg;

	pthread_mutex_lock(&offload->mutex);
	for (;;) {
		struct fg_job *job;

		while (offload->waiting.first == NULL && !offload->ending)
			pthread_cond_wait(&offload->work_to_do, &offload->mutex);
		if (offload->ending)
			break;
		job = queue_take(&offload->waiting);
		offload->waiting_count--;
		pthread_mutex_unlock(&offload->mutex);
		job->work(job);
		pthread_mutex_lock(&offload->mutex);
		queue_add(&offload->finished, job);
		wake_loop(offload->fd);
	}
	pthread_mutex_unlock(&offload->mutex);
	return NULL;
}

static void
give_back(void *arg)
{
	struct fg_offload *offload = arg;
	struct queue finished;
	struct fg_job *job;

	pthread_mutex_lock(&offload->mutex);
	finished.first = offload->finished.first;
	queue_init(&offload->finished);
	pthread_mutex_unlock(&offload->mutex);
	while ((job = finished.first) != NULL) {
		finished.first = job->next;
		job->done(job, job->cancelled);
	}
	while ((job = queue_take(&offload->cancelled)) != NULL)
		job->done(job, true);
}

static void
on_readable(struct fg_io *io, unsigned ready, void *arg)
{
	struct fg_offload *offload = arg;
	uint64_t count;

	(void)io;
	(void)ready;
	if (read(offload->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		fg_task_post(&offload->task);
}

struct fg_offload *
fg_offload_new(struct fg_loop *loop, size_t queue_max)
{
	struct fg_offload *offload = calloc(1, sizeof(*offload));

	FG_ASSERT(offload != NULL);
	offload->loop = loop;
	offload->fd = -1;
	offload->waiting_max = queue_max;
	queue_init(&offload->cancelled);
	queue_init(&offload->waiting);
	queue_init(&offload->finished);
	fg_io_init(&offload->io, loop, on_readable, offload);
	fg_task_init(&offload->task, loop, give_back, offload);
	FG_ASSERT(pthread_mutex_init(&offload->mutex, NULL) == 0 && pthread_cond_init(&offload->work_to_do, NULL) == 0);
	return offload;
}

/* All signals stay with the loop's thread: a new thread begins with the mask of whoever makes it. */
static void
start_threads(struct fg_offload *offload)
{
	sigset_t all, before;

	if (offload->fd < 0)
		offload->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (offload->fd < 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (offload->threads < FG_OFFLOAD_THREADS &&
	    pthread_create(&offload->thread[offload->threads], NULL, run_thread, offload) == 0)
		offload->threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (offload->threads > 0)
		fg_io_watch(&offload->io, offload->fd, FG_IO_READ);
}

bool
fg_offload_start(struct fg_offload *offload, struct fg_job *job, fg_job_work_fn *work, fg_job_done_fn *done)
{
	bool taken;

	if (offload->threads == 0)
		start_threads(offload);
	if (offload->threads == 0)
		return false;
	*job = (struct fg_job){.work = work, .done = done};
	pthread_mutex_lock(&offload->mutex);
	taken = offload->waiting_count < offload->waiting_max;
	if (taken) {
		queue_add(&offload->waiting, job);
		offload->waiting_count++;
		pthread_cond_signal(&offload->work_to_do);
	}
	pthread_mutex_unlock(&offload->mutex);
	return taken;
}

void
fg_offload_cancel(struct fg_offload *offload, struct fg_job *job)
{
	bool removed;

	if (job->cancelled)
		return;
	job->cancelled = true;
	pthread_mutex_lock(&offload->mutex);
	removed = queue_remove(&offload->waiting, job);
	offload->waiting_count -= removed;
	pthread_mutex_unlock(&offload->mutex);
	if (removed) {
		queue_add(&offload->cancelled, job);
		fg_task_post(&offload->task);
	}
}

void
fg_offload_free(struct fg_offload *offload)
{
	struct fg_job *job;

	if (offload == NULL)
		return;
	pthread_mutex_lock(&offload->mutex);
	offload->ending = true;
	pthread_cond_broadcast(&offload->work_to_do);
	pthread_mutex_unlock(&offload->mutex);
	for (unsigned i = 0; i < offload->threads; i++)
		pthread_join(offload->thread[i], NULL);
	while ((job = queue_take(&offload->waiting)) != NULL || (job = queue_take(&offload->finished)) != NULL ||
	    (job = queue_take(&offload->cancelled)) != NULL)
		job->done(job, true);
	fg_task_cancel(&offload->task);
	fg_io_stop(&offload->io);
	if (offload->fd >= 0)
		close(offload->fd);
	pthread_cond_destroy(&offload->work_to_do);
	pthread_mutex_destroy(&offload->mutex);
	free(offload);
}
