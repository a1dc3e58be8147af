/*
 * Answers of the gateway itself: application/problem+json (RFC 9457), or a small page for those who prefer HTML. All
 * text comes from the table of outcomes; nothing of the request but its id is repeated.
 */
#include "core/engine.h"

#include <stdio.h>

#include "core/config.h"

const char *
fg_status_phrase(int status)
{
	switch (status) {
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 203: return "Non-Authoritative Information";
	case 204: return "No Content";
	case 205: return "Reset Content";
	case 206: return "Partial Content";
	case 207: return "Multi-Status";
	case 300: return "Multiple Choices";
	case 301: return "Moved Permanently";
	case 302: return "Found";
	case 303: return "See Other";
	case 304: return "Not Modified";
	case 307: return "Temporary Redirect";
	case 308: return "Permanent Redirect";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 407: return "Proxy Authentication Required";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 410: return "Gone";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
	case 417: return "Expectation Failed";
	case 418: return "I'm a teapot";
	case 421: return "Misdirected Request";
	case 422: return "Unprocessable Content";
	case 423: return "Locked";
	case 424: return "Failed Dependency";
	case 425: return "Too Early";
	case 426: return "Upgrade Required";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 451: return "Unavailable For Legal Reasons";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 507: return "Insufficient Storage";
	default: return "Status";
	}
}

/* The q of a media range's parameters in thousandths (RFC 9110 §12.4.2); 1000 when there is none. */
static int
quality(struct fg_str params)
{
	struct fg_str param;

	while (fg_str_next(&params, ';', &param)) {
		int value = 0, weight = 100;

		param = fg_str_trim(param);
		if (param.len < 3 || (param.p[0] != 'q' && param.p[0] != 'Q') || param.p[1] != '=')
			continue;
		if (param.p[2] == '1')
			return 1000;
		for (size_t i = 4; i < param.len && i < 7 && param.p[i] >= '0' && param.p[i] <= '9'; i++) {
			value += (param.p[i] - '0') * weight;
			weight /= 10;
		}
		return value;
	}
	return 1000;
}

/* Of the ranges that match a type the most specific decides (RFC 9110 §12.5.1). */
struct preference {
	int html, html_specific, json, json_specific;
};

static void
weigh(struct preference *best, struct fg_str range, int q)
{
	static const struct {
		struct fg_str range;
		int html, json; /* how specific a match it is; 0: none */
	} ranges[] = {
	    {FG_STR_INIT("*/*"), 1, 1},
	    {FG_STR_INIT("text/*"), 2, 0},
	    {FG_STR_INIT("application/*"), 0, 2},
	    {FG_STR_INIT("text/html"), 3, 0},
	    {FG_STR_INIT("application/json"), 0, 3},
	    {FG_STR_INIT("application/problem+json"), 0, 4},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(ranges); i++) {
		if (!fg_str_ieq(range, ranges[i].range))
			continue;
		if (ranges[i].html > best->html_specific) {
			best->html_specific = ranges[i].html;
			best->html = q;
		}
		if (ranges[i].json > best->json_specific) {
			best->json_specific = ranges[i].json;
			best->json = q;
		}
	}
}

static bool
prefers_html(struct fg_str accept)
{
	struct preference best = {0, 0, 0, 0};
	struct fg_str item;

	while (fg_str_next(&accept, ',', &item)) {
		size_t end = fg_str_find(item, ';');

		weigh(&best, fg_str_trim(fg_str_slice(item, 0, end)), quality(fg_str_slice(item, end + 1, item.len)));
	}
	return best.html_specific == 3 && best.html > best.json;
}

static struct fg_str
format_json(struct fg_exchange *x, const struct fg_err_info *info)
{
	return fg_arena_printf(&x->arena,
	    "{\"type\":\"urn:faregate:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\",\"instance\":\"" FG_STR_FMT
	    "\"}\n",
	    info->token, info->title, info->status, info->detail, FG_STR_ARG(x->req.id));
}

static struct fg_str
format_html(struct fg_exchange *x, const struct fg_err_info *info)
{
	return fg_arena_printf(&x->arena,
	    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %s</title></head>\n"
	    "<body><h1>%s</h1><p>%s</p><p><small>%s &middot; " FG_STR_FMT "</small></p></body></html>\n",
	    info->status, info->title, info->title, info->detail, info->token, FG_STR_ARG(x->req.id));
}

static void
add(struct fg_exchange *x, const char *name, struct fg_str value)
{
	FG_ASSERT(fg_headers_add(&x->resp.headers, fg_str_from(name), value) == FG_OK);
}

void
fg_reply_problem(struct fg_exchange *x, enum fg_err reason)
{
	const struct fg_err_info *info = fg_err_info(reason);
	bool html = prefers_html(fg_headers_value(&x->req.headers, FG_HDR_ACCEPT));

	FG_ASSERT(info->status != 0);
	x->resp.status = info->status;
	x->own_body = html ? format_html(x, info) : format_json(x, info);
	x->own_sent = 0;
	add(x, "Content-Type", html ? FG_STR("text/html; charset=utf-8") : FG_STR("application/problem+json"));
	/* Some of these statuses may be cached by default (RFC 9110 §15.1); what is wrong now may be mended soon. */
	add(x, "Cache-Control", FG_STR("no-store"));
	if (info->status == 503)
		add(x, "Retry-After", fg_arena_u64(&x->arena, x->retry_after > 1 ? (uint64_t)x->retry_after : 1));
}
