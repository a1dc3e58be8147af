/*
 * Operating a pool: reload and dead workers under load, refused configurations, rotated logs, draining, and the commands
 * that do these things.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "e2e/load.h"

enum { CLIENTS = 16 };

static struct stage stage;
static struct gate hold = GATE_CLOSED;

static void
say_ok(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, NULL, "ok");
}

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&hold);
	say_reply(conn, 200, NULL, "after all");
}

static const struct played_part parts[] = {{"/ok", say_ok, false}, {"/held", say_held, false}, {NULL, say_echo, false}};

static void
write_config(const char *more)
{
	bed_write_config(&stage.bed,
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "routes:\n"
	    "  all: {path: /*, service: a}\n"
	    "%s",
	    played_port(stage.a), more);
}

static int
init(void)
{
	stage_play(&stage, parts, NULL);
	stage_serve(&stage, "services:\n  a: http://127.0.0.1:%d\nroutes: {all: {path: /*, service: a}}\n", played_port(stage.a));
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

struct wanted {
	const char *series;
	double value;
};

static bool
metric_is(void *arg)
{
	const struct wanted *wanted = arg;

	return bed_metric(stage.fronts[0], wanted->series) >= wanted->value;
}

/* Waits until a counter has gone up; true then. */
static bool
wait_metric(const char *series, double value)
{
	struct wanted wanted = {series, value};

	return bed_wait(metric_is, &wanted);
}

static double
generation(void)
{
	return bed_metric(stage.fronts[0], "faregate_config_generation");
}

static bool
old_workers_are_gone(void *arg)
{
	(void)arg;
	return bed_metric(stage.fronts[0], "faregate_workers{state=\"draining\"}") == 0;
}

static void
say_result(const struct front *front, const char *what, struct load_result result)
{
	fprintf(stderr, "e2e: %s, %s: %u answers, %u failed%s%d\n", front->name, what, result.good, result.failed,
	    result.failed > 0 ? ", the last with status " : ", ", result.last_status);
}

static void
a_reload_loses_nothing(void)
{
	EACH_FRONT(&stage, front) {
		struct load *load = load_start(front, "/ok", CLIENTS);
		struct load_result result;

		for (int i = 0; i < 5; i++) {
			double next = generation() + 1;

			CHECK(front, load_wait_more(load, 300));
			kill(stage.bed.pool, SIGHUP);
			CHECK(front, wait_metric("faregate_config_generation", next));
		}
		CHECK(front, bed_wait(old_workers_are_gone, NULL));
		CHECK(front, load_wait_more(load, 300));
		result = load_stop(load);
		say_result(front, "five reloads", result);
		CHECK(front, result.good > 1500 && result.failed == 0);
	}
}

/* What the dead one had in hand is lost; nothing else, and nothing after. */
static void
a_dead_worker_is_replaced(void)
{
	EACH_FRONT(&stage, front) {
		struct load *load = load_start(front, "/ok", CLIENTS);
		double deaths = bed_metric(front, "faregate_worker_deaths_total");
		struct load_result result;
		unsigned kills = 0;

		for (int i = 0; i < 3; i++) {
			pid_t pids[8];

			CHECK(front, load_wait_more(load, 300));
			if (bed_workers(&stage.bed, pids, 8) > 0 && kill(pids[0], SIGKILL) == 0)
				kills++;
			CHECK(front, wait_metric("faregate_worker_deaths_total", deaths + kills));
		}
		CHECK(front, load_wait_more(load, 300));
		result = load_stop(load);
		say_result(front, "three dead workers", result);
		CHECK(front, kills == 3 && result.failed <= 3 * CLIENTS);
		CHECK(front, wait_metric("faregate_workers{state=\"running\"}", 2));
		for (int i = 0; i < 50; i++)
			CHECK(front, get(front, "/ok")->status == 200);
	}
}

/* The pids of the only two workers. A process that has ended is there until the pool has taken note of it. */
static bool
two_workers(void *pids)
{
	return bed_workers(&stage.bed, pids, 8) == 2;
}

/* Both at once: a reload goes on without the old worker that dies in it, and only what that one had in hand is lost. */
static void
a_worker_dies_in_a_reload(void)
{
	EACH_FRONT(&stage, front) {
		struct load *load = load_start(front, "/ok", CLIENTS);
		struct load_result result;
		unsigned kills = 0;

		for (int i = 0; i < 5; i++) {
			double next = generation() + 1;
			pid_t pids[8];

			CHECK(front, load_wait_more(load, 100));
			CHECK(front, bed_wait(old_workers_are_gone, NULL));
			CHECK(front, bed_wait(two_workers, pids));
			kill(stage.bed.pool, SIGHUP);
			kills += kill(pids[0], SIGKILL) == 0;
			CHECK(front, wait_metric("faregate_config_generation", next));
		}
		CHECK(front, load_wait_more(load, 100));
		result = load_stop(load);
		say_result(front, "five reloads, a dead worker in each", result);
		CHECK(front, kills == 5 && result.failed <= 5 * CLIENTS);
		CHECK(front, bed_wait(old_workers_are_gone, NULL));
		CHECK(front, wait_metric("faregate_workers{state=\"running\"}", 2));
	}
}

static void
a_reload_brings_the_new_configuration(void)
{
	double before = generation();

	EACH_FRONT(&stage, front)
		CHECK(front, get(front, "/new")->status == 200);
	write_config("  new: {path: /new, respond: {status: 418}}\n");
	kill(stage.bed.pool, SIGHUP);
	CU_ASSERT(wait_metric("faregate_config_generation", before + 1));
	CU_ASSERT(bed_wait(old_workers_are_gone, NULL));
	EACH_FRONT(&stage, front)
		CHECK(front, get(front, "/new")->status == 418);
}

static bool
mistake_is_told(void *arg)
{
	char *log = bed_read(&stage.bed, "pool.log");
	bool told = strstr(log, "servise") != NULL && strstr(log, "service") != NULL;

	(void)arg;
	free(log);
	return told;
}

static void
a_bad_configuration_is_refused(void)
{
	double before = generation(), refused = bed_metric(stage.fronts[0], "faregate_reloads_total{result=\"refused\"}");

	write_config("  bad: {path: /bad, servise: a}\n");
	kill(stage.bed.pool, SIGHUP);
	CU_ASSERT(wait_metric("faregate_reloads_total{result=\"refused\"}", refused + 1));
	CU_ASSERT(generation() == before);
	EACH_FRONT(&stage, front)
		CHECK(front, get(front, "/ok")->status == 200 && get(front, "/new")->status == 418);
	CU_ASSERT(bed_wait(mistake_is_told, NULL));
	write_config("");
	kill(stage.bed.pool, SIGHUP);
	CU_ASSERT(wait_metric("faregate_config_generation", before + 1));
}

/* Each worker has let go of the old one, and so writes to a new one. */
static bool
log_is_left(void *arg)
{
	char path[64], to[BED_PATH_BYTES + 8];
	pid_t pids[8];
	bool is_left = access(stage.bed.access_log, F_OK) == 0;

	for (size_t i = bed_workers(&stage.bed, pids, 8); i > 0; i--) {
		struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof(path), "/proc/%d/fd", (int)pids[i - 1]);
		dir = opendir(path);
		while (dir != NULL && (entry = readdir(dir)) != NULL) {
			ssize_t len = readlinkat(dirfd(dir), entry->d_name, to, sizeof(to) - 1);

			to[len > 0 ? len : 0] = '\0';
			is_left = is_left && strcmp(to, arg) != 0;
		}
		if (dir != NULL)
			closedir(dir);
	}
	return is_left;
}

static void
logs_are_rotated(void)
{
	char old_name[BED_PATH_BYTES + 8], *text;
	const struct http_reply *reply = get(stage.fronts[0], "/ok");
	const char *first = reply->id;

	free(bed_log_line(&stage.bed, first));
	snprintf(old_name, sizeof(old_name), "%s.1", stage.bed.access_log);
	CU_ASSERT(rename(stage.bed.access_log, old_name) == 0);
	kill(stage.bed.pool, SIGUSR1);
	CU_ASSERT(bed_wait(log_is_left, old_name));
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 8; i++) {
			reply = get(front, "/ok");
			CHECK(front, bed_log_says(&stage.bed, reply->id, "status", "200"));
		}
	text = bed_read(&stage.bed, old_name);
	CU_ASSERT(strstr(text, first) != NULL);
	free(text);
}

static int
command(const char *const *argv, char **out)
{
	return bed_run(&stage.bed, out, argv);
}

static void
commands_talk_to_the_pool(void)
{
	const char *program = bed_program(), *config = stage.bed.config;
	double before = generation();
	char *out;

	CU_ASSERT(command((const char *[]){program, "check", "-c", config, NULL}, &out) == 0);
	CU_ASSERT(strstr(out, "ok") != NULL);
	free(out);
	CU_ASSERT(command((const char *[]){program, "status", "-c", config, NULL}, &out) == 0);
	CU_ASSERT(strstr(out, "running") != NULL);
	free(out);
	CU_ASSERT(command((const char *[]){program, "status", "--json", "-c", config, NULL}, &out) == 0 && out[0] == '{');
	free(out);
	CU_ASSERT(command((const char *[]){program, "routes", "-c", config, NULL}, &out) == 0);
	CU_ASSERT(strstr(out, "all") != NULL);
	free(out);
	CU_ASSERT(command((const char *[]){program, "explain", "GET", "http://localhost/ok", "-c", config, NULL}, &out) == 0);
	CU_ASSERT(strstr(out, "all") != NULL);
	free(out);
	CU_ASSERT(command((const char *[]){program, "reload", "-c", config, NULL}, &out) == 0);
	free(out);
	CU_ASSERT(wait_metric("faregate_config_generation", before + 1));
	CU_ASSERT(command((const char *[]){program, "nonsense", NULL}, &out) == 2);
	free(out);
	CU_ASSERT(command((const char *[]){program, "check", "-c", "/nonexistent", NULL}, &out) == 3);
	free(out);
}

/* A second pool on the same sockets would take half of the requests away: it is told so, and leaves. */
static void
a_second_pool_is_refused(void)
{
	char *out;

	CU_ASSERT(command((const char *[]){bed_program(), "run", "-c", stage.bed.config, NULL}, &out) == 3);
	free(out);
	EACH_FRONT(&stage, front)
		CHECK(front, get(front, "/ok")->status == 200);
}

static bool
pool_is_gone(void *arg)
{
	return kill(*(pid_t *)arg, 0) != 0 && errno == ESRCH;
}

static struct process *
pool_process(void)
{
	for (size_t i = 0; i < stage.bed.process_count; i++)
		if (stage.bed.processes[i].pid == stage.bed.pool)
			return &stage.bed.processes[i];
	return NULL;
}

/* lighttpd looks once a second whether a backend that was gone is back. */
static bool
is_served_again(void *front)
{
	return get(front, "/ok")->status == 200;
}

/* Told to stop, it finishes what is in hand, and only then leaves. */
static void
a_pool_that_stops_finishes_first(void)
{
	const struct front *front = stage.fronts[0];
	const struct http_reply *reply;
	struct http_conn conn;
	pid_t workers[8];
	size_t count = bed_workers(&stage.bed, workers, 8);

	gate_reset(&hold);
	http_open(&conn, front, NULL);
	http_send_head(&conn, "GET", "/held", NULL, -1);
	CU_ASSERT(gate_wait_waiting(&hold, 1));
	bed_drain_notify(&stage.bed);
	kill(stage.bed.pool, SIGTERM);
	CU_ASSERT(bed_wait_notify(&stage.bed, "STOPPING=1"));
	gate_open(&hold, 1);
	reply = http_read(&conn);
	CU_ASSERT(reply->status == 200 && http_body_has(reply, "after all"));
	http_close(&conn);
	CU_ASSERT(bed_stop(&stage.bed, pool_process()));
	for (size_t i = 0; i < count; i++)
		CU_ASSERT(bed_wait(pool_is_gone, &workers[i]));
	CU_ASSERT(access(stage.bed.socket, F_OK) != 0);
	/* Nobody is there: the web server says so; and a new pool is found again. */
	CU_ASSERT(get(front, "/ok")->status == 503);
	bed_start_pool(&stage.bed, NULL);
	EACH_FRONT(&stage, again)
		CHECK(again, bed_wait(is_served_again, (void *)(uintptr_t)again));
}

void
suite_pool(void)
{
	CU_pSuite suite = add_suite("operating a pool", init, cleanup);

	ADD_SCENE(suite, a_reload_loses_nothing);
	ADD_SCENE(suite, a_dead_worker_is_replaced);
	ADD_SCENE(suite, a_worker_dies_in_a_reload);
	ADD_SCENE(suite, a_reload_brings_the_new_configuration);
	ADD_SCENE(suite, a_bad_configuration_is_refused);
	ADD_SCENE(suite, logs_are_rotated);
	ADD_SCENE(suite, commands_talk_to_the_pool);
	ADD_SCENE(suite, a_second_pool_is_refused);
	ADD_SCENE(suite, a_pool_that_stops_finishes_first);
}
