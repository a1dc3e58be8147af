/*
 * Assertions that stay in release builds: a broken invariant of our own ends the process (the supervisor
 * replaces a worker), because going on with it may answer one client with another client's data.
 * Bytes from outside are never asserted on; they are handled and counted.
 */
#ifndef FG_BASE_ASSERT_H
#define FG_BASE_ASSERT_H

#include <stddef.h>

#define FG_ASSERT(cond) ((cond) ? (void)0 : fg_assert_failed(#cond, __FILE__, __LINE__))

_Noreturn void fg_assert_failed(const char *cond, const char *file, int line);

/* Checks the magic number of an object that came back through a void pointer. */
#define FG_CHECK_MAGIC(obj, number) FG_ASSERT((obj) != NULL && (obj)->magic == (number))

#define FG_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define FG_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define FG_MUST_CHECK __attribute__((warn_unused_result))
#define FG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#endif
