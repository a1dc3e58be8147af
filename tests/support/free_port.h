/* Ports for programs that tests start. */
#ifndef FG_TESTS_FREE_PORT_H
#define FG_TESTS_FREE_PORT_H

/*
 * A free port of 127.0.0.1, below those that the system gives out by itself, which any connection may have by the time the program
 * starts. *fd holds it, bound and not listening, until the caller closes it. The test ends when there is none.
 */
int bind_free_port(int *fd);

#endif
