/* lib/core/forward_hedge.c: whether a second try is made, and what is learnt. What becomes of two is for the end-to-end tests. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/latency.h"
#include "service/service.h"
#include "service/targets.h"
#include "unit/exchange_scene.h"

/* Sockets that accept and say nothing: each request ends by its route's timeout. A third is answered at. */
static int silent[2], lively;

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
	int a, b, c;

	lively = listen_somewhere(&c);
	silent[0] = listen_somewhere(&a);
	silent[1] = listen_somewhere(&b);
	if (silent[0] < 0 || silent[1] < 0 || lively < 0)
		return 1;
	snprintf(text, sizeof(text),
	    "version: 1\n"
	    "services:\n"
	    "  fixed: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"], hedge: 1ms}\n"
	    "  usual: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"], hedge: {after: p95, at-least: 1ms}}\n"
	    "  poor: {targets: [\"http://127.0.0.1:%d\"], hedge: {after: 1ms, budget: 0%%}}\n"
	    "  narrow: {targets: [\"http://127.0.0.1:%d\"], hedge: 1ms, max-in-flight: 1}\n"
	    "  without: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]}\n"
	    "  mixed: {targets: [{url: \"http://127.0.0.1:%d\", weight: 1000}, \"http://127.0.0.1:%d\"], hedge: {at-least: 1ms},\n"
	    "    connect-timeout: 60s}\n"
	    "defaults: {timeout: 80ms}\n"
	    "routes:\n"
	    "  fixed: {path: /fixed, service: fixed}\n"
	    "  usual: {path: /usual, service: usual}\n"
	    "  poor: {path: /poor, service: poor}\n"
	    "  narrow: {path: /narrow, service: narrow}\n"
	    "  without: {path: /without, service: without}\n"
	    "  mixed: {path: /mixed, service: mixed, timeout: 60s}\n",
	    a, b, a, b, a, a, a, b, a, c);
	return scene_set_up_with(text);
}

static int
tear_down(void)
{
	close(silent[0]);
	close(silent[1]);
	close(lively);
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

/* Whether it makes one. On a machine that stands still for all of a request's time there is none left for it: then again. */
static bool
is_hedged(const char *method, const char *service)
{
	uint64_t hedges = 0;

	for (int tries = 0; tries < 10 && hedges == 0; tries++)
		hedges = hedges_of(method, service, "0");
	return hedges == 1;
}

static void
safe_methods_without_a_body(void)
{
	CU_ASSERT(is_hedged("GET", "fixed"));
	CU_ASSERT(is_hedged("HEAD", "fixed"));
	CU_ASSERT(is_hedged("OPTIONS", "fixed"));
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
	CU_ASSERT(is_hedged("GET", "usual"));
	/* Later than the request has time. */
	for (int i = 0; i < 4096; i++)
		fg_latency_add(&service->state->latency, 95, FG_US_PER_S, 1);
	CU_ASSERT_EQUAL(hedges_of("GET", "usual", "0"), 0);
}

static void
no_budget(void)
{
	/* Once there is time for one: see is_hedged(). */
	for (int tries = 0; tries < 10 && service_of("poor")->state->hedges_refused == 0; tries++)
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
	CU_ASSERT(is_hedged("GET", "fixed"));
	CU_ASSERT(service->targets[0].state->requests >= requests + 2);
}

static uint64_t
failures_of(const struct fg_service *service)
{
	return service->targets[0].state->failures + service->targets[1].state->failures;
}

/* Cancelled or out of time, neither tells a breaker more than that the first gave no answer. */
static void
the_second_is_not_judged(void)
{
	const struct fg_service *service = service_of("fixed");
	uint64_t hedges = 0, failures = 0;

	for (int tries = 0; tries < 10 && hedges == 0; tries++) {
		failures = failures_of(service);
		hedges = hedges_of("GET", "fixed", "0");
	}
	CU_ASSERT_EQUAL(hedges, 1);
	CU_ASSERT_EQUAL(failures_of(service), failures + 1);
}

static void *
answer_once(void *arg)
{
	static const char answer[] = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
	int fd = accept(lively, NULL, NULL);
	char request[4096] = "";
	size_t len = 0;
	ssize_t n;

	while (strstr(request, "\r\n\r\n") == NULL && (n = recv(fd, request + len, sizeof(request) - 1 - len, 0)) > 0)
		request[len += (size_t)n] = '\0';
	*(bool *)arg = send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0;
	close(fd);
	return NULL;
}

/* It would have taken longer: that is what is known of it. Left out, it would make the service look faster than it is. */
static void
what_was_overtaken_is_learnt_from(void)
{
	const struct fg_service *service = service_of("mixed");
	struct fg_target_state *state = service->state;
	bool answered = false;
	pthread_t thread;
	uint32_t slow = 0;

	for (int i = 0; i < 32; i++)
		fg_latency_add(&state->latency, 95, 100, 1);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, answer_once, &answered), 0);
	scene_asks("GET", "/mixed");
	fg_exchange_start(scene_begin());
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	/* Where nobody has asked it, nobody will. */
	shutdown(lively, SHUT_RDWR);
	pthread_join(thread, NULL);
	CU_ASSERT(answered);
	CU_ASSERT_EQUAL(scene.front.status, 204);
	scene_finish();
	CU_ASSERT(state->hedges == 1 && state->hedges_won == 1);
	CU_ASSERT_EQUAL(service->targets[0].state->failures, 0);
	CU_ASSERT_EQUAL(state->latency.added, 33);
	/* Of a millisecond at the least, where the others are in the first few buckets. */
	for (int n = 8; n < FG_LATENCY_BUCKETS; n++)
		slow += state->latency.buckets[n];
	CU_ASSERT_EQUAL(slow, 1);
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
	ADD_TEST(suite, what_was_overtaken_is_learnt_from);
}
