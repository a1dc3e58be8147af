/*
 * Response headers that tell a client of its limits: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers,
 * structured fields of RFC 9651), or X-RateLimit-Limit, -Remaining and -Reset, which tell of the limit with the least left.
 */
#ifndef FG_CORE_LIMIT_HEADERS_H
#define FG_CORE_LIMIT_HEADERS_H

#include "core/limiter.h"

/*
 * Of all limits that are enforced, known and not silent; headers of these names that a service has sent give way where we
 * have something to say. A response that has no place for one more goes without.
 */
void fg_limit_headers_set(const struct fg_limit_job *job, struct fg_exchange *x);
/* Seconds, rounded up, after which no limit that has refused would do so again; at least 1. */
int64_t fg_limit_retry_after(const struct fg_limit_job *job);

#endif
