/*
 * API keys in the store (Redis): "fg:key:HEX" is a hash with the fields of one record, HEX the SHA-256 of the key; the hash
 * "fg:keys" has the HEX of each prefix, for people to find one by.
 */
#ifndef FG_CORE_API_KEY_STORE_H
#define FG_CORE_API_KEY_STORE_H

#include "core/api_key_record.h"

enum { FG_API_KEY_STORE_KEY_BYTES = 7 + 2 * FG_API_KEY_HASH_BYTES + 1 };
#define FG_API_KEY_STORE_INDEX "fg:keys"

/* "fg:key:HEX", NUL-terminated. */
void fg_api_key_store_key(char *out, const struct fg_api_key_hash *hash);
/* Names and values of the fields of a record, for HSET; in the arena. Their count (two a field). */
size_t fg_api_key_store_fields(const struct fg_api_key_record *record, struct fg_arena *arena, const struct fg_str **out);
/* The record of such fields, copied into the arena; its hash is the caller's to set. False: they are not those of one. */
bool fg_api_key_store_parse(struct fg_api_key_record *out, const struct fg_str *fields, size_t count, struct fg_arena *arena);

#endif
