/* Clients that ask all the time, over kept connections, while a scene does something to the pool. */
#ifndef FG_E2E_LOAD_H
#define FG_E2E_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "e2e/bed.h"

struct load;

struct load_result {
	unsigned good, failed; /* whole answers of status 200; anything else */
	int last_status;       /* of a failed one; 0: the connection broke */
};

/* clients threads, all over front, asking for target. */
struct load *load_start(const struct front *front, const char *target, size_t clients);
/* Good answers so far. */
unsigned load_good(const struct load *load);
/* True once n more good answers have come. */
bool load_wait_more(const struct load *load, unsigned n);
/* True once that many were not good. */
bool load_wait_failed(const struct load *load, unsigned n);
/* Stops, waits, frees. */
struct load_result load_stop(struct load *load);

#endif
