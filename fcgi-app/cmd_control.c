/* faregate reload, stop, status, drain, undrain: talking to the pool that runs, by its pid file and its shared memory. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "core/config.h"
#include "core/pool_memory.h"
#include "core/status.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/options.h"
#include "fcgi-app/pidfile.h"
#include "service/targets.h"
#include "stats/stats.h"

enum { LOOK_MS = 10 };
#define RELOAD_WAIT_USEC (60 * FG_US_PER_S) /* above what the supervisor gives new workers to begin */
#define STOP_GRACE_USEC (10 * FG_US_PER_S)  /* above drain-timeout */

/* The pool that a command is about. */
struct subject {
	char *pid_file;       /* owned */
	fg_usec drain_timeout; /* with drain-delay; 0: not known */
	pid_t pid;            /* of the supervisor; 0: none */
};

/* Prints what is wrong with the configuration. */
static int
load(const char *file, struct fg_config **config)
{
	struct fg_buf errors;
	enum fg_err err;

	fg_buf_init(&errors, FG_MAX_CONFIG_ERRORS * 1024);
	err = fg_config_load(config, file, &errors);
	if (err != FG_OK)
		fwrite(errors.p, 1, errors.len, stderr);
	fg_buf_fini(&errors);
	return err == FG_OK ? FG_EXIT_OK : err == FG_ERR_SYSTEM ? FG_EXIT_ENVIRONMENT : FG_EXIT_INPUT;
}

static int
find_owner(struct subject *subject)
{
	subject->pid = fg_pidfile_owner(subject->pid_file);
	if (subject->pid >= 0)
		return FG_EXIT_OK;
	fprintf(stderr, "faregate: %s: %s\n", subject->pid_file, strerror(errno));
	return FG_EXIT_ENVIRONMENT;
}

/* FG_EXIT_OK, or what to leave with, said. The configuration is read unless only the pid file counts. */
static int
find(struct subject *subject, const struct fg_options *options, bool check)
{
	struct fg_config *config = NULL;
	int status;

	*subject = (struct subject){.pid_file = NULL};
	if (options->pid_file != NULL && !check) {
		subject->pid_file = strdup(options->pid_file);
	} else {
		status = load(options->config, &config);
		if (status != FG_EXIT_OK) {
			if (!check)
				fprintf(stderr, "faregate: which pool? Mend the file, or name its --pid-file\n");
			return status;
		}
		subject->pid_file = options->pid_file != NULL ? strdup(options->pid_file)
		    : strndup(config->pid_file.p, config->pid_file.len);
		subject->drain_timeout = config->drain_delay + config->drain_timeout;
		fg_config_free(config);
	}
	FG_ASSERT(subject->pid_file != NULL);
	return find_owner(subject);
}

static int
open_stats(const struct subject *subject, struct fg_stats **stats)
{
	char *path = fg_pidfile_beside(fg_str_from(subject->pid_file), ".stats");
	enum fg_err err = fg_stats_open(stats, path);

	if (err != FG_OK)
		fprintf(stderr, "faregate: %s: %s\n", path,
		    err == FG_ERR_SYSTEM ? strerror(errno) : "the pool that runs is of another version");
	free(path);
	return err == FG_OK ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
}

static int
say_other_version(const struct subject *subject)
{
	fprintf(stderr, "faregate: the pool of %s is of another version, or its files are not readable\n", subject->pid_file);
	return FG_EXIT_ENVIRONMENT;
}

static int
say_not_running(const struct subject *subject)
{
	fprintf(stderr, "faregate: no pool runs (%s)\n", subject->pid_file);
	return FG_EXIT_ENVIRONMENT;
}

static int
send_signal(const struct subject *subject, int signo)
{
	if (kill(subject->pid, signo) == 0)
		return FG_EXIT_OK;
	fprintf(stderr, "faregate: process %d: %s\n", (int)subject->pid, strerror(errno));
	return FG_EXIT_ENVIRONMENT;
}

static fg_usec
now(void)
{
	struct fg_clock clock;

	fg_clock_read(&clock);
	return clock.mono;
}

/* ---- reload */

static const char reload_help[] =
    "Usage: faregate reload [-c FILE] [--pid-file FILE]\n"
    "\n"
    "Checks the configuration and has the running pool take it: new workers begin, the old ones finish what they have.\n"
    "When the file has errors they are shown and the pool is left alone. Returns once the new workers run.\n"
    "\n"
    "  -c, --config FILE   the configuration\n"
    "      --pid-file FILE the pool's pid file, when it is not the one that the configuration names\n"
    "      --help          this text\n"
    "\n"
    "Exit status: 0 done, 1 the configuration is refused, 2 the command line is at fault, 3 no pool runs.\n";

static int
wait_for_reload(const struct subject *subject, const struct fg_stats *stats, uint64_t generation, uint64_t refused)
{
	fg_usec until = now() + RELOAD_WAIT_USEC;

	for (; now() < until; poll(NULL, 0, LOOK_MS)) {
		if (fg_stats_generation(stats) > generation) {
			printf("reloaded: configuration %llu\n", (unsigned long long)fg_stats_generation(stats));
			return FG_EXIT_OK;
		}
		if (fg_stats_get(stats, FG_COUNT_RELOADS_REFUSED) > refused) {
			fprintf(stderr, "faregate: the pool refused the configuration and goes on as it was; its log says why\n");
			return FG_EXIT_INPUT;
		}
		if (fg_pidfile_owner(subject->pid_file) != subject->pid) {
			fprintf(stderr, "faregate: the pool has ended; its log says why\n");
			return FG_EXIT_ENVIRONMENT;
		}
	}
	fprintf(stderr, "faregate: the pool does not answer; its log may say why\n");
	return FG_EXIT_ENVIRONMENT;
}

int
fg_cmd_reload(int argc, char **argv)
{
	struct fg_stats *stats = NULL;
	struct fg_options options;
	struct subject subject;
	int status;

	if (!fg_options_read(&options, argc, argv, FG_OPTION_CONFIG | FG_OPTION_PID_FILE, reload_help, &status))
		return status;
	status = find(&subject, &options, true);
	if (status == FG_EXIT_OK && subject.pid == 0)
		status = say_not_running(&subject);
	if (status == FG_EXIT_OK)
		status = open_stats(&subject, &stats);
	if (status == FG_EXIT_OK) {
		uint64_t generation = fg_stats_generation(stats);
		uint64_t refused = fg_stats_get(stats, FG_COUNT_RELOADS_REFUSED);

		status = send_signal(&subject, SIGHUP);
		if (status == FG_EXIT_OK)
			status = wait_for_reload(&subject, stats, generation, refused);
	}
	fg_stats_close(stats, false);
	free(subject.pid_file);
	return status;
}

/* ---- stop */

static const char stop_help[] =
    "Usage: faregate stop [-c FILE] [--pid-file FILE]\n"
    "\n"
    "Has the running pool finish what is in flight and leave, and returns once it has.\n"
    "\n"
    "  -c, --config FILE   the configuration, which names the pid file, drain-delay and drain-timeout\n"
    "      --pid-file FILE the pid file, when the configuration cannot be read or names another\n"
    "      --help          this text\n"
    "\n"
    "Exit status: 0 stopped, 1 the configuration is at fault, 2 the command line is, 3 no pool runs, or it does not end.\n";

int
fg_cmd_stop(int argc, char **argv)
{
	struct fg_options options;
	struct subject subject;
	fg_usec until;
	int status;

	if (!fg_options_read(&options, argc, argv, FG_OPTION_CONFIG | FG_OPTION_PID_FILE, stop_help, &status))
		return status;
	status = find(&subject, &options, false);
	if (status == FG_EXIT_OK && subject.pid == 0)
		status = say_not_running(&subject);
	if (status == FG_EXIT_OK)
		status = send_signal(&subject, SIGTERM);
	if (status == FG_EXIT_OK) {
		until = now() + (subject.drain_timeout > 0 ? subject.drain_timeout : RELOAD_WAIT_USEC) + STOP_GRACE_USEC;
		while (fg_pidfile_owner(subject.pid_file) == subject.pid && now() < until)
			poll(NULL, 0, LOOK_MS);
		if (fg_pidfile_owner(subject.pid_file) == subject.pid) {
			fprintf(stderr, "faregate: process %d is still there\n", (int)subject.pid);
			status = FG_EXIT_ENVIRONMENT;
		}
	}
	free(subject.pid_file);
	return status;
}

/* ---- status */

static const char status_help[] =
    "Usage: faregate status [-c FILE] [--pid-file FILE] [--json]\n"
    "\n"
    "What runs, and what it has counted: workers, routes, services, reasons. Reads the pool's statistics without\n"
    "asking it.\n"
    "\n"
    "  -c, --config FILE   the configuration, which names the pid file\n"
    "      --pid-file FILE the pid file, when the configuration cannot be read or names another\n"
    "      --json          for programs; pid is 0 when nothing runs\n"
    "      --help          this text\n"
    "\n"
    "Exit status: 0 it runs, 1 the configuration is at fault, 2 the command line is, 3 nothing runs.\n";

static int
print_status(const struct fg_pool_memory *memory, bool json)
{
	struct fg_clock clock;
	struct fg_buf out;
	bool whole;

	fg_clock_read(&clock);
	fg_buf_init(&out, FG_MAX_OWN_BODY_BYTES);
	whole = json ? fg_status_format_json(memory->stats, memory->targets, clock.wall, &out)
		     : fg_status_format_text(memory->stats, memory->targets, clock.wall, &out);
	fwrite(out.p, 1, out.len, stdout);
	fg_buf_fini(&out);
	return whole && fflush(stdout) == 0 ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
}

int
fg_cmd_status(int argc, char **argv)
{
	struct fg_pool_memory memory = {.stats = NULL};
	struct fg_options options;
	struct subject subject;
	char *stem;
	int status;

	if (!fg_options_read(
		&options, argc, argv, FG_OPTION_CONFIG | FG_OPTION_PID_FILE | FG_OPTION_JSON, status_help, &status))
		return status;
	status = find(&subject, &options, false);
	if (status == FG_EXIT_OK) {
		stem = fg_pidfile_beside(fg_str_from(subject.pid_file), "");
		fg_pool_memory_open(&memory, stem);
		free(stem);
	}
	if (status == FG_EXIT_OK && memory.stats == NULL && subject.pid > 0) {
		status = say_other_version(&subject);
	} else if (status == FG_EXIT_OK && memory.stats != NULL && (subject.pid > 0 || fg_stats_has_live_worker(memory.stats))) {
		status = print_status(&memory, options.json);
	} else if (status == FG_EXIT_OK) {
		status = say_not_running(&subject);
		if (options.json)
			puts("{\"pid\":0}");
	}
	fg_pool_memory_close(&memory, false);
	free(subject.pid_file);
	return status;
}

/* ---- drain, undrain */

static const char drain_help[] =
    "Usage: faregate drain|undrain [-c FILE] [--pid-file FILE] SERVICE TARGET\n"
    "\n"
    "drain: the running pool sends no more requests to that target (its URL, as `faregate status` shows it); those in\n"
    "flight are finished. A reload changes nothing about it, a new start does.\n"
    "undrain: it gets requests again.\n"
    "\n"
    "  -c, --config FILE   the configuration, which names the pid file\n"
    "      --pid-file FILE the pid file, when the configuration cannot be read or names another\n"
    "      --help          this text\n"
    "\n"
    "Exit status: 0 done, 1 there is no such target, 2 the command line is at fault, 3 no pool runs.\n";

/* The memory of the pool that runs, to be written to. NULL: said. */
static struct fg_targets *
join_targets(const struct subject *subject)
{
	char *path = fg_pidfile_beside(fg_str_from(subject->pid_file), ".targets");
	struct fg_targets *targets = NULL;
	enum fg_err err = fg_targets_open(&targets, path);

	/* Joining makes what is not there: so it is looked at first. */
	if (err == FG_OK) {
		fg_targets_close(targets, false);
		err = fg_targets_join(&targets, path, 0);
	}
	if (err != FG_OK) {
		if (err == FG_ERR_SYSTEM && errno == ENOENT)
			(void)say_not_running(subject);
		else
			fprintf(stderr, "faregate: %s: %s\n", path, err == FG_ERR_SYSTEM ? strerror(errno) : "no pool of this version runs");
		targets = NULL;
	}
	free(path);
	return targets;
}

static int
set_drained(struct fg_targets *targets, const struct fg_options *options, bool drained)
{
	struct fg_str url = fg_str_from(options->words[1]);
	struct fg_target_state *state;

	if (fg_str_ends_with(url, FG_STR("/")))
		url.len--;
	state = fg_targets_look(targets, fg_str_from(options->words[0]), url);
	if (state == NULL || url.len == 0) {
		fprintf(stderr, "faregate: service \"%s\" has no target \"%s\"; `faregate status` shows them\n", options->words[0],
		    options->words[1]);
		return FG_EXIT_INPUT;
	}
	if (!drained && atomic_load(&state->drained) != 0)
		atomic_store(&state->since, now());
	atomic_store(&state->drained, drained);
	return FG_EXIT_OK;
}

static int
drain(int argc, char **argv, bool drained)
{
	struct fg_options options;
	struct fg_targets *targets;
	struct subject subject;
	int status;

	if (!fg_options_read(&options, argc, argv, FG_OPTION_CONFIG | FG_OPTION_PID_FILE | FG_OPTION_TWO_WORDS, drain_help, &status))
		return status;
	status = find(&subject, &options, false);
	if (status != FG_EXIT_OK) {
		free(subject.pid_file);
		return status;
	}
	targets = join_targets(&subject);
	free(subject.pid_file);
	if (targets == NULL)
		return FG_EXIT_ENVIRONMENT;
	status = set_drained(targets, &options, drained);
	fg_targets_close(targets, false);
	return status;
}

int
fg_cmd_drain(int argc, char **argv)
{
	return drain(argc, argv, true);
}

int
fg_cmd_undrain(int argc, char **argv)
{
	return drain(argc, argv, false);
}
