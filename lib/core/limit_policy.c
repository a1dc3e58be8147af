/* Limits in the configuration: keys, and what only all of them together tell. */
#include "core/limit_policy.h"

#include "conf/suggest.h"
#include "core/value_keys.h"
#include "limit/zone.h"

#define RATE_FORM "a rate, COUNT/PERIOD (100/1m, 5000/1h; with fixed windows also 5000/week, 100000/month)"

static const struct {
	struct fg_str name;
	enum fg_limit_calendar calendar;
	int days;
} calendars[] = {{FG_STR_INIT("week"), FG_LIMIT_WEEK, 7}, {FG_STR_INIT("month"), FG_LIMIT_MONTH, 31}};

enum { BROKEN = -1 }; /* the count of a limit about which all has been said */

#define DAY_US (INT64_C(86400) * FG_US_PER_S)

bool
fg_limit_parse_rate(struct fg_str text, struct fg_limit *limit)
{
	size_t slash = fg_str_find(text, '/');
	struct fg_str period = fg_str_slice(text, slash + 1, text.len);
	uint64_t count;

	if (slash == text.len || !fg_str_to_u64(fg_str_slice(text, 0, slash), &count) || count > INT64_MAX)
		return false;
	limit->count = (int64_t)count;
	limit->calendar = FG_LIMIT_PLAIN;
	for (size_t i = 0; i < FG_ARRAY_LEN(calendars); i++) {
		if (!fg_str_eq(period, calendars[i].name))
			continue;
		limit->calendar = calendars[i].calendar;
		limit->period = calendars[i].days * DAY_US;
		return true;
	}
	return fg_conf_to_duration(period, &limit->period);
}

/* What other gateways call it: 100/minute, 10/s. */
static struct fg_str
suggest_rate(struct fg_conf *conf, struct fg_str text)
{
	static const char *const words[][4] = {
	    {"s", "sec", "second", "1s"}, {"m", "min", "minute", "1m"}, {"h", "hr", "hour", "1h"}, {"d", "day", "days", "1d"}};
	size_t slash = fg_str_find(text, '/');
	struct fg_str count = fg_str_slice(text, 0, slash), period = fg_str_slice(text, slash + 1, text.len);
	uint64_t number;

	if (slash == text.len || !fg_str_to_u64(count, &number))
		return FG_STR("");
	for (size_t i = 0; i < FG_ARRAY_LEN(words); i++)
		for (size_t k = 0; k < 3; k++)
			if (fg_str_ieq(period, fg_str_from(words[i][k])))
				return fg_arena_printf(&conf->scratch, "; did you mean " FG_STR_FMT "/%s?", FG_STR_ARG(count), words[i][3]);
	return FG_STR("");
}

static void
parse_rate(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_limit *limit = out;
	struct fg_str text;

	if (fg_conf_want_text(conf, node, key->form, &text)) {
		if (fg_limit_parse_rate(text, limit))
			return;
		fg_conf_error(conf, node, "expected " RATE_FORM ", found " FG_STR_FMT FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, text)), FG_STR_ARG(suggest_rate(conf, text)));
	}
	limit->count = BROKEN;
}

static void
parse_cost(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_limit_policy *policy = FG_CONTAINER_OF(out, struct fg_limit_policy, cost);
	struct fg_var *var;
	struct fg_str text;
	uint64_t cost;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	policy->cost = 1;
	if (fg_str_to_u64(text, &cost)) {
		if (cost > FG_LIMIT_MAX_COUNT)
			fg_conf_error(conf, node, "is more than any limit allows");
		policy->cost = cost > FG_LIMIT_MAX_COUNT ? 1 : (int64_t)cost;
		return;
	}
	/* No variable begins so; a number was meant. */
	if (text.len > 0 && strchr("0123456789+-.", text.p[0]) != NULL) {
		fg_conf_error(conf, node, "expected a whole number or a request variable, found " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, text)));
		return;
	}
	var = FG_ARENA_NEW(conf->arena, struct fg_var);
	policy->cost_var = var;
	fg_value_parse_var(conf, node, key, var);
}

/* ---- overrides: variable, value, numbers */

struct override_value {
	struct fg_str value;
	struct fg_limit limit; /* rate, burst */
	int concurrency;
};

struct override_group {
	struct fg_var var;
	struct override_value *values;
	size_t count;
};

/* Overrides as they are read; the policy begins the struct. */
struct draft {
	struct fg_limit_policy policy;
	struct override_group *groups;
	size_t group_count;
};

_Static_assert(sizeof(struct draft) <= FG_LIMIT_POLICY_BYTES, "the configuration allocates it");

static void
parse_override(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct override_value *value = out;
	uint64_t number;

	(void)key;
	if (fg_str_to_u64(node->text, &number) && number >= 1 && number <= FG_LIMIT_MAX_AT_ONCE) {
		value->concurrency = (int)number;
	} else if (!fg_limit_parse_rate(node->text, &value->limit)) {
		value->limit.count = BROKEN;
		fg_conf_error(conf, node, "expected " RATE_FORM ", or a number for concurrency, found " FG_STR_FMT,
		    FG_STR_ARG(fg_conf_quote(conf, node->text)));
	}
}

static const struct fg_conf_key override_keys[] = {
    {"rate", FG_CONF_CUSTOM, FG_CONF_AT(struct override_value, limit), .parse = parse_rate, .form = RATE_FORM,
	.schema = "\"type\": \"string\"", .help = "in place of the limit's"},
    {"burst", FG_CONF_INT, FG_CONF_AT(struct override_value, limit.burst), .min = 1, .max = FG_LIMIT_MAX_COUNT,
	.shown_preset = "the count of the rate", .help = "in place of the limit's"},
    {"concurrency", FG_CONF_INT, FG_CONF_AT(struct override_value, concurrency), .min = 1, .max = FG_LIMIT_MAX_AT_ONCE,
	.help = "in place of the limit's"},
    {NULL},
};
static const struct fg_conf_key override_value_name = {
    "VALUE", FG_CONF_STRING, FG_CONF_AT(struct override_value, value), .help = "of the variable"};
static const struct fg_conf_key override_value = {"VALUE", FG_CONF_SECTION, FG_CONF_IN(struct override_value),
    .keys = override_keys, .parse = parse_override, .form = "a rate, or a number at once", .schema = "\"type\": [\"string\", \"integer\"]",
    .help = "what holds then"};
static const struct fg_conf_key override_group_name = {"VARIABLE", FG_CONF_CUSTOM, FG_CONF_AT(struct override_group, var),
    .parse = fg_value_parse_var, .form = "a request variable", .schema = "\"type\": \"string\"", .help = "looked at in this order"};
static const struct fg_conf_key override_group = {"VARIABLE", FG_CONF_MAP,
    FG_CONF_ARRAY(struct override_group, values, count, struct override_value), .max = FG_MAX_LIMIT_OVERRIDES,
    .item_name = &override_value_name, .item = &override_value, .help = "by the value it has"};

/* ---- all together */

static bool
is_bucket(const struct fg_limit *limit)
{
	return limit->algorithm == FG_LIMIT_TOKEN_BUCKET;
}

/* Rate or concurrency of the policy itself, or of an override of it, made a limit. at: where it stands. */
static void
finish_limit(struct fg_conf *conf, const struct fg_conf_node *at, const struct fg_limit_policy *policy, struct fg_limit *limit,
    int concurrency)
{
	limit->zone = policy->limit.zone;
	limit->algorithm = policy->limit.algorithm;
	if (policy->concurrency > 0) {
		limit->algorithm = FG_LIMIT_CONCURRENCY;
		limit->count = concurrency;
		limit->period = policy->lease;
	} else if (limit->calendar != FG_LIMIT_PLAIN && limit->algorithm != FG_LIMIT_FIXED_WINDOW) {
		fg_conf_error(conf, at, "week and month are for algorithm: fixed-window; write 7d or 30d");
		limit->calendar = FG_LIMIT_PLAIN;
	}
	if (is_bucket(limit) && limit->burst == 0)
		limit->burst = limit->count;
	if (limit->algorithm == FG_LIMIT_FIXED_WINDOW && limit->zone != NULL && limit->period == DAY_US)
		limit->calendar = FG_LIMIT_DAY;
	if (!fg_limit_init(limit))
		fg_conf_error(conf, at, is_bucket(limit)
			? "is out of range: the count is 1 to 67108863, the period 1ms to 366d, and an empty bucket full after 3660d"
			: "is out of range: the count is 1 to 67108863, the period 1ms to 366d");
	else if (policy->cost_var == NULL && policy->cost > (is_bucket(limit) ? limit->burst : limit->count))
		fg_conf_error(conf, at, "no request would ever be allowed: its cost is more than %s",
		    is_bucket(limit) ? "the burst" : "the count");
}

static bool
has_burst(const struct fg_limit_policy *policy)
{
	return policy->concurrency == 0 && is_bucket(&policy->limit);
}

static bool
is_rate_given(const struct override_value *value)
{
	return value->limit.count != 0 || value->limit.period != 0;
}

/* The rate is then the limit's. */
static bool
is_burst_alone(const struct fg_limit_policy *policy, const struct override_value *value)
{
	return has_burst(policy) && value->limit.burst > 0 && value->concurrency == 0 && !is_rate_given(value);
}

static void
take_rate(struct fg_limit *limit, const struct fg_limit *from)
{
	limit->count = from->count;
	limit->period = from->period;
}

static bool
gives_what_the_limit_does(const struct fg_limit_policy *policy, const struct override_value *value)
{
	if (policy->concurrency > 0)
		return value->concurrency > 0 && !is_rate_given(value);
	return value->concurrency == 0 && (is_rate_given(value) || is_burst_alone(policy, value));
}

static void
finish_overrides(struct fg_conf *conf, const struct fg_conf_node *node, struct draft *draft)
{
	struct fg_limit_policy *policy = &draft->policy;
	const struct fg_conf_node *at = fg_conf_get(node, "overrides");
	size_t count = 0;

	for (size_t i = 0; i < draft->group_count; i++)
		count += draft->groups[i].count;
	policy->overrides = FG_ARENA_ARRAY(conf->arena, struct fg_limit_override, count);
	for (size_t i = 0; i < draft->group_count; i++) {
		for (size_t k = 0; k < draft->groups[i].count; k++) {
			struct override_value *value = &draft->groups[i].values[k];
			struct fg_limit_override *override = &policy->overrides[policy->override_count++];

			*override = (struct fg_limit_override){.var = draft->groups[i].var, .value = value->value, .limit = value->limit};
			if (value->limit.count == BROKEN)
				continue;
			if (is_burst_alone(policy, value))
				take_rate(&override->limit, &policy->limit);
			if (!gives_what_the_limit_does(policy, value))
				fg_conf_error(conf, at, "the value " FG_STR_FMT " has to give a %s as the limit does",
				    FG_STR_ARG(fg_conf_quote(conf, value->value)), policy->concurrency > 0 ? "concurrency" : "rate");
			else if (value->limit.burst > 0 && !has_burst(policy))
				fg_conf_error(conf, at, "the value " FG_STR_FMT " gives a burst, which goes with algorithm: token-bucket alone",
				    FG_STR_ARG(fg_conf_quote(conf, value->value)));
			else
				finish_limit(conf, at, policy, &override->limit, value->concurrency);
			fg_limit_id(override->id, policy->policy.name, &override->limit);
		}
	}
}

/* Keys that mean something to some limits alone. */
static void
check_fitting(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_limit_policy *policy)
{
	const struct {
		const char *key, *wants;
		bool fits;
	} rows[] = {
	    {"burst", "algorithm: token-bucket", has_burst(policy)},
	    {"timezone", "algorithm: fixed-window", policy->concurrency == 0 && policy->limit.algorithm == FG_LIMIT_FIXED_WINDOW},
	    {"algorithm", "a rate", policy->concurrency == 0},
	    {"lease", "concurrency", policy->concurrency > 0},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++)
		if (!rows[i].fits && fg_conf_get(node, rows[i].key) != NULL)
			fg_conf_error(conf, fg_conf_get(node, rows[i].key), "goes with %s alone", rows[i].wants);
}

void
fg_limit_policy_check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const struct fg_var by_ip = {.kind = FG_VAR_IP};
	struct draft *draft = out;
	struct fg_limit_policy *policy = &draft->policy;
	const struct fg_conf_node *rate = fg_conf_get(node, "rate"), *by = fg_conf_get(node, "by");
	size_t before = conf->mistake_count;
	struct fg_clock clock;

	(void)key;
	/* Something else than a map: that is said. */
	if (node->kind != FG_CONF_NODE_MAP)
		return;
	/* Nothing in common could mean all together. */
	if (by != NULL && by->kind == FG_CONF_NODE_LIST && by->count == 0)
		fg_conf_error(conf, by, "is empty; all requests together are counted by: route, each client by itself by: ip");
	if (policy->by_count == 0) {
		policy->by = &by_ip;
		policy->by_count = 1;
	}
	if ((rate != NULL) == (fg_conf_get(node, "concurrency") != NULL))
		fg_conf_error_at_name(conf, node, "needs rate or concurrency, one of them");
	check_fitting(conf, node, policy);
	if (!fg_str_eq(policy->timezone, FG_STR("UTC"))) {
		fg_clock_read(&clock);
		policy->limit.zone = fg_zone_load(policy->timezone, clock.wall, conf->arena);
		if (policy->limit.zone == NULL)
			fg_conf_error(conf, fg_conf_get(node, "timezone"), "this system knows no time zone " FG_STR_FMT,
			    FG_STR_ARG(fg_conf_quote(conf, policy->timezone)));
	}
	if (conf->mistake_count > before || policy->limit.count == BROKEN || (rate != NULL && rate->is_broken) ||
	    (rate == NULL && policy->concurrency == 0))
		return;
	finish_limit(conf, rate != NULL ? rate : fg_conf_get(node, "concurrency"), policy, &policy->limit, policy->concurrency);
	fg_limit_id(policy->id, policy->policy.name, &policy->limit);
	if (draft->group_count > 0 && conf->mistake_count == before)
		finish_overrides(conf, node, draft);
}

/* ---- keys */

static const struct fg_conf_choice algorithm_choices[] = {{"token-bucket", FG_LIMIT_TOKEN_BUCKET},
    {"sliding-window", FG_LIMIT_SLIDING_WINDOW}, {"fixed-window", FG_LIMIT_FIXED_WINDOW}, {NULL, 0}};
static const struct fg_conf_choice failure_choices[] = {
    {"local", FG_LIMIT_FAIL_LOCAL}, {"allow", FG_LIMIT_FAIL_ALLOW}, {"deny", FG_LIMIT_FAIL_DENY}, {NULL, 0}};
static const struct fg_conf_choice mode_choices[] = {{"enforce", false}, {"observe", true}, {NULL, 0}};
static const struct fg_conf_choice header_choices[] = {{"standard", FG_LIMIT_HEADERS_STANDARD},
    {"legacy", FG_LIMIT_HEADERS_LEGACY}, {"both", FG_LIMIT_HEADERS_STANDARD | FG_LIMIT_HEADERS_LEGACY},
    {"off", FG_LIMIT_HEADERS_OFF}, {NULL, 0}};

const struct fg_conf_key fg_limit_by_item = {"VARIABLE", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_var), .parse = fg_value_parse_var,
    .form = "a request variable (consumer, ip, claim:NAME, header:NAME, …)", .schema = "\"type\": \"string\"",
    .help = "absent: the client's address instead"};

const struct fg_conf_key fg_limit_policy_keys[] = {
    {"rate", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_limit_policy, limit), .parse = parse_rate, .form = RATE_FORM,
	.schema = "\"type\": \"string\", \"pattern\": \"^[0-9]+/([0-9]+(ms|s|m|h|d)|week|month)$|\\\\$\\\\{\"",
	.help = "how many in how long"},
    {"burst", FG_CONF_INT, FG_CONF_AT(struct fg_limit_policy, limit.burst), .min = 1, .max = FG_LIMIT_MAX_COUNT,
	.shown_preset = "the count of the rate", .help = "how many may come at once (token-bucket)"},
    {"concurrency", FG_CONF_INT, FG_CONF_AT(struct fg_limit_policy, concurrency), .min = 1, .max = FG_LIMIT_MAX_AT_ONCE,
	.help = "instead of a rate: how many may be in flight at once"},
    {"lease", FG_CONF_DURATION, FG_CONF_AT(struct fg_limit_policy, lease), .min = FG_US_PER_S, .max = INT64_C(3600) * FG_US_PER_S,
	.preset = "30s", .help = "with concurrency: after this long, and at most a third more, what a dead worker held is free again"},
    {"by", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_limit_policy, by, by_count, struct fg_var), .flags = FG_CONF_OR_ONE,
	.max = FG_MAX_LIMIT_PARTS, .item = &fg_limit_by_item, .shown_preset = "ip", .help = "each combination of their values is counted apart"},
    {"algorithm", FG_CONF_ENUM, FG_CONF_AT(struct fg_limit_policy, limit.algorithm), .choices = algorithm_choices,
	.preset = "token-bucket", .help = "how a rate is counted"},
    {"cost", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_limit_policy, cost), .parse = parse_cost, .preset = "1",
	.form = "a number, or a request variable", .schema = "\"type\": [\"integer\", \"string\"]",
	.help = "what a request counts; of a variable that is absent or no number, 1"},
    {"timezone", FG_CONF_STRING, FG_CONF_AT(struct fg_limit_policy, timezone), .preset = "UTC", .max = 100,
	.form = "a time zone (Europe/Berlin)", .help = "whose days, weeks and months fixed windows follow"},
    {"overrides", FG_CONF_MAP, FG_CONF_ARRAY(struct draft, groups, group_count, struct override_group), .max = FG_MAX_LIMIT_OVERRIDES,
	.item_name = &override_group_name, .item = &override_group,
	.help = "other numbers for some: {claim:plan: {gold: 1000/1m}}; the first that fits holds"},
    {"on-store-failure", FG_CONF_ENUM, FG_CONF_AT(struct fg_limit_policy, on_failure), .choices = failure_choices,
	.preset = "local", .help = "local: this host's share is enforced here meanwhile; deny: 503"},
    {"mode", FG_CONF_ENUM, FG_CONF_AT(struct fg_limit_policy, is_observed), .choices = mode_choices, .preset = "enforce",
	.help = "observe: counted and logged, never refused, shown to nobody"},
    {"headers", FG_CONF_ENUM, FG_CONF_AT(struct fg_limit_policy, headers), .choices = header_choices, .preset = "standard",
	.help = "standard: RateLimit and RateLimit-Policy; legacy: X-RateLimit-*"},
    {NULL},
};
