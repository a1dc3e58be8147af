/* lib/conf/suggest.h, lib/conf/names.h: finding a name, and the nearest one. */
#include <stdint.h>
#include <stdlib.h>

#include "conf/names.h"
#include "conf/suggest.h"
#include "unit/unit.h"

static void
suggestions(void)
{
	static const struct {
		const char *text, *candidate;
		unsigned distance;
	} table[] = {
	    {"GTE", "GET", 1}, {"get", "GET", 0}, {"stript-prefix", "strip-prefix", 1}, {"abc", "abc", 0}, {"", "abc", 3},
	    {"kitten", "sitting", 3}, {"ca", "abc", 3}, {"methdos", "methods", 1}, {"a", "", 1},
	};
	struct fg_suggest suggest;

	for (size_t i = 0; i < FG_ARRAY_LEN(table); i++)
		CU_ASSERT_EQUAL(fg_edit_distance(fg_str_from(table[i].text), fg_str_from(table[i].candidate), 10),
		    table[i].distance);
	CU_ASSERT_EQUAL(fg_edit_distance(FG_STR("kitten"), FG_STR("sitting"), 2), 3);
	fg_suggest_init(&suggest, FG_STR("tiemout"));
	fg_suggest_offer(&suggest, FG_STR("targets"));
	CU_ASSERT_EQUAL(suggest.best.len, 0);
	fg_suggest_offer(&suggest, FG_STR("timeouts"));
	fg_suggest_offer(&suggest, FG_STR("timeout"));
	fg_suggest_offer(&suggest, FG_STR("timeouts"));
	ASSERT_STR(suggest.best, "timeout");
	fg_suggest_init(&suggest, FG_STR("xy"));
	fg_suggest_offer(&suggest, FG_STR("ab"));
	CU_ASSERT_EQUAL(suggest.best.len, 0);
}

/* Up to a limit is how names are compared; without one every cell of the table is filled in. */
static void
distances_up_to_a_limit(void)
{
	char text[2][12];
	uint32_t seed = 1;

	for (unsigned round = 0; round < 20000; round++) {
		struct fg_str s[2];
		unsigned whole, limit = round % 5;

		for (size_t k = 0; k < 2; k++) {
			s[k] = (struct fg_str){text[k], (seed = seed * 1664525 + 1013904223) >> 24 & 7};
			for (size_t i = 0; i < s[k].len; i++)
				text[k][i] = (char)('a' + ((seed = seed * 1664525 + 1013904223) >> 24) % 3);
		}
		whole = fg_edit_distance(s[0], s[1], 64);
		CU_ASSERT_EQUAL(fg_edit_distance(s[0], s[1], limit), whole > limit ? limit + 1 : whole);
	}
}

static void
names(void)
{
	struct fg_arena arena;
	struct fg_names index;
	int values[100];

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	fg_names_init(&index, &arena);
	CU_ASSERT_PTR_NULL(fg_names_find(&index, FG_STR("0")));
	for (int i = 0; i < 100; i++)
		CU_ASSERT_PTR_NULL(fg_names_add(&index, fg_arena_printf(&arena, "%d", i), &values[i]));
	CU_ASSERT_PTR_EQUAL(fg_names_add(&index, FG_STR("42"), &arena), &values[42]);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_PTR_EQUAL(fg_names_find(&index, fg_arena_printf(&arena, "%d", i)), &values[i]);
	CU_ASSERT_PTR_NULL(fg_names_find(&index, FG_STR("100")));
	fg_arena_fini(&arena);
}

void
suite_suggest(void)
{
	CU_pSuite suite = CU_add_suite("suggest", NULL, NULL);

	ADD_TEST(suite, suggestions);
	ADD_TEST(suite, distances_up_to_a_limit);
	ADD_TEST(suite, names);
}
