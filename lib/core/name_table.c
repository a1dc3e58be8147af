/* Records by name: a hash table of their numbers behind them. An entry never changes once it is set. */
#include "core/name_table.h"

#include <stdio.h>

#include "base/assert.h"

uint64_t
fg_name_hash(struct fg_str name)
{
	return fg_str_fnv(FG_FNV_INIT, name);
}

void
fg_name_format(char *out, size_t size, struct fg_str name)
{
	size_t keep = name.len;

	if (keep > size - 1) {
		keep = size - 1 - 17;
		/* Not in the middle of a character. */
		while (keep > 0 && ((unsigned char)name.p[keep] & 0xc0) == 0x80)
			keep--;
	}
	memset(out, 0, size);
	if (keep > 0)
		memcpy(out, name.p, keep);
	if (keep < name.len)
		snprintf(out + keep, 18, "~%016llx", (unsigned long long)fg_name_hash(name));
}

void
fg_name_join(char out[FG_NAME_BYTES], const char *kind, struct fg_str name)
{
	size_t kind_len = strlen(kind);

	memcpy(out, kind, kind_len);
	fg_name_format(out + kind_len, FG_NAME_BYTES - kind_len, name);
}

/* ---- its memory */

/* A power of two; at most half of it is used, so a free entry ends every search. */
static size_t
index_for(size_t max)
{
	size_t entries = 1;

	while (entries < 2 * max)
		entries *= 2;
	return entries;
}

size_t
fg_name_table_bytes(size_t stride, size_t max)
{
	return max * stride + index_for(max) * sizeof(uint32_t);
}

size_t
fg_name_table_within(size_t stride, size_t bytes)
{
	size_t max = bytes / stride;

	while (max > 0 && fg_name_table_bytes(stride, max) > bytes)
		max--;
	return max;
}

static struct fg_name_head *
head_of(const struct fg_name_table *table, uint32_t number)
{
	return (struct fg_name_head *)(void *)(table->records + number * table->stride);
}

static _Atomic uint32_t *
index_of(const struct fg_name_table *table)
{
	return (_Atomic uint32_t *)(void *)(table->records + table->max * table->stride);
}

uint32_t
fg_name_table_count(const struct fg_name_table *table)
{
	uint32_t count = atomic_load_explicit(table->count, memory_order_acquire);

	return count < table->max ? count : table->max;
}

struct fg_name_head *
fg_name_table_at(const struct fg_name_table *table, uint32_t number)
{
	struct fg_name_head *head = head_of(table, number);

	return atomic_load_explicit(&head->taken, memory_order_acquire) == 0 ? NULL : head;
}

/* ---- names */

/* A new record of that name. */
static uint32_t
take(const struct fg_name_table *table, const char name[FG_NAME_BYTES])
{
	struct fg_name_head *head;
	uint32_t number;

	/* Asked first, so that a full table does not count on towards an overflow. */
	if (fg_name_table_count(table) == table->max)
		return FG_NAME_NONE;
	number = atomic_fetch_add(table->count, 1);
	if (number >= table->max)
		return FG_NAME_NONE;
	head = head_of(table, number);
	memcpy(head->name, name, FG_NAME_BYTES);
	atomic_store_explicit(&head->taken, 1, memory_order_release);
	return number;
}

static uint32_t
search(const struct fg_name_table *table, const char name[FG_NAME_BYTES], bool may_take)
{
	uint32_t mask = (uint32_t)index_for(table->max) - 1, mine = FG_NAME_NONE;
	_Atomic uint32_t *index = index_of(table);

	for (uint32_t at = (uint32_t)fg_name_hash(fg_str_from(name)) & mask;; at = (at + 1) & mask) {
		uint32_t entry = atomic_load_explicit(&index[at], memory_order_acquire);

		if (entry == 0 && mine == FG_NAME_NONE) {
			mine = may_take ? take(table, name) : FG_NAME_NONE;
			if (mine == FG_NAME_NONE)
				return FG_NAME_NONE;
		}
		if (entry == 0 && atomic_compare_exchange_strong(&index[at], &entry, mine + 1))
			return mine;
		if (strcmp(head_of(table, entry - 1)->name, name) == 0)
			/* Another process was faster with this name: ours has it too, and is never used. */
			return entry - 1;
	}
}

uint32_t
fg_name_table_find(const struct fg_name_table *table, const char name[FG_NAME_BYTES])
{
	return search(table, name, true);
}

uint32_t
fg_name_table_look(const struct fg_name_table *table, const char name[FG_NAME_BYTES])
{
	return search(table, name, false);
}
