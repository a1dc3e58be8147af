/* lib/service/targets_places.c: bounds over processes that take and give at the same time, and some that die doing so. */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/config.h"
#include "service/targets.h"
#include "service/targets_layout.h"
#include "stats/stats.h"
#include "unit/unit.h"

enum { PROCESSES = 4, RACERS = 2, ROUNDS = 20000, TURNS = 4000, SLOTS = 400 };

/* What the processes of a scene tell one another. */
struct board {
	_Atomic unsigned arrived, inside, most_inside, taken[ROUNDS];
	_Atomic bool is_over;
};

static struct fg_config config;
static struct fg_service service, *service_list[1];
static struct fg_target target;
static struct fg_target_state own[2];
static struct fg_targets *targets;
static struct fg_stats *stats;
static struct board *board;
static pid_t pids[PROCESSES];
static unsigned own_slot; /* of the test itself */

static void
begin(void)
{
	target = (struct fg_target){.url = FG_STR("http://127.0.0.1:4000"), .state = &own[0], .number = -1};
	service = (struct fg_service){.name = FG_STR("orders"), .targets = &target, .target_count = 1, .state = &own[1]};
	service_list[0] = &service;
	config = (struct fg_config){.services = service_list, .service_count = 1};
	CU_ASSERT_EQUAL_FATAL(fg_stats_create(&stats, NULL, 4), FG_OK);
	CU_ASSERT_EQUAL_FATAL(fg_targets_create(&targets, NULL, fg_targets_needed(config.services, config.service_count)), FG_OK);
	fg_targets_attach(targets, config.services, config.service_count, 1);
	own_slot = fg_stats_worker_slot(stats);
	fg_targets_start_worker(targets, own_slot);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(board != MAP_FAILED);
}

static void
end(void)
{
	munmap(board, sizeof(*board));
	fg_targets_close(targets, false);
	fg_stats_close(stats, false);
}

/* A worker in a process of its own. */
static void
start(int i, void (*work)(unsigned slot))
{
	unsigned slot = fg_stats_worker_slot(stats);

	fg_targets_start_worker(targets, slot);
	pids[i] = fork();
	if (pids[i] == 0) {
		work(slot);
		_exit(0);
	}
	atomic_store(&fg_stats_worker(stats, slot)->pid, pids[i]);
}

static void
expect_end(int i)
{
	int status;

	CU_ASSERT_EQUAL(waitpid(pids[i], &status, 0), pids[i]);
	CU_ASSERT_EQUAL(status, 0);
}

/* Waits until all have come here so often. */
static void
meet(unsigned times)
{
	unsigned spins = 0;

	atomic_fetch_add(&board->arrived, 1);
	while (atomic_load(&board->arrived) < times * RACERS)
		if (++spins % 10000 == 0)
			sched_yield();
}

static void
race_for_the_last(unsigned slot)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool mine;

		meet(2 * round + 1);
		mine = fg_targets_admit(targets, stats, slot, &service, 1);
		atomic_fetch_add(&board->taken[round], mine);
		meet(2 * round + 2);
		if (mine)
			fg_targets_dismiss(targets, slot, &service);
	}
}

static void
one_of_many_gets_the_last_place(void)
{
	unsigned wrong = 0;

	begin();
	/* As if there were as many workers: adding up takes longer, and the racers meet in it. */
	for (int i = 0; i < SLOTS; i++)
		fg_targets_start_worker(targets, fg_stats_worker_slot(stats));
	for (int i = 0; i < RACERS; i++)
		start(i, race_for_the_last);
	for (int i = 0; i < RACERS; i++)
		expect_end(i);
	for (int round = 0; round < ROUNDS; round++)
		wrong += atomic_load(&board->taken[round]) != 1;
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(fg_targets_admit(targets, stats, own_slot, &service, 1));
	end();
}

/* In and out; the queue's bound is held by the same means. */
static void
come_and_go(unsigned slot)
{
	for (int turn = 0; turn < TURNS; turn++) {
		unsigned now, most;

		while (!fg_targets_line_up(targets, stats, slot, &service, 2))
			sched_yield();
		now = atomic_fetch_add(&board->inside, 1) + 1;
		most = atomic_load(&board->most_inside);
		while (now > most && !atomic_compare_exchange_weak(&board->most_inside, &most, now))
			;
		if (turn % 8 == 0)
			sched_yield();
		atomic_fetch_sub(&board->inside, 1);
		fg_targets_step_out(targets, slot, &service);
	}
}

static void
never_more_than_the_bound(void)
{
	begin();
	for (int i = 0; i < PROCESSES; i++)
		start(i, come_and_go);
	for (int i = 0; i < PROCESSES; i++)
		expect_end(i);
	CU_ASSERT(board->most_inside >= 1 && board->most_inside <= 2);
	CU_ASSERT_EQUAL(fg_targets_waiting(targets, stats, &service), 0);
	/* The two numbers have nothing to do with each other. */
	CU_ASSERT(fg_targets_admit(targets, stats, own_slot, &service, 1));
	CU_ASSERT_EQUAL(fg_targets_waiting(targets, stats, &service), 0);
	CU_ASSERT(fg_targets_line_up(targets, stats, own_slot, &service, 1));
	CU_ASSERT(!fg_targets_line_up(targets, stats, own_slot, &service, 1));
	CU_ASSERT_EQUAL(fg_targets_waiting(targets, stats, &service), 1);
	end();
}

static void
take_for_ever(unsigned slot)
{
	for (;;)
		if (fg_targets_admit(targets, stats, slot, &service, 2)) {
			atomic_fetch_add(&board->inside, 1);
			sched_yield();
			fg_targets_dismiss(targets, slot, &service);
		}
}

/* Wherever they are: holding, claiming, adding up. */
static void
who_is_killed_holds_nothing(void)
{
	struct fg_stats_death death;

	begin();
	for (int round = 0; round < 50; round++) {
		unsigned before = atomic_load(&board->inside), count = 0;

		for (int i = 0; i < PROCESSES; i++)
			start(i, take_for_ever);
		while (atomic_load(&board->inside) < before + 100)
			sched_yield();
		for (int i = 0; i < PROCESSES; i++) {
			kill(pids[i], SIGKILL);
			CU_ASSERT_EQUAL(waitpid(pids[i], NULL, 0), pids[i]);
		}
		for (death = (struct fg_stats_death){0}; fg_stats_free_dead(stats, &death);)
			count++;
		CU_ASSERT_EQUAL(count, PROCESSES);
		CU_ASSERT(fg_targets_admit(targets, stats, own_slot, &service, 2));
		CU_ASSERT(fg_targets_admit(targets, stats, own_slot, &service, 2));
		CU_ASSERT(!fg_targets_admit(targets, stats, own_slot, &service, 2));
		fg_targets_dismiss(targets, own_slot, &service);
		fg_targets_dismiss(targets, own_slot, &service);
	}
	CU_ASSERT_EQUAL(fg_stats_get(stats, FG_COUNT_WORKER_DEATHS), 50 * PROCESSES);
	end();
}

static unsigned yields;

/* In place of the system's: nothing that a worker's loop does may wait for another process. */
int
sched_yield(void)
{
	yields++;
	return (int)syscall(SYS_sched_yield);
}

/* It was stopped between its claim and what it makes of it, and others are asked for the same. */
static void
who_is_stopped_holds_up_nobody(void)
{
	unsigned lower, higher;
	_Atomic uint16_t *cell;

	begin();
	lower = fg_stats_worker_slot(stats);
	higher = fg_stats_worker_slot(stats);
	fg_targets_start_worker(targets, lower);
	fg_targets_start_worker(targets, higher);
	for (int i = 0; i < 2; i++) {
		unsigned slot = i == 0 ? higher : lower;

		cell = &fg_targets_row(targets, i == 0 ? lower : higher)[service.number];
		atomic_store(cell, 0x8000);
		yields = 0;
		CU_ASSERT(fg_targets_admit(targets, stats, slot, &service, 2));
		/* What is left is for the one that claims it, */
		CU_ASSERT(!fg_targets_admit(targets, stats, slot, &service, 2));
		CU_ASSERT_EQUAL(yields, 0);
		/* which may take it as soon as it runs again. */
		CU_ASSERT_EQUAL(atomic_load(cell), 0x8000);
		atomic_store(cell, 0);
		CU_ASSERT(fg_targets_admit(targets, stats, slot, &service, 2));
		fg_targets_dismiss(targets, slot, &service);
		fg_targets_dismiss(targets, slot, &service);
	}
	/* Or until it is no more. */
	atomic_store(cell, 0x8000);
	fg_stats_worker_free(stats, higher);
	CU_ASSERT(fg_targets_admit(targets, stats, lower, &service, 1));
	end();
}

void
suite_targets_places(void)
{
	CU_pSuite suite = CU_add_suite("places at a service", NULL, NULL);

	ADD_TEST(suite, one_of_many_gets_the_last_place);
	ADD_TEST(suite, never_more_than_the_bound);
	ADD_TEST(suite, who_is_killed_holds_nothing);
	ADD_TEST(suite, who_is_stopped_holds_up_nobody);
}
