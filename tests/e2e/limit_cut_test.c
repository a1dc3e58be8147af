/*
 * One of two hosts is cut off from Redis: it enforces its half by itself, the other goes on with the whole of it; each hears
 * of the other's going and coming. By a relay that drops everything, and by network namespaces with a wire between them,
 * where whoever runs this may make some.
 */
#include <stdarg.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "e2e/wire.h"
#include "support/redis_server.h"

enum { ALLOWED = 40, HOSTS = 2 };

static struct redis_server *server;
static struct bed beds[HOSTS];
static const struct front *fronts[HOSTS];
static struct wire *wire;
static bool has_namespaces;

static void
write_config(struct bed *bed, const char *host, int port)
{
	bed_write_config(bed,
	    "store: {url: \"redis://%s:%d/0\", deadline: 100ms}\n"
	    "limits:\n"
	    "  fixed: {rate: %d/30d, by: query:k, algorithm: fixed-window, timezone: %s}\n"
	    "  token: {rate: %d/30d, by: query:k}\n"
	    "  sliding: {rate: %d/30d, by: query:k, algorithm: sliding-window}\n"
	    "routes:\n"
	    "  fixed: {path: /fixed, limits: fixed, respond: {status: 200, body: ok}}\n"
	    "  token: {path: /token, limits: token, respond: {status: 200, body: ok}}\n"
	    "  sliding: {path: /sliding, limits: sliding, respond: {status: 200, body: ok}}\n",
	    host, port, ALLOWED, bed_noon_zone(), ALLOWED, ALLOWED);
}

static void
start_server(void)
{
	server = redis_server_start(&(struct redis_server_options){.config = "bind 0.0.0.0\nprotected-mode no\n"});
}

/* ---- a relay */

static int
init_relay(void)
{
	if (!redis_server_try(start_server))
		return 1;
	wire = wire_start(redis_server_port(server));
	for (int i = 0; i < HOSTS; i++) {
		bed_open(&beds[i]);
		write_config(&beds[i], "127.0.0.1", i == 0 ? wire_port(wire) : redis_server_port(server));
		bed_start_pool(&beds[i], NULL);
		fronts[i] = bed_start_front(&beds[i], FRONT_LIGHTTPD, "/", NULL);
	}
	return 0;
}

static int
cleanup(void)
{
	bool good = true;

	for (int i = 0; i < HOSTS; i++)
		good &= bed_close(&beds[i]);
	wire_stop(wire);
	wire = NULL;
	redis_server_stop(server);
	return good ? 0 : 1;
}

/* ---- namespaces: they live as long as the pool in them, and so do their ends of the wires */

static bool __attribute__((format(printf, 1, 2)))
run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command) == 0; /* NOLINT: constants and numbers */
}

/* A network for the host i of this process: .1 is Redis's side, .2 the pool's. */
static const char *
address(int i, int side)
{
	static char text[2][32];

	snprintf(text[side - 1], sizeof(text[0]), "10.%d.%d.%d", 1 + getpid() / 100 % 200, getpid() % 100 * HOSTS + i, side);
	return text[side - 1];
}

static void
plug_in(int i, pid_t pool)
{
	char here[32], there[32];

	snprintf(here, sizeof(here), "fgw%d-%d", i, getpid());
	snprintf(there, sizeof(there), "fgw%dp-%d", i, getpid());
	if (!run("ip link add %s type veth peer name %s && ip link set %s netns %d && ip addr add %s/30 dev %s && ip link set %s up",
		here, there, there, pool, address(i, 1), here, here) ||
	    !run("nsenter --net=/proc/%d/ns/net sh -c 'ip addr add %s/30 dev %s; ip link set %s up'", pool, address(i, 2), there, there))
		bed_give_up("no wire to the namespace of pool %d", pool);
}

static int
init_namespaces(void)
{
	static const char *const wrap[] = {"unshare", "--net", NULL};

	has_namespaces = run("unshare --net ip link add fgtry type veth peer name fgtryp >/dev/null 2>&1");
	if (!has_namespaces)
		return 0;
	if (!redis_server_try(start_server))
		return 1;
	for (int i = 0; i < HOSTS; i++) {
		bed_open(&beds[i]);
		write_config(&beds[i], address(i, 1), redis_server_port(server));
		bed_start_pool(&beds[i], wrap);
		plug_in(i, beds[i].pool);
		fronts[i] = bed_start_front(&beds[i], FRONT_LIGHTTPD, "/", NULL);
	}
	return 0;
}

static int
cleanup_namespaces(void)
{
	return has_namespaces ? cleanup() : 0;
}

/* ---- what both do */

static void
cut(void)
{
	if (wire != NULL)
		wire_cut(wire);
	else
		CU_ASSERT(run("ip link set fgw0-%d down", getpid()));
}

static void
mend(void)
{
	if (wire != NULL)
		wire_mend(wire);
	else
		CU_ASSERT(run("ip link set fgw0-%d up", getpid()));
}

static unsigned
turn(void)
{
	static unsigned turns;

	return ++turns;
}

static double
outcome(const struct front *front, const char *policy, const char *what)
{
	char series[128];

	snprintf(series, sizeof(series), "faregate_limits_total{policy=\"%s\",outcome=\"%s\"}", policy, what);
	return bed_metric(front, series);
}

/* How many pass there until one does not; nobody is told anything but 200 or 429. */
static unsigned
pass(const struct front *front, const char *path, unsigned k)
{
	char target[64];
	unsigned passed = 0;
	int status;

	snprintf(target, sizeof(target), "/%s?k=%u", path, k);
	while ((status = get(front, target)->status) == 200 && passed < 10 * ALLOWED)
		passed++;
	CU_ASSERT_EQUAL(status, 429);
	return passed;
}

struct wanted {
	const struct front *front;
	unsigned hosts;
};

static bool
has_hosts(void *arg)
{
	const struct wanted *wanted = arg;

	return bed_metric(wanted->front, "faregate_limits_hosts") == wanted->hosts;
}

static void
expect_hosts(int i, unsigned hosts)
{
	struct wanted wanted = {fronts[i], hosts};

	CU_ASSERT(bed_wait(has_hosts, &wanted));
}

/* All that is asked in a row is decided by that: so both workers know. */
static bool
all_are(const char *what)
{
	enum { IN_A_ROW = 24 };
	double before = outcome(fronts[0], "fixed", what);
	char target[64];

	for (int i = 0; i < IN_A_ROW; i++) {
		snprintf(target, sizeof(target), "/fixed?k=%u", turn());
		CU_ASSERT_EQUAL(get(fronts[0], target)->status, 200);
	}
	return outcome(fronts[0], "fixed", what) == before + IN_A_ROW;
}

static bool
is_alone(void *arg)
{
	(void)arg;
	return all_are("allowed_by_share");
}

static bool
is_back(void *arg)
{
	(void)arg;
	return all_are("allowed");
}

/* What is asked of a limit, and what is to pass at each host, or at both together. */
struct attempt {
	const char *policy;
	unsigned k; /* 0: a new one */
	bool is_cut, spares_first; /* host 0 is cut off; it is not asked */
	unsigned passed[HOSTS];
};

static double
shares_used(const struct attempt *attempt)
{
	double sum = 0;

	for (int i = attempt->is_cut ? 1 : 0; i < HOSTS; i++)
		sum += outcome(fronts[i], attempt->policy, "allowed_by_share") + outcome(fronts[i], attempt->policy, "refused_by_share");
	return sum;
}

/* False: Redis was too slow for somebody who was to hear it, on a machine that is busy. */
static bool
count_passing(void *arg)
{
	struct attempt *attempt = arg;
	double before = shares_used(attempt);
	unsigned k = attempt->k == 0 ? turn() : attempt->k;

	for (int i = attempt->spares_first ? 1 : 0; i < HOSTS; i++)
		attempt->passed[i] = pass(fronts[i], attempt->policy, k);
	return shares_used(attempt) == before;
}

static void
expect_passing(bool is_cut)
{
	static const char *const policies[] = {"fixed", "token", "sliding"};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct attempt attempt = {.policy = policies[i], .is_cut = is_cut};

		CU_ASSERT(bed_wait(count_passing, &attempt));
		if (is_cut) {
			CU_ASSERT_EQUAL(attempt.passed[0], ALLOWED / HOSTS);
			CU_ASSERT_EQUAL(attempt.passed[1], ALLOWED);
		} else {
			CU_ASSERT_EQUAL(attempt.passed[0] + attempt.passed[1], ALLOWED);
		}
	}
}

/* People are told, too. */
static void
expect_status(const char *words)
{
	const char *argv[] = {bed_program(), "status", "-c", beds[0].config, NULL};
	char *said;

	CU_ASSERT_EQUAL(bed_run(&beds[0], &said, argv), 0);
	CU_ASSERT(strstr(said, words) != NULL);
	free(said);
}

static void
one_of_two_is_cut_off(void)
{
	struct attempt before = {.policy = "fixed", .k = turn(), .spares_first = true};
	bool by_redis;

	expect_hosts(0, HOSTS);
	expect_hosts(1, HOSTS);
	expect_status("shared by 2 hosts, when the store last answered");
	expect_passing(false);
	by_redis = count_passing(&before);
	CU_ASSERT(!by_redis || before.passed[1] == ALLOWED);
	cut();
	CU_ASSERT(bed_wait(is_alone, NULL));
	expect_passing(true);
	/* What Redis had counted before the one knows nothing of: in a window, at most the limit once more. */
	before.is_cut = true;
	before.spares_first = false;
	by_redis &= count_passing(&before);
	CU_ASSERT(!by_redis || (before.passed[0] == ALLOWED / HOSTS && before.passed[1] == 0));
	/* The one that still hears Redis hears that it is alone; the other knows what it last heard. */
	expect_hosts(1, 1);
	CU_ASSERT_EQUAL(bed_metric(fronts[0], "faregate_limits_hosts"), HOSTS);
	mend();
	CU_ASSERT(bed_wait(is_back, NULL));
	expect_hosts(0, HOSTS);
	expect_hosts(1, HOSTS);
	expect_passing(false);
}

static void
one_namespace_is_cut_off(void)
{
	if (has_namespaces)
		one_of_two_is_cut_off();
	else
		printf("(no namespaces may be made here) ");
}

void
suite_limit_cut(void)
{
	ADD_SCENE(add_suite("limit_cut", init_relay, cleanup), one_of_two_is_cut_off);
	ADD_SCENE(add_suite("limit_cut_namespaces", init_namespaces, cleanup_namespaces), one_namespace_is_cut_off);
}
