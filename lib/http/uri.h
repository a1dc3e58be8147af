/*
 * The request target (RFC 9112 §3.2, RFC 3986) brought into the one canonical form that is both decided on and
 * forwarded. The web server is not trusted to have normalised anything.
 *
 *   target            path (forwarded)      match (decided on)
 *   /a/../b?x=1       /b                    /b
 *   /a/%2e%2e/b       /b                    /b
 *   /%61%2Fb%20c      /%61%2Fb%20c          /a<NUL>b c        an encoded slash is data, never a separator
 *   //x               //x                   //x               (merged with merge-slashes)
 *
 * Dot segments, plain or encoded, are removed as RFC 3986 §5.2.4 says and stop at the root. Valid percent-encoding is
 * forwarded as the client wrote it. In `match` an encoded slash is the byte NUL, which nothing else can produce, since
 * %00 is refused: so the decoded form stays injective.
 */
#ifndef FG_HTTP_URI_H
#define FG_HTTP_URI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define FG_URI_ENCODED_SLASH '\0' /* in fg_uri.match */

struct fg_uri {
	struct fg_str raw;       /* as received; borrowed */
	struct fg_str scheme;    /* of an absolute-form target, lower case; empty otherwise */
	struct fg_str authority; /* of an absolute-form target, as written; empty otherwise */
	struct fg_str path;      /* canonical, percent-encoded; begins with '/', or is "*" (OPTIONS *) */
	struct fg_str match;     /* canonical, decoded */
	struct fg_str query;     /* behind the '?', as received; may be empty */
	bool has_query;          /* there was a '?' */
	bool has_encoded_slash;  /* in the path */
	bool has_empty_segment;  /* "//" in the path */
};

/*
 * FG_ERR_TARGET_TOO_LONG, FG_ERR_TARGET_INVALID (bad percent-encoding, control or space character, fragment, not one of
 * the three forms), FG_ERR_PATH_AMBIGUOUS (NUL, backslash, overlong UTF-8 plain or encoded; a dot segment that shows
 * only once an encoded slash or a path parameter is read by the service, as in "..%2f" and "..;x").
 */
enum fg_err fg_uri_parse(struct fg_uri *uri, struct fg_str target, struct fg_arena *arena) FG_MUST_CHECK;

/* The same with runs of empty segments made one: path and match change, raw does not. */
void fg_uri_merge_slashes(struct fg_uri *uri, struct fg_arena *arena);

/* Length of the prefix of uri->path whose decoded form is the first match_len bytes of uri->match. */
size_t fg_uri_path_offset(const struct fg_uri *uri, size_t match_len);

/* Everything but unreserved characters (RFC 3986 §2.3) encoded. */
struct fg_str fg_uri_encode(struct fg_str text, struct fg_arena *arena);

/*
 * First parameter of that (decoded) name in a query string; the value decoded. False when there is none. Names and values
 * that do not decode stand for themselves.
 */
bool fg_query_get(struct fg_str query, struct fg_str name, struct fg_arena *arena, struct fg_str *value);
/* Whether it has that value. Allocates nothing. */
bool fg_query_is(struct fg_str query, struct fg_str name, struct fg_str wanted);

/*
 * A Host header's value, or an authority (RFC 3986 §3.2.2): the host in lower case without port, brackets kept and a
 * trailing dot removed; port 0 when there is none. Userinfo is refused. FG_ERR_HOST_INVALID.
 */
enum fg_err fg_host_parse(struct fg_str text, struct fg_arena *arena, struct fg_str *host, unsigned *port) FG_MUST_CHECK;

#endif
