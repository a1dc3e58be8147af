/*
 * The authenticator `introspection`: asks the provider about a token that only it can read (RFC 7662). Its answer is kept for a
 * while, by the token's hash; those who bring one token at once ask once.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/list.h"
#include "core/config.h"
#include "core/fetch.h"
#include "filter/authenticator.h"
#include "filter/filter_list.h"
#include "http/uri.h"
#include "token/api_key.h"
#include "token/b64url.h"
#include "token/claims.h"

enum { WAYS = 4 };

struct introspection_conf {
	struct fg_auth_policy auth;
	struct fg_str url_text;
	struct fg_fetch_url url;
	bool allow_http;
	struct fg_str ca, client_id, client_secret, credentials; /* "Basic …" */
	fg_usec cache, timeout;
	int entries;
	const struct fg_str *audiences;
	size_t audience_count;
	struct fg_str consumer;
};

_Static_assert(sizeof(struct introspection_conf) <= FG_AUTH_CONF_BYTES, "the frame's room for it");

/* What the provider has said of a token. */
struct answer {
	struct fg_api_key_hash token;
	fg_usec until;       /* monotonic; 0: free */
	struct fg_json *doc; /* owned; NULL: it is not active */
};

struct introspection_policy {
	struct fg_gateway *gw;
	const struct introspection_conf *conf; /* NULL: not of this type */
	struct answer *answers;                /* sets of WAYS, by hash */
	size_t sets;
	struct flight *flights;
	size_t flight_count;
};

struct introspection_state {
	size_t count;
	struct introspection_policy policies[]; /* by the policy's index */
};

/* A request that waits for an answer. */
struct waiting {
	struct fg_link link;
	struct flight *flight; /* NULL: it has its answer */
	struct fg_auth_attempt *attempt;
	struct fg_await *await;
	const struct introspection_policy *mine;
	enum fg_err err;     /* FG_OK: doc says it */
	struct fg_json *doc; /* a reference; NULL: not active */
};

/* A question that is out. */
struct flight {
	struct flight *next;
	struct introspection_policy *mine;
	struct fg_api_key_hash token;
	struct fg_fetch *fetch;
	struct fg_link waiting;
};

static const struct introspection_conf *
conf_of(const struct fg_auth_policy *policy)
{
	return (const void *)policy;
}

/* ---- answers that are kept */

static struct answer *
set_of(const struct introspection_policy *mine, const struct fg_api_key_hash *token)
{
	uint64_t hash;

	memcpy(&hash, token->bytes, sizeof(hash));
	return &mine->answers[hash % mine->sets * WAYS];
}

static void
answer_clear(struct answer *answer)
{
	fg_json_release(answer->doc);
	*answer = (struct answer){.until = 0};
}

static struct answer *
recall(const struct introspection_policy *mine, const struct fg_api_key_hash *token, fg_usec now)
{
	struct answer *set = mine->sets == 0 ? NULL : set_of(mine, token);

	for (size_t i = 0; set != NULL && i < WAYS; i++)
		if (set[i].until > now && fg_api_key_hash_eq(&set[i].token, token))
			return &set[i];
	return NULL;
}

/* The one of its set that ends first makes room. */
static void
remember(struct introspection_policy *mine, const struct fg_api_key_hash *token, struct fg_json *doc, fg_usec until)
{
	struct answer *set, *place;

	if (mine->sets == 0)
		return;
	place = set = set_of(mine, token);
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].until < place->until)
			place = &set[i];
	answer_clear(place);
	*place = (struct answer){*token, until, doc == NULL ? NULL : fg_json_hold(doc)};
}

/* ---- what an answer means */

static void
release_doc(void *held)
{
	fg_json_release(held);
}

static bool
has_audience(const struct introspection_conf *conf, const struct fg_json_node *root)
{
	const struct fg_json_node *aud = fg_json_member(root, FG_STR("aud"));

	for (size_t i = 0; i < conf->audience_count; i++)
		if (fg_claim_has(aud, conf->audiences[i]))
			return true;
	return conf->audience_count == 0;
}

/* doc NULL: not active. Takes a reference of its own. */
static enum fg_auth_verdict
judge(struct fg_auth_attempt *attempt, const struct introspection_conf *conf, struct fg_json *doc)
{
	const struct fg_json_node *root;
	struct fg_identity *identity;
	struct fg_str consumer;

	if (doc == NULL)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_TOKEN_INACTIVE, "the provider says that it is not active");
	root = fg_json_root(doc);
	if (!has_audience(conf, root))
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_TOKEN_AUDIENCE_WRONG, "aud has none of ours, or is missing");
	consumer = fg_claim_text(fg_claim_find(root, conf->consumer));
	if (consumer.len == 0)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_TOKEN_CLAIM_MISSING, "the member that names the consumer is missing");
	identity = FG_ARENA_NEW(&attempt->x->arena, struct fg_identity);
	identity->consumer = fg_arena_str(&attempt->x->arena, consumer);
	identity->claims = (struct fg_claims){fg_auth_json_claim, root};
	attempt->held = fg_json_hold(doc);
	attempt->release = release_doc;
	return fg_auth_accept(attempt, identity);
}

/* Wall time; FG_NEVER where the answer does not say. False: what it says is no time. */
static bool
read_end(const struct fg_json_node *root, fg_usec *end)
{
	bool has_exp;

	*end = FG_NEVER;
	return fg_claim_time(root, FG_STR("exp"), end, &has_exp);
}

/* FG_OK, *doc with a reference; NULL: not active. */
static enum fg_err
read_answer(const struct fg_fetch_answer *answer, struct fg_json **doc)
{
	static const struct fg_json_bounds bounds = {FG_MAX_INTROSPECTION_BYTES, FG_MAX_TOKEN_DEPTH, FG_MAX_TOKEN_NODES};
	const struct fg_json_node *active;
	bool is_answer;
	fg_usec end;

	*doc = NULL;
	if (answer->err != FG_OK || answer->status != 200 || fg_json_parse(doc, answer->body, &bounds, NULL) != FG_OK)
		return FG_ERR_INTROSPECTION_UNAVAILABLE;
	active = fg_json_member(fg_json_root(*doc), FG_STR("active"));
	if (active != NULL && active->type == FG_JSON_TRUE && read_end(fg_json_root(*doc), &end))
		return FG_OK;
	/* Anything but true or false is no answer, nor is one with an end that is no time (RFC 7662 §2.2). */
	is_answer = active != NULL && active->type == FG_JSON_FALSE;
	fg_json_release(*doc);
	*doc = NULL;
	return is_answer ? FG_OK : FG_ERR_INTROSPECTION_UNAVAILABLE;
}

/* ---- asking */

static void
wait_remove(struct waiting *w)
{
	fg_list_remove(&w->link);
	w->flight = NULL;
}

static void
flight_free(struct flight *flight)
{
	struct flight **at = &flight->mine->flights;

	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	flight->mine->flight_count--;
	free(flight);
}

static void
on_answer(void *arg, const struct fg_fetch_answer *answer)
{
	struct flight *flight = arg;
	struct introspection_policy *mine = flight->mine;
	const struct fg_clock *now = fg_loop_clock(mine->gw->loop);
	struct fg_json *doc = NULL;
	enum fg_err err = read_answer(answer, &doc);
	fg_usec span = mine->conf->cache, end;

	if (err == FG_OK && doc != NULL && read_end(fg_json_root(doc), &end)) {
		span = end - now->wall < span ? end - now->wall : span;
		if (end <= now->wall) {
			fg_json_release(doc);
			doc = NULL;
		}
	}
	/* Failures are never kept. */
	if (err == FG_OK && span > 0)
		remember(mine, &flight->token, doc, now->mono + span);
	while (!fg_list_is_empty(&flight->waiting)) {
		struct waiting *w = FG_CONTAINER_OF(flight->waiting.next, struct waiting, link);

		wait_remove(w);
		w->err = err;
		w->doc = doc == NULL ? NULL : fg_json_hold(doc);
		fg_await_done(w->attempt->x, w->await);
	}
	fg_json_release(doc);
	flight_free(flight);
}

static struct flight *
find_flight(const struct introspection_policy *mine, const struct fg_api_key_hash *token)
{
	struct flight *flight = mine->flights;

	while (flight != NULL && !fg_api_key_hash_eq(&flight->token, token))
		flight = flight->next;
	return flight;
}

static struct flight *
start_flight(struct introspection_policy *mine, const struct fg_api_key_hash *token, struct fg_str text, struct fg_arena *arena)
{
	const struct introspection_conf *conf = mine->conf;
	const struct fg_call_header headers[] = {{FG_STR("Authorization"), conf->credentials}, {FG_STR("Accept"), FG_STR("application/json")},
	    {FG_STR("User-Agent"), FG_STR("faregate")}, {FG_STR("Content-Type"), FG_STR("application/x-www-form-urlencoded")}};
	struct fg_fetch_spec spec = {.url = &conf->url, .method = FG_STR("POST"), .headers = headers,
	    .header_count = FG_ARRAY_LEN(headers), .max_body = FG_MAX_INTROSPECTION_BYTES, .deadline = conf->timeout};
	struct flight *flight = calloc(1, sizeof(*flight));

	FG_ASSERT(flight != NULL);
	spec.body = FG_ARENA_CONCAT(arena, FG_STR("token="), fg_uri_encode(text, arena), FG_STR("&token_type_hint=access_token"));
	flight->mine = mine;
	flight->token = *token;
	fg_list_init(&flight->waiting);
	flight->next = mine->flights;
	mine->flights = flight;
	mine->flight_count++;
	flight->fetch = fg_fetch_start(mine->gw, &spec, on_answer, flight);
	return flight;
}

static enum fg_auth_verdict
after_answer(struct fg_auth_attempt *attempt, void *arg)
{
	struct waiting *w = arg;
	enum fg_auth_verdict verdict;

	if (w->err != FG_OK)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, w->err, "the provider gave no answer that can be used");
	verdict = judge(attempt, w->mine->conf, w->doc);
	fg_json_release(w->doc);
	return verdict;
}

/* The question goes on: its answer is kept for the next one. */
static void
give_up(void *arg)
{
	struct waiting *w = arg;

	if (w->flight != NULL)
		wait_remove(w);
}

static void
discard(void *arg)
{
	fg_json_release(((struct waiting *)arg)->doc);
}

static enum fg_auth_verdict
ask(struct introspection_policy *mine, struct fg_auth_attempt *attempt, const struct fg_api_key_hash *token, struct fg_str text)
{
	struct waiting *w = FG_ARENA_NEW(&attempt->x->arena, struct waiting);
	struct flight *flight = find_flight(mine, token);

	if (mine->gw->client == NULL)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_INTROSPECTION_UNAVAILABLE, "the provider is not asked here");
	if (flight == NULL && mine->flight_count == FG_MAX_INTROSPECTIONS)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_OVERLOADED, "too many questions are out");
	if (flight == NULL)
		flight = start_flight(mine, token, text, &attempt->x->arena);
	*w = (struct waiting){.flight = flight, .attempt = attempt, .mine = mine};
	fg_list_add(&flight->waiting, &w->link);
	attempt->discard = discard;
	return fg_auth_await(attempt, "the token's provider", after_answer, give_up, w, &w->await);
}

static enum fg_auth_verdict
look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
{
	struct introspection_state *state = attempt->state;
	struct introspection_policy *mine = &state->policies[policy->policy.index];
	struct fg_api_key_hash token;
	struct answer *answer;
	struct fg_str text;
	enum fg_auth_verdict verdict = fg_auth_find(attempt, FG_ERR_TOKEN_MISSING, &text);

	if (verdict != FG_AUTH_ACCEPTED)
		return verdict;
	if (text.len > FG_MAX_TOKEN_BYTES)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_TOKEN_TOO_LARGE, NULL);
	fg_api_key_hash(&token, text);
	answer = recall(mine, &token, fg_loop_clock(attempt->x->gw->loop)->mono);
	return answer != NULL ? judge(attempt, mine->conf, answer->doc) : ask(mine, attempt, &token, text);
}

/* ---- a worker */

static void *
worker_start(struct fg_gateway *gw, void *shared)
{
	const struct fg_policies *policies = fg_config_policies(gw->config, &fg_filter_auth);
	struct introspection_state *state = calloc(1, sizeof(*state) + policies->count * sizeof(state->policies[0]));

	(void)shared;
	FG_ASSERT(state != NULL);
	state->count = policies->count;
	for (size_t i = 0; i < policies->count; i++) {
		const struct fg_auth_policy *policy = policies->v[i];
		struct introspection_policy *mine = &state->policies[i];

		if (policy->type != FG_AUTH_TYPE_INTROSPECTION)
			continue;
		mine->gw = gw;
		mine->conf = conf_of(policy);
		mine->sets = mine->conf->cache > 0 ? ((size_t)mine->conf->entries + WAYS - 1) / WAYS : 0;
		mine->answers = calloc(mine->sets * WAYS + 1, sizeof(*mine->answers));
		FG_ASSERT(mine->answers != NULL);
	}
	return state;
}

static void
worker_stop(void *arg)
{
	struct introspection_state *state = arg;

	for (size_t i = 0; i < state->count; i++) {
		struct introspection_policy *mine = &state->policies[i];

		while (mine->flights != NULL) {
			fg_fetch_cancel(mine->flights->fetch);
			flight_free(mine->flights);
		}
		for (size_t k = 0; k < mine->sets * WAYS; k++)
			answer_clear(&mine->answers[k]);
		free(mine->answers);
	}
	free(state);
}

/* ---- the configuration */

static struct fg_str
base64(struct fg_str text, struct fg_arena *arena)
{
	size_t len = fg_b64url_encoded_size(text.len), padded = (text.len + 2) / 3 * 4;
	char *out = fg_arena_alloc(arena, padded + 1);

	fg_b64url_encode(out, text.p, text.len);
	for (size_t i = 0; i < len; i++)
		out[i] = out[i] == '-' ? '+' : out[i] == '_' ? '/' : out[i];
	memset(out + len, '=', padded - len);
	return (struct fg_str){out, padded};
}

static void
check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct introspection_conf *mine = out;
	const struct fg_conf_node *url = fg_conf_get(node, "url");
	struct fg_str pair;

	(void)key;
	if (mine->url_text.len == 0 || mine->client_id.len == 0 || mine->client_secret.len == 0)
		return;
	if (fg_fetch_url_parse(&mine->url, mine->url_text, mine->ca.len > 0 ? mine->ca.p : NULL, mine->timeout, conf->arena) != FG_OK)
		fg_conf_error(conf, url, FG_STR_FMT " is not a URL: write https://HOST[:PORT]/PATH",
		    FG_STR_ARG(fg_conf_quote(conf, mine->url_text)));
	else if (!mine->url.is_tls && !mine->allow_http && !fg_fetch_url_is_local(&mine->url))
		fg_conf_error(conf, url, "over http everybody on the way sees tokens and secret; write https://, or allow-http: true");
	/* RFC 6749 §2.3.1: both are encoded as in forms first. */
	pair = FG_ARENA_CONCAT(&conf->scratch, fg_uri_encode(mine->client_id, &conf->scratch), FG_STR(":"),
	    fg_uri_encode(mine->client_secret, &conf->scratch));
	mine->credentials = FG_ARENA_CONCAT(conf->arena, FG_STR("Basic "), base64(pair, &conf->scratch));
}

static const struct fg_conf_choice type_choice[] = {{"introspection", FG_AUTH_TYPE_INTROSPECTION}, {NULL, 0}};
static const struct fg_conf_key audience_item = {"AUDIENCE", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .help = "one of ours"};

const struct fg_conf_key fg_auth_introspection_keys[] = {
    FG_AUTH_KEYS(struct introspection_conf, type_choice, "false"),
    FG_AUTH_FROM_KEY(struct introspection_conf, "header:Authorization"),
    {"url", FG_CONF_STRING, FG_CONF_AT(struct introspection_conf, url_text), .flags = FG_CONF_REQUIRED, .max = 2048, .form = "a URL",
	.help = "the provider's introspection endpoint (RFC 7662)"},
    {"client-id", FG_CONF_STRING, FG_CONF_AT(struct introspection_conf, client_id), .flags = FG_CONF_REQUIRED, .max = 256,
	.help = "as whom the gateway asks"},
    {"client-secret", FG_CONF_CUSTOM, FG_CONF_AT(struct introspection_conf, client_secret), .flags = FG_CONF_REQUIRED,
	.parse = fg_conf_parse_secret, .form = FG_CONF_SECRET_FORM, .schema = "\"type\": \"string\"",
	.help = "sent as Basic (client_secret_basic)"},
    {"audience", FG_CONF_LIST, FG_CONF_ARRAY(struct introspection_conf, audiences, audience_count, struct fg_str),
	.flags = FG_CONF_OR_ONE, .max = 32, .item = &audience_item, .shown_preset = "any, which the provider answers for",
	.help = "aud of the answer has one of these"},
    {"cache", FG_CONF_DURATION, FG_CONF_AT(struct introspection_conf, cache), .min = 0, .max = INT64_C(3600) * FG_US_PER_S, .word = "off",
	.word_value = 0, .preset = "60s",
	.help = "an answer is kept so long, never past exp: so long a token that was taken back goes on"},
    {"entries", FG_CONF_INT, FG_CONF_AT(struct introspection_conf, entries), .min = 4, .max = 1000000, .preset = "10000",
	.help = "answers kept in each worker"},
    {"timeout", FG_CONF_DURATION, FG_CONF_AT(struct introspection_conf, timeout), .min = 10 * FG_US_PER_MS, .max = 60 * FG_US_PER_S,
	.preset = "5s", .help = "for the answer; then 503 introspection_unavailable"},
    {"allow-http", FG_CONF_BOOL, FG_CONF_AT(struct introspection_conf, allow_http), .preset = "false",
	.help = "true asks over http, where tokens and secret can be read on the way"},
    {"ca", FG_CONF_STRING, FG_CONF_AT(struct introspection_conf, ca), .check = fg_auth_check_ca, .form = "a file",
	.shown_preset = "the system's", .help = "certificates (PEM) that the provider's may be signed by"},
    {"consumer", FG_CONF_STRING, FG_CONF_AT(struct introspection_conf, consumer), .max = 256,
	.form = "a member of the answer", .preset = "sub",
	.help = "says who is calling: what limits, log and the variable consumer go by"},
    {NULL},
};

const struct fg_authenticator fg_authenticator_introspection = {
    .type = "introspection",
    .scheme = FG_STR_INIT("Bearer"),
    .check = check,
    .challenge = fg_auth_bearer_challenge,
    .look = look,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
};
