/*
 * Request variables and the templates made of them: one vocabulary wherever a value is taken from a request
 * (`consumer`, `ip`, `host`, `method`, `path`, `route`, `request-id`, `header:NAME`, `cookie:NAME`, `query:NAME`, `path:NAME`,
 * `claim:NAME`). In a template they stand in braces, "{name:-default}" has a default, "{{" is a brace.
 */
#ifndef FG_CORE_VAR_H
#define FG_CORE_VAR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct fg_exchange;
struct fg_template;

enum fg_var_kind {
	FG_VAR_IP, FG_VAR_HOST, FG_VAR_METHOD, FG_VAR_PATH, FG_VAR_ROUTE, FG_VAR_REQUEST_ID,
	FG_VAR_HEADER, FG_VAR_COOKIE, FG_VAR_QUERY, FG_VAR_PATH_SEGMENT, FG_VAR_CONSUMER, FG_VAR_CLAIM,
};

struct fg_var {
	enum fg_var_kind kind;
	struct fg_str name; /* of header:, cookie:, query:, path:, claim: */
};

/* FG_ERR_SYNTAX with a message in the arena: unknown variable (with a suggestion), missing name. */
enum fg_err fg_var_parse(struct fg_var *var, struct fg_str text, struct fg_arena *arena, struct fg_str *message)
    FG_MUST_CHECK;
/* As it is written: "header:X-Tenant". In arena. */
struct fg_str fg_var_format(const struct fg_var *var, struct fg_arena *arena);
/*
 * False when it is absent. The value lives as long as the exchange. path is the canonical one, percent-encoded;
 * path:NAME and query:NAME are decoded; of a header, cookie or parameter that comes twice the first counts.
 * consumer and claim:NAME are absent while nobody has been authenticated; a claim that is an array is its elements joined by
 * commas.
 */
bool fg_var_get(const struct fg_var *var, struct fg_exchange *x, struct fg_str *value);

/* Of all their values; the same in every process. In place of one that is absent stands the client's address. */
uint64_t fg_var_hash(const struct fg_var *vars, size_t count, struct fg_exchange *x);

/* How the values of variables are written into the text. */
enum fg_template_use {
	FG_TEMPLATE_HEADER, /* as they are; a value that is no field value (RFC 9110 §5.5) is as if absent */
	FG_TEMPLATE_PATH,   /* path and path:NAME as the client wrote them, all others percent-encoded */
	FG_TEMPLATE_QUERY,  /* percent-encoded; the template's own text too */
};

/*
 * FG_ERR_SYNTAX with a message. "{rest}" is short for "{path:rest}". In a path, a variable that a request may lack
 * (header:, cookie:, query:, consumer, claim:) needs a default. Whether the route has a path:NAME is the caller's to check, with
 * fg_template_each_var() and fg_route_path_names().
 */
enum fg_err fg_template_parse(struct fg_template **out, struct fg_str text, enum fg_template_use use,
    struct fg_arena *arena, struct fg_str *message) FG_MUST_CHECK;
/* Calls fn for each variable of the template. */
void fg_template_each_var(const struct fg_template *template, void (*fn)(void *arg, const struct fg_var *var), void *arg);
/*
 * False when a variable without a default is absent, or the whole longer than FG_MAX_TEMPLATE_BYTES: then the header (query
 * parameter) is not set at all. In a path, an optional group of a regex that took no part is empty.
 */
bool fg_template_render(const struct fg_template *template, struct fg_exchange *x, struct fg_str *out);
/* The text as it was written. */
struct fg_str fg_template_text(const struct fg_template *template);

#endif
