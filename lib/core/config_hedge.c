/* `hedge` of a service: when a second try follows one that is slow. */
#include "core/config_internal.h"

#define ONE_DAY (INT64_C(86400) * FG_US_PER_S)
#define AFTER_FORM "p50 to p99, or a time"

enum { LEAST_PERCENTILE = 50, MOST_PERCENTILE = 99 };

/* What else may have been meant: 95 or 95%, or a time without its unit. */
static struct fg_str
suggest_hedge(struct fg_conf *conf, struct fg_str text)
{
	bool percent = fg_str_ends_with(text, FG_STR("%"));
	struct fg_str digits = fg_str_slice(text, 0, text.len - percent);
	uint64_t number;

	if (!fg_str_to_u64(digits, &number) || number == 0)
		return FG_STR("");
	if (percent || (number >= LEAST_PERCENTILE && number <= MOST_PERCENTILE))
		return fg_arena_printf(&conf->scratch, "; did you mean p" FG_STR_FMT "%s?", FG_STR_ARG(digits),
		    percent ? "" : ", or a time with its unit");
	return FG_STR("; a unit is missing: ms, s, m or h");
}

/* Of `after`, and of `hedge: p95`, which is short for it. */
void
fg_config_parse_hedge(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_service_hedge *hedge = out;
	uint64_t percentile = 0;
	fg_usec after = 0;
	struct fg_str text;

	(void)key;
	hedge->after = 0;
	hedge->percentile = LEAST_PERCENTILE;
	if (!fg_conf_want_text(conf, node, AFTER_FORM, &text))
		return;
	if (fg_str_starts_with(text, FG_STR("p")) && fg_str_to_u64(fg_str_slice(text, 1, text.len), &percentile) &&
	    percentile >= LEAST_PERCENTILE && percentile <= MOST_PERCENTILE)
		hedge->percentile = (int)percentile;
	else if (fg_conf_to_duration(text, &after) && after >= FG_US_PER_MS && after <= ONE_DAY)
		hedge->after = after;
	else
		fg_conf_error(conf, node, "expected " AFTER_FORM " of 1ms to 24h, found " FG_STR_FMT FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, text)), FG_STR_ARG(suggest_hedge(conf, text)));
}

const struct fg_conf_key fg_config_hedge_keys[] = {
    {"after", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_service_hedge), .parse = fg_config_parse_hedge, .preset = "p95", .form = AFTER_FORM,
	.schema = "\"type\": \"string\"",
	.help = "without an answer, and a second try follows: so many of a hundred recent answers took less; or always that time"},
    {"at-least", FG_CONF_DURATION, FG_CONF_AT(struct fg_service_hedge, at_least), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "10ms", .help = "however fast the service is; for a percentile"},
    {"budget", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_service_hedge, budget), .parse = fg_config_parse_percent, .preset = "20%",
	.form = "a percentage", .schema = FG_CONFIG_PERCENT_SCHEMA,
	.help = "hedges of the whole pool, as a part of its requests to this service; with retry: the budget there is for both"},
    {NULL},
};

void
fg_config_check_hedge(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_service_hedge *hedge = out;
	const struct fg_conf_node *at_least = fg_conf_get(node, "at-least");

	(void)key;
	if (hedge->after > 0 && at_least != NULL)
		fg_conf_error_at_name(conf, at_least, "is of no use where after: is a time");
}

void
fg_config_set_budget(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_service *service)
{
	const struct fg_conf_node *hedge = fg_conf_get(node, "hedge");
	const struct fg_conf_node *budget = hedge == NULL ? NULL : fg_conf_get(hedge, "budget");

	if (service->retry != NULL)
		service->budget = service->retry->budget;
	else if (service->hedge != NULL)
		service->budget = service->hedge->budget;
	if (service->retry != NULL && budget != NULL)
		fg_conf_error_at_name(conf, budget, "retries and hedges have one budget, which stands under retry:");
}

void
fg_config_check_hedge_time(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_service *service)
{
	const struct fg_service_hedge *hedge = service->hedge;
	fg_usec least = hedge == NULL ? 0 : hedge->after > 0 ? hedge->after : hedge->at_least;

	if (least > 0 && service->response_timeout > 0 && least >= service->response_timeout)
		fg_conf_error_at_name(conf, fg_conf_get(node, "hedge"), "there would never be one: response-timeout is over before");
}
