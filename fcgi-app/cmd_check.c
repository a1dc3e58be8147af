/*
 * faregate check: everything that is wrong with a configuration, or "ok". The schema and the reference, which come from
 * the same tables as the parser, are printed here too.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "core/config.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/options.h"

enum { MOST_OUTPUT_BYTES = 4 * 1024 * 1024 };

static const char help[] =
    "Usage: faregate check [-c FILE] [--json | --schema | --reference]\n"
    "\n"
    "Reads the configuration as a worker does and says all that is wrong with it, a line each:\n"
    "FILE:LINE:COLUMN: what it is about: what is wrong; what to do.\n"
    "\n"
    "  -c FILE      the configuration; /dev/stdin, or a pipe, is read to its end\n"
    "  --json       for programs\n"
    "  --schema     print the JSON Schema of the configuration, for editors, and check nothing\n"
    "  --reference  print the reference of all keys (Markdown), and check nothing\n"
    "\n"
    "Exit status: 0 nothing is wrong, 1 something is, 2 usage, 3 the file cannot be read.\n";

/* False when it did not reach whoever reads it. */
static bool
print(FILE *stream, const struct fg_buf *text)
{
	return fwrite(text->p, 1, text->len, stream) == text->len && fflush(stream) == 0;
}

static int
print_made(bool (*format)(struct fg_buf *out))
{
	struct fg_buf text;
	bool ok;

	fg_buf_init(&text, MOST_OUTPUT_BYTES);
	ok = format(&text) && print(stdout, &text);
	fg_buf_fini(&text);
	return ok ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
}

static const char *
plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void
format_good(const struct fg_config *config, bool json, struct fg_buf *out)
{
	if (json) {
		(void)fg_buf_add(out, FG_STR("{\"ok\":true,\"file\":\""));
		(void)fg_buf_add_json(out, config->file);
		(void)fg_buf_printf(out, "\",\"services\":%zu,\"routes\":%zu,\"listen\":%zu,\"workers\":%u}\n",
		    config->service_count, config->route_count, config->listen_count, config->workers);
		return;
	}
	(void)fg_buf_printf(out, "ok: " FG_STR_FMT ": %zu route%s, %zu service%s, %u worker%s, listening on ",
	    FG_STR_ARG(config->file), config->route_count, plural(config->route_count), config->service_count,
	    plural(config->service_count), config->workers, plural(config->workers));
	for (size_t i = 0; i < config->listen_count; i++)
		(void)fg_buf_printf(out, "%s" FG_STR_FMT, i > 0 ? ", " : "", FG_STR_ARG(config->listen[i].text));
	(void)fg_buf_add_char(out, '\n');
}

static int
check(const char *file, bool json)
{
	struct fg_config *config;
	struct fg_buf errors, out;
	enum fg_err err;
	bool ok;

	fg_buf_init(&errors, MOST_OUTPUT_BYTES);
	fg_buf_init(&out, 2 * MOST_OUTPUT_BYTES);
	err = fg_config_load_as(&config, file, &errors, FG_CONFIG_STREAM | (json ? FG_CONFIG_JSON : 0));
	if (err == FG_OK)
		format_good(config, json, &out);
	else if (json)
		(void)fg_buf_printf(&out, "{\"ok\":false," FG_STR_FMT "}\n", FG_STR_ARG(fg_buf_str(&errors)));
	else
		(void)fg_buf_add(&out, fg_buf_str(&errors));
	ok = print(err == FG_OK || json ? stdout : stderr, &out);
	fg_config_free(config);
	fg_buf_fini(&out);
	fg_buf_fini(&errors);
	if (!ok || err == FG_ERR_SYSTEM)
		return FG_EXIT_ENVIRONMENT;
	return err == FG_OK ? FG_EXIT_OK : FG_EXIT_INPUT;
}

int
fg_cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"json", no_argument, NULL, 'j'},
	    {"schema", no_argument, NULL, 's'},
	    {"reference", no_argument, NULL, 'r'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	const char *file = NULL;
	bool (*format)(struct fg_buf *out) = NULL;
	bool json = false;
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 's':
			format = fg_config_format_schema;
			break;
		case 'r':
			format = fg_config_format_reference;
			break;
		case 'h':
			return printf("%s", help) > 0 ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
		default:
			return fg_options_refuse(option, argv);
		}
	}
	if (optind != argc)
		return fg_options_refuse_word(argv, argv[optind]);
	if (format != NULL)
		return print_made(format);
	return check(file != NULL ? file : fg_config_file_default(), json);
}
