/* The filter `response`: what the client sees. Edits the response's headers and its status. */
#include "core/edit_keys.h"
#include "core/exchange.h"
#include "core/filter.h"
#include "filter/filter_list.h"

struct status_edit {
	int from, to;
};

struct response_conf {
	struct fg_policy policy;
	struct fg_edit headers;
	const struct status_edit *status;
	size_t status_count;
};

static void
on_response(const void *conf_arg, void *ctx, struct fg_exchange *x)
{
	const struct response_conf *conf = conf_arg;

	(void)ctx;
	for (size_t i = 0; i < conf->status_count; i++) {
		if (conf->status[i].from == x->resp.status) {
			x->resp.status = conf->status[i].to;
			break;
		}
	}
	/* A response so full that an edit finds no place goes without it: refusing it would lose the whole. */
	(void)!fg_edit_headers(&conf->headers, &x->resp.headers, x);
}

static void
each_var(const void *conf_arg, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	fg_edit_each_var(&((const struct response_conf *)conf_arg)->headers, fn, arg);
}

/* A status decides whether there is a body (RFC 9110 §15.3.5, §15.4.5): an edit must not change that. */
static bool
has_body(int status)
{
	return status != 204 && status != 304;
}

static void
check_status(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct response_conf *response = out;

	(void)key;
	for (size_t i = 0; i < response->status_count; i++)
		if (has_body(response->status[i].from) != has_body(response->status[i].to))
			fg_conf_error(conf, node, "status: %d cannot become %d: one has a body, the other has none",
			    response->status[i].from, response->status[i].to);
}

static void
parse_status_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;
	uint64_t status;

	(void)key;
	if (!fg_conf_want_text(conf, node, "a status, 200 to 599", &text))
		return;
	if (!fg_str_to_u64(text, &status) || status < 200 || status > 599)
		fg_conf_error(conf, node, FG_STR_FMT " is not a status; write one of 200 to 599",
		    FG_STR_ARG(fg_conf_quote(conf, text)));
	else
		*(int *)out = (int)status;
}

static const struct fg_conf_key status_from = {"STATUS", FG_CONF_CUSTOM, FG_CONF_AT(struct status_edit, from),
    .parse = parse_status_name, .form = "200 to 599", .schema = "\"pattern\": \"^[2-5][0-9][0-9]$\"",
    .help = "the service's status"};
static const struct fg_conf_key status_to = {"STATUS", FG_CONF_INT, FG_CONF_AT(struct status_edit, to), .min = 200,
    .max = 599, .help = "the client's"};

static const struct fg_conf_key keys[] = {
    {"status", FG_CONF_MAP, FG_CONF_ARRAY(struct response_conf, status, status_count, struct status_edit),
	.item_name = &status_from, .item = &status_to, .help = "the service's status: what the client gets instead"},
    {"headers", FG_CONF_SECTION, FG_CONF_AT(struct response_conf, headers), .keys = fg_edit_header_keys,
	.check = fg_edit_check, .help = "edits of the response's headers"},
    {NULL},
};

const struct fg_filter_type fg_filter_response = {
    .name = "response",
    .stage = FG_STAGE_TRANSFORM,
    .conf_size = sizeof(struct response_conf),
    .keys = keys,
    .check = check_status,
    .help = "what the client sees of the response",
    .on_response = on_response,
    .each_var = each_var,
};
