/* `services`: where a route's requests go, and how they are sent there. */
#include <errno.h>
#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/client.h"
#include "conf/suggest.h"
#include "core/config_internal.h"
#include "core/edit_keys.h"
#include "core/limit_policy.h"
#include "core/value_keys.h"
#include "service/targets.h"

#define ONE_DAY (INT64_C(86400) * FG_US_PER_S)
#define URL_FORM "http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH"
#define URL_SCHEMA "\"type\": \"string\", \"pattern\": \"^https?://[^/]+/?$|^unix:/|\\\\$\\\\{\""

/* ---- names of services and routes */

/* They are labels of metrics, fields of logs and words on command lines. */
void
fg_config_check_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;
	bool is_good = fg_ascii_is_alnum(name->p[0]);

	(void)key;
	for (size_t i = 0; i < name->len; i++)
		is_good &= fg_ascii_is_alnum(name->p[i]) || strchr("._-", name->p[i]) != NULL;
	if (!is_good)
		fg_conf_error(conf, node, FG_STR_FMT " is not a name; it is made of letters, digits and . _ - and begins with a letter or digit",
		    FG_STR_ARG(fg_conf_quote(conf, *name)));
}

/* ---- targets */

/* It is a label of metrics and a word in logs and on command lines. */
static void
parse_unix_url(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str text, struct fg_str *url)
{
	bool is_plain = true;

	for (size_t i = 0; i < text.len; i++)
		is_plain &= (unsigned char)text.p[i] > ' ' && text.p[i] != 0x7f;
	if (!is_plain || text.len < sizeof("unix:/x") - 1 || text.p[5] != '/')
		fg_conf_error(conf, node, "expected unix:/PATH, an absolute path without spaces, found " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, text)));
	else if (text.len - 5 >= sizeof(((struct sockaddr_un *)0)->sun_path))
		fg_conf_error(conf, node, "is longer than the path of a socket may be: %zu bytes, not more than %zu", text.len - 5,
		    sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	else
		*url = fg_arena_str(conf->arena, text);
}

static void
parse_url(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str *url = out, text, rest;
	size_t scheme, end;

	(void)key;
	if (!fg_conf_want_text(conf, node, URL_FORM, &text))
		return;
	if (fg_str_starts_with(text, FG_STR("unix:"))) {
		parse_unix_url(conf, node, text, url);
		return;
	}
	scheme = fg_str_starts_with(text, FG_STR("http://")) ? 7 : fg_str_starts_with(text, FG_STR("https://")) ? 8 : 0;
	rest = fg_str_slice(text, scheme, text.len);
	end = 0;
	while (end < rest.len && strchr("/?#", rest.p[end]) == NULL)
		end++;
	if (scheme == 0 || end == 0)
		fg_conf_error(conf, node, "expected " URL_FORM ", found " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)));
	else if (fg_str_find(fg_str_slice(rest, 0, end), '@') < end)
		fg_conf_error(conf, node, "a target's URL holds no credentials; set a header under request: headers:");
	else if (end < rest.len && !(end + 1 == rest.len && rest.p[end] == '/'))
		fg_conf_error(conf, node, "a target's URL ends with its host and port; what is before the path goes into the route's rewrite:");
	else
		*url = fg_arena_str(conf->arena, fg_str_slice(text, 0, scheme + end));
}

static void
parse_short_target(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	parse_url(conf, node, key, &((struct fg_target *)out)->url);
}

static const struct fg_conf_key target_keys[] = {
    {"url", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_target, url), .flags = FG_CONF_REQUIRED, .parse = parse_url,
	.form = URL_FORM, .schema = URL_SCHEMA, .help = "where it is, without a path; or a socket"},
    {"weight", FG_CONF_INT, FG_CONF_AT(struct fg_target, weight), .min = 1, .max = 1000, .preset = "1",
	.help = "its share of the requests, relative to the other targets"},
    {"max-connections", FG_CONF_INT, FG_CONF_AT(struct fg_target, max_connections), .min = 0, .max = 1000000, .word = "none",
	.word_value = 0, .preset = "none", .help = "requests in flight to it, of the whole pool; it gets no more"},
    {NULL},
};

static const struct fg_conf_key target_item = {"URL", FG_CONF_SECTION, FG_CONF_IN(struct fg_target), .keys = target_keys,
    .parse = parse_short_target, .form = URL_FORM, .schema = URL_SCHEMA, .help = "a URL alone is short for {url: URL}"};

/* The short form of a service: one target, all else by default. */
static void
parse_short_service(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_service *service = out;

	service->targets = FG_ARENA_NEW(conf->arena, struct fg_target);
	service->target_count = 1;
	service->targets[0].weight = 1;
	parse_url(conf, node, key, &service->targets[0].url);
}

/* ---- host */

static void
parse_host(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_service *service = out;
	struct fg_suggest suggest;
	struct fg_str text, host;
	unsigned port;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	service->host_mode = FG_HOST_NAME;
	service->host_name = fg_arena_str(conf->arena, text);
	if (fg_str_eq(text, FG_STR("preserve")))
		service->host_mode = FG_HOST_PRESERVE;
	if (fg_str_eq(text, FG_STR("target")))
		service->host_mode = FG_HOST_TARGET;
	if (service->host_mode != FG_HOST_NAME) {
		service->host_name = FG_STR_NONE;
		return;
	}
	fg_suggest_init(&suggest, text);
	fg_suggest_offer(&suggest, FG_STR("preserve"));
	fg_suggest_offer(&suggest, FG_STR("target"));
	/* "preserv" could be a host's name, but that is not what anybody means by it. */
	if (suggest.best.len > 0 || fg_host_parse(text, conf->arena, &host, &port) != FG_OK)
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT FG_STR_FMT, key->form,
		    FG_STR_ARG(fg_conf_quote(conf, text)), FG_STR_ARG(fg_suggest_format(&suggest, &conf->scratch)));
}

/* ---- TLS */

/* Read once now, so that what is missing is said when the configuration is checked and not when a request fails. */
void
fg_config_check_file(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str *path = out;
	const char *why;
	int fd;

	(void)key;
	*path = fg_conf_resolve(conf, node, *path);
	fd = fg_conf_open_regular(path->p, &why);
	if (fd < 0)
		fg_conf_error(conf, node, FG_STR_FMT " cannot be read: %s", FG_STR_ARG(*path), why);
	else
		close(fd);
}

static void
check_tls_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;
	struct fg_str host;
	unsigned port;

	(void)key;
	if (fg_host_parse(*name, &conf->scratch, &host, &port) != FG_OK || port != 0 || host.p[0] == '[')
		fg_conf_error(conf, node, FG_STR_FMT " is not a host name", FG_STR_ARG(fg_conf_quote(conf, *name)));
}

static void
check_tls(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_conf_node *certificate = fg_conf_get(node, "certificate"), *private_key = fg_conf_get(node, "key");

	(void)key;
	(void)out;
	if (certificate != NULL && private_key == NULL)
		fg_conf_error(conf, certificate, "is of no use without its key; add key: FILE");
	if (certificate == NULL && private_key != NULL)
		fg_conf_error(conf, private_key, "is of no use without its certificate; add certificate: FILE");
}

static const struct fg_conf_key tls_keys[] = {
    {"ca", FG_CONF_STRING, FG_CONF_AT(struct fg_service, tls_ca), .check = fg_config_check_file, .form = "a file",
	.shown_preset = "the system's", .help = "certificates (PEM) that the service's may be signed by"},
    {"certificate", FG_CONF_STRING, FG_CONF_AT(struct fg_service, tls_certificate), .check = fg_config_check_file,
	.form = "a file", .help = "our own certificate (PEM), for services that ask for one"},
    {"key", FG_CONF_STRING, FG_CONF_AT(struct fg_service, tls_key), .check = fg_config_check_file, .form = "a file",
	.help = "the private key of that certificate (PEM)"},
    {"name", FG_CONF_STRING, FG_CONF_AT(struct fg_service, tls_name), .max = 253, .check = check_tls_name,
	.form = "a host name", .shown_preset = "the URL's host", .help = "the name asked for (SNI) and verified"},
    {"verify", FG_CONF_BOOL, FG_CONF_AT(struct fg_service, tls_verify), .preset = "true",
	.help = "false accepts any certificate: whoever is in between reads and changes everything"},
    {NULL},
};

/* ---- the service */

static void
prepare_service(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_config_draft *draft = conf->arg;
	struct fg_service *service = out;

	(void)key;
	service->index = (unsigned)(service - draft->services);
	draft->mistakes = conf->mistake_count;
	fg_names_add(&draft->service_names, node->name->text, service);
}

static void
make_endpoint(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_service *service, struct fg_target *target)
{
	const struct fg_config_draft *draft = conf->arg;
	struct fg_endpoint_spec spec = {
	    .url = target->url,
	    .version = service->http2 ? FG_HTTP_2 : FG_HTTP_1_1,
	    .connect_timeout = service->connect_timeout,
	    .verify = service->tls_verify,
	    .tls_name = service->tls_name,
	    .ca_file = service->tls_ca.len > 0 ? service->tls_ca.p : NULL,
	    .cert_file = service->tls_certificate.len > 0 ? service->tls_certificate.p : NULL,
	    .key_file = service->tls_key.len > 0 ? service->tls_key.p : NULL,
	};
	struct fg_endpoint *endpoint;

	/* Where something else is wrong, only the URL is looked at. */
	if (conf->mistake_count != draft->mistakes)
		spec = (struct fg_endpoint_spec){.url = target->url, .connect_timeout = FG_US_PER_S, .verify = true};
	if (fg_endpoint_new(&endpoint, &spec, conf->arena) == FG_OK)
		target->endpoint = endpoint;
	else
		fg_conf_error(conf, node, FG_STR_FMT " is not the URL of a target; write " URL_FORM,
		    FG_STR_ARG(fg_conf_quote(conf, target->url)));
}

/* node: the element of `targets`, or the service itself in its short form. */
static void
finish_target(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_service *service, struct fg_target *target)
{
	const struct fg_conf_node *url = fg_conf_get(node, "url");

	target->service = service;
	target->state = FG_ARENA_NEW(conf->arena, struct fg_target_state);
	target->number = -1;
	target->index = (unsigned)(target - service->targets);
	if (target->url.len == 0)
		return; /* what is wrong with it was said */
	target->url_hash = fg_service_hash_url(target->url);
	if (fg_str_starts_with(target->url, FG_STR("unix:")))
		target->authority = FG_STR("localhost");
	else
		target->authority = fg_str_slice(target->url, fg_str_find(target->url, ':') + 3, target->url.len);
	make_endpoint(conf, url == NULL ? node : url, service, target);
	for (size_t i = 0; i < target->index; i++)
		if (fg_str_eq(service->targets[i].url, target->url))
			fg_conf_error(conf, node, FG_STR_FMT " is there twice; give it a weight instead", FG_STR_ARG(target->url));
}

static void
check_service(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_service *service = out;
	const struct fg_conf_node *targets = fg_conf_get(node, "targets"), *item = targets;

	(void)key;
	service->state = FG_ARENA_NEW(conf->arena, struct fg_target_state);
	service->number = -1;
	if (targets == NULL)
		item = node;
	else if (targets->kind == FG_CONF_NODE_LIST)
		item = targets->first;
	if (targets != NULL && targets->kind == FG_CONF_NODE_LIST && targets->count == 0)
		fg_conf_error(conf, targets, "is empty; at least one URL is needed");
	for (size_t i = 0; i < service->target_count; i++, item = item->next)
		finish_target(conf, item, service, &service->targets[i]);
	fg_config_set_traffic_presets(service);
	fg_config_set_budget(conf, node, service);
	fg_config_check_hedge_time(conf, node, service);
	if (service->http2 && !fg_client_has_http2())
		fg_conf_error(conf, fg_conf_get(node, "http2"), "this program was built with a libcurl without HTTP/2 (faregate version)");
}

static const struct fg_conf_key service_keys[] = {
    {"targets", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_service, targets, target_count, struct fg_target),
	.flags = FG_CONF_REQUIRED | FG_CONF_OR_ONE, .max = FG_SERVICE_MOST_TARGETS, .item = &target_item,
	.help = "what runs it"},
    {"balance", FG_CONF_ENUM, FG_CONF_AT(struct fg_service, balance), .choices = fg_config_balances, .preset = "round-robin",
	.help = "which target: each in turn by weight; the idler of two drawn by weight; or always the same for the same hash-by"},
    {"hash-by", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_service, hash_by, hash_by_count, struct fg_var), .flags = FG_CONF_OR_ONE,
	.max = 8, .item = &fg_limit_by_item, .shown_preset = "ip", .help = "request variables; ip stands in for one that is absent"},
    {"slow-start", FG_CONF_DURATION, FG_CONF_AT(struct fg_service, slow_start), .min = 0, .max = ONE_DAY, .preset = "0",
	.help = "over this time a target that came back is given more and more, up to its weight"},
    {"retry", FG_CONF_SECTION, FG_CONF_OWN(struct fg_service, retry, struct fg_service_retry), .keys = fg_config_retry_keys,
	.check = fg_config_check_retry, .help = "requests that failed are sent again; without it none is"},
    {"hedge", FG_CONF_SECTION, FG_CONF_OWN(struct fg_service, hedge, struct fg_service_hedge), .keys = fg_config_hedge_keys,
	.parse = fg_config_parse_hedge, .check = fg_config_check_hedge, .form = "p50 to p99, a time", .schema = "\"type\": \"string\"",
	.help = "a slow GET, HEAD or OPTIONS is sent a second time, and the first answer taken; without it none is"},
    {"breaker", FG_CONF_SECTION, FG_CONF_OWN(struct fg_service, breaker, struct fg_service_breaker),
	.keys = fg_config_breaker_keys, .check = fg_config_check_breaker,
	.help = "a target that fails is left alone for a while; when all are, 503 breaker_open"},
    {"service-breaker", FG_CONF_SECTION, FG_CONF_OWN(struct fg_service, service_breaker, struct fg_service_breaker),
	.keys = fg_config_breaker_keys, .check = fg_config_check_breaker,
	.help = "the same of all targets together: while it is open, none gets a request, 503 breaker_open"},
    {"health", FG_CONF_SECTION, FG_CONF_OWN(struct fg_service, health, struct fg_service_health),
	.keys = fg_config_health_keys, .help = "targets are asked how they are; those that are down get no requests"},
    {"max-in-flight", FG_CONF_SECTION, FG_CONF_AT(struct fg_service, admission), .keys = fg_config_admission_keys,
	.parse = fg_config_parse_admission, .check = fg_config_check_admission, .form = "a number",
	.schema = "\"type\": [\"integer\", \"string\"]",
	.help = "how many requests it is given at a time; more wait for a place, then 503 overloaded"},
    {"respond", FG_CONF_SECTION, FG_CONF_OWN(struct fg_service, respond, struct fg_respond), .keys = fg_config_respond_keys,
	.check = fg_config_check_respond, .help = "a fixed answer to all its requests, for as long as it stands here: maintenance"},
    {"connect-timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_service, connect_timeout), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "1s", .help = "until the connection is there, TLS included; then 504 service_connect_timeout"},
    {"response-timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_service, response_timeout), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "30s", .help = "from the request sent until the response's headers; then 504 service_timeout"},
    {"idle-timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_service, idle_timeout), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "60s", .help = "between two bytes, either way; then service_idle_timeout"},
    {"deadline-header", FG_CONF_STRING, FG_CONF_AT(struct fg_service, deadline_header), .max = 64,
	.check = fg_edit_check_header_name, .form = "a header name", .shown_preset = "none",
	.help = "tells the service how many milliseconds of the route's timeout are left; a client's own is removed"},
    {"host", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_service), .parse = parse_host, .preset = "preserve",
	.form = "preserve, target or a host name", .schema = "\"type\": \"string\"",
	.help = "the Host that the service sees: the client's, the target's, or that name"},
    {"http2", FG_CONF_BOOL, FG_CONF_AT(struct fg_service, http2), .preset = "false",
	.help = "HTTP/2: over TLS if the service agrees, else with prior knowledge"},
    {"tls", FG_CONF_SECTION, FG_CONF_IN(struct fg_service), .keys = tls_keys, .check = check_tls,
	.help = "how https:// targets are trusted; by default their certificate and name are verified"},
    {NULL},
};

const struct fg_conf_key fg_config_service_name = {"SERVICE", FG_CONF_STRING, FG_CONF_AT(struct fg_service, name),
    .max = FG_CONFIG_MAX_NAME, .check = fg_config_check_name, .form = "a name",
    .schema = FG_CONFIG_NAME_SCHEMA};
const struct fg_conf_key fg_config_service_item = {"URL", FG_CONF_SECTION, FG_CONF_IN(struct fg_service),
    .keys = service_keys, .prepare = prepare_service, .parse = parse_short_service, .check = check_service,
    .form = URL_FORM, .schema = URL_SCHEMA, .help = "a URL alone is short for {targets: [URL]}"};
