/* Open addressing with linear probing; the hash is keyed (base/str.h), the table at most half full. */
#include "conf/names.h"

enum { FIRST_SLOTS = 16 };

void
fg_names_init(struct fg_names *names, struct fg_arena *arena)
{
	*names = (struct fg_names){.arena = arena};
}

static struct fg_names_slot *
find_slot(const struct fg_names *names, struct fg_str name)
{
	size_t i = fg_str_hash(name) & (names->cap - 1);

	while (names->slots[i].value != NULL && !fg_str_eq(names->slots[i].name, name))
		i = (i + 1) & (names->cap - 1);
	return &names->slots[i];
}

void *
fg_names_find(const struct fg_names *names, struct fg_str name)
{
	return names->cap == 0 ? NULL : find_slot(names, name)->value;
}

static void
grow(struct fg_names *names)
{
	struct fg_names old = *names;

	names->cap = old.cap == 0 ? FIRST_SLOTS : old.cap * 2;
	names->slots = FG_ARENA_ARRAY(names->arena, struct fg_names_slot, names->cap);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].value != NULL)
			*find_slot(names, old.slots[i].name) = old.slots[i];
}

void *
fg_names_add(struct fg_names *names, struct fg_str name, void *value)
{
	struct fg_names_slot *slot;

	FG_ASSERT(value != NULL);
	if (names->count * 2 >= names->cap)
		grow(names);
	slot = find_slot(names, name);
	if (slot->value != NULL)
		return slot->value;
	*slot = (struct fg_names_slot){name, value};
	names->count++;
	return NULL;
}
