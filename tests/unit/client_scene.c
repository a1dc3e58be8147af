/* The scenes of the client's tests. */
#include "unit/client_scene.h"

#include <stdlib.h>

#include "base/limits.h"
#include "unit/unit.h"

/* Longer than anything here takes, under sanitizers on a busy machine too. */
enum { PATIENCE_SECONDS = 60 };

static void
on_wake(struct fg_timer *timer, void *arg)
{
	(void)timer;
	(void)arg;
}

void
scene_open(struct scene *scene, const struct service_options *options)
{
	struct fg_endpoint_spec spec;

	*scene = (struct scene){.service = service_start(options)};
	fg_arena_init(&scene->arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	scene->loop = fg_loop_new();
	fg_timer_init(&scene->wake, scene->loop, on_wake, NULL);
	scene->client = fg_client_new(scene->loop, SCENE_IDLE_CONNECTIONS, 60 * FG_US_PER_S);
	spec = scene_spec(scene, "http", service_port(scene->service));
	CU_ASSERT_EQUAL_FATAL(fg_endpoint_new(&scene->endpoint, &spec, &scene->arena), FG_OK);
}

void
scene_close(struct scene *scene)
{
	fg_client_free(scene->client);
	fg_timer_stop(&scene->wake);
	fg_loop_free(scene->loop);
	fg_arena_fini(&scene->arena);
	service_stop(scene->service);
}

struct fg_endpoint_spec
scene_spec(struct scene *scene, const char *scheme, int port)
{
	return (struct fg_endpoint_spec){.url = fg_arena_printf(&scene->arena, "%s://127.0.0.1:%d", scheme, port),
	    .version = FG_HTTP_1_1, .connect_timeout = 10 * FG_US_PER_S, .verify = true};
}

const struct fg_endpoint *
scene_endpoint(struct scene *scene, const struct fg_endpoint_spec *spec)
{
	struct fg_endpoint *endpoint = NULL;

	CU_ASSERT_EQUAL_FATAL(fg_endpoint_new(&endpoint, spec, &scene->arena), FG_OK);
	return endpoint;
}

/* ---- callbacks */

static enum fg_flow
take_step(struct told *told, enum step step)
{
	enum fg_flow flow;

	CU_ASSERT(!told->in_call);
	CU_ASSERT(!told->ended);
	told->steps[step]++;
	flow = told->on_step == NULL ? FG_FLOW_GO : told->on_step(told, step);
	told->pauses += flow == FG_FLOW_PAUSE;
	return flow;
}

static enum fg_flow
on_status(void *arg, int status)
{
	struct told *told = arg;

	CU_ASSERT_EQUAL(told->status, 0);
	told->status = status;
	return take_step(told, AT_STATUS);
}

static enum fg_flow
on_header(void *arg, struct fg_str name, struct fg_str value)
{
	struct told *told = arg;

	CU_ASSERT(fg_buf_add(&told->headers_seen, name));
	CU_ASSERT(fg_buf_add(&told->headers_seen, FG_STR(": ")));
	CU_ASSERT(fg_buf_add(&told->headers_seen, value));
	CU_ASSERT(fg_buf_add(&told->headers_seen, FG_STR("\n")));
	return take_step(told, AT_HEADER);
}

static enum fg_flow
on_head_end(void *arg)
{
	return take_step(arg, AT_HEAD_END);
}

static enum fg_flow
on_body(void *arg, struct fg_str chunk)
{
	struct told *told = arg;
	enum fg_flow flow = take_step(told, AT_BODY);
	size_t room;

	if (flow != FG_FLOW_GO)
		return flow;
	told->body_bytes += chunk.len;
	told->body_hash = service_hash(told->body_hash, chunk.p, chunk.len);
	room = told->body_seen.max - told->body_seen.len;
	CU_ASSERT(fg_buf_add(&told->body_seen, fg_str_slice(chunk, 0, room)));
	return FG_FLOW_GO;
}

static enum fg_flow
on_send(void *arg, char *buf, size_t size, size_t *len)
{
	struct told *told = arg;
	enum fg_flow flow = take_step(told, AT_SEND);
	uint64_t end = told->body_given != 0 ? told->body_given : told->body_length;

	CU_ASSERT(size > 0);
	if (flow != FG_FLOW_GO)
		return flow;
	if (told->send_piece != 0 && size > told->send_piece)
		size = told->send_piece;
	for (*len = 0; *len < size && told->sent < end; told->sent++)
		buf[(*len)++] = service_pattern(told->sent);
	return FG_FLOW_GO;
}

static void
on_end(void *arg, enum fg_err err)
{
	struct told *told = arg;

	fg_call_get_times(told->call, &told->times);
	told->connect_error = fg_call_connect_error(told->call);
	(void)take_step(told, AT_END);
	told->ended = true;
	told->call = NULL;
	told->err = err;
}

/* ---- calls */

void
told_start(struct scene *scene, struct told *told)
{
	static const struct fg_call_ops ops = {on_status, on_header, on_head_end, on_body, on_send, on_end};
	static const struct fg_call_header host = {FG_STR_INIT("Host"), FG_STR_INIT("service.test")};
	struct fg_call_spec spec = {.endpoint = told->endpoint == NULL ? scene->endpoint : told->endpoint,
	    .method = told->method == NULL ? FG_STR("GET") : fg_str_from(told->method),
	    .target = fg_str_from(told->target),
	    .headers = told->headers == NULL ? &host : told->headers,
	    .header_count = told->headers == NULL ? 1 : told->header_count,
	    .has_body = told->has_body,
	    .body_length = told->unknown_length ? -1 : (int64_t)told->body_length,
	    .replayable = told->replayable,
	    .arena = &scene->arena};

	told->scene = scene;
	told->status = 0;
	told->ended = false;
	told->sent = told->body_bytes = 0;
	told->body_hash = SERVICE_HASH_INIT;
	memset(told->steps, 0, sizeof(told->steps));
	fg_buf_init(&told->headers_seen, 1024 * 1024);
	fg_buf_init(&told->body_seen, 4096);
	told->in_call = true;
	told->call = fg_call_start(scene->client, &spec, &ops, told);
	told->in_call = false;
}

static void
on_patience(struct fg_timer *timer, void *arg)
{
	(void)timer;
	*(bool *)arg = true;
}

void
scene_wait(struct scene *scene, bool (*check)(void *arg), void *arg)
{
	struct fg_timer timer;
	bool out_of_patience = false;

	fg_timer_init(&timer, scene->loop, on_patience, &out_of_patience);
	fg_timer_start(&timer, PATIENCE_SECONDS * (fg_usec)FG_US_PER_S);
	while (!check(arg) && !out_of_patience) {
		/* What is waited for may happen in the service alone. */
		if (!fg_timer_is_active(&scene->wake))
			fg_timer_start(&scene->wake, 5 * FG_US_PER_MS);
		fg_loop_turn(scene->loop, true);
	}
	fg_timer_stop(&timer);
	CU_ASSERT_FATAL(!out_of_patience);
}

static bool
has_ended(void *arg)
{
	return ((struct told *)arg)->ended;
}

void
told_wait(struct told *told)
{
	scene_wait(told->scene, has_ended, told);
	CU_ASSERT_EQUAL(told->steps[AT_END], 1);
}

void
told_cancel(struct told *told)
{
	struct fg_call *call = told->call;

	told->call = NULL;
	told->in_call = true;
	fg_call_cancel(call);
	told->in_call = false;
}

void
told_fini(struct told *told)
{
	fg_buf_fini(&told->headers_seen);
	fg_buf_fini(&told->body_seen);
}

enum fg_err
ask(struct scene *scene, const char *method, const char *target)
{
	struct told told = {.method = method, .target = target};

	told_start(scene, &told);
	told_wait(&told);
	told_fini(&told);
	return told.err;
}

int
ask_status(struct scene *scene, const char *method, const char *target)
{
	struct told told = {.method = method, .target = target};

	told_start(scene, &told);
	told_wait(&told);
	told_fini(&told);
	return told.err == FG_OK ? told.status : 0;
}
