/*
 * Limits are exact: whoever asks, through whichever worker and host, exactly as many requests pass as the limit says. Two
 * pools of two workers on one Redis or one Cluster, or one pool with its memory; 64 connections; again and again.
 */
#include <signal.h>

#include "e2e/e2e.h"
#include "e2e/load.h"
#include "support/redis_server.h"

/* A lease is renewed three times as often: long enough that a machine that stands still for two seconds breaks none. */
enum { ALLOWED = 150, TIMES = 10, CLIENTS = 64, AT_ONCE = 10, LEASE_MS = 4000 };

static struct redis_server *server, *nodes[REDIS_CLUSTER_NODES];
static struct bed beds[2];
static const struct front *fronts[2];
static struct played *service;
static struct gate hold = GATE_CLOSED;

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&hold);
	say_reply(conn, 200, NULL, "done");
}

static const struct played_part parts[] = {{NULL, say_held, false}};

static const char config[] =
    "%s"
    "limits:\n"
    "  token: {rate: %d/30d, by: query:k}\n"
    "  sliding: {rate: %d/1h, by: query:k, algorithm: sliding-window}\n"
    "  log: {rate: 30/1h, by: query:k, algorithm: sliding-window}\n"
    "  fixed: {rate: %d/30d, by: query:k, algorithm: fixed-window, timezone: %s}\n"
    "  wide: {rate: 1000/300d, by: query:k}\n"
    "  narrow: {rate: 40/30d, by: [query:k, path]}\n"
    "  once: {concurrency: %d, by: query:k, lease: 60s}\n"
    "  brief: {concurrency: %d, by: query:k, lease: %dms}\n"
    "services:\n  held: \"http://127.0.0.1:%d\"\n"
    "routes:\n"
    "  token: {path: /token, limits: token, respond: {status: 200, body: ok}}\n"
    "  sliding: {path: /sliding, limits: sliding, respond: {status: 200, body: ok}}\n"
    "  log: {path: /log, limits: log, respond: {status: 200, body: ok}}\n"
    "  fixed: {path: /fixed, limits: fixed, respond: {status: 200, body: ok}}\n"
    "  both: {path: /both, limits: [wide, fixed], respond: {status: 200, body: ok}}\n"
    "  wide: {path: /wide, limits: wide, respond: {status: 200, body: ok}}\n"
    "  apart: {path: /apart, limits: [wide, narrow], respond: {status: 200, body: ok}}\n"
    "  once: {path: /once, limits: once, service: held}\n"
    "  brief: {path: /brief, limits: brief, service: held}\n";

static void
open_bed(size_t i, const char *store)
{
	bed_open(&beds[i]);
	bed_write_config(&beds[i], config, store, ALLOWED, ALLOWED, ALLOWED, bed_noon_zone(), AT_ONCE, AT_ONCE, LEASE_MS,
	    played_port(service));
	bed_start_pool(&beds[i], NULL);
	fronts[i] = bed_start_front(&beds[i], FRONT_LIGHTTPD, "/", NULL);
}

static void
start_server(void)
{
	server = redis_server_start(NULL);
}

static int
open_redis(void)
{
	char store[128];

	if (!redis_server_try(start_server))
		return 1;
	service = played_start(parts);
	snprintf(store, sizeof(store), "store: {url: redis://127.0.0.1:%d/0, deadline: 10s, connect-timeout: 60s}\n",
	    redis_server_port(server));
	open_bed(0, store);
	open_bed(1, store);
	return 0;
}

static int
close_redis(void)
{
	bool good = bed_close(&beds[0]);

	good &= bed_close(&beds[1]);
	played_stop(service);
	redis_server_stop(server);
	return good ? 0 : 1;
}

static int
open_cluster(void)
{
	char store[128];

	redis_cluster_start(nodes);
	service = played_start(parts);
	snprintf(store, sizeof(store), "store: {url: redis+cluster://127.0.0.1:%d, deadline: 10s, connect-timeout: 60s}\n",
	    redis_server_port(nodes[0]));
	open_bed(0, store);
	open_bed(1, store);
	return 0;
}

static int
close_cluster(void)
{
	bool good = bed_close(&beds[0]);

	good &= bed_close(&beds[1]);
	played_stop(service);
	for (size_t i = 0; i < REDIS_CLUSTER_NODES; i++)
		redis_server_stop(nodes[i]);
	return good ? 0 : 1;
}

static int
open_memory(void)
{
	service = played_start(parts);
	open_bed(0, "");
	fronts[1] = fronts[0];
	return 0;
}

static int
close_memory(void)
{
	bool good = bed_close(&beds[0]);

	played_stop(service);
	return good ? 0 : 1;
}

/* How many of those who ask, all at once, until many have been refused, are let through. */
static unsigned
pass(const char *target)
{
	struct load *loads[2] = {load_start(fronts[0], target, CLIENTS / 2), load_start(fronts[1], target, CLIENTS / 2)};
	struct load_result results[2];

	CU_ASSERT(load_wait_failed(loads[0], CLIENTS));
	CU_ASSERT(load_wait_failed(loads[1], CLIENTS));
	for (int i = 0; i < 2; i++) {
		results[i] = load_stop(loads[i]);
		CU_ASSERT_EQUAL(results[i].last_status, 429);
	}
	return results[0].good + results[1].good;
}

static unsigned
turn(void)
{
	static unsigned turns;

	return ++turns;
}

static void
expect_exactly(const char *path, unsigned allowed)
{
	char target[64];

	for (int i = 0; i < TIMES; i++) {
		unsigned passed;

		snprintf(target, sizeof(target), "/%s?k=%u", path, turn());
		passed = pass(target);

		if (passed != allowed)
			printf("\n    %s: %u passed instead of %u\n", target, passed, allowed);
		CU_ASSERT_EQUAL(passed, allowed);
	}
}

static void
token_bucket(void)
{
	expect_exactly("token", ALLOWED);
}

static void
sliding_window(void)
{
	expect_exactly("sliding", ALLOWED);
}

static void
sliding_window_with_a_log(void)
{
	expect_exactly("log", 30);
}

static void
fixed_window(void)
{
	expect_exactly("fixed", ALLOWED);
}

/* What one limit refuses is charged to no other. */
static void
two_limits(void)
{
	const struct http_reply *reply;
	char target[64];
	unsigned k = turn();

	snprintf(target, sizeof(target), "/both?k=%u", k);
	CU_ASSERT_EQUAL(pass(target), ALLOWED);
	snprintf(target, sizeof(target), "/wide?k=%u", k);
	reply = get(fronts[0], target);
	CU_ASSERT_EQUAL(reply->status, 200);
	CU_ASSERT_PTR_NOT_NULL_FATAL(http_header(reply, "RateLimit"));
	/* 300 days for a thousand: not one has come back since. */
	CU_ASSERT(strncmp(http_header(reply, "RateLimit"), "\"wide\";r=849;t=", 15) == 0);
}


struct left {
	unsigned k;
	const char *expected;
};

static bool
wide_has_left(void *arg)
{
	const struct left *left = arg;
	const char *argv[] = {bed_program(), "limits", "show", "-c", beds[0].config, "--limit", "wide", "--json", NULL, NULL};
	char key[16], *said;
	bool found;

	snprintf(key, sizeof(key), "%u", left->k);
	argv[8] = key;
	found = bed_run(&beds[0], &said, argv) == 0 && strstr(said, left->expected) != NULL;
	free(said);
	return found;
}

/* They count by different things: in a Cluster they lie in different slots. */
static void
two_limits_that_lie_apart(void)
{
	for (int i = 0; i < TIMES; i++) {
		struct left left = {turn(), "\"remaining\":960,"};
		char target[64];

		snprintf(target, sizeof(target), "/apart?k=%u", left.k);
		CU_ASSERT_EQUAL(pass(target), 40);
		/* What was given back may still be on its way. */
		CU_ASSERT(bed_wait(wide_has_left, &left));
	}
}

static bool
has_requests(void *arg)
{
	return played_requests(service) >= *(unsigned *)arg;
}

static void
concurrency(void)
{
	for (int i = 0; i < TIMES; i++) {
		char target[64];
		struct load *loads[2];
		unsigned before = played_requests(service), good = 0, wanted_requests;

		snprintf(target, sizeof(target), "/once?k=%u", turn());
		gate_reset(&hold);
		for (int n = 0; n < 2; n++)
			loads[n] = load_start(fronts[n], target, CLIENTS / 2);
		CU_ASSERT(gate_wait_waiting(&hold, AT_ONCE));
		for (int n = 0; n < 2; n++)
			CU_ASSERT(load_wait_failed(loads[n], 2 * CLIENTS));
		CU_ASSERT_EQUAL(played_requests(service) - before, AT_ONCE);
		gate_open(&hold, AT_ONCE);
		/* Each that ends makes room for one, and no more. */
		wanted_requests = before + 2 * AT_ONCE;
		CU_ASSERT(bed_wait(has_requests, &wanted_requests));
		CU_ASSERT(gate_wait_waiting(&hold, AT_ONCE));
		CU_ASSERT_EQUAL(played_requests(service) - before, 2 * AT_ONCE);
		gate_open(&hold, 100000000);
		for (int n = 0; n < 2; n++)
			good += load_stop(loads[n]).good;
		CU_ASSERT(good >= 2 * AT_ONCE);
	}
}

/* They are held far longer than the lease, and so renewed; then given back. */
static void
places_outlive_their_lease(void)
{
	int64_t until = bed_now_ms() + 2 * LEASE_MS;
	unsigned before = played_requests(service);
	struct load *load;
	char target[64];

	snprintf(target, sizeof(target), "/brief?k=%u", turn());
	gate_reset(&hold);
	load = load_start(fronts[0], target, CLIENTS);
	CU_ASSERT(gate_wait_waiting(&hold, AT_ONCE));
	while (bed_now_ms() < until && played_requests(service) - before == AT_ONCE)
		CU_ASSERT_EQUAL(get(fronts[1], target)->status, 429);
	CU_ASSERT_EQUAL(played_requests(service) - before, AT_ONCE);
	gate_open(&hold, 100000000);
	CU_ASSERT(load_stop(load).good >= AT_ONCE);
}

static bool
is_let_in(void *arg)
{
	return get(fronts[1], arg)->status == 200;
}

/* Nobody gives back what the workers of the one pool held when they were killed; it lapses, for the other pool too. */
static void
dead_workers_give_back(void)
{
	pid_t pids[8];
	size_t count = bed_workers(&beds[0], pids, sizeof(pids) / sizeof(pids[0]));
	struct load *load;
	char target[64];

	snprintf(target, sizeof(target), "/brief?k=%u", turn());
	gate_reset(&hold);
	load = load_start(fronts[0], target, AT_ONCE);
	CU_ASSERT(gate_wait_waiting(&hold, AT_ONCE));
	CU_ASSERT_EQUAL(get(fronts[1], target)->status, 429);
	CU_ASSERT_EQUAL(count, 2);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	gate_open(&hold, 100000000);
	(void)load_stop(load);
	CU_ASSERT(bed_wait(is_let_in, target));
}

static bool
shares_add_up(void *arg)
{
	char target[64];

	(void)arg;
	snprintf(target, sizeof(target), "/fixed?k=%u", turn());
	return pass(target) == ALLOWED;
}

/* Redis is gone, each pool enforces its half: together as much as the limit says. */
static void
without_redis_the_shares_add_up(void)
{
	/* Until each has announced itself once more after both had. */
	redis_server_until(server, "ZCARD fg:{hosts}", ":2");
	redis_server_do(server, "EVAL \"return redis.call('SET', 'seen', redis.call('ZRANGE', 'fg:{hosts}', -1, -1, 'WITHSCORES')[2])\" 0");
	redis_server_until(server, "EVAL \"return redis.call('ZCOUNT', 'fg:{hosts}', '(' .. redis.call('GET', 'seen'), '+inf')\" 0", ":2");
	redis_server_kill(server);
	CU_ASSERT(bed_wait(shares_add_up, NULL));
	expect_exactly("fixed", ALLOWED);
	expect_exactly("token", ALLOWED);
	expect_exactly("sliding", ALLOWED);
}

static void
add_scenes(CU_pSuite suite)
{
	ADD_SCENE(suite, token_bucket);
	ADD_SCENE(suite, sliding_window);
	ADD_SCENE(suite, sliding_window_with_a_log);
	ADD_SCENE(suite, fixed_window);
	ADD_SCENE(suite, two_limits);
	ADD_SCENE(suite, two_limits_that_lie_apart);
	ADD_SCENE(suite, concurrency);
	ADD_SCENE(suite, places_outlive_their_lease);
	ADD_SCENE(suite, dead_workers_give_back);
}

void
suite_limit_exact(void)
{
	CU_pSuite suite = add_suite("limit_exact_redis", open_redis, close_redis);

	add_scenes(suite);
	ADD_SCENE(suite, without_redis_the_shares_add_up);
	add_scenes(add_suite("limit_exact_cluster", open_cluster, close_cluster));
	add_scenes(add_suite("limit_exact_memory", open_memory, close_memory));
}
