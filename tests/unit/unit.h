/* What a unit test file includes. A suite is a function that adds its tests to the registry. */
#ifndef FG_TESTS_UNIT_H
#define FG_TESTS_UNIT_H

#include <CUnit/CUnit.h>

#include "base/str.h"

#define FG_SUITE(name) void suite_##name(void);
#include "unit/suites.h"
#undef FG_SUITE

#define ADD_TEST(suite, fn) \
	do { \
		if (CU_add_test((suite), #fn, (fn)) == NULL) \
			abort(); \
	} while (0)

/* Compares a struct fg_str with a C string; says both when they differ. */
bool unit_str_is(struct fg_str s, const char *expected, const char *file, int line);
#define ASSERT_STR(s, expected) CU_ASSERT(unit_str_is((s), (expected), __FILE__, __LINE__))

#endif
