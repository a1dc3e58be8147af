/*
 * The pid file: whose lock says that a pool runs, and whose text says which process is its supervisor. The lock is the
 * process's own (fcntl), so it ends with the supervisor, however that ends, and no worker inherits it.
 */
#ifndef FG_APP_PIDFILE_H
#define FG_APP_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

struct fg_log;

struct fg_pidfile {
	char *path; /* owned */
	int fd;     /* holds the lock; must be the only descriptor of that file in the process */
	dev_t dev;
	ino_t ino;
};

/* False, said in the log, when it cannot be written or another pool has it. */
bool fg_pidfile_take(struct fg_pidfile *pidfile, struct fg_str path, const struct fg_log *log);
/* In a forked child: closes the descriptor, the lock is not the child's. */
void fg_pidfile_forget(struct fg_pidfile *pidfile);
/* Removes the file, if it still is ours, and frees the lock. */
void fg_pidfile_release(struct fg_pidfile *pidfile);

/* The process that holds the lock; 0: none; -1 with errno set: the file cannot be read. */
pid_t fg_pidfile_owner(const char *path);

/* A file beside it: "X.stats" for "X.pid" and for "X" with ".stats"; "X" without an ending. Malloc'd. */
char *fg_pidfile_beside(struct fg_str pidfile_path, const char *ending);

#endif
