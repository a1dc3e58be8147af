/*
 * "did you mean": the nearest of several names by Damerau-Levenshtein distance (insert, delete, change, swap of
 * neighbours), letter case aside. Nothing is suggested that is not near.
 */
#ifndef FG_CONF_SUGGEST_H
#define FG_CONF_SUGGEST_H

#include "base/arena.h"
#include "base/str.h"

struct fg_suggest {
	struct fg_str text; /* borrowed: what was written */
	struct fg_str best; /* borrowed; empty: nothing near yet */
	unsigned distance;  /* of best */
};

void fg_suggest_init(struct fg_suggest *suggest, struct fg_str text);
void fg_suggest_offer(struct fg_suggest *suggest, struct fg_str candidate);
/* "; did you mean NAME?", or an empty text. */
struct fg_str fg_suggest_format(const struct fg_suggest *suggest, struct fg_arena *arena);

/* Changes needed to make b of a; more than limit is limit + 1. Texts over 64 bytes are always beyond it. */
unsigned fg_edit_distance(struct fg_str a, struct fg_str b, unsigned limit);

#endif
