/*
 * Services that are reached over TLS and HTTP/2: whom the gateway trusts, what it shows of itself, and bodies both ways
 * over streams of one connection. The HTTP/2 service is nghttpd.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "support/service.h"

enum { LARGE_BYTES = 3 * 1024 * 1024, VAST_BYTES = 200 * 1024 * 1024, AT_ONCE = 64 };

static struct stage stage;
static struct service *good, *expired, *mutual;
static int h2c_port, h2_port;
static char large[LARGE_BYTES];

static const char *
in_bed(const char *name)
{
	static char paths[16][BED_PATH_BYTES];
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, BED_PATH_BYTES, "%s/%s", stage.bed.dir, name);
	return path;
}

static struct service *
start_tls(const char *prefix, const char *client_ca)
{
	struct service_options options = {.client_ca_file = client_ca};
	char cert[64], key[64];

	snprintf(cert, sizeof(cert), "%s-cert.pem", prefix);
	snprintf(key, sizeof(key), "%s-key.pem", prefix);
	options.cert_file = in_bed(cert);
	options.key_file = in_bed(key);
	return service_start(&options);
}

static bool
accepts(void *arg)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*(int *)arg),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool done = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

	close(fd);
	return done;
}

static int
start_h2(const char *name, bool tls)
{
	int port = bed_free_port();
	char text[8];

	snprintf(text, sizeof(text), "%d", port);
	/* Without TLS it takes no key. */
	bed_start(&stage.bed, name, tls ?
	    (const char *[]){"nghttpd", "-a", "127.0.0.1", "--echo-upload", "--trailer", "x-sum: 1", "-d", stage.bed.dir, text,
	        in_bed("good-key.pem"), in_bed("good-cert.pem"), NULL} :
	    (const char *[]){"nghttpd", "-a", "127.0.0.1", "--no-tls", "--echo-upload", "-d", stage.bed.dir, text, NULL})
	    ->exit_status = -SIGTERM;
	if (!bed_wait(accepts, &port))
		bed_give_up("nghttpd does not serve");
	return port;
}

static void
make_large(void)
{
	FILE *file = fopen(in_bed("large"), "w");

	for (size_t i = 0; i < LARGE_BYTES; i++)
		large[i] = (char)(i * 2654435761u >> 24);
	if (file == NULL || fwrite(large, 1, LARGE_BYTES, file) != LARGE_BYTES || fclose(file) != 0)
		bed_give_up("no large file");
	bed_write(&stage.bed, "small.txt", "a small file");
	bed_write(&stage.bed, "vast", " ");
	if (truncate(in_bed("vast"), VAST_BYTES) != 0)
		bed_give_up("no vast file");
}

static int
init(void)
{
	memset(&stage, 0, sizeof(stage));
	bed_open(&stage.bed);
	if (!service_make_cert(stage.bed.dir, "good", "127.0.0.1", false) ||
	    !service_make_cert(stage.bed.dir, "other", "other.example", false) ||
	    !service_make_cert(stage.bed.dir, "client", "gateway", false) ||
	    !service_make_cert(stage.bed.dir, "expired", "127.0.0.1", true))
		bed_give_up("no certificates");
	good = start_tls("good", NULL);
	expired = start_tls("expired", NULL);
	mutual = start_tls("good", in_bed("client-ca.pem"));
	make_large();
	h2c_port = start_h2("nghttpd-clear", false);
	h2_port = start_h2("nghttpd-tls", true);
	stage.a = played_start((const struct played_part[]){{NULL, say_echo, false}});
	stage.b = played_start((const struct played_part[]){{NULL, say_echo, false}});
	stage_serve(&stage,
	    "services:\n"
	    "  good: {targets: [\"https://127.0.0.1:%d\"], tls: {ca: %s}}\n"
	    "  stranger: {targets: [\"https://127.0.0.1:%d\"], tls: {ca: %s}}\n"
	    "  system: {targets: [\"https://127.0.0.1:%d\"]}\n"
	    "  misnamed: {targets: [\"https://127.0.0.1:%d\"], tls: {ca: %s, name: other.example}}\n"
	    "  expired: {targets: [\"https://127.0.0.1:%d\"], tls: {ca: %s}}\n"
	    "  blind: {targets: [\"https://127.0.0.1:%d\"], tls: {verify: false}}\n"
	    "  mutual: {targets: [\"https://127.0.0.1:%d\"], tls: {ca: %s, certificate: %s, key: %s}}\n"
	    "  unknown: {targets: [\"https://127.0.0.1:%d\"], tls: {ca: %s}}\n"
	    "  h2c: {targets: [\"http://127.0.0.1:%d\"], http2: true}\n"
	    "  h2: {targets: [\"https://127.0.0.1:%d\"], http2: true, tls: {ca: %s}}\n"
	    "  h2stranger: {targets: [\"https://127.0.0.1:%d\"], http2: true, tls: {ca: %s}}\n"
	    "  h1: {targets: [\"https://127.0.0.1:%d\"], http2: true, tls: {ca: %s}}\n"
	    "defaults: {}\n"
	    "routes:\n"
	    "  good: {path: /good/*, service: good, strip-prefix: /good}\n"
	    "  stranger: {path: /stranger/*, service: stranger}\n"
	    "  system: {path: /system/*, service: system}\n"
	    "  misnamed: {path: /misnamed/*, service: misnamed}\n"
	    "  expired: {path: /expired/*, service: expired}\n"
	    "  blind: {path: /blind/*, service: blind, strip-prefix: /blind}\n"
	    "  mutual: {path: /mutual/*, service: mutual, strip-prefix: /mutual}\n"
	    "  unknown: {path: /unknown/*, service: unknown}\n"
	    "  h2c: {path: /h2c/*, service: h2c, strip-prefix: /h2c}\n"
	    "  h2: {path: /h2/*, service: h2, strip-prefix: /h2}\n"
	    "  h2stranger: {path: /h2stranger/*, service: h2stranger}\n"
	    "  h1: {path: /h1/*, service: h1, strip-prefix: /h1}\n",
	    service_port(good), in_bed("good-ca.pem"), service_port(good), in_bed("other-ca.pem"), service_port(good),
	    service_port(good), in_bed("good-ca.pem"), service_port(expired), in_bed("expired-ca.pem"), service_port(expired),
	    service_port(mutual), in_bed("good-ca.pem"), in_bed("client-cert.pem"), in_bed("client-key.pem"),
	    service_port(mutual), in_bed("good-ca.pem"), h2c_port, h2_port, in_bed("good-ca.pem"), h2_port,
	    in_bed("other-ca.pem"), service_port(good), in_bed("good-ca.pem"));
	return 0;
}

static int
cleanup(void)
{
	bool closed = stage_close(&stage);

	service_stop(good);
	service_stop(expired);
	service_stop(mutual);
	return !closed;
}

/* Says what came instead. */
static bool
is_ok(const struct http_reply *reply)
{
	if (reply->status != 200)
		fprintf(stderr, "e2e: status %d: %.300s\n", reply->status, reply->body == NULL ? "" : reply->body);
	return reply->status == 200;
}

static void
a_verified_service_is_asked(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "POST", "/good/echo?x=%20", NULL, "over TLS");

		CHECK(front, reply->status == 200 && http_body_has(reply, "\"target\":\"/echo?x=%20\""));
		CHECK(front, http_body_has(reply, "\"body\":\"over TLS\""));
		CHECK(front, get(front, "/good/bytes/3000000")->body_len == 3000000);
		CHECK(front, is_ok(get(front, "/blind/echo")));
		CHECK(front, is_ok(get(front, "/mutual/echo")));
	}
}

static void
no_other_is(void)
{
	static const char *const targets[] = {"/stranger/x", "/system/x", "/misnamed/x", "/expired/x", "/h2stranger/x"};
	unsigned before = service_requests(good) + service_requests(expired) + service_requests(mutual);

	EACH_FRONT(&stage, front) {
		for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
			CHECK(front, http_is_problem(&stage.bed, ask(front, "POST", targets[i], NULL, "a secret"), 502, "service_tls_failed"));
		/* With TLS 1.3 a service that misses our certificate says so when we take the connection for made. */
		CHECK(front, ask(front, "POST", "/unknown/x", NULL, "a secret")->status == 502);
	}
	CU_ASSERT_EQUAL(service_requests(good) + service_requests(expired) + service_requests(mutual), before);
}

static void
http2_carries_all_that_http1_does(void)
{
	static const char *const mounts[] = {"/h2c", "/h2"};
	char target[64];

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < 2; i++) {
			const struct http_reply *reply;
			struct http_conn conn;

			snprintf(target, sizeof(target), "%s/small.txt", mounts[i]);
			reply = get(front, target);
			CHECK(front, reply->status == 200 && reply->complete && http_body_has(reply, "a small file"));
			CHECK(front, http_header(reply, "x-sum") == NULL);
			reply = ask(front, "HEAD", target, NULL, NULL);
			CHECK(front, reply->status == 200 && reply->body_len == 0);
			reply = ask(front, "GET", target, "Range: bytes=2-6\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n", NULL);
			CHECK(front, reply->status == 200 || reply->status == 206);
			snprintf(target, sizeof(target), "%s/absent", mounts[i]);
			CHECK(front, get(front, target)->status == 404);
			snprintf(target, sizeof(target), "%s/large", mounts[i]);
			reply = get(front, target);
			CHECK(front, reply->body_len == LARGE_BYTES && memcmp(reply->body, large, LARGE_BYTES) == 0);
			for (int chunked = 0; chunked < 2; chunked++) {
				http_open(&conn, front, NULL);
				http_send_head(&conn, "POST", target, chunked ? "Transfer-Encoding: chunked\r\n" : NULL,
				    chunked ? -1 : LARGE_BYTES);
				if (chunked)
					http_say(&conn, "%x\r\n", LARGE_BYTES);
				http_send(&conn, large, LARGE_BYTES);
				if (chunked)
					http_say(&conn, "\r\n0\r\n\r\n");
				reply = http_read(&conn);
				CHECK(front, reply->status == 200 && reply->body_len == LARGE_BYTES);
				CHECK(front, reply->body != NULL && memcmp(reply->body, large, LARGE_BYTES) == 0);
				http_close(&conn);
			}
		}
}

static unsigned
connections_of(int port)
{
	char *out, wanted[32];
	unsigned count = 0;

	snprintf(wanted, sizeof(wanted), "0100007F:%04X", port);
	out = bed_read(&stage.bed, "/proc/net/tcp");
	for (const char *at = out; (at = strstr(at, wanted)) != NULL; at++)
		count += strncmp(at + 14, "0100007F:", 9) == 0 && strncmp(at + 28, "01", 2) == 0;
	free(out);
	return count;
}

static void
connections_are_kept(void)
{
	EACH_FRONT(&stage, front) {
		for (int i = 0; i < 30; i++)
			CHECK(front, http_body_has(get(front, "/h2/small.txt"), "a small file"));
		/* Two workers, and one more each where a first was in the making. */
		CHECK(front, connections_of(h2_port) <= 4);
	}
}

static void
many_at_once(void)
{
	static const char *const targets[] = {"/h2c/large", "/h2/large"};
	static struct http_conn conns[AT_ONCE];

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < 2; i++) {
			unsigned whole = 0;

			for (size_t k = 0; k < AT_ONCE; k++) {
				http_open(&conns[k], front, NULL);
				http_send_head(&conns[k], "GET", targets[i], NULL, -1);
			}
			for (size_t k = 0; k < AT_ONCE; k++) {
				struct http_reply *reply = http_read_head(&conns[k]);

				http_read_rest(&conns[k], reply, false);
				whole += reply->complete && reply->body_len == LARGE_BYTES && reply->body_sum == http_sum(0, large, LARGE_BYTES);
				http_close(&conns[k]);
			}
			CHECK(front, whole == AT_ONCE);
		}
}

/* More than all buffers on the way hold is asked for and not read; others are served by the same service meanwhile. */
static void
a_slow_client_holds_up_no_other_stream(void)
{
	static const char *const targets[] = {"/h2c/vast", "/h2/vast"}, *const others[] = {"/h2c/small.txt", "/h2/small.txt"};

	EACH_FRONT(&stage, front)
		for (size_t i = 0; i < 2; i++) {
			struct http_conn slow[4];

			for (size_t k = 0; k < 4; k++) {
				http_open(&slow[k], front, NULL);
				http_send_head(&slow[k], "GET", targets[i], NULL, -1);
				CHECK(front, http_read_head(&slow[k])->status == 200);
			}
			for (int n = 0; n < 40; n++)
				CHECK(front, http_body_has(get(front, others[i]), "a small file"));
			for (size_t k = 0; k < 4; k++)
				http_close(&slow[k]);
		}
#ifndef __SANITIZE_ADDRESS__
	CU_ASSERT(bed_largest_worker_kb(&stage.bed) < 64 * 1024);
#endif
}

static void
http2_is_offered_not_demanded(void)
{
	EACH_FRONT(&stage, front) {
		CHECK(front, http_body_has(ask(front, "POST", "/h1/echo", NULL, "plain"), "\"body\":\"plain\""));
		CHECK(front, get(front, "/h1/bytes/100000")->body_len == 100000);
	}
}

void
suite_secure(void)
{
	CU_pSuite suite = add_suite("services over TLS and HTTP/2", init, cleanup);

	ADD_SCENE(suite, a_verified_service_is_asked);
	ADD_SCENE(suite, no_other_is);
	ADD_SCENE(suite, http2_carries_all_that_http1_does);
	ADD_SCENE(suite, connections_are_kept);
	ADD_SCENE(suite, many_at_once);
	ADD_SCENE(suite, a_slow_client_holds_up_no_other_stream);
	ADD_SCENE(suite, http2_is_offered_not_demanded);
}
