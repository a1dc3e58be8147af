/* Applies edits; the filters `request` and `response` say to what. */
#include "core/edit.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/percent.h"
#include "core/exchange.h"
#include "core/var.h"

bool
fg_edit_may_touch(struct fg_str header_name)
{
	switch (fg_header_id(header_name)) {
	case FG_HDR_CONNECTION:
	case FG_HDR_CONTENT_LENGTH:
	case FG_HDR_HOST:
	case FG_HDR_KEEP_ALIVE:
	case FG_HDR_PROXY:
	case FG_HDR_PROXY_CONNECTION:
	case FG_HDR_STATUS:
	case FG_HDR_TE:
	case FG_HDR_TRAILER:
	case FG_HDR_TRANSFER_ENCODING:
	case FG_HDR_UPGRADE:
		return false;
	default:
		return fg_is_token(header_name);
	}
}

static void
rename_header(struct fg_headers *headers, const struct fg_edit_name *edit)
{
	bool found = false;

	for (size_t i = 0; i < headers->count; i++)
		found |= fg_str_ieq(headers->v[i].name, edit->from);
	if (!found)
		return;
	/* What the new name held before must not be read together with what it now stands for. */
	fg_headers_remove(headers, edit->to);
	for (size_t i = 0; i < headers->count; i++) {
		struct fg_header *header = &headers->v[i];

		if (fg_str_ieq(header->name, edit->from)) {
			header->name = edit->to;
			header->id = fg_header_id(edit->to);
		}
	}
}

/*
 * A value made for x. *budget is what all values of one message may still take: a client that fills the headers that
 * templates repeat must not fill the arena. Over it *err is set.
 */
static bool
render(const struct fg_edit_value *edit, struct fg_exchange *x, size_t *budget, enum fg_err *err, struct fg_str *value)
{
	if (*err != FG_OK || !fg_template_render(edit->value, x, value))
		return false;
	if (value->len > *budget) {
		*err = FG_ERR_HEADERS_TOO_LARGE;
		return false;
	}
	*budget -= value->len;
	return true;
}

enum fg_err
fg_edit_headers(const struct fg_edit *edit, struct fg_headers *headers, struct fg_exchange *x)
{
	size_t budget = FG_MAX_EDIT_BYTES;
	enum fg_err err = FG_OK;
	struct fg_str value;

	for (size_t i = 0; i < edit->remove_count; i++)
		fg_headers_remove(headers, edit->remove[i]);
	for (size_t i = 0; i < edit->rename_count; i++)
		rename_header(headers, &edit->rename[i]);
	for (size_t i = 0; i < edit->set_count && err == FG_OK; i++) {
		/* Also when it cannot be set: the client's own value must not stand where ours was meant to. */
		if (render(&edit->set[i], x, &budget, &err, &value))
			err = fg_headers_set(headers, edit->set[i].name, value);
		else
			fg_headers_remove(headers, edit->set[i].name);
	}
	for (size_t i = 0; i < edit->add_count && err == FG_OK; i++)
		if (render(&edit->add[i], x, &budget, &err, &value))
			err = fg_headers_add(headers, edit->add[i].name, value);
	return err;
}

/* ---- queries */

struct query {
	struct fg_buf text;
	struct fg_arena *arena;
	bool *set_done; /* one for each of edit->set */
	size_t budget;
	enum fg_err err;
};

static void
add_param(struct query *query, struct fg_str name, struct fg_str value)
{
	if (query->text.len > 0)
		fg_buf_add_char(&query->text, '&');
	fg_buf_add(&query->text, fg_uri_encode(name, query->arena));
	fg_buf_add_char(&query->text, '=');
	fg_buf_add(&query->text, value); /* rendered for a query: encoded already */
}

static void
add_raw(struct query *query, struct fg_str part)
{
	if (query->text.len > 0)
		fg_buf_add_char(&query->text, '&');
	fg_buf_add(&query->text, part);
}

static bool
is_removed(const struct fg_edit *edit, struct fg_str name)
{
	for (size_t i = 0; i < edit->remove_count; i++)
		if (fg_str_eq(edit->remove[i], name))
			return true;
	return false;
}

static void
edit_param(struct query *query, const struct fg_edit *edit, struct fg_str part, struct fg_exchange *x)
{
	size_t equals = fg_str_find(part, '=');
	struct fg_str name, value;

	if (!fg_percent_decode(fg_str_slice(part, 0, equals), true, query->arena, &name))
		name = fg_str_slice(part, 0, equals);
	if (is_removed(edit, name))
		return;
	for (size_t i = 0; i < edit->rename_count; i++) {
		if (fg_str_eq(edit->rename[i].from, name)) {
			name = edit->rename[i].to;
			part = FG_ARENA_CONCAT(query->arena, fg_uri_encode(name, query->arena),
			    fg_str_slice(part, equals, part.len));
			break;
		}
	}
	for (size_t i = 0; i < edit->set_count; i++) {
		if (!fg_str_eq(edit->set[i].name, name))
			continue;
		if (!query->set_done[i] && render(&edit->set[i], x, &query->budget, &query->err, &value))
			add_param(query, name, value);
		query->set_done[i] = true;
		return;
	}
	add_raw(query, part);
}

enum fg_err
fg_edit_query(const struct fg_edit *edit, struct fg_exchange *x)
{
	struct fg_uri *uri = &x->req.uri;
	struct query query = {.arena = &x->arena, .budget = FG_MAX_TARGET_BYTES, .err = FG_OK};
	struct fg_str rest = uri->query, part, value;
	enum fg_err err = FG_OK;

	fg_buf_init(&query.text, FG_MAX_TARGET_BYTES);
	query.set_done = FG_ARENA_ARRAY(&x->arena, bool, edit->set_count);
	while (fg_str_next(&rest, '&', &part))
		edit_param(&query, edit, part, x);
	for (size_t i = 0; i < edit->set_count; i++)
		if (!query.set_done[i] && render(&edit->set[i], x, &query.budget, &query.err, &value))
			add_param(&query, edit->set[i].name, value);
	for (size_t i = 0; i < edit->add_count; i++)
		if (render(&edit->add[i], x, &query.budget, &query.err, &value))
			add_param(&query, edit->add[i].name, value);
	if (query.text.failed || query.err != FG_OK) {
		err = FG_ERR_TARGET_TOO_LONG;
	} else {
		/* A '?' that the client wrote stays, with nothing behind it if so be. */
		uri->has_query = query.text.len > 0 || (uri->has_query && uri->query.len == 0);
		uri->query = fg_arena_str(&x->arena, fg_buf_str(&query.text));
		x->req.merged_uri.query = uri->query;
		x->req.merged_uri.has_query = uri->has_query;
	}
	fg_buf_fini(&query.text);
	return err;
}
