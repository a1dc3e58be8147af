/*
 * A request of the gateway's own (for keys, for a word about a token), with its whole answer: bounded in size and in time,
 * verified TLS, redirects not followed, nothing of it trusted.
 */
#ifndef FG_CORE_FETCH_H
#define FG_CORE_FETCH_H

#include "base/clock.h"
#include "client/client.h"
#include "http/headers.h"

struct fg_gateway;
struct fg_fetch;

/* A URL prepared for it. */
struct fg_fetch_url {
	struct fg_str text;
	const struct fg_endpoint *endpoint;
	struct fg_str authority, target; /* Host, and the request target */
	bool is_tls;
};

/*
 * "https://HOST[:PORT][/PATH][?QUERY]", or http://. In the arena. FG_ERR_SYNTAX otherwise. ca: a file of certificates (PEM);
 * NULL: the system's. The arena is freed only when no call is started any more (client/client.h).
 */
FG_MUST_CHECK enum fg_err fg_fetch_url_parse(struct fg_fetch_url *out, struct fg_str text, const char *ca, fg_usec connect_timeout,
    struct fg_arena *arena);
/* http:// to this machine alone: what nobody else can read or change on its way. */
bool fg_fetch_url_is_local(const struct fg_fetch_url *url);

struct fg_fetch_spec {
	const struct fg_fetch_url *url;
	struct fg_str method;
	const struct fg_call_header *headers; /* besides Host; copied */
	size_t header_count;
	struct fg_str body; /* copied; p NULL: none */
	size_t max_body;    /* of the answer: FG_ERR_TOO_LARGE beyond it */
	fg_usec deadline;   /* of the whole: FG_ERR_SERVICE_TIMEOUT */
};

/* Valid during the callback alone. */
struct fg_fetch_answer {
	enum fg_err err; /* FG_OK: the answer is complete, whatever its status */
	int connect_error; /* with SERVICE_UNREACHABLE: an errno; 0: not known */
	int status;
	struct fg_headers headers;
	struct fg_str body;
};

typedef void fg_fetch_fn(void *arg, const struct fg_fetch_answer *answer);

/* fn runs once, from the loop, unless it is cancelled before. Never NULL. gw->client is not NULL (asserted). */
struct fg_fetch *fg_fetch_start(struct fg_gateway *gw, const struct fg_fetch_spec *spec, fg_fetch_fn *fn, void *arg);
/* fn does not run any more. Not after it ran, nor in it. */
void fg_fetch_cancel(struct fg_fetch *fetch);

/* max-age of Cache-Control (RFC 9111 §5.2.2.1), 0 for no-store and no-cache; -1: none is said. */
fg_usec fg_fetch_max_age(const struct fg_headers *headers);

#endif
