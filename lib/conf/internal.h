/* What the files of lib/conf/ share with each other alone. */
#ifndef FG_CONF_INTERNAL_H
#define FG_CONF_INTERNAL_H

#include "conf/keys.h"

struct fg_conf_mistake {
	struct fg_conf_mistake *next;
	const struct fg_conf_file *file;
	unsigned line, column;
	size_t order; /* of finding, so that sorting is stable */
	struct fg_str path, message;
};

/* For syntax errors, which have a place but no node. path: what they stand in, or empty. */
void fg_conf_error_at(struct fg_conf *conf, const struct fg_conf_file *file, unsigned line, unsigned column,
    struct fg_str path, struct fg_str message);

/*
 * Puts the environment into the text of a value. *changed: something was put in (or unescaped). False after a mistake
 * was noted. The result is in scratch, NUL-terminated.
 */
bool fg_conf_substitute(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str text, struct fg_str *out,
    bool *changed);

/* All of it. *text is made here, and the caller's to free either way. False: errno says why; EFBIG beyond max. */
bool fg_conf_read_fd(int fd, size_t max, struct fg_buf *text);

/* Counts bytes taken in; false, with a mistake at the node, over FG_MAX_CONFIG_TOTAL_BYTES. */
bool fg_conf_take_bytes(struct fg_conf *conf, const struct fg_conf_node *node, size_t bytes);

/* "text", "a list", "a map". */
const char *fg_conf_kind_name(enum fg_conf_kind kind);
/* "an integer from 1 to 10": what a key of that type wants, in words; for messages and the reference. In arena. */
struct fg_str fg_conf_describe(const struct fg_conf_key *key, struct fg_arena *arena);
/* "1m30s" has no form here: the largest unit that divides it. In arena. */
struct fg_str fg_conf_format_duration(fg_usec span, struct fg_arena *arena);
struct fg_str fg_conf_format_size(int64_t bytes, struct fg_arena *arena);

/* One value that is a scalar by its type; true when it was written to out. */
bool fg_conf_read_scalar(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out);

#endif
