/* lib/client: calls that cannot be made, or that are given up in odd places. */
#include <stdlib.h>
#include <sys/resource.h>
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

void
suite_client_odd(void)
{
	CU_pSuite suite = CU_add_suite("client: odd places", NULL, NULL);

	ADD_TEST(suite, without_a_descriptor_none_is_unreachable);
	ADD_TEST(suite, calls_are_cancelled_by_another);
}
