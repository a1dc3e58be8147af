/* `respond`: a fixed answer, of a route or in place of a service. The keys stand in config_internal.h with the others. */
#include "core/config_internal.h"

#include "core/value_keys.h"

enum { MAX_BODY = 1024 * 1024 };

#define ONE_YEAR (INT64_C(365) * 86400 * FG_US_PER_S)

void
fg_config_check_respond(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_respond *respond = out;

	(void)key;
	if (respond->body.len == 0)
		return;
	if (respond->status == 204 || respond->status == 205 || respond->status == 304)
		fg_conf_error(conf, fg_conf_get(node, "body"), "an answer with status %d has no body", respond->status);
	if (respond->content_type.len == 0)
		respond->content_type = FG_STR("text/plain; charset=utf-8");
}

const struct fg_conf_key fg_config_respond_keys[] = {
    {"status", FG_CONF_INT, FG_CONF_AT(struct fg_respond, status), .min = 200, .max = 599, .preset = "200",
	.help = "the status"},
    {"body", FG_CONF_STRING, FG_CONF_AT(struct fg_respond, body), .max = MAX_BODY, .flags = FG_CONF_EMPTY,
	.shown_preset = "empty", .help = "the body, as it is"},
    {"content-type", FG_CONF_STRING, FG_CONF_AT(struct fg_respond, content_type), .max = 256,
	.check = fg_value_check_header_value, .shown_preset = "text/plain; charset=utf-8", .help = "of the body"},
    {"retry-after", FG_CONF_DURATION, FG_CONF_AT(struct fg_respond, retry_after), .min = FG_US_PER_S, .max = ONE_YEAR,
	.shown_preset = "none", .help = "when to ask again: Retry-After, in whole seconds, rounded up"},
    {NULL},
};
