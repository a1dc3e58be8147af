/* lib/core/config*.c: what a configuration becomes, and what is said about a wrong one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "client/client.h"
#include "core/filter.h"
#include "core/var.h"
#include "http/uri.h"
#include "unit/config_load.h"
#include "unit/unit.h"

#define SERVICES "version: 1\nservices: {a: http://127.0.0.1:4000, orders: http://127.0.0.1:4001}\n"

/* ---- what it becomes */

static void
least_configuration(void)
{
	struct loaded *l = config_load("version: 1\n");
	const struct fg_config *c = l->config;

	CU_ASSERT_FATAL(c != NULL);
	ASSERT_STR(c->file, config_path("f"));
	CU_ASSERT_EQUAL_FATAL(c->listen_count, 1);
	CU_ASSERT(c->listen[0].is_unix);
	ASSERT_STR(c->listen[0].path, FG_RUNSTATEDIR "/faregate.sock");
	CU_ASSERT_EQUAL(c->listen[0].mode, 0660);
	CU_ASSERT_EQUAL(c->listen[0].group.len, 0);
	CU_ASSERT(c->workers >= 1);
	ASSERT_STR(c->pid_file, FG_RUNSTATEDIR "/faregate.pid");
	CU_ASSERT_EQUAL(c->drain_timeout, INT64_C(30) * FG_US_PER_S);
	CU_ASSERT_EQUAL(c->user.len, 0);
	CU_ASSERT_EQUAL(c->trusted_proxy_count, 0);
	ASSERT_STR(c->access_log.path, "stderr");
	CU_ASSERT_EQUAL(c->access_log.format, FG_LOG_JSON);
	CU_ASSERT_EQUAL(c->log_level, FG_LOG_INFO);
	CU_ASSERT_EQUAL(c->service_count, 0);
	CU_ASSERT_EQUAL(c->route_count, 0);
	CU_ASSERT(c->router != NULL);
	CU_ASSERT(c->admin.enabled);
	ASSERT_STR(c->admin.path, "/_faregate");
	CU_ASSERT_EQUAL(c->admin.allow_count, 2);
	config_end(l);
}

static void
the_pool(void)
{
	struct loaded *l = config_load("version: 1\n"
	                               "listen:\n  - {address: unix:/run/x.sock, mode: 0600, group: root}\n  - tcp:[::1]:9000\n"
	                               "workers: 3\nuser: root\npid-file: /run/x.pid\ndrain-timeout: 0\n"
	                               "trusted-proxies: [10.0.0.0/8, \"::1\"]\n"
	                               "log: {access: {path: /var/log/x, format: combined}, level: debug}\n"
	                               "admin: {path: /-/admin, allow: 10.1.0.0/16}\n");
	const struct fg_config *c = l->config;

	CU_ASSERT_FATAL(c != NULL);
	CU_ASSERT_EQUAL_FATAL(c->listen_count, 2);
	CU_ASSERT_EQUAL(c->listen[0].mode, 0600);
	ASSERT_STR(c->listen[0].group, "root");
	CU_ASSERT(!c->listen[1].is_unix);
	ASSERT_STR(c->listen[1].host, "::1");
	CU_ASSERT_EQUAL(c->listen[1].port, 9000);
	ASSERT_STR(c->listen[1].text, "tcp:[::1]:9000");
	CU_ASSERT_EQUAL(c->workers, 3);
	ASSERT_STR(c->user, "root");
	CU_ASSERT_EQUAL(c->drain_timeout, 0);
	CU_ASSERT_EQUAL(c->trusted_proxy_count, 2);
	CU_ASSERT_EQUAL(c->trusted_proxies[0].bits, 96 + 8);
	ASSERT_STR(c->access_log.path, "/var/log/x");
	CU_ASSERT_EQUAL(c->access_log.format, FG_LOG_COMBINED);
	CU_ASSERT_EQUAL(c->log_level, FG_LOG_DEBUG);
	ASSERT_STR(c->admin.path, "/-/admin");
	CU_ASSERT_EQUAL(c->admin.allow_count, 1);
	config_end(l);
}

static void
short_forms(void)
{
	struct loaded *l = config_load("version: 1\nlisten: tcp:127.0.0.1:9000\nadmin: off\nlog: {access: off}\n"
	                               "trusted-proxies: 10.0.0.1\nservices: {a: https://x.example/}\n");
	const struct fg_config *c = l->config;

	CU_ASSERT_FATAL(c != NULL);
	ASSERT_STR(c->listen[0].host, "127.0.0.1");
	CU_ASSERT(!c->admin.enabled);
	ASSERT_STR(c->access_log.path, "off");
	CU_ASSERT_EQUAL_FATAL(c->services[0]->target_count, 1);
	ASSERT_STR(c->services[0]->targets[0].url, "https://x.example");
	ASSERT_STR(c->services[0]->targets[0].authority, "x.example");
	CU_ASSERT_EQUAL(c->services[0]->targets[0].weight, 1);
	CU_ASSERT(c->services[0]->targets[0].endpoint != NULL);
	CU_ASSERT(c->services[0]->targets[0].service == c->services[0]);
	CU_ASSERT(c->services[0]->tls_verify);
	CU_ASSERT(!c->services[0]->http2);
	CU_ASSERT_EQUAL(c->services[0]->connect_timeout, FG_US_PER_S);
	CU_ASSERT_EQUAL(c->services[0]->host_mode, FG_HOST_PRESERVE);
	config_end(l);
}

static void
services(void)
{
	struct loaded *l;
	const struct fg_service *s;

	config_write("ca.pem", "not looked into");
	l = config_load("version: 1\nservices:\n"
	                "  one: http://127.0.0.1:1\n"
	                "  two:\n    targets: [https://127.0.0.1:2, {url: \"https://[::1]:3\", weight: 5}]\n"
	                "    connect-timeout: 250ms\n    response-timeout: 1m\n    idle-timeout: 2h\n    host: api.example.com:8443\n"
	                "    tls: {ca: ca.pem, verify: false, name: other.example}\n"
	                "  three: {targets: http://127.0.0.1:4, host: target}\n");
	CU_ASSERT_FATAL(l->config != NULL);
	CU_ASSERT_EQUAL_FATAL(l->config->service_count, 3);
	s = l->config->services[1];
	ASSERT_STR(s->name, "two");
	CU_ASSERT_EQUAL(s->index, 1);
	CU_ASSERT_EQUAL_FATAL(s->target_count, 2);
	CU_ASSERT_EQUAL(s->targets[1].index, 1);
	CU_ASSERT_EQUAL(s->targets[1].weight, 5);
	ASSERT_STR(s->targets[1].authority, "[::1]:3");
	CU_ASSERT_EQUAL(s->connect_timeout, 250 * FG_US_PER_MS);
	CU_ASSERT_EQUAL(s->response_timeout, INT64_C(60) * FG_US_PER_S);
	CU_ASSERT_EQUAL(s->idle_timeout, INT64_C(7200) * FG_US_PER_S);
	CU_ASSERT_EQUAL(s->host_mode, FG_HOST_NAME);
	ASSERT_STR(s->host_name, "api.example.com:8443");
	CU_ASSERT(!s->tls_verify);
	ASSERT_STR(s->tls_name, "other.example");
	ASSERT_STR(s->tls_ca, config_path("ca.pem")); /* relative to the file that says it */
	CU_ASSERT_EQUAL(l->config->services[2]->host_mode, FG_HOST_TARGET);
	config_end(l);
}

static void
routes(void)
{
	struct loaded *l = config_load(
	    SERVICES "routes:\n"
	             "  all:\n    path: /orders/*\n    host: [API.example.com, \"*.example.org\"]\n    methods: [GET, PUT]\n"
	             "    headers: {X-Api-Version: 2}\n    query: {v: \"\", w: 1.0}\n    priority: -5\n    merge-slashes: true\n"
	             "    encoded-slash: reject\n    service: orders\n    strip-prefix: /orders/\n    body-limit: 10M\n    timeout: 15s\n"
	             "  status: {path: /status, respond: {body: '{\"ok\":true}', content-type: application/json}}\n"
	             "  text: {path: /text, respond: {status: 404, body: x}}\n"
	             "  empty: {path: /empty, respond: {status: 204}}\n"
	             "  re: {path: \"~^/v(?<n>[0-9]+)/\", service: a, rewrite: \"/x/{path:n}\"}\n"
	             "  id: {path: \"/users/{id}/*\", service: a, rewrite: \"/u/{path:id}/{rest}\"}\n");
	const struct fg_route *r;

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	CU_ASSERT_EQUAL_FATAL(l->config->route_count, 6);
	r = l->config->routes[0];
	ASSERT_STR(r->name, "all");
	ASSERT_STR(r->rule.name, "all");
	CU_ASSERT(r->rule.owner == r);
	CU_ASSERT_EQUAL_FATAL(r->rule.host_count, 2);
	ASSERT_STR(r->rule.hosts[0], "api.example.com");
	CU_ASSERT_EQUAL(r->rule.methods,
	    FG_METHOD_BIT(FG_METHOD_GET) | FG_METHOD_BIT(FG_METHOD_HEAD) | FG_METHOD_BIT(FG_METHOD_PUT));
	CU_ASSERT_EQUAL_FATAL(r->rule.header_count, 1);
	ASSERT_STR(r->rule.headers[0].value, "2");
	CU_ASSERT_EQUAL_FATAL(r->rule.query_count, 2);
	ASSERT_STR(r->rule.query[1].value, "1.0");
	CU_ASSERT_EQUAL(r->rule.priority, -5);
	CU_ASSERT(r->rule.merge_slashes);
	CU_ASSERT(r->reject_encoded_slash);
	CU_ASSERT(r->service == l->config->services[1]);
	ASSERT_STR(r->strip_prefix, "/orders");
	CU_ASSERT_EQUAL(r->body_limit, 10 * 1024 * 1024);
	CU_ASSERT_EQUAL(r->timeout, INT64_C(15) * FG_US_PER_S);
	CU_ASSERT_EQUAL(r->filter_count, 0);
	r = l->config->routes[1];
	CU_ASSERT_EQUAL(r->index, 1);
	CU_ASSERT_FATAL(r->respond != NULL);
	CU_ASSERT(r->service == NULL);
	CU_ASSERT_EQUAL(r->respond->status, 200);
	ASSERT_STR(r->respond->body, "{\"ok\":true}");
	ASSERT_STR(r->respond->content_type, "application/json");
	CU_ASSERT_EQUAL(r->rule.methods, FG_METHODS_ANY);
	CU_ASSERT_EQUAL(r->body_limit, -1);
	CU_ASSERT_EQUAL(r->timeout, 0);
	ASSERT_STR(l->config->routes[2]->respond->content_type, "text/plain; charset=utf-8");
	ASSERT_STR(l->config->routes[3]->respond->content_type, "");
	CU_ASSERT(l->config->routes[4]->rewrite != NULL);
	CU_ASSERT(l->config->routes[5]->rewrite != NULL);
	config_end(l);
}

static void
defaults(void)
{
	struct loaded *l = config_load(
	    SERVICES "defaults: {body-limit: 1k, timeout: 5s, merge-slashes: true, encoded-slash: reject,\n"
	             "  request: {headers: {set: {X-A: a}}}, response: {status: {404: 410}}}\n"
	             "routes:\n"
	             "  inherits: {path: /a, service: a}\n"
	             "  overrides: {path: /b, service: a, body-limit: none, timeout: none, merge-slashes: false,\n"
	             "    encoded-slash: preserve, request: {headers: {remove: X-B}}}\n");
	const struct fg_route *a, *b;

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	a = l->config->routes[0];
	b = l->config->routes[1];
	CU_ASSERT_EQUAL(a->body_limit, 1024);
	CU_ASSERT_EQUAL(a->timeout, INT64_C(5) * FG_US_PER_S);
	CU_ASSERT(a->rule.merge_slashes);
	CU_ASSERT(a->reject_encoded_slash);
	CU_ASSERT_EQUAL_FATAL(a->filter_count, 2);
	CU_ASSERT_STRING_EQUAL(a->filters[0].type->name, "request");
	CU_ASSERT_STRING_EQUAL(a->filters[1].type->name, "response");
	CU_ASSERT_EQUAL(b->body_limit, -1);
	CU_ASSERT_EQUAL(b->timeout, 0);
	CU_ASSERT(!b->rule.merge_slashes);
	CU_ASSERT(!b->reject_encoded_slash);
	CU_ASSERT_EQUAL_FATAL(b->filter_count, 2);
	CU_ASSERT(b->filters[0].conf != a->filters[0].conf); /* its own, in place of the other */
	CU_ASSERT(b->filters[1].conf == a->filters[1].conf);
	config_end(l);
}

static void
routes_are_found(void)
{
	struct loaded *l = config_load(SERVICES "routes:\n  a: {path: /a/*, service: a}\n  b: {path: /a/b, service: orders}\n");
	struct fg_route_query query = {.method = FG_METHOD_GET, .method_name = FG_STR("GET"), .host = FG_STR("x")};
	struct fg_headers headers;
	struct fg_route_hit *hit = calloc(1, sizeof(*hit));
	struct fg_arena arena;
	struct fg_uri uri;

	CU_ASSERT_FATAL(hit != NULL && l->config != NULL);
	fg_arena_init(&arena, 1 << 20, NULL, 0);
	fg_headers_init(&headers, &arena);
	query.arena = &arena;
	query.headers = &headers;
	query.uri = query.merged_uri = &uri;
	CU_ASSERT_EQUAL_FATAL(fg_uri_parse(&uri, FG_STR("/a/b"), &arena), FG_OK);
	fg_router_match(l->config->router, &query, hit, NULL);
	CU_ASSERT_FATAL(hit->rule != NULL);
	CU_ASSERT(hit->rule->owner == l->config->routes[1]);
	free(hit);
	fg_arena_fini(&arena);
	config_end(l);
}

/* ---- what is wrong */

struct expectation {
	const char *text, *errors;
};

static void
wrong_pool(void)
{
	static const struct expectation table[] = {
	    {"workers: 1\n", "f:1:1: version is missing\n"},
	    {"version: 2\n", "f:1:10: version: this faregate reads version 1 of the configuration, not \"2\"\n"},
	    {"version: 1\nrouts: {}\n", "f:2:1: unknown key \"routs\"; did you mean routes?\n"},
	    {"version: 1\nlisten: []\n", "f:2:9: listen: is empty; at least one address is needed\n"},
	    {"version: 1\nlisten: /run/x\n", "f:2:9: listen: expected unix:/PATH or tcp:ADDRESS:PORT, found \"/run/x\"\n"},
	    {"version: 1\nlisten: unix:/run/\n",
		"f:2:9: listen: \"unix:/run/\" is a folder; write the socket's own name behind it\n"},
	    {"version: 1\nlisten: unix:x\n", "f:2:9: listen: \"unix:x\" has no absolute path; write unix:/PATH\n"},
	    {"version: 1\nlisten: [tcp:9000, tcp:localhost:9000, tcp:127.0.0.1:0, tcp:127.0.0.1:65536, \"tcp:::1:9\"]\n",
	        "f:2:10: listen[0]: \"tcp:9000\" is not a numeric address and a port; write tcp:127.0.0.1:9000 or tcp:[::1]:9000\n"
	        "f:2:20: listen[1]: \"tcp:localhost:9000\" is not a numeric address and a port; write tcp:127.0.0.1:9000 or tcp:[::1]:9000\n"
	        "f:2:40: listen[2]: \"tcp:127.0.0.1:0\" is not a numeric address and a port; write tcp:127.0.0.1:9000 or tcp:[::1]:9000\n"
	        "f:2:57: listen[3]: \"tcp:127.0.0.1:65536\" is not a numeric address and a port; write tcp:127.0.0.1:9000 or tcp:[::1]:9000\n"
	        "f:2:78: listen[4]: \"tcp:::1:9\" is not a numeric address and a port; write tcp:127.0.0.1:9000 or tcp:[::1]:9000\n"},
	    {"version: 1\nlisten: [tcp:127.0.0.1:9000, tcp:127.0.0.1:9000]\n",
	        "f:2:30: listen[1]: tcp:127.0.0.1:9000 is there twice\n"},
	    {"version: 1\nlisten: {address: tcp:127.0.0.1:9000, mode: 0660, group: root}\n",
	        "f:2:45: listen.mode: a TCP address has no mode; that is for unix: sockets\n"
	        "f:2:58: listen.group: a TCP address has no group; that is for unix: sockets\n"},
	    {"version: 1\nlisten: {address: unix:/x, mode: 0990, group: nosuchgroup}\n",
	        "f:2:34: listen.mode: expected three octal digits, as in 0660, found \"0990\"\n"
	        "f:2:47: listen.group: this system has no group \"nosuchgroup\"\n"},
	    {"version: 1\nuser: nosuchuser\n", "f:2:7: user: this system has no user \"nosuchuser\"\n"},
	    {"version: 1\nworkers: 0\n", "f:2:10: workers: \"0\" is out of range; expected a whole number from 1 to 255, or auto\n"},
	    {"version: 1\npid-file: x.pid\n", "f:2:11: pid-file: \"x.pid\" is not an absolute path; it begins with /\n"},
	    {"version: 1\ntrusted-proxies: [10.0.0.1/8, proxy, \"fd00::1/8\"]\n",
	        "f:2:19: trusted-proxies[0]: expected an address or a network (10.0.0.0/8, ::1), found \"10.0.0.1/8\"; did you mean 10.0.0.0/8?\n"
	        "f:2:31: trusted-proxies[1]: expected an address or a network (10.0.0.0/8, ::1), found \"proxy\"\n"
	        "f:2:38: trusted-proxies[2]: expected an address or a network (10.0.0.0/8, ::1), found \"fd00::1/8\"; did you mean fd00::/8?\n"},
	    {"version: 1\nlog: {access: sdterr, level: warning}\n",
	        "f:2:15: log.access: expected /FILE, stderr, syslog or off, found \"sdterr\"; did you mean stderr?\n"
	        "f:2:30: log.level: expected error, warn, info or debug, found \"warning\"\n"},
	    {"version: 1\nlog: {access: {path: logs/x, format: jsn}}\n",
	        "f:2:22: log.access.path: expected /FILE, stderr, syslog or off, found \"logs/x\"\n"
	        "f:2:38: log.access.format: expected json or combined, found \"jsn\"; did you mean json?\n"},
	    {"version: 1\nadmin: on\n", "f:2:8: admin: expected off, or a map with the keys path, allow, found \"on\"\n"},
	    {"version: 1\nadmin: {path: admin/}\n",
	        "f:2:15: admin.path: \"admin/\" is not a path of its own; it begins with / and does not end with one\n"},
	    {"version: 1\nadmin: {path: /a%20b}\n", "f:2:15: admin.path: takes letters, digits and / _ - . ~ alone\n"},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(table); i++)
		EXPECT_ERRORS(table[i].text, table[i].errors);
}

static void
wrong_services(void)
{
	static const struct expectation table[] = {
	    {"version: 1\nservices: [a]\n", "f:2:11: services: expected a map, SERVICE: …, found a list\n"},
	    {"version: 1\nservices:\n  a b: http://x\n  .x: http://x\n",
	        "f:3:3: services: \"a b\" is not a name; it is made of letters, digits and . _ - and begins with a letter or digit\n"
	        "f:4:3: services: \".x\" is not a name; it is made of letters, digits and . _ - and begins with a letter or digit\n"},
	    {"version: 1\nservices: {a: {}}\n", "f:2:12: services.a: targets is missing\n"},
	    {"version: 1\nservices: {a: {targets: []}}\n", "f:2:25: services.a.targets: is empty; at least one URL is needed\n"},
	    {"version: 1\nservices:\n  a: 127.0.0.1:4000\n",
	        "f:3:6: services.a: expected http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH, found \"127.0.0.1:4000\"\n"},
	    {"version: 1\nservices:\n  a: http://x/v1\n  b: http://u:p@x\n  c: http://x:99999\n  d: 'http://'\n",
	        "f:3:6: services.a: a target's URL ends with its host and port; what is before the path goes into the route's rewrite:\n"
	        "f:4:6: services.b: a target's URL holds no credentials; set a header under request: headers:\n"
	        "f:5:6: services.c: \"http://x:99999\" is not the URL of a target; write http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH\n"
	        "f:6:6: services.d: expected http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH, found \"http://\"\n"},
	    {"version: 1\nservices: {a: {targets: [http://x, {url: http://x, weight: 0}]}}\n",
	        "f:2:36: services.a.targets[1]: http://x is there twice; give it a weight instead\n"
	        "f:2:60: services.a.targets[1].weight: \"0\" is out of range; expected a whole number from 1 to 1000\n"},
	    {"version: 1\nservices: {a: {targets: http://x, mode: strict}}\n",
	        "f:2:35: services.a: unknown key \"mode\"; the keys here are targets, balance, hash-by, slow-start, retry, hedge, breaker, "
	        "service-breaker, health, max-in-flight, respond, connect-timeout, response-timeout, idle-timeout, deadline-header, host, http2, tls\n"},
	    {"version: 1\nservices: {a: {targets: http://x, host: preserv}, b: {targets: http://x, host: a b}}\n",
	        "f:2:41: services.a.host: expected preserve, target or a host name, found \"preserv\"; did you mean preserve?\n"
	        "f:2:80: services.b.host: expected preserve, target or a host name, found \"a b\"\n"},
	    {"version: 1\nservices: {a: {targets: https://x, tls: {ca: nosuch.pem, key: f, name: \"a:1\"}}}\n",
	        "f:2:46: services.a.tls.ca: nosuch.pem cannot be read: No such file or directory\n"
	        "f:2:63: services.a.tls.key: is of no use without its certificate; add certificate: FILE\n"
	        "f:2:72: services.a.tls.name: \"a:1\" is not a host name\n"},
	    {"version: 1\nservices: {a: {targets: https://x, tls: {certificate: f}}}\n",
	        "f:2:55: services.a.tls.certificate: is of no use without its key; add key: FILE\n"},
	    {"version: 1\nservices: {a: {targets: http://x, connect-timeout: 1}}\n",
	        "f:2:52: services.a.connect-timeout: expected a duration (250ms, 5s, 1m, 2h, 30d) from 1ms to 1d, found \"1\"; a unit is "
	        "missing: ms, s, m, h or d (1s?)\n"},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(table); i++)
		EXPECT_ERRORS(table[i].text, table[i].errors);
}

static void
wrong_routes(void)
{
	/* One route, its keys. */
	static const struct expectation table[] = {
	    {"service: a", "f:4:3: routes.r: path is missing\n"},
	    {"path: x, service: a", "f:4:13: routes.r.path: \"x\" does not begin with \"/\", or with \"~\" for a regex\n"},
	    /* A value that is broken has no template; looking for the variables of the others goes on. */
	    {"path: /x, service: a, request: {headers: {set: {A: }, add: {B: \"{path:no}\"}}}",
	        "f:4:38: routes.r.request: uses {path:no}, and the path \"/x\" has no such part\n"
	        "f:4:58: routes.r.request.headers.set.A: has no value; expected a text, with {variables} in braces, or remove the name\n"},
	    {"path: /x", "f:4:3: routes.r: goes nowhere; it takes service: NAME, or respond: for a fixed answer\n"},
	    {"path: /x, service: a, respond: {}", "f:4:29: routes.r: a route has either service or respond, not both\n"},
	    {"path: /x, service: ordres", "f:4:26: routes.r.service: there is no service \"ordres\"; did you mean orders?\n"},
	    {"path: /x, service: zzz", "f:4:26: routes.r.service: there is no service \"zzz\"; define it under services:\n"},
	    {"path: /x, service: a, methods: [GET, GTE, get, XYZZY, GET, CONNECT]",
	        "f:4:44: routes.r.methods[1]: \"GTE\" is not a method; did you mean GET?\n"
	        "f:4:49: routes.r.methods[2]: \"get\" is not a method; did you mean GET?\n"
	        "f:4:54: routes.r.methods[3]: \"XYZZY\" is not a method\n"
	        "f:4:61: routes.r.methods[4]: GET is there twice\n"
	        "f:4:66: routes.r.methods[5]: CONNECT is never forwarded\n"},
	    {"path: /x, service: a, methods: []", "f:4:38: routes.r.methods: expected a list of methods, [GET, POST], found an empty "
	                                           "one; without `methods` all are taken\n"},
	    {"path: /x, service: a, host: [\"a:80\", \"*.\", \"*x\"]",
	        "f:4:36: routes.r.host[0]: \"a:80\" has a port or a trailing dot; routes compare the host's name alone\n"
	        "f:4:44: routes.r.host[1]: \"*.\" is not a host: a name, \"*.\" and a name, or an address ([…] for IPv6)\n"
	        "f:4:50: routes.r.host[2]: \"*x\" is not a host: a name, \"*.\" and a name, or an address ([…] for IPv6)\n"},
	    {"path: /x, service: a, headers: {\"a b\": x, X-A: 1, x-a: 1}",
	        "f:4:39: routes.r.headers: \"a b\" is not a header name\n"},
	    {"path: /x, service: a, headers: {X-A: 1, x-a: 1}",
	        "f:4:47: routes.r.headers: \"x-a\" is there twice; names of headers are the same in any case\n"},
	    {"path: /x, service: a, headers: {X-A: \"a\\nb\"}", "f:4:44: routes.r.headers.X-A: \"a\\nb\" is not the value of a "
	                                                        "header: it has a control character, or a space at an end\n"},
	    {"path: /x, service: a, stript-prefix: /x", "f:4:29: routes.r: unknown key \"stript-prefix\"; did you mean strip-prefix?\n"},
	    {"path: /x/*, service: a, strip-prefix: /x, rewrite: \"/{rest}\"",
	        "f:4:31: routes.r: a route has either strip-prefix or rewrite, not both\n"},
	    {"path: /orders/*, service: a, strip-prefix: /ord",
	        "f:4:50: routes.r.strip-prefix: \"/ord\" is not a prefix, whole segments, of the path \"/orders/*\"\n"},
	    {"path: /orders*, service: a, strip-prefix: /orders",
	        "f:4:49: routes.r.strip-prefix: \"/orders\" is not a prefix, whole segments, of the path \"/orders*\"\n"},
	    {"path: \"/a/{id}/b\", service: a, strip-prefix: \"/a/{id}\"",
	        "f:4:52: routes.r.strip-prefix: \"/a/{id}\" is not a prefix, whole segments, of the path \"/a/{id}/b\"\n"},
	    {"path: /a, service: a, strip-prefix: /", "f:4:43: routes.r.strip-prefix: \"/\" is not a path; it begins with / and "
	                                              "names at least one segment\n"},
	    {"path: ~^/a, service: a, strip-prefix: /a",
	        "f:4:45: routes.r.strip-prefix: the path is a regex and has no literal prefix; use rewrite:\n"},
	    {"path: /a, service: a, rewrite: x", "f:4:38: routes.r.rewrite: \"x\" is not a path; it begins with /\n"},
	    {"path: /a, service: a, rewrite: /x?y", "f:4:38: routes.r.rewrite: a path has neither ? nor #; the query is edited under "
	                                            "request: query:\n"},
	    {"path: \"/a/{item}\", service: a, rewrite: \"/x/{path:itme}\"",
	        "f:4:47: routes.r.rewrite: uses {path:itme}, and the path \"/a/{item}\" has no such part; did you mean item?\n"},
	    {"path: /a, service: a, rewrite: \"/x/{rest}\"",
	        "f:4:38: routes.r.rewrite: uses {path:rest}, and the path \"/a\" has no such part\n"},
	    {"path: /a, service: a, request: {headers: {set: {X-A: \"{path:id}\"}}}",
	        "f:4:38: routes.r.request: uses {path:id}, and the path \"/a\" has no such part\n"},
	    {"path: /a, service: a, request: {json: {}}",
	        "f:4:39: routes.r.request: unknown key \"json\"; the keys here are headers, query\n"},
	    {"path: /a, strip-prefix: /a, respond: {status: 204, body: x}",
	        "f:4:17: routes.r: a route with respond sends no path to a service\n"
	        "f:4:64: routes.r.respond.body: an answer with status 204 has no body\n"},
	    {"path: /a, respond: {status: 99}",
	        "f:4:35: routes.r.respond.status: \"99\" is out of range; expected a whole number from 200 to 599\n"},
	    {"path: /_faregate, service: a", "f:4:13: routes.r.path: \"/_faregate\" lies under admin.path, \"/_faregate\", where the "
	                                     "gateway's own pages are; it would never be reached\n"},
	    {"path: /%5Ffaregate/*, service: a", "f:4:13: routes.r.path: \"/%5Ffaregate/*\" lies under admin.path, \"/_faregate\", where "
	                                         "the gateway's own pages are; it would never be reached\n"},
	};
	char text[1024];

	for (size_t i = 0; i < FG_ARRAY_LEN(table); i++) {
		snprintf(text, sizeof(text), "%sroutes:\n  r: {%s}\n", SERVICES, table[i].text);
		EXPECT_ERRORS(text, table[i].errors);
	}
	EXPECT_ERRORS(SERVICES "routes: {r: {path: /_faregated, service: a}, s: {path: /_faregate*, service: a}}\n", "");
	EXPECT_ERRORS(SERVICES "admin: off\nroutes: {r: {path: /_faregate, service: a}}\n", "");
}

static void
wrong_together(void)
{
	EXPECT_ERRORS(SERVICES "routes:\n"
	                       "  a: {path: /x, service: a}\n"
	                       "  b: {path: /x, service: a}\n"
	                       "  c: {path: /x, service: a, metods: GET}\n",
	    "f:5:3: routes.b: could tie with route \"a\": their paths are equally specific, and nothing in host, methods, headers, query "
	    "or cookies decides between them; give one a higher priority (a is at f:4:3)\n"
	    "f:6:29: routes.c: unknown key \"metods\"; did you mean methods?\n");
	/* A map that is no map makes no service dangle. */
	EXPECT_ERRORS("version: 1\nservices: x\nroutes: {a: {path: /x, service: a}}\n",
	    "f:2:11: services: expected a map, SERVICE: …, found text\n");
	EXPECT_ERRORS(SERVICES "defaults: {path: /x, request: {headers: {set: {X: \"{path:id}\"}}}}\n"
	                       "routes: {r: {path: /a, service: a}, s: {path: \"/{id}\", service: a}}\n",
	    "f:3:12: defaults: unknown key \"path\"; the keys here are <keys>\n"
	    "f:4:13: routes.r: inherits {path:id} from defaults, and its path \"/a\" has no such part\n");
}

/* ---- include */

static void
include_merges(void)
{
	struct loaded *l;

	config_write("b.inc", "routes: {b: {path: /b, service: b}}\nservices: {b: http://127.0.0.1:2}\n");
	config_write("c.inc", "routes: {c: {path: /c, service: a}}\n");
	l = config_load("version: 1\ninclude: [\"*.inc\", \"none*.yaml\"]\nservices: {a: http://127.0.0.1:1}\n");
	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	CU_ASSERT_EQUAL(l->config->service_count, 2);
	CU_ASSERT_EQUAL_FATAL(l->config->route_count, 2);
	ASSERT_STR(l->config->routes[0]->name, "b");
	CU_ASSERT(l->config->routes[0]->service == l->config->services[1]);
	ASSERT_STR(l->config->routes[1]->name, "c");
	config_end(l);
	unlink(config_path("b.inc"));
	unlink(config_path("c.inc"));
}

static void
include_mistakes(void)
{
	EXPECT_ERRORS("version: 1\ninclude: nosuch.yaml\n", "f:2:10: include: there is no file nosuch.yaml\n");
	EXPECT_ERRORS("version: 1\ninclude: [f, {}]\n", "f:2:11: include[0]: f is read already\n"
	                                                "f:2:14: include[1]: expected a file or a pattern, found a map; text with "
	                                                "{ or ': ' in it must stand in quotes\n");
	config_write("x.inc", "version: 1\ninclude: y\nservices: {a: http://127.0.0.1:2, b: x}\nroutes: [r]\n");
	EXPECT_ERRORS("version: 1\ninclude: x.inc\nservices:\n  a: http://127.0.0.1:1\n",
	    "x.inc:1:1: \"version\" cannot stand in an included file; it belongs into f\n"
	    "x.inc:2:1: an included file cannot include others; list them in f\n"
	    "x.inc:3:12: services: \"a\" is defined twice; first at f:4:3\n"
	    "x.inc:3:38: services.b: expected http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH, found \"x\"\n"
	    "x.inc:4:9: routes: expected a map, found a list\n");
	EXPECT_ERRORS("version: 1\ninclude: [x.inc, \"*.inc\"]\nrouts: 1\n",
	    "f:2:18: include[1]: x.inc is read already\n"
	    "f:3:1: unknown key \"routs\"; did you mean routes?\n"
	    "x.inc:1:1: \"version\" cannot stand in an included file; it belongs into f\n"
	    "x.inc:2:1: an included file cannot include others; list them in f\n"
	    "x.inc:3:38: services.b: expected http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH, found \"x\"\n"
	    "x.inc:4:9: routes: expected a map, found a list\n");
	config_write("x.inc", "a: [\n");
	EXPECT_ERRORS("version: 1\ninclude: x.inc\n", "x.inc:2:1: not well-formed YAML: did not find expected node content, while "
	                                             "parsing a flow node at line 2\n");
	config_write("x.inc", "");
	EXPECT_ERRORS("version: 1\ninclude: x.inc\n", "x.inc:1:1: the file is empty; it begins with `version: 1`\n");
	unlink(config_path("x.inc"));
}

/* As many services, and as many routes to services that nearly have their names. */
static struct loaded *
load_dangling(unsigned count)
{
	struct loaded *loaded;
	struct fg_buf text;

	fg_buf_init(&text, FG_MAX_CONFIG_BYTES);
	fg_buf_add(&text, FG_STR("version: 1\nservices:\n"));
	for (unsigned i = 0; i < count; i++)
		fg_buf_printf(&text, "  service-%u: http://127.0.0.1:4000\n", i);
	fg_buf_add(&text, FG_STR("routes:\n"));
	for (unsigned i = 0; i < count; i++)
		fg_buf_printf(&text, "  r%u: {path: /%u, service: servise-%u}\n", i, i, i);
	fg_buf_add_char(&text, '\0');
	loaded = config_load(text.p);
	fg_buf_fini(&text);
	return loaded;
}

/* Comparing each with all would take longer than anybody waits; a file that people write has them all. */
static void
suggestions_are_bounded(void)
{
	struct loaded *few = load_dangling(1000), *many = load_dangling(20000);
	const char *at = few->errors;
	unsigned suggested = 0;

	while ((at = strstr(at, "did you mean service-")) != NULL) {
		suggested++;
		at++;
	}
	CU_ASSERT_EQUAL(suggested, FG_MAX_CONFIG_ERRORS);
	CU_ASSERT(strstr(many->errors, "\"servise-0\"; did you mean service-0?") != NULL);
	CU_ASSERT(strstr(many->errors, "\"servise-199\"; define it under services:") != NULL);
	CU_ASSERT(strstr(many->errors, "and 19800 more") != NULL);
	config_end(few);
	config_end(many);
}

/* A check, and a reload of a pool, must not wait for whoever may write into a pipe one day. */
static void
only_files_are_read(void)
{
	struct fg_config *config;
	struct fg_buf errors;

	CU_ASSERT_FATAL(mkfifo(config_path("p"), 0600) == 0);
	CU_ASSERT_FATAL(mkdir(config_path("d"), 0700) == 0);
	EXPECT_ERRORS("version: 1\ninclude: [p, d, /dev/zero]\n",
	    "f:2:11: include[0]: p cannot be read: it is a named pipe, not a file\n"
	    "f:2:14: include[1]: d cannot be read: it is a folder\n"
	    "f:2:17: include[2]: /dev/zero cannot be read: it is a device or a socket, not a file\n");
	EXPECT_ERRORS("version: 1\nservices: {a: {targets: [https://h], tls: {ca: p, certificate: d, key: /dev/null}}}\n",
	    "f:2:48: services.a.tls.ca: p cannot be read: it is a named pipe, not a file\n"
	    "f:2:64: services.a.tls.certificate: d cannot be read: it is a folder\n"
	    "f:2:72: services.a.tls.key: /dev/null cannot be read: it is a device or a socket, not a file\n");
	fg_buf_init(&errors, 4096);
	CU_ASSERT_EQUAL(fg_config_load(&config, config_path("p"), &errors), FG_ERR_SYSTEM);
	CU_ASSERT(fg_str_ends_with(fg_buf_str(&errors), FG_STR("p:1:1: cannot be read: it is a named pipe, not a file\n")));
	fg_buf_reset(&errors);
	CU_ASSERT_EQUAL(fg_config_load_as(&config, "/dev/null", &errors, FG_CONFIG_STREAM), FG_ERR_CONFIG);
	ASSERT_STR(fg_buf_str(&errors), "/dev/null:1:1: the file is empty; it begins with `version: 1`\n");
	fg_buf_fini(&errors);
	unlink(config_path("p"));
	rmdir(config_path("d"));
}

static void
unreadable_file(void)
{
	struct fg_config *config;
	struct fg_buf errors;
	char expected[256];

	fg_buf_init(&errors, 4096);
	CU_ASSERT_EQUAL(fg_config_load(&config, config_path("nosuch"), &errors), FG_ERR_SYSTEM);
	CU_ASSERT_PTR_NULL(config);
	snprintf(expected, sizeof(expected), "%s:1:1: cannot be read: No such file or directory\n", config_path("nosuch"));
	ASSERT_STR(fg_buf_str(&errors), expected);
	fg_buf_fini(&errors);
}

void
suite_config(void)
{
	CU_pSuite suite = CU_add_suite("config", config_folder_make, config_folder_remove);

	ADD_TEST(suite, least_configuration);
	ADD_TEST(suite, the_pool);
	ADD_TEST(suite, short_forms);
	ADD_TEST(suite, services);
	ADD_TEST(suite, routes);
	ADD_TEST(suite, defaults);
	ADD_TEST(suite, routes_are_found);
	ADD_TEST(suite, wrong_pool);
	ADD_TEST(suite, wrong_services);
	ADD_TEST(suite, wrong_routes);
	ADD_TEST(suite, wrong_together);
	ADD_TEST(suite, include_merges);
	ADD_TEST(suite, include_mistakes);
	ADD_TEST(suite, suggestions_are_bounded);
	ADD_TEST(suite, only_files_are_read);
	ADD_TEST(suite, unreadable_file);
}
