/* Where records of API keys are: a file that is written anew, or the store that is asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "core/api_key_store.h"
#include "fcgi-app/cmd_key.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/key_file.h"
#include "loop/loop.h"
#include "redis/redis.h"

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "faregate key: %s: %s\n", what, why);
	return FG_EXIT_ENVIRONMENT;
}

/* ---- a file */

/* Read again under the lock: it may have changed since the configuration was read. */
static int
read_file(struct fg_key_place *place, struct fg_api_key_file *out)
{
	struct fg_str path = place->policy->path;
	const struct fg_conf_file file = {.path = path};
	const struct fg_conf_node nowhere = {.file = &file, .line = 1, .column = 1};
	struct fg_buf mistakes;
	struct fg_conf conf;
	bool ok;

	fg_conf_init(&conf, place->arena, NULL);
	ok = fg_api_key_file_read(out, &conf, &nowhere, path, true);
	if (!ok) {
		fg_buf_init(&mistakes, FG_MAX_CONFIG_BYTES);
		(void)fg_conf_format_mistakes(&conf, &mistakes);
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&mistakes)));
		fg_buf_fini(&mistakes);
	}
	fg_conf_fini(&conf);
	return ok ? FG_EXIT_OK : FG_EXIT_INPUT;
}

static int
write_file(struct fg_key_place *place, const struct fg_key_file *lock, struct fg_api_key_file *file)
{
	struct fg_buf text;
	int status = FG_EXIT_OK;

	fg_buf_init(&text, FG_MAX_CONFIG_BYTES);
	if (!fg_api_key_file_format(file, &text))
		status = fail(place->policy->path.p, "it would be too large; keep keys in the store");
	else if (fg_key_file_replace(lock, fg_buf_str(&text), place->config->file.p) != FG_OK)
		status = fail(place->policy->path.p, strerror(errno));
	fg_buf_fini(&text);
	return status;
}

/* changes: what is done to the records between reading and writing. */
static int
change_file(struct fg_key_place *place, int (*change)(struct fg_api_key_file *file, void *arg, struct fg_arena *arena), void *arg)
{
	struct fg_api_key_file file;
	struct fg_key_file lock;
	int status;

	if (fg_key_file_lock(&lock, place->policy->path.p) != FG_OK)
		return fail(place->policy->path.p, strerror(errno));
	status = read_file(place, &file);
	if (status == FG_EXIT_OK)
		status = change(&file, arg, place->arena);
	if (status == FG_EXIT_OK)
		status = write_file(place, &lock, &file);
	fg_key_file_unlock(&lock);
	return status;
}

static int
add_record(struct fg_api_key_file *file, void *arg, struct fg_arena *arena)
{
	struct fg_api_key_record *v = FG_ARENA_ARRAY(arena, struct fg_api_key_record, file->count + 1);

	if (file->count >= FG_MAX_API_KEYS)
		return fail("the file", "it is full; keep keys in the store");
	if (file->count > 0)
		memcpy(v, file->v, file->count * sizeof(*v));
	v[file->count++] = *(const struct fg_api_key_record *)arg;
	file->v = v;
	return FG_EXIT_OK;
}

struct revocation {
	struct fg_str prefix;
	fg_usec when;
	struct fg_api_key_record *record;
};

/* The one whose prefix begins so; NULL, said, when there is none or not one alone. */
static struct fg_api_key_record *
find_prefix(struct fg_api_key_file *file, struct fg_str prefix)
{
	struct fg_api_key_record *found = NULL;

	for (size_t i = 0; i < file->count; i++) {
		if (!fg_str_starts_with(file->v[i].prefix, prefix))
			continue;
		if (found != NULL) {
			fprintf(stderr, "faregate key: several keys begin with \"%.*s\"; write more of it\n", FG_STR_ARG(prefix));
			return NULL;
		}
		found = &file->v[i];
	}
	if (found == NULL)
		fprintf(stderr, "faregate key: there is no key whose prefix is \"%.*s\"; see faregate key list\n", FG_STR_ARG(prefix));
	return found;
}

static int
revoke_record(struct fg_api_key_file *file, void *arg, struct fg_arena *arena)
{
	const struct revocation *revocation = arg;
	struct fg_api_key_record *found = find_prefix(file, revocation->prefix);

	(void)arena;
	if (found == NULL)
		return FG_EXIT_INPUT;
	*revocation->record = *found;
	if (found->revoked == 0)
		found->revoked = revocation->when;
	return FG_EXIT_OK;
}

/* ---- the store */

/* A person waits longer than a request does. */
static const fg_usec patience = 5 * (fg_usec)FG_US_PER_S;

struct session {
	struct fg_loop *loop;
	struct fg_redis *redis;
	struct fg_arena *arena;
	bool is_over;
	enum fg_err err;
	struct fg_str *items; /* of the last reply, an array's; a text is one item */
	size_t count;
};

static void
write_log(void *arg, struct fg_str line)
{
	(void)arg;
	fprintf(stderr, "%.*s", FG_STR_ARG(line));
}

static void
session_open(struct session *session, const struct fg_key_place *place)
{
	static const struct fg_log log = {.level = FG_LOG_ERROR, .write = write_log};
	struct fg_config config = *place->config;

	config.store.deadline = config.store.connect_timeout = patience;
	*session = (struct session){.loop = fg_loop_new(), .arena = place->arena};
	session->redis = fg_config_open_store(&config, session->loop, &log);
}

static void
session_close(struct session *session)
{
	fg_redis_free(session->redis);
	fg_loop_free(session->loop);
}

/* All texts of a reply, arrays within it taken apart (HSCAN has one in the other). */
static void
take_items(struct session *session, const struct fg_redis_reply *reply)
{
	for (size_t i = 0; i < reply->count; i++)
		take_items(session, &reply->items[i]);
	if (reply->type == FG_REDIS_STRING || reply->type == FG_REDIS_STATUS)
		session->items[session->count++] = fg_arena_str(session->arena, reply->str);
}

static size_t
count_items(const struct fg_redis_reply *reply)
{
	size_t count = 1;

	for (size_t i = 0; i < reply->count; i++)
		count += count_items(&reply->items[i]);
	return count;
}

static void
on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct session *session = arg;

	session->is_over = true;
	session->err = err;
	session->count = 0;
	if (err != FG_OK)
		return;
	session->items = FG_ARENA_ARRAY(session->arena, struct fg_str, count_items(reply));
	take_items(session, reply);
}

static int
ask(struct session *session, const struct fg_str *argv, size_t argc)
{
	session->is_over = false;
	(void)fg_redis_command(session->redis, argv[1], argv, argc, on_reply, session);
	while (!session->is_over)
		fg_loop_turn(session->loop, true);
	return session->err == FG_OK ? FG_EXIT_OK : fail("the store", fg_err_token(session->err));
}

/* The index first: a record that no list shows would be a key that nobody can revoke. */
static int
put_record(struct session *session, const struct fg_api_key_record *record)
{
	char *key = fg_arena_alloc(session->arena, FG_API_KEY_STORE_KEY_BYTES);
	struct fg_str name = {key, FG_API_KEY_STORE_KEY_BYTES - 1}, *argv;
	struct fg_str index[] = {FG_STR("HSET"), FG_STR(FG_API_KEY_STORE_INDEX), record->prefix, fg_str_slice(name, 7, name.len)};
	const struct fg_str *fields;
	size_t count = fg_api_key_store_fields(record, session->arena, &fields);
	int status;

	fg_api_key_store_key(key, &record->hash);
	status = ask(session, index, FG_ARRAY_LEN(index));
	if (status != FG_EXIT_OK)
		return status;
	argv = FG_ARENA_ARRAY(session->arena, struct fg_str, count + 2);
	argv[0] = FG_STR("HSET");
	argv[1] = name;
	memcpy(argv + 2, fields, count * sizeof(*fields));
	return ask(session, argv, count + 2);
}

/* Pairs of the index: a prefix and the hash of its key. */
static int
read_index(struct session *session, struct fg_str **pairs, size_t *count)
{
	struct fg_str argv[] = {FG_STR("HSCAN"), FG_STR(FG_API_KEY_STORE_INDEX), FG_STR("0"), FG_STR("COUNT"), FG_STR("1000")};
	size_t cap = 0;
	int status;

	*pairs = NULL;
	*count = 0;
	do {
		status = ask(session, argv, FG_ARRAY_LEN(argv));
		if (status != FG_EXIT_OK || session->count == 0)
			return status;
		if (*count + session->count > cap) {
			struct fg_str *grown = FG_ARENA_ARRAY(session->arena, struct fg_str, 2 * cap + session->count);

			if (*count > 0)
				memcpy(grown, *pairs, *count * sizeof(*grown));
			cap = 2 * cap + session->count;
			*pairs = grown;
		}
		memcpy(*pairs + *count, session->items + 1, (session->count - 1) * sizeof(**pairs));
		*count += session->count - 1;
		argv[2] = session->items[0];
	} while (!fg_str_eq(argv[2], FG_STR("0")));
	return FG_EXIT_OK;
}

/* One of the index; is_there: its record is, too. */
static int
get_record(struct session *session, struct fg_str hex, struct fg_api_key_record *record, bool *is_there)
{
	struct fg_str text = FG_ARENA_CONCAT(session->arena, FG_STR("sha256:"), hex);
	struct fg_str argv[] = {FG_STR("HGETALL"), FG_ARENA_CONCAT(session->arena, FG_STR("fg:key:"), hex)};
	struct fg_api_key_hash hash;
	int status = ask(session, argv, FG_ARRAY_LEN(argv));

	*is_there = status == FG_EXIT_OK && session->count > 0 && fg_api_key_hash_parse(&hash, text) &&
	    fg_api_key_store_parse(record, session->items, session->count, session->arena);
	if (*is_there)
		record->hash = hash;
	return status;
}

static int
read_store(struct session *session, struct fg_api_key_file *out)
{
	struct fg_str *pairs;
	size_t count;
	int status = read_index(session, &pairs, &count);

	*out = (struct fg_api_key_file){FG_ARENA_ARRAY(session->arena, struct fg_api_key_record, count / 2 + 1), 0};
	for (size_t i = 0; status == FG_EXIT_OK && i + 1 < count; i += 2) {
		bool is_there;

		status = get_record(session, pairs[i + 1], &out->v[out->count], &is_there);
		out->count += is_there;
	}
	return status;
}

static int
revoke_in_store(struct session *session, struct revocation *revocation)
{
	struct fg_api_key_file all;
	struct fg_str seconds, argv[4];
	char key[FG_API_KEY_STORE_KEY_BYTES];
	int status = read_store(session, &all);

	if (status == FG_EXIT_OK)
		status = revoke_record(&all, revocation, session->arena);
	if (status != FG_EXIT_OK || revocation->record->revoked != 0)
		return status;
	fg_api_key_store_key(key, &revocation->record->hash);
	seconds = fg_arena_u64(session->arena, (uint64_t)(revocation->when / FG_US_PER_S));
	argv[0] = FG_STR("HSET");
	argv[1] = (struct fg_str){key, sizeof(key) - 1};
	argv[2] = FG_STR("revoked");
	argv[3] = seconds;
	return ask(session, argv, FG_ARRAY_LEN(argv));
}

/* ---- either */

int
fg_keys_add(struct fg_key_place *place, const struct fg_api_key_record *record)
{
	struct fg_api_key_record copy = *record;
	struct session session;
	int status;

	if (!place->policy->in_store)
		return change_file(place, add_record, &copy);
	session_open(&session, place);
	status = put_record(&session, record);
	session_close(&session);
	return status;
}

int
fg_keys_revoke(struct fg_key_place *place, struct fg_str prefix, fg_usec when, struct fg_api_key_record *record)
{
	struct revocation revocation = {prefix, when, record};
	struct session session;
	int status;

	if (!place->policy->in_store)
		return change_file(place, revoke_record, &revocation);
	session_open(&session, place);
	status = revoke_in_store(&session, &revocation);
	session_close(&session);
	return status;
}

int
fg_keys_list(struct fg_key_place *place, struct fg_api_key_file *out)
{
	struct session session;
	int status;

	if (!place->policy->in_store)
		return read_file(place, out);
	session_open(&session, place);
	status = read_store(&session, out);
	fg_api_key_file_sort(out);
	session_close(&session);
	return status;
}
