/*
 * Memory that the processes of a pool share: mapped before the fork by a supervisor, or from a file that the first of
 * several spawned processes makes and the others join. What lies in it is its kind's affair; everything that changes
 * while somebody else looks on is an atomic.
 */
#ifndef FG_BASE_SHARED_H
#define FG_BASE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/assert.h"
#include "base/err.h"

struct fg_shared_kind {
	const char *name; /* constant: the file's ending, "stats" */
	uint64_t layout;  /* sizes and counts that all processes must agree on: memory of another layout is not joined */
	/* Of zeroed memory of that size, before anybody else sees it. NULL: zeros will do. */
	void (*init)(void *p, size_t size);
	/* Whether what another process left there can be used. NULL: it can. */
	bool (*check)(const void *p, size_t size);
	bool is_private;  /* nobody but the pool's own user may read its file */
};

struct fg_shared {
	void *p;        /* the kind's; aligned to 64 bytes */
	size_t size;    /* of it */
	char *path;     /* owned; NULL: no file */
	void *mapping;  /* owned */
	size_t mapped;
	dev_t dev;      /* the file's identity */
	ino_t ino;
};

/*
 * New memory, in a new file that takes the place of an old one; whoever has the old one mapped goes on with it. path
 * NULL: memory of this process and its children alone. FG_ERR_SYSTEM with errno set; *shared is then all zeros.
 */
enum fg_err fg_shared_create(struct fg_shared *shared, const char *path, const struct fg_shared_kind *kind, size_t size)
    FG_MUST_CHECK;
/*
 * The memory of that file, whatever its size, or new memory of this size in it when there is none yet or it is of another
 * layout. FG_ERR_SYSTEM with errno set (a folder that is not writable, most often).
 */
enum fg_err fg_shared_join(struct fg_shared *shared, const char *path, const struct fg_shared_kind *kind, size_t size)
    FG_MUST_CHECK;
/* To look at; nothing may be written. FG_ERR_SYSTEM with errno set; FG_ERR_SYNTAX: not of this kind or layout. */
enum fg_err fg_shared_open(struct fg_shared *shared, const char *path, const struct fg_shared_kind *kind) FG_MUST_CHECK;
/* Unmaps; the file stays unless unlink_file (and it still is the one that was mapped). All zeros: nothing to do. */
void fg_shared_close(struct fg_shared *shared, bool unlink_file);

#endif
