/* A new file beside the old one, written to the disk, then renamed over it. */
#include "fcgi-app/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

static int
open_folder(const char *path)
{
	char *copy = strdup(path);
	int fd;

	FG_ASSERT(copy != NULL);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	return fd;
}

enum fg_err
fg_key_file_lock(struct fg_key_file *file, const char *path)
{
	int saved;

	file->path = realpath(path, NULL);
	if (file->path == NULL && errno == ENOENT)
		file->path = strdup(path); /* it is to be made */
	if (file->path == NULL)
		return FG_ERR_SYSTEM;
	file->folder = open_folder(file->path);
	while (file->folder >= 0 && flock(file->folder, LOCK_EX) != 0) {
		if (errno == EINTR)
			continue;
		saved = errno;
		close(file->folder);
		errno = saved;
		file->folder = -1;
	}
	if (file->folder >= 0)
		return FG_OK;
	saved = errno;
	free(file->path);
	errno = saved;
	return FG_ERR_SYSTEM;
}

void
fg_key_file_unlock(struct fg_key_file *file)
{
	close(file->folder);
	free(file->path);
}

/* Owner first: a change of it may take bits of the mode away. Only root may give files away; others keep theirs. */
static bool
take_over(int fd, const char *path, const char *like)
{
	struct stat old;
	mode_t mode;

	if (stat(path, &old) == 0)
		mode = old.st_mode & 07777;
	else if (stat(like, &old) == 0)
		mode = old.st_mode & 0660;
	else
		return true;
	if (fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM)
		return false;
	return fchmod(fd, mode) == 0;
}

static bool
write_all(int fd, struct fg_str text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.p, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text = fg_str_slice(text, (size_t)n, text.len);
	}
	return fsync(fd) == 0;
}

enum fg_err
fg_key_file_replace(const struct fg_key_file *file, struct fg_str text, const char *like)
{
	char *made = malloc(strlen(file->path) + 8);
	bool ok = false;
	int fd, saved;

	FG_ASSERT(made != NULL);
	memcpy(made, file->path, strlen(file->path));
	memcpy(made + strlen(file->path), ".XXXXXX", 8);
	fd = mkostemp(made, O_CLOEXEC);
	if (fd >= 0) {
		ok = take_over(fd, file->path, like) && write_all(fd, text);
		saved = errno;
		if (close(fd) == 0 && ok)
			ok = rename(made, file->path) == 0 && fsync(file->folder) == 0;
		else
			errno = saved;
	}
	saved = errno;
	if (fd >= 0 && !ok)
		unlink(made);
	free(made);
	errno = saved;
	return ok ? FG_OK : FG_ERR_SYSTEM;
}
