/*
 * Services at fault: each failure has its status, its reason in answer, log and counter, and harms no other. What has
 * begun and cannot be completed must not look complete.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "e2e/load.h"

static struct stage stage;
static int full_fd, full_port, queue_fds[8];
static struct gate hold = GATE_CLOSED;

static void
say_stall(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of it");
	wait_peer_gone(conn);
}

static void
stall_reading(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&hold);
	say_close(conn);
}

static void
reset_at_once(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reset(conn);
}

static void
say_half_head(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Ty");
	say_close(conn);
}

static void
say_half_body(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nonly the beginning");
	say_close(conn);
}

static void
say_half_at_once(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_last(conn);
	say(conn, "HTTP/1.1 200 OK\r\nX-Of: the service\r\nContent-Length: 1000\r\n\r\nonly the beginning");
}

static void
say_half_then_reset(struct played_conn *conn, struct played_request *request)
{
	static const char piece[64 * 1024];

	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	for (int i = 0; i < 32; i++)
		say_bytes(conn, piece, sizeof(piece));
	say_reset(conn);
}

static void
say_half_chunked(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	say_close(conn);
}

static void
say_bad_chunk(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzzz\r\n");
	say_close(conn);
}

static void
say_garbage(struct played_conn *conn, struct played_request *request)
{
	static const char garbage[] = "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n";

	(void)request;
	say_bytes(conn, garbage, sizeof(garbage) - 1);
	say_close(conn);
}

static void
say_endless_headers(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; say(conn, "X-Header-%d: %0100d\r\n", i, i); i++)
		;
	say_close(conn);
}

static void
say_many_headers(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 400; i++)
		say(conn, "X-H%d: 1\r\n", i);
	say(conn, "Content-Length: 0\r\n\r\n");
}

static void
say_two_lengths(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello!!");
	say_close(conn);
}

static void
say_more_than_said(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
}

static void
say_interims(struct played_conn *conn, struct played_request *request)
{
	int n = atoi(query_value(request, "n"));

	for (int i = 0; i < n; i++)
		say(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
	say_reply(conn, 200, NULL, "at last");
}

static void
close_kept_connection(struct played_conn *conn, struct played_request *request)
{
	say_reply(conn, 200, NULL, "once");
	(void)request;
	say_close(conn);
}

/* What no client may be made to guess at. */
static const struct {
	const char *bytes;
	const char *reason;
} odd_answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\n: no name\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 099 Less\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 1000 More\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "service_response_invalid"},
    {"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n", "service_response_invalid"},
    {"ICY 200 OK\r\n\r\nmusic", "service_response_invalid"},
    {"<html>an answer of HTTP/0.9</html>", "service_response_invalid"},
    {"\r\n\r\n", "service_response_invalid"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0", "service_closed"},
    {"HTTP/1.1 20", "service_closed"},
    {"HTTP/1.1 100 Continue\r\n\r\n", "service_closed"},
    {"", "service_closed"},
};

static void
say_odd(struct played_conn *conn, struct played_request *request)
{
	say(conn, "%s", odd_answers[atoi(query_value(request, "n"))].bytes);
	say_close(conn);
}

static void
say_nul(struct played_conn *conn, struct played_request *request)
{
	static const char bytes[] = "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n";

	(void)request;
	say_bytes(conn, bytes, sizeof(bytes) - 1);
	say_close(conn);
}

/* Odd, but clear. */
static void
say_clear(struct played_conn *conn, struct played_request *request)
{
	static const char *const answers[] = {
	    "HTTP/1.1 999 Own Word\r\nContent-Length: 4\r\n\r\nbody",
	    "HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nbody",
	    "HTTP/1.1 200 OK\nContent-Length: 4\n\nbody",
	    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n000004;x=\"y\"\r\nbody\r\n0\r\nX-T: 1\r\n\r\n",
	    "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody",
	};

	say(conn, "%s", answers[atoi(query_value(request, "n"))]);
	say_close(conn);
}

static const struct played_part parts[] = {
    {"/odd", say_odd, false},
    {"/nul", say_nul, false},
    {"/clear", say_clear, false},
    {"/hang", say_nothing, false},
    {"/stall", say_stall, false},
    {"/unread", stall_reading, true},
    {"/reset", reset_at_once, false},
    {"/halfhead", say_half_head, false},
    {"/halfbody", say_half_body, false},
    {"/halfatonce", say_half_at_once, false},
    {"/halfreset", say_half_then_reset, false},
    {"/halfchunked", say_half_chunked, false},
    {"/badchunk", say_bad_chunk, false},
    {"/garbage", say_garbage, false},
    {"/endless", say_endless_headers, false},
    {"/many", say_many_headers, false},
    {"/lengths", say_two_lengths, false},
    {"/more", say_more_than_said, false},
    {"/interim", say_interims, false},
    {"/once", close_kept_connection, false},
    {NULL, say_echo, false},
};

/* A port whose queue is full: a connect to it waits for ever. */
static void
open_full_port(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	full_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(full_fd, (struct sockaddr *)&addr, len) != 0 || listen(full_fd, 0) != 0 ||
	    getsockname(full_fd, (struct sockaddr *)&addr, &len) != 0)
		bed_give_up("no full port");
	full_port = ntohs(addr.sin_port);
	for (size_t i = 0; i < sizeof(queue_fds) / sizeof(queue_fds[0]); i++) {
		queue_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(queue_fds[i], (struct sockaddr *)&addr, len);
	}
}

static int
init(void)
{
	int port;

	stage_play(&stage, parts, NULL);
	port = played_port(stage.a);
	open_full_port();
	stage_serve(&stage,
	    "services:\n"
	    "  a: http://127.0.0.1:%d\n"
	    "  b: http://127.0.0.1:%d\n"
	    "  gone: http://127.0.0.1:%d\n"
	    "  full: {targets: [\"http://127.0.0.1:%d\"], connect-timeout: 300ms}\n"
	    "  slow: {targets: [\"http://127.0.0.1:%d\"], response-timeout: 300ms}\n"
	    "  idle: {targets: [\"http://127.0.0.1:%d\"], idle-timeout: 300ms}\n"
	    "  tls: {targets: [\"https://127.0.0.1:%d\"], connect-timeout: 300ms}\n"
	    "routes:\n"
	    "  a: {path: /a/*, service: a, strip-prefix: /a}\n"
	    "  b: {path: /b/*, service: b, strip-prefix: /b}\n"
	    "  gone: {path: /gone/*, service: gone}\n"
	    "  full: {path: /full/*, service: full}\n"
	    "  slow: {path: /slow/*, service: slow, strip-prefix: /slow}\n"
	    "  idle: {path: /idle/*, service: idle, strip-prefix: /idle}\n"
	    "  tls: {path: /tls/*, service: tls}\n"
	    "  short: {path: /short/*, service: a, strip-prefix: /short, timeout: 300ms}\n",
	    port, played_port(stage.b), bed_dead_port(), full_port, port, port, port);
	return 0;
}

static int
cleanup(void)
{
	close(full_fd);
	for (size_t i = 0; i < sizeof(queue_fds) / sizeof(queue_fds[0]); i++)
		close(queue_fds[i]);
	return !stage_close(&stage);
}

/* What the answer, the log and the counter say; and that the next request is served. */
static void
expect(const struct front *front, const char *method, const char *target, const char *body, int status, const char *reason)
{
	char series[128];
	double before;
	const struct http_reply *reply;

	snprintf(series, sizeof(series), "faregate_outcomes_total{reason=\"%s\"}", reason);
	before = bed_metric(front, series);
	reply = ask(front, method, target, NULL, body);
	CHECK(front, http_is_problem(&stage.bed, reply, status, reason));
	CHECK(front, bed_metric(front, series) == before + 1);
	CHECK(front, get(front, "/b/next")->status == 200);
}

/* A begun answer that could not be completed: the client can tell, and the log says why. */
static void
expect_broken(const struct front *front, const char *target, const char *reason)
{
	const struct http_reply *reply = get(front, target);

	/* A web server that has passed nothing on yet may still say so by a status. */
	CHECK(front, reply->status == 200 || reply->status >= 500);
	if (reply->status == 200)
		CHECK(front, !reply->complete);
	CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", reason));
	CHECK(front, get(front, "/b/next")->status == 200);
}

static void
unreachable(void)
{
	EACH_FRONT(&stage, front) {
		expect(front, "GET", "/gone/x", NULL, 502, "service_unreachable");
		expect(front, "POST", "/gone/x", "a body", 502, "service_unreachable");
		expect(front, "GET", "/full/x", NULL, 504, "service_connect_timeout");
		/* A service that does not speak TLS waits for more of what it takes for a request. */
		expect(front, "GET", "/tls/x", NULL, 504, "service_connect_timeout");
	}
}

static void
slow(void)
{
	EACH_FRONT(&stage, front) {
		expect(front, "GET", "/slow/hang", NULL, 504, "service_timeout");
		expect(front, "GET", "/short/hang", NULL, 504, "exchange_timeout");
		expect_broken(front, "/idle/stall", "service_idle_timeout");
		expect_broken(front, "/short/stall", "exchange_timeout");
	}
}

static void
closed_before_the_head(void)
{
	EACH_FRONT(&stage, front) {
		expect(front, "GET", "/a/reset", NULL, 502, "service_closed");
		expect(front, "POST", "/a/reset", "a body", 502, "service_closed");
		expect(front, "GET", "/a/halfhead", NULL, 502, "service_closed");
	}
}

static void
closed_in_the_body(void)
{
	EACH_FRONT(&stage, front) {
		expect_broken(front, "/a/halfbody", "service_closed");
		expect_broken(front, "/a/halfreset", "service_closed");
		expect_broken(front, "/a/halfchunked", "service_closed");
		expect(front, "GET", "/a/badchunk", NULL, 502, "service_response_invalid");
	}
}

/* Nothing of it was passed on yet: the client gets an answer that is whole, and the log says which. */
static void
closed_behind_the_head(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/a/halfatonce");

		CHECK(front, reply->status == 502 && http_body_has(reply, "service_closed"));
		CHECK(front, http_header(reply, "X-Of") == NULL);
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "service_closed"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "status", "502"));
	}
}

/*
 * What lighttpd finds closed before it has passed the head on, it takes for the whole, and gives it a length. The client
 * has to be able to tell, however close the two come together.
 */
static void
a_part_is_never_the_whole(void)
{
	struct load *load = load_start(stage.fronts[0], "/a/halfchunked", 24);

	CU_ASSERT(load_wait_failed(load, 600));
	CU_ASSERT_EQUAL(load_stop(load).good, 0);
}

static void
not_http(void)
{
	EACH_FRONT(&stage, front) {
		expect(front, "GET", "/a/garbage", NULL, 502, "service_response_invalid");
		expect(front, "GET", "/a/endless", NULL, 502, "service_headers_too_large");
		expect(front, "GET", "/a/many", NULL, 502, "service_headers_too_large");
		expect(front, "GET", "/a/lengths", NULL, 502, "service_response_invalid");
		expect(front, "GET", "/a/interim?n=50", NULL, 502, "service_response_invalid");
		CHECK(front, http_body_has(get(front, "/a/interim?n=3"), "at last"));
	}
}

static void
answers_that_could_be_read_two_ways(void)
{
	char target[32];

	EACH_FRONT(&stage, front) {
		for (size_t i = 0; i < sizeof(odd_answers) / sizeof(odd_answers[0]); i++) {
			snprintf(target, sizeof(target), "/a/odd?n=%zu", i);
			expect(front, "GET", target, NULL, 502, odd_answers[i].reason);
		}
		expect(front, "GET", "/a/nul", NULL, 502, "service_response_invalid");
	}
}

static void
answers_that_are_odd_but_clear(void)
{
	char target[32];

	EACH_FRONT(&stage, front)
		for (int i = 0; i < 6; i++) {
			const struct http_reply *reply;

			snprintf(target, sizeof(target), "/a/clear?n=%d", i);
			reply = get(front, target);
			if (reply->status != (i == 0 ? 999 : 200))
				fprintf(stderr, "e2e: behind %s: %s: %d\n", front->name, target, reply->status);
			CHECK(front, reply->status == (i == 0 ? 999 : 200) && http_body_has(reply, "body"));
		}
}

/* Bytes behind the said length are no answer to anybody's next request. */
static void
nothing_is_smuggled_behind_an_answer(void)
{
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 6; i++) {
			const struct http_reply *reply = get(front, "/a/more");

			CHECK(front, reply->status == 200 && reply->body_len == 5 && http_body_has(reply, "hello"));
			reply = get(front, "/a/echo");
			CHECK(front, reply->status == 200 && http_body_has(reply, "GET /echo"));
		}
}

/* A kept connection that the service closes meanwhile is replaced; the client notices nothing. */
static void
a_closed_kept_connection_is_replaced(void)
{
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 10; i++)
			CHECK(front, http_body_has(get(front, "/a/once"), "once"));
}

static void
a_service_that_does_not_read(void)
{
	char *body = calloc(1, 8 * 1024 * 1024);

	EACH_FRONT(&stage, front) {
		struct http_conn conn;
		const struct http_reply *reply;

		gate_reset(&hold);
		http_open(&conn, front, NULL);
		http_send_head(&conn, "POST", "/idle/unread", NULL, 8 * 1024 * 1024);
		http_send(&conn, body, 8 * 1024 * 1024);
		reply = http_read(&conn);
		CHECK(front, http_is_problem(&stage.bed, reply, 504, "service_idle_timeout"));
		http_close(&conn);
		gate_open(&hold, 1);
		CHECK(front, get(front, "/b/next")->status == 200);
	}
	free(body);
}

void
suite_failure(void)
{
	CU_pSuite suite = add_suite("services at fault", init, cleanup);

	ADD_SCENE(suite, unreachable);
	ADD_SCENE(suite, slow);
	ADD_SCENE(suite, closed_before_the_head);
	ADD_SCENE(suite, closed_in_the_body);
	ADD_SCENE(suite, closed_behind_the_head);
	ADD_SCENE(suite, a_part_is_never_the_whole);
	ADD_SCENE(suite, not_http);
	ADD_SCENE(suite, answers_that_could_be_read_two_ways);
	ADD_SCENE(suite, answers_that_are_odd_but_clear);
	ADD_SCENE(suite, nothing_is_smuggled_behind_an_answer);
	ADD_SCENE(suite, a_closed_kept_connection_is_replaced);
	ADD_SCENE(suite, a_service_that_does_not_read);
}
