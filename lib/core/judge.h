/*
 * What becomes of requests that a pick has let through: counted, told to the breakers of the target and of the service, and
 * what that changes told to the log, one line a change.
 */
#ifndef FG_CORE_JUDGE_H
#define FG_CORE_JUDGE_H

#include "service/service.h"

struct fg_gateway;

/* The pick was taken: says so when it is the one that tries. */
void fg_judge_let_through(struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit);
/*
 * It came to that; status: for FG_FAILURE_STATUS; connect_error: an errno for the log, 0 where there is none.
 * FG_FAILURE_NOT_ITS says nothing: fg_judge_never() follows.
 */
void fg_judge(struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit, enum fg_failure failure,
    int status, int connect_error);
/* Nobody will know: where it was the one that tries, another may. */
void fg_judge_never(struct fg_gateway *gw, const struct fg_target *target, const struct fg_permit *permit);

#endif
