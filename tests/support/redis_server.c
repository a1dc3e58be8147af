/* Starting, stopping and asking real Redis servers. */
#include "support/redis_server.h"

#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
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

#include "support/free_port.h"

enum { PATIENCE_MS = 120000, REPLY_BYTES = 64 * 1024, FOLDER_BYTES = 64, STEP_MS = 5, LOG_TAIL_BYTES = 2000 };

struct redis_server {
	struct redis_server_options options;
	char folder[FOLDER_BYTES], conf[FOLDER_BYTES + 16], path[FOLDER_BYTES + 16];
	int port, bus_port;
	pid_t pid; /* 0: not running */
	struct redis_server *next;
};

static struct redis_server *all; /* not yet stopped */
static jmp_buf *trying;          /* of redis_server_try() */

/* ---- when it goes wrong */

static void
add_log_tail(FILE *out, const struct redis_server *server)
{
	char path[FOLDER_BYTES + 16], tail[LOG_TAIL_BYTES];
	size_t len;
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", server->folder);
	log = fopen(path, "r");
	if (log == NULL)
		return;
	if (fseek(log, -(long)sizeof(tail), SEEK_END) != 0)
		rewind(log);
	len = fread(tail, 1, sizeof(tail), log);
	fclose(log);
	fprintf(out, "\n--- the log of the one at %d ends:\n%.*s", server->port, (int)len, tail);
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

/* Nothing stays behind, neither processes nor folders. Who still has a server finds it dead. */
static void
remove_all(void)
{
	for (struct redis_server *server = all; server != NULL; server = server->next) {
		redis_server_kill(server);
		nftw(server->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
}

/* server: whose log comes first; NULL: nobody's. */
static _Noreturn void __attribute__((format(printf, 2, 3)))
fail(const struct redis_server *server, const char *format, ...)
{
	char *message = NULL;
	size_t len;
	FILE *out = open_memstream(&message, &len);
	va_list args;

	if (out == NULL)
		abort();
	fprintf(out, "redis-server at %d: ", server == NULL ? 0 : server->port);
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	if (server != NULL)
		add_log_tail(out, server);
	for (const struct redis_server *other = all; other != NULL; other = other->next)
		if (other != server)
			add_log_tail(out, other);
	if (fclose(out) != 0)
		abort();
	remove_all();
	if (trying == NULL && CU_get_current_test() != NULL)
		CU_assertImplementation(CU_FALSE, __LINE__, message, __FILE__, "", CU_TRUE);
	fprintf(stderr, "%s\n", message);
	if (trying == NULL)
		abort();
	free(message);
	longjmp(*trying, 1);
}

static void
require(bool held, const struct redis_server *server, const char *what)
{
	if (!held)
		fail(server, "%s: %s", what, strerror(errno));
}

bool
redis_server_try(void (*act)(void))
{
	jmp_buf here;

	if (setjmp(here) != 0) {
		trying = NULL;
		return false;
	}
	trying = &here;
	act();
	trying = NULL;
	return true;
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

	require(fd >= 0, server, "socket");
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
	require(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), server, "send");
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
	if (reply == NULL)
		fail(server, "no answer to %s", command);
	return reply;
}

static bool
is_running(const struct redis_server *server)
{
	siginfo_t info = {.si_pid = 0};

	return server->pid != 0 &&
	    waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void
redis_server_until(struct redis_server *server, const char *command, const char *text)
{
	long until = now_ms() + PATIENCE_MS;

	for (;;) {
		const char *reply = ask(server, command);

		if (reply != NULL && strstr(reply, text) != NULL)
			return;
		if (now_ms() >= until || !is_running(server))
			fail(server, "%s says: %s\nand never: %s", command, reply == NULL ? "nothing" : reply, text);
		poll(NULL, 0, STEP_MS);
	}
}

static bool
log_has(const struct redis_server *server, const char *text)
{
	char path[FOLDER_BYTES + 16], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", server->folder);
	log = fopen(path, "r");
	while (log != NULL && !found && getline(&line, &size, log) > 0)
		found = strstr(line, text) != NULL;
	if (log != NULL)
		fclose(log);
	free(line);
	return found;
}

int
redis_server_occupy(struct redis_server *server, const char *command)
{
	static unsigned times;
	int fd = connect_to(server), len;
	long until = now_ms() + PATIENCE_MS;
	char text[256], mark[32];

	/* Both in one piece: it says so in its log, and does it, before it hears anybody else. */
	snprintf(mark, sizeof(mark), "occupied %u times", ++times);
	len = snprintf(text, sizeof(text), "EVAL \"redis.log(redis.LOG_WARNING, '%s')\" 0\r\n%s\r\n", mark, command);
	require(fd >= 0, server, "connect");
	require(send(fd, text, (size_t)len, MSG_NOSIGNAL) == len, server, "send");
	while (!log_has(server, mark)) {
		if (now_ms() >= until || !is_running(server))
			fail(server, "it never came to %s", command);
		poll(NULL, 0, STEP_MS);
	}
	return fd;
}

/* ---- starting and stopping */

static int
free_port(void)
{
	int fd, port = bind_free_port(&fd);

	close(fd);
	return port;
}

static void
write_conf(const struct redis_server *server)
{
	const struct redis_server_options *options = &server->options;
	FILE *file = fopen(server->conf, "w");

	require(file != NULL, server, server->conf);
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
	require(fclose(file) == 0, server, server->conf);
}

void
redis_server_begin(struct redis_server *server)
{
	pid_t parent = getpid();
	int fd;

	fflush(NULL);
	server->pid = fork();
	require(server->pid >= 0, NULL, "fork");
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
		if (!is_running(server))
			fail(server, "it did not start (is it installed?)");
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

	require(server != NULL, NULL, "calloc");
	if (options != NULL)
		server->options = *options;
	snprintf(server->folder, sizeof(server->folder), "/tmp/fg-redis-XXXXXX");
	require(mkdtemp(server->folder) != NULL, NULL, "mkdtemp");
	server->next = all;
	all = server;
	snprintf(server->conf, sizeof(server->conf), "%s/conf", server->folder);
	snprintf(server->path, sizeof(server->path), "%s/socket", server->folder);
	server->port = free_port();
	server->bus_port = free_port();
	write_conf(server);
	redis_server_again(server);
	return server;
}

void
redis_server_stop(struct redis_server *server)
{
	struct redis_server **at = &all;

	if (server == NULL)
		return;
	redis_server_kill(server);
	nftw(server->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	while (*at != server)
		at = &(*at)->next;
	*at = server->next;
	free(server);
}

void
redis_server_pause(struct redis_server *server)
{
	siginfo_t info;

	if (!is_running(server))
		fail(server, "it does not run");
	require(kill(server->pid, SIGSTOP) == 0 && waitid(P_PID, (id_t)server->pid, &info, WSTOPPED) == 0, server, "SIGSTOP");
}

void
redis_server_resume(struct redis_server *server)
{
	if (!is_running(server))
		fail(server, "it does not run");
	require(kill(server->pid, SIGCONT) == 0, server, "SIGCONT");
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
