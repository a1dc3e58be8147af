/*
 * Targets with names, and a name server that scenes play: a name that moves under load, servers that fail or hang, names that
 * there are not. Addresses of this machine stand for others: 127.0.0.1, 127.0.0.2; nobody listens at 127.0.0.9.
 */
#include <poll.h>

#include "dns/dns.h"
#include "e2e/e2e.h"
#include "e2e/hedge.h"
#include "e2e/load.h"
#include "support/dns_server.h"
#include "support/fcgi_peer.h"

static struct stage stage;
static struct dns_server *server;
static struct played *first, *second; /* the same port of both addresses */
static struct gate hold = GATE_CLOSED;

static void
say_and_close(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "Connection: close\r\n", "once");
	say_close(conn);
}

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&hold);
	say_close(conn);
	say_reply(conn, 200, "Connection: close\r\n", "the slow one");
}

static const struct played_part parts[] = {{"/once", say_and_close, false}, {"/held", say_held, false}, {NULL, say_echo, false}};
static const struct played_part other_parts[] = {{NULL, say_echo, false}};

static void
say_names(void)
{
	dns_server_all(server, DNS_SAYS);
	dns_server_say(server, "moving.test", "127.0.0.1", 1);
	dns_server_say(server, "here.test", "127.0.0.1", 1);
	dns_server_say(server, "twin.test", "127.0.0.9 127.0.0.2", 1);
	dns_server_say(server, "probed.test", "127.0.0.1", 1);
	dns_server_manner(server, "lighttpd.test", DNS_SILENT);
	dns_server_manner(server, "apache.test", DNS_SILENT);
	dns_server_manner(server, "gone.test", DNS_SILENT);
	dns_server_manner(server, "first-lighttpd.test", DNS_SILENT);
	dns_server_manner(server, "first-apache.test", DNS_SILENT);
	dns_server_manner(server, "second-lighttpd.test", DNS_SILENT);
	dns_server_manner(server, "second-apache.test", DNS_SILENT);
	dns_server_manner(server, "second-gone.test", DNS_SILENT);
}

/* The first one has an address, the second a name. */
#define HEDGED(name) "{targets: [{url: \"http://127.0.0.1:%d\", weight: 1000}, \"http://" name ":%d\"], hedge: 20ms}\n"

static int
init(void)
{
	int port, a, b;

	stage_play(&stage, parts, other_parts);
	first = played_start(parts);
	port = played_port(first);
	a = played_port(stage.a);
	b = played_port(stage.b);
	second = played_start_on_address(parts, "127.0.0.2", port);
	server = dns_server_start();
	say_names();
	stage_serve(&stage,
	    "dns: {servers: \"127.0.0.1:%d\", ttl: {least: 100ms, most: 200ms}, timeout: 6s, failed: 200ms, stale: 1h}\n"
	    "services:\n"
	    "  moving: http://moving.test:%d\n"
	    "  here: http://here.test:%d\n"
	    "  twin: http://twin.test:%d\n"
	    "  unknown: http://unknown.test:%d\n"
	    "  hanging-lighttpd: http://lighttpd.test:%d\n"
	    "  hanging-apache: http://apache.test:%d\n"
	    "  gone: http://gone.test:%d\n"
	    "  probed: {targets: [\"http://probed.test:%d\"], health: {path: /healthz, every: 50ms, host: probe.test}}\n"
	    "  unused: http://unused.test:%d\n"
	    "  either:\n"
	    "    targets: [{url: \"http://unknown.test:%d\", weight: 1000}, \"http://127.0.0.1:%d\"]\n"
	    "    retry: {attempts: 2, budget: 100%%, backoff: 1ms}\n"
	    "  number: http://127.0.0.1:%d\n"
	    "  second-lighttpd: " HEDGED("second-lighttpd.test") "  second-apache: " HEDGED("second-apache.test")
	    "  second-none: " HEDGED("unknown.test") "  second-gone: " HEDGED("second-gone.test")
	    "  first-lighttpd: {targets: [{url: \"http://first-lighttpd.test:%d\", weight: 1000}, \"http://127.0.0.1:%d\"], hedge: 20ms}\n"
	    "  first-apache: {targets: [{url: \"http://first-apache.test:%d\", weight: 1000}, \"http://127.0.0.1:%d\"], hedge: 20ms}\n"
	    "routes:\n"
	    "  second-lighttpd: {path: /held/lighttpd, service: second-lighttpd}\n"
	    "  second-apache: {path: /held/apache, service: second-apache}\n"
	    "  second-none: {path: /held/none, service: second-none}\n"
	    "  second-gone: {path: /held/gone, service: second-gone}\n"
	    "  first-lighttpd: {path: /first/lighttpd, service: first-lighttpd}\n"
	    "  first-apache: {path: /first/apache, service: first-apache}\n"
	    "  moving: {path: /moving/*, service: moving}\n"
	    "  here: {path: /here/*, service: here}\n"
	    "  once: {path: /once/*, service: twin}\n"
	    "  unknown: {path: /unknown/*, service: unknown}\n"
	    "  hanging-lighttpd: {path: /hanging/lighttpd, service: hanging-lighttpd}\n"
	    "  hanging-apache: {path: /hanging/apache, service: hanging-apache}\n"
	    "  gone: {path: /gone/*, service: gone}\n"
	    "  probed: {path: /probed/*, service: probed}\n"
	    "  unused: {path: /unused/*, service: unused}\n"
	    "  either: {path: /either/*, service: either}\n"
	    "  number: {path: /number/*, service: number}\n",
	    dns_server_port(server), port, played_port(stage.a), port, port, port, port, port, port, port, port, played_port(stage.b),
	    played_port(stage.b), a, b, a, b, a, b, a, b, b, b, b, b);
	return 0;
}

static int
cleanup(void)
{
	bool good = stage_close(&stage);

	dns_server_stop(server);
	played_stop(first);
	played_stop(second);
	return !good;
}

/* ---- scenes */

static void
a_name_stands_for_its_target(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/here/x");

		CHECK(front, reply->status == 200 && http_body_has(reply, "GET /here/x HTTP/1.1\r\n"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "forwarded"));
	}
}

/* Each worker has noticed. */
static bool
first_is_asked_no_more(void *arg)
{
	unsigned before = played_requests(first);

	return load_wait_more(arg, 200) && played_requests(first) == before && played_open(first) == 0;
}

static bool
second_was_asked(void *arg)
{
	return played_requests(second) > *(unsigned *)arg;
}

/* No request fails, and once each worker has noticed, none goes to where the name was. */
static void
a_name_moves_under_load(void)
{
	EACH_FRONT(&stage, front) {
		struct load *load;
		struct load_result result;
		unsigned before = played_requests(second);

		dns_server_say(server, "moving.test", "127.0.0.1", 1);
		dns_server_say(server, "probed.test", "127.0.0.2", 1);
		load = load_start(front, "/moving/x", 8);
		CHECK(front, load_wait_more(load, 200));
		dns_server_say(server, "moving.test", "127.0.0.2", 1);
		CHECK(front, bed_wait(second_was_asked, &before));
		CHECK(front, bed_wait(first_is_asked_no_more, load));
		result = load_stop(load);
		CHECK(front, result.failed == 0);
	}
	say_names();
}

static bool
lookups_time_out(void *arg)
{
	return bed_metric(stage.fronts[0], "faregate_dns_lookups_total{outcome=\"timed_out\"}") > *(double *)arg;
}

static bool
addresses_are_kept(void *arg)
{
	return bed_metric(stage.fronts[0], "faregate_dns_kept_total") > *(double *)arg;
}

/* While it is silent, and while it fails. */
static void
the_name_server_is_gone(void)
{
	const struct front *front = stage.fronts[0];
	double timed_out = bed_metric(front, "faregate_dns_lookups_total{outcome=\"timed_out\"}");
	struct load *load = load_start(front, "/here/x", 4), *other = load_start(stage.fronts[1], "/here/x", 4);
	double kept;

	CHECK(front, load_wait_more(load, 50) && load_wait_more(other, 50));
	kept = bed_metric(front, "faregate_dns_kept_total");
	dns_server_all(server, DNS_SILENT);
	CHECK(front, bed_wait(lookups_time_out, &timed_out));
	CHECK(front, bed_wait(addresses_are_kept, &kept));
	kept = bed_metric(front, "faregate_dns_kept_total") + 4;
	dns_server_all(server, DNS_FAILS);
	CHECK(front, bed_wait(addresses_are_kept, &kept));
	CHECK(front, load_wait_more(load, 50) && load_wait_more(other, 50));
	CHECK(front, load_stop(load).failed == 0);
	CHECK(stage.fronts[1], load_stop(other).failed == 0);
	say_names();
}

static void
an_unknown_name_is_answered(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/unknown/x");

		CHECK(front, http_is_problem(&stage.bed, reply, 502, "service_name_unresolved"));
		reply = ask(front, "POST", "/unknown/x", NULL, "a body");
		CHECK(front, http_is_problem(&stage.bed, reply, 502, "service_name_unresolved"));
	}
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_dns_lookups_total{outcome=\"not_found\"}") > 0);
}

/* Nothing had left us: whatever the method, the next target gets it. */
static void
another_target_takes_what_a_name_could_not(void)
{
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 4; i++) {
			const struct http_reply *reply = ask(front, i % 2 == 0 ? "GET" : "POST", "/either/x", NULL,
			    i % 2 == 0 ? NULL : "a body");

			CHECK(front, reply->status == 200);
			CHECK(front, i % 2 == 0 || http_body_has(reply, "a body"));
		}
}

static bool
is_answered(const struct http_conn *conn)
{
	struct pollfd ready = {conn->fd, POLLIN, 0};

	return poll(&ready, 1, 0) > 0;
}

/* The one waits for its name, nobody else does; it goes on once the name is known, where the server comes back in time. */
static void
others_go_on_while_a_name_server_hangs(void)
{
	EACH_FRONT(&stage, front) {
		struct http_conn conn;
		const struct http_reply *reply;
		char target[64], name[64];

		snprintf(target, sizeof(target), "/hanging/%s", front->name); /* each has a name of its own, asked for once */
		http_open(&conn, front, NULL);
		CHECK(front, http_send_head(&conn, "GET", target, NULL, -1));
		for (int i = 0; i < 10; i++) {
			CHECK(front, get(front, "/number/x")->status == 200);
			CHECK(front, get(front, "/here/x")->status == 200);
		}
		CHECK(front, !is_answered(&conn));
		snprintf(name, sizeof(name), "%s.test", front->name);
		dns_server_say(server, name, "127.0.0.1", 1);
		reply = http_read(&conn);
		CHECK(front, reply->status == 200 || http_is_problem(&stage.bed, reply, 502, "service_name_unresolved"));
		http_close(&conn);
	}
}

static bool
is_asked_for(void *arg)
{
	return dns_server_asked(server, "gone.test") > *(unsigned *)arg;
}

static void
a_client_leaves_while_a_name_is_looked_up(void)
{
	unsigned asked = dns_server_asked(server, "gone.test");
	struct fcgi_peer peer;

	CU_ASSERT_FATAL(fcgi_open(&peer, stage.bed.socket, bed_patience() * 1000));
	CU_ASSERT(fcgi_ask(&peer, 1, false, "GET", "/gone/x", "HTTP_X_REQUEST_ID\0leaving-x\0"));
	CU_ASSERT(fcgi_body(&peer, 1, "", 0));
	CU_ASSERT(bed_wait(is_asked_for, &asked));
	fcgi_close(&peer);
	CU_ASSERT(bed_log_says(&stage.bed, "leaving-x", "reason", "client_gone"));
	CU_ASSERT(bed_log_says(&stage.bed, "leaving-x", "waiting_on", "name"));
}

/* ---- two tries, and a name that one of them waits for */

static bool
is_asked_for_second(void *name)
{
	return dns_server_asked(server, name) > 0;
}

static double
in_flight_at(const char *service)
{
	char series[160];

	snprintf(series, sizeof(series), "faregate_service_in_flight{service=\"%s\"}", service);
	return bed_metric(stage.fronts[0], series);
}

static bool
nothing_is_in_flight(void *service)
{
	return in_flight_at(service) == 0;
}

/* What it was waited for so long answers first all the same. */
static void
a_second_try_waits_for_its_name(void)
{
	EACH_FRONT(&stage, front) {
		struct http_conn conn;
		const struct http_reply *reply;
		char target[64], name[64], service[64];

		snprintf(target, sizeof(target), "/held/%s", front->name);
		snprintf(service, sizeof(service), "second-%s", front->name);
		snprintf(name, sizeof(name), "second-%s.test", front->name);
		http_open(&conn, front, NULL);
		CHECK(front, http_send_head(&conn, "GET", target, NULL, -1));
		CHECK(front, bed_wait(is_asked_for_second, name));
		CHECK(front, in_flight_at(service) == 2);
		dns_server_say(server, name, "127.0.0.1", 60);
		reply = http_read(&conn);
		CHECK(front, reply->status == 200 && http_body_has(reply, target));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "hedged", "second"));
		CHECK(front, bed_wait(nothing_is_in_flight, service));
		http_close(&conn);
		let_go(&hold);
	}
}

static bool
second_was_sent(void *hedges)
{
	return bed_metric(stage.fronts[0], "faregate_hedges_total{service=\"second-none\"}") >= *(double *)hedges;
}

static bool
one_is_left(void *service)
{
	return in_flight_at(service) == 1 && gate_wait_waiting(&hold, 1);
}

static void
a_second_try_has_no_address(void)
{
	EACH_FRONT(&stage, front) {
		double hedges = bed_metric(front, "faregate_hedges_total{service=\"second-none\"}") + 1;
		struct http_conn conn;
		const struct http_reply *reply;

		http_open(&conn, front, NULL);
		CHECK(front, http_send_head(&conn, "GET", "/held/none", NULL, -1));
		CHECK(front, bed_wait(second_was_sent, &hedges));
		CHECK(front, bed_wait(one_is_left, "second-none"));
		let_go(&hold);
		reply = http_read(&conn);
		CHECK(front, reply->status == 200 && http_body_has(reply, "the slow one"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "hedged", "first"));
		CHECK(front, bed_wait(nothing_is_in_flight, "second-none"));
		http_close(&conn);
	}
}

static void
a_client_leaves_while_a_second_try_waits_for_its_name(void)
{
	struct fcgi_peer peer;

	CU_ASSERT_FATAL(fcgi_open(&peer, stage.bed.socket, bed_patience() * 1000));
	CU_ASSERT(fcgi_ask(&peer, 1, false, "GET", "/held/gone", "HTTP_X_REQUEST_ID\0leaving-second-x\0"));
	CU_ASSERT(fcgi_body(&peer, 1, "", 0));
	CU_ASSERT(bed_wait(is_asked_for_second, "second-gone.test"));
	fcgi_close(&peer);
	CU_ASSERT(bed_log_says(&stage.bed, "leaving-second-x", "reason", "client_gone"));
	CU_ASSERT(bed_log_says(&stage.bed, "leaving-second-x", "hedged", "none"));
	CU_ASSERT(bed_wait(nothing_is_in_flight, "second-gone"));
	let_go(&hold);
}

/* The second, which has an address, need not wait for that of the first. */
static void
a_first_try_waits_for_its_name(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;
		char target[64], service[64];

		snprintf(target, sizeof(target), "/first/%s", front->name);
		snprintf(service, sizeof(service), "first-%s", front->name);
		reply = get(front, target);
		CHECK(front, reply->status == 200 && http_body_has(reply, target));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "hedged", "second"));
		CHECK(front, bed_wait(nothing_is_in_flight, service));
	}
}

static void
one_of_two_addresses_is_dead(void)
{
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 20; i++)
			CHECK(front, http_body_has(get(front, "/once/x"), "once"));
}

static bool
first_is_probed(void *arg)
{
	return played_requests(first) > *(unsigned *)arg;
}

/* Probes are what the gateway fetches for itself: they go where the name is. */
static void
probes_follow_the_name(void)
{
	unsigned requests = played_requests(second);

	dns_server_say(server, "probed.test", "127.0.0.2", 1);
	CU_ASSERT(bed_wait(second_was_asked, &requests));
	dns_server_say(server, "probed.test", "127.0.0.1", 1);
	requests = played_requests(first);
	CU_ASSERT(bed_wait(first_is_probed, &requests));
	EACH_FRONT(&stage, front)
		CHECK(front, get(front, "/probed/x")->status == 200);
}

/* Nor does whoever only looks at the configuration. */
static void
a_name_is_not_looked_up_before_it_is_needed(void)
{
	char *out;

	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, (const char *[]){bed_program(), "check", "-c", stage.bed.config, NULL}), 0);
	free(out);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, (const char *[]){bed_program(), "explain", "-c", stage.bed.config, "GET", "/unused/x",
					   NULL}), 0);
	free(out);
	CU_ASSERT_EQUAL(dns_server_asked(server, "unused.test"), 0);
}

void
suite_dns(void)
{
	CU_pSuite suite;

	if (!fg_dns_is_built())
		return;
	suite = add_suite("names of targets", init, cleanup);
	ADD_SCENE(suite, a_name_stands_for_its_target);
	ADD_SCENE(suite, a_name_moves_under_load);
	ADD_SCENE(suite, the_name_server_is_gone);
	ADD_SCENE(suite, an_unknown_name_is_answered);
	ADD_SCENE(suite, another_target_takes_what_a_name_could_not);
	ADD_SCENE(suite, others_go_on_while_a_name_server_hangs);
	ADD_SCENE(suite, a_client_leaves_while_a_name_is_looked_up);
	ADD_SCENE(suite, a_second_try_waits_for_its_name);
	ADD_SCENE(suite, a_second_try_has_no_address);
	ADD_SCENE(suite, a_client_leaves_while_a_second_try_waits_for_its_name);
	ADD_SCENE(suite, a_first_try_waits_for_its_name);
	ADD_SCENE(suite, one_of_two_addresses_is_dead);
	ADD_SCENE(suite, probes_follow_the_name);
	ADD_SCENE(suite, a_name_is_not_looked_up_before_it_is_needed);
}
