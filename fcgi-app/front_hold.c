/*
 * A response that breaks off. The web server learns of it by a connection that is closed without FCGI_END_REQUEST; but
 * one that finds the close together with the head, before it has passed anything on, may take what it has for the whole
 * and give it a length of its own (lighttpd does). So the close comes a moment after all that was written has been read.
 */
#include "fcgi-app/front_internal.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum {
	HOLD_US = 50 * FG_US_PER_MS,
	MOST_HOLDS = 100, /* a web server that does not read waits for a client that does not */
};

static bool
is_all_read(const struct conn *conn)
{
	int unread = 0;

	return ioctl(conn->fd, SIOCOUTQ, &unread) < 0 || unread == 0;
}

void
fg_conn_on_hold(struct fg_timer *timer, void *arg)
{
	struct conn *conn = arg;

	if (is_all_read(conn) || ++conn->holds == MOST_HOLDS)
		fg_conn_abandon(conn);
	else
		fg_timer_start(timer, HOLD_US);
}

void
fg_conn_hold(struct conn *conn)
{
	conn->broken = true;
	fg_buf_reset(&conn->pending);
	fg_task_cancel(&conn->flush_task);
	fg_timer_stop(&conn->deadline);
	fg_io_stop(&conn->io);
	fg_timer_start(&conn->hold, HOLD_US);
}
