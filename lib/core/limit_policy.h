/*
 * A limit as the configuration writes it: numbers, what it counts by, what a request costs, for whom other numbers hold,
 * and what happens when the store fails. And what it comes to for one request.
 */
#ifndef FG_CORE_LIMIT_POLICY_H
#define FG_CORE_LIMIT_POLICY_H

#include "base/limits.h"
#include "core/filter.h"
#include "core/var.h"
#include "limit/limit_store.h"

struct fg_exchange;

enum fg_limit_on_failure { FG_LIMIT_FAIL_LOCAL, FG_LIMIT_FAIL_ALLOW, FG_LIMIT_FAIL_DENY };
enum fg_limit_headers { FG_LIMIT_HEADERS_OFF = 0, FG_LIMIT_HEADERS_STANDARD = 1, FG_LIMIT_HEADERS_LEGACY = 2 }; /* bits */

/* Other numbers, where a request variable has that value. */
struct fg_limit_override {
	struct fg_var var;
	struct fg_str value;
	struct fg_limit limit;
	uint8_t id[FG_LIMIT_ID_BYTES];
};

struct fg_limit_policy {
	struct fg_policy policy;
	struct fg_limit limit;
	uint8_t id[FG_LIMIT_ID_BYTES];
	int concurrency;             /* as written; 0: a rate is given */
	fg_usec lease;
	struct fg_str timezone;
	const struct fg_var *by;
	size_t by_count;
	int64_t cost;                /* where cost_var is absent, or there is none */
	const struct fg_var *cost_var; /* NULL: always cost */
	struct fg_limit_override *overrides;
	size_t override_count;
	int on_failure;              /* enum fg_limit_on_failure */
	bool is_observed;            /* mode: observe */
	int headers;                 /* enum fg_limit_headers */
};

enum { FG_LIMIT_POLICY_BYTES = sizeof(struct fg_limit_policy) + 2 * sizeof(size_t) }; /* with what is needed while it is read */

extern const struct fg_conf_key fg_limit_policy_keys[];
/* A request variable (struct fg_var) for which the client's address stands in. */
extern const struct fg_conf_key fg_limit_by_item;
/* At the end of a policy: what only all of its keys together tell. */
fg_conf_parse_fn fg_limit_policy_check;
void fg_limit_policy_each_var(const struct fg_limit_policy *policy, void (*fn)(void *arg, const struct fg_var *var), void *arg);

/*
 * What is to be asked of the store: the numbers that hold for this request, the key, the cost. *by: the values it counts by,
 * for people ("consumer=alice"), when it is not NULL. A variable that is absent stands for ip; an IPv6 address for its /64.
 */
void fg_limit_policy_ask(const struct fg_limit_policy *policy, struct fg_exchange *x, bool with_tag, struct fg_limit_ask *ask,
    struct fg_str *by);
/* The parts of a key out of values as a person gives them, one a variable. */
void fg_limit_policy_key(const struct fg_limit_policy *policy, const uint8_t id[FG_LIMIT_ID_BYTES], const struct fg_str *values,
    struct fg_limit_key *key, struct fg_arena *arena);

/* "100/1m", "1000/month": COUNT/PERIOD. False when it is not of that form; bounds are fg_limit_init()'s to check. */
bool fg_limit_parse_rate(struct fg_str text, struct fg_limit *limit);

#endif
