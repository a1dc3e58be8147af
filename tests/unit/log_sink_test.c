/* lib/core/log_sink: what is written arrives, whatever the destination does; what does not is counted. */
#include "stats/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "stats/stats.h"
#include "unit/unit.h"

/* Of what is waited for: only a failure waits so long. */
enum { DEADLINE_S = 60 };

struct scene {
	char dir[32], path[48], other[48];
	struct fg_stats *stats;
	struct fg_log_sink *sink;
};

static void
scene_init(struct scene *scene)
{
	strcpy(scene->dir, "/tmp/faregate-sink-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scene->dir));
	snprintf(scene->path, sizeof(scene->path), "%s/log", scene->dir);
	snprintf(scene->other, sizeof(scene->other), "%s/log.1", scene->dir);
	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&scene->stats, NULL, 1), FG_OK);
}

static void
scene_open(struct scene *scene)
{
	CU_ASSERT_EQUAL_FATAL(fg_log_sink_new(&scene->sink, fg_str_from(scene->path), scene->stats), FG_OK);
}

static void
scene_fini(struct scene *scene)
{
	unlink(scene->path);
	unlink(scene->other);
	rmdir(scene->dir);
	fg_stats_close(scene->stats, false);
}

static uint64_t
dropped(const struct scene *scene)
{
	return fg_stats_get(scene->stats, FG_COUNT_LOG_LINES_DROPPED);
}

/* Whether the file comes to hold exactly that. */
static bool
file_becomes(const char *path, const char *expected)
{
	size_t len = strlen(expected);
	char *text = calloc(1, len + 2);
	struct fg_clock from, now;
	bool is = false;

	fg_clock_read(&from);
	do {
		FILE *file = fopen(path, "r");

		if (file != NULL) {
			size_t got = fread(text, 1, len + 1, file);

			is = got == len && memcmp(text, expected, len) == 0;
			fclose(file);
		}
		poll(NULL, 0, 1);
		fg_clock_read(&now);
	} while (!is && now.mono - from.mono < DEADLINE_S * FG_US_PER_S);
	free(text);
	return is;
}

static void
lines_arrive_while_it_runs_and_at_its_end(void)
{
	struct scene scene;

	scene_init(&scene);
	scene_open(&scene);
	fg_log_sink_write(scene.sink, FG_STR("one\n"));
	fg_log_sink_write(scene.sink, FG_STR("two\n"));
	fg_log_sink_flush(scene.sink);
	CU_ASSERT(file_becomes(scene.path, "one\ntwo\n"));
	fg_log_sink_write(scene.sink, FG_STR("three\n"));
	fg_log_sink_flush(scene.sink);
	CU_ASSERT(file_becomes(scene.path, "one\ntwo\nthree\n"));
	/* Not flushed: the end writes it. */
	fg_log_sink_write(scene.sink, FG_STR("four\n"));
	fg_log_sink_free(scene.sink);
	CU_ASSERT(file_becomes(scene.path, "one\ntwo\nthree\nfour\n"));
	/* Another appends. A sink whose thread never began writes what it has, too. */
	scene_open(&scene);
	fg_log_sink_write(scene.sink, FG_STR("five\n"));
	fg_log_sink_free(scene.sink);
	CU_ASSERT(file_becomes(scene.path, "one\ntwo\nthree\nfour\nfive\n"));
	CU_ASSERT_EQUAL(dropped(&scene), 0);
	scene_fini(&scene);
}

static void
reopening_begins_a_new_file(void)
{
	struct scene scene;

	scene_init(&scene);
	scene_open(&scene);
	/* Before the thread runs, and after. */
	CU_ASSERT_EQUAL(rename(scene.path, scene.other), 0);
	fg_log_sink_reopen(scene.sink);
	fg_log_sink_write(scene.sink, FG_STR("one\n"));
	fg_log_sink_flush(scene.sink);
	CU_ASSERT(file_becomes(scene.path, "one\n"));
	CU_ASSERT_EQUAL(rename(scene.path, scene.other), 0);
	fg_log_sink_reopen(scene.sink);
	/* At once, not with the next line: whoever rotates wants to compress the old one. */
	CU_ASSERT(file_becomes(scene.path, ""));
	fg_log_sink_write(scene.sink, FG_STR("two\n"));
	fg_log_sink_flush(scene.sink);
	CU_ASSERT(file_becomes(scene.path, "two\n"));
	CU_ASSERT(file_becomes(scene.other, "one\n"));
	/* A path that cannot be opened any more: the file in use goes on. */
	CU_ASSERT_EQUAL(rename(scene.path, scene.other), 0);
	CU_ASSERT_EQUAL(mkdir(scene.path, 0700), 0);
	fg_log_sink_reopen(scene.sink);
	fg_log_sink_write(scene.sink, FG_STR("three\n"));
	fg_log_sink_free(scene.sink);
	CU_ASSERT(file_becomes(scene.other, "two\nthree\n"));
	rmdir(scene.path);
	scene_fini(&scene);
}

static void
a_wrong_path_is_an_error(void)
{
	struct fg_log_sink *sink;

	CU_ASSERT_EQUAL(fg_log_sink_new(&sink, FG_STR("/nonexistent/access.log"), NULL), FG_ERR_SYSTEM);
	CU_ASSERT_EQUAL(errno, ENOENT);
}

static void
a_full_disk_is_counted(void)
{
	struct scene scene;

	scene_init(&scene);
	CU_ASSERT_EQUAL_FATAL(fg_log_sink_new(&scene.sink, FG_STR("/dev/full"), scene.stats), FG_OK);
	fg_log_sink_write(scene.sink, FG_STR("one\n"));
	fg_log_sink_write(scene.sink, FG_STR("two\n"));
	fg_log_sink_free(scene.sink);
	CU_ASSERT_EQUAL(dropped(&scene), 2);
	scene_fini(&scene);
}

/* A file that may grow to `bytes`, as on a disk that fills. */
static void
bound_files(rlim_t bytes, struct rlimit *before)
{
	struct rlimit limit;

	CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, before), 0);
	limit = *before;
	limit.rlim_cur = bytes;
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool
error_becomes(const struct fg_log_sink *sink, int error)
{
	struct fg_clock from, now;

	fg_clock_read(&from);
	do {
		poll(NULL, 0, 1);
		fg_clock_read(&now);
	} while (fg_log_sink_error(sink) != error && now.mono - from.mono < DEADLINE_S * FG_US_PER_S);
	return fg_log_sink_error(sink) == error;
}

static void
a_torn_line_spoils_no_other(void)
{
	void (*on_too_large)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit before;
	struct scene scene;

	scene_init(&scene);
	scene_open(&scene);
	CU_ASSERT_EQUAL(fg_log_sink_error(scene.sink), 0);
	bound_files(6, &before);
	fg_log_sink_write(scene.sink, FG_STR("one\n"));
	fg_log_sink_write(scene.sink, FG_STR("two\n"));
	fg_log_sink_flush(scene.sink);
	CU_ASSERT(error_becomes(scene.sink, EFBIG));
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
	CU_ASSERT(file_becomes(scene.path, "one\ntw"));
	fg_log_sink_write(scene.sink, FG_STR("three\n"));
	fg_log_sink_flush(scene.sink);
	CU_ASSERT(file_becomes(scene.path, "one\ntw\nthree\n"));
	CU_ASSERT(error_becomes(scene.sink, 0));
	CU_ASSERT_EQUAL(dropped(&scene), 1);
	fg_log_sink_free(scene.sink);
	signal(SIGXFSZ, on_too_large);
	scene_fini(&scene);
}

/* Lines that differ, so that a torn one shows. */
static size_t
format_line(char *line, size_t size, unsigned number)
{
	return (size_t)snprintf(line, size, "%08u %0100u\n", number, number);
}

/* Reads lines from fd until it would block or ends; false when one of them is torn. */
static bool
read_whole_lines(int fd, uint64_t *count)
{
	char block[65536], expected[128];
	struct fg_buf text;
	struct fg_str rest, line;
	bool whole = true;
	ssize_t n;

	fg_buf_init(&text, 64 * 1024 * 1024);
	while ((n = read(fd, block, sizeof(block))) > 0)
		fg_buf_append(&text, block, (size_t)n);
	rest = fg_buf_str(&text);
	while (fg_str_next(&rest, '\n', &line)) {
		size_t len = format_line(expected, sizeof(expected), (unsigned)strtoul(line.p, NULL, 10)) - 1;

		whole = whole && fg_str_eq(line, (struct fg_str){expected, len});
		++*count;
	}
	fg_buf_fini(&text);
	return whole;
}

/* More lines than the queue and the pipe take together; never waits, or this test never ends. */
static unsigned
write_too_much(struct fg_log_sink *sink)
{
	unsigned count = 2 * FG_MAX_LOG_QUEUE_BYTES / 100;
	char line[128];

	for (unsigned i = 0; i < count; i++) {
		fg_log_sink_write(sink, (struct fg_str){line, format_line(line, sizeof(line), i)});
		if (i % 100 == 0)
			fg_log_sink_flush(sink);
	}
	return count;
}

static void
a_stuck_pipe_holds_up_nothing(void)
{
	struct fg_clock before, after;
	uint64_t arrived = 0;
	unsigned written;
	struct scene scene;
	int reader;

	scene_init(&scene);
	CU_ASSERT_EQUAL_FATAL(mkfifo(scene.path, 0600), 0);
	reader = open(scene.path, O_RDONLY | O_NONBLOCK);
	scene_open(&scene);
	written = write_too_much(scene.sink);
	CU_ASSERT(dropped(&scene) > 0);
	fg_clock_read(&before);
	fg_log_sink_free(scene.sink);
	fg_clock_read(&after);
	CU_ASSERT(after.mono - before.mono < DEADLINE_S * FG_US_PER_S);
	/* Each line arrived whole or was counted, if need be by a thread that came too late to be waited for. */
	do {
		CU_ASSERT(read_whole_lines(reader, &arrived));
		fg_clock_read(&after);
	} while (arrived + dropped(&scene) < written && after.mono - before.mono < DEADLINE_S * FG_US_PER_S);
	CU_ASSERT(arrived > 0);
	CU_ASSERT_EQUAL(arrived + dropped(&scene), written);
	close(reader);
	scene_fini(&scene);
}

static void
a_slow_pipe_loses_only_what_did_not_fit(void)
{
	uint64_t arrived = 0;
	unsigned written;
	struct fg_clock from, now;
	struct scene scene;
	int reader;

	scene_init(&scene);
	CU_ASSERT_EQUAL_FATAL(mkfifo(scene.path, 0600), 0);
	reader = open(scene.path, O_RDONLY | O_NONBLOCK);
	scene_open(&scene);
	written = write_too_much(scene.sink);
	fg_clock_read(&from);
	do {
		CU_ASSERT(read_whole_lines(reader, &arrived));
		fg_clock_read(&now);
	} while (arrived + dropped(&scene) < written && now.mono - from.mono < DEADLINE_S * FG_US_PER_S);
	CU_ASSERT_EQUAL(arrived + dropped(&scene), written);
	CU_ASSERT(arrived > FG_MAX_LOG_QUEUE_BYTES / 120);
	fg_log_sink_free(scene.sink);
	close(reader);
	scene_fini(&scene);
}

static void
a_reader_that_leaves_is_no_end(void)
{
	struct scene scene;
	int reader;

	scene_init(&scene);
	CU_ASSERT_EQUAL_FATAL(mkfifo(scene.path, 0600), 0);
	reader = open(scene.path, O_RDONLY | O_NONBLOCK);
	scene_open(&scene);
	close(reader);
	fg_log_sink_write(scene.sink, FG_STR("one\n"));
	fg_log_sink_free(scene.sink);
	CU_ASSERT_EQUAL(dropped(&scene), 1);
	scene_fini(&scene);
}

void
suite_log_sink(void)
{
	CU_pSuite suite = CU_add_suite("log_sink", NULL, NULL);

	ADD_TEST(suite, lines_arrive_while_it_runs_and_at_its_end);
	ADD_TEST(suite, reopening_begins_a_new_file);
	ADD_TEST(suite, a_wrong_path_is_an_error);
	ADD_TEST(suite, a_full_disk_is_counted);
	ADD_TEST(suite, a_torn_line_spoils_no_other);
	ADD_TEST(suite, a_stuck_pipe_holds_up_nothing);
	ADD_TEST(suite, a_slow_pipe_loses_only_what_did_not_fit);
	ADD_TEST(suite, a_reader_that_leaves_is_no_end);
}
