/*
 * Scenes of the client's tests: a loop, a client, the scripted service, and calls that remember what they were told and
 * do at each step what the test wants.
 */
#ifndef FG_TESTS_CLIENT_SCENE_H
#define FG_TESTS_CLIENT_SCENE_H

#include "base/arena.h"
#include "base/buf.h"
#include "client/client.h"
#include "loop/loop.h"
#include "support/service.h"

enum { SCENE_IDLE_CONNECTIONS = 64 };

struct scene {
	struct fg_arena arena;
	struct fg_loop *loop;
	struct fg_client *client;
	struct fg_timer wake;
	struct service *service;
	struct fg_endpoint *endpoint;
};

enum step { AT_STATUS, AT_HEADER, AT_HEAD_END, AT_BODY, AT_SEND, AT_END };

/* A call, what it sends, and what it was told. Everything that is zero has the plain meaning. */
struct told {
	/* what the test says */
	const char *method; /* NULL: GET */
	const char *target;
	const struct fg_call_header *headers; /* NULL: Host alone */
	size_t header_count;
	bool has_body, unknown_length, replayable;
	uint64_t body_length;  /* of service_pattern() */
	uint64_t body_given;   /* on_send ends there instead, when not 0 */
	size_t send_piece;     /* at most so many bytes at once, when not 0 */
	const struct fg_endpoint *endpoint; /* NULL: the scene's */
	/* What a callback gives back, and whatever the test does in it. NULL: GO. */
	enum fg_flow (*on_step)(struct told *told, enum step step);

	/* what it was told */
	struct scene *scene;
	struct fg_call *call; /* NULL once it is over */
	int status;
	struct fg_buf headers_seen; /* "name: value\n" each, as they came */
	struct fg_buf body_seen;    /* its first 4096 bytes */
	uint64_t body_bytes, body_hash, sent;
	unsigned steps[AT_END + 1], pauses;
	bool in_call;  /* a function of the client's is running: no callback may */
	bool ended;
	enum fg_err err;
	int connect_error;
	struct fg_call_times times;
};

void scene_open(struct scene *scene, const struct service_options *options);
void scene_close(struct scene *scene);
/* An endpoint with the scene's defaults: "http://127.0.0.1:port". */
const struct fg_endpoint *scene_endpoint(struct scene *scene, const struct fg_endpoint_spec *spec);
struct fg_endpoint_spec scene_spec(struct scene *scene, const char *scheme, int port);

void told_start(struct scene *scene, struct told *told);
/* Until it has ended; the test ends when it does not. */
void told_wait(struct told *told);
/* Turns the loop until check(arg); the test ends when that does not come. */
void scene_wait(struct scene *scene, bool (*check)(void *arg), void *arg);
void told_cancel(struct told *told);
void told_fini(struct told *told);
/* Start, wait, and forget: the error that the call ended with. */
enum fg_err ask(struct scene *scene, const char *method, const char *target);
/* The same; its status, 0 when it failed. */
int ask_status(struct scene *scene, const char *method, const char *target);

#endif
