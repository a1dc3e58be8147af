/* lib/conf: sections whose keys depend on one of them, and sections that may be named instead. */
#include <stdlib.h>

#include "base/buf.h"
#include "conf/internal.h"
#include "unit/unit.h"

struct shape {
	int kind;
	int64_t size;         /* of a box */
	struct fg_str colour; /* of a disc */
};

struct sample {
	struct shape **shapes;
	size_t shape_count;
};

/* A list whose elements are in place, of one kind or the other, or a name of one that stands elsewhere. */
static struct shape known_shape = {.kind = 7};

static void
parse_shape_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	(void)key;
	if (fg_str_eq(node->text, FG_STR("known")))
		*(struct shape **)out = &known_shape;
	else
		fg_conf_error(conf, node, "there is no shape of that name");
}

static const struct fg_conf_choice box_choice[] = {{"box", 1}, {NULL, 0}}, disc_choice[] = {{"disc", 2}, {NULL, 0}};
static const struct fg_conf_key box_keys[] = {
    {"kind", FG_CONF_ENUM, FG_CONF_AT(struct shape, kind), .choices = box_choice, .flags = FG_CONF_REQUIRED},
    {"size", FG_CONF_SIZE, FG_CONF_AT(struct shape, size), .min = 0, .max = 100, .preset = "3b"},
    {NULL},
};
static const struct fg_conf_key disc_keys[] = {
    {"kind", FG_CONF_ENUM, FG_CONF_AT(struct shape, kind), .choices = disc_choice, .flags = FG_CONF_REQUIRED},
    {"colour", FG_CONF_STRING, FG_CONF_AT(struct shape, colour)},
    {NULL},
};
static const struct fg_conf_variant shape_variants[] = {
    {"box", box_keys, sizeof(struct shape), "has corners"},
    {"disc", disc_keys, sizeof(struct shape), "has none"},
    {NULL, NULL, 0, NULL},
};
static const struct fg_conf_key shape_item = {"SHAPE", FG_CONF_SECTION, .offset = 0, .size = sizeof(struct shape *),
    .flags = FG_CONF_POINTER | FG_CONF_NAMED, .variant_key = "kind", .variants = shape_variants,
    .parse = parse_shape_name, .form = "a name", .schema = "\"type\": \"string\""};

static const struct fg_conf_key sample_keys[] = {
    {"shapes", FG_CONF_LIST, FG_CONF_ARRAY(struct sample, shapes, shape_count, struct shape *), .item = &shape_item,
	.flags = FG_CONF_OR_ONE, .help = "one or more"},
    {NULL},
};

struct reading {
	struct fg_arena arena;
	struct fg_conf conf;
	struct sample sample;
	struct fg_buf errors;
};

static void
read_text(struct reading *reading, const char *text)
{
	struct fg_conf_node *root;

	*reading = (struct reading){.sample = {.shapes = NULL}};
	fg_arena_init(&reading->arena, 64 << 20, NULL, 0);
	fg_conf_init(&reading->conf, &reading->arena, NULL);
	fg_buf_init(&reading->errors, 1 << 20);
	CU_ASSERT_EQUAL_FATAL(fg_conf_parse(&reading->conf, FG_STR("f"), fg_str_from(text), &root), FG_OK);
	fg_conf_read_keys(&reading->conf, root, sample_keys, &reading->sample);
	CU_ASSERT(fg_conf_format_mistakes(&reading->conf, &reading->errors));
}

static void
end_reading(struct reading *reading)
{
	fg_buf_fini(&reading->errors);
	fg_conf_fini(&reading->conf);
	fg_arena_fini(&reading->arena);
}

static void
in_place_and_named(void)
{
	struct reading r;

	read_text(&r, "shapes: [known, {kind: box}, {kind: disc, colour: red}]\n");
	ASSERT_STR(fg_buf_str(&r.errors), "");
	CU_ASSERT_EQUAL_FATAL(r.sample.shape_count, 3);
	CU_ASSERT_PTR_EQUAL(r.sample.shapes[0], &known_shape);
	CU_ASSERT_EQUAL(r.sample.shapes[1]->kind, 1);
	CU_ASSERT_EQUAL(r.sample.shapes[1]->size, 3);
	CU_ASSERT_EQUAL(r.sample.shapes[2]->kind, 2);
	ASSERT_STR(r.sample.shapes[2]->colour, "red");
	end_reading(&r);
}

static void
mistakes(void)
{
	static const struct {
		const char *text, *errors;
	} rows[] = {
	    {"shapes: [{size: 1b}]", "f:1:10: shapes[0]: needs a kind: one of box, disc\n"},
	    {"shapes: [{kind: bux}]", "f:1:17: shapes[0].kind: \"bux\" is not one of box, disc; did you mean box?\n"},
	    {"shapes: {kind: [box]}", "f:1:16: shapes.kind: expected kind, found a list\n"},
	    {"shapes: [{kind: disc, size: 1b}]", "f:1:23: shapes[0]: unknown key \"size\"; the keys here are kind, colour\n"},
	    {"shapes: [unknown]", "f:1:10: shapes[0]: there is no shape of that name\n"},
	};
	struct reading r;

	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		read_text(&r, rows[i].text);
		ASSERT_STR(fg_buf_str(&r.errors), rows[i].errors);
		end_reading(&r);
	}
}

static void
in_the_reference(void)
{
	struct fg_buf out;

	fg_buf_init(&out, 1 << 20);
	CU_ASSERT(fg_conf_format_reference(&out, sample_keys));
	CU_ASSERT(fg_buf_append(&out, "", 1));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "## `shapes[] (kind: disc)`\n\nHas none.\n"));
	fg_buf_fini(&out);
}

void
suite_conf_variant(void)
{
	CU_pSuite suite = CU_add_suite("conf_variant", NULL, NULL);

	ADD_TEST(suite, in_place_and_named);
	ADD_TEST(suite, mistakes);
	ADD_TEST(suite, in_the_reference);
}
