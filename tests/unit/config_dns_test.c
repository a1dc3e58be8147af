/* lib/core/config_dns.c: how names are resolved. */
#include <stdlib.h>

#include "core/config.h"
#include "unit/config_load.h"
#include "unit/unit.h"

#define REST "\nroutes: {a: {path: /a, respond: {}}}\n"

static void
defaults(void)
{
	struct loaded *loaded = config_load("version: 1" REST);

	ASSERT_STR(fg_str_from(loaded->errors), "");
	CU_ASSERT_FATAL(loaded->config != NULL);
	CU_ASSERT_EQUAL(loaded->config->dns.server_count, 0);
	CU_ASSERT_EQUAL(loaded->config->dns.least, FG_US_PER_S);
	CU_ASSERT_EQUAL(loaded->config->dns.most, 300 * (fg_usec)FG_US_PER_S);
	CU_ASSERT_EQUAL(loaded->config->dns.timeout, 2 * FG_US_PER_S);
	CU_ASSERT_EQUAL(loaded->config->dns.failed, 2 * FG_US_PER_S);
	CU_ASSERT_EQUAL(loaded->config->dns.stale, 3600 * (fg_usec)FG_US_PER_S);
	config_end(loaded);
}

static void
servers(void)
{
	static const struct {
		const char *ip;
		unsigned port;
	} expected[] = {{"10.0.0.53", 53}, {"127.0.0.1", 8600}, {"2001:db8::53", 53}, {"::1", 5353}};
	struct loaded *loaded = config_load("version: 1\n"
	    "dns: {servers: [10.0.0.53, \"127.0.0.1:8600\", \"2001:db8::53\", \"[::1]:5353\"], ttl: {most: 30s}, stale: 0}" REST);
	char text[64];

	ASSERT_STR(fg_str_from(loaded->errors), "");
	CU_ASSERT_FATAL(loaded->config != NULL && loaded->config->dns.server_count == 4);
	for (size_t i = 0; i < 4; i++) {
		ASSERT_STR(fg_ip_format(&loaded->config->dns.servers[i].ip, text), expected[i].ip);
		CU_ASSERT_EQUAL(loaded->config->dns.servers[i].port, expected[i].port);
	}
	CU_ASSERT_EQUAL(loaded->config->dns.least, FG_US_PER_S);
	CU_ASSERT_EQUAL(loaded->config->dns.most, 30 * FG_US_PER_S);
	CU_ASSERT_EQUAL(loaded->config->dns.stale, 0);
	config_end(loaded);
	loaded = config_load("version: 1\ndns: {servers: 127.0.0.1}" REST);
	ASSERT_STR(fg_str_from(loaded->errors), "");
	CU_ASSERT_FATAL(loaded->config != NULL && loaded->config->dns.server_count == 1);
	config_end(loaded);
}

static void
mistakes(void)
{
	EXPECT_ERRORS("version: 1\ndns: {servers: ns.example}" REST,
	    "f:2:16: dns.servers: expected an address, or ADDRESS:PORT, found \"ns.example\"\n");
	EXPECT_ERRORS("version: 1\ndns: {servers: [\"127.0.0.1:0\", \"127.0.0.1:65536\"]}" REST,
	    "f:2:17: dns.servers[0]: expected an address, or ADDRESS:PORT, found \"127.0.0.1:0\"\n"
	    "f:2:32: dns.servers[1]: expected an address, or ADDRESS:PORT, found \"127.0.0.1:65536\"\n");
	EXPECT_ERRORS("version: 1\ndns: {ttl: {least: 10s, most: 5s}}" REST, "f:2:12: dns.ttl: least is longer than most\n");
	EXPECT_ERRORS("version: 1\ndns: {servers: []}" REST, "f:2:16: dns.servers: is empty; without servers: those of /etc/resolv.conf are asked\n");
	EXPECT_ERRORS("version: 1\ndns: {timout: 2s}" REST, "f:2:7: dns: unknown key \"timout\"; did you mean timeout?\n");
}

/* What a program cannot do it does not run as if it were not said. */
static void
refused_without_cares(void)
{
	EXPECT_ERRORS("version: 1\ndns: {timeout: 2s}" REST,
	    "f:2:6: dns: this faregate was built without c-ares, and cannot resolve names by it; build it --with-cares\n");
}

void
suite_config_dns(void)
{
	CU_pSuite suite = CU_add_suite("configuration of names", config_folder_make, config_folder_remove);

	ADD_TEST(suite, defaults);
	if (!fg_dns_is_built()) {
		ADD_TEST(suite, refused_without_cares);
		return;
	}
	ADD_TEST(suite, servers);
	ADD_TEST(suite, mistakes);
}
