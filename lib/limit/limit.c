/* The algorithms of limits. Every line of arithmetic here has its like in limit.lua; they are changed together. */
#include "limit/limit.h"

#include <string.h>

#include "base/assert.h"

__extension__ typedef unsigned __int128 wide;

/* ---- parameters */

static int64_t
common_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static int64_t
divide_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static bool
init_bucket(struct fg_limit *limit)
{
	if (limit->burst < 1 || limit->burst > FG_LIMIT_MAX_COUNT ||
	    (wide)limit->burst * (wide)limit->period > (wide)FG_LIMIT_MAX_REFILL * (wide)limit->count)
		return false;
	limit->parts = limit->count / common_divisor(limit->count, limit->period);
	limit->capacity = (struct fg_limit_span){INT64_MAX, 0};
	limit->capacity = fg_limit_increment(limit, limit->burst);
	return true;
}

bool
fg_limit_init(struct fg_limit *limit)
{
	if (limit->count < 1 || limit->count > FG_LIMIT_MAX_COUNT || limit->period < FG_US_PER_MS ||
	    limit->period > FG_LIMIT_MAX_PERIOD)
		return false;
	switch (limit->algorithm) {
	case FG_LIMIT_TOKEN_BUCKET:
		return init_bucket(limit);
	case FG_LIMIT_SLIDING_WINDOW:
		limit->quantum = limit->count <= FG_LIMIT_LOG ? 1 : divide_up(limit->period, FG_LIMIT_LOG - 1);
		return true;
	case FG_LIMIT_CONCURRENCY:
		limit->quantum = divide_up(limit->period, FG_LIMIT_EPOCHS - 1);
		return limit->count <= FG_LIMIT_MAX_AT_ONCE;
	case FG_LIMIT_FIXED_WINDOW:
		break;
	}
	return true;
}

struct fg_limit_span
fg_limit_increment(const struct fg_limit *limit, int64_t cost)
{
	wide product;

	if (cost > limit->burst)
		return (struct fg_limit_span){limit->capacity.us + 1, 0};
	product = (wide)cost * (wide)limit->period;
	return (struct fg_limit_span){(int64_t)(product / (wide)limit->count),
	    (int64_t)(product % (wide)limit->count * (wide)limit->parts / (wide)limit->count)};
}

struct fg_limit
fg_limit_share(const struct fg_limit *limit, unsigned hosts, int64_t cost)
{
	struct fg_limit share = *limit;

	if (hosts <= 1)
		return share;
	if (cost < 1)
		cost = 1;
	if (limit->algorithm == FG_LIMIT_TOKEN_BUCKET) {
		/* The rate is divided exactly, as far as periods go; the burst in whole units. */
		share.period = limit->period <= FG_LIMIT_MAX_PERIOD / hosts ? limit->period * hosts : FG_LIMIT_MAX_PERIOD;
		share.burst = limit->burst / hosts < cost ? (cost <= limit->burst ? cost : limit->burst) : limit->burst / hosts;
	} else {
		share.count = limit->count / hosts < cost ? (cost <= limit->count ? cost : limit->count) : limit->count / hosts;
	}
	/* A bucket that would take too long to fill: as slow as may be. */
	if (!fg_limit_init(&share)) {
		share.period = limit->period;
		FG_ASSERT(fg_limit_init(&share));
	}
	return share;
}

/* ---- token bucket */

static bool
span_is_after(struct fg_limit_span a, struct fg_limit_span b)
{
	return a.us > b.us || (a.us == b.us && a.part > b.part);
}

/* The time when the bucket is full, as it counts at now: not in the past, not further ahead than an empty bucket's. */
static struct fg_limit_span
bucket_at(const struct fg_limit *limit, const struct fg_limit_record *record, fg_usec now)
{
	struct fg_limit_span full = {record->a, record->b}, empty = {now + limit->capacity.us, limit->capacity.part};

	/* Of a host's share, which has other parts. */
	if (full.part >= limit->parts)
		full = (struct fg_limit_span){full.us + 1, 0};
	if (full.us < now)
		return (struct fg_limit_span){now, 0};
	return span_is_after(full, empty) ? empty : full;
}

static struct fg_limit_reading
take_from_bucket(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now)
{
	struct fg_limit_span full = bucket_at(limit, record, now), more = fg_limit_increment(limit, cost);
	struct fg_limit_span empty = {now + limit->capacity.us, limit->capacity.part};
	struct fg_limit_span next = {full.us + more.us, full.part + more.part};
	bool allowed;

	if (next.part >= limit->parts) {
		next.us++;
		next.part -= limit->parts;
	}
	allowed = !span_is_after(next, empty);
	if (allowed)
		full = next;
	record->a = full.us;
	record->b = full.part;
	return (struct fg_limit_reading){allowed, full.us, full.part, 0};
}

/* hold: when it would have been full. What has come back by itself since is not given back once more. */
static void
give_to_bucket(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now)
{
	struct fg_limit_span full = bucket_at(limit, record, now), less = fg_limit_increment(limit, cost);
	int64_t left = hold > now ? hold - now : 0;

	if (less.us >= left)
		less = (struct fg_limit_span){left, 0};
	full.us -= less.us;
	full.part -= less.part;
	if (full.part < 0) {
		full.us--;
		full.part += limit->parts;
	}
	record->a = full.us;
	record->b = full.part;
}

/* ---- fixed window */

/* One that has not ended goes on, also where a clock has gone back a little since it began. */
static void
turn_window(const struct fg_limit *limit, struct fg_limit_record *record, fg_usec now)
{
	fg_usec ends[3];

	if (record->a > now && record->a <= now + fg_limit_window_reach(limit))
		return;
	fg_limit_window_ends(limit, now, ends);
	record->a = ends[1];
	record->b = 0;
}

static struct fg_limit_reading
take_from_window(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now)
{
	bool allowed;

	turn_window(limit, record, now);
	allowed = record->b + cost <= limit->count;
	if (allowed)
		record->b += cost;
	return (struct fg_limit_reading){allowed, record->a, record->b, 0};
}

static void
give_to_window(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now)
{
	turn_window(limit, record, now);
	if (record->a == hold)
		record->b = record->b > cost ? record->b - cost : 0;
}

/* ---- sliding window */

/* When what was taken in that quantum leaves the log. */
static fg_usec
leaves_at(const struct fg_limit *limit, int64_t at)
{
	return (at + 1) * limit->quantum - 1 + limit->period;
}

/* Leaves of the log what still counts. */
static void
trim_log(const struct fg_limit *limit, struct fg_limit_record *record, fg_usec now)
{
	unsigned gone = 0;

	/* Divided, not multiplied: a host's share may have counted in smaller quanta, whose numbers are far larger. */
	if (record->entries > 0 && record->log[record->entries - 1].at > (now + fg_limit_clock_slack(limit)) / limit->quantum)
		gone = record->entries;
	while (gone < record->entries && leaves_at(limit, record->log[gone].at) <= now)
		gone++;
	record->entries -= gone;
	memmove(record->log, record->log + gone, record->entries * sizeof(record->log[0]));
}

static void
append_to_log(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now)
{
	int64_t at = now / limit->quantum;

	if (record->entries > 0 && record->log[record->entries - 1].at >= at) {
		record->log[record->entries - 1].units += cost;
		return;
	}
	/* Room there is: as many units, or as many quanta, as the log has entries. */
	FG_ASSERT(record->entries < FG_LIMIT_LOG);
	record->log[record->entries].at = at;
	record->log[record->entries++].units = cost;
}

/* When so many units more will have left; 0 when none need to, or the whole log is not enough. */
static fg_usec
freed_at(const struct fg_limit *limit, const struct fg_limit_record *record, int64_t units)
{
	for (unsigned i = 0; units > 0 && i < record->entries; i++) {
		units -= record->log[i].units;
		if (units <= 0)
			return leaves_at(limit, record->log[i].at);
	}
	return 0;
}

static struct fg_limit_reading
take_from_log(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now)
{
	struct fg_limit_reading reading = {.x = 0};

	trim_log(limit, record, now);
	for (unsigned i = 0; i < record->entries; i++)
		reading.x += record->log[i].units;
	reading.allowed = reading.x + cost <= limit->count;
	if (!reading.allowed)
		reading.y = freed_at(limit, record, reading.x + cost - limit->count);
	if (reading.allowed && cost > 0) {
		append_to_log(limit, record, cost, now);
		reading.x += cost;
	}
	if (record->entries > 0)
		reading.z = leaves_at(limit, record->log[record->entries - 1].at);
	return reading;
}

static void
give_to_log(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now)
{
	trim_log(limit, record, now);
	for (unsigned i = record->entries; i > 0; i--) {
		if (record->log[i - 1].at != hold)
			continue;
		record->log[i - 1].units -= cost;
		/* An entry of nothing would take the place of one of something. */
		if (record->log[i - 1].units <= 0) {
			record->entries--;
			memmove(record->log + i - 1, record->log + i, (record->entries - (i - 1)) * sizeof(record->log[0]));
		}
		return;
	}
}

/* ---- concurrency: four counts of 16 bits, that of the record's epoch the lowest */

static int64_t
epoch_count(int64_t counts, unsigned age)
{
	return counts >> (16 * age) & 0xffff;
}

static void
add_to_epoch(struct fg_limit_record *record, unsigned age, int64_t units)
{
	int64_t count = epoch_count(record->b, age), changed = count + units;

	/* What had lapsed and is renewed late may be more than fits: it must not run over into the next epoch's count. */
	if (changed > FG_LIMIT_MAX_AT_ONCE)
		changed = FG_LIMIT_MAX_AT_ONCE;
	record->b += (int64_t)((uint64_t)((changed < 0 ? 0 : changed) - count) << (16 * age));
}

/* The record as it stands at now. A clock set back leaves the epoch where it is, unless it is beyond reason. */
static void
turn_epochs(const struct fg_limit *limit, struct fg_limit_record *record, fg_usec now)
{
	int64_t epoch = now / limit->quantum;
	uint64_t counts = (uint64_t)record->b;

	if (epoch <= record->a && record->a < epoch + FG_LIMIT_EPOCHS)
		return;
	if (epoch < record->a || epoch >= record->a + FG_LIMIT_EPOCHS)
		counts = 0;
	else
		counts <<= 16 * (unsigned)(epoch - record->a);
	record->a = epoch;
	record->b = (int64_t)counts;
}

static int64_t
held(const struct fg_limit_record *record)
{
	int64_t sum = 0;

	for (unsigned age = 0; age < FG_LIMIT_EPOCHS; age++)
		sum += epoch_count(record->b, age);
	return sum;
}

static struct fg_limit_reading
take_hold(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now)
{
	bool allowed;

	turn_epochs(limit, record, now);
	allowed = held(record) + cost <= limit->count;
	if (allowed)
		add_to_epoch(record, 0, cost);
	return (struct fg_limit_reading){allowed, held(record), record->a, 0};
}

static void
give_hold(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now)
{
	turn_epochs(limit, record, now);
	if (hold <= record->a && hold > record->a - FG_LIMIT_EPOCHS)
		add_to_epoch(record, (unsigned)(record->a - hold), -cost);
}

int64_t
fg_limit_renew(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now)
{
	FG_ASSERT(limit->algorithm == FG_LIMIT_CONCURRENCY);
	give_hold(limit, record, cost, hold, now);
	add_to_epoch(record, 0, cost);
	return record->a;
}

/* ---- all of them */

struct fg_limit_reading
fg_limit_take(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now)
{
	switch (limit->algorithm) {
	case FG_LIMIT_SLIDING_WINDOW:
		return take_from_log(limit, record, cost, now);
	case FG_LIMIT_FIXED_WINDOW:
		return take_from_window(limit, record, cost, now);
	case FG_LIMIT_CONCURRENCY:
		return take_hold(limit, record, cost, now);
	case FG_LIMIT_TOKEN_BUCKET:
		break;
	}
	return take_from_bucket(limit, record, cost, now);
}

void
fg_limit_give(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now)
{
	switch (limit->algorithm) {
	case FG_LIMIT_TOKEN_BUCKET:
		give_to_bucket(limit, record, cost, hold, now);
		break;
	case FG_LIMIT_SLIDING_WINDOW:
		give_to_log(limit, record, cost, hold, now);
		break;
	case FG_LIMIT_FIXED_WINDOW:
		give_to_window(limit, record, cost, hold, now);
		break;
	case FG_LIMIT_CONCURRENCY:
		give_hold(limit, record, cost, hold, now);
		break;
	}
}

fg_usec
fg_limit_expiry(const struct fg_limit *limit, const struct fg_limit_record *record)
{
	switch (limit->algorithm) {
	case FG_LIMIT_SLIDING_WINDOW:
		return record->entries == 0 ? 0 : leaves_at(limit, record->log[record->entries - 1].at);
	case FG_LIMIT_CONCURRENCY:
		return record->b == 0 ? 0 : (record->a + FG_LIMIT_EPOCHS) * limit->quantum;
	case FG_LIMIT_TOKEN_BUCKET:
		return record->a + 1;
	case FG_LIMIT_FIXED_WINDOW:
		break;
	}
	return record->b == 0 ? 0 : record->a;
}
