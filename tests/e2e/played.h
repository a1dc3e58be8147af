/*
 * Services that scenes play themselves: real sockets, a thread for each connection, and for each path a function that
 * says what the service says. A scene can hold a service back at a gate and see what it saw.
 */
#ifndef FG_E2E_PLAYED_H
#define FG_E2E_PLAYED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLAYED_BODY_KEPT = 64 * 1024 };

struct played;
struct played_conn;

struct played_request {
	char method[32];
	char *target;
	char *head;           /* as received, up to the empty line */
	size_t head_len;
	int64_t content_length; /* -1: none */
	bool chunked;
	char *body;           /* the first PLAYED_BODY_KEPT bytes, decoded, NUL-terminated */
	uint64_t body_len;    /* of all of it */
	uint64_t body_sum;    /* http_sum() */
	bool body_complete;
	unsigned nth;         /* on its connection, from 0 */
};

typedef void played_fn(struct played_conn *conn, struct played_request *request);

/* What is said under a path. The longest prefix wins; the table ends with prefix NULL, whose fn is for all else. */
struct played_part {
	const char *prefix;
	played_fn *fn;
	bool before_body; /* fn runs once the head is there and reads the body itself, if at all */
};

struct played *played_start(const struct played_part *parts);
/* The same on that port; to come back after a stop. */
struct played *played_start_on(const struct played_part *parts, int port);
/* The same at another address of this machine (127.0.0.2). */
struct played *played_start_on_address(const struct played_part *parts, const char *address, int port);
/* On a Unix socket. */
struct played *played_start_at(const struct played_part *parts, const char *path);
/* Closes all connections and waits for the threads. */
void played_stop(struct played *played);
int played_port(const struct played *played);
/* Requests whose head was read; connections accepted; open now. */
unsigned played_requests(struct played *played);
unsigned played_accepted(struct played *played);
unsigned played_open(struct played *played);

/* ---- inside a part */

/* Raw bytes; false once the peer is gone. */
bool say(struct played_conn *conn, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool say_bytes(struct played_conn *conn, const void *bytes, size_t len);
/* A whole reply with Content-Length. headers: "Name: value\r\n" lines; may be NULL. */
void say_reply(struct played_conn *conn, int status, const char *headers, const char *body);
/* Reads the request's body (of a part with before_body); false when it broke off. */
bool read_body(struct played_conn *conn, struct played_request *request);
/* Reads at most that many bytes of the body, once. */
size_t read_some(struct played_conn *conn, struct played_request *request, char *buf, size_t size);
/* No further request on this connection. */
void say_close(struct played_conn *conn);
/* What is said from now on (some KB) arrives together with the close. */
void say_last(struct played_conn *conn);
void say_reset(struct played_conn *conn);
/* Waits until the peer has closed; false after the patience. */
bool wait_peer_gone(struct played_conn *conn);

/* The usual part: gives the request back, head and body, as text/plain. */
void say_echo(struct played_conn *conn, struct played_request *request);
/* Another: no answer, until the peer has closed. */
void say_nothing(struct played_conn *conn, struct played_request *request);
/* A value in the target's query; NULL: none. Lives until the next call of this thread. */
const char *query_value(const struct played_request *request, const char *name);

/* ---- gates */

struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int count; /* how often it may be passed */
	int waiting;
};
#define GATE_CLOSED {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0}

/* Lets n pass. */
void gate_open(struct gate *gate, int n);
/* Passes; false after the patience. */
bool gate_pass(struct gate *gate);
/* True once n wait at it. */
bool gate_wait_waiting(struct gate *gate, int n);
void gate_reset(struct gate *gate);

#endif
