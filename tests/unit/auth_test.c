/* lib/filter/auth: policies asked in order, the most telling refusal, what the service is told. */
#include <stdlib.h>

#include "core/identity.h"
#include "filter/authenticator.h"
#include "filter/filter_list.h"
#include "unit/exchange_scene.h"

/* ---- an authenticator that says what the test says */

struct played_policy {
	struct fg_auth_policy auth;
	enum fg_auth_verdict verdict, later; /* later: after a wait */
	enum fg_err reason;
	struct fg_await *await;
	int asked, cancelled, released, discarded;
};

static bool
find_claim(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	static const struct fg_str sub[] = {FG_STR_INIT("ann")}, roles[] = {FG_STR_INIT("admin"), FG_STR_INIT("staff")};
	static const struct fg_str forged[] = {FG_STR_INIT("a"), FG_STR_INIT("b,admin")}, broken[] = {FG_STR_INIT("a\nX-Evil: b")};

	(void)source;
	(void)arena;
	if (fg_str_eq(name, FG_STR("sub")))
		*out = (struct fg_claim_values){sub, 1};
	else if (fg_str_eq(name, FG_STR("roles")))
		*out = (struct fg_claim_values){roles, 2};
	else if (fg_str_eq(name, FG_STR("forged")))
		*out = (struct fg_claim_values){forged, 2};
	else if (fg_str_eq(name, FG_STR("broken")))
		*out = (struct fg_claim_values){broken, 1};
	else
		return false;
	return true;
}

static void
count_release(void *held)
{
	((struct played_policy *)held)->released++;
}

static enum fg_auth_verdict
give(struct fg_auth_attempt *attempt, struct played_policy *played, enum fg_auth_verdict verdict)
{
	struct fg_identity *identity = FG_ARENA_NEW(&attempt->x->arena, struct fg_identity);

	if (verdict != FG_AUTH_ACCEPTED)
		return fg_auth_say(attempt, verdict, played->reason, "the test says so");
	identity->consumer = FG_STR("ann");
	identity->claims = (struct fg_claims){.find = find_claim};
	attempt->held = played;
	attempt->release = count_release;
	return fg_auth_accept(attempt, identity);
}

static enum fg_auth_verdict
after_wait(struct fg_auth_attempt *attempt, void *arg)
{
	struct played_policy *played = arg;

	return give(attempt, played, played->later);
}

static void
count_cancel(void *arg)
{
	((struct played_policy *)arg)->cancelled++;
}

static void
count_discard(void *arg)
{
	((struct played_policy *)arg)->discarded++;
}

static enum fg_auth_verdict
look(const struct fg_auth_policy *policy, struct fg_auth_attempt *attempt)
{
	struct played_policy *played = (struct played_policy *)(uintptr_t)policy;

	played->asked++;
	attempt->discard = count_discard;
	if (played->verdict == FG_AUTH_SUSPENDED)
		return fg_auth_await(attempt, "the test", after_wait, count_cancel, played, &played->await);
	return give(attempt, played, played->verdict);
}

static struct fg_str
challenge_basic(const struct fg_auth_policy *policy, struct fg_exchange *x, const struct fg_auth_attempt *refused)
{
	(void)policy;
	(void)x;
	(void)refused;
	return FG_STR("Basic realm=\"b\"");
}

static const struct fg_authenticator bearer = {
    .scheme = FG_STR_INIT("Bearer"), .challenge = fg_auth_bearer_challenge, .look = look};
static const struct fg_authenticator basic = {.scheme = FG_STR_INIT("Basic"), .challenge = challenge_basic, .look = look};

/* ---- a route with two of them */

static const struct fg_credential_place authorization = {FG_CREDENTIAL_HEADER, FG_STR_INIT("Authorization")};
static const struct fg_credential_place key_header = {FG_CREDENTIAL_HEADER, FG_STR_INIT("X-Key")};
static struct played_policy first, second;
static const void *const both[] = {&first, &second};
static const struct fg_policies policies = {both, 2};
static const struct fg_filter filter = {.type = &fg_filter_auth, .conf = &policies};
static struct fg_route *route;

static void
play(enum fg_auth_verdict a, enum fg_err reason_a, enum fg_auth_verdict b, enum fg_err reason_b)
{
	first = (struct played_policy){.auth = {.policy = {.name = FG_STR("first")}, .authenticator = &bearer,
	    .from = {&authorization, 1}, .realm = FG_STR("r")}, .verdict = a, .reason = reason_a};
	second = (struct played_policy){.auth = {.policy = {.name = FG_STR("second")}, .authenticator = &basic,
	    .from = {&key_header, 1}}, .verdict = b, .reason = reason_b};
	route = scene.config->routes[0];
	route->filters = &filter;
	route->filter_count = 1;
	scene_asks("GET", "/plain/1");
}

static void
end_play(void)
{
	route->filters = NULL;
	route->filter_count = 0;
}

/* The decision's reason, and the values of WWW-Authenticate, divided by bars. */
static void
expect_refused(enum fg_err reason, const char *challenges)
{
	struct fg_exchange *x = scene_decided();
	struct fg_buf found;

	fg_buf_init(&found, 1000);
	for (size_t i = 0; i < x->resp.headers.count; i++)
		if (fg_str_eq(x->resp.headers.v[i].name, FG_STR("WWW-Authenticate")))
			fg_buf_printf(&found, "%s" FG_STR_FMT, found.len > 0 ? " | " : "", FG_STR_ARG(x->resp.headers.v[i].value));
	CU_ASSERT_EQUAL(x->reason, reason);
	CU_ASSERT_PTR_NULL(x->identity);
	ASSERT_STR(fg_buf_str(&found), challenges);
	fg_buf_fini(&found);
	fg_exchange_free(x);
	end_play();
}

static void
any_one_is_enough(void)
{
	struct fg_exchange *x;

	play(FG_AUTH_REFUSED, FG_ERR_TOKEN_EXPIRED, FG_AUTH_ACCEPTED, FG_OK);
	x = scene_decided();
	CU_ASSERT_EQUAL(x->terminal, FG_TERMINAL_FORWARD);
	CU_ASSERT_PTR_NOT_NULL_FATAL(x->identity);
	ASSERT_STR(x->identity->policy, "second");
	fg_exchange_free(x);
	CU_ASSERT_EQUAL(second.released, 1);
	play(FG_AUTH_ACCEPTED, FG_OK, FG_AUTH_ACCEPTED, FG_OK);
	x = scene_decided();
	ASSERT_STR(x->identity->policy, "first");
	CU_ASSERT_EQUAL(second.asked, 0);
	fg_exchange_free(x);
	end_play();
}

static void
the_most_telling_refusal_is_answered(void)
{
	play(FG_AUTH_ABSENT, FG_ERR_TOKEN_MISSING, FG_AUTH_ABSENT, FG_ERR_PASSWORD_MISSING);
	expect_refused(FG_ERR_TOKEN_MISSING, "Bearer realm=\"r\" | Basic realm=\"b\"");
	play(FG_AUTH_ABSENT, FG_ERR_TOKEN_MISSING, FG_AUTH_REFUSED, FG_ERR_PASSWORD_WRONG);
	expect_refused(FG_ERR_PASSWORD_WRONG, "Basic realm=\"b\" | Bearer realm=\"r\"");
	play(FG_AUTH_NOT_MINE, FG_ERR_TOKEN_ISSUER_UNKNOWN, FG_AUTH_ABSENT, FG_ERR_PASSWORD_MISSING);
	expect_refused(FG_ERR_TOKEN_ISSUER_UNKNOWN,
	    "Bearer realm=\"r\", error=\"invalid_token\", error_description=\"Token's issuer unknown\" | Basic realm=\"b\"");
	play(FG_AUTH_REFUSED, FG_ERR_TOKEN_EXPIRED, FG_AUTH_UNAVAILABLE, FG_ERR_KEYS_UNAVAILABLE);
	expect_refused(FG_ERR_KEYS_UNAVAILABLE, "");
	play(FG_AUTH_REFUSED, FG_ERR_CREDENTIALS_AMBIGUOUS, FG_AUTH_REFUSED, FG_ERR_PASSWORD_WRONG);
	expect_refused(FG_ERR_CREDENTIALS_AMBIGUOUS,
	    "Bearer realm=\"r\", error=\"invalid_request\", error_description=\"Credentials sent twice\" | Basic realm=\"b\"");
}

static void
the_service_is_told(void)
{
	static const struct fg_auth_forward told[] = {{FG_STR_INIT("X-User"), FG_STR_INIT("sub")},
	    {FG_STR_INIT("X-Roles"), FG_STR_INIT("roles")}, {FG_STR_INIT("X-None"), FG_STR_INIT("none")}};
	static const struct fg_auth_forward forged[] = {{FG_STR_INIT("X-Roles"), FG_STR_INIT("forged")}};
	static const struct fg_auth_forward broken[] = {{FG_STR_INIT("X-User"), FG_STR_INIT("broken")}};
	struct fg_exchange *x;

	play(FG_AUTH_ACCEPTED, FG_OK, FG_AUTH_ABSENT, FG_ERR_PASSWORD_MISSING);
	first.auth.forward = told;
	first.auth.forward_count = 3;
	second.auth.strip = true;
	scene_with("HTTP_AUTHORIZATION", "Bearer x");
	scene_with("HTTP_X_KEY", "secret");
	x = scene_decided();
	scene_expect_header(x, "X-User", "ann");
	scene_expect_header(x, "X-Roles", "admin,staff");
	scene_expect_header(x, "X-None", NULL);
	scene_expect_header(x, "Authorization", "Bearer x");
	scene_expect_header(x, "X-Key", NULL);
	fg_exchange_free(x);

	first.auth.forward = forged;
	first.auth.forward_count = 1;
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_IDENTITY_UNFIT);
	fg_exchange_free(x);
	first.auth.forward = broken;
	x = scene_decided();
	CU_ASSERT_EQUAL(x->reason, FG_ERR_IDENTITY_UNFIT);
	fg_exchange_free(x);
	end_play();
}

static void
a_policy_waits(void)
{
	struct fg_exchange *x;

	play(FG_AUTH_SUSPENDED, FG_ERR_TOKEN_KEY_UNKNOWN, FG_AUTH_SUSPENDED, FG_OK);
	end_play();
	route = scene.config->routes[scene.config->route_count - 1];
	route->filters = &filter;
	route->filter_count = 1;
	scene_asks("GET", "/fixed");
	first.later = FG_AUTH_REFUSED;
	second.later = FG_AUTH_ACCEPTED;
	x = scene_begin();
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	fg_await_done(x, first.await);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	CU_ASSERT_EQUAL(second.asked, 1);
	fg_await_done(x, second.await);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(scene.front.status, 200);
	CU_ASSERT_EQUAL(second.released, 1);
	CU_ASSERT_EQUAL(first.cancelled + second.cancelled, 0);
	scene_finish();

	x = scene_begin();
	fg_exchange_start(x);
	fg_exchange_on_client_gone(x);
	CU_ASSERT_EQUAL(first.cancelled, 1);
	CU_ASSERT_EQUAL(second.released, 1);
	CU_ASSERT_EQUAL(first.discarded + second.discarded, 0);
	scene_finish();

	/* The result is there when the client leaves. */
	x = scene_begin();
	fg_exchange_start(x);
	fg_await_done(x, first.await);
	fg_exchange_on_client_gone(x);
	CU_ASSERT_EQUAL(first.cancelled, 1);
	CU_ASSERT_EQUAL(first.discarded, 1);
	scene_finish();
	end_play();
}

void
suite_auth(void)
{
	CU_pSuite suite = CU_add_suite("auth", scene_set_up, scene_tear_down);

	ADD_TEST(suite, any_one_is_enough);
	ADD_TEST(suite, the_most_telling_refusal_is_answered);
	ADD_TEST(suite, the_service_is_told);
	ADD_TEST(suite, a_policy_waits);
}
