/* lib/limit in a Cluster: limits of one request that count by different things lie in different slots. */
#include <stdlib.h>

#include "limit/limit_redis.h"
#include "support/redis_server.h"
#include "unit/redis_scene.h"

#define S INT64_C(1000000)
#define DAY (INT64_C(86400) * S)

struct told {
	bool is_over;
	enum fg_err err;
};

static void
on_told(void *arg, enum fg_err err)
{
	*(struct told *)arg = (struct told){true, err};
}

static bool
is_over(void *arg)
{
	return ((struct told *)arg)->is_over;
}

static void
make_key(struct fg_limit_key *key, const struct fg_limit *limit, unsigned number, unsigned who)
{
	struct fg_limit_part part = {.kind = who};
	uint8_t id[FG_LIMIT_ID_BYTES];
	struct fg_arena arena;
	char name[1] = {(char)('a' + number)};

	fg_arena_init(&arena, 1 << 16, NULL, 0);
	fg_limit_id(id, (struct fg_str){name, 1}, limit);
	fg_limit_key_make(key, id, &part, 1, true, &arena);
	fg_arena_fini(&arena);
}

static enum fg_err
ask_cluster(struct fg_limit_redis *cluster, struct redis_scene *there, struct fg_limit_ask *asks, size_t count)
{
	struct told told = {false, FG_OK};

	fg_limit_redis_ask(cluster, FG_LIMIT_TAKE, asks, count, 0, on_told, &told);
	redis_scene_wait(there, is_over, &told);
	return told.err;
}

static void
all_or_nothing_in_a_cluster(void)
{
	struct redis_server *nodes[REDIS_CLUSTER_NODES];
	struct redis_scene there;
	struct fg_limit_redis *cluster;
	/* By the real clock, which gives back one in hours, and none at a full hour. */
	struct fg_limit wide = {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 1000, .period = 360 * DAY, .burst = 1000};
	struct fg_limit narrow = {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 10, .period = 3600 * S, .burst = 10};
	struct fg_limit_ask asks[6];
	unsigned allowed = 0;

	redis_cluster_start(nodes);
	redis_scene_open(&there);
	redis_scene_connect(&there, "redis+cluster://127.0.0.1:%d", redis_server_port(nodes[0]));
	cluster = fg_limit_redis_new(there.redis, true);
	CU_ASSERT(fg_limit_init(&wide));
	CU_ASSERT(fg_limit_init(&narrow));
	for (int round = 0; round < 30; round++) {
		/* By five things, the last but one of which is the narrow limit's. */
		for (unsigned i = 0; i < 6; i++) {
			asks[i] = (struct fg_limit_ask){.limit = i == 4 ? &narrow : &wide, .cost = 1};
			make_key(&asks[i].key, asks[i].limit, i, i % 5);
		}
		CU_ASSERT_EQUAL(ask_cluster(cluster, &there, asks, 6), FG_OK);
		allowed += fg_limit_all_allowed(asks, 6);
	}
	CU_ASSERT_EQUAL(allowed, 10);
	/* Each of the others has ten fewer than before, not thirty. */
	for (unsigned i = 0; i < 6; i++) {
		if (i == 4)
			continue;
		CU_ASSERT_EQUAL(ask_cluster(cluster, &there, &asks[i], 1), FG_OK);
		CU_ASSERT_EQUAL(asks[i].result.remaining, 1000 - 11);
	}
	fg_limit_redis_free(cluster);
	redis_scene_close(&there);
	for (size_t i = 0; i < REDIS_CLUSTER_NODES; i++)
		redis_server_stop(nodes[i]);
}

void
suite_limit_cluster(void)
{
	CU_pSuite suite = CU_add_suite("limit_cluster", NULL, NULL);

	ADD_TEST(suite, all_or_nothing_in_a_cluster);
}
