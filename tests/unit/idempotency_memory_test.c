/* lib/core records of keys in shared memory: by a clock that is played, in several processes, with one that dies, full. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "idempotency/idempotency_memory.h"
#include "unit/unit.h"

#define S INT64_C(1000000)
#define START (1000 * S)

enum { RECORDS = 64, PROCESSES = 4, KEYS = 5000 };

static struct fg_shared shared;
static struct fg_idempotency_memory *memory;
static struct fg_buf answer;

static void
make_memory(size_t records)
{
	CU_ASSERT_FATAL(fg_shared_create(&shared, NULL, &fg_idempotency_memory_kind, fg_idempotency_memory_size(records)) == FG_OK);
	CU_ASSERT(fg_idempotency_memory_kind.check(shared.p, shared.size));
	memory = shared.p;
	fg_buf_init(&answer, FG_MAX_IDEMPOTENCY_ANSWER_BYTES);
}

static void
drop_memory(void)
{
	fg_buf_fini(&answer);
	fg_shared_close(&shared, false);
}

static uint64_t
mix(uint64_t n)
{
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* Spread like the hashes that names are: whatever secret is drawn, their places are as good as drawn too. */
static struct fg_idempotency_ask
ask_of(uint64_t key, uint64_t token)
{
	struct fg_idempotency_ask ask = {.token = {token, 1}, .lease = 10 * S, .expire = 100 * S};
	const uint64_t spread[2] = {mix(2 * key * UINT64_C(0x9e3779b97f4a7c15)), mix((2 * key + 1) * UINT64_C(0x9e3779b97f4a7c15))};

	memcpy(ask.record, spread, sizeof(spread));
	ask.fingerprint[0] = 1;
	return ask;
}

static enum fg_idempotency_state
begin(const struct fg_idempotency_ask *ask, fg_usec now)
{
	enum fg_idempotency_state state = FG_IDEMPOTENCY_MISMATCH;

	fg_buf_reset(&answer);
	CU_ASSERT_EQUAL(fg_idempotency_memory_begin(memory, ask, now, &state, &answer), FG_OK);
	return state;
}

static bool
keep(const struct fg_idempotency_ask *ask, const char *text, fg_usec now)
{
	return fg_idempotency_memory_end(memory, ask, FG_IDEMPOTENCY_KEEP, fg_str_from(text), now);
}

static void
the_life_of_a_record(void)
{
	struct fg_idempotency_ask first = ask_of(1, 1), second = ask_of(1, 2), other = ask_of(1, 3);

	make_memory(RECORDS);
	other.fingerprint[0] = 2;
	CU_ASSERT_EQUAL(begin(&first, START), FG_IDEMPOTENCY_NEW);
	CU_ASSERT_EQUAL(begin(&second, START), FG_IDEMPOTENCY_IN_FLIGHT);
	CU_ASSERT_EQUAL(begin(&other, START), FG_IDEMPOTENCY_MISMATCH);
	CU_ASSERT_EQUAL(fg_idempotency_memory_peek(memory, &other, START), FG_IDEMPOTENCY_IN_FLIGHT);
	/* Ended by its own token alone. */
	CU_ASSERT(!keep(&second, "wrong", START));
	CU_ASSERT(keep(&first, "done", START + 9 * S));
	CU_ASSERT(!keep(&first, "twice", START + 9 * S));
	CU_ASSERT_EQUAL(begin(&second, START + 10 * S), FG_IDEMPOTENCY_KEPT);
	ASSERT_STR(fg_buf_str(&answer), "done");
	CU_ASSERT_EQUAL(begin(&other, START + 10 * S), FG_IDEMPOTENCY_MISMATCH);
	/* It expires as long after it was kept as is said, to the microsecond. */
	CU_ASSERT_EQUAL(begin(&second, START + 109 * S - 1), FG_IDEMPOTENCY_KEPT);
	CU_ASSERT_EQUAL(fg_idempotency_memory_peek(memory, &second, START + 109 * S), FG_IDEMPOTENCY_NEW);
	CU_ASSERT_EQUAL(begin(&second, START + 109 * S), FG_IDEMPOTENCY_NEW);
	/* Released, it has never been. */
	CU_ASSERT(fg_idempotency_memory_end(memory, &second, FG_IDEMPOTENCY_RELEASE, FG_STR_NONE, START + 110 * S));
	CU_ASSERT_EQUAL(begin(&other, START + 110 * S), FG_IDEMPOTENCY_NEW);
	CU_ASSERT(fg_idempotency_memory_end(memory, &other, FG_IDEMPOTENCY_DO_NOT_KEEP, FG_STR_NONE, START + 110 * S));
	CU_ASSERT_EQUAL(begin(&other, START + 209 * S), FG_IDEMPOTENCY_NOT_KEPT);
	drop_memory();
}

static void
what_is_not_known(void)
{
	struct fg_idempotency_ask first = ask_of(1, 1), second = ask_of(1, 2), bold = ask_of(1, 3);

	make_memory(RECORDS);
	bold.takes_over = true;
	CU_ASSERT_EQUAL(begin(&first, START), FG_IDEMPOTENCY_NEW);
	CU_ASSERT_EQUAL(begin(&bold, START + 10 * S - 1), FG_IDEMPOTENCY_IN_FLIGHT);
	CU_ASSERT_EQUAL(begin(&second, START + 10 * S), FG_IDEMPOTENCY_UNKNOWN);
	CU_ASSERT_EQUAL(begin(&second, START + 99 * S), FG_IDEMPOTENCY_UNKNOWN);
	/* It comes after all, and nobody has taken over: known again. */
	CU_ASSERT(keep(&first, "late", START + 99 * S));
	CU_ASSERT_EQUAL(begin(&second, START + 99 * S), FG_IDEMPOTENCY_KEPT);
	first = ask_of(2, 1);
	second = ask_of(2, 2);
	bold = ask_of(2, 3);
	bold.takes_over = true;
	CU_ASSERT_EQUAL(begin(&first, START), FG_IDEMPOTENCY_NEW);
	CU_ASSERT_EQUAL(begin(&bold, START + 10 * S), FG_IDEMPOTENCY_NEW);
	CU_ASSERT(!keep(&first, "fenced off", START + 10 * S));
	CU_ASSERT_EQUAL(begin(&second, START + 11 * S), FG_IDEMPOTENCY_IN_FLIGHT);
	CU_ASSERT(fg_idempotency_memory_end(memory, &bold, FG_IDEMPOTENCY_DO_NOT_KNOW, FG_STR_NONE, START + 12 * S));
	CU_ASSERT_EQUAL(begin(&second, START + 109 * S), FG_IDEMPOTENCY_UNKNOWN);
	CU_ASSERT_EQUAL(begin(&second, START + 110 * S), FG_IDEMPOTENCY_NEW);
	drop_memory();
}

/* A machine that started anew counts from zero: what was written before is over, not there for years. */
static void
a_clock_that_begins_anew(void)
{
	struct fg_idempotency_ask first = ask_of(1, 1), second = ask_of(1, 2);

	make_memory(RECORDS);
	CU_ASSERT_EQUAL(begin(&first, 2 * INT64_C(366) * 86400 * S), FG_IDEMPOTENCY_NEW);
	CU_ASSERT_EQUAL(begin(&second, S), FG_IDEMPOTENCY_NEW);
	drop_memory();
}

/* What is in flight stays; what has ended and would expire first gives way. */
static void
a_table_that_is_full(void)
{
	enum fg_idempotency_state state;
	unsigned refused = 0, reserved = 0;

	make_memory(16);
	for (uint64_t key = 0; key < 16; key++) {
		struct fg_idempotency_ask ask = ask_of(key, key);

		ask.expire += (fg_usec)key;
		CU_ASSERT_EQUAL(begin(&ask, START), FG_IDEMPOTENCY_NEW);
		if (key >= 2)
			continue;
		CU_ASSERT(keep(&ask, key == 0 ? "first" : "second", START));
	}
	CU_ASSERT_EQUAL(fg_idempotency_memory_take_evictions(memory), 0);
	for (uint64_t key = 100; key < 110; key++) {
		struct fg_idempotency_ask ask = ask_of(key, key);
		enum fg_err err = fg_idempotency_memory_begin(memory, &ask, START, &state, &answer);

		reserved += err == FG_OK;
		refused += err == FG_ERR_STORE_FULL;
		if (key == 100) {
			struct fg_idempotency_ask gone = ask_of(0, 0), there = ask_of(1, 1);

			CU_ASSERT_EQUAL(fg_idempotency_memory_peek(memory, &gone, START), FG_IDEMPOTENCY_NEW);
			CU_ASSERT_EQUAL(fg_idempotency_memory_peek(memory, &there, START), FG_IDEMPOTENCY_KEPT);
		}
	}
	CU_ASSERT(reserved == 2 && refused == 8);
	CU_ASSERT_EQUAL(fg_idempotency_memory_take_evictions(memory), 2);
	for (uint64_t key = 2; key < 16; key++) {
		struct fg_idempotency_ask ask = ask_of(key, 0);

		CU_ASSERT_EQUAL(begin(&ask, START), FG_IDEMPOTENCY_IN_FLIGHT);
	}
	drop_memory();
}

/* Answers are overwritten in the order in which they were kept; whose is gone counts as done. */
static void
a_ring_that_is_full(void)
{
	/* As many records as may be looked at for a key, so that each finds a place whatever secret is drawn. */
	enum { LEN = 1700, COUNT = 16 };
	static char text[LEN + 1];
	bool was_kept = false;
	unsigned kept = 0;

	make_memory(COUNT);
	for (uint64_t key = 0; key < COUNT; key++) {
		struct fg_idempotency_ask ask = ask_of(key, key);

		memset(text, (int)('A' + key), LEN);
		CU_ASSERT_EQUAL(begin(&ask, START), FG_IDEMPOTENCY_NEW);
		CU_ASSERT(keep(&ask, text, START));
		CU_ASSERT_EQUAL(begin(&ask, START), FG_IDEMPOTENCY_KEPT);
		ASSERT_STR(fg_buf_str(&answer), text);
	}
	for (uint64_t key = 0; key < COUNT; key++) {
		struct fg_idempotency_ask ask = ask_of(key, key);
		enum fg_idempotency_state state = begin(&ask, START);

		CU_ASSERT(state == FG_IDEMPOTENCY_KEPT || (state == FG_IDEMPOTENCY_NOT_KEPT && !was_kept));
		was_kept = state == FG_IDEMPOTENCY_KEPT;
		kept += was_kept;
		memset(text, (int)('A' + key), LEN);
		if (was_kept)
			ASSERT_STR(fg_buf_str(&answer), text);
	}
	CU_ASSERT_EQUAL(kept, COUNT * FG_IDEMPOTENCY_ROOM_BYTES / LEN);
	drop_memory();
}

/* Answers are nobody else's, whoever makes the file. */
static void
a_file_of_its_own(void)
{
	char folder[] = "/tmp/fg-idempotency-XXXXXX", path[64];
	struct fg_shared joined;
	struct stat st;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f", folder);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_FATAL((i == 0 ? fg_shared_create : fg_shared_join)(&joined, path, &fg_idempotency_memory_kind,
				    fg_idempotency_memory_size(16)) == FG_OK);
		CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
		fg_shared_close(&joined, true);
		CU_ASSERT_EQUAL(stat(path, &st), -1);
	}
	rmdir(folder);
}

/* ---- several processes */

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
reserve_all(void *arg)
{
	unsigned *won = arg;
	enum fg_idempotency_state state;

	for (uint64_t key = 0; key < KEYS; key++) {
		struct fg_idempotency_ask ask = ask_of(key, (uint64_t)getpid());

		if (fg_idempotency_memory_begin(memory, &ask, START, &state, &answer) != FG_OK)
			_exit(1);
		if (state != FG_IDEMPOTENCY_NEW)
			continue;
		won[key % 8]++;
		if (!keep(&ask, "x", START))
			_exit(2);
	}
}

static void
each_key_has_one_winner(void)
{
	unsigned *won = mmap(NULL, PROCESSES * 8 * sizeof(*won), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned sum = 0;
	pid_t pids[PROCESSES];

	/* So much room that 17 keys never come to share 16 places (once in 10^10), which would push one out. */
	make_memory(16 * KEYS);
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = begin_process(reserve_all, won + 8 * i);
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		CU_ASSERT_EQUAL(waitpid(pids[i], &status, 0), pids[i]);
		CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	for (int i = 0; i < PROCESSES * 8; i++)
		sum += won[i];
	CU_ASSERT_EQUAL(sum, KEYS);
	CU_ASSERT_EQUAL(fg_idempotency_memory_take_evictions(memory), 0);
	munmap(won, PROCESSES * 8 * sizeof(*won));
	drop_memory();
}

static char whole[20000];

struct progress {
	_Atomic unsigned rounds; /* over all processes */
};

static fg_usec
round_at(uint64_t n)
{
	return START + (fg_usec)n * 5 * S;
}

static void
write_for_ever(void *arg)
{
	struct progress *progress = arg;

	for (;;) {
		uint64_t n = progress->rounds;
		struct fg_idempotency_ask ask = ask_of(n % 64, n);
		enum fg_idempotency_state state;

		if (fg_idempotency_memory_begin(memory, &ask, round_at(n), &state, &answer) == FG_OK && state == FG_IDEMPOTENCY_NEW)
			keep(&ask, whole, round_at(n));
		progress->rounds++;
	}
}

/* Killed at any moment, with the lock or without: others go on, and every answer that is there is whole. */
static void
processes_that_are_killed(void)
{
	enum { KILLS = 100 };
	unsigned found = 0;
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	make_memory(RECORDS);
	memset(whole, 'x', sizeof(whole) - 1);
	for (int i = 0; i < KILLS; i++) {
		unsigned before = progress->rounds;
		pid_t pid = begin_process(write_for_ever, progress);
		int status;

		while (progress->rounds < before + 20 + (unsigned)i)
			sched_yield();
		kill(pid, SIGKILL);
		CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
		for (uint64_t key = 0; key < 64; key++) {
			struct fg_idempotency_ask ask = ask_of(key, 0);

			if (fg_idempotency_memory_peek(memory, &ask, round_at(progress->rounds)) != FG_IDEMPOTENCY_KEPT)
				continue;
			CU_ASSERT_EQUAL(begin(&ask, round_at(progress->rounds)), FG_IDEMPOTENCY_KEPT);
			ASSERT_STR(fg_buf_str(&answer), whole);
			found++;
		}
	}
	CU_ASSERT(found > KILLS);
	munmap(progress, sizeof(*progress));
	drop_memory();
}

void
suite_idempotency_memory(void)
{
	CU_pSuite suite = CU_add_suite("idempotency: memory", NULL, NULL);

	ADD_TEST(suite, the_life_of_a_record);
	ADD_TEST(suite, what_is_not_known);
	ADD_TEST(suite, a_clock_that_begins_anew);
	ADD_TEST(suite, a_table_that_is_full);
	ADD_TEST(suite, a_ring_that_is_full);
	ADD_TEST(suite, a_file_of_its_own);
	ADD_TEST(suite, each_key_has_one_winner);
	ADD_TEST(suite, processes_that_are_killed);
}
