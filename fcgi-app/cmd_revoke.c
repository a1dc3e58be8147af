/*
 * faregate revoke: takes back a token, all tokens of a subject, or all of an issuer. Writes to the store, from where every
 * machine learns it; with `store: memory`, to the memory of the pool that runs here.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/shared.h"
#include "conf/keys.h"
#include "core/config.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/options.h"
#include "fcgi-app/pidfile.h"
#include "filter/auth_jwt.h"
#include "filter/filter_list.h"
#include "loop/loop.h"
#include "redis/redis.h"

enum { LOCK_TRIES = 1000, LOCK_WAIT_MS = 10, PATIENCE = 5 * FG_US_PER_S };

static const char help[] =
    "Usage: faregate revoke [-c FILE] (--jti ID | --sub SUBJECT | --all) [--issuer ISSUER] [--before TIME] [--for DURATION]\n"
    "\n"
    "Takes back one token (--jti), the tokens of a subject (--sub) or all tokens of an issuer (--all): those that were issued\n"
    "before a moment. In force wherever a jwt policy says `revocation`, within its check-every.\n"
    "\n"
    "  -c, --config FILE  the configuration, which says where the store is\n"
    "  --jti ID           the token whose claim jti is this\n"
    "  --sub SUBJECT      all tokens whose claim sub is this\n"
    "  --all              all tokens of --issuer, which has to be given\n"
    "  --issuer ISSUER    of this issuer alone; without it, of any\n"
    "  --before TIME      those issued (iat) earlier: 2026-11-25T10:00:00Z, or seconds since 1970; now, if it is not said\n"
    "  --for DURATION     how long it is remembered: at least as long as tokens live (default 24h, at most 31d)\n"
    "\n"
    "Exit status: 0 done, 1 the configuration has errors, 2 usage, 3 the store or the pool cannot be reached.\n";

struct asked {
	const char *file;
	struct fg_revocation revocation;
	bool has_kind;
};

/* ---- what was asked */

static bool
read_time(const char *text, fg_usec *out)
{
	struct tm tm = {.tm_sec = 0};
	uint64_t seconds;
	const char *end;

	if (fg_str_to_u64(fg_str_from(text), &seconds) && seconds < INT64_C(253402300800)) {
		*out = (fg_usec)seconds * FG_US_PER_S;
		return true;
	}
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	*out = (fg_usec)timegm(&tm) * FG_US_PER_S;
	return end != NULL && *end == '\0';
}

static bool
set_kind(struct asked *asked, enum fg_revocation_kind kind, const char *value)
{
	if (asked->has_kind || (kind != FG_REVOKED_ISSUER && value[0] == '\0')) {
		fputs("faregate revoke: one of --jti, --sub and --all, with what it names\n", stderr);
		return false;
	}
	asked->has_kind = true;
	asked->revocation.kind = kind;
	asked->revocation.value = fg_str_from(value);
	return true;
}

static bool
take_option(struct asked *asked, int option, char **argv, fg_usec now)
{
	fg_usec span;

	switch (option) {
	case 'c':
		asked->file = optarg;
		return true;
	case 'j':
		return set_kind(asked, FG_REVOKED_TOKEN, optarg);
	case 's':
		return set_kind(asked, FG_REVOKED_SUBJECT, optarg);
	case 'a':
		return set_kind(asked, FG_REVOKED_ISSUER, "");
	case 'i':
		asked->revocation.issuer = fg_str_from(optarg);
		return true;
	case 'b':
		if (read_time(optarg, &asked->revocation.before))
			return true;
		fprintf(stderr, "faregate revoke: \"%s\" is not a time: write 2026-11-25T10:00:00Z, or seconds since 1970\n", optarg);
		return false;
	case 'f':
		if (fg_conf_to_duration(fg_str_from(optarg), &span) && span > 0 && span <= FG_REVOCATION_MAX) {
			asked->revocation.until = now + span;
			return true;
		}
		fprintf(stderr, "faregate revoke: \"%s\" is not a duration up to 31d: write 90m, 24h, 7d\n", optarg);
		return false;
	default:
		(void)fg_options_refuse(option, argv);
		return false;
	}
}

static int
parse_arguments(struct asked *asked, int argc, char **argv, fg_usec now, bool *is_over)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},
	    {"jti", required_argument, NULL, 'j'}, {"sub", required_argument, NULL, 's'},
	    {"all", no_argument, NULL, 'a'}, {"issuer", required_argument, NULL, 'i'}, {"before", required_argument, NULL, 'b'},
	    {"for", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0},
	};
	int option;

	*is_over = true;
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return FG_EXIT_OK;
		}
		if (!take_option(asked, option, argv, now))
			return FG_EXIT_USAGE;
	}
	if (optind < argc)
		return fg_options_refuse_word(argv, argv[optind]);
	if (!asked->has_kind || (asked->revocation.kind == FG_REVOKED_ISSUER && asked->revocation.issuer.len == 0)) {
		fprintf(stderr, "faregate revoke: %s is missing; try 'faregate revoke --help'\n",
		    asked->has_kind ? "--issuer" : "--jti, --sub or --all");
		return FG_EXIT_USAGE;
	}
	*is_over = false;
	return FG_EXIT_OK;
}

/* ---- to the store */

struct said {
	bool is_over;
	enum fg_err err;
};

static void
on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct said *said = arg;

	said->is_over = true;
	said->err = err;
	if (err != FG_OK && reply != NULL)
		fprintf(stderr, "faregate revoke: the store says: %.*s\n", FG_STR_ARG(reply->str));
}

static int
say_to_store(const struct fg_config *config, const struct fg_revocation *revocation, fg_usec now)
{
	struct fg_log log = {.level = FG_LOG_ERROR};
	struct fg_loop *loop = fg_loop_new();
	struct fg_redis *redis = fg_config_open_store(config, loop, &log);
	struct fg_str args[FG_REVOCATION_ARGS];
	char numbers[3 * FG_REVOCATION_NUMBER_BYTES];
	size_t count = fg_revocation_command(args, numbers, revocation, now);
	struct said said = {.is_over = false};

	fg_redis_command(redis, args[1], args, count, on_reply, &said);
	while (!said.is_over)
		fg_loop_turn(loop, true);
	fg_redis_free(redis);
	fg_loop_free(loop);
	if (said.err == FG_OK)
		return FG_EXIT_OK;
	fprintf(stderr, "faregate revoke: %.*s: %s; nothing may have been revoked\n", FG_STR_ARG(config->store.text),
	    fg_err_token(said.err));
	return FG_EXIT_ENVIRONMENT;
}

/* ---- to the pool's memory */

/* A worker has it for moments only, and only where there is a store. */
static bool
lock(struct fg_revocation_table *table)
{
	struct fg_clock clock;

	for (int i = 0; i < LOCK_TRIES; i++) {
		fg_clock_read(&clock);
		if (fg_revocation_lock(table, clock.mono))
			return true;
		poll(NULL, 0, LOCK_WAIT_MS);
	}
	return false;
}

static int
write_to(struct fg_shared *shared, const struct fg_revocation *revocation, fg_usec now)
{
	struct fg_jwt_shared *memory = fg_auth_shared(shared->p, FG_AUTH_TYPE_JWT);
	enum fg_err err = FG_ERR_SYSTEM;

	if (lock(&memory->revocations)) {
		err = fg_revocation_add(&memory->revocations, revocation, now);
		fg_revocation_unlock(&memory->revocations);
	}
	if (err != FG_OK)
		fputs(err == FG_ERR_SYSTEM ? "faregate revoke: another process is writing to the pool's memory\n"
					   : "faregate revoke: there is no room for more revocations\n", stderr);
	return err == FG_OK ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
}

static int
say_to_pool(const struct fg_config *config, const struct fg_revocation *revocation, fg_usec now)
{
	const struct fg_shared_kind *kind = fg_filter_auth.shared;
	char *stem = fg_pidfile_beside(config->pid_file, "."), *path = NULL;
	struct fg_shared shared;
	int status = FG_EXIT_ENVIRONMENT;

	FG_ASSERT(asprintf(&path, "%s%s", stem, kind->name) >= 0);
	free(stem);
	/* Only what is there: a pool that starts later begins without any. */
	if (access(path, R_OK | W_OK) != 0 || fg_shared_join(&shared, path, kind, fg_filter_auth.shared_size(config)) != FG_OK) {
		fprintf(stderr, "faregate revoke: with store: memory, revocations live in the running pool, and %s cannot be written\n", path);
	} else {
		status = write_to(&shared, revocation, now);
		fg_shared_close(&shared, false);
	}
	free(path);
	return status;
}

int
fg_cmd_revoke(int argc, char **argv)
{
	struct asked asked = {.file = fg_config_file_default()};
	struct fg_config *config = NULL;
	struct fg_buf errors;
	struct fg_clock clock;
	enum fg_err err;
	bool is_over;
	int status;

	fg_clock_read(&clock);
	asked.revocation.before = clock.wall;
	asked.revocation.until = clock.wall + INT64_C(86400) * FG_US_PER_S;
	status = parse_arguments(&asked, argc, argv, clock.wall, &is_over);
	if (is_over)
		return status;
	fg_buf_init(&errors, FG_MAX_CONFIG_BYTES);
	err = fg_config_load(&config, asked.file, &errors);
	if (err != FG_OK)
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
	fg_buf_fini(&errors);
	if (err != FG_OK)
		return err == FG_ERR_SYSTEM ? FG_EXIT_ENVIRONMENT : FG_EXIT_INPUT;
	/* A person waits, not a request. */
	config->store.deadline = config->store.connect_timeout = PATIENCE;
	status = config->store.redis != NULL ? say_to_store(config, &asked.revocation, clock.wall)
					     : say_to_pool(config, &asked.revocation, clock.wall);
	fg_config_free(config);
	return status;
}
