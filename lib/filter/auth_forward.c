/*
 * The authenticator `forward`: asks a service of one's own over HTTP. 2xx is yes, and its headers say who it is; any other answer
 * below 500 is passed on to the client.
 */
#include "base/buf.h"
#include "base/limits.h"
#include "core/edit.h"
#include "core/fetch.h"
#include "core/value_keys.h"
#include "filter/authenticator.h"
#include "keys/verdict_cache.h"
#include "token/api_key.h"

enum { MAX_SENT = 32, FIXED_HEADERS = 8 };

struct forward_conf {
	struct fg_auth_policy auth;
	struct fg_fetch_url url;
	struct fg_str url_text, ca, consumer;
	const struct fg_str *send;
	size_t send_count;
	fg_usec timeout, connect_timeout, cache;
};

_Static_assert(sizeof(struct forward_conf) <= FG_AUTH_CONF_BYTES, "the frame's room for it");

static const struct forward_conf *
conf_of(const struct fg_auth_policy *policy)
{
	return (const void *)policy; /* which it begins with */
}

/* ---- what it said: names and values of headers, in the exchange's arena */

struct said {
	const struct fg_str *fields;
	size_t count; /* two a header */
};

/* A claim is a header of the answer, all of them that have that name. */
static bool
find_header(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	const struct said *said = source;
	struct fg_str *values = FG_ARENA_ARRAY(arena, struct fg_str, said->count / 2);

	*out = (struct fg_claim_values){values, 0};
	for (size_t i = 0; i + 1 < said->count; i += 2)
		if (fg_str_ieq(said->fields[i], name))
			values[out->count++] = said->fields[i + 1];
	return out->count > 0;
}

static enum fg_auth_verdict
accept(struct fg_auth_attempt *attempt, struct said *said)
{
	const struct forward_conf *conf = conf_of(attempt->policy);
	struct fg_arena *arena = &attempt->x->arena;
	struct fg_identity *identity = FG_ARENA_NEW(arena, struct fg_identity);
	struct fg_claim_values values;

	identity->consumer = attempt->policy->policy.name;
	identity->claims = (struct fg_claims){find_header, said};
	if (conf->consumer.len > 0) {
		if (!find_header(said, conf->consumer, arena, &values) || values.count != 1 || values.v[0].len == 0)
			return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_AUTH_SERVICE_FAILED,
			    "its answer does not have, once, the header that names the consumer");
		identity->consumer = values.v[0];
	}
	return fg_auth_accept(attempt, identity);
}

/* ---- asking */

/* One question. In the exchange's arena. */
struct question {
	struct fg_auth_attempt *attempt;
	struct fg_fetch *fetch; /* NULL: answered */
	struct fg_await *await;
	struct fg_api_key_hash key; /* of all that was sent */
	enum fg_err err;
	int status;
	struct said said;
	struct fg_str body;
};

/* What the client gets of a refusal, besides the body. */
static bool
is_passed_on(struct fg_str name)
{
	static const struct fg_str names[] = {FG_STR_INIT("WWW-Authenticate"), FG_STR_INIT("Location"), FG_STR_INIT("Set-Cookie"),
	    FG_STR_INIT("Cache-Control"), FG_STR_INIT("Retry-After"), FG_STR_INIT("Content-Language")};

	for (size_t i = 0; i < FG_ARRAY_LEN(names); i++)
		if (fg_str_ieq(name, names[i]))
			return true;
	return false;
}

static void
answer(struct fg_auth_attempt *attempt, void *arg)
{
	const struct question *question = arg;
	struct fg_exchange *x = attempt->x;
	struct fg_claim_values type;

	(void)find_header(&question->said, FG_STR("Content-Type"), &x->arena, &type);
	fg_exchange_answer(x, FG_ERR_AUTH_REFUSED, question->status, type.count == 1 ? type.v[0] : FG_STR_NONE, question->body);
	for (size_t i = 0; i + 1 < question->said.count; i += 2)
		if (is_passed_on(question->said.fields[i]))
			(void)!fg_headers_add(&x->resp.headers, question->said.fields[i], question->said.fields[i + 1]);
	fg_exchange_trace(x, "answer", "auth_refused", "%d of the authentication service", question->status);
}

/* Headers that cannot be told on are as if they were not there. */
static struct said
copy_said(const struct fg_headers *headers, struct fg_arena *arena)
{
	struct fg_str *fields = FG_ARENA_ARRAY(arena, struct fg_str, 2 * headers->count);
	struct said said = {fields, 0};

	for (size_t i = 0; i < headers->count; i++) {
		if (!fg_is_token(headers->v[i].name) || !fg_is_field_value(headers->v[i].value))
			continue;
		fields[said.count++] = fg_arena_str(arena, headers->v[i].name);
		fields[said.count++] = fg_arena_str(arena, headers->v[i].value);
	}
	return said;
}

static bool
is_yes(int status)
{
	return status >= 200 && status < 300;
}

static void
on_answer(void *arg, const struct fg_fetch_answer *got)
{
	struct question *question = arg;
	struct fg_auth_attempt *attempt = question->attempt;
	const struct forward_conf *conf = conf_of(attempt->policy);

	question->fetch = NULL;
	question->err = got->err;
	question->status = got->status;
	if (got->err == FG_OK) {
		question->said = copy_said(&got->headers, &attempt->x->arena);
		question->body = fg_arena_str(&attempt->x->arena, got->body);
	}
	if (got->err == FG_OK && is_yes(got->status) && conf->cache > 0 && question->said.count > 0)
		fg_verdict_cache_put(attempt->state, question->key.bytes, fg_loop_clock(attempt->x->gw->loop)->mono,
		    question->said.fields, question->said.count);
	fg_await_done(attempt->x, question->await);
}

static void
on_cancel(void *arg)
{
	struct question *question = arg;

	if (question->fetch != NULL)
		fg_fetch_cancel(question->fetch);
}

static enum fg_auth_verdict
go_on(struct fg_auth_attempt *attempt, void *arg)
{
	struct question *question = arg;

	if (question->err == FG_ERR_SERVICE_TIMEOUT || question->err == FG_ERR_SERVICE_CONNECT_TIMEOUT)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_AUTH_SERVICE_TIMEOUT, NULL);
	if (question->err != FG_OK)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_AUTH_SERVICE_FAILED, fg_err_info(question->err)->title);
	if (is_yes(question->status))
		return accept(attempt, &question->said);
	/* 304 answers a condition that was not put; from 500 on it says that it does not know. */
	if (question->status < 300 || question->status == 304 || question->status >= 500)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_AUTH_SERVICE_FAILED, "its status is neither yes nor no");
	attempt->answer = answer;
	attempt->answer_arg = question;
	return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_AUTH_REFUSED, NULL);
}

/* ---- what is sent */

static void
add_all(struct fg_call_header *headers, size_t *count, const struct fg_exchange *x, struct fg_str name)
{
	for (size_t i = 0; i < x->req.headers.count && *count < MAX_SENT; i++)
		if (fg_str_ieq(x->req.headers.v[i].name, name))
			headers[(*count)++] = (struct fg_call_header){name, x->req.headers.v[i].value};
}

static void
add(struct fg_call_header *headers, size_t *count, const char *name, struct fg_str value)
{
	if (value.len > 0)
		headers[(*count)++] = (struct fg_call_header){fg_str_from(name), value};
}

/* FIXED_HEADERS of our own, then the client's. The path is the one that is decided on, not as the client has spelled it. */
static size_t
collect_headers(struct fg_call_header *headers, const struct forward_conf *conf, struct fg_exchange *x)
{
	const struct fg_request *req = &x->req;
	struct fg_str query = req->uri.has_query ? FG_ARENA_CONCAT(&x->arena, FG_STR("?"), req->uri.query) : FG_STR_NONE;
	size_t count = 0;

	add(headers, &count, "X-Forwarded-Method", req->method);
	add(headers, &count, "X-Forwarded-Uri", FG_ARENA_CONCAT(&x->arena, req->uri.path, query));
	add(headers, &count, "X-Forwarded-Host", req->authority);
	add(headers, &count, "X-Forwarded-Proto", req->scheme);
	add(headers, &count, "X-Forwarded-For", req->client_text);
	add_all(headers, &count, x, FG_STR("Authorization"));
	add_all(headers, &count, x, FG_STR("Cookie"));
	for (size_t i = 0; i < conf->send_count; i++)
		add_all(headers, &count, x, conf->send[i]);
	return count;
}

/* Lengths before texts, so that no two questions have one key. */
static void
make_key(struct fg_api_key_hash *out, const struct forward_conf *conf, const struct fg_call_header *headers, size_t count)
{
	struct fg_buf text;

	fg_buf_init(&text, MAX_SENT * (size_t)FG_MAX_PARAMS_BYTES); /* each has come in parameters */
	fg_buf_add_u64(&text, conf->auth.policy.index);
	for (size_t i = 0; i < count; i++) {
		fg_buf_printf(&text, " " FG_STR_FMT ":%zu:", FG_STR_ARG(headers[i].name), headers[i].value.len);
		fg_buf_add(&text, headers[i].value);
	}
	FG_ASSERT(!text.failed);
	fg_api_key_hash(out, fg_buf_str(&text));
	fg_buf_fini(&text);
}

static bool
find_kept(struct fg_auth_attempt *attempt, const struct forward_conf *conf, struct question *question)
{
	const struct fg_str *fields;
	struct fg_str *copy;
	size_t count;

	if (conf->cache == 0 || !fg_verdict_cache_find(attempt->state, question->key.bytes,
	        fg_loop_clock(attempt->x->gw->loop)->mono, conf->cache, &fields, &count))
		return false;
	copy = FG_ARENA_ARRAY(&attempt->x->arena, struct fg_str, count);
	for (size_t i = 0; i < count; i++)
		copy[i] = fg_arena_str(&attempt->x->arena, fields[i]);
	question->said = (struct said){copy, count};
	return true;
}

static enum fg_auth_verdict
look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
{
	const struct forward_conf *conf = conf_of(policy);
	struct fg_exchange *x = attempt->x;
	struct question *question = FG_ARENA_NEW(&x->arena, struct question);
	struct fg_call_header headers[MAX_SENT + FIXED_HEADERS];
	struct fg_fetch_spec spec = {.url = &conf->url, .method = FG_STR("GET"), .headers = headers,
	    .max_body = FG_MAX_AUTH_ANSWER_BYTES, .deadline = conf->timeout};

	question->attempt = attempt;
	spec.header_count = collect_headers(headers, conf, x);
	if (conf->cache > 0)
		make_key(&question->key, conf, headers, spec.header_count);
	if (find_kept(attempt, conf, question))
		return accept(attempt, &question->said);
	if (x->gw->client == NULL)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_AUTH_SERVICE_FAILED, "the service is not asked from here");
	add(headers, &spec.header_count, "X-Request-Id", x->req.id); /* behind the key: it is another each time */
	question->fetch = fg_fetch_start(x->gw, &spec, on_answer, question);
	return fg_auth_await(attempt, "authentication service", go_on, on_cancel, question, &question->await);
}

/* ---- the configuration */

static void
check_sent(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_str *name = out;

	(void)key;
	if (!fg_edit_may_touch(*name) || fg_str_starts_with(fg_arena_lower(&conf->scratch, *name), FG_STR("x-forwarded-")))
		fg_conf_error(conf, node, FG_STR_FMT " is not a header that can be passed on, or one that the gateway sets itself",
		    FG_STR_ARG(fg_conf_quote(conf, *name)));
}

static void
check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct forward_conf *forward = out;
	struct fg_str ca = forward->ca;

	(void)key;
	if (ca.len > 0)
		ca = fg_conf_resolve(conf, node, ca);
	if (forward->url_text.len > 0 && fg_fetch_url_parse(&forward->url, forward->url_text, ca.len > 0 ? ca.p : NULL,
	        forward->connect_timeout, conf->arena) != FG_OK)
		fg_conf_error(conf, fg_conf_get(node, "url"), FG_STR_FMT " is not http:// or https://HOST[:PORT][/PATH]",
		    FG_STR_ARG(fg_conf_quote(conf, forward->url_text)));
}

static const struct fg_conf_choice types[] = {{"forward", FG_AUTH_TYPE_FORWARD}, {NULL, 0}};
static const struct fg_conf_key send_item = {"HEADER", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .max = 256, .check = check_sent,
    .form = "a header name", .help = "of the client's request"};

const struct fg_conf_key fg_auth_forward_keys[] = {
    FG_AUTH_KEYS(struct forward_conf, types, "false"),
    {"url", FG_CONF_STRING, FG_CONF_AT(struct forward_conf, url_text), .flags = FG_CONF_REQUIRED, .form = "a URL",
	.help = "whom to ask, with GET; 2xx is yes"},
    {"send", FG_CONF_LIST, FG_CONF_ARRAY(struct forward_conf, send, send_count, struct fg_str), .flags = FG_CONF_OR_ONE, .max = 16,
	.item = &send_item, .shown_preset = "none", .help = "headers it gets besides Authorization and Cookie"},
    {"consumer", FG_CONF_STRING, FG_CONF_AT(struct forward_conf, consumer), .max = 256, .check = fg_value_check_header_name,
	.form = "a header name", .shown_preset = "the policy's name for everybody", .help = "of its answer: names the consumer"},
    {"timeout", FG_CONF_DURATION, FG_CONF_AT(struct forward_conf, timeout), .min = FG_US_PER_MS, .max = 60 * FG_US_PER_S,
	.preset = "2s", .help = "of the whole question; then 503 auth_service_timeout"},
    {"connect-timeout", FG_CONF_DURATION, FG_CONF_AT(struct forward_conf, connect_timeout), .min = FG_US_PER_MS,
	.max = 60 * FG_US_PER_S, .preset = "1s", .help = "until connected"},
    {"cache", FG_CONF_DURATION, FG_CONF_AT(struct forward_conf, cache), .min = 0, .max = INT64_C(3600) * FG_US_PER_S, .preset = "0",
	.help = "how long a worker takes yes for an answer to the very same question; 0: it asks each time"},
    {"ca", FG_CONF_STRING, FG_CONF_AT(struct forward_conf, ca), .form = "a file", .shown_preset = "the system's",
	.help = "certificates (PEM) that its own may be signed by"},
    {NULL},
};

const struct fg_authenticator fg_authenticator_forward = {
    .type = "forward",
    .check = check,
    .look = look,
    .worker_start = fg_auth_start_verdicts,
    .worker_stop = fg_auth_stop_verdicts,
};
