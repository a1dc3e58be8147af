/*
 * faregate limits show, reset, top: what somebody has left of each limit, a new start, and whom limits refuse. Looks where the
 * pool counts: in Redis, or in the memory of the pool that runs on this host.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "core/config.h"
#include "core/limit_policy.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/pidfile.h"
#include "filter/filter_list.h"
#include "limit/limit_memory.h"
#include "limit/limit_redis.h"
#include "loop/loop.h"
#include "redis/redis.h"

enum { MOST_ROWS = 4096, MOST_OUTPUT_BYTES = 4 * 1024 * 1024 };
#define PATIENCE_US (5 * FG_US_PER_S) /* for Redis to be reached and to answer */
#define PAUSE_US (50 * FG_US_PER_MS)  /* between two tries */

static const char usage[] = "usage: faregate limits show|reset [-c FILE] [--limit NAME] [--json] VALUE...\n"
			     "       faregate limits top [-c FILE] [--json]\n";

static const char help[] =
    "\n"
    "show: what VALUE (a consumer, an address, whatever limits count by) has left of each limit.\n"
    "reset: lets VALUE begin anew.\n"
    "top: whom limits refused most on this host in the last minutes, by the KEY that show says of a value.\n"
    "A limit that counts by several variables takes as many values, in their order.\n"
    "\n"
    "  -c FILE        the configuration\n"
    "  --limit NAME   of this limit alone\n"
    "  --json         for programs (show, top)\n"
    "\n"
    "Exit status: 0 done, 1 no such limit, 2 usage, 3 the store or the configuration cannot be had.\n";

struct asked {
	const char *file, *limit;
	struct fg_str values[FG_MAX_LIMIT_PARTS];
	size_t value_count;
	bool json, is_reset, is_top;
};

/* One limit of one key: the policy's own numbers, or those of an override. */
struct row {
	const struct fg_limit_policy *policy;
	const struct fg_limit_override *override; /* NULL: its own */
	struct fg_limit_ask ask;
};

struct session {
	const struct asked *asked;
	struct fg_config *config;
	struct fg_arena arena;
	struct row *rows; /* owned */
	size_t count;
	/* the store */
	struct fg_shared shared;
	struct fg_limit_memory memory;
	struct fg_loop *loop;
	struct fg_redis *redis;
	struct fg_limit_redis *store;
	bool is_answered;
	enum fg_err err;
};

/* FG_EXIT_OK, or the status to leave with. */
static int
parse_arguments(struct asked *asked, int argc, char **argv, bool *is_over)
{
	static const struct option options[] = {
	    {"help", no_argument, NULL, 'h'},
	    {"config", required_argument, NULL, 'c'},
	    {"json", no_argument, NULL, 'j'},
	    {"limit", required_argument, NULL, 'l'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	*is_over = true;
	optind = 1;
	while ((option = getopt_long(argc, argv, "hc:", options, NULL)) != -1) {
		if (option == 'h') {
			printf("%s%s", usage, help);
			return FG_EXIT_OK;
		} else if (option == 'c') {
			asked->file = optarg;
		} else if (option == 'j') {
			asked->json = true;
		} else if (option == 'l') {
			asked->limit = optarg;
		} else {
			fputs(usage, stderr);
			return FG_EXIT_USAGE;
		}
	}
	asked->is_reset = optind < argc && strcmp(argv[optind], "reset") == 0;
	asked->is_top = argc - optind == 1 && strcmp(argv[optind], "top") == 0;
	*is_over = !asked->is_top;
	if (asked->is_top)
		return FG_EXIT_OK;
	if (argc - optind < 2 || argc - optind > 1 + FG_MAX_LIMIT_PARTS ||
	    (!asked->is_reset && strcmp(argv[optind], "show") != 0)) {
		fputs(usage, stderr);
		return FG_EXIT_USAGE;
	}
	for (int i = optind + 1; i < argc; i++)
		asked->values[asked->value_count++] = fg_str_from(argv[i]);
	*is_over = false;
	return FG_EXIT_OK;
}

/* ---- which limits */

static void
add_row(struct session *session, const struct fg_limit_policy *policy, const struct fg_limit_override *override)
{
	struct row *row = &session->rows[session->count];

	if (session->count == MOST_ROWS)
		return;
	session->count++;
	row->policy = policy;
	row->override = override;
	row->ask = (struct fg_limit_ask){.limit = override == NULL ? &policy->limit : &override->limit};
	fg_limit_policy_key(policy, override == NULL ? policy->id : override->id, session->asked->values, &row->ask.key,
	    &session->arena);
}

static void
find_rows(struct session *session)
{
	const struct fg_policies *policies = fg_config_policies(session->config, &fg_filter_limits);

	for (size_t i = 0; i < policies->count; i++) {
		const struct fg_limit_policy *policy = policies->v[i];

		if (policy->by_count != session->asked->value_count ||
		    (session->asked->limit != NULL && !fg_str_eq(policy->policy.name, fg_str_from(session->asked->limit))))
			continue;
		add_row(session, policy, NULL);
		for (size_t k = 0; k < policy->override_count; k++)
			add_row(session, policy, &policy->overrides[k]);
	}
}

/* ---- the store */

static void
on_answer(void *arg, enum fg_err err)
{
	struct session *session = arg;

	session->is_answered = true;
	session->err = err;
}

static void
ask_once(struct session *session, struct row *row)
{
	session->is_answered = false;
	if (session->asked->is_reset)
		fg_limit_redis_reset(session->store, &row->ask.key, on_answer, session);
	else
		fg_limit_redis_ask(session->store, FG_LIMIT_PEEK, &row->ask, 1, 0, on_answer, session);
	while (!session->is_answered)
		fg_loop_turn(session->loop, true);
}

static void
on_pause_end(struct fg_timer *timer, void *arg)
{
	(void)timer;
	*(bool *)arg = true;
}

static void
pause_a_little(struct fg_loop *loop)
{
	struct fg_timer timer;
	bool is_over = false;

	fg_timer_init(&timer, loop, on_pause_end, &is_over);
	fg_timer_start(&timer, PAUSE_US);
	while (!is_over)
		fg_loop_turn(loop, true);
}

/* The connection may take longer than a question is given; a password does not get better. */
static enum fg_err
ask_redis(struct session *session, struct row *row)
{
	fg_usec until = fg_loop_clock(session->loop)->mono + PATIENCE_US;
	enum fg_err why = FG_OK;

	for (;;) {
		ask_once(session, row);
		/* Not asked because it has failed before: what it failed of says more. */
		if (why == FG_OK || session->err != FG_ERR_STORE_UNAVAILABLE)
			why = session->err;
		if (session->err == FG_OK || session->err == FG_ERR_STORE_REFUSED || fg_loop_clock(session->loop)->mono >= until)
			return why;
		pause_a_little(session->loop);
	}
}

static int
visit_redis(struct session *session)
{
	struct fg_log log = {.level = FG_LOG_ERROR};
	enum fg_err err = FG_OK;

	session->loop = fg_loop_new();
	session->redis = fg_config_open_store(session->config, session->loop, &log);
	session->store = fg_limit_redis_new(session->redis, session->config->store.redis->mode == FG_REDIS_CLUSTER);
	for (size_t i = 0; err == FG_OK && i < session->count; i++)
		err = ask_redis(session, &session->rows[i]);
	if (err != FG_OK)
		fprintf(stderr, "faregate: %.*s: %s\n", FG_STR_ARG(session->config->store.text), fg_err_info(err)->title);
	fg_limit_redis_free(session->store);
	fg_redis_free(session->redis);
	fg_loop_free(session->loop);
	return err == FG_OK ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
}

static int
open_memory(struct session *session)
{
	char *path = fg_pidfile_beside(session->config->pid_file, ".limits");
	enum fg_err err = fg_shared_open(&session->shared, path, &fg_limit_memory_kind);

	/* It is there: to be written to, it is mapped anew. */
	if (err == FG_OK && session->asked->is_reset) {
		fg_shared_close(&session->shared, false);
		err = fg_shared_join(&session->shared, path, &fg_limit_memory_kind, fg_limit_memory_size(1));
	}
	if (err != FG_OK)
		fprintf(stderr, "faregate: no pool keeps limits here (%s)\n", path);
	free(path);
	if (err != FG_OK)
		return FG_EXIT_ENVIRONMENT;
	fg_limit_memory_init(&session->memory, session->shared.p);
	return FG_EXIT_OK;
}

static int
visit_memory(struct session *session)
{
	struct fg_clock clock;
	int status = open_memory(session);

	if (status != FG_EXIT_OK)
		return status;
	fg_clock_read(&clock);
	for (size_t i = 0; i < session->count; i++) {
		if (session->asked->is_reset)
			fg_limit_memory_reset(&session->memory, session->rows[i].ask.limit, &session->rows[i].ask.key);
		else
			(void)fg_limit_memory_peek(&session->memory, &session->rows[i].ask, 1, clock.wall);
	}
	fg_shared_close(&session->shared, false);
	return FG_EXIT_OK;
}

/* ---- what there is */

/* Of other numbers only those in use: which of them hold is told by a request alone. */
static bool
is_shown(const struct row *row)
{
	return row->override == NULL || row->ask.result.remaining < row->ask.result.limit;
}

static struct fg_str
format_by(struct session *session, const struct row *row)
{
	struct fg_str by = FG_STR_NONE;

	for (size_t i = 0; i < row->policy->by_count; i++)
		by = FG_ARENA_CONCAT(&session->arena, by, i == 0 ? FG_STR_NONE : FG_STR(", "),
		    fg_var_format(&row->policy->by[i], &session->arena));
	if (row->override != NULL)
		by = FG_ARENA_CONCAT(&session->arena, by, FG_STR("; "), fg_var_format(&row->override->var, &session->arena), FG_STR("="),
		    row->override->value);
	return by;
}

static void
print_text(struct session *session)
{
	printf("%-24s %-28s %12s %12s %12s  %s\n", "LIMIT", "BY", "LEFT", "OF", "ALL AGAIN IN", "KEY");
	for (size_t i = 0; i < session->count; i++) {
		const struct row *row = &session->rows[i];
		struct fg_str by = format_by(session, row);

		if (is_shown(row))
			printf("%-24.*s %-28.*s %12lld %12lld %11llds  %016llx\n", FG_STR_ARG(row->policy->policy.name), FG_STR_ARG(by),
			    (long long)row->ask.result.remaining, (long long)row->ask.result.limit,
			    (long long)((row->ask.result.reset + FG_US_PER_S - 1) / FG_US_PER_S), (unsigned long long)row->ask.key.v[0]);
	}
}

static void
print_json(struct session *session)
{
	struct fg_buf out;
	bool first = true;

	fg_buf_init(&out, MOST_OUTPUT_BYTES);
	fg_buf_add_char(&out, '[');
	for (size_t i = 0; i < session->count; i++) {
		const struct row *row = &session->rows[i];

		if (!is_shown(row))
			continue;
		fg_buf_add(&out, first ? FG_STR("{\"limit\":\"") : FG_STR(",{\"limit\":\""));
		first = false;
		fg_buf_add_json(&out, row->policy->policy.name);
		fg_buf_add(&out, FG_STR("\",\"by\":\""));
		fg_buf_add_json(&out, format_by(session, row));
		fg_buf_printf(&out, "\",\"remaining\":%lld,\"of\":%lld,\"reset_ms\":%lld,\"key\":\"%016llx\"}",
		    (long long)row->ask.result.remaining, (long long)row->ask.result.limit,
		    (long long)((row->ask.result.reset + FG_US_PER_MS - 1) / FG_US_PER_MS), (unsigned long long)row->ask.key.v[0]);
	}
	fg_buf_add(&out, FG_STR("]\n"));
	fwrite(out.p, 1, out.len, stdout);
	fg_buf_fini(&out);
}

/* ---- whom they refuse */

static struct fg_str
policy_named(const struct session *session, uint64_t name)
{
	const struct fg_policies *policies = fg_config_policies(session->config, &fg_filter_limits);

	for (size_t i = 0; i < policies->count; i++) {
		const struct fg_policy *policy = policies->v[i];

		if (fg_limit_top_name(policy->name) == name)
			return policy->name;
	}
	return FG_STR("(of another configuration)");
}

static int
print_top(struct session *session)
{
	struct fg_limit_top_entry top[FG_LIMIT_TOP];
	int status = open_memory(session);
	size_t count;

	if (status != FG_EXIT_OK)
		return status;
	count = fg_limit_top_read(session->memory.top, top);
	fg_shared_close(&session->shared, false);
	if (session->asked->json)
		putchar('[');
	else
		printf("%-28s %-16s %10s %10s\n", "LIMIT", "KEY", "REFUSED", "AT LEAST");
	for (size_t i = 0; i < count; i++) {
		struct fg_str name = policy_named(session, top[i].limit);
		unsigned long long key = top[i].key, most = top[i].refused, least = most - top[i].excess;

		if (session->asked->json)
			printf("%s{\"limit\":\"%.*s\",\"key\":\"%016llx\",\"refused\":%llu,\"at_least\":%llu}", i > 0 ? "," : "",
			    FG_STR_ARG(name), key, most, least);
		else
			printf("%-28.*s %016llx %10llu %10llu\n", FG_STR_ARG(name), key, most, least);
	}
	if (session->asked->json)
		printf("]\n");
	return FG_EXIT_OK;
}

static int
run(struct session *session)
{
	int status;

	if (session->asked->is_top)
		return print_top(session);
	find_rows(session);
	if (session->count == 0) {
		fprintf(stderr, "faregate: there is no limit %s that counts by %zu value%s\n",
		    session->asked->limit == NULL ? "at all" : session->asked->limit, session->asked->value_count,
		    session->asked->value_count == 1 ? "" : "s");
		return FG_EXIT_INPUT;
	}
	status = session->config->store.redis != NULL ? visit_redis(session) : visit_memory(session);
	if (status != FG_EXIT_OK)
		return status;
	if (session->asked->is_reset)
		printf("reset: %zu record%s\n", session->count, session->count == 1 ? "" : "s");
	else if (session->asked->json)
		print_json(session);
	else
		print_text(session);
	return FG_EXIT_OK;
}

int
fg_cmd_limits(int argc, char **argv)
{
	struct asked asked = {.file = fg_config_file_default()};
	struct session session = {.asked = &asked};
	struct fg_buf errors;
	bool is_over;
	int status = parse_arguments(&asked, argc, argv, &is_over);

	if (is_over)
		return status;
	fg_buf_init(&errors, FG_MAX_CONFIG_BYTES);
	if (fg_config_load(&session.config, asked.file, &errors) == FG_OK) {
		fg_arena_init(&session.arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
		session.rows = calloc(MOST_ROWS, sizeof(*session.rows));
		FG_ASSERT(session.rows != NULL);
		status = run(&session);
		free(session.rows);
		fg_arena_fini(&session.arena);
		fg_config_free(session.config);
	} else {
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
		status = FG_EXIT_ENVIRONMENT;
	}
	fg_buf_fini(&errors);
	return status;
}
