/* One call to its end, or to its deadline, with all of the answer kept. */
#include "core/fetch.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/limits.h"
#include "core/exchange.h"
#include "http/method.h"

enum { MOST_AGE_SECONDS = 366 * 86400 };

struct fg_fetch {
	struct fg_arena arena; /* the request's strings, the answer's headers */
	struct fg_call *call; /* NULL: over */
	struct fg_timer timer;
	struct fg_task end_task;
	struct fg_buf body;
	struct fg_fetch_answer answer;
	struct fg_str request_body;
	size_t sent;
	fg_fetch_fn *fn;
	void *arg;
};

/* ---- URLs */

enum fg_err
fg_fetch_url_parse(struct fg_fetch_url *out, struct fg_str text, const char *ca, fg_usec connect_timeout, struct fg_arena *arena)
{
	size_t scheme = fg_str_starts_with(text, FG_STR("https://")) ? 8 : 7, slash = scheme;
	struct fg_fetch_url url = {.text = fg_arena_str(arena, text), .is_tls = scheme == 8};
	struct fg_endpoint_spec spec = {.version = FG_HTTP_1_1, .connect_timeout = connect_timeout, .verify = true, .ca_file = ca};
	struct fg_endpoint *endpoint;

	if (!url.is_tls && !fg_str_starts_with(text, FG_STR("http://")))
		return FG_ERR_SYNTAX;
	while (slash < text.len && text.p[slash] != '/' && text.p[slash] != '?')
		slash++;
	for (size_t i = slash; i < text.len; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f || text.p[i] == '#')
			return FG_ERR_SYNTAX;
	spec.url = fg_arena_str(arena, fg_str_slice(text, 0, slash));
	if (fg_endpoint_new(&endpoint, &spec, arena) != FG_OK)
		return FG_ERR_SYNTAX;
	url.endpoint = endpoint;
	url.authority = fg_str_slice(url.text, scheme, slash);
	url.target = fg_str_slice(url.text, slash, text.len);
	if (url.target.len == 0 || url.target.p[0] == '?')
		url.target = FG_ARENA_CONCAT(arena, FG_STR("/"), url.target);
	*out = url;
	return FG_OK;
}

bool
fg_fetch_url_is_local(const struct fg_fetch_url *url)
{
	struct fg_str host = url->authority, port = FG_STR_NONE;

	(void)fg_host_port_split(url->authority, &host, &port);
	return fg_str_starts_with(host, FG_STR("127.")) || fg_str_eq(host, FG_STR("[::1]")) || fg_str_eq(host, FG_STR("::1")) ||
	    fg_str_ieq(host, FG_STR("localhost"));
}

fg_usec
fg_fetch_max_age(const struct fg_headers *headers)
{
	const struct fg_header *header = fg_headers_find(headers, FG_STR("Cache-Control"));
	struct fg_str rest = header == NULL ? FG_STR_NONE : header->value, item;
	fg_usec age = -1;
	uint64_t seconds;

	while (fg_str_next(&rest, ',', &item)) {
		item = fg_str_trim(item);
		if (fg_str_ieq(item, FG_STR("no-store")) || fg_str_ieq(item, FG_STR("no-cache")))
			return 0;
		if (fg_str_ieq(fg_str_slice(item, 0, 8), FG_STR("max-age=")) &&
		    fg_str_to_u64(fg_str_slice(item, 8, item.len), &seconds) && seconds <= MOST_AGE_SECONDS)
			age = (fg_usec)seconds * FG_US_PER_S;
	}
	return age;
}

/* ---- its end */

static void
fetch_free(struct fg_fetch *fetch)
{
	if (fetch->call != NULL)
		fg_call_cancel(fetch->call);
	fg_timer_stop(&fetch->timer);
	fg_task_cancel(&fetch->end_task);
	fg_buf_fini(&fetch->body);
	fg_arena_fini(&fetch->arena);
	free(fetch);
}

static void
finish(void *arg)
{
	struct fg_fetch *fetch = arg;

	fetch->answer.body = fg_buf_str(&fetch->body);
	fetch->fn(fetch->arg, &fetch->answer);
	fetch_free(fetch);
}

void
fg_fetch_cancel(struct fg_fetch *fetch)
{
	fetch_free(fetch);
}

static void
on_deadline(struct fg_timer *timer, void *arg)
{
	struct fg_fetch *fetch = arg;

	(void)timer;
	fetch->answer.err = FG_ERR_SERVICE_TIMEOUT;
	fg_task_post(&fetch->end_task);
}

/* ---- the call */

static enum fg_flow
on_status(void *arg, int status)
{
	((struct fg_fetch *)arg)->answer.status = status;
	return FG_FLOW_GO;
}

static enum fg_flow
on_header(void *arg, struct fg_str name, struct fg_str value)
{
	struct fg_fetch *fetch = arg;

	if (fg_headers_add(&fetch->answer.headers, fg_arena_str(&fetch->arena, name), fg_arena_str(&fetch->arena, value)) == FG_OK)
		return FG_FLOW_GO;
	fg_call_fail_with(fetch->call, FG_ERR_SERVICE_HEADERS_TOO_LARGE);
	return FG_FLOW_FAIL;
}

static enum fg_flow
on_head_end(void *arg)
{
	(void)arg;
	return FG_FLOW_GO;
}

static enum fg_flow
on_body(void *arg, struct fg_str chunk)
{
	struct fg_fetch *fetch = arg;

	size_t room = fetch->body.max - fetch->body.len;

	if (fg_buf_add(&fetch->body, fg_str_slice(chunk, 0, room)) && chunk.len <= room)
		return FG_FLOW_GO;
	fg_call_fail_with(fetch->call, FG_ERR_TOO_LARGE);
	return FG_FLOW_FAIL;
}

static enum fg_flow
on_send(void *arg, char *buf, size_t size, size_t *len)
{
	struct fg_fetch *fetch = arg;
	struct fg_str piece = fg_str_slice(fetch->request_body, fetch->sent, fetch->sent + size);

	if (piece.len > 0)
		memcpy(buf, piece.p, piece.len);
	fetch->sent += piece.len;
	*len = piece.len;
	return FG_FLOW_GO;
}

static void
on_end(void *arg, enum fg_err err)
{
	struct fg_fetch *fetch = arg;

	fetch->answer.connect_error = fg_call_connect_error(fetch->call);
	fetch->call = NULL;
	fetch->answer.err = err;
	fg_task_post(&fetch->end_task);
}

static const struct fg_call_ops call_ops = {
    .on_status = on_status,
    .on_header = on_header,
    .on_head_end = on_head_end,
    .on_body = on_body,
    .on_send = on_send,
    .on_end = on_end,
};

static struct fg_call_header *
copy_headers(struct fg_fetch *fetch, const struct fg_fetch_spec *spec)
{
	struct fg_call_header *headers = FG_ARENA_ARRAY(&fetch->arena, struct fg_call_header, spec->header_count + 1);

	headers[0] = (struct fg_call_header){FG_STR("Host"), fg_arena_str(&fetch->arena, spec->url->authority)};
	for (size_t i = 0; i < spec->header_count; i++)
		headers[i + 1] = (struct fg_call_header){fg_arena_str(&fetch->arena, spec->headers[i].name),
		    fg_arena_str(&fetch->arena, spec->headers[i].value)};
	return headers;
}

struct fg_fetch *
fg_fetch_start(struct fg_gateway *gw, const struct fg_fetch_spec *spec, fg_fetch_fn *fn, void *arg)
{
	struct fg_fetch *fetch = calloc(1, sizeof(*fetch));
	struct fg_call_spec call = {.endpoint = spec->url->endpoint, .header_count = spec->header_count + 1};

	FG_ASSERT(fetch != NULL && gw->client != NULL);
	fg_arena_init(&fetch->arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	fg_buf_init(&fetch->body, spec->max_body);
	fg_headers_init(&fetch->answer.headers, &fetch->arena);
	fetch->fn = fn;
	fetch->arg = arg;
	if (spec->body.p != NULL)
		fetch->request_body = fg_arena_str(&fetch->arena, spec->body);
	call.method = fg_arena_str(&fetch->arena, spec->method);
	call.target = fg_arena_str(&fetch->arena, spec->url->target);
	call.headers = copy_headers(fetch, spec);
	call.has_body = spec->body.p != NULL;
	call.body_length = (int64_t)spec->body.len;
	call.replayable = spec->body.p == NULL && fg_method_is_idempotent(fg_method_parse(spec->method));
	call.arena = &fetch->arena;
	fg_task_init(&fetch->end_task, gw->loop, finish, fetch);
	fg_timer_init(&fetch->timer, gw->loop, on_deadline, fetch);
	fg_timer_start(&fetch->timer, spec->deadline);
	fetch->call = fg_call_start(gw->client, &call, &call_ops, fetch);
	return fetch;
}
