/* The service, the pools and the web servers that the scenes about Idempotency-Key share. */
#include "e2e/idempotency_scene.h"

#include <stdatomic.h>

struct redis_server *server;
static struct redis_server *nodes[REDIS_CLUSTER_NODES];
struct bed beds[2];
struct stage web;
const struct front *fronts[3];
size_t front_count;
struct gate hold = GATE_CLOSED;
_Atomic unsigned seen[MOST_TURNS];

static struct played *service;
static _Atomic unsigned executions;

/* ---- the service: counts what it carries out, by the number in the query */

static unsigned
carry_out(struct played_request *request)
{
	const char *k = query_value(request, "k");

	atomic_fetch_add(&seen[k == NULL ? 0 : strtoul(k, NULL, 10) % MOST_TURNS], 1);
	return atomic_fetch_add(&executions, 1);
}

static void
say_done(struct played_conn *conn, struct played_request *request)
{
	unsigned n = carry_out(request);
	char headers[256], body[64];

	snprintf(headers, sizeof(headers),
	    "Location: /orders/%u\r\nX-Count: %u\r\nX-Twice: a\r\nX-Twice: b\r\nSet-Cookie: session=%u\r\nContent-Type: text/x-order\r\n", n, n, n);
	snprintf(body, sizeof(body), "order %u of %s", n, request->body);
	say_reply(conn, 201, headers, body);
}

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	gate_pass(&hold);
	say_done(conn, request);
}

static void
say_big(struct played_conn *conn, struct played_request *request)
{
	static const char letters[1025] = {[0 ... 1023] = 'x'};

	carry_out(request);
	if (query_value(request, "chunked") == NULL) {
		say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
		for (int i = 0; i < BIG / 1024; i++)
			say_bytes(conn, letters, 1024);
		return;
	}
	say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < BIG / 1024; i++)
		say(conn, "400\r\n%s\r\n", letters);
	say(conn, "0\r\n\r\n");
}

static void
say_binary(struct played_conn *conn, struct played_request *request)
{
	unsigned char bytes[BINARY];
	unsigned n = carry_out(request);

	for (unsigned i = 0; i < BINARY; i++)
		bytes[i] = (unsigned char)(i + n);
	say(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", BINARY);
	say_bytes(conn, bytes, BINARY);
}

static void
say_status(struct played_conn *conn, struct played_request *request)
{
	int status = atoi(query_value(request, "s"));
	unsigned n = carry_out(request);
	char body[32];

	snprintf(body, sizeof(body), "said %u", n);
	if (status == 204)
		say(conn, "HTTP/1.1 204 No Content\r\nX-Count: %u\r\n\r\n", n);
	else
		say_reply(conn, status, NULL, body);
}

static void
carry_out_and_reset(struct played_conn *conn, struct played_request *request)
{
	carry_out(request);
	say_reset(conn);
}

/* The first time nothing, then as any other. */
static void
say_second_time(struct played_conn *conn, struct played_request *request)
{
	const char *k = query_value(request, "k");

	if (seen[strtoul(k, NULL, 10) % MOST_TURNS] == 0)
		carry_out_and_reset(conn, request);
	else
		say_done(conn, request);
}

/* The head, a part of the body, and the end of the connection. */
static void
say_half(struct played_conn *conn, struct played_request *request)
{
	carry_out(request);
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	say_close(conn);
}

static const struct played_part parts[] = {{"/held", say_held, false}, {"/big", say_big, false}, {"/binary", say_binary, false},
    {"/status", say_status, false}, {"/reset", carry_out_and_reset, false}, {"/trusted/reset", carry_out_and_reset, false},
    {"/again/flaky", say_second_time, false}, {"/half", say_half, false}, {NULL, say_done, false}};

/* ---- the stage */

static void
open_bed(size_t i, const char *store)
{
	bed_open(&beds[i]);
	bed_write(&beds[i], "keys.yaml",
	    "keys:\n"
	    "  - consumer: alice\n    hash: sha256:72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20\n"
	    "  - consumer: bob\n    hash: sha256:9b94dc1a51a38769f135edf04033ad7f2f487b6c25929be7a861cfc1ab10cf98\n");
	bed_write_config(&beds[i],
	    "%s"
	    "auth: {partners: {type: api-key, keys: 'file:%s/keys.yaml'}}\n"
	    "idempotency:\n"
	    "  once: {lock: 1s}\n"
	    "services:\n"
	    "  a: http://127.0.0.1:%d\n"
	    "  trusted: {targets: 'http://127.0.0.1:%d', retry: {attempts: 2, budget: 0%%, idempotency-key: true}}\n"
	    "  again: {targets: 'http://127.0.0.1:%d', retry: {attempts: 2, budget: 100%%, backoff: 1ms, idempotency-key: true}}\n"
	    "  dead: http://127.0.0.1:%d\n"
	    "routes:\n"
	    "  again: {path: '/again/*', service: again, auth: none, idempotency: {by: route, header: X-Once}}\n"
	    "  a: {path: '/*', service: a, auth: partners, idempotency: once, timeout: 30s, cors: {origins: 'https://app.example.com'},\n"
	    "    response: {headers: {set: {X-Seen: '{request-id}'}}}}\n"
	    "  brief: {path: '/held/brief', service: a, auth: partners, idempotency: {lock: 4s}}\n"
	    "  open: {path: '/open/*', service: a, auth: none, idempotency: {by: route, header: X-Once}}\n"
	    "  tenants: {path: '/tenants/*', service: a, auth: none, idempotency: {by: 'header:X-Tenant'}}\n"
	    "  demanded: {path: '/demanded', service: a, auth: partners, idempotency: {required: true, methods: [POST, PUT]}}\n"
	    "  small: {path: '/small', service: a, auth: partners, idempotency: {max-request: 1k}}\n"
	    "  loose: {path: '/loose', service: a, auth: partners, idempotency: {on-store-failure: allow}}\n"
	    "  trusted: {path: '/trusted/*', service: trusted, auth: partners, idempotency: once, timeout: 30s}\n"
	    "  dead: {path: '/dead', service: dead, auth: partners, idempotency: once, timeout: 30s}\n",
	    store, beds[i].dir, played_port(service), played_port(service), played_port(service), bed_dead_port());
	bed_start_pool(&beds[i], NULL);
	fronts[front_count++] = bed_start_front(&beds[i], FRONT_LIGHTTPD, "/", NULL);
	if (i != 0)
		return;
	fronts[front_count++] = bed_start_front(&beds[i], FRONT_APACHE, "/", NULL);
	web.fronts[0] = fronts[0];
	web.fronts[1] = fronts[1];
}

int
open_memory(void)
{
	service = played_start(parts);
	front_count = 0;
	open_bed(0, "");
	return 0;
}

int
close_memory(void)
{
	bool good = bed_close(&beds[0]);

	played_stop(service);
	return good ? 0 : 1;
}

static void
start_server(void)
{
	server = redis_server_start(NULL);
}

int
open_redis(void)
{
	char store[128];

	if (!redis_server_try(start_server))
		return 1;
	service = played_start(parts);
	front_count = 0;
	snprintf(store, sizeof(store), "store: {url: redis://127.0.0.1:%d/0, deadline: 10s, connect-timeout: 60s}\n",
	    redis_server_port(server));
	open_bed(0, store);
	open_bed(1, store);
	return 0;
}

int
close_redis(void)
{
	bool good = bed_close(&beds[0]);

	good &= bed_close(&beds[1]);
	played_stop(service);
	redis_server_stop(server);
	return good ? 0 : 1;
}

static void
start_cluster(void)
{
	redis_cluster_start(nodes);
}

int
open_cluster(void)
{
	char store[128];

	if (!redis_server_try(start_cluster))
		return 1;
	service = played_start(parts);
	front_count = 0;
	snprintf(store, sizeof(store), "store: {url: redis+cluster://127.0.0.1:%d, deadline: 10s, connect-timeout: 60s}\n",
	    redis_server_port(nodes[0]));
	open_bed(0, store);
	open_bed(1, store);
	return 0;
}

int
close_cluster(void)
{
	bool good = bed_close(&beds[0]);

	good &= bed_close(&beds[1]);
	played_stop(service);
	for (size_t i = 0; i < REDIS_CLUSTER_NODES; i++)
		redis_server_stop(nodes[i]);
	return good ? 0 : 1;
}

unsigned
turn(void)
{
	static unsigned turns;

	return ++turns;
}

/* alice asks; %u in target is the turn, which is in the key too. */
struct http_reply *
post(const struct front *front, const char *target, unsigned k, const char *body)
{
	char headers[256], path[128];

	snprintf(path, sizeof(path), "%s%ck=%u", target, strchr(target, '?') == NULL ? '?' : '&', k);
	snprintf(headers, sizeof(headers), "X-API-Key: alice-key\r\nIdempotency-Key: \"key-%u\"\r\nHost: gateway.test\r\n", k);
	return ask(front, "POST", path, headers, body);
}

bool
is_replayed(const struct http_reply *reply)
{
	const char *said = http_header(reply, "Idempotency-Replayed");

	return said != NULL && strcmp(said, "true") == 0;
}

bool
is_same(const struct http_reply *one, const struct http_reply *other)
{
	return one->complete && other->complete && one->status == other->status && one->body_len == other->body_len &&
	    one->body_sum == other->body_sum;
}

double
outcome(const struct front *front, const char *policy, const char *what)
{
	char series[128];

	snprintf(series, sizeof(series), "faregate_idempotency_total{policy=\"%s\",outcome=\"%s\"}", policy, what);
	return bed_metric(front, series);
}
