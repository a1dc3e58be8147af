/*
 * Records in shared memory, found by name: handed out in order, so that memory follows use. Any process may look for a name,
 * and take the next record for one that is not there; no lock is held, so none is left behind by a process that dies. A table
 * whose processes take turns by a lock of their own may also give records back (fg_name_table_find_alone()); those who only
 * look need no lock there either.
 */
#ifndef FG_BASE_NAME_TABLE_H
#define FG_BASE_NAME_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/str.h"

enum { FG_NAME_BYTES = 112 };

#define FG_NAME_NONE UINT32_MAX

/* What each record begins with. */
struct fg_name_head {
	char name[FG_NAME_BYTES]; /* NUL-terminated, the rest zeros */
	_Atomic uint64_t taken;   /* odd: in use; even: not. One more each time */
};

struct fg_name_table {
	_Atomic uint32_t *count; /* borrowed, shared: records handed out; may pass max, which then is the number */
	char *records;           /* borrowed, shared: max of them, zeroed at first; behind them the index */
	size_t stride;           /* from one to the next; a multiple of their alignment */
	uint32_t max;
};

/* What the records and their index take; how many records the bytes were made for (0: none). */
size_t fg_name_table_bytes(size_t stride, size_t max);
size_t fg_name_table_within(size_t stride, size_t bytes);

/* kind and name in one, as a record has it. */
void fg_name_join(char out[FG_NAME_BYTES], const char *kind, struct fg_str name);
/* The record of that name, which is taken when there was none. FG_NAME_NONE when all are in use. */
uint32_t fg_name_table_find(const struct fg_name_table *table, const char name[FG_NAME_BYTES]);
/* The same, taking none. */
uint32_t fg_name_table_look(const struct fg_name_table *table, const char name[FG_NAME_BYTES]);
/* As fg_name_table_find(), of a process that has the table to itself; also takes what was given back, all zeros but for its name. */
uint32_t fg_name_table_find_alone(const struct fg_name_table *table, const char name[FG_NAME_BYTES]);
/* Gives it back; by a process that has the table to itself. */
void fg_name_table_drop(const struct fg_name_table *table, uint32_t number);
/* How many have been handed out; some of them may have no name yet. */
uint32_t fg_name_table_count(const struct fg_name_table *table);
/* Its name as it is; false: it has none. */
bool fg_name_table_read(const struct fg_name_table *table, uint32_t number, char name[FG_NAME_BYTES]);
/* NULL: it has no name. */
struct fg_name_head *fg_name_table_at(const struct fg_name_table *table, uint32_t number);

/* FNV-1a: the same in every process that maps the memory, unlike fg_str_hash(). Names are the configuration's. */
uint64_t fg_name_hash(struct fg_str name);
/* name, NUL-terminated and the rest zeros; one that is too long keeps its beginning, then a hash of the whole. */
void fg_name_format(char *out, size_t size, struct fg_str name);

#endif
