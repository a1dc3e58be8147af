/* lib/dns against a played name server: what is known of a name, for how long, and who waits. The clock is the test's. */
#include "unit/dns_scene.h"

static void
a_name_is_looked_up_once(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	CU_ASSERT(need("a.test"));
	CU_ASSERT(is_known("a.test", "127.0.0.1"));
	for (int i = 0; i < 100; i++)
		CU_ASSERT(fg_dns_use(name("A.Test")));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "a.test"), 1);
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_FOUND], 1);
	CU_ASSERT_EQUAL(dns_scene.lines, 0);
	dns_scene_close();
}

static void
all_its_addresses_of_both_families(void)
{
	const struct fg_dns_set *set;
	struct fg_ip ip;

	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1 127.0.0.2 127.0.0.1 ::1", 60);
	CU_ASSERT(need("a.test"));
	set = fg_dns_set(name("a.test"));
	CU_ASSERT_EQUAL(set->count, 3);
	CU_ASSERT(fg_ip_parse(&ip, FG_STR("::1")) && fg_dns_set_has(set, &ip));
	CU_ASSERT(fg_ip_parse(&ip, FG_STR("127.0.0.2")) && fg_dns_set_has(set, &ip));
	dns_scene_close();
}

static void
those_who_wait_for_one_lookup_are_all_told(void)
{
	struct waiter waiters[3] = {{.told = 0}};

	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT(!fg_dns_use(name("a.test")));
		fg_dns_wait_start(&waiters[i].wait, name("a.test"), tell, &waiters[i]);
	}
	fg_dns_wait_cancel(&waiters[1].wait);
	turn_until(was_told, &waiters[0]);
	CU_ASSERT(waiters[0].found && waiters[2].found && waiters[2].told == 1);
	CU_ASSERT_EQUAL(waiters[1].told, 0);
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "a.test"), 1);
	fg_dns_wait_cancel(&waiters[0].wait);
	dns_scene_close();
}

/* Nobody waits for it: the old addresses are good until the new ones are there. */
static void
before_its_ttl_has_passed_it_is_looked_up_again(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	CU_ASSERT(need("a.test"));
	dns_server_say(dns_scene.server, "a.test", "127.0.0.2", 60);
	dns_scene_pass(SECONDS(53));
	CU_ASSERT(fg_dns_use(name("a.test")));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "a.test"), 1);
	dns_scene_pass(SECONDS(2));
	CU_ASSERT(fg_dns_use(name("a.test")));
	CU_ASSERT(is_known("a.test", "127.0.0.1"));
	wait_version(2);
	CU_ASSERT(is_known("a.test", "127.0.0.2"));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "a.test"), 2);
	CU_ASSERT(strstr(dns_scene.line, "info dns: name has other addresses: name=a.test addresses=127.0.0.2") != NULL);
	dns_scene_close();
}

/* By itself, as the timer says, which runs in real time. */
static void
a_name_in_use_is_looked_up_again_by_itself(void)
{
	dns_scene_open();
	dns_scene.conf.least = 100 * FG_US_PER_MS;
	dns_scene.conf.most = 100 * FG_US_PER_MS;
	dns_scene_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	CU_ASSERT(need("a.test"));
	dns_server_say(dns_scene.server, "a.test", "127.0.0.2", 60);
	dns_scene_pass(SECONDS(1));
	wait_version(2);
	dns_scene_close();
}

static void
a_ttl_has_bounds(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 0);
	dns_server_say(dns_scene.server, "b.test", "127.0.0.1", 1000000);
	CU_ASSERT(need("a.test") && need("b.test"));
	dns_scene_pass(SECONDS(1) / 2);
	CU_ASSERT(fg_dns_use(name("a.test")));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "a.test"), 1);
	dns_scene_pass(SECONDS(260));
	CU_ASSERT(fg_dns_use(name("b.test")));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "b.test"), 1);
	dns_scene_pass(SECONDS(30));
	CU_ASSERT(fg_dns_use(name("b.test")));
	wait_lookups(3);
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "b.test"), 2);
	dns_scene_close();
}

/* An alias may change sooner than what it stands for. */
static void
the_shortest_ttl_counts(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "real.test", "127.0.0.7", 200);
	dns_server_alias(dns_scene.server, "a.test", "real.test", 10);
	CU_ASSERT(need("a.test"));
	CU_ASSERT(is_known("a.test", "127.0.0.7"));
	dns_scene_pass(SECONDS(9) + SECONDS(1) / 2);
	CU_ASSERT(fg_dns_use(name("a.test")));
	wait_lookups(2);
	dns_scene_close();
}

static void
another_order_is_no_change(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1 127.0.0.2", 60);
	CU_ASSERT(need("a.test"));
	dns_server_say(dns_scene.server, "a.test", "127.0.0.2 127.0.0.1", 60);
	dns_scene_pass(SECONDS(59));
	CU_ASSERT(fg_dns_use(name("a.test")));
	wait_lookups(2);
	CU_ASSERT_EQUAL(fg_dns_set(name("a.test"))->version, 1);
	dns_scene_close();
}

/* "192.0.2.1 192.0.2.2 …", from any of them on, all around. */
static void
say_hundred(unsigned first)
{
	char list[2048];
	size_t len = 0;

	for (unsigned i = 0; i < 100; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s192.0.2.%u", i == 0 ? "" : " ", (first + i) % 100 + 1);
	dns_server_say(dns_scene.server, "a.test", list, 60);
}

/* More than are remembered, in another order each time: those in use stay in use, and leave only when they are gone. */
static void
of_too_many_the_same_are_used(void)
{
	const struct fg_dns_set *set;
	struct fg_dns_set before;

	dns_scene_open_and_start();
	say_hundred(0);
	CU_ASSERT(need("a.test"));
	set = fg_dns_set(name("a.test"));
	CU_ASSERT_EQUAL(set->count, FG_MAX_DNS_ADDRESSES);
	before = *set;
	say_hundred(50);
	dns_scene_pass(SECONDS(59));
	CU_ASSERT(fg_dns_use(name("a.test")));
	wait_lookups(2);
	CU_ASSERT_EQUAL(set->version, 1);
	for (size_t i = 0; i < before.count; i++)
		CU_ASSERT(fg_dns_set_has(set, &before.ips[i]));
	dns_server_say(dns_scene.server, "a.test", "192.0.2.100", 60);
	dns_scene_pass(SECONDS(59));
	CU_ASSERT(fg_dns_use(name("a.test")));
	wait_lookups(3);
	CU_ASSERT(is_known("a.test", "192.0.2.100"));
	dns_scene_close();
}

static void
names_of_this_machine_need_no_server(void)
{
	const struct fg_dns_set *set;
	struct fg_ip ip;

	dns_scene_open_and_start();
	dns_server_all(dns_scene.server, DNS_SILENT);
	CU_ASSERT(need("localhost"));
	set = fg_dns_set(name("localhost"));
	CU_ASSERT(fg_ip_parse(&ip, FG_STR("127.0.0.1")) && fg_dns_set_has(set, &ip));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "localhost"), 0);
	dns_scene_close();
}

static void
a_worker_may_leave_in_mid_lookup(void)
{
	struct waiter waiter = {.told = 0};

	dns_scene_open_and_start();
	dns_server_all(dns_scene.server, DNS_SILENT);
	CU_ASSERT(!fg_dns_use(name("a.test")));
	fg_dns_wait_start(&waiter.wait, name("a.test"), tell, &waiter);
	fg_loop_turn(dns_scene.loop, false);
	fg_dns_wait_cancel(&waiter.wait);
	dns_scene_close();
	CU_ASSERT_EQUAL(waiter.told, 0);
}

static void
a_thousand_names_at_once(void)
{
	static struct waiter waiters[1000];
	char host[32];

	dns_scene_open_and_start();
	for (size_t i = 0; i < 1000; i++) {
		waiters[i].told = 0;
		snprintf(host, sizeof(host), i % 2 == 0 ? "a.test" : "n%zu.test", i % 50);
		if (!fg_dns_use(name(host)))
			fg_dns_wait_start(&waiters[i].wait, name(host), tell, &waiters[i]);
	}
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	for (size_t i = 0; i < 1000; i++)
		turn_until(was_told, &waiters[i]);
	dns_scene_close();
}

void
suite_dns(void)
{
	CU_pSuite suite;

	if (!fg_dns_is_built())
		return;
	suite = CU_add_suite("names and their addresses", NULL, NULL);
	ADD_TEST(suite, a_name_is_looked_up_once);
	ADD_TEST(suite, all_its_addresses_of_both_families);
	ADD_TEST(suite, those_who_wait_for_one_lookup_are_all_told);
	ADD_TEST(suite, before_its_ttl_has_passed_it_is_looked_up_again);
	ADD_TEST(suite, a_name_in_use_is_looked_up_again_by_itself);
	ADD_TEST(suite, a_ttl_has_bounds);
	ADD_TEST(suite, the_shortest_ttl_counts);
	ADD_TEST(suite, another_order_is_no_change);
	ADD_TEST(suite, of_too_many_the_same_are_used);
	ADD_TEST(suite, names_of_this_machine_need_no_server);
	ADD_TEST(suite, a_worker_may_leave_in_mid_lookup);
	ADD_TEST(suite, a_thousand_names_at_once);
}
