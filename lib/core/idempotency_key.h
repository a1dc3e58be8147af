/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): what a client sends, whose it is, and what the request is that
 * goes with it. All of it as hashes: the store never sees a key, nor a body.
 */
#ifndef FG_CORE_IDEMPOTENCY_KEY_H
#define FG_CORE_IDEMPOTENCY_KEY_H

#include "http/headers.h"
#include "idempotency/idempotency_record.h"

struct fg_exchange;
struct fg_var;

/*
 * The key in that header: a string in quotes (RFC 8941 §3.3.3, as the draft has it), or the same without, as many clients
 * send it: visible characters but quote, backslash, comma and semicolon. Both are one key. *key, which may be NULL, gets it
 * without quotes, escapes kept. FG_ERR_IDEMPOTENCY_KEY_MISSING; FG_ERR_IDEMPOTENCY_KEY_INVALID: another form, empty, longer
 * than FG_MAX_IDEMPOTENCY_KEY_BYTES, or sent twice.
 */
enum fg_err fg_idempotency_key_of(const struct fg_headers *headers, struct fg_str header, struct fg_str *key) FG_MUST_CHECK;

/*
 * The name of its record: of the route, the values of `by`, and the key; no two of them have the same name. False:
 * a variable is absent, so that nobody can say whose key it is. With `consumer` goes the policy that has found out: what two
 * of them call alice are two.
 */
bool fg_idempotency_record(uint8_t record[FG_IDEMPOTENCY_HASH_BYTES], struct fg_exchange *x, const struct fg_var *by,
    size_t by_count, struct fg_str key);

/* What has to be the same when a key comes again: method, host, canonical path, query, content type and coding, body. */
void fg_idempotency_fingerprint(uint8_t fingerprint[FG_IDEMPOTENCY_HASH_BYTES], struct fg_exchange *x);

#endif
