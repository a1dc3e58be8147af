/* Opening, keeping and closing listening sockets; the contract stands in sockets.h. */
#include <config.h> /* _GNU_SOURCE: asprintf */

#include "fcgi-app/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "core/config.h"

enum { BACKLOG = 4096 }; /* the kernel cuts it to net.core.somaxconn */

static bool
fail(const struct fg_log *log, const struct fg_socket *socket, const char *message, const char *because)
{
	FG_LOG(log, ERROR, "supervisor", message, FG_F_CSTR("listen", socket->name), FG_F_CSTR("because", because));
	return false;
}

/* ---- unix sockets */

static bool
fill_address(struct sockaddr_un *address, const char *path)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return false;
	memcpy(address->sun_path, path, strlen(path));
	return true;
}

/* Whether a process accepts connections at that path. */
static bool
is_served(const char *path)
{
	struct sockaddr_un address;
	bool served;
	int fd;

	if (!fill_address(&address, path))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* EAGAIN: somebody listens, whose queue is full. */
	served = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;
	close(fd);
	return served;
}

/* What stands at the path may be replaced: nothing, or the socket of a process that is gone. */
static bool
check_path(const struct fg_socket *socket, const struct fg_log *log)
{
	struct stat st;

	if (lstat(socket->path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ||
		    fail(log, socket, "the socket cannot be opened", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail(log, socket, "the socket cannot be opened", "a file that is no socket stands at its path");
	if (is_served(socket->path))
		return fail(log, socket, "the socket cannot be opened", "another process serves it");
	return true;
}

/* Mode and group of the file at path, which is the socket or will be. */
static bool
set_access(const struct fg_socket *socket, const char *path, const struct fg_listen *listen, const struct fg_log *log)
{
	if (listen->group.len > 0) {
		char *name = strndup(listen->group.p, listen->group.len);
		const struct group *group = name == NULL ? NULL : getgrnam(name);

		free(name);
		if (group == NULL)
			return fail(log, socket, "the socket cannot have its group", "there is no such group");
		if (chown(path, (uid_t)-1, group->gr_gid) < 0)
			return fail(log, socket, "the socket cannot have its group", strerror(errno));
	}
	return chmod(path, listen->mode) == 0 || fail(log, socket, "the socket cannot have its mode", strerror(errno));
}

/*
 * Where the socket is made ready: beside its path, and as long as that, so that a path that fits an address always has
 * one. Malloc'd.
 */
static char *
temporary_path(const char *path)
{
	char *temporary = strdup(path);
	size_t last;

	FG_ASSERT(temporary != NULL && temporary[0] != '\0');
	last = strlen(temporary) - 1;
	temporary[last] = temporary[last] == '~' ? '-' : '~';
	return temporary;
}

/* Bound and listening at that path. */
static bool
bind_unix(struct fg_socket *unbound, const char *path, const struct fg_listen *conf, const struct fg_log *log)
{
	struct sockaddr_un address;
	struct stat st;
	mode_t mask;
	bool bound;

	if (!fill_address(&address, path))
		return fail(log, unbound, "the socket cannot be opened", "its path is too long");
	/* What a start that was broken off left there. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	unbound->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Nobody may connect before mode and group are as they should be. */
	mask = umask(0777);
	bound = unbound->fd >= 0 && bind(unbound->fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	umask(mask);
	if (!bound)
		return fail(log, unbound, "the socket cannot be opened",
		    errno == ENOENT ? "its folder does not exist" : strerror(errno));
	if (set_access(unbound, path, conf, log)) {
		if (listen(unbound->fd, BACKLOG) == 0 && stat(path, &st) == 0) {
			unbound->dev = st.st_dev;
			unbound->ino = st.st_ino;
			return true;
		}
		(void)fail(log, unbound, "the socket cannot be opened", strerror(errno));
	}
	unlink(path);
	return false;
}

/* Under another name first, so that there is no moment without a socket that somebody serves. */
static bool
open_unix(struct fg_socket *closed, const struct fg_listen *conf, const struct fg_log *log)
{
	char *temporary = temporary_path(closed->path);
	bool ok = check_path(closed, log) && bind_unix(closed, temporary, conf, log);

	if (ok && rename(temporary, closed->path) < 0) {
		ok = fail(log, closed, "the socket cannot be opened", strerror(errno));
		unlink(temporary);
	}
	free(temporary);
	return ok;
}

/* The file is still the one that this socket made. */
static bool
owns_file(const struct fg_socket *socket)
{
	struct stat st;

	return socket->path != NULL && lstat(socket->path, &st) == 0 && st.st_dev == socket->dev &&
	    st.st_ino == socket->ino;
}

/* ---- TCP */

static bool
open_tcp(struct fg_socket *closed, const struct fg_listen *conf, const struct fg_log *log)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char *host = strndup(conf->host.p, conf->host.len), port[16];
	int one = 1, err;
	bool ok;

	FG_ASSERT(host != NULL);
	snprintf(port, sizeof(port), "%u", conf->port);
	err = getaddrinfo(host, port, &hints, &found);
	free(host);
	if (err != 0)
		return fail(log, closed, "the socket cannot be opened", gai_strerror(err));
	closed->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ok = closed->fd >= 0 && setsockopt(closed->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    (found->ai_family != AF_INET6 ||
		setsockopt(closed->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
	    bind(closed->fd, found->ai_addr, found->ai_addrlen) == 0 && listen(closed->fd, BACKLOG) == 0;
	freeaddrinfo(found);
	return ok || fail(log, closed, "the socket cannot be opened", strerror(errno));
}

/* ---- sets */

static void
socket_fini(struct fg_socket *socket, bool close_it, bool unlink_it)
{
	if (unlink_it && owns_file(socket))
		unlink(socket->path);
	if (close_it && socket->fd >= 0)
		close(socket->fd);
	free(socket->name);
	free(socket->path);
}

static void
sockets_free(struct fg_sockets *sockets)
{
	free(sockets->v);
	*sockets = (struct fg_sockets){.v = NULL};
}

static struct fg_socket *
find(const struct fg_sockets *sockets, const char *name)
{
	for (size_t i = 0; sockets != NULL && i < sockets->count; i++)
		if (strcmp(sockets->v[i].name, name) == 0)
			return &sockets->v[i];
	return NULL;
}

static struct fg_socket
socket_named(const struct fg_listen *listen)
{
	struct fg_socket socket = {.fd = -1};

	if (listen->is_unix) {
		FG_ASSERT(asprintf(&socket.name, "unix:" FG_STR_FMT, FG_STR_ARG(listen->path)) >= 0);
		socket.path = strndup(listen->path.p, listen->path.len);
		FG_ASSERT(socket.path != NULL);
	} else {
		FG_ASSERT(asprintf(&socket.name, "tcp:[" FG_STR_FMT "]:%u", FG_STR_ARG(listen->host), listen->port) >= 0);
	}
	return socket;
}

static bool
open_one(struct fg_socket *socket, const struct fg_sockets *current, const struct fg_listen *listen,
    const struct fg_log *log)
{
	const struct fg_socket *same;

	*socket = socket_named(listen);
	same = find(current, socket->name);
	/* One whose file was removed or replaced serves nobody; it is opened anew. */
	if (same == NULL || (listen->is_unix && !owns_file(same)))
		return listen->is_unix ? open_unix(socket, listen, log) : open_tcp(socket, listen, log);
	socket->fd = same->fd;
	socket->dev = same->dev;
	socket->ino = same->ino;
	socket->kept = true;
	return !listen->is_unix || set_access(socket, socket->path, listen, log);
}

bool
fg_sockets_open(struct fg_sockets *sockets, const struct fg_sockets *current, const struct fg_listen *listen,
    size_t count, const struct fg_log *log)
{
	sockets->v = calloc(count, sizeof(*sockets->v));
	FG_ASSERT(sockets->v != NULL);
	for (sockets->count = 0; sockets->count < count; sockets->count++) {
		if (open_one(&sockets->v[sockets->count], current, &listen[sockets->count], log))
			continue;
		socket_fini(&sockets->v[sockets->count], !sockets->v[sockets->count].kept, false);
		fg_sockets_abandon(sockets);
		return false;
	}
	return true;
}

void
fg_sockets_retire(struct fg_sockets *old, struct fg_sockets *heir)
{
	for (size_t i = 0; i < old->count; i++) {
		const struct fg_socket *same = find(heir, old->v[i].name);
		bool goes_on = same != NULL && same->kept;

		socket_fini(&old->v[i], !goes_on, !goes_on);
	}
	sockets_free(old);
	for (size_t i = 0; i < heir->count; i++)
		heir->v[i].kept = false;
}

void
fg_sockets_abandon(struct fg_sockets *next)
{
	for (size_t i = 0; i < next->count; i++)
		socket_fini(&next->v[i], !next->v[i].kept, !next->v[i].kept);
	sockets_free(next);
}

void
fg_sockets_close(struct fg_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		socket_fini(&sockets->v[i], true, true);
	sockets_free(sockets);
}

void
fg_sockets_forget(struct fg_sockets *sockets, const struct fg_sockets *keep)
{
	for (size_t i = 0; i < sockets->count; i++) {
		bool shared = false;

		for (size_t k = 0; keep != NULL && k < keep->count; k++)
			shared = shared || keep->v[k].fd == sockets->v[i].fd;
		socket_fini(&sockets->v[i], !shared, false);
	}
	sockets_free(sockets);
}
