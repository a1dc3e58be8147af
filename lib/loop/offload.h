/*
 * Work that takes too long for the loop (a password hash), on a few threads of its own; the end of it comes back to the loop.
 *
 * Threads are started with the first job. They take no signals. A job's `work` must touch nothing but its own memory.
 */
#ifndef FG_LOOP_OFFLOAD_H
#define FG_LOOP_OFFLOAD_H

#include <stddef.h>

#include "loop/loop.h"

struct fg_offload;
struct fg_job;

typedef void fg_job_work_fn(struct fg_job *job); /* on a thread */
/*
 * From the loop, exactly once for each job that was started, as a task of its turn; the job is its owner's again, who may free
 * it. cancelled: its owner asked so, or the offload ends; work may or may not have run.
 */
typedef void fg_job_done_fn(struct fg_job *job, bool cancelled);

/* Embedded in what the work needs. */
struct fg_job {
	struct fg_job *next; /* in a queue */
	fg_job_work_fn *work;
	fg_job_done_fn *done;
	bool cancelled; /* of the loop's thread alone */
};

enum { FG_OFFLOAD_THREADS = 2 }; /* of a worker */

/* queue_max: jobs that may wait for a thread. Create it after the fork. Never NULL. loop is borrowed. */
struct fg_offload *fg_offload_new(struct fg_loop *loop, size_t queue_max);
/* Waits for what runs on a thread now; every job's done is called, with cancelled, before this returns. NULL: nothing. */
void fg_offload_free(struct fg_offload *offload);

/* False when the queue is full or no thread can be made: done will not be called. */
bool fg_offload_start(struct fg_offload *offload, struct fg_job *job, fg_job_work_fn *work, fg_job_done_fn *done);
/* done still comes, later, with cancelled. A job that no thread has taken gives up its place in the queue. Not after done. */
void fg_offload_cancel(struct fg_offload *offload, struct fg_job *job);

#endif
