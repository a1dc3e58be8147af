/*
 * What the tables of keys say in other places: etc/faregate.yaml is a configuration, with every key there is, whether its
 * lines are in use or not; etc/reference.md is what the tables make; the schema says what the parser does.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/keys.h"
#include "core/config_internal.h"
#include "unit/config_load.h"
#include "unit/json.h"
#include "unit/unit.h"

enum { MOST_BYTES = 4 * 1024 * 1024 };

static struct fg_buf
read_file(const char *name)
{
	char path[512];
	struct fg_buf text;
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "%s/%s", FG_TEST_SRCDIR, name);
	file = fopen(path, "r");
	CU_ASSERT_FATAL(file != NULL);
	fg_buf_init(&text, MOST_BYTES);
	while ((got = fread(fg_buf_reserve(&text, 4096), 1, 4096, file)) > 0)
		text.len += got;
	fclose(file);
	*fg_buf_reserve(&text, 1) = '\0';
	return text;
}

/* ---- the example */

static void
replace_all(struct fg_buf *text, const char *what, const char *with)
{
	struct fg_buf made;
	struct fg_str rest = fg_buf_str(text), needle = fg_str_from(what);

	fg_buf_init(&made, MOST_BYTES);
	while (rest.len > 0) {
		bool found = fg_str_starts_with(rest, needle);

		(void)fg_buf_add(&made, found ? fg_str_from(with) : fg_str_slice(rest, 0, 1));
		rest = fg_str_slice(rest, found ? needle.len : 1, rest.len);
	}
	*fg_buf_reserve(&made, 1) = '\0';
	fg_buf_fini(text);
	*text = made;
}

/* Drops what a program without c-ares refuses. */
static void
drop_dns(struct fg_buf *text)
{
	struct fg_str all = fg_buf_str(text);
	size_t from = 0, to;

	while (!fg_str_starts_with(fg_str_slice(all, from, all.len), FG_STR("\ndns:")))
		from++;
	for (to = from + 1; all.p[to] != '\n' || all.p[to + 1] == ' ' || all.p[to + 1] == '#'; to++)
		continue;
	memmove(text->p + from, text->p + to, text->len - to);
	text->len -= to - from;
	*fg_buf_reserve(text, 1) = '\0';
}

/*
 * With every line taken into use: "#key" and "#  key" lose the "#", "# words" stay a comment. Users, groups and files of this machine
 * stand in for those of the example.
 */
static struct fg_buf
read_example(void)
{
	struct fg_buf example = read_file("etc/faregate.yaml"), text;
	struct fg_str rest = fg_buf_str(&example), line;
	size_t at;

	fg_buf_init(&text, MOST_BYTES);
	while (rest.len > 0) {
		at = fg_str_find(rest, '\n');
		line = fg_str_slice(rest, 0, at);
		rest = fg_str_slice(rest, at + 1, rest.len);
		if (line.len > 2 && line.p[0] == '#' && (line.p[1] != ' ' || line.p[2] == ' '))
			line = fg_str_slice(line, 1, line.len);
		(void)fg_buf_add(&text, line);
		(void)fg_buf_add_char(&text, '\n');
	}
	*fg_buf_reserve(&text, 1) = '\0';
	fg_buf_fini(&example);
	/* Users and groups that need not be where the tests run. */
	replace_all(&text, "user: faregate", "user: root");
	replace_all(&text, "www-data", "root");
	replace_all(&text, "/etc/faregate/tls/", "");
	return text;
}

static void
example_is_a_configuration(void)
{
	struct fg_buf text = read_file("etc/faregate.yaml");
	struct loaded *l = config_load(text.p);

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	CU_ASSERT_EQUAL(l->config->route_count, 1);
	config_end(l);
	fg_buf_fini(&text);
}

static void
example_in_use_is_a_configuration(void)
{
	static const char *const named[] = {"ca.pem", "client.pem", "client.key", "redis.secret", "sentinel.secret",
	    "introspection.secret"};
	struct fg_buf text = read_example();
	struct loaded *l;

	for (size_t i = 0; i < FG_ARRAY_LEN(named); i++)
		config_write(named[i], "x");
	config_write("htpasswd", "joe:$6$abcdefgh$KVuR5CIWZ1C5vHbNYFXzBrAAcDkDvOTnXMd2Y6pSXTgDJvQ.LXw7ftLzZMKwnTbrs3VjIPQ4wr/yYwbFQCpHI/\n");
	config_write("signing.secret", "0123456789abcdef0123456789abcdef");
	if (!fg_dns_is_built())
		drop_dns(&text);
	l = config_load(text.p);
	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	CU_ASSERT_EQUAL(l->config->service_count, 3);
	CU_ASSERT_EQUAL(l->config->route_count, 5);
	config_end(l);
	fg_buf_fini(&text);
}

/* The text with another value in the line that begins at `at`. False: none stands there. */
static bool
with_value(struct fg_buf *out, struct fg_str text, size_t at, size_t end, const char *value)
{
	struct fg_str line = fg_str_slice(text, at, end);
	size_t colon = fg_str_find(line, ':');

	if (colon + 2 >= line.len || line.p[colon + 1] != ' ' || fg_str_find(line, '#') < colon)
		return false;
	(void)fg_buf_add(out, fg_str_slice(text, 0, at + colon + 2));
	(void)fg_buf_add(out, fg_str_from(value));
	(void)fg_buf_add(out, fg_str_slice(text, end, text.len));
	*fg_buf_reserve(out, 1) = '\0';
	return true;
}

/* One line of it after the other: what comes later must not count on what was not to be had. */
static void
example_with_a_mistake_is_refused(void)
{
	static const char *const values[] = {"\"${FG_NOT_THERE}\"", "[{x: y}]"};
	struct fg_buf example = read_example(), text;
	struct fg_str all = fg_buf_str(&example);
	size_t end, tried = 0;

	for (size_t at = 0; at < all.len; at = end + 1) {
		end = at + fg_str_find(fg_str_slice(all, at, all.len), '\n');
		for (size_t i = 0; i < FG_ARRAY_LEN(values); i++) {
			fg_buf_init(&text, MOST_BYTES);
			if (with_value(&text, all, at, end, values[i])) {
				struct loaded *l = config_load(text.p);

				CU_ASSERT(l->config == NULL && l->errors[0] != '\0');
				config_end(l);
				tried++;
			}
			fg_buf_fini(&text);
		}
	}
	CU_ASSERT(tried > 300);
	fg_buf_fini(&example);
}

static void
minimal_is_a_configuration(void)
{
	struct fg_buf text = read_file("etc/minimal.yaml");
	struct loaded *l = config_load(text.p);

	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	CU_ASSERT_EQUAL_FATAL(l->config->route_count, 2);
	ASSERT_STR(l->config->routes[0]->strip_prefix, "/serviceA");
	config_end(l);
	fg_buf_fini(&text);
}

/* ---- every key stands there */

/* Where the file has a section of these keys: all services, say, or edits under `defaults` and under routes. */
struct shown {
	const struct fg_conf_key *keys;
	char path[256]; /* of the first */
	const struct fg_conf_node *nodes[128];
	size_t count;
};

static struct {
	struct shown tables[64];
	size_t count;
} shown;

static struct shown *
shown_of(const struct fg_conf_key *keys, const char *path)
{
	for (size_t i = 0; i < shown.count; i++)
		if (shown.tables[i].keys == keys)
			return &shown.tables[i];
	FG_ASSERT(shown.count < FG_ARRAY_LEN(shown.tables));
	shown.tables[shown.count] = (struct shown){.keys = keys};
	snprintf(shown.tables[shown.count].path, sizeof(shown.tables[0].path), "%s", path);
	return &shown.tables[shown.count++];
}

static void collect(const struct fg_conf_key *keys, const struct fg_conf_node *node, const char *path);

/* What a section has for keys: its own, or those of the variant that the node says it is. */
static void
collect_section(const struct fg_conf_key *key, const struct fg_conf_node *node, const char *path)
{
	const struct fg_conf_node *kind;

	if (key->keys != NULL)
		collect(key->keys, node, path);
	for (const struct fg_conf_variant *variant = key->variants; variant != NULL && variant->name != NULL; variant++) {
		kind = fg_conf_get(node, key->variant_key);
		collect(variant->keys, kind != NULL && fg_str_eq(kind->text, fg_str_from(variant->name)) ? node : NULL, path);
	}
}

static void
collect_below(const struct fg_conf_key *key, const struct fg_conf_node *node, const char *path)
{
	const struct fg_conf_key *inner = key->item != NULL ? key->item : key;

	/* Noted even where it is not shown at all. */
	if (node == NULL || inner == key) {
		collect_section(inner, node, path);
		return;
	}
	for (const struct fg_conf_node *item = node->first; item != NULL; item = item->next)
		collect_section(inner, item, path);
}

static void
collect(const struct fg_conf_key *keys, const struct fg_conf_node *node, const char *path)
{
	struct shown *table = shown_of(keys, path);
	char name[256];

	if (node != NULL && node->kind == FG_CONF_NODE_MAP) {
		FG_ASSERT(table->count < FG_ARRAY_LEN(table->nodes));
		table->nodes[table->count++] = node;
	}
	for (const struct fg_conf_key *key = keys; key->name != NULL; key++) {
		snprintf(name, sizeof(name), "%s.%s", path, key->name);
		collect_below(key, node == NULL ? NULL : fg_conf_get(node, key->name), name);
	}
}

static void
expect_all_shown(const struct shown *table)
{
	for (const struct fg_conf_key *key = table->keys; key->name != NULL; key++) {
		bool found = false;

		for (size_t i = 0; i < table->count; i++)
			found |= fg_conf_get(table->nodes[i], key->name) != NULL;
		if (!found) {
			fprintf(stderr, "etc/faregate.yaml has no%s.%s\n", table->path, key->name);
			CU_FAIL("a key is not in the example");
		}
	}
}

static void
example_has_every_key(void)
{
	struct fg_buf text = read_example();
	struct fg_arena arena;
	struct fg_conf conf;
	struct fg_conf_node *root;

	fg_arena_init(&arena, MOST_BYTES, NULL, 0);
	fg_conf_init(&conf, &arena, NULL);
	CU_ASSERT_EQUAL_FATAL(fg_conf_parse(&conf, FG_STR("f"), fg_buf_str(&text), &root), FG_OK);
	shown.count = 0;
	collect(fg_config_keys(&arena), root, " ");
	for (size_t i = 0; i < shown.count; i++)
		expect_all_shown(&shown.tables[i]);
	fg_conf_fini(&conf);
	fg_arena_fini(&arena);
	fg_buf_fini(&text);
}

static void
reference_is_what_the_tables_make(void)
{
	struct fg_buf committed = read_file("etc/reference.md"), made;
	size_t same = 0;

	fg_buf_init(&made, MOST_BYTES);
	CU_ASSERT(fg_config_format_reference(&made));
	while (same < made.len && same < committed.len && made.p[same] == committed.p[same])
		same++;
	if (made.len != committed.len || same < made.len) {
		fprintf(stderr, "etc/reference.md differs from byte %zu on; run: faregate check --reference > etc/reference.md\n", same);
		CU_FAIL("the reference is out of date");
	}
	fg_buf_fini(&made);
	fg_buf_fini(&committed);
}

/* ---- the schema, applied: JSON is YAML, so the reader of the configuration reads it too */

struct schema {
	struct fg_arena arena;
	struct fg_conf conf;
	struct fg_conf_node *root;
};

static bool fits(const struct schema *schema, const struct fg_conf_node *rule, const struct fg_conf_node *value);

/* The type of a value as YAML 1.2's core schema has it, which editors go by. */
static const char *
type_of(const struct fg_conf_node *value)
{
	size_t digits = value->text.len > 0 && value->text.p[0] == '-' ? 1 : 0;
	int64_t number;
	bool is_number;

	if (value->kind != FG_CONF_NODE_SCALAR)
		return value->kind == FG_CONF_NODE_LIST ? "array" : "object";
	if (!value->is_plain)
		return "string";
	if (value->text.len == 0 || fg_str_eq(value->text, FG_STR("null")) || fg_str_eq(value->text, FG_STR("~")))
		return "null";
	if (fg_str_eq(value->text, FG_STR("true")) || fg_str_eq(value->text, FG_STR("false")))
		return "boolean";
	is_number = fg_str_to_u64(fg_str_slice(value->text, digits, value->text.len), (uint64_t *)&number);
	return is_number ? "integer" : "string";
}

static bool
matches(struct fg_str pattern, struct fg_str text)
{
	regex_t regex;
	bool matched;

	CU_ASSERT_EQUAL_FATAL(regcomp(&regex, pattern.p, REG_EXTENDED | REG_NOSUB), 0);
	matched = regexec(&regex, text.p, 0, NULL, 0) == 0;
	regfree(&regex);
	return matched;
}

static bool
is_of_type(const struct fg_conf_node *types, const struct fg_conf_node *value)
{
	struct fg_str type = fg_str_from(type_of(value));
	const struct fg_conf_node *item = types->kind == FG_CONF_NODE_LIST ? types->first : types;

	for (; item != NULL; item = types->kind == FG_CONF_NODE_LIST ? item->next : NULL)
		if (fg_str_eq(item->text, type) || (fg_str_eq(item->text, FG_STR("number")) && fg_str_eq(type, FG_STR("integer"))))
			return true;
	return false;
}

static bool
fits_object(const struct schema *schema, const struct fg_conf_node *rule, const struct fg_conf_node *value)
{
	const struct fg_conf_node *properties = fg_conf_get(rule, "properties"), *names = fg_conf_get(rule, "propertyNames");
	const struct fg_conf_node *others = fg_conf_get(rule, "additionalProperties"), *required = fg_conf_get(rule, "required");

	if (value->kind != FG_CONF_NODE_MAP)
		return true;
	for (const struct fg_conf_node *entry = value->first; entry != NULL; entry = entry->next) {
		const struct fg_conf_node *property = fg_conf_get(properties, entry->name->text.p);

		if (names != NULL && !fits(schema, names, entry->name))
			return false;
		if (property != NULL ? !fits(schema, property, entry) : others != NULL && !fits(schema, others, entry))
			return false;
	}
	for (const struct fg_conf_node *name = required == NULL ? NULL : required->first; name != NULL; name = name->next)
		if (fg_conf_get(value, name->text.p) == NULL)
			return false;
	return true;
}

static bool
fits_list(const struct schema *schema, const struct fg_conf_node *rule, const struct fg_conf_node *value)
{
	const struct fg_conf_node *items = fg_conf_get(rule, "items"), *most = fg_conf_get(rule, "maxItems");

	if (value->kind != FG_CONF_NODE_LIST)
		return true;
	for (const struct fg_conf_node *item = value->first; items != NULL && item != NULL; item = item->next)
		if (!fits(schema, items, item))
			return false;
	return most == NULL || value->count <= strtoul(most->text.p, NULL, 10);
}

static bool
is_one_of(const struct fg_conf_node *choices, const struct fg_conf_node *value)
{
	for (const struct fg_conf_node *choice = choices->first; choice != NULL; choice = choice->next)
		if (fg_str_eq(choice->text, value->text) && strcmp(type_of(choice), type_of(value)) == 0)
			return true;
	return false;
}

static bool
fits_any(const struct schema *schema, const struct fg_conf_node *rules, const struct fg_conf_node *value)
{
	for (const struct fg_conf_node *rule = rules->first; rule != NULL; rule = rule->next)
		if (fits(schema, rule, value))
			return true;
	return false;
}

static bool
fits_keyword(const struct schema *schema, const struct fg_conf_node *word, const struct fg_conf_node *value)
{
	struct fg_str name = word->name->text;
	bool is_integer = strcmp(type_of(value), "integer") == 0;

	if (fg_str_eq(name, FG_STR("$ref")))
		return fits(schema, fg_conf_get(fg_conf_get(schema->root, "$defs"), word->text.p + strlen("#/$defs/")), value);
	if (fg_str_eq(name, FG_STR("anyOf")))
		return fits_any(schema, word, value);
	if (fg_str_eq(name, FG_STR("type")))
		return is_of_type(word, value);
	if (fg_str_eq(name, FG_STR("enum")))
		return value->kind == FG_CONF_NODE_SCALAR && is_one_of(word, value);
	if (fg_str_eq(name, FG_STR("const")))
		return value->kind == FG_CONF_NODE_SCALAR && fg_str_eq(word->text, value->text) &&
		    strcmp(type_of(word), type_of(value)) == 0;
	if (fg_str_eq(name, FG_STR("pattern")))
		return strcmp(type_of(value), "string") != 0 || matches(word->text, value->text);
	if (fg_str_eq(name, FG_STR("minimum")))
		return !is_integer || strtoll(value->text.p, NULL, 10) >= strtoll(word->text.p, NULL, 10);
	if (fg_str_eq(name, FG_STR("maximum")))
		return !is_integer || strtoll(value->text.p, NULL, 10) <= strtoll(word->text.p, NULL, 10);
	return true;
}

static bool
fits(const struct schema *schema, const struct fg_conf_node *rule, const struct fg_conf_node *value)
{
	static const char *const known[] = {"$schema", "$defs", "$ref", "title", "description", "anyOf", "type", "enum", "const",
	    "pattern", "minimum", "maximum", "properties", "additionalProperties", "propertyNames", "required", "items", "maxItems"};

	CU_ASSERT_FATAL(rule != NULL);
	if (rule->kind == FG_CONF_NODE_SCALAR)
		return fg_str_eq(rule->text, FG_STR("true"));
	for (const struct fg_conf_node *word = rule->first; word != NULL; word = word->next) {
		bool is_known = false;

		for (size_t i = 0; i < FG_ARRAY_LEN(known); i++)
			is_known |= fg_str_eq(word->name->text, fg_str_from(known[i]));
		CU_ASSERT(is_known); /* a keyword that nobody checks here */
		if (!fits_keyword(schema, word, value))
			return false;
	}
	return fits_object(schema, rule, value) && fits_list(schema, rule, value);
}

static void
open_schema(struct schema *schema)
{
	struct fg_buf text;

	fg_buf_init(&text, MOST_BYTES);
	CU_ASSERT(fg_config_format_schema(&text));
	CU_ASSERT(json_is_valid(fg_buf_str(&text)));
	fg_arena_init(&schema->arena, MOST_BYTES, NULL, 0);
	fg_conf_init(&schema->conf, &schema->arena, NULL);
	CU_ASSERT_EQUAL_FATAL(fg_conf_parse(&schema->conf, FG_STR("schema"), fg_buf_str(&text), &schema->root), FG_OK);
	fg_buf_fini(&text);
}

static void
close_schema(struct schema *schema)
{
	fg_conf_fini(&schema->conf);
	fg_arena_fini(&schema->arena);
}

static bool
schema_takes(struct schema *schema, const char *text)
{
	struct fg_conf_node *root;

	CU_ASSERT_EQUAL_FATAL(fg_conf_parse(&schema->conf, FG_STR("f"), fg_str_from(text), &root), FG_OK);
	return fits(schema, schema->root, root);
}

static void
expect_same(struct schema *schema, const char *text, bool good)
{
	struct loaded *l = config_load(text);
	bool taken = schema_takes(schema, text);

	if ((l->config != NULL) != good || taken != good) {
		fprintf(stderr, "the parser %s, the schema %s:\n%s%s\n", l->config != NULL ? "takes" : "refuses",
		    taken ? "takes" : "refuses", text, l->errors);
		CU_FAIL("not as expected");
	}
	config_end(l);
}

static void
schema_takes_what_the_parser_takes(void)
{
	static const char *const good[] = {
	    "version: 1\n",
	    "version: 1\nlisten: tcp:127.0.0.1:9000\nworkers: 2\ndrain-timeout: 0\nadmin: off\nlog: {access: off}\n",
	    "version: 1\nlisten: [unix:/x, {address: unix:/y, mode: 0600}]\nworkers: auto\ntrusted-proxies: 10.0.0.0/8\n",
	    "version: 1\nservices: {a: http://x, b: {targets: http://x}, c: {targets: [http://x/, {url: http://y, weight: 2}]}}\n",
	    "version: 1\nroutes: {a: {path: /, respond: {status: 404, body: \"\"}, headers: {A: 1}, query: {b: true}}}\n",
	    "version: 1\ndefaults: {body-limit: none, timeout: 5s, request: {query: {remove: a, set: {v: 2}}}}\n",
	    "version: 1\ndefaults: {body-limit: 0, response: {status: {404: 410}, headers: {remove: [A]}}}\n",
	    "version: 1\nroutes: {a: {path: /, methods: GET, host: a.b, respond: {}}}\n",
	};
	static const char *const bad[] = {
	    "version: 2\n",
	    "workers: 1\n",
	    "version: 1\nworkers: many\n",
	    "version: 1\nworkers: 0\n",
	    "version: 1\nlisten: /run/x\n",
	    "version: 1\nlisten: {mode: 0600}\n",
	    "version: 1\nlog: {level: loud}\n",
	    "version: 1\nlog: {access: logs/x}\n",
	    "version: 1\nadmin: on\n",
	    "version: 1\nservices: {a: x}\n",
	    "version: 1\nservices: {\"a b\": http://x}\n",
	    "version: 1\nservices: {a: {targets: http://x, retry: 2}}\n",
	    "version: 1\nservices: {a: {targets: http://x, http2: maybe}}\n",
	    "version: 1\nservices: {a: {targets: http://x, idle-timeout: 60}}\n",
	    "version: 1\nservices: {a: {host: target}}\n",
	    "version: 1\nservices: [http://x]\n",
	    "version: 1\ndefaults: {body-limit: 10m}\n",
	    "version: 1\ndefaults: {response: {status: {nine: 410}}}\n",
	    "version: 1\ndefaults: {request: {headers: {set: [A]}}}\n",
	    "version: 1\nroutes: {a: {respond: {}}}\n",
	    "version: 1\nroutes: {a: {path: /, respond: {status: 99}}}\n",
	};
	struct schema schema;
	struct fg_buf text;

	open_schema(&schema);
	for (size_t i = 0; i < FG_ARRAY_LEN(good); i++)
		expect_same(&schema, good[i], true);
	for (size_t i = 0; i < FG_ARRAY_LEN(bad); i++)
		expect_same(&schema, bad[i], false);
	text = read_example();
	CU_ASSERT(schema_takes(&schema, text.p));
	fg_buf_fini(&text);
	text = read_file("etc/minimal.yaml");
	CU_ASSERT(schema_takes(&schema, text.p));
	fg_buf_fini(&text);
	close_schema(&schema);
}

void
suite_config_docs(void)
{
	CU_pSuite suite = CU_add_suite("config_docs", config_folder_make, config_folder_remove);

	ADD_TEST(suite, example_is_a_configuration);
	ADD_TEST(suite, example_in_use_is_a_configuration);
	ADD_TEST(suite, example_with_a_mistake_is_refused);
	ADD_TEST(suite, minimal_is_a_configuration);
	ADD_TEST(suite, example_has_every_key);
	ADD_TEST(suite, reference_is_what_the_tables_make);
	ADD_TEST(suite, schema_takes_what_the_parser_takes);
}
