/* Keys of limits: an encoding in which every part says how long it is, then SHA-256. */
#include "limit/limit_store.h"
#include "token/sha256.h"

struct writer {
	char *p;
	size_t len;
};

static void
write_number(struct writer *writer, uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		writer->p[writer->len++] = (char)(number >> (8 * i));
}

static void
write_text(struct writer *writer, struct fg_str text)
{
	write_number(writer, text.len);
	if (text.len > 0)
		memcpy(writer->p + writer->len, text.p, text.len);
	writer->len += text.len;
}

void
fg_limit_id(uint8_t id[FG_LIMIT_ID_BYTES], struct fg_str name, const struct fg_limit *limit)
{
	/* How stores write records: programs that write others do not meet them. */
	enum { LAYOUT = 2 };
	char numbers[6 * 8 + FG_LIMIT_ID_BYTES];
	struct writer writer = {numbers, 0};

	/* The name's hash first: then all else has a fixed length. */
	fg_sha256((uint8_t *)numbers, name.p, name.len);
	writer.len = FG_SHA256_BYTES;
	write_number(&writer, LAYOUT);
	write_number(&writer, limit->algorithm);
	write_number(&writer, (uint64_t)limit->count);
	write_number(&writer, (uint64_t)limit->period);
	write_number(&writer, limit->algorithm == FG_LIMIT_TOKEN_BUCKET ? (uint64_t)limit->burst : 0);
	write_number(&writer, limit->calendar);
	fg_sha256(id, numbers, writer.len);
}

static uint64_t
read_number(const uint8_t *bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number |= (uint64_t)bytes[i] << (8 * i);
	return number;
}

void
fg_limit_key_make(struct fg_limit_key *key, const uint8_t id[FG_LIMIT_ID_BYTES], const struct fg_limit_part *parts,
    size_t count, bool with_tag, struct fg_arena *arena)
{
	size_t size = FG_LIMIT_ID_BYTES;
	uint8_t hash[FG_SHA256_BYTES];
	struct writer writer;

	for (size_t i = 0; i < count; i++)
		size += 3 * 8 + parts[i].name.len + parts[i].value.len;
	writer = (struct writer){fg_arena_alloc(arena, size), FG_LIMIT_ID_BYTES};
	memcpy(writer.p, id, FG_LIMIT_ID_BYTES);
	for (size_t i = 0; i < count; i++) {
		write_number(&writer, parts[i].kind);
		write_text(&writer, parts[i].name);
		write_text(&writer, parts[i].value);
	}
	fg_sha256(hash, writer.p, writer.len);
	key->v[0] = read_number(hash);
	key->v[1] = read_number(hash + 8);
	if (!with_tag)
		return;
	fg_sha256(hash, writer.p + FG_LIMIT_ID_BYTES, writer.len - FG_LIMIT_ID_BYTES);
	memcpy(key->tag, hash, FG_LIMIT_TAG_BYTES);
}

bool
fg_limit_all_allowed(const struct fg_limit_ask *asks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!asks[i].reading.allowed && !asks[i].is_observed)
			return false;
	return true;
}
