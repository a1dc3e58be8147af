#include "unit/prometheus.h"

#include <math.h>
#include <stdlib.h>

enum { LINES_MAX = 20000, FAMILIES_MAX = 256 };

struct family {
	struct fg_str name, type;
	bool has_help, has_samples;
};

/* A histogram's lines of one label set, as they come. */
struct histogram {
	struct fg_str labels; /* without le */
	double last_le, last_count, inf;
	bool has_inf, has_sum, open;
};

struct checker {
	struct family families[FAMILIES_MAX];
	size_t family_count;
	struct fg_str series[LINES_MAX];
	size_t series_count;
	struct histogram histogram;
};

static bool
is_name(struct fg_str s, bool colon)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool ok = c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (colon && c == ':') ||
		    (i > 0 && c >= '0' && c <= '9');

		if (!ok)
			return false;
	}
	return s.len > 0;
}

static bool
read_number(struct fg_str s, double *number)
{
	char text[64];
	char *end;

	if (s.len == 0 || s.len >= sizeof(text) || s.p[0] == ' ')
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	*number = strtod(text, &end);
	return *end == '\0';
}

static bool
on_comment(struct checker *c, struct fg_str line)
{
	struct fg_str rest = fg_str_slice(line, 2, line.len), word, name;
	struct family *last = c->family_count == 0 ? NULL : &c->families[c->family_count - 1];

	if (!fg_str_starts_with(line, FG_STR("# ")) || !fg_str_next(&rest, ' ', &word) || !fg_str_next(&rest, ' ', &name) ||
	    !is_name(name, true) || rest.len == 0)
		return false;
	if (fg_str_eq(word, FG_STR("HELP"))) {
		for (size_t i = 0; i < c->family_count; i++)
			if (fg_str_eq(c->families[i].name, name))
				return false;
		if (c->family_count == FAMILIES_MAX || (last != NULL && last->type.len == 0) || c->histogram.open)
			return false;
		c->families[c->family_count++] = (struct family){.name = name, .has_help = true};
		return true;
	}
	if (!fg_str_eq(word, FG_STR("TYPE")) || last == NULL || !fg_str_eq(last->name, name) || last->type.len != 0)
		return false;
	last->type = rest;
	/* promtool: a counter's name ends in _total, no other's does. */
	return (fg_str_eq(rest, FG_STR("counter")) && fg_str_ends_with(name, FG_STR("_total"))) ||
	    ((fg_str_eq(rest, FG_STR("gauge")) || fg_str_eq(rest, FG_STR("histogram"))) &&
		!fg_str_ends_with(name, FG_STR("_total")));
}

/* Reads {a="b",c="d"}; le is taken out of labels, which has to come last then. */
static bool
read_labels(struct fg_str s, size_t *at, struct fg_str *labels, struct fg_str *le)
{
	size_t from = *at, le_from = 0;

	*labels = *le = FG_STR_NONE;
	if (*at >= s.len || s.p[*at] != '{')
		return true;
	do {
		size_t name_from = ++*at, value_from;
		struct fg_str name;

		while (*at < s.len && s.p[*at] != '=')
			++*at;
		name = fg_str_slice(s, name_from, *at);
		if (!is_name(name, false) || *at + 1 >= s.len || s.p[*at + 1] != '"' || le->p != NULL)
			return false;
		value_from = *at += 2;
		for (; *at < s.len && s.p[*at] != '"'; ++*at)
			if (s.p[*at] == '\\' && (++*at >= s.len || strchr("\\\"n", s.p[*at]) == NULL))
				return false;
		if (*at >= s.len)
			return false;
		if (fg_str_eq(name, FG_STR("le"))) {
			*le = fg_str_slice(s, value_from, *at);
			le_from = name_from - 1;
		}
		++*at;
	} while (*at < s.len && s.p[*at] == ',');
	*labels = fg_str_slice(s, from + 1, le->p != NULL ? le_from : *at);
	return *at < s.len && s.p[(*at)++] == '}';
}

static bool
on_histogram(struct histogram *h, struct fg_str suffix, struct fg_str labels, struct fg_str le, double value)
{
	double bound;

	if (fg_str_eq(suffix, FG_STR("_bucket"))) {
		if (le.p == NULL || !read_number(le, &bound))
			return false;
		if (!h->open)
			*h = (struct histogram){.labels = labels, .last_le = -INFINITY, .open = true};
		if (!fg_str_eq(labels, h->labels) || bound <= h->last_le || value < h->last_count)
			return false;
		h->last_le = bound;
		h->last_count = value;
		h->has_inf = isinf(bound);
		return true;
	}
	if (!h->open || !h->has_inf || le.p != NULL)
		return false;
	if (fg_str_eq(suffix, FG_STR("_sum")))
		return h->has_sum = true;
	h->open = false;
	return h->has_sum && fg_str_eq(suffix, FG_STR("_count")) && value == h->last_count;
}

static bool
on_sample(struct checker *c, struct fg_str line)
{
	struct family *family = c->family_count == 0 ? NULL : &c->families[c->family_count - 1];
	struct fg_str name, labels, le, suffix;
	size_t at = 0;
	double value;

	while (at < line.len && line.p[at] != '{' && line.p[at] != ' ')
		at++;
	name = fg_str_slice(line, 0, at);
	if (family == NULL || !fg_str_starts_with(name, family->name) || !read_labels(line, &at, &labels, &le))
		return false;
	for (size_t i = 0; i < c->series_count; i++)
		if (fg_str_eq(c->series[i], fg_str_slice(line, 0, at)))
			return false;
	if (c->series_count == LINES_MAX)
		return false;
	c->series[c->series_count++] = fg_str_slice(line, 0, at);
	if (at >= line.len || line.p[at] != ' ' || !read_number(fg_str_slice(line, at + 1, line.len), &value))
		return false;
	suffix = fg_str_slice(name, family->name.len, name.len);
	if (fg_str_eq(family->type, FG_STR("histogram")))
		return on_histogram(&c->histogram, suffix, labels, le, value);
	return suffix.len == 0 && le.p == NULL && (value >= 0 || fg_str_eq(family->type, FG_STR("gauge")));
}

bool
prometheus_is_valid(struct fg_str text, struct fg_str *fault)
{
	struct checker *c = calloc(1, sizeof(*c));
	struct fg_str rest = text, line;
	bool ok = text.len > 0 && text.p[text.len - 1] == '\n';

	while (ok && fg_str_next(&rest, '\n', &line)) {
		ok = line.len > 0 && (line.p[0] == '#' ? on_comment(c, line) : on_sample(c, line));
		if (!ok && fault != NULL)
			*fault = line;
	}
	ok = ok && !c->histogram.open && c->family_count > 0 && c->families[c->family_count - 1].type.len > 0;
	free(c);
	return ok;
}

double
prometheus_value(struct fg_str text, const char *series)
{
	struct fg_str rest = text, line, wanted = fg_str_from(series);
	double value;

	while (fg_str_next(&rest, '\n', &line))
		if (fg_str_starts_with(line, wanted) && line.len > wanted.len && line.p[wanted.len] == ' ' &&
		    read_number(fg_str_slice(line, wanted.len + 1, line.len), &value))
			return value;
	return -1;
}
