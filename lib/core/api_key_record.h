/*
 * What is kept of an API key: its hash, never the key itself, and what is known of whoever has it. Records stand in a file
 * (YAML, one list) or in the store (core/api_key_store.h).
 */
#ifndef FG_CORE_API_KEY_RECORD_H
#define FG_CORE_API_KEY_RECORD_H

#include "base/buf.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "router/router.h"
#include "token/api_key.h"

struct fg_api_key_record {
	struct fg_api_key_hash hash;
	struct fg_str consumer;            /* never empty */
	struct fg_str prefix;              /* by which logs and people name it; empty: none */
	fg_usec created, expires, revoked; /* wall clock; 0: not known, never, not */
	const struct fg_name_value *meta;  /* attributes: the claims of whoever shows the key */
	size_t meta_count;
};

struct fg_api_key_file {
	struct fg_api_key_record *v;
	size_t count;
};

/*
 * Reads the file (a path as fg_conf_resolve() gives it) into conf->arena; mistakes are noted at their places in it, or at the
 * node when it cannot be read. missing_is_empty: a command is about to make it. False: something was wrong.
 */
bool fg_api_key_file_read(struct fg_api_key_file *out, struct fg_conf *conf, const struct fg_conf_node *node,
    struct fg_str path, bool missing_is_empty);
/* By consumer, then by age. */
void fg_api_key_file_sort(struct fg_api_key_file *file);
/* As it is written, in that order, into which the records are put. */
bool fg_api_key_file_format(struct fg_api_key_file *file, struct fg_buf *out);

/* FG_OK, FG_ERR_API_KEY_REVOKED or FG_ERR_API_KEY_EXPIRED at that time. */
enum fg_err fg_api_key_record_check(const struct fg_api_key_record *record, fg_usec wall);

/* What may be a consumer, or the value of an attribute: up to 256 bytes without control characters. */
bool fg_api_key_text_is_good(struct fg_str text);

#endif
