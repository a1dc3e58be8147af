/*
 * faregate token: what stands in a token, and what each jwt policy of the configuration says of it. The signature is never
 * printed: what was printed is no token any more.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "core/config.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/offline.h"
#include "fcgi-app/options.h"
#include "filter/auth_jwt.h"
#include "filter/filter_list.h"
#include "token/b64url.h"

struct asked {
	const char *file;
	struct fg_offline_keys keys;
	char text[FG_MAX_TOKEN_BYTES + 2];
	struct fg_str token;
};

static const char help[] =
    "Usage: faregate token [-c FILE] [--keys POLICY=FILE]... TOKEN\n"
    "\n"
    "Says what stands in a token (never its signature), and for each jwt policy whether it takes the token and why not.\n"
    "Nothing is sent. Keys at a URL are those that the running pool has fetched.\n"
    "\n"
    "  -c, --config FILE   the configuration\n"
    "  --keys POLICY=FILE  keys of that policy instead: a JWK Set, PEM or a secret; may be repeated\n"
    "\n"
    "TOKEN may be - to read it from standard input, where no list of processes shows it. A \"Bearer \" before it is taken off.\n"
    "Exit status: 0 a policy takes it, 1 none does, 2 usage, 3 no configuration.\n";

/* ---- what was asked */

static bool
read_token(struct asked *asked, const char *argument)
{
	struct fg_str text = fg_str_from(argument);
	size_t got;

	if (strcmp(argument, "-") == 0) {
		got = fread(asked->text, 1, sizeof(asked->text), stdin);
		text = (struct fg_str){asked->text, got};
		while (text.len > 0 && text.p[text.len - 1] <= ' ')
			text.len--;
	}
	text = fg_str_trim(text);
	if (fg_str_ieq(fg_str_slice(text, 0, 7), FG_STR("Bearer ")))
		text = fg_str_trim(fg_str_slice(text, 7, text.len));
	asked->token = text;
	if (text.len > 0)
		return true;
	fprintf(stderr, "faregate token: there is no token\n");
	return false;
}

/* FG_EXIT_OK, or the status to leave with. */
static int
parse_arguments(struct asked *asked, int argc, char **argv, bool *is_over)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {"keys", required_argument, NULL, 'k'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	*is_over = true;
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			asked->file = optarg;
			break;
		case 'k':
			if (!fg_offline_add_keys(&asked->keys, optarg))
				return FG_EXIT_USAGE;
			break;
		case 'h':
			fputs(help, stdout);
			return FG_EXIT_OK;
		default:
			return fg_options_refuse(option, argv);
		}
	}
	if (optind == argc) {
		fprintf(stderr, "faregate token: TOKEN is missing; try 'faregate token --help'\n");
		return FG_EXIT_USAGE;
	}
	if (optind + 1 < argc)
		return fg_options_refuse_word(argv, argv[optind + 1]);
	if (!read_token(asked, argv[optind]))
		return FG_EXIT_USAGE;
	*is_over = false;
	return FG_EXIT_OK;
}

/* ---- what stands in it */

/* Text of others on a terminal: no control character gets there. */
static void
print_text(const char *title, struct fg_str text)
{
	printf("%-10s ", title);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		/* U+0080 to U+009F are control characters, too, to some terminals. */
		if (c < ' ' || c == 0x7f || (c == 0xc2 && i + 1 < text.len && (unsigned char)text.p[i + 1] < 0xa0))
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('\n');
}

static void
print_part(const char *title, struct fg_str part)
{
	uint8_t decoded[FG_MAX_TOKEN_BYTES];
	size_t size = fg_b64url_decoded_size(part.len);

	if (part.len <= FG_MAX_TOKEN_BYTES && fg_b64url_decode(decoded, part))
		print_text(title, (struct fg_str){(const char *)decoded, size});
	else
		printf("%-10s is not base64url\n", title);
}

static void
print_times(const struct fg_json_node *claims, fg_usec now)
{
	static const char *const names[] = {"iat", "nbf", "exp"};

	for (size_t i = 0; i < FG_ARRAY_LEN(names); i++) {
		const struct fg_json_node *claim = fg_json_member(claims, fg_str_from(names[i]));
		char text[32];
		int64_t seconds;

		if (claim == NULL || claim->type != FG_JSON_INTEGER || claim->as.integer < 0 || claim->as.integer > INT64_C(253402300799))
			continue;
		fg_clock_format_rfc3339(claim->as.integer * FG_US_PER_S, text);
		seconds = claim->as.integer - now / FG_US_PER_S;
		printf("%-10s %s, %lld s %s\n", names[i], text, (long long)(seconds < 0 ? -seconds : seconds), seconds < 0 ? "ago" : "from now");
	}
}

static void
print_token(struct fg_str token, fg_usec now)
{
	struct fg_str rest = token, header, payload;
	struct fg_jws jws;

	if (!fg_str_next(&rest, '.', &header) || !fg_str_next(&rest, '.', &payload)) {
		printf("%-10s has no three parts\n", "token");
		return;
	}
	print_part("header", header);
	print_part("payload", payload);
	if (fg_jws_parse(&jws, token, NULL) != FG_OK)
		return;
	if (fg_jws_read_claims(&jws, NULL) == FG_OK)
		print_times(fg_json_root(jws.claims), now);
	fg_jws_fini(&jws);
}

/* ---- what the policies say */

/* Whether one takes it. */
static bool
print_verdicts(const struct fg_offline *offline, struct fg_str token)
{
	const struct fg_policies *policies = fg_config_policies(offline->config, &fg_filter_auth);
	bool is_taken = false;
	size_t asked = 0;

	for (size_t i = 0; i < policies->count; i++) {
		const struct fg_auth_policy *policy = policies->v[i];
		const char *why = NULL;
		enum fg_err err;

		if (policy->type != FG_AUTH_TYPE_JWT)
			continue;
		err = fg_auth_jwt_judge(&offline->gw, fg_jwt_conf_of(policy), token, &why);
		printf("%-10.*s %s%s%s\n", FG_STR_ARG(policy->policy.name), err == FG_OK ? "taken" : fg_err_token(err),
		    why != NULL && err != FG_OK ? ": " : "", why != NULL && err != FG_OK ? why : "");
		if (err == FG_ERR_KEYS_UNAVAILABLE)
			printf("%-10s no pool has fetched them; give them: --keys %.*s=FILE\n", "", FG_STR_ARG(policy->policy.name));
		is_taken |= err == FG_OK;
		asked++;
	}
	if (asked == 0)
		printf("%-10s the configuration has no policy of type jwt\n", "policies");
	return is_taken;
}

int
fg_cmd_token(int argc, char **argv)
{
	struct asked asked = {.file = fg_config_file_default()};
	struct fg_offline offline;
	bool is_over;
	int status = parse_arguments(&asked, argc, argv, &is_over);

	if (!is_over)
		status = fg_offline_open(&offline, asked.file, &asked.keys);
	if (is_over || status != FG_EXIT_OK)
		return status;
	print_token(asked.token, fg_loop_clock(offline.loop)->wall);
	status = print_verdicts(&offline, asked.token) ? FG_EXIT_OK : FG_EXIT_INPUT;
	fg_offline_close(&offline);
	return status;
}
