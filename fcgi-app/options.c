/* Reads command lines with getopt_long(3); the contract stands in options.h. */
#include "fcgi-app/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/str.h"
#include "fcgi-app/commands.h"

const char *
fg_config_file_default(void)
{
	const char *file = getenv("FAREGATE_CONFIG");

	return file != NULL && file[0] != '\0' ? file : FG_SYSCONFDIR "/faregate.yaml";
}

static const struct option options_long[] = {
    {"help", no_argument, NULL, 'h'},
    {"config", required_argument, NULL, 'c'},
    {"pid-file", required_argument, NULL, 'p'},
    {"workers", required_argument, NULL, 'w'},
    {"json", no_argument, NULL, 'j'},
    {NULL, 0, NULL, 0},
};

static unsigned
bit_of(int option)
{
	switch (option) {
	case 'c':
		return FG_OPTION_CONFIG;
	case 'p':
		return FG_OPTION_PID_FILE;
	case 'w':
		return FG_OPTION_WORKERS;
	case 'j':
		return FG_OPTION_JSON;
	default:
		return 0;
	}
}

/* False when the option is unknown to this command, or its value wrong. */
static bool
take(struct fg_options *options, int option, const char *command)
{
	uint64_t number;

	switch (option) {
	case 'c':
		options->config = optarg;
		return true;
	case 'p':
		options->pid_file = optarg;
		return true;
	case 'j':
		options->json = true;
		return true;
	case 'w':
		if (fg_str_to_u64(fg_str_from(optarg), &number) && number >= 1 && number <= FG_MAX_WORKERS) {
			options->workers = (unsigned)number;
			return true;
		}
		fprintf(stderr, "faregate %s: --workers takes a number from 1 to %d\n", command, FG_MAX_WORKERS);
		return false;
	default:
		return false;
	}
}

int
fg_options_refuse(int answer, char **argv)
{
	const char *word = argv[optind - 1];
	char letter[3] = {'-', (char)optopt, '\0'};

	/* Of letters that stand together getopt is still at the word. */
	if (optopt != 0 && word[1] != '-' && answer == '?')
		word = letter;
	if (answer == ':')
		fprintf(stderr, "faregate %s: %s takes a value; try faregate %s --help\n", argv[0], word, argv[0]);
	else
		fprintf(stderr, "faregate %s: option not understood: %s; try faregate %s --help\n", argv[0], word, argv[0]);
	return FG_EXIT_USAGE;
}

int
fg_options_refuse_word(char **argv, const char *word)
{
	fprintf(stderr, "faregate %s: what is \"%s\"? Try faregate %s --help\n", argv[0], word, argv[0]);
	return FG_EXIT_USAGE;
}

static bool
take_words(struct fg_options *options, int argc, char **argv)
{
	if (argc - optind != 2) {
		fprintf(stderr, "faregate %s: takes two words; try faregate %s --help\n", argv[0], argv[0]);
		return false;
	}
	options->words[0] = argv[optind];
	options->words[1] = argv[optind + 1];
	return true;
}

bool
fg_options_read(struct fg_options *options, int argc, char **argv, unsigned taken, const char *help, int *status)
{
	const char *command = argv[0];
	int option;

	*options = (struct fg_options){.config = fg_config_file_default()};
	*status = FG_EXIT_USAGE;
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":hc:", options_long, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			*status = FG_EXIT_OK;
			return false;
		}
		if ((bit_of(option) & taken) == 0) {
			*status = fg_options_refuse(option, argv);
			return false;
		}
		if (!take(options, option, command))
			return false;
	}
	if ((taken & FG_OPTION_TWO_WORDS) != 0)
		return take_words(options, argc, argv);
	if (optind == argc)
		return true;
	*status = fg_options_refuse_word(argv, argv[optind]);
	return false;
}
