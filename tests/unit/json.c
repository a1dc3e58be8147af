#include "unit/json.h"

enum { DEPTH_MAX = 32, NAMES_MAX = 256 };

struct reader {
	struct fg_str text;
	size_t at;
	unsigned depth;
};

static bool read_value(struct reader *r);

static int
peek(const struct reader *r)
{
	return r->at < r->text.len ? (unsigned char)r->text.p[r->at] : -1;
}

static bool
take(struct reader *r, int c)
{
	if (peek(r) != c)
		return false;
	r->at++;
	return true;
}

static void
skip_space(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r')
		r->at++;
}

static bool
read_digits(struct reader *r)
{
	size_t from = r->at;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	return r->at > from;
}

static bool
read_number(struct reader *r)
{
	take(r, '-');
	if (!take(r, '0') && !read_digits(r))
		return false;
	if (take(r, '.') && !read_digits(r))
		return false;
	if (take(r, 'e') || take(r, 'E')) {
		if (!take(r, '+'))
			take(r, '-');
		return read_digits(r);
	}
	return true;
}

static bool
read_escape(struct reader *r)
{
	int c = peek(r);

	r->at++;
	if (c != 'u')
		return c > 0 && strchr("\"\\/bfnrt", c) != NULL;
	for (int i = 0; i < 4; i++, r->at++)
		if (peek(r) < 0 || fg_hex_value((char)peek(r)) < 0)
			return false;
	return true;
}

/* Continuation bytes of a sequence that begins with c, by the table of RFC 3629. */
static bool
read_utf8(struct reader *r, int c)
{
	int count = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	int low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;

	if (c < 0xc2 || c > 0xf4)
		return false;
	for (int i = 0; i < count; i++, r->at++, low = 0x80, high = 0xbf)
		if (peek(r) < low || peek(r) > high)
			return false;
	return true;
}

static bool
read_string(struct reader *r, struct fg_str *raw)
{
	size_t from = r->at + 1;

	if (!take(r, '"'))
		return false;
	for (;;) {
		int c = peek(r);

		r->at++;
		if (c == '"') {
			*raw = fg_str_slice(r->text, from, r->at - 1);
			return true;
		}
		if (c < 0x20 || (c == '\\' && !read_escape(r)) || (c >= 0x80 && !read_utf8(r, c)))
			return false;
	}
}

static bool
read_object(struct reader *r)
{
	struct fg_str names[NAMES_MAX];
	size_t count = 0;

	skip_space(r);
	if (take(r, '}'))
		return true;
	do {
		skip_space(r);
		if (count == NAMES_MAX || !read_string(r, &names[count]))
			return false;
		for (size_t i = 0; i < count; i++)
			if (fg_str_eq(names[i], names[count]))
				return false;
		count++;
		skip_space(r);
		if (!take(r, ':') || !read_value(r))
			return false;
	} while (take(r, ','));
	return take(r, '}');
}

static bool
read_array(struct reader *r)
{
	skip_space(r);
	if (take(r, ']'))
		return true;
	do {
		if (!read_value(r))
			return false;
	} while (take(r, ','));
	return take(r, ']');
}

static bool
read_word(struct reader *r, struct fg_str word)
{
	if (!fg_str_starts_with(fg_str_slice(r->text, r->at, r->text.len), word))
		return false;
	r->at += word.len;
	return true;
}

static bool
read_value(struct reader *r)
{
	struct fg_str raw;
	bool ok;

	if (++r->depth > DEPTH_MAX)
		return false;
	skip_space(r);
	if (peek(r) == '"')
		ok = read_string(r, &raw);
	else if (take(r, '{'))
		ok = read_object(r);
	else if (take(r, '['))
		ok = read_array(r);
	else
		ok = read_word(r, FG_STR("true")) || read_word(r, FG_STR("false")) || read_word(r, FG_STR("null")) ||
		    read_number(r);
	skip_space(r);
	r->depth--;
	return ok;
}

bool
json_is_valid(struct fg_str text)
{
	struct reader r = {.text = text};

	return read_value(&r) && r.at == text.len;
}
