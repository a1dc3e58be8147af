/* lib/filter/credentials: where a credential is found, that it is found once, and what is left without it. */
#include <stdlib.h>

#include "filter/credentials.h"
#include "unit/exchange_scene.h"

static const struct fg_credential_place authorization = {FG_CREDENTIAL_HEADER, FG_STR_INIT("Authorization")};
static const struct fg_credential_place own_header = {FG_CREDENTIAL_HEADER, FG_STR_INIT("X-Token")};
static const struct fg_credential_place cookie = {FG_CREDENTIAL_COOKIE, FG_STR_INIT("session")};
static const struct fg_credential_place parameter = {FG_CREDENTIAL_QUERY, FG_STR_INIT("access token")};

static struct fg_credential_place all[4];
static const struct fg_credential_places places = {all, FG_ARRAY_LEN(all)};

static int
set_up(void)
{
	all[0] = authorization;
	all[1] = own_header;
	all[2] = cookie;
	all[3] = parameter;
	return scene_set_up();
}

/* Of a request as scene_asks() and scene_with() have made it. expected NULL: none. */
static void
expect_found(const char *expected)
{
	struct fg_exchange *x = scene_decided();
	struct fg_str text;

	CU_ASSERT_EQUAL(fg_credential_find(&places, FG_STR("Bearer"), x, &text), FG_OK);
	if (expected == NULL)
		CU_ASSERT_PTR_NULL(text.p)
	else
		ASSERT_STR(text, expected);
	fg_exchange_free(x);
}

static void
expect_ambiguous(void)
{
	struct fg_exchange *x = scene_decided();
	struct fg_str text;

	CU_ASSERT_EQUAL(fg_credential_find(&places, FG_STR("Bearer"), x, &text), FG_ERR_CREDENTIALS_AMBIGUOUS);
	fg_exchange_free(x);
}

static void
asks_with(const char *target, const char *name, const char *value)
{
	scene_asks("GET", target);
	if (name != NULL)
		scene_with(name, value);
}

static void
each_place_is_looked_at(void)
{
	static const struct { const char *target, *name, *value, *expected; } cases[] = {
	    {"/plain/1", NULL, NULL, NULL},
	    {"/plain/1", "HTTP_AUTHORIZATION", "Bearer abc", "abc"},
	    {"/plain/1", "HTTP_AUTHORIZATION", "bEARER   abc ", "abc"},
	    {"/plain/1", "HTTP_AUTHORIZATION", "Basic abc", NULL},
	    {"/plain/1", "HTTP_AUTHORIZATION", "Bearer", NULL},
	    {"/plain/1", "HTTP_AUTHORIZATION", "Bearerabc", NULL},
	    {"/plain/1", "HTTP_AUTHORIZATION", "abc", NULL},
	    {"/plain/1", "HTTP_X_TOKEN", " abc", "abc"},
	    {"/plain/1", "HTTP_X_TOKEN", "Bearer abc", "abc"},
	    {"/plain/1", "HTTP_COOKIE", "a=1; session=abc; b", "abc"},
	    {"/plain/1", "HTTP_COOKIE", "xsession=abc; session", NULL},
	    {"/plain/1", "HTTP_COOKIE", "session=", NULL},
	    {"/plain/1?access+token=a%2Bc", NULL, NULL, "a+c"},
	    {"/plain/1?a&access%20token=abc&b=2", NULL, NULL, "abc"},
	    {"/plain/1?access_token=abc", NULL, NULL, NULL},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		asks_with(cases[i].target, cases[i].name, cases[i].value);
		expect_found(cases[i].expected);
	}
}

static void
two_are_refused(void)
{
	asks_with("/plain/1?access%20token=a", "HTTP_AUTHORIZATION", "Bearer a");
	expect_ambiguous();
	asks_with("/plain/1?access%20token=a&x=1&access+token=a", NULL, NULL);
	expect_ambiguous();
	asks_with("/plain/1", "HTTP_COOKIE", "session=a; session=b");
	expect_ambiguous();
	asks_with("/plain/1", "HTTP_COOKIE", "session=a");
	scene_with("HTTP_X_TOKEN", "a");
	expect_ambiguous();
}

static void
stripping_leaves_all_else(void)
{
	struct fg_exchange *x;

	asks_with("/plain/1?a=%41&access+token=abc&b&access%20token=d", "HTTP_AUTHORIZATION", "bearer abc");
	scene_with("HTTP_X_TOKEN", "abc");
	scene_with("HTTP_COOKIE", "a=1;session=abc;b; session=d");
	x = scene_decided();
	fg_credential_strip(&places, FG_STR("Bearer"), x);
	ASSERT_STR(x->req.uri.query, "a=%41&b");
	scene_expect_header(x, "Authorization", NULL);
	scene_expect_header(x, "X-Token", NULL);
	scene_expect_header(x, "Cookie", "a=1; b");
	fg_exchange_free(x);

	/* Nothing there: every byte stays. */
	asks_with("/plain/1?a=&&b=1", "HTTP_AUTHORIZATION", "Basic abc");
	scene_with("HTTP_COOKIE", "a=1;b");
	x = scene_decided();
	fg_credential_strip(&places, FG_STR("Bearer"), x);
	ASSERT_STR(x->req.uri.query, "a=&&b=1");
	scene_expect_header(x, "Authorization", "Basic abc");
	scene_expect_header(x, "Cookie", "a=1;b");
	fg_exchange_free(x);

	asks_with("/plain/1?access%20token=abc", "HTTP_COOKIE", "session=abc");
	x = scene_decided();
	fg_credential_strip(&places, FG_STR("Bearer"), x);
	CU_ASSERT_FALSE(x->req.uri.has_query);
	scene_expect_header(x, "Cookie", NULL);
	fg_exchange_free(x);
}

void
suite_credentials(void)
{
	CU_pSuite suite = CU_add_suite("credentials", set_up, scene_tear_down);

	ADD_TEST(suite, each_place_is_looked_at);
	ADD_TEST(suite, two_are_refused);
	ADD_TEST(suite, stripping_leaves_all_else);
}
