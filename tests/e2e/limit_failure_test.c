/*
 * Redis in trouble: each limit does what its on-store-failure says, within the store's deadline, and nobody gets a 500;
 * when Redis is well again, it counts again.
 */
#include "e2e/e2e.h"
#include "support/redis_ha.h"

/* The slack is for a machine that is busy: how long requests wait for Redis they say themselves (most_wait_for_nothing). */
enum { DEADLINE_MS = 40, SLACK_MS = 30000 };

static struct redis_server *server;
static struct bed bed;
static const struct front *front;

static void
open_with(const char *url)
{
	bed_open(&bed);
	bed_write_config(&bed,
	    "store: {url: \"%s\", deadline: %dms}\n"
	    "limits:\n"
	    "  local: {rate: 4/30d, by: query:k}\n"
	    "  allow: {rate: 4/30d, by: query:k, on-store-failure: allow}\n"
	    "  deny: {rate: 4/30d, by: query:k, on-store-failure: deny}\n"
	    "  watched: {rate: 4/30d, by: query:k, on-store-failure: deny, mode: observe}\n"
	    "  once: {concurrency: 1, by: query:k}\n"
	    "routes:\n"
	    "  local: {path: /local, limits: local, respond: {status: 200, body: ok}}\n"
	    "  allow: {path: /allow, limits: allow, respond: {status: 200, body: ok}}\n"
	    "  deny: {path: /deny, limits: [deny, allow], respond: {status: 200, body: ok}}\n"
	    "  watched: {path: /watched, limits: watched, respond: {status: 200, body: ok}}\n"
	    "  once: {path: /once, limits: once, respond: {status: 200, body: ok}}\n",
	    url, DEADLINE_MS);
	bed_start_pool(&bed, NULL);
	front = bed_start_front(&bed, FRONT_LIGHTTPD, "/", NULL);
}

static void
open_at(const char *url_options, int port)
{
	char url[96];

	snprintf(url, sizeof(url), "redis://%s127.0.0.1:%d/0", url_options, port);
	open_with(url);
}

/* A dataset loads slowly there. */
static void
start_server(void)
{
	server = redis_server_start(&(struct redis_server_options){.config = "enable-debug-command yes\nkey-load-delay 50000\n"
										"loading-process-events-interval-bytes 1024\nrdbcompression no\n"});
}

static int
init(void)
{
	if (!redis_server_try(start_server))
		return 1;
	open_at("", redis_server_port(server));
	return 0;
}

static int
cleanup(void)
{
	bool good = bed_close(&bed);

	redis_server_stop(server);
	return good ? 0 : 1;
}

static unsigned
turn(bool next)
{
	static unsigned turns;

	return turns += next;
}

static const struct http_reply *
ask_for(const char *path)
{
	int64_t begun = bed_now_ms();
	const struct http_reply *reply;
	char target[64];

	snprintf(target, sizeof(target), "/%s?k=%u", path, turn(false));
	reply = get(front, target);
	begun = bed_now_ms() - begun;
	CU_ASSERT(begun < DEADLINE_MS + SLACK_MS);
	CU_ASSERT_NOT_EQUAL(reply->status, 500);
	return reply;
}

static double
outcome(const char *policy, const char *what)
{
	char series[128];

	snprintf(series, sizeof(series), "faregate_limits_total{policy=\"%s\",outcome=\"%s\"}", policy, what);
	return bed_metric(front, series);
}

/* Once the breaker is open few requests wait for Redis at all. False: a machine that is busy lets one wait for many. */
static bool
most_wait_for_nothing(void *arg)
{
	enum { REQUESTS = 31 };
	static const char waits[] = "faregate_limits_store_microseconds_total{policy=\"allow\"}";
	double before = bed_metric(front, waits);

	(void)arg;
	for (int i = 0; i < REQUESTS; i++) {
		turn(true);
		CU_ASSERT_EQUAL(ask_for("allow")->status, 200);
	}
	return bed_metric(front, waits) - before < REQUESTS * DEADLINE_MS * 1000 / 2;
}

/* Each limit does what it says, whatever the reason. */
static void
expect_failure(const char *reason)
{
	double open = outcome("allow", "failed_open"), closed = outcome("deny", "failed_closed");
	const struct http_reply *reply;

	turn(true);
	for (int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(ask_for("allow")->status, 200);
	CU_ASSERT_EQUAL(outcome("allow", "failed_open"), open + 6);
	reply = ask_for("deny");
	CU_ASSERT_EQUAL(reply->status, 503);
	CU_ASSERT_PTR_NOT_NULL(http_header(reply, "Retry-After"));
	/* The breaker may be open already: then Redis was not asked. */
	CU_ASSERT(strstr(reply->body, reason) != NULL || strstr(reply->body, "store_unavailable") != NULL);
	CU_ASSERT_EQUAL(outcome("deny", "failed_closed"), closed + 1);
	for (int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(ask_for("watched")->status, 200);
	/* This host's share, which is all of it: it is alone. */
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(ask_for("local")->status, 200);
	reply = ask_for("local");
	CU_ASSERT_EQUAL(reply->status, 429);
	CU_ASSERT_PTR_NOT_NULL(http_header(reply, "RateLimit"));
	CU_ASSERT_EQUAL(ask_for("once")->status, 200);
	CU_ASSERT_EQUAL(ask_for("once")->status, 200);
	CU_ASSERT(bed_wait(most_wait_for_nothing, NULL));
}

/* Both workers have to be well again: either may be asked. */
static bool
counts_again(void *arg)
{
	enum { IN_A_ROW = 24 };
	double allowed = outcome("local", "allowed");

	(void)arg;
	for (int i = 0; i < IN_A_ROW; i++) {
		turn(true);
		if (ask_for("local")->status != 200)
			return false;
	}
	return outcome("local", "allowed") == allowed + IN_A_ROW;
}

/* False: Redis was too slow for one of the requests, on a machine that is busy. */
static bool
limits_again(void *arg)
{
	double shares = outcome("local", "allowed_by_share") + outcome("local", "refused_by_share");
	int statuses[5];

	(void)arg;
	turn(true);
	for (int i = 0; i < 5; i++)
		statuses[i] = ask_for("local")->status;
	if (outcome("local", "allowed_by_share") + outcome("local", "refused_by_share") != shares)
		return false;
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(statuses[i], 200);
	CU_ASSERT_EQUAL(statuses[4], 429);
	return true;
}

static void
expect_recovery(void)
{
	CU_ASSERT(bed_wait(counts_again, NULL));
	CU_ASSERT(bed_wait(limits_again, NULL));
}

/* A machine that is busy may not start a program and ask Redis before the store's deadline: then the share has spoken. */
static bool
redis_has_explained(void *arg)
{
	const char *explain[] = {bed_program(), "explain", "-c", bed.config, "GET", arg, NULL};
	char *said;
	bool found = bed_run(&bed, &said, explain) == 0 && strstr(said, "allowed: local by query:k=") != NULL &&
	    strstr(said, "3 of 4 would be left") != NULL;

	free(said);
	return found;
}

static void
all_is_well(void)
{
	char target[64];

	CU_ASSERT(bed_wait(counts_again, NULL));
	snprintf(target, sizeof(target), "/local?k=%u", turn(true));
	for (int i = 0; i < 3; i++)
		CU_ASSERT(bed_wait(redis_has_explained, target));
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(ask_for("local")->status, 200);
	CU_ASSERT_EQUAL(ask_for("local")->status, 429);
	CU_ASSERT_EQUAL(ask_for("deny")->status, 200);
	CU_ASSERT_EQUAL(ask_for("once")->status, 200);
}

static long
count_calls(void)
{
	const char *at = strstr(redis_server_do(server, "INFO commandstats"), "cmdstat_evalsha:calls=");

	return at == NULL ? 0 : strtol(at + strlen("cmdstat_evalsha:calls="), NULL, 10);
}

/* What Redis has refused until then is refused here, and Redis hears nothing of it. */
static void
a_flood_costs_redis_nothing(void)
{
	double without, refused;
	int64_t begun;

	expect_recovery();
	begun = bed_now_ms();
	without = outcome("local", "refused_without_store");
	refused = outcome("local", "refused");
	redis_server_do(server, "CONFIG RESETSTAT");
	for (int i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(ask_for("local")->status, 429);
	CU_ASSERT_EQUAL(outcome("local", "refused_without_store"), without + 200);
	CU_ASSERT_EQUAL(outcome("local", "refused"), refused);
	/* A pool says every two seconds that it is there; that is all. */
	CU_ASSERT(count_calls() <= 10 + (bed_now_ms() - begun) / 1000);
}

static bool
is_let_in(void *arg)
{
	(void)arg;
	return ask_for("local")->status == 200;
}

/* Also where it is known to be refused. */
static void
a_reset_reaches_all(void)
{
	char key[16], *said;
	const char *show[] = {bed_program(), "limits", "show", "-c", bed.config, "--limit", "local", key, NULL};
	const char *reset[] = {bed_program(), "limits", "reset", "-c", bed.config, key, NULL};

	expect_recovery();
	snprintf(key, sizeof(key), "%u", turn(false));
	CU_ASSERT_EQUAL(ask_for("local")->status, 429);
	CU_ASSERT_EQUAL(bed_run(&bed, &said, show), 0);
	CU_ASSERT(strstr(said, "local") != NULL && strstr(said, " 0            4") != NULL);
	free(said);
	CU_ASSERT_EQUAL(bed_run(&bed, &said, reset), 0);
	free(said);
	CU_ASSERT(bed_wait(is_let_in, NULL));
}

static void
redis_refuses_connections(void)
{
	expect_recovery();
	redis_server_kill(server);
	expect_failure("store_unreachable");
	redis_server_again(server);
	expect_recovery();
}

static void
redis_hangs(void)
{
	expect_recovery();
	redis_server_pause(server);
	expect_failure("store_timeout");
	redis_server_resume(server);
	expect_recovery();
}

static void
redis_is_slow(void)
{
	int fd;

	expect_recovery();
	fd = redis_server_occupy(server, "DEBUG SLEEP 15");
	expect_failure("store_timeout");
	(void)fd;
	expect_recovery();
}

/* 300 keys that take 50 ms each, until it is told to hurry. */
static void
redis_is_loading(void)
{
	expect_recovery();
	redis_server_do(server, "EVAL \"for i = 1, 300 do redis.call('SET', 'large:' .. i, string.rep('x', 2000)) end\" 0");
	redis_server_do(server, "SAVE");
	redis_server_kill(server);
	redis_server_begin(server);
	redis_server_until(server, "GET a", "-LOADING");
	expect_failure("store_not_ready");
	CU_ASSERT(strstr(redis_server_do(server, "GET a"), "-LOADING") != NULL);
	redis_server_do(server, "CONFIG SET key-load-delay 0");
	expect_recovery();
	redis_server_do(server, "FLUSHALL");
	redis_server_do(server, "SAVE");
}

static void
redis_is_read_only(void)
{
	expect_recovery();
	redis_server_do(server, "REPLICAOF 127.0.0.1 1");
	expect_failure("store_not_ready");
	redis_server_do(server, "REPLICAOF NO ONE");
	expect_recovery();
}

static void
redis_is_full(void)
{
	expect_recovery();
	redis_server_do(server, "CONFIG SET maxmemory 1");
	expect_failure("store_full");
	redis_server_do(server, "CONFIG SET maxmemory 0");
	expect_recovery();
}

static void
redis_has_forgotten_the_script(void)
{
	expect_recovery();
	redis_server_do(server, "SCRIPT FLUSH SYNC");
	expect_recovery();
	redis_server_kill(server);
	redis_server_again(server);
	expect_recovery();
}

static void
redis_is_busy(void)
{
	int fd;

	expect_recovery();
	fd = redis_server_occupy(server, "EVAL \"while true do end\" 0");
	expect_failure("store_");
	redis_server_until(server, "SCRIPT KILL", "+OK");
	(void)fd;
	expect_recovery();
}

/* ---- a pool of its own */

static int
init_password(void)
{
	server = redis_server_start(&(struct redis_server_options){.password = "right"});
	open_at(":wrong@", redis_server_port(server));
	return 0;
}

static void
the_password_is_wrong(void)
{
	expect_failure("store_refused");
}

/* Whoever asks for what is left is told why there is no answer: what failed, not that it was not tried again. */
static void
expect_no_show(const char *why)
{
	const char *show[] = {bed_program(), "limits", "show", "-c", bed.config, "anybody", NULL};
	char *said;

	CU_ASSERT_EQUAL(bed_run(&bed, &said, show), 3);
	CU_ASSERT(strstr(said, why) != NULL);
	free(said);
}

static void
the_password_is_wrong_to_commands(void)
{
	expect_no_show(": Store refused the gateway\n");
}

static void
there_is_no_redis_to_commands(void)
{
	expect_no_show(": Store unreachable\n");
}

static int
init_nowhere(void)
{
	open_at("", bed_dead_port());
	server = NULL;
	return 0;
}

static void
there_never_was_a_redis(void)
{
	expect_failure("store_unreachable");
}

static struct redis_ha ha;

static void
start_sentinels(void)
{
	redis_ha_start(&ha);
}

static int
init_sentinels(void)
{
	char url[128];

	if (!redis_server_try(start_sentinels))
		return 1;
	snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/mymaster/0", redis_server_port(ha.sentinels[0]),
	    redis_server_port(ha.sentinels[1]));
	open_with(url);
	server = NULL;
	return 0;
}

static int
cleanup_sentinels(void)
{
	redis_ha_stop(&ha);
	return cleanup();
}

static void
the_master_dies(void)
{
	expect_recovery();
	redis_server_kill(ha.master);
	expect_failure("store_unreachable");
	redis_ha_fail_over(&ha);
	expect_recovery();
}

void
suite_limit_failure(void)
{
	CU_pSuite suite = add_suite("limit_failure", init, cleanup);

	ADD_SCENE(suite, all_is_well);
	ADD_SCENE(suite, a_flood_costs_redis_nothing);
	ADD_SCENE(suite, a_reset_reaches_all);
	ADD_SCENE(suite, redis_refuses_connections);
	ADD_SCENE(suite, redis_hangs);
	ADD_SCENE(suite, redis_is_slow);
	ADD_SCENE(suite, redis_is_loading);
	ADD_SCENE(suite, redis_is_read_only);
	ADD_SCENE(suite, redis_is_full);
	ADD_SCENE(suite, redis_has_forgotten_the_script);
	ADD_SCENE(suite, redis_is_busy);
	suite = add_suite("limit_failure_password", init_password, cleanup);
	ADD_SCENE(suite, the_password_is_wrong);
	ADD_SCENE(suite, the_password_is_wrong_to_commands);
	ADD_SCENE(add_suite("limit_failure_sentinels", init_sentinels, cleanup_sentinels), the_master_dies);
	suite = add_suite("limit_failure_nowhere", init_nowhere, cleanup);
	ADD_SCENE(suite, there_never_was_a_redis);
	ADD_SCENE(suite, there_is_no_redis_to_commands);
}
