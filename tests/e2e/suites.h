/* All suites, each the function `suite_NAME` of NAME_test.c. */
FG_SUITE(reference)
FG_SUITE(supervisor)
