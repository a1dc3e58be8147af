/* The keys of edits (core/edit.h) as they stand under `headers:` and `query:`. */
#ifndef FG_CORE_EDIT_KEYS_H
#define FG_CORE_EDIT_KEYS_H

#include "conf/keys.h"
#include "core/edit.h"
#include "core/var.h"

/* Of a struct fg_edit. */
extern const struct fg_conf_key fg_edit_header_keys[];
extern const struct fg_conf_key fg_edit_query_keys[];

/* The `check` of the name of a header that the gateway is to set: neither Host nor one that frames the message. */
void fg_edit_check_header_name(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out);
/* The `check` of a section of these keys. */
void fg_edit_check(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out);

/* Calls fn for each request variable that the edit's templates use. */
void fg_edit_each_var(const struct fg_edit *edit, void (*fn)(void *arg, const struct fg_var *var), void *arg);

#endif
