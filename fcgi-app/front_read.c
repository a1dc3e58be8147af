/*
 * What comes from a web server: the head of a request, looked at whole before libfcgi sees it, its body, and records that
 * are no request's.
 */
#include "fcgi-app/front_internal.h"

#include <errno.h>
#include <sys/socket.h>

#include "core/engine.h"

enum {
	FIRST_READ_BYTES = 16 * 1024,
	PARAMS_DEADLINE_US = 10 * FG_US_PER_S, /* from the first byte of a request to the end of its parameters */
	ENDING_MOST_BYTES = 64 * 1024 * 1024,
};

/* The head is whole: libfcgi reads it, and an exchange begins, not yet started. */
static void
begin_request(struct conn *conn, const struct fg_request_head *head, struct fg_str data, enum fg_scan scan)
{
	struct fg_front *front = conn->front;
	bool is_whole = scan == FG_SCAN_WHOLE;

	fg_timer_stop(&conn->deadline);
	conn->keep = head->keep;
	conn->stdin_done = false;
	conn->watched = false; /* a kept-alive connection still is; the watch timer finds out */
	fg_body_reader_init(&conn->body, head->id, scan == FG_SCAN_LONG);
	if (is_whole)
		conn->request = fg_fcgi_accept(front->fcgi, fg_str_slice(data, 0, head->feed_len), conn->fd);
	else
		conn->request = fg_fcgi_accept_bare(front->fcgi, head->id, conn->fd);
	if (conn->request == NULL) {
		fg_conn_drop(conn, FG_ERR_FCGI_PROTOCOL);
		return;
	}
	conn->state = CONN_BUSY;
	conn->budget = FG_WRITE_PIECE_BYTES;
	conn->renewals = 0;
	conn->busy_since = fg_loop_clock(front->gw->loop)->mono;
	if (is_whole)
		conn->x = fg_exchange_new(front->gw, &fg_conn_ops, conn, front->params,
		    fg_fcgi_params(conn->request, front->params, FG_ARRAY_LEN(front->params)));
	else
		conn->x = fg_exchange_new_refused(front->gw, &fg_conn_ops, conn, head->err);
	if (!fg_timer_is_active(&front->watch_timer))
		fg_timer_start(&front->watch_timer, FRONT_WATCH_AFTER_US);
}

/* The record's padding is no part of what follows. */
static struct fg_str
skip_padding(struct conn *conn, struct fg_str data)
{
	size_t n = conn->body.padding_left < data.len ? conn->body.padding_left : data.len;

	conn->body.padding_left -= n;
	return fg_str_slice(data, n, data.len);
}

static void
on_body_end(struct conn *conn)
{
	conn->stdin_done = true;
	if (conn->x != NULL)
		fg_exchange_on_body(conn->x, FG_STR_NONE, true);
	else if (conn->pending.len == 0)
		fg_conn_finish(conn);
}

static void
on_body_data(struct conn *conn, struct fg_str chunk)
{
	if (conn->x != NULL) {
		fg_exchange_on_body(conn->x, chunk, false);
		return;
	}
	conn->discarded += chunk.len;
	if (conn->discarded > ENDING_MOST_BYTES)
		fg_conn_drop(conn, FG_ERR_BODY_TOO_LARGE);
}

/* Body bytes of the request under way. What belongs to the next one is kept until this one is over. */
static void
use_body(struct conn *conn, struct fg_str data)
{
	while (data.len > 0 && (conn->state == CONN_BUSY || conn->state == CONN_ENDING)) {
		struct fg_str chunk = FG_STR_NONE;

		switch (fg_body_reader_next(&conn->body, &data, &chunk)) {
		case FG_BODY_MORE:
			break;
		case FG_BODY_DATA:
			on_body_data(conn, chunk);
			break;
		case FG_BODY_END:
			data = skip_padding(conn, data);
			on_body_end(conn);
			break;
		case FG_BODY_ABORT:
			fg_conn_on_client_left(conn);
			return;
		case FG_BODY_NEXT:
			if (!conn->stdin_done)
				fg_conn_drop(conn, FG_ERR_FCGI_PROTOCOL);
			else if (!fg_buf_add(&conn->in, fg_body_reader_take_held(&conn->body)) || !fg_buf_add(&conn->in, data))
				fg_conn_drop(conn, FG_ERR_TOO_LARGE);
			return;
		case FG_BODY_BAD:
			fg_conn_drop(conn, FG_ERR_FCGI_PROTOCOL);
			break;
		}
	}
	if (conn->state == CONN_IDLE && data.len > 0) {
		FG_ASSERT(fg_buf_add(&conn->in, data));
		fg_task_post(&conn->input_task);
	}
}

/* Outside of any request; the peer has nothing to read, so there is room. */
static bool
say(struct conn *conn, const char *bytes, size_t len)
{
	return send(conn->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

/* What follows the record is looked at anew, from a task. */
static void
answer_management(struct conn *conn, struct fg_str record, struct fg_str rest)
{
	char answer[FG_MOST_ANSWER_BYTES];
	size_t len = fg_management_answer(record, answer);

	fg_timer_stop(&conn->deadline);
	if (len == 0 || !say(conn, answer, len)) {
		fg_conn_drop(conn, FG_ERR_FCGI_PROTOCOL);
		return;
	}
	conn->state = CONN_IDLE;
	if (rest.len > 0) {
		FG_ASSERT(fg_buf_add(&conn->in, rest));
		fg_task_post(&conn->input_task);
	}
	fg_conn_watch(conn);
}

/* The peer is told; what else it sends for that request is not waited for. */
static void
refuse_role(struct conn *conn, unsigned id)
{
	char answer[FG_MOST_ANSWER_BYTES];

	(void)say(conn, answer, fg_role_answer(id, answer));
	fg_conn_drop(conn, FG_ERR_FCGI_PROTOCOL);
}

/* The head of a request is incomplete: it waits in conn->in. */
static void
wait_for_head(struct conn *conn)
{
	if (conn->state == CONN_IDLE)
		fg_timer_start(&conn->deadline, PARAMS_DEADLINE_US);
	conn->state = CONN_READING;
	fg_conn_watch(conn);
}

/*
 * Bytes of the next request. The exchange starts only after what came along of its body has been read too, so that a
 * small body is there when the service is asked.
 */
static void
use_head(struct conn *conn, struct fg_str data)
{
	struct fg_buf held = conn->in;
	struct fg_request_head head;
	enum fg_scan scan;

	if (held.len == 0)
		data = skip_padding(conn, data);
	if (data.len == 0 && held.len == 0)
		return;
	if (held.len > 0) {
		FG_ASSERT(fg_buf_add(&held, data));
		data = fg_buf_str(&held);
	}
	scan = fg_request_head_scan(data, &head);
	if (scan == FG_SCAN_MORE) {
		if (held.len == 0)
			FG_ASSERT(fg_buf_add(&held, data));
		conn->in = held;
		wait_for_head(conn);
		return;
	}
	/* The bytes stay here while they are used: what comes back to conn->in is the request after this one. */
	fg_buf_init(&conn->in, held.max);
	if (scan == FG_SCAN_BAD)
		fg_conn_drop(conn, FG_ERR_FCGI_PROTOCOL);
	else if (scan == FG_SCAN_ROLE)
		refuse_role(conn, head.id);
	else if (scan == FG_SCAN_MANAGEMENT)
		answer_management(conn, fg_str_slice(data, 0, head.whole_len), fg_str_slice(data, head.whole_len, data.len));
	else
		begin_request(conn, &head, data, scan);
	if (conn->state == CONN_BUSY)
		use_body(conn, fg_str_slice(data, head.whole_len, data.len));
	fg_buf_fini(&held);
	if (conn->state == CONN_BUSY)
		fg_exchange_start(conn->x);
	if (conn->state == CONN_BUSY && (!conn->stdin_done || conn->pending.len > 0))
		fg_conn_watch(conn);
}

void
fg_conn_on_input(void *arg)
{
	struct conn *conn = arg;

	if (conn->state == CONN_IDLE)
		use_head(conn, FG_STR_NONE);
}

static size_t
read_size(const struct conn *conn)
{
	size_t room;

	if (conn->state == CONN_IDLE || conn->state == CONN_READING)
		return FIRST_READ_BYTES;
	if (conn->x == NULL)
		return FRONT_SCRATCH_BYTES;
	/* A record's content is never longer than what was read, so what is read has room. */
	room = fg_exchange_body_room(conn->x);
	return room < FRONT_SCRATCH_BYTES ? room : FRONT_SCRATCH_BYTES;
}

/* The next request has begun behind the one under way: the rest of it stays with the kernel until its turn. */
static bool
holds_next(const struct conn *conn)
{
	return conn->in.len > 0 && (conn->state == CONN_BUSY || conn->state == CONN_ENDING);
}

void
fg_conn_read(struct conn *conn)
{
	size_t size = read_size(conn);
	ssize_t n;

	if (size == 0 || holds_next(conn)) {
		fg_conn_watch(conn);
		return;
	}
	n = recv(conn->fd, conn->front->scratch, size, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		fg_conn_watch(conn);
	} else if (n <= 0) {
		fg_conn_on_client_left(conn);
	} else if (conn->state == CONN_IDLE || conn->state == CONN_READING) {
		use_head(conn, (struct fg_str){conn->front->scratch, (size_t)n});
	} else {
		use_body(conn, (struct fg_str){conn->front->scratch, (size_t)n});
		if (conn->state == CONN_BUSY || conn->state == CONN_ENDING)
			fg_conn_watch(conn);
	}
}
