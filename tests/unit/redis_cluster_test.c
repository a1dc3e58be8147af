/* lib/redis with a real Cluster of three: slots that move under it, and nodes that go. */
#include <stdio.h>
#include <stdlib.h>

#include "support/redis_server.h"
#include "unit/redis_scene.h"

static struct redis_server *nodes[REDIS_CLUSTER_NODES];

/* Of one slot. */
static const char key[] = "{tag}:one", other[] = "{tag}:two";

static void
start(void)
{
	redis_cluster_start(nodes);
	for (int i = 0; i < REDIS_CLUSTER_NODES; i++)
		redis_server_do(nodes[i], "CONFIG SET cluster-require-full-coverage no");
}

static int
set_up(void)
{
	return redis_server_try(start) ? 0 : 1;
}

static int
tear_down(void)
{
	for (int i = 0; i < REDIS_CLUSTER_NODES; i++)
		redis_server_stop(nodes[i]);
	return 0;
}

static void
open_scene(struct redis_scene *scene)
{
	redis_scene_open(scene);
	redis_scene_connect(scene, "redis+cluster://127.0.0.1:%d,127.0.0.1:%d", redis_server_port(nodes[0]),
	    redis_server_port(nodes[1]));
}

static struct redis_told
set(struct redis_scene *scene, const char *name, const char *value)
{
	char words[256];

	snprintf(words, sizeof(words), "SET %s %s", name, value);
	return redis_ask_key(scene, name, words);
}

static void
keys_go_to_their_nodes(void)
{
	struct redis_scene scene;
	struct fg_redis_script script;
	char name[32];

	fg_redis_script_init(&script, FG_STR("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])"));
	open_scene(&scene);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "key:%d", i);
		CU_ASSERT_EQUAL(set(&scene, name, "x").err, FG_OK);
		CU_ASSERT_STRING_EQUAL(redis_run(&scene, &script, name, "y").text, "y");
		CU_ASSERT_EQUAL(redis_ask(&scene, "PING").err, FG_OK); /* any */
	}
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).redirects, 0);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).nodes, 3);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).nodes_ready, 3);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 3);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).discoveries, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).scripts_loaded, 3);
	CU_ASSERT(fg_redis_is_available(scene.redis, FG_STR("key:1")));
	CU_ASSERT_EQUAL(scene.log_seen.len, 0);
	redis_scene_close(&scene);
}

static int
owner_of(unsigned slot)
{
	return slot <= 5460 ? 0 : slot <= 10922 ? 1 : 2;
}

static const char *
id_of(struct redis_server *node, char *out)
{
	snprintf(out, 41, "%s", redis_server_do(node, "CLUSTER MYID") + 5);
	return out;
}

/* A slot moves as redis-cli --cluster reshard moves it; the client is asked at each stage. */
static void
a_slot_moves(void)
{
	unsigned slot = fg_redis_slot(fg_str_from(key));
	struct redis_server *from = nodes[owner_of(slot)], *to = nodes[(owner_of(slot) + 1) % 3], *third;
	struct redis_scene scene;
	struct redis_told told = {.told = 0};
	struct fg_redis_script script, both;
	struct fg_redis_stats stats;
	struct fg_str keys[2] = {fg_str_from(key), fg_str_from(other)};
	char from_id[41], to_id[41];
	uint64_t redirects;

	third = nodes[(owner_of(slot) + 2) % 3];
	fg_redis_script_init(&script, FG_STR("return redis.call('INCR', KEYS[1])"));
	fg_redis_script_init(&both, FG_STR("return redis.call('MGET', KEYS[1], KEYS[2])"));
	open_scene(&scene);
	CU_ASSERT_EQUAL(set(&scene, key, "1").err, FG_OK);
	redis_ask_key(&scene, other, "DEL {tag}:two");
	redis_server_do(to, "CLUSTER SETSLOT %u IMPORTING %s", slot, id_of(from, from_id));
	redis_server_do(from, "CLUSTER SETSLOT %u MIGRATING %s", slot, id_of(to, to_id));
	/* What is still there is answered there; what is not is asked for at the new place, a script too. */
	CU_ASSERT_STRING_EQUAL(redis_ask_key(&scene, key, "GET {tag}:one").text, "1");
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).redirects, 0);
	redis_server_do(to, "SCRIPT FLUSH");
	told = redis_run(&scene, &script, other, NULL);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(told.integer, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).redirects, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).discoveries, 1); /* ASK changes no map */
	/* One key here, one there: TRYAGAIN until the move is done. */
	told = (struct redis_told){.told = 0};
	redis_told_eval_keys(&scene, &told, &both, keys, 2);
	while (redis_scene_stats(&scene).retries < 2)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(told.told, 0);
	redis_server_do(from, "MIGRATE 127.0.0.1 %d %s 0 5000", redis_server_port(to), key);
	redis_server_do(to, "CLUSTER SETSLOT %u NODE %s", slot, to_id);
	redis_server_do(from, "CLUSTER SETSLOT %u NODE %s", slot, to_id);
	redis_told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_STRING_EQUAL(told.items, "1 1 ");
	/* MOVED was learnt from: no more redirects. */
	redirects = redis_scene_stats(&scene).redirects;
	CU_ASSERT(redirects >= 2);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_STRING_EQUAL(redis_ask_key(&scene, key, "GET {tag}:one").text, "1");
	stats = redis_scene_stats(&scene);
	CU_ASSERT_EQUAL(stats.redirects, redirects);
	CU_ASSERT_EQUAL(stats.breaker_opened, 0);
	CU_ASSERT_EQUAL(scene.log_seen.len, 0);
	redis_scene_close(&scene);
	/* And back, by MOVED alone. */
	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_ask_key(&scene, key, "DEL {tag}:one {tag}:two").err, FG_OK);
	for (int i = 0; i < 2; i++)
		redis_server_do(i == 0 ? from : to, "CLUSTER SETSLOT %u NODE %s", slot, from_id);
	redis_server_do(third, "CLUSTER SETSLOT %u NODE %s", slot, from_id);
	CU_ASSERT_EQUAL(set(&scene, key, "2").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).redirects, 1);
	redis_scene_close(&scene);
}

/* The name of a key that the node has. */
static const char *
key_at(int node, char *out)
{
	for (int i = 0;; i++) {
		snprintf(out, 32, "at:%d", i);
		if (owner_of(fg_redis_slot(fg_str_from(out))) == node)
			return out;
	}
}

static void
a_node_goes(void)
{
	struct redis_scene scene;
	struct redis_told told;
	char here[32], gone[32];

	key_at(0, here);
	key_at(2, gone);
	open_scene(&scene);
	CU_ASSERT_EQUAL(set(&scene, here, "1").err, FG_OK);
	CU_ASSERT_EQUAL(set(&scene, gone, "1").err, FG_OK);
	redis_server_kill(nodes[2]);
	do
		told = set(&scene, gone, "2");
	while (told.err != FG_ERR_STORE_UNAVAILABLE);
	/* The others' keys are served as ever. */
	CU_ASSERT(!fg_redis_is_available(scene.redis, fg_str_from(gone)));
	CU_ASSERT(fg_redis_is_available(scene.redis, fg_str_from(here)));
	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(set(&scene, here, "2").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breakers_open, 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	redis_server_again(nodes[2]);
	redis_server_until(nodes[2], "CLUSTER INFO", "cluster_state:ok");
	for (told.err = FG_ERR_STORE_ERROR; told.err != FG_OK;)
		told = set(&scene, gone, "3");
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breakers_open, 0);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)], 0);
	redis_scene_close(&scene);
}

static void
all_nodes_go(void)
{
	struct redis_scene scene;
	struct redis_told told;

	/* The second that is configured knows, though the first is not there; and none, until one is. */
	redis_server_kill(nodes[0]);
	open_scene(&scene);
	redis_server_until(nodes[1], "CLUSTER INFO", "cluster_state:ok");
	while (redis_scene_stats(&scene).discoveries == 0)
		fg_loop_turn(scene.loop, true);
	redis_server_kill(nodes[1]);
	redis_scene_close(&scene);
	open_scene(&scene);
	told = redis_ask_key(&scene, key, "GET a");
	CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_UNREACHABLE);
	CU_ASSERT_EQUAL(redis_ask_key(&scene, key, "GET a").err, FG_ERR_STORE_UNAVAILABLE);
	CU_ASSERT(!fg_redis_is_available(scene.redis, fg_str_from(key)));
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "node=cluster"), 1);
	redis_server_again(nodes[0]);
	redis_server_again(nodes[1]);
	for (int i = 0; i < REDIS_CLUSTER_NODES; i++)
		redis_server_until(nodes[i], "CLUSTER INFO", "cluster_state:ok");
	redis_scene_recover(&scene);
	redis_scene_close(&scene);
}

void
suite_redis_cluster(void)
{
	CU_pSuite suite = CU_add_suite("redis_cluster", set_up, tear_down);

	ADD_TEST(suite, keys_go_to_their_nodes);
	ADD_TEST(suite, a_slot_moves);
	ADD_TEST(suite, a_node_goes);
	ADD_TEST(suite, all_nodes_go);
}
