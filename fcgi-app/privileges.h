/*
 * Who the processes of a pool are. Started as root with `user:` in the configuration, workers become that user; the
 * supervisor stays root, since a reload may need to open a socket, a log or a key that only root may. It reads no byte
 * that a client sent.
 */
#ifndef FG_APP_PRIVILEGES_H
#define FG_APP_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct fg_config;
struct fg_log;

struct fg_privileges {
	bool drop; /* workers change to the following */
	uid_t uid;
	gid_t gid;
	char *name; /* owned */
};

/* By config->user and who runs this. False, said in the log: no such user, or not started as root. */
bool fg_privileges_find(struct fg_privileges *privileges, const struct fg_config *config, const struct fg_log *log);
void fg_privileges_fini(struct fg_privileges *privileges);
/* In a worker, after the fork. False, said in the log. */
bool fg_privileges_drop(const struct fg_privileges *privileges, const struct fg_log *log);
/*
 * Before workers open the access log (at their start, after USR1): in a folder where only root may, makes the file,
 * theirs. Does nothing where they open it themselves.
 */
void fg_privileges_make_log(const struct fg_privileges *privileges, const struct fg_config *config);

#endif
