/*
 * The filter `cors`: which web pages of other origins may call the route from a browser (Fetch, "CORS protocol"). Answers
 * preflights, and puts the headers into every response of the route, refusals of our own among them. What a service says
 * about it itself is replaced.
 */
#include "core/exchange.h"
#include "core/filter.h"
#include "core/value_keys.h"
#include "filter/cors_origin.h"
#include "filter/filter_list.h"
#include "http/method.h"

enum { MAX_ORIGINS = 1000, MAX_NAMES = 100 };

#define MAX_AGE (INT64_C(86400) * FG_US_PER_S)

struct cors_conf {
	struct fg_policy policy;
	const struct fg_origin *origins;
	size_t origin_count;
	fg_method_set methods; /* 0: those that the route takes */
	const struct fg_str *headers, *expose;
	size_t header_count, expose_count;
	bool credentials;
	bool any_origin;       /* with no credentials: the same answer to everybody */
	fg_usec max_age;
	/* as they are sent; empty: not at all */
	struct fg_str methods_text, headers_text, expose_text, max_age_text;
};

/* ---- deciding */

/* The value of Access-Control-Allow-Origin; empty: this origin may not. */
static struct fg_str
allowed_origin(const struct cors_conf *conf, const struct fg_exchange *x)
{
	const struct fg_header *origin = fg_headers_find(&x->req.headers, FG_STR("Origin"));

	if (origin == NULL)
		return FG_STR_NONE;
	if (conf->any_origin)
		return FG_STR("*");
	for (size_t i = 0; i < conf->origin_count; i++)
		if (fg_origin_takes(&conf->origins[i], origin->value))
			return origin->value;
	return FG_STR_NONE;
}

/* Where a response has no place left for a header, what would have followed is left out: less is allowed, never more. */
static bool
add(struct fg_exchange *x, const char *name, struct fg_str value)
{
	return value.len == 0 || fg_headers_add(&x->resp.headers, fg_str_from(name), value) == FG_OK;
}

static bool
allow_origin(const struct cors_conf *conf, struct fg_exchange *x, struct fg_str origin)
{
	return add(x, "Access-Control-Allow-Origin", origin) &&
	    add(x, "Access-Control-Allow-Credentials", conf->credentials ? FG_STR("true") : FG_STR_NONE);
}

static void
on_preflight(const void *conf_arg, struct fg_exchange *x)
{
	const struct cors_conf *conf = conf_arg;
	struct fg_str origin = allowed_origin(conf, x), methods = conf->methods_text;
	const struct fg_header *asked = fg_headers_find(&x->req.headers, FG_STR("Access-Control-Request-Method"));

	if (methods.len == 0 && fg_method_parse(asked->value) != FG_METHOD_OTHER)
		methods = asked->value; /* the route takes it, or this would not be its preflight */
	if (origin.len == 0)
		fg_exchange_refuse(x, FG_ERR_CORS_REFUSED);
	else
		fg_exchange_answer(x, FG_ERR_CORS_PREFLIGHT, 204, FG_STR_NONE, FG_STR_NONE);
	if (!add(x, "Vary", FG_STR("Origin, Access-Control-Request-Method, Access-Control-Request-Headers")) ||
	    origin.len == 0)
		return;
	if (allow_origin(conf, x, origin) && add(x, "Access-Control-Allow-Methods", methods) &&
	    add(x, "Access-Control-Allow-Headers", conf->headers_text))
		(void)!add(x, "Access-Control-Max-Age", conf->max_age_text);
	fg_exchange_trace(x, "cors", "preflight", FG_STR_FMT " may call with the methods " FG_STR_FMT " and the headers "
	    FG_STR_FMT, FG_STR_ARG(origin), FG_STR_ARG(methods),
	    FG_STR_ARG(conf->headers_text.len > 0 ? conf->headers_text : FG_STR("that need no asking")));
}

static enum fg_next
on_request(const void *conf_arg, void *ctx, struct fg_exchange *x)
{
	const struct fg_header *origin = x->trace == NULL ? NULL : fg_headers_find(&x->req.headers, FG_STR("Origin"));
	bool is_allowed;

	(void)ctx;
	if (origin == NULL)
		return FG_CONTINUE;
	is_allowed = allowed_origin(conf_arg, x).len > 0;
	fg_exchange_trace(x, "cors", is_allowed ? "allowed" : "not allowed", "a page of " FG_STR_FMT " %s read the answer",
	    FG_STR_ARG(origin->value), is_allowed ? "may" : "may not");
	return FG_CONTINUE;
}

/* ---- responses */

static void
remove_service_headers(struct fg_headers *headers)
{
	static const struct fg_str prefix = FG_STR_INIT("Access-Control-");
	size_t kept = 0;

	for (size_t i = 0; i < headers->count; i++)
		if (!fg_str_ieq(fg_str_slice(headers->v[i].name, 0, prefix.len), prefix))
			headers->v[kept++] = headers->v[i];
	headers->count = kept;
}

/* Whether caches are told already that the answer depends on the origin (RFC 9110 §12.5.5). */
static bool
varies_by_origin(const struct fg_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		struct fg_str list = headers->v[i].value, item;

		while (fg_str_ieq(headers->v[i].name, FG_STR("Vary")) && fg_str_next(&list, ',', &item))
			if (fg_str_ieq(fg_str_trim(item), FG_STR("Origin")) || fg_str_eq(fg_str_trim(item), FG_STR("*")))
				return true;
	}
	return false;
}

static void
on_response(const void *conf_arg, void *ctx, struct fg_exchange *x)
{
	const struct cors_conf *conf = conf_arg;
	struct fg_str origin = allowed_origin(conf, x);

	(void)ctx;
	remove_service_headers(&x->resp.headers);
	if (!varies_by_origin(&x->resp.headers) && !add(x, "Vary", FG_STR("Origin")))
		return;
	if (origin.len > 0 && allow_origin(conf, x, origin))
		(void)!add(x, "Access-Control-Expose-Headers", conf->expose_text);
}

/* ---- the configuration */

static void
parse_origin(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text, message;

	if (fg_conf_want_text(conf, node, key->form, &text) &&
	    fg_origin_parse(out, text, conf->arena, &message) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT " " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)),
		    FG_STR_ARG(message));
}

static struct fg_str
join(struct fg_arena *arena, const struct fg_str *names, size_t count)
{
	struct fg_str text = FG_STR_NONE;

	for (size_t i = 0; i < count; i++)
		text = FG_ARENA_CONCAT(arena, text, i > 0 ? FG_STR(", ") : FG_STR_NONE, names[i]);
	return text;
}

static void
check_origins(struct fg_conf *conf, const struct fg_conf_node *node, struct cors_conf *cors)
{
	for (size_t i = 0; i < cors->origin_count; i++) {
		const struct fg_origin *origin = &cors->origins[i];

		if (origin->is_any && cors->origin_count > 1)
			fg_conf_error(conf, node, "* takes every origin; it stands alone");
		if (origin->is_any && cors->credentials)
			fg_conf_error(conf, node, "* with credentials would let every page act as the user who looks at it; name the origins");
		if (origin->is_null && cors->credentials)
			fg_conf_error(conf, node,
			    "null with credentials would let every page act as the user who looks at it, from a frame without an origin");
		cors->any_origin |= origin->is_any && !cors->credentials;
	}
	if (cors->origin_count == 0)
		fg_conf_error(conf, node, "is empty; name the origins, or leave cors away");
}

/* "*" is any name but Authorization's, and with credentials the name "*" (Fetch, "CORS protocol and credentials"). */
static void
check_names(struct fg_conf *conf, const struct fg_conf_node *node, const struct cors_conf *cors,
    const struct fg_str *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fg_str_eq(names[i], FG_STR("*")) && (count > 1 || cors->credentials))
			fg_conf_error(conf, node, "* stands alone, and for nothing with credentials; name the headers");
}

static void
check_cors(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_conf_node *origins = fg_conf_get(node, "origins");
	struct cors_conf *cors = out;

	(void)key;
	if (origins != NULL && origins->kind != FG_CONF_NODE_MAP)
		check_origins(conf, origins, cors);
	check_names(conf, fg_conf_get(node, "headers"), cors, cors->headers, cors->header_count);
	check_names(conf, fg_conf_get(node, "expose"), cors, cors->expose, cors->expose_count);
	cors->methods_text = fg_method_set_format(cors->methods, conf->arena);
	cors->headers_text = join(conf->arena, cors->headers, cors->header_count);
	cors->expose_text = join(conf->arena, cors->expose, cors->expose_count);
	cors->max_age_text = fg_arena_u64(conf->arena, (uint64_t)(cors->max_age / FG_US_PER_S));
}

static const struct fg_conf_key origin_item = {"ORIGIN", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_origin), .parse = parse_origin,
    .form = "https://HOST[:PORT], https://*.HOST, \"*\" or \"null\"", .schema = "\"type\": \"string\"",
    .help = "*.example.com is each name below example.com; :* is any port"};
static const struct fg_conf_key header_item = {"HEADER", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .max = 256,
    .check = fg_value_check_header_name, .form = "a header name", .help = "\"*\", alone and without credentials: any"};

static const struct fg_conf_key keys[] = {
    {"origins", FG_CONF_LIST, FG_CONF_ARRAY(struct cors_conf, origins, origin_count, struct fg_origin),
	.flags = FG_CONF_REQUIRED | FG_CONF_OR_ONE, .max = MAX_ORIGINS, .item = &origin_item,
	.help = "whose pages may call; others get no header that lets them"},
    {"methods", FG_CONF_CUSTOM, FG_CONF_AT(struct cors_conf, methods), .parse = fg_value_parse_methods,
	.form = FG_VALUE_METHODS_FORM, .schema = FG_VALUE_METHODS_SCHEMA, .shown_preset = "those that the route takes",
	.help = "what they may call with"},
    {"headers", FG_CONF_LIST, FG_CONF_ARRAY(struct cors_conf, headers, header_count, struct fg_str),
	.flags = FG_CONF_OR_ONE, .max = MAX_NAMES, .item = &header_item, .shown_preset = "none",
	.help = "of the request, besides those that every page may set"},
    {"expose", FG_CONF_LIST, FG_CONF_ARRAY(struct cors_conf, expose, expose_count, struct fg_str),
	.flags = FG_CONF_OR_ONE, .max = MAX_NAMES, .item = &header_item, .shown_preset = "none",
	.help = "headers of the response that their scripts may read, besides those that every page may"},
    {"credentials", FG_CONF_BOOL, FG_CONF_AT(struct cors_conf, credentials), .preset = "false",
	.help = "true: browsers send cookies and client certificates, so pages of these origins act as the user"},
    {"max-age", FG_CONF_DURATION, FG_CONF_AT(struct cors_conf, max_age), .min = 0, .max = MAX_AGE, .preset = "5s",
	.help = "how long a browser need not ask again (browsers have bounds of their own)"},
    {NULL},
};

const struct fg_filter_type fg_filter_cors = {
    .name = "cors",
    .stage = FG_STAGE_OBSERVE, /* first of all, so that what the others refuse can be read by pages */
    .conf_size = sizeof(struct cors_conf),
    .keys = keys,
    .check = check_cors,
    .help = "which web pages of other origins may call from a browser",
    .on_preflight = on_preflight,
    .on_request = on_request,
    .on_response = on_response,
};
