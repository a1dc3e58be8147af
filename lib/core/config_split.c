/* To which services the requests of a route go, and which of them first: `service`, `split`, `mirror`, `criticality`. */
#include "conf/suggest.h"
#include "core/config_internal.h"

void
fg_config_parse_service(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_config_draft *draft = conf->arg;
	struct fg_suggest suggest;
	struct fg_str text, suggestion;
	struct fg_service *service;
	size_t candidates;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	service = fg_names_find(&draft->service_names, text);
	*(const struct fg_service **)out = service;
	if (service != NULL || !draft->has_services)
		return;
	fg_suggest_init(&suggest, text);
	candidates = fg_conf_may_compare(conf, draft->service_count) ? draft->service_count : 0;
	for (size_t i = 0; i < candidates; i++)
		fg_suggest_offer(&suggest, draft->services[i].name);
	suggestion = fg_suggest_format(&suggest, &conf->scratch);
	if (suggestion.len == 0)
		suggestion = FG_STR("; define it under services:");
	fg_conf_error(conf, node, "there is no service " FG_STR_FMT FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)),
	    FG_STR_ARG(suggestion));
}

const struct fg_conf_key fg_config_split_service = {"SERVICE", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_split, service),
    .parse = fg_config_parse_service, .form = "the name of a service", .schema = "\"type\": \"string\"", .help = "of `services`"};
const struct fg_conf_key fg_config_split_weight = {"WEIGHT", FG_CONF_INT, FG_CONF_AT(struct fg_split, weight), .min = 0,
    .max = 1000000, .help = "its share, relative to the others; 0: none"};

void
fg_config_check_split(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	/* The array's pointer is what the key's field is. */
	const struct fg_split *splits = *(const struct fg_split *const *)out;
	bool has_weight = false;

	(void)key;
	for (size_t i = 0; i < node->count; i++)
		has_weight |= splits[i].weight > 0;
	if (!has_weight)
		fg_conf_error(conf, node, "sends nothing anywhere; one weight at least is above 0");
}

const struct fg_conf_key fg_config_mirror_keys[] = {
    {"service", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_route_mirror, service), .flags = FG_CONF_REQUIRED,
	.parse = fg_config_parse_service, .form = "the name of a service", .schema = "\"type\": [\"string\", \"integer\"]",
	.help = "that gets the copies"},
    {"percent", FG_CONF_INT, FG_CONF_AT(struct fg_route_mirror, percent), .min = 0, .max = 100, .preset = "100",
	.help = "of the requests; those with a body of more than 64k are left out"},
    {NULL},
};

void
fg_config_check_sharing(struct fg_conf *conf, const struct fg_conf_node *route, const struct fg_conf_node *split,
    const struct fg_conf_node *other)
{
	const struct fg_conf_node *by = fg_conf_get(route, "split-by"), *mirror = fg_conf_get(route, "mirror");

	if (split != NULL && other != NULL)
		fg_conf_error_at_name(conf, split, "a route has one of service, split and respond");
	if (split == NULL && by != NULL)
		fg_conf_error_at_name(conf, by, "is of no use without split:");
	if (mirror != NULL && fg_conf_get(route, "respond") != NULL)
		fg_conf_error_at_name(conf, mirror, "a route with respond sends nothing that could be mirrored");
}

const struct fg_conf_choice fg_config_criticalities[] = {{"low", FG_CRITICALITY_LOW}, {"normal", FG_CRITICALITY_NORMAL},
    {"high", FG_CRITICALITY_HIGH}, {NULL, 0}};

const char *
fg_criticality_word(enum fg_criticality criticality)
{
	return fg_config_criticalities[criticality].name;
}
