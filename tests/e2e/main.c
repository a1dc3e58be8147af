/* Runs every suite, or those named on the command line; exit 1 when an assertion failed or no test ran. */
#include <CUnit/Basic.h>
#include <signal.h>
#include <sys/resource.h>

#include "e2e/e2e.h"

static const struct {
	const char *name;
	void (*add)(void);
} suites[] = {
#define FG_SUITE(name) {#name, suite_##name},
#include "e2e/suites.h"
#undef FG_SUITE
};

static void
set_up(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static void
tear_down(void)
{
	http_forget_all();
}

CU_pSuite
add_suite(const char *name, int (*init)(void), int (*cleanup)(void))
{
	CU_pSuite suite = CU_add_suite_with_setup_and_teardown(name, init, cleanup, set_up, tear_down);

	if (suite == NULL)
		abort();
	return suite;
}

bool
check_said(bool holds, const struct front *front, const char *what, const char *file, int line)
{
	if (!holds)
		fprintf(stderr, "%s:%d: behind %s: %s\n", file, line, front->name, what);
	return holds;
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
	struct rlimit files = {8192, 8192};
	unsigned failed;

	/* A dead peer is a result, not the end; 512 connections are ours and the services' at once. */
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (is_wanted(suites[i].name, argc, argv))
			suites[i].add();
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_tests_failed() + CU_get_number_of_failures() + CU_get_number_of_suites_failed() +
	    (CU_get_number_of_tests_run() == 0);
	CU_cleanup_registry();
	return failed > 0;
}
