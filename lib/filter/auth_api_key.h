/* What a policy of type `api-key` says about its keys, for the command that makes and revokes them. */
#ifndef FG_FILTER_AUTH_API_KEY_H
#define FG_FILTER_AUTH_API_KEY_H

#include "core/api_key_record.h"
#include "filter/authenticator.h"

/* A table of hashes, each in the first free place from that of its first bytes on. */
struct fg_api_key_table {
	const struct fg_api_key_record **slots;
	size_t mask; /* of a power of two, at most half full */
};

struct fg_api_key_policy {
	struct fg_auth_policy auth;    /* type is FG_AUTH_TYPE_API_KEY */
	bool in_store;
	/* of a file */
	struct fg_str path;            /* NUL-terminated */
	struct fg_api_key_file file;   /* as it was when the configuration was read */
	struct fg_api_key_table table;
	/* of the store */
	fg_usec cache, stale;
};

#endif
