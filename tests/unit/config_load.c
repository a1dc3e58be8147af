/* Loads configurations from text; errors are compared without the name of the temporary folder. */
#include "unit/config_load.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/unit.h"

static char folder[64];

int
config_folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/fg-config-XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
config_folder_remove(void)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

const char *
config_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

void
config_write(const char *name, const char *text)
{
	FILE *file = fopen(config_path(name), "w");

	CU_ASSERT_FATAL(file != NULL);
	CU_ASSERT_FATAL(fputs(text, file) >= 0);
	CU_ASSERT_FATAL(fclose(file) == 0);
}

/* Takes every "FOLDER/" out. */
static void
copy_errors(char *to, size_t size, struct fg_str text)
{
	size_t skip = strlen(folder) + 1, len = 0;

	for (size_t i = 0; i < text.len;) {
		if (text.len - i >= skip && memcmp(text.p + i, folder, skip - 1) == 0 && text.p[i + skip - 1] == '/') {
			i += skip;
			continue;
		}
		CU_ASSERT_FATAL(len + 1 < size);
		to[len++] = text.p[i++];
	}
	to[len] = '\0';
}

struct loaded *
config_load(const char *text)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	struct fg_buf errors;

	CU_ASSERT_FATAL(loaded != NULL);
	config_write("f", text);
	fg_buf_init(&errors, sizeof(loaded->errors));
	loaded->err = fg_config_load(&loaded->config, config_path("f"), &errors);
	copy_errors(loaded->errors, sizeof(loaded->errors), fg_buf_str(&errors));
	CU_ASSERT((loaded->err == FG_OK) == (loaded->config != NULL));
	CU_ASSERT((loaded->err == FG_OK) == (loaded->errors[0] == '\0'));
	fg_buf_fini(&errors);
	return loaded;
}

void
config_end(struct loaded *loaded)
{
	fg_config_free(loaded->config);
	free(loaded);
}

/* "<keys>" stands for the list of all keys there, which grows with each policy. */
static bool
errors_are(const char *errors, const char *expected)
{
	static const char wildcard[] = "<keys>";

	for (; *expected != '\0'; errors++, expected++) {
		if (strncmp(expected, wildcard, sizeof(wildcard) - 1) == 0) {
			errors += strcspn(errors, "\n");
			expected += sizeof(wildcard) - 1;
		}
		if (*errors != *expected)
			return false;
	}
	return *errors == '\0';
}

void
config_expect(const char *text, const char *errors, const char *file, int line)
{
	struct loaded *loaded = config_load(text);

	if (!errors_are(loaded->errors, errors)) {
		unit_str_is(fg_str_from(loaded->errors), errors, file, line);
		fprintf(stderr, "of the text:\n%s\n", text);
		CU_FAIL("other errors");
	}
	config_end(loaded);
}
