/*
 * The memory that counters lie in: making it, joining it, looking at it, and its file. What is in it is stats.c.
 */
#include <config.h> /* _GNU_SOURCE: F_OFD_SETLKW, asprintf */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "core/stats.h"
#include "core/stats_layout.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counters in shared memory need 64-bit atomics without locks");

enum { ROOM_FOR_RELOADS = 64 };

static uint64_t
layout_number(void)
{
	return sizeof(struct fg_stats_shared) ^ ((uint64_t)sizeof(struct fg_stats_series) << 20) ^
	    ((uint64_t)FG_ERR_COUNT << 32) ^ ((uint64_t)FG_COUNT_MAX << 40) ^ ((uint64_t)FG_STATS_BUCKETS << 48);
}

static size_t
total_size(size_t series_max, size_t index_max)
{
	return offsetof(struct fg_stats_shared, series) +
	    series_max * sizeof(((struct fg_stats_shared *)0)->series[0]) + index_max * sizeof(uint32_t);
}

static struct fg_stats *
stats_new(struct fg_stats_shared *shared, const char *path, const struct stat *st)
{
	struct fg_stats *stats = calloc(1, sizeof(*stats));

	FG_ASSERT(stats != NULL);
	stats->shared = shared;
	stats->index = (_Atomic uint32_t *)(void *)&shared->series[shared->series_max];
	if (path != NULL) {
		stats->path = strdup(path);
		FG_ASSERT(stats->path != NULL);
		stats->dev = st->st_dev;
		stats->ino = st->st_ino;
	}
	return stats;
}

static void
fill_header(struct fg_stats_shared *shared, size_t series_max, size_t index_max)
{
	static const char *const fixed[FG_SERIES_FIXED] = {
	    [FG_SERIES_ROUTE_OTHER] = "route:_other",
	    [FG_SERIES_SERVICE_OTHER] = "service:_other",
	    [FG_SERIES_ROUTE_NONE] = "route:_none",
	    [FG_SERIES_ROUTE_ADMIN] = "route:_admin",
	};

	shared->layout = layout_number();
	shared->size = total_size(series_max, index_max);
	shared->series_max = (uint32_t)series_max;
	shared->index_max = (uint32_t)index_max;
	for (unsigned i = 0; i < FG_SERIES_FIXED; i++) {
		struct fg_stats_series *series = &shared->series[i].series;

		snprintf(series->name, sizeof(series->name), "%s", fixed[i]);
		atomic_store(&series->taken, 1);
	}
	atomic_store(&shared->series_count, FG_SERIES_FIXED);
	atomic_store(&shared->magic, FG_STATS_MAGIC);
}

/* A file of that descriptor, empty until now, or memory without a file (-1); counters zero. NULL with errno set. */
static struct fg_stats_shared *
map_new(int fd, size_t capacity)
{
	size_t series_max = 2 * capacity + ROOM_FOR_RELOADS, index_max = 1, size;
	struct fg_stats_shared *shared;

	while (index_max < 2 * series_max)
		index_max *= 2;
	size = total_size(series_max, index_max);
	/* Not ftruncate(): on a full /run the first counter to touch a page would then be a SIGBUS. */
	if (fd >= 0 && (errno = posix_fallocate(fd, 0, (off_t)size)) != 0)
		return NULL;
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		return NULL;
	fill_header(shared, series_max, index_max);
	return shared;
}

/* FG_ERR_SYNTAX when the file is none of ours, or of another version. */
static enum fg_err
map_existing(struct fg_stats_shared **out, int fd, const struct stat *st, int prot)
{
	size_t size = (size_t)st->st_size;
	struct fg_stats_shared *shared;

	if (size < sizeof(struct fg_stats_shared))
		return FG_ERR_SYNTAX;
	shared = mmap(NULL, size, prot, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		return FG_ERR_SYSTEM;
	if (atomic_load(&shared->magic) == FG_STATS_MAGIC && shared->layout == layout_number() && shared->size == size &&
	    shared->index_max > 0 && (shared->index_max & (shared->index_max - 1)) == 0 &&
	    size == total_size(shared->series_max, shared->index_max)) {
		*out = shared;
		return FG_OK;
	}
	munmap(shared, size);
	return FG_ERR_SYNTAX;
}

enum fg_err
fg_stats_create(struct fg_stats **out, const char *path, size_t capacity)
{
	struct fg_stats_shared *shared;
	struct stat st = {0};
	char *temporary = NULL;
	int fd = -1, saved;

	if (path != NULL) {
		FG_ASSERT(asprintf(&temporary, "%s.new", path) >= 0);
		if (unlink(temporary) < 0 && errno != ENOENT) {
			free(temporary);
			return FG_ERR_SYSTEM;
		}
		fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0) {
			free(temporary);
			return FG_ERR_SYSTEM;
		}
	}
	shared = map_new(fd, capacity);
	if (shared != NULL && fd >= 0 && (fstat(fd, &st) < 0 || rename(temporary, path) < 0)) {
		munmap(shared, shared->size);
		shared = NULL;
	}
	if (shared != NULL)
		*out = stats_new(shared, path, &st);
	saved = errno;
	if (fd >= 0) {
		if (shared == NULL)
			unlink(temporary);
		close(fd);
	}
	free(temporary);
	errno = saved;
	return shared == NULL ? FG_ERR_SYSTEM : FG_OK;
}

/* Opens path, creating it, with nobody else inside. -1 with errno set; *st is its state. */
static int
open_locked(const char *path, struct stat *st)
{
	for (;;) {
		struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		struct stat now;
		int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd < 0)
			return -1;
		if (fcntl(fd, F_OFD_SETLKW, &whole) < 0 || fstat(fd, st) < 0) {
			close(fd);
			return -1;
		}
		if (stat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
			return fd;
		/* Another process put its file there while this one waited for the lock on the old one. */
		close(fd);
	}
}

enum fg_err
fg_stats_join(struct fg_stats **out, const char *path, size_t capacity)
{
	struct fg_stats_shared *shared = NULL;
	enum fg_err err = FG_OK;
	struct stat st;
	int fd = open_locked(path, &st), saved;

	if (fd < 0)
		return FG_ERR_SYSTEM;
	if (st.st_size == 0) {
		shared = map_new(fd, capacity);
		if (shared == NULL)
			err = FG_ERR_SYSTEM;
	} else {
		err = map_existing(&shared, fd, &st, PROT_READ | PROT_WRITE);
	}
	if (err == FG_OK)
		*out = stats_new(shared, path, &st);
	else if (err == FG_ERR_SYNTAX)
		err = fg_stats_create(out, path, capacity);
	saved = errno;
	/* Closing does not: the lock belongs to the open file, which the mapping keeps open. */
	(void)fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET});
	close(fd);
	errno = saved;
	return err;
}

enum fg_err
fg_stats_open(struct fg_stats **out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;
	struct fg_stats_shared *shared;
	enum fg_err err = FG_ERR_SYSTEM;
	struct stat st;

	if (fd < 0)
		return FG_ERR_SYSTEM;
	if (fstat(fd, &st) == 0)
		err = map_existing(&shared, fd, &st, PROT_READ);
	if (err == FG_OK)
		*out = stats_new(shared, path, &st);
	saved = errno;
	close(fd);
	errno = saved;
	return err;
}

void
fg_stats_close(struct fg_stats *stats, bool unlink_file)
{
	struct stat st;

	if (stats == NULL)
		return;
	if (unlink_file && stats->path != NULL && stat(stats->path, &st) == 0 && st.st_dev == stats->dev &&
	    st.st_ino == stats->ino)
		unlink(stats->path);
	munmap(stats->shared, stats->shared->size);
	free(stats->path);
	free(stats);
}
