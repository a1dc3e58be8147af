#include "support/run_suites.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FAILURES = 12 };

static bool
is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

static bool
is_suite(const struct suite_entry *suites, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(suites[i].name, name) == 0)
			return true;
	return false;
}

void
run_suites_tell_failures(void)
{
	const CU_FailureRecord *failure = CU_get_failure_list();

	for (unsigned n = 0; failure != NULL && n < MOST_FAILURES; n++, failure = failure->pNext)
		fprintf(stderr, "failed: %s: %s: %s:%u: %.200s\n", failure->pSuite == NULL ? "-" : failure->pSuite->pName,
		    failure->pTest == NULL ? "-" : failure->pTest->pName, failure->strFileName, failure->uiLineNumber,
		    failure->strCondition);
	if (failure != NULL)
		fputs("failed: more than these\n", stderr);
}

int
run_suites(const struct suite_entry *suites, size_t count, bool is_verbose, void (*tell_more)(void), int argc, char **argv)
{
	unsigned failed;

	for (int i = 1; i < argc; i++) {
		if (is_suite(suites, count, argv[i]))
			continue;
		fprintf(stderr, "%s: there is no suite \"%s\"\n", argv[0], argv[i]);
		return 2;
	}
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	for (size_t i = 0; i < count; i++)
		if (is_wanted(suites[i].name, argc, argv))
			suites[i].add();
	/* Where nobody looks on, the last line says what ran when the program died. */
	CU_basic_set_mode(is_verbose || !isatty(STDOUT_FILENO) ? CU_BRM_VERBOSE : CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_tests_failed() + CU_get_number_of_failures() + CU_get_number_of_suites_failed() +
	    (CU_get_number_of_tests_run() == 0);
	fflush(stdout);
	if (tell_more != NULL)
		tell_more();
	run_suites_tell_failures();
	CU_cleanup_registry();
	return failed > 0;
}
