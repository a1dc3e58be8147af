/*
 * faregate key new, list, revoke: API keys of a policy of type `api-key`. A new key is shown once; what is kept is its hash.
 */
#include "fcgi-app/cmd_key.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "conf/keys.h"
#include "fcgi-app/commands.h"
#include "filter/filter_list.h"

enum { MOST_OUTPUT_BYTES = 64 * 1024 * 1024 };

struct asked {
	const char *verb, *object; /* object: a consumer, a prefix; NULL: none */
	const char *file, *policy;
	fg_usec now, expires;      /* wall clock; 0: never */
	struct fg_name_value meta[FG_MAX_API_KEY_META];
	size_t meta_count;
	bool json;
};

static const char help[] =
    "usage: faregate key new CONSUMER [-c FILE] [--policy NAME] [--expires SPAN|DATE] [--meta NAME=VALUE]... [--json]\n"
    "       faregate key list [-c FILE] [--policy NAME] [--json]\n"
    "       faregate key revoke PREFIX [-c FILE] [--policy NAME] [--json]\n"
    "\n"
    "API keys of a policy of type api-key. `new` shows the key, once: only its SHA-256 is kept, in the file that the policy\n"
    "names or in the store. A file is taken into use by faregate reload; the store's keys are within the policy's `cache`.\n"
    "\n"
    "  -c FILE             the configuration\n"
    "  --policy NAME       which policy, where there are several\n"
    "  --expires SPAN      90d, 12h; or a day (2027-02-01) or time (2027-02-01T12:00:00Z), in UTC\n"
    "  --meta NAME=VALUE   an attribute of whoever shows the key: claim:NAME\n"
    "  --json              for programs\n"
    "\n"
    "PREFIX is what the key begins with (fg_ and 8 characters), or the beginning of that.\n"
    "Exit status: 0 done, 1 what was given is at fault, 2 usage, 3 the file cannot be written, or the store does not answer.\n";

/* ---- what was asked */

static int
refuse(const char *what, const char *why)
{
	fprintf(stderr, "faregate key: \"%s\" %s; try faregate key --help\n", what, why);
	return FG_EXIT_USAGE;
}

static bool
parse_expiry(struct asked *asked, const char *text)
{
	fg_usec span;

	if (fg_conf_to_duration(fg_str_from(text), &span) && span > 0)
		asked->expires = asked->now + span;
	else if (!fg_clock_parse_rfc3339(fg_str_from(text), &asked->expires))
		return false;
	return asked->expires > asked->now;
}

static bool
parse_meta(struct asked *asked, struct fg_str text)
{
	size_t equals = fg_str_find(text, '=');
	struct fg_str name = fg_str_slice(text, 0, equals), value = fg_str_slice(text, equals + 1, text.len);

	if (equals == 0 || equals == text.len || !fg_api_key_text_is_good(name) || !fg_api_key_text_is_good(value))
		return false;
	for (size_t i = 0; i < asked->meta_count; i++)
		if (fg_str_eq(asked->meta[i].name, name))
			return false;
	if (asked->meta_count == FG_MAX_API_KEY_META)
		return false;
	asked->meta[asked->meta_count++] = (struct fg_name_value){name, value};
	return true;
}

/* FG_EXIT_OK, or the status to leave with. */
static int
take_option(struct asked *asked, int option)
{
	bool is_new = strcmp(asked->verb, "new") == 0;

	switch (option) {
	case 'c':
		asked->file = optarg;
		return FG_EXIT_OK;
	case 'p':
		asked->policy = optarg;
		return FG_EXIT_OK;
	case 'j':
		asked->json = true;
		return FG_EXIT_OK;
	case 'e':
		if (is_new && parse_expiry(asked, optarg))
			return FG_EXIT_OK;
		return refuse(optarg, "is not a span of time or a time to come that a new key may have");
	case 'm':
		if (is_new && parse_meta(asked, fg_str_from(optarg)))
			return FG_EXIT_OK;
		return refuse(optarg, "is not NAME=VALUE for a new key, each name once");
	default:
		fputs("faregate key: option not understood; try faregate key --help\n", stderr);
		return FG_EXIT_USAGE;
	}
}

static int
read_options(struct asked *asked, int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"policy", required_argument, NULL, 'p'},
	    {"expires", required_argument, NULL, 'e'},
	    {"meta", required_argument, NULL, 'm'},
	    {"json", no_argument, NULL, 'j'},
	    {NULL, 0, NULL, 0},
	};
	bool has_object = strcmp(asked->verb, "list") != 0;
	int option, status = FG_EXIT_OK;

	opterr = 0;
	optind = 1;
	while (status == FG_EXIT_OK && (option = getopt_long(argc, argv, "c:", options, NULL)) != -1)
		status = take_option(asked, option);
	if (status != FG_EXIT_OK)
		return status;
	if (argc - optind != has_object) {
		fprintf(stderr, "faregate key %s: takes %s; try faregate key --help\n", asked->verb,
		    has_object ? "one argument" : "no argument");
		return FG_EXIT_USAGE;
	}
	asked->object = has_object ? argv[optind] : NULL;
	if (has_object && (asked->object[0] == '\0' || !fg_api_key_text_is_good(fg_str_from(asked->object))))
		return refuse(asked->object, "is not a text of 1 to 256 bytes without control characters");
	return FG_EXIT_OK;
}

/* The policy of that name, or the only one. NULL, said, otherwise. */
static const struct fg_api_key_policy *
find_policy(const struct fg_config *config, const char *name)
{
	const struct fg_policies *all = fg_config_policies(config, &fg_filter_auth);
	const struct fg_api_key_policy *found = NULL;
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct fg_auth_policy *auth = all->v[i];

		if (auth->type != FG_AUTH_TYPE_API_KEY || (name != NULL && !fg_str_eq(auth->policy.name, fg_str_from(name))))
			continue;
		found = all->v[i];
		count++;
	}
	if (count == 1)
		return found;
	if (name != NULL)
		fprintf(stderr, "faregate key: there is no policy \"%s\" of type api-key\n", name);
	else if (count == 0)
		fputs("faregate key: the configuration has no policy of type api-key\n", stderr);
	else
		fputs("faregate key: there are several policies of type api-key; say which: --policy NAME\n", stderr);
	return NULL;
}

/* ---- what is said */

static void
add_json_text(struct fg_buf *out, const char *name, struct fg_str value)
{
	fg_buf_printf(out, "\"%s\":\"", name);
	fg_buf_add_json(out, value);
	fg_buf_add_char(out, '"');
}

static void
add_json_time(struct fg_buf *out, const char *name, fg_usec wall)
{
	char text[32];

	if (wall == 0)
		return;
	fg_buf_add_char(out, ',');
	add_json_text(out, name, (struct fg_str){text, (size_t)fg_clock_format_rfc3339(wall, text)});
}

/* Without its braces. */
static void
add_json_record(struct fg_buf *out, const struct fg_api_key_record *record)
{
	add_json_text(out, "consumer", record->consumer);
	fg_buf_add_char(out, ',');
	add_json_text(out, "prefix", record->prefix);
	add_json_time(out, "created", record->created);
	add_json_time(out, "expires", record->expires);
	add_json_time(out, "revoked", record->revoked);
	fg_buf_add(out, FG_STR(",\"meta\":{"));
	for (size_t i = 0; i < record->meta_count; i++) {
		fg_buf_add(out, i == 0 ? FG_STR("\"") : FG_STR(",\""));
		fg_buf_add_json(out, record->meta[i].name);
		fg_buf_add(out, FG_STR("\":\""));
		fg_buf_add_json(out, record->meta[i].value);
		fg_buf_add_char(out, '"');
	}
	fg_buf_add_char(out, '}');
}

static const char *
state_of(const struct fg_api_key_record *record, fg_usec now)
{
	switch (fg_api_key_record_check(record, now)) {
	case FG_ERR_API_KEY_REVOKED:
		return "revoked";
	case FG_ERR_API_KEY_EXPIRED:
		return "expired";
	default:
		return "valid";
	}
}

static void
add_line(struct fg_buf *out, const struct fg_api_key_record *record, fg_usec now)
{
	char created[32] = "-", expires[32] = "never";

	if (record->created != 0)
		(void)fg_clock_format_rfc3339(record->created, created);
	if (record->expires != 0)
		(void)fg_clock_format_rfc3339(record->expires, expires);
	fg_buf_printf(out, "%-12.*s %-8s %-11.10s %-11.10s " FG_STR_FMT, FG_STR_ARG(record->prefix.len > 0 ? record->prefix : FG_STR("-")),
	    state_of(record, now), created, expires, FG_STR_ARG(record->consumer));
	for (size_t i = 0; i < record->meta_count; i++)
		fg_buf_printf(out, " " FG_STR_FMT "=" FG_STR_FMT, FG_STR_ARG(record->meta[i].name), FG_STR_ARG(record->meta[i].value));
	fg_buf_add_char(out, '\n');
}

static void
add_list(struct fg_buf *out, const struct fg_api_key_file *file, const struct asked *asked)
{
	if (!asked->json)
		fg_buf_printf(out, "%-12s %-8s %-11s %-11s %s\n", "PREFIX", "STATE", "CREATED", "EXPIRES", "CONSUMER");
	for (size_t i = 0; i < file->count; i++) {
		if (!asked->json) {
			add_line(out, &file->v[i], asked->now);
			continue;
		}
		fg_buf_add(out, i == 0 ? FG_STR("[{") : FG_STR(",\n{"));
		add_json_text(out, "state", fg_str_from(state_of(&file->v[i], asked->now)));
		fg_buf_add_char(out, ',');
		add_json_record(out, &file->v[i]);
		fg_buf_add_char(out, '}');
	}
	if (asked->json)
		fg_buf_add(out, file->count == 0 ? FG_STR("[]\n") : FG_STR("]\n"));
}

/* To whoever reads, not to whatever reads the output. */
static void
add_hints(const struct fg_key_place *place)
{
	struct stat status;

	if (place->policy->in_store)
		return;
	if (stat(place->policy->path.p, &status) == 0 && (status.st_mode & S_IROTH) != 0)
		fprintf(stderr, "faregate key: warning: everybody on this machine may read %s\n", place->policy->path.p);
	fputs("faregate key: in force after faregate reload\n", stderr);
}

/* ---- the commands */

static int
make_key(struct fg_key_place *place, const struct asked *asked, struct fg_buf *out)
{
	struct fg_api_key_record record = {.consumer = fg_str_from(asked->object), .expires = asked->expires,
	    .created = asked->now - asked->now % FG_US_PER_S, .meta = asked->meta, .meta_count = asked->meta_count};
	char text[FG_API_KEY_LEN + 1];
	struct fg_str key = {text, FG_API_KEY_LEN};
	int status;

	fg_api_key_new(text);
	fg_api_key_hash(&record.hash, key);
	record.prefix = fg_api_key_prefix(key);
	status = fg_keys_add(place, &record);
	if (status == FG_EXIT_OK && asked->json) {
		fg_buf_add_char(out, '{');
		add_json_text(out, "key", key);
		fg_buf_add_char(out, ',');
		add_json_record(out, &record);
		fg_buf_add(out, FG_STR("}\n"));
	} else if (status == FG_EXIT_OK) {
		fg_buf_add(out, key);
		fg_buf_add_char(out, '\n');
		fputs("faregate key: it is not shown again\n", stderr);
	}
	if (status == FG_EXIT_OK)
		add_hints(place);
	explicit_bzero(text, sizeof(text));
	return status;
}

static int
revoke_key(struct fg_key_place *place, const struct asked *asked, struct fg_buf *out)
{
	struct fg_api_key_record record;
	int status = fg_keys_revoke(place, fg_str_from(asked->object), asked->now, &record);

	if (status != FG_EXIT_OK)
		return status;
	if (record.revoked == 0)
		record.revoked = asked->now;
	if (asked->json) {
		fg_buf_add_char(out, '{');
		add_json_record(out, &record);
		fg_buf_add(out, FG_STR("}\n"));
	} else {
		fg_buf_printf(out, "revoked " FG_STR_FMT " of " FG_STR_FMT "\n", FG_STR_ARG(record.prefix), FG_STR_ARG(record.consumer));
	}
	add_hints(place);
	return FG_EXIT_OK;
}

static int
list_keys(struct fg_key_place *place, const struct asked *asked, struct fg_buf *out)
{
	struct fg_api_key_file file;
	int status = fg_keys_list(place, &file);

	if (status == FG_EXIT_OK)
		add_list(out, &file, asked);
	return status;
}

static int
run(struct fg_key_place *place, const struct asked *asked)
{
	struct fg_buf out;
	int status;

	place->policy = find_policy(place->config, asked->policy);
	if (place->policy == NULL)
		return FG_EXIT_INPUT;
	fg_buf_init(&out, MOST_OUTPUT_BYTES);
	if (strcmp(asked->verb, "new") == 0)
		status = make_key(place, asked, &out);
	else if (strcmp(asked->verb, "revoke") == 0)
		status = revoke_key(place, asked, &out);
	else
		status = list_keys(place, asked, &out);
	if (status == FG_EXIT_OK && (fwrite(out.p, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
		status = FG_EXIT_ENVIRONMENT;
	if (out.len > 0)
		explicit_bzero(out.p, out.len);
	fg_buf_fini(&out);
	return status;
}

static int
run_with_config(const struct asked *asked)
{
	struct fg_key_place place = {.config = NULL};
	struct fg_config *config;
	struct fg_arena arena;
	struct fg_buf errors;
	enum fg_err err;
	int status;

	fg_buf_init(&errors, FG_MAX_CONFIG_BYTES);
	err = fg_config_load_as(&config, asked->file, &errors, FG_CONFIG_MAY_LACK_FILES);
	if (err == FG_OK) {
		fg_arena_init(&arena, FG_MAX_CONFIG_ARENA_BYTES, NULL, 0);
		place.config = config;
		place.arena = &arena;
		status = run(&place, asked);
		fg_arena_fini(&arena);
		fg_config_free(config);
	} else {
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
		status = err == FG_ERR_SYSTEM ? FG_EXIT_ENVIRONMENT : FG_EXIT_INPUT;
	}
	fg_buf_fini(&errors);
	return status;
}

int
fg_cmd_key(int argc, char **argv)
{
	static const char *const verbs[] = {"new", "list", "revoke"};
	struct asked asked = {.verb = argc > 1 ? argv[1] : "", .file = fg_config_file_default()};
	struct fg_clock clock;
	int status;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return fputs(help, stdout) >= 0 ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
	fg_clock_read(&clock);
	asked.now = clock.wall;
	for (size_t i = 0; i < FG_ARRAY_LEN(verbs); i++) {
		if (strcmp(asked.verb, verbs[i]) != 0)
			continue;
		status = read_options(&asked, argc - 1, argv + 1);
		return status == FG_EXIT_OK ? run_with_config(&asked) : status;
	}
	fprintf(stderr, "faregate key: takes new, list or revoke; try faregate key --help\n");
	return FG_EXIT_USAGE;
}
