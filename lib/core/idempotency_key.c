/* Idempotency-Key: its forms, and the hashes by which it and its request are known. */
#include "core/idempotency_key.h"

#include "base/buf.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/identity.h"
#include "core/var.h"
#include "token/sha256.h"

_Static_assert((int)FG_IDEMPOTENCY_HASH_BYTES == (int)FG_SHA256_BYTES, "it is SHA-256");

/* ---- the key */

static bool
is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != ',' && c != ';';
}

static bool
parse_plain(struct fg_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_plain(text.p[i]))
			return false;
	return true;
}

/* What stands between the quotes. */
static bool
parse_quoted(struct fg_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c < ' ' || c >= 0x7f || c == '"')
			return false;
		if (c == '\\' && (++i == text.len || (text.p[i] != '"' && text.p[i] != '\\')))
			return false;
	}
	return true;
}

enum fg_err
fg_idempotency_key_of(const struct fg_headers *headers, struct fg_str header, struct fg_str *key)
{
	const struct fg_header *found = fg_headers_find(headers, header);
	struct fg_str text;
	bool ok;

	if (found == NULL)
		return FG_ERR_IDEMPOTENCY_KEY_MISSING;
	for (size_t i = (size_t)(found - headers->v) + 1; i < headers->count; i++)
		if (fg_str_ieq(headers->v[i].name, header))
			return FG_ERR_IDEMPOTENCY_KEY_INVALID;
	text = fg_str_trim(found->value);
	if (text.len >= 2 && text.p[0] == '"' && text.p[text.len - 1] == '"') {
		text = fg_str_slice(text, 1, text.len - 1);
		ok = parse_quoted(text);
	} else {
		ok = parse_plain(text);
	}
	if (!ok || text.len == 0 || text.len > FG_MAX_IDEMPOTENCY_KEY_BYTES)
		return FG_ERR_IDEMPOTENCY_KEY_INVALID;
	if (key != NULL)
		*key = text;
	return FG_OK;
}

/* ---- hashes: of an encoding in which every part says how long it is */

struct writer {
	struct fg_arena *arena;
	struct fg_str parts[4 * FG_MAX_IDEMPOTENCY_PARTS + 16];
	size_t count;
};

static void
write_part(struct writer *writer, struct fg_str text)
{
	uint64_t *len = fg_arena_alloc(writer->arena, sizeof(*len));

	FG_ASSERT(writer->count + 2 <= FG_ARRAY_LEN(writer->parts));
	*len = text.len;
	writer->parts[writer->count++] = (struct fg_str){(const char *)len, sizeof(*len)};
	writer->parts[writer->count++] = text;
}

static void
finish(struct writer *writer, uint8_t hash[FG_IDEMPOTENCY_HASH_BYTES])
{
	struct fg_str all = fg_arena_join(writer->arena, writer->parts, writer->count);

	fg_sha256(hash, all.p, all.len);
}

bool
fg_idempotency_record(uint8_t record[FG_IDEMPOTENCY_HASH_BYTES], struct fg_exchange *x, const struct fg_var *by,
    size_t by_count, struct fg_str key)
{
	struct writer writer = {.arena = &x->arena};

	FG_ASSERT(by_count <= FG_MAX_IDEMPOTENCY_PARTS);
	write_part(&writer, x->route->name);
	write_part(&writer, key);
	for (size_t i = 0; i < by_count; i++) {
		struct fg_str value;

		if (!fg_var_get(&by[i], x, &value))
			return false;
		write_part(&writer, fg_var_format(&by[i], &x->arena));
		write_part(&writer, by[i].kind == FG_VAR_CONSUMER || by[i].kind == FG_VAR_CLAIM
			? FG_ARENA_CONCAT(&x->arena, x->identity->policy, FG_STR("\n"), value)
			: value);
	}
	finish(&writer, record);
	return true;
}

void
fg_idempotency_fingerprint(uint8_t fingerprint[FG_IDEMPOTENCY_HASH_BYTES], struct fg_exchange *x)
{
	const struct fg_header *coding = fg_headers_find(&x->req.headers, FG_STR("Content-Encoding"));
	struct writer writer = {.arena = &x->arena};
	uint8_t body[FG_SHA256_BYTES];

	fg_sha256(body, x->body.p == NULL ? "" : x->body.p, x->body.len);
	write_part(&writer, x->req.method);
	write_part(&writer, x->req.host);
	write_part(&writer, x->req.uri.path);
	write_part(&writer, x->req.uri.has_query ? FG_STR("?") : FG_STR_NONE);
	write_part(&writer, x->req.uri.query);
	write_part(&writer, fg_headers_value(&x->req.headers, FG_HDR_CONTENT_TYPE));
	write_part(&writer, coding == NULL ? FG_STR_NONE : coding->value);
	write_part(&writer, (struct fg_str){(const char *)body, sizeof(body)});
	finish(&writer, fingerprint);
}
