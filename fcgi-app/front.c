/*
 * The front: sockets that listen, connections that a leaving worker gave away, drains, and the watch for clients that
 * leave. What happens on a connection stands in front_conn.c.
 */
#include "fcgi-app/front_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "fcgi-app/handover.h"
#include "stats/stats.h"

enum {
	ACCEPTS_A_TURN = 16,
};

static void watch_listeners(struct fg_front *front);

static void
pause_accepting(struct fg_front *front, const char *why)
{
	fg_usec now = fg_loop_clock(front->gw->loop)->mono;

	if (front->pause_said == 0 || now - front->pause_said >= FRONT_PAUSE_SAID_US) {
		FG_LOG(front->gw->log, WARN, "fcgi", "accepting pauses", FG_F_CSTR("error", why));
		front->pause_said = now;
	}
	front->accept_paused = true;
	watch_listeners(front);
	fg_timer_start(&front->pause_timer, FRONT_PAUSE_US);
}

/* True: more may be waiting. */
static bool
accept_some(struct fg_front *front, int listen_fd)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd;

		if (front->conn_count >= front->most_conns) {
			pause_accepting(front, "too many connections");
			return false;
		}
		fg_front_count_conns(front, 1);
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			fg_front_count_conns(front, 0);
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				pause_accepting(front, strerror(errno));
			return false;
		}
		if (front->gw->stats != NULL)
			fg_stats_add(front->gw->stats, FG_COUNT_CONNECTIONS_ACCEPTED, 1);
		/* The request is mostly there already. */
		fg_conn_open(front, fd);
	}
	return true;
}

static void
on_listener(struct fg_io *io, unsigned ready, void *arg)
{
	struct listener *listener = arg;

	(void)io;
	(void)ready;
	accept_some(listener->front, listener->fd);
}

static void
watch_listeners(struct fg_front *front)
{
	bool accepts = !front->draining && !front->accept_paused;

	for (size_t i = 0; i < front->listener_count; i++)
		fg_io_watch(&front->listeners[i].io, front->listeners[i].fd, accepts ? FG_IO_READ : 0u);
}

static void
give_idle_away(struct fg_front *front)
{
	for (struct conn *conn = front->conns; conn != NULL; conn = conn->next)
		if (conn->state == CONN_IDLE)
			fg_conn_go_idle(conn);
}

static void
on_pause_timer(struct fg_timer *timer, void *arg)
{
	struct fg_front *front = arg;

	(void)timer;
	front->accept_paused = false;
	if (front->draining)
		give_idle_away(front);
	else
		watch_listeners(front);
}

/*
 * Connections that a leaving worker gave away: kept alive, idle, perhaps with a request on its way. One a turn: whoever
 * woke first would take all there are, and keep them.
 */
static void
on_handover(struct fg_io *io, unsigned ready, void *arg)
{
	struct fg_front *front = arg;
	int fd;

	(void)io;
	(void)ready;
	if (front->conn_count < front->most_conns && (fd = fg_handover_receive(front->handover)) >= 0)
		fg_conn_open(front, fd);
}

/*
 * Most exchanges are over sooner than it is worth asking the kernel to watch for their clients' leaving; those that
 * last are watched from here.
 */
static void
on_watch_timer(struct fg_timer *timer, void *arg)
{
	struct fg_front *front = arg;
	fg_usec now = fg_loop_clock(front->gw->loop)->mono;
	bool more = false;

	for (struct conn *conn = front->conns; conn != NULL; conn = conn->next) {
		if (conn->state != CONN_BUSY || conn->watched)
			continue;
		if (now - conn->busy_since < FRONT_WATCH_AFTER_US)
			more = true;
		else
			fg_conn_watch_client(conn);
	}
	if (more)
		fg_timer_start(timer, FRONT_WATCH_AFTER_US);
}

/* ---- the front */

static void
report_idle(void *arg)
{
	struct fg_front *front = arg;

	if (front->conn_count == 0)
		front->on_idle(front->on_idle_arg);
}

struct fg_front *
fg_front_new(struct fg_gateway *gw, const int *listen_fds, size_t listen_count, size_t most_conns,
    const struct fg_handover *handover, void (*on_idle)(void *arg), void *arg)
{
	struct fg_front *front = calloc(1, sizeof(*front));

	FG_ASSERT(front != NULL && most_conns > 0 && most_conns <= FG_MAX_CONNECTIONS);
	front->most_conns = most_conns;
	front->gw = gw;
	front->handover = handover;
	front->on_idle = on_idle;
	front->on_idle_arg = arg;
	front->listener_count = listen_count;
	front->listeners = calloc(listen_count, sizeof(*front->listeners));
	FG_ASSERT(front->listeners != NULL);
	front->fcgi = fg_fcgi_new();
	fg_timer_init(&front->pause_timer, gw->loop, on_pause_timer, front);
	fg_timer_init(&front->watch_timer, gw->loop, on_watch_timer, front);
	fg_task_init(&front->idle_task, gw->loop, report_idle, front);
	fg_io_init(&front->handover_io, gw->loop, on_handover, front);
	for (size_t i = 0; i < listen_count; i++) {
		front->listeners[i] = (struct listener){.front = front, .fd = listen_fds[i]};
		fg_io_init(&front->listeners[i].io, gw->loop, on_listener, &front->listeners[i]);
	}
	watch_listeners(front);
	if (handover != NULL)
		fg_io_watch(&front->handover_io, handover->receive_fd, FG_IO_READ);
	return front;
}

void
fg_front_drain(struct fg_front *front)
{
	if (front->draining)
		return;
	/* What waits in the queue of the socket came before the order to leave, and there may be nobody else to take it. */
	for (size_t i = 0; i < front->listener_count; i++)
		while (accept_some(front, front->listeners[i].fd))
			;
	front->draining = true;
	fg_io_stop(&front->handover_io);
	watch_listeners(front);
	give_idle_away(front);
	if (front->conn_count == 0)
		fg_task_post(&front->idle_task);
}

void
fg_front_free(struct fg_front *front)
{
	while (front->conns != NULL) {
		struct conn *conn = front->conns;

		if (conn->state != CONN_CLOSED)
			fg_conn_abandon(conn);
		fg_task_cancel(&conn->free_task);
		fg_conn_free(conn);
	}
	fg_task_cancel(&front->idle_task);
	fg_timer_stop(&front->pause_timer);
	fg_timer_stop(&front->watch_timer);
	fg_io_stop(&front->handover_io);
	for (size_t i = 0; i < front->listener_count; i++)
		fg_io_stop(&front->listeners[i].io);
	fg_fcgi_free(front->fcgi);
	free(front->listeners);
	free(front);
}
