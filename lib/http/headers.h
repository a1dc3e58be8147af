/*
 * Header fields in order, repeated ones kept apart. Names compare without regard to case (RFC 9110 §5.1); a name that
 * the gateway itself deals with has an id, so that looking for it is a comparison of small numbers.
 */
#ifndef FG_HTTP_HEADERS_H
#define FG_HTTP_HEADERS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* clang-format off */
#define FG_HEADER_TABLE(X) \
	X(ACCEPT, "Accept") X(ALLOW, "Allow") X(AUTHORIZATION, "Authorization") X(CONNECTION, "Connection") \
	X(CONTENT_LENGTH, "Content-Length") X(CONTENT_TYPE, "Content-Type") X(COOKIE, "Cookie") X(DATE, "Date") \
	X(EXPECT, "Expect") X(FORWARDED, "Forwarded") X(HOST, "Host") X(KEEP_ALIVE, "Keep-Alive") \
	X(LOCATION, "Location") X(PROXY, "Proxy") X(PROXY_CONNECTION, "Proxy-Connection") \
	X(RETRY_AFTER, "Retry-After") X(SERVER, "Server") X(STATUS, "Status") X(TE, "TE") \
	X(TRACEPARENT, "Traceparent") X(TRACESTATE, "Tracestate") X(TRAILER, "Trailer") \
	X(TRANSFER_ENCODING, "Transfer-Encoding") X(UPGRADE, "Upgrade") X(USER_AGENT, "User-Agent") X(VIA, "Via") \
	X(X_FORWARDED_FOR, "X-Forwarded-For") X(X_FORWARDED_HOST, "X-Forwarded-Host") \
	X(X_FORWARDED_PORT, "X-Forwarded-Port") X(X_FORWARDED_PROTO, "X-Forwarded-Proto") \
	X(X_REQUEST_ID, "X-Request-Id") X(REFERER, "Referer") X(X_ACCEL_REDIRECT, "X-Accel-Redirect") \
	X(X_LIGHTTPD_SEND_FILE, "X-LIGHTTPD-send-file") X(X_LIGHTTPD_SEND_TEMPFILE, "X-LIGHTTPD-send-tempfile") \
	X(X_SENDFILE, "X-Sendfile") X(X_SENDFILE2, "X-Sendfile2")
/* clang-format on */

enum fg_header_id {
	FG_HDR_UNKNOWN,
#define FG_HEADER_SYMBOL(symbol, name) FG_HDR_##symbol,
	FG_HEADER_TABLE(FG_HEADER_SYMBOL)
#undef FG_HEADER_SYMBOL
	FG_HDR_COUNT,
};

#define FG_HEADER_BIT(id) (UINT64_C(1) << (id))

struct fg_header {
	struct fg_str name, value; /* borrowed; live as long as the exchange */
	enum fg_header_id id;
};

struct fg_headers {
	struct fg_header *v; /* in the arena */
	size_t count, cap;
	struct fg_arena *arena; /* borrowed */
};

void fg_headers_init(struct fg_headers *headers, struct fg_arena *arena);
enum fg_header_id fg_header_id(struct fg_str name);
struct fg_str fg_header_name(enum fg_header_id id);

/* At the end. FG_ERR_HEADERS_TOO_LARGE beyond FG_MAX_HEADERS. Borrows name and value. */
enum fg_err fg_headers_add(struct fg_headers *headers, struct fg_str name, struct fg_str value) FG_MUST_CHECK;
/* All of that name give way to one, at the place of the first. */
enum fg_err fg_headers_set(struct fg_headers *headers, struct fg_str name, struct fg_str value) FG_MUST_CHECK;
/* How many were removed. */
size_t fg_headers_remove(struct fg_headers *headers, struct fg_str name);
size_t fg_headers_remove_id(struct fg_headers *headers, enum fg_header_id id);
/* All of several ids in one pass: the bits FG_HEADER_BIT(id). */
size_t fg_headers_remove_set(struct fg_headers *headers, uint64_t ids);
/* The first of that name; NULL when there is none. */
const struct fg_header *fg_headers_find(const struct fg_headers *headers, struct fg_str name);
/* The value of a request's cookie (RFC 6265 §5.4: "a=1; b=2"); of a name that comes twice, the first. False: there is none. */
bool fg_headers_cookie(const struct fg_headers *headers, struct fg_str name, struct fg_str *value);
const struct fg_header *fg_headers_find_id(const struct fg_headers *headers, enum fg_header_id id);
/* Value of the first of that id, or an empty string. */
struct fg_str fg_headers_value(const struct fg_headers *headers, enum fg_header_id id);
/*
 * Removes what belongs to one connection alone (RFC 9110 §7.6.1): the standard ones, and those that Connection names.
 * "Proxy" goes too: as HTTP_PROXY it would steer clients' libraries behind us (CVE-2016-5385).
 */
void fg_headers_remove_hop_by_hop(struct fg_headers *headers);

/* ---- sets of names */

/* Names without regard to case, and with '_' for '-': the spellings that CGI does not keep apart. Immutable once made. */
struct fg_header_set {
	const struct fg_str *names; /* in lower case, '_' as '-' */
	size_t count;
	uint64_t lengths;           /* bit len % 64 of each: what a name is looked at first */
};

/* Adds a copy of the name, unless it is there already. */
void fg_header_set_add(struct fg_header_set *set, struct fg_str name, struct fg_arena *arena);
bool fg_header_set_has(const struct fg_header_set *set, struct fg_str name);
/* Removes all that are in the set. How many they were. */
size_t fg_headers_remove_named(struct fg_headers *headers, const struct fg_header_set *set);

#endif
