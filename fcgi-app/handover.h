/*
 * Kept-alive FastCGI connections that outlive their worker. mod_proxy_fcgi (enablereuse=on) sends its next request on
 * an idle connection without asking whether it still stands; closing it under Apache gives that client a 500. So a
 * worker that drains passes each idle connection's descriptor to the workers that go on.
 *
 * One pair of sockets serves the pool, all generations of it: draining workers send into one end, running ones receive
 * from the other, whoever is first. The supervisor holds both ends, so what is sent while no worker happens to run waits
 * for the next one that starts.
 */
#ifndef FG_APP_HANDOVER_H
#define FG_APP_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>

struct fg_handover {
	int send_fd;    /* draining workers wait here for FG_IO_WRITE when the queue was full */
	int receive_fd; /* running workers watch this for FG_IO_READ, as long as they have room for connections */
	pid_t owner;    /* the supervisor */
};

/* Both descriptors are non-blocking and close-on-exec. False with errno set. */
bool fg_handover_open(struct fg_handover *handover);
void fg_handover_close(struct fg_handover *handover);

/*
 * Supervisor's: the pool stops, nobody will receive any more. From now on sends fail, in every process; connections on
 * their way are closed.
 */
void fg_handover_end(struct fg_handover *handover);

/*
 * Worker's. fd must be idle: no byte of a request read from it. True: the receiver owns it; close it here. False with
 * errno EAGAIN: the queue is full, try again once send_fd is writable. False otherwise: there is nobody to take it
 * (the pool stops, the supervisor is gone); close it.
 */
bool fg_handover_send(const struct fg_handover *handover, int fd);
/* A connection, non-blocking and close-on-exec, now the caller's; -1 when none waits. */
int fg_handover_receive(const struct fg_handover *handover);

#endif
