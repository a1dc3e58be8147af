/* What is wrong with YAML that is not well-formed, in words for whoever wrote it. */
#ifndef FG_CONF_SYNTAX_H
#define FG_CONF_SYNTAX_H

#include "base/arena.h"
#include "base/str.h"

struct fg_syntax_error {
	struct fg_str text;   /* of the whole file */
	const char *problem, *context; /* as the YAML library says it; context may be empty */
	unsigned line, column; /* where it was noticed; from 1 */
	size_t offset;         /* the same, in characters from the beginning */
	unsigned context_line, context_column; /* where what is not finished began */
};

/* The message; line and column are moved to where the mistake was made, when that is known better. In arena. */
struct fg_str fg_syntax_explain(struct fg_syntax_error *error, struct fg_arena *arena);
/* Sets line and column to those of a byte of the text. */
void fg_syntax_locate(struct fg_syntax_error *error, size_t offset);

#endif
