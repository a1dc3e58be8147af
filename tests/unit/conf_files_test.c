/* lib/conf/files.c: files that values name, and secrets. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/keys.h"
#include "unit/config_load.h"
#include "unit/unit.h"

static const struct fg_conf_key keys[] = {
    {"secret", FG_CONF_CUSTOM, FG_CONF_IN(struct fg_str), .parse = fg_conf_parse_secret, .form = FG_CONF_SECRET_FORM},
    {NULL},
};

/* Reads "secret: VALUE" as if it stood in the folder of the suite; all mistakes, or the secret. */
static void
expect(const char *value, const char *expected, bool is_good)
{
	struct fg_str secret = FG_STR_NONE, path = fg_str_from(config_path("f"));
	struct fg_conf_node *root;
	struct fg_arena arena;
	struct fg_conf conf;
	struct fg_buf text;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	fg_conf_init(&conf, &arena, NULL);
	fg_buf_init(&text, 1 << 16);
	path = fg_arena_str(&arena, path);
	CU_ASSERT(fg_buf_printf(&text, "secret: %s\n", value));
	CU_ASSERT_EQUAL_FATAL(fg_conf_parse(&conf, path, fg_buf_str(&text), &root), FG_OK);
	fg_conf_read_keys(&conf, root, keys, &secret);
	fg_buf_reset(&text);
	CU_ASSERT(fg_conf_format_mistakes(&conf, &text) && fg_buf_append(&text, "", 1));
	CU_ASSERT_EQUAL(conf.mistake_count, is_good ? 0 : 1);
	if (is_good) {
		ASSERT_STR(secret, expected);
	} else {
		CU_ASSERT_PTR_NOT_NULL(strstr(text.p, expected));
	}
	fg_buf_fini(&text);
	fg_conf_fini(&conf);
	fg_arena_fini(&arena);
}

static void
secrets(void)
{
	config_write("one", "s3cret\r\n");
	config_write("two", "two\nlines\n");
	config_write("none", "\n");
	expect("plain", "plain", true);
	expect("\"file:\"", "file:", true);
	expect("file:one", "s3cret", true);
	expect("file:two", "two\nlines", true);
	expect("file:none", "is empty; expected a secret, or file:PATH", false);
	expect("file:missing", "cannot be read: No such file or directory", false);
	expect("file:/dev/zero", "cannot be read: it is a device or a socket, not a file", false);
	expect("[a]", "expected a secret, or file:PATH, found a list", false);
	unlink(config_path("one"));
	unlink(config_path("two"));
	unlink(config_path("none"));
}

static void
files_are_bounded(void)
{
	char *large = calloc(1, FG_CONF_MAX_STRING + 2);

	CU_ASSERT_FATAL(large != NULL);
	memset(large, 'x', FG_CONF_MAX_STRING + 1);
	config_write("large", large);
	expect("file:large", "cannot be read: File too large", false);
	large[FG_CONF_MAX_STRING] = '\0';
	config_write("large", large);
	expect("file:large", large, true);
	unlink(config_path("large"));
	free(large);
}

void
suite_conf_files(void)
{
	CU_pSuite suite = CU_add_suite("conf_files", config_folder_make, config_folder_remove);

	ADD_TEST(suite, secrets);
	ADD_TEST(suite, files_are_bounded);
}
