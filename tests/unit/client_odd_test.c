/* lib/client: calls that cannot be made, or that are given up in odd places. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/client_scene.h"
#include "unit/unit.h"

enum { SECONDS = 200 };

static struct told seconds[SECONDS];

/* As many as make the client think anew about its connections. */
static enum fg_flow
begin_others_and_cancel_them(struct told *told, enum step step)
{
	if (step != AT_HEAD_END)
		return FG_FLOW_GO;
	for (size_t i = 0; i < SECONDS; i++) {
		seconds[i] = (struct told){.target = "/"};
		told_start(told->scene, &seconds[i]);
	}
	for (size_t i = 0; i < SECONDS; i++)
		told_cancel(&seconds[i]);
	return FG_FLOW_GO;
}

/* Of two that race, the one whose answer is there cancels the other, which may not have left yet. */
static void
calls_are_cancelled_by_another(void)
{
	struct told told = {.target = "/", .on_step = begin_others_and_cancel_them};
	struct scene scene;

	scene_open(&scene, NULL);
	told_start(&scene, &told);
	told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_OK);
	CU_ASSERT_EQUAL(told.status, 200);
	told_fini(&told);
	for (size_t i = 0; i < SECONDS; i++) {
		CU_ASSERT_EQUAL(seconds[i].steps[AT_END], 0);
		told_fini(&seconds[i]);
	}
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/"), FG_OK);
	scene_close(&scene);
}

/* That we have no descriptor left is no fault of the service. */
static void
without_a_descriptor_none_is_unreachable(void)
{
	struct rlimit before, none;
	struct scene scene;
	int free_fd;

	scene_open(&scene, NULL);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	free_fd = dup(STDERR_FILENO);
	CU_ASSERT_FATAL(free_fd > 0);
	close(free_fd);
	none = before;
	none.rlim_cur = (rlim_t)free_fd;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/"), FG_ERR_OVERLOADED);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	CU_ASSERT_EQUAL(ask(&scene, "GET", "/"), FG_OK);
	scene_close(&scene);
}

static int
ask_why_not(struct scene *scene, struct fg_str url)
{
	struct fg_endpoint_spec spec = scene_spec(scene, "http", 1);
	struct told told = {.target = "/"};

	spec.url = url;
	told.endpoint = scene_endpoint(scene, &spec);
	told_start(scene, &told);
	told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_ERR_SERVICE_UNREACHABLE);
	told_fini(&told);
	return told.connect_error;
}

/* Whoever started the service with a mode of its own, or not at all, is told so. */
static void
why_a_service_is_unreachable(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), port;
	struct scene scene;
	struct fg_str url;
	char room[FG_CONNECT_ERROR_BYTES];

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/faregate-client-test-%d.sock", (int)getpid());
	unlink(address.sun_path);
	scene_open(&scene, NULL);
	url = fg_arena_printf(&scene.arena, "unix:%s", address.sun_path);
	CU_ASSERT_EQUAL(ask_why_not(&scene, url), ENOENT);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CU_ASSERT_EQUAL(ask_why_not(&scene, url), ECONNREFUSED);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL(chmod(address.sun_path, 0), 0);
	/* Root may do it nevertheless. */
	CU_ASSERT(geteuid() != 0 || seteuid(65534) == 0);
	CU_ASSERT_EQUAL(ask_why_not(&scene, url), EACCES);
	CU_ASSERT_EQUAL(seteuid(getuid()), 0);
	close(fd);
	unlink(address.sun_path);
	port = service_port(scene.service);
	service_stop(scene.service);
	scene.service = NULL;
	CU_ASSERT_EQUAL(ask_why_not(&scene, fg_arena_printf(&scene.arena, "http://127.0.0.1:%d", port)), ECONNREFUSED);
	ASSERT_STR(fg_connect_error_text(EACCES, room), "connect: Permission denied");
	ASSERT_STR(fg_connect_error_text(0, room), "");
	scene_close(&scene);
}

static void
keep_alive(struct scene *scene, const struct fg_endpoint *endpoint, const char *target, size_t count)
{
	struct told told[8] = {{0}};

	for (size_t i = 0; i < count; i++) {
		told[i] = (struct told){.target = target, .endpoint = endpoint};
		told_start(scene, &told[i]);
	}
	for (size_t i = 0; i < count; i++) {
		told_wait(&told[i]);
		CU_ASSERT_EQUAL(told[i].err, FG_OK);
		told_fini(&told[i]);
	}
}

/* What the service closes upon is no connection that had died before: one more may be such a one, and that is all. */
static void
a_service_that_closes_is_not_asked_on_and_on(void)
{
	struct scene scene;

	scene_open(&scene, NULL);
	for (int reset = 0; reset < 2; reset++) {
		struct told told = {.target = reset ? "/reset/now" : "/close/now", .replayable = true};
		unsigned before;

		keep_alive(&scene, NULL, "/delay/20", 8);
		before = service_requests(scene.service);
		told_start(&scene, &told);
		told_wait(&told);
		CU_ASSERT_EQUAL(told.err, FG_ERR_SERVICE_CLOSED);
		CU_ASSERT_EQUAL(service_requests(scene.service), before + 2);
		told_fini(&told);
	}
	scene_close(&scene);
}

/* A service that has started anew where none of its connections was closed: all of them are dead, and none shows it before it is used. */
static void
where_all_are_dead_a_new_one_is_tried(void)
{
	static const char *const ways[] = {"/die", "/die?how=reset"};

	for (size_t i = 0; i < FG_ARRAY_LEN(ways); i++) {
		struct told told = {.target = "/", .replayable = true};
		struct scene scene;

		scene_open(&scene, NULL);
		keep_alive(&scene, NULL, ways[i], 8);
		told_start(&scene, &told);
		told_wait(&told);
		CU_ASSERT_EQUAL(told.err, FG_OK);
		CU_ASSERT_EQUAL(told.status, 200);
		CU_ASSERT(!told.times.reused);
		told_fini(&told);
		scene_close(&scene);
	}
}

/* One that took its time had the request. */
static void
a_service_that_closes_late_is_not_asked_again(void)
{
	struct scene scene;
	struct fg_endpoint_spec spec;
	const struct fg_endpoint *endpoint;
	struct told told = {.target = "/late/300", .replayable = true};
	unsigned before;

	scene_open(&scene, NULL);
	spec = scene_spec(&scene, "http", service_port(scene.service));
	spec.connect_timeout = 100 * FG_US_PER_MS;
	endpoint = scene_endpoint(&scene, &spec);
	told.endpoint = endpoint;
	keep_alive(&scene, endpoint, "/delay/20", 8);
	before = service_requests(scene.service);
	told_start(&scene, &told);
	told_wait(&told);
	CU_ASSERT_EQUAL(told.err, FG_ERR_SERVICE_CLOSED);
	CU_ASSERT_EQUAL(service_requests(scene.service), before + 1);
	told_fini(&told);
	scene_close(&scene);
}

void
suite_client_odd(void)
{
	CU_pSuite suite = CU_add_suite("client: odd places", NULL, NULL);

	ADD_TEST(suite, why_a_service_is_unreachable);
	ADD_TEST(suite, without_a_descriptor_none_is_unreachable);
	ADD_TEST(suite, calls_are_cancelled_by_another);
	ADD_TEST(suite, a_service_that_closes_is_not_asked_on_and_on);
	ADD_TEST(suite, where_all_are_dead_a_new_one_is_tried);
	ADD_TEST(suite, a_service_that_closes_late_is_not_asked_again);
}
