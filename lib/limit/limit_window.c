/* Where fixed windows begin and end. */
#include <time.h>

#include "limit/limit.h"
#include "limit/zone.h"

#define DAY_US (INT64_C(86400) * FG_US_PER_S)
#define ZONE_SLACK_US (INT64_C(2) * 3600 * FG_US_PER_S) /* what a zone's clocks are put back at once: the window is longer */

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

/*
 * A multiple of the period, as clocks there show it. Where they are put forward or back before it, it moves along, unless the
 * step is so long as windows are, or it is a time that they leave out.
 */
static fg_usec
plain_end(const struct fg_limit *limit, fg_usec local, fg_usec offset)
{
	fg_usec end = local - offset, other = fg_zone_offset(limit->zone, end), step = other - offset;

	if (step <= -limit->period || step >= limit->period || fg_zone_offset(limit->zone, local - other) != other)
		return end;
	return local - other;
}

void
fg_limit_window_ends(const struct fg_limit *limit, fg_usec now, fg_usec ends[3])
{
	fg_usec offset = fg_zone_offset(limit->zone, now);

	for (int i = 0; i < 3; i++) {
		if (limit->calendar == FG_LIMIT_PLAIN)
			ends[i] = plain_end(limit, (divide_down(now + offset, limit->period) + i) * limit->period, offset);
		else
			ends[i] = fg_zone_to_utc(limit->zone, local_start(limit->calendar, now + offset, i));
	}
}

fg_usec
fg_limit_window_reach(const struct fg_limit *limit)
{
	fg_usec slack = FG_LIMIT_CLOCK_SLACK + (limit->zone == NULL ? 0 : ZONE_SLACK_US);

	switch (limit->calendar) {
	case FG_LIMIT_DAY:
		return DAY_US + slack;
	case FG_LIMIT_WEEK:
		return 7 * DAY_US + slack;
	case FG_LIMIT_MONTH:
		return 31 * DAY_US + slack;
	case FG_LIMIT_PLAIN:
		break;
	}
	/* A step of the zone's clocks that is longer moves no end. */
	slack = limit->zone == NULL ? 0 : limit->period < ZONE_SLACK_US ? limit->period : ZONE_SLACK_US;
	return limit->period + fg_limit_clock_slack(limit) + slack;
}

fg_usec
fg_limit_clock_slack(const struct fg_limit *limit)
{
	return limit->period < FG_LIMIT_CLOCK_SLACK ? limit->period : FG_LIMIT_CLOCK_SLACK;
}
