/*
 * The request target made canonical. A plain path is looked at once and used where it lies; any other is taken apart
 * segment by segment into two buffers, one as it will be forwarded and one decoded. Hosts, queries and single
 * components are in uri_parts.c.
 */
#include "http/uri.h"

#include "base/limits.h"

/* What a byte of the target is, as bits. */
enum {
	BYTE_REFUSED = 1,   /* control characters, space, DEL, '#' */
	BYTE_PERCENT = 2,
	BYTE_HIGH = 4,      /* 0x80 and above */
	BYTE_BACKSLASH = 8,
	BYTE_DOT = 16,
};

static const uint8_t byte_kinds[256] = {
    [0x00 ... 0x20] = BYTE_REFUSED,
    [0x7f] = BYTE_REFUSED,
    ['#'] = BYTE_REFUSED,
    ['%'] = BYTE_PERCENT,
    ['\\'] = BYTE_BACKSLASH,
    ['.'] = BYTE_DOT,
    [0x80 ... 0xff] = BYTE_HIGH,
};

/* The path as it grows, in both forms. Each holds its '/' in the same order. */
struct canon {
	char *path, *match;
	size_t path_len, match_len;
};

static unsigned
byte_at(struct fg_str s, size_t i)
{
	return (unsigned char)s.p[i];
}

static bool
is_continuation(struct fg_str s, size_t i)
{
	return i < s.len && (byte_at(s, i) & 0xc0) == 0x80;
}

/* Longer forms of characters that have a shorter one (RFC 3629 §3): a lax decoder makes '/' or '.' of them. */
static bool
has_overlong(struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned c = byte_at(s, i);

		if (c == 0xc0 || c == 0xc1)
			return true;
		if (c == 0xe0 && is_continuation(s, i + 1) && byte_at(s, i + 1) < 0xa0)
			return true;
		if (c == 0xf0 && is_continuation(s, i + 1) && byte_at(s, i + 1) < 0x90)
			return true;
	}
	return false;
}

/* RFC 3629: no surrogates, nothing above U+10FFFF. Overlong forms are found by has_overlong(). */
static bool
is_utf8(struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned c = byte_at(s, i);
		unsigned more;

		if (c < 0x80)
			continue;
		if (c < 0xc2 || c > 0xf4)
			return false;
		more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		for (unsigned k = 1; k <= more; k++)
			if (!is_continuation(s, i + k))
				return false;
		if ((c == 0xed && byte_at(s, i + 1) > 0x9f) || (c == 0xf4 && byte_at(s, i + 1) > 0x8f))
			return false;
		i += more;
	}
	return true;
}

static enum fg_err
check_query(struct fg_str query)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < query.len; i++)
		kinds |= byte_kinds[byte_at(query, i)];
	if (kinds & BYTE_REFUSED)
		return FG_ERR_TARGET_INVALID;
	if ((kinds & BYTE_HIGH) && (has_overlong(query) || !is_utf8(query)))
		return FG_ERR_TARGET_INVALID;
	return FG_OK;
}

/* "http://host/path": scheme and authority are set, *path is the rest. */
static enum fg_err
split_absolute(struct fg_uri *uri, struct fg_str target, struct fg_arena *arena, struct fg_str *path)
{
	static const struct fg_str http = FG_STR_INIT("http://"), https = FG_STR_INIT("https://");
	struct fg_str host;
	unsigned port;
	size_t at;

	if (fg_str_ieq(fg_str_slice(target, 0, http.len), http))
		uri->scheme = fg_str_slice(http, 0, 4);
	else if (fg_str_ieq(fg_str_slice(target, 0, https.len), https))
		uri->scheme = fg_str_slice(https, 0, 5);
	else
		return FG_ERR_TARGET_INVALID;
	*path = fg_str_slice(target, uri->scheme.len + 3, target.len);
	for (at = 0; at < path->len && path->p[at] != '/' && path->p[at] != '?'; at++)
		;
	uri->authority = fg_str_slice(*path, 0, at);
	*path = fg_str_slice(*path, at, path->len);
	/* The host and port are the caller's to use; a target whose authority is none is not a valid target. */
	if (fg_host_parse(uri->authority, arena, &host, &port) != FG_OK)
		return FG_ERR_TARGET_INVALID;
	return FG_OK;
}

static bool
is_dots(struct fg_str s)
{
	return (s.len == 1 && s.p[0] == '.') || (s.len == 2 && s.p[0] == '.' && s.p[1] == '.');
}

/*
 * Whether a service that decodes encoded slashes first, or takes a backslash for a slash, or cuts off path parameters,
 * would see a dot segment in this decoded one, which is none itself.
 */
static bool
hides_dots(struct fg_str segment)
{
	size_t from = 0;

	for (size_t i = 0; i <= segment.len; i++) {
		struct fg_str piece;

		if (i < segment.len && segment.p[i] != FG_URI_ENCODED_SLASH && segment.p[i] != '\\')
			continue;
		piece = fg_str_slice(segment, from, i);
		if (is_dots(fg_str_slice(piece, 0, fg_str_find(piece, ';'))))
			return true;
		from = i + 1;
	}
	return false;
}

/* Decodes a segment to the end of canon->match, after its '/', without taking it in yet. */
static enum fg_err
decode_segment(struct canon *canon, struct fg_str segment, struct fg_str *decoded)
{
	char *out = canon->match + canon->match_len + 1;
	size_t len = 0;

	for (size_t i = 0; i < segment.len; i++) {
		int high, low;

		if (segment.p[i] != '%') {
			out[len++] = segment.p[i];
			continue;
		}
		high = i + 2 < segment.len ? fg_hex_value(segment.p[i + 1]) : -1;
		low = i + 2 < segment.len ? fg_hex_value(segment.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return FG_ERR_TARGET_INVALID;
		if (high == 0 && low == 0)
			return FG_ERR_PATH_AMBIGUOUS;
		out[len] = (char)(high * 16 + low);
		if (out[len] == '/')
			out[len] = FG_URI_ENCODED_SLASH;
		len++;
		i += 2;
	}
	*decoded = (struct fg_str){out, len};
	if (is_dots(*decoded))
		return FG_OK;
	if (has_overlong(*decoded) || hides_dots(*decoded))
		return FG_ERR_PATH_AMBIGUOUS;
	return FG_OK;
}

static void
drop_last_segment(struct canon *canon)
{
	while (canon->path_len > 0 && canon->path[--canon->path_len] != '/')
		;
	while (canon->match_len > 0 && canon->match[--canon->match_len] != '/')
		;
}

/* remove_dot_segments of RFC 3986 §5.2.4, one segment at a time. */
static enum fg_err
take_segment(struct canon *canon, struct fg_str segment, bool is_last)
{
	struct fg_str decoded;
	enum fg_err err = decode_segment(canon, segment, &decoded);

	if (err != FG_OK)
		return err;
	if (is_dots(decoded)) {
		if (decoded.len == 2)
			drop_last_segment(canon);
		if (!is_last)
			return FG_OK;
		segment = decoded = FG_STR_NONE;
	}
	canon->path[canon->path_len++] = '/';
	if (segment.len > 0)
		memcpy(canon->path + canon->path_len, segment.p, segment.len);
	canon->path_len += segment.len;
	canon->match[canon->match_len] = '/';
	canon->match_len += 1 + decoded.len;
	return FG_OK;
}

static bool
has_empty_segment(struct fg_str path)
{
	for (size_t i = 1; i < path.len; i++)
		if (path.p[i] == '/' && path.p[i - 1] == '/')
			return true;
	return false;
}

static enum fg_err
canonicalise(struct fg_uri *uri, struct fg_str path, struct fg_arena *arena)
{
	struct canon canon = {fg_arena_alloc(arena, path.len), fg_arena_alloc(arena, path.len), 0, 0};
	size_t from = 1;

	for (size_t i = 1; i <= path.len; i++) {
		enum fg_err err;

		if (i < path.len && path.p[i] != '/')
			continue;
		err = take_segment(&canon, fg_str_slice(path, from, i), i == path.len);
		if (err != FG_OK)
			return err;
		from = i + 1;
	}
	uri->path = (struct fg_str){canon.path, canon.path_len};
	uri->match = (struct fg_str){canon.match, canon.match_len};
	uri->has_encoded_slash = fg_str_find(uri->match, FG_URI_ENCODED_SLASH) < uri->match.len;
	uri->has_empty_segment = has_empty_segment(uri->path);
	return FG_OK;
}

enum fg_err
fg_uri_parse(struct fg_uri *uri, struct fg_str target, struct fg_arena *arena)
{
	struct fg_str path = target;
	unsigned kinds = 0;
	bool dot_begins_segment = false, empty_segment = false;
	size_t end;

	*uri = (struct fg_uri){.raw = target};
	if (target.len > FG_MAX_TARGET_BYTES)
		return FG_ERR_TARGET_TOO_LONG;
	if (fg_str_eq(target, FG_STR("*"))) {
		uri->path = uri->match = target;
		return FG_OK;
	}
	if (target.len == 0)
		return FG_ERR_TARGET_INVALID;
	if (target.p[0] != '/') {
		enum fg_err err = split_absolute(uri, target, arena, &path);

		if (err != FG_OK)
			return err;
	}
	for (end = 0; end < path.len && path.p[end] != '?'; end++) {
		kinds |= byte_kinds[byte_at(path, end)];
		if (end > 0 && path.p[end - 1] == '/') {
			dot_begins_segment |= path.p[end] == '.';
			empty_segment |= path.p[end] == '/';
		}
	}
	uri->has_query = end < path.len;
	uri->query = fg_str_slice(path, end + 1, path.len);
	path = end == 0 ? FG_STR("/") : fg_str_slice(path, 0, end);
	if (kinds & BYTE_REFUSED)
		return FG_ERR_TARGET_INVALID;
	if (kinds & BYTE_BACKSLASH)
		return FG_ERR_PATH_AMBIGUOUS;
	if (kinds & BYTE_HIGH) {
		if (has_overlong(path))
			return FG_ERR_PATH_AMBIGUOUS;
		if (!is_utf8(path))
			return FG_ERR_TARGET_INVALID;
	}
	if (uri->has_query && check_query(uri->query) != FG_OK)
		return FG_ERR_TARGET_INVALID;
	if ((kinds & BYTE_PERCENT) || dot_begins_segment)
		return canonicalise(uri, path, arena);
	uri->path = uri->match = path;
	uri->has_empty_segment = empty_segment;
	return FG_OK;
}

static struct fg_str
merge_slashes(struct fg_str s, struct fg_arena *arena)
{
	char *out = fg_arena_alloc(arena, s.len);
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '/' || len == 0 || out[len - 1] != '/')
			out[len++] = s.p[i];
	return (struct fg_str){out, len};
}

void
fg_uri_merge_slashes(struct fg_uri *uri, struct fg_arena *arena)
{
	bool is_plain = uri->match.p == uri->path.p;

	if (!uri->has_empty_segment)
		return;
	uri->path = merge_slashes(uri->path, arena);
	uri->match = is_plain ? uri->path : merge_slashes(uri->match, arena);
	uri->has_empty_segment = false;
}

size_t
fg_uri_path_offset(const struct fg_uri *uri, size_t match_len)
{
	size_t offset = 0;

	FG_ASSERT(match_len <= uri->match.len);
	if (uri->path.len == uri->match.len)
		return match_len;
	while (match_len-- > 0)
		offset += uri->path.p[offset] == '%' ? 3 : 1;
	return offset;
}
