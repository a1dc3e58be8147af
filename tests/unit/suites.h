/* All suites, each the function `suite_NAME` of NAME_test.c. */
FG_SUITE(base)
FG_SUITE(handover)
FG_SUITE(headers)
FG_SUITE(loop)
FG_SUITE(records)
FG_SUITE(stats)
FG_SUITE(uri)
