/* lib/core/config_policy.c: policies with a name and in place. */
#include <stdlib.h>
#include <unistd.h>

#include "core/filter.h"
#include "unit/config_load.h"
#include "unit/unit.h"

static const struct fg_filter *
find_filter(const struct fg_route *route, const char *name)
{
	for (size_t i = 0; i < route->filter_count; i++)
		if (strcmp(route->filters[i].type->name, name) == 0)
			return &route->filters[i];
	return NULL;
}

static void
named_policies(void)
{
	struct loaded *loaded;
	const struct fg_policy *policy;
	struct fg_route **routes;

	config_write("x.inc", "response: {bare: {headers: {remove: [Server]}}}\n");
	loaded = config_load("version: 1\ninclude: x.inc\nrequest: {in: {query: {remove: [a]}}}\n"
	                     "defaults: {request: in}\n"
	                     "routes:\n"
	                     "  a: {path: /a, respond: {}}\n"
	                     "  b: {path: /b, respond: {}, request: none, response: bare}\n"
	                     "  c: {path: /c, respond: {}, request: {query: {remove: [b]}}}\n");
	ASSERT_STR(fg_str_from(loaded->errors), "");
	CU_ASSERT_FATAL(loaded->config != NULL);
	routes = loaded->config->routes;
	CU_ASSERT_FATAL(find_filter(routes[0], "request") != NULL);
	policy = find_filter(routes[0], "request")->conf;
	ASSERT_STR(policy->name, "in");
	CU_ASSERT_PTR_NULL(find_filter(routes[1], "request"));
	CU_ASSERT_FATAL(find_filter(routes[1], "response") != NULL);
	policy = find_filter(routes[1], "response")->conf;
	ASSERT_STR(policy->name, "bare");
	CU_ASSERT_FATAL(find_filter(routes[2], "request") != NULL);
	policy = find_filter(routes[2], "request")->conf;
	ASSERT_STR(policy->name, "c/request");
	CU_ASSERT_EQUAL(policy->index, 1);
	CU_ASSERT_EQUAL(fg_config_policies(loaded->config, find_filter(routes[2], "request")->type)->count, 2);
	config_end(loaded);
	unlink(config_path("x.inc"));
	/* Names stand in headers, metrics and logs: nobody writes a header of his own with one. */
	EXPECT_ERRORS("version: 1\nlimits: {\"a\\\"b\\r\\nX: 1\": {rate: 1/1s}}\nroutes: {a: {path: /a, respond: {}}}\n",
	    "f:2:10: limits: \"a\\\"b\\u000d\\nX: 1\" is not a name; it is made of letters, digits and . _ - and begins with a "
	    "letter or digit\n");
	EXPECT_ERRORS("version: 1\nrequest: {in: {}, none: {}}\nroutes:\n  a: {path: /a, respond: {}, request: inn, response: x}\n",
	    "f:2:19: request: \"none\" is what a route says that has no such policy; take another name\n"
	    "f:4:39: routes.a.request: there is no request policy \"inn\"; did you mean in?\n"
	    "f:4:54: routes.a.response: there is no response policy \"x\"; define it under response: at the top, or give a map\n");
	EXPECT_ERRORS("version: 1\nlimits: {a: {rate: 1/1s}, b: {rate: x}}\nroutes:\n"
	              "  a: {path: /a, respond: {}, limits: [a, none]}\n  b: {path: /b, respond: {}, limits: [a, b]}\n"
	              "  c: {path: /c, respond: {}, limits: [a, a]}\n",
	    "f:2:37: limits.b.rate: expected a rate, COUNT/PERIOD (100/1m, 5000/1h; with fixed windows also 5000/week, "
	    "100000/month), found \"x\"\n"
	    "f:4:38: routes.a.limits: \"none\" stands alone\n"
	    "f:6:38: routes.c.limits: names a twice\n");
}

/* Logs, metrics and RateLimit-Policy have these names, and counts of limits are kept by them. */
static void
policies_in_place_have_names(void)
{
	struct loaded *loaded = config_load("version: 1\nlimits: {named: {rate: 1/1s}}\n"
	                                    "defaults: {limits: {rate: 1/1s}, cors: {origins: \"*\"}}\n"
	                                    "routes:\n"
	                                    "  a.b: {path: /a, respond: {}, limits: {rate: 2/1s}}\n"
	                                    "  list: {path: /l, respond: {}, limits: [{rate: 3/1s}, named, {rate: 4/1s}]}\n"
	                                    "  defaults: {path: /d, respond: {}, limits: [{rate: 5/1s}]}\n"
	                                    "  bare: {path: /b, respond: {}}\n");
	static const char *const names[] = {"named", "_defaults/limits", "a.b/limits", "list/limits", "list/limits/3", "defaults/limits"};
	const struct fg_filter *filter;
	const struct fg_policies *limits;

	ASSERT_STR(fg_str_from(loaded->errors), "");
	CU_ASSERT_FATAL(loaded->config != NULL);
	filter = find_filter(loaded->config->routes[0], "limits");
	CU_ASSERT_FATAL(filter != NULL);
	limits = fg_config_policies(loaded->config, filter->type);
	CU_ASSERT_EQUAL_FATAL(limits->count, FG_ARRAY_LEN(names));
	for (size_t i = 0; i < limits->count; i++)
		ASSERT_STR(((const struct fg_policy *)limits->v[i])->name, names[i]);
	filter = find_filter(loaded->config->routes[3], "cors");
	CU_ASSERT_FATAL(filter != NULL);
	ASSERT_STR(((const struct fg_policy *)filter->conf)->name, "_defaults/cors");
	config_end(loaded);
}

void
suite_config_policy(void)
{
	CU_pSuite suite = CU_add_suite("config_policy", config_folder_make, config_folder_remove);

	ADD_TEST(suite, named_policies);
	ADD_TEST(suite, policies_in_place_have_names);
}
