/* The table of methods as data. */
#include "http/method.h"

#include "base/assert.h"

static const struct {
	struct fg_str name;
	bool idempotent;
} methods[] = {
#define FG_METHOD_ROW(name, idempotent) {FG_STR_INIT(#name), idempotent},
    FG_METHOD_TABLE(FG_METHOD_ROW)
#undef FG_METHOD_ROW
};

_Static_assert(FG_METHOD_OTHER < 64, "a set of methods is one word");

enum fg_method
fg_method_parse(struct fg_str name)
{
	for (size_t i = 0; i < FG_ARRAY_LEN(methods); i++)
		if (fg_str_eq(name, methods[i].name))
			return (enum fg_method)i;
	return FG_METHOD_OTHER;
}

struct fg_str
fg_method_name(enum fg_method method)
{
	return method == FG_METHOD_OTHER ? FG_STR("OTHER") : methods[method].name;
}

struct fg_str
fg_method_set_format(fg_method_set set, struct fg_arena *arena)
{
	struct fg_str text = FG_STR_NONE;

	for (int method = 0; method < FG_METHOD_OTHER; method++)
		if (set & FG_METHOD_BIT(method))
			text = FG_ARENA_CONCAT(
			    arena, text, text.len > 0 ? FG_STR(", ") : FG_STR_NONE, fg_method_name((enum fg_method)method));
	return text;
}

bool
fg_method_is_idempotent(enum fg_method method)
{
	return method != FG_METHOD_OTHER && methods[method].idempotent;
}
