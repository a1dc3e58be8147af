/* lib/dns where names are unknown, servers fail or say nothing: what stays in use, what is waited for, and for how long. */
#include "unit/dns_scene.h"

static void
no_such_name_stands_for_a_while(void)
{
	dns_scene_open_and_start();
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_NOT_FOUND], 1);
	CU_ASSERT(strstr(dns_scene.line, "name is not found: name=a.test because=\"not found\"") != NULL);
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "a.test"), 1);
	CU_ASSERT_EQUAL(dns_scene.lines, 1);
	dns_scene_pass(SECONDS(2));
	CU_ASSERT(need("a.test"));
	CU_ASSERT_EQUAL(dns_server_asked(dns_scene.server, "a.test"), 2);
	dns_scene_close();
}

static void
a_name_that_is_no_more_loses_its_addresses(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	CU_ASSERT(need("a.test"));
	dns_server_manner(dns_scene.server, "a.test", DNS_NO_NAME);
	dns_scene_pass(SECONDS(58));
	CU_ASSERT(fg_dns_use(name("a.test")));
	wait_lookups(2);
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_scene.kept, 0);
	dns_scene_close();
}

static void
keeps_while(enum dns_manner manner, enum fg_dns_outcome outcome)
{
	unsigned lines;

	dns_scene_open();
	if (manner == DNS_SILENT)
		dns_scene.conf.timeout = SECONDS(1) / 5;
	dns_scene_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	need_at_last("a.test");
	memset(dns_scene.counts, 0, sizeof(dns_scene.counts));
	dns_scene.counts[FG_DNS_FOUND] = 1;
	dns_server_manner(dns_scene.server, "a.test", manner);
	dns_scene_pass(SECONDS(60) - SECONDS(1) / 10);
	CU_ASSERT(fg_dns_use(name("a.test")));
	wait_lookups(2);
	dns_scene_pass(SECONDS(1));
	CU_ASSERT(dns_scene.counts[outcome] >= 1 && dns_scene.kept >= 1);
	CU_ASSERT(strstr(dns_scene.line, "goes on with what it had: name=a.test") != NULL);
	lines = dns_scene.lines;
	for (int i = 0; i < 10; i++) {
		dns_scene_pass(SECONDS(3));
		CU_ASSERT(fg_dns_use(name("a.test")));
		wait_lookups(3 + (unsigned)i);
	}
	CU_ASSERT(is_known("a.test", "127.0.0.1"));
	CU_ASSERT(dns_scene.kept >= 11);
	CU_ASSERT_EQUAL(dns_scene.lines, lines);
	dns_scene_pass(SECONDS(80)); /* more than `stale` behind the TTL */
	CU_ASSERT(!need("a.test"));
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	dns_scene_pass(SECONDS(2));
	need_at_last("a.test");
	CU_ASSERT(strstr(dns_scene.line, "name is found again: name=a.test") != NULL);
	dns_scene_close();
}

static void
keeps_its_addresses_while_the_server_fails(void)
{
	keeps_while(DNS_FAILS, FG_DNS_FAILED);
}

static void
keeps_its_addresses_while_the_server_is_silent(void)
{
	keeps_while(DNS_SILENT, FG_DNS_TIMED_OUT);
}

/* Its addresses are of long ago: rather a moment's wait; if nobody can tell, they are better than nothing. */
static void
a_name_long_unused_is_waited_for(void)
{
	dns_scene_open();
	dns_scene.conf.stale = SECONDS(3600);
	dns_scene_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	CU_ASSERT(need("a.test"));
	dns_server_say(dns_scene.server, "a.test", "127.0.0.2", 60);
	dns_scene_pass(SECONDS(1000));
	CU_ASSERT(!fg_dns_use(name("a.test")));
	CU_ASSERT(need("a.test"));
	CU_ASSERT(is_known("a.test", "127.0.0.2"));
	dns_server_manner(dns_scene.server, "a.test", DNS_FAILS);
	dns_scene_pass(SECONDS(1000));
	CU_ASSERT(!fg_dns_use(name("a.test")));
	CU_ASSERT(need("a.test"));
	CU_ASSERT(fg_dns_use(name("a.test")));
	CU_ASSERT(is_known("a.test", "127.0.0.2"));
	dns_scene_close();
}

static void
a_wait_has_an_end(void)
{
	dns_scene_open();
	dns_scene.conf.timeout = SECONDS(1) / 5;
	dns_scene_start();
	dns_server_all(dns_scene.server, DNS_SILENT);
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_TIMED_OUT], 1);
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_TIMED_OUT], 1);
	/* A question is on its way still, or not: each wait has an end of its own. */
	dns_scene_pass(SECONDS(3));
	CU_ASSERT(!need("a.test"));
	dns_scene_close();
}

/* c-ares may be at an old question still: whoever comes once the failure has stood long enough is not told of that. */
static void
each_wait_has_a_deadline_of_its_own(void)
{
	struct waiter waiter = {.told = 0};

	dns_scene_open();
	dns_scene.conf.timeout = SECONDS(3); /* for c-ares */
	dns_scene_start();
	dns_scene.conf.timeout = SECONDS(1) / 20;
	dns_server_all(dns_scene.server, DNS_SILENT);
	CU_ASSERT(!need("a.test"));
	dns_scene_pass(SECONDS(3));
	dns_scene.conf.timeout = SECONDS(30);
	CU_ASSERT(!fg_dns_use(name("a.test")));
	fg_dns_wait_start(&waiter.wait, name("a.test"), tell, &waiter);
	for (int i = 0; i < 3; i++)
		fg_loop_turn(dns_scene.loop, false);
	CU_ASSERT_EQUAL(waiter.told, 0);
	dns_server_all(dns_scene.server, DNS_SAYS);
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	turn_until(was_told, &waiter);
	need_at_last("a.test");
	dns_scene_close();
}

/* It has come, or by now it does not any more: on a busy machine c-ares may have asked for the last time before it could. */
static bool
is_here_or_never(const void *arg)
{
	unsigned *turns = *(unsigned *const *)arg;

	return fg_dns_set(name("a.test"))->version == 1 || ++*turns > 200;
}

/* c-ares asks once more after we have given up: its answer is taken. */
static void
a_late_answer_is_welcome(void)
{
	unsigned turns, *turns_at = &turns;

	dns_scene_open();
	dns_scene.conf.timeout = 30 * FG_US_PER_MS;
	dns_scene_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	for (int tries = 0; tries < 20 && fg_dns_set(name("a.test"))->version == 0; tries++) {
		dns_server_all(dns_scene.server, DNS_SILENT);
		dns_scene_pass(SECONDS(3));
		CU_ASSERT(!need("a.test"));
		dns_server_all(dns_scene.server, DNS_SAYS);
		turns = 0;
		turn_until(is_here_or_never, &turns_at);
	}
	CU_ASSERT(fg_dns_use(name("a.test")));
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_FOUND], 0);
	dns_scene_close();
}

static void
what_was_cut_off_is_asked_for_over_tcp(void)
{
	char many[1024] = "";

	dns_scene_open_and_start();
	for (int i = 1; i <= 40; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "127.0.1.%d ", i);
	dns_server_say(dns_scene.server, "a.test", many, 60);
	dns_server_manner(dns_scene.server, "a.test", DNS_CUT);
	CU_ASSERT(need("a.test"));
	CU_ASSERT(dns_server_asked_tcp(dns_scene.server) > 0);
	CU_ASSERT_EQUAL(fg_dns_set(name("a.test"))->count, FG_MAX_DNS_ADDRESSES);
	dns_scene_close();
}

static void
garbage_is_a_failure(void)
{
	dns_scene_open();
	dns_scene.conf.timeout = SECONDS(1);
	dns_scene_start();
	dns_server_manner(dns_scene.server, "a.test", DNS_GARBAGE);
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_FAILED] + dns_scene.counts[FG_DNS_TIMED_OUT], 1);
	dns_scene_close();
}

static void
aliases_in_a_circle_end(void)
{
	dns_scene_open_and_start();
	dns_server_alias(dns_scene.server, "a.test", "b.test", 60);
	dns_server_alias(dns_scene.server, "b.test", "a.test", 60);
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_FOUND], 0);
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_NOT_FOUND] + dns_scene.counts[FG_DNS_FAILED], 1);
	CU_ASSERT(dns_server_asked(dns_scene.server, "a.test") <= 2);
	dns_scene_close();
}

/* RFC 2181 §8: with the highest bit set it counts as 0. */
static void
a_ttl_of_half_of_all_bits(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 0x80000000u);
	CU_ASSERT(need("a.test"));
	dns_scene_pass(dns_scene.conf.least);
	CU_ASSERT(!fg_dns_use(name("a.test")));
	wait_lookups(2);
	dns_scene_close();
}

static void
no_address_at_all_is_not_found(void)
{
	dns_scene_open_and_start();
	dns_server_say(dns_scene.server, "a.test", "", 60);
	CU_ASSERT(!need("a.test"));
	CU_ASSERT_EQUAL(dns_scene.counts[FG_DNS_NOT_FOUND], 1);
	dns_scene_close();
}

/* There are servers that never answer questions for AAAA. */
static void
one_family_is_enough(void)
{
	dns_scene_open();
	dns_scene.conf.timeout = SECONDS(1);
	dns_scene_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	dns_server_manner(dns_scene.server, "a.test", DNS_A_ALONE);
	need_at_last("a.test");
	CU_ASSERT(is_known("a.test", "127.0.0.1"));
	dns_scene_close();
}

static bool
was_asked(const void *arg)
{
	return dns_server_asked((struct dns_server *)(uintptr_t)arg, "a.test") > 0;
}

static void
the_next_server_is_asked_when_one_is_silent(void)
{
	struct dns_server *silent;

	dns_scene_open();
	silent = dns_server_start();
	dns_server_all(silent, DNS_SILENT);
	dns_scene.servers[1] = dns_scene.servers[0];
	dns_scene.servers[0].port = (unsigned)dns_server_port(silent);
	dns_scene.conf.server_count = 2;
	dns_scene.conf.timeout = SECONDS(3);
	dns_scene_start();
	dns_server_say(dns_scene.server, "a.test", "127.0.0.1", 60);
	need_at_last("a.test");
	turn_until(was_asked, silent); /* it may come to reading the question long after the other has answered */
	dns_scene_close();
	dns_server_stop(silent);
}

void
suite_dns_trouble(void)
{
	CU_pSuite suite;

	if (!fg_dns_is_built())
		return;
	suite = CU_add_suite("names that are not found", NULL, NULL);
	ADD_TEST(suite, no_such_name_stands_for_a_while);
	ADD_TEST(suite, a_name_that_is_no_more_loses_its_addresses);
	ADD_TEST(suite, keeps_its_addresses_while_the_server_fails);
	ADD_TEST(suite, keeps_its_addresses_while_the_server_is_silent);
	ADD_TEST(suite, a_name_long_unused_is_waited_for);
	ADD_TEST(suite, a_wait_has_an_end);
	ADD_TEST(suite, each_wait_has_a_deadline_of_its_own);
	ADD_TEST(suite, a_late_answer_is_welcome);
	ADD_TEST(suite, what_was_cut_off_is_asked_for_over_tcp);
	ADD_TEST(suite, garbage_is_a_failure);
	ADD_TEST(suite, aliases_in_a_circle_end);
	ADD_TEST(suite, a_ttl_of_half_of_all_bits);
	ADD_TEST(suite, no_address_at_all_is_not_found);
	ADD_TEST(suite, one_family_is_enough);
	ADD_TEST(suite, the_next_server_is_asked_when_one_is_silent);
}
