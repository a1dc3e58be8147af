/* lib/redis with a peer that breaks the rules, or plays what a real server does too seldom. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"
#include "unit/redis_peer.h"
#include "unit/redis_scene.h"

static struct redis_peer peer;

static void
open_scene(struct redis_scene *scene)
{
	redis_scene_open(scene);
	redis_peer_open(&peer, scene->loop);
	redis_scene_connect(scene, "redis://127.0.0.1:%d", peer.port);
}

static void
close_scene(struct redis_scene *scene)
{
	fg_redis_free(scene->redis);
	scene->redis = NULL;
	redis_peer_close(&peer);
	redis_scene_close(scene);
}

/* Well again: the same client is answered. */
static void
mend(struct redis_scene *scene)
{
	peer.is_mute = peer.closes_at_once = false;
	peer.then = PEER_KEEPS;
	peer.piece = 0;
	redis_peer_say(&peer, "+OK\r\n");
	redis_scene_recover(scene);
}

static void
errors_are_told_apart(void)
{
	static const struct {
		const char *reply;
		enum fg_err err;
	} cases[] = {
	    {"-LOADING Redis is loading the dataset in memory\r\n", FG_ERR_STORE_NOT_READY},
	    {"-READONLY You can't write against a read only replica.\r\n", FG_ERR_STORE_NOT_READY},
	    {"-MASTERDOWN Link with MASTER is down\r\n", FG_ERR_STORE_NOT_READY},
	    {"-CLUSTERDOWN The cluster is down\r\n", FG_ERR_STORE_NOT_READY},
	    {"-BUSY Redis is busy running a script\r\n", FG_ERR_STORE_NOT_READY},
	    {"-NOREPLICAS Not enough good replicas to write.\r\n", FG_ERR_STORE_NOT_READY},
	    {"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", FG_ERR_STORE_NOT_READY},
	    {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", FG_ERR_STORE_FULL},
	    {"-WRONGPASS invalid username-password pair\r\n", FG_ERR_STORE_REFUSED},
	    {"-NOAUTH Authentication required.\r\n", FG_ERR_STORE_REFUSED},
	    {"-NOPERM this user has no permissions\r\n", FG_ERR_STORE_REFUSED},
	    {"-ERR unknown command\r\n", FG_ERR_STORE_ERROR},
	    {"-NOSCRIPT No matching script.\r\n", FG_ERR_STORE_ERROR}, /* to a plain command */
	    {"-MOVED 3999 127.0.0.1:6381\r\n", FG_ERR_STORE_ERROR},    /* by redis:// instead of redis+cluster:// */
	    {"-\r\n", FG_ERR_STORE_ERROR},
	    {"-LOADINGS of it\r\n", FG_ERR_STORE_ERROR},
	    /* Redis 6: a script's error is told inside another */
	    {"-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed\r\n",
	        FG_ERR_STORE_FULL},
	    {"-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't\r\n",
	        FG_ERR_STORE_NOT_READY},
	    {"-ERR Error running script (call to f_1): @user_script:1: x - y\r\n", FG_ERR_STORE_ERROR},
	};
	struct redis_scene scene;

	open_scene(&scene);
	mend(&scene);
	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		struct redis_told told;

		redis_peer_say(&peer, cases[i].reply);
		told = redis_ask(&scene, "GET a");
		if (told.err != cases[i].err)
			fprintf(stderr, "%s: %s\n", cases[i].reply, fg_err_token(told.err));
		CU_ASSERT_EQUAL(told.err, cases[i].err);
		CU_ASSERT_EQUAL(told.type, FG_REDIS_ERROR);
		mend(&scene);
	}
	close_scene(&scene);
}

/* Each breaks the connection, which is made anew: the next query is answered, unless the breaker has opened. */
static void
replies_that_make_no_sense(void)
{
	static const char *const replies[] = {
	    "hello\r\n", "?\r\n", ":x\r\n", "$x\r\n", "*x\r\n", "$-2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
	    "*2147483647\r\n", "*1000000\r\n", "*2\r\n*30000\r\n",
	};
	struct redis_scene scene;

	for (size_t i = 0; i < FG_ARRAY_LEN(replies); i++) {
		struct redis_told told;

		open_scene(&scene);
		redis_peer_say(&peer, replies[i]);
		told = redis_ask(&scene, "GET a");
		CU_ASSERT(told.err == FG_ERR_STORE_ERROR || told.err == FG_ERR_STORE_UNREACHABLE);
		CU_ASSERT_EQUAL(redis_scene_stats(&scene).disconnects, 1);
		mend(&scene);
		close_scene(&scene);
	}
}

static void
more_than_was_asked_for(void)
{
	struct redis_scene scene;

	open_scene(&scene);
	redis_peer_say(&peer, "+one\r\n+two\r\n");
	CU_ASSERT_STRING_EQUAL(redis_ask(&scene, "GET a").text, "one");
	mend(&scene);
	CU_ASSERT(redis_scene_stats(&scene).disconnects >= 1);
	close_scene(&scene);
}

static char *
make_bulk(size_t len)
{
	char *reply = malloc(len + 64);
	int head = snprintf(reply, 64, "$%zu\r\n", len);

	memset(reply + head, 'x', len);
	memcpy(reply + head + len, "\r\n", 3);
	return reply;
}

static void
replies_are_bounded(void)
{
	struct redis_scene scene;
	char *fits = make_bulk(FG_MAX_REDIS_REPLY_BYTES - 4096), *large = make_bulk(4 * FG_MAX_REDIS_REPLY_BYTES);

	/* Its end does not come: it is too large long before. */
	large[2 * FG_MAX_REDIS_REPLY_BYTES] = '\0';
	open_scene(&scene);
	redis_peer_say(&peer, fits);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET a").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).disconnects, 0);
	redis_peer_say(&peer, large);
	redis_ask(&scene, "GET a");
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).disconnects, 1);
	mend(&scene);
	close_scene(&scene);
	free(fits);
	free(large);
}

static void
queries_are_bounded(void)
{
	struct redis_scene scene;
	struct redis_told told = {.told = 0};
	struct fg_redis_script script;
	char *large = malloc(FG_MAX_REDIS_QUERY_BYTES);

	memset(large, 'x', FG_MAX_REDIS_QUERY_BYTES);
	fg_redis_script_init(&script, FG_STR("return 1"));
	open_scene(&scene);
	redis_told_eval(&scene, &told, &script, FG_STR("k"), (struct fg_str){large, FG_MAX_REDIS_QUERY_BYTES});
	redis_told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_ERROR);
	redis_told_eval(&scene, &told, &script, FG_STR("k"), (struct fg_str){large, FG_MAX_REDIS_QUERY_BYTES - 200});
	redis_told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(peer.commands, 1);
	close_scene(&scene);
	free(large);
}

static void
replies_come_in_pieces(void)
{
	struct redis_scene scene;
	struct redis_told told;

	open_scene(&scene);
	peer.piece = 1;
	redis_peer_say(&peer, "*4\r\n:-12\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n+x\r\n:1\r\n");
	told = redis_ask(&scene, "GET a");
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_STRING_EQUAL(told.items, "-12 a\r\nbc   ");
	close_scene(&scene);
}

static void
reset_in_mid_reply(void)
{
	struct redis_scene scene;

	for (enum redis_peer_then then = PEER_CLOSES; then <= PEER_RESETS; then++) {
		struct fg_redis_stats stats;

		open_scene(&scene);
		mend(&scene);
		redis_peer_say(&peer, "$10\r\nhalf");
		peer.then = then;
		redis_scene_until_open(&scene, FG_ERR_STORE_UNREACHABLE);
		stats = redis_scene_stats(&scene);
		CU_ASSERT_EQUAL(stats.failures[FG_REDIS_FAILURE(FG_ERR_STORE_UNREACHABLE)], scene.options.breaker_failures);
		CU_ASSERT_EQUAL(stats.failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)], 0);
		CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
		mend(&scene);
		CU_ASSERT_EQUAL(redis_scene_logged(&scene, "answers again"), 1);
		close_scene(&scene);
	}
}

/* It accepts and says nothing, or hangs up: not asked again at the speed of the loop. */
static void
no_greeting(void)
{
	struct redis_scene scene;

	redis_scene_open(&scene);
	scene.options.connect_timeout = 20 * FG_US_PER_MS;
	redis_peer_open(&peer, scene.loop);
	peer.is_mute = true;
	redis_scene_connect(&scene, "redis://:pw@127.0.0.1:%d/1", peer.port);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET a").err, FG_ERR_STORE_UNREACHABLE);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET a").err, FG_ERR_STORE_UNAVAILABLE);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "connect-timeout"), 1);
	mend(&scene);
	close_scene(&scene);

	redis_scene_open(&scene);
	redis_peer_open(&peer, scene.loop);
	peer.closes_at_once = true;
	redis_scene_connect(&scene, "redis://127.0.0.1:%d/1", peer.port);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET a").err, FG_ERR_STORE_UNREACHABLE);
	CU_ASSERT_EQUAL(peer.accepted, 1);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET a").err, FG_ERR_STORE_UNAVAILABLE);
	mend(&scene);
	close_scene(&scene);
}

static bool
has_probed(void *arg)
{
	return redis_scene_stats(arg).probes >= 10;
}

/* With the breaker open, probes alone reach it, one at a time; each that hangs is on a new connection. */
static void
probes_alone_reach_it(void)
{
	struct redis_scene scene;
	unsigned commands;

	redis_scene_open(&scene);
	scene.options.deadline = 10 * FG_US_PER_MS;
	redis_peer_open(&peer, scene.loop);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", peer.port);
	mend(&scene);
	redis_peer_say(&peer, NULL);
	redis_scene_until_open(&scene, FG_ERR_STORE_TIMEOUT);
	commands = peer.commands;
	redis_scene_wait(&scene, has_probed, &scene);
	CU_ASSERT_STRING_EQUAL(peer.last, "PING");
	CU_ASSERT(peer.commands - commands <= redis_scene_stats(&scene).probes);
	CU_ASSERT(peer.accepted >= 9);
	/* A probe that passes lets queries through; the first that fails ends that at once. */
	redis_peer_say(&peer, NULL);
	peer.rules[0].begins = "PING";
	peer.rules[0].reply = "+PONG\r\n";
	peer.rules[1].begins = "";
	while (!fg_redis_is_available(scene.redis, FG_STR_NONE))
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(redis_ask(&scene, "GET a").err, FG_ERR_STORE_TIMEOUT);
	CU_ASSERT(!fg_redis_is_available(scene.redis, FG_STR_NONE));
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	mend(&scene);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store answers again"), 1);
	close_scene(&scene);
}

/* EVAL once, and not again. */
static void
a_script_that_stays_unknown(void)
{
	struct redis_scene scene;
	struct fg_redis_script script;
	struct redis_told told;

	fg_redis_script_init(&script, FG_STR("return 1"));
	open_scene(&scene);
	redis_peer_say(&peer, "-NOSCRIPT No matching script.\r\n");
	told = redis_run(&scene, &script, "k", "arg");
	CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_ERROR);
	CU_ASSERT_EQUAL(peer.commands, 2);
	CU_ASSERT_STRING_EQUAL(peer.last, "EVAL return 1 1 k arg");
	close_scene(&scene);
}

/* A worker that was late itself: what has arrived by then counts. */
static void
a_late_worker_reads_first(void)
{
	struct redis_scene scene;
	struct redis_told told = {.told = 0};
	struct timespec now;
	int tries = 0;
	long until_ms;

	redis_scene_open(&scene);
	redis_peer_open(&peer, scene.loop);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", peer.port);
	mend(&scene);
	close_scene(&scene);

	redis_scene_open(&scene);
	scene.options.deadline = 30 * FG_US_PER_MS;
	redis_peer_open(&peer, scene.loop);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", peer.port);
	mend(&scene);
	/* Until the deadline has not passed before the peer has answered: it is played by the same loop. */
	do {
		unsigned commands = peer.commands;

		CU_ASSERT_FATAL(tries++ < 10);
		told = (struct redis_told){.told = 0};
		redis_told_start(&scene, &told, "", "GET a");
		fg_loop_turn(scene.loop, false);
		while (told.told == 0 && (peer.commands == commands || strcmp(peer.last, "GET a") != 0))
			fg_loop_turn(scene.loop, true);
	} while (told.told > 0 && told.err != FG_OK);
	if (told.told == 0) {
		/* The reply is in the socket; now something takes longer than the deadline. */
		clock_gettime(CLOCK_MONOTONIC, &now);
		until_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000 + 50;
		do
			clock_gettime(CLOCK_MONOTONIC, &now);
		while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < until_ms);
		redis_told_wait(&told);
	}
	CU_ASSERT_EQUAL(told.err, FG_OK);
	close_scene(&scene);
}

/* ---- a Cluster of one that is played */

static char slots_reply[256], redirect_reply[128];

static void
open_cluster(struct redis_scene *scene)
{
	redis_scene_open(scene);
	redis_peer_open(&peer, scene->loop);
	snprintf(slots_reply, sizeof(slots_reply), "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:%d\r\n", peer.port);
	redis_peer_say(&peer, "+OK\r\n");
	peer.rules[0].begins = "CLUSTER SLOTS";
	peer.rules[0].reply = slots_reply;
	peer.rules[1].begins = "GET";
	peer.rules[1].reply = "$1\r\nx\r\n";
	peer.rules[2].begins = "";
	peer.rules[2].reply = "+OK\r\n";
}

static void
played_redirects(void)
{
	struct redis_scene scene;
	struct redis_told told;

	open_cluster(&scene);
	redis_scene_connect(&scene, "redis+cluster://127.0.0.1:%d", peer.port);
	redis_scene_recover(&scene);
	told = redis_ask_key(&scene, "a", "GET a");
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).discoveries, 1);
	/* Round and round: ended by the bound, not by the deadline. */
	snprintf(redirect_reply, sizeof(redirect_reply), "-MOVED 15495 127.0.0.1:%d\r\n", peer.port);
	peer.rules[1].reply = redirect_reply;
	told = redis_ask_key(&scene, "a", "GET a");
	CU_ASSERT_EQUAL(told.err, FG_ERR_STORE_NOT_READY);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).redirects, FG_MAX_REDIS_REDIRECTS);
	/* Redirects that lead nowhere. */
	peer.rules[1].reply = "-MOVED 99999 127.0.0.1:1\r\n";
	CU_ASSERT_EQUAL(redis_ask_key(&scene, "a", "GET a").err, FG_ERR_STORE_ERROR);
	peer.rules[1].reply = "-MOVED 1\r\n";
	CU_ASSERT_EQUAL(redis_ask_key(&scene, "a", "GET a").err, FG_ERR_STORE_ERROR);
	peer.rules[1].reply = "-ASK 1 nowhere\r\n";
	CU_ASSERT_EQUAL(redis_ask_key(&scene, "a", "GET a").err, FG_ERR_STORE_ERROR);
	close_scene(&scene);
}

/* Again and again, until the deadline; one that passes while the peer is asked is another matter. */
static void
played_retries(void)
{
	struct redis_scene scene;
	struct redis_told told;
	int tries = 0;

	open_cluster(&scene);
	scene.options.deadline = 100 * FG_US_PER_MS;
	redis_scene_connect(&scene, "redis+cluster://127.0.0.1:%d", peer.port);
	redis_scene_recover(&scene);
	peer.rules[1].reply = "-TRYAGAIN Multiple keys\r\n";
	while (redis_ask_key(&scene, "a", "GET a").err != FG_ERR_STORE_NOT_READY) {
		CU_ASSERT_FATAL(++tries < 10);
		redis_scene_recover(&scene);
	}
	CU_ASSERT(redis_scene_stats(&scene).retries > 1);
	/* Cancelled while it waits for its next try. */
	told = (struct redis_told){.told = 0};
	redis_told_start(&scene, &told, "a", "GET a");
	for (uint64_t retries = redis_scene_stats(&scene).retries; redis_scene_stats(&scene).retries == retries;)
		fg_loop_turn(scene.loop, true);
	fg_redis_cancel(told.query);
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(told.told, 0);
	peer.rules[1].reply = "$1\r\nx\r\n";
	for (tries = 0; redis_ask_key(&scene, "a", "GET a").err != FG_OK; tries++) {
		CU_ASSERT_FATAL(tries < 10);
		redis_scene_recover(&scene);
	}
	close_scene(&scene);
}

static void
maps_that_make_no_sense(void)
{
	static const char *const maps[] = {
	    "*0\r\n", "+OK\r\n", "$-1\r\n", "-ERR This instance has cluster support disabled\r\n", "*1\r\n:1\r\n",
	    "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$0\r\n\r\n:1\r\n", "*1\r\n*3\r\n:5\r\n:4\r\n*2\r\n$0\r\n\r\n:1\r\n",
	    "*1\r\n*3\r\n:-1\r\n:4\r\n*2\r\n$0\r\n\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:4\r\n*2\r\n$0\r\n\r\n:0\r\n",
	    "*1\r\n*3\r\n:0\r\n:4\r\n:1\r\n",
	};
	struct redis_scene scene;

	for (size_t i = 0; i < FG_ARRAY_LEN(maps); i++) {
		open_cluster(&scene);
		peer.rules[0].reply = maps[i];
		redis_scene_connect(&scene, "redis+cluster://127.0.0.1:%d", peer.port);
		CU_ASSERT_NOT_EQUAL(redis_ask_key(&scene, "a", "GET a").err, FG_OK);
		/* It becomes a Cluster. */
		peer.rules[0].reply = slots_reply;
		redis_scene_recover(&scene);
		close_scene(&scene);
	}
}

void
suite_redis_peer(void)
{
	CU_pSuite suite = CU_add_suite("redis_peer", NULL, NULL);

	ADD_TEST(suite, errors_are_told_apart);
	ADD_TEST(suite, replies_that_make_no_sense);
	ADD_TEST(suite, more_than_was_asked_for);
	ADD_TEST(suite, replies_are_bounded);
	ADD_TEST(suite, queries_are_bounded);
	ADD_TEST(suite, replies_come_in_pieces);
	ADD_TEST(suite, reset_in_mid_reply);
	ADD_TEST(suite, no_greeting);
	ADD_TEST(suite, probes_alone_reach_it);
	ADD_TEST(suite, a_script_that_stays_unknown);
	ADD_TEST(suite, a_late_worker_reads_first);
	ADD_TEST(suite, played_redirects);
	ADD_TEST(suite, played_retries);
	ADD_TEST(suite, maps_that_make_no_sense);
}
