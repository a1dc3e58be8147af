/* Loading configurations from text, for the suites config and config_docs. */
#ifndef FG_TESTS_CONFIG_LOAD_H
#define FG_TESTS_CONFIG_LOAD_H

#include "base/buf.h"
#include "core/config.h"

/* A folder of its own for each suite: setup and teardown. */
int config_folder_make(void);
int config_folder_remove(void);
/* The path of a file in it. Static memory, until the next call. */
const char *config_path(const char *name);
void config_write(const char *name, const char *text);

struct loaded {
	enum fg_err err;
	struct fg_config *config; /* NULL: errors */
	char errors[65536];       /* the folder's name taken out */
};

/* The text as "f"; then fg_config_free(). Never NULL. */
struct loaded *config_load(const char *text);
void config_end(struct loaded *loaded);
/* Loads the text and compares all errors; "the keys here are <keys>" takes any list of keys. */
void config_expect(const char *text, const char *errors, const char *file, int line);
#define EXPECT_ERRORS(text, errors) config_expect((text), (errors), __FILE__, __LINE__)

#endif
