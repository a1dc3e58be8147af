/*
 * What is wrong, where: noting mistakes with their place and path, and showing them all in the order of the file. What
 * a file says is escaped wherever it is shown, so that a line stays a line.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"

enum {
	QUOTE_BYTES = 80,          /* of a value shown in a message */
	KEPT_MISTAKES = 50 * FG_MAX_CONFIG_ERRORS, /* found in another order than shown, so more are kept */
};

const char *
fg_conf_kind_name(enum fg_conf_kind kind)
{
	return kind == FG_CONF_NODE_SCALAR ? "text" : kind == FG_CONF_NODE_LIST ? "a list" : "a map";
}

void
fg_conf_error_at(struct fg_conf *conf, const struct fg_conf_file *file, unsigned line, unsigned column,
    struct fg_str path, struct fg_str message)
{
	struct fg_conf_mistake *mistake;

	if (conf->mistake_count++ >= KEPT_MISTAKES)
		return;
	mistake = FG_ARENA_NEW(&conf->scratch, struct fg_conf_mistake);
	*mistake = (struct fg_conf_mistake){
	    .file = file, .line = line, .column = column, .order = conf->mistake_count, .path = path, .message = message};
	*conf->mistakes_end = mistake;
	conf->mistakes_end = &mistake->next;
}

static void FG_PRINTF(4, 0)
note(struct fg_conf *conf, const struct fg_conf_node *place, const struct fg_conf_node *node, const char *fmt,
    va_list args)
{
	struct fg_str message;

	if (conf->mistake_count >= KEPT_MISTAKES) {
		conf->mistake_count++;
		return;
	}
	message = fg_arena_vprintf(&conf->scratch, fmt, args);
	fg_conf_error_at(conf, place->file, place->line, place->column, fg_conf_path(conf, node), message);
}

void
fg_conf_error(struct fg_conf *conf, const struct fg_conf_node *node, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(conf, node, node, fmt, args);
	va_end(args);
}

void
fg_conf_error_at_name(struct fg_conf *conf, const struct fg_conf_node *node, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(conf, node->name != NULL ? node->name : node, node, fmt, args);
	va_end(args);
}

bool
fg_conf_may_compare(struct fg_conf *conf, size_t names)
{
	if (names > FG_MAX_CONFIG_COMPARISONS - conf->comparisons)
		return false;
	conf->comparisons += names;
	return true;
}

/* ---- paths, places, values in a message */

static void
add_path(struct fg_buf *buf, const struct fg_conf_node *node)
{
	/* A name stands for the map it is in: "routes.orders: unknown key …". */
	if (node->is_name)
		node = node->parent;
	if (node == NULL || node->parent == NULL)
		return;
	add_path(buf, node->parent);
	if (node->name != NULL) {
		if (buf->len > 0)
			(void)fg_buf_add_char(buf, '.');
		(void)fg_buf_add(buf, fg_str_slice(node->name->text, 0, QUOTE_BYTES));
	} else {
		(void)fg_buf_printf(buf, "[%zu]", node->index);
	}
}

struct fg_str
fg_conf_path(struct fg_conf *conf, const struct fg_conf_node *node)
{
	struct fg_buf buf;
	struct fg_str path;

	fg_buf_init(&buf, (size_t)FG_MAX_CONFIG_DEPTH * (QUOTE_BYTES + 32));
	add_path(&buf, node);
	path = fg_arena_str(&conf->scratch, fg_buf_str(&buf));
	fg_buf_fini(&buf);
	return path;
}

struct fg_str
fg_conf_place(struct fg_conf *conf, const struct fg_conf_node *node)
{
	return fg_arena_printf(&conf->scratch, FG_STR_FMT ":%u:%u", FG_STR_ARG(node->file->path), node->line, node->column);
}

struct fg_str
fg_conf_quote(struct fg_conf *conf, struct fg_str text)
{
	struct fg_buf buf;
	struct fg_str quoted, shown = text;

	if (shown.len > QUOTE_BYTES) {
		shown.len = QUOTE_BYTES;
		while (shown.len > 0 && ((unsigned char)text.p[shown.len] & 0xc0) == 0x80)
			shown.len--;
	}
	fg_buf_init(&buf, QUOTE_BYTES * 8);
	(void)fg_buf_add_char(&buf, '"');
	(void)fg_buf_add_json(&buf, shown);
	(void)fg_buf_add(&buf, shown.len < text.len ? FG_STR("…\"") : FG_STR("\""));
	quoted = fg_arena_str(&conf->scratch, fg_buf_str(&buf));
	fg_buf_fini(&buf);
	return quoted;
}

/* ---- all of them */

static int
compare_places(const void *va, const void *vb)
{
	const struct fg_conf_mistake *a = *(const struct fg_conf_mistake *const *)va;
	const struct fg_conf_mistake *b = *(const struct fg_conf_mistake *const *)vb;

	if (a->file->index != b->file->index)
		return a->file->index < b->file->index ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* The mistakes in order, to be freed; *count of them are to be shown. */
static const struct fg_conf_mistake **
sort_mistakes(const struct fg_conf *conf, size_t *count)
{
	size_t kept = conf->mistake_count < KEPT_MISTAKES ? conf->mistake_count : KEPT_MISTAKES, n = 0;
	const struct fg_conf_mistake **sorted = calloc(kept + 1, sizeof(struct fg_conf_mistake *));

	FG_ASSERT(sorted != NULL);
	for (const struct fg_conf_mistake *mistake = conf->mistakes; mistake != NULL; mistake = mistake->next)
		sorted[n++] = mistake;
	FG_ASSERT(n == kept);
	qsort(sorted, n, sizeof(struct fg_conf_mistake *), compare_places);
	*count = n < FG_MAX_CONFIG_ERRORS ? n : FG_MAX_CONFIG_ERRORS;
	return sorted;
}

/* Control characters would break the line or move the cursor of whoever reads it. */
static void
add_printable(struct fg_buf *out, struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		(void)fg_buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : s.p[i]);
	}
}

bool
fg_conf_format_mistakes(const struct fg_conf *conf, struct fg_buf *out)
{
	size_t count;
	const struct fg_conf_mistake **sorted = sort_mistakes(conf, &count);

	for (size_t i = 0; i < count; i++) {
		const struct fg_conf_mistake *mistake = sorted[i];

		add_printable(out, mistake->file->path);
		(void)fg_buf_printf(out, ":%u:%u: ", mistake->line, mistake->column);
		if (mistake->path.len > 0) {
			add_printable(out, mistake->path);
			(void)fg_buf_add(out, FG_STR(": "));
		}
		add_printable(out, mistake->message);
		(void)fg_buf_add_char(out, '\n');
	}
	free(sorted);
	if (count < conf->mistake_count)
		(void)fg_buf_printf(out, "and %zu more\n", conf->mistake_count - count);
	return !out->failed;
}

bool
fg_conf_format_mistakes_json(const struct fg_conf *conf, struct fg_buf *out)
{
	size_t count;
	const struct fg_conf_mistake **sorted = sort_mistakes(conf, &count);

	(void)fg_buf_add(out, FG_STR("\"errors\":["));
	for (size_t i = 0; i < count; i++) {
		const struct fg_conf_mistake *mistake = sorted[i];

		(void)fg_buf_printf(out, "%s{\"file\":\"", i > 0 ? "," : "");
		(void)fg_buf_add_json(out, mistake->file->path);
		(void)fg_buf_printf(out, "\",\"line\":%u,\"column\":%u,\"path\":\"", mistake->line, mistake->column);
		(void)fg_buf_add_json(out, mistake->path);
		(void)fg_buf_add(out, FG_STR("\",\"message\":\""));
		(void)fg_buf_add_json(out, mistake->message);
		(void)fg_buf_add(out, FG_STR("\"}"));
	}
	free(sorted);
	(void)fg_buf_printf(out, "],\"left_out\":%zu", conf->mistake_count - count);
	return !out->failed;
}
