/*
 * Real redis-server processes for tests: each on a free port of 127.0.0.1, in a temporary folder of its own, killed with
 * the test. Whatever goes wrong here fails and ends the test, saying what and how the servers' logs end; all servers are
 * gone then, with their folders.
 */
#ifndef FG_TESTS_REDIS_SERVER_H
#define FG_TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum { REDIS_CLUSTER_NODES = 3 };

struct redis_server;

struct redis_server_options {
	const char *password;   /* of the default user */
	const char *config;     /* more lines of redis.conf; each ends with a newline */
	bool unix_socket_only;  /* no TCP */
	const char *tls_folder; /* TLS on its port, with what service_make_cert(folder, "redis", …) made there */
	bool cluster, sentinel;
};

/* Answers to PING once this returns. NULL: plain. */
struct redis_server *redis_server_start(const struct redis_server_options *options);
/* Kills it and removes its folder. NULL is allowed. */
void redis_server_stop(struct redis_server *server);
/* SIGKILL; its port then refuses. */
void redis_server_kill(struct redis_server *server);
/* At the same place, with the same configuration and what it had saved. Killed before. */
void redis_server_again(struct redis_server *server);
/* The same, and returns as soon as it listens. */
void redis_server_begin(struct redis_server *server);
void redis_server_pause(struct redis_server *server);
void redis_server_resume(struct redis_server *server);
int redis_server_port(const struct redis_server *server);
const char *redis_server_socket(const struct redis_server *server); /* path of its unix socket */
const char *redis_server_folder(const struct redis_server *server);

/* One command in redis-cli's quoting, on a connection of its own; the raw reply, in memory that the next call reuses. */
const char *redis_server_do(struct redis_server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, again and again, until the reply has that text. */
void redis_server_until(struct redis_server *server, const char *command, const char *text);
/* Sends what keeps it from answering anybody, and returns as soon as it is at it; the descriptor. */
int redis_server_occupy(struct redis_server *server, const char *command);

/* Three nodes, each with a third of the slots. */
void redis_cluster_start(struct redis_server *nodes[REDIS_CLUSTER_NODES]);

/* For what a suite sets up, outside any test: runs it; false when a server failed in it. */
bool redis_server_try(void (*act)(void));

#endif
