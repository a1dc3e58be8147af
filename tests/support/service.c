/* Starting and stopping the scripted service, and what a test reads of it. */
#include "support/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/service_internal.h"
#include "support/service_listen.h"

struct service {
	struct service_options options;
	struct service_shared *shared;
	pid_t pid;
	int port, wake;
};

static void
require(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "scripted service: %s: %s\n", what, strerror(errno));
	abort();
}

static int
listen_at(const char *ip, int port, int *out_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t len = sizeof(address);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	require(ip == NULL || inet_pton(AF_INET, ip, &address.sin_addr) == 1, "inet_pton");
	require(fd >= 0, "socket");
	require(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0, "setsockopt");
	require(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	require(listen(fd, 4096) == 0, "listen");
	require(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
	*out_port = ntohs(address.sin_port);
	return fd;
}

int
service_listen(int port, int *out_port)
{
	return listen_at(NULL, port, out_port);
}

struct service *
service_start(const struct service_options *options)
{
	struct service *service = calloc(1, sizeof(*service));
	pid_t parent = getpid();
	int listener;

	require(service != NULL, "calloc");
	service->options = options == NULL ? (struct service_options){.name = NULL} : *options;
	if (service->options.name == NULL)
		service->options.name = "A";
	service->shared = mmap(NULL, sizeof(*service->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(service->shared != MAP_FAILED, "mmap");
	service->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	require(service->wake >= 0, "eventfd");
	listener = listen_at(service->options.address, service->options.port, &service->port);
	fflush(NULL);
	service->pid = fork();
	require(service->pid >= 0, "fork");
	if (service->pid == 0) {
		struct server server = {.options = &service->options, .shared = service->shared, .listener = listener,
		    .wake = service->wake, .records = true};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			server_run(&server);
		_exit(1);
	}
	close(listener);
	return service;
}

void
service_stop(struct service *service)
{
	if (service == NULL)
		return;
	kill(service->pid, SIGKILL);
	while (waitpid(service->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	close(service->wake);
	munmap(service->shared, sizeof(*service->shared));
	free(service);
}

int
service_port(const struct service *service)
{
	return service->port;
}

unsigned
service_requests(const struct service *service)
{
	return atomic_load(&service->shared->requests);
}

unsigned
service_accepted(const struct service *service)
{
	return atomic_load(&service->shared->accepted);
}

unsigned
service_open(const struct service *service)
{
	return atomic_load(&service->shared->open);
}

const struct service_record *
service_record(const struct service *service, unsigned n)
{
	return &service->shared->records[n % SERVICE_RECORDS];
}

void
service_emit(struct service *service)
{
	uint64_t one = 1;

	atomic_fetch_add(&service->shared->emitted, 1);
	require(write(service->wake, &one, sizeof(one)) == sizeof(one), "eventfd");
}

char
service_pattern(uint64_t offset)
{
	return (char)('a' + (offset * 7 + offset / 251) % 26);
}

uint64_t
service_hash(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t
service_pattern_hash(uint64_t bytes)
{
	uint64_t hash = SERVICE_HASH_INIT;

	for (uint64_t i = 0; i < bytes; i++) {
		char c = service_pattern(i);

		hash = service_hash(hash, &c, 1);
	}
	return hash;
}
