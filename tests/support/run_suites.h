/* What the programs of tests (CUnit) have in common: which suites run, and what is said at the end. */
#ifndef FG_TESTS_SUPPORT_RUN_SUITES_H
#define FG_TESTS_SUPPORT_RUN_SUITES_H

#include <stdbool.h>
#include <stddef.h>

struct suite_entry {
	const char *name;
	void (*add)(void);
};

/*
 * Runs all suites, or those that argv names; is_verbose: with a line a test, as always where the output is no terminal. What
 * failed is said once more at the end, since of a long output only that may be seen; tell_more, which may be NULL, runs before
 * it. The exit status: 1 when anything failed or no test ran, 2 when there is no such suite.
 */
int run_suites(const struct suite_entry *suites, size_t count, bool is_verbose, void (*tell_more)(void), int argc, char **argv);

/* What failed so far: for a program that ends before. */
void run_suites_tell_failures(void);

#endif
