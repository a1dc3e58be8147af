/* Percent-encoding (RFC 3986 §2.1) of one component of a URI. */
#ifndef FG_BASE_PERCENT_H
#define FG_BASE_PERCENT_H

#include "base/arena.h"
#include "base/str.h"

/* With plus_is_space as in query strings. False on bad encoding or a NUL. Where nothing is encoded, *out is the text. */
bool fg_percent_decode(struct fg_str text, bool plus_is_space, struct fg_arena *arena, struct fg_str *out);

#endif
