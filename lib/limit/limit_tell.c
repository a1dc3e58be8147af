/* What a reading of a limit's record means to a client: how much is left, when there will be more. */
#include "limit/limit.h"

__extension__ typedef unsigned __int128 wide;

static fg_usec
until(fg_usec at, fg_usec now)
{
	return at > now ? at - now : 0;
}

static void
tell_bucket(const struct fg_limit *limit, const struct fg_limit_reading *reading, int64_t cost, fg_usec now,
    struct fg_limit_result *result)
{
	/* From the time when it is full back to what an empty one would have: what is available, in parts of a microsecond. */
	int64_t us = now + limit->capacity.us - reading->x, part = limit->capacity.part - reading->y;
	struct fg_limit_span more = fg_limit_increment(limit, cost);
	bool rounds_up;

	if (part < 0) {
		us--;
		part += limit->parts;
	}
	/* parts * count / period are whole units: with both divided by what they have in common. */
	result->remaining = us < 0 ? 0
	    : (int64_t)(((wide)us * (wide)limit->parts + (wide)part) * (wide)(limit->count / limit->parts) / (wide)limit->period);
	result->hold = reading->x;
	result->reset = until(reading->x, now) + (reading->x >= now && reading->y > 0);
	if (reading->allowed)
		return;
	rounds_up = more.part > part;
	/* A cost above the burst is never allowed. Told to wait until even an empty bucket would be full, it is not asked again soon. */
	result->retry_after = cost > limit->burst ? limit->capacity.us : more.us - us + (rounds_up ? 1 : 0);
}

static void
tell_used(int64_t count, int64_t used, struct fg_limit_result *result)
{
	result->remaining = used < count ? count - used : 0;
}

void
fg_limit_tell(const struct fg_limit *limit, const struct fg_limit_reading *reading, int64_t cost, fg_usec now,
    struct fg_limit_result *result)
{
	*result = (struct fg_limit_result){.allowed = reading->allowed, .limit = limit->count};
	switch (limit->algorithm) {
	case FG_LIMIT_TOKEN_BUCKET:
		result->limit = limit->burst;
		tell_bucket(limit, reading, cost, now, result);
		break;
	case FG_LIMIT_SLIDING_WINDOW:
		tell_used(limit->count, reading->x, result);
		result->reset = until(reading->z, now);
		result->hold = now / limit->quantum;
		result->retry_after = reading->allowed ? 0 : reading->y == 0 ? limit->period : until(reading->y, now);
		break;
	case FG_LIMIT_FIXED_WINDOW:
		tell_used(limit->count, reading->y, result);
		result->reset = until(reading->x, now);
		result->hold = reading->x;
		result->retry_after = reading->allowed ? 0 : result->reset;
		break;
	case FG_LIMIT_CONCURRENCY:
		tell_used(limit->count, reading->x, result);
		result->hold = reading->y;
		/* When somebody else is done is not known; what costs more than there is need not ask soon. */
		result->retry_after = reading->allowed ? 0 : cost > limit->count ? limit->period : FG_US_PER_S;
		break;
	}
	if (!reading->allowed && result->retry_after < 1)
		result->retry_after = 1;
	if (!reading->allowed)
		result->reset = result->retry_after;
}
