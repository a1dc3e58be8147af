/*
 * One breaker for four workers: it opens by what all of them meet together, one request of all tries whether its target is
 * back, and a worker that dies with that request holds nobody up for longer than said.
 */
#include <signal.h>

#include "e2e/breaker_stage.h"
#include "support/fcgi_peer.h"

static struct stage stage;

static int
init(void)
{
	return breaker_stage_open(&stage);
}

static int
cleanup(void)
{
	return breaker_stage_close(&stage);
}

static long
retry_after(const struct http_reply *reply)
{
	const char *value = http_header(reply, "Retry-After");

	return value == NULL ? -1 : strtol(value, NULL, 10);
}

static bool
is_stopped(void *arg)
{
	char path[64], *text;
	const char *state;
	bool stopped;

	snprintf(path, sizeof(path), "/proc/%ld/stat", *(long *)arg);
	text = bed_read(&stage.bed, path);
	state = strrchr(text, ')');
	stopped = state != NULL && state[1] == ' ' && state[2] == 'T';
	free(text);
	return stopped;
}

/* Two requests to one worker, while the others stand still; spoken as a web server does. */
static void
ask_worker_twice(const struct front *front, struct worker workers[WORKERS], int number)
{
	char path[64];

	for (int i = 0; i < WORKERS; i++)
		if (i != number) {
			kill((pid_t)workers[i].pid, SIGSTOP);
			CHECK(front, bed_wait(is_stopped, &workers[i].pid));
		}
	snprintf(path, sizeof(path), "/count%d/x", index_of(front));
	for (int n = 0; n < 2; n++) {
		struct fcgi_peer peer;
		struct fcgi_answer reply;

		CHECK(front, fcgi_open(&peer, stage.bed.socket, bed_patience() * 1000));
		CHECK(front, fcgi_ask(&peer, 1, false, "GET", path, NULL) && fcgi_body(&peer, 1, NULL, 0));
		fcgi_read(&peer, &reply);
		CHECK(front, reply.ended && reply.out != NULL && strstr(reply.out, "Status: 503") != NULL);
		free(reply.out);
		fcgi_close(&peer);
	}
	for (int i = 0; i < WORKERS; i++)
		kill((pid_t)workers[i].pid, SIGCONT);
}

/* Each worker meets two failures, and two more are met behind the web server. */
static void
it_opens_by_what_all_workers_meet(void)
{
	EACH_FRONT(&stage, front) {
		struct worker workers[WORKERS];

		service_says(503);
		CHECK(front, look_at_workers(workers) == WORKERS);
		for (int i = 0; i < WORKERS; i++)
			ask_worker_twice(front, workers, i);
		CHECK(front, atomic_load(&asked) == 2 * WORKERS);
		CHECK(front, target_metric(front, "breaker_state", "count") == 0);
		for (int i = 0; i < 2 * WORKERS; i++)
			CHECK(front, ask_for(front, "count")->status == 503);
		CHECK(front, atomic_load(&asked) == 2 * WORKERS + 2);
		CHECK(front, is_refused(front, "count"));
		CHECK(front, target_metric(front, "breaker_state", "count") == 2);
		CHECK(front, target_metric(front, "breaker_opened_total", "count") == 1);
	}
}

static void
it_opens_by_rate(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		for (int i = 0; i < 19; i++) {
			atomic_store(&said, i % 2 == 0 ? 200 : 502);
			CHECK(front, ask_for(front, "rate")->status == (i % 2 == 0 ? 200 : 502));
		}
		CHECK(front, target_metric(front, "breaker_state", "rate") == 0);
		service_says(502);
		CHECK(front, ask_for(front, "rate")->status == 502);
		reply = ask_for(front, "rate");
		CHECK(front, http_is_problem(&stage.bed, reply, 503, "breaker_open"));
		CHECK(front, retry_after(reply) > 15 && retry_after(reply) <= 30);
		CHECK(front, target_metric(front, "breaker_state", "rate") == 2);
	}
}

/* Clients ask all the time; while the one request that was let through is not answered, no other is. */
static void
one_request_of_all_workers_tries(void)
{
	EACH_FRONT(&stage, front) {
		struct where where = {front, "one"};
		struct client clients[8];
		int64_t first;
		unsigned tried;

		service_says(503);
		CHECK(front, ask_for(front, "one")->status == 503);
		service_says(NO_STATUS);
		gate_reset(&breaker_hold);
		for (int i = 0; i < 8; i++)
			client_start(&clients[i], front, "one", true);
		CHECK(front, wait_asked(1));
		first = atomic_load(&last_asked);
		CHECK(front, target_metric(front, "breaker_state", "one") == 1);
		for (int i = 0; i < 16; i++)
			ask_for(front, "one");
		tried = atomic_load(&asked);
		/* On a machine that is that slow the next may have been let through, a while after the first was. */
		CHECK(front, tried == 1 || bed_now_ms() - first >= LEASE_MS / 2);
		gate_open(&breaker_hold, 100);
		for (int i = 0; i < 8; i++)
			pthread_join(clients[i].thread, NULL);
		service_says(200);
		CHECK(front, bed_wait(is_well, &where));
		CHECK(front, target_metric(front, "breaker_state", "one") == 0);
	}
}

static bool
has_failed_four_times(void *arg)
{
	const struct where *where = arg;

	ask_for(where->front, where->scene);
	return atomic_load(&asked) >= 5;
}

/* Each change is one line, from whichever worker. */
static void
it_rests_twice_as_long_each_time(void)
{
	EACH_FRONT(&stage, front) {
		struct where where = {front, "backoff"};

		service_says(503);
		CHECK(front, bed_wait(has_failed_four_times, &where));
		service_says(200);
		CHECK(front, bed_wait(is_well, &where));
		CHECK(front, is_logged(front, "backoff", "closed", "", 1));
		CHECK(front, is_logged(front, "backoff", "opened", "", 5));
		CHECK(front, is_logged(front, "backoff", "opened", " for_ms=100 because=failures ", 1));
		CHECK(front, is_logged(front, "backoff", "opened", " for_ms=200 because=still_fails ", 1));
		CHECK(front, is_logged(front, "backoff", "opened", " for_ms=400 because=still_fails ", 3));
		CHECK(front, is_logged(front, "backoff", "half-open", "", 5));
		CHECK(front, target_metric(front, "breaker_opened_total", "backoff") == 5);
	}
}

static bool
has_four_workers(void *arg)
{
	struct worker workers[WORKERS];

	(void)arg;
	return look_at_workers(workers) == WORKERS;
}

static bool
lease_is_over(void *arg)
{
	return bed_now_ms() - *(int64_t *)arg > LEASE_MS;
}

/* Exactly the worker that holds the request which tries. */
static void
a_dead_worker_holds_nobody_up(void)
{
	EACH_FRONT(&stage, front) {
		struct worker workers[WORKERS];
		struct client clients[2];
		const struct http_reply *reply;
		int64_t first;
		size_t count, holders = 0;

		service_says(503);
		CHECK(front, ask_for(front, "killed")->status == 503);
		service_says(NO_STATUS);
		gate_reset(&breaker_hold);
		for (int i = 0; i < 2; i++)
			client_start(&clients[i], front, "killed", true);
		CHECK(front, wait_asked(1));
		first = atomic_load(&last_asked);
		count = look_at_workers(workers);
		for (size_t i = 0; i < count; i++) {
			holders += workers[i].in_flight > 0;
			if (workers[i].in_flight > 0)
				kill((pid_t)workers[i].pid, SIGKILL);
		}
		CHECK(front, holders >= 1);
		for (int i = 0; i < 2; i++)
			pthread_join(clients[i].thread, NULL);
		atomic_store(&said, 200);
		/* Until then all are refused; that moment lies a while before it arrived. */
		reply = ask_for(front, "killed");
		CHECK(front, reply->status == 503 || bed_now_ms() - first >= LEASE_MS / 2);
		CHECK(front, bed_wait(lease_is_over, &first));
		/* Apache may find out first that connections of its own are gone. */
		for (int i = 0; i < WORKERS && reply->status != 200; i++)
			reply = ask_for(front, "killed");
		CHECK(front, reply->status == 200);
		gate_open(&breaker_hold, 100);
		CHECK(front, bed_wait(has_four_workers, NULL));
	}
}

static bool
may_try(void *arg)
{
	return bed_now_ms() - *(int64_t *)arg > LEFT_MS;
}

static bool
has_tried_again(void *arg)
{
	(void)arg;
	ask_for(stage.fronts[0], "left");
	return atomic_load(&asked) >= 2;
}

/* The web server says so at once; what nobody will hear of need not be waited for. */
static void
a_client_that_leaves_makes_room(void)
{
	const struct front *front = stage.fronts[0];
	struct fcgi_peer peer;
	int64_t since;

	service_says(503);
	CHECK(front, ask_for(front, "left")->status == 503);
	since = bed_now_ms(); /* it has opened by now */
	CHECK(front, bed_wait(may_try, &since));
	service_says(NO_STATUS);
	gate_reset(&breaker_hold);
	CHECK(front, fcgi_open(&peer, stage.bed.socket, bed_patience() * 1000));
	CHECK(front, fcgi_ask(&peer, 1, false, "GET", "/left0/x", NULL) && fcgi_body(&peer, 1, NULL, 0));
	CHECK(front, wait_asked(1));
	since = atomic_load(&last_asked);
	CHECK(front, is_refused(front, "left"));
	atomic_store(&said, 200);
	fcgi_close(&peer);
	CHECK(front, bed_wait(has_tried_again, NULL));
	CHECK(front, atomic_load(&last_asked) - since < LEFT_MS);
	gate_open(&breaker_hold, 1);
}

static void
a_service_rests_as_a_whole(void)
{
	EACH_FRONT(&stage, front) {
		const char *const argv[] = {bed_program(), "status", "-c", stage.bed.config, NULL};
		struct where where = {front, "again"};
		const struct http_reply *reply;
		char *out;

		service_says(503);
		for (int i = 0; i < 20; i++)
			CHECK(front, ask_for(front, "whole")->status == 503);
		CHECK(front, atomic_load(&asked) == 4);
		reply = ask_for(front, "whole");
		CHECK(front, http_is_problem(&stage.bed, reply, 503, "breaker_open"));
		CHECK(front, retry_after(reply) > 0 && retry_after(reply) <= 60);
		CHECK(front, service_metric(front, "breaker_state", "whole") == 2);
		CHECK(front, target_metric(front, "breaker_state", "whole") == 0);
		CHECK(front, bed_run(&stage.bed, &out, argv) == 0 && strstr(out, "service as a whole") != NULL);
		free(out);
		CHECK(front, is_logged(front, "whole", "opened", " for_ms=60000 because=failures\n", 1));
		/* One that rests for less. */
		CHECK(front, ask_for(front, "again")->status == 503);
		service_says(200);
		CHECK(front, bed_wait(is_well, &where));
		CHECK(front, service_metric(front, "breaker_state", "again") == 0);
		CHECK(front, service_metric(front, "breaker_opened_total", "again") == 1);
	}
}

static bool
opens_both(const struct front *front, const char *scene)
{
	CHECK(front, is_refused(front, scene));
	return service_metric(front, "breaker_opened_total", scene) == 1;
}

/* By each kind of failure that is asked for, at a target and at a service; by no other. */
static void
what_counts_as_a_failure(void)
{
	EACH_FRONT(&stage, front) {
		char path[64];

		CHECK(front, ask_for(front, "dead")->status == 502);
		CHECK(front, opens_both(front, "dead"));
		service_says(503);
		CHECK(front, ask_for(front, "resets")->status == 503);
		service_says(RESET);
		CHECK(front, ask_for(front, "resets")->status == 502);
		CHECK(front, opens_both(front, "resets"));
		CHECK(front, target_metric(front, "breaker_opened_total", "resets") == 1);
		CHECK(front, ask_for(front, "hangs")->status == 502);
		snprintf(path, sizeof(path), "/hangs%d/hang", index_of(front));
		CHECK(front, get(front, path)->status == 504);
		CHECK(front, opens_both(front, "hangs"));
		CHECK(front, target_metric(front, "breaker_opened_total", "hangs") == 1);
		service_says(500);
		CHECK(front, ask_for(front, "says")->status == 500);
		service_says(418);
		CHECK(front, ask_for(front, "says")->status == 418);
		CHECK(front, opens_both(front, "says"));
		CHECK(front, target_metric(front, "breaker_opened_total", "says") == 1);
	}
}

/* "explain GET PATH": what it says; the exit status in *status. The caller frees it. */
static char *
explain(const struct front *front, const char *scene, int *status)
{
	char path[64], *out;
	const char *const argv[] = {bed_program(), "explain", "-c", stage.bed.config, "GET", path, NULL};

	snprintf(path, sizeof(path), "http://localhost/%s%d/x", scene, index_of(front));
	*status = bed_run(&stage.bed, &out, argv);
	return out;
}

static void
explain_tells_what_the_pool_knows(void)
{
	EACH_FRONT(&stage, front) {
		char target[80], service[16], *out;
		int status;

		service_says(503);
		CHECK(front, ask_for(front, "told")->status == 503);
		out = explain(front, "told", &status);
		CHECK(front, status == 1);
		snprintf(target, sizeof(target), "not: http://127.0.0.1:%d: breaker open for ", played_port(stage.a));
		CHECK(front, strstr(out, target) != NULL);
		CHECK(front, strstr(out, "breaker_open: 503") != NULL);
		free(out);
		/* It entered none: a breaker that lets one through would be half-open by now. */
		CHECK(front, target_metric(front, "breaker_state", "told") == 2);

		service_says(200);
		snprintf(service, sizeof(service), "some%d", index_of(front));
		snprintf(target, sizeof(target), "http://127.0.0.1:%d", played_port(stage.b));
		CHECK(front, bed_run(&stage.bed, &out, (const char *[]){bed_program(), "drain", "-c", stage.bed.config, service, target,
		    NULL}) == 0);
		free(out);
		out = explain(front, "some", &status);
		CHECK(front, status == 0);
		CHECK(front, strstr(out, "not: http://127.0.0.1") != NULL && strstr(out, ": drained") != NULL);
		snprintf(target, sizeof(target), "available: http://127.0.0.1:%d", played_port(stage.a));
		CHECK(front, strstr(out, target) != NULL);
		CHECK(front, strstr(out, "pick        hash: http://127.0.0.1:") != NULL);
		free(out);
	}
}

void
suite_breaker(void)
{
	CU_pSuite suite = add_suite("breakers of four workers", init, cleanup);

	ADD_SCENE(suite, it_opens_by_what_all_workers_meet);
	ADD_SCENE(suite, it_opens_by_rate);
	ADD_SCENE(suite, one_request_of_all_workers_tries);
	ADD_SCENE(suite, it_rests_twice_as_long_each_time);
	ADD_SCENE(suite, a_dead_worker_holds_nobody_up);
	ADD_SCENE(suite, a_client_that_leaves_makes_room);
	ADD_SCENE(suite, a_service_rests_as_a_whole);
	ADD_SCENE(suite, what_counts_as_a_failure);
	ADD_SCENE(suite, explain_tells_what_the_pool_knows);
}
