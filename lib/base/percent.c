/* Percent-encoding (RFC 3986 §2.1), taken off. */
#include "base/percent.h"

bool
fg_percent_decode(struct fg_str text, bool plus_is_space, struct fg_arena *arena, struct fg_str *out)
{
	char *p;
	size_t len = 0;

	if (fg_str_find(text, '\0') < text.len)
		return false;
	if (fg_str_find(text, '%') == text.len && (!plus_is_space || fg_str_find(text, '+') == text.len)) {
		*out = text;
		return true;
	}
	p = fg_arena_alloc(arena, text.len);
	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.p[i] != '%') {
			p[len++] = plus_is_space && text.p[i] == '+' ? ' ' : text.p[i];
			continue;
		}
		if (text.len - i < 3)
			return false;
		high = fg_hex_value(text.p[i + 1]);
		low = fg_hex_value(text.p[i + 2]);
		if (high < 0 || low < 0 || high + low == 0)
			return false;
		p[len++] = (char)(high * 16 + low);
		i += 2;
	}
	*out = (struct fg_str){p, len};
	return true;
}
