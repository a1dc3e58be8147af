/*
 * libfcgi, so used that it never blocks: the only user of fcgiapp.h.
 *
 * libfcgi reads and writes with blocking calls. It blocks in accept(), in the middle of a record that has not arrived
 * whole, and in writing to a peer that does not read. So it is given only what cannot block:
 *
 *   - The front reads the connection itself. Once all records up to the end of the parameters are here and well-formed
 *     (records.h), exactly these bytes go into a pipe, and FCGX_Accept_r reads the pipe. Giving it the connection as
 *     soon as that is readable would not do: readable promises one byte, not a whole record, and a truncated
 *     record would stop the worker. It gets no listening socket, so that whatever surprises it ends in an error.
 *   - Output goes through libfcgi's stream to the connection; the front gives it no more at a time than the kernel
 *     has promised to take.
 *   - libfcgi never closes a connection: it would wait there for the peer.
 */
#ifndef FG_FCGI_FCGI_H
#define FG_FCGI_FCGI_H

#include "core/exchange.h"

struct fg_fcgi;         /* one a worker */
struct fg_fcgi_request; /* one request being answered */

/* Exits the process, saying why, when there is no descriptor left for the pipe. */
struct fg_fcgi *fg_fcgi_new(void);
void fg_fcgi_free(struct fg_fcgi *fcgi);

/*
 * head: a whole, checked FCGI_BEGIN_REQUEST to empty FCGI_PARAMS (fg_request_head_scan), of at most FG_MAX_PARAMS_BYTES.
 * fd: where the answer goes; borrowed. NULL when libfcgi does not take it after all.
 */
struct fg_fcgi_request *fg_fcgi_accept(struct fg_fcgi *fcgi, struct fg_str head, int fd);
/* The same for a request whose parameters are not to be read: there are none then. */
struct fg_fcgi_request *fg_fcgi_accept_bare(struct fg_fcgi *fcgi, unsigned id, int fd);
/* Fills params, pointing into the request's memory; at most max of them. Returns how many. */
size_t fg_fcgi_params(const struct fg_fcgi_request *request, struct fg_param *params, size_t max);

/* Queues bytes of FCGI_STDOUT, writing each 8 KB that are full. False: the connection is broken. */
bool fg_fcgi_put(struct fg_fcgi_request *request, struct fg_str bytes);
/* Forgets what was put; false when something of it was written, and nothing is changed then. */
bool fg_fcgi_recall(struct fg_fcgi_request *request);
/* Writes what is queued. */
bool fg_fcgi_flush(struct fg_fcgi_request *request);
/* Writes what is queued and FCGI_END_REQUEST, and frees. */
bool fg_fcgi_end(struct fg_fcgi_request *request);
/* Frees without writing; NULL is fine. */
void fg_fcgi_discard(struct fg_fcgi_request *request);

#endif
