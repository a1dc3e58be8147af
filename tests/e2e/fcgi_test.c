/*
 * A web server that does not keep the rules: truncated, oversized and interleaved records, wrong ids, parameters without
 * end, aborts. Whatever comes, the worker lives, nothing leaks, and the next request is served.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "support/fcgi_peer.h"

static struct stage stage;
static struct gate saw_gone = GATE_CLOSED, go_on = GATE_CLOSED;

static void
wait_gone(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	if (wait_peer_gone(conn))
		gate_open(&saw_gone, 1);
}

static void
wait_to_go_on(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	if (gate_pass(&go_on))
		say_reply(conn, 200, "", "slow");
}

static const struct played_part parts[] = {{"/gone", wait_gone, false}, {"/slow", wait_to_go_on, false}, {NULL, say_echo, false}};

static int
init(void)
{
	stage_open(&stage, parts, NULL, "  all: {path: /*, service: a}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static void
connect_peer(struct fcgi_peer *peer)
{
	if (!fcgi_open(peer, stage.bed.socket, bed_patience() * 1000))
		bed_give_up("nobody listens on %s", stage.bed.socket);
}

static bool
is_served(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;
	bool served;

	connect_peer(&peer);
	fcgi_ask(&peer, 1, false, "GET", "/next", NULL);
	fcgi_body(&peer, 1, NULL, 0);
	fcgi_read(&peer, &answer);
	served = answer.ended && strstr(answer.out, "GET /next HTTP/1.1") != NULL;
	free(answer.out);
	fcgi_close(&peer);
	return served;
}

static void
a_plain_request(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;

	connect_peer(&peer);
	fcgi_ask(&peer, 7, false, "POST", "/x", "CONTENT_LENGTH\0005\0HTTP_X_A\0b\0");
	fcgi_body(&peer, 7, "hello", 5);
	fcgi_read(&peer, &answer);
	CU_ASSERT(answer.ended && answer.id == 7 && answer.app_status == 0 && answer.protocol_status == 0);
	CU_ASSERT(strncmp(answer.out, "Status: 200 ", 12) == 0);
	CU_ASSERT(strstr(answer.out, "\r\nX-A: b\r\n") != NULL && strstr(answer.out, "\r\n\r\nhello") != NULL);
	CU_ASSERT(fcgi_is_closed(&peer));
	free(answer.out);
	fcgi_close(&peer);
}

static void
many_requests_over_one_connection(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;

	connect_peer(&peer);
	for (unsigned i = 0; i < 200; i++) {
		unsigned id = 1 + i % 3;

		fcgi_ask(&peer, id, true, i % 2 ? "POST" : "GET", "/x", i % 2 ? "CONTENT_LENGTH\0003\0" : NULL);
		fcgi_body(&peer, id, "abc", i % 2 ? 3 : 0);
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.ended && answer.id == id && strncmp(answer.out, "Status: 200 ", 12) == 0);
		free(answer.out);
	}
	fcgi_close(&peer);
}

/* The next request is written before the answer to the first was read: both are answered, in turn. */
static void
requests_one_behind_another(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;
	char target[32];

	connect_peer(&peer);
	for (int i = 0; i < 5; i++) {
		snprintf(target, sizeof(target), "/turn/%d", i);
		fcgi_ask(&peer, 1, true, "GET", target, NULL);
		fcgi_body(&peer, 1, NULL, 0);
	}
	for (int i = 0; i < 5; i++) {
		snprintf(target, sizeof(target), "GET /turn/%d HTTP", i);
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.ended && strstr(answer.out, target) != NULL);
		free(answer.out);
	}
	fcgi_close(&peer);
}

/*
 * The next request comes in pieces while the one before is with the service: wherever it is cut, it waits for its turn. The
 * worker has begun to read it before the first answer (its first record is behind the first request in one write).
 */
static void
a_request_in_pieces_behind_another(void)
{
	for (size_t cut = 1; cut < 40; cut++) {
		struct fcgi_peer peer, bytes;
		struct fcgi_answer answer;
		char records[2048];
		size_t first, n;
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
			bed_give_up("socketpair");
		bytes = (struct fcgi_peer){.fd = pair[0], .patience_ms = 1000};
		fcgi_ask(&bytes, 1, true, "GET", "/slow", NULL);
		fcgi_body(&bytes, 1, NULL, 0);
		first = (size_t)recv(pair[1], records, sizeof(records), 0);
		fcgi_ask(&bytes, 1, true, "GET", "/second", NULL);
		fcgi_body(&bytes, 1, NULL, 0);
		n = first + (size_t)recv(pair[1], records + first, sizeof(records) - first, 0);
		close(pair[0]);
		close(pair[1]);
		connect_peer(&peer);
		/* The first record alone, so that the worker waits for the rest by its poller, which then is still on. */
		fcgi_send(&peer, records, 16);
		CU_ASSERT(fcgi_is_taken(&peer));
		fcgi_send(&peer, records + 16, first - 16 + cut);
		CU_ASSERT(gate_wait_waiting(&go_on, 1));
		fcgi_send(&peer, records + first + cut, n - first - cut);
		CU_ASSERT(is_served());
		gate_open(&go_on, 1);
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.ended && strstr(answer.out, "slow") != NULL);
		free(answer.out);
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.ended && strstr(answer.out, "GET /second HTTP") != NULL);
		free(answer.out);
		fcgi_close(&peer);
	}
}

/* Byte by byte: no boundary of a read means anything. */
static void
in_the_smallest_pieces(void)
{
	struct fcgi_peer peer, bytes;
	struct fcgi_answer answer;
	char record[512];
	size_t n;
	int pair[2];

	connect_peer(&peer);
	/* The records are made by a peer that writes into a socket pair, and sent on from there. */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		bed_give_up("socketpair");
	bytes = (struct fcgi_peer){.fd = pair[0], .patience_ms = 1000};
	fcgi_ask(&bytes, 1, false, "POST", "/small", "CONTENT_LENGTH\0003\0");
	fcgi_body(&bytes, 1, "abc", 3);
	fcgi_close(&bytes);
	while ((n = (size_t)read(pair[1], record, sizeof(record))) > 0 && n <= sizeof(record))
		for (size_t i = 0; i < n; i++)
			fcgi_send(&peer, record + i, 1);
	close(pair[1]);
	fcgi_read(&peer, &answer);
	CU_ASSERT(answer.ended && strstr(answer.out, "\r\n\r\nabc") != NULL);
	free(answer.out);
	fcgi_close(&peer);
}

/* Any beginning of a request, then nothing: the connection ends and nothing is left behind. */
static void
truncated_anywhere(void)
{
	struct fcgi_peer bytes, peer;
	char whole[512];
	ssize_t len;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		bed_give_up("socketpair");
	bytes = (struct fcgi_peer){.fd = pair[0], .patience_ms = 1000};
	fcgi_ask(&bytes, 1, true, "POST", "/x", "CONTENT_LENGTH\0003\0");
	fcgi_body(&bytes, 1, "abc", 3);
	fcgi_close(&bytes);
	len = recv(pair[1], whole, sizeof(whole), MSG_WAITALL);
	close(pair[1]);
	CU_ASSERT_FATAL(len > 0 && len < (ssize_t)sizeof(whole));
	for (ssize_t cut = 0; cut < len; cut++) {
		connect_peer(&peer);
		fcgi_send(&peer, whole, (size_t)cut);
		fcgi_close(&peer);
	}
	CU_ASSERT(is_served());
}

/* Sends bytes that are no request; expects the connection to be closed and counted. */
static void
expect_refused(const char *what, const void *bytes, size_t len)
{
	static const char series[] = "faregate_outcomes_total{reason=\"fcgi_protocol\"}";
	double before = bed_metric(stage.fronts[0], series);
	struct fcgi_peer peer;

	connect_peer(&peer);
	fcgi_send(&peer, bytes, len);
	if (!fcgi_is_closed(&peer)) {
		fprintf(stderr, "e2e: %s: not closed\n", what);
		CU_FAIL("not closed");
	}
	fcgi_close(&peer);
	if (bed_metric(stage.fronts[0], series) != before + 1) {
		fprintf(stderr, "e2e: %s: not counted\n", what);
		CU_FAIL("not counted");
	}
	CU_ASSERT(is_served());
}

static void
not_fastcgi(void)
{
	static const unsigned char version[] = {2, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	static const unsigned char short_begin[] = {1, 1, 0, 1, 0, 2, 0, 0, 0, 1};
	static const unsigned char type[] = {1, 77, 0, 1, 0, 0, 0, 0};
	static const unsigned char params_first[] = {1, 4, 0, 1, 0, 0, 0, 0};
	static const unsigned char role[] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0};
	unsigned char noise[4096];
	unsigned seed = 1;

	expect_refused("HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
	expect_refused("version", version, sizeof(version));
	expect_refused("short BEGIN", short_begin, sizeof(short_begin));
	expect_refused("unknown type", type, sizeof(type));
	expect_refused("PARAMS first", params_first, sizeof(params_first));
	expect_refused("unknown role", role, sizeof(role));
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)((seed = seed * 1103515245u + 12345u) >> 16);
	noise[0] = 9;
	expect_refused("noise", noise, sizeof(noise));
}

/* Lengths inside the parameters that point outside of them. */
static void
parameters_that_lie(void)
{
	static const unsigned char lies[][12] = {
	    {127, 127, 'a'}, {0x80, 0, 0, 200, 1, 'a'}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a'}, {0x80}, {5}, {1, 0x80}};
	static const size_t sizes[] = {3, 6, 9, 1, 1, 2};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fcgi_peer peer;
		struct fcgi_answer answer;

		connect_peer(&peer);
		fcgi_begin(&peer, 1, 1, false);
		fcgi_record(&peer, FCGI_PARAMS, 1, lies[i], sizes[i], 0);
		fcgi_record(&peer, FCGI_PARAMS, 1, NULL, 0, 0);
		fcgi_body(&peer, 1, NULL, 0);
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.closed || strncmp(answer.out, "Status: 400 ", 12) == 0);
		free(answer.out);
		fcgi_close(&peer);
		CU_ASSERT(is_served());
	}
}

static void
parameters_without_end(void)
{
	static char block[60000];
	struct fcgi_peer peer;
	struct fcgi_answer answer;
	size_t n = 0;

	while (n < sizeof(block) - 200)
		n += fcgi_pair(block + n, "HTTP_X_FILLER", "0123456789012345678901234567890123456789");
	connect_peer(&peer);
	fcgi_begin(&peer, 1, 1, false);
	for (int i = 0; i < 20; i++)
		fcgi_record(&peer, FCGI_PARAMS, 1, block, n, 0);
	fcgi_record(&peer, FCGI_PARAMS, 1, NULL, 0, 0);
	fcgi_body(&peer, 1, NULL, 0);
	fcgi_read(&peer, &answer);
	CU_ASSERT(answer.ended && strncmp(answer.out, "Status: 431 ", 12) == 0);
	CU_ASSERT(strstr(answer.out, "urn:faregate:headers_too_large") != NULL);
	free(answer.out);
	fcgi_close(&peer);
	CU_ASSERT(is_served());
}

static void
expect_problem(const char *method, const char *target, const char *extra, const char *body, size_t body_len,
    const char *status, const char *reason)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;

	connect_peer(&peer);
	fcgi_ask(&peer, 1, false, method, target, extra);
	fcgi_body(&peer, 1, body, body_len);
	fcgi_read(&peer, &answer);
	if (!answer.ended || strncmp(answer.out, status, strlen(status)) != 0 || strstr(answer.out, reason) == NULL) {
		fprintf(stderr, "e2e: no %s for %s: %.300s\n", reason, target, answer.out);
		CU_FAIL("another answer");
	}
	free(answer.out);
	fcgi_close(&peer);
	CU_ASSERT(is_served());
}

static void
requests_at_fault(void)
{
	expect_problem("GET", "/x", "HTTP_X_A\0b\0HTTP_X_A\0c\0", NULL, 0, "Status: 400", "header_duplicated");
	expect_problem("GET", "/x", "HTTP_X_A\0b\r\nX-Evil: 1\0", NULL, 0, "Status: 400", "header_invalid");
	expect_problem("GET", "/x", "HTTP_X:A\0b\0", NULL, 0, "Status: 400", "header_invalid");
	expect_problem("GET", "/x\r\nX: y", NULL, NULL, 0, "Status: 400", "target_invalid");
	expect_problem("GET", "x", NULL, NULL, 0, "Status: 400", "target_invalid");
	expect_problem("GE T", "/x", NULL, NULL, 0, "Status: 400", "target_invalid");
	expect_problem("POST", "/x", "CONTENT_LENGTH\000-5\0", NULL, 0, "Status: 400", "length_invalid");
	expect_problem("POST", "/x", "CONTENT_LENGTH\0005x\0", "hello", 5, "Status: 400", "length_invalid");
	expect_problem("POST", "/x", "CONTENT_LENGTH\00099999999999999999999\0", NULL, 0, "Status: 400", "length_invalid");
	expect_problem("POST", "/x", "CONTENT_LENGTH\00010\0", "short", 5, "Status: 400", "body_incomplete");
	expect_problem("POST", "/x", "CONTENT_LENGTH\0003\0", "longer", 6, "Status: 400", "body_too_long");
}

/* A body without CONTENT_LENGTH and without a coding said: it is as long as it is. */
static void
a_body_of_unknown_length(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;

	connect_peer(&peer);
	fcgi_ask(&peer, 1, false, "POST", "/x", NULL);
	fcgi_body(&peer, 1, "as long as it is", 16);
	fcgi_read(&peer, &answer);
	CU_ASSERT(answer.ended && strncmp(answer.out, "Status: 200", 11) == 0);
	CU_ASSERT(strstr(answer.out, "as long as it is") != NULL);
	free(answer.out);
	fcgi_close(&peer);
}

static bool
service_was_asked(void *arg)
{
	return played_requests(stage.a) > *(const unsigned *)arg;
}

static void
an_abort_is_passed_on(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;
	char extra[64] = "HTTP_X_REQUEST_ID\0abort-me-x\0";
	unsigned before = played_requests(stage.a);

	gate_reset(&saw_gone);
	connect_peer(&peer);
	fcgi_ask(&peer, 1, true, "GET", "/gone", extra);
	fcgi_body(&peer, 1, NULL, 0);
	CU_ASSERT(bed_wait(service_was_asked, &before));
	fcgi_record(&peer, FCGI_ABORT, 1, NULL, 0, 0);
	fcgi_read(&peer, &answer);
	CU_ASSERT(answer.ended || answer.closed);
	CU_ASSERT(gate_pass(&saw_gone));
	CU_ASSERT(bed_log_says(&stage.bed, "abort-me-x", "reason", "client_gone"));
	free(answer.out);
	fcgi_close(&peer);
	CU_ASSERT(is_served());
}

/* Records of another id in the middle of a request, and a second request before the first has ended. */
static void
interleaved(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;

	connect_peer(&peer);
	fcgi_ask(&peer, 1, true, "POST", "/x", "CONTENT_LENGTH\0003\0");
	fcgi_record(&peer, FCGI_STDIN, 2, "zzz", 3, 0);
	fcgi_body(&peer, 1, "abc", 3);
	fcgi_read(&peer, &answer);
	CU_ASSERT(answer.closed || strstr(answer.out, "\r\n\r\nabc") != NULL);
	CU_ASSERT(strstr(answer.out, "zzz") == NULL);
	free(answer.out);
	fcgi_close(&peer);

	connect_peer(&peer);
	fcgi_ask(&peer, 1, true, "POST", "/first", "CONTENT_LENGTH\0003\0");
	fcgi_ask(&peer, 2, true, "GET", "/second", NULL);
	fcgi_body(&peer, 1, "abc", 3);
	fcgi_body(&peer, 2, NULL, 0);
	fcgi_read(&peer, &answer);
	CU_ASSERT(answer.closed || answer.ended);
	free(answer.out);
	fcgi_close(&peer);
	CU_ASSERT(is_served());
}

static bool
hear(struct fcgi_peer *peer, const void *expected, size_t len)
{
	char got[256];

	return recv(peer->fd, got, len, MSG_WAITALL) == (ssize_t)len && memcmp(got, expected, len) == 0;
}

/* Before a request, between two, and byte by byte; the requests around them are served. */
static void
management_records(void)
{
	static const char values[] = "\1\12\0\0\0\22\0\0" "\17\1FCGI_MPXS_CONNS0", unknown[] = "\1\13\0\0\0\10\0\0" "\115\0\0\0\0\0\0";
	struct fcgi_peer peer;
	struct fcgi_answer answer;

	connect_peer(&peer);
	for (int i = 0; i < 3; i++) {
		fcgi_record(&peer, FCGI_GET_VALUES, 0, "\17\0FCGI_MPXS_CONNS", 17, 255);
		CU_ASSERT(hear(&peer, values, sizeof(values) - 1));
		fcgi_record(&peer, 77, 0, "?", 1, 0);
		fcgi_record(&peer, FCGI_GET_VALUES, 0, "\17\0FCGI_MPXS_CONNS", 17, 0);
		fcgi_ask(&peer, 1, true, "GET", "/next", NULL);
		fcgi_body(&peer, 1, NULL, 0);
		CU_ASSERT(hear(&peer, unknown, sizeof(unknown)) && hear(&peer, values, sizeof(values) - 1));
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.ended && strstr(answer.out, "GET /next HTTP/1.1") != NULL);
		free(answer.out);
	}
	for (size_t i = 0; i < 8; i++)
		fcgi_send(&peer, &"\1\11\0\0\0\0\0\0"[i], 1);
	CU_ASSERT(hear(&peer, "\1\12\0\0\0\0\0\0", 8));
	fcgi_close(&peer);
}

static void
roles_that_are_not_played(void)
{
	for (unsigned role = 2; role < 5; role++) {
		struct fcgi_peer peer;
		struct fcgi_answer answer;

		connect_peer(&peer);
		fcgi_begin(&peer, 9, role, true);
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.ended && answer.id == 9 && answer.protocol_status == 3 && answer.out_len == 0);
		CU_ASSERT(fcgi_is_closed(&peer));
		free(answer.out);
		fcgi_close(&peer);
	}
	CU_ASSERT(is_served());
}

/* An abort in each state of a connection: the request is over, nothing is left, the next one is served. */
static void
aborted_at_each_moment(void)
{
	for (int moment = 0; moment < 6; moment++) {
		struct fcgi_peer peer;

		connect_peer(&peer);
		if (moment >= 1)
			fcgi_begin(&peer, 1, 1, true);
		if (moment == 2)
			fcgi_record(&peer, FCGI_PARAMS, 1, "\4\1NAMEx", 7, 0);
		if (moment >= 3) {
			fcgi_close(&peer);
			connect_peer(&peer);
			fcgi_ask(&peer, 1, true, "POST", "/x", "CONTENT_LENGTH\00010\0");
		}
		if (moment == 4)
			fcgi_record(&peer, FCGI_STDIN, 1, "some", 4, 255);
		if (moment == 5)
			fcgi_record(&peer, FCGI_STDIN, 1, "0123456789", 10, 7);
		fcgi_record(&peer, FCGI_ABORT, 1, NULL, 0, 0);
		CU_ASSERT(fcgi_is_closed(&peer));
		fcgi_close(&peer);
		CU_ASSERT(is_served());
	}
}

/* Body before the parameters have ended, and padding of every size. */
static void
out_of_order_and_padded(void)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;

	connect_peer(&peer);
	fcgi_begin(&peer, 1, 1, true);
	fcgi_record(&peer, FCGI_STDIN, 1, "early", 5, 0);
	CU_ASSERT(fcgi_is_closed(&peer));
	fcgi_close(&peer);
	connect_peer(&peer);
	for (unsigned padding = 0; padding < 256; padding += 5) {
		fcgi_ask(&peer, 1, true, "POST", "/x", "CONTENT_LENGTH\0003\0");
		fcgi_record(&peer, FCGI_STDIN, 1, "ab", 2, padding);
		fcgi_record(&peer, FCGI_STDIN, 1, "c", 1, 255 - padding);
		fcgi_record(&peer, FCGI_STDIN, 1, NULL, 0, padding);
		fcgi_read(&peer, &answer);
		CU_ASSERT(answer.ended && strstr(answer.out, "\r\n\r\nabc") != NULL);
		free(answer.out);
	}
	fcgi_close(&peer);
}

/* The peer asks for much and reads nothing; then it leaves. Others are served meanwhile. */
static void
a_peer_that_does_not_read(void)
{
	static char body[60000];
	struct fcgi_peer peers[20];

	memset(body, 'x', sizeof(body));
	for (size_t i = 0; i < 20; i++) {
		connect_peer(&peers[i]);
		for (int n = 0; n < 10; n++) {
			fcgi_ask(&peers[i], 1, true, "POST", "/x", "CONTENT_LENGTH\00060000\0");
			peers[i].patience_ms = 50;
			if (!fcgi_body(&peers[i], 1, body, sizeof(body)))
				break;
		}
	}
	CU_ASSERT(is_served());
	for (size_t i = 0; i < 20; i++)
		fcgi_close(&peers[i]);
	CU_ASSERT(is_served());
}

static bool
nothing_is_in_flight(void *arg)
{
	(void)arg;
	/* The request that asks is one. */
	return bed_metric(stage.fronts[0], "faregate_in_flight") <= 1;
}

static void
nothing_is_left(void)
{
	CU_ASSERT(bed_wait(nothing_is_in_flight, NULL));
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_worker_deaths_total") == 0);
}

void
suite_fcgi(void)
{
	CU_pSuite suite = add_suite("FastCGI peers", init, cleanup);

	ADD_SCENE(suite, a_plain_request);
	ADD_SCENE(suite, many_requests_over_one_connection);
	ADD_SCENE(suite, requests_one_behind_another);
	ADD_SCENE(suite, a_request_in_pieces_behind_another);
	ADD_SCENE(suite, in_the_smallest_pieces);
	ADD_SCENE(suite, truncated_anywhere);
	ADD_SCENE(suite, not_fastcgi);
	ADD_SCENE(suite, parameters_that_lie);
	ADD_SCENE(suite, parameters_without_end);
	ADD_SCENE(suite, requests_at_fault);
	ADD_SCENE(suite, a_body_of_unknown_length);
	ADD_SCENE(suite, an_abort_is_passed_on);
	ADD_SCENE(suite, interleaved);
	ADD_SCENE(suite, management_records);
	ADD_SCENE(suite, roles_that_are_not_played);
	ADD_SCENE(suite, aborted_at_each_moment);
	ADD_SCENE(suite, out_of_order_and_padded);
	ADD_SCENE(suite, a_peer_that_does_not_read);
	ADD_SCENE(suite, nothing_is_left);
}
