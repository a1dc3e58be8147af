/*
 * Scalars: what the text of a value means under a key of a given type, and what is said when it means nothing. Numbers
 * with units have them always, for a bare number means one thing to one reader and another to the next; 0 is 0 in any.
 */
#include <inttypes.h>

#include "conf/internal.h"
#include "conf/suggest.h"

struct unit {
	struct fg_str name;
	int64_t factor;
};

static const struct unit durations[] = {
    {FG_STR_INIT("ms"), FG_US_PER_MS},
    {FG_STR_INIT("s"), FG_US_PER_S},
    {FG_STR_INIT("m"), INT64_C(60) * FG_US_PER_S},
    {FG_STR_INIT("h"), INT64_C(3600) * FG_US_PER_S},
    {FG_STR_INIT("d"), INT64_C(86400) * FG_US_PER_S},
};

static const struct unit sizes[] = {
    {FG_STR_INIT("b"), 1},
    {FG_STR_INIT("k"), 1024},
    {FG_STR_INIT("M"), INT64_C(1024) * 1024},
    {FG_STR_INIT("G"), INT64_C(1024) * 1024 * 1024},
};

/* ---- reading */

static bool
to_units(struct fg_str text, const struct unit *units, size_t count, int64_t *out)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < text.len && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	if (!fg_str_to_u64(fg_str_slice(text, 0, digits), &number))
		return false;
	text = fg_str_slice(text, digits, text.len);
	if (text.len == 0 && number == 0) {
		*out = 0;
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (fg_str_eq(text, units[i].name)) {
			if (number > (uint64_t)(INT64_MAX / units[i].factor))
				return false;
			*out = (int64_t)number * units[i].factor;
			return true;
		}
	}
	return false;
}

bool
fg_conf_to_duration(struct fg_str text, fg_usec *out)
{
	return to_units(text, durations, FG_ARRAY_LEN(durations), out);
}

bool
fg_conf_to_size(struct fg_str text, int64_t *out)
{
	return to_units(text, sizes, FG_ARRAY_LEN(sizes), out);
}

static bool
to_int(struct fg_str text, int64_t *out)
{
	bool negative = text.len > 0 && text.p[0] == '-';
	uint64_t number;

	if (!fg_str_to_u64(fg_str_slice(text, negative, text.len), &number) || number > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)number : (int64_t)number;
	return true;
}

static bool
to_number(enum fg_conf_type type, struct fg_str text, int64_t *out)
{
	if (type == FG_CONF_INT)
		return to_int(text, out);
	return type == FG_CONF_SIZE ? fg_conf_to_size(text, out) : fg_conf_to_duration(text, out);
}

/* ---- writing */

static struct fg_str
format_units(int64_t value, const struct unit *units, size_t count, struct fg_arena *arena)
{
	size_t i = count - 1;

	if (value == 0)
		return FG_STR("0");
	while (i > 0 && value % units[i].factor != 0)
		i--;
	return fg_arena_printf(arena, "%" PRId64 FG_STR_FMT, value / units[i].factor, FG_STR_ARG(units[i].name));
}

struct fg_str
fg_conf_format_duration(fg_usec span, struct fg_arena *arena)
{
	return format_units(span, durations, FG_ARRAY_LEN(durations), arena);
}

struct fg_str
fg_conf_format_size(int64_t bytes, struct fg_arena *arena)
{
	return format_units(bytes, sizes, FG_ARRAY_LEN(sizes), arena);
}

static struct fg_str
format_number(enum fg_conf_type type, int64_t value, struct fg_arena *arena)
{
	if (type == FG_CONF_SIZE)
		return fg_conf_format_size(value, arena);
	if (type == FG_CONF_DURATION)
		return fg_conf_format_duration(value, arena);
	return fg_arena_printf(arena, "%" PRId64, value);
}

static struct fg_str
join_choices(const struct fg_conf_choice *choices, struct fg_arena *arena)
{
	struct fg_str all = fg_str_from(choices->name);

	for (choices++; choices->name != NULL; choices++)
		all = fg_arena_printf(arena, FG_STR_FMT "%s%s", FG_STR_ARG(all), choices[1].name == NULL ? " or " : ", ",
		    choices->name);
	return all;
}

static struct fg_str
describe_number(const struct fg_conf_key *key, struct fg_arena *arena)
{
	const char *what = key->type == FG_CONF_SIZE ? "a size (64k, 10M)" :
	    key->type == FG_CONF_DURATION            ? "a duration (250ms, 5s, 1m, 2h, 30d)" :
					       "a whole number";
	struct fg_str low = format_number(key->type, key->min, arena), high = format_number(key->type, key->max, arena);
	struct fg_str all;

	all = fg_arena_printf(arena, "%s from " FG_STR_FMT " to " FG_STR_FMT, what, FG_STR_ARG(low), FG_STR_ARG(high));
	if (key->word != NULL)
		all = fg_arena_printf(arena, FG_STR_FMT ", or %s", FG_STR_ARG(all), key->word);
	return all;
}

struct fg_str
fg_conf_describe(const struct fg_conf_key *key, struct fg_arena *arena)
{
	switch (key->type) {
	case FG_CONF_BOOL:
		return FG_STR("true or false");
	case FG_CONF_INT:
	case FG_CONF_SIZE:
	case FG_CONF_DURATION:
		return describe_number(key, arena);
	case FG_CONF_STRING:
		return key->form != NULL ? fg_str_from(key->form) : FG_STR("text");
	case FG_CONF_ENUM:
		return join_choices(key->choices, arena);
	case FG_CONF_CUSTOM:
		return fg_str_from(key->form);
	case FG_CONF_SECTION:
		return key->form == NULL ? FG_STR("a map") : fg_arena_printf(arena, "%s, or a map", key->form);
	case FG_CONF_LIST:
		return FG_STR("a list");
	case FG_CONF_MAP:
		return FG_STR("a map");
	}
	return FG_STR_NONE;
}

/* ---- storing */

static void
store_int(const struct fg_conf_key *key, void *out, int64_t value)
{
	if (key->size == sizeof(int64_t)) {
		memcpy(out, &value, sizeof(value));
	} else if (key->size == sizeof(bool)) {
		*(bool *)out = value != 0;
	} else {
		int narrow = (int)value;

		FG_ASSERT(key->size == sizeof(narrow) && narrow == value);
		memcpy(out, &narrow, sizeof(narrow));
	}
}

static bool
read_bool(struct fg_conf *conf, const struct fg_conf_node *node, bool *out)
{
	static const char *const yes[] = {"yes", "on", "y", "1"}, *const no[] = {"no", "off", "n", "0"};
	struct fg_str text = node->text, meant = FG_STR_NONE;

	if (fg_str_eq(text, FG_STR("true")) || fg_str_eq(text, FG_STR("false"))) {
		*out = text.len == 4;
		return true;
	}
	for (size_t i = 0; i < FG_ARRAY_LEN(yes); i++) {
		if (fg_str_ieq(text, fg_str_from(yes[i])) || fg_str_ieq(text, FG_STR("true")))
			meant = FG_STR("; write true");
		if (fg_str_ieq(text, fg_str_from(no[i])) || fg_str_ieq(text, FG_STR("false")))
			meant = FG_STR("; write false");
	}
	fg_conf_error(conf, node, "expected true or false, found " FG_STR_FMT FG_STR_FMT,
	    FG_STR_ARG(fg_conf_quote(conf, text)), FG_STR_ARG(meant));
	return false;
}

/* What may have been meant: the number with a unit, or the unit's letter in the other case. */
static struct fg_str
suggest_number(struct fg_conf *conf, const struct fg_conf_key *key, struct fg_str text)
{
	const char *units = key->type == FG_CONF_DURATION ? "ms, s, m, h or d" : "b, k, M or G";
	struct fg_suggest suggest;
	uint64_t number;
	struct fg_str unit;
	size_t digits = 0;

	if (key->word != NULL) {
		fg_suggest_init(&suggest, text);
		fg_suggest_offer(&suggest, fg_str_from(key->word));
		if (suggest.best.len > 0)
			return fg_suggest_format(&suggest, &conf->scratch);
	}
	if (key->type == FG_CONF_INT)
		return FG_STR("");
	while (digits < text.len && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	if (!fg_str_to_u64(fg_str_slice(text, 0, digits), &number))
		return FG_STR("");
	unit = fg_str_slice(text, digits, text.len);
	if (unit.len == 0 && key->type == FG_CONF_DURATION)
		return fg_arena_printf(&conf->scratch, "; a unit is missing: %s (" FG_STR_FMT "%s?)", units, FG_STR_ARG(text),
		    number > (uint64_t)(key->max / FG_US_PER_S) ? "ms" : "s");
	if (unit.len == 0)
		return fg_arena_printf(&conf->scratch, "; a unit is missing: %s (" FG_STR_FMT "k?)", units, FG_STR_ARG(text));
	for (size_t i = 0; i < FG_ARRAY_LEN(sizes); i++)
		if (key->type == FG_CONF_SIZE && fg_ascii_lower(unit.p[0]) == fg_ascii_lower(sizes[i].name.p[0]))
			return fg_arena_printf(&conf->scratch, "; did you mean %" PRIu64 FG_STR_FMT "?", number,
			    FG_STR_ARG(sizes[i].name));
	return fg_arena_printf(&conf->scratch, "; the units are %s", units);
}

static bool
read_number(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str quoted, suggestion, wanted;
	int64_t value;

	if (key->word != NULL && fg_str_eq(node->text, fg_str_from(key->word))) {
		store_int(key, out, key->word_value);
		return true;
	}
	if (to_number(key->type, node->text, &value) && value >= key->min && value <= key->max) {
		store_int(key, out, value);
		return true;
	}
	quoted = fg_conf_quote(conf, node->text);
	wanted = describe_number(key, &conf->scratch);
	if (to_number(key->type, node->text, &value)) {
		fg_conf_error(conf, node, FG_STR_FMT " is out of range; expected " FG_STR_FMT, FG_STR_ARG(quoted),
		    FG_STR_ARG(wanted));
	} else {
		suggestion = suggest_number(conf, key, node->text);
		fg_conf_error(conf, node, "expected " FG_STR_FMT ", found " FG_STR_FMT FG_STR_FMT, FG_STR_ARG(wanted),
		    FG_STR_ARG(quoted), FG_STR_ARG(suggestion));
	}
	return false;
}

static bool
read_string(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, struct fg_str *out)
{
	size_t max = key->max == 0 ? FG_CONF_MAX_STRING : (size_t)key->max;

	if (node->text.len == 0 && (key->flags & FG_CONF_EMPTY) == 0) {
		fg_conf_error(conf, node, "is empty; expected " FG_STR_FMT, FG_STR_ARG(fg_conf_describe(key, &conf->scratch)));
		return false;
	}
	if (node->text.len > max) {
		fg_conf_error(conf, node, "has %zu bytes; at most %zu are taken", node->text.len, max);
		return false;
	}
	*out = fg_arena_str(conf->arena, node->text);
	return true;
}

static bool
read_enum(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_suggest suggest;
	struct fg_str suggestion;

	fg_suggest_init(&suggest, node->text);
	for (const struct fg_conf_choice *choice = key->choices; choice->name != NULL; choice++) {
		if (fg_str_eq(node->text, fg_str_from(choice->name))) {
			store_int(key, out, choice->value);
			return true;
		}
		fg_suggest_offer(&suggest, fg_str_from(choice->name));
	}
	suggestion = fg_suggest_format(&suggest, &conf->scratch);
	fg_conf_error(conf, node, "expected " FG_STR_FMT ", found " FG_STR_FMT FG_STR_FMT,
	    FG_STR_ARG(join_choices(key->choices, &conf->scratch)), FG_STR_ARG(fg_conf_quote(conf, node->text)),
	    FG_STR_ARG(suggestion));
	return false;
}

/* An empty plain scalar, ~ and null are how YAML says "nothing"; whether text is meant is not for us to guess. */
static bool
is_null(const struct fg_conf_node *node)
{
	return node->is_plain &&
	    (node->text.len == 0 || fg_str_eq(node->text, FG_STR("~")) || fg_str_eq(node->text, FG_STR("null")));
}

static bool
is_text(const struct fg_conf_node *node)
{
	return node->kind == FG_CONF_NODE_SCALAR && !node->is_broken && !is_null(node);
}

bool
fg_conf_want_text(struct fg_conf *conf, const struct fg_conf_node *node, const char *wanted, struct fg_str *text)
{
	*text = node->text;
	if (is_text(node))
		return true;
	if (node->is_broken)
		return false;
	if (node->kind != FG_CONF_NODE_SCALAR)
		fg_conf_error(conf, node, "expected %s, found %s%s", wanted, fg_conf_kind_name(node->kind),
		    node->kind == FG_CONF_NODE_MAP ? "; text with { or ': ' in it must stand in quotes" : "");
	else if (node->text.len == 0)
		fg_conf_error(conf, node, "has no value; expected %s, or remove the name", wanted);
	else
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT " (nothing); remove the name, or put the word in quotes",
		    wanted, FG_STR_ARG(node->text));
	return false;
}

bool
fg_conf_read_scalar(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;

	if (!is_text(node))
		return fg_conf_want_text(conf, node, fg_conf_describe(key, &conf->scratch).p, &text);
	switch (key->type) {
	case FG_CONF_BOOL:
		return read_bool(conf, node, out);
	case FG_CONF_STRING:
		return read_string(conf, node, key, out);
	case FG_CONF_ENUM:
		return read_enum(conf, node, key, out);
	default:
		return read_number(conf, node, key, out);
	}
}
