/* The script's words for a record, and back. */
#include "idempotency/idempotency_redis.h"

#include <stdio.h>

enum { NUMBER_BYTES = 24 };

#define PREFIX "fg:i:"

struct name {
	char bytes[sizeof(PREFIX) - 1 + FG_IDEMPOTENCY_HASH_BYTES];
};

/* All of a name is hash, braces that happen to be in it too: there is one key in each call. */
static struct fg_str
name_of(struct name *name, const struct fg_idempotency_ask *ask)
{
	memcpy(name->bytes, PREFIX, sizeof(PREFIX) - 1);
	memcpy(name->bytes + sizeof(PREFIX) - 1, ask->record, FG_IDEMPOTENCY_HASH_BYTES);
	return (struct fg_str){name->bytes, sizeof(name->bytes)};
}

static struct fg_str
token_of(const struct fg_idempotency_ask *ask)
{
	return (struct fg_str){(const char *)ask->token, sizeof(ask->token)};
}

static struct fg_str
format_ms(char room[NUMBER_BYTES], fg_usec span)
{
	int len = snprintf(room, NUMBER_BYTES, "%lld", (long long)((span + FG_US_PER_MS - 1) / FG_US_PER_MS));

	return (struct fg_str){room, (size_t)len};
}

struct fg_redis_query *
fg_idempotency_redis_begin(struct fg_redis *redis, const struct fg_redis_script *script, const struct fg_idempotency_ask *ask,
    fg_redis_fn *fn, void *arg)
{
	char lease[NUMBER_BYTES], expire[NUMBER_BYTES];
	struct name room;
	struct fg_str key = name_of(&room, ask);
	const struct fg_str begin[] = {FG_STR("begin"), token_of(ask), {(const char *)ask->fingerprint, sizeof(ask->fingerprint)},
	    format_ms(lease, ask->lease), format_ms(expire, ask->expire), ask->takes_over ? FG_STR("1") : FG_STR("0")};
	const struct fg_str peek[] = {FG_STR("peek")};

	if (ask->is_peek)
		return fg_redis_eval(redis, script, &key, 1, peek, FG_ARRAY_LEN(peek), fn, arg);
	return fg_redis_eval(redis, script, &key, 1, begin, FG_ARRAY_LEN(begin), fn, arg);
}

struct fg_redis_query *
fg_idempotency_redis_end(struct fg_redis *redis, const struct fg_redis_script *script, const struct fg_idempotency_ask *ask,
    enum fg_idempotency_end end, struct fg_str answer, fg_redis_fn *fn, void *arg)
{
	static const char *const words[] = {[FG_IDEMPOTENCY_KEEP] = "k", [FG_IDEMPOTENCY_DO_NOT_KEEP] = "n",
	    [FG_IDEMPOTENCY_DO_NOT_KNOW] = "u", [FG_IDEMPOTENCY_RELEASE] = "free"};
	char expire[NUMBER_BYTES];
	struct name room;
	struct fg_str key = name_of(&room, ask);
	const struct fg_str args[] = {fg_str_from(words[end]), token_of(ask), format_ms(expire, ask->expire),
	    end == FG_IDEMPOTENCY_KEEP ? answer : FG_STR_NONE};

	return fg_redis_eval(redis, script, &key, 1, args, FG_ARRAY_LEN(args), fn, arg);
}

enum fg_err
fg_idempotency_redis_read(const struct fg_redis_reply *reply, enum fg_idempotency_state *state, struct fg_buf *answer)
{
	const struct fg_redis_reply *items = reply->items;

	if (reply->type != FG_REDIS_ARRAY || reply->count < 1 || items[0].type != FG_REDIS_INTEGER || items[0].integer < 0 ||
	    items[0].integer > FG_IDEMPOTENCY_MISMATCH)
		return FG_ERR_STORE_ERROR;
	*state = (enum fg_idempotency_state)items[0].integer;
	if (*state != FG_IDEMPOTENCY_KEPT)
		return FG_OK;
	if (reply->count != 2 || items[1].type != FG_REDIS_STRING || !fg_buf_add(answer, items[1].str))
		return FG_ERR_STORE_ERROR;
	return FG_OK;
}

bool
fg_idempotency_redis_was_ours(const struct fg_redis_reply *reply)
{
	return reply->type == FG_REDIS_INTEGER && reply->integer == 1;
}
