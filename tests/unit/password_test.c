/* lib/token: htpasswd files, passwords, API keys. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "token/api_key.h"
#include "token/password.h"
#include "token/password_internal.h"
#include "unit/unit.h"

/* "opensesame", cheap on purpose. */
#define BCRYPT "$2y$04$abcdefghijklmnopqrstuuFuhxWRTXIsURoluSTZ1N4tYaWGn9oOi"
#define SHA512 "$6$rounds=1000$saltsalt$TPu4UqmyL5OVZGYM2Kk9GTRVrXLPxIJOBXlPlWA3JDTo9p7SPTrJE2SDVNbogN/WdkPbIQriAQFeTSYtjphWJ/"
#define SHA256 "$5$rounds=1000$saltsalt$T4jqsJFgRDht3WIN/hYm5Lfe23jNwzWkvinfOzwAU3D"
#define SHA512_PLAIN "$6$saltsalt$/dpv42BvGInVKxDULxBMfXE6CN.oHtXdmTeHWMcv5rsd81TjdKcroane5LphAqgVenp/4K1qV/7eYEdl4XS9O/"

static void
files_taken(void)
{
	struct fg_htpasswd_report report;
	struct fg_htpasswd *users;
	bool known;

	CU_ASSERT_EQUAL_FATAL(fg_htpasswd_parse(&users, FG_STR("# users\n\nwilma:" BCRYPT "\r\nbarney:" SHA512 "\nfred f:" SHA256
	    ":comment\nbetty:" SHA512_PLAIN), &report), FG_OK);
	CU_ASSERT_EQUAL(fg_htpasswd_count(users), 4);
	CU_ASSERT_STRING_EQUAL(fg_htpasswd_hash(users, FG_STR("wilma"), &known), BCRYPT);
	CU_ASSERT(known);
	CU_ASSERT_STRING_EQUAL(fg_htpasswd_hash(users, FG_STR("fred f"), &known), SHA256);
	CU_ASSERT(known);
	/* Somebody unknown costs what the costliest costs: 5000 rounds. */
	CU_ASSERT_STRING_EQUAL(fg_htpasswd_hash(users, FG_STR("wilm"), &known), SHA512_PLAIN);
	CU_ASSERT(!known);
	CU_ASSERT_STRING_EQUAL(fg_htpasswd_hash(users, FG_STR(""), &known), SHA512_PLAIN);
	CU_ASSERT(!known);
	fg_htpasswd_free(users);
}

static void
files_refused(void)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *message;
	} cases[] = {
	    {"", 0, "no user"}, {"# nobody\n", 0, "no user"}, {"fred\n", 1, "user:hash"}, {":" BCRYPT, 1, "user:hash"},
	    {"a:" BCRYPT "\nfred:$apr1$x$y\n", 2, "MD5"}, {"fred:$1$x$y", 1, "MD5"}, {"fred:{SHA}abc=", 1, "SHA-1"},
	    {"fred:opensesame", 1, "plain text"}, {"fred:", 1, "plain text"}, {"fred:rqXexS6ZhobKA", 1, "DES"}, {"fred:*", 1, "plain text"},
	    {"fred:$2x$04$abcdefghijklmnopqrstuuFuhxWRTXIsURoluSTZ1N4tYaWGn9oOi", 1, "neither bcrypt"},
	    {"fred:$2y$17$abcdefghijklmnopqrstuuFuhxWRTXIsURoluSTZ1N4tYaWGn9oOi", 1, "too long for a request"},
	    {"fred:$2y$03$abcdefghijklmnopqrstuuFuhxWRTXIsURoluSTZ1N4tYaWGn9oOi", 1, "whole bcrypt"},
	    {"fred:$2y$04$abcdefghijklmnopqrstuuFuhxWRTXIsURoluSTZ1N4tYaWGn9oO", 1, "whole bcrypt"},
	    {"fred:$2y$0x$abcdefghijklmnopqrstuuFuhxWRTXIsURoluSTZ1N4tYaWGn9oOi", 1, "whole bcrypt"},
	    {"fred:$2y$", 1, "whole bcrypt"}, {"fred:$5$", 1, "whole SHA-crypt"}, {"fred:$6$saltsalt$short", 1, "whole SHA-crypt"},
	    {"fred:$6$rounds=9999999$saltsalt$" "TPu4UqmyL5OVZGYM2Kk9GTRVrXLPxIJOBXlPlWA3JDTo9p7SPTrJE2SDVNbogN/WdkPbIQriAQFeTSYtjphWJ/", 1,
	        "1000000 rounds"},
	    {"fred:$6$rounds=10$saltsalt$" "TPu4UqmyL5OVZGYM2Kk9GTRVrXLPxIJOBXlPlWA3JDTo9p7SPTrJE2SDVNbogN/WdkPbIQriAQFeTSYtjphWJ/", 1,
	        "whole SHA-crypt"},
	    {"b:" BCRYPT "\na:" BCRYPT "\nb:" SHA256 "\n", 0, "user b stands there twice"},
	};
	struct fg_htpasswd_report report;
	struct fg_htpasswd *users;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		CU_ASSERT_EQUAL(fg_htpasswd_parse(&users, fg_str_from(cases[i].text), &report), FG_ERR_SYNTAX);
		CU_ASSERT_PTR_NULL(users);
		CU_ASSERT_EQUAL(report.line, cases[i].line);
		if (strstr(report.message, cases[i].message) == NULL) {
			fprintf(stderr, "%s: %s\n", cases[i].text, report.message);
			CU_FAIL("another message");
		}
		/* Nobody learns a hash, or a password that was written there, from a log. */
		CU_ASSERT_PTR_NULL(strstr(report.message, "opensesame"));
	}
}

static void
verify(void)
{
	static const char *const hashes[] = {BCRYPT, SHA256, SHA512, SHA512_PLAIN};
	char longest[FG_MAX_PASSWORD_BYTES + 1];

	for (size_t i = 0; i < FG_ARRAY_LEN(hashes); i++) {
		CU_ASSERT(fg_password_verify(hashes[i], FG_STR("opensesame")));
		CU_ASSERT(!fg_password_verify(hashes[i], FG_STR("opensesamf")));
		CU_ASSERT(!fg_password_verify(hashes[i], FG_STR("")));
		CU_ASSERT(!fg_password_verify(hashes[i], FG_STR("opensesame\0x")));
	}
	memset(longest, 'x', sizeof(longest));
	CU_ASSERT(!fg_password_verify(SHA256, (struct fg_str){longest, sizeof(longest)}));
	/* What crypt_r() cannot read never equals what it says of it. */
	CU_ASSERT(!fg_password_verify("*0", FG_STR("x")));
	CU_ASSERT(!fg_password_verify("*1", FG_STR("x")));
	CU_ASSERT(!fg_password_verify("", FG_STR("")));
}

struct answer {
	unsigned count;
	bool ok;
};

static void
on_checked(bool ok, void *arg)
{
	struct answer *answer = arg;

	answer->count++;
	answer->ok = ok;
}

static void
off_the_loop(void)
{
	static const struct {
		struct fg_str user, password;
		bool ok;
	} cases[] = {
	    {FG_STR_INIT("wilma"), FG_STR_INIT("opensesame"), true}, {FG_STR_INIT("wilma"), FG_STR_INIT("wrong"), false},
	    {FG_STR_INIT("nobody"), FG_STR_INIT("opensesame"), false}, {FG_STR_INIT("wilma"), FG_STR_INIT("opensesame\0"), false},
	    {FG_STR_INIT("wilma"), {NULL, 0}, false},
	};
	struct fg_loop *loop = fg_loop_new();
	struct fg_offload *offload = fg_offload_new(loop, 4);
	struct fg_htpasswd_report report;
	struct fg_htpasswd *users;
	struct answer answer, cancelled = {.count = 0};
	struct fg_password_check *check;

	CU_ASSERT_EQUAL_FATAL(fg_htpasswd_parse(&users, FG_STR("wilma:" BCRYPT "\n"), &report), FG_OK);
	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		answer = (struct answer){.count = 0};
		CU_ASSERT_PTR_NOT_NULL(fg_password_check_start(offload, users, cases[i].user, cases[i].password, on_checked, &answer));
		while (answer.count == 0)
			fg_loop_turn(loop, true);
		CU_ASSERT_EQUAL(answer.ok, cases[i].ok);
	}
	check = fg_password_check_start(offload, users, FG_STR("wilma"), FG_STR("opensesame"), on_checked, &cancelled);
	CU_ASSERT_PTR_NOT_NULL_FATAL(check);
	fg_password_check_cancel(check);
	/* The file may go while a check runs. */
	fg_htpasswd_free(users);
	fg_offload_free(offload);
	CU_ASSERT_EQUAL(cancelled.count, 0);
	/* No room in the queue. */
	offload = fg_offload_new(loop, 0);
	CU_ASSERT_EQUAL_FATAL(fg_htpasswd_parse(&users, FG_STR("wilma:" BCRYPT "\n"), &report), FG_OK);
	CU_ASSERT_PTR_NULL(fg_password_check_start(offload, users, FG_STR("wilma"), FG_STR("x"), on_checked, &cancelled));
	fg_htpasswd_free(users);
	fg_offload_free(offload);
	fg_loop_free(loop);
}

static void
api_keys(void)
{
	char key[FG_API_KEY_LEN + 1], other[FG_API_KEY_LEN + 1], text[FG_API_KEY_HASH_TEXT_LEN + 1];
	struct fg_api_key_hash hash, back;

	fg_api_key_new(key);
	fg_api_key_new(other);
	CU_ASSERT_EQUAL(strlen(key), FG_API_KEY_LEN);
	CU_ASSERT_STRING_NOT_EQUAL(key, other);
	CU_ASSERT(memcmp(key, other, FG_API_KEY_PREFIX_LEN) != 0);
	CU_ASSERT_EQUAL(fg_api_key_check(fg_str_from(key)), FG_OK);
	CU_ASSERT_EQUAL(fg_api_key_prefix(fg_str_from(key)).len, FG_API_KEY_PREFIX_LEN);
	/* Any one character changed. */
	for (size_t i = 0; i < FG_API_KEY_LEN; i++) {
		char was = key[i];

		key[i] = was == 'x' ? 'y' : 'x';
		CU_ASSERT_EQUAL(fg_api_key_check(fg_str_from(key)), FG_ERR_API_KEY_MALFORMED);
		key[i] = was;
	}
	CU_ASSERT_EQUAL(fg_api_key_check(fg_str_slice(fg_str_from(key), 0, FG_API_KEY_LEN - 1)), FG_ERR_API_KEY_MALFORMED);
	CU_ASSERT_EQUAL(fg_api_key_check(FG_STR("")), FG_ERR_API_KEY_MALFORMED);
	CU_ASSERT_PTR_NULL(fg_api_key_prefix(FG_STR("some other secret")).p);
	/* A key once made stays one. */
	CU_ASSERT_EQUAL(fg_api_key_check(FG_STR("fg_AbCdEfGh_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg3v0jXF")), FG_OK);
	fg_api_key_hash(&hash, FG_STR("abc"));
	fg_api_key_hash_format(text, &hash);
	/* FIPS 180-4 */
	CU_ASSERT_STRING_EQUAL(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CU_ASSERT(fg_api_key_hash_parse(&back, fg_str_from(text)) && fg_api_key_hash_eq(&hash, &back));
	text[strlen(text) - 1] = 'E';
	CU_ASSERT(fg_api_key_hash_parse(&back, fg_str_from(text)) && !fg_api_key_hash_eq(&hash, &back));
	text[strlen(text) - 1] = 'g';
	CU_ASSERT(!fg_api_key_hash_parse(&back, fg_str_from(text)));
	CU_ASSERT(!fg_api_key_hash_parse(&back, FG_STR("sha256:ba78")));
	fg_api_key_hash(&hash, FG_STR_NONE);
}

void
suite_password(void)
{
	CU_pSuite suite = CU_add_suite("password", NULL, NULL);

	ADD_TEST(suite, files_taken);
	ADD_TEST(suite, files_refused);
	ADD_TEST(suite, verify);
	ADD_TEST(suite, off_the_loop);
	ADD_TEST(suite, api_keys);
}
