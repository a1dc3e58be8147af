/* Reading an htpasswd file: lines of "user:hash", sorted by user. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "token/password_internal.h"

struct user {
	struct fg_str name;
	const char *hash;
	unsigned long cost; /* comparable among all */
};

struct fg_htpasswd {
	struct fg_arena arena; /* of all that users[] points to, and of users[] */
	struct user *users;    /* sorted by name */
	size_t count;
	const struct user *costliest;
};

enum { BCRYPT_LEN = 60, SHA_ROUNDS_DEFAULT = 5000, SHA_ROUNDS_MIN = 1000 };

static bool
say(struct fg_htpasswd_report *report, unsigned line, const char *message)
{
	report->line = line;
	snprintf(report->message, sizeof(report->message), "%s", message);
	return false;
}

/* True when all of s is of the alphabet of crypt(3). */
static bool
is_crypt_text(struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!fg_ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '/')
			return false;
	return true;
}

/* "$2y$10$" and 53 characters. The cost is given in rounds of SHA-crypt that take about as long. */
static const char *
judge_bcrypt(struct fg_str hash, unsigned long *cost)
{
	uint64_t log2 = 0;

	if (hash.len != BCRYPT_LEN || hash.p[6] != '$' || !fg_str_to_u64(fg_str_slice(hash, 4, 6), &log2) || log2 < 4 ||
	    log2 > 31 || !is_crypt_text(fg_str_slice(hash, 7, hash.len)))
		return "not a whole bcrypt hash";
	if (log2 > FG_MAX_BCRYPT_COST)
		return "a bcrypt cost over 16 takes too long for a request";
	*cost = 40ul << log2;
	return NULL;
}

/* "$6$salt$hash", "$6$rounds=N$salt$hash" (Drepper: "Unix crypt using SHA-256 and SHA-512"). */
static const char *
judge_sha(struct fg_str hash, size_t digest_len, unsigned long *cost)
{
	const struct fg_str prefix = FG_STR("rounds=");
	struct fg_str rest = fg_str_slice(hash, 3, hash.len), salt;
	uint64_t rounds = SHA_ROUNDS_DEFAULT;

	if (fg_str_starts_with(rest, prefix)) {
		size_t end = fg_str_find(rest, '$');

		if (!fg_str_to_u64(fg_str_slice(rest, prefix.len, end), &rounds) || rounds < SHA_ROUNDS_MIN)
			return "not a whole SHA-crypt hash";
		rest = fg_str_slice(rest, end + 1, rest.len);
	}
	salt = fg_str_slice(rest, 0, fg_str_find(rest, '$'));
	rest = fg_str_slice(rest, salt.len + 1, rest.len);
	if (salt.len > 16 || !is_crypt_text(salt) || rest.len != digest_len || !is_crypt_text(rest))
		return "not a whole SHA-crypt hash";
	if (rounds > FG_MAX_SHACRYPT_ROUNDS)
		return "more than 1000000 rounds of SHA-crypt take too long for a request";
	*cost = (unsigned long)rounds;
	return NULL;
}

/* NULL when the hash is taken, else what is wrong with it. */
static const char *
judge_hash(struct fg_str hash, unsigned long *cost)
{
	if (fg_str_starts_with(hash, FG_STR("$2y$")) || fg_str_starts_with(hash, FG_STR("$2b$")) ||
	    fg_str_starts_with(hash, FG_STR("$2a$")))
		return judge_bcrypt(hash, cost);
	if (fg_str_starts_with(hash, FG_STR("$5$")))
		return judge_sha(hash, 43, cost);
	if (fg_str_starts_with(hash, FG_STR("$6$")))
		return judge_sha(hash, 86, cost);
	if (fg_str_starts_with(hash, FG_STR("$apr1$")) || fg_str_starts_with(hash, FG_STR("$1$")))
		return "an MD5 hash is too weak; use htpasswd -B (bcrypt)";
	if (fg_str_starts_with(hash, FG_STR("{SHA}")))
		return "an unsalted SHA-1 hash is too weak; use htpasswd -B (bcrypt)";
	return "neither bcrypt ($2y$) nor SHA-crypt ($5$, $6$); plain text and DES are not taken; use htpasswd -B";
}

static bool
read_line(struct fg_htpasswd *users, struct fg_str text, unsigned line, struct fg_htpasswd_report *report)
{
	struct fg_str name = fg_str_slice(text, 0, fg_str_find(text, ':'));
	struct fg_str hash = fg_str_slice(text, name.len + 1, text.len);
	struct user *user = &users->users[users->count];
	const char *wrong;

	if (name.len == 0 || name.len == text.len || !fg_is_field_value(name))
		return say(report, line, "not \"user:hash\"");
	/* "user:hash:comment", as Apache's tools leave it, has nothing more to say. */
	hash = fg_str_slice(hash, 0, fg_str_find(hash, ':'));
	wrong = judge_hash(hash, &user->cost);
	if (wrong != NULL)
		return say(report, line, wrong);
	user->name = fg_arena_str(&users->arena, name);
	user->hash = fg_arena_cstr(&users->arena, hash);
	users->count++;
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return fg_str_cmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

static bool
read_lines(struct fg_htpasswd *users, struct fg_str text, struct fg_htpasswd_report *report)
{
	struct fg_str rest = text, item;
	unsigned line = 0;

	while (fg_str_next(&rest, '\n', &item)) {
		line++;
		if (item.len > 0 && item.p[item.len - 1] == '\r')
			item.len--;
		if (item.len > 0 && item.p[0] != '#' && !read_line(users, item, line, report))
			return false;
	}
	return users->count > 0 || say(report, 0, "no user in it");
}

static bool
sort(struct fg_htpasswd *users, struct fg_htpasswd_report *report)
{
	qsort(users->users, users->count, sizeof(users->users[0]), by_name);
	users->costliest = &users->users[0];
	for (size_t i = 1; i < users->count; i++) {
		if (fg_str_eq(users->users[i].name, users->users[i - 1].name)) {
			snprintf(report->message, sizeof(report->message), "user %.64s stands there twice",
			    users->users[i].name.p);
			return false;
		}
		if (users->users[i].cost > users->costliest->cost)
			users->costliest = &users->users[i];
	}
	return true;
}

enum fg_err
fg_htpasswd_parse(struct fg_htpasswd **out, struct fg_str text, struct fg_htpasswd_report *report)
{
	struct fg_htpasswd *users;
	size_t lines = 1;

	*out = NULL;
	*report = (struct fg_htpasswd_report){.line = 0};
	if (text.len > FG_MAX_HTPASSWD_BYTES) {
		say(report, 0, "too long");
		return FG_ERR_TOO_LARGE;
	}
	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	users = calloc(1, sizeof(*users));
	FG_ASSERT(users != NULL);
	/* A line's copies are rounded up to 16 bytes each; its row stands beside them. */
	fg_arena_init(&users->arena, 2 * text.len + lines * 128 + 1024 * 1024, NULL, 0);
	users->users = FG_ARENA_ARRAY(&users->arena, struct user, lines);
	if (!read_lines(users, text, report) || !sort(users, report)) {
		fg_htpasswd_free(users);
		return FG_ERR_SYNTAX;
	}
	*out = users;
	return FG_OK;
}

void
fg_htpasswd_free(struct fg_htpasswd *users)
{
	if (users == NULL)
		return;
	fg_arena_fini(&users->arena);
	free(users);
}

size_t
fg_htpasswd_count(const struct fg_htpasswd *users)
{
	return users->count;
}

const char *
fg_htpasswd_hash(const struct fg_htpasswd *users, struct fg_str name, bool *known)
{
	const struct user key = {.name = name};
	const struct user *user = bsearch(&key, users->users, users->count, sizeof(key), by_name);

	*known = user != NULL;
	return user != NULL ? user->hash : users->costliest->hash;
}
