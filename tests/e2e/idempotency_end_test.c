/*
 * Idempotency-Key, when things go wrong: many at once, clients and web servers that leave, workers that are killed, and a
 * Redis that is not there. Nothing is carried out twice.
 */
#include <signal.h>
#include <sys/socket.h>

#include "e2e/idempotency_scene.h"
#include "support/fcgi_peer.h"

enum { AT_ONCE = 100 };

/* ---- at once */

static bool
are_refused(void *arg)
{
	double sum = 0;

	for (size_t i = 0; i < front_count; i += 2)
		sum += outcome(fronts[i], "once", "in_flight");
	return sum >= *(double *)arg;
}

static void
many_at_once(void)
{
	static struct http_conn conns[AT_ONCE];
	unsigned k = turn(), done = 0, refused = 0;
	char headers[256], path[64];
	double wanted = AT_ONCE - 1;

	for (size_t i = 0; i < front_count; i += 2)
		wanted += outcome(fronts[i], "once", "in_flight");
	gate_reset(&hold);
	snprintf(path, sizeof(path), "/held?k=%u", k);
	snprintf(headers, sizeof(headers),
	    "X-API-Key: alice-key\r\nIdempotency-Key: \"key-%u\"\r\nHost: gateway.test\r\nConnection: close\r\n", k);
	for (size_t i = 0; i < AT_ONCE; i++) {
		http_open(&conns[i], fronts[i % front_count], NULL);
		http_send_head(&conns[i], "POST", path, headers, 1);
		http_send(&conns[i], "x", 1);
	}
	CU_ASSERT(gate_wait_waiting(&hold, 1));
	CU_ASSERT(bed_wait(are_refused, &wanted));
	gate_open(&hold, AT_ONCE);
	for (size_t i = 0; i < AT_ONCE; i++) {
		const struct http_reply *reply = http_read(&conns[i]);

		done += reply->status == 201;
		refused += reply->status == 409 && http_body_has(reply, "idempotency_in_flight") &&
		    http_header_is(reply, "Retry-After", "1");
		http_close(&conns[i]);
	}
	CU_ASSERT_EQUAL(done, 1);
	CU_ASSERT_EQUAL(refused, AT_ONCE - 1);
	CU_ASSERT_EQUAL(seen[k], 1);
	CU_ASSERT(is_replayed(post(fronts[front_count - 1], "/held", k, "x")));
	CU_ASSERT_EQUAL(seen[k], 1);
}

/* ---- those who leave */

struct again {
	const struct front *front;
	const char *target;
	unsigned k;
	int status;
	bool is_replayed, is_unknown;
};

static bool
is_over(void *arg)
{
	struct again *again = arg;
	const struct http_reply *reply = post(again->front, again->target, again->k, "x");

	/* Or the store took longer to say so than a request may take. */
	if ((reply->status == 409 && strstr(reply->body, "idempotency_in_flight") != NULL) ||
	    (reply->status == 504 && strstr(reply->body, "exchange_timeout") != NULL))
		return false;
	again->status = reply->status;
	again->is_replayed = is_replayed(reply);
	again->is_unknown = strstr(reply->body, "idempotency_outcome_unknown") != NULL;
	return true;
}

static void
a_client_that_leaves(void)
{
	EACH_FRONT(&web, front) {
		struct again again = {.front = front, .target = "/held", .k = turn()};
		struct http_conn conn;
		char headers[256], path[64];

		gate_reset(&hold);
		snprintf(path, sizeof(path), "/held?k=%u", again.k);
		snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\nHost: gateway.test\r\n", again.k);
		http_open(&conn, front, NULL);
		http_send_head(&conn, "POST", path, headers, 1);
		http_send(&conn, "x", 1);
		CHECK(front, gate_wait_waiting(&hold, 1));
		http_close(&conn);
		gate_open(&hold, 1);
		CHECK(front, bed_wait(is_over, &again) && again.status == 201 && again.is_replayed && seen[again.k] == 1);
	}
}

static bool
ask_raw(struct fcgi_peer *peer, unsigned k, const char *id)
{
	char extra[256], path[64];
	int len = snprintf(extra, sizeof(extra),
	    "HTTP_X_API_KEY%calice-key%cHTTP_IDEMPOTENCY_KEY%ckey-%u%cHTTP_X_REQUEST_ID%c%s%cCONTENT_LENGTH%c1%c%c", 0, 0, 0, k, 0, 0, id,
	    0, 0, 0, 0);

	snprintf(path, sizeof(path), "/held?k=%u", k);
	return len > 0 && fcgi_open(peer, beds[0].socket, bed_patience() * 1000) && fcgi_ask(peer, 1, false, "POST", path, extra) &&
	    fcgi_body(peer, 1, "x", 1);
}

/* By then the gateway has noticed: it has closed its side, and goes on. */
static void
a_web_server_that_leaves(void)
{
	struct fcgi_answer answer;
	struct fcgi_peer peer;
	unsigned k = turn();
	bool is_in_flight;
	char id[32];

	gate_reset(&hold);
	snprintf(id, sizeof(id), "left-alone-%u-x", k);
	CU_ASSERT_FATAL(ask_raw(&peer, k, id));
	CU_ASSERT(gate_wait_waiting(&hold, 1));
	shutdown(peer.fd, SHUT_WR);
	CU_ASSERT(fcgi_is_closed(&peer));
	fcgi_close(&peer);
	CU_ASSERT(ask_raw(&peer, k, "meanwhile-x"));
	fcgi_read(&peer, &answer);
	CU_ASSERT(strstr(answer.out, "idempotency_in_flight") != NULL);
	free(answer.out);
	fcgi_close(&peer);
	gate_open(&hold, 1);
	do {
		CU_ASSERT_FATAL(ask_raw(&peer, k, "afterwards-x"));
		fcgi_read(&peer, &answer);
		is_in_flight = strstr(answer.out, "idempotency_in_flight") != NULL;
		CU_ASSERT(is_in_flight || strstr(answer.out, "Status: 201") != NULL);
		CU_ASSERT(is_in_flight || strstr(answer.out, "Idempotency-Replayed: true") != NULL);
		free(answer.out);
		fcgi_close(&peer);
	} while (is_in_flight);
	CU_ASSERT_EQUAL(seen[k], 1);
	CU_ASSERT(bed_log_says(&beds[0], id, "reason", "client_gone"));
}

static bool
is_served(void *arg)
{
	(void)arg;
	return post(fronts[0], "/orders", turn(), "x")->status == 201;
}

/* Whether it was done nobody knows; after the lease that is said. */
static void
a_worker_that_is_killed(void)
{
	struct again again = {.front = fronts[0], .target = "/held/brief", .k = turn()};
	struct http_conn conn;
	char headers[256], path[64];
	pid_t pids[8];

	gate_reset(&hold);
	snprintf(path, sizeof(path), "/held/brief?k=%u", again.k);
	snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\nHost: gateway.test\r\n", again.k);
	http_open(&conn, fronts[0], NULL);
	http_send_head(&conn, "POST", path, headers, 1);
	http_send(&conn, "x", 1);
	CU_ASSERT(gate_wait_waiting(&hold, 1));
	for (size_t i = bed_workers(&beds[0], pids, 8); i > 0; i--)
		kill(pids[i - 1], SIGKILL);
	CU_ASSERT(http_read(&conn)->status / 100 == 5);
	http_close(&conn);
	gate_open(&hold, 1);
	CU_ASSERT(bed_wait(is_served, NULL));
	CU_ASSERT(bed_wait(is_over, &again));
	CU_ASSERT(again.status == 409 && again.is_unknown);
	CU_ASSERT_EQUAL(seen[again.k], 1);
}

/* ---- a store that is not there */

static void
post_held(struct http_conn *conn, unsigned k)
{
	char headers[256], path[64];

	gate_reset(&hold);
	snprintf(path, sizeof(path), "/held?k=%u", k);
	snprintf(headers, sizeof(headers),
	    "X-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\nHost: gateway.test\r\nConnection: close\r\n", k);
	http_open(conn, fronts[0], NULL);
	http_send_head(conn, "POST", path, headers, 1);
	http_send(conn, "x", 1);
	CU_ASSERT(gate_wait_waiting(&hold, 1));
}

static bool
is_well_again(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < 24; i++)
		if (post(fronts[i % front_count], "/orders", turn(), "x")->status != 201)
			return false;
	return true;
}

/* What was being carried out is answered; what comes while Redis is gone is refused, or goes on where that was said. */
static void
redis_is_gone(void)
{
	unsigned k = turn(), held = turn();
	struct http_conn conn;
	const struct http_reply *reply;
	double failed = outcome(fronts[0], "once", "store_failed");

	post_held(&conn, held);
	redis_server_kill(server);
	gate_open(&hold, 1);
	reply = http_read(&conn);
	CU_ASSERT(reply->status == 201 && !is_replayed(reply) && seen[held] == 1);
	http_close(&conn);
	CU_ASSERT_EQUAL(outcome(fronts[0], "once", "store_failed"), failed + 1);
	for (size_t i = 0; i < front_count; i++) {
		reply = post(fronts[i], "/orders", k, "x");
		CU_ASSERT_EQUAL(reply->status, 503);
		CU_ASSERT(http_body_has(reply, "urn:faregate:store_un"));
		CU_ASSERT_PTR_NOT_NULL(http_header(reply, "Retry-After"));
		CU_ASSERT_EQUAL(seen[k], 0);
	}
	for (unsigned i = 1; i <= 2; i++)
		CU_ASSERT(post(fronts[0], "/loose", k, "x")->status == 201 && seen[k] == i);
	CU_ASSERT_EQUAL(ask(fronts[0], "POST", "/orders", "X-API-Key: alice-key\r\n", "x")->status, 201);
	redis_server_again(server);
	CU_ASSERT(bed_wait(is_well_again, NULL));
	/* Nothing was reserved by those that were refused. */
	CU_ASSERT(post(fronts[0], "/orders", k, "x")->status == 201 && seen[k] == 3);
	CU_ASSERT(is_replayed(post(fronts[0], "/orders", k, "x")) && seen[k] == 3);
}

/* What Redis may have done although its answer did not come in time is taken back: the key is not lost. */
static void
redis_is_late(void)
{
	unsigned k = turn();
	const struct http_reply *reply;

	redis_server_pause(server);
	reply = post(fronts[0], "/orders", k, "x");
	CU_ASSERT(reply->status == 503 && http_body_has(reply, "urn:faregate:store_") && seen[k] == 0);
	redis_server_resume(server);
	CU_ASSERT(bed_wait(is_well_again, NULL));
	CU_ASSERT(post(fronts[0], "/orders", k, "x")->status == 201 && seen[k] == 1);
}

/* Not written by us: refused, and not carried out. */
static void
what_lies_in_redis_is_no_answer(void)
{
	unsigned k = turn();

	redis_server_do(server, "FLUSHALL");
	CU_ASSERT_EQUAL(post(fronts[0], "/orders", k, "x")->status, 201);
	redis_server_do(server,
	    "EVAL \"for _, k in ipairs(redis.call('KEYS', 'fg:i:*')) do redis.call('HSET', k, 'a', ARGV[1]) end\" 0 %s", "evil");
	CU_ASSERT_EQUAL(post(fronts[0], "/orders", k, "x")->status, 409);
	CU_ASSERT_EQUAL(seen[k], 1);
}

static void
add_scenes(CU_pSuite suite)
{
	ADD_SCENE(suite, many_at_once);
	ADD_SCENE(suite, a_client_that_leaves);
	ADD_SCENE(suite, a_web_server_that_leaves);
	ADD_SCENE(suite, a_worker_that_is_killed);
}

void
suite_idempotency_end(void)
{
	CU_pSuite suite;

	add_scenes(add_suite("Idempotency-Key in trouble, memory", open_memory, close_memory));
	suite = add_suite("Idempotency-Key in trouble, Redis", open_redis, close_redis);
	add_scenes(suite);
	ADD_SCENE(suite, redis_is_gone);
	ADD_SCENE(suite, redis_is_late);
	ADD_SCENE(suite, what_lies_in_redis_is_no_answer);
	suite = add_suite("Idempotency-Key in a Cluster", open_cluster, close_cluster);
	for (int i = 0; i < 5; i++)
		ADD_SCENE(suite, many_at_once);
}
