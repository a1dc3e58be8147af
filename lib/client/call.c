/*
 * One call: the easy handle's options, the request as libcurl wants it, and libcurl's callbacks turned into ours.
 * What runs when, and how a call ends, is client.c's.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "client/client_internal.h"

/*
 * Small: a call that waits for a slow service holds the first; one that sends holds the second too. libcurl adds a byte
 * to the first, which makes 32 KB: the most that jemalloc keeps at hand for a thread.
 */
enum { READ_BUFFER_BYTES = 32 * 1024 - 1, SEND_BUFFER_BYTES = 16 * 1024 };

/* ---- libcurl's callbacks */

static void
fail(struct fg_call *call, enum fg_err err)
{
	if (call->err == FG_OK)
		call->err = err;
}

/* At least 1: 0 means that it has not happened. */
static fg_usec
since_start(const struct fg_call *call)
{
	fg_usec span = fg_loop_clock(call->client->loop)->mono - call->started;

	return span > 0 ? span : 1;
}

/* What a caller's callback returned, as far as it ends the call. */
static bool
goes_on(struct fg_call *call, enum fg_flow flow)
{
	if (call->state == FG_CALL_DOOMED)
		return false;
	if (flow == FG_FLOW_FAIL)
		fail(call, FG_ERR_INTERNAL);
	return flow != FG_FLOW_FAIL;
}

static bool
end_head(struct fg_call *call)
{
	if (call->head.must_close)
		fg_call_forbid_reuse(call);
	if (!goes_on(call, call->ops->on_head_end(call->arg)))
		return false;
	if (call->ends_at_head) {
		call->is_complete = true;
		return false;
	}
	return true;
}

bool
fg_call_take_head_line(struct fg_call *call, struct fg_str line)
{
	struct fg_head_item item;
	enum fg_err err;
	enum fg_flow flow = FG_FLOW_GO;

	if (call->times.first_byte == 0)
		call->times.first_byte = since_start(call);
	err = fg_head_line(&call->head, line, &item);
	if (err != FG_OK) {
		fail(call, err);
		return false;
	}
	switch (item.event) {
	case FG_HEAD_NOTHING:
		return true;
	case FG_HEAD_STATUS:
		flow = call->ops->on_status(call->arg, call->head.status);
		break;
	case FG_HEAD_FIELD:
		flow = call->ops->on_header(call->arg, item.name, item.value);
		break;
	case FG_HEAD_END:
		return end_head(call);
	}
	FG_ASSERT(flow != FG_FLOW_PAUSE);
	return goes_on(call, flow);
}

void
fg_call_forbid_reuse(struct fg_call *call)
{
	if (call->forbids_reuse)
		return;
	call->forbids_reuse = true;
	FG_EASY_SET(call->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* A return value other than the length makes libcurl end the transfer. */
static size_t
on_head_line(char *p, size_t size, size_t count, void *arg)
{
	struct fg_call *call = arg;
	size_t len = size * count;

	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	if (call->state == FG_CALL_DOOMED || !fg_call_take_head_line(call, (struct fg_str){p, len}))
		return 0;
	return len;
}

static size_t
on_body(char *p, size_t size, size_t count, void *arg)
{
	struct fg_call *call = arg;
	size_t len = size * count;
	enum fg_flow flow;

	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	if (call->state == FG_CALL_DOOMED)
		return 0;
	flow = call->ops->on_body(call->arg, (struct fg_str){p, len});
	if (!goes_on(call, flow))
		return 0;
	if (flow == FG_FLOW_GO) {
		call->received += len;
		return len;
	}
	call->body_paused = true;
	return CURL_WRITEFUNC_PAUSE;
}

/* With its sending paused, libcurl does not end a transfer whose connection the service has closed. */
static bool
is_peer_gone(const struct fg_call *call)
{
	char byte;

	return call->socket != NULL && recv(call->socket->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static size_t
send_some(struct fg_call *call, char *buf, size_t room)
{
	size_t len = 0;
	enum fg_flow flow;

	if (call->body_left == 0)
		return 0;
	if (call->body_left > 0 && (uint64_t)call->body_left < room)
		room = (size_t)call->body_left;
	flow = call->ops->on_send(call->arg, buf, room, &len);
	if (!goes_on(call, flow))
		return CURL_READFUNC_ABORT;
	if (flow == FG_FLOW_PAUSE) {
		if (is_peer_gone(call)) {
			fail(call, FG_ERR_SERVICE_CLOSED);
			return CURL_READFUNC_ABORT;
		}
		call->send_paused = true;
		return CURL_READFUNC_PAUSE;
	}
	FG_ASSERT(len <= room);
	call->body_begun = true;
	if (len == 0 && call->body_left > 0) {
		/* libcurl would wait for an answer to half a request. */
		fail(call, FG_ERR_BODY_INCOMPLETE);
		return CURL_READFUNC_ABORT;
	}
	if (call->body_left > 0)
		call->body_left -= (int64_t)len;
	return len;
}

static size_t
on_send(char *buf, size_t size, size_t count, void *arg)
{
	struct fg_call *call = arg;

	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	return call->state == FG_CALL_DOOMED ? CURL_READFUNC_ABORT : send_some(call, buf, size * count);
}

/*
 * Called for a call with a body whenever something moved, and a last time when libcurl has given it up, while the
 * connection is still open.
 */
static int
on_progress(void *arg, curl_off_t to_come, curl_off_t came, curl_off_t to_go, curl_off_t went)
{
	struct fg_call *call = arg;
	long system_error = 0;

	(void)to_come;
	(void)came;
	(void)to_go;
	(void)went;
	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	if (call->body_begun && call->state == FG_CALL_ACTIVE &&
	    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &system_error) == CURLE_OK &&
	    (system_error == EPIPE || system_error == ECONNRESET))
		fg_salvage_take(call);
	return 0;
}

/* libcurl wants to begin the body again; what was taken from on_send is gone. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	(void)arg;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

/* As libcurl does it; but why there is none is worth knowing: that we have no descriptor left is no fault of the service. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct fg_call *call = arg;
	int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);

	(void)purpose;
	call->lacks_descriptor = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int
on_open(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)purpose;
	fg_reuse_note_opened(arg, fd);
	return CURL_SOCKOPT_OK;
}

/*
 * A second time for the same call means that libcurl found its kept-alive connection dead and tries another: right when nothing
 * left us. Otherwise the service had the request, unless it closed at the very moment at which we sent, which shows at once. Only
 * that is made good here, of what may be repeated and once; all else is for whoever decides on tries, and has a budget for them.
 */
static bool
may_go_out_again(struct fg_call *call)
{
	fg_usec since_sent = since_start(call) - call->sent_at;
	long bytes = 0;

	if (curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK && bytes == 0)
		return true;
	if (!call->replayable || call->replayed || since_sent > call->endpoint->connect_timeout)
		return false;
	call->replayed = true;
	return true;
}

/* A connection is there and the request about to go out. */
static int
on_request(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct fg_call *call = arg;
	const struct fg_ends ends = {remote_ip, local_ip, remote_port, local_port};
	long connects = 0;

	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	if (call->state == FG_CALL_DOOMED)
		return CURL_PREREQFUNC_ABORT;
	if (call->sent && !may_go_out_again(call))
		return CURL_PREREQFUNC_ABORT;
	call->tainted |= call->sent;
	call->sent = true;
	call->sent_at = since_start(call);
	(void)curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
	call->times.reused = connects == 0;
	call->times.connected = connects == 0 ? 0 : since_start(call);
	if (!fg_reuse_admit(call, &ends)) {
		fail(call, FG_ERR_INTERNAL);
		return CURL_PREREQFUNC_ABORT;
	}
	return CURL_PREREQFUNC_OK;
}

/* ---- the easy handle */

/*
 * What is not set here has the default that we want: no HTTP/0.9, no redirects, no cookies, no netrc, no content
 * decoding (nothing is accepted by us), TCP_NODELAY.
 */
static void
set_up(struct fg_call *call)
{
	const struct fg_client *client = call->client;

	FG_EASY_SET(call->easy, CURLOPT_NOSIGNAL, 1L);
	/* No proxy, and no look at the environment for one (http_proxy, no_proxy) for each request. */
	FG_EASY_SET(call->easy, CURLOPT_NOPROXY, "*");
	FG_EASY_SET(call->easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	FG_EASY_SET(call->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	FG_EASY_SET(call->easy, CURLOPT_BUFFERSIZE, (long)READ_BUFFER_BYTES);
	FG_EASY_SET(call->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER_BYTES);
	FG_EASY_SET(call->easy, CURLOPT_MAXAGE_CONN, client->max_idle_seconds);
#if LIBCURL_VERSION_NUM >= 0x075500
	FG_EASY_SET(call->easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	FG_EASY_SET(call->easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Cancelled while a name is looked up, libcurl would otherwise block until the resolver's thread is through. */
	FG_EASY_SET(call->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	FG_EASY_SET(call->easy, CURLOPT_HEADERFUNCTION, on_head_line);
	FG_EASY_SET(call->easy, CURLOPT_HEADERDATA, call);
	FG_EASY_SET(call->easy, CURLOPT_WRITEFUNCTION, on_body);
	FG_EASY_SET(call->easy, CURLOPT_WRITEDATA, call);
	FG_EASY_SET(call->easy, CURLOPT_READFUNCTION, on_send);
	FG_EASY_SET(call->easy, CURLOPT_READDATA, call);
	FG_EASY_SET(call->easy, CURLOPT_SEEKFUNCTION, on_seek);
	FG_EASY_SET(call->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	FG_EASY_SET(call->easy, CURLOPT_XFERINFODATA, call);
	FG_EASY_SET(call->easy, CURLOPT_PREREQFUNCTION, on_request);
	FG_EASY_SET(call->easy, CURLOPT_PREREQDATA, call);
	FG_EASY_SET(call->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	FG_EASY_SET(call->easy, CURLOPT_OPENSOCKETDATA, call);
	FG_EASY_SET(call->easy, CURLOPT_SOCKOPTFUNCTION, on_open);
	FG_EASY_SET(call->easy, CURLOPT_SOCKOPTDATA, call);
	FG_EASY_SET(call->easy, CURLOPT_CLOSESOCKETFUNCTION, fg_client_on_close);
	FG_EASY_SET(call->easy, CURLOPT_CLOSESOCKETDATA, call->client);
	FG_EASY_SET(call->easy, CURLOPT_PRIVATE, call);
}

struct fg_call *
fg_call_new(struct fg_client *client, const struct fg_endpoint *endpoint)
{
	struct fg_call *call = calloc(1, sizeof(*call));

	FG_ASSERT(call != NULL);
	call->magic = FG_CALL_MAGIC;
	call->client = client;
	call->endpoint = endpoint;
	fg_task_init(&call->resume, client->loop, fg_call_run_resume, call);
	fg_buf_init(&call->salvage, FG_MAX_SALVAGE_BYTES);
	call->easy = curl_easy_init();
	FG_ASSERT(call->easy != NULL);
	set_up(call);
	call->url = fg_endpoint_apply(endpoint, call->easy);
	call->site = fg_site_get(client, endpoint);
	return call;
}

void
fg_call_free(struct fg_call *call)
{
	curl_easy_cleanup(call->easy);
	curl_url_cleanup(call->url);
	fg_site_forget_call(call);
	fg_buf_fini(&call->salvage);
	call->magic = 0;
	free(call);
}

/* ---- the request */

static void
set_method(struct fg_call *call, const struct fg_call_spec *spec)
{
	struct fg_str method = spec->method;
	bool has_body = spec->has_body;
	bool is_head = fg_str_eq(method, FG_STR("HEAD"));
	enum fg_call_shape shape = has_body ? FG_SHAPE_UPLOAD : is_head ? FG_SHAPE_HEAD : FG_SHAPE_GET;

	call->ends_at_head = is_head && has_body;
	if (shape != call->shape) {
		FG_EASY_SET(call->easy, CURLOPT_NOPROGRESS, shape == FG_SHAPE_UPLOAD ? 0L : 1L);
		if (shape == FG_SHAPE_UPLOAD)
			FG_EASY_SET(call->easy, CURLOPT_UPLOAD, 1L);
		else if (shape == FG_SHAPE_HEAD)
			FG_EASY_SET(call->easy, CURLOPT_NOBODY, 1L);
		else
			FG_EASY_SET(call->easy, CURLOPT_HTTPGET, 1L);
		call->shape = shape;
	}
	if (method.len == strlen(call->method) && memcmp(call->method, method.p, method.len) == 0)
		return;
	FG_EASY_SET(call->easy, CURLOPT_CUSTOMREQUEST, fg_arena_cstr(spec->arena, method));
	if (method.len >= sizeof(call->method))
		method.len = 0; /* not remembered */
	memcpy(call->method, method.p, method.len);
	call->method[method.len] = '\0';
}

static char *
put(char *at, struct fg_str s)
{
	if (s.len > 0)
		memcpy(at, s.p, s.len);
	return at + s.len;
}

static bool
is_host(const struct fg_call_header *header)
{
	return fg_str_ieq(header->name, FG_STR("host"));
}

static char *
put_header(char *at, const struct fg_call_header *header)
{
	at = put(at, header->name);
	at = put(at, header->value.len > 0 ? FG_STR(": ") : FG_STR(":"));
	return put(at, header->value);
}

/*
 * All headers but Host in one text, CRLF between them. libcurl copies an entry of its header list into the request as
 * it is, so the whole text can be one entry: it looks through the list a dozen times a request, and allocates for each
 * entry without a value. NULL when there is none.
 */
static char *
format_headers(const struct fg_call_spec *spec)
{
	size_t len = 0, count = 0;
	char *text, *at;

	for (size_t i = 0; i < spec->header_count; i++)
		if (!is_host(&spec->headers[i])) {
			len += spec->headers[i].name.len + spec->headers[i].value.len + sizeof(": \r\n");
			count++;
		}
	if (count == 0)
		return NULL;
	text = at = fg_arena_alloc(spec->arena, len);
	for (size_t i = 0; i < spec->header_count; i++) {
		if (is_host(&spec->headers[i]))
			continue;
		at = at == text ? at : put(at, FG_STR("\r\n"));
		at = put_header(at, &spec->headers[i]);
	}
	/* An entry that is empty behind its first colon is left out, unless it ends so. */
	if (count == 1 && at[-1] == ':')
		at[-1] = ';';
	*at = '\0';
	return text;
}

static char *
format_host(const struct fg_call_spec *spec)
{
	char *text, *at;

	for (size_t i = 0; i < spec->header_count; i++) {
		if (!is_host(&spec->headers[i]))
			continue;
		text = fg_arena_alloc(spec->arena, sizeof("Host: ") + spec->headers[i].value.len);
		at = put(text, spec->headers[i].value.len > 0 ? FG_STR("Host: ") : FG_STR("Host;"));
		*put(at, spec->headers[i].value) = '\0';
		return text;
	}
	return NULL;
}

/* The list lies in the arena, not in memory of libcurl's: it is never given to curl_slist_free_all(). */
static void
set_headers(struct fg_call *call, const struct fg_call_spec *spec)
{
	char *lines[] = {format_host(spec), format_headers(spec), call->client->no_accept,
	    spec->has_body && spec->body_length != 0 ? call->client->no_expect : NULL};
	struct curl_slist *nodes = fg_arena_alloc(spec->arena, FG_ARRAY_LEN(lines) * sizeof(*nodes));
	struct curl_slist *list = NULL;

	for (size_t i = FG_ARRAY_LEN(lines); i-- > 0;) {
		if (lines[i] == NULL)
			continue;
		nodes[i] = (struct curl_slist){.data = lines[i], .next = list};
		list = &nodes[i];
	}
	FG_EASY_SET(call->easy, CURLOPT_HTTPHEADER, list);
}

void
fg_call_prepare(struct fg_call *call, const struct fg_call_spec *spec)
{
	fg_head_init(&call->head);
	call->body_left = spec->has_body ? spec->body_length : 0;
	call->received = 0;
	call->opened_count = 0;
	call->err = FG_OK;
	call->started = fg_loop_clock(call->client->loop)->mono;
	call->times = (struct fg_call_times){.reused = false};
	call->connect_error = 0;
	call->replayable = spec->replayable;
	call->replayed = false;
	call->sent = call->is_complete = call->body_begun = call->lacks_descriptor = false;
	call->send_paused = call->body_paused = call->resume_send = call->resume_body = false;
	set_method(call, spec);
	if (spec->has_body)
		FG_EASY_SET(call->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)spec->body_length);
	FG_EASY_SET(call->easy, CURLOPT_REQUEST_TARGET, fg_arena_cstr(spec->arena, spec->target));
	set_headers(call, spec);
	FG_EASY_SET(call->easy, CURLOPT_FRESH_CONNECT, call->endpoint->serves_once ? 1L : 0L);
	if (call->forbids_reuse && !call->endpoint->serves_once) {
		call->forbids_reuse = false;
		FG_EASY_SET(call->easy, CURLOPT_FORBID_REUSE, 0L);
	}
}

/* ---- what the caller asks of a call on its way */

/* A task, so that no callback runs inside fg_call_resume_*(). */
void
fg_call_run_resume(void *arg)
{
	struct fg_call *call = arg;
	struct fg_client *client = call->client;
	bool was_paused = (call->resume_send && call->send_paused) || (call->resume_body && call->body_paused);
	CURLcode code;

	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	if (call->resume_send)
		call->send_paused = false;
	if (call->resume_body)
		call->body_paused = false;
	call->resume_send = call->resume_body = false;
	if (call->state != FG_CALL_ACTIVE || !was_paused)
		return;
	client->will_run = true;
	fg_task_post(&client->kick);
	client->depth++;
	code = curl_easy_pause(call->easy,
	    (call->send_paused ? CURLPAUSE_SEND : 0) | (call->body_paused ? CURLPAUSE_RECV : 0));
	client->depth--;
	/* What on_body refuses in there does not end the transfer by itself. */
	if (code != CURLE_OK && call->state == FG_CALL_ACTIVE)
		fg_client_end(client, call, (int)code);
	fg_client_settle(client);
}

void
fg_call_resume_send(struct fg_call *call)
{
	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	call->resume_send = true;
	fg_task_post(&call->resume);
}

void
fg_call_resume_body(struct fg_call *call)
{
	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	call->resume_body = true;
	fg_task_post(&call->resume);
}

void
fg_call_fail_with(struct fg_call *call, enum fg_err err)
{
	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	fail(call, err);
}

void
fg_call_get_times(const struct fg_call *call, struct fg_call_times *out)
{
	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	*out = call->times;
	out->sent = call->sent;
}

int
fg_call_connect_error(const struct fg_call *call)
{
	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	return call->connect_error;
}
