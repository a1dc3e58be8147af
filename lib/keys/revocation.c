/* The table of revoked tokens: written under a lease, looked at without. */
#include "keys/revocation.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "keys/key_store.h"
#include "token/api_key.h"

_Static_assert((FG_MAX_REVOCATIONS & (FG_MAX_REVOCATIONS - 1)) == 0, "a mask picks the entry");

/* An entry stands among so many behind its place, or nowhere: so looking for what is not there has a bound. */
enum { WINDOW = 64, MOST_KEY_BYTES = FG_MAX_TOKEN_BYTES + 8 };

#define LEASE_SPAN (10 * FG_US_PER_S)

const char *
fg_revocation_kind_name(enum fg_revocation_kind kind)
{
	static const char *const names[FG_REVOCATION_KINDS] = {
	    [FG_REVOKED_TOKEN] = "jti", [FG_REVOKED_SUBJECT] = "sub", [FG_REVOKED_ISSUER] = "iss"};

	return names[kind];
}

/* SHA-256, of which 128 bits are enough: nobody can make a subject that is taken for another. */
static void
hash_of(uint64_t hash[2], enum fg_revocation_kind kind, struct fg_str issuer, struct fg_str value)
{
	struct fg_api_key_hash sum;
	struct fg_buf text;

	fg_buf_init(&text, MOST_KEY_BYTES);
	fg_buf_printf(&text, "%s:%zu:", fg_revocation_kind_name(kind), issuer.len);
	fg_buf_add(&text, issuer);
	fg_buf_add(&text, value);
	fg_api_key_hash(&sum, fg_buf_str(&text));
	fg_buf_fini(&text);
	memcpy(hash, sum.bytes, 2 * sizeof(*hash));
	if (hash[0] == 0)
		hash[0] = 1;
}

static uint32_t
kind_bit(enum fg_revocation_kind kind, bool has_issuer)
{
	return 1u << (kind + (has_issuer ? FG_REVOCATION_KINDS : 0));
}

/* ---- writing */

static void
fill(struct fg_revocation_entry *entry, const uint64_t hash[2], fg_usec before, fg_usec until)
{
	/* Nobody takes it for another's while it changes: without `until` it says nothing. */
	atomic_store(&entry->until, 0);
	atomic_store(&entry->before, before);
	atomic_store(&entry->hash[1], hash[1]);
	atomic_store(&entry->hash[0], hash[0]);
	atomic_store(&entry->until, until);
}

enum fg_err
fg_revocation_add(struct fg_revocation_table *table, const struct fg_revocation *revocation, fg_usec now_wall)
{
	fg_usec before = revocation->kind == FG_REVOKED_TOKEN ? INT64_MAX : revocation->before;
	struct fg_revocation_entry *place = NULL;
	uint64_t hash[2];

	hash_of(hash, revocation->kind, revocation->issuer, revocation->value);
	for (size_t i = 0; i < WINDOW; i++) {
		struct fg_revocation_entry *entry = &table->entries[(hash[0] + i) & (FG_MAX_REVOCATIONS - 1)];
		uint64_t first = atomic_load(&entry->hash[0]);

		if (first == hash[0] && atomic_load(&entry->hash[1]) == hash[1]) {
			/* Said again: the later moment counts, and the longer time. */
			int64_t old_before = atomic_load(&entry->before), old_until = atomic_load(&entry->until);

			before = old_until > now_wall && old_before > before ? old_before : before;
			/* Not by fill(): there must be no moment without it. */
			atomic_store(&entry->before, before);
			if (old_until < revocation->until)
				atomic_store(&entry->until, revocation->until);
			return FG_OK;
		}
		if (place == NULL && (first == 0 || atomic_load(&entry->until) <= now_wall))
			place = entry;
		if (first == 0)
			break;
	}
	if (place == NULL) {
		if (atomic_load(&table->full_until) < revocation->until)
			atomic_store(&table->full_until, revocation->until);
		return FG_ERR_TOO_LARGE;
	}
	fill(place, hash, before, revocation->until);
	atomic_fetch_or(&table->kinds, kind_bit(revocation->kind, revocation->kind != FG_REVOKED_ISSUER && revocation->issuer.len > 0));
	return FG_OK;
}

bool
fg_revocation_lock(struct fg_revocation_table *table, fg_usec now)
{
	uint64_t old = atomic_load(&table->lease);

	return (fg_usec)old <= now && atomic_compare_exchange_strong(&table->lease, &old, (uint64_t)(now + LEASE_SPAN));
}

void
fg_revocation_unlock(struct fg_revocation_table *table)
{
	atomic_store(&table->lease, 0);
}

/* ---- looking */

static bool
is_listed(const struct fg_revocation_table *table, enum fg_revocation_kind kind, struct fg_str issuer, struct fg_str value,
    fg_usec issued, fg_usec now_wall)
{
	uint64_t hash[2];

	hash_of(hash, kind, issuer, value);
	for (size_t i = 0; i < WINDOW; i++) {
		const struct fg_revocation_entry *entry = &table->entries[(hash[0] + i) & (FG_MAX_REVOCATIONS - 1)];
		uint64_t first = atomic_load(&entry->hash[0]);

		if (first == 0)
			return false;
		if (first == hash[0] && atomic_load(&entry->hash[1]) == hash[1])
			return atomic_load(&entry->until) > now_wall && issued < atomic_load(&entry->before);
	}
	return false;
}

bool
fg_revocation_has(const struct fg_revocation_table *table, struct fg_str issuer, struct fg_str jti, struct fg_str sub,
    fg_usec issued, fg_usec now_wall)
{
	uint32_t kinds = atomic_load_explicit(&table->kinds, memory_order_relaxed);
	const struct {
		enum fg_revocation_kind kind;
		struct fg_str issuer, value;
		bool has_issuer;
	} questions[] = {
	    {FG_REVOKED_TOKEN, FG_STR_NONE, jti, false}, {FG_REVOKED_TOKEN, issuer, jti, true},
	    {FG_REVOKED_SUBJECT, FG_STR_NONE, sub, false}, {FG_REVOKED_SUBJECT, issuer, sub, true},
	    {FG_REVOKED_ISSUER, issuer, FG_STR_NONE, false},
	};

	for (size_t i = 0; kinds != 0 && i < FG_ARRAY_LEN(questions); i++) {
		if ((kinds & kind_bit(questions[i].kind, questions[i].has_issuer)) == 0)
			continue;
		if (questions[i].kind != FG_REVOKED_ISSUER && questions[i].value.len == 0)
			continue;
		if (is_listed(table, questions[i].kind, questions[i].issuer, questions[i].value, issued, now_wall))
			return true;
	}
	return false;
}

/* ---- said to the store */

static struct fg_str
format_ms(char *out, fg_usec moment)
{
	int len = snprintf(out, FG_REVOCATION_NUMBER_BYTES, "%lld", (long long)(moment / FG_US_PER_MS));

	return (struct fg_str){out, (size_t)len};
}

size_t
fg_revocation_command(struct fg_str args[FG_REVOCATION_ARGS], char *numbers, const struct fg_revocation *revocation, fg_usec now_wall)
{
	size_t n = 0;

	args[n++] = FG_STR("XADD");
	args[n++] = FG_STR(FG_REVOCATION_KEY);
	/* What is older has ended. */
	args[n++] = FG_STR("MINID");
	args[n++] = FG_STR("~");
	args[n++] = format_ms(numbers, now_wall - FG_REVOCATION_MAX);
	args[n++] = FG_STR("*");
	args[n++] = FG_STR("kind");
	args[n++] = fg_str_from(fg_revocation_kind_name(revocation->kind));
	args[n++] = FG_STR("issuer");
	args[n++] = revocation->issuer;
	args[n++] = FG_STR("value");
	args[n++] = revocation->value;
	args[n++] = FG_STR("before");
	args[n++] = format_ms(numbers + FG_REVOCATION_NUMBER_BYTES, revocation->before);
	args[n++] = FG_STR("until");
	args[n++] = format_ms(numbers + 2 * FG_REVOCATION_NUMBER_BYTES, revocation->until);
	FG_ASSERT(n == FG_REVOCATION_ARGS);
	return n;
}
