/*
 * Workers that are killed by -9, at random and under load: an exchange fails only with the worker that it was in, each is
 * accounted for, and nothing is lost that somebody could wait for: no place at a service, none of a limit, no count.
 */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "e2e/load.h"
#include "support/fcgi_peer.h"

enum { PLACES = 6, AT_ONCE = 500, CLIENTS = 10, KILLS = 40, MINUTE_MS = 60 * 1000, SPAWNED = 3 };

static struct stage stage;
static struct gate hold = GATE_CLOSED;

static void
take_a_moment(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	poll(NULL, 0, 3);
	say_reply(conn, 200, NULL, "done");
}

static void
wait_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	if (gate_pass(&hold))
		say_reply(conn, 200, NULL, "held");
}

static const struct played_part parts[] = {{"/held", wait_held, false}, {NULL, take_a_moment, false}};

static void
play(void)
{
	gate_reset(&hold);
	stage_play(&stage, parts, NULL);
	bed_write_config(&stage.bed,
	    "services:\n"
	    "  a: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: {requests: %d, queue: 200, wait: 60s}}\n"
	    "  tight: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: 1}\n"
	    "limits: {at-once: {concurrency: %d, lease: 1s}}\n"
	    "routes:\n"
	    "  a: {path: /*, service: a, limits: at-once}\n"
	    "  tight: {path: /tight/*, service: tight, strip-prefix: /tight}\n",
	    played_port(stage.a), PLACES, played_port(stage.a), AT_ONCE);
}

static void
start_fronts(void)
{
	stage.fronts[0] = bed_start_front(&stage.bed, FRONT_LIGHTTPD, "/", NULL);
	stage.fronts[1] = bed_start_front(&stage.bed, FRONT_APACHE, "/", NULL);
}

/* ---- what is lost, and what is not */

/* Of the lines that say who died. */
struct deaths {
	unsigned count, in_flight, connections;
};

static unsigned
number_behind(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at == NULL ? 0 : (unsigned)strtoul(at + strlen(key), NULL, 10);
}

static struct deaths
read_deaths(const char *log)
{
	struct deaths deaths = {0};
	char *text = bed_read(&stage.bed, log);

	for (const char *line = text; (line = strstr(line, "worker died")) != NULL; line++) {
		deaths.count++;
		deaths.in_flight += number_behind(line, " in_flight=");
		deaths.connections += number_behind(line, " connections=");
	}
	free(text);
	return deaths;
}

struct told {
	const char *log;
	unsigned count;
};

/* Who takes note of a death says so in the log a moment later. */
static bool
deaths_are_told(void *arg)
{
	const struct told *told = arg;

	return read_deaths(told->log).count >= told->count;
}

static double
metric(const char *series)
{
	return bed_metric(stage.fronts[0], series);
}

static bool
nothing_is_in_flight(void *arg)
{
	char series[128];

	(void)arg;
	snprintf(series, sizeof(series), "faregate_target_in_flight{service=\"a\",target=\"http://127.0.0.1:%d\"}",
	    played_port(stage.a));
	return metric(series) == 0 && metric("faregate_service_places_in_use{service=\"a\"}") == 0 &&
	    metric("faregate_service_waiting{service=\"a\"}") == 0 && metric("faregate_in_flight") <= 1;
}

static bool
the_limit_is_whole(void *arg)
{
	const char *said = http_header(get(stage.fronts[0], "/x"), "RateLimit");
	char left[64];

	(void)arg;
	snprintf(left, sizeof(left), "\"at-once\";r=%d", AT_ONCE - 1);
	return said != NULL && strcmp(said, left) == 0;
}

static void
nothing_was_lost(void)
{
	struct http_conn conns[PLACES + 1];

	CU_ASSERT(bed_wait(nothing_is_in_flight, NULL));
	CU_ASSERT(bed_wait(the_limit_is_whole, NULL));
	/* As many places as ever, and no more. */
	for (int i = 0; i <= PLACES; i++) {
		http_open(&conns[i], stage.fronts[i % 2], NULL);
		CU_ASSERT(http_send_head(&conns[i], "GET", "/held", NULL, -1));
	}
	CU_ASSERT(gate_wait_waiting(&hold, PLACES));
	CU_ASSERT_EQUAL(metric("faregate_service_places_in_use{service=\"a\"}"), PLACES);
	gate_open(&hold, PLACES + 1);
	for (int i = 0; i <= PLACES; i++) {
		CU_ASSERT_EQUAL(http_read(&conns[i])->status, 200);
		http_close(&conns[i]);
	}
}

/* Kills somebody; false: there was nobody to kill. */
typedef bool kill_fn(unsigned draw);

static unsigned
draw(unsigned *seed)
{
	return *seed = *seed * 1103515245u + 12345u, *seed >> 16;
}

/* How many were killed. In a hurry a few dozen; else a minute long. */
static unsigned
kill_at_random(struct load *const loads[2], kill_fn *kill_one)
{
	bool takes_its_time = getenv("FAREGATE_LONG") != NULL;
	int64_t until = bed_now_ms() + MINUTE_MS;
	unsigned seed = (unsigned)getpid(), kills = 0;

	while (takes_its_time ? bed_now_ms() < until : kills < KILLS) {
		for (int i = 0; i < 2; i++)
			CU_ASSERT_FATAL(load_wait_more(loads[i], draw(&seed) % 60));
		kills += kill_one(draw(&seed));
	}
	return kills;
}

static void
under_load(const char *log, kill_fn *kill_one)
{
	struct load *loads[2];
	struct load_result results[2];
	struct deaths deaths;
	double deaths_before = metric("faregate_worker_deaths_total"), lost_before = metric("faregate_exchanges_lost_total");
	struct deaths before = read_deaths(log);
	struct told told;
	unsigned kills;

	for (int i = 0; i < 2; i++)
		loads[i] = load_start(stage.fronts[i], "/x", CLIENTS);
	kills = kill_at_random(loads, kill_one);
	for (int i = 0; i < 2; i++)
		results[i] = load_stop(loads[i]);
	nothing_was_lost();
	told = (struct told){log, before.count + kills};
	CU_ASSERT(bed_wait(deaths_are_told, &told));
	deaths = read_deaths(log);
	deaths.count -= before.count;
	deaths.in_flight -= before.in_flight;
	deaths.connections -= before.connections;
	CU_ASSERT_EQUAL(deaths.count, kills);
	CU_ASSERT_EQUAL(metric("faregate_worker_deaths_total"), deaths_before + kills);
	CU_ASSERT_EQUAL(metric("faregate_exchanges_lost_total"), lost_before + deaths.in_flight);
	CU_ASSERT(deaths.in_flight <= 2 * CLIENTS * kills);
	/* Behind a connection that a web server keeps, a request may be on its way. */
	for (int i = 0; i < 2; i++)
		CHECK(stage.fronts[i], results[i].failed <= deaths.connections);
	CU_ASSERT(results[0].failed + results[1].failed <= deaths.connections);
	printf("%u killed, %u in flight, %u connections; %u+%u good, %u+%u failed ", kills, deaths.in_flight,
	    deaths.connections, results[0].good, results[1].good, results[0].failed, results[1].failed);
}

/* ---- a pool */

static int
init_pool(void)
{
	static const char *const wrap[] = {"sh", "-c", "exec \"$@\" --workers 4", "sh", NULL};

	play();
	bed_start_pool(&stage.bed, wrap);
	start_fronts();
	return 0;
}

static int
cleanup(void)
{
	gate_open(&hold, 1000);
	return !stage_close(&stage);
}

static bool
is_reaped(void *pid)
{
	return kill(*(pid_t *)pid, 0) != 0;
}

/* Each but once: a dead one is still there until the supervisor has taken note of it. */
static bool
kill_worker(unsigned draw)
{
	pid_t pids[16];
	size_t count = bed_workers(&stage.bed, pids, 16);

	return count > 0 && kill(pids[draw % count], SIGKILL) == 0 && bed_wait(is_reaped, &pids[draw % count]);
}

static void
a_pool_under_fire(void)
{
	under_load("pool.log", kill_worker);
}

/* ---- processes as a web server spawns them */

static struct process *spawned[SPAWNED];
static int listen_fd;
static unsigned killed;

static void
spawn(int i)
{
	const char *const argv[] = {bed_program(), NULL};

	spawned[i] = bed_start_at(&stage.bed, "spawned", argv, listen_fd);
}

static int
init_spawned(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	killed = 0;
	play();
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.*s", (int)sizeof(addr.sun_path) - 1, stage.bed.socket);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listen_fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(listen_fd, 128) != 0)
		bed_give_up("%s cannot be listened on", addr.sun_path);
	chmod(addr.sun_path, 0666);
	setenv("FAREGATE_CONFIG", stage.bed.config, 1);
	for (int i = 0; i < SPAWNED; i++)
		spawn(i);
	start_fronts();
	return 0;
}

static int
cleanup_spawned(void)
{
	close(listen_fd);
	unsetenv("FAREGATE_CONFIG");
	return cleanup();
}

static bool
has_a_place(void *arg)
{
	(void)arg;
	return get(stage.fronts[0], "/tight/x")->status == 200;
}

/* Asked over a connection that no web server keeps to one of them. */
static bool
all_are_ready(void *arg)
{
	struct fcgi_peer peer;
	struct fcgi_answer answer;
	char running[64];
	bool ready;

	(void)arg;
	snprintf(running, sizeof(running), "\nfaregate_workers{state=\"running\"} %d\n", SPAWNED);
	CU_ASSERT_FATAL(fcgi_open(&peer, stage.bed.socket, bed_patience() * 1000));
	CU_ASSERT(fcgi_ask(&peer, 1, false, "GET", "/_faregate/metrics", NULL) && fcgi_body(&peer, 1, NULL, 0));
	fcgi_read(&peer, &answer);
	ready = answer.out != NULL && strstr(answer.out, running) != NULL;
	free(answer.out);
	fcgi_close(&peer);
	return ready;
}

/* Killed, it stays: nobody has taken note of its end. */
static void
a_zombie_holds_no_place(void)
{
	struct http_conn held;

	/* One that is stopped while it begins may hold what the others wait for. */
	CU_ASSERT(bed_wait(all_are_ready, NULL));
	for (int i = 1; i < SPAWNED; i++)
		kill(spawned[i]->pid, SIGSTOP);
	http_open(&held, stage.fronts[0], NULL);
	CU_ASSERT(http_send_head(&held, "GET", "/tight/held", NULL, -1) && gate_wait_waiting(&hold, 1));
	for (int i = 1; i < SPAWNED; i++)
		kill(spawned[i]->pid, SIGCONT);
	CU_ASSERT(!has_a_place(NULL));
	kill(spawned[0]->pid, SIGKILL);
	killed++;
	gate_open(&hold, 1);
	CU_ASSERT(bed_wait(has_a_place, NULL));
	CU_ASSERT_EQUAL(metric("faregate_worker_deaths_total"), 1);
	CU_ASSERT(metric("faregate_exchanges_lost_total") >= 1);
	(void)http_read(&held);
	http_close(&held);
	CU_ASSERT(bed_wait_end(spawned[0]->pid, &(int){0}));
	spawned[0]->pid = 0;
	spawn(0);
}

static bool
all_run(void *arg)
{
	(void)arg;
	return metric("faregate_worker_deaths_total") == killed && metric("faregate_workers{state=\"running\"}") == SPAWNED;
}

static bool
kill_spawned(unsigned draw)
{
	int i = (int)(draw % SPAWNED);

	/* One that has not begun yet is nobody's loss, and in no count. */
	if (!bed_wait(all_run, NULL))
		return false;
	spawned[i]->stop_signal = SIGKILL;
	spawned[i]->exit_status = -SIGKILL;
	CU_ASSERT(bed_stop(&stage.bed, spawned[i]));
	killed++;
	spawn(i);
	return true;
}

static void
spawned_under_fire(void)
{
	under_load("spawned.log", kill_spawned);
}

void
suite_killed(void)
{
	CU_pSuite suite = add_suite("killed at random, a pool", init_pool, cleanup);

	ADD_SCENE(suite, a_pool_under_fire);
	suite = add_suite("killed at random, without a supervisor", init_spawned, cleanup_spawned);
	ADD_SCENE(suite, a_zombie_holds_no_place);
	ADD_SCENE(suite, spawned_under_fire);
}
