/*
 * An index from names to whatever they name, in an arena: maps of a configuration may have 100,000 entries.
 */
#ifndef FG_CONF_NAMES_H
#define FG_CONF_NAMES_H

#include "base/arena.h"
#include "base/str.h"

struct fg_names_slot {
	struct fg_str name; /* borrowed */
	void *value;        /* NULL: the slot is free */
};

struct fg_names {
	struct fg_names_slot *slots;
	size_t cap, count;
	struct fg_arena *arena; /* borrowed */
};

void fg_names_init(struct fg_names *names, struct fg_arena *arena);
/* NULL: not there. */
void *fg_names_find(const struct fg_names *names, struct fg_str name);
/* What already has that name (and keeps it), or NULL: now value has it. value is not NULL. */
void *fg_names_add(struct fg_names *names, struct fg_str name, void *value);

#endif
