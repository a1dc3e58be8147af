/*
 * A Cluster (Redis Cluster specification): which node has which slot, learnt as a whole from one of them and mended by
 * MOVED. A node stays in the table when it loses its slots; its place is taken again when the table is full.
 */
#include "redis/redis_internal.h"

static unsigned
number_of(const struct fg_redis *redis, const struct fg_redis_node *node)
{
	unsigned i = 0;

	while (redis->nodes[i] != node)
		i++;
	return i;
}

struct fg_redis_node *
fg_redis_cluster_node(const struct fg_redis *redis, unsigned slot)
{
	unsigned wanted = 0, at;

	if (!redis->has_map)
		return NULL;
	if (slot != FG_REDIS_NO_SLOT)
		return redis->slots[slot] == FG_REDIS_NO_NODE ? NULL : redis->nodes[redis->slots[slot]];
	/* Any: in turn, one that works before one that does not. */
	for (unsigned i = 0; i < redis->node_count; i++) {
		at = (redis->any + i) % redis->node_count;
		if (redis->nodes[at]->is_wanted) {
			wanted = at;
			if (redis->nodes[at]->breaker.state == FG_REDIS_CLOSED)
				break;
		}
	}
	return redis->nodes[wanted];
}

struct fg_redis_node *
fg_redis_cluster_find(struct fg_redis *redis, struct fg_str host, unsigned port)
{
	struct fg_redis_where where;
	struct fg_redis_node *node;

	for (unsigned i = 0; i < redis->node_count; i++)
		if (fg_redis_where_eq(&redis->nodes[i]->where, host, port))
			return redis->nodes[i];
	if (port == 0 || !fg_redis_where_set(&where, host, port))
		return NULL;
	if (redis->node_count < FG_MAX_REDIS_NODES) {
		node = fg_redis_node_new(redis, host, port);
		redis->nodes[redis->node_count++] = node;
		return node;
	}
	for (unsigned i = 0; i < redis->node_count; i++)
		if (fg_redis_node_is_idle(redis->nodes[i])) {
			fg_redis_breaker_reset(&redis->nodes[i]->breaker);
			redis->nodes[i]->where = where;
			return redis->nodes[i];
		}
	return NULL;
}

/* ---- the map */

/* [first, last, [host, port, …], replicas…] (CLUSTER SLOTS). False when it is not that, or there are too many nodes. */
static bool
take_range(struct fg_redis *redis, const struct fg_redis_where *from, const struct fg_redis_reply *range)
{
	const struct fg_redis_reply *master;
	struct fg_redis_node *node;
	struct fg_str host;

	if (range->type != FG_REDIS_ARRAY || range->count < 3)
		return false;
	master = &range->items[2];
	if (range->items[0].integer < 0 || range->items[0].integer > range->items[1].integer ||
	    range->items[1].integer >= FG_REDIS_SLOTS || master->type != FG_REDIS_ARRAY || master->count < 2 ||
	    master->items[1].integer < 1 || master->items[1].integer > 65535)
		return false;
	/* A node that does not know its own address is where we asked. */
	host = master->items[0].str.len > 0 ? master->items[0].str : fg_str_from(from->host);
	node = fg_redis_cluster_find(redis, host, (unsigned)master->items[1].integer);
	if (node == NULL)
		return false;
	node->is_wanted = true;
	memset(redis->slots + range->items[0].integer, (int)number_of(redis, node),
	    (size_t)(range->items[1].integer - range->items[0].integer + 1));
	return true;
}

/* What a new map changes for the nodes. */
static void
settle_nodes(struct fg_redis *redis)
{
	for (unsigned i = 0; i < redis->node_count; i++) {
		struct fg_redis_node *node = redis->nodes[i];

		if (node->is_wanted) {
			if (node->breaker.state == FG_REDIS_CLOSED)
				fg_redis_node_connect(node);
			continue;
		}
		fg_redis_breaker_reset(&node->breaker);
		fg_redis_query_dispatch_all(&node->waiting);
	}
}

bool
fg_redis_cluster_take(struct fg_redis *redis, const struct fg_redis_where *from, const struct fg_redis_reply *reply)
{
	bool is_whole = reply->type == FG_REDIS_ARRAY && reply->count > 0;

	if (!is_whole)
		return false;
	for (unsigned i = 0; i < redis->node_count; i++)
		redis->nodes[i]->is_wanted = false;
	memset(redis->slots, FG_REDIS_NO_NODE, sizeof(redis->slots));
	for (size_t i = 0; i < reply->count; i++)
		is_whole = take_range(redis, from, &reply->items[i]) && is_whole;
	redis->has_map = true;
	fg_redis_breaker_pass(&redis->map_breaker);
	fg_redis_breaker_succeed(&redis->map_breaker);
	settle_nodes(redis);
	fg_redis_query_dispatch_all(&redis->homeless);
	return is_whole;
}

void
fg_redis_cluster_refresh(struct fg_redis *redis)
{
	/* Each query to a slot that nobody has would ask again. */
	if (redis->has_map && fg_redis_now(redis) - redis->discovery.ended_at < redis->options.backoff_min)
		return;
	fg_redis_discovery_start(&redis->discovery);
}

void
fg_redis_cluster_probe(void *arg)
{
	fg_redis_cluster_refresh(arg);
}

void
fg_redis_cluster_failed(struct fg_redis *redis, enum fg_err err, struct fg_str detail)
{
	/* An old map is better than none: the nodes' own breakers tell what is wrong with it. */
	if (redis->has_map)
		return;
	redis->stats.connect_failures++;
	fg_redis_breaker_trip(&redis->map_breaker, err, detail);
	fg_redis_query_end_all(&redis->homeless, err);
}

/* ---- redirects */

struct fg_redis_node *
fg_redis_cluster_redirect(struct fg_redis *redis, const struct fg_redis_node *from, struct fg_str text, bool moved)
{
	struct fg_str word, slot_text, host, port_text;
	uint64_t slot, port;
	struct fg_redis_node *node;
	size_t colon;

	if (!fg_str_next(&text, ' ', &word) || !fg_str_next(&text, ' ', &slot_text) || !fg_str_to_u64(slot_text, &slot) ||
	    slot >= FG_REDIS_SLOTS)
		return NULL;
	colon = text.len;
	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	port_text = fg_str_slice(text, colon, text.len);
	if (colon == 0 || !fg_str_to_u64(port_text, &port) || port < 1 || port > 65535)
		return NULL;
	host = fg_str_slice(text, 0, colon - 1);
	node = fg_redis_cluster_find(redis, host.len > 0 ? host : fg_str_from(from->where.host), (unsigned)port);
	if (node == NULL || !moved)
		return node;
	redis->slots[slot] = (uint8_t)number_of(redis, node);
	node->is_wanted = true;
	fg_redis_cluster_refresh(redis);
	return node;
}
