/*
 * The gateway in a bed: its configuration, its pool, its log and its counters.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "e2e/bed.h"
#include "e2e/http.h"

/* A service of its own line in `services:`: where its text ends. */
static const char *
end_of_service(const char *line)
{
	const char *end = line;

	do {
		end = strchr(end, '\n');
		end = end == NULL ? "" : end + 1;
	} while (strncmp(end, "   ", 3) == 0);
	return end;
}

static void
add_patient_service(FILE *out, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *value = colon + 1;

	if (colon == NULL || memmem(line, len, "connect-timeout", strlen("connect-timeout")) != NULL) {
		fprintf(out, "%.*s", (int)len, line);
		return;
	}
	value += *value == ' ';
	fprintf(out, "%.*s", (int)(value - line), line);
	len -= (size_t)(value - line);
	if (*value == '{')
		fprintf(out, "{connect-timeout: 60s, %.*s", (int)len - 1, value + 1);
	else if (*value == '\n')
		fprintf(out, "\n    connect-timeout: 60s%.*s", (int)len, value);
	else
		fprintf(out, "{connect-timeout: 60s, targets: %.*s}\n", (int)len - 1, value);
}

/*
 * Each service that says nothing else has a minute for its connection, not a second: a machine that runs tests stands still for
 * longer than that now and then, between two steps of a worker or of a service.
 */
static char *
with_patience(const char *body)
{
	const char *at = strncmp(body, "services:\n", 10) == 0 ? body : strstr(body, "\nservices:\n");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		bed_give_up("no memory");
	at = at == NULL ? body + strlen(body) : strchr(at + 1, ':') + 2;
	fprintf(out, "%.*s", (int)(at - body), body);
	while (strncmp(at, "  ", 2) == 0) {
		const char *end = end_of_service(at);

		end = *end == '\0' ? at + strlen(at) : end;
		add_patient_service(out, at, (size_t)(end - at));
		at = end;
	}
	fprintf(out, "%s", at);
	if (fclose(out) != 0)
		bed_give_up("no memory");
	return text;
}

void
bed_write_config(struct bed *bed, const char *fmt, ...)
{
	char *written, *body;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&written, fmt, args) < 0)
		bed_give_up("no memory");
	va_end(args);
	body = with_patience(written);
	free(written);
	bed_write(bed, "faregate.yaml",
	    "version: 1\n"
	    "listen:\n"
	    "  - {address: \"unix:%s\", mode: 0666}\n"
	    "  - tcp:127.0.0.1:%d\n"
	    "workers: 2\n"
	    "pid-file: %s/faregate.pid\n"
	    "log: {access: {path: %s, format: json}, level: info}\n"
	    "admin: {path: /_faregate, allow: [127.0.0.1]}\n"
	    "trusted-proxies: [127.0.0.1]\n"
	    "%s",
	    bed->socket, bed->tcp_port, bed->dir, bed->access_log, body);
	free(body);
}

static void
open_notify_socket(struct bed *bed)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/notify", bed->dir);
	unlink(addr.sun_path);
	bed->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bed->notify_fd < 0 || bind(bed->notify_fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		bed_give_up("%s: %s", addr.sun_path, strerror(errno));
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
}

bool
bed_next_notify(struct bed *bed, char *text, size_t size)
{
	struct pollfd ready = {bed->notify_fd, POLLIN, 0};
	ssize_t len = poll(&ready, 1, bed_patience() * 1000) == 1 ? recv(bed->notify_fd, text, size - 1, 0) : -1;

	text[len < 0 ? 0 : len] = '\0';
	return len >= 0;
}

bool
bed_wait_notify(struct bed *bed, const char *what)
{
	int64_t deadline = bed_now_ms() + bed_patience() * 1000;
	char text[1024];

	while (bed_now_ms() < deadline && bed_next_notify(bed, text, sizeof(text)))
		if (strstr(text, what) != NULL)
			return true;
	return false;
}

void
bed_drain_notify(struct bed *bed)
{
	char text[1024];

	while (recv(bed->notify_fd, text, sizeof(text), MSG_DONTWAIT) >= 0)
		continue;
}

void
bed_start_pool(struct bed *bed, const char *const *wrap)
{
	const char *argv[24];
	size_t n = 0;

	if (bed->notify_fd >= 0)
		close(bed->notify_fd);
	open_notify_socket(bed);
	while (wrap != NULL && wrap[n] != NULL && n < 16) {
		argv[n] = wrap[n];
		n++;
	}
	argv[n++] = bed_program();
	argv[n++] = "run";
	argv[n++] = "-c";
	argv[n++] = bed->config;
	argv[n] = NULL;
	bed->pool = bed_start(bed, "pool", argv)->pid;
	unsetenv("NOTIFY_SOCKET");
	if (!bed_wait_notify(bed, "READY=1"))
		bed_give_up("the pool is not ready:\n%s", bed_read(bed, "pool.log"));
}

int
bed_wait_pool_end(struct bed *bed)
{
	int status;

	if (bed->pool == 0)
		bed_give_up("the bed has no pool");
	if (!bed_wait_end(bed->pool, &status))
		return -1;
	for (size_t i = 0; i < bed->process_count; i++)
		if (bed->processes[i].pid == bed->pool)
			bed->processes[i].pid = 0;
	bed->pool = 0;
	return status;
}

size_t
bed_workers(const struct bed *bed, pid_t *pids, size_t max)
{
	char path[64], text[4096];
	size_t count = 0;
	char *at = text, *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)bed->pool, (int)bed->pool);
	file = fopen(path, "r");
	text[file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file)] = '\0';
	if (file != NULL)
		fclose(file);
	while (count < max) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		pids[count++] = (pid_t)pid;
		at = end;
	}
	return count;
}

long
bed_proc_kb(pid_t pid, const char *field)
{
	char path[64], line[256];
	long kb = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
			kb = strtol(line + strlen(field) + 1, NULL, 10);
	if (file != NULL)
		fclose(file);
	return kb;
}

/* ---- what it says */

struct said {
	const struct bed *bed;
	const char *text;
	unsigned times, wanted;
};

static bool
is_said(void *arg)
{
	struct said *said = arg;
	char *log = bed_read(said->bed, "pool.log");

	said->times = 0;
	for (const char *at = log; (at = strstr(at, said->text)) != NULL; at++)
		said->times++;
	free(log);
	return said->times >= said->wanted;
}

bool
bed_pool_says(const struct bed *bed, const char *text, unsigned times)
{
	struct said said = {bed, text, 0, times};

	(void)bed_wait(is_said, &said);
	if (said.times != times)
		fprintf(stderr, "e2e: the pool says %u times, not %u: %s\n", said.times, times, text);
	return said.times == times;
}

struct log_search {
	const struct bed *bed;
	const char *id;
	char *line;
};

static bool
find_log_line(void *arg)
{
	struct log_search *search = arg;
	char *text = bed_read(search->bed, search->bed->access_log), *at = strstr(text, search->id);
	char *begin = at, *end = at == NULL ? NULL : strchr(at, '\n');

	if (end != NULL) {
		while (begin > text && begin[-1] != '\n')
			begin--;
		search->line = strndup(begin, (size_t)(end - begin));
	}
	free(text);
	return search->line != NULL;
}

char *
bed_log_line(const struct bed *bed, const char *request_id)
{
	struct log_search search = {bed, request_id, NULL};

	if (!bed_wait(find_log_line, &search))
		fprintf(stderr, "e2e: no line of request %s in %s\n", request_id, bed->access_log);
	return search.line;
}

bool
bed_log_says(const struct bed *bed, const char *request_id, const char *key, const char *value)
{
	char *line = bed_log_line(bed, request_id), quoted[256], bare[256];
	bool says;

	snprintf(quoted, sizeof(quoted), "\"%s\":\"%s\"", key, value);
	snprintf(bare, sizeof(bare), "\"%s\":%s", key, value);
	says = line != NULL && (strstr(line, quoted) != NULL || strstr(line, bare) != NULL);
	if (line != NULL && !says)
		fprintf(stderr, "e2e: the log does not say %s %s: %s\n", key, value, line);
	free(line);
	return says;
}

double
bed_metric(const struct front *front, const char *series)
{
	const struct http_reply *reply = get(front, "/_faregate/metrics");
	const char *at = reply->body;
	size_t len = strlen(series);

	while (at != NULL && *at != '\0') {
		if (strncmp(at, series, len) == 0 && at[len] == ' ')
			return strtod(at + len + 1, NULL);
		at = strchr(at, '\n');
		at = at == NULL ? NULL : at + 1;
	}
	return 0;
}

struct running {
	const struct front *front;
	unsigned workers;
};

static bool
so_many_run(void *arg)
{
	const struct running *running = arg;

	return bed_metric(running->front, "faregate_workers{state=\"running\"}") == running->workers;
}

bool
bed_wait_running(const struct front *front, unsigned workers)
{
	struct running running = {front, workers};

	return bed_wait(so_many_run, &running);
}

long
bed_largest_worker_kb(const struct bed *bed)
{
	pid_t pids[16];
	size_t count = bed_workers(bed, pids, 16);
	long largest = 0;

	for (size_t i = 0; i < count; i++) {
		long kb = bed_proc_kb(pids[i], "VmHWM");

		largest = kb > largest ? kb : largest;
	}
	return largest;
}
