/*
 * An identity provider that scenes play: metadata and a JWK Set, tokens signed by its keys; it rotates them, dies, and lies
 * as it is told.
 */
#ifndef FG_E2E_IDP_H
#define FG_E2E_IDP_H

#include "support/token_maker.h"

enum idp_mood {
	IDP_GOOD,
	IDP_ERROR,        /* 500 */
	IDP_HTML,
	IDP_GARBAGE,      /* JSON that is broken off */
	IDP_EMPTY_SET,
	IDP_HUGE,         /* beyond any bound */
	IDP_REDIRECT,     /* to good keys elsewhere */
	IDP_OTHER_ISSUER, /* in its metadata */
	IDP_HELD,         /* answers when idp_release() says so */
	IDP_MOODS,
};

struct idp;

/* With one key, kid "k1". */
struct idp *idp_start(void);
void idp_free(struct idp *idp);
int idp_port(const struct idp *idp);
/* "http://127.0.0.1:PORT"; lives as long as the provider. */
const char *idp_issuer(const struct idp *idp);
void idp_set_mood(struct idp *idp, enum idp_mood mood);
/* Lets n held answers go. */
void idp_release(struct idp *idp, int n);
/* It stops listening, and comes back on the same port. */
void idp_die(struct idp *idp);
void idp_return(struct idp *idp);
/* A new key takes the place of the old one: "k2", "k3", … */
void idp_rotate(struct idp *idp);
/* Requests for the JWK Set, and those answered 304. */
unsigned idp_fetches(struct idp *idp);
unsigned idp_unchanged(struct idp *idp);

/*
 * "Authorization: Bearer …\r\n" with a token of the present key for the audience "orders", good for an hour. more: claims
 * inserted before the others, as ",\"x\":1" behind them; NULL: none. Lives until the next call but seven.
 */
const char *idp_bearer(struct idp *idp, const char *more);
/* The token alone. */
const char *idp_token(struct idp *idp, const char *more);
/* Any header and payload, signed by the present key. */
const char *idp_sign(struct idp *idp, const char *header, const char *payload);
const char *idp_bearer_of(const char *token);
const struct maker_key *idp_key(struct idp *idp);
/* "{\"iss\":…,\"aud\":\"orders\",\"sub\":\"u1\",\"exp\":…MORE}". */
const char *idp_payload(struct idp *idp, const char *more);

#endif
