/* The system's clocks, and the two date formats that HTTP and logs use. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static fg_usec
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (fg_usec)ts.tv_sec * FG_US_PER_S + ts.tv_nsec / 1000;
}

void
fg_clock_read(struct fg_clock *clock)
{
	clock->mono = read_clock(CLOCK_MONOTONIC);
	clock->wall = read_clock(CLOCK_REALTIME);
}

static void
put_digits(char *at, int count, int number)
{
	while (count-- > 0) {
		at[count] = (char)('0' + number % 10);
		number /= 10;
	}
}

/* By hand: every access line has one, and strftime() with snprintf() would be a quarter of what the line costs. */
int
fg_clock_format_rfc3339(fg_usec wall, char *buf)
{
	static const char form[] = "yyyy-mm-ddThh:mm:ss.mmmZ";
	time_t seconds = (time_t)(wall / FG_US_PER_S);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	memcpy(buf, form, sizeof(form));
	put_digits(buf, 4, tm.tm_year + 1900);
	put_digits(buf + 5, 2, tm.tm_mon + 1);
	put_digits(buf + 8, 2, tm.tm_mday);
	put_digits(buf + 11, 2, tm.tm_hour);
	put_digits(buf + 14, 2, tm.tm_min);
	put_digits(buf + 17, 2, tm.tm_sec);
	put_digits(buf + 20, 3, (int)(wall / FG_US_PER_MS % FG_MS_PER_S));
	return (int)sizeof(form) - 1;
}

int
fg_clock_format_http_date(fg_usec wall, char *buf)
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(wall / FG_US_PER_S);
	struct tm tm;

	/* Not strftime's %a and %b: those follow the locale. */
	gmtime_r(&seconds, &tm);
	return snprintf(buf, 32, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
