/* Between the files of `faregate key`: cmd_key.c (what was asked, what is said), key_records.c (records of a file or the store). */
#ifndef FG_APP_CMD_KEY_H
#define FG_APP_CMD_KEY_H

#include "core/config.h"
#include "filter/auth_api_key.h"

struct fg_key_place {
	const struct fg_config *config;
	const struct fg_api_key_policy *policy;
	struct fg_arena *arena; /* of what is read */
};

/*
 * Each says on standard error what is wrong, and gives an exit status (commands.h). A record of the store comes and goes by
 * itself, one of a file with the whole file, which is locked meanwhile.
 */
int fg_keys_add(struct fg_key_place *place, const struct fg_api_key_record *record);
/* Those whose prefix begins so; FG_EXIT_INPUT when there is none, or more than one. *record is as it was. */
int fg_keys_revoke(struct fg_key_place *place, struct fg_str prefix, fg_usec when, struct fg_api_key_record *record);
int fg_keys_list(struct fg_key_place *place, struct fg_api_key_file *out);

#endif
