/* Credentials in headers, cookies and queries: found, counted, taken away. */
#include "filter/credentials.h"

#include "base/percent.h"
#include "core/edit.h"
#include "core/exchange.h"
#include "core/var.h"

/* ---- the key `from` */

static void
parse_place(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_credential_place *place = out;
	struct fg_str text, message;
	struct fg_var var;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	if (fg_var_parse(&var, text, &conf->scratch, &message) != FG_OK) {
		fg_conf_error(conf, node, FG_STR_FMT, FG_STR_ARG(message));
		return;
	}
	if (var.kind == FG_VAR_HEADER)
		place->kind = FG_CREDENTIAL_HEADER;
	else if (var.kind == FG_VAR_COOKIE)
		place->kind = FG_CREDENTIAL_COOKIE;
	else if (var.kind == FG_VAR_QUERY)
		place->kind = FG_CREDENTIAL_QUERY;
	else
		fg_conf_error(conf, node, FG_STR_FMT " is no place for a credential; write header:NAME, cookie:NAME or query:NAME",
		    FG_STR_ARG(fg_conf_quote(conf, text)));
	place->name = fg_arena_str(conf->arena, var.name);
}

const struct fg_conf_key fg_credential_place_item = {"PLACE", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_credential_place),
    .parse = parse_place, .form = "header:NAME, cookie:NAME or query:NAME", .schema = "\"type\": \"string\"",
    .help = "where in the request"};

bool
fg_credential_is_same_place(const struct fg_credential_place *a, const struct fg_credential_place *b)
{
	return a->kind == b->kind &&
	    (a->kind == FG_CREDENTIAL_HEADER ? fg_str_ieq(a->name, b->name) : fg_str_eq(a->name, b->name));
}

void
fg_credential_places_check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_credential_places *places = FG_CONTAINER_OF(out, struct fg_credential_places, v);

	(void)key;
	if (places->count == 0)
		fg_conf_error(conf, node, "is empty; say where the credential is: header:NAME, cookie:NAME or query:NAME");
	for (size_t i = 0; i < places->count; i++)
		for (size_t k = 0; k < i; k++)
			if (fg_credential_is_same_place(&places->v[i], &places->v[k]))
				fg_conf_error(conf, node, "names " FG_STR_FMT " twice", FG_STR_ARG(places->v[i].name));
}

/* ---- finding */

/* What was found so far. */
struct found {
	struct fg_str text;
	size_t count;
};

static void
note(struct found *found, struct fg_str text)
{
	if (text.len == 0)
		return;
	if (found->count == 0)
		found->text = text;
	found->count++;
}

/* False: the value does not begin with that scheme and a space (RFC 9110 §11.4). */
static bool
skip_scheme(struct fg_str value, struct fg_str scheme, struct fg_str *rest)
{
	if (value.len <= scheme.len || value.p[scheme.len] != ' ' || !fg_str_ieq(fg_str_slice(value, 0, scheme.len), scheme))
		return false;
	*rest = fg_str_trim(fg_str_slice(value, scheme.len, value.len));
	return true;
}

static void
look_in_headers(struct found *found, const struct fg_exchange *x, struct fg_str name, struct fg_str scheme)
{
	enum fg_header_id id = fg_header_id(name);

	for (size_t i = 0; i < x->req.headers.count; i++) {
		const struct fg_header *header = &x->req.headers.v[i];
		struct fg_str text = fg_str_trim(header->value);

		if (header->id != id || !fg_str_ieq(header->name, name))
			continue;
		if (skip_scheme(header->value, scheme, &text) || id != FG_HDR_AUTHORIZATION)
			note(found, text);
	}
}

/* Name and value of "name=value", spaces around it taken off (RFC 6265 §5.4). */
static bool
split_cookie(struct fg_str pair, struct fg_str *name, struct fg_str *value)
{
	size_t equals = fg_str_find(pair, '=');

	*name = fg_str_trim(fg_str_slice(pair, 0, equals));
	*value = fg_str_trim(fg_str_slice(pair, equals + 1, pair.len));
	return equals < pair.len;
}

static void
look_in_cookies(struct found *found, const struct fg_exchange *x, struct fg_str name)
{
	struct fg_str pair, its_name, value;

	for (size_t i = 0; i < x->req.headers.count; i++) {
		struct fg_str rest = x->req.headers.v[i].value;

		while (x->req.headers.v[i].id == FG_HDR_COOKIE && fg_str_next(&rest, ';', &pair))
			if (split_cookie(pair, &its_name, &value) && fg_str_eq(its_name, name))
				note(found, value);
	}
}

static struct fg_str
decode_part(struct fg_str text, struct fg_exchange *x)
{
	struct fg_str decoded;

	return fg_percent_decode(text, true, &x->arena, &decoded) ? decoded : text;
}

static void
look_in_query(struct found *found, struct fg_exchange *x, struct fg_str name)
{
	struct fg_str rest = x->req.uri.query, part;

	while (fg_str_next(&rest, '&', &part)) {
		size_t equals = fg_str_find(part, '=');

		if (fg_str_eq(decode_part(fg_str_slice(part, 0, equals), x), name))
			note(found, decode_part(fg_str_slice(part, equals + 1, part.len), x));
	}
}

enum fg_err
fg_credential_find(const struct fg_credential_places *places, struct fg_str scheme, struct fg_exchange *x,
    struct fg_str *text)
{
	struct found found = {.count = 0};

	for (size_t i = 0; i < places->count; i++) {
		const struct fg_credential_place *place = &places->v[i];

		if (place->kind == FG_CREDENTIAL_HEADER)
			look_in_headers(&found, x, place->name, scheme);
		else if (place->kind == FG_CREDENTIAL_COOKIE)
			look_in_cookies(&found, x, place->name);
		else
			look_in_query(&found, x, place->name);
	}
	*text = found.text;
	return found.count > 1 ? FG_ERR_CREDENTIALS_AMBIGUOUS : FG_OK;
}

/* ---- taking away */

static void
strip_header(struct fg_exchange *x, struct fg_str name, struct fg_str scheme)
{
	struct fg_headers *headers = &x->req.headers;
	struct fg_str rest;
	size_t kept = 0;

	for (size_t i = 0; i < headers->count; i++) {
		const struct fg_header *header = &headers->v[i];

		if (fg_str_ieq(header->name, name) &&
		    (header->id != FG_HDR_AUTHORIZATION || skip_scheme(header->value, scheme, &rest)))
			continue;
		headers->v[kept++] = *header;
	}
	headers->count = kept;
}

/* The pairs of one Cookie header but for those of that name. */
static struct fg_str
cookies_without(struct fg_str cookies, struct fg_str name, struct fg_arena *arena)
{
	struct fg_str rest = cookies, pair, its_name, value;
	char *kept = fg_arena_alloc(arena, 2 * cookies.len + 1);
	size_t len = 0;

	while (fg_str_next(&rest, ';', &pair)) {
		pair = fg_str_trim(pair);
		if (pair.len == 0 || (split_cookie(pair, &its_name, &value) && fg_str_eq(its_name, name)))
			continue;
		if (len > 0) {
			memcpy(kept + len, "; ", 2);
			len += 2;
		}
		memcpy(kept + len, pair.p, pair.len);
		len += pair.len;
	}
	return (struct fg_str){kept, len};
}

static void
strip_cookie(struct fg_exchange *x, struct fg_str name)
{
	struct fg_headers *headers = &x->req.headers;
	struct found found = {.count = 0};
	size_t kept = 0;

	look_in_cookies(&found, x, name);
	for (size_t i = 0; found.count > 0 && i < headers->count; i++) {
		struct fg_header header = headers->v[i];

		if (header.id == FG_HDR_COOKIE) {
			header.value = cookies_without(header.value, name, &x->arena);
			if (header.value.len == 0)
				continue;
		}
		headers->v[kept++] = header;
	}
	if (found.count > 0)
		headers->count = kept;
}

static void
strip_param(struct fg_exchange *x, struct fg_str name)
{
	const struct fg_edit edit = {.remove = &name, .remove_count = 1};
	struct found found = {.count = 0};

	look_in_query(&found, x, name);
	/* What is taken away makes nothing longer. */
	if (found.count > 0)
		FG_ASSERT(fg_edit_query(&edit, x) == FG_OK);
}

void
fg_credential_strip(const struct fg_credential_places *places, struct fg_str scheme, struct fg_exchange *x)
{
	for (size_t i = 0; i < places->count; i++) {
		const struct fg_credential_place *place = &places->v[i];

		if (place->kind == FG_CREDENTIAL_HEADER)
			strip_header(x, place->name, scheme);
		else if (place->kind == FG_CREDENTIAL_COOKIE)
			strip_cookie(x, place->name);
		else
			strip_param(x, place->name);
	}
}
