/* lib/core/access_log: fields, escaping, redaction, bounds. */
#include <config.h> /* _GNU_SOURCE: memmem */

#include "core/access_log.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "core/exchange.h"
#include "core/config.h"
#include "unit/json.h"
#include "unit/unit.h"

struct scene {
	struct fg_arena arena;
	struct fg_route route;
	struct fg_service service;
	struct fg_target target;
	struct fg_buf line;
	struct fg_config config;
	struct fg_gateway gw;
	struct fg_exchange x;
};

/* GET /orders/7?page=2, forwarded to a service that answered 200. */
static void
scene_init(struct scene *scene)
{
	*scene = (struct scene){
	    .route = {.name = FG_STR("orders")},
	    .service = {.name = FG_STR("orders-v1")},
	    .target = {.url = FG_STR("http://127.0.0.1:4000")},
	};
	fg_arena_init(&scene->arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	fg_buf_init(&scene->line, FG_MAX_LOG_LINE_BYTES);
	scene->gw.config = &scene->config;
	scene->x.gw = &scene->gw;
	scene->x.route = &scene->route;
	scene->x.service = &scene->service;
	scene->x.first_try = (struct fg_try){.x = &scene->x, .target = &scene->target, .resp = &scene->x.resp};
	scene->x.lead = &scene->x.first_try;
	scene->x.req.method = FG_STR("GET");
	scene->x.req.scheme = FG_STR("https");
	scene->x.req.host = FG_STR("api.example.com");
	scene->x.req.protocol = FG_STR("HTTP/1.1");
	scene->x.req.uri.raw = FG_STR("/x/../orders/7?page=2");
	scene->x.req.uri.path = FG_STR("/orders/7");
	scene->x.req.uri.query = FG_STR("page=2");
	scene->x.req.client_text = FG_STR("192.0.2.7");
	scene->x.req.peer_text = FG_STR("127.0.0.1");
	scene->x.req.id = FG_STR("r-1");
	fg_headers_init(&scene->x.req.headers, &scene->arena);
	scene->x.resp.status = 200;
	scene->x.head_sent = true;
	scene->x.sent = 80;
	scene->x.wall = INT64_C(1784937600123000);
	scene->x.started = 1000000;
	scene->x.decided = 1000150;
	scene->x.called = 1000200;
	scene->x.first_try.first_byte = 1012345;
	scene->x.ended = 1012400;
}

static void
scene_fini(struct scene *scene)
{
	fg_buf_fini(&scene->line);
	fg_arena_fini(&scene->arena);
}

static void
add_header(struct scene *scene, struct fg_str name, struct fg_str value)
{
	CU_ASSERT_EQUAL(fg_headers_add(&scene->x.req.headers, name, value), FG_OK);
}

static struct fg_str
format(struct scene *scene, enum fg_log_format format)
{
	fg_buf_reset(&scene->line);
	CU_ASSERT(fg_access_log_format(&scene->line, &scene->x, format));
	return fg_buf_str(&scene->line);
}

static bool
has(struct fg_str line, const char *part)
{
	return line.len > 0 && memmem(line.p, line.len, part, strlen(part)) != NULL;
}

static void
json_has_what_applies(void)
{
	struct scene scene;

	scene_init(&scene);
	add_header(&scene, FG_STR("User-Agent"), FG_STR("curl/8"));
	ASSERT_STR(format(&scene, FG_LOG_JSON),
	    "{\"time\":\"2026-07-25T00:00:00.123Z\",\"status\":200,\"reason\":\"forwarded\",\"method\":\"GET\","
	    "\"scheme\":\"https\",\"host\":\"api.example.com\",\"path\":\"/orders/7\",\"query\":\"page=2\","
	    "\"protocol\":\"HTTP/1.1\",\"route\":\"orders\",\"service\":\"orders-v1\",\"target\":\"http://127.0.0.1:4000\","
	    "\"client\":\"192.0.2.7\",\"peer\":\"127.0.0.1\",\"request_id\":\"r-1\",\"bytes_in\":0,\"bytes_out\":80,"
	    "\"duration_ms\":12.400,\"decide_ms\":0.150,\"first_byte_ms\":12.145,\"user_agent\":\"curl/8\"}\n");
	scene_fini(&scene);
}

static void
json_says_why_there_was_no_connection(void)
{
	struct scene scene;

	scene_init(&scene);
	scene.x.lead->connect_error = EACCES;
	CU_ASSERT(has(format(&scene, FG_LOG_JSON),
	    "\"target\":\"http://127.0.0.1:4000\",\"error\":\"connect: Permission denied\",\"client\""));
	scene_fini(&scene);
}

static void
an_exchange_that_never_began(void)
{
	struct scene scene;

	scene_init(&scene);
	scene.x = (struct fg_exchange){.gw = &scene.gw, .lead = &scene.x.first_try, .reason = FG_ERR_HEADERS_TOO_LARGE,
	    .wall = 1, .started = 5, .ended = 5};
	ASSERT_STR(format(&scene, FG_LOG_JSON),
	    "{\"time\":\"1970-01-01T00:00:00.000Z\",\"status\":0,\"reason\":\"headers_too_large\",\"bytes_in\":0,"
	    "\"bytes_out\":0,\"duration_ms\":0.000}\n");
	ASSERT_STR(format(&scene, FG_LOG_COMBINED), "- - - [01/Jan/1970:00:00:00 +0000] \"  \" 0 0 \"-\" \"-\"\n");
	scene_fini(&scene);
}

static void
a_target_without_a_canonical_form_is_shown_raw(void)
{
	struct scene scene;

	scene_init(&scene);
	scene.x.req.uri = (struct fg_uri){.raw = FG_STR("/a\x01\\..%00?token=abc")};
	scene.x.reason = FG_ERR_PATH_AMBIGUOUS;
	CU_ASSERT(has(format(&scene, FG_LOG_JSON), "\"path\":\"/a\\u0001\\\\..%00\",\"query\":\"token=***\""));
	CU_ASSERT(json_is_valid(fg_buf_str(&scene.line)));
	CU_ASSERT(has(format(&scene, FG_LOG_COMBINED), "\"GET /a\\x01\\\\..%00?token=*** HTTP/1.1\""));
	/* A client that leaves before the head has no status, whatever had been prepared. */
	scene.x.head_sent = false;
	CU_ASSERT(has(format(&scene, FG_LOG_JSON), "\"status\":0,"));
	scene_fini(&scene);
}

static void
a_value_cannot_become_another_line_or_field(void)
{
	struct scene scene;
	struct fg_str line;

	scene_init(&scene);
	add_header(&scene, FG_STR("User-Agent"), FG_STR("a\"},{\"x\":\"\\\t\xff\xc3\xa4\n"));
	line = format(&scene, FG_LOG_JSON);
	CU_ASSERT(json_is_valid(line));
	CU_ASSERT_EQUAL(fg_str_find(line, '\n'), line.len - 1);
	line = format(&scene, FG_LOG_COMBINED);
	ASSERT_STR(line,
	    "192.0.2.7 - - [25/Jul/2026:00:00:00 +0000] \"GET /orders/7?page=2 HTTP/1.1\" 200 80 \"-\" "
	    "\"a\\\"},{\\\"x\\\":\\\"\\\\\\x09\\xff\\xc3\\xa4\\x0a\"\n");
	scene_fini(&scene);
}

static void
long_values_are_cut_and_the_line_stays_valid(void)
{
	static char path[16000], agent[16000];
	struct scene scene;
	struct fg_str line;

	scene_init(&scene);
	/* The worst: every byte becomes six in JSON, four in the combined format. */
	memset(path, 1, sizeof(path));
	memset(agent, 1, sizeof(agent));
	path[0] = '/';
	scene.x.req.uri = (struct fg_uri){.raw = FG_STR("/"), .path = {path, sizeof(path)}, .query = {agent, sizeof(agent)}};
	scene.x.req.method = scene.x.req.host = scene.x.req.id = scene.x.req.protocol = scene.x.req.scheme =
	    (struct fg_str){agent, sizeof(agent)};
	scene.x.req.client_text = scene.x.req.peer_text = scene.x.req.trace_id = scene.route.name = scene.service.name =
	    scene.target.url = (struct fg_str){agent, sizeof(agent)};
	add_header(&scene, FG_STR("User-Agent"), (struct fg_str){agent, sizeof(agent)});
	add_header(&scene, FG_STR("Referer"), (struct fg_str){agent, sizeof(agent)});
	line = format(&scene, FG_LOG_JSON);
	CU_ASSERT(json_is_valid(line));
	CU_ASSERT(has(line, "\\u0001...\",\"query\""));
	CU_ASSERT_EQUAL(fg_str_find(format(&scene, FG_LOG_COMBINED), '\n'), scene.line.len - 1);
	/* Plain characters have more room. */
	memset(path, 'a', sizeof(path));
	scene.x.req.uri.path = (struct fg_str){path, 3000};
	CU_ASSERT(has(format(&scene, FG_LOG_JSON), "aaa\",\"query\""));
	scene_fini(&scene);
}

static struct fg_str
redact(const char *query)
{
	static const struct fg_str credentials[] = {FG_STR_INIT("ticket"), FG_STR_INIT("t-1")};
	static char room[256];

	return fg_query_redact(fg_str_from(query), credentials, FG_ARRAY_LEN(credentials), room, sizeof(room));
}

static void
credentials_are_redacted(void)
{
	char room[16];

	ASSERT_STR(redact("access_token=abc"), "access_token=***");
	ASSERT_STR(redact("a=1&api_key=abc&b=2"), "a=1&api_key=***&b=2");
	ASSERT_STR(redact("key=a&token=b;password=c&signature=d"), "key=***&token=***;password=***&signature=***");
	ASSERT_STR(redact("X-Amz-Signature=1&X-Amz-Date=2&X-Amz-Security-Token=3"),
	    "X-Amz-Signature=***&X-Amz-Date=2&X-Amz-Security-Token=***");
	ASSERT_STR(redact("clientSecret=x&user[password]=y&user.apiKey=z"),
	    "clientSecret=***&user[password]=***&user.apiKey=***");
	/* Encoded, as the service will decode it. */
	ASSERT_STR(redact("p%61ssword=x&user%5Bpwd%5D=y"), "p%61ssword=***&user%5Bpwd%5D=***");
	ASSERT_STR(redact("token=a=b"), "token=***");
	/* Those that the configuration takes credentials from. */
	ASSERT_STR(redact("ticket=a&T%2D1=b&tickets=c&t1=d"), "ticket=***&T%2D1=***&tickets=c&t1=d");
	ASSERT_STR(redact("a_very_long_prefix_that_is_longer_than_the_room_for_a_name_ever_is_token=x"),
	    "a_very_long_prefix_that_is_longer_than_the_room_for_a_name_ever_is_token=***");
	/* Not credentials. */
	ASSERT_STR(redact("monkey=1&keyword=2&tokens_max=3&page=4&basin=5&=6&&token&key="),
	    "monkey=1&keyword=2&tokens_max=3&page=4&basin=5&=6&&token&key=");
	ASSERT_STR(redact(""), "");
	/* Too long for the room: cut, never shown. */
	ASSERT_STR(fg_query_redact(FG_STR("key=abcdef&value=012345678"), NULL, 0, room, sizeof(room)), "key=***&value=01");
	ASSERT_STR(fg_query_redact(FG_STR("value=012345678&key=abcdef"), NULL, 0, room, sizeof(room)), "");
}

static void
the_referer_is_redacted_too(void)
{
	struct scene scene;

	scene_init(&scene);
	add_header(&scene, FG_STR("Referer"), FG_STR("https://a.example/b?x=1&id_token=abc"));
	CU_ASSERT(has(format(&scene, FG_LOG_JSON), "\"referer\":\"https://a.example/b?x=1&id_token=***\""));
	CU_ASSERT(has(format(&scene, FG_LOG_COMBINED), "\"https://a.example/b?x=1&id_token=***\""));
	scene_fini(&scene);
}

static void
off_and_unopenable(void)
{
	struct fg_access_log *log = NULL;

	CU_ASSERT_EQUAL(fg_access_log_new(&log, &(struct fg_access_log_conf){.path = FG_STR("off")}, NULL), FG_OK);
	CU_ASSERT_PTR_NULL(log);
	CU_ASSERT_EQUAL(
	    fg_access_log_new(&log, &(struct fg_access_log_conf){.path = FG_STR("/nonexistent/a")}, NULL), FG_ERR_SYSTEM);
}

void
suite_access_log(void)
{
	CU_pSuite suite = CU_add_suite("access_log", NULL, NULL);

	ADD_TEST(suite, json_has_what_applies);
	ADD_TEST(suite, json_says_why_there_was_no_connection);
	ADD_TEST(suite, an_exchange_that_never_began);
	ADD_TEST(suite, a_target_without_a_canonical_form_is_shown_raw);
	ADD_TEST(suite, a_value_cannot_become_another_line_or_field);
	ADD_TEST(suite, long_values_are_cut_and_the_line_stays_valid);
	ADD_TEST(suite, credentials_are_redacted);
	ADD_TEST(suite, the_referer_is_redacted_too);
	ADD_TEST(suite, off_and_unopenable);
}
