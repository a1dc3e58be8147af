/*
 * A queue of log lines and the thread that writes them; the contract stands in log_sink.h. What the lines say is the
 * access log's and base/log's affair.
 *
 * The thread is woken by the first line after a pause; then it takes what is queued at most every LINGER_USEC. So a
 * busy worker pays some tens of wake-ups and writes a second, not one for each exchange, and a line on a quiet host is
 * written at once.
 */
#include <config.h> /* _GNU_SOURCE: pthread_timedjoin_np */

#include "stats/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "stats/stats.h"

enum {
	LINGER_USEC = 20000,
	STUCK_POLL_MS = 50,       /* between two looks at whether the sink is to end while its destination is stuck */
	FREE_WAIT_USEC = 2000000, /* how long the end waits for a stuck destination */
	NO_LINGER_BYTES = 256 * 1024,
};

struct fg_log_sink {
	pthread_mutex_t lock; /* guards what follows, up to stop */
	pthread_cond_t wake;  /* the thread waits on it */
	struct fg_buf queue;
	bool sleeping; /* the thread waits without an end: it has to be woken for a line */
	bool reopen;
	bool stop;

	pthread_t thread;
	bool started;
	struct fg_stats *stats; /* borrowed; NULL: dropped lines are not counted */
	char *path;             /* owned; NULL for stderr and syslog */
	bool is_syslog;
	bool is_regular;      /* a file of a disk: poll() says nothing about it */
	int fd;               /* the thread's once it runs */
	struct fg_buf taken;  /* the thread's: being written */
	fg_usec stop_by;      /* the thread's: when it gives up, once stop is set; 0: not told */
	bool torn;            /* the thread's: the last line that was written lacks its end */

	_Atomic int write_error, open_error; /* errno of the last write, of the last reopening; 0: it went well */
};

static fg_usec
now(void)
{
	struct fg_clock clock;

	fg_clock_read(&clock);
	return clock.mono;
}

static uint64_t
count_lines(struct fg_str text)
{
	uint64_t count = 0;

	for (const char *p = text.p, *end = text.p + text.len; p < end; count++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			return count + 1;
		p++;
	}
	return count;
}

static void
drop(struct fg_log_sink *sink, uint64_t lines)
{
	if (sink->stats != NULL && lines > 0)
		fg_stats_add(sink->stats, FG_COUNT_LOG_LINES_DROPPED, lines);
}

/* ---- the destination; the thread alone, once it runs */

/* False, the old descriptor kept, when the file cannot be opened. */
static bool
open_file(struct fg_log_sink *sink)
{
	/* Non-blocking for the opening alone: a named pipe without a reader would hold it up. */
	int fd = open(sink->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	struct stat st;

	if (fd < 0)
		return false;
	fcntl(fd, F_SETFL, O_APPEND);
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = fd;
	sink->is_regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return true;
}

/* How much of text goes into one write: pipes and terminals get whole lines that fit what poll() has promised. */
static size_t
piece_length(const struct fg_log_sink *sink, struct fg_str text)
{
	size_t length = text.len;

	if (sink->is_regular || length <= PIPE_BUF)
		return length;
	length = PIPE_BUF;
	while (length > 0 && text.p[length - 1] != '\n')
		length--;
	return length > 0 ? length : PIPE_BUF;
}

static bool
is_stopping(struct fg_log_sink *sink)
{
	bool stop;

	pthread_mutex_lock(&sink->lock);
	stop = sink->stop;
	pthread_mutex_unlock(&sink->lock);
	if (stop && sink->stop_by == 0)
		sink->stop_by = now() + FREE_WAIT_USEC;
	return stop;
}

/* Waits until the descriptor takes a piece; false when the sink ends before it does. */
static bool
wait_writable(struct fg_log_sink *sink)
{
	struct pollfd fd = {.fd = sink->fd, .events = POLLOUT};

	if (sink->is_regular)
		return true;
	while (poll(&fd, 1, STUCK_POLL_MS) == 0)
		if (is_stopping(sink) && now() >= sink->stop_by)
			return false;
	return true;
}

/* What could not be written. */
static struct fg_str
write_text(struct fg_log_sink *sink, struct fg_str text)
{
	while (text.len > 0) {
		ssize_t n;

		if (!wait_writable(sink))
			break;
		n = write(sink->fd, text.p, piece_length(sink, text));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		/* A full disk, a reader that is gone: later lines may fare better, these are lost. */
		atomic_store_explicit(&sink->write_error, n < 0 ? errno : 0, memory_order_relaxed);
		if (n < 0)
			break;
		if (n > 0)
			sink->torn = text.p[n - 1] != '\n';
		text = fg_str_slice(text, (size_t)n, text.len);
	}
	return text;
}

static void
write_lines(struct fg_log_sink *sink, struct fg_str text)
{
	/* The half of a line for which the disk had room must not spoil the next. */
	if (!sink->torn || write_text(sink, FG_STR("\n")).len == 0)
		text = write_text(sink, text);
	drop(sink, count_lines(text));
}

static void
reopen_file(struct fg_log_sink *sink)
{
	bool opened = open_file(sink);

	atomic_store_explicit(&sink->open_error, opened ? 0 : errno, memory_order_relaxed);
	sink->torn = sink->torn && !opened;
}

static void
write_syslog(struct fg_str text)
{
	struct fg_str line;

	while (fg_str_next(&text, '\n', &line))
		if (line.len > 0)
			syslog(LOG_DAEMON | LOG_INFO, FG_STR_FMT, FG_STR_ARG(line));
}

/* ---- the thread */

static void
wait_linger(struct fg_log_sink *sink)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LINGER_USEC * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!sink->stop && !sink->reopen && sink->queue.len < NO_LINGER_BYTES)
		if (pthread_cond_timedwait(&sink->wake, &sink->lock, &until) == ETIMEDOUT)
			return;
}

static void *
run(void *arg)
{
	struct fg_log_sink *sink = arg;

	pthread_mutex_lock(&sink->lock);
	for (;;) {
		struct fg_buf empty = sink->taken;
		bool reopen;

		while (sink->queue.len == 0 && !sink->stop && !sink->reopen) {
			sink->sleeping = true;
			pthread_cond_wait(&sink->wake, &sink->lock);
			sink->sleeping = false;
		}
		if (sink->queue.len == 0 && sink->stop)
			break;
		sink->taken = sink->queue;
		sink->queue = empty;
		reopen = sink->reopen;
		sink->reopen = false;
		pthread_mutex_unlock(&sink->lock);
		if (reopen && sink->path != NULL)
			reopen_file(sink);
		if (sink->is_syslog)
			write_syslog(fg_buf_str(&sink->taken));
		else
			write_lines(sink, fg_buf_str(&sink->taken));
		fg_buf_reset(&sink->taken);
		pthread_mutex_lock(&sink->lock);
		wait_linger(sink);
	}
	pthread_mutex_unlock(&sink->lock);
	return NULL;
}

static bool
start_thread(struct fg_log_sink *sink)
{
	sigset_t all, before;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	sink->started = pthread_create(&sink->thread, NULL, run, sink) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return sink->started;
}

/* ---- the loop's side */

enum fg_err
fg_log_sink_new(struct fg_log_sink **out, struct fg_str destination, struct fg_stats *stats)
{
	struct fg_log_sink *sink = calloc(1, sizeof(*sink));
	pthread_condattr_t attr;

	FG_ASSERT(sink != NULL);
	sink->fd = -1;
	sink->stats = stats;
	fg_buf_init(&sink->queue, FG_MAX_LOG_QUEUE_BYTES);
	fg_buf_init(&sink->taken, FG_MAX_LOG_QUEUE_BYTES);
	if (fg_str_eq(destination, FG_STR("syslog"))) {
		sink->is_syslog = true;
	} else if (fg_str_eq(destination, FG_STR("stderr"))) {
		struct stat st;

		sink->fd = STDERR_FILENO;
		sink->is_regular = fstat(sink->fd, &st) == 0 && S_ISREG(st.st_mode);
	} else {
		sink->path = strndup(destination.p, destination.len);
		FG_ASSERT(sink->path != NULL);
		if (!open_file(sink)) {
			int saved = errno;

			free(sink->path);
			free(sink);
			errno = saved;
			return FG_ERR_SYSTEM;
		}
	}
	pthread_mutex_init(&sink->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sink->wake, &attr);
	pthread_condattr_destroy(&attr);
	*out = sink;
	return FG_OK;
}

/* The thread has ended. False: its destination holds it in a call that does not come back. */
static bool
end_thread(struct fg_log_sink *sink)
{
	struct timespec until;

	pthread_mutex_lock(&sink->lock);
	sink->stop = true;
	pthread_cond_signal(&sink->wake);
	pthread_mutex_unlock(&sink->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	/* Longer than the thread itself waits for a descriptor that poll() calls full. */
	until.tv_sec += FREE_WAIT_USEC / FG_US_PER_S + 1;
	if (pthread_timedjoin_np(sink->thread, NULL, &until) == 0)
		return true;
	pthread_detach(sink->thread);
	return false;
}

void
fg_log_sink_free(struct fg_log_sink *sink)
{
	if (sink == NULL)
		return;
	fg_log_sink_flush(sink);
	/* A thread that is stuck may come back to its memory until the process ends: it is left to it. */
	if (sink->started && !end_thread(sink))
		return;
	pthread_cond_destroy(&sink->wake);
	pthread_mutex_destroy(&sink->lock);
	if (sink->path != NULL)
		close(sink->fd);
	fg_buf_fini(&sink->queue);
	fg_buf_fini(&sink->taken);
	free(sink->path);
	free(sink);
}

void
fg_log_sink_write(struct fg_log_sink *sink, struct fg_str line)
{
	bool fits;

	pthread_mutex_lock(&sink->lock);
	fits = fg_buf_add(&sink->queue, line);
	pthread_mutex_unlock(&sink->lock);
	if (!fits)
		drop(sink, 1);
}

void
fg_log_sink_flush(struct fg_log_sink *sink)
{
	pthread_mutex_lock(&sink->lock);
	if (sink->queue.len > 0 && (sink->sleeping || sink->queue.len >= NO_LINGER_BYTES))
		pthread_cond_signal(&sink->wake);
	if (sink->queue.len > 0 && !sink->started && !start_thread(sink)) {
		drop(sink, count_lines(fg_buf_str(&sink->queue)));
		fg_buf_reset(&sink->queue);
	}
	pthread_mutex_unlock(&sink->lock);
}

void
fg_log_sink_reopen(struct fg_log_sink *sink)
{
	if (!sink->started) {
		if (sink->path != NULL)
			reopen_file(sink);
		return;
	}
	pthread_mutex_lock(&sink->lock);
	sink->reopen = true;
	pthread_cond_signal(&sink->wake);
	pthread_mutex_unlock(&sink->lock);
}

int
fg_log_sink_error(const struct fg_log_sink *sink)
{
	int error = atomic_load_explicit(&sink->write_error, memory_order_relaxed);

	return error != 0 ? error : atomic_load_explicit(&sink->open_error, memory_order_relaxed);
}
