/*
 * What a file of scenes includes. A suite is a function that adds its tests to the registry; most share a stage: two
 * played services, a pool, and lighttpd and Apache in front of it.
 */
#ifndef FG_E2E_H
#define FG_E2E_H

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/bed.h"
#include "e2e/http.h"
#include "e2e/played.h"

#define FG_SUITE(name) void suite_##name(void);
#include "e2e/suites.h"
#undef FG_SUITE

#define ADD_SCENE(suite, fn) \
	do { \
		if (CU_add_test((suite), #fn, (fn)) == NULL) \
			abort(); \
	} while (0)

/* Adds the suite; init and cleanup give 0 when all is well. */
CU_pSuite add_suite(const char *name, int (*init)(void), int (*cleanup)(void));

struct stage {
	struct bed bed;
	struct played *a, *b;
	const struct front *fronts[2]; /* lighttpd, apache */
};

/* Services A and B (NULL: one that gives the request back). */
void stage_play(struct stage *stage, const struct played_part *a, const struct played_part *b);
/* A pool with these services and routes, web servers at "/". */
void stage_serve(struct stage *stage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Both, with `services: a, b` and the routes given, two spaces deep, as they stand under `routes:`. */
void stage_open(struct stage *stage, const struct played_part *a, const struct played_part *b, const char *routes);
bool stage_close(struct stage *stage);

/* The scene behind each web server in turn; name is the variable. */
#define EACH_FRONT(stage, name) \
	for (const struct front *name, **each_front = (stage)->fronts; \
	    each_front < (stage)->fronts + 2 && (name = *each_front) != NULL; each_front++)

/* An assertion that names the web server it failed behind. */
#define CHECK(front, condition) check_holds((condition), (front), #condition, __FILE__, __LINE__)
void check_holds(bool holds, const struct front *front, const char *what, const char *file, unsigned line);

#endif
