/* The scenes of the tests of lib/redis. */
#include "unit/redis_scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

/* Longer than anything here takes, under sanitizers on a busy machine too. */
enum { PATIENCE_SECONDS = 60, MAX_WORDS = 16 };

struct redis_server *redis_suite_server;

static void
start_suite_server(void)
{
	redis_suite_server = redis_server_start(NULL);
}

int
redis_suite_set_up(void)
{
	return redis_server_try(start_suite_server) ? 0 : 1;
}

int
redis_suite_tear_down(void)
{
	redis_server_stop(redis_suite_server);
	return 0;
}

static void
on_log(void *arg, struct fg_str line)
{
	struct redis_scene *scene = arg;

	CU_ASSERT(fg_buf_add(&scene->log_seen, line));
}

void
redis_scene_open(struct redis_scene *scene)
{
	*scene = (struct redis_scene){.options = FG_REDIS_OPTIONS_DEFAULT};
	signal(SIGPIPE, SIG_IGN);
	/* On a busy machine an answer takes its time; a test that wants to see a deadline pass sets a short one. */
	scene->options.deadline = 20 * FG_US_PER_S;
	scene->options.connect_timeout = 20 * FG_US_PER_S;
	scene->options.hang_after = 20 * FG_US_PER_S;
	scene->options.backoff_min = 2 * FG_US_PER_MS;
	scene->options.backoff_max = 20 * FG_US_PER_MS;
	fg_arena_init(&scene->arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	fg_buf_init(&scene->log_seen, 1024 * 1024);
	scene->log = (struct fg_log){.level = FG_LOG_DEBUG, .write = on_log, .arg = scene};
	scene->loop = fg_loop_new();
}

void
redis_scene_open_served(struct redis_scene *scene)
{
	redis_scene_open(scene);
	redis_scene_connect(scene, "redis://127.0.0.1:%d/0", redis_server_port(redis_suite_server));
}

void
redis_scene_connect(struct redis_scene *scene, const char *format, ...)
{
	struct fg_redis_mistake mistake = {.text = ""};
	struct fg_redis_spec *spec;
	struct fg_str url;
	va_list args;

	va_start(args, format);
	url = fg_arena_vprintf(&scene->arena, format, args);
	va_end(args);
	fg_redis_free(scene->redis);
	if (fg_redis_spec_parse(&spec, url, &scene->arena, &mistake) != FG_OK) {
		fprintf(stderr, "%s: %s\n", url.p, mistake.text);
		CU_FAIL_FATAL("a URL");
	}
	spec->sentinel_password = fg_str_from(scene->sentinel_password);
	/* The loop's time is that of its last turn, which may have been long ago. */
	fg_loop_turn(scene->loop, false);
	scene->redis = fg_redis_new(scene->loop, spec, &scene->options, &scene->log);
}

void
redis_scene_close(struct redis_scene *scene)
{
	fg_redis_free(scene->redis);
	fg_loop_free(scene->loop);
	fg_buf_fini(&scene->log_seen);
	fg_arena_fini(&scene->arena);
}

struct fg_redis_stats
redis_scene_stats(const struct redis_scene *scene)
{
	struct fg_redis_stats stats;
	uint64_t failures = 0;

	fg_redis_get_stats(scene->redis, &stats);
	for (unsigned i = 0; i < FG_REDIS_FAILURES; i++)
		failures += stats.failures[i];
	CU_ASSERT_EQUAL(stats.queries, stats.succeeded + failures + stats.cancelled + stats.in_flight);
	return stats;
}

static void
on_patience(struct fg_timer *timer, void *arg)
{
	(void)timer;
	*(bool *)arg = true;
}

void
redis_scene_wait(struct redis_scene *scene, bool (*check)(void *arg), void *arg)
{
	struct fg_timer timer, wake;
	bool out_of_patience = false, is_awake;

	fg_timer_init(&wake, scene->loop, on_patience, &is_awake);
	fg_timer_init(&timer, scene->loop, on_patience, &out_of_patience);
	fg_timer_start(&timer, PATIENCE_SECONDS * (fg_usec)FG_US_PER_S);
	while (!check(arg) && !out_of_patience) {
		/* What check() started may be over at the end of a turn, before the loop waits. */
		if (!fg_timer_is_active(&wake))
			fg_timer_start(&wake, 5 * FG_US_PER_MS);
		fg_loop_turn(scene->loop, true);
	}
	fg_timer_stop(&wake);
	fg_timer_stop(&timer);
	CU_ASSERT_FATAL(!out_of_patience);
}

unsigned
redis_scene_logged(const struct redis_scene *scene, const char *text)
{
	struct fg_str rest = fg_buf_str(&scene->log_seen), line, wanted = fg_str_from(text);
	unsigned count = 0;

	while (fg_str_next(&rest, '\n', &line))
		for (size_t i = 0; i + wanted.len <= line.len; i++)
			if (fg_str_starts_with(fg_str_slice(line, i, line.len), wanted)) {
				count++;
				break;
			}
	return count;
}

/* ---- queries */

static void
on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct redis_told *told = arg;

	CU_ASSERT(!told->in_call);
	CU_ASSERT(err != FG_OK || reply != NULL);
	told->told++;
	told->query = NULL;
	told->err = err;
	told->type = reply == NULL ? FG_REDIS_NIL : reply->type;
	if (reply != NULL) {
		told->integer = reply->integer;
		told->count = reply->count;
		snprintf(told->text, sizeof(told->text), FG_STR_FMT, FG_STR_ARG(reply->str));
	}
	told->items[0] = '\0';
	for (size_t i = 0, len = 0; reply != NULL && i < reply->count && len < sizeof(told->items); i++)
		len += (size_t)(reply->items[i].type == FG_REDIS_INTEGER ?
		        snprintf(told->items + len, sizeof(told->items) - len, "%lld ", (long long)reply->items[i].integer) :
		        snprintf(told->items + len, sizeof(told->items) - len, FG_STR_FMT " ", FG_STR_ARG(reply->items[i].str)));
	if (told->then != NULL)
		told->then(told);
}

void
redis_told_start(struct redis_scene *scene, struct redis_told *told, const char *key, const char *words)
{
	struct fg_str argv[MAX_WORDS], rest = fg_str_from(words);
	size_t argc = 0;

	while (argc < MAX_WORDS && fg_str_next(&rest, ' ', &argv[argc]))
		argc++;
	told->scene = scene;
	told->told = 0;
	told->in_call = true;
	told->query = fg_redis_command(scene->redis, fg_str_from(key), argv, argc, on_reply, told);
	told->in_call = false;
}

void
redis_told_eval(struct redis_scene *scene, struct redis_told *told, const struct fg_redis_script *script,
    struct fg_str key, struct fg_str arg)
{
	told->scene = scene;
	told->told = 0;
	told->in_call = true;
	told->query = fg_redis_eval(scene->redis, script, &key, 1, &arg, arg.p == NULL ? 0 : 1, on_reply, told);
	told->in_call = false;
}

void
redis_told_eval_keys(struct redis_scene *scene, struct redis_told *told, const struct fg_redis_script *script,
    const struct fg_str *keys, size_t key_count)
{
	told->scene = scene;
	told->told = 0;
	told->in_call = true;
	told->query = fg_redis_eval(scene->redis, script, keys, key_count, NULL, 0, on_reply, told);
	told->in_call = false;
}

static bool
is_told(void *arg)
{
	return ((struct redis_told *)arg)->told > 0;
}

void
redis_told_wait(struct redis_told *told)
{
	redis_scene_wait(told->scene, is_told, told);
	CU_ASSERT_EQUAL(told->told, 1);
}

struct redis_told
redis_ask_key(struct redis_scene *scene, const char *key, const char *words)
{
	struct redis_told told = {.text = ""};

	fg_loop_turn(scene->loop, false);
	redis_told_start(scene, &told, key, words);
	redis_told_wait(&told);
	return told;
}

struct redis_told
redis_ask(struct redis_scene *scene, const char *words)
{
	return redis_ask_key(scene, "", words);
}

struct redis_told
redis_run(struct redis_scene *scene, const struct fg_redis_script *script, const char *key, const char *arg)
{
	struct redis_told told = {.text = ""};

	fg_loop_turn(scene->loop, false);
	redis_told_eval(scene, &told, script, fg_str_from(key), fg_str_from(arg));
	redis_told_wait(&told);
	return told;
}

static bool
has_recovered(void *arg)
{
	struct redis_told *told = arg;

	if (told->told > 0 && told->err == FG_OK)
		return true;
	if (told->told > 0 && fg_redis_is_available(told->scene->redis, FG_STR("any")))
		redis_told_start(told->scene, told, "any", "SET any 1");
	return false;
}

void
redis_scene_recover(struct redis_scene *scene)
{
	struct redis_told told = {.text = ""};

	redis_told_start(scene, &told, "any", "SET any 1");
	redis_scene_wait(scene, has_recovered, &told);
}

void
redis_scene_until_open(struct redis_scene *scene, enum fg_err expected)
{
	struct redis_told told;
	unsigned tries = 0;

	do {
		told = redis_ask(scene, "SET any 1");
		CU_ASSERT(told.err == expected || told.err == FG_ERR_STORE_UNAVAILABLE);
		CU_ASSERT_FATAL(tries++ <= 2 * scene->options.breaker_failures);
	} while (told.err != FG_ERR_STORE_UNAVAILABLE);
}
