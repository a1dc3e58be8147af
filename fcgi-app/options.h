/*
 * The command lines of run, routes, reload, stop, status and version, which differ in which options they take. check and
 * explain read their own, and refuse in the same words.
 */
#ifndef FG_APP_OPTIONS_H
#define FG_APP_OPTIONS_H

#include <stdbool.h>

struct fg_options {
	const char *config;   /* -c, --config FILE; never NULL */
	const char *pid_file; /* --pid-file FILE; NULL: the configuration says */
	unsigned workers;     /* --workers N; 0: the configuration says */
	bool json;            /* --json */
	const char *words[2]; /* what stands there without an option: both or none */
};

enum { FG_OPTION_CONFIG = 1, FG_OPTION_PID_FILE = 2, FG_OPTION_WORKERS = 4, FG_OPTION_JSON = 8, FG_OPTION_TWO_WORDS = 16 };

/*
 * Reads the options of that command, of which `taken` (FG_OPTION_*) are allowed; help is the whole text of --help.
 * False when the command is not to run: *status is the exit status then, and what there is to say has been said.
 */
bool fg_options_read(struct fg_options *options, int argc, char **argv, unsigned taken, const char *help, int *status);

/* Says what getopt_long() did not take, which gave that answer (':' or '?', with opterr 0); FG_EXIT_USAGE. */
int fg_options_refuse(int answer, char **argv);
/* The same of a word that is no option. */
int fg_options_refuse_word(char **argv, const char *word);

#endif
