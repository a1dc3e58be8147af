/*
 * What passes unchanged. Each request is made twice, to the service itself and through the gateway, and what the service
 * saw and what the client got are compared: signatures over raw targets and headers (S3), a container registry's push and
 * pull, npm's encoded slashes, WebDAV.
 */
#include <ctype.h>
#include <strings.h>

#include "e2e/e2e.h"

struct talk {
	const char *method, *target, *headers; /* headers: lines, or NULL */
	const char *body;   /* NULL: none */
	bool chunked;
	int status;         /* and headers of the answer, lines or NULL */
	const char *answer;
	bool head_alone;    /* the answer has no body: HEAD, 204, 304 */
};

#define S3_AUTH "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240501/us-east-1/s3/aws4_request, " \
	"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n"
#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct talk talks[] = {
    /* S3: the signature covers path, query and headers as they are written */
    {"GET", "/bucket/a%20b%2Fc+d~e;f,g=h@i:j!k$&'(l)*?acl",
	S3_AUTH "x-amz-date: 20240501T000000Z\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n", NULL, false, 200, "x-amz-request-id: 4442587FB7D0A2F9\r\nETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n", false},
    {"GET", "/bucket/?list-type=2&prefix=a%2Fb%2f&delimiter=/&marker=&start-after=%C3%a9+%2B~", S3_AUTH "x-amz-date: 20240501T000000Z\r\n",
	NULL, false, 200, "Content-Type: application/xml\r\n", false},
    {"GET", "/bucket/k?b&a=&a=1&a=2&=x&&X-Amz-Credential=AK%2F2024%2Fus&X-Amz-SignedHeaders=host%3Bx-amz-date&X-Amz-Signature=fe5f",
	"Range: bytes=0-9, 20-29\r\n", NULL, false, 206, "Content-Range: bytes 0-9/100\r\nAccept-Ranges: bytes\r\n", false},
    {"PUT", "/bucket/%e4%B8%ad%2f%2F%2e%41?partNumber=1&uploadId=x%2By+z%20", S3_AUTH "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\n"
	"Content-Type: text/plain; charset=\"utf-8\"\r\nx-amz-meta-note: spaces  inside; \"quoted\"\r\n", "the object", false,
	200, "ETag: \"x\"\r\n", false},
    {"POST", "/bucket?delete", S3_AUTH, "<Delete/>", false, 200, NULL, false},
    {"DELETE", "/bucket/a//b/?versionId=null", S3_AUTH, NULL, false, 204, "x-amz-delete-marker: true\r\n", true},
    {"GET", "/bucket/unchanged", "If-None-Match: \"abc\", W/\"def\"\r\nIf-Modified-Since: Wed, 21 Oct 2015 07:28:00 GMT\r\n", NULL, false,
	304, "ETag: \"abc\"\r\nCache-Control: max-age=60\r\n", true},
    /* a container registry */
    {"POST", "/v2/library/app/blobs/uploads/", NULL, "", false, 202,
	"Location: /v2/library/app/blobs/uploads/uuid-1?_state=a%3D%3D\r\nDocker-Upload-UUID: uuid-1\r\nRange: 0-0\r\n", false},
    {"PATCH", "/v2/library/app/blobs/uploads/uuid-1?_state=a%3D%3D", "Content-Range: 0-9\r\nContent-Type: application/octet-stream\r\n",
	"0123456789", true, 202, "Location: http://registry.example/v2/library/app/blobs/uploads/uuid-1?_state=b\r\nRange: 0-9\r\n", false},
    {"PUT", "/v2/library/app/blobs/uploads/uuid-1?_state=b&digest=" DIGEST, NULL, "", false, 201,
	"Location: /v2/library/app/blobs/" DIGEST "\r\nDocker-Content-Digest: " DIGEST "\r\n", false},
    {"HEAD", "/v2/library/app/blobs/" DIGEST, NULL, NULL, false, 200, "Docker-Content-Digest: " DIGEST "\r\n", true},
    {"GET", "/v2/library/app/blobs/" DIGEST, NULL, NULL, false, 307, "Location: https://cdn.example/b?sig=a%2Bb&x=\r\n", false},
    {"GET", "/v2/library/app/manifests/latest",
	"Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json\r\n"
	"Authorization: Bearer eyJ.e30.x\r\n", NULL, false, 401,
	"WWW-Authenticate: Bearer realm=\"https://auth.example/token\",service=\"r\",scope=\"repository:library/app:pull,push\"\r\n"
	"Docker-Distribution-Api-Version: registry/2.0\r\n", false},
    {"PUT", "/v2/library/app/manifests/v1.0", "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n", "{\"schemaVersion\":2}", false,
	201, "Location: /v2/library/app/manifests/v1.0\r\n", false},
    /* npm */
    {"PUT", "/@scope%2fname", "Content-Type: application/json\r\nnpm-command: publish\r\n", "{\"_id\":\"@scope/name\"}", false,
	201, NULL, false},
    {"GET", "/@scope%2Fname/-/name-1.0.0.tgz", "npm-auth-type: web\r\n", NULL, false, 200, NULL, false},
    /* WebDAV (RFC 4918) */
    {"PROPFIND", "/dav/a%20b/", "Depth: 1\r\nContent-Type: application/xml\r\n", "<propfind xmlns=\"DAV:\"><allprop/></propfind>", false, 207,
	"Content-Type: application/xml; charset=utf-8\r\nDAV: 1, 2\r\n", false},
    {"PROPPATCH", "/dav/a", NULL, "<propertyupdate xmlns=\"DAV:\"/>", false, 207, NULL, false},
    {"MKCOL", "/dav/new/", NULL, NULL, false, 201, NULL, false},
    {"COPY", "/dav/a", "Destination: /dav/b%20c\r\nDepth: infinity\r\n", NULL, false, 201, "Location: /dav/b%20c\r\n", false},
    {"MOVE", "/dav/a", "Destination: http://files.example/dav/b%2Fc\r\nOverwrite: F\r\n", NULL, false, 204, NULL, true},
    {"LOCK", "/dav/a", "Timeout: Infinite, Second-4100000000\r\nIf: (<urn:uuid:181d4fae> [\"etag\"])\r\n", "<lockinfo xmlns=\"DAV:\"/>", false,
	200, "Lock-Token: <urn:uuid:181d4fae>\r\n", false},
    {"UNLOCK", "/dav/a", "Lock-Token: <urn:uuid:181d4fae>\r\n", NULL, false, 204, NULL, true},
    {"OPTIONS", "/dav/", NULL, NULL, false, 200, "DAV: 1, 2\r\nAllow: OPTIONS, PROPFIND, LOCK\r\nMS-Author-Via: DAV\r\n", false},
};

static struct stage stage;

/* Gives the request back, in the answer that the talk of that number has. */
static void
say_talk(struct played_conn *conn, struct played_request *request)
{
	const char *number = strcasestr(request->head, "\r\nX-Talk: ");
	const struct talk *talk = &talks[number == NULL ? 0 : strtoul(number + 10, NULL, 10)];

	if (talk->status == 204 || talk->status == 304)
		say(conn, "HTTP/1.1 %d Said\r\n%s\r\n", talk->status, talk->answer == NULL ? "" : talk->answer);
	else
		say(conn, "HTTP/1.1 %d Said\r\n%sContent-Length: %zu\r\n\r\n%s%s", talk->status, talk->answer == NULL ? "" : talk->answer,
		    request->head_len + strlen(request->body), talk->head_alone ? "" : request->head,
		    talk->head_alone ? "" : request->body);
}

static int
init(void)
{
	static const struct played_part parts[] = {{NULL, say_talk, false}};

	stage_open(&stage, parts, NULL, "  all: {path: /*, service: a}\n");
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static struct http_reply *
talk_to(const struct front *front, size_t number)
{
	const struct talk *talk = &talks[number];
	struct http_reply *reply;
	struct http_conn conn;
	char headers[2048];

	snprintf(headers, sizeof(headers), "Host: files.example\r\nX-Talk: %zu\r\n%s%s", number, talk->headers == NULL ? "" : talk->headers,
	    talk->chunked ? "Transfer-Encoding: chunked\r\n" : "");
	if (!talk->chunked)
		return ask(front, talk->method, talk->target, headers, talk->body);
	http_open(&conn, front, NULL);
	http_send_head(&conn, talk->method, talk->target, headers, -1);
	http_say(&conn, "%zx\r\n%s\r\n0\r\n\r\n", strlen(talk->body), talk->body);
	reply = http_read(&conn);
	http_close(&conn);
	return reply;
}

/* "name: value" among the lines of head, whatever the case of the name. */
static bool
has_line(const char *head, const char *line, size_t len)
{
	size_t name = strcspn(line, ":") + 1;

	for (const char *at = head; (at = strstr(at, "\r\n")) != NULL;) {
		at += 2;
		if (strncasecmp(at, line, name) == 0 && strncmp(at + name, line + name, len - name) == 0 &&
		    strncmp(at + len, "\r\n", 2) == 0)
			return true;
	}
	return false;
}

/* Every line of `lines` in head, but for those that are each connection's own. */
static bool
has_lines(const struct front *front, const struct talk *talk, const char *head, const char *lines)
{
	static const char *const own[] = {"X-Request-Id:", "Connection:", "Transfer-Encoding:", "Content-Length:"};
	bool all = true;

	for (const char *line = lines, *end; (end = strstr(line, "\r\n")) != NULL && end != line; line = end + 2) {
		bool skipped = false;

		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
			skipped |= strncasecmp(line, own[i], strlen(own[i])) == 0;
		if (skipped || has_line(head, line, (size_t)(end - line)))
			continue;
		fprintf(stderr, "e2e: behind %s: %s %s: not \"%.*s\" in\n%s\n", front->name, talk->method, talk->target, (int)(end - line),
		    line, head);
		all = false;
	}
	return all;
}

static void
the_service_sees_what_was_sent(void)
{
	struct front direct = {.name = "nobody", .port = played_port(stage.a)};

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
			const struct talk *talk = &talks[i];
			const struct http_reply *plain = talk_to(&direct, i), *through = talk_to(front, i);
			size_t request_line = talk->head_alone ? 0 : strcspn(plain->body, "\r");

			CHECK(front, plain->status == talk->status && through->status == talk->status);
			if (through->status != talk->status)
				fprintf(stderr, "e2e: %s %s: %d\n%s", talk->method, talk->target, through->status, through->head);
			if (talk->head_alone || through->status != talk->status)
				continue;
			CHECK(front, strncmp(plain->body, through->body, request_line + 2) == 0);
			CHECK(front, has_lines(front, talk, through->body, plain->body + request_line + 2));
			if (talk->body != NULL && talk->body[0] != '\0')
				CHECK(front, strcmp(through->body + through->body_len - strlen(talk->body), talk->body) == 0);
		}
}

static void
the_client_gets_what_was_answered(void)
{
	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
			const struct http_reply *through = talk_to(front, i);

			CHECK(front, through->complete && (!talks[i].head_alone || through->body_len == 0));
			if (talks[i].answer != NULL)
				CHECK(front, has_lines(front, &talks[i], through->head, talks[i].answer));
		}
}

void
suite_fidelity(void)
{
	CU_pSuite suite = add_suite("what passes unchanged", init, cleanup);

	ADD_SCENE(suite, the_service_sees_what_was_sent);
	ADD_SCENE(suite, the_client_gets_what_was_answered);
}
