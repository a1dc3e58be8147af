/* lib/conf: YAML to a tree with places, tables of keys, and every message that they give. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/internal.h"
#include "unit/unit.h"

/* ---- a table with one of each */

struct pair {
	struct fg_str name, value;
};

struct inner {
	struct fg_str url;
	int weight;
};

struct sample {
	bool flag;
	int number;
	int64_t size, wide;
	fg_usec span;
	struct fg_str text, body;
	int level;
	int custom;
	struct inner inner;
	struct inner *own;
	struct fg_str *names;
	size_t name_count;
	struct pair *pairs;
	size_t pair_count;
	struct inner *items;
	size_t item_count;
	int checked;
};

static void
parse_even(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;
	uint64_t number;

	if (!fg_conf_want_text(conf, node, key->form, &text))
		return;
	if (!fg_str_to_u64(text, &number) || number % 2 != 0)
		fg_conf_error(conf, node, FG_STR_FMT " is not even", FG_STR_ARG(fg_conf_quote(conf, text)));
	else
		*(int *)out = (int)number;
}

static void
parse_url(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	(void)key;
	((struct inner *)out)->url = fg_arena_str(conf->arena, node->text);
}

static void
check_inner(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct inner *inner = out;

	(void)key;
	if (inner->weight == 13)
		fg_conf_error(conf, fg_conf_get(node, "weight"), "13 is refused");
}

static const struct fg_conf_choice level_choices[] = {{"error", 10}, {"warn", 20}, {"info", 30}, {NULL, 0}};

static const struct fg_conf_key inner_keys[] = {
    {"url", FG_CONF_STRING, FG_CONF_AT(struct inner, url), .form = "a URL", .flags = FG_CONF_REQUIRED},
    {"weight", FG_CONF_INT, FG_CONF_AT(struct inner, weight), .min = 1, .max = 1000, .preset = "1"},
    {NULL},
};
static const struct fg_conf_key optional_keys[] = {
    {"url", FG_CONF_STRING, FG_CONF_AT(struct inner, url), .form = "a URL"},
    {"weight", FG_CONF_INT, FG_CONF_AT(struct inner, weight), .min = 1, .max = 1000, .preset = "7"},
    {NULL},
};
static const struct fg_conf_key name_item = {"NAME", FG_CONF_STRING, FG_CONF_IN(struct fg_str), .max = 8};
static const struct fg_conf_key pair_name = {"NAME", FG_CONF_STRING, FG_CONF_AT(struct pair, name), .max = 8};
static const struct fg_conf_key pair_value = {"VALUE", FG_CONF_STRING, FG_CONF_AT(struct pair, value)};
static const struct fg_conf_key inner_item = {"URL", FG_CONF_SECTION, FG_CONF_IN(struct inner), .keys = inner_keys,
    .parse = parse_url, .check = check_inner, .form = "a URL"};

static const struct fg_conf_key sample_keys[] = {
    {"flag", FG_CONF_BOOL, FG_CONF_AT(struct sample, flag), .preset = "true"},
    {"number", FG_CONF_INT, FG_CONF_AT(struct sample, number), .min = -5, .max = 10, .word = "auto", .word_value = 99},
    {"wide", FG_CONF_INT, FG_CONF_AT(struct sample, wide), .min = 0, .max = INT64_MAX},
    {"size", FG_CONF_SIZE, FG_CONF_AT(struct sample, size), .min = 0, .max = INT64_C(1) << 40, .preset = "64k",
	.word = "none", .word_value = -1},
    {"span", FG_CONF_DURATION, FG_CONF_AT(struct sample, span), .min = FG_US_PER_MS, .max = FG_CONF_MAX_DURATION,
	.preset = "1m"},
    {"text", FG_CONF_STRING, FG_CONF_AT(struct sample, text), .max = 10},
    {"body", FG_CONF_STRING, FG_CONF_AT(struct sample, body), .flags = FG_CONF_EMPTY},
    {"level", FG_CONF_ENUM, FG_CONF_AT(struct sample, level), .choices = level_choices, .preset = "info"},
    {"even", FG_CONF_CUSTOM, FG_CONF_AT(struct sample, custom), .parse = parse_even, .form = "an even number"},
    {"inner", FG_CONF_SECTION, FG_CONF_AT(struct sample, inner), .keys = optional_keys},
    {"own", FG_CONF_SECTION, FG_CONF_OWN(struct sample, own, struct inner), .keys = inner_keys},
    {"names", FG_CONF_LIST, FG_CONF_ARRAY(struct sample, names, name_count, struct fg_str), .item = &name_item,
	.flags = FG_CONF_OR_ONE, .max = 4, .preset = "a, b"},
    {"pairs", FG_CONF_MAP, FG_CONF_ARRAY(struct sample, pairs, pair_count, struct pair), .item_name = &pair_name,
	.item = &pair_value},
    {"items", FG_CONF_LIST, FG_CONF_ARRAY(struct sample, items, item_count, struct inner), .item = &inner_item},
    {NULL},
};

/* ---- the harness */

struct reading {
	struct fg_arena arena;
	struct fg_conf conf;
	struct fg_conf_node *root;
	struct sample sample;
	struct fg_buf errors;
};

static void
read_text(struct reading *reading, struct fg_str text)
{
	fg_arena_init(&reading->arena, 64 << 20, NULL, 0);
	fg_conf_init(&reading->conf, &reading->arena, NULL);
	memset(&reading->sample, 0, sizeof(reading->sample));
	fg_buf_init(&reading->errors, 1 << 20);
	if (fg_conf_parse(&reading->conf, FG_STR("f"), text, &reading->root) == FG_OK)
		fg_conf_read_keys(&reading->conf, reading->root, sample_keys, &reading->sample);
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
expect_errors(const char *text, const char *expected)
{
	struct reading reading;

	read_text(&reading, fg_str_from(text));
	if (!unit_str_is(fg_buf_str(&reading.errors), expected, __FILE__, __LINE__)) {
		fprintf(stderr, "of the text:\n%s\n", text);
		CU_FAIL("other errors");
	}
	end_reading(&reading);
}

struct expectation {
	const char *text, *errors;
};

static void
expect_all(const struct expectation *expectations, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_errors(expectations[i].text, expectations[i].errors);
}
#define EXPECT_ALL(table) expect_all((table), FG_ARRAY_LEN(table))

/* ---- values */

static void
values_of_every_type(void)
{
	struct reading r;

	read_text(&r, FG_STR("flag: false\nnumber: -5\nwide: 9223372036854775807\nsize: 10M\nspan: 250ms\ntext: 2.50\nbody: ''\n"
	             "level: warn\neven: 8\ninner: {url: x}\nown: {url: y, weight: 3}\nnames: [p, q, r]\n"
	             "pairs: {A: 1, B: \"true\"}\nitems: [u, {url: v, weight: 2}]\n"));
	ASSERT_STR(fg_buf_str(&r.errors), "");
	CU_ASSERT_FALSE(r.sample.flag);
	CU_ASSERT_EQUAL(r.sample.number, -5);
	CU_ASSERT_EQUAL(r.sample.wide, INT64_MAX);
	CU_ASSERT_EQUAL(r.sample.size, 10 * 1024 * 1024);
	CU_ASSERT_EQUAL(r.sample.span, 250 * FG_US_PER_MS);
	ASSERT_STR(r.sample.text, "2.50"); /* text under a key of text, whatever YAML thinks of it */
	CU_ASSERT_EQUAL(r.sample.text.p[4], '\0');
	ASSERT_STR(r.sample.body, "");
	CU_ASSERT_EQUAL(r.sample.level, 20);
	CU_ASSERT_EQUAL(r.sample.custom, 8);
	ASSERT_STR(r.sample.inner.url, "x");
	CU_ASSERT_EQUAL(r.sample.inner.weight, 7);
	CU_ASSERT_FATAL(r.sample.own != NULL);
	CU_ASSERT_EQUAL(r.sample.own->weight, 3);
	CU_ASSERT_EQUAL_FATAL(r.sample.name_count, 3);
	ASSERT_STR(r.sample.names[2], "r");
	CU_ASSERT_EQUAL_FATAL(r.sample.pair_count, 2);
	ASSERT_STR(r.sample.pairs[1].name, "B");
	ASSERT_STR(r.sample.pairs[1].value, "true");
	CU_ASSERT_EQUAL_FATAL(r.sample.item_count, 2);
	ASSERT_STR(r.sample.items[0].url, "u");
	CU_ASSERT_EQUAL(r.sample.items[0].weight, 1);
	ASSERT_STR(r.sample.items[1].url, "v");
	CU_ASSERT_EQUAL(r.sample.items[1].weight, 2);
	end_reading(&r);
}

static void
presets(void)
{
	struct reading r;

	read_text(&r, FG_STR("names: one\nnumber: auto\nsize: none\n"));
	ASSERT_STR(fg_buf_str(&r.errors), "");
	CU_ASSERT_TRUE(r.sample.flag);
	CU_ASSERT_EQUAL(r.sample.number, 99);
	CU_ASSERT_EQUAL(r.sample.size, -1);
	CU_ASSERT_EQUAL(r.sample.span, INT64_C(60) * FG_US_PER_S);
	CU_ASSERT_EQUAL(r.sample.level, 30);
	CU_ASSERT_EQUAL(r.sample.inner.weight, 7); /* of a section that is absent */
	CU_ASSERT_PTR_NULL(r.sample.own);
	CU_ASSERT_EQUAL_FATAL(r.sample.name_count, 1);
	ASSERT_STR(r.sample.names[0], "one");
	end_reading(&r);
	read_text(&r, FG_STR("size: 0\n"));
	ASSERT_STR(fg_buf_str(&r.errors), "");
	CU_ASSERT_EQUAL(r.sample.size, 0);
	CU_ASSERT_EQUAL_FATAL(r.sample.name_count, 2);
	ASSERT_STR(r.sample.names[1], "b");
	end_reading(&r);
}

static void
units(void)
{
	int64_t n;

	CU_ASSERT(fg_conf_to_duration(FG_STR("2h"), &n));
	CU_ASSERT_EQUAL(n, INT64_C(7200) * FG_US_PER_S);
	CU_ASSERT(fg_conf_to_duration(FG_STR("30d"), &n));
	CU_ASSERT_EQUAL(n, INT64_C(30) * 86400 * FG_US_PER_S);
	CU_ASSERT(fg_conf_to_duration(FG_STR("0"), &n));
	CU_ASSERT(!fg_conf_to_duration(FG_STR("5"), &n));
	CU_ASSERT(!fg_conf_to_duration(FG_STR("1.5s"), &n));
	CU_ASSERT(!fg_conf_to_duration(FG_STR("-1s"), &n));
	CU_ASSERT(!fg_conf_to_duration(FG_STR("s"), &n));
	CU_ASSERT(!fg_conf_to_duration(FG_STR("9223372036854775807d"), &n));
	CU_ASSERT(!fg_conf_to_duration(FG_STR("1 s"), &n));
	CU_ASSERT(fg_conf_to_size(FG_STR("512b"), &n));
	CU_ASSERT_EQUAL(n, 512);
	CU_ASSERT(fg_conf_to_size(FG_STR("2G"), &n));
	CU_ASSERT_EQUAL(n, INT64_C(2) << 30);
	CU_ASSERT(!fg_conf_to_size(FG_STR("10m"), &n));
	CU_ASSERT(!fg_conf_to_size(FG_STR("9223372036854775807k"), &n));
}

static void
wrong_values(void)
{
	static const struct expectation table[] = {
	    {"flag: yes", "f:1:7: flag: expected true or false, found \"yes\"; write true\n"},
	    {"flag: Off", "f:1:7: flag: expected true or false, found \"Off\"; write false\n"},
	    {"flag: 7", "f:1:7: flag: expected true or false, found \"7\"\n"},
	    {"number: 11", "f:1:9: number: \"11\" is out of range; expected a whole number from -5 to 10, or auto\n"},
	    {"number: 1x", "f:1:9: number: expected a whole number from -5 to 10, or auto, found \"1x\"\n"},
	    {"number: atuo",
	"f:1:9: number: expected a whole number from -5 to 10, or auto, found \"atuo\"; did you mean auto?\n"},
	    {"wide: 9223372036854775808",
	"f:1:7: wide: expected a whole number from 0 to 9223372036854775807, found \"9223372036854775808\"\n"},
	    {"span: 5", "f:1:7: span: expected a duration (250ms, 5s, 1m, 2h, 30d) from 1ms to 365d, found \"5\"; a unit is "
	        "missing: ms, s, m, h or d (5s?)\n"},
	    {"span: 5sec", "f:1:7: span: expected a duration (250ms, 5s, 1m, 2h, 30d) from 1ms to 365d, found \"5sec\"; the "
	           "units are ms, s, m, h or d\n"},
	    {"span: 0", "f:1:7: span: \"0\" is out of range; expected a duration (250ms, 5s, 1m, 2h, 30d) from 1ms to 365d\n"},
	    {"span: 366d",
	"f:1:7: span: \"366d\" is out of range; expected a duration (250ms, 5s, 1m, 2h, 30d) from 1ms to 365d\n"},
	    {"size: 10m",
	"f:1:7: size: expected a size (64k, 10M) from 0 to 1024G, or none, found \"10m\"; did you mean 10M?\n"},
	    {"size: 10MB",
	"f:1:7: size: expected a size (64k, 10M) from 0 to 1024G, or none, found \"10MB\"; did you mean 10M?\n"},
	    {"size: 1000", "f:1:7: size: expected a size (64k, 10M) from 0 to 1024G, or none, found \"1000\"; a unit is "
	           "missing: b, k, M or G (1000k?)\n"},
	    {"text: 12345678901", "f:1:7: text: has 11 bytes; at most 10 are taken\n"},
	    {"text: ''", "f:1:7: text: is empty; expected text\n"},
	    {"text:", "f:1:6: text: has no value; expected text, or remove the name\n"},
	    {"text: ~", "f:1:7: text: expected text, found ~ (nothing); remove the name, or put the word in quotes\n"},
	    {"text: null", "f:1:7: text: expected text, found null (nothing); remove the name, or put the word in quotes\n"},
	    {"text: [a]", "f:1:7: text: expected text, found a list\n"},
	    {"text: {rest}",
	"f:1:7: text: expected text, found a map; text with { or ': ' in it must stand in quotes\n"},
	    {"level: inof", "f:1:8: level: expected error, warn or info, found \"inof\"; did you mean info?\n"},
	    {"level: loud", "f:1:8: level: expected error, warn or info, found \"loud\"\n"},
	    {"even: 7", "f:1:7: even: \"7\" is not even\n"},
	    {"even: []", "f:1:7: even: expected an even number, found a list\n"},
	    {"names: [a, bbbbbbbbb, c]", "f:1:12: names[1]: has 9 bytes; at most 8 are taken\n"},
	    {"names: [a, b, c, d, e]", "f:1:1: names: has 5 entries; at most 4 are taken\n"},
	    {"names:", "f:1:7: names: expected a list, [NAME, …], found no value\n"},
	    {"names: {a: b}",
	"f:1:8: names: expected text, found a map; text with { or ': ' in it must stand in quotes\n"},
	    {"items: a", "f:1:8: items: expected a list, [URL, …], found text\n"},
	    {"items: [{weight: 2}]", "f:1:9: items[0]: url is missing\n"},
	    {"items:\n  - url: a\n    weight: 13\n", "f:3:13: items[0].weight: 13 is refused\n"},
	    {"pairs: [a]", "f:1:8: pairs: expected a map, NAME: …, found a list\n"},
	    {"pairs: {aaaaaaaaa: b}", "f:1:9: pairs: has 9 bytes; at most 8 are taken\n"},
	    {"own: {weight: 2}", "f:1:1: own: url is missing\n"},
	    {"own: text", "f:1:6: own: expected a map with the keys url, weight, found text\n"},
	    {"own:", "f:1:5: own: has no value; expected a map with the keys url, weight, or remove the name\n"},
	};

	EXPECT_ALL(table);
}

static void
unknown_keys(void)
{
	static const struct expectation table[] = {
	    {"flga: true", "f:1:1: unknown key \"flga\"; did you mean flag?\n"},
	    {"own: {url: a, wieght: 3}", "f:1:15: own: unknown key \"wieght\"; did you mean weight?\n"},
	    {"own: {url: a, auth: 3}", "f:1:15: own: unknown key \"auth\"; the keys here are url, weight\n"},
	    {"own: {url: a, \"x\\ny\": 3}", "f:1:15: own: unknown key \"x\\ny\"; the keys here are url, weight\n"},
	};

	EXPECT_ALL(table);
}

static void
all_errors_in_order(void)
{
	expect_errors("items:\n  - weight: 0\n  - {url: a, wight: 2}\nflag: 1\nlevel: debug\n\nspan: x\n",
	    "f:2:5: items[0]: url is missing\n"
	    "f:2:13: items[0].weight: \"0\" is out of range; expected a whole number from 1 to 1000\n"
	    "f:3:14: items[1]: unknown key \"wight\"; did you mean weight?\n"
	    "f:4:7: flag: expected true or false, found \"1\"; write true\n"
	    "f:5:8: level: expected error, warn or info, found \"debug\"\n"
	    "f:7:7: span: expected a duration (250ms, 5s, 1m, 2h, 30d) from 1ms to 365d, found \"x\"\n");
}

static void
columns_count_characters(void)
{
	expect_errors("pairs: {ä: ö, b: [x]}", "f:1:18: pairs.b: expected text, found a list\n");
}

static void
mistakes_as_json(void)
{
	struct reading r;
	struct fg_buf json;

	read_text(&r, FG_STR("own: {url: a, \"a\\\"b\": 3}\nflag: 7\n"));
	fg_buf_init(&json, 4096);
	CU_ASSERT(fg_conf_format_mistakes_json(&r.conf, &json));
	ASSERT_STR(fg_buf_str(&json),
	    "\"errors\":[{\"file\":\"f\",\"line\":1,\"column\":15,\"path\":\"own\",\"message\":\"unknown key \\\"a\\\\\\\"b\\\"; the keys here "
	    "are url, weight\"},{\"file\":\"f\",\"line\":2,\"column\":7,\"path\":\"flag\",\"message\":\"expected true or false, "
	    "found \\\"7\\\"\"}],\"left_out\":0");
	fg_buf_fini(&json);
	end_reading(&r);
}

/* ---- YAML */

static void
what_yaml_may_not_hold(void)
{
	static const struct expectation table[] = {
	    {"", "f:1:1: the file is empty; it begins with `version: 1`\n"},
	    {"# only this\n", "f:1:1: the file is empty; it begins with `version: 1`\n"},
	    {"- a\n", "f:1:1: the file is not a map of names and values; it begins with `version: 1`\n"},
	    {"flag: true\n---\nflag: true\n", "f:2:1: a second document (---) begins here; a file has one\n"},
	    {"flag: true\nflag: false\n", "f:2:1: \"flag\" is there twice; first at f:1:1\n"},
	    {"pairs: {a: 1, b: 2, a: 3}\n", "f:1:21: pairs: \"a\" is there twice; first at f:1:9\n"},
	    {"pairs: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, i: 3, j: 1, a: 2}\n",
	"f:1:63: pairs: \"i\" is there twice; first at f:1:57\nf:1:75: pairs: \"a\" is there twice; first at f:1:9\n"},
	    {"text: &x a\n", "f:1:7: text: anchors (&) are not taken; put a value that begins with & in quotes, and what "
	             "routes have in common under defaults:\n"},
	    {"text: *x\n", "f:1:7: text: aliases (*) are not taken; put a value that begins with * in quotes: \"*x\"\n"},
	    {"*x : a\n", "f:1:1: a name that begins with * must stand in quotes\n"},
	    {"&x flag: true\n", "f:1:1: a name takes neither an anchor (&) nor a tag (!)\n"},
	    {"names: [*.example.org]\n", "f:1:9: a value that begins with * must stand in quotes\n"},
	    {"text: !!str 5\n", "f:1:7: text: tags (!) are not taken; put a value that begins with ! in quotes\n"},
	    {"text: !x 5\n", "f:1:7: text: tags (!) are not taken; put a value that begins with ! in quotes\n"},
	    {"own: !x {url: a}\n", "f:1:6: own: tags (!) are not taken; put a value that begins with ! in quotes\n"},
	    {"own: {<<: {url: a}, url: a}\n",
	"f:1:7: own: merge keys (<<) are not taken; what routes have in common goes under defaults:\n"},
	    {"? [a]\n: b\n", "f:1:3: a list or map cannot be a name; put a value that begins with { or [ in quotes\n"},
	    {"text: {{x}}\n", "f:1:8: a list or map cannot be a name; put a value that begins with { or [ in quotes\n"},
	    {"'': a\n", "f:1:1: a name is missing before the ':'\n"},
	    {"text: \"a\\0b\"\n", "f:1:7: text: has a NUL byte\n"},
	    {"flag: true\n\ttext: a\n", "f:2:1: a tab; indent with spaces\n"},
	    {"text: @a\n", "f:1:7: no value can begin with '@'; put the value in quotes\n"},
	    {"# ä\ntext: `a\n", "f:2:7: no value can begin with '`'; put the value in quotes\n"},
	    {"text: a: b\n",
	"f:1:8: a name cannot begin here; check the indentation and the ':' of the line above, or put a value with a ': ' in "
	"it in quotes\n"},
	    {"flag true\nlevel: info\n", "f:2:6: a name cannot begin here; check the indentation and the ':' of the line "
	                          "above, or put a value with a ': ' in it in quotes\n"},
	    {"flag: true\nlevel\n\nnames: a\n", "f:2:1: this is not `name: value`; the ':' with a space behind it is missing\n"},
	    {"own: {url: ${HOME}}\n", "f:1:13: a '{' within a value; in a list [ ] or map { }, put a value with ${NAME} or "
	                      "{variable} in quotes\n"},
	    {"own:\n   url: a\n  weight: 2\n", "f:3:3: the indentation does not fit, or a quote is closed too early, in what "
	                               "begins at line 1\n"},
	    {"names: [a, b\nflag: true\n", "f:2:5: a ',' or the closing ']' is missing; the list begins at line 1\n"},
	    {"own: {url: a\nflag: true\n", "f:2:5: a ',' or the closing '}' is missing; the map begins at line 1\n"},
	    {"text: \"a\nflag: true\n", "f:1:7: the quoted text that begins here has no closing quote\n"},
	    {"text: \"a\\qb\"\n", "f:1:9: an unknown escape; in \"double quotes\" write \\\\ for a backslash, or use 'single "
	                   "quotes'\n"},
	    {"text: a\n\nflag: \x01\n", "f:3:7: a control character; only tabs and line ends may stand in a file\n"},
	    {"text: \xff\n", "f:1:7: not UTF-8; save the file in that encoding\n"},
	};

	EXPECT_ALL(table);
}

static void
nested_too_deeply(void)
{
	struct fg_buf text;

	fg_buf_init(&text, 4096);
	(void)fg_buf_add(&text, FG_STR("text: "));
	for (int i = 0; i < FG_MAX_CONFIG_DEPTH; i++)
		(void)fg_buf_add_char(&text, '[');
	(void)fg_buf_append(&text, "", 1);
	expect_errors(text.p, "f:1:70: lists and maps are nested too deeply\n");
	fg_buf_fini(&text);
}

/* ---- the environment */

static void
environment(void)
{
	struct reading r;

	setenv("FG_TEST_TEXT", "a: [b", 1);
	setenv("FG_TEST_NUMBER", "7", 1);
	setenv("FG_TEST_EMPTY", "", 1);
	setenv("FG_TEST_NESTED", "${FG_TEST_TEXT}", 1);
	unsetenv("FG_TEST_UNSET");
	read_text(&r, FG_STR("text: ${FG_TEST_TEXT}\nnumber: ${FG_TEST_NUMBER}\nbody: ${FG_TEST_EMPTY}\n"
	             "pairs:\n  ${FG_TEST_: x\n  a: ${FG_TEST_UNSET:-d:-e}/${FG_TEST_EMPTY:-f}$$1\n  b: $${x}\n"
	             "  c: '${FG_TEST_NESTED}'\nown: {url: \"${FG_TEST_UNSET:-}x$\"}\n"));
	ASSERT_STR(fg_buf_str(&r.errors), "f:5:3: pairs: has 10 bytes; at most 8 are taken\n"); /* a name is only a name */
	ASSERT_STR(r.sample.text, "a: [b");
	CU_ASSERT_EQUAL(r.sample.number, 7);
	ASSERT_STR(r.sample.body, "");
	CU_ASSERT_EQUAL_FATAL(r.sample.pair_count, 4);
	ASSERT_STR(r.sample.pairs[1].value, "d:-e/f$$1");
	ASSERT_STR(r.sample.pairs[2].value, "${x}");
	ASSERT_STR(r.sample.pairs[3].value, "${FG_TEST_TEXT}");
	ASSERT_STR(r.sample.own->url, "x$");
	end_reading(&r);
}

static void
environment_errors(void)
{
	static const struct expectation table[] = {
	    {"text: ${FG_TEST_UNSET}", "f:1:7: text: the environment has no variable FG_TEST_UNSET; set it, or give a default: "
	                       "${FG_TEST_UNSET:-…}\n"},
	    {"number: ${FG_TEST_TEXT}", "f:1:9: number: expected a whole number from -5 to 10, or auto, found \"a: [b\"\n"},
	    {"text: ${1A}", "f:1:7: text: \"1A\" is not the name of an environment variable; write ${NAME} or "
	            "${NAME:-default}, and $${ for ${ itself\n"},
	    {"text: ${}", "f:1:7: text: \"\" is not the name of an environment variable; write ${NAME} or ${NAME:-default}, "
	          "and $${ for ${ itself\n"},
	    {"text: \"${A\"", "f:1:7: text: \"${\" without its \"}\"; write $${ for ${ itself\n"},
	};

	unsetenv("FG_TEST_UNSET");
	setenv("FG_TEST_TEXT", "a: [b", 1);
	EXPECT_ALL(table);
}

/* ---- bounds */

static void
errors_are_bounded(void)
{
	struct fg_buf text;
	struct reading r;
	struct fg_str shown, line, last = FG_STR_NONE;
	size_t lines = 0;

	fg_buf_init(&text, 1 << 20);
	for (int i = 0; i < 12000; i++)
		(void)fg_buf_printf(&text, "k%d: 1\n", i);
	read_text(&r, fg_buf_str(&text));
	for (shown = fg_buf_str(&r.errors); fg_str_next(&shown, '\n', &line); lines++)
		last = line;
	CU_ASSERT_EQUAL(lines, FG_MAX_CONFIG_ERRORS + 1);
	ASSERT_STR(last, "and 11800 more");
	end_reading(&r);
	fg_buf_fini(&text);
}

/* What the environment adds is counted, so that a small file cannot become a large one. */
static void
environment_is_bounded(void)
{
	size_t len = 100 * 1024;
	char *value = calloc(1, len + 1);
	struct fg_buf text;
	struct reading r;

	CU_ASSERT_FATAL(value != NULL);
	memset(value, 'x', len);
	setenv("FG_TEST_LARGE", value, 1);
	fg_buf_init(&text, 1 << 20);
	(void)fg_buf_add(&text, FG_STR("pairs:\n"));
	for (int i = 0; i < 700; i++)
		(void)fg_buf_printf(&text, "  k%d: ${FG_TEST_LARGE}\n", i);
	read_text(&r, fg_buf_str(&text));
	ASSERT_STR(fg_buf_str(&r.errors), "f:657:9: pairs.k655: the configuration with all it includes is larger than 64 MiB\n");
	end_reading(&r);
	fg_buf_fini(&text);
	unsetenv("FG_TEST_LARGE");
	free(value);
}

void
suite_conf(void)
{
	CU_pSuite suite = CU_add_suite("conf", NULL, NULL);

	ADD_TEST(suite, values_of_every_type);
	ADD_TEST(suite, presets);
	ADD_TEST(suite, units);
	ADD_TEST(suite, wrong_values);
	ADD_TEST(suite, unknown_keys);
	ADD_TEST(suite, all_errors_in_order);
	ADD_TEST(suite, columns_count_characters);
	ADD_TEST(suite, mistakes_as_json);
	ADD_TEST(suite, what_yaml_may_not_hold);
	ADD_TEST(suite, nested_too_deeply);
	ADD_TEST(suite, environment);
	ADD_TEST(suite, environment_errors);
	ADD_TEST(suite, errors_are_bounded);
	ADD_TEST(suite, environment_is_bounded);
}
