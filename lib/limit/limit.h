/*
 * Limits: how often something may happen, and how much of it at once. The algorithms are here, as functions of a record,
 * a time and a cost; where records are kept is another matter: the pool's memory (limit_memory.h) calls these functions,
 * Redis has the same arithmetic in limit.lua, and both come to the same integers.
 *
 * All times are whole microseconds since 1970, all amounts whole units (a request is one unit unless it says otherwise);
 * every intermediate value stays below 2^53, so that the numbers of Lua, which are doubles, are exact.
 *
 *   token bucket     (GCRA) A request of cost c moves the time `full` at which the bucket will be full again by c * period /
 *                    count, and is allowed when `full` is then at most burst * period / count ahead of now. The fraction of
 *                    a microsecond is kept, in parts of `parts`, so nothing drifts.
 *   sliding window   What was allowed is kept in a log of at most FG_LIMIT_LOG entries, each with its time rounded to a
 *                    multiple of `quantum`, and leaves it a period after the end of its quantum. With count <= FG_LIMIT_LOG
 *                    the quantum is a microsecond: exact. Else it is a 31st of the period: never more than count in any
 *                    period, wherever it begins; a place may be given back up to a quantum (3.2 %) late.
 *   fixed window     Windows begin at multiples of the period since 1970-01-01, or where a week (Monday) or month begins, as
 *                    clocks of the limit's time zone show it. At most twice the count around a boundary.
 *   concurrency      What is held is counted by the epoch in which it was taken or last renewed, four epochs at a time; an
 *                    epoch is a third of the lease. Whoever holds on renews once an epoch; what a dead process held lapses
 *                    after one to one and a third leases.
 *
 * A clock that is set, forwards or back, opens no limit by more than what it holds, and locks nobody out for longer than its
 * own period (and FG_LIMIT_CLOCK_SLACK, and what a zone's clocks are put back by): records that lie further ahead than they can
 * are cut to what is possible, or begin anew.
 */
#ifndef FG_LIMIT_LIMIT_H
#define FG_LIMIT_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

enum { FG_LIMIT_LOG = 32, FG_LIMIT_EPOCHS = 4 };

#define FG_LIMIT_MAX_COUNT ((INT64_C(1) << 26) - 1) /* units a period, and of a burst */
#define FG_LIMIT_MAX_AT_ONCE 65535                  /* of a concurrency limit: what 16 bits hold */
#define FG_LIMIT_MAX_PERIOD (366 * INT64_C(86400) * FG_US_PER_S)
#define FG_LIMIT_CLOCK_SLACK (60 * INT64_C(1000000)) /* by so much, or a period, clocks may go back without a window's beginning anew */
#define FG_LIMIT_MAX_REFILL (10 * FG_LIMIT_MAX_PERIOD) /* burst * period / count: until an empty bucket is full */

enum fg_limit_algorithm { FG_LIMIT_TOKEN_BUCKET, FG_LIMIT_SLIDING_WINDOW, FG_LIMIT_FIXED_WINDOW, FG_LIMIT_CONCURRENCY };

enum fg_limit_calendar { FG_LIMIT_PLAIN, FG_LIMIT_DAY, FG_LIMIT_WEEK, FG_LIMIT_MONTH };

/* A span with its fraction, in parts of a microsecond. */
struct fg_limit_span {
	int64_t us, part;
};

/* Immutable once fg_limit_init() has been called. */
struct fg_limit {
	enum fg_limit_algorithm algorithm;
	int64_t count;    /* 1..FG_LIMIT_MAX_COUNT a period; of a concurrency limit, at once: 1..FG_LIMIT_MAX_AT_ONCE */
	fg_usec period;   /* of a concurrency limit: the lease */
	int64_t burst;    /* of a token bucket: what it holds */
	enum fg_limit_calendar calendar; /* of a fixed window */
	const struct fg_zone *zone;      /* of a fixed window; borrowed; NULL: UTC */

	/* made by fg_limit_init() */
	int64_t parts;                 /* of a token bucket: a microsecond has so many */
	struct fg_limit_span capacity; /* of a token bucket: burst * period / count */
	fg_usec quantum;               /* of a sliding window; of a concurrency limit, an epoch */
};

/* What is remembered of one key. All zeros: nothing happened yet. */
struct fg_limit_record {
	int64_t a, b; /* token bucket: `full` and its part; fixed window: its end, units used; concurrency: epoch, four counts */
	unsigned entries; /* of the log; a sliding window's alone */
	struct {
		int64_t at; /* in quanta */
		int64_t units;
	} log[FG_LIMIT_LOG]; /* the oldest first */
};

/* What a decision leaves behind, as the stores tell it. */
struct fg_limit_reading {
	bool allowed;
	/* token bucket: full, part; sliding window: used, when it would be allowed (0: not refused), when the log is empty; fixed
	   window: end, used; concurrency: used, epoch */
	int64_t x, y, z;
};

struct fg_limit_result {
	bool allowed;
	int64_t limit;       /* units that may be had at most: burst, count */
	int64_t remaining;   /* units that may be had now, after this request */
	fg_usec retry_after; /* until the same would be allowed, if nothing else came; 0: allowed */
	fg_usec reset;       /* until all is available again; of a refusal: retry_after; 0: at once, or not known (concurrency) */
	int64_t hold;        /* what fg_limit_give() and fg_limit_renew() ask for */
};

/* True when the numbers are within their bounds; then what is derived from them is set. */
bool fg_limit_init(struct fg_limit *limit);
/* c * period / count of a token bucket; more than its capacity when c > burst. */
struct fg_limit_span fg_limit_increment(const struct fg_limit *limit, int64_t cost);

/* Decides, and when it is allowed, charges the record; it is then as it stands at now. cost >= 0. */
struct fg_limit_reading fg_limit_take(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, fg_usec now);
/* Takes back what was charged, but for what has come back by itself, or releases what was held. hold: of the result. */
void fg_limit_give(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now);
/* Of a concurrency limit: what is held moves to the epoch of now, which is returned. */
int64_t fg_limit_renew(const struct fg_limit *limit, struct fg_limit_record *record, int64_t cost, int64_t hold, fg_usec now);
/* When the record is as good as none. */
fg_usec fg_limit_expiry(const struct fg_limit *limit, const struct fg_limit_record *record);
/* What a reading means. */
void fg_limit_tell(const struct fg_limit *limit, const struct fg_limit_reading *reading, int64_t cost, fg_usec now,
    struct fg_limit_result *result);

/* The ends of the window before now's, of now's, and of the one that follows, rising. */
void fg_limit_window_ends(const struct fg_limit *limit, fg_usec now, fg_usec ends[3]);
/* No window's end lies further ahead than this, slack included. */
fg_usec fg_limit_window_reach(const struct fg_limit *limit);
fg_usec fg_limit_clock_slack(const struct fg_limit *limit);

/*
 * The share of one of `hosts` that enforce the limit each by itself: a part of the rate, of the burst, of what may be held
 * at once; never less than one request of that cost, so that a share that rounds to nothing refuses nobody for ever.
 */
struct fg_limit fg_limit_share(const struct fg_limit *limit, unsigned hosts, int64_t cost);

#endif
