/* Changing a file of API keys: one change at a time, and never a file that is half written. */
#ifndef FG_APP_KEY_FILE_H
#define FG_APP_KEY_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct fg_key_file {
	char *path; /* owned; links followed */
	int folder; /* locked while it is open */
};

/* Waits for whoever else changes files of that folder. FG_ERR_SYSTEM with errno set; nothing is held then. */
enum fg_err fg_key_file_lock(struct fg_key_file *file, const char *path) FG_MUST_CHECK;
/*
 * In place of what was there, with its owner and mode; a new file has those of `like` (who may read the configuration may read
 * the keys' hashes), but nothing for others. On the disk once this says FG_OK; FG_ERR_SYSTEM with errno set: nothing changed.
 */
enum fg_err fg_key_file_replace(const struct fg_key_file *file, struct fg_str text, const char *like) FG_MUST_CHECK;
void fg_key_file_unlock(struct fg_key_file *file);

#endif
