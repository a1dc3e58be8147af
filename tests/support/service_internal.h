/*
 * What the files of the scripted service share.
 *
 * service.c         starting and stopping it, and what a test reads of it
 * service_loop.c    the loop, connections, requests
 * service_answer.c  what it says for each path
 * service_tls.c     TLS, certificates
 */
#ifndef FG_TESTS_SERVICE_INTERNAL_H
#define FG_TESTS_SERVICE_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "support/service.h"

/* In memory that parent and child share. */
struct service_shared {
	atomic_uint requests, accepted, open, emitted;
	struct service_record records[SERVICE_RECORDS];
};

struct bytes {
	char *p;
	size_t len, cap;
};

enum conn_state { READ_HEAD, READ_BODY, ANSWER, DEAF /* nothing more is read */ };

/* What the answer goes on with once `out` is written. */
enum source {
	SOURCE_NONE, SOURCE_PATTERN, SOURCE_TRICKLE, SOURCE_SSE, SOURCE_HEADERS, SOURCE_LINE, SOURCE_CHUNKS, SOURCE_TRAILERS,
	SOURCE_HOLD,
};

enum ending { KEEP, CLOSE, RESET };

struct conn {
	struct server *server;
	struct conn *prev, *next;
	int fd;
	void *tls; /* SSL */
	bool tls_ready;
	unsigned events; /* watched */
	unsigned number, served;
	bool eof;

	/* the request */
	enum conn_state state;
	struct bytes in;
	char target[8192], method[64];
	struct bytes head; /* request line and headers; for /echo */
	struct bytes body; /* for /echo alone */
	bool chunked, keep_body, head_answered, wants_continue, slow;
	int64_t body_left;   /* of the length, or of this chunk; -1: a chunk's size comes */
	struct service_record *record;

	/* the answer */
	struct bytes out, later;
	size_t out_at;
	enum source source;
	uint64_t source_at, source_end, chunk;
	unsigned emitted; /* events that this one has sent */
	int64_t every, due; /* milliseconds; due 0: no timer */
	enum ending ending;
	bool dies_next, resets_next;
	bool silent_until_due; /* the answer is in `out` and waits for the timer */
};

struct server {
	const struct service_options *options;
	struct service_shared *shared;
	int listener, wake, epoll;
	void *tls; /* SSL_CTX */
	struct conn *conns;
	struct conn *dead; /* freed at the end of the turn */
	bool records;
	char small[256];
	size_t small_len;
};

/* Does not return before the process is told to end. */
void server_run(struct server *server);
void put_bytes(struct bytes *bytes, const void *p, size_t len);
void put_text(struct bytes *bytes, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int64_t now_ms(void);

/* ---- service_answer.c */

/* The head is there: what has to happen before the body is read. */
void answer_head(struct conn *conn);
/* The request is complete. */
void answer(struct conn *conn);
/* `out` is empty: more of the answer, if there is. False when the answer is complete. */
bool answer_more(struct conn *conn);

/* ---- service_tls.c */

void *tls_server_new(const struct service_options *options);
void *tls_conn_new(void *server, int fd);
void tls_conn_free(void *tls);
/* As read() and write(); -1 with EAGAIN, and *wants_write when that is what it waits for. */
ssize_t tls_read(void *tls, void *p, size_t len, bool *wants_write);
ssize_t tls_write(void *tls, const void *p, size_t len);

#endif
