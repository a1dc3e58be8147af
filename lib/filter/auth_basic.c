/*
 * The authenticator `basic`: a user and a password (RFC 7617) against an htpasswd file. A password's hash is costly by design,
 * so it is checked on a thread, and what came of it is kept for a while.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "base/limits.h"
#include "core/config.h"
#include "filter/authenticator.h"
#include "filter/filter_list.h"
#include "keys/verdict_cache.h"
#include "token/api_key.h"
#include "token/b64url.h"
#include "token/password.h"

enum { SECRET_BYTES = 32 };

struct basic_conf {
	struct fg_auth_policy auth;
	struct fg_str users; /* text of the file */
	fg_usec cache;
};

_Static_assert(sizeof(struct basic_conf) <= FG_AUTH_CONF_BYTES, "the frame's room for it");

/* Of a worker, for all policies of this type. */
struct basic_state {
	struct fg_loop *loop;
	struct fg_offload *offload;      /* made for the first check */
	struct fg_verdict_cache *cache;
	uint8_t secret[SECRET_BYTES];    /* of this process: what is in the cache says nothing anywhere else */
	struct fg_htpasswd **users;      /* by the policy's index; NULL: of another type */
	size_t user_count;
};

static const struct basic_conf *
conf_of(const struct fg_auth_policy *policy)
{
	return (const void *)policy; /* which it begins with */
}

/* ---- what was sent */

struct credentials {
	struct fg_str user, password; /* in the exchange's arena */
};

/* RFC 4648 §4 read as §5: the alphabets differ in two characters, and in the padding, which says nothing. */
static bool
decode(struct fg_str text, struct fg_arena *arena, struct fg_str *out)
{
	char *url = fg_arena_cstr(arena, text);
	size_t len = text.len;
	uint8_t *bytes;

	while (len > 0 && text.len - len < 2 && url[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		if (url[i] == '-' || url[i] == '_')
			return false;
		url[i] = url[i] == '+' ? '-' : url[i] == '/' ? '_' : url[i];
	}
	*out = (struct fg_str){NULL, fg_b64url_decoded_size(len)};
	bytes = fg_arena_alloc(arena, out->len + 1);
	out->p = (const char *)bytes;
	return fg_b64url_decode(bytes, (struct fg_str){url, len});
}

/* A user has no colon, and nothing that a header or a log could not hold (RFC 7617 §2). */
static bool
parse(struct fg_str text, struct fg_arena *arena, struct credentials *out)
{
	struct fg_str pair;
	size_t colon;

	if (text.len > 2 * FG_MAX_PASSWORD_BYTES || !decode(text, arena, &pair))
		return false;
	colon = fg_str_find(pair, ':');
	out->user = fg_str_slice(pair, 0, colon);
	out->password = fg_str_slice(pair, colon + 1, pair.len);
	return colon > 0 && colon < pair.len && fg_is_field_value(out->user) && out->password.len <= FG_MAX_PASSWORD_BYTES;
}

/* What a verdict depends on. The configuration's file is another after a reload, and so is the process. */
static void
make_key(struct fg_api_key_hash *out, const struct basic_state *state, const struct fg_auth_policy *policy,
    const struct credentials *sent, struct fg_arena *arena)
{
	struct fg_str text = FG_ARENA_CONCAT(arena, (struct fg_str){(const char *)state->secret, SECRET_BYTES},
	    fg_arena_u64(arena, policy->policy.index), FG_STR(":"), sent->user, FG_STR(":"), sent->password);

	fg_api_key_hash(out, text);
}

/* ---- the verdict */

static enum fg_auth_verdict
judge(struct fg_auth_attempt *attempt, struct fg_str user, bool is_right)
{
	struct fg_identity *identity;

	if (!is_right)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_PASSWORD_WRONG, NULL);
	identity = FG_ARENA_NEW(&attempt->x->arena, struct fg_identity);
	identity->consumer = user;
	return fg_auth_accept(attempt, identity);
}

/* One check on a thread. In the exchange's arena. */
struct check {
	struct fg_auth_attempt *attempt;
	struct fg_password_check *running;
	struct fg_await *await;
	struct fg_api_key_hash key;
	struct fg_str user;
	bool is_right;
};

static void
on_checked(bool is_right, void *arg)
{
	static const struct fg_str yes = FG_STR_INIT("yes");
	struct check *check = arg;
	struct basic_state *state = check->attempt->state;

	check->running = NULL;
	check->is_right = is_right;
	fg_verdict_cache_put(state->cache, check->key.bytes, fg_loop_clock(state->loop)->mono, &yes, is_right);
	fg_await_done(check->attempt->x, check->await);
}

static void
on_cancel(void *arg)
{
	struct check *check = arg;

	if (check->running != NULL)
		fg_password_check_cancel(check->running);
}

static enum fg_auth_verdict
go_on(struct fg_auth_attempt *attempt, void *arg)
{
	const struct check *check = arg;

	return judge(attempt, check->user, check->is_right);
}

static enum fg_auth_verdict
start_check(struct fg_auth_attempt *attempt, const struct credentials *sent, const struct fg_api_key_hash *key)
{
	struct basic_state *state = attempt->state;
	struct check *check = FG_ARENA_NEW(&attempt->x->arena, struct check);

	*check = (struct check){.attempt = attempt, .key = *key, .user = sent->user};
	if (state->offload == NULL)
		state->offload = fg_offload_new(state->loop, FG_MAX_PASSWORD_CHECKS);
	check->running = fg_password_check_start(state->offload, state->users[attempt->policy->policy.index], sent->user,
	    sent->password, on_checked, check);
	if (check->running == NULL)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_OVERLOADED, "too many passwords wait to be checked");
	return fg_auth_await(attempt, "password check", go_on, on_cancel, check, &check->await);
}

static enum fg_auth_verdict
look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
{
	const struct basic_conf *conf = conf_of(policy);
	const struct basic_state *state = attempt->state;
	struct fg_arena *arena = &attempt->x->arena;
	struct fg_api_key_hash key;
	struct credentials sent;
	enum fg_auth_verdict verdict;
	const struct fg_str *fields;
	struct fg_str text;
	size_t count;

	verdict = fg_auth_find(attempt, FG_ERR_PASSWORD_MISSING, &text);
	if (verdict != FG_AUTH_ACCEPTED)
		return verdict;
	if (!parse(text, arena, &sent))
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_PASSWORD_WRONG, "it is not user:password in base64");
	make_key(&key, state, policy, &sent, arena);
	if (conf->cache > 0 && fg_verdict_cache_find(state->cache, key.bytes, fg_loop_clock(state->loop)->mono, conf->cache, &fields,
	        &count))
		return judge(attempt, sent.user, count > 0);
	return start_check(attempt, &sent, &key);
}

static struct fg_str
challenge(const struct fg_auth_policy *policy, struct fg_exchange *x, const struct fg_auth_attempt *refused)
{
	(void)refused;
	return FG_ARENA_CONCAT(&x->arena, FG_STR("Basic realm=\""), policy->realm, FG_STR("\", charset=\"UTF-8\""));
}

/* ---- the worker */

static void *
worker_start(struct fg_gateway *gw, void *shared)
{
	const struct fg_policies *policies = fg_config_policies(gw->config, &fg_filter_auth);
	struct basic_state *state = calloc(1, sizeof(*state));
	struct fg_htpasswd_report report;

	(void)shared;
	FG_ASSERT(state != NULL);
	state->loop = gw->loop;
	state->cache = fg_verdict_cache_new();
	state->user_count = policies->count;
	state->users = calloc(policies->count + 1, sizeof(*state->users));
	FG_ASSERT(state->users != NULL && getrandom(state->secret, SECRET_BYTES, 0) == SECRET_BYTES);
	for (size_t i = 0; i < policies->count; i++) {
		const struct fg_auth_policy *policy = policies->v[i];

		if (policy->type == FG_AUTH_TYPE_BASIC)
			FG_ASSERT(fg_htpasswd_parse(&state->users[i], conf_of(policy)->users, &report) == FG_OK);
	}
	return state;
}

static void
worker_stop(void *arg)
{
	struct basic_state *state = arg;

	fg_offload_free(state->offload);
	for (size_t i = 0; i < state->user_count; i++)
		fg_htpasswd_free(state->users[i]);
	free(state->users);
	fg_verdict_cache_free(state->cache);
	explicit_bzero(state, sizeof(*state));
	free(state);
}

/* ---- the configuration */

/* Looked through here, so that a mistake is said when it is made; each worker makes a table of its own. */
static void
parse_users(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text, path, *users = out;
	struct fg_htpasswd_report report;
	struct fg_htpasswd *parsed;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	if (!fg_conf_is_file(text, &path)) {
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT, key->form, FG_STR_ARG(fg_conf_quote(conf, text)));
		return;
	}
	if (!fg_conf_load_file(conf, node, path, FG_MAX_HTPASSWD_BYTES, users))
		return;
	if (fg_htpasswd_parse(&parsed, *users, &report) == FG_OK)
		fg_htpasswd_free(parsed);
	else if (report.line > 0)
		fg_conf_error(conf, node, FG_STR_FMT ":%u: %s", FG_STR_ARG(path), report.line, report.message);
	else
		fg_conf_error(conf, node, FG_STR_FMT ": %s", FG_STR_ARG(path), report.message);
}

static void
check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const struct fg_credential_place authorization = {FG_CREDENTIAL_HEADER, FG_STR_INIT("Authorization")};
	struct fg_auth_policy *policy = out;

	(void)conf;
	(void)node;
	(void)key;
	policy->from = (struct fg_credential_places){&authorization, 1};
}

static const struct fg_conf_choice types[] = {{"basic", FG_AUTH_TYPE_BASIC}, {NULL, 0}};

const struct fg_conf_key fg_auth_basic_keys[] = {
    FG_AUTH_KEYS(struct basic_conf, types, "true"),
    {"users", FG_CONF_CUSTOM, FG_CONF_AT(struct basic_conf, users), .flags = FG_CONF_REQUIRED, .parse = parse_users,
	.form = "file:PATH", .schema = "\"type\": \"string\", \"pattern\": \"^file:.|\\\\$\\\\{\"",
	.help = "an htpasswd file: bcrypt (htpasswd -B) or SHA-crypt (mkpasswd -m sha-512)"},
    {"cache", FG_CONF_DURATION, FG_CONF_AT(struct basic_conf, cache), .min = 0, .max = INT64_C(3600) * FG_US_PER_S, .preset = "60s",
	.help = "how long a worker need not check the same password again"},
    {NULL},
};

const struct fg_authenticator fg_authenticator_basic = {
    .type = "basic",
    .scheme = FG_STR_INIT("Basic"),
    .check = check,
    .challenge = challenge,
    .look = look,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
};
