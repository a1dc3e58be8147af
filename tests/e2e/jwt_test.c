/*
 * Tokens of an identity provider: who is let in and told to the service, who is not and why; keys that change, and a provider
 * that dies and lies.
 */
#include <signal.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "e2e/idp.h"

static struct stage stage;
static struct idp *idp, *other;

/*
 * Each scene that plays with time has a policy of its own: `brief` has keys that are fetched each second and soon are too old,
 * `lied` the same, but they serve on.
 */
static int
init(void)
{
	idp = idp_start();
	other = idp_start();
	stage_play(&stage, NULL, NULL);
	stage_serve(&stage,
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "auth:\n"
	    "  idp: {type: jwt, issuer: '%s', audience: orders, algorithms: [RS256, ES256], cooldown: 1s,\n"
	    "    forward: {X-User: sub, X-Roles: roles}, type-header: JWT, from: [header:Authorization, cookie:session, query:t],\n"
	    "    required-claims: [tenant.id], strip: true}\n"
	    "  other: {type: jwt, issuer: '%s', audience: any, algorithms: RS256, cooldown: 3s, forward: {X-User: sub}}\n"
	    "  brief: {type: jwt, issuer: '%s', keys: '%s/keys?brief', audience: orders, algorithms: RS256, stale: 1s,\n"
	    "    refresh: {at-least: 1s, at-most: 1s, otherwise: 1s}, fetch-timeout: 1s, cache: off}\n"
	    "  lied: {type: jwt, issuer: '%s', audience: orders, algorithms: RS256, stale: 1h, fetch-timeout: 1s, cooldown: 1s,\n"
	    "    refresh: {at-least: 1s, at-most: 1s, otherwise: 1s}, discovery: '%s/.well-known/openid-configuration?lied'}\n"
	    "routes:\n"
	    "  public: {path: /public/*, service: a, auth: none}\n"
	    "  mine: {path: /mine/*, service: a, auth: idp}\n"
	    "  both: {path: /both/*, service: a, auth: [idp, other]}\n"
	    "  other: {path: /other/*, service: a, auth: other}\n"
	    "  brief: {path: /brief/*, service: a, auth: brief}\n"
	    "  lied: {path: /lied/*, service: a, auth: lied}\n",
	    played_port(stage.a), idp_issuer(idp), idp_issuer(other), idp_issuer(idp), idp_issuer(idp), idp_issuer(other),
	    idp_issuer(other));
	return 0;
}

static int
cleanup(void)
{
	bool good = stage_close(&stage);

	idp_free(idp);
	idp_free(other);
	return !good;
}

#define TENANT ",\"tenant\":{\"id\":\"t1\"}"

/* A token as the policy `idp` wants it. */
static const char *
good_token(const char *more)
{
	static char header[64], claims[512];

	snprintf(claims, sizeof(claims), TENANT "%s", more);
	snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}");
	return idp_sign(idp, header, idp_payload(idp, claims));
}

/* ---- who is let in */

static void
the_service_is_told_who_calls(void)
{
	EACH_FRONT(&stage, front) {
		char headers[4096];
		const struct http_reply *reply;

		snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\nX-User: admin\r\nX_Roles: root\r\n", good_token(""));
		reply = ask(front, "POST", "/mine/x", headers, "the body");
		CHECK(front, reply->status == 200);
		CHECK(front, http_body_has(reply, "\r\nX-User: u1\r\n"));
		CHECK(front, strstr(reply->body, "admin") == NULL && strstr(reply->body, "root") == NULL);
		CHECK(front, strstr(reply->body, "Roles") == NULL);
		CHECK(front, strstr(reply->body, "Authorization") == NULL);
		CHECK(front, http_body_has(reply, "\r\n\r\nthe body"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "consumer", "u1"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "auth", "idp"));
		/* Again, as it was verified before; an array is joined. */
		reply = ask(front, "GET", "/mine/x", idp_bearer_of(good_token(",\"roles\":[\"a\",\"b\"]")), NULL);
		CHECK(front, http_body_has(reply, "\r\nX-Roles: a,b\r\n"));
		/* A public route: nobody is somebody. */
		reply = ask(front, "GET", "/public/x", "X-User: admin\r\nAuthorization: Bearer x\r\n", NULL);
		CHECK(front, reply->status == 200 && strstr(reply->body, "admin") == NULL && http_body_has(reply, "Authorization: Bearer x"));
	}
}

static void
a_token_may_be_elsewhere(void)
{
	EACH_FRONT(&stage, front) {
		char text[4096], *line;
		const struct http_reply *reply;

		snprintf(text, sizeof(text), "Cookie: a=1; session=%s; b=2\r\n", good_token(""));
		reply = ask(front, "GET", "/mine/x", text, NULL);
		CHECK(front, reply->status == 200 && http_body_has(reply, "\r\nCookie: a=1; b=2\r\n"));
		snprintf(text, sizeof(text), "/mine/x?a=1&t=%s&b=2", good_token(""));
		reply = get(front, text);
		CHECK(front, reply->status == 200 && http_body_has(reply, "GET /mine/x?a=1&b=2 "));
		line = bed_log_line(&stage.bed, reply->id);
		CHECK(front, line != NULL && strstr(line, "eyJ") == NULL && strstr(line, "\"query\":\"a=1") != NULL);
		free(line);
		reply = ask(front, "GET", text, idp_bearer_of(good_token("")), NULL);
		CHECK(front, http_is_problem(&stage.bed, reply, 400, "credentials_ambiguous"));
		line = bed_log_line(&stage.bed, reply->id);
		CHECK(front, line != NULL && strstr(line, "eyJ") == NULL && strstr(line, "t=***") != NULL);
		free(line);
	}
}

static void
the_issuer_chooses(void)
{
	EACH_FRONT(&stage, front) {
		for (int i = 0; i < 3; i++) {
			const struct http_reply *reply = ask(front, "GET", "/both/x", idp_bearer_of(good_token("")), NULL);

			CHECK(front, reply->status == 200 && bed_log_says(&stage.bed, reply->id, "auth", "idp"));
			reply = ask(front, "GET", "/both/x", idp_bearer(other, NULL), NULL);
			CHECK(front, reply->status == 200 && bed_log_says(&stage.bed, reply->id, "auth", "other"));
		}
	}
}

/* ---- who is not */

static const char *
with(const char *header, const char *payload)
{
	return idp_sign(idp, header, payload);
}

/* The public key, which everybody has, as a secret. */
static char *
confused(void)
{
	char *pem = maker_pem(idp_key(idp), NULL, NULL), *token;
	struct maker_key *secret = maker_key_from_secret("HS256", pem, strlen(pem));

	token = maker_token(secret, "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", idp_payload(idp, TENANT));
	maker_key_free(secret);
	free(pem);
	return token;
}

static char *
forged(void)
{
	struct maker_key *key = maker_key_new("RS256");
	char *token = maker_token(key, "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", idp_payload(idp, TENANT));

	maker_key_free(key);
	return token;
}

static void
expect_refused(const char *token, const char *reason)
{
	char series[128], expected[256];

	snprintf(series, sizeof(series), "faregate_auth_total{policy=\"idp\",outcome=\"%s\"}", reason);
	EACH_FRONT(&stage, front) {
		double before = bed_metric(front, series);
		const struct http_reply *reply = ask(front, "GET", "/mine/x", idp_bearer_of(token), NULL);
		const char *challenge = http_header(reply, "WWW-Authenticate");

		if (!http_is_problem(&stage.bed, reply, 401, reason))
			fprintf(stderr, "e2e: expected %s for %s\n", reason, token);
		CHECK(front, http_is_problem(&stage.bed, reply, 401, reason));
		CHECK(front, bed_metric(front, series) == before + 1);
		snprintf(expected, sizeof(expected), "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"");
		CHECK(front, challenge != NULL && strncmp(challenge, expected, strlen(expected)) == 0);
		CHECK(front, http_header_count(reply, "WWW-Authenticate") == 1);
	}
}

static void
each_attack_has_its_reason(void)
{
	static const char head[] = "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}";
	char payload[1024], *text;

	expect_refused(text = maker_token_with("{\"alg\":\"none\",\"typ\":\"JWT\"}", idp_payload(idp, TENANT), "", 0),
	    "token_algorithm_refused");
	free(text);
	expect_refused(text = maker_token_with("{\"alg\":\"nOnE\",\"typ\":\"JWT\"}", idp_payload(idp, TENANT), "", 0),
	    "token_algorithm_refused");
	free(text);
	expect_refused(text = confused(), "token_algorithm_refused");
	free(text);
	expect_refused(text = forged(), "token_signature_invalid");
	free(text);
	expect_refused(with("{\"alg\":\"RS256\",\"kid\":\"k1\",\"jku\":\"https://evil.example/\"}", idp_payload(idp, TENANT)), "token_key_url");
	expect_refused(with("{\"alg\":\"RS256\",\"kid\":\"k1\",\"x5u\":\"https://evil.example/\"}", idp_payload(idp, TENANT)), "token_key_url");
	expect_refused(with("{\"alg\":\"RS256\",\"jwk\":{}}", idp_payload(idp, TENANT)), "token_key_embedded");
	expect_refused(with("{\"alg\":\"RS256\",\"kid\":\"k1\",\"crit\":[\"x\"],\"x\":1}", idp_payload(idp, TENANT)), "token_critical_unknown");
	expect_refused(with("{\"alg\":\"RS256\",\"alg\":\"none\"}", idp_payload(idp, TENANT)), "token_malformed");
	expect_refused(with("{\"alg\":\"RS256\",\"kid\":\"k1\"}", idp_payload(idp, TENANT)), "token_type_wrong");
	expect_refused(with("{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}", idp_payload(idp, TENANT)), "token_type_wrong");
	expect_refused(with(head, idp_payload(idp, NULL)), "token_claim_missing");
	snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":\"orders\",\"sub\":\"u1\"" TENANT "}", idp_issuer(idp));
	expect_refused(with(head, payload), "token_claim_missing");
	expect_refused(with(head, idp_payload(idp, TENANT ",\"sub\":\"admin\"")), "token_malformed");
	expect_refused(with(head, idp_payload(idp, TENANT ",\"x\":\"\\u0000\"")), "token_malformed");
	snprintf(payload, sizeof(payload), "%s {}", idp_payload(idp, TENANT));
	expect_refused(with(head, payload), "token_malformed");
	snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":\"orders\",\"sub\":\"u1\",\"exp\":1" TENANT "}", idp_issuer(idp));
	expect_refused(with(head, payload), "token_expired");
	snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":\"orders\",\"sub\":\"u1\",\"exp\":\"x\"" TENANT "}", idp_issuer(idp));
	expect_refused(with(head, payload), "token_claim_invalid");
	snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"aud\":[\"x\"],\"sub\":\"u1\",\"exp\":9999999999" TENANT "}", idp_issuer(idp));
	expect_refused(with(head, payload), "token_audience_wrong");
	snprintf(payload, sizeof(payload), "{\"iss\":\"https://evil.example\",\"aud\":\"orders\",\"exp\":9999999999" TENANT "}");
	expect_refused(with(head, payload), "token_issuer_unknown");
	expect_refused(with(head, idp_payload(idp, TENANT ",\"nbf\":9999999999")), "token_not_yet_valid");
	expect_refused("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d", "token_encrypted");
	expect_refused("abc", "token_malformed");
	snprintf(payload, sizeof(payload), "%s=", good_token(""));
	expect_refused(payload, "token_malformed");
	snprintf(payload, sizeof(payload), "%s.x", good_token(""));
	expect_refused(payload, "token_malformed");
}

static void
no_token_no_error(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/both/x");

		CHECK(front, http_is_problem(&stage.bed, reply, 401, "token_missing"));
		CHECK(front, http_header_count(reply, "WWW-Authenticate") == 1);
		CHECK(front, http_header_is(reply, "WWW-Authenticate", "Bearer realm=\"api\""));
		reply = ask(front, "GET", "/both/x", "Authorization: Basic dTpw\r\n", NULL);
		CHECK(front, http_is_problem(&stage.bed, reply, 401, "token_missing"));
	}
}

/* ---- keys */

/* All that three policies of two providers needed at start; workers and requests notwithstanding. */
static void
two_workers_fetch_once(void)
{
	pid_t pids[8];

	CU_ASSERT(bed_workers(&stage.bed, pids, 8) == 2);
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 20; i++)
			CHECK(front, ask(front, "GET", "/other/x", idp_bearer(other, NULL), NULL)->status == 200);
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_key_fetches_total{policy=\"other\",outcome=\"changed\"}") == 1);
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_key_fetches_total{policy=\"idp\",outcome=\"changed\"}") == 1);
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_key_fetches_total{policy=\"other\",outcome=\"failed\"}") == 0);
}

static bool
is_let_in(void *arg)
{
	return ask(stage.fronts[0], "GET", arg, idp_bearer(other, NULL), NULL)->status == 200;
}

/* `lied` has a cooldown of a second: a token of the new key makes the keys come before their time. */
static void
rotation_is_seen(void)
{
	char old[4096];

	snprintf(old, sizeof(old), "%s", idp_bearer(other, NULL));
	CU_ASSERT(ask(stage.fronts[0], "GET", "/lied/x", old, NULL)->status == 200);
	idp_rotate(other);
	CU_ASSERT(bed_wait(is_let_in, (void *)(uintptr_t)"/lied/x"));
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		CHECK(front, ask(front, "GET", "/lied/x", idp_bearer(other, NULL), NULL)->status == 200);
		/* The old key is gone, and with it the tokens that were verified by it. */
		reply = ask(front, "GET", "/lied/x", old, NULL);
		CHECK(front, http_is_problem(&stage.bed, reply, 401, "token_key_unknown"));
	}
}

enum { INVENTED = 1000 };

static double
fetches_of(const char *policy, const char *outcome)
{
	char series[128];

	snprintf(series, sizeof(series), "faregate_key_fetches_total{policy=\"%s\",outcome=\"%s\"}", policy, outcome);
	return bed_metric(stage.fronts[0], series);
}

static double
all_fetches_of(const char *policy)
{
	return fetches_of(policy, "unchanged") + fetches_of(policy, "changed");
}

static bool
has_fetched_since(double before)
{
	return all_fetches_of("other") > before;
}

/* One, and then none for the cooldown of 3 seconds. */
static void
invented_kids_cost_nothing(void)
{
	double before = all_fetches_of("other"), fetches;
	int64_t began, took;
	char token[4096];

	snprintf(token, sizeof(token), "%s",
	    idp_bearer_of(idp_sign(other, "{\"alg\":\"RS256\",\"kid\":\"invented\"}", idp_payload(other, NULL))));
	began = bed_now_ms();
	while (!has_fetched_since(before))
		CU_ASSERT(ask(stage.fronts[0], "GET", "/other/x", token, NULL)->status == 401);
	for (int i = 0; i < INVENTED; i++) {
		const struct http_reply *reply = ask(stage.fronts[i % 2], "GET", "/other/x", token, NULL);

		if (i % 100 == 0)
			CU_ASSERT(http_is_problem(&stage.bed, reply, 401, "token_key_unknown"));
		http_forget_all();
	}
	took = bed_now_ms() - began;
	fetches = all_fetches_of("other") - before;
	fprintf(stderr, "e2e: %d tokens with an invented kid in %lld ms: %.0f fetches\n", INVENTED, (long long)took, fetches);
	CU_ASSERT(fetches >= 1 && fetches <= 1 + (double)(took / 3000 + (took > 2500)));
}

/* ---- a provider that lies */

struct wanted {
	const char *policy, *outcome;
	double at_least;
};

static bool
has_fetched(void *arg)
{
	const struct wanted *wanted = arg;

	return fetches_of(wanted->policy, wanted->outcome) >= wanted->at_least;
}

static bool
wait_fetched(const char *policy, const char *outcome)
{
	struct wanted wanted = {policy, outcome, fetches_of(policy, outcome) + 1};

	return bed_wait(has_fetched, &wanted);
}

static bool
log_has_now(void *text)
{
	char *log = bed_read(&stage.bed, "pool.log");
	bool has = strstr(log, text) != NULL;

	free(log);
	return has;
}

static bool
log_has(const char *text)
{
	bool has = bed_wait(log_has_now, (void *)(uintptr_t)text);

	if (!has)
		fprintf(stderr, "e2e: the log does not have \"%s\"\n", text);
	return has;
}

static void
a_lying_provider_changes_nothing(void)
{
	static const struct { enum idp_mood mood; const char *because; } lies[] = {
	    {IDP_ERROR, "status is not 200"}, {IDP_HTML, "no JWK Set"}, {IDP_GARBAGE, "no JWK Set"}, {IDP_EMPTY_SET, "no JWK Set"},
	    {IDP_HUGE, "too large"}, {IDP_REDIRECT, "redirect"}, {IDP_OTHER_ISSUER, "another issuer"},
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		idp_set_mood(other, lies[i].mood);
		CU_ASSERT(wait_fetched("lied", "failed"));
		EACH_FRONT(&stage, front)
			CHECK(front, ask(front, "GET", "/lied/x", idp_bearer(other, NULL), NULL)->status == 200);
		CU_ASSERT(log_has(lies[i].because));
		idp_set_mood(other, IDP_GOOD);
		CU_ASSERT(wait_fetched("lied", "unchanged"));
	}
	CU_ASSERT(log_has("keys cannot be fetched, the last good ones serve"));
	CU_ASSERT(log_has("keys can be fetched again"));
}

/* What takes long is waited for by nobody who has keys. */
static void
a_slow_provider_holds_nobody_up(void)
{
	unsigned before;

	idp_set_mood(other, IDP_HELD);
	before = idp_fetches(other);
	while (idp_fetches(other) == before)
		CU_ASSERT(ask(stage.fronts[0], "GET", "/lied/x", idp_bearer(other, NULL), NULL)->status == 200);
	EACH_FRONT(&stage, front)
		CHECK(front, ask(front, "GET", "/lied/x", idp_bearer(other, NULL), NULL)->status == 200);
	CU_ASSERT(wait_fetched("lied", "failed"));
	CU_ASSERT(log_has("service_timeout"));
	idp_set_mood(other, IDP_GOOD);
	idp_release(other, 1000);
	CU_ASSERT(wait_fetched("lied", "unchanged"));
}

/* Whoever fetches is killed meanwhile: another worker takes over when the lease is over. */
static void
a_dead_worker_takes_nothing_with_it(void)
{
	pid_t pids[8];
	size_t count;
	unsigned before;

	idp_set_mood(other, IDP_HELD);
	before = idp_fetches(other);
	while (idp_fetches(other) == before)
		CU_ASSERT(ask(stage.fronts[0], "GET", "/lied/x", idp_bearer(other, NULL), NULL)->status == 200);
	count = bed_workers(&stage.bed, pids, 8);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	idp_set_mood(other, IDP_GOOD);
	idp_release(other, 1000);
	CU_ASSERT(wait_fetched("lied", "unchanged"));
	EACH_FRONT(&stage, front)
		CHECK(front, ask(front, "GET", "/lied/x", idp_bearer(other, NULL), NULL)->status == 200);
}

/* ---- a provider that is down */

static bool
brief_answers(void *arg)
{
	return ask(stage.fronts[0], "GET", "/brief/x", idp_bearer(idp, NULL), NULL)->status == *(const int *)arg;
}

static void
a_dead_provider_is_bridged_then_told(void)
{
	static const int good = 200, unavailable = 503;

	CU_ASSERT(bed_wait(brief_answers, (void *)(uintptr_t)&good));
	idp_die(idp);
	CU_ASSERT(wait_fetched("brief", "failed"));
	CU_ASSERT(log_has("keys cannot be fetched, the last good ones serve: policy=brief"));
	CU_ASSERT(bed_wait(brief_answers, (void *)(uintptr_t)&unavailable));
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/brief/x", idp_bearer(idp, NULL), NULL);

		CHECK(front, http_is_problem(&stage.bed, reply, 503, "keys_unavailable"));
		CHECK(front, http_header(reply, "Retry-After") != NULL && http_header(reply, "WWW-Authenticate") == NULL);
		/* Whose keys are young enough is not concerned. */
		CHECK(front, ask(front, "GET", "/mine/x", idp_bearer_of(good_token("")), NULL)->status == 200);
	}
	CU_ASSERT(log_has("there are no keys: requests are answered 503: policy=brief"));
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_keys_age_seconds{policy=\"brief\"}") >= 2);
	idp_return(idp);
	CU_ASSERT(bed_wait(brief_answers, (void *)(uintptr_t)&good));
}

void
suite_jwt(void)
{
	CU_pSuite suite = add_suite("jwt", init, cleanup);

	ADD_SCENE(suite, two_workers_fetch_once);
	ADD_SCENE(suite, the_service_is_told_who_calls);
	ADD_SCENE(suite, a_token_may_be_elsewhere);
	ADD_SCENE(suite, the_issuer_chooses);
	ADD_SCENE(suite, each_attack_has_its_reason);
	ADD_SCENE(suite, no_token_no_error);
	ADD_SCENE(suite, rotation_is_seen);
	ADD_SCENE(suite, invented_kids_cost_nothing);
	ADD_SCENE(suite, a_lying_provider_changes_nothing);
	ADD_SCENE(suite, a_slow_provider_holds_nobody_up);
	ADD_SCENE(suite, a_dead_worker_takes_nothing_with_it);
	ADD_SCENE(suite, a_dead_provider_is_bridged_then_told);
}
