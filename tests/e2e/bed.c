/*
 * Folder, processes and waiting. What runs in them: bed_pool.c (the gateway), bed_front.c (web servers).
 */
#include "e2e/bed.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/free_port.h"
#include "support/run_suites.h"

void
bed_give_up(const char *fmt, ...)
{
	va_list args;

	bed_scene_failed();
	run_suites_tell_failures();
	if (CU_get_current_suite() != NULL)
		fprintf(stderr, "failed: %s: %s: given up\n", CU_get_current_suite()->pName,
		    CU_get_current_test() == NULL ? "-" : CU_get_current_test()->pName);
	va_start(args, fmt);
	fputs("e2e: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

#ifdef __SANITIZE_ADDRESS__
static int patience = 120;
#else
static int patience = 60;
#endif

int
bed_patience(void)
{
	return patience;
}

void
bed_set_patience(int seconds)
{
	patience = seconds;
}

int64_t
bed_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *
bed_noon_zone(void)
{
	static char name[16];

	snprintf(name, sizeof(name), "Etc/GMT%+d", (int)(time(NULL) / 3600 % 24) - 12);
	return name;
}

bool
bed_wait(bool (*check)(void *arg), void *arg)
{
	int64_t deadline = bed_now_ms() + bed_patience() * 1000;
	int pause_ms = 1;

	while (!check(arg)) {
		if (bed_now_ms() > deadline)
			return false;
		poll(NULL, 0, pause_ms);
		if (pause_ms < 16)
			pause_ms *= 2;
	}
	return true;
}

/* ---- the folder */

void
bed_open(struct bed *bed)
{
	const char *tmp = getenv("TMPDIR");

	memset(bed, 0, sizeof(*bed));
	bed->notify_fd = -1;
	snprintf(bed->dir, sizeof(bed->dir), "%s/fg-e2e-XXXXXX", tmp == NULL || strlen(tmp) > 40 ? "/tmp" : tmp);
	/* Web servers and what they start may run as other users, and write here, too. */
	if (mkdtemp(bed->dir) == NULL || chmod(bed->dir, 0777) != 0)
		bed_give_up("%s: %s", bed->dir, strerror(errno));
	snprintf(bed->config, sizeof(bed->config), "%s/faregate.yaml", bed->dir);
	snprintf(bed->socket, sizeof(bed->socket), "%s/fg.sock", bed->dir);
	snprintf(bed->access_log, sizeof(bed->access_log), "%s/access.log", bed->dir);
	bed->tcp_port = bed_free_port();
	bed_tell_of(bed, true);
}

void
bed_write(const struct bed *bed, const char *name, const char *fmt, ...)
{
	char path[BED_PATH_BYTES];
	va_list args;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", bed->dir, name);
	file = fopen(path, "w");
	if (file == NULL)
		bed_give_up("%s: %s", path, strerror(errno));
	va_start(args, fmt);
	vfprintf(file, fmt, args);
	va_end(args);
	fclose(file);
}

char *
bed_read(const struct bed *bed, const char *path)
{
	char full[BED_PATH_BYTES * 2];
	size_t len = 0, cap = 64 * 1024;
	char *text = malloc(cap);
	ssize_t got;
	int fd;

	snprintf(full, sizeof(full), "%s%s%s", path[0] == '/' ? "" : bed->dir, path[0] == '/' ? "" : "/", path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (got = read(fd, text + len, cap - len - 1)) > 0) {
		len += (size_t)got;
		if (cap - len < 4096)
			text = realloc(text, cap *= 2);
	}
	if (fd >= 0)
		close(fd);
	text[len] = '\0';
	return text;
}

int
bed_free_port(void)
{
	int fd, port = bind_free_port(&fd);

	close(fd);
	return port;
}

int
bed_dead_port(void)
{
	int fd;

	/* Bound and not listening, until this process ends: connections are refused, and nobody else gets it. */
	return bind_free_port(&fd);
}

/* ---- processes */

const char *
bed_program(void)
{
	const char *given = getenv("FG_E2E_PROGRAM");

	return given != NULL ? given : FG_TEST_BUILDDIR "/fcgi-app/faregate";
}

/* What sanitizers find goes to files that bed_close() looks for, wherever standard error goes to. */
static void
set_child_environment(const struct bed *bed)
{
	char text[BED_PATH_BYTES * 2];

	snprintf(text, sizeof(text), "log_path=%s/sanitizer:abort_on_error=0", bed->dir);
	setenv("ASAN_OPTIONS", text, 1);
	snprintf(text, sizeof(text), "log_path=%s/sanitizer:print_stacktrace=1", bed->dir);
	setenv("UBSAN_OPTIONS", text, 1);
	setenv("FAREGATE_CONFIG", bed->config, 1);
}

static void
become(const struct bed *bed, int in_fd, int out_fd, const char *const *argv)
{
	int null = open("/dev/null", O_RDONLY);

	/* Nothing outlives the tests, however they end. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	dup2(in_fd < 0 ? null : in_fd, 0);
	dup2(out_fd, 1);
	dup2(out_fd, 2);
	close(null);
	close(out_fd);
	if (chdir(bed->dir) != 0)
		_exit(126);
	set_child_environment(bed);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

struct process *
bed_start_at(struct bed *bed, const char *name, const char *const *argv, int in_fd)
{
	struct process *process = NULL;
	char path[BED_PATH_BYTES];
	int fd;

	for (size_t i = 0; i < bed->process_count && process == NULL; i++)
		if (bed->processes[i].pid == 0)
			process = &bed->processes[i];
	if (process == NULL && bed->process_count == BED_MAX_PROCESSES)
		bed_give_up("too many processes in one bed");
	if (process == NULL)
		process = &bed->processes[bed->process_count++];
	*process = (struct process){.stop_signal = SIGTERM};
	snprintf(process->name, sizeof(process->name), "%s", name);
	snprintf(path, sizeof(path), "%s/%s.log", bed->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		bed_give_up("%s: %s", path, strerror(errno));
	process->pid = fork();
	if (process->pid < 0)
		bed_give_up("fork: %s", strerror(errno));
	if (process->pid == 0)
		become(bed, in_fd, fd, argv);
	close(fd);
	return process;
}

struct process *
bed_start(struct bed *bed, const char *name, const char *const *argv)
{
	return bed_start_at(bed, name, argv, -1);
}

struct ended {
	pid_t pid;
	int status;
};

static bool
has_ended(void *arg)
{
	struct ended *ended = arg;

	return waitpid(ended->pid, &ended->status, WNOHANG) == ended->pid;
}

bool
bed_wait_end(pid_t pid, int *status)
{
	struct ended ended = {.pid = pid};
	bool over = bed_wait(has_ended, &ended);

	*status = ended.status;
	return over;
}

bool
bed_stop(struct bed *bed, struct process *process)
{
	bool good = true;
	int status;

	if (process->pid == 0)
		return true;
	kill(process->pid, process->stop_signal);
	if (!bed_wait_end(process->pid, &status)) {
		fprintf(stderr, "e2e: %s (%s/%s.log) does not stop\n", process->name, bed->dir, process->name);
		kill(process->pid, SIGKILL);
		waitpid(process->pid, &status, 0);
		good = false;
	} else if ((WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status)) != process->exit_status) {
		fprintf(stderr, "e2e: %s (%s/%s.log) ended with %s %d\n", process->name, bed->dir, process->name,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		good = false;
	}
	if (bed->pool == process->pid)
		bed->pool = 0;
	process->pid = 0;
	return good;
}

int
bed_run(const struct bed *bed, char **out, const char *const *argv)
{
	size_t len = 0, cap = 64 * 1024;
	char *text = malloc(cap);
	int pipe_fd[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		bed_give_up("pipe, fork: %s", strerror(errno));
	if (pid == 0)
		become(bed, -1, pipe_fd[1], argv);
	close(pipe_fd[1]);
	while ((got = read(pipe_fd[0], text + len, cap - len - 1)) > 0) {
		len += (size_t)got;
		if (cap - len < 4096)
			text = realloc(text, cap *= 2);
	}
	close(pipe_fd[0]);
	text[len] = '\0';
	*out = text;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- what they leave behind */

/* A process of ours works in the bed's folder, whatever became of its parent. */
static bool
find_leftover(const struct bed *bed, pid_t *pid)
{
	char path[64], cwd[BED_PATH_BYTES];
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	ssize_t len;

	*pid = 0;
	while (*pid == 0 && proc != NULL && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/cwd", entry->d_name);
		len = readlink(path, cwd, sizeof(cwd) - 1);
		if (len > 0 && (size_t)len >= strlen(bed->dir) && memcmp(cwd, bed->dir, strlen(bed->dir)) == 0)
			*pid = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (proc != NULL)
		closedir(proc);
	return *pid != 0;
}

struct leftover {
	const struct bed *bed;
	pid_t pid;
};

static bool
has_no_leftover(void *arg)
{
	struct leftover *leftover = arg;

	return !find_leftover(leftover->bed, &leftover->pid);
}

static bool
file_is_clean(const struct bed *bed, const char *name)
{
	static const char *const bad[] = {
	    "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "assertion failed", "definitely lost: [^0]"};
	char *text = bed_read(bed, name);
	bool clean = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]) && clean; i++)
		if (strstr(text, bad[i]) != NULL) {
			fprintf(stderr, "e2e: %s/%s has \"%s\":\n%.4000s\n", bed->dir, name, bad[i], strstr(text, bad[i]));
			clean = false;
		}
	free(text);
	return clean;
}

static bool
files_are_clean(const struct bed *bed)
{
	DIR *dir = opendir(bed->dir);
	struct dirent *entry;
	bool clean = true;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, ".log") != NULL || strncmp(entry->d_name, "sanitizer", 9) == 0)
			clean = file_is_clean(bed, entry->d_name) && clean;
	if (dir != NULL)
		closedir(dir);
	return clean;
}

static void
remove_folder(const char *dir)
{
	const char *argv[] = {"rm", "-rf", dir, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

bool
bed_close(struct bed *bed)
{
	struct leftover leftover = {bed, 0};
	bool good = true;

	while (bed->process_count > 0)
		good = bed_stop(bed, &bed->processes[--bed->process_count]) && good;
	if (!bed_wait(has_no_leftover, &leftover)) {
		fprintf(stderr, "e2e: process %d of %s is still there\n", (int)leftover.pid, bed->dir);
		kill(leftover.pid, SIGKILL);
		good = false;
	}
	good = files_are_clean(bed) && good;
	if (bed->notify_fd >= 0)
		close(bed->notify_fd);
	bed_tell_of(bed, false);
	if (good && !bed->has_failed && getenv("FG_E2E_KEEP") == NULL)
		remove_folder(bed->dir);
	else
		fprintf(stderr, "e2e: logs are in %s\n", bed->dir);
	return good;
}
