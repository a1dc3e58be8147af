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

fg_usec
fg_clock_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
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

/* Digits stand where the form has '0'; all else is as in the form. */
static bool
has_form(struct fg_str text, const char *form)
{
	if (text.len != strlen(form))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (form[i] == '0' ? text.p[i] < '0' || text.p[i] > '9' : text.p[i] != form[i])
			return false;
	return true;
}

static int
number_at(struct fg_str text, size_t from, size_t to)
{
	int number = 0;

	for (size_t i = from; i < to && i < text.len; i++)
		number = number * 10 + (text.p[i] - '0');
	return number;
}

bool
fg_clock_parse_rfc3339(struct fg_str text, fg_usec *wall)
{
	struct tm tm = {.tm_year = number_at(text, 0, 4) - 1900, .tm_mon = number_at(text, 5, 7) - 1,
	    .tm_mday = number_at(text, 8, 10)}, made;
	time_t seconds;

	if (has_form(text, "0000-00-00T00:00:00Z") || has_form(text, "0000-00-00T00:00:00.000Z")) {
		tm.tm_hour = number_at(text, 11, 13);
		tm.tm_min = number_at(text, 14, 16);
		tm.tm_sec = number_at(text, 17, 19);
	} else if (!has_form(text, "0000-00-00")) {
		return false;
	}
	made = tm;
	seconds = timegm(&made); /* which makes the 3rd of March of the 31st of February */
	if (made.tm_mday != tm.tm_mday || made.tm_mon != tm.tm_mon || made.tm_hour != tm.tm_hour || made.tm_min != tm.tm_min ||
	    made.tm_sec != tm.tm_sec)
		return false;
	*wall = (fg_usec)seconds * FG_US_PER_S;
	return true;
}

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

int
fg_clock_format_http_date(fg_usec wall, char *buf)
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	time_t seconds = (time_t)(wall / FG_US_PER_S);
	struct tm tm;

	/* Not strftime's %a and %b: those follow the locale. */
	gmtime_r(&seconds, &tm);
	return snprintf(buf, 32, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

bool
fg_clock_parse_http_date(struct fg_str text, fg_usec *wall)
{
	enum { LEN = sizeof("Sun, 06 Nov 1994 08:49:37 GMT") - 1 };
	char iso[32], again[32];
	int month = 0, len;

	if (text.len != LEN)
		return false;
	while (month < 12 && memcmp(text.p + 8, months[month], 3) != 0)
		month++;
	len = snprintf(iso, sizeof(iso), "%.4s-%02d-%.2sT%.8sZ", text.p + 12, month + 1, text.p + 5, text.p + 17);
	/* What does not come out the same was no such date, or of another day of the week. */
	return month < 12 && fg_clock_parse_rfc3339((struct fg_str){iso, (size_t)len}, wall) &&
	    fg_clock_format_http_date(*wall, again) == LEN && memcmp(again, text.p, LEN) == 0;
}
