/*
 * The head of a service's response, line by line, as a hostile service sends it: whatever the reader lets through is a
 * valid field of the final response, within bounds, and its framing is unambiguous.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/limits.h"
#include "client/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
lies_in(struct fg_str part, struct fg_str whole)
{
	return part.p >= whole.p && part.p + part.len <= whole.p + whole.len;
}

static void
check_item(const struct fg_head *head, const struct fg_head_item *item, struct fg_str line, bool ended)
{
	switch (item->event) {
	case FG_HEAD_NOTHING:
		break;
	case FG_HEAD_STATUS:
		FG_ASSERT(!ended && head->status >= 200 && head->status <= 999);
		break;
	case FG_HEAD_FIELD:
		FG_ASSERT(!ended && head->status >= 200);
		FG_ASSERT(lies_in(item->name, line) && lies_in(item->value, line));
		FG_ASSERT(fg_is_token(item->name) && fg_is_field_value(item->value));
		FG_ASSERT(!fg_str_ieq(item->name, FG_STR("transfer-encoding")));
		break;
	case FG_HEAD_END:
		FG_ASSERT(!ended && line.len <= 2);
		break;
	}
	FG_ASSERT(head->bytes <= FG_MAX_RESPONSE_HEAD_BYTES && head->fields <= FG_MAX_HEADERS);
	FG_ASSERT(head->interim <= FG_MAX_INTERIM_RESPONSES);
	FG_ASSERT(!(head->chunked && (head->has_length || head->old)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fg_str rest = {(const char *)data, size};
	struct fg_head head;
	unsigned statuses = 0;
	bool ended = false;

	fg_head_init(&head);
	while (rest.len > 0) {
		size_t end = fg_str_find(rest, '\n');
		struct fg_str line = fg_str_slice(rest, 0, end < rest.len ? end + 1 : end);
		struct fg_head_item item;
		uint64_t length = head.length;

		if (fg_head_line(&head, line, &item) != FG_OK)
			break;
		check_item(&head, &item, line, ended);
		statuses += item.event == FG_HEAD_STATUS;
		FG_ASSERT(statuses <= 1);
		/* Trailers do not change what the head has said. */
		FG_ASSERT(!ended || head.length == length);
		ended = ended || item.event == FG_HEAD_END;
		rest = fg_str_slice(rest, line.len, rest.len);
	}
	return 0;
}
