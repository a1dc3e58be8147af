/*
 * Addresses and networks (CIDR). IPv4 is kept as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2), so that one comparison does
 * for both and "::ffff:10.0.0.1" is 10.0.0.1.
 */
#ifndef FG_BASE_IP_H
#define FG_BASE_IP_H

#include "base/str.h"

struct fg_ip {
	uint8_t bytes[16];
};

struct fg_cidr {
	struct fg_ip ip;
	unsigned bits; /* 0..128, of the mapped form */
};

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; no port, no zone. False when it is none of these. */
bool fg_ip_parse(struct fg_ip *out, struct fg_str text);
/* "10.0.0.0/8", "::1". False too when bits behind the mask are set: "10.0.0.1/8" is a mistake. */
bool fg_cidr_parse(struct fg_cidr *out, struct fg_str text);
bool fg_cidr_contains(const struct fg_cidr *net, const struct fg_ip *ip);
/* Canonical text (RFC 5952); buf takes 64 bytes. */
struct fg_str fg_ip_format(const struct fg_ip *ip, char *buf);

/* Letters, digits, '-' (not first: for libcurl that is a command), '.', '_', at most 253 (RFC 1035 §2.3.4); an IPv4 address too. */
bool fg_is_host_name(struct fg_str s);
/* "127.0.0.1:4000", "[::1]", "name:80"; brackets stay; *port is left as it is when there is none. False: none of these. */
bool fg_host_port_split(struct fg_str s, struct fg_str *host, struct fg_str *port);

#endif
