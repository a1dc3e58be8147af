/*
 * CPU of one call of the client: small GETs on kept-alive connections to the scripted service, which runs in a process
 * of its own. Prints microseconds of this process's CPU a call, and the bytes that a waiting call costs.
 *
 *   bench_client [--calls N] [--at-once N] [--waiting N]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "client/client.h"
#include "loop/loop.h"
#include "support/service.h"

enum { HEADERS = 10 };

struct bench {
	struct fg_loop *loop;
	struct fg_client *client;
	struct fg_endpoint *endpoint;
	struct fg_str target;
	long left, running, done, failed;
	bool again; /* a call that ends starts another */
};

struct bench_call {
	struct bench *bench;
	struct fg_arena arena;
	char first[4096];
};

static void start(struct bench_call *call);

static enum fg_flow
on_status(void *arg, int status)
{
	(void)arg;
	return status == 200 ? FG_FLOW_GO : FG_FLOW_FAIL;
}

static enum fg_flow
on_header(void *arg, struct fg_str name, struct fg_str value)
{
	(void)arg;
	(void)name;
	(void)value;
	return FG_FLOW_GO;
}

static enum fg_flow
on_head_end(void *arg)
{
	(void)arg;
	return FG_FLOW_GO;
}

static enum fg_flow
on_body(void *arg, struct fg_str chunk)
{
	(void)arg;
	(void)chunk;
	return FG_FLOW_GO;
}

static void
on_end(void *arg, enum fg_err err)
{
	struct bench_call *call = arg;
	struct bench *bench = call->bench;

	bench->running--;
	bench->done++;
	bench->failed += err != FG_OK;
	fg_arena_reset(&call->arena);
	if (bench->again && bench->left > 0)
		start(call);
}

static void
start(struct bench_call *call)
{
	static const struct fg_call_ops ops = {.on_status = on_status, .on_header = on_header, .on_head_end = on_head_end,
	    .on_body = on_body, .on_end = on_end};
	static const struct fg_call_header headers[HEADERS] = {
	    {FG_STR_INIT("Host"), FG_STR_INIT("gateway.example.com")},
	    {FG_STR_INIT("User-Agent"), FG_STR_INIT("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")},
	    {FG_STR_INIT("Accept"), FG_STR_INIT("application/json")},
	    {FG_STR_INIT("Accept-Language"), FG_STR_INIT("de,en;q=0.5")},
	    {FG_STR_INIT("Authorization"), FG_STR_INIT("Bearer 0123456789abcdef0123456789abcdef")},
	    {FG_STR_INIT("X-Forwarded-For"), FG_STR_INIT("192.0.2.1")},
	    {FG_STR_INIT("X-Forwarded-Proto"), FG_STR_INIT("https")},
	    {FG_STR_INIT("X-Forwarded-Host"), FG_STR_INIT("gateway.example.com")},
	    {FG_STR_INIT("Via"), FG_STR_INIT("1.1 faregate")},
	    {FG_STR_INIT("X-Request-Id"), FG_STR_INIT("0194f3a2c1d47b8e9a0b1c2d3e4f5061")},
	};
	struct fg_call_spec spec = {.endpoint = call->bench->endpoint, .method = FG_STR("GET"),
	    .target = call->bench->target, .headers = headers, .header_count = HEADERS, .replayable = true,
	    .arena = &call->arena};

	call->bench->left--;
	call->bench->running++;
	(void)fg_call_start(call->bench->client, &spec, &ops, call);
}

static double
cpu_usec(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static long
resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size = 0, resident = 0;

	if (file == NULL || fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (file != NULL)
		fclose(file);
	return resident * sysconf(_SC_PAGESIZE);
}

static void
run(struct bench *bench, struct bench_call *calls, long at_once, long total)
{
	double cpu = cpu_usec();
	fg_usec wall;
	struct fg_clock clock;

	fg_clock_read(&clock);
	wall = clock.mono;
	bench->left = total;
	bench->done = bench->failed = 0;
	bench->again = true;
	for (long i = 0; i < at_once; i++)
		start(&calls[i]);
	while (bench->running > 0)
		fg_loop_turn(bench->loop, true);
	cpu = cpu_usec() - cpu;
	fg_clock_read(&clock);
	printf("%4ld at once: %6.2f us of CPU a call, %8.0f calls/s, %ld calls, %ld failed\n", at_once, cpu / (double)bench->done,
	    (double)bench->done * 1e6 / (double)(clock.mono - wall), bench->done, bench->failed);
	fflush(stdout);
}

static void
wait_many(struct bench *bench, struct bench_call *calls, long count, struct service *service)
{
	long before = resident_bytes();
	unsigned asked = service_requests(service);

	bench->again = false;
	bench->left = count;
	bench->target = FG_STR("/delay/1000");
	for (long i = 0; i < count; i++)
		start(&calls[i]);
	while (bench->running > 0 && service_requests(service) - asked < (unsigned)count)
		fg_loop_turn(bench->loop, true);
	printf("%4ld waiting: %6.1f KB each, arena excluded\n", count,
	    (double)(resident_bytes() - before) / 1024 / (double)count);
	while (bench->running > 0)
		fg_loop_turn(bench->loop, true);
}

int
main(int argc, char **argv)
{
	static const struct option known[] = {{"calls", required_argument, NULL, 'c'}, {"at-once", required_argument, NULL, 'n'},
	    {"waiting", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0}};
	long calls = 100000, at_once = 0, waiting = 512;
	struct service *service = service_start(NULL);
	struct bench bench = {.target = FG_STR("/")};
	struct bench_call *slots;
	struct fg_arena arena;
	struct fg_endpoint_spec spec = {.connect_timeout = FG_US_PER_S, .verify = true};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		*(c == 'c' ? &calls : c == 'n' ? &at_once : &waiting) = strtol(optarg, NULL, 10);
	fg_arena_init(&arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	spec.url = fg_arena_printf(&arena, "http://127.0.0.1:%d", service_port(service));
	bench.loop = fg_loop_new();
	bench.client = fg_client_new(bench.loop, 512, 5 * FG_US_PER_S);
	if (fg_endpoint_new(&bench.endpoint, &spec, &arena) != FG_OK)
		return 1;
	slots = calloc(1024, sizeof(*slots));
	for (size_t i = 0; slots != NULL && i < 1024; i++) {
		slots[i].bench = &bench;
		fg_arena_init(&slots[i].arena, FG_MAX_EXCHANGE_ARENA_BYTES, slots[i].first, sizeof(slots[i].first));
		memset(slots[i].first, 1, sizeof(slots[i].first));
	}
	if (slots == NULL || at_once > 1024 || waiting > 1024)
		return 1;
	if (waiting > 0)
		wait_many(&bench, slots, waiting, service);
	bench.target = FG_STR("/");
	if (at_once > 0) {
		run(&bench, slots, at_once, calls);
	} else {
		run(&bench, slots, 1, calls);
		run(&bench, slots, 64, calls);
		run(&bench, slots, 512, calls);
	}
	fg_client_free(bench.client);
	fg_loop_free(bench.loop);
	fg_arena_fini(&arena);
	free(slots);
	service_stop(service);
	return 0;
}
