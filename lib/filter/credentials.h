/*
 * Where a request carries a credential: a header, a cookie, a parameter of the query. Authenticators share this: to find
 * what a client sent, once, and to take it away from what the service sees.
 */
#ifndef FG_FILTER_CREDENTIALS_H
#define FG_FILTER_CREDENTIALS_H

#include "base/assert.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/keys.h"

struct fg_exchange;

enum fg_credential_kind { FG_CREDENTIAL_HEADER, FG_CREDENTIAL_COOKIE, FG_CREDENTIAL_QUERY };

struct fg_credential_place {
	enum fg_credential_kind kind;
	struct fg_str name;
};

struct fg_credential_places {
	const struct fg_credential_place *v;
	size_t count;
};

/* An element of a list `from`: "header:NAME", "cookie:NAME", "query:NAME". Base: struct fg_credential_place. */
extern const struct fg_conf_key fg_credential_place_item;
/* At the end of that list. */
fg_conf_parse_fn fg_credential_places_check;

bool fg_credential_is_same_place(const struct fg_credential_place *a, const struct fg_credential_place *b);

/*
 * The one credential in these places, in *text; its p is NULL when there is none. In Authorization it stands behind its
 * scheme ("Bearer", in any case; another scheme is somebody else's credential); in other headers the scheme may be there
 * or not. FG_ERR_CREDENTIALS_AMBIGUOUS when there are two, in two places or in one (RFC 6750 §2: one method a request):
 * which of them the service would read, nobody knows. The text lives as long as the exchange.
 */
FG_MUST_CHECK enum fg_err fg_credential_find(const struct fg_credential_places *places, struct fg_str scheme,
    struct fg_exchange *x, struct fg_str *text);
/* Takes whatever stands in these places out of what is forwarded; of Authorization, that scheme alone. */
void fg_credential_strip(const struct fg_credential_places *places, struct fg_str scheme, struct fg_exchange *x);

#endif
