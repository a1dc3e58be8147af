/* `routes`, and `defaults` for what they have in common: which requests, what is done with them, and where they go. */
#include "conf/suggest.h"
#include "core/config_internal.h"
#include "core/limit_policy.h"
#include "core/value_keys.h"
#include "core/var.h"
#include "http/uri.h"

enum { MAX_CONDITIONS = 32, MAX_PRIORITY = 1000000 };

#define MAX_TIMEOUT (INT64_C(30) * 86400 * FG_US_PER_S)
#define MAX_BODY_LIMIT (INT64_C(1024) << 30)

/* ---- what is matched */

static void
check_path(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *path = out;
	struct fg_str message;

	(void)key;
	if (fg_route_path_check(*path, &conf->scratch, &message) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT " " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, *path)),
		    FG_STR_ARG(message));
}

static void
parse_route_host(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text, message;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	/* Names of hosts are the same in any case (RFC 4343). */
	*(struct fg_str *)out = fg_arena_lower(conf->arena, text);
	if (fg_route_host_check(*(struct fg_str *)out, &conf->scratch, &message) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT " " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)),
		    FG_STR_ARG(message));
}

/* A cookie as it is sent: a name=value that has no semicolon (RFC 6265 §5.4). What cannot be would match nothing. */
static void
check_cookie_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;

	(void)key;
	if (!fg_is_token(*name))
		fg_conf_error(conf, node, FG_STR_FMT " is not a cookie's name", FG_STR_ARG(fg_conf_quote(conf, *name)));
}

static void
check_cookie_value(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *value = out;

	(void)key;
	if (!fg_is_field_value(*value) || !fg_str_eq(fg_str_trim(*value), *value) || fg_str_find(*value, ';') < value->len)
		fg_conf_error(conf, node, FG_STR_FMT " can be no cookie's value", FG_STR_ARG(fg_conf_quote(conf, *value)));
}

static const struct fg_conf_key host_item = {"HOST", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_str), .parse = parse_route_host,
    .form = "a host name, or *. and a name", .schema = "\"type\": \"string\"", .help = "*.example.org is each name below example.org"};
static const struct fg_conf_key header_name = {"HEADER", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, name), .max = 256,
    .check = fg_value_check_header_name, .form = "a header name"};
static const struct fg_conf_key header_value = {"VALUE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, value),
    .flags = FG_CONF_EMPTY, .check = fg_value_check_header_value, .help = "the value it has"};
static const struct fg_conf_key query_name = {"PARAMETER", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, name), .max = 256,
    .form = "a parameter's name"};
static const struct fg_conf_key query_value = {"VALUE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, value),
    .flags = FG_CONF_EMPTY, .help = "the value it has, decoded"};
static const struct fg_conf_key cookie_name = {"COOKIE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, name), .max = 256,
    .check = check_cookie_name, .form = "a cookie's name"};
static const struct fg_conf_key cookie_value = {"VALUE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, value),
    .flags = FG_CONF_EMPTY, .check = check_cookie_value, .help = "the value it has, as it is sent"};

/* ---- where it goes */

static void
parse_rewrite(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_template *template;
	struct fg_str text, message;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	if (text.len == 0 || text.p[0] != '/')
		fg_conf_error(conf, node, FG_STR_FMT " is not a path; it begins with /", FG_STR_ARG(fg_conf_quote(conf, text)));
	else if (fg_str_find(text, '?') < text.len || fg_str_find(text, '#') < text.len)
		fg_conf_error(conf, node, "a path has neither ? nor #; the query is edited under request: query:");
	else if (fg_template_parse(&template, text, FG_TEMPLATE_PATH, conf->arena, &message) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT, FG_STR_ARG(message));
	else
		*(const struct fg_template **)out = template;
}

/* ---- the whole route, once its keys are read */

/* The text before the first variable part. */
static struct fg_str
literal_prefix(struct fg_str path)
{
	size_t brace = fg_str_find(path, '{'), star = fg_str_find(path, '*');

	return fg_str_slice(path, 0, brace < star ? brace : star);
}

static void
check_strip_prefix(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_route *route)
{
	struct fg_str prefix = route->strip_prefix, literal;
	struct fg_uri uri, path;
	size_t len;

	if (route->rule.path.p[0] == '~') {
		fg_conf_error(conf, node, "the path is a regex and has no literal prefix; use rewrite:");
		return;
	}
	while (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
		prefix.len--;
	if (prefix.len == 0 || fg_uri_parse(&uri, prefix, conf->arena) != FG_OK || uri.has_query) {
		fg_conf_error(conf, node, FG_STR_FMT " is not a path; it begins with / and names at least one segment",
		    FG_STR_ARG(fg_conf_quote(conf, route->strip_prefix)));
		return;
	}
	/* Compared decoded, segment by segment: what is left over has to begin with a slash, or to be nothing. */
	literal = literal_prefix(route->rule.path);
	if (fg_uri_parse(&path, literal, &conf->scratch) != FG_OK)
		return;
	len = uri.match.len;
	if (fg_str_starts_with(path.match, uri.match) &&
	    (path.match.len == len ? literal.len == route->rule.path.len : path.match.p[len] == '/'))
		route->strip_prefix = uri.match;
	else
		fg_conf_error(conf, node, FG_STR_FMT " is not a prefix, whole segments, of the path " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, route->strip_prefix)), FG_STR_ARG(fg_conf_quote(conf, route->rule.path)));
}

static void
check_admin(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_route *route)
{
	const struct fg_config_draft *draft = conf->arg;
	struct fg_str admin = draft->config.admin.path, literal = literal_prefix(route->rule.path);
	struct fg_uri path;

	if (!draft->config.admin.enabled || admin.len == 0 || route->rule.path.p[0] == '~' ||
	    fg_uri_parse(&path, literal, &conf->scratch) != FG_OK)
		return;
	if (fg_str_starts_with(path.match, admin) && (path.match.len == admin.len ? literal.len == route->rule.path.len
	                                                                          : path.match.p[admin.len] == '/'))
		fg_conf_error(conf, node, FG_STR_FMT " lies under admin.path, " FG_STR_FMT
		    ", where the gateway's own pages are; it would never be reached",
		    FG_STR_ARG(fg_conf_quote(conf, route->rule.path)), FG_STR_ARG(fg_conf_quote(conf, admin)));
}

/*
 * A variable that a template of this route takes from the path. `defaults` cannot know the paths of routes, so what
 * stands there is checked at each route that inherits it.
 */
struct name_check {
	struct fg_conf *conf;
	const struct fg_conf_node *node; /* of what has the template */
	const struct fg_route *route;
	const struct fg_str *names;
	size_t count;
	bool is_inherited;
};

static void
check_path_variable(void *arg, const struct fg_var *var)
{
	struct name_check *check = arg;
	struct fg_conf *conf = check->conf;
	struct fg_suggest suggest;
	struct fg_str quoted;

	if (var->kind != FG_VAR_PATH_SEGMENT)
		return;
	fg_suggest_init(&suggest, var->name);
	for (size_t i = 0; i < check->count; i++) {
		if (fg_str_eq(check->names[i], var->name))
			return;
		fg_suggest_offer(&suggest, check->names[i]);
	}
	quoted = fg_conf_quote(conf, check->route->rule.path);
	if (check->is_inherited)
		fg_conf_error(conf, check->node, "inherits {path:" FG_STR_FMT "} from defaults, and its path " FG_STR_FMT
		    " has no such part", FG_STR_ARG(var->name), FG_STR_ARG(quoted));
	else
		fg_conf_error(conf, check->node, "uses {path:" FG_STR_FMT "}, and the path " FG_STR_FMT " has no such part"
		    FG_STR_FMT, FG_STR_ARG(var->name), FG_STR_ARG(quoted),
		    FG_STR_ARG(fg_suggest_format(&suggest, &conf->scratch)));
}

static void
check_path_variables(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_route_draft *draft)
{
	struct name_check check = {.conf = conf, .route = &draft->route};

	if (fg_route_path_names(draft->route.rule.path, &conf->scratch, &check.names, &check.count) != FG_OK)
		return;
	if (draft->route.rewrite != NULL) {
		check.node = fg_conf_get(node, "rewrite");
		fg_template_each_var(draft->route.rewrite, check_path_variable, &check);
	}
	for (size_t i = 0; fg_filter_types[i] != NULL; i++) {
		const struct fg_filter_type *type = fg_filter_types[i];
		const void *policy = fg_config_policy_conf(&draft->policies[i], type, &conf->scratch);

		if (policy == NULL || type->each_var == NULL)
			continue;
		check.node = fg_conf_get(node, type->name);
		check.is_inherited = check.node == NULL;
		if (check.is_inherited)
			check.node = node;
		type->each_var(policy, check_path_variable, &check);
	}
}

static void
set_filters(struct fg_conf *conf, struct fg_route_draft *draft)
{
	struct fg_filter filters[FG_MAX_FILTERS], *kept;
	size_t count = 0;

	for (size_t i = 0; fg_filter_types[i] != NULL; i++) {
		const void *policy = fg_config_policy_conf(&draft->policies[i], fg_filter_types[i], conf->arena);

		if (policy != NULL)
			filters[count++] = (struct fg_filter){fg_filter_types[i], policy};
	}
	kept = FG_ARENA_ARRAY(conf->arena, struct fg_filter, count);
	memcpy(kept, filters, count * sizeof(*kept));
	draft->route.filters = kept;
	draft->route.filter_count = count;
}

static void
prepare_route(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_config_draft *config = conf->arg;
	struct fg_route_draft *draft = out;
	struct fg_str name = draft->route.name;

	(void)key;
	*draft = config->defaults;
	draft->node = node;
	draft->route.name = draft->route.rule.name = name;
	draft->route.index = (unsigned)(draft - config->routes);
	draft->route.rule.owner = &draft->route;
	draft->route.rule.methods = FG_METHODS_ANY;
	config->mistakes = conf->mistake_count;
}

/* Names of headers are the same in any case: two of them ask for two values of one header. */
static void
check_header_twins(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_names seen;

	(void)key;
	(void)out;
	fg_names_init(&seen, &conf->scratch);
	for (const struct fg_conf_node *entry = node->first; entry != NULL; entry = entry->next)
		if (fg_names_add(&seen, fg_arena_lower(&conf->scratch, entry->name->text), conf) != NULL)
			fg_conf_error(conf, entry->name, FG_STR_FMT " is there twice; names of headers are the same in any case",
			    FG_STR_ARG(fg_conf_quote(conf, entry->name->text)));
}

static void
check_route(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_config_draft *config = conf->arg;
	struct fg_route_draft *draft = out;
	const struct fg_conf_node *service = fg_conf_get(node, "service"), *respond = fg_conf_get(node, "respond");
	const struct fg_conf_node *split = fg_conf_get(node, "split");
	const struct fg_conf_node *strip = fg_conf_get(node, "strip-prefix"), *rewrite = fg_conf_get(node, "rewrite");

	(void)key;
	if (node->kind != FG_CONF_NODE_MAP)
		return;
	if (service == NULL && respond == NULL && split == NULL)
		fg_conf_error_at_name(conf, node, "goes nowhere; it takes service: NAME, or respond: for a fixed answer");
	fg_config_check_sharing(conf, node, split, service != NULL ? service : respond);
	if (service != NULL && respond != NULL)
		fg_conf_error(conf, respond->name, "a route has either service or respond, not both");
	for (size_t i = 0; respond != NULL && i < 2; i++)
		if ((i == 0 ? strip : rewrite) != NULL)
			fg_conf_error(conf, (i == 0 ? strip : rewrite)->name, "a route with respond sends no path to a service");
	if (strip != NULL && rewrite != NULL)
		fg_conf_error(conf, strip->name, "a route has either strip-prefix or rewrite, not both");
	if (draft->route.rule.path.len > 0) {
		if (draft->route.strip_prefix.len > 0)
			check_strip_prefix(conf, strip, &draft->route);
		check_admin(conf, fg_conf_get(node, "path"), &draft->route);
		check_path_variables(conf, node, draft);
	}
	fg_config_check_policies(conf, node, draft);
	set_filters(conf, draft);
	draft->is_good = conf->mistake_count == config->mistakes;
}

static const struct fg_conf_choice slash_choices[] = {{"preserve", 0}, {"reject", 1}, {NULL, 0}};

const struct fg_conf_key fg_config_shared_keys[] = {
    {"body-limit", FG_CONF_SIZE, FG_CONF_AT(struct fg_route_draft, route.body_limit), .min = 0, .max = MAX_BODY_LIMIT,
	.word = "none", .word_value = -1, .preset = "none", .help = "a longer request body is answered 413 body_too_large"},
    {"timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_route_draft, route.timeout), .min = FG_US_PER_MS, .max = MAX_TIMEOUT,
	.word = "none", .word_value = 0, .preset = "none", .help = "of the whole exchange; then 504 exchange_timeout"},
    {"criticality", FG_CONF_ENUM, FG_CONF_AT(struct fg_route_draft, route.criticality), .choices = fg_config_criticalities,
	.preset = "normal", .help = "who goes first, and who is refused last, where a service's max-in-flight is reached"},
    {"encoded-slash", FG_CONF_ENUM, FG_CONF_AT(struct fg_route_draft, route.reject_encoded_slash), .choices = slash_choices,
	.preset = "preserve", .help = "%2F in a path: forwarded as it is (data, never a separator), or answered 400"},
    {"merge-slashes", FG_CONF_BOOL, FG_CONF_AT(struct fg_route_draft, route.rule.merge_slashes), .preset = "false",
	.help = "true makes one slash of several, for matching and for the service"},
    {NULL},
};

const struct fg_conf_key fg_config_route_keys[] = {
    {"path", FG_CONF_STRING, FG_CONF_AT(struct fg_route_draft, route.rule.path), .flags = FG_CONF_REQUIRED,
	.check = check_path, .form = "a path", .help = "/literal/{segment}, at its end * for any rest, or ~ and a regex"},
    {"host", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_route_draft, route.rule.hosts, route.rule.host_count, struct fg_str),
	.flags = FG_CONF_OR_ONE, .max = MAX_CONDITIONS, .item = &host_item, .shown_preset = "any", .help = "one of these hosts"},
    {"methods", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_route_draft, route.rule.methods), .parse = fg_value_parse_methods,
	.form = FG_VALUE_METHODS_FORM, .schema = FG_VALUE_METHODS_SCHEMA,
	.shown_preset = "any", .help = "one of these; GET brings HEAD with it; others are answered 405"},
    {"headers", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_route_draft, route.rule.headers, route.rule.header_count, struct fg_name_value),
	.max = MAX_CONDITIONS, .item_name = &header_name, .item = &header_value, .check = check_header_twins,
	.help = "all of these headers, with these values"},
    {"query", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_route_draft, route.rule.query, route.rule.query_count, struct fg_name_value),
	.max = MAX_CONDITIONS, .item_name = &query_name, .item = &query_value, .help = "all of these parameters, with these values"},
    {"cookies", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_route_draft, route.rule.cookies, route.rule.cookie_count, struct fg_name_value),
	.max = MAX_CONDITIONS, .item_name = &cookie_name, .item = &cookie_value,
	.help = "all of these cookies, with these values (for testers, say)"},
    {"priority", FG_CONF_INT, FG_CONF_AT(struct fg_route_draft, route.rule.priority), .min = -MAX_PRIORITY, .max = MAX_PRIORITY,
	.preset = "0", .help = "the higher wins between routes that are equally specific"},
    {"service", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_route_draft, route.service), .parse = fg_config_parse_service,
	.form = "the name of a service", .schema = "\"type\": [\"string\", \"integer\"]", .help = "where the request goes"},
    {"split", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_route_draft, route.splits, route.split_count, struct fg_split), .max = 16,
	.item_name = &fg_config_split_service, .item = &fg_config_split_weight, .check = fg_config_check_split,
	.help = "several services instead of one, each with its share"},
    {"split-by", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_route_draft, route.split_by, route.split_by_count, struct fg_var),
	.flags = FG_CONF_OR_ONE, .max = 8, .item = &fg_limit_by_item, .shown_preset = "drawn for each request",
	.help = "request variables: the same service for the same values"},
    {"mirror", FG_CONF_SECTION, FG_CONF_OWN(struct fg_route_draft, route.mirror, struct fg_route_mirror),
	.keys = fg_config_mirror_keys, .help = "another service gets copies; its answers are dropped, no client waits for them"},
    {"respond", FG_CONF_SECTION, FG_CONF_OWN(struct fg_route_draft, route.respond, struct fg_respond), .keys = fg_config_respond_keys,
	.check = fg_config_check_respond, .help = "a fixed answer instead of a service's"},
    {"strip-prefix", FG_CONF_STRING, FG_CONF_AT(struct fg_route_draft, route.strip_prefix), .form = "a path",
	.help = "taken off the path that the service sees: whole segments that `path` begins with"},
    {"rewrite", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_route_draft, route.rewrite), .parse = parse_rewrite,
	.form = "a path with {variables}", .schema = "\"type\": \"string\"", .help = "the path that the service sees: /v1/{rest}"},
    {NULL},
};

const struct fg_conf_key fg_config_route_name = {"ROUTE", FG_CONF_STRING, FG_CONF_AT(struct fg_route_draft, route.name),
    .max = FG_CONFIG_MAX_NAME, .check = fg_config_check_name, .form = "a name",
    .schema = FG_CONFIG_NAME_SCHEMA};
const struct fg_conf_key fg_config_route_item = {"ROUTE", FG_CONF_SECTION, FG_CONF_IN(struct fg_route_draft),
    .prepare = prepare_route, .check = check_route};

/* ---- all routes together */

static void
on_router_error(void *arg, const struct fg_route_rule *rule, const struct fg_route_rule *other, const char *message)
{
	struct fg_conf *conf = arg;
	const struct fg_route_draft *draft = FG_CONTAINER_OF(rule->owner, struct fg_route_draft, route);
	const struct fg_route_draft *twin;

	if (other == NULL) {
		fg_conf_error_at_name(conf, draft->node, "%s", message);
		return;
	}
	twin = FG_CONTAINER_OF(other->owner, struct fg_route_draft, route);
	fg_conf_error_at_name(conf, draft->node, "%s (" FG_STR_FMT " is at " FG_STR_FMT ")", message,
	    FG_STR_ARG(twin->route.name), FG_STR_ARG(fg_conf_place(conf, twin->node->name)));
}

void
fg_config_build_router(struct fg_conf *conf, struct fg_config_draft *draft)
{
	const struct fg_route_rule **rules = FG_ARENA_ARRAY(conf->arena, const struct fg_route_rule *, draft->route_count);
	size_t count = 0;

	for (size_t i = 0; i < draft->route_count; i++)
		if (draft->routes[i].is_good)
			rules[count++] = &draft->routes[i].route.rule;
	if (fg_router_new(&draft->config.router, rules, count, conf->arena, on_router_error, conf) != FG_OK)
		draft->config.router = NULL;
}
