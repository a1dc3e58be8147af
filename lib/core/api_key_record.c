/* Files of API keys: the table of keys that reads them, and what writes them. */
#include "core/api_key_record.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "conf/keys.h"
#include "conf/names.h"

enum fg_err
fg_api_key_record_check(const struct fg_api_key_record *record, fg_usec wall)
{
	if (record->revoked != 0)
		return FG_ERR_API_KEY_REVOKED;
	if (record->expires != 0 && wall >= record->expires)
		return FG_ERR_API_KEY_EXPIRED;
	return FG_OK;
}

bool
fg_api_key_text_is_good(struct fg_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	return text.len <= 256;
}

/* ---- reading */

static void
parse_hash(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;

	if (fg_conf_want_text(conf, node, key->form, &text) && !fg_api_key_hash_parse(out, text))
		fg_conf_error(conf, node, "expected sha256: and 64 hexadecimal digits");
}

static void
parse_time(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	struct fg_str text;

	if (fg_conf_want_text(conf, node, key->form, &text) && !fg_clock_parse_rfc3339(text, out))
		fg_conf_error(conf, node, "expected %s, found " FG_STR_FMT, key->form, FG_STR_ARG(fg_conf_quote(conf, text)));
}

static void
check_text(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	(void)key;
	if (!fg_api_key_text_is_good(*(const struct fg_str *)out))
		fg_conf_error(conf, node, "has a control character");
}

#define TIME_FORM "a time, 2026-11-24T20:07:49Z, or a day"

static const struct fg_conf_key meta_name = {"ATTRIBUTE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, name), .max = 256,
    .check = check_text};
static const struct fg_conf_key meta_value = {"VALUE", FG_CONF_STRING, FG_CONF_AT(struct fg_name_value, value), .max = 256,
    .flags = FG_CONF_EMPTY, .check = check_text};

static const struct fg_conf_key record_keys[] = {
    {"hash", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_api_key_record, hash), .flags = FG_CONF_REQUIRED, .parse = parse_hash,
	.form = "sha256: and 64 hexadecimal digits"},
    {"consumer", FG_CONF_STRING, FG_CONF_AT(struct fg_api_key_record, consumer), .flags = FG_CONF_REQUIRED, .max = 256,
	.check = check_text},
    {"prefix", FG_CONF_STRING, FG_CONF_AT(struct fg_api_key_record, prefix), .max = 32, .check = check_text},
    {"created", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_api_key_record, created), .parse = parse_time, .form = TIME_FORM},
    {"expires", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_api_key_record, expires), .parse = parse_time, .form = TIME_FORM},
    {"revoked", FG_CONF_CUSTOM, FG_CONF_AT(struct fg_api_key_record, revoked), .parse = parse_time, .form = TIME_FORM},
    {"meta", FG_CONF_MAP, FG_CONF_ARRAY(struct fg_api_key_record, meta, meta_count, struct fg_name_value),
	.max = FG_MAX_API_KEY_META, .item_name = &meta_name, .item = &meta_value},
    {NULL},
};

/* One hash is one key: of two records with it, nobody would know which one counts. */
static void
check_twins(struct fg_conf *conf, const struct fg_conf_node *node, const struct fg_conf_key *key, void *out)
{
	const struct fg_api_key_record *v = *(struct fg_api_key_record *const *)out;
	struct fg_names seen;

	(void)key;
	fg_names_init(&seen, &conf->scratch);
	for (const struct fg_conf_node *item = node->first; item != NULL; item = item->next, v++)
		if (fg_names_add(&seen, (struct fg_str){(const char *)v->hash.bytes, sizeof(v->hash.bytes)}, conf) != NULL)
			fg_conf_error(conf, item, "has the hash of another entry");
}

static const struct fg_conf_key record_item = {"KEY", FG_CONF_SECTION, FG_CONF_IN(struct fg_api_key_record), .keys = record_keys};
static const struct fg_conf_key file_keys[] = {
    {"keys", FG_CONF_LIST, FG_CONF_ARRAY(struct fg_api_key_file, v, count, struct fg_api_key_record), .flags = FG_CONF_REQUIRED,
	.max = FG_MAX_API_KEYS, .item = &record_item, .check = check_twins},
    {NULL},
};

bool
fg_api_key_file_read(struct fg_api_key_file *out, struct fg_conf *conf, const struct fg_conf_node *node, struct fg_str path,
    bool missing_is_empty)
{
	size_t mistakes = conf->mistake_count;
	struct fg_conf_node *root;
	bool is_missing = access(path.p, F_OK) != 0 && errno == ENOENT;

	*out = (struct fg_api_key_file){.v = NULL};
	if (is_missing && missing_is_empty)
		return true;
	if (fg_conf_open(conf, path, FG_CONF_FILE, &root) == FG_ERR_SYSTEM)
		fg_conf_error(conf, node, FG_STR_FMT " cannot be read: %s%s", FG_STR_ARG(path), conf->unreadable,
		    is_missing ? "; faregate key new makes it" : "");
	else if (root != NULL)
		fg_conf_read_keys(conf, root, file_keys, out);
	return conf->mistake_count == mistakes;
}

/* ---- writing */

static int
compare_records(const void *a_arg, const void *b_arg)
{
	const struct fg_api_key_record *a = a_arg, *b = b_arg;
	int order = fg_str_cmp(a->consumer, b->consumer);

	if (order == 0)
		order = (a->created > b->created) - (a->created < b->created);
	return order != 0 ? order : memcmp(a->hash.bytes, b->hash.bytes, sizeof(a->hash.bytes));
}

void
fg_api_key_file_sort(struct fg_api_key_file *file)
{
	if (file->count > 0)
		qsort(file->v, file->count, sizeof(*file->v), compare_records);
}

/* In quotes always: a value must not be read as YAML, nor take the environment. */
static void
add_text(struct fg_buf *out, struct fg_str text)
{
	fg_buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '$' && i + 1 < text.len && text.p[i + 1] == '{')
			fg_buf_add_char(out, '$');
		if (text.p[i] == '"' || text.p[i] == '\\')
			fg_buf_add_char(out, '\\');
		fg_buf_add_char(out, text.p[i]);
	}
	fg_buf_add_char(out, '"');
}

static void
add_time(struct fg_buf *out, const char *name, fg_usec wall)
{
	char text[32];
	int len = fg_clock_format_rfc3339(wall, text);

	if (wall != 0)
		fg_buf_printf(out, "    %s: %.*sZ\n", name, len - 5, text); /* to the second */
}

static void
add_record(struct fg_buf *out, const struct fg_api_key_record *record)
{
	char hash[FG_API_KEY_HASH_TEXT_LEN + 1];

	fg_buf_add(out, FG_STR("  - consumer: "));
	add_text(out, record->consumer);
	if (record->prefix.len > 0) {
		fg_buf_add(out, FG_STR("\n    prefix: "));
		add_text(out, record->prefix);
	}
	fg_api_key_hash_format(hash, &record->hash);
	fg_buf_printf(out, "\n    hash: %s\n", hash);
	add_time(out, "created", record->created);
	add_time(out, "expires", record->expires);
	add_time(out, "revoked", record->revoked);
	for (size_t i = 0; i < record->meta_count; i++) {
		fg_buf_add(out, i == 0 ? FG_STR("    meta: {") : FG_STR(", "));
		add_text(out, record->meta[i].name);
		fg_buf_add(out, FG_STR(": "));
		add_text(out, record->meta[i].value);
	}
	if (record->meta_count > 0)
		fg_buf_add(out, FG_STR("}\n"));
}

bool
fg_api_key_file_format(struct fg_api_key_file *file, struct fg_buf *out)
{
	fg_api_key_file_sort(file);
	fg_buf_add(out, FG_STR("# API keys: hashes, not the keys themselves. `faregate key` writes this file anew; comments in it do not stay.\n"));
	fg_buf_add(out, file->count == 0 ? FG_STR("keys: []\n") : FG_STR("keys:\n"));
	for (size_t i = 0; i < file->count; i++)
		add_record(out, &file->v[i]);
	return !out->failed;
}
