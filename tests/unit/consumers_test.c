/* lib/core: what `consumers` says of those who call, and how a claim finds it. */
#include <stdlib.h>
#include <unistd.h>

#include "core/identity.h"
#include "unit/config_load.h"
#include "unit/unit.h"

static void
consumers_have_attributes(void)
{
	const struct fg_consumer *consumer;
	struct loaded *l;

	config_write("b.inc", "consumers: {'auth0|7': {plan: silver}}\n");
	l = config_load("version: 1\ninclude: b.inc\nconsumers: {acme: {plan: gold, seats: 5, note: ''}, bare: {}}\n");
	CU_ASSERT_STRING_EQUAL(l->errors, "");
	CU_ASSERT_FATAL(l->config != NULL);
	CU_ASSERT_PTR_NULL(fg_config_consumer(l->config, FG_STR("nobody")));
	consumer = fg_config_consumer(l->config, FG_STR("acme"));
	CU_ASSERT_FATAL(consumer != NULL && consumer->attribute_count == 3);
	ASSERT_STR(consumer->attributes[1].name, "seats");
	ASSERT_STR(consumer->attributes[1].value, "5");
	CU_ASSERT_PTR_NOT_NULL(fg_config_consumer(l->config, FG_STR("bare")));
	consumer = fg_config_consumer(l->config, FG_STR("auth0|7"));
	CU_ASSERT_FATAL(consumer != NULL && consumer->attribute_count == 1);
	config_end(l);
	l = config_load("version: 1\n");
	CU_ASSERT_PTR_NULL(fg_config_consumer(l->config, FG_STR("acme")));
	config_end(l);
	EXPECT_ERRORS("version: 1\ninclude: b.inc\nconsumers: {'auth0|7': {}, b: x}\n",
	    "f:3:31: consumers.b: expected a map, ATTRIBUTE: …, found text\n"
	    "b.inc:1:13: consumers: \"auth0|7\" is defined twice; first at f:3:13\n");
	unlink(config_path("b.inc"));
}

/* A token that says its plan, and nothing else. */
static bool
find_plan(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	(void)arena;
	if (!fg_str_eq(name, FG_STR("plan")))
		return false;
	*out = (struct fg_claim_values){source, 1};
	return true;
}

static void
claims_of_the_token_go_before(void)
{
	static const struct fg_str plan = FG_STR_INIT("token's");
	struct loaded *l = config_load("version: 1\nconsumers: {acme: {plan: gold, seats: 5}}\n");
	struct fg_identity identity = {.consumer = FG_STR("acme"), .claims = {find_plan, &plan}};
	struct fg_claim_values values;

	CU_ASSERT(!fg_identity_claim(NULL, FG_STR("plan"), NULL, &values));
	CU_ASSERT(!fg_identity_claim(&identity, FG_STR("seats"), NULL, &values));
	identity.attributes = fg_config_consumer(l->config, identity.consumer);
	CU_ASSERT_FATAL(fg_identity_claim(&identity, FG_STR("plan"), NULL, &values));
	ASSERT_STR(values.v[0], "token's");
	CU_ASSERT_FATAL(fg_identity_claim(&identity, FG_STR("seats"), NULL, &values) && values.count == 1);
	ASSERT_STR(values.v[0], "5");
	CU_ASSERT(!fg_identity_claim(&identity, FG_STR("seat"), NULL, &values));
	identity.claims.find = NULL;
	CU_ASSERT_FATAL(fg_identity_claim(&identity, FG_STR("plan"), NULL, &values));
	ASSERT_STR(values.v[0], "gold");
	config_end(l);
}

void
suite_consumers(void)
{
	CU_pSuite suite = CU_add_suite("consumers", config_folder_make, config_folder_remove);

	ADD_TEST(suite, consumers_have_attributes);
	ADD_TEST(suite, claims_of_the_token_go_before);
}
