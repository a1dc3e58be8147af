/* Framing of FastCGI records, and the check of parameters before libfcgi sees them. */
#include "fcgi-app/records.h"

#include "base/assert.h"
#include "base/limits.h"

enum {
	VERSION = 1,
	BEGIN_REQUEST = 1,
	ABORT_REQUEST = 2,
	END_REQUEST = 3,
	PARAMS = 4,
	STDIN = 5,
	GET_VALUES = 9,
	GET_VALUES_RESULT = 10,
	UNKNOWN_TYPE = 11,
	ROLE_RESPONDER = 1,
	UNKNOWN_ROLE = 3,
	KEEP_CONN = 1,
	BEGIN_BODY_BYTES = 8,
};

struct record {
	unsigned type, id;
	size_t content_len, padding_len;
};

/* False when it is no record of a request in this version. */
static bool
parse_header(struct record *record, const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;

	*record = (struct record){
	    .type = b[1],
	    .id = (unsigned)b[2] << 8 | b[3],
	    .content_len = (size_t)b[4] << 8 | b[5],
	    .padding_len = b[6],
	};
	return b[0] == VERSION && record->id != 0;
}

/* ---- parameters: name-value pairs that may lie across records */

/* Reads the contents of consecutive FCGI_PARAMS records as one run of bytes. */
struct cursor {
	const char *at, *content_end, *padding_end, *end;
};

/* Makes content_end > at; false at the end of all records. */
static bool
enter_content(struct cursor *cursor)
{
	struct record record;

	while (cursor->at == cursor->content_end) {
		if (cursor->padding_end == cursor->end)
			return false;
		cursor->at = cursor->padding_end;
		parse_header(&record, cursor->at);
		cursor->at += FG_RECORD_HEADER_BYTES;
		cursor->content_end = cursor->at + record.content_len;
		cursor->padding_end = cursor->content_end + record.padding_len;
	}
	return true;
}

static int
next_byte(struct cursor *cursor)
{
	return enter_content(cursor) ? (unsigned char)*cursor->at++ : -1;
}

/* A length in one or four bytes (§3.4); -1 at a premature end. */
static int64_t
next_length(struct cursor *cursor)
{
	int first = next_byte(cursor);
	int64_t length;

	if (first < 0 || first < 0x80)
		return first;
	length = first & 0x7f;
	for (int i = 0; i < 3; i++) {
		int byte = next_byte(cursor);

		if (byte < 0)
			return -1;
		length = length << 8 | byte;
	}
	return length;
}

/* Skips n bytes, looking for a character that libfcgi's "NAME=VALUE\0" could not hold. False at a premature end. */
static bool
skip_text(struct cursor *cursor, int64_t n, bool is_name, bool *is_odd)
{
	while (n > 0) {
		size_t here;

		if (!enter_content(cursor))
			return false;
		here = (size_t)(cursor->content_end - cursor->at);
		if ((int64_t)here > n)
			here = (size_t)n;
		if (memchr(cursor->at, '\0', here) != NULL || (is_name && memchr(cursor->at, '=', here) != NULL))
			*is_odd = true;
		cursor->at += here;
		n -= (int64_t)here;
	}
	return true;
}

/* params: from the first FCGI_PARAMS record to before the empty one. */
static enum fg_scan
check_params(struct fg_str params, enum fg_err *err)
{
	struct cursor cursor = {.at = params.p, .content_end = params.p, .padding_end = params.p, .end = params.p + params.len};
	bool is_odd = false;
	size_t count = 0;

	while (enter_content(&cursor)) {
		int64_t name_len = next_length(&cursor), value_len = next_length(&cursor);

		if (name_len <= 0 || value_len < 0 || !skip_text(&cursor, name_len, true, &is_odd) ||
		    !skip_text(&cursor, value_len, false, &is_odd))
			return FG_SCAN_BAD;
		count++;
	}
	if (!is_odd && count <= FG_MAX_PARAMS)
		return FG_SCAN_WHOLE;
	*err = is_odd ? FG_ERR_HEADER_INVALID : FG_ERR_HEADERS_TOO_LARGE;
	return FG_SCAN_REFUSED;
}

static enum fg_scan
scan_begin(struct fg_str data, struct fg_request_head *head, size_t *len)
{
	const unsigned char *body = (const unsigned char *)data.p + FG_RECORD_HEADER_BYTES;
	struct record record;

	if (data.len < FG_RECORD_HEADER_BYTES)
		return data.len > 0 && data.p[0] != VERSION ? FG_SCAN_BAD : FG_SCAN_MORE;
	if (!parse_header(&record, data.p) || record.type != BEGIN_REQUEST || record.content_len != BEGIN_BODY_BYTES)
		return FG_SCAN_BAD;
	*len = FG_RECORD_HEADER_BYTES + BEGIN_BODY_BYTES + record.padding_len;
	if (data.len < *len)
		return FG_SCAN_MORE;
	head->id = record.id;
	if (((unsigned)body[0] << 8 | body[1]) != ROLE_RESPONDER)
		return FG_SCAN_ROLE;
	head->keep = body[2] & KEEP_CONN;
	return FG_SCAN_WHOLE;
}

static bool
is_management(struct fg_str data)
{
	return data.len >= FG_RECORD_HEADER_BYTES && data.p[0] == VERSION && data.p[2] == 0 && data.p[3] == 0;
}

static enum fg_scan
scan_management(struct fg_str data, struct fg_request_head *head)
{
	struct record record;

	(void)parse_header(&record, data.p);
	head->whole_len = FG_RECORD_HEADER_BYTES + record.content_len + record.padding_len;
	return data.len < head->whole_len ? FG_SCAN_MORE : FG_SCAN_MANAGEMENT;
}

enum fg_scan
fg_request_head_scan(struct fg_str data, struct fg_request_head *head)
{
	size_t begin_len = 0, at;
	enum fg_scan scan;

	*head = (struct fg_request_head){.err = FG_OK};
	if (is_management(data))
		return scan_management(data, head);
	scan = scan_begin(data, head, &begin_len);
	if (scan != FG_SCAN_WHOLE)
		return scan;
	for (at = begin_len; data.len - at >= FG_RECORD_HEADER_BYTES;) {
		struct record record;
		size_t whole;

		if (!parse_header(&record, data.p + at) || record.type != PARAMS || record.id != head->id)
			return FG_SCAN_BAD;
		whole = FG_RECORD_HEADER_BYTES + record.content_len + record.padding_len;
		if (at + whole > FG_MAX_PARAMS_BYTES) {
			head->err = FG_ERR_HEADERS_TOO_LARGE;
			head->whole_len = at;
			return FG_SCAN_LONG;
		}
		if (data.len - at < whole)
			break;
		if (record.content_len == 0) {
			head->feed_len = at + FG_RECORD_HEADER_BYTES;
			head->whole_len = at + whole;
			return check_params(fg_str_slice(data, begin_len, at), &head->err);
		}
		at += whole;
	}
	return FG_SCAN_MORE;
}

/* ---- answers that are no request's */

static size_t
put_record(char *out, unsigned type, unsigned id, size_t content_len)
{
	const char header[FG_RECORD_HEADER_BYTES] = {VERSION, (char)type, (char)(id >> 8), (char)id, 0, (char)content_len};

	FG_ASSERT(content_len <= 127 && FG_RECORD_HEADER_BYTES + content_len <= FG_MOST_ANSWER_BYTES);
	memcpy(out, header, sizeof(header));
	return sizeof(header) + content_len;
}

_Static_assert(FG_MAX_CONNECTIONS == 4096, "said in the table below");

/* What may be asked about (§4.1); a name that is not here, or comes again, is left out. */
static size_t
put_value(char *out, struct fg_str name, unsigned *told)
{
	static const struct {
		struct fg_str name, value;
	} values[] = {
	    {FG_STR_INIT("FCGI_MAX_CONNS"), FG_STR_INIT("4096")},
	    {FG_STR_INIT("FCGI_MAX_REQS"), FG_STR_INIT("4096")},
	    {FG_STR_INIT("FCGI_MPXS_CONNS"), FG_STR_INIT("0")},
	};

	for (unsigned i = 0; i < FG_ARRAY_LEN(values); i++) {
		if (!fg_str_eq(name, values[i].name) || (*told & 1u << i))
			continue;
		*told |= 1u << i;
		out[0] = (char)name.len;
		out[1] = (char)values[i].value.len;
		memcpy(out + 2, name.p, name.len);
		memcpy(out + 2 + name.len, values[i].value.p, values[i].value.len);
		return 2 + name.len + values[i].value.len;
	}
	return 0;
}

static size_t
answer_values(struct fg_str record, char *out)
{
	struct cursor cursor = {record.p, record.p, record.p, record.p + record.len};
	size_t len = 0;
	unsigned told = 0;

	while (enter_content(&cursor)) {
		int64_t name_len = next_length(&cursor), value_len = next_length(&cursor);
		struct fg_str name = {cursor.at, (size_t)name_len};
		bool is_odd = false;

		if (name_len < 0 || value_len < 0 || name_len > cursor.content_end - cursor.at ||
		    !skip_text(&cursor, name_len, true, &is_odd) || !skip_text(&cursor, value_len, false, &is_odd))
			return 0;
		len += put_value(out + FG_RECORD_HEADER_BYTES + len, name, &told);
	}
	return put_record(out, GET_VALUES_RESULT, 0, len);
}

size_t
fg_management_answer(struct fg_str record, char out[FG_MOST_ANSWER_BYTES])
{
	char *body = out + FG_RECORD_HEADER_BYTES;

	if (record.p[1] == GET_VALUES)
		return answer_values(record, out);
	memset(body, 0, BEGIN_BODY_BYTES);
	body[0] = record.p[1];
	return put_record(out, UNKNOWN_TYPE, 0, BEGIN_BODY_BYTES);
}

size_t
fg_role_answer(unsigned id, char out[FG_MOST_ANSWER_BYTES])
{
	char *body = out + FG_RECORD_HEADER_BYTES;

	memset(body, 0, BEGIN_BODY_BYTES);
	body[4] = UNKNOWN_ROLE;
	return put_record(out, END_REQUEST, id, BEGIN_BODY_BYTES);
}

/* ---- the body */

void
fg_body_reader_init(struct fg_body_reader *reader, unsigned id, bool skip_params)
{
	*reader = (struct fg_body_reader){.id = id, .skip_params = skip_params};
}

static size_t
take(struct fg_str *data, size_t n)
{
	if (n > data->len)
		n = data->len;
	data->p += n;
	data->len -= n;
	return n;
}

/* The header is whole: what begins with it. */
static enum fg_body_event
enter_record(struct fg_body_reader *reader)
{
	struct record record;

	if (reader->header[1] == BEGIN_REQUEST)
		return FG_BODY_NEXT;
	reader->header_len = 0;
	if (!parse_header(&record, (const char *)reader->header) || record.id != reader->id)
		return FG_BODY_BAD;
	reader->content_left = record.content_len;
	reader->padding_left = record.padding_len;
	reader->in_content = false;
	if (record.type == ABORT_REQUEST)
		return FG_BODY_ABORT;
	if (reader->skip_params) {
		if (record.type != PARAMS)
			return FG_BODY_BAD;
		reader->skip_params = record.content_len > 0;
		return FG_BODY_MORE;
	}
	if (record.type != STDIN)
		return FG_BODY_BAD;
	reader->in_content = record.content_len > 0;
	return record.content_len == 0 ? FG_BODY_END : FG_BODY_MORE;
}

enum fg_body_event
fg_body_reader_next(struct fg_body_reader *reader, struct fg_str *data, struct fg_str *chunk)
{
	while (data->len > 0) {
		enum fg_body_event event;

		if (reader->content_left > 0) {
			chunk->p = data->p;
			chunk->len = take(data, reader->content_left);
			reader->content_left -= chunk->len;
			if (reader->in_content)
				return FG_BODY_DATA;
			continue;
		}
		if (reader->padding_left > 0) {
			reader->padding_left -= take(data, reader->padding_left);
			continue;
		}
		while (reader->header_len < FG_RECORD_HEADER_BYTES && data->len > 0) {
			reader->header[reader->header_len++] = (unsigned char)data->p[0];
			take(data, 1);
		}
		if (reader->header_len < FG_RECORD_HEADER_BYTES)
			break;
		event = enter_record(reader);
		if (event != FG_BODY_MORE)
			return event;
	}
	return FG_BODY_MORE;
}

struct fg_str
fg_body_reader_take_held(struct fg_body_reader *reader)
{
	struct fg_str held = {(const char *)reader->header, reader->header_len};

	reader->header_len = 0;
	return held;
}
