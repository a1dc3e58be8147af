/* lib/core/headers, method, service. */
#include <stdlib.h>

#include "base/limits.h"
#include "http/headers.h"
#include "http/method.h"
#include "unit/unit.h"

static struct fg_arena arena;

static int
set_up(void)
{
	fg_arena_init(&arena, 1024 * 1024, NULL, 0);
	return 0;
}

static int
tear_down(void)
{
	fg_arena_fini(&arena);
	return 0;
}

static void
add(struct fg_headers *headers, const char *name, const char *value)
{
	CU_ASSERT_EQUAL(fg_headers_add(headers, fg_str_from(name), fg_str_from(value)), FG_OK);
}

static void
repeated_headers_stay_apart(void)
{
	struct fg_headers headers;

	fg_headers_init(&headers, &arena);
	add(&headers, "Set-Cookie", "a=1");
	add(&headers, "X-Other", "x");
	add(&headers, "set-cookie", "b=2");
	CU_ASSERT_EQUAL(headers.count, 3);
	ASSERT_STR(headers.v[2].value, "b=2");
	CU_ASSERT_EQUAL(fg_headers_set(&headers, FG_STR("SET-COOKIE"), FG_STR("c=3")), FG_OK);
	CU_ASSERT_EQUAL(headers.count, 2);
	ASSERT_STR(headers.v[0].value, "c=3");
	CU_ASSERT_EQUAL(fg_headers_remove(&headers, FG_STR("Set-Cookie")), 1);
	ASSERT_STR(headers.v[0].name, "X-Other");
	CU_ASSERT_PTR_NULL(fg_headers_find(&headers, FG_STR("Set-Cookie")));
}

static void
known_names_have_ids(void)
{
	for (int id = 1; id < FG_HDR_COUNT; id++)
		CU_ASSERT_EQUAL(fg_header_id(fg_header_name((enum fg_header_id)id)), (enum fg_header_id)id);
	CU_ASSERT_EQUAL(fg_header_id(FG_STR("hOsT")), FG_HDR_HOST);
	CU_ASSERT_EQUAL(fg_header_id(FG_STR("X-Host")), FG_HDR_UNKNOWN);
}

static void
headers_are_bounded(void)
{
	struct fg_headers headers;

	fg_headers_init(&headers, &arena);
	for (int i = 0; i < FG_MAX_HEADERS; i++)
		add(&headers, "X-Filler", "x");
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("X-More"), FG_STR("x")), FG_ERR_HEADERS_TOO_LARGE);
	CU_ASSERT_EQUAL(fg_headers_set(&headers, FG_STR("X-More"), FG_STR("x")), FG_ERR_HEADERS_TOO_LARGE);
	CU_ASSERT_EQUAL(fg_headers_set(&headers, FG_STR("X-Filler"), FG_STR("y")), FG_OK);
	CU_ASSERT_EQUAL(headers.count, 1);
}

static void
hop_by_hop_headers_go(void)
{
	struct fg_headers headers;

	fg_headers_init(&headers, &arena);
	add(&headers, "Host", "a");
	add(&headers, "Connection", "close, X-Hop,, keep-alive, Host");
	add(&headers, "X-Hop", "1");
	add(&headers, "Keep-Alive", "timeout=5");
	add(&headers, "TE", "trailers");
	add(&headers, "Transfer-Encoding", "chunked");
	add(&headers, "Proxy", "http://evil.example/");
	add(&headers, "Connection", "X-Second");
	add(&headers, "X-Second", "2");
	add(&headers, "X-Stays", "3");
	add(&headers, "Upgrade", "h2c");
	fg_headers_remove_hop_by_hop(&headers);
	CU_ASSERT_EQUAL(headers.count, 2);
	ASSERT_STR(headers.v[0].name, "Host");
	ASSERT_STR(headers.v[1].name, "X-Stays");
}

static void
methods(void)
{
	CU_ASSERT_EQUAL(fg_method_parse(FG_STR("GET")), FG_METHOD_GET);
	CU_ASSERT_EQUAL(fg_method_parse(FG_STR("get")), FG_METHOD_OTHER);
	CU_ASSERT_EQUAL(fg_method_parse(FG_STR("PROPFIND")), FG_METHOD_PROPFIND);
	CU_ASSERT_EQUAL(fg_method_parse(FG_STR("BREW")), FG_METHOD_OTHER);
	CU_ASSERT(fg_method_is_idempotent(FG_METHOD_PUT));
	CU_ASSERT(!fg_method_is_idempotent(FG_METHOD_POST));
	CU_ASSERT(!fg_method_is_idempotent(FG_METHOD_OTHER));
	ASSERT_STR(fg_method_name(FG_METHOD_UNSUBSCRIBE), "UNSUBSCRIBE");
}

static void
sets_of_names(void)
{
	struct fg_header_set set = {.count = 0};
	struct fg_headers headers;

	fg_headers_init(&headers, &arena);
	CU_ASSERT_EQUAL(fg_headers_remove_named(&headers, &set), 0);
	fg_header_set_add(&set, FG_STR("X-User"), &arena);
	fg_header_set_add(&set, FG_STR("x_user"), &arena);
	fg_header_set_add(&set, FG_STR("X-Tenant-Id"), &arena);
	CU_ASSERT_EQUAL(set.count, 2);
	CU_ASSERT(fg_header_set_has(&set, FG_STR("X_USER")));
	CU_ASSERT(fg_header_set_has(&set, FG_STR("x-Tenant_iD")));
	CU_ASSERT(!fg_header_set_has(&set, FG_STR("X-Uses")));
	CU_ASSERT(!fg_header_set_has(&set, FG_STR("X-User2")));
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("X_User"), FG_STR("root")), FG_OK);
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("Accept"), FG_STR("a")), FG_OK);
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("X-User"), FG_STR("root")), FG_OK);
	CU_ASSERT_EQUAL(fg_headers_remove_named(&headers, &set), 2);
	CU_ASSERT_EQUAL_FATAL(headers.count, 1);
	ASSERT_STR(headers.v[0].name, "Accept");
}

void
suite_headers(void)
{
	CU_pSuite suite = CU_add_suite("headers", set_up, tear_down);

	ADD_TEST(suite, repeated_headers_stay_apart);
	ADD_TEST(suite, known_names_have_ids);
	ADD_TEST(suite, headers_are_bounded);
	ADD_TEST(suite, hop_by_hop_headers_go);
	ADD_TEST(suite, methods);
	ADD_TEST(suite, sets_of_names);
}
