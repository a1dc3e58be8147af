/*
 * The life of a pool. One thread, all signals blocked, and one wait: for the next signal or the next moment at which
 * something is due. Nothing a client sends ever comes here.
 *
 *   STARTING   -- all workers run --> RUNNING     a worker that ends here ends the pool: it could not begin
 *   RUNNING    -- HUP, file good  --> RELOADING   what dies is replaced, after a pause when it died young
 *   RELOADING  -- new ones run    --> RUNNING     the old ones drain
 *   RELOADING  -- one of them ends -> RUNNING     the new ones drain; the pool goes on as it was
 *   any        -- TERM            --> STOPPING -- no worker left --> the end; with drain-delay that much later: what
 *                                     serves goes on as before, and only says that it is not ready
 */
#include "fcgi-app/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "core/config.h"
#include "core/pool_memory.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/handover.h"
#include "fcgi-app/notify.h"
#include "fcgi-app/pidfile.h"
#include "fcgi-app/pool.h"
#include "fcgi-app/privileges.h"
#include "fcgi-app/sockets.h"
#include "service/targets.h"
#include "stats/stats.h"

#define LOOK_USEC (5 * FG_US_PER_MS)             /* between two looks at whether new workers run */
#define START_TIMEOUT_USEC (30 * FG_US_PER_S)    /* for new workers to run */
#define YOUNG_USEC (10 * FG_US_PER_S)            /* a worker that dies younger is replaced after a pause, */
#define BACKOFF_FIRST_USEC (100 * FG_US_PER_MS)  /* of this at first, and always when no other is left, */
#define BACKOFF_MOST_USEC (5 * FG_US_PER_S)      /* doubling up to this */
#define STOP_GRACE_USEC (10 * FG_US_PER_S)       /* above drain-timeout: for those that have to be told twice */
#define ERRORS_BYTES (FG_MAX_CONFIG_ERRORS * 1024)

enum phase { STARTING, RUNNING, RELOADING, STOPPING };

/* A configuration with what was opened for it. */
struct setup {
	struct fg_config *config;
	struct fg_privileges privileges;
	struct fg_sockets sockets;
	unsigned workers;
	uint64_t generation;
};

struct supervisor {
	const struct fg_supervisor_options *options;
	struct fg_log log;
	enum phase phase;
	struct setup now, next; /* next: while RELOADING */
	struct fg_pidfile pidfile;
	struct fg_pool_memory memory;
	struct fg_handover handover;
	struct fg_pool pool;
	sigset_t signals, signals_before;
	bool reload_again;   /* HUP came while busy */
	fg_usec started_by;  /* monotonic: when new workers have to run */
	fg_usec start_after; /* monotonic: no worker is replaced before; 0: at once */
	fg_usec died;        /* monotonic: the last of them */
	fg_usec backoff;
	fg_usec stop_at;     /* monotonic: TERM came, with drain-delay; 0: it did not */
	int status; /* how it ends */
};

static struct fg_clock
clock_now(void)
{
	struct fg_clock clock;

	fg_clock_read(&clock);
	return clock;
}

/* ---- setups */

/* FG_EXIT_OK, or why not; said in the log. */
static int
setup_load(struct supervisor *s, struct setup *setup)
{
	struct fg_str rest, line;
	struct fg_buf errors;
	enum fg_err err;

	fg_buf_init(&errors, ERRORS_BYTES);
	err = fg_config_load(&setup->config, s->options->file, &errors);
	rest = fg_buf_str(&errors);
	while (err != FG_OK && fg_str_next(&rest, '\n', &line))
		FG_LOG(&s->log, ERROR, "supervisor", "configuration", FG_F_STR("error", line));
	fg_buf_fini(&errors);
	if (err != FG_OK) {
		setup->config = NULL;
		return err == FG_ERR_SYSTEM ? FG_EXIT_ENVIRONMENT : FG_EXIT_INPUT;
	}
	/* What is shared out among workers goes by how many there are. */
	if (s->options->workers > 0)
		setup->config->workers = s->options->workers;
	setup->workers = setup->config->workers;
	if (setup->workers <= FG_MAX_WORKERS)
		return FG_EXIT_OK;
	FG_LOG(&s->log, ERROR, "supervisor", "too many workers", FG_F_INT("workers", setup->workers),
	    FG_F_INT("most", FG_MAX_WORKERS));
	return FG_EXIT_INPUT;
}

/* Opens what the configuration names, beside current (NULL: nothing runs). */
static bool
setup_open(struct supervisor *s, struct setup *setup, const struct setup *current)
{
	if (!fg_privileges_find(&setup->privileges, setup->config, &s->log))
		return false;
	return fg_sockets_open(&setup->sockets, current == NULL ? NULL : &current->sockets, setup->config->listen,
	    setup->config->listen_count, &s->log);
}

/* All but the sockets, which go their own ways. */
static void
setup_fini(struct setup *setup)
{
	fg_privileges_fini(&setup->privileges);
	if (setup->config != NULL)
		fg_config_free(setup->config);
	setup->config = NULL;
}

static bool
start_worker(struct supervisor *s, struct setup *setup)
{
	struct fg_pool_recipe recipe = {
	    .config = setup->config,
	    .privileges = &setup->privileges,
	    .sockets = &setup->sockets,
	    .others = setup == &s->next ? &s->now.sockets : NULL,
	    .generation = setup->generation,
	};

	return fg_pool_start(&s->pool, &recipe, clock_now().mono);
}

static bool
start_workers(struct supervisor *s, struct setup *setup)
{
	fg_privileges_make_log(&setup->privileges, setup->config);
	s->started_by = clock_now().mono + START_TIMEOUT_USEC;
	for (unsigned i = 0; i < setup->workers; i++)
		if (!start_worker(s, setup))
			return false;
	return true;
}

static bool
all_run(const struct supervisor *s, const struct setup *setup)
{
	return fg_pool_count_running(&s->pool, setup->generation) >= setup->workers;
}

/* ---- reload */

static void
say_ready(const struct supervisor *s)
{
	fg_notify("READY=1\nSTATUS=%u workers, configuration %llu", s->now.workers, (unsigned long long)s->now.generation);
}

static void
refuse_reload(struct supervisor *s, const char *message)
{
	FG_LOG(&s->log, ERROR, "supervisor", message, FG_F_CSTR("file", s->options->file),
	    FG_F_INT("generation", (int64_t)s->now.generation));
	fg_stats_set_refused(s->memory.stats, clock_now().wall);
	say_ready(s);
}

static void
abandon_reload(struct supervisor *s, const char *message)
{
	fg_pool_drain(&s->pool, s->next.generation, clock_now().mono, s->next.config->drain_timeout);
	fg_sockets_abandon(&s->next.sockets);
	setup_fini(&s->next);
	s->phase = RUNNING;
	refuse_reload(s, message);
}

static void
begin_reload(struct supervisor *s)
{
	fg_notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_now().mono);
	s->next = (struct setup){.generation = s->now.generation + 1};
	if (setup_load(s, &s->next) != FG_EXIT_OK) {
		setup_fini(&s->next);
		refuse_reload(s, "configuration refused, the pool goes on with the one before");
		return;
	}
	if (!setup_open(s, &s->next, &s->now)) {
		setup_fini(&s->next);
		refuse_reload(s, "configuration cannot be used, the pool goes on with the one before");
		return;
	}
	fg_pool_memory_attach(&s->memory, s->next.config, s->next.generation);
	s->phase = RELOADING;
	if (!start_workers(s, &s->next))
		abandon_reload(s, "no new workers, the pool goes on with the configuration before");
}

static void
complete_reload(struct supervisor *s)
{
	struct fg_clock now = clock_now();

	if (!fg_str_eq(s->next.config->pid_file, s->now.config->pid_file))
		FG_LOG(&s->log, WARN, "supervisor", "a new pid file takes a restart", FG_F_STR("path", s->next.config->pid_file));
	if (!fg_str_eq(s->next.config->store.text, s->now.config->store.text))
		FG_LOG(&s->log, WARN, "supervisor", "what was revoked in the new store before is known after a restart alone",
		    FG_F_STR("store", s->next.config->store.text));
	if (s->next.config->store.memory_keys != s->now.config->store.memory_keys)
		FG_LOG(&s->log, WARN, "supervisor", "another store.memory-keys takes a restart",
		    FG_F_INT("memory_keys", (int64_t)s->next.config->store.memory_keys));
	/* The file of a socket that is gone first: so nobody connects any more to what nobody will accept from. */
	fg_sockets_retire(&s->now.sockets, &s->next.sockets);
	fg_pool_drain(&s->pool, s->now.generation, now.mono, s->now.config->drain_timeout);
	setup_fini(&s->now);
	s->now = s->next;
	s->next = (struct setup){.config = NULL};
	s->log.level = s->now.config->log_level;
	s->phase = RUNNING;
	s->backoff = s->start_after = 0;
	fg_stats_set_pool(s->memory.stats, getpid(), s->now.generation, now.wall);
	FG_LOG(&s->log, INFO, "supervisor", "configuration loaded", FG_F_INT("generation", (int64_t)s->now.generation),
	    FG_F_INT("workers", s->now.workers));
	say_ready(s);
}

/* ---- deaths */

/* Longer pauses for each worker that died young, none after one that did not. */
static void
back_off(struct supervisor *s, const struct fg_pool_death *death, fg_usec now)
{
	s->died = now;
	if (death->lived >= YOUNG_USEC) {
		s->backoff = s->start_after = 0;
		return;
	}
	/* Several that die at once are one misfortune. */
	if (now < s->start_after)
		return;
	s->backoff = s->backoff == 0 ? BACKOFF_FIRST_USEC : 2 * s->backoff;
	if (s->backoff > BACKOFF_MOST_USEC)
		s->backoff = BACKOFF_MOST_USEC;
	s->start_after = now + s->backoff;
}

static void
on_death(struct supervisor *s, const struct fg_pool_death *death)
{
	fg_usec now = clock_now().mono;

	/* One too young to have a handler for what it was sent, or done but for exiting, has nothing to finish either. */
	if (death->member.told && (!death->by_signal || death->code == SIGTERM || death->code == SIGQUIT)) {
		FG_LOG(&s->log, DEBUG, "supervisor", "worker left", FG_F_INT("pid", death->member.pid));
		return;
	}
	fg_stats_add(s->memory.stats, FG_COUNT_EXCHANGES_LOST, death->in_flight);
	if (!death->member.told) {
		fg_stats_add(s->memory.stats, FG_COUNT_WORKER_DEATHS, 1);
		if (s->phase == RUNNING)
			back_off(s, death, now);
	}
	FG_LOG(&s->log, WARN, "supervisor", "worker died", FG_F_INT("pid", death->member.pid),
	    death->by_signal ? FG_F_INT("signal", death->code) : FG_F_INT("status", death->code),
	    FG_F_INT("in_flight", (int64_t)death->in_flight), FG_F_INT("connections", (int64_t)death->connections),
	    FG_F_INT("lived_ms", death->lived / FG_US_PER_MS), FG_F_INT("backoff_ms", s->backoff / FG_US_PER_MS));
	if (death->member.told)
		return;
	if (s->phase == RELOADING && death->member.generation == s->next.generation)
		abandon_reload(s, "a new worker could not begin, the pool goes on with the configuration before");
}

/* ---- the end */

static void
begin_stop(struct supervisor *s)
{
	/* Whatever the service manager allows by default: drain-timeout is what was promised. */
	fg_notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
	    (unsigned long long)(s->now.config->drain_timeout + STOP_GRACE_USEC));
	FG_LOG(&s->log, INFO, "supervisor", "stopping", FG_F_INT("workers", s->pool.count));
	if (s->phase == RELOADING) {
		fg_sockets_abandon(&s->next.sockets);
		setup_fini(&s->next);
	}
	s->phase = STOPPING;
	fg_handover_end(&s->handover);
	/* Before the workers drain: a web server then sees at once that this pool is gone, and tries another. */
	fg_sockets_close(&s->now.sockets);
	fg_pool_drain(&s->pool, 0, clock_now().mono, s->now.config->drain_timeout);
}

/* Whoever asks readyz has the time to send its requests elsewhere. */
static void
begin_leave(struct supervisor *s)
{
	fg_usec delay = s->now.config->drain_delay;

	fg_stats_set_leaving(s->memory.stats, clock_now().wall);
	if (delay == 0 || s->phase == STARTING) {
		begin_stop(s);
		return;
	}
	fg_notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
	    (unsigned long long)(delay + s->now.config->drain_timeout + STOP_GRACE_USEC));
	FG_LOG(&s->log, INFO, "supervisor", "not ready any more", FG_F_INT("stopping_in_ms", delay / FG_US_PER_MS));
	s->stop_at = clock_now().mono + delay;
}

static void
fail_start(struct supervisor *s, const char *message)
{
	FG_LOG(&s->log, ERROR, "supervisor", message, FG_F_CSTR("file", s->options->file));
	s->status = FG_EXIT_ENVIRONMENT;
	begin_stop(s);
	fg_pool_quit(&s->pool, clock_now().mono);
}

/* ---- the loop */

static void
on_signal(struct supervisor *s, int signo)
{
	switch (signo) {
	case SIGTERM:
	case SIGINT:
		if (s->phase != STOPPING && s->stop_at == 0) {
			begin_leave(s);
			return;
		}
		/* fall through */
	case SIGQUIT:
		if (s->phase != STOPPING)
			begin_stop(s);
		fg_pool_quit(&s->pool, clock_now().mono);
		return;
	case SIGHUP:
		s->reload_again = s->phase != STOPPING && s->stop_at == 0;
		return;
	case SIGUSR1:
		fg_privileges_make_log(&s->now.privileges, s->now.config);
		fg_pool_signal(&s->pool, SIGUSR1);
		return;
	default:
		return;
	}
}

static void
on_all_started(struct supervisor *s)
{
	s->phase = RUNNING;
	FG_LOG(&s->log, INFO, "supervisor", "running", FG_F_INT("workers", s->now.workers),
	    FG_F_STR("listen", s->now.config->listen[0].text));
	say_ready(s);
}

/* When the next worker of the pool may be replaced. A pool without any is an outage: that never lasts a long pause. */
static fg_usec
replacement_due(const struct supervisor *s)
{
	fg_usec soon = s->died + BACKOFF_FIRST_USEC;

	return fg_pool_count(&s->pool, s->now.generation) == 0 && soon < s->start_after ? soon : s->start_after;
}

/* What is due by now. */
static void
step(struct supervisor *s)
{
	fg_usec now = clock_now().mono;

	if (s->phase == STARTING && all_run(s, &s->now))
		on_all_started(s);
	else if (s->phase == STARTING && fg_pool_count(&s->pool, s->now.generation) < s->now.workers)
		fail_start(s, "a worker could not begin");
	else if (s->phase == STARTING && now >= s->started_by)
		fail_start(s, "the workers do not begin in time");
	if (s->phase == RELOADING && all_run(s, &s->next))
		complete_reload(s);
	else if (s->phase == RELOADING && now >= s->started_by)
		abandon_reload(s, "new workers do not begin in time, the pool goes on with the configuration before");
	if (s->phase != STOPPING && s->stop_at != 0 && now >= s->stop_at)
		begin_stop(s);
	if (s->phase == RUNNING && s->reload_again) {
		s->reload_again = false;
		begin_reload(s);
	}
	while (s->phase == RUNNING && now >= replacement_due(s) &&
	    fg_pool_count(&s->pool, s->now.generation) < s->now.workers && start_worker(s, &s->now))
		;
	fg_targets_log_drained(s->memory.targets, s->memory.stats, &s->log);
}

/* How long there is nothing to do but to wait for a signal. */
static fg_usec
time_to_wait(struct supervisor *s)
{
	fg_usec now = clock_now().mono, due = fg_pool_insist(&s->pool, now), wait = FG_US_PER_S;

	if (s->phase == STARTING || s->phase == RELOADING)
		return LOOK_USEC;
	if (due != 0 && due - now < wait)
		wait = due - now;
	if (s->phase != STOPPING && s->stop_at != 0 && s->stop_at - now < wait)
		wait = s->stop_at - now;
	due = replacement_due(s);
	if (s->phase == RUNNING && fg_pool_count(&s->pool, s->now.generation) < s->now.workers && due > now && due - now < wait)
		wait = due - now;
	return wait > 0 ? wait : 0;
}

static void
supervise(struct supervisor *s)
{
	struct fg_pool_death death;

	while (s->phase != STOPPING || s->pool.count > 0) {
		fg_usec wait = time_to_wait(s);
		struct timespec timeout = {.tv_sec = wait / FG_US_PER_S, .tv_nsec = wait % FG_US_PER_S * 1000};
		int signo = sigtimedwait(&s->signals, NULL, &timeout);

		if (signo > 0 && signo != SIGCHLD)
			on_signal(s, signo);
		while (fg_pool_reap(&s->pool, clock_now().mono, &death))
			on_death(s, &death);
		step(s);
	}
}

static void
block_signals(struct supervisor *s)
{
	static const int signals[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGCHLD};

	sigemptyset(&s->signals);
	for (size_t i = 0; i < FG_ARRAY_LEN(signals); i++)
		sigaddset(&s->signals, signals[i]);
	sigprocmask(SIG_BLOCK, &s->signals, &s->signals_before);
	/* Whoever started this may have ignored it; then there would be nothing to wait for. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigdelset(&s->signals_before, SIGTERM);
	sigdelset(&s->signals_before, SIGQUIT);
	sigdelset(&s->signals_before, SIGUSR1);
}

static bool
open_memory(struct supervisor *s)
{
	char *stem = fg_pidfile_beside(s->now.config->pid_file, "");
	enum fg_err err = fg_pool_memory_create(&s->memory, stem, s->now.config);

	if (err != FG_OK)
		FG_LOG(&s->log, ERROR, "supervisor", "the files beside the pid file cannot be written", FG_F_CSTR("path", stem),
		    FG_F_CSTR("because", strerror(errno)));
	free(stem);
	return err == FG_OK;
}

/* All that has to be there before a worker can start. */
static bool
prepare(struct supervisor *s)
{
	s->status = setup_load(s, &s->now);
	if (s->status != FG_EXIT_OK)
		return false;
	s->status = FG_EXIT_ENVIRONMENT;
	s->log.level = s->now.config->log_level;
	if (!fg_pidfile_take(&s->pidfile, s->now.config->pid_file, &s->log) || !setup_open(s, &s->now, NULL) ||
	    !open_memory(s))
		return false;
	if (!fg_handover_open(&s->handover)) {
		FG_LOG(&s->log, ERROR, "supervisor", "no pair of sockets", FG_F_CSTR("because", strerror(errno)));
		return false;
	}
	fg_pool_memory_attach(&s->memory, s->now.config, s->now.generation);
	fg_stats_set_pool(s->memory.stats, getpid(), s->now.generation, clock_now().wall);
	if (geteuid() == 0 && s->now.config->user.len == 0)
		FG_LOG(&s->log, WARN, "supervisor", "workers run as root: set `user:`, or start the pool as another user");
	s->status = FG_EXIT_OK;
	return true;
}

int
fg_supervisor_run(const struct fg_supervisor_options *options)
{
	struct supervisor s = {
	    .options = options,
	    .log = {.level = FG_LOG_INFO},
	    .now = {.generation = 1},
	    .pidfile = {.fd = -1},
	    .handover = {.send_fd = -1, .receive_fd = -1},
	};

	block_signals(&s);
	fg_pool_init(&s.pool);
	s.pool.log = &s.log;
	s.pool.handover = &s.handover;
	s.pool.pidfile = &s.pidfile;
	s.pool.worker_signals = &s.signals_before;
	if (prepare(&s)) {
		s.pool.memory = &s.memory;
		if (!start_workers(&s, &s.now))
			fail_start(&s, "the workers cannot be started");
		supervise(&s);
		FG_LOG(&s.log, INFO, "supervisor", "stopped");
	}
	fg_pool_fini(&s.pool);
	fg_sockets_close(&s.now.sockets);
	setup_fini(&s.now);
	fg_handover_close(&s.handover);
	fg_pool_memory_close(&s.memory, true);
	fg_pidfile_release(&s.pidfile);
	return s.status;
}
