/*
 * One connection: opened, greeted, written to once a turn, read when something comes, and judged when nothing does.
 * hiredis's plain, non-blocking context does the protocol; what its asynchronous one would add (a callback list, and
 * contexts that free themselves) is the queue of queries here. Nothing but this file and reply.c sees hiredis.
 */
#include <config.h>
#include <errno.h>
#include <hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/redis_internal.h"

/* ---- closing */

static void
drop_socket(struct fg_redis_conn *conn)
{
	fg_timer_stop(&conn->timer);
	fg_task_cancel(&conn->flush);
	fg_task_cancel(&conn->retire);
	fg_io_stop(&conn->io);
	if (conn->ctx != NULL)
		redisFree(conn->ctx); /* closes the descriptor */
	else if (conn->fd >= 0)
		close(conn->fd);
	conn->ctx = NULL;
	conn->fd = -1;
	conn->state = FG_REDIS_DOWN;
	conn->greetings_due = 0;
	conn->wants_write = false;
	conn->unsent = 0;
	fg_redis_pot_reset(&conn->pot);
}

void
fg_redis_conn_close(struct fg_redis_conn *conn)
{
	drop_socket(conn);
	fg_redis_query_end_all(&conn->sent, FG_ERR_STORE_UNREACHABLE);
}

/* detail may lie in what is closed here. */
static void
take_down(struct fg_redis_conn *conn, enum fg_err err, struct fg_str detail)
{
	char copy[128];

	detail = fg_str_slice(detail, 0, sizeof(copy));
	if (detail.len > 0)
		memcpy(copy, detail.p, detail.len);
	detail.p = copy;
	conn->was_ready = conn->state == FG_REDIS_READY;
	conn->had_queries = !fg_list_is_empty(&conn->sent);
	fg_redis_conn_close(conn);
	conn->ops->on_down(conn->arg, err, detail);
}

static void
on_retire(void *arg)
{
	take_down(arg, FG_ERR_STORE_NOT_READY, FG_STR("it is not the server that queries should go to"));
}

void
fg_redis_conn_retire(struct fg_redis_conn *conn)
{
	if (conn->state != FG_REDIS_DOWN)
		fg_task_post(&conn->retire);
}

/* ---- writing */

static void
flush(struct fg_redis_conn *conn)
{
	bool wants_write;
	int done = 0;

	if (redisBufferWrite(conn->ctx, &done) != REDIS_OK) {
		take_down(conn, FG_ERR_STORE_UNREACHABLE, fg_str_from(conn->ctx->errstr));
		return;
	}
	if (done)
		conn->unsent = 0;
	/* While TLS shakes hands it takes nothing, and waits for the other side. */
	wants_write = !done && (conn->redis->tls == NULL || conn->state == FG_REDIS_READY);
	if (conn->wants_write != wants_write) {
		conn->wants_write = wants_write;
		fg_io_watch(&conn->io, conn->fd, FG_IO_READ | (wants_write ? FG_IO_WRITE : 0u));
	}
}

static void
append(struct fg_redis_conn *conn, struct fg_str bytes)
{
	conn->unsent += bytes.len;
	FG_ASSERT(redisAppendFormattedCommand(conn->ctx, bytes.p, bytes.len) == REDIS_OK);
}

/* EVAL with the script's text, and then what the query has behind the EVALSHA and its hash. */
static void
append_source(struct fg_redis_conn *conn, const struct fg_redis_query *query)
{
	char head[64];
	int len = snprintf(head, sizeof(head), "*%u\r\n$4\r\nEVAL\r\n$%zu\r\n", query->argc, query->script->source.len);

	append(conn, (struct fg_str){head, (size_t)len});
	append(conn, query->script->source);
	append(conn, FG_STR("\r\n"));
	append(conn, fg_str_slice(fg_buf_str(&query->bytes), query->tail_at, query->bytes.len));
}

static void
ignore_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	(void)arg;
	(void)err;
	(void)reply;
}

static void
push(struct fg_redis_conn *conn, struct fg_redis_query *query)
{
	if (fg_list_is_empty(&conn->sent))
		conn->quiet_since = fg_redis_now(conn->redis);
	if (query->sends_source)
		append_source(conn, query);
	else
		append(conn, fg_buf_str(&query->bytes));
	query->state = FG_REDIS_Q_SENT;
	fg_list_add(&conn->sent, &query->place);
	if (!conn->wants_write)
		fg_task_post(&conn->flush);
}

bool
fg_redis_conn_send(struct fg_redis_conn *conn, struct fg_redis_query *query)
{
	static const struct fg_str asking = FG_STR_INIT("ASKING");

	FG_ASSERT(conn->state == FG_REDIS_READY || query->is_own);
	if (conn->unsent > FG_MAX_REDIS_UNSENT_BYTES)
		return false;
	if (query->asking)
		push(conn, fg_redis_query_own(conn->redis, &asking, 1, ignore_reply, NULL));
	push(conn, query);
	return true;
}

/* ---- reading */

/* Gives one reply to the query that it is for. False when the connection is gone now. */
static bool
deliver(struct fg_redis_conn *conn, const struct fg_redis_reply *reply)
{
	struct fg_link *first = conn->sent.next;

	if (fg_list_is_empty(&conn->sent)) {
		take_down(conn, FG_ERR_STORE_ERROR, FG_STR("a reply that nothing was asked for"));
		return false;
	}
	fg_list_remove(first);
	fg_redis_query_on_reply(fg_redis_query_at(first), reply);
	if (conn->ctx == NULL)
		return false;
	fg_redis_pot_reset(&conn->pot);
	return true;
}

static void
receive(struct fg_redis_conn *conn)
{
	redisContext *ctx = conn->ctx;
	void *reply = NULL;

	if (redisBufferRead(ctx) != REDIS_OK) {
		take_down(conn, FG_ERR_STORE_UNREACHABLE, fg_str_from(ctx->errstr));
		return;
	}
	conn->quiet_since = fg_redis_now(conn->redis);
	if (conn->unsent > 0 && !conn->wants_write)
		fg_task_post(&conn->flush);
	for (;;) {
		if (redisGetReplyFromReader(ctx, &reply) != REDIS_OK) {
			take_down(conn, FG_ERR_STORE_ERROR, fg_str_from(ctx->errstr));
			return;
		}
		if (reply == NULL)
			break;
		if (!deliver(conn, reply))
			return;
	}
	if (ctx->reader->len - ctx->reader->pos > FG_MAX_REDIS_REPLY_BYTES)
		take_down(conn, FG_ERR_STORE_ERROR, FG_STR("a reply that is too large"));
}

void
fg_redis_conn_drain(struct fg_redis_conn *conn)
{
	conn->drained_at = fg_redis_now(conn->redis);
	if (conn->ctx != NULL)
		receive(conn);
}

/* ---- greeting */

static void
finish_greeting(struct fg_redis_conn *conn)
{
	if (--conn->greetings_due > 0)
		return;
	fg_timer_stop(&conn->timer);
	conn->state = FG_REDIS_READY;
	conn->ready_since = fg_redis_now(conn->redis);
	conn->ops->on_ready(conn->arg);
}

/* AUTH, SELECT: the connection is of no use without. */
static void
on_needed(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_redis_conn *conn = arg;

	if (reply == NULL)
		return; /* the connection broke, and says so itself */
	if (err != FG_OK)
		take_down(conn, err == FG_ERR_STORE_ERROR ? FG_ERR_STORE_REFUSED : err, reply->str);
	else
		finish_greeting(conn);
}

/* CLIENT SETNAME: may be forbidden to this user, or unknown to this server. */
static void
on_wished(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_redis_conn *conn = arg;

	if (reply == NULL)
		return;
	if (err == FG_ERR_STORE_REFUSED && !fg_str_starts_with(reply->str, FG_STR("NOPERM")))
		take_down(conn, err, reply->str);
	else
		finish_greeting(conn);
}

static void
on_role(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_redis_conn *conn = arg;

	if (reply == NULL)
		return;
	if (err == FG_OK && reply->count > 0 && !fg_str_eq(reply->items[0].str, FG_STR("master")))
		take_down(conn, FG_ERR_STORE_NOT_READY, FG_STR("the sentinels named it, but it is no master"));
	else
		on_wished(arg, err, reply);
}

static void
say(struct fg_redis_conn *conn, const struct fg_str *argv, size_t argc, fg_redis_fn *fn)
{
	conn->greetings_due++;
	push(conn, fg_redis_query_own(conn->redis, argv, argc, fn, conn));
}

/* All in one write; queries follow when all is answered, since a SELECT or AUTH that fails must not let them pass. */
static void
greet(struct fg_redis_conn *conn)
{
	const struct fg_redis_greeting *greeting = conn->greeting;
	const struct fg_redis_options *options = &conn->redis->options;
	char digits[16];

	conn->state = FG_REDIS_GREETING;
	if (greeting->user.len > 0)
		say(conn, (const struct fg_str[]){FG_STR("AUTH"), greeting->user, greeting->password}, 3, on_needed);
	else if (greeting->password.len > 0)
		say(conn, (const struct fg_str[]){FG_STR("AUTH"), greeting->password}, 2, on_needed);
	if (greeting->db > 0) {
		int len = snprintf(digits, sizeof(digits), "%u", greeting->db);

		say(conn, (const struct fg_str[]){FG_STR("SELECT"), {digits, (size_t)len}}, 2, on_needed);
	}
	if (greeting->must_be_master)
		say(conn, (const struct fg_str[]){FG_STR("ROLE")}, 1, on_role);
	if (options->client_name != NULL)
		say(conn, (const struct fg_str[]){FG_STR("CLIENT"), FG_STR("SETNAME"), fg_str_from(options->client_name)}, 3,
		    on_wished);
	else
		say(conn, (const struct fg_str[]){FG_STR("PING")}, 1, on_wished);
}

/* ---- opening */

static void
begin(struct fg_redis_conn *conn)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
		take_down(conn, FG_ERR_STORE_UNREACHABLE, fg_str_from(strerror(error)));
		return;
	}
	conn->ctx = redisConnectFd(conn->fd);
	FG_ASSERT(conn->ctx != NULL);
	conn->ctx->flags &= ~REDIS_BLOCK;
	fg_redis_reply_attach(conn->ctx->reader, &conn->pot);
	fg_io_watch(&conn->io, conn->fd, FG_IO_READ);
	if (conn->redis->spec.tls && !fg_redis_tls_start(conn->redis->tls, conn->ctx, &conn->where)) {
		take_down(conn, FG_ERR_STORE_UNREACHABLE, fg_str_from(conn->ctx->errstr));
		return;
	}
	greet(conn);
}

static void
on_io(struct fg_io *io, unsigned ready, void *arg)
{
	struct fg_redis_conn *conn = arg;

	(void)io;
	if (conn->state == FG_REDIS_CONNECTING) {
		begin(conn);
		return;
	}
	if (ready & FG_IO_READ)
		receive(conn);
	if ((ready & FG_IO_WRITE) && conn->ctx != NULL)
		flush(conn);
}

static void
connect_to(struct fg_redis_conn *conn, const struct sockaddr *addr, unsigned len)
{
	int one = 1;

	conn->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (conn->fd < 0 || (connect(conn->fd, addr, len) != 0 && errno != EINPROGRESS)) {
		take_down(conn, FG_ERR_STORE_UNREACHABLE, fg_str_from(strerror(errno)));
		return;
	}
	if (addr->sa_family != AF_UNIX) {
		(void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	fg_io_watch(&conn->io, conn->fd, FG_IO_WRITE);
}

static void
on_lookup(void *arg, const struct sockaddr *addr, unsigned len)
{
	struct fg_redis_conn *conn = arg;
	struct sockaddr_storage copy;

	conn->lookup = NULL;
	if (conn->state != FG_REDIS_CONNECTING)
		return;
	if (addr == NULL) {
		take_down(conn, FG_ERR_STORE_UNREACHABLE, FG_STR("the host's name is not known"));
		return;
	}
	memcpy(&copy, addr, len);
	/* The port has the same place in both. */
	((struct sockaddr_in *)(void *)&copy)->sin_port = htons((uint16_t)conn->where.port);
	connect_to(conn, (const struct sockaddr *)&copy, len);
}

static void
start(struct fg_redis_conn *conn)
{
	struct sockaddr_storage addr;
	unsigned len;

	if (fg_redis_where_sockaddr(&conn->where, &addr, &len)) {
		connect_to(conn, (const struct sockaddr *)&addr, len);
	} else if (conn->lookup == NULL) {
		/* One that an earlier try left behind is as good. */
		conn->lookup = fg_redis_lookup_start(conn->redis->loop, &conn->where, on_lookup, conn);
		if (conn->lookup == NULL)
			take_down(conn, FG_ERR_STORE_UNREACHABLE, FG_STR("no thread to resolve the host's name"));
	}
}

/* At the end of a turn: what it made is written, or the connection that it asked for is begun. */
static void
on_turn_end(void *arg)
{
	struct fg_redis_conn *conn = arg;

	if (conn->ctx != NULL)
		flush(conn);
	else
		start(conn);
}

/* ---- time */

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct fg_redis_conn *conn = arg;
	fg_usec quiet = fg_redis_now(conn->redis) - conn->quiet_since, left = conn->redis->options.hang_after - quiet;

	(void)timer;
	if (conn->state != FG_REDIS_READY) {
		take_down(conn, FG_ERR_STORE_UNREACHABLE, FG_STR("it did not answer within the connect-timeout"));
		return;
	}
	if (fg_list_is_empty(&conn->sent))
		return;
	if (left > 0) {
		fg_timer_start(&conn->timer, left);
		return;
	}
	conn->redis->stats.hangs++;
	take_down(conn, FG_ERR_STORE_TIMEOUT, FG_STR("replies are due and nothing comes"));
}

void
fg_redis_conn_suspect(struct fg_redis_conn *conn)
{
	if (conn->state == FG_REDIS_READY && !fg_timer_is_active(&conn->timer))
		fg_timer_start(&conn->timer, conn->quiet_since + conn->redis->options.hang_after - fg_redis_now(conn->redis));
}

/* ---- face */

void
fg_redis_conn_init(struct fg_redis_conn *conn, struct fg_redis *redis, const struct fg_redis_greeting *greeting,
    const struct fg_redis_conn_ops *ops, void *arg)
{
	conn->redis = redis;
	conn->greeting = greeting;
	conn->ops = ops;
	conn->arg = arg;
	conn->state = FG_REDIS_DOWN;
	conn->fd = -1;
	conn->drained_at = -1;
	fg_io_init(&conn->io, redis->loop, on_io, conn);
	fg_timer_init(&conn->timer, redis->loop, on_timer, conn);
	fg_task_init(&conn->flush, redis->loop, on_turn_end, conn);
	fg_task_init(&conn->retire, redis->loop, on_retire, conn);
	fg_list_init(&conn->sent);
	/* Above the bound on replies: blocks of the arena are not filled to their ends. */
	fg_arena_init(&conn->pot.arena, 4 * FG_MAX_REDIS_REPLY_BYTES, conn->pot_memory, sizeof(conn->pot_memory));
}

void
fg_redis_conn_fini(struct fg_redis_conn *conn)
{
	fg_redis_conn_close(conn);
	fg_redis_lookup_cancel(conn->lookup);
	conn->lookup = NULL;
	fg_arena_fini(&conn->pot.arena);
}

void
fg_redis_conn_open(struct fg_redis_conn *conn, const struct fg_redis_where *where)
{
	FG_ASSERT(conn->state == FG_REDIS_DOWN);
	if (!fg_redis_where_eq(&conn->where, fg_str_from(where->host), where->port)) {
		fg_redis_lookup_cancel(conn->lookup);
		conn->lookup = NULL;
		conn->where = *where;
	}
	conn->state = FG_REDIS_CONNECTING;
	fg_timer_start(&conn->timer, conn->redis->options.connect_timeout);
	fg_task_post(&conn->flush);
}
