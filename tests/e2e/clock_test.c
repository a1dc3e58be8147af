/*
 * A host whose clock is set, a day forwards and a day back, while the pool runs: no limit opens wide, none locks out for longer
 * than its own period, places stay counted, tokens go by the clock as it is, and nobody dies of it.
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "e2e/e2e.h"
#include "support/redis_server.h"
#include "support/token_maker.h"

enum { HOUR = 3600, DAY = 24 * HOUR, SLACK = 60, SHIFTS = 5 };

#define SECRET "a secret of thirty-two bytes, no less"

static const int64_t shifts[SHIFTS] = {0, DAY, 0, -DAY, 0};

static struct stage memory, redis; /* by their store */
static struct stage *const stages[] = {&memory, &redis};
static struct redis_server *server;
static struct gate hold = GATE_CLOSED;

static void
say_held(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	gate_pass(&hold);
	say_reply(conn, 200, NULL, "done");
}

static const struct played_part parts[] = {{"/held", say_held, false}, {NULL, say_echo, false}};

static void
start_server(void)
{
	server = redis_server_start(NULL);
}

static void
set_clock(struct stage *stage, int64_t shift)
{
	char path[BED_PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/clock", stage->bed.dir);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	if (fd < 0 || pwrite(fd, &shift, sizeof(shift), 0) != sizeof(shift))
		bed_give_up("the clock cannot be set");
	close(fd);
}

static void
serve(struct stage *stage, const char *store)
{
	char file[BED_PATH_BYTES + 32], options[512];
	const char *before = getenv("ASAN_OPTIONS");
	const char *wrap[] = {"env", "LD_PRELOAD=" FG_TEST_BUILDDIR "/tests/support/clock_shift.so", file, options, NULL};

	stage_play(stage, parts, NULL);
	set_clock(stage, 0);
	bed_write_config(&stage->bed,
	    "store: %s\n"
	    "services: {a: http://127.0.0.1:%d}\n"
	    "auth: {idp: {type: jwt, issuer: me, audience: us, keys: \"" SECRET "\", algorithms: HS256}}\n"
	    "defaults: {auth: none}\n"
	    "limits:\n"
	    "  bucket: {rate: 3/1h, by: query:k}\n"
	    "  sliding: {rate: 3/1h, by: query:k, algorithm: sliding-window}\n"
	    "  large: {rate: 60/1h, by: query:k, algorithm: sliding-window, cost: 20}\n"
	    "  hourly: {rate: 3/1h, by: query:k, algorithm: fixed-window}\n"
	    "  daily: {rate: 3/1d, by: query:k, algorithm: fixed-window, timezone: Europe/Berlin}\n"
	    "  monthly: {rate: 3/month, by: query:k, algorithm: fixed-window}\n"
	    "  once: {concurrency: 1, lease: 3s}\n"
	    "routes:\n"
	    "  bucket: {path: /bucket, service: a, limits: bucket}\n"
	    "  sliding: {path: /sliding, service: a, limits: sliding}\n"
	    "  large: {path: /large, service: a, limits: large}\n"
	    "  hourly: {path: /hourly, service: a, limits: hourly}\n"
	    "  daily: {path: /daily, service: a, limits: daily}\n"
	    "  monthly: {path: /monthly, service: a, limits: monthly}\n"
	    "  held: {path: /held, service: a, limits: once}\n"
	    "  beside: {path: /beside, service: a, limits: once}\n"
	    "  token: {path: /token, service: a, auth: idp}\n",
	    store, played_port(stage->a));
	snprintf(file, sizeof(file), "FG_CLOCK_SHIFT=%s/clock", stage->bed.dir);
	/* libasan wants to be the first library. */
	snprintf(options, sizeof(options), "ASAN_OPTIONS=log_path=%s/sanitizer:abort_on_error=0:verify_asan_link_order=0%s%s",
	    stage->bed.dir, before == NULL ? "" : ":", before == NULL ? "" : before);
	bed_start_pool(&stage->bed, wrap);
	stage->fronts[0] = bed_start_front(&stage->bed, FRONT_LIGHTTPD, "/", NULL);
	stage->fronts[1] = bed_start_front(&stage->bed, FRONT_APACHE, "/", NULL);
}

static int
init(void)
{
	char store[64];

	if (!redis_server_try(start_server))
		return 1;
	snprintf(store, sizeof(store), "{url: \"redis://127.0.0.1:%d\", deadline: 5s}", redis_server_port(server));
	serve(&memory, "memory");
	serve(&redis, store);
	return 0;
}

static int
cleanup(void)
{
	bool good = stage_close(&memory);

	good = stage_close(&redis) && good;
	redis_server_stop(server);
	return !good;
}

static const struct row {
	const char *path;
	int count, period;
	bool is_fixed; /* a window may end while the scene plays: then twice the count */
} rows[] = {
    {"/bucket", 3, HOUR, false}, {"/sliding", 3, HOUR, false}, {"/large", 3, HOUR + HOUR / 31 + 1, false}, {"/hourly", 3, HOUR, true},
    {"/daily", 3, DAY + HOUR, true}, {"/monthly", 3, 31 * DAY, true},
};

/* Until it is full; how many were let in. */
static int
fill(const struct front *front, const struct row *row)
{
	int most = row->is_fixed ? 2 * row->count : row->count, allowed = 0;
	const struct http_reply *reply;
	const char *after;
	char target[64];

	snprintf(target, sizeof(target), "%s?k=%d", row->path, front->port);
	while ((reply = get(front, target))->status == 200 && allowed <= most)
		allowed++;
	CHECK(front, allowed <= most);
	CHECK(front, reply->status == 429);
	after = http_header(reply, "Retry-After");
	CHECK(front, after != NULL && atol(after) >= 1 && atol(after) <= row->period + SLACK);
	return allowed;
}

static void
no_limit_opens_wide_or_locks_out(void)
{
	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < SHIFTS; i++) {
			set_clock(stages[s], shifts[i]);
			EACH_FRONT(stages[s], front) {
				for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
					int allowed = fill(front, &rows[r]);

					CHECK(front, i > 0 || allowed >= rows[r].count);
					/* Redis's clock was not set. */
					CHECK(front, i == 0 || s == 0 || rows[r].is_fixed || allowed == 0);
				}
			}
		}
	}
}

static bool
is_full(void *arg)
{
	return get(arg, "/beside")->status == 429;
}

static bool
is_free(void *arg)
{
	return get(arg, "/beside")->status == 200;
}

/* What is held is counted again once it is renewed, and given back where it is counted. */
static void
what_is_held_stays_counted(void)
{
	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < SHIFTS; i++) {
			EACH_FRONT(stages[s], front) {
				void *arg = (void *)(uintptr_t)front;
				struct http_conn conn;

				gate_reset(&hold);
				CHECK(front, bed_wait(is_free, arg));
				http_open(&conn, front, NULL);
				CHECK(front, http_send_head(&conn, "GET", "/held", NULL, -1));
				CHECK(front, gate_wait_waiting(&hold, 1));
				set_clock(stages[s], shifts[i]);
				CHECK(front, bed_wait(is_full, arg));
				gate_open(&hold, 1000);
				CHECK(front, http_read(&conn)->status == 200);
				http_close(&conn);
				CHECK(front, bed_wait(is_free, arg));
			}
		}
	}
}

static void
tokens_go_by_the_clock_as_it_is(void)
{
	struct maker_key *key = maker_key_from_secret("HS256", SECRET, strlen(SECRET));
	char payload[128], *token, header[1024];

	snprintf(payload, sizeof(payload), "{\"iss\":\"me\",\"aud\":\"us\",\"sub\":\"al\",\"exp\":%lld}", (long long)time(NULL) + HOUR);
	token = maker_token(key, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", payload);
	snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", token);
	for (size_t i = 0; i < SHIFTS; i++) {
		set_clock(&memory, shifts[i]);
		EACH_FRONT(&memory, front) {
			const struct http_reply *reply = ask(front, "GET", "/token", header, NULL);

			if (shifts[i] > 0)
				CHECK(front, http_is_problem(&memory.bed, reply, 401, "token_expired"));
			else
				CHECK(front, reply->status == 200);
		}
	}
	free(token);
	maker_key_free(key);
}

void
suite_clock(void)
{
	CU_pSuite suite = add_suite("clock", init, cleanup);

	ADD_SCENE(suite, no_limit_opens_wide_or_locks_out);
	ADD_SCENE(suite, what_is_held_stays_counted);
	ADD_SCENE(suite, tokens_go_by_the_clock_as_it_is);
}
