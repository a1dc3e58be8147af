/*
 * A query, from the user's call to the user's callback: made, sent on its way, cancelled, out of time, ended.
 * A query whose callback has run, or was cancelled, while its reply is due stays in its connection's queue with no
 * callback, so that the replies behind it find theirs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "redis/redis_internal.h"

enum {
	KEPT_QUERIES = 256,        /* idle ones kept for use again */
	KEPT_BYTES = 4096,         /* of a command's memory, with them */
};

/* ---- making */

static struct fg_redis_query *
take_query(struct fg_redis *redis)
{
	struct fg_redis_query *query;
	struct fg_buf bytes;

	redis->open_count++;
	if (fg_list_is_empty(&redis->idle)) {
		query = calloc(1, sizeof(*query));
		FG_ASSERT(query != NULL);
		fg_buf_init(&bytes, FG_MAX_REDIS_QUERY_BYTES);
	} else {
		query = fg_redis_query_at(redis->idle.next);
		fg_list_remove(&query->place);
		redis->idle_count--;
		bytes = query->bytes;
		fg_buf_reset(&bytes);
	}
	*query = (struct fg_redis_query){.magic = FG_REDIS_QUERY_MAGIC, .redis = redis, .bytes = bytes,
	    .started = fg_redis_now(redis), .slot = FG_REDIS_NO_SLOT};
	return query;
}

void
fg_redis_query_recycle(struct fg_redis_query *query)
{
	struct fg_redis *redis = query->redis;

	fg_list_remove(&query->place);
	fg_list_remove(&query->due);
	query->state = FG_REDIS_Q_IDLE;
	redis->open_count--;
	if (redis->idle_count >= KEPT_QUERIES || query->bytes.cap > KEPT_BYTES) {
		fg_redis_query_forget(query);
		return;
	}
	redis->idle_count++;
	fg_list_add(&redis->idle, &query->place);
}

void
fg_redis_query_forget(struct fg_redis_query *query)
{
	query->magic = 0;
	fg_buf_fini(&query->bytes);
	free(query);
}

/* Bytes that a command takes at most: each item has "$", a length of up to 20 digits, and two line ends. */
static size_t
room_for(const struct fg_str *items, size_t count)
{
	size_t room = 0;

	for (size_t i = 0; i < count; i++)
		room += items[i].len + 25;
	return room;
}

static char *
put_number(char *p, size_t n)
{
	char digits[20], *first = digits + sizeof(digits);

	do
		*--first = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return mempcpy(p, first, (size_t)(digits + sizeof(digits) - first));
}

static char *
put_length(char *p, char kind, size_t n)
{
	*p++ = kind;
	p = put_number(p, n);
	return mempcpy(p, "\r\n", 2);
}

static char *
put_bulks(char *p, const struct fg_str *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		p = put_length(p, '$', items[i].len);
		if (items[i].len > 0)
			p = mempcpy(p, items[i].p, items[i].len);
		p = mempcpy(p, "\r\n", 2);
	}
	return p;
}

/* False when it is too large. */
static bool
make_command(struct fg_redis_query *query, const struct fg_str *argv, size_t argc)
{
	char *begin = fg_buf_reserve(&query->bytes, 25 + room_for(argv, argc));

	if (begin == NULL)
		return false;
	query->bytes.len = (size_t)(put_bulks(put_length(begin, '*', argc), argv, argc) - begin);
	return true;
}

void
fg_redis_query_set_deadline(struct fg_redis_query *query)
{
	struct fg_redis *redis = query->redis;

	fg_list_add(&redis->due, &query->due);
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
	FG_ASSERT(make_command(query, argv, argc));
	return query;
}

/* A user's query, its bytes made: on its way. */
static struct fg_redis_query *
launch(struct fg_redis_query *query, bool is_made, fg_redis_fn *on_reply, void *arg)
{
	struct fg_redis *redis = query->redis;

	query->fn = on_reply;
	query->arg = arg;
	redis->stats.queries++;
	redis->stats.in_flight++;
	fg_redis_query_set_deadline(query);
	if (!is_made)
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
	static const struct fg_str evalsha = FG_STR_INIT("$7\r\nEVALSHA\r\n$40\r\n");
	struct fg_redis_query *query = take_query(redis);
	char number[20];
	struct fg_str count = {number, (size_t)(put_number(number, key_count) - number)};
	char *begin = fg_buf_reserve(&query->bytes, 128 + room_for(keys, key_count) + room_for(args, arg_count)), *p = begin;

	FG_ASSERT(key_count > 0);
	query->script = script;
	query->slot = slot_of(redis, keys[0]);
	query->argc = (unsigned)(3 + key_count + arg_count);
	if (begin != NULL) {
		p = put_length(p, '*', query->argc);
		p = mempcpy(p, evalsha.p, evalsha.len);
		p = mempcpy(p, script->sha1, FG_REDIS_SHA1_HEX);
		p = mempcpy(p, "\r\n", 2);
		query->tail_at = (size_t)(p - begin);
		p = put_bulks(p, &count, 1);
		p = put_bulks(p, keys, key_count);
		p = put_bulks(p, args, arg_count);
		query->bytes.len = (size_t)(p - begin);
	}
	return launch(query, begin != NULL, on_reply, arg);
}

struct fg_redis_query *
fg_redis_command(struct fg_redis *redis, struct fg_str key, const struct fg_str *argv, size_t argc, fg_redis_fn *on_reply,
    void *arg)
{
	struct fg_redis_query *query = take_query(redis);

	FG_ASSERT(argc > 0);
	query->slot = slot_of(redis, key);
	return launch(query, make_command(query, argv, argc), on_reply, arg);
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
		fg_list_add(&redis->homeless, &query->place);
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
	fg_list_remove(&query->due);
	if (!query->is_own && !query->is_late) {
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
fg_redis_ignore(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	(void)arg;
	(void)err;
	(void)reply;
}

void
fg_redis_query_end(struct fg_redis_query *query, enum fg_err err, const struct fg_redis_reply *reply)
{
	FG_CHECK_MAGIC(query, FG_REDIS_QUERY_MAGIC);
	fg_list_remove(&query->place);
	if (query->fn != NULL)
		tell(query, err, reply);
	fg_redis_query_recycle(query);
}

void
fg_redis_query_fail_later(struct fg_redis_query *query, enum fg_err err)
{
	struct fg_redis *redis = query->redis;

	query->state = FG_REDIS_Q_FAILING;
	query->err = err;
	fg_list_remove(&query->due);
	fg_list_add(&redis->failing, &query->place);
	fg_task_post(&redis->run_failed);
}

/* Moves all of a list to another, which is empty: what callbacks add to the first does not come along. */
static void
move_all(struct fg_link *from, struct fg_link *to)
{
	fg_list_init(to);
	if (fg_list_is_empty(from))
		return;
	*to = *from;
	to->prev->next = to->next->prev = to;
	fg_list_init(from);
}

void
fg_redis_query_run_failed(void *arg)
{
	struct fg_redis *redis = arg;
	struct fg_link list;

	move_all(&redis->failing, &list);
	while (!fg_list_is_empty(&list)) {
		struct fg_redis_query *query = fg_redis_query_at(list.next);

		fg_redis_query_end(query, query->err, NULL);
	}
}

void
fg_redis_query_end_all(struct fg_link *from, enum fg_err err)
{
	struct fg_link list;

	move_all(from, &list);
	while (!fg_list_is_empty(&list))
		fg_redis_query_end(fg_redis_query_at(list.next), err, NULL);
}

void
fg_redis_query_dispatch_all(struct fg_link *from)
{
	struct fg_link list;

	move_all(from, &list);
	while (!fg_list_is_empty(&list)) {
		struct fg_redis_query *query = fg_redis_query_at(list.next);

		fg_list_remove(&query->place);
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
	if (query->is_late)
		return;
	redis->stats.cancelled++;
	redis->stats.in_flight--;
	fg_list_remove(&query->due);
	if (query->state != FG_REDIS_Q_SENT)
		fg_redis_query_recycle(query);
}

bool
fg_redis_await_late(struct fg_redis_query *query, fg_redis_fn *on_late, void *arg)
{
	FG_CHECK_MAGIC(query, FG_REDIS_QUERY_MAGIC);
	FG_ASSERT(query->fn == NULL && !query->is_own && !query->is_late);
	if (query->state != FG_REDIS_Q_SENT)
		return false;
	query->is_late = true;
	query->fn = on_late;
	query->arg = arg;
	return true;
}

/* ---- time */

static void
expire(struct fg_redis_query *query)
{
	struct fg_redis *redis = query->redis;
	struct fg_redis_node *node = query->is_own ? NULL : query->node;
	enum fg_err err = query->was_put_off ? FG_ERR_STORE_NOT_READY : FG_ERR_STORE_TIMEOUT;

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

	while (!fg_list_is_empty(&redis->due)) {
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
