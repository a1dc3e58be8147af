/*
 * lib/client where targets have names: calls wait for the addresses, all of them are used, a connection to one that is gone
 * is not, and TLS goes by the name whatever the address is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "dns/dns.h"
#include "support/dns_server.h"
#include "unit/client_scene.h"
#include "unit/unit.h"

#define SECONDS(n) ((n) * (fg_usec)FG_US_PER_S)

/* The scene's service answers at 127.0.0.1; another one at the same port of 127.0.0.2. Nobody does at 127.0.0.9. */
static struct scene scene;
static struct dns_server *server;
static struct service *other;
static struct fg_dns *dns;
static struct fg_dns_server dns_address;
static struct fg_dns_conf conf;
static struct fg_clock clock_now;
static const struct fg_log quiet = {.level = FG_LOG_ERROR};
static char dir[] = "/tmp/faregate-unit-XXXXXX";

static void
open_scene(const struct service_options *options)
{
	struct fg_dns_spec spec = {.conf = &conf, .clock = &clock_now, .log = &quiet};
	struct service_options at_other = options == NULL ? (struct service_options){.name = NULL} : *options;

	scene_open(&scene, options);
	server = dns_server_start();
	CU_ASSERT_FATAL(fg_ip_parse(&dns_address.ip, FG_STR("127.0.0.1")));
	dns_address.port = (unsigned)dns_server_port(server);
	conf = (struct fg_dns_conf){.servers = &dns_address, .server_count = 1, .least = SECONDS(1), .most = SECONDS(300),
	    .timeout = SECONDS(30), .failed = SECONDS(2), .stale = SECONDS(100)};
	clock_now = *fg_loop_clock(scene.loop);
	dns = fg_dns_new(scene.loop, &spec);
	fg_client_use_dns(scene.client, dns);
	at_other.name = "B";
	at_other.address = "127.0.0.2";
	at_other.port = service_port(scene.service);
	other = service_start(&at_other);
}

static void
close_scene(void)
{
	service_stop(other);
	fg_client_free(scene.client);
	fg_dns_free(dns);
	/* The rest of it, without what is freed already. */
	fg_timer_stop(&scene.wake);
	fg_loop_free(scene.loop);
	fg_arena_fini(&scene.arena);
	service_stop(scene.service);
	dns_server_stop(server);
}

static const struct fg_endpoint *
endpoint_of(const char *host)
{
	struct fg_endpoint_spec spec = scene_spec(&scene, "http", service_port(scene.service));

	spec.url = fg_arena_printf(&scene.arena, "http://%s:%d", host, service_port(scene.service));
	return scene_endpoint(&scene, &spec);
}

static enum fg_err
ask_at(const struct fg_endpoint *endpoint, struct fg_call_times *times)
{
	struct told told = {.target = "/", .endpoint = endpoint};

	told_start(&scene, &told);
	told_wait(&told);
	told_fini(&told);
	if (times != NULL)
		*times = told.times;
	CU_ASSERT(told.err != FG_OK || told.status == 200);
	return told.err;
}

/* libcurl may find one connection wanting on a busy machine, but not each. */
static bool
is_kept_alive(const struct fg_endpoint *endpoint)
{
	struct fg_call_times times = {.reused = false};

	for (int i = 0; i < 20 && !times.reused; i++)
		CU_ASSERT_EQUAL(ask_at(endpoint, &times), FG_OK);
	return times.reused;
}

static unsigned
of_both(unsigned (*count)(const struct service *service))
{
	return count(scene.service) + count(other);
}

/* ---- tests */

static void
a_call_waits_for_the_addresses_of_its_name(void)
{
	const struct fg_endpoint *endpoint;
	struct told told = {.target = "/"};
	struct fg_call_times times;

	open_scene(NULL);
	dns_server_say(server, "a.test", "127.0.0.1", 60);
	endpoint = told.endpoint = endpoint_of("A.test");
	told_start(&scene, &told);
	CU_ASSERT(fg_call_is_resolving(told.call));
	told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	told_fini(&told);
	for (int i = 0; i < 50; i++) {
		CU_ASSERT_EQUAL(ask_at(endpoint, &times), FG_OK);
		CU_ASSERT(times.reused);
	}
	CU_ASSERT_EQUAL(service_accepted(scene.service), 1);
	CU_ASSERT_EQUAL(dns_server_asked(server, "a.test"), 1);
	close_scene();
}

/* What it does not wait for: numeric addresses, in whatever form libcurl takes them, and names that are known. */
static void
an_address_is_not_resolved(void)
{
	static const char *const hosts[] = {"127.0.0.1", "127.1", "0x7f000001"};

	open_scene(NULL);
	dns_server_all(server, DNS_SILENT);
	for (size_t i = 0; i < FG_ARRAY_LEN(hosts); i++) {
		struct told told = {.target = "/", .endpoint = endpoint_of(hosts[i])};

		told_start(&scene, &told);
		CU_ASSERT(!fg_call_is_resolving(told.call));
		told_wait(&told);
		CU_ASSERT_EQUAL(told.err, FG_OK);
		told_fini(&told);
	}
	close_scene();
}

static void
a_name_may_end_in_a_dot(void)
{
	open_scene(NULL);
	dns_server_say(server, "a.test", "127.0.0.1", 60);
	CU_ASSERT_EQUAL(ask_at(endpoint_of("a.test."), NULL), FG_OK);
	CU_ASSERT_EQUAL(dns_server_asked(server, "a.test"), 1);
	close_scene();
}

static void
an_unknown_name_is_an_error_of_its_own(void)
{
	struct fg_call_times times;

	open_scene(NULL);
	CU_ASSERT_EQUAL(ask_at(endpoint_of("a.test"), &times), FG_ERR_SERVICE_NAME_UNRESOLVED);
	CU_ASSERT(!times.sent);
	/* Not asked for again so soon, and told all the same from the loop. */
	CU_ASSERT_EQUAL(ask_at(endpoint_of("a.test"), &times), FG_ERR_SERVICE_NAME_UNRESOLVED);
	CU_ASSERT_EQUAL(dns_server_asked(server, "a.test"), 1);
	close_scene();
}

static void
others_do_not_wait_while_a_server_hangs(void)
{
	struct told told = {.target = "/"};

	open_scene(NULL);
	dns_server_manner(server, "slow.test", DNS_SILENT);
	dns_server_say(server, "a.test", "127.0.0.1", 60);
	told.endpoint = endpoint_of("slow.test");
	told_start(&scene, &told);
	for (int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(ask_at(endpoint_of("a.test"), NULL), FG_OK);
		CU_ASSERT_EQUAL(ask_at(NULL, NULL), FG_OK);
	}
	CU_ASSERT(!told.ended && fg_call_is_resolving(told.call));
	told_cancel(&told);
	CU_ASSERT(!told.ended);
	told_fini(&told);
	close_scene();
}

static void
each_of_its_addresses_gets_connections(void)
{
	const struct fg_endpoint *endpoint;
	struct told told[10];

	open_scene(NULL);
	dns_server_say(server, "a.test", "127.0.0.1 127.0.0.2", 60);
	endpoint = endpoint_of("a.test");
	CU_ASSERT_EQUAL(ask_at(endpoint, NULL), FG_OK);
	for (size_t round = 0; round < 5; round++) {
		for (size_t i = 0; i < FG_ARRAY_LEN(told); i++) {
			told[i] = (struct told){.target = "/early/200?close=1", .endpoint = endpoint};
			told_start(&scene, &told[i]);
		}
		for (size_t i = 0; i < FG_ARRAY_LEN(told); i++) {
			told_wait(&told[i]);
			CU_ASSERT_EQUAL(told[i].err, FG_OK);
			told_fini(&told[i]);
		}
	}
	CU_ASSERT(service_accepted(scene.service) > 0 && service_accepted(other) > 0);
	close_scene();
}

static void
one_dead_address_fails_no_call(void)
{
	const struct fg_endpoint *endpoint;

	open_scene(NULL);
	dns_server_say(server, "a.test", "127.0.0.9 127.0.0.2 ::1", 60);
	endpoint = endpoint_of("a.test");
	for (int i = 0; i < 12; i++) {
		struct told told = {.target = "/early/200?close=1", .endpoint = endpoint};

		told_start(&scene, &told);
		told_wait(&told);
		CU_ASSERT_EQUAL(told.err, FG_OK);
		told_fini(&told);
	}
	CU_ASSERT_EQUAL(service_requests(other), 12);
	close_scene();
}

static bool
has_moved(void *arg)
{
	(void)arg;
	(void)fg_dns_use(fg_dns_name(dns, FG_STR("a.test")));
	return fg_dns_set(fg_dns_name(dns, FG_STR("a.test")))->version == 2;
}

static bool
first_is_left(void *arg)
{
	(void)arg;
	return service_open(scene.service) == 0;
}

static bool
first_was_asked(void *arg)
{
	return service_requests(scene.service) == *(unsigned *)arg;
}

static void
move_to(const char *addresses)
{
	dns_server_say(server, "a.test", addresses, 60);
	clock_now.mono += SECONDS(59);
	scene_wait(&scene, has_moved, NULL);
}

static void
a_connection_to_an_address_that_is_gone_is_left(void)
{
	const struct fg_endpoint *endpoint;
	struct fg_call_times times;

	open_scene(NULL);
	dns_server_say(server, "a.test", "127.0.0.1", 60);
	endpoint = endpoint_of("a.test");
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(ask_at(endpoint, NULL), FG_OK);
	move_to("127.0.0.2");
	CU_ASSERT_EQUAL(ask_at(endpoint, &times), FG_OK);
	CU_ASSERT(!times.reused);
	CU_ASSERT_EQUAL(service_requests(scene.service), 3);
	CU_ASSERT_EQUAL(service_requests(other), 1);
	scene_wait(&scene, first_is_left, NULL);
	CU_ASSERT_EQUAL(ask_at(endpoint, &times), FG_OK);
	CU_ASSERT(times.reused);
	close_scene();
}

/* One that is in use then ends as if nothing had happened, and is closed behind its response. */
static void
a_call_in_flight_ends_where_it_began(void)
{
	struct told told = {.target = "/delay/300"};
	struct fg_call_times times;
	unsigned one = 1;

	open_scene(NULL);
	dns_server_say(server, "a.test", "127.0.0.1", 60);
	told.endpoint = endpoint_of("a.test");
	told_start(&scene, &told);
	scene_wait(&scene, first_was_asked, &one);
	move_to("127.0.0.2");
	CU_ASSERT_EQUAL(ask_at(told.endpoint, NULL), FG_OK);
	told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	told_fini(&told);
	scene_wait(&scene, first_is_left, NULL);
	CU_ASSERT_EQUAL(ask_at(told.endpoint, &times), FG_OK);
	CU_ASSERT(times.reused);
	CU_ASSERT_EQUAL(service_requests(scene.service), 1);
	CU_ASSERT_EQUAL(service_requests(other), 2);
	close_scene();
}

static void
an_address_that_stays_keeps_its_connections(void)
{
	const struct fg_endpoint *endpoint;
	struct fg_call_times times;

	open_scene(NULL);
	dns_server_say(server, "a.test", "127.0.0.1", 60);
	endpoint = endpoint_of("a.test");
	CU_ASSERT_EQUAL(ask_at(endpoint, NULL), FG_OK);
	move_to("127.0.0.9 127.0.0.1");
	CU_ASSERT_EQUAL(ask_at(endpoint, &times), FG_OK);
	CU_ASSERT(times.reused);
	CU_ASSERT_EQUAL(of_both(service_accepted), 1);
	close_scene();
}

static const struct fg_endpoint *
tls_endpoint(const char *host, const char *tls_name)
{
	static char ca[96];
	struct fg_endpoint_spec spec = scene_spec(&scene, "https", service_port(scene.service));

	snprintf(ca, sizeof(ca), "%s/s-ca.pem", dir);
	spec.url = fg_arena_printf(&scene.arena, "https://%s:%d", host, service_port(scene.service));
	spec.ca_file = ca;
	spec.tls_name = fg_str_from(tls_name);
	return scene_endpoint(&scene, &spec);
}

/* The certificate is for a.test: not for the address, nor for another name of it. */
static void
tls_goes_by_the_name(void)
{
	static char cert[96], key[96];
	const struct service_options options = {.cert_file = cert, .key_file = key};
	const struct fg_endpoint *endpoint, *named;
	struct fg_call_times times;

	snprintf(cert, sizeof(cert), "%s/s-cert.pem", dir);
	snprintf(key, sizeof(key), "%s/s-key.pem", dir);
	open_scene(&options);
	dns_server_say(server, "a.test", "127.0.0.1", 60);
	dns_server_say(server, "b.test", "127.0.0.1", 60);
	endpoint = tls_endpoint("a.test", "");
	CU_ASSERT_EQUAL(ask_at(endpoint, NULL), FG_OK);
	CU_ASSERT_EQUAL(ask_at(tls_endpoint("b.test", ""), NULL), FG_ERR_SERVICE_TLS_FAILED);
	named = tls_endpoint("b.test", "a.test");
	CU_ASSERT_EQUAL(ask_at(named, NULL), FG_OK);
	CU_ASSERT(is_kept_alive(named));
	move_to("127.0.0.2");
	CU_ASSERT_EQUAL(ask_at(endpoint, &times), FG_OK);
	CU_ASSERT(!times.reused);
	CU_ASSERT_EQUAL(service_requests(other), 1);
	/* b.test has not moved, whatever a.test has. */
	CU_ASSERT(is_kept_alive(named));
	close_scene();
}

static int
set_up(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	return !service_make_cert(dir, "s", "a.test", false);
}

static int
tear_down(void)
{
	service_remove_cert(dir, "s");
	return remove(dir);
}

void
suite_client_dns(void)
{
	CU_pSuite suite;

	if (!fg_dns_is_built())
		return;
	suite = CU_add_suite("client: names", set_up, tear_down);
	ADD_TEST(suite, a_call_waits_for_the_addresses_of_its_name);
	ADD_TEST(suite, an_address_is_not_resolved);
	ADD_TEST(suite, a_name_may_end_in_a_dot);
	ADD_TEST(suite, an_unknown_name_is_an_error_of_its_own);
	ADD_TEST(suite, others_do_not_wait_while_a_server_hangs);
	ADD_TEST(suite, each_of_its_addresses_gets_connections);
	ADD_TEST(suite, one_dead_address_fails_no_call);
	ADD_TEST(suite, a_connection_to_an_address_that_is_gone_is_left);
	ADD_TEST(suite, a_call_in_flight_ends_where_it_began);
	ADD_TEST(suite, an_address_that_stays_keeps_its_connections);
	ADD_TEST(suite, tls_goes_by_the_name);
}
