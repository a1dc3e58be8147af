/*
 * Time, passed in wherever a decision depends on it, so that tests and `faregate explain` can set it.
 */
#ifndef FG_BASE_CLOCK_H
#define FG_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define FG_MS_PER_S 1000
#define FG_US_PER_MS 1000
#define FG_US_PER_S 1000000

/* A point in time or a span. Microseconds. */
typedef int64_t fg_usec;

struct fg_clock {
	fg_usec mono; /* CLOCK_MONOTONIC: deadlines and durations */
	fg_usec wall; /* CLOCK_REALTIME since 1970-01-01T00:00:00Z: dates and token times */
};

/* Reads both from the system. A worker does so once a loop turn (loop/loop.h). */
void fg_clock_read(struct fg_clock *clock);

/* CLOCK_MONOTONIC now: for measuring what may begin and end within one turn. Nothing is decided by it. */
fg_usec fg_clock_mono(void);

/* "2026-11-24T20:07:49.123Z" (RFC 3339); buf takes 32 bytes. Returns the length. */
int fg_clock_format_rfc3339(fg_usec wall, char *buf);
/* The same back, to the second, in UTC: "2026-11-24T20:07:49Z", with or without a fraction, or "2026-11-24" for its
   beginning. False on anything else, and on a day that there is not. */
bool fg_clock_parse_rfc3339(struct fg_str text, fg_usec *wall);
/* "Tue, 24 Nov 2026 20:07:49 GMT" (RFC 9110 §5.6.7); buf takes 32 bytes. Returns the length. */
int fg_clock_format_http_date(fg_usec wall, char *buf);
/* The same back. False on anything else, the two obsolete forms among it. */
bool fg_clock_parse_http_date(struct fg_str text, fg_usec *wall);

#endif
