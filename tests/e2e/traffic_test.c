/*
 * Services that fail, and clients that do not notice: targets that die, hang, reset, answer 503 and come back, under what
 * balance, breaker, health and retry say.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "e2e/e2e.h"
#include "e2e/load.h"

static struct stage stage;
static struct played *third, *patient;
static struct gate hold = GATE_CLOSED;
static _Atomic int answer = 503;      /* what /answer says; 0: waits at the gate first */
static _Atomic int health_of_a = 200;
static const char *_Atomic word_of_a = "it is ok";
static char long_word[65 * 1024];
static _Atomic unsigned asked, posted; /* requests for /answer, for /reset */

static void
say_ok(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "X-From: other\r\n", "ok");
}

static void
say_ok_as_a(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "X-From: a\r\n", "ok");
}

static void
say_answer(struct played_conn *conn, struct played_request *request)
{
	int status = atomic_load(&answer);

	(void)request;
	atomic_fetch_add(&asked, 1);
	if (status == 0)
		gate_pass(&hold);
	say_reply(conn, status == 0 ? 200 : status, NULL, "as told");
}

static void
say_health_of_a(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, atomic_load(&health_of_a), NULL, atomic_load(&word_of_a));
}

/* Every second time. */
static void
reset_or_echo(struct played_conn *conn, struct played_request *request)
{
	if (atomic_fetch_add(&posted, 1) % 2 == 0)
		say_reset(conn);
	else
		say_echo(conn, request);
}

static void
count_and_reset(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	atomic_fetch_add(&posted, 1);
	say_reset(conn);
}

static void
say_ok_and_close(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, "Connection: close\r\n", "ok");
	say_close(conn);
}

static void
say_try_soon(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 503, "Retry-After: 30\r\n", "come back later");
}

static const struct played_part parts_a[] = {
    {"/answer", say_answer, false}, {"/health", say_health_of_a, false}, {"/hang", say_nothing, false},
    {"/reset", count_and_reset, false}, {"/moody", reset_or_echo, false}, {"/later", say_try_soon, false}, {"/closing", say_ok_and_close, false},
    {"/echo", say_echo, false},
    {NULL, say_ok_as_a, false}};
static const struct played_part parts_b[] = {
    {"/reset", count_and_reset, false}, {"/moody", reset_or_echo, false}, {"/echo", say_echo, false}, {NULL, say_ok, false}};

static int
init(void)
{
	int a, b;

	stage_play(&stage, parts_a, parts_b);
	third = played_start(parts_b);
	patient = played_start(parts_b);
	a = played_port(stage.a);
	b = played_port(stage.b);
	stage_serve(&stage,
	    "services:\n"
	    "  three:\n"
	    "    targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    retry: {attempts: 3, budget: 100%%}\n"
	    "    breaker: {failures: 3, within: 10s, open-for: 60s}\n"
	    "  dead-first:\n"
	    "    targets: [{url: \"http://127.0.0.1:%d\", weight: 1000}, \"http://127.0.0.1:%d\"]\n"
	    "    retry: {attempts: 2, budget: 100%%, backoff: 1ms}\n"
	    "  careful:\n"
	    "    targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    retry: {attempts: 3, budget: 100%%, backoff: 1ms}\n"
	    "  keyed:\n"
	    "    targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    retry: {attempts: 3, budget: 100%%, backoff: 1ms, idempotency-key: true}\n"
	    "  hung:\n"
	    "    targets: [{url: \"http://127.0.0.1:%d\", weight: 1000}, \"http://127.0.0.1:%d\"]\n"
	    "    response-timeout: 400ms\n"
	    "    retry: {attempts: 2, backoff: 1ms}\n"
	    "    breaker: {failures: 1, open-for: 60s}\n"
	    "  storm:\n"
	    "    deadline-header: X-Left-Ms\n"
	    "    targets: [\"http://127.0.0.1:%d\"]\n"
	    "    retry: {attempts: 3, budget: 20%%, backoff: 0}\n"
	    "  guarded:\n"
	    "    targets: [\"http://127.0.0.1:%d\"]\n"
	    "    breaker: {failures: 5, within: 60s, open-for: 60s}\n"
	    "  back:\n"
	    "    targets: [\"http://127.0.0.1:%d\"]\n"
	    "    breaker: {failures: 1, open-for: 100ms, open-most: 100ms}\n"
	    "  watched:\n"
	    "    targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    health: {path: /health, every: 20ms, up-after: 2, down-after: 2, body: ok}\n"
	    "  sticky:\n"
	    "    targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"]\n"
	    "    balance: hash\n"
	    "    hash-by: header:X-User\n"
	    "routes:\n"
	    "  three: {path: /three/*, service: three, strip-prefix: /three}\n"
	    "  dead-first: {path: /dead-first/*, service: dead-first, strip-prefix: /dead-first}\n"
	    "  careful: {path: /careful/*, service: careful, strip-prefix: /careful}\n"
	    "  keyed: {path: /keyed/*, service: keyed, strip-prefix: /keyed}\n"
	    "  hung: {path: /hung/*, service: hung, strip-prefix: /hung}\n"
	    "  storm: {path: /storm/*, service: storm, strip-prefix: /storm}\n"
	    "  timed: {path: /timed/*, service: storm, strip-prefix: /timed, timeout: 20s}\n"
	    "  guarded: {path: /guarded/*, service: guarded, strip-prefix: /guarded}\n"
	    "  back: {path: /back/*, service: back, strip-prefix: /back}\n"
	    "  watched: {path: /watched/*, service: watched, strip-prefix: /watched}\n"
	    "  sticky: {path: /sticky/*, service: sticky, strip-prefix: /sticky}\n",
	    a, b, played_port(third), bed_dead_port(), b, a, b, a, b, a, b, a, a, a, a, b, a, played_port(patient));
	return 0;
}

static int
cleanup(void)
{
	int failed = !stage_close(&stage);

	played_stop(third);
	played_stop(patient);
	return failed;
}

static bool
is_from(const struct http_reply *reply, const char *who)
{
	const char *from = http_header(reply, "X-From");

	return reply->status == 200 && from != NULL && strcmp(from, who) == 0;
}

/* One of three dies while clients ask all the time. */
static void
a_dead_target_costs_no_client_an_answer(void)
{
	int port = played_port(third);

	EACH_FRONT(&stage, front) {
		struct load *load = load_start(front, "/three/x", 8);
		struct load_result result;

		CHECK(front, load_wait_more(load, 200));
		played_stop(third);
		CHECK(front, load_wait_more(load, 400));
		result = load_stop(load);
		fprintf(stderr, "e2e: %s, a target died: %u answers, %u failed\n", front->name, result.good, result.failed);
		CHECK(front, result.failed == 0);
		third = played_start_on(parts_b, port);
	}
}

static void
what_was_not_sent_is_sent_elsewhere(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "POST", "/dead-first/echo", NULL, "a body of some length");

		CHECK(front, reply->status == 200 && http_body_has(reply, "a body of some length"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "tries", "2"));
	}
}

static void
a_post_is_never_sent_twice(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		for (int i = 0; i < 4; i++) {
			atomic_store(&posted, 0);
			reply = ask(front, "POST", "/careful/reset", NULL, "charge my card");
			CHECK(front, http_is_problem(&stage.bed, reply, 502, "service_closed"));
			CHECK(front, atomic_load(&posted) == 1);
			/* A key is of use only where the service is said to know it. */
			reply = ask(front, "POST", "/careful/reset", "Idempotency-Key: k1\r\n", "charge my card");
			CHECK(front, reply->status == 502 && atomic_load(&posted) == 2);
		}
		atomic_store(&posted, 0);
		CHECK(front, ask(front, "PUT", "/careful/reset", NULL, "once or thrice, the same")->status == 502);
		CHECK(front, atomic_load(&posted) == 3);
		atomic_store(&posted, 0);
		CHECK(front, ask(front, "POST", "/keyed/reset", "Idempotency-Key: k1\r\n", "charge my card")->status == 502);
		CHECK(front, atomic_load(&posted) == 3);
	}
}

/* The same bytes again, and what is too long to be kept not at all. */
static void
bodies_are_sent_again_whole(void)
{
	enum { KEPT = 50 * 1024, TOO_LONG = 200 * 1024 };
	char *body = calloc(1, TOO_LONG + 1);

	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;

		for (size_t i = 0; i < KEPT; i++)
			body[i] = (char)('a' + i / 7 % 26);
		body[KEPT] = '\0';
		atomic_store(&posted, 0);
		reply = ask(front, "PUT", "/careful/moody", NULL, body);
		CHECK(front, reply->status == 200 && http_body_has(reply, body));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "tries", "2"));
		memset(body, 'x', TOO_LONG);
		atomic_store(&posted, 0);
		CHECK(front, ask(front, "PUT", "/careful/reset", NULL, body)->status >= 500);
		CHECK(front, atomic_load(&posted) == 1);
	}
	free(body);
}

static void
a_hung_target_costs_one_timeout_once(void)
{
	const struct front *front = stage.fronts[0];
	int64_t before = bed_now_ms();
	const struct http_reply *reply = get(front, "/hung/hang");

	/* The first target hangs; the second knows no /hang and answers. */
	CHECK(front, is_from(reply, "other"));
	CHECK(front, bed_now_ms() - before >= 400);
	CHECK(front, bed_log_says(&stage.bed, reply->id, "tries", "2"));
	for (int i = 0; i < 10; i++) {
		reply = get(front, "/hung/hang");
		CHECK(front, reply->status == 200);
		CHECK(front, bed_log_says(&stage.bed, reply->id, "reason", "forwarded"));
	}
	CHECK(front, bed_metric(front, "faregate_retries_total{service=\"hung\"}") == 1);
}

static void
a_storm_stays_within_its_budget(void)
{
	const struct front *front = stage.fronts[0];
	enum { REQUESTS = 200, AT_FIRST = 10, SHARE = REQUESTS / 5 };
	double refused;

	atomic_store(&answer, 503);
	atomic_store(&asked, 0);
	for (int i = 0; i < REQUESTS; i++)
		CHECK(front, get(front, "/storm/answer")->status == 503);
	fprintf(stderr, "e2e: %d requests, %u tries\n", REQUESTS, atomic_load(&asked));
	CHECK(front, atomic_load(&asked) <= REQUESTS + AT_FIRST + SHARE);
	CHECK(front, atomic_load(&asked) >= REQUESTS + AT_FIRST + SHARE - 2);
	refused = bed_metric(front, "faregate_retries_refused_total{service=\"storm\"}");
	CHECK(front, refused > 0);
	/* A service that wants to be left alone for long is. */
	CHECK(front, get(front, "/storm/later")->status == 503);
	CHECK(front, bed_metric(front, "faregate_retries_refused_total{service=\"storm\"}") == refused);
}

static void
a_service_is_told_how_long_it_has(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "GET", "/timed/echo", "X-Left-Ms: 99999999\r\n", NULL);
		const char *at = strstr(reply->body, "X-Left-Ms: ");
		long left = at == NULL ? -1 : strtol(at + strlen("X-Left-Ms: "), NULL, 10);

		CHECK(front, left > 0 && left <= 20000);
		CHECK(front, at != NULL && strstr(at + 1, "X-Left-Ms") == NULL);
		/* Nobody counts there, and the client has no say. */
		CHECK(front, !http_body_has(ask(front, "GET", "/storm/echo", "X-Left-Ms: 99999999\r\n", NULL), "X-Left-Ms"));
	}
}

/* Each answer uses up a connection, so that sooner or later one has to be made. */
static void
the_log_says_how_long_connecting_took(void)
{
	EACH_FRONT(&stage, front) {
		double took = -1, bound = 0;

		for (int i = 0; took < 0 && i < 100; i++) {
			int64_t begun = bed_now_ms();
			char *line = bed_log_line(&stage.bed, get(front, "/storm/closing")->id);
			const char *at = line == NULL ? NULL : strstr(line, "\"connect_ms\":");

			took = at == NULL ? -1 : strtod(at + strlen("\"connect_ms\":"), NULL);
			bound = (double)(bed_now_ms() - begun + 1);
			free(line);
		}
		CHECK(front, took > 0 && took <= bound);
	}
}

/* The two workers count together. */
static void
a_breaker_opens_once_for_all_workers(void)
{
	const struct front *front = stage.fronts[0];
	const struct http_reply *reply;

	atomic_store(&answer, 503);
	atomic_store(&asked, 0);
	for (int i = 0; i < 30; i++)
		CHECK(front, get(front, "/guarded/answer")->status == 503);
	CHECK(front, atomic_load(&asked) == 5);
	reply = get(front, "/guarded/answer");
	CHECK(front, http_is_problem(&stage.bed, reply, 503, "breaker_open"));
	CHECK(front, http_header(reply, "Retry-After") != NULL && atoi(http_header(reply, "Retry-After")) > 30);
}

static double
generation(void)
{
	return bed_metric(stage.fronts[0], "faregate_config_generation");
}

static bool
has_reloaded(void *arg)
{
	return generation() > *(double *)arg;
}

static void
a_reload_keeps_what_is_known(void)
{
	const struct front *front = stage.fronts[0];
	double before = generation();

	kill(stage.bed.pool, SIGHUP);
	CHECK(front, bed_wait(has_reloaded, &before));
	atomic_store(&asked, 0);
	CHECK(front, http_is_problem(&stage.bed, get(front, "/guarded/answer"), 503, "breaker_open"));
	CHECK(front, atomic_load(&asked) == 0);
}

static void *
ask_until_it_arrives(void *arg)
{
	(void)arg;
	while (atomic_load(&asked) == 0) {
		get(stage.fronts[0], "/back/answer");
		http_forget_all();
	}
	return NULL;
}

static bool
is_back(void *arg)
{
	(void)arg;
	return get(stage.fronts[0], "/back/answer")->status == 200;
}

static bool
has_arrived(void *arg)
{
	(void)arg;
	return atomic_load(&asked) >= 1;
}

/* The one request that may try is in a worker that is killed. */
static void
a_dead_worker_keeps_no_breaker_open(void)
{
	const struct front *front = stage.fronts[0];
	pid_t workers[16];
	pthread_t client;
	char opened[160];
	size_t count;

	/* For a moment, which may be over by now. */
	snprintf(opened, sizeof(opened), "faregate_target_breaker_opened_total{service=\"back\",target=\"http://127.0.0.1:%d\"}",
	    played_port(stage.a));
	atomic_store(&answer, 503);
	CHECK(front, get(front, "/back/answer")->status == 503);
	CHECK(front, bed_metric(front, opened) == 1);
	atomic_store(&answer, 0);
	atomic_store(&asked, 0);
	gate_reset(&hold);
	pthread_create(&client, NULL, ask_until_it_arrives, NULL);
	CHECK(front, bed_wait(has_arrived, NULL));
	count = bed_workers(&stage.bed, workers, 16);
	for (size_t i = 0; i < count; i++)
		kill(workers[i], SIGKILL);
	pthread_join(client, NULL);
	atomic_store(&answer, 200);
	CHECK(front, bed_wait(is_back, NULL));
	gate_open(&hold, 100);
}

struct wanted {
	const char *series;
	double value;
};

static bool
metric_is(void *arg)
{
	const struct wanted *wanted = arg;
	char series[160];

	snprintf(series, sizeof(series), "%s{service=\"watched\",target=\"http://127.0.0.1:%d\"}", wanted->series,
	    played_port(stage.a));
	return bed_metric(stage.fronts[0], series) == wanted->value;
}

static bool
is_asked(const char *who, int times)
{
	for (int i = 0; i < times; i++)
		if (is_from(get(stage.fronts[0], "/watched/x"), who))
			return true;
	return false;
}

static void
probes_take_a_target_out_and_in(void)
{
	const struct front *front = stage.fronts[0];
	struct wanted down = {"faregate_target_up", 0}, up = {"faregate_target_up", 1};

	CHECK(front, bed_wait(metric_is, &up));
	CHECK(front, is_asked("a", 4));
	atomic_store(&health_of_a, 500);
	CHECK(front, bed_wait(metric_is, &down));
	CHECK(front, !is_asked("a", 20));
	atomic_store(&health_of_a, 200);
	CHECK(front, bed_wait(metric_is, &up));
	CHECK(front, is_asked("a", 4));
	/* Well by its status alone; its word stands in the first 64k, to their last byte, in whatever pieces they come. */
	atomic_store(&word_of_a, "not well");
	CHECK(front, bed_wait(metric_is, &down));
	memset(long_word, '.', sizeof(long_word) - 1);
	memcpy(long_word + 64 * 1024, "ok", 2);
	atomic_store(&word_of_a, long_word + 2);
	CHECK(front, bed_wait(metric_is, &up));
	atomic_store(&word_of_a, long_word);
	CHECK(front, bed_wait(metric_is, &down));
	atomic_store(&word_of_a, "ok");
	CHECK(front, bed_wait(metric_is, &up));
}

static bool
storm_has_in_flight(void *arg)
{
	char series[160];

	snprintf(series, sizeof(series), "faregate_target_in_flight{service=\"storm\",target=\"http://127.0.0.1:%d\"}",
	    played_port(stage.a));
	return bed_metric(stage.fronts[0], series) == *(double *)arg;
}

static void *
ask_storm(void *arg)
{
	(void)arg;
	get(stage.fronts[0], "/storm/answer");
	http_forget_all();
	return NULL;
}

static void
what_is_in_flight_is_known(void)
{
	double one = 1, none = 0;
	pthread_t client;

	gate_reset(&hold);
	atomic_store(&answer, 0);
	CU_ASSERT_FATAL(pthread_create(&client, NULL, ask_storm, NULL) == 0);
	CU_ASSERT(bed_wait(storm_has_in_flight, &one));
	gate_open(&hold, 1);
	pthread_join(client, NULL);
	CU_ASSERT(bed_wait(storm_has_in_flight, &none));
}

static bool
runs(const char *command, const char *target)
{
	const char *const argv[] = {bed_program(), command, "-c", stage.bed.config, "watched", target, NULL};
	char *out;
	int status = bed_run(&stage.bed, &out, argv);

	free(out);
	return status == 0;
}

static bool
log_has(void *line)
{
	char *log = bed_read(&stage.bed, "pool.log");
	bool has = strstr(log, line) != NULL;

	free(log);
	return has;
}

static void
a_drained_target_is_left_alone(void)
{
	const struct front *front = stage.fronts[0];
	const char *const status[] = {bed_program(), "status", "-c", stage.bed.config, NULL};
	char url[64], line[160], *out;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", played_port(stage.a));
	snprintf(line, sizeof(line), "watched %s", url);
	CHECK(front, is_asked("a", 4));
	CHECK(front, runs("drain", url));
	CHECK(front, !is_asked("a", 20));
	CHECK(front, bed_run(&stage.bed, &out, status) == 0);
	CHECK(front, strstr(out, line) != NULL && strstr(strstr(out, line), " drained ") != NULL);
	free(out);
	snprintf(line, sizeof(line), "info targets: drained: service=watched target=%s\n", url);
	CHECK(front, bed_wait(log_has, line));
	CHECK(front, runs("undrain", url));
	CHECK(front, is_asked("a", 4));
	snprintf(line, sizeof(line), "info targets: undrained: service=watched target=%s\n", url);
	CHECK(front, bed_wait(log_has, line));
	CHECK(front, !runs("drain", "http://127.0.0.1:1") && !runs("drain", ""));
}

/* Ports are drawn, and so is whom each user meets: that all of 40 meet the same happens once in 10^11. */
static void
the_same_user_meets_the_same_target(void)
{
	EACH_FRONT(&stage, front) {
		enum { USERS = 40 };
		unsigned by_a = 0;

		for (int user = 0; user < USERS; user++) {
			char header[32];

			snprintf(header, sizeof(header), "X-User: u%d\r\n", user);
			bool is_a = is_from(ask(front, "GET", "/sticky/x", header, NULL), "a");
			by_a += is_a;
			for (int i = 0; i < 3; i++)
				CHECK(front, is_from(ask(front, "GET", "/sticky/x", header, NULL), is_a ? "a" : "other"));
		}
		CHECK(front, by_a > 0 && by_a < USERS);
	}
}

void
suite_traffic(void)
{
	CU_pSuite suite = add_suite("services that fail", init, cleanup);

	ADD_SCENE(suite, a_dead_target_costs_no_client_an_answer);
	ADD_SCENE(suite, what_was_not_sent_is_sent_elsewhere);
	ADD_SCENE(suite, a_post_is_never_sent_twice);
	ADD_SCENE(suite, bodies_are_sent_again_whole);
	ADD_SCENE(suite, a_hung_target_costs_one_timeout_once);
	ADD_SCENE(suite, a_storm_stays_within_its_budget);
	ADD_SCENE(suite, a_service_is_told_how_long_it_has);
	ADD_SCENE(suite, the_log_says_how_long_connecting_took);
	ADD_SCENE(suite, a_breaker_opens_once_for_all_workers);
	ADD_SCENE(suite, a_reload_keeps_what_is_known);
	ADD_SCENE(suite, a_dead_worker_keeps_no_breaker_open);
	ADD_SCENE(suite, probes_take_a_target_out_and_in);
	ADD_SCENE(suite, what_is_in_flight_is_known);
	ADD_SCENE(suite, a_drained_target_is_left_alone);
	ADD_SCENE(suite, the_same_user_meets_the_same_target);
}
