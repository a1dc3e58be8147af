/* Answers as bytes: a version, the status, the headers with their lengths, the body. Numbers in little endian. */
#include "idempotency/idempotency_answer.h"

#include "base/limits.h"

enum { VERSION = 1, NUMBER_BYTES = 4 };

static bool
is_left_out(const struct fg_header *header)
{
	return header->id == FG_HDR_DATE || header->id == FG_HDR_CONTENT_LENGTH || header->id == FG_HDR_X_REQUEST_ID ||
	    fg_str_ieq(header->name, FG_STR("Set-Cookie")) || fg_str_ieq(header->name, FG_STR("Set-Cookie2"));
}

static bool
write_number(struct fg_buf *out, uint32_t number)
{
	uint8_t bytes[NUMBER_BYTES];

	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
	return fg_buf_append(out, bytes, sizeof(bytes));
}

static bool
write_text(struct fg_buf *out, struct fg_str text)
{
	return text.len <= UINT32_MAX && write_number(out, (uint32_t)text.len) && fg_buf_add(out, text);
}

bool
fg_idempotency_answer_write(struct fg_buf *out, int status, const struct fg_headers *headers, struct fg_str body)
{
	uint32_t count = 0;
	bool ok;

	for (size_t i = 0; i < headers->count; i++)
		count += !is_left_out(&headers->v[i]);
	ok = write_number(out, VERSION) && write_number(out, (uint32_t)status) && write_number(out, count);
	for (size_t i = 0; ok && i < headers->count; i++)
		if (!is_left_out(&headers->v[i]))
			ok = write_text(out, headers->v[i].name) && write_text(out, headers->v[i].value);
	return ok && fg_buf_add(out, body);
}

/* ---- back */

static bool
read_number(struct fg_str *bytes, uint32_t *number)
{
	if (bytes->len < NUMBER_BYTES)
		return false;
	*number = 0;
	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		*number |= (uint32_t)(uint8_t)bytes->p[i] << (8 * i);
	*bytes = fg_str_slice(*bytes, NUMBER_BYTES, bytes->len);
	return true;
}

static bool
read_text(struct fg_str *bytes, struct fg_str *text)
{
	uint32_t len;

	if (!read_number(bytes, &len) || len > bytes->len)
		return false;
	*text = fg_str_slice(*bytes, 0, len);
	*bytes = fg_str_slice(*bytes, len, bytes->len);
	return true;
}

bool
fg_idempotency_answer_read(struct fg_str bytes, int *status, struct fg_headers *headers, struct fg_str *body)
{
	uint32_t version, said, count;
	size_t added;

	if (!read_number(&bytes, &version) || version != VERSION || !read_number(&bytes, &said) || said < 200 || said > 599 ||
	    !read_number(&bytes, &count) || count > FG_MAX_HEADERS)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct fg_str name, value;

		if (!read_text(&bytes, &name) || !read_text(&bytes, &value) || !fg_is_token(name) || !fg_is_field_value(value) ||
		    fg_headers_add(headers, name, value) != FG_OK || is_left_out(&headers->v[headers->count - 1]))
			return false;
	}
	/* Nor what says how a message is framed: none of them is ever written. */
	added = headers->count;
	fg_headers_remove_hop_by_hop(headers);
	if (headers->count < added)
		return false;
	*status = (int)said;
	*body = bytes;
	return true;
}
