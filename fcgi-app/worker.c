/*
 * A worker's frame: makes the loop, the client, the gateway and the front, runs them until told to leave, and takes them
 * down in order.
 */
#include "fcgi-app/worker.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "base/log.h"
#include "core/access_log.h"
#include "core/config.h"
#include "core/dead_workers.h"
#include "core/exchange.h"
#include "core/pool_memory.h"
#include "core/probe.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/front.h"
#include "service/targets.h"
#include "stats/log_sink.h"
#include "stats/stats.h"

enum {
	MOST_IDLE_CONNECTIONS = 1024,            /* to services */
	MOST_IDLE_US = 30 * FG_US_PER_S,         /* services that close earlier are found out before they are used */
	/* An exchange has a connection on either side; files, the store and fetches take the rest. */
	MOST_DESCRIPTORS = 2 * FG_MAX_CONNECTIONS + MOST_IDLE_CONNECTIONS + 512,
	SPARE_DESCRIPTORS = 48, /* for that rest, where there are few */
};

/* What a worker does with the descriptors that it may have. */
struct shares {
	size_t connections, idle; /* of the web server; to services, unused */
};

struct worker {
	const struct fg_worker_spec *spec;
	struct fg_loop *loop;
	struct fg_dns *dns;
	struct fg_client *client;
	struct fg_log log;
	struct fg_log_sink *log_sink;
	struct fg_gateway gw;
	struct fg_front *front;
	struct fg_timer drain_deadline;
	struct shares shares;
	int access_log_error; /* the last that was told; 0: all was well */
};

static void
write_log_line(void *arg, struct fg_str line)
{
	fg_log_sink_write(arg, line);
}

/* Once a change: a disk that is full shows itself here long before somebody misses the lines. */
static void
tell_access_log_error(struct worker *worker)
{
	int error = fg_access_log_error(worker->gw.access_log);

	if (error == worker->access_log_error)
		return;
	worker->access_log_error = error;
	if (error != 0)
		FG_LOG(&worker->log, ERROR, "worker", "the access log cannot be written", FG_F_CSTR("error", strerror(error)));
	else
		FG_LOG(&worker->log, INFO, "worker", "the access log is written again");
}

static void
flush_logs(void *arg)
{
	struct worker *worker = arg;

	if (worker->gw.access_log != NULL) {
		tell_access_log_error(worker);
		fg_access_log_flush(worker->gw.access_log);
	}
	fg_log_sink_flush(worker->log_sink);
}

static void
on_front_idle(void *arg)
{
	struct worker *worker = arg;

	fg_loop_stop(worker->loop);
}

static void
on_drain_deadline(struct fg_timer *timer, void *arg)
{
	struct worker *worker = arg;

	(void)timer;
	FG_LOG(&worker->log, WARN, "worker", "leaving with exchanges in flight", FG_F_INT("exchanges", worker->gw.live_count));
	fg_gateway_end_all(&worker->gw, FG_ERR_DRAINING);
	fg_loop_stop(worker->loop);
}

static void
leave_now(struct worker *worker)
{
	fg_gateway_end_all(&worker->gw, FG_ERR_DRAINING);
	fg_loop_stop(worker->loop);
}

static void
drain(struct worker *worker)
{
	worker->gw.draining = true;
	atomic_store(&fg_stats_worker(worker->spec->memory->stats, worker->spec->slot)->state, FG_WORKER_DRAINING);
	fg_timer_start(&worker->drain_deadline, worker->spec->config->drain_timeout);
	fg_front_drain(worker->front);
}

static void
on_signal(int signo, void *arg)
{
	struct worker *worker = arg;

	switch (signo) {
	case SIGUSR1:
		if (worker->gw.access_log != NULL)
			fg_access_log_reopen(worker->gw.access_log);
		fg_log_sink_reopen(worker->log_sink);
		break;
	case SIGQUIT:
		leave_now(worker);
		break;
	case SIGINT:
		if (worker->spec->supervised)
			break;
		/* fall through */
	case SIGTERM:
		if (!worker->gw.draining)
			drain(worker);
		else if (!worker->spec->supervised)
			leave_now(worker);
		break;
	default:
		break;
	}
}

static void
serve(struct worker *worker)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP};
	const struct fg_worker_spec *spec = worker->spec;
	struct fg_stats_worker *slot = fg_stats_worker(spec->memory->stats, spec->slot);

	worker->front = fg_front_new(&worker->gw, spec->listen_fds, spec->listen_count, worker->shares.connections, spec->handover,
	    on_front_idle, worker);
	/* After the front: libfcgi has handlers of its own, which these replace. */
	for (size_t i = 0; i < FG_ARRAY_LEN(signals); i++)
		fg_loop_on_signal(worker->loop, signals[i], on_signal, worker);
	signal(SIGPIPE, SIG_IGN);
	fg_timer_init(&worker->drain_deadline, worker->loop, on_drain_deadline, worker);
	fg_loop_on_turn_end(worker->loop, flush_logs, worker);
	atomic_store(&slot->state, FG_WORKER_RUNNING);
	fg_loop_run(worker->loop);
	/* Ended exchanges are freed, and what they had to say goes out, at the end of a turn. */
	fg_loop_turn(worker->loop, false);
	fg_front_free(worker->front);
	fg_loop_turn(worker->loop, false);
}

/* The soft limit is what a shell or a web server happens to have: often 1024, which 500 exchanges use up. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= MOST_DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < MOST_DESCRIPTORS ? limit.rlim_max : MOST_DESCRIPTORS;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Where the limit allows few, accepting waits before the connections to services have none left: a request that waits in the
 * listening socket's queue is better off than one that was taken and cannot be forwarded.
 */
static struct shares
share_descriptors(void)
{
	struct shares shares = {FG_MAX_CONNECTIONS, MOST_IDLE_CONNECTIONS};
	struct rlimit limit;
	size_t left;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= MOST_DESCRIPTORS)
		return shares;
	left = limit.rlim_cur > SPARE_DESCRIPTORS ? limit.rlim_cur - SPARE_DESCRIPTORS : 0;
	if (shares.idle > left / 4)
		shares.idle = left / 4 > 0 ? left / 4 : 1;
	if (shares.connections > (left - left / 4) / 2)
		shares.connections = left > 2 ? (left - left / 4) / 2 : 1;
	return shares;
}

int
fg_worker_run(const struct fg_worker_spec *spec)
{
	struct worker worker = {.spec = spec};
	struct fg_access_log *access_log = NULL;
	struct fg_dead_workers *dead;
	struct fg_probes *probes;

	raise_descriptor_limit();
	worker.shares = share_descriptors();
	if (fg_log_sink_new(&worker.log_sink, FG_STR("stderr"), spec->memory->stats) != FG_OK)
		return FG_EXIT_ENVIRONMENT;
	worker.log = (struct fg_log){
	    .level = spec->config->log_level, .write = write_log_line, .arg = worker.log_sink};
	if (fg_access_log_new(&access_log, &spec->config->access_log, spec->memory->stats) != FG_OK) {
		FG_LOG(&worker.log, ERROR, "worker", "the access log cannot be opened",
		    FG_F_STR("path", spec->config->access_log.path));
		fg_log_sink_free(worker.log_sink);
		return FG_EXIT_ENVIRONMENT;
	}
	worker.loop = fg_loop_new();
	worker.dns = fg_config_open_dns(spec->config, worker.loop, &worker.log, spec->memory->stats);
	worker.client = fg_client_new(worker.loop, worker.shares.idle, MOST_IDLE_US);
	fg_client_use_dns(worker.client, worker.dns);
	fg_gateway_init(&worker.gw, spec->config, worker.loop, worker.client, &worker.log);
	worker.gw.access_log = access_log;
	worker.gw.stats = spec->memory->stats;
	worker.gw.targets = spec->memory->targets;
	worker.gw.worker = spec->slot;
	fg_targets_start_worker(worker.gw.targets, spec->slot);
	fg_gateway_start_filters(&worker.gw, spec->memory);
	probes = fg_probes_start(&worker.gw);
	dead = spec->supervised ? NULL : fg_dead_workers_start(&worker.gw);

	serve(&worker);

	fg_dead_workers_stop(dead);
	fg_probes_stop(probes);
	fg_gateway_fini(&worker.gw);
	fg_client_free(worker.client);
	fg_dns_free(worker.dns);
	fg_loop_free(worker.loop);
	fg_access_log_free(access_log);
	fg_log_sink_free(worker.log_sink);
	return FG_EXIT_OK;
}
