/*
 * A pool in valgrind: supervisor and workers live through what others do in many scenes, and no byte is used that is not
 * theirs or not set, and none is lost. (The sanitizers' build runs all scenes; it does not see what is not set, nor into
 * the libraries.)
 */
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "e2e/e2e.h"

enum { UPLOAD_BYTES = 1024 * 1024 };

static struct bed bed;
static struct played *service;
static const struct front *fronts[2];
static struct gate gate = GATE_CLOSED;

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&gate);
	say_reply(conn, 200, NULL, "late");
}

static void
say_half(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_bytes(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 58);
	say_close(conn);
}

static const struct played_part parts[] = {
    {"/held", say_held, false}, {"/half", say_half, false}, {NULL, say_echo, false}};

static void
write_config(const char *more)
{
	bed_write_config(&bed,
	    "services:\n  a: http://127.0.0.1:%d\n  gone: http://127.0.0.1:%d\n"
	    "defaults: {timeout: 20s, response: {headers: {set: {X-Set: \"{ip}\"}}}}\n"
	    "routes:\n"
	    "  a: {path: /a/*, service: a, strip-prefix: /a, request: {headers: {set: {X-Path: \"{path}\"}, remove: [X-Debug]}}}\n"
	    "  gone: {path: /gone/*, service: gone}\n"
	    "  regex: {path: \"~^/years/(?<year>[0-9]{4})/(a|b)+$\", service: a, rewrite: \"/y/{path:year}\"}\n"
	    "  segment: {path: \"/users/{id}\", methods: [GET], service: a, rewrite: \"/u/{path:id}\"}\n"
	    "  small: {path: /small, service: a, body-limit: 10b}\n"
	    "  fixed: {path: /fixed, respond: {status: 200, body: here}}\n"
	    "%s",
	    played_port(service), bed_dead_port(), more);
}

static void
scene_open(void)
{
	static char log_file[BED_PATH_BYTES];
	static const char *const wrap[] = {"valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect",
	    "--errors-for-leak-kinds=definite,indirect", "--soname-synonyms=somalloc=*jemalloc*", "--child-silent-after-fork=no",
	    "--suppressions=" FG_TEST_SRCDIR "/tests/support/valgrind.supp", log_file, NULL};

	bed_open(&bed);
	snprintf(log_file, sizeof(log_file), "--log-file=%s/valgrind.%%p", bed.dir);
	gate_reset(&gate);
	service = played_start(parts);
	write_config("");
	bed_start_pool(&bed, wrap);
	fronts[0] = bed_start_front(&bed, FRONT_LIGHTTPD, "/", NULL);
	fronts[1] = bed_start_front(&bed, FRONT_APACHE, "/", NULL);
}

/* How many processes wrote a report; every report that says anything is shown, and counts as wrong. */
static unsigned
count_reports(unsigned *wrong)
{
	DIR *dir = opendir(bed.dir);
	struct dirent *entry;
	unsigned count = 0;

	*wrong = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char *text;

		if (strncmp(entry->d_name, "valgrind.", 9) != 0)
			continue;
		count++;
		text = bed_read(&bed, entry->d_name);
		if (text[0] != '\0') {
			fprintf(stderr, "e2e: %s/%s:\n%.8000s\n", bed.dir, entry->d_name, text);
			(*wrong)++;
		}
		free(text);
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

/* ---- what the pool lives through */

static bool
nobody_waits(void *arg)
{
	int waiting;

	(void)arg;
	pthread_mutex_lock(&gate.mutex);
	waiting = gate.waiting;
	pthread_mutex_unlock(&gate.mutex);
	return waiting == 0;
}

static void
ask_everything(const struct front *front)
{
	static char upload[UPLOAD_BYTES + 1];
	struct http_conn conn;

	memset(upload, 'u', UPLOAD_BYTES);
	CHECK(front, get(front, "/a/x?a=b")->status == 200);
	CHECK(front, ask(front, "HEAD", "/a/x", NULL, NULL)->status == 200);
	CHECK(front, ask(front, "POST", "/a/x", "X-Debug: 1\r\n", "a body")->status == 200);
	CHECK(front, ask(front, "PUT", "/a/x", NULL, upload)->status == 200);
	CHECK(front, get(front, "/years/2026/aba")->status == 200);
	CHECK(front, get(front, "/users/7")->status == 200);
	CHECK(front, ask(front, "DELETE", "/users/7", NULL, NULL)->status == 405);
	CHECK(front, ask(front, "OPTIONS", "/users/7", NULL, NULL)->status == 204);
	CHECK(front, ask(front, "POST", "/small", NULL, "more than ten bytes")->status == 413);
	CHECK(front, http_body_has(get(front, "/fixed"), "here"));
	CHECK(front, get(front, "/gone/x")->status == 502);
	CHECK(front, get(front, "/a/..%2fb")->status == 400);
	CHECK(front, get(front, "/a/half")->status != 0);
	CHECK(front, get(front, "/_faregate/metrics")->status == 200);
	CHECK(front, get(front, "/_faregate/status")->status == 200);
	http_open(&conn, front, NULL);
	CHECK(front, http_send_head(&conn, "GET", "/a/held", NULL, -1) && gate_wait_waiting(&gate, 1));
	http_reset(&conn);
	gate_open(&gate, 1);
	CHECK(front, bed_wait(nobody_waits, NULL));
	http_forget_all();
}

static void
reload(void)
{
	bed_drain_notify(&bed);
	kill(bed.pool, SIGHUP);
	CU_ASSERT(bed_wait_notify(&bed, "READY=1"));
}

static void
nothing_is_lost_or_misused(void)
{
	const struct http_reply *reply;
	struct http_conn conn;
	unsigned wrong;
	int patience = bed_patience();

	bed_set_patience(120);
	scene_open();
	for (size_t i = 0; i < 2; i++)
		ask_everything(fronts[i]);
	write_config("  new: {path: /new, respond: {status: 418}}\n");
	reload();
	kill(bed.pool, SIGUSR1);
	write_config("  bad: {path: /bad, servise: a}\n  worse: [\n");
	reload();
	for (size_t i = 0; i < 2; i++) {
		CHECK(fronts[i], get(fronts[i], "/new")->status == 418);
		ask_everything(fronts[i]);
	}
	/* Drains: what is in flight is finished. */
	http_open(&conn, fronts[0], NULL);
	CU_ASSERT(http_send_head(&conn, "GET", "/a/held", NULL, -1) && gate_wait_waiting(&gate, 1));
	kill(bed.pool, SIGTERM);
	CU_ASSERT(bed_wait_notify(&bed, "STOPPING=1"));
	gate_open(&gate, 1);
	reply = http_read(&conn);
	CU_ASSERT(reply->status == 200 && http_body_has(reply, "late"));
	http_close(&conn);
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	/* The supervisor, and two workers of each of two generations. */
	CU_ASSERT(count_reports(&wrong) >= 5);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(bed_close(&bed));
	gate_open(&gate, 1000);
	played_stop(service);
	bed_set_patience(patience);
}

void
suite_valgrind(void)
{
	CU_pSuite suite = add_suite("in valgrind", NULL, NULL);

#ifdef __SANITIZE_ADDRESS__
	(void)suite;
	(void)nothing_is_lost_or_misused;
#else
	if (system("valgrind --version >/dev/null 2>&1") == 0)
		ADD_SCENE(suite, nothing_is_lost_or_misused);
	else
		fprintf(stderr, "e2e: valgrind is not installed\n");
#endif
}
