/* The scene of the engine's tests: see exchange_scene.h. */
#include "unit/exchange_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char yaml[] =
    "version: 1\n"
    "trusted-proxies: [10.0.0.0/8]\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "routes:\n"
    "  plain: {path: '/plain/*', service: a}\n"
    "  stripped: {path: '/strip/*', service: a, strip-prefix: /strip}\n"
    "  small: {path: /small, service: a, body-limit: 10b}\n"
    "  strict: {path: '/strict/*', service: a, encoded-slash: reject}\n"
    "  posts: {path: /posts, methods: [POST, PUT], service: a}\n"
    "  edited:\n"
    "    path: /edited/{id}\n"
    "    service: a\n"
    "    request:\n"
    "      headers: {set: {X-Id: 'n-{path:id}', X-None: '{header:absent}'}, remove: [X-Gone], rename: {X-Old: X-New}}\n"
    "      query: {set: {v: '2'}, remove: [debug]}\n"
    "    response: {headers: {set: {X-Route: '{route}'}}}\n"
    "  echoing:\n"
    "    path: /echoing\n"
    "    service: a\n"
    "    request: {headers: {add: {A: '{header:X-Big}', B: '{header:X-Big}', C: '{header:X-Big}', D: '{header:X-Big}',\n"
    "      E: '{header:X-Big}', F: '{header:X-Big}', G: '{header:X-Big}', H: '{header:X-Big}', I: '{header:X-Big}'}}}\n"
    "  fixed: {path: /fixed, respond: {status: 200, body: hello, content-type: text/plain}}\n";

/* ---- the played front */

static void
front_send_head(void *arg, int status, const struct fg_headers *headers)
{
	struct front *front = arg;

	CU_ASSERT_EQUAL(front->status, 0);
	front->status = status;
	for (size_t i = 0; i < headers->count; i++)
		fg_buf_printf(&front->headers, FG_STR_FMT ": " FG_STR_FMT "\n", FG_STR_ARG(headers->v[i].name),
		    FG_STR_ARG(headers->v[i].value));
}

static enum fg_flow
front_send_body(void *arg, struct fg_str chunk)
{
	struct front *front = arg;

	if (front->room < chunk.len)
		return FG_FLOW_PAUSE;
	front->room -= chunk.len;
	fg_buf_add(&front->body, chunk);
	return FG_FLOW_GO;
}

static void
front_end(void *arg)
{
	((struct front *)arg)->ends++;
}

static void
front_abort(void *arg)
{
	((struct front *)arg)->aborts++;
}

static void
front_want_body(void *arg)
{
	(void)arg;
}

static const struct fg_front_ops front_ops = {
    .send_head = front_send_head,
    .send_body = front_send_body,
    .end = front_end,
    .abort = front_abort,
    .want_body = front_want_body,
};

/* ---- the scene */

struct exchange_scene scene;

static void
swallow(void *arg, struct fg_str line)
{
	(void)arg;
	(void)line;
}

int
scene_set_up_with(const char *text)
{
	struct fg_buf errors;
	int fd;

	snprintf(scene.file, sizeof(scene.file), "/tmp/fg-exchange-XXXXXX");
	fd = mkstemp(scene.file);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return 1;
	close(fd);
	fg_buf_init(&scene.steps, 65536);
	fg_buf_init(&errors, 65536);
	if (fg_config_load(&scene.config, scene.file, &errors) != FG_OK) {
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
		return 1;
	}
	fg_buf_fini(&errors);
	scene.loop = fg_loop_new();
	scene.client = fg_client_new(scene.loop, 4, FG_US_PER_S);
	scene.log = (struct fg_log){.level = FG_LOG_ERROR, .write = swallow};
	fg_gateway_init(&scene.gw, scene.config, scene.loop, scene.client, &scene.log);
	fg_gateway_start_filters(&scene.gw, NULL);
	return 0;
}

int
scene_set_up(void)
{
	return scene_set_up_with(yaml);
}

int
scene_tear_down(void)
{
	fg_gateway_fini(&scene.gw);
	fg_client_free(scene.client);
	fg_loop_free(scene.loop);
	fg_config_free(scene.config);
	fg_buf_fini(&scene.steps);
	unlink(scene.file);
	return 0;
}

void
scene_param(const char *name, const char *value)
{
	scene.params[scene.param_count++] = (struct fg_param){fg_str_from(name), fg_str_from(value)};
}

void
scene_asks(const char *method, const char *target)
{
	scene.param_count = 0;
	scene_param("REQUEST_METHOD", method);
	scene_param("REQUEST_URI", target);
	scene_param("SERVER_PROTOCOL", "HTTP/1.1");
	scene_param("SERVER_NAME", "gw.example");
	scene_param("SERVER_PORT", "80");
	scene_param("REMOTE_ADDR", "192.0.2.7");
	scene_param("HTTP_HOST", "api.example.com");
	scene_param("CONTENT_LENGTH", "0");
}

/* Changes what scene_asks() said, or says more. */
void
scene_with(const char *name, const char *value)
{
	for (size_t i = 0; i < scene.param_count; i++) {
		if (fg_str_eq(scene.params[i].name, fg_str_from(name))) {
			scene.params[i].value = fg_str_from(value);
			return;
		}
	}
	scene_param(name, value);
}

struct fg_exchange *
scene_decided(void)
{
	struct fg_exchange *x = fg_exchange_new_offline(&scene.gw, scene.params, scene.param_count, NULL);

	fg_exchange_decide(x);
	while (x->state == FG_X_SUSPENDED)
		fg_loop_turn(scene.loop, true);
	return x;
}

static void
keep_step(void *arg, const char *who, const char *outcome, struct fg_str detail)
{
	(void)arg;
	fg_buf_printf(&scene.steps, "%s %s: " FG_STR_FMT "\n", who, outcome, FG_STR_ARG(detail));
}

const char *
scene_explained(void)
{
	static const struct fg_decision_trace trace = {.step = keep_step};
	struct fg_exchange *x = fg_exchange_new_offline(&scene.gw, scene.params, scene.param_count, &trace);

	scene.steps.len = 0;
	fg_exchange_decide(x);
	while (x->state == FG_X_SUSPENDED)
		fg_loop_turn(scene.loop, true);
	fg_exchange_free(x);
	*fg_buf_reserve(&scene.steps, 1) = '\0';
	return scene.steps.p;
}

void
scene_expect_header(struct fg_exchange *x, const char *name, const char *value)
{
	const struct fg_header *header = fg_headers_find(&x->req.headers, fg_str_from(name));

	if (value == NULL) {
		CU_ASSERT_PTR_NULL(header);
		return;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	ASSERT_STR(header->value, value);
}

void
scene_expect_reason(const char *method, const char *target, enum fg_err reason)
{
	struct fg_exchange *x;

	scene_asks(method, target);
	x = scene_decided();
	if (x->reason != reason)
		fprintf(stderr, "%s %s: %s\n", method, target, fg_err_token(x->reason));
	CU_ASSERT_EQUAL(x->reason, reason);
	fg_exchange_free(x);
}

struct fg_exchange *
scene_begin(void)
{
	fg_buf_init(&scene.front.headers, 65536);
	fg_buf_init(&scene.front.body, 65536);
	scene.front.status = scene.front.ends = scene.front.aborts = 0;
	scene.front.room = 65536;
	return fg_exchange_new(&scene.gw, &front_ops, &scene.front, scene.params, scene.param_count);
}

void
scene_finish(void)
{
	for (int i = 0; i < 3; i++)
		fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(scene.gw.live_count, 0);
	fg_buf_fini(&scene.front.headers);
	fg_buf_fini(&scene.front.body);
}

bool
scene_body_has(const char *text)
{
	fg_buf_add_char(&scene.front.body, '\0');
	return strstr(scene.front.body.p, text) != NULL;
}

bool
scene_headers_have(const char *line)
{
	fg_buf_add_char(&scene.front.headers, '\0');
	scene.front.headers.len--;
	return strstr(scene.front.headers.p, line) != NULL;
}
