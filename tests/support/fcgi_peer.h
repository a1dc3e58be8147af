/*
 * A FastCGI 1.0 peer that keeps no rule unless told to: builds records of any kind, whole or not, and reads what comes
 * back.
 */
#ifndef FG_SUPPORT_FCGI_PEER_H
#define FG_SUPPORT_FCGI_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fcgi_type {
	FCGI_BEGIN = 1, FCGI_ABORT = 2, FCGI_END = 3, FCGI_PARAMS = 4, FCGI_STDIN = 5, FCGI_STDOUT = 6, FCGI_STDERR = 7,
	FCGI_DATA = 8, FCGI_GET_VALUES = 9, FCGI_GET_VALUES_RESULT = 10, FCGI_UNKNOWN = 11,
};

struct fcgi_peer {
	int fd;
	int patience_ms;
	char *in; /* read and not yet taken apart */
	size_t in_len;
};

struct fcgi_answer {
	bool ended;             /* FCGI_END_REQUEST came */
	bool closed;            /* the connection was closed */
	unsigned id;            /* of FCGI_END_REQUEST */
	unsigned protocol_status;
	unsigned app_status;
	char *out;              /* FCGI_STDOUT, NUL-terminated; the caller frees it */
	size_t out_len;
	unsigned others;        /* records of other kinds or ids */
};

/* False when nobody listens there. */
bool fcgi_open(struct fcgi_peer *peer, const char *unix_path, int patience_ms);
void fcgi_close(struct fcgi_peer *peer);
bool fcgi_send(struct fcgi_peer *peer, const void *bytes, size_t len);
/* True once the other side has read all that was sent; false after the patience. */
bool fcgi_is_taken(const struct fcgi_peer *peer);
/* One record. padding: that many bytes behind it. */
bool fcgi_record(struct fcgi_peer *peer, unsigned type, unsigned id, const void *content, size_t len, unsigned padding);
bool fcgi_begin(struct fcgi_peer *peer, unsigned id, unsigned role, bool keep);
/* Name and value as FCGI_PARAMS has them, appended to buf; how many bytes. */
size_t fcgi_pair(char *buf, const char *name, const char *value);
/* BEGIN, parameters for "METHOD target", the empty PARAMS record. extra: "NAME\0VALUE\0…" pairs that end with "". */
bool fcgi_ask(struct fcgi_peer *peer, unsigned id, bool keep, const char *method, const char *target, const char *extra);
/* Body (may be empty) and the empty STDIN record. */
bool fcgi_body(struct fcgi_peer *peer, unsigned id, const void *bytes, size_t len);
/* Reads until FCGI_END_REQUEST, the end of the connection, or the end of patience. */
void fcgi_read(struct fcgi_peer *peer, struct fcgi_answer *answer);
/* True once the other side has closed. */
bool fcgi_is_closed(struct fcgi_peer *peer);

#endif
