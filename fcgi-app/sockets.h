/*
 * The listening sockets of a pool. Those that a reload leaves alone stay open through it, so that no connection is
 * refused or lost; a new one is opened before anything else changes, one that is gone is closed after.
 */
#ifndef FG_APP_SOCKETS_H
#define FG_APP_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fg_listen;
struct fg_log;

struct fg_socket {
	char *name; /* owned; "unix:/run/faregate/faregate.sock": what tells two sockets apart */
	char *path; /* owned; of a unix socket; NULL: TCP */
	int fd;     /* listening, non-blocking, close-on-exec */
	bool kept;  /* the descriptor is that of an earlier set, too */
	dev_t dev;  /* of the unix socket's file */
	ino_t ino;
};

struct fg_sockets {
	struct fg_socket *v;
	size_t count;
};

/*
 * Opens what is configured; what stands in current (NULL: nothing does) is taken from there, with its mode and group set
 * anew. A file that a dead process left at a unix socket's path is replaced without a gap. False, said in the log, and
 * nothing changed: a path in use, a missing folder, a refused permission.
 */
bool fg_sockets_open(struct fg_sockets *sockets, const struct fg_sockets *current, const struct fg_listen *listen,
    size_t count, const struct fg_log *log);
/* heir was opened beside old, and takes its place: what it did not keep is closed, its file removed; old is empty then. */
void fg_sockets_retire(struct fg_sockets *old, struct fg_sockets *heir);
/* next was opened beside others, and is not needed: what it did not keep is closed, its file removed. */
void fg_sockets_abandon(struct fg_sockets *next);
/* Closes all; removes the files that still are ours. */
void fg_sockets_close(struct fg_sockets *sockets);
/* In a forked child: closes the descriptors that sockets does not share with keep (NULL: all), touching no file. */
void fg_sockets_forget(struct fg_sockets *sockets, const struct fg_sockets *keep);

#endif
