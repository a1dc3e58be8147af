/* The filter `request`: what the service sees. Edits the request's headers and its query. */
#include "core/edit_keys.h"
#include "core/exchange.h"
#include "core/filter.h"
#include "filter/filter_list.h"

struct request_conf {
	struct fg_policy policy;
	struct fg_edit headers, query;
};

static enum fg_next
on_request(const void *conf_arg, void *ctx, struct fg_exchange *x)
{
	const struct request_conf *conf = conf_arg;
	enum fg_err err = fg_edit_headers(&conf->headers, &x->req.headers, x);

	(void)ctx;
	if (err == FG_OK)
		err = fg_edit_query(&conf->query, x);
	return err == FG_OK ? FG_CONTINUE : fg_respond(x, err);
}

static void
each_var(const void *conf_arg, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	const struct request_conf *conf = conf_arg;

	fg_edit_each_var(&conf->headers, fn, arg);
	fg_edit_each_var(&conf->query, fn, arg);
}

static const struct fg_conf_key keys[] = {
    {"headers", FG_CONF_SECTION, FG_CONF_AT(struct request_conf, headers), .keys = fg_edit_header_keys,
	.check = fg_edit_check, .help = "edits of the request's headers"},
    {"query", FG_CONF_SECTION, FG_CONF_AT(struct request_conf, query), .keys = fg_edit_query_keys,
	.check = fg_edit_check, .help = "edits of the query; parameters that are not named stay as they came"},
    {NULL},
};

const struct fg_filter_type fg_filter_request = {
    .name = "request",
    .stage = FG_STAGE_TRANSFORM,
    .conf_size = sizeof(struct request_conf),
    .keys = keys,
    .help = "what the service sees of the request",
    .on_request = on_request,
    .each_var = each_var,
};
