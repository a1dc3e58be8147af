/*
 * One way to find out who is calling: an authenticator is one const object in a file of its own (auth_TYPE.c), a page
 * (auth_TYPE.md) and a line in the list below. The filter `auth` (auth.c) asks those of a route's policies in order:
 *
 *   look says         the request                                         then
 *   ----------------  --------------------------------------------------  -----------------------------------------
 *   FG_AUTH_ABSENT    has no credential of this policy's                  the next policy
 *   FG_AUTH_NOT_MINE  has one that this policy has no say in (another     the next policy
 *                     issuer's token)
 *   FG_AUTH_REFUSED   has one that is not good                            the next policy
 *   FG_AUTH_UNAVAILABLE  has one that cannot be judged now                the next policy
 *   FG_AUTH_ACCEPTED  comes from attempt->identity                        the next filter: any one is enough
 *   FG_AUTH_SUSPENDED the continuation will say one of these              wait
 *
 * When no policy accepts, the answer is that of the most telling verdict, in this order from below; of equals the first.
 * So no authenticator answers by itself, and none has to know of others.
 *
 *   static enum fg_auth_verdict
 *   look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
 *   {
 *           const struct my_conf *conf = (const void *)policy; // which it begins with
 *           …
 *           if (text.p == NULL)
 *                   return fg_auth_say(attempt, FG_AUTH_ABSENT, FG_ERR_TOKEN_MISSING, NULL);
 */
#ifndef FG_FILTER_AUTHENTICATOR_H
#define FG_FILTER_AUTHENTICATOR_H

#include "core/exchange.h"
#include "core/filter.h"
#include "core/identity.h"
#include "filter/credentials.h"

/* symbol, name in C, value of `type`, help: the order is that of their shared memory. */
#define FG_AUTHENTICATOR_LIST(X) \
	X(JWT, jwt, "jwt", "a signed token of one issuer") \
	X(INTROSPECTION, introspection, "introspection", "a token that its provider is asked about") \
	X(API_KEY, api_key, "api-key", "a key that the caller holds") \
	X(BASIC, basic, "basic", "a user and a password") \
	X(CLIENT_CERTIFICATE, client_certificate, "client-certificate", "a certificate that the web server has verified") \
	X(FORWARD, forward, "forward", "whatever a service of one's own says")

enum fg_auth_type {
#define FG_AUTH_TYPE_SYMBOL(symbol, name, type, help) FG_AUTH_TYPE_##symbol,
	FG_AUTHENTICATOR_LIST(FG_AUTH_TYPE_SYMBOL)
#undef FG_AUTH_TYPE_SYMBOL
	FG_AUTH_TYPES,
};

/* No authenticator's configuration is larger (each asserts so): variants of a section are sized by the frame. */
enum { FG_AUTH_CONF_BYTES = 1024 };

struct fg_authenticator;
struct fg_auth_attempt;

/* A header of the identity: what claim goes into it. */
struct fg_auth_forward {
	struct fg_str header, claim;
};

/* What the configuration of every authenticator begins with. FG_AUTH_KEYS has its keys. */
struct fg_auth_policy {
	struct fg_policy policy;
	enum fg_auth_type type;
	const struct fg_authenticator *authenticator; /* set by the frame */
	struct fg_credential_places from;             /* none: credentials that are not in the request */
	const struct fg_auth_forward *forward;
	size_t forward_count;
	struct fg_str realm;
	bool strip; /* the credential, from what the service sees */
};

enum fg_auth_verdict {
	FG_AUTH_ABSENT, FG_AUTH_NOT_MINE, FG_AUTH_REFUSED, FG_AUTH_UNAVAILABLE, FG_AUTH_ACCEPTED, FG_AUTH_SUSPENDED,
};

typedef enum fg_auth_verdict fg_auth_continue_fn(struct fg_auth_attempt *attempt, void *arg);

/* One policy and one exchange. It lives as long as the exchange, at one address. */
struct fg_auth_attempt {
	struct fg_exchange *x;
	const struct fg_auth_policy *policy;
	const struct fg_policies *policies; /* all of the route, in order: struct fg_auth_policy each */
	void *state;                        /* of the authenticator in this worker */
	/* What it says, besides the verdict. */
	enum fg_err reason;
	const char *why;                    /* a constant sentence for `faregate explain` and the log; NULL: the reason says it */
	/* With FG_AUTH_ACCEPTED. It and its consumer lie in x->arena (the log reads them last); its claims may be `held`. */
	const struct fg_identity *identity;
	void (*release)(void *held);        /* with FG_AUTH_ACCEPTED: called once, when the exchange ends; NULL: nothing */
	void *held;
	/* With FG_AUTH_REFUSED: answers instead of a problem of `reason`, by fg_exchange_answer(). NULL: the problem. */
	void (*answer)(struct fg_auth_attempt *attempt, void *arg);
	void *answer_arg;
	/*
	 * While it waits: releases what the continuation would have, when the exchange ends after fg_await_done() and before the
	 * continuation; gets the argument of fg_auth_await(). NULL: there is nothing to release.
	 */
	void (*discard)(void *arg);
	/* The frame's. */
	fg_auth_continue_fn *then; /* NULL: it does not wait */
	void (*on_cancel)(void *arg);
	void *then_arg;
};

struct fg_authenticator {
	const char *type;
	struct fg_str scheme; /* of its credentials in Authorization: "Bearer"; empty: it has none there */
	/* Of its configuration, at its end; NULL: nothing. */
	fg_conf_parse_fn *check;
	/* Headers it tells the service besides `forward`; NULL: none. */
	void (*each_identity_header)(const struct fg_auth_policy *policy, void (*fn)(void *arg, struct fg_str name), void *arg);
	/*
	 * What the client is told to send (RFC 9110 §11.6.1): "Bearer realm=\"api\"", in x->arena; FG_STR_NONE: nothing.
	 * refused: the attempt that is answered, when it is this policy's; NULL otherwise.
	 */
	struct fg_str (*challenge)(const struct fg_auth_policy *policy, struct fg_exchange *x, const struct fg_auth_attempt *refused);
	enum fg_auth_verdict (*look)(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt);
	/* Memory of the pool's workers, all zeros at first, fixed in size; reloads keep it. 0: none. */
	size_t shared_size;
	/* State in a worker, of all policies of this type; NULL: none. shared is NULL, and so is gw->client, in
	   `faregate explain`; or shared may only be read there. */
	void *(*worker_start)(struct fg_gateway *gw, void *shared);
	void (*worker_stop)(void *state);
};

#define FG_AUTH_DECLARE(symbol, name, type, help) \
	extern const struct fg_authenticator fg_authenticator_##name; \
	extern const struct fg_conf_key fg_auth_##name##_keys[];
FG_AUTHENTICATOR_LIST(FG_AUTH_DECLARE)

/* ---- what all have in common: rows for the table of keys, which begins with them */

extern const struct fg_conf_key fg_auth_forward_header, fg_auth_forward_claim;
fg_conf_parse_fn fg_auth_check_forward, fg_auth_check_realm;
/* Of a key `ca`: a file of certificates, which then is its whole path. */
fg_conf_parse_fn fg_auth_check_ca;
/* Of these keys together. */
void fg_auth_check_policy(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_auth_policy *policy);

/* choices: the one value of `type`. strip_preset: "true" or "false". */
#define FG_AUTH_KEYS(strukt, type_choices, strip_preset) \
	{"type", FG_CONF_ENUM, FG_CONF_AT(strukt, auth.type), .choices = (type_choices), .flags = FG_CONF_REQUIRED, \
	    .help = "how it finds out who is calling"}, \
	{"forward", FG_CONF_MAP, FG_CONF_ARRAY(strukt, auth.forward, auth.forward_count, struct fg_auth_forward), \
	    .max = FG_MAX_AUTH_FORWARDS, .item_name = &fg_auth_forward_header, .item = &fg_auth_forward_claim, \
	    .check = fg_auth_check_forward, \
	    .help = "headers by which the service learns who is calling: the claim in each. Clients' own are removed on every route"}, \
	{"strip", FG_CONF_BOOL, FG_CONF_AT(strukt, auth.strip), .preset = (strip_preset), \
	    .help = "true takes the credential out of what the service sees"}, \
	{"realm", FG_CONF_STRING, FG_CONF_AT(strukt, auth.realm), .max = 64, .check = fg_auth_check_realm, .preset = "api", \
	    .help = "named in WWW-Authenticate"}

#define FG_AUTH_FROM_KEY(strukt, places_preset) \
	{"from", FG_CONF_LIST, FG_CONF_ARRAY(strukt, auth.from.v, auth.from.count, struct fg_credential_place), \
	    .flags = FG_CONF_OR_ONE, .max = 8, .item = &fg_credential_place_item, .check = fg_credential_places_check, \
	    .preset = (places_preset), .help = "where the credential is: one of these places, once"}

/* ---- for look and its continuations */

/* Sets reason and why; gives the verdict back. */
enum fg_auth_verdict fg_auth_say(struct fg_auth_attempt *attempt, enum fg_auth_verdict verdict, enum fg_err reason,
    const char *why);
/* identity->policy is set here. */
enum fg_auth_verdict fg_auth_accept(struct fg_auth_attempt *attempt, struct fg_identity *identity);
/*
 * Suspends the exchange as fg_await() does (core/filter.h): once fg_await_done() was called on *await, the continuation
 * says the verdict, or suspends again.
 */
enum fg_auth_verdict fg_auth_await(struct fg_auth_attempt *attempt, const char *waiting_on, fg_auth_continue_fn *then,
    void (*on_cancel)(void *arg), void *arg, struct fg_await **await);
/* fg_credential_find() in policy->from; FG_AUTH_ACCEPTED stands for "found", else it is the verdict. */
enum fg_auth_verdict fg_auth_find(struct fg_auth_attempt *attempt, enum fg_err absent, struct fg_str *text);

/* struct fg_claims.find where the source is a struct fg_json_node, the root of an object. */
bool fg_auth_json_claim(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out);

/* What the authenticator of that type keeps in this worker. */
void *fg_auth_state(const struct fg_gateway *gw, enum fg_auth_type type);

/* Its part of the memory that the filter's pool shares. */
void *fg_auth_shared(void *memory, enum fg_auth_type type);

/* worker_start and worker_stop of an authenticator whose state is a struct fg_verdict_cache. */
void *fg_auth_start_verdicts(struct fg_gateway *gw, void *shared);
void fg_auth_stop_verdicts(void *state);

/* A challenge of RFC 6750 §3: no error where the client sent no token. */
struct fg_str fg_auth_bearer_challenge(const struct fg_auth_policy *policy, struct fg_exchange *x,
    const struct fg_auth_attempt *refused);

#endif
