/* lib/redis with a real Redis: commands and scripts, and each trouble that a server can be in, until it is well again. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/redis_server.h"
#include "unit/redis_scene.h"

static struct redis_server *server; /* of the suite; a test leaves it as it was */

static int
set_up(void)
{
	server = redis_server_start(NULL);
	return 0;
}

static int
tear_down(void)
{
	redis_server_stop(server);
	return 0;
}

static void
open_scene(struct redis_scene *scene)
{
	redis_scene_open(scene);
	redis_scene_connect(scene, "redis://127.0.0.1:%d/0", redis_server_port(server));
}

/* ---- well */

static void
commands_are_answered(void)
{
	struct redis_scene scene;
	struct redis_told told;
	struct fg_redis_stats stats;

	open_scene(&scene);
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

	open_scene(&scene);
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
	open_scene(&scene);
	redis_server_do(server, "SCRIPT FLUSH");
	redis_server_do(server, "DEL counter");
	for (int i = 1; i <= 3; i++) {
		told = redis_run(&scene, &script, "counter", "5");
		CU_ASSERT_EQUAL(told.err, FG_OK);
		CU_ASSERT_EQUAL(told.count, 3);
		CU_ASSERT_EQUAL(redis_scene_stats(&scene).scripts_loaded, 1);
	}
	redis_server_do(server, "SCRIPT FLUSH");
	told = redis_run(&scene, &script, "counter", "5");
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).scripts_loaded, 2);
	/* Each was carried out once. */
	told = redis_ask(&scene, "GET counter");
	CU_ASSERT_STRING_EQUAL(told.text, "20");
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 1);
	redis_scene_close(&scene);
}

void
suite_redis_server(void)
{
	CU_pSuite suite = CU_add_suite("redis_server", set_up, tear_down);

	ADD_TEST(suite, commands_are_answered);
	ADD_TEST(suite, bytes_are_safe);
	ADD_TEST(suite, scripts_are_loaded_when_needed);
}
