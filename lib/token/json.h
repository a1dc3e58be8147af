/*
 * JSON from outside (tokens, key sets, answers of an identity provider): read by Jansson within bounds, then kept as one
 * immutable block, so that its size is known, it is freed at once, and nothing of Jansson is seen elsewhere.
 *
 * Refused: a member given twice, anything behind the value, text that is not UTF-8, an escaped NUL, a number outside a double
 * or an int64, and what passes a bound.
 *
 * A document is counted, not locked: it belongs to one thread.
 */
#ifndef FG_TOKEN_JSON_H
#define FG_TOKEN_JSON_H

#include "base/err.h"
#include "base/assert.h"

enum fg_json_type {
	FG_JSON_NULL,
	FG_JSON_FALSE,
	FG_JSON_TRUE,
	FG_JSON_INTEGER,
	FG_JSON_REAL,
	FG_JSON_STRING,
	FG_JSON_ARRAY,
	FG_JSON_OBJECT,
};

struct fg_json_node {
	enum fg_json_type type;
	uint32_t count;     /* of children: elements, or members in no particular order */
	struct fg_str name; /* of a member; no text otherwise */
	/* Of a scalar: a string's bytes, "12", "1.5", "true", "null"; NUL-terminated, no NUL inside. None of an array, an object. */
	struct fg_str text;
	union {
		int64_t integer;
		double real;
		const struct fg_json_node *children; /* count of them, one behind the other */
	} as;
};

struct fg_json;

struct fg_json_bounds {
	size_t bytes;   /* of the text: FG_ERR_TOO_LARGE */
	unsigned depth; /* of arrays and objects within each other; 1: no nesting. FG_ERR_TOO_LARGE */
	unsigned nodes; /* values altogether: FG_ERR_TOO_LARGE */
};

/*
 * FG_OK with one reference in *out (fg_json_release), FG_ERR_SYNTAX or FG_ERR_TOO_LARGE. Whitespace around the value is JSON
 * (RFC 8259 §2) and taken. why: told a constant text when refused; may be NULL.
 */
FG_MUST_CHECK enum fg_err fg_json_parse(struct fg_json **out, struct fg_str text, const struct fg_json_bounds *bounds,
    const char **why);
struct fg_json *fg_json_hold(struct fg_json *doc);
void fg_json_release(struct fg_json *doc); /* NULL: nothing */

const struct fg_json_node *fg_json_root(const struct fg_json *doc);
/* Bytes of memory that it takes. */
size_t fg_json_size(const struct fg_json *doc);

/* NULL when object is not an object (NULL too) or has no such member. */
const struct fg_json_node *fg_json_member(const struct fg_json_node *object, struct fg_str name);
/* The text of a member that is a string; FG_STR_NONE (p NULL) when there is none or it is something else. */
struct fg_str fg_json_string(const struct fg_json_node *object, struct fg_str name);

static inline bool
fg_json_is_scalar(const struct fg_json_node *node)
{
	return node->type < FG_JSON_ARRAY;
}

#endif
