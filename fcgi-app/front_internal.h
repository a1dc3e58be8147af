/*
 * Between front.c (sockets that listen, drains), front_conn.c (connections, writing), front_read.c (reading) and
 * front_hold.c (those that break off). Nobody else includes this.
 *
 * A connection is IDLE (kept alive, nothing under way), READING (parameters incomplete), BUSY (an exchange runs),
 * ENDING (answered; the rest of FCGI_STDIN is being discarded), CLOSED (freed at the end of the turn, so that whoever
 * is still in one of its functions finds it). An idle connection pins nothing.
 */
#ifndef FG_FCGI_FRONT_INTERNAL_H
#define FG_FCGI_FRONT_INTERNAL_H

#include "base/buf.h"
#include "base/limits.h"
#include "core/exchange.h"
#include "fcgi-app/fcgi.h"
#include "fcgi-app/front.h"
#include "fcgi-app/records.h"
#include "loop/loop.h"

struct fg_handover;

enum {
	FRONT_SCRATCH_BYTES = 64 * 1024,
	FRONT_PAUSE_US = 100 * FG_US_PER_MS,      /* when descriptors have run out, or the way to other workers is full */
	FRONT_PAUSE_SAID_US = 60 * FG_US_PER_S,   /* the log hears of it no more often */
	FRONT_WATCH_AFTER_US = 20 * FG_US_PER_MS, /* an exchange that takes longer is watched for its client's leaving */
};

enum conn_state { CONN_IDLE, CONN_READING, CONN_BUSY, CONN_ENDING, CONN_CLOSED };

struct conn {
	unsigned magic;
	enum conn_state state;
	struct fg_front *front; /* borrowed */
	struct conn *prev, *next;
	int fd; /* owned */
	struct fg_io io;
	struct fg_timer deadline, hold;
	unsigned holds;
	struct fg_fcgi_request *request; /* owned; NULL unless BUSY or ENDING */
	bool keep;            /* FCGI_KEEP_CONN */
	bool broken;          /* writing failed: nothing more is written */
	bool deaf;            /* the client has left, and the exchange goes on alone */
	bool stdin_done;
	bool watched;         /* readability is watched though nothing is needed: to see the client leave */
	struct fg_buf in;     /* read and not yet used */
	struct fg_body_reader body;
	size_t discarded;     /* while ENDING */
	size_t budget;        /* bytes that may be written before poll is asked again */
	unsigned renewals;    /* of the budget, in this turn */
	struct fg_buf pending; /* bytes over the budget */
	fg_usec busy_since;
	struct fg_exchange *x; /* borrowed; NULL unless BUSY */
	struct fg_task flush_task, broken_task, input_task, free_task;
};

struct listener {
	struct fg_front *front;
	int fd; /* borrowed */
	struct fg_io io;
};

struct fg_front {
	struct fg_gateway *gw; /* borrowed */
	struct listener *listeners;
	size_t listener_count;
	struct conn *conns;
	size_t conn_count, most_conns;
	bool draining, accept_paused;
	fg_usec pause_said; /* 0: never */
	struct fg_timer pause_timer, watch_timer;
	const struct fg_handover *handover; /* borrowed; NULL: none */
	struct fg_io handover_io;
	struct fg_fcgi *fcgi; /* owned */
	struct fg_task idle_task;
	void (*on_idle)(void *arg);
	void *on_idle_arg;
	struct fg_param params[FG_MAX_PARAMS + 1];
	char scratch[FRONT_SCRATCH_BYTES];
};

/* Takes the descriptor over and reads what is there already. */
void fg_conn_open(struct fg_front *front, int fd);
/* Says how many connections are open; more: about to be, so that one that is lost with its worker is counted. */
void fg_front_count_conns(struct fg_front *front, unsigned more);
/* After a request, or to leave: waits for the next one, or gives the connection away, or closes it. */
void fg_conn_go_idle(struct conn *conn);
/* From now on the client's leaving is noticed although nothing is expected of it. */
void fg_conn_watch_client(struct conn *conn);
/* The web server is gone: ends the exchange with client_gone and closes. */
void fg_conn_abandon(struct conn *conn);
/* The same, unless the exchange goes on alone: then it closes when that is over. */
void fg_conn_on_client_left(struct conn *conn);
/* Nothing more is written: closes, once the web server has had the time to pass on what it has. Calls nobody back. */
void fg_conn_hold(struct conn *conn);
fg_timer_fn fg_conn_on_hold;
/* Something came that is not FastCGI as it is served here: the same, counted and logged. */
void fg_conn_drop(struct conn *conn, enum fg_err why);
/* Of a closed connection. */
void fg_conn_free(struct conn *conn);
/* Watches for what the connection's state wants. */
void fg_conn_watch(struct conn *conn);
/* Answered and read to the end: FCGI_END_REQUEST, then the connection is idle or closed. */
void fg_conn_finish(struct conn *conn);
/* It is readable. */
void fg_conn_read(struct conn *conn);
/* Task of conn->input_task: bytes in conn->in are the beginning of a request. */
void fg_conn_on_input(void *arg);
extern const struct fg_front_ops fg_conn_ops;

#endif
