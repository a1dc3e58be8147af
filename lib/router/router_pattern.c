/*
 * One path pattern as it stands in the configuration, read into tokens. Its literals go through the very function that
 * reads a request's path, so that both sides of the comparison have the same form.
 */
#include "router/router_int.h"

static enum fg_err
refuse(struct fg_str *message, struct fg_str why)
{
	*message = why;
	return FG_ERR_SYNTAX;
}

static bool
is_name(struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!fg_ascii_is_alnum(s.p[i]) && s.p[i] != '_' && (s.p[i] != '-' || i == 0))
			return false;
	return s.len > 0;
}

static bool
is_taken(const struct fg_str *names, size_t count, struct fg_str name)
{
	for (size_t i = 0; i < count; i++)
		if (fg_str_eq(names[i], name))
			return true;
	return false;
}

static enum fg_err
take_name(struct fg_pattern *pattern, struct fg_str *names, struct fg_str name, struct fg_arena *arena,
    struct fg_str *message)
{
	if (pattern->name_count == FG_MAX_PATH_CAPTURES)
		return refuse(message, fg_arena_printf(arena, "has more than %d variable parts", FG_MAX_PATH_CAPTURES));
	if (is_taken(names, pattern->name_count, name))
		return refuse(message,
		    fg_arena_printf(arena, "has the name {" FG_STR_FMT "} twice", FG_STR_ARG(name)));
	names[pattern->name_count++] = fg_arena_str(arena, name);
	return FG_OK;
}

/* A segment with braces: the whole of it has to be one {name}. */
static enum fg_err
read_param(struct fg_pattern *pattern, struct fg_str *names, struct fg_str segment, struct fg_arena *arena,
    struct fg_str *message)
{
	struct fg_str name = fg_str_slice(segment, 1, segment.len - 1);

	if (segment.len < 2 || segment.p[0] != '{' || segment.p[segment.len - 1] != '}' ||
	    fg_str_find(name, '{') < name.len || fg_str_find(name, '}') < name.len)
		return refuse(message,
		    fg_arena_printf(arena,
			"has \"" FG_STR_FMT "\": a segment is either literal or one {name} alone; for more use a regex (\"~\"), "
			"for a literal brace %%7B",
			FG_STR_ARG(segment)));
	if (!is_name(name))
		return refuse(message,
		    fg_arena_printf(arena, "has {" FG_STR_FMT "}: a name is letters, digits, '_' and '-'",
			FG_STR_ARG(name)));
	if (fg_str_eq(name, FG_STR("rest")))
		return refuse(message, FG_STR("has {rest}: that name is what a trailing \"*\" stands for"));
	return take_name(pattern, names, name, arena, message);
}

static bool
is_param(struct fg_str segment)
{
	return fg_str_find(segment, '{') < segment.len || fg_str_find(segment, '}') < segment.len;
}

static enum fg_err
read_captures(struct fg_pattern *pattern, struct fg_str path, bool has_rest, struct fg_arena *arena,
    struct fg_str *message)
{
	struct fg_str *names = FG_ARENA_ARRAY(arena, struct fg_str, FG_MAX_PATH_CAPTURES), segment;
	enum fg_err err = FG_OK;

	while (err == FG_OK && fg_str_next(&path, '/', &segment))
		if (is_param(segment))
			err = read_param(pattern, names, segment, arena, message);
	if (err == FG_OK && has_rest)
		err = take_name(pattern, names, FG_STR("rest"), arena, message);
	pattern->names = names;
	return err;
}

static enum fg_err
parse_literals(struct fg_uri *uri, struct fg_str path, struct fg_arena *arena, struct fg_str *message)
{
	enum fg_err err = fg_uri_parse(uri, path, arena);

	if (err == FG_ERR_PATH_AMBIGUOUS)
		return refuse(message, FG_STR("has a part that no request's path can have: a backslash, %00, an overlong "
		    "UTF-8 form, or a hidden dot segment"));
	if (err != FG_OK)
		return refuse(message, FG_STR("is not a valid URI path: percent-encode spaces, '#' and control characters"));
	if (uri->has_query)
		return refuse(message, FG_STR("has a query; conditions on it go under \"query\", a literal '?' is %3F"));
	if (uri->path.len != path.len)
		return refuse(message, FG_STR("has a dot segment; requests' paths have none once they are canonical"));
	return FG_OK;
}

/* raw and match have the same separators, so their segments go in pairs. */
static void
fill_tokens(struct fg_pattern *pattern, struct fg_str raw, struct fg_str match, bool has_rest, struct fg_arena *arena)
{
	uint16_t *tokens = FG_ARENA_ARRAY(arena, uint16_t, match.len + 1);
	size_t count = 0;
	bool is_literal = true;

	raw = fg_str_slice(raw, 1, raw.len);
	for (size_t i = 0; i < match.len;) {
		size_t end = i + 1 + fg_str_find(fg_str_slice(match, i + 1, match.len), '/');
		size_t raw_end = fg_str_find(raw, '/');

		tokens[count++] = '/';
		if (is_param(fg_str_slice(raw, 0, raw_end))) {
			if (is_literal)
				pattern->literal_len = count;
			is_literal = false;
			tokens[count++] = FG_TOKEN_PARAM;
		} else {
			for (size_t k = i + 1; k < end; k++)
				tokens[count++] = (unsigned char)match.p[k];
		}
		raw = fg_str_slice(raw, raw_end + 1, raw.len);
		i = end;
	}
	if (is_literal)
		pattern->literal_len = count;
	if (has_rest)
		tokens[count++] = FG_TOKEN_REST;
	pattern->tokens = tokens;
	pattern->token_count = count;
}

enum fg_err
fg_pattern_parse(struct fg_pattern *pattern, struct fg_str text, struct fg_arena *arena, struct fg_str *message)
{
	struct fg_str path = text;
	struct fg_uri uri;
	bool has_rest;

	*pattern = (struct fg_pattern){.text = text};
	if (text.len > FG_MAX_ROUTE_PATH_BYTES)
		return refuse(message, fg_arena_printf(arena, "is longer than %d bytes", FG_MAX_ROUTE_PATH_BYTES));
	if (text.len > 0 && text.p[0] == '~')
		return fg_regex_parse(pattern, fg_str_slice(text, 1, text.len), arena, message);
	if (text.len == 0 || text.p[0] != '/')
		return refuse(message, FG_STR("does not begin with \"/\", or with \"~\" for a regex"));
	has_rest = text.p[text.len - 1] == '*';
	if (fg_str_find(text, '*') + has_rest < text.len)
		return refuse(message, FG_STR("has a \"*\" that is not at its end; a literal one is %2A, one segment {name}"));
	if (has_rest) {
		/* Something has to stand for the rest: "/.*" is no dot segment, "/a/{id}*" no single name. */
		char *copy = fg_arena_cstr(arena, text);

		copy[text.len - 1] = 'x';
		path = (struct fg_str){copy, text.len};
	}
	if (read_captures(pattern, path, has_rest, arena, message) != FG_OK ||
	    parse_literals(&uri, path, arena, message) != FG_OK)
		return FG_ERR_SYNTAX;
	pattern->has_empty_segment = uri.has_empty_segment;
	fill_tokens(pattern, path, fg_str_slice(uri.match, 0, uri.match.len - has_rest), has_rest, arena);
	return FG_OK;
}

enum fg_err
fg_route_path_check(struct fg_str path, struct fg_arena *arena, struct fg_str *message)
{
	struct fg_pattern pattern;
	enum fg_err err = fg_pattern_parse(&pattern, path, arena, message);

	fg_regex_free(pattern.regex);
	return err;
}

enum fg_err
fg_route_path_names(struct fg_str path, struct fg_arena *arena, const struct fg_str **names, size_t *count)
{
	struct fg_pattern pattern;
	struct fg_str message;
	enum fg_err err = fg_pattern_parse(&pattern, path, arena, &message);

	fg_regex_free(pattern.regex);
	*names = pattern.names;
	*count = err == FG_OK ? pattern.name_count : 0;
	return err;
}

enum fg_err
fg_route_host_check(struct fg_str host, struct fg_arena *arena, struct fg_str *message)
{
	bool is_wildcard = fg_str_starts_with(host, FG_STR("*."));
	struct fg_str name = fg_str_slice(host, is_wildcard ? 2 : 0, host.len), parsed;
	unsigned port;

	if (is_wildcard && name.len > 0 && name.p[0] == '[')
		return refuse(message, FG_STR("is a wildcard for an address; only names have labels"));
	if (fg_host_parse(name, arena, &parsed, &port) != FG_OK)
		return refuse(message, FG_STR("is not a host: a name, \"*.\" and a name, or an address ([…] for IPv6)"));
	if (parsed.len < name.len)
		return refuse(message, FG_STR("has a port or a trailing dot; routes compare the host's name alone"));
	if (!fg_str_eq(parsed, name))
		return refuse(message, fg_arena_printf(arena, "has capital letters; write \"%s" FG_STR_FMT "\"",
		    is_wildcard ? "*." : "", FG_STR_ARG(parsed)));
	return FG_OK;
}
