/* Jansson's tree copied into one block: nodes first, then the bytes of all names and texts. The only user of jansson.h. */
#include "token/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "token/why.h"

struct fg_json {
	unsigned refs;
	size_t size;
	struct fg_json_node nodes[]; /* the root first */
};

/* What a tree takes; also where the filling is. */
struct extent {
	size_t nodes, bytes;
	unsigned depth;
};

enum { NUMBER_BYTES = 32 };

/* A scalar's text; number takes NUMBER_BYTES. */
static struct fg_str
text_of(json_t *value, char *number)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return FG_STR("null");
	case JSON_FALSE:
		return FG_STR("false");
	case JSON_TRUE:
		return FG_STR("true");
	case JSON_INTEGER:
		snprintf(number, NUMBER_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return fg_str_from(number);
	case JSON_REAL:
		/* As short as says the same number: 0.1, not 0.10000000000000001. */
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(number, NUMBER_BYTES, "%.*g", digits, json_real_value(value));
			if (strtod(number, NULL) == json_real_value(value))
				break;
		}
		return fg_str_from(number);
	case JSON_STRING:
		return (struct fg_str){json_string_value(value), json_string_length(value)};
	default:
		return FG_STR_NONE;
	}
}

/* Adds value to *extent. False as soon as a bound is passed. */
static bool
measure(json_t *value, unsigned depth, const struct fg_json_bounds *bounds, struct extent *extent)
{
	char number[NUMBER_BYTES];
	const char *name;
	json_t *child;
	size_t i;

	if (++extent->nodes > bounds->nodes)
		return false;
	if (!json_is_object(value) && !json_is_array(value)) {
		extent->bytes += text_of(value, number).len + 1;
		return true;
	}
	if (depth >= bounds->depth)
		return false;
	json_array_foreach(value, i, child)
		if (!measure(child, depth + 1, bounds, extent))
			return false;
	json_object_foreach(value, name, child) {
		extent->bytes += strlen(name) + 1;
		if (!measure(child, depth + 1, bounds, extent))
			return false;
	}
	return true;
}

struct filler {
	struct fg_json_node *node; /* the next free one */
	char *byte;
};

static struct fg_str
copy_text(struct filler *filler, struct fg_str text)
{
	char *p = filler->byte;

	if (text.len > 0)
		memcpy(p, text.p, text.len);
	p[text.len] = '\0';
	filler->byte += text.len + 1;
	return (struct fg_str){p, text.len};
}

static enum fg_json_type
type_of(json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return FG_JSON_OBJECT;
	case JSON_ARRAY:
		return FG_JSON_ARRAY;
	case JSON_STRING:
		return FG_JSON_STRING;
	case JSON_INTEGER:
		return FG_JSON_INTEGER;
	case JSON_REAL:
		return FG_JSON_REAL;
	case JSON_TRUE:
		return FG_JSON_TRUE;
	case JSON_FALSE:
		return FG_JSON_FALSE;
	default:
		return FG_JSON_NULL;
	}
}

/* Fills node; its children lie one behind the other, taken before theirs. */
static void
fill(struct filler *filler, struct fg_json_node *node, struct fg_str name, json_t *value)
{
	char number[NUMBER_BYTES];
	struct fg_json_node *child;
	const char *member;
	json_t *inner;
	size_t i;

	*node = (struct fg_json_node){.type = type_of(value), .name = name};
	if (fg_json_is_scalar(node)) {
		node->text = copy_text(filler, text_of(value, number));
		if (node->type == FG_JSON_INTEGER)
			node->as.integer = json_integer_value(value);
		else if (node->type == FG_JSON_REAL)
			node->as.real = json_real_value(value);
		return;
	}
	child = filler->node;
	node->count = (uint32_t)(json_is_object(value) ? json_object_size(value) : json_array_size(value));
	node->as.children = child;
	filler->node += node->count;
	json_array_foreach(value, i, inner)
		fill(filler, child++, FG_STR_NONE, inner);
	json_object_foreach(value, member, inner)
		fill(filler, child++, copy_text(filler, fg_str_from(member)), inner);
}

static struct fg_json *
flatten(json_t *root, const struct extent *extent)
{
	size_t size = sizeof(struct fg_json) + extent->nodes * sizeof(struct fg_json_node) + extent->bytes;
	struct fg_json *doc = malloc(size);
	struct filler filler;

	FG_ASSERT(doc != NULL);
	doc->refs = 1;
	doc->size = size;
	filler.node = doc->nodes + 1;
	filler.byte = (char *)(doc->nodes + extent->nodes);
	fill(&filler, &doc->nodes[0], FG_STR_NONE, root);
	FG_ASSERT(filler.node == doc->nodes + extent->nodes && filler.byte == (char *)doc + size);
	return doc;
}

enum fg_err
fg_json_parse(struct fg_json **out, struct fg_str text, const struct fg_json_bounds *bounds, const char **why)
{
	struct extent extent = {.nodes = 0};
	json_error_t error;
	json_t *root;

	*out = NULL;
	if (text.len > bounds->bytes)
		return fg_refuse(FG_ERR_TOO_LARGE, why, "JSON is too long");
	root = text.len == 0 ? NULL : json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (root == NULL)
		return fg_refuse(FG_ERR_SYNTAX, why, text.len > 0 && json_error_code(&error) == json_error_duplicate_key ?
		    "a JSON member is given twice" : "not well-formed JSON");
	if (measure(root, 0, bounds, &extent))
		*out = flatten(root, &extent);
	json_decref(root);
	if (*out == NULL)
		return fg_refuse(FG_ERR_TOO_LARGE, why, "JSON is too deep or has too many values");
	return FG_OK;
}

struct fg_json *
fg_json_hold(struct fg_json *doc)
{
	doc->refs++;
	return doc;
}

void
fg_json_release(struct fg_json *doc)
{
	if (doc == NULL)
		return;
	FG_ASSERT(doc->refs > 0);
	if (--doc->refs == 0)
		free(doc);
}

const struct fg_json_node *
fg_json_root(const struct fg_json *doc)
{
	return &doc->nodes[0];
}

size_t
fg_json_size(const struct fg_json *doc)
{
	return doc->size;
}

const struct fg_json_node *
fg_json_member(const struct fg_json_node *object, struct fg_str name)
{
	if (object == NULL || object->type != FG_JSON_OBJECT)
		return NULL;
	for (uint32_t i = 0; i < object->count; i++)
		if (fg_str_eq(object->as.children[i].name, name))
			return &object->as.children[i];
	return NULL;
}

struct fg_str
fg_json_string(const struct fg_json_node *object, struct fg_str name)
{
	const struct fg_json_node *member = fg_json_member(object, name);

	return member != NULL && member->type == FG_JSON_STRING ? member->text : FG_STR_NONE;
}
