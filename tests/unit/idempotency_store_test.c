/* lib/core records of keys in Redis: what the script does, and what is owed when nobody waits for the answer any more. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "core/exchange.h"
#include "core/idempotency_store.h"
#include "support/redis_server.h"
#include "unit/config_load.h"
#include "unit/unit.h"

static struct redis_server *server;
static struct loaded *loaded;
static struct fg_loop *loop;
static struct fg_log quiet = {.level = FG_LOG_ERROR};
static struct fg_gateway gw;
static struct fg_idempotency_store *store;
static unsigned told;

static int
set_up(void)
{
	server = redis_server_start(NULL);
	return config_folder_make();
}

static int
tear_down(void)
{
	redis_server_stop(server);
	return config_folder_remove();
}

static void
open_store(const char *deadline)
{
	char text[256];

	snprintf(text, sizeof(text), "version: 1\nstore: {url: \"redis://127.0.0.1:%d/0\", deadline: %s, connect-timeout: 60s}\n"
	    "routes: {a: {path: /a, respond: {status: 204}}}\n", redis_server_port(server), deadline);
	loaded = config_load(text);
	CU_ASSERT_STRING_EQUAL(loaded->errors, "");
	CU_ASSERT_FATAL(loaded->config != NULL);
	loop = fg_loop_new();
	fg_gateway_init(&gw, loaded->config, loop, NULL, &quiet);
	fg_gateway_start_filters(&gw, NULL);
	store = fg_idempotency_store_new(&gw, NULL);
	told = 0;
}

static void
close_store(void)
{
	fg_idempotency_store_free(store);
	fg_gateway_fini(&gw);
	fg_loop_free(loop);
	config_end(loaded);
	redis_server_do(server, "FLUSHALL");
}

static void
on_told(void *arg)
{
	(void)arg;
	told++;
}

static void
wait_told(unsigned count)
{
	while (told < count)
		fg_loop_turn(loop, true);
}

static struct fg_idempotency_job *
make(uint8_t key, fg_usec lease, bool takes_over)
{
	struct fg_idempotency_job *job = fg_idempotency_job_new(store);

	job->ask.record[0] = key;
	job->ask.record[1] = '{';
	job->ask.record[2] = '}';
	job->ask.fingerprint[0] = 7;
	job->ask.lease = lease;
	job->ask.expire = 100 * FG_US_PER_S;
	job->ask.takes_over = takes_over;
	return job;
}

static enum fg_idempotency_state
begin(struct fg_idempotency_job *job)
{
	unsigned before = told;

	CU_ASSERT(!fg_idempotency_begin(job, on_told, NULL));
	CU_ASSERT_EQUAL(told, before);
	wait_told(before + 1);
	CU_ASSERT_EQUAL(job->err, FG_OK);
	return job->state;
}

/* What the next one with that key finds. */
static enum fg_idempotency_state
look(uint8_t key, uint8_t fingerprint, bool takes_over)
{
	struct fg_idempotency_job *job = make(key, 60 * FG_US_PER_S, takes_over);
	enum fg_idempotency_state state;

	job->ask.fingerprint[0] = fingerprint;
	state = begin(job);
	if (state == FG_IDEMPOTENCY_KEPT)
		ASSERT_STR(fg_buf_str(&job->answer), "done");
	fg_idempotency_job_drop(job);
	return state; /* what it has reserved is being released: on one connection, before anything that follows */
}

static void
finish(struct fg_idempotency_job *job, enum fg_idempotency_end end)
{
	unsigned before = told;

	if (end == FG_IDEMPOTENCY_KEEP)
		FG_ASSERT(fg_buf_add(&job->answer, FG_STR("done")));
	CU_ASSERT(!fg_idempotency_finish(job, end, on_told, NULL));
	wait_told(before + 1);
}

static void
how_a_reservation_ends(void)
{
	static const struct {
		enum fg_idempotency_end end;
		enum fg_idempotency_state then;
	} rows[] = {{FG_IDEMPOTENCY_KEEP, FG_IDEMPOTENCY_KEPT}, {FG_IDEMPOTENCY_DO_NOT_KEEP, FG_IDEMPOTENCY_NOT_KEPT},
	    {FG_IDEMPOTENCY_DO_NOT_KNOW, FG_IDEMPOTENCY_UNKNOWN}, {FG_IDEMPOTENCY_RELEASE, FG_IDEMPOTENCY_NEW}};

	open_store("10s");
	for (uint8_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		struct fg_idempotency_job *job = make(i, 60 * FG_US_PER_S, false);

		CU_ASSERT_EQUAL(begin(job), FG_IDEMPOTENCY_NEW);
		CU_ASSERT_EQUAL(look(i, 7, true), FG_IDEMPOTENCY_IN_FLIGHT);
		CU_ASSERT_EQUAL(look(i, 8, true), FG_IDEMPOTENCY_MISMATCH);
		finish(job, rows[i].end);
		CU_ASSERT_EQUAL(job->err, FG_OK);
		fg_idempotency_job_drop(job);
		if (rows[i].end != FG_IDEMPOTENCY_RELEASE)
			CU_ASSERT_EQUAL(look(i, 8, false), FG_IDEMPOTENCY_MISMATCH);
		CU_ASSERT_EQUAL(look(i, 7, false), rows[i].then);
		CU_ASSERT_EQUAL(look(i, 7, true), rows[i].end == FG_IDEMPOTENCY_DO_NOT_KNOW ? FG_IDEMPOTENCY_NEW : rows[i].then);
	}
	close_store();
}

static void
a_lease_that_ends(void)
{
	struct fg_idempotency_job *late, *bold;
	enum fg_idempotency_state state;

	open_store("10s");
	late = make(1, FG_US_PER_MS, false);
	CU_ASSERT_EQUAL(begin(late), FG_IDEMPOTENCY_NEW);
	do
		state = look(1, 7, false);
	while (state == FG_IDEMPOTENCY_IN_FLIGHT);
	CU_ASSERT_EQUAL(state, FG_IDEMPOTENCY_UNKNOWN);
	bold = make(1, 60 * FG_US_PER_S, true);
	CU_ASSERT_EQUAL(begin(bold), FG_IDEMPOTENCY_NEW);
	/* Its token is not the record's any more. */
	finish(late, FG_IDEMPOTENCY_KEEP);
	CU_ASSERT_EQUAL(late->err, FG_ERR_STORE_ERROR);
	CU_ASSERT_EQUAL(look(1, 7, false), FG_IDEMPOTENCY_IN_FLIGHT);
	finish(bold, FG_IDEMPOTENCY_KEEP);
	CU_ASSERT_EQUAL(look(1, 7, false), FG_IDEMPOTENCY_KEPT);
	fg_idempotency_job_drop(late);
	fg_idempotency_job_drop(bold);
	/* Late, but nobody has taken over: known again. */
	late = make(2, FG_US_PER_MS, false);
	CU_ASSERT_EQUAL(begin(late), FG_IDEMPOTENCY_NEW);
	while (look(2, 7, false) == FG_IDEMPOTENCY_IN_FLIGHT)
		;
	finish(late, FG_IDEMPOTENCY_KEEP);
	CU_ASSERT_EQUAL(late->err, FG_OK);
	CU_ASSERT_EQUAL(look(2, 7, false), FG_IDEMPOTENCY_KEPT);
	fg_idempotency_job_drop(late);
	close_store();
}

static void
nobody_waits_any_more(void)
{
	struct fg_idempotency_job *job;

	open_store("10s");
	/* While it is being reserved: released when it comes, in the order of one connection. */
	job = make(1, 60 * FG_US_PER_S, false);
	CU_ASSERT(!fg_idempotency_begin(job, on_told, NULL));
	fg_idempotency_job_drop(job);
	CU_ASSERT_EQUAL(look(1, 7, false), FG_IDEMPOTENCY_IN_FLIGHT);
	CU_ASSERT_EQUAL(look(1, 7, false), FG_IDEMPOTENCY_NEW);
	/* While it is being kept: it is kept. */
	job = make(2, 60 * FG_US_PER_S, false);
	CU_ASSERT_EQUAL(begin(job), FG_IDEMPOTENCY_NEW);
	FG_ASSERT(fg_buf_add(&job->answer, FG_STR("done")));
	CU_ASSERT(!fg_idempotency_finish(job, FG_IDEMPOTENCY_KEEP, NULL, NULL));
	fg_idempotency_job_drop(job);
	CU_ASSERT_EQUAL(look(2, 7, false), FG_IDEMPOTENCY_KEPT);
	/* When the worker ends: all of it is freed, and nobody is told. */
	job = make(3, 60 * FG_US_PER_S, false);
	CU_ASSERT_EQUAL(begin(job), FG_IDEMPOTENCY_NEW);
	CU_ASSERT(!fg_idempotency_begin(make(4, 60 * FG_US_PER_S, false), on_told, NULL));
	told = 0;
	close_store();
	CU_ASSERT_EQUAL(told, 0);
}

/* Asks until Redis answers in time, and nobody has it. */
static void
look_until_new(uint8_t key)
{
	enum fg_idempotency_state state = FG_IDEMPOTENCY_IN_FLIGHT;

	while (state != FG_IDEMPOTENCY_NEW) {
		struct fg_idempotency_job *job = make(key, 60 * FG_US_PER_S, false);
		unsigned before = told;

		CU_ASSERT(!fg_idempotency_begin(job, on_told, NULL));
		wait_told(before + 1);
		if (job->err == FG_OK)
			state = job->state;
		fg_idempotency_job_drop(job);
	}
}

/* Carried out by Redis, answered too late: taken back by its token once Redis answers again. */
static void
an_answer_that_comes_too_late(void)
{
	struct fg_idempotency_job *job;

	open_store("30ms");
	look_until_new(1);
	redis_server_pause(server);
	job = make(2, 60 * FG_US_PER_S, false);
	CU_ASSERT(!fg_idempotency_begin(job, on_told, NULL));
	wait_told(told + 1);
	CU_ASSERT_EQUAL(job->err, FG_ERR_STORE_TIMEOUT);
	fg_idempotency_job_drop(job);
	redis_server_resume(server);
	look_until_new(2);
	close_store();
}

/* The most that may be kept fits into a query and a reply. */
static void
the_largest_answer(void)
{
	static char text[FG_MAX_IDEMPOTENCY_ANSWER_BYTES + 80 * 1024 + 1];
	struct fg_idempotency_job *job, *again;

	open_store("10s");
	memset(text, 'x', sizeof(text) - 1);
	job = make(1, 60 * FG_US_PER_S, false);
	CU_ASSERT_EQUAL(begin(job), FG_IDEMPOTENCY_NEW);
	CU_ASSERT(fg_buf_add(&job->answer, fg_str_from(text)));
	CU_ASSERT(!fg_buf_add_char(&job->answer, 'x'));
	CU_ASSERT(!fg_idempotency_finish(job, FG_IDEMPOTENCY_KEEP, on_told, NULL));
	wait_told(told + 1);
	CU_ASSERT_EQUAL(job->err, FG_OK);
	fg_idempotency_job_drop(job);
	again = make(1, 60 * FG_US_PER_S, false);
	CU_ASSERT_EQUAL(begin(again), FG_IDEMPOTENCY_KEPT);
	ASSERT_STR(fg_buf_str(&again->answer), text);
	fg_idempotency_job_drop(again);
	close_store();
}

void
suite_idempotency_store(void)
{
	CU_pSuite suite = CU_add_suite("idempotency: Redis", set_up, tear_down);

	ADD_TEST(suite, how_a_reservation_ends);
	ADD_TEST(suite, a_lease_that_ends);
	ADD_TEST(suite, nobody_waits_any_more);
	ADD_TEST(suite, an_answer_that_comes_too_late);
	ADD_TEST(suite, the_largest_answer);
}
