/*
 * What real clients depend on: a request signed over its raw path, query and headers, a container registry's push and
 * pull, npm's encoded slash, WebDAV's Destination. Nothing is rewritten that nobody asked to rewrite.
 */
#include "e2e/e2e.h"

static struct stage stage;

/* A registry: an upload is begun, continued, completed; each answer names the next place. */
static void
say_registry(struct played_conn *conn, struct played_request *request)
{
	char headers[512];
	const char *host = strcasestr(request->head, "\r\nHost: ") + 8;

	if (strcmp(request->method, "POST") == 0) {
		say_reply(conn, 202, "Location: /v2/team/app/blobs/uploads/u1?state=a%2Fb\r\nDocker-Upload-UUID: u1\r\nRange: 0-0\r\n", "");
	} else if (strcmp(request->method, "PATCH") == 0) {
		snprintf(headers, sizeof(headers), "Location: http://%.*s/v2/team/app/blobs/uploads/u1?state=c\r\nRange: 0-%llu\r\n",
		    (int)strcspn(host, "\r"), host, (unsigned long long)request->body_len - 1);
		say_reply(conn, 202, headers, "");
	} else if (strcmp(request->method, "PUT") == 0) {
		say_reply(conn, 201, "Location: /v2/team/app/blobs/sha256:abc\r\nDocker-Content-Digest: sha256:abc\r\n", "");
	} else {
		say_reply(conn, 200, "Docker-Distribution-Api-Version: registry/2.0\r\nContent-Type: application/octet-stream\r\n",
		    "the blob");
	}
}

static void
say_multistatus(struct played_conn *conn, struct played_request *request)
{
	say_reply(conn, 207, "Content-Type: application/xml; charset=\"utf-8\"\r\nDAV: 1, 2\r\n", request->head);
}

static const struct played_part parts[] = {
    {"/v2/", say_registry, false},
    {"/dav/", say_multistatus, false},
    {NULL, say_echo, false},
};

static int
init(void)
{
	stage_open(&stage, parts, NULL, "  all: {path: /*, service: a}\n  npm: {path: /npm/*, service: b, strip-prefix: /npm}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static void
a_signed_request_arrives_as_it_was_signed(void)
{
	static const char target[] = "/bucket/My%20Photos/a%2Bb~c/%E2%82%AC.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
				     "&X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&prefix=a+b&empty=&flag&z=%7e";

	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "PUT", target,
		    "Host: bucket.s3.example.com\r\nx-amz-date: 20260101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
		    "x-amz-meta-note: two  spaces\r\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n"
		    "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, "
		    "SignedHeaders=host;x-amz-date, Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024\r\n",
		    "hello");
		char line[512];

		snprintf(line, sizeof(line), "PUT %s HTTP/1.1\r\n", target);
		CHECK(front, http_body_has(reply, line));
		CHECK(front, http_body_has(reply, "\r\nHost: bucket.s3.example.com\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Amz-Date: 20260101T000000Z\r\n"));
		CHECK(front, http_body_has(reply, "\r\nX-Amz-Meta-Note: two  spaces\r\n"));
		CHECK(front, strcasestr(reply->body, "\r\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n") != NULL);
		CHECK(front, http_body_has(reply, "Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024\r\n"));
	}
}

static void
a_registry_push_and_pull(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "POST", "/v2/team/app/blobs/uploads/", NULL, "");
		struct http_conn conn;

		CHECK(front, reply->status == 202);
		CHECK(front, http_header_is(reply, "Location", "/v2/team/app/blobs/uploads/u1?state=a%2Fb"));
		http_open(&conn, front, NULL);
		http_send_head(&conn, "PATCH", "/v2/team/app/blobs/uploads/u1?state=a%2Fb",
		    "Host: registry.example:5000\r\nTransfer-Encoding: chunked\r\nContent-Type: application/octet-stream\r\n", -1);
		for (int i = 0; i < 100; i++)
			http_say(&conn, "3e8\r\n%01000d\r\n", i);
		http_say(&conn, "0\r\n\r\n");
		reply = http_read(&conn);
		http_close(&conn);
		CHECK(front, reply->status == 202 && http_header_is(reply, "Range", "0-99999"));
		CHECK(front, http_header_is(reply, "Location", "http://registry.example:5000/v2/team/app/blobs/uploads/u1?state=c"));
		reply = ask(front, "PUT", "/v2/team/app/blobs/uploads/u1?digest=sha256:abc", NULL, "");
		CHECK(front, reply->status == 201 && http_header_is(reply, "Docker-Content-Digest", "sha256:abc"));
		CHECK(front, http_header_is(reply, "Location", "/v2/team/app/blobs/sha256:abc"));
		reply = get(front, "/v2/team/app/blobs/sha256:abc");
		CHECK(front, reply->status == 200 && http_body_has(reply, "the blob"));
	}
}

static void
npm_publishes_a_scoped_package(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply =
		    ask(front, "PUT", "/npm/@scope%2fpackage", "Content-Type: application/json\r\n", "{\"name\":\"@scope/package\"}");

		CHECK(front, http_body_has(reply, "PUT /@scope%2fpackage HTTP/1.1\r\n"));
		CHECK(front, http_body_has(reply, "{\"name\":\"@scope/package\"}"));
		reply = get(front, "/npm/@scope%2Fpackage/-/package-1.0.0.tgz");
		CHECK(front, http_body_has(reply, "GET /@scope%2Fpackage/-/package-1.0.0.tgz HTTP/1.1\r\n"));
	}
}

static void
webdav(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "PROPFIND", "/dav/folder/",
		    "Depth: 1\r\nContent-Type: application/xml\r\n", "<propfind xmlns=\"DAV:\"><allprop/></propfind>");

		CHECK(front, reply->status == 207 && http_header_is(reply, "DAV", "1, 2"));
		CHECK(front, http_body_has(reply, "\r\nDepth: 1\r\n"));
		reply = ask(front, "MOVE", "/dav/a%20b",
		    "Destination: http://localhost/dav/c%20d\r\nOverwrite: F\r\nIf: (<urn:uuid:1>)\r\n", NULL);
		CHECK(front, http_body_has(reply, "MOVE /dav/a%20b HTTP/1.1\r\n"));
		CHECK(front, http_body_has(reply, "\r\nDestination: http://localhost/dav/c%20d\r\n"));
		CHECK(front, http_body_has(reply, "\r\nOverwrite: F\r\n") && http_body_has(reply, "\r\nIf: (<urn:uuid:1>)\r\n"));
		reply = ask(front, "LOCK", "/dav/x", "Timeout: Infinite\r\nLock-Token: <urn:uuid:2>\r\n", "<lockinfo/>");
		CHECK(front, http_body_has(reply, "\r\nLock-Token: <urn:uuid:2>\r\n"));
	}
}

void
suite_protocol(void)
{
	CU_pSuite suite = add_suite("what real clients depend on", init, cleanup);

	ADD_SCENE(suite, a_signed_request_arrives_as_it_was_signed);
	ADD_SCENE(suite, a_registry_push_and_pull);
	ADD_SCENE(suite, npm_publishes_a_scoped_package);
	ADD_SCENE(suite, webdav);
}
