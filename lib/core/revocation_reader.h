/*
 * A worker's part in the table of revocations (keys/revocation.h): reading from the store what was revoked since the last time.
 */
#ifndef FG_CORE_REVOCATION_READER_H
#define FG_CORE_REVOCATION_READER_H

#include "keys/revocation.h"

struct fg_gateway;
struct fg_revocation_reader;

struct fg_revocation_conf {
	fg_usec check_every;
	fg_usec stale_after;    /* then it is not known what was revoked */
	bool deny;              /* what to do then */
};

/* name: of the policy, for log and metrics. gw->client NULL: the table is only looked at. Never NULL. */
struct fg_revocation_reader *fg_revocation_reader_new(struct fg_gateway *gw, const struct fg_revocation_conf *conf, struct fg_str name,
    struct fg_revocation_table *table);
void fg_revocation_reader_free(struct fg_revocation_reader *reader);
/* It has not been known for stale-after what was revoked. */
bool fg_revocation_is_stale(const struct fg_revocation_reader *reader);

#endif
