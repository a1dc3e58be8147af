/*
 * Time: events that arrive one by one, long polls, slow clients and slow services that hold up nobody else, and clients
 * that leave.
 */
#include <dirent.h>
#include <poll.h>
#include <stdatomic.h>

#include "e2e/e2e.h"

enum { AT_ONCE = 512, MEGABYTE = 1024 * 1024 };

static struct stage stage;
static struct gate next_event = GATE_CLOSED, poll_gate = GATE_CLOSED, slow_gate = GATE_CLOSED, saw_gone = GATE_CLOSED;
static _Atomic uint64_t flood_sent;

static void
say_events(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n");
	for (int i = 0; i < 5 && gate_pass(&next_event); i++)
		say(conn, "id: %d\ndata: event %d\n\n", i, i);
	say_close(conn);
}

static void
say_poll(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&poll_gate);
	say_reply(conn, 200, NULL, "news");
}

static void
say_slowly(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&slow_gate);
	say_reply(conn, 200, NULL, "done");
}

static void
say_flood(struct played_conn *conn, struct played_request *request)
{
	static const char piece[64 * 1024];

	(void)request;
	atomic_store(&flood_sent, 0);
	say(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 64 * MEGABYTE);
	for (int i = 0; i < 64 * MEGABYTE / (int)sizeof(piece) && say_bytes(conn, piece, sizeof(piece)); i++)
		atomic_fetch_add(&flood_sent, sizeof(piece));
	say_close(conn);
}

/* Says something as long as somebody takes it. */
static void
say_ticks(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nbegun");
	while (say(conn, "tick\n"))
		poll(NULL, 0, 5);
	gate_open(&saw_gone, 1);
	say_close(conn);
}

/* Says nothing until the peer has left. */
static void
tell_when_gone(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	if (wait_peer_gone(conn))
		gate_open(&saw_gone, 1);
}

static void
wait_upload_gone(struct played_conn *conn, struct played_request *request)
{
	if (!read_body(conn, request))
		gate_open(&saw_gone, 1);
	say_close(conn);
}

static const struct played_part parts[] = {
    {"/events", say_events, false},
    {"/poll", say_poll, false},
    {"/slow", say_slowly, false},
    {"/flood", say_flood, false},
    {"/ticks", say_ticks, false},
    {"/silent", tell_when_gone, false},
    {"/upload", wait_upload_gone, true},
    {NULL, say_echo, false},
};

static int
init(void)
{
	stage_play(&stage, parts, NULL);
	stage_serve(&stage,
	    "services:\n  a: {targets: [\"http://127.0.0.1:%d\"], response-timeout: 60s}\n"
	    "routes: {all: {path: /*, service: a}}\n",
	    played_port(stage.a));
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

/* The next event is sent only after the one before was read: none waits for another. */
static void
events_arrive_one_by_one(void)
{
	char text[32];

	EACH_FRONT(&stage, front) {
		struct http_reply *reply;
		struct http_conn conn;

		gate_reset(&next_event);
		http_open(&conn, front, NULL);
		http_send_head(&conn, "GET", "/events", "Accept: text/event-stream\r\nConnection: close\r\n", -1);
		for (int i = 0; i < 5; i++) {
			gate_open(&next_event, 1);
			if (i == 0) {
				reply = http_read_head(&conn);
				CHECK(front, http_header_is(reply, "Content-Type", "text/event-stream"));
			}
			snprintf(text, sizeof(text), "data: event %d\n\n", i);
			CHECK(front, http_read_until(&conn, text));
		}
		CHECK(front, http_wait_closed(&conn));
		http_close(&conn);
	}
}

/*
 * The head of a stream that has no event yet arrives by itself. mod_proxy_fcgi keeps a head until a first byte of the body
 * follows, whatever flushpackets says: there it comes with the first event, long before the second.
 */
static void
a_silent_stream_is_open(void)
{
	EACH_FRONT(&stage, front) {
		const struct http_reply *reply;
		struct http_conn conn;

		gate_reset(&next_event);
		http_open(&conn, front, NULL);
		http_send_head(&conn, "GET", "/events", NULL, -1);
		if (front->kind == FRONT_APACHE)
			gate_open(&next_event, 1);
		reply = http_read_head(&conn);
		CHECK(front, reply->status == 200 && !reply->closed);
		gate_open(&next_event, 5);
		CHECK(front, http_read_until(&conn, "data: event 4\n\n"));
		http_close(&conn);
	}
}

static void
a_long_poll_is_answered_when_there_is_news(void)
{
	EACH_FRONT(&stage, front) {
		struct http_conn conn;
		const struct http_reply *reply;

		gate_reset(&poll_gate);
		http_open(&conn, front, NULL);
		http_send_head(&conn, "GET", "/poll", NULL, -1);
		CHECK(front, gate_wait_waiting(&poll_gate, 1));
		CHECK(front, get(front, "/echo")->status == 200);
		gate_open(&poll_gate, 1);
		reply = http_read(&conn);
		CHECK(front, reply->status == 200 && http_body_has(reply, "news"));
		http_close(&conn);
	}
}

struct stillness {
	uint64_t last;
	int64_t since;
};

/* True once the flood has stood still for a while. */
static bool
flood_stands(void *arg)
{
	struct stillness *stillness = arg;
	uint64_t sent = atomic_load(&flood_sent);

	if (sent != stillness->last) {
		stillness->last = sent;
		stillness->since = bed_now_ms();
	}
	return sent > 0 && bed_now_ms() - stillness->since > 500;
}

/* The client does not read: the service's sending stops, far from the end, while others are served. */
static void
a_slow_client_slows_its_service_alone(void)
{
	EACH_FRONT(&stage, front) {
		struct stillness stillness = {0, bed_now_ms()};
		struct http_reply *reply;
		struct http_conn conn;

		http_open(&conn, front, NULL);
		http_send_head(&conn, "GET", "/flood", NULL, -1);
		reply = http_read_head(&conn);
		CHECK(front, reply->status == 200);
		CHECK(front, bed_wait(flood_stands, &stillness));
		CHECK(front, atomic_load(&flood_sent) < 32 * MEGABYTE);
		for (int i = 0; i < 20; i++)
			CHECK(front, get(front, "/echo")->status == 200);
		http_read_rest(&conn, reply, false);
		CHECK(front, reply->complete && reply->body_len == 64 * MEGABYTE);
		http_close(&conn);
	}
}

/* 512 exchanges wait for a service at once, on two workers; then all are answered. What each costs is measured. */
static void
many_wait_and_none_is_held_up(void)
{
	static struct http_conn conns[AT_ONCE];

	EACH_FRONT(&stage, front) {
		pid_t pids[4];
		size_t workers = bed_workers(&stage.bed, pids, 4);
		long before = 0, during = 0;
		unsigned answered = 0;

		gate_reset(&slow_gate);
		for (size_t i = 0; i < workers; i++)
			before += bed_proc_kb(pids[i], "VmRSS");
		for (int i = 0; i < AT_ONCE; i++) {
			http_open(&conns[i], front, NULL);
			http_send_head(&conns[i], "GET", "/slow", NULL, -1);
		}
		CHECK(front, gate_wait_waiting(&slow_gate, AT_ONCE));
		for (size_t i = 0; i < workers; i++)
			during += bed_proc_kb(pids[i], "VmRSS");
		CHECK(front, get(front, "/echo")->status == 200);
		gate_open(&slow_gate, AT_ONCE);
		for (int i = 0; i < AT_ONCE; i++) {
			answered += http_body_has(http_read(&conns[i]), "done");
			http_close(&conns[i]);
		}
		CHECK(front, answered == AT_ONCE);
		fprintf(stderr, "e2e: %s: %ld kB a waiting exchange\n", front->name, (during - before) / AT_ONCE);
#ifndef __SANITIZE_ADDRESS__
		CHECK(front, (during - before) / AT_ONCE < 40);
#endif
	}
}

static bool
it_has_reached_the_service(void *arg)
{
	return played_requests(stage.a) > *(unsigned *)arg;
}

static void
leave(const struct front *front, const char *target, bool reset)
{
	struct http_conn conn;
	char id[HTTP_ID_BYTES];

	gate_reset(&saw_gone);
	http_open(&conn, front, NULL);
	http_send_head(&conn, "GET", target, NULL, -1);
	memcpy(id, conn.id, sizeof(id));
	CHECK(front, http_read_until(&conn, "begun"));
	if (reset)
		http_reset(&conn);
	else
		http_close(&conn);
	CHECK(front, gate_pass(&saw_gone));
	CHECK(front, bed_log_says(&stage.bed, id, "reason", "client_gone"));
	CHECK(front, get(front, "/echo")->status == 200);
}

/* The service sees that nobody waits for it any more: both web servers notice it when they next write to the client. */
static void
a_client_that_leaves(void)
{
	EACH_FRONT(&stage, front) {
		leave(front, "/ticks", true);
		leave(front, "/ticks", false);
	}
}

/* Descriptors that a process has its epolls watch. */
static unsigned
count_watched(pid_t pid)
{
	char path[64], name[320], line[256];
	unsigned count = 0;
	struct dirent *entry;
	FILE *file;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		file = fopen(name, "r");
		while (file != NULL && fgets(line, sizeof(line), file) != NULL)
			count += strncmp(line, "tfd:", 4) == 0;
		if (file != NULL)
			fclose(file);
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

static bool
only_listens(void *arg)
{
	return count_watched(*(pid_t *)arg) == 1;
}

static bool
watches_a_client(void *arg)
{
	return count_watched(*(pid_t *)arg) > 1;
}

static pid_t
lighttpd_pid(void)
{
	for (size_t i = 0; i < stage.bed.process_count; i++)
		if (strcmp(stage.bed.processes[i].name, "lighttpd") == 0)
			return stage.bed.processes[i].pid;
	bed_give_up("no lighttpd");
}

/*
 * A service that has said nothing yet learns of it too, behind lighttpd, which is told to pass a client's close on. It
 * looks at a connection that it has waited for before: not where a request is there at the moment of accept(). Apache does
 * not look at the client before it writes to it.
 */
static void
a_client_that_leaves_in_silence(void)
{
	const struct front *front = stage.fronts[0];
	pid_t pid = lighttpd_pid();

	for (int i = 0; i < 6; i++) {
		unsigned before = played_requests(stage.a);
		struct http_conn conn;
		char id[32];

		gate_reset(&saw_gone);
		snprintf(id, sizeof(id), "silence-%d", i);
		CHECK(front, bed_wait(only_listens, &pid));
		http_open(&conn, front, NULL);
		http_say(&conn, "GET /silent HTTP/1.1\r\nHost: localhost\r\n");
		CHECK(front, bed_wait(watches_a_client, &pid));
		http_say(&conn, "X-Request-Id: %s\r\n\r\n", id);
		CHECK(front, bed_wait(it_has_reached_the_service, &before));
		if (i % 2 == 0)
			http_close(&conn);
		else
			http_reset(&conn);
		CHECK(front, gate_pass(&saw_gone));
		CHECK(front, bed_log_says(&stage.bed, id, "reason", "client_gone"));
	}
	CHECK(front, get(front, "/echo")->status == 200);
}

static void
an_upload_that_breaks_off(void)
{
	EACH_FRONT(&stage, front) {
		unsigned before = played_requests(stage.a);
		struct http_conn conn;

		gate_reset(&saw_gone);
		http_open(&conn, front, NULL);
		http_send_head(&conn, "PUT", "/upload", NULL, 10 * MEGABYTE);
		for (int i = 0; i < 200; i++)
			http_say(&conn, "%01000d", i);
		CHECK(front, bed_wait(it_has_reached_the_service, &before));
		http_close(&conn);
		CHECK(front, gate_pass(&saw_gone));
		CHECK(front, get(front, "/echo")->status == 200);
	}
}

void
suite_stream(void)
{
	CU_pSuite suite = add_suite("streams and waiting", init, cleanup);

	ADD_SCENE(suite, events_arrive_one_by_one);
	ADD_SCENE(suite, a_silent_stream_is_open);
	ADD_SCENE(suite, a_long_poll_is_answered_when_there_is_news);
	ADD_SCENE(suite, a_slow_client_slows_its_service_alone);
	ADD_SCENE(suite, many_wait_and_none_is_held_up);
	ADD_SCENE(suite, a_client_that_leaves);
	ADD_SCENE(suite, a_client_that_leaves_in_silence);
	ADD_SCENE(suite, an_upload_that_breaks_off);
}
