/* The played name server (RFC 1035, no more of it than a stub resolver needs). */
#include "support/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_NAMES = 64, NAME_BYTES = 256, MESSAGE_BYTES = 4096, MOST_CONNS = 8, TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

struct entry {
	char name[NAME_BYTES], addresses[2048], target[NAME_BYTES];
	unsigned ttl, asked;
	enum dns_manner manner;
};

struct dns_server {
	pthread_t thread;
	pthread_mutex_t mutex; /* of what follows */
	struct entry entries[MOST_NAMES];
	size_t count;
	enum dns_manner all;
	unsigned asked_tcp;
	int udp, tcp, wake, port;
	int conns[MOST_CONNS]; /* -1: free */
};

struct message {
	unsigned char bytes[MESSAGE_BYTES];
	size_t len;
};

static void
require(bool held, const char *what)
{
	if (held)
		return;
	perror(what);
	abort();
}

/* ---- what is said */

static struct entry *
find(struct dns_server *server, const char *name)
{
	for (size_t i = 0; i < server->count; i++)
		if (strcasecmp(server->entries[i].name, name) == 0)
			return &server->entries[i];
	return NULL;
}

static struct entry *
get(struct dns_server *server, const char *name)
{
	struct entry *entry = find(server, name);

	if (entry != NULL)
		return entry;
	require(server->count < MOST_NAMES, "played name server: too many names");
	entry = &server->entries[server->count++];
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->manner = DNS_NO_NAME;
	return entry;
}

void
dns_server_say(struct dns_server *server, const char *name, const char *addresses, unsigned ttl)
{
	struct entry *entry;

	pthread_mutex_lock(&server->mutex);
	entry = get(server, name);
	snprintf(entry->addresses, sizeof(entry->addresses), "%s", addresses);
	entry->target[0] = '\0';
	entry->ttl = ttl;
	entry->manner = DNS_SAYS;
	pthread_mutex_unlock(&server->mutex);
}

void
dns_server_alias(struct dns_server *server, const char *name, const char *target, unsigned ttl)
{
	struct entry *entry;

	pthread_mutex_lock(&server->mutex);
	entry = get(server, name);
	snprintf(entry->target, sizeof(entry->target), "%s", target);
	entry->ttl = ttl;
	entry->manner = DNS_SAYS;
	pthread_mutex_unlock(&server->mutex);
}

void
dns_server_manner(struct dns_server *server, const char *name, enum dns_manner manner)
{
	pthread_mutex_lock(&server->mutex);
	get(server, name)->manner = manner;
	pthread_mutex_unlock(&server->mutex);
}

void
dns_server_all(struct dns_server *server, enum dns_manner manner)
{
	pthread_mutex_lock(&server->mutex);
	server->all = manner;
	pthread_mutex_unlock(&server->mutex);
}

unsigned
dns_server_asked(struct dns_server *server, const char *name)
{
	unsigned asked;

	pthread_mutex_lock(&server->mutex);
	asked = get(server, name)->asked;
	pthread_mutex_unlock(&server->mutex);
	return asked;
}

unsigned
dns_server_asked_tcp(struct dns_server *server)
{
	unsigned asked;

	pthread_mutex_lock(&server->mutex);
	asked = server->asked_tcp;
	pthread_mutex_unlock(&server->mutex);
	return asked;
}

int
dns_server_port(const struct dns_server *server)
{
	return server->port;
}

/* ---- messages */

static void
put(struct message *m, const void *bytes, size_t len)
{
	require(m->len + len <= sizeof(m->bytes), "played name server: answer too long");
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static void
put16(struct message *m, unsigned number)
{
	const unsigned char bytes[] = {(unsigned char)(number >> 8), (unsigned char)number};

	put(m, bytes, sizeof(bytes));
}

static size_t
encode_name(unsigned char *out, const char *name)
{
	size_t len = 0;

	while (*name != '\0') {
		size_t label = strcspn(name, ".");

		out[len++] = (unsigned char)label;
		memcpy(out + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	out[len++] = 0;
	return len;
}

static void
put_record(struct message *m, const char *owner, unsigned type, unsigned ttl, const void *data, size_t len)
{
	unsigned char name[NAME_BYTES + 2];

	put(m, name, encode_name(name, owner));
	put16(m, type);
	put16(m, 1);
	put16(m, ttl >> 16);
	put16(m, ttl & 0xffff);
	put16(m, (unsigned)len);
	put(m, data, len);
}

/* Reads the question; false when it is none. */
static bool
read_question(const struct message *in, char *name, unsigned *type, size_t *end)
{
	size_t at = 12, len = 0;

	if (in->len < 17)
		return false;
	while (at < in->len && in->bytes[at] != 0) {
		size_t label = in->bytes[at];

		if (label > 63 || at + 1 + label >= in->len || len + label + 2 > NAME_BYTES)
			return false;
		if (len > 0)
			name[len++] = '.';
		memcpy(name + len, in->bytes + at + 1, label);
		len += label;
		at += 1 + label;
	}
	if (at + 5 > in->len)
		return false;
	name[len] = '\0';
	*type = (unsigned)in->bytes[at + 1] << 8 | in->bytes[at + 2];
	*end = at + 5;
	return true;
}

static unsigned
put_addresses(struct message *m, const struct entry *entry, unsigned type)
{
	char list[2048], *save = NULL;
	unsigned count = 0;

	snprintf(list, sizeof(list), "%s", entry->addresses);
	for (char *one = strtok_r(list, " ", &save); one != NULL; one = strtok_r(NULL, " ", &save)) {
		unsigned char bytes[16];
		int family = strchr(one, ':') != NULL ? AF_INET6 : AF_INET;

		require(inet_pton(family, one, bytes) == 1, "played name server: not an address");
		if (type != (family == AF_INET ? TYPE_A : TYPE_AAAA))
			continue;
		put_record(m, entry->name, type, entry->ttl, bytes, family == AF_INET ? 4 : 16);
		count++;
	}
	return count;
}

static unsigned
put_answers(struct dns_server *server, struct message *m, const struct entry *entry, unsigned type)
{
	unsigned char data[NAME_BYTES + 2];
	unsigned count = 0;

	for (int depth = 0; entry != NULL && entry->target[0] != '\0' && depth < 8; depth++) {
		put_record(m, entry->name, TYPE_CNAME, entry->ttl, data, encode_name(data, entry->target));
		count++;
		entry = find(server, entry->target);
	}
	return entry == NULL ? count : count + put_addresses(m, entry, type);
}

/* False: nothing is said. */
static bool
answer(struct dns_server *server, const struct message *in, struct message *out, bool is_tcp)
{
	char name[NAME_BYTES];
	unsigned type, count = 0;
	size_t end;
	enum dns_manner manner;
	struct entry *entry;

	if (!read_question(in, name, &type, &end))
		return false;
	entry = get(server, name);
	entry->asked += type == TYPE_A;
	manner = server->all != DNS_SAYS ? server->all : entry->manner;
	if (manner == DNS_SILENT || (manner == DNS_A_ALONE && type != TYPE_A))
		return false;
	out->len = 0;
	put(out, in->bytes, end);
	out->bytes[2] = 0x81;
	out->bytes[3] = manner == DNS_NO_NAME ? 0x83 : manner == DNS_FAILS ? 0x82 : 0x80;
	memset(out->bytes + 6, 0, 6);
	if (manner == DNS_CUT && !is_tcp)
		out->bytes[2] |= 0x02;
	else if (manner == DNS_GARBAGE)
		out->bytes[7] = 200; /* records that do not follow */
	else if (manner == DNS_SAYS || manner == DNS_A_ALONE || manner == DNS_CUT)
		count = put_answers(server, out, entry, type);
	if (manner != DNS_GARBAGE)
		out->bytes[7] = (unsigned char)count;
	return true;
}

/* ---- sockets */

static void
serve_udp(struct dns_server *server)
{
	struct message in, out;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(server->udp, in.bytes, sizeof(in.bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	if (len <= 0)
		return;
	in.len = (size_t)len;
	if (answer(server, &in, &out, false))
		(void)!sendto(server->udp, out.bytes, out.len, MSG_NOSIGNAL, (struct sockaddr *)&from, from_len);
}

static void
accept_one(struct dns_server *server)
{
	int fd = accept4(server->tcp, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < MOST_CONNS; i++)
		if (server->conns[i] < 0) {
			server->conns[i] = fd;
			return;
		}
	if (fd >= 0)
		close(fd);
}

/* A question comes whole: it is small, and on loopback. */
static void
serve_tcp(struct dns_server *server, int *conn)
{
	struct message in, out;
	unsigned char size[2];

	if (recv(*conn, size, 2, MSG_WAITALL) != 2) {
		close(*conn);
		*conn = -1;
		return;
	}
	in.len = (size_t)size[0] << 8 | size[1];
	require(in.len <= sizeof(in.bytes) && recv(*conn, in.bytes, in.len, MSG_WAITALL) == (ssize_t)in.len,
	    "played name server: question");
	server->asked_tcp++;
	if (!answer(server, &in, &out, true))
		return;
	size[0] = (unsigned char)(out.len >> 8);
	size[1] = (unsigned char)out.len;
	(void)!send(*conn, size, 2, MSG_NOSIGNAL | MSG_MORE);
	(void)!send(*conn, out.bytes, out.len, MSG_NOSIGNAL);
}

static void *
run(void *arg)
{
	struct dns_server *server = arg;
	struct pollfd fds[3 + MOST_CONNS];

	for (;;) {
		fds[0] = (struct pollfd){server->wake, POLLIN, 0};
		fds[1] = (struct pollfd){server->udp, POLLIN, 0};
		fds[2] = (struct pollfd){server->tcp, POLLIN, 0};
		for (size_t i = 0; i < MOST_CONNS; i++)
			fds[3 + i] = (struct pollfd){server->conns[i], POLLIN, 0};
		if (poll(fds, 3 + MOST_CONNS, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			return NULL;
		pthread_mutex_lock(&server->mutex);
		if (fds[1].revents != 0)
			serve_udp(server);
		for (size_t i = 0; i < MOST_CONNS; i++)
			if (fds[3 + i].fd >= 0 && fds[3 + i].revents != 0)
				serve_tcp(server, &server->conns[i]);
		if (fds[2].revents != 0)
			accept_one(server);
		pthread_mutex_unlock(&server->mutex);
	}
}

/* The same port for both. */
static void
open_sockets(struct dns_server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int tries = 0; tries < 100; tries++) {
		address.sin_port = 0;
		server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		require(server->tcp >= 0 && server->udp >= 0, "socket");
		require(bind(server->tcp, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
		require(listen(server->tcp, 64) == 0, "listen");
		require(getsockname(server->tcp, (struct sockaddr *)&address, &len) == 0, "getsockname");
		server->port = ntohs(address.sin_port);
		if (bind(server->udp, (struct sockaddr *)&address, sizeof(address)) == 0)
			return;
		close(server->tcp);
		close(server->udp);
	}
	require(false, "played name server: no port");
}

struct dns_server *
dns_server_start(void)
{
	struct dns_server *server = calloc(1, sizeof(*server));

	require(server != NULL, "calloc");
	pthread_mutex_init(&server->mutex, NULL);
	server->wake = eventfd(0, EFD_CLOEXEC);
	require(server->wake >= 0, "eventfd");
	for (size_t i = 0; i < MOST_CONNS; i++)
		server->conns[i] = -1;
	open_sockets(server);
	require(pthread_create(&server->thread, NULL, run, server) == 0, "pthread_create");
	return server;
}

void
dns_server_stop(struct dns_server *server)
{
	uint64_t one = 1;

	require(write(server->wake, &one, sizeof(one)) == sizeof(one), "eventfd");
	pthread_join(server->thread, NULL);
	for (size_t i = 0; i < MOST_CONNS; i++)
		if (server->conns[i] >= 0)
			close(server->conns[i]);
	close(server->udp);
	close(server->tcp);
	close(server->wake);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}
