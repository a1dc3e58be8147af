/*
 * The authenticator `client-certificate`: who showed the web server a certificate that it has verified. Believed only because the
 * configuration states which web server says so.
 */
#include "core/client_certificate.h"
#include "filter/authenticator.h"
#include "token/api_key.h"

enum { MAX_NAMES = 1000 };

enum consumer { CONSUMER_COMMON_NAME, CONSUMER_SUBJECT, CONSUMER_SERIAL, CONSUMER_DNS, CONSUMER_EMAIL, CONSUMER_URI, CONSUMER_FINGERPRINT };

struct fingerprint {
	uint8_t sha256[FG_CERTIFICATE_HASH_BYTES];
};

struct certificate_conf {
	struct fg_auth_policy auth;
	enum fg_certificate_server server;
	enum consumer consumer;
	const struct fg_str *subjects, *issuers;
	size_t subject_count, issuer_count;
	const struct fingerprint *fingerprints;
	size_t fingerprint_count;
};

_Static_assert(sizeof(struct certificate_conf) <= FG_AUTH_CONF_BYTES, "the frame's room for it");

/* ---- claims */

/* What is known, in the exchange's arena: the source of claims. */
struct known {
	struct fg_certificate certificate;
	struct fg_str fingerprint;
};

static bool
find_claim(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	const struct known *known = source;
	const struct fg_certificate *c = &known->certificate;
	const struct {
		struct fg_str name;
		struct fg_claim_values values;
	} claims[] = {
	    {FG_STR_INIT("subject"), {&c->subject, 1}},
	    {FG_STR_INIT("issuer"), {&c->issuer, 1}},
	    {FG_STR_INIT("common-name"), {&c->common_name, c->common_name.len > 0}},
	    {FG_STR_INIT("serial"), {&c->serial, 1}},
	    {FG_STR_INIT("fingerprint"), {&known->fingerprint, 1}},
	    {FG_STR_INIT("dns"), {c->dns, c->dns_count, true}},
	    {FG_STR_INIT("email"), {c->email, c->email_count, true}},
	    {FG_STR_INIT("uri"), {c->uri, c->uri_count, true}},
	};

	(void)arena;
	for (size_t i = 0; i < FG_ARRAY_LEN(claims); i++) {
		if (!fg_str_eq(name, claims[i].name) || claims[i].values.count == 0)
			continue;
		*out = claims[i].values;
		return true;
	}
	return false;
}

static struct fg_str
format_fingerprint(const uint8_t *sha256, struct fg_arena *arena)
{
	char *text = fg_arena_alloc(arena, FG_API_KEY_HASH_TEXT_LEN + 1);
	struct fg_api_key_hash hash;

	memcpy(hash.bytes, sha256, sizeof(hash.bytes));
	fg_api_key_hash_format(text, &hash);
	return (struct fg_str){text, FG_API_KEY_HASH_TEXT_LEN};
}

/* ---- deciding */

static bool
is_listed(const struct fg_str *names, size_t count, struct fg_str name)
{
	for (size_t i = 0; i < count; i++)
		if (fg_str_eq(names[i], name))
			return true;
	return count == 0;
}

static bool
is_fingerprint_listed(const struct certificate_conf *conf, const uint8_t *sha256)
{
	for (size_t i = 0; i < conf->fingerprint_count; i++)
		if (memcmp(conf->fingerprints[i].sha256, sha256, FG_CERTIFICATE_HASH_BYTES) == 0)
			return true;
	return conf->fingerprint_count == 0;
}

/* Empty: the certificate has no such name, or several, of which none is more the caller's than the others. */
static struct fg_str
consumer_of(const struct certificate_conf *conf, const struct known *known)
{
	const struct fg_certificate *c = &known->certificate;

	switch (conf->consumer) {
	case CONSUMER_COMMON_NAME:
		return c->common_name;
	case CONSUMER_SUBJECT:
		return c->subject;
	case CONSUMER_SERIAL:
		return c->serial;
	case CONSUMER_DNS:
		return c->dns_count == 1 ? c->dns[0] : FG_STR_NONE;
	case CONSUMER_EMAIL:
		return c->email_count == 1 ? c->email[0] : FG_STR_NONE;
	case CONSUMER_URI:
		return c->uri_count == 1 ? c->uri[0] : FG_STR_NONE;
	case CONSUMER_FINGERPRINT:
		return known->fingerprint;
	}
	return FG_STR_NONE;
}

static enum fg_auth_verdict
look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
{
	const struct certificate_conf *conf = (const void *)policy; /* which it begins with */
	struct known *known = FG_ARENA_NEW(&attempt->x->arena, struct known);
	const struct fg_certificate *c = &known->certificate;
	enum fg_err err = fg_client_certificate_read(attempt->x, &known->certificate);
	struct fg_identity *identity;

	if (err == FG_ERR_CERTIFICATE_MISSING)
		return fg_auth_say(attempt, FG_AUTH_ABSENT, err, NULL);
	if (err != FG_OK)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, err, NULL);
	if (!is_listed(conf->subjects, conf->subject_count, c->subject))
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_CERTIFICATE_REFUSED, "its subject is not in the list");
	if (!is_listed(conf->issuers, conf->issuer_count, c->issuer))
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_CERTIFICATE_REFUSED, "its issuer is not in the list");
	if (!is_fingerprint_listed(conf, c->sha256))
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_CERTIFICATE_REFUSED, "its fingerprint is not in the list");
	known->fingerprint = format_fingerprint(c->sha256, &attempt->x->arena);
	identity = FG_ARENA_NEW(&attempt->x->arena, struct fg_identity);
	identity->consumer = consumer_of(conf, known);
	identity->credential = fg_str_slice(known->fingerprint, 0, 7 + 16);
	identity->claims = (struct fg_claims){find_claim, known};
	if (identity->consumer.len == 0)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_CERTIFICATE_REFUSED,
		    "it has not one name of the kind that `consumer` asks for");
	return fg_auth_accept(attempt, identity);
}

/* ---- the configuration */

static void
parse_fingerprint(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;

	if (fg_conf_want_text(conf, node, key->form, &text) && !fg_certificate_hash_parse(out, text))
		fg_conf_error(conf, node, "expected %s", key->form);
}

static const struct fg_conf_choice types[] = {{"client-certificate", FG_AUTH_TYPE_CLIENT_CERTIFICATE}, {NULL, 0}};
static const struct fg_conf_choice consumers[] = {{"common-name", CONSUMER_COMMON_NAME}, {"subject", CONSUMER_SUBJECT},
    {"serial", CONSUMER_SERIAL}, {"dns", CONSUMER_DNS}, {"email", CONSUMER_EMAIL}, {"uri", CONSUMER_URI},
    {"fingerprint", CONSUMER_FINGERPRINT}, {NULL, 0}};

static const struct fg_conf_key subject_item = {"SUBJECT", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .form = "a name, CN=a,O=b",
    .help = "as openssl x509 -subject -nameopt rfc2253,-esc_msb prints it"};
static const struct fg_conf_key fingerprint_item = {"FINGERPRINT", FG_CONF_CUSTOM, FG_CONF_IN(struct fingerprint),
    .parse = parse_fingerprint, .form = "sha256: and 64 hexadecimal digits", .schema = "\"type\": \"string\"",
    .help = "of the certificate's DER form"};

const struct fg_conf_key fg_auth_client_certificate_keys[] = {
    FG_AUTH_KEYS(struct certificate_conf, types, "false"),
    {"from", FG_CONF_ENUM, FG_CONF_AT(struct certificate_conf, server), .flags = FG_CONF_REQUIRED,
	.choices = fg_certificate_servers,
	.help = "the web server in front: states that it sets SSL_CLIENT_VERIFY and SSL_CLIENT_CERT, on every request that comes here"},
    {"consumer", FG_CONF_ENUM, FG_CONF_AT(struct certificate_conf, consumer), .choices = consumers, .preset = "common-name",
	.help = "which of its names is the consumer; one that is there more than once is none"},
    {"subjects", FG_CONF_LIST, FG_CONF_ARRAY(struct certificate_conf, subjects, subject_count, struct fg_str), .flags = FG_CONF_OR_ONE,
	.max = MAX_NAMES, .item = &subject_item, .shown_preset = "any", .help = "one of these subjects"},
    {"issuers", FG_CONF_LIST, FG_CONF_ARRAY(struct certificate_conf, issuers, issuer_count, struct fg_str), .flags = FG_CONF_OR_ONE,
	.max = MAX_NAMES, .item = &subject_item, .shown_preset = "any", .help = "issued by one of these"},
    {"fingerprints", FG_CONF_LIST, FG_CONF_ARRAY(struct certificate_conf, fingerprints, fingerprint_count, struct fingerprint),
	.flags = FG_CONF_OR_ONE, .max = MAX_NAMES, .item = &fingerprint_item, .shown_preset = "any", .help = "one of these certificates"},
    {NULL},
};

const struct fg_authenticator fg_authenticator_client_certificate = {
    .type = "client-certificate",
    .look = look,
};
