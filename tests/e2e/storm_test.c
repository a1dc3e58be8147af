/*
 * A storm: services that do anything, clients that leave at any time and names that come and go, with all that the gateway does
 * about it configured at once: hedge, retry, both breakers, max-in-flight, mirror, split, Idempotency-Key. Who gets what is
 * left to chance. What is asked is that each answer belongs to its request, that each has a reason that may be, and that
 * afterwards nothing is left: what counts is given back on whichever way a request ends.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include "dns/dns.h"
#include "e2e/e2e.h"
#include "support/dns_server.h"

enum { CLIENTS = 16, ROUNDS = 40, STEP = 40, KEYS = 3, LARGE = 96 * 1024, MOST_MS = 16, TARGET_BYTES = 48 };

static struct stage stage;
static struct dns_server *names;
static _Atomic bool is_calm, workers_leave;
static _Atomic unsigned unheard;
static _Atomic uint64_t drawn;

/* SplitMix64. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Of all services together. */
static uint64_t
draw_shared(void)
{
	return mix(atomic_fetch_add(&drawn, UINT64_C(0x9e3779b97f4a7c15)));
}

/* ---- what the services say: anything, but what is whole is the target that was asked for */

static void
say_padded(struct played_conn *conn, const struct played_request *request, size_t more)
{
	static const char zeros[LARGE];
	size_t len = strlen(request->target);

	if (!say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len + more) || strcmp(request->method, "HEAD") == 0)
		return;
	if (say(conn, "%s", request->target) && more > 0)
		say_bytes(conn, zeros, more);
}

static void
say_whole(struct played_conn *conn, struct played_request *request)
{
	say_padded(conn, request, 0);
}

static void
say_large(struct played_conn *conn, struct played_request *request)
{
	say_padded(conn, request, LARGE);
}

/* That takes its time is what it is played for. */
static void
say_slowly(struct played_conn *conn, struct played_request *request)
{
	poll(NULL, 0, 1 + (int)(draw_shared() % MOST_MS));
	say_padded(conn, request, 0);
}

static void
reset(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reset(conn);
}

static void
say_busy(struct played_conn *conn, struct played_request *request)
{
	say_reply(conn, 503, "Retry-After: 0\r\n", strcmp(request->method, "HEAD") == 0 ? "" : "busy");
}

static void
hang(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_close(conn);
	wait_peer_gone(conn);
}

static void
say_half(struct played_conn *conn, struct played_request *request)
{
	say_close(conn);
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it");
	if (draw_shared() % 2 == 0)
		reset(conn, request);
	else
		wait_peer_gone(conn);
}

static void
say_nonsense(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_close(conn);
	say(conn, "this is no answer\r\n\r\n");
}

static void
say_anything(struct played_conn *conn, struct played_request *request)
{
	static played_fn *const fns[] = {say_whole, say_whole, say_whole, say_whole, say_whole, say_whole, say_slowly, say_slowly,
	    say_slowly, say_slowly, say_slowly, say_slowly, say_large, reset, say_busy, hang, say_half, say_half, say_nonsense};

	fns[atomic_load(&is_calm) ? 0 : draw_shared() % (sizeof(fns) / sizeof(fns[0]))](conn, request);
}

static const struct played_part parts[] = {{NULL, say_anything, false}};

/* ---- the names */

static void
say_names(void)
{
	dns_server_all(names, DNS_SAYS);
	dns_server_say(names, "one.test", "127.0.0.1", 1);
	dns_server_say(names, "two.test", "127.0.0.1", 1);
	dns_server_manner(names, "slow.test", DNS_SILENT);
}

static void
change_weather(unsigned n)
{
	switch (n % 6) {
	case 0:
		dns_server_manner(names, "two.test", DNS_SILENT);
		break;
	case 1:
		dns_server_say(names, "one.test", "127.0.0.9 127.0.0.1", 1);
		break;
	case 2:
		dns_server_manner(names, "two.test", DNS_NO_NAME);
		break;
	case 3:
		dns_server_all(names, DNS_FAILS);
		break;
	case 4:
		dns_server_say(names, "one.test", "127.0.0.9", 1);
		break;
	default:
		say_names();
		break;
	}
}

/* ---- clients */

struct client {
	pthread_t thread;
	const struct front *front;
	unsigned n;
	uint64_t random;
	char ids[ROUNDS][HTTP_ID_BYTES]; /* of answers that came whole */
	unsigned answered, wrong;
	_Atomic unsigned rounds;
};

static unsigned
draw(struct client *client, unsigned below)
{
	client->random += UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(mix(client->random) % below);
}

/*
 * Whose worker left, when its time was over, before the request had come to its end, is told nothing; the web server says so
 * itself. That a web server takes so long is rare.
 */
static bool
is_unheard(const struct http_reply *reply)
{
	const char *type = http_header(reply, "Content-Type");

	return atomic_load(&workers_leave) && reply->status >= 500 && type != NULL && strncmp(type, "text/html", 9) == 0;
}

static bool
is_right(const struct http_reply *reply, const char *method, const char *target)
{
	if (reply->status != 0 && !reply->complete)
		return reply->status == 200; /* it was broken off */
	if (strcmp(method, "HEAD") == 0)
		return reply->status >= 200;
	if (reply->status == 200)
		return strncmp(reply->body, target, strlen(target)) == 0 || strcmp(reply->body, "resting") == 0;
	return (reply->status == 503 && strcmp(reply->body, "busy") == 0) ||
	    http_header_is(reply, "Content-Type", "application/problem+json");
}

static void
take_reply(struct client *client, const char *method, const char *target, const struct http_reply *reply)
{
	if (is_unheard(reply) && atomic_fetch_add(&unheard, 1) < CLIENTS * ROUNDS / 20)
		return;
	if (!is_right(reply, method, target)) {
		fprintf(stderr, "e2e: %s: %s %s: %d, %s: %.200s\n", client->front->name, method, target, reply->status,
		    reply->complete ? "whole" : "broken off", reply->body == NULL ? "" : reply->body);
		client->wrong++;
	}
	if (reply->complete)
		snprintf(client->ids[client->answered++], HTTP_ID_BYTES, "%s", reply->id);
}

/* The client leaves, at any time: before an answer, in the middle of it, behind it. */
static void
leave(struct client *client, struct http_conn *conn)
{
	struct pollfd ready = {conn->fd, POLLIN, 0};
	bool resets = draw(client, 2) == 0;

	poll(&ready, 1, (int)draw(client, 2 * MOST_MS));
	if (resets)
		http_reset(conn);
	else
		http_close(conn);
}

static void
ask_once(struct client *client, unsigned round)
{
	static const char *const methods[] = {"GET", "GET", "GET", "GET", "HEAD", "PUT", "PUT", "POST", "POST", "POST"};
	static const char *const routes[] = {"storm", "storm", "vital", "rest"};
	static const char body[] = "the whole body";
	const char *method = methods[draw(client, 10)], *route = routes[draw(client, 4)];
	unsigned has_key = method[0] == 'P' && method[1] == 'O' ? draw(client, 3) : 0, key = draw(client, KEYS);
	bool is_short = method[0] == 'P' && draw(client, 10) == 0;
	/* Apache would keep a connection whose answer was broken off, for as long as one that is kept alive. */
	char target[TARGET_BYTES], headers[96] = "Connection: close\r\n";
	struct http_conn conn;

	snprintf(target, sizeof(target), "/%s/%s-%u-%u-%u.", route, client->front->name, client->n, has_key ? 0 : 1,
	    has_key ? key : round);
	if (has_key)
		snprintf(headers, sizeof(headers), "Connection: close\r\nIdempotency-Key: %s-%u-%u\r\n", client->front->name, client->n, key);
	http_open(&conn, client->front, NULL);
	http_send_head(&conn, method, target, headers, method[0] == 'P' ? (int64_t)strlen(body) : -1);
	if (method[0] == 'P')
		http_send(&conn, body, is_short ? 4 : strlen(body));
	if (is_short || draw(client, 5) == 0) {
		leave(client, &conn);
		return;
	}
	take_reply(client, method, target, http_read(&conn));
	http_close(&conn);
}

static void *
run_client(void *arg)
{
	struct client *client = arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		ask_once(client, round);
		http_forget_all();
		atomic_fetch_add(&client->rounds, 1);
	}
	return NULL;
}

struct passage {
	const struct client *clients;
	size_t count;
	unsigned rounds; /* of all clients together */
};

static bool
has_passed(void *arg)
{
	const struct passage *passage = arg;
	unsigned rounds = 0;

	for (size_t i = 0; i < passage->count; i++)
		rounds += atomic_load(&passage->clients[i].rounds);
	return rounds >= passage->rounds;
}

/* Clients in front of both web servers; what happens meanwhile goes by how far they have come. */
static void
blow(struct client *clients, size_t count, void (*happens)(unsigned n))
{
	struct passage passage = {clients, count, 0};

	atomic_store(&is_calm, false);
	for (size_t i = 0; i < count; i++) {
		clients[i] = (struct client){.front = stage.fronts[i % 2], .n = (unsigned)i, .random = i};
		if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0)
			bed_give_up("no thread for a client");
	}
	for (unsigned n = 0; passage.rounds < count * ROUNDS; n++) {
		happens(n);
		passage.rounds += STEP;
		CU_ASSERT(bed_wait(has_passed, &passage));
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(clients[i].thread, NULL);
	say_names();
	atomic_store(&is_calm, true);
}

/* ---- what is left of it */

/* The sum of a metric over all that it is of, in a text of them. */
static double
sum_of(const char *text, const char *metric)
{
	size_t len = strlen(metric);
	double sum = 0;

	while (text != NULL && *text != '\0') {
		const char *end = strchr(text, '\n'), *value = end;

		if (end == NULL)
			return sum;
		if (strncmp(text, metric, len) == 0 && (text[len] == '{' || text[len] == ' ')) {
			while (value > text && value[-1] != ' ')
				value--;
			sum += strtod(value, NULL);
		}
		text = end + 1;
	}
	return sum;
}

static double
sum_now(const char *metric)
{
	return sum_of(get(stage.fronts[0], "/_faregate/metrics")->body, metric);
}

/* But for the one that asks. */
static bool
nothing_is_left(void *arg)
{
	static const char *const metrics[] = {"faregate_target_in_flight", "faregate_service_in_flight",
	    "faregate_service_places_in_use", "faregate_service_waiting"};
	const char *text = get(stage.fronts[0], "/_faregate/metrics")->body;
	bool is_left = sum_of(text, "faregate_in_flight") != 1;

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		is_left |= sum_of(text, metrics[i]) != 0;
	if (is_left && arg != NULL)
		fprintf(stderr, "e2e: left behind:\n%s", text);
	http_forget_all();
	return !is_left;
}

/* Breakers have closed, names are found again; that of the target that never had one is not. */
static bool
all_is_well(void *arg)
{
	(void)arg;
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 10; i++)
			if (get(front, i % 2 == 0 ? "/storm/calm" : "/vital/calm")->status != 200)
				return false;
	return true;
}

/* The string behind a key in a line of the log. */
static bool
read_field(const char *line, const char *key, char *out, size_t size)
{
	const char *at = strstr(line, key), *end = strchr(line, '\n');
	size_t len;

	if (at == NULL || (end != NULL && at > end))
		return false;
	at += strlen(key);
	len = strcspn(at, "\"");
	snprintf(out, size, "%.*s", (int)len, at);
	return true;
}

static bool
may_be(const char *reason)
{
	static const char *const reasons[] = {"forwarded", "responded", "admin", "client_gone", "draining",
	    "body_incomplete", "request_timeout", "idempotency_replayed", "idempotency_in_flight",
	    "idempotency_not_kept", "idempotency_outcome_unknown", "overloaded", "breaker_open",
	    "service_unavailable", "service_unreachable", "service_name_unresolved", "service_connect_timeout",
	    "service_timeout", "service_idle_timeout", "service_closed", "service_response_invalid",
	    "exchange_timeout"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(reason, reasons[i]) == 0)
			return true;
	return false;
}

struct logged {
	char (*ids)[HTTP_ID_BYTES];
	size_t count;
};

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Of each line, in order; false, and said, when one has a reason that may not be. */
static bool
read_log(struct logged *logged)
{
	char *text = bed_read(&stage.bed, stage.bed.access_log), reason[48];
	bool good = true;

	*logged = (struct logged){0};
	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
		if (logged->count % 1024 == 0)
			logged->ids = realloc(logged->ids, (logged->count + 1024) * sizeof(*logged->ids));
		if (!read_field(line, "\"request_id\":\"", logged->ids[logged->count++], HTTP_ID_BYTES) ||
		    !read_field(line, "\"reason\":\"", reason, sizeof(reason)) || !may_be(reason)) {
			fprintf(stderr, "e2e: %.300s\n", line);
			good = false;
		}
	}
	free(text);
	if (logged->count > 0)
		qsort(logged->ids, logged->count, sizeof(*logged->ids), compare_ids);
	for (size_t i = 1; i < logged->count; i++)
		if (strcmp(logged->ids[i - 1], logged->ids[i]) == 0) {
			fprintf(stderr, "e2e: logged twice: %s\n", logged->ids[i]);
			good = false;
		}
	return good;
}

/* Each answer has its line. */
static bool
are_logged(const struct client *client, const struct logged *logged)
{
	for (unsigned i = 0; i < client->answered; i++)
		if (bsearch(client->ids[i], logged->ids, logged->count, sizeof(*logged->ids), compare_ids) == NULL)
			return false;
	return true;
}

static void
check_left(struct client *clients, size_t count)
{
	struct logged logged;

	CU_ASSERT(bed_wait(nothing_is_left, NULL) || nothing_is_left("said"));
	CU_ASSERT(bed_wait(all_is_well, NULL));
	for (size_t i = 0; i < count; i++)
		if (clients[i].answered > 0)
			free(bed_log_line(&stage.bed, clients[i].ids[clients[i].answered - 1]));
	CU_ASSERT(read_log(&logged));
	for (size_t i = 0; i < count; i++) {
		CHECK(clients[i].front, clients[i].wrong == 0);
		CHECK(clients[i].front, are_logged(&clients[i], &logged));
	}
	free(logged.ids);
}

/* ---- scenes */

static int
init(void)
{
	int a, b;

	stage_play(&stage, parts, parts);
	a = played_port(stage.a);
	b = played_port(stage.b);
	names = dns_server_start();
	say_names();
	stage_serve(&stage,
	    "drain-timeout: 100ms\n"
	    "dns: {servers: \"127.0.0.1:%d\", ttl: {least: 100ms, most: 100ms}, timeout: 100ms, failed: 100ms, stale: 200ms}\n"
	    "idempotency: {once: {by: route, expire: 60s, lock: 10s}}\n"
	    "services:\n"
	    "  all:\n"
	    "    targets: [\"http://one.test:%d\", \"http://two.test:%d\", \"http://lost.test:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    hedge: 4ms\n"
	    "    retry: {attempts: 3, budget: 100%%, backoff: 2ms, on: [connect, timeout, reset, 503]}\n"
	    "    breaker: {failures: 3, open-for: 20ms, open-most: 100ms, on: [connect, timeout, reset, invalid, 503]}\n"
	    "    service-breaker: {failures: none, error-rate: 40%%, requests: 20, within: 200ms, open-for: 10ms,\n"
	    "      open-most: 40ms, on: [connect, reset]}\n"
	    "    max-in-flight: {requests: 9, queue: 4, wait: 60ms}\n"
	    "    response-timeout: 60ms\n"
	    "    idle-timeout: 60ms\n"
	    "  copy:\n"
	    "    targets: [\"http://two.test:%d\", \"http://one.test:%d\", \"http://slow.test:%d\"]\n"
	    "    hedge: {after: 6ms, budget: 50%%}\n"
	    "    breaker: {failures: 2, open-for: 20ms, open-most: 100ms}\n"
	    "    max-in-flight: {requests: 7, queue: 3, wait: 60ms}\n"
	    "    response-timeout: 60ms\n"
	    "    idle-timeout: 60ms\n"
	    "  resting: {targets: \"http://127.0.0.1:%d\", respond: {status: 200, body: resting}}\n"
	    "routes:\n"
	    "  storm: {path: /storm/*, service: all, mirror: {service: copy}, idempotency: once, timeout: 2s}\n"
	    "  vital: {path: /vital/*, service: copy, mirror: {service: all, percent: 50}, idempotency: once,\n"
	    "    criticality: high, timeout: 150ms}\n"
	    "  rest: {path: /rest/*, split: {all: 50, resting: 50}, mirror: {service: resting}, idempotency: once}\n",
	    dns_server_port(names), a, b, a, b, b, a, b, a);
	return 0;
}

static int
cleanup(void)
{
	bool good = stage_close(&stage);

	dns_server_stop(names);
	return !good;
}

/* It is no storm where nothing of that happens. */
static void
everything_happens_at_once(void)
{
	static const char *const happened[] = {"faregate_retries_total", "faregate_hedges_total", "faregate_hedges_won_total",
	    "faregate_mirrored_total", "faregate_service_queued_total", "faregate_target_breaker_opened_total",
	    "faregate_mirrors_dropped_total"};
	struct client *clients = calloc(CLIENTS, sizeof(*clients));

	blow(clients, CLIENTS, change_weather);
	check_left(clients, CLIENTS);
	for (size_t i = 0; i < sizeof(happened) / sizeof(happened[0]); i++)
		CU_ASSERT(sum_now(happened[i]) > 0);
	free(clients);
}

static void
reload(unsigned n)
{
	change_weather(n);
	if (n % 3 == 1)
		kill(stage.bed.pool, SIGHUP);
}

static bool
has_reloaded(void *before)
{
	return sum_now("faregate_config_generation") > *(double *)before;
}

/* What workers that leave have in flight is ended in whatever state it is. */
static void
workers_leave_in_the_midst_of_it(void)
{
	struct client *clients = calloc(CLIENTS, sizeof(*clients));
	double before = sum_now("faregate_config_generation");

	atomic_store(&workers_leave, true);
	blow(clients, CLIENTS, reload);
	CU_ASSERT(bed_wait(has_reloaded, &before));
	check_left(clients, CLIENTS);
	free(clients);
}

void
suite_storm(void)
{
	CU_pSuite suite;

	if (!fg_dns_is_built())
		return;
	suite = add_suite("a storm", init, cleanup);
	ADD_SCENE(suite, everything_happens_at_once);
	ADD_SCENE(suite, workers_leave_in_the_midst_of_it);
}
