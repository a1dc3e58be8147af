/* Scenes of the tests of lib/redis: a loop, a client, and queries that remember what they were told. */
#ifndef FG_TESTS_REDIS_SCENE_H
#define FG_TESTS_REDIS_SCENE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "loop/loop.h"
#include "redis/redis.h"
#include "support/redis_server.h"
#include "unit/unit.h"

struct redis_scene {
	struct fg_arena arena;
	struct fg_loop *loop;
	struct fg_redis *redis;
	struct fg_redis_options options; /* for redis_scene_connect(); patient ones, unless the test says otherwise */
	const char *sentinel_password;   /* for redis_scene_connect(); NULL: none */
	struct fg_log log;
	struct fg_buf log_seen;
};

/* A plain server for the tests of one suite, each of which leaves it as it was. */
extern struct redis_server *redis_suite_server;
int redis_suite_set_up(void);
int redis_suite_tear_down(void);

/* A query and what it was told. */
struct redis_told {
	struct redis_scene *scene;
	struct fg_redis_query *query; /* NULL once it is over */
	bool in_call;    /* a function of the client's is running: no callback may */
	unsigned told;   /* times */
	enum fg_err err;
	enum fg_redis_type type; /* of the reply; NIL without */
	int64_t integer;
	size_t count;
	char text[256];  /* of a string, status or error; NUL behind */
	char items[256]; /* of an array: each as text, a blank behind */
	void (*then)(struct redis_told *told); /* what the callback does last */
};

void redis_scene_open(struct redis_scene *scene);
/* The same, with a client for the suite's server. */
void redis_scene_open_served(struct redis_scene *scene);
/* A client for that URL; the one before is freed. */
void redis_scene_connect(struct redis_scene *scene, const char *format, ...) FG_PRINTF(2, 3);
void redis_scene_close(struct redis_scene *scene);
struct fg_redis_stats redis_scene_stats(const struct redis_scene *scene);
/* Turns the loop until check(arg); the test ends when that does not come. */
void redis_scene_wait(struct redis_scene *scene, bool (*check)(void *arg), void *arg);
/* Asks "GET any" again and again until it is answered: what recovery looks like to a user. */
void redis_scene_recover(struct redis_scene *scene);
/* Until a query is refused at once, with the breaker open; counts what was told on the way. */
void redis_scene_until_open(struct redis_scene *scene, enum fg_err expected);
/* How often the log says that. */
unsigned redis_scene_logged(const struct redis_scene *scene, const char *text);

/* The words of a command, separated by blanks. key: as fg_redis_command has it. */
void redis_told_start(struct redis_scene *scene, struct redis_told *told, const char *key, const char *words);
/* arg.p NULL: none. */
void redis_told_eval(struct redis_scene *scene, struct redis_told *told, const struct fg_redis_script *script,
    struct fg_str key, struct fg_str arg);
/* Keys alone. */
void redis_told_eval_keys(struct redis_scene *scene, struct redis_told *told, const struct fg_redis_script *script,
    const struct fg_str *keys, size_t key_count);
void redis_told_wait(struct redis_told *told);
/* Start, wait. */
struct redis_told redis_ask(struct redis_scene *scene, const char *words);
struct redis_told redis_ask_key(struct redis_scene *scene, const char *key, const char *words);
struct redis_told redis_run(struct redis_scene *scene, const struct fg_redis_script *script, const char *key, const char *arg);

#endif
