/* The check of a password: crypt_r(3), on a helper thread. The only user of crypt.h. */
#include "token/password.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "token/password_internal.h"

enum { MAX_HASH_BYTES = CRYPT_OUTPUT_SIZE };

struct fg_password_check {
	struct fg_job job;
	struct fg_offload *offload; /* borrowed */
	fg_password_fn *fn;
	void *arg;
	bool known, ok;
	char hash[MAX_HASH_BYTES];
	char password[FG_MAX_PASSWORD_BYTES + 1];
	size_t password_len;
};

bool
fg_password_verify(const char *hash, struct fg_str password)
{
	struct crypt_data *data;
	char text[FG_MAX_PASSWORD_BYTES + 1];
	const char *made;
	bool ok;

	if (password.len > FG_MAX_PASSWORD_BYTES || fg_str_find(password, '\0') < password.len)
		return false;
	/* 32 KiB: too much for a thread's stack to take for granted. */
	data = calloc(1, sizeof(*data));
	FG_ASSERT(data != NULL);
	if (password.len > 0)
		memcpy(text, password.p, password.len);
	text[password.len] = '\0';
	made = crypt_r(text, hash, data);
	ok = made != NULL && fg_str_eq_secret(fg_str_from(made), fg_str_from(hash));
	explicit_bzero(text, sizeof(text));
	explicit_bzero(data, sizeof(*data));
	free(data);
	return ok;
}

static void
work(struct fg_job *job)
{
	struct fg_password_check *check = FG_CONTAINER_OF(job, struct fg_password_check, job);
	bool equal = fg_password_verify(check->hash, (struct fg_str){check->password, check->password_len});

	check->ok = equal && check->known;
}

static void
done(struct fg_job *job, bool cancelled)
{
	struct fg_password_check *check = FG_CONTAINER_OF(job, struct fg_password_check, job);
	fg_password_fn *fn = check->fn;
	void *arg = check->arg;
	bool ok = check->ok;

	explicit_bzero(check, sizeof(*check));
	free(check);
	if (!cancelled)
		fn(ok, arg);
}

struct fg_password_check *
fg_password_check_start(struct fg_offload *offload, const struct fg_htpasswd *users, struct fg_str user,
    struct fg_str password, fg_password_fn *fn, void *arg)
{
	struct fg_password_check *check = calloc(1, sizeof(*check));
	const char *hash;
	size_t hash_len;

	FG_ASSERT(check != NULL);
	hash = fg_htpasswd_hash(users, user, &check->known);
	hash_len = strlen(hash);
	FG_ASSERT(hash_len < sizeof(check->hash));
	memcpy(check->hash, hash, hash_len);
	check->offload = offload;
	check->fn = fn;
	check->arg = arg;
	/* What is no password takes as long as one that is wrong. */
	if (password.len > FG_MAX_PASSWORD_BYTES || fg_str_find(password, '\0') < password.len) {
		check->known = false;
		password = FG_STR_NONE;
	}
	if (password.len > 0)
		memcpy(check->password, password.p, password.len);
	check->password_len = password.len;
	if (fg_offload_start(offload, &check->job, work, done))
		return check;
	explicit_bzero(check, sizeof(*check));
	free(check);
	return NULL;
}

void
fg_password_check_cancel(struct fg_password_check *check)
{
	fg_offload_cancel(check->offload, &check->job);
}
