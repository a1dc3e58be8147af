/* What stands in for a supervisor where a web server is the one that starts processes; see spawned.h. */
#include "fcgi-app/spawned.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "core/config.h"
#include "core/pool_memory.h"
#include "fcgi-app/cgi.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/pidfile.h"
#include "fcgi-app/worker.h"
#include "stats/stats.h"

bool
fg_spawned_has_socket(void)
{
	socklen_t len = sizeof(int);
	int listening = 0;

	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening != 0;
}

/* NULL when it is refused; the mistakes go to standard error, which is the web server's log. */
static struct fg_config *
load(void)
{
	const struct fg_log log = {.level = FG_LOG_INFO};
	struct fg_config *config = NULL;
	struct fg_str rest, line;
	struct fg_buf errors;

	fg_buf_init(&errors, FG_MAX_CONFIG_ERRORS * 1024);
	if (fg_config_load(&config, fg_config_file_default(), &errors) != FG_OK) {
		config = NULL;
		rest = fg_buf_str(&errors);
		while (fg_str_next(&rest, '\n', &line))
			FG_LOG(&log, ERROR, "spawned", "configuration", FG_F_STR("error", line));
	}
	fg_buf_fini(&errors);
	return config;
}

/* Where no other worker has noticed yet. */
static void
say_who_died(const struct fg_config *config, struct fg_stats *stats)
{
	const struct fg_log log = {.level = config->log_level};
	struct fg_stats_death death = {0};

	while (fg_stats_free_dead(stats, &death))
		FG_LOG(&log, WARN, "worker", "worker died", FG_F_INT("pid", death.pid),
		    FG_F_INT("in_flight", (int64_t)death.in_flight), FG_F_INT("connections", (int64_t)death.connections));
}

/* The process has a slot before it points to anything that the others share: what its configuration has is in use from then on. */
static unsigned
enrol(const struct fg_pool_memory *memory, struct fg_config *config)
{
	struct fg_clock clock;
	unsigned slot;

	say_who_died(config, memory->stats);
	fg_clock_read(&clock);
	slot = fg_stats_worker_enrol(memory->stats, clock.wall);
	fg_pool_memory_attach(memory, config, atomic_load(&fg_stats_worker(memory->stats, slot)->generation));
	return slot;
}

/*
 * Processes count together where they may write beside the pid file; false where they may not. A process joins the counters of
 * a supervised pool too, when one runs.
 */
static bool
join_memory(struct fg_pool_memory *memory, const struct fg_config *config)
{
	char *stem = fg_pidfile_beside(config->pid_file, "");
	bool ok = fg_pool_memory_join(memory, stem, config) == FG_OK;

	free(stem);
	return ok;
}

static int
serve(const struct fg_config *config, const struct fg_pool_memory *memory, unsigned slot)
{
	static const int fds[] = {STDIN_FILENO};
	struct fg_worker_spec spec = {
	    .config = config,
	    .listen_fds = fds,
	    .listen_count = 1,
	    .memory = memory,
	    .slot = slot,
	    .generation = atomic_load(&fg_stats_worker(memory->stats, slot)->generation),
	};

	signal(SIGPIPE, SIG_IGN);
	/* Another process that shares the socket may take the connection first: accept() must not wait then. */
	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	return fg_worker_run(&spec);
}

int
fg_spawned_worker(void)
{
	struct fg_config *config = load();
	struct fg_pool_memory memory;
	unsigned slot;
	int status;

	if (config == NULL)
		return FG_EXIT_INPUT;
	if (!join_memory(&memory, config) && fg_pool_memory_create(&memory, NULL, config) != FG_OK) {
		fg_config_free(config);
		return FG_EXIT_ENVIRONMENT;
	}
	slot = enrol(&memory, config);
	status = serve(config, &memory, slot);
	fg_stats_worker_free(memory.stats, slot);
	fg_pool_memory_close(&memory, false);
	fg_config_free(config);
	return status;
}

int
fg_spawned_cgi(void)
{
	struct fg_config *config = load();
	struct fg_pool_memory memory;
	unsigned slot = 0;
	bool is_shared;
	int status;

	if (config == NULL)
		return FG_EXIT_INPUT;
	is_shared = join_memory(&memory, config);
	if (is_shared) {
		slot = enrol(&memory, config);
		atomic_store(&fg_stats_worker(memory.stats, slot)->state, FG_WORKER_RUNNING);
	}
	status = fg_cgi_run(config, is_shared ? &memory : NULL, slot);
	if (is_shared) {
		fg_stats_worker_free(memory.stats, slot);
		fg_pool_memory_close(&memory, false);
	}
	fg_config_free(config);
	return status;
}
