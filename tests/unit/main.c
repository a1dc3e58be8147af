/* Runs every suite, or those named on the command line; exit 1 when an assertion failed or no test ran. */
#include <stdio.h>

#include "support/run_suites.h"
#include "unit/unit.h"

static const struct suite_entry suites[] = {
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

int
main(int argc, char **argv)
{
	return run_suites(suites, sizeof(suites) / sizeof(suites[0]), false, NULL, argc, argv);
}
