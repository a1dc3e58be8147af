/* What authenticators have in common: keys with what is wrong with their values, and a cache of verdicts in a worker. */
#include "base/limits.h"
#include "core/edit.h"
#include "filter/authenticator.h"
#include "keys/verdict_cache.h"

/* Headers that tell who is calling must not be those by which messages are framed and requests are traced. */
static bool
may_tell_identity(struct fg_str name)
{
	switch (fg_header_id(name)) {
	case FG_HDR_AUTHORIZATION:
	case FG_HDR_CONTENT_TYPE:
	case FG_HDR_COOKIE:
	case FG_HDR_EXPECT:
	case FG_HDR_FORWARDED:
	case FG_HDR_TRACEPARENT:
	case FG_HDR_TRACESTATE:
	case FG_HDR_VIA:
	case FG_HDR_X_FORWARDED_FOR:
	case FG_HDR_X_FORWARDED_HOST:
	case FG_HDR_X_FORWARDED_PORT:
	case FG_HDR_X_FORWARDED_PROTO:
	case FG_HDR_X_REQUEST_ID:
		return false;
	default:
		return fg_edit_may_touch(name);
	}
}

static void
check_header(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;

	(void)key;
	if (!fg_is_token(*name))
		fg_conf_error(conf, node, FG_STR_FMT " is not a header name", FG_STR_ARG(fg_conf_quote(conf, *name)));
	else if (!may_tell_identity(*name))
		fg_conf_error(conf, node, FG_STR_FMT " has a meaning of its own; take another header, X-User for example",
		    FG_STR_ARG(*name));
}

const struct fg_conf_key fg_auth_forward_header = {"HEADER", FG_CONF_STRING, FG_CONF_AT(struct fg_auth_forward, header), .max = 128,
    .check = check_header, .help = "the service's header"};
const struct fg_conf_key fg_auth_forward_claim = {"CLAIM", FG_CONF_STRING, FG_CONF_AT(struct fg_auth_forward, claim), .max = 256,
    .help = "the claim in it; dots go into nested objects; an array's elements are joined by commas"};

/* X-User and X_User are one header to whoever reads CGI's variables. */
void
fg_auth_check_forward(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_auth_policy *policy = FG_CONTAINER_OF(out, struct fg_auth_policy, forward);
	struct fg_header_set seen = {.count = 0};

	(void)key;
	for (size_t i = 0; i < policy->forward_count; i++) {
		if (fg_header_set_has(&seen, policy->forward[i].header))
			fg_conf_error(conf, node, "sets " FG_STR_FMT " twice", FG_STR_ARG(policy->forward[i].header));
		fg_header_set_add(&seen, policy->forward[i].header, &conf->scratch);
	}
}

/* It stands within quotes in a header (RFC 9110 §5.6.4). */
void
fg_auth_check_realm(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *realm = out;

	(void)key;
	for (size_t i = 0; i < realm->len; i++)
		if (realm->p[i] < ' ' || realm->p[i] > '~' || realm->p[i] == '"' || realm->p[i] == '\\') {
			fg_conf_error(conf, node, "may have printable ASCII without quotes and backslashes alone");
			return;
		}
}

void
fg_auth_check_ca(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str *path = out, text;

	(void)key;
	*path = fg_conf_resolve(conf, node, *path);
	(void)fg_conf_load_file(conf, node, *path, FG_MAX_KEY_SET_BYTES, &text);
}

void
fg_auth_check_policy(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_auth_policy *policy)
{
	for (size_t i = 0; i < policy->from.count; i++)
		for (size_t k = 0; k < policy->forward_count; k++)
			if (policy->from.v[i].kind == FG_CREDENTIAL_HEADER &&
			    fg_str_ieq(policy->from.v[i].name, policy->forward[k].header))
				fg_conf_error(conf, node, FG_STR_FMT " cannot both bring the credential and tell who is calling: "
				    "clients' own is removed", FG_STR_ARG(policy->forward[k].header));
}

void *
fg_auth_start_verdicts(struct fg_gateway *gw, void *shared)
{
	(void)gw;
	(void)shared;
	return fg_verdict_cache_new();
}

void
fg_auth_stop_verdicts(void *state)
{
	fg_verdict_cache_free(state);
}
