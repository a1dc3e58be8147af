/* The stage of the scenes of breakers: see breaker_stage.h. */
#include "e2e/breaker_stage.h"

static struct stage *stage; /* borrowed: the open one */
struct gate breaker_hold = GATE_CLOSED;
_Atomic int said;
_Atomic unsigned asked;
_Atomic int64_t last_asked;

static void
say_as_told(struct played_conn *conn, struct played_request *request)
{
	int status = atomic_load(&said);

	(void)request;
	atomic_store(&last_asked, bed_now_ms());
	atomic_fetch_add(&asked, 1);
	if (status == RESET) {
		say_reset(conn);
		return;
	}
	if (status == NO_STATUS)
		gate_pass(&breaker_hold);
	say_reply(conn, status == NO_STATUS ? 200 : status, NULL, "as told");
}

static const struct played_part parts[] = {{"/hang", say_nothing, false}, {NULL, say_as_told, false}};

/* ---- the stage */

static const struct {
	const char *name, *keys;
} scenes[] = {
    {"count", "breaker: {failures: 10, within: 60s, open-for: 60s}"},
    {"rate", "breaker: {failures: none, error-rate: 50%, requests: 20, within: 60s, open-for: 30s}"},
    {"one", "breaker: {failures: 1, open-for: 1s}"},
    {"backoff", "breaker: {failures: 1, open-for: 100ms, open-most: 400ms}"},
    {"killed", "breaker: {failures: 1, open-for: 1s}"},
    {"left", "breaker: {failures: 1, open-for: 6s}"},
    {"again", "service-breaker: {failures: 1, open-for: 300ms}"},
    {"told", "breaker: {failures: 1, open-for: 60s}"},
    {"resets", "breaker: {failures: 1, open-for: 60s, on: reset}, service-breaker: {failures: 1, open-for: 60s, on: reset}"},
    {"hangs", "response-timeout: 1500ms, breaker: {failures: 1, open-for: 60s, on: timeout},"
	      " service-breaker: {failures: 1, open-for: 60s, on: timeout}"},
    {"says", "breaker: {failures: 1, open-for: 60s, on: 418}, service-breaker: {failures: 1, open-for: 60s, on: [429, 418]}"},
};

static void
add_services(char *services, size_t services_size, char *routes, size_t routes_size)
{
	int a = played_port(stage->a), b = played_port(stage->b);
	size_t s = 0, r = 0;

	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(scenes) / sizeof(scenes[0]); k++) {
			s += (size_t)snprintf(services + s, services_size - s, "  %s%d: {targets: \"http://127.0.0.1:%d\", %s}\n",
			    scenes[k].name, i, a, scenes[k].keys);
			r += (size_t)snprintf(routes + r, routes_size - r, "  %s%d: {path: /%s%d/*, service: %s%d, strip-prefix: /%s%d}\n",
			    scenes[k].name, i, scenes[k].name, i, scenes[k].name, i, scenes[k].name, i);
		}
		s += (size_t)snprintf(services + s, services_size - s,
		    "  whole%d: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"],\n"
		    "    service-breaker: {failures: 4, within: 60s, open-for: 60s}}\n"
		    "  dead%d: {targets: \"http://127.0.0.1:%d\", breaker: {failures: 1, open-for: 60s, on: connect},\n"
		    "    service-breaker: {failures: 1, open-for: 60s, on: connect}}\n"
		    "  some%d: {targets: [\"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\", \"http://127.0.0.1:%d\"],\n"
		    "    balance: hash, breaker: {failures: 1, open-for: 60s, on: connect}}\n",
		    i, a, b, i, bed_dead_port(), i, a, b, bed_dead_port());
		r += (size_t)snprintf(routes + r, routes_size - r,
		    "  whole%d: {path: /whole%d/*, service: whole%d}\n"
		    "  dead%d: {path: /dead%d/*, service: dead%d}\n"
		    "  some%d: {path: /some%d/*, service: some%d}\n",
		    i, i, i, i, i, i, i, i, i);
	}
}

int
breaker_stage_open(struct stage *opened)
{
	static const char *const wrap[] = {"sh", "-c", "exec \"$@\" --workers 4", "sh", NULL};
	static char services[8192], routes[8192];

	stage = opened;
	stage_play(stage, parts, parts);
	add_services(services, sizeof(services), routes, sizeof(routes));
	bed_write_config(&stage->bed, "services:\n%sroutes:\n%s", services, routes);
	bed_start_pool(&stage->bed, wrap);
	stage->fronts[0] = bed_start_front(&stage->bed, FRONT_LIGHTTPD, "/", NULL);
	stage->fronts[1] = bed_start_front(&stage->bed, FRONT_APACHE, "/", NULL);
	return 0;
}

int
breaker_stage_close(struct stage *closed)
{
	gate_open(&breaker_hold, 1000);
	return !stage_close(closed);
}

/* ---- what scenes say */

int
index_of(const struct front *front)
{
	return front == stage->fronts[0] ? 0 : 1;
}

void
service_says(int status)
{
	atomic_store(&said, status);
	atomic_store(&asked, 0);
}

const struct http_reply *
ask_for(const struct front *front, const char *scene)
{
	char path[64];

	snprintf(path, sizeof(path), "/%s%d/x", scene, index_of(front));
	return get(front, path);
}

bool
is_refused(const struct front *front, const char *scene)
{
	return http_is_problem(&stage->bed, ask_for(front, scene), 503, "breaker_open");
}

double
target_metric(const struct front *front, const char *name, const char *scene)
{
	char series[200];

	snprintf(series, sizeof(series), "faregate_target_%s{service=\"%s%d\",target=\"http://127.0.0.1:%d\"}", name, scene,
	    index_of(front), played_port(stage->a));
	return bed_metric(front, series);
}

double
service_metric(const struct front *front, const char *name, const char *scene)
{
	char series[200];

	snprintf(series, sizeof(series), "faregate_service_%s{service=\"%s%d\"}", name, scene, index_of(front));
	return bed_metric(front, series);
}

static void *
run_client(void *arg)
{
	const struct client *client = arg;

	do {
		ask_for(client->front, client->scene);
		http_forget_all();
	} while (client->until_asked && atomic_load(&asked) == 0);
	return NULL;
}

void
client_start(struct client *client, const struct front *front, const char *scene, bool until_asked)
{
	*client = (struct client){.front = front, .scene = scene, .until_asked = until_asked};
	if (pthread_create(&client->thread, NULL, run_client, client) != 0)
		bed_give_up("no thread");
}

static bool
is_asked(void *arg)
{
	return atomic_load(&asked) >= *(unsigned *)arg;
}

bool
wait_asked(unsigned times)
{
	return bed_wait(is_asked, &times);
}

bool
is_well(void *arg)
{
	const struct where *where = arg;

	return ask_for(where->front, where->scene)->status == 200;
}

/* ---- workers */

static long
number_after(const char *at, const char *key)
{
	const char *found = strstr(at, key);

	return found == NULL ? -1 : strtol(found + strlen(key), NULL, 10);
}

size_t
look_at_workers(struct worker workers[WORKERS])
{
	const char *const argv[] = {bed_program(), "status", "--json", "-c", stage->bed.config, NULL};
	const char *at;
	size_t count = 0;
	char *out;

	if (bed_run(&stage->bed, &out, argv) != 0)
		bed_give_up("no status: %s", out);
	at = strstr(out, "\"workers\":[");
	while (count < WORKERS && at != NULL && (at = strstr(at, "{\"pid\":")) != NULL) {
		workers[count++] = (struct worker){number_after(at, "\"pid\":"), number_after(at, "\"in_flight\":")};
		at++;
	}
	free(out);
	return count;
}

bool
is_logged(const struct front *front, const char *scene, const char *change, const char *more, unsigned times)
{
	char wanted[160];

	snprintf(wanted, sizeof(wanted), "breaker: %s: service=%s%d%s", change, scene, index_of(front), more);
	return bed_pool_says(&stage->bed, wanted, times);
}
