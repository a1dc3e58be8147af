/* lib/core engine: request bodies that are waited for, answers that are held, and an exchange that outlives its client. */
#include <stdlib.h>

#include "core/filter.h"
#include "unit/exchange_scene.h"

enum { MOST = 100 };

static struct whole {
	int asked, done, responses;
	bool is_whole, holds;
	size_t body;
} whole;

static enum fg_next
look_at_body(struct fg_exchange *x, void *arg)
{
	struct whole *w = arg;

	w->asked++;
	w->is_whole = fg_body_is_whole(x);
	w->body = x->body.len;
	return w->is_whole ? FG_CONTINUE : fg_respond(x, FG_ERR_BODY_TOO_LARGE);
}

static enum fg_next
want_body(const void *conf, void *ctx, struct fg_exchange *x)
{
	(void)conf;
	(void)ctx;
	fg_gather(x, MOST);
	return fg_await_body(x, MOST, look_at_body, &whole);
}

static void
hold_response(const void *conf, void *ctx, struct fg_exchange *x)
{
	(void)conf;
	(void)ctx;
	if (++whole.responses == 1 && whole.holds && fg_may_hold(x))
		fg_hold(x, "the test");
}

static void
count_done(const void *conf, void *ctx, struct fg_exchange *x)
{
	(void)conf;
	(void)ctx;
	(void)x;
	whole.done++;
}

static const struct fg_filter_type whole_type = {.name = "whole", .stage = FG_STAGE_CACHE, .on_request = want_body,
    .on_response = hold_response, .on_done = count_done};
static const struct fg_filter whole_filter = {.type = &whole_type};
static struct fg_route *route;

/* The route `fixed` gets the filter for the time of a test. */
static struct fg_exchange *
begin(const char *length, bool holds)
{
	route = scene.config->routes[scene.config->route_count - 1];
	route->filters = &whole_filter;
	route->filter_count = 1;
	whole = (struct whole){.holds = holds};
	scene_asks("POST", "/fixed");
	scene_with("CONTENT_LENGTH", length);
	if (length[0] == '\0')
		scene_with("HTTP_TRANSFER_ENCODING", "chunked");
	return scene_begin();
}

static void
finish(void)
{
	route->filters = NULL;
	route->filter_count = 0;
	route->timeout = 0;
	CU_ASSERT_EQUAL(whole.done, 1);
	scene_finish();
}

/* ---- the request's body */

static void
a_body_in_pieces(void)
{
	struct fg_exchange *x = begin("10", false);

	fg_exchange_start(x);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	fg_exchange_on_body(x, FG_STR("12345"), false);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(whole.asked, 0);
	/* It is whole by its length, before anybody says that it has ended. */
	fg_exchange_on_body(x, FG_STR("67890"), false);
	CU_ASSERT_EQUAL(whole.asked, 0);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(whole.asked == 1 && whole.is_whole && whole.body == 10);
	CU_ASSERT_EQUAL(scene.front.status, 200);
	finish();
}

static void
a_body_that_is_there_already(void)
{
	struct fg_exchange *x = begin("3", false);

	fg_exchange_on_body(x, FG_STR("123"), false);
	fg_exchange_start(x);
	CU_ASSERT(whole.asked == 1 && whole.is_whole && scene.front.status == 200);
	finish();
	x = begin("0", false);
	fg_exchange_start(x);
	CU_ASSERT(whole.asked == 1 && whole.is_whole && scene.front.status == 200);
	finish();
}

static void
a_body_of_no_stated_length(void)
{
	struct fg_exchange *x = begin("", false);

	fg_exchange_start(x);
	fg_exchange_on_body(x, FG_STR("12345"), false);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(whole.asked, 0);
	fg_exchange_on_body(x, FG_STR_NONE, true);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(whole.asked == 1 && whole.is_whole && whole.body == 5 && scene.front.status == 200);
	finish();
}

static void
a_body_that_is_too_long(void)
{
	static char text[MOST + 1];
	struct fg_exchange *x = begin("101", false);

	/* Said at once, and not waited for. */
	fg_exchange_start(x);
	CU_ASSERT(whole.asked == 1 && !whole.is_whole && scene.front.status == 413);
	finish();
	x = begin("", false);
	fg_exchange_start(x);
	memset(text, 'x', sizeof(text));
	fg_exchange_on_body(x, (struct fg_str){text, MOST}, false);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(whole.asked, 0);
	fg_exchange_on_body(x, (struct fg_str){text, 1}, false);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(whole.asked == 1 && !whole.is_whole && scene.front.status == 413);
	finish();
}

static void
a_body_that_does_not_come(void)
{
	struct fg_exchange *x = begin("10", false);

	fg_exchange_start(x);
	fg_exchange_on_body(x, FG_STR("123"), true);
	CU_ASSERT(scene.front.status == 400 && whole.asked == 0);
	finish();
	x = begin("10", false);
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(x->wait, FG_WAIT_CLIENT_BODY);
	CU_ASSERT(!fg_exchange_goes_on_alone(x));
	fg_exchange_on_client_gone(x);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(whole.asked == 0 && scene.front.ends == 0);
	finish();
}

/* ---- the answer */

static void
an_answer_is_held(void)
{
	struct fg_exchange *x = begin("0", true);

	fg_exchange_start(x);
	CU_ASSERT(whole.responses == 1 && scene.front.status == 0);
	fg_loop_turn(scene.loop, false);
	fg_exchange_on_writable(x);
	CU_ASSERT(scene.front.status == 0 && scene.front.body.len == 0);
	fg_hold_done(x);
	CU_ASSERT_EQUAL(scene.front.status, 0);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(scene.front.status == 200 && scene.front.ends == 1 && whole.responses == 1);
	CU_ASSERT(scene_body_has("hello"));
	finish();
}

/* What was waited for is no reason to lose the answer. */
static void
a_deadline_lets_it_go(void)
{
	struct fg_exchange *x = begin("0", true);

	route->timeout = 1000;
	fg_exchange_start(x);
	while (scene.front.ends == 0)
		fg_loop_turn(scene.loop, true);
	CU_ASSERT(scene.front.status == 200 && whole.responses == 1);
	finish();
}

/* Nobody turns the loop any more: what is held goes out, and so does what is held only now. */
static void
the_gateway_ends_all(void)
{
	struct fg_exchange *x = begin("0", true);

	fg_exchange_start(x);
	fg_hold_done(x);
	fg_gateway_end_all(&scene.gw, FG_ERR_DRAINING);
	CU_ASSERT(scene.front.status == 200 && scene.front.ends == 1);
	fg_hold_done(x);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT_EQUAL(scene.front.ends, 1);
	finish();
	x = begin("10", true);
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(x->state, FG_X_SUSPENDED);
	fg_gateway_end_all(&scene.gw, FG_ERR_DRAINING);
	CU_ASSERT(scene.front.status == 503 && scene.front.ends == 1 && whole.responses == 1);
	finish();
}

/* It goes on without its client, and nothing of it is sent. */
static void
the_client_leaves_while_it_is_held(void)
{
	struct fg_exchange *x = begin("0", true);

	fg_exchange_start(x);
	CU_ASSERT(fg_exchange_goes_on_alone(x));
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(scene.front.aborts == 0 && whole.done == 0);
	fg_hold_done(x);
	fg_loop_turn(scene.loop, false);
	CU_ASSERT(scene.front.aborts == 1 && scene.front.ends == 0 && scene.front.status == 0);
	finish();
}

static void
one_that_gathers_nothing_ends_with_its_client(void)
{
	struct fg_exchange *x;

	scene_asks("GET", "/plain/x");
	x = scene_begin();
	fg_exchange_start(x);
	CU_ASSERT_EQUAL(x->state, FG_X_FORWARDING);
	CU_ASSERT(!fg_exchange_goes_on_alone(x));
	fg_exchange_on_client_gone(x);
	scene_finish();
}

void
suite_gather(void)
{
	CU_pSuite suite = CU_add_suite("gather", scene_set_up, scene_tear_down);

	ADD_TEST(suite, a_body_in_pieces);
	ADD_TEST(suite, a_body_that_is_there_already);
	ADD_TEST(suite, a_body_of_no_stated_length);
	ADD_TEST(suite, a_body_that_is_too_long);
	ADD_TEST(suite, a_body_that_does_not_come);
	ADD_TEST(suite, an_answer_is_held);
	ADD_TEST(suite, a_deadline_lets_it_go);
	ADD_TEST(suite, the_gateway_ends_all);
	ADD_TEST(suite, the_client_leaves_while_it_is_held);
	ADD_TEST(suite, one_that_gathers_nothing_ends_with_its_client);
}
