/*
 * One configuration: everything the YAML file says, checked, in one arena, immutable once loaded. A reload builds
 * another beside it. What is not understood is refused: there is no configuration with a part ignored.
 */
#ifndef FG_CORE_CONFIG_H
#define FG_CORE_CONFIG_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"
#include "conf/names.h"
#include "core/admission.h"
#include "dns/dns.h"
#include "http/headers.h"
#include "router/router.h"
#include "service/service.h"

struct fg_buf;
struct fg_conf;
struct fg_filter;
struct fg_filter_type;
struct fg_log;
struct fg_loop;
struct fg_policies;
struct fg_redis;
struct fg_redis_spec;
struct fg_stats;
struct fg_stats_series;
struct fg_template;
struct fg_var;

struct fg_listen {
	struct fg_str text; /* as configured: "unix:/run/faregate/faregate.sock", "tcp:127.0.0.1:9000" */
	bool is_unix;
	struct fg_str path;   /* of a unix socket */
	struct fg_str host;   /* of TCP: a numeric address, brackets removed */
	unsigned port;
	mode_t mode;          /* of a unix socket; 0660 */
	struct fg_str group;  /* of a unix socket; empty: the process's own */
};

enum fg_log_format { FG_LOG_JSON, FG_LOG_COMBINED };

struct fg_access_log_conf {
	struct fg_str path; /* a file, or "stderr", "syslog", "off" */
	enum fg_log_format format;
};

struct fg_admin_conf {
	bool enabled;
	struct fg_str path; /* "/_faregate", no trailing slash */
	const struct fg_cidr *allow;
	size_t allow_count;
};

/* Where what machines share is kept. */
struct fg_store_conf {
	struct fg_redis_spec *redis; /* NULL: the memory of this host's pool */
	struct fg_str text;          /* where, without credentials; empty: memory */
	struct fg_str password, sentinel_password;
	fg_usec deadline, connect_timeout;
	size_t memory_keys;          /* of limits, in the memory of this host's pool */
	struct fg_str ca, certificate, key; /* files; empty: none */
};

/* A fixed answer. */
struct fg_respond {
	int status;
	struct fg_str body, content_type; /* content_type empty with an empty body */
	fg_usec retry_after;              /* 0: not said */
};

/* What is said of who calls (`consumers`): besides, and behind, what a token or a key says itself. */
struct fg_consumer {
	struct fg_str name;
	const struct fg_name_value *attributes;
	size_t attribute_count;
};

/* A service that gets copies of a share of a route's requests. */
struct fg_route_mirror {
	const struct fg_service *service;
	int percent;
};

struct fg_route {
	struct fg_route_rule rule;
	struct fg_str name;
	unsigned index;                     /* in fg_config.routes */
	const struct fg_service *service;   /* NULL: split, or respond */
	const struct fg_split *splits;      /* instead of a service */
	size_t split_count;
	const struct fg_var *split_by;      /* the same service for the same values; none: drawn */
	size_t split_by_count;
	const struct fg_route_mirror *mirror; /* NULL: none */
	const struct fg_respond *respond;   /* NULL: service or split */
	struct fg_str strip_prefix;         /* decoded; empty: none */
	const struct fg_template *rewrite;  /* NULL: none */
	int64_t body_limit;                 /* bytes; -1: none */
	fg_usec timeout;                    /* of the whole exchange; 0: none */
	bool reject_encoded_slash;
	enum fg_criticality criticality;
	const struct fg_filter *filters;    /* in the order they run; the response side in reverse */
	size_t filter_count;
	struct fg_stats_series *stats;      /* set by counts.h; NULL counts nothing */
};

struct fg_config {
	struct fg_arena arena; /* owns all of it, and itself */
	struct fg_str file;    /* the path it was read from */

	const struct fg_listen *listen;
	size_t listen_count;
	unsigned workers;      /* resolved: never 0 */
	struct fg_str pid_file;
	fg_usec drain_timeout; /* how long a leaving worker may go on with exchanges in flight */
	fg_usec drain_delay;   /* how long a pool that is to stop serves on, not ready any more */
	struct fg_str user;    /* workers become it when root starts the pool (the supervisor stays root); empty: stay */

	const struct fg_cidr *trusted_proxies;
	size_t trusted_proxy_count;

	struct fg_store_conf store;
	struct fg_dns_conf dns;
	struct fg_access_log_conf access_log;
	enum fg_log_level log_level;

	struct fg_service **services;
	size_t service_count;
	struct fg_route **routes; /* in the order of the file */
	size_t route_count;
	struct fg_router *router;
	struct fg_admin_conf admin;
	const struct fg_consumer *consumers;
	size_t consumer_count;
	struct fg_names consumer_names;
	const struct fg_policies *policies; /* one a filter, in the order of fg_filter_types */
	struct fg_header_set identity_headers; /* taken out of what clients send */
	const struct fg_str *credential_params; /* of queries: never logged */
	size_t credential_param_count;
};

/* NULL: nothing is said of that one. */
const struct fg_consumer *fg_config_consumer(const struct fg_config *config, struct fg_str name);

/* A worker's connection to the store; NULL: the configuration has none, or there is no loop. */
struct fg_redis *fg_config_open_store(const struct fg_config *config, struct fg_loop *loop, const struct fg_log *log);

/* A worker's resolver, which counts in stats (NULL: nothing is counted); NULL: this program has none, and libcurl resolves. */
struct fg_dns *fg_config_open_dns(const struct fg_config *config, struct fg_loop *loop, const struct fg_log *log,
    struct fg_stats *stats);

/* While a configuration is read, for policies: whether it has a store that other machines share. */
bool fg_config_has_store(const struct fg_conf *conf);

/* All policies of that filter, named or in place; the index of each is its place. */
const struct fg_policies *fg_config_policies(const struct fg_config *config, const struct fg_filter_type *type);

/*
 * Reads the file and what it includes. On FG_ERR_CONFIG every mistake stands in errors, a line each:
 * "FILE:LINE:COLUMN: routes.orders.methods[1]: "GTE" is not a method; did you mean GET?". FG_ERR_SYSTEM when the
 * file cannot be read (said in errors too).
 */
enum fg_err fg_config_load(struct fg_config **out, const char *file, struct fg_buf *errors) FG_MUST_CHECK;
/* The same, for a command that only looks at it. */
enum {
	FG_CONFIG_JSON = 1,   /* the mistakes as members of a JSON object (conf/conf.h) */
	FG_CONFIG_STREAM = 2, /* file may be a pipe or a terminal, which is read to its end */
	FG_CONFIG_MAY_LACK_FILES = 4, /* those that the gateway's own commands make */
};
enum fg_err fg_config_load_as(struct fg_config **out, const char *file, struct fg_buf *errors, unsigned flags)
    FG_MUST_CHECK;
/* NULL does nothing. */
void fg_config_free(struct fg_config *config);

/* The JSON Schema (draft 2020-12) and the reference page (Markdown), both made from the tables of keys. */
bool fg_config_format_schema(struct fg_buf *out);
bool fg_config_format_reference(struct fg_buf *out);

/* As the file has it. */
const char *fg_balance_word(enum fg_balance balance);

#endif
