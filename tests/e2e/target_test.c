/*
 * Request targets, byte for byte: what each web server lets through, what the gateway makes of it, and what the service
 * gets. Where the columns differ, the web server has answered by itself.
 */
#include "e2e/e2e.h"

static struct stage stage;

static int
init(void)
{
	stage_open(&stage, NULL, NULL,
	    "  all: {path: /*, service: a}\n"
	    "  guarded: {path: /guarded/*, service: b}\n"
	    "  reject: {path: /reject/*, service: a, encoded-slash: reject}\n"
	    "  merged: {path: /merged/*, service: a, merge-slashes: true}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

/* The status and, for 200, the target that the service got; 400 with a reason of ours, or NULL: the web server's own. */
struct expected {
	int status;
	const char *what;
};

static const struct row {
	const char *target;
	struct expected lighttpd, apache;
} rows[] = {
    /* plain */
    {"/", {200, "/"}, {200, "/"}},
    {"/a/b?x=1&y=%2F", {200, "/a/b?x=1&y=%2F"}, {200, "/a/b?x=1&y=%2F"}},
    {"/a?", {200, "/a?"}, {200, "/a?"}},
    {"/a;v=1/b,c:d@e!$&'()*+=~", {200, "/a;v=1/b,c:d@e!$&'()*+=~"}, {200, "/a;v=1/b,c:d@e!$&'()*+=~"}},
    {"/caf%C3%A9", {200, "/caf%C3%A9"}, {200, "/caf%C3%A9"}},
    {"/%61%7e%2d", {200, "/%61%7e%2d"}, {200, "/%61%7e%2d"}},
    /* an encoded slash is data, and passes as it is written */
    {"/a%2Fb", {200, "/a%2Fb"}, {200, "/a%2Fb"}},
    {"/a%2fb/%2F", {200, "/a%2fb/%2F"}, {200, "/a%2fb/%2F"}},
    {"/reject/a%2Fb", {400, "encoded_slash_refused"}, {400, "encoded_slash_refused"}},
    /* dot segments are gone before anything is decided */
    {"/a/../b", {200, "/b"}, {200, "/b"}},
    {"/a/%2e%2e/b", {200, "/b"}, {200, "/b"}},
    {"/a/.%2E/./%2e/b", {200, "/b"}, {200, "/b"}},
    {"/a/b/..", {200, "/a/"}, {200, "/a/"}},
    {"/../../x", {200, "/x"}, {400, NULL}},
    {"/a/..%2fb", {400, "path_ambiguous"}, {400, "path_ambiguous"}},
    {"/a/..;x/b", {400, "path_ambiguous"}, {400, "path_ambiguous"}},
    {"/a/%2e%2e%2fguarded/x", {400, "path_ambiguous"}, {400, "path_ambiguous"}},
    /* empty segments are kept */
    {"//x", {200, "//x"}, {200, "//x"}},
    {"/a//b///c", {200, "/a//b///c"}, {200, "/a//b///c"}},
    {"/merged//a///b", {200, "/merged/a/b"}, {200, "/merged/a/b"}},
    /* what servers read differently */
    {"/a\\b", {400, "path_ambiguous"}, {400, "path_ambiguous"}},
    {"/a%5Cb", {200, "/a%5Cb"}, {200, "/a%5Cb"}},
    {"/a/..%5Cb", {400, "path_ambiguous"}, {400, "path_ambiguous"}},
    {"/a%00b", {400, NULL}, {404, NULL}},
    {"/a%c0%afb", {400, NULL}, {400, "path_ambiguous"}},
    {"/a%e0%80%afb", {404, NULL}, {400, "path_ambiguous"}},
    {"/a%zzb", {400, "target_invalid"}, {400, NULL}},
    {"/a%", {400, "target_invalid"}, {400, NULL}},
    {"/a#b", {400, "target_invalid"}, {400, NULL}},
    {"/a\x7f", {400, NULL}, {400, NULL}},
    {"/a b", {400, "target_invalid"}, {400, NULL}},
    {"/\xc3\xa9", {200, "/\xc3\xa9"}, {200, "/\xc3\xa9"}},
    {"/\xe9", {404, NULL}, {400, "target_invalid"}},
    /* other forms */
    {"http://other.example/abs?x", {400, NULL}, {200, "/abs?x"}},
    {"*", {400, NULL}, {400, NULL}},
};

static void
check_row(const struct front *front, const struct row *row)
{
	const struct expected *expected = front->kind == FRONT_LIGHTTPD ? &row->lighttpd : &row->apache;
	const struct http_reply *reply = get(front, row->target);
	char line[256];
	bool good;

	if (expected->status == 200) {
		snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", expected->what);
		good = reply->status == 200 && http_body_has(reply, line);
	} else if (expected->what != NULL) {
		good = http_is_problem(&stage.bed, reply, expected->status, expected->what);
	} else {
		good = reply->status == expected->status && strstr(reply->body, "urn:faregate:") == NULL;
	}
	if (!good)
		fprintf(stderr, "e2e: behind %s, %s: status %d\n", front->name, row->target, reply->status);
	CU_ASSERT(good);
}

static void
each_target_has_its_stated_answer(void)
{
	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			check_row(front, &rows[i]);
}

/* However it is written, a path that means /guarded/ is judged as /guarded/: it reaches B, or nobody. */
static void
no_spelling_goes_round_a_route(void)
{
	static const char *const spellings[] = {"/guarded/x", "/x/../guarded/x", "/%67uarded/x", "/x/%2e%2e/guarded/x",
	    "/./guarded/x", "/x/..%2fguarded/x", "/guarded/../guarded/x", "/%2e/guarded/x", "/x/..;/guarded/x", "/x/.%2e/%67uarded/x",
	    "/x/..%5Cguarded/x", "/x\\..\\guarded/x"};

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
			unsigned before = played_requests(stage.a);
			const struct http_reply *reply = get(front, spellings[i]);

			CHECK(front, reply->status == 200 || reply->status == 400);
			CHECK(front, played_requests(stage.a) == before);
		}
}

static void
options_star_is_answered(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "OPTIONS", "*", NULL, NULL);

		CHECK(front, reply->status == 200 || reply->status == 204);
	}
}

static void
long_targets(void)
{
	char *target = malloc(20000);

	target[0] = '/';
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		memset(target + 1, 'a', 6000);
		target[6001] = '\0';
		CHECK(front, get(front, target)->status == 200);
		memset(target + 1, 'a', 16383);
		target[16384 + 1] = '\0';
		target[16384] = 'b';
		reply = get(front, target);
		/* The web servers' own limits are met first (Apache's LimitRequestLine, lighttpd's max-request-field-size). */
		CHECK(front, reply->status == 414 || (front->kind == FRONT_LIGHTTPD && reply->status == 431));
		memset(target + 1, 'a', 19000);
		target[19001] = '\0';
		reply = get(front, target);
		CHECK(front, reply->status == 414 || reply->status == 431);
	}
	free(target);
}

static void
host_as_the_client_wrote_it(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/x", "Host: EXAMPLE.org\r\n", NULL);

		CHECK(front, reply->status == 200 && strcasestr(reply->body, "\r\nHost: example.org\r\n") != NULL);
		reply = ask(front, "GET", "/x", "Host: a b\r\n", NULL);
		CHECK(front, reply->status == 400);
		reply = ask(front, "GET", "/x", "Host: user@example.org\r\n", NULL);
		CHECK(front, reply->status == 400);
		reply = ask(front, "GET", "/x", "Host: [::1]:8080\r\n", NULL);
		CHECK(front, http_body_has(reply, "\r\nHost: [::1]:8080\r\n"));
	}
}

void
suite_target(void)
{
	CU_pSuite suite = add_suite("request targets", init, cleanup);

	ADD_SCENE(suite, each_target_has_its_stated_answer);
	ADD_SCENE(suite, no_spelling_goes_round_a_route);
	ADD_SCENE(suite, options_star_is_answered);
	ADD_SCENE(suite, long_targets);
	ADD_SCENE(suite, host_as_the_client_wrote_it);
}
