/* lib/core windows of limits: the calendar, time zones, and days that are not of 24 hours. */
#include <stdlib.h>

#include "limit/limit.h"
#include "limit/zone.h"
#include "unit/unit.h"

#define S INT64_C(1000000)
#define DAY (INT64_C(86400) * S)

static fg_usec
utc(int year, int month, int day, int hour)
{
	/* Days by the Julian day number of a date of the Gregorian calendar. */
	int a = (14 - month) / 12, y = year + 4800 - a, m = month + 12 * a - 3;

	return (day + (153 * m + 2) / 5 + 365 * y + y / 4 - y / 100 + y / 400 - 32045 - 2440588) * DAY + hour * 3600 * S;
}

static void
expect_window_of(fg_usec period, enum fg_limit_calendar calendar, const struct fg_zone *zone, fg_usec now, fg_usec begin, fg_usec end,
    fg_usec next)
{
	struct fg_limit limit = {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 1, .period = period, .calendar = calendar, .zone = zone};
	fg_usec ends[3];

	CU_ASSERT(fg_limit_init(&limit));
	fg_limit_window_ends(&limit, now, ends);
	CU_ASSERT_EQUAL(ends[0], begin);
	CU_ASSERT_EQUAL(ends[1], end);
	CU_ASSERT_EQUAL(ends[2], next);
	CU_ASSERT(end <= now + fg_limit_window_reach(&limit));
}

static void
expect_window(enum fg_limit_calendar calendar, const struct fg_zone *zone, fg_usec now, fg_usec begin, fg_usec end, fg_usec next)
{
	expect_window_of(DAY, calendar, zone, now, begin, end, next);
}

/* Windows of hours, on days of 23 and of 25: the same for whoever looks before and after the clocks are set. */
static void
windows_of_hours_follow_the_clocks(void)
{
	enum { HOUR = 3600 };
	const struct fg_zone *berlin;
	struct fg_arena arena;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	berlin = fg_zone_load(FG_STR("Europe/Berlin"), utc(2026, 11, 25, 0), &arena);
	CU_ASSERT_FATAL(berlin != NULL);
	for (int hour = 0; hour < 3; hour++) {
		expect_window_of(12 * HOUR * S, FG_LIMIT_PLAIN, berlin, utc(2027, 10, 31, hour), utc(2027, 10, 30, 22), utc(2027, 10, 31, 11),
		    utc(2027, 10, 31, 23));
		expect_window_of(12 * HOUR * S, FG_LIMIT_PLAIN, berlin, utc(2027, 3, 28, hour), utc(2027, 3, 27, 23), utc(2027, 3, 28, 10),
		    utc(2027, 3, 28, 22));
	}
	/* Hours are hours. */
	for (int hour = 0; hour < 3; hour++) {
		expect_window_of(HOUR * S, FG_LIMIT_PLAIN, berlin, utc(2027, 10, 31, hour), utc(2027, 10, 31, hour), utc(2027, 10, 31, hour + 1),
		    utc(2027, 10, 31, hour + 2));
		expect_window_of(HOUR * S, FG_LIMIT_PLAIN, berlin, utc(2027, 3, 28, hour), utc(2027, 3, 28, hour), utc(2027, 3, 28, hour + 1),
		    utc(2027, 3, 28, hour + 2));
	}
	/* Whatever the period, a window is not over while it lasts. */
	for (fg_usec period = 7 * S; period < 40 * HOUR * S; period += period / 9) {
		struct fg_limit limit = {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 1, .period = period, .zone = berlin};

		for (fg_usec now = utc(2027, 10, 30, 0); now < utc(2027, 11, 1, 0); now += 641 * S) {
			fg_usec ends[3], spring = now - (utc(2027, 10, 31, 1) - utc(2027, 3, 28, 1)), at[] = {now, spring};

			for (int i = 0; i < 2; i++) {
				fg_limit_window_ends(&limit, at[i], ends);
				if (ends[0] > at[i] || ends[1] <= at[i] || ends[2] <= ends[1] || ends[1] > at[i] + fg_limit_window_reach(&limit))
					CU_FAIL_FATAL("a window that does not contain its time");
			}
		}
	}
	fg_arena_fini(&arena);
}

static void
windows_follow_the_calendar(void)
{
	const struct fg_zone *berlin;
	struct fg_arena arena;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	expect_window(FG_LIMIT_MONTH, NULL, utc(2027, 1, 31, 23), utc(2027, 1, 1, 0), utc(2027, 2, 1, 0), utc(2027, 3, 1, 0));
	expect_window(FG_LIMIT_MONTH, NULL, utc(2028, 2, 29, 5), utc(2028, 2, 1, 0), utc(2028, 3, 1, 0), utc(2028, 4, 1, 0));
	expect_window(FG_LIMIT_MONTH, NULL, utc(2027, 12, 1, 0), utc(2027, 12, 1, 0), utc(2028, 1, 1, 0), utc(2028, 2, 1, 0));
	/* 2027-01-01 is a Friday. */
	expect_window(FG_LIMIT_WEEK, NULL, utc(2027, 1, 1, 12), utc(2026, 12, 28, 0), utc(2027, 1, 4, 0), utc(2027, 1, 11, 0));
	expect_window(FG_LIMIT_DAY, NULL, utc(2027, 1, 1, 0), utc(2027, 1, 1, 0), utc(2027, 1, 2, 0), utc(2027, 1, 3, 0));

	berlin = fg_zone_load(FG_STR("Europe/Berlin"), utc(2026, 11, 25, 0), &arena);
	CU_ASSERT_FATAL(berlin != NULL);
	CU_ASSERT_EQUAL(fg_zone_offset(berlin, utc(2027, 1, 1, 0)), 3600 * S);
	CU_ASSERT_EQUAL(fg_zone_offset(berlin, utc(2027, 7, 1, 0)), 7200 * S);
	/* Clocks go forward on 2027-03-28 at 01:00 UTC, back on 2027-10-31 at 01:00 UTC: days of 23 and of 25 hours. */
	CU_ASSERT_EQUAL(fg_zone_offset(berlin, utc(2027, 3, 28, 1) - 1), 3600 * S);
	CU_ASSERT_EQUAL(fg_zone_offset(berlin, utc(2027, 3, 28, 1)), 7200 * S);
	expect_window(FG_LIMIT_DAY, berlin, utc(2027, 3, 28, 12), utc(2027, 3, 27, 23), utc(2027, 3, 28, 22), utc(2027, 3, 29, 22));
	expect_window(FG_LIMIT_DAY, berlin, utc(2027, 10, 31, 12), utc(2027, 10, 30, 22), utc(2027, 10, 31, 23), utc(2027, 11, 1, 23));
	expect_window(FG_LIMIT_MONTH, berlin, utc(2027, 3, 31, 22), utc(2027, 3, 31, 22), utc(2027, 4, 30, 22), utc(2027, 5, 31, 22));
	CU_ASSERT_PTR_NULL(fg_zone_load(FG_STR("Europe/Atlantis"), 0, &arena));
	CU_ASSERT_PTR_NULL(fg_zone_load(FG_STR("../etc/passwd"), 0, &arena));
	CU_ASSERT_PTR_NULL(fg_zone_load(FG_STR(""), 0, &arena));
	fg_arena_fini(&arena);
}

void
suite_limit_window(void)
{
	CU_pSuite suite = CU_add_suite("limit_window", NULL, NULL);

	ADD_TEST(suite, windows_follow_the_calendar);
	ADD_TEST(suite, windows_of_hours_follow_the_clocks);
}
