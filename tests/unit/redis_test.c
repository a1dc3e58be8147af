/* lib/redis, what needs no server: the URL, the hash of a script, the slot of a key. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "redis/redis.h"
#include "unit/unit.h"

static struct fg_arena arena;

static int
set_up(void)
{
	fg_arena_init(&arena, 64 * 1024 * 1024, NULL, 0);
	return 0;
}

static int
tear_down(void)
{
	fg_arena_fini(&arena);
	return 0;
}

static struct fg_redis_spec *
parse(const char *url)
{
	struct fg_redis_spec *spec;
	struct fg_redis_mistake mistake = {.text = ""};

	if (fg_redis_spec_parse(&spec, fg_str_from(url), &arena, &mistake) != FG_OK) {
		fprintf(stderr, "%s: at %zu: %s\n", url, mistake.offset, mistake.text);
		CU_FAIL_FATAL("a URL that is valid");
	}
	return spec;
}

/* What becomes of a URL is told by the one that people see, which has no secrets. */
static void
urls_are_read(void)
{
	static const struct {
		const char *url, *shown;
		enum fg_redis_mode mode;
	} cases[] = {
	    {"redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0", FG_REDIS_SINGLE},
	    {"redis://127.0.0.1", "redis://127.0.0.1:6379/0", FG_REDIS_SINGLE},
	    {"redis://redis.internal:7000/15", "redis://redis.internal:7000/15", FG_REDIS_SINGLE},
	    {"redis://[::1]:6380", "redis://[::1]:6380/0", FG_REDIS_SINGLE},
	    {"redis://me:secret@h/3", "redis://h:6379/3", FG_REDIS_SINGLE},
	    {"redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock?db=0", FG_REDIS_SINGLE},
	    {"redis+unix://:pw@/run/my%20redis.sock?db=7", "redis+unix:///run/my redis.sock?db=7", FG_REDIS_SINGLE},
	    {"redis+sentinel://h1:26379,h2/mymaster/2", "redis+sentinel://h1:26379,h2:26379/mymaster/2", FG_REDIS_SENTINEL},
	    {"redis+sentinel://u:p@[::1]/m", "redis+sentinel://[::1]:26379/m/0", FG_REDIS_SENTINEL},
	    {"redis+cluster://h1:6379,h2:6380", "redis+cluster://h1:6379,h2:6380", FG_REDIS_CLUSTER},
	    {"redis+cluster://u:p@h1/", "redis+cluster://h1:6379", FG_REDIS_CLUSTER},
	};

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		struct fg_redis_spec *spec = parse(cases[i].url);

		CU_ASSERT_EQUAL(spec->mode, cases[i].mode);
		ASSERT_STR(fg_redis_spec_format(spec, &arena), cases[i].shown);
	}
}

static void
user_and_password(void)
{
	struct fg_redis_spec *spec = parse("redis://us%40er:p%2F%3a:%25@h");

	ASSERT_STR(spec->user, "us@er");
	ASSERT_STR(spec->password, "p/::%");
	spec = parse("redis://:only@h");
	ASSERT_STR(spec->user, "");
	ASSERT_STR(spec->password, "only");
	spec = parse("redis+unix://user@/s");
	ASSERT_STR(spec->user, "user");
	ASSERT_STR(spec->password, "");
}

/* The mistake is pointed at, and the text does not repeat what may be a secret. */
static void
mistakes_are_pointed_at(void)
{
	static const struct {
		const char *url;
		size_t offset;
		const char *says;
	} cases[] = {
	    {"", 0, "expected redis://"},
	    {"http://h", 0, "expected redis://"},
	    {"redis://", 8, "address is missing"},
	    {"redis://h:0", 8, "HOST:PORT"},
	    {"redis://h:65536", 8, "HOST:PORT"},
	    {"redis://h:6379/x", 15, "database is a number"},
	    {"redis://h/-1", 10, "database is a number"},
	    {"redis://h/99999999", 10, "database is a number"},
	    {"redis://h1,h2", 8, "redis+sentinel://"},
	    {"redis://a@b@h", 8, "%40"},
	    {"redis://:p%4@h", 8, "hexadecimal"},
	    {"redis://[::1", 8, "HOST:PORT"},
	    {"redis://h h", 8, "HOST:PORT"},
	    {"redis+unix://run/redis.sock", 13, "absolute path"},
	    {"redis+unix:///", 13, "absolute path"},
	    {"redis+unix:///s?x=1", 16, "only parameter is db"},
	    {"redis+unix:///s?db=x", 19, "database is a number"},
	    {"redis+unix:///s%zz", 13, "hexadecimal"},
	    {"redis+sentinel://h1,h2", 22, "master's name is missing"},
	    {"redis+sentinel://h1,,h2/m", 20, "HOST:PORT"},
	    {"redis+sentinel://h/m/x", 21, "database is a number"},
	    {"redis+cluster://h/1", 18, "database 0 alone"},
	};
	struct fg_redis_mistake mistake;
	struct fg_redis_spec *spec;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		CU_ASSERT_EQUAL(fg_redis_spec_parse(&spec, fg_str_from(cases[i].url), &arena, &mistake), FG_ERR_SYNTAX);
		if (mistake.offset != cases[i].offset || strstr(mistake.text, cases[i].says) == NULL) {
			fprintf(stderr, "%s: at %zu: %s\n", cases[i].url, mistake.offset, mistake.text);
			CU_FAIL("another mistake than expected");
		}
	}
	if (!fg_redis_has_tls()) {
		CU_ASSERT_EQUAL(fg_redis_spec_parse(&spec, FG_STR("rediss://h"), &arena, &mistake), FG_ERR_SYNTAX);
		CU_ASSERT_PTR_NOT_NULL(strstr(mistake.text, "without TLS"));
		CU_ASSERT_PTR_NOT_NULL(strstr(fg_redis_version(), "no TLS"));
	}
}

static void
urls_are_bounded(void)
{
	struct fg_redis_mistake mistake;
	struct fg_redis_spec *spec;
	struct fg_str url = FG_STR("redis+cluster://h");
	struct fg_str path = FG_STR("redis+unix:///");

	for (int i = 1; i < FG_MAX_REDIS_ADDRESSES; i++)
		url = FG_ARENA_CONCAT(&arena, url, FG_STR(",h"));
	CU_ASSERT_EQUAL(fg_redis_spec_parse(&spec, url, &arena, &mistake), FG_OK);
	CU_ASSERT_EQUAL(spec->address_count, FG_MAX_REDIS_ADDRESSES);
	url = FG_ARENA_CONCAT(&arena, url, FG_STR(",h"));
	CU_ASSERT_EQUAL(fg_redis_spec_parse(&spec, url, &arena, &mistake), FG_ERR_SYNTAX);
	for (int i = 0; i < 106; i++)
		path = FG_ARENA_CONCAT(&arena, path, FG_STR("s"));
	CU_ASSERT_EQUAL(fg_redis_spec_parse(&spec, path, &arena, &mistake), FG_OK);
	path = FG_ARENA_CONCAT(&arena, path, FG_STR("s"));
	CU_ASSERT_EQUAL(fg_redis_spec_parse(&spec, path, &arena, &mistake), FG_ERR_SYNTAX);
}

/* FIPS 180's examples, and a length on each side of a block's end. */
static void
scripts_are_hashed(void)
{
	static const struct {
		const char *text, *sha1;
	} cases[] = {
	    {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	    {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
	    {"1234567890123456789012345678901234567890123456789012345", "827a683fdfdbef225a2421078b7789b134c7eafa"},
	    {"1234567890123456789012345678901234567890123456789012345666666666", "cd797b80e0ae8c368aa355e14002db04aec46012"},
	    {"return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"},
	};
	struct fg_redis_script script;

	for (size_t i = 0; i < FG_ARRAY_LEN(cases); i++) {
		fg_redis_script_init(&script, fg_str_from(cases[i].text));
		ASSERT_STR(((struct fg_str){script.sha1, FG_REDIS_SHA1_HEX}), cases[i].sha1);
	}
}

/* The specification's examples. */
static void
keys_have_slots(void)
{
	CU_ASSERT_EQUAL(fg_redis_slot(FG_STR("123456789")), 0x31c3);
	CU_ASSERT_EQUAL(fg_redis_slot(FG_STR("foo")), 12182);
	CU_ASSERT_EQUAL(fg_redis_slot(FG_STR("{user1000}.following")), fg_redis_slot(FG_STR("{user1000}.followers")));
	CU_ASSERT_EQUAL(fg_redis_slot(FG_STR("{user1000}.following")), fg_redis_slot(FG_STR("user1000")));
	CU_ASSERT_EQUAL(fg_redis_slot(FG_STR("foo{{bar}}zap")), fg_redis_slot(FG_STR("{bar")));
	CU_ASSERT_EQUAL(fg_redis_slot(FG_STR("foo{bar}{zap}")), fg_redis_slot(FG_STR("bar")));
	/* An empty tag is none: the whole key counts. */
	CU_ASSERT_NOT_EQUAL(fg_redis_slot(FG_STR("foo{}{bar}")), fg_redis_slot(FG_STR("bar")));
	CU_ASSERT_NOT_EQUAL(fg_redis_slot(FG_STR("foo{bar")), fg_redis_slot(FG_STR("bar")));
	CU_ASSERT_EQUAL(fg_redis_slot(FG_STR("")), 0);
}

void
suite_redis(void)
{
	CU_pSuite suite = CU_add_suite("redis", set_up, tear_down);

	ADD_TEST(suite, urls_are_read);
	ADD_TEST(suite, user_and_password);
	ADD_TEST(suite, mistakes_are_pointed_at);
	ADD_TEST(suite, urls_are_bounded);
	ADD_TEST(suite, scripts_are_hashed);
	ADD_TEST(suite, keys_have_slots);
}
