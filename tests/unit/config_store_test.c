/* lib/core/config_store.c: where what machines share is kept. */
#include <stdlib.h>
#include <unistd.h>

#include "redis/redis.h"
#include "unit/config_load.h"
#include "unit/unit.h"

#define REST "\nroutes: {a: {path: /a, respond: {}}}\n"

static void
memory(void)
{
	static const char *const texts[] = {"version: 1" REST, "version: 1\nstore: memory" REST,
	    "version: 1\nstore: {url: memory, deadline: 5ms, memory-keys: 1000000}" REST};
	struct loaded *loaded;

	for (size_t i = 0; i < FG_ARRAY_LEN(texts); i++) {
		loaded = config_load(texts[i]);
		ASSERT_STR(fg_str_from(loaded->errors), "");
		CU_ASSERT_FATAL(loaded->config != NULL);
		CU_ASSERT_PTR_NULL(loaded->config->store.redis);
		CU_ASSERT_EQUAL(loaded->config->store.deadline, (i == 2 ? 5 : 25) * FG_US_PER_MS);
		CU_ASSERT_EQUAL(loaded->config->store.memory_keys, i == 2 ? 1000000 : 65536);
		config_end(loaded);
	}
}

static void
redis(void)
{
	struct loaded *loaded;

	config_write("secret", "s3cret\n");
	loaded = config_load("version: 1\nstore: {url: \"redis://gw@127.0.0.1:6380/2\", password: file:secret}" REST);
	ASSERT_STR(fg_str_from(loaded->errors), "");
	CU_ASSERT_FATAL(loaded->config != NULL && loaded->config->store.redis != NULL);
	ASSERT_STR(loaded->config->store.redis->user, "gw");
	ASSERT_STR(loaded->config->store.redis->password, "s3cret");
	CU_ASSERT_EQUAL(loaded->config->store.redis->db, 2);
	CU_ASSERT(fg_str_find(loaded->config->store.text, '@') == loaded->config->store.text.len);
	config_end(loaded);
	unlink(config_path("secret"));
	loaded = config_load("version: 1\nstore: redis://127.0.0.1" REST);
	ASSERT_STR(fg_str_from(loaded->errors), "");
	CU_ASSERT_FATAL(loaded->config != NULL && loaded->config->store.redis != NULL);
	CU_ASSERT_EQUAL(loaded->config->store.redis->addresses[0].port, 6379);
	config_end(loaded);
}

static void
mistakes(void)
{
	EXPECT_ERRORS("version: 1\nstore: sqlite" REST,
	    "f:2:8: store: expected memory, or redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster:// and where "
	    "it is, found \"sqlite\"\n");
	EXPECT_ERRORS("version: 1\nstore: {memory-keys: 100}" REST,
	    "f:2:22: store.memory-keys: \"100\" is out of range; expected a whole number from 1024 to 10000000\n");
	EXPECT_ERRORS("version: 1\nstore: {memory-keys: 10000001}" REST,
	    "f:2:22: store.memory-keys: \"10000001\" is out of range; expected a whole number from 1024 to 10000000\n");
	EXPECT_ERRORS("version: 1\nstore: {password: x}" REST,
	    "f:2:19: store.password: means nothing to store: memory; add url: redis://…\n");
	EXPECT_ERRORS("version: 1\nstore: {url: \"redis://:a@h\", password: b}" REST,
	    "f:2:40: store.password: stands in the url, too; keep one of them\n");
	EXPECT_ERRORS("version: 1\nstore: {url: \"redis://h\", ca: nosuch}" REST,
	    "f:2:31: store.ca: nosuch cannot be read: No such file or directory\n");
}

void
suite_config_store(void)
{
	CU_pSuite suite = CU_add_suite("config_store", config_folder_make, config_folder_remove);

	ADD_TEST(suite, memory);
	ADD_TEST(suite, redis);
	ADD_TEST(suite, mistakes);
}
