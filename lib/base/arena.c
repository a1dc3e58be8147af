/* Bump allocation in blocks that double, freed together. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BLOCK_BYTES = 4096, LARGEST_STEP_BYTES = 256 * 1024 };

struct fg_arena_block {
	struct fg_arena_block *next;
	alignas(max_align_t) char data[];
};

void
fg_arena_init(struct fg_arena *arena, size_t max, void *first, size_t first_size)
{
	*arena = (struct fg_arena){.max = max, .first = first, .first_size = first_size, .size = first_size};
}

void
fg_arena_reset(struct fg_arena *arena)
{
	while (arena->head != NULL) {
		struct fg_arena_block *block = arena->head;

		arena->head = block->next;
		free(block);
	}
	arena->used = 0;
	arena->size = arena->first_size;
	arena->total = 0;
}

void
fg_arena_fini(struct fg_arena *arena)
{
	fg_arena_reset(arena);
	arena->size = arena->first_size = 0;
}

static void
add_block(struct fg_arena *arena, size_t at_least)
{
	size_t size = arena->total == 0 ? FIRST_BLOCK_BYTES : arena->total;
	struct fg_arena_block *block;

	if (size > LARGEST_STEP_BYTES)
		size = LARGEST_STEP_BYTES;
	if (size < at_least)
		size = at_least;
	FG_ASSERT(arena->total + size <= arena->max);
	block = malloc(sizeof(*block) + size);
	FG_ASSERT(block != NULL);
	block->next = arena->head;
	arena->head = block;
	arena->used = 0;
	arena->size = size;
	arena->total += size;
}

void *
fg_arena_alloc(struct fg_arena *arena, size_t size)
{
	char *base, *p;
	size_t aligned;

	FG_ASSERT(size <= arena->max);
	aligned = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (arena->size - arena->used < aligned)
		add_block(arena, aligned);
	base = arena->head == NULL ? arena->first : arena->head->data;
	p = base + arena->used;
	arena->used += aligned;
	return p;
}

void *
fg_arena_zalloc(struct fg_arena *arena, size_t count, size_t size)
{
	void *p;

	FG_ASSERT(size == 0 || count <= SIZE_MAX / 2 / size);
	p = fg_arena_alloc(arena, count * size);
	return memset(p, 0, count * size);
}

struct fg_str
fg_arena_str(struct fg_arena *arena, struct fg_str s)
{
	return (struct fg_str){fg_arena_cstr(arena, s), s.len};
}

struct fg_str
fg_arena_lower(struct fg_arena *arena, struct fg_str s)
{
	char *p = fg_arena_cstr(arena, s);

	for (size_t i = 0; i < s.len; i++)
		p[i] = fg_ascii_lower(p[i]);
	return (struct fg_str){p, s.len};
}

char *
fg_arena_cstr(struct fg_arena *arena, struct fg_str s)
{
	char *p = fg_arena_alloc(arena, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return p;
}

struct fg_str
fg_arena_join(struct fg_arena *arena, const struct fg_str *parts, size_t count)
{
	size_t len = 0;
	char *p, *at;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	p = at = fg_arena_alloc(arena, len + 1);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > 0)
			memcpy(at, parts[i].p, parts[i].len);
		at += parts[i].len;
	}
	*at = '\0';
	return (struct fg_str){p, len};
}

struct fg_str
fg_arena_u64(struct fg_arena *arena, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return fg_arena_str(arena, (struct fg_str){digits + at, sizeof(digits) - at});
}

struct fg_str
fg_arena_vprintf(struct fg_arena *arena, const char *fmt, va_list args)
{
	va_list again;
	int len;
	char *p;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	FG_ASSERT(len >= 0);
	p = fg_arena_alloc(arena, (size_t)len + 1);
	vsnprintf(p, (size_t)len + 1, fmt, again);
	va_end(again);
	return (struct fg_str){p, (size_t)len};
}

struct fg_str
fg_arena_printf(struct fg_arena *arena, const char *fmt, ...)
{
	struct fg_str s;
	va_list args;

	va_start(args, fmt);
	s = fg_arena_vprintf(arena, fmt, args);
	va_end(args);
	return s;
}
