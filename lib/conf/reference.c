/*
 * The reference page of a table of keys, in Markdown: each section a table of its own, outer ones first, so that the page
 * reads like the file.
 */
#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"

enum { MAX_TABLES = 256 };

struct writer {
	struct fg_buf *out;
	struct fg_arena arena; /* scratch */
	/* Tables that were written already, and where: a filter's keys stand under `defaults` and under each route. */
	struct {
		const struct fg_conf_key *keys;
		struct fg_str path;
	} written[MAX_TABLES];
	size_t written_count;
};

static void write_section(struct writer *w, struct fg_str path, const struct fg_conf_key *key, const struct fg_conf_key *keys);

static struct fg_str
join(struct writer *w, struct fg_str path, const char *name)
{
	if (path.len == 0)
		return fg_arena_printf(&w->arena, "%s", name);
	return fg_arena_printf(&w->arena, FG_STR_FMT ".%s", FG_STR_ARG(path), name);
}

/* The text of a cell: a bar would end it. */
static void
add_cell(struct writer *w, struct fg_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '|')
			(void)fg_buf_add_char(w->out, '\\');
		(void)fg_buf_add_char(w->out, text.p[i]);
	}
}

/* "a list of URL", "a map of HEADER: text": what to write, in words. */
static struct fg_str
describe(struct writer *w, const struct fg_conf_key *key)
{
	struct fg_str item, name;

	if (key->type == FG_CONF_STRING && key->form == NULL && fg_ascii_upper(key->name[0]) == key->name[0])
		return fg_str_from(key->name); /* an element: HEADER says more than "text" */
	if (key->type != FG_CONF_LIST && key->type != FG_CONF_MAP)
		return fg_conf_describe(key, &w->arena);
	item = describe(w, key->item);
	if (key->type == FG_CONF_LIST)
		return fg_arena_printf(&w->arena, "a list%s of: " FG_STR_FMT,
		    (key->flags & FG_CONF_OR_ONE) != 0 ? ", or one alone," : "", FG_STR_ARG(item));
	name = fg_str_from(key->item_name->name);
	return fg_arena_printf(&w->arena, "a map of " FG_STR_FMT ": " FG_STR_FMT, FG_STR_ARG(name), FG_STR_ARG(item));
}

static void
write_row(struct writer *w, const struct fg_conf_key *key)
{
	const char *preset = key->shown_preset != NULL ? key->shown_preset : key->preset;
	bool is_code = key->shown_preset == NULL && preset != NULL;

	(void)fg_buf_printf(w->out, "| `%s` | ", key->name);
	add_cell(w, describe(w, key));
	(void)fg_buf_add(w->out, FG_STR(" | "));
	if ((key->flags & FG_CONF_REQUIRED) != 0)
		(void)fg_buf_add(w->out, FG_STR("required"));
	else if (preset != NULL)
		(void)fg_buf_printf(w->out, is_code ? "`%s`" : "%s", preset);
	(void)fg_buf_add(w->out, FG_STR(" | "));
	add_cell(w, fg_str_from(key->help));
	(void)fg_buf_add(w->out, FG_STR(" |\n"));
}

/* `type: jwt` and so on, a section each. */
static void
write_variants(struct writer *w, struct fg_str path, const struct fg_conf_key *key)
{
	for (const struct fg_conf_variant *variant = key->variants; variant->name != NULL; variant++) {
		const struct fg_conf_key shown = {.help = variant->help};

		write_section(w, fg_arena_printf(&w->arena, FG_STR_FMT " (%s: %s)", FG_STR_ARG(path), key->variant_key,
		    variant->name), &shown, variant->keys);
	}
}

/* The sections below a key, however many lists and maps lie between. */
static void
write_below(struct writer *w, struct fg_str path, const struct fg_conf_key *key)
{
	const struct fg_conf_key *inner = key;

	if (key->type == FG_CONF_LIST) {
		path = fg_arena_printf(&w->arena, FG_STR_FMT "[]", FG_STR_ARG(path));
		inner = key->item;
	} else if (key->type == FG_CONF_MAP) {
		path = join(w, path, key->item_name->name);
		inner = key->item;
	}
	if (inner != key)
		write_below(w, path, inner);
	else if (key->variants != NULL)
		write_variants(w, path, key);
	else if (key->keys != NULL)
		write_section(w, path, key, key->keys);
}

/* NULL: not yet; it is noted now. */
static const struct fg_str *
find_written(struct writer *w, const struct fg_conf_key *keys, struct fg_str path)
{
	for (size_t i = 0; i < w->written_count; i++)
		if (w->written[i].keys == keys)
			return &w->written[i].path;
	FG_ASSERT(w->written_count < MAX_TABLES);
	w->written[w->written_count].keys = keys;
	w->written[w->written_count++].path = path;
	return NULL;
}

static void
write_section(struct writer *w, struct fg_str path, const struct fg_conf_key *key, const struct fg_conf_key *keys)
{
	const struct fg_str *elsewhere = find_written(w, keys, path);

	if (path.len > 0)
		(void)fg_buf_printf(w->out, "\n## `" FG_STR_FMT "`\n", FG_STR_ARG(path));
	if (elsewhere != NULL) {
		(void)fg_buf_printf(w->out, "\nThe keys of `" FG_STR_FMT "`.\n", FG_STR_ARG(*elsewhere));
		return;
	}
	if (key != NULL && key->help != NULL)
		(void)fg_buf_printf(w->out, "\n%c%s.\n", fg_ascii_upper(key->help[0]), key->help + 1);
	(void)fg_buf_add(w->out, FG_STR("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n"));
	for (const struct fg_conf_key *row = keys; row->name != NULL; row++)
		write_row(w, row);
	for (const struct fg_conf_key *row = keys; row->name != NULL; row++)
		write_below(w, join(w, path, row->name), row);
}

bool
fg_conf_format_reference(struct fg_buf *out, const struct fg_conf_key *keys)
{
	struct writer writer = {.out = out};

	fg_arena_init(&writer.arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
	(void)fg_buf_add(out, FG_STR(
	    "# All keys of the configuration\n"
	    "\n"
	    "Made by `faregate check --reference` from the tables that the parser itself uses. `faregate check --schema` prints\n"
	    "the same as a JSON Schema, for editors.\n"
	    "\n"
	    "Durations are `250ms 5s 1m 2h 30d`, sizes `512b 64k 10M 2G` (of 1024); a bare number is an error, but `0` is 0 in any\n"
	    "unit. A value may take the environment: `${NAME}`, `${NAME:-default}` where it is unset or empty; `$${` is a literal\n"
	    "`${`. Within `[ ]` and `{ }` such a value has to stand in quotes. Whether a value is text or a number is said by\n"
	    "its key: `v: 2` and `v: \"2\"` are the same under a key of text. Anchors, tags and merge keys of YAML are refused.\n"));
	write_section(&writer, FG_STR_NONE, NULL, keys);
	fg_arena_fini(&writer.arena);
	return !out->failed;
}
