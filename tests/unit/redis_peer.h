/*
 * Something that is not quite Redis, on the test's own loop: it answers each command as the test says, whole or in pieces,
 * and may close or reset the connection instead.
 */
#ifndef FG_TESTS_REDIS_PEER_H
#define FG_TESTS_REDIS_PEER_H

#include "base/buf.h"
#include "loop/loop.h"

enum { REDIS_PEER_CONNS = 32, REDIS_PEER_RULES = 8 };

enum redis_peer_then { PEER_KEEPS, PEER_CLOSES, PEER_RESETS };

struct redis_peer_conn {
	struct redis_peer *peer;
	int fd; /* -1: none */
	struct fg_io io;
	struct fg_timer timer;
	struct fg_buf in, out;
	enum redis_peer_then then; /* once all is written */
};

struct redis_peer {
	struct fg_loop *loop;
	int fd, port;
	struct fg_io io;
	struct redis_peer_conn conns[REDIS_PEER_CONNS];

	/* what the test says; may be changed at any time */
	bool is_mute;            /* greetings too have no answer */
	bool closes_at_once;     /* what it has accepted */
	size_t piece;            /* bytes written each millisecond; 0: all at once */
	enum redis_peer_then then; /* after a reply to anything but a greeting */
	/* What commands that begin so are answered; NULL: not at all. The first that fits counts; the last has text "". */
	struct {
		const char *begins, *reply;
	} rules[REDIS_PEER_RULES];

	/* what happened */
	unsigned accepted, commands; /* greetings not among them */
	char last[256];              /* command, its words joined by blanks */
};

void redis_peer_open(struct redis_peer *peer, struct fg_loop *loop);
void redis_peer_close(struct redis_peer *peer);
/* One rule for all commands. */
void redis_peer_say(struct redis_peer *peer, const char *reply);

#endif
