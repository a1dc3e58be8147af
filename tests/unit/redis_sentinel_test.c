/* lib/redis with real sentinels: the master is found, and followed when it changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/redis_ha.h"
#include "unit/redis_scene.h"

static struct redis_ha ha; /* of the test that runs */

static void
tear_down(void)
{
	redis_ha_stop(&ha);
}

static void
connect_to(struct redis_scene *scene, const char *master)
{
	redis_scene_connect(scene, "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/%s/0",
	    redis_server_port(ha.sentinels[0]), redis_server_port(ha.sentinels[1]), redis_server_port(ha.sentinels[2]), master);
}

static void
open_scene(struct redis_scene *scene)
{
	redis_ha_start(&ha);
	redis_scene_open(scene);
	connect_to(scene, "mymaster");
}

static bool
is_master(struct redis_server *server)
{
	return strstr(redis_server_do(server, "ROLE"), "master") != NULL;
}

static void
the_master_is_found(void)
{
	struct redis_scene scene;

	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_OK);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).discoveries, 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breaker_opened, 0);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the sentinels name a master"), 1);
	connect_to(&scene, "nobody");
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_ERR_STORE_NOT_READY);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "no sentinel that answers knows the master"), 1);
	redis_scene_close(&scene);
}

/* The sentinels find out by themselves, and elect. */
static void
a_dead_master_is_left(void)
{
	struct redis_scene scene;

	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_OK);
	redis_server_kill(ha.master);
	redis_scene_until_open(&scene, FG_ERR_STORE_UNREACHABLE);
	redis_ha_watch(&ha);
	redis_ha_until_failed_over(&ha);
	redis_scene_recover(&scene);
	CU_ASSERT(is_master(ha.replica));
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the sentinels name a master"), 2);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store answers again"), 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)], 0);
	redis_scene_close(&scene);
}

static void
a_hanging_master_is_left(void)
{
	struct redis_scene scene;

	redis_ha_start(&ha);
	redis_scene_open(&scene);
	scene.options.deadline = 50 * FG_US_PER_MS;
	scene.options.connect_timeout = 200 * FG_US_PER_MS;
	connect_to(&scene, "mymaster");
	redis_scene_recover(&scene);
	redis_server_pause(ha.master);
	redis_scene_until_open(&scene, FG_ERR_STORE_TIMEOUT);
	redis_ha_fail_over(&ha);
	redis_scene_recover(&scene);
	CU_ASSERT(is_master(ha.replica));
	redis_scene_close(&scene);
}

static void
a_demoted_master_is_left(void)
{
	struct redis_scene scene;

	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_OK);
	redis_ha_fail_over(&ha);
	redis_server_until(ha.master, "ROLE", "slave");
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the sentinels name a master"), 2);
	CU_ASSERT(is_master(ha.replica));
	redis_scene_close(&scene);
}

/* The first sentinel is dead, the second hangs: the third is asked. */
static void
sentinels_may_fail(void)
{
	struct redis_scene scene;

	redis_ha_start(&ha);
	redis_server_kill(ha.sentinels[0]);
	redis_server_pause(ha.sentinels[1]);
	redis_scene_open(&scene);
	scene.options.connect_timeout = 200 * FG_US_PER_MS;
	connect_to(&scene, "mymaster");
	/* At the first go, unless this machine stands still for as long as one that hangs. */
	redis_scene_recover(&scene);
	scene.options.connect_timeout = 20 * FG_US_PER_S;
	/* And one that wants a password. */
	redis_server_do(ha.sentinels[2], "ACL SETUSER default resetpass >open-sesame");
	redis_scene_connect(&scene, "redis+sentinel://127.0.0.1:%d/mymaster", redis_server_port(ha.sentinels[2]));
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_ERR_STORE_REFUSED);
	scene.sentinel_password = "open-sesame";
	redis_scene_connect(&scene, "redis+sentinel://127.0.0.1:%d/mymaster", redis_server_port(ha.sentinels[2]));
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_OK);
	redis_scene_close(&scene);
}

void
suite_redis_sentinel(void)
{
	CU_pSuite suite = CU_add_suite_with_setup_and_teardown("redis_sentinel", NULL, NULL, NULL, tear_down);

	ADD_TEST(suite, the_master_is_found);
	ADD_TEST(suite, a_dead_master_is_left);
	ADD_TEST(suite, a_hanging_master_is_left);
	ADD_TEST(suite, a_demoted_master_is_left);
	ADD_TEST(suite, sentinels_may_fail);
}
