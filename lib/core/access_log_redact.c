/*
 * Which parts of a query string do not go into a log: values of parameters whose names say that they are credentials.
 * A judgement by name can never be complete; a gateway's log is read by more people than a service's passwords are.
 */
#include "base/str.h"
#include "core/access_log.h"

enum { NAME_ROOM = 64 };

/* A name that ends so is a credential's, whatever stands before: clientSecret, csrf-token, user[password]. */
static const struct fg_str endings[] = {
    FG_STR_INIT("token"), FG_STR_INIT("secret"), FG_STR_INIT("password"), FG_STR_INIT("passwd"),
    FG_STR_INIT("passphrase"), FG_STR_INIT("signature"), FG_STR_INIT("apikey"), FG_STR_INIT("accesskey"),
    FG_STR_INIT("privatekey"), FG_STR_INIT("credential"), FG_STR_INIT("credentials"), FG_STR_INIT("authorization"),
    FG_STR_INIT("assertion"), FG_STR_INIT("samlresponse"),
};

/* The same for short words, which have to be the whole name or its last part: api_key, but not monkey. */
static const struct fg_str last_words[] = {
    FG_STR_INIT("key"), FG_STR_INIT("pwd"), FG_STR_INIT("sig"), FG_STR_INIT("auth"), FG_STR_INIT("jwt"),
    FG_STR_INIT("sid"), FG_STR_INIT("otp"), FG_STR_INIT("pin"),
};

/*
 * The end of the name as the service will read it: percent-decoded, in lower case, all but letters and digits as '_',
 * none of those at the end.
 */
static struct fg_str
normalise(struct fg_str name, char room[NAME_ROOM])
{
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (c == '%' && i + 2 < name.len && fg_hex_value(name.p[i + 1]) >= 0 && fg_hex_value(name.p[i + 2]) >= 0) {
			c = (char)(fg_hex_value(name.p[i + 1]) * 16 + fg_hex_value(name.p[i + 2]));
			i += 2;
		}
		if (len == NAME_ROOM) {
			memmove(room, room + NAME_ROOM / 2, NAME_ROOM / 2);
			len = NAME_ROOM / 2;
		}
		room[len++] = fg_ascii_is_alnum(c) ? fg_ascii_lower(c) : '_';
	}
	while (len > 0 && room[len - 1] == '_')
		len--;
	return (struct fg_str){room, len};
}

static bool
is_credential(struct fg_str name)
{
	char room[NAME_ROOM];
	struct fg_str end = normalise(name, room);

	for (size_t i = 0; i < FG_ARRAY_LEN(endings); i++)
		if (fg_str_ends_with(end, endings[i]))
			return true;
	for (size_t i = 0; i < FG_ARRAY_LEN(last_words); i++)
		if (fg_str_ends_with(end, last_words[i]) &&
		    (end.len == last_words[i].len || end.p[end.len - last_words[i].len - 1] == '_'))
			return true;
	return false;
}

/* What the configuration takes credentials from, as the service may spell it. */
static bool
is_listed(struct fg_str name, const struct fg_str *list, size_t count)
{
	char room[NAME_ROOM], its_room[NAME_ROOM];
	struct fg_str end = count == 0 ? FG_STR_NONE : normalise(name, room);

	for (size_t i = 0; i < count; i++)
		if (fg_str_eq(normalise(list[i], its_room), end))
			return true;
	return false;
}

/* Where the parameter that begins at `at` ends, and where its name does. */
static size_t
parameter_end(struct fg_str query, size_t at, size_t *name_end)
{
	*name_end = query.len;
	for (; at < query.len && query.p[at] != '&' && query.p[at] != ';'; at++)
		if (query.p[at] == '=' && *name_end == query.len)
			*name_end = at;
	return at;
}

struct fg_str
fg_query_redact(struct fg_str query, const struct fg_str *credentials, size_t credential_count, char *room, size_t size)
{
	size_t copied = 0, len = 0, name_end;

	for (size_t at = 0, end; at < query.len; at = end + 1) {
		struct fg_str keep, name;

		end = parameter_end(query, at, &name_end);
		if (name_end >= end || name_end + 1 == end)
			continue;
		name = fg_str_slice(query, at, name_end);
		if (!is_credential(name) && !is_listed(name, credentials, credential_count))
			continue;
		keep = fg_str_slice(query, copied, name_end + 1);
		if (keep.len + 3 > size - len)
			return (struct fg_str){room, len};
		memcpy(room + len, keep.p, keep.len);
		memcpy(room + len + keep.len, "***", 3);
		len += keep.len + 3;
		copied = end;
	}
	if (copied == 0)
		return query;
	query = fg_str_slice(query, copied, query.len);
	if (query.len > size - len)
		query.len = size - len;
	if (query.len > 0)
		memcpy(room + len, query.p, query.len);
	return (struct fg_str){room, len + query.len};
}
