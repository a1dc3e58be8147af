/*
 * Policies: what a filter does on a route. Each is defined once at the top and named by routes, or stands in place; the
 * tables of keys are the same for both. A filter takes one policy on a route (`cors: web`), or several
 * (`limits: [per-user, {rate: 5/1s}]`); `none` stands for none where `defaults` have one.
 */
#include "conf/suggest.h"
#include "core/config_internal.h"

static const struct fg_str none = FG_STR_INIT("none");
/* What `none` names. A policy that is broken, which was said, is NULL instead. */
static const struct fg_policy no_policy;

/* The number of the filter whose key this is: its arg points into the list of filters. */
static size_t
filter_number(const struct fg_conf_key *key)
{
	const struct fg_filter_type *const *at = key->arg;

	return (size_t)(at - fg_filter_types);
}

static struct fg_policy_table *
table_of(struct fg_conf *conf, const struct fg_conf_key *key)
{
	struct fg_config_draft *draft = conf->arg;

	return &draft->policies[filter_number(key)];
}

static void
add_policy(struct fg_policy_table *table, struct fg_policy *policy, struct fg_arena *arena)
{
	if (table->count == table->cap) {
		const void **grown = FG_ARENA_ARRAY(arena, const void *, 2 * table->cap + 8);

		if (table->count > 0)
			memcpy(grown, table->v, table->count * sizeof(*grown));
		table->v = grown;
		table->cap = 2 * table->cap + 8;
	}
	policy->index = (unsigned)table->count;
	table->v[table->count++] = policy;
}

/* ---- defined at the top */

static void
check_policy_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_policy_entry *entry = FG_CONTAINER_OF(out, struct fg_policy_entry, name);
	struct fg_policy_table *table = table_of(conf, key);

	if (fg_str_eq(entry->name, none))
		fg_conf_error(conf, node, "\"none\" is what a route says that has no such policy; take another name");
	else
		fg_config_check_name(conf, node, key, out);
	if (table->names.arena == NULL)
		fg_names_init(&table->names, &conf->scratch);
	(void)fg_names_add(&table->names, entry->name, entry);
	table->is_defined = true;
}

static void
prepare_named(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_policy *policy = out;

	policy->name = fg_arena_str(conf->arena, node->name->text);
	add_policy(table_of(conf, key), policy, conf->arena);
}

/* ---- on a route */

/*
 * Named ROUTE/FILTER, or _defaults/FILTER; ROUTE/FILTER/2 where it is the second of a list: one that stands alone keeps its name
 * when others join it. Names that are given have no slash and begin with a letter or digit.
 */
static void
prepare_in_place(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_conf_node *filter = node->name != NULL ? node : node->parent, *owner = filter->parent;
	struct fg_str who = owner->parent->parent == NULL ? FG_STR("_defaults") : owner->name->text;
	struct fg_policy *policy = out;

	policy->name = FG_ARENA_CONCAT(conf->arena, who, FG_STR("/"), filter->name->text);
	if (node != filter && node->index > 0)
		policy->name = fg_arena_printf(conf->arena, FG_STR_FMT "/%zu", FG_STR_ARG(policy->name), node->index + 1);
	add_policy(table_of(conf, key), policy, conf->arena);
}

static void
parse_policy_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_policy_table *table = table_of(conf, key);
	const struct fg_filter_type *type = fg_filter_types[filter_number(key)];
	struct fg_str text = node->text, suggestion;
	struct fg_policy_entry *entry;
	struct fg_suggest suggest;

	*(const void **)out = &no_policy; /* `defaults` may have put something there */
	if (fg_str_eq(text, none))
		return;
	*(const void **)out = NULL;
	entry = table->is_defined ? fg_names_find(&table->names, text) : NULL;
	if (entry != NULL) {
		*(const void **)out = entry->conf;
		return;
	}
	fg_suggest_init(&suggest, text);
	for (size_t i = 0; table->is_defined && i < table->names.cap; i++)
		if (table->names.slots[i].value != NULL)
			fg_suggest_offer(&suggest, table->names.slots[i].name);
	suggestion = fg_suggest_format(&suggest, &conf->scratch);
	if (suggestion.len == 0)
		suggestion = fg_arena_printf(&conf->scratch, "; define it under %s: at the top, or give a map", type->name);
	fg_conf_error(conf, node, "there is no %s policy " FG_STR_FMT FG_STR_FMT, type->name,
	    FG_STR_ARG(fg_conf_quote(conf, text)), FG_STR_ARG(suggestion));
}

static void
check_policy_list(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_policy_slot *slot = FG_CONTAINER_OF(out, struct fg_policy_slot, v);

	(void)key;
	if (slot->count == 0)
		fg_conf_error(conf, node, "is empty; write none where there is to be none");
	for (size_t i = 0; slot->count > 1 && i < slot->count; i++) {
		if (slot->v[i] == &no_policy)
			fg_conf_error(conf, node, "\"none\" stands alone");
		for (size_t j = 0; j < i && slot->v[i] != NULL && slot->v[i] != &no_policy; j++)
			if (slot->v[i] == slot->v[j])
				fg_conf_error(conf, node, "names " FG_STR_FMT " twice",
				    FG_STR_ARG(((const struct fg_policy *)slot->v[i])->name));
	}
}

/* ---- the keys */

static void
set_section(struct fg_conf_key *key, const struct fg_filter_type *const *at)
{
	const struct fg_filter_type *type = *at;

	key->type = FG_CONF_SECTION;
	key->flags = FG_CONF_POINTER;
	key->item_size = type->conf_size;
	key->keys = type->keys;
	key->variant_key = type->variant_key;
	key->variants = type->variants;
	key->check = type->check;
	key->arg = at;
}

static void
set_named(struct fg_conf_key *key)
{
	key->flags |= FG_CONF_NAMED;
	key->parse = parse_policy_name;
	key->prepare = prepare_in_place;
	key->form = "the name of a policy, or none";
	key->schema = "\"type\": [\"string\", \"integer\"]";
}

struct fg_conf_key
fg_config_policies_key(size_t number, struct fg_arena *arena)
{
	const struct fg_filter_type *const *at = &fg_filter_types[number];
	struct fg_conf_key *name = FG_ARENA_NEW(arena, struct fg_conf_key), *item = FG_ARENA_NEW(arena, struct fg_conf_key);
	size_t table = offsetof(struct fg_config_draft, policies) + number * sizeof(struct fg_policy_table);

	*name = (struct fg_conf_key){"POLICY", FG_CONF_STRING, FG_CONF_AT(struct fg_policy_entry, name), .max = FG_CONFIG_MAX_NAME,
	    .check = check_policy_name, .form = "a name", .schema = FG_CONFIG_NAME_SCHEMA, .arg = at};
	*item = (struct fg_conf_key){"POLICY", .offset = offsetof(struct fg_policy_entry, conf), .size = sizeof(void *)};
	set_section(item, at);
	item->prepare = prepare_named;
	return (struct fg_conf_key){(*at)->name, FG_CONF_MAP, .offset = table + offsetof(struct fg_policy_table, entries),
	    .size = sizeof(void *), .count_offset = table + offsetof(struct fg_policy_table, entry_count),
	    .item_size = sizeof(struct fg_policy_entry), .max = FG_MAX_POLICIES, .item_name = name, .item = item,
	    .help = fg_arena_printf(arena, "policies to be named under `%s` of routes: %s", (*at)->name, (*at)->help).p};
}

struct fg_conf_key
fg_config_route_policy_key(size_t number, struct fg_arena *arena)
{
	const struct fg_filter_type *const *at = &fg_filter_types[number];
	size_t slot = offsetof(struct fg_route_draft, policies) + number * sizeof(struct fg_policy_slot);
	struct fg_conf_key key = {(*at)->name, .offset = slot + offsetof(struct fg_policy_slot, one), .size = sizeof(void *)};
	struct fg_conf_key *item;

	if (!(*at)->takes_several) {
		set_section(&key, at);
		set_named(&key);
		key.help = (*at)->help;
		return key;
	}
	item = FG_ARENA_NEW(arena, struct fg_conf_key);
	*item = (struct fg_conf_key){"POLICY", .offset = 0, .size = sizeof(void *)};
	set_section(item, at);
	set_named(item);
	key.type = FG_CONF_LIST;
	key.offset = slot + offsetof(struct fg_policy_slot, v);
	key.count_offset = slot + offsetof(struct fg_policy_slot, count);
	key.item_size = sizeof(void *);
	key.flags = FG_CONF_OR_ONE;
	key.max = FG_MAX_POLICIES_OF_ROUTE;
	key.item = item;
	key.check = check_policy_list;
	key.help = (*at)->help;
	return key;
}

/* ---- what a route has of them */

const void *
fg_config_policy_conf(const struct fg_policy_slot *slot, const struct fg_filter_type *type, struct fg_arena *arena)
{
	struct fg_policies *policies;
	const void **v;

	if (!type->takes_several)
		return slot->one == &no_policy ? NULL : slot->one;
	v = FG_ARENA_ARRAY(arena, const void *, slot->count);
	policies = FG_ARENA_NEW(arena, struct fg_policies);
	policies->v = v;
	for (size_t i = 0; i < slot->count; i++)
		if (slot->v[i] != NULL && slot->v[i] != &no_policy)
			v[policies->count++] = slot->v[i];
	return policies->count == 0 ? NULL : policies;
}

void
fg_config_check_policies(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_route_draft *draft)
{
	struct fg_config_draft *config = conf->arg;
	bool is_authenticated = false;

	for (size_t i = 0; fg_filter_types[i] != NULL; i++)
		if (fg_filter_types[i]->stage == FG_STAGE_AUTHENTICATE &&
		    fg_config_policy_conf(&draft->policies[i], fg_filter_types[i], &conf->scratch) != NULL)
			is_authenticated = true;
	for (size_t i = 0; fg_filter_types[i] != NULL; i++) {
		const struct fg_filter_type *type = fg_filter_types[i];
		struct fg_route_policy use = {.conf = fg_config_policy_conf(&draft->policies[i], type, &conf->scratch)};

		use.is_defined = config->policies[i].is_defined;
		use.is_given = fg_conf_get(node, type->name) != NULL ||
		    (config->defaults_node != NULL && fg_conf_get(config->defaults_node, type->name) != NULL);
		use.is_forwarded = draft->route.service != NULL || draft->route.split_count > 0;
		use.methods = draft->route.rule.methods;
		use.is_authenticated = is_authenticated;
		if (type->check_route != NULL)
			type->check_route(conf, node, &use);
	}
}

void
fg_config_keep_policies(struct fg_config_draft *draft)
{
	struct fg_arena *arena = &draft->config.arena;
	struct fg_policies *all = FG_ARENA_ARRAY(arena, struct fg_policies, FG_MAX_FILTERS);

	for (size_t i = 0; fg_filter_types[i] != NULL; i++)
		all[i] = (struct fg_policies){draft->policies[i].v, draft->policies[i].count};
	draft->config.policies = all;
}

const struct fg_policies *
fg_config_policies(const struct fg_config *config, const struct fg_filter_type *type)
{
	return &config->policies[fg_filter_number(type)];
}
