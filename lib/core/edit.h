/*
 * Edits of headers and of a query, as the configuration writes them: {set, add, remove, rename}. They apply in the order
 * remove, rename, set, add, whatever their order in the file.
 */
#ifndef FG_CORE_EDIT_H
#define FG_CORE_EDIT_H

#include "http/headers.h"

struct fg_exchange;
struct fg_template;

struct fg_edit_value {
	struct fg_str name;
	const struct fg_template *value;
};

struct fg_edit_name {
	struct fg_str from, to;
};

/* All of it lives in the configuration's arena. */
struct fg_edit {
	const struct fg_edit_value *set;    /* one of that name, in place of all */
	size_t set_count;
	const struct fg_edit_value *add;    /* one more */
	size_t add_count;
	const struct fg_str *remove;
	size_t remove_count;
	const struct fg_edit_name *rename;  /* values stay */
	size_t rename_count;
};

/*
 * A value whose template lacks a variable (and its default) is not set and not added. FG_ERR_HEADERS_TOO_LARGE when
 * the headers become too many.
 */
enum fg_err fg_edit_headers(const struct fg_edit *edit, struct fg_headers *headers, struct fg_exchange *x) FG_MUST_CHECK;

/*
 * Parameters are compared decoded; those that no edit names stay as the client wrote them, byte for byte and in
 * order. Gives the new query and whether there is one. FG_ERR_TARGET_TOO_LONG beyond FG_MAX_TARGET_BYTES.
 */
enum fg_err fg_edit_query(const struct fg_edit *edit, struct fg_exchange *x) FG_MUST_CHECK;

/* Whether an edit may touch that header: not those that frame the message or belong to one connection. */
bool fg_edit_may_touch(struct fg_str header_name);

#endif
