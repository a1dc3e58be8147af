/* The CGI front: the environment is the parameters, standard input the body, standard output the answer. */
#include "fcgi-app/cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "core/access_log.h"
#include "core/config.h"
#include "core/engine.h"
#include "core/pool_memory.h"
#include "fcgi-app/commands.h"

extern char **environ;

enum { READ_BYTES = 16 * 1024, PENDING_MOST_BYTES = FG_MAX_RESPONSE_HEAD_BYTES * 4 };

struct cgi {
	struct fg_loop *loop;
	struct fg_exchange *x; /* NULL once it is over */
	struct fg_io in, out;
	int64_t body_left;     /* -1: until end of file */
	bool body_done, ended, broken;
	struct fg_buf pending; /* not yet taken by standard output */
	struct fg_task broken_task;
};

/* ---- writing */

static void
leave_when_done(struct cgi *cgi)
{
	if (cgi->ended && (cgi->pending.len == 0 || cgi->broken))
		fg_loop_stop(cgi->loop);
}

/* Writes what standard output takes; the rest waits in `pending`. */
static void
put(struct cgi *cgi, struct fg_str bytes)
{
	while (cgi->pending.len == 0 && bytes.len > 0 && !cgi->broken) {
		ssize_t n = write(STDOUT_FILENO, bytes.p, bytes.len);

		if (n > 0)
			bytes = fg_str_slice(bytes, (size_t)n, bytes.len);
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR) {
			cgi->broken = true;
			fg_task_post(&cgi->broken_task);
		}
	}
	if (bytes.len > 0 && !cgi->broken) {
		FG_ASSERT(fg_buf_add(&cgi->pending, bytes));
		fg_io_watch(&cgi->out, STDOUT_FILENO, FG_IO_WRITE);
	}
}

static void
on_writable(struct fg_io *io, unsigned ready, void *arg)
{
	struct cgi *cgi = arg;
	ssize_t n = write(STDOUT_FILENO, cgi->pending.p, cgi->pending.len);

	(void)ready;
	if (n > 0) {
		fg_buf_consume(&cgi->pending, (size_t)n);
	} else if (errno != EAGAIN && errno != EINTR) {
		cgi->broken = true;
		fg_io_stop(io);
		fg_task_post(&cgi->broken_task);
		return;
	}
	if (cgi->pending.len > 0)
		return;
	fg_io_stop(io);
	if (cgi->x != NULL)
		fg_exchange_on_writable(cgi->x);
	leave_when_done(cgi);
}

static void
give_up(struct cgi *cgi)
{
	struct fg_exchange *x = cgi->x;

	cgi->x = NULL;
	cgi->ended = cgi->broken = true;
	if (x != NULL)
		fg_exchange_on_client_gone(x);
	leave_when_done(cgi);
}

static void
on_broken(void *arg)
{
	give_up(arg);
}

static void
front_send_head(void *front, int status, const struct fg_headers *headers)
{
	struct cgi *cgi = front;
	struct fg_buf head;

	fg_buf_init(&head, FG_MAX_RESPONSE_HEAD_BYTES * 2);
	fg_buf_printf(&head, "Status: %d %s\r\n", status, fg_status_phrase(status));
	for (size_t i = 0; i < headers->count; i++)
		fg_buf_printf(&head, FG_STR_FMT ": " FG_STR_FMT "\r\n", FG_STR_ARG(headers->v[i].name),
		    FG_STR_ARG(headers->v[i].value));
	fg_buf_add(&head, FG_STR("\r\n"));
	FG_ASSERT(!head.failed);
	put(cgi, fg_buf_str(&head));
	fg_buf_fini(&head);
}

static enum fg_flow
front_send_body(void *front, struct fg_str chunk)
{
	struct cgi *cgi = front;

	if (cgi->pending.len > 0)
		return FG_FLOW_PAUSE;
	put(cgi, chunk);
	return FG_FLOW_GO;
}

static void
front_end(void *front)
{
	struct cgi *cgi = front;

	cgi->x = NULL;
	cgi->ended = true;
	leave_when_done(cgi);
}

static void
front_abort(void *front)
{
	struct cgi *cgi = front;

	/* Leaving with a status other than 0 and the answer cut short is all that CGI has to say so. */
	cgi->x = NULL;
	cgi->broken = cgi->ended = true;
	leave_when_done(cgi);
}

/* ---- reading */

static void
watch_body(struct cgi *cgi)
{
	bool reads = cgi->x != NULL && !cgi->body_done && fg_exchange_body_room(cgi->x) > 0;

	fg_io_watch(&cgi->in, STDIN_FILENO, reads ? FG_IO_READ : 0u);
}

static void
front_want_body(void *front)
{
	watch_body(front);
}

static void
take_body(struct cgi *cgi, struct fg_str chunk)
{
	if (cgi->body_left >= 0)
		cgi->body_left -= (int64_t)chunk.len;
	cgi->body_done = chunk.len == 0 || cgi->body_left == 0;
	fg_exchange_on_body(cgi->x, chunk, cgi->body_done);
}

static void
on_readable(struct fg_io *io, unsigned ready, void *arg)
{
	struct cgi *cgi = arg;
	char buf[READ_BYTES];
	size_t room = fg_exchange_body_room(cgi->x);
	ssize_t n;

	(void)io;
	(void)ready;
	if (room > sizeof(buf))
		room = sizeof(buf);
	if (cgi->body_left >= 0 && (int64_t)room > cgi->body_left)
		room = (size_t)cgi->body_left;
	n = read(STDIN_FILENO, buf, room);
	if (n >= 0)
		take_body(cgi, (struct fg_str){buf, (size_t)n});
	else if (errno != EAGAIN && errno != EINTR)
		give_up(cgi);
	watch_body(cgi);
}

static const struct fg_front_ops front_ops = {
    .send_head = front_send_head,
    .send_body = front_send_body,
    .end = front_end,
    .abort = front_abort,
    .want_body = front_want_body,
};

static size_t
read_environment(struct fg_param *params, size_t max)
{
	size_t count = 0;

	for (char **entry = environ; *entry != NULL && count < max; entry++) {
		struct fg_str text = fg_str_from(*entry);
		size_t equals = fg_str_find(text, '=');

		params[count++] = (struct fg_param){
		    .name = fg_str_slice(text, 0, equals), .value = fg_str_slice(text, equals + 1, text.len)};
	}
	return count;
}

static void
on_signal(int signo, void *arg)
{
	(void)signo;
	give_up(arg);
}

static void
serve(struct cgi *cgi, struct fg_gateway *gw)
{
	struct fg_param params[FG_MAX_PARAMS];
	size_t count = read_environment(params, FG_ARRAY_LEN(params));

	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
	fg_io_init(&cgi->in, cgi->loop, on_readable, cgi);
	fg_io_init(&cgi->out, cgi->loop, on_writable, cgi);
	fg_task_init(&cgi->broken_task, cgi->loop, on_broken, cgi);
	fg_buf_init(&cgi->pending, PENDING_MOST_BYTES);
	/* A web server sends it when the client has left, or it has lost patience. */
	fg_loop_on_signal(cgi->loop, SIGTERM, on_signal, cgi);
	signal(SIGPIPE, SIG_IGN);

	cgi->x = fg_exchange_new(gw, &front_ops, cgi, params, count);
	/* A script must not read beyond CONTENT_LENGTH: end of file need not come (RFC 3875 §4.2). */
	cgi->body_left = cgi->x->req.has_body && cgi->x->req.content_length < 0 ? -1 : cgi->x->req.content_length;
	if (!cgi->x->req.has_body) {
		cgi->body_done = true;
		fg_exchange_on_body(cgi->x, FG_STR_NONE, true);
	}
	fg_exchange_start(cgi->x);
	watch_body(cgi);
	if (!cgi->ended || cgi->pending.len > 0)
		fg_loop_run(cgi->loop);
	fg_task_cancel(&cgi->broken_task);
	fg_io_stop(&cgi->in);
	fg_io_stop(&cgi->out);
	fg_loop_turn(cgi->loop, false);
	fg_buf_fini(&cgi->pending);
}

int
fg_cgi_run(const struct fg_config *config, const struct fg_pool_memory *memory, unsigned slot)
{
	struct fg_stats *stats = memory == NULL ? NULL : memory->stats;
	struct fg_log log = {.level = config->log_level};
	struct cgi cgi = {.loop = fg_loop_new()};
	struct fg_dns *dns = fg_config_open_dns(config, cgi.loop, &log, stats);
	struct fg_client *client = fg_client_new(cgi.loop, 1, FG_US_PER_S);
	struct fg_access_log *access_log = NULL;
	struct fg_gateway gw;

	fg_client_use_dns(client, dns);
	fg_gateway_init(&gw, config, cgi.loop, client, &log);
	/* The web server has a log of its own; an access log that this user may not write to is no reason to refuse. */
	if (fg_access_log_new(&access_log, &config->access_log, stats) != FG_OK)
		FG_LOG(&log, WARN, "cgi", "the access log cannot be opened", FG_F_STR("path", config->access_log.path));
	gw.access_log = access_log;
	gw.stats = stats;
	gw.worker = slot;
	fg_gateway_start_filters(&gw, memory);
	serve(&cgi, &gw);
	fg_gateway_fini(&gw);
	/* While the loop still catches TERM, which lighttpd sends as soon as it has the whole answer. */
	fg_access_log_free(access_log);
	fg_client_free(client);
	fg_dns_free(dns);
	fg_loop_free(cgi.loop);
	return cgi.broken ? FG_EXIT_ENVIRONMENT : FG_EXIT_OK;
}
