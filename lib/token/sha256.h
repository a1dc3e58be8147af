/* Within token/ only: SHA-256 of some bytes. */
#ifndef FG_TOKEN_SHA256_H
#define FG_TOKEN_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { FG_SHA256_BYTES = 32 };

void fg_sha256(uint8_t out[FG_SHA256_BYTES], const void *data, size_t len);

#endif
