/* For the program: the listening socket that service_start() makes too. */
#ifndef FG_TESTS_SERVICE_LISTEN_H
#define FG_TESTS_SERVICE_LISTEN_H

/* A socket of 127.0.0.1; port 0: a free one. Ends the process when there is none. */
int service_listen(int port, int *out_port);

#endif
