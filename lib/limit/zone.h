/*
 * Time zones for limits whose windows follow a calendar: a table of a zone's offsets, made once when the configuration is
 * read, so that asking for the time there later touches neither files nor the environment.
 */
#ifndef FG_LIMIT_ZONE_H
#define FG_LIMIT_ZONE_H

#include "base/arena.h"
#include "base/clock.h"

struct fg_zone;

/*
 * "Europe/Berlin", as the system knows it (tzdata); its changes until twenty years from now are kept. NULL: there is no
 * such zone. Not while the process has another thread: it changes the environment for a moment.
 */
const struct fg_zone *fg_zone_load(struct fg_str name, fg_usec now, struct fg_arena *arena);
/* What clocks there are ahead of UTC at that time. zone NULL: UTC. */
fg_usec fg_zone_offset(const struct fg_zone *zone, fg_usec at);
/*
 * The time when clocks there show `local`, microseconds since 1970-01-01T00:00:00 as they count it. Of a time that is
 * shown twice, the first or the second, always the same; of one that is left out, about when it would have been.
 */
fg_usec fg_zone_to_utc(const struct fg_zone *zone, fg_usec local);

#endif
