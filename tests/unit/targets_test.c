/* lib/service/targets.c and name_table.c: records by name, which go on over a reload, and counts that a death does not spoil. */
#include "service/targets.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "core/config.h"
#include "core/counts.h"
#include "core/status.h"
#include "stats/stats.h"
#include "unit/json.h"
#include "unit/prometheus.h"
#include "unit/unit.h"

#define HOUR (3600 * (fg_usec)FG_US_PER_S)

/* A configuration of one service with two targets. */
struct scene {
	struct fg_config config;
	struct fg_service service, *service_list[1];
	struct fg_target targets[2];
	struct fg_target_state own[3];
};

static void
scene_init(struct scene *scene, struct fg_str second)
{
	*scene = (struct scene){
	    .service = {.name = FG_STR("orders"), .target_count = 2},
	    .targets = {{.url = FG_STR("http://127.0.0.1:4000")}, {.url = second}},
	};
	scene->service.targets = scene->targets;
	scene->service_list[0] = &scene->service;
	scene->service.state = &scene->own[2];
	for (unsigned i = 0; i < 2; i++) {
		scene->targets[i].service = &scene->service;
		scene->targets[i].index = i;
		scene->targets[i].state = &scene->own[i];
		scene->targets[i].number = -1;
	}
	scene->config = (struct fg_config){.services = scene->service_list, .service_count = 1};
}

static void
records_go_on_over_a_reload(void)
{
	struct fg_targets *targets;
	struct scene before, after;

	scene_init(&before, FG_STR("http://127.0.0.1:4001"));
	scene_init(&after, FG_STR("http://127.0.0.1:4002"));
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, fg_targets_needed(before.config.services, before.config.service_count)), FG_OK);
	fg_targets_attach(targets, before.config.services, before.config.service_count, 1);
	fg_targets_attach(targets, after.config.services, after.config.service_count, 2);
	CU_ASSERT_PTR_EQUAL(before.targets[0].state, after.targets[0].state);
	CU_ASSERT_PTR_EQUAL(before.service.state, after.service.state);
	CU_ASSERT_PTR_NOT_EQUAL(before.targets[1].state, after.targets[1].state);
	CU_ASSERT_PTR_NOT_EQUAL(before.targets[0].state, before.service.state);
	CU_ASSERT_EQUAL(before.targets[0].number, after.targets[0].number);
	CU_ASSERT_PTR_EQUAL(fg_targets_look(targets, FG_STR("orders"), after.targets[1].url), after.targets[1].state);
	CU_ASSERT_PTR_NULL(fg_targets_look(targets, FG_STR("orders"), FG_STR("http://127.0.0.1:9")));
	CU_ASSERT_PTR_NULL(fg_targets_look(targets, FG_STR("users"), after.targets[1].url));
	fg_targets_close(targets, false);
}

static void
what_finds_no_place_has_a_record_of_its_own(void)
{
	struct fg_targets *targets;
	struct scene scene;
	char url[64];

	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 0), FG_OK);
	for (int i = 0; i < 100; i++) {
		scene_init(&scene, (struct fg_str){url, (size_t)snprintf(url, sizeof(url), "http://127.0.0.1:%d", i + 5000)});
		fg_targets_attach(targets, scene.config.services, scene.config.service_count, 1);
	}
	CU_ASSERT_PTR_EQUAL(scene.targets[1].state, &scene.own[1]);
	CU_ASSERT_EQUAL(scene.targets[1].number, -1);
	fg_targets_enter(targets, 0, &scene.targets[1]);
	fg_targets_leave(targets, 0, &scene.targets[1]);
	fg_targets_close(targets, false);
}

static unsigned
worker_of(struct fg_stats *stats, uint64_t generation)
{
	unsigned slot = fg_stats_worker_slot(stats);

	atomic_store(&fg_stats_worker(stats, slot)->generation, generation);
	return slot;
}

static void
scene_number(struct scene *scene, char url[64], int number)
{
	scene_init(scene, (struct fg_str){url, (size_t)snprintf(url, 64, "http://127.0.0.1:%d", number)});
}

/* Whose records still are those of its names. */
static bool
scene_holds(const struct scene *scene, struct fg_targets *targets, uint64_t mark)
{
	const struct fg_target_state *last = scene->targets[1].state;

	return fg_targets_look(targets, FG_STR("orders"), scene->targets[0].url) == scene->targets[0].state &&
	    fg_targets_look(targets, FG_STR("orders"), scene->targets[1].url) == last && atomic_load(&last->requests) == mark;
}

/* A thousand configurations, each with a target of its own, of which a handful live at a time. */
static void
what_nobody_uses_is_given_back(void)
{
	enum { RELOADS = 1000, LIVE = 5 };
	struct scene scenes[LIVE];
	char urls[LIVE][64];
	struct fg_targets *targets;
	unsigned slots[LIVE];
	struct fg_stats *stats;
	struct fg_target_state *common;

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 3), FG_OK);
	fg_targets_know_workers(targets, stats);
	for (int i = 0; i < RELOADS; i++) {
		struct scene *scene = &scenes[i % LIVE];

		if (i >= LIVE) {
			CU_ASSERT(scene_holds(scene, targets, (uint64_t)(i - LIVE + 1)));
			fg_stats_worker_free(stats, slots[i % LIVE]);
		}
		scene_number(scene, urls[i % LIVE], 5000 + i);
		fg_targets_attach(targets, scene->config.services, scene->config.service_count, (uint64_t)i + 1);
		slots[i % LIVE] = worker_of(stats, (uint64_t)i + 1);
		fg_stats_set_pool(stats, getpid(), (uint64_t)i + 1, 1);
		CU_ASSERT_FATAL(scene->targets[1].number >= 0);
		/* Of those before nothing is left in it. */
		CU_ASSERT_EQUAL(atomic_load(&scene->targets[1].state->requests), 0);
		atomic_store(&scene->targets[1].state->requests, (uint64_t)i + 1);
		common = i == 0 ? scene->targets[0].state : common;
		CU_ASSERT_PTR_EQUAL(scene->targets[0].state, common);
	}
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

/* A worker that goes on with the first configuration keeps all that came after from being given back. */
static void
what_may_be_in_use_is_kept(void)
{
	struct scene first, scene;
	struct fg_targets *targets;
	struct fg_stats *stats;
	char url[64];
	unsigned slot;

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 3), FG_OK);
	fg_targets_know_workers(targets, stats);
	scene_init(&first, FG_STR("http://127.0.0.1:4001"));
	fg_targets_attach(targets, first.config.services, first.config.service_count, 1);
	slot = worker_of(stats, 1);
	for (int i = 2; i < 102; i++) {
		scene_number(&scene, url, 5000 + i);
		fg_targets_attach(targets, scene.config.services, scene.config.service_count, (uint64_t)i);
	}
	CU_ASSERT_EQUAL(scene.targets[1].number, -1);
	CU_ASSERT(scene_holds(&first, targets, 0));
	/* One of which nothing is known yet. */
	atomic_store(&fg_stats_worker(stats, slot)->generation, 0);
	fg_targets_attach(targets, scene.config.services, scene.config.service_count, 103);
	CU_ASSERT_EQUAL(scene.targets[1].number, -1);
	fg_stats_worker_free(stats, slot);
	fg_targets_attach(targets, scene.config.services, scene.config.service_count, 104);
	CU_ASSERT(scene.targets[1].number >= 0);
	CU_ASSERT_PTR_NULL(fg_targets_look(targets, FG_STR("orders"), first.targets[1].url));
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

/*
 * Lives of processes as a web server spawns them, each with a target of its own; some are killed at any point. One that stands
 * still may keep the others from sharing meanwhile: they go on until they have.
 */
static _Noreturn void
live(struct fg_targets *targets, struct fg_stats *stats, int number)
{
	const fg_usec patience = fg_clock_mono() + 60 * FG_US_PER_S;
	struct scene scene;
	int shared = 0;
	char url[64];

	for (int life = 0; life < 150 || (shared == 0 && fg_clock_mono() < patience); life++) {
		unsigned slot = fg_stats_worker_enrol(stats, 1);
		uint64_t mark = (uint64_t)(number * 1000 + life % 1000);

		scene_number(&scene, url, number * 1000 + life % 100);
		fg_targets_attach(targets, scene.config.services, scene.config.service_count,
		    atomic_load(&fg_stats_worker(stats, slot)->generation));
		/* Another that is not running may keep all that came after it. */
		if (scene.targets[0].number < 0 || scene.targets[1].number < 0) {
			fg_stats_worker_free(stats, slot);
			sched_yield();
			continue;
		}
		shared++;
		atomic_store(&scene.targets[1].state->requests, mark);
		for (int turn = 0; turn < 20; turn++) {
			if (!scene_holds(&scene, targets, mark))
				_exit(1);
			sched_yield();
		}
		fg_stats_worker_free(stats, slot);
	}
	_exit(shared > 0 ? 0 : 2);
}

static void
processes_give_back_and_take(void)
{
	enum { PROCESSES = 4, KILLED = 40 };
	struct fg_stats_death death = {0};
	struct fg_targets *targets;
	struct fg_stats *stats;
	struct scene scene;
	char url[64];
	pid_t pids[PROCESSES], pid;
	int status;

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 3), FG_OK);
	fg_targets_know_workers(targets, stats);
	for (int i = 0; i < PROCESSES; i++)
		if ((pids[i] = fork()) == 0)
			live(targets, stats, 5 + i);
	for (int i = 0; i < KILLED; i++) {
		if ((pid = fork()) == 0)
			live(targets, stats, 50);
		for (int spins = 0; spins < 20 * (i % 10); spins++)
			sched_yield();
		kill(pid, SIGKILL);
		CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	}
	for (int i = 0; i < PROCESSES; i++) {
		CU_ASSERT_EQUAL(waitpid(pids[i], &status, 0), pids[i]);
		CU_ASSERT_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
	}
	/* Nothing is left behind: all room but that of the service and a target is there again. */
	while (fg_stats_free_dead(stats, &death))
		continue;
	for (int i = 0; i < 1000; i++) {
		scene_number(&scene, url, 60000 + i);
		fg_targets_attach(targets, scene.config.services, scene.config.service_count, 1000000 + (uint64_t)i);
		CU_ASSERT(scene.targets[1].number >= 0);
	}
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

static unsigned
count_in_flight(const struct fg_targets *targets, const struct fg_stats *stats, const struct fg_target *target)
{
	unsigned in_flight;

	fg_targets_in_flight(targets, stats, &target, 1, &in_flight);
	return in_flight;
}

static void
a_dead_worker_has_nothing_in_flight(void)
{
	struct fg_targets *targets;
	struct fg_stats *stats;
	struct scene scene;
	unsigned slots[2];
	pid_t pid;

	scene_init(&scene, FG_STR("http://127.0.0.1:4001"));
	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 3), FG_OK);
	fg_targets_attach(targets, scene.config.services, scene.config.service_count, 1);
	for (int i = 0; i < 2; i++) {
		slots[i] = fg_stats_worker_slot(stats);
		fg_targets_start_worker(targets, slots[i]);
	}
	fg_targets_enter(targets, slots[0], &scene.targets[0]);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			fg_targets_enter(targets, slots[1], &scene.targets[0]);
		fg_targets_enter(targets, slots[1], &scene.targets[1]);
		fg_targets_leave(targets, slots[1], &scene.targets[1]);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	CU_ASSERT_EQUAL(fg_targets_in_flight_to_all(targets, stats, &scene.service), 4);
	CU_ASSERT_EQUAL(count_in_flight(targets, stats, &scene.targets[0]), 4);
	CU_ASSERT_EQUAL(count_in_flight(targets, stats, &scene.targets[1]), 0);
	fg_stats_worker_free(stats, slots[1]);
	CU_ASSERT_EQUAL(count_in_flight(targets, stats, &scene.targets[0]), 1);
	/* Another takes its place. */
	CU_ASSERT_EQUAL(fg_targets_in_flight_to_all(targets, stats, &scene.service), 1);
	CU_ASSERT_EQUAL(fg_stats_worker_slot(stats), slots[1]);
	fg_targets_start_worker(targets, slots[1]);
	CU_ASSERT_EQUAL(fg_targets_in_flight_to_all(targets, stats, &scene.service), 1);
	CU_ASSERT_EQUAL(count_in_flight(targets, stats, &scene.targets[0]), 1);
	fg_targets_leave(targets, slots[0], &scene.targets[0]);
	CU_ASSERT_EQUAL(count_in_flight(targets, stats, &scene.targets[0]), 0);
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

static void
the_file_is_joined_and_read(void)
{
	struct fg_targets *targets, *others, *reader;
	struct scene scene, other;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/faregate-targets-test-%d.targets", (int)getpid());
	unlink(path);
	scene_init(&scene, FG_STR("http://127.0.0.1:4001"));
	scene_init(&other, FG_STR("http://127.0.0.1:4001"));
	CU_ASSERT_EQUAL(fg_targets_open(&reader, path), FG_ERR_SYSTEM);
	CU_ASSERT_EQUAL_FATAL(fg_targets_join(&targets, path, 3), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_join(&others, path, 3), FG_OK);
	fg_targets_attach(targets, scene.config.services, scene.config.service_count, 1);
	fg_targets_attach(others, other.config.services, other.config.service_count, 1);
	atomic_store(&scene.targets[1].state->drained, 1);
	CU_ASSERT_EQUAL(atomic_load(&other.targets[1].state->drained), 1);
	CU_ASSERT_EQUAL_FATAL(fg_targets_open(&reader, path), FG_OK);
	fg_targets_close(reader, false);
	fg_targets_close(others, false);
	fg_targets_close(targets, true);
	CU_ASSERT(access(path, F_OK) != 0);
}

static void
what_is_shown(void)
{
	struct fg_targets *targets;
	struct fg_str fault = FG_STR_NONE;
	struct fg_stats *stats;
	struct scene before, now;
	struct fg_buf out;
	unsigned slot;

	scene_init(&before, FG_STR("http://127.0.0.1:4001"));
	scene_init(&now, FG_STR("http://127.0.0.1:4002"));
	now.service.admission = (struct fg_admission_conf){.most = 6, .queue = 9};
	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 3), FG_OK);
	fg_targets_attach(targets, before.config.services, before.config.service_count, 1);
	fg_targets_attach(targets, now.config.services, now.config.service_count, 2);
	fg_stats_set_pool(stats, 1, 2, 1);
	atomic_store(&now.targets[0].state->drained, 1);
	atomic_store(&now.targets[1].state->requests, 7);
	slot = worker_of(stats, 2);
	fg_targets_start_worker(targets, slot);
	fg_targets_enter(targets, slot, &now.targets[0]);
	fg_targets_enter(targets, slot, &now.targets[1]);
	CU_ASSERT(fg_targets_admit(targets, stats, slot, &now.service, 6));
	CU_ASSERT(fg_targets_line_up(targets, stats, slot, &now.service, 9));
	atomic_store(&now.service.state->shed, 5);
	fg_buf_init(&out, 1 << 20);
	CU_ASSERT(fg_status_format_prometheus(stats, targets, 0, &out));
	CU_ASSERT(prometheus_is_valid(fg_buf_str(&out), &fault));
	CU_ASSERT_EQUAL(prometheus_value(fg_buf_str(&out),
	    "faregate_target_requests_total{service=\"orders\",target=\"http://127.0.0.1:4002\"}"), 7);
	CU_ASSERT_EQUAL(prometheus_value(fg_buf_str(&out),
	    "faregate_target_drained{service=\"orders\",target=\"http://127.0.0.1:4000\"}"), 1);
	CU_ASSERT_EQUAL(prometheus_value(fg_buf_str(&out), "faregate_service_in_flight{service=\"orders\"}"), 2);
	CU_ASSERT_EQUAL(prometheus_value(fg_buf_str(&out), "faregate_service_places{service=\"orders\"}"), 6);
	CU_ASSERT_EQUAL(prometheus_value(fg_buf_str(&out), "faregate_service_places_in_use{service=\"orders\"}"), 1);
	CU_ASSERT_EQUAL(prometheus_value(fg_buf_str(&out), "faregate_service_queue{service=\"orders\"}"), 9);
	CU_ASSERT_EQUAL(prometheus_value(fg_buf_str(&out), "faregate_service_waiting{service=\"orders\"}"), 1);
	fg_buf_reset(&out);
	CU_ASSERT(fg_status_format_text(stats, targets, 0, &out));
	*fg_buf_reserve(&out, 1) = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "orders                                            2         1/6         1/9          0          5 none          "));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "orders http://127.0.0.1:4000             drained  none"));
	/* What the configuration no longer has. */
	CU_ASSERT_PTR_NULL(strstr(out.p, "4001"));
	fg_buf_reset(&out);
	CU_ASSERT(fg_status_format_json(stats, targets, 0, &out));
	CU_ASSERT(json_is_valid(fg_buf_str(&out)));
	*fg_buf_reserve(&out, 1) = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "\"services\":{\"orders\":{\"requests\":0,"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "},\"in_flight\":2,\"places\":6,\"places_in_use\":1,\"queue\":9,\"waiting\":1,"
	    "\"queued\":0,\"shed\":5,\"breaker\":\"none\",\"breaker_wait_ms\":0,\"breaker_opened\":0}},\"targets\":["));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "{\"service\":\"orders\",\"target\":\"http://127.0.0.1:4000\",\"state\":\"drained\""));
	fg_buf_fini(&out);
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

/* Each service once: those of now with what was counted and how they are, those of before with what was counted. */
static void
services_are_told_once(void)
{
	struct fg_targets *targets;
	struct fg_stats *stats;
	struct scene before, now;
	struct fg_buf out;

	scene_init(&before, FG_STR("http://127.0.0.1:4001"));
	scene_init(&now, FG_STR("http://127.0.0.1:4001"));
	before.service.name = FG_STR("invoices");
	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 6), FG_OK);
	fg_counts_attach(stats, &before.config);
	fg_targets_attach(targets, before.config.services, before.config.service_count, 1);
	atomic_store(&before.service.stats->bucket[0], 2);
	fg_counts_attach(stats, &now.config);
	fg_targets_attach(targets, now.config.services, now.config.service_count, 2);
	atomic_store(&now.service.stats->bucket[0], 3);
	fg_stats_set_pool(stats, 1, 2, 1);
	fg_buf_init(&out, 1 << 20);
	CU_ASSERT(fg_status_format_json(stats, targets, 0, &out));
	CU_ASSERT(json_is_valid(fg_buf_str(&out)));
	*fg_buf_reserve(&out, 1) = '\0';
	CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(out.p, "\"services\":{\"orders\":{\"requests\":3,"));
	CU_ASSERT_PTR_NULL(strstr(strstr(out.p, "\"orders\":{") + 1, "\"orders\":{"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "\"breaker_opened\":0},\"invoices\":{\"requests\":2,"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "\"+Inf\":0}}},\"targets\":["));
	fg_buf_fini(&out);
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

static double
metric_of(const struct fg_buf *out, const char *name, const char *labels)
{
	char series[160];

	snprintf(series, sizeof(series), "%s{service=\"orders\"%s}", name, labels);
	return prometheus_value(fg_buf_str(out), series);
}

/* Whether that many seconds follow what is said first, or a few less where time has passed meanwhile. */
static bool
says_wait(const char *text, const char *first, long most)
{
	const char *at = strstr(text, first);
	char *end;
	long wait = at == NULL ? 0 : strtol(at + strlen(first), &end, 10);

	return wait > most - 100 && wait <= most && *end == 's';
}

/* Of targets and of the service as a whole; the time left is that of the clock. */
static void
breakers_are_shown(void)
{
	static const struct fg_service_breaker breaker = {.conf = {.failures = 1, .within = FG_US_PER_S,
	    .open_for = HOUR, .open_most = HOUR}};
	const struct fg_breaker_pass many = {0};
	struct fg_breaker_pass tries;
	struct fg_targets *targets;
	struct fg_stats *stats;
	struct scene scene;
	struct fg_buf out;
	fg_usec now = fg_clock_mono();

	scene_init(&scene, FG_STR("http://127.0.0.1:4001"));
	scene.service.breaker = scene.service.service_breaker = &breaker;
	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, 3), FG_OK);
	fg_targets_attach(targets, scene.config.services, scene.config.service_count, 1);
	fg_breaker_failed(&scene.targets[0].state->breaker, &breaker.conf, many, now);
	fg_breaker_failed(&scene.targets[1].state->breaker, &breaker.conf, many, now);
	CU_ASSERT(fg_breaker_enter(&scene.targets[1].state->breaker, &breaker.conf, now + HOUR, &tries));
	fg_breaker_failed(&scene.service.state->breaker, &breaker.conf, many, now);
	atomic_store(&scene.service.state->opened, 3);
	fg_buf_init(&out, 1 << 20);
	CU_ASSERT(fg_status_format_prometheus(stats, targets, 0, &out));
	CU_ASSERT_EQUAL(metric_of(&out, "faregate_target_breaker_state", ",target=\"http://127.0.0.1:4000\""), 2);
	CU_ASSERT_EQUAL(metric_of(&out, "faregate_target_breaker_state", ",target=\"http://127.0.0.1:4001\""), 1);
	CU_ASSERT_EQUAL(metric_of(&out, "faregate_service_breaker_state", ""), 2);
	CU_ASSERT_EQUAL(metric_of(&out, "faregate_service_breaker_opened_total", ""), 3);
	fg_buf_reset(&out);
	CU_ASSERT(fg_status_format_text(stats, targets, 0, &out));
	*fg_buf_reserve(&out, 1) = '\0';
	CU_ASSERT(says_wait(out.p, "orders http://127.0.0.1:4000             up       open ", 3600));
	CU_ASSERT(says_wait(out.p, "orders http://127.0.0.1:4001             up       half-open ", 7200));
	CU_ASSERT(says_wait(out.p, "          -          0          0 open ", 3600));
	fg_buf_reset(&out);
	CU_ASSERT(fg_status_format_json(stats, targets, 0, &out));
	CU_ASSERT(json_is_valid(fg_buf_str(&out)));
	*fg_buf_reserve(&out, 1) = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "\"breaker\":\"half-open\",\"breaker_wait_ms\":"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "\"shed\":0,\"breaker\":\"open\",\"breaker_wait_ms\":"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "\"breaker_opened\":3}},"));
	scene.service.service_breaker = NULL;
	fg_targets_attach(targets, scene.config.services, scene.config.service_count, 1);
	fg_buf_reset(&out);
	CU_ASSERT(fg_status_format_json(stats, targets, 0, &out));
	*fg_buf_reserve(&out, 1) = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "\"shed\":0,\"breaker\":\"none\",\"breaker_wait_ms\":0,"));
	fg_buf_fini(&out);
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

/* What `faregate explain` does with the file of a running pool. */
static void
a_reader_points_to_what_is_there(void)
{
	struct fg_targets *targets, *reader;
	struct scene scene, other;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/faregate-targets-test-%d.targets", (int)getpid());
	unlink(path);
	scene_init(&scene, FG_STR("http://127.0.0.1:4001"));
	scene_init(&other, FG_STR("http://127.0.0.1:4002"));
	CU_ASSERT_EQUAL_FATAL(fg_targets_join(&targets, path, 3), FG_OK);
	fg_targets_attach(targets, scene.config.services, scene.config.service_count, 1);
	atomic_store(&scene.targets[0].state->drained, 1);
	CU_ASSERT_EQUAL_FATAL(fg_targets_open(&reader, path), FG_OK);
	CU_ASSERT_EQUAL(fg_targets_point(reader, &other.service), 2);
	CU_ASSERT_EQUAL(atomic_load(&other.targets[0].state->drained), 1);
	CU_ASSERT_EQUAL(other.targets[0].number, scene.targets[0].number);
	CU_ASSERT_EQUAL(other.service.number, scene.service.number);
	/* The pool does not know this one yet. */
	CU_ASSERT_PTR_EQUAL(other.targets[1].state, &other.own[1]);
	CU_ASSERT_EQUAL(other.targets[1].number, -1);
	fg_targets_close(reader, false);
	fg_targets_close(targets, true);
}

void
suite_targets(void)
{
	CU_pSuite suite = CU_add_suite("targets", NULL, NULL);

	ADD_TEST(suite, records_go_on_over_a_reload);
	ADD_TEST(suite, what_finds_no_place_has_a_record_of_its_own);
	ADD_TEST(suite, what_nobody_uses_is_given_back);
	ADD_TEST(suite, what_may_be_in_use_is_kept);
	ADD_TEST(suite, processes_give_back_and_take);
	ADD_TEST(suite, a_dead_worker_has_nothing_in_flight);
	ADD_TEST(suite, the_file_is_joined_and_read);
	ADD_TEST(suite, what_is_shown);
	ADD_TEST(suite, services_are_told_once);
	ADD_TEST(suite, breakers_are_shown);
	ADD_TEST(suite, a_reader_points_to_what_is_there);
}
