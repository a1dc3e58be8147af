/* Files: how they are opened and read, how much of them in all, and those that values name (key sets, secrets), which are read with them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"

enum { READ_PIECE = 64 * 1024 };

static const struct fg_str file_prefix = FG_STR_INIT("file:");

bool
fg_conf_read_fd(int fd, size_t max, struct fg_buf *text)
{
	fg_buf_init(text, max + READ_PIECE);
	for (;;) {
		char *at = fg_buf_reserve(text, READ_PIECE);
		ssize_t got = at == NULL ? -1 : read(fd, at, READ_PIECE);

		if (at == NULL || text->len > max) {
			errno = EFBIG;
			return false;
		}
		if (got == 0)
			return true;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		text->len += (size_t)got;
	}
}

/* NULL: a regular file. */
static const char *
name_other_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return NULL;
	case S_IFDIR:
		return "it is a folder";
	case S_IFIFO:
		return "it is a named pipe, not a file";
	default:
		return "it is a device or a socket, not a file";
	}
}

int
fg_conf_open_regular(const char *path, const char **why)
{
	/* A named pipe without a writer would hold up the opening of it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0) {
		*why = name_other_kind(status.st_mode);
		if (*why == NULL)
			return fd;
	} else {
		*why = strerror(errno);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
fg_conf_take_bytes(struct fg_conf *conf, const struct fg_conf_node *node, size_t bytes)
{
	conf->bytes += bytes;
	if (conf->bytes <= FG_MAX_CONFIG_TOTAL_BYTES)
		return true;
	conf->bytes = FG_MAX_CONFIG_TOTAL_BYTES + 1;
	fg_conf_error(conf, node, "the configuration with all it includes is larger than %d MiB",
	    FG_MAX_CONFIG_TOTAL_BYTES / 1024 / 1024);
	return false;
}

struct fg_str
fg_conf_resolve(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str path)
{
	struct fg_str folder = node->file->path;

	if (path.len == 0 || path.p[0] == '/')
		return fg_arena_str(conf->arena, path);
	while (folder.len > 0 && folder.p[folder.len - 1] != '/')
		folder.len--;
	return fg_arena_printf(conf->arena, FG_STR_FMT FG_STR_FMT, FG_STR_ARG(folder), FG_STR_ARG(path));
}

bool
fg_conf_load_file(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str path, size_t max, struct fg_str *text)
{
	struct fg_str resolved = fg_conf_resolve(conf, node, path);
	struct fg_buf buf;
	const char *why;
	bool ok;
	int fd = fg_conf_open_regular(resolved.p, &why);

	if (fd < 0) {
		fg_conf_error(conf, node, FG_STR_FMT " cannot be read: %s", FG_STR_ARG(fg_conf_quote(conf, resolved)), why);
		return false;
	}
	ok = fg_conf_read_fd(fd, max, &buf);
	if (ok)
		*text = fg_arena_str(conf->arena, fg_buf_str(&buf));
	else
		fg_conf_error(conf, node, FG_STR_FMT " cannot be read: %s", FG_STR_ARG(fg_conf_quote(conf, resolved)),
		    strerror(errno));
	close(fd);
	if (buf.len > 0)
		explicit_bzero(buf.p, buf.len); /* it may be a secret */
	fg_buf_fini(&buf);
	return ok;
}

bool
fg_conf_is_file(struct fg_str text, struct fg_str *path)
{
	if (!fg_str_starts_with(text, file_prefix) || text.len == file_prefix.len)
		return false;
	*path = fg_str_slice(text, file_prefix.len, text.len);
	return true;
}

void
fg_conf_parse_secret(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text, path, *secret = out;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	*secret = fg_arena_str(conf->arena, text);
	if (fg_conf_is_file(text, &path)) {
		if (!fg_conf_load_file(conf, node, path, FG_CONF_MAX_STRING, secret))
			return;
		/* Editors end a file with a line's end that nobody means as a part of the secret. */
		if (fg_str_ends_with(*secret, FG_STR("\n")))
			secret->len--;
		if (fg_str_ends_with(*secret, FG_STR("\r")))
			secret->len--;
	}
	if (secret->len == 0)
		fg_conf_error(conf, node, "is empty; expected %s", key->form);
}
