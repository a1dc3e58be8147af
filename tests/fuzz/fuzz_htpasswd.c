/*
 * An htpasswd file of any bytes: it is taken as a whole, every hash of it whole and cheap enough to be worked on, or refused
 * with a message that is text.
 */
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "token/password_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fg_str text = {(const char *)data, size};
	struct fg_htpasswd_report report;
	struct fg_htpasswd *users;
	bool known;

	if (fg_htpasswd_parse(&users, text, &report) != FG_OK) {
		FG_ASSERT(users == NULL && report.message[0] != '\0' && strlen(report.message) < sizeof(report.message));
		return 0;
	}
	FG_ASSERT(fg_htpasswd_count(users) > 0);
	FG_ASSERT(fg_htpasswd_hash(users, FG_STR("\n"), &known)[0] == '$' && !known);
	fg_htpasswd_free(users);
	return 0;
}
