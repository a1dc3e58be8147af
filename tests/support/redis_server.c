/* Starting, stopping and asking real Redis servers. */
#include "support/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, REPLY_BYTES = 64 * 1024, FOLDER_BYTES = 64, STEP_MS = 5 };

struct redis_server {
	struct redis_server_options options;
	char folder[FOLDER_BYTES], conf[FOLDER_BYTES + 16], path[FOLDER_BYTES + 16];
	int port, bus_port;
	pid_t pid; /* 0: not running */
};

static void
require(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "redis-server: %s: %s\n", what, strerror(errno));
	abort();
}

static long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- asking */

/* Has no plain TCP port. */
static bool
is_asked_by_path(const struct redis_server *server)
{
	return server->options.unix_socket_only || server->options.tls_folder != NULL;
}

/* -1 when nobody listens. */
static int
connect_to(const struct redis_server *server)
{
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	bool is_unix = is_asked_by_path(server);
	int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	require(fd >= 0, "socket");
	tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(path.sun_path, sizeof(path.sun_path), "%s", server->path);
	if (connect(fd, is_unix ? (struct sockaddr *)&path : (struct sockaddr *)&tcp,
	        is_unix ? (socklen_t)sizeof(path) : (socklen_t)sizeof(tcp)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Where the marker begins that was asked for behind the command, or the error that a busy server gives instead; 0: not yet. */
static size_t
end_of_reply(const char *reply, size_t len, const char *marker)
{
	size_t last = len > 2 ? len - 2 : 0;

	if (len >= strlen(marker) && strcmp(reply + len - strlen(marker), marker) == 0)
		return len - strlen(marker);
	while (last > 0 && reply[last - 1] != '\n')
		last--;
	return strncmp(reply + last, "-BUSY", 5) == 0 || strncmp(reply + last, "-LOADING", 8) == 0 ? last : 0;
}

/* NULL when there is no whole answer. */
static const char *
ask(const struct redis_server *server, const char *command)
{
	static char reply[REPLY_BYTES];
	char text[4096];
	size_t len = 0, begin = 0, size;
	int fd = connect_to(server);

	if (fd < 0)
		return NULL;
	snprintf(text, sizeof(text), "%s%s%s%s\r\n%s\r\n", server->options.password != NULL ? "AUTH " : "",
	    server->options.password != NULL ? server->options.password : "", server->options.password != NULL ? "\r\n" : "",
	    command, server->options.sentinel ? "PING" : "ECHO THE-LAST");
	if (server->options.password != NULL)
		begin = 5; /* "+OK\r\n" */
	require(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "send");
	for (reply[0] = '\0'; len < sizeof(reply) - 1;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got = poll(&wait, 1, PATIENCE_MS) == 1 ? read(fd, reply + len, sizeof(reply) - 1 - len) : 0;

		if (got <= 0)
			break;
		len += (size_t)got;
		reply[len] = '\0';
		size = end_of_reply(reply, len, server->options.sentinel ? "+PONG\r\n" : "$8\r\nTHE-LAST\r\n");
		if (size > 0) {
			reply[size] = '\0';
			close(fd);
			return reply + begin;
		}
	}
	close(fd);
	return NULL;
}

const char *
redis_server_do(struct redis_server *server, const char *format, ...)
{
	char command[2048];
	const char *reply;
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	reply = ask(server, command);
	require(reply != NULL, command);
	return reply;
}

void
redis_server_until(struct redis_server *server, const char *command, const char *text)
{
	long until = now_ms() + PATIENCE_MS;

	for (;;) {
		const char *reply = ask(server, command);

		if (reply != NULL && strstr(reply, text) != NULL)
			return;
		require(now_ms() < until, command);
		poll(NULL, 0, STEP_MS);
	}
}

int
redis_server_send(struct redis_server *server, const char *command)
{
	int fd = connect_to(server);

	require(fd >= 0, "connect");
	require(send(fd, command, strlen(command), MSG_NOSIGNAL) == (ssize_t)strlen(command), "send");
	require(send(fd, "\r\n", 2, MSG_NOSIGNAL) == 2, "send");
	return fd;
}

/* ---- starting and stopping */

/* Below those that the system gives out by itself, which somebody else may have by the time the server starts. */
static int
free_port(void)
{
	static unsigned tried;

	for (;;) {
		struct sockaddr_in address = {.sin_family = AF_INET};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port;
		bool is_free;

		port = (int)(10000 + ((unsigned)getpid() * 41 + tried++) % 20000);
		require(fd >= 0 && tried < 20000, "a free port");
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address.sin_port = htons((uint16_t)port);
		is_free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
		close(fd);
		if (is_free)
			return port;
	}
}

static void
write_conf(const struct redis_server *server)
{
	const struct redis_server_options *options = &server->options;
	FILE *file = fopen(server->conf, "w");

	require(file != NULL, server->conf);
	fprintf(file, "bind 127.0.0.1\nport %d\ndir %s\nlogfile %s/log\n", is_asked_by_path(server) ? 0 : server->port,
	    server->folder, server->folder);
	if (!options->sentinel)
		fprintf(file, "unixsocket %s\nsave \"\"\nappendonly no\ndatabases 16\nrepl-diskless-sync-delay 0\n", server->path);
	if (options->tls_folder != NULL)
		fprintf(file, "tls-port %d\ntls-auth-clients no\ntls-cert-file %s/redis-cert.pem\ntls-key-file %s/redis-key.pem\n",
		    server->port, options->tls_folder, options->tls_folder);
	if (options->tls_folder != NULL)
		fprintf(file, "tls-ca-cert-file %s/redis-ca.pem\n", options->tls_folder);
	if (options->cluster)
		fprintf(file, "cluster-enabled yes\ncluster-config-file nodes\ncluster-node-timeout 2000\ncluster-port %d\n",
		    server->bus_port);
	if (options->password != NULL)
		fprintf(file, "requirepass %s\n", options->password);
	if (options->config != NULL)
		fputs(options->config, file);
	require(fclose(file) == 0, server->conf);
}

void
redis_server_begin(struct redis_server *server)
{
	pid_t parent = getpid();
	int fd;

	fflush(NULL);
	server->pid = fork();
	require(server->pid >= 0, "fork");
	if (server->pid == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || null < 0)
			_exit(1);
		dup2(null, 0);
		dup2(null, 1);
		execlp("redis-server", "redis-server", server->conf, server->options.sentinel ? "--sentinel" : NULL, (char *)NULL);
		_exit(127);
	}
	while ((fd = connect_to(server)) < 0) {
		require(waitpid(server->pid, NULL, WNOHANG) == 0, "it did not start (is it installed?)");
		poll(NULL, 0, STEP_MS);
	}
	close(fd);
}

void
redis_server_again(struct redis_server *server)
{
	redis_server_begin(server);
	redis_server_until(server, "PING", "PONG");
}

struct redis_server *
redis_server_start(const struct redis_server_options *options)
{
	struct redis_server *server = calloc(1, sizeof(*server));

	require(server != NULL, "calloc");
	if (options != NULL)
		server->options = *options;
	snprintf(server->folder, sizeof(server->folder), "/tmp/fg-redis-XXXXXX");
	require(mkdtemp(server->folder) != NULL, "mkdtemp");
	snprintf(server->conf, sizeof(server->conf), "%s/conf", server->folder);
	snprintf(server->path, sizeof(server->path), "%s/socket", server->folder);
	server->port = free_port();
	server->bus_port = free_port();
	write_conf(server);
	redis_server_again(server);
	return server;
}

void
redis_server_kill(struct redis_server *server)
{
	if (server->pid == 0)
		return;
	kill(server->pid, SIGKILL);
	while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	server->pid = 0;
	unlink(server->path);
}

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

void
redis_server_stop(struct redis_server *server)
{
	if (server == NULL)
		return;
	redis_server_kill(server);
	nftw(server->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(server);
}

void
redis_server_pause(struct redis_server *server)
{
	int status;

	require(kill(server->pid, SIGSTOP) == 0 && waitpid(server->pid, &status, WUNTRACED) == server->pid, "SIGSTOP");
}

void
redis_server_resume(struct redis_server *server)
{
	require(kill(server->pid, SIGCONT) == 0, "SIGCONT");
}

int
redis_server_port(const struct redis_server *server)
{
	return server->port;
}

const char *
redis_server_socket(const struct redis_server *server)
{
	return server->path;
}

const char *
redis_server_folder(const struct redis_server *server)
{
	return server->folder;
}

/* ---- several that belong together */

void
redis_cluster_start(struct redis_server *nodes[REDIS_CLUSTER_NODES])
{
	static const char *const ranges[REDIS_CLUSTER_NODES] = {"0 5460", "5461 10922", "10923 16383"};

	for (int i = 0; i < REDIS_CLUSTER_NODES; i++) {
		nodes[i] = redis_server_start(&(struct redis_server_options){.cluster = true});
		redis_server_do(nodes[i], "CLUSTER ADDSLOTSRANGE %s", ranges[i]);
		redis_server_do(nodes[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
	}
	for (int i = 1; i < REDIS_CLUSTER_NODES; i++)
		redis_server_do(nodes[0], "CLUSTER MEET 127.0.0.1 %d %d", nodes[i]->port, nodes[i]->bus_port);
	for (int i = 0; i < REDIS_CLUSTER_NODES; i++) {
		redis_server_until(nodes[i], "CLUSTER INFO", "cluster_state:ok");
		redis_server_until(nodes[i], "CLUSTER INFO", "cluster_size:3");
	}
}

void
redis_ha_start(struct redis_ha *ha)
{
	char config[512];

	ha->servers[0] = redis_server_start(NULL);
	snprintf(config, sizeof(config), "replicaof 127.0.0.1 %d\n", ha->servers[0]->port);
	ha->servers[1] = redis_server_start(&(struct redis_server_options){.config = config});
	redis_server_until(ha->servers[1], "INFO replication", "master_link_status:up");
	snprintf(config, sizeof(config),
	    "sentinel monitor mymaster 127.0.0.1 %d 2\nsentinel down-after-milliseconds mymaster 300\n"
	    "sentinel failover-timeout mymaster 2000\n", ha->servers[0]->port);
	for (int i = 0; i < REDIS_SENTINELS; i++) {
		ha->sentinels[i] = redis_server_start(&(struct redis_server_options){.config = config, .sentinel = true});
		/* They look ten times as often as they would, so that the tests need not wait for them. */
		redis_server_do(ha->sentinels[i], "SENTINEL DEBUG INFO-PERIOD 200 ASK-PERIOD 50 PUBLISH-PERIOD 500 "
		                                  "ELECTION-TIMEOUT 1000 MIN-LINK-RECONNECT-PERIOD 50 SLAVE-RECONF-TIMEOUT 1000");
	}
	for (int i = 0; i < REDIS_SENTINELS; i++)
		redis_server_until(ha->sentinels[i], "INFO sentinel", "status=ok,address=127.0.0.1:");
	for (int i = 0; i < REDIS_SENTINELS; i++)
		redis_server_until(ha->sentinels[i], "INFO sentinel", "slaves=1,sentinels=3");
}

void
redis_ha_stop(struct redis_ha *ha)
{
	for (int i = 0; i < REDIS_SENTINELS; i++)
		redis_server_stop(ha->sentinels[i]);
	redis_server_stop(ha->servers[1]);
	redis_server_stop(ha->servers[0]);
}
