/* Records of keys in shared memory: finding places, locking, and the ring of answers. */
#include "idempotency/idempotency_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/random.h>

#include "base/limits.h"
#include "conf/keys.h"

enum { PROBES = 16 };

/* `state` is written last, and set to FREE before anything else changes: whoever dies in between leaves a free place. */
enum { FREE, IN_FLIGHT, KEPT, NOT_KEPT, UNKNOWN };

/* What lasts longer than anything may was written before the machine started anew: it is over. */
#define LONGEST_US (FG_CONF_MAX_DURATION + 24 * INT64_C(3600) * FG_US_PER_S)

struct record {
	_Atomic uint32_t state;
	uint32_t len;      /* of the answer */
	uint64_t at;       /* where it begins, counted since the ring was made */
	uint8_t name[FG_IDEMPOTENCY_HASH_BYTES], fingerprint[FG_IDEMPOTENCY_HASH_BYTES];
	uint64_t token[2];
	fg_usec lease_end, expiry;
};

struct fg_idempotency_memory {
	uint64_t records, room;
	uint64_t secret[2]; /* drawn when the memory is made: mixed into where keys have their places */
	alignas(64) pthread_mutex_t lock;
	uint64_t head;      /* bytes ever written to the ring */
	_Atomic uint64_t evictions;
	struct record table[];
	/* Then: char ring[room]. */
};

__extension__ typedef unsigned __int128 wide;

/* ---- the memory */

enum { EACH_BYTES = sizeof(struct record) + FG_IDEMPOTENCY_ROOM_BYTES };

size_t
fg_idempotency_memory_size(size_t records)
{
	return sizeof(struct fg_idempotency_memory) + records * EACH_BYTES;
}

static size_t
records_for(size_t size)
{
	return size < sizeof(struct fg_idempotency_memory) ? 0 : (size - sizeof(struct fg_idempotency_memory)) / EACH_BYTES;
}

static void
init_memory(void *p, size_t size)
{
	struct fg_idempotency_memory *memory = p;
	pthread_mutexattr_t attributes;

	memory->records = records_for(size);
	memory->room = memory->records * FG_IDEMPOTENCY_ROOM_BYTES;
	FG_ASSERT(memory->records > 0);
	FG_ASSERT(getrandom(memory->secret, sizeof(memory->secret), 0) == sizeof(memory->secret));
	FG_ASSERT(pthread_mutexattr_init(&attributes) == 0);
	FG_ASSERT(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
	FG_ASSERT(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
	FG_ASSERT(pthread_mutex_init(&memory->lock, &attributes) == 0);
	pthread_mutexattr_destroy(&attributes);
}

static bool
check_memory(const void *p, size_t size)
{
	const struct fg_idempotency_memory *memory = p;

	return memory->records > 0 && memory->records == records_for(size) &&
	    memory->room == memory->records * FG_IDEMPOTENCY_ROOM_BYTES;
}

const struct fg_shared_kind fg_idempotency_memory_kind = {
    .name = "idempotency",
    .layout = (uint64_t)1 << 48 | sizeof(struct fg_idempotency_memory) << 16 | sizeof(struct record),
    .is_private = true, /* answers are nobody else's */
    .init = init_memory,
    .check = check_memory,
};

static void
lock(struct fg_idempotency_memory *memory)
{
	int err = pthread_mutex_lock(&memory->lock);

	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&memory->lock);
	FG_ASSERT(err == 0);
}

static void
unlock(struct fg_idempotency_memory *memory)
{
	FG_ASSERT(pthread_mutex_unlock(&memory->lock) == 0);
}

/* ---- records */

static unsigned
state_of(const struct record *record, fg_usec now)
{
	unsigned state = atomic_load_explicit(&record->state, memory_order_acquire);

	if (state == FREE || record->expiry <= now || record->expiry - now > LONGEST_US)
		return FREE;
	if (state == IN_FLIGHT && (record->lease_end <= now || record->lease_end - now > LONGEST_US))
		return UNKNOWN;
	return state;
}

static void
set_state(struct record *record, unsigned state)
{
	atomic_store_explicit(&record->state, state, memory_order_release);
	/* Nothing that is written after it may come before: a process can be killed between any two stores. */
	atomic_signal_fence(memory_order_seq_cst);
}

/* Names are hashes that a client can reckon and so choose; the secret keeps it from choosing neighbours. */
static size_t
home_of(const struct fg_idempotency_memory *memory, const uint8_t name[FG_IDEMPOTENCY_HASH_BYTES])
{
	uint64_t v[2];
	wide product;

	memcpy(v, name, sizeof(v));
	product = (wide)(v[0] ^ memory->secret[0]) * (v[1] ^ memory->secret[1]);
	return (size_t)(((uint64_t)(product >> 64) ^ (uint64_t)product) % memory->records);
}

static const struct record *
place_at(const struct fg_idempotency_memory *memory, size_t home, size_t n)
{
	return &memory->table[(home + n) % memory->records];
}

/* NULL: there is none. */
static const struct record *
find(const struct fg_idempotency_memory *memory, const uint8_t name[FG_IDEMPOTENCY_HASH_BYTES], fg_usec now)
{
	size_t home = home_of(memory, name);

	for (size_t n = 0; n < PROBES; n++) {
		const struct record *record = place_at(memory, home, n);

		if (state_of(record, now) != FREE && memcmp(record->name, name, FG_IDEMPOTENCY_HASH_BYTES) == 0)
			return record;
	}
	return NULL;
}

/* The less, the sooner it gives way; in flight never. */
static int
worth(unsigned state)
{
	static const int worths[] = {[FREE] = 0, [KEPT] = 1, [NOT_KEPT] = 1, [UNKNOWN] = 2, [IN_FLIGHT] = 3};

	return worths[state];
}

/* A free place, or that of the record that gives way; NULL: all are in flight. */
static struct record *
take_place(struct fg_idempotency_memory *memory, const uint8_t name[FG_IDEMPOTENCY_HASH_BYTES], fg_usec now)
{
	size_t home = home_of(memory, name), best = 0;
	int best_worth = worth(IN_FLIGHT);
	fg_usec best_expiry = 0;

	for (size_t n = 0; n < PROBES && best_worth > 0; n++) {
		const struct record *record = place_at(memory, home, n);
		int its = worth(state_of(record, now));

		if (its < best_worth || (its == best_worth && its < worth(IN_FLIGHT) && record->expiry < best_expiry)) {
			best = (home + n) % memory->records;
			best_worth = its;
			best_expiry = record->expiry;
		}
	}
	if (best_worth == worth(IN_FLIGHT))
		return NULL;
	if (best_worth > 0)
		atomic_fetch_add_explicit(&memory->evictions, 1, memory_order_relaxed);
	return &memory->table[best];
}

static void
reserve(struct record *record, const struct fg_idempotency_ask *ask, fg_usec now)
{
	set_state(record, FREE);
	memcpy(record->name, ask->record, sizeof(record->name));
	memcpy(record->fingerprint, ask->fingerprint, sizeof(record->fingerprint));
	record->token[0] = ask->token[0];
	record->token[1] = ask->token[1];
	record->lease_end = now + ask->lease;
	record->expiry = now + ask->expire;
	set_state(record, IN_FLIGHT);
}

/* ---- the ring */

static char *
ring_of(struct fg_idempotency_memory *memory)
{
	return (char *)(memory->table + memory->records);
}

static bool
is_there(const struct fg_idempotency_memory *memory, const struct record *record)
{
	return record->len <= memory->room && memory->head - record->at <= memory->room && record->at + record->len <= memory->head;
}

static void
read_answer(struct fg_idempotency_memory *memory, const struct record *record, struct fg_buf *answer)
{
	size_t from = (size_t)(record->at % memory->room), first = (size_t)memory->room - from;

	if (first > record->len)
		first = record->len;
	FG_ASSERT(fg_buf_append(answer, ring_of(memory) + from, first));
	FG_ASSERT(fg_buf_append(answer, ring_of(memory), record->len - first));
}

/* What is overwritten counts as gone before it is: the head goes first. False: it does not fit at all. */
static bool
write_answer(struct fg_idempotency_memory *memory, struct record *record, struct fg_str answer)
{
	size_t from = (size_t)(memory->head % memory->room), first = (size_t)memory->room - from;

	if (answer.len > memory->room)
		return false;
	if (first > answer.len)
		first = answer.len;
	record->at = memory->head;
	record->len = (uint32_t)answer.len;
	memory->head += answer.len;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(ring_of(memory) + from, answer.p, first);
	memcpy(ring_of(memory), answer.p + first, answer.len - first);
	return true;
}

/* ---- what is done with them */

static enum fg_idempotency_state
tell(const struct fg_idempotency_memory *memory, const struct record *record, fg_usec now)
{
	switch (state_of(record, now)) {
	case IN_FLIGHT:
		return FG_IDEMPOTENCY_IN_FLIGHT;
	case KEPT:
		return is_there(memory, record) ? FG_IDEMPOTENCY_KEPT : FG_IDEMPOTENCY_NOT_KEPT;
	case NOT_KEPT:
		return FG_IDEMPOTENCY_NOT_KEPT;
	default:
		return FG_IDEMPOTENCY_UNKNOWN;
	}
}

static enum fg_err
begin(struct fg_idempotency_memory *memory, const struct fg_idempotency_ask *ask, fg_usec now, enum fg_idempotency_state *state,
    struct fg_buf *answer)
{
	const struct record *found = find(memory, ask->record, now);
	struct record *place;

	if (found != NULL && memcmp(found->fingerprint, ask->fingerprint, FG_IDEMPOTENCY_HASH_BYTES) != 0) {
		*state = FG_IDEMPOTENCY_MISMATCH;
		return FG_OK;
	}
	*state = found == NULL ? FG_IDEMPOTENCY_NEW : tell(memory, found, now);
	if (*state == FG_IDEMPOTENCY_KEPT)
		read_answer(memory, found, answer);
	if (found != NULL && !(*state == FG_IDEMPOTENCY_UNKNOWN && ask->takes_over))
		return FG_OK;
	*state = FG_IDEMPOTENCY_NEW;
	place = found != NULL ? &memory->table[found - memory->table] : take_place(memory, ask->record, now);
	if (place == NULL)
		return FG_ERR_STORE_FULL;
	reserve(place, ask, now);
	return FG_OK;
}

enum fg_err
fg_idempotency_memory_begin(struct fg_idempotency_memory *memory, const struct fg_idempotency_ask *ask, fg_usec now,
    enum fg_idempotency_state *state, struct fg_buf *answer)
{
	enum fg_err err;

	lock(memory);
	err = begin(memory, ask, now, state, answer);
	unlock(memory);
	return err;
}

enum fg_idempotency_state
fg_idempotency_memory_peek(const struct fg_idempotency_memory *memory, const struct fg_idempotency_ask *ask, fg_usec now)
{
	const struct record *found = find(memory, ask->record, now);

	return found == NULL ? FG_IDEMPOTENCY_NEW : tell(memory, found, now);
}

bool
fg_idempotency_memory_end(struct fg_idempotency_memory *memory, const struct fg_idempotency_ask *ask,
    enum fg_idempotency_end end, struct fg_str answer, fg_usec now)
{
	const struct record *found;
	struct record *record;
	bool is_ours;

	lock(memory);
	found = find(memory, ask->record, now);
	is_ours = found != NULL && found->token[0] == ask->token[0] && found->token[1] == ask->token[1] &&
	    atomic_load_explicit(&found->state, memory_order_relaxed) == IN_FLIGHT;
	if (is_ours) {
		record = &memory->table[found - memory->table];
		if (end != FG_IDEMPOTENCY_DO_NOT_KNOW)
			record->expiry = now + ask->expire;
		if (end == FG_IDEMPOTENCY_KEEP)
			set_state(record, write_answer(memory, record, answer) ? KEPT : NOT_KEPT);
		else
			set_state(record, end == FG_IDEMPOTENCY_RELEASE ? FREE : end == FG_IDEMPOTENCY_DO_NOT_KEEP ? NOT_KEPT : UNKNOWN);
	}
	unlock(memory);
	return is_ours;
}

uint64_t
fg_idempotency_memory_take_evictions(struct fg_idempotency_memory *memory)
{
	return atomic_exchange_explicit(&memory->evictions, 0, memory_order_relaxed);
}
