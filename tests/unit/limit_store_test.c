/*
 * lib/core stores of limits: the pool's memory and a real Redis are asked the same, at the same times, and must say the
 * same, number for number; what each does beyond that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "limit/limit_memory.h"
#include "limit/limit_redis.h"
#include "limit/zone.h"
#include "support/redis_server.h"
#include "unit/redis_scene.h"

#define S INT64_C(1000000)
#define DAY (INT64_C(86400) * S)
#define START (INT64_C(1790000000) * S)

enum { LIMITS = 12, KEYS = 3, MOST_HELD = 64 };

static struct redis_server *server;
static struct redis_scene scene;
static struct fg_shared shared;
static struct fg_limit_memory memory;
static struct fg_limit_redis *store;
static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 24) % below;
}

static void
start_server(void)
{
	server = redis_server_start(NULL);
}

static int
set_up(void)
{
	if (!redis_server_try(start_server))
		return 1;
	redis_scene_open(&scene);
	redis_scene_connect(&scene, "redis://127.0.0.1:%d/0", redis_server_port(server));
	store = fg_limit_redis_new(scene.redis, false);
	if (fg_shared_create(&shared, NULL, &fg_limit_memory_kind, fg_limit_memory_size(4096)) != FG_OK)
		return 1;
	fg_limit_memory_init(&memory, shared.p);
	return 0;
}

static int
tear_down(void)
{
	fg_limit_redis_free(store);
	redis_scene_close(&scene);
	redis_server_stop(server);
	fg_shared_close(&shared, false);
	return 0;
}

/* ---- asking Redis and waiting */

struct told {
	bool is_over;
	enum fg_err err;
};

static void
on_told(void *arg, enum fg_err err)
{
	*(struct told *)arg = (struct told){true, err};
}

static bool
is_over(void *arg)
{
	return ((struct told *)arg)->is_over;
}

static enum fg_err
ask_redis(enum fg_limit_op op, struct fg_limit_ask *asks, size_t count, fg_usec now)
{
	struct told told = {false, FG_OK};

	fg_limit_redis_ask(store, op, asks, count, now, on_told, &told);
	CU_ASSERT(!told.is_over);
	redis_scene_wait(&scene, is_over, &told);
	return told.err;
}

static void
make_key(struct fg_limit_key *key, const struct fg_limit *limit, unsigned number, unsigned who)
{
	struct fg_limit_part part = {.kind = who};
	uint8_t id[FG_LIMIT_ID_BYTES];
	struct fg_arena arena;
	char name[1] = {(char)('a' + number)};

	fg_arena_init(&arena, 1 << 16, NULL, 0);
	fg_limit_id(id, (struct fg_str){name, 1}, limit);
	fg_limit_key_make(key, id, &part, 1, true, &arena);
	fg_arena_fini(&arena);
}

/* ---- both say the same */

static void
make_limits(struct fg_limit limits[LIMITS], const struct fg_zone *zone)
{
	const struct fg_limit made[LIMITS] = {
	    {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 1 + (int64_t)draw(20), .period = 10 * S, .burst = 1 + (int64_t)draw(30)},
	    {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 99991, .period = 30 * DAY, .burst = 100},
	    {.algorithm = FG_LIMIT_SLIDING_WINDOW, .count = 1 + (int64_t)draw(32), .period = 10 * S},
	    {.algorithm = FG_LIMIT_SLIDING_WINDOW, .count = 33 + (int64_t)draw(100), .period = 60 * S},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 1 + (int64_t)draw(30), .period = 10 * S},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 40, .period = 600 * S, .zone = zone},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 100, .period = DAY, .calendar = FG_LIMIT_DAY + (int)draw(3), .zone = zone},
	    {.algorithm = FG_LIMIT_CONCURRENCY, .count = 1 + (int64_t)draw(8), .period = 30 * S},
	    /* Too large for records of one integer. */
	    {.algorithm = FG_LIMIT_CONCURRENCY, .count = 60000, .period = S},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 60000000, .period = 60 * S},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 3, .period = S / 4},
	    {.algorithm = FG_LIMIT_SLIDING_WINDOW, .count = 60000000, .period = S},
	};

	for (size_t i = 0; i < LIMITS; i++) {
		limits[i] = made[i];
		CU_ASSERT_FATAL(fg_limit_init(&limits[i]));
	}
}

struct pair {
	struct fg_limit_ask memory[LIMITS], redis[LIMITS];
	size_t count;
};

static void
draw_asks(struct pair *pair, const struct fg_limit limits[LIMITS])
{
	unsigned first = (unsigned)draw(LIMITS), who = (unsigned)draw(KEYS);

	pair->count = 1 + draw(4);
	for (size_t i = 0; i < pair->count; i++) {
		unsigned number = (first + (unsigned)i) % LIMITS;
		struct fg_limit_ask *ask = &pair->memory[i];

		*ask = (struct fg_limit_ask){.limit = &limits[number], .cost = 1, .is_observed = draw(5) == 0};
		if (limits[number].algorithm != FG_LIMIT_CONCURRENCY)
			ask->cost = (int64_t)draw(4);
		make_key(&ask->key, &limits[number], number, who);
		pair->redis[i] = *ask;
	}
}

static bool
same(const struct pair *pair)
{
	for (size_t i = 0; i < pair->count; i++) {
		const struct fg_limit_ask *a = &pair->memory[i], *b = &pair->redis[i];

		if (a->reading.allowed == b->reading.allowed && a->reading.x == b->reading.x && a->reading.y == b->reading.y &&
		    a->reading.z == b->reading.z && a->result.remaining == b->result.remaining && a->result.reset == b->result.reset &&
		    a->result.retry_after == b->result.retry_after && a->result.hold == b->result.hold)
			continue;
		printf("\n    algorithm %d, cost %lld: memory %d %lld %lld %lld, redis %d %lld %lld %lld\n", a->limit->algorithm,
		    (long long)a->cost, a->reading.allowed, (long long)a->reading.x, (long long)a->reading.y,
		    (long long)a->reading.z, b->reading.allowed, (long long)b->reading.x, (long long)b->reading.y,
		    (long long)b->reading.z);
		return false;
	}
	return true;
}

/* Some of what was allowed is given back later, or renewed. */
struct held {
	struct fg_limit_ask asks[MOST_HELD];
	size_t count;
};

static void
keep_some(struct held *held, const struct pair *pair)
{
	for (size_t i = 0; i < pair->count && held->count < MOST_HELD; i++) {
		const struct fg_limit_ask *ask = &pair->memory[i];

		if (!ask->reading.allowed || ask->cost == 0 || draw(2) == 0)
			continue;
		held->asks[held->count] = *ask;
		held->asks[held->count++].hold = ask->result.hold;
	}
}

/* Whether both say the same of it. */
static bool
change_one(struct held *held, fg_usec now)
{
	size_t which = draw(held->count);
	struct fg_limit_ask in_memory = held->asks[which], in_redis = in_memory;

	if (in_memory.limit->algorithm == FG_LIMIT_CONCURRENCY && draw(2) == 0) {
		fg_limit_memory_renew(&memory, &in_memory, 1, now);
		CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_RENEW, &in_redis, 1, now), FG_OK);
		held->asks[which] = in_memory;
		return in_memory.hold == in_redis.hold;
	}
	fg_limit_memory_give(&memory, &in_memory, 1, now);
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_GIVE, &in_redis, 1, now), FG_OK);
	held->asks[which] = held->asks[--held->count];
	return true;
}

/* All that is drawn in it is drawn from its number. How many were refused, how many allowed. False: the stores differ. */
static bool
play_round(unsigned round, const struct fg_zone *zone, unsigned taken[2])
{
	fg_usec now = START + (fg_usec)round * 1000 * DAY / 26;
	struct held held = {.count = 0};
	struct fg_limit limits[LIMITS];

	seed = round;
	make_limits(limits, zone);
	for (unsigned step = 0; step < 1300; step++) {
		struct pair pair;

		/* Never back: keys of Redis expire by real time, and what has expired does not come back. */
		now += draw(60) == 0 ? (fg_usec)draw((uint64_t)DAY) : (fg_usec)draw(S / 2);
		if (held.count > 0 && draw(4) == 0 && !change_one(&held, now))
			return false;
		draw_asks(&pair, limits);
		if (draw(5) == 0) {
			(void)fg_limit_memory_peek(&memory, pair.memory, pair.count, now);
			CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_PEEK, pair.redis, pair.count, now), FG_OK);
		} else {
			bool was = fg_limit_memory_take(&memory, pair.memory, pair.count, now);

			CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, pair.redis, pair.count, now), FG_OK);
			if (was != fg_limit_all_allowed(pair.redis, pair.count))
				return false;
			taken[was]++;
			if (was)
				keep_some(&held, &pair);
		}
		if (!same(&pair))
			return false;
	}
	return true;
}

static void
begin_anew(void)
{
	redis_server_do(server, "FLUSHALL");
	fg_shared_close(&shared, false);
	CU_ASSERT_FATAL(fg_shared_create(&shared, NULL, &fg_limit_memory_kind, fg_limit_memory_size(4096)) == FG_OK);
	fg_limit_memory_init(&memory, shared.p);
}

/*
 * Keys of Redis end by real time, some of them after a quarter of a second: where the machine has stood still for longer, Redis
 * has forgotten more than it should. Such a round is played again; what differs for another reason differs each time.
 */
static void
both_stores_say_the_same(void)
{
	const struct fg_zone *zone = fg_zone_load(FG_STR("Asia/Kathmandu"), START, &scene.arena);
	unsigned taken[2] = {0};

	CU_ASSERT_FATAL(zone != NULL);
	for (unsigned round = 1; round < 26; round++) {
		for (int tries = 1; !play_round(round, zone, taken); tries++) {
			CU_ASSERT_FATAL(tries < 10);
			begin_anew();
		}
		begin_anew();
	}
	/* Both happen often: otherwise nothing was compared. */
	CU_ASSERT(taken[0] > 1000 && taken[1] > 1000);
}

/* What is as good as none is forgotten by Redis in real time, and comes back in memory with the clock: both begin anew. */
static bool
is_as_good_as_none(const struct fg_limit_ask *ask, fg_usec now)
{
	struct fg_limit_ask peek = *ask;

	(void)fg_limit_memory_peek(&memory, &peek, 1, now);
	return peek.limit->algorithm == FG_LIMIT_TOKEN_BUCKET && peek.reading.x < now + DAY;
}

/* By up to two years, or by about what clocks may go back without a window's beginning anew. */
static fg_usec
jump(fg_usec now)
{
	static const uint64_t spans[] = {730 * (uint64_t)DAY, 100 * DAY, 3 * 3600 * S, 4 * FG_LIMIT_CLOCK_SLACK};
	uint64_t span = spans[draw(4)];

	now += draw(3) == 0 ? (fg_usec)draw(2 * span) - (fg_usec)span : (fg_usec)draw(S);
	return now < START - 730 * DAY || now > START + 7300 * DAY ? START : now;
}

/* Whether both say the same of what is taken, looked at, given back and renewed while the clock jumps, and it is possible. */
static void
play_jumps(const struct fg_limit *limit, unsigned number, fg_usec *now)
{
	struct pair pair = {.count = 1};
	struct held held = {.count = 0};

	for (int step = 0; step < 1000; step++) {
		*now = jump(*now);
		if (held.count > 0 && draw(3) == 0) {
			struct fg_limit_ask last = pair.memory[0];

			CU_ASSERT_FATAL(change_one(&held, *now));
			if (is_as_good_as_none(&last, *now)) {
				begin_anew();
				held.count = 0;
			}
		}
		pair.memory[0] = (struct fg_limit_ask){.limit = limit, .cost = 1 + (int64_t)draw(3)};
		make_key(&pair.memory[0].key, limit, number, 1);
		pair.redis[0] = pair.memory[0];
		if (draw(5) == 0) {
			(void)fg_limit_memory_peek(&memory, pair.memory, 1, *now);
			CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_PEEK, pair.redis, 1, *now), FG_OK);
		} else {
			if (fg_limit_memory_take(&memory, pair.memory, 1, *now))
				keep_some(&held, &pair);
			CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, pair.redis, 1, *now), FG_OK);
		}
		if (!same(&pair))
			CU_FAIL_FATAL("the stores differ");
		CU_ASSERT(pair.redis[0].result.remaining >= 0 && pair.redis[0].result.remaining <= pair.redis[0].result.limit);
		CU_ASSERT(pair.redis[0].result.retry_after <= limit->period + limit->quantum + FG_LIMIT_CLOCK_SLACK);
	}
}

/*
 * No key of Redis ends by itself meanwhile, so that it forgets no more than memory does. The limit holds again where the clock
 * goes on.
 */
static void
clocks_that_jump(void)
{
	struct fg_limit limits[] = {
	    {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 20, .period = 90 * DAY, .burst = 20},
	    {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 1999, .period = 3 * DAY, .burst = 40},
	    {.algorithm = FG_LIMIT_SLIDING_WINDOW, .count = 20, .period = 90 * DAY},
	    {.algorithm = FG_LIMIT_SLIDING_WINDOW, .count = 40, .period = 90 * DAY},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 20, .period = 90 * DAY},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 20, .period = 7 * DAY, .calendar = FG_LIMIT_WEEK},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 20, .period = 31 * DAY, .calendar = FG_LIMIT_MONTH},
	    {.algorithm = FG_LIMIT_CONCURRENCY, .count = 20, .period = 3600 * S},
	};

	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct fg_limit_ask ask = {.limit = &limits[i], .cost = 1};
		fg_usec now = START;
		unsigned allowed = 0;

		seed = i + 1;
		CU_ASSERT(fg_limit_init(&limits[i]));
		play_jumps(&limits[i], i, &now);
		make_key(&ask.key, &limits[i], i, 1);
		for (int step = 0; step < 100; step++) {
			CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, now + step), FG_OK);
			allowed += ask.result.allowed;
		}
		CU_ASSERT((int64_t)allowed <= (limits[i].burst > 0 ? limits[i].burst : limits[i].count));
		begin_anew();
	}
}

/* ---- Redis alone */

static void
a_record_expires_by_itself(void)
{
	struct fg_limit limit = {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 10, .period = 10000 * S, .burst = 10};
	struct fg_limit_ask ask = {.limit = &limit, .cost = 5};
	char name[FG_LIMIT_NAME_BYTES];
	const char *reply;
	long ttl;

	CU_ASSERT(fg_limit_init(&limit));
	make_key(&ask.key, &limit, 0, 1);
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, 0), FG_OK);
	CU_ASSERT_EQUAL(fg_limit_redis_name(name, &ask.key, false), 14);
	reply = redis_server_do(server, "EVAL \"local k = redis.call('KEYS', 'fg:*') return redis.call('PTTL', k[1])\" 0");
	ttl = strtol(reply + 1, NULL, 10);
	CU_ASSERT(ttl > 4900000 && ttl <= 5000001);
	/* A whole number of microseconds is kept as a number: 16 bytes. */
	reply = redis_server_do(server, "EVAL \"local k = redis.call('KEYS', 'fg:*') return redis.call('OBJECT', 'ENCODING', k[1])\" 0");
	CU_ASSERT(strstr(reply, "int") != NULL);
	redis_server_do(server, "FLUSHALL");
}

/* Redis has 16 bytes for an integer, and many more for anything else. */
static void
a_record_is_an_integer(void)
{
	struct fg_limit limits[] = {
	    {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 100, .period = 60 * S, .burst = 20},
	    {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 997, .period = 60 * S, .burst = 20},
	    {.algorithm = FG_LIMIT_SLIDING_WINDOW, .count = 30, .period = 3600 * S},
	    {.algorithm = FG_LIMIT_SLIDING_WINDOW, .count = FG_LIMIT_MAX_COUNT, .period = 60 * S},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 1000000, .period = 60 * S},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 1000000, .period = 31 * DAY, .calendar = FG_LIMIT_MONTH},
	    {.algorithm = FG_LIMIT_CONCURRENCY, .count = 1000, .period = 30 * S},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct fg_limit_ask ask = {.limit = &limits[i], .cost = 2};

		CU_ASSERT(fg_limit_init(&limits[i]));
		make_key(&ask.key, &limits[i], 0, 1);
		CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, 0), FG_OK);
		CU_ASSERT(ask.result.allowed);
		CU_ASSERT(strstr(redis_server_do(server,
			      "EVAL \"return redis.call('OBJECT', 'ENCODING', redis.call('KEYS', 'fg:*')[1])\" 0"), "int") != NULL);
		redis_server_do(server, "FLUSHALL");
	}
}

/* ---- whose clock */

/* Hosts whose clocks are hours and days apart count in the window that Redis's clock is in, all in the same. */
static void
windows_go_by_the_clock_of_redis(void)
{
	static const fg_usec off[] = {0, -7 * 3600 * S, 7 * 3600 * S, -70 * DAY, 70 * DAY, -1, 1};
	struct fg_limit limits[] = {
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 14, .period = DAY, .calendar = FG_LIMIT_DAY},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 14, .period = 7 * DAY, .calendar = FG_LIMIT_WEEK},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 14, .period = 31 * DAY, .calendar = FG_LIMIT_MONTH},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 14, .period = 3600 * S},
	    {.algorithm = FG_LIMIT_FIXED_WINDOW, .count = 14, .period = 60 * S},
	};
	struct fg_clock clock;

	fg_clock_read(&clock);
	limits[0].zone = limits[1].zone = limits[3].zone = fg_zone_load(FG_STR("Asia/Kathmandu"), clock.wall, &scene.arena);
	CU_ASSERT_FATAL(limits[0].zone != NULL);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		fg_usec before[3], after[3], end = 0;
		struct fg_limit_ask ask = {.limit = &limits[i], .cost = 1};

		CU_ASSERT(fg_limit_init(&limits[i]));
		make_key(&ask.key, &limits[i], (unsigned)i, 1);
		fg_clock_read(&clock);
		fg_limit_window_ends(&limits[i], clock.wall, before);
		for (int n = 0; n < 2 * (int)(sizeof(off) / sizeof(off[0])); n++) {
			/* Each of them begins the window once, and once goes on with it. */
			if (n % 2 == 0)
				redis_server_do(server, "FLUSHALL");
			fg_limit_redis_suppose_time(store, clock.wall + off[n / 2]);
			CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, 0), FG_OK);
			CU_ASSERT(ask.result.allowed);
			fg_clock_read(&clock);
			fg_limit_window_ends(&limits[i], clock.wall, after);
			/* A boundary may pass while we look. */
			CU_ASSERT(ask.reading.x == before[1] || ask.reading.x == after[1]);
			CU_ASSERT(n % 2 == 0 || ask.reading.x != end || ask.reading.y == 2);
			end = ask.reading.x;
		}
		redis_server_do(server, "FLUSHALL");
	}
}

/* What was decided stays decided while what is held is renewed, and when that fails: an answer still tells it. */
static void
renewing_changes_no_decision(void)
{
	struct fg_limit limit = {.algorithm = FG_LIMIT_CONCURRENCY, .count = 1, .period = 30 * S};
	struct fg_limit_ask ask = {.limit = &limit, .cost = 1};

	CU_ASSERT(fg_limit_init(&limit));
	make_key(&ask.key, &limit, 0, 1);
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, START), FG_OK);
	CU_ASSERT(ask.result.allowed);
	ask.hold = ask.result.hold;
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_RENEW, &ask, 1, START + 10 * S), FG_OK);
	CU_ASSERT(ask.hold > ask.result.hold);
	CU_ASSERT(ask.result.allowed);
	redis_server_do(server, "REPLICAOF 127.0.0.1 1");
	CU_ASSERT_NOT_EQUAL(ask_redis(FG_LIMIT_RENEW, &ask, 1, START + 20 * S), FG_OK);
	CU_ASSERT(ask.result.allowed);
	CU_ASSERT_EQUAL(ask.result.limit, 1);
	redis_server_do(server, "REPLICAOF NO ONE");
	redis_server_do(server, "FLUSHALL");
}

/* What had lapsed is renewed when all places are taken: the count stays at what 16 bits hold, it does not begin anew. */
static void
a_count_that_is_full(void)
{
	struct fg_limit limit = {.algorithm = FG_LIMIT_CONCURRENCY, .count = FG_LIMIT_MAX_AT_ONCE, .period = 30 * S};
	struct fg_limit_ask ask = {.limit = &limit, .cost = FG_LIMIT_MAX_AT_ONCE};

	CU_ASSERT(fg_limit_init(&limit));
	make_key(&ask.key, &limit, 0, 1);
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, START), FG_OK);
	CU_ASSERT(ask.result.allowed);
	ask.cost = 1;
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_RENEW, &ask, 1, START), FG_OK);
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, START), FG_OK);
	CU_ASSERT(!ask.result.allowed);
	CU_ASSERT_EQUAL(ask.reading.x, FG_LIMIT_MAX_AT_ONCE);
	redis_server_do(server, "FLUSHALL");
}

/* One connection: what is asked after it is answered after it, unless Redis had to be given the script first. */
static void
announce(struct fg_limit_memory *whose, struct fg_limit_ask *ask)
{
	fg_limit_redis_announce(store, whose, 10 * S);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_PEEK, ask, 1, 0), FG_OK);
}

static void
hosts_hear_of_each_other(void)
{
	struct fg_shared other_shared;
	struct fg_limit_memory other;
	struct fg_limit_hosts hosts;
	/* By the real clock: nothing that begins anew at a full hour. */
	struct fg_limit limit = {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 1, .period = 3600 * S, .burst = 1};
	struct fg_limit_ask ask = {.limit = &limit, .cost = 1};
	struct told told = {false, FG_OK};
	const struct fg_clock now = {.wall = START};
	struct fg_limit_block block;

	CU_ASSERT(fg_limit_init(&limit));
	make_key(&ask.key, &limit, 0, 1);
	CU_ASSERT_FATAL(fg_shared_create(&other_shared, NULL, &fg_limit_memory_kind, fg_limit_memory_size(1)) == FG_OK);
	fg_limit_memory_init(&other, other_shared.p);
	announce(&memory, &ask);
	fg_limit_memory_get_hosts(&memory, &hosts);
	CU_ASSERT_EQUAL(hosts.alive, 1);
	announce(&other, &ask);
	announce(&memory, &ask);
	fg_limit_memory_get_hosts(&memory, &hosts);
	CU_ASSERT_EQUAL(hosts.alive, 2);
	fg_limit_memory_get_hosts(&other, &hosts);
	CU_ASSERT_EQUAL(hosts.alive, 2);
	/* One that was silent for too long is gone. */
	redis_server_do(server, "ZADD fg:{hosts} 1 %016llx", (unsigned long long)hosts.host);
	announce(&memory, &ask);
	fg_limit_memory_get_hosts(&memory, &hosts);
	CU_ASSERT_EQUAL(hosts.alive, 1);
	/* So is one that was heard of before Redis's clock was set back. */
	redis_server_do(server, "ZADD fg:{hosts} 4000000000000000 gone");
	announce(&memory, &ask);
	fg_limit_memory_get_hosts(&memory, &hosts);
	CU_ASSERT_EQUAL(hosts.alive, 1);

	/* A reset lets the key in again, here and wherever it is known to be refused. */
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, 0), FG_OK);
	CU_ASSERT(ask.reading.allowed);
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, 0), FG_OK);
	CU_ASSERT(!ask.reading.allowed);
	fg_limit_memory_block(&memory, &ask.key, 1, &now, 10 * S);
	CU_ASSERT(fg_limit_memory_blocked(&memory, &ask.key, 1, &now, &block));
	fg_limit_redis_reset(store, &ask.key, on_told, &told);
	redis_scene_wait(&scene, is_over, &told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	announce(&memory, &ask);
	CU_ASSERT_EQUAL(ask_redis(FG_LIMIT_TAKE, &ask, 1, 0), FG_OK);
	CU_ASSERT(ask.reading.allowed);
	CU_ASSERT(!fg_limit_memory_blocked(&memory, &ask.key, 1, &now, &block));
	/* The counter of resets goes with the last pool: nothing stays in Redis for ever. */
	CU_ASSERT(atoi(redis_server_do(server, "PTTL fg:{hosts}:resets") + 1) > 0);
	fg_shared_close(&other_shared, false);
	redis_server_do(server, "FLUSHALL");
}

void
suite_limit_store(void)
{
	CU_pSuite suite = CU_add_suite("limit_store", set_up, tear_down);

	ADD_TEST(suite, both_stores_say_the_same);
	ADD_TEST(suite, clocks_that_jump);
	ADD_TEST(suite, a_record_expires_by_itself);
	ADD_TEST(suite, a_record_is_an_integer);
	ADD_TEST(suite, windows_go_by_the_clock_of_redis);
	ADD_TEST(suite, renewing_changes_no_decision);
	ADD_TEST(suite, a_count_that_is_full);
	ADD_TEST(suite, hosts_hear_of_each_other);
}
