/* Targets, services and questions for the suites about hedges: see hedge.h. */
#include "e2e/hedge.h"

struct stage hedge_stage;
struct gate gate_a = GATE_CLOSED, gate_b = GATE_CLOSED;
_Atomic int hedge_broken;
_Atomic unsigned hedge_counted;
char hedge_piece[HEDGE_LARGE_PIECE];

/* ---- what the targets say */

/* Connections are not kept: a request on a kept one that is reset before the answer is sent again by the client (RFC 9112 §9.3.1). */
static void
say_once(struct played_conn *conn, const char *body)
{
	say_close(conn);
	say_reply(conn, 200, "Connection: close\r\n", body);
}

static void
say_a(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_once(conn, "from a");
}

static void
say_b(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_once(conn, "from b");
}

static void
say_and_stay(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 200, NULL, "ok");
}

static void
hold_a(struct played_conn *conn, struct played_request *request)
{
	gate_pass(&gate_a);
	say_a(conn, request);
}

static void
hold_b(struct played_conn *conn, struct played_request *request)
{
	gate_pass(&gate_b);
	say_b(conn, request);
}

static void
hold_reset_a(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&gate_a);
	say_reset(conn);
}

static void
hold_reset_b(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&gate_b);
	say_reset(conn);
}

static void
hold_busy_a(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&gate_a);
	say_close(conn);
	say_reply(conn, 503, "Connection: close\r\n", "busy");
}

static void
break_a(struct played_conn *conn, struct played_request *request)
{
	if (atomic_fetch_sub(&hedge_broken, 1) > 0)
		hold_reset_a(conn, request);
	else
		say_a(conn, request);
}

static void
break_b(struct played_conn *conn, struct played_request *request)
{
	if (atomic_fetch_sub(&hedge_broken, 1) > 0)
		hold_reset_b(conn, request);
	else
		say_b(conn, request);
}

static void
say_second_time(struct played_conn *conn, struct played_request *request)
{
	if (atomic_fetch_add(&hedge_counted, 1) == 0)
		wait_peer_gone(conn);
	else
		say_a(conn, request);
}

static void
say_large(struct played_conn *conn, struct played_request *request)
{
	bool goes_on;

	(void)request;
	say_close(conn);
	goes_on = say(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", HEDGE_LARGE_PIECE * HEDGE_LARGE_PIECES);
	for (int i = 0; goes_on && i < HEDGE_LARGE_PIECES; i++)
		goes_on = say_bytes(conn, hedge_piece, sizeof(hedge_piece));
}

/* Its head alone, and then no more. */
static void
say_half(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_close(conn);
	say(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\nhalf");
	gate_pass(&gate_a);
	say(conn, "%096d", 0);
}

static const struct played_part parts_a[] = {{"/slow", say_nothing, false}, {"/hold", hold_a, false}, {"/torn", hold_reset_a, false},
    {"/spare", hold_a, false}, {"/broken", break_a, false}, {"/busy", hold_busy_a, false}, {"/mute", say_nothing, false},
    {"/large", say_nothing, false}, {"/twice", say_second_time, false}, {"/half", say_half, false},
    {"/kept/slow", say_nothing, false}, {"/kept", say_and_stay, false}, {NULL, say_a, false}};
static const struct played_part parts_b[] = {{"/hold", hold_b, false}, {"/torn", hold_b, false}, {"/spare", hold_reset_b, false},
    {"/broken", break_b, false}, {"/busy", hold_b, false}, {"/mute", say_nothing, false}, {"/large", say_large, false},
    {"/kept", say_and_stay, false}, {NULL, say_b, false}};

/* ---- the stage */

#define BOTH "targets: [{url: \"http://127.0.0.1:%d\", weight: 1000}, \"http://127.0.0.1:%d\"]"

int
hedge_open(void)
{
	int a, b;

	memset(hedge_piece, 'l', sizeof(hedge_piece));
	stage_play(&hedge_stage, parts_a, parts_b);
	a = played_port(hedge_stage.a);
	b = played_port(hedge_stage.b);
	stage_serve(&hedge_stage,
	    "services:\n"
	    "  quick: {" BOTH ", hedge: {after: 20ms, budget: 100%%}, breaker: {failures: 1, open-for: 60s, on: [connect, timeout, reset]}}\n"
	    "  plain: {" BOTH ", hedge: {after: 20ms, budget: 100%%}}\n"
	    "  again: {" BOTH ", hedge: 20ms, retry: {attempts: 3, budget: 100%%, backoff: 1ms}}\n"
	    "  twice: {" BOTH ", hedge: 20ms, retry: {attempts: 2, budget: 100%%, backoff: 1ms}}\n"
	    "  poor: {" BOTH ", hedge: {after: 20ms, budget: 0%%}}\n"
	    "  spent: {" BOTH ", hedge: 20ms, retry: {budget: 1%%, backoff: 0}}\n"
	    "  narrow: {" BOTH ", hedge: {after: 20ms, budget: 100%%}, max-in-flight: 1}\n"
	    "  wide: {" BOTH ", hedge: {after: 20ms, budget: 100%%}, max-in-flight: 2}\n"
	    "  crowded: {" BOTH ", hedge: {after: 20ms, budget: 100%%}, max-in-flight: 3, response-timeout: 300ms}\n"
	    "  usual: {" BOTH ", hedge: {after: p95, at-least: 20ms, budget: 100%%}}\n"
	    "  tardy: {" BOTH ", hedge: {after: 20ms, budget: 100%%}, response-timeout: 300ms}\n"
	    "  patient: {" BOTH ", hedge: {after: 1s, budget: 100%%}}\n"
	    "  calm: {" BOTH ", hedge: {after: 20s, budget: 100%%}}\n"
	    "  single: {targets: \"http://127.0.0.1:%d\", hedge: 20ms}\n"
	    "  without: {" BOTH "}\n"
	    "routes:\n"
	    "  quick: {path: /quick/*, service: quick, strip-prefix: /quick}\n"
	    "  plain: {path: /plain/*, service: plain, strip-prefix: /plain}\n"
	    "  again: {path: /again/*, service: again, strip-prefix: /again}\n"
	    "  twice: {path: /twice/*, service: twice, strip-prefix: /twice}\n"
	    "  poor: {path: /poor/*, service: poor, strip-prefix: /poor}\n"
	    "  spent: {path: /spent/*, service: spent, strip-prefix: /spent}\n"
	    "  narrow: {path: /narrow/*, service: narrow, strip-prefix: /narrow}\n"
	    "  wide: {path: /wide/*, service: wide, strip-prefix: /wide}\n"
	    "  crowded: {path: /crowded/*, service: crowded, strip-prefix: /crowded}\n"
	    "  usual: {path: /usual/*, service: usual, strip-prefix: /usual}\n"
	    "  tardy: {path: /tardy/*, service: tardy, strip-prefix: /tardy}\n"
	    "  timed: {path: /timed/*, service: plain, strip-prefix: /timed, timeout: 300ms}\n"
	    "  patient: {path: /patient/*, service: patient, strip-prefix: /patient}\n"
	    "  calm: {path: /calm/*, service: calm, strip-prefix: /calm}\n"
	    "  single: {path: /single/*, service: single, strip-prefix: /single}\n"
	    "  without: {path: /without/*, service: without, strip-prefix: /without}\n",
	    a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, a, b);
	return 0;
}

int
hedge_close(void)
{
	return !stage_close(&hedge_stage);
}

double
of_service(const char *metric, const char *service)
{
	char series[160];

	snprintf(series, sizeof(series), "faregate_%s{service=\"%s\"}", metric, service);
	return bed_metric(hedge_stage.fronts[0], series);
}

double
of_target(const char *metric, const char *service, const struct played *target)
{
	char series[160];

	snprintf(series, sizeof(series), "faregate_target_%s{service=\"%s\",target=\"http://127.0.0.1:%d\"}", metric, service,
	    played_port(target));
	return bed_metric(hedge_stage.fronts[0], series);
}

bool
is_idle(void *service)
{
	return of_target("in_flight", service, hedge_stage.a) == 0 && of_target("in_flight", service, hedge_stage.b) == 0;
}

bool
runs_twice(void *service)
{
	return of_target("in_flight", service, hedge_stage.a) == 1 && of_target("in_flight", service, hedge_stage.b) == 1;
}

bool
runs_once(void *service)
{
	return of_target("in_flight", service, hedge_stage.a) + of_target("in_flight", service, hedge_stage.b) == 1;
}

bool
log_lacks(const struct http_reply *reply, const char *key)
{
	char *line = bed_log_line(&hedge_stage.bed, reply->id);
	bool lacks = line != NULL && strstr(line, key) == NULL;

	free(line);
	return lacks;
}

bool
is_from(const struct http_reply *reply, const char *body, const char *hedged)
{
	return reply->status == 200 && reply->complete && strcmp(reply->body, body) == 0 &&
	    (hedged == NULL ? log_lacks(reply, "\"hedged\"") : bed_log_says(&hedge_stage.bed, reply->id, "hedged", hedged));
}

void
begin(struct http_conn *conn, const struct front *front, const char *method, const char *target)
{
	http_open(conn, front, NULL);
	CHECK(front, http_send_head(conn, method, target, NULL, -1));
}

const struct http_reply *
finish(struct http_conn *conn)
{
	const struct http_reply *reply = http_read(conn);

	http_close(conn);
	return reply;
}

void
begin_race(struct http_conn *conn, const struct front *front, const char *target)
{
	begin(conn, front, "GET", target);
	CHECK(front, gate_wait_waiting(&gate_a, 1) && gate_wait_waiting(&gate_b, 1));
}

static bool
is_deserted(void *arg)
{
	struct gate *gate = arg;
	bool deserted;

	pthread_mutex_lock(&gate->mutex);
	deserted = gate->waiting == 0 && gate->count == 0;
	pthread_mutex_unlock(&gate->mutex);
	return deserted;
}

void
let_go(struct gate *gate)
{
	gate_open(gate, 1);
	CU_ASSERT(bed_wait(is_deserted, gate));
}

/* Each is hedged later than what was sent before it; several, so that no worker is left out. */
void
let_time_pass(const struct front *front)
{
	for (int i = 0; i < 4; i++)
		CHECK(front, is_from(get(front, "/plain/slow"), "from b", "second"));
}

bool
no_place_is_taken(void *service)
{
	return of_service("service_places_in_use", service) == 0;
}
