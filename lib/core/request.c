/*
 * What was asked: CGI parameters (RFC 3875 §4.1) into a request, and what is said about it to the service. Nothing
 * here trusts the client: headers that tell who is asking count only from proxies that the configuration names.
 */
#include "core/engine.h"

#include "base/limits.h"
#include "core/config.h"

enum { NAME_TABLE_SIZE = 1024, MAX_REQUEST_ID = 128, TRACEPARENT_LENGTH = 55 };

_Static_assert(NAME_TABLE_SIZE >= 2 * FG_MAX_PARAMS, "the table of names must stay sparse");

/* ---- parameters */

static uint32_t
name_hash(struct fg_str name)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.p[i]) * 16777619u;
	return hash;
}

/*
 * A name that comes twice is two header names that differ only in '-' and '_' (lighttpd 1.4.69 passes both): which of
 * them a service would believe is a guess, so the request is refused.
 */
static bool
has_duplicate(const struct fg_param *params, size_t count)
{
	uint16_t table[NAME_TABLE_SIZE] = {0};

	for (size_t i = 0; i < count; i++) {
		uint32_t at = name_hash(params[i].name) % NAME_TABLE_SIZE;

		for (; table[at] != 0; at = (at + 1) % NAME_TABLE_SIZE)
			if (fg_str_eq(params[table[at] - 1].name, params[i].name))
				return true;
		table[at] = (uint16_t)(i + 1);
	}
	return false;
}

/* "ACCEPT_LANGUAGE" becomes "Accept-Language". */
static struct fg_str
header_name(struct fg_exchange *x, struct fg_str cgi_name)
{
	char *name = fg_arena_cstr(&x->arena, cgi_name);
	bool at_start = true;

	for (size_t i = 0; i < cgi_name.len; i++) {
		if (name[i] == '_')
			name[i] = '-';
		else if (!at_start)
			name[i] = fg_ascii_lower(name[i]);
		else
			name[i] = fg_ascii_upper(name[i]);
		at_start = name[i] == '-';
	}
	return (struct fg_str){name, cgi_name.len};
}

static void
fail_early(struct fg_exchange *x, enum fg_err err)
{
	if (x->early_err == FG_OK)
		x->early_err = err;
}

/* Of a parameter that becomes a part of a header: whether it can. */
static bool
is_fit_for_header(struct fg_exchange *x, struct fg_str value)
{
	if (!fg_is_field_value(value))
		fail_early(x, FG_ERR_HEADER_INVALID);
	return fg_is_field_value(value);
}

static void
add_header(struct fg_exchange *x, struct fg_str name, struct fg_str value)
{
	if (!fg_is_token(name) || !fg_is_field_value(value))
		fail_early(x, FG_ERR_HEADER_INVALID);
	else if (fg_headers_add(&x->req.headers, name, value) != FG_OK)
		fail_early(x, FG_ERR_HEADERS_TOO_LARGE);
}

static void
read_content_length(struct fg_exchange *x, struct fg_str value)
{
	uint64_t length;

	if (value.len == 0)
		return; /* some servers give an empty value for "none" */
	if (!fg_str_to_u64(value, &length) || length > INT64_MAX)
		fail_early(x, FG_ERR_LENGTH_INVALID);
	else
		x->req.content_length = (int64_t)length;
}

static void
read_peer(struct fg_exchange *x, struct fg_str value)
{
	struct fg_request *req = &x->req;
	const struct fg_config *config = x->gw->config;

	if (!is_fit_for_header(x, value))
		return;
	req->peer_text = req->client_text = value;
	if (!fg_ip_parse(&req->peer_ip, value))
		return; /* a peer without an address: of no trusted network */
	req->client_ip = req->peer_ip;
	req->peer_known = true;
	for (size_t i = 0; i < config->trusted_proxy_count; i++)
		if (fg_cidr_contains(&config->trusted_proxies[i], &req->peer_ip))
			req->peer_trusted = true;
}

struct server_params {
	struct fg_str target, name, port, content_type;
	struct fg_str http_content_type, http_content_length;
};

static void
read_param(struct fg_exchange *x, const struct fg_param *param, struct server_params *server)
{
	struct fg_str name = param->name, value = param->value;

	if (fg_str_starts_with(name, FG_STR("HTTP_"))) {
		name = fg_str_slice(name, 5, name.len);
		if (fg_str_eq(name, FG_STR("CONTENT_TYPE")))
			server->http_content_type = value;
		else if (fg_str_eq(name, FG_STR("CONTENT_LENGTH")))
			server->http_content_length = value;
		else
			add_header(x, header_name(x, name), value);
	} else if (fg_str_eq(name, FG_STR("REQUEST_METHOD"))) {
		x->req.method = value;
	} else if (fg_str_eq(name, FG_STR("REQUEST_URI"))) {
		server->target = value;
	} else if (fg_str_eq(name, FG_STR("CONTENT_LENGTH"))) {
		read_content_length(x, value);
	} else if (fg_str_eq(name, FG_STR("CONTENT_TYPE"))) {
		server->content_type = value;
	} else if (fg_str_eq(name, FG_STR("REMOTE_ADDR"))) {
		read_peer(x, value);
	} else if (fg_str_eq(name, FG_STR("SERVER_PROTOCOL"))) {
		x->req.protocol = is_fit_for_header(x, value) ? value : FG_STR_NONE;
	} else if (fg_str_eq(name, FG_STR("SERVER_NAME"))) {
		server->name = value;
	} else if (fg_str_eq(name, FG_STR("SERVER_PORT"))) {
		server->port = value;
	} else if (fg_str_eq(name, FG_STR("HTTPS"))) {
		if (value.len > 0 && !fg_str_ieq(value, FG_STR("off")))
			x->req.scheme = FG_STR("https");
	} else if (fg_str_eq(name, FG_STR("REQUEST_SCHEME"))) {
		if (fg_str_eq(value, FG_STR("https")))
			x->req.scheme = FG_STR("https");
	}
}

/* Host as the target's authority or the header says (RFC 9112 §3.2.2), else as the web server is named. */
static void
read_host(struct fg_exchange *x, const struct server_params *server)
{
	struct fg_request *req = &x->req;
	const struct fg_header *host = fg_headers_find_id(&req->headers, FG_HDR_HOST);

	if (req->uri.authority.len > 0)
		req->authority = req->uri.authority;
	else if (host != NULL)
		req->authority = host->value;
	else
		req->authority = fg_str_eq(server->port, FG_STR("80")) || server->port.len == 0
				     ? server->name
				     : FG_ARENA_CONCAT(&x->arena, server->name, FG_STR(":"), server->port);
	if (fg_host_parse(req->authority, &x->arena, &req->host, &req->port) != FG_OK) {
		req->host = FG_STR_NONE;
		fail_early(x, FG_ERR_HOST_INVALID);
	}
}

static void
read_target(struct fg_exchange *x, struct fg_str target)
{
	enum fg_err err = fg_uri_parse(&x->req.uri, target, &x->arena);

	x->req.uri.raw = target;
	if (err != FG_OK) {
		fail_early(x, err);
		return;
	}
	if (fg_str_eq(x->req.uri.path, FG_STR("*")) && x->req.method_id != FG_METHOD_OPTIONS)
		fail_early(x, FG_ERR_TARGET_INVALID);
	x->req.merged_uri = x->req.uri;
	if (x->req.uri.has_empty_segment)
		fg_uri_merge_slashes(&x->req.merged_uri, &x->arena);
}

static void
read_body_shape(struct fg_exchange *x)
{
	struct fg_request *req = &x->req;
	bool coded = fg_headers_find_id(&req->headers, FG_HDR_TRANSFER_ENCODING) != NULL;

	/* A length beside a coding is the web server's own: it has undone the coding (RFC 9112 §6.3). */
	req->has_body = req->content_length > 0 || (req->content_length < 0 && coded);
	x->body_unknown = req->content_length < 0 && !coded;
}

void
fg_request_read(struct fg_exchange *x, const struct fg_param *params, size_t count)
{
	struct fg_request *req = &x->req;
	struct server_params server = {.target = FG_STR_NONE};

	x->params = params;
	x->param_count = count;
	req->content_length = -1;
	req->scheme = FG_STR("http");
	fg_headers_init(&req->headers, &x->arena);
	for (size_t i = 0; i < count; i++)
		read_param(x, &params[i], &server);
	if (has_duplicate(params, count))
		fail_early(x, FG_ERR_HEADER_DUPLICATED);
	/* "Content_Type: …" must not stand in for Content-Type; servers that give both give the same. */
	if ((server.http_content_type.len > 0 && !fg_str_eq(server.http_content_type, server.content_type)) ||
	    (server.http_content_length.len > 0 && req->content_length < 0))
		fail_early(x, FG_ERR_HEADER_DUPLICATED);
	if (server.content_type.len > 0)
		add_header(x, FG_STR("Content-Type"), server.content_type);
	if (!fg_is_token(req->method))
		fail_early(x, FG_ERR_TARGET_INVALID);
	req->method_id = fg_method_parse(req->method);
	read_body_shape(x);
	read_target(x, server.target);
	read_host(x, &server);
	if (server.port.len > 0 && req->port == 0) {
		uint64_t port = 0;

		if (fg_str_to_u64(server.port, &port) && port < 65536)
			req->port = (unsigned)port;
	}
}

struct fg_str
fg_request_param(const struct fg_exchange *x, struct fg_str name)
{
	FG_ASSERT(!fg_str_starts_with(name, FG_STR("HTTP_")));
	for (size_t i = 0; i < x->param_count; i++)
		if (fg_str_eq(x->params[i].name, name))
			return x->params[i].value;
	return FG_STR_NONE;
}

/* ---- who is asking */

static bool
is_trusted(const struct fg_config *config, const struct fg_ip *ip)
{
	for (size_t i = 0; i < config->trusted_proxy_count; i++)
		if (fg_cidr_contains(&config->trusted_proxies[i], ip))
			return true;
	return false;
}

/* The node of one element of Forwarded (RFC 7239 §6): for=192.0.2.43, for="[2001:db8::17]:4711". */
static struct fg_str
forwarded_for(struct fg_str element)
{
	struct fg_str pair;

	while (fg_str_next(&element, ';', &pair)) {
		pair = fg_str_trim(pair);
		if (pair.len < 4 || !fg_str_ieq(fg_str_slice(pair, 0, 4), FG_STR("for=")))
			continue;
		pair = fg_str_slice(pair, 4, pair.len);
		if (pair.len >= 2 && pair.p[0] == '"' && pair.p[pair.len - 1] == '"')
			pair = fg_str_slice(pair, 1, pair.len - 1);
		return pair;
	}
	return FG_STR_NONE;
}

/* An address, with or without a port behind it. */
static bool
parse_node(struct fg_ip *ip, struct fg_str node)
{
	size_t bracket = fg_str_find(node, ']');

	if (node.len > 0 && node.p[0] == '[')
		return fg_ip_parse(ip, fg_str_slice(node, 0, bracket + 1));
	if (fg_ip_parse(ip, node))
		return true;
	return fg_ip_parse(ip, fg_str_slice(node, 0, fg_str_find(node, ':')));
}

static struct fg_str
last_element(struct fg_str *list)
{
	size_t comma = list->len;
	struct fg_str element;

	while (comma > 0 && list->p[comma - 1] != ',')
		comma--;
	element = fg_str_trim(fg_str_slice(*list, comma, list->len));
	*list = fg_str_slice(*list, 0, comma == 0 ? 0 : comma - 1);
	return element;
}

/* From the nearest proxy outwards, the first address that no trusted proxy has. */
static void
look_through_proxies(struct fg_exchange *x)
{
	struct fg_request *req = &x->req;
	const struct fg_header *header = fg_headers_find_id(&req->headers, FG_HDR_X_FORWARDED_FOR);
	bool is_rfc7239 = false;
	struct fg_str list;
	char text[64];

	if (header == NULL) {
		header = fg_headers_find_id(&req->headers, FG_HDR_FORWARDED);
		is_rfc7239 = true;
	}
	if (header == NULL)
		return;
	for (list = header->value; list.len > 0;) {
		struct fg_str element = last_element(&list);
		struct fg_ip ip;

		if (!parse_node(&ip, is_rfc7239 ? forwarded_for(element) : element))
			break; /* "unknown", or made up: what stands behind it was not said by a proxy of ours */
		req->client_ip = ip;
		if (!is_trusted(x->gw->config, &ip))
			break;
	}
	req->client_text = fg_arena_str(&x->arena, fg_ip_format(&req->client_ip, text));
}

void
fg_request_read_forwarded(struct fg_exchange *x)
{
	struct fg_request *req = &x->req;
	struct fg_str proto;

	if (!req->peer_trusted)
		return;
	look_through_proxies(x);
	proto = fg_headers_value(&req->headers, FG_HDR_X_FORWARDED_PROTO);
	if (fg_str_ieq(proto, FG_STR("https")))
		req->scheme = FG_STR("https");
	else if (fg_str_ieq(proto, FG_STR("http")))
		req->scheme = FG_STR("http");
}

/* ---- ids */

static uint64_t
mix(uint64_t z)
{
	/* The finaliser of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
hex_digits(char *out, uint64_t number)
{
	for (int i = 15; i >= 0; i--, number >>= 4)
		out[i] = "0123456789abcdef"[number & 15];
}

static bool
is_request_id(struct fg_str id)
{
	if (id.len == 0 || id.len > MAX_REQUEST_ID)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!fg_ascii_is_alnum(id.p[i]) && memchr("-_.:+/=@", id.p[i], 8) == NULL)
			return false;
	return true;
}

/* version-traceid-parentid-flags of the W3C Trace Context recommendation §3.2, version 00. */
static bool
is_traceparent(struct fg_str value)
{
	bool trace_zero = true, parent_zero = true;

	if (value.len != TRACEPARENT_LENGTH || memcmp(value.p, "00-", 3) != 0 || value.p[35] != '-' || value.p[52] != '-')
		return false;
	for (size_t i = 3; i < value.len; i++) {
		if (i == 35 || i == 52)
			continue;
		if (fg_hex_value(value.p[i]) < 0 || (value.p[i] >= 'A' && value.p[i] <= 'F'))
			return false;
		if (i < 35 && value.p[i] != '0')
			trace_zero = false;
		if (i > 35 && i < 52 && value.p[i] != '0')
			parent_zero = false;
	}
	return !trace_zero && !parent_zero;
}

void
fg_request_set_id(struct fg_exchange *x)
{
	struct fg_gateway *gw = x->gw;
	struct fg_str given = fg_headers_value(&x->req.headers, FG_HDR_X_REQUEST_ID);
	struct fg_str trace = fg_headers_value(&x->req.headers, FG_HDR_TRACEPARENT);
	char *id;

	if (is_traceparent(trace)) {
		x->req.traceparent = trace;
		x->req.trace_id = fg_str_slice(trace, 3, 35);
	}
	if (x->req.peer_trusted && is_request_id(given)) {
		x->req.id = given;
		return;
	}
	id = fg_arena_alloc(&x->arena, 32);
	hex_digits(id, gw->id_prefix);
	hex_digits(id + 16, mix(gw->id_prefix + ++gw->id_count * UINT64_C(0x9e3779b97f4a7c15)));
	x->req.id = (struct fg_str){id, 32};
}

/* ---- what the service is told */

/* A node of Forwarded (RFC 7239 §6): an IPv6 address in brackets and quotes. */
static struct fg_str
forwarded_node(struct fg_exchange *x)
{
	if (!x->req.peer_known)
		return FG_STR("unknown");
	if (fg_str_find(x->req.peer_text, ':') < x->req.peer_text.len)
		return FG_ARENA_CONCAT(&x->arena, FG_STR("\"["), x->req.peer_text, FG_STR("]\""));
	return x->req.peer_text;
}

/* before + ", " + value where the peer may speak for others; value alone otherwise. */
static struct fg_str
continued(struct fg_exchange *x, enum fg_header_id id, struct fg_str value)
{
	struct fg_str before = x->req.peer_trusted ? fg_headers_value(&x->req.headers, id) : FG_STR_NONE;

	if (before.len == 0)
		return value;
	return FG_ARENA_CONCAT(&x->arena, before, FG_STR(", "), value);
}

static struct fg_str
kept_or(struct fg_exchange *x, enum fg_header_id id, struct fg_str value)
{
	struct fg_str given = x->req.peer_trusted ? fg_headers_value(&x->req.headers, id) : FG_STR_NONE;

	return given.len > 0 ? given : value;
}

static struct fg_str
port_text(struct fg_exchange *x)
{
	unsigned port = x->req.port;

	if (port == 0)
		return fg_str_eq(x->req.scheme, FG_STR("https")) ? FG_STR("443") : FG_STR("80");
	return fg_arena_u64(&x->arena, port);
}

enum fg_err
fg_request_add_forwarded(struct fg_exchange *x)
{
	static const uint64_t replaced = FG_HEADER_BIT(FG_HDR_FORWARDED) | FG_HEADER_BIT(FG_HDR_X_FORWARDED_FOR) |
	    FG_HEADER_BIT(FG_HDR_X_FORWARDED_PROTO) | FG_HEADER_BIT(FG_HDR_X_FORWARDED_HOST) |
	    FG_HEADER_BIT(FG_HDR_X_FORWARDED_PORT) | FG_HEADER_BIT(FG_HDR_VIA) | FG_HEADER_BIT(FG_HDR_X_REQUEST_ID);
	struct fg_request *req = &x->req;
	struct fg_str version = req->protocol.len > 5 ? fg_str_slice(req->protocol, 5, req->protocol.len) : FG_STR("1.1");
	struct fg_str via = fg_headers_value(&req->headers, FG_HDR_VIA);
	const struct {
		enum fg_header_id id;
		struct fg_str value;
	} added[] = {
	    {FG_HDR_FORWARDED, continued(x, FG_HDR_FORWARDED,
				   FG_ARENA_CONCAT(&x->arena, FG_STR("for="), forwarded_node(x), FG_STR(";host=\""),
				       req->authority, FG_STR("\";proto="), req->scheme))},
	    {FG_HDR_X_FORWARDED_FOR, continued(x, FG_HDR_X_FORWARDED_FOR, req->peer_text)},
	    {FG_HDR_X_FORWARDED_PROTO, req->scheme},
	    {FG_HDR_X_FORWARDED_HOST, kept_or(x, FG_HDR_X_FORWARDED_HOST, req->authority)},
	    {FG_HDR_X_FORWARDED_PORT, kept_or(x, FG_HDR_X_FORWARDED_PORT, port_text(x))},
	    /* Via is for telling loops and versions, not for trust: it is continued whoever sent it (RFC 9110 §7.6.3). */
	    {FG_HDR_VIA, FG_ARENA_CONCAT(&x->arena, via, via.len > 0 ? FG_STR(", ") : FG_STR_NONE, version,
			     FG_STR(" faregate"))},
	    {FG_HDR_X_REQUEST_ID, req->id},
	};
	enum fg_err err = FG_OK;

	fg_headers_remove_set(&req->headers, replaced);
	for (size_t i = 0; i < FG_ARRAY_LEN(added) && err == FG_OK; i++)
		err = fg_headers_add(&req->headers, fg_header_name(added[i].id), added[i].value);
	if (req->traceparent.len == 0)
		/* One that cannot be read ends the trace (W3C Trace Context §4.3); its state belongs to it. */
		fg_headers_remove_set(&req->headers, FG_HEADER_BIT(FG_HDR_TRACEPARENT) | FG_HEADER_BIT(FG_HDR_TRACESTATE));
	return err;
}
