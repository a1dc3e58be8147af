/* A bounded sample of whom limits refuse: see limit_top.h. */
#include "limit/limit_top.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/name_table.h"

#define HALVE_AFTER_US (60 * FG_US_PER_S)

uint64_t
fg_limit_top_name(struct fg_str policy)
{
	return fg_name_hash(policy) | 1;
}

/* A clock that begins anew (another boot) halves once more; no harm. */
static void
grow_old(struct fg_limit_top *top, fg_usec now)
{
	if (now - top->halved < HALVE_AFTER_US && now >= top->halved)
		return;
	top->halved = now;
	for (size_t i = 0; i < FG_LIMIT_TOP; i++) {
		top->entries[i].refused /= 2;
		top->entries[i].excess /= 2;
	}
}

static void
add(struct fg_limit_top *top, uint64_t policy, uint64_t key)
{
	struct fg_limit_top_entry *least = &top->entries[0];

	for (size_t i = 0; i < FG_LIMIT_TOP; i++) {
		struct fg_limit_top_entry *entry = &top->entries[i];

		if (entry->limit == policy && entry->key == key) {
			entry->refused++;
			return;
		}
		if (entry->refused < least->refused)
			least = entry;
	}
	*least = (struct fg_limit_top_entry){.limit = policy, .key = key, .refused = least->refused + 1, .excess = least->refused};
}

void
fg_limit_top_add(struct fg_limit_top *top, uint64_t policy, uint64_t key, fg_usec now)
{
	int err = pthread_mutex_trylock(&top->lock);

	if (err == EBUSY)
		return;
	/* Its owner died in the middle of an entry: at worst one number is off. */
	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&top->lock);
	FG_ASSERT(err == 0);
	grow_old(top, now);
	add(top, policy, key);
	FG_ASSERT(pthread_mutex_unlock(&top->lock) == 0);
}

static int
by_refused(const void *a, const void *b)
{
	const struct fg_limit_top_entry *x = a, *y = b;

	return (x->refused < y->refused) - (x->refused > y->refused);
}

size_t
fg_limit_top_read(const struct fg_limit_top *top, struct fg_limit_top_entry out[FG_LIMIT_TOP])
{
	size_t count = 0;

	for (size_t i = 0; i < FG_LIMIT_TOP; i++)
		if (top->entries[i].limit != 0 && top->entries[i].refused > 0)
			out[count++] = top->entries[i];
	qsort(out, count, sizeof(out[0]), by_refused);
	return count;
}
