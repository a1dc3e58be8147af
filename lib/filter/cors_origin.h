/* Origins of web pages (RFC 6454, Fetch "Origin header") and the patterns of them that a CORS policy lists. */
// (lines of this kind, since the patterns would end a comment of the other)
//
//   https://app.example.com          that origin alone; case and a default port are normalised when it is read
//   https://*.example.com            each name below example.com, however many labels; not example.com itself
//   http://localhost:*               any port, the default one too
//   null                             what pages without an origin send (sandboxed frames, files): many, unrelated ones
//   *                                any
#ifndef FG_FILTER_CORS_ORIGIN_H
#define FG_FILTER_CORS_ORIGIN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct fg_origin {
	bool is_any;          /* "*" */
	bool is_null;         /* "null" */
	bool any_name;        /* below host, which begins with its dot */
	bool any_port;
	struct fg_str scheme; /* "https://", lower case */
	struct fg_str host;   /* lower case; brackets kept */
	struct fg_str port;   /* ":8443"; empty: the scheme's own */
};

/* FG_ERR_SYNTAX with a message, in the arena, that goes on after the text in quotes: "has a path; …". */
enum fg_err fg_origin_parse(struct fg_origin *out, struct fg_str text, struct fg_arena *arena, struct fg_str *message)
    FG_MUST_CHECK;
/* Whether it takes an Origin header's value: byte by byte, since browsers send it in its normal form. */
bool fg_origin_takes(const struct fg_origin *origin, struct fg_str value);

#endif
