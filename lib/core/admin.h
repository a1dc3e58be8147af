/*
 * The gateway's own pages, under admin.path ("/_faregate") and nowhere else:
 *
 *   /healthz   200 while the process works          /metrics   Prometheus text
 *   /readyz    503 draining once it leaves          /status    the pool as JSON
 *
 * Only for peers in admin.allow, judged by who is connected to the web server and, behind trusted proxies, who asks.
 */
#ifndef FG_CORE_ADMIN_H
#define FG_CORE_ADMIN_H

#include <stdbool.h>

struct fg_exchange;

/* Whether the canonical path is the admin path or lies under it. */
bool fg_admin_owns(const struct fg_exchange *x);
/* Answers x (200, 403 admin_forbidden, 404 route_not_found, 405). GET and HEAD alone. */
void fg_admin_answer(struct fg_exchange *x);

#endif
