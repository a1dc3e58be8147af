/* Asking Redis about limits: in which groups, by which clock, and what is done with the answer. */
#include "limit/limit_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "limit/limit_memory.h"
#include "limit/limit_script.h"
#include "redis/redis.h"
#include "token/b64url.h"

enum { MOST_ASKS = FG_MAX_POLICIES_OF_ROUTE, MOST_REPEATS = 2 };

#define HOSTS_KEY "fg:{hosts}"
#define RESETS_KEY "fg:{hosts}:resets"

/* One question, in groups of limits that may be asked together. */
struct query {
	struct fg_link link; /* of the store's */
	struct fg_limit_redis *store;
	struct fg_redis_query *sent;
	enum fg_limit_op op;
	struct fg_limit_ask *asks; /* the caller's; once it is late, those kept */
	struct fg_limit_ask *kept; /* owned; NULL: the caller still waits */
	size_t count, from, to;    /* the group that is asked: [from, to) of order */
	unsigned repeats;          /* because Redis's clock showed another time than was thought */
	uint8_t order[MOST_ASKS];
	fg_usec now;
	fg_limit_redis_fn *fn;
	void *arg;
};

struct fg_limit_redis {
	struct fg_redis *redis;
	bool is_cluster;
	struct fg_redis_script script, hosts_script;
	struct fg_link queries;
	struct fg_limit_memory *memory; /* where an announcement is noted; NULL: none under way */
	struct fg_redis_query *announcement;
	fg_usec ahead;                /* of our monotonic clock is Redis's */
	bool knows_clock;
};

struct fg_limit_redis *
fg_limit_redis_new(struct fg_redis *redis, bool is_cluster)
{
	struct fg_limit_redis *store = calloc(1, sizeof(*store));

	FG_ASSERT(store != NULL);
	store->redis = redis;
	store->is_cluster = is_cluster;
	fg_list_init(&store->queries);
	fg_redis_script_init(&store->script, fg_str_from(fg_limit_lua));
	fg_redis_script_init(&store->hosts_script, fg_str_from(fg_limit_hosts_lua));
	return store;
}

static void
query_free(struct query *query)
{
	fg_list_remove(&query->link);
	free(query->kept);
	free(query);
}

void
fg_limit_redis_free(struct fg_limit_redis *store)
{
	if (store == NULL)
		return;
	while (!fg_list_is_empty(&store->queries)) {
		struct query *query = FG_CONTAINER_OF(store->queries.next, struct query, link);

		fg_redis_cancel(query->sent);
		query_free(query);
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

/* ---- asking */

/* What Redis's clock should show: known from its last answer, until then the host's stands for it. */
static fg_usec
store_time(const struct fg_limit_redis *store)
{
	struct fg_clock clock;

	if (store->knows_clock)
		return fg_clock_mono() + store->ahead;
	fg_clock_read(&clock);
	return clock.wall;
}

void
fg_limit_redis_suppose_time(struct fg_limit_redis *store, fg_usec now)
{
	store->ahead = now - fg_clock_mono();
	store->knows_clock = true;
}

static struct fg_redis_query *
send_asks(struct fg_limit_redis *store, enum fg_limit_op op, const struct fg_limit_ask *asks, const uint8_t *order, size_t count,
    fg_usec now, fg_redis_fn *fn, void *arg)
{
	char names[MOST_ASKS][FG_LIMIT_NAME_BYTES], bytes[FG_LIMIT_SCRIPT_BYTES], digits[24];
	struct fg_str keys[MOST_ASKS], args[2] = {{bytes, 0}, {digits, 0}};

	for (size_t i = 0; i < count; i++)
		keys[i] = (struct fg_str){names[i], fg_limit_redis_name(names[i], &asks[order[i]].key, store->is_cluster)};
	args[0].len = fg_limit_script_write(bytes, op, asks, order, count, now == 0 ? store_time(store) : now);
	if (now != 0)
		args[1].len = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, now);
	return fg_redis_eval(store->redis, &store->script, keys, count, args, now == 0 ? 1 : 2, fn, arg);
}

/* ---- what it answers */

static enum fg_limit_script_answer
read_reply(struct query *query, const struct fg_redis_reply *reply)
{
	const uint8_t *order = query->order + query->from;
	size_t count = query->to - query->from;
	enum fg_limit_script_answer answer;
	fg_usec now;

	if (reply->type != FG_REDIS_STRING)
		return FG_LIMIT_SCRIPT_GARBAGE;
	answer = fg_limit_script_read(reply->str, query->asks, order, count, &now);
	if (answer != FG_LIMIT_SCRIPT_GARBAGE && query->now == 0 && query->kept == NULL)
		fg_limit_redis_suppose_time(query->store, now);
	for (size_t i = 0; answer == FG_LIMIT_SCRIPT_DONE && i < count; i++) {
		struct fg_limit_ask *ask = &query->asks[order[i]];

		if (query->op == FG_LIMIT_RENEW)
			ask->hold = ask->reading.y;
		else
			fg_limit_tell(ask->limit, &ask->reading, ask->cost, now, &ask->result);
	}
	return answer;
}

/* What these were charged. */
static void
give_back(struct query *query, size_t from, size_t to)
{
	struct fg_limit_ask charged[MOST_ASKS];
	size_t count = 0;

	if (query->op != FG_LIMIT_TAKE)
		return;
	for (size_t i = from; i < to; i++) {
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
send_group(struct query *query)
{
	query->sent = send_asks(query->store, query->op, query->asks, query->order + query->from, query->to - query->from,
	    query->now, on_reply, query);
}

static void
ask_group(struct query *query)
{
	query->to = query->from + 1;
	while (query->to < query->count && (!query->store->is_cluster ||
		   memcmp(query->asks[query->order[query->to]].key.tag, query->asks[query->order[query->from]].key.tag,
		       FG_LIMIT_TAG_BYTES) == 0))
		query->to++;
	send_group(query);
}

/* True: an enforced limit of the group refuses. */
static bool
is_refused(const struct query *query)
{
	for (size_t i = query->from; i < query->to; i++)
		if (!query->asks[query->order[i]].reading.allowed && !query->asks[query->order[i]].is_observed)
			return true;
	return false;
}

/* It was decided without Redis, which has charged it all the same: a place would else be held until its lease ends. */
static void
on_late(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct query *query = arg;

	if (err == FG_OK && read_reply(query, reply) == FG_LIMIT_SCRIPT_DONE && !is_refused(query))
		give_back(query, query->from, query->to);
	query_free(query);
}

/* False: nothing will come. Otherwise the query lives on, with asks of its own. */
static bool
waits_on(struct query *query)
{
	if (query->op != FG_LIMIT_TAKE || !fg_redis_await_late(query->sent, on_late, query))
		return false;
	query->kept = malloc(query->count * sizeof(*query->kept));
	FG_ASSERT(query->kept != NULL);
	memcpy(query->kept, query->asks, query->count * sizeof(*query->kept));
	query->asks = query->kept;
	return true;
}

static void
on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct query *query = arg;
	fg_limit_redis_fn *fn = query->fn;
	void *fn_arg = query->arg;
	enum fg_limit_script_answer answer = FG_LIMIT_SCRIPT_DONE;

	/* Tried again by somebody who does not know what became of it, it would be counted twice until the lease ends. */
	if (err == FG_ERR_STORE_TIMEOUT && query->op == FG_LIMIT_RENEW && fg_redis_await_late(query->sent, on_reply, query))
		return;
	if (err == FG_OK)
		answer = read_reply(query, reply);
	/* Redis's clock, which is known now, showed another time than was thought. */
	if (answer == FG_LIMIT_SCRIPT_OUTSIDE && query->repeats++ < MOST_REPEATS) {
		send_group(query);
		return;
	}
	if (err == FG_OK && answer != FG_LIMIT_SCRIPT_DONE)
		err = FG_ERR_STORE_ERROR;
	if (err != FG_OK || is_refused(query)) {
		give_back(query, 0, query->from);
	} else if (query->to < query->count) {
		query->from = query->to;
		ask_group(query);
		return;
	}
	if (err != FG_ERR_STORE_TIMEOUT || !waits_on(query))
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
	fg_list_add(&store->queries, &query->link);
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
		(void)send_asks(store, FG_LIMIT_GIVE, asks + from, order, to - from, 0, fg_redis_ignore, NULL);
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
	char name[17], digits[24];
	struct fg_str args[] = {FG_STR_INIT(""), {name, 0}, {digits, 0}};

	if (store->announcement != NULL)
		return;
	fg_limit_memory_get_hosts(memory, &hosts);
	args[1].len = (size_t)snprintf(name, sizeof(name), "%016" PRIx64, hosts.host);
	args[2].len = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, lapse);
	store->memory = memory;
	store->announcement = fg_redis_eval(store->redis, &store->hosts_script, keys, 2, args, 3, on_announced, store);
}
