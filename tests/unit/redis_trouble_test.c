/* lib/redis with a real Redis that hangs, is slow, refuses or distrusts us, until it is well again. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "support/service.h"
#include "support/redis_server.h"
#include "unit/redis_scene.h"

/* ---- a server that hangs */

static void
hang(void)
{
	struct redis_scene scene;
	struct redis_told told;
	struct fg_redis_stats stats;

	redis_scene_open(&scene);
	scene.options.deadline = 10 * FG_US_PER_MS;
	scene.options.connect_timeout = 100 * FG_US_PER_MS;
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(redis_suite_server));
	redis_scene_recover(&scene);
	redis_server_pause(redis_suite_server);
	redis_scene_until_open(&scene, FG_ERR_STORE_TIMEOUT);
	for (int i = 0; i < 200; i++) {
		told = redis_ask(&scene, "PING");
		CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_UNAVAILABLE);
	}
	stats = redis_scene_stats(&scene);
	/* No more have waited than it takes to open the breaker; a spurious one on a busy machine came before. */
	CU_ASSERT(stats.failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)] >= scene.options.breaker_failures);
	CU_ASSERT(stats.failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)] < 2 * scene.options.breaker_failures);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "reason=store_timeout"), 1);
	redis_server_resume(redis_suite_server);
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breakers_open, 0);
	redis_scene_close(&scene);
}

struct hang {
	struct redis_scene *scene;
	uint64_t before;
};

static bool
has_hung(void *arg)
{
	const struct hang *hang = arg;

	return redis_scene_stats(hang->scene).hangs > hang->before;
}

/* Too few queries to open the breaker: the connection is replaced all the same. */
static void
hung_connections_are_replaced(void)
{
	struct redis_scene scene;
	struct hang hang = {&scene, 0};
	uint64_t disconnects;

	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(redis_suite_server));
	redis_scene_recover(&scene);
	redis_scene_close(&scene);
	redis_scene_open(&scene);
	scene.options.deadline = 20 * FG_US_PER_MS;
	scene.options.hang_after = 60 * FG_US_PER_MS;
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(redis_suite_server));
	redis_scene_recover(&scene);
	/* A machine that stands still may have looked like one before. */
	hang.before = redis_scene_stats(&scene).hangs;
	disconnects = redis_scene_stats(&scene).disconnects;
	redis_server_pause(redis_suite_server);
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_ERR_STORE_TIMEOUT);
	redis_scene_wait(&scene, has_hung, &hang);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).disconnects, disconnects + 1);
	redis_server_resume(redis_suite_server);
	redis_scene_recover(&scene);
	CU_ASSERT(redis_scene_stats(&scene).connects >= 2);
	redis_scene_close(&scene);
}

static bool
has_late_reply(void *arg)
{
	return redis_scene_stats(arg).late_replies > 0;
}

static void
slow_answer(void)
{
	struct redis_scene scene;
	struct fg_redis_script script;
	struct redis_told told;

	fg_redis_script_init(&script,
	    FG_STR("local t = redis.call('TIME') local until_us = t[1] * 1000000 + t[2] + ARGV[1] * 1000 "
	           "repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > until_us return 'late'"));
	redis_scene_open(&scene);
	scene.options.deadline = 200 * FG_US_PER_MS;
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(redis_suite_server));
	redis_server_do(redis_suite_server, "CONFIG SET busy-reply-threshold 5000");
	redis_scene_recover(&scene);
	told = redis_run(&scene, &script, "slow", "400");
	CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_TIMEOUT);
	redis_scene_wait(&scene, has_late_reply, &scene);
	/* The connection lives on, and the next reply goes to the next query that is answered in time. */
	for (int tries = 0; tries < 10 && told.err != FG_OK; tries++)
		told = redis_run(&scene, &script, "slow", "0");
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).disconnects, 0);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breaker_opened, 0);
	redis_scene_close(&scene);
}

static void
cancelled_while_waiting(void)
{
	struct redis_scene scene;
	struct redis_told told = {.told = 0};

	redis_scene_open_served(&scene);
	redis_scene_recover(&scene);
	redis_server_pause(redis_suite_server);
	redis_told_start(&scene, &told, "", "SET cancelled 1");
	fg_loop_turn(scene.loop, false);
	fg_redis_cancel(told.query);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).in_flight, 0);
	redis_server_resume(redis_suite_server);
	CU_ASSERT_EQUAL(redis_ask(&scene, "ECHO mine").err, FG_OK);
	CU_ASSERT_EQUAL(told.told, 0);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).late_replies, 1);
	/* Before it was sent: as if it had never been. */
	redis_told_start(&scene, &told, "", "SET cancelled 2");
	fg_redis_cancel(told.query);
	CU_ASSERT_STRING_EQUAL(redis_ask(&scene, "ECHO mine").text, "mine");
	CU_ASSERT_EQUAL(told.told, 0);
	redis_scene_close(&scene);
}

static void
freed_with_queries_in_flight(void)
{
	struct redis_scene scene;
	struct redis_told told[10] = {{.told = 0}};

	redis_scene_open_served(&scene);
	redis_scene_recover(&scene);
	redis_server_pause(redis_suite_server);
	for (int i = 0; i < 10; i++) {
		redis_told_start(&scene, &told[i], "", "PING");
		if (i == 5)
			fg_loop_turn(scene.loop, false); /* some are sent, some are not */
	}
	redis_scene_close(&scene);
	redis_server_resume(redis_suite_server);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(told[i].told, 0);
	/* And before there was a connection. */
	redis_scene_open_served(&scene);
	redis_told_start(&scene, &told[0], "", "PING");
	redis_scene_close(&scene);
	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis://localhost:%d", redis_server_port(redis_suite_server));
	redis_told_start(&scene, &told[0], "", "PING");
	fg_loop_turn(scene.loop, false);
	redis_scene_close(&scene);
	CU_ASSERT_EQUAL(told[0].told, 0);
}

static void
queries_in_flight_are_bounded(void)
{
	struct redis_scene scene;
	struct redis_told *told = calloc(FG_MAX_REDIS_QUERIES + 10, sizeof(*told));

	CU_ASSERT_PTR_NOT_NULL_FATAL(told);
	redis_scene_open_served(&scene);
	redis_scene_recover(&scene);
	redis_server_pause(redis_suite_server);
	for (int i = 0; i < FG_MAX_REDIS_QUERIES + 10; i++)
		redis_told_start(&scene, &told[i], "", "PING");
	fg_loop_turn(scene.loop, false);
	for (int i = FG_MAX_REDIS_QUERIES; i < FG_MAX_REDIS_QUERIES + 10; i++)
		CU_ASSERT_EQUAL(told[i].err, FG_ERR_STORE_UNAVAILABLE);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).in_flight, FG_MAX_REDIS_QUERIES);
	redis_server_resume(redis_suite_server);
	redis_told_wait(&told[FG_MAX_REDIS_QUERIES - 1]);
	CU_ASSERT_EQUAL(told[FG_MAX_REDIS_QUERIES - 1].err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).in_flight, 0);
	redis_scene_close(&scene);
	free(told);
}

/* ---- a server that answers, and does not do it */

static void
readonly(void)
{
	struct redis_scene scene;

	redis_scene_open_served(&scene);
	redis_scene_recover(&scene);
	redis_server_do(redis_suite_server, "REPLICAOF 127.0.0.1 1");
	redis_scene_until_open(&scene, FG_ERR_STORE_NOT_READY);
	/* It may be another server's address by now: a new connection each time. */
	CU_ASSERT(redis_scene_stats(&scene).connects > 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "detail=\"READONLY"), 1);
	redis_server_do(redis_suite_server, "REPLICAOF NO ONE");
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store answers again"), 1);
	redis_scene_close(&scene);
}

static void
masterdown(void)
{
	struct redis_scene scene;

	redis_scene_open_served(&scene);
	redis_scene_recover(&scene);
	redis_server_do(redis_suite_server, "CONFIG SET replica-serve-stale-data no");
	redis_server_do(redis_suite_server, "REPLICAOF 127.0.0.1 1");
	redis_scene_until_open(&scene, FG_ERR_STORE_NOT_READY);
	redis_server_do(redis_suite_server, "REPLICAOF NO ONE");
	redis_server_do(redis_suite_server, "CONFIG SET replica-serve-stale-data yes");
	redis_scene_recover(&scene);
	redis_scene_close(&scene);
}

static void
out_of_memory(void)
{
	struct redis_scene scene;
	struct redis_told told;
	struct fg_redis_script script;

	fg_redis_script_init(&script, FG_STR("return redis.call('SET', KEYS[1], 'x')"));
	redis_scene_open_served(&scene);
	redis_scene_recover(&scene);
	redis_server_do(redis_suite_server, "CONFIG SET maxmemory 1");
	for (unsigned i = 0; i < 2 * scene.options.breaker_failures; i++) {
		told = redis_run(&scene, &script, "full", NULL);
		CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_FULL);
		CU_ASSERT_NSTRING_EQUAL(told.text, "OOM ", 4);
	}
	/* It answers at once, and can be read: no reason to leave it alone. */
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET any").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breaker_opened, 0);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "reason=store_full"), 1);
	redis_server_do(redis_suite_server, "CONFIG SET maxmemory 0");
	CU_ASSERT_EQUAL(redis_run(&scene, &script, "full", NULL).err, FG_OK);
	redis_scene_close(&scene);
}

static void
busy(void)
{
	struct redis_scene scene;
	int fd;

	redis_server_do(redis_suite_server, "CONFIG SET busy-reply-threshold 1");
	redis_scene_open_served(&scene);
	redis_scene_recover(&scene);
	fd = redis_server_occupy(redis_suite_server, "EVAL \"while true do end\" 0");
	redis_scene_until_open(&scene, FG_ERR_STORE_NOT_READY);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "detail=\"BUSY"), 1);
	redis_server_do(redis_suite_server, "SCRIPT KILL");
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 1);
	close(fd);
	redis_server_do(redis_suite_server, "CONFIG SET busy-reply-threshold 5000");
	redis_scene_close(&scene);
}

/* 64 keys that take 20 ms each to load. */
static void
loading(void)
{
	struct redis_server *slow = redis_server_start(&(struct redis_server_options){
	    .config = "key-load-delay 20000\nloading-process-events-interval-bytes 1024\nrdbcompression no\n"});
	struct redis_scene scene;

	redis_scene_open(&scene);
	redis_server_do(slow, "EVAL \"for i = 1, 64 do redis.call('SET', i, string.rep('x', 2000)) end\" 0");
	redis_server_do(slow, "SAVE");
	redis_server_kill(slow);
	redis_server_begin(slow);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(slow));
	redis_scene_until_open(&scene, FG_ERR_STORE_NOT_READY);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "detail=\"LOADING"), 1);
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store answers again"), 1);
	redis_scene_close(&scene);
	redis_server_stop(slow);
}

/* ---- a server that does not trust us */

static void
wrong_password(void)
{
	struct redis_server *locked = redis_server_start(&(struct redis_server_options){.password = "open-sesame"});
	int port = redis_server_port(locked);
	struct redis_scene scene;

	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis://:open-sesame@127.0.0.1:%d", port);
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", port);
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_ERR_STORE_REFUSED);
	redis_scene_until_open(&scene, FG_ERR_STORE_REFUSED);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "NOAUTH"), 1);
	redis_scene_connect(&scene, "redis://:hunter2@127.0.0.1:%d", port);
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_ERR_STORE_REFUSED);
	redis_scene_until_open(&scene, FG_ERR_STORE_REFUSED);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, " error redis: "), 2);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "WRONGPASS"), 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "hunter2"), 0);
	/* Mended on the server's side: it is found without a restart of ours. */
	redis_server_do(locked, "ACL SETUSER default >hunter2");
	redis_scene_recover(&scene);
	/* A user with fewer rights. */
	redis_server_do(locked, "ACL SETUSER small on >pw ~small:* +get +ping -@connection");
	redis_scene_connect(&scene, "redis://small:pw@127.0.0.1:%d", port);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET small:a").err, FG_OK);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET large").err, FG_ERR_STORE_REFUSED);
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET small:a 1").err, FG_ERR_STORE_REFUSED);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breaker_opened, 0);
	redis_scene_close(&scene);
	redis_server_stop(locked);
}

/* Where this program has TLS to Redis: the server's certificate is verified, its name too. */
static void
over_tls(void)
{
	char folder[] = "/tmp/fg-redis-tls-XXXXXX", file[64];
	struct redis_server *served;
	struct redis_scene scene;
	static const char *const names[] = {"127.0.0.1", "other.test"};

	if (!fg_redis_has_tls())
		return;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/redis-ca.pem", folder);
	for (size_t i = 0; i < FG_ARRAY_LEN(names); i++) {
		CU_ASSERT_FATAL(service_make_cert(folder, "redis", names[i], false));
		served = redis_server_start(&(struct redis_server_options){.tls_folder = folder});
		redis_scene_open(&scene);
		scene.options.ca_file = file;
		redis_scene_connect(&scene, "rediss://127.0.0.1:%d", redis_server_port(served));
		if (i == 0)
			CU_ASSERT_EQUAL(redis_ask(&scene, "SET any 1").err, FG_OK);
		if (i != 0)
			redis_scene_until_open(&scene, FG_ERR_STORE_UNREACHABLE);
		/* The system's CAs do not know it. */
		scene.options.ca_file = NULL;
		redis_scene_connect(&scene, "rediss://127.0.0.1:%d", redis_server_port(served));
		redis_scene_until_open(&scene, FG_ERR_STORE_UNREACHABLE);
		redis_scene_close(&scene);
		redis_server_stop(served);
	}
}

void
suite_redis_trouble(void)
{
	CU_pSuite suite = CU_add_suite("redis_trouble", redis_suite_set_up, redis_suite_tear_down);

	ADD_TEST(suite, hang);
	ADD_TEST(suite, hung_connections_are_replaced);
	ADD_TEST(suite, slow_answer);
	ADD_TEST(suite, cancelled_while_waiting);
	ADD_TEST(suite, freed_with_queries_in_flight);
	ADD_TEST(suite, queries_in_flight_are_bounded);
	ADD_TEST(suite, readonly);
	ADD_TEST(suite, masterdown);
	ADD_TEST(suite, out_of_memory);
	ADD_TEST(suite, busy);
	ADD_TEST(suite, loading);
	ADD_TEST(suite, wrong_password);
	ADD_TEST(suite, over_tls);
}
