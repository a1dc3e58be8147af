/* Runs every suite, or those named on the command line; exit 1 when an assertion failed or no test ran. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

static const struct {
	const char *name;
	void (*add)(void);
} suites[] = {
#define FG_SUITE(name) {#name, suite_##name},
#include "unit/suites.h"
#undef FG_SUITE
};

bool
unit_str_is(struct fg_str s, const char *expected, const char *file, int line)
{
	if (fg_str_eq(s, fg_str_from(expected)))
		return true;
	fprintf(stderr, "%s:%d: got \"%.*s\", expected \"%s\"\n", file, line, (int)s.len, s.p == NULL ? "" : s.p, expected);
	return false;
}

static bool
is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

int
main(int argc, char **argv)
{
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (is_wanted(suites[i].name, argc, argv))
			suites[i].add();
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_tests_failed() + CU_get_number_of_failures() + (CU_get_number_of_tests_run() == 0);
	CU_cleanup_registry();
	return failed > 0;
}
