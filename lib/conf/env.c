/* ${NAME} and ${NAME:-default} in a value. What is put in is not looked at again. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"

static bool
is_variable_name(struct fg_str name)
{
	if (name.len == 0 || (name.p[0] >= '0' && name.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!fg_ascii_is_alnum(name.p[i]) && name.p[i] != '_')
			return false;
	return true;
}

/* inside: between the braces. */
static bool
look_up(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str inside, struct fg_str *value)
{
	struct fg_str name = inside;
	bool has_default = false;
	const char *found;

	for (size_t i = 0; i + 1 < inside.len; i++) {
		if (inside.p[i] == ':' && inside.p[i + 1] == '-') {
			name = fg_str_slice(inside, 0, i);
			has_default = true;
			break;
		}
	}
	if (!is_variable_name(name)) {
		fg_conf_error(conf, node,
		    FG_STR_FMT " is not the name of an environment variable; write ${NAME} or ${NAME:-default}, and $${ for ${ itself",
		    FG_STR_ARG(fg_conf_quote(conf, name)));
		return false;
	}
	found = getenv(fg_arena_cstr(&conf->scratch, name));
	if (has_default && (found == NULL || *found == '\0')) {
		*value = fg_str_slice(inside, name.len + 2, inside.len);
		return true;
	}
	if (found == NULL) {
		fg_conf_error(conf, node,
		    "the environment has no variable " FG_STR_FMT "; set it, or give a default: ${" FG_STR_FMT ":-…}",
		    FG_STR_ARG(name), FG_STR_ARG(name));
		return false;
	}
	*value = fg_str_from(found);
	return true;
}

/* rest begins behind "${"; moved behind the "}". */
static bool
substitute_one(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str *rest, struct fg_buf *buf)
{
	size_t end = fg_str_find(*rest, '}');
	struct fg_str value;

	if (end == rest->len) {
		fg_conf_error(conf, node, "\"${\" without its \"}\"; write $${ for ${ itself");
		return false;
	}
	if (!look_up(conf, node, fg_str_slice(*rest, 0, end), &value))
		return false;
	*rest = fg_str_slice(*rest, end + 1, rest->len);
	return fg_conf_take_bytes(conf, node, value.len) && fg_buf_add(buf, value);
}

static bool
substitute_all(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str text, struct fg_buf *buf)
{
	while (text.len > 0) {
		size_t at = fg_str_find(text, '$');

		(void)fg_buf_add(buf, fg_str_slice(text, 0, at));
		text = fg_str_slice(text, at, text.len);
		if (fg_str_starts_with(text, FG_STR("$${"))) {
			(void)fg_buf_add(buf, FG_STR("${"));
			text = fg_str_slice(text, 3, text.len);
		} else if (fg_str_starts_with(text, FG_STR("${"))) {
			text = fg_str_slice(text, 2, text.len);
			if (!substitute_one(conf, node, &text, buf))
				return false;
		} else if (text.len > 0) {
			(void)fg_buf_add_char(buf, '$');
			text = fg_str_slice(text, 1, text.len);
		}
	}
	return true;
}

bool
fg_conf_substitute(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str text, struct fg_str *out,
    bool *changed)
{
	struct fg_buf buf;
	bool ok;

	*changed = false;
	if (fg_str_find(text, '$') == text.len) {
		*out = fg_arena_str(&conf->scratch, text);
		return true;
	}
	/* Every byte was counted, so that the sum of the bounds is above what can come. */
	fg_buf_init(&buf, FG_MAX_CONFIG_BYTES + FG_MAX_CONFIG_TOTAL_BYTES);
	ok = substitute_all(conf, node, text, &buf);
	FG_ASSERT(!buf.failed || !ok);
	*out = fg_arena_str(&conf->scratch, fg_buf_str(&buf));
	fg_buf_fini(&buf);
	*changed = !fg_str_eq(*out, text);
	return ok;
}
