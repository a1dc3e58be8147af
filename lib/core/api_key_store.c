/* Records of API keys as fields of a Redis hash. */
#include "core/api_key_store.h"

#include <stdio.h>

#include "base/limits.h"

static const struct fg_str meta_prefix = FG_STR_INIT("meta:");

void
fg_api_key_store_key(char *out, const struct fg_api_key_hash *hash)
{
	char text[FG_API_KEY_HASH_TEXT_LEN + 1];

	fg_api_key_hash_format(text, hash);
	snprintf(out, FG_API_KEY_STORE_KEY_BYTES, "fg:key:%s", text + FG_API_KEY_HASH_TEXT_LEN - 2 * FG_API_KEY_HASH_BYTES);
}

static void
put_field(struct fg_str *fields, size_t *count, struct fg_str name, struct fg_str value)
{
	fields[(*count)++] = name;
	fields[(*count)++] = value;
}

static void
put_time(struct fg_str *fields, size_t *count, struct fg_str name, fg_usec wall, struct fg_arena *arena)
{
	if (wall != 0)
		put_field(fields, count, name, fg_arena_u64(arena, (uint64_t)(wall / FG_US_PER_S)));
}

size_t
fg_api_key_store_fields(const struct fg_api_key_record *record, struct fg_arena *arena, const struct fg_str **out)
{
	struct fg_str *fields = FG_ARENA_ARRAY(arena, struct fg_str, 10 + 2 * record->meta_count);
	size_t count = 0;

	put_field(fields, &count, FG_STR("consumer"), record->consumer);
	put_field(fields, &count, FG_STR("prefix"), record->prefix);
	put_time(fields, &count, FG_STR("created"), record->created, arena);
	put_time(fields, &count, FG_STR("expires"), record->expires, arena);
	put_time(fields, &count, FG_STR("revoked"), record->revoked, arena);
	for (size_t i = 0; i < record->meta_count; i++)
		put_field(fields, &count, FG_ARENA_CONCAT(arena, meta_prefix, record->meta[i].name), record->meta[i].value);
	*out = fields;
	return count;
}

static bool
parse_time(struct fg_str text, fg_usec *wall)
{
	uint64_t seconds;

	if (!fg_str_to_u64(text, &seconds) || seconds == 0 || seconds > INT64_MAX / FG_US_PER_S)
		return false;
	*wall = (fg_usec)seconds * FG_US_PER_S;
	return true;
}

/* A field that is not known was written by a later version; what it says might be a condition, so it is not passed over. */
bool
fg_api_key_store_parse(struct fg_api_key_record *out, const struct fg_str *fields, size_t count, struct fg_arena *arena)
{
	struct fg_name_value *meta = FG_ARENA_ARRAY(arena, struct fg_name_value, count / 2);
	bool ok = count % 2 == 0 && count / 2 <= FG_MAX_API_KEY_META + 5;

	*out = (struct fg_api_key_record){.meta = meta};
	for (size_t i = 0; ok && i < count; i += 2) {
		struct fg_str name = fields[i], value = fields[i + 1];

		if (fg_str_eq(name, FG_STR("consumer")))
			out->consumer = fg_arena_str(arena, value);
		else if (fg_str_eq(name, FG_STR("prefix")))
			out->prefix = fg_arena_str(arena, value);
		else if (fg_str_eq(name, FG_STR("created")))
			ok = parse_time(value, &out->created);
		else if (fg_str_eq(name, FG_STR("expires")))
			ok = parse_time(value, &out->expires);
		else if (fg_str_eq(name, FG_STR("revoked")))
			ok = parse_time(value, &out->revoked);
		else if ((ok = fg_str_starts_with(name, meta_prefix)))
			meta[out->meta_count++] = (struct fg_name_value){
			    fg_arena_str(arena, fg_str_slice(name, meta_prefix.len, name.len)), fg_arena_str(arena, value)};
		ok = ok && fg_api_key_text_is_good(value);
	}
	return ok && out->consumer.len > 0;
}
