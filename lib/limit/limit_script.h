/*
 * The words of limit.lua: what it is given about the limits of a request, and what it answers, both packed: one argument and
 * one string, since for Redis each word more, and each number read from text, costs as much as the arithmetic.
 */
#ifndef FG_LIMIT_LIMIT_SCRIPT_H
#define FG_LIMIT_LIMIT_SCRIPT_H

#include "base/limits.h"
#include "limit/limit_redis.h"

enum {
	FG_LIMIT_SCRIPT_RECORD = 2 + 7 * 8,
	FG_LIMIT_SCRIPT_BYTES = 1 + FG_MAX_POLICIES_OF_ROUTE * FG_LIMIT_SCRIPT_RECORD,
};

/*
 * Writes what the script is to do with asks[order[0..count)]; the length. now: about the time by Redis's clock; what windows
 * of a calendar it names depends on it, and nothing else.
 */
size_t fg_limit_script_write(char bytes[FG_LIMIT_SCRIPT_BYTES], enum fg_limit_op op, const struct fg_limit_ask *asks,
    const uint8_t *order, size_t count, fg_usec now);

enum fg_limit_script_answer {
	FG_LIMIT_SCRIPT_DONE,    /* readings are set, and *now */
	FG_LIMIT_SCRIPT_OUTSIDE, /* *now is set, and lies in none of the windows named; nothing was charged */
	FG_LIMIT_SCRIPT_GARBAGE, /* not this script's answer */
};

/* *now: the time by Redis's clock. */
enum fg_limit_script_answer fg_limit_script_read(struct fg_str answer, struct fg_limit_ask *asks, const uint8_t *order, size_t count,
    fg_usec *now);

#endif
