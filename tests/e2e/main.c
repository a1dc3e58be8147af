/* Runs every suite, or those named on the command line; exit 1 when an assertion failed or no test ran. */
#include <signal.h>
#include <sys/resource.h>

#include "e2e/e2e.h"
#include "support/run_suites.h"

static const struct suite_entry suites[] = {
#define FG_SUITE(name) {#name, suite_##name},
#include "e2e/suites.h"
#undef FG_SUITE
};

static unsigned failures; /* before the scene that runs */

static void
set_up(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	failures = CU_get_number_of_failures();
	bed_scene_begins();
}

static void
tear_down(void)
{
	if (CU_get_number_of_failures() > failures)
		bed_scene_failed();
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

void
check_holds(bool holds, const struct front *front, const char *what, const char *file, unsigned line)
{
	char text[512];

	snprintf(text, sizeof(text), "behind %s: %s", front->name, what);
	CU_assertImplementation(holds, line, text, file, "", CU_FALSE);
}

int
main(int argc, char **argv)
{
	struct rlimit files = {8192, 8192};

	/* A dead peer is a result, not the end; 512 connections are ours and the services' at once. */
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	return run_suites(suites, sizeof(suites) / sizeof(suites[0]), true, bed_tell_first_failure, argc, argv);
}
