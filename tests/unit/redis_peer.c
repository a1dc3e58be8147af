/* A scripted peer for lib/redis. */
#include "unit/redis_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/service_listen.h"

enum { MAX_IN = 1024 * 1024, MAX_OUT = 16 * 1024 * 1024 };

static void
hang_up(struct redis_peer_conn *conn, bool resets)
{
	struct linger linger = {.l_onoff = 1};

	if (conn->fd < 0)
		return;
	if (resets)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	fg_io_stop(&conn->io);
	fg_timer_stop(&conn->timer);
	close(conn->fd);
	conn->fd = -1;
	fg_buf_fini(&conn->in);
	fg_buf_fini(&conn->out);
}

static void
write_some(struct redis_peer_conn *conn)
{
	size_t piece = conn->peer->piece;
	size_t size = piece != 0 && piece < conn->out.len ? piece : conn->out.len;
	ssize_t len = size == 0 ? 0 : send(conn->fd, conn->out.p, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (len > 0)
		fg_buf_consume(&conn->out, (size_t)len);
	if (conn->out.len > 0)
		fg_timer_start(&conn->timer, FG_US_PER_MS);
	else if (conn->then != PEER_KEEPS)
		hang_up(conn, conn->then == PEER_RESETS);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	(void)timer;
	write_some(arg);
}

/* "*2\r\n$3\r\nGET\r\n$1\r\na\r\n" to "GET a". How long it is there; 0: not whole. */
static size_t
take_command(struct fg_str in, char *out, size_t size)
{
	size_t at = 0, len = 0, words;
	char *end;

	out[0] = '\0';
	if (in.len == 0 || memchr(in.p, '\n', in.len) == NULL)
		return 0;
	words = strtoul(in.p + 1, &end, 10);
	at = (size_t)(end - in.p) + 2;
	while (words-- > 0) {
		size_t word;

		if (at >= in.len || memchr(in.p + at, '\n', in.len - at) == NULL)
			return 0;
		word = strtoul(in.p + at + 1, &end, 10);
		at = (size_t)(end - in.p) + 2;
		if (at + word + 2 > in.len)
			return 0;
		if (len < size)
			len += (size_t)snprintf(out + len, size - len, "%s%.*s", len > 0 ? " " : "", (int)word, in.p + at);
		at += word + 2;
	}
	return at;
}

static bool
begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void
answer(struct redis_peer_conn *conn, const char *command)
{
	struct redis_peer *peer = conn->peer;
	const char *reply = NULL;

	if (begins_with(command, "CLIENT") || begins_with(command, "AUTH") || begins_with(command, "SELECT")) {
		reply = peer->is_mute ? NULL : "+OK\r\n";
	} else if (begins_with(command, "ASKING")) {
		reply = "+OK\r\n";
	} else {
		peer->commands++;
		snprintf(peer->last, sizeof(peer->last), "%s", command);
		for (size_t i = 0; i < REDIS_PEER_RULES; i++)
			if (peer->rules[i].begins != NULL && begins_with(command, peer->rules[i].begins)) {
				reply = peer->rules[i].reply;
				break;
			}
		conn->then = peer->then;
	}
	if (reply != NULL)
		fg_buf_append(&conn->out, reply, strlen(reply));
	if (reply != NULL || conn->then != PEER_KEEPS)
		write_some(conn);
}

static void
on_readable(struct fg_io *io, unsigned ready, void *arg)
{
	struct redis_peer_conn *conn = arg;
	char *p = fg_buf_reserve(&conn->in, 16384), command[256];
	ssize_t len = p == NULL ? 0 : recv(conn->fd, p, 16384, MSG_DONTWAIT);
	size_t size;

	(void)io;
	(void)ready;
	if (len <= 0) {
		hang_up(conn, false);
		return;
	}
	conn->in.len += (size_t)len;
	while (conn->fd >= 0 && (size = take_command(fg_buf_str(&conn->in), command, sizeof(command))) > 0) {
		fg_buf_consume(&conn->in, size);
		answer(conn, command);
	}
}

static void
on_accept(struct fg_io *io, unsigned ready, void *arg)
{
	struct redis_peer *peer = arg;
	int fd = accept4(peer->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)io;
	(void)ready;
	if (fd < 0)
		return;
	peer->accepted++;
	for (int i = 0; i < REDIS_PEER_CONNS && !peer->closes_at_once; i++) {
		struct redis_peer_conn *conn = &peer->conns[i];

		if (conn->fd >= 0)
			continue;
		*conn = (struct redis_peer_conn){.peer = peer, .fd = fd};
		fg_buf_init(&conn->in, MAX_IN);
		fg_buf_init(&conn->out, MAX_OUT);
		fg_io_init(&conn->io, peer->loop, on_readable, conn);
		fg_timer_init(&conn->timer, peer->loop, on_timer, conn);
		fg_io_watch(&conn->io, fd, FG_IO_READ);
		return;
	}
	close(fd);
}

void
redis_peer_open(struct redis_peer *peer, struct fg_loop *loop)
{
	*peer = (struct redis_peer){.loop = loop};
	for (int i = 0; i < REDIS_PEER_CONNS; i++)
		peer->conns[i].fd = -1;
	peer->fd = service_listen(0, &peer->port);
	fg_io_init(&peer->io, loop, on_accept, peer);
	fg_io_watch(&peer->io, peer->fd, FG_IO_READ);
	redis_peer_say(peer, "+PONG\r\n");
}

void
redis_peer_close(struct redis_peer *peer)
{
	for (int i = 0; i < REDIS_PEER_CONNS; i++)
		hang_up(&peer->conns[i], false);
	fg_io_stop(&peer->io);
	close(peer->fd);
}

void
redis_peer_say(struct redis_peer *peer, const char *reply)
{
	memset(peer->rules, 0, sizeof(peer->rules));
	peer->rules[0].begins = "";
	peer->rules[0].reply = reply;
}
