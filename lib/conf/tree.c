/*
 * YAML text to a tree of nodes with places. The only user of yaml.h. What the text means is not decided here; what it
 * may not contain at all (anchors, tags, merge keys, a name twice, too much of anything) is.
 */
#include <yaml.h>

#include "base/limits.h"
#include "conf/internal.h"
#include "conf/names.h"
#include "conf/syntax.h"

enum { INDEX_FROM = 8 }; /* entries; smaller maps are searched as they are */

/* A list or map that is open. */
struct frame {
	struct fg_conf_node *node;
	struct fg_conf_node *name; /* of a map: the name whose value comes next, or NULL */
	bool skip_value;           /* the name was refused: its value is read and dropped */
	struct fg_names names;     /* of a map that has grown past INDEX_FROM */
};

struct reader {
	struct fg_conf *conf;
	const struct fg_conf_file *file;
	yaml_parser_t yaml;
	struct frame stack[FG_MAX_CONFIG_DEPTH];
	size_t depth;
	struct fg_conf_node *root;
	unsigned documents;
	bool failed; /* nothing can be made of the rest */
};

static void
fail_at(struct reader *reader, const yaml_mark_t *mark, const char *message)
{
	fg_conf_error_at(reader->conf, reader->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1, FG_STR_NONE,
	    fg_str_from(message));
	reader->failed = true;
}

static struct fg_conf_node *
new_node(struct reader *reader, enum fg_conf_kind kind, const yaml_event_t *event)
{
	struct fg_conf *conf = reader->conf;
	struct fg_conf_node *node = FG_ARENA_NEW(&conf->scratch, struct fg_conf_node);

	node->kind = kind;
	node->file = reader->file;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	if (++conf->nodes > FG_MAX_CONFIG_NODES && !reader->failed)
		fail_at(reader, &event->start_mark, "the configuration has too many names and values");
	return node;
}

/* ---- names */

static const struct fg_conf_node *
find_twin(struct reader *reader, struct frame *frame, struct fg_conf_node *name)
{
	struct fg_conf_node *entry = frame->node->first;

	if (frame->node->count < INDEX_FROM) {
		while (entry != NULL && !fg_str_eq(entry->name->text, name->text))
			entry = entry->next;
		return entry == NULL ? NULL : entry->name;
	}
	if (frame->names.count == 0) {
		fg_names_init(&frame->names, &reader->conf->scratch);
		for (; entry != NULL; entry = entry->next)
			fg_names_add(&frame->names, entry->name->text, entry);
	}
	entry = fg_names_find(&frame->names, name->text);
	return entry == NULL ? NULL : entry->name;
}

static void
take_name(struct reader *reader, const yaml_event_t *event)
{
	struct frame *frame = &reader->stack[reader->depth - 1];
	struct fg_conf_node *name = new_node(reader, FG_CONF_NODE_SCALAR, event);
	struct fg_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
	const struct fg_conf_node *twin;

	name->text = fg_arena_str(&reader->conf->scratch, text);
	name->parent = frame->node;
	name->is_name = true;
	frame->name = name;
	frame->skip_value = true;
	twin = find_twin(reader, frame, name);
	if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
		fg_conf_error(reader->conf, name, "a name takes neither an anchor (&) nor a tag (!)");
	else if (fg_str_find(text, '\0') < text.len || text.len == 0)
		fg_conf_error(reader->conf, name, text.len == 0 ? "a name is missing before the ':'" : "a name has a NUL byte");
	else if (fg_str_eq(text, FG_STR("<<")))
		fg_conf_error(reader->conf, name,
		    "merge keys (<<) are not taken; what routes have in common goes under defaults:");
	else if (twin != NULL)
		fg_conf_error(reader->conf, name, FG_STR_FMT " is there twice; first at " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(reader->conf, text)), FG_STR_ARG(fg_conf_place(reader->conf, twin)));
	else
		frame->skip_value = false;
}

/* ---- values */

/* The value that begins now gets its place in the list or map that is open. */
static void
attach(struct reader *reader, struct fg_conf_node *node)
{
	struct frame *frame;
	struct fg_conf_node *parent;

	if (reader->depth == 0) {
		reader->root = node;
		return;
	}
	frame = &reader->stack[reader->depth - 1];
	parent = frame->node;
	node->parent = parent;
	node->name = frame->name;
	node->index = parent->count;
	frame->name = NULL;
	if (parent->kind == FG_CONF_NODE_MAP && frame->skip_value)
		return;
	if (parent->last == NULL)
		parent->first = node;
	else
		parent->last->next = node;
	parent->last = node;
	parent->count++;
	if (parent->kind == FG_CONF_NODE_MAP && frame->names.count > 0)
		fg_names_add(&frame->names, node->name->text, node);
}

static bool
is_expecting_name(const struct reader *reader)
{
	const struct frame *frame;

	if (reader->depth == 0)
		return false;
	frame = &reader->stack[reader->depth - 1];
	return frame->node->kind == FG_CONF_NODE_MAP && frame->name == NULL;
}

static void
refuse_tag_and_anchor(struct reader *reader, struct fg_conf_node *node, const yaml_char_t *tag,
    const yaml_char_t *anchor)
{
	if (tag != NULL)
		fg_conf_error(reader->conf, node, "tags (!) are not taken; put a value that begins with ! in quotes");
	if (anchor != NULL)
		fg_conf_error(reader->conf, node,
		    "anchors (&) are not taken; put a value that begins with & in quotes, and what routes have in common under defaults:");
	node->is_broken = tag != NULL || anchor != NULL;
}

static void
take_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct fg_conf *conf = reader->conf;
	struct fg_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
	struct fg_conf_node *node;
	bool changed;

	if (is_expecting_name(reader)) {
		take_name(reader, event);
		return;
	}
	node = new_node(reader, FG_CONF_NODE_SCALAR, event);
	attach(reader, node);
	refuse_tag_and_anchor(reader, node, event->data.scalar.tag, event->data.scalar.anchor);
	if (node->is_broken)
		return;
	node->is_broken = !fg_conf_substitute(conf, node, text, &node->text, &changed);
	reader->failed |= conf->bytes > FG_MAX_CONFIG_TOTAL_BYTES;
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !changed;
	if (!node->is_broken && fg_str_find(node->text, '\0') < node->text.len) {
		fg_conf_error(conf, node, "has a NUL byte");
		node->is_broken = true;
	}
}

static void
take_alias(struct reader *reader, const yaml_event_t *event)
{
	struct fg_conf_node *node = new_node(reader, FG_CONF_NODE_SCALAR, event);

	if (is_expecting_name(reader)) {
		fail_at(reader, &event->start_mark, "a name that begins with * must stand in quotes");
		return;
	}
	attach(reader, node);
	node->is_broken = true;
	fg_conf_error(reader->conf, node, "aliases (*) are not taken; put a value that begins with * in quotes: \"*%s\"",
	    (const char *)event->data.alias.anchor);
}

static void
open_collection(struct reader *reader, enum fg_conf_kind kind, const yaml_event_t *event)
{
	struct fg_conf_node *node;

	if (is_expecting_name(reader)) {
		fail_at(reader, &event->start_mark,
		    "a list or map cannot be a name; put a value that begins with { or [ in quotes");
		return;
	}
	if (reader->depth == FG_MAX_CONFIG_DEPTH) {
		fail_at(reader, &event->start_mark, "lists and maps are nested too deeply");
		return;
	}
	node = new_node(reader, kind, event);
	attach(reader, node);
	if (kind == FG_CONF_NODE_LIST)
		refuse_tag_and_anchor(reader, node, event->data.sequence_start.tag, event->data.sequence_start.anchor);
	else
		refuse_tag_and_anchor(reader, node, event->data.mapping_start.tag, event->data.mapping_start.anchor);
	reader->stack[reader->depth++] = (struct frame){.node = node};
}

static void
take_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++reader->documents > 1)
			fail_at(reader, &event->start_mark, "a second document (---) begins here; a file has one");
		break;
	case YAML_SCALAR_EVENT:
		take_scalar(reader, event);
		break;
	case YAML_ALIAS_EVENT:
		take_alias(reader, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		open_collection(reader, FG_CONF_NODE_LIST, event);
		break;
	case YAML_MAPPING_START_EVENT:
		open_collection(reader, FG_CONF_NODE_MAP, event);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		reader->depth--;
		break;
	default:
		break;
	}
}

static void
take_syntax_error(struct reader *reader, struct fg_str text)
{
	const yaml_parser_t *yaml = &reader->yaml;
	struct fg_syntax_error error = {
	    .text = text,
	    .problem = yaml->problem == NULL ? "not well-formed" : yaml->problem,
	    .context = yaml->context == NULL ? "" : yaml->context,
	    .line = (unsigned)yaml->problem_mark.line + 1,
	    .column = (unsigned)yaml->problem_mark.column + 1,
	    .offset = yaml->problem_mark.index,
	    .context_line = (unsigned)yaml->context_mark.line + 1,
	    .context_column = (unsigned)yaml->context_mark.column + 1,
	};
	struct fg_str message;

	if (yaml->error == YAML_READER_ERROR)
		fg_syntax_locate(&error, yaml->problem_offset);
	message = fg_syntax_explain(&error, &reader->conf->scratch);
	fg_conf_error_at(reader->conf, reader->file, error.line, error.column, FG_STR_NONE, message);
	reader->failed = true;
}

enum fg_err
fg_conf_parse(struct fg_conf *conf, struct fg_str path, struct fg_str text, struct fg_conf_node **root)
{
	struct fg_conf_file *file = FG_ARENA_NEW(&conf->scratch, struct fg_conf_file);
	struct reader reader = {.conf = conf, .file = file};
	const yaml_mark_t start = {0};
	bool ended = false;
	yaml_event_t event;

	*file = (struct fg_conf_file){.path = fg_arena_str(&conf->scratch, path), .index = conf->file_count++};
	*root = NULL;
	FG_ASSERT(yaml_parser_initialize(&reader.yaml) == 1);
	yaml_parser_set_input_string(&reader.yaml, (const unsigned char *)text.p, text.len);
	while (!ended && !reader.failed) {
		if (yaml_parser_parse(&reader.yaml, &event) == 0) {
			take_syntax_error(&reader, text);
			break;
		}
		take_event(&reader, &event);
		ended = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&reader.yaml);
	if (!reader.failed && reader.root == NULL)
		fail_at(&reader, &start, "the file is empty; it begins with `version: 1`");
	else if (!reader.failed && reader.root->kind != FG_CONF_NODE_MAP)
		fail_at(&reader, &start, "the file is not a map of names and values; it begins with `version: 1`");
	if (reader.failed)
		return FG_ERR_CONFIG;
	*root = reader.root;
	return FG_OK;
}
