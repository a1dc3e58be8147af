/*
 * The tree, read by tables of keys: each row finds its entry, what no row has is an unknown key, and every mistake is
 * noted before anything is given up.
 */
#include "conf/internal.h"
#include "conf/suggest.h"

/* ---- unknown keys */

static struct fg_str
list_keys(struct fg_conf *conf, const struct fg_conf_key *keys)
{
	struct fg_str all = fg_str_from(keys->name);

	for (keys++; keys->name != NULL; keys++)
		all = fg_arena_printf(&conf->scratch, FG_STR_FMT ", %s", FG_STR_ARG(all), keys->name);
	return all;
}

static void
refuse_key(struct fg_conf *conf, const struct fg_conf_node *entry, const struct fg_conf_key *keys)
{
	struct fg_str name = entry->name->text, quoted = fg_conf_quote(conf, name);
	struct fg_suggest suggest;

	fg_suggest_init(&suggest, name);
	for (const struct fg_conf_key *key = keys; key->name != NULL; key++)
		fg_suggest_offer(&suggest, fg_str_from(key->name));
	if (suggest.best.len > 0)
		fg_conf_error(conf, entry->name, "unknown key " FG_STR_FMT FG_STR_FMT, FG_STR_ARG(quoted),
		    FG_STR_ARG(fg_suggest_format(&suggest, &conf->scratch)));
	else
		fg_conf_error(conf, entry->name, "unknown key " FG_STR_FMT "; the keys here are " FG_STR_FMT,
		    FG_STR_ARG(quoted), FG_STR_ARG(list_keys(conf, keys)));
}

static void
refuse_unknown_keys(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *keys)
{
	for (const struct fg_conf_node *entry = node->first; entry != NULL; entry = entry->next) {
		const struct fg_conf_key *key = keys;

		while (key->name != NULL && !fg_str_eq(entry->name->text, fg_str_from(key->name)))
			key++;
		if (key->name == NULL)
			refuse_key(conf, entry, keys);
	}
}

/* ---- presets */

/* A node as if the preset stood in the file, at the place of its section. */
static struct fg_conf_node *
make_node(struct fg_conf *conf, const struct fg_conf_node *section, enum fg_conf_kind kind, struct fg_str text)
{
	struct fg_conf_node *node = FG_ARENA_NEW(&conf->scratch, struct fg_conf_node);

	*node = (struct fg_conf_node){.kind = kind, .line = section->line, .column = section->column,
	    .file = section->file, .text = fg_arena_str(&conf->scratch, text), .parent = section};
	return node;
}

static struct fg_conf_node *
make_preset(struct fg_conf *conf, const struct fg_conf_node *section, const struct fg_conf_key *key)
{
	struct fg_str rest = fg_str_from(key->preset), text;
	struct fg_conf_node *list;

	if (key->type != FG_CONF_LIST)
		return make_node(conf, section, FG_CONF_NODE_SCALAR, rest);
	list = make_node(conf, section, FG_CONF_NODE_LIST, FG_STR_NONE);
	while (fg_str_next(&rest, ',', &text)) {
		struct fg_conf_node *item = make_node(conf, section, FG_CONF_NODE_SCALAR, fg_str_trim(text));

		item->index = list->count++;
		if (list->last == NULL)
			list->first = item;
		else
			list->last->next = item;
		list->last = item;
	}
	return list;
}

static void
read_preset(struct fg_conf *conf, const struct fg_conf_node *section, const struct fg_conf_key *key, void *out)
{
	if (key->preset != NULL)
		fg_conf_read(conf, make_preset(conf, section, key), key, out);
	else if (key->type == FG_CONF_SECTION && (key->flags & FG_CONF_POINTER) == 0)
		fg_conf_read_presets(conf, section, key->keys, (char *)out + key->offset);
}

void
fg_conf_read_presets(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *keys, void *out)
{
	for (; keys->name != NULL; keys++)
		read_preset(conf, node, keys, out);
}

/* ---- sections, lists, maps */

/* What is wrong was said; where there is a preset the checks that follow see that, as if nothing stood there. */
static void
read_entry(struct fg_conf *conf, const struct fg_conf_node *section, const struct fg_conf_node *entry,
    const struct fg_conf_key *key, void *out)
{
	bool is_scalar = key->type == FG_CONF_BOOL || key->type == FG_CONF_INT || key->type == FG_CONF_SIZE ||
	    key->type == FG_CONF_DURATION || key->type == FG_CONF_STRING || key->type == FG_CONF_ENUM;
	size_t mistakes = conf->mistake_count;

	fg_conf_read(conf, entry, key, out);
	if (is_scalar && key->preset != NULL && (entry->is_broken || conf->mistake_count > mistakes))
		read_preset(conf, section, key, out);
}

void
fg_conf_read_keys(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *keys, void *out)
{
	if (node->is_broken)
		return;
	if (node->kind != FG_CONF_NODE_MAP) {
		if (node->kind == FG_CONF_NODE_SCALAR && node->is_plain && node->text.len == 0)
			fg_conf_error(conf, node, "has no value; expected a map with the keys " FG_STR_FMT ", or remove the name",
			    FG_STR_ARG(list_keys(conf, keys)));
		else
			fg_conf_error(conf, node, "expected a map with the keys " FG_STR_FMT ", found %s",
			    FG_STR_ARG(list_keys(conf, keys)), fg_conf_kind_name(node->kind));
		return;
	}
	for (const struct fg_conf_key *key = keys; key->name != NULL; key++) {
		const struct fg_conf_node *entry = fg_conf_get(node, key->name);

		if (entry != NULL)
			read_entry(conf, node, entry, key, out);
		else if ((key->flags & FG_CONF_REQUIRED) != 0)
			fg_conf_error_at_name(conf, node, "%s is missing", key->name);
		else
			read_preset(conf, node, key, out);
	}
	refuse_unknown_keys(conf, node, keys);
}

/* What the section says it is; NULL, told, when it does not or there is no such thing. */
static const struct fg_conf_variant *
find_variant(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key)
{
	const struct fg_conf_node *entry = fg_conf_get(node, key->variant_key);
	struct fg_suggest suggest;
	struct fg_str all = FG_STR_NONE, text;

	for (const struct fg_conf_variant *variant = key->variants; variant->name != NULL; variant++)
		all = fg_arena_printf(&conf->scratch, FG_STR_FMT "%s%s", FG_STR_ARG(all), all.len > 0 ? ", " : "", variant->name);
	if (node->kind != FG_CONF_NODE_MAP || entry == NULL) {
		fg_conf_error_at_name(conf, node, "needs a %s: one of " FG_STR_FMT, key->variant_key, FG_STR_ARG(all));
		return NULL;
	}
	if (entry->is_broken || !fg_conf_want_text(conf, entry, key->variant_key, &text))
		return NULL;
	fg_suggest_init(&suggest, text);
	for (const struct fg_conf_variant *variant = key->variants; variant->name != NULL; variant++) {
		if (fg_str_eq(text, fg_str_from(variant->name)))
			return variant;
		fg_suggest_offer(&suggest, fg_str_from(variant->name));
	}
	fg_conf_error(conf, entry, FG_STR_FMT " is not one of " FG_STR_FMT FG_STR_FMT, FG_STR_ARG(fg_conf_quote(conf, text)),
	    FG_STR_ARG(all), FG_STR_ARG(fg_suggest_format(&suggest, &conf->scratch)));
	return NULL;
}

/* The short form, or the keys. */
static void
fill_section(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key,
    const struct fg_conf_key *keys, void *out)
{
	struct fg_str text;

	if (key->prepare != NULL)
		key->prepare(conf, node, key, out);
	if (node->kind == FG_CONF_NODE_SCALAR && key->parse != NULL && (key->flags & FG_CONF_NAMED) == 0) {
		fg_conf_read_presets(conf, node, keys, out);
		if (fg_conf_want_text(conf, node, key->form, &text))
			key->parse(conf, node, key, out);
	} else {
		fg_conf_read_keys(conf, node, keys, out);
	}
	if (key->check != NULL)
		key->check(conf, node, key, out);
}

static void
read_section(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *field)
{
	const struct fg_conf_variant *variant = NULL;
	size_t size = key->item_size;
	struct fg_str text;
	void *out = field;

	if ((key->flags & FG_CONF_NAMED) != 0 && node->kind == FG_CONF_NODE_SCALAR) {
		if (fg_conf_want_text(conf, node, key->form, &text))
			key->parse(conf, node, key, field);
		return;
	}
	if (key->variants != NULL) {
		variant = find_variant(conf, node, key);
		if (variant == NULL)
			return;
		size = variant->size;
	}
	if ((key->flags & FG_CONF_POINTER) != 0) {
		FG_ASSERT(key->size == sizeof(void *));
		out = fg_arena_zalloc(conf->arena, 1, size == 0 ? 1 : size);
		memcpy(field, &out, sizeof(void *));
	}
	fill_section(conf, node, key, variant == NULL ? key->keys : variant->keys, out);
}

static bool
take_elements(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, size_t count,
    char **elements, void *base)
{
	size_t max = key->max == 0 ? FG_CONF_MAX_LIST : (size_t)key->max;

	if (count > max) {
		fg_conf_error_at_name(conf, node, "has %zu entries; at most %zu are taken", count, max);
		return false;
	}
	*elements = fg_arena_zalloc(conf->arena, count == 0 ? 1 : count, key->item_size);
	memcpy((char *)base + key->offset, elements, sizeof(*elements));
	memcpy((char *)base + key->count_offset, &count, sizeof(count));
	return true;
}

static bool
read_list(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *base)
{
	bool is_list = node->kind == FG_CONF_NODE_LIST;
	const struct fg_conf_node *item = node;
	char *elements;

	if (!is_list && ((key->flags & FG_CONF_OR_ONE) == 0 || (node->is_plain && node->text.len == 0))) {
		fg_conf_error(conf, node, "expected a list, [%s, …], found %s", key->item->name,
		    node->is_plain && node->text.len == 0 ? "no value" : fg_conf_kind_name(node->kind));
		return false;
	}
	if (!take_elements(conf, node, key, is_list ? node->count : 1, &elements, base))
		return false;
	if (is_list)
		item = node->first;
	for (; item != NULL; item = is_list ? item->next : NULL, elements += key->item_size)
		fg_conf_read(conf, item, key->item, elements);
	return true;
}

static bool
read_map(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *base)
{
	char *elements;

	if (node->kind != FG_CONF_NODE_MAP) {
		fg_conf_error(conf, node, "expected a map, %s: …, found %s", key->item_name->name,
		    node->is_plain && node->text.len == 0 ? "no value" : fg_conf_kind_name(node->kind));
		return false;
	}
	if (!take_elements(conf, node, key, node->count, &elements, base))
		return false;
	for (const struct fg_conf_node *entry = node->first; entry != NULL; entry = entry->next) {
		fg_conf_read(conf, entry->name, key->item_name, elements);
		fg_conf_read(conf, entry, key->item, elements);
		elements += key->item_size;
	}
	return true;
}

void
fg_conf_read(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *base)
{
	void *out = (char *)base + key->offset;
	size_t mistakes = conf->mistake_count;
	bool ok = true;

	if (node->is_broken)
		return;
	switch (key->type) {
	case FG_CONF_SECTION:
		read_section(conf, node, key, out);
		return;
	case FG_CONF_CUSTOM:
		key->parse(conf, node, key, out);
		break;
	case FG_CONF_LIST:
		ok = read_list(conf, node, key, base);
		break;
	case FG_CONF_MAP:
		ok = read_map(conf, node, key, base);
		break;
	default:
		ok = fg_conf_read_scalar(conf, node, key, out);
		break;
	}
	if (ok && key->check != NULL && conf->mistake_count == mistakes)
		key->check(conf, node, key, out);
}
