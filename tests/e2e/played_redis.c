/* A thread that waits for commands on all its connections; it need not understand more of them than where they end. */
#include "e2e/played_redis.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/bed.h"

enum { MOST_CONNS = 32, MOST_BYTES = 64 * 1024 };

struct conn {
	int fd; /* -1: none */
	size_t len;
	char bytes[MOST_BYTES + 1];
};

struct played_redis {
	int listen_fd, port;
	int wake[2];
	pthread_t thread;
	_Atomic bool is_stopping;
	const struct played_answer *_Atomic answer;
	struct conn conns[MOST_CONNS];
};

static void
drop(struct conn *conn, bool resets)
{
	struct linger at_once = {1, 0};

	if (resets)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(conn->fd);
	conn->fd = -1;
}

/* The length of the whole command that bytes begin with; 0: not all of it is there. *word: its first word. */
static size_t
command_length(const struct conn *conn, const char **word)
{
	const char *at = conn->bytes, *end = conn->bytes + conn->len;
	long words = at < end && *at == '*' ? strtol(at + 1, NULL, 10) : 0;

	*word = NULL;
	at = strstr(at, "\r\n");
	for (; words > 0 && at != NULL; words--) {
		const char *text = at + 2 < end ? strstr(at + 2, "\r\n") : NULL;

		if (text == NULL)
			return 0;
		text += 2;
		if (*word == NULL)
			*word = text;
		at = text + strtol(at + 3, NULL, 10);
		if (at + 2 > end)
			return 0;
	}
	return at == NULL || words > 0 ? 0 : (size_t)(at + 2 - conn->bytes);
}

static bool
is_greeting(const char *word)
{
	static const char *const greetings[] = {"AUTH", "CLIENT", "SELECT", "HELLO"};

	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++)
		if (word != NULL && strncmp(word, greetings[i], strlen(greetings[i])) == 0)
			return true;
	return false;
}

static void
answer_all(struct played_redis *redis, struct conn *conn)
{
	const char *word;
	size_t len;

	while ((len = command_length(conn, &word)) > 0) {
		const struct played_answer *answer = redis->answer, ok = {"+OK\r\n", 5, false};

		if (is_greeting(word))
			answer = &ok;
		if (send(conn->fd, answer->bytes, answer->len, MSG_NOSIGNAL) < 0 || answer->resets) {
			drop(conn, true);
			return;
		}
		conn->len -= len;
		memmove(conn->bytes, conn->bytes + len, conn->len + 1);
	}
}

static void
read_some(struct played_redis *redis, struct conn *conn)
{
	ssize_t got = recv(conn->fd, conn->bytes + conn->len, MOST_BYTES - conn->len, 0);

	if (got <= 0) {
		drop(conn, false);
		return;
	}
	conn->len += (size_t)got;
	conn->bytes[conn->len] = '\0';
	answer_all(redis, conn);
}

static void
accept_one(struct played_redis *redis)
{
	int fd = accept4(redis->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	for (int i = 0; i < MOST_CONNS && fd >= 0; i++) {
		if (redis->conns[i].fd >= 0)
			continue;
		redis->conns[i].fd = fd;
		redis->conns[i].len = 0;
		return;
	}
	close(fd);
}

static void *
run(void *arg)
{
	struct played_redis *redis = arg;

	while (!redis->is_stopping) {
		struct pollfd fds[2 + MOST_CONNS] = {{redis->wake[0], POLLIN, 0}, {redis->listen_fd, POLLIN, 0}};

		for (int i = 0; i < MOST_CONNS; i++)
			fds[2 + i] = (struct pollfd){redis->conns[i].fd, POLLIN, 0};
		poll(fds, 2 + MOST_CONNS, -1);
		for (int i = 0; i < MOST_CONNS; i++)
			if (fds[2 + i].revents != 0)
				read_some(redis, &redis->conns[i]);
		if (fds[1].revents != 0)
			accept_one(redis);
	}
	return NULL;
}

struct played_redis *
played_redis_start(const struct played_answer *answer)
{
	struct played_redis *redis = calloc(1, sizeof(*redis));
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(here);

	if (redis == NULL)
		abort();
	redis->answer = answer;
	for (int i = 0; i < MOST_CONNS; i++)
		redis->conns[i].fd = -1;
	redis->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(redis->listen_fd, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(redis->listen_fd, 16) != 0 ||
	    getsockname(redis->listen_fd, (struct sockaddr *)&here, &len) != 0 || pipe(redis->wake) != 0 ||
	    pthread_create(&redis->thread, NULL, run, redis) != 0)
		bed_give_up("no played Redis");
	redis->port = ntohs(here.sin_port);
	return redis;
}

void
played_redis_say(struct played_redis *redis, const struct played_answer *answer)
{
	redis->answer = answer;
}

int
played_redis_port(const struct played_redis *redis)
{
	return redis->port;
}

void
played_redis_stop(struct played_redis *redis)
{
	redis->is_stopping = true;
	if (write(redis->wake[1], "", 1) != 1)
		bed_give_up("the played Redis cannot be told");
	pthread_join(redis->thread, NULL);
	for (int i = 0; i < MOST_CONNS; i++)
		if (redis->conns[i].fd >= 0)
			drop(&redis->conns[i], false);
	close(redis->listen_fd);
	close(redis->wake[0]);
	close(redis->wake[1]);
	free(redis);
}
