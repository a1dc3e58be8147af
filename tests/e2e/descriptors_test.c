/* A worker and the limit of open files (RLIMIT_NOFILE) that it was started with. */
#include "e2e/e2e.h"
#include "support/fcgi_peer.h"

enum { LIMIT = 64, PEERS = 80, ROUNDS = 3 };

static struct bed bed;
static struct fcgi_peer peers[PEERS];
static struct played *service;

static const struct played_part parts[] = {{NULL, say_echo, false}};

/* One worker, started with that option of the shell's ulimit. */
static void
scene_open(const char *option)
{
	char command[64];
	const char *const wrap[] = {"sh", "-c", command, "sh", NULL};

	snprintf(command, sizeof(command), "ulimit %s -n %d && exec \"$@\" --workers 1", option, LIMIT);
	bed_open(&bed);
	service = played_start(parts);
	bed_write_config(&bed, "services:\n  a: http://127.0.0.1:%d\nroutes: {hello: {path: /hello, service: a}}\n", played_port(service));
	bed_start_pool(&bed, wrap);
}

static void
connect_all(void)
{
	for (size_t i = 0; i < PEERS; i++)
		if (!fcgi_open(&peers[i], bed.socket, bed_patience() * 1000))
			bed_give_up("nobody listens on %s", bed.socket);
}

static void
leave_all(void)
{
	for (size_t i = 0; i < PEERS; i++)
		fcgi_close(&peers[i]);
}

/* The connection is kept. */
static bool
is_answered(struct fcgi_peer *peer)
{
	struct fcgi_answer answer;
	bool ok;

	fcgi_ask(peer, 1, true, "GET", "/hello", NULL);
	fcgi_body(peer, 1, NULL, 0);
	fcgi_read(peer, &answer);
	ok = answer.ended && strncmp(answer.out, "Status: 200 ", 12) == 0;
	free(answer.out);
	return ok;
}

/* The soft limit is what a shell or a web server happens to have; up to the hard one it is the program's to raise. */
static void
the_soft_limit_is_raised(void)
{
	size_t answered = 0;

	scene_open("-S");
	connect_all();
	while (answered < PEERS && is_answered(&peers[answered]))
		answered++;
	CU_ASSERT_EQUAL(answered, PEERS);
	leave_all();
	CU_ASSERT(bed_close(&bed));
	played_stop(service);
}

static bool
pauses(void *arg)
{
	char *log = bed_read(&bed, "pool.log");
	bool said = strstr(log, "accepting pauses") != NULL;

	(void)arg;
	free(log);
	return said;
}

/*
 * Where there are few, connections wait to be accepted before those to services have none left: all that were accepted can
 * be forwarded. The rest is served as soon as there is room. The log does not fill with that.
 */
static void
there_are_few(void)
{
	size_t answered = 0;
	char *log, *line;

	scene_open("");
	for (int round = 0; round < ROUNDS; round++) {
		connect_all();
		CU_ASSERT(bed_wait(pauses, NULL));
		for (answered = 0; answered < PEERS; answered++) {
			CU_ASSERT(is_answered(&peers[answered]));
			fcgi_close(&peers[answered]);
		}
	}
	log = bed_read(&bed, "pool.log");
	line = strstr(log, "accepting pauses");
	CU_ASSERT(line != NULL && strstr(line + 1, "accepting pauses") == NULL);
	free(log);
	CU_ASSERT(bed_close(&bed));
	played_stop(service);
}

void
suite_descriptors(void)
{
	CU_pSuite suite = add_suite("descriptors", NULL, NULL);

	ADD_SCENE(suite, the_soft_limit_is_raised);
	ADD_SCENE(suite, there_are_few);
}
