/*
 * Idempotency-Key: what comes again with its key is answered with what was kept, and is carried out once. In the memory of a
 * pool, and in Redis with two pools on it.
 */
#include "e2e/idempotency_scene.h"

/* ---- again */

static void
the_first_answer_comes_again(void)
{
	for (size_t i = 0; i < front_count; i++) {
		const struct front *front = fronts[i], *other = fronts[(i + 1) % front_count];
		unsigned k = turn();
		double kept = outcome(front, "once", "kept"), replayed = outcome(other, "once", "replayed");
		struct http_reply *first = post(front, "/orders", k, "one pear"), *again = post(other, "/orders", k, "one pear");

		CHECK(front, first->status == 201 && http_body_has(first, "of one pear") && !is_replayed(first));
		CHECK(front, http_header_count(first, "Set-Cookie") == 1);
		CHECK(front, is_same(first, again) && is_replayed(again) && seen[k] == 1);
		CHECK(front, http_header_is(again, "Location", http_header(first, "Location")));
		CHECK(front, http_header_is(again, "X-Count", http_header(first, "X-Count")));
		CHECK(front, http_header_is(again, "Content-Type", "text/x-order"));
		/* What the route's edits made of it comes again; a session is not handed out again. */
		CHECK(front, http_header_is(again, "X-Seen", http_header(first, "X-Seen")));
		CHECK(front, http_header_count(again, "Set-Cookie") == 0);
		CHECK(front, outcome(front, "once", "kept") == kept + 1);
		CHECK(front, outcome(other, "once", "replayed") == replayed + 1);
		again = post(front, "/orders", k, "one pear");
		CHECK(front, is_same(first, again) && seen[k] == 1);
		/* Behind the same web server: Apache makes one of two of a name. */
		CHECK(front, http_header_count(again, "X-Twice") == http_header_count(first, "X-Twice"));
		if (i < 2)
			CHECK(front, bed_log_says(&beds[0], again->id, "reason", "idempotency_replayed"));
	}
}

/* Whoever reads the answer of a replay reads it by today's rules: of another origin it has today's headers. */
static void
a_replay_is_an_answer_of_its_own(void)
{
	EACH_FRONT(&web, front) {
		unsigned k = turn();
		char headers[256], path[64];
		struct http_reply *reply = post(front, "/orders", k, "x");

		CHECK(front, http_header(reply, "Access-Control-Allow-Origin") == NULL);
		snprintf(path, sizeof(path), "/orders?k=%u", k);
		snprintf(headers, sizeof(headers),
		    "X-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\nHost: gateway.test\r\nOrigin: https://app.example.com\r\n", k);
		reply = ask(front, "POST", path, headers, "x");
		CHECK(front, is_replayed(reply) && seen[k] == 1);
		CHECK(front, http_header_is(reply, "Access-Control-Allow-Origin", "https://app.example.com"));
		CHECK(front, strcmp(http_header(reply, "X-Request-Id"), reply->id) == 0);
	}
}

static void
another_request_with_the_key(void)
{
	for (size_t i = 0; i < front_count; i++) {
		const struct front *front = fronts[i];
		const struct bed *bed = &beds[i == 2];
		unsigned k = turn();
		char headers[256], path[64];

		CHECK(front, post(front, "/orders", k, "one pear")->status == 201);
		CHECK(front, http_is_problem(bed, post(front, "/orders", k, "two pears"), 422, "idempotency_mismatch"));
		CHECK(front, post(front, "/orders", k, "")->status == 422);
		CHECK(front, post(front, "/orders/", k, "one pear")->status == 422);
		CHECK(front, post(front, "/orders?x=1", k, "one pear")->status == 422);
		snprintf(path, sizeof(path), "/orders?k=%u", k);
		snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\nHost: gateway.test\r\n", k);
		CHECK(front, ask(front, "PATCH", path, headers, "one pear")->status == 422);
		strcat(headers, "Content-Type: text/plain\r\n");
		CHECK(front, ask(front, "POST", path, headers, "one pear")->status == 422);
		CHECK(front, seen[k] == 1);
		/* The same path, written in another way, is the same. */
		CHECK(front, is_replayed(post(front, "/x/../orders", k, "one pear")));
	}
}

static void
keys_of_others(void)
{
	EACH_FRONT(&web, front) {
		struct http_reply *hers, *his;
		unsigned k = turn();
		char headers[256], path[64];

		hers = post(front, "/orders", k, "secret");
		snprintf(path, sizeof(path), "/orders?k=%u", k);
		snprintf(headers, sizeof(headers), "X-API-Key: bob-key\r\nIdempotency-Key: \"key-%u\"\r\nHost: gateway.test\r\n", k);
		his = ask(front, "POST", path, headers, "secret");
		CHECK(front, hers->status == 201 && his->status == 201 && !is_replayed(his) && !is_same(hers, his) && seen[k] == 2);
		CHECK(front, is_same(his, ask(front, "POST", path, headers, "secret")) && seen[k] == 2);
		snprintf(headers, sizeof(headers), "X-API-Key: nobody-key\r\nIdempotency-Key: \"key-%u\"\r\nHost: gateway.test\r\n", k);
		CHECK(front, ask(front, "POST", path, headers, "secret")->status == 401);
		/* Another route, another key; there X-Tenant says whose. */
		snprintf(headers, sizeof(headers), "X-Tenant: a\r\nIdempotency-Key: key-%u\r\nHost: gateway.test\r\n", k);
		snprintf(path, sizeof(path), "/tenants/x?k=%u", k);
		hers = ask(front, "POST", path, headers, "secret");
		CHECK(front, hers->status == 201 && !is_replayed(hers) && seen[k] == 3);
		headers[10] = 'b';
		his = ask(front, "POST", path, headers, "secret");
		CHECK(front, his->status == 201 && !is_replayed(his) && seen[k] == 4);
		CHECK(front, is_replayed(ask(front, "POST", path, headers, "secret")));
		CHECK(front, http_is_problem(&beds[0], ask(front, "POST", path, "Idempotency-Key: k\r\n", "secret"), 400,
		    "idempotency_owner_unknown") && seen[k] == 4);
	}
}

static void
a_header_of_another_name(void)
{
	EACH_FRONT(&web, front) {
		unsigned k = turn();
		char path[64], headers[64];
		struct http_reply *first;

		snprintf(path, sizeof(path), "/open/x?k=%u", k);
		snprintf(headers, sizeof(headers), "X-Once: %u\r\nHost: gateway.test\r\n", k);
		first = ask(front, "POST", path, headers, "x");
		CHECK(front, is_same(first, ask(front, "POST", path, headers, "x")) && seen[k] == 1);
		CHECK(front, !is_replayed(ask(front, "POST", path, "Idempotency-Key: 1\r\nHost: gateway.test\r\n", "x")) && seen[k] == 2);
	}
}

/* ---- what is not one */

static void
keys_that_are_none(void)
{
	static const char *const bad[] = {"a b", "\"a\" b", "\"", "\"\"", "a,b", "a;b=1", "\"a\";b=1", "\"a\\b\"", "a\"b", "caf\xc3\xa9"};

	EACH_FRONT(&web, front) {
		char headers[12 * 1024], path[64], longest[257];
		unsigned k = turn();

		snprintf(path, sizeof(path), "/orders?k=%u", k);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: %s\r\n", bad[i]);
			CHECK(front, http_is_problem(&beds[0], ask(front, "POST", path, headers, "x"), 400, "idempotency_key_invalid"));
		}
		memset(longest, 'k', 256);
		longest[256] = '\0';
		snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: %s\r\n", longest);
		CHECK(front, http_is_problem(&beds[0], ask(front, "POST", path, headers, "x"), 400, "idempotency_key_invalid"));
		CHECK(front, seen[k] == 0);
		snprintf(longest, sizeof(longest), "%0255u", k);
		snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: %s\r\n", longest);
		CHECK(front, ask(front, "POST", path, headers, "x")->status == 201);
		CHECK(front, is_replayed(ask(front, "POST", path, headers, "x")) && seen[k] == 1);
		/* 10 KB: by the web server, or by us. */
		snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: %010240d\r\n", 1);
		CHECK(front, ask(front, "POST", path, headers, "x")->status / 100 == 4);
		CHECK(front, ask(front, "POST", path, "X-API-Key: alice-key\r\nIdempotency-Key: a\rb\r\n", "x")->status / 100 == 4);
		CHECK(front, ask(front, "POST", path, "X-API-Key: alice-key\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\n", "x")->status == 400);
		CHECK(front, seen[k] == 1);
	}
}

static void
without_a_key(void)
{
	EACH_FRONT(&web, front) {
		unsigned k = turn();
		char path[64], headers[128];

		snprintf(path, sizeof(path), "/orders?k=%u", k);
		for (unsigned i = 1; i <= 2; i++)
			CHECK(front, ask(front, "POST", path, "X-API-Key: alice-key\r\n", "x")->status == 201 && seen[k] == i);
		/* A method that is not named goes on as if there were none. */
		snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\n", k);
		for (unsigned i = 3; i <= 4; i++)
			CHECK(front, !is_replayed(ask(front, "GET", path, headers, NULL)) && seen[k] == i);
		CHECK(front, ask(front, "HEAD", path, headers, NULL)->status == 201 && seen[k] == 5);
		CHECK(front, http_is_problem(&beds[0], ask(front, "POST", "/demanded", "X-API-Key: alice-key\r\n", "x"), 400,
		    "idempotency_key_missing"));
		CHECK(front, ask(front, "GET", "/demanded", "X-API-Key: alice-key\r\n", NULL)->status == 201);
		snprintf(path, sizeof(path), "/demanded?k=%u", k);
		CHECK(front, ask(front, "PUT", path, headers, "x")->status == 201);
		CHECK(front, is_replayed(ask(front, "PUT", path, headers, "x")) && seen[k] == 6);
	}
}

/* ---- what is large, or not text */

static void
bodies_of_any_kind(void)
{
	EACH_FRONT(&web, front) {
		struct http_reply *replies[3];
		unsigned char bytes[BINARY];
		unsigned k = turn();
		char path[64], headers[128];

		for (int i = 0; i < BINARY; i++)
			bytes[i] = (unsigned char)i;
		snprintf(path, sizeof(path), "/binary?k=%u", k);
		snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\nConnection: close\r\nHost: gateway.test\r\n", k);
		for (int i = 0; i < 3; i++) {
			struct http_conn conn;

			bytes[200] ^= i == 2;
			http_open(&conn, front, NULL);
			http_send_head(&conn, "POST", path, headers, BINARY);
			http_send(&conn, bytes, BINARY);
			replies[i] = http_read(&conn);
			http_close(&conn);
		}
		CHECK(front, replies[0]->status == 200 && replies[0]->body_len == BINARY && is_same(replies[0], replies[1]));
		CHECK(front, is_replayed(replies[1]) && replies[2]->status == 422);
		CHECK(front, seen[k] == 1);
	}
}

static void
an_answer_that_is_too_large(void)
{
	EACH_FRONT(&web, front) {
		for (int chunked = 0; chunked < 2; chunked++) {
			const char *path = chunked ? "/big?chunked=1" : "/big";
			unsigned k = turn();
			double large = outcome(front, "once", "too_large");
			struct http_reply *first = post(front, path, k, "x");

			CHECK(front, first->complete && first->status == 200 && first->body_len == BIG && !is_replayed(first));
			CHECK(front, http_is_problem(&beds[0], post(front, path, k, "x"), 409, "idempotency_not_kept"));
			CHECK(front, post(front, path, k, "y")->status == 422);
			CHECK(front, seen[k] == 1 && outcome(front, "once", "too_large") == large + 1);
		}
	}
}

static void
a_request_that_is_too_large(void)
{
	EACH_FRONT(&web, front) {
		static char body[300 * 1024];
		unsigned k = turn();
		struct http_reply *first;

		memset(body, 'x', sizeof(body) - 1);
		CHECK(front, http_is_problem(&beds[0], post(front, "/orders", k, body), 413, "idempotency_body_too_large"));
		CHECK(front, seen[k] == 0);
		/* More than is read ahead otherwise. */
		body[256 * 1024] = '\0';
		first = post(front, "/orders", k, body);
		CHECK(front, first->status == 201 && is_same(first, post(front, "/orders", k, body)) && seen[k] == 1);
		body[256 * 1024 - 1] = 'y';
		CHECK(front, post(front, "/orders", k, body)->status == 422);
		body[1025] = '\0';
		CHECK(front, http_is_problem(&beds[0], post(front, "/small", k, body), 413, "idempotency_body_too_large"));
		body[1024] = '\0';
		CHECK(front, post(front, "/small", k, body)->status == 201);
	}
}

/* ---- how it ends */

static void
statuses(void)
{
	static const struct {
		int status;
		bool is_kept;
	} said[] = {{200, true}, {204, true}, {302, true}, {400, true}, {404, true}, {500, true}, {502, true}, {401, false}, {409, false},
	    {429, false}, {503, false}};

	EACH_FRONT(&web, front) {
		for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
			struct http_reply *first, *again;
			unsigned k = turn();
			char path[64];

			snprintf(path, sizeof(path), "/status?s=%d", said[i].status);
			first = post(front, path, k, "x");
			again = post(front, path, k, "x");
			CHECK(front, first->status == said[i].status && again->status == said[i].status);
			CHECK(front, is_replayed(again) == said[i].is_kept && is_same(first, again) == said[i].is_kept);
			CHECK(front, seen[k] == (said[i].is_kept ? 1 : 2));
		}
	}
}

static void
a_service_that_does_not_answer(void)
{
	EACH_FRONT(&web, front) {
		static const char *const paths[] = {"/reset", "/half"};
		unsigned k;

		for (int i = 0; i < 2; i++) {
			k = turn();
			CHECK(front, http_is_problem(&beds[0], post(front, paths[i], k, "x"), 502, "service_closed"));
			for (int n = 0; n < 2; n++)
				CHECK(front, http_is_problem(&beds[0], post(front, paths[i], k, "x"), 409, "idempotency_outcome_unknown"));
			CHECK(front, seen[k] == 1);
			CHECK(front, post(front, paths[i], k, "y")->status == 422);
		}
		/* One that does nothing twice by itself may be asked again. */
		k = turn();
		for (unsigned i = 1; i <= 2; i++)
			CHECK(front, post(front, "/trusted/reset", k, "x")->status == 502 && seen[k] == i);
		/* One that was not reached has done nothing. */
		k = turn();
		for (unsigned i = 1; i <= 2; i++)
			CHECK(front, http_is_problem(&beds[0], post(front, "/dead", k, "x"), 502, "service_unreachable"));
	}
}

/* Of a service that does nothing twice, a key in whichever header makes a retry of the gateway safe. */
static void
retries_with_a_key(void)
{
	EACH_FRONT(&web, front) {
		char path[64], headers[64];
		struct http_reply *first;
		unsigned k = turn();

		snprintf(path, sizeof(path), "/again/flaky?k=%u", k);
		snprintf(headers, sizeof(headers), "X-Once: %u\r\nHost: gateway.test\r\n", k);
		first = ask(front, "POST", path, headers, "x");
		CHECK(front, first->status == 201 && seen[k] == 2);
		CHECK(front, is_same(first, ask(front, "POST", path, headers, "x")) && seen[k] == 2);
		k = turn();
		snprintf(path, sizeof(path), "/again/flaky?k=%u", k);
		CHECK(front, ask(front, "POST", path, "Host: gateway.test\r\n", "x")->status == 502 && seen[k] == 1);
		/* A key that is none is no reason. */
		k = turn();
		snprintf(path, sizeof(path), "/again/flaky?k=%u", k);
		CHECK(front, ask(front, "POST", path, "Idempotency-Key: \"\r\n", "x")->status == 502 && seen[k] == 1);
	}
}

static void
a_body_of_no_stated_length(void)
{
	EACH_FRONT(&web, front) {
		struct http_reply *replies[2];
		unsigned k = turn();

		for (int i = 0; i < 2; i++) {
			struct http_conn conn;

			http_open(&conn, front, NULL);
			http_say(&conn,
			    "POST /orders?k=%u HTTP/1.1\r\nHost: gateway.test\r\nX-API-Key: alice-key\r\nIdempotency-Key: key-%u\r\n"
			    "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n5\r\n pear\r\n0\r\n\r\n", k, k);
			replies[i] = http_read(&conn);
			http_close(&conn);
		}
		CHECK(front, replies[0]->status == 201 && http_body_has(replies[0], "of one pear"));
		CHECK(front, is_same(replies[0], replies[1]) && is_replayed(replies[1]) && seen[k] == 1);
		/* The same, its length said. */
		CHECK(front, is_replayed(post(front, "/orders", k, "one pear")));
	}
}

/* ---- looking */

static void
explained(void)
{
	const char *argv[] = {bed_program(), "explain", "-c", beds[0].config, "-H", "X-API-Key: alice-key", "-H", NULL, "POST",
	    "http://gateway.test/orders?k=0", NULL};
	unsigned k = turn();
	char header[64], *out;

	snprintf(header, sizeof(header), "Idempotency-Key: key-%u", k);
	argv[7] = header;
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(bed_run(&beds[0], &out, argv), 0);
		CU_ASSERT(strstr(out, "is new; nothing is reserved") != NULL);
		free(out);
	}
	CU_ASSERT_EQUAL(post(fronts[0], "/orders", k, "x")->status, 201);
	CU_ASSERT_EQUAL(bed_run(&beds[0], &out, argv), 0);
	CU_ASSERT(strstr(out, "is kept: replayed if the request is the same") != NULL);
	free(out);
	argv[7] = "Idempotency-Key: a b";
	CU_ASSERT_EQUAL(bed_run(&beds[0], &out, argv), 1);
	CU_ASSERT(strstr(out, "idempotency_key_invalid") != NULL);
	free(out);
}

static void
add_scenes(CU_pSuite suite)
{
	ADD_SCENE(suite, the_first_answer_comes_again);
	ADD_SCENE(suite, a_replay_is_an_answer_of_its_own);
	ADD_SCENE(suite, another_request_with_the_key);
	ADD_SCENE(suite, keys_of_others);
	ADD_SCENE(suite, a_header_of_another_name);
	ADD_SCENE(suite, keys_that_are_none);
	ADD_SCENE(suite, without_a_key);
	ADD_SCENE(suite, bodies_of_any_kind);
	ADD_SCENE(suite, an_answer_that_is_too_large);
	ADD_SCENE(suite, a_request_that_is_too_large);
	ADD_SCENE(suite, statuses);
	ADD_SCENE(suite, a_service_that_does_not_answer);
	ADD_SCENE(suite, retries_with_a_key);
	ADD_SCENE(suite, a_body_of_no_stated_length);
	ADD_SCENE(suite, explained);
}

void
suite_idempotency(void)
{
	add_scenes(add_suite("Idempotency-Key, memory", open_memory, close_memory));
	add_scenes(add_suite("Idempotency-Key, Redis", open_redis, close_redis));
}
