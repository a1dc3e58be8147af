/*
 * FastCGI 1.0 records (Brown: "FastCGI Specification", 1996, §3.3): just enough framing to know, before libfcgi
 * reads, that what it will read is whole, well-formed and within bounds. Pure functions over bytes; no I/O.
 */
#ifndef FG_FCGI_RECORDS_H
#define FG_FCGI_RECORDS_H

#include "base/err.h"
#include "base/str.h"

enum { FG_RECORD_HEADER_BYTES = 8 };

/* ---- the head of a request: FCGI_BEGIN_REQUEST, FCGI_PARAMS records, the empty FCGI_PARAMS record */

enum fg_scan {
	FG_SCAN_MORE,    /* not whole yet */
	FG_SCAN_WHOLE,   /* libfcgi may read it */
	FG_SCAN_REFUSED, /* whole, but to be answered with .err and not given to libfcgi */
	FG_SCAN_LONG,    /* over FG_MAX_PARAMS_BYTES and no end in sight: to be skipped, then answered with .err */
	FG_SCAN_MANAGEMENT, /* before a request, a record about the application itself: .whole_len bytes, to be answered */
	FG_SCAN_ROLE,    /* a request of request .id for a role that is not played here */
	FG_SCAN_BAD,     /* not FastCGI: close */
};

struct fg_request_head {
	unsigned id;
	bool keep;        /* FCGI_KEEP_CONN */
	size_t feed_len;  /* bytes that libfcgi needs: up to the header of the empty FCGI_PARAMS record */
	size_t whole_len; /* with that record's padding: the body begins behind */
	enum fg_err err;  /* for REFUSED and LONG */
};

enum fg_scan fg_request_head_scan(struct fg_str data, struct fg_request_head *head);

/* ---- answers that are no request's */

enum { FG_MOST_ANSWER_BYTES = 128 };

/* To a management record (§4): FCGI_GET_VALUES_RESULT or FCGI_UNKNOWN_TYPE. How many bytes; 0: the record is malformed. */
size_t fg_management_answer(struct fg_str record, char out[FG_MOST_ANSWER_BYTES]);
/* FCGI_END_REQUEST with FCGI_UNKNOWN_ROLE (§5.5). */
size_t fg_role_answer(unsigned id, char out[FG_MOST_ANSWER_BYTES]);

/* ---- what follows: FCGI_STDIN records, perhaps FCGI_ABORT_REQUEST */

enum fg_body_event {
	FG_BODY_MORE,  /* all bytes are used up */
	FG_BODY_DATA,  /* *chunk is the next piece of the body */
	FG_BODY_END,   /* the empty FCGI_STDIN record */
	FG_BODY_ABORT, /* FCGI_ABORT_REQUEST */
	FG_BODY_NEXT,  /* another request's FCGI_BEGIN_REQUEST: its header is held, *data is what follows */
	FG_BODY_BAD,   /* not FastCGI */
};

struct fg_body_reader {
	unsigned id;
	bool skip_params; /* after FG_SCAN_LONG: FCGI_PARAMS records are skipped, until the empty one */
	bool in_content;
	unsigned char header[FG_RECORD_HEADER_BYTES];
	size_t header_len, content_left, padding_left;
};

void fg_body_reader_init(struct fg_body_reader *reader, unsigned id, bool skip_params);
/* Takes bytes from the front of *data until there is an event. */
enum fg_body_event fg_body_reader_next(struct fg_body_reader *reader, struct fg_str *data, struct fg_str *chunk);
/* The first bytes of a record that were taken before it was known whose it is; the reader holds them no longer. */
struct fg_str fg_body_reader_take_held(struct fg_body_reader *reader);

#endif
