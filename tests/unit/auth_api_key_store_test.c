/* lib/filter/auth_api_key with keys in the store: a played Redis that says what is there, nonsense, nothing, or is not there. */
#include <stdio.h>
#include <stdlib.h>

#include "core/identity.h"
#include "redis/redis.h"
#include "token/api_key.h"
#include "unit/exchange_scene.h"
#include "unit/redis_peer.h"

static struct redis_peer peer;
static struct fg_redis *own; /* of the gateway, for whoever else keeps something in the store: nobody is there */

static const char yaml[] =
    "version: 1\n"
    "log: {access: {path: \"off\"}}\n"
    "store: {url: 'redis://127.0.0.1:9', deadline: 10s, connect-timeout: 60s}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "auth:\n"
    "  plain: {type: api-key, keys: store, forward: {X-Plan: plan}}\n"
    "  fresh: {type: api-key, keys: store, cache: 0}\n"
    "  stale: {type: api-key, keys: store, cache: 0, stale: 1h}\n"
    "routes:\n"
    "  plain: {path: /plain, service: a, auth: plain}\n"
    "  fresh: {path: /fresh, service: a, auth: fresh}\n"
    "  stale: {path: /stale, service: a, auth: stale}\n";

/* Keys are looked for at the peer, whose port is not known before. */
static int
set_up(void)
{
	if (scene_set_up_with(yaml) != 0)
		return 1;
	redis_peer_open(&peer, scene.loop);
	own = scene.gw.redis;
	scene.config->store.redis->addresses[0].port = (unsigned)peer.port;
	scene.gw.redis = fg_config_open_store(scene.config, scene.loop, &scene.log);
	return 0;
}

static int
tear_down(void)
{
	fg_redis_free(scene.gw.redis);
	scene.gw.redis = own;
	redis_peer_close(&peer);
	return scene_tear_down();
}

#define ACME "*4\r\n$8\r\nconsumer\r\n$4\r\nacme\r\n$9\r\nmeta:plan\r\n$4\r\ngold\r\n"

static struct fg_exchange *
shows(const char *target, const char *key, const char *reply)
{
	redis_peer_say(&peer, reply);
	scene_asks("GET", target);
	scene_with("HTTP_X_API_KEY", key);
	return scene_decided();
}

static void
expect(const char *target, const char *key, const char *reply, enum fg_err reason)
{
	struct fg_exchange *x = shows(target, key, reply);

	if (x->reason != reason)
		fprintf(stderr, "%s: %s\n", reply, fg_err_token(x->reason));
	CU_ASSERT_EQUAL(x->reason, reason);
	CU_ASSERT((x->identity != NULL) == (reason == FG_OK));
	fg_exchange_free(x);
}

static void
the_store_says_who(void)
{
	struct fg_exchange *x = shows("/plain", "key-1", ACME);

	CU_ASSERT_EQUAL_FATAL(x->reason, FG_OK);
	ASSERT_STR(x->identity->consumer, "acme");
	scene_expect_header(x, "X-Plan", "gold");
	CU_ASSERT_STRING_EQUAL(peer.last, "HGETALL fg:key:be2974546978e3739e6d6da85c4be9f334ce32df2b9fd4b6ff1b55c0d57e9d44");
	fg_exchange_free(x);
}

static void
its_word_is_kept_for_a_while(void)
{
	unsigned before;

	expect("/plain", "key-2", ACME, FG_OK);
	before = peer.commands;
	expect("/plain", "key-2", "*0\r\n", FG_OK);
	expect("/plain", "key-3", "*0\r\n", FG_ERR_API_KEY_UNKNOWN);
	expect("/plain", "key-3", ACME, FG_ERR_API_KEY_UNKNOWN);
	CU_ASSERT_EQUAL(peer.commands, before + 1);
	expect("/plain", "fg_mistyped", ACME, FG_ERR_API_KEY_MALFORMED);
	CU_ASSERT_EQUAL(peer.commands, before + 1);
}

static void
what_is_no_record_lets_nobody_in(void)
{
	static const char *const replies[] = {"+OK\r\n", ":1\r\n", "$-1\r\n", "*2\r\n$8\r\nconsumer\r\n:1\r\n", "*1\r\n$8\r\nconsumer\r\n",
	    "*2\r\n$6\r\nprefix\r\n$1\r\nx\r\n", "*4\r\n$8\r\nconsumer\r\n$1\r\na\r\n$4\r\nonly\r\n$1\r\nx\r\n",
	    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"};

	for (size_t i = 0; i < FG_ARRAY_LEN(replies); i++)
		expect("/fresh", "key-4", replies[i], FG_ERR_STORE_ERROR);
	expect("/fresh", "key-4", "*4\r\n$8\r\nconsumer\r\n$1\r\na\r\n$7\r\nrevoked\r\n$1\r\n5\r\n", FG_ERR_API_KEY_REVOKED);
	expect("/fresh", "key-4", "*4\r\n$8\r\nconsumer\r\n$1\r\na\r\n$7\r\nexpires\r\n$1\r\n5\r\n", FG_ERR_API_KEY_EXPIRED);
}

static void
without_the_store_what_was_said_lately_counts_where_it_may(void)
{
	expect("/fresh", "key-5", ACME, FG_OK);
	expect("/fresh", "key-5", "-LOADING Redis is loading the dataset in memory\r\n", FG_ERR_STORE_NOT_READY);
	expect("/stale", "key-5", "-LOADING Redis is loading the dataset in memory\r\n", FG_OK);
	expect("/stale", "key-6", "-LOADING Redis is loading the dataset in memory\r\n", FG_ERR_STORE_NOT_READY);
	/* what was good, then was not, is not good again for the store's being away */
	expect("/fresh", "key-5", "*0\r\n", FG_ERR_API_KEY_UNKNOWN);
	expect("/stale", "key-5", "-LOADING Redis is loading the dataset in memory\r\n", FG_ERR_STORE_NOT_READY);
}

static void
the_client_leaves_while_the_store_thinks(void)
{
	struct fg_exchange *x;
	unsigned before = peer.commands;

	redis_peer_say(&peer, NULL);
	scene_asks("GET", "/fresh");
	scene_with("HTTP_X_API_KEY", "key-7");
	x = scene_begin();
	fg_exchange_start(x);
	while (peer.commands == before)
		fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	fg_exchange_on_client_gone(x);
	scene_finish();
}

void
suite_auth_api_key_store(void)
{
	CU_pSuite suite = CU_add_suite("auth_api_key_store", set_up, tear_down);

	ADD_TEST(suite, the_store_says_who);
	ADD_TEST(suite, its_word_is_kept_for_a_while);
	ADD_TEST(suite, what_is_no_record_lets_nobody_in);
	ADD_TEST(suite, without_the_store_what_was_said_lately_counts_where_it_may);
	ADD_TEST(suite, the_client_leaves_while_the_store_thinks);
}
