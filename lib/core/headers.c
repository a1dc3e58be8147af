/* Header fields: an array in the exchange's arena, looked through from the front. */
#include "core/headers.h"

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

enum fg_header_id
fg_header_id(struct fg_str name)
{
	for (int id = 1; id < FG_HDR_COUNT; id++) {
		/* Length and first letter tell nearly all apart. */
		if (names[id].len == name.len && fg_ascii_upper(name.p[0]) == names[id].p[0] &&
		    fg_str_ieq(name, names[id]))
			return (enum fg_header_id)id;
	}
	return FG_HDR_UNKNOWN;
}

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

const struct fg_header *
fg_headers_find(const struct fg_headers *headers, struct fg_str name)
{
	enum fg_header_id id = fg_header_id(name);

	for (size_t i = 0; i < headers->count; i++)
		if (is_named(&headers->v[i], name, id))
			return &headers->v[i];
	return NULL;
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

void
fg_headers_remove_hop_by_hop(struct fg_headers *headers)
{
	static const enum fg_header_id standard[] = {FG_HDR_CONNECTION, FG_HDR_KEEP_ALIVE, FG_HDR_PROXY,
	    FG_HDR_PROXY_CONNECTION, FG_HDR_TE, FG_HDR_TRAILER, FG_HDR_TRANSFER_ENCODING, FG_HDR_UPGRADE};
	uint64_t present = 0;

	_Static_assert(FG_HDR_COUNT <= 64, "ids are bits of one word here");
	for (size_t i = 0; i < headers->count; i++)
		present |= UINT64_C(1) << headers->v[i].id;
	while (present & (UINT64_C(1) << FG_HDR_CONNECTION)) {
		const struct fg_header *connection = fg_headers_find_id(headers, FG_HDR_CONNECTION);
		struct fg_str rest, item;

		if (connection == NULL)
			break;
		rest = connection->value;
		headers->v[connection - headers->v].id = FG_HDR_KEEP_ALIVE; /* looked at; removed below */
		present |= UINT64_C(1) << FG_HDR_KEEP_ALIVE;
		while (fg_str_next(&rest, ',', &item)) {
			item = fg_str_trim(item);
			/* Naming Host (or nothing) there must not take away what the service needs. */
			if (item.len > 0 && fg_header_id(item) != FG_HDR_HOST &&
			    fg_header_id(item) != FG_HDR_CONNECTION)
				fg_headers_remove(headers, item);
		}
	}
	for (size_t i = 0; i < FG_ARRAY_LEN(standard); i++)
		if (present & (UINT64_C(1) << standard[i]))
			fg_headers_remove_id(headers, standard[i]);
}
