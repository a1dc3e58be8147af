/* Finding and becoming the user that workers run as; the contract stands in privileges.h. */
#include <config.h> /* _GNU_SOURCE: setresuid */

#include "fcgi-app/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "core/config.h"

bool
fg_privileges_find(struct fg_privileges *privileges, const struct fg_config *config, const struct fg_log *log)
{
	const struct passwd *user;

	*privileges = (struct fg_privileges){.drop = false};
	if (config->user.len == 0)
		return true;
	privileges->name = strndup(config->user.p, config->user.len);
	FG_ASSERT(privileges->name != NULL);
	user = getpwnam(privileges->name);
	if (user == NULL) {
		FG_LOG(log, ERROR, "supervisor", "there is no such user", FG_F_STR("user", config->user));
	} else if (geteuid() != 0 && user->pw_uid != geteuid()) {
		FG_LOG(log, ERROR, "supervisor", "only root can start workers as another user",
		    FG_F_STR("user", config->user));
	} else {
		privileges->drop = geteuid() == 0 && user->pw_uid != 0;
		privileges->uid = user->pw_uid;
		privileges->gid = user->pw_gid;
		return true;
	}
	fg_privileges_fini(privileges);
	return false;
}

void
fg_privileges_fini(struct fg_privileges *privileges)
{
	free(privileges->name);
	privileges->name = NULL;
}

bool
fg_privileges_drop(const struct fg_privileges *privileges, const struct fg_log *log)
{
	if (!privileges->drop)
		return true;
	/* Groups first: afterwards they may not be changed any more. */
	if (initgroups(privileges->name, privileges->gid) == 0 &&
	    setresgid(privileges->gid, privileges->gid, privileges->gid) == 0 &&
	    setresuid(privileges->uid, privileges->uid, privileges->uid) == 0)
		return true;
	FG_LOG(log, ERROR, "supervisor", "a worker cannot become its user", FG_F_CSTR("user", privileges->name),
	    FG_F_CSTR("because", strerror(errno)));
	return false;
}

void
fg_privileges_make_log(const struct fg_privileges *privileges, const struct fg_config *config)
{
	struct fg_str path = config->access_log.path;
	char *file;
	int fd;

	if (!privileges->drop || path.len == 0 || path.p[0] != '/')
		return;
	file = strndup(path.p, path.len);
	FG_ASSERT(file != NULL);
	/* Only a file that this very call makes changes hands: one that stands there may be somebody's trap. */
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd >= 0) {
		(void)!fchown(fd, privileges->uid, privileges->gid);
		close(fd);
	}
	free(file);
}
