/* What a service does about targets that fail, and which of them gets a request: balance, breaker, health, retry. */
#include "core/config_internal.h"
#include "core/limit_policy.h"
#include "http/uri.h"

#define ONE_DAY (INT64_C(86400) * FG_US_PER_S)
#define FAILURES_FORM "a list of connect, timeout, reset, invalid and statuses"
#define FAILURES_SCHEMA "\"type\": [\"string\", \"integer\", \"array\"], \"items\": {\"type\": [\"string\", \"integer\"]}"
#define RANGE_SCHEMA "\"type\": [\"string\", \"integer\"]"

/* ---- values */

void
fg_config_parse_percent(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	uint64_t number = 0;
	struct fg_str text;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	if (!fg_str_ends_with(text, FG_STR("%")) || !fg_str_to_u64(fg_str_slice(text, 0, text.len - 1), &number) || number > 100 ||
	    (int64_t)number < key->min)
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT FG_STR_FMT, key->form, FG_STR_ARG(fg_conf_quote(conf, text)),
		    FG_STR_ARG(fg_str_to_u64(text, &number) ? fg_arena_printf(&conf->scratch, "; write " FG_STR_FMT "%%", FG_STR_ARG(text))
							    : FG_STR("")));
	*(int *)out = number > 100 ? 100 : (int)number;
}

static bool
add_failure(struct fg_failure_set *set, struct fg_str word)
{
	static const struct {
		struct fg_str word;
		enum fg_failure failure;
	} words[] = {
	    {FG_STR_INIT("connect"), FG_FAILURE_CONNECT},
	    {FG_STR_INIT("timeout"), FG_FAILURE_TIMEOUT},
	    {FG_STR_INIT("reset"), FG_FAILURE_RESET},
	    {FG_STR_INIT("invalid"), FG_FAILURE_INVALID},
	};
	uint64_t status;

	for (size_t i = 0; i < FG_ARRAY_LEN(words); i++)
		if (fg_str_eq(word, words[i].word)) {
			set->kinds |= 1u << words[i].failure;
			return true;
		}
	if (!fg_str_to_u64(word, &status) || status < 400 || status > 599)
		return false;
	set->statuses[(status - 100) / 64] |= UINT64_C(1) << (status - 100) % 64;
	return true;
}

static void
parse_failure(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_failure_set *set)
{
	struct fg_str rest, word;

	if (!fg_conf_want_text(conf, node, FAILURES_FORM, &rest))
		return;
	/* Presets stand in one text. */
	while (fg_str_next(&rest, ',', &word))
		if (!add_failure(set, fg_str_trim(word)))
			fg_conf_error(conf, node, FG_STR_FMT " is neither connect, timeout, reset nor invalid, nor a status from 400 to 599",
			    FG_STR_ARG(fg_conf_quote(conf, word)));
}

static void
parse_failures(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	(void)key;
	if (node->kind == FG_CONF_NODE_MAP)
		fg_conf_error(conf, node, "expected " FAILURES_FORM ", found a map");
	else if (node->kind == FG_CONF_NODE_SCALAR)
		parse_failure(conf, node, out);
	else
		for (const struct fg_conf_node *item = node->first; item != NULL; item = item->next)
			parse_failure(conf, item, out);
}

static void
parse_range(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_status_range *range = out;
	struct fg_str text;
	uint64_t from = 0, to = 0;
	size_t dash;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	dash = fg_str_find(text, '-');
	if (!fg_str_to_u64(fg_str_slice(text, 0, dash), &from) ||
	    (dash < text.len && !fg_str_to_u64(fg_str_slice(text, dash + 1, text.len), &to)) || from < 100 ||
	    (dash < text.len && to < from) || from > 599 || to > 599)
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT, key->form, FG_STR_ARG(fg_conf_quote(conf, text)));
	*range = (struct fg_status_range){(int)from, dash < text.len ? (int)to : (int)from};
}

/* ---- breaker, service-breaker */

void
fg_config_check_breaker(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_service_breaker *breaker = out;
	const struct fg_conf_node *failures = fg_conf_get(node, "failures"), *rate = fg_conf_get(node, "error-rate");
	const struct fg_conf_node *requests = fg_conf_get(node, "requests");

	(void)key;
	if (breaker->conf.open_most < breaker->conf.open_for && fg_conf_get(node, "open-most") != NULL)
		fg_conf_error(conf, fg_conf_get(node, "open-most"), "is shorter than open-for");
	if (breaker->conf.open_most < breaker->conf.open_for)
		breaker->conf.open_most = breaker->conf.open_for;
	if (rate == NULL && requests != NULL)
		fg_conf_error_at_name(conf, requests, "is of no use without error-rate:");
	if (rate == NULL && failures != NULL && fg_str_eq(failures->text, FG_STR("none")))
		fg_conf_error(conf, failures, "nothing would open it; give an error-rate: too, or a number");
}

const struct fg_conf_key fg_config_breaker_keys[] = {
    {"failures", FG_CONF_INT, FG_CONF_AT(struct fg_service_breaker, conf.failures), .min = 1, .max = 10000, .preset = "5",
	.word = "none", .word_value = 0, .help = "in a row, counted over the whole pool, that open it"},
    {"error-rate", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_service_breaker, conf.error_rate), .parse = fg_config_parse_percent,
	.min = 1, .form = "a percentage from 1% to 100%", .schema = FG_CONFIG_PERCENT_SCHEMA, .shown_preset = "none",
	.help = "of all requests within the time that open it; looked at when one fails"},
    {"requests", FG_CONF_INT, FG_CONF_AT(struct fg_service_breaker, conf.requests), .min = 1, .max = 1000000, .preset = "20",
	.help = "within the time; an error-rate of fewer says nothing"},
    {"within", FG_CONF_DURATION, FG_CONF_AT(struct fg_service_breaker, conf.within), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "10s", .help = "the time: what is older no longer counts, for an error-rate a tenth earlier at most"},
    {"open-for", FG_CONF_DURATION, FG_CONF_AT(struct fg_service_breaker, conf.open_for), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "5s", .help = "no request goes there; then one of the pool tries, and when it fails too, twice as long"},
    {"open-most", FG_CONF_DURATION, FG_CONF_AT(struct fg_service_breaker, conf.open_most), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "60s", .help = "however often it has failed"},
    {"on", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_service_breaker, on), .parse = parse_failures,
	.preset = "connect, timeout, reset, invalid, 502, 503, 504", .form = FAILURES_FORM, .schema = FAILURES_SCHEMA,
	.help = "what counts as a failure"},
    {NULL},
};

/* ---- retry */

void
fg_config_check_retry(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_service_retry *retry = out;

	(void)conf;
	(void)node;
	(void)key;
	retry->backoff_most = 10 * retry->backoff;
}

const struct fg_conf_key fg_config_retry_keys[] = {
    {"attempts", FG_CONF_INT, FG_CONF_AT(struct fg_service_retry, attempts), .min = 2, .max = 10, .preset = "2",
	.help = "tries in all, the first among them; each at another target while there is one"},
    {"on", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_service_retry, on), .parse = parse_failures,
	.preset = "connect, timeout, reset, 502, 503, 504", .form = FAILURES_FORM, .schema = FAILURES_SCHEMA,
	.help = "what is tried again, where that is safe: idempotent methods, or nothing was sent yet"},
    {"budget", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_service_retry, budget), .parse = fg_config_parse_percent, .preset = "20%",
	.form = "a percentage", .schema = FG_CONFIG_PERCENT_SCHEMA, .help = "retries (and hedges) of the whole pool, as a part of its requests to this service"},
    {"backoff", FG_CONF_DURATION, FG_CONF_AT(struct fg_service_retry, backoff), .min = 0, .max = 10 * FG_US_PER_S, .preset = "25ms",
	.help = "a retry waits up to this long, drawn at random; twice as long for each further one, ten times at most"},
    {"idempotency-key", FG_CONF_BOOL, FG_CONF_AT(struct fg_service_retry, trusts_idempotency_key), .preset = "false",
	.help = "true: the service does nothing twice that carries the same Idempotency-Key, so any method may be tried again with one"},
    {NULL},
};

/* ---- health */

static void
check_health_path(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *path = out;
	struct fg_uri uri;

	(void)key;
	if (path->p[0] != '/' || fg_uri_parse(&uri, *path, &conf->scratch) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT " is not a path; it begins with /", FG_STR_ARG(fg_conf_quote(conf, *path)));
}

static void
check_health_host(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;
	struct fg_str host;
	unsigned port;

	(void)key;
	if (fg_host_parse(*name, &conf->scratch, &host, &port) != FG_OK)
		fg_conf_error(conf, node, FG_STR_FMT " is not a host name", FG_STR_ARG(fg_conf_quote(conf, *name)));
}

static const struct fg_conf_key status_item = {"STATUS", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_status_range), .parse = parse_range,
    .form = "a status, or a range of them: 200-399", .schema = RANGE_SCHEMA, .help = "that says that all is well"};

const struct fg_conf_key fg_config_health_keys[] = {
    {"path", FG_CONF_STRING, FG_CONF_AT(struct fg_service_health, path), .flags = FG_CONF_REQUIRED, .max = 2048,
	.check = check_health_path, .form = "a path", .help = "what is asked for, with GET"},
    {"every", FG_CONF_DURATION, FG_CONF_AT(struct fg_service_health, every), .min = 10 * FG_US_PER_MS, .max = ONE_DAY,
	.preset = "5s", .help = "one probe of each target, by one worker of the pool"},
    {"timeout", FG_CONF_DURATION, FG_CONF_AT(struct fg_service_health, timeout), .min = FG_US_PER_MS, .max = ONE_DAY,
	.preset = "1s", .help = "until the whole answer is there"},
    {"up-after", FG_CONF_INT, FG_CONF_AT(struct fg_service_health, conf.up_after), .min = 1, .max = 1000, .preset = "2",
	.help = "good probes in a row, and a target that was down is up"},
    {"down-after", FG_CONF_INT, FG_CONF_AT(struct fg_service_health, conf.down_after), .min = 1, .max = 1000, .preset = "3",
	.help = "bad probes in a row, and a target that was up is down"},
    {"status", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_service_health, statuses, status_count, struct fg_status_range),
	.flags = FG_CONF_OR_ONE, .max = 32, .item = &status_item, .preset = "200-399", .help = "that a good answer has"},
    {"body", FG_CONF_STRING, FG_CONF_AT(struct fg_service_health, body), .max = 256, .form = "a text", .shown_preset = "any",
	.help = "stands somewhere in the first 64k of a good answer"},
    {"host", FG_CONF_STRING, FG_CONF_AT(struct fg_service_health, host), .max = 253, .check = check_health_host,
	.form = "a host name", .shown_preset = "the service's, or the target's", .help = "the Host of the probe"},
    {"panic", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_service_health, panic), .parse = fg_config_parse_percent, .preset = "50%",
	.form = "a percentage", .schema = FG_CONFIG_PERCENT_SCHEMA, .help = "when fewer targets are up, with their breakers closed, than this, probes are not believed: they may be wrong"},
    {NULL},
};

/* ---- max-in-flight */

enum { MOST_PLACES = 60000 };

const struct fg_conf_key fg_config_admission_keys[] = {
    {"requests", FG_CONF_INT, FG_CONF_AT(struct fg_admission_conf, most), .flags = FG_CONF_REQUIRED, .min = 1, .max = MOST_PLACES,
	.help = "in flight, of the whole pool"},
    {"queue", FG_CONF_INT, FG_CONF_AT(struct fg_admission_conf, queue), .min = 0, .max = MOST_PLACES, .preset = "0",
	.help = "that wait for a place, of the whole pool; more critical routes go first"},
    {"wait", FG_CONF_DURATION, FG_CONF_AT(struct fg_admission_conf, wait), .min = FG_US_PER_MS, .max = ONE_DAY, .preset = "500ms",
	.help = "for a place, at most"},
    {NULL},
};

void
fg_config_check_admission(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_admission_conf *admission = out;
	const struct fg_conf_node *wait = fg_conf_get(node, "wait");

	(void)key;
	if (wait != NULL && admission->queue == 0)
		fg_conf_error_at_name(conf, wait, "is of no use without queue:");
}

/* A number alone: nobody waits. */
void
fg_config_parse_admission(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_admission_conf *admission = out;
	struct fg_str text;
	uint64_t number;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	if (!fg_str_to_u64(text, &number) || number < 1 || number > MOST_PLACES)
		fg_conf_error(conf, node, "expected a number from 1 to %d, found " FG_STR_FMT, MOST_PLACES,
		    FG_STR_ARG(fg_conf_quote(conf, text)));
	else
		admission->most = (int)number;
}

/* ---- balance */

const struct fg_conf_choice fg_config_balances[] = {{"round-robin", FG_BALANCE_ROUND_ROBIN},
    {"least-requests", FG_BALANCE_LEAST_REQUESTS}, {"hash", FG_BALANCE_HASH}, {NULL, 0}};

const char *
fg_balance_word(enum fg_balance balance)
{
	return fg_config_balances[balance].name;
}

void
fg_config_set_traffic_presets(struct fg_service *service)
{
	static const struct fg_var ip = {.kind = FG_VAR_IP};

	if (service->balance == FG_BALANCE_HASH && service->hash_by_count == 0) {
		service->hash_by = &ip;
		service->hash_by_count = 1;
	}
}
