/* Targets that are Unix sockets: asked, watched, named and taken out like others. */
#include <string.h>

#include "e2e/e2e.h"
#include "e2e/load.h"

static struct stage stage;
static struct played *local;
static char path[96];

static const struct played_part parts[] = {{NULL, say_echo, false}};

static int
init(void)
{
	stage_play(&stage, parts, parts);
	snprintf(path, sizeof(path), "%s/app.sock", stage.bed.dir);
	local = played_start_at(parts, path);
	stage_serve(&stage,
	    "services:\n"
	    "  local: {targets: [\"unix:%s\"], health: {path: /healthz, every: 20ms}}\n"
	    "  named: {targets: \"unix:%s\", host: target, retry: {attempts: 2}}\n"
	    "  gone: \"unix:%s.gone\"\n"
	    "  watched: {targets: \"unix:%s.gone\", health: {path: /healthz, every: 20ms}}\n"
	    "  both: {targets: [\"unix:%s.gone\", \"http://127.0.0.1:%d\"], retry: {attempts: 2, budget: 100%%}}\n"
	    "routes:\n"
	    "  local: {path: /local/*, service: local, strip-prefix: /local}\n"
	    "  named: {path: /named/*, service: named}\n"
	    "  gone: {path: /gone/*, service: gone}\n"
	    "  both: {path: /both/*, service: both}\n",
	    path, path, path, path, path, played_port(stage.b));
	return 0;
}

static int
cleanup(void)
{
	bool good = stage_close(&stage);

	played_stop(local);
	return !good;
}

static void
a_socket_is_asked(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = ask(front, "POST", "/local/x?y=1", "Host: shop.example\r\n", "a body");

		CHECK(front, reply->status == 200 && http_body_has(reply, "POST /x?y=1 HTTP/1.1\r\n"));
		CHECK(front, http_body_has(reply, "\r\nHost: shop.example\r\n") && http_body_has(reply, "a body"));
		CHECK(front, http_body_has(get(front, "/named/x"), "\r\nHost: localhost\r\n"));
	}
}

static void
many_ask_at_once(void)
{
	EACH_FRONT(&stage, front) {
		struct load *load = load_start(front, "/local/many", 16);

		CHECK(front, load_wait_more(load, 400));
		CHECK(front, load_stop(load).failed == 0);
	}
}

static void
nobody_listens(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply = get(front, "/gone/x");

		CHECK(front, http_is_problem(&stage.bed, reply, 502, "service_unreachable"));
		CHECK(front, bed_log_says(&stage.bed, reply->id, "error", "connect: No such file or directory"));
		CHECK(front, strstr(reply->body, "No such file") == NULL);
		for (int i = 0; i < 4; i++)
			CHECK(front, get(front, "/both/x")->status == 200);
	}
}

static bool
is_said_why(void *arg)
{
	char *log = bed_read(&stage.bed, "pool.log");
	bool is_said = strstr(log, arg) != NULL;

	free(log);
	return is_said;
}

static void
the_log_says_why_it_is_down(void)
{
	char line[256];

	snprintf(line, sizeof(line), " warn health: down: service=watched target=unix:%s.gone status=0 because=service_unreachable "
	    "error=\"connect: No such file or directory\"\n", path);
	CU_ASSERT(bed_wait(is_said_why, line));
}

static double
metric(const char *name)
{
	char series[256];

	snprintf(series, sizeof(series), "faregate_target_%s{service=\"local\",target=\"unix:%s\"}", name, path);
	return bed_metric(stage.fronts[0], series);
}

static bool
is_probed(void *arg)
{
	(void)arg;
	return metric("probes_total") > 2;
}

static void
it_is_watched_and_taken_out(void)
{
	char url[128], *out;
	const char *drain[] = {bed_program(), "drain", "-c", stage.bed.config, "local", url, NULL};
	const char *undrain[] = {bed_program(), "undrain", "-c", stage.bed.config, "local", url, NULL};

	snprintf(url, sizeof(url), "unix:%s", path);
	CU_ASSERT(bed_wait(is_probed, NULL));
	CU_ASSERT_EQUAL(metric("probes_failed_total"), 0);
	CU_ASSERT_EQUAL(metric("up"), 1);
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, drain), 0);
	free(out);
	CU_ASSERT(http_is_problem(&stage.bed, get(stage.fronts[0], "/local/x"), 503, "service_unavailable"));
	CU_ASSERT_EQUAL(bed_run(&stage.bed, &out, undrain), 0);
	free(out);
	CU_ASSERT_EQUAL(get(stage.fronts[0], "/local/x")->status, 200);
}

void
suite_unix(void)
{
	CU_pSuite suite = add_suite("services at Unix sockets", init, cleanup);

	ADD_SCENE(suite, a_socket_is_asked);
	ADD_SCENE(suite, many_ask_at_once);
	ADD_SCENE(suite, nobody_listens);
	ADD_SCENE(suite, the_log_says_why_it_is_down);
	ADD_SCENE(suite, it_is_watched_and_taken_out);
}
