/*
 * Which connection a call goes out on, and whether a kept-alive one may be used for it.
 *
 * What a service sends behind a complete response on HTTP/1 would be taken for the answer to the next request, maybe
 * another client's. libcurl finds a kept-alive connection good as long as it is open. So at the last moment before a
 * request is sent its connection is looked at: nothing may be readable there, neither from the kernel nor from TLS.
 *
 * libcurl says at that moment which addresses and ports the connection has, not which descriptor. A connection is known
 * by these, its name.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "client/client_internal.h"

/* ---- names */

static uint64_t
add_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash * UINT64_C(0x100000001b3);
}

/* FNV-1a; never 0. */
static uint64_t
name_of(const struct fg_ends *ends)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)ends->local_port << 16 ^ (uint64_t)ends->remote_port;

	return add_text(add_text(hash, ends->local_ip), ends->remote_ip) | 1;
}

static struct fg_socket **
bucket(struct fg_client *client, uint64_t name)
{
	return &client->named[(name >> 32) % FG_NAME_BUCKETS];
}

static struct fg_socket *
find_named(struct fg_client *client, uint64_t name)
{
	struct fg_socket *sock = *bucket(client, name);

	while (sock != NULL && sock->name != name)
		sock = sock->named_next;
	return sock;
}

void
fg_reuse_forget(struct fg_socket *sock)
{
	if (sock->name == 0)
		return;
	*sock->named_link = sock->named_next;
	if (sock->named_next != NULL)
		sock->named_next->named_link = sock->named_link;
	sock->name = 0;
}

static void
give_name(struct fg_socket *sock, uint64_t name)
{
	struct fg_socket **first = bucket(sock->client, name);

	fg_reuse_forget(sock);
	sock->name = name;
	sock->named_next = *first;
	sock->named_link = first;
	if (*first != NULL)
		(*first)->named_link = &sock->named_next;
	*first = sock;
}

/* ---- new connections */

void
fg_reuse_note_opened(struct fg_call *call, int fd)
{
	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	call->opened[call->opened_count++ % FG_OPENED_KEPT] = fd;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool
is_at(const union address *address, const char *ip, int port)
{
	bool v6 = address->any.sa_family == AF_INET6;
	const void *bytes = v6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr;
	char text[INET6_ADDRSTRLEN];

	return ntohs(v6 ? address->v6.sin6_port : address->v4.sin_port) == port &&
	    inet_ntop(address->any.sa_family, bytes, text, sizeof(text)) != NULL && strcmp(text, ip) == 0;
}

static bool
has_ends(int fd, const struct fg_ends *ends)
{
	union address local, remote;
	socklen_t local_len = sizeof(local), remote_len = sizeof(remote);

	return getsockname(fd, &local.any, &local_len) == 0 && getpeername(fd, &remote.any, &remote_len) == 0 &&
	    is_at(&local, ends->local_ip, ends->local_port) && is_at(&remote, ends->remote_ip, ends->remote_port);
}

/* Of the descriptors opened for the call, the one that became its connection; -1 when it is none of them. */
static int
find_opened(const struct fg_call *call, const struct fg_ends *ends)
{
	unsigned oldest = call->opened_count > FG_OPENED_KEPT ? call->opened_count - FG_OPENED_KEPT : 0;

	for (unsigned i = call->opened_count; i > oldest; i--)
		if (has_ends(call->opened[(i - 1) % FG_OPENED_KEPT], ends))
			return call->opened[(i - 1) % FG_OPENED_KEPT];
	return -1;
}

/* ---- what is on a connection */

/* NULL: without TLS, or libcurl has it from another library. Freed when the connection is closed. */
static SSL *
tls_of(const struct fg_call *call)
{
	struct curl_tlssessioninfo *info = NULL;

	if (!call->endpoint->tls || curl_easy_getinfo(call->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL ||
	    info->backend != CURLSSLBACKEND_OPENSSL)
		return NULL;
	return info->internals;
}

static bool
is_framed(const struct fg_call *call, const SSL *tls)
{
	const unsigned char *protocol = NULL;
	unsigned len = 0;

	if (call->endpoint->version != FG_HTTP_2 || tls == NULL)
		return call->endpoint->version == FG_HTTP_2 && !call->endpoint->tls;
	SSL_get0_alpn_selected(tls, &protocol, &len);
	return len == 2 && memcmp(protocol, "h2", 2) == 0;
}

/* Open, and nothing has come that was not read. */
static bool
is_silent(const struct fg_socket *sock)
{
	char byte;

	if (sock->tls != NULL && SSL_has_pending(sock->tls))
		return false;
	return recv(sock->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void
fg_reuse_give_up(struct fg_socket *sock)
{
	char scrap[4096];

	if (sock->is_framed)
		return;
	(void)shutdown(sock->fd, SHUT_RDWR);
	/* Nothing comes any more: what is left is what had come, and the end of it is what libcurl looks for. */
	while (recv(sock->fd, scrap, sizeof(scrap), MSG_DONTWAIT) > 0)
		continue;
}

static void
admit_new(struct fg_call *call, const struct fg_ends *ends)
{
	SSL *tls = tls_of(call);
	int fd = find_opened(call, ends);
	struct fg_socket *sock;

	/* One that could not be looked at later serves this request alone. */
	if (fd < 0 || (call->endpoint->tls && tls == NULL)) {
		fg_call_forbid_reuse(call);
		return;
	}
	sock = fg_client_attach(call, fd);
	sock->tls = tls;
	sock->is_framed = is_framed(call, tls);
	give_name(sock, name_of(ends));
	fg_site_note_connected(call, sock, ends->remote_ip);
}

bool
fg_reuse_admit(struct fg_call *call, const struct fg_ends *ends)
{
	struct fg_socket *sock;

	if (!call->times.reused) {
		admit_new(call, ends);
		return true;
	}
	sock = find_named(call->client, name_of(ends));
	if (sock == NULL)
		return false;
	fg_client_attach(call, sock->fd);
	if (sock->is_framed)
		return true;
	/* Where this one is dead, or says too much, others may be like it: what libcurl tries then is a new one. */
	FG_EASY_SET(call->easy, CURLOPT_FRESH_CONNECT, 1L);
	if (!is_silent(sock))
		fg_reuse_give_up(sock);
	return true;
}
