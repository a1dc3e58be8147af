/*
 * Tokens that are no longer to be taken although they have not expired: one (jti), those of a subject, or those of a whole
 * issuer that were issued before a moment.
 *
 * The store keeps them as a stream, FG_REVOCATION_KEY. One worker of a pool at a time reads what is new in it each
 * check-every, into a bounded table in memory that all workers share and look at for each token. With `store: memory` the
 * table is all there is, and whoever revokes writes to it.
 *
 * Readers need no lock. Whoever writes holds the lease.
 */
#ifndef FG_KEYS_REVOCATION_H
#define FG_KEYS_REVOCATION_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

#define FG_REVOCATION_KEY "faregate:revocations"
/* A revocation lasts no longer: what the stream may be cut at. */
#define FG_REVOCATION_MAX (INT64_C(31) * 86400 * FG_US_PER_S)

enum fg_revocation_kind { FG_REVOKED_TOKEN, FG_REVOKED_SUBJECT, FG_REVOKED_ISSUER, FG_REVOCATION_KINDS };

struct fg_revocation {
	enum fg_revocation_kind kind;
	struct fg_str issuer; /* empty: of any (not with FG_REVOKED_ISSUER, whose value is empty) */
	struct fg_str value;  /* jti or sub */
	fg_usec before;       /* wall: those issued earlier; not looked at with FG_REVOKED_TOKEN */
	fg_usec until;        /* wall: when it may be forgotten, because the tokens have expired */
};

/* "jti", "sub", "iss". */
const char *fg_revocation_kind_name(enum fg_revocation_kind kind);

struct fg_revocation_entry {
	_Atomic uint64_t hash[2]; /* of kind, issuer and value; hash[0] 0: never used */
	_Atomic int64_t before, until;
};

struct fg_revocation_table {
	_Atomic uint64_t lease;
	_Atomic uint32_t kinds;   /* bits of kinds there are: 1 << kind; with an issuer 1 << (kind + FG_REVOCATION_KINDS) */
	_Atomic int64_t full_until; /* wall: the last of those that found no place would have ended then */
	_Atomic uint32_t failing; /* the store cannot be read, and that was logged */
	_Atomic int64_t next;     /* monotonic: when it is read again */
	_Atomic int64_t good;     /* monotonic: when all of it was known; 0: never */
	_Atomic uint64_t last[2]; /* the stream's last entry that was read: milliseconds and number */
	struct fg_revocation_entry entries[FG_MAX_REVOCATIONS];
};

/* FG_ERR_TOO_LARGE: there is no place for it. The lease is held. */
FG_MUST_CHECK enum fg_err fg_revocation_add(struct fg_revocation_table *table, const struct fg_revocation *revocation, fg_usec now_wall);
/* The lease of the table, for somebody outside a pool's workers. False: somebody has it just now. */
bool fg_revocation_lock(struct fg_revocation_table *table, fg_usec now);
void fg_revocation_unlock(struct fg_revocation_table *table);

/* Of a token: texts empty where it has no such claim; issued: iat, wall; -1: it has none. */
bool fg_revocation_has(const struct fg_revocation_table *table, struct fg_str issuer, struct fg_str jti, struct fg_str sub,
    fg_usec issued, fg_usec now_wall);

/* The arguments of XADD for it. numbers takes 3 * FG_REVOCATION_NUMBER_BYTES. */
enum { FG_REVOCATION_ARGS = 16, FG_REVOCATION_NUMBER_BYTES = 24 };
size_t fg_revocation_command(struct fg_str args[FG_REVOCATION_ARGS], char *numbers, const struct fg_revocation *revocation,
    fg_usec now_wall);

#endif
