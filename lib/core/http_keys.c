/* Methods, header names and header values in the configuration. */
#include "core/http_keys.h"

#include "conf/suggest.h"
#include "core/method.h"

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
fg_http_parse_methods(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
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

void
fg_http_check_header_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;

	(void)key;
	if (!fg_is_token(*name))
		fg_conf_error(conf, node, FG_STR_FMT " is not a header name", FG_STR_ARG(fg_conf_quote(conf, *name)));
}

void
fg_http_check_header_value(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *value = out;

	(void)key;
	if (!fg_is_field_value(*value) || !fg_str_eq(fg_str_trim(*value), *value))
		fg_conf_error(conf, node, FG_STR_FMT " is not the value of a header: it has a control character, or a space at an end",
		    FG_STR_ARG(fg_conf_quote(conf, *value)));
}
