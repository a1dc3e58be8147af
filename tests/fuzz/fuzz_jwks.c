/*
 * A JWK Set, or PEM, of any bytes: what comes of it is a set with usable keys, each of which verifies something and has an
 * identity, or an error that says why; the same text gives the same set.
 */
#include <stdint.h>

#include "base/limits.h"
#include "token/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_keys(const struct fg_key_set *keys)
{
	struct fg_buf out;

	for (size_t i = 0; i < fg_key_set_count(keys); i++) {
		const struct fg_key *key = fg_key_set_at(keys, i);

		FG_ASSERT(fg_key_algorithms(key) != 0 && (fg_key_algorithms(key) & ~FG_ALGS_ALL) == 0);
		FG_ASSERT((fg_key_type(key) == FG_KEY_OCT) == ((fg_key_algorithms(key) & FG_ALGS_HMAC) != 0));
		FG_ASSERT(fg_key_set_has(keys, fg_key_id(key)));
		if (fg_key_type(key) == FG_KEY_OCT)
			continue;
		fg_buf_init(&out, 64);
		fg_key_add_thumbprint(key, &out);
		FG_ASSERT(out.len == 43);
		fg_buf_fini(&out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fg_str text = {(const char *)data, size};
	struct fg_key_report report;
	struct fg_key_set *keys, *again;

	if (fg_key_set_from_text(&keys, text, &report) != FG_OK) {
		FG_ASSERT(keys == NULL && report.message[0] != '\0');
		return 0;
	}
	FG_ASSERT(fg_key_set_count(keys) > 0 && fg_key_set_count(keys) == report.usable);
	check_keys(keys);
	FG_ASSERT(fg_key_set_from_text(&again, text, &report) == FG_OK);
	FG_ASSERT(fg_key_id_eq(fg_key_set_id(keys), fg_key_set_id(again)));
	fg_key_set_release(again);
	fg_key_set_release(keys);
	return 0;
}
