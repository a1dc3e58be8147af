/* Where fixed windows begin and end. */
#include <time.h>

#include "limit/limit.h"
#include "limit/zone.h"

#define DAY_US (INT64_C(86400) * FG_US_PER_S)
#define ZONE_SLACK_US (INT64_C(2) * 3600 * FG_US_PER_S) /* what clocks are put forward or back at once */

static int64_t
divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* As clocks there count: the start of the window that lies `ahead` windows after the one of local. */
static fg_usec
local_start(enum fg_limit_calendar calendar, fg_usec local, int ahead)
{
	time_t seconds = (time_t)divide_down(local, FG_US_PER_S);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL)
		return local;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	if (calendar == FG_LIMIT_MONTH) {
		tm.tm_mday = 1;
		tm.tm_mon += ahead;
	} else if (calendar == FG_LIMIT_WEEK) {
		tm.tm_mday += 7 * ahead - (tm.tm_wday + 6) % 7;
	} else {
		tm.tm_mday += ahead;
	}
	return (fg_usec)timegm(&tm) * FG_US_PER_S;
}

void
fg_limit_window_ends(const struct fg_limit *limit, fg_usec now, fg_usec ends[3])
{
	fg_usec offset = fg_zone_offset(limit->zone, now);

	for (int i = 0; i < 3; i++) {
		if (limit->calendar == FG_LIMIT_PLAIN)
			ends[i] = (divide_down(now + offset, limit->period) + i) * limit->period - offset;
		else
			ends[i] = fg_zone_to_utc(limit->zone, local_start(limit->calendar, now + offset, i));
	}
}

fg_usec
fg_limit_window_reach(const struct fg_limit *limit)
{
	switch (limit->calendar) {
	case FG_LIMIT_DAY:
		return 2 * DAY_US + ZONE_SLACK_US;
	case FG_LIMIT_WEEK:
		return 14 * DAY_US + ZONE_SLACK_US;
	case FG_LIMIT_MONTH:
		return 62 * DAY_US + ZONE_SLACK_US;
	case FG_LIMIT_PLAIN:
		break;
	}
	return 2 * limit->period;
}
