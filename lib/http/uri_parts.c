/* The smaller pieces of a URI: one encoded component, a query parameter, a host with its port. */
#include "base/ip.h"
#include "base/percent.h"
#include "http/uri.h"

enum { MAX_HOST_BYTES = 255 }; /* a domain name in text (RFC 1035 §2.3.4) */

static bool
is_unreserved(char c)
{
	return fg_ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

struct fg_str
fg_uri_encode(struct fg_str text, struct fg_arena *arena)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t reserved = 0, len = 0;
	char *p;

	for (size_t i = 0; i < text.len; i++)
		reserved += !is_unreserved(text.p[i]);
	if (reserved == 0)
		return text;
	p = fg_arena_alloc(arena, text.len + 2 * reserved);
	for (size_t i = 0; i < text.len; i++) {
		unsigned c = (unsigned char)text.p[i];

		if (is_unreserved(text.p[i])) {
			p[len++] = text.p[i];
			continue;
		}
		p[len++] = '%';
		p[len++] = digits[c >> 4];
		p[len++] = digits[c & 15];
	}
	return (struct fg_str){p, len};
}

static bool
is_decodable(struct fg_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] != '%')
			continue;
		if (text.len - i < 3 || fg_hex_value(text.p[i + 1]) < 0 || fg_hex_value(text.p[i + 2]) < 0 ||
		    (text.p[i + 1] == '0' && text.p[i + 2] == '0'))
			return false;
	}
	return true;
}

/*
 * Whether the text of a query decodes to that. Allocates nothing, for it is asked once a rule and parameter. What does
 * not decode stands for itself: it is forwarded so, too.
 */
static bool
decodes_to(struct fg_str text, struct fg_str wanted)
{
	size_t len = 0;

	if (text.len < wanted.len)
		return false; /* encoding never shortens */
	if (!is_decodable(text))
		return fg_str_eq(text, wanted);
	for (size_t i = 0; i < text.len; i++, len++) {
		char c = text.p[i] == '+' ? ' ' : text.p[i];

		if (c == '%') {
			c = (char)(fg_hex_value(text.p[i + 1]) * 16 + fg_hex_value(text.p[i + 2]));
			i += 2;
		}
		if (len == wanted.len || wanted.p[len] != c)
			return false;
	}
	return len == wanted.len;
}

/* The value as it is written. */
static bool
find_param(struct fg_str query, struct fg_str name, struct fg_str *value)
{
	struct fg_str pair;

	while (fg_str_next(&query, '&', &pair)) {
		size_t equals = fg_str_find(pair, '=');

		if (pair.len == 0 || !decodes_to(fg_str_slice(pair, 0, equals), name))
			continue;
		*value = fg_str_slice(pair, equals + 1, pair.len);
		return true;
	}
	return false;
}

bool
fg_query_get(struct fg_str query, struct fg_str name, struct fg_arena *arena, struct fg_str *value)
{
	struct fg_str text;

	if (!find_param(query, name, &text))
		return false;
	if (!fg_percent_decode(text, true, arena, value))
		*value = text;
	return true;
}

bool
fg_query_is(struct fg_str query, struct fg_str name, struct fg_str wanted)
{
	struct fg_str text;

	return find_param(query, name, &text) && decodes_to(text, wanted);
}

static bool
parse_port(struct fg_str text, unsigned *port)
{
	uint64_t number;

	*port = 0;
	if (text.len == 0)
		return true;
	if (!fg_str_to_u64(text, &number) || number == 0 || number > 65535)
		return false;
	*port = (unsigned)number;
	return true;
}

/*
 * Letters, digits, '-', '.', '_', '~', and no empty label. RFC 3986 would also allow percent-encoding and
 * sub-delimiters; no DNS name has them, and "a,b" is two Host headers that a web server has joined.
 */
static bool
is_reg_name(struct fg_str host)
{
	if (host.len == 0 || host.len > MAX_HOST_BYTES || host.p[0] == '.' || host.p[host.len - 1] == '.')
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (!is_unreserved(host.p[i]) || (host.p[i] == '.' && host.p[i - 1] == '.'))
			return false;
	return true;
}

static bool
has_upper(struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

enum fg_err
fg_host_parse(struct fg_str text, struct fg_arena *arena, struct fg_str *host, unsigned *port)
{
	bool is_literal = text.len > 0 && text.p[0] == '[';
	struct fg_str name, rest;
	struct fg_ip ip;
	size_t end;

	end = is_literal ? fg_str_find(text, ']') + 1 : fg_str_find(text, ':');
	if (end > text.len)
		return FG_ERR_HOST_INVALID;
	name = fg_str_slice(text, 0, end);
	rest = fg_str_slice(text, end, text.len);
	if (rest.len > 0 && rest.p[0] != ':')
		return FG_ERR_HOST_INVALID;
	if (!parse_port(fg_str_slice(rest, 1, rest.len), port))
		return FG_ERR_HOST_INVALID;
	if (!is_literal && name.len > 1 && name.p[name.len - 1] == '.')
		name.len--;
	if (is_literal ? !fg_ip_parse(&ip, name) : !is_reg_name(name))
		return FG_ERR_HOST_INVALID;
	*host = has_upper(name) ? fg_arena_lower(arena, name) : name;
	return FG_OK;
}
