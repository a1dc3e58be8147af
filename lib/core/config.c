/*
 * The configuration as a whole: the file and what it includes, the table of its top, and what is known only once all
 * of it is read. The parts have files of their own (config_pool.c, config_service.c, config_route.c).
 */
#include <sched.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "core/config_internal.h"
#include "core/value_keys.h"

enum { MAX_LISTENS = 64 };

#define SOCKET_FILE FG_RUNSTATEDIR "/faregate.sock"

static void
parse_version(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	if (!fg_str_eq(text, FG_STR("1")))
		fg_conf_error(conf, node, "this faregate reads version 1 of the configuration, not " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, text)));
	*(int *)out = 1;
}

static const struct fg_conf_key include_item = {"FILE", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .form = "a file or a pattern",
    .help = "relative to this file; a pattern (conf.d/*.yaml) may match none"};

static const struct fg_conf_key top_keys[] = {
    {"version", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_config_draft, version), .flags = FG_CONF_REQUIRED, .parse = parse_version,
	.form = "1", .schema = "\"const\": 1", .help = "of this language"},
    {"include", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_config_draft, includes, include_count, struct fg_str),
	.flags = FG_CONF_OR_ONE, .item = &include_item, .help = "files whose services, routes, policies and consumers are added to those here"},
    {"listen", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_config_draft, config.listen, config.listen_count, struct fg_listen),
	.flags = FG_CONF_OR_ONE, .max = MAX_LISTENS, .item = &fg_config_listen_item, .check = fg_config_check_listens,
	.preset = "unix:" SOCKET_FILE, .shown_preset = "unix:$(runstatedir)/faregate/faregate.sock",
	.help = "where the web server connects (FastCGI)"},
    {"workers", FG_CONF_INT, FG_CONF_AT(struct fg_config_draft, config.workers), .min = 1, .max = FG_MAX_WORKERS, .word = "auto",
	.word_value = 0, .preset = "auto", .help = "processes that serve; auto is one a core"},
    {"user", FG_CONF_STRING, FG_CONF_AT(struct fg_config_draft, config.user), .max = 32, .check = fg_config_check_user,
	.form = "a user", .shown_preset = "whoever starts it", .help = "whom the workers become when root starts the pool"},
    {"pid-file", FG_CONF_STRING, FG_CONF_AT(struct fg_config_draft, config.pid_file), .check = fg_config_check_absolute,
	.form = "a file", .preset = FG_RUNSTATEDIR "/faregate.pid", .shown_preset = "$(runstatedir)/faregate/faregate.pid",
	.help = "how reload, stop and status find the pool"},
    {"drain-timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_config_draft, config.drain_timeout), .min = 0,
	.max = INT64_C(86400) * FG_US_PER_S, .preset = "30s", .help = "how long a worker that leaves goes on with what it has begun"},
    {"drain-delay", FG_CONF_DURATION, FG_CONF_AT(struct fg_config_draft, config.drain_delay), .min = 0,
	.max = INT64_C(3600) * FG_US_PER_S, .preset = "0",
	.help = "a pool that is to stop first serves on for this long, saying on readyz that it leaves"},
    {"store", FG_CONF_SECTION, FG_CONF_AT(struct fg_config_draft, config.store), .keys = fg_config_store_keys,
	.parse = fg_config_parse_store, .check = fg_config_check_store, .form = FG_CONFIG_STORE_FORM,
	.schema = FG_CONFIG_STORE_SCHEMA, .help = "where what machines share is kept: limits, revocations, keys"},
    {"dns", FG_CONF_SECTION, FG_CONF_AT(struct fg_config_draft, config.dns), .keys = fg_config_dns_keys,
	.prepare = fg_config_prepare_dns, .check = fg_config_check_dns, .help = "how names of services, and of what is fetched, are resolved"},
    {"trusted-proxies", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_config_draft, config.trusted_proxies, config.trusted_proxy_count, struct fg_cidr),
	.flags = FG_CONF_OR_ONE, .item = &fg_value_network_item, .shown_preset = "none",
	.help = "whose Forwarded and X-Forwarded-* are believed; the web server in front of us needs no entry"},
    {"log", FG_CONF_SECTION, FG_CONF_AT(struct fg_config_draft, config), .keys = fg_config_log_keys, .help = "what is written down"},
    {"admin", FG_CONF_SECTION, FG_CONF_AT(struct fg_config_draft, config.admin), .keys = fg_config_admin_keys,
	.parse = fg_config_parse_admin, .form = "off", .schema = "\"const\": \"off\"",
	.help = "the gateway's own pages; off: there are none"},
    {"services", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_config_draft, services, service_count, struct fg_service), .max = FG_MAX_ROUTES,
	.item_name = &fg_config_service_name, .item = &fg_config_service_item, .help = "what requests are forwarded to"},
    {"consumers", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_config_draft, config.consumers, config.consumer_count, struct fg_consumer),
	.max = FG_MAX_CONSUMERS, .item_name = &fg_config_consumer_name, .item = &fg_config_consumer_item,
	.help = "attributes of those who call, to be had as claim:ATTRIBUTE where the token or key itself has no such claim"},
    {"defaults", FG_CONF_SECTION, FG_CONF_AT(struct fg_config_draft, defaults), .help = "what each route has unless it says otherwise"},
    {"routes", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_config_draft, routes, route_count, struct fg_route_draft), .max = FG_MAX_ROUTES,
	.item_name = &fg_config_route_name, .help = "which request goes where; the most specific wins, whatever the order"},
    {NULL},
};

/* ---- the tables, with what the filters add */

static size_t
count_keys(const struct fg_conf_key *keys)
{
	size_t count = 0;

	while (keys[count].name != NULL)
		count++;
	return count;
}

/* own: NULL for the keys of `defaults`. What a route does not say it has from there, so it has no presets itself. */
static const struct fg_conf_key *
make_keys(const struct fg_conf_key *own, struct fg_arena *arena)
{
	size_t own_count = own == NULL ? 0 : count_keys(own), shared = count_keys(fg_config_shared_keys);
	struct fg_conf_key *keys = FG_ARENA_ARRAY(arena, struct fg_conf_key, own_count + shared + FG_MAX_FILTERS + 1);
	struct fg_conf_key *at = keys;

	for (size_t i = 0; i < own_count; i++)
		*at++ = own[i];
	for (size_t i = 0; i < shared; i++, at++) {
		*at = fg_config_shared_keys[i];
		if (own == NULL)
			continue;
		at->preset = NULL;
		at->shown_preset = "that of `defaults`";
	}
	for (size_t i = 0; fg_filter_types[i] != NULL; i++, at++) {
		FG_ASSERT(i < FG_MAX_FILTERS);
		*at = fg_config_route_policy_key(i, arena);
		at->shown_preset = own != NULL ? "that of `defaults`" : NULL;
	}
	return keys;
}

const struct fg_conf_key *
fg_config_keys(struct fg_arena *arena)
{
	struct fg_conf_key *keys = FG_ARENA_ARRAY(arena, struct fg_conf_key, count_keys(top_keys) + FG_MAX_FILTERS + 1);
	struct fg_conf_key *route = FG_ARENA_NEW(arena, struct fg_conf_key), *at = keys;

	*route = fg_config_route_item;
	route->keys = make_keys(fg_config_route_keys, arena);
	for (const struct fg_conf_key *top = top_keys; top->name != NULL; top++, at++) {
		if (strcmp(top->name, "defaults") == 0) {
			/* Before whoever names them. */
			for (size_t i = 0; fg_filter_types[i] != NULL; i++)
				*at++ = fg_config_policies_key(i, arena);
			*at = *top;
			at->keys = make_keys(NULL, arena);
		} else {
			*at = *top;
			if (strcmp(top->name, "routes") == 0)
				at->item = route;
		}
	}
	return keys;
}

/* ---- loading */

static unsigned
count_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

static void
add_identity_header(void *arg, struct fg_str name)
{
	struct fg_config *config = arg;

	fg_header_set_add(&config->identity_headers, name, &config->arena);
}

static void
collect_identity_headers(struct fg_config *config)
{
	for (size_t i = 0; fg_filter_types[i] != NULL; i++)
		for (size_t k = 0; fg_filter_types[i]->each_identity_header != NULL && k < config->policies[i].count; k++)
			fg_filter_types[i]->each_identity_header(config->policies[i].v[k], add_identity_header, config);
}

static void
count_param(void *arg, struct fg_str name)
{
	(void)name;
	++*(size_t *)arg;
}

struct param_list {
	struct fg_str *v;
	size_t count;
};

static void
add_param(void *arg, struct fg_str name)
{
	struct param_list *list = arg;

	for (size_t i = 0; i < list->count; i++)
		if (fg_str_eq(list->v[i], name))
			return;
	list->v[list->count++] = name;
}

static void
each_credential_param(struct fg_config *config, void (*fn)(void *arg, struct fg_str name), void *arg)
{
	for (size_t i = 0; fg_filter_types[i] != NULL; i++)
		for (size_t k = 0; fg_filter_types[i]->each_credential_param != NULL && k < config->policies[i].count; k++)
			fg_filter_types[i]->each_credential_param(config->policies[i].v[k], fn, arg);
}

static void
collect_credential_params(struct fg_config *config)
{
	struct param_list list = {.count = 0};
	size_t most = 0;

	each_credential_param(config, count_param, &most);
	list.v = FG_ARENA_ARRAY(&config->arena, struct fg_str, most);
	each_credential_param(config, add_param, &list);
	config->credential_params = list.v;
	config->credential_param_count = list.count;
}

static void
finish(struct fg_config_draft *draft)
{
	struct fg_config *config = &draft->config;

	if (config->workers == 0)
		config->workers = count_cores() < FG_MAX_WORKERS ? count_cores() : FG_MAX_WORKERS;
	config->service_count = draft->service_count;
	config->services = FG_ARENA_ARRAY(&config->arena, struct fg_service *, draft->service_count);
	for (size_t i = 0; i < draft->service_count; i++)
		config->services[i] = &draft->services[i];
	config->route_count = draft->route_count;
	config->routes = FG_ARENA_ARRAY(&config->arena, struct fg_route *, draft->route_count);
	for (size_t i = 0; i < draft->route_count; i++)
		config->routes[i] = &draft->routes[i].route;
	fg_config_keep_policies(draft);
	collect_identity_headers(config);
	collect_credential_params(config);
}

static void
read_draft(struct fg_conf *conf, struct fg_conf_node *root, struct fg_config_draft *draft)
{
	const char *merged[FG_MAX_FILTERS + 4] = {"services", "routes", "consumers"};
	const struct fg_conf_node *services;

	for (size_t i = 0; fg_filter_types[i] != NULL; i++)
		merged[3 + i] = fg_filter_types[i]->name;
	fg_conf_include(conf, root, merged);
	services = fg_conf_get(root, "services");
	draft->defaults_node = fg_conf_get(root, "defaults");
	draft->has_services = services == NULL || services->kind == FG_CONF_NODE_MAP;
	draft->config.admin.enabled = true;
	fg_names_init(&draft->service_names, &conf->scratch);
	fg_conf_read_keys(conf, root, fg_config_keys(&conf->scratch), draft);
	fg_config_build_router(conf, draft);
}

/* The arena lies in what it owns; so it is moved there once there is a place for it. */
static struct fg_config_draft *
new_draft(const char *file)
{
	struct fg_arena arena;
	struct fg_config_draft *draft;

	fg_arena_init(&arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
	draft = FG_ARENA_NEW(&arena, struct fg_config_draft);
	draft->config.arena = arena;
	draft->config.file = fg_arena_str(&draft->config.arena, fg_str_from(file));
	return draft;
}

static enum fg_err
load(struct fg_conf *conf, struct fg_config_draft *draft, struct fg_buf *errors, unsigned flags)
{
	enum fg_conf_source source = (flags & FG_CONFIG_STREAM) != 0 ? FG_CONF_STREAM : FG_CONF_FILE;
	struct fg_conf_node *root;
	enum fg_err err = fg_conf_open(conf, draft->config.file, source, &root);
	const struct fg_conf_file file = {.path = draft->config.file};
	const struct fg_conf_node nowhere = {.file = &file, .line = 1, .column = 1};

	if (err == FG_ERR_SYSTEM)
		fg_conf_error(conf, &nowhere, "cannot be read: %s", conf->unreadable);
	if (err == FG_OK)
		read_draft(conf, root, draft);
	if (err == FG_OK && conf->mistake_count > 0)
		err = FG_ERR_CONFIG;
	if (err != FG_OK && (flags & FG_CONFIG_JSON) != 0)
		(void)fg_conf_format_mistakes_json(conf, errors);
	else if (err != FG_OK)
		(void)fg_conf_format_mistakes(conf, errors);
	return err;
}

enum fg_err
fg_config_load_as(struct fg_config **out, const char *file, struct fg_buf *errors, unsigned flags)
{
	struct fg_config_draft *draft = new_draft(file);
	struct fg_conf conf;
	enum fg_err err;

	*out = NULL;
	fg_conf_init(&conf, &draft->config.arena, draft);
	conf.may_lack_files = (flags & FG_CONFIG_MAY_LACK_FILES) != 0;
	err = load(&conf, draft, errors, flags);
	fg_conf_fini(&conf);
	if (err != FG_OK) {
		fg_config_free(&draft->config);
		return err;
	}
	finish(draft);
	*out = &draft->config;
	return FG_OK;
}

enum fg_err
fg_config_load(struct fg_config **out, const char *file, struct fg_buf *errors)
{
	return fg_config_load_as(out, file, errors, 0);
}

void
fg_config_free(struct fg_config *config)
{
	struct fg_arena arena;

	if (config == NULL)
		return;
	fg_router_free(config->router);
	arena = config->arena;
	fg_arena_fini(&arena);
}

/* ---- what is made of the tables besides */

bool
fg_config_format_schema(struct fg_buf *out)
{
	struct fg_arena arena;
	bool ok;

	fg_arena_init(&arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
	ok = fg_conf_format_schema(out, fg_config_keys(&arena), "Faregate configuration");
	fg_arena_fini(&arena);
	return ok;
}

bool
fg_config_format_reference(struct fg_buf *out)
{
	struct fg_arena arena;
	bool ok;

	fg_arena_init(&arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
	ok = fg_conf_format_reference(out, fg_config_keys(&arena));
	fg_arena_fini(&arena);
	return ok;
}
