/*
 * `include`: other files whose maps are merged into those of the first. One level alone: what is included includes
 * nothing, so that whoever looks for a name has one list of files to look through.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"
#include "conf/names.h"

enum { MAX_MAPS = 24 };

struct includer {
	struct fg_conf *conf;
	struct fg_conf_node *root;
	const char *const *maps;
	struct fg_names names[MAX_MAPS]; /* of the entries of each map, once it was merged into */
	struct fg_names seen;            /* the files, by device and inode */
};

static struct fg_conf_node *
find_entry(struct fg_conf_node *map, struct fg_str name)
{
	struct fg_conf_node *entry = map->first;

	while (entry != NULL && !fg_str_eq(entry->name->text, name))
		entry = entry->next;
	return entry;
}

static void
append(struct fg_conf_node *map, struct fg_conf_node *entry)
{
	entry->next = NULL;
	if (map->last == NULL)
		map->first = entry;
	else
		map->last->next = entry;
	map->last = entry;
	map->count++;
}

/* ---- merging */

/* The entries keep their parent, the map of their own file: path and place stay what they are. */
static void
merge_entries(struct includer *includer, struct fg_names *names, struct fg_conf_node *map, struct fg_conf_node *from)
{
	struct fg_conf *conf = includer->conf;
	struct fg_conf_node *next;

	if (names->arena == NULL) {
		fg_names_init(names, &conf->scratch);
		for (struct fg_conf_node *entry = map->first; entry != NULL; entry = entry->next)
			fg_names_add(names, entry->name->text, entry);
	}
	for (struct fg_conf_node *entry = from->first; entry != NULL; entry = next) {
		const struct fg_conf_node *twin = fg_names_add(names, entry->name->text, entry);

		next = entry->next;
		if (twin == NULL)
			append(map, entry);
		else
			fg_conf_error(conf, entry->name, FG_STR_FMT " is defined twice; first at " FG_STR_FMT,
			    FG_STR_ARG(fg_conf_quote(conf, entry->name->text)), FG_STR_ARG(fg_conf_place(conf, twin->name)));
	}
}

static void
refuse_entry(struct includer *includer, const struct fg_conf_node *entry)
{
	struct fg_conf *conf = includer->conf;

	if (fg_str_eq(entry->name->text, FG_STR("include")))
		fg_conf_error(conf, entry->name, "an included file cannot include others; list them in " FG_STR_FMT,
		    FG_STR_ARG(includer->root->file->path));
	else
		fg_conf_error(conf, entry->name, FG_STR_FMT " cannot stand in an included file; it belongs into " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, entry->name->text)), FG_STR_ARG(includer->root->file->path));
}

static void
merge_entry(struct includer *includer, struct fg_conf_node *entry)
{
	struct fg_conf_node *into = find_entry(includer->root, entry->name->text);
	size_t i = 0;

	while (includer->maps[i] != NULL && !fg_str_eq(fg_str_from(includer->maps[i]), entry->name->text))
		i++;
	FG_ASSERT(i < MAX_MAPS);
	if (includer->maps[i] == NULL)
		refuse_entry(includer, entry);
	else if (entry->kind != FG_CONF_NODE_MAP && !entry->is_broken)
		fg_conf_error(includer->conf, entry, "expected a map, found %s", fg_conf_kind_name(entry->kind));
	else if (into == NULL)
		append(includer->root, entry);
	else if (into->kind == FG_CONF_NODE_MAP)
		merge_entries(includer, &includer->names[i], into, entry);
}

/* ---- files */

static void
include_file(struct includer *includer, const struct fg_conf_node *node, struct fg_str path)
{
	struct fg_conf *conf = includer->conf;
	struct fg_conf_node *root, *next;
	struct stat status;
	struct fg_str identity;

	if (conf->file_count >= FG_MAX_CONFIG_FILES) {
		fg_conf_error(conf, node, "more than %d files are included", FG_MAX_CONFIG_FILES);
		return;
	}
	if (stat(fg_arena_cstr(&conf->scratch, path), &status) != 0) {
		fg_conf_error(conf, node, FG_STR_FMT " cannot be read: %s", FG_STR_ARG(path), strerror(errno));
		return;
	}
	identity = fg_arena_printf(&conf->scratch, "%ju/%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	if (fg_names_add(&includer->seen, identity, includer) != NULL) {
		fg_conf_error(conf, node, FG_STR_FMT " is read already", FG_STR_ARG(path));
		return;
	}
	if (fg_conf_open(conf, path, FG_CONF_FILE, &root) == FG_ERR_SYSTEM)
		fg_conf_error(conf, node, FG_STR_FMT " cannot be read: %s", FG_STR_ARG(path), conf->unreadable);
	if (root == NULL)
		return;
	for (struct fg_conf_node *entry = root->first; entry != NULL; entry = next) {
		next = entry->next;
		merge_entry(includer, entry);
	}
}

static int
on_glob_error(const char *path, int error)
{
	(void)path;
	return error != ENOENT && error != ENOTDIR;
}

/* The folder is a name, not a pattern. */
static char *
make_pattern(struct fg_conf *conf, const struct fg_conf_node *node)
{
	struct fg_str folder = node->file->path, pattern = node->text;
	struct fg_buf buf;
	char *made;

	fg_buf_init(&buf, FG_MAX_CONFIG_BYTES * 3);
	if (pattern.len > 0 && pattern.p[0] == '/')
		folder.len = 0;
	while (folder.len > 0 && folder.p[folder.len - 1] != '/')
		folder.len--;
	for (size_t i = 0; i < folder.len; i++) {
		if (strchr("*?[\\", folder.p[i]) != NULL)
			(void)fg_buf_add_char(&buf, '\\');
		(void)fg_buf_add_char(&buf, folder.p[i]);
	}
	(void)fg_buf_add(&buf, pattern);
	made = fg_arena_cstr(&conf->scratch, fg_buf_str(&buf));
	fg_buf_fini(&buf);
	return made;
}

static void
include_pattern(struct includer *includer, const struct fg_conf_node *node)
{
	bool is_pattern = strpbrk(node->text.p, "*?[") != NULL;
	glob_t found = {0};
	int rc;

	if (node->text.len == 0)
		return;
	rc = glob(make_pattern(includer->conf, node), 0, on_glob_error, &found);
	if (rc == GLOB_NOMATCH && !is_pattern)
		fg_conf_error(includer->conf, node, "there is no file " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_resolve(includer->conf, node, node->text)));
	else if (rc != 0 && rc != GLOB_NOMATCH)
		fg_conf_error(includer->conf, node, "a folder of " FG_STR_FMT " cannot be read: %s",
		    FG_STR_ARG(fg_conf_quote(includer->conf, node->text)), strerror(errno));
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		include_file(includer, node, fg_str_from(found.gl_pathv[i]));
	globfree(&found);
}

void
fg_conf_include(struct fg_conf *conf, struct fg_conf_node *root, const char *const *maps)
{
	const struct fg_conf_node *list = fg_conf_get(root, "include"), *node = list;
	struct includer includer = {.conf = conf, .root = root, .maps = maps};
	struct stat status;

	if (list == NULL)
		return;
	fg_names_init(&includer.seen, &conf->scratch);
	if (stat(root->file->path.p, &status) == 0)
		fg_names_add(&includer.seen,
		    fg_arena_printf(&conf->scratch, "%ju/%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino), &includer);
	/* What is not text is left to the table of keys to refuse. */
	if (list->kind == FG_CONF_NODE_LIST)
		node = list->first;
	for (; node != NULL; node = node == list ? NULL : node->next)
		if (node->kind == FG_CONF_NODE_SCALAR && !node->is_broken)
			include_pattern(&includer, node);
}
