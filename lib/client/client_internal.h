/*
 * What the files of lib/client share. CURL and CURLM are void to C, so this header needs no curl.h.
 *
 * client.c  the multi handle on the loop: sockets, the timer, starting and ending of calls
 * call.c    one call: the easy handle's options, and libcurl's callbacks turned into ours
 * salvage.c what a service had answered when the sending of the body failed
 * result.c  what the end of a call means
 * reuse.c   which socket a call is about to go out on, and whether a kept-alive one may be used
 * site.c   which addresses a name has
 * endpoint.c, head.c
 */
#ifndef FG_CLIENT_INTERNAL_H
#define FG_CLIENT_INTERNAL_H

#include "base/buf.h"
#include "client/client.h"
#include "client/head.h"
#include "dns/dns.h"
#include "loop/loop.h"

struct curl_slist;

/* An option that is refused is one that this libcurl was built without or that we got wrong: never a matter of input. */
#define FG_EASY_SET(easy, option, value) FG_ASSERT(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)
#define FG_MULTI_SET(multi, option, value) FG_ASSERT(curl_multi_setopt((multi), (option), (value)) == CURLM_OK)

struct fg_endpoint {
	const char *url; /* "https://name:port/" */
	const char *unix_path; /* NULL: TCP. Its connections cannot be told apart (reuse.c), so each serves one request */
	struct fg_str name; /* to be resolved: the host that is connected to; empty: there is nothing to resolve */
	unsigned port;      /* of it */
	struct curl_slist *connect_to; /* with tls_name: where to, since the URL then holds the name to verify */
	enum fg_http_version version;
	fg_usec connect_timeout;
	bool tls, verify;
	bool serves_once; /* a connection serves one request */
	const char *ca_file, *cert_file, *key_file;
};

/*
 * Sets all that calls to this endpoint have in common. Returns the URL as libcurl has read it (a CURLU), which spares
 * it reading the text anew for each request; the caller frees it, later than the easy handle.
 */
void *fg_endpoint_apply(const struct fg_endpoint *endpoint, void *easy);

struct fg_call_list {
	struct fg_call *first;
};

enum {
	FG_CALL_MAGIC = 0x63616c6c,
	FG_METHOD_MAX = 32,
	FG_OPENED_KEPT = 4, /* libcurl tries one address of each family at a time */
};

enum fg_call_state {
	FG_CALL_IDLE,     /* in the pool */
	FG_CALL_RESOLVING, /* waits for the addresses of its name */
	FG_CALL_STARTING, /* given to libcurl at the end of this turn */
	FG_CALL_ACTIVE,   /* libcurl has it */
	FG_CALL_DOOMED,   /* cancelled from inside libcurl; taken from it as soon as it has returned */
	FG_CALL_ENDED,    /* on_end runs */
};

enum fg_call_shape { FG_SHAPE_NONE, FG_SHAPE_GET, FG_SHAPE_HEAD, FG_SHAPE_UPLOAD };

/* An easy handle with what is ours around it; kept and used again for the same endpoint. */
struct fg_call {
	unsigned magic;
	enum fg_call_state state;
	struct fg_client *client;
	const struct fg_endpoint *endpoint;
	void *easy, *url; /* owned CURL, CURLU */
	struct fg_call *next, **link; /* in the list of its state; link NULL: in none */
	struct fg_socket *socket; /* borrowed; the connection it is on, or one it tries; NULL: none, or closed */
	struct fg_call *socket_next, **socket_link; /* in socket->calls */
	struct fg_task resume;
	struct fg_site *site; /* borrowed; NULL: nothing to resolve, or libcurl does it */
	struct fg_dns_wait wait;
	struct curl_slist *addresses; /* owned; what libcurl was told of them last; NULL: nothing yet */
	unsigned addresses_version;

	/* what the easy handle is set to, kept from call to call */
	enum fg_call_shape shape;
	char method[FG_METHOD_MAX]; /* empty: one too long to remember */

	/* of this call */
	int opened[FG_OPENED_KEPT]; /* descriptors opened for it, the last ones; maybe closed again */
	unsigned opened_count;
	const struct fg_call_ops *ops;
	void *arg;
	struct fg_head head;
	int64_t body_left; /* to be sent; -1: unknown */
	uint64_t received; /* of the response's body */
	enum fg_err err;   /* set before libcurl is told to give up; FG_OK: libcurl's code decides */
	fg_usec started;
	struct fg_call_times times;
	bool replayable, sent, replayed;
	fg_usec sent_at;   /* since the start */
	bool body_begun;   /* something of it was given to libcurl */
	struct fg_buf salvage; /* of the response, what libcurl left unread when a send failed */
	bool ends_at_head; /* HEAD with a body: libcurl would wait for one in return */
	bool is_complete;  /* ended by us, successfully */
	bool forbids_reuse;
	bool lacks_descriptor; /* none was left for the last connection that was to be opened */
	int connect_error; /* for which its last connection did not come about; 0: not known */
	bool tainted;      /* libcurl remembers a system error in it, or a retry (of five, as long as it lives): freed
	                      rather than kept */
	bool send_paused, body_paused;
	bool resume_send, resume_body;
};

/*
 * A descriptor that libcurl wants watched. That of a connection stays watched while it is idle: bytes that come then are
 * nobody's, and the next call on it costs no system call.
 */
struct fg_socket {
	struct fg_io io;
	struct fg_client *client;
	int fd;
	bool wanted; /* by libcurl; else an idle connection, or one on which both sides are paused */
	bool is_framed; /* HTTP/2: bytes that come have their place, whoever reads them */
	void *tls;      /* borrowed SSL; NULL: cleartext */
	const struct fg_site *site; /* borrowed; with remote, its address; NULL: not of a name */
	struct fg_ip remote;
	struct fg_call *calls; /* on it now; one at a time but for HTTP/2 */
	uint64_t name; /* of the connection, once a request was about to go out on it; 0: none yet */
	struct fg_socket *named_next, **named_link; /* in the client's bucket of that name */
};

/* A name and a port that calls go to; lives as long as the client. */
struct fg_site {
	struct fg_client *client;
	struct fg_site *next;
	struct fg_str host; /* of the first endpoint that names it */
	unsigned port;
	struct fg_dns_name *name; /* borrowed */
	unsigned version;   /* of the addresses that its connections were compared with */
	unsigned turn;      /* which address comes first */
	bool turns;         /* it has moved on, and libcurl does not know yet */
};

enum { FG_POOL_BUCKETS = 64, FG_NAME_BUCKETS = 256 };

struct fg_client {
	struct fg_loop *loop; /* borrowed */
	void *multi;          /* owned CURLM */
	long max_idle_connections, max_idle_seconds;
	long connection_steps; /* what CURLMOPT_MAXCONNECTS was computed from */
	struct fg_timer timer;
	fg_usec timer_at; /* when it fires; 0: not running */
	fg_usec due_at;   /* when libcurl wants to be called; 0: never */
	bool will_run;   /* it is about to be called anyway */
	struct fg_task kick; /* gives started calls to libcurl and lets it run */
	int depth;           /* > 0: inside libcurl */
	struct fg_call_list resolving, starting, active, doomed, pool[FG_POOL_BUCKETS];
	struct fg_dns *dns;  /* borrowed; NULL: libcurl resolves names itself */
	struct fg_site *sites; /* owned */
	size_t call_count;   /* resolving, starting, active, doomed */
	size_t pooled;
	struct fg_socket **sockets; /* owned, by descriptor */
	size_t socket_size;
	struct fg_socket *named[FG_NAME_BUCKETS];
	/* header lines that keep libcurl from adding its own; libcurl's type is not const */
	char no_accept[sizeof("Accept:")], no_expect[sizeof("Expect:")];
};

/* ---- call.c */

/* A new easy handle for the endpoint, all that stays the same set. */
struct fg_call *fg_call_new(struct fg_client *client, const struct fg_endpoint *endpoint);
void fg_call_free(struct fg_call *call);
/* Its connection is closed behind the response. */
void fg_call_forbid_reuse(struct fg_call *call);
/* Readies a call from the pool for its next request. */
void fg_call_prepare(struct fg_call *call, const struct fg_call_spec *spec);
/* A line of the response's head, with its end; false: the call is to be given up, or is complete. */
bool fg_call_take_head_line(struct fg_call *call, struct fg_str line);
/* Task of call->resume. */
void fg_call_run_resume(void *arg);

/* ---- client.c */

/* Ends what is complete and takes away what was cancelled; after every call into libcurl that may run callbacks. */
void fg_client_settle(struct fg_client *client);
/* The call is on that connection from now on. */
struct fg_socket *fg_client_attach(struct fg_call *call, int fd);
/* libcurl's CURLOPT_CLOSESOCKETFUNCTION; arg is the client. */
int fg_client_on_close(void *arg, int fd);
/* Takes the call from libcurl and runs on_end. code: a CURLcode. Not inside libcurl. */
void fg_client_end(struct fg_client *client, struct fg_call *call, int code);

/* ---- result.c */

/* Why a call ended that libcurl ended with code (a CURLcode). */
enum fg_err fg_call_result(const struct fg_call *call, int code);

/* ---- salvage.c */

/* The connection of the call does not take its body any more: keeps what libcurl has not read, where it may be an answer. */
void fg_salvage_take(struct fg_call *call);
/* Runs the caller's callbacks for the answer kept, if it is a whole one; true: and the call is complete by it. */
bool fg_salvage_tell(struct fg_call *call);

/* ---- site.c */

/* Where the endpoint's calls go; NULL: it is no name, or libcurl resolves it (there are too many). */
struct fg_site *fg_site_get(struct fg_client *client, const struct fg_endpoint *endpoint);
/* No call is left, no connection either. */
void fg_site_free_all(struct fg_client *client);
/* libcurl is about to get the call: its name's addresses, where they are others than it has. */
void fg_site_apply(struct fg_call *call);
/* The call goes out on a connection that was opened for it. */
void fg_site_note_connected(struct fg_call *call, struct fg_socket *sock, const char *remote_ip);
/* The call is over: what was asked of an address may be asked of the next. */
void fg_site_note_end(struct fg_call *call);
/* Frees what the call has of it; libcurl has the call no more. */
void fg_site_forget_call(struct fg_call *call);

/* ---- reuse.c */

/* Both ends of a connection, as libcurl tells them. */
struct fg_ends {
	const char *remote_ip, *local_ip;
	int remote_port, local_port;
};

/* A descriptor was opened for a connection that the call may get. */
void fg_reuse_note_opened(struct fg_call *call, int fd);
/*
 * A request is about to go out; call->times.reused says whether on a kept-alive connection. One with unread bytes is
 * given up: libcurl cannot send on it, and tries another by itself. False: not even which connection it is is known.
 */
bool fg_reuse_admit(struct fg_call *call, const struct fg_ends *ends);
/* No call is on it, or none that has sent anything: libcurl finds it dead from now on. Leaves HTTP/2 alone. */
void fg_reuse_give_up(struct fg_socket *sock);
void fg_reuse_forget(struct fg_socket *sock);

#endif
