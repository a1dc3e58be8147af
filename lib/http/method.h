/*
 * Request methods: the IANA registry's, as bits of one word, so that a set of methods is a word. Any other token is
 * forwarded too, on routes that do not list methods; it is FG_METHOD_OTHER here.
 */
#ifndef FG_HTTP_METHOD_H
#define FG_HTTP_METHOD_H

#include "base/arena.h"
#include "base/str.h"

/* clang-format off */
#define FG_METHOD_TABLE(X) /* name, safe or idempotent (RFC 9110 §9.2.2, RFC 4918 and others) */ \
	X(GET, true) X(HEAD, true) X(POST, false) X(PUT, true) X(DELETE, true) X(CONNECT, false) \
	X(OPTIONS, true) X(TRACE, true) X(PATCH, false) X(ACL, true) X(BIND, true) X(CHECKIN, true) \
	X(CHECKOUT, true) X(COPY, true) X(LABEL, true) X(LINK, true) X(LOCK, false) X(MERGE, true) \
	X(MKACTIVITY, true) X(MKCALENDAR, true) X(MKCOL, true) X(MKREDIRECTREF, true) X(MKWORKSPACE, true) \
	X(MOVE, true) X(ORDERPATCH, true) X(PROPFIND, true) X(PROPPATCH, true) X(QUERY, true) X(REBIND, true) \
	X(REPORT, true) X(SEARCH, true) X(UNBIND, true) X(UNCHECKOUT, true) X(UNLINK, true) X(UNLOCK, true) \
	X(UPDATE, true) X(UPDATEREDIRECTREF, true) X(PURGE, true) X(NOTIFY, false) X(SUBSCRIBE, false) \
	X(UNSUBSCRIBE, false)
/* clang-format on */

enum fg_method {
#define FG_METHOD_SYMBOL(name, idempotent) FG_METHOD_##name,
	FG_METHOD_TABLE(FG_METHOD_SYMBOL)
#undef FG_METHOD_SYMBOL
	FG_METHOD_OTHER,
};

typedef uint64_t fg_method_set;
#define FG_METHOD_BIT(method) (UINT64_C(1) << (method))
#define FG_METHODS_ANY (~UINT64_C(0))

/* Case-sensitive (RFC 9110 §9.1); FG_METHOD_OTHER for what is not in the table. */
enum fg_method fg_method_parse(struct fg_str name);
/* "OTHER" for FG_METHOD_OTHER. */
struct fg_str fg_method_name(enum fg_method method);
/* "GET, HEAD"; empty for an empty set. FG_METHOD_OTHER has no name to be listed by. */
struct fg_str fg_method_set_format(fg_method_set set, struct fg_arena *arena);
bool fg_method_is_idempotent(enum fg_method method);

#endif
