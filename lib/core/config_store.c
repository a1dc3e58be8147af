/* `store`: where what several machines share is kept. */
#include "core/config_internal.h"
#include "redis/redis.h"

static void
parse_store_url(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_redis_mistake mistake;
	struct fg_redis_spec *spec;
	struct fg_str text;

	if (!fg_conf_want_text(conf, node, key->form, &text) || fg_str_eq(text, FG_STR("memory")))
		return;
	if (fg_str_find(text, ':') == text.len)
		fg_conf_error(conf, node, "expected " FG_CONFIG_STORE_FORM ", found " FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)));
	else if (fg_redis_spec_parse(&spec, text, conf->arena, &mistake) == FG_OK)
		*(struct fg_redis_spec **)out = spec;
	else /* The text is not shown: it may hold a password. */
		fg_conf_error(conf, node, "%s (from character %zu on)", mistake.text, mistake.offset + 1);
}

void
fg_config_parse_store(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	parse_store_url(conf, node, key, &((struct fg_store_conf *)out)->redis);
}

void
fg_config_check_store(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const char *const redis_keys[] = {"password", "sentinel-password", "ca", "certificate", "key"};
	struct fg_store_conf *store = out;

	(void)key;
	if (store->redis == NULL) {
		const struct fg_conf_node *url = fg_conf_get(node, "url");

		for (size_t i = 0; i < FG_ARRAY_LEN(redis_keys) && (url == NULL || fg_str_eq(url->text, FG_STR("memory"))); i++)
			if (fg_conf_get(node, redis_keys[i]) != NULL)
				fg_conf_error(conf, fg_conf_get(node, redis_keys[i]), "means nothing to store: memory; add url: redis://…");
		return;
	}
	if (store->password.len > 0 && store->redis->password.len > 0)
		fg_conf_error(conf, fg_conf_get(node, "password"), "stands in the url, too; keep one of them");
	if (store->password.len > 0)
		store->redis->password = store->password;
	store->redis->sentinel_password = store->sentinel_password;
	store->text = fg_redis_spec_format(store->redis, conf->arena);
}

const struct fg_conf_key fg_config_store_keys[] = {
    {"url", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_store_conf, redis), .parse = parse_store_url, .preset = "memory",
	.form = FG_CONFIG_STORE_FORM, .schema = FG_CONFIG_STORE_SCHEMA, .help = "memory: the workers of this host alone share it"},
    {"password", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_store_conf, password), .parse = fg_conf_parse_secret,
	.form = FG_CONF_SECRET_FORM, .schema = "\"type\": \"string\"", .help = "of Redis, where it is not to stand in the url"},
    {"sentinel-password", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_store_conf, sentinel_password), .parse = fg_conf_parse_secret,
	.form = FG_CONF_SECRET_FORM, .schema = "\"type\": \"string\"", .help = "of the sentinels themselves"},
    {"deadline", FG_CONF_DURATION, FG_CONF_AT(struct fg_store_conf, deadline), .min = FG_US_PER_MS, .max = 10 * FG_US_PER_S,
	.preset = "25ms", .help = "of each question to it; then what asks goes by its policy for a store that fails"},
    {"connect-timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_store_conf, connect_timeout), .min = FG_US_PER_MS,
	.max = 60 * FG_US_PER_S, .preset = "500ms", .help = "name, connection, TLS and password together"},
    {"memory-keys", FG_CONF_INT, FG_CONF_AT(struct fg_store_conf, memory_keys), .min = FG_MIN_LIMIT_KEYS, .max = FG_MAX_LIMIT_KEYS,
	.preset = "65536", .help = "of limits, kept by this host's pool, 93 bytes each; when full, what expires first gives way"},
    {"ca", FG_CONF_STRING, FG_CONF_AT(struct fg_store_conf, ca), .check = fg_config_check_file, .form = "a file",
	.shown_preset = "the system's", .help = "certificates (PEM) that the store's may be signed by"},
    {"certificate", FG_CONF_STRING, FG_CONF_AT(struct fg_store_conf, certificate), .check = fg_config_check_file,
	.form = "a file", .help = "our own certificate (PEM), for a store that asks for one"},
    {"key", FG_CONF_STRING, FG_CONF_AT(struct fg_store_conf, key), .check = fg_config_check_file, .form = "a file",
	.help = "the private key of that certificate (PEM)"},
    {NULL},
};

struct fg_redis *
fg_config_open_store(const struct fg_config *config, struct fg_loop *loop, const struct fg_log *log)
{
	const struct fg_store_conf *store = &config->store;
	struct fg_redis_options options = FG_REDIS_OPTIONS_DEFAULT;

	if (store->redis == NULL || loop == NULL)
		return NULL;
	options.deadline = store->deadline;
	options.connect_timeout = store->connect_timeout;
	options.ca_file = store->ca.len > 0 ? store->ca.p : NULL;
	options.cert_file = store->certificate.len > 0 ? store->certificate.p : NULL;
	options.key_file = store->key.len > 0 ? store->key.p : NULL;
	return fg_redis_new(loop, store->redis, &options, log);
}

bool
fg_config_has_store(const struct fg_conf *conf)
{
	return ((const struct fg_config_draft *)conf->arg)->config.store.redis != NULL;
}
