/* What the scripted service says for each path. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/service_internal.h"

enum { PIECE_BYTES = 64 * 1024, PARAM_BYTES = 4096 };

/* ---- the target */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t
decode(char *out, const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < PARAM_BYTES - 1; i++) {
		if (p[i] == '%' && i + 2 < len && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			out[n++] = (char)(hex(p[i + 1]) * 16 + hex(p[i + 2]));
			i += 2;
		} else {
			out[n++] = p[i] == '+' ? ' ' : p[i];
		}
	}
	out[n] = '\0';
	return n;
}

/*
 * The nth value of a name in the query, decoded into out (PARAM_BYTES); its length, or -1. at is for repeated names: the
 * search goes on behind it.
 */
static ssize_t
param(const struct conn *conn, const char *name, char *out, const char **at)
{
	size_t name_len = strlen(name);
	const char *p = at != NULL && *at != NULL ? *at : strchr(conn->target, '?');

	while (p != NULL && *p != '\0') {
		const char *end = strchr(++p, '&');

		end = end == NULL ? p + strlen(p) : end;
		if (strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
			if (at != NULL)
				*at = end;
			return (ssize_t)decode(out, p + name_len + 1, (size_t)(end - p) - name_len - 1);
		}
		p = end;
	}
	return -1;
}

static uint64_t
number_param(const struct conn *conn, const char *name, uint64_t otherwise)
{
	char text[PARAM_BYTES];

	return param(conn, name, text, NULL) < 0 ? otherwise : strtoull(text, NULL, 10);
}

/* "/bytes/" matches "/bytes/100"; what follows comes back. NULL: another path. */
static const char *
under(const struct conn *conn, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(conn->target, prefix, len) == 0 ? conn->target + len : NULL;
}

static bool
is_path(const struct conn *conn, const char *path)
{
	const char *rest = under(conn, path);

	return rest != NULL && (*rest == '\0' || *rest == '?');
}

static bool
is_where(const char *rest, const char *where)
{
	size_t len = strlen(where);

	return strncmp(rest, where, len) == 0 && (rest[len] == '\0' || rest[len] == '?');
}

/* ---- answers that are there at once */

static const char *
connection_line(const struct conn *conn)
{
	return conn->ending == CLOSE ? "Connection: close\r\n" : "";
}

static void
put_small(struct conn *conn)
{
	struct server *server = conn->server;

	if (server->small_len == 0)
		server->small_len = (size_t)snprintf(server->small, sizeof(server->small),
		    "{\"service\":\"%s\",\"says\":\"this is the small answer of a scripted service\"}\n", server->options->name);
	put_text(&conn->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
	    server->small_len, connection_line(conn));
	if (strcmp(conn->method, "HEAD") != 0)
		put_bytes(&conn->out, server->small, server->small_len);
}

static void
put_json_text(struct bytes *out, const char *p, size_t len)
{
	put_bytes(out, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\')
			put_text(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			put_text(out, "\\u%04x", c);
		else
			put_bytes(out, &p[i], 1);
	}
	put_bytes(out, "\"", 1);
}

static void
put_json_headers(struct bytes *out, const struct bytes *head)
{
	const char *end = head->p + head->len - 2;
	const char *line = (const char *)memchr(head->p, '\n', head->len) + 1, *next;

	put_text(out, "[");
	for (const char *first = line; line < end; line = next) {
		const char *colon, *value;

		next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
		colon = memchr(line, ':', (size_t)(next - line));
		if (colon == NULL)
			continue;
		for (value = colon + 1; *value == ' '; value++)
			continue;
		put_text(out, line == first ? "[" : ",[");
		put_json_text(out, line, (size_t)(colon - line));
		put_text(out, ",");
		put_json_text(out, value, (size_t)(next - value) - 2);
		put_text(out, "]");
	}
	put_text(out, "]");
}

static void
put_echo(struct conn *conn)
{
	struct bytes json = {.p = NULL};

	put_text(&json, "{\"service\":");
	put_json_text(&json, conn->server->options->name, strlen(conn->server->options->name));
	put_text(&json, ",\"method\":");
	put_json_text(&json, conn->method, strlen(conn->method));
	put_text(&json, ",\"target\":");
	put_json_text(&json, conn->target, strlen(conn->target));
	put_text(&json, ",\"headers\":");
	put_json_headers(&json, &conn->head);
	put_text(&json, ",\"body\":");
	put_json_text(&json, conn->body.len == 0 ? "" : conn->body.p, conn->body.len);
	put_text(&json, "}\n");
	put_text(&conn->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", json.len,
	    connection_line(conn));
	if (strcmp(conn->method, "HEAD") != 0)
		put_bytes(&conn->out, json.p, json.len);
	free(json.p);
}

static void
put_status(struct conn *conn, int status)
{
	char body[PARAM_BYTES] = "", line[PARAM_BYTES];
	ssize_t len = param(conn, "body", body, NULL);
	const char *at = NULL;

	put_text(&conn->out, "HTTP/1.1 %d Said So\r\n%s", status, connection_line(conn));
	while (param(conn, "header", line, &at) >= 0) {
		put_bytes(&conn->out, line, strlen(line));
		put_bytes(&conn->out, "\r\n", 2);
	}
	if (status != 204 && status != 304)
		put_text(&conn->out, "Content-Length: %zd\r\n", len < 0 ? 0 : len);
	put_text(&conn->out, "\r\n");
	if (status != 204 && status != 304 && strcmp(conn->method, "HEAD") != 0)
		put_bytes(&conn->out, body, len < 0 ? 0 : (size_t)len);
}

/* ---- answers in pieces */

static void
put_pattern(struct bytes *out, uint64_t from, size_t len)
{
	static char period[SERVICE_PATTERN_PERIOD];

	if (period[0] == '\0')
		for (size_t i = 0; i < sizeof(period); i++)
			period[i] = service_pattern(i);
	while (len > 0) {
		size_t at = (size_t)(from % sizeof(period));
		size_t n = len < sizeof(period) - at ? len : sizeof(period) - at;

		put_bytes(out, period + at, n);
		from += n;
		len -= n;
	}
}

static bool
more_pattern(struct conn *conn)
{
	uint64_t left = conn->source_end - conn->source_at;
	size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

	if (conn->chunk > 0 && conn->chunk < len)
		len = (size_t)conn->chunk;
	if (conn->chunk > 0)
		put_text(&conn->out, "%zx\r\n", len);
	put_pattern(&conn->out, conn->source_at, len);
	if (conn->chunk > 0)
		put_text(&conn->out, "\r\n");
	conn->source_at += len;
	if (len == 0)
		conn->source = SOURCE_NONE;
	else if (conn->source_at == conn->source_end && conn->chunk == 0)
		conn->source = SOURCE_NONE;
	return true;
}

static void
begin_bytes(struct conn *conn, uint64_t total)
{
	char type[PARAM_BYTES] = "application/octet-stream";

	param(conn, "type", type, NULL);
	conn->chunk = number_param(conn, "chunked", 0);
	conn->source = strcmp(conn->method, "HEAD") == 0 ? SOURCE_NONE : SOURCE_PATTERN;
	conn->source_at = 0;
	conn->source_end = total;
	put_text(&conn->out, "HTTP/1.1 200 OK\r\nContent-Type: %.200s\r\n", type);
	if (number_param(conn, "close", 0) != 0) {
		conn->ending = CLOSE;
		put_text(&conn->out, "Connection: close\r\n");
	} else if (conn->chunk > 0) {
		put_text(&conn->out, "Transfer-Encoding: chunked\r\n%s", connection_line(conn));
	} else {
		put_text(&conn->out, "Content-Length: %llu\r\n%s", (unsigned long long)total, connection_line(conn));
	}
	put_text(&conn->out, "\r\n");
	/* The first piece goes out in one write with the head, as most services do it; two would be acknowledged apart. */
	if (conn->source != SOURCE_NONE)
		more_pattern(conn);
}

static void
begin_trickle(struct conn *conn, uint64_t total)
{
	conn->every = (int64_t)number_param(conn, "every", 10);
	conn->source = SOURCE_TRICKLE;
	conn->source_at = 0;
	conn->source_end = total;
	conn->emitted = number_param(conn, "chunked", 0) != 0; /* in chunks */
	conn->chunk = 1;
	if (conn->emitted)
		put_text(&conn->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	else
		put_text(&conn->out, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)total);
}

static bool
more_trickle(struct conn *conn)
{
	if (conn->source_at == conn->source_end) {
		if (conn->emitted)
			put_text(&conn->out, "0\r\n\r\n");
		conn->source = SOURCE_NONE;
		return true;
	}
	if (conn->chunk == 0)
		return true;
	conn->chunk = 0;
	if (conn->emitted)
		put_text(&conn->out, "1\r\n%c\r\n", service_pattern(conn->source_at));
	else
		put_pattern(&conn->out, conn->source_at, 1);
	conn->source_at++;
	conn->due = now_ms() + conn->every;
	return true;
}

static void
begin_sse(struct conn *conn)
{
	conn->every = (int64_t)number_param(conn, "every", 0);
	conn->source = SOURCE_SSE;
	conn->source_at = 0;
	conn->source_end = number_param(conn, "n", 1);
	conn->emitted = atomic_load(&conn->server->shared->emitted);
	conn->chunk = 1;
	put_text(&conn->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n");
}

static bool
more_sse(struct conn *conn)
{
	char event[64];
	int len;

	if (conn->source_at == conn->source_end) {
		put_text(&conn->out, "0\r\n\r\n");
		conn->source = SOURCE_NONE;
		return true;
	}
	if (conn->every > 0 ? conn->chunk == 0 : conn->emitted == atomic_load(&conn->server->shared->emitted))
		return true;
	conn->chunk = 0;
	conn->emitted++;
	len = snprintf(event, sizeof(event), "data: %llu\n\n", (unsigned long long)conn->source_at++);
	put_text(&conn->out, "%x\r\n%s\r\n", (unsigned)len, event);
	if (conn->every > 0)
		conn->due = now_ms() + conn->every;
	return true;
}

static bool
more_endless(struct conn *conn)
{
	static const char line[] = "X-Endless: 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\r\n";

	for (int i = 0; i < 64; i++) {
		if (conn->source == SOURCE_LINE)
			put_bytes(&conn->out, line, sizeof(line) - 3);
		else if (conn->source == SOURCE_CHUNKS)
			put_text(&conn->out, "10\r\n0123456789abcdef\r\n");
		else
			put_bytes(&conn->out, line, sizeof(line) - 1);
	}
	return true;
}

bool
answer_more(struct conn *conn)
{
	switch (conn->source) {
	case SOURCE_PATTERN:
		return more_pattern(conn);
	case SOURCE_TRICKLE:
		return more_trickle(conn);
	case SOURCE_SSE:
		return more_sse(conn);
	case SOURCE_HEADERS:
	case SOURCE_LINE:
	case SOURCE_CHUNKS:
	case SOURCE_TRAILERS:
		return more_endless(conn);
	case SOURCE_HOLD:
		return true;
	case SOURCE_NONE:
		break;
	}
	return false;
}

/* ---- answers that are wrong */

static void
put_broken(struct conn *conn, const char *where, enum ending how)
{
	conn->ending = how;
	if (is_where(where, "now"))
		return;
	put_text(&conn->out, "HTTP/1.1 200 OK\r\nX-First: 1\r\n");
	if (is_where(where, "head"))
		return;
	if (is_where(where, "chunk"))
		put_text(&conn->out, "Transfer-Encoding: chunked\r\n\r\n20\r\nonly some");
	else
		put_text(&conn->out, "Content-Length: 1000\r\n\r\nonly some");
}

static void
begin_endless(struct conn *conn, const char *what)
{
	put_text(&conn->out, "HTTP/1.1 200 OK\r\n");
	if (is_where(what, "headers")) {
		conn->source = SOURCE_HEADERS;
		return;
	}
	if (is_where(what, "line")) {
		put_text(&conn->out, "X-Long: ");
		conn->source = SOURCE_LINE;
		return;
	}
	put_text(&conn->out, "Transfer-Encoding: chunked\r\n\r\n");
	conn->source = is_where(what, "trailers") ? SOURCE_TRAILERS : SOURCE_CHUNKS;
	if (conn->source == SOURCE_TRAILERS)
		put_text(&conn->out, "0\r\n");
}

static void
put_bomb(struct conn *conn, uint64_t count)
{
	uint64_t size = number_param(conn, "size", 10);

	put_text(&conn->out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	for (uint64_t i = 0; i < count; i++) {
		put_text(&conn->out, "X-Bomb-%llu: ", (unsigned long long)i);
		put_pattern(&conn->out, 0, (size_t)size);
		put_text(&conn->out, "\r\n");
	}
	put_text(&conn->out, "\r\n");
}

static void
put_raw(struct conn *conn)
{
	char text[PARAM_BYTES];
	ssize_t len = param(conn, "send", text, NULL);

	put_bytes(&conn->out, text, len < 0 ? 0 : (size_t)len);
	len = param(conn, "later", text, NULL);
	conn->later.len = 0;
	put_bytes(&conn->later, text, len < 0 ? 0 : (size_t)len);
	if (number_param(conn, "close", 0) != 0)
		conn->ending = CLOSE;
	else if (number_param(conn, "keep", 0) == 0)
		conn->source = SOURCE_HOLD;
}

/* Excess behind a whole answer, in one write: over TLS it shares a record with the end of the answer. */
static void
put_excess(struct conn *conn, uint64_t size)
{
	if (number_param(conn, "chunked", 0) != 0) {
		put_text(&conn->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%llx\r\n", (unsigned long long)size);
		put_pattern(&conn->out, 0, (size_t)size);
		put_text(&conn->out, "\r\n0\r\n\r\n");
	} else {
		put_text(&conn->out, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)size);
		put_pattern(&conn->out, 0, (size_t)size);
	}
	put_text(&conn->out, "HTTP/1.1 418 Poison\r\nContent-Length: 0\r\n\r\n");
}

/* ---- which */

static bool
answer_in_pieces(struct conn *conn)
{
	static const char gzip[] =
	    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\n\x1f\x8b\x08\0gzip";
	const char *rest;

	if ((rest = under(conn, "/bytes/")) != NULL)
		begin_bytes(conn, strtoull(rest, NULL, 10));
	else if ((rest = under(conn, "/trickle/")) != NULL)
		begin_trickle(conn, strtoull(rest, NULL, 10));
	else if (is_path(conn, "/sse"))
		begin_sse(conn);
	else if ((rest = under(conn, "/endless/")) != NULL)
		begin_endless(conn, rest);
	else if (is_path(conn, "/trailers"))
		put_text(&conn->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
		    "5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-Other: 1\r\n\r\n");
	else if (is_path(conn, "/gzip"))
		put_bytes(&conn->out, gzip, sizeof(gzip) - 1);
	else
		return false;
	return true;
}

static bool
answer_oddly(struct conn *conn)
{
	const char *rest;

	if ((rest = under(conn, "/close/")) != NULL) {
		put_broken(conn, rest, CLOSE);
	} else if ((rest = under(conn, "/reset/")) != NULL) {
		put_broken(conn, rest, RESET);
	} else if (is_path(conn, "/last")) {
		put_small(conn);
		conn->ending = CLOSE;
	} else if (is_path(conn, "/die")) {
		char how[PARAM_BYTES] = "";

		param(conn, "how", how, NULL);
		conn->dies_next = true;
		conn->resets_next = strcmp(how, "reset") == 0;
		put_small(conn);
	} else if ((rest = under(conn, "/bomb/")) != NULL) {
		put_bomb(conn, strtoull(rest, NULL, 10));
	} else if ((rest = under(conn, "/excess/")) != NULL) {
		put_excess(conn, strtoull(rest, NULL, 10));
	} else if ((rest = under(conn, "/interim/")) != NULL) {
		for (uint64_t i = strtoull(rest, NULL, 10); i > 0; i--)
			put_text(&conn->out, "HTTP/1.1 %d Soon\r\nX-Interim: 1\r\n\r\n", (int)number_param(conn, "status", 103));
		put_small(conn);
	} else if (is_path(conn, "/raw")) {
		put_raw(conn);
	} else {
		return false;
	}
	return true;
}

void
answer(struct conn *conn)
{
	const char *rest;

	if (is_path(conn, "/echo")) {
		put_echo(conn);
	} else if ((rest = under(conn, "/status/")) != NULL) {
		put_status(conn, (int)strtol(rest, NULL, 10));
	} else if ((rest = under(conn, "/delay/")) != NULL) {
		conn->due = now_ms() + strtoll(rest, NULL, 10);
		conn->silent_until_due = true;
		put_small(conn);
	} else if ((rest = under(conn, "/late/")) != NULL) {
		conn->due = now_ms() + strtoll(rest, NULL, 10);
		conn->silent_until_due = true;
		conn->ending = CLOSE;
	} else if (!answer_in_pieces(conn) && !answer_oddly(conn)) {
		put_small(conn);
	}
}

void
answer_head(struct conn *conn)
{
	const char *rest;

	conn->keep_body = is_path(conn, "/echo");
	if (is_path(conn, "/hold")) {
		conn->state = DEAF;
	} else if (is_path(conn, "/raw") && number_param(conn, "head", 0) != 0) {
		conn->head_answered = true;
		put_raw(conn);
	} else if ((rest = under(conn, "/early/")) != NULL) {
		conn->head_answered = true;
		if (number_param(conn, "close", 0) != 0)
			conn->ending = CLOSE;
		put_status(conn, (int)strtol(rest, NULL, 10));
	} else if ((rest = under(conn, "/slow-read/")) != NULL) {
		conn->slow = true;
		conn->every = strtoll(rest, NULL, 10);
		conn->due = now_ms() + conn->every;
	}
}
