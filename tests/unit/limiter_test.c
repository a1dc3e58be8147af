/* lib/core limiter: what it still owes when nobody waits for the store's answer any more, and when a worker ends. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/exchange.h"
#include "core/limiter.h"
#include "filter/filter_list.h"
#include "support/redis_server.h"
#include "unit/config_load.h"
#include "unit/unit.h"

#define HALF_HOUR (1800 * FG_US_PER_S)

static struct redis_server *server;
static struct loaded *loaded;
static struct fg_loop *loop;
static struct fg_log quiet = {.level = FG_LOG_ERROR};
static struct fg_gateway gw;
static struct fg_limiter *limiter;
static struct fg_exchange *x;
static unsigned told;

static int
set_up(void)
{
	server = redis_server_start(NULL);
	return config_folder_make();
}

static int
tear_down(void)
{
	redis_server_stop(server);
	return config_folder_remove();
}

static void
open_gateway(void)
{
	static const struct fg_param params[] = {{FG_STR_INIT("REQUEST_METHOD"), FG_STR_INIT("GET")},
	    {FG_STR_INIT("REQUEST_URI"), FG_STR_INIT("/a")}, {FG_STR_INIT("HTTP_HOST"), FG_STR_INIT("localhost")},
	    {FG_STR_INIT("REMOTE_ADDR"), FG_STR_INIT("192.0.2.1")}};
	char text[512];

	snprintf(text, sizeof(text),
	    "version: 1\n"
	    "store: {url: \"redis://127.0.0.1:%d/0\", deadline: 10s, connect-timeout: 60s}\n"
	    "limits:\n  once: {concurrency: 1, lease: 1h}\n  rate: {rate: 2/1h}\n"
	    "routes: {a: {path: /a, limits: [once, rate], respond: {status: 204}}}\n",
	    redis_server_port(server));
	loaded = config_load(text);
	CU_ASSERT_STRING_EQUAL(loaded->errors, "");
	CU_ASSERT_FATAL(loaded->config != NULL);
	loop = fg_loop_new();
	fg_gateway_init(&gw, loaded->config, loop, NULL, &quiet);
	fg_gateway_start_filters(&gw, NULL);
	limiter = fg_filter_state(&gw, &fg_filter_limits);
	x = fg_exchange_new_offline(&gw, params, sizeof(params) / sizeof(params[0]), NULL);
	told = 0;
}

static void
close_gateway(void)
{
	fg_exchange_free(x);
	fg_gateway_fini(&gw);
	fg_loop_free(loop);
	config_end(loaded);
	redis_server_do(server, "FLUSHALL");
}

static void
on_decided(void *arg, struct fg_limit_job *job)
{
	*(struct fg_limit_job **)arg = job;
	told++;
}

/* Asks about the limit of that place; not yet answered. */
static struct fg_limit_job *
begin(size_t which, struct fg_limit_job **decided)
{
	const struct fg_policies one = {&fg_config_policies(gw.config, &fg_filter_limits)->v[which], 1};
	struct fg_limit_job *job = fg_limit_job_new(limiter, &one, x, false);

	*decided = NULL;
	CU_ASSERT(!fg_limit_job_decide(job, on_decided, decided));
	return job;
}

static void
wait_for(struct fg_limit_job **decided)
{
	while (*decided == NULL)
		fg_loop_turn(loop, true);
}

static bool
is_allowed(size_t which)
{
	struct fg_limit_job *decided;
	bool allowed;

	(void)begin(which, &decided);
	wait_for(&decided);
	CU_ASSERT_EQUAL(decided->err, FG_OK);
	allowed = decided->allowed;
	fg_limit_job_drop(decided);
	return allowed;
}

/* The lease is an hour: what is free again was given back. */
static void
a_place_that_nobody_waits_for_is_given_back(void)
{
	struct fg_limit_job *given_up, *decided;

	open_gateway();
	fg_limit_job_drop(begin(0, &given_up));
	/* Asked before the first was answered: its place is taken. */
	CU_ASSERT(!is_allowed(0));
	CU_ASSERT_PTR_NULL(given_up);
	CU_ASSERT_EQUAL(told, 1);
	CU_ASSERT(is_allowed(0));
	CU_ASSERT(is_allowed(0));
	(void)begin(0, &decided);
	wait_for(&decided);
	CU_ASSERT(decided->allowed);
	CU_ASSERT(!is_allowed(0));
	fg_limit_job_drop(decided);
	CU_ASSERT(is_allowed(0));
	close_gateway();
}

/* A rate is another matter: who has asked, has asked. */
static void
a_request_that_is_given_up_has_counted(void)
{
	struct fg_limit_job *given_up;

	open_gateway();
	fg_limit_job_drop(begin(1, &given_up));
	CU_ASSERT(is_allowed(1));
	CU_ASSERT(!is_allowed(1));
	close_gateway();
}

/* Known to be refused at one cost, another is told how long it has to wait itself: half an hour, an hour. */
static void
what_costs_more_waits_longer(void)
{
	struct fg_limit_job *job;

	open_gateway();
	CU_ASSERT(is_allowed(1));
	CU_ASSERT(is_allowed(1));
	CU_ASSERT(!is_allowed(1));
	for (int64_t cost = 1; cost <= 2; cost++) {
		const struct fg_policies one = {&fg_config_policies(gw.config, &fg_filter_limits)->v[1], 1};

		job = fg_limit_job_new(limiter, &one, x, false);
		job->asks[0].cost = cost;
		CU_ASSERT_FATAL(fg_limit_job_decide(job, on_decided, NULL));
		CU_ASSERT(!job->allowed);
		CU_ASSERT(job->asks[0].result.retry_after > cost * HALF_HOUR - 60 * FG_US_PER_S);
		CU_ASSERT(job->asks[0].result.retry_after <= cost * HALF_HOUR);
		fg_limit_job_drop(job);
	}
	close_gateway();
}

/* With questions in flight, places held and what was given up: all of it is freed, and nobody is told. */
static void
a_worker_ends(void)
{
	struct fg_limit_job *held, *given_up, *waiting;

	open_gateway();
	(void)begin(0, &held);
	wait_for(&held);
	fg_limit_job_drop(begin(0, &given_up));
	(void)begin(1, &waiting);
	close_gateway();
	CU_ASSERT_EQUAL(told, 1);
}

void
suite_limiter(void)
{
	CU_pSuite suite = CU_add_suite("limiter", set_up, tear_down);

	ADD_TEST(suite, a_place_that_nobody_waits_for_is_given_back);
	ADD_TEST(suite, a_request_that_is_given_up_has_counted);
	ADD_TEST(suite, what_costs_more_waits_longer);
	ADD_TEST(suite, a_worker_ends);
}
