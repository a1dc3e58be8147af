/* Within token/ only: what the check asks of the file. */
#ifndef FG_TOKEN_PASSWORD_INTERNAL_H
#define FG_TOKEN_PASSWORD_INTERNAL_H

#include "token/password.h"

/* The user's hash; for somebody unknown the costliest of the file, to be worked on all the same. Belongs to users. */
const char *fg_htpasswd_hash(const struct fg_htpasswd *users, struct fg_str name, bool *known);

#endif
