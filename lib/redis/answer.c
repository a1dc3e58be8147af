/* What Redis answered to a query: its result, a reason to ask again elsewhere or otherwise, or what the error means. */
#include "redis/redis_internal.h"

enum {
	RETRY_USEC = 3 * FG_US_PER_MS, /* after TRYAGAIN */
	COMPLAINT_USEC = 60 * FG_US_PER_S,
};

enum fg_err
fg_redis_query_classify(struct fg_str text)
{
	static const struct {
		struct fg_str word;
		enum fg_err err;
	} known[] = {
	    {FG_STR_INIT("LOADING"), FG_ERR_STORE_NOT_READY}, {FG_STR_INIT("READONLY"), FG_ERR_STORE_NOT_READY},
	    {FG_STR_INIT("MASTERDOWN"), FG_ERR_STORE_NOT_READY}, {FG_STR_INIT("CLUSTERDOWN"), FG_ERR_STORE_NOT_READY},
	    {FG_STR_INIT("BUSY"), FG_ERR_STORE_NOT_READY}, {FG_STR_INIT("NOREPLICAS"), FG_ERR_STORE_NOT_READY},
	    {FG_STR_INIT("TRYAGAIN"), FG_ERR_STORE_NOT_READY}, {FG_STR_INIT("OOM"), FG_ERR_STORE_FULL},
	    {FG_STR_INIT("WRONGPASS"), FG_ERR_STORE_REFUSED}, {FG_STR_INIT("NOAUTH"), FG_ERR_STORE_REFUSED},
	    {FG_STR_INIT("NOPERM"), FG_ERR_STORE_REFUSED},
	};
	struct fg_str word = fg_str_slice(text, 0, fg_str_find(text, ' '));

	for (size_t i = 0; i < FG_ARRAY_LEN(known); i++)
		if (fg_str_eq(word, known[i].word))
			return known[i].err;
	/* Before Redis 7 a script's error came inside another: "ERR Error running script (…): @user_script:1: -OOM …". */
	if (fg_str_starts_with(text, FG_STR("ERR Error running script")))
		for (size_t at = 0; at + 2 < text.len; at++)
			if (text.p[at] == ' ' && text.p[at + 1] == '-')
				return fg_redis_query_classify(fg_str_slice(text, at + 2, text.len));
	return FG_ERR_STORE_ERROR;
}

/* What Redis said, for whoever has to mend it; not for each request. */
static void
complain(struct fg_redis *redis, const struct fg_redis_node *node, enum fg_err err, struct fg_str text)
{
	char buf[FG_REDIS_HOST_BYTES + 16];
	fg_usec now = fg_redis_now(redis);

	if (redis->complained_at != 0 && now - redis->complained_at < COMPLAINT_USEC)
		return;
	redis->complained_at = now;
	FG_LOG(redis->log, ERROR, "redis", "the store answers with an error (told once a minute)",
	    FG_F_STR("node", fg_redis_where_format(&node->where, buf)), FG_F_CSTR("reason", fg_err_token(err)),
	    FG_F_STR("error", fg_str_slice(text, 0, 200)));
}

/* Redis said that it did nothing, and where or how to ask again. False when that is not so, or no use. */
static bool
ask_again(struct fg_redis_query *query, struct fg_str text)
{
	struct fg_redis *redis = query->redis;
	bool moved = fg_str_starts_with(text, FG_STR("MOVED "));
	struct fg_redis_node *node;

	if (query->script != NULL && !query->sends_source && fg_str_starts_with(text, FG_STR("NOSCRIPT"))) {
		redis->stats.scripts_loaded++;
		query->sends_source = true;
		return fg_redis_conn_send(&query->node->conn, query);
	}
	if (redis->spec.mode != FG_REDIS_CLUSTER)
		return false;
	if (fg_str_starts_with(text, FG_STR("TRYAGAIN"))) {
		redis->stats.retries++;
		query->state = FG_REDIS_Q_RETRYING;
		query->asking = false;
		query->was_put_off = true;
		fg_list_add(&redis->retrying, &query->place);
		if (!fg_timer_is_active(&redis->retry))
			fg_timer_start(&redis->retry, RETRY_USEC);
		return true;
	}
	if ((!moved && !fg_str_starts_with(text, FG_STR("ASK "))) || ++query->hops > FG_MAX_REDIS_REDIRECTS)
		return false;
	node = fg_redis_cluster_redirect(redis, query->node, text, moved);
	if (node == NULL)
		return false;
	redis->stats.redirects++;
	query->asking = !moved;
	query->sends_source = false;
	fg_redis_node_submit(node, query);
	return true;
}

static void
on_error(struct fg_redis_query *query, const struct fg_redis_reply *reply)
{
	struct fg_redis *redis = query->redis;
	struct fg_redis_node *node = query->node;
	enum fg_err err = query->hops > FG_MAX_REDIS_REDIRECTS ? FG_ERR_STORE_NOT_READY : fg_redis_query_classify(reply->str);

	if (err != FG_ERR_STORE_NOT_READY) {
		fg_redis_breaker_succeed(&node->breaker);
		complain(redis, node, err, reply->str);
	}
	fg_redis_query_end(query, err, reply);
	if (err == FG_ERR_STORE_NOT_READY)
		fg_redis_node_fail(node, err, reply->str);
}

void
fg_redis_query_on_reply(struct fg_redis_query *query, const struct fg_redis_reply *reply)
{
	struct fg_redis *redis = query->redis;

	FG_CHECK_MAGIC(query, FG_REDIS_QUERY_MAGIC);
	if (query->fn == NULL || query->is_late) {
		redis->stats.late_replies++;
		redis->hears_late = true;
		fg_redis_query_end(query, reply->type == FG_REDIS_ERROR ? fg_redis_query_classify(reply->str) : FG_OK, reply);
		redis->hears_late = false;
	} else if (query->is_own) {
		fg_redis_query_end(query, reply->type == FG_REDIS_ERROR ? fg_redis_query_classify(reply->str) : FG_OK, reply);
	} else if (reply->type != FG_REDIS_ERROR) {
		redis->stats.round_trips++;
		redis->stats.round_trip_sum += fg_redis_now(redis) - query->started;
		fg_redis_breaker_succeed(&query->node->breaker);
		fg_redis_query_end(query, FG_OK, reply);
	} else if (!ask_again(query, reply->str)) {
		on_error(query, reply);
	}
}
