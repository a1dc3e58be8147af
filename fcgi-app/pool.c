/* Forking workers, and telling them things; the contract stands in pool.h. */
#include "fcgi-app/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "core/config.h"
#include "core/pool_memory.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/handover.h"
#include "fcgi-app/pidfile.h"
#include "fcgi-app/privileges.h"
#include "fcgi-app/sockets.h"
#include "fcgi-app/worker.h"
#include "stats/stats.h"

/* How long after its own deadline a worker is told, and then made, to leave. */
#define QUIT_AFTER_USEC (2 * FG_US_PER_S)
#define KILL_AFTER_USEC (3 * FG_US_PER_S)

void
fg_pool_init(struct fg_pool *pool)
{
	pool->members = calloc(FG_STATS_MAX_WORKERS, sizeof(*pool->members));
	FG_ASSERT(pool->members != NULL);
	pool->count = 0;
}

void
fg_pool_fini(struct fg_pool *pool)
{
	free(pool->members);
	pool->members = NULL;
}

/* ---- in the child */

static void
prepare_signals(const struct fg_pool *pool)
{
	/*
	 * Until the worker has handlers of its own, what is meant for a running one must not end it. TERM may: then there
	 * is nothing yet to drain.
	 */
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_SETMASK, pool->worker_signals, NULL);
}

static _Noreturn void
be_worker(struct fg_pool *pool, const struct fg_pool_recipe *recipe, unsigned slot, pid_t supervisor)
{
	size_t count = recipe->sockets->count;
	int *fds = calloc(count, sizeof(*fds)), status;
	struct fg_worker_spec spec = {
	    .config = recipe->config,
	    .listen_fds = fds,
	    .listen_count = count,
	    .memory = pool->memory,
	    .slot = slot,
	    .handover = pool->handover,
	    .supervised = true,
	    .generation = recipe->generation,
	};

	FG_ASSERT(fds != NULL);
	atomic_store(&fg_stats_worker(pool->memory->stats, slot)->pid, (int32_t)getpid());
	prepare_signals(pool);
	fg_pidfile_forget(pool->pidfile);
	if (recipe->others != NULL)
		fg_sockets_forget(recipe->others, recipe->sockets);
	if (!fg_privileges_drop(recipe->privileges, pool->log))
		_exit(FG_EXIT_ENVIRONMENT);
	/* After the change of user, which takes it back. Without a supervisor nobody would end this process. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != supervisor)
		_exit(FG_EXIT_ENVIRONMENT);
	for (size_t i = 0; i < count; i++)
		fds[i] = recipe->sockets->v[i].fd;
	status = fg_worker_run(&spec);
	free(fds);
	exit(status);
}

/* ---- in the supervisor */

bool
fg_pool_start(struct fg_pool *pool, const struct fg_pool_recipe *recipe, fg_usec now)
{
	pid_t supervisor = getpid(), pid;
	struct fg_stats_worker *worker;
	struct fg_clock clock;
	unsigned slot;

	if (pool->count == FG_STATS_MAX_WORKERS - 1) {
		FG_LOG(pool->log, ERROR, "supervisor", "too many workers, counting those that drain",
		    FG_F_INT("most", FG_STATS_MAX_WORKERS - 1));
		return false;
	}
	slot = fg_stats_worker_slot(pool->memory->stats);
	worker = fg_stats_worker(pool->memory->stats, slot);
	fg_clock_read(&clock);
	atomic_store(&worker->generation, recipe->generation);
	atomic_store(&worker->started, clock.wall);
	pid = fork();
	if (pid == 0)
		be_worker(pool, recipe, slot, supervisor);
	if (pid < 0) {
		FG_LOG(pool->log, ERROR, "supervisor", "no worker can be started", FG_F_CSTR("because", strerror(errno)));
		fg_stats_worker_free(pool->memory->stats, slot);
		return false;
	}
	atomic_store(&worker->pid, (int32_t)pid);
	pool->members[pool->count++] =
	    (struct fg_member){.pid = pid, .slot = slot, .generation = recipe->generation, .started = now};
	FG_LOG(pool->log, DEBUG, "supervisor", "worker started", FG_F_INT("pid", pid), FG_F_INT("slot", slot));
	return true;
}

unsigned
fg_pool_count(const struct fg_pool *pool, uint64_t generation)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->count; i++)
		count += pool->members[i].generation == generation && !pool->members[i].told;
	return count;
}

unsigned
fg_pool_count_running(const struct fg_pool *pool, uint64_t generation)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->count; i++) {
		const struct fg_member *member = &pool->members[i];

		count += member->generation == generation && !member->told &&
		    atomic_load(&fg_stats_worker(pool->memory->stats, member->slot)->state) == FG_WORKER_RUNNING;
	}
	return count;
}

bool
fg_pool_reap(struct fg_pool *pool, fg_usec now, struct fg_pool_death *death)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < pool->count; i++) {
			const struct fg_stats_worker *worker = fg_stats_worker_read(pool->memory->stats, pool->members[i].slot);

			if (pool->members[i].pid != pid)
				continue;
			*death = (struct fg_pool_death){
			    .member = pool->members[i],
			    .by_signal = WIFSIGNALED(status),
			    .code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
			    .lived = now - pool->members[i].started,
			    .in_flight = atomic_load(&worker->in_flight),
			    .connections = atomic_load(&worker->connections),
			};
			fg_stats_worker_free(pool->memory->stats, death->member.slot);
			pool->members[i] = pool->members[--pool->count];
			return true;
		}
	}
	return false;
}

void
fg_pool_signal(struct fg_pool *pool, int signo)
{
	for (unsigned i = 0; i < pool->count; i++)
		kill(pool->members[i].pid, signo);
}

void
fg_pool_drain(struct fg_pool *pool, uint64_t generation, fg_usec now, fg_usec drain_timeout)
{
	for (unsigned i = 0; i < pool->count; i++) {
		struct fg_member *member = &pool->members[i];

		if (member->told || (generation != 0 && member->generation != generation))
			continue;
		kill(member->pid, SIGTERM);
		member->told = true;
		member->insist = now + drain_timeout + QUIT_AFTER_USEC;
	}
}

void
fg_pool_quit(struct fg_pool *pool, fg_usec now)
{
	for (unsigned i = 0; i < pool->count; i++) {
		struct fg_member *member = &pool->members[i];

		member->told = true;
		if (member->firmness > 0)
			continue;
		kill(member->pid, SIGQUIT);
		member->firmness = 1;
		member->insist = now + KILL_AFTER_USEC;
	}
}

fg_usec
fg_pool_insist(struct fg_pool *pool, fg_usec now)
{
	fg_usec next = 0;

	for (unsigned i = 0; i < pool->count; i++) {
		struct fg_member *member = &pool->members[i];

		if (member->insist != 0 && member->insist <= now) {
			FG_LOG(pool->log, WARN, "supervisor", "worker does not leave", FG_F_INT("pid", member->pid),
			    FG_F_INT("signal", member->firmness == 0 ? SIGQUIT : SIGKILL));
			kill(member->pid, member->firmness == 0 ? SIGQUIT : SIGKILL);
			member->firmness++;
			member->insist = member->firmness == 1 ? now + KILL_AFTER_USEC : 0;
		}
		if (member->insist != 0 && (next == 0 || member->insist < next))
			next = member->insist;
	}
	return next;
}
