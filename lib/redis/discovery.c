/*
 * Who is to be asked for the data: sentinels name a master, nodes of a Cluster give the map of slots. One after the other
 * is asked, on a connection of its own, beginning with the one that knew last.
 */
#include "redis/redis_internal.h"

static unsigned
candidate_count(const struct fg_redis *redis)
{
	return (unsigned)redis->spec.address_count + (redis->spec.mode == FG_REDIS_CLUSTER ? redis->node_count : 0);
}

/* False when there is no use in asking it. In a Cluster the nodes of the map come first, then the configured ones. */
static bool
candidate(const struct fg_redis *redis, unsigned i, struct fg_redis_where *out)
{
	const struct fg_redis_address *address;

	if (redis->spec.mode == FG_REDIS_CLUSTER) {
		if (i < redis->node_count) {
			*out = redis->nodes[i]->where;
			return redis->nodes[i]->is_wanted && redis->nodes[i]->breaker.state == FG_REDIS_CLOSED;
		}
		i -= redis->node_count;
	}
	address = &redis->spec.addresses[i];
	return fg_redis_where_set(out, address->host, address->port);
}

static void
ask(struct fg_redis_discovery *discovery)
{
	struct fg_redis *redis = discovery->redis;
	unsigned count = candidate_count(redis);
	struct fg_redis_where where;

	/* One of the configured addresses is always among them. */
	while (!candidate(redis, discovery->at % count, &where)) {
		discovery->at++;
		discovery->tried++;
	}
	fg_timer_start(&discovery->timer, redis->options.connect_timeout);
	fg_redis_conn_open(&discovery->conn, &where);
}

static void
finish(struct fg_redis_discovery *discovery)
{
	fg_timer_stop(&discovery->timer);
	fg_redis_conn_close(&discovery->conn);
	discovery->is_running = false;
	discovery->ended_at = fg_redis_now(discovery->redis);
}

static void
fail(struct fg_redis_discovery *discovery, enum fg_err err, struct fg_str detail)
{
	struct fg_redis *redis = discovery->redis;

	discovery->is_running = false;
	if (redis->spec.mode == FG_REDIS_SENTINEL)
		fg_redis_node_not_found(redis->nodes[0], err, detail);
	else
		fg_redis_cluster_failed(redis, err, detail);
}

/* This one did not know. */
static void
move_on(struct fg_redis_discovery *discovery, enum fg_err err, struct fg_str detail)
{
	char copy[128];

	/* detail may lie in the reply, which goes with the connection. */
	detail = fg_str_slice(detail, 0, sizeof(copy));
	memcpy(copy, detail.p, detail.len);
	finish(discovery);
	discovery->at++;
	if (++discovery->tried >= candidate_count(discovery->redis)) {
		fail(discovery, err, (struct fg_str){copy, detail.len});
		return;
	}
	discovery->is_running = true;
	ask(discovery);
}

/* What sentinels say. */
static bool
take_master(struct fg_redis *redis, const struct fg_redis_reply *reply)
{
	struct fg_redis_where where;
	uint64_t port;

	if (reply->type != FG_REDIS_ARRAY || reply->count != 2 || !fg_str_to_u64(reply->items[1].str, &port) || port == 0 ||
	    port > 65535 || !fg_redis_where_set(&where, reply->items[0].str, (unsigned)port))
		return false;
	fg_redis_node_found(redis->nodes[0], fg_str_from(where.host), where.port);
	return true;
}

static void
on_answer(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_redis_discovery *discovery = arg;
	struct fg_redis *redis = discovery->redis;
	bool is_sentinel = redis->spec.mode == FG_REDIS_SENTINEL;

	if (reply == NULL)
		return; /* the connection broke: on_down, or who closed it, goes on */
	if (err != FG_OK) {
		move_on(discovery, err, reply->str);
		return;
	}
	/* Still running, so that nothing that this leads to begins another round. */
	if (is_sentinel ? take_master(redis, reply) : fg_redis_cluster_take(redis, &discovery->conn.where, reply)) {
		redis->stats.discoveries++;
		finish(discovery);
		return;
	}
	move_on(discovery, FG_ERR_STORE_NOT_READY, is_sentinel ? FG_STR("no sentinel that answers knows the master") :
	    FG_STR("no node that answers has a map of slots"));
}

static void
on_ready(void *arg)
{
	struct fg_redis_discovery *discovery = arg;
	struct fg_redis *redis = discovery->redis;
	struct fg_redis_query *question;

	if (redis->spec.mode == FG_REDIS_SENTINEL)
		question = fg_redis_query_own(redis,
		    (const struct fg_str[]){FG_STR("SENTINEL"), FG_STR("get-master-addr-by-name"), redis->spec.master}, 3, on_answer,
		    discovery);
	else
		question = fg_redis_query_own(redis, (const struct fg_str[]){FG_STR("CLUSTER"), FG_STR("SLOTS")}, 2, on_answer,
		    discovery);
	FG_ASSERT(fg_redis_conn_send(&discovery->conn, question));
}

static void
on_down(void *arg, enum fg_err err, struct fg_str detail)
{
	move_on(arg, err, detail);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	(void)timer;
	move_on(arg, FG_ERR_STORE_UNREACHABLE, FG_STR("nobody who was asked answered within the connect-timeout"));
}

void
fg_redis_discovery_init(struct fg_redis_discovery *discovery, struct fg_redis *redis)
{
	static const struct fg_redis_conn_ops ops = {on_ready, on_down};

	discovery->redis = redis;
	discovery->greeting = redis->greeting;
	if (redis->spec.mode == FG_REDIS_SENTINEL)
		discovery->greeting =
		    (struct fg_redis_greeting){.user = redis->spec.sentinel_user, .password = redis->spec.sentinel_password};
	fg_redis_conn_init(&discovery->conn, redis, &discovery->greeting, &ops, discovery);
	fg_timer_init(&discovery->timer, redis->loop, on_timer, discovery);
}

void
fg_redis_discovery_fini(struct fg_redis_discovery *discovery)
{
	fg_timer_stop(&discovery->timer);
	fg_redis_conn_fini(&discovery->conn);
}

void
fg_redis_discovery_start(struct fg_redis_discovery *discovery)
{
	if (discovery->is_running)
		return;
	discovery->is_running = true;
	discovery->tried = 0;
	ask(discovery);
}
