/*
 * Who is calling, as an authentication filter has found out: what `consumer` and `claim:NAME` stand for, and what limits,
 * authorisation and headers go by. An exchange without one is anonymous.
 */
#ifndef FG_CORE_IDENTITY_H
#define FG_CORE_IDENTITY_H

#include "base/arena.h"
#include "base/str.h"

/* One value of a claim. */
struct fg_claim_values {
	const struct fg_str *v; /* an array's elements, or the one value: text as it is, numbers and booleans as in JSON */
	size_t count;           /* 0 with an empty array */
	bool is_list;           /* an array's elements, also where there is one alone */
};

/*
 * Where claims lie: a token's payload, the attributes of an API key, an introspection's answer. find gives false when
 * there is no such claim, or it is an object or null; name is as configured, a dot goes into a nested object unless
 * the whole name is a member itself. What it gives lives as long as arena.
 */
struct fg_claims {
	bool (*find)(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out);
	const void *source; /* borrowed; lives as long as the exchange */
};

struct fg_consumer;

struct fg_identity {
	struct fg_str policy;   /* name of the authentication policy that has found out */
	struct fg_str consumer; /* never empty */
	struct fg_str credential; /* what logs may say of it: a key's prefix; empty: nothing */
	struct fg_claims claims; /* find NULL: none */
	const struct fg_consumer *attributes; /* what `consumers` says of that one; NULL: nothing. claims go before */
};

/* False: anonymous, or no such claim. */
bool fg_identity_claim(const struct fg_identity *identity, struct fg_str name, struct fg_arena *arena,
    struct fg_claim_values *out);

#endif
