/*
 * Between dns.c, which remembers what is known of names, and lookup.c, which asks for it.
 */
#ifndef FG_DNS_INTERNAL_H
#define FG_DNS_INTERNAL_H

#include "dns/dns.h"

struct fg_resolver;

/* What one lookup brought. */
struct fg_dns_answer {
	enum fg_dns_outcome outcome;
	bool is_final; /* NOT_FOUND: by the word of who has to know; there is no such name */
	fg_usec ttl;   /* FOUND: the least of all records; 0 for those of /etc/hosts */
	size_t count;
	struct fg_ip ips[FG_MAX_DNS_ADDRESSES];
};

/* Once for each fg_resolver_ask(), maybe within it; not when the resolver is freed before. */
typedef void fg_resolver_fn(void *arg, const struct fg_dns_answer *answer);

/* Never NULL. conf is borrowed. */
struct fg_resolver *fg_resolver_new(struct fg_loop *loop, const struct fg_dns_conf *conf, const struct fg_log *log);
void fg_resolver_free(struct fg_resolver *resolver);
/*
 * Asks for the addresses of both families; host is copied. known: those that are in use; borrowed until the answer. Where there
 * are more than FG_MAX_DNS_ADDRESSES, they are not left out.
 */
void fg_resolver_ask(struct fg_resolver *resolver, const char *host, const struct fg_dns_set *known, fg_resolver_fn *fn, void *arg);

#endif
