/*
 * Who may call: keys, passwords, a service that is asked, requirements, CORS, behind both web servers; what becomes of it when
 * what they depend on is down. Headers that tell who is calling are the gateway's alone.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/e2e.h"

static struct stage stage;
static struct process *redis;
static struct gate gate = GATE_CLOSED;
static char key[128], stored_key[128], stale_key[128];

/* ---- the authentication service: yes to who brings the cookie, or as the path says */

static void
say_check(struct played_conn *conn, struct played_request *request)
{
	if (strstr(request->head, "Cookie: s=ann") != NULL)
		say_reply(conn, 200, "X-Auth-User: ann\r\nX-Auth-Plan: gold\r\n", "");
	else if (strstr(request->head, "X-Forwarded-Uri: /ext/login") != NULL)
		say_reply(conn, 302, "Location: https://login.example/\r\nSet-Cookie: t=1\r\n", "");
	else
		say_reply(conn, 403, "WWW-Authenticate: Session\r\nContent-Type: text/plain\r\n", "no session of yours");
}

static void
say_when_let(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	(void)gate_pass(&gate);
	say_reply(conn, 200, NULL, "");
}

static const struct played_part auth_service[] = {{"/check", say_check, false}, {"/held", say_when_let, false}, {NULL, say_echo, false}};

/* ---- the stage */

/* joe: secret */
static const char htpasswd[] = "joe:$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2\n";

static void
write_config(int store_port)
{
	bed_write(&stage.bed, "htpasswd", "%s", htpasswd);
	bed_write_config(&stage.bed,
	    "store: {url: \"redis://127.0.0.1:%d/0\", deadline: 10s, connect-timeout: 60s}\n"
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "consumers: {acme: {tenant: '7'}, joe: {group: staff}}\n"
	    "auth:\n"
	    "  filed: {type: api-key, keys: 'file:%s/keys.yaml', forward: {X-User: plan, X-Tenant: tenant}}\n"
	    "  stored: {type: api-key, keys: store, cache: 0}\n"
	    "  stale: {type: api-key, keys: store, cache: 0, stale: 1h}\n"
	    "  staff: {type: basic, users: 'file:%s/htpasswd', realm: staff, forward: {X-Group: group}}\n"
	    "  ext: {type: forward, url: 'http://127.0.0.1:%d/check', consumer: X-Auth-User, timeout: 60s, connect-timeout: 60s,\n"
	    "    forward: {X-User: X-Auth-User, X-Group: X-Auth-Group}}\n"
	    "  held: {type: forward, url: 'http://127.0.0.1:%d/held', timeout: 200ms}\n"
	    "  down: {type: forward, url: 'http://127.0.0.1:%d/'}\n"
	    "cors: {app: {origins: 'https://app.example.com', headers: [X-API-Key], credentials: true}}\n"
	    "routes:\n"
	    "  public: {path: /public/*, service: a, auth: none}\n"
	    "  filed: {path: /filed/*, service: a, auth: filed, cors: app, methods: [GET, PUT]}\n"
	    "  gold: {path: /gold/*, service: a, auth: [filed, staff], require: {claims: {plan: gold}, scope: read}}\n"
	    "  stored: {path: /stored/*, service: a, auth: stored}\n"
	    "  stale: {path: /stale/*, service: a, auth: stale}\n"
	    "  basic: {path: /basic/*, service: a, auth: staff}\n"
	    "  ext: {path: /ext/*, service: a, auth: ext}\n"
	    "  held: {path: /held/*, service: a, auth: held}\n"
	    "  down: {path: /down/*, service: a, auth: down}\n"
	    "  inside: {path: /inside/*, service: a, auth: none, require: {ip: {allow: 192.0.2.0/24}}}\n"
	    "  outside: {path: /outside/*, service: a, auth: none, require: {ip: {allow: 127.0.0.0/8}}}\n",
	    store_port, played_port(stage.a), stage.bed.dir, stage.bed.dir, played_port(stage.b), played_port(stage.b), bed_dead_port());
}

/* A key, as the command shows it. */
static void
make_key(char *out, size_t size, const char *policy)
{
	char *text;

	if (bed_run(&stage.bed, &text, (const char *[]){bed_program(), "key", "new", "acme", "-c", stage.bed.config, "--policy", policy,
	        "--meta", "plan=gold", "--meta", "scope=read write", "--expires", "1d", "--json", NULL}) != 0)
		bed_give_up("faregate key: %s", text);
	if (sscanf(strstr(text, "\"key\":\""), "\"key\":\"%127[^\"]", out) != 1 || strlen(out) + 1 > size)
		bed_give_up("faregate key says %s", text);
	free(text);
}

static bool
redis_answers(void *arg)
{
	char *out;
	bool good = bed_run(&stage.bed, &out, (const char *[]){"redis-cli", "-p", arg, "ping", NULL}) == 0;

	free(out);
	return good;
}

static int
init(void)
{
	int port = bed_free_port();
	char text[16];

	snprintf(text, sizeof(text), "%d", port);
	stage_play(&stage, NULL, auth_service);
	redis = bed_start(&stage.bed, "redis", (const char *[]){"redis-server", "--port", text, "--bind", "127.0.0.1", "--save", "",
	    "--dir", stage.bed.dir, NULL});
	if (!bed_wait(redis_answers, text))
		bed_give_up("redis-server does not answer");
	write_config(port);
	make_key(key, sizeof(key), "filed");
	make_key(stored_key, sizeof(stored_key), "stored");
	make_key(stale_key, sizeof(stale_key), "stale");
	bed_start_pool(&stage.bed, NULL);
	stage.fronts[0] = bed_start_front(&stage.bed, FRONT_LIGHTTPD, "/", NULL);
	stage.fronts[1] = bed_start_front(&stage.bed, FRONT_APACHE, "/", NULL);
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static struct http_reply *
with_key(const struct front *front, const char *target, const char *shown)
{
	char headers[512];

	snprintf(headers, sizeof(headers), "X-API-Key: %s\r\n", shown);
	return ask(front, "GET", target, headers, NULL);
}

/* ---- keys */

static void
a_key_lets_in_and_says_who(void)
{
	char prefix[12], mistyped[sizeof(key) + 1];

	snprintf(prefix, sizeof(prefix), "%.11s", key);
	snprintf(mistyped, sizeof(mistyped), "%sx", key);
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = with_key(front, "/filed/x", key);

		CHECK(front, reply->status == 200);
		CHECK(front, http_body_has(reply, "\r\nX-User: gold\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Tenant: 7\r\n")); /* of the consumer */
		CHECK(front, strstr(reply->body, key) == NULL);
		CHECK(front, bed_log_says(&stage.bed, reply->id, "consumer", "acme"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "credential", prefix));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "auth", "filed"));
		reply = get(front, "/filed/x");
		CHECK(front, http_is_problem(&stage.bed, reply, 401, "api_key_missing"));
		CHECK(front, http_header_is(reply, "WWW-Authenticate", "ApiKey realm=\"api\""));
		CHECK(front, http_is_problem(&stage.bed, with_key(front, "/filed/x", stored_key), 401, "api_key_unknown"));
		CHECK(front, http_is_problem(&stage.bed, with_key(front, "/filed/x", mistyped), 401, "api_key_malformed"));
		CHECK(front, with_key(front, "/gold/x", key)->status == 200);
	}
}

static void
the_store_has_keys_for_all(void)
{
	EACH_FRONT(&stage, front) {
		CHECK(front, with_key(front, "/stored/x", stored_key)->status == 200);
		CHECK(front, with_key(front, "/stale/x", stale_key)->status == 200);
		CHECK(front, http_is_problem(&stage.bed, with_key(front, "/stored/x", key), 401, "api_key_unknown"));
	}
}

static void
a_revoked_key_is_of_no_use(void)
{
	char revoked[128], *out;

	make_key(revoked, sizeof(revoked), "stored");
	EACH_FRONT(&stage, front)
		CHECK(front, with_key(front, "/stored/x", revoked)->status == 200);
	revoked[11] = '\0'; /* its prefix */
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, (const char *[]){bed_program(), "key", "revoke", revoked, "-c", stage.bed.config,
	    "--policy", "stored", NULL}), 0);
	free(out);
	revoked[11] = '_';
	EACH_FRONT(&stage, front)
		CHECK(front, http_is_problem(&stage.bed, with_key(front, "/stored/x", revoked), 401, "api_key_revoked"));
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, (const char *[]){bed_program(), "key", "list", "-c", stage.bed.config, "--policy", "stored",
	    NULL}), 0);
	revoked[11] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(out, revoked));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "revoked"));
	free(out);
}

static int
run_key(char **out, const char *verb, const char *object, const char *option, const char *value)
{
	return bed_run(&stage.bed, out, (const char *[]){bed_program(), "key", verb, "-c", stage.bed.config, "--policy", "filed", object,
	    option, value, NULL});
}

static void
expect_key(int status, const char *said, const char *verb, const char *object, const char *option, const char *value)
{
	char *out;
	int got = run_key(&out, verb, object, option, value);

	if (got != status || strstr(out, said) == NULL)
		fprintf(stderr, "e2e: faregate key %s: %d: %s\n", verb, got, out);
	CU_ASSERT_EQUAL(got, status);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, said));
	free(out);
}

static void
the_key_command_says_what_is_wrong(void)
{
	expect_key(2, "takes one argument", "new", NULL, NULL, NULL);
	expect_key(2, "option not understood", "new", "acme", "--nonsense", "x");
	expect_key(2, "is not a span of time or a time to come", "new", "acme", "--expires", "2020-01-01");
	expect_key(2, "is not a span of time or a time to come", "new", "acme", "--expires", "soon");
	expect_key(2, "is not NAME=VALUE", "new", "acme", "--meta", "plan");
	expect_key(1, "there is no key whose prefix is", "revoke", "fg_nobody", NULL, NULL);
	expect_key(1, "there is no policy \"none\" of type api-key", "list", "--json", "--policy", "none");
	expect_key(0, "\"consumer\":\"acme\"", "list", "--json", NULL, NULL);
}

/* A file of keys keeps its owner and mode, and is never there in part; links to it stay links. */
static void
the_file_of_keys_stays_as_it_is(void)
{
	char path[BED_PATH_BYTES], moved[BED_PATH_BYTES], *out;
	struct stat before, after;

	snprintf(path, sizeof(path), "%s/keys.yaml", stage.bed.dir);
	snprintf(moved, sizeof(moved), "%s/elsewhere.yaml", stage.bed.dir);
	CU_ASSERT_FATAL(rename(path, moved) == 0 && symlink("elsewhere.yaml", path) == 0 && chmod(moved, 0604) == 0);
	CU_ASSERT_EQUAL_FATAL(stat(moved, &before), 0);
	CU_ASSERT_EQUAL(run_key(&out, "new", "globex", NULL, NULL), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "everybody on this machine may read"));
	free(out);
	CU_ASSERT_FATAL(lstat(path, &after) == 0 && S_ISLNK(after.st_mode));
	CU_ASSERT_EQUAL_FATAL(stat(moved, &after), 0);
	CU_ASSERT(after.st_ino != before.st_ino);
	CU_ASSERT_EQUAL(after.st_mode & 07777, 0604);
	CU_ASSERT_EQUAL(after.st_uid, before.st_uid);
	out = bed_read(&stage.bed, moved);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"globex\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"acme\""));
	free(out);
}

/* ---- headers that tell who is calling */

static void
nobody_else_says_who_is_calling(void)
{
	static const char *const spellings[] = {"X-User", "x-user", "X-USER", "X_User", "x_user", "X_USER", "X-user"};
	char headers[256];

	EACH_FRONT(&stage, front) {
		for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
			const struct http_reply *reply;

			snprintf(headers, sizeof(headers), "%s: root\r\n", spellings[i]);
			reply = ask(front, "GET", "/public/x", headers, NULL);
			CHECK(front, reply->status == 200 && strcasestr(reply->body, "root") == NULL);
			snprintf(headers, sizeof(headers), "%s: root\r\nX-API-Key: %s\r\n", spellings[i], key);
			reply = ask(front, "GET", "/filed/x", headers, NULL);
			CHECK(front, reply->status == 200 && strcasestr(reply->body, "root") == NULL);
			CHECK(front, http_body_has(reply, "\r\nX-User: gold\r\n"));
		}
		/* both spellings at once: which of them a service would read is a guess */
		CHECK(front, strstr(ask(front, "GET", "/public/x", "X-User: a\r\nX_User: root\r\n", NULL)->body, "root") == NULL);
	}
}

/* ---- passwords */

static void
a_password_lets_in(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/basic/x", "Authorization: Basic am9lOnNlY3JldA==\r\n", NULL);

		CHECK(front, reply->status == 200);
		CHECK(front, http_body_has(reply, "\r\nX-Group: staff\r\n"));
		CHECK(front, strstr(reply->body, "am9lOnNlY3JldA==") == NULL);
		CHECK(front, bed_log_says(&stage.bed, reply->id, "consumer", "joe"));
		reply = ask(front, "GET", "/basic/x", "Authorization: Basic am9lOndyb25n\r\n", NULL);
		CHECK(front, http_is_problem(&stage.bed, reply, 401, "password_wrong"));
		CHECK(front, http_header_is(reply, "WWW-Authenticate", "Basic realm=\"staff\", charset=\"UTF-8\""));
		CHECK(front, http_is_problem(&stage.bed, get(front, "/basic/x"), 401, "password_missing"));
	}
}

/* ---- a service that is asked */

static void
a_service_says_who(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/ext/x", "Cookie: s=ann\r\nX-User: root\r\nX-Group: root\r\n", NULL);

		CHECK(front, reply->status == 200);
		CHECK(front, http_body_has(reply, "\r\nX-User: ann\r\n"));
		CHECK(front, strstr(reply->body, "root") == NULL); /* what the answer does not have, the service does not get */
		reply = get(front, "/ext/x");
		CHECK(front, reply->status == 403 && http_body_has(reply, "no session of yours"));
		CHECK(front, http_header_is(reply, "WWW-Authenticate", "Session"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "auth_refused"));
		reply = get(front, "/ext/login");
		CHECK(front, reply->status == 302 && http_header_is(reply, "Location", "https://login.example/"));
		CHECK(front, http_header_is(reply, "Set-Cookie", "t=1"));
		CHECK(front, http_is_problem(&stage.bed, get(front, "/down/x"), 503, "auth_service_failed"));
	}
}

static void
a_service_that_does_not_answer_lets_nobody_in(void)
{
	EACH_FRONT(&stage, front) {
		unsigned before = played_requests(stage.a);
		const struct http_reply *reply;

		/* Given up by the gateway before it came there, a request may have left it open. */
		gate_reset(&gate);
		reply = get(front, "/held/x");
		CHECK(front, http_is_problem(&stage.bed, reply, 503, "auth_service_timeout"));
		CHECK(front, played_requests(stage.a) == before);
		gate_open(&gate, 1);
	}
}

/* ---- requirements */

static void
who_may_is_required(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/gold/x", "Authorization: Basic am9lOnNlY3JldA==\r\n", NULL);

		CHECK(front, http_is_problem(&stage.bed, reply, 403, "claim_refused"));
		CHECK(front, http_is_problem(&stage.bed, get(front, "/inside/x"), 403, "address_refused"));
		CHECK(front, get(front, "/outside/x")->status == 200);
		/* the proxy that is connected is trusted; what stands before it in the list was said by the client */
		CHECK(front, ask(front, "GET", "/inside/x", "X-Forwarded-For: 192.0.2.7\r\n", NULL)->status == 200);
		reply = ask(front, "GET", "/inside/x", "X-Forwarded-For: 192.0.2.7, 203.0.113.9\r\n", NULL);
		CHECK(front, http_is_problem(&stage.bed, reply, 403, "address_refused"));
	}
}

static void
explain_says_which_part(void)
{
	char header[160], *out;

	snprintf(header, sizeof(header), "X-API-Key: %s", key);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, (const char *[]){bed_program(), "explain", "-c", stage.bed.config, "-H", header, "GET",
	    "/gold/x", NULL}), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "auth        accepted: filed: consumer acme"));
	free(out);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, (const char *[]){bed_program(), "explain", "-c", stage.bed.config, "-H",
	    "Authorization: Basic am9lOnNlY3JldA==", "GET", "/gold/x", NULL}), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "require     refused: claim: plan"));
	free(out);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, (const char *[]){bed_program(), "explain", "-c", stage.bed.config, "-H",
	    "Origin: https://app.example.com", "-H", "Access-Control-Request-Method: PUT", "OPTIONS", "/filed/x", NULL}), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "cors        preflight: https://app.example.com may call with the methods PUT"));
	free(out);
}

/* ---- CORS */

#define ORIGIN "Origin: https://app.example.com\r\n"

static void
preflights_come_before_authentication(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "OPTIONS", "/filed/x",
		    ORIGIN "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-api-key\r\n", NULL);

		CHECK(front, reply->status == 204);
		CHECK(front, http_header_is(reply, "Access-Control-Allow-Origin", "https://app.example.com"));
		CHECK(front, http_header_is(reply, "Access-Control-Allow-Methods", "PUT"));
		CHECK(front, http_header_is(reply, "Access-Control-Allow-Headers", "X-API-Key"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "cors_preflight"));
		reply = ask(front, "OPTIONS", "/filed/x", ORIGIN "Access-Control-Request-Method: DELETE\r\n", NULL);
		CHECK(front, http_header(reply, "Access-Control-Allow-Origin") == NULL);
		reply = ask(front, "OPTIONS", "/filed/x", "Origin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\n", NULL);
		CHECK(front, http_is_problem(&stage.bed, reply, 403, "cors_refused"));
		CHECK(front, http_header(reply, "Access-Control-Allow-Origin") == NULL);
		reply = ask(front, "GET", "/filed/x", ORIGIN, NULL);
		CHECK(front, reply->status == 401);
		CHECK(front, http_header_is(reply, "Access-Control-Allow-Origin", "https://app.example.com"));
		CHECK(front, http_header_is(reply, "Vary", "Origin"));
	}
}

/* ---- the store dies: the last scene */

static void
without_the_store_keys_are_not_judged(void)
{
	CU_ASSERT(bed_stop(&stage.bed, redis));
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = with_key(front, "/stored/x", stored_key);

		CHECK(front, reply->status == 503 && http_body_has(reply, "urn:faregate:store_"));
		/* Each worker knows what it was told: the first scenes have asked both often enough, or it is 503. */
		reply = with_key(front, "/stale/x", stale_key);
		CHECK(front, reply->status == 200 || (reply->status == 503 && http_body_has(reply, "urn:faregate:store_")));
		reply = with_key(front, "/stale/x", key);
		CHECK(front, reply->status == 503);
		CHECK(front, with_key(front, "/filed/x", key)->status == 200);
	}
}

void
suite_access(void)
{
	CU_pSuite suite = add_suite("access", init, cleanup);

	ADD_SCENE(suite, a_key_lets_in_and_says_who);
	ADD_SCENE(suite, the_store_has_keys_for_all);
	ADD_SCENE(suite, a_revoked_key_is_of_no_use);
	ADD_SCENE(suite, the_key_command_says_what_is_wrong);
	ADD_SCENE(suite, the_file_of_keys_stays_as_it_is);
	ADD_SCENE(suite, nobody_else_says_who_is_calling);
	ADD_SCENE(suite, a_password_lets_in);
	ADD_SCENE(suite, a_service_says_who);
	ADD_SCENE(suite, a_service_that_does_not_answer_lets_nobody_in);
	ADD_SCENE(suite, who_may_is_required);
	ADD_SCENE(suite, explain_says_which_part);
	ADD_SCENE(suite, preflights_come_before_authentication);
	ADD_SCENE(suite, without_the_store_keys_are_not_judged);
}
