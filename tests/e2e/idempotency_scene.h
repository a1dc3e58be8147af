/*
 * What scenes about Idempotency-Key share: a service that counts what it carries out, a pool with its memory behind lighttpd
 * and Apache, or two pools on one Redis, the second behind a lighttpd of its own.
 */
#ifndef FG_E2E_IDEMPOTENCY_SCENE_H
#define FG_E2E_IDEMPOTENCY_SCENE_H

#include "e2e/e2e.h"
#include "support/redis_server.h"

enum { MOST_TURNS = 4096, BIG = 100 * 1024, BINARY = 256 };

extern struct redis_server *server;
extern struct bed beds[2];
extern struct stage web; /* its fronts are those of the first pool */
extern const struct front *fronts[3];
extern size_t front_count;
extern struct gate hold; /* of /held */
extern _Atomic unsigned seen[MOST_TURNS]; /* what the service has carried out, by the number of the turn */

int open_memory(void);
int close_memory(void);
int open_redis(void);
int close_redis(void);
int open_cluster(void);
int close_cluster(void);

/* A number that no other request has: `k` of its query, and in its key. */
unsigned turn(void);
/* alice asks with the key of that turn. */
struct http_reply *post(const struct front *front, const char *target, unsigned k, const char *body);
bool is_replayed(const struct http_reply *reply);
/* Byte for byte. */
bool is_same(const struct http_reply *one, const struct http_reply *other);
double outcome(const struct front *front, const char *policy, const char *what);

#endif
