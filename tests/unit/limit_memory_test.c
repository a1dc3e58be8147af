/* lib/core limits in shared memory: several processes at once, one that dies, a table that is full, what is known to be refused. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "limit/limit_memory.h"
#include "unit/unit.h"

#define S INT64_C(1000000)
#define START (INT64_C(1790000000) * S)

enum { PROCESSES = 4 };

static struct fg_shared shared;
static struct fg_limit_memory memory;

static void
make_memory(size_t keys)
{
	CU_ASSERT_FATAL(fg_shared_create(&shared, NULL, &fg_limit_memory_kind, fg_limit_memory_size(keys)) == FG_OK);
	fg_limit_memory_init(&memory, shared.p);
}

static struct fg_limit
make(enum fg_limit_algorithm algorithm, int64_t count)
{
	struct fg_limit limit = {.algorithm = algorithm, .count = count, .period = 3600 * S, .burst = count};

	CU_ASSERT_FATAL(fg_limit_init(&limit));
	return limit;
}

static uint64_t
mix(uint64_t n)
{
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* Spread like the hashes that keys are, in both halves: whatever secret is drawn, their places are as good as drawn too. */
static struct fg_limit_ask
ask_of(const struct fg_limit *limit, uint64_t who)
{
	struct fg_limit_ask ask = {.limit = limit, .cost = 1};

	ask.key.v[0] = mix(2 * who * UINT64_C(0x9e3779b97f4a7c15));
	ask.key.v[1] = mix((2 * who + 1) * UINT64_C(0x9e3779b97f4a7c15));
	return ask;
}

static pid_t
begin_process(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	CU_ASSERT_FATAL(pid >= 0);
	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	return pid;
}

static void
end_process(pid_t pid)
{
	int status;

	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- several at once */

struct crowd {
	struct fg_limit limits[4];
	_Atomic unsigned allowed;
};

static void
take_all_they_can(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < 3000; i++) {
		struct fg_limit_ask asks[4];

		for (unsigned n = 0; n < 4; n++)
			asks[n] = ask_of(&crowd->limits[n], n + 1);
		crowd->allowed += fg_limit_memory_take(&memory, asks, 4, START);
	}
}

static void
several_processes_take_exactly_what_there_is(void)
{
	struct crowd *crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PROCESSES];
	struct fg_limit_ask ask;

	CU_ASSERT_FATAL(crowd != MAP_FAILED);
	make_memory(4096);
	crowd->limits[0] = make(FG_LIMIT_TOKEN_BUCKET, 1000);
	crowd->limits[1] = make(FG_LIMIT_SLIDING_WINDOW, 900);
	crowd->limits[2] = make(FG_LIMIT_FIXED_WINDOW, 800);
	crowd->limits[3] = make(FG_LIMIT_CONCURRENCY, 1100);
	for (size_t i = 0; i < PROCESSES; i++)
		pids[i] = begin_process(take_all_they_can, crowd);
	for (size_t i = 0; i < PROCESSES; i++)
		end_process(pids[i]);
	CU_ASSERT_EQUAL(crowd->allowed, 800);
	for (unsigned n = 0; n < 4; n++) {
		ask = ask_of(&crowd->limits[n], n + 1);
		ask.cost = 0;
		(void)fg_limit_memory_take(&memory, &ask, 1, START);
		CU_ASSERT_EQUAL(ask.result.remaining, ask.limit->count - 800);
	}
	munmap(crowd, sizeof(*crowd));
	fg_shared_close(&shared, false);
}

/* ---- one that dies */

static void
take_for_ever(void *arg)
{
	for (uint64_t who = 0;; who++) {
		struct fg_limit_ask asks[2] = {ask_of(arg, who % 64), ask_of(arg, (who + 7) % 64)};

		(void)fg_limit_memory_take(&memory, asks, 2, START);
	}
}

/* Killed a hundred times at any moment, so also with locks held; the others go on. */
static void
a_process_that_is_killed_harms_nobody(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, FG_LIMIT_MAX_COUNT);
	unsigned held = 0;

	make_memory(4096);
	for (unsigned i = 0; i < 100; i++) {
		pid_t pid = begin_process(take_for_ever, &limit);
		struct fg_limit_ask seen;

		/* It has begun once it has counted something. */
		do {
			seen = ask_of(&limit, 63);
			seen.cost = 0;
			(void)fg_limit_memory_take(&memory, &seen, 1, START);
		} while (i == 0 && seen.result.remaining == limit.burst);
		kill(pid, SIGKILL);
		CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
		for (uint64_t who = 0; who < 64; who++) {
			struct fg_limit_ask ask = ask_of(&limit, who);

			held += fg_limit_memory_take(&memory, &ask, 1, START);
		}
	}
	CU_ASSERT_EQUAL(held, 100 * 64);
	fg_shared_close(&shared, false);
}

/* ---- a table that is full */

static void
the_nearest_to_its_expiry_gives_way(void)
{
	struct fg_limit limit = make(FG_LIMIT_FIXED_WINDOW, 1);
	enum { KEYS = 512, FEW = KEYS / 64 };
	unsigned kept = 0;

	make_memory(KEYS);
	CU_ASSERT_EQUAL(fg_limit_memory_take_evictions(&memory), 0);
	for (uint64_t who = 1; who <= 4 * KEYS; who++) {
		struct fg_limit_ask ask = ask_of(&limit, who);

		CU_ASSERT(fg_limit_memory_take(&memory, &ask, 1, START));
	}
	for (uint64_t who = 1; who <= 4 * KEYS; who++) {
		struct fg_limit_ask ask = ask_of(&limit, who);

		kept += !fg_limit_memory_peek(&memory, &ask, 1, START);
	}
	/* Most places are in use; what is not kept was counted. */
	CU_ASSERT(kept > KEYS / 2 && kept <= KEYS);
	CU_ASSERT_EQUAL(fg_limit_memory_take_evictions(&memory), 4 * KEYS - kept);
	CU_ASSERT_EQUAL(fg_limit_memory_take_evictions(&memory), 0);
	/*
	 * When they have expired there is room again: for as many as one stripe holds, since a secret spreads them anew each time.
	 */
	for (uint64_t who = 1; who <= FEW; who++) {
		struct fg_limit_ask ask = ask_of(&limit, who);

		CU_ASSERT(fg_limit_memory_take(&memory, &ask, 1, START + 7200 * S));
	}
	CU_ASSERT_EQUAL(fg_limit_memory_take_evictions(&memory), 0);
	fg_shared_close(&shared, false);
}

/*
 * Of every size that may be said: half as many keys find their places, but for one in a hundred, twice as many do not. A few
 * more in the smallest, where each stripe has 16 places and chance gives it 8 keys: 0.4 on the average, 25 once in 10^10.
 */
static void
as_many_keys_as_are_said(void)
{
	enum { FEW = 14 };
	static const size_t sizes[] = {FG_MIN_LIMIT_KEYS, 1025, 65536, 1000000};
	struct fg_limit limit = make(FG_LIMIT_FIXED_WINDOW, 1);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_memory(sizes[i]);
		for (uint64_t who = 1; who <= 2 * sizes[i]; who++) {
			struct fg_limit_ask ask = ask_of(&limit, who);

			CU_ASSERT(fg_limit_memory_take(&memory, &ask, 1, START));
			if (who == sizes[i] / 2)
				CU_ASSERT(fg_limit_memory_take_evictions(&memory) <= sizes[i] / 100 + FEW);
		}
		CU_ASSERT(fg_limit_memory_take_evictions(&memory) >= sizes[i] / 2);
		fg_shared_close(&shared, false);
	}
}

/* Whether 64 keys that differ in a pattern push out the one that they are all beside, or each other. */
static bool
neighbours_push_out(void)
{
	struct fg_limit limit = make(FG_LIMIT_FIXED_WINDOW, 1), longer = limit;
	/* Times a small number: but for the secret all in one stripe, one beside the other. */
	struct fg_limit_ask victim = {.limit = &limit, .key = {.v = {UINT64_C(1) << 32, 1}}, .cost = 1};
	bool pushed;

	longer.period *= 2;
	make_memory(65536);
	CU_ASSERT(fg_limit_memory_take(&memory, &victim, 1, START));
	for (uint64_t i = 1; i <= 64; i++) {
		struct fg_limit_ask ask = {.limit = &longer, .key = {.v = {UINT64_C(1) << 32, 1 + i}}, .cost = 1};

		CU_ASSERT(fg_limit_memory_take(&memory, &ask, 1, START));
	}
	pushed = fg_limit_memory_peek(&memory, &victim, 1, START) || fg_limit_memory_take_evictions(&memory) > 0;
	fg_shared_close(&shared, false);
	return pushed;
}

/*
 * Keys that whoever knows the configuration can find, all beside somebody's own: the few of them must not push that one out.
 * One secret in a million is one with which they would: not twice among three.
 */
static void
nobody_chooses_who_gives_way(void)
{
	int pushed = 0;

	for (int i = 0; i < 3; i++)
		pushed += neighbours_push_out();
	CU_ASSERT(pushed <= 1);
}

/* Logs of sliding windows have places of their own. */
static void
many_logs(void)
{
	struct fg_limit limit = make(FG_LIMIT_SLIDING_WINDOW, 20);
	unsigned allowed = 0;

	make_memory(65536);
	for (unsigned i = 0; i < 30; i++)
		for (uint64_t who = 1; who <= 500; who++) {
			struct fg_limit_ask ask = ask_of(&limit, who);

			allowed += fg_limit_memory_take(&memory, &ask, 1, START + i);
		}
	CU_ASSERT_EQUAL(allowed, 500 * 20);
	CU_ASSERT_EQUAL(fg_limit_memory_take_evictions(&memory), 0);
	fg_shared_close(&shared, false);
}

/* ---- what is known to be refused */

static struct fg_clock
clock_at(fg_usec wall, fg_usec mono)
{
	return (struct fg_clock){.wall = START + wall, .mono = mono};
}

/* So long it is refused. */
static fg_usec
blocked(const struct fg_limit_ask *ask, int64_t cost, fg_usec wall, fg_usec mono)
{
	struct fg_clock now = clock_at(wall, mono);
	struct fg_limit_block block;

	return fg_limit_memory_blocked(&memory, &ask->key, cost, &now, &block) ? block.left : 0;
}

static void
what_is_refused_is_known_for_a_while(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 10);
	struct fg_limit_ask ask = ask_of(&limit, 1), other = ask_of(&limit, 2);
	struct fg_clock now = clock_at(0, 7);

	make_memory(4096);
	CU_ASSERT_EQUAL(blocked(&ask, 3, 0, 7), 0);
	fg_limit_memory_block(&memory, &ask.key, 3, &now, 100);
	CU_ASSERT_EQUAL(blocked(&ask, 3, 0, 7), 100);
	CU_ASSERT_EQUAL(blocked(&ask, 4, 99, 106), 1);
	/* Something that costs less might be allowed. */
	CU_ASSERT_EQUAL(blocked(&ask, 2, 0, 7), 0);
	CU_ASSERT_EQUAL(blocked(&other, 3, 0, 7), 0);
	CU_ASSERT_EQUAL(blocked(&ask, 3, 100, 107), 0);
	/* It is no record. */
	CU_ASSERT(fg_limit_memory_take(&memory, &ask, 1, START));
	fg_limit_memory_unblock_all(&memory);
	CU_ASSERT_EQUAL(blocked(&ask, 3, 0, 7), 0);
	fg_shared_close(&shared, false);
}

/* Redis has not heard of it when this host's clock is set: nobody is to wait longer than Redis said. */
static void
what_is_refused_is_no_longer_when_the_clock_is_set_back(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 10);
	struct fg_limit_ask ask = ask_of(&limit, 1);
	struct fg_clock now = clock_at(0, 0);

	make_memory(4096);
	fg_limit_memory_block(&memory, &ask.key, 1, &now, 10 * S);
	CU_ASSERT_EQUAL(blocked(&ask, 1, -3600 * S, 4 * S), 6 * S);
	CU_ASSERT_EQUAL(blocked(&ask, 1, -3600 * S, 10 * S), 0);
	fg_shared_close(&shared, false);
}

/*
 * While there are free places, what is refused for long leaves alone what is refused for a moment. One place in 32
 * is taken, so that 17 keys never come to share 16 of them: once in 10^15.
 */
static void
what_is_refused_takes_free_places_first(void)
{
	struct fg_limit limit = make(FG_LIMIT_TOKEN_BUCKET, 10);
	struct fg_clock now = clock_at(0, 0);
	enum { KEYS = 2048 };
	unsigned kept = 0;

	make_memory(32 * KEYS);
	for (uint64_t who = 1; who <= KEYS; who++) {
		struct fg_limit_ask ask = ask_of(&limit, who);

		fg_limit_memory_block(&memory, &ask.key, 1, &now, (fg_usec)who * S);
	}
	for (uint64_t who = 1; who <= KEYS; who++) {
		struct fg_limit_ask ask = ask_of(&limit, who);

		kept += blocked(&ask, 1, 0, 0) > 0;
	}
	CU_ASSERT_EQUAL(kept, KEYS);
	fg_shared_close(&shared, false);
}

static void
a_record_is_reset(void)
{
	struct fg_limit limit = make(FG_LIMIT_FIXED_WINDOW, 1);
	struct fg_limit_ask ask = ask_of(&limit, 1);

	make_memory(4096);
	fg_limit_memory_reset(&memory, &limit, &ask.key);
	CU_ASSERT(fg_limit_memory_take(&memory, &ask, 1, START));
	CU_ASSERT(!fg_limit_memory_take(&memory, &ask, 1, START));
	fg_limit_memory_reset(&memory, &limit, &ask.key);
	CU_ASSERT(fg_limit_memory_take(&memory, &ask, 1, START));
	fg_shared_close(&shared, false);
}

static void
one_worker_is_due(void)
{
	make_memory(1);
	CU_ASSERT(fg_limit_memory_is_due(&memory, START, 10 * S));
	CU_ASSERT(!fg_limit_memory_is_due(&memory, START + 9 * S, 10 * S));
	CU_ASSERT(fg_limit_memory_is_due(&memory, START + 10 * S, 10 * S));
	/* Also after the clock was set back. */
	CU_ASSERT(fg_limit_memory_is_due(&memory, START - 3600 * S, 10 * S));
	fg_shared_close(&shared, false);
}

/* ---- whom limits refuse */

static const struct fg_limit_top_entry *
find_top(const struct fg_limit_top_entry *top, size_t count, uint64_t key)
{
	for (size_t i = 0; i < count; i++)
		if (top[i].key == key)
			return &top[i];
	return NULL;
}

/* One in ten among ten thousand that come once each. */
static void
who_is_refused_most_is_there(void)
{
	struct fg_limit_top_entry top[FG_LIMIT_TOP];
	const struct fg_limit_top_entry *found;
	size_t count;

	make_memory(64);
	for (uint64_t i = 0; i < 10000; i++)
		fg_limit_top_add(memory.top, 5, i % 10 == 0 ? 7 : 1000 + i, START);
	count = fg_limit_top_read(memory.top, top);
	CU_ASSERT_EQUAL(count, FG_LIMIT_TOP);
	found = find_top(top, count, 7);
	CU_ASSERT_FATAL(found == &top[0]);
	CU_ASSERT(found->limit == 5 && found->refused >= 1000 && found->refused - found->excess <= 1000);
	for (size_t i = 1; i < count; i++)
		CU_ASSERT(top[i].refused <= top[i - 1].refused && top[i].refused - top[i].excess >= 1);
	/* A minute later it counts half. */
	fg_limit_top_add(memory.top, 5, 7, START + 60 * S);
	count = fg_limit_top_read(memory.top, top);
	CU_ASSERT(top[0].key == 7 && top[0].refused >= 501 && top[0].refused < 1000);
	fg_shared_close(&shared, true);
}

static void
die_counting(void *arg)
{
	struct fg_limit_top *top = arg;

	pthread_mutex_lock(&top->lock);
	raise(SIGKILL);
}

static void
a_dead_worker_does_not_end_the_sample(void)
{
	struct fg_limit_top_entry top[FG_LIMIT_TOP];
	int status;

	make_memory(64);
	waitpid(begin_process(die_counting, memory.top), &status, 0);
	CU_ASSERT(WIFSIGNALED(status));
	fg_limit_top_add(memory.top, 5, 7, START);
	CU_ASSERT_EQUAL(fg_limit_top_read(memory.top, top), 1);
	CU_ASSERT(top[0].limit == 5 && top[0].key == 7 && top[0].refused == 1 && top[0].excess == 0);
	fg_shared_close(&shared, true);
}

void
suite_limit_memory(void)
{
	CU_pSuite suite = CU_add_suite("limit_memory", NULL, NULL);

	ADD_TEST(suite, several_processes_take_exactly_what_there_is);
	ADD_TEST(suite, a_process_that_is_killed_harms_nobody);
	ADD_TEST(suite, the_nearest_to_its_expiry_gives_way);
	ADD_TEST(suite, as_many_keys_as_are_said);
	ADD_TEST(suite, nobody_chooses_who_gives_way);
	ADD_TEST(suite, many_logs);
	ADD_TEST(suite, what_is_refused_is_known_for_a_while);
	ADD_TEST(suite, what_is_refused_is_no_longer_when_the_clock_is_set_back);
	ADD_TEST(suite, what_is_refused_takes_free_places_first);
	ADD_TEST(suite, a_record_is_reset);
	ADD_TEST(suite, one_worker_is_due);
	ADD_TEST(suite, who_is_refused_most_is_there);
	ADD_TEST(suite, a_dead_worker_does_not_end_the_sample);
}
