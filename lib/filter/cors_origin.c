/* Patterns of origins: read once, matched for each request of a page. */
#include "filter/cors_origin.h"

#include "http/uri.h"

/* ---- reading */

static enum fg_err
fail(struct fg_str *message, const char *text)
{
	*message = fg_str_from(text);
	return FG_ERR_SYNTAX;
}

/* RFC 3986 §3.1, in lower case. */
static bool
is_scheme(struct fg_str text)
{
	bool is_good = text.len > 0 && text.p[0] >= 'a' && text.p[0] <= 'z';

	for (size_t i = 0; i < text.len; i++)
		is_good &= fg_ascii_is_alnum(text.p[i]) || strchr("+-.", text.p[i]) != NULL;
	return is_good;
}

static unsigned
default_port(struct fg_str scheme)
{
	if (fg_str_eq(scheme, FG_STR("https://")))
		return 443;
	return fg_str_eq(scheme, FG_STR("http://")) ? 80 : 0;
}

static enum fg_err
parse_authority(struct fg_origin *origin, struct fg_str text, struct fg_arena *arena, struct fg_str *message)
{
	unsigned port;

	if (fg_str_ends_with(text, FG_STR(":*"))) {
		origin->any_port = true;
		text.len -= 2;
	}
	if (fg_str_starts_with(text, FG_STR("*."))) {
		origin->any_name = true;
		text = fg_str_slice(text, 2, text.len);
	}
	if (fg_str_find(text, '*') < text.len)
		return fail(message, "has a * that is not *. before a name, nor :* at its end");
	if (fg_host_parse(text, arena, &origin->host, &port) != FG_OK || (origin->any_port && port != 0))
		return fail(message, "has no valid host and port behind ://");
	if (origin->any_name) {
		if (fg_str_find(origin->host, '.') == origin->host.len || origin->host.p[0] == '[')
			return fail(message, "would take everybody who has a name there; write *. and a name of two labels at least");
	}
	origin->host = FG_ARENA_CONCAT(arena, origin->any_name ? FG_STR(".") : FG_STR_NONE, origin->host);
	if (port != 0 && port != default_port(origin->scheme))
		origin->port = fg_arena_printf(arena, ":%u", port);
	return FG_OK;
}

enum fg_err
fg_origin_parse(struct fg_origin *out, struct fg_str text, struct fg_arena *arena, struct fg_str *message)
{
	size_t colon = fg_str_find(text, ':');
	struct fg_str rest;

	*out = (struct fg_origin){.is_any = fg_str_eq(text, FG_STR("*")), .is_null = fg_str_eq(text, FG_STR("null"))};
	if (out->is_any || out->is_null)
		return FG_OK;
	rest = fg_str_slice(text, colon, text.len);
	if (!fg_str_starts_with(rest, FG_STR("://")))
		return fail(message, "is not an origin; write https://HOST, https://*.HOST, * or null");
	out->scheme = fg_arena_lower(arena, fg_str_slice(text, 0, colon + 3));
	if (!is_scheme(fg_str_slice(out->scheme, 0, colon)))
		return fail(message, "does not begin with a scheme such as https");
	rest = fg_str_slice(rest, 3, rest.len);
	if (fg_str_find(rest, '/') < rest.len)
		return fail(message, "has a path; an origin ends with its host and port");
	return parse_authority(out, rest, arena, message);
}

/* ---- matching */

/* One label or several, as names of hosts are: no empty label, nothing that a URL would end the host at. */
static bool
is_name(struct fg_str text)
{
	bool at_start = true;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '.' ? at_start : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
		at_start = c == '.';
	}
	return !at_start;
}

static bool
is_port(struct fg_str text)
{
	uint64_t port;

	if (text.len == 0)
		return true;
	return text.len <= 6 && text.p[0] == ':' && fg_str_to_u64(fg_str_slice(text, 1, text.len), &port) && port < 65536;
}

bool
fg_origin_takes(const struct fg_origin *origin, struct fg_str value)
{
	struct fg_str host, port;
	size_t end;

	if (origin->is_any || origin->is_null)
		return origin->is_any || fg_str_eq(value, FG_STR("null"));
	if (!fg_str_starts_with(value, origin->scheme))
		return false;
	value = fg_str_slice(value, origin->scheme.len, value.len);
	end = value.len > 0 && value.p[0] == '[' ? fg_str_find(value, ']') : 0;
	end += fg_str_find(fg_str_slice(value, end, value.len), ':');
	host = fg_str_slice(value, 0, end);
	port = fg_str_slice(value, end, value.len);
	if (origin->any_port ? !is_port(port) : !fg_str_eq(port, origin->port))
		return false;
	if (!origin->any_name)
		return fg_str_eq(host, origin->host);
	return fg_str_ends_with(host, origin->host) && is_name(fg_str_slice(host, 0, host.len - origin->host.len));
}
