/*
 * A circuit breaker in shared memory, so that every worker of a pool sees and moves the same one and no lock can be left
 * behind by a worker that dies. Its state is one 64-bit word; what an error rate is made of lies beside it.
 *
 *   closed    -- failures in a row, or too many of all, within the time --> open
 *   open      -- the time has passed, one request    --> half-open      for one worker, the others go on refusing
 *   half-open -- that request succeeded              --> closed
 *   half-open -- it failed                           --> open, twice as long, up to open_most
 *   half-open -- it was given up                     --> half-open, the next request
 *   half-open -- nothing was heard of it in time     --> half-open, another request (its worker may have died)
 *
 * "In time" is as long as it was open. A rate is looked at when a request fails. Times are of the monotonic clock, which all
 * processes of a host share.
 */
#ifndef FG_SERVICE_BREAKER_H
#define FG_SERVICE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "service/breaker_rate.h"

/* Zeroed: closed, nothing counted. */
struct fg_breaker {
	_Atomic uint64_t word;
	struct fg_breaker_rate rate;
};

struct fg_breaker_conf {
	unsigned failures;  /* in a row that open it; 0: none do */
	int error_rate;     /* percent of the requests that open it; 0: none does */
	unsigned requests;  /* fewer than these within the time say nothing of a rate */
	fg_usec within;     /* of failures in a row: the first that is older no longer counts, nor do those after it */
	fg_usec open_for;   /* the first time */
	fg_usec open_most;  /* however often it has failed */
};

/* It stands in the topmost bits of the word. */
enum { FG_BREAKER_STATE_AT = 62 };
enum fg_breaker_state { FG_BREAKER_CLOSED, FG_BREAKER_OPEN, FG_BREAKER_HALF_OPEN };

/* What an event changed, for the log: one line a change, from the worker whose event it was. */
enum fg_breaker_change { FG_BREAKER_SAME, FG_BREAKER_OPENED, FG_BREAKER_CLOSED_AGAIN };

/* How a request was let through; it goes with the request until the breaker hears what became of it. */
struct fg_breaker_pass {
	int64_t until; /* ms: the one that tries, which has until then; 0: one of many */
	bool is_first; /* of those that try after it opened */
};

enum fg_breaker_state fg_breaker_state(const struct fg_breaker *breaker);
/* That of most breakers, most of the time. */
static inline bool
fg_breaker_is_closed(const struct fg_breaker *breaker)
{
	return atomic_load_explicit(&breaker->word, memory_order_relaxed) >> FG_BREAKER_STATE_AT == FG_BREAKER_CLOSED;
}
/* "closed", "open", "half-open". */
const char *fg_breaker_word(enum fg_breaker_state state);
/* Whether it was a rate that opened it last, and not failures in a row. While it is closed: false. */
bool fg_breaker_is_by_rate(const struct fg_breaker *breaker);
/* How long until a request is let through; 0: one is now. Changes nothing: for choosing and for Retry-After. */
fg_usec fg_breaker_wait(const struct fg_breaker *breaker, fg_usec now);
/* A request is about to be sent. False: another worker has taken the place of the one that may try. */
bool fg_breaker_enter(struct fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now, struct fg_breaker_pass *pass);
/* What became of it. While it is half-open, only those that try have a say. */
enum fg_breaker_change fg_breaker_succeeded(struct fg_breaker *breaker, const struct fg_breaker_conf *conf,
    struct fg_breaker_pass pass, fg_usec now);
enum fg_breaker_change fg_breaker_failed(struct fg_breaker *breaker, const struct fg_breaker_conf *conf,
    struct fg_breaker_pass pass, fg_usec now);
/* Nobody will ever know: if it is the one that tries, the next may at once. */
void fg_breaker_give_back(struct fg_breaker *breaker, struct fg_breaker_pass pass, fg_usec now);

#endif
