/*
 * Something that is not quite Redis, for scenes: it greets as Redis does, and answers every other command with the bytes
 * that the scene says.
 */
#ifndef FG_E2E_PLAYED_REDIS_H
#define FG_E2E_PLAYED_REDIS_H

#include <stdbool.h>
#include <stddef.h>

struct played_redis;

/* What commands are answered with: borrowed, and may be changed at any time. */
struct played_answer {
	const char *bytes;
	size_t len;
	bool resets; /* the connection, behind the answer */
};

struct played_redis *played_redis_start(const struct played_answer *answer);
void played_redis_say(struct played_redis *redis, const struct played_answer *answer);
int played_redis_port(const struct played_redis *redis);
void played_redis_stop(struct played_redis *redis);

#endif
