/*
 * Limits under attack: a Redis that answers nonsense, costs and keys that somebody has thought about, more keys than there is
 * memory for. Nobody gets a 500, nobody gets more than a limit says, and the worker lives.
 */
#include <string.h>

#include "e2e/e2e.h"
#include "e2e/played_redis.h"

static struct bed bed;
static const struct front *front;
static struct played_redis *redis;

static unsigned
turn(void)
{
	static unsigned turns;

	return ++turns;
}

static double
outcome(const char *policy, const char *what)
{
	char series[128];

	snprintf(series, sizeof(series), "faregate_limits_total{policy=\"%s\",outcome=\"%s\"}", policy, what);
	return bed_metric(front, series);
}

/* ---- a Redis that answers nonsense */

#define ANSWER(text) {text, sizeof(text) - 1, false}
#define ZERO8 "\0\0\0\0\0\0\0\0"

/* The script's answer: the time, 2026-09-21, then allowed, x, y, z. */
#define NOW8 "\0\x80\x97\x68\xfb\x6f\x19\x43"
static const struct played_answer sane = ANSWER("$40\r\n" NOW8 "\0\0\0\0\0\0\xf0\x3f" NOW8 ZERO8 ZERO8 "\r\n");

static const struct played_answer nonsense[] = {
    ANSWER(":1\r\n"),
    ANSWER("+OK\r\n"),
    ANSWER("$-1\r\n"),
    ANSWER("*-1\r\n"),
    ANSWER("*0\r\n"),
    ANSWER("*2\r\n:1\r\n:2\r\n"),
    ANSWER("*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"),
    ANSWER("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
    ANSWER("$0\r\n\r\n"),
    ANSWER("$5\r\nabcde\r\n"),
    /* Always "another window": it is not asked for ever. */
    ANSWER("$8\r\n" NOW8 "\r\n"),
    /* No time; a time that is no number; infinite; before 1970. */
    ANSWER("$40\r\n" ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 "\r\n"),
    ANSWER("$40\r\n\xff\xff\xff\xff\xff\xff\xff\xff" ZERO8 ZERO8 ZERO8 ZERO8 "\r\n"),
    ANSWER("$40\r\n\0\0\0\0\0\0\xf0\x7f" ZERO8 ZERO8 ZERO8 ZERO8 "\r\n"),
    ANSWER("$40\r\n\0\0\0\0\0\0\xf0\xbf" ZERO8 ZERO8 ZERO8 ZERO8 "\r\n"),
    /* Allowed, until a time that is no number. */
    ANSWER("$40\r\n" NOW8 "\0\0\0\0\0\0\xf0\x3f\xff\xff\xff\xff\xff\xff\xff\xff" ZERO8 ZERO8 "\r\n"),
    ANSWER("-ERR something else\r\n"),
    ANSWER("-\r\n"),
    ANSWER("-NOSCRIPT No matching script.\r\n"),
    ANSWER("-MOVED 1 127.0.0.1:1\r\n"),
    ANSWER("$99999999999\r\n"),
    ANSWER("*99999999\r\n"),
    ANSWER("garbage\r\n"),
    ANSWER("\r\n\r\n\r\n"),
    ANSWER("%1\r\n+a\r\n+b\r\n"),
    {"$40\r\nabc", 8, true},
    {"", 0, true},
};

static int
init_nonsense(void)
{
	redis = played_redis_start(&sane);
	bed_open(&bed);
	bed_write_config(&bed,
	    "store: {url: \"redis://127.0.0.1:%d/0\", deadline: 40ms}\n"
	    "limits:\n"
	    "  allow: {rate: 4/30d, by: query:k, on-store-failure: allow}\n"
	    "  deny: {rate: 4/month, by: query:k, algorithm: fixed-window, timezone: %s, on-store-failure: deny}\n"
	    "  local: {rate: 4/30d, by: query:k}\n"
	    "  once: {concurrency: 1, by: query:k}\n"
	    "routes:\n"
	    "  allow: {path: /allow, limits: allow, respond: {status: 200, body: ok}}\n"
	    "  deny: {path: /deny, limits: deny, respond: {status: 200, body: ok}}\n"
	    "  local: {path: /local, limits: local, respond: {status: 200, body: ok}}\n"
	    "  once: {path: /once, limits: once, respond: {status: 200, body: ok}}\n",
	    played_redis_port(redis), bed_noon_zone());
	bed_start_pool(&bed, NULL);
	front = bed_start_front(&bed, FRONT_LIGHTTPD, "/", NULL);
	return 0;
}

static int
cleanup_nonsense(void)
{
	bool good = bed_close(&bed);

	played_redis_stop(redis);
	return good ? 0 : 1;
}

static int
status_of(const char *path, unsigned k)
{
	char target[64];

	snprintf(target, sizeof(target), "/%s?k=%u", path, k);
	return get(front, target)->status;
}

/* Both workers believe it again. */
static bool
is_believed(void *arg)
{
	enum { IN_A_ROW = 16 };
	double allowed = outcome("allow", "allowed");

	(void)arg;
	for (int i = 0; i < IN_A_ROW; i++)
		if (status_of("allow", turn()) != 200)
			return false;
	return outcome("allow", "allowed") == allowed + IN_A_ROW;
}

static void
redis_answers_nonsense(void)
{
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		double open;
		unsigned k = turn();

		played_redis_say(redis, &sane);
		CU_ASSERT(bed_wait(is_believed, NULL));
		played_redis_say(redis, &nonsense[i]);
		open = outcome("allow", "failed_open");
		for (int n = 0; n < 4; n++)
			CU_ASSERT_EQUAL(status_of("allow", k), 200);
		if (outcome("allow", "failed_open") != open + 4)
			printf("\n    nonsense %zu was believed\n", i);
		CU_ASSERT_EQUAL(outcome("allow", "failed_open"), open + 4);
		CU_ASSERT_EQUAL(status_of("deny", k), 503);
		for (int n = 0; n < 4; n++)
			CU_ASSERT_EQUAL(status_of("local", k), 200);
		CU_ASSERT_EQUAL(status_of("local", k), 429);
		CU_ASSERT_EQUAL(status_of("once", k), 200);
	}
}

/* ---- clients that have thought about it; a small memory */

static int
init_clients(void)
{
	bed_open(&bed);
	bed_write_config(&bed,
	    "store: {memory-keys: 1024}\n"
	    "limits:\n"
	    "  priced: {rate: 1000/30d, by: query:k, cost: query:cost}\n"
	    "  sliding: {rate: 1000/30d, by: query:k, cost: query:cost, algorithm: sliding-window}\n"
	    "  fixed: {rate: 1000/month, by: query:k, cost: query:cost, algorithm: fixed-window, timezone: %s}\n"
	    "  long: {rate: 1/300d, by: query:k}\n"
	    "  short: {rate: 1000/30d, by: query:k}\n"
	    "  headers: {rate: 1/30d, by: [header:X-A, header:X-B]}\n"
	    "routes:\n"
	    "  priced: {path: /priced, limits: priced, respond: {status: 200, body: ok}}\n"
	    "  sliding: {path: /sliding, limits: sliding, respond: {status: 200, body: ok}}\n"
	    "  fixed: {path: /fixed, limits: fixed, respond: {status: 200, body: ok}}\n"
	    "  long: {path: /long, limits: long, respond: {status: 200, body: ok}}\n"
	    "  short: {path: /short, limits: short, respond: {status: 200, body: ok}}\n"
	    "  headers: {path: /headers, limits: headers, respond: {status: 200, body: ok}}\n",
	    bed_noon_zone());
	bed_start_pool(&bed, NULL);
	front = bed_start_front(&bed, FRONT_LIGHTTPD, "/", NULL);
	return 0;
}

static int
cleanup_clients(void)
{
	return bed_close(&bed) ? 0 : 1;
}

static void
costs_that_are_none(const char *path)
{
	/* Each counts 1. */
	static const char *const none[] = {"", "-1", "-0", "%2b5", "%2055", "5%20", "1.5", "1e3", "0x10", "NaN", "nan", "inf", "-inf",
	    "%d9%a1", "--", "1,000", "007x"};
	/* What no limit has. */
	static const char *const huge[] = {"1001", "67108863", "67108864", "4294967297", "9223372036854775807", "9223372036854775808",
	    "18446744073709551615", "18446744073709551616", "18446744073709551617", "99999999999999999999999999999999999999999"};
	const struct http_reply *reply;
	char target[160];
	unsigned k = turn();
	int left = 1000;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		char told[48];

		snprintf(target, sizeof(target), "/%s?k=%u&cost=%s", path, k, none[i]);
		reply = get(front, target);
		snprintf(told, sizeof(told), "\"%s\";r=%d;", path, --left);
		CU_ASSERT_EQUAL(reply->status, 200);
		CU_ASSERT(http_header(reply, "RateLimit") != NULL && strncmp(http_header(reply, "RateLimit"), told, strlen(told)) == 0);
	}
	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		snprintf(target, sizeof(target), "/%s?k=%u&cost=%s", path, k, huge[i]);
		reply = get(front, target);
		CU_ASSERT_EQUAL(reply->status, 429);
		CU_ASSERT(http_header(reply, "Retry-After") != NULL && atol(http_header(reply, "Retry-After")) > 0);
	}
	/* Neither has harmed the count: what is left may be had, exactly. */
	snprintf(target, sizeof(target), "/%s?k=%u&cost=%08d", path, k, left);
	CU_ASSERT_EQUAL(get(front, target)->status, 200);
	snprintf(target, sizeof(target), "/%s?k=%u&cost=1", path, k);
	CU_ASSERT_EQUAL(get(front, target)->status, 429);
}

static void
costs_are_numbers_or_one(void)
{
	costs_that_are_none("priced");
	costs_that_are_none("sliding");
	costs_that_are_none("fixed");
}

/* Moving a byte from one value to its neighbour, or changing the last of many, is another key; a long key costs no more. */
static void
keys_are_told_apart(void)
{
	static const char *const headers[] = {"X-A: a\r\nX-B: bc\r\n", "X-A: ab\r\nX-B: c\r\n", "X-A: abc\r\n", "X-B: abc\r\n",
	    "X-A: a,\r\nX-B: bc\r\n", "X-A: a\r\nX-B: ,bc\r\n"};
	char target[4200];

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		CU_ASSERT_EQUAL(ask(front, "GET", "/headers", headers[i], NULL)->status, 200);
		CU_ASSERT_EQUAL(ask(front, "GET", "/headers", headers[i], NULL)->status, 429);
	}
	memset(target, 'x', sizeof(target));
	memcpy(target, "/long?k=", 8);
	target[4000] = '\0';
	CU_ASSERT_EQUAL(get(front, target)->status, 200);
	CU_ASSERT_EQUAL(get(front, target)->status, 429);
	target[3999] = 'y';
	CU_ASSERT_EQUAL(get(front, target)->status, 200);
	target[3999] = '\0';
	CU_ASSERT_EQUAL(get(front, target)->status, 200);
}

/* Ten times the keys that there is room for. Those that expire first give way, so whoever is refused for months still is. */
static void
a_flood_of_keys(void)
{
	char target[64];
	unsigned k = turn();

	CU_ASSERT_EQUAL(status_of("long", k), 200);
	CU_ASSERT_EQUAL(status_of("long", k), 429);
	for (unsigned i = 0; i < 10240; i++) {
		snprintf(target, sizeof(target), "/short?k=f%u", i);
		CU_ASSERT_EQUAL(get(front, target)->status, 200);
	}
	CU_ASSERT(bed_metric(front, "faregate_limits_keys_evicted_total") > 4096);
	CU_ASSERT_EQUAL(status_of("long", k), 429);
}

void
suite_limit_attack(void)
{
	CU_pSuite clients = add_suite("limit_attack_clients", init_clients, cleanup_clients);

	ADD_SCENE(clients, costs_are_numbers_or_one);
	ADD_SCENE(clients, keys_are_told_apart);
	ADD_SCENE(clients, a_flood_of_keys);
	ADD_SCENE(add_suite("limit_attack_store", init_nonsense, cleanup_nonsense), redis_answers_nonsense);
}
