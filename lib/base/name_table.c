/*
 * Records by name: a hash table of their numbers behind them. An entry never changes once it is set, but for that of a record
 * that is given back.
 */
#include "base/name_table.h"

#include <stdio.h>

#include "base/assert.h"

/* Of a record that was given back: the search goes on behind it. */
#define GONE UINT32_MAX

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

	return atomic_load_explicit(&head->taken, memory_order_acquire) % 2 == 0 ? NULL : head;
}

bool
fg_name_table_read(const struct fg_name_table *table, uint32_t number, char name[FG_NAME_BYTES])
{
	struct fg_name_head *head = head_of(table, number);
	uint64_t taken = atomic_load_explicit(&head->taken, memory_order_acquire);

	memcpy(name, head->name, FG_NAME_BYTES);
	atomic_thread_fence(memory_order_acquire);
	/* Else it was given back, and perhaps named anew, meanwhile. */
	return taken % 2 == 1 && atomic_load_explicit(&head->taken, memory_order_relaxed) == taken;
}

static bool
is_named(const struct fg_name_table *table, uint32_t number, const char name[FG_NAME_BYTES])
{
	char its[FG_NAME_BYTES];

	return fg_name_table_read(table, number, its) && memcmp(its, name, FG_NAME_BYTES) == 0;
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

	uint32_t at = (uint32_t)fg_name_hash(fg_str_from(name)) & mask;

	/* All around once at most: entries of what was given back may have filled the index. */
	for (uint32_t steps = 0; steps <= mask; steps++, at = (at + 1) & mask) {
		uint32_t entry = atomic_load_explicit(&index[at], memory_order_acquire);

		if (entry == 0 && mine == FG_NAME_NONE) {
			mine = may_take ? take(table, name) : FG_NAME_NONE;
			if (mine == FG_NAME_NONE)
				return FG_NAME_NONE;
		}
		if (entry == 0 && atomic_compare_exchange_strong(&index[at], &entry, mine + 1))
			return mine;
		if (entry != GONE && is_named(table, entry - 1, name))
			/* Another process was faster with this name: ours has it too, and is never used. */
			return entry - 1;
	}
	return FG_NAME_NONE;
}

uint32_t
fg_name_table_find(const struct fg_name_table *table, const char name[FG_NAME_BYTES])
{
	return search(table, name, true);
}

/* ---- by a process that has the table to itself */

/* One that was given back, free of what it held. */
static uint32_t
take_again(const struct fg_name_table *table, const char name[FG_NAME_BYTES])
{
	uint32_t count = fg_name_table_count(table), number = (uint32_t)fg_name_hash(fg_str_from(name)) % table->max;

	for (uint32_t steps = 0; steps < count; steps++, number = (number + 1) % count) {
		struct fg_name_head *head = head_of(table, number);
		uint64_t taken = atomic_load(&head->taken);

		if (taken % 2 == 1)
			continue;
		memset((char *)head + sizeof(*head), 0, table->stride - sizeof(*head));
		memcpy(head->name, name, FG_NAME_BYTES);
		atomic_store_explicit(&head->taken, taken + 1, memory_order_release);
		return number;
	}
	return FG_NAME_NONE;
}

uint32_t
fg_name_table_find_alone(const struct fg_name_table *table, const char name[FG_NAME_BYTES])
{
	uint32_t mask = (uint32_t)index_for(table->max) - 1, at = (uint32_t)fg_name_hash(fg_str_from(name)) & mask;
	uint32_t number = fg_name_table_look(table, name);
	_Atomic uint32_t *index = index_of(table);
	uint32_t entry;

	if (number != FG_NAME_NONE)
		return number;
	number = take(table, name);
	if (number == FG_NAME_NONE)
		number = take_again(table, name);
	if (number == FG_NAME_NONE)
		return number;
	while ((entry = atomic_load(&index[at])) != 0 && entry != GONE)
		at = (at + 1) & mask;
	atomic_store_explicit(&index[at], number + 1, memory_order_release);
	return number;
}

void
fg_name_table_drop(const struct fg_name_table *table, uint32_t number)
{
	struct fg_name_head *head = head_of(table, number);
	uint32_t mask = (uint32_t)index_for(table->max) - 1, at = (uint32_t)fg_name_hash(fg_str_from(head->name)) & mask;
	_Atomic uint32_t *index = index_of(table);
	uint32_t entry;

	for (uint32_t steps = 0; steps <= mask && (entry = atomic_load(&index[at])) != 0; steps++, at = (at + 1) & mask) {
		if (entry != number + 1)
			continue;
		atomic_store(&index[at], GONE);
		/* Where a chain ends, those gone before its end are in nobody's way. */
		while (atomic_load(&index[at]) == GONE && atomic_load(&index[(at + 1) & mask]) == 0) {
			atomic_store(&index[at], 0);
			at = (at - 1) & mask;
		}
		break;
	}
	atomic_fetch_add(&head->taken, 1);
}

uint32_t
fg_name_table_look(const struct fg_name_table *table, const char name[FG_NAME_BYTES])
{
	return search(table, name, false);
}
