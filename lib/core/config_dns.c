/* `dns`: how the names of services are resolved; see dns/dns.h. */
#include "core/config_internal.h"
#include "stats/stats.h"

#define SERVER_FORM "an address, or ADDRESS:PORT"

enum { DNS_PORT = 53 };

static void
parse_server(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_dns_server *server = out;
	struct fg_str text, host, port = FG_STR_NONE;
	uint64_t number = DNS_PORT;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	/* An IPv6 address alone needs no brackets. */
	if (fg_ip_parse(&server->ip, text)) {
		server->port = DNS_PORT;
		return;
	}
	if (!fg_host_port_split(text, &host, &port) || !fg_ip_parse(&server->ip, host) ||
	    (port.len > 0 && (!fg_str_to_u64(port, &number) || number < 1 || number > 65535))) {
		fg_conf_error(conf, node, "expected " SERVER_FORM ", found " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)));
		return;
	}
	server->port = (unsigned)number;
}

static void
check_ttl(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_dns_conf *dns = out;

	(void)key;
	if (dns->least > dns->most)
		fg_conf_error(conf, node, "least is longer than most");
}

void
fg_config_check_dns(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_conf_node *servers = fg_conf_get(node, "servers");

	(void)key;
	(void)out;
	if (servers != NULL && servers->kind == FG_CONF_NODE_LIST && servers->count == 0)
		fg_conf_error(conf, servers, "is empty; without servers: those of /etc/resolv.conf are asked");
}

/* A configuration that says how names are to be resolved is not run by a program that cannot do it. */
void
fg_config_prepare_dns(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	(void)key;
	(void)out;
	if (!fg_dns_is_built())
		fg_conf_error(conf, node, "this faregate was built without c-ares, and cannot resolve names by it; build it --with-cares");
}

static const struct fg_conf_key server_item = {"ADDRESS", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_dns_server), .parse = parse_server,
    .form = SERVER_FORM, .schema = "\"type\": \"string\"", .help = "of a server; the port is 53 unless it is said"};

static const struct fg_conf_key ttl_keys[] = {
    {"least", FG_CONF_DURATION, FG_CONF_AT(struct fg_dns_conf, least), .min = 100 * FG_US_PER_MS, .max = FG_CONF_MAX_DURATION,
	.preset = "1s", .help = "that an answer stands, even where it says less"},
    {"most", FG_CONF_DURATION, FG_CONF_AT(struct fg_dns_conf, most), .min = 100 * FG_US_PER_MS, .max = FG_CONF_MAX_DURATION,
	.preset = "5m", .help = "that an answer stands, even where it says more"},
    {NULL},
};

const struct fg_conf_key fg_config_dns_keys[] = {
    {"servers", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_dns_conf, servers, server_count, struct fg_dns_server),
	.flags = FG_CONF_OR_ONE, .max = FG_MAX_DNS_SERVERS, .item = &server_item, .shown_preset = "those of /etc/resolv.conf",
	.help = "who is asked; the next when one does not answer. /etc/hosts comes first"},
    {"ttl", FG_CONF_SECTION, FG_CONF_IN(struct fg_dns_conf), .keys = ttl_keys, .check = check_ttl,
	.help = "bounds of it; before it has passed a name in use is looked up again"},
    {"timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_dns_conf, timeout), .min = 50 * FG_US_PER_MS, .max = 60 * FG_US_PER_S,
	.preset = "2s", .help = "of a lookup, all servers and repetitions together; a request waits for its first one alone"},
    {"failed", FG_CONF_DURATION, FG_CONF_AT(struct fg_dns_conf, failed), .min = 100 * FG_US_PER_MS, .max = 3600 * (int64_t)FG_US_PER_S,
	.preset = "2s", .help = "how long a lookup that found nothing stands before another one"},
    {"stale", FG_CONF_DURATION, FG_CONF_AT(struct fg_dns_conf, stale), .min = 0, .max = FG_CONF_MAX_DURATION, .preset = "1h",
	.help = "how long behind their TTL addresses stay in use while the servers fail; not when they say that there is no such name"},
    {NULL},
};

static void
count_lookup(void *arg, enum fg_dns_outcome outcome, bool is_kept)
{
	fg_stats_add(arg, (enum fg_stats_counter)(FG_COUNT_DNS_FOUND + outcome), 1);
	if (is_kept)
		fg_stats_add(arg, FG_COUNT_DNS_KEPT, 1);
}

struct fg_dns *
fg_config_open_dns(const struct fg_config *config, struct fg_loop *loop, const struct fg_log *log, struct fg_stats *stats)
{
	const struct fg_dns_spec spec = {
	    .conf = &config->dns, .log = log, .count = stats == NULL ? NULL : count_lookup, .arg = stats};

	return fg_dns_new(loop, &spec);
}
