/* `consumers`: attributes of those who call, by the name that authentication gives them. */
#include "core/config_internal.h"

enum { MAX_ATTRIBUTES = 64 };

static void
check_consumer(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_config_draft *draft = conf->arg;
	struct fg_consumer *consumer = FG_CONTAINER_OF(out, struct fg_consumer, name);

	(void)key;
	(void)node;
	if (draft->config.consumer_names.arena == NULL)
		fg_names_init(&draft->config.consumer_names, conf->arena);
	(void)fg_names_add(&draft->config.consumer_names, consumer->name, consumer);
}

static const struct fg_conf_key attribute_name = {"ATTRIBUTE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, name), .max = 256};
static const struct fg_conf_key attribute_value = {"VALUE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, value),
    .flags = FG_CONF_EMPTY};

const struct fg_conf_key fg_config_consumer_name = {"CONSUMER", FG_CONF_STRING, FG_CONF_AT(struct fg_consumer, name), .max = 256,
    .check = check_consumer};
const struct fg_conf_key fg_config_consumer_item = {"CONSUMER", FG_CONF_MAP,
    FG_CONF_ARRAY(struct fg_consumer, attributes, attribute_count, struct fg_name_value), .max = MAX_ATTRIBUTES,
    .item_name = &attribute_name, .item = &attribute_value};

const struct fg_consumer *
fg_config_consumer(const struct fg_config *config, struct fg_str name)
{
	return config->consumer_count == 0 ? NULL : fg_names_find(&config->consumer_names, name);
}
