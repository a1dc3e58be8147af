/*
 * One reading of a configuration: YAML text becomes a tree whose nodes know where they stand (tree.c, the only user of
 * yaml.h), tables of keys make checked structs of it (conf/keys.h), and every mistake is kept until all are known.
 *
 *   fg_conf_init   fg_conf_open   [fg_conf_include]   fg_conf_read…   fg_conf_format_mistakes   fg_conf_fini
 *
 * YAML here is what people mean by it, and no more: maps, lists, scalars, quoted or not, block or flow. Anchors, aliases,
 * tags, merge keys and several documents in one file are refused; so is a name given twice in one map. What a scalar
 * means is said by the table of keys alone: `2` under a key of text is the text "2". Values (never names) may take the
 * environment: ${NAME}, ${NAME:-default} where NAME is unset or empty, $${ for a literal ${. What is put in is data: it
 * is not read as YAML.
 */
#ifndef FG_CONF_CONF_H
#define FG_CONF_CONF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct fg_buf;

enum fg_conf_kind { FG_CONF_NODE_SCALAR, FG_CONF_NODE_LIST, FG_CONF_NODE_MAP };

struct fg_conf_file {
	struct fg_str path; /* as opened, NUL-terminated */
	unsigned index;     /* in the order of opening */
};

struct fg_conf_node {
	enum fg_conf_kind kind;
	bool is_plain;     /* a scalar without quotes, nothing of it from the environment */
	bool is_name;      /* the name of an entry of a map, not a value */
	bool is_broken;    /* what is wrong with it was said already: readers pass over it in silence */
	unsigned line, column; /* from 1 */
	const struct fg_conf_file *file;
	struct fg_str text;                /* of a scalar; NUL-terminated */
	const struct fg_conf_node *parent; /* NULL: the root of a file */
	const struct fg_conf_node *name;   /* its name in a map, or NULL */
	size_t index;                      /* its place in a list */
	struct fg_conf_node *first, *last; /* of a list or map; a name twice in a map is there once */
	struct fg_conf_node *next;         /* in the parent */
	size_t count;                      /* of a list or map */
};

struct fg_conf_mistake;

struct fg_conf {
	struct fg_arena *arena;  /* borrowed: values, and what is made of them */
	struct fg_arena scratch; /* owned: the tree and the mistakes */
	void *arg;               /* of the reader, for its callbacks */
	bool may_lack_files;     /* for a command that makes them: files of the gateway's own need not be there yet */
	struct fg_conf_mistake *mistakes, **mistakes_end;
	size_t mistake_count;    /* all, also those not kept */
	unsigned file_count;
	size_t bytes, nodes;     /* of all files: bounded (base/limits.h) */
	size_t comparisons;      /* made to suggest names: bounded too */
	const char *unreadable;  /* why the last file could not be read */
};

/* arena outlives what is read into it. */
void fg_conf_init(struct fg_conf *conf, struct fg_arena *arena, void *arg);
void fg_conf_fini(struct fg_conf *conf);

/* What may stand at a path: a regular file alone, or also what has to be waited for: a pipe, a terminal. */
enum fg_conf_source { FG_CONF_FILE, FG_CONF_STREAM };

/*
 * Reads a file, or a text as if it stood in a file of that name. *root is a map, possibly with parts missing when
 * mistakes were found in them, or NULL when nothing can be made of it (said as a mistake). FG_ERR_SYSTEM, no mistake
 * noted: the file cannot be read, conf->unreadable says why. FG_ERR_CONFIG: *root is NULL.
 */
enum fg_err fg_conf_open(struct fg_conf *conf, struct fg_str path, enum fg_conf_source source, struct fg_conf_node **root)
    FG_MUST_CHECK;
enum fg_err fg_conf_parse(struct fg_conf *conf, struct fg_str path, struct fg_str text, struct fg_conf_node **root)
    FG_MUST_CHECK;

/*
 * Carries out the entry `include` of root: a list of patterns (glob(7)), relative to the folder of the file they stand
 * in. The maps named by `maps` (ended by NULL) are merged into root's; anything else in an included file is a mistake.
 */
void fg_conf_include(struct fg_conf *conf, struct fg_conf_node *root, const char *const *maps);

/* A descriptor to read the regular file from; -1: *why says why not. Never waits, whatever stands there. */
int fg_conf_open_regular(const char *path, const char **why);

/* The entry of that name of a map; NULL when there is none, or node is no map. */
const struct fg_conf_node *fg_conf_get(const struct fg_conf_node *node, const char *name);
/* "routes.orders.methods[1]"; empty for the root. In scratch. */
struct fg_str fg_conf_path(struct fg_conf *conf, const struct fg_conf_node *node);
/* "FILE:LINE:COLUMN". In scratch. */
struct fg_str fg_conf_place(struct fg_conf *conf, const struct fg_conf_node *node);
/* A value as it can stand in a message: in quotes, escaped, cut when long. In scratch. */
struct fg_str fg_conf_quote(struct fg_conf *conf, struct fg_str text);
/* A relative file name is relative to the folder of the file that says it. In conf->arena, NUL-terminated. */
struct fg_str fg_conf_resolve(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str path);

/* Notes a mistake at the node. The message goes on after "FILE:LINE:COLUMN: routes.orders.path: ". */
void fg_conf_error(struct fg_conf *conf, const struct fg_conf_node *node, const char *fmt, ...) FG_PRINTF(3, 4);
/* The same at the node's name where it has one: for what is missing in a section rather than wrong. */
void fg_conf_error_at_name(struct fg_conf *conf, const struct fg_conf_node *node, const char *fmt, ...) FG_PRINTF(3, 4);

/*
 * Whether a name that dangles may be compared with that many others, to suggest one of them. False once so many were
 * wrong that looking for what was meant would take longer than reading the file.
 */
bool fg_conf_may_compare(struct fg_conf *conf, size_t names);

/* All mistakes sorted by file, line and column, one a line. At most FG_MAX_CONFIG_ERRORS; the rest is counted. */
bool fg_conf_format_mistakes(const struct fg_conf *conf, struct fg_buf *out);
/* As members of a JSON object: "errors", an array of {"file", "line", "column", "path", "message"}, and "left_out". */
bool fg_conf_format_mistakes_json(const struct fg_conf *conf, struct fg_buf *out);

#endif
