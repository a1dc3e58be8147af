/* lib/redis with a real Redis: commands, scripts, callbacks, and a server that goes and comes back. */
#include <stdio.h>
#include <stdlib.h>

#include "support/redis_server.h"
#include "unit/redis_scene.h"

/* ---- well */

static void
commands_are_answered(void)
{
	struct redis_scene scene;
	struct redis_told told;
	struct fg_redis_stats stats;

	redis_scene_open_served(&scene);
	told = redis_ask(&scene, "SET a 1");
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(told.type, FG_REDIS_STATUS);
	CU_ASSERT_STRING_EQUAL(told.text, "OK");
	told = redis_ask(&scene, "INCR a");
	CU_ASSERT_EQUAL(told.type, FG_REDIS_INTEGER);
	CU_ASSERT_EQUAL(told.integer, 2);
	told = redis_ask(&scene, "GET a");
	CU_ASSERT_EQUAL(told.type, FG_REDIS_STRING);
	CU_ASSERT_STRING_EQUAL(told.text, "2");
	told = redis_ask(&scene, "GET no-such-key");
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(told.type, FG_REDIS_NIL);
	told = redis_ask(&scene, "MGET a b c");
	CU_ASSERT_EQUAL(told.type, FG_REDIS_ARRAY);
	CU_ASSERT_EQUAL(told.count, 3);
	told = redis_ask(&scene, "CLIENT GETNAME");
	CU_ASSERT_STRING_EQUAL(told.text, "faregate");
	told = redis_ask(&scene, "LPUSH a x");
	CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_ERROR);
	CU_ASSERT_EQUAL(told.type, FG_REDIS_ERROR);
	CU_ASSERT_NSTRING_EQUAL(told.text, "WRONGTYPE", 9);
	stats = redis_scene_stats(&scene);
	CU_ASSERT_EQUAL(stats.queries, 7);
	CU_ASSERT_EQUAL(stats.round_trips, 6);
	CU_ASSERT(stats.round_trip_sum > 0);
	CU_ASSERT_EQUAL(stats.connects, 1);
	CU_ASSERT_EQUAL(stats.nodes_ready, 1);
	CU_ASSERT_EQUAL(stats.breakers_open, 0);
	/* A wrong command is told, since somebody has to mend it, but speaks not against the server. */
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "error=\"WRONGTYPE"), 1);
	redis_scene_close(&scene);
}

/* Keys and arguments come back as they went, whatever bytes they have. */
static void
bytes_are_safe(void)
{
	struct redis_scene scene;
	struct redis_told told = {.text = ""};
	struct fg_redis_script script;
	char bytes[256 + 32], key[256];
	size_t len = 256;

	redis_scene_open_served(&scene);
	/* Gives the number of bytes that are not what they should be. */
	fg_redis_script_init(&script,
	    FG_STR("local n = 0 for i = 1, 256 do if ARGV[1]:byte(i) ~= i - 1 or KEYS[1]:byte(i) ~= 256 - i then n = n + 1 end end "
	           "return {n, #ARGV[1], ARGV[1]:sub(257)}"));
	for (size_t i = 0; i < 256; i++) {
		bytes[i] = (char)i;
		key[i] = (char)(255 - i);
	}
	len += (size_t)snprintf(bytes + 256, 32, "\r\n%%s%%n%%b$5\r\n*1\r\n");
	redis_told_eval(&scene, &told, &script, (struct fg_str){key, sizeof(key)}, (struct fg_str){bytes, len});
	redis_told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(told.count, 3);
	CU_ASSERT_STRING_EQUAL(told.items, "0 272 \r\n%s%n%b$5\r\n*1\r\n ");
	redis_scene_close(&scene);
}

static void
scripts_are_loaded_when_needed(void)
{
	static const char source[] = "return {redis.call('INCRBY', KEYS[1], ARGV[1]), 'a', {1, 2}}";
	struct redis_scene scene;
	struct redis_told told;
	struct fg_redis_script script;

	fg_redis_script_init(&script, FG_STR(source));
	redis_scene_open_served(&scene);
	redis_server_do(redis_suite_server, "SCRIPT FLUSH");
	redis_server_do(redis_suite_server, "DEL counter");
	for (int i = 1; i <= 3; i++) {
		told = redis_run(&scene, &script, "counter", "5");
		CU_ASSERT_EQUAL(told.err, FG_OK);
		CU_ASSERT_EQUAL(told.count, 3);
		CU_ASSERT_EQUAL(redis_scene_stats(&scene).scripts_loaded, 1);
	}
	redis_server_do(redis_suite_server, "SCRIPT FLUSH");
	told = redis_run(&scene, &script, "counter", "5");
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).scripts_loaded, 2);
	/* Each was carried out once. */
	told = redis_ask(&scene, "GET counter");
	CU_ASSERT_STRING_EQUAL(told.text, "20");
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 1);
	redis_scene_close(&scene);
}

static void
unix_socket_and_database(void)
{
	struct redis_scene scene;

	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis+unix://%s?db=3", redis_server_socket(redis_suite_server));
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET where unix").err, FG_OK);
	/* Host names are resolved off the loop. */
	redis_scene_connect(&scene, "redis://localhost:%d/3", redis_server_port(redis_suite_server));
	CU_ASSERT_STRING_EQUAL(redis_ask(&scene, "GET where").text, "unix");
	redis_scene_connect(&scene, "redis://127.0.0.1:%d/4", redis_server_port(redis_suite_server));
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET where").type, FG_REDIS_NIL);
	/* A database that is not there: nothing may go to another one. */
	redis_scene_connect(&scene, "redis://127.0.0.1:%d/99", redis_server_port(redis_suite_server));
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET where astray").err, FG_ERR_STORE_REFUSED);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "DB index is out of range"), 1);
	redis_scene_connect(&scene, "redis://no-such-name.invalid:%d", redis_server_port(redis_suite_server));
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET where").err, FG_ERR_STORE_UNREACHABLE);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "name is not known"), 1);
	redis_scene_close(&scene);
}

static struct redis_told *first_of_many;
static unsigned told_in_order;

static void
count_in_order(struct redis_told *told)
{
	CU_ASSERT_EQUAL(told - first_of_many, (ptrdiff_t)told_in_order);
	CU_ASSERT_EQUAL(told->integer, (int64_t)told_in_order + 1);
	told_in_order++;
}

static bool
all_are_told(void *arg)
{
	return told_in_order == *(unsigned *)arg;
}

static void
many_share_one_connection(void)
{
	enum { MANY = 2000 };
	struct redis_scene scene;
	unsigned many = MANY;

	first_of_many = calloc(MANY, sizeof(*first_of_many));
	CU_ASSERT_PTR_NOT_NULL_FATAL(first_of_many);
	told_in_order = 0;
	redis_scene_open_served(&scene);
	redis_server_do(redis_suite_server, "DEL many");
	for (unsigned i = 0; i < MANY; i++) {
		first_of_many[i].then = count_in_order;
		redis_told_start(&scene, &first_of_many[i], "", "INCR many");
	}
	redis_scene_wait(&scene, all_are_told, &many);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).in_flight, 0);
	redis_scene_close(&scene);
	free(first_of_many);
}

/* ---- callbacks that do things */

static struct redis_told victim, successor;

static void
cancel_and_start(struct redis_told *told)
{
	fg_redis_cancel(victim.query);
	redis_told_start(told->scene, &successor, "", "ECHO next");
}

static void
callbacks_may_start_and_cancel(void)
{
	struct redis_scene scene;
	struct redis_told told = {.then = cancel_and_start};

	victim = successor = (struct redis_told){.told = 0};
	redis_scene_open_served(&scene);
	redis_told_start(&scene, &told, "", "ECHO first");
	redis_told_start(&scene, &victim, "", "ECHO victim");
	redis_told_wait(&told);
	redis_told_wait(&successor);
	CU_ASSERT_STRING_EQUAL(successor.text, "next");
	CU_ASSERT_EQUAL(victim.told, 0);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).cancelled, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).late_replies, 1);
	redis_scene_close(&scene);
}

/* ---- a server that is not there */

static void
refused_connection(void)
{
	struct redis_scene scene;
	struct redis_told told;
	struct fg_redis_stats stats;

	redis_scene_open_served(&scene);
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK);
	redis_server_kill(redis_suite_server);
	/* The first may find the connection closed under it, or not be able to make one. */
	redis_scene_until_open(&scene, FG_ERR_STORE_UNREACHABLE);
	CU_ASSERT(!fg_redis_is_available(scene.redis, FG_STR_NONE));
	for (int i = 0; i < 100; i++) {
		told = redis_ask(&scene, "PING");
		CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_UNAVAILABLE);
	}
	stats = redis_scene_stats(&scene);
	/* Nobody has waited for it. */
	CU_ASSERT_EQUAL(stats.failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)], 0);
	CU_ASSERT_EQUAL(stats.round_trips, 1);
	CU_ASSERT_EQUAL(stats.breakers_open, 1);
	CU_ASSERT(stats.open_since > 0);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	redis_server_again(redis_suite_server);
	redis_scene_recover(&scene);
	stats = redis_scene_stats(&scene);
	CU_ASSERT_EQUAL(stats.breakers_open, 0);
	CU_ASSERT_EQUAL(stats.open_since, 0);
	CU_ASSERT_EQUAL(stats.connects, 2);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store answers again"), 1);
	redis_scene_close(&scene);
}

static void
scripts_survive_a_restart(void)
{
	struct redis_scene scene;
	struct fg_redis_script script;

	fg_redis_script_init(&script, FG_STR("return redis.call('INCR', KEYS[1])"));
	redis_scene_open_served(&scene);
	CU_ASSERT_EQUAL(redis_run(&scene, &script, "restart", NULL).err, FG_OK);
	redis_server_kill(redis_suite_server);
	redis_server_again(redis_suite_server);
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_run(&scene, &script, "restart", NULL).integer, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).scripts_loaded, 2);
	redis_scene_close(&scene);
}

/* Somebody closes an idle connection: nobody is told of it. */
static void
idle_connections_may_be_closed(void)
{
	struct redis_scene scene;

	redis_scene_open_served(&scene);
	for (int i = 1; i <= 20; i++) {
		CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK);
		redis_server_do(redis_suite_server, "CLIENT KILL TYPE normal SKIPME yes");
		while (redis_scene_stats(&scene).disconnects < (uint64_t)i)
			fg_loop_turn(scene.loop, true);
	}
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 21);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breaker_opened, 0);
	CU_ASSERT_EQUAL(scene.log_seen.len, 0);
	redis_scene_close(&scene);
}

void
suite_redis_server(void)
{
	CU_pSuite suite = CU_add_suite("redis_server", redis_suite_set_up, redis_suite_tear_down);

	ADD_TEST(suite, commands_are_answered);
	ADD_TEST(suite, bytes_are_safe);
	ADD_TEST(suite, scripts_are_loaded_when_needed);
	ADD_TEST(suite, unix_socket_and_database);
	ADD_TEST(suite, many_share_one_connection);
	ADD_TEST(suite, callbacks_may_start_and_cancel);
	ADD_TEST(suite, refused_connection);
	ADD_TEST(suite, scripts_survive_a_restart);
	ADD_TEST(suite, idle_connections_may_be_closed);
}
