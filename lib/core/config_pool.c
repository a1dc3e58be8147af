/* What the configuration says about the process: where it listens, who it is, what it logs, who may see its pages. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/un.h>

#include "conf/suggest.h"
#include "core/config_internal.h"
#include "core/value_keys.h"

enum { MAX_UNIX_PATH = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 };

void
fg_config_check_absolute(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *path = out;

	(void)key;
	if (path->p[0] != '/')
		fg_conf_error(conf, node, FG_STR_FMT " is not an absolute path; it begins with /",
		    FG_STR_ARG(fg_conf_quote(conf, *path)));
}

void
fg_config_check_user(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *user = out;

	(void)key;
	if (getpwnam(user->p) == NULL)
		fg_conf_error(conf, node, "this system has no user " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, *user)));
}

static void
check_group(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *group = out;

	(void)key;
	if (getgrnam(group->p) == NULL)
		fg_conf_error(conf, node, "this system has no group " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, *group)));
}

/* ---- listen */

#define LISTEN_FORM "unix:/PATH or tcp:ADDRESS:PORT"
#define LISTEN_SCHEMA "\"type\": \"string\", \"pattern\": \"^(unix:/.|tcp:.+:[0-9]+$)|\\\\$\\\\{\""

/* "127.0.0.1:9000", "[::1]:9000". */
static bool
parse_tcp(struct fg_conf *conf, struct fg_listen *listen, struct fg_str text)
{
	size_t colon = text.len;
	struct fg_ip ip;
	struct fg_str host;
	uint64_t port;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !fg_str_to_u64(fg_str_slice(text, colon, text.len), &port) || port < 1 || port > 65535)
		return false;
	host = fg_str_slice(text, 0, colon - 1);
	if (!fg_ip_parse(&ip, host) || (host.p[0] != '[' && fg_str_find(host, ':') < host.len))
		return false;
	if (host.p[0] == '[')
		host = fg_str_slice(host, 1, host.len - 1);
	listen->host = fg_arena_str(conf->arena, host);
	listen->port = (unsigned)port;
	return true;
}

static void
parse_address(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_listen *listen = out;
	struct fg_str text, path;

	(void)key;
	if (!fg_conf_want_text(conf, node, LISTEN_FORM, &text))
		return;
	listen->text = fg_arena_str(conf->arena, text);
	if (fg_str_starts_with(text, FG_STR("unix:"))) {
		path = fg_str_slice(text, 5, text.len);
		listen->is_unix = true;
		listen->path = fg_arena_str(conf->arena, path);
		if (path.len == 0 || path.p[0] != '/')
			fg_conf_error(conf, node, FG_STR_FMT " has no absolute path; write unix:/PATH",
			    FG_STR_ARG(fg_conf_quote(conf, text)));
		else if (path.p[path.len - 1] == '/')
			fg_conf_error(conf, node, FG_STR_FMT " is a folder; write the socket's own name behind it",
			    FG_STR_ARG(fg_conf_quote(conf, text)));
		else if (path.len > MAX_UNIX_PATH)
			fg_conf_error(conf, node, "the path of a socket has at most %d bytes, this one %zu", MAX_UNIX_PATH, path.len);
	} else if (!fg_str_starts_with(text, FG_STR("tcp:"))) {
		fg_conf_error(conf, node, "expected " LISTEN_FORM ", found " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)));
	} else if (!parse_tcp(conf, listen, fg_str_slice(text, 4, text.len))) {
		fg_conf_error(conf, node,
		    FG_STR_FMT " is not a numeric address and a port; write tcp:127.0.0.1:9000 or tcp:[::1]:9000",
		    FG_STR_ARG(fg_conf_quote(conf, text)));
	}
}

static void
parse_mode(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;
	mode_t mode = 0;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)(text.p[i] - '0');

		if (digit > 7 || text.len < 3 || text.len > 4 || (text.len == 4 && text.p[0] != '0')) {
			fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT, key->form,
			    FG_STR_ARG(fg_conf_quote(conf, text)));
			return;
		}
		mode = mode * 8 + digit;
	}
	*(mode_t *)out = mode;
}

static void
check_listen(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const char *const unix_keys[] = {"mode", "group"};
	const struct fg_listen *listen = out;

	(void)key;
	for (size_t i = 0; i < FG_ARRAY_LEN(unix_keys); i++)
		if (listen->port != 0 && fg_conf_get(node, unix_keys[i]) != NULL)
			fg_conf_error(conf, fg_conf_get(node, unix_keys[i]),
			    "a TCP address has no %s; that is for unix: sockets", unix_keys[i]);
}

void
fg_config_check_listens(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_listen *listen = *(const struct fg_listen *const *)out;
	const struct fg_conf_node *item = node->kind == FG_CONF_NODE_LIST ? node->first : node;
	struct fg_names seen;

	(void)key;
	fg_names_init(&seen, &conf->scratch);
	if (node->kind == FG_CONF_NODE_LIST && node->count == 0)
		fg_conf_error(conf, node, "is empty; at least one address is needed");
	for (; item != NULL; item = node->kind == FG_CONF_NODE_LIST ? item->next : NULL, listen++)
		if (fg_names_add(&seen, listen->text, conf) != NULL)
			fg_conf_error(conf, item, FG_STR_FMT " is there twice", FG_STR_ARG(listen->text));
}

static const struct fg_conf_key listen_keys[] = {
    {"address", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_listen), .flags = FG_CONF_REQUIRED, .parse = parse_address,
	.form = LISTEN_FORM, .schema = LISTEN_SCHEMA, .help = "where the web server connects; a TCP address is open to all who reach it"},
    {"mode", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_listen, mode), .parse = parse_mode, .preset = "0660",
	.form = "three octal digits, as in 0660", .schema = "\"type\": [\"string\", \"integer\"]",
	.help = "who may connect to a unix socket"},
    {"group", FG_CONF_STRING, FG_CONF_AT(struct fg_listen, group), .max = 32, .check = check_group,
	.shown_preset = "the process's own", .help = "the group a unix socket belongs to; usually the web server's"},
    {NULL},
};

const struct fg_conf_key fg_config_listen_item = {"ADDRESS", FG_CONF_SECTION, FG_CONF_IN(struct fg_listen),
    .keys = listen_keys, .parse = parse_address, .check = check_listen, .form = LISTEN_FORM, .schema = LISTEN_SCHEMA,
    .help = "an address alone is short for {address: ADDRESS}"};

/* ---- log */

static void
parse_log_path(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const char *const words[] = {"stderr", "syslog", "off"};
	struct fg_suggest suggest;
	struct fg_str text;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	*(struct fg_str *)out = fg_arena_str(conf->arena, text);
	if (text.len > 1 && text.p[0] == '/' && text.p[text.len - 1] != '/')
		return;
	fg_suggest_init(&suggest, text);
	for (size_t i = 0; i < FG_ARRAY_LEN(words); i++) {
		if (fg_str_eq(text, fg_str_from(words[i])))
			return;
		fg_suggest_offer(&suggest, fg_str_from(words[i]));
	}
	fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT FG_STR_FMT, key->form,
	    FG_STR_ARG(fg_conf_quote(conf, text)), FG_STR_ARG(fg_suggest_format(&suggest, &conf->scratch)));
}

#define LOG_PATH_FORM "/FILE, stderr, syslog or off"
#define LOG_PATH_SCHEMA "\"type\": \"string\", \"pattern\": \"^(/.+|stderr|syslog|off)$|\\\\$\\\\{\""

static const struct fg_conf_choice format_choices[] = {{"json", FG_LOG_JSON}, {"combined", FG_LOG_COMBINED}, {NULL, 0}};
static const struct fg_conf_choice level_choices[] = {
    {"error", FG_LOG_ERROR}, {"warn", FG_LOG_WARN}, {"info", FG_LOG_INFO}, {"debug", FG_LOG_DEBUG}, {NULL, 0}};

static const struct fg_conf_key access_keys[] = {
    {"path", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_access_log_conf, path), .parse = parse_log_path, .preset = "stderr",
	.form = LOG_PATH_FORM, .schema = LOG_PATH_SCHEMA, .help = "where a line for each exchange goes; USR1 opens a file anew"},
    {"format", FG_CONF_ENUM, FG_CONF_AT(struct fg_access_log_conf, format), .choices = format_choices, .preset = "json",
	.help = "an object with every fact, or what log analysers know from Apache"},
    {NULL},
};

/* The short form `access: off`: out is the whole, its path comes first. */
static void
parse_access(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	parse_log_path(conf, node, key, &((struct fg_access_log_conf *)out)->path);
}

const struct fg_conf_key fg_config_log_keys[] = {
    {"access", FG_CONF_SECTION, FG_CONF_AT(struct fg_config, access_log), .keys = access_keys, .parse = parse_access,
	.form = LOG_PATH_FORM, .schema = LOG_PATH_SCHEMA, .help = "the access log; a path alone is short for {path: …}"},
    {"level", FG_CONF_ENUM, FG_CONF_AT(struct fg_config, log_level), .choices = level_choices, .preset = "info",
	.help = "of the program's own log, which goes to standard error: this and what is graver"},
    {NULL},
};

/* ---- admin */

static void
check_admin_path(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *path = out;

	(void)key;
	if (path->len < 2 || path->p[0] != '/' || path->p[path->len - 1] == '/')
		fg_conf_error(conf, node, FG_STR_FMT " is not a path of its own; it begins with / and does not end with one",
		    FG_STR_ARG(fg_conf_quote(conf, *path)));
	for (size_t i = 0; i < path->len; i++) {
		char c = path->p[i];

		if (!fg_ascii_is_alnum(c) && strchr("/_-.~", c) == NULL) {
			fg_conf_error(conf, node, "takes letters, digits and / _ - . ~ alone");
			return;
		}
	}
}

void
fg_config_parse_admin(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_admin_conf *admin = out;

	(void)key;
	if (fg_str_eq(node->text, FG_STR("off")))
		admin->enabled = false;
	else
		fg_conf_error(conf, node, "expected off, or a map with the keys path, allow, found " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, node->text)));
}

const struct fg_conf_key fg_config_admin_keys[] = {
    {"path", FG_CONF_STRING, FG_CONF_AT(struct fg_admin_conf, path), .preset = "/_faregate", .max = 256,
	.check = check_admin_path, .form = "a path",
	.help = "healthz, readyz, metrics and status lie under it, and no route does"},
    {"allow", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_admin_conf, allow, allow_count, struct fg_cidr),
	.flags = FG_CONF_OR_ONE, .item = &fg_value_network_item, .preset = "127.0.0.0/8, ::1",
	.help = "who may see these pages; all others are answered 403"},
    {NULL},
};
