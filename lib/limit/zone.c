/* Time zones: offsets by time, found out by asking the C library about every day. */
#include "limit/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { YEARS = 21, MOST_CHANGES = 4 * YEARS };

#define DAY_S INT64_C(86400)

struct change {
	int64_t at; /* seconds since 1970 */
	int64_t offset;
};

struct fg_zone {
	int64_t first_offset;
	size_t count;
	struct change changes[MOST_CHANGES];
};

static int64_t
ask_offset(int64_t at)
{
	time_t seconds = (time_t)at;
	struct tm tm;

	return localtime_r(&seconds, &tm) == NULL ? 0 : tm.tm_gmtoff;
}

/* The first second of the other offset; one lies in (from, to]. */
static int64_t
find_change(int64_t from, int64_t to, int64_t offset)
{
	while (to - from > 1) {
		int64_t middle = from + (to - from) / 2;

		if (ask_offset(middle) == offset)
			from = middle;
		else
			to = middle;
	}
	return to;
}

static void
find_changes(struct fg_zone *zone, int64_t from)
{
	int64_t offset = ask_offset(from);

	zone->first_offset = offset;
	for (int64_t day = from; day < from + YEARS * 366 * DAY_S && zone->count < MOST_CHANGES; day += DAY_S) {
		int64_t next = ask_offset(day + DAY_S);

		if (next == offset)
			continue;
		zone->changes[zone->count++] = (struct change){find_change(day, day + DAY_S, offset), next};
		offset = next;
	}
}

/* The C library takes an unknown name for UTC, so the file is looked for. */
static bool
is_known(struct fg_str name)
{
	const char *folder = getenv("TZDIR");
	char path[512];

	if (name.len == 0 || name.len > 100 || name.p[0] == '/' || memmem(name.p, name.len, "..", 2) != NULL)
		return false;
	snprintf(path, sizeof(path), "%s/" FG_STR_FMT, folder == NULL ? "/usr/share/zoneinfo" : folder, FG_STR_ARG(name));
	return access(path, R_OK) == 0 && name.p[name.len - 1] != '/';
}

const struct fg_zone *
fg_zone_load(struct fg_str name, fg_usec now, struct fg_arena *arena)
{
	struct fg_zone *zone;
	const char *before = getenv("TZ");
	char *kept = before == NULL ? NULL : strdup(before);

	if (!is_known(name)) {
		free(kept);
		return NULL;
	}
	zone = FG_ARENA_NEW(arena, struct fg_zone);
	setenv("TZ", fg_arena_cstr(arena, name), 1);
	tzset();
	/* From a year ago: clocks of hosts differ, and so does the time at which each has read its configuration. */
	find_changes(zone, now / FG_US_PER_S - 366 * DAY_S);
	if (kept == NULL)
		unsetenv("TZ");
	else
		setenv("TZ", kept, 1);
	tzset();
	free(kept);
	return zone;
}

fg_usec
fg_zone_offset(const struct fg_zone *zone, fg_usec at)
{
	int64_t offset;

	if (zone == NULL)
		return 0;
	offset = zone->first_offset;
	for (size_t i = 0; i < zone->count && zone->changes[i].at * FG_US_PER_S <= at; i++)
		offset = zone->changes[i].offset;
	return offset * FG_US_PER_S;
}

fg_usec
fg_zone_to_utc(const struct fg_zone *zone, fg_usec local)
{
	fg_usec before = fg_zone_offset(zone, local - DAY_S * FG_US_PER_S), at = local - before;
	fg_usec after = fg_zone_offset(zone, at);

	if (after == before)
		return at;
	return fg_zone_offset(zone, local - after) == after ? local - after : at;
}
