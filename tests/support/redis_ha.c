/* Redis Sentinel, without its chances. */
#include "support/redis_ha.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/*
 * They look far more often than they would, so that the tests need not wait for them; the bounds between the periods
 * are Sentinel's. A replica is fit to be promoted while its INFO is younger than 3 INFO periods and, with the master
 * down, than 5 PING periods: both more than the second after which INFO is asked for then. And a server is not pinged
 * before one PING period is over since the sentinel heard of it: were that as long as down-after, each new master would
 * be found dead at first, and be failed over again.
 */
#define PERIODS "SENTINEL DEBUG INFO-PERIOD 700 PING-PERIOD 400 ASK-PERIOD 50 PUBLISH-PERIOD 100"
/*
 * Of those that do not fail over. A sentinel that still holds with the old master makes a replica again of what has been
 * called a master for 4 of its PUBLISH periods: that must be longer than it takes the first to hear of the promotion, by
 * INFO again, and to tell.
 */
#define BYSTANDERS "SENTINEL DEBUG PUBLISH-PERIOD 10000"
enum { PATIENCE_MS = 120000, STEP_MS = 20 };

#define DOWN_AFTER_NEVER 600000
/*
 * A replica is not fit either whose link has been down for ten times as long before the master was found dead: that must be longer
 * than the 30 seconds for which a sentinel does nothing that has stood still for two.
 */
#define DOWN_AFTER_SOON 4500

static void
start_sentinels(struct redis_ha *ha)
{
	char config[256], text[128];

	snprintf(config, sizeof(config),
	    "sentinel monitor mymaster 127.0.0.1 %d 2\nsentinel down-after-milliseconds mymaster %d\n"
	    "sentinel failover-timeout mymaster 20000\n", redis_server_port(ha->master), DOWN_AFTER_NEVER);
	for (int i = 0; i < REDIS_SENTINELS; i++) {
		ha->sentinels[i] = redis_server_start(&(struct redis_server_options){.config = config, .sentinel = true});
		redis_server_do(ha->sentinels[i], PERIODS);
	}
	snprintf(text, sizeof(text), "status=ok,address=127.0.0.1:%d,slaves=1,sentinels=3", redis_server_port(ha->master));
	for (int i = 0; i < REDIS_SENTINELS; i++) {
		redis_server_until(ha->sentinels[i], "INFO sentinel", text);
		redis_server_until(ha->sentinels[i], "SENTINEL REPLICAS mymaster", "master-link-status\r\n$2\r\nok\r\n");
	}
	for (int i = 1; i < REDIS_SENTINELS; i++)
		redis_server_do(ha->sentinels[i], BYSTANDERS);
}

void
redis_ha_start(struct redis_ha *ha)
{
	char config[64];

	*ha = (struct redis_ha){.master = redis_server_start(NULL)};
	snprintf(config, sizeof(config), "replicaof 127.0.0.1 %d\n", redis_server_port(ha->master));
	ha->replica = redis_server_start(&(struct redis_server_options){.config = config});
	redis_server_until(ha->replica, "INFO replication", "master_link_status:up");
	start_sentinels(ha);
}

void
redis_ha_stop(struct redis_ha *ha)
{
	for (int i = 0; i < REDIS_SENTINELS; i++)
		redis_server_stop(ha->sentinels[i]);
	redis_server_stop(ha->replica);
	redis_server_stop(ha->master);
	*ha = (struct redis_ha){.master = NULL};
}

void
redis_ha_until_failed_over(struct redis_ha *ha)
{
	char text[32];

	snprintf(text, sizeof(text), "\r\n%d\r\n", redis_server_port(ha->replica));
	for (int i = 0; i < REDIS_SENTINELS; i++)
		redis_server_until(ha->sentinels[i], "SENTINEL get-master-addr-by-name mymaster", text);
}

void
redis_ha_fail_over(struct redis_ha *ha)
{
	char port[16], old[48];
	int len = snprintf(port, sizeof(port), "%d", redis_server_port(ha->master));

	snprintf(old, sizeof(old), "\r\nport\r\n$%d\r\n%s\r\n", len, port);
	for (int tries = 0; tries < PATIENCE_MS / STEP_MS; tries++) {
		const char *said = redis_server_do(ha->sentinels[0], "SENTINEL MASTER mymaster");

		if (strstr(said, old) == NULL)
			break;
		/* One that has stood still for two seconds does nothing for 30, and has given up what it was at. */
		if (strstr(said, "failover_in_progress") == NULL)
			redis_server_do(ha->sentinels[0], "SENTINEL FAILOVER mymaster");
		poll(NULL, 0, STEP_MS);
	}
	redis_ha_until_failed_over(ha);
}

void
redis_ha_watch(struct redis_ha *ha)
{
	redis_server_do(ha->sentinels[0], "SENTINEL SET mymaster quorum 1 down-after-milliseconds %d", DOWN_AFTER_SOON);
}
