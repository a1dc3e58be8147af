/*
 * A server that queries go to: its connection, its breaker, and the queries that wait for it. The connection is opened
 * before it is needed and again as soon as it is lost; one that cannot be opened is tried again as the breaker's probe.
 */
#include <stdlib.h>

#include "redis/redis_internal.h"

/* A connection that lasted less, and carried nothing, counts as a failure: a server that hangs up on us is not asked at
   the speed of the loop. */
enum { LEAST_LIFE_USEC = FG_US_PER_S };

static bool
is_needed(const struct fg_redis_node *node)
{
	return node->is_wanted || !fg_list_is_empty(&node->waiting);
}

static void
on_probe_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_redis_node *node = arg;
	struct fg_redis *redis = node->redis;
	bool is_allowed = reply == NULL || !fg_str_starts_with(reply->str, FG_STR("NOPERM"));

	if (reply == NULL && err == FG_ERR_STORE_UNREACHABLE)
		return; /* on_down follows */
	if (err == FG_OK || !is_allowed) {
		fg_redis_breaker_pass(&node->breaker);
		return;
	}
	fg_redis_breaker_trip(&node->breaker, err, reply == NULL ? FG_STR("no answer to a probe") : reply->str);
	/* What hangs, or may be the wrong server by now, is left for a new connection. */
	if (reply == NULL || redis->spec.mode == FG_REDIS_SENTINEL)
		fg_redis_conn_close(&node->conn);
	if (redis->spec.mode == FG_REDIS_CLUSTER)
		fg_redis_cluster_refresh(redis);
}

static void
send_probe(struct fg_redis_node *node)
{
	static const struct fg_str ping = FG_STR_INIT("PING");
	struct fg_redis_query *query = fg_redis_query_own(node->redis, &ping, 1, on_probe_reply, node);

	query->node = node;
	fg_redis_query_set_deadline(query);
	if (!fg_redis_conn_send(&node->conn, query))
		fg_redis_query_fail_later(query, FG_ERR_STORE_TIMEOUT);
}

static void
on_probe_due(void *arg)
{
	struct fg_redis_node *node = arg;

	if (!is_needed(node)) {
		fg_redis_breaker_reset(&node->breaker);
		return;
	}
	if (node->conn.state == FG_REDIS_READY) {
		send_probe(node);
		return;
	}
	if (node->redis->spec.mode == FG_REDIS_CLUSTER)
		fg_redis_cluster_refresh(node->redis);
	fg_redis_node_connect(node);
}

static void
on_ready(void *arg)
{
	struct fg_redis_node *node = arg;

	node->redis->stats.connects++;
	if (node->breaker.state == FG_REDIS_PROBING)
		send_probe(node);
	if (node->breaker.state != FG_REDIS_CLOSED)
		return;
	while (!fg_list_is_empty(&node->waiting)) {
		struct fg_redis_query *query = fg_redis_query_at(node->waiting.next);

		fg_list_remove(&query->place);
		fg_redis_node_submit(node, query);
	}
}

/* No connection could be made. */
static void
give_up(struct fg_redis_node *node, enum fg_err err, struct fg_str detail)
{
	node->redis->stats.connect_failures++;
	if (node->breaker.state != FG_REDIS_OPEN)
		fg_redis_breaker_trip(&node->breaker, err, detail);
	fg_redis_query_end_all(&node->waiting, err);
}

static void
on_down(void *arg, enum fg_err err, struct fg_str detail)
{
	struct fg_redis_node *node = arg;
	struct fg_redis *redis = node->redis;
	fg_usec life = fg_redis_now(redis) - node->conn.ready_since;
	bool is_failure = err != FG_ERR_STORE_NOT_READY && (node->conn.had_queries || life < LEAST_LIFE_USEC);

	if (redis->spec.mode == FG_REDIS_CLUSTER && node->is_wanted)
		fg_redis_cluster_refresh(redis);
	if (!node->conn.was_ready) {
		give_up(node, err, detail);
		return;
	}
	redis->stats.disconnects++;
	if (node->breaker.state == FG_REDIS_PROBING)
		fg_redis_breaker_trip(&node->breaker, err, detail);
	if (is_failure && fg_redis_breaker_fail(&node->breaker, err, detail))
		fg_redis_query_end_all(&node->waiting, err);
	if (node->breaker.state == FG_REDIS_CLOSED && is_needed(node))
		fg_redis_node_connect(node);
}

static const struct fg_redis_conn_ops conn_ops = {on_ready, on_down};

struct fg_redis_node *
fg_redis_node_new(struct fg_redis *redis, struct fg_str host, unsigned port)
{
	struct fg_redis_node *node = calloc(1, sizeof(*node));

	FG_ASSERT(node != NULL);
	node->redis = redis;
	FG_ASSERT(fg_redis_where_set(&node->where, host, port));
	fg_list_init(&node->waiting);
	fg_redis_conn_init(&node->conn, redis, &redis->greeting, &conn_ops, node);
	fg_redis_breaker_init(&node->breaker, redis, &node->where, on_probe_due, node);
	return node;
}

void
fg_redis_node_free(struct fg_redis_node *node)
{
	fg_redis_conn_fini(&node->conn);
	fg_redis_query_end_all(&node->waiting, FG_ERR_STORE_UNREACHABLE);
	fg_redis_breaker_fini(&node->breaker);
	free(node);
}

void
fg_redis_node_submit(struct fg_redis_node *node, struct fg_redis_query *query)
{
	bool is_heard = node->redis->hears_late && node->conn.state == FG_REDIS_READY;

	query->node = node;
	if (node->breaker.state != FG_REDIS_CLOSED && !is_heard) {
		fg_redis_query_fail_later(query, FG_ERR_STORE_UNAVAILABLE);
	} else if (node->conn.state != FG_REDIS_READY) {
		query->state = FG_REDIS_Q_WAITING;
		fg_list_add(&node->waiting, &query->place);
		fg_redis_node_connect(node);
	} else if (!fg_redis_conn_send(&node->conn, query)) {
		fg_redis_query_fail_later(query, FG_ERR_STORE_UNAVAILABLE);
	}
}

void
fg_redis_node_connect(struct fg_redis_node *node)
{
	if (node->conn.state != FG_REDIS_DOWN || node->is_finding)
		return;
	if (node->redis->spec.mode == FG_REDIS_SENTINEL) {
		node->is_finding = true;
		fg_redis_discovery_start(&node->redis->discovery);
	} else {
		fg_redis_conn_open(&node->conn, &node->where);
	}
}

void
fg_redis_node_found(struct fg_redis_node *node, struct fg_str host, unsigned port)
{
	char buf[FG_REDIS_HOST_BYTES + 16];

	node->is_finding = false;
	if (!fg_redis_where_eq(&node->where, host, port)) {
		FG_ASSERT(fg_redis_where_set(&node->where, host, port));
		FG_LOG(node->redis->log, INFO, "redis", "the sentinels name a master",
		    FG_F_STR("node", fg_redis_where_format(&node->where, buf)));
	}
	fg_redis_conn_open(&node->conn, &node->where);
}

void
fg_redis_node_not_found(struct fg_redis_node *node, enum fg_err err, struct fg_str detail)
{
	node->is_finding = false;
	give_up(node, err, detail);
}

void
fg_redis_node_fail(struct fg_redis_node *node, enum fg_err err, struct fg_str detail)
{
	struct fg_redis *redis = node->redis;

	if (err == FG_ERR_STORE_TIMEOUT)
		fg_redis_conn_suspect(&node->conn);
	else if (redis->spec.mode == FG_REDIS_CLUSTER)
		fg_redis_cluster_refresh(redis);
	else if (redis->spec.mode == FG_REDIS_SENTINEL || fg_str_starts_with(detail, FG_STR("READONLY")))
		fg_redis_conn_retire(&node->conn); /* another server may have its place, or its name, by now */
	if (fg_redis_breaker_fail(&node->breaker, err, detail))
		fg_redis_query_end_all(&node->waiting, FG_ERR_STORE_UNAVAILABLE);
}

bool
fg_redis_node_is_idle(const struct fg_redis_node *node)
{
	return !is_needed(node) && node->conn.state == FG_REDIS_DOWN;
}
