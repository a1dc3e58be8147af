/*
 * Regexes of routes: compiled once, with JIT where there is one, and searched in a path within limits on time, depth
 * and memory. Paths are bytes, so UTF is off and stays off whatever the pattern says.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "router/router_int.h"

/* '.' takes a newline as well, and '$' is the very end: %0a is a byte like any other in a path. */
#define COMPILE_OPTIONS (PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY)

struct fg_regex {
	pcre2_code *code; /* owned, like the following */
	pcre2_match_context *context;
	pcre2_match_data *data;
	uint32_t groups[FG_MAX_PATH_CAPTURES]; /* numbers of the named groups */
};

static size_t
skip_class(struct fg_str text, size_t i)
{
	i++;
	if (i < text.len && text.p[i] == '^')
		i++;
	if (i < text.len && text.p[i] == ']')
		i++;
	for (; i < text.len && text.p[i] != ']'; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '[' && i + 1 < text.len && text.p[i + 1] == ':')
			while (i + 1 < text.len && !(text.p[i] == ':' && text.p[i + 1] == ']'))
				i++;
	}
	return i;
}

/* Whether '|' stands outside all groups; true as well where that is not certain. */
static bool
has_alternatives(struct fg_str text)
{
	int depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '\\') {
			i++;
			if (i < text.len && text.p[i] == 'Q')
				return true;
		} else if (c == '[') {
			i = skip_class(text, i);
		} else if (c == '#') {
			return true; /* a comment, perhaps, that hides parentheses */
		} else if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth--;
		} else if (c == '|' && depth <= 0) {
			return true;
		}
	}
	return false;
}

/* "^/v[0-9]" begins with "/v". An empty answer is always right. */
static struct fg_str
find_prefix(struct fg_str text, struct fg_arena *arena)
{
	char *out;
	size_t len = 0;

	if (text.len == 0 || text.p[0] != '^' || has_alternatives(text))
		return FG_STR_NONE;
	out = fg_arena_alloc(arena, text.len);
	for (size_t i = 1; i < text.len; i++) {
		char c = text.p[i];

		if (c == '\\' && i + 1 < text.len && !fg_ascii_is_alnum(text.p[i + 1])) {
			out[len++] = text.p[++i];
			continue;
		}
		if (c == '*' || c == '?' || c == '{')
			len -= len > 0;
		if (strchr("\\^$.[|()?*+{", c) != NULL)
			break;
		out[len++] = c;
	}
	return (struct fg_str){out, len};
}

static enum fg_err
read_names(struct fg_pattern *pattern, struct fg_arena *arena, struct fg_str *message)
{
	const pcre2_code *code = pattern->regex->code;
	uint32_t count = 0, row_size = 0;
	PCRE2_SPTR row = NULL;
	struct fg_str *names;

	pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &row_size);
	pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &row);
	if (count > FG_MAX_PATH_CAPTURES) {
		*message = fg_arena_printf(arena, "has more than %d named groups", FG_MAX_PATH_CAPTURES);
		return FG_ERR_SYNTAX;
	}
	names = FG_ARENA_ARRAY(arena, struct fg_str, count);
	for (uint32_t i = 0; i < count; i++, row += row_size) {
		/* Two bytes of number, then the name with its NUL. */
		pattern->regex->groups[i] = (uint32_t)row[0] << 8 | row[1];
		names[i] = fg_arena_str(arena, fg_str_from((const char *)row + 2));
	}
	pattern->names = names;
	pattern->name_count = count;
	return FG_OK;
}

enum fg_err
fg_regex_parse(struct fg_pattern *pattern, struct fg_str text, struct fg_arena *arena, struct fg_str *message)
{
	struct fg_regex *regex = calloc(1, sizeof(*regex));
	int code = 0;
	PCRE2_SIZE at = 0;

	FG_ASSERT(regex != NULL);
	pattern->regex = regex;
	if (text.len == 0) {
		*message = FG_STR("has no regex behind the \"~\"");
		return FG_ERR_SYNTAX;
	}
	regex->code = pcre2_compile((PCRE2_SPTR)text.p, text.len, COMPILE_OPTIONS, &code, &at, NULL);
	if (regex->code == NULL) {
		char why[256];

		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		*message = fg_arena_printf(arena, "is not a regex: %s, at offset %zu behind the \"~\"", why, (size_t)at);
		return FG_ERR_SYNTAX;
	}
	if (read_names(pattern, arena, message) != FG_OK)
		return FG_ERR_SYNTAX;
	pattern->prefix = find_prefix(text, arena);
	if (pattern->prefix.len > 0 && pattern->prefix.p[0] != '/') {
		*message = FG_STR("can never match: every path begins with \"/\"");
		return FG_ERR_SYNTAX;
	}
	regex->context = pcre2_match_context_create(NULL);
	regex->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
	FG_ASSERT(regex->context != NULL && regex->data != NULL);
	pcre2_set_match_limit(regex->context, FG_REGEX_MATCH_LIMIT);
	pcre2_set_depth_limit(regex->context, FG_REGEX_DEPTH_LIMIT);
	pcre2_set_heap_limit(regex->context, FG_REGEX_HEAP_KIB);
	(void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it matching is slower, nothing else */
	return FG_OK;
}

void
fg_regex_free(struct fg_regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->context);
	pcre2_code_free(regex->code);
	free(regex);
}

enum fg_regex_outcome
fg_regex_match(const struct fg_pattern *pattern, struct fg_str path, struct fg_route_hit *hit)
{
	const struct fg_regex *regex = pattern->regex;
	const PCRE2_SIZE *ends;
	int got;

	if (!fg_str_starts_with(path, pattern->prefix))
		return FG_REGEX_NO;
	got = pcre2_match(regex->code, (PCRE2_SPTR)path.p, path.len, 0, 0, regex->data, regex->context);
	if (got == PCRE2_ERROR_JIT_STACKLIMIT) /* 32 KiB, little; the interpreter may take FG_REGEX_HEAP_KIB */
		got = pcre2_match(regex->code, (PCRE2_SPTR)path.p, path.len, 0, PCRE2_NO_JIT, regex->data,
		    regex->context);
	if (got == PCRE2_ERROR_NOMATCH)
		return FG_REGEX_NO;
	if (got < 0)
		return FG_REGEX_LIMIT;
	ends = pcre2_get_ovector_pointer(regex->data);
	hit->capture_count = 0;
	for (size_t i = 0; i < pattern->name_count; i++) {
		uint32_t group = regex->groups[i];
		PCRE2_SIZE start = ends[2 * group], end = ends[2 * group + 1];

		/* A lookahead with \K can set an end before its start. */
		if ((int)group >= got || start == PCRE2_UNSET || end < start)
			continue;
		hit->captures[hit->capture_count++] =
		    (struct fg_capture){.name = pattern->names[i], .start = start, .len = end - start};
	}
	return FG_REGEX_YES;
}
