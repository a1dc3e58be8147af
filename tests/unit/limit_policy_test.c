/* lib/core limits as the configuration writes them: what is read, and what is refused. */
#include <stdlib.h>

#include "core/limit_policy.h"
#include "filter/filter_list.h"
#include "unit/config_load.h"
#include "unit/unit.h"

#define ROUTE "routes: {r: {path: /a, limits: l, respond: {status: 204}}}\n"

static const struct fg_limit_policy *
policy_of(const struct loaded *l, size_t i)
{
	const struct fg_policies *policies = fg_config_policies(l->config, &fg_filter_limits);

	CU_ASSERT_FATAL(i < policies->count);
	return policies->v[i];
}

static void
what_is_written_is_read(void)
{
	struct loaded *l = config_load(
	    "version: 1\n"
	    "limits:\n"
	    "  a: {rate: 100/1m, burst: 20, by: consumer}\n"
	    "  b: {rate: 20/1s, algorithm: sliding-window}\n"
	    "  c: {rate: 7/month, by: [claim:tenant, \"header:X-A\"], algorithm: fixed-window, timezone: Europe/Berlin}\n"
	    "  d: {concurrency: 10, lease: 1m, on-store-failure: deny, mode: observe, headers: both}\n"
	    "  e: {rate: 5/1h, cost: query:n, overrides: {claim:plan: {gold: 50/1h}, consumer: {bob: {rate: 9/1h, burst: 2}}}}\n"
	    "  g: {rate: 5/1h, burst: 9, overrides: {consumer: {bob: {burst: 3}}}}\n"
	    "  f: {rate: 5/1d, cost: 2, algorithm: fixed-window, timezone: Europe/Berlin, headers: \"off\"}\n"
	    "routes: {r: {path: /a, limits: [a, b, c, d, e, f, g], respond: {status: 204}}}\n");
	const struct fg_limit_policy *p;

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	p = policy_of(l, 0);
	ASSERT_STR(p->policy.name, "a");
	CU_ASSERT_EQUAL(p->limit.algorithm, FG_LIMIT_TOKEN_BUCKET);
	CU_ASSERT_EQUAL(p->limit.count, 100);
	CU_ASSERT_EQUAL(p->limit.period, 60 * (fg_usec)FG_US_PER_S);
	CU_ASSERT_EQUAL(p->limit.burst, 20);
	CU_ASSERT_EQUAL(p->by[0].kind, FG_VAR_CONSUMER);
	CU_ASSERT_EQUAL(p->on_failure, FG_LIMIT_FAIL_LOCAL);
	CU_ASSERT_EQUAL(p->headers, FG_LIMIT_HEADERS_STANDARD);
	CU_ASSERT(!p->is_observed);
	p = policy_of(l, 1);
	CU_ASSERT_EQUAL(p->by_count, 1);
	CU_ASSERT_EQUAL(p->by[0].kind, FG_VAR_IP);
	p = policy_of(l, 2);
	CU_ASSERT_EQUAL(p->limit.calendar, FG_LIMIT_MONTH);
	CU_ASSERT(p->limit.zone != NULL);
	CU_ASSERT_EQUAL(p->by_count, 2);
	ASSERT_STR(p->by[0].name, "tenant");
	p = policy_of(l, 3);
	CU_ASSERT_EQUAL(p->limit.algorithm, FG_LIMIT_CONCURRENCY);
	CU_ASSERT_EQUAL(p->limit.count, 10);
	CU_ASSERT_EQUAL(p->limit.quantum, 20 * (fg_usec)FG_US_PER_S);
	CU_ASSERT_EQUAL(p->on_failure, FG_LIMIT_FAIL_DENY);
	CU_ASSERT(p->is_observed);
	CU_ASSERT_EQUAL(p->headers, FG_LIMIT_HEADERS_STANDARD | FG_LIMIT_HEADERS_LEGACY);
	p = policy_of(l, 4);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p->cost_var);
	CU_ASSERT_EQUAL(p->cost_var->kind, FG_VAR_QUERY);
	CU_ASSERT_EQUAL_FATAL(p->override_count, 2);
	CU_ASSERT_EQUAL(p->overrides[0].limit.burst, 50);
	ASSERT_STR(p->overrides[1].value, "bob");
	CU_ASSERT_EQUAL(p->overrides[1].limit.burst, 2);
	CU_ASSERT(memcmp(p->overrides[0].id, p->id, sizeof(p->id)) != 0);
	/* A burst alone: the rate is the limit's. */
	p = policy_of(l, 5);
	CU_ASSERT_EQUAL(p->overrides[0].limit.count, 5);
	CU_ASSERT_EQUAL(p->overrides[0].limit.period, 3600 * (fg_usec)FG_US_PER_S);
	CU_ASSERT_EQUAL(p->overrides[0].limit.burst, 3);
	p = policy_of(l, 6);
	CU_ASSERT_EQUAL(p->limit.calendar, FG_LIMIT_DAY);
	CU_ASSERT_EQUAL(p->cost, 2);
	config_end(l);
}

#define EXPECT_ERROR(policy, error) EXPECT_ERRORS("version: 1\nlimits:\n  l: " policy "\n" ROUTE, "f:3:" error "\n")
#define RATE "a rate, COUNT/PERIOD (100/1m, 5000/1h; with fixed windows also 5000/week, 100000/month)"
#define KEYS "rate, burst, concurrency, lease, by, algorithm, cost, timezone, overrides, on-store-failure, mode, headers"
#define RANGE "is out of range: the count is 1 to 67108863, the period 1ms to 366d"

static void
what_makes_no_sense_is_refused(void)
{
	EXPECT_ERROR("{rate: 100/month}", "13: limits.l.rate: week and month are for algorithm: fixed-window; write 7d or 30d");
	EXPECT_ERROR("{rate: 100/1m, concurrency: 4}", "3: limits.l: needs rate or concurrency, one of them");
	EXPECT_ERROR("{by: ip}", "3: limits.l: needs rate or concurrency, one of them");
	EXPECT_ERROR("{rate: 10/1m, cost: 20}",
	    "13: limits.l.rate: no request would ever be allowed: its cost is more than the burst");
	EXPECT_ERROR("{rate: 10/1m, burst: 3, algorithm: fixed-window}", "27: limits.l.burst: goes with algorithm: token-bucket alone");
	EXPECT_ERROR("{rate: 10/1m, lease: 3s}", "27: limits.l.lease: goes with concurrency alone");
	EXPECT_ERROR("{concurrency: 3, algorithm: fixed-window}", "34: limits.l.algorithm: goes with a rate alone");
	EXPECT_ERROR("{rate: 10/1m, timezone: UTC}", "30: limits.l.timezone: goes with algorithm: fixed-window alone");
	EXPECT_ERROR("{rate: 9/1d, algorithm: fixed-window, timezone: Mars}",
	    "54: limits.l.timezone: this system knows no time zone \"Mars\"");
	EXPECT_ERROR("{rate: 100}", "13: limits.l.rate: expected " RATE ", found \"100\"");
	EXPECT_ERROR("{rate: 100/m}", "13: limits.l.rate: expected " RATE ", found \"100/m\"; did you mean 100/1m?");
	EXPECT_ERROR("{rate: 100/Second}", "13: limits.l.rate: expected " RATE ", found \"100/Second\"; did you mean 100/1s?");
	EXPECT_ERROR("{concurrency: 0}", "20: limits.l.concurrency: \"0\" is out of range; expected a whole number from 1 to 65535");
	EXPECT_ERROR("100/1m", "6: limits.l: expected a map with the keys " KEYS ", found text");
	EXPECT_ERROR("[100/1m]", "6: limits.l: expected a map with the keys " KEYS ", found a list");
	EXPECT_ERROR("{rate: 100/5}", "13: limits.l.rate: expected " RATE ", found \"100/5\"");
	EXPECT_ERROR("{rate: 0/1s}", "13: limits.l.rate: " RANGE ", and an empty bucket full after 3660d");
	EXPECT_ERROR("{rate: 5/0}", "13: limits.l.rate: " RANGE ", and an empty bucket full after 3660d");
	EXPECT_ERROR("{rate: 1/365d, burst: 4000}", "13: limits.l.rate: " RANGE ", and an empty bucket full after 3660d");
	EXPECT_ERROR("{rate: 100000000/1s, algorithm: fixed-window}", "13: limits.l.rate: " RANGE);
	EXPECT_ERROR("{rate: 5/1s, by: custmer}",
	    "23: limits.l.by: \"custmer\" is not a request variable; a header is header:custmer, a {segment} of the route's path path:custmer");
	EXPECT_ERROR("{rate: 5/1s, overrides: {consumer: {a: x}}}",
	    "45: limits.l.overrides.consumer.a: expected " RATE ", or a number for concurrency, found \"x\"");
	EXPECT_ERROR("{rate: 5/1s, overrides: {consumer: {a: 7}}}",
	    "30: limits.l.overrides: the value \"a\" has to give a rate as the limit does");
	EXPECT_ERROR("{concurrency: 5, overrides: {consumer: {a: 7/1s}}}",
	    "34: limits.l.overrides: the value \"a\" has to give a concurrency as the limit does");
	EXPECT_ERROR("{rate: 5/1s, overrides: {consumer: {a: {}}}}",
	    "30: limits.l.overrides: the value \"a\" has to give a rate as the limit does");
	EXPECT_ERROR("{rate: 5/1s, algorithm: sliding-window, overrides: {consumer: {a: {rate: 7/1s, burst: 2}}}}",
	    "57: limits.l.overrides: the value \"a\" gives a burst, which goes with algorithm: token-bucket alone");
	EXPECT_ERROR("{concurrency: 5, overrides: {consumer: {a: {concurrency: 7, burst: 2}}}}",
	    "34: limits.l.overrides: the value \"a\" gives a burst, which goes with algorithm: token-bucket alone");
	EXPECT_ERROR("{concurrency: 5, overrides: {consumer: {a: {burst: 2}}}}",
	    "34: limits.l.overrides: the value \"a\" has to give a concurrency as the limit does");
	EXPECT_ERROR("{rate: 5/1s, by: []}",
	    "23: limits.l.by: is empty; all requests together are counted by: route, each client by itself by: ip");
	EXPECT_ERROR("{rate: 5/1s, cost: -1}", "25: limits.l.cost: expected a whole number or a request variable, found \"-1\"");
	EXPECT_ERROR("{rate: 5/1s, cost: 1.5}", "25: limits.l.cost: expected a whole number or a request variable, found \"1.5\"");
	/* What is wrong is said once. */
	EXPECT_ERROR("{rate: \"${FG_NO_SUCH_VARIABLE}\"}",
	    "13: limits.l.rate: the environment has no variable FG_NO_SUCH_VARIABLE; set it, or give a default: ${FG_NO_SUCH_VARIABLE:-…}");
}

/* A path:NAME that the route's path does not have. */
static void
variables_are_those_of_the_route(void)
{
	EXPECT_ERRORS("version: 1\nroutes: {r: {path: \"/{a}\", limits: {rate: 1/1s, by: path:b}, respond: {status: 204}}}\n",
	    "f:2:36: routes.r.limits: uses {path:b}, and the path \"/{a}\" has no such part\n");
}

void
suite_limit_policy(void)
{
	CU_pSuite suite = CU_add_suite("limit_policy", config_folder_make, config_folder_remove);

	ADD_TEST(suite, what_is_written_is_read);
	ADD_TEST(suite, what_makes_no_sense_is_refused);
	ADD_TEST(suite, variables_are_those_of_the_route);
}
