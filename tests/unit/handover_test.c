/* fcgi-app/handover.c: descriptors find their way between workers, and none is left on it when the pool stops. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi-app/handover.h"
#include "unit/unit.h"

/* Runs fn in a child, as a worker would; its result is the exit status. */
static int
in_worker(int (*fn)(const struct fg_handover *handover, int fd), const struct fg_handover *handover, int fd)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn(handover, fd));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
send_one(const struct fg_handover *handover, int fd)
{
	return fg_handover_send(handover, fd) ? 0 : errno;
}

static int
receive_and_greet(const struct fg_handover *handover, int unused)
{
	int fd = fg_handover_receive(handover);

	(void)unused;
	return fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && write(fd, "hi", 2) == 2 ? 0 : 1;
}

static int
send_until_full(const struct fg_handover *handover, int fd)
{
	int count = 0;

	while (count < 100000 && fg_handover_send(handover, fd))
		count++;
	return count >= 100 && errno == EAGAIN ? 0 : 1;
}

static void
a_connection_passes_from_worker_to_worker(void)
{
	struct fg_handover handover;
	char text[2];
	int pair[2];

	CU_ASSERT_FATAL(fg_handover_open(&handover));
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL(fg_handover_receive(&handover), -1);
	CU_ASSERT_EQUAL(in_worker(send_one, &handover, pair[1]), 0);
	/* The sender is gone, no descriptor of it is open but the one under way. */
	close(pair[1]);
	CU_ASSERT_EQUAL(in_worker(receive_and_greet, &handover, -1), 0);
	CU_ASSERT_EQUAL(read(pair[0], text, 2), 2);
	CU_ASSERT_EQUAL(read(pair[0], text, 2), 0);
	CU_ASSERT_EQUAL(fg_handover_receive(&handover), -1);
	close(pair[0]);
	fg_handover_close(&handover);
}

static void
a_full_queue_says_so_and_empties(void)
{
	struct fg_handover handover;
	struct pollfd poll_send;
	int pair[2], fd;

	CU_ASSERT_FATAL(fg_handover_open(&handover));
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL(in_worker(send_until_full, &handover, pair[1]), 0);
	while ((fd = fg_handover_receive(&handover)) >= 0)
		close(fd);
	poll_send = (struct pollfd){.fd = handover.send_fd, .events = POLLOUT};
	CU_ASSERT_EQUAL(poll(&poll_send, 1, 0), 1);
	CU_ASSERT_EQUAL(in_worker(send_one, &handover, pair[1]), 0);
	close(pair[0]);
	close(pair[1]);
	fg_handover_close(&handover);
}

static void
a_stopping_pool_takes_nothing_and_keeps_nothing(void)
{
	struct fg_handover handover;
	int pair[2];
	char byte;

	CU_ASSERT_FATAL(fg_handover_open(&handover));
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL(in_worker(send_one, &handover, pair[1]), 0);
	close(pair[1]);
	fg_handover_end(&handover);
	CU_ASSERT_EQUAL(read(pair[0], &byte, 1), 0);
	CU_ASSERT_EQUAL(in_worker(send_one, &handover, pair[0]), EPIPE);
	/* Without its supervisor a worker sends nothing: this process is no child of the owner. */
	CU_ASSERT(!fg_handover_send(&handover, pair[0]));
	close(pair[0]);
	fg_handover_close(&handover);
}

void
suite_handover(void)
{
	CU_pSuite suite = CU_add_suite("handover", NULL, NULL);

	ADD_TEST(suite, a_connection_passes_from_worker_to_worker);
	ADD_TEST(suite, a_full_queue_says_so_and_empties);
	ADD_TEST(suite, a_stopping_pool_takes_nothing_and_keeps_nothing);
}
