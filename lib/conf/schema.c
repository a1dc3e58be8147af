/*
 * The JSON Schema (draft 2020-12) of a table of keys, for editors: what they complete and underline. It says less than
 * the parser checks (no conditions between keys), and never refuses what the parser takes.
 *
 * YAML gives an editor numbers and booleans where the parser sees text, and ${NAME} may stand for any value; hence the
 * alternatives.
 */
#include <inttypes.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"

struct writer {
	struct fg_buf *out;
	struct fg_arena arena; /* scratch */
};

static void write_value(struct writer *w, const struct fg_conf_key *key);

static void
add(struct writer *w, const char *text)
{
	(void)fg_buf_add(w->out, fg_str_from(text));
}

static void
add_string(struct writer *w, struct fg_str text)
{
	add(w, "\"");
	(void)fg_buf_add_json(w->out, text);
	add(w, "\"");
}

static void
write_choices(struct writer *w, const struct fg_conf_key *key)
{
	add(w, "{\"enum\": [");
	for (const struct fg_conf_choice *choice = key->choices; choice->name != NULL; choice++) {
		add(w, choice == key->choices ? "" : ", ");
		add_string(w, fg_str_from(choice->name));
	}
	add(w, "]}, {\"$ref\": \"#/$defs/environment\"}");
}

static void
write_properties(struct writer *w, const struct fg_conf_key *keys)
{
	bool first = true;

	add(w, "\"type\": \"object\", \"additionalProperties\": false, \"properties\": {");
	for (const struct fg_conf_key *key = keys; key->name != NULL; key++) {
		add(w, key == keys ? "\n" : ",\n");
		add_string(w, fg_str_from(key->name));
		add(w, ": ");
		write_value(w, key);
	}
	add(w, "}");
	for (const struct fg_conf_key *key = keys; key->name != NULL; key++) {
		if ((key->flags & FG_CONF_REQUIRED) == 0)
			continue;
		add(w, first ? ", \"required\": [" : ", ");
		add_string(w, fg_str_from(key->name));
		first = false;
	}
	add(w, first ? "" : "]");
}

static void
write_list(struct writer *w, const struct fg_conf_key *key)
{
	(void)fg_buf_printf(w->out, "{\"type\": \"array\", \"maxItems\": %" PRId64 ", \"items\": ",
	    key->max == 0 ? FG_CONF_MAX_LIST : key->max);
	write_value(w, key->item);
	add(w, "}");
	if ((key->flags & FG_CONF_OR_ONE) != 0) {
		add(w, ", ");
		write_value(w, key->item);
	}
}

static void
write_map(struct writer *w, const struct fg_conf_key *key)
{
	add(w, "{\"type\": \"object\"");
	if (key->item_name->schema != NULL)
		(void)fg_buf_printf(w->out, ", \"propertyNames\": {%s}", key->item_name->schema);
	add(w, ", \"additionalProperties\": ");
	write_value(w, key->item);
	add(w, "}");
}

/* The short form, and the section or its variants. */
static void
write_sections(struct writer *w, const struct fg_conf_key *key)
{
	if (key->parse != NULL)
		(void)fg_buf_printf(w->out, "{%s}, ", key->schema);
	if (key->variants == NULL) {
		add(w, "{");
		write_properties(w, key->keys);
		add(w, "}");
		return;
	}
	for (const struct fg_conf_variant *variant = key->variants; variant->name != NULL; variant++) {
		add(w, variant == key->variants ? "{" : ", {");
		write_properties(w, variant->keys);
		add(w, "}");
	}
}

/* The alternatives of a value, the members of an "anyOf". */
static void
write_forms(struct writer *w, const struct fg_conf_key *key)
{
	switch (key->type) {
	case FG_CONF_BOOL:
		add(w, "{\"type\": \"boolean\"}, {\"$ref\": \"#/$defs/environment\"}");
		break;
	case FG_CONF_INT:
		(void)fg_buf_printf(w->out, "{\"type\": \"integer\", \"minimum\": %" PRId64 ", \"maximum\": %" PRId64 "}, "
		    "{\"$ref\": \"#/$defs/environment\"}", key->min, key->max);
		break;
	case FG_CONF_SIZE:
		add(w, "{\"$ref\": \"#/$defs/size\"}");
		break;
	case FG_CONF_DURATION:
		add(w, "{\"$ref\": \"#/$defs/duration\"}");
		break;
	case FG_CONF_STRING:
		add(w, "{\"$ref\": \"#/$defs/text\"}");
		break;
	case FG_CONF_ENUM:
		write_choices(w, key);
		break;
	case FG_CONF_CUSTOM:
		(void)fg_buf_printf(w->out, "{%s}", key->schema);
		break;
	case FG_CONF_SECTION:
		write_sections(w, key);
		break;
	case FG_CONF_LIST:
		write_list(w, key);
		break;
	case FG_CONF_MAP:
		write_map(w, key);
		break;
	}
	if (key->word != NULL)
		(void)fg_buf_printf(w->out, ", {\"const\": \"%s\"}", key->word);
}

static void
write_value(struct writer *w, const struct fg_conf_key *key)
{
	const char *preset = key->shown_preset != NULL ? key->shown_preset : key->preset;

	add(w, "{");
	if (key->help != NULL) {
		add(w, "\"description\": ");
		add_string(w, preset == NULL ? fg_str_from(key->help)
		                             : fg_arena_printf(&w->arena, "%s (default: %s)", key->help, preset));
		add(w, ", ");
	}
	add(w, "\"anyOf\": [");
	write_forms(w, key);
	add(w, "]}");
}

bool
fg_conf_format_schema(struct fg_buf *out, const struct fg_conf_key *keys, const char *title)
{
	struct writer writer = {.out = out};

	fg_arena_init(&writer.arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
	add(&writer, "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n\"title\": ");
	add_string(&writer, fg_str_from(title));
	add(&writer, ",\n\"$defs\": {\n"
	    "\"environment\": {\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"},\n"
	    "\"text\": {\"type\": [\"string\", \"number\", \"boolean\"]},\n"
	    "\"size\": {\"anyOf\": [{\"const\": 0}, {\"type\": \"string\", \"pattern\": \"^[0-9]+[bkMG]$|\\\\$\\\\{\"}]},\n"
	    "\"duration\": {\"anyOf\": [{\"const\": 0}, {\"type\": \"string\", \"pattern\": \"^[0-9]+(ms|s|m|h|d)$|\\\\$\\\\{\"}]}},\n");
	write_properties(&writer, keys);
	add(&writer, "}\n");
	fg_arena_fini(&writer.arena);
	return !out->failed;
}
