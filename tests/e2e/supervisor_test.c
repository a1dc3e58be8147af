/*
 * The supervisor, at its edges: each scene has a pool of its own, and does to it what happens to pools. (Operating one
 * under load is pool_test.c.)
 */
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "support/fcgi_peer.h"

enum { MAX_WORKERS_SEEN = 64, QUEUED = 120 };

static struct bed bed;
static struct played *service;
static const struct front *front;
static struct gate gate = GATE_CLOSED;

static void
say_when_let(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&gate);
	say_reply(conn, 200, NULL, "late");
}

static const struct played_part parts[] = {{"/held", say_when_let, false}, {NULL, say_echo, false}};

/* top: lines of the configuration's own; greeting: what /hello answers. */
static void
write_config(const char *top, const char *greeting)
{
	bed_write_config(&bed,
	    "%s"
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "routes:\n"
	    "  hello: {path: /hello, respond: {status: 200, body: %s, content-type: text/plain}}\n"
	    "  a: {path: /*, service: a}\n",
	    top, played_port(service), greeting);
}

static void
scene_open(enum front_kind kind, const char *top)
{
	bed_open(&bed);
	gate_reset(&gate);
	service = played_start(parts);
	write_config(top, "one");
	bed_start_pool(&bed, NULL);
	front = bed_start_front(&bed, kind, "/", NULL);
}

static void
scene_close(void)
{
	CU_ASSERT(bed_close(&bed));
	gate_open(&gate, 1000);
	played_stop(service);
	http_forget_all();
}

/* ---- what scenes look at */

struct cast {
	pid_t was[MAX_WORKERS_SEEN];
	size_t was_count;
	size_t wanted;
};

static void
remember_workers(struct cast *cast, size_t wanted)
{
	cast->was_count = bed_workers(&bed, cast->was, MAX_WORKERS_SEEN);
	cast->wanted = wanted;
}

/* As many workers as wanted, none of them remembered. */
static bool
has_new_workers_alone(void *arg)
{
	const struct cast *cast = arg;
	pid_t now[MAX_WORKERS_SEEN];
	size_t count = bed_workers(&bed, now, MAX_WORKERS_SEEN);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < cast->was_count; k++)
			if (now[i] == cast->was[k])
				return false;
	return count == cast->wanted;
}

/* The same workers as remembered, in any order. */
static bool
has_the_same_workers(const struct cast *cast)
{
	pid_t now[MAX_WORKERS_SEEN];
	size_t count = bed_workers(&bed, now, MAX_WORKERS_SEEN), same = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < cast->was_count; k++)
			same += now[i] == cast->was[k];
	return count == cast->was_count && same == count;
}

/* A command of the program; its output is looked through for text (NULL: any). */
static int
command(const char *name, const char *option, const char *text)
{
	const char *argv[] = {bed_program(), name, option, NULL};
	char *out;
	int status = bed_run(&bed, &out, argv);

	if (text != NULL && strstr(out, text) == NULL) {
		fprintf(stderr, "e2e: faregate %s does not say \"%s\" but: %s\n", name, text, out);
		status = -1;
	}
	free(out);
	return status;
}

static bool
exists(const char *name)
{
	char path[BED_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", bed.dir, name);
	return access(path, F_OK) == 0;
}

/* The status page of the gateway itself has that text. */
static bool
status_says(void *arg)
{
	const struct http_reply *reply = get(front, "/_faregate/status");

	return reply->status == 200 && strstr(reply->body, arg) != NULL;
}

static bool
wait_status(const char *text)
{
	char copy[128];

	snprintf(copy, sizeof(copy), "%s", text);
	return bed_wait(status_says, copy);
}

static bool
says(const char *greeting)
{
	const struct http_reply *reply = get(front, "/hello");

	return reply->status == 200 && strcmp(reply->body, greeting) == 0;
}

static bool
port_is_open(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool open = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

	close(fd);
	return open;
}

/* ---- scenes */

static void
a_bad_reload_leaves_the_pool_alone(void)
{
	struct cast cast;

	scene_open(FRONT_LIGHTTPD, "");
	remember_workers(&cast, 2);
	write_config("no-such-key: 1\n", "two");
	/* The command does not even ask the pool; HUP does. */
	CU_ASSERT_EQUAL(command("reload", NULL, "faregate.yaml:10:1: unknown key \"no-such-key\""), 1);
	CU_ASSERT(http_body_has(get(front, "/_faregate/status"), "\"reloads_refused\":0"));
	kill(bed.pool, SIGHUP);
	CU_ASSERT(wait_status("\"reloads_refused\":1"));
	CU_ASSERT(has_the_same_workers(&cast));
	CU_ASSERT(says("one"));
	CU_ASSERT_EQUAL(bed_metric(front, "faregate_config_generation"), 1);
	/* Mended, it is taken; what could not be known from the file alone is refused by the pool. */
	write_config("", "two");
	CU_ASSERT_EQUAL(command("reload", NULL, "configuration 2"), 0);
	CU_ASSERT(says("two"));
	unlink(bed.access_log);
	mkdir(bed.access_log, 0700);
	CU_ASSERT_EQUAL(command("reload", NULL, "refused"), 1);
	CU_ASSERT(says("two"));
	rmdir(bed.access_log);
	scene_close();
}

static void
a_reload_finishes_what_is_in_flight(void)
{
	const struct http_reply *reply;
	struct http_conn conn;
	struct cast cast;

	scene_open(FRONT_LIGHTTPD, "");
	remember_workers(&cast, 3);
	http_open(&conn, front, NULL);
	CU_ASSERT(http_send_head(&conn, "GET", "/held", NULL, -1));
	CU_ASSERT(gate_wait_waiting(&gate, 1));
	write_config("", "two");
	CU_ASSERT_EQUAL(command("reload", NULL, "configuration 2"), 0);
	/* The new ones serve while the old one still holds its client. */
	CU_ASSERT(says("two"));
	CU_ASSERT(wait_status("\"state\":\"draining\",\"generation\":1"));
	gate_open(&gate, 1);
	reply = http_read(&conn);
	CU_ASSERT(reply->status == 200 && reply->complete && http_body_has(reply, "late"));
	http_close(&conn);
	cast.wanted = 2;
	CU_ASSERT(bed_wait(has_new_workers_alone, &cast));
	CU_ASSERT_EQUAL(bed_metric(front, "faregate_config_generation"), 2);
	CU_ASSERT_EQUAL(bed_metric(front, "faregate_reloads_total{result=\"taken\"}"), 1);
	/* Counters go on. */
	CU_ASSERT_EQUAL(bed_metric(front, "faregate_requests_total{route=\"a\",code=\"2xx\"}"), 1);
	scene_close();
}

static void
reloads_under_load_lose_nothing(void)
{
	unsigned good = 0, asked = 0;

	/* Apache keeps its connections to the workers (enablereuse) and is not told when one of those leaves. */
	scene_open(FRONT_APACHE, "");
	/* On a machine that is busy few of them may be over by then. */
	for (int i = 0; i < 8 || (i < 1000 && bed_metric(front, "faregate_config_generation") <= 2); i++) {
		kill(bed.pool, SIGHUP);
		for (int k = 0; k < 25; k++, asked++)
			good += get(front, k % 2 == 0 ? "/hello" : "/echo")->status == 200;
		/* Two at once, and while one is under way, come to the same. */
		kill(bed.pool, SIGHUP);
		kill(bed.pool, SIGHUP);
		for (int k = 0; k < 25; k++, asked++)
			good += get(front, "/hello")->status == 200;
		http_forget_all();
	}
	CU_ASSERT_EQUAL(good, asked);
	CU_ASSERT(bed_metric(front, "faregate_config_generation") > 2);
	CU_ASSERT_EQUAL(bed_metric(front, "faregate_worker_deaths_total"), 0);
	scene_close();
}

static void
sockets_and_workers_follow_the_configuration(void)
{
	struct cast cast;
	int port;

	scene_open(FRONT_LIGHTTPD, "");
	port = bed_free_port();
	remember_workers(&cast, 3);
	/* Listening on one more address, with one more worker: a second head of the file. */
	bed_write(&bed, "faregate.yaml",
	    "version: 1\nlisten: [{address: \"unix:%s\", mode: 0666}, \"tcp:127.0.0.1:%d\"]\nworkers: 3\npid-file: %s/faregate.pid\n"
	    "log: {access: {path: %s}}\nadmin: {path: /_faregate, allow: [127.0.0.1]}\n"
	    "routes: {hello: {path: /hello, respond: {status: 200, body: three, content-type: text/plain}}}\n",
	    bed.socket, port, bed.dir, bed.access_log);
	CU_ASSERT_EQUAL(command("reload", NULL, "configuration 2"), 0);
	CU_ASSERT(bed_wait(has_new_workers_alone, &cast));
	CU_ASSERT(says("three"));
	/* The address before is closed, the new one open. */
	CU_ASSERT(port_is_open(port));
	CU_ASSERT(!port_is_open(bed.tcp_port));
	scene_close();
}

static void
a_drain_has_an_end(void)
{
	const struct http_reply *reply;
	struct http_conn conn;

	scene_open(FRONT_LIGHTTPD, "drain-timeout: 100ms\n");
	http_open(&conn, front, NULL);
	CU_ASSERT(http_send_head(&conn, "GET", "/held", NULL, -1));
	CU_ASSERT(gate_wait_waiting(&gate, 1));
	kill(bed.pool, SIGTERM);
	reply = http_read(&conn);
	CU_ASSERT(http_is_problem(&bed, reply, 503, "draining"));
	http_close(&conn);
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	scene_close();
}

static void
a_second_term_leaves_now(void)
{
	const struct http_reply *reply;
	struct http_conn conn;

	scene_open(FRONT_LIGHTTPD, "drain-timeout: 1h\n");
	http_open(&conn, front, NULL);
	CU_ASSERT(http_send_head(&conn, "GET", "/held", NULL, -1));
	CU_ASSERT(gate_wait_waiting(&gate, 1));
	kill(bed.pool, SIGTERM);
	CU_ASSERT(bed_wait_notify(&bed, "STOPPING=1"));
	kill(bed.pool, SIGTERM);
	reply = http_read(&conn);
	CU_ASSERT(http_is_problem(&bed, reply, 503, "draining"));
	http_close(&conn);
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	scene_close();
}

/* Load balancers hear of it first; clients do not notice. */
static void
readiness_goes_first(void)
{
	struct cast cast;

	scene_open(FRONT_APACHE, "drain-delay: 1h\n");
	remember_workers(&cast, 2);
	CU_ASSERT_EQUAL(get(front, "/_faregate/readyz")->status, 200);
	kill(bed.pool, SIGTERM);
	CU_ASSERT(wait_status("\"leaving\":\"20"));
	CU_ASSERT(http_is_problem(&bed, get(front, "/_faregate/readyz"), 503, "draining"));
	CU_ASSERT_EQUAL(get(front, "/_faregate/healthz")->status, 200);
	CU_ASSERT_EQUAL(command("status", NULL, "it was told to stop, at 20"), 0);
	/* What dies is replaced still; no configuration is taken any more. */
	kill(cast.was[0], SIGKILL);
	CU_ASSERT(wait_status("\"worker_deaths\":1"));
	kill(bed.pool, SIGHUP);
	for (int i = 0; i < 20; i++)
		CU_ASSERT(says("one"));
	CU_ASSERT_EQUAL(bed_metric(front, "faregate_config_generation"), 1);
	kill(bed.pool, SIGTERM);
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	scene_close();
}

static void
a_delay_ends_by_itself(void)
{
	scene_open(FRONT_LIGHTTPD, "drain-delay: 100ms\n");
	CU_ASSERT_EQUAL(command("stop", NULL, NULL), 0);
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	CU_ASSERT(bed_wait_notify(&bed, "STOPPING=1\nEXTEND_TIMEOUT_USEC=40100000"));
	scene_close();
}

static void
a_pool_that_stops_leaves_nothing_behind(void)
{
	scene_open(FRONT_LIGHTTPD, "");
	CU_ASSERT_EQUAL(command("run", NULL, "another pool runs with this pid file"), 3);
	CU_ASSERT_EQUAL(command("status", "--json", "\"generation\":1"), 0);
	/* It returns once the pool is gone. */
	CU_ASSERT_EQUAL(command("stop", NULL, NULL), 0);
	CU_ASSERT(!exists("faregate.pid"));
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	CU_ASSERT(!exists("faregate.stats"));
	CU_ASSERT(!exists("fg.sock"));
	CU_ASSERT_EQUAL(command("status", "--json", "{\"pid\":0}"), 3);
	CU_ASSERT_EQUAL(command("stop", NULL, "no pool runs"), 3);
	CU_ASSERT_EQUAL(command("reload", NULL, "no pool runs"), 3);
	scene_close();
}

/* What had come when the order to leave did is served: nobody else would take it from a socket that is going away. */
static void
a_stop_serves_what_is_in_the_queue(void)
{
	static struct fcgi_peer peers[QUEUED];
	pid_t workers[MAX_WORKERS_SEEN];
	struct fcgi_answer answer;
	unsigned good = 0;
	size_t count;

	scene_open(FRONT_LIGHTTPD, "");
	count = bed_workers(&bed, workers, MAX_WORKERS_SEEN);
	for (size_t i = 0; i < count; i++)
		kill(workers[i], SIGSTOP);
	for (size_t i = 0; i < QUEUED; i++) {
		CU_ASSERT(fcgi_open(&peers[i], bed.socket, bed_patience() * 1000));
		CU_ASSERT(fcgi_ask(&peers[i], 1, false, "GET", "/hello", NULL) && fcgi_body(&peers[i], 1, "", 0));
	}
	kill(bed.pool, SIGTERM);
	CU_ASSERT(bed_wait_notify(&bed, "STOPPING=1"));
	for (size_t i = 0; i < count; i++)
		kill(workers[i], SIGCONT);
	for (size_t i = 0; i < QUEUED; i++) {
		fcgi_read(&peers[i], &answer);
		good += answer.ended && strstr(answer.out, "one") != NULL;
		free(answer.out);
		fcgi_close(&peers[i]);
	}
	CU_ASSERT_EQUAL(good, QUEUED);
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	scene_close();
}

static bool
is_told(const char *begin)
{
	char text[1024];

	if (bed_next_notify(&bed, text, sizeof(text)) && strncmp(text, begin, strlen(begin)) == 0)
		return true;
	fprintf(stderr, "e2e: the service manager is told \"%s\", not \"%s\"\n", text, begin);
	return false;
}

/* Each RELOADING is followed by a READY, or systemd waits for it; a stop may take as long as the drain. */
static void
the_service_manager_is_told(void)
{
	char text[1024] = "", *at;
	int64_t now = bed_now_ms();

	scene_open(FRONT_LIGHTTPD, "drain-timeout: 2m\n");
	kill(bed.pool, SIGHUP);
	CU_ASSERT(bed_next_notify(&bed, text, sizeof(text)));
	at = strstr(text, "RELOADING=1\nMONOTONIC_USEC=");
	CU_ASSERT(at == text && strtoll(strrchr(text, '=') + 1, NULL, 10) >= now * 1000);
	CU_ASSERT(is_told("READY=1\nSTATUS=2 workers, configuration 2"));
	write_config("no-such-key: 1\n", "two");
	kill(bed.pool, SIGHUP);
	CU_ASSERT(is_told("RELOADING=1\n"));
	CU_ASSERT(is_told("READY=1\nSTATUS=2 workers, configuration 2"));
	kill(bed.pool, SIGTERM);
	CU_ASSERT(is_told("STOPPING=1\nEXTEND_TIMEOUT_USEC=130000000"));
	CU_ASSERT_EQUAL(bed_wait_pool_end(&bed), 0);
	scene_close();
}

static bool
worker_is_gone(void *arg)
{
	const struct cast *cast = arg;

	for (size_t i = 0; i < cast->was_count; i++)
		if (kill(cast->was[i], 0) == 0)
			return false;
	return true;
}

static void
workers_do_not_outlive_their_supervisor(void)
{
	struct cast cast;
	int status;

	scene_open(FRONT_LIGHTTPD, "");
	remember_workers(&cast, 2);
	kill(bed.pool, SIGKILL);
	status = bed_wait_pool_end(&bed);
	CU_ASSERT(WIFSIGNALED(status));
	CU_ASSERT(bed_wait(worker_is_gone, &cast));
	/* What it left behind, socket and pid file, is in nobody's way. */
	CU_ASSERT(exists("fg.sock"));
	CU_ASSERT_EQUAL(command("status", NULL, "no pool runs"), 3);
	bed_start_pool(&bed, NULL);
	CU_ASSERT(says("one"));
	scene_close();
}

static bool
log_has_come(void *arg)
{
	(void)arg;
	get(front, "/hello");
	return access(bed.access_log, F_OK) == 0;
}

static void
a_start_that_cannot_succeed_says_why(void)
{
	bed_open(&bed);
	service = played_start(parts);
	write_config("", "one");
	mkdir(bed.access_log, 0700);
	CU_ASSERT_EQUAL(command("run", NULL, "the access log cannot be opened"), 3);
	CU_ASSERT(!exists("faregate.pid"));
	CU_ASSERT(!exists("fg.sock"));
	rmdir(bed.access_log);
	write_config("workers: 0\n", "one");
	CU_ASSERT_EQUAL(command("run", NULL, "faregate.yaml:"), 1);
	CU_ASSERT_EQUAL(command("run", "--workers=none", "--workers takes a number"), 2);
	CU_ASSERT_EQUAL(command("run", "--help", "Usage: faregate run"), 0);
	scene_close();
}

/* Uid of a process: the effective one. */
static long
uid_of(pid_t pid)
{
	return bed_proc_kb(pid, "Uid");
}

static void
workers_become_their_user(void)
{
	struct cast cast;
	struct stat st;

	if (geteuid() != 0)
		return;
	scene_open(FRONT_LIGHTTPD, "user: nobody\n");
	remember_workers(&cast, 2);
	for (size_t i = 0; i < cast.was_count; i++)
		CU_ASSERT(uid_of(cast.was[i]) > 0);
	CU_ASSERT_EQUAL(uid_of(bed.pool), 0);
	CU_ASSERT(says("one"));
	/* The log is theirs, in a folder that is not. */
	CU_ASSERT_EQUAL(stat(bed.access_log, &st), 0);
	CU_ASSERT_EQUAL(st.st_uid, uid_of(cast.was[0]));
	unlink(bed.access_log);
	kill(bed.pool, SIGUSR1);
	CU_ASSERT(bed_wait(log_has_come, NULL));
	/* They die with the supervisor all the same. */
	kill(bed.pool, SIGKILL);
	bed_wait_pool_end(&bed);
	CU_ASSERT(bed_wait(worker_is_gone, &cast));
	scene_close();
}

void
suite_supervisor(void)
{
	CU_pSuite suite = add_suite("supervisor", NULL, NULL);

	ADD_SCENE(suite, a_bad_reload_leaves_the_pool_alone);
	ADD_SCENE(suite, a_reload_finishes_what_is_in_flight);
	ADD_SCENE(suite, reloads_under_load_lose_nothing);
	ADD_SCENE(suite, sockets_and_workers_follow_the_configuration);
	ADD_SCENE(suite, a_drain_has_an_end);
	ADD_SCENE(suite, a_second_term_leaves_now);
	ADD_SCENE(suite, readiness_goes_first);
	ADD_SCENE(suite, a_delay_ends_by_itself);
	ADD_SCENE(suite, a_pool_that_stops_leaves_nothing_behind);
	ADD_SCENE(suite, a_stop_serves_what_is_in_the_queue);
	ADD_SCENE(suite, the_service_manager_is_told);
	ADD_SCENE(suite, workers_do_not_outlive_their_supervisor);
	ADD_SCENE(suite, a_start_that_cannot_succeed_says_why);
	ADD_SCENE(suite, workers_become_their_user);
}
