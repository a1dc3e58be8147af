/* lib/core engine: filters that wait, and what may happen meanwhile. */
#include <stdlib.h>

#include "core/filter.h"
#include "unit/exchange_scene.h"

struct waiting {
	struct fg_await *await;
	int continued, cancelled, done;
	enum fg_next then;
};

static struct waiting waiting;

static enum fg_next
go_on(struct fg_exchange *x, void *arg)
{
	struct waiting *w = arg;

	w->continued++;
	return w->then == FG_RESPOND ? fg_respond(x, FG_ERR_OVERLOADED) : FG_CONTINUE;
}

static void
take_back(void *arg)
{
	((struct waiting *)arg)->cancelled++;
}

static enum fg_next
wait_in_request(const void *conf, void *ctx, struct fg_exchange *x)
{
	(void)conf;
	(void)ctx;
	return fg_await(x, "the test", go_on, take_back, &waiting, &waiting.await);
}

static void
count_done(const void *conf, void *ctx, struct fg_exchange *x)
{
	(void)conf;
	(void)ctx;
	(void)x;
	waiting.done++;
}

static const struct fg_filter_type waiting_type = {
    .name = "waiting", .stage = FG_STAGE_LIMIT, .on_request = wait_in_request, .on_done = count_done};
static const struct fg_filter waiting_filter = {.type = &waiting_type};

/* The route `fixed` gets the waiting filter for the time of a test. */
static struct fg_exchange *
begin_waiting(enum fg_next then, struct fg_route **route)
{
	*route = scene.config->routes[scene.config->route_count - 1];
	(*route)->filters = &waiting_filter;
	(*route)->filter_count = 1;
	waiting = (struct waiting){.then = then};
	scene_asks("GET", "/fixed");
	return scene_begin();
}

static void
end_waiting(struct fg_route *route)
{
	route->filters = NULL;
	route->filter_count = 0;
	CU_ASSERT_EQUAL(waiting.done, 1);
	scene_finish();
}

static void
a_filter_waits_and_goes_on(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	CU_ASSERT_EQUAL(scene.front.status, 0);
	fg_await_done(x, waiting.await);
	CU_ASSERT_EQUAL(waiting.continued, 0);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(waiting.continued, 1);
	CU_ASSERT_EQUAL(waiting.cancelled, 0);
	CU_ASSERT_EQUAL(scene.front.status, 200);
	end_waiting(route);
}

static void
a_filter_waits_and_refuses(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_RESPOND, &route);

	fg_exchange_start(x);
	fg_await_done(x, waiting.await);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(scene.front.status, 503);
	CU_ASSERT(scene_headers_have("Retry-After: 1\n"));
	end_waiting(route);
}

static void
the_client_leaves_while_a_filter_waits(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	fg_exchange_on_client_gone(x);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(waiting.continued, 0);
	CU_ASSERT_EQUAL(waiting.cancelled, 1);
	CU_ASSERT_EQUAL(scene.front.aborts, 0);
	end_waiting(route);
}

static void
the_client_leaves_when_the_result_is_there(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	fg_await_done(x, waiting.await);
	fg_exchange_on_client_gone(x);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(waiting.continued, 0);
	CU_ASSERT_EQUAL(waiting.cancelled, 0);
	end_waiting(route);
}

static void
a_deadline_passes_while_a_filter_waits(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	route->timeout = 1000;
	fg_exchange_start(x);
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT_EQUAL(scene.front.status, 504);
	CU_ASSERT(scene_body_has("exchange_timeout"));
	CU_ASSERT_EQUAL(waiting.cancelled, 1);
	route->timeout = 0;
	end_waiting(route);
}

static void
the_gateway_ends_all(void)
{
	struct fg_route *route;
	struct fg_exchange *x = begin_waiting(FG_CONTINUE, &route);

	fg_exchange_start(x);
	fg_gateway_end_all(&scene.gw, FG_ERR_DRAINING);
	CU_ASSERT_EQUAL(scene.front.status, 503);
	CU_ASSERT_EQUAL(scene.front.ends, 1);
	end_waiting(route);
}

void
suite_await(void)
{
	CU_pSuite suite = CU_add_suite("await", scene_set_up, scene_tear_down);

	ADD_TEST(suite, a_filter_waits_and_goes_on);
	ADD_TEST(suite, a_filter_waits_and_refuses);
	ADD_TEST(suite, the_client_leaves_while_a_filter_waits);
	ADD_TEST(suite, the_client_leaves_when_the_result_is_there);
	ADD_TEST(suite, a_deadline_passes_while_a_filter_waits);
	ADD_TEST(suite, the_gateway_ends_all);
}
