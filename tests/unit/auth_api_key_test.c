/* lib/core/api_key_record, lib/core/api_key_store, lib/filter/auth_api_key: keys of a file, records of the store, their cache. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/api_key_store.h"
#include "core/identity.h"
#include "unit/config_load.h"
#include "unit/exchange_scene.h"

enum { MOST_TEXT = 65536 };

/* ---- records in a file */

static char folder[] = "/tmp/fg-keys-XXXXXX";
static char file_path[64];

static void
write_file(const char *text)
{
	FILE *file = fopen(file_path, "w");

	if (file == NULL)
		abort();
	fputs(text, file);
	fclose(file);
}

/* Reads the file; true, or the mistakes in *errors. */
static bool
read_back(struct fg_api_key_file *out, struct fg_arena *arena, struct fg_buf *errors)
{
	const struct fg_conf_file file = {.path = fg_str_from(file_path)};
	const struct fg_conf_node nowhere = {.file = &file, .line = 1, .column = 1};
	struct fg_conf conf;
	bool ok;

	fg_conf_init(&conf, arena, NULL);
	ok = fg_api_key_file_read(out, &conf, &nowhere, fg_str_from(file_path), false);
	(void)fg_conf_format_mistakes(&conf, errors);
	fg_conf_fini(&conf);
	return ok;
}

static struct fg_api_key_record
make_record(const char *key, const char *consumer)
{
	struct fg_api_key_record record = {.consumer = fg_str_from(consumer)};

	fg_api_key_hash(&record.hash, fg_str_from(key));
	return record;
}

static void
a_file_is_read_as_it_was_written(void)
{
	static const struct fg_name_value meta[] = {
	    {FG_STR_INIT("plan"), FG_STR_INIT("gold")}, {FG_STR_INIT("a\"b: c"), FG_STR_INIT("${HOME} \\ # 'x' ${")}};
	struct fg_api_key_record records[] = {make_record("k3", "zeta"), make_record("k1", "- acme: \"x\""), make_record("k2", "null")};
	struct fg_api_key_file file = {records, 3}, back;
	struct fg_arena arena;
	struct fg_buf text, errors;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	fg_buf_init(&text, MOST_TEXT);
	fg_buf_init(&errors, MOST_TEXT);
	records[0].prefix = FG_STR("fg_AAAAAAAA");
	records[0].created = 1764040142 * (fg_usec)FG_US_PER_S;
	records[0].expires = records[0].created + 90 * INT64_C(86400) * FG_US_PER_S;
	records[0].revoked = records[0].created + FG_US_PER_S;
	records[0].meta = meta;
	records[0].meta_count = 2;
	CU_ASSERT(fg_api_key_file_format(&file, &text));
	fg_buf_add_char(&text, '\0');
	write_file(text.p);
	CU_ASSERT_FATAL(read_back(&back, &arena, &errors));
	CU_ASSERT_EQUAL_FATAL(back.count, 3);
	ASSERT_STR(back.v[0].consumer, "- acme: \"x\""); /* sorted */
	ASSERT_STR(back.v[1].consumer, "null");
	ASSERT_STR(back.v[2].consumer, "zeta");
	ASSERT_STR(back.v[2].prefix, "fg_AAAAAAAA");
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT(fg_api_key_hash_eq(&back.v[i].hash, &file.v[i].hash));
		CU_ASSERT_EQUAL(back.v[i].created, file.v[i].created);
		CU_ASSERT_EQUAL(back.v[i].expires, file.v[i].expires);
		CU_ASSERT_EQUAL(back.v[i].revoked, file.v[i].revoked);
	}
	CU_ASSERT_EQUAL_FATAL(back.v[2].meta_count, 2);
	ASSERT_STR(back.v[2].meta[1].name, "a\"b: c");
	ASSERT_STR(back.v[2].meta[1].value, "${HOME} \\ # 'x' ${");
	fg_buf_fini(&errors);
	fg_buf_fini(&text);
	fg_arena_fini(&arena);
}

#define HASH "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static void
mistakes_of_a_file_are_said_where_they_are(void)
{
	static const struct {
		const char *text, *error;
	} table[] = {
	    {"keys: [{consumer: a}]\n", ":1:8: keys[0]: hash is missing\n"},
	    {"keys: [{hash: " HASH "}]\n", ":1:8: keys[0]: consumer is missing\n"},
	    {"keys: [{hash: sha256:00, consumer: a}]\n", ":1:15: keys[0].hash: expected sha256: and 64 hexadecimal digits\n"},
	    {"keys:\n  - {hash: " HASH ", consumer: a}\n  - {hash: " HASH ", consumer: b}\n",
	        ":3:5: keys[1]: has the hash of another entry\n"},
	    {"keys:\n  - {hash: " HASH ", consumer: a, expires: 2026-02-30}\n",
	        ":2:107: keys[0].expires: expected a time, 2026-11-24T20:07:49Z, or a day, found \"2026-02-30\"\n"},
	    {"keys:\n  - {hash: " HASH ", consumer: a, key: x}\n", ":2:98: keys[0]: unknown key \"key\"; the keys here are hash, "
	        "consumer, prefix, created, expires, revoked, meta\n"},
	    {"keys:\n  - {hash: " HASH ", consumer: \"a\\nb\"}\n", ":2:95: keys[0].consumer: has a control character\n"},
	};
	struct fg_api_key_file file;
	struct fg_arena arena;
	struct fg_buf errors;

	for (size_t i = 0; i < FG_ARRAY_LEN(table); i++) {
		fg_arena_init(&arena, 1 << 20, NULL, 0);
		fg_buf_init(&errors, MOST_TEXT);
		write_file(table[i].text);
		CU_ASSERT(!read_back(&file, &arena, &errors));
		ASSERT_STR(fg_str_slice(fg_buf_str(&errors), strlen(file_path), errors.len), table[i].error);
		fg_buf_fini(&errors);
		fg_arena_fini(&arena);
	}
	unlink(file_path);
	fg_arena_init(&arena, 1 << 20, NULL, 0);
	fg_buf_init(&errors, MOST_TEXT);
	CU_ASSERT(!read_back(&file, &arena, &errors));
	fg_buf_add_char(&errors, '\0');
	CU_ASSERT_PTR_NOT_NULL(strstr(errors.p, "cannot be read: No such file or directory; faregate key new makes it\n"));
	fg_buf_fini(&errors);
	fg_arena_fini(&arena);
}

/* ---- records in the store */

static void
a_record_survives_the_store(void)
{
	static const struct fg_name_value meta[] = {{FG_STR_INIT("plan"), FG_STR_INIT("gold")}, {FG_STR_INIT("x"), FG_STR_INIT("")}};
	struct fg_api_key_record record = make_record("k", "acme"), back;
	const struct fg_str *fields;
	struct fg_arena arena;
	size_t count;
	char key[FG_API_KEY_STORE_KEY_BYTES];

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	record.prefix = FG_STR("fg_AAAAAAAA");
	record.expires = 1764040142 * (fg_usec)FG_US_PER_S;
	record.meta = meta;
	record.meta_count = 2;
	count = fg_api_key_store_fields(&record, &arena, &fields);
	CU_ASSERT_FATAL(fg_api_key_store_parse(&back, fields, count, &arena));
	ASSERT_STR(back.consumer, "acme");
	ASSERT_STR(back.prefix, "fg_AAAAAAAA");
	CU_ASSERT_EQUAL(back.expires, record.expires);
	CU_ASSERT_EQUAL(back.created, 0);
	CU_ASSERT_EQUAL(back.revoked, 0);
	CU_ASSERT_EQUAL_FATAL(back.meta_count, 2);
	ASSERT_STR(back.meta[0].name, "plan");
	ASSERT_STR(back.meta[1].value, "");
	fg_api_key_store_key(key, &record.hash);
	CU_ASSERT_STRING_EQUAL(key, "fg:key:8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a");
	fg_arena_fini(&arena);
}

static void
what_is_no_record_is_none(void)
{
	static const struct fg_str good[] = {FG_STR_INIT("consumer"), FG_STR_INIT("a")};
	static const struct fg_str none[] = {FG_STR_INIT("prefix"), FG_STR_INIT("a")};
	static const struct fg_str odd[] = {FG_STR_INIT("consumer"), FG_STR_INIT("a"), FG_STR_INIT("x")};
	static const struct fg_str later[] = {FG_STR_INIT("consumer"), FG_STR_INIT("a"), FG_STR_INIT("only-from"), FG_STR_INIT("x")};
	static const struct fg_str time[] = {FG_STR_INIT("consumer"), FG_STR_INIT("a"), FG_STR_INIT("expires"), FG_STR_INIT("soon")};
	static const struct fg_str never[] = {FG_STR_INIT("consumer"), FG_STR_INIT("a"), FG_STR_INIT("revoked"), FG_STR_INIT("0")};
	static const struct fg_str line[] = {FG_STR_INIT("consumer"), FG_STR_INIT("a\nb")};
	struct fg_api_key_record record;
	struct fg_arena arena;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	CU_ASSERT(fg_api_key_store_parse(&record, good, 2, &arena));
	CU_ASSERT(!fg_api_key_store_parse(&record, none, 2, &arena));
	CU_ASSERT(!fg_api_key_store_parse(&record, odd, 3, &arena));
	CU_ASSERT(!fg_api_key_store_parse(&record, later, 4, &arena));
	CU_ASSERT(!fg_api_key_store_parse(&record, time, 4, &arena));
	CU_ASSERT(!fg_api_key_store_parse(&record, never, 4, &arena));
	CU_ASSERT(!fg_api_key_store_parse(&record, line, 2, &arena));
	fg_arena_fini(&arena);
}

/* ---- decisions */

static char keys[3][FG_API_KEY_LEN + 1]; /* good, expired, revoked */

static const char yaml[] =
    "version: 1\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "consumers: {acme: {tenant: '7', plan: none}}\n"
    "auth:\n"
    "  partners: {type: api-key, keys: 'file:%s', from: ['header:X-API-Key', 'query:key', 'header:Authorization'],\n"
    "    forward: {X-Plan: plan, X-Tenant: tenant}}\n"
    "routes:\n"
    "  a: {path: /a, service: a, auth: partners, require: {claims: {plan: gold}}}\n"
    "  open: {path: /open, service: a, auth: none}\n";

static int
set_up(void)
{
	struct fg_api_key_record records[4];
	struct fg_api_key_file file = {records, 4};
	static const struct fg_name_value meta = {FG_STR_INIT("plan"), FG_STR_INIT("gold")};
	char text[2048];
	struct fg_buf buf;
	int status;

	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(file_path, sizeof(file_path), "%s/keys.yaml", folder);
	for (size_t i = 0; i < 3; i++) {
		fg_api_key_new(keys[i]);
		records[i] = make_record(keys[i], "acme");
		records[i].prefix = fg_api_key_prefix(fg_str_from(keys[i]));
		records[i].meta = &meta;
		records[i].meta_count = 1;
	}
	records[1].expires = 1764040142 * (fg_usec)FG_US_PER_S;
	records[2].revoked = 1764040142 * (fg_usec)FG_US_PER_S;
	records[3] = make_record("brought-along", "other");
	fg_buf_init(&buf, MOST_TEXT);
	fg_api_key_file_format(&file, &buf);
	fg_buf_add_char(&buf, '\0');
	write_file(buf.p);
	fg_buf_fini(&buf);
	snprintf(text, sizeof(text), yaml, file_path);
	status = scene_set_up_with(text);
	unlink(file_path);
	return status;
}

static int
tear_down(void)
{
	rmdir(folder);
	return scene_tear_down();
}

static void
expect(const char *header, const char *key, enum fg_err reason)
{
	struct fg_exchange *x;

	scene_asks("GET", "/a");
	if (header != NULL)
		scene_with(header, key);
	x = scene_decided();
	if (x->reason != reason)
		fprintf(stderr, "%s: %s\n", key == NULL ? "no key" : key, fg_err_token(x->reason));
	CU_ASSERT_EQUAL(x->reason, reason);
	CU_ASSERT((x->identity != NULL) == (reason == FG_OK || reason == FG_ERR_CLAIM_REFUSED));
	if (fg_err_info(reason)->status == 401)
		ASSERT_STR(fg_headers_find(&x->resp.headers, FG_STR("WWW-Authenticate"))->value, "ApiKey realm=\"api\"");
	fg_exchange_free(x);
}

static void
each_key_is_judged(void)
{
	char changed[FG_API_KEY_LEN + 1], long_text[300];

	expect(NULL, NULL, FG_ERR_API_KEY_MISSING);
	expect("HTTP_X_API_KEY", keys[0], FG_OK);
	expect("HTTP_X_API_KEY", keys[1], FG_ERR_API_KEY_EXPIRED);
	expect("HTTP_X_API_KEY", keys[2], FG_ERR_API_KEY_REVOKED);
	expect("HTTP_X_API_KEY", "brought-along", FG_ERR_CLAIM_REFUSED); /* known, without the plan */
	expect("HTTP_X_API_KEY", "brought-alonG", FG_ERR_API_KEY_UNKNOWN);
	expect("HTTP_X_API_KEY", "fg_short", FG_ERR_API_KEY_MALFORMED);
	strcpy(changed, keys[0]);
	changed[20] = changed[20] == 'a' ? 'b' : 'a';
	expect("HTTP_X_API_KEY", changed, FG_ERR_API_KEY_MALFORMED); /* its checksum is wrong */
	fg_api_key_new(changed);
	expect("HTTP_X_API_KEY", changed, FG_ERR_API_KEY_UNKNOWN);
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	expect("HTTP_X_API_KEY", long_text, FG_ERR_API_KEY_MALFORMED);
	snprintf(long_text, sizeof(long_text), "ApiKey %s", keys[0]);
	expect("HTTP_AUTHORIZATION", long_text, FG_OK);
	snprintf(long_text, sizeof(long_text), "Bearer %s", keys[0]);
	expect("HTTP_AUTHORIZATION", long_text, FG_ERR_API_KEY_MISSING); /* another scheme */
}

static void
the_service_learns_who_and_not_how(void)
{
	char target[128];
	struct fg_exchange *x;

	snprintf(target, sizeof(target), "/a?x=1&key=%s", keys[0]);
	scene_asks("GET", target);
	scene_with("HTTP_X_PLAN", "platinum");
	scene_with("HTTP_X_TENANT", "1");
	x = scene_decided();
	CU_ASSERT_EQUAL_FATAL(x->reason, FG_OK);
	scene_expect_header(x, "X-Plan", "gold");   /* of the key, before that of the consumer */
	scene_expect_header(x, "X-Tenant", "7");
	ASSERT_STR(x->forward_target, "/a?x=1");
	ASSERT_STR(x->identity->consumer, "acme");
	ASSERT_STR(x->identity->policy, "partners");
	CU_ASSERT(fg_str_eq(x->identity->credential, fg_api_key_prefix(fg_str_from(keys[0]))));
	fg_exchange_free(x);

	scene_asks("GET", "/a");
	scene_with("HTTP_X_API_KEY", keys[0]);
	x = scene_decided();
	scene_expect_header(x, "X-API-Key", NULL);
	fg_exchange_free(x);

	/* where nobody is known, nobody is named */
	scene_asks("GET", "/open");
	scene_with("HTTP_X_PLAN", "platinum");
	x = scene_decided();
	scene_expect_header(x, "X-Plan", NULL);
	fg_exchange_free(x);
}

/* ---- the configuration */

static void
what_cannot_be_meant_is_refused(void)
{
	config_write("keys.yaml", "keys: []\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: api-key}}\n", "f:2:8: auth.a: keys is missing\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: api-key, keys: keys.yaml}}\n",
	    "f:2:33: auth.a.keys: expected file:PATH or store, found \"keys.yaml\"\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: api-key, keys: 'file:keys.yaml', cache: 5s}}\n",
	    "f:2:58: auth.a.cache: means nothing to keys of a file, which are all there\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: api-key, keys: store}}\n",
	    "f:2:33: auth.a.keys: there is no store to keep them in; add store: redis://… at the top\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: api-key, keys: 'file:none.yaml'}}\n",
	    "f:2:33: auth.a.keys: none.yaml cannot be read: No such file or directory; faregate key new makes it\n");
	config_write("keys.yaml", "keys: [{consumer: x}]\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: api-key, keys: 'file:keys.yaml'}}\n", "keys.yaml:1:8: keys[0]: hash is missing\n");
	unlink(config_path("keys.yaml"));
}

void
suite_auth_api_key(void)
{
	CU_pSuite suite = CU_add_suite("auth_api_key", set_up, tear_down);

	ADD_TEST(suite, each_key_is_judged);
	ADD_TEST(suite, the_service_learns_who_and_not_how);
	ADD_TEST(suite, a_file_is_read_as_it_was_written);
	ADD_TEST(suite, mistakes_of_a_file_are_said_where_they_are);
	ADD_TEST(suite, a_record_survives_the_store);
	ADD_TEST(suite, what_is_no_record_is_none);
	suite = CU_add_suite("auth_api_key_config", config_folder_make, config_folder_remove);
	ADD_TEST(suite, what_cannot_be_meant_is_refused);
}
