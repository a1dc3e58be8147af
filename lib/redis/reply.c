/*
 * Replies: hiredis's parser calls these functions for each value, and they build ours in the connection's pot. Nothing
 * is allocated for a reply that fits the pot's first kilobyte; what would pass the bound ends the connection, since the
 * rest of such a reply cannot be skipped.
 */
#include <hiredis.h>
#include <stdalign.h>
#include <stddef.h>

#include "redis/redis_internal.h"

static void *
take(struct fg_redis_pot *pot, size_t size)
{
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (size > FG_MAX_REDIS_REPLY_BYTES - pot->used)
		return NULL;
	pot->used += size;
	return fg_arena_alloc(&pot->arena, size);
}

/* The place of the value: in its array, or on its own. NULL makes hiredis give up. */
static struct fg_redis_reply *
put(const redisReadTask *task, enum fg_redis_type type)
{
	struct fg_redis_reply *reply;

	if (task->parent != NULL) {
		const struct fg_redis_reply *array = task->parent->obj;
		/* The parent's items are ours, and still being filled. */
		union {
			const struct fg_redis_reply *in;
			struct fg_redis_reply *out;
		} items = {.in = array->items};

		FG_ASSERT(array->type == FG_REDIS_ARRAY && (size_t)task->idx < array->count);
		reply = &items.out[task->idx];
	} else {
		reply = take(task->privdata, sizeof(*reply));
		if (reply == NULL)
			return NULL;
	}
	*reply = (struct fg_redis_reply){.type = type};
	return reply;
}

static void *
make_string(const redisReadTask *task, char *p, size_t len)
{
	struct fg_redis_reply *reply = put(task, task->type == REDIS_REPLY_ERROR ? FG_REDIS_ERROR :
	    task->type == REDIS_REPLY_STATUS ? FG_REDIS_STATUS : FG_REDIS_STRING);
	char *copy;

	if (reply == NULL)
		return NULL;
	copy = take(task->privdata, len + 1);
	if (copy == NULL)
		return NULL;
	memcpy(copy, p, len);
	reply->str = (struct fg_str){copy, len};
	return reply;
}

static void *
make_items(const redisReadTask *task, size_t count)
{
	struct fg_redis_reply *reply = put(task, FG_REDIS_ARRAY), *items;

	if (reply == NULL || count > FG_MAX_REDIS_REPLY_BYTES / sizeof(*items))
		return NULL;
	items = take(task->privdata, count * sizeof(*items));
	if (items == NULL)
		return NULL;
	memset(items, 0, count * sizeof(*items));
	reply->items = items;
	reply->count = count;
	return reply;
}

static void *
make_integer(const redisReadTask *task, long long value)
{
	struct fg_redis_reply *reply = put(task, FG_REDIS_INTEGER);

	if (reply != NULL)
		reply->integer = value;
	return reply;
}

static void *
make_nil(const redisReadTask *task)
{
	return put(task, FG_REDIS_NIL);
}

/* The pot is emptied as a whole. */
static void
free_nothing(void *reply)
{
	(void)reply;
}

#if HIREDIS_MAJOR >= 1
static void *
make_array(const redisReadTask *task, size_t count)
{
	return make_items(task, count);
}

/* RESP3 is never asked for; a server that sends its types all the same is understood as far as they go. */
static void *
make_double(const redisReadTask *task, double value, char *p, size_t len)
{
	(void)value;
	return make_string(task, p, len);
}

static void *
make_bool(const redisReadTask *task, int value)
{
	return make_integer(task, value);
}
#else
static void *
make_array(const redisReadTask *task, int count)
{
	return make_items(task, (size_t)count);
}
#endif

void
fg_redis_reply_attach(redisReader *reader, struct fg_redis_pot *pot)
{
	/* hiredis reads the table alone, but its type is not const. */
	static const redisReplyObjectFunctions functions = {
	    .createString = make_string, .createArray = make_array, .createInteger = make_integer, .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
	    .createDouble = make_double, .createBool = make_bool,
#endif
	    .freeObject = free_nothing};
	union {
		const redisReplyObjectFunctions *in;
		redisReplyObjectFunctions *out;
	} cast = {.in = &functions};

	reader->fn = cast.out;
	reader->privdata = pot;
}

void
fg_redis_pot_reset(struct fg_redis_pot *pot)
{
	pot->used = 0;
	fg_arena_reset(&pot->arena);
}
