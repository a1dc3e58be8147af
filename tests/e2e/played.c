/*
 * Services played by scenes. A connection is a thread, so that a part may simply wait; small stacks, since a scene may
 * hold 512 of them.
 */
#include "e2e/played.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "e2e/bed.h"
#include "e2e/http.h"

struct played {
	const struct played_part *parts;
	int listen_fd, port;
	pthread_t acceptor;
	pthread_mutex_t mutex;
	pthread_cond_t idle;
	struct played_conn *conns; /* open */
	unsigned open, accepted;
	_Atomic unsigned requests;
	bool stopping;
};

struct played_conn {
	struct played *played;
	struct played_conn *next;
	int fd;
	char *buf; /* read ahead */
	size_t len, cap;
	bool close;
	uint64_t body_left; /* of Content-Length */
};

/* ---- reading */

static bool
read_more(struct played_conn *conn)
{
	struct pollfd ready = {conn->fd, POLLIN, 0};
	ssize_t got;

	if (conn->cap - conn->len < 64 * 1024)
		conn->buf = realloc(conn->buf, conn->cap = conn->len + 128 * 1024);
	if (poll(&ready, 1, 120 * 1000) != 1)
		return false;
	got = recv(conn->fd, conn->buf + conn->len, conn->cap - conn->len - 1, 0);
	if (got <= 0)
		return false;
	conn->len += (size_t)got;
	conn->buf[conn->len] = '\0';
	return true;
}

static void
consume(struct played_conn *conn, size_t n)
{
	conn->len -= n;
	memmove(conn->buf, conn->buf + n, conn->len + 1);
}

static void
take_body(struct played_conn *conn, struct played_request *request, size_t n)
{
	size_t room = request->body_len < PLAYED_BODY_KEPT ? PLAYED_BODY_KEPT - (size_t)request->body_len : 0;

	memcpy(request->body + PLAYED_BODY_KEPT - room, conn->buf, n < room ? n : room);
	request->body[PLAYED_BODY_KEPT - room + (n < room ? n : room)] = '\0';
	request->body_sum = http_sum(request->body_sum, conn->buf, n);
	request->body_len += n;
	consume(conn, n);
}

static bool
take_exactly(struct played_conn *conn, struct played_request *request, uint64_t n)
{
	while (n > 0) {
		size_t piece = conn->len < n ? conn->len : (size_t)n;

		if (piece == 0 && !read_more(conn))
			return false;
		take_body(conn, request, piece);
		n -= piece;
	}
	return true;
}

static bool
take_line(struct played_conn *conn, char *line, size_t size)
{
	char *end;

	while (conn->len == 0 || (end = strstr(conn->buf, "\r\n")) == NULL)
		if (!read_more(conn))
			return false;
	snprintf(line, size, "%.*s", (int)(end - conn->buf), conn->buf);
	consume(conn, (size_t)(end - conn->buf) + 2);
	return true;
}

static bool
take_chunked(struct played_conn *conn, struct played_request *request)
{
	char line[256];

	for (;;) {
		uint64_t size;

		if (!take_line(conn, line, sizeof(line)))
			return false;
		size = strtoull(line, NULL, 16);
		if (size == 0)
			break;
		if (!take_exactly(conn, request, size) || !take_line(conn, line, sizeof(line)))
			return false;
	}
	do
		if (!take_line(conn, line, sizeof(line)))
			return false;
	while (line[0] != '\0');
	return true;
}

bool
read_body(struct played_conn *conn, struct played_request *request)
{
	request->body_complete = request->chunked ? take_chunked(conn, request) : take_exactly(conn, request, conn->body_left);
	conn->body_left = 0;
	return request->body_complete;
}

size_t
read_some(struct played_conn *conn, struct played_request *request, char *buf, size_t size)
{
	size_t n;

	if (conn->body_left == 0 || (conn->len == 0 && !read_more(conn)))
		return 0;
	n = conn->len < size ? conn->len : size;
	n = n < conn->body_left ? n : (size_t)conn->body_left;
	memcpy(buf, conn->buf, n);
	take_body(conn, request, n);
	conn->body_left -= n;
	return n;
}

static const char *
head_value(const char *head, const char *name)
{
	char needle[64];
	const char *at;

	snprintf(needle, sizeof(needle), "\r\n%s:", name);
	at = strcasestr(head, needle);
	return at == NULL ? NULL : at + strlen(needle) + strspn(at + strlen(needle), " ");
}

static bool
read_request(struct played_conn *conn, struct played_request *request)
{
	const char *value, *space;
	char *end;

	while (conn->len == 0 || (end = strstr(conn->buf, "\r\n\r\n")) == NULL)
		if (!read_more(conn))
			return false;
	request->head_len = (size_t)(end - conn->buf) + 2;
	request->head = strndup(conn->buf, request->head_len);
	consume(conn, request->head_len + 2);
	space = strchr(request->head, ' ');
	if (space == NULL || strchr(space + 1, ' ') == NULL)
		return false;
	snprintf(request->method, sizeof(request->method), "%.*s", (int)(space - request->head), request->head);
	request->target = strndup(space + 1, (size_t)(strchr(space + 1, ' ') - space - 1));
	value = head_value(request->head, "Content-Length");
	request->content_length = value == NULL ? -1 : strtoll(value, NULL, 10);
	conn->body_left = value == NULL ? 0 : (uint64_t)request->content_length;
	value = head_value(request->head, "Transfer-Encoding");
	request->chunked = value != NULL && strncasecmp(value, "chunked", 7) == 0;
	request->body = calloc(1, PLAYED_BODY_KEPT + 1);
	return true;
}

/* ---- saying */

bool
say_bytes(struct played_conn *conn, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t sent = send(conn->fd, p, len, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		p += sent;
		len -= (size_t)sent;
	}
	return true;
}

bool
say(struct played_conn *conn, const char *fmt, ...)
{
	char *text;
	va_list args;
	bool sent;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	sent = len >= 0 && say_bytes(conn, text, (size_t)len);
	free(text);
	return sent;
}

void
say_reply(struct played_conn *conn, int status, const char *headers, const char *body)
{
	say(conn, "HTTP/1.1 %d Said\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers == NULL ? "" : headers, strlen(body),
	    body);
}

void
say_nothing(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	wait_peer_gone(conn);
}

void
say_echo(struct played_conn *conn, struct played_request *request)
{
	bool head = strcmp(request->method, "HEAD") == 0;

	say(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s%s%s",
	    request->head_len + 2 + strlen(request->body), head ? "" : request->head, head ? "" : "\r\n",
	    head ? "" : request->body);
}

void
say_close(struct played_conn *conn)
{
	conn->close = true;
}

void
say_last(struct played_conn *conn)
{
	const int on = 1;

	setsockopt(conn->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	conn->close = true;
}

void
say_reset(struct played_conn *conn)
{
	struct linger now = {1, 0};

	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn->close = true;
}

bool
wait_peer_gone(struct played_conn *conn)
{
	int64_t deadline = bed_now_ms() + bed_patience() * 1000;
	struct pollfd ready = {conn->fd, POLLIN, 0};
	char scratch[4096];

	conn->close = true;
	while (bed_now_ms() < deadline)
		if (poll(&ready, 1, 100) == 1 && recv(conn->fd, scratch, sizeof(scratch), 0) <= 0)
			return true;
	return false;
}

const char *
query_value(const struct played_request *request, const char *name)
{
	static _Thread_local char value[256];
	const char *at = strchr(request->target, '?');
	size_t len = strlen(name);

	for (; at != NULL; at = strchr(at + 1, '&'))
		if (strncmp(at + 1, name, len) == 0 && at[1 + len] == '=') {
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(at + 2 + len, "&"), at + 2 + len);
			return value;
		}
	return NULL;
}

/* ---- connections */

static const struct played_part *
find_part(const struct played *played, const char *target)
{
	const struct played_part *best = NULL, *part = played->parts;

	for (; part->prefix != NULL; part++)
		if (strncmp(target, part->prefix, strlen(part->prefix)) == 0 &&
		    (best == NULL || strlen(part->prefix) > strlen(best->prefix)))
			best = part;
	return best == NULL ? part : best;
}

static bool
serve_one(struct played_conn *conn, struct played_request *request)
{
	const struct played_part *part;

	if (!read_request(conn, request))
		return false;
	part = find_part(conn->played, request->target);
	atomic_fetch_add(&conn->played->requests, 1);
	if (!part->before_body && !read_body(conn, request))
		return false;
	part->fn(conn, request);
	return !conn->close;
}

static void *
run_connection(void *arg)
{
	struct played_conn *conn = arg;
	struct played *played = conn->played;
	bool more = true;

	for (unsigned nth = 0; more; nth++) {
		struct played_request request = {.nth = nth};

		more = serve_one(conn, &request);
		free(request.target);
		free(request.head);
		free(request.body);
	}
	pthread_mutex_lock(&played->mutex);
	for (struct played_conn **at = &played->conns; *at != NULL; at = &(*at)->next)
		if (*at == conn) {
			*at = conn->next;
			break;
		}
	close(conn->fd);
	free(conn->buf);
	free(conn);
	if (--played->open == 0)
		pthread_cond_broadcast(&played->idle);
	pthread_mutex_unlock(&played->mutex);
	return NULL;
}

static void
start_connection(struct played *played, int fd)
{
	struct played_conn *conn = calloc(1, sizeof(*conn));
	pthread_attr_t attr;
	pthread_t thread;
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn->played = played;
	conn->fd = fd;
	pthread_mutex_lock(&played->mutex);
	conn->next = played->conns;
	played->conns = conn;
	played->open++;
	played->accepted++;
	pthread_mutex_unlock(&played->mutex);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, run_connection, conn) != 0)
		bed_give_up("no thread for a connection");
	pthread_attr_destroy(&attr);
}

static void *
run_acceptor(void *arg)
{
	struct played *played = arg;
	int fd;

	while ((fd = accept4(played->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		start_connection(played, fd);
	return NULL;
}

static struct played *
start(const struct played_part *parts, const struct sockaddr *addr, socklen_t len)
{
	struct played *played = calloc(1, sizeof(*played));
	int on = 1;

	played->parts = parts;
	pthread_mutex_init(&played->mutex, NULL);
	pthread_cond_init(&played->idle, NULL);
	played->listen_fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(played->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(played->listen_fd, addr, len) != 0 || listen(played->listen_fd, 1024) != 0)
		bed_give_up("service does not listen: %s", strerror(errno));
	if (pthread_create(&played->acceptor, NULL, run_acceptor, played) != 0)
		bed_give_up("no thread for a service");
	return played;
}

struct played *
played_start_on_address(const struct played_part *parts, const char *address, int port)
{
	struct sockaddr_in addr = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = inet_addr(address)};
	struct played *played = start(parts, (struct sockaddr *)&addr, sizeof(addr));
	socklen_t len = sizeof(addr);

	if (getsockname(played->listen_fd, (struct sockaddr *)&addr, &len) != 0)
		bed_give_up("service on port %d: %s", port, strerror(errno));
	played->port = ntohs(addr.sin_port);
	return played;
}

struct played *
played_start_on(const struct played_part *parts, int port)
{
	return played_start_on_address(parts, "127.0.0.1", port);
}

struct played *
played_start_at(const struct played_part *parts, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return start(parts, (struct sockaddr *)&addr, sizeof(addr));
}

struct played *
played_start(const struct played_part *parts)
{
	return played_start_on(parts, 0);
}

void
played_stop(struct played *played)
{
	shutdown(played->listen_fd, SHUT_RDWR);
	pthread_join(played->acceptor, NULL);
	close(played->listen_fd);
	pthread_mutex_lock(&played->mutex);
	for (struct played_conn *conn = played->conns; conn != NULL; conn = conn->next)
		shutdown(conn->fd, SHUT_RDWR);
	while (played->open > 0)
		pthread_cond_wait(&played->idle, &played->mutex);
	pthread_mutex_unlock(&played->mutex);
	pthread_mutex_destroy(&played->mutex);
	pthread_cond_destroy(&played->idle);
	free(played);
}

int
played_port(const struct played *played)
{
	return played->port;
}

unsigned
played_requests(struct played *played)
{
	return atomic_load(&played->requests);
}

unsigned
played_accepted(struct played *played)
{
	unsigned n;

	pthread_mutex_lock(&played->mutex);
	n = played->accepted;
	pthread_mutex_unlock(&played->mutex);
	return n;
}

unsigned
played_open(struct played *played)
{
	unsigned n;

	pthread_mutex_lock(&played->mutex);
	n = played->open;
	pthread_mutex_unlock(&played->mutex);
	return n;
}

/* ---- gates */

static struct timespec
patience_end(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += bed_patience();
	return end;
}

void
gate_open(struct gate *gate, int n)
{
	pthread_mutex_lock(&gate->mutex);
	gate->count += n;
	pthread_cond_broadcast(&gate->cond);
	pthread_mutex_unlock(&gate->mutex);
}

bool
gate_pass(struct gate *gate)
{
	struct timespec end = patience_end();
	bool passed;

	pthread_mutex_lock(&gate->mutex);
	gate->waiting++;
	pthread_cond_broadcast(&gate->cond);
	while (gate->count == 0 && pthread_cond_timedwait(&gate->cond, &gate->mutex, &end) == 0)
		;
	gate->waiting--;
	passed = gate->count > 0;
	gate->count -= passed;
	pthread_mutex_unlock(&gate->mutex);
	return passed;
}

bool
gate_wait_waiting(struct gate *gate, int n)
{
	struct timespec end = patience_end();
	bool there;

	pthread_mutex_lock(&gate->mutex);
	while (gate->waiting < n && pthread_cond_timedwait(&gate->cond, &gate->mutex, &end) == 0)
		;
	there = gate->waiting >= n;
	pthread_mutex_unlock(&gate->mutex);
	return there;
}

void
gate_reset(struct gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	gate->count = 0;
	pthread_mutex_unlock(&gate->mutex);
}
