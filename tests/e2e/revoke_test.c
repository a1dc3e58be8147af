/* Tokens taken back: by the store and by the pool's memory, within a bound; and a store that is gone. */
#include <time.h>

#include "e2e/e2e.h"
#include "e2e/idp.h"
#include "support/redis_server.h"

static struct stage stage;
static struct idp *idp;
static struct redis_server *redis;

#define POLICY "{type: jwt, issuer: '%s', keys: '%s/keys', audience: orders, algorithms: RS256, revocation: {check-every: 100ms, " \
	"stale-after: 4s, on-store-failure: %s}}\n"

static void
start_redis(void)
{
	redis = redis_server_start(NULL);
}

static int
init(void)
{
	if (!redis_server_try(start_redis))
		return 1;
	idp = idp_start();
	stage_play(&stage, NULL, NULL);
	stage_serve(&stage,
	    "store: {url: \"redis://127.0.0.1:%d\", deadline: 10s, connect-timeout: 60s}\n"
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "auth:\n"
	    "  careful: " POLICY
	    "  lenient: " POLICY
	    "routes:\n"
	    "  careful: {path: /careful, service: a, auth: careful}\n"
	    "  lenient: {path: /lenient, service: a, auth: lenient}\n",
	    redis_server_port(redis), played_port(stage.a), idp_issuer(idp), idp_issuer(idp), "deny", idp_issuer(idp),
	    idp_issuer(idp), "allow");
	return 0;
}

static int
cleanup(void)
{
	bool good = stage_close(&stage);

	redis_server_stop(redis);
	idp_free(idp);
	return !good;
}

struct wanted {
	const struct front *front;
	const char *path, *headers;
	int status;
	const char *reason;
};

static bool
is_answered(void *arg)
{
	const struct wanted *wanted = arg;
	const struct http_reply *reply = ask(wanted->front, "GET", wanted->path, wanted->headers, NULL);

	return reply->status == wanted->status && (wanted->reason == NULL || strstr(reply->body, wanted->reason) != NULL);
}

/* headers: of idp_bearer(), copied. */
static bool
wait_answer(const struct front *front, const char *path, const char *headers, int status, const char *reason)
{
	char copy[4096];
	struct wanted wanted = {front, path, copy, status, reason};

	snprintf(copy, sizeof(copy), "%s", headers);
	return bed_wait(is_answered, &wanted);
}

static const char *
bearer(const char *jti, long iat_from_now)
{
	char more[256];

	snprintf(more, sizeof(more), ",\"jti\":\"%s\",\"iat\":%lld", jti, (long long)time(NULL) + iat_from_now);
	return idp_bearer(idp, more);
}

static int
revoke(const struct bed *bed, const char *a, const char *b, const char *c, const char *d)
{
	const char *argv[] = {bed_program(), "revoke", "-c", bed->config, a, b, c, d, NULL};
	char *out = NULL;
	int status = bed_run(bed, &out, argv);

	if (status != 0)
		fprintf(stderr, "e2e: revoke: %s", out);
	free(out);
	return status;
}

static void
one_token_is_taken_back(void)
{
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", bearer("one", 0), 200, NULL));
	CU_ASSERT(revoke(&stage.bed, "--jti", "one", NULL, NULL) == 0);
	EACH_FRONT(&stage, front) {
		CHECK(front, wait_answer(front, "/careful", bearer("one", 0), 401, "token_revoked"));
		CHECK(front, wait_answer(front, "/lenient", bearer("one", 0), 401, "token_revoked"));
		CHECK(front, ask(front, "GET", "/careful", bearer("two", 0), NULL)->status == 200);
	}
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_auth_total{policy=\"careful\",outcome=\"token_revoked\"}") >= 1);
}

/* A provider that numbers its tokens and users: limits and log take the number for text, and so does who revokes. */
static void
numbers_are_taken_back_like_text(void)
{
	char headers[4096], payload[512];

	snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":\"orders\",\"sub\":77,\"jti\":78,\"exp\":9999999999}", idp_issuer(idp));
	snprintf(headers, sizeof(headers), "%s", idp_bearer_of(idp_sign(idp, "{\"alg\":\"RS256\",\"kid\":\"k1\"}", payload)));
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", headers, 200, NULL));
	CU_ASSERT(revoke(&stage.bed, "--sub", "77", "--issuer", idp_issuer(idp)) == 0);
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", headers, 401, "token_revoked"));
	snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":\"orders\",\"sub\":79,\"jti\":78,\"exp\":9999999999}", idp_issuer(idp));
	snprintf(headers, sizeof(headers), "%s", idp_bearer_of(idp_sign(idp, "{\"alg\":\"RS256\",\"kid\":\"k1\"}", payload)));
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", headers, 200, NULL));
	CU_ASSERT(revoke(&stage.bed, "--jti", "78", NULL, NULL) == 0);
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", headers, 401, "token_revoked"));
}

/* Of another issuer is not of this one. */
static void
a_subject_is_taken_back_before_a_moment(void)
{
	CU_ASSERT(revoke(&stage.bed, "--sub", "u1", "--issuer", "https://elsewhere.example/") == 0);
	CU_ASSERT(revoke(&stage.bed, "--jti", "three", NULL, NULL) == 0);
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", bearer("three", 0), 401, "token_revoked"));
	CU_ASSERT(ask(stage.fronts[0], "GET", "/careful", bearer("four", -100), NULL)->status == 200);
	CU_ASSERT(revoke(&stage.bed, "--sub", "u1", "--issuer", idp_issuer(idp)) == 0);
	EACH_FRONT(&stage, front) {
		CHECK(front, wait_answer(front, "/careful", bearer("four", -100), 401, "token_revoked"));
		CHECK(front, ask(front, "GET", "/careful", bearer("five", 20), NULL)->status == 200);
	}
}

static void
a_store_that_is_gone(void)
{
	redis_server_kill(redis);
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", bearer("five", 20), 503, "revocations_unknown"));
	EACH_FRONT(&stage, front) {
		CHECK(front, ask(front, "GET", "/lenient", bearer("five", 20), NULL)->status == 200);
		/* What was known is known. */
		CHECK(front, wait_answer(front, "/lenient", bearer("one", 20), 401, "token_revoked"));
		CHECK(front, wait_answer(front, "/careful", bearer("one", 20), 401, "token_revoked"));
	}
	CU_ASSERT(revoke(&stage.bed, "--jti", "six", NULL, NULL) == 3);
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_revocations_age_seconds{policy=\"careful\"}") >= 1);
	redis_server_again(redis);
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", bearer("five", 20), 200, NULL));
	CU_ASSERT(revoke(&stage.bed, "--jti", "six", NULL, NULL) == 0);
	CU_ASSERT(wait_answer(stage.fronts[0], "/careful", bearer("six", 20), 401, "token_revoked"));
}

static void
an_issuer_is_taken_back(void)
{
	CU_ASSERT(revoke(&stage.bed, "--all", "--issuer", idp_issuer(idp), NULL) == 0);
	EACH_FRONT(&stage, front) {
		CHECK(front, wait_answer(front, "/lenient", bearer("seven", -100), 401, "token_revoked"));
		CHECK(front, ask(front, "GET", "/lenient", bearer("seven", 20), NULL)->status == 200);
	}
}

static void
a_pool_without_a_store(void)
{
	const struct front *front;
	struct bed bed;

	bed_open(&bed);
	bed_write_config(&bed,
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "auth: {idp: {type: jwt, issuer: '%s', keys: '%s/keys', audience: orders, algorithms: RS256, revocation: {on-store-failure: deny}}}\n"
	    "routes: {a: {path: /a, service: a, auth: idp}}\n",
	    played_port(stage.a), idp_issuer(idp), idp_issuer(idp));
	CU_ASSERT(revoke(&bed, "--jti", "one", NULL, NULL) == 3);
	bed_start_pool(&bed, NULL);
	front = bed_start_front(&bed, FRONT_LIGHTTPD, "/", NULL);
	CHECK(front, ask(front, "GET", "/a", bearer("one", 0), NULL)->status == 200);
	CU_ASSERT(revoke(&bed, "--jti", "one", NULL, NULL) == 0);
	CHECK(front, http_is_problem(&bed, ask(front, "GET", "/a", bearer("one", 0), NULL), 401, "token_revoked"));
	CHECK(front, ask(front, "GET", "/a", bearer("two", 0), NULL)->status == 200);
	CU_ASSERT(bed_close(&bed));
}

void
suite_revoke(void)
{
	CU_pSuite suite = add_suite("revoke", init, cleanup);

	ADD_SCENE(suite, one_token_is_taken_back);
	ADD_SCENE(suite, numbers_are_taken_back_like_text);
	ADD_SCENE(suite, a_subject_is_taken_back_before_a_moment);
	ADD_SCENE(suite, a_store_that_is_gone);
	ADD_SCENE(suite, an_issuer_is_taken_back);
	ADD_SCENE(suite, a_pool_without_a_store);
}
