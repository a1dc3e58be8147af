/*
 * The authenticator `api-key`: a long random text that stands for a consumer. Keys are looked for by their SHA-256, in a file
 * that was read with the configuration or in the store.
 */
#include "base/limits.h"
#include "core/api_key_store.h"
#include "core/config.h"
#include "filter/auth_api_key.h"
#include "keys/verdict_cache.h"
#include "redis/redis.h"

_Static_assert(sizeof(struct fg_api_key_policy) <= FG_AUTH_CONF_BYTES, "the frame sizes it");

static const struct fg_api_key_policy *
policy_of(const struct fg_auth_policy *policy)
{
	_Static_assert(offsetof(struct fg_api_key_policy, auth) == 0, "it begins with what all have");
	return (const void *)policy;
}

/* ---- who it is */

static bool
find_meta(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	const struct fg_api_key_record *record = source;

	(void)arena;
	for (size_t i = 0; i < record->meta_count; i++) {
		if (!fg_str_eq(record->meta[i].name, name))
			continue;
		*out = (struct fg_claim_values){&record->meta[i].value, 1};
		return true;
	}
	return false;
}

static enum fg_auth_verdict
judge(struct fg_auth_attempt *attempt, const struct fg_api_key_record *record)
{
	struct fg_identity *identity;
	enum fg_err err;

	if (record == NULL)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_API_KEY_UNKNOWN, NULL);
	err = fg_api_key_record_check(record, attempt->x->wall);
	if (err != FG_OK)
		return fg_auth_say(attempt, FG_AUTH_REFUSED, err, NULL);
	identity = FG_ARENA_NEW(&attempt->x->arena, struct fg_identity);
	identity->consumer = record->consumer;
	identity->credential = record->prefix;
	identity->claims = (struct fg_claims){find_meta, record};
	return fg_auth_accept(attempt, identity);
}

/* ---- keys of a file */

static size_t
first_slot(const struct fg_api_key_table *table, const struct fg_api_key_hash *hash)
{
	uint32_t bits;

	memcpy(&bits, hash->bytes, sizeof(bits));
	return bits & table->mask;
}

static void
fill_table(struct fg_api_key_table *table, const struct fg_api_key_file *file, struct fg_arena *arena)
{
	size_t size = 4;

	while (size < 2 * file->count)
		size *= 2;
	table->slots = FG_ARENA_ARRAY(arena, const struct fg_api_key_record *, size);
	table->mask = size - 1;
	for (size_t i = 0; i < file->count; i++) {
		size_t at = first_slot(table, &file->v[i].hash);

		while (table->slots[at] != NULL)
			at = (at + 1) & table->mask;
		table->slots[at] = &file->v[i];
	}
}

static const struct fg_api_key_record *
find_in_table(const struct fg_api_key_table *table, const struct fg_api_key_hash *hash)
{
	for (size_t at = first_slot(table, hash); table->slots[at] != NULL; at = (at + 1) & table->mask)
		if (fg_api_key_hash_eq(&table->slots[at]->hash, hash))
			return table->slots[at];
	return NULL;
}

/* ---- keys in the store */

/* One question to the store. In the exchange's arena. */
struct lookup {
	struct fg_auth_attempt *attempt;
	struct fg_api_key_hash hash;
	struct fg_redis_query *query;
	struct fg_await *await;
	enum fg_err err;
	const struct fg_api_key_record *record; /* with FG_OK; NULL: there is none */
};

/* FG_ERR_STORE_ERROR: the store has something there that is no key. */
static enum fg_err
read_fields(struct lookup *lookup, const struct fg_str *fields, size_t count)
{
	struct fg_arena *arena = &lookup->attempt->x->arena;
	struct fg_api_key_record *record;

	lookup->record = NULL;
	if (count == 0)
		return FG_OK;
	record = FG_ARENA_NEW(arena, struct fg_api_key_record);
	if (!fg_api_key_store_parse(record, fields, count, arena))
		return FG_ERR_STORE_ERROR;
	record->hash = lookup->hash;
	lookup->record = record;
	return FG_OK;
}

static enum fg_err
take_reply(struct lookup *lookup, const struct fg_redis_reply *reply)
{
	struct fg_exchange *x = lookup->attempt->x;
	struct fg_str fields[2 * (FG_MAX_API_KEY_META + 5)];
	enum fg_err err;
	size_t bytes = 0;

	if (reply->type != FG_REDIS_ARRAY || reply->count > FG_ARRAY_LEN(fields))
		return FG_ERR_STORE_ERROR;
	for (size_t i = 0; i < reply->count; i++) {
		if (reply->items[i].type != FG_REDIS_STRING)
			return FG_ERR_STORE_ERROR;
		fields[i] = reply->items[i].str;
		bytes += fields[i].len;
	}
	if (bytes > FG_MAX_VERDICT_BYTES)
		return FG_ERR_STORE_ERROR;
	err = read_fields(lookup, fields, reply->count);
	if (err == FG_OK)
		fg_verdict_cache_put(lookup->attempt->state, lookup->hash.bytes, fg_loop_clock(x->gw->loop)->mono, fields, reply->count);
	return err;
}

/* The store does not answer: what it said a while ago, where the configuration allows that. */
static enum fg_err
take_stale(struct lookup *lookup, const struct fg_api_key_policy *conf, enum fg_err err)
{
	const struct fg_str *fields;
	size_t count;

	if (conf->stale == 0 || !fg_verdict_cache_find(lookup->attempt->state, lookup->hash.bytes,
	        fg_loop_clock(lookup->attempt->x->gw->loop)->mono, conf->cache + conf->stale, &fields, &count) || count == 0)
		return err;
	return read_fields(lookup, fields, count);
}

static void
on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct lookup *lookup = arg;
	const struct fg_api_key_policy *conf = policy_of(lookup->attempt->policy);

	lookup->query = NULL;
	lookup->err = err == FG_OK ? take_reply(lookup, reply) : take_stale(lookup, conf, err);
	fg_await_done(lookup->attempt->x, lookup->await);
}

static void
on_cancel(void *arg)
{
	struct lookup *lookup = arg;

	if (lookup->query != NULL)
		fg_redis_cancel(lookup->query);
}

static enum fg_auth_verdict
go_on(struct fg_auth_attempt *attempt, void *arg)
{
	const struct lookup *lookup = arg;

	if (lookup->err != FG_OK)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, lookup->err, "the store was asked for the key");
	return judge(attempt, lookup->record);
}

static enum fg_auth_verdict
ask_store(const struct fg_api_key_policy *conf, struct fg_auth_attempt *attempt, const struct fg_api_key_hash *hash)
{
	struct fg_exchange *x = attempt->x;
	struct lookup *lookup = FG_ARENA_NEW(&x->arena, struct lookup);
	char key[FG_API_KEY_STORE_KEY_BYTES];
	struct fg_str argv[] = {FG_STR("HGETALL"), {key, sizeof(key) - 1}};
	const struct fg_str *fields;
	size_t count;

	*lookup = (struct lookup){.attempt = attempt, .hash = *hash};
	if (x->gw->redis == NULL)
		return fg_auth_say(attempt, FG_AUTH_UNAVAILABLE, FG_ERR_STORE_UNREACHABLE, "the store is not asked from here");
	if (conf->cache > 0 && fg_verdict_cache_find(attempt->state, hash->bytes, fg_loop_clock(x->gw->loop)->mono, conf->cache,
	        &fields, &count)) {
		lookup->err = read_fields(lookup, fields, count);
		return go_on(attempt, lookup);
	}
	fg_api_key_store_key(key, hash);
	lookup->query = fg_redis_command(x->gw->redis, argv[1], argv, FG_ARRAY_LEN(argv), on_reply, lookup);
	return fg_auth_await(attempt, "redis", go_on, on_cancel, lookup, &lookup->await);
}

/* ---- asked by the frame */

/* One that says of itself that it was made here has to have its checksum right: a mistyped key costs no look-up. */
static bool
is_well_formed(struct fg_str text)
{
	if (text.len > FG_MAX_API_KEY_BYTES)
		return false;
	return !fg_str_starts_with(text, FG_STR("fg_")) || fg_api_key_check(text) == FG_OK;
}

static enum fg_auth_verdict
look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
{
	const struct fg_api_key_policy *conf = policy_of(policy);
	struct fg_api_key_hash hash;
	enum fg_auth_verdict verdict;
	struct fg_str text;

	verdict = fg_auth_find(attempt, FG_ERR_API_KEY_MISSING, &text);
	if (verdict != FG_AUTH_ACCEPTED)
		return verdict;
	if (!is_well_formed(text))
		return fg_auth_say(attempt, FG_AUTH_REFUSED, FG_ERR_API_KEY_MALFORMED, NULL);
	fg_api_key_hash(&hash, text);
	if (conf->in_store)
		return ask_store(conf, attempt, &hash);
	return judge(attempt, find_in_table(&conf->table, &hash));
}

/* No scheme is registered for keys (RFC 9110 §16.4.1); this one is what most call it. */
static struct fg_str
challenge(const struct fg_auth_policy *policy, struct fg_exchange *x, const struct fg_auth_attempt *refused)
{
	(void)refused;
	return FG_ARENA_CONCAT(&x->arena, FG_STR("ApiKey realm=\""), policy->realm, FG_STR("\""));
}

/* ---- the configuration */

static void
parse_keys(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_api_key_policy *policy = FG_CONTAINER_OF(out, struct fg_api_key_policy, in_store);
	struct fg_str text, path;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	policy->in_store = fg_str_eq(text, FG_STR("store"));
	if (policy->in_store)
		return;
	if (!fg_conf_is_file(text, &path)) {
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT, key->form, FG_STR_ARG(fg_conf_quote(conf, text)));
		return;
	}
	policy->path = fg_conf_resolve(conf, node, path);
	if (fg_api_key_file_read(&policy->file, conf, node, policy->path, conf->may_lack_files))
		fill_table(&policy->table, &policy->file, conf->arena);
}

static void
check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	static const char *const store_keys[] = {"cache", "stale"};
	const struct fg_api_key_policy *policy = out;

	(void)key;
	for (size_t i = 0; i < FG_ARRAY_LEN(store_keys) && policy->path.len > 0; i++)
		if (fg_conf_get(node, store_keys[i]) != NULL)
			fg_conf_error(conf, fg_conf_get(node, store_keys[i]), "means nothing to keys of a file, which are all there");
	if (policy->in_store && !fg_config_has_store(conf))
		fg_conf_error(conf, fg_conf_get(node, "keys"), "there is no store to keep them in; add store: redis://… at the top");
}

static const struct fg_conf_choice types[] = {{"api-key", FG_AUTH_TYPE_API_KEY}, {NULL, 0}};

const struct fg_conf_key fg_auth_api_key_keys[] = {
    FG_AUTH_KEYS(struct fg_api_key_policy, types, "true"),
    FG_AUTH_FROM_KEY(struct fg_api_key_policy, "header:X-API-Key"),
    {"keys", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_api_key_policy, in_store), .flags = FG_CONF_REQUIRED, .parse = parse_keys,
	.form = "file:PATH or store", .schema = "\"type\": \"string\", \"pattern\": \"^file:.|^store$|\\\\$\\\\{\"",
	.help = "where their hashes are; `faregate key new` puts them there"},
    {"cache", FG_CONF_DURATION, FG_CONF_AT(struct fg_api_key_policy, cache), .min = 0, .max = 300 * FG_US_PER_S, .preset = "10s",
	.help = "with keys in the store: how long a worker goes by its last answer, a revoked key too"},
    {"stale", FG_CONF_DURATION, FG_CONF_AT(struct fg_api_key_policy, stale), .min = 0, .max = INT64_C(86400) * FG_US_PER_S, .preset = "0",
	.help = "and how much longer while the store does not answer; 0: such requests are answered 503"},
    {NULL},
};

const struct fg_authenticator fg_authenticator_api_key = {
    .type = "api-key",
    .scheme = FG_STR_INIT("ApiKey"),
    .check = check,
    .challenge = challenge,
    .look = look,
    .worker_start = fg_auth_start_verdicts,
    .worker_stop = fg_auth_stop_verdicts,
};
