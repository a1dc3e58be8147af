/*
 * A master, a replica of it, and three sentinels that watch it as "mymaster". Nothing happens among them by itself: no
 * sentinel would find the master dead within a test. So each failover is one that the test asked for, and the only one.
 */
#ifndef FG_TESTS_REDIS_HA_H
#define FG_TESTS_REDIS_HA_H

#include "support/redis_server.h"

enum { REDIS_SENTINELS = 3 };

struct redis_ha {
	struct redis_server *master, *replica; /* as they begin */
	struct redis_server *sentinels[REDIS_SENTINELS];
};

/* All know each other, and the replica has what the master has, once this returns. */
void redis_ha_start(struct redis_ha *ha);
/* Also what was never started, or is stopped. */
void redis_ha_stop(struct redis_ha *ha);
/* The first sentinel makes the replica the master, whatever the master does. Returns when all sentinels name it. */
void redis_ha_fail_over(struct redis_ha *ha);
/* From now on the first sentinel finds out within a second that the master does not answer; the others elect it. */
void redis_ha_watch(struct redis_ha *ha);
/* Waits until all sentinels name what was the replica. */
void redis_ha_until_failed_over(struct redis_ha *ha);

#endif
