/*
 * A service that is given only so many requests at a time (max-in-flight): the number holds for all workers, what waits is
 * bounded in number and time, and the critical go first.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include "e2e/e2e.h"
#include "e2e/load.h"
#include "support/fcgi_peer.h"

enum { MOST = 3 };

static struct stage stage;
static struct gate hold = GATE_CLOSED;
static atomic_int inside, most_inside, served;
static char order[16][32]; /* targets, as the service got them */

static void
count_inside(struct played_conn *conn, struct played_request *request)
{
	int now = atomic_fetch_add(&inside, 1) + 1, most = atomic_load(&most_inside);

	(void)request;
	while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
		;
	/* Long enough that the others would be there too. */
	poll(NULL, 0, 2);
	atomic_fetch_sub(&inside, 1);
	say_reply(conn, 200, NULL, "counted");
}

static void
wait_held(struct played_conn *conn, struct played_request *request)
{
	int n = atomic_fetch_add(&served, 1);

	if (n < 16)
		snprintf(order[n], sizeof(order[n]), "%s", request->target);
	if (gate_pass(&hold))
		say_reply(conn, 200, NULL, "held");
}

static const struct played_part parts[] = {{"/count", count_inside, false}, {NULL, wait_held, false}};

static void
serve(const char *const *wrap)
{
	gate_reset(&hold);
	stage_play(&stage, parts, NULL);
	bed_write_config(&stage.bed,
	    "services:\n"
	    "  a: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: {requests: %d, queue: 8, wait: 30s}}\n"
	    "  one: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: {requests: 1, queue: 2, wait: 60s}}\n"
	    "  brief: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: {requests: 1, queue: 2, wait: 100ms}}\n"
	    "  tight: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: 1}\n"
	    "  deep: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: {requests: 1, queue: 4, wait: 60s}}\n"
	    "  b: \"http://127.0.0.1:%d\"\n"
	    "routes:\n"
	    "  a: {path: /a/*, service: a, strip-prefix: /a}\n"
	    "  low: {path: /low/*, service: one, criticality: low}\n"
	    "  normal: {path: /normal/*, service: one}\n"
	    "  high: {path: /high/*, service: one, criticality: high}\n"
	    "  brief: {path: /brief/*, service: brief}\n"
	    "  tight: {path: /tight/*, service: tight}\n"
	    "  deep: {path: /deep/*, service: deep}\n"
	    "  copied: {path: /copied/*, service: b, mirror: {service: tight}}\n"
	    "  b: {path: /b/*, service: b}\n",
	    played_port(stage.a), MOST, played_port(stage.a), played_port(stage.a), played_port(stage.a), played_port(stage.a),
	    played_port(stage.b));
	bed_start_pool(&stage.bed, wrap);
	stage.fronts[0] = bed_start_front(&stage.bed, FRONT_LIGHTTPD, "/", NULL);
	stage.fronts[1] = bed_start_front(&stage.bed, FRONT_APACHE, "/", NULL);
}

static int
init(void)
{
	serve(NULL);
	return 0;
}

static int
init_one_worker(void)
{
	static const char *const wrap[] = {"sh", "-c", "exec \"$@\" --workers 1", "sh", NULL};

	serve(wrap);
	return 0;
}

static int
cleanup(void)
{
	gate_open(&hold, 100);
	return !stage_close(&stage);
}

/* ---- two workers */

static void
never_more_than_stated(void)
{
	EACH_FRONT(&stage, front) {
		struct load *load = load_start(front, "/a/count", 10);
		struct load_result result;

		CHECK(front, load_wait_more(load, 600));
		result = load_stop(load);
		CHECK(front, result.failed == 0 || result.last_status == 503);
	}
	CU_ASSERT_EQUAL(atomic_load(&most_inside), MOST);
	CU_ASSERT(bed_metric(stage.fronts[0], "faregate_service_queued_total{service=\"a\"}") > 0);
	CU_ASSERT_EQUAL(bed_metric(stage.fronts[0], "faregate_service_places_in_use{service=\"a\"}"), 0);
}

static void
another_service_goes_on(void)
{
	struct http_conn held;

	http_open(&held, stage.fronts[0], NULL);
	CU_ASSERT(http_send_head(&held, "GET", "/tight/x", NULL, -1) && gate_wait_waiting(&hold, 1));
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/tight/y");

		CHECK(front, http_is_problem(&stage.bed, reply, 503, "overloaded"));
		CHECK(front, http_header_is(reply, "Retry-After", "1"));
		CHECK(front, get(front, "/b/x")->status == 200);
	}
	gate_open(&hold, 1);
	CU_ASSERT_EQUAL(http_read(&held)->status, 200);
	http_close(&held);
}

static bool
no_place_is_in_use(void *arg)
{
	(void)arg;
	return bed_metric(stage.fronts[0], "faregate_service_places_in_use{service=\"tight\"}") == 0;
}

static void
a_copy_takes_a_place_or_is_left_out(void)
{
	static const char dropped[] = "faregate_mirrors_dropped_total{service=\"tight\"}";

	EACH_FRONT(&stage, front) {
		double before = bed_metric(front, dropped);

		CHECK(front, get(front, "/copied/x")->status == 200 && gate_wait_waiting(&hold, 1));
		CHECK(front, http_is_problem(&stage.bed, get(front, "/tight/y"), 503, "overloaded"));
		CHECK(front, get(front, "/copied/y")->status == 200);
		CHECK(front, bed_metric(front, dropped) == before + 1);
		gate_open(&hold, 1);
		CHECK(front, bed_wait(no_place_is_in_use, NULL));
	}
}

static void
a_dead_worker_gives_back(void)
{
	struct http_conn held;
	pid_t pids[8];
	size_t count;

	http_open(&held, stage.fronts[0], NULL);
	CU_ASSERT(http_send_head(&held, "GET", "/tight/x", NULL, -1) && gate_wait_waiting(&hold, 1));
	count = bed_workers(&stage.bed, pids, 8);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	CU_ASSERT(http_read(&held)->status != 200);
	http_close(&held);
	gate_open(&hold, 2);
	CU_ASSERT(bed_wait(no_place_is_in_use, NULL));
	CU_ASSERT_EQUAL(get(stage.fronts[0], "/tight/y")->status, 200);
	gate_reset(&hold);
}

static bool
four_wait(void *arg)
{
	(void)arg;
	return bed_metric(stage.fronts[0], "faregate_service_waiting{service=\"deep\"}") == 4;
}

/* One worker has all that wait; the other, for all of whom there was room in its share, knows of them. */
static void
the_queue_is_the_pools(void)
{
	struct fcgi_peer peers[5];
	struct fcgi_answer answer;
	pid_t pids[8];

	CU_ASSERT_EQUAL_FATAL(bed_workers(&stage.bed, pids, 8), 2);
	kill(pids[0], SIGSTOP);
	for (int i = 0; i < 5; i++) {
		CU_ASSERT(fcgi_open(&peers[i], stage.bed.socket, bed_patience() * 1000));
		CU_ASSERT(fcgi_ask(&peers[i], 1, false, "GET", "/deep/x", NULL) && fcgi_body(&peers[i], 1, NULL, 0));
	}
	CU_ASSERT(gate_wait_waiting(&hold, 1) && bed_wait(four_wait, NULL));
	kill(pids[1], SIGSTOP);
	kill(pids[0], SIGCONT);
	CU_ASSERT(http_is_problem(&stage.bed, get(stage.fronts[0], "/deep/y"), 503, "overloaded"));
	CU_ASSERT(four_wait(NULL));
	kill(pids[1], SIGCONT);
	gate_open(&hold, 5);
	for (int i = 0; i < 5; i++) {
		fcgi_read(&peers[i], &answer);
		CU_ASSERT(answer.ended && strstr(answer.out, "Status: 200") != NULL);
		free(answer.out);
		fcgi_close(&peers[i]);
	}
}

/* ---- one worker, whose queue has one order */

static double
queued(void)
{
	return bed_metric(stage.fronts[0], "faregate_service_queued_total{service=\"one\"}");
}

static bool
is_queued(void *count)
{
	return queued() == *(double *)count;
}

static void
enqueue(struct http_conn *conn, const char *target)
{
	double count = queued() + 1;

	http_open(conn, stage.fronts[0], NULL);
	CU_ASSERT(http_send_head(conn, "GET", target, NULL, -1));
	CU_ASSERT(bed_wait(is_queued, &count));
}

static void
expect_status(struct http_conn *conn, int status)
{
	CU_ASSERT_EQUAL(http_read(conn)->status, status);
	http_close(conn);
}

static void
the_critical_go_first(void)
{
	struct http_conn held, low[2], normal, high;

	atomic_store(&served, 0);
	http_open(&held, stage.fronts[0], NULL);
	CU_ASSERT(http_send_head(&held, "GET", "/normal/held", NULL, -1) && gate_wait_waiting(&hold, 1));
	enqueue(&low[0], "/low/0");
	enqueue(&low[1], "/low/1");
	CU_ASSERT(http_is_problem(&stage.bed, get(stage.fronts[0], "/low/2"), 503, "overloaded"));
	/* The youngest of the least critical makes room. */
	enqueue(&normal, "/normal/3");
	expect_status(&low[1], 503);
	enqueue(&high, "/high/4");
	expect_status(&low[0], 503);
	CU_ASSERT(http_is_problem(&stage.bed, get(stage.fronts[0], "/normal/5"), 503, "overloaded"));
	gate_open(&hold, 3);
	expect_status(&held, 200);
	expect_status(&high, 200);
	expect_status(&normal, 200);
	CU_ASSERT_EQUAL(atomic_load(&served), 3);
	CU_ASSERT_STRING_EQUAL(order[1], "/high/4");
	CU_ASSERT_STRING_EQUAL(order[2], "/normal/3");
	CU_ASSERT_EQUAL(bed_metric(stage.fronts[0], "faregate_service_shed_total{service=\"one\"}"), 4);
}

static void
nobody_waits_for_ever(void)
{
	struct http_conn held;

	http_open(&held, stage.fronts[0], NULL);
	CU_ASSERT(http_send_head(&held, "GET", "/brief/held", NULL, -1) && gate_wait_waiting(&hold, 1));
	EACH_FRONT(&stage, front) {
		int64_t begun = bed_now_ms();
		const struct http_reply *reply = get(front, "/brief/x");
		int64_t took = bed_now_ms() - begun;
		const char *queued;
		double queued_ms;
		char *line;

		CHECK(front, http_is_problem(&stage.bed, reply, 503, "overloaded"));
		line = bed_log_line(&stage.bed, reply->id);
		queued = line == NULL ? NULL : strstr(line, "\"queue_ms\":");
		queued_ms = queued == NULL ? 0 : strtod(queued + strlen("\"queue_ms\":"), NULL);
		CHECK(front, queued_ms >= 100 && queued_ms <= (double)took + 1);
		CHECK(front, line != NULL && strstr(line, "\"waiting_on\":\"place\"") != NULL);
		free(line);
	}
	gate_open(&hold, 1);
	expect_status(&held, 200);
}

static bool
nobody_is_in_flight(void *arg)
{
	(void)arg;
	return bed_metric(stage.fronts[0], "faregate_service_places_in_use{service=\"one\"}") == 0;
}

static double
gone(void)
{
	return bed_metric(stage.fronts[0], "faregate_outcomes_total{reason=\"client_gone\"}");
}

static bool
are_gone(void *count)
{
	return gone() >= *(double *)count;
}

/* Two places in the queue: who leaves gives one back, in the queue or at the service. */
static void
who_leaves_makes_room(void)
{
	struct fcgi_peer peers[6];

	for (int i = 0; i < 6; i++) {
		double count = queued() + (i > 0), left = gone() + 1;

		CU_ASSERT(fcgi_open(&peers[i], stage.bed.socket, bed_patience() * 1000));
		CU_ASSERT(fcgi_ask(&peers[i], 1, false, "GET", "/normal/leaves", NULL) && fcgi_body(&peers[i], 1, NULL, 0));
		if (i == 0)
			CU_ASSERT(gate_wait_waiting(&hold, 1));
		CU_ASSERT(bed_wait(is_queued, &count));
		if (i == 0)
			continue;
		fcgi_close(&peers[i]);
		CU_ASSERT(bed_wait(are_gone, &left));
	}
	fcgi_close(&peers[0]);
	CU_ASSERT(bed_wait(nobody_is_in_flight, NULL));
	gate_open(&hold, 1);
}

static void
explained(void)
{
	const char *const argv[] = {bed_program(), "explain", "-c", stage.bed.config, "GET", "http://localhost/low/x", NULL};
	char *out;

	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, argv), 0);
	CU_ASSERT(strstr(out, "one of 1; up to 2 wait for 60000 ms, of low criticality") != NULL);
	free(out);
}

void
suite_admission(void)
{
	CU_pSuite suite = add_suite("so many at a time", init, cleanup);

	ADD_SCENE(suite, never_more_than_stated);
	ADD_SCENE(suite, another_service_goes_on);
	ADD_SCENE(suite, a_copy_takes_a_place_or_is_left_out);
	ADD_SCENE(suite, the_queue_is_the_pools);
	ADD_SCENE(suite, a_dead_worker_gives_back);
	suite = add_suite("so many at a time, one worker", init_one_worker, cleanup);
	ADD_SCENE(suite, the_critical_go_first);
	ADD_SCENE(suite, nobody_waits_for_ever);
	ADD_SCENE(suite, who_leaves_makes_room);
	ADD_SCENE(suite, explained);
}
