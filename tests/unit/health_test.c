/* lib/service/health.c: what probes say of a target. */
#include <stdlib.h>

#include "service/health.h"
#include "unit/unit.h"

static const struct fg_health_conf conf = {.up_after = 2, .down_after = 3};

#define S * (fg_usec)FG_US_PER_S

static void
goes_down_and_up(void)
{
	fg_health health = 0;

	CU_ASSERT(fg_health_is_up(&health));
	CU_ASSERT_EQUAL(fg_health_since(&health), 0);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, false, 1 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, false, 2 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, true, 3 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, false, 4 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, false, 5 S), FG_HEALTH_SAME);
	CU_ASSERT(fg_health_is_up(&health));
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, false, 6 S), FG_HEALTH_WENT_DOWN);
	CU_ASSERT(!fg_health_is_up(&health));
	CU_ASSERT_EQUAL(fg_health_since(&health), 6 S);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, false, 7 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, true, 8 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, false, 9 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, true, 10 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &conf, true, 11 S), FG_HEALTH_WENT_UP);
	CU_ASSERT(fg_health_is_up(&health));
	CU_ASSERT_EQUAL(fg_health_since(&health), 11 S);
}

static void
at_once(void)
{
	const struct fg_health_conf eager = {.up_after = 1, .down_after = 1};
	fg_health health = 0;

	CU_ASSERT_EQUAL(fg_health_report(&health, &eager, true, 1 S), FG_HEALTH_SAME);
	CU_ASSERT_EQUAL(fg_health_report(&health, &eager, false, 2 S), FG_HEALTH_WENT_DOWN);
	CU_ASSERT_EQUAL(fg_health_report(&health, &eager, true, 3 S), FG_HEALTH_WENT_UP);
}

void
suite_health(void)
{
	CU_pSuite suite = CU_add_suite("health", NULL, NULL);

	ADD_TEST(suite, goes_down_and_up);
	ADD_TEST(suite, at_once);
}
