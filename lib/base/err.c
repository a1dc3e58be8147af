/* The table of outcomes as data, and what a failed assertion does. */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

const struct fg_err_info *
fg_err_info(enum fg_err err)
{
	static const struct fg_err_info table[FG_ERR_COUNT] = {
#define FG_ERR_ROW(symbol, token, status, level, title, detail) \
	[FG_ERR_##symbol] = {token, status, FG_LOG_##level, title, detail},
	    FG_ERR_TABLE(FG_ERR_ROW)
#undef FG_ERR_ROW
	};

	FG_ASSERT((unsigned)err < FG_ERR_COUNT);
	return &table[err];
}

void
fg_assert_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "faregate: assertion failed: %s (%s:%d)\n", cond, file, line);
	abort();
}
