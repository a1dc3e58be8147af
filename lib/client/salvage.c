/*
 * An answer that libcurl left unread. A service that answers before it has read the body, and closes, resets the
 * connection as soon as more of the body arrives. libcurl then gives up at the send that fails, however much of the answer
 * lies ready in the kernel. Here it is taken out before the connection is closed, and told to the caller as if libcurl had
 * read it.
 *
 * Only an answer that is whole by its own framing counts: behind a reset nobody knows what else was to come.
 */
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "client/client_internal.h"

enum { PIECE_BYTES = 16 * 1024 };

static bool
is_reset(int fd)
{
	struct pollfd ready = {.fd = fd, .events = 0};

	return poll(&ready, 1, 0) == 1 && (ready.revents & (POLLERR | POLLHUP)) != 0;
}

/* libcurl's own way from OpenSSL to the socket leads through libcurl, which is busy. */
static bool
bypass_libcurl(const struct fg_socket *sock)
{
	BIO *direct = BIO_new_socket(sock->fd, BIO_NOCLOSE);

	if (direct != NULL)
		SSL_set0_rbio(sock->tls, direct);
	return direct != NULL;
}

static ssize_t
read_some(const struct fg_socket *sock, char *buf, size_t size)
{
	ssize_t n;

	if (sock->tls == NULL)
		return recv(sock->fd, buf, size, MSG_DONTWAIT);
	n = SSL_read(sock->tls, buf, (int)size);
	ERR_clear_error();
	return n;
}

void
fg_salvage_take(struct fg_call *call)
{
	const struct fg_socket *sock = call->socket;
	ssize_t n = 0;
	char *at;

	/* Where libcurl is in the middle of the head, what is left has no beginning. */
	if (sock == NULL || sock->is_framed || call->head.state != FG_HEAD_AT_STATUS || call->err != FG_OK || !is_reset(sock->fd))
		return;
	if (sock->tls != NULL && !bypass_libcurl(sock))
		return;
	call->tainted = true;
	do {
		at = fg_buf_reserve(&call->salvage, PIECE_BYTES);
		if (at == NULL)
			break;
		n = read_some(sock, at, PIECE_BYTES);
		if (n > 0)
			call->salvage.len += (size_t)n;
	} while (n > 0);
}

/* ---- telling it */

static bool
take_line(struct fg_str *rest, struct fg_str *line)
{
	size_t end = fg_str_find(*rest, '\n');

	if (end == rest->len)
		return false;
	*line = fg_str_slice(*rest, 0, end + 1);
	*rest = fg_str_slice(*rest, end + 1, rest->len);
	return true;
}

/* The size that a chunk begins with (RFC 9112 §7.1); -1 when the line has none. */
static int64_t
chunk_size(struct fg_str line)
{
	int64_t size = 0;
	size_t i;

	for (i = 0; i < line.len && fg_hex_value(line.p[i]) >= 0; i++) {
		if (size > FG_MAX_SALVAGE_BYTES)
			return -1;
		size = size * 16 + fg_hex_value(line.p[i]);
	}
	return i == 0 || i == line.len || memchr("; \t\r", line.p[i], 4) == NULL ? -1 : size;
}

/* Takes the chunks' framing out, in place. False unless the last chunk is there, trailers and all. */
static bool
unchunk(char *p, struct fg_str rest, struct fg_str *body)
{
	struct fg_str line;
	size_t len = 0;
	int64_t size;

	do {
		if (!take_line(&rest, &line) || (size = chunk_size(line)) < 0 || (size_t)size > rest.len)
			return false;
		memmove(p + len, rest.p, (size_t)size);
		len += (size_t)size;
		rest = fg_str_slice(rest, (size_t)size, rest.len);
		if (size > 0 && (!take_line(&rest, &line) || !fg_str_eq(line, FG_STR("\r\n"))))
			return false;
	} while (size > 0);
	do
		if (!take_line(&rest, &line))
			return false;
	while (line.len > 2);
	*body = (struct fg_str){p, len};
	return true;
}

/* What of the rest is the body; false when it is not all there, or when nothing tells where it ends. */
static bool
find_body(const struct fg_call *call, struct fg_str rest, struct fg_str *body)
{
	const struct fg_head *head = &call->head;

	if (head->status == 204 || head->status == 304)
		*body = FG_STR_NONE;
	else if (head->chunked)
		return unchunk(call->salvage.p + (rest.p - call->salvage.p), rest, body);
	else if (head->has_length && head->length <= rest.len)
		*body = fg_str_slice(rest, 0, (size_t)head->length);
	else
		return false;
	return true;
}

/* The head is looked through before anything of it is told. */
static bool
find_answer(struct fg_call *call, struct fg_str *body)
{
	struct fg_str rest = fg_buf_str(&call->salvage), line;
	struct fg_head_item item;

	fg_head_init(&call->head);
	while (call->head.state != FG_HEAD_AT_BODY)
		if (!take_line(&rest, &line) || fg_head_line(&call->head, line, &item) != FG_OK)
			return false;
	return call->ends_at_head || find_body(call, rest, body);
}

bool
fg_salvage_tell(struct fg_call *call)
{
	struct fg_str rest = fg_buf_str(&call->salvage), line, body = FG_STR_NONE;
	bool found = find_answer(call, &body);
	enum fg_flow flow;

	fg_head_init(&call->head);
	if (!found)
		return false;
	while (call->head.state != FG_HEAD_AT_BODY && take_line(&rest, &line))
		if (!fg_call_take_head_line(call, line))
			return call->is_complete;
	flow = body.len > 0 ? call->ops->on_body(call->arg, body) : FG_FLOW_GO;
	call->received = body.len;
	call->is_complete = flow == FG_FLOW_GO && call->state == FG_CALL_ACTIVE;
	return call->is_complete;
}
