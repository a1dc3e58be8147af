/*
 * The filter `require`: who may use a route, once it is known who is calling: by scope, claims, consumer and address. All
 * that is required must hold.
 */
#include "core/exchange.h"
#include "core/filter.h"
#include "core/identity.h"
#include "core/value_keys.h"
#include "filter/filter_list.h"

enum { MAX_VALUES = 1000, MAX_CLAIMS = 32 };

/* Values that must be there: every one, or at least one. */
struct wanted {
	bool all;
	const struct fg_str *v;
	size_t count;
};

struct wanted_claim {
	struct fg_str name;
	struct wanted wanted;
};

struct require_conf {
	struct fg_policy policy;
	struct wanted scope;
	const struct wanted_claim *claims;
	size_t claim_count;
	const struct fg_str *consumers;
	size_t consumer_count;
	const struct fg_cidr *allow, *deny;
	size_t allow_count, deny_count;
	struct fg_str challenge; /* the value of WWW-Authenticate that names the scope */
};

/* ---- deciding */

/* Whether one of the values is, or with is_list has among its words, that one. */
static bool
has_value(const struct fg_claim_values *values, struct fg_str wanted, bool is_list)
{
	for (size_t i = 0; i < values->count; i++) {
		struct fg_str rest = values->v[i], word;

		if (!is_list && fg_str_eq(rest, wanted))
			return true;
		while (is_list && fg_str_next(&rest, ' ', &word))
			if (fg_str_eq(word, wanted))
				return true;
	}
	return false;
}

/* missing: one that is not there, for `faregate explain`. */
static bool
holds(const struct wanted *wanted, const struct fg_claim_values *values, bool is_list, struct fg_str *missing)
{
	for (size_t i = 0; i < wanted->count; i++) {
		bool has = has_value(values, wanted->v[i], is_list);

		if (has && !wanted->all)
			return true;
		if (!has)
			*missing = wanted->v[i];
		if (!has && wanted->all)
			return false;
	}
	return wanted->all;
}

static enum fg_next
refuse(struct fg_exchange *x, enum fg_err reason, const char *part, struct fg_str what)
{
	fg_exchange_trace(x, "require", "refused", "%s: " FG_STR_FMT, part, FG_STR_ARG(what));
	return fg_respond(x, reason);
}

/* RFC 8693 §4.2 has one text with spaces, others an array, and some call it "scp". */
static bool
scope_holds(const struct require_conf *conf, struct fg_exchange *x, struct fg_str *missing)
{
	struct fg_claim_values values = {NULL, 0};

	if (!fg_identity_claim(x->identity, FG_STR("scope"), &x->arena, &values))
		(void)fg_identity_claim(x->identity, FG_STR("scp"), &x->arena, &values);
	return holds(&conf->scope, &values, true, missing);
}

static bool
claim_holds(const struct wanted_claim *claim, struct fg_exchange *x)
{
	struct fg_claim_values values;
	struct fg_str missing;

	return fg_identity_claim(x->identity, claim->name, &x->arena, &values) &&
	    holds(&claim->wanted, &values, false, &missing);
}

static bool
is_consumer(const struct require_conf *conf, const struct fg_identity *identity)
{
	for (size_t i = 0; identity != NULL && i < conf->consumer_count; i++)
		if (fg_str_eq(conf->consumers[i], identity->consumer))
			return true;
	return false;
}

static bool
is_in(const struct fg_cidr *networks, size_t count, const struct fg_ip *ip)
{
	for (size_t i = 0; i < count; i++)
		if (fg_cidr_contains(&networks[i], ip))
			return true;
	return false;
}

/* A client without an address (a socket of the same host, a web server that says none) is in no network. */
static bool
address_holds(const struct require_conf *conf, const struct fg_request *req)
{
	if (conf->allow_count + conf->deny_count == 0)
		return true;
	if (!req->peer_known || is_in(conf->deny, conf->deny_count, &req->client_ip))
		return false;
	return conf->allow_count == 0 || is_in(conf->allow, conf->allow_count, &req->client_ip);
}

static enum fg_next
on_request(const void *conf_arg, void *ctx, struct fg_exchange *x)
{
	const struct require_conf *conf = conf_arg;
	struct fg_str missing = FG_STR_NONE;

	(void)ctx;
	if (!address_holds(conf, &x->req))
		return refuse(x, FG_ERR_ADDRESS_REFUSED, "ip", x->req.client_text);
	if (conf->consumer_count > 0 && !is_consumer(conf, x->identity))
		return refuse(x, FG_ERR_CONSUMER_REFUSED, "consumer", x->identity == NULL ? FG_STR("none") : x->identity->consumer);
	for (size_t i = 0; i < conf->claim_count; i++)
		if (!claim_holds(&conf->claims[i], x))
			return refuse(x, FG_ERR_CLAIM_REFUSED, "claim", conf->claims[i].name);
	if (conf->scope.count > 0 && !scope_holds(conf, x, &missing)) {
		(void)!refuse(x, FG_ERR_SCOPE_MISSING, conf->scope.all ? "scope, missing" : "scope, none of the list", missing);
		FG_ASSERT(fg_headers_add(&x->resp.headers, FG_STR("WWW-Authenticate"), conf->challenge) == FG_OK);
		return FG_RESPOND;
	}
	return FG_CONTINUE;
}

/* ---- the configuration */

static void
check_scope(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *scope = out;
	bool is_good = true;

	(void)key;
	/* RFC 6749 §3.3; it goes into a header between quotes. */
	for (size_t i = 0; i < scope->len; i++)
		is_good &= scope->p[i] > ' ' && scope->p[i] <= '~' && scope->p[i] != '"' && scope->p[i] != '\\';
	if (!is_good)
		fg_conf_error(conf, node, FG_STR_FMT " is not one scope: it has a space, a quote or another character that none may have",
		    FG_STR_ARG(fg_conf_quote(conf, *scope)));
}

static const struct fg_conf_key scope_item = {"SCOPE", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .max = 256, .check = check_scope,
    .help = "one scope"};
static const struct fg_conf_key value_item = {"VALUE", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .flags = FG_CONF_EMPTY,
    .help = "one value"};

/* The forms [a, b], {any: [a, b]} and {all: [a, b]}; one alone may stand without brackets. */
static void
parse_wanted(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_conf_node *any = fg_conf_get(node, "any"), *all = fg_conf_get(node, "all");
	const struct fg_conf_key *item = key->arg;
	const struct fg_conf_key list = {"VALUES", FG_CONF_LIST, FG_CONF_ARRAY(struct wanted, v, count, struct fg_str),
	    .flags = FG_CONF_OR_ONE, .max = MAX_VALUES, .item = item};
	struct wanted *wanted = out;

	wanted->all = item == &scope_item; /* scopes add up; of a claim's values most people mean one */
	if (node->kind == FG_CONF_NODE_MAP) {
		if (node->count != 1 || (any == NULL && all == NULL)) {
			fg_conf_error(conf, node, "expected a list, {any: …} or {all: …}");
			return;
		}
		wanted->all = all != NULL;
		node = node->first;
	}
	fg_conf_read(conf, node, &list, wanted);
	if (node->kind == FG_CONF_NODE_LIST && node->count == 0)
		fg_conf_error(conf, node, "is empty; leave it away where nothing is required");
}

#define WANTED_FORM "a value, a list, {any: a list} or {all: a list}"
#define WANTED_SCHEMA "\"type\": [\"string\", \"number\", \"boolean\", \"array\", \"object\"]"

static void
check_require(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct require_conf *require = out;
	struct fg_str scope = FG_STR_NONE;

	(void)key;
	if (node->kind == FG_CONF_NODE_MAP && node->count == 0)
		fg_conf_error(conf, node, "requires nothing; write none where nothing is to be required");
	for (size_t i = 0; i < require->scope.count; i++)
		scope = FG_ARENA_CONCAT(conf->arena, scope, i > 0 ? FG_STR(" ") : FG_STR_NONE, require->scope.v[i]);
	require->challenge = FG_ARENA_CONCAT(conf->arena, FG_STR("Bearer error=\"insufficient_scope\", scope=\""), scope, FG_STR("\""));
}

static void
check_route(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_route_policy *use)
{
	const struct require_conf *require = use->conf;

	if (require == NULL || use->is_authenticated ||
	    require->scope.count + require->claim_count + require->consumer_count == 0)
		return;
	fg_conf_error_at_name(conf, node,
	    "require asks who is calling (scope, claims, consumer), which nothing on this route finds out: give it auth: a policy, or require: none");
}

static const struct fg_conf_key claim_name = {"CLAIM", FG_CONF_STRING, FG_CONF_AT(struct wanted_claim, name), .max = 256,
    .form = "a claim's name", .help = "dots go into nested objects"};
static const struct fg_conf_key claim_values = {"CLAIM", FG_CONF_CUSTOM, FG_CONF_AT(struct wanted_claim, wanted),
    .parse = parse_wanted, .arg = &value_item, .form = WANTED_FORM, .schema = WANTED_SCHEMA, .help = "a list takes any of its values"};
static const struct fg_conf_key consumer_item = {"CONSUMER", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .help = "one consumer"};

static const struct fg_conf_key ip_keys[] = {
    {"allow", FG_CONF_LIST, FG_CONF_ARRAY(struct require_conf, allow, allow_count, struct fg_cidr), .flags = FG_CONF_OR_ONE,
	.item = &fg_value_network_item, .shown_preset = "all", .help = "networks that may; others may not"},
    {"deny", FG_CONF_LIST, FG_CONF_ARRAY(struct require_conf, deny, deny_count, struct fg_cidr), .flags = FG_CONF_OR_ONE,
	.item = &fg_value_network_item, .shown_preset = "none", .help = "networks that may not, whatever `allow` says"},
    {NULL},
};

static const struct fg_conf_key keys[] = {
    {"scope", FG_CONF_CUSTOM, FG_CONF_AT(struct require_conf, scope), .parse = parse_wanted, .arg = &scope_item, .form = WANTED_FORM,
	.schema = WANTED_SCHEMA, .help = "what the token was granted (claim scope or scp); a list asks for all of it"},
    {"claims", FG_CONF_MAP, FG_CONF_ARRAY(struct require_conf, claims, claim_count, struct wanted_claim), .max = MAX_CLAIMS,
	.item_name = &claim_name, .item = &claim_values, .help = "values that claims must have: all of these claims"},
    {"consumer", FG_CONF_LIST, FG_CONF_ARRAY(struct require_conf, consumers, consumer_count, struct fg_str),
	.flags = FG_CONF_OR_ONE, .max = MAX_VALUES, .item = &consumer_item, .help = "one of these consumers"},
    {"ip", FG_CONF_SECTION, .offset = 0, .size = sizeof(struct require_conf), .keys = ip_keys,
	.help = "the client's address, trusted proxies looked through"},
    {NULL},
};

const struct fg_filter_type fg_filter_require = {
    .name = "require",
    .stage = FG_STAGE_AUTHORISE,
    .conf_size = sizeof(struct require_conf),
    .keys = keys,
    .check = check_require,
    .check_route = check_route,
    .help = "who may use the route; others are answered 403",
    .on_request = on_request,
};
