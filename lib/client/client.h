/*
 * The HTTP client: libcurl's multi interface on the loop (the only user of curl.h). One call is one request to a
 * service with its response; bodies stream both ways and either side can pause the other. Connections are kept
 * alive and shared by all calls of a worker.
 *
 * What a caller hands over is sent as it is: request target, header names and values, body bytes. What comes
 * back is not decoded, not followed, not cached, and no cookie, proxy or credential of the environment is used.
 *
 * A call's callbacks run from the loop, never from inside fg_call_start() or fg_call_resume_*(). on_end runs exactly
 * once, last, unless fg_call_cancel() came first; then none runs any more.
 */
#ifndef FG_CLIENT_CLIENT_H
#define FG_CLIENT_CLIENT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct fg_dns;
struct fg_loop;
struct fg_client;
struct fg_endpoint;
struct fg_call;

/* ---- endpoints: where to, prepared once when the configuration loads; immutable, shared by all workers */

enum fg_http_version {
	FG_HTTP_1_1, /* cleartext: 1.1; TLS: 1.1 */
	FG_HTTP_2,   /* cleartext: with prior knowledge (RFC 9113 §3.3); TLS: by ALPN, and only if the service agrees */
};

struct fg_endpoint_spec {
	struct fg_str url;       /* "http://127.0.0.1:4000", "https://[::1]:8443": scheme, host, port alone; or "unix:/PATH" */
	enum fg_http_version version;
	fg_usec connect_timeout; /* TCP and TLS together; > 0 */
	bool verify;             /* TLS: chain and name; false only when the configuration says so in writing */
	struct fg_str tls_name;  /* verified and sent as SNI instead of the URL's host; empty: the URL's host */
	const char *ca_file;     /* NULL: the system's */
	const char *cert_file;   /* NULL: no client certificate */
	const char *key_file;
};

/* Copies what it needs into the arena. FG_ERR_SYNTAX when the URL is not one of the forms above. */
enum fg_err fg_endpoint_new(struct fg_endpoint **out, const struct fg_endpoint_spec *spec, struct fg_arena *arena) FG_MUST_CHECK;

/* ---- the client of a worker */

/*
 * Both sizes: connections (and libcurl handles) kept idle in all, at least 1, and how long a connection may have been
 * idle to be used again, in whole seconds. The first client of a process is made before any thread that uses OpenSSL.
 */
struct fg_client *fg_client_new(struct fg_loop *loop, size_t max_idle_connections, fg_usec max_idle);
/*
 * Names are resolved there from now on; without it, or with NULL, by libcurl, each on a thread of its own, and kept for a minute
 * whatever their TTL. Before the first call. Borrowed: freed later than the client.
 */
void fg_client_use_dns(struct fg_client *client, struct fg_dns *dns);
/* All calls are ended or cancelled before (asserted). The endpoints of its calls are freed later than the client. */
void fg_client_free(struct fg_client *client);

/* ---- calls */

enum fg_flow {
	FG_FLOW_GO,    /* taken, or delivered */
	FG_FLOW_PAUSE, /* not now: nothing was taken or delivered; go on after fg_call_resume_*() */
	FG_FLOW_FAIL,  /* give up: the call ends with the error that fg_call_fail_with() names */
};

struct fg_call_header {
	struct fg_str name, value; /* a valid token and field value; checked by the caller */
};

struct fg_call_spec {
	const struct fg_endpoint *endpoint; /* borrowed until the client is freed: handles are kept ready for it */
	struct fg_str method;               /* any token */
	struct fg_str target;               /* request target, "/path?query" or "*", sent byte for byte */
	const struct fg_call_header *headers; /* Host among them; no Content-Length, no Transfer-Encoding, no Expect */
	size_t header_count;
	int64_t body_length; /* 0: empty, "Content-Length: 0" only if has_body; -1: unknown (chunked on HTTP/1.1) */
	bool has_body;       /* false: no body and no length header at all */
	bool replayable;     /* the request may be sent again on another connection, once, when a kept-alive one turns out
	                        to have been dead as it was used: idempotent method, nothing of the body taken */
	struct fg_arena *arena; /* for the call's strings; outlives it */
};

struct fg_call_ops {
	/* The final response's status line is there (1xx are skipped); headers follow. GO or FAIL, as the next two. */
	enum fg_flow (*on_status)(void *arg, int status);
	/* One header line of the final response, never Transfer-Encoding. Pointers are valid during the callback alone. */
	enum fg_flow (*on_header)(void *arg, struct fg_str name, struct fg_str value);
	/* All headers of the final response are there. */
	enum fg_flow (*on_head_end)(void *arg);
	/* Transfer coding removed, content coding untouched. On PAUSE the same bytes come again after the resume. */
	enum fg_flow (*on_body)(void *arg, struct fg_str chunk);
	/*
	 * Fill buf with up to size bytes: GO with *len > 0, GO with *len 0 at the end of the body, or PAUSE. Not asked for
	 * more than body_length. It may be asked again before a resume: PAUSE again then.
	 */
	enum fg_flow (*on_send)(void *arg, char *buf, size_t size, size_t *len);
	/* FG_OK: the response is complete (trailers dropped). Otherwise why not: SERVICE_*, OVERLOADED where
	   no descriptor was left for a connection, or what fail_with said. */
	void (*on_end)(void *arg, enum fg_err err);
	/* The call waited for the addresses of its name (fg_call_is_resolving()) and goes on now. NULL: nobody asks. */
	void (*on_resolved)(void *arg);
};

struct fg_call_times {
	fg_usec connected;  /* from the start until resolved, connected and, with TLS, trusted; 0 on a kept-alive connection */
	fg_usec first_byte; /* from the start until the response's first byte; 0 when none came */
	bool reused;        /* a kept-alive connection served it */
	bool sent;          /* something of the request may have left us */
};

/* Never NULL: whatever goes wrong comes with on_end. ops and arg are borrowed until the call is over. */
struct fg_call *fg_call_start(struct fg_client *client, const struct fg_call_spec *spec, const struct fg_call_ops *ops,
    void *arg);
/* It waits for the addresses of its name, which has a deadline of its own: SERVICE_NAME_UNRESOLVED. */
bool fg_call_is_resolving(const struct fg_call *call);
/* on_send gave PAUSE: ask again. */
void fg_call_resume_send(struct fg_call *call);
/* on_body gave PAUSE: deliver again. */
void fg_call_resume_body(struct fg_call *call);
/* Names the error that a following FG_FLOW_FAIL ends the call with; FG_ERR_INTERNAL without. */
void fg_call_fail_with(struct fg_call *call, enum fg_err err);
/* Closes its connection unless the response was complete; no callback runs afterwards, and the call, its arena and
   arg are not used any more. May be called from anywhere, a callback of the same call included. */
void fg_call_cancel(struct fg_call *call);
/* Also inside on_end. */
void fg_call_get_times(const struct fg_call *call, struct fg_call_times *out);
/* Inside on_end with SERVICE_UNREACHABLE: the errno for which there was no connection. 0: it is not known, or on_end says something else. */
int fg_call_connect_error(const struct fg_call *call);

enum { FG_CONNECT_ERROR_BYTES = 96 };
/* "connect: Permission denied", for logs; in room. Empty: connect_error is 0. */
struct fg_str fg_connect_error_text(int connect_error, char room[FG_CONNECT_ERROR_BYTES]);

/* "libcurl/7.88.1 OpenSSL/3.0.15 nghttp2/1.52.0"; for `faregate version`. */
const char *fg_client_version(void);
bool fg_client_has_http2(void);

#endif
