/*
 * What a token's claims have to say (RFC 7519 §4.1), and how to get at one.
 */
#ifndef FG_TOKEN_CLAIMS_H
#define FG_TOKEN_CLAIMS_H

#include "base/clock.h"
#include "token/json.h"

/* All borrowed from the configuration. */
struct fg_claim_rules {
	struct fg_str issuer;           /* `iss` is exactly this; p NULL: not looked at */
	const struct fg_str *audiences; /* `aud`, a string or an array, has one of these */
	size_t audience_count;          /* 0: not looked at */
	fg_usec leeway;                 /* for clocks that differ, both ways */
	bool exp_optional;              /* a token without `exp` is taken; one that has it still expires */
	struct fg_str typ;              /* the header's `typ` ("at+jwt" of RFC 9068); p NULL: not looked at */
	const struct fg_str *required;  /* paths (see fg_claim_find) that must lead to something other than null */
	size_t required_count;
};

#define FG_NEVER INT64_MAX

/*
 * claims: the root of the payload. now: wall time. On FG_OK *expires is the moment from which the token is no longer taken
 * (exp + leeway; FG_NEVER without `exp`). Otherwise, the first of
 *   FG_ERR_TOKEN_CLAIM_INVALID     exp, nbf or iat is not a number in 0 … year 9999; iss or aud is of the wrong type
 *   FG_ERR_TOKEN_ISSUER_UNKNOWN    iss is another, or missing
 *   FG_ERR_TOKEN_AUDIENCE_WRONG    aud has none of ours, or is missing
 *   FG_ERR_TOKEN_EXPIRED           exp + leeway <= now
 *   FG_ERR_TOKEN_NOT_YET_VALID     nbf, or iat, is later than now + leeway
 *   FG_ERR_TOKEN_CLAIM_MISSING     exp, or a required one
 */
FG_MUST_CHECK enum fg_err fg_claims_check(const struct fg_json_node *claims, const struct fg_claim_rules *rules, fg_usec now,
    fg_usec *expires, const char **why);
/* FG_OK or FG_ERR_TOKEN_TYPE_WRONG. Upper and lower case and a leading "application/" make no difference (RFC 7515 §4.1.9).
 * wanted without text: anything will do. */
FG_MUST_CHECK enum fg_err fg_claims_check_typ(struct fg_str typ, struct fg_str wanted);

/*
 * The claim a path leads to, or NULL. Dots go into nested objects; since names may have dots themselves
 * ("https://example.com/roles"), at each object the longest member name that the path begins with is taken.
 */
const struct fg_json_node *fg_claim_find(const struct fg_json_node *claims, struct fg_str path);
/*
 * A NumericDate (RFC 7519 §2), which may have a fraction. *present is false when there is none. False: it is no number in
 * 0 … year 9999.
 */
bool fg_claim_time(const struct fg_json_node *claims, struct fg_str name, fg_usec *out, bool *present);
/* A scalar's text; "a,b" is never made of an array: FG_STR_NONE for that, for null, and for NULL. */
struct fg_str fg_claim_text(const struct fg_json_node *claim);
/* The claim is a scalar with this text, or an array with such an element. For roles, groups, audiences. NULL: false. */
bool fg_claim_has(const struct fg_json_node *claim, struct fg_str value);
/* The same, and a string is a list of words divided by spaces (`scope`, RFC 8693 §4.2); an array's elements are whole. */
bool fg_claim_has_word(const struct fg_json_node *claim, struct fg_str word);

#endif
