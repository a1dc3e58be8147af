/*
 * What it costs to choose a target and to hear what became of the request: balancing, health, both breakers with their
 * windows, counts of what is in flight; in shared memory, by one process and by several at once. Each target has some requests
 * of each worker in flight already. BENCH_PICK_MOST_NS: fails when any takes longer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/judge.h"
#include "service/targets.h"
#include "stats/stats.h"

enum { ROUNDS = 200000, MOST_TARGETS = 256, MOST_PROCESSES = 4, WORKERS = 4, IN_FLIGHT = 2 };

struct bench {
	struct fg_target targets[MOST_TARGETS];
	struct fg_target_state own[MOST_TARGETS + 1];
	struct fg_service service, *services[1];
	struct fg_config config;
	int64_t credit[MOST_TARGETS];
	struct fg_service_state state;
	struct fg_gateway gw;
	struct fg_log log;
};

static const struct fg_service_breaker breaker = {
    .conf = {.failures = 5, .error_rate = 50, .requests = 20, .within = 10 * FG_US_PER_S, .open_for = 5 * FG_US_PER_S,
	.open_most = 60 * FG_US_PER_S}};
static const struct fg_service_health health = {.every = 5 * FG_US_PER_S, .panic = 50, .conf = {2, 3}};

static void
prepare(struct bench *bench, size_t targets, enum fg_balance balance)
{
	static char urls[MOST_TARGETS][32];

	memset(bench, 0, sizeof(*bench));
	bench->service = (struct fg_service){.name = FG_STR("orders"), .targets = bench->targets, .target_count = targets,
	    .balance = balance, .breaker = &breaker, .service_breaker = &breaker, .health = &health, .slow_start = FG_US_PER_S,
	    .state = &bench->own[MOST_TARGETS]};
	for (unsigned i = 0; i < targets; i++) {
		snprintf(urls[i], sizeof(urls[i]), "http://10.0.0.%u:4000", i);
		bench->targets[i] = (struct fg_target){.service = &bench->service, .index = i, .url = fg_str_from(urls[i]),
		    .url_hash = fg_service_hash_url(fg_str_from(urls[i])), .weight = 1 + i % 3, .max_connections = 100, .state = &bench->own[i]};
	}
	bench->services[0] = &bench->service;
	bench->config = (struct fg_config){.services = bench->services, .service_count = 1};
	bench->state = (struct fg_service_state){.credit = bench->credit};
	bench->log = (struct fg_log){.level = FG_LOG_ERROR};
	bench->gw = (struct fg_gateway){.config = &bench->config, .loop = fg_loop_new(), .log = &bench->log};
	if (fg_stats_create(&bench->gw.stats, NULL, 1) != FG_OK ||
	    fg_targets_create(&bench->gw.targets, NULL, fg_targets_needed(bench->config.services, bench->config.service_count)) != FG_OK)
		exit(1);
	fg_targets_attach(bench->gw.targets, bench->config.services, bench->config.service_count, 1);
	for (int i = 0; i < WORKERS; i++) {
		unsigned slot = fg_stats_worker_slot(bench->gw.stats);

		fg_targets_start_worker(bench->gw.targets, slot);
		for (size_t n = 0; n < IN_FLIGHT * targets; n++)
			fg_targets_enter(bench->gw.targets, slot, &bench->targets[n % targets]);
	}
}

static void
finish(struct bench *bench)
{
	fg_targets_close(bench->gw.targets, false);
	fg_stats_close(bench->gw.stats, false);
	fg_loop_free(bench->gw.loop);
}

static void
count_in_flight(void *arg, const struct fg_target *const targets[], size_t count, unsigned in_flight[])
{
	const struct fg_gateway *gw = arg;

	fg_targets_in_flight(gw->targets, gw->stats, targets, count, in_flight);
}

static uint64_t
count_all_in_flight(void *arg, const struct fg_service *service)
{
	const struct fg_gateway *gw = arg;

	return fg_targets_in_flight_to_all(gw->targets, gw->stats, service);
}

/* One in a hundred fails, as it does in earnest. */
static void
ask(struct bench *bench, unsigned n)
{
	struct fg_gateway *gw = &bench->gw;
	const struct fg_pick pick = {.service = &bench->service, .state = &bench->state, .hash = n * UINT64_C(0x9e3779b97f4a7c15),
	    .now = fg_loop_clock(gw->loop)->mono, .in_flight = count_in_flight, .in_flight_to_all = count_all_in_flight,
	    .arg = gw};
	const struct fg_target *target;
	struct fg_permit permit;
	fg_usec wait;

	if (fg_service_pick(&pick, &target, &permit, &wait) != FG_OK)
		exit(1);
	fg_judge_let_through(gw, target, &permit);
	fg_targets_enter(gw->targets, gw->worker, target);
	fg_judge(gw, target, &permit, n % 100 == 0 ? FG_FAILURE_CONNECT : FG_FAILURE_NONE, 0, 0);
	fg_targets_leave(gw->targets, gw->worker, target);
}

static double
cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return ((double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
		   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)) * 1e3;
}

/* CPU time of one request, in ns, while as many processes do the same. */
static double
measure(struct bench *bench, unsigned processes)
{
	double before = cpu_ns();
	pid_t pids[MOST_PROCESSES];

	for (unsigned i = 0; i < processes; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		bench->gw.worker = i;
		for (unsigned n = 1; n <= ROUNDS; n++)
			ask(bench, n);
		_exit(0);
	}
	for (unsigned i = 0; i < processes; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
			exit(1);
	}
	return (cpu_ns() - before) / ROUNDS / processes;
}

int
main(void)
{
	static const size_t counts[] = {1, 3, 16, 64, 256};
	static const unsigned processes[] = {1, 2};
	static struct bench bench;
	const char *most_text = getenv("BENCH_PICK_MOST_NS");
	double most = most_text == NULL ? 0 : strtod(most_text, NULL), worst = 0;

	printf("%8s %10s %15s %18s %10s\n", "targets", "processes", "round-robin ns", "least-requests ns", "hash ns");
	for (size_t c = 0; c < FG_ARRAY_LEN(counts); c++)
		for (size_t p = 0; p < FG_ARRAY_LEN(processes); p++) {
			double took[3];

			for (int b = 0; b < 3; b++) {
				prepare(&bench, counts[c], (enum fg_balance)b);
				took[b] = measure(&bench, processes[p]);
				finish(&bench);
				if (took[b] > worst)
					worst = took[b];
			}
			printf("%8zu %10u %15.0f %18.0f %10.0f\n", counts[c], processes[p], took[FG_BALANCE_ROUND_ROBIN],
			    took[FG_BALANCE_LEAST_REQUESTS], took[FG_BALANCE_HASH]);
		}
	if (most > 0 && worst > most) {
		printf("bench_pick: %.0f ns are more than %.0f\n", worst, most);
		return 1;
	}
	return 0;
}
