/* Locking, writing and reading the pid file; the contract stands in pidfile.h. */
#include <config.h> /* _GNU_SOURCE: asprintf */

#include "fcgi-app/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"

static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

/* Opens and locks it; -1 with errno set, EAGAIN when another process has the lock. */
static int
open_locked(const char *path, struct stat *st)
{
	for (;;) {
		struct flock lock = whole_file;
		struct stat now;
		int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd < 0)
			return -1;
		if (fcntl(fd, F_SETLK, &lock) < 0 || fstat(fd, st) < 0) {
			int saved = errno == EACCES ? EAGAIN : errno;

			close(fd);
			errno = saved;
			return -1;
		}
		if (stat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
			return fd;
		/* The pool before removed it between the opening and the locking. */
		close(fd);
	}
}

bool
fg_pidfile_take(struct fg_pidfile *pidfile, struct fg_str path, const struct fg_log *log)
{
	char text[32];
	struct stat st;
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	*pidfile = (struct fg_pidfile){.path = strndup(path.p, path.len), .fd = -1};
	FG_ASSERT(pidfile->path != NULL);
	pidfile->fd = open_locked(pidfile->path, &st);
	if (pidfile->fd >= 0 && ftruncate(pidfile->fd, 0) == 0 && write(pidfile->fd, text, (size_t)len) == len) {
		pidfile->dev = st.st_dev;
		pidfile->ino = st.st_ino;
		return true;
	}
	if (errno == EAGAIN)
		FG_LOG(log, ERROR, "supervisor", "another pool runs with this pid file", FG_F_STR("path", path),
		    FG_F_INT("pid", fg_pidfile_owner(pidfile->path)));
	else
		FG_LOG(log, ERROR, "supervisor", "the pid file cannot be written", FG_F_STR("path", path),
		    FG_F_CSTR("because", strerror(errno)));
	fg_pidfile_forget(pidfile);
	return false;
}

void
fg_pidfile_forget(struct fg_pidfile *pidfile)
{
	if (pidfile->fd >= 0)
		close(pidfile->fd);
	pidfile->fd = -1;
	free(pidfile->path);
	pidfile->path = NULL;
}

void
fg_pidfile_release(struct fg_pidfile *pidfile)
{
	struct stat st;

	if (pidfile->path != NULL && stat(pidfile->path, &st) == 0 && st.st_dev == pidfile->dev && st.st_ino == pidfile->ino)
		unlink(pidfile->path);
	fg_pidfile_forget(pidfile);
}

pid_t
fg_pidfile_owner(const char *path)
{
	struct flock lock = whole_file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[32] = "";
	pid_t pid = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fcntl(fd, F_GETLK, &lock) < 0)
		pid = -1;
	else if (lock.l_type != F_UNLCK)
		/* The kernel does not name a process of another pid namespace; the text does, if in that one's numbers. */
		pid = lock.l_pid > 0 ? lock.l_pid
		    : read(fd, text, sizeof(text) - 1) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
	close(fd);
	return pid;
}

char *
fg_pidfile_beside(struct fg_str pidfile_path, const char *ending)
{
	struct fg_str stem = pidfile_path;
	char *path;

	if (fg_str_ends_with(stem, FG_STR(".pid")))
		stem.len -= 4;
	FG_ASSERT(asprintf(&path, FG_STR_FMT "%s", FG_STR_ARG(stem), ending) >= 0);
	return path;
}
