/*
 * A circuit breaker in one 64-bit word of shared memory, so that every worker of a pool sees and moves the same one and
 * no lock can be left behind by a worker that dies.
 *
 *   closed    -- failures in a row, within the time --> open
 *   open      -- the time has passed, one request    --> half-open      for one worker, the others go on refusing
 *   half-open -- that request succeeded              --> closed
 *   half-open -- it failed                           --> open, twice as long, up to open_most
 *   half-open -- nothing was heard of it in time     --> half-open, another request (its worker may have died)
 *
 * Times are of the monotonic clock, which all processes of a host share.
 */
#ifndef FG_CORE_BREAKER_H
#define FG_CORE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"

/* Zeroed: closed, nothing counted. */
typedef _Atomic uint64_t fg_breaker;

struct fg_breaker_conf {
	unsigned failures;  /* in a row that open it; 0: there is no breaker */
	fg_usec within;     /* all of them; the first that is older no longer counts, nor do those after it */
	fg_usec open_for;   /* the first time */
	fg_usec open_most;  /* however often it has failed */
};

enum fg_breaker_state { FG_BREAKER_CLOSED, FG_BREAKER_OPEN, FG_BREAKER_HALF_OPEN };

/* What an event changed, for the log: one line a change, from the worker whose event it was. */
enum fg_breaker_change { FG_BREAKER_SAME, FG_BREAKER_OPENED, FG_BREAKER_CLOSED_AGAIN };

enum fg_breaker_state fg_breaker_state(const fg_breaker *breaker);
/* How long until a request is let through; 0: one is now. Changes nothing: for choosing and for Retry-After. */
fg_usec fg_breaker_wait(const fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now);
/* A request is about to be sent. False: another worker has taken the place of the one that may try. */
bool fg_breaker_enter(fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now);
/* What became of it. */
enum fg_breaker_change fg_breaker_succeeded(fg_breaker *breaker, const struct fg_breaker_conf *conf);
enum fg_breaker_change fg_breaker_failed(fg_breaker *breaker, const struct fg_breaker_conf *conf, fg_usec now);

#endif
