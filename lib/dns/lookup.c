/*
 * c-ares on the loop: its descriptors are watched, its timeouts are a timer of ours, its answers are told in our terms.
 *
 * A lookup asks for A and AAAA at the same time, search domains of /etc/resolv.conf and /etc/hosts included, and has its answer
 * once both have come. One family that fails while the other is there is an answer.
 */
#include <config.h>

#ifdef FG_CARES
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "dns/dns_internal.h"

enum { TRIES = 2, LEAST_TRY_MS = 50 };

#define RESOLV_CONF "/etc/resolv.conf"

/* A descriptor of c-ares; kept for the next one when it is closed. */
struct wire {
	struct fg_io io;
	struct fg_resolver *resolver;
	struct wire *next;
	int fd; /* -1: closed */
};

struct fg_resolver {
	struct fg_loop *loop; /* borrowed */
	const struct fg_dns_conf *conf;
	const struct fg_log *log;
	ares_channel channel; /* NULL: c-ares could not be started; asked again with the next question */
	struct stat system;   /* RESOLV_CONF as it was when the channel was made */
	struct wire *wires;
	struct fg_timer timer;
	size_t open;  /* questions on their way */
	bool is_closing;
};

struct question {
	struct fg_resolver *resolver;
	const struct fg_dns_set *known;
	fg_resolver_fn *fn;
	void *arg;
};

/* ---- descriptors and the timer */

/* c-ares says for how long it may be left alone. */
static void
arm(struct fg_resolver *resolver)
{
	struct timeval tv;

	if (resolver->channel == NULL || ares_timeout(resolver->channel, NULL, &tv) == NULL)
		fg_timer_stop(&resolver->timer);
	else /* It looks at whole milliseconds: one more, so as not to ask in vain. */
		fg_timer_start(&resolver->timer, (fg_usec)tv.tv_sec * FG_US_PER_S + tv.tv_usec + FG_US_PER_MS);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct fg_resolver *resolver = arg;

	(void)timer;
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(resolver);
}

static void
on_io(struct fg_io *io, unsigned ready, void *arg)
{
	struct wire *wire = arg;
	struct fg_resolver *resolver = wire->resolver;

	(void)io;
	ares_process_fd(resolver->channel, ready & FG_IO_READ ? wire->fd : ARES_SOCKET_BAD,
	    ready & FG_IO_WRITE ? wire->fd : ARES_SOCKET_BAD);
	arm(resolver);
}

static struct wire *
find_wire(struct fg_resolver *resolver, int fd)
{
	struct wire *wire = resolver->wires;

	while (wire != NULL && wire->fd != fd)
		wire = wire->next;
	return wire;
}

static struct wire *
take_wire(struct fg_resolver *resolver, int fd)
{
	struct wire *wire = find_wire(resolver, fd);

	if (wire == NULL)
		wire = find_wire(resolver, -1);
	if (wire == NULL) {
		wire = calloc(1, sizeof(*wire));
		FG_ASSERT(wire != NULL);
		wire->resolver = resolver;
		wire->next = resolver->wires;
		resolver->wires = wire;
		fg_io_init(&wire->io, resolver->loop, on_io, wire);
	}
	wire->fd = fd;
	return wire;
}

/* Neither: c-ares is about to close it. */
static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct fg_resolver *resolver = arg;
	struct wire *wire = readable || writable ? take_wire(resolver, fd) : find_wire(resolver, fd);

	if (wire == NULL)
		return;
	fg_io_watch(&wire->io, fd, (readable ? FG_IO_READ : 0u) | (writable ? FG_IO_WRITE : 0u));
	if (!readable && !writable)
		wire->fd = -1;
}

/* ---- the channel */

/* It tries each server, then each again for twice as long, and all of it has to end within the timeout of a lookup. */
static int
try_milliseconds(const struct fg_resolver *resolver, int servers)
{
	fg_usec most = resolver->conf->timeout / FG_US_PER_MS * 9 / 10 / (3 * (servers > 0 ? servers : 1));

	return most > LEAST_TRY_MS ? (int)most : LEAST_TRY_MS;
}

static int
init_channel(struct fg_resolver *resolver, int servers)
{
	struct ares_options options = {.timeout = try_milliseconds(resolver, servers), .tries = TRIES, .sock_state_cb = on_socket,
	    .sock_state_cb_data = resolver};

	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* none: what stands for how long is decided in dns.c */
#endif
	return ares_init_options(&resolver->channel, &options, mask);
}

static int
count_servers(ares_channel channel)
{
	struct ares_addr_port_node *servers = NULL;
	int count = 0;

	if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS)
		return 1;
	for (const struct ares_addr_port_node *server = servers; server != NULL; server = server->next)
		count++;
	ares_free_data(servers);
	return count;
}

static int
set_servers(struct fg_resolver *resolver)
{
	const struct fg_dns_conf *conf = resolver->conf;
	struct fg_buf csv;
	char text[64];
	int code;

	fg_buf_init(&csv, FG_MAX_DNS_SERVERS * 80);
	for (size_t i = 0; i < conf->server_count; i++) {
		struct fg_str ip = fg_ip_format(&conf->servers[i].ip, text);
		bool v6 = fg_str_find(ip, ':') < ip.len;

		FG_ASSERT(fg_buf_printf(&csv, v6 ? "%s[" FG_STR_FMT "]:%u" : "%s" FG_STR_FMT ":%u", i == 0 ? "" : ",", FG_STR_ARG(ip),
		    conf->servers[i].port));
	}
	FG_ASSERT(fg_buf_add_char(&csv, '\0'));
	code = ares_set_servers_ports_csv(resolver->channel, csv.p);
	fg_buf_fini(&csv);
	return code;
}

static void
open_channel(struct fg_resolver *resolver)
{
	int servers = resolver->conf->server_count > 0 ? (int)resolver->conf->server_count : 1, code;

	if (stat(RESOLV_CONF, &resolver->system) != 0)
		memset(&resolver->system, 0, sizeof(resolver->system));
	code = init_channel(resolver, servers);
	if (code == ARES_SUCCESS && resolver->conf->server_count > 0) {
		code = set_servers(resolver);
	} else if (code == ARES_SUCCESS && count_servers(resolver->channel) > servers) {
		servers = count_servers(resolver->channel);
		ares_destroy(resolver->channel);
		code = init_channel(resolver, servers);
	}
	if (code == ARES_SUCCESS)
		return;
	if (resolver->channel != NULL)
		ares_destroy(resolver->channel);
	resolver->channel = NULL;
	FG_LOG(resolver->log, ERROR, "dns", "the resolver cannot be started", FG_F_CSTR("because", ares_strerror(code)));
}

/* Written anew since: by DHCP, or at last, for a machine that is starting. */
static bool
is_outdated(const struct fg_resolver *resolver)
{
	struct stat now;

	if (stat(RESOLV_CONF, &now) != 0)
		return false;
	return now.st_ino != resolver->system.st_ino || now.st_size != resolver->system.st_size ||
	    now.st_mtim.tv_sec != resolver->system.st_mtim.tv_sec || now.st_mtim.tv_nsec != resolver->system.st_mtim.tv_nsec;
}

struct fg_resolver *
fg_resolver_new(struct fg_loop *loop, const struct fg_dns_conf *conf, const struct fg_log *log)
{
	struct fg_resolver *resolver = calloc(1, sizeof(*resolver));

	FG_ASSERT(resolver != NULL);
	resolver->loop = loop;
	resolver->conf = conf;
	resolver->log = log;
	fg_timer_init(&resolver->timer, loop, on_timer, resolver);
	open_channel(resolver);
	return resolver;
}

void
fg_resolver_free(struct fg_resolver *resolver)
{
	resolver->is_closing = true;
	if (resolver->channel != NULL)
		ares_destroy(resolver->channel);
	fg_timer_stop(&resolver->timer);
	while (resolver->wires != NULL) {
		struct wire *wire = resolver->wires;

		resolver->wires = wire->next;
		fg_io_stop(&wire->io);
		free(wire);
	}
	free(resolver);
}

/* ---- questions */

static bool
read_address(struct fg_ip *ip, const struct sockaddr *address)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	*ip = (struct fg_ip){.bytes = {[10] = 0xff, [11] = 0xff}};
	if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof(v4));
		memcpy(ip->bytes + 12, &v4.sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		memcpy(&v6, address, sizeof(v6));
		memcpy(ip->bytes, &v6.sin6_addr, 16);
	} else {
		return false;
	}
	return true;
}

static bool
has(const struct fg_dns_answer *answer, const struct fg_ip *ip)
{
	for (size_t i = 0; i < answer->count; i++)
		if (memcmp(&answer->ips[i], ip, sizeof(*ip)) == 0)
			return true;
	return false;
}

/* How many of those that are known are there still. */
static size_t
count_known(const struct ares_addrinfo *found, const struct fg_dns_set *known)
{
	bool is_there[FG_MAX_DNS_ADDRESSES] = {false};
	size_t count = 0;
	struct fg_ip ip;

	for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next)
		for (size_t i = 0; i < known->count && read_address(&ip, node->ai_addr); i++)
			is_there[i] |= memcmp(&known->ips[i], &ip, sizeof(ip)) == 0;
	for (size_t i = 0; i < known->count; i++)
		count += is_there[i];
	return count;
}

/*
 * Where there are more than may be had, those that are known have their places: servers shuffle, and with other addresses in each
 * answer connections would be left that are as good as new ones.
 */
static void
read_answer(struct fg_dns_answer *answer, const struct ares_addrinfo *found, const struct fg_dns_set *known)
{
	size_t room = FG_MAX_DNS_ADDRESSES - count_known(found, known);
	int ttl = INT32_MAX;
	struct fg_ip ip;

	for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
		ttl = node->ai_ttl < ttl ? node->ai_ttl : ttl;
		if (!read_address(&ip, node->ai_addr) || has(answer, &ip))
			continue;
		if (fg_dns_set_has(known, &ip) || room > 0)
			answer->ips[answer->count++] = ip;
		if (!fg_dns_set_has(known, &ip) && room > 0)
			room--;
	}
	for (const struct ares_addrinfo_cname *name = found->cnames; name != NULL; name = name->next)
		ttl = name->ttl < ttl ? name->ttl : ttl;
	answer->ttl = ttl < 0 ? 0 : (fg_usec)ttl * FG_US_PER_S;
	answer->outcome = answer->count > 0 ? FG_DNS_FOUND : FG_DNS_NOT_FOUND;
}

static enum fg_dns_outcome
outcome_of(int code)
{
	switch (code) {
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
	case ARES_ENONAME:
		return FG_DNS_NOT_FOUND;
	case ARES_ETIMEOUT:
		return FG_DNS_TIMED_OUT;
	default:
		return FG_DNS_FAILED;
	}
}

static void
on_answer(void *arg, int code, int timeouts, struct ares_addrinfo *found)
{
	struct question *question = arg;
	struct fg_resolver *resolver = question->resolver;
	/* That one family has nothing says little where the other's question was lost: which of both it was is not told. */
	struct fg_dns_answer answer = {.outcome = outcome_of(code), .is_final = code == ARES_ENOTFOUND};

	(void)timeouts;
	if (code == ARES_SUCCESS)
		read_answer(&answer, found, question->known);
	if (found != NULL)
		ares_freeaddrinfo(found);
	resolver->open--;
	if (!resolver->is_closing)
		question->fn(question->arg, &answer);
	free(question);
}

void
fg_resolver_ask(struct fg_resolver *resolver, const char *host, const struct fg_dns_set *known, fg_resolver_fn *fn, void *arg)
{
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	const struct fg_dns_answer none = {.outcome = FG_DNS_FAILED};
	struct question *question;

	/* With questions on their way it waits for a moment without any: each of them has an end. */
	if (resolver->channel != NULL && resolver->open == 0 && resolver->conf->server_count == 0 && is_outdated(resolver)) {
		ares_destroy(resolver->channel);
		resolver->channel = NULL;
	}
	if (resolver->channel == NULL)
		open_channel(resolver);
	if (resolver->channel == NULL) {
		fn(arg, &none);
		return;
	}
	question = calloc(1, sizeof(*question));
	FG_ASSERT(question != NULL);
	*question = (struct question){.resolver = resolver, .known = known, .fn = fn, .arg = arg};
	resolver->open++;
	ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_answer, question);
	arm(resolver);
}

#endif
