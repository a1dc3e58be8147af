/* lib/core/forward_hedge.c: whether a second try is made. What becomes of two is for the end-to-end tests. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/latency.h"
#include "core/service.h"
#include "core/targets.h"
#include "unit/exchange_scene.h"

/* Sockets that accept and say nothing: each request ends by its route's timeout. */
static int silent[2];

static int
listen_somewhere(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return -1;
	*port = ntohs(address.sin_port);
	return fd;
}

static int
set_up(void)
{
	char text[2048];
	int a, b;

	silent[0] = listen_somewhere(&a);
	silent[1] = listen_somewhere(&b);
	if (silent[0] < 0 || silent[1] < 0)
		return 1;
	snprintf(text, sizeof(text),
	    "version: 1\n"
	    "services:\n"
	    "  fixed: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"], hedge: 1ms}\n"
	    "  usual: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"], hedge: {after: p95, at-least: 1ms}}\n"
	    "  poor: {targets: [\"http://127.0.0.1:%d\"], hedge: {after: 1ms, budget: 0%%}}\n"
	    "  narrow: {targets: [\"http://127.0.0.1:%d\"], hedge: 1ms, max-in-flight: 1}\n"
	    "  without: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]}\n"
	    "defaults: {timeout: 80ms}\n"
	    "routes:\n"
	    "  fixed: {path: /fixed, service: fixed}\n"
	    "  usual: {path: /usual, service: usual}\n"
	    "  poor: {path: /poor, service: poor}\n"
	    "  narrow: {path: /narrow, service: narrow}\n"
	    "  without: {path: /without, service: without}\n",
	    a, b, a, b, a, a, a, b);
	return scene_set_up_with(text);
}

static int
tear_down(void)
{
	close(silent[0]);
	close(silent[1]);
	return scene_tear_down();
}

static const struct fg_service *
service_of(const char *name)
{
	for (size_t i = 0; i < scene.config->service_count; i++)
		if (fg_str_eq(scene.config->services[i]->name, fg_str_from(name)))
			return scene.config->services[i];
	abort();
}

/* How many hedges a request makes until its time is over. */
static uint64_t
hedges_of(const char *method, const char *service, const char *length)
{
	const struct fg_target_state *state = service_of(service)->state;
	uint64_t before = state->hedges;
	struct fg_exchange *x;
	char path[32];

	snprintf(path, sizeof(path), "/%s", service);
	scene_asks(method, path);
	scene_with("CONTENT_LENGTH", length);
	x = scene_begin();
	fg_exchange_start(x);
	fg_exchange_on_body(x, fg_str_slice(FG_STR("a body"), 0, (size_t)(length[0] - '0')), true);
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(scene.front.status, 504);
	scene_finish();
	return state->hedges - before;
}

static void
safe_methods_without_a_body(void)
{
	CU_ASSERT_EQUAL(hedges_of("GET", "fixed", "0"), 1);
	CU_ASSERT_EQUAL(hedges_of("HEAD", "fixed", "0"), 1);
	CU_ASSERT_EQUAL(hedges_of("OPTIONS", "fixed", "0"), 1);
	CU_ASSERT_EQUAL(hedges_of("GET", "fixed", "6"), 0);
	CU_ASSERT_EQUAL(hedges_of("POST", "fixed", "6"), 0);
	CU_ASSERT_EQUAL(hedges_of("PUT", "fixed", "6"), 0);
	CU_ASSERT_EQUAL(hedges_of("DELETE", "fixed", "0"), 0);
	CU_ASSERT_EQUAL(hedges_of("GET", "without", "0"), 0);
}

static void
only_what_is_known_tells_when(void)
{
	const struct fg_service *service = service_of("usual");

	CU_ASSERT_EQUAL(hedges_of("GET", "usual", "0"), 0);
	for (int i = 0; i < 32; i++)
		fg_latency_add(&service->state->latency, 95, 100, 1);
	CU_ASSERT_EQUAL(hedges_of("GET", "usual", "0"), 1);
	/* Later than the request has time. */
	for (int i = 0; i < 4096; i++)
		fg_latency_add(&service->state->latency, 95, FG_US_PER_S, 1);
	CU_ASSERT_EQUAL(hedges_of("GET", "usual", "0"), 0);
}

static void
no_budget(void)
{
	CU_ASSERT_EQUAL(hedges_of("GET", "poor", "0"), 0);
	CU_ASSERT_EQUAL(service_of("poor")->state->hedges_refused, 1);
}

static void
no_place(void)
{
	CU_ASSERT_EQUAL(hedges_of("GET", "narrow", "0"), 0);
	CU_ASSERT_EQUAL(service_of("narrow")->state->hedges_refused, 0);
	/* What was taken of the budget for it is there again. */
	CU_ASSERT(service_of("narrow")->state->retry_credit > 0);
}

static void
no_other_target(void)
{
	const struct fg_service *service = service_of("fixed");
	uint64_t requests = service->targets[0].state->requests;

	service->targets[1].state->drained = 1;
	CU_ASSERT_EQUAL(hedges_of("GET", "fixed", "0"), 0);
	CU_ASSERT_EQUAL(service->targets[0].state->requests, requests + 1);
	service->targets[1].state->drained = 0;
	CU_ASSERT_EQUAL(hedges_of("GET", "fixed", "0"), 1);
	CU_ASSERT_EQUAL(service->targets[0].state->requests, requests + 2);
}

/* Cancelled or out of time, neither tells a breaker more than that the first gave no answer. */
static void
the_second_is_not_judged(void)
{
	const struct fg_service *service = service_of("fixed");
	uint64_t failures = service->targets[0].state->failures + service->targets[1].state->failures;

	CU_ASSERT_EQUAL(hedges_of("GET", "fixed", "0"), 1);
	CU_ASSERT_EQUAL(service->targets[0].state->failures + service->targets[1].state->failures, failures + 1);
}

void
suite_hedge(void)
{
	CU_pSuite suite = CU_add_suite("hedge", set_up, tear_down);

	ADD_TEST(suite, safe_methods_without_a_body);
	ADD_TEST(suite, only_what_is_known_tells_when);
	ADD_TEST(suite, no_budget);
	ADD_TEST(suite, no_place);
	ADD_TEST(suite, no_other_target);
	ADD_TEST(suite, the_second_is_not_judged);
}
