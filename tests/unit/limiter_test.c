/* lib/core limiter: what it still owes when nobody waits for the store's answer any more, and when a worker ends. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/exchange.h"
#include "core/identity.h"
#include "core/limiter.h"
#include "filter/filter_list.h"
#include "limit/limit_memory.h"
#include "limit/limit_redis.h"
#include "support/redis_server.h"
#include "unit/config_load.h"
#include "unit/redis_scene.h"
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
open_gateway_on(unsigned db)
{
	static const struct fg_param params[] = {{FG_STR_INIT("REQUEST_METHOD"), FG_STR_INIT("GET")},
	    {FG_STR_INIT("REQUEST_URI"), FG_STR_INIT("/a")}, {FG_STR_INIT("HTTP_HOST"), FG_STR_INIT("localhost")},
	    {FG_STR_INIT("REMOTE_ADDR"), FG_STR_INIT("192.0.2.1")}};
	char text[512];

	snprintf(text, sizeof(text),
	    "version: 1\n"
	    "store: {url: \"redis://127.0.0.1:%d/%u\", deadline: 10s, connect-timeout: 60s}\n"
	    "limits:\n  once: {concurrency: 1, lease: 1h}\n  rate: {rate: 2/1h}\n"
	    "  plans: {rate: 1/1h, overrides: {claim:plan: {silver: 2/1h, gold: 3/1h}, consumer: {al: 4/1h}}}\n"
	    "routes: {a: {path: /a, limits: [once, rate, plans], respond: {status: 204}}}\n",
	    redis_server_port(server), db);
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
open_gateway(void)
{
	open_gateway_on(0);
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
	CU_ASSERT_FATAL(!fg_limit_job_decide(job, on_decided, decided));
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

static bool
find_list(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	(void)arena;
	*out = *(const struct fg_claim_values *)source;
	return fg_str_eq(name, FG_STR("plan"));
}

/* As require has it: an array has each of its elements. */
static void
a_claim_that_is_a_list_has_each_of_its_values(void)
{
	static const struct fg_str values[] = {FG_STR_INIT("iron"), FG_STR_INIT("gold")};
	struct fg_claim_values list = {values, 2, true};
	struct fg_identity identity = {.consumer = FG_STR_INIT("bo"), .claims = {find_list, &list}};
	const struct fg_limit_policy *policy;
	struct fg_limit_ask ask;

	open_gateway();
	policy = fg_config_policies(gw.config, &fg_filter_limits)->v[2];
	x->identity = &identity;
	fg_limit_policy_ask(policy, x, false, &ask, NULL);
	CU_ASSERT_EQUAL(ask.limit->count, 3);
	list.count = 1;
	fg_limit_policy_ask(policy, x, false, &ask, NULL);
	CU_ASSERT_EQUAL(ask.limit->count, 1);
	list.count = 0;
	identity.consumer = FG_STR("al");
	fg_limit_policy_ask(policy, x, false, &ask, NULL);
	CU_ASSERT_EQUAL(ask.limit->count, 4);
	x->identity = NULL;
	close_gateway();
}

/* A reload with another store: what the one before had refused is forgotten, what this one refuses is known. */
static void
another_store_begins_anew(void)
{
	struct fg_shared shared;

	CU_ASSERT_FATAL(fg_shared_create(&shared, NULL, &fg_limit_memory_kind, fg_limit_memory_size(1024)) == FG_OK);
	for (unsigned db = 0; db < 2; db++) {
		struct fg_limit_job *job;

		open_gateway_on(db);
		limiter = fg_limiter_new(&gw, shared.p, 3);
		CU_ASSERT(is_allowed(1));
		CU_ASSERT(is_allowed(1));
		CU_ASSERT(!is_allowed(1));
		job = fg_limit_job_new(limiter, &(struct fg_policies){&fg_config_policies(gw.config, &fg_filter_limits)->v[1], 1}, x, false);
		CU_ASSERT(fg_limit_job_decide(job, on_decided, NULL));
		fg_limit_job_drop(job);
		fg_limiter_free(limiter);
		close_gateway();
	}
	fg_shared_close(&shared, false);
}

/* ---- answers that come after the deadline */

static bool
has_late_reply(void *arg)
{
	return redis_scene_stats(arg).late_replies > 0;
}

struct answer {
	bool is_there;
	enum fg_err err;
};

static void
on_answer(void *arg, enum fg_err err)
{
	*(struct answer *)arg = (struct answer){true, err};
}

static bool
is_there(void *arg)
{
	return ((struct answer *)arg)->is_there;
}

static enum fg_err
ask(struct redis_scene *scene, struct fg_limit_redis *store, enum fg_limit_op op, struct fg_limit_ask asks[2])
{
	struct answer answer = {.is_there = false};

	fg_limit_redis_ask(store, op, asks, 2, 0, on_answer, &answer);
	redis_scene_wait(scene, is_there, &answer);
	return answer.err;
}

/* The breaker has opened by then; it must not keep what is owed. */
static void
what_is_taken_too_late_is_given_back(void)
{
	struct fg_limit limits[] = {{.algorithm = FG_LIMIT_CONCURRENCY, .count = 3, .period = 3600 * (fg_usec)FG_US_PER_S},
	    {.algorithm = FG_LIMIT_TOKEN_BUCKET, .count = 3, .burst = 3, .period = 3600 * (fg_usec)FG_US_PER_S}};
	struct fg_limit_ask asks[] = {{.limit = &limits[0], .key = {.v = {1, 1}}, .cost = 1},
	    {.limit = &limits[1], .key = {.v = {2, 2}}, .cost = 1}};
	struct fg_limit_redis *store;
	struct redis_scene scene;

	CU_ASSERT(fg_limit_init(&limits[0]) && fg_limit_init(&limits[1]));
	redis_scene_open(&scene);
	scene.options.deadline = 100 * FG_US_PER_MS;
	scene.options.hang_after = 3600 * (fg_usec)FG_US_PER_S;
	scene.options.breaker_failures = 1;
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(server));
	store = fg_limit_redis_new(scene.redis, false);
	redis_scene_recover(&scene);
	redis_server_pause(server);
	CU_ASSERT_EQUAL(ask(&scene, store, FG_LIMIT_TAKE, asks), FG_ERR_STORE_TIMEOUT);
	CU_ASSERT_EQUAL(redis_scene_stats(&scene).breakers_open, 1);
	redis_server_resume(server);
	redis_scene_wait(&scene, has_late_reply, &scene);
	do
		redis_scene_recover(&scene);
	while (ask(&scene, store, FG_LIMIT_PEEK, asks) != FG_OK);
	CU_ASSERT_EQUAL(asks[0].result.remaining, 2);
	CU_ASSERT_EQUAL(asks[1].result.remaining, 2);
	/* One that is late when all ends is freed. */
	redis_server_pause(server);
	CU_ASSERT_EQUAL(ask(&scene, store, FG_LIMIT_TAKE, asks), FG_ERR_STORE_TIMEOUT);
	fg_limit_redis_free(store);
	redis_server_resume(server);
	redis_scene_recover(&scene);
	redis_scene_close(&scene);
	redis_server_do(server, "FLUSHALL");
}

struct deadlines {
	struct redis_scene *scene;
	uint64_t passed;
};

static bool
have_passed(void *arg)
{
	const struct deadlines *deadlines = arg;

	return redis_scene_stats(deadlines->scene).failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)] > deadlines->passed;
}

/* Tried again without knowing what became of it, it would be counted twice until its lease ends. */
static void
a_renewal_that_is_late_is_not_tried_again(void)
{
	struct fg_limit limit = {.algorithm = FG_LIMIT_CONCURRENCY, .count = 3, .period = 30 * (fg_usec)FG_US_PER_S};
	struct fg_limit_ask one = {.limit = &limit, .key = {.v = {1, 1}}, .cost = 2};
	const fg_usec now = INT64_C(1790000000) * FG_US_PER_S;
	struct answer answer = {.is_there = false};
	struct fg_limit_redis *store;
	struct redis_scene scene;
	struct deadlines deadlines = {.scene = &scene};

	CU_ASSERT(fg_limit_init(&limit));
	redis_scene_open(&scene);
	scene.options.deadline = 100 * FG_US_PER_MS;
	scene.options.hang_after = 3600 * (fg_usec)FG_US_PER_S;
	redis_scene_connect(&scene, "redis://127.0.0.1:%d", redis_server_port(server));
	store = fg_limit_redis_new(scene.redis, false);
	redis_scene_recover(&scene);
	for (int i = 0; i < 2; i++) {
		one.hold = 1;
		redis_server_pause(server);
		deadlines.passed = redis_scene_stats(&scene).failures[FG_REDIS_FAILURE(FG_ERR_STORE_TIMEOUT)];
		answer.is_there = false;
		fg_limit_redis_ask(store, FG_LIMIT_RENEW, &one, 1, now, on_answer, &answer);
		redis_scene_wait(&scene, have_passed, &deadlines);
		CU_ASSERT(!answer.is_there);
		if (i == 0) {
			redis_server_resume(server);
			redis_scene_wait(&scene, is_there, &answer);
			CU_ASSERT_EQUAL(answer.err, FG_OK);
			CU_ASSERT_EQUAL(one.hold, now / limit.quantum);
		}
	}
	/* One that is late when all ends is freed. */
	fg_limit_redis_free(store);
	redis_server_resume(server);
	redis_scene_recover(&scene);
	CU_ASSERT(!answer.is_there);
	redis_scene_close(&scene);
	redis_server_do(server, "FLUSHALL");
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
	ADD_TEST(suite, a_claim_that_is_a_list_has_each_of_its_values);
	ADD_TEST(suite, another_store_begins_anew);
	ADD_TEST(suite, what_is_taken_too_late_is_given_back);
	ADD_TEST(suite, a_renewal_that_is_late_is_not_tried_again);
	ADD_TEST(suite, a_worker_ends);
}
