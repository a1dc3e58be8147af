/*
 * Passing descriptors between workers; the contract and its reason stand in handover.h.
 *
 * SOCK_SEQPACKET, not SOCK_DGRAM: the length of a datagram socket's queue is net.unix.max_dgram_qlen, 10 on many
 * systems; here the send buffer bounds it (some 250 connections on their way).
 */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool
fg_handover_open(struct fg_handover *handover)
{
	int pair[2];

	*handover = (struct fg_handover){.send_fd = -1, .receive_fd = -1, .owner = getpid()};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	handover->send_fd = pair[0];
	handover->receive_fd = pair[1];
	return true;
}

void
fg_handover_close(struct fg_handover *handover)
{
	if (handover->send_fd >= 0)
		close(handover->send_fd);
	if (handover->receive_fd >= 0)
		close(handover->receive_fd);
	handover->send_fd = handover->receive_fd = -1;
}

void
fg_handover_end(struct fg_handover *handover)
{
	int fd;

	/* Acts on the socket, not on this descriptor of it: so it holds for every worker at once. */
	shutdown(handover->send_fd, SHUT_WR);
	while ((fd = fg_handover_receive(handover)) >= 0)
		close(fd);
}

bool
fg_handover_send(const struct fg_handover *handover, int fd)
{
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *cmsg;
	ssize_t sent;

	/* Without a supervisor all workers leave: a connection in the queue would wait for nobody. */
	if (getppid() != handover->owner) {
		errno = EPIPE;
		return false;
	}
	memset(&control, 0, sizeof(control));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	do {
		sent = sendmsg(handover->send_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent == 1;
}

int
fg_handover_receive(const struct fg_handover *handover)
{
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *cmsg;
	ssize_t received;
	int fd = -1;

	do {
		received = recvmsg(handover->receive_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (received < 0 && errno == EINTR);
	if (received <= 0)
		return -1;
	/* A process at its limit of open files gets the message without the descriptor, which the kernel then closed. */
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}
