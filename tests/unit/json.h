/* A strict reader of JSON (RFC 8259), for what the program writes. */
#ifndef FG_TESTS_JSON_H
#define FG_TESTS_JSON_H

#include "base/str.h"

/* One value, space around it allowed; UTF-8 in strings; no name twice in an object. */
bool json_is_valid(struct fg_str text);

#endif
