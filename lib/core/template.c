/*
 * Templates: text with request variables in braces. They are taken apart once, when the configuration is read, with
 * all mistakes found there; rendering only joins. What a template is for decides how a value is written into it, so that
 * no value can end a header, a path segment or a query parameter.
 */
#include "base/limits.h"
#include "core/exchange.h"
#include "core/var_int.h"

/* A variable with the text before it; the last piece has text alone. */
struct piece {
	struct fg_str text; /* as it will stand in the result */
	bool has_var, has_default;
	struct fg_var var;
	struct fg_str fallback;
};

struct fg_template {
	struct fg_str source;
	enum fg_template_use use;
	struct piece *pieces;
	size_t count;
};

static enum fg_err
refuse(struct fg_str *message, struct fg_str why)
{
	*message = why;
	return FG_ERR_SYNTAX;
}

/* ---- reading */

static enum fg_err
check_path_text(struct fg_str text, struct fg_str *message)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '?')
			return refuse(message, FG_STR("a path has no query; set parameters under request.query"));
		if (c <= ' ' || c == 0x7f || c == '#' || c == '\\')
			return refuse(message, FG_STR("spaces, control characters, '#' and '\\' are to be percent-encoded in a path"));
		if (c != '%')
			continue;
		if (text.len - i < 3 || fg_hex_value(text.p[i + 1]) < 0 || fg_hex_value(text.p[i + 2]) < 0)
			return refuse(message, FG_STR("a '%' without two hexadecimal digits; a literal one is %25"));
	}
	return FG_OK;
}

/* Brings text that the configuration gives into the form of the result. */
static enum fg_err
take_text(enum fg_template_use use, struct fg_str *text, struct fg_arena *arena, struct fg_str *message)
{
	switch (use) {
	case FG_TEMPLATE_HEADER:
		if (!fg_is_field_value(*text))
			return refuse(message, FG_STR("a header's value has no control characters"));
		break;
	case FG_TEMPLATE_PATH:
		return check_path_text(*text, message);
	case FG_TEMPLATE_QUERY:
		*text = fg_uri_encode(*text, arena);
		break;
	}
	return FG_OK;
}

static bool
may_be_absent(const struct fg_var *var)
{
	switch (var->kind) {
	case FG_VAR_HEADER:
	case FG_VAR_COOKIE:
	case FG_VAR_QUERY:
	case FG_VAR_CONSUMER:
	case FG_VAR_CLAIM:
		return true;
	default:
		return false;
	}
}

/* What stands between the braces. */
static enum fg_err
read_var(struct piece *piece, struct fg_str text, enum fg_template_use use, struct fg_arena *arena,
    struct fg_str *message)
{
	struct fg_str name = text;

	piece->has_var = true;
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.p[i] == ':' && text.p[i + 1] == '-') {
			piece->has_default = true;
			piece->fallback = fg_str_slice(text, i + 2, text.len);
			name = fg_str_slice(text, 0, i);
			break;
		}
	}
	if (fg_str_eq(name, FG_STR("rest")))
		name = FG_STR("path:rest");
	if (fg_var_parse(&piece->var, name, arena, message) != FG_OK)
		return FG_ERR_SYNTAX;
	if (use == FG_TEMPLATE_PATH && may_be_absent(&piece->var) && !piece->has_default)
		return refuse(message,
		    fg_arena_printf(arena, "{" FG_STR_FMT "} may be absent, and a path needs it: give a default, as in {" FG_STR_FMT
			":-none}", FG_STR_ARG(name), FG_STR_ARG(name)));
	return take_text(use, &piece->fallback, arena, message);
}

/* The text up to the next variable, or to the end. *at comes to stand behind its '{'; false at the end. */
static bool
read_text(struct fg_str source, size_t *at, struct fg_arena *arena, struct fg_str *text)
{
	char *out = fg_arena_alloc(arena, source.len - *at + 1);
	size_t len = 0;
	bool is_var = false;

	while (*at < source.len && !is_var) {
		char c = source.p[(*at)++];
		bool is_brace = c == '{' && *at < source.len && source.p[*at] == '{';

		if (is_brace)
			(*at)++;
		is_var = c == '{' && !is_brace;
		if (!is_var)
			out[len++] = c;
	}
	*text = (struct fg_str){out, len};
	return is_var;
}

enum fg_err
fg_template_parse(struct fg_template **out, struct fg_str text, enum fg_template_use use, struct fg_arena *arena,
    struct fg_str *message)
{
	struct fg_template *template = FG_ARENA_NEW(arena, struct fg_template);
	size_t braces = 0, at = 0;

	template->source = fg_arena_str(arena, text);
	template->use = use;
	text = template->source;
	for (size_t i = 0; i < text.len; i++)
		braces += text.p[i] == '{';
	template->pieces = FG_ARENA_ARRAY(arena, struct piece, braces + 1);
	do {
		struct piece *piece = &template->pieces[template->count++];
		bool is_var = read_text(text, &at, arena, &piece->text);
		size_t end;

		if (take_text(use, &piece->text, arena, message) != FG_OK)
			return FG_ERR_SYNTAX;
		if (!is_var)
			break;
		end = at + fg_str_find(fg_str_slice(text, at, text.len), '}');
		if (end == text.len)
			return refuse(message, FG_STR("a \"{\" without its \"}\"; a literal one is \"{{\""));
		if (read_var(piece, fg_str_slice(text, at, end), use, arena, message) != FG_OK)
			return FG_ERR_SYNTAX;
		at = end + 1;
	} while (at < text.len);
	*out = template;
	return FG_OK;
}

void
fg_template_each_var(const struct fg_template *template, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	for (size_t i = 0; i < template->count; i++)
		if (template->pieces[i].has_var)
			fn(arg, &template->pieces[i].var);
}

struct fg_str
fg_template_text(const struct fg_template *template)
{
	return template->source;
}

/* ---- rendering */

/* What is too long already is not made longer: a client's bytes may not fill the arena. */
static void
encode(struct fg_str *value, struct fg_exchange *x)
{
	if (value->len <= FG_MAX_TEMPLATE_BYTES)
		*value = fg_uri_encode(*value, &x->arena);
}

static bool
get_for_path(const struct fg_var *var, struct fg_exchange *x, struct fg_str *value)
{
	if (var->kind == FG_VAR_PATH)
		return fg_var_get(var, x, value); /* canonical: encoded as it is to be */
	if (var->kind == FG_VAR_PATH_SEGMENT)
		return fg_var_get_encoded_segment(x, var->name, value);
	if (!fg_var_get(var, x, value))
		return false;
	encode(value, x);
	return true;
}

/* False when it is absent. */
static bool
get_value(const struct piece *piece, enum fg_template_use use, struct fg_exchange *x, struct fg_str *value)
{
	switch (use) {
	case FG_TEMPLATE_HEADER:
		return fg_var_get(&piece->var, x, value) && fg_is_field_value(*value);
	case FG_TEMPLATE_PATH:
		return get_for_path(&piece->var, x, value);
	case FG_TEMPLATE_QUERY:
		if (!fg_var_get(&piece->var, x, value))
			return false;
		encode(value, x);
		return true;
	}
	return false;
}

bool
fg_template_render(const struct fg_template *template, struct fg_exchange *x, struct fg_str *out)
{
	struct fg_str *parts;
	size_t count = 0, len = 0;

	if (template->count == 1 && !template->pieces[0].has_var) {
		*out = template->pieces[0].text;
		return true;
	}
	parts = FG_ARENA_ARRAY(&x->arena, struct fg_str, 2 * template->count);
	for (size_t i = 0; i < template->count; i++) {
		const struct piece *piece = &template->pieces[i];
		struct fg_str value = FG_STR_NONE;

		if (piece->has_var && !get_value(piece, template->use, x, &value)) {
			/* A group of a regex that took no part is empty in a path; elsewhere it is absent. */
			if (!piece->has_default && (template->use != FG_TEMPLATE_PATH || may_be_absent(&piece->var)))
				return false;
			value = piece->fallback;
		}
		parts[count++] = piece->text;
		parts[count++] = value;
		len += piece->text.len + value.len;
		if (len > FG_MAX_TEMPLATE_BYTES)
			return false;
	}
	*out = fg_arena_join(&x->arena, parts, count);
	return true;
}
