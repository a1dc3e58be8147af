/*
 * Forwarding as HTTP wants it: methods, answers without a body, ranges, repeated and hop-by-hop headers, what is said
 * about the client, and what the edits of a route do.
 */
#include "e2e/e2e.h"

static struct stage stage;

static void
say_cookies(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT\r\n"
			     "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Bearer\r\n",
	    "two");
}

static void
say_no_content(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 204 No Content\r\nETag: \"v1\"\r\n\r\n");
}

static void
say_not_modified(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\n\r\n");
}

static void
say_range(struct played_conn *conn, struct played_request *request)
{
	if (strstr(request->head, "Range: bytes=2-4") != NULL)
		say_reply(conn, 206, "Content-Range: bytes 2-4/10\r\nContent-Type: a/b\r\n", "cde");
	else
		say_reply(conn, 200, NULL, "abcdefghij");
}

static void
say_head(struct played_conn *conn, struct played_request *request)
{
	say(conn, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 12345\r\nX-Method: %s\r\n\r\n", request->method);
	if (strcmp(request->method, "HEAD") != 0)
		say_close(conn);
}

static void
say_hop_by_hop(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "Connection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\nX-Private: secret\r\n"
			     "Proxy-Connection: keep-alive\r\nTrailer: X-T\r\nUpgrade: h2c\r\nX-Kept: yes\r\n",
	    "ok");
}

static void
say_gzip(struct played_conn *conn, struct played_request *request)
{
	static const char bytes[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03not really gzip\0\xff";

	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
	    sizeof(bytes) - 1);
	say_bytes(conn, bytes, sizeof(bytes) - 1);
}

static void
say_sendfile(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "X-Sendfile: /etc/passwd\r\nX-LIGHTTPD-send-file: /etc/passwd\r\nX-Accel-Redirect: /x\r\n"
			     "Status: 404 Gone astray\r\n",
	    "mine");
}

static void
say_status(struct played_conn *conn, struct played_request *request)
{
	say_reply(conn, atoi(query_value(request, "code")), "Location: /elsewhere?x=1\r\nRetry-After: 7\r\nServer: own/1\r\n",
	    "body of it");
}

static const struct played_part parts[] = {
    {"/cookies", say_cookies, false},
    {"/none", say_no_content, false},
    {"/unmodified", say_not_modified, false},
    {"/range", say_range, false},
    {"/head", say_head, false},
    {"/hop", say_hop_by_hop, false},
    {"/gzip", say_gzip, false},
    {"/sendfile", say_sendfile, false},
    {"/status", say_status, false},
    {NULL, say_echo, false},
};

static int
init(void)
{
	stage_open(&stage, parts, NULL,
	    "  all: {path: /*, service: a}\n"
	    "  edited:\n"
	    "    path: /edited/{id}\n"
	    "    service: a\n"
	    "    rewrite: /status\n"
	    "    request: {headers: {set: {X-Order: \"{path:id}\"}, remove: [X-Debug]}, query: {set: {code: \"404\"}}}\n"
	    "    response: {status: {404: 410}, headers: {remove: [Server], set: {X-Served-By: \"{route}\"}}}\n"
	    "  rewritten: {path: /old/*, service: a, rewrite: \"/new/{rest}\"}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

/* lighttpd 1.4.69 answers 501 itself to a method that it does not know. */
static void
every_method_arrives(void)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "PROPPATCH", "MKCOL",
	    "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "MKCALENDAR", "ACL", "CHECKOUT", "MERGE", "LINK", "UNLINK",
	    "QUERY"};
	static const char *const unknown[] = {"PURGE", "NOTIFY", "BREW", "M-SEARCH"};
	char line[64];

	EACH_FRONT(&stage, front) {
		for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
			/* lighttpd answers 411 itself to a POST that says nothing of its body. */
			bool is_post = strcmp(methods[i], "POST") == 0;
			const struct http_reply *reply =
			    ask(front, methods[i], "/m", is_post ? "Content-Length: 0\r\n" : NULL, NULL);

			snprintf(line, sizeof(line), "%s /m HTTP/1.1\r\n", methods[i]);
			CHECK(front, reply->status == 200 && http_body_has(reply, line));
			CHECK(front, bed_log_says(&stage.bed, reply->id, "method", methods[i]));
		}
		for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
			const struct http_reply *reply = ask(front, unknown[i], "/m", NULL, NULL);

			snprintf(line, sizeof(line), "%s /m HTTP/1.1\r\n", unknown[i]);
			CHECK(front, front->kind == FRONT_LIGHTTPD ? reply->status == 501
								   : reply->status == 200 && http_body_has(reply, line));
		}
	}
}

static void
answers_without_a_body_have_none(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/none");

		CHECK(front, reply->status == 204 && reply->body_len == 0 && reply->complete);
		CHECK(front, http_header_is(reply, "ETag", "\"v1\""));
		CHECK(front, http_header(reply, "Transfer-Encoding") == NULL);
		reply = ask(front, "GET", "/unmodified", "If-None-Match: \"v1\"\r\n", NULL);
		CHECK(front, reply->status == 304 && reply->body_len == 0 && reply->complete);
		CHECK(front, http_header_is(reply, "ETag", "\"v1\""));
		reply = ask(front, "HEAD", "/head", NULL, NULL);
		CHECK(front, reply->status == 200 && reply->body_len == 0);
		CHECK(front, http_header_is(reply, "Content-Length", "12345"));
		CHECK(front, http_header_is(reply, "X-Method", "HEAD"));
	}
}

/* The answer to HEAD, a 204 and a 304 leave the connection ready for the next request. */
static void
a_connection_goes_on_behind_them(void)
{
	static const char *const each[][2] = {{"HEAD", "/head"}, {"GET", "/none"}, {"GET", "/unmodified"}, {"GET", "/range"}};

	EACH_FRONT(&stage, front) {
		struct http_conn conn;

		http_open(&conn, front, NULL);
		for (int i = 0; i < 12; i++) {
			http_send_head(&conn, each[i % 4][0], each[i % 4][1], NULL, -1);
			CHECK(front, http_read(&conn)->complete);
		}
		http_send_head(&conn, "GET", "/range", NULL, -1);
		CHECK(front, http_body_has(http_read(&conn), "abcdefghij"));
		http_close(&conn);
	}
}

static void
ranges_pass(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/range", "Range: bytes=2-4\r\n", NULL);

		CHECK(front, reply->status == 206 && http_header_is(reply, "Content-Range", "bytes 2-4/10"));
		CHECK(front, reply->body_len == 3 && http_body_has(reply, "cde"));
	}
}

static void
repeated_headers_stay_apart(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/cookies");

		CHECK(front, http_header_count(reply, "Set-Cookie") == 2);
		CHECK(front, strstr(reply->head, "a=1; Path=/") != NULL);
		CHECK(front, strstr(reply->head, "b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT") != NULL);
		CHECK(front, strstr(reply->head, "Basic realm=\"x\"") != NULL && strstr(reply->head, "Bearer") != NULL);
	}
}

static void
what_belongs_to_one_connection_stays_there(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/hop");

		CHECK(front, http_header(reply, "X-Private") == NULL && http_header(reply, "Upgrade") == NULL);
		CHECK(front, http_header(reply, "Proxy-Connection") == NULL && http_header(reply, "Trailer") == NULL);
		CHECK(front, http_header_is(reply, "X-Kept", "yes") && http_body_has(reply, "ok"));
		reply = ask(front, "GET", "/echo",
		    "Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: close\r\n"
		    "Upgrade: h2c\r\nProxy: http://evil.example\r\nX-Kept: yes\r\n",
		    NULL);
		CHECK(front, strstr(reply->body, "\r\nTE:") == NULL && strstr(reply->body, "\r\nUpgrade:") == NULL);
		CHECK(front, strstr(reply->body, "Keep-Alive:") == NULL && strstr(reply->body, "Proxy-Connection:") == NULL);
		CHECK(front, strstr(reply->body, "evil.example") == NULL);
		CHECK(front, http_body_has(reply, "\r\nX-Kept: yes\r\n"));
	}
}

static void
coded_bytes_are_not_touched(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/gzip", "Accept-Encoding: gzip, br\r\n", NULL);

		CHECK(front, http_header_is(reply, "Content-Encoding", "gzip"));
		CHECK(front, reply->body_len == 27 && memcmp(reply->body, "\x1f\x8b\x08\0\0\0\0\0\0\x03not really gzip\0\xff", 27) == 0);
		reply = ask(front, "GET", "/echo", "Accept-Encoding: gzip, br\r\n", NULL);
		CHECK(front, http_body_has(reply, "\r\nAccept-Encoding: gzip, br\r\n"));
	}
}

static void
a_service_gives_the_web_server_no_orders(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/sendfile");

		CHECK(front, reply->status == 200 && reply->body_len == 4 && http_body_has(reply, "mine"));
		reply = get(front, "/status?code=200");
		CHECK(front, reply->status == 200 && http_body_has(reply, "body of it"));
	}
}

static void
any_status_passes_with_its_headers(void)
{
	static const int codes[] = {201, 202, 207, 301, 302, 303, 307, 308, 400, 401, 403, 404, 409, 418, 422, 423, 428, 429, 451,
	    500, 501, 502, 503, 504, 507, 599};
	char target[32];

	EACH_FRONT(&stage, front) {
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			const struct http_reply *reply;

			snprintf(target, sizeof(target), "/status?code=%d", codes[i]);
			reply = get(front, target);
			CHECK(front, reply->status == codes[i] && http_body_has(reply, "body of it"));
			CHECK(front, http_header_is(reply, "Location", "/elsewhere?x=1") && http_header_is(reply, "Retry-After", "7"));
			CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "forwarded"));
		}
	}
}

static void
the_service_is_told_who_asks(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/echo", "Host: api.example.com:8080\r\n", NULL);

		CHECK(front, http_body_has(reply, "\r\nHost: api.example.com:8080\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-For: 127.0.0.1\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-Proto: http\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-Host: api.example.com:8080\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-Port: 8080\r\n"));
		CHECK(front, http_body_has(reply, "\r\nForwarded: for=127.0.0.1;host=\"api.example.com:8080\";proto=http\r\n"));
		CHECK(front, http_body_has(reply, "\r\nVia: 1.1 faregate\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Request-Id: scene-"));
		CHECK(front, http_header_is(reply, "X-Request-Id", reply->id));
	}
}

static void
a_trusted_proxy_is_believed(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/echo",
		    "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\n"
		    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: a=1\r\n",
		    NULL);

		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-Proto: https\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-Host: public.example\r\n"));
		CHECK(front, http_body_has(reply, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "client", "203.0.113.9"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"));
	}
}

static void
nobody_else_is(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;
		struct http_conn conn;

		http_open(&conn, front, "127.0.0.2");
		http_send_head(&conn, "GET", "/echo",
		    "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Request-Id: mine\r\n"
		    "traceparent: 00-nonsense\r\n",
		    -1);
		reply = http_read(&conn);
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-For: 127.0.0.2\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Forwarded-Proto: http\r\n"));
		CHECK(front, strstr(reply->body, "203.0.113.9") == NULL);
		CHECK(front, strstr(reply->body, "X-Request-Id: mine") == NULL);
		CHECK(front, strstr(reply->body, "nonsense") == NULL);
		http_close(&conn);
	}
}

static void
a_route_edits_what_it_says(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/edited/42?x=1", "X-Debug: 1\r\n", NULL);

		CHECK(front, reply->status == 410 && http_header_is(reply, "X-Served-By", "edited"));
		CHECK(front, http_header(reply, "Server") == NULL || strcmp(http_header(reply, "Server"), "own/1") != 0);
		reply = get(front, "/old/a%2Fb/c?q=%20");
		CHECK(front, http_body_has(reply, "GET /new/a%2Fb/c?q=%20 HTTP/1.1\r\n"));
	}
}

static void
connections_to_services_are_kept(void)
{
	EACH_FRONT(&stage, front) {
		unsigned before = played_accepted(stage.a);

		for (int i = 0; i < 50; i++)
			CHECK(front, get(front, "/range")->status == 200);
		/* Two workers, one connection each, and one more where a first was in the making. */
		CHECK(front, played_accepted(stage.a) - before <= 4);
	}
}

void
suite_forward(void)
{
	CU_pSuite suite = add_suite("forwarding", init, cleanup);

	ADD_SCENE(suite, every_method_arrives);
	ADD_SCENE(suite, answers_without_a_body_have_none);
	ADD_SCENE(suite, a_connection_goes_on_behind_them);
	ADD_SCENE(suite, ranges_pass);
	ADD_SCENE(suite, repeated_headers_stay_apart);
	ADD_SCENE(suite, what_belongs_to_one_connection_stays_there);
	ADD_SCENE(suite, coded_bytes_are_not_touched);
	ADD_SCENE(suite, a_service_gives_the_web_server_no_orders);
	ADD_SCENE(suite, any_status_passes_with_its_headers);
	ADD_SCENE(suite, the_service_is_told_who_asks);
	ADD_SCENE(suite, a_trusted_proxy_is_believed);
	ADD_SCENE(suite, nobody_else_is);
	ADD_SCENE(suite, a_route_edits_what_it_says);
	ADD_SCENE(suite, connections_to_services_are_kept);
}
