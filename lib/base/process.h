/* Whether another process still is the one that it was: its number alone does not say so. */
#ifndef FG_BASE_PROCESS_H
#define FG_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* When it began, in ticks since the system did; 0: nobody knows. */
uint64_t fg_process_born(pid_t pid);
/*
 * It is no more, or waits for nothing but its parent's taking note; or another has its number by now (born: what
 * fg_process_born() said of it, 0: not known). False when it cannot be told.
 */
bool fg_process_is_gone(pid_t pid, uint64_t born);

#endif
