/* The configuration of a jwt policy: its keys, and everything that can be wrong with them. */
#include "base/limits.h"
#include "core/config.h"
#include "filter/auth_jwt.h"
#include "filter/filter_list.h"

#define MAX_SPAN (INT64_C(30) * 86400 * FG_US_PER_S)

/* ---- key sets */

static bool
is_for_secrets(const struct fg_jwt_conf *conf)
{
	return conf->rules.algorithms != 0 && (conf->rules.algorithms & ~FG_ALGS_HMAC) == 0;
}

static bool
has(struct fg_str text, struct fg_str part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (memcmp(text.p + i, part.p, part.len) == 0)
			return true;
	return false;
}

/* A JWK Set or PEM; anything else can only be a secret. */
static bool
has_form_of_keys(struct fg_str text)
{
	struct fg_str rest = text;

	while (rest.len > 0 && (rest.p[0] <= ' '))
		rest = fg_str_slice(rest, 1, rest.len);
	return (rest.len > 0 && rest.p[0] == '{') || has(text, FG_STR("-----BEGIN"));
}

static struct fg_str
without_line_end(struct fg_str text)
{
	if (text.len > 0 && text.p[text.len - 1] == '\n')
		text.len--;
	if (text.len > 0 && text.p[text.len - 1] == '\r')
		text.len--;
	return text;
}

enum fg_err
fg_auth_jwt_key_set(struct fg_key_set **out, const struct fg_jwt_conf *conf, struct fg_key_report *report)
{
	if (conf->is_secret)
		return fg_key_set_from_secret(out, conf->material, conf->rules.algorithms & FG_ALGS_HMAC, report);
	return fg_key_set_from_text(out, conf->material, report);
}

static void
set_material(struct fg_jwt_conf *conf, struct fg_str text)
{
	conf->is_secret = is_for_secrets(conf) && !has_form_of_keys(text);
	conf->material = conf->is_secret ? without_line_end(text) : text;
}

/* NULL: they are good for this policy. */
static const char *
wrong_with_keys(const struct fg_jwt_conf *conf, struct fg_key_report *report)
{
	const char *wrong = NULL;
	fg_alg_set algorithms = 0;
	struct fg_key_set *set = NULL;

	if (fg_auth_jwt_key_set(&set, conf, report) != FG_OK)
		return report->message[0] != '\0' ? report->message : "it is no JWK Set, no PEM and no secret";
	for (size_t i = 0; i < fg_key_set_count(set); i++)
		algorithms |= fg_key_algorithms(fg_key_set_at(set, i));
	if (report->refused > 0)
		wrong = report->message;
	else if ((algorithms & conf->rules.algorithms) == 0)
		wrong = "none of its keys is for one of these algorithms";
	fg_key_set_release(set);
	return wrong;
}

bool
fg_auth_jwt_use_keys(const struct fg_config *config, struct fg_str name, struct fg_str text, const char **why)
{
	const struct fg_policies *policies = fg_config_policies(config, &fg_filter_auth);
	static const char no_policy[] = "there is no jwt policy of that name", no_keys[] = "no JWK Set, no PEM and no secret with keys "
	    "for its algorithms";
	struct fg_key_report report;

	*why = no_policy;
	for (size_t i = 0; i < policies->count; i++) {
		struct fg_jwt_conf *conf = (struct fg_jwt_conf *)(uintptr_t)policies->v[i];

		if (conf->auth.type != FG_AUTH_TYPE_JWT || !fg_str_eq(conf->auth.policy.name, name))
			continue;
		set_material(conf, text);
		*why = wrong_with_keys(conf, &report) == NULL ? NULL : no_keys;
		return *why == NULL;
	}
	return false;
}

/* ---- where they are */

static bool
is_url(struct fg_str text)
{
	return fg_str_starts_with(text, FG_STR("https://")) || fg_str_starts_with(text, FG_STR("http://"));
}

static void
set_url(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_jwt_conf *jwt, struct fg_str text, bool is_discovery)
{
	struct fg_key_source_conf *source = &jwt->source;

	source->ca = jwt->ca.len > 0 ? jwt->ca.p : NULL;
	source->is_discovery = is_discovery;
	source->allow_http = jwt->allow_http;
	source->issuer = jwt->issuer;
	if (fg_fetch_url_parse(&source->url, text, source->ca, source->timeout, conf->arena) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT " is not a URL: write https://HOST[:PORT]/PATH", FG_STR_ARG(fg_conf_quote(conf, text)));
	else if (!source->url.is_tls && !jwt->allow_http && !fg_fetch_url_is_local(&source->url))
		fg_conf_error(conf, node, "keys that come over http can be anybody's; write https://, or allow-http: true");
	if ((jwt->rules.algorithms & FG_ALGS_HMAC) != 0)
		fg_conf_error(conf, node, "HS256, HS384 and HS512 need a secret, and nobody publishes one at a URL; write keys: file:PATH");
	source->id = fg_key_source_id(source);
}

/* OpenID Connect Discovery 1.0 §4: behind the issuer, whose slash at the end does not count. */
static void
discover(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_jwt_conf *jwt)
{
	struct fg_str issuer = jwt->issuer;

	if (!is_url(issuer)) {
		fg_conf_error_at_name(conf, node, "needs keys: a URL, or file:PATH; its issuer is no URL to find them by");
		return;
	}
	if (fg_str_ends_with(issuer, FG_STR("/")))
		issuer.len--;
	set_url(conf, node, jwt, FG_ARENA_CONCAT(conf->arena, issuer, FG_STR("/.well-known/openid-configuration")), true);
}

static void
load_keys(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_jwt_conf *jwt)
{
	struct fg_str path, text = jwt->keys;
	struct fg_key_report report;
	const char *wrong;

	if (fg_conf_is_file(jwt->keys, &path)) {
		if (!fg_conf_load_file(conf, node, path, FG_MAX_KEY_SET_BYTES, &text))
			return;
	} else if (!is_for_secrets(jwt)) {
		fg_conf_error(conf, node, "expected https://HOST/PATH or file:PATH%s", (jwt->rules.algorithms & FG_ALGS_HMAC) != 0
		    ? "" : "; a secret is for HS256, HS384 and HS512 alone");
		return;
	}
	set_material(jwt, text);
	wrong = wrong_with_keys(jwt, &report);
	if (wrong != NULL)
		fg_conf_error(conf, node, "cannot be used: %s", wrong);
}

static void
find_keys(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_jwt_conf *jwt)
{
	const struct fg_conf_node *keys = fg_conf_get(node, "keys"), *discovery = fg_conf_get(node, "discovery");

	if (keys != NULL && discovery != NULL)
		fg_conf_error(conf, discovery, "says where the keys are, and so does keys; keep one of them");
	else if (discovery != NULL)
		set_url(conf, discovery, jwt, jwt->discovery, true);
	else if (keys == NULL)
		discover(conf, node, jwt);
	else if (is_url(jwt->keys))
		set_url(conf, keys, jwt, jwt->keys, false);
	else
		load_keys(conf, keys, jwt);
}

void
fg_auth_jwt_check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const char *const url_keys[] = {"allow-http", "ca", "refresh", "stale", "cooldown", "fetch-timeout"};
	struct fg_jwt_conf *jwt = out;

	(void)key;
	for (size_t i = 0; i < jwt->algorithm_count; i++)
		jwt->rules.algorithms |= 1u << jwt->algorithms[i];
	/* What is missing was said already. */
	if (jwt->issuer.len == 0 || jwt->algorithm_count == 0)
		return;
	jwt->rules.claims = (struct fg_claim_rules){.issuer = jwt->issuer, .audiences = jwt->audiences,
	    .audience_count = jwt->audience_count, .leeway = jwt->leeway, .exp_optional = jwt->expiry_optional,
	    .typ = jwt->type_header, .required = jwt->required_claims, .required_count = jwt->required_claim_count};
	find_keys(conf, node, jwt);
	if (jwt->source.refresh_min > jwt->source.refresh_max)
		fg_conf_error(conf, fg_conf_get(node, "refresh"), "at-least is more than at-most");
	for (size_t i = 0; jwt->source.url.text.p == NULL && jwt->material.p != NULL && i < FG_ARRAY_LEN(url_keys); i++)
		if (fg_conf_get(node, url_keys[i]) != NULL)
			fg_conf_error(conf, fg_conf_get(node, url_keys[i]), "is for keys at a URL; these are in a file, which is read again at a reload");
}

/* ---- the table */

static void
parse_audience(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_jwt_conf *jwt = out;
	bool is_list = node->kind == FG_CONF_NODE_LIST;
	const struct fg_conf_node *item = is_list ? node->first : node;
	struct fg_str *audiences;

	if (node->kind == FG_CONF_NODE_MAP || (is_list && node->count == 0)) {
		fg_conf_error(conf, node, "expected %s", key->form);
		return;
	}
	if (!is_list && fg_str_eq(node->text, FG_STR("any")))
		return;
	audiences = FG_ARENA_ARRAY(conf->arena, struct fg_str, is_list ? node->count : 1);
	for (; item != NULL; item = is_list ? item->next : NULL) {
		struct fg_str text;

		if (!fg_conf_want_text(conf, item, "an audience", &text))
			continue;
		if (is_list && fg_str_eq(text, FG_STR("any")))
			fg_conf_error(conf, item, "\"any\" stands alone");
		audiences[jwt->audience_count++] = fg_arena_str(conf->arena, text);
	}
	jwt->audiences = audiences;
}

static void
parse_keys(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;

	if (fg_conf_want_text(conf, node, key->form, &text))
		*(struct fg_str *)out = fg_arena_str(conf->arena, text);
}

static void
parse_cache_off(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_jwt_cache_conf *cache = out;

	if (!fg_str_eq(node->text, FG_STR("off")))
		fg_conf_error(conf, node, "expected %s, or a map", key->form);
	cache->is_off = true;
}

static void
check_algorithms(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_jwt_conf *jwt = FG_CONTAINER_OF(out, struct fg_jwt_conf, algorithms);

	(void)key;
	if (jwt->algorithm_count == 0)
		fg_conf_error(conf, node, "is empty; name those that the issuer signs with, RS256 for example");
}

static const struct fg_conf_choice algorithm_choices[] = {
#define CHOICE(symbol, name, family, hash) {name, FG_ALG_##symbol},
    FG_ALG_TABLE(CHOICE)
#undef CHOICE
    {NULL, 0},
};
static const struct fg_conf_choice type_choice[] = {{"jwt", FG_AUTH_TYPE_JWT}, {NULL, 0}};
static const struct fg_conf_choice expiry_choices[] = {{"required", false}, {"optional", true}, {NULL, 0}};

static const struct fg_conf_key algorithm_item = {"ALGORITHM", FG_CONF_ENUM, FG_CONF_IN(enum fg_alg), .choices = algorithm_choices,
    .help = "of RFC 7518 section 3.1, RFC 8037 section 3.1"};
static const struct fg_conf_key claim_item = {"CLAIM", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .max = 256,
    .help = "dots go into nested objects"};

static const struct fg_conf_key cache_keys[] = {
    {"entries", FG_CONF_INT, FG_CONF_AT(struct fg_jwt_cache_conf, entries), .min = 1, .max = 1000000, .preset = "10000",
	.help = "tokens kept; the least recently used goes"},
    {"size", FG_CONF_SIZE, FG_CONF_AT(struct fg_jwt_cache_conf, bytes), .min = 64 * 1024, .max = INT64_C(4) << 30, .preset = "32M",
	.help = "memory for them"},
    {"max-age", FG_CONF_DURATION, FG_CONF_AT(struct fg_jwt_cache_conf, max_age), .min = FG_US_PER_S, .max = MAX_SPAN, .preset = "10m",
	.help = "then a token is verified again, whatever its exp"},
    {NULL},
};

static const struct fg_conf_key refresh_keys[] = {
    {"at-least", FG_CONF_DURATION, FG_CONF_AT(struct fg_key_source_conf, refresh_min), .min = FG_US_PER_S, .max = MAX_SPAN, .preset = "1m",
	.help = "keys are good for so long, even if the provider's Cache-Control says less"},
    {"at-most", FG_CONF_DURATION, FG_CONF_AT(struct fg_key_source_conf, refresh_max), .min = FG_US_PER_S, .max = MAX_SPAN, .preset = "1h",
	.help = "and no longer, even if it says more"},
    {"otherwise", FG_CONF_DURATION, FG_CONF_AT(struct fg_key_source_conf, refresh), .min = FG_US_PER_S, .max = MAX_SPAN, .preset = "10m",
	.help = "where it says nothing"},
    {NULL},
};

static const struct fg_conf_choice failure_choices[] = {{"allow", false}, {"deny", true}, {NULL, 0}};
static const struct fg_conf_key revocation_keys[] = {
    {"check-every", FG_CONF_DURATION, FG_CONF_AT(struct fg_revocation_conf, check_every), .min = 100 * FG_US_PER_MS,
	.max = INT64_C(3600) * FG_US_PER_S, .preset = "2s", .help = "how long a revocation may take to be in force everywhere"},
    {"stale-after", FG_CONF_DURATION, FG_CONF_AT(struct fg_revocation_conf, stale_after), .min = FG_US_PER_S, .max = MAX_SPAN, .preset = "30s",
	.help = "a store that could not be read for so long has failed"},
    {"on-store-failure", FG_CONF_ENUM, FG_CONF_AT(struct fg_revocation_conf, deny), .choices = failure_choices, .flags = FG_CONF_REQUIRED,
	.help = "then: allow takes tokens by what was revoked before, deny answers 503 revocations_unknown"},
    {NULL},
};

const struct fg_conf_key fg_auth_jwt_keys[] = {
    FG_AUTH_KEYS(struct fg_jwt_conf, type_choice, "false"),
    FG_AUTH_FROM_KEY(struct fg_jwt_conf, "header:Authorization"),
    {"issuer", FG_CONF_STRING, FG_CONF_AT(struct fg_jwt_conf, issuer), .flags = FG_CONF_REQUIRED, .max = 1024,
	.help = "iss of the token is exactly this; where several policies of a route are jwt, it chooses"},
    {"audience", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_jwt_conf), .flags = FG_CONF_REQUIRED, .parse = parse_audience,
	.form = "an audience, a list of them, or any", .schema = "\"type\": [\"string\", \"array\"], \"items\": {\"type\": \"string\"}",
	.help = "aud of the token has one of these; any takes tokens that were issued for somebody else"},
    {"algorithms", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_jwt_conf, algorithms, algorithm_count, enum fg_alg),
	.flags = FG_CONF_REQUIRED | FG_CONF_OR_ONE, .max = FG_ALG_COUNT, .item = &algorithm_item, .check = check_algorithms,
	.help = "those that may sign; a key is used only with its own kind"},
    {"keys", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_jwt_conf, keys), .parse = parse_keys, .form = "a URL, file:PATH or a secret",
	.schema = "\"type\": \"string\"", .shown_preset = "those that the issuer's metadata name",
	.help = "a JWK Set at a URL; a JWK Set or PEM in a file; for HS* a secret, 32 bytes at least (HS512: 64)"},
    {"discovery", FG_CONF_STRING, FG_CONF_AT(struct fg_jwt_conf, discovery), .max = 2048, .form = "a URL",
	.shown_preset = "ISSUER/.well-known/openid-configuration where there are no keys",
	.help = "the provider's metadata, which say where its keys are; their issuer has to be this one"},
    {"allow-http", FG_CONF_BOOL, FG_CONF_AT(struct fg_jwt_conf, allow_http), .preset = "false",
	.help = "true takes keys over http from other machines, where whoever stands between can put in their own"},
    {"ca", FG_CONF_STRING, FG_CONF_AT(struct fg_jwt_conf, ca), .check = fg_auth_check_ca, .form = "a file", .shown_preset = "the system's",
	.help = "certificates (PEM) that the provider's may be signed by"},
    {"refresh", FG_CONF_SECTION, FG_CONF_AT(struct fg_jwt_conf, source), .keys = refresh_keys,
	.help = "how long keys are good for; they are fetched before"},
    {"stale", FG_CONF_DURATION, FG_CONF_AT(struct fg_jwt_conf, source.stale), .min = 0, .max = MAX_SPAN, .preset = "1h",
	.help = "how much longer they serve while the provider is down; then 503 keys_unavailable"},
    {"cooldown", FG_CONF_DURATION, FG_CONF_AT(struct fg_jwt_conf, source.cooldown), .min = FG_US_PER_S, .max = MAX_SPAN, .preset = "10s",
	.help = "between two fetches because a token names a key that is not known"},
    {"fetch-timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_jwt_conf, source.timeout), .min = 10 * FG_US_PER_MS, .max = 60 * FG_US_PER_S,
	.preset = "5s", .help = "for each answer of the provider"},
    {"leeway", FG_CONF_DURATION, FG_CONF_AT(struct fg_jwt_conf, leeway), .min = 0, .max = INT64_C(3600) * FG_US_PER_S, .preset = "30s",
	.help = "for clocks that differ: exp, nbf and iat may be off by it"},
    {"expiry", FG_CONF_ENUM, FG_CONF_AT(struct fg_jwt_conf, expiry_optional), .choices = expiry_choices, .preset = "required",
	.help = "optional takes tokens without exp, which are good for ever"},
    {"type-header", FG_CONF_STRING, FG_CONF_AT(struct fg_jwt_conf, type_header), .max = 64, .form = "a type, at+jwt for example",
	.shown_preset = "any", .help = "typ of the token's header is this (RFC 9068: at+jwt), so that an ID token is no access token"},
    {"required-claims", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_jwt_conf, required_claims, required_claim_count, struct fg_str),
	.flags = FG_CONF_OR_ONE, .max = 32, .item = &claim_item, .help = "claims that have to be there"},
    {"consumer", FG_CONF_STRING, FG_CONF_AT(struct fg_jwt_conf, consumer), .max = 256, .form = "a claim", .preset = "sub",
	.help = "the claim that says who is calling: what limits, log and the variable consumer go by"},
    {"bind-certificate", FG_CONF_ENUM, FG_CONF_AT(struct fg_jwt_conf, bind_certificate), .choices = fg_certificate_servers,
	.help = "a token has to be bound to the client certificate (RFC 8705, cnf) that this web server says was shown to it"},
    {"cache", FG_CONF_SECTION, FG_CONF_AT(struct fg_jwt_conf, cache), .keys = cache_keys, .parse = parse_cache_off, .form = "off",
	.schema = "\"const\": \"off\"", .help = "tokens that were verified before, in each worker; never past their exp, nor without their key"},
    {"revocation", FG_CONF_SECTION, FG_CONF_OWN(struct fg_jwt_conf, revocation, struct fg_revocation_conf), .keys = revocation_keys,
	.shown_preset = "not looked at", .help = "tokens, subjects and issuers that `faregate revoke` has taken back are refused"},
    {NULL},
};
