/*
 * The raw HTTP client of the scenes. It is strict about framing: what a response says of its own length is what
 * `complete` is judged by.
 */
#include "e2e/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- replies, remembered to be freed */

struct kept {
	struct kept *next;
	struct http_reply reply;
};

static _Thread_local struct kept *kept_list;

static struct http_reply *
new_reply(void)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	kept->next = kept_list;
	kept_list = kept;
	return &kept->reply;
}

void
http_forget_all(void)
{
	while (kept_list != NULL) {
		struct kept *kept = kept_list;

		kept_list = kept->next;
		for (size_t i = 0; i < kept->reply.header_count; i++)
			free(kept->reply.headers[i].name);
		free(kept->reply.head);
		free(kept->reply.body);
		free(kept);
	}
}

uint64_t
http_sum(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * UINT64_C(1099511628211);
	return sum;
}

/* ---- the connection */

void
http_open(struct http_conn *conn, const struct front *front, const char *source)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)front->port)}, from = to;
	int on = 1;

	memset(conn, 0, sizeof(*conn));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_port = 0;
	inet_pton(AF_INET, source == NULL ? "127.0.0.1" : source, &from.sin_addr);
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Without a port of its own until it connects: thousands of connections do not run out of them. */
	setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (conn->fd < 0 || bind(conn->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		bed_give_up("connecting to %s: %s", front->name, strerror(errno));
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void
http_close(struct http_conn *conn)
{
	if (conn->fd >= 0)
		close(conn->fd);
	free(conn->buf);
	conn->buf = NULL;
	conn->len = conn->cap = 0;
	conn->fd = -1;
}

void
http_reset(struct http_conn *conn)
{
	struct linger now = {1, 0};

	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	http_close(conn);
}

void
http_half_close(struct http_conn *conn)
{
	shutdown(conn->fd, SHUT_WR);
}

bool
http_send(struct http_conn *conn, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		struct pollfd ready = {conn->fd, POLLOUT, 0};
		ssize_t sent;

		if (poll(&ready, 1, bed_patience() * 1000) != 1)
			return false;
		sent = send(conn->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN)
			return false;
		if (sent > 0) {
			p += sent;
			len -= (size_t)sent;
		}
	}
	return true;
}

bool
http_say(struct http_conn *conn, const char *fmt, ...)
{
	char *text;
	va_list args;
	bool sent;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		bed_give_up("no memory");
	sent = http_send(conn, text, (size_t)len);
	free(text);
	return sent;
}

static void
new_id(char *id)
{
	static _Atomic unsigned counter;

	snprintf(id, HTTP_ID_BYTES, "scene-%d-%u-x", (int)getpid(), atomic_fetch_add(&counter, 1));
}

bool
http_send_head(struct http_conn *conn, const char *method, const char *target, const char *headers, int64_t body_len)
{
	char length[64] = "", id[80] = "", host[32] = "Host: localhost\r\n";

	conn->id[0] = '\0';
	if (headers == NULL || strcasestr(headers, "x-request-id:") == NULL) {
		new_id(conn->id);
		snprintf(id, sizeof(id), "X-Request-Id: %s\r\n", conn->id);
	}
	if (headers != NULL && (strncasecmp(headers, "host:", 5) == 0 || strcasestr(headers, "\nhost:") != NULL))
		host[0] = '\0';
	if (body_len >= 0)
		snprintf(length, sizeof(length), "Content-Length: %lld\r\n", (long long)body_len);
	conn->head_only = strcmp(method, "HEAD") == 0;
	return http_say(conn, "%s %s HTTP/1.1\r\n%s%s%s%s\r\n", method, target, host, id, headers == NULL ? "" : headers, length);
}

/* ---- reading */

/* More bytes into the buffer; false at the end of the stream, on an error, or when none come in time. */
static bool
read_more(struct http_conn *conn)
{
	struct pollfd ready = {conn->fd, POLLIN, 0};
	ssize_t got;

	if (conn->eof)
		return false;
	if (conn->cap - conn->len < 64 * 1024)
		conn->buf = realloc(conn->buf, conn->cap = conn->len + 256 * 1024);
	if (poll(&ready, 1, bed_patience() * 1000) != 1)
		return false;
	got = recv(conn->fd, conn->buf + conn->len, conn->cap - conn->len - 1, 0);
	if (got <= 0) {
		conn->eof = true;
		return false;
	}
	conn->len += (size_t)got;
	conn->buf[conn->len] = '\0';
	return true;
}

static void
consume(struct http_conn *conn, size_t n)
{
	conn->len -= n;
	memmove(conn->buf, conn->buf + n, conn->len + 1);
}

static void
parse_head(struct http_reply *reply, const char *head)
{
	const char *line = strstr(head, "\r\n");

	reply->status = (int)strtol(head + strlen("HTTP/1.1 "), NULL, 10);
	while (line != NULL && line[2] != '\0' && line[2] != '\r' && reply->header_count < HTTP_MAX_HEADERS) {
		const char *begin = line + 2, *colon = strchr(begin, ':');
		char *name, *value;

		line = strstr(begin, "\r\n");
		if (line == NULL || colon == NULL || colon > line)
			break;
		name = strndup(begin, (size_t)(line - begin));
		value = name + (colon - begin);
		*value++ = '\0';
		while (*value == ' ' || *value == '\t')
			value++;
		reply->headers[reply->header_count].name = name;
		reply->headers[reply->header_count++].value = value;
	}
}

struct http_reply *
http_read_head(struct http_conn *conn)
{
	struct http_reply *reply = new_reply();

	snprintf(reply->id, sizeof(reply->id), "%s", conn->id);
	for (;;) {
		char *end = conn->len == 0 ? NULL : strstr(conn->buf, "\r\n\r\n");

		if (end == NULL) {
			if (!read_more(conn)) {
				reply->closed = conn->eof;
				return reply;
			}
			continue;
		}
		if (strncmp(conn->buf, "HTTP/1.1 1", 10) == 0) {
			reply->interim = true;
			consume(conn, (size_t)(end - conn->buf) + 4);
			continue;
		}
		reply->head = strndup(conn->buf, (size_t)(end - conn->buf) + 2);
		consume(conn, (size_t)(end - conn->buf) + 4);
		parse_head(reply, reply->head);
		return reply;
	}
}

static void
take_body(struct http_reply *reply, struct http_conn *conn, size_t n, bool keep)
{
	reply->body_sum = http_sum(reply->body_sum, conn->buf, n);
	if (keep) {
		reply->body = realloc(reply->body, reply->body_len + n + 1);
		memcpy(reply->body + reply->body_len, conn->buf, n);
		reply->body[reply->body_len + n] = '\0';
	}
	reply->body_len += n;
	consume(conn, n);
}

/* n bytes; false when they do not all come. */
static bool
take_exactly(struct http_reply *reply, struct http_conn *conn, uint64_t n, bool keep)
{
	while (n > 0) {
		size_t piece = conn->len < n ? conn->len : (size_t)n;

		if (piece == 0 && !read_more(conn))
			return false;
		take_body(reply, conn, piece, keep);
		n -= piece;
	}
	return true;
}

static bool
take_chunked(struct http_reply *reply, struct http_conn *conn, bool keep)
{
	for (;;) {
		char *end = conn->len == 0 ? NULL : strstr(conn->buf, "\r\n");
		uint64_t size;

		if (end == NULL) {
			if (!read_more(conn))
				return false;
			continue;
		}
		size = strtoull(conn->buf, NULL, 16);
		consume(conn, (size_t)(end - conn->buf) + 2);
		if (!take_exactly(reply, conn, size, keep))
			return false;
		while (conn->len < 2)
			if (!read_more(conn))
				return false;
		if (size == 0 && strncmp(conn->buf, "\r\n", 2) != 0)
			continue; /* a trailer line: read as one more chunk head, of no size */
		consume(conn, 2);
		if (size == 0)
			return true;
	}
}

void
http_read_rest(struct http_conn *conn, struct http_reply *reply, bool keep)
{
	const char *length = http_header(reply, "Content-Length"), *coding = http_header(reply, "Transfer-Encoding");

	if (reply->status == 0)
		return;
	if (keep)
		reply->body = calloc(1, 1);
	if (conn->head_only || reply->status == 204 || reply->status == 304)
		reply->complete = true;
	else if (coding != NULL)
		reply->complete = take_chunked(reply, conn, keep);
	else if (length != NULL)
		reply->complete = take_exactly(reply, conn, strtoull(length, NULL, 10), keep);
	else {
		do
			take_body(reply, conn, conn->len, keep);
		while (read_more(conn));
		reply->complete = conn->eof;
	}
	reply->closed = conn->eof;
}

struct http_reply *
http_read(struct http_conn *conn)
{
	struct http_reply *reply = http_read_head(conn);

	http_read_rest(conn, reply, true);
	return reply;
}

bool
http_read_until(struct http_conn *conn, const char *text)
{
	for (;;) {
		char *at = conn->len == 0 ? NULL : memmem(conn->buf, conn->len, text, strlen(text));

		if (at != NULL) {
			consume(conn, (size_t)(at - conn->buf) + strlen(text));
			return true;
		}
		if (!read_more(conn))
			return false;
	}
}

bool
http_wait_closed(struct http_conn *conn)
{
	while (read_more(conn))
		conn->len = 0;
	return conn->eof;
}

struct http_reply *
ask(const struct front *front, const char *method, const char *target, const char *headers, const char *body)
{
	struct http_reply *reply;
	struct http_conn conn;
	char *all;

	http_open(&conn, front, NULL);
	if (asprintf(&all, "Connection: close\r\n%s", headers == NULL ? "" : headers) < 0)
		bed_give_up("no memory");
	http_send_head(&conn, method, target, all, body == NULL ? -1 : (int64_t)strlen(body));
	free(all);
	if (body != NULL)
		http_send(&conn, body, strlen(body));
	reply = http_read(&conn);
	http_close(&conn);
	return reply;
}

struct http_reply *
get(const struct front *front, const char *target)
{
	return ask(front, "GET", target, NULL, NULL);
}

/* ---- looking at replies */

const char *
http_header(const struct http_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	return NULL;
}

size_t
http_header_count(const struct http_reply *reply, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < reply->header_count; i++)
		count += strcasecmp(reply->headers[i].name, name) == 0;
	return count;
}

bool
http_header_is(const struct http_reply *reply, const char *name, const char *value)
{
	const char *got = http_header(reply, name);

	if (got != NULL && strcmp(got, value) == 0)
		return true;
	fprintf(stderr, "e2e: %s is \"%s\", not \"%s\"\n", name, got == NULL ? "(absent)" : got, value);
	return false;
}

bool
http_body_has(const struct http_reply *reply, const char *text)
{
	if (reply->body != NULL && memmem(reply->body, reply->body_len, text, strlen(text)) != NULL)
		return true;
	fprintf(stderr, "e2e: status %d, no \"%s\" in the body:\n%.1500s\n", reply->status, text,
	    reply->body == NULL ? "(none)" : reply->body);
	return false;
}

bool
http_is_problem(const struct bed *bed, const struct http_reply *reply, int status, const char *reason)
{
	char type[128], number[32];

	if (reply->status != status) {
		fprintf(stderr, "e2e: status %d, not %d %s\n%.1000s\n", reply->status, status, reason,
		    reply->body == NULL ? "" : reply->body);
		return false;
	}
	snprintf(type, sizeof(type), "\"type\":\"urn:faregate:%s\"", reason);
	snprintf(number, sizeof(number), "\"status\":%d", status);
	return http_header_is(reply, "Content-Type", "application/problem+json") && http_body_has(reply, type) &&
	    http_body_has(reply, number) && http_body_has(reply, "\"title\":\"") && http_body_has(reply, "\"detail\":\"") &&
	    http_body_has(reply, reply->id) && bed_log_says(bed, reply->id, "reason", reason);
}
