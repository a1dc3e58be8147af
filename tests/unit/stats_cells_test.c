/* lib/core/stats_cells: numbers by policy, found again by their labels, shown, bounded. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "stats/stats.h"
#include "unit/prometheus.h"
#include "unit/unit.h"

static double
shown(const struct fg_stats *stats, fg_usec now, const char *series)
{
	struct fg_str fault = FG_STR_NONE;
	struct fg_buf out;
	double value;

	fg_buf_init(&out, 8 << 20);
	CU_ASSERT(fg_stats_format_prometheus(stats, now, &out));
	CU_ASSERT(prometheus_is_valid(fg_buf_str(&out), &fault));
	value = prometheus_value(fg_buf_str(&out), series);
	fg_buf_fini(&out);
	return value;
}

static void
numbers_are_found_again(void)
{
	struct fg_stats *stats;
	_Atomic uint64_t *cell;

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 1), FG_OK);
	cell = fg_stats_cell(stats, FG_FAMILY_AUTH, FG_STR("a\"b"), FG_STR("accepted"));
	CU_ASSERT_PTR_EQUAL(fg_stats_cell(stats, FG_FAMILY_AUTH, FG_STR("a\"b"), FG_STR("accepted")), cell);
	CU_ASSERT_PTR_NOT_EQUAL(fg_stats_cell(stats, FG_FAMILY_AUTH, FG_STR("a\"b"), FG_STR("token_expired")), cell);
	CU_ASSERT_PTR_NOT_EQUAL(fg_stats_cell(stats, FG_FAMILY_TOKEN_CACHE, FG_STR("a\"b"), FG_STR("accepted")), cell);
	atomic_fetch_add(cell, 3);
	CU_ASSERT_EQUAL(fg_stats_cell_get(stats, FG_FAMILY_AUTH, FG_STR("a\"b"), FG_STR("accepted")), 3);
	CU_ASSERT_EQUAL(fg_stats_cell_get(stats, FG_FAMILY_AUTH, FG_STR("b"), FG_STR("accepted")), 0);
	CU_ASSERT_EQUAL(shown(stats, 0, "faregate_auth_total{policy=\"a\\\"b\",outcome=\"accepted\"}"), 3);
	fg_stats_close(stats, false);
}

static void
moments_are_shown_as_ages(void)
{
	struct fg_stats *stats;
	_Atomic uint64_t *cell;

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 1), FG_OK);
	cell = fg_stats_cell(stats, FG_FAMILY_KEYS_AGE, FG_STR("idp"), FG_STR_NONE);
	atomic_store(cell, 5 * FG_US_PER_S);
	CU_ASSERT_EQUAL(shown(stats, 65 * FG_US_PER_S, "faregate_keys_age_seconds{policy=\"idp\"}"), 60);
	/* A clock that went back. */
	CU_ASSERT_EQUAL(shown(stats, 1, "faregate_keys_age_seconds{policy=\"idp\"}"), 0);
	fg_stats_close(stats, false);
}

static void
what_finds_no_place_is_counted_together(void)
{
	struct fg_stats *stats;
	_Atomic uint64_t *one = NULL;
	char name[32];

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 1), FG_OK);
	for (int i = 0; i < FG_MAX_STATS_CELLS + 2; i++) {
		int len = snprintf(name, sizeof(name), "p%d", i);

		one = fg_stats_cell(stats, FG_FAMILY_AUTH, (struct fg_str){name, (size_t)len}, FG_STR("accepted"));
		atomic_fetch_add(one, 1);
	}
	CU_ASSERT_EQUAL(atomic_load(one), 2);
	CU_ASSERT_EQUAL(shown(stats, 0, "faregate_auth_total{policy=\"_other\",outcome=\"_other\"}"), 2);
	CU_ASSERT_EQUAL(shown(stats, 0, "faregate_auth_total{policy=\"p0\",outcome=\"accepted\"}"), 1);
	fg_stats_close(stats, false);
}

static void
several_processes_name_the_same_numbers(void)
{
	enum { WRITERS = 4, NAMES = 100 };
	struct fg_stats *stats;

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 1), FG_OK);
	for (int i = 0; i < WRITERS; i++) {
		if (fork() != 0)
			continue;
		for (int k = 0; k < NAMES; k++) {
			char name[16];
			int len = snprintf(name, sizeof(name), "p%d", k);

			atomic_fetch_add(fg_stats_cell(stats, FG_FAMILY_AUTH, (struct fg_str){name, (size_t)len}, FG_STR("x")), 1);
		}
		_exit(0);
	}
	for (int i = 0; i < WRITERS; i++)
		CU_ASSERT(wait(NULL) > 0);
	for (int k = 0; k < NAMES; k++) {
		char name[16];
		int len = snprintf(name, sizeof(name), "p%d", k);

		CU_ASSERT_EQUAL(fg_stats_cell_get(stats, FG_FAMILY_AUTH, (struct fg_str){name, (size_t)len}, FG_STR("x")), WRITERS);
	}
	fg_stats_close(stats, false);
}

void
suite_stats_cells(void)
{
	CU_pSuite suite = CU_add_suite("stats_cells", NULL, NULL);

	ADD_TEST(suite, numbers_are_found_again);
	ADD_TEST(suite, moments_are_shown_as_ages);
	ADD_TEST(suite, what_finds_no_place_is_counted_together);
	ADD_TEST(suite, several_processes_name_the_same_numbers);
}
