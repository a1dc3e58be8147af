/*
 * Lists: circular, with a link as their head. An item is in at most one by each of its links, which FG_CONTAINER_OF() leads back
 * to it.
 */
#ifndef FG_BASE_LIST_H
#define FG_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct fg_link {
	struct fg_link *prev, *next; /* NULL: in no list */
};

static inline void
fg_list_init(struct fg_link *list)
{
	list->prev = list->next = list;
}

static inline bool
fg_list_is_empty(const struct fg_link *list)
{
	return list->next == list;
}

/* At the end; the item is in no list by this link. */
static inline void
fg_list_add(struct fg_link *list, struct fg_link *item)
{
	item->prev = list->prev;
	item->next = list;
	list->prev->next = item;
	list->prev = item;
}

/* Nothing when it is in none. */
static inline void
fg_list_remove(struct fg_link *item)
{
	if (item->next == NULL)
		return;
	item->prev->next = item->next;
	item->next->prev = item->prev;
	item->prev = item->next = NULL;
}

#endif
