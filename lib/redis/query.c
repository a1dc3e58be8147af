/*
 * A query, from the user's call to the user's callback: made and sent, answered, refused, redirected or out of time.
 * A query whose callback has run, or was cancelled, while its reply is due stays in its connection's queue with no
 * callback, so that the replies behind it find theirs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "redis/redis_internal.h"

enum {
	KEPT_QUERIES = 256,        /* idle ones kept for use again */
	KEPT_BYTES = 4096,         /* of a command's memory, with them */
	RETRY_USEC = 3 * FG_US_PER_MS, /* after TRYAGAIN */
	COMPLAINT_USEC = 60 * FG_US_PER_S,
};

/* ---- making */

static struct fg_redis_query *
take_query(struct fg_redis *redis)
{
	struct fg_redis_query *query;
	struct fg_buf bytes;

	redis->open_count++;
	if (fg_redis_list_is_empty(&redis->idle)) {
		query = calloc(1, sizeof(*query));
		FG_ASSERT(query != NULL);
		fg_buf_init(&bytes, FG_MAX_REDIS_QUERY_BYTES);
	} else {
		query = fg_redis_query_at(redis->idle.next);
		fg_redis_list_remove(&query->place);
		redis->idle_count--;
		bytes = query->bytes;
		fg_buf_reset(&bytes);
	}
	*query = (struct fg_redis_query){.magic = FG_REDIS_QUERY_MAGIC, .redis = redis, .bytes = bytes,
	    .started = fg_redis_now(redis), .slot = FG_REDIS_NO_SLOT};
	return query;
}

static void
recycle(struct fg_redis_query *query)
{
	struct fg_redis *redis = query->redis;

	fg_redis_list_remove(&query->place);
	fg_redis_list_remove(&query->due);
	query->state = FG_REDIS_Q_IDLE;
	redis->open_count--;
	if (redis->idle_count >= KEPT_QUERIES || query->bytes.cap > KEPT_BYTES) {
		fg_redis_query_forget(query);
		return;
	}
	redis->idle_count++;
	fg_redis_list_add(&redis->idle, &query->place);
}

void
fg_redis_query_forget(struct fg_redis_query *query)
{
	query->magic = 0;
	fg_buf_fini(&query->bytes);
	free(query);
}

static void
add_length(struct fg_buf *out, char kind, size_t n)
{
	fg_buf_add_char(out, kind);
	fg_buf_add_u64(out, n);
	fg_buf_add(out, FG_STR("\r\n"));
}

static void
add_bulk(struct fg_buf *out, struct fg_str s)
{
	add_length(out, '$', s.len);
	fg_buf_add(out, s);
	fg_buf_add(out, FG_STR("\r\n"));
}

static void
add_bulks(struct fg_buf *out, const struct fg_str *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_bulk(out, items[i]);
}

void
fg_redis_query_set_deadline(struct fg_redis_query *query)
{
	struct fg_redis *redis = query->redis;

	fg_redis_list_add(&redis->due, &query->due);
	if (!fg_timer_is_active(&redis->deadline))
		fg_timer_start(&redis->deadline, redis->options.deadline);
}

struct fg_redis_query *
fg_redis_query_own(struct fg_redis *redis, const struct fg_str *argv, size_t argc, fg_redis_fn *fn, void *arg)
{
	struct fg_redis_query *query = take_query(redis);

	query->is_own = true;
	query->fn = fn;
	query->arg = arg;
	add_length(&query->bytes, '*', argc);
	add_bulks(&query->bytes, argv, argc);
	FG_ASSERT(!query->bytes.failed);
	return query;
}

/* A user's query, its bytes made: on its way. */
static struct fg_redis_query *
launch(struct fg_redis_query *query, fg_redis_fn *on_reply, void *arg)
{
	struct fg_redis *redis = query->redis;

	query->fn = on_reply;
	query->arg = arg;
	redis->stats.queries++;
	redis->stats.in_flight++;
	fg_redis_query_set_deadline(query);
	if (query->bytes.failed)
		fg_redis_query_fail_later(query, FG_ERR_STORE_ERROR);
	else if (redis->open_count > FG_MAX_REDIS_QUERIES)
		fg_redis_query_fail_later(query, FG_ERR_STORE_UNAVAILABLE);
	else
		fg_redis_query_dispatch(query);
	return query;
}

static unsigned
slot_of(const struct fg_redis *redis, struct fg_str key)
{
	return redis->spec.mode == FG_REDIS_CLUSTER && key.len > 0 ? fg_redis_slot(key) : FG_REDIS_NO_SLOT;
}

struct fg_redis_query *
fg_redis_eval(struct fg_redis *redis, const struct fg_redis_script *script, const struct fg_str *keys, size_t key_count,
    const struct fg_str *args, size_t arg_count, fg_redis_fn *on_reply, void *arg)
{
	struct fg_redis_query *query = take_query(redis);
	struct fg_buf *out = &query->bytes;
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%zu", key_count);

	FG_ASSERT(key_count > 0);
	query->script = script;
	query->slot = slot_of(redis, keys[0]);
	query->argc = (unsigned)(3 + key_count + arg_count);
	add_length(out, '*', query->argc);
	fg_buf_add(out, FG_STR("$7\r\nEVALSHA\r\n$40\r\n"));
	fg_buf_append(out, script->sha1, FG_REDIS_SHA1_HEX);
	fg_buf_add(out, FG_STR("\r\n"));
	query->tail_at = out->len;
	add_bulk(out, (struct fg_str){digits, (size_t)len});
	add_bulks(out, keys, key_count);
	add_bulks(out, args, arg_count);
	return launch(query, on_reply, arg);
}

struct fg_redis_query *
fg_redis_command(struct fg_redis *redis, struct fg_str key, const struct fg_str *argv, size_t argc, fg_redis_fn *on_reply,
    void *arg)
{
	struct fg_redis_query *query = take_query(redis);

	FG_ASSERT(argc > 0);
	query->slot = slot_of(redis, key);
	add_length(&query->bytes, '*', argc);
	add_bulks(&query->bytes, argv, argc);
	return launch(query, on_reply, arg);
}

void
fg_redis_query_dispatch(struct fg_redis_query *query)
{
	struct fg_redis *redis = query->redis;
	struct fg_redis_node *node;

	if (redis->spec.mode != FG_REDIS_CLUSTER) {
		fg_redis_node_submit(redis->nodes[0], query);
		return;
	}
	node = fg_redis_cluster_node(redis, query->slot);
	redis->any++;
	if (node != NULL) {
		fg_redis_node_submit(node, query);
	} else if (redis->has_map || redis->map_breaker.state != FG_REDIS_CLOSED) {
		/* A slot that nobody serves, or no map to be had. */
		fg_redis_query_fail_later(query, redis->has_map ? FG_ERR_STORE_NOT_READY : FG_ERR_STORE_UNAVAILABLE);
		if (redis->has_map)
			fg_redis_cluster_refresh(redis);
	} else {
		query->state = FG_REDIS_Q_WAITING;
		fg_redis_list_add(&redis->homeless, &query->place);
		fg_redis_cluster_refresh(redis);
	}
}

/* ---- ending */

/* Runs the callback; the query has none afterwards, and keeps its place. */
static void
tell(struct fg_redis_query *query, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_redis *redis = query->redis;
	fg_redis_fn *fn = query->fn;

	query->fn = NULL;
	fg_redis_list_remove(&query->due);
	if (!query->is_own) {
		redis->stats.in_flight--;
		if (err == FG_OK)
			redis->stats.succeeded++;
		else
			redis->stats.failures[FG_REDIS_FAILURE(err)]++;
	}
	if (redis->is_closing)
		return;
	redis->depth++;
	fn(query->arg, err, reply);
	redis->depth--;
}

void
fg_redis_query_end(struct fg_redis_query *query, enum fg_err err, const struct fg_redis_reply *reply)
{
	FG_CHECK_MAGIC(query, FG_REDIS_QUERY_MAGIC);
	fg_redis_list_remove(&query->place);
	if (query->fn != NULL)
		tell(query, err, reply);
	recycle(query);
}

void
fg_redis_query_fail_later(struct fg_redis_query *query, enum fg_err err)
{
	struct fg_redis *redis = query->redis;

	query->state = FG_REDIS_Q_FAILING;
	query->err = err;
	fg_redis_list_remove(&query->due);
	fg_redis_list_add(&redis->failing, &query->place);
	fg_task_post(&redis->run_failed);
}

/* Moves all of a list to another, which is empty: what callbacks add to the first does not come along. */
static void
move_all(struct fg_redis_link *from, struct fg_redis_link *to)
{
	fg_redis_list_init(to);
	if (fg_redis_list_is_empty(from))
		return;
	*to = *from;
	to->prev->next = to->next->prev = to;
	fg_redis_list_init(from);
}

void
fg_redis_query_run_failed(void *arg)
{
	struct fg_redis *redis = arg;
	struct fg_redis_link list;

	move_all(&redis->failing, &list);
	while (!fg_redis_list_is_empty(&list)) {
		struct fg_redis_query *query = fg_redis_query_at(list.next);

		fg_redis_query_end(query, query->err, NULL);
	}
}

void
fg_redis_query_end_all(struct fg_redis_link *from, enum fg_err err)
{
	struct fg_redis_link list;

	move_all(from, &list);
	while (!fg_redis_list_is_empty(&list))
		fg_redis_query_end(fg_redis_query_at(list.next), err, NULL);
}

void
fg_redis_query_dispatch_all(struct fg_redis_link *from)
{
	struct fg_redis_link list;

	move_all(from, &list);
	while (!fg_redis_list_is_empty(&list)) {
		struct fg_redis_query *query = fg_redis_query_at(list.next);

		fg_redis_list_remove(&query->place);
		fg_redis_query_dispatch(query);
	}
}

void
fg_redis_cancel(struct fg_redis_query *query)
{
	struct fg_redis *redis;

	FG_CHECK_MAGIC(query, FG_REDIS_QUERY_MAGIC);
	FG_ASSERT(query->fn != NULL && !query->is_own);
	redis = query->redis;
	query->fn = NULL;
	redis->stats.cancelled++;
	redis->stats.in_flight--;
	fg_redis_list_remove(&query->due);
	if (query->state != FG_REDIS_Q_SENT)
		recycle(query);
}

/* ---- time */

static void
expire(struct fg_redis_query *query)
{
	struct fg_redis *redis = query->redis;
	struct fg_redis_node *node = query->is_own ? NULL : query->node;
	enum fg_err err = query->state == FG_REDIS_Q_RETRYING ? FG_ERR_STORE_NOT_READY : FG_ERR_STORE_TIMEOUT;

	if (query->state == FG_REDIS_Q_SENT)
		tell(query, err, NULL); /* and its place is kept for the late reply */
	else
		fg_redis_query_end(query, err, NULL);
	if (node != NULL && err == FG_ERR_STORE_TIMEOUT && !redis->is_closing)
		fg_redis_node_fail(node, err, FG_STR("no answer within the deadline"));
}

void
fg_redis_query_on_deadline(struct fg_timer *timer, void *arg)
{
	struct fg_redis *redis = arg;
	fg_usec now = fg_redis_now(redis);

	while (!fg_redis_list_is_empty(&redis->due)) {
		struct fg_redis_query *query = FG_CONTAINER_OF(redis->due.next, struct fg_redis_query, due);
		fg_usec left = query->started + redis->options.deadline - now;

		if (left > 0) {
			fg_timer_start(timer, left);
			return;
		}
		/* A worker that was late itself finds the answer in the socket. */
		if (query->state == FG_REDIS_Q_SENT && query->node->conn.drained_at != now)
			fg_redis_conn_drain(&query->node->conn);
		else
			expire(query);
	}
}

void
fg_redis_query_on_retry(struct fg_timer *timer, void *arg)
{
	struct fg_redis *redis = arg;

	(void)timer;
	fg_redis_query_dispatch_all(&redis->retrying);
}

/* ---- replies */

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
		fg_redis_list_add(&redis->retrying, &query->place);
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
	if (query->fn == NULL) {
		redis->stats.late_replies++;
		recycle(query);
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
