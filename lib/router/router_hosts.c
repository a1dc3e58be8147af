/* The hosts that rules name, as small numbers: a request's host is looked up once, whatever the number of rules. */
#include "router/router_int.h"

static size_t
find_place(const struct fg_host_table *hosts, struct fg_str name)
{
	size_t at = fg_str_hash(name) & hosts->mask;

	while (hosts->names[at].len > 0 && !fg_str_eq(hosts->names[at], name))
		at = (at + 1) & hosts->mask;
	return at;
}

void
fg_host_table_init(struct fg_host_table *hosts, size_t count, struct fg_arena *arena)
{
	size_t places = 8;

	while (places < 2 * count)
		places *= 2;
	*hosts = (struct fg_host_table){.mask = places - 1};
	hosts->names = FG_ARENA_ARRAY(arena, struct fg_str, places);
	hosts->ids = FG_ARENA_ARRAY(arena, uint32_t, places);
}

uint32_t
fg_host_table_add(struct fg_host_table *hosts, struct fg_str host)
{
	size_t at;

	if (host.p[0] == '*') {
		host = fg_str_slice(host, 1, host.len);
		hosts->has_wildcards = true;
	}
	at = find_place(hosts, host);
	if (hosts->names[at].len == 0) {
		hosts->names[at] = host;
		hosts->ids[at] = ++hosts->count;
	}
	return hosts->ids[at];
}

static void
add_if_known(const struct fg_host_table *hosts, struct fg_str name, struct fg_host_ids *ids)
{
	size_t at = find_place(hosts, name);

	if (hosts->names[at].len > 0)
		ids->v[ids->count++] = hosts->ids[at];
}

void
fg_host_table_resolve(const struct fg_host_table *hosts, struct fg_str host, struct fg_host_ids *ids)
{
	ids->count = 0;
	if (hosts->count > 0 && host.len > 0) {
		add_if_known(hosts, host, ids);
		/* From the left, so the longest suffix first. A valid host has fewer labels than ids has room. */
		for (size_t i = 1; hosts->has_wildcards && i < host.len && ids->count < FG_MAX_HOST_IDS - 1; i++)
			if (host.p[i] == '.')
				add_if_known(hosts, fg_str_slice(host, i, host.len), ids);
	}
	ids->v[ids->count++] = 0;
}

const struct fg_rule_group *
fg_rule_set_group(const struct fg_rule_set *set, uint32_t host)
{
	size_t from = 0, to = set->group_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (set->groups[middle].host == host)
			return &set->groups[middle];
		if (set->groups[middle].host < host)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}
