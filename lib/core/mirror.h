/*
 * Mirroring: a copy of a share of a route's requests goes to another service; its answers are read and dropped. The exchange
 * neither waits for it nor learns of it. What is too much (copies in flight, a body that is too long) is left out and counted.
 */
#ifndef FG_CORE_MIRROR_H
#define FG_CORE_MIRROR_H

#include "base/str.h"

struct fg_exchange;
struct fg_gateway;

/* The exchange is being forwarded: decides whether it is copied, and sends the copy when it has no body. */
void fg_mirror_start(struct fg_exchange *x);
/* A piece of the request's body, as it goes to the service; last: all of it has been given. */
void fg_mirror_body(struct fg_exchange *x, struct fg_str chunk, bool last);
/* The exchange is over: a copy whose body is not complete is left out. */
void fg_mirror_stop(struct fg_exchange *x);
/* The worker ends: copies in flight are given up. */
void fg_mirror_end_all(struct fg_gateway *gw);

#endif
