/* Status lines and field lines of a response (RFC 9112 §4, §5, §6.3), their bounds, and nothing else. */
#include "client/head.h"

#include "base/limits.h"

void
fg_head_init(struct fg_head *head)
{
	*head = (struct fg_head){.state = FG_HEAD_AT_STATUS};
}

static bool
is_bodyless(const struct fg_head *head)
{
	return head->status == 204 || head->status == 304;
}

/* "HTTP/1.1 200 OK", "HTTP/1.0 200"; libcurl writes "HTTP/2 200 " for a response of HTTP/2. */
static enum fg_err
status_line(struct fg_head *head, struct fg_str line, struct fg_head_item *out)
{
	static const struct fg_str h1 = FG_STR_INIT("HTTP/1."), h2 = FG_STR_INIT("HTTP/2 ");
	size_t at;

	head->old = false;
	if (fg_str_starts_with(line, h2)) {
		at = h2.len;
	} else if (fg_str_starts_with(line, h1) && line.len > h1.len + 1 && line.p[h1.len + 1] == ' ' &&
	    (line.p[h1.len] == '0' || line.p[h1.len] == '1')) {
		head->old = line.p[h1.len] == '0';
		at = h1.len + 2;
	} else {
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	}
	head->status = 0;
	for (size_t i = at; i < at + 3; i++) {
		if (i >= line.len || line.p[i] < '0' || line.p[i] > '9')
			return FG_ERR_SERVICE_RESPONSE_INVALID;
		head->status = head->status * 10 + (line.p[i] - '0');
	}
	if (line.len > at + 3 && line.p[at + 3] != ' ')
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	if (!fg_is_field_value(line) || head->status < 100)
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	/* Nobody asked to switch protocols: Upgrade is never forwarded. */
	if (head->status == 101)
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	if (head->status < 200 && ++head->interim > FG_MAX_INTERIM_RESPONSES)
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	head->state = FG_HEAD_AT_FIELDS;
	out->event = head->status < 200 ? FG_HEAD_NOTHING : FG_HEAD_STATUS;
	return FG_OK;
}

static enum fg_err
content_length(struct fg_head *head, struct fg_head_item *out)
{
	uint64_t length;

	if (!fg_str_to_u64(out->value, &length) || length > INT64_MAX || head->chunked)
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	if (head->has_length && head->length != length)
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	/* The same again (RFC 9110 §8.6 lets us keep one), or where there may be none (204). */
	if (head->has_length || head->status == 204)
		out->event = FG_HEAD_NOTHING;
	if (head->status == 204 && length > 0)
		head->must_close = true;
	head->has_length = true;
	head->length = length;
	return FG_OK;
}

/* We asked for none (no TE), so the only transfer coding a service may use is chunked, once, on HTTP/1.1. */
static enum fg_err
transfer_encoding(struct fg_head *head, struct fg_head_item *out)
{
	if (head->old || head->chunked || head->has_length || !fg_str_ieq(out->value, FG_STR("chunked")))
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	head->chunked = true;
	if (is_bodyless(head))
		head->must_close = true;
	out->event = FG_HEAD_NOTHING;
	return FG_OK;
}

static enum fg_err
field_line(struct fg_head *head, struct fg_str line, struct fg_head_item *out)
{
	size_t colon = fg_str_find(line, ':');

	if (colon == line.len)
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	out->name = fg_str_slice(line, 0, colon);
	out->value = fg_str_trim(fg_str_slice(line, colon + 1, line.len));
	/* A folded line (obs-fold) begins with a blank, which no name may hold. */
	if (!fg_is_token(out->name) || !fg_is_field_value(out->value))
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	out->event = FG_HEAD_NOTHING;
	if (head->state == FG_HEAD_AT_BODY || head->status < 200)
		return FG_OK;
	if (++head->fields > FG_MAX_HEADERS)
		return FG_ERR_SERVICE_HEADERS_TOO_LARGE;
	out->event = FG_HEAD_FIELD;
	if (fg_str_ieq(out->name, FG_STR("content-length")))
		return content_length(head, out);
	if (fg_str_ieq(out->name, FG_STR("transfer-encoding")))
		return transfer_encoding(head, out);
	return FG_OK;
}

enum fg_err
fg_head_line(struct fg_head *head, struct fg_str line, struct fg_head_item *out)
{
	*out = (struct fg_head_item){.event = FG_HEAD_NOTHING};
	head->bytes += line.len;
	if (head->bytes > FG_MAX_RESPONSE_HEAD_BYTES)
		return FG_ERR_SERVICE_HEADERS_TOO_LARGE;
	if (line.len > 0 && line.p[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (head->state == FG_HEAD_AT_STATUS)
		return status_line(head, line, out);
	if (line.len > 0)
		return field_line(head, line, out);
	if (head->state == FG_HEAD_AT_BODY)
		return FG_OK; /* the end of the trailers */
	if (head->status < 200) {
		head->state = FG_HEAD_AT_STATUS;
		return FG_OK;
	}
	head->state = FG_HEAD_AT_BODY;
	out->event = FG_HEAD_END;
	return FG_OK;
}
