/* Reads edits from the configuration. */
#include "core/edit_keys.h"

void
fg_edit_check_header_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;
	struct fg_str shown = fg_conf_quote(conf, *name);

	(void)key;
	if (fg_edit_may_touch(*name))
		return;
	if (!fg_is_token(*name))
		fg_conf_error(conf, node, FG_STR_FMT " is not a header name", FG_STR_ARG(shown));
	else if (fg_header_id(*name) == FG_HDR_HOST)
		fg_conf_error(conf, node, "Host is set by the service: write host: under services");
	else
		fg_conf_error(conf, node,
		    FG_STR_FMT " belongs to one connection or frames the message; the gateway sets it itself",
		    FG_STR_ARG(shown));
}

static void
parse_template(struct fg_conf *conf, const struct fg_conf_node *node, enum fg_template_use use, void *out)
{
	struct fg_str text, message;
	struct fg_template *template;

	if (!fg_conf_want_text(conf, node, "a text, with {variables} in braces", &text))
		return;
	if (use == FG_TEMPLATE_HEADER && !fg_is_field_value(text)) {
		fg_conf_error(conf, node, "a header's value cannot hold control characters");
		return;
	}
	if (fg_template_parse(&template, text, use, conf->arena, &message) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT, FG_STR_ARG(message));
	else
		*(const struct fg_template **)out = template;
}

static void
parse_header_template(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	(void)key;
	parse_template(conf, node, FG_TEMPLATE_HEADER, out);
}

static void
parse_query_template(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	(void)key;
	parse_template(conf, node, FG_TEMPLATE_QUERY, out);
}

void
fg_edit_check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_edit *edit = out;

	(void)key;
	for (size_t i = 0; i < edit->rename_count; i++)
		if (fg_str_ieq(edit->rename[i].from, edit->rename[i].to))
			fg_conf_error(conf, node, FG_STR_FMT " would be renamed to itself", FG_STR_ARG(edit->rename[i].from));
}

#define TEMPLATE_SCHEMA "\"type\": [\"string\", \"number\", \"boolean\"]"

/* ---- headers */

static const struct fg_conf_key header_value_name = {
    "HEADER", FG_CONF_STRING, FG_CONF_AT(struct fg_edit_value, name), .check = fg_edit_check_header_name, .help = "a header name"};
static const struct fg_conf_key header_value = {"HEADER", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_edit_value, value),
    .parse = parse_header_template, .form = "text with {variables}", .schema = TEMPLATE_SCHEMA, .help = "its value"};
static const struct fg_conf_key header_removed = {
    "HEADER", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .check = fg_edit_check_header_name, .help = "a header name"};
static const struct fg_conf_key header_from = {
    "HEADER", FG_CONF_STRING, FG_CONF_AT(struct fg_edit_name, from), .check = fg_edit_check_header_name, .help = "a header name"};
static const struct fg_conf_key header_to = {
    "HEADER", FG_CONF_STRING, FG_CONF_AT(struct fg_edit_name, to), .check = fg_edit_check_header_name, .help = "its new name"};

const struct fg_conf_key fg_edit_header_keys[] = {
    {"remove", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_edit, remove, remove_count, struct fg_str), .flags = FG_CONF_OR_ONE,
	.item = &header_removed, .help = "headers taken away, all of each name; applied first"},
    {"rename", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_edit, rename, rename_count, struct fg_edit_name),
	.item_name = &header_from, .item = &header_to, .help = "old name: new name; what the new name held before goes"},
    {"set", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_edit, set, set_count, struct fg_edit_value),
	.item_name = &header_value_name, .item = &header_value,
	.help = "one header of that name, in place of all; left out when a variable without default is absent"},
    {"add", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_edit, add, add_count, struct fg_edit_value),
	.item_name = &header_value_name, .item = &header_value, .help = "one more header, beside those of that name"},
    {NULL},
};

/* ---- query parameters */

static const struct fg_conf_key query_value_name = {
    "PARAMETER", FG_CONF_STRING, FG_CONF_AT(struct fg_edit_value, name), .help = "a parameter's name, decoded"};
static const struct fg_conf_key query_value = {"PARAMETER", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_edit_value, value),
    .parse = parse_query_template, .form = "text with {variables}", .schema = TEMPLATE_SCHEMA, .help = "its value"};
static const struct fg_conf_key query_removed = {
    "PARAMETER", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .help = "a parameter's name"};
static const struct fg_conf_key query_from = {
    "PARAMETER", FG_CONF_STRING, FG_CONF_AT(struct fg_edit_name, from), .help = "a parameter's name"};
static const struct fg_conf_key query_to = {
    "PARAMETER", FG_CONF_STRING, FG_CONF_AT(struct fg_edit_name, to), .help = "its new name"};

const struct fg_conf_key fg_edit_query_keys[] = {
    {"remove", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_edit, remove, remove_count, struct fg_str), .flags = FG_CONF_OR_ONE,
	.item = &query_removed, .help = "parameters taken away, all of each name; applied first"},
    {"rename", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_edit, rename, rename_count, struct fg_edit_name),
	.item_name = &query_from, .item = &query_to, .help = "old name: new name"},
    {"set", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_edit, set, set_count, struct fg_edit_value),
	.item_name = &query_value_name, .item = &query_value, .help = "one parameter of that name, in place of all"},
    {"add", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_edit, add, add_count, struct fg_edit_value),
	.item_name = &query_value_name, .item = &query_value, .help = "one more parameter, at the end"},
    {NULL},
};

/* While the configuration is read, a value that is broken, which was said, has no template. */
static void
each_var_of(const struct fg_edit_value *values, size_t count, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	for (size_t i = 0; i < count; i++)
		if (values[i].value != NULL)
			fg_template_each_var(values[i].value, fn, arg);
}

void
fg_edit_each_var(const struct fg_edit *edit, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	each_var_of(edit->set, edit->set_count, fn, arg);
	each_var_of(edit->add, edit->add_count, fn, arg);
}
