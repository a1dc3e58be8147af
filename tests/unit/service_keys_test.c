/* What the keys of `services` and of splits make, and what is wrong with them (lib/core/config_service.c, config_traffic.c). */
#include <stdlib.h>

#include "core/config.h"
#include "core/var.h"
#include "service/service.h"
#include "unit/config_load.h"
#include "unit/unit.h"

static void
wrong_shares(void)
{
	EXPECT_ERRORS("version: 1\nservices: {a: http://x, b: http://y}\nroutes: {r: {path: /, split: {a: 0, b: 0}}}\n",
	    "f:3:30: routes.r.split: sends nothing anywhere; one weight at least is above 0\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x, b: http://y}\nroutes: {r: {path: /, service: a, split: {b: 1}}}\n",
	    "f:3:35: routes.r.split: a route has one of service, split and respond\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x, b: http://y}\nroutes: {r: {path: /, service: a, split-by: ip}}\n",
	    "f:3:35: routes.r.split-by: is of no use without split:\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, respond: {}, mirror: {service: b}}}\n",
	    "f:3:36: routes.r.mirror: a route with respond sends nothing that could be mirrored\n"
	    "f:3:54: routes.r.mirror.service: there is no service \"b\"; define it under services:\n");
	/* Cookies of testers. */
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, service: a, cookies: {\"a b\": x}}}\n",
	    "f:3:45: routes.r.cookies: \"a b\" is not a cookie's name\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, service: a, cookies: {a: 1;2, b: \" 1\"}}}\n",
	    "f:3:48: routes.r.cookies.a: \"1;2\" can be no cookie's value\n"
	    "f:3:56: routes.r.cookies.b: \" 1\" can be no cookie's value\n");
	EXPECT_ERRORS("version: 1\nservices: {a: http://x}\nroutes: {r: {path: /, service: a, cookies: {a: \"\", b: x=y z}}}\n", "");
}

static void
wrong_keys(void)
{
	EXPECT_ERRORS("version: 1\nservices: {a: unix:run/x, b: \"unix:/a b\", c: \"unix:/\"}\n",
	    "f:2:15: services.a: expected unix:/PATH, an absolute path without spaces, found \"unix:run/x\"\n"
	    "f:2:30: services.b: expected unix:/PATH, an absolute path without spaces, found \"unix:/a b\"\n"
	    "f:2:46: services.c: expected unix:/PATH, an absolute path without spaces, found \"unix:/\"\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, max-in-flight: 0}, b: {targets: http://x, max-in-flight: {queue: 1}}}\n",
	    "f:2:50: services.a.max-in-flight: expected a number from 1 to 60000, found \"0\"\n"
	    "f:2:77: services.b.max-in-flight: requests is missing\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hash-by: ip, retry: {on: [conect, 200], budget: 20}}}\n",
	    "f:2:61: services.a.retry.on[0]: \"conect\" is neither connect, timeout, reset nor invalid, nor a status from 400 to 599\n"
	    "f:2:69: services.a.retry.on[1]: \"200\" is neither connect, timeout, reset nor invalid, nor a status from 400 to 599\n"
	    "f:2:83: services.a.retry.budget: expected a percentage, found \"20\"; write 20%\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, connect-timeout: \"${FG_NOT_THERE}\", breaker: {failures: \"${FG_NOT_THERE}\"}}}\n",
	    "f:2:52: services.a.connect-timeout: the environment has no variable FG_NOT_THERE; set it, or give a default: ${FG_NOT_THERE:-…}\n"
	    "f:2:91: services.a.breaker.failures: the environment has no variable FG_NOT_THERE; set it, or give a default: ${FG_NOT_THERE:-…}\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: {after: p100}}, b: {targets: http://x, hedge: 0}}\n",
	    "f:2:50: services.a.hedge.after: expected p50 to p99, or a time of 1ms to 24h, found \"p100\"\n"
	    "f:2:88: services.b.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"0\"\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: 95}, b: {targets: http://x, hedge: 95%}, c: {targets: http://x, hedge: 500}}\n",
	    "f:2:42: services.a.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"95\"; did you mean p95, or a time with its unit?\n"
	    "f:2:77: services.b.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"95%\"; did you mean p95?\n"
	    "f:2:113: services.c.hedge: expected p50 to p99, or a time of 1ms to 24h, found \"500\"; a unit is missing: ms, s, m or h\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: 2s, response-timeout: 2s}, b: {targets: http://x, hedge: p95, response-timeout: 9ms}}\n",
	    "f:2:35: services.a.hedge: there would never be one: response-timeout is over before\n"
	    "f:2:92: services.b.hedge: there would never be one: response-timeout is over before\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, max-in-flight: {requests: 9, wait: 1s}, deadline-header: Host}}\n",
	    "f:2:64: services.a.max-in-flight.wait: is of no use without queue:\n"
	    "f:2:92: services.a.deadline-header: Host is set by the service: write host: under services\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, hedge: {after: 50ms, at-least: 5ms}}}\n",
	    "f:2:56: services.a.hedge.at-least: is of no use where after: is a time\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, retry: {}, hedge: {budget: 5%}}}\n",
	    "f:2:54: services.a.hedge.budget: retries and hedges have one budget, which stands under retry:\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, breaker: {open-for: 5s, open-most: 1s}, health: {path: x, status: 9-8}}}\n",
	    "f:2:70: services.a.breaker.open-most: is shorter than open-for\n"
	    "f:2:90: services.a.health.path: \"x\" is not a path; it begins with /\n"
	    "f:2:101: services.a.health.status: expected a status, or a range of them: 200-399, found \"9-8\"\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, breaker: {requests: 5}, service-breaker: {failures: none}}}\n",
	    "f:2:45: services.a.breaker.requests: is of no use without error-rate:\n"
	    "f:2:87: services.a.service-breaker.failures: nothing would open it; give an error-rate: too, or a number\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: http://x, breaker: {error-rate: 0%}, service-breaker: {failures: 0, error-rate: 50}}}\n",
	    "f:2:57: services.a.breaker.error-rate: expected a percentage from 1% to 100%, found \"0%\"\n"
	    "f:2:90: services.a.service-breaker.failures: \"0\" is out of range; expected a whole number from 1 to 10000, or none\n"
	    "f:2:105: services.a.service-breaker.error-rate: expected a percentage from 1% to 100%, found \"50\"; write 50%\n");
}

static void
what_hedge_makes(void)
{
	struct loaded *l = config_load("version: 1\n"
	                               "services:\n"
	                               "  a: {targets: http://x, hedge: {}}\n"
	                               "  b: {targets: http://x, hedge: p50}\n"
	                               "  c: {targets: http://x, hedge: 50ms, retry: {budget: 7%}}\n"
	                               "  d: {targets: http://x, hedge: {after: p99, at-least: 3ms, budget: 0%}}\n");
	const struct fg_service *const *services;

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	services = (const struct fg_service *const *)l->config->services;
	CU_ASSERT(services[0]->hedge->after == 0 && services[0]->hedge->percentile == 95);
	CU_ASSERT(services[0]->hedge->at_least == 10 * FG_US_PER_MS && services[0]->budget == 20);
	CU_ASSERT(services[1]->hedge->after == 0 && services[1]->hedge->percentile == 50);
	CU_ASSERT(services[1]->hedge->at_least == 10 * FG_US_PER_MS && services[1]->budget == 20);
	CU_ASSERT(services[2]->hedge->after == 50 * FG_US_PER_MS && services[2]->budget == 7);
	CU_ASSERT(services[3]->hedge->percentile == 99 && services[3]->hedge->at_least == 3 * FG_US_PER_MS);
	CU_ASSERT_EQUAL(services[3]->budget, 0);
	config_end(l);
}

static void
what_keys_make(void)
{
	struct loaded *l = config_load("version: 1\n"
	                               "services:\n"
	                               "  a: {targets: [{url: http://x, max-connections: 7}, http://y], balance: hash, retry: {},\n"
	                               "    breaker: {on: [timeout, 500]}, health: {path: /h, status: [200, 300-399]},\n"
	                               "    service-breaker: {failures: none, error-rate: 30%, on: [501]}}\n"
	                               "  b: http://z\n");
	const struct fg_service *a, *b;

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	a = l->config->services[0];
	b = l->config->services[1];
	CU_ASSERT_EQUAL(a->targets[0].max_connections, 7);
	CU_ASSERT_EQUAL(a->targets[1].max_connections, 0);
	CU_ASSERT_EQUAL(a->hash_by_count, 1);
	CU_ASSERT_EQUAL(a->hash_by[0].kind, FG_VAR_IP);
	CU_ASSERT(fg_failure_set_has(&a->retry->on, FG_FAILURE_CONNECT) && fg_failure_set_has_status(&a->retry->on, 503));
	CU_ASSERT_EQUAL(a->retry->attempts, 2);
	CU_ASSERT_EQUAL(a->retry->budget, 20);
	CU_ASSERT(fg_failure_set_has(&a->breaker->on, FG_FAILURE_TIMEOUT) && fg_failure_set_has_status(&a->breaker->on, 500));
	CU_ASSERT(!fg_failure_set_has(&a->breaker->on, FG_FAILURE_CONNECT) && !fg_failure_set_has_status(&a->breaker->on, 503));
	CU_ASSERT(a->breaker->conf.failures == 5 && a->breaker->conf.error_rate == 0);
	CU_ASSERT(a->service_breaker->conf.failures == 0 && a->service_breaker->conf.error_rate == 30);
	CU_ASSERT_EQUAL(a->service_breaker->conf.requests, 20);
	CU_ASSERT(fg_failure_is_status(a, 500) && fg_failure_is_status(a, 501) && !fg_failure_is_status(a, 505));
	CU_ASSERT_EQUAL(a->health->status_count, 2);
	CU_ASSERT(a->health->statuses[1].from == 300 && a->health->statuses[1].to == 399);
	CU_ASSERT(b->retry == NULL && b->breaker == NULL && b->service_breaker == NULL && b->health == NULL);
	CU_ASSERT_PTR_NOT_NULL(b->targets[0].state);
	config_end(l);
}

void
suite_service_keys(void)
{
	CU_pSuite suite = CU_add_suite("service_keys", config_folder_make, config_folder_remove);

	ADD_TEST(suite, wrong_shares);
	ADD_TEST(suite, wrong_keys);
	ADD_TEST(suite, what_keys_make);
	ADD_TEST(suite, what_hedge_makes);
}
