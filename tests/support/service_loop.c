/* The loop of the scripted service: connections, requests, bodies, timers. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/service_internal.h"

enum { READ_BYTES = 256 * 1024, SLOW_READ_BYTES = 4096, HEAD_MAX = 256 * 1024, BODY_KEPT_MAX = 1024 * 1024 };

/* ---- small things */

void
put_bytes(struct bytes *bytes, const void *p, size_t len)
{
	if (bytes->len + len > bytes->cap) {
		bytes->cap = (bytes->len + len) * 2;
		bytes->p = realloc(bytes->p, bytes->cap);
		if (bytes->p == NULL)
			abort();
	}
	if (len > 0)
		memcpy(bytes->p + bytes->len, p, len);
	bytes->len += len;
}

void
put_text(struct bytes *bytes, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(text))
		abort();
	put_bytes(bytes, text, (size_t)len);
}

static void
consume(struct bytes *bytes, size_t len)
{
	memmove(bytes->p, bytes->p + len, bytes->len - len);
	bytes->len -= len;
}

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- connections */

static void
watch(struct conn *conn, unsigned events)
{
	struct epoll_event event = {.events = events, .data.ptr = conn};

	if (events == conn->events)
		return;
	conn->events = events;
	epoll_ctl(conn->server->epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

static void
hang_up(struct conn *conn, enum ending how)
{
	struct server *server = conn->server;
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	if (conn->fd < 0)
		return;
	if (conn->tls != NULL)
		tls_conn_free(conn->tls);
	if (how == RESET)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(conn->fd);
	conn->fd = -1;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	*(conn->prev == NULL ? &server->conns : &conn->prev->next) = conn->next;
	conn->next = server->dead;
	server->dead = conn;
	atomic_fetch_sub(&server->shared->open, 1);
}

static void
free_dead(struct server *server)
{
	while (server->dead != NULL) {
		struct conn *conn = server->dead;

		server->dead = conn->next;
		free(conn->in.p);
		free(conn->head.p);
		free(conn->body.p);
		free(conn->out.p);
		free(conn->later.p);
		free(conn);
	}
}

static void
accept_all(struct server *server)
{
	int fd, one = 1;

	while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = calloc(1, sizeof(*conn));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

		if (conn == NULL)
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		conn->server = server;
		conn->fd = fd;
		conn->events = EPOLLIN;
		conn->number = atomic_fetch_add(&server->shared->accepted, 1) + 1;
		atomic_fetch_add(&server->shared->open, 1);
		conn->next = server->conns;
		if (conn->next != NULL)
			conn->next->prev = conn;
		server->conns = conn;
		if (server->tls != NULL)
			conn->tls = tls_conn_new(server->tls, fd);
		epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

/* ---- requests */

static void
read_field(struct conn *conn, const char *line, size_t len)
{
	if (len > 15 && strncasecmp(line, "content-length:", 15) == 0)
		conn->body_left = strtoll(line + 15, NULL, 10);
	else if (len > 18 && strncasecmp(line, "transfer-encoding:", 18) == 0)
		conn->chunked = true;
	else if (len > 7 && strncasecmp(line, "expect:", 7) == 0)
		conn->wants_continue = true;
	else if (len >= 17 && strncasecmp(line, "connection: close", 17) == 0)
		conn->ending = CLOSE;
}

static void
copy_word(char *to, size_t size, const char *from, const char *end)
{
	size_t len = 0;

	while (from + len < end && from[len] != ' ' && from[len] != '\r')
		len++;
	len = len < size ? len : size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

static void
start_record(struct conn *conn)
{
	struct service_shared *shared = conn->server->shared;
	size_t len = conn->head.len < SERVICE_HEAD_BYTES ? conn->head.len : SERVICE_HEAD_BYTES - 1;

	conn->record = NULL;
	if (conn->server->records) {
		conn->record = &shared->records[atomic_load(&shared->requests) % SERVICE_RECORDS];
		*conn->record = (struct service_record){.body_hash = SERVICE_HASH_INIT, .connection = conn->number};
		memcpy(conn->record->head, conn->head.p, len);
	}
	atomic_fetch_add(&shared->requests, 1);
}

/* False when the head is not complete yet. */
static bool
read_head(struct conn *conn)
{
	const char *end = conn->in.len < 4 ? NULL : memmem(conn->in.p, conn->in.len, "\r\n\r\n", 4), *line, *next;
	size_t len;

	if (end == NULL) {
		if (conn->in.len > HEAD_MAX)
			hang_up(conn, CLOSE);
		return false;
	}
	len = (size_t)(end - conn->in.p) + 4;
	conn->head.len = conn->body.len = conn->out.len = conn->out_at = 0;
	put_bytes(&conn->head, conn->in.p, len);
	consume(&conn->in, len);
	conn->chunked = conn->wants_continue = conn->keep_body = conn->head_answered = conn->slow = false;
	conn->silent_until_due = false;
	conn->body_left = 0;
	conn->source = SOURCE_NONE;
	conn->ending = ++conn->served == conn->server->options->max_requests ? CLOSE : KEEP;
	conn->due = conn->every = 0;
	end = conn->head.p + len - 2;
	copy_word(conn->method, sizeof(conn->method), conn->head.p, end);
	line = memchr(conn->head.p, ' ', len);
	copy_word(conn->target, sizeof(conn->target), line == NULL ? end : line + 1, end);
	for (line = conn->head.p; line < end; line = next) {
		next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
		read_field(conn, line, (size_t)(next - line));
	}
	if (conn->chunked)
		conn->body_left = -1;
	start_record(conn);
	conn->state = READ_BODY;
	answer_head(conn);
	if (conn->wants_continue && conn->state == READ_BODY && !conn->head_answered)
		put_bytes(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return true;
}

static void
take_body(struct conn *conn, size_t len)
{
	if (conn->record != NULL) {
		conn->record->body_hash = service_hash(conn->record->body_hash, conn->in.p, len);
		conn->record->body_bytes += len;
	}
	if (conn->keep_body && conn->body.len + len <= BODY_KEPT_MAX)
		put_bytes(&conn->body, conn->in.p, len);
	consume(&conn->in, len);
	conn->body_left -= (int64_t)len;
}

/* The line with a chunk's size, or one of the end; false when it is not complete. */
static bool
read_chunk_line(struct conn *conn)
{
	const char *end = memchr(conn->in.p, '\n', conn->in.len);
	size_t len;

	if (end == NULL)
		return false;
	len = (size_t)(end - conn->in.p) + 1;
	if (len > 2) {
		conn->body_left = strtoll(conn->in.p, NULL, 16);
		if (conn->body_left == 0)
			conn->body_left = -2; /* the empty line ends it; trailers are not expected */
	} else if (conn->body_left == -2) {
		conn->body_left = 0;
		conn->chunked = false;
	}
	consume(&conn->in, len);
	return true;
}

/* True once the body is complete. */
static bool
read_body(struct conn *conn)
{
	while (conn->in.len > 0 || (conn->body_left == 0 && !conn->chunked)) {
		if (conn->body_left > 0) {
			size_t len = (uint64_t)conn->body_left < conn->in.len ? (size_t)conn->body_left : conn->in.len;

			take_body(conn, len);
			if (conn->body_left == 0 && conn->chunked)
				conn->body_left = -1;
		} else if (!conn->chunked) {
			break;
		} else if (!read_chunk_line(conn)) {
			return false;
		}
	}
	return conn->body_left == 0 && !conn->chunked;
}

/* All that can be done with the bytes that are here. */
static void
process(struct conn *conn)
{
	while (conn->fd >= 0) {
		if (conn->state == READ_HEAD && (conn->in.len == 0 || !read_head(conn)))
			return;
		if (conn->state == READ_BODY) {
			if (!read_body(conn))
				return;
			if (conn->record != NULL)
				conn->record->body_done = true;
			if (!conn->head_answered)
				answer(conn);
			if (conn->state == READ_BODY)
				conn->state = ANSWER;
		}
		if (conn->state != READ_HEAD)
			return;
	}
}

/* ---- reading and writing */

static void
fill(struct conn *conn)
{
	static char buf[READ_BYTES];
	bool wants_write = false;
	size_t room = conn->slow ? SLOW_READ_BYTES : sizeof(buf);
	ssize_t len = conn->tls != NULL ? tls_read(conn->tls, buf, room, &wants_write) : read(conn->fd, buf, room);

	if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (wants_write)
			watch(conn, EPOLLIN | EPOLLOUT);
		return;
	}
	if (len <= 0) {
		hang_up(conn, CLOSE);
		return;
	}
	if (conn->dies_next) {
		hang_up(conn, conn->resets_next ? RESET : CLOSE);
		return;
	}
	put_bytes(&conn->in, buf, (size_t)len);
	if (conn->slow)
		conn->due = now_ms() + conn->every;
	process(conn);
}

static void
finish_answer(struct conn *conn)
{
	if (conn->ending != KEEP) {
		hang_up(conn, conn->ending);
		return;
	}
	conn->state = READ_HEAD;
	process(conn);
}

/* True when all there is now has been written. */
static bool
flush(struct conn *conn)
{
	while (conn->out_at < conn->out.len) {
		const char *p = conn->out.p + conn->out_at;
		size_t left = conn->out.len - conn->out_at;
		ssize_t len = conn->tls != NULL ? tls_write(conn->tls, p, left) : send(conn->fd, p, left, MSG_NOSIGNAL);

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (len <= 0) {
			hang_up(conn, CLOSE);
			return false;
		}
		conn->out_at += (size_t)len;
	}
	conn->out.len = conn->out_at = 0;
	return true;
}

/* Writes what there is, and watches for what comes next. */
static void
go_on(struct conn *conn)
{
	bool blocked = false;

	while (conn->fd >= 0 && !conn->silent_until_due) {
		if (!flush(conn)) {
			blocked = true;
			break;
		}
		if ((conn->state != ANSWER && !conn->head_answered) || conn->state == READ_HEAD)
			break;
		if (answer_more(conn)) {
			if (conn->out.len == 0 && conn->source != SOURCE_NONE)
				break; /* the timer, or an event, goes on */
			continue;
		}
		if (conn->state == READ_BODY && conn->ending == KEEP)
			break; /* answered early; the body is read to its end all the same */
		finish_answer(conn);
	}
	if (conn->fd < 0)
		return;
	watch(conn, (conn->state == DEAF || (conn->slow && conn->due != 0 && conn->state == READ_BODY) ? 0u : EPOLLIN) |
	    (blocked ? EPOLLOUT : 0u));
}

/* ---- the loop */

static void
on_due(struct conn *conn)
{
	conn->due = 0;
	if (conn->slow && conn->state == READ_BODY) {
		fill(conn);
	} else if (conn->silent_until_due) {
		conn->silent_until_due = false;
	} else if (conn->source == SOURCE_TRICKLE || conn->source == SOURCE_SSE) {
		conn->chunk = 1; /* one is due */
	}
	go_on(conn);
}

/* Runs what is due; milliseconds until the next, or -1. */
static int
run_timers(struct server *server)
{
	int64_t now = now_ms(), first = -1;

	for (struct conn *conn = server->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->due != 0 && conn->due <= now)
			on_due(conn);
		if (conn->fd >= 0 && conn->due != 0 && (first < 0 || conn->due < first))
			first = conn->due;
	}
	return first < 0 ? -1 : first <= now ? 0 : (int)(first - now);
}

static void
on_wake(struct server *server)
{
	uint64_t count;

	if (read(server->wake, &count, sizeof(count)) < 0)
		return;
	for (struct conn *conn = server->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->later.len > 0) {
			put_bytes(&conn->out, conn->later.p, conn->later.len);
			conn->later.len = 0;
			flush(conn);
		}
		if (conn->source == SOURCE_SSE)
			go_on(conn);
	}
}

static void
on_event(struct conn *conn, unsigned events)
{
	if (conn->fd < 0)
		return;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		fill(conn);
	if (conn->fd >= 0)
		go_on(conn);
}

static void
add(struct server *server, int fd, void *who)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};

	if (fd >= 0 && epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		abort();
}

void
server_run(struct server *server)
{
	struct epoll_event events[256];

	signal(SIGPIPE, SIG_IGN);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->options->cert_file != NULL) {
		server->tls = tls_server_new(server->options);
		if (server->tls == NULL)
			return;
	}
	add(server, server->listener, &server->listener);
	add(server, server->wake, &server->wake);
	for (;;) {
		int count = epoll_wait(server->epoll, events, 256, run_timers(server));

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == &server->listener)
				accept_all(server);
			else if (events[i].data.ptr == &server->wake)
				on_wake(server);
			else
				on_event(events[i].data.ptr, events[i].events);
		}
		free_dead(server);
	}
}
