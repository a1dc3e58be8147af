/*
 * Users and password hashes of an htpasswd file, and the check of a password, which takes tens of milliseconds by design
 * and therefore runs on a helper thread (loop/offload.h).
 *
 * Taken: bcrypt ($2y$, $2b$, $2a$) and SHA-crypt ($5$, $6$), through crypt_r(3). MD5, DES, SHA1 and plain text are refused.
 */
#ifndef FG_TOKEN_PASSWORD_H
#define FG_TOKEN_PASSWORD_H

#include "base/assert.h"
#include "base/err.h"
#include "loop/offload.h"

struct fg_htpasswd; /* immutable */

enum { FG_HTPASSWD_REPORT_BYTES = 200 };

struct fg_htpasswd_report {
	unsigned line; /* of the mistake, from 1; 0: the file as a whole */
	char message[FG_HTPASSWD_REPORT_BYTES];
};

/*
 * Lines "user:hash"; empty ones and those that begin with '#' do not count. FG_OK, or FG_ERR_SYNTAX (a line that is not that,
 * a hash not taken or too costly, a user twice, no user at all), or FG_ERR_TOO_LARGE; then *report says what and where, never
 * the hash.
 */
FG_MUST_CHECK enum fg_err fg_htpasswd_parse(struct fg_htpasswd **out, struct fg_str text, struct fg_htpasswd_report *report);
void fg_htpasswd_free(struct fg_htpasswd *users); /* NULL: nothing; checks that run have copies */
size_t fg_htpasswd_count(const struct fg_htpasswd *users);

/* Pure: no state but its arguments, any thread. hash: a whole crypt(3) string. Constant time for hashes of one cost. A password
 * with a NUL is no password. */
bool fg_password_verify(const char *hash, struct fg_str password);

struct fg_password_check;
/* From the loop, once, unless cancelled. */
typedef void fg_password_fn(bool ok, void *arg);

/*
 * Starts a check; user and password are copied, and wiped at its end. A user who is not in the file costs what the costliest
 * hash of it costs. NULL when the queue is full (FG_ERR_OVERLOADED is the answer). A password over FG_MAX_PASSWORD_BYTES is
 * wrong.
 */
struct fg_password_check *fg_password_check_start(struct fg_offload *offload, const struct fg_htpasswd *users,
    struct fg_str user, struct fg_str password, fg_password_fn *fn, void *arg);
/* fn is not called any more; the check frees itself. Not after fn was called. */
void fg_password_check_cancel(struct fg_password_check *check);

#endif
