/* Methods, headers, networks and request variables in the configuration. */
#include "core/value_keys.h"

#include "base/ip.h"
#include "conf/suggest.h"
#include "core/var.h"
#include "http/method.h"

/* ---- methods */

static fg_method_set
parse_method(struct fg_conf *conf, const struct fg_conf_node *node, fg_method_set so_far)
{
	struct fg_str text, suggestion;
	struct fg_suggest suggest;
	enum fg_method method;

	if (!fg_conf_want_text(conf, node, "a method", &text))
		return 0;
	method = fg_method_parse(text);
	if (method == FG_METHOD_OTHER) {
		fg_suggest_init(&suggest, text);
		for (unsigned i = 0; i < FG_METHOD_OTHER; i++)
			fg_suggest_offer(&suggest, fg_method_name((enum fg_method)i));
		suggestion = fg_suggest_format(&suggest, &conf->scratch);
		fg_conf_error(conf, node, FG_STR_FMT " is not a method" FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)),
		    FG_STR_ARG(suggestion));
		return 0;
	}
	if (method == FG_METHOD_CONNECT || method == FG_METHOD_TRACE)
		fg_conf_error(conf, node, FG_STR_FMT " is never forwarded", FG_STR_ARG(text));
	else if ((so_far & FG_METHOD_BIT(method)) != 0)
		fg_conf_error(conf, node, FG_STR_FMT " is there twice", FG_STR_ARG(text));
	return FG_METHOD_BIT(method);
}

void
fg_value_parse_methods(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	fg_method_set methods = 0;

	(void)key;
	if (node->kind == FG_CONF_NODE_SCALAR)
		methods = parse_method(conf, node, 0);
	else if (node->kind == FG_CONF_NODE_MAP || node->count == 0)
		fg_conf_error(conf, node, "expected a list of methods, [GET, POST], found %s; without `methods` all are taken",
		    node->kind == FG_CONF_NODE_MAP ? "a map" : "an empty one");
	else
		for (const struct fg_conf_node *item = node->first; item != NULL; item = item->next)
			methods |= parse_method(conf, item, methods);
	if ((methods & FG_METHOD_BIT(FG_METHOD_GET)) != 0)
		methods |= FG_METHOD_BIT(FG_METHOD_HEAD);
	*(fg_method_set *)out = methods;
}

/* ---- headers */

void
fg_value_check_header_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;

	(void)key;
	if (!fg_is_token(*name))
		fg_conf_error(conf, node, FG_STR_FMT " is not a header name", FG_STR_ARG(fg_conf_quote(conf, *name)));
}

void
fg_value_check_header_value(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *value = out;

	(void)key;
	if (!fg_is_field_value(*value) || !fg_str_eq(fg_str_trim(*value), *value))
		fg_conf_error(conf, node, FG_STR_FMT " is not the value of a header: it has a control character, or a space at an end",
		    FG_STR_ARG(fg_conf_quote(conf, *value)));
}

/* ---- networks */

/* What was meant by an address with bits behind the mask: "10.0.0.1/8" is in 10.0.0.0/8. */
static struct fg_str
suggest_network(struct fg_conf *conf, struct fg_str text)
{
	size_t slash = fg_str_find(text, '/');
	struct fg_ip ip;
	uint64_t bits;
	bool is_v4 = fg_str_find(text, ':') == text.len;
	char buf[64];

	if (!fg_ip_parse(&ip, fg_str_slice(text, 0, slash)) ||
	    !fg_str_to_u64(fg_str_slice(text, slash + 1, text.len), &bits) || bits > (is_v4 ? 32 : 128))
		return FG_STR("");
	for (size_t i = (size_t)bits + (is_v4 ? 96 : 0); i < 128; i++)
		ip.bytes[i / 8] &= (uint8_t)~(0x80 >> i % 8);
	return fg_arena_printf(&conf->scratch, "; did you mean " FG_STR_FMT "/%u?", FG_STR_ARG(fg_ip_format(&ip, buf)),
	    (unsigned)bits);
}

static void
parse_cidr(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;

	if (fg_conf_want_text(conf, node, key->form, &text) && !fg_cidr_parse(out, text))
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT FG_STR_FMT, key->form,
		    FG_STR_ARG(fg_conf_quote(conf, text)), FG_STR_ARG(suggest_network(conf, text)));
}

const struct fg_conf_key fg_value_network_item = {"NETWORK", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_cidr), .parse = parse_cidr,
    .form = "an address or a network (10.0.0.0/8, ::1)",
    .schema = "\"type\": \"string\", \"pattern\": \"^[0-9a-fA-F.:]+(/[0-9]+)?$|\\\\$\\\\{\"",
    .help = "whoever connects from there"};

/* ---- request variables */

void
fg_value_parse_var(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text, message;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	/* The variable's name is a part of the text, and lives as long as the configuration. */
	if (fg_var_parse(out, fg_arena_str(conf->arena, text), conf->arena, &message) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT, FG_STR_ARG(message));
}
