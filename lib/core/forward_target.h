/*
 * The request target that a service gets: the canonical path that was decided on, with the route's prefix stripped or
 * the path rewritten, and the query as it came (or as a filter left it).
 */
#ifndef FG_CORE_FORWARD_TARGET_H
#define FG_CORE_FORWARD_TARGET_H

#include "base/assert.h"
#include "base/err.h"
#include "base/str.h"

struct fg_exchange;

/*
 * x has a route. FG_ERR_PATH_AMBIGUOUS when what the stripping or rewriting leaves has a dot segment or anything else
 * that a request's own path may not have; FG_ERR_TARGET_TOO_LONG.
 */
enum fg_err fg_forward_target(struct fg_exchange *x, struct fg_str *out) FG_MUST_CHECK;

#endif
