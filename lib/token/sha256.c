/* SHA-256 by OpenSSL. */
#include "token/sha256.h"

#include <openssl/sha.h>

#include "base/assert.h"

void
fg_sha256(uint8_t out[FG_SHA256_BYTES], const void *data, size_t len)
{
	FG_ASSERT(SHA256(data, len, out) != NULL);
}
