/* Shared memory: making it, joining it, looking at it, and its file. */
#include <config.h> /* _GNU_SOURCE: F_OFD_SETLKW, asprintf */
#include "base/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counters in shared memory need 64-bit atomics without locks");

#define MAGIC UINT64_C(0x3264657261684746)

struct header {
	_Atomic uint64_t magic; /* written last */
	uint64_t layout, size;  /* of what follows */
	alignas(64) char payload[];
};

static void
take_mapping(struct fg_shared *shared, struct header *header, size_t size)
{
	shared->mapping = header;
	shared->mapped = sizeof(*header) + size;
	shared->p = header->payload;
	shared->size = size;
}

/* In the file of that descriptor, empty until now, or without a file (-1). False with errno set. */
static bool
map_new(struct fg_shared *shared, int fd, const struct fg_shared_kind *kind, size_t size)
{
	size_t total = sizeof(struct header) + size;
	struct header *header;

	/* Not ftruncate(): on a full /run the first write to a page would then be a SIGBUS. */
	if (fd >= 0 && (errno = posix_fallocate(fd, 0, (off_t)total)) != 0)
		return false;
	header = mmap(NULL, total, PROT_READ | PROT_WRITE, fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		return false;
	header->layout = kind->layout;
	header->size = size;
	if (kind->init != NULL)
		kind->init(header->payload, size);
	atomic_store(&header->magic, MAGIC);
	take_mapping(shared, header, size);
	return true;
}

static enum fg_err
map_existing(struct fg_shared *shared, int fd, const struct stat *st, const struct fg_shared_kind *kind, int prot)
{
	size_t total = (size_t)st->st_size;
	struct header *header;

	if (total < sizeof(*header))
		return FG_ERR_SYNTAX;
	header = mmap(NULL, total, prot, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		return FG_ERR_SYSTEM;
	if (atomic_load(&header->magic) == MAGIC && header->layout == kind->layout &&
	    header->size == total - sizeof(*header) && (kind->check == NULL || kind->check(header->payload, header->size))) {
		take_mapping(shared, header, header->size);
		return FG_OK;
	}
	munmap(header, total);
	return FG_ERR_SYNTAX;
}

static void
note_file(struct fg_shared *shared, const char *path, const struct stat *st)
{
	shared->path = strdup(path);
	FG_ASSERT(shared->path != NULL);
	shared->dev = st->st_dev;
	shared->ino = st->st_ino;
}

static mode_t
mode_of(const struct fg_shared_kind *kind)
{
	return kind->is_private ? 0600 : 0644;
}

/* Beside path, and then put in its place: nobody sees it half made. False with errno set. */
static bool
create_file(struct fg_shared *shared, const char *path, const struct fg_shared_kind *kind, size_t size)
{
	char *temporary = NULL;
	struct stat st;
	bool ok = false;
	int fd = -1, saved;

	FG_ASSERT(asprintf(&temporary, "%s.new", path) >= 0);
	if (unlink(temporary) == 0 || errno == ENOENT)
		fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode_of(kind));
	if (fd >= 0 && map_new(shared, fd, kind, size))
		ok = fstat(fd, &st) == 0 && rename(temporary, path) == 0;
	saved = errno;
	if (ok) {
		note_file(shared, path, &st);
	} else if (fd >= 0) {
		unlink(temporary);
		fg_shared_close(shared, false);
	}
	if (fd >= 0)
		close(fd);
	free(temporary);
	errno = saved;
	return ok;
}

enum fg_err
fg_shared_create(struct fg_shared *shared, const char *path, const struct fg_shared_kind *kind, size_t size)
{
	bool ok;

	*shared = (struct fg_shared){.p = NULL};
	ok = path == NULL ? map_new(shared, -1, kind, size) : create_file(shared, path, kind, size);
	return ok ? FG_OK : FG_ERR_SYSTEM;
}

/* Opens path, creating it, with nobody else inside. -1 with errno set; *st is its state. */
static int
open_locked(const char *path, mode_t mode, struct stat *st)
{
	for (;;) {
		struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		struct stat now;
		int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);

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
fg_shared_join(struct fg_shared *shared, const char *path, const struct fg_shared_kind *kind, size_t size)
{
	enum fg_err err;
	struct stat st;
	int fd, saved;

	*shared = (struct fg_shared){.p = NULL};
	fd = open_locked(path, mode_of(kind), &st);
	if (fd < 0)
		return FG_ERR_SYSTEM;
	if (st.st_size == 0)
		err = map_new(shared, fd, kind, size) ? FG_OK : FG_ERR_SYSTEM;
	else
		err = map_existing(shared, fd, &st, kind, PROT_READ | PROT_WRITE);
	if (err == FG_OK)
		note_file(shared, path, &st);
	else if (err == FG_ERR_SYNTAX)
		err = fg_shared_create(shared, path, kind, size);
	saved = errno;
	/* Closing does not: the lock belongs to the open file, which the mapping keeps open. */
	(void)fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET});
	close(fd);
	errno = saved;
	return err;
}

enum fg_err
fg_shared_open(struct fg_shared *shared, const char *path, const struct fg_shared_kind *kind)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;
	enum fg_err err = FG_ERR_SYSTEM;
	struct stat st;

	*shared = (struct fg_shared){.p = NULL};
	if (fd < 0)
		return FG_ERR_SYSTEM;
	if (fstat(fd, &st) == 0)
		err = map_existing(shared, fd, &st, kind, PROT_READ);
	if (err == FG_OK)
		note_file(shared, path, &st);
	saved = errno;
	close(fd);
	errno = saved;
	return err;
}

void
fg_shared_close(struct fg_shared *shared, bool unlink_file)
{
	struct stat st;

	if (shared->mapping == NULL)
		return;
	if (unlink_file && shared->path != NULL && stat(shared->path, &st) == 0 && st.st_dev == shared->dev &&
	    st.st_ino == shared->ino)
		unlink(shared->path);
	munmap(shared->mapping, shared->mapped);
	free(shared->path);
	*shared = (struct fg_shared){.p = NULL};
}
