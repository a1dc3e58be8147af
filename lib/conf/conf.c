/* A reading of a configuration: its files, and what one node is to another. */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"

void
fg_conf_init(struct fg_conf *conf, struct fg_arena *arena, void *arg)
{
	*conf = (struct fg_conf){.arena = arena, .arg = arg};
	conf->mistakes_end = &conf->mistakes;
	fg_arena_init(&conf->scratch, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
}

void
fg_conf_fini(struct fg_conf *conf)
{
	fg_arena_fini(&conf->scratch);
}

static int
open_source(struct fg_conf *conf, const char *path, enum fg_conf_source source)
{
	int fd;

	if (source == FG_CONF_FILE)
		return fg_conf_open_regular(path, &conf->unreadable);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	conf->unreadable = strerror(errno);
	return fd;
}

enum fg_err
fg_conf_open(struct fg_conf *conf, struct fg_str path, enum fg_conf_source source, struct fg_conf_node **root)
{
	int fd = open_source(conf, fg_arena_cstr(&conf->scratch, path), source);
	enum fg_err err = FG_ERR_SYSTEM;
	struct fg_buf text;

	*root = NULL;
	if (fd < 0)
		return FG_ERR_SYSTEM;
	if (!fg_conf_read_fd(fd, FG_MAX_CONFIG_BYTES, &text)) {
		conf->unreadable = strerror(errno);
	} else if (conf->bytes + text.len > FG_MAX_CONFIG_TOTAL_BYTES) {
		conf->unreadable = strerror(EFBIG);
	} else {
		conf->bytes += text.len;
		err = FG_OK;
	}
	close(fd);
	if (err == FG_OK)
		err = fg_conf_parse(conf, path, fg_buf_str(&text), root);
	fg_buf_fini(&text);
	return err;
}

const struct fg_conf_node *
fg_conf_get(const struct fg_conf_node *node, const char *name)
{
	const struct fg_conf_node *entry;

	if (node == NULL || node->kind != FG_CONF_NODE_MAP)
		return NULL;
	for (entry = node->first; entry != NULL; entry = entry->next)
		if (fg_str_eq(entry->name->text, fg_str_from(name)))
			return entry;
	return NULL;
}
