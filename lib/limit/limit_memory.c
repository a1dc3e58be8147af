/* The records of limits in shared memory: finding places, locking, reading and writing them. */
#include "limit/limit_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/random.h>

#include "base/limits.h"

enum { STRIPES = 64, KEYS_PER_LOG = 8, PROBES = 16 };

/*
 * `commit` is written last: expiry << INFO_BITS | info. 0: never used. FORGOTTEN: in use once, and free. Whoever looks
 * without the lock reads it before and after.
 */
enum { INFO_BITS = 6, FORGOTTEN = 1 };

struct place {
	_Atomic uint64_t key[2];
	_Atomic uint64_t commit; /* info: entries of a log */
	_Atomic uint64_t a, b;
};

struct log_place {
	struct place place;
	_Atomic uint64_t at[FG_LIMIT_LOG];
	_Atomic uint32_t units[FG_LIMIT_LOG];
};

struct stripe {
	alignas(64) pthread_mutex_t lock;
	_Atomic uint64_t evictions;
};

struct fg_limit_shared {
	uint64_t keys;
	uint64_t host;
	_Atomic uint64_t resets;
	_Atomic uint32_t hosts_alive;
	_Atomic int64_t announced;
	uint64_t secret[2]; /* drawn when the memory is made: mixed into where keys have their places */
	_Atomic uint64_t blocks; /* mixed into the keys of what is refused: another number forgets them all */
	struct stripe stripes[STRIPES];
	struct fg_limit_top top;
	/* Then: struct place[keys], struct log_place[keys / KEYS_PER_LOG]; a stripe has a row of each. */
};

__extension__ typedef unsigned __int128 wide;

_Static_assert(FG_LIMIT_LOG < 1 << INFO_BITS, "the length of a log has to fit");

/* ---- the memory */

static size_t
keys_for(size_t size)
{
	size_t group = KEYS_PER_LOG * sizeof(struct place) + sizeof(struct log_place);

	if (size < sizeof(struct fg_limit_shared))
		return 0;
	return (size - sizeof(struct fg_limit_shared)) / (group * STRIPES) * KEYS_PER_LOG * STRIPES;
}

size_t
fg_limit_memory_size(size_t keys)
{
	size_t group = KEYS_PER_LOG * sizeof(struct place) + sizeof(struct log_place);
	size_t groups = (keys + KEYS_PER_LOG * STRIPES - 1) / (KEYS_PER_LOG * STRIPES) * STRIPES;

	return sizeof(struct fg_limit_shared) + groups * group;
}

static void
init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;

	FG_ASSERT(pthread_mutexattr_init(&attributes) == 0);
	FG_ASSERT(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
	FG_ASSERT(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
	FG_ASSERT(pthread_mutex_init(lock, &attributes) == 0);
	pthread_mutexattr_destroy(&attributes);
}

static void
init_shared(void *p, size_t size)
{
	struct fg_limit_shared *shared = p;

	shared->keys = keys_for(size);
	FG_ASSERT(getrandom(&shared->host, sizeof(shared->host), 0) == sizeof(shared->host));
	FG_ASSERT(getrandom(shared->secret, sizeof(shared->secret), 0) == sizeof(shared->secret));
	atomic_store(&shared->hosts_alive, 1);
	for (size_t i = 0; i < STRIPES; i++)
		init_lock(&shared->stripes[i].lock);
	init_lock(&shared->top.lock);
}

static bool
check_shared(const void *p, size_t size)
{
	const struct fg_limit_shared *shared = p;

	return size >= fg_limit_memory_size(1) && shared->keys == keys_for(size);
}

const struct fg_shared_kind fg_limit_memory_kind = {
    .name = "limits",
    .layout = (uint64_t)2 << 48 | sizeof(struct log_place) << 24 | sizeof(struct fg_limit_shared) << 8 | sizeof(struct place),
    .init = init_shared,
    .check = check_shared,
};

void
fg_limit_memory_init(struct fg_limit_memory *memory, void *shared)
{
	memory->shared = shared;
	memory->top = &memory->shared->top;
	memory->stripe_places = (unsigned)(memory->shared->keys / STRIPES);
	memory->stripe_logs = memory->stripe_places / KEYS_PER_LOG;
	memory->refuser = 0;
}

/* ---- locks */

/*
 * Where a key has its places: the low half says the stripe, the high half where in it. Keys are hashes that whoever knows the
 * configuration can reckon, and so choose; the secret keeps them from choosing neighbours.
 */
static uint64_t
spread(const struct fg_limit_memory *memory, const struct fg_limit_key *key)
{
	const uint64_t *secret = memory->shared->secret;
	wide product = (wide)(key->v[0] ^ secret[0]) * (key->v[1] ^ secret[1]);

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static unsigned
stripe_of(const struct fg_limit_memory *memory, const struct fg_limit_key *key)
{
	return (unsigned)(spread(memory, key) % STRIPES);
}

/* In rising order, so that two that lock several never wait for each other. */
static void
lock_stripes(struct fg_limit_memory *memory, uint64_t set)
{
	for (; set != 0; set &= set - 1) {
		pthread_mutex_t *lock = &memory->shared->stripes[__builtin_ctzll(set)].lock;
		int err = pthread_mutex_lock(lock);

		/* Its owner died; what it was writing has no commit word, and so is forgotten. */
		if (err == EOWNERDEAD)
			err = pthread_mutex_consistent(lock);
		FG_ASSERT(err == 0);
	}
}

static void
unlock_stripes(struct fg_limit_memory *memory, uint64_t set)
{
	for (; set != 0; set &= set - 1)
		FG_ASSERT(pthread_mutex_unlock(&memory->shared->stripes[__builtin_ctzll(set)].lock) == 0);
}

static uint64_t
stripes_of(const struct fg_limit_memory *memory, const struct fg_limit_ask *asks, size_t count)
{
	uint64_t set = 0;

	for (size_t i = 0; i < count; i++)
		set |= UINT64_C(1) << stripe_of(memory, &asks[i].key);
	return set;
}

/* ---- places */

static bool
has_log(const struct fg_limit *limit)
{
	return limit != NULL && limit->algorithm == FG_LIMIT_SLIDING_WINDOW;
}

/* The nth place that a key may have; limit NULL: of what is refused. */
static struct place *
place_at(const struct fg_limit_memory *memory, const struct fg_limit *limit, const struct fg_limit_key *key, unsigned n)
{
	unsigned count = has_log(limit) ? memory->stripe_logs : memory->stripe_places;
	uint64_t where = spread(memory, key);
	unsigned home = (unsigned)(((where >> 32) * count) >> 32);
	size_t at = (size_t)(where % STRIPES) * count + (home + n) % count;
	struct place *places = (struct place *)(memory->shared + 1);

	return has_log(limit) ? &((struct log_place *)(places + memory->shared->keys))[at].place : &places[at];
}

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void
store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* NULL: there is none. */
static struct place *
find_place(const struct fg_limit_memory *memory, const struct fg_limit *limit, const struct fg_limit_key *key)
{
	for (unsigned n = 0; n < PROBES; n++) {
		struct place *place = place_at(memory, limit, key, n);

		if (load(&place->commit) == 0)
			return NULL;
		if (load(&place->key[0]) == key->v[0] && load(&place->key[1]) == key->v[1])
			return place;
	}
	return NULL;
}

/* Its own, a free one, or the one that would have been free first. */
static struct place *
take_place(struct fg_limit_memory *memory, const struct fg_limit *limit, const struct fg_limit_key *key, fg_usec now)
{
	struct place *place = find_place(memory, limit, key), *best = NULL;
	uint64_t best_expiry = UINT64_MAX;

	if (place != NULL)
		return place;
	for (unsigned n = 0; n < PROBES && best_expiry > (uint64_t)now; n++) {
		uint64_t expiry;

		place = place_at(memory, limit, key, n);
		expiry = load(&place->commit) >> INFO_BITS;
		if (expiry < best_expiry) {
			best = place;
			best_expiry = expiry;
		}
	}
	FG_ASSERT(best != NULL);
	if (best_expiry > (uint64_t)now)
		atomic_fetch_add_explicit(&memory->shared->stripes[stripe_of(memory, key)].evictions, 1, memory_order_relaxed);
	return best;
}

/* What is there of that key: all zeros when it is another's, has expired, or changes while we look on. */
static void
read_record(const struct fg_limit *limit, struct place *place, const struct fg_limit_key *key, struct fg_limit_record *record,
    fg_usec now)
{
	bool is_whole;

	struct log_place *log = (struct log_place *)place;
	uint64_t commit = place == NULL ? 0 : atomic_load_explicit(&place->commit, memory_order_acquire);

	record->a = record->b = 0;
	record->entries = 0;
	if (commit >> INFO_BITS <= (uint64_t)now)
		return;
	record->a = (int64_t)load(&place->a);
	record->b = (int64_t)load(&place->b);
	record->entries = has_log(limit) ? commit & ((1u << INFO_BITS) - 1) : 0;
	for (unsigned i = 0; i < record->entries; i++) {
		record->log[i].at = (int64_t)load(&log->at[i]);
		record->log[i].units = atomic_load_explicit(&log->units[i], memory_order_relaxed);
	}
	is_whole = load(&place->key[0]) == key->v[0] && load(&place->key[1]) == key->v[1];
	atomic_thread_fence(memory_order_acquire);
	if (!is_whole || load(&place->commit) != commit) {
		record->a = record->b = 0;
		record->entries = 0;
	}
}

static void
write_record(const struct fg_limit *limit, struct place *place, const struct fg_limit_key *key,
    const struct fg_limit_record *record, fg_usec expiry)
{
	struct log_place *log = (struct log_place *)place;
	unsigned entries = has_log(limit) ? record->entries : 0;

	atomic_store_explicit(&place->commit, FORGOTTEN, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	store(&place->key[0], key->v[0]);
	store(&place->key[1], key->v[1]);
	store(&place->a, (uint64_t)record->a);
	store(&place->b, (uint64_t)record->b);
	for (unsigned i = 0; i < entries; i++) {
		store(&log->at[i], (uint64_t)record->log[i].at);
		atomic_store_explicit(&log->units[i], (uint32_t)record->log[i].units, memory_order_relaxed);
	}
	atomic_store_explicit(&place->commit, expiry <= 0 ? FORGOTTEN : (uint64_t)expiry << INFO_BITS | entries,
	    memory_order_release);
}

/* ---- what is done with them */

static void
decide(const struct fg_limit_memory *memory, struct fg_limit_ask *ask, struct fg_limit_record *record, fg_usec now)
{
	read_record(ask->limit, find_place(memory, ask->limit, &ask->key), &ask->key, record, now);
	ask->reading = fg_limit_take(ask->limit, record, ask->cost, now);
}

/* A refusal of another limit takes back what this one would have been charged: read anew, nothing was written. */
static bool
conclude(const struct fg_limit_memory *memory, struct fg_limit_ask *asks, size_t count, fg_usec now)
{
	bool allowed = fg_limit_all_allowed(asks, count);

	for (size_t i = 0; i < count; i++) {
		if (!allowed && asks[i].reading.allowed) {
			struct fg_limit_record record;

			read_record(asks[i].limit, find_place(memory, asks[i].limit, &asks[i].key), &asks[i].key, &record,
			    now);
			asks[i].reading = fg_limit_take(asks[i].limit, &record, 0, now);
		}
		fg_limit_tell(asks[i].limit, &asks[i].reading, asks[i].cost, now, &asks[i].result);
	}
	return allowed;
}

bool
fg_limit_memory_take(struct fg_limit_memory *memory, struct fg_limit_ask *asks, size_t count, fg_usec now)
{
	struct fg_limit_record records[FG_MAX_POLICIES_OF_ROUTE];
	uint64_t stripes = stripes_of(memory, asks, count);
	bool allowed;

	FG_ASSERT(count <= FG_MAX_POLICIES_OF_ROUTE);
	lock_stripes(memory, stripes);
	for (size_t i = 0; i < count; i++)
		decide(memory, &asks[i], &records[i], now);
	for (size_t i = 0; fg_limit_all_allowed(asks, count) && i < count; i++) {
		if (!asks[i].reading.allowed || asks[i].cost == 0)
			continue;
		write_record(asks[i].limit, take_place(memory, asks[i].limit, &asks[i].key, now), &asks[i].key, &records[i],
		    fg_limit_expiry(asks[i].limit, &records[i]));
	}
	allowed = conclude(memory, asks, count, now);
	unlock_stripes(memory, stripes);
	return allowed;
}

bool
fg_limit_memory_peek(const struct fg_limit_memory *memory, struct fg_limit_ask *asks, size_t count, fg_usec now)
{
	struct fg_limit_record record;

	for (size_t i = 0; i < count; i++)
		decide(memory, &asks[i], &record, now);
	return conclude(memory, asks, count, now);
}

void
fg_limit_memory_give(struct fg_limit_memory *memory, const struct fg_limit_ask *asks, size_t count, fg_usec now)
{
	uint64_t stripes = stripes_of(memory, asks, count);
	struct fg_limit_record record;

	lock_stripes(memory, stripes);
	for (size_t i = 0; i < count; i++) {
		const struct fg_limit *limit = asks[i].limit;
		struct place *place = find_place(memory, limit, &asks[i].key);

		if (place == NULL)
			continue;
		read_record(limit, place, &asks[i].key, &record, now);
		fg_limit_give(limit, &record, asks[i].cost, asks[i].hold, now);
		write_record(limit, place, &asks[i].key, &record, fg_limit_expiry(limit, &record));
	}
	unlock_stripes(memory, stripes);
}

void
fg_limit_memory_renew(struct fg_limit_memory *memory, struct fg_limit_ask *asks, size_t count, fg_usec now)
{
	uint64_t stripes = stripes_of(memory, asks, count);
	struct fg_limit_record record;

	lock_stripes(memory, stripes);
	for (size_t i = 0; i < count; i++) {
		struct place *place = take_place(memory, asks[i].limit, &asks[i].key, now);

		read_record(asks[i].limit, place, &asks[i].key, &record, now);
		asks[i].hold = fg_limit_renew(asks[i].limit, &record, asks[i].cost, asks[i].hold, now);
		write_record(asks[i].limit, place, &asks[i].key, &record, fg_limit_expiry(asks[i].limit, &record));
	}
	unlock_stripes(memory, stripes);
}

void
fg_limit_memory_reset(struct fg_limit_memory *memory, const struct fg_limit *limit, const struct fg_limit_key *key)
{
	uint64_t stripe = UINT64_C(1) << stripe_of(memory, key);
	struct place *place;

	lock_stripes(memory, stripe);
	place = find_place(memory, limit, key);
	if (place != NULL)
		store(&place->commit, FORGOTTEN);
	unlock_stripes(memory, stripe);
}

uint64_t
fg_limit_memory_take_evictions(struct fg_limit_memory *memory)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < STRIPES; i++)
		if (load(&memory->shared->stripes[i].evictions) > 0)
			sum += atomic_exchange_explicit(&memory->shared->stripes[i].evictions, 0, memory_order_relaxed);
	return sum;
}

/*
 * ---- what is known to be refused: places of their own among the others. `a` is the cost, `b` the end by the monotonic clock;
 * the place expires by the other one, as all do.
 */

static struct fg_limit_key
block_key(const struct fg_limit_memory *memory, const struct fg_limit_key *key)
{
	struct fg_limit_key mixed = *key;

	mixed.v[1] ^= (load(&memory->shared->blocks) + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ memory->refuser;
	return mixed;
}

bool
fg_limit_memory_blocked(const struct fg_limit_memory *memory, const struct fg_limit_key *key, int64_t cost,
    const struct fg_clock *now, struct fg_limit_block *block)
{
	struct fg_limit_key mixed = block_key(memory, key);
	struct place *place = find_place(memory, NULL, &mixed);
	struct fg_limit_record record;

	if (place == NULL)
		return false;
	read_record(NULL, place, &mixed, &record, now->wall);
	*block = (struct fg_limit_block){.cost = record.a, .left = record.b - now->mono};
	return block->cost > 0 && block->cost <= cost && block->left > 0;
}

void
fg_limit_memory_block(struct fg_limit_memory *memory, const struct fg_limit_key *key, int64_t cost, const struct fg_clock *now,
    fg_usec span)
{
	const struct fg_limit_key mixed = block_key(memory, key);
	const struct fg_limit_record record = {.a = cost, .b = now->mono + span};
	uint64_t stripe = UINT64_C(1) << stripe_of(memory, &mixed);

	lock_stripes(memory, stripe);
	write_record(NULL, take_place(memory, NULL, &mixed, now->wall), &mixed, &record, now->wall + span);
	unlock_stripes(memory, stripe);
}

void
fg_limit_memory_unblock_all(struct fg_limit_memory *memory)
{
	atomic_fetch_add_explicit(&memory->shared->blocks, 1, memory_order_relaxed);
}

/* ---- hosts */

void
fg_limit_memory_get_hosts(const struct fg_limit_memory *memory, struct fg_limit_hosts *hosts)
{
	hosts->host = memory->shared->host;
	hosts->alive = atomic_load_explicit(&memory->shared->hosts_alive, memory_order_relaxed);
	hosts->resets = load(&memory->shared->resets);
}

void
fg_limit_memory_set_hosts(struct fg_limit_memory *memory, unsigned alive, uint64_t resets)
{
	atomic_store_explicit(&memory->shared->hosts_alive, alive < 1 ? 1 : alive, memory_order_relaxed);
	if (atomic_exchange(&memory->shared->resets, resets) != resets)
		fg_limit_memory_unblock_all(memory);
}

bool
fg_limit_memory_is_due(struct fg_limit_memory *memory, fg_usec now, fg_usec span)
{
	int64_t last = atomic_load(&memory->shared->announced);

	/* A clock that was set back must not silence the pool. */
	if (last <= now && now - last < span)
		return false;
	return atomic_compare_exchange_strong(&memory->shared->announced, &last, now);
}
