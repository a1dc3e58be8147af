/*
 * Connections of web servers: their life, and writing answers, never blocking. What is read from them stands in
 * front_read.c.
 *
 *   - Writes: at most FG_WRITE_PIECE_BYTES for each time that poll says the socket is writable. A Unix socket that
 *     polls writable has three quarters of its buffer free, a TCP socket a third; both are more than that. A send
 *     timeout on the descriptor is the seat belt.
 *   - The end is written only when FCGI_STDIN has been read to its end: mod_proxy_fcgi writes the empty FCGI_STDIN
 *     record separately, and turns an answer that comes (and a close that follows) before it into a 500.
 *   - What the engine calls never calls the engine back: a failed write is reported from a task.
 */
#include "fcgi-app/front_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "core/engine.h"
#include "fcgi-app/handover.h"
#include "stats/stats.h"

enum {
	CONN_MAGIC = 0x46434e31,
	RENEWALS_A_TURN = 3,
	SEAT_BELT_MS = 200,
	ENDING_DEADLINE_US = 30 * FG_US_PER_S, /* for the rest of a body that nobody wants */
	PENDING_MOST_BYTES = FG_MAX_RESPONSE_HEAD_BYTES * 4,
};

void
fg_front_count_conns(struct fg_front *front, unsigned more)
{
	if (front->gw->stats != NULL)
		atomic_store_explicit(&fg_stats_worker(front->gw->stats, front->gw->worker)->connections,
		    front->conn_count + more, memory_order_relaxed);
}

/* ---- connections */

static void
close_conn(struct conn *conn)
{
	struct fg_front *front = conn->front;

	FG_CHECK_MAGIC(conn, CONN_MAGIC);
	FG_ASSERT(conn->x == NULL);
	if (conn->state == CONN_CLOSED)
		return;
	conn->state = CONN_CLOSED;
	fg_io_stop(&conn->io);
	fg_timer_stop(&conn->deadline);
	fg_timer_stop(&conn->hold);
	fg_task_cancel(&conn->flush_task);
	fg_task_cancel(&conn->broken_task);
	fg_task_cancel(&conn->input_task);
	fg_fcgi_discard(conn->request);
	conn->request = NULL;
	close(conn->fd);
	front->conn_count--;
	fg_front_count_conns(front, 0);
	fg_task_post(&conn->free_task);
	if (front->draining && front->conn_count == 0)
		fg_task_post(&front->idle_task);
}

void
fg_conn_free(struct conn *conn)
{
	FG_ASSERT(conn->state == CONN_CLOSED);
	fg_task_cancel(&conn->free_task);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		conn->front->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	fg_buf_fini(&conn->in);
	fg_buf_fini(&conn->pending);
	conn->magic = 0;
	free(conn);
}

static void
free_task(void *arg)
{
	fg_conn_free(arg);
}

/* The web server is gone, or gave the request up: the exchange learns of it, and the connection is closed. */
void
fg_conn_abandon(struct conn *conn)
{
	struct fg_exchange *x = conn->x;

	conn->x = NULL;
	if (x != NULL)
		fg_exchange_on_client_gone(x);
	close_conn(conn);
}

void
fg_conn_on_client_left(struct conn *conn)
{
	if (conn->x == NULL || conn->deaf || !fg_exchange_goes_on_alone(conn->x)) {
		fg_conn_abandon(conn);
		return;
	}
	conn->deaf = conn->broken = true;
	fg_buf_reset(&conn->pending);
	fg_timer_stop(&conn->deadline);
	fg_task_cancel(&conn->flush_task);
	fg_task_cancel(&conn->broken_task);
	fg_io_stop(&conn->io);
	shutdown(conn->fd, SHUT_RDWR);
}

/* Something came that is not FastCGI as it is served here. */
void
fg_conn_drop(struct conn *conn, enum fg_err why)
{
	if (conn->front->gw->stats != NULL)
		fg_stats_count_reason(conn->front->gw->stats, why);
	FG_LOG(conn->front->gw->log, WARN, "fcgi", "connection of the web server closed", FG_F_CSTR("reason", fg_err_token(why)));
	fg_conn_abandon(conn);
}

/* After a request on a kept-alive connection: the next one, another worker, or the end. */
void
fg_conn_go_idle(struct conn *conn)
{
	struct fg_front *front = conn->front;

	conn->state = CONN_IDLE;
	if (!conn->keep || conn->broken) {
		close_conn(conn);
		return;
	}
	FG_ASSERT(fg_buf_add(&conn->in, fg_body_reader_take_held(&conn->body)));
	if (conn->in.len > 0) {
		/* The next request has begun already. */
		fg_task_post(&conn->input_task);
		return;
	}
	if (front->draining) {
		if (front->handover == NULL || fg_handover_send(front->handover, conn->fd) || errno != EAGAIN) {
			close_conn(conn);
			return;
		}
		/* The way is full: this worker goes on with the connection, and tries again. */
		fg_timer_start(&front->pause_timer, FRONT_PAUSE_US);
	}
	fg_io_watch(&conn->io, conn->fd, FG_IO_READ);
}

/* ---- writing */

/* Writes nothing more; the exchange learns of it from a task, never inside one of its own calls. */
static void
mark_broken(struct conn *conn)
{
	if (conn->broken)
		return;
	conn->broken = true;
	fg_buf_reset(&conn->pending);
	fg_task_post(&conn->broken_task);
}

static void
put_now(struct conn *conn, struct fg_str bytes)
{
	if (!fg_fcgi_put(conn->request, bytes))
		mark_broken(conn);
	conn->budget -= bytes.len;
}

/*
 * Mostly the web server has read what went before, and asking at once is cheaper than to pause the service's transfer and
 * to come back. No more often than that a turn: others wait for it to end.
 */
static void
renew_budget(struct conn *conn)
{
	struct pollfd fd = {.fd = conn->fd, .events = POLLOUT};

	if (conn->renewals == RENEWALS_A_TURN || poll(&fd, 1, 0) != 1 || fd.revents != POLLOUT)
		return;
	conn->renewals++;
	conn->budget = FG_WRITE_PIECE_BYTES;
}

/* Through libfcgi while the kernel has room for it, the rest into `pending`. */
static void
put(struct conn *conn, struct fg_str bytes)
{
	if (conn->broken || bytes.len == 0)
		return;
	if (conn->pending.len == 0) {
		size_t n;

		if (bytes.len > conn->budget)
			renew_budget(conn);
		n = bytes.len < conn->budget ? bytes.len : conn->budget;

		if (n > 0)
			put_now(conn, fg_str_slice(bytes, 0, n));
		bytes = fg_str_slice(bytes, n, bytes.len);
	}
	if (bytes.len > 0 && !conn->broken)
		FG_ASSERT(fg_buf_add(&conn->pending, bytes));
}

static unsigned
wanted_events(const struct conn *conn)
{
	bool reads;

	if (conn->state == CONN_BUSY && !conn->stdin_done)
		reads = conn->in.len == 0 && fg_exchange_body_room(conn->x) > 0;
	else if (conn->state == CONN_BUSY)
		reads = conn->in.len == 0 && conn->watched;
	else
		reads = !(conn->state == CONN_ENDING && conn->stdin_done);
	return (reads ? FG_IO_READ : 0u) | (conn->pending.len > 0 ? FG_IO_WRITE : 0u);
}

void
fg_conn_watch(struct conn *conn)
{
	if (conn->deaf)
		return;
	fg_io_watch(&conn->io, conn->fd, conn->broken ? 0 : wanted_events(conn));
}

/* End of the turn: what was put goes out, unless the exchange ended and took it along. */
static void
flush(void *arg)
{
	struct conn *conn = arg;

	conn->renewals = 0;
	if (conn->request != NULL && !conn->broken && !fg_fcgi_flush(conn->request))
		mark_broken(conn);
	if (conn->pending.len > 0)
		fg_conn_watch(conn);
}

static void
on_writable(struct conn *conn)
{
	struct fg_str bytes = fg_buf_str(&conn->pending);
	size_t n = bytes.len < FG_WRITE_PIECE_BYTES ? bytes.len : FG_WRITE_PIECE_BYTES;

	conn->budget = FG_WRITE_PIECE_BYTES;
	put_now(conn, fg_str_slice(bytes, 0, n));
	fg_buf_consume(&conn->pending, conn->broken ? conn->pending.len : n);
	if (conn->broken)
		return;
	flush(conn);
	if (conn->pending.len > 0)
		return;
	fg_buf_fini(&conn->pending);
	if (conn->state == CONN_ENDING) {
		fg_conn_finish(conn);
		return;
	}
	if (conn->x != NULL)
		fg_exchange_on_writable(conn->x);
	if (conn->state == CONN_BUSY)
		fg_conn_watch(conn);
}

static void
on_broken(void *arg)
{
	fg_conn_on_client_left(arg);
}

/* The end of an exchange that went on alone. */
static void
end_deaf(struct conn *conn)
{
	conn->x = NULL;
	conn->state = CONN_ENDING;
	fg_task_post(&conn->broken_task);
}

/* ---- what the engine calls (struct fg_front_ops) */

static void
front_send_head(void *front, int status, const struct fg_headers *headers)
{
	struct conn *conn = front;
	char digits[4] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10), ' '};

	put(conn, FG_STR("Status: "));
	put(conn, (struct fg_str){digits, sizeof(digits)});
	put(conn, fg_str_from(fg_status_phrase(status)));
	for (size_t i = 0; i < headers->count; i++) {
		put(conn, FG_STR("\r\n"));
		put(conn, headers->v[i].name);
		put(conn, FG_STR(": "));
		put(conn, headers->v[i].value);
	}
	put(conn, FG_STR("\r\n\r\n"));
	fg_task_post(&conn->flush_task);
}

static enum fg_flow
front_send_body(void *front, struct fg_str chunk)
{
	struct conn *conn = front;

	if (conn->pending.len > 0)
		return FG_FLOW_PAUSE;
	put(conn, chunk);
	fg_task_post(&conn->flush_task);
	return FG_FLOW_GO;
}

static bool
front_recall(void *front)
{
	struct conn *conn = front;

	if (conn->broken || conn->pending.len > 0 || !fg_fcgi_recall(conn->request))
		return false;
	conn->budget = FG_WRITE_PIECE_BYTES;
	return true;
}

static void
front_want_body(void *front)
{
	struct conn *conn = front;

	if (!conn->stdin_done)
		fg_conn_watch(conn);
}

static void
front_end(void *front)
{
	struct conn *conn = front;

	if (conn->deaf) {
		end_deaf(conn);
		return;
	}
	conn->x = NULL;
	conn->state = CONN_ENDING;
	conn->discarded = 0;
	if (conn->stdin_done && conn->pending.len == 0) {
		fg_conn_finish(conn);
		return;
	}
	fg_task_post(&conn->flush_task);
	fg_timer_start(&conn->deadline, ENDING_DEADLINE_US);
	fg_conn_watch(conn);
}

static void
front_abort(void *front)
{
	struct conn *conn = front;

	if (conn->deaf) {
		end_deaf(conn);
		return;
	}
	/* Without FCGI_END_REQUEST the web server knows that the answer is not whole. */
	conn->x = NULL;
	conn->state = CONN_ENDING;
	fg_conn_hold(conn);
}

const struct fg_front_ops fg_conn_ops = {
    .send_head = front_send_head,
    .send_body = front_send_body,
    .recall = front_recall,
    .end = front_end,
    .abort = front_abort,
    .want_body = front_want_body,
};

/* Answered and read to the end: FCGI_END_REQUEST, then the connection is idle or closed. */
void
fg_conn_finish(struct conn *conn)
{
	fg_timer_stop(&conn->deadline);
	fg_task_cancel(&conn->flush_task);
	if (conn->broken)
		return; /* on_broken frees it */
	conn->broken = !fg_fcgi_end(conn->request);
	conn->request = NULL;
	fg_conn_go_idle(conn);
}

static void
on_io(struct fg_io *io, unsigned ready, void *arg)
{
	struct conn *conn = arg;

	(void)io;
	FG_CHECK_MAGIC(conn, CONN_MAGIC);
	if ((ready & FG_IO_WRITE) && conn->pending.len > 0 && !conn->broken)
		on_writable(conn);
	if ((ready & FG_IO_READ) && conn->state != CONN_CLOSED && !conn->broken)
		fg_conn_read(conn);
}

static void
on_deadline(struct fg_timer *timer, void *arg)
{
	struct conn *conn = arg;

	(void)timer;
	fg_conn_drop(conn, conn->state == CONN_READING ? FG_ERR_FCGI_TIMEOUT : FG_ERR_REQUEST_TIMEOUT);
}

void
fg_conn_open(struct fg_front *front, int fd)
{
	struct fg_loop *loop = front->gw->loop;
	struct timeval seat_belt = {.tv_sec = 0, .tv_usec = SEAT_BELT_MS * 1000};
	struct conn *conn = calloc(1, sizeof(*conn));

	FG_ASSERT(conn != NULL);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &seat_belt, sizeof(seat_belt));
	/* Kept until a request says otherwise: one may be on its way, so a worker that leaves passes the connection on. */
	*conn = (struct conn){.magic = CONN_MAGIC, .state = CONN_IDLE, .front = front, .fd = fd, .keep = true};
	fg_io_init(&conn->io, loop, on_io, conn);
	fg_timer_init(&conn->deadline, loop, on_deadline, conn);
	fg_timer_init(&conn->hold, loop, fg_conn_on_hold, conn);
	fg_task_init(&conn->flush_task, loop, flush, conn);
	fg_task_init(&conn->broken_task, loop, on_broken, conn);
	fg_task_init(&conn->input_task, loop, fg_conn_on_input, conn);
	fg_task_init(&conn->free_task, loop, free_task, conn);
	fg_buf_init(&conn->in, FG_MAX_PARAMS_BYTES + FRONT_SCRATCH_BYTES);
	fg_buf_init(&conn->pending, PENDING_MOST_BYTES);
	conn->next = front->conns;
	if (front->conns != NULL)
		front->conns->prev = conn;
	front->conns = conn;
	front->conn_count++;
	fg_front_count_conns(front, 0);
	fg_conn_read(conn);
}

void
fg_conn_watch_client(struct conn *conn)
{
	conn->watched = true;
	fg_conn_watch(conn);
}
