/* Parsing and matching of addresses; all of them as 16 bytes. */
#include "base/ip.h"

#include <arpa/inet.h>

#include "base/assert.h"

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool
is_mapped(const struct fg_ip *ip)
{
	return memcmp(ip->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

bool
fg_ip_parse(struct fg_ip *out, struct fg_str text)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= 2 && text.p[0] == '[' && text.p[text.len - 1] == ']') {
		text = fg_str_slice(text, 1, text.len - 1);
		if (fg_str_find(text, ':') == text.len)
			return false;
	}
	if (text.len == 0 || text.len >= sizeof(copy) || fg_str_find(text, '\0') < text.len)
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET6, copy, out->bytes) == 1)
		return true;
	memcpy(out->bytes, mapped_prefix, sizeof(mapped_prefix));
	return inet_pton(AF_INET, copy, out->bytes + sizeof(mapped_prefix)) == 1;
}

static bool
has_host_bits(const struct fg_cidr *net)
{
	for (unsigned bit = net->bits; bit < 128; bit++)
		if (net->ip.bytes[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

bool
fg_cidr_parse(struct fg_cidr *out, struct fg_str text)
{
	size_t slash = fg_str_find(text, '/');
	struct fg_str address = fg_str_slice(text, 0, slash);
	bool is_v4 = fg_str_find(address, ':') == address.len;
	uint64_t bits = is_v4 ? 32 : 128;

	if (!fg_ip_parse(&out->ip, address))
		return false;
	if (slash < text.len) {
		uint64_t given;

		if (!fg_str_to_u64(fg_str_slice(text, slash + 1, text.len), &given) || given > bits)
			return false;
		bits = given;
	}
	out->bits = (unsigned)bits + (is_v4 ? 96 : 0);
	return !has_host_bits(out);
}

bool
fg_cidr_contains(const struct fg_cidr *net, const struct fg_ip *ip)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(net->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return rest == 0 || ((net->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

struct fg_str
fg_ip_format(const struct fg_ip *ip, char *buf)
{
	const char *text = is_mapped(ip) ? inet_ntop(AF_INET, ip->bytes + sizeof(mapped_prefix), buf, 64)
					 : inet_ntop(AF_INET6, ip->bytes, buf, 64);

	FG_ASSERT(text != NULL);
	return fg_str_from(text);
}

bool
fg_is_host_name(struct fg_str s)
{
	if (s.len == 0 || s.len > 253 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!fg_ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_')
			return false;
	return true;
}

static bool
is_port(struct fg_str s)
{
	uint64_t port;

	return s.len <= 5 && fg_str_to_u64(s, &port) && port >= 1 && port <= 65535;
}

bool
fg_host_port_split(struct fg_str s, struct fg_str *host, struct fg_str *port)
{
	size_t end;
	struct fg_ip ip;

	if (s.len > 0 && s.p[0] == '[') {
		end = fg_str_find(s, ']');
		if (end == s.len)
			return false;
		end++;
		*host = fg_str_slice(s, 0, end);
		if (!fg_ip_parse(&ip, *host))
			return false;
	} else {
		end = fg_str_find(s, ':');
		*host = fg_str_slice(s, 0, end);
		if (!fg_is_host_name(*host))
			return false;
	}
	if (end == s.len)
		return true;
	*port = fg_str_slice(s, end + 1, s.len);
	return s.p[end] == ':' && is_port(*port);
}
