/*
 * A strict reader of the Prometheus text format 0.0.4, by the rules of its specification and those that
 * `promtool check metrics` adds.
 */
#ifndef FG_TESTS_PROMETHEUS_H
#define FG_TESTS_PROMETHEUS_H

#include "base/str.h"

/* fault, unless NULL: the first line that is wrong. */
bool prometheus_is_valid(struct fg_str text, struct fg_str *fault);
/* Value of the line that begins with exactly that name and labels; -1 when there is none. */
double prometheus_value(struct fg_str text, const char *series);

#endif
