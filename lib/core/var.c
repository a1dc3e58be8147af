/* Request variables: their names, and where in an exchange each has its value. */
#include "core/var.h"

#include "base/name_table.h"
#include "conf/suggest.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/identity.h"
#include "core/var_int.h"

static const struct {
	struct fg_str word;
	enum fg_var_kind kind;
	bool has_name;
} vocabulary[] = {
    {FG_STR_INIT("ip"), FG_VAR_IP, false},
    {FG_STR_INIT("host"), FG_VAR_HOST, false},
    {FG_STR_INIT("method"), FG_VAR_METHOD, false},
    {FG_STR_INIT("path"), FG_VAR_PATH, false},
    {FG_STR_INIT("route"), FG_VAR_ROUTE, false},
    {FG_STR_INIT("request-id"), FG_VAR_REQUEST_ID, false},
    {FG_STR_INIT("header"), FG_VAR_HEADER, true},
    {FG_STR_INIT("cookie"), FG_VAR_COOKIE, true},
    {FG_STR_INIT("query"), FG_VAR_QUERY, true},
    {FG_STR_INIT("path"), FG_VAR_PATH_SEGMENT, true},
    {FG_STR_INIT("consumer"), FG_VAR_CONSUMER, false},
    {FG_STR_INIT("claim"), FG_VAR_CLAIM, true},
};

static enum fg_err
refuse_unknown(struct fg_str text, struct fg_arena *arena, struct fg_str *message)
{
	size_t colon = fg_str_find(text, ':');
	struct fg_str word = fg_str_slice(text, 0, colon), name = fg_str_slice(text, colon, text.len), hint;
	struct fg_suggest suggest;

	fg_suggest_init(&suggest, word);
	for (size_t i = 0; i < FG_ARRAY_LEN(vocabulary); i++)
		if (vocabulary[i].has_name == (name.len > 0))
			fg_suggest_offer(&suggest, vocabulary[i].word);
	if (name.len > 0)
		hint = suggest.best.len > 0 ? FG_ARENA_CONCAT(arena, FG_STR("; did you mean "), suggest.best, name, FG_STR("?"))
					    : FG_STR("; those with a name are header:, cookie:, query:, path: and claim:");
	else
		hint = FG_ARENA_CONCAT(arena, fg_suggest_format(&suggest, arena),
		    FG_STR("; a header is header:"), word, FG_STR(", a {segment} of the route's path path:"), word);
	*message = FG_ARENA_CONCAT(arena, FG_STR("\""), text, FG_STR("\" is not a request variable"), hint);
	return FG_ERR_SYNTAX;
}

enum fg_err
fg_var_parse(struct fg_var *var, struct fg_str text, struct fg_arena *arena, struct fg_str *message)
{
	size_t colon = fg_str_find(text, ':');
	struct fg_str word = fg_str_slice(text, 0, colon), name = fg_str_slice(text, colon + 1, text.len);

	for (size_t i = 0; i < FG_ARRAY_LEN(vocabulary); i++) {
		if (!fg_str_eq(word, vocabulary[i].word) || vocabulary[i].has_name != (colon < text.len))
			continue;
		*var = (struct fg_var){vocabulary[i].kind, name};
		if (!vocabulary[i].has_name) {
			var->name = FG_STR_NONE;
			return FG_OK;
		}
		if (name.len == 0 || ((var->kind == FG_VAR_HEADER || var->kind == FG_VAR_COOKIE) && !fg_is_token(name))) {
			*message = fg_arena_printf(arena, "\"" FG_STR_FMT ":\" needs a name behind it", FG_STR_ARG(word));
			return FG_ERR_SYNTAX;
		}
		return FG_OK;
	}
	return refuse_unknown(text, arena, message);
}

/* ---- values */

/* The path that the route was decided on. */
static const struct fg_uri *
decided_uri(const struct fg_exchange *x)
{
	return x->hit.rule != NULL && x->hit.rule->merge_slashes ? &x->req.merged_uri : &x->req.uri;
}

static const struct fg_capture *
find_capture(const struct fg_exchange *x, struct fg_str name)
{
	for (size_t i = 0; i < x->hit.capture_count; i++)
		if (fg_str_eq(x->hit.captures[i].name, name))
			return &x->hit.captures[i];
	return NULL;
}

static bool
get_segment(struct fg_exchange *x, struct fg_str name, struct fg_str *value)
{
	const struct fg_capture *capture = find_capture(x, name);
	struct fg_str text;
	char *copy;

	if (capture == NULL)
		return false;
	text = fg_str_slice(decided_uri(x)->match, capture->start, capture->start + capture->len);
	*value = text;
	if (fg_str_find(text, FG_URI_ENCODED_SLASH) == text.len)
		return true;
	copy = fg_arena_cstr(&x->arena, text);
	for (size_t i = 0; i < text.len; i++)
		if (copy[i] == FG_URI_ENCODED_SLASH)
			copy[i] = '/';
	value->p = copy;
	return true;
}

bool
fg_var_get_encoded_segment(const struct fg_exchange *x, struct fg_str name, struct fg_str *value)
{
	const struct fg_uri *uri = decided_uri(x);
	const struct fg_capture *capture = find_capture(x, name);

	if (capture == NULL)
		return false;
	*value = fg_str_slice(uri->path, fg_uri_path_offset(uri, capture->start),
	    fg_uri_path_offset(uri, capture->start + capture->len));
	return true;
}

static bool
get_header(const struct fg_exchange *x, struct fg_str name, struct fg_str *value)
{
	const struct fg_header *header = fg_headers_find(&x->req.headers, name);

	if (header != NULL)
		*value = header->value;
	return header != NULL;
}

static bool
get_claim(struct fg_exchange *x, struct fg_str name, struct fg_str *value)
{
	struct fg_claim_values values;

	if (!fg_identity_claim(x->identity, name, &x->arena, &values))
		return false;
	*value = values.count > 0 ? values.v[0] : FG_STR_NONE;
	for (size_t i = 1; i < values.count; i++)
		*value = FG_ARENA_CONCAT(&x->arena, *value, FG_STR(","), values.v[i]);
	return true;
}

static bool
get_if_any(struct fg_str text, struct fg_str *value)
{
	*value = text;
	return text.len > 0;
}

struct fg_str
fg_var_format(const struct fg_var *var, struct fg_arena *arena)
{
	size_t i = 0;

	while (vocabulary[i].kind != var->kind)
		i++;
	return FG_ARENA_CONCAT(arena, vocabulary[i].word, vocabulary[i].has_name ? FG_STR(":") : FG_STR_NONE, var->name);
}

bool
fg_var_get(const struct fg_var *var, struct fg_exchange *x, struct fg_str *value)
{
	switch (var->kind) {
	case FG_VAR_IP:
		return get_if_any(x->req.client_text, value);
	case FG_VAR_HOST:
		return get_if_any(x->req.host, value);
	case FG_VAR_METHOD:
		return get_if_any(x->req.method, value);
	case FG_VAR_PATH:
		return get_if_any(decided_uri(x)->path, value);
	case FG_VAR_ROUTE:
		return x->route != NULL && get_if_any(x->route->name, value);
	case FG_VAR_REQUEST_ID:
		return get_if_any(x->req.id, value);
	case FG_VAR_HEADER:
		return get_header(x, var->name, value);
	case FG_VAR_COOKIE:
		return fg_headers_cookie(&x->req.headers, var->name, value);
	case FG_VAR_QUERY:
		return fg_query_get(x->req.uri.query, var->name, &x->arena, value);
	case FG_VAR_PATH_SEGMENT:
		return get_segment(x, var->name, value);
	case FG_VAR_CONSUMER:
		return x->identity != NULL && get_if_any(x->identity->consumer, value);
	case FG_VAR_CLAIM:
		return get_claim(x, var->name, value);
	}
	return false;
}

uint64_t
fg_var_hash(const struct fg_var *vars, size_t count, struct fg_exchange *x)
{
	uint64_t hash = 0;
	struct fg_str value;

	for (size_t i = 0; i < count; i++) {
		if (!fg_var_get(&vars[i], x, &value))
			value = x->req.client_text;
		hash = hash * 31 + fg_name_hash(value);
	}
	return hash;
}
