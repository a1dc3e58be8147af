/*
 * The multi handle on the loop: sockets, the timer, the pool of easy handles, and how calls begin and end.
 *
 * libcurl must not be called from inside its own callbacks. So a call is given to it at the end of the turn
 * (starting -> active), and one that is cancelled from within a callback is taken from it as soon as it has returned
 * (active -> doomed -> pool). `depth` says whether we are inside.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client_internal.h"

enum { CONNECTION_STEP = 64 };

/* ---- lists */

static void
list_push(struct fg_call_list *list, struct fg_call *call)
{
	call->next = list->first;
	call->link = &list->first;
	if (list->first != NULL)
		list->first->link = &call->next;
	list->first = call;
}

static void
list_remove(struct fg_call *call)
{
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
	call->next = NULL;
	call->link = NULL;
}

static void
move(struct fg_call *call, struct fg_call_list *list, enum fg_call_state state)
{
	list_remove(call);
	list_push(list, call);
	call->state = state;
}

/* CURLMOPT_MAXCONNECTS counts connections in use too; what is bounded here are the idle ones. Not from inside libcurl. */
static void
bound_connections(struct fg_client *client)
{
	long steps = (long)(client->call_count / CONNECTION_STEP);

	if (client->depth > 0 || steps == client->connection_steps)
		return;
	client->connection_steps = steps;
	FG_MULTI_SET(client->multi, CURLMOPT_MAXCONNECTS, client->max_idle_connections + steps * CONNECTION_STEP);
}

/* ---- the pool */

static struct fg_call_list *
bucket(struct fg_client *client, const struct fg_endpoint *endpoint)
{
	uintptr_t key = (uintptr_t)endpoint;

	return &client->pool[(key / 16 ^ key / 1024) % FG_POOL_BUCKETS];
}

static struct fg_call *
take(struct fg_client *client, const struct fg_endpoint *endpoint)
{
	struct fg_call *call = bucket(client, endpoint)->first;

	while (call != NULL && call->endpoint != endpoint)
		call = call->next;
	if (call == NULL)
		return fg_call_new(client, endpoint);
	list_remove(call);
	client->pooled--;
	return call;
}

/* The call is over and libcurl has it no more. */
static void
release(struct fg_client *client, struct fg_call *call)
{
	fg_site_note_end(call);
	list_remove(call);
	fg_task_cancel(&call->resume);
	fg_buf_fini(&call->salvage);
	call->ops = NULL;
	call->arg = NULL;
	call->state = FG_CALL_IDLE;
	client->call_count--;
	bound_connections(client);
	if (call->tainted || client->pooled >= (size_t)client->max_idle_connections) {
		fg_call_free(call);
		return;
	}
	list_push(bucket(client, call->endpoint), call);
	client->pooled++;
}

/* ---- running libcurl */

static void
detach_from_socket(struct fg_call *call)
{
	if (call->socket == NULL)
		return;
	*call->socket_link = call->socket_next;
	if (call->socket_next != NULL)
		call->socket_next->socket_link = call->socket_link;
	call->socket = NULL;
}

static void
take_from_libcurl(struct fg_client *client, struct fg_call *call)
{
	FG_ASSERT(client->depth == 0);
	FG_ASSERT(curl_multi_remove_handle(client->multi, call->easy) == CURLM_OK);
	detach_from_socket(call);
}

/* An answer that was there when the sending failed. False: the caller has cancelled the call on hearing it. */
static bool
tell_salvaged(struct fg_client *client, struct fg_call *call)
{
	client->depth++;
	(void)!fg_salvage_tell(call);
	client->depth--;
	return call->state != FG_CALL_DOOMED;
}

void
fg_client_end(struct fg_client *client, struct fg_call *call, int code)
{
	long system_error = 0;
	enum fg_err err;

	FG_ASSERT(call->state == FG_CALL_ACTIVE);
	if (code != CURLE_OK && call->salvage.len > 0 && !tell_salvaged(client, call))
		return;
	err = fg_call_result(call, code);
	if (err != FG_OK && curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &system_error) == CURLE_OK &&
	    system_error != 0)
		call->tainted = true;
	if (err == FG_ERR_SERVICE_UNREACHABLE)
		call->connect_error = (int)system_error;
	take_from_libcurl(client, call);
	call->state = FG_CALL_ENDED;
	call->ops->on_end(call->arg, err);
	release(client, call);
}

static void
take_doomed(struct fg_client *client)
{
	while (client->doomed.first != NULL) {
		struct fg_call *call = client->doomed.first;

		take_from_libcurl(client, call);
		release(client, call);
	}
}

void
fg_client_settle(struct fg_client *client)
{
	CURLMsg *msg;
	int left;

	take_doomed(client);
	while ((msg = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct fg_call *call = NULL;
		CURLcode code = msg->data.result;

		FG_ASSERT(curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call) == CURLE_OK);
		FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
		fg_client_end(client, call, (int)code);
	}
	take_doomed(client);
	bound_connections(client);
}

static void
run(struct fg_client *client, int fd, int mask)
{
	int running;

	if (fd == CURL_SOCKET_TIMEOUT) {
		/* Asked again whatever it was set to; libcurl says so once more if there is a moment to wait for. */
		client->due_at = 0;
		client->will_run = false;
	}
	FG_ASSERT(client->depth == 0);
	client->depth++;
	FG_ASSERT(curl_multi_socket_action(client->multi, fd, mask, &running) == CURLM_OK);
	client->depth--;
	fg_client_settle(client);
}

/* A task: calls that were started or resumed in this turn go on. */
static void
kick(void *arg)
{
	struct fg_client *client = arg;

	bound_connections(client);
	client->will_run = true;
	while (client->starting.first != NULL) {
		struct fg_call *call = client->starting.first;

		move(call, &client->active, FG_CALL_ACTIVE);
		fg_site_apply(call);
		client->depth++;
		FG_ASSERT(curl_multi_add_handle(client->multi, call->easy) == CURLM_OK);
		client->depth--;
	}
	run(client, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- the timer */

/*
 * libcurl moves its timer several times a request, nearly always farther away. The loop's timer is left running to an
 * earlier moment then: it fires in vain, rarely.
 */
static void
arm_timer(struct fg_client *client)
{
	fg_usec now = fg_loop_clock(client->loop)->mono;

	if (client->due_at == 0 || (client->timer_at != 0 && client->timer_at <= client->due_at))
		return;
	client->timer_at = client->due_at;
	fg_timer_start(&client->timer, client->due_at - now);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct fg_client *client = arg;

	(void)timer;
	client->timer_at = 0;
	if (client->due_at == 0)
		return;
	if (fg_loop_clock(client->loop)->mono < client->due_at) {
		arm_timer(client);
		return;
	}
	run(client, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_curl_timer(CURLM *multi, long milliseconds, void *arg)
{
	struct fg_client *client = arg;

	(void)multi;
	if (milliseconds < 0) {
		client->due_at = 0;
		return 0;
	}
	client->due_at = fg_loop_clock(client->loop)->mono + milliseconds * FG_US_PER_MS;
	if (!client->will_run)
		arm_timer(client);
	return 0;
}

/* ---- sockets */

static struct fg_socket *
find_socket(const struct fg_client *client, int fd)
{
	FG_ASSERT(fd >= 0);
	return (size_t)fd < client->socket_size ? client->sockets[fd] : NULL;
}

/*
 * With its sending paused, a transfer does not end by itself although the response is complete or the connection
 * closed. So whenever something arrived for it, it is asked again whether there is more to send.
 */
static void
poke_paused(struct fg_client *client, int fd)
{
	struct fg_socket *sock = find_socket(client, fd);

	for (struct fg_call *call = sock == NULL ? NULL : sock->calls; call != NULL; call = call->socket_next)
		if (call->send_paused)
			fg_call_resume_send(call);
}

static void
on_io(struct fg_io *io, unsigned ready, void *arg)
{
	struct fg_socket *sock = arg;
	struct fg_client *client = sock->client;
	int fd = sock->fd;

	if (sock->wanted) {
		run(client, fd, (ready & FG_IO_READ ? CURL_CSELECT_IN : 0) | (ready & FG_IO_WRITE ? CURL_CSELECT_OUT : 0));
	} else if (!(ready & FG_IO_READ)) {
		/* A response was there before libcurl had to wait for it: that there is room for a request still says nothing. */
		fg_io_watch(io, fd, FG_IO_READ);
	} else {
		/* Both sides paused, or idle: it was closed, or says what nobody asked for. Either way it has had its day. */
		fg_io_stop(io);
		if (sock->calls == NULL)
			fg_reuse_give_up(sock);
	}
	if (ready & FG_IO_READ)
		poke_paused(client, fd);
}

static struct fg_socket *
add_socket(struct fg_client *client, int fd)
{
	struct fg_socket *sock;

	if ((size_t)fd >= client->socket_size) {
		size_t size = client->socket_size == 0 ? 64 : client->socket_size;

		while (size <= (size_t)fd)
			size *= 2;
		client->sockets = realloc(client->sockets, size * sizeof(struct fg_socket *));
		FG_ASSERT(client->sockets != NULL);
		memset(client->sockets + client->socket_size, 0, (size - client->socket_size) * sizeof(struct fg_socket *));
		client->socket_size = size;
	}
	sock = calloc(1, sizeof(*sock));
	FG_ASSERT(sock != NULL);
	sock->client = client;
	sock->fd = fd;
	fg_io_init(&sock->io, client->loop, on_io, sock);
	client->sockets[fd] = sock;
	return sock;
}

static void
attach_to_socket(struct fg_call *call, struct fg_socket *sock)
{
	if (call->socket == sock)
		return;
	detach_from_socket(call);
	call->socket = sock;
	call->socket_next = sock->calls;
	call->socket_link = &sock->calls;
	if (sock->calls != NULL)
		sock->calls->socket_link = &call->socket_next;
	sock->calls = call;
}

struct fg_socket *
fg_client_attach(struct fg_call *call, int fd)
{
	struct fg_socket *sock = find_socket(call->client, fd);

	if (sock == NULL)
		sock = add_socket(call->client, fd);
	attach_to_socket(call, sock);
	return sock;
}

static void
drop_socket(struct fg_client *client, struct fg_socket *sock)
{
	fg_io_stop(&sock->io);
	fg_reuse_forget(sock);
	while (sock->calls != NULL)
		detach_from_socket(sock->calls);
	client->sockets[sock->fd] = NULL;
	free(sock);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct fg_client *client = arg;
	struct fg_socket *sock = find_socket(client, fd);
	struct fg_call *call = NULL;

	(void)unused;
	if (what == CURL_POLL_REMOVE) {
		/* Only one that has come to a request is sure to be closed by fg_client_on_close(); others (not the first to
		   connect, a resolver's pipe) libcurl closes without a word. */
		if (sock != NULL && sock->name != 0)
			sock->wanted = false;
		else if (sock != NULL)
			drop_socket(client, sock);
		return 0;
	}
	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call) == CURLE_OK && call != NULL)
		sock = fg_client_attach(call, fd);
	else if (sock == NULL)
		sock = add_socket(client, fd);
	sock->wanted = true;
	fg_io_watch(&sock->io, fd, (what & CURL_POLL_IN ? FG_IO_READ : 0u) | (what & CURL_POLL_OUT ? FG_IO_WRITE : 0u));
	return 0;
}

int
fg_client_on_close(void *arg, int fd)
{
	struct fg_client *client = arg;
	struct fg_socket *sock = find_socket(client, fd);

	if (sock != NULL)
		drop_socket(client, sock);
	return close(fd);
}

/* ---- the client */

struct fg_client *
fg_client_new(struct fg_loop *loop, size_t max_idle_connections, fg_usec max_idle)
{
	struct fg_client *client = calloc(1, sizeof(*client));

	FG_ASSERT(client != NULL);
	FG_ASSERT(max_idle_connections > 0 && max_idle_connections < 1000000);
	FG_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	client->loop = loop;
	client->max_idle_connections = (long)max_idle_connections;
	client->max_idle_seconds = max_idle < FG_US_PER_S ? 1 : (long)(max_idle / FG_US_PER_S);
	memcpy(client->no_accept, "Accept:", sizeof("Accept:"));
	memcpy(client->no_expect, "Expect:", sizeof("Expect:"));
	fg_timer_init(&client->timer, loop, on_timer, client);
	fg_task_init(&client->kick, loop, kick, client);
	client->multi = curl_multi_init();
	FG_ASSERT(client->multi != NULL);
	FG_MULTI_SET(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	FG_MULTI_SET(client->multi, CURLMOPT_SOCKETDATA, client);
	FG_MULTI_SET(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	FG_MULTI_SET(client->multi, CURLMOPT_TIMERDATA, client);
	FG_MULTI_SET(client->multi, CURLMOPT_MAXCONNECTS, client->max_idle_connections);
	/*
	 * HTTP/2: one request at a time on a connection. libcurl grants each stream a window of many megabytes; while another
	 * stream has the connection read, it would hold all of that for a client that does not take it.
	 */
	FG_MULTI_SET(client->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1L);
	return client;
}

void
fg_client_free(struct fg_client *client)
{
	if (client == NULL)
		return;
	FG_ASSERT(client->call_count == 0);
	for (size_t i = 0; i < FG_POOL_BUCKETS; i++)
		while (client->pool[i].first != NULL) {
			struct fg_call *call = client->pool[i].first;

			list_remove(call);
			fg_call_free(call);
		}
	/* Closes the idle connections, which calls fg_client_on_close(). */
	FG_ASSERT(curl_multi_cleanup(client->multi) == CURLM_OK);
	for (size_t fd = 0; fd < client->socket_size; fd++)
		FG_ASSERT(client->sockets[fd] == NULL);
	free(client->sockets);
	fg_site_free_all(client);
	fg_timer_stop(&client->timer);
	fg_task_cancel(&client->kick);
	free(client);
	curl_global_cleanup();
}

static void
on_resolved(void *arg, bool found)
{
	struct fg_call *call = arg;
	struct fg_client *client = call->client;

	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	if (!found) {
		call->state = FG_CALL_ENDED;
		call->ops->on_end(call->arg, FG_ERR_SERVICE_NAME_UNRESOLVED);
		release(client, call);
		return;
	}
	move(call, &client->starting, FG_CALL_STARTING);
	fg_task_post(&client->kick);
	if (call->ops->on_resolved != NULL)
		call->ops->on_resolved(call->arg);
}

struct fg_call *
fg_call_start(struct fg_client *client, const struct fg_call_spec *spec, const struct fg_call_ops *ops, void *arg)
{
	struct fg_call *call = take(client, spec->endpoint);

	call->ops = ops;
	call->arg = arg;
	fg_call_prepare(call, spec);
	client->call_count++;
	if (call->site == NULL || fg_dns_use(call->site->name)) {
		list_push(&client->starting, call);
		call->state = FG_CALL_STARTING;
		fg_task_post(&client->kick);
	} else {
		list_push(&client->resolving, call);
		call->state = FG_CALL_RESOLVING;
		fg_dns_wait_start(&call->wait, call->site->name, on_resolved, call);
	}
	return call;
}

void
fg_call_cancel(struct fg_call *call)
{
	struct fg_client *client = call->client;

	FG_CHECK_MAGIC(call, FG_CALL_MAGIC);
	FG_ASSERT(call->state != FG_CALL_IDLE);
	switch (call->state) {
	case FG_CALL_RESOLVING:
		fg_dns_wait_cancel(&call->wait);
		release(client, call);
		break;
	case FG_CALL_STARTING:
		release(client, call);
		break;
	case FG_CALL_ACTIVE:
		if (client->depth == 0) {
			take_from_libcurl(client, call);
			release(client, call);
			break;
		}
		/* libcurl may come to this one before it returns: no callback of ours goes on, and the header list, which
		   lies in the caller's arena, is taken away from it. */
		move(call, &client->doomed, FG_CALL_DOOMED);
		FG_EASY_SET(call->easy, CURLOPT_HTTPHEADER, NULL);
		break;
	case FG_CALL_IDLE:
	case FG_CALL_DOOMED:
	case FG_CALL_ENDED:
		break;
	}
}

bool
fg_call_is_resolving(const struct fg_call *call)
{
	return call->state == FG_CALL_RESOLVING;
}

const char *
fg_client_version(void)
{
	return curl_version();
}

bool
fg_client_has_http2(void)
{
	return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2) != 0;
}
