/*
 * Between the files that read the configuration: config.c (the whole), config_pool.c (what is about the process),
 * config_service.c, config_route.c, config_split.c, config_policy.c, config_consumer.c. Nobody else includes this.
 */
#ifndef FG_CORE_CONFIG_INTERNAL_H
#define FG_CORE_CONFIG_INTERNAL_H

#include "conf/keys.h"
#include "conf/names.h"
#include "core/config.h"
#include "core/filter.h"

enum { FG_CONFIG_MAX_NAME = 64 };

#define FG_CONFIG_NAME_SCHEMA "\"pattern\": \"^[A-Za-z0-9][A-Za-z0-9._-]*$\""

#define FG_CONFIG_PERCENT_SCHEMA "\"type\": \"string\", \"pattern\": \"^[0-9]+%$|\\\\$\\\\{\""

#define FG_CONFIG_STORE_FORM "memory, or redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster:// and where it is"
#define FG_CONFIG_STORE_SCHEMA "\"type\": \"string\", \"pattern\": \"^(memory$|redis(s|[+]unix|[+]sentinel|[+]cluster)?://.)|\\\\$\\\\{\""

/* What a route has of one filter while it is read. */
struct fg_policy_slot {
	const void *one; /* of a filter that takes one; NULL: nothing was said, or it is broken */
	const void **v;  /* of a filter that takes several */
	size_t count;
};

/* A policy at the top of the file. */
struct fg_policy_entry {
	struct fg_str name;
	const void *conf; /* NULL: it is broken */
};

/* All policies of one filter. */
struct fg_policy_table {
	struct fg_policy_entry *entries;
	size_t entry_count;
	struct fg_names names;
	bool is_defined; /* at the top */
	const void **v;  /* named or in place */
	size_t count, cap;
};

/* A route while it is read, or what all have in common (`defaults`). */
struct fg_route_draft {
	struct fg_route route;
	struct fg_policy_slot policies[FG_MAX_FILTERS];
	const struct fg_conf_node *node;
	bool is_good; /* nothing wrong was found in it: the router may look at it */
};

/* The configuration while it is read. It begins with what remains. */
struct fg_config_draft {
	struct fg_config config;
	int version;
	struct fg_str *includes; /* carried out before; here for the table */
	size_t include_count;
	struct fg_service *services;
	size_t service_count;
	struct fg_names service_names;
	bool has_services; /* a map of them, whatever is in it: names that dangle are worth a message */
	struct fg_policy_table policies[FG_MAX_FILTERS];
	struct fg_route_draft defaults;
	const struct fg_conf_node *defaults_node;
	struct fg_route_draft *routes;
	size_t route_count;
	size_t mistakes; /* noted before the service or route that is being read */
};

/* The top of the file, with the keys of the filters put in. Base: struct fg_config_draft. In arena. */
const struct fg_conf_key *fg_config_keys(struct fg_arena *arena);

/* Parts of it. Base: struct fg_config, and for the sections what their names say. */
extern const struct fg_conf_key fg_config_listen_item;
extern const struct fg_conf_key fg_config_log_keys[], fg_config_admin_keys[], fg_config_store_keys[], fg_config_dns_keys[];
extern const struct fg_conf_key fg_config_consumer_name, fg_config_consumer_item;
extern const struct fg_conf_key fg_config_service_name, fg_config_service_item;
extern const struct fg_conf_key fg_config_route_name, fg_config_route_item;
/* The keys of a route alone; those it shares with `defaults`. Base: struct fg_route_draft. */
extern const struct fg_conf_key fg_config_route_keys[], fg_config_shared_keys[];

fg_conf_parse_fn fg_config_parse_admin, fg_config_check_listens, fg_config_check_user, fg_config_check_absolute,
    fg_config_check_name, fg_config_check_file, fg_config_parse_store, fg_config_check_store,
    fg_config_prepare_dns, fg_config_check_dns;

/* ---- config_traffic.c */

extern const struct fg_conf_choice fg_config_balances[];
extern const struct fg_conf_key fg_config_admission_keys[];
fg_conf_parse_fn fg_config_parse_admission, fg_config_check_admission;
extern const struct fg_conf_key fg_config_breaker_keys[], fg_config_retry_keys[], fg_config_health_keys[];
fg_conf_parse_fn fg_config_check_breaker, fg_config_check_retry;
fg_conf_parse_fn fg_config_parse_percent;
/* What only all keys of a service together tell. */
void fg_config_set_traffic_presets(struct fg_service *service);

/* ---- config_split.c: of a route: `split` (struct fg_split) and `mirror` (struct fg_route_mirror) */

extern const struct fg_conf_choice fg_config_criticalities[];
extern const struct fg_conf_key fg_config_split_service, fg_config_split_weight, fg_config_mirror_keys[];
fg_conf_parse_fn fg_config_check_split, fg_config_parse_service;
/* other: what the route says besides, service or respond; NULL: neither. */
void fg_config_check_sharing(struct fg_conf *conf, const struct fg_conf_node *route, const struct fg_conf_node *split,
    const struct fg_conf_node *other);

/* ---- config_respond.c: of a route or a service (struct fg_respond) */

extern const struct fg_conf_key fg_config_respond_keys[];
fg_conf_parse_fn fg_config_check_respond;

/* ---- config_hedge.c */

extern const struct fg_conf_key fg_config_hedge_keys[];
fg_conf_parse_fn fg_config_parse_hedge, fg_config_check_hedge;
/* Of retries and hedges together; it is said in one place. node: of the service. */
void fg_config_set_budget(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_service *service);
/* A hedge for which response-timeout leaves no time is a mistake. */
void fg_config_check_hedge_time(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_service *service);

/* ---- config_policy.c: of the filter of that number */

/* The map at the top. Base: struct fg_config_draft. */
struct fg_conf_key fg_config_policies_key(size_t number, struct fg_arena *arena);
/* What a route, or `defaults`, says. Base: struct fg_route_draft. */
struct fg_conf_key fg_config_route_policy_key(size_t number, struct fg_arena *arena);
/* What the filter's callbacks get; NULL: the route has none. */
const void *fg_config_policy_conf(const struct fg_policy_slot *slot, const struct fg_filter_type *type,
    struct fg_arena *arena);
/* What the filters say about a route as a whole. */
void fg_config_check_policies(struct fg_conf *conf, const struct fg_conf_node *node, struct fg_route_draft *draft);
/* Sets config.policies. */
void fg_config_keep_policies(struct fg_config_draft *draft);

/* Ties and unreachable routes, told at the routes; sets config.router. */
void fg_config_build_router(struct fg_conf *conf, struct fg_config_draft *draft);

#endif
