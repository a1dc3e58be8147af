/*
 * A gateway that judges and serves nobody: for commands that say what a worker would do. It has a loop and the filters'
 * state, no client, and looks at the memory of the running pool where there is one.
 */
#ifndef FG_APP_OFFLINE_H
#define FG_APP_OFFLINE_H

#include "base/log.h"
#include "core/exchange.h"
#include "core/pool_memory.h"

enum { FG_OFFLINE_MOST_KEYS = 32 };

struct fg_offline {
	struct fg_config *config; /* owned */
	struct fg_log log;
	struct fg_loop *loop;
	struct fg_pool_memory memory;
	struct fg_gateway gw;
};

/* "POLICY=FILE", as given by --keys. */
struct fg_offline_keys {
	const char *v[FG_OFFLINE_MOST_KEYS];
	size_t count;
};

/* False, said on standard error: there are too many. */
bool fg_offline_add_keys(struct fg_offline_keys *keys, const char *argument);

/*
 * Reads the configuration, gives the policies named by keys the key sets in those files, and starts the filters. FG_EXIT_OK; or
 * the status to leave with, what is wrong having been said on standard error: then there is nothing to close.
 */
int fg_offline_open(struct fg_offline *offline, const char *file, const struct fg_offline_keys *keys);
void fg_offline_close(struct fg_offline *offline);

#endif
