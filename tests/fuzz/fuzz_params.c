/*
 * FastCGI records as a hostile peer sends them: the scan of a request's head agrees with itself on every prefix, and the
 * body reader never hands out bytes that it was not given.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "fcgi-app/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_body(struct fg_str bytes, unsigned id, bool skip_params)
{
	struct fg_body_reader reader;
	struct fg_str rest = bytes, chunk = FG_STR_NONE;

	fg_body_reader_init(&reader, id, skip_params);
	for (;;) {
		enum fg_body_event event = fg_body_reader_next(&reader, &rest, &chunk);

		FG_ASSERT(rest.p >= bytes.p && rest.p + rest.len == bytes.p + bytes.len);
		if (event == FG_BODY_DATA)
			FG_ASSERT(chunk.p >= bytes.p && chunk.p + chunk.len <= rest.p);
		else if (event != FG_BODY_END)
			return;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fg_str bytes = {(const char *)data, size};
	struct fg_request_head head, again;
	enum fg_scan scan = fg_request_head_scan(bytes, &head);

	if (scan == FG_SCAN_WHOLE || scan == FG_SCAN_REFUSED) {
		FG_ASSERT(head.feed_len <= head.whole_len && head.whole_len <= size);
		/* It is whole as soon as its last byte is there, and not before. */
		FG_ASSERT(fg_request_head_scan(fg_str_slice(bytes, 0, head.whole_len), &again) == scan);
		FG_ASSERT(fg_request_head_scan(fg_str_slice(bytes, 0, head.whole_len - 1), &again) == FG_SCAN_MORE);
	}
	if (scan == FG_SCAN_MANAGEMENT) {
		char answer[FG_MOST_ANSWER_BYTES];

		FG_ASSERT(fg_management_answer(fg_str_slice(bytes, 0, head.whole_len), answer) <= sizeof(answer));
		return 0;
	}
	if (scan != FG_SCAN_MORE && scan != FG_SCAN_BAD && scan != FG_SCAN_ROLE)
		read_body(fg_str_slice(bytes, head.whole_len, size), head.id, scan == FG_SCAN_LONG);
	else
		read_body(bytes, 1, false);
	return 0;
}
