/* What limit.lua is given and answers: numbers as doubles, the low byte first. Changed together with it. */
#include "limit/limit_script.h"

#include <string.h>

#include "base/assert.h"

enum { NUMBER = 8, READING_NUMBERS = 4 };
enum kind { BUCKET, SLIDING, WINDOW, CALENDAR_WINDOW, AT_ONCE };

#define MOST_EXACT 9007199254740992.0 /* 2^53 */

/* Of windows no longer than this a change of the zone's offset moves one boundary, if any: not worth being told more. */
#define SHORT_WINDOW (INT64_C(60) * FG_US_PER_S)

struct packer {
	char *p;
	size_t len;
};

static void
put_number(struct packer *out, int64_t number)
{
	double value = (double)number;
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	for (unsigned i = 0; i < NUMBER; i++)
		out->p[out->len++] = (char)(bits >> (8 * i));
}

static void
put_record(struct packer *out, const struct fg_limit_ask *ask, enum kind kind, int64_t cost, const int64_t numbers[5])
{
	out->p[out->len++] = (char)kind;
	out->p[out->len++] = ask->is_observed ? 1 : 0;
	put_number(out, ask->hold);
	put_number(out, cost);
	for (unsigned i = 0; i < 5; i++)
		put_number(out, numbers[i]);
}

/*
 * Windows that begin at multiples of a period Redis can reckon itself. It knows no calendar, and not when a zone's offset
 * changes: of these it is told when this window and the next begin and end, and chooses.
 */
static void
put_window(struct packer *out, const struct fg_limit_ask *ask, fg_usec now)
{
	const struct fg_limit *limit = ask->limit;
	fg_usec reach = fg_limit_window_reach(limit), ends[3];

	fg_limit_window_ends(limit, now, ends);
	if (limit->calendar == FG_LIMIT_PLAIN && (limit->zone == NULL || limit->period <= SHORT_WINDOW))
		put_record(out, ask, WINDOW, ask->cost, (const int64_t[5]){limit->count, reach, limit->period,
		    (limit->period - ends[0] % limit->period) % limit->period, 0});
	else
		put_record(out, ask, CALENDAR_WINDOW, ask->cost,
		    (const int64_t[5]){limit->count, reach, ends[0], ends[1], ends[2]});
}

static void
put_ask(struct packer *out, const struct fg_limit_ask *ask, fg_usec now)
{
	const struct fg_limit *limit = ask->limit;
	struct fg_limit_span more;

	switch (limit->algorithm) {
	case FG_LIMIT_TOKEN_BUCKET:
		more = fg_limit_increment(limit, ask->cost);
		put_record(out, ask, BUCKET, more.us,
		    (const int64_t[5]){more.part, limit->parts, limit->capacity.us, limit->capacity.part, 0});
		break;
	case FG_LIMIT_SLIDING_WINDOW:
		put_record(out, ask, SLIDING, ask->cost, (const int64_t[5]){limit->count, limit->period, limit->quantum, 0, 0});
		break;
	case FG_LIMIT_FIXED_WINDOW:
		put_window(out, ask, now);
		break;
	case FG_LIMIT_CONCURRENCY:
		put_record(out, ask, AT_ONCE, ask->cost, (const int64_t[5]){limit->count, limit->quantum, 0, 0, 0});
		break;
	}
}

size_t
fg_limit_script_write(char bytes[FG_LIMIT_SCRIPT_BYTES], enum fg_limit_op op, const struct fg_limit_ask *asks, const uint8_t *order,
    size_t count, fg_usec now)
{
	struct packer out = {bytes, 0};

	FG_ASSERT(count <= FG_MAX_POLICIES_OF_ROUTE);
	out.p[out.len++] = (char)op;
	for (size_t i = 0; i < count; i++)
		put_ask(&out, &asks[order[i]], now);
	return out.len;
}

/* False: it is no whole number that a double holds exactly. */
static bool
take_number(struct fg_str *from, int64_t *number)
{
	uint64_t bits = 0;
	double value;

	for (unsigned i = 0; i < NUMBER; i++)
		bits |= (uint64_t)(unsigned char)from->p[i] << (8 * i);
	memcpy(&value, &bits, sizeof(value));
	*from = fg_str_slice(*from, NUMBER, from->len);
	if (!(value > -MOST_EXACT && value < MOST_EXACT))
		return false;
	*number = (int64_t)value;
	return (double)*number == value;
}

enum fg_limit_script_answer
fg_limit_script_read(struct fg_str answer, struct fg_limit_ask *asks, const uint8_t *order, size_t count, fg_usec *now)
{
	bool is_outside = answer.len == NUMBER;

	if ((!is_outside && answer.len != NUMBER * (1 + READING_NUMBERS * count)) || !take_number(&answer, now) || *now <= 0)
		return FG_LIMIT_SCRIPT_GARBAGE;
	if (is_outside)
		return FG_LIMIT_SCRIPT_OUTSIDE;
	for (size_t i = 0; i < count; i++) {
		int64_t numbers[READING_NUMBERS];

		for (unsigned k = 0; k < READING_NUMBERS; k++)
			if (!take_number(&answer, &numbers[k]))
				return FG_LIMIT_SCRIPT_GARBAGE;
		asks[order[i]].reading = (struct fg_limit_reading){numbers[0] != 0, numbers[1], numbers[2], numbers[3]};
	}
	return FG_LIMIT_SCRIPT_DONE;
}
