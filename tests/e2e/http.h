/*
 * A raw HTTP/1.1 client for scenes: sends any bytes, reads as slowly as it is told, and tells a response that is
 * complete from one that was broken off. Replies live until http_forget_all().
 */
#ifndef FG_E2E_HTTP_H
#define FG_E2E_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "e2e/bed.h"

enum { HTTP_MAX_HEADERS = 300, HTTP_ID_BYTES = 32 };

struct http_reply {
	int status;                /* 0: none came */
	bool interim;              /* a 1xx came before */
	bool complete;             /* it ended as its framing says; false: broken off, or nothing came in time */
	bool closed;               /* the connection was closed behind it */
	struct { char *name, *value; } headers[HTTP_MAX_HEADERS]; /* in order */
	size_t header_count;
	char *head;                /* as received */
	char *body;                /* decoded, NUL-terminated; NULL when http_read_body() was told to count alone */
	uint64_t body_len;
	uint64_t body_sum;         /* http_sum() of the body */
	char id[HTTP_ID_BYTES];    /* the X-Request-Id that was sent; empty: none */
};

struct http_conn {
	int fd; /* -1: closed */
	char *buf;
	size_t len, cap;
	bool eof;
	char id[HTTP_ID_BYTES];
	bool head_only; /* the next reply has no body: HEAD was asked */
};

/* One request over a connection of its own, to its end. headers: "Name: value\r\n" lines, may be NULL. An Host and a new
   X-Request-Id are added unless headers have them; a Content-Length when body is not NULL. */
struct http_reply *ask(const struct front *front, const char *method, const char *target, const char *headers,
    const char *body);
struct http_reply *get(const struct front *front, const char *target);

/* The same in steps. source: an address to come from, NULL: 127.0.0.1. */
void http_open(struct http_conn *conn, const struct front *front, const char *source);
/* Frees the connection; reset: with RST. */
void http_close(struct http_conn *conn);
void http_reset(struct http_conn *conn);
bool http_send(struct http_conn *conn, const void *bytes, size_t len);
bool http_say(struct http_conn *conn, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Request line and headers as ask() makes them, the empty line included. body_len -1: no Content-Length is added. */
bool http_send_head(struct http_conn *conn, const char *method, const char *target, const char *headers,
    int64_t body_len);
struct http_reply *http_read(struct http_conn *conn);
/* Head alone; the body stays to be read by http_read_some() or http_read_rest(). */
struct http_reply *http_read_head(struct http_conn *conn);
/* Reads raw bytes of the connection until text stands in what came since the last call; false after the patience. */
bool http_read_until(struct http_conn *conn, const char *text);
/* Body of a reply whose head was read; keep: its bytes in reply->body. */
void http_read_rest(struct http_conn *conn, struct http_reply *reply, bool keep);
/* True once the other side has closed; false after the patience. */
bool http_wait_closed(struct http_conn *conn);
void http_half_close(struct http_conn *conn);

/* The first of that name; NULL: none. */
const char *http_header(const struct http_reply *reply, const char *name);
size_t http_header_count(const struct http_reply *reply, const char *name);
bool http_header_is(const struct http_reply *reply, const char *name, const char *value);
bool http_body_has(const struct http_reply *reply, const char *text);
/* Whether it is a problem+json with that status and reason, whose instance is the request id and which the log tells
   the same of. Says what differs. */
bool http_is_problem(const struct bed *bed, const struct http_reply *reply, int status, const char *reason);
void http_forget_all(void);

/* A sum of bytes that may be taken in pieces; starts with 0. */
uint64_t http_sum(uint64_t sum, const void *bytes, size_t len);

#endif
