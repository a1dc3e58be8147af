/* lib/filter/require: who may use a route. */
#include <stdio.h>
#include <stdlib.h>

#include "core/filter.h"
#include "core/identity.h"
#include "filter/filter_list.h"
#include "unit/config_load.h"
#include "unit/exchange_scene.h"

static const char yaml[] =
    "version: 1\n"
    "trusted-proxies: [10.0.0.0/8]\n"
    "log: {access: {path: \"off\"}}\n"
    "require:\n"
    "  scope-all: {scope: [read, write]}\n"
    "  scope-any: {scope: {any: [read, write]}}\n"
    "  role: {claims: {role: [admin, staff]}}\n"
    "  roles: {claims: {role: {all: [admin, staff]}}}\n"
    "  several: {claims: {role: admin, email_verified: true, a.b: ''}}\n"
    "  consumer: {consumer: [acme, globex]}\n"
    "  address: {ip: {allow: [192.0.2.0/24, '2001:db8::/32'], deny: 192.0.2.128/25}}\n"
    "  denied: {ip: {deny: 192.0.2.0/24}}\n"
    "  all: {scope: read, claims: {role: admin}, consumer: acme, ip: {allow: 192.0.2.0/24}}\n"
    "routes:\n"
    "  home: {path: /, respond: {}}\n"
    "  inside: {path: /inside, respond: {}, require: {ip: {allow: 198.51.100.0/24}}}\n";

static int
set_up(void)
{
	return scene_set_up_with(yaml);
}

/* A claim that the played identity has. */
struct played_claim {
	const char *name;
	const char *values[4];
};

static bool
find_played(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	for (const struct played_claim *claim = source; claim->name != NULL; claim++) {
		struct fg_str *v = FG_ARENA_ARRAY(arena, struct fg_str, 4);

		if (!fg_str_eq(name, fg_str_from(claim->name)))
			continue;
		out->v = v;
		for (out->count = 0; out->count < 4 && claim->values[out->count] != NULL; out->count++)
			v[out->count] = fg_str_from(claim->values[out->count]);
		return true;
	}
	return false;
}

static const void *
policy(const char *name)
{
	const struct fg_policies *all = fg_config_policies(scene.config, &fg_filter_require);

	for (size_t i = 0; i < all->count; i++)
		if (fg_str_eq(((const struct fg_policy *)all->v[i])->name, fg_str_from(name)))
			return all->v[i];
	CU_FAIL_FATAL("no such policy");
	return NULL;
}

/* What the policy says to who has these claims (ended by no name); consumer NULL: nobody is known. FG_OK: go on. */
static enum fg_err
says(const char *name, const char *consumer, const struct played_claim *claims, const char *address)
{
	struct fg_identity identity = {.consumer = fg_str_from(consumer), .claims = {find_played, claims}};
	struct fg_exchange *x;
	enum fg_next next;
	enum fg_err err;

	scene_asks("GET", "/");
	scene_with("REMOTE_ADDR", address);
	x = fg_exchange_new_offline(&scene.gw, scene.params, scene.param_count, NULL);
	x->state = FG_X_DECIDING;
	if (consumer != NULL)
		x->identity = &identity;
	next = fg_filter_require.on_request(policy(name), NULL, x);
	CU_ASSERT((next == FG_CONTINUE) == (x->terminal == FG_TERMINAL_NONE));
	err = next == FG_CONTINUE ? FG_OK : x->reason;
	if (err == FG_ERR_SCOPE_MISSING)
		ASSERT_STR(fg_headers_find(&x->resp.headers, FG_STR("WWW-Authenticate"))->value,
		    strcmp(name, "all") == 0 ? "Bearer error=\"insufficient_scope\", scope=\"read\""
					     : "Bearer error=\"insufficient_scope\", scope=\"read write\"");
	fg_exchange_free(x);
	return err;
}
#define CLAIMS(...) ((const struct played_claim[]){__VA_ARGS__, {NULL, {NULL}}})
#define HERE "192.0.2.7"

static void
scopes(void)
{
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {"read write"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {"write  other read"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {"read", "write"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scp", {"read", "write"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scp", {"read write"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {"read"}}), HERE), FG_ERR_SCOPE_MISSING);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {"reads write"}}), HERE), FG_ERR_SCOPE_MISSING);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {"READ write"}}), HERE), FG_ERR_SCOPE_MISSING);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {NULL}}), HERE), FG_ERR_SCOPE_MISSING);
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"other", {"read write"}}), HERE), FG_ERR_SCOPE_MISSING);
	/* `scope` is what counts where there is one */
	CU_ASSERT_EQUAL(says("scope-all", "u", CLAIMS({"scope", {""}}, {"scp", {"read write"}}), HERE), FG_ERR_SCOPE_MISSING);
	CU_ASSERT_EQUAL(says("scope-all", NULL, NULL, HERE), FG_ERR_SCOPE_MISSING);
	CU_ASSERT_EQUAL(says("scope-any", "u", CLAIMS({"scope", {"write"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("scope-any", "u", CLAIMS({"scope", {"other"}}), HERE), FG_ERR_SCOPE_MISSING);
}

static void
claims(void)
{
	CU_ASSERT_EQUAL(says("role", "u", CLAIMS({"role", {"staff"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("role", "u", CLAIMS({"role", {"x", "admin"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("role", "u", CLAIMS({"role", {"admin staff"}}), HERE), FG_ERR_CLAIM_REFUSED);
	CU_ASSERT_EQUAL(says("role", "u", CLAIMS({"role", {NULL}}), HERE), FG_ERR_CLAIM_REFUSED);
	CU_ASSERT_EQUAL(says("role", "u", CLAIMS({"other", {"admin"}}), HERE), FG_ERR_CLAIM_REFUSED);
	CU_ASSERT_EQUAL(says("role", NULL, NULL, HERE), FG_ERR_CLAIM_REFUSED);
	CU_ASSERT_EQUAL(says("roles", "u", CLAIMS({"role", {"staff", "admin"}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("roles", "u", CLAIMS({"role", {"staff"}}), HERE), FG_ERR_CLAIM_REFUSED);
	CU_ASSERT_EQUAL(
	    says("several", "u", CLAIMS({"role", {"admin"}}, {"email_verified", {"true"}}, {"a.b", {""}}), HERE), FG_OK);
	CU_ASSERT_EQUAL(says("several", "u", CLAIMS({"role", {"admin"}}, {"email_verified", {"false"}}, {"a.b", {""}}), HERE),
	    FG_ERR_CLAIM_REFUSED);
	CU_ASSERT_EQUAL(says("several", "u", CLAIMS({"role", {"admin"}}, {"email_verified", {"true"}}), HERE),
	    FG_ERR_CLAIM_REFUSED);
}

static void
consumers(void)
{
	CU_ASSERT_EQUAL(says("consumer", "globex", NULL, HERE), FG_OK);
	CU_ASSERT_EQUAL(says("consumer", "Globex", NULL, HERE), FG_ERR_CONSUMER_REFUSED);
	CU_ASSERT_EQUAL(says("consumer", NULL, NULL, HERE), FG_ERR_CONSUMER_REFUSED);
}

static void
addresses(void)
{
	CU_ASSERT_EQUAL(says("address", NULL, NULL, "192.0.2.7"), FG_OK);
	CU_ASSERT_EQUAL(says("address", NULL, NULL, "::ffff:192.0.2.7"), FG_OK);
	CU_ASSERT_EQUAL(says("address", NULL, NULL, "2001:db8::1"), FG_OK);
	CU_ASSERT_EQUAL(says("address", NULL, NULL, "192.0.2.200"), FG_ERR_ADDRESS_REFUSED); /* deny wins */
	CU_ASSERT_EQUAL(says("address", NULL, NULL, "198.51.100.1"), FG_ERR_ADDRESS_REFUSED);
	CU_ASSERT_EQUAL(says("address", NULL, NULL, "unix:"), FG_ERR_ADDRESS_REFUSED);
	CU_ASSERT_EQUAL(says("denied", NULL, NULL, "192.0.2.7"), FG_ERR_ADDRESS_REFUSED);
	CU_ASSERT_EQUAL(says("denied", NULL, NULL, "198.51.100.1"), FG_OK);
	CU_ASSERT_EQUAL(says("denied", NULL, NULL, ""), FG_ERR_ADDRESS_REFUSED);
}

/* The client's address behind a proxy that is believed, and only then. */
static void
proxies_are_looked_through(void)
{
	scene_asks("GET", "/inside");
	scene_with("REMOTE_ADDR", "10.1.2.3");
	scene_with("HTTP_X_FORWARDED_FOR", "203.0.113.9, 198.51.100.7");
	CU_ASSERT_PTR_NULL(strstr(scene_explained(), "refused"));
	scene_with("HTTP_X_FORWARDED_FOR", "198.51.100.7, 203.0.113.9");
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_explained(), "require refused: ip: 203.0.113.9\nanswer address_refused: 403"));
	scene_with("REMOTE_ADDR", "192.0.2.7");
	scene_with("HTTP_X_FORWARDED_FOR", "198.51.100.7");
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_explained(), "require refused: ip: 192.0.2.7\n"));
}

static void
all_must_hold(void)
{
	const struct played_claim *good = CLAIMS({"scope", {"read"}}, {"role", {"admin"}});

	CU_ASSERT_EQUAL(says("all", "acme", good, HERE), FG_OK);
	CU_ASSERT_EQUAL(says("all", "acme", good, "198.51.100.1"), FG_ERR_ADDRESS_REFUSED);
	CU_ASSERT_EQUAL(says("all", "u", good, HERE), FG_ERR_CONSUMER_REFUSED);
	CU_ASSERT_EQUAL(says("all", "acme", CLAIMS({"scope", {"read"}}), HERE), FG_ERR_CLAIM_REFUSED);
	CU_ASSERT_EQUAL(says("all", "acme", CLAIMS({"role", {"admin"}}), HERE), FG_ERR_SCOPE_MISSING);
}

#define REQUIRE(text) "version: 1\nrequire: {p: {" text "}}\n"

static void
what_cannot_be_meant_is_refused(void)
{
	EXPECT_ERRORS(REQUIRE("scope: [a b]"),
	    "f:2:23: require.p.scope[0]: \"a b\" is not one scope: it has a space, a quote or another character that none may have\n");
	EXPECT_ERRORS(REQUIRE("scope: []"), "f:2:22: require.p.scope: is empty; leave it away where nothing is required\n");
	EXPECT_ERRORS(REQUIRE("scope: {any: [a], all: [b]}"), "f:2:22: require.p.scope: expected a list, {any: …} or {all: …}\n");
	EXPECT_ERRORS(REQUIRE("claims: {role: {one: a}}"), "f:2:30: require.p.claims.role: expected a list, {any: …} or {all: …}\n");
	EXPECT_ERRORS(REQUIRE("ip: {allow: 10.0.0.1/8}"),
	    "f:2:27: require.p.ip.allow: expected an address or a network (10.0.0.0/8, ::1), found \"10.0.0.1/8\"; did you mean 10.0.0.0/8?\n");
	EXPECT_ERRORS("version: 1\nrequire: {p: {}}\n", "f:2:14: require.p: requires nothing; write none where nothing is to be required\n");
	EXPECT_ERRORS("version: 1\nroutes: {a: {path: /, respond: {}, require: {scope: a}}}\n",
	    "f:2:10: routes.a: require asks who is calling (scope, claims, consumer), which nothing on this route finds out: "
	    "give it auth: a policy, or require: none\n");
}

void
suite_require(void)
{
	CU_pSuite suite = CU_add_suite("require", set_up, scene_tear_down);

	ADD_TEST(suite, scopes);
	ADD_TEST(suite, claims);
	ADD_TEST(suite, consumers);
	ADD_TEST(suite, addresses);
	ADD_TEST(suite, proxies_are_looked_through);
	ADD_TEST(suite, all_must_hold);
	suite = CU_add_suite("require_config", config_folder_make, config_folder_remove);
	ADD_TEST(suite, what_cannot_be_meant_is_refused);
}
