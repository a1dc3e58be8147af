/* lib/client: what is sent, what comes back, and the error for everything that goes wrong with a service. */
#include "client/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "unit/client_scene.h"
#include "unit/unit.h"

/* ---- requests */

static const char *
last_head(struct scene *scene)
{
	return service_record(scene->service, service_requests(scene->service) - 1)->head;
}

static const struct service_record *
last_record(struct scene *scene)
{
	return service_record(scene->service, service_requests(scene->service) - 1);
}

static void
requests_are_sent_as_they_are(void)
{
	static const struct fg_call_header headers[] = {{FG_STR_INIT("x-first"), FG_STR_INIT("1")},
	    {FG_STR_INIT("HOST"), FG_STR_INIT("Service.Test:80")}, {FG_STR_INIT("X-Twice"), FG_STR_INIT("a")},
	    {FG_STR_INIT("X-Twice"), FG_STR_INIT("b; c")}, {FG_STR_INIT("X-Empty"), FG_STR_INIT("")},
	    {FG_STR_INIT("Accept"), FG_STR_INIT("*/*")}, {FG_STR_INIT("x-last"), FG_STR_INIT("\xe4:;")}};
	struct told told = {.target = "/echo/../a%2f%zz//b;c?q=[\"x|y\"]&%00#?", .headers = headers,
	    .header_count = FG_ARRAY_LEN(headers)};
	struct scene scene;

	scene_open(&scene, NULL);
	told_start(&scene, &told);
	told_wait(&told);
	CU_ASSERT_EQUAL(told.status, 200);
	CU_ASSERT_STRING_EQUAL(last_head(&scene), "GET /echo/../a%2f%zz//b;c?q=[\"x|y\"]&%00#? HTTP/1.1\r\n"
	                                          "Host: Service.Test:80\r\nx-first: 1\r\nX-Twice: a\r\nX-Twice: b; c\r\n"
	                                          "X-Empty:\r\nAccept: */*\r\nx-last: \xe4:;\r\n\r\n");
	told_fini(&told);
	scene_close(&scene);
}

static void
nothing_is_added(void)
{
	static const struct fg_call_header empty[] = {{FG_STR_INIT("Host"), FG_STR_INIT("")},
	    {FG_STR_INIT("X-Empty"), FG_STR_INIT("")}};
	struct told plain = {.target = "/"}, bare = {.target = "/", .headers = empty, .header_count = 2};
	struct scene scene;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	scene_open(&scene, NULL);
	told_start(&scene, &plain);
	told_wait(&plain);
	CU_ASSERT_STRING_EQUAL(last_head(&scene), "GET / HTTP/1.1\r\nHost: service.test\r\n\r\n");
	told_start(&scene, &bare);
	told_wait(&bare);
	CU_ASSERT_STRING_EQUAL(last_head(&scene), "GET / HTTP/1.1\r\nHost:\r\nX-Empty:\r\n\r\n");
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	told_fini(&plain);
	told_fini(&bare);
	scene_close(&scene);
}

static void
any_method_goes(void)
{
	static const char *const methods[] = {"GET", "HEAD", "PROPFIND", "DELETE", "HEAD", "POST", "OPTIONS",
	    "M-SEARCH-WITH-A-NAME-LONGER-THAN-ANY-OTHER", "GET", "PUT", "GET"};
	struct scene scene;

	scene_open(&scene, NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(methods); i++) {
		const char *target = strcmp(methods[i], "OPTIONS") == 0 ? "*" : "/";
		char expected[256];

		CU_ASSERT_EQUAL(ask(&scene, methods[i], target), FG_OK);
		snprintf(expected, sizeof(expected), "%s %s HTTP/1.1\r\nHost: service.test\r\n\r\n", methods[i], target);
		CU_ASSERT_STRING_EQUAL(last_head(&scene), expected);
	}
	CU_ASSERT_EQUAL(service_accepted(scene.service), 1);
	scene_close(&scene);
}

static void
send_body(struct scene *scene, const char *method, uint64_t length, bool unknown, const char *framing)
{
	struct told told = {.method = method, .target = "/", .has_body = true, .unknown_length = unknown,
	    .body_length = length};
	char expected[256];

	told_start(scene, &told);
	told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	snprintf(expected, sizeof(expected), "%s / HTTP/1.1\r\nHost: service.test\r\n%s\r\n", method, framing);
	/* libcurl writes the framing line before or behind the others. */
	CU_ASSERT_EQUAL(strlen(last_head(scene)), strlen(expected));
	CU_ASSERT_PTR_NOT_NULL(strstr(last_head(scene), framing));
	CU_ASSERT_EQUAL(last_record(scene)->body_bytes, length);
	CU_ASSERT_EQUAL(last_record(scene)->body_hash, service_pattern_hash(length));
	CU_ASSERT(last_record(scene)->body_done);
	told_fini(&told);
}

static void
bodies_are_sent(void)
{
	struct scene scene;

	scene_open(&scene, NULL);
	send_body(&scene, "POST", 5, false, "Content-Length: 5\r\n");
	send_body(&scene, "PUT", 0, false, "Content-Length: 0\r\n");
	send_body(&scene, "PATCH", 3000000, false, "Content-Length: 3000000\r\n");
	send_body(&scene, "POST", 3000000, true, "Transfer-Encoding: chunked\r\n");
	send_body(&scene, "POST", 0, true, "Transfer-Encoding: chunked\r\n");
	send_body(&scene, "DELETE", 1, false, "Content-Length: 1\r\n");
	CU_ASSERT_EQUAL(ask(&scene, "POST", "/"), FG_OK);
	CU_ASSERT_STRING_EQUAL(last_head(&scene), "POST / HTTP/1.1\r\nHost: service.test\r\n\r\n");
	CU_ASSERT_EQUAL(service_accepted(scene.service), 1);
	/* HEAD with a body is odd, and answered like HEAD. */
	send_body(&scene, "HEAD", 5, false, "Content-Length: 5\r\n");
	CU_ASSERT_EQUAL(ask(&scene, "HEAD", "/"), FG_OK);
	scene_close(&scene);
}

/* ---- responses */

static void
hear(struct scene *scene, struct told *told)
{
	told_start(scene, told);
	told_wait(told);
	CU_ASSERT_EQUAL(told->err, FG_OK);
	CU_ASSERT_EQUAL(told->steps[AT_STATUS], 1);
	CU_ASSERT_EQUAL(told->steps[AT_HEAD_END], 1);
}

static struct fg_str
seen(const struct fg_buf *buf)
{
	return (struct fg_str){buf->p, buf->len};
}

static void
headers_arrive_in_order(void)
{
	struct told told = {.target = "/status/418?header=Set-Cookie:%20a=1&header=Set-Cookie:%20b=2&header=x-lower:&body=tea"};
	struct scene scene;

	scene_open(&scene, NULL);
	hear(&scene, &told);
	CU_ASSERT_EQUAL(told.status, 418);
	ASSERT_STR(seen(&told.headers_seen), "Set-Cookie: a=1\nSet-Cookie: b=2\nx-lower: \nContent-Length: 3\n");
	ASSERT_STR(seen(&told.body_seen), "tea");
	told_fini(&told);
	scene_close(&scene);
}

static void
bodies_of_every_framing_arrive(void)
{
	static const struct {
		const char *target;
		uint64_t bytes;
	} cases[] = {{"/bytes/0", 0}, {"/bytes/1", 1}, {"/bytes/3000000", 3000000}, {"/bytes/0?chunked=10", 0},
	    {"/bytes/100000?chunked=7", 100000}, {"/bytes/3000000?chunked=65536", 3000000}, {"/bytes/3000000?close=1", 3000000},
	    {"/bytes/0?close=1", 0}, {"/trickle/20?every=1&chunked=1", 20}, {"/trickle/20?every=1", 20}};
	struct scene scene;

	scene_open(&scene, NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		struct told told = {.target = cases[i].target};

		hear(&scene, &told);
		CU_ASSERT_EQUAL(told.body_bytes, cases[i].bytes);
		CU_ASSERT_EQUAL(told.body_hash, service_pattern_hash(cases[i].bytes));
		told_fini(&told);
	}
	scene_close(&scene);
}

static void
responses_without_body_end_with_the_head(void)
{
	static const struct {
		const char *method, *target;
		int status;
	} cases[] = {{"HEAD", "/bytes/1000", 200}, {"GET", "/status/204", 204}, {"GET", "/status/304?header=ETag:%20x", 304},
	    {"GET", "/status/304?header=Content-Length:%2099", 304}, {"HEAD", "/bytes/5?chunked=2", 200},
	    {"POST", "/status/204", 204}};
	struct scene scene;

	scene_open(&scene, NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		struct told told = {.method = cases[i].method, .target = cases[i].target};

		hear(&scene, &told);
		CU_ASSERT_EQUAL(told.status, cases[i].status);
		CU_ASSERT_EQUAL(told.body_bytes, 0);
		told_fini(&told);
	}
	CU_ASSERT_EQUAL(ask_status(&scene, "GET", "/status/206?header=Content-Range:%20bytes%200-2/9&body=abc"), 206);
	CU_ASSERT_EQUAL(service_accepted(scene.service), 1);
	scene_close(&scene);
}

static void
what_is_encoded_stays_so(void)
{
	struct told gzip = {.target = "/gzip"}, trailers = {.target = "/trailers"};
	struct scene scene;

	scene_open(&scene, NULL);
	hear(&scene, &gzip);
	CU_ASSERT_EQUAL(gzip.body_seen.len, 8);
	CU_ASSERT_EQUAL(memcmp(gzip.body_seen.p, "\x1f\x8b\x08\0gzip", 8), 0);
	ASSERT_STR(seen(&gzip.headers_seen), "Content-Encoding: gzip\nContent-Length: 8\n");
	hear(&scene, &trailers);
	ASSERT_STR(seen(&trailers.body_seen), "hello");
	ASSERT_STR(seen(&trailers.headers_seen), "Trailer: X-Sum\n");
	CU_ASSERT_EQUAL(service_accepted(scene.service), 1);
	told_fini(&gzip);
	told_fini(&trailers);
	scene_close(&scene);
}

static void
interim_responses_are_skipped(void)
{
	struct told told = {.target = "/interim/3"};
	struct scene scene;

	scene_open(&scene, NULL);
	hear(&scene, &told);
	CU_ASSERT_EQUAL(told.status, 200);
	CU_ASSERT_PTR_NULL(memmem(told.headers_seen.p, told.headers_seen.len, "Interim", 7));
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/interim/3?status=100"), FG_OK);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/interim/16"), FG_OK);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/interim/17"), FG_ERR_SERVICE_RESPONSE_INVALID);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/interim/1?status=101"), FG_ERR_SERVICE_RESPONSE_INVALID);
	told_fini(&told);
	scene_close(&scene);
}

/* ---- services at fault */

static void
broken_responses_are_told_apart(void)
{
	static const struct {
		const char *target;
		enum fg_err err;
	} cases[] = {
	    {"/close/now", FG_ERR_SERVICE_CLOSED},
	    {"/close/head", FG_ERR_SERVICE_CLOSED},
	    {"/close/mid", FG_ERR_SERVICE_CLOSED},
	    {"/close/chunk", FG_ERR_SERVICE_CLOSED},
	    {"/reset/now", FG_ERR_SERVICE_CLOSED},
	    {"/reset/head", FG_ERR_SERVICE_CLOSED},
	    {"/reset/mid", FG_ERR_SERVICE_CLOSED},
	    {"/reset/chunk", FG_ERR_SERVICE_CLOSED},
	    {"/raw?close=1&send=HTTP/1.1%20100%20Continue%0d%0a%0d%0a", FG_ERR_SERVICE_CLOSED},
	    {"/raw?send=SSH-2.0-OpenSSH%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=just%20text%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=%00%01%02%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?close=1&send=garbage", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20abc%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%2020%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%202000%20OK%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20101%20Switch%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aX%20A:%201%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aX-A:%20%01%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aX-A:%20a%00b%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0anocolon%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aX-A:%201%0d%0a%20folded%0d%0a%0d%0a", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aContent-Length:%201%0d%0aContent-Length:%202%0d%0a%0d%0aab",
	        FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aContent-Length:%20x%0d%0a%0d%0aab", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aTransfer-Encoding:%20gzip%0d%0a%0d%0aab", FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/raw?send=HTTP/1.1%20200%20OK%0d%0aTransfer-Encoding:%20chunked%0d%0a%0d%0azz%0d%0a",
	        FG_ERR_SERVICE_RESPONSE_INVALID},
	    {"/bomb/300", FG_ERR_SERVICE_HEADERS_TOO_LARGE},
	    {"/bomb/10?size=10000", FG_ERR_SERVICE_HEADERS_TOO_LARGE},
	    {"/endless/headers", FG_ERR_SERVICE_HEADERS_TOO_LARGE},
	    {"/endless/line", FG_ERR_SERVICE_HEADERS_TOO_LARGE},
	    {"/endless/trailers", FG_ERR_SERVICE_HEADERS_TOO_LARGE},
	};
	struct scene scene;

	scene_open(&scene, NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		enum fg_err err = ask(&scene, "GET", cases[i].target);

		if (err != cases[i].err)
			fprintf(stderr, "%s: %s\n", cases[i].target, fg_err_token(err));
		CU_ASSERT_EQUAL(err, cases[i].err);
		/* The next one is served, whatever the last one did. */
		CU_ASSERT_EQUAL(ask_status(&scene, "GET", "/"), 200);
	}
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/bomb/200"), FG_OK);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/raw?close=1&send=HTTP/1.0%20200%20OK%0d%0a%0d%0aab"), FG_OK);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/raw?send=HTTP/1.1%20200%20OK%0aContent-Length:%202%0a%0aab"), FG_OK);
	scene_close(&scene);
}

static void
an_absent_service_is_unreachable(void)
{
	struct scene scene;

	scene_open(&scene, NULL);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/"), FG_OK);
	service_stop(scene.service);
	scene.service = NULL;
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/"), FG_ERR_SERVICE_UNREACHABLE);
	scene_close(&scene);
}

/* A listening socket whose queue is full: the kernel drops further connections' first packets. */
static int
full_listener(int *clients, size_t count, int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 0), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	for (size_t i = 0; i < count; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(clients[i], (struct sockaddr *)&address, sizeof(address));
	}
	return fd;
}

static void
connecting_has_a_timeout(void)
{
	struct told told = {.target = "/"};
	struct fg_endpoint_spec spec;
	struct scene scene;
	int clients[8], port, listener = full_listener(clients, FG_ARRAY_LEN(clients), &port);

	scene_open(&scene, NULL);
	spec = scene_spec(&scene, "http", port);
	spec.connect_timeout = 50 * FG_US_PER_MS;
	told.endpoint = scene_endpoint(&scene, &spec);
	told_start(&scene, &told);
	told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_ERR_SERVICE_CONNECT_TIMEOUT);
	CU_ASSERT_EQUAL(told.steps[AT_STATUS], 0);
	for (size_t i = 0; i < FG_ARRAY_LEN(clients); i++)
		close(clients[i]);
	close(listener);
	told_fini(&told);
	scene_close(&scene);
}

/* ---- connections */

static void
connections_are_kept_and_timed(void)
{
	struct told first = {.target = "/delay/30"}, second = {.target = "/"};
	struct scene scene;

	scene_open(&scene, NULL);
	hear(&scene, &first);
	CU_ASSERT(!first.times.reused);
	CU_ASSERT(first.times.first_byte >= 20 * FG_US_PER_MS);
	CU_ASSERT(first.times.connected < first.times.first_byte);
	hear(&scene, &second);
	CU_ASSERT(second.times.reused);
	CU_ASSERT_EQUAL(second.times.connected, 0);
	CU_ASSERT(second.times.first_byte > 0);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(ask(&scene, "GET", "/bytes/100000"), FG_OK);
	CU_ASSERT_EQUAL(service_accepted(scene.service), 1);
	told_fini(&first);
	told_fini(&second);
	scene_close(&scene);
}

/* The service closes a kept-alive connection at the very moment at which it is used again. */
static void
a_dead_connection_costs_no_replayable_request(void)
{
	static const char *const ways[] = {"/die", "/die?how=reset", "/last"};
	struct scene scene;

	scene_open(&scene, NULL);
	/* Again and again: libcurl counts the retries of a handle as long as it lives, and grants it five. */
	for (size_t i = 0; i < 10 * FG_ARRAY_LEN(ways); i++) {
		struct told told = {.target = "/", .replayable = true};

		CU_ASSERT_EQUAL(ask(&scene, "GET", ways[i % FG_ARRAY_LEN(ways)]), FG_OK);
		told_start(&scene, &told);
		told_wait(&told);
		CU_ASSERT_EQUAL(told.err, FG_OK);
		CU_ASSERT_EQUAL(told.status, 200);
		CU_ASSERT(!told.times.reused);
		told_fini(&told);
	}
	scene_close(&scene);
}

static void
no_other_request_is_sent_twice(void)
{
	static const char *const ways[] = {"/die", "/die?how=reset"};
	struct scene scene;

	scene_open(&scene, NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(ways); i++)
		for (int body = 0; body < 3; body++) {
			struct told told = {.method = "POST", .target = "/", .has_body = body > 0, .body_length = 100,
			    .unknown_length = body > 1};
			unsigned before;

			CU_ASSERT_EQUAL(ask(&scene, "GET", ways[i]), FG_OK);
			before = service_requests(scene.service);
			told_start(&scene, &told);
			told_wait(&told);
			CU_ASSERT_EQUAL(told.err, FG_ERR_SERVICE_CLOSED);
			CU_ASSERT_EQUAL(service_requests(scene.service), before);
			told_fini(&told);
		}
	/* Closed long enough ago to be noticed: nothing has been sent, so another connection is right. */
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/last"), FG_OK);
	for (int i = 0; i < 60000 && service_open(scene.service) > 0; i++)
		poll(NULL, 0, 1);
	CU_ASSERT_EQUAL(service_open(scene.service), 0);
	CU_ASSERT_EQUAL(ask_status(&scene, "POST", "/"), 200);
	scene_close(&scene);
}

/* A service that says more than its answer must not answer the next request with the rest. */
static void
what_follows_a_response_is_no_answer(void)
{
	static const char *const excess[] = {
	    "/raw?keep=1&send=HTTP/1.1%20204%20No%0d%0a%0d%0aHTTP/1.1%20418%20Poison%0d%0aContent-Length:%200%0d%0a%0d%0a",
	    "/raw?keep=1&send=HTTP/1.1%20204%20No%0d%0aContent-Length:%2060%0d%0a%0d%0a"
	    "HTTP/1.1%20418%20Poison%0d%0aContent-Length:%200%0d%0a%0d%0a",
	    "/raw?keep=1&send=HTTP/1.1%20200%20OK%0d%0aContent-Length:%202%0d%0a%0d%0aab"
	    "HTTP/1.1%20418%20Poison%0d%0aContent-Length:%200%0d%0a%0d%0a"};
	struct scene scene;

	scene_open(&scene, NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(excess); i++) {
		CU_ASSERT_NOT_EQUAL(ask_status(&scene, "GET", excess[i]), 0);
		/* On another connection, or on none; but never 418. */
		CU_ASSERT_NOT_EQUAL(ask_status(&scene, "GET", "/"), 418);
		CU_ASSERT_EQUAL(ask_status(&scene, "GET", "/"), 200);
	}
	scene_close(&scene);
}

static bool
none_open(void *arg)
{
	return service_open(((struct scene *)arg)->service) == 0;
}

static void
what_an_idle_connection_says_is_no_answer(void)
{
	struct scene scene;

	scene_open(&scene, NULL);
	CU_ASSERT_EQUAL(ask_status(&scene, "GET", "/raw?keep=1&send=HTTP/1.1%20200%20OK%0d%0aContent-Length:%202%0d%0a%0d%0aab"
	                                          "&later=HTTP/1.1%20418%20Poison%0d%0aContent-Length:%200%0d%0a%0d%0a"), 200);
	service_emit(scene.service);
	/* The client gives the connection up, and the service notices. */
	scene_wait(&scene, none_open, &scene);
	CU_ASSERT_EQUAL(ask_status(&scene, "POST", "/"), 200);
	CU_ASSERT_EQUAL(service_accepted(scene.service), 2);
	scene_close(&scene);
}

static bool
few_open(void *arg)
{
	return service_open(((struct scene *)arg)->service) <= SCENE_IDLE_CONNECTIONS + 64;
}

static void
many_calls_at_once(void)
{
	enum { COUNT = 512 };
	struct told *told = calloc(COUNT, sizeof(*told));
	struct scene scene;

	CU_ASSERT_PTR_NOT_NULL_FATAL(told);
	scene_open(&scene, NULL);
	for (size_t i = 0; i < COUNT; i++) {
		told[i].target = "/delay/300";
		told_start(&scene, &told[i]);
	}
	for (size_t i = 0; i < COUNT; i++) {
		told_wait(&told[i]);
		CU_ASSERT_EQUAL(told[i].err, FG_OK);
		CU_ASSERT_EQUAL(told[i].status, 200);
		told_fini(&told[i]);
	}
	CU_ASSERT_EQUAL(service_accepted(scene.service), COUNT);
	free(told);
	/* Of those, as many stay open as the client may keep idle. */
	scene_wait(&scene, few_open, &scene);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/"), FG_OK);
	CU_ASSERT_EQUAL(service_accepted(scene.service), COUNT);
	scene_close(&scene);
}

static void
endpoints_are_checked(void)
{
	static const char *const good[] = {"http://127.0.0.1", "https://[::1]:8443", "http://my_service:80", "http://a-b.c"};
	static const char *const bad[] = {"", "http://", "ftp://a", "http://a/", "http://a?x", "http://u@a", "http://a:",
	    "http://a:0", "http://a:65536", "http://a:8x", "http://[::1", "http://[::g]", "http://[::1]x", "HTTP://a", "http://a b",
	    "http://\xe4"};
	struct fg_endpoint_spec spec = {.connect_timeout = 1, .verify = true};
	struct fg_endpoint *endpoint;
	struct fg_arena arena;

	fg_arena_init(&arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	for (size_t i = 0; i < FG_ARRAY_LEN(good); i++) {
		spec.url = fg_str_from(good[i]);
		CU_ASSERT_EQUAL(fg_endpoint_new(&endpoint, &spec, &arena), FG_OK);
	}
	for (size_t i = 0; i < FG_ARRAY_LEN(bad); i++) {
		spec.url = fg_str_from(bad[i]);
		CU_ASSERT_EQUAL(fg_endpoint_new(&endpoint, &spec, &arena), FG_ERR_SYNTAX);
	}
	fg_arena_fini(&arena);
}

void
suite_client(void)
{
	CU_pSuite suite = CU_add_suite("client", NULL, NULL);

	ADD_TEST(suite, requests_are_sent_as_they_are);
	ADD_TEST(suite, nothing_is_added);
	ADD_TEST(suite, any_method_goes);
	ADD_TEST(suite, bodies_are_sent);
	ADD_TEST(suite, headers_arrive_in_order);
	ADD_TEST(suite, bodies_of_every_framing_arrive);
	ADD_TEST(suite, responses_without_body_end_with_the_head);
	ADD_TEST(suite, what_is_encoded_stays_so);
	ADD_TEST(suite, interim_responses_are_skipped);
	ADD_TEST(suite, broken_responses_are_told_apart);
	ADD_TEST(suite, an_absent_service_is_unreachable);
	ADD_TEST(suite, connecting_has_a_timeout);
	ADD_TEST(suite, connections_are_kept_and_timed);
	ADD_TEST(suite, a_dead_connection_costs_no_replayable_request);
	ADD_TEST(suite, no_other_request_is_sent_twice);
	ADD_TEST(suite, what_follows_a_response_is_no_answer);
	ADD_TEST(suite, what_an_idle_connection_says_is_no_answer);
	ADD_TEST(suite, many_calls_at_once);
	ADD_TEST(suite, endpoints_are_checked);
}
