/* lib/redis with a real Redis: commands and scripts, and each trouble that a server can be in, until it is well again. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
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

static void
unix_socket_and_database(void)
{
	struct redis_scene scene;

	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis+unix://%s?db=3", redis_server_socket(server));
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET where unix").err, FG_OK);
	/* Host names are resolved off the loop. */
	redis_scene_connect(&scene, "redis://localhost:%d/3", redis_server_port(server));
	CU_ASSERT_STRING_EQUAL(redis_ask(&scene, "GET where").text, "unix");
	redis_scene_connect(&scene, "redis://127.0.0.1:%d/4", redis_server_port(server));
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET where").type, FG_REDIS_NIL);
	/* A database that is not there: nothing may go to another one. */
	redis_scene_connect(&scene, "redis://127.0.0.1:%d/99", redis_server_port(server));
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET where astray").err, FG_ERR_STORE_REFUSED);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "DB index is out of range"), 1);
	redis_scene_connect(&scene, "redis://no-such-name.invalid:%d", redis_server_port(server));
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
	open_scene(&scene);
	redis_server_do(server, "DEL many");
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
	open_scene(&scene);
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

	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK);
	redis_server_kill(server);
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
	redis_server_again(server);
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
	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_run(&scene, &script, "restart", NULL).err, FG_OK);
	redis_server_kill(server);
	redis_server_again(server);
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

	open_scene(&scene);
	for (int i = 1; i <= 20; i++) {
		CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK);
		redis_server_do(server, "CLIENT KILL TYPE normal SKIPME yes");
		while (redis_scene_stats(&scene).disconnects < (uint64_t)i)
			fg_loop_turn(scene.loop, true);
	}
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 21);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breaker_opened, 0);
	CU_ASSERT_EQUAL(scene.log_seen.len, 0);
	redis_scene_close(&scene);
}

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
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(server));
	redis_scene_recover(&scene);
	redis_server_pause(server);
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
	redis_server_resume(server);
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breakers_open, 0);
	redis_scene_close(&scene);
}

static bool
has_hung(void *arg)
{
	struct fg_redis_stats stats = redis_scene_stats(arg);

	return stats.hangs > 0;
}

/* Too few queries to open the breaker: the connection is replaced all the same. */
static void
hung_connections_are_replaced(void)
{
	struct redis_scene scene;

	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(server));
	redis_scene_recover(&scene);
	redis_scene_close(&scene);
	redis_scene_open(&scene);
	scene.options.deadline = 20 * FG_US_PER_MS;
	scene.options.hang_after = 60 * FG_US_PER_MS;
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(server));
	redis_scene_recover(&scene);
	redis_server_pause(server);
	CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_ERR_STORE_TIMEOUT);
	redis_scene_wait(&scene, has_hung, &scene);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).disconnects, 1);
	redis_server_resume(server);
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
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(server));
	redis_server_do(server, "CONFIG SET busy-reply-threshold 5000");
	redis_scene_recover(&scene);
	told = redis_run(&scene, &script, "slow", "400");
	CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_TIMEOUT);
	redis_scene_wait(&scene, has_late_reply, &scene);
	/* The connection lives on, and the next reply goes to the next query. */
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

	open_scene(&scene);
	redis_scene_recover(&scene);
	redis_server_pause(server);
	redis_told_start(&scene, &told, "", "SET cancelled 1");
	fg_loop_turn(scene.loop, false);
	fg_redis_cancel(told.query);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).in_flight, 0);
	redis_server_resume(server);
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

	open_scene(&scene);
	redis_scene_recover(&scene);
	redis_server_pause(server);
	for (int i = 0; i < 10; i++) {
		redis_told_start(&scene, &told[i], "", "PING");
		if (i == 5)
			fg_loop_turn(scene.loop, false); /* some are sent, some are not */
	}
	redis_scene_close(&scene);
	redis_server_resume(server);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(told[i].told, 0);
	/* And before there was a connection. */
	open_scene(&scene);
	redis_told_start(&scene, &told[0], "", "PING");
	redis_scene_close(&scene);
	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis://localhost:%d", redis_server_port(server));
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
	open_scene(&scene);
	redis_scene_recover(&scene);
	redis_server_pause(server);
	for (int i = 0; i < FG_MAX_REDIS_QUERIES + 10; i++)
		redis_told_start(&scene, &told[i], "", "PING");
	fg_loop_turn(scene.loop, false);
	for (int i = FG_MAX_REDIS_QUERIES; i < FG_MAX_REDIS_QUERIES + 10; i++)
		CU_ASSERT_EQUAL(told[i].err, FG_ERR_STORE_UNAVAILABLE);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).in_flight, FG_MAX_REDIS_QUERIES);
	redis_server_resume(server);
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

	open_scene(&scene);
	redis_scene_recover(&scene);
	redis_server_do(server, "REPLICAOF 127.0.0.1 1");
	redis_scene_until_open(&scene, FG_ERR_STORE_NOT_READY);
	/* It may be another server's address by now: a new connection each time. */
	CU_ASSERT(redis_scene_stats(&scene).connects > 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "detail=\"READONLY"), 1);
	redis_server_do(server, "REPLICAOF NO ONE");
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store answers again"), 1);
	redis_scene_close(&scene);
}

static void
masterdown(void)
{
	struct redis_scene scene;

	open_scene(&scene);
	redis_scene_recover(&scene);
	redis_server_do(server, "CONFIG SET replica-serve-stale-data no");
	redis_server_do(server, "REPLICAOF 127.0.0.1 1");
	redis_scene_until_open(&scene, FG_ERR_STORE_NOT_READY);
	redis_server_do(server, "REPLICAOF NO ONE");
	redis_server_do(server, "CONFIG SET replica-serve-stale-data yes");
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
	open_scene(&scene);
	redis_scene_recover(&scene);
	redis_server_do(server, "CONFIG SET maxmemory 1");
	for (unsigned i = 0; i < 2 * scene.options.breaker_failures; i++) {
		told = redis_run(&scene, &script, "full", NULL);
		CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_FULL);
		CU_ASSERT_NSTRING_EQUAL(told.text, "OOM ", 4);
	}
	/* It answers at once, and can be read: no reason to leave it alone. */
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET any").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breaker_opened, 0);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "reason=store_full"), 1);
	redis_server_do(server, "CONFIG SET maxmemory 0");
	CU_ASSERT_EQUAL(redis_run(&scene, &script, "full", NULL).err, FG_OK);
	redis_scene_close(&scene);
}

static void
busy(void)
{
	struct redis_scene scene;
	int fd;

	redis_server_do(server, "CONFIG SET busy-reply-threshold 1");
	open_scene(&scene);
	redis_scene_recover(&scene);
	fd = redis_server_send(server, "EVAL \"while true do end\" 0");
	/* Until it has begun, queries are still carried out. */
	while (redis_ask(&scene, "SET any 1").err == FG_OK)
		continue;
	redis_scene_until_open(&scene, FG_ERR_STORE_NOT_READY);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "detail=\"BUSY"), 1);
	redis_server_do(server, "SCRIPT KILL");
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 1);
	close(fd);
	redis_server_do(server, "CONFIG SET busy-reply-threshold 5000");
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

void
suite_redis_server(void)
{
	CU_pSuite suite = CU_add_suite("redis_server", set_up, tear_down);

	ADD_TEST(suite, commands_are_answered);
	ADD_TEST(suite, bytes_are_safe);
	ADD_TEST(suite, scripts_are_loaded_when_needed);
	ADD_TEST(suite, unix_socket_and_database);
	ADD_TEST(suite, many_share_one_connection);
	ADD_TEST(suite, callbacks_may_start_and_cancel);
	ADD_TEST(suite, refused_connection);
	ADD_TEST(suite, scripts_survive_a_restart);
	ADD_TEST(suite, idle_connections_may_be_closed);
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
}
