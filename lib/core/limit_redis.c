/* Asking Redis about limits: what the script is given, and what its answer means. */
#include "core/limit_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "core/limit_memory.h"
#include "redis/redis.h"
#include "token/b64url.h"

enum {
	MOST_ASKS = FG_MAX_POLICIES_OF_ROUTE,
	ARGS_OF_ONE = 8,              /* kind, observed, hold, cost, four numbers */
	MOST_ARGS = 2 + MOST_ASKS * ARGS_OF_ONE,
	MOST_TEXT_BYTES = MOST_ARGS * 24,
	READING_ITEMS = 4,
};

#define HOSTS_KEY "fg:{hosts}"
#define RESETS_KEY "fg:{hosts}:resets"

/* One question, in groups of limits that may be asked together. */
struct query {
	struct query *prev, *next; /* of the store's */
	struct fg_limit_redis *store;
	struct fg_redis_query *sent;
	enum fg_limit_op op;
	struct fg_limit_ask *asks; /* the caller's */
	size_t count, from, to;    /* the group that is asked: [from, to) of order */
	uint8_t order[MOST_ASKS];
	fg_usec now;
	fg_limit_redis_fn *fn;
	void *arg;
};

struct fg_limit_redis {
	struct fg_redis *redis;
	bool is_cluster;
	struct fg_redis_script script, hosts_script;
	struct query *queries;
	struct fg_limit_memory *memory; /* where an announcement is noted; NULL: none under way */
	struct fg_redis_query *announcement;
	/* of the question that is being written: */
	struct fg_str args[MOST_ARGS];
	size_t arg_count, text_len;
	char text[MOST_TEXT_BYTES];
};

struct fg_limit_redis *
fg_limit_redis_new(struct fg_redis *redis, bool is_cluster)
{
	struct fg_limit_redis *store = calloc(1, sizeof(*store));

	FG_ASSERT(store != NULL);
	store->redis = redis;
	store->is_cluster = is_cluster;
	fg_redis_script_init(&store->script, fg_str_from(fg_limit_lua));
	fg_redis_script_init(&store->hosts_script, fg_str_from(fg_limit_hosts_lua));
	return store;
}

static void
query_free(struct query *query)
{
	if (query->prev != NULL)
		query->prev->next = query->next;
	else
		query->store->queries = query->next;
	if (query->next != NULL)
		query->next->prev = query->prev;
	free(query);
}

void
fg_limit_redis_free(struct fg_limit_redis *store)
{
	if (store == NULL)
		return;
	while (store->queries != NULL) {
		fg_redis_cancel(store->queries->sent);
		query_free(store->queries);
	}
	if (store->announcement != NULL)
		fg_redis_cancel(store->announcement);
	free(store);
}

/* ---- names */

size_t
fg_limit_redis_name(char name[FG_LIMIT_NAME_BYTES], const struct fg_limit_key *key, bool is_cluster)
{
	size_t len = 3;

	memcpy(name, "fg:", 3);
	if (is_cluster) {
		name[len++] = '{';
		fg_b64url_encode(name + len, key->tag, FG_LIMIT_TAG_BYTES);
		len += fg_b64url_encoded_size(FG_LIMIT_TAG_BYTES);
		name[len++] = '}';
	}
	for (unsigned i = 0; i < (is_cluster ? 8 : 11); i++)
		name[len++] = (char)(key->v[i / 8] >> (8 * (i % 8)));
	return len;
}

/* ---- what the script is given */

static void
add_word(struct fg_limit_redis *store, const char *word)
{
	FG_ASSERT(store->arg_count < MOST_ARGS);
	store->args[store->arg_count++] = fg_str_from(word);
}

static void
add_number(struct fg_limit_redis *store, int64_t number)
{
	char digits[20], *at = digits + sizeof(digits), *begin = store->text + store->text_len;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	size_t len;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		*--at = '-';
	len = (size_t)(digits + sizeof(digits) - at);
	FG_ASSERT(store->arg_count < MOST_ARGS && store->text_len + len <= MOST_TEXT_BYTES);
	memcpy(begin, at, len);
	store->text_len += len;
	store->args[store->arg_count++] = (struct fg_str){begin, len};
}

static void
add_record(struct fg_limit_redis *store, const struct fg_limit_ask *ask, const char *kind, int64_t cost, const int64_t numbers[4])
{
	add_word(store, kind);
	add_word(store, ask->is_observed ? "1" : "0");
	add_number(store, ask->hold);
	add_number(store, cost);
	for (int i = 0; i < 4; i++)
		add_number(store, numbers[i]);
}

/* Where windows follow a calendar Redis is told when this one ends, and the next; all others it can reckon itself. */
static void
add_window(struct fg_limit_redis *store, const struct fg_limit_ask *ask, fg_usec wall)
{
	const struct fg_limit *limit = ask->limit;
	fg_usec ends[3], reach = fg_limit_window_reach(limit);

	fg_limit_window_ends(limit, wall, ends);
	if (limit->calendar == FG_LIMIT_PLAIN)
		add_record(store, ask, "f", ask->cost, (const int64_t[4]){limit->count, reach, limit->period,
		    (limit->period - ends[0] % limit->period) % limit->period});
	else
		add_record(store, ask, "c", ask->cost, (const int64_t[4]){limit->count, reach, ends[1], ends[2]});
}

static void
add_ask(struct fg_limit_redis *store, const struct fg_limit_ask *ask, fg_usec wall)
{
	const struct fg_limit *limit = ask->limit;
	struct fg_limit_span more;

	switch (limit->algorithm) {
	case FG_LIMIT_TOKEN_BUCKET:
		more = fg_limit_increment(limit, ask->cost);
		add_record(store, ask, "b", more.us,
		    (const int64_t[4]){more.part, limit->parts, limit->capacity.us, limit->capacity.part});
		break;
	case FG_LIMIT_SLIDING_WINDOW:
		add_record(store, ask, "s", ask->cost, (const int64_t[4]){limit->count, limit->period, limit->quantum, 0});
		break;
	case FG_LIMIT_FIXED_WINDOW:
		add_window(store, ask, wall);
		break;
	case FG_LIMIT_CONCURRENCY:
		add_record(store, ask, "n", ask->cost, (const int64_t[4]){limit->count, limit->quantum, 0, 0});
		break;
	}
}

static void
begin_args(struct fg_limit_redis *store, enum fg_limit_op op, fg_usec now)
{
	static const char *const words[] = {"take", "peek", "give", "renew"};

	store->arg_count = store->text_len = 0;
	add_word(store, words[op]);
	if (now == 0)
		add_word(store, "");
	else
		add_number(store, now);
}

static struct fg_redis_query *
send_asks(struct fg_limit_redis *store, enum fg_limit_op op, const struct fg_limit_ask *asks, const uint8_t *order, size_t count,
    fg_usec now, fg_redis_fn *fn, void *arg)
{
	char names[MOST_ASKS][FG_LIMIT_NAME_BYTES];
	struct fg_str keys[MOST_ASKS];
	struct fg_clock clock;

	fg_clock_read(&clock);
	begin_args(store, op, now);
	for (size_t i = 0; i < count; i++) {
		const struct fg_limit_ask *ask = &asks[order[i]];

		keys[i] = (struct fg_str){names[i], fg_limit_redis_name(names[i], &ask->key, store->is_cluster)};
		add_ask(store, ask, now == 0 ? clock.wall : now);
	}
	return fg_redis_eval(store->redis, &store->script, keys, count, store->args, store->arg_count, fn, arg);
}

/* ---- what it answers */

static bool
read_reply(struct query *query, const struct fg_redis_reply *reply)
{
	size_t count = query->to - query->from;

	if (reply->type != FG_REDIS_ARRAY || reply->count != 1 + READING_ITEMS * count)
		return false;
	for (size_t i = 0; i < reply->count; i++)
		if (reply->items[i].type != FG_REDIS_INTEGER)
			return false;
	for (size_t i = 0; i < count; i++) {
		const struct fg_redis_reply *items = reply->items + 1 + READING_ITEMS * i;
		struct fg_limit_ask *ask = &query->asks[query->order[query->from + i]];

		ask->reading =
		    (struct fg_limit_reading){items[0].integer != 0, items[1].integer, items[2].integer, items[3].integer};
		if (query->op == FG_LIMIT_RENEW)
			ask->hold = ask->reading.y;
		else
			fg_limit_tell(ask->limit, &ask->reading, ask->cost, reply->items[0].integer, &ask->result);
	}
	return true;
}

static void
on_nothing(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	(void)arg;
	(void)err;
	(void)reply;
}

/* What the groups before were charged. */
static void
give_back(struct query *query)
{
	struct fg_limit_ask charged[MOST_ASKS];
	size_t count = 0;

	if (query->op != FG_LIMIT_TAKE)
		return;
	for (size_t i = 0; i < query->from; i++) {
		struct fg_limit_ask *ask = &query->asks[query->order[i]];

		if (!ask->reading.allowed)
			continue;
		charged[count] = *ask;
		charged[count++].hold = ask->result.hold;
	}
	fg_limit_redis_give(query->store, charged, count);
}

static void on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply);

static void
ask_group(struct query *query)
{
	query->to = query->from + 1;
	while (query->to < query->count && (!query->store->is_cluster ||
		   memcmp(query->asks[query->order[query->to]].key.tag, query->asks[query->order[query->from]].key.tag,
		       FG_LIMIT_TAG_BYTES) == 0))
		query->to++;
	query->sent = send_asks(query->store, query->op, query->asks, query->order + query->from, query->to - query->from,
	    query->now, on_reply, query);
}

static void
on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct query *query = arg;
	fg_limit_redis_fn *fn = query->fn;
	void *fn_arg = query->arg;
	bool refused = false;

	if (err == FG_OK && !read_reply(query, reply))
		err = FG_ERR_STORE_ERROR;
	for (size_t i = query->from; err == FG_OK && i < query->to; i++)
		refused |= !query->asks[query->order[i]].reading.allowed && !query->asks[query->order[i]].is_observed;
	if (err != FG_OK || refused) {
		give_back(query);
	} else if (query->to < query->count) {
		query->from = query->to;
		ask_group(query);
		return;
	}
	query_free(query);
	fn(fn_arg, err);
}

/* Limits of one tag next to each other, otherwise in their order. */
static void
sort_asks(struct query *query)
{
	size_t n = 0;
	bool taken[MOST_ASKS] = {false};

	for (size_t i = 0; i < query->count; i++) {
		for (size_t j = i; j < query->count && !taken[i]; j++) {
			if (j == i || (!taken[j] && memcmp(query->asks[i].key.tag, query->asks[j].key.tag, FG_LIMIT_TAG_BYTES) == 0)) {
				query->order[n++] = (uint8_t)j;
				taken[j] = j != i;
			}
		}
		taken[i] = true;
	}
}

void
fg_limit_redis_ask(struct fg_limit_redis *store, enum fg_limit_op op, struct fg_limit_ask *asks, size_t count, fg_usec now,
    fg_limit_redis_fn *fn, void *arg)
{
	struct query *query = calloc(1, sizeof(*query));

	FG_ASSERT(query != NULL && count > 0 && count <= MOST_ASKS);
	*query = (struct query){.store = store, .op = op, .asks = asks, .count = count, .now = now, .fn = fn, .arg = arg};
	query->next = store->queries;
	if (query->next != NULL)
		query->next->prev = query;
	store->queries = query;
	for (size_t i = 0; i < count; i++) {
		query->order[i] = (uint8_t)i;
		asks[i].reading = (struct fg_limit_reading){.allowed = true};
		if (op != FG_LIMIT_RENEW)
			asks[i].result = (struct fg_limit_result){.allowed = true};
	}
	if (store->is_cluster)
		sort_asks(query);
	ask_group(query);
}

void
fg_limit_redis_give(struct fg_limit_redis *store, const struct fg_limit_ask *asks, size_t count)
{
	for (size_t from = 0, to; from < count; from = to) {
		uint8_t order[MOST_ASKS];

		for (to = from; to < count && (to == from || !store->is_cluster ||
			     memcmp(asks[to].key.tag, asks[from].key.tag, FG_LIMIT_TAG_BYTES) == 0); to++)
			order[to - from] = (uint8_t)(to - from);
		(void)send_asks(store, FG_LIMIT_GIVE, asks + from, order, to - from, 0, on_nothing, NULL);
	}
}

/* ---- resetting */

struct reset {
	struct fg_limit_redis *store;
	fg_limit_redis_fn *fn;
	void *arg;
};

static void
on_counted(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct reset *reset = arg;

	(void)reply;
	reset->fn(reset->arg, err);
	free(reset);
}

static void
on_deleted(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	const struct fg_str incr[] = {FG_STR_INIT("INCR"), FG_STR_INIT(RESETS_KEY)};
	struct reset *reset = arg;

	if (err != FG_OK)
		on_counted(arg, err, reply);
	else
		(void)fg_redis_command(reset->store->redis, incr[1], incr, 2, on_counted, reset);
}

void
fg_limit_redis_reset(struct fg_limit_redis *store, const struct fg_limit_key *key, fg_limit_redis_fn *fn, void *arg)
{
	struct reset *reset = calloc(1, sizeof(*reset));
	char name[FG_LIMIT_NAME_BYTES];
	const struct fg_str del[] = {FG_STR("DEL"), {name, fg_limit_redis_name(name, key, store->is_cluster)}};

	FG_ASSERT(reset != NULL);
	*reset = (struct reset){store, fn, arg};
	(void)fg_redis_command(store->redis, del[1], del, 2, on_deleted, reset);
}

/* ---- announcing */

static void
on_announced(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_limit_redis *store = arg;

	store->announcement = NULL;
	if (err == FG_OK && reply->type == FG_REDIS_ARRAY && reply->count == 2 && reply->items[0].type == FG_REDIS_INTEGER &&
	    reply->items[1].type == FG_REDIS_INTEGER)
		fg_limit_memory_set_hosts(store->memory,
		    reply->items[0].integer > 0 && reply->items[0].integer < 1000000 ? (unsigned)reply->items[0].integer : 1,
		    (uint64_t)reply->items[1].integer);
}

void
fg_limit_redis_announce(struct fg_limit_redis *store, struct fg_limit_memory *memory, fg_usec lapse)
{
	const struct fg_str keys[] = {FG_STR_INIT(HOSTS_KEY), FG_STR_INIT(RESETS_KEY)};
	struct fg_limit_hosts hosts;
	char name[17];

	if (store->announcement != NULL)
		return;
	fg_limit_memory_get_hosts(memory, &hosts);
	snprintf(name, sizeof(name), "%016" PRIx64, hosts.host);
	store->arg_count = store->text_len = 0;
	add_word(store, "");
	add_word(store, name);
	add_number(store, lapse);
	store->memory = memory;
	store->announcement =
	    fg_redis_eval(store->redis, &store->hosts_script, keys, 2, store->args, store->arg_count, on_announced, store);
}
