/*
 * A request target of any bytes: what is accepted is canonical (reading it again changes nothing), begins with a slash, and
 * has no dot segment left, however it was written.
 */
#include <stdint.h>

#include "base/limits.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_segments(struct fg_str match)
{
	struct fg_str rest = fg_str_slice(match, 1, match.len), segment;

	while (fg_str_next(&rest, '/', &segment))
		FG_ASSERT(!fg_str_eq(segment, FG_STR(".")) && !fg_str_eq(segment, FG_STR("..")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fg_str target = {(const char *)data, size};
	struct fg_uri uri, again;
	struct fg_arena arena;

	fg_arena_init(&arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	if (fg_uri_parse(&uri, target, &arena) == FG_OK && !fg_str_eq(uri.path, FG_STR("*"))) {
		FG_ASSERT(uri.path.len > 0 && uri.path.p[0] == '/' && uri.match.p[0] == '/');
		check_segments(uri.match);
		FG_ASSERT(fg_uri_parse(&again, uri.path, &arena) == FG_OK);
		FG_ASSERT(fg_str_eq(again.path, uri.path) && fg_str_eq(again.match, uri.match));
		FG_ASSERT(fg_uri_path_offset(&uri, uri.match.len) == uri.path.len);
		fg_uri_merge_slashes(&uri, &arena);
		FG_ASSERT(fg_uri_parse(&again, uri.path, &arena) == FG_OK);
		FG_ASSERT(fg_str_eq(again.match, uri.match) && !again.has_empty_segment);
	}
	fg_arena_fini(&arena);
	return 0;
}
