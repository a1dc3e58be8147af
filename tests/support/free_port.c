#include "support/free_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 10000, COUNT = 20000 };

int
bind_free_port(int *fd)
{
	static unsigned tried;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (unsigned i = 0; *fd >= 0 && i < COUNT; i++) {
		int port = (int)(FIRST + ((unsigned)getpid() * 41 + tried++) % COUNT);
		struct sockaddr_in address = {
		    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

		if (bind(*fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return port;
	}
	fprintf(stderr, "no free port: %s\n", strerror(errno));
	abort();
}
