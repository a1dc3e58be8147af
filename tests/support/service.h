/*
 * The scripted service: an HTTP/1.1 server in a process of its own whose answers the request's path chooses, so that a
 * test says in its request what the service does. It records what it received. One epoll loop, quick enough to stand
 * behind a benchmark; `tests/support/service --port N --name A` is the same as a program.
 *
 *   /                      a small JSON answer that names the service; the same for any path not listed here
 *   /echo                  JSON: method, target, headers in order with repetitions, body
 *   /status/N              that status; ?body=TEXT, ?header=NAME:VALUE (may be repeated)
 *   /bytes/N               N bytes of service_pattern(); ?chunked=SIZE, ?close=1 (no length), ?type=TEXT
 *   /delay/MS              the small answer, later
 *   /late/MS               none: the connection is closed, later
 *   /trickle/N             N bytes, one each ?every=MS; with ?chunked=1 in chunks
 *   /sse                   server-sent events: ?n=COUNT, ?every=MS, or one for each service_emit() without every
 *   /close/WHERE           the connection is closed: now, head, mid, chunk (in mid-chunk)
 *   /reset/WHERE           the same by RST
 *   /last                  answers, then closes without having said so
 *   /die                   answers; the next bytes on the same connection make it close; ?how=reset
 *   /raw                   ?send=BYTES (percent-encoded) as they are; ?close=1 closes then, ?keep=1 goes on with the
 *                          next request, else it is deaf; ?later=BYTES at service_emit(); ?head=1: before the body
 *   /excess/N              N bytes as /bytes, and behind them a whole answer 418 that nobody asked for; ?chunked=1
 *   /endless/WHAT          headers, line, chunked, trailers: without end
 *   /bomb/N                N headers of ?size=BYTES
 *   /interim/N             N times 103, then the small answer; ?status=1xx
 *   /early/STATUS          answers before the body is read; ?close=1 says so and closes
 *   /slow-read/MS          reads 4096 bytes of the body each MS milliseconds, then says how many came
 *   /hold                  neither reads the body nor answers
 *   /trailers              chunked with two trailer fields
 *   /gzip                  bytes that say Content-Encoding: gzip
 */
#ifndef FG_TESTS_SERVICE_H
#define FG_TESTS_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVICE_RECORDS = 64, SERVICE_HEAD_BYTES = 16 * 1024 };

struct service;

struct service_options {
	const char *name;      /* NULL: "A" */
	const char *address;   /* of IPv4; NULL: 127.0.0.1 */
	int port;              /* 0: a free one */
	unsigned max_requests; /* of one connection; then it closes, saying so. 0: no bound */
	const char *cert_file, *key_file; /* TLS, when given */
	const char *client_ca_file;       /* a client certificate of this CA is demanded */
};

struct service_record {
	char head[SERVICE_HEAD_BYTES]; /* request line and headers as received, cut to fit, NUL behind */
	uint64_t body_bytes, body_hash; /* FNV-1a; what has arrived so far */
	bool body_done;
	unsigned connection; /* counted from 1 */
};

/* Never NULL: a test cannot go on without its service. It listens once this returns. Freed by service_stop(). */
struct service *service_start(const struct service_options *options);
/* Kills it: its port refuses connections from then on. */
void service_stop(struct service *service);
int service_port(const struct service *service);
/* Requests whose head was read; connections accepted; connections open now. */
unsigned service_requests(const struct service *service);
unsigned service_accepted(const struct service *service);
unsigned service_open(const struct service *service);
/* Request number n, from 0, out of the last SERVICE_RECORDS. */
const struct service_record *service_record(const struct service *service, unsigned n);
/* The next event of every /sse without every. */
void service_emit(struct service *service);

/* What /bytes sends at that offset, repeated each SERVICE_PATTERN_PERIOD bytes, and its hash. */
enum { SERVICE_PATTERN_PERIOD = 251 * 26 };
char service_pattern(uint64_t offset);
uint64_t service_pattern_hash(uint64_t bytes);
#define SERVICE_HASH_INIT UINT64_C(0xcbf29ce484222325)
uint64_t service_hash(uint64_t hash, const void *bytes, size_t len);

/*
 * Makes DIR/PREFIX-ca.pem, -cert.pem and -key.pem: a certificate for that name (an IP address too), signed by that CA;
 * good for a day, or since an hour no longer. False when it cannot.
 */
bool service_make_cert(const char *dir, const char *prefix, const char *name, bool expired);
/* Removes the three. */
void service_remove_cert(const char *dir, const char *prefix);

#endif
