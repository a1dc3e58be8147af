/*
 * The nearest name, by optimal string alignment: Damerau-Levenshtein without editing what was swapped. Only the cells of
 * the table within `limit` of its diagonal can come to something, so only those are filled in.
 */
#include "conf/suggest.h"

enum { MAX_LEN = 64 };

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned n = a < b ? a : b;

	return n < c ? n : c;
}

/* Fills in row i of the table; its least cell. */
static unsigned
fill_row(const unsigned *before, unsigned *above, unsigned *row, size_t i, struct fg_str a, struct fg_str b, unsigned limit)
{
	size_t first = i > limit ? i - limit : 1, last = b.len < i + limit ? b.len : i + limit;
	unsigned beyond = limit + 1, lowest = first == 1 ? (unsigned)i : beyond;

	row[first - 1] = lowest;
	/* Where the row above has ended. */
	if (last == i + limit)
		above[last] = beyond;
	for (size_t j = first; j <= last; j++) {
		char x = fg_ascii_lower(a.p[i - 1]), y = fg_ascii_lower(b.p[j - 1]);

		row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
		if (i > 1 && j > 1 && x == fg_ascii_lower(b.p[j - 2]) && y == fg_ascii_lower(a.p[i - 2]) &&
		    before[j - 2] + 1 < row[j])
			row[j] = before[j - 2] + 1;
		lowest = row[j] < lowest ? row[j] : lowest;
	}
	return lowest;
}

unsigned
fg_edit_distance(struct fg_str a, struct fg_str b, unsigned limit)
{
	/* Three rows of the table: the one before the last is what a swap of neighbours looks at. */
	unsigned rows[3][MAX_LEN + 1], *before = rows[0], *above = rows[1], *row = rows[2];

	if (a.len > MAX_LEN || b.len > MAX_LEN)
		return limit + 1;
	if ((a.len > b.len ? a.len - b.len : b.len - a.len) > limit)
		return limit + 1;
	for (size_t j = 0; j <= b.len; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *spare = before, lowest = fill_row(before, above, row, i, a, b, limit);

		/* No row below has a lower one. */
		if (lowest > limit)
			return limit + 1;
		before = above;
		above = row;
		row = spare;
	}
	return above[b.len] > limit ? limit + 1 : above[b.len];
}

void
fg_suggest_init(struct fg_suggest *suggest, struct fg_str text)
{
	/* A third of the letters may be wrong, one always, and never more than three. */
	unsigned near = text.len < 6 ? 1 : text.len < 9 ? 2 : 3;

	*suggest = (struct fg_suggest){.text = text, .best = FG_STR_NONE, .distance = near + 1};
}

void
fg_suggest_offer(struct fg_suggest *suggest, struct fg_str candidate)
{
	unsigned distance;

	/* A text of one or two letters is near to all others of that length. */
	if (suggest->distance == 0 || suggest->text.len == 0 || candidate.len < 2)
		return;
	distance = fg_edit_distance(suggest->text, candidate, suggest->distance - 1);
	if (distance >= suggest->distance || distance >= candidate.len)
		return;
	suggest->distance = distance;
	suggest->best = candidate;
}

struct fg_str
fg_suggest_format(const struct fg_suggest *suggest, struct fg_arena *arena)
{
	if (suggest->best.len == 0)
		return FG_STR("");
	return fg_arena_printf(arena, "; did you mean " FG_STR_FMT "?", FG_STR_ARG(suggest->best));
}
