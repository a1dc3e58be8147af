/*
 * An answer out of the store of Idempotency-Keys as somebody else may have written it: it is refused, or it is what would be
 * written of it, byte for byte, its headers can stand in a response, and all of it lies in the bytes.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "idempotency/idempotency_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
lies_in(struct fg_str part, struct fg_str whole)
{
	return part.p >= whole.p && part.p + part.len <= whole.p + whole.len;
}

static void
check_headers(const struct fg_headers *headers, struct fg_str bytes)
{
	FG_ASSERT(headers->count <= FG_MAX_HEADERS);
	for (size_t i = 0; i < headers->count; i++) {
		const struct fg_header *header = &headers->v[i];

		FG_ASSERT(fg_is_token(header->name) && fg_is_field_value(header->value));
		FG_ASSERT(lies_in(header->name, bytes) && lies_in(header->value, bytes));
		FG_ASSERT(header->id != FG_HDR_TRANSFER_ENCODING && header->id != FG_HDR_CONTENT_LENGTH);
		FG_ASSERT(!fg_str_ieq(header->name, FG_STR("Set-Cookie")));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fg_str bytes = {(const char *)data, size}, body;
	struct fg_headers headers;
	struct fg_arena arena;
	struct fg_buf again;
	int status;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	fg_buf_init(&again, FG_MAX_IDEMPOTENCY_ANSWER_BYTES + FG_IDEMPOTENCY_HEAD_BYTES);
	fg_headers_init(&headers, &arena);
	if (fg_idempotency_answer_read(bytes, &status, &headers, &body)) {
		FG_ASSERT(status >= 200 && status <= 599 && lies_in(body, bytes));
		check_headers(&headers, bytes);
		if (size <= again.max)
			FG_ASSERT(fg_idempotency_answer_write(&again, status, &headers, body) && fg_str_eq(fg_buf_str(&again), bytes));
	}
	fg_buf_fini(&again);
	fg_arena_fini(&arena);
	return 0;
}
