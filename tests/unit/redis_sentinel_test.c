/* lib/redis with real sentinels: the master is found, and followed when it changes. */
#include <stdio.h>
#include <stdlib.h>

#include "support/redis_server.h"
#include "unit/redis_scene.h"

static struct redis_ha ha;

static int
set_up(void)
{
	redis_ha_start(&ha);
	return 0;
}

static int
tear_down(void)
{
	redis_ha_stop(&ha);
	return 0;
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
	redis_scene_open(scene);
	connect_to(scene, "mymaster");
}

/* 0 or 1: which of the servers the sentinels agree on; waits until the other is its replica again, and known. */
static int
settled_master(void)
{
	int master = -1;
	char text[64];

	while (master < 0)
		for (int i = 0; i < 2; i++) {
			snprintf(text, sizeof(text), "\r\n%d\r\n", redis_server_port(ha.servers[i]));
			if (strstr(redis_server_do(ha.sentinels[0], "SENTINEL get-master-addr-by-name mymaster"), text) != NULL &&
			    strstr(redis_server_do(ha.servers[i], "ROLE"), "master") != NULL)
				master = i;
		}
	for (int i = 0; i < REDIS_SENTINELS; i++) {
		snprintf(text, sizeof(text), "status=ok,address=127.0.0.1:%d", redis_server_port(ha.servers[master]));
		redis_server_until(ha.sentinels[i], "INFO sentinel", text);
	}
	redis_server_until(ha.servers[!master], "INFO replication", "master_link_status:up");
	return master;
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

static void
a_dead_master_is_left(void)
{
	int old = settled_master();
	struct redis_scene scene;

	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_OK);
	redis_server_kill(ha.servers[old]);
	redis_scene_until_open(&scene, FG_ERR_STORE_UNREACHABLE);
	redis_scene_recover(&scene);
	CU_ASSERT_PTR_NOT_NULL(strstr(redis_server_do(ha.servers[!old], "ROLE"), "master"));
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the sentinels name a master"), 2);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store fails"), 1);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the store answers again"), 1);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)], 0);
	redis_scene_close(&scene);
	redis_server_again(ha.servers[old]);
}

static void
a_hanging_master_is_left(void)
{
	int old = settled_master();
	struct redis_scene scene;

	redis_scene_open(&scene);
	scene.options.deadline = 50 * FG_US_PER_MS;
	scene.options.connect_timeout = 200 * FG_US_PER_MS;
	connect_to(&scene, "mymaster");
	redis_scene_recover(&scene);
	redis_server_pause(ha.servers[old]);
	redis_scene_until_open(&scene, FG_ERR_STORE_TIMEOUT);
	redis_scene_recover(&scene);
	CU_ASSERT_PTR_NOT_NULL(strstr(redis_server_do(ha.servers[!old], "ROLE"), "master"));
	redis_server_resume(ha.servers[old]);
	redis_scene_close(&scene);
}

static void
a_demoted_master_is_left(void)
{
	int old = settled_master();
	struct redis_scene scene;
	char text[32];

	open_scene(&scene);
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_OK);
	snprintf(text, sizeof(text), "\r\n%d\r\n", redis_server_port(ha.servers[!old]));
	/* Asked for again when it was given up. */
	while (strstr(redis_server_do(ha.sentinels[0], "SENTINEL get-master-addr-by-name mymaster"), text) == NULL)
		redis_server_do(ha.sentinels[0], "SENTINEL FAILOVER mymaster");
	for (int i = 0; i < REDIS_SENTINELS; i++)
		redis_server_until(ha.sentinels[i], "SENTINEL get-master-addr-by-name mymaster", text);
	redis_server_until(ha.servers[old], "ROLE", "slave");
	redis_scene_recover(&scene);
	CU_ASSERT_EQUAL(redis_scene_logged(&scene, "the sentinels name a master"), 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(redis_server_do(ha.servers[!old], "ROLE"), "master"));
	redis_scene_close(&scene);
}

/* The first sentinel is dead, the second hangs: the third is asked. */
static void
sentinels_may_fail(void)
{
	struct redis_scene scene;

	settled_master();
	redis_server_kill(ha.sentinels[0]);
	redis_server_pause(ha.sentinels[1]);
	redis_scene_open(&scene);
	scene.options.connect_timeout = 200 * FG_US_PER_MS;
	connect_to(&scene, "mymaster");
	CU_ASSERT_EQUAL(redis_ask(&scene, "SET a 1").err, FG_OK);
	redis_server_resume(ha.sentinels[1]);
	redis_server_again(ha.sentinels[0]);
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
	CU_pSuite suite = CU_add_suite("redis_sentinel", set_up, tear_down);

	ADD_TEST(suite, the_master_is_found);
	ADD_TEST(suite, a_dead_master_is_left);
	ADD_TEST(suite, a_hanging_master_is_left);
	ADD_TEST(suite, a_demoted_master_is_left);
	ADD_TEST(suite, sentinels_may_fail);
}
