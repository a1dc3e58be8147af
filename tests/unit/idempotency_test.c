/* lib/filter idempotency: forms of keys, what makes a request the same, answers as bytes, and what is refused of a configuration. */
#include <stdio.h>
#include <stdlib.h>

#include "core/idempotency_key.h"
#include "core/identity.h"
#include "core/var.h"
#include "idempotency/idempotency_answer.h"
#include "unit/config_load.h"
#include "unit/exchange_scene.h"

static const char yaml[] =
    "version: 1\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "routes:\n"
    "  one: {path: '/one/*', service: a, idempotency: {by: route, max-request: 1k, required: true}}\n"
    "  two: {path: '/two/*', service: a, idempotency: {by: [header:X-A, header:X-B]}}\n"
    "  fixed: {path: /fixed, respond: {status: 200, body: hello}, idempotency: {by: route, required: true}}\n";

static int
set_up(void)
{
	return scene_set_up_with(yaml);
}

/* ---- keys */

static enum fg_err
parse(const char *value, struct fg_str *key)
{
	struct fg_headers headers;
	struct fg_arena arena;
	enum fg_err err;

	fg_arena_init(&arena, 65536, NULL, 0);
	fg_headers_init(&headers, &arena);
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("idempotency-key"), fg_str_from(value)), FG_OK);
	err = fg_idempotency_key_of(&headers, FG_STR("Idempotency-Key"), key);
	fg_arena_fini(&arena);
	return err;
}

static void
forms_of_keys(void)
{
	static const struct {
		const char *value, *key; /* NULL: not valid */
	} rows[] = {
	    {"a", "a"}, {"\"a\"", "a"}, {" \"a\"\t", "a"}, {"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
	    {"\"a b, c;d\"", "a b, c;d"}, {"\"a\\\"b\"", "a\\\"b"}, {"\"a\\\\\"", "a\\\\"}, {"a=b:c/d+e", "a=b:c/d+e"}, {"'a'", "'a'"},
	    {"", NULL}, {" ", NULL}, {"\"", NULL}, {"\"\"", NULL}, {"\"a", NULL}, {"a\"", NULL}, {"a b", NULL}, {"a,b", NULL}, {"a;b", NULL},
	    {"a\\b", NULL}, {"\"a\\b\"", NULL}, {"\"a\\\"", NULL}, {"\"a\"b\"", NULL}, {"\"a\";p", NULL}, {"\x80", NULL}, {"\"\xc3\xa9\"", NULL},
	    {"\"a\x7f\"", NULL}, {"a\x01", NULL}, {"\"a\tb\"", NULL},
	};
	char longest[300];

	for (size_t i = 0; i < FG_ARRAY_LEN(rows); i++) {
		struct fg_str key = FG_STR_NONE;
		enum fg_err err = parse(rows[i].value, &key);

		if ((err == FG_OK) != (rows[i].key != NULL))
			fprintf(stderr, "%s: %s\n", rows[i].value, fg_err_token(err));
		CU_ASSERT_EQUAL(err, rows[i].key == NULL ? FG_ERR_IDEMPOTENCY_KEY_INVALID : FG_OK);
		if (rows[i].key != NULL && err == FG_OK)
			ASSERT_STR(key, rows[i].key);
	}
	memset(longest, 'k', sizeof(longest));
	longest[255] = '\0';
	CU_ASSERT_EQUAL(parse(longest, NULL), FG_OK);
	longest[255] = 'k';
	longest[256] = '\0';
	CU_ASSERT_EQUAL(parse(longest, NULL), FG_ERR_IDEMPOTENCY_KEY_INVALID);
	longest[0] = '"';
	longest[256] = '"';
	longest[257] = '\0';
	CU_ASSERT_EQUAL(parse(longest, NULL), FG_OK);
}

static void
no_key_and_two(void)
{
	struct fg_headers headers;
	struct fg_arena arena;

	fg_arena_init(&arena, 65536, NULL, 0);
	fg_headers_init(&headers, &arena);
	CU_ASSERT_EQUAL(fg_idempotency_key_of(&headers, FG_STR("Idempotency-Key"), NULL), FG_ERR_IDEMPOTENCY_KEY_MISSING);
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("Idempotency-Key"), FG_STR("a")), FG_OK);
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("Other"), FG_STR("a")), FG_OK);
	CU_ASSERT_EQUAL(fg_idempotency_key_of(&headers, FG_STR("Idempotency-Key"), NULL), FG_OK);
	CU_ASSERT_EQUAL(fg_headers_add(&headers, FG_STR("IDEMPOTENCY-KEY"), FG_STR("a")), FG_OK);
	CU_ASSERT_EQUAL(fg_idempotency_key_of(&headers, FG_STR("Idempotency-Key"), NULL), FG_ERR_IDEMPOTENCY_KEY_INVALID);
	fg_arena_fini(&arena);
}

/* ---- names of records, and what is the same */

struct hashes {
	uint8_t record[FG_IDEMPOTENCY_HASH_BYTES], fingerprint[FG_IDEMPOTENCY_HASH_BYTES];
};

static const struct fg_var both[] = {{FG_VAR_HEADER, FG_STR_INIT("X-A")}, {FG_VAR_HEADER, FG_STR_INIT("X-B")}};

/* Of what the scene asks, with that body and, unless NULL, that consumer by that policy. */
static struct hashes
hash(const char *key, const char *body, const char *policy, const char *consumer)
{
	static const struct fg_var by_consumer = {.kind = FG_VAR_CONSUMER};
	struct fg_exchange *x = fg_exchange_new_offline(&scene.gw, scene.params, scene.param_count, NULL);
	struct fg_identity identity = {.policy = fg_str_from(policy), .consumer = fg_str_from(consumer)};
	struct hashes out;

	fg_exchange_decide(x);
	x->identity = consumer == NULL ? NULL : &identity;
	FG_ASSERT(fg_buf_add(&x->body, fg_str_from(body)));
	CU_ASSERT(fg_idempotency_record(out.record, x, consumer == NULL ? both : &by_consumer, consumer == NULL ? 2 : 1, fg_str_from(key)));
	fg_idempotency_fingerprint(out.fingerprint, x);
	fg_exchange_free(x);
	return out;
}

static void
ask_two(const char *target, const char *a, const char *b)
{
	scene_asks("POST", target);
	scene_with("HTTP_IDEMPOTENCY_KEY", "k");
	scene_with("HTTP_X_A", a);
	scene_with("HTTP_X_B", b);
}

static bool
is_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, FG_IDEMPOTENCY_HASH_BYTES) == 0;
}

static void
nobody_has_anothers_record(void)
{
	struct hashes all[12], again;
	size_t count = 0;

	ask_two("/two/x", "1", "23");
	all[count++] = hash("k", "", NULL, NULL);
	all[count++] = hash("k2", "", NULL, NULL);
	ask_two("/two/x", "12", "3");
	all[count++] = hash("k", "", NULL, NULL);
	ask_two("/two/x", "23", "1");
	all[count++] = hash("k", "", NULL, NULL);
	ask_two("/one/x", "1", "23");
	all[count++] = hash("k", "", NULL, NULL);
	ask_two("/two/x", "1", "23");
	all[count++] = hash("k", "", "idp", "alice");
	all[count++] = hash("k", "", "idp", "bob");
	all[count++] = hash("k", "", "partners", "alice");
	all[count++] = hash("k", "", "idp\nal", "ice");
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			CU_ASSERT(!is_equal(all[i].record, all[j].record));
	again = hash("k", "other body", "idp", "alice");
	CU_ASSERT(is_equal(again.record, all[5].record));
}

static void
what_is_the_same_request(void)
{
	struct hashes first, other;

	ask_two("/two/x?a=1", "1", "2");
	first = hash("k", "body", NULL, NULL);
	ask_two("/two/./y/../x?a=1", "1", "2");
	other = hash("k2", "body", NULL, NULL);
	CU_ASSERT(is_equal(first.fingerprint, other.fingerprint));
	other = hash("k", "bodx", NULL, NULL);
	CU_ASSERT(!is_equal(first.fingerprint, other.fingerprint));
	for (int i = 0; i < 6; i++) {
		ask_two(i == 0 ? "/two/x?a=2" : i == 1 ? "/two/x" : i == 2 ? "/two/xa=1" : "/two/x?a=1", "1", "2");
		if (i == 3)
			scene_with("REQUEST_METHOD", "PATCH");
		else if (i == 4)
			scene_with("CONTENT_TYPE", "text/plain");
		else if (i == 5)
			scene_with("HTTP_HOST", "other.example.com");
		other = hash("k", "body", NULL, NULL);
		CU_ASSERT(!is_equal(first.fingerprint, other.fingerprint));
	}
	ask_two("/two/x?a=1", "1", "2");
	scene_with("HTTP_CONTENT_ENCODING", "gzip");
	other = hash("k", "body", NULL, NULL);
	CU_ASSERT(!is_equal(first.fingerprint, other.fingerprint));
	ask_two("/two/x?", "1", "2");
	first = hash("k", "", NULL, NULL);
	ask_two("/two/x", "1", "2");
	other = hash("k", "", NULL, NULL);
	CU_ASSERT(!is_equal(first.fingerprint, other.fingerprint));
}

/* ---- the decision */

static void
what_is_decided_before_the_store(void)
{
	scene_expect_reason("POST", "/one/x", FG_ERR_IDEMPOTENCY_KEY_MISSING);
	scene_expect_reason("PATCH", "/one/x", FG_ERR_IDEMPOTENCY_KEY_MISSING);
	scene_expect_reason("GET", "/one/x", FG_OK);
	scene_expect_reason("PUT", "/one/x", FG_OK);
	scene_expect_reason("POST", "/two/x", FG_OK);
	scene_expect_reason("POST", "/fixed", FG_ERR_RESPONDED);
	scene_asks("POST", "/two/x");
	scene_with("HTTP_IDEMPOTENCY_KEY", "k");
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_explained(), "idempotency_owner_unknown"));
	ask_two("/two/x", "1", "2");
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_explained(), "k is new; nothing is reserved"));
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_explained(), "k is new; nothing is reserved"));
	scene_asks("POST", "/one/x");
	scene_with("HTTP_IDEMPOTENCY_KEY", "k");
	scene_with("CONTENT_LENGTH", "1025");
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_explained(), "idempotency_body_too_large"));
}

/* ---- answers as bytes */

static struct fg_str
make_answer(struct fg_buf *out, struct fg_arena *arena, struct fg_str body)
{
	static const char *const headers[][2] = {{"Content-Type", "text/plain"}, {"Date", "Tue, 24 Nov 2026 20:07:49 GMT"}, {"X-A", ""},
	    {"set-cookie", "s=1"}, {"X-A", "2"}, {"Content-Length", "4"}, {"x-request-id", "r"}};
	struct fg_headers all;

	fg_headers_init(&all, arena);
	for (size_t i = 0; i < FG_ARRAY_LEN(headers); i++)
		CU_ASSERT_EQUAL(fg_headers_add(&all, fg_str_from(headers[i][0]), fg_str_from(headers[i][1])), FG_OK);
	CU_ASSERT(fg_idempotency_answer_write(out, 201, &all, body));
	return fg_buf_str(out);
}

static void
an_answer_there_and_back(void)
{
	struct fg_headers headers;
	struct fg_arena arena;
	struct fg_str bytes, body, binary = {"\0\r\n\xff", 4};
	struct fg_buf buf;
	int status;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	fg_buf_init(&buf, 4096);
	bytes = make_answer(&buf, &arena, binary);
	fg_headers_init(&headers, &arena);
	CU_ASSERT(fg_idempotency_answer_read(bytes, &status, &headers, &body));
	CU_ASSERT_EQUAL(status, 201);
	CU_ASSERT(fg_str_eq(body, binary));
	CU_ASSERT_EQUAL_FATAL(headers.count, 3);
	ASSERT_STR(headers.v[0].name, "Content-Type");
	ASSERT_STR(headers.v[1].value, "");
	ASSERT_STR(headers.v[2].value, "2");
	/* One that does not fit says so. */
	fg_buf_fini(&buf);
	fg_buf_init(&buf, 12 + 3);
	headers.count = 0;
	CU_ASSERT(!fg_idempotency_answer_write(&buf, 201, &headers, binary));
	fg_buf_reset(&buf);
	CU_ASSERT(fg_idempotency_answer_write(&buf, 201, &headers, fg_str_slice(binary, 0, 3)));
	fg_buf_fini(&buf);
	fg_arena_fini(&arena);
}

/* Cut off anywhere in its head, or with any byte of it changed, it is refused or read within its bounds. */
static void
bytes_that_are_no_answer(void)
{
	struct fg_arena arena;
	struct fg_headers headers;
	struct fg_str bytes, body;
	struct fg_buf buf;
	char *copy;
	int status;

	fg_arena_init(&arena, 64 << 20, NULL, 0);
	fg_buf_init(&buf, 4096);
	bytes = make_answer(&buf, &arena, FG_STR_NONE);
	for (size_t len = 0; len < bytes.len; len++) {
		copy = malloc(len + 1);
		memcpy(copy, bytes.p, len);
		fg_headers_init(&headers, &arena);
		CU_ASSERT(!fg_idempotency_answer_read((struct fg_str){copy, len}, &status, &headers, &body));
		free(copy);
	}
	copy = malloc(bytes.len);
	for (size_t i = 0; i < bytes.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(copy, bytes.p, bytes.len);
			copy[i] ^= (char)(1u << bit);
			fg_headers_init(&headers, &arena);
			if (!fg_idempotency_answer_read((struct fg_str){copy, bytes.len}, &status, &headers, &body))
				continue;
			CU_ASSERT(status >= 200 && status <= 599);
			for (size_t n = 0; n < headers.count; n++)
				CU_ASSERT(fg_is_token(headers.v[n].name) && fg_is_field_value(headers.v[n].value));
		}
	}
	/* A header that would end early. */
	memcpy(copy, bytes.p, bytes.len);
	memcpy(memmem(copy, bytes.len, "text", 4), "a\r\nb", 4);
	fg_headers_init(&headers, &arena);
	CU_ASSERT(!fg_idempotency_answer_read((struct fg_str){copy, bytes.len}, &status, &headers, &body));
	free(copy);
	fg_buf_fini(&buf);
	fg_arena_fini(&arena);
}

/* Headers that are never written: of somebody else who writes to the store. */
static void
an_answer_of_somebody_else(void)
{
	static const char *const names[] = {"Set-Cookie", "content-length", "Transfer-Encoding", "Connection", "X-Request-Id"};

	for (size_t i = 0; i < FG_ARRAY_LEN(names); i++) {
		char bytes[128] = {1, 0, 0, 0, (char)200, 0, 0, 0, 1, 0, 0, 0, (char)strlen(names[i])};
		struct fg_headers headers;
		struct fg_arena arena;
		struct fg_str body;
		int status;

		fg_arena_init(&arena, 1 << 20, NULL, 0);
		memcpy(bytes + 16, names[i], strlen(names[i]));
		bytes[16 + strlen(names[i])] = 1;
		bytes[20 + strlen(names[i])] = '7';
		fg_headers_init(&headers, &arena);
		CU_ASSERT(!fg_idempotency_answer_read((struct fg_str){bytes, 21 + strlen(names[i])}, &status, &headers, &body));
		/* The same bytes with a harmless name. */
		bytes[16] = 'y';
		fg_headers_init(&headers, &arena);
		CU_ASSERT(fg_idempotency_answer_read((struct fg_str){bytes, 21 + strlen(names[i])}, &status, &headers, &body));
		fg_arena_fini(&arena);
	}
}

/* ---- the configuration */

static void
mistakes(void)
{
	CU_ASSERT_EQUAL_FATAL(config_folder_make(), 0);
	EXPECT_ERRORS("version: 1\nservices: {a: 'http://h:1'}\nroutes: {r: {path: /, service: a, idempotency: {expire: 24h}}}\n",
	    "f:3:10: routes.r: idempotency keeps keys apart by who is calling, which nothing on this route finds out: give it auth: a "
	    "policy, or say whose keys they are (by: header:X-Tenant; by: route where everybody may have everybody's answers)\n");
	EXPECT_ERRORS("version: 1\nservices: {a: 'http://h:1'}\nroutes: {r: {path: /, service: a, idempotency: {by: route, methods: [GET, POST]}}}\n",
	    "f:3:69: routes.r.idempotency.methods: GET, HEAD and OPTIONS change nothing, so that there is nothing to keep them from doing "
	    "twice\n");
	EXPECT_ERRORS("version: 1\nservices: {a: 'http://h:1'}\nroutes: {r: {path: /, service: a, idempotency: {by: path:x}}}\n",
	    "f:3:48: routes.r.idempotency: uses {path:x}, and the path \"/\" has no such part\n");
	EXPECT_ERRORS("version: 1\nservices: {a: 'http://h:1'}\nroutes: {r: {path: /, methods: [GET, PUT], service: a, idempotency: {by: route}}}\n",
	    "f:3:69: routes.r.idempotency: is of no use: the route takes none of the methods whose keys count\n");
	EXPECT_ERRORS("version: 1\nservices: {a: 'http://h:1'}\ndefaults: {idempotency: {by: route}}\nroutes: {r: {path: /, methods: GET, service: a}}\n", "");
	EXPECT_ERRORS("version: 1\nidempotency: {x: {by: nobody, release: [200], max-response: 1M, lock: 0}}\n",
	    "f:2:23: idempotency.x.by: \"nobody\" is not a request variable; a header is header:nobody, a {segment} of the route's path path:nobody\n"
	    "f:2:41: idempotency.x.release[0]: \"200\" is out of range; expected a whole number from 300 to 599\n"
	    "f:2:61: idempotency.x.max-response: \"1M\" is out of range; expected a size (64k, 10M) from 1k to 512k\n"
	    "f:2:71: idempotency.x.lock: \"0\" is out of range; expected a duration (250ms, 5s, 1m, 2h, 30d) from 1s to 1h\n");
	CU_ASSERT_EQUAL(config_folder_remove(), 0);
}

void
suite_idempotency(void)
{
	CU_pSuite suite = CU_add_suite("idempotency", set_up, scene_tear_down);

	ADD_TEST(suite, forms_of_keys);
	ADD_TEST(suite, no_key_and_two);
	ADD_TEST(suite, nobody_has_anothers_record);
	ADD_TEST(suite, what_is_the_same_request);
	ADD_TEST(suite, what_is_decided_before_the_store);
	ADD_TEST(suite, an_answer_there_and_back);
	ADD_TEST(suite, bytes_that_are_no_answer);
	ADD_TEST(suite, an_answer_of_somebody_else);
	ADD_TEST(suite, mistakes);
}
