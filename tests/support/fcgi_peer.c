/* Records as bytes; sockets. */
#include "support/fcgi_peer.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool
fcgi_open(struct fcgi_peer *peer, const char *unix_path, int patience_ms)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memset(peer, 0, sizeof(*peer));
	peer->patience_ms = patience_ms;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", unix_path);
	peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return peer->fd >= 0 && connect(peer->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

void
fcgi_close(struct fcgi_peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
	free(peer->in);
	peer->in = NULL;
	peer->in_len = 0;
}

bool
fcgi_send(struct fcgi_peer *peer, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		struct pollfd ready = {peer->fd, POLLOUT, 0};
		ssize_t sent;

		if (poll(&ready, 1, peer->patience_ms) != 1)
			return false;
		sent = send(peer->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
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
fcgi_is_taken(const struct fcgi_peer *peer)
{
	int unread = 1;

	for (int ms = 0; unread > 0 && ms < peer->patience_ms; ms++) {
		if (ioctl(peer->fd, SIOCOUTQ, &unread) != 0)
			return false;
		if (unread > 0)
			poll(NULL, 0, 1);
	}
	return unread == 0;
}

bool
fcgi_record(struct fcgi_peer *peer, unsigned type, unsigned id, const void *content, size_t len, unsigned padding)
{
	unsigned char record[8 + 65535 + 255] = {1, (unsigned char)type, (unsigned char)(id >> 8), (unsigned char)id,
	    (unsigned char)(len >> 8), (unsigned char)len, (unsigned char)padding, 0};

	if (len > 0)
		memcpy(record + 8, content, len);
	return fcgi_send(peer, record, 8 + len + padding);
}

bool
fcgi_begin(struct fcgi_peer *peer, unsigned id, unsigned role, bool keep)
{
	const unsigned char body[8] = {(unsigned char)(role >> 8), (unsigned char)role, keep ? 1 : 0};

	return fcgi_record(peer, FCGI_BEGIN, id, body, sizeof(body), 0);
}

static size_t
put_length(char *buf, size_t len)
{
	if (len < 128) {
		buf[0] = (char)len;
		return 1;
	}
	buf[0] = (char)(0x80 | len >> 24);
	buf[1] = (char)(len >> 16);
	buf[2] = (char)(len >> 8);
	buf[3] = (char)len;
	return 4;
}

size_t
fcgi_pair(char *buf, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value), n = put_length(buf, name_len);

	n += put_length(buf + n, value_len);
	memcpy(buf + n, name, name_len);
	memcpy(buf + n + name_len, value, value_len);
	return n + name_len + value_len;
}

bool
fcgi_ask(struct fcgi_peer *peer, unsigned id, bool keep, const char *method, const char *target, const char *extra)
{
	static char params[60000];
	size_t n = 0;

	n += fcgi_pair(params + n, "REQUEST_METHOD", method);
	n += fcgi_pair(params + n, "REQUEST_URI", target);
	n += fcgi_pair(params + n, "SERVER_PROTOCOL", "HTTP/1.1");
	n += fcgi_pair(params + n, "REMOTE_ADDR", "127.0.0.1");
	n += fcgi_pair(params + n, "HTTP_HOST", "localhost");
	for (; extra != NULL && *extra != '\0'; extra += strlen(extra) + 1) {
		const char *value = extra + strlen(extra) + 1;

		n += fcgi_pair(params + n, extra, value);
		extra = value;
	}
	return fcgi_begin(peer, id, 1, keep) && fcgi_record(peer, FCGI_PARAMS, id, params, n, (8 - n % 8) % 8) &&
	    fcgi_record(peer, FCGI_PARAMS, id, NULL, 0, 0);
}

bool
fcgi_body(struct fcgi_peer *peer, unsigned id, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		size_t n = len < 32000 ? len : 32000;

		if (!fcgi_record(peer, FCGI_STDIN, id, p, n, 0))
			return false;
		p += n;
		len -= n;
	}
	return fcgi_record(peer, FCGI_STDIN, id, NULL, 0, 0);
}

static bool
read_more(struct fcgi_peer *peer)
{
	struct pollfd ready = {peer->fd, POLLIN, 0};
	ssize_t got;

	if (poll(&ready, 1, peer->patience_ms) != 1)
		return false;
	peer->in = realloc(peer->in, peer->in_len + 70000);
	got = recv(peer->fd, peer->in + peer->in_len, 70000, 0);
	if (got <= 0)
		return false;
	peer->in_len += (size_t)got;
	return true;
}

static void
take_record(struct fcgi_answer *answer, const unsigned char *record, size_t len)
{
	const unsigned char *content = record + 8;

	if (record[1] == FCGI_STDOUT) {
		answer->out = realloc(answer->out, answer->out_len + len + 1);
		memcpy(answer->out + answer->out_len, content, len);
		answer->out_len += len;
		answer->out[answer->out_len] = '\0';
	} else if (record[1] == FCGI_END && len >= 8) {
		answer->ended = true;
		answer->id = (unsigned)record[2] << 8 | record[3];
		answer->app_status = (unsigned)content[0] << 24 | (unsigned)content[1] << 16 | (unsigned)content[2] << 8 | content[3];
		answer->protocol_status = content[4];
	} else {
		answer->others++;
	}
}

void
fcgi_read(struct fcgi_peer *peer, struct fcgi_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->out = calloc(1, 1);
	while (!answer->ended) {
		const unsigned char *record = (const unsigned char *)peer->in;
		size_t len, whole;

		if (peer->in_len >= 8) {
			len = (size_t)record[4] << 8 | record[5];
			whole = 8 + len + record[6];
			if (peer->in_len >= whole) {
				take_record(answer, record, len);
				peer->in_len -= whole;
				memmove(peer->in, peer->in + whole, peer->in_len);
				continue;
			}
		}
		if (!read_more(peer)) {
			answer->closed = fcgi_is_closed(peer);
			return;
		}
	}
}

bool
fcgi_is_closed(struct fcgi_peer *peer)
{
	struct pollfd ready = {peer->fd, POLLIN, 0};
	char scratch[4096];

	while (poll(&ready, 1, peer->patience_ms) == 1)
		if (recv(peer->fd, scratch, sizeof(scratch), 0) <= 0)
			return true;
	return false;
}
