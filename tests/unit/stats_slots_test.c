/* lib/stats/stats.c: slots of workers, taken and given back by several processes at the same time, some of which are killed. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "stats/stats.h"
#include "unit/unit.h"

enum { PROCESSES = 4, KILLS = 200, TURNS_BETWEEN = 20 };

/* Of all slots: whose each is, by the word of those who have them. */
struct board {
	_Atomic int32_t owner[FG_STATS_MAX_WORKERS];
	_Atomic unsigned turns, wrong;
	_Atomic bool is_over;
};

static struct fg_stats *stats;
static struct board *board;

/* Nobody who lives has it. */
static bool
is_mine_alone(unsigned slot)
{
	int32_t before = atomic_exchange(&board->owner[slot], (int32_t)getpid());

	return before == 0 || before == getpid() || fg_process_is_gone(before, 0);
}

/* As a worker that a web server has started: it enrols, has one exchange in flight, and leaves. */
static void
come_and_go(void)
{
	while (!atomic_load(&board->is_over)) {
		unsigned slot = fg_stats_worker_enrol(stats, 1);
		struct fg_stats_worker *worker = fg_stats_worker(stats, slot);
		int32_t pid;
		bool is_shared = slot == FG_STATS_MAX_WORKERS - 1;

		atomic_fetch_add(&board->wrong, is_shared || !is_mine_alone(slot));
		atomic_fetch_add(&board->wrong, atomic_load(&worker->in_flight) != 0 || atomic_load(&worker->exchanges) != 0);
		atomic_store(&worker->in_flight, 1);
		atomic_store(&worker->exchanges, 1);
		sched_yield();
		/* Whoever looks for the dead may hold it for a moment; nobody else may have it, and it is not free. */
		pid = atomic_load(&worker->pid);
		atomic_fetch_add(&board->wrong, pid >= 0 && pid != getpid());
		atomic_fetch_add(&board->wrong, atomic_load(&worker->state) == FG_WORKER_FREE);
		atomic_store(&board->owner[slot], 0);
		fg_stats_worker_free(stats, slot);
		atomic_fetch_add(&board->turns, 1);
	}
	_exit(0);
}

static pid_t
start(void)
{
	pid_t pid = fork();

	if (pid == 0)
		come_and_go();
	CU_ASSERT_FATAL(pid > 0);
	return pid;
}

static unsigned
count_taken(void)
{
	unsigned count = 0;

	for (unsigned slot = 0; slot < FG_STATS_MAX_WORKERS; slot++)
		count += atomic_load(&fg_stats_worker(stats, slot)->state) != FG_WORKER_FREE ||
		    atomic_load(&fg_stats_worker(stats, slot)->pid) != 0;
	return count;
}

static void
each_slot_has_one_worker(void)
{
	struct fg_stats_death death = {0};
	pid_t pids[PROCESSES];
	unsigned turns = 0;

	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 1), FG_OK);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(board != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = start();
	/* Wherever they are: taking, having, giving back, or burying those killed before. */
	for (int kills = 0; kills < KILLS; kills++) {
		pid_t *pid = &pids[kills % PROCESSES];

		for (turns += TURNS_BETWEEN; atomic_load(&board->turns) < turns;)
			sched_yield();
		turns = atomic_load(&board->turns);
		kill(*pid, SIGKILL);
		CU_ASSERT_EQUAL(waitpid(*pid, NULL, 0), *pid);
		*pid = start();
	}
	atomic_store(&board->is_over, true);
	for (int i = 0; i < PROCESSES; i++)
		CU_ASSERT_EQUAL(waitpid(pids[i], NULL, 0), pids[i]);
	CU_ASSERT_EQUAL(board->wrong, 0);
	while (fg_stats_free_dead(stats, &death))
		;
	CU_ASSERT_EQUAL(count_taken(), 0);
	CU_ASSERT(fg_stats_get(stats, FG_COUNT_WORKER_DEATHS) > 0);
	CU_ASSERT(fg_stats_get(stats, FG_COUNT_EXCHANGES_LOST) <= fg_stats_get(stats, FG_COUNT_WORKER_DEATHS));
	munmap(board, sizeof(*board));
	fg_stats_close(stats, false);
}

void
suite_stats_slots(void)
{
	CU_pSuite suite = CU_add_suite("slots of workers", NULL, NULL);

	ADD_TEST(suite, each_slot_has_one_worker);
}
