/* A relay on a thread of its own, for the few connections that pools have to Redis. */
#include "e2e/wire.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/bed.h"

enum { MOST_PAIRS = 32, PIECE = 16 * 1024 };

/* Of one connection: the side of the client, that of the server; -1: none. */
struct pair {
	int fds[2];
};

struct wire {
	int listen_fd, port, to_port;
	int wake[2]; /* a pipe: the thread looks again at what is wanted */
	pthread_t thread;
	_Atomic bool is_cut, is_stopping, drops_all;
	struct pair pairs[MOST_PAIRS];
};

static void
drop(struct pair *pair)
{
	for (int side = 0; side < 2; side++) {
		if (pair->fds[side] >= 0)
			close(pair->fds[side]);
		pair->fds[side] = -1;
	}
}

static void
accept_one(struct wire *wire)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)wire->to_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int client = accept4(wire->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct pair *pair = wire->pairs;

	while (pair < wire->pairs + MOST_PAIRS && pair->fds[0] >= 0)
		pair++;
	if (client < 0 || pair == wire->pairs + MOST_PAIRS) {
		close(client);
		return;
	}
	pair->fds[0] = client;
	pair->fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(pair->fds[1], (struct sockaddr *)&to, sizeof(to)) != 0)
		drop(pair);
}

/* What one side has sent, to the other, whole. */
static void
relay(struct wire *wire, struct pair *pair, int side)
{
	char bytes[PIECE];
	ssize_t got = recv(pair->fds[side], bytes, sizeof(bytes), 0);

	if (got <= 0 || (!wire->is_cut && send(pair->fds[1 - side], bytes, (size_t)got, MSG_NOSIGNAL) != got))
		drop(pair);
}

static void *
run(void *arg)
{
	struct wire *wire = arg;

	while (!wire->is_stopping) {
		struct pollfd fds[2 + 2 * MOST_PAIRS] = {{wire->wake[0], POLLIN, 0}, {wire->listen_fd, POLLIN, 0}};
		char byte;

		if (atomic_exchange(&wire->drops_all, false))
			for (int i = 0; i < MOST_PAIRS; i++)
				drop(&wire->pairs[i]);
		for (int i = 0; i < 2 * MOST_PAIRS; i++)
			fds[2 + i] = (struct pollfd){wire->pairs[i / 2].fds[i % 2], POLLIN, 0};
		poll(fds, 2 + 2 * MOST_PAIRS, -1);
		if (fds[0].revents != 0 && read(wire->wake[0], &byte, 1) < 0)
			break;
		for (int i = 0; i < 2 * MOST_PAIRS; i++)
			if (fds[2 + i].revents != 0 && wire->pairs[i / 2].fds[i % 2] == fds[2 + i].fd)
				relay(wire, &wire->pairs[i / 2], i % 2);
		if (fds[1].revents != 0)
			accept_one(wire);
	}
	return NULL;
}

struct wire *
wire_start(int to_port)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(here);

	if (wire == NULL)
		abort();
	wire->to_port = to_port;
	for (int i = 0; i < MOST_PAIRS; i++)
		wire->pairs[i] = (struct pair){{-1, -1}};
	wire->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(wire->listen_fd, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(wire->listen_fd, 16) != 0 ||
	    getsockname(wire->listen_fd, (struct sockaddr *)&here, &len) != 0 || pipe(wire->wake) != 0 ||
	    pthread_create(&wire->thread, NULL, run, wire) != 0)
		bed_give_up("no wire to port %d", to_port);
	wire->port = ntohs(here.sin_port);
	return wire;
}

int
wire_port(const struct wire *wire)
{
	return wire->port;
}

static void
wake(struct wire *wire)
{
	if (write(wire->wake[1], "", 1) != 1)
		bed_give_up("the wire's thread cannot be told");
}

void
wire_cut(struct wire *wire)
{
	wire->is_cut = true;
}

void
wire_mend(struct wire *wire)
{
	wire->drops_all = true;
	wire->is_cut = false;
	wake(wire);
}

void
wire_stop(struct wire *wire)
{
	if (wire == NULL)
		return;
	wire->is_stopping = true;
	wake(wire);
	pthread_join(wire->thread, NULL);
	for (int i = 0; i < MOST_PAIRS; i++)
		drop(&wire->pairs[i]);
	close(wire->listen_fd);
	close(wire->wake[0]);
	close(wire->wake[1]);
	free(wire);
}
