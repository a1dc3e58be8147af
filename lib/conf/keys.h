/*
 * Tables of keys. One table says what a section of the configuration may hold, and from it come the parser, the
 * defaults, the messages, the reference page and the JSON Schema. A table ends with a row without a name.
 *
 *   static const struct fg_conf_key breaker_keys[] = {
 *       {"failures", FG_CONF_INT, FG_CONF_AT(struct breaker_conf, failures), .min = 1, .max = 1000, .preset = "5",
 *           .help = "failures in a row that open it"},
 *       {"within", FG_CONF_DURATION, FG_CONF_AT(struct breaker_conf, within), .min = FG_US_PER_MS,
 *           .max = FG_CONF_MAX_DURATION, .preset = "10s", .help = "…"},
 *       {NULL},
 *   };
 *
 * The rows of a list's or map's elements are keys themselves (`item`, `item_name`); their offsets lie within one
 * element, their names are what stands for them in the reference ("HEADER").
 *
 *   struct rename { struct fg_str from, to; };
 *   static const struct fg_conf_key rename_from = {"HEADER", FG_CONF_STRING, FG_CONF_AT(struct rename, from), …};
 *   static const struct fg_conf_key rename_to = {"HEADER", FG_CONF_STRING, FG_CONF_AT(struct rename, to), …};
 *       …
 *       {"rename", FG_CONF_MAP, FG_CONF_ARRAY(struct conf, renames, rename_count, struct rename),
 *           .item_name = &rename_from, .item = &rename_to, .help = "…"},
 *
 * What is written by a reader: a section's struct is zeroed by whoever allocates it; then each row writes its own field.
 * A row that is absent writes its preset, or nothing at all without one.
 */
#ifndef FG_CONF_KEYS_H
#define FG_CONF_KEYS_H

#include <stddef.h>

#include "base/clock.h"
#include "conf/conf.h"

struct fg_conf_key;

enum fg_conf_type {
	FG_CONF_BOOL,     /* bool: true or false */
	FG_CONF_INT,      /* an int of any width, within min..max */
	FG_CONF_SIZE,     /* int64_t, bytes, within min..max: 512b 64k 10M 2G (1024s); 0 */
	FG_CONF_DURATION, /* fg_usec within min..max: 250ms 5s 1m 2h 30d; 0 */
	FG_CONF_STRING,   /* struct fg_str, NUL-terminated; max: bytes (0: FG_CONF_MAX_STRING) */
	FG_CONF_ENUM,     /* an int or enum: the value of one of choices */
	FG_CONF_CUSTOM,   /* what parse makes of it */
	FG_CONF_SECTION,  /* a struct filled by keys; with parse, a scalar may stand for it (the short form) */
	FG_CONF_LIST,     /* an array of elements and its count; max: elements (0: FG_CONF_MAX_LIST) */
	FG_CONF_MAP,      /* the same, with names */
};

/* Flags. */
enum {
	FG_CONF_REQUIRED = 1 << 0, /* absent: an error */
	FG_CONF_OR_ONE = 1 << 1,   /* LIST: a single element may stand without its brackets */
	FG_CONF_POINTER = 1 << 2,  /* SECTION: the field is a pointer to the struct, NULL while absent */
	FG_CONF_EMPTY = 1 << 3,    /* STRING: may be empty */
	FG_CONF_NAMED = 1 << 4,    /* SECTION with POINTER: a scalar names one that stands elsewhere; parse gets the field */
};

#define FG_CONF_MAX_STRING 4096
#define FG_CONF_MAX_LIST 1000
#define FG_CONF_MAX_DURATION (365 * INT64_C(86400) * FG_US_PER_S)

struct fg_conf_choice {
	const char *name; /* NULL ends the list */
	int value;
};

/*
 * A section whose keys depend on the value of one of them (`type: jwt`): the variants of its key. Each table has a row for
 * that key, too: required, an ENUM of that one choice.
 */
struct fg_conf_variant {
	const char *name; /* the value; NULL ends the list */
	const struct fg_conf_key *keys;
	size_t size;      /* of its struct: the key's is a pointer (FG_CONF_POINTER) */
	const char *help;
};

/* out: the field (CUSTOM), the struct (SECTION). What is wrong goes to fg_conf_error(conf, node, …). */
typedef void fg_conf_parse_fn(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key,
    void *out);

struct fg_conf_key {
	const char *name;
	enum fg_conf_type type;
	size_t offset, size;      /* of the field: FG_CONF_AT, FG_CONF_ARRAY, FG_CONF_IN */
	size_t count_offset;      /* LIST, MAP: of the size_t that counts */
	size_t item_size;         /* LIST, MAP: of an element; SECTION with POINTER: of the struct */
	unsigned flags;
	int64_t min, max;
	const char *word;         /* INT, SIZE, DURATION: one word that stands for word_value: auto, none */
	int64_t word_value;
	const struct fg_conf_choice *choices; /* ENUM */
	const struct fg_conf_key *keys;       /* SECTION; CUSTOM: for the reference alone */
	const char *variant_key;              /* SECTION with variants: which key says it; keys is NULL */
	const struct fg_conf_variant *variants;
	const struct fg_conf_key *item, *item_name; /* LIST, MAP */
	const char *preset;       /* the default, written as in the file; a LIST's with commas between elements */
	fg_conf_parse_fn *parse;   /* CUSTOM: the value; SECTION: the short form, a scalar (FG_CONF_NAMED: its name) */
	fg_conf_parse_fn *prepare; /* SECTION: before any key, with its map or scalar */
	const void *arg;           /* for these functions */
	fg_conf_parse_fn *check;   /* after the value was read without an error of its own; of a SECTION always, at its end */

	/* for the reference page and the schema alone */
	const char *help;         /* what it does, in one line */
	const char *form;         /* CUSTOM, or a SECTION's short form: what to write, "a URL" */
	const char *schema;       /* the same as the members of a JSON Schema: "\"type\": \"string\"" */
	const char *shown_preset; /* instead of preset: where it depends on the build, or is said elsewhere */
};

#define FG_CONF_AT(strukt, field) .offset = offsetof(strukt, field), .size = sizeof(((strukt *)NULL)->field)
#define FG_CONF_ARRAY(strukt, field, count_field, element) \
	FG_CONF_AT(strukt, field), .count_offset = offsetof(strukt, count_field), .item_size = sizeof(element)
/* An element that is its own and only field: a list of strings, an element that is a section. */
#define FG_CONF_IN(type) .offset = 0, .size = sizeof(type)
/* A section of its own allocation. */
#define FG_CONF_OWN(strukt, field, type) \
	FG_CONF_AT(strukt, field), .item_size = sizeof(type), .flags = FG_CONF_POINTER

/* The name and value of a key, or of a list's or map's element, written to its place in base. */
void fg_conf_read(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *base);
/* The keys of a section: for whoever has the root, or a CUSTOM that may be a section. Unknown names are errors. */
void fg_conf_read_keys(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *keys, void *out);
/* The presets of a section that is absent. node: for the place of messages. */
void fg_conf_read_presets(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *keys, void *out);

/* For CUSTOM: the text of a scalar, or an error that says `wanted` ("a URL") and false. */
bool fg_conf_want_text(struct fg_conf *conf, const struct fg_conf_node *node, const char *wanted, struct fg_str *text);
/* The units of the types above, alone. False on another form or an overflow. */
bool fg_conf_to_duration(struct fg_str text, fg_usec *out);
bool fg_conf_to_size(struct fg_str text, int64_t *out);

/* "file:PATH": true, with the path. */
bool fg_conf_is_file(struct fg_str text, struct fg_str *path);
/* A regular file of at most max bytes, NUL-terminated in the configuration's arena; a relative path is relative to the file that
   names it. False after a mistake was noted at the node. */
bool fg_conf_load_file(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str path, size_t max,
    struct fg_str *text);
/* The parse of a CUSTOM key that is a secret (struct fg_str): the text itself, or file:PATH, without a line's end at its end. */
void fg_conf_parse_secret(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out);
#define FG_CONF_SECRET_FORM "a secret, or file:PATH"

/* The reference page: a table for each section. The schema: the value of "properties" and so on, for an editor. */
bool fg_conf_format_reference(struct fg_buf *out, const struct fg_conf_key *keys);
bool fg_conf_format_schema(struct fg_buf *out, const struct fg_conf_key *keys, const char *title);

#endif
