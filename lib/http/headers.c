/* Header fields: an array in the exchange's arena, looked through from the front. */
#include "http/headers.h"

#include "base/limits.h"

enum { FIRST_CAP = 32 };

static const struct fg_str names[FG_HDR_COUNT] = {
#define FG_HEADER_ROW(symbol, name) [FG_HDR_##symbol] = FG_STR_INIT(name),
    FG_HEADER_TABLE(FG_HEADER_ROW)
#undef FG_HEADER_ROW
};

void
fg_headers_init(struct fg_headers *headers, struct fg_arena *arena)
{
	*headers = (struct fg_headers){.arena = arena};
}

static enum fg_header_id
pick(struct fg_str name, const enum fg_header_id *candidates)
{
	for (; *candidates != FG_HDR_UNKNOWN; candidates++)
		if (fg_ascii_lower(name.p[name.len - 1]) == fg_ascii_lower(names[*candidates].p[name.len - 1]) &&
		    fg_str_ieq(name, names[*candidates]))
			return *candidates;
	return FG_HDR_UNKNOWN;
}

#define PICK(...) pick(name, (const enum fg_header_id[]){__VA_ARGS__, FG_HDR_UNKNOWN})

enum fg_header_id
fg_header_id(struct fg_str name)
{
	/* By length: at most a handful are left to compare. A test holds that none is forgotten. */
	switch (name.len) {
	case 2: return PICK(FG_HDR_TE);
	case 3: return PICK(FG_HDR_VIA);
	case 4: return PICK(FG_HDR_HOST, FG_HDR_DATE);
	case 5: return PICK(FG_HDR_ALLOW, FG_HDR_PROXY);
	case 6: return PICK(FG_HDR_ACCEPT, FG_HDR_COOKIE, FG_HDR_SERVER, FG_HDR_STATUS, FG_HDR_EXPECT);
	case 7: return PICK(FG_HDR_TRAILER, FG_HDR_UPGRADE, FG_HDR_REFERER);
	case 8: return PICK(FG_HDR_LOCATION);
	case 9: return PICK(FG_HDR_FORWARDED);
	case 10: return PICK(FG_HDR_CONNECTION, FG_HDR_KEEP_ALIVE, FG_HDR_USER_AGENT, FG_HDR_TRACESTATE, FG_HDR_X_SENDFILE);
	case 11: return PICK(FG_HDR_RETRY_AFTER, FG_HDR_TRACEPARENT, FG_HDR_X_SENDFILE2);
	case 12: return PICK(FG_HDR_CONTENT_TYPE, FG_HDR_X_REQUEST_ID);
	case 13: return PICK(FG_HDR_AUTHORIZATION);
	case 14: return PICK(FG_HDR_CONTENT_LENGTH);
	case 15: return PICK(FG_HDR_X_FORWARDED_FOR);
	case 16: return PICK(FG_HDR_X_FORWARDED_HOST, FG_HDR_X_FORWARDED_PORT, FG_HDR_PROXY_CONNECTION, FG_HDR_X_ACCEL_REDIRECT);
	case 17: return PICK(FG_HDR_TRANSFER_ENCODING, FG_HDR_X_FORWARDED_PROTO);
	case 20: return PICK(FG_HDR_X_LIGHTTPD_SEND_FILE);
	case 24: return PICK(FG_HDR_X_LIGHTTPD_SEND_TEMPFILE);
	default: return FG_HDR_UNKNOWN;
	}
}

#undef PICK

struct fg_str
fg_header_name(enum fg_header_id id)
{
	FG_ASSERT(id > FG_HDR_UNKNOWN && id < FG_HDR_COUNT);
	return names[id];
}

static void
grow(struct fg_headers *headers)
{
	size_t cap = headers->cap == 0 ? FIRST_CAP : headers->cap * 2;
	struct fg_header *v = fg_arena_alloc(headers->arena, cap * sizeof(*v));

	if (headers->count > 0)
		memcpy(v, headers->v, headers->count * sizeof(*v));
	headers->v = v;
	headers->cap = cap;
}

enum fg_err
fg_headers_add(struct fg_headers *headers, struct fg_str name, struct fg_str value)
{
	if (headers->count == FG_MAX_HEADERS)
		return FG_ERR_HEADERS_TOO_LARGE;
	if (headers->count == headers->cap)
		grow(headers);
	headers->v[headers->count++] = (struct fg_header){.name = name, .value = value, .id = fg_header_id(name)};
	return FG_OK;
}

static bool
is_named(const struct fg_header *header, struct fg_str name, enum fg_header_id id)
{
	return header->id == id && (id != FG_HDR_UNKNOWN || fg_str_ieq(header->name, name));
}

/* Removes all of that name from index `from` on. */
static size_t
remove_from(struct fg_headers *headers, size_t from, struct fg_str name, enum fg_header_id id)
{
	size_t kept = from;

	for (size_t i = from; i < headers->count; i++)
		if (!is_named(&headers->v[i], name, id))
			headers->v[kept++] = headers->v[i];
	from = headers->count - kept;
	headers->count = kept;
	return from;
}

enum fg_err
fg_headers_set(struct fg_headers *headers, struct fg_str name, struct fg_str value)
{
	enum fg_header_id id = fg_header_id(name);

	for (size_t i = 0; i < headers->count; i++) {
		if (is_named(&headers->v[i], name, id)) {
			headers->v[i].value = value;
			remove_from(headers, i + 1, name, id);
			return FG_OK;
		}
	}
	return fg_headers_add(headers, name, value);
}

size_t
fg_headers_remove(struct fg_headers *headers, struct fg_str name)
{
	return remove_from(headers, 0, name, fg_header_id(name));
}

size_t
fg_headers_remove_id(struct fg_headers *headers, enum fg_header_id id)
{
	return remove_from(headers, 0, FG_STR_NONE, id);
}

size_t
fg_headers_remove_set(struct fg_headers *headers, uint64_t ids)
{
	size_t kept = 0, count = headers->count;

	ids &= ~FG_HEADER_BIT(FG_HDR_UNKNOWN);
	for (size_t i = 0; i < count; i++) {
		if (ids & FG_HEADER_BIT(headers->v[i].id))
			continue;
		if (kept != i)
			headers->v[kept] = headers->v[i];
		kept++;
	}
	headers->count = kept;
	return count - kept;
}

const struct fg_header *
fg_headers_find(const struct fg_headers *headers, struct fg_str name)
{
	enum fg_header_id id = fg_header_id(name);

	for (size_t i = 0; i < headers->count; i++)
		if (is_named(&headers->v[i], name, id))
			return &headers->v[i];
	return NULL;
}

bool
fg_headers_cookie(const struct fg_headers *headers, struct fg_str name, struct fg_str *value)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct fg_header *header = &headers->v[i];
		struct fg_str rest = header->value, pair;

		while (header->id == FG_HDR_COOKIE && fg_str_next(&rest, ';', &pair)) {
			size_t equals = fg_str_find(pair, '=');

			if (equals == pair.len || !fg_str_eq(fg_str_trim(fg_str_slice(pair, 0, equals)), name))
				continue;
			*value = fg_str_trim(fg_str_slice(pair, equals + 1, pair.len));
			return true;
		}
	}
	return false;
}

const struct fg_header *
fg_headers_find_id(const struct fg_headers *headers, enum fg_header_id id)
{
	for (size_t i = 0; i < headers->count; i++)
		if (headers->v[i].id == id)
			return &headers->v[i];
	return NULL;
}

struct fg_str
fg_headers_value(const struct fg_headers *headers, enum fg_header_id id)
{
	const struct fg_header *header = fg_headers_find_id(headers, id);

	return header == NULL ? FG_STR_NONE : header->value;
}

_Static_assert(FG_HDR_COUNT <= 64, "a set of ids is one word");

/* Takes away what a Connection header names. */
static void
remove_named_by(struct fg_headers *headers, struct fg_str connection)
{
	struct fg_str item;

	while (fg_str_next(&connection, ',', &item)) {
		item = fg_str_trim(item);
		/* Naming Host there must not take away what the service needs; Connection itself goes later. */
		if (item.len > 0 && fg_header_id(item) != FG_HDR_HOST && fg_header_id(item) != FG_HDR_CONNECTION)
			fg_headers_remove(headers, item);
	}
}

/* Index of the n-th header of that id, from 0; the count when there is none. */
static size_t
find_nth(const struct fg_headers *headers, enum fg_header_id id, size_t n)
{
	size_t i;

	for (i = 0; i < headers->count; i++)
		if (headers->v[i].id == id && n-- == 0)
			break;
	return i;
}

void
fg_headers_remove_hop_by_hop(struct fg_headers *headers)
{
	static const uint64_t standard = FG_HEADER_BIT(FG_HDR_CONNECTION) | FG_HEADER_BIT(FG_HDR_KEEP_ALIVE) |
	    FG_HEADER_BIT(FG_HDR_PROXY) | FG_HEADER_BIT(FG_HDR_PROXY_CONNECTION) | FG_HEADER_BIT(FG_HDR_TE) |
	    FG_HEADER_BIT(FG_HDR_TRAILER) | FG_HEADER_BIT(FG_HDR_TRANSFER_ENCODING) | FG_HEADER_BIT(FG_HDR_UPGRADE);

	/* Removing what one of them names moves headers, but no Connection: the n-th stays the n-th. */
	for (size_t n = 0, at = 0; (at = find_nth(headers, FG_HDR_CONNECTION, n)) < headers->count; n++)
		remove_named_by(headers, headers->v[at].value);
	fg_headers_remove_set(headers, standard);
}

/* ---- sets of names */

static uint64_t
length_bit(struct fg_str name)
{
	return UINT64_C(1) << (name.len % 64);
}

static char
fold(char c)
{
	return c == '_' ? '-' : fg_ascii_lower(c);
}

/* folded is in lower case with '-' already. */
static bool
is_spelling_of(struct fg_str name, struct fg_str folded)
{
	if (name.len != folded.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (fold(name.p[i]) != folded.p[i])
			return false;
	return true;
}

bool
fg_header_set_has(const struct fg_header_set *set, struct fg_str name)
{
	if ((set->lengths & length_bit(name)) == 0)
		return false;
	for (size_t i = 0; i < set->count; i++)
		if (is_spelling_of(name, set->names[i]))
			return true;
	return false;
}

void
fg_header_set_add(struct fg_header_set *set, struct fg_str name, struct fg_arena *arena)
{
	struct fg_str *grown;
	char *folded;

	if (fg_header_set_has(set, name))
		return;
	folded = fg_arena_cstr(arena, name);
	for (size_t i = 0; i < name.len; i++)
		folded[i] = fold(folded[i]);
	grown = FG_ARENA_ARRAY(arena, struct fg_str, set->count + 1);
	if (set->count > 0)
		memcpy(grown, set->names, set->count * sizeof(*grown));
	grown[set->count++] = (struct fg_str){folded, name.len};
	set->names = grown;
	set->lengths |= length_bit(name);
}

size_t
fg_headers_remove_named(struct fg_headers *headers, const struct fg_header_set *set)
{
	size_t kept = 0, count = headers->count;

	for (size_t i = 0; set->count > 0 && i < count; i++) {
		if (fg_header_set_has(set, headers->v[i].name))
			continue;
		if (kept != i)
			headers->v[kept] = headers->v[i];
		kept++;
	}
	if (set->count > 0)
		headers->count = kept;
	return count - headers->count;
}
