/*
 * Bodies: with and without length, Expect, trailers, limits, and hundreds of megabytes both ways in a worker whose
 * memory stays as it was.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "e2e/e2e.h"

enum { PIECE = 256 * 1024 };
#ifdef __SANITIZE_ADDRESS__ /* five times slower */
static const uint64_t HUGE_BYTES = UINT64_C(100) * 1024 * 1024;
#else
static const uint64_t HUGE_BYTES = UINT64_C(300) * 1024 * 1024;
#endif

/* More than 32 bits with a sign hold. */
static const uint64_t VAST_BYTES = (UINT64_C(1) << 31) + 4 * PIECE;

static struct stage stage;
static char piece[PIECE];
static struct gate hold = GATE_CLOSED;

/* What was received, in figures. */
static void
say_figures(struct played_conn *conn, struct played_request *request)
{
	char text[256];

	snprintf(text, sizeof(text), "length=%lld chunked=%d bytes=%llu sum=%016llx complete=%d expect=%d",
	    (long long)request->content_length, request->chunked, (unsigned long long)request->body_len,
	    (unsigned long long)request->body_sum, request->body_complete, strcasestr(request->head, "\r\nExpect:") != NULL);
	say_reply(conn, 200, NULL, text);
}

static void
say_huge(struct played_conn *conn, struct played_request *request)
{
	bool chunked = query_value(request, "chunked") != NULL;
	uint64_t total = query_value(request, "vast") != NULL ? VAST_BYTES : HUGE_BYTES;

	if (chunked)
		say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	else
		say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)total);
	for (uint64_t sent = 0; sent < total; sent += PIECE) {
		if (chunked)
			say(conn, "%x\r\n", PIECE);
		if (!say_bytes(conn, piece, PIECE))
			return;
		if (chunked)
			say(conn, "\r\n");
	}
	if (chunked)
		say(conn, "0\r\n\r\n");
}

static void
say_until_close(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall there is");
	say_close(conn);
}

static void
say_trailers(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
		  "5\r\nhello\r\n0\r\nX-Sum: 5d41402a\r\n\r\n");
}

/* Answers before it has read the body: and never reads it, says so, resets at once, or reads it for nothing. */
static void
say_early(struct played_conn *conn, struct played_request *request)
{
	const char *how = query_value(request, "how");

	say_reply(conn, 413, strcmp(how, "read") == 0 ? NULL : "Connection: close\r\n", "no need to go on");
	if (strcmp(how, "read") == 0)
		read_body(conn, request);
	else
		say_close(conn);
}

static void
say_when_held(struct played_conn *conn, struct played_request *request)
{
	gate_pass(&hold);
	if (read_body(conn, request))
		say_figures(conn, request);
}

static const struct played_part parts[] = {
    {"/figures", say_figures, false},
    {"/huge", say_huge, false},
    {"/close", say_until_close, false},
    {"/trailers", say_trailers, false},
    {"/early", say_early, true},
    {"/held", say_when_held, true},
    {NULL, say_echo, false},
};

static int
init(void)
{
	for (size_t i = 0; i < PIECE; i++)
		piece[i] = (char)(i * 2654435761u >> 24);
	stage_open(&stage, parts, NULL,
	    "  all: {path: /*, service: a}\n"
	    "  small: {path: /small/*, service: a, strip-prefix: /small, body-limit: 10k}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static uint64_t
sum_of(uint64_t total)
{
	uint64_t sum = 0;

	for (; total >= PIECE; total -= PIECE)
		sum = http_sum(sum, piece, PIECE);
	return http_sum(sum, piece, (size_t)total);
}

static void
send_chunked(struct http_conn *conn, uint64_t total, size_t size)
{
	for (uint64_t sent = 0; sent < total;) {
		size_t at = (size_t)(sent % sizeof(piece)), n = total - sent < size ? (size_t)(total - sent) : size;

		if (n > sizeof(piece) - at)
			n = sizeof(piece) - at;
		http_say(conn, "%zx\r\n", n);
		http_send(conn, piece + at, n);
		http_say(conn, "\r\n");
		sent += n;
	}
	http_say(conn, "0\r\nX-Trailer: dropped\r\n\r\n");
}

static void
small_and_empty_bodies(void)
{
	EACH_FRONT(&stage, front) {
		CHECK(front, http_body_has(ask(front, "POST", "/figures", NULL, "twelve bytes"), "length=12 chunked=0 bytes=12"));
		CHECK(front, http_body_has(ask(front, "POST", "/figures", NULL, ""), "length=0 chunked=0 bytes=0"));
		CHECK(front, http_body_has(get(front, "/figures"), "length=-1 chunked=0 bytes=0"));
		CHECK(front, http_body_has(ask(front, "DELETE", "/figures", NULL, "with one"), "bytes=8"));
	}
}

/* lighttpd collects such a body and says its length; Apache passes it on as it comes. */
static void
a_body_without_length(void)
{
	static const uint64_t totals[] = {0, 1, 5, 9000, 70000, 3000000};
	char figures[96];

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
			const struct http_reply *reply;
			struct http_conn conn;

			http_open(&conn, front, NULL);
			http_send_head(&conn, "POST", "/figures", "Transfer-Encoding: chunked\r\n", -1);
			send_chunked(&conn, totals[i], 4096);
			reply = http_read(&conn);
			snprintf(figures, sizeof(figures), "bytes=%llu sum=%016llx complete=1", (unsigned long long)totals[i],
			    (unsigned long long)sum_of(totals[i]));
			CHECK(front, reply->status == 200 && http_body_has(reply, figures));
			http_close(&conn);
		}
}

static void
expect_100_continue(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;
		struct http_conn conn;

		http_open(&conn, front, NULL);
		http_send_head(&conn, "POST", "/figures", "Expect: 100-continue\r\n", 12);
		CHECK(front, http_read_until(&conn, "HTTP/1.1 100 Continue\r\n\r\n"));
		http_say(&conn, "twelve bytes");
		reply = http_read(&conn);
		CHECK(front, reply->status == 200 && http_body_has(reply, "bytes=12") && http_body_has(reply, "expect=0"));
		http_close(&conn);
	}
}

static void
answers_without_length_and_trailers(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/close");

		CHECK(front, reply->complete && http_body_has(reply, "all there is"));
		reply = get(front, "/trailers");
		CHECK(front, reply->complete && reply->body_len == 5 && http_body_has(reply, "hello"));
		CHECK(front, http_header(reply, "X-Sum") == NULL && http_header(reply, "Trailer") == NULL);
	}
}

static void
limit_by_the_length(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;
		struct http_conn conn;

		CHECK(front, ask(front, "POST", "/small/figures", NULL, "fits")->status == 200);
		/* Refused by what the head says, before the body is there. Apache reads on until it is told the end. */
		http_open(&conn, front, NULL);
		http_send_head(&conn, "POST", "/small/figures", NULL, 200000);
		http_send(&conn, piece, front->kind == FRONT_LIGHTTPD ? 20000 : 200000);
		reply = http_read(&conn);
		CHECK(front, http_is_problem(&stage.bed, reply, 413, "body_too_large"));
		http_close(&conn);
	}
}

static void
limit_while_it_streams(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;
		struct http_conn conn;

		http_open(&conn, front, NULL);
		http_send_head(&conn, "POST", "/small/figures", "Transfer-Encoding: chunked\r\n", -1);
		send_chunked(&conn, 200000, 1000);
		reply = http_read(&conn);
		CHECK(front, http_is_problem(&stage.bed, reply, 413, "body_too_large"));
		http_close(&conn);
		CHECK(front, get(front, "/figures")->status == 200);
	}
}

/* The client sends all of its body, whatever comes back meanwhile; its answer is the service's, each time. */
static void
answer_early(const struct front *front, const char *target, bool chunked, bool expects)
{
	const struct http_reply *reply;
	struct http_conn conn;
	char headers[96];

	snprintf(headers, sizeof(headers), "%s%s", chunked ? "Transfer-Encoding: chunked\r\n" : "",
	    expects ? "Expect: 100-continue\r\n" : "");
	http_open(&conn, front, NULL);
	http_send_head(&conn, "POST", target, headers, chunked ? -1 : PIECE * 8);
	if (chunked)
		send_chunked(&conn, PIECE * 8, PIECE);
	for (int i = 0; i < 8 && !chunked; i++)
		http_send(&conn, piece, PIECE);
	reply = http_read(&conn);
	CHECK(front, reply->status == 413 && http_body_has(reply, "no need to go on"));
	CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "forwarded"));
	http_close(&conn);
}

static void
an_answer_before_the_body_is_read(void)
{
	EACH_FRONT(&stage, front)
		for (int i = 0; i < 24; i++) {
			answer_early(front, i % 2 ? "/early?how=close" : "/early?how=read", i / 2 % 2, i / 4 % 2);
			CHECK(front, get(front, "/figures")->status == 200);
		}
}

static void
upload(const struct front *front, uint64_t total, uint64_t sum, bool chunked)
{
	const struct http_reply *reply;
	struct http_conn conn;
	char figures[96];

	http_open(&conn, front, NULL);
	http_send_head(&conn, "PUT", "/figures", chunked ? "Transfer-Encoding: chunked\r\n" : NULL, chunked ? -1 : (int64_t)total);
	if (chunked)
		send_chunked(&conn, total, PIECE);
	for (uint64_t sent = 0; sent < total && !chunked; sent += PIECE)
		http_send(&conn, piece, PIECE);
	reply = http_read(&conn);
	snprintf(figures, sizeof(figures), "bytes=%llu sum=%016llx complete=1", (unsigned long long)total, (unsigned long long)sum);
	CHECK(front, reply->status == 200 && http_body_has(reply, figures));
	http_close(&conn);
}

static void
download(const struct front *front, const char *target, uint64_t total, uint64_t sum)
{
	struct http_reply *reply;
	struct http_conn conn;

	http_open(&conn, front, NULL);
	http_send_head(&conn, "GET", target, NULL, -1);
	reply = http_read_head(&conn);
	http_read_rest(&conn, reply, false);
	CHECK(front, reply->status == 200 && reply->complete);
	CHECK(front, reply->body_len == total && reply->body_sum == sum);
	http_close(&conn);
}

static void
a_huge_upload(void)
{
	uint64_t sum = sum_of(HUGE_BYTES);

	EACH_FRONT(&stage, front) {
		upload(front, HUGE_BYTES, sum, false);
		upload(front, HUGE_BYTES, sum, true);
	}
}

static void
a_huge_download(void)
{
	uint64_t sum = sum_of(HUGE_BYTES);

	EACH_FRONT(&stage, front) {
		download(front, "/huge", HUGE_BYTES, sum);
		download(front, "/huge?chunked=1", HUGE_BYTES, sum);
	}
}

#ifndef __SANITIZE_ADDRESS__
/* Each way and each framing once; lighttpd would first collect a vast upload without length. */
static void
vast_bodies(void)
{
	uint64_t sum = sum_of(VAST_BYTES);

	upload(stage.fronts[0], VAST_BYTES, sum, false);
	upload(stage.fronts[1], VAST_BYTES, sum, true);
	download(stage.fronts[0], "/huge?vast=1&chunked=1", VAST_BYTES, sum);
	download(stage.fronts[1], "/huge?vast=1", VAST_BYTES, sum);
}
#endif

/* 11 GB went through two workers. A sanitizer's own memory is not ours to bound. */
static void
memory_stayed_as_it_was(void)
{
	long kb = bed_largest_worker_kb(&stage.bed);

	CU_ASSERT(kb > 0);
#ifndef __SANITIZE_ADDRESS__
	if (kb > 32 * 1024)
		fprintf(stderr, "e2e: a worker's memory reached %ld kB\n", kb);
	CU_ASSERT(kb <= 32 * 1024);
#endif
}

/* The service holds back; of a huge body only what buffers hold is taken off the client. */
static void
a_service_slows_the_client(void)
{
	const struct front *front = stage.fronts[1]; /* lighttpd's sockets and buffers hold much more; same code of ours */
	const struct http_reply *reply;
	struct http_conn conn;
	char figures[64];

	gate_reset(&hold);
	http_open(&conn, front, NULL);
	http_send_head(&conn, "PUT", "/held", NULL, PIECE * 16);
	CHECK(front, gate_wait_waiting(&hold, 1));
	CHECK(front, get(front, "/figures")->status == 200);
	gate_open(&hold, 1);
	for (int i = 0; i < 16; i++)
		http_send(&conn, piece, PIECE);
	reply = http_read(&conn);
	snprintf(figures, sizeof(figures), "bytes=%d sum=%016llx", PIECE * 16, (unsigned long long)sum_of(PIECE * 16));
	CHECK(front, http_body_has(reply, figures));
	http_close(&conn);
}

void
suite_body(void)
{
	CU_pSuite suite = add_suite("bodies", init, cleanup);

	ADD_SCENE(suite, small_and_empty_bodies);
	ADD_SCENE(suite, a_body_without_length);
	ADD_SCENE(suite, expect_100_continue);
	ADD_SCENE(suite, answers_without_length_and_trailers);
	ADD_SCENE(suite, limit_by_the_length);
	ADD_SCENE(suite, limit_while_it_streams);
	ADD_SCENE(suite, an_answer_before_the_body_is_read);
	ADD_SCENE(suite, a_huge_upload);
	ADD_SCENE(suite, a_huge_download);
#ifndef __SANITIZE_ADDRESS__
	ADD_SCENE(suite, vast_bodies);
#endif
	ADD_SCENE(suite, memory_stayed_as_it_was);
	ADD_SCENE(suite, a_service_slows_the_client);
}
