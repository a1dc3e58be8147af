/*
 * An arena: many small allocations that die together. One belongs to each exchange, one to each configuration.
 * Its cap lies above the sum of the bounds on what is put into it, so reaching it is a broken invariant and asserted;
 * what comes from outside is bounded before it is copied here (base/limits.h).
 */
#ifndef FG_BASE_ARENA_H
#define FG_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/str.h"

struct fg_arena_block;

struct fg_arena {
	struct fg_arena_block *head; /* owned; the block allocated from */
	size_t used, size;           /* of head */
	size_t total;                /* bytes taken from the system */
	size_t max;
	char *first;                 /* borrowed memory used before the first block, or NULL */
	size_t first_size;
};

/* first: memory of the owner that is used before anything is allocated (kept across resets), or NULL with 0. */
void fg_arena_init(struct fg_arena *arena, size_t max, void *first, size_t first_size);
/* Frees all allocations at once; the arena may be used again. */
void fg_arena_reset(struct fg_arena *arena);
/* The same; the arena is not used again. */
void fg_arena_fini(struct fg_arena *arena);

/* Never NULL. Aligned for any object; not cleared. */
void *fg_arena_alloc(struct fg_arena *arena, size_t size);
/* Never NULL; all bytes zero. count * size may not overflow (asserted). */
void *fg_arena_zalloc(struct fg_arena *arena, size_t count, size_t size);
#define FG_ARENA_NEW(arena, type) ((type *)fg_arena_zalloc((arena), 1, sizeof(type)))
#define FG_ARENA_ARRAY(arena, type, count) ((type *)fg_arena_zalloc((arena), (count), sizeof(type)))

/* The copy is followed by a NUL that its length does not count. */
struct fg_str fg_arena_str(struct fg_arena *arena, struct fg_str s);
struct fg_str fg_arena_lower(struct fg_arena *arena, struct fg_str s);
char *fg_arena_cstr(struct fg_arena *arena, struct fg_str s);
/* All parts in one, as cheaply as it can be done: for the hot path, where printf costs too much. */
struct fg_str fg_arena_join(struct fg_arena *arena, const struct fg_str *parts, size_t count);
#define FG_ARENA_CONCAT(arena, ...) \
	fg_arena_join((arena), (const struct fg_str[]){__VA_ARGS__}, \
	    sizeof((const struct fg_str[]){__VA_ARGS__}) / sizeof(struct fg_str))
struct fg_str fg_arena_u64(struct fg_arena *arena, uint64_t number);
struct fg_str fg_arena_printf(struct fg_arena *arena, const char *fmt, ...) FG_PRINTF(2, 3);
struct fg_str fg_arena_vprintf(struct fg_arena *arena, const char *fmt, va_list args) FG_PRINTF(2, 0);

#endif
