/*
 * Patterns of origins, and Origin headers against them. The input: a pattern, a newline, a header's value. What a pattern
 * with a name takes must be an origin whose host ends with that name, whatever the bytes.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "filter/cors_origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
has_only(struct fg_str text, const char *set)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '\0' || strchr(set, text.p[i]) == NULL)
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fg_str text = {(const char *)data, size}, pattern, value, message, rest;
	size_t line = fg_str_find(text, '\n');
	struct fg_origin origin;
	struct fg_arena arena;

	if (size > FG_MAX_TARGET_BYTES)
		return 0;
	pattern = fg_str_slice(text, 0, line);
	value = fg_str_slice(text, line + 1, size);
	fg_arena_init(&arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	if (fg_origin_parse(&origin, pattern, &arena, &message) == FG_OK && fg_origin_takes(&origin, value) &&
	    !origin.is_any && !origin.is_null) {
		FG_ASSERT(fg_str_starts_with(value, origin.scheme));
		rest = fg_str_slice(value, origin.scheme.len, value.len);
		if (origin.host.p[0] != '[')
			rest = fg_str_slice(rest, 0, fg_str_find(rest, ':'));
		if (origin.any_name) {
			FG_ASSERT(fg_str_ends_with(rest, origin.host) && rest.len > origin.host.len);
			FG_ASSERT(has_only(fg_str_slice(rest, 0, rest.len - origin.host.len), "abcdefghijklmnopqrstuvwxyz0123456789-_."));
		} else {
			FG_ASSERT(fg_str_starts_with(rest, origin.host));
		}
	}
	fg_arena_fini(&arena);
	return 0;
}
