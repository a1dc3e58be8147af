/* lib/redis: a query that was told of its deadline, and what becomes of the reply that it still waits for. */
#include <stdlib.h>
#include <sys/socket.h>

#include "unit/redis_peer.h"
#include "unit/redis_scene.h"

static struct redis_peer peer;
static struct fg_redis_script script;

/* One query: what its deadline told, then what came late. */
struct late {
	struct redis_scene *scene;
	struct fg_redis_query *query;
	bool waits_on; /* what fg_redis_await_late() said */
	unsigned timeouts, told;
	enum fg_err err;
};

static void
on_late(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct late *late = arg;

	CU_ASSERT_EQUAL(err == FG_OK, reply != NULL && reply->type != FG_REDIS_ERROR);
	late->told++;
	late->err = err;
}

static void
on_deadline(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct late *late = arg;

	(void)reply;
	CU_ASSERT_EQUAL(err, FG_ERR_STORE_TIMEOUT);
	late->timeouts++;
	late->waits_on = fg_redis_await_late(late->query, on_late, late);
}

static bool
is_timed_out(void *arg)
{
	return ((struct late *)arg)->timeouts > 0;
}

static bool
is_told(void *arg)
{
	return ((struct late *)arg)->told > 0;
}

/* Connected; from now on nothing is answered unless reply() does it. */
static void
open_scene(struct redis_scene *scene, bool greets)
{
	fg_redis_script_init(&script, FG_STR("return 1"));
	redis_scene_open(scene);
	scene->options.deadline = 50 * FG_US_PER_MS;
	redis_peer_open(&peer, scene->loop);
	redis_scene_connect(scene, "redis://127.0.0.1:%d", peer.port);
	if (greets) {
		redis_peer_say(&peer, "+OK\r\n");
		redis_scene_recover(scene);
	}
	peer.is_mute = true;
	redis_peer_say(&peer, NULL);
}

static void
close_scene(struct redis_scene *scene)
{
	CU_ASSERT_EQUAL(redis_scene_stats(scene).in_flight, 0);
	fg_redis_free(scene->redis);
	scene->redis = NULL;
	redis_peer_close(&peer);
	redis_scene_close(scene);
}

static void
time_out(struct redis_scene *scene, struct late *late)
{
	const struct fg_str key = FG_STR("k");

	*late = (struct late){.scene = scene};
	late->query = fg_redis_eval(scene->redis, &script, &key, 1, NULL, 0, on_deadline, late);
	redis_scene_wait(scene, is_timed_out, late);
}

static void
reply(const char *text)
{
	for (size_t i = 0; i < REDIS_PEER_CONNS; i++)
		if (peer.conns[i].fd >= 0)
			CU_ASSERT_EQUAL(send(peer.conns[i].fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Redis has done it, or it says that it has not: it is not asked again for somebody who has gone on. */
static void
it_hears_what_the_reply_is(void)
{
	static const struct {
		const char *reply;
		enum fg_err err;
	} cases[] = {
	    {"$4\r\nlate\r\n", FG_OK},
	    {"-NOSCRIPT No matching script.\r\n", FG_ERR_STORE_ERROR},
	    {"-MOVED 1 127.0.0.1:1\r\n", FG_ERR_STORE_ERROR},
	    {"-LOADING Redis is loading the dataset in memory\r\n", FG_ERR_STORE_NOT_READY},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		struct redis_scene scene;
		struct late late;

		open_scene(&scene, true);
		time_out(&scene, &late);
		CU_ASSERT(late.waits_on);
		reply(cases[i].reply);
		redis_scene_wait(&scene, is_told, &late);
		CU_ASSERT_EQUAL(late.err, cases[i].err);
		/* The connection goes on with the replies in their order. */
		redis_peer_say(&peer, "+OK\r\n");
		redis_scene_recover(&scene);
		CU_ASSERT_NOT_EQUAL(strncmp(peer.last, "EVAL", 4), 0);
		CU_ASSERT_EQUAL(late.timeouts, 1);
		CU_ASSERT_EQUAL(late.told, 1);
		CU_ASSERT(redis_scene_stats(&scene).late_replies >= 1);
		CU_ASSERT_EQUAL(redis_scene_stats(&scene).scripts_loaded, 0);
		CU_ASSERT_EQUAL(redis_scene_stats(&scene).connects, 1);
		close_scene(&scene);
	}
}

static void
it_hears_that_the_connection_is_lost(void)
{
	struct redis_scene scene;
	struct late late;

	open_scene(&scene, true);
	time_out(&scene, &late);
	for (size_t i = 0; i < REDIS_PEER_CONNS; i++)
		if (peer.conns[i].fd >= 0)
			CU_ASSERT_EQUAL(shutdown(peer.conns[i].fd, SHUT_WR), 0);
	redis_scene_wait(&scene, is_told, &late);
	CU_ASSERT_EQUAL(late.err, FG_ERR_STORE_UNREACHABLE);
	CU_ASSERT_EQUAL(late.told, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).late_replies, 0);
	close_scene(&scene);
}

static bool
has_late_reply(void *arg)
{
	return redis_scene_stats(arg).late_replies > 0;
}

static void
cancelled_it_hears_nothing(void)
{
	struct redis_scene scene;
	struct late late;

	open_scene(&scene, true);
	time_out(&scene, &late);
	fg_redis_cancel(late.query);
	reply(":1\r\n");
	redis_scene_wait(&scene, has_late_reply, &scene);
	CU_ASSERT_EQUAL(late.told, 0);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).cancelled, 0);
	/* The query is used again. */
	time_out(&scene, &late);
	CU_ASSERT(late.waits_on);
	reply(":1\r\n");
	redis_scene_wait(&scene, is_told, &late);
	close_scene(&scene);
}

/* One that was sent, and one that never was, for there was no connection. */
static void
freed_it_hears_nothing(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct redis_scene scene;
		struct late late;

		open_scene(&scene, i == 0);
		time_out(&scene, &late);
		CU_ASSERT_EQUAL(late.waits_on, i == 0);
		close_scene(&scene);
		CU_ASSERT_EQUAL(late.told, 0);
	}
}

void
suite_redis_late(void)
{
	CU_pSuite suite = CU_add_suite("redis_late", NULL, NULL);

	ADD_TEST(suite, it_hears_what_the_reply_is);
	ADD_TEST(suite, it_hears_that_the_connection_is_lost);
	ADD_TEST(suite, cancelled_it_hears_nothing);
	ADD_TEST(suite, freed_it_hears_nothing);
}
