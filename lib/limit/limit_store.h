/*
 * What is asked of a store of limits, and told by it, whichever it is: all limits of one request at once, all or nothing.
 * A request that one limit refuses is charged to none.
 */
#ifndef FG_LIMIT_LIMIT_STORE_H
#define FG_LIMIT_LIMIT_STORE_H

#include <stdint.h>

#include "base/arena.h"
#include "limit/limit.h"

enum { FG_LIMIT_ID_BYTES = 32, FG_LIMIT_TAG_BYTES = 12 };

/* Whose record: of which limit and for whom. */
struct fg_limit_key {
	uint64_t v[2]; /* of SHA-256 over the limit's id and the values it counts by */
	uint8_t tag[FG_LIMIT_TAG_BYTES]; /* of the values alone: limits that count by the same have the same */
};

/* One limit of a request. */
struct fg_limit_ask {
	const struct fg_limit *limit; /* borrowed */
	struct fg_limit_key key;
	int64_t cost;
	bool is_observed; /* it is charged, but what it refuses goes on */
	int64_t hold;     /* for give and renew: of the result that was got */
	struct fg_limit_reading reading; /* the store's answer */
	struct fg_limit_result result;   /* the same, for people */
};

/* A value that a limit counts by: what it is and what it says. */
struct fg_limit_part {
	unsigned kind;     /* enum fg_var_kind */
	struct fg_str name; /* of header:NAME and the like */
	struct fg_str value;
};

/* What tells a limit from all others, and from itself with other numbers: a changed limit starts anew. */
void fg_limit_id(uint8_t id[FG_LIMIT_ID_BYTES], struct fg_str name, const struct fg_limit *limit);
/*
 * No two lists of parts have the same key, short of a collision of SHA-256 cut to 128 bits. with_tag: the tag too, which a
 * Cluster alone asks for. arena: for the moment.
 */
void fg_limit_key_make(struct fg_limit_key *key, const uint8_t id[FG_LIMIT_ID_BYTES], const struct fg_limit_part *parts,
    size_t count, bool with_tag, struct fg_arena *arena);

/* True: no limit that is enforced refuses. */
bool fg_limit_all_allowed(const struct fg_limit_ask *asks, size_t count);

#endif
