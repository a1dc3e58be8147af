/*
 * The YAML library says what it had expected and where it noticed; people want to know what they did. The mistakes that
 * are made again and again have a text of their own here, all others the library's.
 */
#include "conf/syntax.h"

enum place { NOTICED, BEGUN };

/* The first row whose texts are part of the library's. Its message may name the line where the context began. */
static const struct {
	const char *problem, *context; /* part of it; "" is part of all */
	enum place place;
	bool names_line; /* the message ends with the line */
	const char *message;
} explanations[] = {
    {"alphabetic or numeric character", "alias", BEGUN, false, "a value that begins with * must stand in quotes"},
    {"alphabetic or numeric character", "anchor", BEGUN, false, "a value that begins with & must stand in quotes"},
    {"could not find expected ':'", "", BEGUN, false, "this is not `name: value`; the ':' with a space behind it is missing"},
    {"mapping values are not allowed", "", NOTICED, false,
	"a name cannot begin here; check the indentation and the ':' of the line above, or put a value with a ': ' in it in quotes"},
    {"tab character that violates indentation", "", NOTICED, false, "a tab; indent with spaces"},
    {"did not find expected key", "", NOTICED, true,
	"the indentation does not fit, or a quote is closed too early, in what begins at line"},
    {"did not find expected '-' indicator", "", NOTICED, true,
	"neither an element of the list nor indented as what follows it; the list begins at line"},
    {"did not find expected ',' or ']'", "", NOTICED, true, "a ',' or the closing ']' is missing; the list begins at line"},
    {"did not find expected ',' or '}'", "", NOTICED, true, "a ',' or the closing '}' is missing; the map begins at line"},
    {"found unexpected end of stream", "", BEGUN, false, "the quoted text that begins here has no closing quote"},
    {"found unexpected document indicator", "", BEGUN, false, "the quoted text that begins here has no closing quote"},
    {"found unknown escape character", "", NOTICED, false,
	"an unknown escape; in \"double quotes\" write \\\\ for a backslash, or use 'single quotes'"},
    {"control characters are not allowed", "", NOTICED, false, "a control character; only tabs and line ends may stand in a file"},
    {"invalid leading UTF-8 octet", "", NOTICED, false, "not UTF-8; save the file in that encoding"},
    {"invalid trailing UTF-8 octet", "", NOTICED, false, "not UTF-8; save the file in that encoding"},
    {"invalid length of a UTF-8 sequence", "", NOTICED, false, "not UTF-8; save the file in that encoding"},
};

void
fg_syntax_locate(struct fg_syntax_error *error, size_t offset)
{
	error->line = error->column = 1;
	for (size_t i = 0; i < offset && i < error->text.len; i++) {
		error->column++;
		if (error->text.p[i] == '\n') {
			error->line++;
			error->column = 1;
		}
	}
}

/* Characters are counted by the library, bytes are what the text is made of. */
static char
character_at(const struct fg_syntax_error *error)
{
	size_t characters = 0;

	for (size_t i = 0; i < error->text.len; i++) {
		if (((unsigned char)error->text.p[i] & 0xc0) == 0x80)
			continue;
		if (characters++ == error->offset)
			return error->text.p[i];
	}
	return '\0';
}

static struct fg_str
explain_character(const struct fg_syntax_error *error, struct fg_arena *arena)
{
	char c = character_at(error);

	if (c == '\t')
		return FG_STR("a tab; indent with spaces");
	if (c < 0x20 || c == 0x7f)
		return FG_STR("no value can begin with this character; put the value in quotes");
	return fg_arena_printf(arena, "no value can begin with '%c'; put the value in quotes", c);
}

struct fg_str
fg_syntax_explain(struct fg_syntax_error *error, struct fg_arena *arena)
{
	if (strstr(error->problem, "cannot start any token") != NULL)
		return explain_character(error, arena);
	if (strstr(error->problem, "did not find expected ','") != NULL && character_at(error) == '{')
		return FG_STR("a '{' within a value; in a list [ ] or map { }, put a value with ${NAME} or {variable} in quotes");
	for (size_t i = 0; i < FG_ARRAY_LEN(explanations); i++) {
		if (strstr(error->problem, explanations[i].problem) == NULL ||
		    strstr(error->context, explanations[i].context) == NULL)
			continue;
		if (explanations[i].place == BEGUN && error->context[0] != '\0') {
			error->line = error->context_line;
			error->column = error->context_column;
		}
		if (explanations[i].names_line)
			return fg_arena_printf(arena, "%s %u", explanations[i].message, error->context_line);
		return fg_str_from(explanations[i].message);
	}
	if (error->context[0] == '\0')
		return fg_arena_printf(arena, "not well-formed YAML: %s", error->problem);
	return fg_arena_printf(arena, "not well-formed YAML: %s, %s at line %u", error->problem, error->context,
	    error->context_line);
}
