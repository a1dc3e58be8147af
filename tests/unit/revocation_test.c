/* lib/core/revocation: what is revoked, from when and until when, and a table that is full. */
#include <stdio.h>
#include <stdlib.h>

#include "keys/revocation.h"
#include "unit/unit.h"

#define S FG_US_PER_S
#define NOW (INT64_C(1795550400) * S)

static const struct fg_str issuer = FG_STR_INIT("https://i.example/"), other = FG_STR_INIT("https://o.example/");

static void
add(struct fg_revocation_table *table, enum fg_revocation_kind kind, struct fg_str of, struct fg_str value, fg_usec before, fg_usec until)
{
	const struct fg_revocation revocation = {kind, of, value, before, until};

	CU_ASSERT_EQUAL(fg_revocation_add(table, &revocation, NOW), FG_OK);
}

static bool
has(const struct fg_revocation_table *table, struct fg_str of, struct fg_str jti, struct fg_str sub, fg_usec issued, fg_usec now)
{
	return fg_revocation_has(table, of, jti, sub, issued, now);
}

static void
each_kind(void)
{
	struct fg_revocation_table *table = calloc(1, sizeof(*table));

	CU_ASSERT_FALSE(has(table, issuer, FG_STR("t"), FG_STR("ann"), -1, NOW));
	add(table, FG_REVOKED_TOKEN, FG_STR_NONE, FG_STR("t"), 0, NOW + 60 * S);
	CU_ASSERT(has(table, issuer, FG_STR("t"), FG_STR("ann"), NOW, NOW));
	CU_ASSERT_FALSE(has(table, issuer, FG_STR("u"), FG_STR("ann"), NOW, NOW));
	CU_ASSERT_FALSE(has(table, issuer, FG_STR_NONE, FG_STR("t"), NOW, NOW));
	CU_ASSERT_FALSE(has(table, issuer, FG_STR("t"), FG_STR_NONE, NOW, NOW + 60 * S));

	add(table, FG_REVOKED_SUBJECT, issuer, FG_STR("ann"), NOW, NOW + 60 * S);
	CU_ASSERT(has(table, issuer, FG_STR_NONE, FG_STR("ann"), NOW - 1, NOW));
	CU_ASSERT(has(table, issuer, FG_STR_NONE, FG_STR("ann"), -1, NOW));
	CU_ASSERT_FALSE(has(table, issuer, FG_STR_NONE, FG_STR("ann"), NOW, NOW));
	CU_ASSERT_FALSE(has(table, other, FG_STR_NONE, FG_STR("ann"), NOW - 1, NOW));
	CU_ASSERT_FALSE(has(table, issuer, FG_STR_NONE, FG_STR("anna"), NOW - 1, NOW));

	add(table, FG_REVOKED_ISSUER, other, FG_STR_NONE, NOW, NOW + 60 * S);
	CU_ASSERT(has(table, other, FG_STR("x"), FG_STR("bob"), NOW - 1, NOW));
	CU_ASSERT_FALSE(has(table, issuer, FG_STR("x"), FG_STR("bob"), NOW - 1, NOW));
	free(table);
}

/* Issuer and value are told apart wherever one ends. */
static void
no_two_are_one(void)
{
	struct fg_revocation_table *table = calloc(1, sizeof(*table));

	add(table, FG_REVOKED_SUBJECT, FG_STR("ab"), FG_STR("c"), NOW, NOW + S);
	CU_ASSERT_FALSE(has(table, FG_STR("a"), FG_STR_NONE, FG_STR("bc"), -1, NOW));
	CU_ASSERT(has(table, FG_STR("ab"), FG_STR_NONE, FG_STR("c"), -1, NOW));
	free(table);
}

static void
said_again(void)
{
	struct fg_revocation_table *table = calloc(1, sizeof(*table));

	add(table, FG_REVOKED_SUBJECT, issuer, FG_STR("ann"), NOW, NOW + 60 * S);
	/* An earlier moment and a shorter time lessen nothing. */
	add(table, FG_REVOKED_SUBJECT, issuer, FG_STR("ann"), NOW - 100 * S, NOW + S);
	CU_ASSERT(has(table, issuer, FG_STR_NONE, FG_STR("ann"), NOW - 1, NOW + 59 * S));
	add(table, FG_REVOKED_SUBJECT, issuer, FG_STR("ann"), NOW + 10 * S, NOW + 90 * S);
	CU_ASSERT(has(table, issuer, FG_STR_NONE, FG_STR("ann"), NOW + 9 * S, NOW + 89 * S));
	free(table);
}

static void
a_table_that_is_full(void)
{
	struct fg_revocation_table *table = calloc(1, sizeof(*table));
	struct fg_revocation revocation = {FG_REVOKED_TOKEN, FG_STR_NONE, FG_STR_NONE, 0, NOW + 60 * S};
	enum fg_err err = FG_OK;
	char name[16];
	int added = 0;

	for (; err == FG_OK && added <= FG_MAX_REVOCATIONS; added++) {
		revocation.value = (struct fg_str){name, (size_t)snprintf(name, sizeof(name), "t%d", added)};
		err = fg_revocation_add(table, &revocation, NOW);
	}
	CU_ASSERT_EQUAL(err, FG_ERR_TOO_LARGE);
	CU_ASSERT(added > FG_MAX_REVOCATIONS / 2);
	CU_ASSERT_EQUAL(atomic_load(&table->full_until), NOW + 60 * S);
	CU_ASSERT(has(table, issuer, FG_STR("t0"), FG_STR_NONE, 0, NOW));
	/* What has ended makes room. */
	revocation.until = NOW + 120 * S;
	CU_ASSERT_EQUAL(fg_revocation_add(table, &revocation, NOW + 60 * S), FG_OK);
	CU_ASSERT(has(table, issuer, revocation.value, FG_STR_NONE, 0, NOW + 61 * S));
	free(table);
}

static void
one_writer_at_a_time(void)
{
	struct fg_revocation_table *table = calloc(1, sizeof(*table));

	CU_ASSERT(fg_revocation_lock(table, S));
	CU_ASSERT_FALSE(fg_revocation_lock(table, 2 * S));
	/* Whoever had it died. */
	CU_ASSERT(fg_revocation_lock(table, 12 * S));
	fg_revocation_unlock(table);
	CU_ASSERT(fg_revocation_lock(table, 12 * S));
	free(table);
}

void
suite_revocation(void)
{
	CU_pSuite suite = CU_add_suite("revocation", NULL, NULL);

	ADD_TEST(suite, each_kind);
	ADD_TEST(suite, no_two_are_one);
	ADD_TEST(suite, said_again);
	ADD_TEST(suite, a_table_that_is_full);
	ADD_TEST(suite, one_writer_at_a_time);
}
