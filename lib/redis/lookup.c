/*
 * Names resolved without holding up the loop: getaddrinfo() runs on a thread that lives for this one question, shares
 * nothing with the worker, and sends the answer through a socket. A worker that no longer wants it closes its end.
 */
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/redis_internal.h"

struct fg_redis_lookup {
	struct fg_io io;
	int fd;
	fg_redis_lookup_fn *fn;
	void *arg;
};

/* The thread's own. */
struct errand {
	struct fg_redis_where where;
	int fd;
};

struct answer {
	socklen_t len; /* 0: not known */
	struct sockaddr_storage addr;
};

static void *
run_errand(void *arg)
{
	struct errand *errand = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
	struct answer answer = {.len = 0};

	if (getaddrinfo(errand->where.host, NULL, &hints, &found) == 0 && found->ai_addrlen <= sizeof(answer.addr)) {
		answer.len = found->ai_addrlen;
		memcpy(&answer.addr, found->ai_addr, found->ai_addrlen);
	}
	if (found != NULL)
		freeaddrinfo(found);
	/* Where nobody listens any more, nothing is to be done. */
	(void)!send(errand->fd, &answer, sizeof(answer), MSG_NOSIGNAL);
	close(errand->fd);
	free(errand);
	return NULL;
}

static void
on_answer(struct fg_io *io, unsigned ready, void *arg)
{
	struct fg_redis_lookup *lookup = arg;
	fg_redis_lookup_fn *fn = lookup->fn;
	void *fn_arg = lookup->arg;
	struct answer answer;
	ssize_t len = recv(lookup->fd, &answer, sizeof(answer), MSG_DONTWAIT);

	(void)io;
	(void)ready;
	fg_redis_lookup_cancel(lookup);
	if (len == (ssize_t)sizeof(answer) && answer.len > 0)
		fn(fn_arg, (const struct sockaddr *)&answer.addr, answer.len);
	else
		fn(fn_arg, NULL, 0);
}

static bool
start_thread(struct errand *errand)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool started;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	started = pthread_create(&thread, &attr, run_errand, errand) == 0;
	pthread_attr_destroy(&attr);
	return started;
}

struct fg_redis_lookup *
fg_redis_lookup_start(struct fg_loop *loop, const struct fg_redis_where *where, fg_redis_lookup_fn *fn, void *arg)
{
	struct fg_redis_lookup *lookup;
	struct errand *errand;
	int fds[2];

	/* One packet, whole or not at all. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return NULL;
	errand = calloc(1, sizeof(*errand));
	FG_ASSERT(errand != NULL);
	*errand = (struct errand){.where = *where, .fd = fds[1]};
	if (!start_thread(errand)) {
		free(errand);
		close(fds[0]);
		close(fds[1]);
		return NULL;
	}
	lookup = calloc(1, sizeof(*lookup));
	FG_ASSERT(lookup != NULL);
	*lookup = (struct fg_redis_lookup){.fd = fds[0], .fn = fn, .arg = arg};
	fg_io_init(&lookup->io, loop, on_answer, lookup);
	fg_io_watch(&lookup->io, lookup->fd, FG_IO_READ);
	return lookup;
}

void
fg_redis_lookup_cancel(struct fg_redis_lookup *lookup)
{
	if (lookup == NULL)
		return;
	fg_io_stop(&lookup->io);
	close(lookup->fd);
	free(lookup);
}
