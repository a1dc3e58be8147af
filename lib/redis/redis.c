/* The client as a whole: made of a spec, with the nodes that its kind begins with; and what there is to count. */
#include <stdlib.h>

#include "redis/redis_internal.h"

#define MAX_WAIT_USEC ((fg_usec)3600 * FG_US_PER_S)

static void
copy_spec(struct fg_redis *redis, const struct fg_redis_spec *spec)
{
	struct fg_arena *arena = &redis->arena;
	struct fg_redis_spec *copy = &redis->spec;

	*copy = *spec;
	copy->addresses = FG_ARENA_ARRAY(arena, struct fg_redis_address, spec->address_count);
	for (size_t i = 0; i < spec->address_count; i++)
		copy->addresses[i] =
		    (struct fg_redis_address){fg_arena_str(arena, spec->addresses[i].host), spec->addresses[i].port};
	copy->user = fg_arena_str(arena, spec->user);
	copy->password = fg_arena_str(arena, spec->password);
	copy->sentinel_user = fg_arena_str(arena, spec->sentinel_user);
	copy->sentinel_password = fg_arena_str(arena, spec->sentinel_password);
	copy->master = fg_arena_str(arena, spec->master);
}

static void
add_first_nodes(struct fg_redis *redis)
{
	const struct fg_redis_spec *spec = &redis->spec;
	bool is_single = spec->mode == FG_REDIS_SINGLE;

	redis->greeting = (struct fg_redis_greeting){.user = spec->user, .password = spec->password, .db = spec->db,
	    .must_be_master = spec->mode == FG_REDIS_SENTINEL};
	if (!is_single)
		fg_redis_discovery_init(&redis->discovery, redis);
	if (spec->mode == FG_REDIS_CLUSTER) {
		fg_redis_cluster_refresh(redis);
		return;
	}
	/* Until the sentinels have named a master, its node goes by the name that they know it by. */
	redis->nodes[0] = fg_redis_node_new(redis, is_single ? spec->addresses[0].host : spec->master,
	    is_single ? spec->addresses[0].port : 0);
	redis->node_count = 1;
	redis->nodes[0]->is_wanted = true;
	fg_redis_node_connect(redis->nodes[0]);
}

struct fg_redis *
fg_redis_new(struct fg_loop *loop, const struct fg_redis_spec *spec, const struct fg_redis_options *options,
    const struct fg_log *log)
{
	struct fg_redis *redis = calloc(1, sizeof(*redis));

	FG_ASSERT(redis != NULL && spec->address_count > 0 && spec->address_count <= FG_MAX_REDIS_ADDRESSES);
	FG_ASSERT(options->deadline > 0 && options->connect_timeout > 0 && options->hang_after > 0 &&
	    options->breaker_failures > 0 && options->backoff_min > 0 && options->backoff_min <= options->backoff_max &&
	    options->backoff_max <= MAX_WAIT_USEC);
	redis->loop = loop;
	redis->log = log;
	redis->options = *options;
	fg_arena_init(&redis->arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
	copy_spec(redis, spec);
	memset(redis->slots, FG_REDIS_NO_NODE, sizeof(redis->slots));
	fg_list_init(&redis->homeless);
	fg_list_init(&redis->due);
	fg_list_init(&redis->retrying);
	fg_list_init(&redis->failing);
	fg_list_init(&redis->idle);
	fg_timer_init(&redis->deadline, loop, fg_redis_query_on_deadline, redis);
	fg_timer_init(&redis->retry, loop, fg_redis_query_on_retry, redis);
	fg_task_init(&redis->run_failed, loop, fg_redis_query_run_failed, redis);
	fg_redis_breaker_init(&redis->map_breaker, redis, NULL, fg_redis_cluster_probe, redis);
	if (spec->tls)
		redis->tls = fg_redis_tls_new(&redis->options, log);
	add_first_nodes(redis);
	return redis;
}

static void
wipe(struct fg_str s)
{
	union {
		const char *in;
		char *out;
	} cast = {.in = s.p};

	if (s.len > 0)
		explicit_bzero(cast.out, s.len);
}

void
fg_redis_free(struct fg_redis *redis)
{
	if (redis == NULL)
		return;
	FG_ASSERT(redis->depth == 0);
	redis->is_closing = true;
	if (redis->spec.mode != FG_REDIS_SINGLE)
		fg_redis_discovery_fini(&redis->discovery);
	for (unsigned i = 0; i < redis->node_count; i++)
		fg_redis_node_free(redis->nodes[i]);
	fg_redis_query_end_all(&redis->homeless, FG_ERR_STORE_UNREACHABLE);
	fg_redis_query_end_all(&redis->retrying, FG_ERR_STORE_UNREACHABLE);
	fg_redis_query_end_all(&redis->failing, FG_ERR_STORE_UNREACHABLE);
	FG_ASSERT(redis->open_count == 0);
	while (!fg_list_is_empty(&redis->idle)) {
		struct fg_redis_query *query = fg_redis_query_at(redis->idle.next);

		fg_list_remove(&query->place);
		fg_redis_query_forget(query);
	}
	fg_timer_stop(&redis->deadline);
	fg_timer_stop(&redis->retry);
	fg_task_cancel(&redis->run_failed);
	fg_redis_breaker_fini(&redis->map_breaker);
	fg_redis_tls_free(redis->tls);
	wipe(redis->spec.password);
	wipe(redis->spec.sentinel_password);
	fg_arena_fini(&redis->arena);
	free(redis);
}

bool
fg_redis_is_available(const struct fg_redis *redis, struct fg_str key)
{
	const struct fg_redis_node *node = redis->nodes[0];

	if (redis->spec.mode == FG_REDIS_CLUSTER) {
		if (!redis->has_map)
			return redis->map_breaker.state == FG_REDIS_CLOSED;
		node = fg_redis_cluster_node(redis, key.len > 0 ? fg_redis_slot(key) : FG_REDIS_NO_SLOT);
	}
	/* A slot that nobody has is asked for: that is what brings a new map. */
	return node == NULL || node->breaker.state == FG_REDIS_CLOSED;
}

static void
add_breaker(struct fg_redis_stats *out, const struct fg_redis_breaker *breaker)
{
	if (breaker->state == FG_REDIS_CLOSED)
		return;
	out->breakers_open++;
	if (out->open_since == 0 || breaker->open_since < out->open_since)
		out->open_since = breaker->open_since;
}

void
fg_redis_get_stats(const struct fg_redis *redis, struct fg_redis_stats *out)
{
	*out = redis->stats;
	for (unsigned i = 0; i < redis->node_count; i++) {
		if (!redis->nodes[i]->is_wanted)
			continue;
		out->nodes++;
		out->nodes_ready += redis->nodes[i]->conn.state == FG_REDIS_READY;
		add_breaker(out, &redis->nodes[i]->breaker);
	}
	add_breaker(out, &redis->map_breaker);
}
